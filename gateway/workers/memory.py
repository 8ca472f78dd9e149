"""How much memory a process takes."""

from __future__ import annotations

import subprocess
import sys

import trio


async def resident(pid: int) -> int:
    """Bytes of memory that a process holds now; 0 where that can't be found out (it may have ended)."""
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/statm", "rb") as statm:  # noqa: ASYNC230 - a file of the kernel's memory
                return int(statm.read().split()[1]) * _page()
        except (OSError, IndexError, ValueError):
            return 0
    try:
        found = await trio.run_process(
            ["/bin/ps", "-o", "rss=", "-p", str(pid)],
            capture_stdout=True,
            check=False,
            stderr=subprocess.DEVNULL,
        )
        return int(found.stdout) * 1_024
    except (OSError, ValueError):
        return 0


def _page() -> int:
    import resource

    return resource.getpagesize()
