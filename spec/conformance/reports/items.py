"""CBOR as it lies there, well-formed or not: where an item ends, and what it is in a few words.

The annotated transcript is made of frames that are wrong on purpose, so nothing here refuses anything: what can't be
read any further is called so.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from ..visible import printable

DEEPEST: Final = 250  # levels that are looked into
LONGEST: Final = 96  # characters of a notation; what is longer is cut
_NONE: Final = 31  # the low bits of a head without a length
_SIMPLE: Final = {20: "false", 21: "true", 22: "null", 23: "undefined"}
_FLOATS: Final = {25: ">e", 26: ">f", 27: ">d"}
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Broken(Exception):
    """The bytes end inside an item, or are none."""


class Head(NamedTuple):
    """The head of an item: its major type, its argument (None: of indefinite length), where its content begins."""

    major: int
    argument: int | None
    low: int
    end: int


def head(data: bytes, at: int) -> Head:
    """The head at a position. Raises Broken."""
    if at >= len(data):
        raise Broken
    major, low = data[at] >> 5, data[at] & 0x1F
    if low < 24:
        return Head(major, low, low, at + 1)
    if low == _NONE and major not in (0, 1, 6):
        return Head(major, None, low, at + 1)
    size = 1 << (low - 24) if low < 28 else 0
    if not size or at + 1 + size > len(data):
        raise Broken
    return Head(major, int.from_bytes(data[at + 1 : at + 1 + size], "big"), low, at + 1 + size)


def end_of(data: bytes, at: int, depth: int = 0) -> int:
    """Where the item at a position ends. Raises Broken."""
    found = head(data, at)
    match found.major:
        case 0 | 1:
            return found.end
        case 2 | 3 if found.argument is not None:
            end = found.end + found.argument
            if end > len(data):
                raise Broken
            return end
        case 7 if found.argument is not None:
            return found.end
        case 7:
            raise Broken  # a break where there is nothing to end
        case _:
            return _end_of_many(data, found, depth)


def _end_of_many(data: bytes, found: Head, depth: int) -> int:
    if depth >= DEEPEST:
        raise Broken
    at = found.end
    if found.argument is None:
        while at < len(data) and data[at] != 0xFF:
            at = end_of(data, at, depth + 1)
        if at >= len(data):
            raise Broken
        return at + 1
    for _ in range({4: 1, 5: 2, 6: 0}[found.major] * found.argument + (found.major == 6)):
        at = end_of(data, at, depth + 1)
    return at


def notation(data: bytes, at: int = 0) -> str:
    """The item at a position in diagnostic notation (RFC 8949, section 8), cut where it is long."""
    try:
        text, _ = _item(data, at, 0, LONGEST)
    except Broken:
        return "no CBOR that can be read"
    return shortened(text)


def shortened(text: str, longest: int = LONGEST) -> str:
    """The text, or the beginning of it with an ellipsis."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _item(data: bytes, at: int, depth: int, room: int) -> tuple[str, int]:
    found = head(data, at)
    match found.major:
        case 0:
            return f"{found.argument}", found.end
        case 1:
            return f"{-1 - (found.argument or 0)}", found.end
        case 2 | 3 if found.argument is not None:
            return _string(data, found, end_of(data, at), room)
        case 6:
            text, end = _item(data, found.end, depth + 1, room)
            return f"{found.argument}({text})", end
        case 7:
            return _simple(data, found), found.end
        case _:
            return _many(data, at, found, depth, room)


def _string(data: bytes, found: Head, end: int, room: int) -> tuple[str, int]:
    content = data[found.end : end]
    if found.major == 3:
        return quoted(content[: 4 * room].decode("utf-8", "replace")), end
    if len(content) > 4 and not content.strip(b"\0"):
        return f"{len(content):,} zero bytes", end
    return f"h'{content[:room].hex()}'", end


def _many(data: bytes, at: int, found: Head, depth: int, room: int) -> tuple[str, int]:
    whole = end_of(data, at, depth)
    first, last = "{}" if found.major == 5 else "[]" if found.major == 4 else "()"
    parts: list[str] = []
    at = found.end
    end = whole - (found.argument is None)
    used = 0
    while at < end and used < room:
        text, at = _item(data, at, depth + 1, room)
        if found.major == 5 and at < end:
            value, at = _item(data, at, depth + 1, room)
            text = f"{text}: {value}"
        used += len(text)
        parts.append(text)
    if at < end:
        parts.append("…")
    return f"{first}{'_ ' if found.argument is None else ''}{', '.join(parts)}{last}", whole


def _simple(data: bytes, found: Head) -> str:
    if found.low in _FLOATS:
        form = _FLOATS[found.low]
        (value,) = struct.unpack(form, data[found.end - struct.calcsize(form) : found.end])
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(value), repr(value))
    return _SIMPLE.get(found.argument or 0, f"simple({found.argument})")


def quoted(text: str) -> str:
    """A text in quotes, in one line; what is not printable stands as an escape."""
    return '"' + "".join(_ESCAPES.get(each) or printable(each) for each in text) + '"'
