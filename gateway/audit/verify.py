"""Checking an audit log: whether its lines still hang together, across all of its files.

Reads one line at a time, so that a log of any size takes the same memory. What an unbroken chain proves, and what it
does not, is in docs/reference/audit.md.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Final, Protocol

from graftwire.gateway.security.errors import SecurityError

from .chain import (
    BEGINNING,
    FIRST,
    LONGEST,
    START,
    Line,
    Link,
    NotALine,
    Position,
    ResumedLine,
    decode,
    digest,
)

LISTED: Final = 100  # findings that are told one by one; of more, only how many
_SOUGHT: Final = (
    100  # lines at the beginning of a file among which one is sought that says where the file belongs
)
_STEP: Final = 1_048_576  # bytes between two signs of progress


class Kind(StrEnum):
    """What was found: problems, and after them what is only worth a note."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    RESTARTED = "restarted"
    NO_LINE = "no-line"
    NO_RECORD = "no-record"
    # notes
    TORN = "torn"
    BEGINS_LATER = "begins-later"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: where (None: nowhere in particular), and one sentence. No part of a record is in it."""

    kind: Kind
    text: str
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of a log.

    `files` are in the order of the chain; `lines` is how many there are; `first` and `last` are the numbers of the
    first and the last one, and `hash` is that of the last, None where there is no line; `expected` is the number of
    the line whose hash was expected, None where there is none. `problems` and `notes` are the first hundred of each,
    `more` counts the further problems.
    """

    files: tuple[str, ...]
    lines: int
    first: int | None
    last: int | None
    hash: str | None
    expected: int | None
    problems: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    more: int = 0

    @property
    def intact(self) -> bool:
        """Whether nothing was found that should not be there, or that should."""
        return not self.problems


def verify(
    paths: Iterable[str | os.PathLike[str]],
    *,
    expect: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Check the log that these files are, given in any order; a file that is given twice counts once.

    `expect` is the hash of a line, in hex, as it was noted earlier: if that line is not there any more, that is a
    problem. Without it nothing shows that lines are missing at the end. `progress` is called now and then with how
    many more bytes were read.

    Raises SecurityError for a file that can't be read, and for an `expect` that is no hash.
    """
    if expect is not None:
        expect = expect.lower()
        if re.fullmatch(r"[0-9a-f]{64}", expect) is None:
            raise SecurityError(
                "the expected hash is none: give the 64 hex digits of the last line, as an earlier check showed them"
            )
    checker = _Checker(expect)
    files = _ordered([os.fspath(path) for path in paths])
    for file in files:
        try:
            with _opened(file) as opened:
                for number, (line, whole) in enumerate(_lines(opened, progress), 1):
                    checker.line(file, number, line, whole)
        except OSError as error:
            raise _unreadable(file, error) from None
        checker.end_of_file()
    return checker.report(tuple(files))


# ---------------------------------------------------------------- files


def _ordered(paths: list[str]) -> list[str]:
    """The files by the number of the first line in them; those that say none are last."""
    first: dict[str, int | None] = {}
    seen: set[tuple[int, int]] = set()
    for path in paths:
        try:
            with _opened(path) as opened:
                found = os.fstat(opened.fileno())
                if (found.st_dev, found.st_ino) not in seen:
                    seen.add((found.st_dev, found.st_ino))
                    first[path] = _first_number(opened)
        except OSError as error:
            raise _unreadable(path, error) from None
    return sorted(first, key=lambda path: ((number := first[path]) is None, number or 0))


def _first_number(file: BinaryIO) -> int | None:
    for _, (line, _) in zip(range(_SOUGHT), _lines(file, None), strict=False):
        try:
            return decode(line).n
        except NotALine as error:
            if error.link is not None:
                return error.link.n
    return None


def _opened(path: str) -> BinaryIO:
    """Open a regular file; anything else could block, or have no end. Raises OSError, SecurityError."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise SecurityError(f"{path} is no regular file; give the files of an audit log")
    return open(path, "rb", buffering=_STEP)


def _unreadable(path: str, error: OSError) -> SecurityError:
    reason = os.strerror(error.errno or 0).lower()
    return SecurityError(f"the file {path} can't be read: {reason}; give the files of an audit log")


def _lines(file: BinaryIO, progress: Callable[[int], None] | None) -> Iterator[tuple[bytes, bool]]:
    """Each line without its newline, and whether it had one. Of a line that is too long, only its beginning."""
    read = 0
    while line := file.readline(LONGEST + 1):
        read += len(line)
        whole = line.endswith(b"\n")
        if len(line) > LONGEST and not whole:
            while not whole and (more := file.readline(LONGEST)):
                whole = more.endswith(b"\n")
                if progress is not None:
                    progress(len(more))
            yield line, whole
        else:
            yield line[:-1] if whole else line, whole
        if progress is not None and read >= _STEP:
            progress(read)
            read = 0
    if progress is not None:
        progress(read)


# ---------------------------------------------------------------- the chain


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


@dataclass(slots=True)
class _Rubbish:
    """Lines in a row that are none of an audit log: torn ones, if the next line says so."""

    file: str
    line: int
    count: int
    size: int  # bytes, with the newlines between them
    hash: _Hash  # of the same
    whole: bool  # whether the last of them had a newline
    like_ours: bool  # whether the first of them begins like a line of a log

    @property
    def torn(self) -> bool:
        """Whether this can be what a write left that was cut short, at the end of a file."""
        mine = self.like_ours or self.line > 1  # after a loss of power there may be anything
        return mine and not self.whole and self.count == 1 and self.size <= LONGEST


class _Checker:
    """Follows the chain from line to line.

    After a problem it goes on from what it found, so that one change is told once, and a second one, too.
    """

    def __init__(self, expect: str | None) -> None:
        self._expect = expect
        self._expected: int | None = None
        self._problems: list[Finding] = []
        self._notes: list[Finding] = []
        self._more = 0
        self._count = 0
        self._first: int | None = None
        self._at = START  # the last line that is in its place
        self._place: tuple[str, int] | None = None  # where that one stands
        self._blamed: tuple[str, int] | None = None  # a line of which a problem was told already
        self._gaps: list[tuple[int, int]] = []  # numbers that were missing
        self._rubbish: _Rubbish | None = None

    def line(self, file: str, number: int, line: bytes, whole: bool) -> None:
        """Take the next line; `whole`: it ended with a newline."""
        self._count += 1
        place = file, number
        try:
            found: Line | Link = decode(line)
        except NotALine as error:
            if error.link is None:
                self._collect(place, line, whole)
                return
            found = error.link
            self._problem(
                Kind.NO_RECORD,
                "it lacks what a record says, or says it in another way; it was changed",
                place,
            )
        hash_ = digest(line)
        if hash_ == self._expect:
            self._expected = found.n
        skipped = self._settle(found, place)
        self._follow(found, hash_, place, skipped)

    def end_of_file(self) -> None:
        """What is torn at the end of a file is a write that was cut short, or is not over yet."""
        rubbish = self._rubbish
        if rubbish is not None and rubbish.torn:
            self._rubbish = None
            text = f"the file ends within a line, {_counted(rubbish.size, 'byte')} into it: its write was cut short"
            self._note(Kind.TORN, text, (rubbish.file, rubbish.line))
        else:
            self._settle(None, None)

    def report(self, files: tuple[str, ...]) -> Report:
        """What was found in all of them."""
        if self._expect is not None and self._expected is None:
            self._problem(
                Kind.REMOVED,
                "the line with the expected hash is not there: it was changed, or removed from the end, or it is in a "
                "file that was not given",
                None,
            )
        there = self._first is not None
        return Report(
            files,
            self._count,
            self._first,
            self._at.n if there else None,
            self._at.hash if there else None,
            self._expected,
            tuple(self._problems),
            tuple(self._notes),
            self._more,
        )

    def _collect(self, place: tuple[str, int], line: bytes, whole: bool) -> None:
        before = self._rubbish
        if before is None:
            like_ours = BEGINNING.startswith(line[: len(BEGINNING)])
            self._rubbish = _Rubbish(*place, 1, len(line), hashlib.sha256(line), whole, like_ours)
        else:
            before.count += 1
            before.size += 1 + len(line)
            before.hash.update(b"\n")
            before.hash.update(line)
            before.whole = whole

    def _settle(self, line: Line | Link | None, place: tuple[str, int] | None) -> int:
        """Say what the lines are that were none, now that the next one is known; how many of them are a problem."""
        rubbish, self._rubbish = self._rubbish, None
        if rubbish is None:
            if isinstance(line, ResumedLine):
                self._problem(Kind.REMOVED, "it tells of a torn line before it, which is not there", place)
            return 0
        where = rubbish.file, rubbish.line
        if isinstance(line, ResumedLine) and (line.torn, line.torn_hash) == (
            rubbish.size,
            rubbish.hash.hexdigest(),
        ):
            text = f"{_counted(rubbish.size, 'byte')} of a line whose write was cut short, as the line after it says"
            self._note(Kind.TORN, text, where)
            return 0
        many = (
            f"this and the {_counted(rubbish.count - 1, 'line')} after it are"
            if rubbish.count > 1
            else "it is"
        )
        self._problem(Kind.NO_LINE, f"{many} no line of an audit log: changed, or inserted", where)
        return rubbish.count

    def _follow(self, line: Line | Link, hash_: str, place: tuple[str, int], skipped: int) -> None:
        """Compare number and hash with those that should come; `skipped` lines in between could not be read."""
        here = Position(line.n, hash_)
        if self._first is None:
            self._begin(line, place)
        elif line.prev == self._at.hash:
            if line.n != self._at.n + 1:
                text = f"its number is {line.n}, and {self._at.n + 1} comes here"
                self._problem(Kind.CHANGED, text, place)
                here = Position(self._at.n + 1, hash_)
        elif line.n == 1 and line.prev == FIRST:
            text = "a new chain begins here, with number 1, which nothing ties to what is before it"
            self._problem(Kind.RESTARTED, text, place)
            self._gaps.clear()
        elif line.n <= self._at.n:
            missed = any(low <= line.n <= high for low, high in self._gaps)
            kind = Kind.REORDERED if missed else Kind.INSERTED
            again = "after it was missing before" if missed else "though it was there before"
            self._problem(kind, f"number {line.n} stands here, after {self._at.n}, {again}", place)
            return
        elif line.n == self._at.n + 1:
            if not skipped:
                text = "its hash is not the one that the next line tells of: it was changed, or that line was"
                self._problem(Kind.CHANGED, text, self._place)
        elif line.n > self._at.n + 1 + skipped:
            low, high = self._at.n + 1, line.n - 1
            text = f"{_range(low, high)} missing before it: removed, or in a file that was not given"
            self._problem(Kind.REMOVED, text, place)
            if len(self._gaps) < LISTED:
                self._gaps.append((low, high))
        self._at = here
        self._place = place

    def _begin(self, line: Line | Link, place: tuple[str, int]) -> None:
        """The first line that can be read."""
        self._first = line.n
        if line.n == 1:
            if line.prev != FIRST:
                self._problem(Kind.CHANGED, "it is the first line, and tells of one before it", place)
        else:
            text = f"the log begins with number {line.n} here: what was before it is not checked"
            self._note(Kind.BEGINS_LATER, text, place)

    def _problem(self, kind: Kind, text: str, place: tuple[str, int] | None) -> None:
        if place is not None and place == self._blamed:
            return  # one change, one problem
        self._blamed = place
        if len(self._problems) < LISTED:
            self._problems.append(Finding(kind, text, *(place or (None, None))))
        else:
            self._more += 1

    def _note(self, kind: Kind, text: str, place: tuple[str, int]) -> None:
        if len(self._notes) < LISTED:
            self._notes.append(Finding(kind, text, *place))


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _range(low: int, high: int) -> str:
    return f"number {low} is" if low == high else f"numbers {low} to {high} are"
