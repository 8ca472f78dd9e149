"""A transcript for readers: what crossed, in the order in which it did, every byte with its place and its meaning.

In the place of a byte that is not shown stands `··`: of a secret, which the transcript names and does not hold, and of
whatever stands where credentials have their place (annotating.py, linkbytes.py).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec

from ..recording import LARGEST_FRAME, LENGTH, Chunk, Direction, Layer
from ..results import Transcript
from ..secrecy import Hidden
from ..visible import printable
from .annotating import annotate, name_of
from .linkbytes import Unit as LinkUnit
from .linkbytes import units

SHOWN_BYTES: Final = 48  # of one row
MOST_ROWS: Final = 160  # of one transcript
HIDDEN_BYTE: Final = "··"


class Row(msgspec.Struct, frozen=True):
    """Some bytes and what they are. `offset` is that of the first one in the stream of its direction and layer.

    `hex` has at most the first `SHOWN_BYTES` of them, with spaces between; `··` is a byte that is hidden. It is empty
    for the bytes of frames inside the framing of a WebSocket: they are rows of their own.
    """

    offset: int
    size: int
    hex: str
    text: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that crossed, or a remark (which has no rows): when it began, in seconds, who wrote it, what it is.

    `layer` None is a remark. `number` counts the frames of a direction from 1. `parts`: in how many pieces it came.
    """

    at: float
    direction: Direction
    layer: Layer | None
    name: str
    number: int | None = None
    parts: int = 1
    rows: tuple[Row, ...] = ()


class Told(msgspec.Struct, frozen=True):
    """A transcript as it is shown. `left_out`: entries that there was no room for; `cut`: bytes were not recorded."""

    entries: tuple[Entry, ...]
    left_out: int = 0
    cut: bool = False

    @property
    def rows(self) -> int:
        """How many lines it takes."""
        return sum(1 + len(each.rows) for each in self.entries)


class _Piece(NamedTuple):
    """Some bytes of an entry, what they are, from where on they are hidden (None: nowhere), or shown elsewhere."""

    start: int
    end: int
    text: str
    hidden_from: int | None = None
    elsewhere: bool = False


class _Unit(NamedTuple):
    """What will be an entry: where it begins in its stream, its bytes, and what tells them when they are wanted."""

    start: int
    data: bytes
    name: str
    pieces: Callable[[], list[_Piece]]
    number: int | None = None
    parts: int = 1


class _Placed(NamedTuple):
    """An entry, and where it stands among all."""

    order: int
    offset: int
    entry: Entry


class _Stream:
    """The bytes of one direction and layer, with the chunks that they came in."""

    def __init__(
        self,
        direction: Direction,
        layer: Layer,
        chunks: Sequence[tuple[int, Chunk]],
        hidden: Sequence[Hidden],
    ) -> None:
        self.direction = direction
        self.layer = layer
        self._hidden = [each for each in hidden if (each.direction, each.layer) == (direction, layer)]
        self.data = b"".join(each.data for _, each in chunks)
        self._orders = [order for order, _ in chunks]
        self._times = [each.at for _, each in chunks]
        self._starts: list[int] = []
        at = 0
        for _, each in chunks:
            self._starts.append(at)
            at += len(each.data)

    def writes(self) -> list[tuple[int, bytes]]:
        """What is to be taken apart by itself: what the runner wrote, each write; of the target, all that came."""
        if self.direction is Direction.TARGET:
            return [(0, self.data)]
        ends = [*self._starts[1:], len(self.data)]
        return [(start, self.data[start:end]) for start, end in zip(self._starts, ends, strict=True)]

    def chunk_of(self, offset: int) -> int:
        """Which of the chunks a byte came in."""
        return bisect_right(self._starts, offset) - 1

    def hidden(self, start: int, end: int) -> list[Hidden]:
        """The secrets that were in a range of the stream, or in a part of it."""
        return [each for each in self._hidden if each.start < end and each.end > start]

    def place(self, offset: int) -> tuple[int, float]:
        """Where a byte stands among everything: the order of its chunk, and its time."""
        index = self.chunk_of(offset)
        return self._orders[index], self._times[index]


def told(transcript: Transcript, *, rows: int = MOST_ROWS) -> Told:
    """A transcript as rows, at most so many of them; what comes later is counted and left out."""
    chunks = _in_order(transcript.chunks)
    websocket = any(each.layer is Layer.LINK and each.data[:5] in (b"GET /", b"HTTP/") for _, each in chunks)
    found: list[_Placed] = []
    left_out = 0
    for direction in Direction:
        for layer in Layer:
            own = [
                (order, each) for order, each in chunks if each.direction is direction and each.layer is layer
            ]
            if own:
                stream = _Stream(direction, layer, own, transcript.hidden)
                made = _frames(stream) if layer is Layer.FRAMES else _units(stream, websocket)
                left_out += _place(stream, made, found, rows)
    entries = [each.entry for each in sorted(found, key=lambda each: (each.order, each.offset))]
    for note in transcript.notes:
        text = printable(note.text)
        entry = Entry(at=note.at, direction=note.direction, layer=None, name=text)
        entries.insert(sum(each.at <= note.at for each in entries), entry)
    kept: list[Entry] = []
    used = 0
    for entry in entries:
        used += 1 + len(entry.rows)
        if used > rows and kept:
            break
        kept.append(entry)
    return Told(tuple(kept), left_out + len(entries) - len(kept), transcript.cut)


def _place(stream: _Stream, made: Iterator[_Unit], found: list[_Placed], rows: int) -> int:
    """Put the entries of a stream into `found`; gives how many it leaves out, because they would be too many alone."""
    used = left_out = 0
    for unit in made:
        if used > rows:
            left_out += 1
            continue
        order, time = stream.place(unit.start)
        entry = _entry(stream, time, unit)
        used += 1 + len(entry.rows)
        found.append(_Placed(order, unit.start, entry))
    return left_out


def _in_order(chunks: Sequence[Chunk]) -> list[tuple[int, Chunk]]:
    """The chunks with their order: a WebSocket head is before the frames in it, which were recorded first."""
    found: list[Chunk] = []
    for chunk in chunks:
        before = found[-1] if found else None
        if (
            before is not None
            and chunk.direction is before.direction is Direction.RUNNER
            and (before.layer, chunk.layer) == (Layer.FRAMES, Layer.LINK)
            and len(before.data) < len(chunk.data) <= len(before.data) + 14
        ):
            found[-1:] = [msgspec.structs.replace(chunk, at=before.at), before]
        else:
            found.append(chunk)
    return list(enumerate(found))


def _frames(stream: _Stream) -> Iterator[_Unit]:
    at, number = 0, 0
    data = stream.data
    while at < len(data):
        length = int.from_bytes(data[at : at + LENGTH], "big") if len(data) - at >= LENGTH else 0
        whole = 2 <= length <= LARGEST_FRAME and at + LENGTH + length <= len(data)
        end = at + LENGTH + length if whole else len(data)
        frame = data[at:end]
        number += 1
        name = name_of(frame) if whole else f"{name_of(frame)}, unfinished" if length else "no whole frame"
        parts = stream.chunk_of(end - 1) - stream.chunk_of(at) + 1
        yield _Unit(at, frame, name, partial(_of_frame, frame), number, parts)
        at = end


def _of_frame(frame: bytes) -> list[_Piece]:
    return [
        _Piece(each.start, each.end, each.text, each.shown if each.hidden else None)
        for each in annotate(frame)
    ]


def _units(stream: _Stream, websocket: bool) -> Iterator[_Unit]:
    for start, data in stream.writes():
        for unit in units(data, websocket=websocket):
            inside = data[unit.start : unit.end]
            yield _Unit(start + unit.start, inside, unit.name, partial(_of_link, unit))


def _of_link(unit: LinkUnit) -> list[_Piece]:
    return [
        _Piece(
            each.start - unit.start,
            each.end - unit.start,
            each.text,
            None if each.hidden_from is None else each.hidden_from - unit.start,
            each.elsewhere,
        )
        for each in unit.parts
    ]


def _entry(stream: _Stream, time: float, unit: _Unit) -> Entry:
    return Entry(
        at=time,
        direction=stream.direction,
        layer=stream.layer,
        name=unit.name,
        number=unit.number,
        parts=unit.parts,
        rows=tuple(_row(stream, unit.start, unit.data, each) for each in unit.pieces()),
    )


def _row(stream: _Stream, offset: int, data: bytes, piece: _Piece) -> Row:
    """A piece of what begins at `offset` of the stream, with the names of the secrets that were in it."""
    start, end, text = piece.start, piece.end, piece.text
    found = stream.hidden(offset + start, offset + end)
    if found:
        text = f"{text} ({', '.join(dict.fromkeys(each.secret for each in found))}: hidden)"
    ranges = [(each.start - offset, each.end - offset) for each in found]
    if piece.hidden_from is not None:
        ranges.append((piece.hidden_from, end))
    return Row(offset + start, end - start, "" if piece.elsewhere else _hex(data, start, end, ranges), text)


def _hex(data: bytes, start: int, end: int, hidden: Sequence[tuple[int, int]]) -> str:
    last = min(end, start + SHOWN_BYTES)
    cells = [data[at : at + 1].hex() for at in range(start, last)]
    for first, behind in hidden:
        for at in range(max(first, start), min(behind, last)):
            cells[at - start] = HIDDEN_BYTE
    return " ".join(cells) + (" …" if last < end else "")
