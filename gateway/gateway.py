"""A gateway: listeners, the sessions that come in through them, and the host that answers their calls."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import trio

from graftwire.protocol.connection import Role
from graftwire.protocol.errors import Error
from graftwire.protocol.limits import Limits
from graftwire.transport.background import background_tasks
from graftwire.transport.link import Link, Listener, ListenOptions
from graftwire.transport.registry import transport_for
from graftwire.transport.session import Session, Timing
from graftwire.transport.url import parse

from .host import THREADS, Host
from .security import Anonymous, SecurityChoiceMissing

_log: Final = logging.getLogger("graftwire.gateway")

DRAIN: Final = 5.0  # seconds that running calls get when a gateway is left, unless told otherwise


class Gateway:
    """A running gateway; made by `serve`.

    `urls` are its addresses, with the real ports, in the order in which they were given. `sessions` are those that
    are open now.
    """

    def __init__(self, host: Host, limits: Limits | None, timing: Timing | None) -> None:
        self._host = host
        self._limits = limits
        self._timing = timing
        self._listeners: list[Listener] = []
        self._draining = False
        self.sessions: set[Session] = set()

    @property
    def urls(self) -> list[str]:
        """The addresses that this gateway listens on."""
        return [listener.url for listener in self._listeners]

    @property
    def targets(self) -> list[str]:
        """Everything that can be called by name."""
        return self._host.targets

    @property
    def healthy(self) -> bool:
        """Whether new callers are welcome: what `/healthz` reports."""
        return not self._draining

    async def listen(self, url: str, options: ListenOptions) -> None:
        """Bind one address. Raises LinkError or UrlError."""
        parsed = parse(url)
        self._listeners.append(await transport_for(parsed.scheme).listen(parsed, options))

    async def run(self) -> None:
        """Serve until cancelled, or until `drain` is done."""
        async with trio.open_nursery() as nursery:
            for listener in self._listeners:
                nursery.start_soon(listener.serve, self._handle)

    async def drain(self, seconds: float = DRAIN) -> None:
        """Stop listening, let running calls end within the bound, then end the sessions.

        Whoever connects in that time, because the connection was under way, is told to go elsewhere. May be called
        again, as when it was cancelled before.
        """
        self._draining = True
        self.stop()
        async with trio.open_nursery() as nursery:
            for session in list(self.sessions):
                nursery.start_soon(session.drain, seconds)

    def stop(self) -> None:
        """Take no more connections; sessions go on."""
        for listener in self._listeners:
            listener.stop()

    async def _handle(self, link: Link) -> None:
        session = Session(link, Role.ACCEPTOR, limits=self._limits, receiver=self._host, timing=self._timing)
        if self._draining:
            session.refuse()
            await session.run()
            return
        self.sessions.add(session)
        try:
            await session.run()
        finally:
            self.sessions.discard(session)


@asynccontextmanager
async def serve(
    services: Mapping[str, object],
    *urls: str,
    auth: Anonymous | None = None,
    options: ListenOptions | None = None,
    limits: Limits | None = None,
    timing: Timing | None = None,
    threads: int = THREADS,
    drain: float = DRAIN,
) -> AsyncGenerator[Gateway]:
    """Host `services` behind `urls` for as long as the block runs.

    `services` maps names to objects whose public methods become callable as `Name.method`; `urls` are addresses to
    listen on (port 0: a free one). `auth` says who may call and has to be spelled out. `options` (TLS, origins, …)
    holds for all listeners; `limits` is what each session takes; `threads` bounds plain `def` handlers that run at
    once. When the block ends, running calls get `drain` seconds; when it is cancelled, the callers are told.

    Raises SecurityChoiceMissing without `auth`, InterfaceError for what can't be hosted, LinkError or UrlError for an
    address that can't be listened on; nothing is left half started.
    """
    if auth is None:
        raise SecurityChoiceMissing
    if not urls:
        raise Error("a gateway needs at least one address to listen on, as in tcp://127.0.0.1:0")
    gateway = Gateway(Host(services, auth=auth, threads=threads), limits, timing)
    options = options if options is not None else ListenOptions()
    try:
        for url in urls:
            await gateway.listen(url, replace(options, healthy=lambda: gateway.healthy))
        async with background_tasks() as nursery:
            nursery.start_soon(gateway.run)
            yield gateway
            await gateway.drain(drain)
    finally:
        gateway.stop()
