"""Frames out of one direction's bytes, however they are cut, for tools that look on and take no part.

Each frame is judged by itself (its length, its head, its elements). What depends on the state of a session (an id
that is not the next one, credit) takes both directions and is not judged here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from graftwire.protocol import frames
from graftwire.protocol.errors import ProtocolViolation
from graftwire.protocol.frames import Frame

PREFIX: Final = 4  # bytes of the length prefix (clause FRAME-1)


@dataclass(frozen=True, slots=True)
class Seen:
    """One frame as it was seen: `number` counts from 1, `offset` and `size` are in bytes and count its prefix.

    `frame` is None where it breaks the standard; `violation` then says how.
    """

    number: int
    offset: int
    size: int
    frame: Frame | None
    violation: ProtocolViolation | None = None


class Reader:
    """Reads the frames of one direction. Holds at most one unfinished frame, of at most 16 MiB.

    After a length that no frame can have, nobody knows where the next one begins: `lost` is set, and what follows is
    counted and not read.
    """

    def __init__(self) -> None:
        self.count = 0
        self.bytes = 0
        self.lost = False
        self._buffer = bytearray()

    @property
    def unfinished(self) -> int:
        """How many bytes of a frame that is not complete have come."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Seen]:
        """The frames that `data` completes."""
        self.bytes += len(data)
        if self.lost:
            return
        self._buffer += data
        position = 0
        while len(self._buffer) - position >= PREFIX:
            try:
                length, _ = frames.split(bytes(self._buffer[position : position + PREFIX]))
            except ProtocolViolation as violation:
                self.lost = True
                yield self._seen(position, len(self._buffer) - position, None, violation)
                self._buffer.clear()
                return
            end = position + PREFIX + length
            if end > len(self._buffer):
                break
            yield self._decoded(position, end)
            position = end
        del self._buffer[:position]

    def finish(self) -> Iterator[Seen]:
        """What is left at the end: a frame that was cut, if anything."""
        if self._buffer:
            violation = ProtocolViolation("FRAME-8", "the input ends inside a frame")
            yield self._seen(0, len(self._buffer), None, violation)
            self._buffer.clear()

    def _decoded(self, start: int, end: int) -> Seen:
        try:
            frame = frames.decode(bytes(self._buffer[start + PREFIX : end]))
        except ProtocolViolation as violation:
            return self._seen(start, end - start, None, violation)
        return self._seen(start, end - start, frame, None)

    def _seen(self, start: int, size: int, frame: Frame | None, violation: ProtocolViolation | None) -> Seen:
        self.count += 1
        return Seen(self.count, self.bytes - len(self._buffer) + start, size, frame, violation)


def credentials_in(frame: Frame | None) -> int:
    """How many credentials a frame carries: proofs of an AUTH, answers to them, and credentials of a CALL."""
    match frame:
        case frames.Auth() | frames.Challenge():
            return 1
        case frames.Call():
            return int(frame.credential is not None)
        case _:
            return 0
