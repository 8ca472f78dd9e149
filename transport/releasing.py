"""RELEASEs for what this side was given and does not want: in slices, so that many hold up neither calls nor memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import trio

from graftwire.protocol.errors import ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graftwire.protocol.connection import Connection

    from .output import Output
    from .session import Session

SLICE: Final = 512  # RELEASEs that are queued without looking whether there is room
QUEUED: Final = 65_536  # bytes that may wait to be written before the next slice
MOST_HELD: Final = 64 * 2**20  # bytes of bodies that wait; a peer that sends more is given up


class Releases:
    """Sends the RELEASEs of a session.

    `nursery` has to be set while the session runs: what is more than a slice goes out in a task of its own.
    """

    def __init__(self, session: Session, conn: Connection, output: Output) -> None:
        self._session = session
        self._conn = conn
        self._output = output
        self._waiting: deque[tuple[Iterator[int], int]] = deque()
        self._held = 0  # bytes that are kept for those
        self._running = False
        self.nursery: trio.Nursery | None = None

    def one(self, reference: int) -> None:
        """Send RELEASE for one reference."""
        if self._session.ending is None:
            self._conn.release(reference)
            self._output.nudge()

    def all(self, references: Iterator[int], size: int) -> None:
        """Send RELEASE for each of `references`, which is kept until then with the `size` bytes that it reads from.

        A 0 among them is a good place for a pause; a ProtocolViolation that it raises ends the session.
        """
        if self._session.ending is not None or (not self._waiting and self._slice(references)):
            return
        self._waiting.append((references, size))
        self._held += size
        if self._held > MOST_HELD:
            self._session.give_up("the other side gives references faster than it takes them back")
        elif not self._running and self.nursery is not None:
            self._running = True
            self.nursery.start_soon(self._run)

    async def _run(self) -> None:
        while self._waiting and self._session.ending is None:
            await trio.lowlevel.checkpoint()
            await self._output.room(QUEUED)
            references, size = self._waiting[0]
            if self._slice(references):
                self._waiting.popleft()
                self._held -= size
        self._waiting.clear()
        self._held = 0
        self._running = False

    def _slice(self, references: Iterator[int]) -> bool:
        """Queue some; returns whether those were all."""
        conn, left = self._conn, SLICE
        try:
            for reference in references:
                if reference:
                    conn.release(reference)
                    left -= 1
                if not (left and reference):
                    return False
        except ProtocolViolation as violation:
            self._session.violated(violation)
        finally:
            if left < SLICE:
                self._output.nudge()
        return True
