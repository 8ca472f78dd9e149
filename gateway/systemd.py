"""What a service manager such as systemd offers: sockets that it has bound, and somebody to tell how things are.

Nothing happens where it offers nothing. (sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3).)
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

from .configuration.errors import ConfigurationError

FIRST: Final = 3  # the descriptor of the first socket that is handed over


def inherited(environ: Mapping[str, str]) -> list[socket.socket]:
    """The listening sockets that were handed to this process, marked so that its own children do not get them.

    Raises ConfigurationError for a descriptor that is no such socket.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []  # they are for another process
    try:
        count = int(environ.get("LISTEN_FDS", "0"))
    except ValueError:
        raise ConfigurationError("LISTEN_FDS is no number; let the service manager set it") from None
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    found: list[socket.socket] = []
    for index in range(count):
        name = names[index] if index < len(names) and names[index] else str(FIRST + index)
        try:
            os.set_inheritable(FIRST + index, False)
            found.append(_listening(FIRST + index))
        except OSError:
            raise ConfigurationError(
                f"the socket {name} that was handed over does not listen for connections; write ListenStream= in its "
                "socket unit, and Accept=no"
            ) from None
    return found


def _listening(descriptor: int) -> socket.socket:
    sock = socket.socket(fileno=descriptor)
    if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.close()
        raise OSError(errno.EINVAL, "")
    return sock


class Notifier:
    """Tells the service manager how this process is doing, where it wants to know (NOTIFY_SOCKET)."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._path = environ.get("NOTIFY_SOCKET", "")
        mine = environ.get("WATCHDOG_PID") in (None, "", str(os.getpid()))
        text = environ.get("WATCHDOG_USEC", "")
        self.watchdog = int(text) / 2e6 if self._path and mine and text.isdecimal() and int(text) else None
        """Seconds after which to say `WATCHDOG=1` again: half of what is allowed; None where nobody asks for it."""

    def say(self, *lines: str) -> None:
        """Send the lines as one message. Nobody who does not listen any more can stop this process."""
        if not self._path:
            return
        path = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            try:
                sock.sendto("\n".join(lines).encode(), path)
            except OSError:
                return

    def ready(self) -> None:
        """Everything is up, after a start or a reload."""
        self.say("READY=1")

    def reloading(self) -> None:
        """A reload begins; `ready` ends it."""
        self.say("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self.say("STOPPING=1")

    def alive(self) -> None:
        """Still alive: what the watchdog waits for."""
        self.say("WATCHDOG=1")
