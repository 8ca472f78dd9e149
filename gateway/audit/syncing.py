"""Waiting until the disk has what was written: one wait for all who wrote meanwhile."""

from __future__ import annotations

import os

import trio


class Syncing:
    """Syncs a file, and whatever it was before a rotation, in a thread; at most one thread at a time.

    The descriptors are closed by who gave them, but for those of `switch`, which are closed here once they are synced.
    """

    def __init__(self, descriptor: int, folder: str) -> None:
        self._descriptor = descriptor
        self._folder = folder
        self._before: list[int] = []
        self._written = 0
        self._tried = 0
        self._error: OSError | None = None
        self._faults: list[OSError] = []  # of threads, whether or not anybody still waits for them
        self._turn = trio.Lock()
        # A thread that nobody waits for any more keeps its place, so that a disk that hangs gets no second one.
        self._one = trio.CapacityLimiter(1)
        self._add_folder()

    def switch(self, descriptor: int) -> None:
        """Another file from now on; the one before is synced and closed with the next wait.

        Raises OSError, and changes nothing then, if its folder can't be opened.
        """
        self._add_folder()
        self._before.append(self._descriptor)
        self._descriptor = descriptor

    async def wait(self) -> None:
        """Return when all that was written before this call is on the disk.

        Raises OSError if it may not be. Cancelled: it may or may not be.
        """
        self._written += 1
        mine = self._written
        async with (
            self._turn
        ):  # first come, first served: the outcome below is that of the batch with this one in it
            if self._tried < mine:
                await self._sync()
            if self._error is not None:
                raise OSError(self._error.errno, self._error.strerror)

    async def _sync(self) -> None:
        upto = self._written
        before = list(self._before)
        await trio.to_thread.run_sync(
            self._sync_noting, [*before, self._descriptor], abandon_on_cancel=True, limiter=self._one
        )
        # To try again would say that all is well: the system tells of a fault once, and may have thrown away what it
        # could not write. So those who wait for it have to know, and those after a thread that was left behind, too.
        faults, self._faults = self._faults, []
        self._error = faults[0] if faults else None
        self._tried = upto
        del self._before[: len(before)]
        for descriptor in before:
            os.close(descriptor)

    def _sync_noting(self, descriptors: list[int]) -> None:
        """In the thread, which may be left behind: what it comes to must not get lost with who waited for it."""
        try:
            _sync_all(descriptors)
        except OSError as error:
            self._faults.append(error)

    def close(self) -> None:
        """Close what is left of `switch`."""
        for descriptor in self._before:
            os.close(descriptor)
        self._before.clear()

    def _add_folder(self) -> None:
        """A new name is on the disk when its folder is."""
        self._before.append(os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC))


def _sync_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.fsync(descriptor)
