"""Reading and writing the heads of deterministic CBOR, strictly (RFC 8949 section 4.2.1; clauses HEAD-1 to HEAD-6).

Frame headers are small and flat, so they are read by hand: nothing is allocated before it is checked, and each
refusal names its clause. Readers take the data and a position and return the value and the next position.
"""

from __future__ import annotations

from typing import Final, NoReturn

from .errors import LocalProtocolError, ProtocolViolation
from .limits import LARGEST_INTEGER

Data = bytes | memoryview

NULL: Final = 0xF6
BYTES: Final = 2  # major types, as `read_length` and `write_uint` take them
TEXT: Final = 3
ARRAY: Final = 4
MAP: Final = 5

_SMALL: Final = tuple(bytes([n]) for n in range(24))
_GRAPHIC: Final = bytes(range(0x21, 0x7F))  # printable ASCII without the space


def write_uint(value: int, major: int = 0) -> bytes:
    """The shortest head of `major` (0: an unsigned integer) with the argument `value`.

    Raises LocalProtocolError for a value below 0 or above 2^53-1.
    """
    if value < 24:
        if value < 0:
            raise LocalProtocolError("HEAD-6", "a header has no negative integers")
        return _SMALL[value] if major == 0 else bytes(((major << 5) | value,))
    top = major << 5
    if value < 0x100:
        return bytes((top | 24, value))
    if value < 0x10000:
        return bytes((top | 25, value >> 8, value & 0xFF))
    if value < 0x100000000:
        return bytes((top | 26,)) + value.to_bytes(4, "big")
    if value > LARGEST_INTEGER:
        raise LocalProtocolError("HEAD-2", "a header has no integers above 2^53-1")
    return bytes((top | 27,)) + value.to_bytes(8, "big")


def ends_inside() -> ProtocolViolation:
    """The violation for a frame that is shorter than its elements."""
    return ProtocolViolation("FRAME-3", "the frame ends inside an element")


def refuse(data: Data, position: int, wanted: str) -> NoReturn:
    """Raise the violation that fits the byte at `position`, where `wanted` was allowed."""
    if position >= len(data):
        raise ends_inside()
    first = data[position]
    major, low = first >> 5, first & 0x1F
    if low == 31 and BYTES <= major <= MAP:
        raise ProtocolViolation("HEAD-5", "a header has an element of indefinite length")
    if major in (1, 6) or (major == 7 and first != NULL):
        raise ProtocolViolation("HEAD-6", "a header has a tag, a float, a negative integer or a simple value")
    if 28 <= low <= 31:
        raise ProtocolViolation("HEAD-1", "a header has a reserved head")
    raise ProtocolViolation("FRAME-6", f"an element is not {wanted}")


def _argument(data: Data, position: int, low: int) -> tuple[int, int]:
    """The argument of a head whose low five bits are 24 to 27, and the position after it."""
    size = 1 << (low - 24)
    position += 1
    raw = data[position : position + size]
    if len(raw) < size:
        raise ends_inside()
    value = int.from_bytes(raw, "big")
    if value < (24 if size == 1 else 1 << (4 * size)):
        raise ProtocolViolation(
            "HEAD-1", "a header has an integer or a length that is not in its shortest form"
        )
    if value > LARGEST_INTEGER:
        raise ProtocolViolation("HEAD-2", "a header has an integer above 2^53-1")
    return value, position + size


def read_uint(data: Data, position: int) -> tuple[int, int]:
    """An unsigned integer of at most 2^53-1."""
    if position >= len(data):
        raise ends_inside()
    first = data[position]
    if first < 24:
        return first, position + 1
    if first > 27:
        refuse(data, position, "an unsigned integer")
    return _argument(data, position, first)


def read_length(data: Data, position: int, major: int, wanted: str) -> tuple[int, int]:
    """The length in the head of a byte string, a text, an array or a map, as `major` says."""
    if position >= len(data):
        raise ends_inside()
    first = data[position]
    low = first & 0x1F
    if first >> 5 != major or low > 27:
        refuse(data, position, wanted)
    if low < 24:
        return low, position + 1
    return _argument(data, position, low)


def read_bytes(data: Data, position: int, wanted: str) -> tuple[bytes, int]:
    """A byte string of any length. Copied once, out of whatever `data` is."""
    length, position = read_length(data, position, BYTES, wanted)
    end = position + length
    if end > len(data):
        raise ends_inside()
    raw = data[position:end]
    return raw if type(raw) is bytes else bytes(raw), end


def read_text(data: Data, position: int, wanted: str, range_: range, clause: str) -> tuple[bytes, int]:
    """The bytes of a text whose length is in `range_`; another length breaks `clause`. Not decoded yet."""
    length, position = read_length(data, position, TEXT, wanted)
    if length not in range_:
        raise ProtocolViolation(clause, f"the length of {wanted} is out of its range")
    end = position + length
    if end > len(data):
        raise ends_inside()
    return bytes(data[position:end]), end


def is_graphic(raw: bytes) -> bool:
    """Whether `raw` is printable ASCII without a space."""
    return not raw.translate(None, _GRAPHIC)
