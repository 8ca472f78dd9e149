"""A call of this side that has streams, as the code that makes it sees it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from graftwire.protocol import frames
from graftwire.protocol.errors import CallError

from .raising import after_scopes, fresh

if TYPE_CHECKING:
    from .calling import Calling
    from .items import Items
    from .session import Session


class OutgoingCall:
    """An open call with a server stream, a client stream, or both.

    Made by `Session.open`, which cancels the call if it is left before its end. `next_item` gives the receiver's
    items, `send` and `end` are the caller's stream, `result` waits for the terminal.
    """

    def __init__(self, session: Session, calling: Calling, outgoing: Items, id: int, shape: int) -> None:
        self._session = session
        self._calling = calling
        self._outgoing = outgoing
        self.id = id
        self.shape = shape
        self.sending = shape >= frames.CLIENT_STREAM  # whether items can still be sent
        self._items: deque[bytes] = deque()
        self._terminal: frames.Result | CallError | None = None
        self._lost = False  # `_terminal` is of this side's making: no answer can come any more
        self._changed = trio.lowlevel.ParkingLot()

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
                    raise await after_scopes(fresh(self._terminal))
                return None
            await self._changed.park()
        body = self._items.popleft()
        self._session.consumed(self.id, len(body))
        return body

    async def send(self, body: bytes, sent_references: list[int] | None = None) -> None:
        """Send an item of the caller's stream; waits for credit, and while too much is queued.

        After an early end of the call nothing more is sent: returns at once, and `result` says what happened. Raises
        TooLarge for an item that does not fit into a frame, Unavailable if the session is over or the call never ran.
        `sent_references` are those in the body.
        """
        sent = False
        try:
            if self.sending:
                sent = await self._outgoing.send(self, body)
            else:
                await trio.lowlevel.checkpoint()
        finally:
            if sent_references is not None:
                if sent:
                    self._calling.carries(self.id, sent_references)
                else:
                    self._session.references.kill(sent_references)  # they never left
        if self._lost:
            assert isinstance(self._terminal, CallError)
            raise fresh(self._terminal)

    def end(self) -> None:
        """Say that this stream has no more items. Later calls do nothing."""
        if self.sending:
            self.sending = False
            self._calling.end(self.id)
            self._outgoing.changed()

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
            raise fresh(self._terminal)
        return self._terminal.body

    def close(self) -> None:
        """Leave the call: cancel it if it is not over, throw away what nobody took. For `Session.open`."""
        if self._terminal is None:
            self.sending = False
            self._calling.cancel(self.id)
            self._outgoing.changed()
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
        """The terminal came: this side's stream ends with it, at once, so that the call is closed (STREAM-6)."""
        self._terminal = terminal
        self.end()
        self._changed.unpark_all()

    def lose(self, error: CallError) -> None:
        """No terminal can come: the session is over, or the call never ran."""
        if self._terminal is None:
            self._lost = True
            self.finish(error)
