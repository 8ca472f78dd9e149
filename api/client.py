"""Calling: connect to a gateway, make calls with Python values, typed or not."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import trio

from graftwire.gateway.audit.trail import Trail
from graftwire.gateway.host import Host
from graftwire.gateway.members import name_of
from graftwire.gateway.metadata.diff import Change
from graftwire.gateway.security.errors import SecurityChoiceMissing
from graftwire.gateway.security.guard import SECONDS, Auth, Guard
from graftwire.gateway.security.plugins import AuditSink, Authoriser, CredentialProvider
from graftwire.protocol import frames
from graftwire.protocol.convert import converter
from graftwire.protocol.errors import CallError, DeadlineExceeded, ErrorCode
from graftwire.protocol.limits import Limits
from graftwire.transport.background import background_tasks
from graftwire.transport.calls import PLAIN, CallOptions, Stream, call, open_stream
from graftwire.transport.context import current_call
from graftwire.transport.facts import LinkFacts
from graftwire.transport.link import ConnectOptions
from graftwire.transport.session import Session, Timing

from .comparing import InterfaceChanged, compare
from .connection import Balance, Connection, PeerConnection, addresses
from .dialler import Dialler
from .proxy import make_proxy
from .retry import Retry

Interface = TypeVar("Interface")
StreamManager = AbstractAsyncContextManager[Stream]


class Client:
    """A connected caller; made by `connect`. May be used by many tasks at once.

    The deadline of a call is that of the enclosing cancel scopes (`with trio.fail_after(2): …`): it is sent along and
    acts on both sides. `using` sets what else a call can have.
    """

    def __init__(
        self,
        connection: Connection | PeerConnection,
        options: CallOptions = PLAIN,
        *,
        deadline: float | None = None,
        idempotent: bool = False,
        credential: CredentialProvider | None = None,
    ) -> None:
        self._connection = connection
        self._options = options
        self._deadline = deadline
        self._idempotent = idempotent
        self._credential = credential

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
        credential: CredentialProvider | None = None,
    ) -> Client:
        """The same client with other options for its calls; what is None stays as it is.

        `deadline`: seconds for each call, after which it raises DeadlineExceeded; `idempotent`: a call may be sent
        again even if it may have run (only where `connect` was given `retry`); `returns`: the type to make of a
        result, or of a stream's items; `raises`: declared exceptions, raised as their own types; `trace`: the trace
        (W3C trace context) that the calls belong to; `credential`: gives each call a proof of its own, which takes the
        place of the session's identity for that call (clause AUTH-9).
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
            credential=self._credential if credential is None else credential,
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
            session = connection.ready() or await connection.usable()
            if self._credential is not None:
                options = await self._proved(self._credential, session, target, options)
            try:
                return await call(session, target, args, kwargs, options)
            except CallError as error:
                attempt += 1
                await self._before_again(session, error, attempt)

    async def _proved(
        self, credential: CredentialProvider, session: Session, target: str, options: CallOptions
    ) -> CallOptions:
        """The options of a call with a proof of its own. Raises CredentialError."""
        proof = await self._connection.prover_for(credential, session).credential(session, target)
        return replace(options, credential=None if proof is None else (proof.scheme, proof.proof))

    async def _before_again(self, session: Session, error: CallError, attempt: int) -> None:
        """Wait until a call may be sent again; raises `error` where it may not."""
        retry = self._connection.retry
        if retry is None or attempt > retry.attempts or not self._may_repeat(error):
            raise error
        if session.usable:  # otherwise it goes to another session, which may be there already
            await trio.sleep(retry.pause(attempt))

    def _may_repeat(self, error: CallError) -> bool:
        if error.code not in (ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED):
            return False
        return not error.ran or self._idempotent

    def stream(self, target: str, /, *args: object, **kwargs: object) -> StreamManager:
        """Call a method that gives a stream: `async with client.stream(…) as items: async for item in items: …`.

        Leaving the block before the end cancels the call. Once the block has begun, nothing is sent again.
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
            async with AsyncExitStack() as stack:
                yield await self._opened(stack, options, shape, target, args, kwargs)
        if scope.cancelled_caught:
            raise DeadlineExceeded

    async def _opened(
        self,
        stack: AsyncExitStack,
        options: CallOptions,
        shape: int,
        target: str,
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> Stream:
        attempt = 0
        while True:
            session = await self._connection.usable()  # it may have to dial, and that takes time, too
            if self._credential is not None:
                options = await self._proved(self._credential, session, target, options)
            opened = open_stream(session, shape, target, args, kwargs, options)
            try:
                return await stack.enter_async_context(opened)
            except CallError as error:
                if error.ran:
                    raise
                attempt += 1
                await self._before_again(session, error, attempt)

    def proxy(
        self, interface: type[Interface], name: str | None = None, *, allow_untyped: bool = False
    ) -> Interface:
        """A typed client of `interface`, a class or a Protocol; `name` is what it is hosted as (its own name).

        With `allow_untyped`, what has no annotation is sent and taken as it is, in place of being refused.

        Its methods make calls: results have the annotated types, exceptions declared with `raises` arrive as
        themselves, a method that gives or takes a stream returns what `stream`, `upload` or `exchange` return.
        """
        return make_proxy(
            self, interface, name if name is not None else name_of(interface), allow_untyped=allow_untyped
        )

    async def compare(self, interface: type[Any], name: str | None = None) -> list[Change]:
        """What has changed between `interface`, which this side was written for, and what the other side hosts.

        Each Change says where, what, and whether it breaks calls; an empty list: nothing has changed. `name` is what it
        is hosted as (its own name). The other side has to allow `graftwire.describe`. Raises CallError, InterfaceError.
        """
        return await compare(self, interface, name if name is not None else name_of(interface))

    async def ping(self) -> float:
        """Ask the other side for a sign of life; returns the seconds that it took."""
        session = await self._connection.usable()
        return await session.ping()

    async def wait_ended(self) -> CallError:
        """Wait until the session of now has ended, and return why: what a call that was open then was told.

        It does nothing to the session. If `retry` was given, a later call may dial the next one.
        """
        session = self._connection.session
        await session.wait_ended()
        assert session.ending is not None
        return session.ending


def peer() -> Client:
    """A client of whoever made the call that is being served, over the session that it came in by.

    It calls what the other side hosts (`connect(services=…)`), under the identity that this side has proved to it.
    Raises RuntimeError outside of a call.
    """
    serving = current_call.get()
    if serving is None:
        raise RuntimeError("there is no peer outside of a call")
    return Client(PeerConnection(serving.session))


async def _check_expected(client: Client, expect: Sequence[type[Any]] | Mapping[str, type[Any]]) -> None:
    """Raises InterfaceChanged with every change of what is expected that breaks calls."""
    named = expect if isinstance(expect, Mapping) else {name_of(each): each for each in expect}
    changes = [change for name, each in named.items() for change in await client.compare(each, name)]
    breaking = [change for change in changes if change.breaking]
    if breaking:
        raise InterfaceChanged(breaking)


@asynccontextmanager
async def connect(
    url: str | Sequence[str],
    *,
    balance: Balance = "first",
    expect: Sequence[type[Any]] | Mapping[str, type[Any]] = (),
    credential: CredentialProvider | None = None,
    services: Mapping[str, object] | None = None,
    auth: Auth | Sequence[Auth] | None = None,
    allow: Authoriser | Sequence[Authoriser] | None = None,
    audit: Trail | AuditSink | Sequence[AuditSink] | None = None,
    plugin_seconds: float = SECONDS,
    plain_proofs: bool = False,
    options: ConnectOptions | None = None,
    retry: Retry | None = None,
    limits: Limits | None = None,
    timing: Timing | None = None,
    eager: bool = False,
    threads: int = 8,
) -> AsyncGenerator[Client]:
    """Connect to a gateway for as long as the block runs.

    `url` may be several, at which the same is hosted. `balance` says how calls are spread over them: "first", all go to
    the first one that answers, in the order given; "random", the same in an order that each client draws for itself;
    "round-robin", there is a session with each, and calls take turns. With `retry`, a session that is lost, or whose
    gateway is leaving, is replaced before a call needs the next one, by one with another address if there is one.

    `expect` are the classes or Protocols that this side was written for, by name where they are hosted under another
    one: they are compared with what the gateway hosts before the block starts. `credential` proves to the gateway who
    this side is, for all of the session. `options` (TLS, pins, …) are for the
    transport; `retry` connects again when a session is lost; `limits` is what this side takes; `threads` bounds plain
    `def` callbacks that run at once. With `eager`, the block starts without a round trip, and a peer that refuses is
    noticed at the first call.

    The gateway can call back what it is given a reference to. It can also call `services` by name, where `auth` (and
    `allow`) let it, as in `serve`; `audit`, `plugin_seconds` and `plain_proofs` are those of `serve`, too.

    Raises UrlError, ConnectError or TlsError if no link comes about, CredentialError if there is no proof to give,
    CallError if what answers refuses, InterfaceChanged if calls of what is expected would fail; SecurityChoiceMissing,
    SecurityError and InterfaceError as `serve` does.
    """
    urls = addresses(url, balance)
    if services and auth is None:
        raise SecurityChoiceMissing(
            "nobody has said who may call the services of this client: add auth=…, as for a gateway"
        )
    guard = Guard(auth, allow, audit, seconds=plugin_seconds, plain_proofs=plain_proofs)
    host = Host(services, guard=guard, threads=threads)
    await guard.start()
    async with background_tasks() as nursery:
        dialler = Dialler(
            nursery,
            options=options,
            limits=limits,
            timing=timing,
            eager=eager,
            host=host,
            credential=credential,
            plain_proofs=plain_proofs,
            plugin_seconds=plugin_seconds,
        )
        connection = Connection(urls, dialler, retry=retry, balance=balance)
        await connection.start()
        try:
            client = Client(connection)
            await _check_expected(client, expect)
            yield client
        finally:
            await connection.leave()
