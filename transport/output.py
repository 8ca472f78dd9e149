"""The one writer of a session: many tasks queue frames, one writes them (style: one writer per session).

A frame that is alone goes out at once, from the task that made it: a sequential caller then waits for no other
task. Under load the writer task gets its turn after all tasks that are ready now, so that what they queue leaves in
one system call; once `EARLY` frames wait they leave at once, so that the other side works while this one does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from graftwire.protocol.connection import Connection
from graftwire.protocol.errors import LinkError

from .link import Buffer, Link

EARLY: Final = 24  # frames that wait before one send is made ahead of the writer's turn
HIGH: Final = 1_048_576  # bytes queued above which tasks wait before they queue more
LOW: Final = 262_144  # bytes queued below which they go on


class Output:
    """Writes what `conn` queues to `link`. `lost` is called once, with the error, when the link is gone."""

    def __init__(self, link: Link, conn: Connection, lost: Callable[[LinkError], None]) -> None:
        self._link = link
        self._conn = conn
        self._lost = lost
        self._task: trio.lowlevel.Task | None = None
        self._parked = False
        self._busy = False  # the writer is sending, or has a rest to send: nobody else may
        self._fresh = 0
        self._rest: memoryview | None = None
        self._failed = False
        self._over = False  # the writer task has ended
        self._cut = False  # it was cancelled in the middle of a send: nothing can follow
        self._waiters = trio.lowlevel.ParkingLot()
        self.last_write = trio.current_time()
        self.blocked_since: float | None = None

    def nudge(self, alone: bool = False) -> None:
        """Say that a frame was queued. `alone`: nothing else is expected to follow soon."""
        if self._busy or self._failed:
            return
        self._fresh += 1
        if alone or self._fresh >= EARLY:
            self._send_now()
        elif self._parked:
            self._wake()

    def _wake(self) -> None:
        task = self._task
        if self._parked and task is not None:
            self._parked = False
            trio.lowlevel.reschedule(task)

    def _join(self) -> bytes:
        self._fresh = 0
        frames = self._conn.take()
        return frames[0] if len(frames) == 1 else b"".join(frames)

    def _send_now(self) -> None:
        if not self._conn.has_output:
            return
        data = self._join()
        try:
            sent = self._link.send_nowait(data)
        except LinkError as error:
            self._fail(error)
            return
        if sent < len(data):
            self._rest = memoryview(data)[sent:]
            self._busy = True
            self._wake()
        elif self._conn.has_output:
            self._wake()

    def _fail(self, error: LinkError) -> None:
        self._failed = True
        self._waiters.unpark_all()
        self._lost(error)

    async def run(self) -> None:
        """Write until cancelled, or until the link is gone."""
        self._task = trio.lowlevel.current_task()
        conn, link = self._conn, self._link
        try:
            while True:
                if self._rest is None and not conn.has_output:
                    self._busy = False
                    self._waiters.unpark_all()
                    self._parked = True
                    await trio.lowlevel.wait_task_rescheduled(self._abort)
                    continue
                self._busy = True
                self.blocked_since = self.last_write = trio.current_time()
                if self._rest is not None:
                    rest, self._rest = self._rest, None
                    await self._send(rest)
                else:
                    data = self._join()
                    sent = link.send_nowait(data)
                    if sent < len(data):
                        await self._send(memoryview(data)[sent:] if sent else data)
                self.blocked_since = None
                if self._waiters and conn.queued < LOW:
                    self._waiters.unpark_all()
        except LinkError as error:
            self._fail(error)
        finally:
            self._busy = self._over = True  # from here on only `flush` writes
            self._waiters.unpark_all()

    async def _send(self, data: Buffer) -> None:
        self._cut = True
        await self._link.send(data)
        self._cut = False

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._parked = False
        return trio.lowlevel.Abort.SUCCEEDED

    @property
    def full(self) -> bool:
        """Whether so much is queued that `room` would wait."""
        return self._conn.queued > HIGH

    async def room(self, most: int = HIGH) -> None:
        """Wait until at most so much is queued: this is how a slow reader at the other end reaches who sends."""
        while self._conn.queued > most and not self._failed:
            await self._waiters.park()

    async def flush(self) -> None:
        """Wait until all that is queued was handed to the link. Raises LinkError if it is gone.

        Where the writer task was cancelled between two sends, this sends what it has left.
        """
        self.nudge()
        while not (self._over or self._failed) and (self._busy or self._conn.has_output):
            await self._waiters.park()
        if self._over and not (self._failed or self._cut):
            if self._rest is not None:
                rest, self._rest = self._rest, None
                await self._link.send(rest)
            while self._conn.has_output:
                await self._link.send(self._join())
