"""What both halves of a session's state machine share: `Sending` (sending.py) and `Connection` (connection.py)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, ClassVar, Final

from .calls import OpenCall
from .credit import Allowance
from .errors import ErrorCode, LocalProtocolError, ProtocolViolation
from .exchange import OwnExchange, PeerExchange
from .frametypes import Credit, Goaway, Hello
from .framewriting import encode
from .limits import EARLY_TOTAL, LARGEST_INTEGER, LEAST, Limits
from .outbox import Outbox
from .writer import head

VERSION: Final = 1


class Role(Enum):
    """Which end of the session this is."""

    INITIATOR = auto()
    ACCEPTOR = auto()


class State(Enum):
    """Where the session stands."""

    OPENING = auto()
    OPEN = auto()
    CLOSED = auto()


class Core:
    """The state of a session, and what may be asked about it at any time. Not for use on its own."""

    __slots__ = (
        "_answered",
        "_balance",
        "_early_left",
        "_granted",
        "_in",
        "_in_bytes",
        "_kept",
        "_most_body_bytes",
        "_most_calls",
        "_needed",
        "_next_in",
        "_next_out",
        "_offered",
        "_ours",
        "_out",
        "_out_bytes",
        "_outbox",
        "_peer_goaway",
        "_peer_hello",
        "_peer_ping",
        "_ping",
        "_ping_out",
        "_proving",
        "_reactions",
        "_sent_goaway",
        "_theirs",
        "_tracestate",
        "_unchecked",
        "_versions",
        "limits",
        "peer_limits",
        "role",
        "state",
    )

    _REACTIONS: ClassVar[tuple[Callable[[Any, Any, list[Any]], None], ...]] = ()  # by kind of frame

    def __init__(
        self,
        role: Role,
        limits: Limits | None = None,
        *,
        versions: tuple[int, ...] = (VERSION,),
        tracestate: bool = False,
    ) -> None:
        initiator = role is Role.INITIATOR
        self.role = role
        self.limits = limits if limits is not None else Limits()
        self.peer_limits = LEAST
        self.state = State.OPENING
        self._versions = versions
        self._offered = 1  # versions in the initiator's HELLO
        self._peer_hello: Hello | None = None
        self._tracestate = tracestate
        # reading
        self._kept = bytearray()  # the start of a frame that is not whole yet
        self._needed = 0  # bytes of that frame, as far as known
        self._early_left: int | None = EARLY_TOTAL  # None: the other side may send in full
        self._unchecked = (
            0  # bytes of the largest frame that needs no look at the rules for the start of a session
        )
        self._proving = False  # the other side's opening AUTH has no outcome yet
        self._reactions = self._REACTIONS
        # calls: of this side ("out") and of the other side ("in"), by id
        self._next_out, self._next_in = (1, 2) if initiator else (2, 1)
        self._out: dict[int, OpenCall] = {}
        self._in: dict[int, OpenCall] = {}
        self._out_bytes: int = 0
        self._in_bytes: int = 0
        self._answered = 0  # the highest id of a call of this side for which a frame came back
        self._most_calls = LEAST.calls_in_flight
        self._most_body_bytes = LEAST.unfinished_body_bytes
        # credit of the session: what this side may still send, and what the other side may
        self._balance: int = LEAST.session_credit
        self._granted = Allowance(self.limits.session_credit, self.limits.session_credit)
        # authentication: of this side towards the other, and of the other side towards this one
        self._ours = OwnExchange()
        self._theirs = PeerExchange()
        # signs of life, leaving
        self._ping: int = 0
        self._peer_ping: int = 0
        self._ping_out = False
        self._sent_goaway: int | None = None
        self._peer_goaway: int | None = None
        # writing
        self._outbox = Outbox()
        if initiator:
            self._outbox.dial(encode(Hello(versions, self.limits)), pipelined=len(versions) == 1)

    # --- what is known ------------------------------------------------------------------------------------

    @property
    def calls_out(self) -> int:
        """How many calls of this side are open."""
        return len(self._out)

    @property
    def calls_in(self) -> int:
        """How many calls of the other side are open, those that wait for an AUTH's outcome included."""
        return len(self._in) + self._theirs.calls if self._proving else len(self._in)

    @property
    def last_in(self) -> int:
        """The last of the other side's calls that was handed out as an event; 0 if there was none.

        Calls that wait for the outcome of an AUTH, or that came after a final GOAWAY of this side, don't count.
        """
        hold_from = self._theirs.hold_from
        last = max((self._next_in if hold_from is None else hold_from) - 2, 0)
        return last if self._sent_goaway is None else min(last, self._sent_goaway)

    @property
    def hellos(self) -> tuple[bytes, bytes]:
        """Both HELLO frames, the initiator's first, without their length prefixes: what a proof can be bound to.

        Raises LocalProtocolError before the other side's HELLO was read.
        """
        theirs = self._peer_hello
        if theirs is None:
            raise LocalProtocolError("HELLO-7", "the other side's HELLO was not read yet")
        initiator = self.role is Role.INITIATOR
        own = Hello(
            self._versions if initiator else (max(set(theirs.versions) & set(self._versions)),), self.limits
        )
        first, second = (own, theirs) if initiator else (theirs, own)
        return encode(first)[4:], encode(second)[4:]

    @property
    def peer_is_leaving(self) -> bool:
        """Whether the other side's GOAWAY was read: it takes no new calls."""
        return self._peer_goaway is not None

    @property
    def said_last(self) -> bool:
        """Whether this side's GOAWAY has named the last call of the other side that runs."""
        return self._sent_goaway is not None and self._sent_goaway < LARGEST_INTEGER

    @property
    def queued(self) -> int:
        """How many bytes wait to be taken."""
        return self._outbox.queued

    @property
    def has_output(self) -> bool:
        """Whether `take` has something to give."""
        return bool(self._outbox)

    @property
    def partial(self) -> int:
        """How many bytes of an unfinished frame are held (clause KEEP-4 wants them to grow)."""
        return len(self._kept)

    @property
    def ping_outstanding(self) -> bool:
        """Whether a PING of this side has not been answered yet."""
        return self._ping_out

    @property
    def authenticating(self) -> bool:
        """Whether this side's AUTH still waits for its outcome."""
        return self._ours.active

    @property
    def peer_authenticating(self) -> bool:
        """Whether the other side's AUTH, and what came after it, still waits for its outcome."""
        return self._theirs.hold_from is not None

    def is_open(self, id: int) -> bool:
        """Whether the call of that id, of either side, is open."""
        return id in self._out or id in self._in

    def may_call(self, body_size: int) -> bool:
        """Whether `call` with a body of that many bytes is possible now; otherwise wait until a call is over."""
        return len(self._out) < self._most_calls and self._out_bytes + body_size <= self._most_body_bytes

    def fits(self, id: int, body_size: int, *, code: bool = False) -> bool:
        """Whether an ITEM of that call, or an ERROR (`code`), with a body of that size may be sent."""
        header = 2 + len(head(0, id)) + (1 if code else 0) + len(head(0x40, body_size))
        return header + body_size <= self.peer_limits.largest_frame

    def may_send_item(self, id: int) -> bool:
        """Whether `item` is possible now on that call (clause CREDIT-2); otherwise wait for a Credit event."""
        call = self._out.get(id) or self._in.get(id)
        return call is not None and call.balance > 0 and self._balance > 0

    # --- what both halves do ------------------------------------------------------------------------------

    def _consume(self, call: OpenCall | None, id: int, cost: int) -> None:
        """An item of the other side was used; `call` is None where only the session's credit goes back."""
        due = self._granted.give_back(cost)
        if due:
            self._outbox.credit(0, due)
        if call is None or call.incoming is None:
            return
        due = call.incoming.give_back(cost)
        if not due:
            return
        if call.sends:
            # ORDER-1: what this side sends for this call may be queued, and control frames never pass within a call
            self._outbox.write(encode(Credit(id, due)))
        else:
            self._outbox.credit(id, due)

    def _close_out(self, id: int, call: OpenCall) -> None:
        del self._out[id]
        self._out_bytes -= call.body_size

    def _close_in(self, id: int, call: OpenCall) -> None:
        del self._in[id]
        self._in_bytes -= call.body_size

    def _stop(self, *last: bytes) -> None:
        """Take nothing more, and send nothing but `last`."""
        self.state = State.CLOSED
        self._kept = bytearray()
        self._theirs.drop()
        self._outbox.close(*last)
        self._most_calls = 0

    def _close(self, code: ErrorCode, before: int | None = None) -> None:
        """Queue the last frame of the session in place of everything else that waits (clause LEAVE-4)."""
        if self.state is State.CLOSED:
            return
        last = self.last_in
        if before is not None:
            last = max(min(last, before - 2), 0)
        self._stop(encode(Goaway(last, code)))

    def fail(self, violation: ProtocolViolation, *, before: int | None = None) -> None:
        """End the session for what the other side did, where only the core's user could see it (a reference).

        `before` is the call that broke the rule, if one did: it and those behind it, which were handed out, have not
        run and won't (LEAVE-4, LEAVE-5).
        """
        self._close(violation.code, before)

    def shut(self) -> None:
        """The link is gone: drop all that is queued and take nothing more."""
        self._stop()
