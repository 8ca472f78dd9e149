"""The heads of CBOR: where one ends, and how many an item has, before anything is made of them.

What readers of CBOR make of an item can take far more time than it has bytes. These steps take as many as it has heads.
"""

from __future__ import annotations


class Cut(Exception):
    """The bytes are no CBOR from here on, or are of indefinite length, which this standard has nowhere."""


def head(data: bytes, at: int) -> tuple[int, int, int]:
    """Major type and argument of the head at a place, and where it ends. Raises Cut."""
    if at >= len(data):
        raise Cut
    major, low = data[at] >> 5, data[at] & 31
    if low < 24:
        return major, low, at + 1
    if low > 27:
        raise Cut
    end = at + 1 + (1 << low - 24)
    if end > len(data):
        raise Cut
    return major, int.from_bytes(data[at + 1 : end], "big"), end


def count(data: bytes, most: int) -> int:
    """How many heads the item at the start has, with those inside of it, or `most` + 1 where there are more.

    Raises Cut where the item is cut off before so many have come.
    """
    found = at = 0
    left = 1
    while left and found <= most:
        major, argument, at = head(data, at)
        found += 1
        left -= 1
        if major in (2, 3):
            at += argument
        elif major in (4, 5, 6):
            left += {4: argument, 5: 2 * argument}.get(major, 1)
    if at > len(data):
        raise Cut
    return found
