"""A program that calls through a proxy until it is told to end, and writes down what became of each call.

    python caller.py FILE FIRST ENOUGH ATTEMPTS CA URL…

Calls have the numbers from FIRST on. A line of FILE is `NUMBER TARGET OUTCOME ERROR`, and the outcome is one of

    ok      it gave what it had to give
    not     it failed, and the error says that it did not run (`ran` is False)
    maybe   it failed, and the error says that it may have run (`ran` is True)
    left    this side has cancelled it
    wrong   it gave something else, or raised what no call may raise; the error says which
    hung    nothing became of it for a minute

It ends when its standard input does and ENOUGH calls were `ok`. Without ATTEMPTS (0) no call is sent again.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Final

import trio

import graftwire
from graftwire.security import ApiKeyCredential

AT_ONCE: Final = 2  # calls over each session
SESSION: Final = (
    60  # calls over each session before it is left for another, which the proxy may take elsewhere
)
HANGS: Final = 60.0  # seconds
SOON: Final = 0.005  # seconds after which some calls are not waited for any longer
PAUSE: Final = (
    0.02  # seconds between two calls: so that the machine has time for what happens to the gateways
)
LATER: Final = 0.1  # and after one that failed
ITEMS: Final = 4


class Wrong(Exception):
    """A call gave what it should not."""


def same(found: object, expected: object) -> None:
    if found != expected:
        raise Wrong


class Caller:
    """The calls of this program. `fine` is how many were `ok`."""

    def __init__(self, file: int, first: int) -> None:
        self._file = file
        self._numbers = itertools.count(first)
        self.fine = 0
        self.told_to_end = False

    def enough(self, wanted: int) -> bool:
        """Whether no more calls are needed."""
        return self.told_to_end and self.fine >= wanted

    async def work(self, client: graftwire.Client, wanted: int) -> None:
        """Call, one call after the other, for as long as a session is to be used, or until it is enough."""
        kinds = self._kinds(client)
        for _ in range(SESSION // AT_ONCE):
            if self.enough(wanted):
                return
            number = next(self._numbers)
            target = ("Here", "There")[number % 2]
            outcome, error = await self._made(kinds[number // 2 % len(kinds)], target, number)
            os.write(self._file, f"{number} {target} {outcome} {error}\n".encode())
            self.fine += outcome == "ok"
            await trio.sleep(PAUSE if outcome == "ok" else LATER)

    async def _made(self, kind: Callable[..., object], target: str, number: int) -> tuple[str, str]:
        try:
            with trio.fail_after(HANGS):
                left = await kind(target, number)  # type: ignore[misc]
        except graftwire.CallError as error:
            return ("maybe" if error.ran else "not"), type(error).__name__
        except trio.TooSlowError:
            return "hung", "-"
        except Exception as error:  # noqa: BLE001 - whatever it is, the test has to hear of it
            return "wrong", f"{type(error).__name__}:{error}".replace(" ", "_").replace("\n", "_")[:200]
        return ("left" if left else "ok"), "-"

    @staticmethod
    def _kinds(client: graftwire.Client) -> list[Callable[..., object]]:
        async def items() -> AsyncIterator[int]:
            for each in range(ITEMS):
                yield each

        async def once(target: str, number: int) -> None:
            same(await client.call(f"{target}.once", number, 0.005), number)

        async def count(target: str, number: int) -> None:
            async with client.stream(f"{target}.count", number, ITEMS, 0.005) as stream:
                same([item async for item in stream], list(range(ITEMS)))
                await stream.result()

        async def long(target: str, number: int) -> None:
            async with client.stream(f"{target}.count", number, 20, 0.02) as stream:
                same([item async for item in stream], list(range(20)))
                await stream.result()

        async def total(target: str, number: int) -> None:
            async with client.upload(f"{target}.total", number) as upload, aclosing(items()) as sent:
                async for each in sent:
                    await upload.send(each)
                same(await upload.result(), sum(range(ITEMS)))

        async def doubled(target: str, number: int) -> None:
            async with client.exchange(f"{target}.doubled", number) as exchange:
                for each in range(ITEMS):
                    await exchange.send(each)
                await exchange.end()
                same([item async for item in exchange], [2 * each for each in range(ITEMS)])
                await exchange.result()

        async def hurried(target: str, number: int) -> None:
            await client.using(deadline=SOON).call(f"{target}.once", number, 10.0)

        async def cancelled(target: str, number: int) -> bool:
            with trio.move_on_after(SOON):
                await client.call(f"{target}.once", number, 10.0)
            return True

        short: list[Callable[..., object]] = [once, count, total, doubled, once]
        return [*short * 4, long, hurried, *short * 4, cancelled]


async def main(file: str, first: int, enough: int, attempts: int, ca: str, urls: list[str]) -> None:
    options = graftwire.ConnectOptions(tls=graftwire.client_context(ca=ca))
    retry = graftwire.Retry(attempts=attempts, first=0.01, most=0.2)
    caller = Caller(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), first)

    async def by(url: str) -> None:
        while not caller.enough(enough):
            async with AsyncExitStack() as stack:
                connecting = graftwire.connect(
                    url,
                    options=options,
                    retry=retry,
                    credential=ApiKeyCredential(environment="LOAD_KEY"),
                    plain_proofs=True,
                )
                try:
                    client = await stack.enter_async_context(connecting)
                except (graftwire.LinkError, graftwire.CallError):
                    await trio.sleep(LATER)  # the first connection is nobody's business but the program's
                    continue
                async with trio.open_nursery() as nursery:
                    for _ in range(AT_ONCE):
                        nursery.start_soon(caller.work, client, enough)

    async with trio.open_nursery() as nursery:
        for url in urls:
            nursery.start_soon(by, url)
        await trio.to_thread.run_sync(sys.stdin.read)
        caller.told_to_end = True


if __name__ == "__main__":
    named, at, wanted, again, authority, *addresses = sys.argv[1:]
    trio.run(main, named, int(at), int(wanted), int(again), authority, addresses)
