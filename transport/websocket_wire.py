"""The WebSocket below a link: trio-websocket, with its reader under control.

trio-websocket (0.12) does what RFC 6455 asks of an endpoint: frames, masks, pings, the close handshake. Its
handlers are overridden where what they do does not fit a session:

- it hands on whole messages through a queue of messages, so that its reader blocks on the application, and a
  large message is held in memory, unseen until its end. Here the bytes of a message are handed on as they
  come, through an inbox that is bounded in bytes: a session sees and bounds them as on any other link;
- a ping after this end has closed makes its reader fail;
- it echoes the text of a close, and writes texts of its own (clause WS-5: they are empty);
- when it can't parse what comes, it tells the other end nothing, and a client reads on without a bound;
- after a write that was cancelled half way it goes on writing: pongs, and the close;
- what breaks its reader cancels the task that uses the connection, and comes out of it in a group.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import suppress
from typing import Final

import trio
import trio_websocket
from wsproto import WSConnection
from wsproto.connection import Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import LocalProtocolError

from graftwire.protocol.errors import LinkClosed, LinkError, ProtocolViolation

from .link import Buffer
from .messages import FrameWalk
from .streams import LinkStream

INBOX: Final = 196_608  # bytes that wait for `receive` at which the reader stops reading
READ: Final = 65_536  # bytes read at a time; with INBOX, `receive` never gives more than 256 KiB
FRAGMENT: Final = 65_536  # bytes of a message written at a time: pongs and other tasks come in between

# What a close code of the other end says, and what to do about it (RFC 6455, 7.4.1). Its text is never shown.
CLOSED_BECAUSE: Final[dict[int, str]] = {
    1002: "it found a fault in what this end sent; check any proxy in between",
    1003: "it does not take such messages; check that both ends speak the same protocol",
    1007: "it does not take such content; check that both ends speak the same protocol",
    1008: "its rules forbid this connection; ask who runs it",
    1009: "a message was too large for it; send large values as a stream",
    1011: "it failed; its log may say why",
    1012: "it restarts; connect again in a moment",
    1013: "it is overloaded; connect again later",
}
ORDERLY: Final = frozenset({1000, 1001, 1005})  # done, going away, and closed in order without any code
VANISHED: Final = 1006  # never sent: the connection ended without a close


class Inbox:
    """The bytes between the reader and `receive`, bounded, and how they end. One task puts, one takes."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._fault: ProtocolViolation | None = None
        self._end: LinkError | None = None
        self.ended = False
        self.deaf = False  # what still comes is dropped
        self._filled = trio.lowlevel.ParkingLot()
        self._emptied = trio.lowlevel.ParkingLot()

    async def put(self, data: bytes | bytearray) -> None:
        """Add `data`; waits while too much waits here."""
        self._data += data
        self._filled.unpark_all()
        while len(self._data) >= INBOX and not self.deaf:
            await self._emptied.park()

    async def take(self) -> bytes:
        """All that is there, waiting for some; `b""` at an orderly end, and raises what else ended it."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            if self._data:
                data = bytes(self._data)
                self._data = bytearray()
                self._emptied.unpark_all()
                return data
            if self._fault is not None:
                fault, self._fault = self._fault, None
                raise fault
            if self.ended:
                if self._end is None:
                    return b""
                raise self._end.with_traceback(None)  # the same one each time
            await self._filled.park()

    def fail(self, fault: ProtocolViolation) -> None:
        """Let `take` raise `fault`, once, after what is there; what comes later is dropped."""
        self._fault = fault
        self._wake()

    def end(self, error: LinkError | None) -> None:
        """Nothing comes any more: orderly (None) or because of `error`. The first call counts."""
        if not self.ended:
            self.ended = True
            self._end = error
        self._wake()

    def close(self, error: LinkError) -> None:
        """Nobody takes any more: what is there is dropped, and `take` raises `error`."""
        self._data, self._fault = bytearray(), None
        self.ended, self._end = True, error
        self._wake()

    def _wake(self) -> None:
        self.deaf = True
        self._filled.unpark_all()
        self._emptied.unpark_all()


class Tap(trio.abc.Stream):
    """The stream that trio-websocket gets: never written to after a write that was not finished."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.torn = False  # a write is under way, or was not finished: what the other end has is unknown
        self.failure: Exception | None = None  # why the stream can't be read any more
        self._link = stream.link if isinstance(stream, LinkStream) else None
        self._arrived = 0
        self._last_arrival = -math.inf

    @property
    def last_arrival(self) -> float:
        """As in `Link`: when anything came last, a ping or a part of a TLS record too."""
        return max(self._last_arrival, self._link.last_arrival if self._link is not None else -math.inf)

    @property
    def arrived(self) -> int:
        """As in `Link`: how many bytes have come, counted as far down as can be."""
        return max(self._arrived, self._link.arrived if self._link is not None else 0)

    async def send_all(self, data: Buffer) -> None:
        """Send all of `data`, or raise trio.ClosedResourceError if an earlier call did not."""
        if self.torn:
            raise trio.ClosedResourceError("an earlier write was not finished")
        self.torn = True
        await self._stream.send_all(data)
        self.torn = False

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room for more."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """The next bytes; what breaks the stream is kept in `failure`."""
        try:
            data = await self._stream.receive_some(max_bytes)
        except trio.BrokenResourceError as error:
            self.failure = error
            raise
        if data:
            self._arrived += len(data)
            self._last_arrival = trio.current_time()
        return data

    async def aclose(self) -> None:
        """Close the stream, if it is not gone already."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # gone is as good as closed
            await self._stream.aclose()


class Opened(WSConnection):
    """What trio-websocket asks of wsproto, without the handshake: that is done, and holds 4 KiB."""

    def __init__(self, connection: Connection) -> None:  # not the base's, which would begin a handshake
        self.client = connection.client
        self.connection: Connection = connection  # pyright: ignore[reportIncompatibleVariableOverride] - what it is

    def events(self) -> Generator[Event, None, None]:
        """What has come since the last call."""
        return self.connection.events()


class Wire(trio_websocket.WebSocketConnection):
    """A WebSocket whose handshake is done. `run` reads until the end; everything received goes to `inbox`.

    `peer` names the other end in errors; `most` is the largest message taken, in bytes.
    """

    def __init__(self, tap: Tap, connection: Connection, peer: str, most: int) -> None:
        protocol = Opened(connection)
        super().__init__(tap, protocol, host="", path="", message_queue_size=0, receive_buffer_size=READ)
        self._initial_request = None  # the handshake is done: nothing to be sent first
        self._tap = tap
        self._peer = peer
        self._most = most
        self._frames = FrameWalk()
        self._received = 0  # bytes of the message that is coming in
        self._finished = False
        self._code = 1000  # what the close of this end will say
        self.inbox = Inbox()

    @property
    def last_arrival(self) -> float:
        """As in `Link`."""
        return self._tap.last_arrival

    @property
    def arrived(self) -> int:
        """As in `Link`."""
        return self._tap.arrived

    async def run(self) -> None:
        """Read until the end. Raises nothing but Cancelled: what goes wrong ends `inbox`."""
        try:
            await self._reader_task()
        except Exception as error:  # noqa: BLE001 - whatever breaks the reader ends the link, and not its user
            self.inbox.end(_caused(f"the WebSocket to {self._peer} failed; connect again", error))
        finally:
            self.inbox.end(self._ending())
            self._close_handshake.set()  # nobody reads the answer to a close any more: don't wait for it

    async def transmit(self, data: Buffer) -> None:
        """Send `data` as one binary message, in fragments if it is large. Raises LinkClosed."""
        size = len(data)
        try:
            for start in range(0, size, FRAGMENT):
                if self._close_reason is not None:
                    raise self._gone()
                part = bytes(data[start : start + FRAGMENT])
                await self._send(BytesMessage(data=part, message_finished=start + FRAGMENT >= size))
        except (trio_websocket.ConnectionClosed, LocalProtocolError) as error:
            raise self._gone() from error

    async def finish(self) -> None:
        """Close, and wait until the other end has closed too; at once if cancelled."""
        self._finished = True
        self.inbox.close(self._closed_here())
        try:
            await self.aclose(self._code)
            await self._close_handshake.wait()  # where the other end closed first, the reader answers it
        finally:
            await self._tap.aclose()

    def _gone(self) -> LinkClosed:
        return self._ending() or LinkClosed(f"{self._peer} has closed the connection")

    def _ending(self) -> LinkClosed | None:
        """What the end of the connection means; None if it was orderly."""
        if self._finished:
            return self._closed_here()
        code = VANISHED if self._close_reason is None else self._close_reason.code
        if code == VANISHED:
            text = f"{self._peer} vanished without a WebSocket close; check it, and any proxy in between"
            return _caused(text, self._tap.failure)
        return self._closed_there(code)

    def _closed_here(self) -> LinkClosed:
        return LinkClosed(f"this end has closed the connection to {self._peer}")

    def _closed_there(self, code: int) -> LinkClosed | None:
        """What a close of the other end with `code` means; None if it was orderly."""
        if code in ORDERLY:
            return None
        because = CLOSED_BECAUSE.get(code, "its log may say why")
        return LinkClosed(f"{self._peer} closed the WebSocket with code {code}: {because}")

    async def _handle_message_event(self, event: BytesMessage | TextMessage) -> None:
        """Hand on what came of a message; in place of collecting it whole."""
        if self.inbox.deaf:
            return
        if isinstance(event, TextMessage):
            self._fail(1003, "WS-2", "a WebSocket text message, where only binary ones hold frames")
            return
        self._received += len(event.data)
        if self._received > self._most:
            self._code = 1009
            text = f"{self._peer} sent a message of more than {self._most} bytes; raise `max_message`"
            self.inbox.end(LinkClosed(text))
            return
        self._frames.feed(event.data)
        if event.message_finished:
            if not self._received or not self._frames.whole:
                self._fail(1002, "WS-1", "a WebSocket message that does not hold whole frames")
                return
            self._received = 0
        if event.data:
            await self.inbox.put(event.data)

    def _fail(self, code: int, clause: str, text: str) -> None:
        self._code = code
        self.inbox.fail(ProtocolViolation(clause, text))

    async def _handle_ping_event(self, event: Ping) -> None:
        if self._close_reason is None:  # after a close no pong may be sent any more
            await super()._handle_ping_event(event)

    async def _handle_close_connection_event(self, event: CloseConnection) -> None:
        if self._wsproto.state is ConnectionState.OPEN:
            # Not a close of the other end: wsproto could not make sense of its bytes.
            text = f"{self._peer} broke the rules of WebSocket; something in between may change the bytes"
            self.inbox.end(LinkClosed(text))
            code = 1003 if event.code == 1007 else 1002  # WS-5 has no other; bad UTF-8 is in a text message
            await self._send(CloseConnection(code=code))
            await self._close_web_socket(code)
            raise trio_websocket.ConnectionClosed(self._close_reason)  # the reader stops
        if self._wsproto.state is ConnectionState.REMOTE_CLOSING:
            self.inbox.end(self._closed_there(event.code))  # before the answer to it, which may have to wait
        else:  # it answers the Close of this end, or has crossed it: that one may still be on its way down
            async with self._stream_lock:
                pass
        await super()._handle_close_connection_event(CloseConnection(code=event.code))


def _caused(text: str, error: Exception | None) -> LinkClosed:
    """A LinkClosed that says `text`, or better what the link below said, and has `error` as its cause."""
    closed = LinkClosed(str(error.__cause__) if error and isinstance(error.__cause__, LinkClosed) else text)
    closed.__cause__ = error
    return closed
