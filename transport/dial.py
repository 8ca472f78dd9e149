"""Dialling TCP and Unix sockets.

Every failure is told apart in words: what was tried, why it failed, what to do about it.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from typing import Final, cast

import trio

from graftwire.protocol.errors import ConnectError

from .sockets import tune
from .url import Url, host_and_port

QUEUE_PAUSE: Final = 0.01  # seconds until a full queue of a Unix socket is tried again

_UNREACHABLE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_REFUSED: Final = frozenset({errno.ECONNREFUSED, errno.ECONNRESET})


async def dial(url: Url, within: float) -> socket.socket:
    """A connected non-blocking socket to `url` within so many seconds; raises ConnectError."""
    connected: socket.socket | None = None
    with trio.move_on_after(within):
        connected = await (_dial_unix(url) if url.scheme == "unix" else dial_tcp(url))
    if connected is None:
        raise ConnectError(
            f"no answer from {url.text} within {within:g} s; "
            "check the address, and whether a firewall is in between"
        )
    tune(connected)
    return connected


async def dial_tcp(url: Url) -> socket.socket:
    """A connected non-blocking socket to the host and port of `url`; raises ConnectError."""
    where = host_and_port(url.host, url.port)
    if url.host == "*":
        raise ConnectError("the host * is for listening; name the host to connect to")
    try:
        stream = await trio.open_tcp_stream(url.host, url.port)  # Happy Eyeballs (RFC 8305)
    except (socket.gaierror, UnicodeError) as error:
        raise ConnectError(
            f"the host name {url.host} has no address; check its spelling, and this machine's name server"
        ) from error
    except OSError as error:
        raise _not_connected(error, where) from error
    descriptor = stream.socket.detach()
    sock = socket.socket(fileno=descriptor)
    sock.setblocking(False)
    if hasattr(
        socket, "TCP_NOTSENT_LOWAT"
    ):  # trio sets 16 KiB, too little for large frames; the session bounds
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 0)
    return sock


def _not_connected(error: OSError, where: str) -> ConnectError:
    codes = _error_numbers(error)
    if codes & _REFUSED:
        return ConnectError(f"nobody listens at {where}; check the port, and whether the server is running")
    if codes & _UNREACHABLE:
        return ConnectError(f"there is no route to {where}; check this machine's network")
    if errno.ETIMEDOUT in codes:
        return ConnectError(
            f"{where} does not answer; check the address, and whether a firewall is in between"
        )
    reason = os.strerror(min(codes)) if codes else "unknown reason"
    return ConnectError(f"can't connect to {where}: {reason}")


def _error_numbers(error: OSError) -> set[int]:
    """The error numbers of every address that was tried: trio groups them in the cause."""
    tried: list[BaseException] = [error]
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):
        tried += cast("BaseExceptionGroup[BaseException]", cause).exceptions
    return {one.errno for one in tried if isinstance(one, OSError) and one.errno is not None}


async def _dial_unix(url: Url) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        while True:
            try:
                sock.connect(url.path)
            except (
                BlockingIOError
            ):  # the listener's queue is full; the kernel has no way to wait for room in it
                await trio.sleep(QUEUE_PAUSE)
            else:
                await trio.lowlevel.checkpoint()
                return sock
    except OSError as error:
        sock.close()
        raise ConnectError(_unix_reason(error, url.path)) from error
    except BaseException:
        sock.close()
        raise


def _unix_reason(error: OSError, path: str) -> str:
    if error.errno is None or error.errno == errno.ENAMETOOLONG:
        length = len(os.fsencode(path))
        return f"the path of the socket is too long for this system ({length} bytes); use a shorter one"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"there is no socket {path}; check the path, and whether the server is running"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"this user may not use the socket {path}; run as the user that owns it"
    if error.errno == errno.ENOTSOCK or (error.errno == errno.ECONNREFUSED and not _is_socket(path)):
        return f"{path} is not a socket; check the path"  # some systems refuse it like a socket of nobody
    if error.errno == errno.ECONNREFUSED:
        return f"nobody listens at {path}; start the server"
    if error.errno == errno.EPROTOTYPE:
        return f"{path} is not a stream socket; check the path"
    return f"can't use the socket {path}: {os.strerror(error.errno)}"


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return True  # it has gone meanwhile: it was one
