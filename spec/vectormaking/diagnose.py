"""CBOR to diagnostic notation (RFC 8949 section 8); heads that are not the usual ones get encoding indicators."""

from __future__ import annotations

import json
import math
import struct
from typing import NamedTuple

_SIMPLE = {20: "false", 21: "true", 22: "null", 23: "undefined"}
_FLOATS = {2: ">e", 4: ">f", 8: ">d"}
_USUAL_HALVES = (b"\x7e\x00", b"\x7c\x00", b"\xfc\x00")
_BREAK = b"\xff"


class NotWellFormed(Exception):
    """The bytes are not one CBOR item; there is no notation for that."""


class Head(NamedTuple):
    """The head of an item: `width` bytes of argument (None: indefinite), and where the content begins."""

    major: int
    argument: int
    width: int | None
    end: int

    @property
    def mark(self) -> str:
        """The encoding indicator that a head longer than it must be gets."""
        if not self.width:
            return ""
        shortest = self.argument >= (24 if self.width == 1 else 1 << 4 * self.width)
        return "" if shortest else f"_{self.width.bit_length() - 1}"


def diagnose(data: bytes) -> str | None:
    """The notation of the one item that `data` holds; None where it holds anything else."""
    try:
        notation, end = _item(data, 0)
    except NotWellFormed:
        return None
    return notation if end == len(data) else None


def _take(data: bytes, at: int, count: int) -> bytes:
    if at + count > len(data):
        raise NotWellFormed
    return data[at : at + count]


def _head(data: bytes, at: int) -> Head:
    first = _take(data, at, 1)[0]
    major, info = first >> 5, first & 31
    if info < 24:
        return Head(major, info, 0, at + 1)
    if info == 31:
        return Head(major, 0, None, at + 1)
    if info > 27:
        raise NotWellFormed
    width = 1 << info - 24
    return Head(major, int.from_bytes(_take(data, at + 1, width), "big"), width, at + 1 + width)


def _item(data: bytes, at: int) -> tuple[str, int]:
    head = _head(data, at)
    if head.width is None:
        return _indefinite(data, head)
    match head.major:
        case 0:
            return f"{head.argument}{head.mark}", head.end
        case 1:
            return f"{-1 - head.argument}{head.mark}", head.end
        case 2 | 3:
            raw = _take(data, head.end, head.argument)
            return _string(raw, head.major) + head.mark, head.end + head.argument
        case 4 | 5:
            return _container(data, head)
        case 6:
            inner, end = _item(data, head.end)
            return f"{head.argument}{head.mark}({inner})", end
        case _:
            return _simple(data, head), head.end


def _string(raw: bytes, major: int) -> str:
    if major == 2:
        return f"h'{raw.hex()}'"
    try:
        return json.dumps(raw.decode(), ensure_ascii=False)
    except UnicodeDecodeError:
        raise NotWellFormed from None


def _element(data: bytes, at: int, major: int) -> tuple[str, int]:
    first, at = _item(data, at)
    if major != 5:
        return first, at
    second, at = _item(data, at)
    return f"{first}: {second}", at


def _container(data: bytes, head: Head) -> tuple[str, int]:
    at = head.end
    parts: list[str] = []
    for _ in range(head.argument):
        part, at = _element(data, at, head.major)
        parts.append(part)
    opening, closing = "[]" if head.major == 4 else "{}"
    gap = f"{head.mark} " if head.mark else ""
    return opening + gap + ", ".join(parts) + closing, at


def _indefinite(data: bytes, head: Head) -> tuple[str, int]:
    brackets = {2: "()", 3: "()", 4: "[]", 5: "{}"}.get(head.major)
    if brackets is None:
        raise NotWellFormed
    at = head.end
    parts: list[str] = []
    while _take(data, at, 1) != _BREAK:
        part, at = _element(data, at, head.major)
        parts.append(part)
    return brackets[0] + "_ " + ", ".join(parts) + brackets[1], at + 1


def _simple(data: bytes, head: Head) -> str:
    assert head.width is not None
    if head.width not in _FLOATS:
        if head.width == 1 and head.argument < 32:
            raise NotWellFormed
        return _SIMPLE.get(head.argument, f"simple({head.argument})")
    raw = data[head.end - head.width : head.end]
    number: float = struct.unpack(_FLOATS[head.width], raw)[0]
    usual = head.width == 8 if math.isfinite(number) else raw in _USUAL_HALVES
    return _number(number) + ("" if usual else f"_{head.width.bit_length() - 1}")


def _number(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return repr(number)
