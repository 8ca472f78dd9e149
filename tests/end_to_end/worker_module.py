"""What the tests of worker processes host, in the gateway's process and in one of its own."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from typing import Any

import trio

import graftwire


class Empty(Exception):
    missing: int


class Stock:
    """One method for each thing that has to be the same in a worker."""

    async def pid(self) -> int:
        return os.getpid()

    async def add(self, a: int, b: int = 1) -> int:
        return a + b

    async def count(self, n: int) -> AsyncIterator[int]:
        for each in range(n):
            yield each

    async def total(self, numbers: AsyncIterator[int]) -> int:
        return sum([each async for each in numbers])

    async def doubled(self, numbers: AsyncIterator[int]) -> AsyncIterator[int]:
        async for each in numbers:
            yield 2 * each

    @graftwire.raises(Empty)
    async def declared(self) -> None:
        error = Empty("none left")
        error.missing = 3
        raise error

    async def undeclared(self) -> None:
        raise ValueError("a secret of the method's")

    async def who(self) -> str | None:
        identity = graftwire.current_identity()
        return None if identity is None else identity.subject

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def hang(self) -> None:
        time.sleep(1_000)  # noqa: ASYNC251 - this is the fault that is tried

    async def apply(self, function: Any, value: int) -> Any:
        return await function(value)

    async def counter(self) -> Any:
        return graftwire.by_reference(Counter())

    async def ask(self, value: int) -> Any:
        return await graftwire.peer().call("Mine.square", value)


class Counter:
    def __init__(self) -> None:
        self.value = 0

    async def up(self, by: int) -> int:
        self.value += by
        return self.value
