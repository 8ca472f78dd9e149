"""Bound ports of stream sockets: the accept loop, and its bounds.

What a connection becomes is decided by `detect.py`; here is who may come in at all: at most `max_connections`
at once (further ones wait in the kernel's queue), and none of them can hurt the loop or each other.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from graftwire.protocol.errors import LinkError

from .link import Link, Listener, ListenOptions
from .sockets import tune
from .url import Url

FIRST_PAUSE: Final = 0.05  # seconds without accepting when the system can't; doubles each time
LONGEST_PAUSE: Final = 1.0

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# accept(2) passes on what went wrong with the connection itself; the next one is none the worse for it.
_FAILED_BEFORE: Final = frozenset(
    {errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ETIMEDOUT, errno.EHOSTUNREACH}
    | {errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENOPROTOOPT, errno.EOPNOTSUPP}
)

Serve = Callable[[socket.socket, Callable[[Link], Awaitable[None]]], Awaitable[None]]

_logger = logging.getLogger("graftwire.transport")


class SocketListener(Listener):
    """Listening sockets that share one port (or are one Unix socket), and the tasks of their connections.

    `serve_one` turns an accepted socket into a link, calls the handler with it, and owns the socket; `with_options`
    makes another one, for other options. The file of a Unix socket that was `inherited` stays at the end.
    """

    def __init__(
        self,
        url: Url,
        sockets: list[socket.socket],
        options: ListenOptions,
        serve_one: Serve,
        *,
        with_options: Callable[[ListenOptions], Serve] | None = None,
    ) -> None:
        self.url = url.text
        inherited = any(sock in options.sockets for sock in sockets)
        self._path = url.path if url.scheme == "unix" and not inherited else None
        self._with_options = with_options
        self._file = identity_of(self._path)
        self._sockets = sockets
        self._most = options.max_connections
        self._serve_one = serve_one
        self._running = 0
        self._stopped = False
        self._changed = trio.lowlevel.ParkingLot()

    async def serve(self, handle: Callable[[Link], Awaitable[None]]) -> None:
        try:
            async with trio.open_nursery() as nursery:
                for sock in self._sockets:
                    nursery.start_soon(self._accept, sock, nursery, handle)
        finally:
            self.stop()

    def change(self, options: ListenOptions) -> bool:
        if self._with_options is None:
            return False
        self._serve_one = self._with_options(options)
        self._most = options.max_connections
        self._changed.unpark_all()
        return True

    def stop(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        if self._path is not None and self._file is not None and self._file == identity_of(self._path):
            with contextlib.suppress(OSError):
                os.unlink(self._path)
        for sock in self._sockets:
            with contextlib.suppress(RuntimeError):  # outside of trio nobody waits on it
                trio.lowlevel.notify_closing(sock)
            sock.close()
        with contextlib.suppress(RuntimeError):
            self._changed.unpark_all()

    async def _accept(
        self, sock: socket.socket, nursery: trio.Nursery, handle: Callable[[Link], Awaitable[None]]
    ) -> None:
        pause = FIRST_PAUSE
        while not self._stopped:
            if self._running >= self._most:
                await self._changed.park()
                continue
            try:
                connection, _ = sock.accept()
            except BlockingIOError:
                with contextlib.suppress(trio.ClosedResourceError):
                    await trio.lowlevel.wait_readable(sock)
            except OSError as error:
                if self._stopped or error.errno in _FAILED_BEFORE:
                    await trio.lowlevel.checkpoint()
                    continue
                _logger.warning("%s", self._reason(error))
                await trio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                pause = FIRST_PAUSE
                self._running += 1
                nursery.start_soon(self._connection, connection, handle)
                await trio.lowlevel.checkpoint()

    def _reason(self, error: OSError) -> str:
        if error.errno in _EXHAUSTED:
            return (
                f"no connection can be accepted at {self.url} for lack of file descriptors or memory; "
                "raise the limit of this process, or lower max_connections"
            )
        return f"no connection can be accepted at {self.url}: {os.strerror(error.errno or errno.EIO)}"

    async def _connection(self, connection: socket.socket, handle: Callable[[Link], Awaitable[None]]) -> None:
        try:
            connection.setblocking(False)
            tune(connection)
            await self._serve_one(connection, handle)
        except LinkError as error:
            _logger.info("a connection to %s was ended: %s", self.url, error)
        except Exception:  # a failure in one connection stays there; the log has it
            _logger.exception("the handler of a connection to %s failed", self.url)
        finally:
            connection.close()
            self._running -= 1
            self._changed.unpark_all()


def identity_of(path: str | None) -> tuple[int, int] | None:
    """Device and inode of a file, so that only our own one is removed; None where there is none."""
    if path is not None:
        with contextlib.suppress(OSError):
            found = os.lstat(path)
            return found.st_dev, found.st_ino
    return None
