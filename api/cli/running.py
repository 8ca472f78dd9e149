"""Running a command's tasks so that signals end it cleanly and exceptions come out as they are."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeVar

import trio

from graftwire.transport.background import background_tasks

from .failure import Interrupted

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(main: Callable[[], Awaitable[T]]) -> T:
    """Run `main` to its end. SIGINT and SIGTERM cancel it, and then raise Interrupted."""
    return trio.run(partial(_interruptible, main))


async def _interruptible(main: Callable[[], Awaitable[T]]) -> T:
    came: list[int] = []

    async def watch(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
        async for number in signals:
            came.append(number)
            scope.cancel()

    with trio.open_signal_receiver(*SIGNALS) as signals:
        async with background_tasks() as tasks:
            with trio.CancelScope() as scope:
                tasks.start_soon(watch, signals, scope)
                return await main()
    raise Interrupted(came[0])
