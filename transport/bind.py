"""Listening sockets: every address of a host on one port, or one Unix socket file."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable, Iterable
from typing import Final, TypeVar, cast

import trio

from graftwire.protocol.errors import LinkError

from .url import Url, host_and_port

T = TypeVar("T")

PORT_ATTEMPTS: Final = 16  # free ports tried until one is free at every address of the host

_HOSTS: Final = {"*": ("::", "0.0.0.0"), "localhost": ("::1", "127.0.0.1")}  # noqa: S104 - that is what * means
_MISSING_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})


async def bind(url: Url, backlog: int) -> tuple[Url, list[socket.socket]]:
    """Listening non-blocking sockets for `url`, and the URL with its real port; raises LinkError."""
    if url.scheme == "unix":
        await trio.lowlevel.checkpoint()
        return url, [_bind_unix(url.path, backlog)]
    addresses = await _addresses(url)
    sockets = _with_free_port(url, lambda: _bind_all(addresses, url.port, backlog))
    return url.with_port(sockets[0].getsockname()[1]), sockets


async def bind_shared(url: Url, backlog: int, count: int) -> tuple[Url, list[list[socket.socket]]]:
    """`count` sets of sockets as `bind` gives them, among which the system spreads what connects (SO_REUSEPORT).

    Any process of this user could join them later. That somebody else listens there already is told, as by `bind`;
    raises LinkError.
    """
    addresses = await _addresses(url)

    def all_sets() -> list[list[socket.socket]]:
        with contextlib.ExitStack() as undo:
            alone = _bound(addresses, url.port)  # only a socket that shares with nobody shows who is there
            port = alone[0].getsockname()[1]
            for sock in alone:
                sock.close()
            sets: list[list[socket.socket]] = []
            for _ in range(count):
                sets.append(_bound(addresses, port, share=True))
                for sock in sets[-1]:
                    undo.callback(sock.close)
            for sock in (sock for each in sets for sock in each):
                sock.listen(backlog)
            undo.pop_all()
            return sets

    sets = _with_free_port(url, all_sets)
    return url.with_port(sets[0][0].getsockname()[1]), sets


async def bind_one_more(url: Url) -> list[socket.socket]:
    """One more set beside those of `bind_shared`, which had `url`; it does not listen yet. Raises LinkError."""
    addresses = await _addresses(url)
    return _with_free_port(url, lambda: _bound(addresses, url.port, share=True))


def start_listening(url: Url, sockets: Iterable[socket.socket], backlog: int) -> None:
    """Let those listen that are only bound yet. Raises LinkError."""
    try:
        for sock in sockets:
            if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                sock.listen(backlog)
    except OSError as error:
        raise LinkError(_reason(error, url)) from error


def _with_free_port(url: Url, attempt: Callable[[], T]) -> T:
    """What `attempt` gives, which binds; raises LinkError."""
    for left in reversed(range(PORT_ATTEMPTS)):
        try:
            return attempt()
        except OSError as error:
            if url.port == 0 and error.errno == errno.EADDRINUSE and left:
                continue  # free at one address, taken at another: another one then
            raise LinkError(_reason(error, url)) from error
    raise AssertionError("unreachable")  # pragma: no cover


def inherited(url: Url, sockets: Iterable[socket.socket]) -> tuple[Url, list[socket.socket]] | None:
    """Those of `sockets`, bound by somebody else, that listen where `url` says; None if there are none.

    The host of the URL has to be an address, `*` or `localhost`: names are not looked up for this.
    """
    found = [sock for sock in sockets if _is_at(sock, url)]
    for sock in found:
        sock.setblocking(False)
    return (url, found) if found else None


def _is_at(sock: socket.socket, url: Url) -> bool:
    if sock.family == socket.AF_UNIX:
        return url.scheme == "unix" and sock.getsockname() == url.path
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or url.scheme == "unix":
        return False
    host, port = cast("tuple[str, int]", sock.getsockname()[:2])
    return port == url.port and host in _HOSTS.get(url.host, (url.host,))


async def _addresses(url: Url) -> list[tuple[socket.AddressFamily, str]]:
    if url.host == "*":
        return [(socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")]  # noqa: S104 - that is what * means
    try:
        found = await trio.socket.getaddrinfo(
            url.host, url.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:
        raise LinkError(
            f"the host name {url.host} has no address to listen at; use one of this machine, or *"
        ) from error
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _bind_all(
    addresses: list[tuple[socket.AddressFamily, str]], port: int, backlog: int
) -> list[socket.socket]:
    """One listening socket for each address, all on one port. Families that this machine lacks are left out."""
    sockets = _bound(addresses, port)
    try:
        for sock in sockets:
            sock.listen(backlog)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _bound(
    addresses: list[tuple[socket.AddressFamily, str]], port: int, *, share: bool = False
) -> list[socket.socket]:
    """The same, before they listen; `share`: the port with others that say so, too."""
    with contextlib.ExitStack() as undo:
        sockets: list[socket.socket] = []
        lacking: OSError | None = None
        for family, address in addresses:
            try:
                sock = _bind_one(family, address, port, share)
            except OSError as error:
                if error.errno not in _MISSING_FAMILY:
                    raise
                lacking = error
                continue
            undo.callback(sock.close)
            sockets.append(sock)
            port = sock.getsockname()[1]
        if not sockets:
            raise lacking if lacking is not None else OSError(errno.EADDRNOTAVAIL, "no address")
        undo.pop_all()
        return sockets


def _bind_one(family: socket.AddressFamily, address: str, port: int, share: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if os.name == "posix":  # elsewhere it would let others take the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _reason(error: OSError, url: Url) -> str:
    where = host_and_port(url.host, url.port)
    if error.errno == errno.EADDRINUSE:
        return f"something listens at {where} already; stop it, or choose another port (0: any free one)"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"this user may not listen at {where}; choose a port above 1023"
    if error.errno in _MISSING_FAMILY:
        return f"{url.host} is not an address of this machine; use one that is, or * for all"
    return f"can't listen at {where}: {os.strerror(error.errno or errno.EIO)}"


def _bind_unix(path: str, backlog: int) -> socket.socket:
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(path)
        # Between bind and listen nobody can connect, so there is no moment with a looser mode.
        os.chmod(path, 0o600)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise LinkError(_unix_reason(error, path)) from error
    return sock


def _remove_stale(path: str) -> None:
    """Remove a socket file that nobody listens at any more; anything else at `path` raises LinkError."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return  # nothing there, or bind will say what is wrong
    if not stat.S_ISSOCK(mode):
        raise LinkError(f"there is a file at {path} that is not a socket; remove it, or choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            with contextlib.suppress(OSError):  # bind will say what is wrong
                os.unlink(path)
            return
        except PermissionError:
            raise LinkError(f"the socket {path} belongs to another user; choose another path") from None
        except OSError:
            pass  # its queue is full, or it went away just now: somebody is there
    raise LinkError(f"something listens at {path} already; stop it, or choose another path")


def _unix_reason(error: OSError, path: str) -> str:
    if error.errno is None or error.errno == errno.ENAMETOOLONG:
        length = len(os.fsencode(path))
        return f"the path of the socket is too long for this system ({length} bytes); use a shorter one"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"there is no directory {os.path.dirname(path)} for the socket; create it"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"this user may not create the socket {path}; choose another path, or change the directory's mode"
        )
    if error.errno == errno.EADDRINUSE:
        return f"something listens at {path} already; stop it, or choose another path"
    return f"can't listen at {path}: {os.strerror(error.errno)}"
