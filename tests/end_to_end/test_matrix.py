"""Every transport, every kind of call, every way in which a call can end: over real links, both ends in one process."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import trio

import graftwire
from graftwire.protocol.errors import ErrorCode

from .conftest import Place  # type: ignore[import-not-found]

SHAPES = ("unary", "server stream", "client stream", "both streams")


class Refused(Exception):
    """What the service declares."""

    limit: int

    def __init__(self, limit: int) -> None:
        super().__init__("above the limit")
        self.limit = limit


class Service:
    """Each kind of call, ending as it is told to."""

    def __init__(self) -> None:
        self.started = trio.Event()
        self.ended: list[str] = []

    async def _act(self, how: str) -> None:
        self.started.set()
        try:
            match how:
                case "declared":
                    raise Refused(7)
                case "undeclared":
                    raise KeyError("a secret of the service")
                case "cancel":
                    raise graftwire.CallCancelled
                case "hang":
                    await trio.sleep_forever()
                case "linger":
                    await trio.sleep(0.1)
                case _:
                    await trio.lowlevel.checkpoint()
        except trio.Cancelled:
            self.ended.append("cancelled")
            raise
        self.ended.append("returned")

    @graftwire.raises(Refused)
    async def unary(self, how: str) -> str:
        await self._act(how)
        return how

    @graftwire.raises(Refused)
    async def server_stream(self, how: str) -> AsyncIterator[int]:
        yield 1
        yield 2
        await self._act(how)
        yield 3

    @graftwire.raises(Refused)
    async def client_stream(self, how: str, items: AsyncIterator[int]) -> int:
        total = await anext(items)
        await self._act(how)
        async for item in items:
            total += item
        return total

    @graftwire.raises(Refused)
    async def both_streams(self, how: str, items: AsyncIterator[int]) -> AsyncIterator[int]:
        yield await anext(items) * 2
        await self._act(how)
        async for item in items:
            yield item * 2


EXPECTED: dict[str, Any] = {
    "unary": "succeed",
    "server stream": [1, 2, 3],
    "client stream": 6,
    "both streams": [2, 4, 6],
}


async def make_call(client: graftwire.Client, shape: str, how: str) -> Any:
    """One call of that shape, told to end like that; returns everything that came back."""
    client = client.using(raises=[Refused])
    match shape:
        case "unary":
            return await client.call("Service.unary", how)
        case "server stream":
            async with client.stream("Service.server_stream", how) as items:
                return [item async for item in items]
        case "client stream":
            async with client.upload("Service.client_stream", how) as upload:
                for item in (1, 2, 3):
                    await upload.send(item)
                return await upload.result()
        case _:
            async with client.exchange("Service.both_streams", how) as exchange:
                got = []
                for item in (1, 2, 3):
                    await exchange.send(item)
                    if how != "hang":
                        got.append(await anext(exchange))
                await exchange.end()
                return got + [item async for item in exchange]


async def assert_quiet(gateway: graftwire.Gateway) -> None:
    """No call is open any more at the gateway, soon."""
    with trio.fail_after(5):
        while any(session.calls_in_flight != (0, 0) for session in gateway.sessions):
            await trio.sleep(0.005)


pytestmark = pytest.mark.parametrize("shape", SHAPES)


async def test_success(place: Place, shape: str) -> None:
    async with place.gateway({"Service": Service()}) as gateway, place.client(gateway) as client:
        assert await make_call(client, shape, "succeed") == EXPECTED[shape]
        await assert_quiet(gateway)


async def test_a_declared_error_arrives_as_its_own_type(place: Place, shape: str) -> None:
    async with place.gateway({"Service": Service()}) as gateway, place.client(gateway) as client:
        with pytest.raises(Refused, match=r"^above the limit$") as caught:
            await make_call(client, shape, "declared")
        assert caught.value.limit == 7
        await assert_quiet(gateway)
        assert await make_call(client, shape, "succeed") == EXPECTED[shape]


async def test_an_undeclared_error_keeps_its_secret(
    place: Place, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with place.gateway({"Service": Service()}) as gateway, place.client(gateway) as client:
        with caplog.at_level(logging.ERROR), pytest.raises(graftwire.InternalError) as caught:
            await make_call(client, shape, "undeclared")
        assert "secret" not in str(caught.value)
        assert caught.value.incident in caplog.text  # the gateway's own log finds it
        await assert_quiet(gateway)


async def test_cancelled_at_the_caller(place: Place, shape: str) -> None:
    service = Service()
    async with place.gateway({"Service": service}) as gateway, place.client(gateway) as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(make_call, client, shape, "hang")
            await service.started.wait()
            nursery.cancel_scope.cancel()
        await assert_quiet(gateway)
        assert service.ended == ["cancelled"]
        assert await make_call(client, shape, "succeed") == EXPECTED[shape]


async def test_the_handler_says_that_its_call_is_cancelled(place: Place, shape: str) -> None:
    service = Service()
    async with place.gateway({"Service": service}) as gateway, place.client(gateway) as client:
        with pytest.raises(graftwire.CallCancelled) as caught:
            await make_call(client, shape, "cancel")
        assert caught.value.ran
        await assert_quiet(gateway)
        assert await make_call(client, shape, "succeed") == EXPECTED[shape]


async def test_cancelled_at_the_receiver(place: Place, shape: str) -> None:
    """Not by the handler, which is cancelled where it waits; the caller is told, and its session goes on."""
    service = Service()
    async with place.gateway({"Service": service}) as gateway, place.client(gateway) as client:
        errors: list[graftwire.CallError] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(failing, client, shape, errors)
            await service.started.wait()
            (session,) = gateway.sessions
            (call,) = session._serving._calls.values()
            call.cancel(ErrorCode.CANCELLED)
        assert [(type(error), error.ran) for error in errors] == [(graftwire.CallCancelled, True)]
        assert service.ended == ["cancelled"]
        await assert_quiet(gateway)
        assert await make_call(client, shape, "succeed") == EXPECTED[shape]


async def test_the_deadline_of_the_scope(place: Place, shape: str) -> None:
    service = Service()
    async with place.gateway({"Service": service}) as gateway, place.client(gateway) as client:
        with pytest.raises(trio.TooSlowError), trio.fail_after(0.1):
            await make_call(client, shape, "hang")
        await assert_quiet(gateway)
        assert service.ended == ["cancelled"]


async def test_the_deadline_of_the_call(place: Place, shape: str) -> None:
    service = Service()
    async with place.gateway({"Service": service}) as gateway, place.client(gateway) as client:
        with pytest.raises(graftwire.DeadlineExceeded):
            await make_call(client.using(deadline=0.1), shape, "hang")
        await assert_quiet(gateway)
        assert service.ended == ["cancelled"]


async def failing(client: graftwire.Client, shape: str, errors: list[graftwire.CallError]) -> None:
    """Make a call that hangs, and note how it failed."""
    try:
        await make_call(client, shape, "hang")
    except graftwire.CallError as error:
        errors.append(error)


async def close_link(gateway: graftwire.Gateway) -> None:
    """No GOAWAY, no farewell."""
    (session,) = gateway.sessions
    await session._link.aclose()


async def half_close(gateway: graftwire.Gateway) -> None:
    """The orderly end of what the gateway sends, in the middle of a call (LEAVE-9)."""
    (session,) = gateway.sessions
    await session._link.send_eof()
    if not session._link.half_closes:
        await session._link.aclose()


async def close_session(gateway: graftwire.Gateway) -> None:
    """A farewell, which is no answer."""
    (session,) = gateway.sessions
    session.close()
    await session.wait_ended()


async def drain_without_time(gateway: graftwire.Gateway) -> None:
    """The bound passes while the call runs: the gateway leaves without an answer (LEAVE-9)."""
    await gateway.drain(0.05)


@pytest.mark.parametrize("vanish", [close_link, half_close, close_session, drain_without_time])
async def test_the_gateway_vanishes(
    place: Place, shape: str, vanish: Callable[[graftwire.Gateway], Awaitable[None]]
) -> None:
    """However it goes: the call may have run, and nobody knows; later ones have not."""
    service = Service()
    errors: list[graftwire.CallError] = []
    async with place.gateway({"Service": service}) as gateway, place.client(gateway) as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(failing, client, shape, errors)
            await service.started.wait()
            await vanish(gateway)
        assert [(type(error), error.ran) for error in errors] == [(graftwire.Unavailable, True)]
        with pytest.raises(graftwire.Unavailable) as later:
            await make_call(client, shape, "succeed")
        assert not later.value.ran
        with trio.fail_after(5):
            while gateway.sessions:
                await trio.sleep(0.005)
        assert service.ended == ["cancelled"]


async def test_the_gateway_is_cancelled(place: Place, shape: str) -> None:
    service = Service()
    errors: list[graftwire.CallError] = []
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with place.gateway({"Service": service}) as gateway:

                async def call() -> None:
                    async with place.client(gateway) as client:
                        await failing(client, shape, errors)

                nursery.start_soon(call)
                await service.started.wait()
                scope.cancel()
                await trio.sleep_forever()
    assert [(type(error), error.ran) for error in errors] == [(graftwire.Unavailable, True)]
    assert service.ended == ["cancelled"]


async def close_callers_link(client: graftwire.Client) -> None:
    await client._connection.session._link.aclose()


async def close_callers_session(client: graftwire.Client) -> None:
    client._connection.session.close()


@pytest.mark.parametrize("vanish", [close_callers_link, close_callers_session])
async def test_the_caller_vanishes(
    place: Place, shape: str, vanish: Callable[[graftwire.Client], Awaitable[None]]
) -> None:
    service = Service()
    errors: list[graftwire.CallError] = []
    async with place.gateway({"Service": service}) as gateway:
        async with place.client(gateway) as client, trio.open_nursery() as nursery:
            nursery.start_soon(failing, client, shape, errors)
            await service.started.wait()
            await vanish(client)
        assert [(type(error), error.ran) for error in errors] == [(graftwire.Unavailable, True)]
        with trio.fail_after(5):
            while gateway.sessions:
                await trio.sleep(0.005)
        assert service.ended == ["cancelled"]


async def test_drain_lets_running_calls_end(place: Place, shape: str) -> None:
    """In full: with all items in both directions, as if nobody left."""
    service = Service()
    async with place.gateway({"Service": service}) as gateway, place.client(gateway) as client:
        results: list[Any] = []

        async def call() -> None:
            results.append(await make_call(client, shape, "linger"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await service.started.wait()
            await gateway.drain(5)
        assert results == ["linger" if shape == "unary" else EXPECTED[shape]]
        assert service.ended == ["returned"]
        assert not gateway.sessions
        with pytest.raises(graftwire.Unavailable) as caught:
            await make_call(client, shape, "succeed")
        assert not caught.value.ran
