"""When to try again, and how long to wait before."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retry:
    """Connect again, and send again what is safe to send again.

    `attempts`: how often in a row, after the first try; `first`, `most`: seconds of the first and of the longest
    pause; each is twice the one before, shortened by chance by up to a half, so that many clients that lost the same
    gateway do not come back at the same moment.

    A call is sent again only if it is known not to have run, or if the caller marked it as idempotent.
    """

    attempts: int = 8
    first: float = 0.05
    most: float = 5.0

    def pause(self, attempt: int) -> float:
        """Seconds to wait before try number `attempt` (1 is the first repeated one)."""
        return min(self.first * 2 ** (attempt - 1), self.most) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret, a pause
