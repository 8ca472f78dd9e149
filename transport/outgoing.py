"""A call of this side that has streams, as the code that makes it sees it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from graftwire.protocol import frames
from graftwire.protocol.errors import CallError

if TYPE_CHECKING:
    from .session import Session


class OutgoingCall:
    """An open call with a server stream, a client stream, or both.

    Made by `Session.open`, which cancels the call if it is left before its end. `next_item` gives the receiver's
    items, `send` and `end` are the caller's stream, `result` waits for the terminal.
    """

    def __init__(self, session: Session, shape: int) -> None:
        self._session = session
        self.shape = shape
        self.id = 0
        self._items: deque[bytes] = deque()
        self._terminal: frames.Result | CallError | None = None
        self._changed = trio.lowlevel.ParkingLot()
        self._sending = shape >= frames.CLIENT_STREAM

    @property
    def over(self) -> bool:
        """Whether the terminal has come."""
        return self._terminal is not None

    async def next_item(self) -> bytes | None:
        """The body of the receiver's next item; None after the last one.

        Raises the call's error, after the items that came before it.
        """
        if self._items:
            await trio.lowlevel.checkpoint()
        while not self._items:
            if self._terminal is not None:
                if isinstance(self._terminal, CallError):
                    raise self._terminal
                return None
            await self._changed.park()
        body = self._items.popleft()
        self._session.consumed(self.id, len(body))
        return body

    async def send(self, body: bytes) -> None:
        """Send an item of the caller's stream; waits for credit, and while too much is queued.

        After an early end of the call nothing more is sent: returns at once, and `result` says what happened.
        """
        if not self._sending:
            await trio.lowlevel.checkpoint()
            return
        await self._session.send_item(self.id, body)

    def end(self) -> None:
        """Say that this stream has no more items. Later calls do nothing."""
        if self._sending:
            self._sending = False
            self._session.end_stream(self.id)

    async def result(self) -> bytes:
        """The body of the result, once the call is over; items that were not taken are thrown away.

        Raises the call's error.
        """
        while self._terminal is None:
            self._throw_away()
            await self._changed.park()
        self._throw_away()
        await trio.lowlevel.checkpoint()
        if isinstance(self._terminal, CallError):
            raise self._terminal
        return self._terminal.body

    def close(self) -> None:
        """Leave the call: cancel it if it is not over, throw away what nobody took. For `Session.open`."""
        if self._terminal is None:
            self._sending = False
            self._session.cancel_call(self.id)
        else:
            self.end()
        self._throw_away()

    def _throw_away(self) -> None:
        while self._items:
            body = self._items.popleft()
            self._session.discarded(self.id, body)

    # --- the session's side ------------------------------------------------------------------------------------------

    def feed(self, body: bytes) -> None:
        """An item came."""
        self._items.append(body)
        self._changed.unpark_all()

    def finish(self, terminal: frames.Result | CallError) -> None:
        """The terminal came, or the session is over."""
        if self._terminal is None:
            self._terminal = terminal
            self._changed.unpark_all()
