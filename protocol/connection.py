"""One session as a state machine: bytes in, events out; method calls in, bytes out.

No I/O, no clock, no task. Both roles are one class: what differs between them is who starts and whose ids are odd.

    state      reads             then
    OPENING    HELLO             OPEN
    OPENING    GOAWAY            CLOSED (an acceptor that refuses)
    OPEN       GOAWAY(none)      OPEN, no new calls
    OPEN       GOAWAY(error)     CLOSED
    any        what is illegal   CLOSED, after a GOAWAY of this side

Beside these states, each with its rules at the top of its file: the open calls (calls.py), authentication, which is
per direction (exchange.py), credit (credit.py), and what may be written when (outbox.py). The class has three parts:
what is known (core.py), method calls in (sending.py), bytes in (reading.py); here stands how it reacts to each frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from .calls import made_there
from .core import VERSION, Role, State
from .errors import ErrorCode, ProtocolViolation
from .events import Event, Opened
from .exchange import Holdable
from .frametypes import (
    Accepted,
    Auth,
    Call,
    Cancel,
    Challenge,
    Credit,
    End,
    Error,
    Goaway,
    Hello,
    Item,
    Ping,
    Pong,
    Release,
    Result,
)
from .framewriting import encode
from .limits import (
    EARLY_TOTAL,
    ITEM_OVERHEAD,
    LARGEST_CREDIT,
    LARGEST_INTEGER,
    LEAST,
)
from .reading import Reading
from .sending import Sending

__all__ = ["VERSION", "Connection", "Role", "State"]


class Connection(Reading, Sending):
    """The protocol core of one session.

    `role` says which end this is; `limits` are what this side takes and tells the other one; `versions` what an
    initiator offers, or an acceptor speaks; `tracestate` whether that field is allowed in either direction (CTX-4).

    `receive` takes bytes and returns events; the other methods queue frames, which `take` hands out in the order
    in which they are to be written. A method that is asked for something illegal raises LocalProtocolError and
    queues nothing. After the session has failed or ended, `receive` returns nothing and sends are dropped.
    """

    __slots__ = ()

    # --- the start of a session, authentication -----------------------------------------------------------

    def _on_hello(self, frame: Hello, events: list[Event]) -> None:
        if self.state is not State.OPENING:
            raise ProtocolViolation("HELLO-1", "a second HELLO came")
        version = max(set(frame.versions) & set(self._versions))
        self._peer_hello = frame
        self.peer_limits = limits = frame.limits
        self.state = State.OPEN
        self._balance += limits.session_credit - LEAST.session_credit
        for call in self._out.values():
            call.balance += limits.stream_credit - LEAST.stream_credit
        if self.role is Role.ACCEPTOR:
            self._offered = len(frame.versions)
            self._early_left = EARLY_TOTAL - len(encode(frame))
            self._outbox.answer(encode(Hello((version,), self.limits)))
        else:
            self._lift()
            self._outbox.opened()
        self._most_calls = limits.calls_in_flight
        self._most_body_bytes = limits.unfinished_body_bytes
        events.append(Opened(version, limits))

    def _on_auth(self, frame: Auth, events: list[Event]) -> None:
        self._theirs.received(self._next_in)
        if self._early_left is not None:
            self._proving = True
            self._reactions = self._PROVING
        events.append(frame)

    def accept(self) -> list[Event]:
        """Accept the other side's AUTH; returns the events that waited for it, in order (clause AUTH-6).

        What waited in an opening exchange is judged only now, so that Failed may be the last event.
        """
        events: list[Event] = []
        if self.state is State.CLOSED:
            return events
        opening = self._proving
        held = self._theirs.settle()
        self._lift()
        self._outbox.write(encode(Accepted()))
        if opening:
            try:
                for frame in held:
                    self._reactions[frame.kind](self, frame, events)
            except ProtocolViolation as violation:
                self._fail_with(violation, events)
                return events
        else:
            events += held
        return self._without_cancelled(events)

    def _without_cancelled(self, held: list[Event]) -> list[Event]:
        """Clause CANCEL-3: a call that was cancelled while it waited is not run; nor is one of CALL-13."""
        events: list[Event] = []
        for event in held:
            if not isinstance(event, Call | Cancel | Item | End):
                events.append(event)
                continue
            call = self._in.get(event.id)
            if call is not None and not call.cancelled:
                events.append(event)
            elif isinstance(event, Item):
                self._consume(None, event.id, len(event.body) + ITEM_OVERHEAD)
        for event in held:
            if isinstance(event, Cancel) and event.id in self._in:
                self.error(event.id, ErrorCode.CANCELLED)
        return events

    def _on_held(self, frame: Holdable, events: list[Event]) -> None:
        """Keep what belongs to the other side's calls; the rest goes on during an opening exchange."""
        if isinstance(frame, Release) or frame.id & 1 == self._next_in & 1:
            self._theirs.hold(frame)
        else:
            self._REACTIONS[frame.kind](self, frame, events)

    def _on_challenge(self, frame: Challenge, events: list[Event]) -> None:
        self._ours.challenged()
        events.append(frame)

    def _on_accepted(self, frame: Accepted, events: list[Event]) -> None:
        self._ours.accepted()
        self._outbox.lift()
        events.append(frame)

    # --- calls of the other side --------------------------------------------------------------------------

    def _emit(self, id: int, event: Holdable, events: list[Event]) -> None:
        """Hand an event of the other side's call on, or hold it back (clause AUTH-6)."""
        hold_from = self._theirs.hold_from
        if hold_from is None or id < hold_from:
            events.append(event)
        else:
            self._theirs.hold(event)

    def _on_call(self, frame: Call, events: list[Event]) -> None:
        id = frame.id
        if id != self._next_in:
            raise ProtocolViolation("CALL-1", "a call's id is not the next one in order")
        size = len(frame.body)
        limits = self.limits
        if self._sent_goaway is not None and id > self._sent_goaway:
            self._next_in = id + 2
            return  # CALL-13: the other side learns from our GOAWAY that it never ran
        # a caller can't know of a terminal that is still here, so it has at least that many calls open
        if len(self._in) + self._outbox.terminals >= limits.calls_in_flight:
            raise ProtocolViolation("CALL-4", "more calls are open than this side said that it takes")
        if self._in_bytes + size > limits.unfinished_body_bytes:
            raise ProtocolViolation("CALL-5", "the bodies of the open calls are more than this side takes")
        if frame.context is not None and frame.context.tracestate is not None and not self._tracestate:
            raise ProtocolViolation("CTX-4", "a tracestate came, which is not switched on")
        if self._theirs.hold_from is None:
            events.append(frame)
        else:
            self._theirs.hold(frame)
        self._next_in = id + 2
        self._in[id] = made_there(frame.shape, size, self.peer_limits.stream_credit, limits.stream_credit)
        self._in_bytes += size

    def _on_cancel(self, frame: Cancel, events: list[Event]) -> None:
        id = frame.id
        call = self._in.get(id)
        if call is None:
            if id & 1 == self._next_out & 1:
                raise ProtocolViolation("CANCEL-1", "a CANCEL came from the receiver of the call")
            if not self._seen(id):
                raise ProtocolViolation("CALL-7", "a CANCEL came for a call that was never made")
            return  # CALL-8: it crossed the terminal
        if call.cancelled:
            raise ProtocolViolation("CANCEL-2", "a call was cancelled twice")
        call.cancelled = call.caller_done = True
        if call.terminal:
            self._close_in(id, call)
        self._emit(id, frame, events)

    def _on_end(self, frame: End, events: list[Event]) -> None:
        id = frame.id
        call = self._in.get(id)
        if call is None:
            if self._ignored(id):
                return
            if id & 1 == self._next_out & 1:
                raise ProtocolViolation("STREAM-2", "an END came from the receiver of the call")
            raise ProtocolViolation("CALL-7", "an END came for a call that is not open")
        if call.caller_done:
            raise ProtocolViolation(
                "STREAM-2", "an END came for a call without a client stream, or after its end"
            )
        call.caller_done = True
        if call.terminal:
            self._close_in(id, call)
        self._emit(id, frame, events)

    def _seen(self, id: int) -> bool:
        """Whether `id` belongs to a call of the other side that came before (and may be closed)."""
        return id & 1 == self._next_in & 1 and id < self._next_in

    def _ignored(self, id: int) -> bool:
        """Clause CALL-13: a call that our GOAWAY said will never run."""
        return self._sent_goaway is not None and id > self._sent_goaway and self._seen(id)

    # --- answers to calls of this side --------------------------------------------------------------------

    def _on_terminal(self, frame: Result | Error, events: list[Event]) -> None:
        id = frame.id
        call = self._out.get(id)
        if call is None:
            raise ProtocolViolation("CALL-7", "a RESULT or ERROR came for a call that is not open")
        if call.caller_done:
            del self._out[id]
            self._out_bytes -= call.body_size
        elif call.terminal:
            raise ProtocolViolation("CALL-6", "a call got a second terminal")
        else:
            call.terminal = True
        self._answered = max(self._answered, id)
        events.append(frame)

    # --- streams ------------------------------------------------------------------------------------------

    def _on_item(self, frame: Item, events: list[Event]) -> None:
        id = frame.id
        cost = len(frame.body) + ITEM_OVERHEAD
        theirs = id & 1 == self._next_in & 1
        call = (self._in if theirs else self._out).get(id)
        if call is None:
            if not theirs or not self._ignored(id):
                raise ProtocolViolation("CALL-7", "an ITEM came for a call that is not open")
            self._granted.charge(cost)
            self._consume(None, id, cost)
            return
        if call.incoming is None:
            raise ProtocolViolation("STREAM-1", "an ITEM came in a direction in which the call has no stream")
        if call.caller_done if theirs else call.terminal:
            raise ProtocolViolation("STREAM-3", "an ITEM came after the end of its stream")
        self._granted.charge(cost)
        call.incoming.charge(cost)
        if not theirs:
            self._answered = max(self._answered, id)
            events.append(frame)
        elif call.failed:
            self._consume(None, id, cost)  # STREAM-4: dropped unread; its references died with the ERROR
        else:
            self._emit(id, frame, events)

    def _on_credit(self, frame: Credit, events: list[Event]) -> None:
        id, more = frame.id, frame.more
        if id == 0:
            self._balance += more
            if self._balance > LARGEST_CREDIT:
                raise ProtocolViolation("CREDIT-3", "the session's credit is above 2^31-1")
            events.append(frame)
            return
        theirs = id & 1 == self._next_in & 1
        call = (self._in if theirs else self._out).get(id)
        if call is None:
            if theirs and id < self._next_in:
                return  # CALL-8: it crossed the terminal
            raise ProtocolViolation("CREDIT-4", "a CREDIT came for a call that is not open")
        if not call.sends:
            raise ProtocolViolation("CREDIT-4", "a CREDIT came for a stream that this side does not send")
        if call.terminal:
            if theirs:
                return  # CALL-8: it crossed the terminal
            raise ProtocolViolation("CREDIT-4", "a CREDIT came for a call that its receiver has answered")
        if not theirs:
            self._answered = max(self._answered, id)
            if call.caller_done:
                return  # it crossed END or CANCEL
        call.balance += more
        if call.balance > LARGEST_CREDIT:
            raise ProtocolViolation("CREDIT-3", "a stream's credit is above 2^31-1")
        hold_from = self._theirs.hold_from
        if not theirs or hold_from is None or id < hold_from:
            events.append(frame)  # else nobody sends on this stream yet

    # --- signs of life, leaving, references ---------------------------------------------------------------

    def _on_ping(self, frame: Ping, events: list[Event]) -> None:
        if frame.counter != self._peer_ping + 1:
            raise ProtocolViolation("KEEP-1", "a PING's counter is not the next one in order")
        self._peer_ping = frame.counter
        if not self._outbox.write_pong(encode(Pong(frame.counter))):
            raise ProtocolViolation("KEEP-1", "a PING came while an earlier one was outstanding")

    def _on_pong(self, frame: Pong, events: list[Event]) -> None:
        if not self._ping_out or frame.counter != self._ping:
            raise ProtocolViolation("KEEP-2", "a PONG came that answers no PING")
        self._ping_out = False
        events.append(frame)

    def _on_goaway(self, frame: Goaway, events: list[Event]) -> None:
        last, before, in_peace = frame.last, self._peer_goaway, frame.code is ErrorCode.NONE
        if self.state is State.OPENING and (last or in_peace):
            raise ProtocolViolation(
                "HELLO-10", "a GOAWAY in place of HELLO has the last id 0 and an error code"
            )
        if before is not None and last > before:
            raise ProtocolViolation("LEAVE-1", "the last id of GOAWAY rose")
        if last == LARGEST_INTEGER:
            if not in_peace:
                raise ProtocolViolation("LEAVE-8", "a GOAWAY with an error code names no last call")
        elif last and (last & 1 != self._next_out & 1 or last >= self._next_out):
            raise ProtocolViolation("LEAVE-8", "the last id of GOAWAY is not that of a call that was made")
        if in_peace and before is not None and (last == before or before < LARGEST_INTEGER):
            raise ProtocolViolation("LEAVE-3", "a GOAWAY in peace came after the final one, or twice")
        if in_peace and last < self._answered:
            raise ProtocolViolation("LEAVE-3", "a GOAWAY in peace is below a call for which a frame came")
        self._peer_goaway = last
        self._most_calls = 0
        for id in [id for id in self._out if id > last]:
            self._close_out(id, self._out[id])
        if not in_peace:
            self.shut()
        events.append(frame)

    def _on_release(self, frame: Release, events: list[Event]) -> None:
        # a call that is held back may use the reference, so its RELEASE waits too
        self._emit(self._next_in - 2, frame, events)

    # the frame that `decode` gives for a kind is of the class that its reaction takes
    _REACTIONS: ClassVar[tuple[Callable[[Any, Any, list[Any]], None], ...]] = (
        _on_hello,
        _on_auth,
        _on_challenge,
        _on_accepted,
        _on_accepted,  # never: `decode` refuses the kind that is kept free
        _on_call,
        _on_terminal,
        _on_terminal,
        _on_cancel,
        _on_item,
        _on_end,
        _on_credit,
        _on_ping,
        _on_pong,
        _on_goaway,
        _on_release,
    )
    # the same during an opening exchange: CALL (5), CANCEL to CREDIT (8 to 11) and RELEASE (15) may have to wait
    _PROVING: ClassVar[tuple[Callable[[Any, Any, list[Any]], None], ...]] = (
        *_REACTIONS[:5],
        _on_held,
        *_REACTIONS[6:8],
        *(_on_held,) * 4,
        *_REACTIONS[12:15],
        _on_held,
    )
