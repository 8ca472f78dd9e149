"""What the gateways of the test under load host. It writes down each run under the call's own number.

A test copies it into the folder of the gateways' configuration; it writes to the folder `runs` beside it: one file for
each process, with lines `begun NUMBER`, and `done NUMBER` or `stopped NUMBER`. A line is one write to the end of the
file, so it is there as a whole or not at all, however the process ends.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio

import graftwire

RUNS: Final = Path(__file__).parent / "runs"
PAUSE: Final = 0.005  # seconds that each item takes, so that there is always something under way


@graftwire.interface
class Counted:
    """One method for each shape of call."""

    def __init__(self) -> None:
        path = RUNS / f"{type(self).__name__}.{os.getpid()}"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def _note(self, word: str, number: int) -> None:
        os.write(self._file, f"{word} {number}\n".encode())

    @contextmanager
    def _run(self, number: int) -> Generator[None]:
        """One run, from its first step to its last."""
        # who calls is the same wherever this runs
        assert graftwire.current_identity().subject == "load"
        self._note("begun", number)
        word = "stopped"
        try:
            yield
            word = "done"
        finally:
            self._note(word, number)

    async def where(self) -> int:
        """The process; this one is not counted."""
        return os.getpid()

    async def once(self, number: int, seconds: float) -> int:
        """Nothing streams."""
        with self._run(number):
            await trio.sleep(seconds)
        return number

    async def count(self, number: int, to: int, pause: float) -> AsyncIterator[int]:
        """The server streams."""
        with self._run(number):
            for each in range(to):
                yield each
                await trio.sleep(pause)

    async def total(self, number: int, items: AsyncIterator[int]) -> int:
        """The client streams."""
        total = 0
        with self._run(number):
            async for each in items:
                total += each
                await trio.sleep(PAUSE)
        return total

    async def doubled(self, number: int, items: AsyncIterator[int]) -> AsyncIterator[int]:
        """Both do."""
        with self._run(number):
            async for each in items:
                yield 2 * each
                await trio.sleep(PAUSE)


class Here(Counted):
    """Runs in the gateway's process."""


class There(Counted):
    """Runs in worker processes."""


class Spare:
    """Comes and goes with the configuration."""

    async def ping(self) -> str:
        return "pong"
