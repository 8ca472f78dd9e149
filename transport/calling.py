"""The calls of this side: they wait for a slot, are made, and get their answers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from graftwire.protocol import frames
from graftwire.protocol.errors import (
    CallError,
    DeadlineExceeded,
    LocalProtocolError,
    Overloaded,
    ProtocolViolation,
    TooLarge,
    Unavailable,
)

from .context import DeadlinePassed, current_call, outgoing_context
from .outgoing import OutgoingCall
from .raising import after_scopes, fresh
from .slots import Slots

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from graftwire.protocol.connection import Connection

    from .items import Items
    from .output import Output
    from .references import References
    from .session import Session
    from .slots import Turn


class _Pending:
    """A task that waits for the terminal of a unary call."""

    __slots__ = ("reply", "task")

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self.task = task
        self.reply: frames.Result | CallError | None = None


class Calling:
    """The calls that this side has made and that are not over, and who waits to make one."""

    def __init__(
        self, session: Session, conn: Connection, output: Output, references: References, items: Items
    ) -> None:
        self._session = session
        self._conn = conn
        self._output = output
        self._references = references
        self._items = items
        self._slots = Slots(conn)
        self._pending: dict[int, _Pending] = {}
        self._streams: dict[int, OutgoingCall] = {}
        self._carried: dict[int, list[int]] = {}  # references that calls have taken along

    # --- making one --------------------------------------------------------------------------------------------------

    async def request(
        self,
        target: frames.Target,
        body: bytes,
        credential: tuple[str, bytes] | None,
        trace: tuple[bytes, bytes, int] | None,
        sent_references: list[int] | None,
        patient: Callable[[], None] | None = None,
    ) -> bytes:
        """As `Session.request`."""
        try:
            id = await self._place(0, target, body, trace, credential)
        except BaseException:
            if sent_references is not None:
                self._references.kill(sent_references)  # they never left
            raise
        pending = self._pending[id] = _Pending(trio.lowlevel.current_task())
        if sent_references is not None:
            self._carried[id] = sent_references
        self._output.nudge(self._conn.calls_out == 1)

        def abort(_: object) -> trio.lowlevel.Abort:
            self.cancel(id)
            if patient is not None:
                patient()
                return trio.lowlevel.Abort.FAILED
            del self._pending[id]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        reply = pending.reply
        if type(reply) is frames.Result:
            return reply.body
        assert isinstance(reply, CallError)
        raise await after_scopes(reply)

    @asynccontextmanager
    async def open(
        self,
        shape: int,
        target: frames.Target,
        body: bytes,
        credential: tuple[str, bytes] | None,
        trace: tuple[bytes, bytes, int] | None,
        sent_references: list[int] | None,
    ) -> AsyncGenerator[OutgoingCall]:
        """As `Session.open`."""
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
            id = await self._place(shape, target, body, trace, credential)
        except BaseException:
            if sent_references is not None:
                self._references.kill(sent_references)  # they never left
            raise
        call = self._streams[id] = OutgoingCall(self._session, self, self._items, id, shape)
        if sent_references is not None:
            self._carried[id] = sent_references
        self._output.nudge(self._conn.calls_out == 1)
        try:
            yield call
        finally:
            self._streams.pop(id, None)
            call.close()

    async def _place(
        self,
        shape: int,
        target: frames.Target,
        body: bytes,
        trace: tuple[bytes, bytes, int] | None,
        credential: tuple[str, bytes] | None,
    ) -> int:
        """Queue a CALL, as soon as one can be made; returns its id. Raises CallError."""
        conn, session, slots, size = self._conn, self._session, self._slots, len(body)
        while True:
            turn: Turn | None = None
            if (
                session.ending is not None
                or slots.waiting
                or slots.kept
                or not conn.may_call(size)
                or self._output.full
            ):
                turn = await self._take_turn(size)
            id = None
            try:
                id = conn.call(shape, target, body, outgoing_context(trace), credential)
            except LocalProtocolError as error:
                if error.clause != "FRAME-2" or session.opened.is_set():
                    raise self._refused(error) from None
            except DeadlinePassed:
                await trio.lowlevel.checkpoint()  # raises Cancelled where the deadline is that of a scope
                raise DeadlineExceeded(ran=False) from None
            finally:
                if turn is not None:
                    slots.settle(turn, id)
            if id is not None:
                return id
            # it is more than what every peer takes, and may be less than what this one does
            await session.opened.wait()

    async def _take_turn(self, size: int) -> Turn:
        """Wait until a call with a body of that many bytes can be made; a slot is kept for it then."""
        conn, session, slots = self._conn, self._session, self._slots
        serving = current_call.get()
        turn: Turn | None = None
        try:
            while True:
                if session.ending is not None:
                    raise fresh(session.ending, ran=False)
                if conn.peer_is_leaving:
                    raise Unavailable("the other side is leaving and takes no new calls", ran=False)
                if size > conn.peer_limits.unfinished_body_bytes:
                    if session.opened.is_set():
                        raise self._too_large()
                    await session.opened.wait()  # what it takes is not known yet, only what every peer does
                elif self._output.full:
                    await self._output.room()
                elif turn is not None:
                    return turn
                elif serving is None or serving.session is not session:
                    turn = await slots.turn(size)
                elif slots.free(size):
                    turn = slots.seize(size)
                else:
                    # the slot that this call needs may be held by who waits for this very handler
                    raise Overloaded(
                        "the other side takes no more calls, and waiting in a handler would be a deadlock"
                    )
        except BaseException:
            if turn is not None:
                slots.settle(turn, None)
            raise

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"the call is larger than the {self._conn.peer_limits.largest_frame} bytes that the other side takes in "
            "one frame; send it as a stream",
            ran=False,
        )

    def _refused(self, error: LocalProtocolError) -> CallError:
        if error.clause == "FRAME-2":
            return self._too_large()
        if error.clause == "LEAVE-2":
            return Unavailable("the other side is leaving and takes no new calls", ran=False)
        return Unavailable(error.text, ran=False)

    # --- while one is open -------------------------------------------------------------------------------------------

    def cancel(self, id: int) -> None:
        """Send CANCEL, if the call is still open."""
        if self._session.ending is None:
            try:
                self._conn.cancel(id)
            except LocalProtocolError:
                return  # it is over, or was cancelled before
            self._output.nudge()
            self._slots.changed(id)

    def end(self, id: int) -> None:
        """Send END for the stream of a call."""
        if self._session.ending is None:
            try:
                self._conn.end(id)
            except LocalProtocolError:
                return  # it is over
            self._output.nudge(self._conn.calls_out == 1)
            self._slots.changed(id)

    def carries(self, id: int, references: list[int]) -> None:
        """An item takes these references along; they share the fate of its call (REF-4)."""
        self._carried.setdefault(id, []).extend(references)

    # --- what comes back ---------------------------------------------------------------------------------------------

    def on_result(self, frame: frames.Result) -> None:
        """RESULT came."""
        id = frame.id
        pending = self._pending.pop(id, None)
        if pending is not None:
            pending.reply = frame
            trio.lowlevel.reschedule(pending.task)
        elif id in self._streams:
            self._streams[id].finish(frame)
        else:
            self._references.release_all_in(frame.body)  # cancelled meanwhile
        if self._carried:
            self._carried.pop(id, None)
        if self._slots.waiting:
            self._slots.changed(id)

    def on_error(self, frame: frames.Error) -> None:
        """ERROR came."""
        id = frame.id
        if id in self._carried:
            self._references.kill(self._carried.pop(id), held=self._conn.peer_authenticating)
        if id in self._pending or id in self._streams:
            try:
                error = self._references.error(frame)
            except ProtocolViolation as violation:
                self._session.violated(violation)  # which fails this call too
                return
            pending = self._pending.pop(id, None)
            if pending is not None:
                pending.reply = error
                trio.lowlevel.reschedule(pending.task)
            else:
                self._streams[id].finish(error)
        elif frame.body is not None:
            self._references.release_all_in(frame.body)  # cancelled meanwhile
        if self._slots.waiting:
            self._slots.changed(id)

    def on_item(self, frame: frames.Item) -> bool:
        """ITEM came. Returns whether it is for one of these calls."""
        stream = self._streams.get(frame.id)
        if stream is None:
            return False
        stream.feed(frame.body)
        return True

    def fail(self, why: CallError, last: int | None, above: int = 0) -> None:
        """Calls with ids above `above` get no answer any more; those above `last`, if that is known, never ran."""
        for id in [id for id in self._carried if id > above]:
            self._references.kill(self._carried.pop(id), held=self._conn.peer_authenticating)
        for id in [id for id in self._pending if id > above]:
            pending = self._pending.pop(id)
            pending.reply = fresh(why, ran=last is None or id <= last)
            trio.lowlevel.reschedule(pending.task)
        for id in [id for id in self._streams if id > above]:
            self._streams[id].lose(fresh(why, ran=last is None or id <= last))
        self._slots.wake_all()

    def changed(self) -> None:
        """The other side has said what it takes: who waits for a slot looks again."""
        self._slots.changed()
