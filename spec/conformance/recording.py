"""Everything that crosses a link, both ways: the bytes with their times, and the frames in them."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Final

import msgspec

from .errors import Flooded

LENGTH: Final = 4  # bytes of a frame's length
LARGEST_FRAME: Final = 2**24 - 1  # FRAME-2
FLOOD: Final = 2**27  # bytes of the target, both layers together: no case asks for half as many
KEPT_OF_A_FLOOD: Final = 2**22


class Direction(StrEnum):
    """Who wrote it."""

    RUNNER = "runner"
    TARGET = "target"


class Layer(StrEnum):
    """Where it was seen: `frames` are the bytes of frames, `link` those around them (HTTP, WebSocket), without TLS."""

    FRAMES = "frames"
    LINK = "link"


class Chunk(msgspec.Struct, frozen=True):
    """Bytes that were written or read in one go; `at` is in seconds from the start of the recording."""

    at: float
    direction: Direction
    layer: Layer
    data: bytes


class Note(msgspec.Struct, frozen=True):
    """Something that is no bytes: how TLS came about, an end, a Close frame's code, a step of the case."""

    at: float
    direction: Direction
    text: str


class Recorder:
    """The record of one link."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.chunks: list[Chunk] = []
        self.notes: list[Note] = []
        self._came = 0

    def bytes(self, direction: Direction, layer: Layer, data: bytes) -> None:
        """Keep bytes; none are no chunk. Raises Flooded where the target has written too many: few of them are kept."""
        if not data:
            return
        self.chunks.append(Chunk(self.now(), direction, layer, bytes(data)))
        if direction is Direction.TARGET:
            self._came += len(data)
            if self._came > FLOOD:
                self._forget()
                raise Flooded(f"the target floods: more than {FLOOD >> 20} MiB came over one link")

    def _forget(self) -> None:
        """Keep the beginning of a flood alone."""
        size = 0
        for number, chunk in enumerate(self.chunks):
            size += len(chunk.data)
            if size > KEPT_OF_A_FLOOD:
                del self.chunks[number:]
                return

    def note(self, direction: Direction, text: str) -> None:
        """Keep a remark; it holds no byte that crossed, so no secret."""
        self.notes.append(Note(self.now(), direction, text))

    def now(self) -> float:
        """Seconds since the start."""
        return round(time.monotonic() - self._start, 6)

    def stream(self, direction: Direction, layer: Layer = Layer.FRAMES) -> bytes:
        """All bytes of one direction, joined."""
        return b"".join(
            each.data for each in self.chunks if each.direction == direction and each.layer == layer
        )


class Splitter:
    """Cuts a stream of bytes into frames as their lengths say."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self.position = 0  # bytes before what is kept

    @property
    def kept(self) -> int:
        """How many bytes of an unfinished frame are here."""
        return len(self._kept)

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that are complete now: the position of each in the stream, and its bytes behind the length.

        Raises ValueError for a length that no frame can have; nothing can be told behind it.
        """
        self._kept += data
        found: list[tuple[int, bytes]] = []
        while len(self._kept) >= LENGTH:
            length = int.from_bytes(self._kept[:LENGTH], "big")
            if not 2 <= length <= LARGEST_FRAME:
                raise ValueError(f"a length of {length} at byte {self.position} (FRAME-2)")
            end = LENGTH + length
            if len(self._kept) < end:
                break
            found.append((self.position, bytes(self._kept[LENGTH:end])))
            del self._kept[:end]
            self.position += end
        return found
