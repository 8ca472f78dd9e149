"""Running the other side's calls: a task for each that is under way, parked between calls instead of started anew."""

from __future__ import annotations

import math
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Final, cast

import trio

from graftwire.protocol import frames
from graftwire.protocol.connection import Connection
from graftwire.protocol.errors import ErrorCode, LocalProtocolError, ProtocolViolation

from .context import current_call
from .incoming import IncomingCall, Receiver

if TYPE_CHECKING:
    from .output import Output
    from .session import Session
    from .timers import Timers

MOST_PARKED: Final = 128  # worker tasks that a session keeps for later calls
_EMPTY: Final = Context()


class _Parked:
    """A worker task without work."""

    __slots__ = ("call", "task")

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self.task = task
        self.call: IncomingCall | None = None


class Serving:
    """The calls of the other side that are open, and the workers that run them."""

    def __init__(
        self, session: Session, conn: Connection, output: Output, timers: Timers, receiver: Receiver | None
    ) -> None:
        self._session = session
        self._conn = conn
        self._output = output
        self._timers = timers
        self._receiver = receiver
        self._calls: dict[int, IncomingCall] = {}
        self._parked: list[_Parked] = []
        self._failed: set[int] = set()  # calls answered with ERROR whose caller has not ended its stream
        self._quiet = trio.lowlevel.ParkingLot()
        self.nursery: trio.Nursery | None = None
        self.last_begun = 0  # the highest call for which user code may have run

    # --- what comes in -----------------------------------------------------------------------------------------------

    def begin(self, frame: frames.Call) -> None:
        """A CALL came: answer it at once, or give it to a worker."""
        if self._session.ending is not None:
            return  # one before it, in the same read, broke the protocol, and GOAWAY says that this one won't run
        call = IncomingCall(self._session, frame)
        self._calls[frame.id] = call
        if type(frame.target) is tuple:
            # now, in order: a RELEASE or ERROR that comes after this call does not touch it
            try:
                call.referent, call.given_to = self._session.references.resolve(frame.target[0])
            except ProtocolViolation as violation:
                self._session.violated(violation, before=frame.id)
                return
        receiver = self._receiver
        if receiver is None:
            self._finish_error(call, ErrorCode.UNKNOWN_TARGET, None)
            return
        receiver.arrived(call)
        if not self._output.full:
            try:
                body = receiver.answer(call)
            except Exception as error:  # noqa: BLE001 - `failure` decides what the caller is told of it
                self.last_begun = call.id
                self._fail(call, error)
                return
            if body is not None:
                self.last_begun = call.id
                self._finish(call, body)
                return
        if call.deadline != math.inf:
            self._timers.add(call.id, call.deadline)
        if self._parked:
            parked = self._parked.pop()
            parked.call = call
            parked.task.context = copy_context()  # each call has a context of its own
            trio.lowlevel.reschedule(parked.task)
        else:
            assert self.nursery is not None
            self.nursery.start_soon(self._work, call)

    def feed(self, frame: frames.Item) -> bool:
        """An item of a caller's stream came. Returns False where it is to be thrown away with what it holds."""
        call = self._calls.get(frame.id)
        if call is None:
            if frame.id not in self._failed:
                return False
            self._session.consumed(frame.id, len(frame.body))  # the ERROR has ended its references (REF-4)
            return True
        call.feed(frame.body)
        return True

    def feed_end(self, id: int) -> None:
        """A caller's stream has ended."""
        self._failed.discard(id)
        call = self._calls.get(id)
        if call is not None:
            call.feed_end()

    def cancel(self, id: int, why: ErrorCode) -> None:
        """The caller wants a call no more, or its deadline has passed."""
        self._failed.discard(id)
        call = self._calls.get(id)
        if call is not None:
            call.streaming = call.streaming and why is not ErrorCode.CANCELLED
            call.cancel(why)

    def cancel_all(self) -> None:
        """The session is over."""
        for call in list(self._calls.values()):
            call.cancel(ErrorCode.CANCELLED)
        self._quiet.unpark_all()

    async def wait_quiet(self) -> None:
        """Wait until no call is being served, or the session is over."""
        while self._calls and self._session.ending is None:
            await self._quiet.park()

    # --- running -----------------------------------------------------------------------------------------------------

    async def _work(self, call: IncomingCall) -> None:
        """A worker: runs one call after the other; ends when one of them was cancelled, with its scope."""
        parked = _Parked(trio.lowlevel.current_task())

        def abort(_: object) -> trio.lowlevel.Abort:
            self._parked.remove(parked)
            return trio.lowlevel.Abort.SUCCEEDED

        with trio.CancelScope() as scope:
            while True:
                call.scope = scope
                if call.stop is not None:
                    scope.cancel()
                await self._run(call)
                if scope.cancel_called or len(self._parked) >= MOST_PARKED:
                    return
                del call  # what is parked keeps nothing of the call that it has run: neither body nor proof
                parked.task.context = _EMPTY
                self._parked.append(parked)
                await trio.lowlevel.wait_task_rescheduled(abort)
                assert parked.call is not None
                call, parked.call = parked.call, None

    async def _run(self, call: IncomingCall) -> None:
        """Run one call and send its terminal. Raises nothing but Cancelled."""
        if self._session.ending is not None:
            self._forget(call, failed=True)  # GOAWAY may have said that it won't run (LEAVE-5)
            return
        self.last_begun = max(self.last_begun, call.id)
        current_call.set(call)
        receiver = self._receiver
        assert receiver is not None
        body: bytes | None = None
        try:
            body = await receiver.handle(call)
            if self._output.full:
                await self._output.room()
        except trio.Cancelled:
            if body is not None:
                self._session.references.unsent(body)
            self._stopped(call)
            raise
        except Exception as error:  # noqa: BLE001 - `failure` decides what the caller is told of it
            self._fail(call, error)
        except BaseExceptionGroup as group:
            cancelled, rest = group.split(trio.Cancelled)
            if rest is not None and not isinstance(rest, ExceptionGroup):
                raise  # KeyboardInterrupt and its like are not for the caller
            if isinstance(rest, ExceptionGroup) and call.stop is None:
                self._fail(call, cast("ExceptionGroup[Exception]", rest))
            else:
                self._stopped(call)
            if cancelled is not None:
                raise cancelled from None
        else:
            self._finish(call, body)

    def _stopped(self, call: IncomingCall) -> None:
        """The handler was cancelled: by the caller or the deadline, or with the session, which says so itself."""
        if call.stop is not None:
            self._finish_error(call, call.stop, None)
        else:
            self._forget(call, failed=True)

    def _finish(self, call: IncomingCall, body: bytes) -> None:
        """Send RESULT."""
        if self._forget(call, failed=False):
            conn = self._conn
            try:
                conn.result(call.id, body)
            except LocalProtocolError:
                self._session.references.unsent(body)
                conn.error(call.id, ErrorCode.TOO_LARGE)
            self._answered()

    def _fail(self, call: IncomingCall, error: Exception) -> None:
        """Send the ERROR for what a handler has raised."""
        assert self._receiver is not None
        references = self._session.references
        code, body = self._receiver.failure(call, error)
        given = references.taken()  # these belong to no call of this side, and live until they are released
        if body is not None and not self._conn.fits(call.id, len(body), code=True):
            references.unsent(body)
            code, body = ErrorCode.TOO_LARGE, None
        if given is not None and code is not ErrorCode.APPLICATION:
            references.kill(given)  # only this code's body holds any
        self._finish_error(call, code, body)

    def _finish_error(self, call: IncomingCall, code: ErrorCode, body: bytes | None) -> None:
        """Send ERROR."""
        if self._forget(call, failed=True):
            self._conn.error(call.id, code, body)
            if call.streaming:
                self._failed.add(call.id)
            self._answered()

    def _answered(self) -> None:
        """A terminal was queued."""
        conn = self._conn
        self._output.nudge(conn.calls_in == 0)
        if conn.peer_is_leaving:
            self._session.leave_if_idle()

    def _forget(self, call: IncomingCall, failed: bool) -> bool:
        """The handler has ended. Returns whether a terminal can still be sent."""
        del self._calls[call.id]
        call.sending = False
        if call.deadline != math.inf:
            self._timers.remove(call.id)
        session = self._session
        if call.has_client_stream:
            for body in call.discard():
                session.discarded(call.id, body)
        if call.received is not None:
            session.references.call_over(call, failed)
        if self._quiet and not self._calls:
            self._quiet.unpark_all()
        return session.ending is None
