"""The built-in transports of the network, as the registry finds them: tcp, unix, tls, ws, wss."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from graftwire.protocol.errors import TlsError

from .bind import bind, inherited, start_listening
from .detect import Reception
from .dial import dial
from .link import ConnectOptions, Link, Listener, ListenOptions, Transport
from .listener import SocketListener
from .sockets import SocketLink, socket_facts
from .streams import LinkStream
from .tls import ALPN_FRAMED, ALPN_HTTP, TlsLink, dial_tls
from .url import Url, parse_proxy


class SocketTransport(Transport):
    """Framed links straight on TCP and Unix sockets."""

    schemes = ("tcp", "unix")

    def connect(self, url: Url, options: ConnectOptions) -> AbstractAsyncContextManager[Link]:
        return _connect_framed(url, options)

    async def listen(self, url: Url, options: ListenOptions) -> Listener:
        return await _listen(url, options)


class TlsTransport(Transport):
    """Framed links over TLS."""

    schemes = ("tls",)

    def connect(self, url: Url, options: ConnectOptions) -> AbstractAsyncContextManager[Link]:
        return _connect_framed(url, options)

    async def listen(self, url: Url, options: ListenOptions) -> Listener:
        return await _listen(url, options)


class WebSocketTransport(Transport):
    """Links over WebSocket, with and without TLS."""

    schemes = ("ws", "wss")

    def connect(self, url: Url, options: ConnectOptions) -> AbstractAsyncContextManager[Link]:
        return _connect_websocket(url, options)

    async def listen(self, url: Url, options: ListenOptions) -> Listener:
        return await _listen(url, options)


@asynccontextmanager
async def _connect_framed(url: Url, options: ConnectOptions) -> AsyncGenerator[Link]:
    async with _connect_bytes(url, options) as link:
        yield link


@asynccontextmanager
async def _connect_websocket(url: Url, options: ConnectOptions) -> AsyncGenerator[Link]:
    from .websocket import connect_websocket  # here, so that plain sockets need nothing of HTTP

    async with (
        _connect_bytes(url, options) as below,
        connect_websocket(LinkStream(below), url, options, below.facts) as link,
    ):
        yield link


@asynccontextmanager
async def _connect_bytes(url: Url, options: ConnectOptions) -> AsyncGenerator[SocketLink | TlsLink]:
    """A byte link to `url`, over TLS where the scheme says so; closed at the end."""
    link: SocketLink | TlsLink
    if options.proxy is not None and url.scheme != "unix":
        from .tunnel import dial_through  # here, so that plain sockets need nothing of HTTP

        link = await dial_through(parse_proxy(options.proxy), url, options)
    else:
        sock = await dial(url, options.connect_timeout)
        link = SocketLink(sock, socket_facts(sock, url))
    try:
        if url.scheme in ("tls", "wss"):
            link = await dial_tls(link, url, options, ALPN_FRAMED if url.scheme == "tls" else ALPN_HTTP)
        yield link
    finally:
        await link.aclose()


async def _listen(url: Url, options: ListenOptions) -> Listener:
    if options.tls is not None and options.tls.protocol == ssl.PROTOCOL_TLS_CLIENT:
        raise TlsError(
            "this TLS context is one for dialling; pass one with a certificate, as server_context makes it"
        )
    if options.tls is None and url.scheme in ("tls", "wss"):
        raise TlsError(f"a {url.scheme} listener needs a certificate and its key; pass tls=server_context(…)")
    bound, sockets = inherited(url, options.sockets) or await bind(url, options.backlog)
    start_listening(bound, sockets, options.backlog)
    return SocketListener(
        bound, sockets, options, Reception(bound, options), with_options=lambda new: Reception(bound, new)
    )
