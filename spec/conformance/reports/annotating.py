"""The bytes of a frame with what each of them is: the length, the kind, every element by its name, a short value.

What a frame says wrongly is shown as it is, and said. Credentials are hidden where they have their place (the proof of
AUTH, the data of CHALLENGE, the credential of a CALL), whatever they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from graftwire.protocol.errors import ErrorCode

from ..reading import KINDS
from ..recording import LARGEST_FRAME, LENGTH
from .items import Broken, end_of, head, notation, shortened

SHAPES: Final = ("unary", "server stream", "client stream", "both streams")
LIMITS: Final = {
    1: "largest frame",
    2: "calls in flight",
    3: "unfinished body bytes",
    4: "stream credit",
    5: "session credit",
    6: "idle time, ms",
}
CONTEXT: Final = {1: "remaining time, ms", 2: "traceparent", 3: "tracestate"}
# The elements of section 4.2 behind the kind; in braces what is a map with named keys.
ELEMENTS: Final[dict[int, tuple[str, ...]]] = {
    0: ("versions", "limits"),
    1: ("scheme", "proof"),
    2: ("data",),
    3: (),
    5: ("call", "shape", "target", "context", "credential", "body"),
    6: ("call", "body"),
    7: ("call", "code", "body"),
    8: ("call",),
    9: ("call", "body"),
    10: ("call",),
    11: ("call", "bytes"),
    12: ("counter",),
    13: ("counter",),
    14: ("last call", "code"),
    15: ("reference",),
}
OPENED: Final = 16_384  # bytes of a body that is looked into
HIDDEN: Final = frozenset({"proof", "data", "credential"})
_MAPS: Final = {"limits": LIMITS, "context": CONTEXT}


class Piece(msgspec.Struct, frozen=True):
    """Some bytes of a frame, from `start` to `end` in what was annotated, and what they are; `hidden`: not to be shown.

    A hidden piece is hidden from `shown` on: what is before it is only the head, with the length.
    """

    start: int
    end: int
    text: str
    hidden: bool = False
    shown: int = 0


def name_of(frame: bytes) -> str:
    """What a frame (with its length) is called, in one or two words."""
    try:
        first = head(frame, LENGTH)
        kind = head(frame, first.end)
    except Broken:
        return "no frame"
    if first.major != 4 or kind.major != 0:
        return "no frame"
    return KINDS.get(kind.argument if kind.argument is not None else -1, f"unknown kind {kind.argument}")


def annotate(frame: bytes) -> list[Piece]:
    """Every byte of a frame, the length included, in ascending pieces without a gap; whatever the bytes are."""
    if len(frame) < LENGTH:
        return [Piece(0, len(frame), "a length that is cut off")]
    length = int.from_bytes(frame[:LENGTH], "big")
    if not 2 <= length <= LARGEST_FRAME:
        pieces = [Piece(0, LENGTH, f"length {length:,}, which no frame can have")]
        return [*pieces, Piece(LENGTH, len(frame), "what follows it")] if len(frame) > LENGTH else pieces
    cut = len(frame) - LENGTH < length
    there = f", of which {len(frame) - LENGTH:,} came" if cut else ""
    pieces = [Piece(0, LENGTH, f"length: {_bytes(length)}{there}"), *_array(frame)]
    last = pieces[-1].end
    if last < len(frame):
        pieces.append(Piece(last, len(frame), "bytes behind the array"))
    return pieces


def _array(frame: bytes) -> Iterator[Piece]:
    at = LENGTH
    try:
        first = head(frame, at)
        if first.major != 4:
            yield Piece(at, end_of(frame, at), f"in the place of the array: {notation(frame, at)}")
            return
        kind_end = end_of(frame, first.end) if first.argument else first.end
    except Broken:
        if at < len(frame):
            yield Piece(at, len(frame), "no array that can be read")
        return
    number = head(frame, first.end).argument if first.argument and frame[first.end] >> 5 == 0 else None
    name = KINDS.get(number, f"kind {notation(frame, first.end)}") if number is not None else "no kind"
    count = "indefinite" if first.argument is None else f"{first.argument}"
    yield Piece(at, kind_end, f"{name}, an array of {count}")
    names = ELEMENTS.get(number, ()) if number is not None else ()
    yield from _elements(frame, kind_end, first.argument, names, number)


def _elements(
    frame: bytes, at: int, count: int | None, names: tuple[str, ...], kind: int | None
) -> Iterator[Piece]:
    index = 0
    while at < len(frame) and (count is None or index < count - 1):
        if count is None and frame[at] == 0xFF:
            yield Piece(at, at + 1, "the end of the array")
            return
        name = names[index] if index < len(names) else f"element {index + 1}"
        try:
            end = end_of(frame, at)
        except Broken:
            # AUTH and CHALLENGE hold nothing but credentials, so what is cut off there is one, too
            secret = name in HIDDEN or kind in (1, 2)
            yield Piece(at, len(frame), f"{name}, cut off or no CBOR", secret, at)
            return
        yield from _element(frame, at, end, name, kind)
        at = end
        index += 1


def _element(frame: bytes, at: int, end: int, name: str, kind: int | None) -> Iterator[Piece]:
    first = head(frame, at)
    if name in HIDDEN or (kind in (1, 2) and first.major == 2):
        yield from _secret(frame, at, end, name)
    elif name in _MAPS and first.major == 5 and first.argument is not None:
        yield Piece(at, first.end, f"{name}, a map of {first.argument}")
        yield from _entries(frame, first.end, end, _MAPS[name])
    else:
        text = _ELEMENT.get(name, _plain)(frame, at)
        yield Piece(at, end, text if name == "shape" else f"{name}: {text}")


def _secret(frame: bytes, at: int, end: int, name: str) -> Iterator[Piece]:
    """What holds a proof: only its head, its scheme, and how long it is."""
    first = head(frame, at)
    if first.major == 7:
        yield Piece(at, end, f"{name}: {notation(frame, at)}")
        return
    if first.major == 4 and first.argument == 2 and head(frame, first.end).major == 3:
        scheme_end = end_of(frame, first.end)
        scheme = notation(frame, first.end)
        yield Piece(at, scheme_end, f"{name}, scheme {scheme}")
        at, name = scheme_end, "its proof"
        first = head(frame, at)
    yield Piece(at, end, f"{name}: {_bytes(end - first.end)}, hidden", hidden=True, shown=first.end)


def _entries(frame: bytes, at: int, end: int, names: dict[int, str]) -> Iterator[Piece]:
    while at < end:
        value = end_of(frame, at)
        after = end_of(frame, value) if value < end else value
        key = head(frame, at)
        number = key.argument if key.major == 0 else None
        name = names.get(number, "unknown") if number is not None else "unknown"
        text = _plain(frame, value) if value < end else "missing"
        yield Piece(at, after, f"key {notation(frame, at)}, {name}: {text}")
        at = after


def _plain(frame: bytes, at: int) -> str:
    first = head(frame, at)
    if first.major == 0 and first.argument is not None:
        return f"{first.argument:,}" if first.argument < 2**53 else str(first.argument)
    return notation(frame, at)


def _call(frame: bytes, at: int) -> str:
    text = notation(frame, at)
    return "0: the session" if text == "0" else text


def _shape(frame: bytes, at: int) -> str:
    text = notation(frame, at)
    return f"shape {text}" + (f", {SHAPES[int(text)]}" if text in ("0", "1", "2", "3") else "")


def _code(frame: bytes, at: int) -> str:
    text = notation(frame, at)
    label = next((each.label for each in ErrorCode if str(each.value) == text), None)
    return text if label is None else f"{text}, {label}"


def _body(frame: bytes, at: int) -> str:
    first = head(frame, at)
    if first.major != 2 or first.argument is None:
        return notation(frame, at)
    content = frame[first.end : first.end + first.argument]
    size = _bytes(len(content))
    if len(content) > OPENED and content[0] >> 5 not in (2, 3):
        return size
    try:
        whole = end_of(content, 0) == len(content)
    except Broken:
        whole = False
    return f"{size}, {shortened(notation(content))}" if whole else f"{size}, which are no one item"


_ELEMENT: Final[dict[str, Callable[[bytes, int], str]]] = {
    "body": _body,
    "call": _call,
    "code": _code,
    "shape": _shape,
}


def _bytes(number: int) -> str:
    return f"{number:,} byte{'' if number == 1 else 's'}"
