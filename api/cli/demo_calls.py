"""The calls that the demo makes over each transport: one of each kind, checked, and then many to measure."""

from __future__ import annotations

import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from typing import Final

import trio

from graftwire import Client, DeadlineExceeded

from .demo_module import AlreadyPaid, Invoice, Invoices

MEASURED: Final = 2_000  # calls whose time is taken over each transport, if they take no longer than
BUDGET: Final = 0.9  # seconds
WARM_UP: Final = 100  # calls before that
BATCH: Final = 100  # calls between two looks at the clock
PATIENCE: Final = 5.0  # seconds that the gateway's side may take to notice a cancellation
BRIEF: Final = 0.1  # seconds: the deadline that is missed


class NotAsExpected(Exception):
    """A call did not do what the demo says that it does."""


def _expect(true: bool) -> None:
    if not true:
        raise NotAsExpected


async def _unary(client: Client, invoices: Invoices) -> None:
    _expect(await client.proxy(Invoices).total("ACME") == Decimal("1280.50"))


async def _stream(client: Client, invoices: Invoices) -> None:
    async with client.using(returns=Invoice).stream("Invoices.of", "ACME") as stream:
        _expect([invoice.number async for invoice in stream] == [1, 2])


async def _callback(client: Client, invoices: Invoices) -> None:
    reminded: list[int] = []

    async def sent(number: int) -> None:
        reminded.append(number)

    _expect(await client.proxy(Invoices).remind("ACME", sent) == len(reminded) == 2)


async def _cancel(client: Client, invoices: Invoices) -> None:
    begun, cancelled = invoices.audits, invoices.audits_cancelled
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call, "Invoices.audit")
        await _until(lambda: invoices.audits > begun)
        nursery.cancel_scope.cancel()
    await _until(lambda: invoices.audits_cancelled > cancelled)


async def _deadline(client: Client, invoices: Invoices) -> None:
    cancelled = invoices.audits_cancelled
    with suppress(DeadlineExceeded):
        await client.using(deadline=BRIEF).call("Invoices.audit")
        raise NotAsExpected
    await _until(lambda: invoices.audits_cancelled > cancelled)


async def _exception(client: Client, invoices: Invoices) -> None:
    try:
        await client.proxy(Invoices).pay(3)
    except AlreadyPaid as error:
        _expect(error.number == 3)
    else:
        raise NotAsExpected


async def _until(true: Callable[[], bool]) -> None:
    """Wait for what the gateway's side does."""
    for _ in range(int(PATIENCE / 0.001)):
        if true():
            return
        await trio.sleep(0.001)
    raise NotAsExpected


KINDS: Final[dict[str, Callable[[Client, Invoices], Awaitable[None]]]] = {
    "unary": _unary,
    "stream": _stream,
    "callback": _callback,
    "cancel": _cancel,
    "deadline": _deadline,
    "exception": _exception,
}


async def measure(client: Client) -> AsyncIterator[list[float]]:
    """Make one unary call after the other; gives the seconds that each of a batch took, batch after batch."""
    for _ in range(WARM_UP):
        await client.call("Invoices.total", "ACME")
    gc.collect()
    end = time.perf_counter() + BUDGET
    for _ in range(MEASURED // BATCH):
        times: list[float] = []
        for _ in range(BATCH):
            start = time.perf_counter()
            await client.call("Invoices.total", "ACME")
            times.append(time.perf_counter() - start)
        yield times
        if time.perf_counter() > end:
            return
