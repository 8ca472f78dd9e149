"""Who may make a call now, and who waits: the other side takes so many calls, and so many bytes of their bodies.

Callers go in order of arrival, but for one thing: while the first in the row waits for bytes, those behind it may
pass with what it does not need, which is all but one slot and its own bytes. So a large call waits for none but the
calls that were made before it came to the front, however many small ones pass it, and no small one waits for it.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from graftwire.protocol.connection import Connection

LOOK_AHEAD: Final = (
    64  # places behind the first from which a caller may pass it: this bounds what one look costs
)


class Turn:
    """A caller's place in the row, and then the slot that is kept for it until `Slots.settle`."""

    __slots__ = ("granted", "passed", "size", "task")

    def __init__(self, size: int) -> None:
        self.size = size  # bytes of the call's body
        self.task = trio.lowlevel.current_task()
        self.granted = False
        self.passed = 0  # the number of the front that it went past; 0: of none


class Slots:
    """The slots for calls of this side.

    Who finds somebody `waiting`, or a slot `kept` by a turn that was granted and is not settled, or none `free`,
    takes a turn; others need none.
    """

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.waiting: deque[Turn] = deque()
        self.kept = self._kept_bytes = 0
        self._front = 1  # goes up whenever another turn is the first
        self._past = self._past_bytes = 0  # what went past this front and is not over
        self._open_past: dict[int, int] = {}  # the calls among that: id -> bytes

    def free(self, size: int) -> bool:
        """Whether there is room for a call with a body of that many bytes, whoever waits."""
        conn = self._conn
        room = conn.calls_out + self.kept < conn.peer_limits.calls_in_flight
        return room and conn.may_call(size + self._kept_bytes)

    def seize(self, size: int) -> Turn:
        """A turn ahead of all who wait, where room is `free`: for a caller that must not wait."""
        turn = Turn(size)
        self._grant(turn)
        return turn

    async def turn(self, size: int) -> Turn | None:
        """Wait for a slot, which is kept until `settle`. None: something else has changed, so look again."""
        turn = Turn(size)
        waiting = self.waiting
        if self._passes(turn) if 0 < len(waiting) <= LOOK_AHEAD else not waiting and self.free(size):
            self._grant(turn)
            return turn
        waiting.append(turn)

        def abort(_: object) -> trio.lowlevel.Abort:
            was_first = self.waiting[0] is turn
            self.waiting.remove(turn)
            if was_first:
                self._new_front()
            self.changed()
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        return turn if turn.granted else None

    def settle(self, turn: Turn, id: int | None) -> None:
        """The slot of a turn is taken by call `id`, or was not needed (None) and is the next one's."""
        self.kept -= 1
        self._kept_bytes -= turn.size
        if turn.passed == self._front:
            if id is not None:
                self._open_past[id] = turn.size
            else:
                self._forget_past(turn.size)
        if id is None:
            self.changed()

    def changed(self, id: int = 0) -> None:
        """There may be room, as call `id` may be closed: let go on who can."""
        if id in self._open_past and not self._conn.is_open(id):
            self._forget_past(self._open_past.pop(id))
        waiting = self.waiting
        while waiting and self.free(waiting[0].size):
            turn = waiting.popleft()
            self._new_front()
            self._grant(turn)
            trio.lowlevel.reschedule(turn.task)
        if len(waiting) > 1 and self.free(0):
            for turn in list(islice(waiting, 1, 1 + LOOK_AHEAD)):
                if self._passes(turn):
                    waiting.remove(turn)
                    self._grant(turn)
                    trio.lowlevel.reschedule(turn.task)

    def wake_all(self) -> None:
        """No call can be made any more: all who wait look why."""
        waiting, self.waiting = self.waiting, deque()
        self._new_front()
        for turn in waiting:
            trio.lowlevel.reschedule(turn.task)

    def _passes(self, turn: Turn) -> bool:
        """Whether a turn may go past the first one, which then still can go when all from before it is over."""
        limits, first = self._conn.peer_limits, self.waiting[0]
        if (
            not self.free(turn.size)
            or self._past + 2 > limits.calls_in_flight
            or self._past_bytes + turn.size + first.size > limits.unfinished_body_bytes
        ):
            return False
        turn.passed = self._front
        self._past += 1
        self._past_bytes += turn.size
        return True

    def _grant(self, turn: Turn) -> None:
        turn.granted = True
        self.kept += 1
        self._kept_bytes += turn.size

    def _forget_past(self, size: int) -> None:
        self._past -= 1
        self._past_bytes -= size

    def _new_front(self) -> None:
        """Another turn is the first: for it, all that has gone so far was there before."""
        self._front += 1
        self._open_past.clear()
        self._past = self._past_bytes = 0
