"""The interface that every target hosts (TARGETS.md, "The interface to host")."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import trio

import graftwire

LARGEST_RESULT = 2**26  # bytes that `zeros` makes at the most: more than any frame holds, and no danger


class Refused(Exception):
    """What `fail` declares."""

    number: int

    def __init__(self, text: str = "", number: int = 0) -> None:
        super().__init__(text)
        self.number = number


@dataclass
class Note:
    """What `record` takes: a field that has to be there, and one that need not."""

    id: int
    note: str | None = None


class Counters:
    """What the interface counts, by key; shared by all sessions of a target."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self.running: Counter[str] = Counter()
        self.cancelled: Counter[str] = Counter()
        self.kept: dict[str, graftwire.Remote] = {}
        self.given: dict[str, list[Any]] = {}

    @contextmanager
    def during(self, key: str) -> Generator[None]:
        """Around what never ends by itself."""
        self.running[key] += 1
        try:
            yield
        except (trio.Cancelled, GeneratorExit):  # a generator that waits for credit is closed
            self.cancelled[key] += 1
            raise
        finally:
            self.running[key] -= 1


def make_service(counters: Counters, canaries: dict[str, str]) -> object:
    """The object to host. The class is made here because a default argument of it is a canary."""
    secret = canaries.get("exception", "")
    cause = canaries.get("cause", "")
    default_value = canaries.get("default", "")

    class Conformance:
        """What every target hosts."""

        async def echo(self, value: Any) -> Any:
            return value

        async def integer(self, value: int) -> int:
            return value

        async def number(self, value: float) -> float:
            return value

        async def text(self, value: str) -> str:
            return value

        async def record(self, value: Note) -> Note:
            return value

        async def add(self, a: int, b: int = 1) -> int:
            return a + b

        async def default(self, value: str = default_value) -> int:
            return len(value)

        async def size(self, value: bytes) -> int:
            return len(value)

        async def zeros(self, count: int) -> bytes:
            return bytes(min(count, LARGEST_RESULT))

        async def produce(self, count: int, size: int) -> AsyncIterator[bytes]:
            for _ in range(count):
                yield bytes(size)

        async def endless(self, key: str, size: int) -> AsyncIterator[bytes]:
            with counters.during(key):
                while True:
                    await trio.lowlevel.checkpoint()
                    yield bytes(size)

        async def sum(self, items: AsyncIterator[int]) -> int:
            total = 0
            async for item in items:
                total += item
            return total

        async def total(self, items: AsyncIterator[bytes]) -> int:
            total = 0
            async for item in items:
                total += len(item)
            return total

        async def first(self, items: AsyncIterator[Any]) -> Any:
            async for item in items:
                return item
            return None

        async def each(self, items: AsyncIterator[Any]) -> AsyncIterator[Any]:
            async for item in items:
                yield item

        async def hold(self, key: str, items: AsyncIterator[Any]) -> None:
            with counters.during(key):
                await trio.sleep_forever()

        async def count(self, key: str) -> int:
            counters.counted[key] += 1
            return counters.counted[key]

        async def counted(self, key: str) -> int:
            return counters.counted[key]

        async def wait(self, key: str) -> None:
            with counters.during(key):
                await trio.sleep_forever()

        async def linger(self, key: str, seconds: float) -> None:
            with counters.during(key):
                try:
                    await trio.sleep_forever()
                finally:
                    with trio.CancelScope(shield=True):
                        await trio.sleep(seconds)

        async def running(self, key: str) -> int:
            return counters.running[key]

        async def cancelled(self, key: str) -> int:
            return counters.cancelled[key]

        @graftwire.raises(Refused)
        async def fail(self, text: str, number: int) -> None:
            raise Refused(text, number) from ValueError(cause)

        async def crash(self) -> None:
            raise KeyError(secret)

        async def breaks(self, count: int) -> AsyncIterator[int]:
            for number in range(1, count + 1):
                yield number
            raise KeyError(secret)

        async def call_back(self, reference: graftwire.Remote, value: Any) -> Any:
            return await reference(value)

        async def keep(self, key: str, reference: graftwire.Remote) -> None:
            counters.kept[key] = reference.keep()

        async def call_kept(self, key: str, value: Any) -> Any:
            return await counters.kept[key](value)

        async def let_go(self, key: str) -> None:
            counters.kept.pop(key).release()

        async def give(self, key: str) -> Any:
            async def counting(value: Any) -> Any:
                counters.counted[key] += 1
                return value

            given = graftwire.by_reference(counting)
            counters.given.setdefault(key, []).append(given)
            return given

        async def withdraw(self, key: str) -> None:
            for given in counters.given.pop(key, ()):
                given.withdraw()

    return Conformance()
