"""Running the user's code for a call, and saying what became of it: results, items, exceptions.

What may run at all was decided before (answering.py).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Any, Final, cast

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
    ValueRefused,
)
from graftwire.protocol.failures import describe_exception, error_to_wire
from graftwire.transport.incoming import CallEnded, IncomingCall

from .interface import Method
from .security.asking import NOT_ITS_OWN
from .security.identity import Standing

_log: Final = logging.getLogger("graftwire.gateway")


class _Raised(Exception):
    """Wraps what user code raised, so that it can't be taken for a refusal of this side's own."""

    def __init__(self, error: Exception, method: Method) -> None:
        super().__init__()
        self.error = error
        self.method = method


class _Ending(Exception):
    """User code raised what would end the program (`sys.exit`, a panic in an extension); its cause says what, where."""

    def __init__(self) -> None:
        super().__init__("the program goes on: whoever calls a method must not be able to end it")


def _is_ending(error: BaseException) -> bool:
    return not isinstance(error, (Exception, BaseExceptionGroup, *NOT_ITS_OWN))


def _without_endings(group: BaseExceptionGroup[BaseException]) -> BaseExceptionGroup[BaseException]:
    """The same group with an ordinary exception for each ending: a group of such alone is an ExceptionGroup."""
    remade: list[BaseException] = []
    for error in group.exceptions:
        if _is_ending(error):
            ending = _Ending()
            ending.__cause__ = error
            remade.append(ending)
        elif isinstance(error, BaseExceptionGroup):
            remade.append(_without_endings(cast("BaseExceptionGroup[BaseException]", error)))
        else:
            remade.append(error)
    return BaseExceptionGroup(group.message, remade).with_traceback(group.__traceback__)


class Runner:
    """Runs methods, each in its way; `threads` bounds how many plain `def` ones run at once."""

    def __init__(self, threads: int) -> None:
        self._threads = trio.CapacityLimiter(threads)

    def run_inline(
        self, call: IncomingCall, method: Method, args: list[Any], kwargs: dict[str, Any]
    ) -> bytes:
        """Run a nonblocking method and return its encoded result. What it raises is for `failure`."""
        try:
            try:
                result = method.function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - `failure` decides what the caller is told of it
                raise _Raised(error, method) from None
            return self._encode(call, result)
        except BaseException as error:
            if _is_ending(error):
                raise _Ending from error
            raise

    async def run(self, call: IncomingCall, method: Method, args: list[Any], kwargs: dict[str, Any]) -> bytes:
        """Run a method and return its encoded result. What it raises is for `failure`."""
        try:
            return await self._run(call, method, args, kwargs)
        except BaseExceptionGroup as group:  # of a nursery in the user's code
            if group.subgroup(_is_ending) is None:
                raise
            raise _without_endings(group) from None
        except BaseException as error:
            if _is_ending(error):
                raise _Ending from error
            raise

    async def _run(
        self, call: IncomingCall, method: Method, args: list[Any], kwargs: dict[str, Any]
    ) -> bytes:
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
                return self._declared(call, raised)
            return incident(call, raised)
        if isinstance(error, CallError):
            return error_to_wire(error)
        if isinstance(error, ProtocolViolation):
            return self._violated(call, error, before=call.id)
        return incident(call, error)

    def _encode(self, call: IncomingCall, value: object) -> bytes:
        references = call.session.references
        try:
            body = values.encode(value, reference=giver(call))
        except ValueRefused as refused:
            references.kill(references.taken() or ())
            _log.error("%s returned what can't cross the wire: %s", call.target, refused.at("result"))
            raise
        references.taken()  # they live until they are released, whatever becomes of this call
        return body

    def resize(self, threads: int) -> None:
        """Let another number of plain `def` methods run at once; those that run go on."""
        self._threads.total_tokens = threads

    async def _in_thread(self, function: Callable[[], Any]) -> Any:
        # not abandoned when cancelled: a slot is free only when its handler has really ended (CANCEL-4)
        return await trio.to_thread.run_sync(function, limiter=self._threads)

    async def _stream(
        self, call: IncomingCall, method: Method, args: list[Any], kwargs: dict[str, Any]
    ) -> bytes:
        """Run a method that gives a stream: its items leave as there is credit for them."""
        try:
            produced: Any
            if method.how == "task":
                produced = method.function(*args, **kwargs)
                produced = produced if hasattr(produced, "__anext__") else await produced
            else:
                produced = await self._in_thread(lambda: method.function(*args, **kwargs))
            source: Any
            if hasattr(produced, "__aiter__"):
                source = aiter(produced)
            else:
                source = self._from_thread(await self._in_thread(lambda: iter(produced)))
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
        ended = False
        try:
            while (item := await self._in_thread(lambda: next(items, end))) is not end:
                yield item
            ended = True
        finally:
            # what stands behind its yields may block, too; nobody else would ever run it in a thread
            if isinstance(items, Generator) and not ended:
                with trio.CancelScope(shield=True):
                    await self._in_thread(items.close)

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

    def _declared(self, call: IncomingCall, raised: Exception) -> tuple[ErrorCode, bytes | None]:
        """An exception that is part of the interface, with its fields."""
        references = call.session.references
        try:
            body = describe_exception(raised, giver(call))
        except Exception as error:  # noqa: BLE001 - a field can't cross the wire, or is a property that failed
            references.kill(references.taken() or ())
            return incident(call, error)
        references.taken()  # they are the caller's, as those of a result: no later call's
        return ErrorCode.APPLICATION, body


def incident(call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes]:
    """Write down what happened, here, under a number, and give the caller the number."""
    number = secrets.token_bytes(8)
    target = call.target if isinstance(call.target, str) else "a reference"
    _log.error("incident %s: %s failed", number.hex(), target, exc_info=error)
    return ErrorCode.INTERNAL, values.encode(number)


def giver(call: IncomingCall) -> Callable[[object], int]:
    """What gives out references in answer to a call: they work for who called, and nobody else (clause REF-6)."""
    give = call.session.references.give
    if call.credential is None or not isinstance(call.standing, Standing):
        return give
    return partial(give, owner=call.standing.identity.holder)


class _Refused(Exception):
    """An item of a stream could not be sent; its cause says why."""


class _BadItem(BadArguments):
    """An item of the caller's stream is not of its type; raised in the middle of the user's code."""


class Items:
    """The caller's stream, as the handler iterates over it."""

    def __init__(self, call: IncomingCall, method: Method) -> None:
        self._call = call
        self._convert = method.item
        self._reference = call.session.references.arrived_with(call)
        self._index = 0

    def __aiter__(self) -> Items:
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
