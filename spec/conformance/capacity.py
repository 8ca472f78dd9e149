"""What a sender may choose freely (section 19 of the standard), and how much of it was used in a session.

A field of a frame either follows from what came before (`FIXED`, with the clause that says so), or is one of those that
have to be free (`FREE`), with the most bits that one frame can carry there. When frames are sent, in which order those
of different calls come, how they are cut and how long they are is outside of the claim, and is not measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from .links.wires import Fault
from .reading import KINDS, elements_of
from .recording import LENGTH, Direction, Recorder

FRAME_BITS: Final = 8 * (2**24 - 1)

# By frame and element, in the words of fields.py: the clause that fixes it.
FIXED: Final[Mapping[str, str]] = {
    "CALL id": "CALL-1",
    "RESULT id": "CALL-7",
    "ERROR id": "CALL-7",
    "CANCEL id": "CALL-7",
    "ITEM id": "CALL-7",
    "END id": "CALL-7",
    "CREDIT id": "CREDIT-4",
    "PING counter": "KEEP-1",
    "PONG counter": "KEEP-2",
}


class Free(msgspec.Struct, frozen=True):
    """A row of the table: the field as the standard names it, and the most bits of one frame there.

    `once`: it occurs once in a session and direction.
    """

    frame: str
    field: str
    bits: int
    once: bool = False


# By frame and element, in the words of fields.py.
FREE: Final[Mapping[str, Free]] = {
    "HELLO versions": Free("HELLO", "versions", 409, once=True),
    "HELLO limits": Free("HELLO", "limits 1 to 6", 164, once=True),
    "AUTH scheme": Free("AUTH", "scheme", 168),
    "AUTH proof": Free("AUTH", "proof", 65_536),
    "CHALLENGE data": Free("CHALLENGE", "data", 65_536),
    "CALL shape": Free("CALL", "shape", 2),
    "CALL target": Free("CALL", "target", 53 + 1_671),
    "CALL context": Free("CALL", "context", 31 + 194 + 3_364),
    "CALL credential": Free("CALL", "credential", 168 + 65_536),
    "CALL body": Free("CALL, RESULT, ITEM", "body", FRAME_BITS),
    "RESULT body": Free("CALL, RESULT, ITEM", "body", FRAME_BITS),
    "ITEM body": Free("CALL, RESULT, ITEM", "body", FRAME_BITS),
    "ERROR code": Free("ERROR", "code", 4),
    "ERROR body": Free("ERROR", "body", FRAME_BITS),
    "CREDIT bytes": Free("CREDIT", "bytes", 31),
    "RELEASE reference": Free("RELEASE", "reference", 53),
    "GOAWAY last id": Free("GOAWAY", "last id", 53),
    "GOAWAY code": Free("GOAWAY", "code", 4),
}
_INTERNAL: Final = 8
_INTERNAL_BITS: Final = 64 + 8  # the head of the byte string stands before it
_NAMES: Final = {
    0: ("versions", "limits"),
    1: ("scheme", "proof"),
    2: ("data",),
    5: (None, "shape", "target", "context", "credential", "body"),
    6: (None, "body"),
    7: (None, "code", "body"),
    9: (None, "body"),
    11: (None, "bytes"),
    14: ("last id", "code"),
    15: ("reference",),
}


class Used(msgspec.Struct, frozen=True):
    """A free field as it was seen: how often, with how many different values, the most bits of one frame there."""

    field: str
    times: int
    values: int
    bits: int
    at_most: int


def used_in(recorder: Recorder, direction: Direction) -> list[Used]:
    """The free fields that one side has filled, in the order of the table."""
    seen: dict[str, list[tuple[int, bytes]]] = {}
    for field, value in _free(recorder.stream(direction)):
        seen.setdefault(field, []).append((_bits(value), repr(value).encode()))
    return [
        Used(field, len(found), len({text for _, text in found}), max(bits for bits, _ in found), free.bits)
        for field, free in FREE.items()
        if (found := seen.get(field))
    ]


def faults_of(recorder: Recorder, direction: Direction) -> Iterator[Fault]:
    """Where more was used than the standard gives."""
    for used in used_in(recorder, direction):
        free = FREE[used.field]
        if used.bits > free.bits:
            yield Fault(
                "VAL-20",
                f"{used.field} has {used.bits} bits, and the table of section 19 gives it {free.bits}",
            )
        if free.once and used.times > 1:
            yield Fault("HELLO-1", f"{used.field} was sent {used.times} times")
    for field, value in _free(recorder.stream(direction)):
        if field == "ERROR body of internal" and _bits(value) > _INTERNAL_BITS:
            yield Fault("ERR-2", "the body of *internal* has more than 8 bytes")


def _free(data: bytes) -> Iterator[tuple[str, Any]]:
    at = 0
    while at + LENGTH <= len(data):
        size = int.from_bytes(data[at : at + LENGTH], "big")
        elements = elements_of(data[at + LENGTH : at + LENGTH + size]) or [None]
        at += LENGTH + size
        kind: Any = elements[0]
        for name, value in zip(_NAMES.get(kind, ()), elements[1:], strict=False):
            if name is not None and value is not None:
                yield f"{KINDS[kind]} {name}", value
        if kind == 7 and elements[2:3] == [_INTERNAL] and elements[-1] is not None:
            yield "ERROR body of internal", elements[-1]


def _bits(value: Any) -> int:
    """The most bits that a value of this kind and size can tell apart."""
    match value:
        case int():
            return max(value - 1, 0).bit_length()  # they count from 1, most of them
        case bytes():
            return 8 * len(value)
        case str():
            return -(-len(value) * 655 // 100)  # 94 characters, or fewer: 6.55 bits each
        case dict():
            return sum(_bits(each) for each in value.values())  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
        case list():
            return sum(_bits(each) for each in value)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
        case _:
            return 0
