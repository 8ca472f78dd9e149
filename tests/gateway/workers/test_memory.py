"""How much memory a process takes."""

from __future__ import annotations

import os
import subprocess
import sys

import trio

from graftwire.gateway.workers.memory import resident


async def test_of_this_process() -> None:
    before = await resident(os.getpid())
    kept = bytearray(os.urandom(1_024) * 65_536)
    assert await resident(os.getpid()) - before > len(kept) // 2


async def test_of_one_that_has_ended() -> None:
    ended = await trio.run_process(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_stdout=True
    )
    assert isinstance(ended, subprocess.CompletedProcess)
    assert await resident(int(ended.stdout)) == 0
