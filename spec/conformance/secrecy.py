"""The secrets of a run in what was recorded: where one leaks, and how all of them are hidden before anything is kept.

A declared slot (the proof of an AUTH, the credential of a CALL) may hold a proof: that is what it is for. Anything
else that a target writes may hold no secret at all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from . import websockets
from .fields import SLOTS, field_at
from .recording import LARGEST_FRAME, LENGTH, Chunk, Direction, Layer, Recorder
from .scanning import Hit, Scanner

PROOF: Final = "proof of "  # how the names of proofs begin
_FILLER: Final = b"*"


class Hidden(msgspec.Struct, frozen=True):
    """Bytes of a stream that are not shown: `start` to `end` of that direction and layer, and which secret it is."""

    direction: Direction
    layer: Layer
    start: int
    end: int
    secret: str


class Leak(NamedTuple):
    """A secret where it may not be. `offset` counts from the start of the frame; without a frame, of the stream."""

    secret: str
    encoding: str
    session: str
    frame: int | None
    offset: int
    field: str

    def __str__(self) -> str:
        where = f"frame {self.frame}, " if self.frame is not None else ""
        return (
            f"the {self.secret} leaks: {self.session}, {where}byte {self.offset}, in {self.field},"
            f" encoding: {self.encoding}"
        )


class Secrecy:
    """Finds the secrets of a run by name."""

    def __init__(self, secrets: Mapping[str, bytes] = {}) -> None:
        self._scanner = Scanner(secrets)

    def leaks(self, recorder: Recorder, session: str) -> Iterator[Leak]:
        """Every secret that the target wrote where it may not stand."""
        yield from self._in_frames(recorder, session)
        yield from self._around_frames(recorder, session)

    def _in_frames(self, recorder: Recorder, session: str) -> Iterator[Leak]:
        data = recorder.stream(Direction.TARGET)
        hits = self._scanner.scan(data)
        frames = _cut(data) if hits else []
        starts = [start for _, start, _ in frames]
        for hit in hits:
            number, start, frame = frames[bisect_right(starts, hit.start) - 1]
            offset = hit.start - start
            field = field_at(frame, offset)
            declared = field.name in SLOTS and hit.secret.startswith(PROOF)
            if not (declared and hit.end - start <= field.end):
                yield Leak(hit.secret, hit.encoding, session, number, offset, field.name)

    def _around_frames(self, recorder: Recorder, session: str) -> Iterator[Leak]:
        data = recorder.stream(Direction.TARGET, Layer.LINK)
        for hit, field in self._of_link(data):
            if field != "messages":  # those were in the frames
                yield Leak(hit.secret, hit.encoding, session, None, hit.start, field)

    def _of_link(self, data: bytes) -> Iterator[tuple[Hit, str]]:
        """Hits among the link's own bytes, with what stands there; those in messages by their place in the payloads."""
        parts = websockets.parse(data)
        for hit in self._scanner.scan(parts.head):
            yield hit, "the HTTP handshake"
        for frame in parts.frames:
            if frame.opcode not in websockets.DATA:
                for hit in self._scanner.scan(frame.payload):
                    moved = hit._replace(start=hit.start + frame.body, end=hit.end + frame.body)
                    yield moved, "a WebSocket control frame or text"
        for hit in self._scanner.scan(data[parts.rest :]):
            yield hit._replace(start=hit.start + parts.rest, end=hit.end + parts.rest), "bytes of the link"
        messages = [each for each in parts.frames if each.opcode in websockets.DATA]
        for hit in self._scanner.scan(b"".join(each.payload for each in messages)):
            at = 0
            for frame in messages:
                start, end = max(hit.start - at, 0), min(hit.end - at, len(frame.payload))
                if start < end:
                    # a masked payload can be read with its key: both go
                    first = frame.body - 4 if frame.masked else frame.body + start
                    yield hit._replace(start=first, end=frame.body + end), "messages"
                at += len(frame.payload)

    def hide(self, chunks: Sequence[Chunk]) -> tuple[list[Chunk], list[Hidden]]:
        """The chunks with every secret overwritten, those of declared slots, too; and where they were."""
        kept = list(chunks)
        hidden: list[Hidden] = []
        for direction in Direction:
            for layer in Layer:
                own = [
                    index
                    for index, each in enumerate(chunks)
                    if each.direction is direction and each.layer is layer
                ]
                data = b"".join(chunks[index].data for index in own)
                hits = self._hits(layer, data)
                if not hits:
                    continue
                shown = bytearray(data)
                for hit in hits:
                    shown[hit.start : hit.end] = _FILLER * (hit.end - hit.start)
                    hidden.append(Hidden(direction, layer, hit.start, hit.end, hit.secret))
                at = 0
                for index in own:
                    size = len(chunks[index].data)
                    kept[index] = msgspec.structs.replace(chunks[index], data=bytes(shown[at : at + size]))
                    at += size
        return kept, hidden

    def _hits(self, layer: Layer, data: bytes) -> list[Hit]:
        if layer is Layer.LINK:
            return [hit for hit, _ in self._of_link(data)]
        return self._scanner.scan(data)

    def text(self, text: str | bytes) -> str:
        """A text with a name in brackets in the place of each secret; bytes that are no UTF-8 as `\ufffd`."""
        data = text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text
        found = self._scanner.scan(data)
        if not found and isinstance(text, str):
            return text
        parts: list[bytes] = []
        at = 0
        for hit in found:  # one may be inside another, or overlap it
            if hit.end > at:
                parts += [data[at : hit.start], f"[{hit.secret}]".encode()]
                at = hit.end
        return b"".join([*parts, data[at:]]).decode("utf-8", "replace")


def _cut(data: bytes) -> list[tuple[int, int, bytes]]:
    """The frames of a stream: number, where each begins, its bytes; what is no whole frame comes last."""
    found: list[tuple[int, int, bytes]] = []
    at = 0
    while len(data) - at >= LENGTH:
        size = int.from_bytes(data[at : at + LENGTH], "big")
        if not 2 <= size <= LARGEST_FRAME or at + LENGTH + size > len(data):
            break
        found.append((len(found) + 1, at, data[at : at + LENGTH + size]))
        at += LENGTH + size
    if at < len(data):
        found.append((len(found) + 1, at, data[at:]))
    return found
