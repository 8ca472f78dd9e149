"""Answers calls: who calls, may they, what is it, what are the arguments, then the user's code, in this order.

(Clause CALL-11, promise P8: a call that is refused reaches neither a decoder nor a handler.)
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import Any, Final

import trio

from graftwire.protocol import frames, values
from graftwire.protocol.errors import (
    BadArguments,
    CallCancelled,
    CallError,
    DeadlineExceeded,
    ErrorCode,
    ProtocolViolation,
    TooLarge,
    Unauthenticated,
    UnknownTarget,
    ValueRefused,
)
from graftwire.protocol.failures import describe_exception, error_to_wire
from graftwire.transport.incoming import CallEnded, IncomingCall
from graftwire.transport.references import ByReference
from graftwire.transport.session import Session

from .interface import Method, methods_of
from .security import Anonymous

_log: Final = logging.getLogger("graftwire.gateway")

THREADS: Final = 40  # plain `def` handlers that run at once


class _Raised(Exception):
    """Wraps what user code raised, so that it can't be taken for a refusal of this side's own."""

    def __init__(self, error: Exception, method: Method) -> None:
        super().__init__()
        self.error = error
        self.method = method


class Host:
    """The receiver of a gateway's sessions, and of a client that hands out callbacks.

    `services` maps names to objects (or classes, for their static methods); `auth` says who may call them. None:
    nobody may call a name; references that were given out can always be called, by who they were given to.
    `threads` bounds how many plain `def` handlers run at once.
    """

    def __init__(
        self, services: Mapping[str, object] | None = None, *, auth: Anonymous | None, threads: int = THREADS
    ) -> None:
        self._auth = auth
        self._methods: dict[str, Method] = {}
        for name, hosted in (services or {}).items():
            self._methods |= methods_of(hosted, name)
        self._threads = trio.CapacityLimiter(threads)

    @property
    def targets(self) -> list[str]:
        """Everything that can be called by name."""
        return sorted(self._methods)

    # --- transport.Receiver ------------------------------------------------------------------------------------------

    def answer(self, call: IncomingCall) -> bytes | None:
        """The result of a call of a nonblocking method; None for every other call."""
        target = call.target
        if type(target) is not str:
            return None
        method = self._methods.get(target)
        if method is None or method.how != "inline":
            return None
        method, args, kwargs = self._admit(call)
        try:
            result = method.function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - `failure` decides what the caller is told of it
            raise _Raised(error, method) from None
        return self._encode(call, result)

    async def handle(self, call: IncomingCall) -> bytes:
        """Run a call and return its encoded result."""
        method, args, kwargs = self._admit(call)
        if method.shape & frames.SERVER_STREAM:
            return await self._stream(call, method, args, kwargs)
        try:
            if method.how == "task":
                result = await method.function(*args, **kwargs)
            elif method.how == "thread":
                result = await self._in_thread(lambda: method.function(*args, **kwargs))
            else:
                result = method.function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - `failure` decides what the caller is told of it
            raise _Raised(error, method) from None
        return self._encode(call, result)

    async def authenticate(self, session: Session, scheme: str, proof: bytes) -> bytes | None:
        """There is no way yet to prove an identity, so every proof is refused, never ignored."""
        raise Unauthenticated

    def failure(self, call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes | None]:
        """What the caller is told: declared exceptions as such, everything else as an incident number."""
        if isinstance(error, _Raised):
            raised, declared = error.error, error.method.raises
            if isinstance(raised, ProtocolViolation):  # a reference in an item of the caller's stream
                return self._violated(call, raised)
            if isinstance(raised, _BadItem | CallCancelled) or (
                isinstance(raised, DeadlineExceeded) and call.deadline <= trio.current_time()
            ):
                return error_to_wire(raised)
            if declared.get(type(raised).__name__) is type(raised):
                try:
                    return ErrorCode.APPLICATION, describe_exception(raised, call.session.references.give)
                except ValueRefused as refused:
                    return self._incident(call, refused)
            return self._incident(call, raised)
        if isinstance(error, CallError):
            return error_to_wire(error)
        if isinstance(error, ProtocolViolation):
            return self._violated(call, error, before=call.id)
        return self._incident(call, error)

    # --- the steps ---------------------------------------------------------------------------------------------------

    def _admit(self, call: IncomingCall) -> tuple[Method, list[Any], dict[str, Any]]:
        """Everything before the user's code. Raises CallError."""
        self._authorise(call)
        method = self._look_up(call)
        if call.shape != method.shape:
            raise BadArguments("shape")
        try:
            positional, named = values.decode_arguments(
                call.body, reference=call.session.references.arrived_with(call)
            )
        except ValueRefused as refused:
            raise BadArguments(_path_of(refused)) from refused
        args, kwargs = method.bind(positional, named)
        if method.stream_parameter is not None:
            kwargs[method.stream_parameter] = _Items(call, method)
        return method, args, kwargs

    def _authorise(self, call: IncomingCall) -> None:
        """Who calls, and may they. A reference is called by the gift of who handed it out."""
        if call.credential is not None:
            raise Unauthenticated  # it would have to be checked, and nobody here can: never fall back (AUTH-9)
        if self._auth is None and type(call.target) is str:
            raise Unauthenticated

    def _look_up(self, call: IncomingCall) -> Method:
        target = call.target
        if isinstance(target, str):
            method = self._methods.get(target)
            if method is None:
                raise UnknownTarget
            return method
        name = target[1]
        exported = call.referent
        if isinstance(exported, ByReference):
            methods = methods_of(exported.target, "")
            method = methods.get("." + name)
        else:
            method = Method("", exported) if name == "" and callable(exported) else None
        if method is None:
            raise UnknownTarget
        return method

    def _encode(self, call: IncomingCall, value: object) -> bytes:
        references = call.session.references
        try:
            body = values.encode(value, reference=references.give)
        except ValueRefused as refused:
            references.kill(references.taken() or ())
            _log.error("%s returned what can't cross the wire: %s", call.target, refused.at("result"))
            raise
        references.taken()  # they live until they are released, whatever becomes of this call
        return body

    async def _in_thread(self, function: Callable[[], Any]) -> Any:
        # not abandoned when cancelled: a slot is free only when its handler has really ended (CANCEL-4)
        return await trio.to_thread.run_sync(function, limiter=self._threads)

    async def _stream(
        self, call: IncomingCall, method: Method, args: list[Any], kwargs: dict[str, Any]
    ) -> bytes:
        """Run a method that gives a stream: its items leave as there is credit for them."""
        try:
            source: Any
            if method.how == "task":
                produced: Any = method.function(*args, **kwargs)
                source = produced if hasattr(produced, "__anext__") else aiter(await produced)
            else:
                source = self._from_thread(
                    await self._in_thread(lambda: iter(method.function(*args, **kwargs)))
                )
            async with AsyncExitStack() as stack:
                if hasattr(source, "aclose"):
                    await stack.enter_async_context(aclosing(source))
                async for item in source:
                    await self._send(call, item)
        except (_Refused, CallEnded) as refused:
            raise refused.__cause__ or refused from None
        except Exception as error:  # noqa: BLE001 - `failure` decides what the caller is told of it
            raise _Raised(error, method) from None
        return values.encode(None)

    async def _from_thread(self, items: Iterator[Any]) -> AsyncIterator[Any]:
        end = object()
        while (item := await self._in_thread(lambda: next(items, end))) is not end:
            yield item

    async def _send(self, call: IncomingCall, item: object) -> None:
        try:
            await call.send(self._encode(call, item))
        except (ValueRefused, TooLarge) as refused:
            raise _Refused from refused

    @staticmethod
    def _violated(
        call: IncomingCall, violation: ProtocolViolation, before: int | None = None
    ) -> tuple[ErrorCode, bytes | None]:
        """The caller broke the protocol in a body: the session ends, so nobody will read this answer."""
        call.session.violated(violation, before=before)
        return ErrorCode.PROTOCOL, None

    def _incident(self, call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes]:
        """Write down what happened, here, under a number, and give the caller the number."""
        incident = secrets.token_bytes(8)
        target = call.target if isinstance(call.target, str) else "a reference"
        _log.error("incident %s: %s failed", incident.hex(), target, exc_info=error)
        return ErrorCode.INTERNAL, values.encode(incident)


def _path_of(refused: ValueRefused) -> str:
    """The path of *bad-arguments* for a body that breaks section 16: from the positional argument, if it is in one.

    The names of named arguments are data of the caller, and so is everything behind them.
    """
    if refused.path.startswith("[0]["):
        return "arguments" + refused.path.removeprefix("[0]")
    return "arguments" if refused.path.startswith(("[0]", "[1]")) else ""


class _Refused(Exception):
    """An item of a stream could not be sent; its cause says why."""


class _BadItem(BadArguments):
    """An item of the caller's stream is not of its type; raised in the middle of the user's code."""


class _Items:
    """The caller's stream, as the handler iterates over it."""

    def __init__(self, call: IncomingCall, method: Method) -> None:
        self._call = call
        self._convert = method.item
        self._reference = call.session.references.arrived_with(call)
        self._index = 0

    def __aiter__(self) -> _Items:
        return self

    async def __anext__(self) -> Any:
        body = await self._call.next_item()
        if body is None:
            raise StopAsyncIteration
        index, self._index = self._index, self._index + 1
        try:
            item = values.decode(body, reference=self._reference)
            return item if self._convert is None else self._convert(item)
        except ValueRefused as refused:
            raise _BadItem(refused.at(f"items[{index}]").path) from refused
