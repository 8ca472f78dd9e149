"""What a target costs, by the accounting of the operating system: peak memory, processor time, open files.

It is read from /proc, of the process that the runner has started and of all that this one has started. Where there is
no /proc, nothing is known, and cases that need it are not implemented.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

PROC = Path("/proc")


class Usage(msgspec.Struct, frozen=True):
    """What a case cost the target, where the runner had started it for this case; None: it could not be known."""

    peak_memory: int | None = None  # bytes at the peak beyond those before the case
    cpu: float | None = None  # seconds
    open_files: int | None = None  # afterwards, beyond those before the case
    seconds_to_close: float | None = None  # from the last step to the end of the link


class Reading(NamedTuple):
    """How things stand: bytes now and at the peak, seconds of processor time, open files."""

    memory: int
    peak: int
    cpu: float
    files: int


class Meter:
    """Reads the accounts of a process and of its children, from when this is made."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        for each in self._tree():
            with suppress(OSError):  # then the peak is that since its start, which is no less
                (PROC / str(each) / "clear_refs").write_text("5", encoding="ascii")
        self.before = self.read()

    def read(self) -> Reading | None:
        """The accounts now; None where nothing can be known, or nothing is left of the process."""
        found = [reading for each in self._tree() if (reading := _read(each)) is not None]
        if not found:
            return None
        memory, peak, cpu, files = zip(*found, strict=True)
        return Reading(sum(memory), sum(peak), sum(cpu), sum(files))

    def usage(self, seconds_to_close: float | None) -> Usage:
        """What has been used since the beginning."""
        now = self.read()
        if now is None or self.before is None:
            return Usage(seconds_to_close=seconds_to_close)
        return Usage(
            peak_memory=max(0, now.peak - self.before.memory),
            cpu=round(now.cpu - self.before.cpu, 3),
            open_files=max(0, now.files - self.before.files),
            seconds_to_close=seconds_to_close,
        )

    def _tree(self) -> Iterator[int]:
        """The process and what it has started, as far as it can be seen."""
        waiting = [self._pid]
        while waiting:
            pid = waiting.pop()
            yield pid
            for task in _listed(PROC / str(pid) / "task"):
                with suppress(OSError, ValueError):
                    children = (PROC / str(pid) / "task" / task / "children").read_text(encoding="ascii")
                    waiting += map(int, children.split())


def _listed(path: Path) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _read(pid: int) -> Reading | None:
    try:
        status = (PROC / str(pid) / "status").read_text(encoding="ascii", errors="replace")
        stat = (PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
        files = len(os.listdir(PROC / str(pid) / "fd"))
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    times = stat.rpartition(")")[2].split()  # what stands before may hold anything: it is the program's name
    try:
        memory, peak = (1024 * int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM"))
        return Reading(memory, peak, (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"), files)
    except (KeyError, IndexError, ValueError):
        return None


def told(usage: Usage) -> str:
    """The figures in words."""
    parts: list[str] = []
    if usage.peak_memory is not None:
        parts.append(f"{usage.peak_memory / 2**20:.1f} MiB of memory at the peak")
    if usage.cpu is not None:
        parts.append(f"{usage.cpu:.2f} s of processor time")
    if usage.open_files is not None:
        parts.append(f"{usage.open_files} files left open")
    if usage.seconds_to_close is not None:
        parts.append(f"{usage.seconds_to_close:.2f} s to close")
    return ", ".join(parts) or "nothing is known"
