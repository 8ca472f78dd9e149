"""A worker lives no longer than its gateway, whatever either of them does at that moment."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import threading
from contextlib import suppress


def end_with(life: int, gateway: int) -> None:
    """End this process, with what it has started, when the gateway ends.

    `life` is the reading end of a pipe whose other end the gateway holds, `gateway` the number of its process, the
    parent of this one.
    """
    if sys.platform == "linux":
        # The kernel sees to it, also while this process is stopped, or hangs in code that holds Python's lock.
        fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)  # type: ignore[attr-defined]
        fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
    threading.Thread(target=_watch, args=(life, gateway), daemon=True).start()


def _watch(life: int, gateway: int) -> None:
    """The same for other systems, and for a pipe that lives on in what the gateway has forked."""
    watched = select.poll()
    watched.register(life, select.POLLIN)
    if hasattr(os, "pidfd_open"):
        with suppress(OSError):  # it has ended, which its pipe says; or the system has no such thing
            watched.register(os.pidfd_open(gateway), select.POLLIN)
    if os.getppid() == gateway:  # else its number may be another's by now
        watched.poll()
    os.killpg(os.getpgrp(), signal.SIGKILL)
