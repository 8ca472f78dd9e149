"""Authentication, which is per direction: one exchange of AUTH and CHALLENGE at a time (clauses AUTH-1 to AUTH-6).

    AUTH  ->  ACCEPTED                         the exchange is over
          ->  CHALLENGE, AUTH  ->  …           a further round; at most `AUTH_ROUNDS` AUTHs
          ->  GOAWAY(unauthenticated)          refused: the session is over

What an exchange proves is not decided here.
"""

from __future__ import annotations

from .errors import ErrorCode, LocalProtocolError, ProtocolViolation
from .framereading import decode
from .frametypes import Call, Cancel, Credit, End, Item, Release
from .framewriting import encode
from .limits import AUTH_ROUNDS, HELD_RELEASES

Holdable = Call | Cancel | Item | End | Credit | Release


class OwnExchange:
    """The authentication of this side towards the other.

    `active`: an exchange has begun and is not over; `waiting`: an AUTH was sent that has no answer yet; `rounds`:
    how many AUTHs of it were sent.
    """

    __slots__ = ("active", "rounds", "waiting")

    def __init__(self) -> None:
        self.active = self.waiting = False
        self.rounds = 0

    def send(self) -> None:
        """An AUTH is about to be sent."""
        if self.waiting:
            raise LocalProtocolError("AUTH-2", "an AUTH of this side still waits for its outcome")
        self.active = self.waiting = True
        self.rounds += 1

    def challenged(self) -> None:
        """CHALLENGE came."""
        if not self.waiting:
            raise ProtocolViolation("AUTH-4", "a CHALLENGE came without an AUTH that waits")
        if self.rounds == AUTH_ROUNDS:
            raise ProtocolViolation("AUTH-3", "an exchange has more than 8 rounds")
        self.waiting = False

    def accepted(self) -> None:
        """ACCEPTED came."""
        if not self.waiting:
            raise ProtocolViolation("AUTH-4", "an ACCEPTED came without an AUTH that waits")
        self.active = self.waiting = False
        self.rounds = 0


class PeerExchange:
    """The authentication of the other side towards this one, and what waits for its outcome (clause AUTH-6).

    `hold_from`: while an exchange is active, the least id of a call of the other side that waits; None otherwise.
    `waiting`: an AUTH came that was not answered yet. `calls`: how many CALLs wait.

    Frames that wait are kept as the bytes that they came as: as objects they would take many times as much, and a
    side that has not been accepted yet must not get much of this one's memory.
    """

    __slots__ = ("_held", "_releases", "calls", "hold_from", "rounds", "waiting")

    def __init__(self) -> None:
        self.hold_from: int | None = None
        self.waiting = False
        self.rounds = self.calls = 0
        self._held = bytearray()
        self._releases = 0

    def received(self, next_id: int) -> None:
        """AUTH came; `next_id` is what the other side's next call will have."""
        if self.waiting:
            # so is a ninth one (AUTH-3): `challenge` does not ask for it
            raise ProtocolViolation("AUTH-2", "an AUTH came while an earlier one waits for its outcome")
        if self.hold_from is None:
            self.hold_from = next_id
        self.waiting = True
        self.rounds += 1

    def hold(self, frame: Holdable) -> None:
        """Keep a frame until the outcome is known.

        All but RELEASEs are bounded by this side's limits, or in an opening exchange by the early ones.
        """
        if type(frame) is Call:
            self.calls += 1
        elif type(frame) is Release:
            self._releases += 1
            if self._releases > HELD_RELEASES:
                raise ProtocolViolation(
                    "AUTH-6", "too much waits for an AUTH's outcome", ErrorCode.OVERLOADED
                )
        self._held += encode(frame)

    def challenge(self) -> None:
        """A CHALLENGE is about to be sent."""
        self.require()
        if self.rounds == AUTH_ROUNDS:
            raise LocalProtocolError("AUTH-3", "an exchange has at most 8 rounds")
        self.waiting = False

    def require(self) -> None:
        """Raise LocalProtocolError unless an AUTH waits for an answer."""
        if not self.waiting:
            raise LocalProtocolError("AUTH-4", "the other side has no AUTH that waits for an answer")

    def settle(self) -> list[Holdable]:
        """The AUTH is accepted: the exchange is over. Returns what waited, in order."""
        self.require()
        held = bytes(self._held)
        self.drop()
        frames: list[Holdable] = []
        position = 0
        while position < len(held):
            start = position + 4
            position = start + int.from_bytes(held[position:start], "big")
            frame = decode(memoryview(held)[start:position])
            assert isinstance(frame, Holdable)
            frames.append(frame)
        return frames

    def drop(self) -> None:
        """End the exchange, and forget what waits."""
        self.hold_from = None
        self.waiting = False
        self.rounds = self.calls = 0
        self._held = bytearray()
        self._releases = 0
