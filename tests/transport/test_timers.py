"""The clock of a session, on a clock that a test controls."""

from __future__ import annotations

import math
from collections.abc import Callable

import trio
import trio.testing

from graftwire.transport.timers import Timers


class Recorder:
    """What a session hands to its timers: notes when each call expired, and when it was asked to look."""

    def __init__(self, again: Callable[[float], float] = lambda now: math.inf) -> None:
        self.start = trio.current_time()
        self.expired: list[tuple[int, float]] = []
        self.ticks: list[float] = []
        self.again = again
        self.timers = Timers(self.expire, self.tick)

    def expire(self, id: int) -> None:
        self.expired.append((id, round(trio.current_time() - self.start, 3)))

    def tick(self, now: float) -> float:
        self.ticks.append(round(now - self.start, 3))
        return self.again(now)


async def test_deadlines_expire_in_their_order(autojump_clock: trio.testing.MockClock) -> None:
    recorder = Recorder()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder.timers.run)
        await trio.sleep(1)
        for id, seconds in ((1, 30), (3, 10), (5, 20), (7, 10)):
            recorder.timers.add(id, recorder.start + seconds)
        await trio.sleep(15)
        recorder.timers.add(9, recorder.start + 18)
        await trio.sleep(100)
        nursery.cancel_scope.cancel()
    assert recorder.expired == [(3, 10), (7, 10), (9, 18), (5, 20), (1, 30)]


async def test_a_call_that_is_over_does_not_expire(autojump_clock: trio.testing.MockClock) -> None:
    recorder = Recorder()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder.timers.run)
        recorder.timers.add(1, recorder.start + 5)
        recorder.timers.add(3, recorder.start + 6)
        recorder.timers.remove(1)
        recorder.timers.remove(1)
        recorder.timers.remove(99)
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert recorder.expired == [(3, 6)]


async def test_it_looks_again_when_it_was_told_to(autojump_clock: trio.testing.MockClock) -> None:
    recorder = Recorder(lambda now: now + 10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder.timers.run)
        await trio.sleep(25)
        recorder.timers.wake(trio.current_time() + 2)
        recorder.timers.wake(trio.current_time() + 4)  # sooner is planned already
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert recorder.ticks == [0, 10, 20, 27]


async def test_a_wake_before_the_start_is_kept(autojump_clock: trio.testing.MockClock) -> None:
    recorder = Recorder()
    recorder.timers.add(1, recorder.start + 5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder.timers.run)
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert recorder.expired == [(1, 5)]


async def test_calls_that_were_in_time_leave_nothing() -> None:
    recorder = Recorder()
    for id in range(10_000):
        recorder.timers.add(id, recorder.start + 1_000)
        recorder.timers.remove(id)
    assert len(recorder.timers._heap) < 600
