"""Leaving, where something else goes on: connections on their way, a drain that is begun twice or cancelled."""

from __future__ import annotations

import ssl

import pytest
import trio

import graftwire
from graftwire.protocol import frames, values
from graftwire.protocol.connection import Connection, Role
from graftwire.protocol.errors import ErrorCode
from graftwire.transport.url import parse

from .conftest import Place  # type: ignore[import-not-found]


class Service:
    def __init__(self) -> None:
        self.started = trio.Event()
        self.release = trio.Event()
        self.calls = 0

    async def wait(self) -> str:
        self.calls += 1
        self.started.set()
        await self.release.wait()
        return "done"


@pytest.fixture
def tls_place(tmp_path_factory: pytest.TempPathFactory, authority: object) -> Place:
    return Place("tls", tmp_path_factory.mktemp("drain"), authority)


async def test_who_comes_during_a_drain_is_turned_away(tls_place: Place) -> None:
    """A TLS handshake that ends when the gateway drains already: nothing runs, and the peer is told so."""
    service = Service()
    async with tls_place.gateway({"Service": service}) as gateway, tls_place.client(gateway) as client:
        port = parse(gateway.urls[0]).port
        assert port is not None
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call, "Service.wait")
            await service.started.wait()
            nursery.start_soon(gateway.drain, 5)
            while gateway.ready:
                await trio.lowlevel.checkpoint()
            context = tls_place.connect_options.tls
            assert isinstance(context, ssl.SSLContext)
            late = trio.SSLStream(stream, context, server_hostname="127.0.0.1", https_compatible=True)
            conn = Connection(Role.INITIATOR)
            conn.call(0, "Service.wait", values.encode_arguments((), {}))
            events = []
            with trio.fail_after(5):
                await late.send_all(b"".join(conn.take()))
                while data := await late.receive_some():
                    events += conn.receive(data)
            assert events == [frames.Goaway(0, ErrorCode.UNAVAILABLE)]
            assert len(gateway.sessions) == 1
            service.release.set()
        await late.aclose()
    assert service.calls == 1


async def test_a_drain_can_be_begun_again(place: Place) -> None:
    """Cancelled, then again and at the same time, then once more by the end of the block."""
    service = Service()
    answers: list[str] = []
    async with place.gateway({"Service": service}, drain=5) as gateway, place.client(gateway) as client:

        async def call() -> None:
            answers.append(await client.call("Service.wait"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await service.started.wait()
            with trio.move_on_after(0.05):
                await gateway.drain(5)
            async with trio.open_nursery() as drains:
                drains.start_soon(gateway.drain, 5)
                drains.start_soon(gateway.drain, 5)
                with pytest.raises(graftwire.Unavailable):
                    await client.call("Service.wait")
                service.release.set()
        assert answers == ["done"]
    assert service.calls == 1
