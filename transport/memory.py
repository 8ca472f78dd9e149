"""Links inside one process: `memory:name`, and pairs for tests. Bounded, with backpressure like a socket's.

Names belong to one run of trio: two event loops in one process don't see each other's.
"""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import trio

from graftwire.protocol.errors import ConnectError, LinkClosed, LinkError

from .facts import LinkFacts
from .link import Buffer, ConnectOptions, Link, Listener, ListenOptions, Transport
from .url import Url

CAPACITY: Final = 262_144  # bytes on the way in one direction; a sender waits for room
TURNS: Final = 16  # operations in a row that need no waiting before other tasks get a turn

_logger = logging.getLogger("graftwire.transport")
_numbers = itertools.count(1)


class _Pipe:
    """One direction: bytes that were sent and not yet received."""

    __slots__ = ("broken", "chunks", "finished", "readers", "room", "writers")

    def __init__(self) -> None:
        self.chunks: deque[bytes] = deque()
        self.room = CAPACITY
        self.finished = False  # the sender has said that it is done
        self.broken = False  # the receiver has closed
        self.readers = trio.lowlevel.ParkingLot()
        self.writers = trio.lowlevel.ParkingLot()

    def put(self, data: Buffer) -> int:
        taken = min(len(data), self.room)
        if taken:
            self.chunks.append(bytes(data if taken == len(data) else memoryview(data)[:taken]))
            self.room -= taken
            self.readers.unpark_all()
        return taken

    def take(self) -> bytes:
        data = self.chunks.popleft() if len(self.chunks) == 1 else b"".join(self.chunks)
        self.chunks.clear()
        self.room = CAPACITY
        self.writers.unpark_all()
        return data

    def finish(self) -> None:
        self.finished = True
        self.readers.unpark_all()

    def abandon(self) -> None:
        self.broken = True
        self.chunks.clear()
        self.writers.unpark_all()


class MemoryLink(Link):
    """One end of a pair; everything sent at one end is received at the other, in order."""

    half_closes = True

    def __init__(self, facts: LinkFacts, outgoing: _Pipe, incoming: _Pipe) -> None:
        self.facts = facts
        self._out = outgoing
        self._in = incoming
        self._turns = TURNS
        self._closed = False
        self._broken = False

    async def send(self, data: Buffer) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        sent = self.send_nowait(data)
        if sent == len(data):
            await self._turn()
            return
        with memoryview(data) as view:
            while sent < len(view):
                try:
                    await self._out.writers.park()
                except trio.Cancelled:
                    self._broken = True
                    raise
                self._check_out()
                with view[sent:] as rest:
                    sent += self._out.put(rest)

    def send_nowait(self, data: Buffer) -> int:
        if self._broken:
            raise LinkClosed(
                f"a send to {self.facts.peer} was cancelled half way, so nothing more can be sent"
            )
        self._check_out()
        return self._out.put(data)

    async def receive(self) -> bytes:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_open()
        while not self._in.chunks:
            if self._in.finished:
                await self._turn()
                return b""
            self._turns = TURNS
            await self._in.readers.park()
            self._check_open()
        await self._turn()
        return self._in.take()

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_open()
        self._out.finish()

    def close(self) -> None:
        """Close at once, like `aclose` without its checkpoint; may be called more than once."""
        if not self._closed:
            self._closed = True
            self._out.finish()
            self._out.writers.unpark_all()
            self._in.abandon()
            self._in.readers.unpark_all()

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()

    def _check_open(self) -> None:
        if self._closed:
            raise LinkClosed(f"this end has closed the connection to {self.facts.peer}")

    def _check_out(self) -> None:
        self._check_open()
        if self._out.finished:
            raise LinkClosed(f"this end has already said that it sends nothing more to {self.facts.peer}")
        if self._out.broken:
            raise LinkClosed(f"{self.facts.peer} has closed the connection")

    async def _turn(self) -> None:
        self._turns -= 1
        if self._turns <= 0:
            self._turns = TURNS
            await trio.lowlevel.cancel_shielded_checkpoint()


def memory_pair(name: str = "memory:pair") -> tuple[MemoryLink, MemoryLink]:
    """Two links joined to each other: what one sends, the other receives."""
    dialler = f"{name}#{next(_numbers)}"
    there, back = _Pipe(), _Pipe()
    return (
        MemoryLink(LinkFacts("memory", dialler, name), there, back),
        MemoryLink(LinkFacts("memory", name, dialler), back, there),
    )


_listeners: Final[trio.lowlevel.RunVar[dict[str, MemoryListener]]] = trio.lowlevel.RunVar("graftwire-memory")


def _table() -> dict[str, MemoryListener]:
    try:
        return _listeners.get()
    except LookupError:
        table: dict[str, MemoryListener] = {}
        _listeners.set(table)
        return table


class MemoryListener(Listener):
    """A name that links can be made to, within this run of trio."""

    def __init__(self, url: Url, options: ListenOptions) -> None:
        self.url = url.text
        self._name = url.path
        self._options = options
        self._waiting: deque[MemoryLink] = deque()
        self._running = 0
        self._changed = trio.lowlevel.ParkingLot()
        self._stopped = False

    def offer(self, link: MemoryLink) -> bool:
        """Take a dialler's other end; False if too many wait already."""
        if len(self._waiting) >= self._options.backlog:
            return False
        self._waiting.append(link)
        self._changed.unpark_all()
        return True

    async def serve(self, handle: Callable[[Link], Awaitable[None]]) -> None:
        try:
            async with trio.open_nursery() as nursery:
                while not self._stopped:
                    if self._waiting and self._running < self._options.max_connections:
                        self._running += 1
                        nursery.start_soon(self._run, handle, self._waiting.popleft())
                    else:
                        await self._changed.park()
        finally:
            self.stop()

    async def _run(self, handle: Callable[[Link], Awaitable[None]], link: MemoryLink) -> None:
        try:
            await handle(link)
        except Exception:  # a failure in one connection stays there; the log has it
            _logger.exception("the handler of a connection to %s failed", self.url)
        finally:
            link.close()
            self._running -= 1
            self._changed.unpark_all()

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            _table().pop(self._name, None)
            for link in self._waiting:
                link.close()
            self._waiting.clear()
            self._changed.unpark_all()


class MemoryTransport(Transport):
    """The transport of `memory:name`."""

    schemes = ("memory",)

    def connect(self, url: Url, options: ConnectOptions) -> AbstractAsyncContextManager[Link]:
        return _connect(url)

    async def listen(self, url: Url, options: ListenOptions) -> Listener:
        await trio.lowlevel.checkpoint()
        if url.path in _table():
            raise LinkError(f"something in this process listens at {url.text} already; choose another name")
        listener = MemoryListener(url, options)
        _table()[url.path] = listener
        return listener


@asynccontextmanager
async def _connect(url: Url) -> AsyncGenerator[Link]:
    await trio.lowlevel.checkpoint()
    listener = _table().get(url.path)
    if listener is None:
        raise ConnectError(f"nobody listens at {url.text} in this process; start the listener first")
    near, far = memory_pair(url.text)
    if not listener.offer(far):
        raise ConnectError(f"too many connections wait at {url.text} already; try again later")
    try:
        yield near
    finally:
        near.close()
