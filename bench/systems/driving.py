"""What every measured system shares: its command line, and how a run is written down."""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable

IN_FLIGHT = 64
PAYLOAD = bytes(range(16))
WARM_UP = 0.5  # seconds of every run that are not counted


def main(serve: Callable[[], None], drive: Callable[[int, str, float], dict[str, float]]) -> None:
    """Run as the server or as the driver, as the command line says."""
    if sys.argv[1] == "serve":
        # the driver of the whole run closes our standard input when it is done with us
        threading.Thread(target=_leave_with_parent, daemon=True).start()
        serve()
    else:
        _, _, port, workload, seconds = sys.argv
        print(json.dumps(drive(int(port), workload, float(seconds))), flush=True)


def _leave_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def announce(port: int) -> None:
    """Tell the parent where this server listens."""
    print(port, flush=True)


class Run:
    """Counts calls and their times after the warm-up, until the time is up."""

    def __init__(self, seconds: float) -> None:
        self._start = time.perf_counter() + WARM_UP
        self._stop = self._start + seconds
        self._times: list[float] = []
        self._count = 0
        self._cpu = 0.0
        self._counting = False

    def over(self) -> bool:
        """Whether the time is up."""
        return time.perf_counter() >= self._stop

    def done(self, began: float, ended: float) -> bool:
        """Count a call that took from `began` to `ended`; returns whether the run is over."""
        if ended >= self._start:
            if not self._counting:
                self._counting = True
                self._cpu = _cpu()
            self._count += 1
            self._times.append(ended - began)
        return ended >= self._stop

    def result(self) -> dict[str, float]:
        """Calls a second, median and 99th percentile in seconds, this process's CPU seconds a call."""
        elapsed = max(self._stop - self._start, time.perf_counter() - self._start)
        times = sorted(self._times)
        return {
            "calls_per_second": self._count / elapsed,
            "p50": statistics.median(times),
            "p99": times[int(len(times) * 0.99)],
            "cpu_per_call": (_cpu() - self._cpu) / self._count,
        }


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
