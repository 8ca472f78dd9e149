"""Calls with Python values on top of a session's calls with bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from graftwire.protocol import values
from graftwire.protocol.errors import ApplicationError, ProtocolViolation, SessionError, ValueRefused
from graftwire.protocol.failures import rebuild_exception

if TYPE_CHECKING:
    from graftwire.protocol.frames import Target

    from .outgoing import OutgoingCall
    from .session import Session

Converter = Callable[[object], Any]


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What a call is made with, beside its arguments.

    `credential`: (scheme, proof) for this call alone; `trace`: the trace that it belongs to, in place of the one of
    the call that is being served; `result`: makes the caller's type of the result (or of each item of a stream);
    `raises`: the declared exceptions by name.
    """

    credential: tuple[str, bytes] | None = field(default=None, repr=False)
    trace: tuple[bytes, bytes, int] | None = None
    result: Converter | None = None
    raises: Mapping[str, type[Exception]] | None = None


PLAIN: Final = CallOptions()


def _encode_arguments(session: Session, args: tuple[object, ...], kwargs: dict[str, object]) -> bytes:
    try:
        return values.encode_arguments(args, kwargs, reference=session.references.give)
    except ValueRefused as refused:
        session.references.kill(session.references.taken() or ())
        raise refused.at("arguments") from None


def _decode(session: Session, body: bytes, convert: Converter | None, what: str) -> Any:
    """A value of the other side. What the standard forbids ends the session; what has the wrong type does not."""
    try:
        value = values.decode(body, reference=session.references.arrived)
    except ValueRefused as refused:
        raise SessionError(f"the {what} can't be read: {refused}") from None
    except ProtocolViolation as violation:
        session.violated(violation)
        raise SessionError(f"the other side broke the protocol: {violation}") from None
    if convert is None:
        return value
    try:
        return convert(value)
    except ValueRefused as refused:
        session.references.release_read_in(body)
        raise refused.at(what) from None


async def call(
    session: Session,
    target: Target,
    args: tuple[object, ...],
    kwargs: dict[str, object],
    options: CallOptions = PLAIN,
) -> Any:
    """Make a unary call and return its result.

    Raises ValueRefused for an argument that can't cross the wire or a result that is not of the type asked for,
    CallError, or one of `options.raises`.
    """
    body = _encode_arguments(session, args, kwargs)
    try:
        reply = await session.request(
            target,
            body,
            credential=options.credential,
            trace=options.trace,
            sent_references=session.references.taken(),
        )
    except ApplicationError as error:
        if options.raises is None:
            raise
        raise rebuild_exception(error, options.raises) from None
    return _decode(session, reply, options.result, "result")


class Stream:
    """An open call with streams; made by `open_stream`.

    Iterate over it for the receiver's items; `send` and `end` are the caller's stream; `result` waits for the end of
    the call and gives what the method returned.
    """

    def __init__(self, session: Session, call: OutgoingCall, options: CallOptions) -> None:
        self._session = session
        self._call = call
        self._options = options

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Any:
        """The receiver's next item. Raises the call's error after the items that came before it."""
        try:
            body = await self._call.next_item()
        except ApplicationError as error:
            raise self._declared(error) from None
        if body is None:
            raise StopAsyncIteration
        return _decode(self._session, body, self._options.result, "item")

    async def send(self, item: object) -> None:
        """Send an item; waits while the other side has given no credit for it.

        If the call has ended early, nothing is sent and nothing is raised: `result` says how it ended. Raises
        ValueRefused for an item that can't cross the wire, TooLarge for one that fits into no frame, and Unavailable
        if the session has ended or the other side has left without running the call.
        """
        references = self._session.references
        try:
            body = values.encode(item, reference=references.give)
        except ValueRefused as refused:
            references.kill(references.taken() or ())
            raise refused.at("item") from None
        await self._call.send(body, references.taken())

    async def end(self) -> None:
        """Say that no more items follow."""
        self._call.end()

    async def result(self) -> Any:
        """End this side's stream, wait for the end of the call, and return what the method returned."""
        self._call.end()
        try:
            body = await self._call.result()
        except ApplicationError as error:
            raise self._declared(error) from None
        streams_items = self._call.shape != 2
        return _decode(self._session, body, None if streams_items else self._options.result, "result")

    def _declared(self, error: ApplicationError) -> Exception:
        return rebuild_exception(error, self._options.raises) if self._options.raises is not None else error


@asynccontextmanager
async def open_stream(
    session: Session,
    shape: int,
    target: Target,
    args: tuple[object, ...],
    kwargs: dict[str, object],
    options: CallOptions = PLAIN,
) -> AsyncGenerator[Stream]:
    """Make a call with streams; leaving the block before its end cancels it. Raises as `call` does."""
    body = _encode_arguments(session, args, kwargs)
    async with session.open(
        shape,
        target,
        body,
        credential=options.credential,
        trace=options.trace,
        sent_references=session.references.taken(),
    ) as outgoing:
        yield Stream(session, outgoing, options)
