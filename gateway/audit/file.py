"""The audit log as a file: JSON lines, each chained to the one before it (docs/reference/audit.md)."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import ClassVar, Final, Self

import trio

from graftwire.gateway.audit.record import Record
from graftwire.gateway.security.errors import SecurityError
from graftwire.gateway.security.plugins import AuditSink

from .chain import LONGEST, START, Position, Resumed, digest, encode
from .opening import moved_aside, next_name, open_log, same_file
from .syncing import Syncing
from .tail import find_end

_log: Final = logging.getLogger("graftwire.audit")


class AuditFile(AuditSink):
    """Appends each record as one line to the file at `path`, which is made (mode 0600) if it is not there.

    The chain of a file that is there is continued, also across a restart. `rotate_at`: before a file would grow beyond
    so many bytes it is moved aside, to `path` with `.000001`, `.000002`, … after it, and a new one continues the chain;
    None: never. If the file is moved away, by a program that rotates logs or by anybody, the next record goes on in a
    new file at `path`. `sync`: a record is kept when the disk has it; without it, when the system has it, which
    survives the end of this process and no loss of power.

    Raises SecurityError where the file can't be used: its folder is missing, it is no regular file, another process
    has it open, it is no audit log, its last line does not follow from the one before; ValueError for a `rotate_at`
    below 1.
    """

    name: ClassVar[str] = "file"

    def __init__(
        self, path: str | os.PathLike[str], *, rotate_at: int | None = None, sync: bool = False
    ) -> None:
        if rotate_at is not None and rotate_at < 1:
            raise ValueError("rotate_at counts bytes: 1 or more, or None for never")
        shown = os.fspath(path)
        self._path = os.path.abspath(shown)  # the working directory may change
        self._rotate_at = rotate_at
        self._at = START
        self._size = 0  # of the file; counted, since asking costs as much as writing
        self._torn = b""  # what stands at the end of the file, of a line that could not be written to its end
        self._syncing: Syncing | None = None
        self._descriptor = open_log(shown)
        try:
            self._continue(shown)
            if sync:
                self._syncing = Syncing(self._descriptor, os.path.dirname(self._path))
        except OSError as error:
            self._close()
            reason = os.strerror(error.errno or 0).lower()
            raise SecurityError(
                f"the audit log {shown} can't be continued: {reason}; mend that, or name another file"
            ) from None
        except BaseException:
            self._close()
            raise

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The sink for a configured `file:PATH`. Raises SecurityError."""
        if not text:
            raise SecurityError("an audit log needs the path of its file, as in audit.jsonl")
        return cls(text)

    @property
    def position(self) -> Position:
        """The number and the hash of the last line: what to note elsewhere, to show later that none is missing."""
        return self._at

    async def write(self, record: Record) -> None:
        """Append one record.

        When this returns the record is kept; without `sync` it is no checkpoint. Raises OSError if the file can't be
        written (nothing of the record is then left in it, and later ones follow the chain), or the disk may not have
        it; SecurityError if the file is full, or was moved away, and there is no new one to be had; ValueError for a
        record that makes a line of more than 1 MiB. Cancelled: the record is in the file.
        """
        if self._descriptor >= 0 and not same_file(self._descriptor, self._path):
            self.reopen()  # nobody would find what is written to a file that has lost its name
            _log.warning("the audit log %s was moved away; it goes on in a new file", self._path)
        self._append(record)
        if self._syncing is not None:
            await self._syncing.wait()

    @trio.lowlevel.enable_ki_protection  # Ctrl-C between the write and the count would break the chain
    def reopen(self) -> None:
        """Go on in a new file at the same path, if the old one was moved away; the next record does so by itself.

        The first line of the new file follows the last one of the old. Raises SecurityError if there is no new file to
        be had, or it is not empty, and OSError if its folder can't be read; the old file then stays in use.
        """
        if same_file(self._descriptor, self._path):
            return
        descriptor = open_log(self._path)
        if os.fstat(descriptor).st_size:
            os.close(descriptor)
            raise SecurityError(
                f"the file {self._path} has taken the place of the audit log and is not empty; move it away"
            )
        if self._torn:
            with suppress(OSError):  # a torn end of a file breaks no chain
                self._mend()
        if self._syncing is None:
            os.close(self._descriptor)
        else:
            try:
                self._syncing.switch(descriptor)
            except OSError:
                os.close(descriptor)
                raise
        self._descriptor = descriptor
        self._size = 0
        self._torn = b""

    async def aclose(self) -> None:
        """Close the file; with `sync`, when the disk has all of it. Writing afterwards raises OSError."""
        try:
            if self._syncing is not None and self._descriptor >= 0:
                await self._syncing.wait()
        finally:
            self._close()

    # ---------------------------------------------------------------- the file that is there

    def _continue(self, path: str) -> None:
        """Find out where the chain is, and mend what a write that was cut short has left."""
        self._size = os.fstat(self._descriptor).st_size
        end = find_end(self._descriptor, path, self._before)
        self._at = end.position
        if end.unterminated:
            self._put(b"\n")
        elif end.torn:
            self._torn = end.torn
            self._note()

    def _before(self) -> Position:
        """Where the chain was when the newest file that was moved aside was full."""
        for path in moved_aside(self._path):
            # It is locked for as long as the process that moved it has no new one.
            descriptor = open_log(path, older=True)
            try:
                end = find_end(descriptor, path, lambda: START)
            finally:
                os.close(descriptor)
            if end.position.n:
                return end.position
        return START

    # ---------------------------------------------------------------- writing

    # In the event loop: a local file takes a line within microseconds, and a thread for it would cost ten times that.
    # It also keeps the lines in the order of the decisions, and leaves a cancelled call no way to lose its record.
    @trio.lowlevel.enable_ki_protection  # as above
    def _append(self, record: Record) -> None:
        if self._torn:
            self._mend()
        line = encode(self._at, record)
        if len(line) > LONGEST:
            raise ValueError("a record makes a line of more than 1 MiB; let the plugin give a shorter reason")
        if self._rotate_at is not None and self._size + len(line) > self._rotate_at and self._size:
            self._rotate()
        self._put(line)
        self._at = Position(self._at.n + 1, digest(line[:-1]))

    def _rotate(self) -> None:
        if same_file(self._descriptor, self._path):
            os.rename(self._path, next_name(self._path))
        self.reopen()  # also where the last attempt came so far and no further

    def _put(self, data: bytes) -> None:
        """Write all of `data`. Raises OSError; what was written of it is then taken back, or kept in mind."""
        done = 0
        try:
            done = os.write(self._descriptor, data)
            while done < len(data):
                done += os.write(self._descriptor, data[done:])
        except OSError:
            if done:
                try:
                    self._take_back(done)
                except OSError:
                    self._torn += data[:done]
                    self._size += done
            raise
        self._size += done

    def _mend(self) -> None:
        try:
            self._take_back(len(self._torn))
            self._size -= len(self._torn)
        except OSError:  # a file that can only be appended to (chattr +a)
            self._note()
        self._torn = b""

    def _take_back(self, count: int) -> None:
        size = os.fstat(self._descriptor).st_size
        os.ftruncate(self._descriptor, max(0, size - count))

    def _note(self) -> None:
        """End the torn line, and say that it is one."""
        torn = self._torn
        line = encode(self._at, Resumed(time=datetime.now(UTC), torn=len(torn), torn_hash=digest(torn)))
        self._put(b"\n" + line)
        self._torn = b""
        self._at = Position(self._at.n + 1, digest(line[:-1]))

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
        if self._syncing is not None:
            self._syncing.close()
