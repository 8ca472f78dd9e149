"""What an accepted connection becomes: PROXY header, then TLS, then a framed link or WebSocket.

    listener   detect   first byte 0    first byte 0x16 (TLS)            a capital letter
    tcp, unix  no       framed: nobody looks at the first byte
    tls        no       refused         framed, by ALPN                  refused
    ws         no       refused         refused                          WebSocket
    wss        no       refused         WebSocket, by ALPN               refused
    tcp, unix  yes      framed          by ALPN, if there is a context   WebSocket
    ws         yes      framed          by ALPN, if there is a context   WebSocket
    tls, wss   yes      refused         by ALPN                          refused

So a listener whose URL promises TLS never speaks without it. Inside TLS it is ALPN that tells the two apart:
`graftwire/1` is framed, `http/1.1` or none is HTTP. All of it ends within the handshake timeout.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar

import trio

from graftwire.protocol.errors import LinkError, TlsError

from .link import Link, ListenOptions
from .listener import LeftAtOnce
from .proxy_protocol import read_header
from .sockets import SocketLink, socket_facts
from .streams import LinkStream
from .tls import ALPN_FRAMED, ALPN_HTTP, TlsLink, accept_tls
from .url import Url

L = TypeVar("L", SocketLink, TlsLink)
Handler = Callable[[Link], Awaitable[None]]

_FRAMED: Final = 0x00  # clause LINK-2
_TLS: Final = 0x16
_CAPITALS: Final = range(ord("A"), ord("Z") + 1)  # a method of HTTP (clause LINK-5)


class Reception:
    """Receives the connections of one listener."""

    def __init__(self, url: Url, options: ListenOptions) -> None:
        self._url = url
        self._options = options

    async def __call__(self, sock: socket.socket, handle: Handler) -> None:
        """Make a link of `sock`, and call `handle` with it; closes it in the end.

        Raises LinkError if no link came about.
        """
        link = SocketLink(sock, socket_facts(sock, self._url))
        try:
            await self._receive(link, handle)
        finally:
            link.close()

    async def _receive(self, link: SocketLink, handle: Handler) -> None:
        deadline = trio.current_time() + self._options.handshake_timeout
        ready: SocketLink | TlsLink | None = None
        framed = False
        with trio.CancelScope(deadline=deadline):
            await self._proxied(link)
            ready, framed = await self._secured(link)
        if ready is None:
            raise LinkError(
                f"the client {link.facts.peer} did not finish its handshake within "
                f"{self._options.handshake_timeout:g} s"
            )
        try:
            if framed:
                await handle(ready)
            else:
                await self._websocket(ready, handle, deadline)
        finally:
            await ready.aclose()

    async def _websocket(self, link: SocketLink | TlsLink, handle: Handler, deadline: float) -> None:
        from .websocket import accept_websocket  # here, so that plain sockets need nothing of HTTP

        left = replace(self._options, handshake_timeout=max(0.0, deadline - trio.current_time()))
        # A Unix socket's URL has the path of its file, which is none of HTTP's.
        facts = replace(link.facts, path="/" if self._url.scheme == "unix" else self._url.path or "/")
        await accept_websocket(LinkStream(link), left, facts, handle)

    async def _proxied(self, link: SocketLink) -> None:
        """Take a listed proxy's word on who is calling."""
        if not self._options.proxy_sources or link.sock.family not in (socket.AF_INET, socket.AF_INET6):
            return
        try:
            proxy = ipaddress.ip_address(str(link.sock.getpeername()[0]).partition("%")[0])
        except OSError:
            raise LeftAtOnce("a client closed the connection as soon as it was accepted") from None
        if any(proxy in network for network in self._options.proxy_sources):
            header = await read_header(link)
            if header.source is not None:
                link.facts = replace(link.facts, peer=header.source, proxied=link.facts.peer)

    async def _secured(self, link: SocketLink) -> tuple[SocketLink | TlsLink, bool]:
        """The link that frames or HTTP travel on, and whether it is frames."""
        scheme = self._url.scheme
        if scheme in ("tls", "wss"):
            return await self._tls(link, framed=scheme == "tls", http=scheme == "wss")
        if not self._options.detect:
            return link, scheme != "ws"
        first = await link.peek()
        if first == _FRAMED:
            return _named(link, "tcp"), True
        if first == _TLS and self._options.tls is not None:
            return await self._tls(link, framed=True, http=True)
        if first in _CAPITALS:
            return _named(link, "ws"), False
        raise LinkError(f"what the client {link.facts.peer} speaks is not served at this port")

    async def _tls(self, link: SocketLink, *, framed: bool, http: bool) -> tuple[TlsLink, bool]:
        assert self._options.tls is not None  # checked where the listener is made
        framed, http = framed or self._options.detect, http or self._options.detect
        names = (ALPN_FRAMED,) * framed + (ALPN_HTTP,) * http
        secured = await accept_tls(link, self._options.tls, names)
        alpn = secured.ssl.selected_alpn_protocol()
        if alpn == ALPN_FRAMED:
            return _named(secured, "tls"), True
        if http:
            return _named(secured, "wss"), False
        await secured.aclose()
        raise TlsError(f"the client {link.facts.peer} did not agree on what to speak over TLS (ALPN)")


def _named(link: L, scheme: str) -> L:
    """`link` with the transport that it turned out to be, unless it is a Unix socket's."""
    if link.facts.transport != "unix":
        link.facts = replace(link.facts, transport=scheme)
    return link
