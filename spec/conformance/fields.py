"""Where in a frame each of its elements stands, in the words of the standard; for frames out of the grammar, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from .heads import Cut, head
from .reading import KINDS

LENGTH: Final = 4
DEEPEST: Final = 100  # what is nested deeper is one field
ELEMENTS: Final = {
    0: ("versions", "limits"),
    1: ("scheme", "proof"),
    2: ("data",),
    3: (),
    5: ("id", "shape", "target", "context", "credential", "body"),
    6: ("id", "body"),
    7: ("id", "code", "body"),
    8: ("id",),
    9: ("id", "body"),
    10: ("id",),
    11: ("id", "bytes"),
    12: ("counter",),
    13: ("counter",),
    14: ("last id", "code"),
    15: ("reference",),
}
# The declared slots of a credential (section 19 of the standard): there, and nowhere else, a proof may stand.
SLOTS: Final = frozenset({"AUTH proof", "CALL credential, proof"})


class Field(NamedTuple):
    """A range of a frame's bytes, its length included, and what stands there."""

    start: int
    end: int
    name: str


def fields_of(frame: bytes) -> list[Field]:
    """The fields of a frame with its length, in order, without a gap: whatever can't be read has a name, too."""
    found = [Field(0, min(LENGTH, len(frame)), "length")]
    with suppress(Cut):
        found.extend(_elements(frame))  # what came before the cut stays
    end = found[-1].end
    if end < len(frame):
        found.append(Field(end, len(frame), "bytes out of the grammar"))
    return found


def field_at(frame: bytes, offset: int) -> Field:
    """The field that a byte of a frame belongs to."""
    fields = fields_of(frame)
    return next((each for each in fields if each.start <= offset < each.end), fields[-1])


def _elements(frame: bytes) -> Iterator[Field]:
    major, count, at = head(frame, LENGTH)
    if major != 4:
        return
    yield Field(LENGTH, at, "array")
    major, kind, end = head(frame, at)
    if major != 0:
        return
    name = KINDS.get(kind, f"kind {kind}")
    yield Field(at, end, f"{name} kind")
    names = ELEMENTS.get(kind, ())
    at = end
    for index in range(count - 1):
        element = names[index] if index < len(names) else f"element {index + 2}"
        end = _skip(frame, at)
        if (kind, element) == (5, "credential") and frame[at] == 0x82:
            yield Field(at, at + 1, "CALL credential")
            middle = _skip(frame, at + 1)
            yield Field(at + 1, middle, "CALL credential, scheme")
            yield Field(middle, end, "CALL credential, proof")
        else:
            yield Field(at, end, f"{name} {element}")
        at = end


def _skip(data: bytes, at: int) -> int:
    """Where the item at a place ends."""
    left = [1]
    while left:
        if len(left) > DEEPEST:
            raise Cut
        left[-1] -= 1
        major, argument, at = head(data, at)
        if major in (2, 3):
            at += argument
            if at > len(data):
                raise Cut
        elif major in (4, 5, 6) and argument:
            left.append({4: argument, 5: 2 * argument}.get(major, 1))
        elif major == 6:
            left.append(1)
        while left and not left[-1]:
            left.pop()
    return at
