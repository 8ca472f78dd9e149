"""Links of bytes behind trio's interface of a stream, and how to leave one so that the last word arrives."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Generator
from typing import Protocol

import trio

from graftwire.protocol.errors import LinkError

from .link import Buffer
from .sockets import LARGEST_READ, SocketLink

LEAVE_TIME: float = 1.0  # seconds that a side which has said its last word goes on reading
LEAVE_BYTES: int = 65_536  # bytes that it reads at most


class ByteLink(Protocol):
    """What a stream needs of the link below it: `SocketLink` and `TlsLink` have it."""

    @property
    def closed(self) -> bool: ...
    @property
    def last_arrival(self) -> float: ...
    @property
    def arrived(self) -> int: ...
    async def send(self, data: Buffer) -> None: ...
    async def receive(self, most: int = ...) -> bytes: ...
    async def writable(self) -> None: ...
    async def finish(self) -> None: ...
    async def aclose(self) -> None: ...


class LinkStream(trio.abc.HalfCloseableStream):
    """A byte link as a `trio.abc.HalfCloseableStream`, for what is built on those. Owns the link.

    Where the link raises LinkError, this raises trio.BrokenResourceError, or trio.ClosedResourceError if this
    end has closed it, with the LinkError as its cause. A second task that sends, or receives, while one does gets
    trio.BusyResourceError. As links do, it yields not at each call that is served at once, but every few of them.
    """

    def __init__(self, link: ByteLink) -> None:
        self.link = link
        self._sending = _OneTask("another task sends on this stream just now")
        self._receiving = _OneTask("another task receives from this stream just now")
        self._finished = False

    async def send_all(self, data: Buffer) -> None:
        """Send all of `data`. Cancelled: some, all or none of it was sent, and nothing more can be."""
        with self._sending, self._translated(self._finished):
            await self.link.send(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room for more."""
        with self._sending, self._translated(self._finished):
            await self.link.writable()

    async def send_eof(self) -> None:
        """Say that nothing more will be sent: the end of a TCP direction, or TLS's closing message."""
        with self._sending, self._translated():
            self._finished = True
            await self.link.finish()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The next bytes, at most `max_bytes`; `b""` at the orderly end.

        Raises ValueError for a `max_bytes` below 1, TypeError for one that is no integer.
        """
        most = LARGEST_READ if max_bytes is None else operator.index(max_bytes)
        if most < 1:
            raise ValueError("max_bytes must be at least 1")
        with self._receiving, self._translated():
            return await self.link.receive(most)

    async def aclose(self) -> None:
        """Close the link."""
        await self.link.aclose()

    @contextlib.contextmanager
    def _translated(self, finished: bool = False) -> Generator[None]:
        try:
            yield
        except LinkError as error:
            kind = trio.ClosedResourceError if finished or self.link.closed else trio.BrokenResourceError
            raise kind(str(error)) from error


class _OneTask:
    """Lets one task in at a time. The kernel would not tell: what is small it may take from both."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._taken = False

    def __enter__(self) -> None:
        if self._taken:
            raise trio.BusyResourceError(self._text)
        self._taken = True

    def __exit__(self, *_: object) -> None:
        self._taken = False


async def leave(link: SocketLink) -> None:
    """Finish sending and read on for a moment, at most 1 s and 64 KiB; the caller closes.

    To close while unread bytes wait would make the kernel reset the connection, and what was sent last, the
    reason why it ends, would be lost.
    """
    with contextlib.suppress(LinkError), trio.move_on_after(LEAVE_TIME):
        link.shutdown()
        left = LEAVE_BYTES
        while left > 0:
            data = await link.receive(left)
            if not data:
                return
            left -= len(data)
