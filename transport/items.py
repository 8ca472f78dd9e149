"""Items on their way out, of calls in both directions: they wait for credit, and while too much is queued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import trio

from graftwire.protocol.errors import TooLarge

if TYPE_CHECKING:
    from graftwire.protocol.connection import Connection

    from .output import Output
    from .session import Session


class Sender(Protocol):
    """A call that this side sends items for; `sending` says whether it still may."""

    @property
    def id(self) -> int: ...
    @property
    def sending(self) -> bool: ...


class Items:
    """Sends the items of a session's calls."""

    def __init__(self, session: Session, conn: Connection, output: Output) -> None:
        self._session = session
        self._conn = conn
        self._output = output
        self._credit = trio.lowlevel.ParkingLot()

    async def send(self, call: Sender, body: bytes) -> bool:
        """Send an item, when there is credit and room for it. False: its stream is over, nothing was sent.

        Raises TooLarge for an item that does not fit into a frame. Where this raises, nothing was sent either.
        """
        conn, output = self._conn, self._output
        await trio.lowlevel.checkpoint_if_cancelled()
        if not conn.fits(call.id, len(body)):
            await self._session.opened.wait()  # before, only what every peer takes is known
            if self._session.ending is None and not conn.fits(call.id, len(body)):
                raise TooLarge(
                    f"the item is larger than the {conn.peer_limits.largest_frame} bytes that the other side takes "
                    "in one frame; send it in parts"
                )
        session = self._session
        while call.sending and session.ending is None:
            if output.full:
                await output.room()
            elif conn.may_send_item(call.id):
                conn.item(call.id, body)
                output.nudge()
                return True
            elif conn.is_open(call.id):
                await self._credit.park()
            else:
                break
        return False

    def changed(self) -> None:
        """Credit came, or a stream is over: who waits looks again."""
        self._credit.unpark_all()
