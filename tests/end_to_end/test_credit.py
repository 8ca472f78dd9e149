"""Streams whose sender has used up its credit when the call ends, in either direction, over every transport."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

import graftwire

from .conftest import Place  # type: ignore[import-not-found]


class Refused(Exception):
    """What the service declares."""

    limit: int

    def __init__(self, limit: int) -> None:
        super().__init__("above the limit")
        self.limit = limit


async def assert_quiet(gateway: graftwire.Gateway) -> None:
    """No call is open any more at the gateway, soon."""
    with trio.fail_after(5):
        while any(session.calls_in_flight != (0, 0) for session in gateway.sessions):
            await trio.sleep(0.005)


class Hasty:
    """Ends without reading what the caller sends, once that has no more credit; or sends what nobody reads."""

    def __init__(self) -> None:
        self.go = trio.Event()
        self.ended: list[str] = []

    async def _end(self, how: str) -> None:
        await self.go.wait()
        match how:
            case "declared":
                raise Refused(7)
            case "undeclared":
                raise KeyError
            case "cancel":
                raise graftwire.CallCancelled
            case _:
                pass

    @graftwire.raises(Refused)
    async def client_stream(self, how: str, items: AsyncIterator[bytes]) -> str:
        await self._end(how)
        return "early"

    @graftwire.raises(Refused)
    async def both_streams(self, how: str, items: AsyncIterator[bytes]) -> AsyncIterator[int]:
        yield 1
        await self._end(how)

    async def server_stream(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(60_000)
        finally:
            self.ended.append("closed")


OUTCOMES = {
    "declared": Refused,
    "undeclared": graftwire.InternalError,
    "cancel": graftwire.CallCancelled,
}


@pytest.mark.parametrize("shape", ["client stream", "both streams"])
@pytest.mark.parametrize("how", ["succeed", *OUTCOMES])
async def test_the_call_ends_while_its_sender_has_no_credit(
    place: Place, shape: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody gives credit after that (STREAM-4); the sender is free at once, and `result` says what happened."""
    service = Hasty()
    async with place.gateway({"Service": service}) as gateway, place.client(gateway) as plain:
        client = plain.using(raises=[Refused])
        opened = (
            client.upload("Service.client_stream", how)
            if shape == "client stream"
            else client.exchange("Service.both_streams", how)
        )
        sent = 0
        with trio.fail_after(10):
            async with opened as stream:
                if shape == "both streams":
                    assert await anext(stream) == 1

                async def end() -> None:
                    while sent < 4 or client._connection.session._conn.may_send_item(1):
                        await trio.sleep(0.005)
                    service.go.set()

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(end)
                    for _ in range(30):
                        await stream.send(bytes(60_000))
                        sent += 1
                await assert_quiet(gateway)  # the call is closed, though the block was not left
                if how == "succeed":
                    assert await stream.result() == ("early" if shape == "client stream" else None)
                else:
                    with pytest.raises(OUTCOMES[how]):
                        await stream.result()
        assert client._connection.session.calls_in_flight == (0, 0)


@pytest.mark.parametrize("way", ["the block is left", "a deadline", "the session ends"])
async def test_a_handler_without_credit_is_cancelled(
    place: Place, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    service = Hasty()
    async with place.gateway({"Service": service}) as gateway:
        async with place.client(gateway) as client:
            with trio.fail_after(10), trio.move_on_after(0.3 if way == "a deadline" else 60):
                async with client.stream("Service.server_stream") as items:
                    await anext(items)
                    (session,) = gateway.sessions
                    while session._conn.may_send_item(1):
                        await trio.sleep(0.005)
                    if way == "the session ends":
                        client._connection.session.close()
                    elif way == "a deadline":
                        await trio.sleep_forever()
            with trio.fail_after(5):
                while not service.ended:
                    await trio.sleep(0.005)
            if way != "the session ends":
                await assert_quiet(gateway)
        assert service.ended == ["closed"]
    assert not caplog.records  # that is no failure of the handler's
