"""What the tests of worker processes host, in the gateway's process and in one of its own."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import resource
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from typing import Any, cast

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


class Faulty:
    """What can go wrong in a process, on demand."""

    def __init__(self) -> None:
        self.kept: list[object] = []
        self.limit: tuple[int, int] | None = None
        self.produced = 0

    async def pid(self) -> int:
        return os.getpid()

    async def sleep(self, seconds: float) -> int:
        await trio.sleep(seconds)
        return os.getpid()

    async def crash(self, how: str) -> None:
        match how:
            case "exit":
                os._exit(3)
            case "segv":
                faulthandler.disable()
                ctypes.string_at(0)
            case _:
                os.kill(os.getpid(), signal.SIGKILL)

    async def leak(self, size: int) -> None:
        self.kept.append(bytearray(os.urandom(1024) * (size // 1024)))
        await trio.sleep_forever()

    async def block(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - this is the fault that is tried

    async def block_with_the_lock(self) -> None:
        """Not even another thread of the process can run."""
        ctypes.PyDLL(None).sleep(1_000)

    async def stubborn(self) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(1_000)

    async def stubborn_stream(self) -> AsyncIterator[int]:
        yield 1
        with trio.CancelScope(shield=True):
            await trio.sleep(1_000)

    async def start_something(self) -> int:
        """A process that does not know of any gateway."""
        self.kept.append(subprocess.Popen(["sleep", "1000"]))  # noqa: ASYNC220 - it is not waited for
        return cast("Any", self.kept[-1]).pid

    async def open_no_more(self) -> None:
        self.limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, self.limit[1]))

    async def open_again(self) -> None:
        assert self.limit is not None
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limit)

    async def counter(self) -> Any:
        return graftwire.by_reference(Counter())

    async def bytes(self, count: int, size: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            self.produced += 1
            yield bytes(size)

    async def made(self) -> int:
        return self.produced

    async def first_of(self, items: AsyncIterator[Any]) -> Any:
        return await (await anext(aiter(items)))()


class Seen:
    """Says what it sees of who calls, and of what it is given."""

    def __init__(self) -> None:
        self.listener: Any = None
        self.ended: list[str] = []

    async def caller(self) -> list[Any]:
        identity = graftwire.current_identity()
        if identity is None:
            return []
        return [
            identity.subject,
            identity.scheme,
            identity.issuer,
            sorted(identity.roles),
            identity.expires,
            dict(identity.claims),
        ]

    def caller_in_a_thread(self) -> str:
        identity = graftwire.current_identity()
        return "" if identity is None else identity.subject

    async def link(self) -> list[Any]:
        facts = graftwire.peer().facts
        return [] if facts is None else [facts.transport, facts.peer != ""]

    async def pay(self, amount: int, to: str) -> str:
        return f"{amount} to {to}"

    async def ticks(self) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await trio.sleep(0.05)
        finally:
            self.ended.append("ticks")

    async def how_it_ended(self) -> list[str]:
        return self.ended

    async def counters(self, count: int) -> AsyncIterator[Any]:
        for _ in range(count):
            yield graftwire.by_reference(Counter())

    async def sum_of(self, functions: AsyncIterator[Any]) -> int:
        return sum([await function(10) async for function in functions])

    async def exchanged(self, functions: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for function in functions:
            number = await function(1)

            async def again(by: int, number: int = number) -> int:
                return number + by

            yield again

    async def keep(self, listener: Any) -> None:
        self.listener = listener.keep()

    async def tell(self, what: str) -> Any:
        return await self.listener(what)

    async def forget(self) -> None:
        self.listener.release()

    async def nested(self, depth: int) -> Any:
        """Through the caller and back, as often as it says."""
        return 0 if not depth else 1 + await graftwire.peer().call("Mine.again", depth - 1)
