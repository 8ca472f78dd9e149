"""Hosted code runs by native rules: each case is run as a local call and as a hosted one, and the two are compared.

What is compared is what the code itself sees and does (its journal) and what its caller gets. The only difference that
there may be is one that is written down: a caller from afar is not told an exception that was not declared.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import pytest
import trio
import trustme

import graftwire

from .conftest import Place  # type: ignore[import-not-found]

color: ContextVar[str] = ContextVar("color", default="none")


class TooMany(Exception):
    """Declared by what raises it."""


class Code:
    """The user's code. It writes a journal of what happens in it."""

    def __init__(self) -> None:
        self.journal: list[object] = []

    def note(self, what: object) -> None:
        self.journal.append(what)

    async def written(self) -> list[str]:
        """All that was noted since it was last asked for, as text: for a case whose code is in another process."""
        written = [repr(each) for each in self.journal]
        self.journal.clear()
        return written

    # --- exceptions ---

    @graftwire.raises(TooMany)
    async def handled_in_layers(self, count: int) -> int:
        try:
            try:
                raise KeyError(count)
            except KeyError as error:
                self.note(repr(sys.exc_info()[1]))
                raise TooMany(f"{count} are too many") from error
            finally:
                self.note("finally")
        except TooMany as error:
            self.note((repr(error), repr(error.__cause__), repr(error.__context__)))
            raise
        else:
            self.note("never")
        return count

    @graftwire.raises(TooMany)
    def handled_in_a_thread(self, count: int) -> int:
        try:
            return 100 // count
        except ZeroDivisionError:
            self.note(sys.exc_info()[0] is ZeroDivisionError)
            raise TooMany("none at all") from None
        finally:
            self.note(sys.exc_info()[0])

    @graftwire.raises(TooMany)
    async def out_of_a_nursery(self) -> str:
        async def fails() -> None:
            raise TooMany("in a task of its own")

        async def waits() -> None:
            try:
                await trio.sleep_forever()
            finally:
                self.note("the other task ends")

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(waits)
                await trio.lowlevel.checkpoint()
                nursery.start_soon(fails)
        except* TooMany as group:
            self.note([str(error) for error in group.exceptions])
        return "through"

    async def ends_itself(self) -> str:
        """An exception that comes and goes inside of it is nobody's business."""
        with trio.move_on_after(0):
            await trio.sleep_forever()
        try:
            raise StopAsyncIteration
        except StopAsyncIteration:
            return "through"

    # --- generators ---

    async def ticks(self, count: int) -> AsyncIterator[int]:
        self.note("begins")
        try:
            for number in range(count):
                self.note(number)
                yield number
        except GeneratorExit:
            self.note("closed")
            raise
        finally:
            self.note("finally")

    @graftwire.raises(TooMany)
    async def ticks_that_fail(self, count: int) -> AsyncIterator[int]:
        try:
            for number in range(count):
                yield number
            raise TooMany("after the last")
        finally:
            self.note("finally")

    def plain_ticks(self, count: int) -> Iterator[int]:
        self.note("begins")
        try:
            yield from range(count)
            self.note("through")
        finally:
            self.note("finally")

    async def nested(self) -> AsyncIterator[int]:
        """What it delegates to is closed with it."""
        async with aclosing(self.ticks(3)) as inner:
            async for number in inner:
                yield number * 10

    async def total(self, numbers: AsyncIterator[int]) -> int:
        total = 0
        async for number in numbers:
            self.note(number)
            total += number
        self.note("the end")
        return total

    # --- context variables ---

    async def paints(self, new: str) -> str:
        """A task inherits, and keeps what it changes to itself."""
        before = color.get()
        color.set(new)

        async def task() -> None:
            self.note(color.get())
            color.set("of the task")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(task)
        self.note(color.get())
        self.note(await trio.to_thread.run_sync(color.get))
        return before

    def paints_in_a_thread(self, new: str) -> str:
        before = color.get()
        color.set(new)
        self.note(color.get())
        self.note(trio.from_thread.run_sync(color.get))  # the task's own did not change
        return before

    async def paints_between(self) -> AsyncIterator[str]:
        color.set("red")
        yield color.get()
        token = color.set("green")
        yield color.get()
        color.reset(token)
        yield color.get()

    # --- cancellation ---

    async def is_cancelled(self) -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            self.note("cancelled")
            raise
        finally:
            self.note(trio.current_effective_deadline() <= trio.current_time())
            with trio.CancelScope(shield=True):
                await trio.sleep(0.05)  # time to clean up is its own
                self.note("cleaned up")
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled:
                self.note("still cancelled")
                raise

    async def ticks_for_ever(self) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await trio.sleep(0.1)
        finally:
            self.note("finally")


class Caller(Protocol):
    """What a case calls by: the object itself, or a client of it."""

    def call(self, name: str, *args: Any) -> Awaitable[Any]: ...
    def stream(self, name: str, *args: Any) -> Any: ...


class Local:
    """Calls as Python does: nothing in between. What is no coroutine runs in a thread, as its author wants it to."""

    def __init__(self, code: Code) -> None:
        self._code = code

    async def call(self, name: str, *args: Any) -> Any:
        function = getattr(self._code, name)
        if name in ("handled_in_a_thread", "paints_in_a_thread"):
            return await trio.to_thread.run_sync(function, *args)
        results: list[Any] = []
        raised: list[Exception] = []

        async def run() -> None:
            try:
                results.append(await function(*args))
            except Exception as error:  # noqa: BLE001 - raised where the call was made
                raised.append(error)

        # in a task of its own, whose changes of the context are its own, too
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
        if raised:
            raise raised[0]
        return results[0]

    @asynccontextmanager
    async def stream(self, name: str, *args: Any) -> AsyncIterator[Any]:
        given = getattr(self._code, name)(*args)
        if hasattr(given, "__aiter__"):
            async with aclosing(given):
                yield given
        else:

            async def items() -> AsyncIterator[Any]:
                for item in given:
                    yield item

            try:
                yield items()
            finally:
                given.close()


class Hosted:
    """Calls a client."""

    def __init__(self, client: graftwire.Client) -> None:
        self._client = client

    async def call(self, name: str, *args: Any) -> Any:
        client = self._client.using(raises=[TooMany])
        if args and hasattr(args[0], "__aiter__"):
            async with client.upload(f"Code.{name}") as upload:
                async for item in args[0]:
                    await upload.send(item)
                return await upload.result()
        return await client.call(f"Code.{name}", *args)

    def stream(self, name: str, *args: Any) -> Any:
        return self._client.using(raises=[TooMany]).stream(f"Code.{name}", *args)


Case: TypeAlias = Callable[[Caller], Awaitable[object]]


async def outcome(awaitable: Awaitable[Any]) -> object:
    """What a caller gets: a value, or an exception with its arguments."""
    try:
        return await awaitable
    except TooMany as error:
        return type(error), error.args


async def all_of(caller: Caller, name: str, *args: Any) -> list[Any]:
    found: list[Any] = []
    try:
        async with caller.stream(name, *args) as items:
            async for item in items:
                found.append(item)
    except TooMany as error:
        found.append((type(error), error.args))
    return found


async def the_first_of(caller: Caller, name: str, *args: Any) -> Any:
    async with caller.stream(name, *args) as items:
        return await anext(aiter(items))


async def twice(caller: Caller, name: str, *args: Any) -> list[object]:
    return [await outcome(caller.call(name, *args)) for _ in range(2)]


async def given_up(caller: Caller) -> object:
    with trio.move_on_after(0.2) as scope:
        await caller.call("is_cancelled")
    return scope.cancelled_caught


async def stream_given_up(caller: Caller) -> object:
    with trio.move_on_after(0.2) as scope:
        async with caller.stream("ticks_for_ever") as items:
            async for _ in items:
                pass
    return scope.cancelled_caught


async def some_numbers() -> AsyncIterator[int]:
    for number in range(4):
        yield number


CASES: Final[dict[str, Case]] = {
    "an exception through except, finally and from": lambda on: outcome(on.call("handled_in_layers", 3)),
    "an exception in a thread": lambda on: outcome(on.call("handled_in_a_thread", 0)),
    "no exception in a thread": lambda on: outcome(on.call("handled_in_a_thread", 5)),
    "an exception in a task of a nursery": lambda on: outcome(on.call("out_of_a_nursery")),
    "exceptions that stay inside": lambda on: outcome(on.call("ends_itself")),
    "an async generator to its end": lambda on: all_of(on, "ticks", 3),
    "an async generator that fails": lambda on: all_of(on, "ticks_that_fail", 2),
    "an async generator inside of another": lambda on: all_of(on, "nested"),
    "a generator to its end": lambda on: all_of(on, "plain_ticks", 3),
    "a generator that gives nothing": lambda on: all_of(on, "plain_ticks", 0),
    "an async generator as an argument": lambda on: outcome(on.call("total", some_numbers())),
    "context variables in tasks and threads": lambda on: twice(on, "paints", "blue"),
    "context variables of a thread": lambda on: twice(on, "paints_in_a_thread", "blue"),
    "context variables between two items": lambda on: all_of(on, "paints_between"),
    "a call that is given up": given_up,
    "a stream that is given up": stream_given_up,
}


async def run_locally(case: Case) -> tuple[object, list[object]]:
    code = Code()
    return await case(Local(code)), code.journal


async def run_hosted(case: Case, place: Place) -> tuple[object, list[object]]:
    code = Code()
    async with place.gateway({"Code": code}) as gateway, place.client(gateway) as client:
        got = await case(Hosted(client))
        # what was given up may still be cleaning up when its caller has long gone on
        [session] = gateway.sessions
        await session._serving.wait_quiet()
    return got, code.journal


@pytest.mark.parametrize("name", CASES)
async def test_hosted_code_does_what_it_does_locally(name: str, place: Place) -> None:
    assert await run_hosted(CASES[name], place) == await run_locally(CASES[name])


async def test_in_a_worker_process_it_does_the_same(
    tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All cases in one process, each in a session of its own."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    place = Place("tcp", tmp_path, authority)
    different: dict[str, object] = {}
    worker = graftwire.Worker(f"{Code.__module__}:Code")
    cases: dict[str, Case] = {**CASES, "a stream of which only the first item is read": only_the_first}
    async with place.gateway({"Code": worker}) as gateway:
        for name, case in cases.items():
            async with place.client(gateway) as client:
                got = await case(Hosted(client))
                [session] = gateway.sessions
                await session._serving.wait_quiet()
                journal = await client.call("Code.written")
            while gateway.sessions:
                await trio.sleep(0.001)
            local, local_journal = await run_locally(case)
            expected = (local, [repr(each) for each in local_journal])
            if (got, journal) != expected:
                different[name] = ((got, journal), expected)
    assert different == {}


async def only_the_first(on: Caller) -> object:
    return await the_first_of(on, "ticks_for_ever")


async def test_an_async_generator_that_nobody_reads_to_its_end_is_closed(place: Place) -> None:
    """Locally by its `aclosing`, hosted with the call: with what it is inside of `finally`, in both."""
    assert await run_hosted(only_the_first, place) == await run_locally(only_the_first) == (1, ["finally"])


async def test_what_was_not_declared_is_the_only_difference(place: Place) -> None:
    """The function sees its own exception; a caller from afar is told that there was one, and not what it said."""

    class Fails:
        def __init__(self) -> None:
            self.journal: list[str] = []

        async def fail(self) -> int:
            try:
                raise ValueError("of its own")
            except ValueError as error:
                self.journal.append(str(error))
                raise

    local, hosted = Fails(), Fails()
    with pytest.raises(ValueError, match="of its own"):
        await local.fail()
    async with place.gateway({"Fails": hosted}) as gateway, place.client(gateway) as client:
        with pytest.raises(graftwire.InternalError) as caught:
            await client.call("Fails.fail")
    assert "of its own" not in str(caught.value)
    assert hosted.journal == local.journal == ["of its own"]
