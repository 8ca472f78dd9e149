"""A builder for CBOR items, good and bad alike. It decides nothing: what you ask for is what you get."""

from __future__ import annotations

import struct

_WIDTHS = {1: 24, 2: 25, 4: 26, 8: 27}

UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)

FALSE, TRUE, NULL, UNDEFINED = b"\xf4", b"\xf5", b"\xf6", b"\xf7"
BREAK = b"\xff"
NAN, INFINITY, MINUS_INFINITY = b"\xf9\x7e\x00", b"\xf9\x7c\x00", b"\xf9\xfc\x00"


def head(major: int, argument: int, width: int | None = None) -> bytes:
    """The shortest head of an item, or one whose argument takes `width` bytes (0: in the first byte)."""
    if width is None:
        width = 0 if argument < 24 else next(w for w in _WIDTHS if argument < 1 << 8 * w)
    if width == 0:
        return bytes([major << 5 | argument])
    return bytes([major << 5 | _WIDTHS[width]]) + argument.to_bytes(width, "big")


def integer(value: int, width: int | None = None) -> bytes:
    """An integer of major type 0 or 1 (never a bignum)."""
    return head(UNSIGNED, value, width) if value >= 0 else head(NEGATIVE, -1 - value, width)


def bignum(value: int, size: int | None = None) -> bytes:
    """An integer as tag 2 or 3, whether it needs one or not; `size` pads the number with leading zeros."""
    number = value if value >= 0 else -1 - value
    length = size if size is not None else (number.bit_length() + 7) // 8
    return tag(2 if value >= 0 else 3, octets(number.to_bytes(length, "big")))


def octets(value: bytes, width: int | None = None) -> bytes:
    """A byte string."""
    return head(BYTES, len(value), width) + value


def text(value: str | bytes, width: int | None = None) -> bytes:
    """A text string; from bytes where it shall hold what is not UTF-8."""
    raw = value if isinstance(value, bytes) else value.encode()
    return head(TEXT, len(raw), width) + raw


def array(*items: bytes, width: int | None = None) -> bytes:
    """An array of ready items."""
    return head(ARRAY, len(items), width) + b"".join(items)


def pairs(*entries: tuple[bytes, bytes], width: int | None = None) -> bytes:
    """A map of ready keys and values, in the order given."""
    return head(MAP, len(entries), width) + b"".join(key + value for key, value in entries)


def record(**fields: bytes) -> bytes:
    """A map with text keys."""
    return pairs(*((text(name), value) for name, value in fields.items()))


def tag(number: int, item: bytes, width: int | None = None) -> bytes:
    """A tagged item."""
    return head(TAG, number, width) + item


def simple(number: int, width: int | None = None) -> bytes:
    """A simple value."""
    return head(SIMPLE, number, width if width is not None else 0 if number < 24 else 1)


def f16(value: float) -> bytes:
    """A float of 16 bits, which the standard knows only as NaN and the infinities."""
    return b"\xf9" + struct.pack(">e", value)


def f32(value: float) -> bytes:
    """A float of 32 bits, which the standard knows nowhere."""
    return b"\xfa" + struct.pack(">f", value)


def f64(value: float) -> bytes:
    """A float of 64 bits."""
    return b"\xfb" + struct.pack(">d", value)


def indefinite(major: int, *items: bytes) -> bytes:
    """A string, array or map of indefinite length."""
    return bytes([major << 5 | 31]) + b"".join(items) + BREAK


def nested(depth: int, inner: bytes) -> bytes:
    """`inner` inside `depth` arrays of one element."""
    return b"\x81" * depth + inner


def filler(size: int) -> bytes:
    """A value that takes `size` bytes: a byte string of zeros, in an array where none has that size."""
    if size == 1:
        return NULL
    for wrapped in range(2):
        for width in (0, 1, 2, 4):
            count = size - wrapped - 1 - width
            if count >= 0 and len(octets(bytes(count))) == size - wrapped:
                return b"\x81" * wrapped + octets(bytes(count))
    raise ValueError(f"no value takes {size} bytes")
