"""One address that several processes listen at: the sockets of all of them, held by who starts them.

While one of the processes is away, what connects to its sockets waits there, as long as somebody holds them open.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from typing import Final

from .bind import bind, bind_one_more, bind_shared, inherited
from .listener import identity_of
from .url import Url

SCHEMES: Final = frozenset({"tcp", "tls", "ws", "wss", "unix"})
"""What can be shared: the transports of this package that have sockets."""

BACKLOG: Final = 1024


def can_share() -> bool:
    """Whether this system lets several processes of one user have one port."""
    return hasattr(socket, "SO_REUSEPORT")


class SharedAddress:
    """The sockets of one address; made by `share`. `url` names it with the real port.

    Not for use by several tasks at once.
    """

    def __init__(
        self, url: Url, sets: Sequence[Sequence[socket.socket]], *, common: bool, ours: bool
    ) -> None:
        self.url = url
        self._sets = [list(each) for each in sets]
        self._common = common
        self.urls = self._named()
        """The address as the processes have to call it, so that they find their sockets without asking for names."""
        path = url.path if url.scheme == "unix" and ours else None
        self._file = (path, identity_of(path)) if path is not None else None

    def sockets(self, number: int) -> list[socket.socket]:
        """Those of the process `number`, counted from 1; none after `drop`."""
        return list(self._sets[number - 1])

    def drop(self, number: int) -> None:
        """Close those of one process: what waits there is refused, and what comes goes to the others.

        Nothing happens where all processes have the same sockets.
        """
        if not self._common:
            _close(self._sets[number - 1])
            self._sets[number - 1] = []

    async def renew(self, number: int) -> None:
        """Bind anew what `drop` has closed; it listens when the process does. Raises LinkError."""
        if not self._sets[number - 1]:
            self._sets[number - 1] = await bind_one_more(self.url)

    def close(self) -> None:
        """Close all that are held here, and remove the file of a Unix socket that was made here.

        Processes that have them go on. May be called more than once.
        """
        for each in self._sets:
            _close(each)
        if (
            self._file is not None
            and self._file[1] is not None
            and self._file[1] == identity_of(self._file[0])
        ):
            with contextlib.suppress(OSError):
                os.unlink(self._file[0])
        self._file = None

    def _named(self) -> list[str]:
        if self._common or self.url.host in ("*", "localhost"):
            return [self.url.text]
        hosts = dict.fromkeys(str(sock.getsockname()[0]) for sock in self._sets[0])
        return [self.url.with_host(host).text for host in hosts]


async def share(url: Url, count: int, handed: Sequence[socket.socket] = ()) -> SharedAddress:
    """Listen at `url` for `count` processes: at a port with sockets for each, at a Unix socket with one for all.

    Sockets among `handed` that listen there already take the place of others, and are for all. Raises LinkError where
    nobody can listen there, as when somebody does already.
    """
    there = inherited(url, handed)
    if there is not None:
        return SharedAddress(there[0], [there[1]] * count, common=True, ours=False)
    if url.scheme == "unix":
        bound, sockets = await bind(url, BACKLOG)
        return SharedAddress(bound, [sockets] * count, common=True, ours=True)
    bound, sets = await bind_shared(url, BACKLOG, count)
    return SharedAddress(bound, sets, common=False, ours=True)


def _close(sockets: Sequence[socket.socket]) -> None:
    for sock in sockets:
        sock.close()
