"""Where the chain of an existing audit log ends, from its last lines alone: a log may be larger than memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, NamedTuple

from graftwire.gateway.security.errors import SecurityError

from .chain import BEGINNING, LONGEST, Line, NotALine, Position, ResumedLine, decode, digest

_BLOCK: Final = 65_536


class End(NamedTuple):
    """The end of a log.

    `position` is that of the last whole line; `torn` is what stands after it, of a write that was cut short;
    `unterminated`: nothing is missing but the newline.
    """

    position: Position
    torn: bytes = b""
    unterminated: bool = False


def find_end(descriptor: int, path: str, before: Callable[[], Position]) -> End:
    """Where the log in a file ends; `before` says where its chain was when the file began, should it hold no line.

    Raises SecurityError for what is no audit log, and for one whose last line does not follow from the line before it;
    OSError if the file can't be read.
    """
    size = os.fstat(descriptor).st_size
    if not size:
        return End(before())
    head = os.pread(descriptor, len(BEGINNING), 0)
    if not BEGINNING.startswith(head):
        raise SecurityError(
            f"the file {path} holds something else than an audit log; name another file, or move that one away"
        )
    lines, tail = _last_lines(descriptor, size)
    end = _end(lines, tail, before)
    if end is None:
        raise SecurityError(
            f"the audit log {path} is broken at its end: the last line does not follow from the one before it; keep "
            f"the file (graftwire audit verify {path} says more), and name another one"
        )
    return end


def _end(lines: list[bytes], tail: bytes, before: Callable[[], Position]) -> End | None:
    """The end that these last lines make; None if they don't hang together."""
    last = _decoded(lines[-1]) if lines else None
    if lines and last is None:
        # What is torn may be a line, and after it the note of it: two pieces. Anything else is none of ours.
        if not tail or not BEGINNING.startswith(tail[: len(BEGINNING)]):
            return None
        note = _decoded(tail)
        if note is not None:  # the newline alone is missing
            return End(Position(note.n, digest(tail)), unterminated=True) if _follows(note, lines) else None
        tail = lines.pop() + b"\n" + tail
        last = _decoded(lines[-1]) if lines else None
    if last is not None:
        if not _follows(last, lines[:-1]):
            return None
        position = Position(last.n, digest(lines[-1]))
    elif lines:
        return None
    else:
        position = before()
    whole = _decoded(tail)
    if whole is None:
        return End(position, tail)
    if (whole.n, whole.prev) != (position.n + 1, position.hash):
        return None
    return End(Position(whole.n, digest(tail)), unterminated=True)


def _last_lines(descriptor: int, size: int) -> tuple[list[bytes], bytes]:
    """The last four lines (fewer, if there are no more), and what stands after them without a newline."""
    data = b""
    begin = size
    while begin and data.count(b"\n") < 5 and len(data) < 6 * LONGEST:
        begin = max(0, begin - _BLOCK)
        data = os.pread(descriptor, size - len(data) - begin, begin) + data
    *lines, tail = data.split(b"\n")
    if begin and len(lines) < 5:  # no line is so long: what is there is something else
        return [data, data], b""
    return lines[-4:], tail


def _decoded(line: bytes) -> Line | None:
    try:
        return decode(line)
    except NotALine:
        return None


def _follows(line: Line, before: list[bytes]) -> bool:
    """Whether a line follows from those before it, of which the last may be torn if this one says so."""
    if not before:
        return True
    earlier = _decoded(before[-1])
    if earlier is not None:
        return (line.n, line.prev) == (earlier.n + 1, digest(before[-1]))
    torn = [digest(b"\n".join(before[-pieces:])) for pieces in (1, 2)]
    return isinstance(line, ResumedLine) and line.torn_hash in torn
