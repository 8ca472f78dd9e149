# pyright: reportPrivateUsage=false
# (the table of a session's own reactions stands below the class)
"""A session: the protocol core, a link, and the tasks between them.

Three tasks for each session: one reads and never waits for the application, one writes, one keeps the time. Calls of
the other side run in worker tasks, which are parked between calls instead of being started for each. All of them
live in the nursery of `Session.run` and none outlives it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import trio

from graftwire.protocol import events, frames
from graftwire.protocol.connection import Connection, Role, State
from graftwire.protocol.errors import (
    MEANINGS,
    CallError,
    DeadlineExceeded,
    ErrorCode,
    LinkError,
    LocalProtocolError,
    Overloaded,
    ProtocolViolation,
    SessionError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    VersionMismatch,
)
from graftwire.protocol.failures import error_from_wire
from graftwire.protocol.limits import Limits

from .authentication import Authentication
from .context import DeadlinePassed, current_call, outgoing_context
from .incoming import CallEnded, Receiver
from .outgoing import OutgoingCall
from .output import Output
from .references import References
from .serving import Serving
from .timers import Timers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .facts import LinkFacts
    from .link import Link

_log: Final = logging.getLogger("graftwire.session")

DISCARD: Final = (
    65_536  # bytes read and thrown away after a session error, so that its reason arrives (LEAVE-4)
)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a session waits, in seconds, and how slow a peer may be, in bytes a second.

    `opening`: for the other side's HELLO and for the verdict on an AUTH. `farewell`: at the end, for what is queued
    to leave and for the other side to close. `stalled`: for a write of which nothing moves. `slow`: after this long,
    a frame under way has to grow by `rate` (clause KEEP-4).
    """

    opening: float = 10.0
    farewell: float = 1.0
    stalled: float = 60.0
    slow: float = 10.0
    rate: int = 1_024


class _Pending:
    """A task that waits for the terminal of a unary call."""

    __slots__ = ("reply", "task")

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self.task = task
        self.reply: frames.Result | CallError | None = None


class Session:
    """One session over `link`, which it owns.

    `role` says who dialled; `limits` what this side takes; `receiver` answers the other side's calls (None: they get
    *unknown target*). Nothing happens until `run`. A call can be made from any task while the session is open; it
    raises Unavailable, with `ran` telling whether the call may have run, once the session has ended.
    """

    def __init__(
        self,
        link: Link,
        role: Role,
        *,
        limits: Limits | None = None,
        receiver: Receiver | None = None,
        timing: Timing | None = None,
        tracestate: bool = False,
    ) -> None:
        self._link = link
        self._conn = Connection(role, limits, tracestate=tracestate)
        self._receiver = receiver
        self._timing = timing if timing is not None else Timing()
        self._output = Output(link, self._conn, self._lost)
        self._timers = Timers(self._expire, self._tick)
        self._serving = Serving(self, self._conn, self._output, self._timers, receiver)
        self._authentication = Authentication(self, self._conn, self._output, receiver)
        self.references = References(self, role)
        self._nursery: trio.Nursery | None = None
        self._reading: trio.CancelScope | None = None
        self._pending: dict[int, _Pending] = {}
        self._streams: dict[int, OutgoingCall] = {}
        self._carried: dict[int, list[int]] = {}  # references that calls of this side have taken along
        self._slots = trio.lowlevel.ParkingLot()
        self._credit = trio.lowlevel.ParkingLot()
        self._pong: trio.Event | None = None
        self._ending: CallError | None = None
        self._failed = False
        self._opened = trio.Event()
        self._ended = trio.Event()
        self._started = self._last_read = trio.current_time()
        self._frame_since: float | None = None
        self._frame_size = 0  # of it, when it was looked at last
        self._frame_arrived = 0  # of the link, at that time

    # --- what is known about it --------------------------------------------------------------------------------------

    @property
    def facts(self) -> LinkFacts:
        """What the transport knows about the link."""
        return self._link.facts

    @property
    def role(self) -> Role:
        """Which end of the session this side is."""
        return self._conn.role

    @property
    def peer_role(self) -> Role:
        """Which end of the session the other side is."""
        return Role.ACCEPTOR if self._conn.role is Role.INITIATOR else Role.INITIATOR

    @property
    def authentication(self) -> Authentication:
        """How this side proves who it is, and how the other side's proofs are judged."""
        return self._authentication

    @property
    def peer_limits(self) -> Limits:
        """What the other side takes."""
        return self._conn.peer_limits

    @property
    def calls_in_flight(self) -> tuple[int, int]:
        """How many calls are open: of this side, of the other side."""
        return self._conn.calls_out, self._conn.calls_in

    @property
    def usable(self) -> bool:
        """Whether a new call has a chance: the session has not ended and the other side is not leaving."""
        return self._ending is None and not self._conn.peer_is_leaving

    @property
    def ending(self) -> CallError | None:
        """Why the session has ended, once it has."""
        return self._ending

    async def wait_opened(self) -> None:
        """Wait for the other side's HELLO. Raises the reason if the session ends before."""
        await self._opened.wait()
        if self._ending is not None and self._conn.state is not State.OPEN:
            raise self._ending

    async def wait_ended(self) -> None:
        """Wait until the session has ended and its tasks are done."""
        await self._ended.wait()

    # --- its life ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the session until it ends, and close the link. Never raises what the other side or the link did.

        Why it ended is in `ending`. If cancelled, the other side is told in the time that `Timing.farewell` gives.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = self._serving.nursery = self._authentication.nursery = nursery
                try:
                    nursery.start_soon(self._output.run)
                    nursery.start_soon(self._timers.run)
                    with trio.CancelScope() as self._reading:
                        if self._ending is None:
                            await self._read()
                finally:
                    self._end(Unavailable("the session was closed at this end"))
                    await self._say_farewell()
                    # handlers go last: one that runs in a thread ends when it ends, and the link is free by then
                    nursery.cancel_scope.cancel()
        finally:
            self._nursery = self._serving.nursery = self._authentication.nursery = None
            self._ended.set()

    def close(self) -> None:
        """Leave: tell the other side, end what is open, close the link. `run` returns when that is done."""
        self._end(Unavailable("the session was closed at this end"))

    async def drain(self, seconds: float) -> None:
        """Take no new calls, let those that run come to their end within the bound, then leave (LEAVE-3)."""
        conn = self._conn
        with trio.move_on_after(seconds):
            if self._ending is None and self._opened.is_set():
                conn.goaway()
                self._output.nudge(alone=True)
                # The answer proves that the GOAWAY was read: no call is on its way any more. Who has nothing open may
                # leave before it answers.
                with suppress(CallError):
                    await self.ping()
                if self._ending is None:
                    conn.goaway(conn.last_in)
                    self._output.nudge(alone=True)
                await self._serving.wait_quiet()
        self.close()
        await self._ended.wait()

    async def ping(self) -> float:
        """Ask for a sign of life; returns the seconds that it took. Raises Unavailable if the session ends."""
        start = trio.current_time()
        while True:
            if self._ending is not None:
                raise self._ending
            mine = not self._conn.ping_outstanding
            if mine:
                self._conn.ping()
                self._output.nudge(alone=True)
            if self._pong is None:
                self._pong = trio.Event()
            await self._pong.wait()
            if mine and self._ending is None:
                return trio.current_time() - start

    async def _read(self) -> None:
        link, conn, output = self._link, self._conn, self._output
        reactions = _REACTIONS
        while self._ending is None:
            try:
                data = await link.receive()
                found = conn.receive(data) if data else conn.receive_eof()
            except LinkError as error:
                self._lost(error)
                return
            except ProtocolViolation as violation:  # a message transport saw what the core can't see
                conn.fail(violation)
                found = [events.Failed(violation)]
            self._last_read = trio.current_time()
            for event in found:
                reactions[type(event)](self, event)
            if conn.partial and (self._frame_since is None or found):
                self._watch_frame(self._last_read)
                self._timers.wake(self._last_read + self._timing.slow)
            elif not conn.partial:
                self._frame_since = None
            if conn.has_output:
                output.nudge(conn.calls_in == 0)
            if conn.peer_is_leaving:
                self.leave_if_idle()

    def leave_if_idle(self) -> None:
        """Go, once no call is open and the other side has said that it leaves (LEAVE-9)."""
        conn = self._conn
        if conn.peer_is_leaving and self._ending is None and not (conn.calls_in or conn.calls_out):
            self._end(Unavailable("the other side has left", ran=False))

    def _watch_frame(self, now: float) -> None:
        """A frame is under way: look again in `Timing.slow` seconds how much of it has come since."""
        self._frame_since, self._frame_size, self._frame_arrived = now, self._conn.partial, self._link.arrived

    def _lost(self, error: LinkError) -> None:
        """The link is gone: nothing more can be sent or will come."""
        self._conn.shut()
        if not self._opened.is_set():
            self._end(Unavailable(str(error), ran=False), cause=error)
        else:
            self._end(Unavailable(str(error)), cause=error)

    def _end(self, why: CallError, cause: Exception | None = None, last: int | None = None) -> None:
        """The session is over; the first reason counts. Calls above `last` are known not to have run."""
        if self._ending is not None:
            return
        why.__cause__ = cause
        self._ending = why
        conn = self._conn
        if conn.state is State.OPEN and not conn.said_last:
            conn.goaway(conn.last_in)
        self._fail_calls(why, last)
        self._serving.cancel_all()
        for event in (self._opened, self._pong):
            if event is not None:
                event.set()
        self._authentication.stop()
        for lot in (self._slots, self._credit):
            lot.unpark_all()
        if self._reading is not None:
            self._reading.cancel()

    def _fail_calls(self, why: CallError, last: int | None, above: int = 0) -> None:
        """Fail this side's calls with ids above `above`; those above `last`, if that is known, never ran."""
        for id in [id for id in self._pending if id > above]:
            pending = self._pending.pop(id)
            pending.reply = _copy(why, ran=last is None or id <= last)
            trio.lowlevel.reschedule(pending.task)
        for id in [id for id in self._streams if id > above]:
            self._streams[id].finish(_copy(why, ran=last is None or id <= last))

    async def _say_farewell(self) -> None:
        """Let what is queued leave (the GOAWAY above all), say that nothing more comes, close."""
        # Shielded, because whoever cancels a session still owes the other side a word; bounded by `farewell`.
        with trio.CancelScope(shield=True, deadline=trio.current_time() + self._timing.farewell):
            try:
                await self._output.flush()
                await self._link.send_eof()
                # who can't half-close closes at once, unless the other side has to be told of its error
                left = DISCARD if self._link.half_closes or self._failed else 0
                while left > 0:
                    data = await self._link.receive()
                    if not data:
                        break
                    left -= len(data)
            except (LinkError, ProtocolViolation):
                pass  # the other side was faster; there is nobody left to tell
        self._conn.shut()
        with trio.CancelScope(shield=True, deadline=trio.current_time() + self._timing.farewell):
            await self._link.aclose()

    # --- time --------------------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> float:
        """Keepalive and the bounds on slow peers; returns when to look again."""
        conn, timing, output = self._conn, self._timing, self._output
        if self._ending is not None:
            return math.inf
        if conn.state is State.OPENING or conn.peer_authenticating:
            due = (
                self._started if conn.state is State.OPENING else self._authentication.since
            ) + timing.opening
            if now >= due:
                what = "say HELLO" if conn.state is State.OPENING else "finish its authentication"
                return self._give_up(f"the other side did not {what} within {timing.opening:g} s", ran=False)
            if conn.state is State.OPENING:
                return due
        idle = conn.limits.idle_time / 1000
        heard = max(self._last_read, self._link.last_arrival)  # any byte is a sign of life (KEEP-3)
        if now - heard >= idle:
            return self._give_up(f"nothing came from the other side for {idle:g} s")
        if output.blocked_since is not None and now - output.blocked_since >= timing.stalled:
            return self._give_up(f"the other side read nothing for {timing.stalled:g} s")
        again = min(heard + idle, now + timing.stalled)
        if self._frame_since is not None:
            if now - self._frame_since >= timing.slow:
                came = max(conn.partial - self._frame_size, self._link.arrived - self._frame_arrived)
                if came < timing.rate * timing.slow:
                    violation = ProtocolViolation("KEEP-4", "a frame comes more slowly than it must")
                    conn.fail(violation)
                    self._on_failed(events.Failed(violation))
                    return math.inf
                self._watch_frame(now)
            again = min(again, self._frame_since + timing.slow)
        third = conn.peer_limits.idle_time / 3000
        if now - output.last_write >= third and not conn.ping_outstanding:
            conn.ping()
            output.nudge(alone=True)
            again = min(again, now + third)
        else:
            again = min(again, max(output.last_write, now - third) + third)
        return max(again, now + 0.01)

    def _give_up(self, why: str, *, ran: bool | None = None) -> float:
        """End the session because the other side took too long, and tell it so (HELLO-10, KEEP-3)."""
        self._conn.abort(ErrorCode.UNAVAILABLE)
        self._end(Unavailable(why, ran=ran))
        return math.inf

    def _expire(self, id: int) -> None:
        """The deadline of a call of the other side has passed."""
        self._serving.cancel(id, ErrorCode.DEADLINE_EXCEEDED)

    # --- calls of this side ------------------------------------------------------------------------------------------

    async def request(
        self,
        target: frames.Target,
        body: bytes,
        *,
        credential: tuple[str, bytes] | None = None,
        trace: tuple[bytes, bytes, int] | None = None,
        sent_references: list[int] | None = None,
    ) -> bytes:
        """Make a unary call and return the body of its result.

        Waits while the other side takes no more calls. The deadline is the one of the enclosing cancel scopes and of
        the call that is being served. Raises CallError. If cancelled, the other side is told to cancel the call.
        """
        conn = self._conn
        id = await self._place(0, target, body, trace, credential)
        pending = self._pending[id] = _Pending(trio.lowlevel.current_task())
        if sent_references is not None:
            self._carried[id] = sent_references
        self._output.nudge(conn.calls_out == 1)

        def abort(_: object) -> trio.lowlevel.Abort:
            del self._pending[id]
            self.cancel_call(id)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        reply = pending.reply
        if type(reply) is frames.Result:
            return reply.body
        assert isinstance(reply, CallError)
        raise reply

    @asynccontextmanager
    async def open(
        self,
        shape: int,
        target: frames.Target,
        body: bytes,
        *,
        credential: tuple[str, bytes] | None = None,
        trace: tuple[bytes, bytes, int] | None = None,
        sent_references: list[int] | None = None,
    ) -> AsyncGenerator[OutgoingCall]:
        """Make a call with streams; leaving the block before its end cancels it. As `request` in all else."""
        conn = self._conn
        await trio.lowlevel.checkpoint_if_cancelled()
        call = OutgoingCall(self, shape)
        call.id = await self._place(shape, target, body, trace, credential)
        self._streams[call.id] = call
        if sent_references is not None:
            self._carried[call.id] = sent_references
        self._output.nudge(conn.calls_out == 1)
        try:
            yield call
        finally:
            self._streams.pop(call.id, None)
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
        conn = self._conn
        while True:
            if self._ending is not None or self._slots or not conn.may_call(len(body)) or self._output.full:
                await self._wait_for_slot(len(body))
            try:
                return conn.call(shape, target, body, outgoing_context(trace), credential)
            except LocalProtocolError as error:
                if error.clause != "FRAME-2" or self._opened.is_set():
                    raise self._refused(error) from None
            except DeadlinePassed:
                await trio.lowlevel.checkpoint()  # raises Cancelled where the deadline is that of a scope
                raise DeadlineExceeded(ran=False) from None
            await (
                self._opened.wait()
            )  # it is more than what every peer takes, and may be less than what this one does

    async def _wait_for_slot(self, body_size: int) -> None:
        """Wait, in order of arrival, until a call with such a body can be made."""
        conn = self._conn
        serving = current_call.get()
        while True:
            if self._ending is not None:
                raise _copy(self._ending, ran=False)
            if conn.peer_is_leaving:
                raise Unavailable("the other side is leaving and takes no new calls", ran=False)
            if body_size > conn.peer_limits.unfinished_body_bytes:
                if self._opened.is_set():
                    raise self._too_large()
                await self._opened.wait()  # what it takes is not known yet, only what every peer does
                continue
            if self._output.full:
                await self._output.room()
                continue
            if conn.may_call(body_size):
                return
            if serving is not None and serving.session is self:
                # the slot that this call needs may be held by who waits for this very handler
                raise Overloaded(
                    "the other side takes no more calls, and waiting in a handler would be a deadlock"
                )
            try:
                await self._slots.park()
            except trio.Cancelled:
                self._slots.unpark()  # the slot that woke this task, if one did, belongs to the next
                raise

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"the call is larger than the {self._conn.peer_limits.largest_frame} bytes that the other side takes in "
            "one frame; send it as a stream"
        )

    def _refused(self, error: LocalProtocolError) -> CallError:
        if error.clause == "FRAME-2":
            return self._too_large()
        if error.clause == "LEAVE-2":
            return Unavailable("the other side is leaving and takes no new calls", ran=False)
        return Unavailable(error.text, ran=False)

    def cancel_call(self, id: int) -> None:
        """Send CANCEL for a call of this side, if it is still open."""
        if self._ending is None:
            try:
                self._conn.cancel(id)
            except LocalProtocolError:
                return  # it is over, or was cancelled before
            self._output.nudge()
            self._slots.unpark()

    def end_stream(self, id: int) -> None:
        """Send END for the stream of a call of this side."""
        if self._ending is None:
            try:
                self._conn.end(id)
            except LocalProtocolError:
                return  # it is over
            self._output.nudge(self._conn.calls_out == 1)
            self._slots.unpark()

    def carries(self, id: int, references: list[int]) -> None:
        """An item of a call of this side takes these references along; they share the fate of the call (REF-4)."""
        self._carried.setdefault(id, []).extend(references)

    async def send_item(self, id: int, body: bytes) -> None:
        """Send an item on this side's stream of a call, when there is credit and room for it.

        Raises TooLarge for an item that does not fit into a frame, CallEnded if the call or the session is over.
        """
        conn = self._conn
        await trio.lowlevel.checkpoint_if_cancelled()
        if not conn.fits(len(body)):
            await self._opened.wait()  # before, only what every peer takes is known
            if self._ending is None and not conn.fits(len(body)):
                raise self._too_large()
        while not conn.may_send_item(id) or self._output.full:
            if self._ending is not None or not conn.is_open(id):
                break
            if self._output.full:
                await self._output.room()
            else:
                await self._credit.park()
        if self._ending is not None:
            raise CallEnded("the session is over")
        try:
            conn.item(id, body)
        except LocalProtocolError:
            raise CallEnded("the call is over") from None
        self._output.nudge()

    def consumed(self, id: int, body_size: int) -> None:
        """An item was taken by the application: its credit goes back to the sender in time."""
        self._conn.consume(id, body_size)
        if self._conn.has_output:
            self._output.nudge()

    def discarded(self, id: int, body: bytes) -> None:
        """An item is thrown away unread: its credit goes back, and the references in it are released (REF-5)."""
        self.references.release_all_in(body)
        self.consumed(id, len(body))

    def release(self, reference: int) -> None:
        """Send RELEASE for a reference that this side was given."""
        if self._ending is None:
            self._conn.release(reference)
            self._output.nudge()

    # --- what the other side does: one method for each event ---------------------------------------------------------

    def react(self, happened: list[events.Event]) -> None:
        """Deal with events that the protocol core gave elsewhere than in reading: what waited for an AUTH's outcome."""
        for event in happened:
            _REACTIONS[type(event)](self, event)

    def refused(self) -> None:
        """The other side's authentication was refused, and it was told so: the session is over."""
        self._end(Unauthenticated("the other side's authentication was refused"))

    def _on_opened(self, event: events.Opened) -> None:
        self._opened.set()
        self._timers.wake(trio.current_time())
        self._credit.unpark_all()
        self._slots.unpark_all()

    def _on_failed(self, event: events.Failed) -> None:
        violation = event.violation
        self._failed = True
        _log.warning("the other side (%s) broke the protocol: %s", self.facts.peer, violation)
        if violation.code is ErrorCode.VERSION:
            self._end(VersionMismatch(), cause=violation, last=0)
        elif not self._opened.is_set():
            why = SessionError(f"what answered does not speak Graftwire: {violation}")
            self._end(why, cause=violation, last=0)
        else:
            self._end(SessionError(f"the other side broke the protocol: {violation}"), cause=violation)

    def _on_end_of_input(self, event: events.EndOfInput) -> None:
        if not self._opened.is_set():
            why: CallError = Unavailable(
                "the other side closed the connection before it said HELLO", ran=False
            )
        else:
            why = Unavailable("the other side closed the session")
        self._end(why)

    def _on_goaway(self, event: frames.Goaway) -> None:
        if event.code is ErrorCode.NONE:
            self._fail_calls(
                Unavailable("the other side is leaving", ran=False), last=event.last, above=event.last
            )
            self._slots.unpark_all()
            return
        meaning = MEANINGS[event.code]
        why: CallError
        if event.code is ErrorCode.UNAUTHENTICATED:
            why = Unauthenticated()
        elif event.code is ErrorCode.VERSION:
            why = VersionMismatch()
        elif event.code is ErrorCode.PROTOCOL:
            why = SessionError("the other side says that this side broke the protocol")
        else:
            why = Unavailable(f"the other side ended the session: {meaning}")
        self._end(why, last=event.last)

    def _on_result(self, frame: frames.Result) -> None:
        id = frame.id
        pending = self._pending.pop(id, None)
        if pending is not None:
            pending.reply = frame
            trio.lowlevel.reschedule(pending.task)
        elif id in self._streams:
            self._streams[id].finish(frame)
            self._credit.unpark_all()
        else:
            self.references.release_all_in(frame.body)  # cancelled meanwhile
        if self._carried:
            self._carried.pop(id, None)
        if self._slots:
            self._slots.unpark()

    def _on_error(self, frame: frames.Error) -> None:
        id = frame.id
        try:
            error = error_from_wire(frame.code, frame.body, self.references.arrived)
        except ProtocolViolation as violation:
            self.violated(violation)
            return
        if id in self._carried:
            self.references.kill(self._carried.pop(id), held=self._conn.peer_authenticating)
        pending = self._pending.pop(id, None)
        if pending is not None:
            pending.reply = error
            trio.lowlevel.reschedule(pending.task)
        elif id in self._streams:
            self._streams[id].finish(error)
            self._credit.unpark_all()
        if self._slots:
            self._slots.unpark()

    def _on_call(self, frame: frames.Call) -> None:
        self._serving.begin(frame)

    def _on_item(self, frame: frames.Item) -> None:
        stream = self._streams.get(frame.id)
        if stream is not None:
            stream.feed(frame.body)
        elif not self._serving.feed(frame):
            self.discarded(frame.id, frame.body)  # its call was cancelled meanwhile

    def _on_end(self, frame: frames.End) -> None:
        self._serving.feed_end(frame.id)

    def _on_cancel(self, frame: frames.Cancel) -> None:
        self._serving.cancel(frame.id, ErrorCode.CANCELLED)

    def _on_credit(self, frame: frames.Credit) -> None:
        self._credit.unpark_all()

    def _on_pong(self, frame: frames.Pong) -> None:
        if self._pong is not None:
            self._pong.set()
            self._pong = None

    def _on_release(self, frame: frames.Release) -> None:
        try:
            self.references.released(frame.reference)
        except ProtocolViolation as violation:
            self.violated(violation)

    def violated(self, violation: ProtocolViolation, *, before: int | None = None) -> None:
        """The other side broke the protocol in a way that only this layer or one above could see.

        `before` is the call that did, where the fault is in that CALL itself and its own user code has not run.
        """
        begun = self._serving.last_begun
        if before is not None and begun > before:
            before = begun + 2  # calls behind it have run, and GOAWAY must not deny that (LEAVE-5)
        self._conn.fail(violation, before=before)
        self._on_failed(events.Failed(violation))


def _copy(error: CallError, ran: bool) -> CallError:
    """An exception of its own for each task that gets one: a traceback belongs to one raise."""
    fresh = type(error)(str(error))
    fresh.ran = ran
    fresh.__cause__ = error.__cause__
    return fresh


_REACTIONS: Final[dict[type, Callable[[Session, Any], None]]] = {
    events.Opened: Session._on_opened,
    events.Failed: Session._on_failed,
    events.EndOfInput: Session._on_end_of_input,
    frames.Goaway: Session._on_goaway,
    frames.Call: Session._on_call,
    frames.Result: Session._on_result,
    frames.Error: Session._on_error,
    frames.Item: Session._on_item,
    frames.End: Session._on_end,
    frames.Cancel: Session._on_cancel,
    frames.Credit: Session._on_credit,
    frames.Pong: Session._on_pong,
    frames.Release: Session._on_release,
    frames.Auth: lambda session, frame: session._authentication.on_auth(frame),
    frames.Challenge: lambda session, frame: session._authentication.on_challenge(frame),
    frames.Accepted: lambda session, frame: session._authentication.on_accepted(),
}
