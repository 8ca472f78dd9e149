"""Files that plugins read: within bounds, and again when they change."""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from .errors import SecurityError

Path = str | os.PathLike[str]
T = TypeVar("T")

PAUSE: Final = 1.0  # seconds for which a file is not looked at again

_REASONS: Final = {
    errno.ENOENT: "there is no such file; check the path",
    errno.ENOTDIR: "there is no such file; check the path",
    errno.EACCES: "this user may not read it; change its owner or mode",
    errno.EISDIR: "it is a folder; name the file in it",
}

_logger = logging.getLogger("graftwire.gateway")


def read_file(path: Path, what: str, largest: int) -> tuple[bytes, os.stat_result]:
    """All of a regular file of at most `largest` bytes, and what the system says about it.

    `what` names it in the one sentence of the SecurityError, as in "the key file".
    """
    name = os.fspath(path)
    try:
        # without waiting: a named pipe that nobody writes to would hold up everything
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if stat.S_ISDIR(facts.st_mode):
                raise IsADirectoryError(errno.EISDIR, "")
            if not stat.S_ISREG(facts.st_mode):
                raise SecurityError(f"{what} {name} is no regular file; name one")
            data = file.read(largest + 1)
    except OSError as error:
        raise SecurityError(f"{what} {name} can't be read: {reason(error)}") from None
    except ValueError:
        raise SecurityError(f"the path of {what} has a character that no path has; check it") from None
    if len(data) > largest:
        raise SecurityError(f"{what} {name} is longer than {largest} bytes; check that it is the right file")
    return data, facts


def reason(error: OSError) -> str:
    """Why a file can't be used, and what to do about it."""
    known = _REASONS.get(error.errno or 0)
    return known or f"{os.strerror(error.errno or 0).lower()}; check the path"


class Watched(Generic[T]):
    """What a file means, read again when the file changes.

    `read` makes it from the file's bytes and what the system says about the file; it raises SecurityError, with a
    whole sentence, for what can't be used. At the start that reaches whoever makes this. Later it is a warning of the
    logger `graftwire.gateway`, once for each change, and what was read before stays in force. The file is looked at
    when `value` is asked for, at most once in `pause` seconds of `clock`.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[bytes, os.stat_result], T],
        *,
        what: str,
        largest: int,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path: str = os.path.abspath(os.fspath(path))
        self._read = read
        self._what = what
        self._largest = largest
        self._pause = pause
        self._clock = clock
        self._seen = self._look()
        self._looked = clock()
        self._value = self._load()

    def value(self) -> T:
        """What the file means now. Never raises."""
        now = self._clock()
        if now - self._looked >= self._pause:
            self._looked = now
            seen = self._look()
            if seen != self._seen:
                self._seen = seen
                self._take_over()
        return self._value

    def _take_over(self) -> None:
        try:
            self._value = self._load()
        except SecurityError as error:
            _logger.warning(
                "a changed file was not taken over, what was read before stays in force: %s", error
            )
        else:
            _logger.info("%s %s was read again", self._what, self.path)

    def _load(self) -> T:
        return self._read(*read_file(self.path, self._what, self._largest))

    def _look(self) -> tuple[int, ...] | None:
        """What changes when the file does: its times (that of the inode tells changes of the mode), size, inode."""
        try:
            facts = os.stat(self.path)
        except (OSError, ValueError):
            return None
        return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino, facts.st_dev
