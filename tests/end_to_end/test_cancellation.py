"""Cancelled at every await: whatever step a cancellation comes at, nothing leaks and the next call works.

A scenario is run again and again; each time the caller is cancelled one scheduler step later, until it is through
before its cancellation comes. Trio shuffles the order of runnable tasks itself; the seed of that is varied.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import trio

import graftwire

STEPS = 400  # more than any scenario takes; one that takes more fails the test


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


@pytest.mark.parametrize("transport", ["memory", "tcp"])
@pytest.mark.parametrize("scenario", [unary, server_stream, client_stream, both_streams, callback])
async def test_a_call_cancelled_at_every_step(
    transport: str, scenario: Callable[[graftwire.Client], Awaitable[None]]
) -> None:
    service = Service()
    url = "tcp://127.0.0.1:0" if transport == "tcp" else f"memory:cancel-{scenario.__name__}"
    async with graftwire.serve({"Service": service}, url, auth=graftwire.Anonymous()) as gateway:
        async with graftwire.connect(gateway.urls[0]) as client:
            for step in range(1, STEPS):
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


@pytest.mark.parametrize("transport", ["memory", "tcp"])
async def test_connecting_cancelled_at_every_step(transport: str) -> None:
    service = Service()
    url = "tcp://127.0.0.1:0" if transport == "tcp" else "memory:cancel-connecting"
    async with graftwire.serve({"Service": service}, url, auth=graftwire.Anonymous()) as gateway:
        for step in range(1, STEPS):
            with trio.CancelScope() as scope:
                instrument = CancelAtStep(scope, step)
                trio.lowlevel.add_instrument(instrument)
                try:
                    async with graftwire.connect(gateway.urls[0]) as client:
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


@pytest.mark.parametrize("transport", ["memory", "tcp"])
async def test_a_gateway_cancelled_at_every_step(transport: str) -> None:
    """The callers of a gateway that is cancelled are told, whatever it was doing; nothing hangs."""
    for step in range(1, 150):
        service = Service()
        url = "tcp://127.0.0.1:0" if transport == "tcp" else f"memory:cancel-gateway-{step}"
        errors: list[graftwire.Error] = []
        done = False

        async def caller(listening: str) -> None:
            nonlocal done
            try:
                async with graftwire.connect(listening) as client:
                    for _ in range(3):
                        await unary(client)
                        await server_stream(client)
            except graftwire.Error as error:
                errors.append(error)
            done = True

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                with trio.CancelScope() as scope:
                    async with graftwire.serve(
                        {"Service": service}, url, auth=graftwire.Anonymous()
                    ) as gateway:
                        nursery.start_soon(caller, gateway.urls[0])
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
    scenarios: list[Callable[[graftwire.Client], Awaitable[Any]]] = [
        unary,
        server_stream,
        client_stream,
        both_streams,
        callback,
    ]
    async with graftwire.serve(
        {"Service": service}, "tcp://127.0.0.1:0", auth=graftwire.Anonymous()
    ) as gateway:
        async with graftwire.connect(gateway.urls[0]) as client:

            async def one() -> None:
                with trio.move_on_after(chance.choice([0.0, 0.001, 0.003, 10])):
                    await chance.choice(scenarios)(client)

            with trio.fail_after(30):
                async with trio.open_nursery() as nursery:
                    for _ in range(200):
                        nursery.start_soon(one)
                await until_quiet(gateway, service)
                await unary(client)
