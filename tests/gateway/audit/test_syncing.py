"""One wait for the disk is for all who wrote before it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from graftwire.gateway.audit import syncing
from graftwire.gateway.audit.syncing import Syncing


class Watch:
    """What is synced, still by the real thing; `gate` holds it up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[list[int]] = []
        self.fault: OSError | None = None  # what the next one ends with
        self.gate = threading.Event()
        self.gate.set()
        self._real = syncing._sync_all
        monkeypatch.setattr(syncing, "_sync_all", self._sync)

    def _sync(self, descriptors: list[int]) -> None:
        self.seen.append(descriptors)
        assert self.gate.wait(60)
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        self._real(descriptors)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


@pytest.fixture
def descriptor(path: Path) -> Iterator[int]:
    found = os.open(path, os.O_RDWR | os.O_CREAT)
    yield found
    os.close(found)


async def test_many_wait_together(watch: Watch, descriptor: int, tmp_path: Path) -> None:
    one = Syncing(descriptor, str(tmp_path))
    watch.gate.clear()
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(one.wait)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(20):
            nursery.start_soon(one.wait)
        await trio.testing.wait_all_tasks_blocked()
        watch.gate.set()
    # The first began when all of the first twenty were written; the second was for those who came meanwhile.
    assert len(watch.seen) == 2
    assert watch.seen[0][-1] == watch.seen[1][-1] == descriptor
    assert len(watch.seen[0]) == 2  # and the folder, where the name of the file is
    one.close()


async def test_the_file_before_a_rotation_is_synced_and_closed(
    watch: Watch, descriptor: int, tmp_path: Path
) -> None:
    old, new = os.dup(descriptor), os.dup(descriptor)
    one = Syncing(old, str(tmp_path))
    await one.wait()
    one.switch(new)
    await one.wait()
    assert old in watch.seen[1]
    assert watch.seen[1][-1] == new
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(old)
    one.close()
    os.close(new)


async def test_a_fault_is_told_to_all_whom_it_concerns_and_to_nobody_else(path: Path, tmp_path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    other = os.dup(descriptor)
    one = Syncing(descriptor, str(tmp_path))
    os.close(descriptor)
    faults: list[OSError] = []

    async def waiting() -> None:
        try:
            await one.wait()
        except OSError as error:
            faults.append(error)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(waiting)
    assert len(faults) == 5
    assert len(set(map(id, faults))) == 5
    one._descriptor = other
    await one.wait()
    one.close()
    os.close(other)


async def test_a_disk_that_hangs_holds_one_thread(watch: Watch, descriptor: int, tmp_path: Path) -> None:
    """Who waits can be cancelled; the thread can't, and the next one waits for it."""
    one = Syncing(descriptor, str(tmp_path))
    watch.gate.clear()
    for _ in range(3):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(one.wait)
                while not watch.seen:  # until the first thread has begun
                    await trio.sleep(0.001)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        assert scope.cancelled_caught
    assert len(watch.seen) == 1
    watch.gate.set()
    await one.wait()
    assert len(watch.seen) == 2
    one.close()


async def test_a_fault_that_nobody_waited_for_any_more_is_told(
    watch: Watch, descriptor: int, tmp_path: Path
) -> None:
    """The system tells of it once: to the thread that was left behind. The next sync would say that all is well."""
    one = Syncing(descriptor, str(tmp_path))
    watch.gate.clear()
    watch.fault = OSError(errno.EIO, "the disk is broken")
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.wait)
            while not watch.seen:
                await trio.sleep(0.001)
            scope.cancel()
    watch.gate.set()
    with pytest.raises(OSError, match="the disk is broken"):
        await one.wait()
    assert len(watch.seen) == 2
    await one.wait()
    one.close()
