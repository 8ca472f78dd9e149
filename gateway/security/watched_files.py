"""Files that security plugins read at the start, and again when they change."""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

import trio

from .errors import SecurityError

Made = TypeVar("Made")
File = str | os.PathLike[str]

_log: Final = logging.getLogger("graftwire.gateway")

LOOK: Final = 1.0
"""Seconds for which a file is taken to be what it was when it was last looked at."""


class Watched(Generic[Made]):
    """What `make` made of the contents of `files`, made again when one of them changes.

    The files are read when this is made; SecurityError (of `make` too) then reaches the caller. Later they are
    looked at (time, size, inode) at most once a second, by `clock`, and only when somebody asks; changed ones are read
    in a thread. What can't be used then is a warning in the log, once for each change, and what was made before stays
    in force: a file that is being written, or was removed, lets nobody in and shuts nobody out.
    """

    def __init__(
        self,
        files: Sequence[File],
        make: Callable[[Sequence[bytes]], Made],
        *,
        private: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files = tuple(Path(file) for file in files)
        self._make = make
        self._private = private
        self._clock = clock
        self._looked = clock()
        self._seen = self._look()  # before reading: what changes meanwhile is read again
        self._made = self._read()

    @property
    def latest(self) -> Made:
        """What was made last, without a look at the files."""
        return self._made

    async def current(self) -> Made:
        """What was made of the files as they are now, give or take a second."""
        now = self._clock()
        if now - self._looked >= LOOK:
            self._looked = now
            seen = self._look()
            if seen != self._seen:
                self._seen = seen
                await self._read_again(seen)
        return self._made

    async def _read_again(self, seen: tuple[object, ...]) -> None:
        names = ", ".join(str(file) for file in self._files)
        try:
            made = await trio.to_thread.run_sync(self._read)
        except SecurityError as error:
            _log.warning(
                "%s changed and can't be used, so what was read before stays in force: %s", names, error
            )
        else:
            if self._seen == seen:  # or else they changed again meanwhile, and somebody has read that
                self._made = made
                _log.info("%s was read again", names)

    def _read(self) -> Made:
        return self._make([read(file, private=self._private) for file in self._files])

    def _look(self) -> tuple[object, ...]:
        return tuple(_signature(file) for file in self._files)


def _signature(file: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode


def read(file: File, *, private: bool = False) -> bytes:
    """The contents of a file; of one that holds secrets (`private`) only if no other user can read it.

    Raises SecurityError, with the remedy.
    """
    try:
        with open(file, "rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            if private and os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise SecurityError(
                    f"{file} holds secrets and other users have access to it; run chmod 600 {file}, and replace "
                    "the secrets if somebody may have read them"
                )
            return opened.read()
    except FileNotFoundError:
        raise SecurityError(f"{file} can't be read: there is no such file; check the path") from None
    except OSError as error:
        raise SecurityError(
            f"{file} can't be read: {os.strerror(error.errno or 0)}; check the file and its mode"
        ) from None
