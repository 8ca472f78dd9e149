"""The built-in transports of the network: what each URL gives, and what a listener needs."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio

from graftwire.protocol.errors import ConnectError, LinkError, TlsError
from graftwire.transport.link import ConnectOptions, Link, ListenOptions
from graftwire.transport.registry import transport_for
from graftwire.transport.sockets import SocketLink
from graftwire.transport.tls import TlsLink
from graftwire.transport.url import Url, parse
from graftwire.transport.websocket import WebSocketLink

Serving = Callable[..., AbstractAsyncContextManager[Url]]
Connected = Callable[..., AbstractAsyncContextManager[Link]]

FRAME = b"\0\0\0\x02hi"
KINDS = {"tcp": SocketLink, "unix": SocketLink, "tls": TlsLink, "ws": WebSocketLink, "wss": WebSocketLink}


@pytest.mark.parametrize("scheme", KINDS)
async def test_each_url_gives_its_link_and_closes_it(
    serving: Serving,
    connected: Connected,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
    tmp_path: Path,
    scheme: str,
) -> None:
    links: list[Link] = []
    ended = trio.Event()

    async def echo(link: Link) -> None:
        links.append(link)
        while data := await link.receive():
            await link.send(data)
        ended.set()

    text = f"unix:{tmp_path}/s" if scheme == "unix" else f"{scheme}://127.0.0.1:0"
    async with serving(text, ListenOptions(tls=server_tls), echo) as url:
        async with connected(url, ConnectOptions(tls=client_tls)) as link:
            await link.send(FRAME)
            assert await link.receive() == FRAME
            assert type(link) is KINDS[scheme]
            assert link.facts.transport == links[0].facts.transport == scheme
            if scheme != "unix":
                assert link.facts.local == links[0].facts.peer
                assert link.facts.peer == links[0].facts.local == f"127.0.0.1:{url.port}"
        with pytest.raises(LinkError):
            await link.send(FRAME)
        with trio.fail_after(5):
            await ended.wait()


@pytest.mark.parametrize("scheme", ["tls", "wss"])
async def test_a_listener_over_tls_needs_a_certificate(scheme: str) -> None:
    with pytest.raises(TlsError) as caught:
        await transport_for(scheme).listen(parse(f"{scheme}://127.0.0.1:0"), ListenOptions())
    assert str(caught.value) == (
        f"a {scheme} listener needs a certificate and its key; pass tls=server_context(…)"
    )


async def test_a_context_for_dialling_is_no_good_for_listening() -> None:
    for scheme in ("tcp", "tls", "ws", "wss"):
        options = ListenOptions(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        with pytest.raises(TlsError) as caught:
            await transport_for(scheme).listen(parse(f"{scheme}://127.0.0.1:0"), options)
        assert str(caught.value) == (
            "this TLS context is one for dialling; pass one with a certificate, as server_context makes it"
        )


@pytest.mark.parametrize("scheme", ["tls", "wss"])
async def test_a_handshake_that_fails_leaves_no_connection(
    serving: Serving, connected: Connected, client_tls: ssl.SSLContext, scheme: str
) -> None:
    left = trio.Event()

    async def hear(link: Link) -> None:
        while await link.receive():
            pass
        left.set()

    async with serving("tcp://127.0.0.1:0", ListenOptions(), hear) as url:
        there = parse(f"{scheme}://127.0.0.1:{url.port}")
        with pytest.raises(ConnectError):
            async with connected(there, ConnectOptions(tls=client_tls, handshake_timeout=0.05)):
                raise AssertionError
        with trio.fail_after(5):
            await left.wait()
