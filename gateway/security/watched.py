"""Files that plugins read: within bounds, only where nobody else could have tampered, and again when they change."""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from .errors import SecurityError

File = str | os.PathLike[str]
Made = TypeVar("Made")

LARGEST: Final = 4_194_304  # bytes of a file, unless told otherwise
PAUSE: Final = 1.0  # seconds for which a file is not looked at again

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

_REASONS: Final = {
    errno.ENOENT: "there is no such file; check the path",
    errno.ENOTDIR: "there is no such file; check the path",
    errno.EACCES: "this user may not read it; change its owner or mode",
    errno.EISDIR: "it is a folder; name the file in it",
}

_log: Final = logging.getLogger("graftwire.gateway")


def read(
    file: File,
    what: str = "the file",
    *,
    largest: int = LARGEST,
    private: bool = False,
    guarded: bool = False,
) -> bytes:
    """All of a regular file of at most `largest` bytes.

    `private`: it holds secrets, and nobody but its owner may have any access to it; `guarded`: nobody else may write
    to it. `what` names it in the one sentence of the SecurityError, as in "the key file".
    """
    name = os.fspath(file)
    try:
        # without waiting: a named pipe that nobody writes to would hold up everything
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as opened:
            mode = os.fstat(descriptor).st_mode  # of what was opened, whatever the path leads to by now
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, "")
            if not stat.S_ISREG(mode):
                raise SecurityError(f"{what} {name} is no regular file; name one")
            if private and mode & _OTHERS:
                raise SecurityError(
                    f"{what} {name} holds secrets and other users have access to it; run chmod 600 {name}, and replace "
                    "the secrets if somebody may have read them"
                )
            if guarded and mode & _OTHERS_WRITE:
                raise SecurityError(
                    f"{what} {name} can be written by others than its owner; run chmod go-w {name}, and check what it "
                    "holds"
                )
            data = opened.read(largest + 1)
    except OSError as error:
        raise SecurityError(f"{what} {name} can't be read: {reason(error)}") from None
    except ValueError:
        raise SecurityError(f"the path of {what} has a character that no path has; check it") from None
    if len(data) > largest:
        raise SecurityError(f"{what} {name} is longer than {largest} bytes; check that it is the right file")
    return data


def reason(error: OSError) -> str:
    """Why a file can't be used, and what to do about it."""
    known = _REASONS.get(error.errno or 0)
    return known or f"{os.strerror(error.errno or 0).lower()}; check the path"


class Watched(Generic[Made]):
    """What `make` made of the contents of `files`, made again when one of them changes.

    `make` raises SecurityError, with a whole sentence, for what can't be used; `what` and the keyword arguments are
    those of `read`. At the start that reaches whoever makes this. Later it is a warning of the logger
    `graftwire.gateway`, once for each reason; what was made before stays in force, and reading is tried again: a file
    that is being written, or was removed, lets nobody in and shuts nobody out.

    Files are looked at when somebody asks for the value, at most once in `pause` seconds of `clock`, and a changed one
    is read there and then, without giving way to other tasks. That is rare, local and bounded (measured: ten thousand
    keys, rules or lines of a policy take less than a fifth of a second), and so nobody who is cancelled, or comes
    meanwhile, can keep a change from being taken over.
    """

    def __init__(
        self,
        files: Sequence[File],
        make: Callable[[Sequence[bytes]], Made],
        what: str = "the file",
        *,
        largest: int = LARGEST,
        private: bool = False,
        guarded: bool = False,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files = tuple(os.path.abspath(os.fspath(file)) for file in files)
        self._make = make
        self._what = what
        self._largest = largest
        self._private = private
        self._guarded = guarded
        self._pause = pause
        self._clock = clock
        self._looked = clock()
        self._seen = self._look()  # before reading: what changes meanwhile is read again
        self._trouble: str | None = None
        self._value = self._read()

    def value(self) -> Made:
        """What the files mean now, give or take `pause`. Never raises."""
        now = self._clock()
        if now - self._looked >= self._pause:
            self._looked = now
            seen = self._look()
            if seen != self._seen or self._trouble is not None:
                self._take_over(seen)
        return self._value

    def _take_over(self, seen: tuple[object, ...]) -> None:
        try:
            self._value = self._read()
        except SecurityError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                _log.warning(
                    "a changed file was not taken over, what was read before stays in force: %s", error
                )
        else:
            for file, before, now in zip(self._files, self._seen, seen, strict=True):
                if before != now:
                    _log.info("%s %s was read again", self._what, file)
            self._seen, self._trouble = seen, None

    def _read(self) -> Made:
        return self._make(
            [
                read(file, self._what, largest=self._largest, private=self._private, guarded=self._guarded)
                for file in self._files
            ]
        )

    def _look(self) -> tuple[object, ...]:
        return tuple(_signature(file) for file in self._files)


def _signature(file: str) -> tuple[int, ...] | None:
    """What changes when a file does: its times (that of the inode tells changes of the mode), its size, which it is."""
    try:
        facts = os.stat(file)
    except (OSError, ValueError):
        return None
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino, facts.st_dev
