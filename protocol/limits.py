"""Every bound of the wire, with its name, its unit, and what happens at it (spec/PROTOCOL.md, "Limits")."""

from __future__ import annotations

from typing import Final

import msgspec

LARGEST_INTEGER: Final = 2**53 - 1  # HEAD-2: what JavaScript's numbers hold exactly
LARGEST_FRAME: Final = 2**24 - 1  # FRAME-2, bytes after the length prefix, whatever HELLO says
LARGEST_CREDIT: Final = 2**31 - 1  # CREDIT-3, CREDIT-5: bytes; more is a protocol error
ITEM_OVERHEAD: Final = 64  # CREDIT-1: bytes that an item costs beside its body

EARLY_FRAME: Final = 16_384  # HELLO-8: bytes of one frame, prefix not counted, before the session is open
EARLY_TOTAL: Final = 32_768  # HELLO-8: bytes in all, prefixes counted, before the session is open

LARGEST_PROOF: Final = 8_192  # AUTH-8: bytes; a longer proof is a protocol error
LARGEST_SCHEME: Final = 32  # AUTH-8: characters
AUTH_ROUNDS: Final = 8  # AUTH-3: AUTH frames of one exchange; one more is a protocol error
HELD_RELEASES: Final = (
    65_536  # RELEASEs that wait for the outcome of an AUTH; with one more, this side leaves
)

LARGEST_TARGET: Final = 255  # CALL-3: bytes of a target or of a method's name
LARGEST_TRACESTATE: Final = 512  # CTX-4: characters
LARGEST_MILLISECONDS: Final = 2**31 - 1  # CTX-2 and the idle time
MOST_VERSIONS: Final = 8  # HELLO-2: entries of the versions array

# HELLO-5: (least, most) of each limit in the order of its key, 1 to 6.
RANGES: Final[tuple[tuple[int, int], ...]] = (
    (65_536, LARGEST_FRAME),
    (16, 65_536),
    (65_536, 2**31 - 1),
    (65_536, 2**31 - 1),
    (262_144, 2**31 - 1),
    (1_000, LARGEST_MILLISECONDS),
)


class Limits(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What one side tells the other in its HELLO: the most that it takes.

    `largest_frame`: bytes after the length prefix, 64 KiB to 16 MiB - 1. `calls_in_flight`: calls that the other
    side may have open at once, 16 to 65,536. `unfinished_body_bytes`: bytes of the bodies of those calls
    together, at least `largest_frame`. `stream_credit`, `session_credit`: bytes that the other side may send on
    each stream, and on all together, before it is given more. `idle_time`: milliseconds without a byte after
    which this side ends the session.

    Raises ValueError, naming the limit and its range, for what is not an integer in it.
    """

    largest_frame: int = 4 * 2**20
    calls_in_flight: int = 1_024
    unfinished_body_bytes: int = 16 * 2**20
    stream_credit: int = 256 * 2**10
    session_credit: int = 2 * 2**20
    idle_time: int = 60_000

    def __post_init__(self) -> None:
        for name, value, (least, most) in zip(self.__struct_fields__, self.as_tuple(), RANGES, strict=True):
            if type(value) is not int or not least <= value <= most:
                raise ValueError(f"{name} must be from {least} to {most}")
        if self.unfinished_body_bytes < self.largest_frame:
            raise ValueError("unfinished_body_bytes must not be below largest_frame")

    def as_tuple(self) -> tuple[int, int, int, int, int, int]:
        """The six values in the order of their keys on the wire."""
        return (
            self.largest_frame,
            self.calls_in_flight,
            self.unfinished_body_bytes,
            self.stream_credit,
            self.session_credit,
            self.idle_time,
        )


# HELLO-7: what a sender assumes of the other side before it has read that side's HELLO.
LEAST: Final = Limits(
    largest_frame=RANGES[0][0],
    calls_in_flight=RANGES[1][0],
    unfinished_body_bytes=RANGES[2][0],
    stream_credit=RANGES[3][0],
    session_credit=RANGES[4][0],
    idle_time=RANGES[5][0],
)
