"""Standard input and output of a target, line by line."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import msgspec
import trio

from ..launch import line

LARGEST_LINE = 2**26  # bytes; the runner writes nothing like it


class Lines:
    """Reads lines from one descriptor and writes them to another; both are pipes, or a terminal."""

    def __init__(self, source: int = 0, sink: int = 1) -> None:
        self._source = source
        self._sink = sink
        self._kept = b""
        self._writing = trio.Lock()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The lines that come, until the end of input."""
        while (text := await self.next()) is not None:
            yield text

    async def next(self) -> bytes | None:
        """The next line; None at the end of input."""
        while b"\n" not in self._kept:
            # a thread, since not every kind of standard input can be waited for; reading it past Python's own
            # buffer, since a thread that holds that at the end would keep the process from ending
            data = await trio.to_thread.run_sync(os.read, self._source, 65_536, abandon_on_cancel=True)
            if not data or len(self._kept) > LARGEST_LINE:
                return None
            self._kept += data
        text, _, self._kept = self._kept.partition(b"\n")
        return text

    async def say(self, value: msgspec.Struct | dict[str, object]) -> None:
        """Write a line."""
        data = line(value)
        async with self._writing:
            while data:
                written = await trio.to_thread.run_sync(os.write, self._sink, data)
                data = data[written:]
