"""The small interface that every transport implements, built in or from a package of its own."""

from __future__ import annotations

import ipaddress
import math
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from .url import Url, parse_proxy

if TYPE_CHECKING:
    from .facts import LinkFacts

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Buffer = bytes | bytearray | memoryview


class Link(ABC):
    """One connection that carries frames. One task sends, one receives; nothing here knows what a frame means."""

    facts: LinkFacts
    half_closes: ClassVar[bool] = False
    """Whether `send_eof` really tells the other end, which then may go on sending."""

    @property
    def last_arrival(self) -> float:
        """When bytes came last that `receive` did not give at once, on trio's clock; minus infinity if never.

        A part of a TLS record is such bytes, and a WebSocket ping: no data, but a sign of life (clause KEEP-3).
        """
        return -math.inf

    @property
    def arrived(self) -> int:
        """How many bytes have come, with all that carries the data, where `receive` may hold some back; else 0."""
        return 0

    @abstractmethod
    async def send(self, data: Buffer) -> None:
        """Send `data`, which holds whole frames, all of it.

        Raises LinkError if the link is gone. If cancelled, some, all or none of `data` may have been sent and the
        link can't be used for sending any more.
        """

    def send_nowait(self, data: Buffer) -> int:
        """Hand over what can be sent without waiting; returns how many bytes were taken.

        0 where the link would have to wait or can't do this at all (message transports never can). Must not be
        called while `send` runs. Raises LinkError if the link is gone.
        """
        return 0

    @abstractmethod
    async def receive(self) -> bytes:
        """The next bytes, at most 256 KiB; `b""` at the orderly end. Raises LinkError at an abnormal one."""

    @abstractmethod
    async def send_eof(self) -> None:
        """Say that nothing more will be sent, where the transport can; otherwise nothing happens."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close, orderly where that is quick (bounded), at once if cancelled. Never raises LinkError."""


@dataclass(frozen=True)
class ConnectOptions:
    """Plain values that the dialling side hands to a transport. Times are in seconds.

    `tls`: a context, or None for the default (certifi roots); `pins`: SHA-256 digests of certificates or public
    keys, one of which the other end must show; `origin`: sent on a WebSocket handshake if not None;
    `server_hostname`: the name to check in place of the URL's host; `proxy`: the URL of a proxy that tcp, tls, ws and
    wss go through (http, socks5, socks5h), never one that the environment names; `proxy_login` gives a user name and
    a password for it at each dialling. Raises UrlError for a proxy that is none.
    """

    tls: ssl.SSLContext | None = None
    pins: frozenset[bytes] = frozenset()
    server_hostname: str | None = None
    origin: str | None = None
    connect_timeout: float = 10.0
    handshake_timeout: float = 10.0
    max_message: int = 2**24 + 3
    proxy: str | None = None
    proxy_login: Callable[[], tuple[str, str]] | None = None

    def __post_init__(self) -> None:
        if self.proxy is not None:
            parse_proxy(self.proxy)


@dataclass(frozen=True)
class ListenOptions:
    """Plain values that the listening side hands to a transport. Times are in seconds, sizes in bytes.

    `tls`: the context for tls and wss; `origins`: exact browser origins that may connect (none unless listed);
    `detect`: tell framed, TLS and HTTP apart on one port; `proxy_sources`: networks that must speak the PROXY
    protocol, and whose word is taken; `max_connections` at once; `healthy`: what `/healthz` reports (whether it is
    alive); `ready`: what `/readyz` reports (whether new callers are welcome); `sockets`: such as are bound and listen
    already, which take the place of binding where their address is the one that is asked for.
    """

    tls: ssl.SSLContext | None = None
    origins: frozenset[str] = frozenset()
    detect: bool = False
    proxy_sources: tuple[Network, ...] = ()
    handshake_timeout: float = 10.0
    max_connections: int = 10_000
    max_message: int = 2**24 + 3
    backlog: int = 1024
    healthy: Callable[[], bool] = field(default=lambda: True)
    ready: Callable[[], bool] = field(default=lambda: True)
    sockets: tuple[socket.socket, ...] = ()


class Listener(ABC):
    """A bound port. `url` names it with the real port."""

    url: str

    @abstractmethod
    async def serve(self, handle: Callable[[Link], Awaitable[None]]) -> None:
        """Accept until `stop` is called, a task a connection; returns when the last of them has ended.

        What a connection's handshake does wrong ends that connection alone.
        """

    @abstractmethod
    def stop(self) -> None:
        """Take no more connections and free the port; those that exist go on. May be called more than once."""

    def change(self, options: ListenOptions) -> bool:
        """Hold other options for connections that come from now on; False where this listener can't, as here."""
        return False


class Transport(ABC):
    """What an entry point of the group `graftwire.transports` names: makes links for its URL schemes."""

    schemes: tuple[str, ...]

    @abstractmethod
    def connect(self, url: Url, options: ConnectOptions) -> AbstractAsyncContextManager[Link]:
        """Dial `url`. Entering raises ConnectError or TlsError; leaving closes the link."""

    @abstractmethod
    async def listen(self, url: Url, options: ListenOptions) -> Listener:
        """Bind `url` (port 0: a free one). Raises LinkError if that can't be."""
