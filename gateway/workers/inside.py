"""The links between a gateway and its workers: what both ends take, and how long they wait."""

from __future__ import annotations

from typing import Final

from graftwire.protocol.limits import LARGEST_FRAME, LARGEST_MILLISECONDS, RANGES, Limits
from graftwire.transport.facts import LinkFacts
from graftwire.transport.session import Timing

OWN: Final = LinkFacts("worker", "gateway", "worker")
MOST_CALLS: Final = RANGES[1][1]
MOST_BYTES: Final = RANGES[2][1]
_DAY: Final = 86_400.0

PATIENT: Final = Timing(opening=_DAY, stalled=_DAY, slow=_DAY)
"""Whether a worker hangs is judged by its `hang`, and whether a gateway lives by its end of a pipe: by nothing else."""


def for_mirrors(calls_in_flight: int, stream_credit: int, session_credit: int) -> Limits:
    """What one end takes of a client's session; in all else, whatever the session in front of it has taken."""
    return Limits(
        largest_frame=LARGEST_FRAME,
        calls_in_flight=calls_in_flight,
        unfinished_body_bytes=MOST_BYTES,
        stream_credit=stream_credit,
        session_credit=session_credit,
        idle_time=LARGEST_MILLISECONDS,
    )


CONTROL: Final = Limits(
    largest_frame=LARGEST_FRAME, unfinished_body_bytes=MOST_BYTES, idle_time=LARGEST_MILLISECONDS
)
"""What both ends of the session take in which a worker is told what to host."""
