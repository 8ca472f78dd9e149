"""Nurseries whose one exception comes out as it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def unwrapping() -> AsyncGenerator[trio.Nursery]:
    """A nursery; in place of a group of exceptions it raises the first of them that is no Cancelled.

    What else went wrong at the same time is in its notes, by type.
    """
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
    except BaseExceptionGroup as group:
        leaves = _leaves(group)
        first = next((each for each in leaves if not isinstance(each, trio.Cancelled)), leaves[0])
        others = sorted({type(each).__name__ for each in leaves if each is not first})
        if others:
            first.add_note(f"at the same time: {', '.join(others)}")
        raise first from first.__cause__


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for each in group.exceptions:
        found += _leaves(each) if isinstance(each, BaseExceptionGroup) else [each]  # pyright: ignore[reportUnknownArgumentType]
    return found
