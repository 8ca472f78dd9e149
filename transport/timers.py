"""The clock of a session: one task for its deadlines, its keepalive and the bounds on slow peers.

Deadlines of calls live in a heap instead of in cancel scopes, because setting and clearing a scope's deadline for
each call costs a fifth of the calls a second.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Final

import trio

_COMPACT_ABOVE: Final = 256  # entries; a heap with more, most of them of calls long over, is built anew


class Timers:
    """Calls `expire(id)` when a call's deadline passes, and `tick(now)`, which returns when it wants to run again."""

    def __init__(self, expire: Callable[[int], None], tick: Callable[[float], float]) -> None:
        self._expire = expire
        self._tick = tick
        self._heap: list[tuple[float, int]] = []
        self._live: dict[int, float] = {}
        self._scope: trio.CancelScope | None = None
        self._wake_at = math.inf

    def add(self, id: int, deadline: float) -> None:
        """Watch the deadline (trio's clock, seconds) of a call."""
        self._live[id] = deadline
        heapq.heappush(self._heap, (deadline, id))
        if deadline < self._wake_at:
            self.wake(deadline)

    def remove(self, id: int) -> None:
        """The call is over."""
        if self._live.pop(id, None) is not None and len(self._heap) > max(
            _COMPACT_ABOVE, 2 * len(self._live)
        ):
            self._heap = [(deadline, id) for id, deadline in self._live.items()]
            heapq.heapify(self._heap)

    def wake(self, at: float) -> None:
        """Run `tick` no later than at that time."""
        if at < self._wake_at:
            self._wake_at = at
            if self._scope is not None:
                self._scope.deadline = at

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            now = trio.current_time()
            self._wake_at = self._tick(now)
            while self._heap and self._heap[0][0] <= now:
                deadline, id = heapq.heappop(self._heap)
                if self._live.get(id) == deadline:
                    del self._live[id]
                    self._expire(id)
            if self._heap:
                self._wake_at = min(self._wake_at, self._heap[0][0])
            with trio.CancelScope(deadline=self._wake_at) as self._scope:
                await trio.sleep_forever()
