"""Cancelled at every await: whatever step a cancellation comes at, nothing leaks and the next call works.

A scenario is run again and again; each time the caller is cancelled one scheduler step later, until it is through
before its cancellation comes. By itself trio only runs what is runnable forwards or backwards; here it is shuffled, by
a seed of its own for each time, which a failure names: `shuffled(seed)` gives the same order again (over memory; what
the kernel does is not in its hand).
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
import trio
import trio._core._run as scheduler

import graftwire

from .conftest import Place  # type: ignore[import-not-found]

STEPS = 1_000  # more than any scenario takes; one that takes more fails the test


@contextmanager
def shuffled(seed: str) -> Iterator[None]:
    """Let trio run what is runnable in an order that `seed` alone decides, by the handle that Hypothesis uses."""
    kept = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r = True, random.Random(seed)  # type: ignore[misc]
    try:
        yield
    except BaseException as error:
        error.add_note(f"the order of tasks was that of the seed {seed!r}")
        raise
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r = kept  # type: ignore[misc]


class Service:
    """Has one method for each kind of call, and a way to see what is still running."""

    def __init__(self) -> None:
        self.running = 0

    async def add(self, a: int, b: int) -> int:
        self.running += 1
        try:
            await trio.lowlevel.checkpoint()
            return a + b
        finally:
            self.running -= 1

    async def count(self, to: int) -> AsyncIterator[int]:
        self.running += 1
        try:
            for number in range(to):
                yield number
        finally:
            self.running -= 1

    async def total(self, items: AsyncIterator[int]) -> int:
        self.running += 1
        try:
            return sum([item async for item in items])
        finally:
            self.running -= 1

    async def echo(self, items: AsyncIterator[int]) -> AsyncIterator[int]:
        self.running += 1
        try:
            async for item in items:
                yield item
        finally:
            self.running -= 1

    async def first(self, items: AsyncIterator[bytes]) -> int:
        """Takes one item and ends, while the caller sends far more than there is credit for."""
        self.running += 1
        try:
            return len(await anext(items))
        finally:
            self.running -= 1

    async def ask(self, question: Callable[[int], Awaitable[int]]) -> int:
        self.running += 1
        try:
            return await question(20) + await question(1)
        finally:
            self.running -= 1


async def unary(client: graftwire.Client) -> None:
    assert await client.call("Service.add", 1, 2) == 3


async def server_stream(client: graftwire.Client) -> None:
    async with client.stream("Service.count", 5) as items:
        assert [item async for item in items] == [0, 1, 2, 3, 4]


async def client_stream(client: graftwire.Client) -> None:
    async with client.upload("Service.total") as upload:
        for item in range(5):
            await upload.send(item)
        assert await upload.result() == 10


async def both_streams(client: graftwire.Client) -> None:
    async with client.exchange("Service.echo") as exchange:
        for item in range(3):
            await exchange.send(item)
            assert await anext(exchange) == item
        assert await exchange.result() is None


async def early_end(client: graftwire.Client) -> None:
    async with client.upload("Service.first") as upload:
        for _ in range(8):
            await upload.send(bytes(60_000))
        assert await upload.result() == 60_000


async def callback(client: graftwire.Client) -> None:
    async def double(number: int) -> int:
        await trio.lowlevel.checkpoint()
        return number * 2

    assert await client.call("Service.ask", double) == 42


class CancelAtStep(trio.abc.Instrument):
    """Cancels `scope` when a number of scheduler steps, of all tasks together, have been made."""

    def __init__(self, scope: trio.CancelScope, step: int) -> None:
        self._scope = scope
        self._left = step

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left == 0:
            self._scope.cancel()


async def until_quiet(gateway: graftwire.Gateway, service: Service) -> None:
    with trio.fail_after(5):
        while service.running or any(session.calls_in_flight != (0, 0) for session in gateway.sessions):
            await trio.sleep(0.001)


SCENARIOS = (unary, server_stream, client_stream, both_streams, early_end, callback)


def order_of(seed: str, tasks: int = 20) -> list[int]:
    """The order in which so many tasks that are runnable all the time have their turns."""
    turns: list[int] = []

    async def take_turns(number: int) -> None:
        for _ in range(3):
            turns.append(number)
            await trio.lowlevel.checkpoint()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(tasks):
                nursery.start_soon(take_turns, number)

    with shuffled(seed):
        trio.run(main)
    return turns


def test_the_order_is_shuffled_and_comes_again() -> None:
    orders = [order_of(seed) for seed in ("a", "b", "c")]
    assert [order_of(seed) for seed in ("a", "b", "c")] == orders
    forwards, backwards = list(range(20)), list(reversed(range(20)))
    assert all(order[:20] not in (forwards, backwards) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


def test_a_failure_names_its_seed() -> None:
    with pytest.raises(ValueError, match="wrong") as caught, shuffled("of this one"):
        raise ValueError("wrong")
    assert caught.value.__notes__ == ["the order of tasks was that of the seed 'of this one'"]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_call_cancelled_at_every_step(
    place: Place, scenario: Callable[[graftwire.Client], Awaitable[None]], seed: int
) -> None:
    service = Service()
    async with place.gateway({"Service": service}) as gateway, place.client(gateway) as client:
        for step in range(1, STEPS):
            with shuffled(f"{place.transport} {scenario.__name__} {step} {seed}"):
                with trio.CancelScope() as scope:
                    instrument = CancelAtStep(scope, step)
                    trio.lowlevel.add_instrument(instrument)
                    try:
                        await scenario(client)
                    finally:
                        trio.lowlevel.remove_instrument(instrument)
                await until_quiet(gateway, service)
                if not scope.cancelled_caught:
                    break
                await unary(client)  # the session is as good as before
        else:
            pytest.fail("the scenario never ended before its cancellation")
        assert step > 3
        assert len(gateway.sessions) == 1


async def test_connecting_cancelled_at_every_step(place: Place) -> None:
    service = Service()
    async with place.gateway({"Service": service}) as gateway:
        for step in range(1, STEPS):
            with shuffled(f"{place.transport} connecting {step}"):
                with trio.CancelScope() as scope:
                    instrument = CancelAtStep(scope, step)
                    trio.lowlevel.add_instrument(instrument)
                    try:
                        async with place.client(gateway) as client:
                            await unary(client)
                    finally:
                        trio.lowlevel.remove_instrument(instrument)
            if not scope.cancelled_caught:
                break
        else:
            pytest.fail("connecting never ended before its cancellation")
        await until_quiet(gateway, service)
        with trio.fail_after(5):
            while gateway.sessions:
                await trio.sleep(0.001)


async def test_a_gateway_cancelled_at_every_step(place: Place) -> None:
    """The callers of a gateway that is cancelled are told, whatever it was doing; nothing hangs."""
    for step in range(1, 150, 1 if place.transport == "memory" else 4):
        service = Service()
        errors: list[graftwire.Error] = []
        done = False

        async def caller(gateway: graftwire.Gateway) -> None:
            nonlocal done
            try:
                async with place.client(gateway) as client:
                    for _ in range(3):
                        await unary(client)
                        await server_stream(client)
            except graftwire.Error as error:
                errors.append(error)
            done = True

        with trio.fail_after(10), shuffled(f"{place.transport} gateway {step}"):
            async with trio.open_nursery() as nursery:
                with trio.CancelScope() as scope:
                    async with place.gateway({"Service": service}) as gateway:
                        nursery.start_soon(caller, gateway)
                        instrument = CancelAtStep(scope, step)
                        trio.lowlevel.add_instrument(instrument)
                        try:
                            while not done:
                                await trio.sleep(0.001)
                        finally:
                            trio.lowlevel.remove_instrument(instrument)
        assert service.running == 0
        for error in errors:
            assert isinstance(error, graftwire.Unavailable | graftwire.ConnectError | graftwire.LinkError)


@pytest.mark.parametrize("seed", range(8))
async def test_many_calls_with_many_cancellations(seed: int) -> None:
    """A storm: calls of all kinds, each cancelled at a random moment or not at all."""
    chance = random.Random(seed)
    service = Service()
    async with graftwire.serve(
        {"Service": service}, "tcp://127.0.0.1:0", auth=graftwire.Anonymous()
    ) as gateway:
        async with graftwire.connect(gateway.urls[0]) as client:

            async def one() -> None:
                with trio.move_on_after(chance.choice([0.0, 0.001, 0.003, 10])):
                    await chance.choice(SCENARIOS)(client)

            with trio.fail_after(30), shuffled(f"storm {seed}"):
                async with trio.open_nursery() as nursery:
                    for _ in range(200):
                        nursery.start_soon(one)
                await until_quiet(gateway, service)
                await unary(client)
