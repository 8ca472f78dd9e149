"""Reading the usual forms of the frames that are most of the traffic, where they lie, without slicing them out first.

These readers take exactly what `framereading.decode` would take, or give None: then `decode` has to look at the frame
and says what it is, or what is wrong with it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

from .errors import ProtocolViolation
from .framereading import read_target
from .frametypes import BOTH_STREAMS, Call, Item, Result

_UINT32: Final = struct.Struct(">I").unpack_from
_Made = TypeVar("_Made", Result, Item)


@lru_cache(maxsize=1024)
def _named(head: bytes) -> tuple[int, str] | None:
    """Shape and target from the bytes between a CALL's id and its body.

    None unless they are of the usual form: a call by name, without context and credential. Cached, because the same
    few come again and again.
    """
    if len(head) < 5 or head[0] > BOTH_STREAMS or not head.endswith(b"\xf6\xf6"):
        return None
    try:
        target, position = read_target(head, 1)
    except ProtocolViolation:
        return None
    return (head[0], target) if isinstance(target, str) and position == len(head) - 2 else None


def _short(data: bytes, position: int, major: int) -> tuple[int, int]:
    """The argument of a shortest head of one to three bytes and the position after it; (0, 0) for any other.

    `major` is the first byte of such a head with the argument 0.
    """
    low = data[position] - major
    if 0 <= low < 24:
        return low, position + 1
    if low == 24:
        value = data[position + 1]
        return (value, position + 2) if value > 23 else (0, 0)
    if low == 25:
        value = data[position + 1] << 8 | data[position + 2]
        return (value, position + 3) if value > 0xFF else (0, 0)
    return 0, 0


def read_call(data: bytes, position: int, stop: int) -> Call | None:
    """The CALL in `data` whose id is at `position` and which ends at `stop`; None: `decode` has to look at it."""
    try:
        if data[position] == 26:
            id: int = _UINT32(data, position + 1)[0]
            if id < 0x10000:
                return None
            position += 5
        else:
            id, position = _short(data, position, 0)
            if not id:
                return None
        size = data[position + 1] - 0x60
        body = position + size + 4 if size < 24 else position + data[position + 2] + 5
        named = _named(data[position:body])
        if named is None:
            return None
        size = data[body] - 0x40
        if 0 <= size < 24:
            body += 1
        else:
            size, body = _short(data, body, 0x40)
    except (IndexError, struct.error):
        return None
    # nothing that was read can lie beyond `stop` if the body ends there
    return Call(id, named[0], named[1], None, None, data[body:stop]) if body + size == stop else None


def _usual(make: Callable[[int, bytes], _Made]) -> Callable[[bytes, int, int], _Made | None]:
    """A reader of frames that hold an id and a body."""

    def read(data: bytes, position: int, stop: int) -> _Made | None:
        """The frame in `data` whose id is at `position` and which ends at `stop`; None: `decode` has to look at it."""
        try:
            if data[position] == 26:
                id: int = _UINT32(data, position + 1)[0]
                if id < 0x10000:
                    return None
                position += 5
            else:
                id, position = _short(data, position, 0)
                if not id:
                    return None
            size = data[position] - 0x40
            if 0 <= size < 24:
                position += 1
            else:
                size, position = _short(data, position, 0x40)
        except (IndexError, struct.error):
            return None
        return make(id, data[position:stop]) if position + size == stop else None

    return read


read_result: Final = _usual(Result)
read_item: Final = _usual(Item)
