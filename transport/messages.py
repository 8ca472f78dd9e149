"""Frames in WebSocket messages (clause WS-1): where messages may be cut, and whether one holds whole frames.

Only the length prefixes are looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from graftwire.protocol.errors import LocalProtocolError

from .link import Buffer

PREFIX: Final = 4  # bytes of a frame's length prefix (clause FRAME-1)
_length_at: Final = struct.Struct(">I").unpack_from


class FrameWalk:
    """Walks through the bytes of messages, however they are split."""

    def __init__(self) -> None:
        self._skip = 0  # bytes of the current frame still to come
        self._prefix = b""  # the beginning of a length prefix

    def feed(self, data: bytes | bytearray) -> None:
        """Walk over the next bytes."""
        if self._prefix:
            data = self._prefix + data
        at, size = self._skip, len(data)
        while at + PREFIX <= size:
            at += PREFIX + _length_at(data, at)[0]
        self._prefix = bytes(data[at:])
        self._skip = max(0, at - size)

    @property
    def whole(self) -> bool:
        """Whether the bytes so far end where a frame ends."""
        return not self._skip and not self._prefix


def split(data: Buffer, most: int) -> Iterator[tuple[int, int]]:
    """Start and end of the messages for `data`: at most `most` bytes each, or one larger frame alone.

    Raises LocalProtocolError if `data` does not end where a frame ends.
    """
    start = end = 0
    while end + PREFIX <= len(data):
        following = end + PREFIX + _length_at(data, end)[0]
        if following - start > most and end > start:
            yield start, end
            start = end
        end = following
    if end != len(data):
        raise LocalProtocolError("WS-1", "what a link sends has to be whole frames")
    if end > start:
        yield start, end
