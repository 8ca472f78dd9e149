"""How long a pool waits before a start, and which process it gives a call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from graftwire.gateway.audit.trail import Trail
from graftwire.gateway.workers.pool import FIRST_PAUSE, HEALTHY, LONGEST_PAUSE, Pauses, Pool
from graftwire.gateway.workers.worker import Worker
from graftwire.protocol.errors import Unavailable


def test_pauses_grow_and_begin_anew() -> None:
    pauses = Pauses()
    found = [pauses.after(0.0) for _ in range(12)]
    assert found[:4] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]
    assert found[-1] == LONGEST_PAUSE
    assert pauses.after(HEALTHY) == FIRST_PAUSE
    assert pauses.after(0.0) == 2 * FIRST_PAUSE


class One:
    """Stands for a process."""

    def __init__(self, busy: int, *, up: bool = True) -> None:
        self.busy = busy
        self.up = up


def pool_of(*processes: One) -> Pool:
    pool = Pool("Shop", Worker("shop:Shop"), Trail(), allow_untyped=False)
    pool._ready.extend(processes)  # type: ignore[arg-type]
    return pool


def holding(count: int) -> Any:
    return SimpleNamespace(passage=SimpleNamespace(held=count))


def test_the_process_that_runs_the_fewest() -> None:
    few, many, ending = One(1), One(5), One(0, up=False)
    pool = pool_of(many, ending, few)
    choose: Any = pool.choose
    assert choose({}) is few
    assert choose({many: holding(1), few: holding(0)}) is many  # where its objects are
    assert choose({ending: holding(1)}) is few
    assert pool.sound
    assert pool_of(ending).choose({}) is None
    assert not pool_of(ending).sound
    assert pool_of().choose({}) is None


async def test_nobody_comes() -> None:
    pool = pool_of(One(0, up=False))
    with pytest.raises(Unavailable, match="no worker for Shop") as none:
        await pool.wait(trio.current_time() + 0.01)
    assert none.value.ran is False


async def test_it_is_idle_when_nothing_holds_it() -> None:
    pool = pool_of()
    await pool.wait_idle()
    pool.hold()
    pool.hold()
    with trio.move_on_after(0.01) as scope:
        await pool.wait_idle()
    assert scope.cancelled_caught
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.wait_idle)
        await trio.testing.wait_all_tasks_blocked()
        pool.release()
        pool.release()
