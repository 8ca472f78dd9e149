"""One line of an audit log, and how it hangs on the line before it.

A line is one JSON object: `n` counts the lines of the log from 1, `prev` is the SHA-256 of the line before (of its
bytes, without the newline), and the rest is what was decided, or the note that a write was cut short. What such a
write left is no line, and has no number: the chain goes past it, from the last whole line to the note, which has the
hash of it. What a reader may rely on is in docs/reference/audit.md.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from graftwire.gateway.audit.record import Record

FIRST: Final = "0" * 64  # `prev` of the very first line
LONGEST: Final = 1_048_576  # bytes of a line: bounds what a reader has to hold
BEGINNING: Final = b'{"n":'  # how every line begins, so that a file that is none is known by its first bytes


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """The note that what stands before it is the beginning of a line whose write was cut short.

    `torn`: how many bytes of it there are; `torn_hash`: their SHA-256, in hex. (The note itself may have been cut
    short, too: then it is among them, with the newline before it.)
    """

    time: datetime
    event: Literal["resumed"] = "resumed"
    torn: int
    torn_hash: str


class Position(NamedTuple):
    """A place in a chain: the number of a line, and its hash in hex."""

    n: int
    hash: str


START: Final = Position(0, FIRST)

_Number = Annotated[int, msgspec.Meta(ge=1)]


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What every line has, whatever else it says."""

    n: _Number
    prev: str


class RecordLine(Record, frozen=True, kw_only=True):
    """A line that is a record."""

    n: _Number
    prev: str


class ResumedLine(Resumed, frozen=True, kw_only=True):
    """A line that is a note of a torn one."""

    n: _Number
    prev: str


Line = RecordLine | ResumedLine


class NotALine(Exception):
    """What was read is no line of an audit log; `link` is what it has in common with one, None where it is no JSON."""

    def __init__(self, link: Link | None) -> None:
        super().__init__()
        self.link = link


_encode: Final = msgspec.json.Encoder().encode
_record: Final = msgspec.json.Decoder(RecordLine)
_resumed: Final = msgspec.json.Decoder(ResumedLine)
_UNREADABLE: Final = (msgspec.DecodeError, ValueError, RecursionError)  # of UTF-8 and of depth, too
_link: Final = msgspec.json.Decoder(Link)


def encode(after: Position, entry: Record | Resumed) -> bytes:
    """The line for `entry` that follows the one at `after`, with its newline."""
    return b'{"n":%d,"prev":"%b",%b\n' % (after.n + 1, after.hash.encode(), _encode(entry)[1:])


def decode(line: bytes) -> Line:
    """What a line (without its newline) says. Fields that this version does not know are passed over.

    Raises NotALine.
    """
    with suppress(*_UNREADABLE):
        return _record.decode(line)
    with suppress(*_UNREADABLE):
        return _resumed.decode(line)
    link: Link | None = None
    with suppress(*_UNREADABLE):
        link = _link.decode(line)
    raise NotALine(link)


def digest(line: bytes) -> str:
    """The hash of a line (without its newline) that the next one has as its `prev`."""
    return hashlib.sha256(line).hexdigest()
