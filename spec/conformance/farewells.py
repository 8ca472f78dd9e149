"""The GOAWAYs of a target as far as they can be judged in every case: their order, and the ids that they name."""

from __future__ import annotations

from typing import Any

from .frames import BIGGEST
from .links.wires import Fault


class Farewells:
    """What has been said of leaving, from the target's first GOAWAY on."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._final = False

    def fault_of(self, elements: list[Any], calls: set[int]) -> Fault | None:
        """What is wrong with a GOAWAY that came; `calls` are the ids of the CALLs that the runner has sent."""
        last, code = elements[1], elements[2]
        if not isinstance(last, int) or not isinstance(code, int):
            return None  # the grammar says that
        before, self._last = self._last, last
        if before is not None and last > before:
            return Fault("LEAVE-1", f"the last id of GOAWAY rises from {before} to {last}")
        if last == BIGGEST:
            if code:
                return Fault("LEAVE-8", "a GOAWAY with an error names every call")
            return Fault("LEAVE-3", "a second GOAWAY that announces leaving") if before == BIGGEST else None
        if last and last not in calls:
            return Fault("LEAVE-8", f"GOAWAY names call {last}, which was never made")
        if not code and self._final:
            return Fault("LEAVE-3", "a GOAWAY in peace behind the final one")
        self._final = self._final or not code
        return None
