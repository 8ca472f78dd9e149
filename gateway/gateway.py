"""A gateway: listeners, the sessions that come in through them, and the host that answers their calls."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import trio

from graftwire.protocol.connection import Role
from graftwire.protocol.errors import Error, LinkError
from graftwire.protocol.limits import Limits
from graftwire.transport.background import background_tasks
from graftwire.transport.link import Link, Listener, ListenOptions
from graftwire.transport.registry import transport_for
from graftwire.transport.session import Session, Timing
from graftwire.transport.url import parse

from .audit.trail import Trail
from .host import THREADS, Host
from .members import Untyped
from .security.errors import SecurityChoiceMissing
from .security.guard import SECONDS, Auth, Guard
from .security.plugins import AuditSink, Authoriser, CredentialProvider
from .security.proving import Prover
from .workers.pools import Pools, here, open_pools

_log: Final = logging.getLogger("graftwire.gateway")

DRAIN: Final = 5.0  # seconds that running calls get when a gateway is left, unless told otherwise


class Gateway:
    """A running gateway; made by `serve`.

    `urls` are its addresses, with the real ports, in the order in which they were given. `sessions` are those that
    are open now.
    """

    def __init__(
        self,
        host: Host,
        limits: Limits | None,
        timing: Timing | None,
        prover: Prover | None = None,
        *,
        drain: float = DRAIN,
        workers: Pools | None = None,
    ) -> None:
        self._host = host
        self._workers = workers
        self._prover = prover
        self._limits = limits
        self._timing = timing
        self._listeners: list[tuple[str, Listener]] = []  # with the addresses that were asked for
        self._options = ListenOptions()
        self._nursery: trio.Nursery | None = None
        self._begun = trio.Event()
        self._drain = drain
        self._draining = False
        self.sessions: set[Session] = set()

    @property
    def urls(self) -> list[str]:
        """The addresses that this gateway listens on."""
        return [listener.url for _, listener in self._listeners]

    @property
    def targets(self) -> list[str]:
        """Everything that can be called by name."""
        return self._host.targets

    @property
    def ready(self) -> bool:
        """Whether new callers are welcome, now that all listeners are up: what `/readyz` reports."""
        return self._nursery is not None and not self._draining

    async def listen(self, url: str, options: ListenOptions) -> None:
        """Bind one address. Raises LinkError or UrlError."""
        self._options = replace(options, ready=lambda: self.ready)
        self._listeners.append(await self._bound(url, self._options))

    async def wait_ready(self) -> None:
        """Wait until `run` has begun."""
        await self._begun.wait()

    async def run(self) -> None:
        """Serve until cancelled, or until `drain` is done."""
        async with trio.open_nursery() as nursery:
            for _, listener in self._listeners:
                nursery.start_soon(listener.serve, self._handle)
            self._nursery = nursery
            self._begun.set()

    async def change(
        self,
        host: Host,
        urls: Sequence[str],
        options: ListenOptions,
        *,
        limits: Limits | None = None,
        timing: Timing | None = None,
        drain: float = DRAIN,
    ) -> None:
        """Go on as another host, at other addresses, with other options and bounds: all of it, or nothing.

        Sessions and running calls go on; calls that come from now on find what `host` has. `limits` and `timing` hold
        for new sessions, `options` for new connections. What listens at one of `urls` already goes on. Raises
        LinkError or UrlError, and then nothing has changed. Cancelled: nothing has changed.
        """
        options = replace(options, ready=lambda: self.ready)
        left = list(self._listeners)
        listeners: list[tuple[str, Listener]] = []
        new: list[Listener] = []
        try:
            for url in urls:
                kept = next((each for each in left if each[0] == url), None)
                if kept is None:
                    kept = await self._bound(url, options)
                    new.append(kept[1])
                elif type(kept[1]).change is Listener.change and _differ(options, self._options):
                    raise LinkError(f"what listens at {url} can't take other options; restart the gateway")
                else:
                    left.remove(kept)
                listeners.append(kept)
            if self._draining or self._nursery is None:
                raise LinkError("the gateway is ending, or has not begun; nothing was changed")
        except BaseException:
            for listener in new:
                listener.stop()
            raise
        # nothing waits and nothing fails from here on
        self._host.become(host)
        self._limits, self._timing, self._drain, self._options = limits, timing, drain, options
        for _, listener in listeners:
            if listener in new:
                self._nursery.start_soon(listener.serve, self._handle)
            else:
                listener.change(options)
        self._listeners = listeners
        for _, listener in left:
            listener.stop()

    async def _bound(self, url: str, options: ListenOptions) -> tuple[str, Listener]:
        parsed = parse(url)
        return url, await transport_for(parsed.scheme).listen(parsed, options)

    async def drain(self, seconds: float | None = None) -> None:
        """Stop listening, let running calls end within the bound (that of `serve`, if None), then end the sessions.

        Whoever connects in that time, because the connection was under way, is told to go elsewhere. May be called
        again, as when it was cancelled before.
        """
        self._draining = True
        seconds = self._drain if seconds is None else seconds
        self.stop()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end_workers, seconds)
            async with trio.open_nursery() as leaving:
                for session in list(self.sessions):
                    leaving.start_soon(session.drain, seconds)
            nursery.cancel_scope.cancel()

    async def _end_workers(self, seconds: float) -> None:
        """A call in a worker that does not end within the bound ends with the worker."""
        await trio.sleep(seconds)
        if self._workers is not None:
            self._workers.end()

    def stop(self) -> None:
        """Take no more connections; sessions go on."""
        for _, listener in self._listeners:
            listener.stop()

    async def _handle(self, link: Link) -> None:
        if self._draining:
            late = Session(link, Role.ACCEPTOR, limits=self._limits, timing=self._timing)
            late.refuse()
            await late.run()
            return
        receiver = self._host.receiver()
        session = Session(link, Role.ACCEPTOR, limits=self._limits, receiver=receiver, timing=self._timing)
        self.sessions.add(session)
        try:
            if self._prover is None:
                await session.run()
            else:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._prover.keep, session)
                    await session.run()
                    nursery.cancel_scope.cancel()
        finally:
            self.sessions.discard(session)
            await receiver.ended(session)


def _differ(one: ListenOptions, other: ListenOptions) -> bool:
    """Whether two of them say something else, but for what the gateway itself puts in."""
    same = ListenOptions()
    return replace(one, ready=same.ready, sockets=()) != replace(other, ready=same.ready, sockets=())


@asynccontextmanager
async def serve(
    services: Mapping[str, object],
    *urls: str,
    auth: Auth | Sequence[Auth] | None = None,
    allow: Authoriser | Sequence[Authoriser] | None = None,
    audit: Trail | AuditSink | Sequence[AuditSink] | None = None,
    credential: CredentialProvider | None = None,
    plugin_seconds: float = SECONDS,
    plain_proofs: bool = False,
    options: ListenOptions | None = None,
    limits: Limits | None = None,
    timing: Timing | None = None,
    threads: int = THREADS,
    drain: float = DRAIN,
    allow_untyped: bool = False,
    changes: bool = False,
) -> AsyncGenerator[Gateway]:
    """Host `services` behind `urls` for as long as the block runs.

    `services` maps names to objects whose public methods become callable as `Name.method`, or to a `Worker`, whose
    processes host such an object and live as long as the block; `urls` are addresses to listen on (port 0: a free one).
    `options` (TLS, origins, …) holds for all listeners; `limits` is what each session takes; `threads` bounds plain
    `def` handlers that run at once. When the block ends, running calls get `drain` seconds; when it is cancelled, the
    callers are told. With `allow_untyped`, what has no annotation takes and gives everything, in place of being
    refused. `changes`: `Gateway.change` will be called, so that running streams are looked after, too, when somebody
    may no longer call.

    `auth` says who may call and has to be spelled out: `Anonymous()`, authenticators, or both in a list. `allow` says
    what they may call: one authoriser, or several that all have to allow a call; it may be left out with `Anonymous()`
    alone, and then everything may be called. `audit` is where the record of each decision goes. `plugin_seconds` is
    what each plugin gets for an answer. `credential` proves to callers who this gateway is, for the calls that it makes
    to them. `plain_proofs`: proofs may cross links that do not protect them (tcp, ws), in both directions.

    Raises SecurityChoiceMissing without `auth` (or `allow`, where it is needed), SecurityError for plugins that do not
    go together, InterfaceError for what can't be hosted, LinkError or UrlError for an address that can't be listened
    on; nothing is left half started.
    """
    if auth is None:
        raise SecurityChoiceMissing
    if not urls:
        raise Error("a gateway needs at least one address to listen on, as in tcp://127.0.0.1:0")
    if allow_untyped:
        services = {name: Untyped(hosted) for name, hosted in services.items()}
    guard = Guard(auth, allow, audit, seconds=plugin_seconds, plain_proofs=plain_proofs)
    async with open_pools(guard.trail) as workers:
        elsewhere = await workers.prepare(services)
        workers.settle(0.0)
        host = Host(here(services), guard=guard, threads=threads, changes=changes, elsewhere=elsewhere)
        await guard.start()
        prover = None
        if credential is not None:
            prover = Prover(credential, urls[0], plain=plain_proofs, seconds=plugin_seconds)
            await prover.start()
        gateway = Gateway(host, limits, timing, prover, drain=drain, workers=workers)
        async with running(gateway, urls, options if options is not None else ListenOptions()):
            yield gateway


@asynccontextmanager
async def running(gateway: Gateway, urls: Sequence[str], options: ListenOptions) -> AsyncGenerator[None]:
    """Let a gateway listen and serve for as long as the block runs; running calls get its time to end in.

    Raises LinkError or UrlError for an address that can't be listened on; nothing is left half started.
    """
    try:
        for url in urls:
            await gateway.listen(url, options)
        async with background_tasks() as nursery:
            nursery.start_soon(gateway.run)
            await gateway.wait_ready()
            yield
            await gateway.drain()
    finally:
        gateway.stop()
