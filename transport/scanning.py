"""The references in a body that nobody decodes, found from head to head, without making a value of anything.

Nobody decodes what is thrown away, and it may hold a million values: what a look at it costs has to be bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graftwire.protocol.errors import ValueRefused
from graftwire.protocol.reader import argument
from graftwire.protocol.scalars import MAX_ITEMS, TAG_REFERENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

PAUSE: Final = 4_096  # heads between two pauses
_SIZES: Final = {24: 1, 25: 2, 26: 4, 27: 8}  # bytes behind a head of major type 7


def references_in(body: bytes) -> Iterator[int]:
    """The number of each reference in `body`, in order; and a 0, a pause, after each so many heads.

    Ends where the body can't be read on: what is no body holds none.
    """
    position, left, heads = 0, 1, 0
    reference = False  # whether the next item is the number of one
    try:
        while left:
            left -= 1
            heads += 1
            if heads > MAX_ITEMS:
                return
            if not heads % PAUSE:
                yield 0
            head = body[position]
            major, info = head >> 5, head & 31
            position += 1
            if major == 7:
                position += _SIZES.get(info, 0)
                number = 0
            else:
                number, position = argument(body, position, info)
            if reference:
                reference = False
                if major or not number:
                    return
                yield number
            elif major == 4:
                left += number
            elif major == 5:
                left += 2 * number
            elif major == 6:
                left += 1
                reference = number == TAG_REFERENCE
            elif major in (2, 3):
                position += number
    except (IndexError, ValueRefused):
        return
