"""A session: the protocol core, a link, and the tasks between them.

Three tasks for each session: one reads and never waits for the application, one writes, one keeps the time. Calls of
the other side run in worker tasks, which are parked between calls instead of being started for each. All of them
live in the nursery of `Session.run` and none outlives it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import trio

from graftwire.protocol import events, frames
from graftwire.protocol.connection import Connection, Role, State
from graftwire.protocol.errors import (
    MEANINGS,
    CallError,
    ErrorCode,
    LinkError,
    ProtocolViolation,
    SessionError,
    Unauthenticated,
    Unavailable,
    VersionMismatch,
)
from graftwire.protocol.limits import Limits

from .authentication import Authentication
from .calling import Calling
from .items import Items
from .output import Output
from .raising import fresh
from .references import References
from .releasing import Releases
from .serving import Serving
from .timers import Timers
from .watch import Timing, Watch

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextlib import AbstractAsyncContextManager

    from .facts import LinkFacts
    from .incoming import Receiver
    from .link import Link
    from .outgoing import OutgoingCall

__all__ = ["Session", "Timing"]

_log: Final = logging.getLogger("graftwire.session")

DISCARD: Final = (
    65_536  # bytes read and thrown away after a session error, so that its reason arrives (LEAVE-4)
)


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
        self._output = output = Output(link, self._conn, self._lost)
        self._watch = Watch(self, link, self._conn, output, self._timing, lambda: self._authentication.since)
        self._timers = Timers(self._expire, self._watch.tick)
        self._releases = Releases(self, self._conn, output)
        self.references = References(self, role, self._releases)
        self.items = Items(self, self._conn, output)
        self._calling = Calling(self, self._conn, output, self.references, self.items)
        self._serving = Serving(self, self._conn, output, self._timers, receiver)
        self._authentication = Authentication(self, self._conn, output, receiver, self._timing.opening)
        self._nursery: trio.Nursery | None = None
        self._reading: trio.CancelScope | None = None
        self._pong: trio.Event | None = None
        self._ending: CallError | None = None
        self._failed = False
        self._leaving = False  # this side has said that it will
        self.opened = trio.Event()  # the other side has said HELLO, or the session is over
        self.unusable = trio.Event()  # the other side is leaving, or the session is over: see `usable`
        self._ended = trio.Event()
        # by the class of the event; straight to who deals with it, because calls and results are many
        self._reactions: dict[type, Callable[[Any], None]] = {
            events.Opened: self._on_opened,
            events.Failed: self._on_failed,
            events.EndOfInput: self._on_end_of_input,
            frames.Goaway: self._on_goaway,
            frames.Call: self._serving.begin,
            frames.Result: self._calling.on_result,
            frames.Error: self._calling.on_error,
            frames.Item: self._on_item,
            frames.End: lambda frame: self._serving.feed_end(frame.id),
            frames.Cancel: self._on_cancel,
            frames.Credit: lambda _: self.items.changed(),
            frames.Pong: self._on_pong,
            frames.Release: self._on_release,
            frames.Auth: self._authentication.on_auth,
            frames.Challenge: self._authentication.on_challenge,
            frames.Accepted: lambda _: self._authentication.on_accepted(),
        }

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
    def limits(self) -> Limits:
        """What this side takes."""
        return self._conn.limits

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
        await self.opened.wait()
        if self._ending is not None and self._conn.state is not State.OPEN:
            raise fresh(self._ending)

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
                self._nursery = self._serving.nursery = nursery
                self._releases.nursery = self._authentication.nursery = nursery
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
            self._nursery = self._serving.nursery = None
            self._releases.nursery = self._authentication.nursery = None
            self.references.close()
            self._ended.set()

    def refuse(self) -> None:
        """Turn away a peer that has just connected; `run` then does no more than tell it so."""
        self.give_up("this side takes no more sessions", ran=False)

    def close(self) -> None:
        """Leave: tell the other side, end what is open, close the link. `run` returns when that is done."""
        self._end(Unavailable("the session was closed at this end"))

    async def drain(self, seconds: float) -> None:
        """Take no new calls, let those that run come to their end within the bound, then leave (LEAVE-3).

        May be called again, as when it was cancelled before; if it is called twice at a time, the shorter bound counts.
        """
        conn = self._conn
        with trio.move_on_after(seconds):
            if self._ending is None and self.opened.is_set():
                if not (self._leaving or conn.said_last):
                    self._leaving = True
                    conn.goaway()
                    self._output.nudge(alone=True)
                # The answer proves that the GOAWAY was read: no call is on its way any more. Who has nothing open may
                # leave before it answers.
                with suppress(CallError):
                    await self.ping()
                if self._ending is None and not conn.said_last:
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
                raise fresh(self._ending)
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
        link, conn, output, watch = self._link, self._conn, self._output, self._watch
        reactions = self._reactions
        while self._ending is None:
            try:
                data = await link.receive()
                size = len(data)
                found = conn.receive(data) if data else conn.receive_eof()
            except LinkError as error:
                self._lost(error)
                return
            except ProtocolViolation as violation:  # a message transport saw what the core can't see
                conn.fail(violation)
                size, found = 0, [events.Failed(violation)]
            again = watch.read(size)
            for event in found:
                reactions[type(event)](event)
            if again is not None:
                self._timers.wake(again)
            if conn.has_output:
                output.nudge(conn.calls_in == 0)
            if conn.peer_is_leaving:
                self.leave_if_idle()
            if conn.calls_in + conn.calls_out <= 1 and found:
                await self._step_back()

    @staticmethod
    async def _step_back() -> None:
        """Let who was woken run before this task arms its wait for more, which takes as long as to answer.

        Twice: in one turn of the scheduler it could still come first.
        """
        await trio.lowlevel.cancel_shielded_checkpoint()
        await trio.lowlevel.cancel_shielded_checkpoint()

    def leave_if_idle(self) -> None:
        """Go, once no call is open and the other side has said that it leaves (LEAVE-9)."""
        conn = self._conn
        if conn.peer_is_leaving and self._ending is None and not (conn.calls_in or conn.calls_out):
            self._end(Unavailable("the other side has left", ran=False))

    def _lost(self, error: LinkError) -> None:
        """The link is gone: nothing more can be sent or will come."""
        self._conn.shut()
        if not self.opened.is_set():
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
        self._calling.fail(why, last)
        self._serving.cancel_all()
        for event in (self.opened, self.unusable, self._pong):
            if event is not None:
                event.set()
        self._authentication.stop()
        self.items.changed()
        if self._reading is not None:
            self._reading.cancel()

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

    def give_up(self, why: str, *, ran: bool | None = None, code: ErrorCode = ErrorCode.UNAVAILABLE) -> None:
        """End the session because the other side is too slow or asks too much, and tell it so with `code`."""
        self._conn.abort(code)
        self._failed = True
        self._end(Unavailable(why, ran=ran))

    def _expire(self, id: int) -> None:
        """The deadline of a call of the other side has passed."""
        self._serving.cancel(id, ErrorCode.DEADLINE_EXCEEDED)

    # --- calls of this side ------------------------------------------------------------------------------------------

    def request(
        self,
        target: frames.Target,
        body: bytes,
        *,
        credential: tuple[str, bytes] | None = None,
        trace: tuple[bytes, bytes, int] | None = None,
        sent_references: list[int] | None = None,
        patient: Callable[[], None] | None = None,
    ) -> Coroutine[Any, Any, bytes]:
        """Make a unary call and return the body of its result.

        Waits while the other side takes no more calls. The deadline is the one of the enclosing cancel scopes and of
        the call that is being served. Raises CallError. If cancelled, the other side is told to cancel the call; with
        `patient`, which is called then, its answer is waited for all the same, and is what comes out: who passes it
        has to see to it that one comes, or that the session ends.
        """
        return self._calling.request(target, body, credential, trace, sent_references, patient)

    def open(
        self,
        shape: int,
        target: frames.Target,
        body: bytes,
        *,
        credential: tuple[str, bytes] | None = None,
        trace: tuple[bytes, bytes, int] | None = None,
        sent_references: list[int] | None = None,
    ) -> AbstractAsyncContextManager[OutgoingCall]:
        """Make a call with streams; leaving the block before its end cancels it. As `request` in all else."""
        return self._calling.open(shape, target, body, credential, trace, sent_references)

    def consumed(self, id: int, body_size: int) -> None:
        """An item was taken by the application: its credit goes back to the sender in time."""
        self._conn.consume(id, body_size)
        if self._conn.has_output:
            self._output.nudge()

    def cancel(self, id: int) -> None:
        """Send CANCEL for a call of this side, if it is still open."""
        self._calling.cancel(id)

    def discarded(self, id: int, body: bytes) -> None:
        """An item is thrown away unread: its credit goes back, and the references in it are released (REF-5)."""
        self.references.release_all_in(body)
        self.consumed(id, len(body))

    # --- what the other side does: one method for each event ---------------------------------------------------------

    def react(self, happened: list[events.Event]) -> None:
        """Deal with events that the protocol core gave elsewhere than in reading: what waited for an AUTH's outcome."""
        for event in happened:
            self._reactions[type(event)](event)

    def refused(self) -> None:
        """The other side's authentication was refused, and it was told so: the session is over."""
        self._end(Unauthenticated("the other side's authentication was refused"))

    def _on_opened(self, event: events.Opened) -> None:
        self.opened.set()
        self._timers.wake(trio.current_time())
        self.items.changed()
        self._calling.changed()

    def _on_failed(self, event: events.Failed) -> None:
        violation = event.violation
        self._failed = True
        _log.warning("the other side (%s) broke the protocol: %s", self.facts.peer, violation)
        if violation.code is ErrorCode.VERSION:
            self._end(VersionMismatch(), cause=violation, last=0)
        elif not self.opened.is_set():
            why = SessionError(f"what answered does not speak Graftwire: {violation}", ran=False)
            self._end(why, cause=violation, last=0)
        else:
            self._end(SessionError(f"the other side broke the protocol: {violation}"), cause=violation)

    def _on_end_of_input(self, event: events.EndOfInput) -> None:
        if not self.opened.is_set():
            why: CallError = Unavailable(
                "the other side closed the connection before it said HELLO", ran=False
            )
        else:
            why = Unavailable("the other side closed the session")
        self._end(why)

    def _on_goaway(self, event: frames.Goaway) -> None:
        if event.code is ErrorCode.NONE:
            self.unusable.set()
            self._calling.fail(
                Unavailable("the other side is leaving", ran=False), last=event.last, above=event.last
            )
            return
        meaning = MEANINGS[event.code]
        why: CallError
        if event.code is ErrorCode.UNAUTHENTICATED:
            why = Unauthenticated()
        elif event.code is ErrorCode.VERSION:
            why = VersionMismatch()
        elif event.code is ErrorCode.PROTOCOL:
            ran = None if self.opened.is_set() else False
            why = SessionError("the other side says that this side broke the protocol", ran=ran)
        else:
            why = Unavailable(f"the other side ended the session: {meaning}")
        self._end(why, last=event.last)

    def _on_item(self, frame: frames.Item) -> None:
        if not (self._calling.on_item(frame) or self._serving.feed(frame)):
            self.discarded(frame.id, frame.body)  # its call was cancelled meanwhile

    def _on_cancel(self, frame: frames.Cancel) -> None:
        self._serving.cancel(frame.id, ErrorCode.CANCELLED)

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
