"""Links over WebSocket (clauses WS-1 to WS-8): the link, and both ends of making one.

Frames travel in binary messages, one or more whole frames in each. There is no compression, and the handshake
holds nothing but what RFC 6455 asks for, the subprotocol, and the origin where the user sets one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Final

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection
from wsproto.events import AcceptConnection

from graftwire.protocol.errors import LinkClosed

from .facts import LinkFacts
from .http import SUBPROTOCOL, Upgrade, receive_upgrade
from .link import Buffer, ConnectOptions, Link, ListenOptions
from .messages import split
from .upgrade import upgrade
from .url import Url
from .websocket_wire import Tap, Wire

LARGEST_MESSAGE: Final = 65_536  # bytes of a message that this end sends; a larger frame has one of its own
CLOSE_TIME: Final = 1.0  # seconds that the close handshake and closing the stream may take together


class WebSocketLink(Link):
    """A link over WebSocket. `send` takes whole frames; `receive` gives bytes, however messages held them.

    `receive` raises, beside LinkError, ProtocolViolation for a text message (WS-2) and for a message that
    does not hold whole frames (WS-1), once; what comes after is dropped, and the next call waits for the end.
    """

    def __init__(self, wire: Wire, facts: LinkFacts) -> None:
        self.facts = facts
        self._wire = wire
        self._cut = False  # a send was cancelled half way
        self._closed = False

    @property
    def last_arrival(self) -> float:
        """As in `Link`: a ping counts, and a part of a message."""
        return self._wire.last_arrival

    @property
    def arrived(self) -> int:
        """As in `Link`: all bytes of the connection."""
        return self._wire.arrived

    async def send(self, data: Buffer) -> None:
        """Send `data` in as few messages as can be. Raises LinkClosed, always after a cancelled call."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._cut:
            text = f"a send to {self.facts.peer} was cancelled half way, so nothing more can be sent"
            raise LinkClosed(text)
        try:
            if len(data) <= LARGEST_MESSAGE:
                await self._wire.transmit(data)
            else:
                with memoryview(data) as view:
                    for start, end in split(view, LARGEST_MESSAGE):
                        await self._wire.transmit(view[start:end])
        except trio.Cancelled:
            self._cut = True
            raise

    async def receive(self) -> bytes:
        """The next bytes; `b""` after a close with 1000, 1001 or no code. Raises as the class says."""
        return await self._wire.inbox.take()

    async def send_eof(self) -> None:
        """Nothing happens: WebSocket can't end one direction alone."""
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close with the close handshake, within a second in all; at once if cancelled."""
        if self._closed:
            await trio.lowlevel.checkpoint()
            return
        self._closed = True
        with trio.move_on_after(CLOSE_TIME):
            await self._wire.finish()


async def accept_websocket(
    stream: trio.abc.Stream,
    options: ListenOptions,
    facts: LinkFacts,
    handle: Callable[[Link], Awaitable[None]],
) -> None:
    """Serve one connection to a WebSocket listener, and close `stream`.

    Reads the HTTP request within `options.handshake_timeout`; a handshake is accepted and `handle` is run
    with the link, anything else is answered (see http.py). `facts.path` is the path served (None: `/`); the
    link's facts also have the origin. What the other end does wrong before there is a link raises nothing;
    what `handle` raises comes out as it is.
    """
    deadline = trio.current_time() + options.handshake_timeout
    try:
        request = await receive_upgrade(stream, options, facts.path or "/")
        connection = None if request is None else await _accept(stream, request, deadline)
        if request is not None and connection is not None:
            wire = Wire(Tap(stream), connection, facts.peer, options.max_message)
            link = WebSocketLink(wire, replace(facts, origin=request.origin, path=request.path))
            async with _reading(wire):
                try:
                    await handle(link)
                finally:
                    await link.aclose()
    finally:
        await _close(stream)


async def _accept(stream: trio.abc.Stream, request: Upgrade, deadline: float) -> Connection | None:
    """Accept a handshake; None if the other end does not take the answer until `deadline`."""
    protocol = WSConnection(ConnectionType.SERVER)
    # trio-websocket's parser gets to see only what it needs: no cookie, authorization header or offer of an
    # extension goes further than http.py, and nothing is there that two parsers could read differently.
    protocol.receive_data(
        b"GET / HTTP/1.1\r\nHost: -\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\nSec-WebSocket-Protocol: %b\r\n\r\n"
        % (request.key, SUBPROTOCOL.encode())
    )
    answer = protocol.send(AcceptConnection(subprotocol=SUBPROTOCOL))
    with trio.move_on_at(deadline), suppress(trio.BrokenResourceError):
        await stream.send_all(answer)
        return protocol.connection
    return None


@asynccontextmanager
async def connect_websocket(
    stream: trio.abc.Stream, url: Url, options: ConnectOptions, facts: LinkFacts
) -> AsyncGenerator[Link]:
    """Make a link of `stream`, which is connected to the server of `url`; `stream` is closed in any case.

    Raises ConnectError if no WebSocket comes about within `options.handshake_timeout`; its sentence says what
    is there instead. Leaving closes the link; what the body raises comes out as it is.
    """
    try:
        connection = await upgrade(stream, url, options)
        wire = Wire(Tap(stream), connection, facts.peer, options.max_message)
        link = WebSocketLink(wire, replace(facts, origin=options.origin, path=url.path))
        async with _reading(wire):
            try:
                yield link
            finally:
                await link.aclose()
    finally:
        await _close(stream)


async def _close(stream: trio.abc.Stream) -> None:
    with trio.move_on_after(CLOSE_TIME), suppress(trio.BrokenResourceError):  # gone is as good as closed
        await stream.aclose()


@asynccontextmanager
async def _reading(wire: Wire) -> AsyncGenerator[None]:
    """Run the reader of `wire` beside the body. What the body raises comes out as it is, not in a group."""
    # Shielded until the body is done: one that is cancelled may still say goodbye, and hear the answer.
    reader = trio.CancelScope(shield=True)
    failure: BaseException | None = None

    async def read() -> None:
        with reader:
            await wire.run()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            try:
                yield
            except BaseException as error:  # noqa: BLE001 - raised below, past the nursery, which would group it
                failure = error
            finally:
                reader.cancel()
    except BaseExceptionGroup as group:  # at most a KeyboardInterrupt that hit the reader
        failure = group.exceptions[0]
    try:
        if failure is not None:
            raise failure
    finally:
        del failure  # it refers to this frame
