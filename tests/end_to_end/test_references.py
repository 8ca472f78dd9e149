"""Objects and callables that stay where they are: given, called, released, withdrawn."""

from __future__ import annotations

import functools
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

import graftwire

_names = itertools.count()
Notify = Callable[[int], Awaitable[None]]


class Counter:
    """An object that is handed out."""

    def __init__(self) -> None:
        self.value = 0

    async def add(self, amount: int) -> int:
        self.value += amount
        return self.value


class Retry(Exception):
    """Tells the caller what to call, to go on."""

    go_on: Callable[[], Awaitable[int]]


class Rows(Exception):
    """Has a field that can't always cross the wire."""

    first: Callable[[], int]
    rest: Any


class Doubling:
    """An object that can be called."""

    async def __call__(self, value: int) -> int:
        return 2 * value


class Service:
    """Takes callbacks and gives objects."""

    def __init__(self) -> None:
        self.kept: graftwire.Remote | None = None
        self.counter = Counter()
        self.mark = graftwire.by_reference(self.counter)

    async def progress(self, steps: int, notify: Notify) -> str:
        for step in range(steps):
            await notify(step)
        return "done"

    async def keep(self, notify: Any) -> None:
        self.kept = notify.keep()

    async def use_kept(self, value: int) -> Any:
        assert self.kept is not None
        return await self.kept(value)

    async def forget(self) -> None:
        assert self.kept is not None
        self.kept.release()
        self.kept = None

    async def fail_with(self, notify: Any) -> None:
        raise KeyError

    async def call_and_fail(self, notify: Any) -> None:
        await notify(lambda: 1)

    @graftwire.raises(Retry)
    async def ask_again(self) -> None:
        async def go_on() -> int:
            return 42

        retry = Retry("later")
        retry.go_on = go_on
        raise retry

    @graftwire.raises(Rows)
    async def not_to_be_sent(self) -> None:
        rows = Rows("these")
        rows.first = lambda: 1
        rows.rest = object()
        raise rows

    async def call_it(self, value: Any, function: Any) -> Any:
        return await function(value)

    async def open_counter(self) -> Any:
        return graftwire.by_reference(self.counter)

    async def open_for_a_while(self) -> Any:
        return self.mark

    async def pass_on(self, notify: Any) -> Any:
        return notify

    async def nested(self, depth: int, back: Any) -> int:
        return depth if depth == 0 else await back(depth - 1)


@asynccontextmanager
async def connected(service: Service) -> AsyncGenerator[tuple[graftwire.Gateway, graftwire.Client]]:
    url = f"memory:references-{next(_names)}"
    async with (
        graftwire.serve({"Service": service}, url, auth=graftwire.Anonymous()) as gateway,
        graftwire.connect(gateway.urls[0]) as client,
    ):
        yield gateway, client


def given(client: graftwire.Client) -> int:
    """How many references this client has given that are still alive."""
    return len(client._connection.session.references._exports)


async def until_none_given(client: graftwire.Client) -> None:
    with trio.fail_after(5):
        while given(client):
            await trio.sleep(0.001)


async def test_a_callback_is_called_and_released_with_its_call() -> None:
    async with connected(Service()) as (_, client):
        steps: list[int] = []

        async def notify(step: int) -> None:
            steps.append(step)

        assert await client.call("Service.progress", 3, notify) == "done"
        assert steps == [0, 1, 2]
        await until_none_given(client)


async def test_a_plain_function_as_a_callback() -> None:
    async with connected(Service()) as (_, client):
        steps: list[int] = []
        assert await client.call("Service.progress", 2, steps.append) == "done"
        assert steps == [0, 1]


async def test_a_failing_callback_fails_the_call(caplog: pytest.LogCaptureFixture) -> None:
    async with connected(Service()) as (_, client):

        async def notify(step: int) -> None:
            raise ValueError("a secret of the caller")

        with pytest.raises(graftwire.InternalError):
            await client.call("Service.progress", 3, notify)


async def test_a_kept_callback_lives_until_it_is_released() -> None:
    service = Service()
    async with connected(service) as (_, client):

        async def double(value: int) -> int:
            return value * 2

        await client.call("Service.keep", double)
        assert await client.call("Service.use_kept", 21) == 42
        assert given(client) == 1
        await client.call("Service.forget")
        await until_none_given(client)


async def test_a_failed_call_kills_what_it_carried(caplog: pytest.LogCaptureFixture) -> None:
    async with connected(Service()) as (_, client):
        with pytest.raises(graftwire.InternalError):
            await client.call("Service.fail_with", print)
        assert given(client) == 0


async def test_what_came_with_an_exception_outlives_other_calls(caplog: pytest.LogCaptureFixture) -> None:
    """The next call that the receiver makes does not take it along as its own, to be killed with it."""
    async with connected(Service()) as (gateway, client):

        async def fail(_: Any) -> None:
            raise ValueError

        with pytest.raises(Retry) as raised:
            await client.using(raises=[Retry]).call("Service.ask_again")
        for _ in range(2):
            with pytest.raises(graftwire.InternalError):
                await client.call("Service.call_and_fail", fail)
        assert await raised.value.go_on() == 42
        (session,) = gateway.sessions
        assert len(session.references._exports) == 1


async def test_an_exception_that_cannot_be_sent_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with connected(Service()) as (gateway, client):
        with pytest.raises(graftwire.InternalError):
            await client.using(raises=[Rows]).call("Service.not_to_be_sent")
        (session,) = gateway.sessions
        assert len(session.references._exports) == 0


@pytest.mark.parametrize(
    ("function", "value", "result"),
    [
        (Doubling(), 21, 42),
        (functools.partial(Doubling()), 21, 42),
        (functools.partial(pow, 2), 5, 32),
        (str.upper, "loud", "LOUD"),
        (max, [1, 3, 2], 3),
        (lambda value: value, 7, 7),
    ],
)
async def test_anything_callable_can_be_called(function: Any, value: object, result: object) -> None:
    async with connected(Service()) as (_, client):
        assert await client.call("Service.call_it", value, function) == result


async def test_an_object_is_called_where_it_stays() -> None:
    service = Service()
    async with connected(service) as (gateway, client):
        with await client.call("Service.open_counter") as counter:
            assert await counter.call("add", 2) == 2
            assert await counter.call("add", 3) == 5
            assert service.counter.value == 5
            with pytest.raises(graftwire.UnknownTarget):
                await counter.call("_hidden")
            with pytest.raises(graftwire.UnknownTarget):
                await counter(1)
        (session,) = gateway.sessions
        with trio.fail_after(5):
            while len(session.references._exports):
                await trio.sleep(0.001)
        assert repr(counter) == "<Remote 2 released>"


async def test_a_reference_can_be_withdrawn() -> None:
    """All handles that were made of one mark, and no other; a withdrawn one is still to be released."""
    service = Service()
    async with connected(service) as (gateway, client):
        first = await client.call("Service.open_for_a_while")
        second = await client.call("Service.open_for_a_while")
        other = await client.call("Service.open_counter")
        assert await first.call("add", 1) == 1
        service.mark.withdraw()
        service.mark.withdraw()
        for handle in (first, second):
            with pytest.raises(graftwire.UnknownTarget):
                await handle.call("add", 1)
            handle.release()
        assert await other.call("add", 1) == 2
        (session,) = gateway.sessions
        assert len(session.references._exports) == 1


async def test_a_function_that_was_marked_is_called_itself_and_can_be_withdrawn() -> None:
    async def double(value: int) -> int:
        return 2 * value

    service = Service()
    service.mark = graftwire.by_reference(double)
    async with connected(service) as (_, client):
        handle = await client.call("Service.open_for_a_while")
        assert await handle(4) == 8
        with pytest.raises(graftwire.UnknownTarget):
            await handle.call("__call__", 4)
        service.mark.withdraw()
        with pytest.raises(graftwire.UnknownTarget):
            await handle(4)


async def test_a_released_reference_is_not_used_again() -> None:
    async with connected(Service()) as (_, client):
        counter = await client.call("Service.open_counter")
        counter.release()
        counter.release()  # more than once is no error
        with pytest.raises(graftwire.Error):
            await counter.call("add", 1)


async def test_a_reference_cannot_be_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    async with connected(Service()) as (_, client):
        with pytest.raises(graftwire.InternalError):
            await client.call("Service.pass_on", print)
        counter = await client.call("Service.open_counter")
        with pytest.raises(graftwire.ValueRefused, match=r"^arguments\[0\]"):
            await client.call("Service.keep", counter)


async def test_what_is_neither_value_nor_callable_is_refused() -> None:
    async with connected(Service()) as (_, client):
        with pytest.raises(graftwire.ValueRefused, match=r"^arguments\[0\]"):
            await client.call("Service.keep", object())
        with pytest.raises(graftwire.ValueRefused):
            await client.call("Service.keep", print, object())
        assert given(client) == 0  # the first argument's reference went with the refused call
        with pytest.raises(graftwire.ValueRefused):
            await client.call("Service.keep", Counter)  # a class is not an object that was meant


async def test_calls_back_and_forth_do_not_deadlock() -> None:
    async with connected(Service()) as (_, client):

        async def back(depth: int) -> int:
            return int(await client.call("Service.nested", depth, back))

        assert await client.call("Service.nested", 20, back) == 0


async def test_at_the_limit_a_call_back_fails_at_once() -> None:
    url = f"memory:references-{next(_names)}"
    limits = graftwire.Limits(calls_in_flight=16)
    outcomes: list[type[BaseException]] = []
    async with graftwire.serve({"Service": Service()}, url, auth=graftwire.Anonymous(), limits=limits):
        async with graftwire.connect(url) as client:

            async def back(depth: int) -> int:
                try:
                    return int(await client.call("Service.nested", depth, back))
                except graftwire.Overloaded as error:
                    outcomes.append(type(error))
                    assert not error.ran
                    return -1

            with trio.fail_after(5):
                assert await client.call("Service.nested", 20, back) == -1
    assert outcomes == [graftwire.Overloaded]
