"""Links over TCP and Unix sockets, as fast as trio lets a task be.

trio's own socket calls end with a full turn of the scheduler even when the kernel took the bytes at once.
Here a call that the kernel serves at once goes on at once; so that nobody starves, every `TURNS`th of them in
a row yields. Each call notices a cancellation before it does anything.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from typing import Final, cast

import trio

from graftwire.protocol.errors import LinkClosed

from .facts import LinkFacts
from .link import Buffer, Link
from .url import Url, host_and_port

LARGEST_READ: Final = 262_144  # bytes that one receive gives at most
USUAL_READ: Final = 65_536  # bytes asked for until so many come: a larger buffer costs 12 us a call
TURNS: Final = 16  # calls served at once in a row before other tasks get a turn

_RESET: Final = frozenset({errno.ECONNRESET, errno.ECONNABORTED})
_GONE: Final = frozenset({errno.EPIPE, errno.ESHUTDOWN, errno.ENOTCONN})
_NETWORK: Final = frozenset(
    {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}
)


def closed_because(error: OSError, peer: str) -> LinkClosed:
    """What `error` of a socket means for the link to `peer`, as one sentence."""
    if error.errno in _RESET:
        return LinkClosed(f"{peer} broke the connection off; it may have been stopped, or restarted")
    if error.errno in _GONE:
        return LinkClosed(f"{peer} has closed the connection")
    if error.errno in _NETWORK:
        return LinkClosed(
            f"the network between here and {peer} does not answer any more; connect again later"
        )
    return LinkClosed(f"the connection to {peer} failed: {os.strerror(error.errno or errno.EIO)}")


class SocketLink(Link):
    """A framed link straight on a TCP or Unix socket, which it owns; TLS and WebSocket stand on one too."""

    half_closes = True

    def __init__(self, sock: socket.socket, facts: LinkFacts) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.facts = facts
        self.peer = facts.peer
        self._turns = TURNS
        self._size = USUAL_READ
        self._broken = False
        self._eof = False

    @property
    def closed(self) -> bool:
        """Whether this end has closed it."""
        return self.sock.fileno() < 0

    async def send(self, data: Buffer) -> None:
        """Send all of `data`. Raises LinkClosed. Cancelled: some, all or none was sent; sending is over."""
        await trio.lowlevel.checkpoint_if_cancelled()
        sent = self.send_nowait(data)
        if sent == len(data):
            self._turns -= 1
            if self._turns <= 0:
                await self._yield()
            return
        with memoryview(data) as view:
            while sent < len(view):
                try:
                    await self._wait(trio.lowlevel.wait_writable)
                except trio.Cancelled:
                    self._broken = True
                    raise
                with view[sent:] as rest:
                    sent += self._send(rest)

    def send_nowait(self, data: Buffer) -> int:
        """Hand the kernel what it takes of `data` at once; returns how many bytes. Raises LinkClosed."""
        if self._broken or self._eof:
            raise self._cannot_send()
        return self._send(data)

    async def receive(self, most: int = LARGEST_READ) -> bytes:
        """The next bytes, at most `most`; `b""` when the other end has finished. Raises LinkClosed."""
        await trio.lowlevel.checkpoint_if_cancelled()
        size = min(most, self._size)
        while True:
            try:
                data = self.sock.recv(size)
            except BlockingIOError:
                await self._wait(trio.lowlevel.wait_readable)
            except OSError as error:
                raise self._because(error) from None
            else:
                self._size = USUAL_READ if len(data) < USUAL_READ else LARGEST_READ
                self._turns -= 1
                if self._turns <= 0:
                    await self._yield()
                return data

    async def peek(self) -> int:
        """The first byte that waits to be received, which stays there. Raises LinkClosed, also at the end."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            try:
                first = self.sock.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                await self._wait(trio.lowlevel.wait_readable)
            except OSError as error:
                raise self._because(error) from None
            else:
                if not first:
                    raise LinkClosed(f"{self.peer} has closed the connection")
                return first[0]

    async def writable(self) -> None:
        """Wait until the kernel would take more. Raises LinkClosed."""
        await self._wait(trio.lowlevel.wait_writable)

    async def send_eof(self) -> None:
        """Half-close: the other end reads what was sent, then the end."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self.shutdown()

    async def finish(self) -> None:
        """As `send_eof`: for a socket, to say that nothing more comes and to half-close are one."""
        await self.send_eof()
        await self.turn()

    def shutdown(self) -> None:
        """Say that nothing more will be sent; more than once is no error. Raises LinkClosed."""
        if self._eof:
            return
        if self._broken:
            raise self._cannot_send()
        self._eof = True
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise self._because(error) from None

    async def aclose(self) -> None:
        """Close at once: what the kernel has taken is delivered, unless bytes wait here unread."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Close at once; tasks that wait on the socket get LinkClosed. More than once is no error."""
        if not self.closed:
            trio.lowlevel.notify_closing(self.sock)
            self.sock.close()

    def _send(self, data: Buffer) -> int:
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._because(error) from None

    async def turn(self) -> None:
        """Let other tasks run, every `TURNS`th time; for what was served without waiting."""
        self._turns -= 1
        if self._turns <= 0:
            await self._yield()

    async def _yield(self) -> None:
        self._turns = TURNS
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def _wait(self, ready: Callable[[socket.socket], Awaitable[None]]) -> None:
        self._turns = TURNS
        if not self.closed:  # trio would take note of a socket that is none, and find it busy the next time
            with contextlib.suppress(trio.ClosedResourceError):
                await ready(self.sock)
                return
        raise LinkClosed(f"this end has closed the connection to {self.peer}")

    def _because(self, error: OSError) -> LinkClosed:
        if self.closed:
            return LinkClosed(f"this end has closed the connection to {self.peer}")
        return closed_because(error, self.peer)

    def _cannot_send(self) -> LinkClosed:
        if self.closed:
            return LinkClosed(f"this end has closed the connection to {self.peer}")
        if self._eof:
            return LinkClosed(f"this end has already said that it sends nothing more to {self.peer}")
        return LinkClosed(f"a send to {self.peer} was cancelled half way, so nothing more can be sent")


def address_text(sock: socket.socket, *, peer: bool) -> str:
    """The socket's own or its peer's address as text, "" where it has none (any more)."""
    try:
        address: object = sock.getpeername() if peer else sock.getsockname()
    except OSError:
        return ""
    if isinstance(address, tuple):
        host, port = cast("tuple[str, int]", address[:2])
        return host_and_port(host, port)
    if isinstance(address, str) and address:
        return address
    return _process_text(sock) if peer else ""


def _process_text(sock: socket.socket) -> str:
    """Who is at the other end of a Unix socket: user and process where the system says so."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            return f"uid {uid}, pid {pid}"
    return "a process of this machine"


def socket_facts(sock: socket.socket, url: Url) -> LinkFacts:
    """The facts of a connected socket, before anything was read from it."""
    return LinkFacts(url.scheme, address_text(sock, peer=False), address_text(sock, peer=True) or url.text)


def tune(sock: socket.socket) -> None:
    """Send small frames at once (no Nagle delay); does nothing on a Unix socket."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
