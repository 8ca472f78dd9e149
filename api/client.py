"""Calling: connect to a gateway, make calls with Python values, typed or not."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import trio

from graftwire.gateway.host import Host
from graftwire.protocol import frames
from graftwire.protocol.connection import Role
from graftwire.protocol.convert import converter
from graftwire.protocol.errors import CallError, DeadlineExceeded, ErrorCode, LinkError, Unavailable
from graftwire.protocol.limits import Limits
from graftwire.transport.background import background_tasks
from graftwire.transport.calls import PLAIN, CallOptions, Stream, call, open_stream
from graftwire.transport.facts import LinkFacts
from graftwire.transport.link import ConnectOptions, Link
from graftwire.transport.registry import transport_for
from graftwire.transport.session import Session, Timing
from graftwire.transport.url import Url, parse

from .proxy import make_proxy
from .retry import Retry

Interface = TypeVar("Interface")
StreamManager = AbstractAsyncContextManager[Stream]


class Connection:
    """What dials: it holds the session of now and, where `retry` is given, makes the next one when that is gone."""

    def __init__(
        self,
        url: Url,
        options: ConnectOptions,
        retry: Retry | None,
        limits: Limits | None,
        timing: Timing | None,
        eager: bool,
        nursery: trio.Nursery,
        threads: int,
    ) -> None:
        self._url = url
        self._options = options
        self.retry = retry
        self._limits = limits
        self._timing = timing
        self._eager = eager
        self._nursery = nursery
        self._receiver = Host(auth=None, threads=threads)
        self._dialling = trio.Lock()
        self._session: Session | None = None
        self.leaving = False

    @property
    def session(self) -> Session:
        """The session of now, usable or not."""
        assert self._session is not None
        return self._session

    async def dial(self) -> Session:
        """Connect once. Raises LinkError, or CallError if what answers refuses or is no Graftwire peer."""
        session: Session = await self._nursery.start(self._run)
        self._session = session
        if not self._eager:
            try:
                await session.wait_opened()
            except BaseException:
                session.close()
                raise
        return session

    async def _run(self, task_status: trio.TaskStatus[Session]) -> None:
        async with transport_for(self._url.scheme).connect(self._url, self._options) as link:
            await self._run_session(link, task_status)

    async def _run_session(self, link: Link, task_status: trio.TaskStatus[Session]) -> None:
        session = Session(
            link, Role.INITIATOR, limits=self._limits, receiver=self._receiver, timing=self._timing
        )
        task_status.started(session)
        await session.run()

    async def usable(self) -> Session:
        """A session that takes calls, dialled anew where that was asked for.

        Raises Unavailable (nothing ran) if there is none and no `retry`, or if all attempts failed.
        """
        session = self._session
        if session is not None and session.usable:
            return session
        if self.retry is None or self.leaving:
            raise self._gone()
        async with self._dialling:
            if self._session is not None and self._session.usable:
                return self._session
            attempt = 0
            while True:
                try:
                    return await self.dial()
                except (LinkError, Unavailable) as error:
                    attempt += 1
                    if attempt > self.retry.attempts:
                        raise Unavailable(
                            f"no session with {self._url} came about in {attempt} attempts; the last one: {error}",
                            ran=False,
                        ) from error
                    await trio.sleep(self.retry.pause(attempt))

    async def leave(self) -> None:
        """End the session of now, and make no other."""
        self.leaving = True
        if self._session is not None:
            self._session.close()
            await self._session.wait_ended()

    def _gone(self) -> Unavailable:
        ending = self._session.ending if self._session is not None else None
        if ending is None:
            return Unavailable("the other side is leaving and takes no new calls", ran=False)
        return Unavailable(f"the session has ended: {ending}", ran=False)


class Client:
    """A connected caller; made by `connect`. May be used by many tasks at once.

    The deadline of a call is that of the enclosing cancel scopes (`with trio.fail_after(2): …`): it is sent along and
    acts on both sides. `using` sets what else a call can have.
    """

    def __init__(
        self,
        connection: Connection,
        options: CallOptions = PLAIN,
        *,
        deadline: float | None = None,
        idempotent: bool = False,
    ) -> None:
        self._connection = connection
        self._options = options
        self._deadline = deadline
        self._idempotent = idempotent

    @property
    def call_options(self) -> CallOptions:
        """What the calls of this client are made with."""
        return self._options

    @property
    def facts(self) -> LinkFacts:
        """What the transport knows about the link of the session of now."""
        return self._connection.session.facts

    def using(
        self,
        *,
        deadline: float | None = None,
        idempotent: bool | None = None,
        returns: Any = None,
        raises: Iterable[type[Exception]] | None = None,
        trace: tuple[bytes, bytes, int] | None = None,
    ) -> Client:
        """The same client with other options for its calls; what is None stays as it is.

        `deadline`: seconds for each call, after which it raises DeadlineExceeded; `idempotent`: a call may be sent
        again even if it may have run (only where `connect` was given `retry`); `returns`: the type to make of a
        result, or of a stream's items; `raises`: declared exceptions, raised as their own types; `trace`: the trace
        (W3C trace context) that the calls belong to.
        """
        options = self._options
        if returns is not None:
            options = replace(options, result=converter(returns))
        if raises is not None:
            options = replace(options, raises={cls.__name__: cls for cls in raises})
        if trace is not None:
            options = replace(options, trace=trace)
        return Client(
            self._connection,
            options,
            deadline=self._deadline if deadline is None else deadline,
            idempotent=self._idempotent if idempotent is None else idempotent,
        )

    async def call(self, target: str, /, *args: object, **kwargs: object) -> Any:
        """Call `target` (as in `Invoices.total`) and return its result.

        Raises CallError (its subclasses say why), a declared exception, or ValueRefused for an argument that can't
        cross the wire. If cancelled, the other side cancels the call too.
        """
        return await self.call_with(self._options, target, args, kwargs)

    async def call_with(
        self, options: CallOptions, target: str, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> Any:
        """`call`, with the options of this one call spelled out. For typed clients."""
        if self._deadline is None:
            return await self._call(options, target, args, kwargs)
        with trio.move_on_after(self._deadline) as scope:
            return await self._call(options, target, args, kwargs)
        assert scope.cancelled_caught
        raise DeadlineExceeded

    async def _call(
        self, options: CallOptions, target: str, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> Any:
        connection = self._connection
        attempt = 0
        while True:
            session = connection.session
            if not session.usable:
                session = await connection.usable()
            try:
                return await call(session, target, args, kwargs, options)
            except CallError as error:
                retry = connection.retry
                attempt += 1
                if retry is None or attempt > retry.attempts or not self._may_repeat(error):
                    raise
                await trio.sleep(retry.pause(attempt))

    def _may_repeat(self, error: CallError) -> bool:
        if error.code not in (ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED):
            return False
        return not error.ran or self._idempotent

    def stream(self, target: str, /, *args: object, **kwargs: object) -> StreamManager:
        """Call a method that gives a stream: `async with client.stream(…) as items: async for item in items: …`.

        Leaving the block before the end cancels the call. Streams are never sent again.
        """
        return self.open_with(self._options, frames.SERVER_STREAM, target, args, kwargs)

    def upload(self, target: str, /, *args: object, **kwargs: object) -> StreamManager:
        """Call a method that takes a stream: `await upload.send(item)`, then `await upload.result()`."""
        return self.open_with(self._options, frames.CLIENT_STREAM, target, args, kwargs)

    def exchange(self, target: str, /, *args: object, **kwargs: object) -> StreamManager:
        """Call a method that takes a stream and gives one."""
        return self.open_with(self._options, frames.BOTH_STREAMS, target, args, kwargs)

    @asynccontextmanager
    async def open_with(
        self,
        options: CallOptions,
        shape: int,
        target: str,
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> AsyncGenerator[Stream]:
        """A call with streams, its options spelled out. For typed clients."""
        deadline = math.inf if self._deadline is None else trio.current_time() + self._deadline
        with trio.CancelScope(deadline=deadline) as scope:
            session = await self._connection.usable()  # it may have to dial, and that takes time, too
            async with open_stream(session, shape, target, args, kwargs, options) as stream:
                yield stream
        if scope.cancelled_caught:
            raise DeadlineExceeded

    def proxy(self, interface: type[Interface], name: str | None = None) -> Interface:
        """A typed client of `interface`, a class or a Protocol; `name` is what it is hosted as (its own name).

        Its methods make calls: results have the annotated types, exceptions declared with `raises` arrive as
        themselves, a method that gives or takes a stream returns what `stream`, `upload` or `exchange` return.
        """
        return make_proxy(self, interface, name if name is not None else interface.__name__)

    async def ping(self) -> float:
        """Ask the other side for a sign of life; returns the seconds that it took."""
        session = await self._connection.usable()
        return await session.ping()


@asynccontextmanager
async def connect(
    url: str,
    *,
    options: ConnectOptions | None = None,
    retry: Retry | None = None,
    limits: Limits | None = None,
    timing: Timing | None = None,
    eager: bool = False,
    threads: int = 8,
) -> AsyncGenerator[Client]:
    """Connect to a gateway for as long as the block runs.

    `options` (TLS, pins, …) are for the transport; `retry` connects again when the session is lost; `limits` is what
    this side takes; `threads` bounds plain `def` callbacks that run at once. With `eager`, the block starts without a
    round trip, and a peer that refuses is noticed at the first call.

    Raises UrlError, ConnectError or TlsError if no link comes about, and CallError if what answers refuses.
    """
    parsed = parse(url)
    async with background_tasks() as nursery:
        connection = Connection(
            parsed,
            options if options is not None else ConnectOptions(),
            retry,
            limits,
            timing,
            eager,
            nursery,
            threads,
        )
        await connection.dial()
        try:
            yield Client(connection)
        finally:
            await connection.leave()
