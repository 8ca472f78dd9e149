"""The strict decoder of bodies: the VAL clauses, item by item (spec/PROTOCOL.md, "Values").

This is what decides whether a body is valid, and by which clause it is not. `values` has quicker ways for the
bodies that most calls send; whatever those do not vouch for comes here.

Nothing is allocated before it is known to be there: a count is held against the bytes that remain and against
the budget of items, keys are looked at before they are hashed, a bignum's length before it becomes a number.
"""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple

from .errors import ValueRefused
from .scalars import (
    INT_HIGH,
    INT_LOW,
    KEYED,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_SQUARES,
    READERS,
    TAG_REFERENCE,
    TAG_SET,
    make_set,
)

_double = struct.Struct(">d").unpack_from
_INFINITY: Final = float("inf")
_SIMPLE: Final[dict[int, object]] = {0xF4: False, 0xF5: True, 0xF6: None}
# The floats that are not written in 64 bits (VAL-5).
_SHORT: Final[dict[bytes, float]] = {
    b"\x7e\x00": float("nan"),
    b"\x7c\x00": _INFINITY,
    b"\xfc\x00": -_INFINITY,
}
# The least value of an argument of 1, 2, 4, 8 bytes (VAL-3).
_LEAST: Final = (24, 2**8, 2**16, 2**32)
_TEXT_KEYS: Final[set[type]] = {str}
_INTEGER_KEYS: Final[set[type]] = {int}
# What the items at hand stand in, for the path of a refusal.
_NOTHING: Final = 0
_ARRAY: Final = 1
_MAP: Final = 2
_TRUNCATED: Final = "the body ends inside an item"


class Body(NamedTuple):
    """A decoded body; `references` says whether `Reference` instances are in it."""

    value: object
    references: bool


class _Run:
    """What one body has left to spend."""

    __slots__ = ("items", "references", "squares")

    def __init__(self) -> None:
        self.items = MAX_ITEMS - 1
        self.squares = MAX_SQUARES
        self.references = False


def read(data: bytes) -> Body:
    """Decode the one item that `data` must be (VAL-1 to VAL-22); references stay `Reference` instances.

    Raises ValueRefused with the clause, a path of array indexes (keys are data and stay out of it), and no value.
    """
    run = _Run()
    try:
        items, pos = _items(data, 0, 1, 0, run, _NOTHING)
    except IndexError:
        raise ValueRefused("VAL-1", _TRUNCATED) from None
    if pos != len(data):
        raise ValueRefused("VAL-1", "bytes follow the item" if pos < len(data) else _TRUNCATED)
    return Body(items[0], run.references)


def _items(data: bytes, pos: int, count: int, depth: int, run: _Run, within: int) -> tuple[list[object], int]:
    """Read `count` items from `pos` on, `depth` containers and tags deep; gives them and the position behind.

    An IndexError says that the bytes ran out. Strings may do so in silence: then the position is behind the end,
    and no item can follow.
    """
    out: list[object] = []
    append = out.append
    end = 0
    try:
        for _ in range(count):
            head = data[pos]
            pos += 1
            if head < 0x60:
                if head < 0x18:
                    append(head)
                elif head < 0x40:
                    number, pos = argument(data, pos, head & 31)
                    append(number if head < 0x20 else -1 - number)
                elif head < 0x58:
                    end = pos + head - 0x40
                    append(data[pos:end])
                    pos = end
                else:
                    number, pos = argument(data, pos, head & 31)
                    end = pos + number
                    append(data[pos:end])
                    pos = end
            elif head < 0x78:
                end = pos + head - 0x60
                append(data[pos:end].decode())
                pos = end
            elif head < 0x80:
                number, pos = argument(data, pos, head & 31)
                end = pos + number
                append(data[pos:end].decode())
                pos = end
            elif head < 0xC0:
                number = head & 31
                if number > 23:
                    number, pos = argument(data, pos, number)
                if depth >= MAX_DEPTH:
                    raise ValueRefused("VAL-17", "more than 64 containers and tags inside one another")
                if head < 0xA0:
                    _spend(run, number, len(data) - pos)
                    items, pos = _items(data, pos, number, depth + 1, run, _ARRAY)
                    append(items)
                else:
                    _spend(run, 2 * number, len(data) - pos)
                    items, pos = _items(data, pos, 2 * number, depth + 1, run, _MAP)
                    append(_make_map(items, number, run))
            elif head < 0xE0:
                if depth >= MAX_DEPTH:
                    raise ValueRefused("VAL-17", "more than 64 containers and tags inside one another")
                value, pos = _tagged(data, pos, head & 31, depth, run)
                append(value)
            elif head == 0xFB:
                [double] = _double(data, pos)
                if double - double != 0.0:
                    raise ValueRefused("VAL-5", "NaN or an infinity that is not in its one form")
                append(double)
                pos += 8
            elif head in _SIMPLE:
                append(_SIMPLE[head])
            else:
                append(_short_float(data, pos, head))
                pos += 2
    except ValueRefused as refused:
        raise _located(refused, len(out), within) from None
    except UnicodeDecodeError:
        if end > len(data):
            refused = ValueRefused("VAL-1", _TRUNCATED)
        else:
            refused = ValueRefused("VAL-6", "text that is not UTF-8")
        raise _located(refused, len(out), within) from None
    except struct.error:
        raise _located(ValueRefused("VAL-1", _TRUNCATED), len(out), within) from None
    return out, pos


def _located(refused: ValueRefused, index: int, within: int) -> ValueRefused:
    """The same refusal with the place of item `index` before its path."""
    if within == _NOTHING:
        return refused
    return refused.at(f"[{index}]" if within == _ARRAY else "[...]")


def argument(data: bytes, pos: int, info: int) -> tuple[int, int]:
    """The argument of a head whose low five bits are `info`, and the position behind it (VAL-1 to VAL-3)."""
    if info < 24:
        return info, pos
    if info > 27:
        if info == 31:
            raise ValueRefused("VAL-2", "an indefinite length")
        raise ValueRefused("VAL-1", "a reserved head")
    end = pos + (1 << info - 24)
    if end > len(data):
        raise ValueRefused("VAL-1", _TRUNCATED)
    number = int.from_bytes(data[pos:end], "big")
    if number < _LEAST[info - 24]:
        raise ValueRefused("VAL-3", "a number or length that is not in its shortest form")
    return number, end


def _spend(run: _Run, count: int, remaining: int) -> None:
    """Take `count` items off the budget, each of which needs at least one of the `remaining` bytes."""
    if count > remaining:
        raise ValueRefused("VAL-1", _TRUNCATED)
    run.items -= count
    if run.items < 0:
        raise ValueRefused("VAL-18", "more than 1,048,576 items")


def spend_squares(left: int, count: int) -> int:
    """What is `left` of a body's budget after `count` keys or elements that are hashed without a key (VAL-22)."""
    left -= count * count
    if left < 0:
        raise ValueRefused(
            "VAL-22", "too many integer keys, or elements of sets that are neither text nor bytes"
        )
    return left


def _make_map(items: list[Any], count: int, run: _Run) -> dict[object, object]:
    """The dict of `count` keys and values in turn; the keys are checked before they are hashed (VAL-7)."""
    keys = items[::2]
    kinds = set(map(type, keys))
    if kinds != _TEXT_KEYS and count:
        # Numbers beyond 64 bits can only have come from a tag.
        if kinds != _INTEGER_KEYS or not all(INT_LOW <= key <= INT_HIGH for key in keys):
            raise ValueRefused("VAL-7", "the keys of a map are neither all text nor all integers of 64 bits")
        run.squares = spend_squares(run.squares, count)
    result = dict(zip(keys, items[1::2], strict=True))
    if len(result) != count:
        raise ValueRefused("VAL-7", "a map has a key twice")
    return result


def _tagged(data: bytes, pos: int, info: int, depth: int, run: _Run) -> tuple[object, int]:
    """What a tag makes of the item behind it (VAL-8), and the position behind that."""
    number, pos = argument(data, pos, info)
    if number == TAG_SET:
        return _set(data, pos, depth, run)
    reader = READERS.get(number)
    if reader is None:
        raise ValueRefused("VAL-8", "a tag outside the closed list")
    if number == TAG_REFERENCE:
        run.references = True
    _spend(run, 1, len(data) - pos)
    head = data[pos]
    if 0x40 <= head < 0x58:
        start = pos + 1
        pos = start + head - 0x40
        content = data[start:pos]
    else:
        [content], pos = _items(data, pos, 1, depth + 1, run, _NOTHING)
    if pos > len(data):
        raise ValueRefused("VAL-1", _TRUNCATED)
    return reader(content), pos


def _set(data: bytes, pos: int, depth: int, run: _Run) -> tuple[set[object], int]:
    """A set: an array of scalars of one type in ascending order of their bytes (VAL-15)."""
    head = data[pos]
    if not 0x80 <= head < 0xA0:
        raise ValueRefused("VAL-15", "a set that is not an array")
    count, pos = argument(data, pos + 1, head & 31)
    if depth + 1 >= MAX_DEPTH:
        raise ValueRefused("VAL-17", "more than 64 containers and tags inside one another")
    _spend(run, 1 + count, 1 + len(data) - pos)
    elements: list[object] = []
    before = b""
    for _ in range(count):
        # A container is refused before it is read: its elements would only cost time.
        if 0x80 <= data[pos] < 0xC0:
            raise ValueRefused("VAL-15", "the elements of a set are not of one scalar type")
        [element], end = _items(data, pos, 1, depth + 2, run, _NOTHING)
        encoded = data[pos:end]
        if encoded <= before:
            raise ValueRefused("VAL-15", "the elements of a set are not in ascending order of their bytes")
        elements.append(element)
        before = encoded
        pos = end
    kinds = set(map(type, elements))
    if not kinds <= KEYED:
        run.squares = spend_squares(run.squares, count)
    return make_set(elements, kinds), pos


def _short_float(data: bytes, pos: int, head: int) -> float:
    """The float behind a head of major type 7 that is neither a simple value nor 64 bits wide (VAL-5, VAL-19)."""
    if head == 0xF9:
        if pos + 2 > len(data):
            raise ValueRefused("VAL-1", _TRUNCATED)
        value = _SHORT.get(data[pos : pos + 2])
        if value is None:
            raise ValueRefused("VAL-5", "a float that is not in its one form")
        return value
    if head == 0xFA:
        raise ValueRefused("VAL-5", "a float that is not in its one form")
    if head == 0xFF:
        raise ValueRefused("VAL-2", "the end of an indefinite length")
    if head > 0xFB:
        raise ValueRefused("VAL-1", "a reserved head")
    raise ValueRefused("VAL-19", "a simple value other than false, true and null")
