"""A long run: many sessions with a mixed load, and whether anything piles up in the server or in the callers.

    python -m graftwire.bench.soak --sessions 1000 --minutes 10

Server and callers are a process each. Every few seconds both count their tasks and open files and look up their
memory; after the warm-up, in which the sessions have more to do so that each has done everything, a line is fitted
through each figure. Exit code 1: tasks or files are not where they were, or memory grows by more than 1 % an hour.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import random
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import trio

import graftwire

EVERY: Final = 5.0  # seconds between two looks
PAUSE: Final = 10.0  # seconds at most that a session is quiet between two calls
WARM_UP_PAUSE: Final = 3.0  # and in the warm-up
WINDOW: Final = (
    30.0  # seconds of which the lowest memory counts: what is under way at a look comes on top, by chance
)
MOST_GROWTH: Final = 1.0  # percent of memory an hour
MEGABYTE: Final = 1024 * 1024
_TRIM: Final = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it


class Refused(Exception):
    """Declared by what raises it."""


class Mixed:
    """One method for each kind of call."""

    async def echo(self, data: bytes) -> bytes:
        return data

    def in_a_thread(self, number: int) -> int:
        return number + 1

    async def ticks(self, count: int) -> AsyncIterator[int]:
        for number in range(count):
            yield number

    async def total(self, numbers: AsyncIterator[int]) -> int:
        return sum([number async for number in numbers])

    async def call_back(self, back: Any) -> int:
        return await back(1)

    async def keep(self) -> Any:
        return graftwire.by_reference(Kept())

    @graftwire.raises(Refused)
    async def refuse(self) -> None:
        raise Refused("it was asked to")

    async def hang(self) -> None:
        await trio.sleep_forever()


class Kept:
    """What a handle stands for."""

    async def touch(self) -> int:
        return 1


# --- the load ---------------------------------------------------------------------------------------------------------


async def _small(client: graftwire.Client) -> None:
    await client.call("Mixed.echo", b"0123456789abcdef")


async def _large(client: graftwire.Client) -> None:
    await client.call("Mixed.echo", bytes(20_000))


async def _thread(client: graftwire.Client) -> None:
    await client.call("Mixed.in_a_thread", 1)


async def _stream(client: graftwire.Client) -> None:
    async with client.stream("Mixed.ticks", 20) as ticks:
        async for _ in ticks:
            pass


async def _stream_left_early(client: graftwire.Client) -> None:
    async with client.stream("Mixed.ticks", 1_000_000) as ticks:
        await anext(ticks)


async def _upload(client: graftwire.Client) -> None:
    async with client.upload("Mixed.total") as upload:
        for number in range(20):
            await upload.send(number)
        await upload.result()


async def _call_back(client: graftwire.Client) -> None:
    async def back(number: int) -> int:
        return number

    await client.call("Mixed.call_back", back)


async def _handle(client: graftwire.Client) -> None:
    with await client.call("Mixed.keep") as handle:
        await handle.call("touch")


async def _refused(client: graftwire.Client) -> None:
    with suppress(Refused):
        await client.using(raises=[Refused]).call("Mixed.refuse")


async def _cancelled(client: graftwire.Client) -> None:
    with trio.move_on_after(0.05):
        await client.call("Mixed.hang")


async def _out_of_time(client: graftwire.Client) -> None:
    with suppress(graftwire.DeadlineExceeded):
        await client.using(deadline=0.05).call("Mixed.hang")


KINDS: Final[tuple[Callable[[graftwire.Client], Coroutine[Any, Any, None]], ...]] = (
    _small,
    _large,
    _thread,
    _stream,
    _stream_left_early,
    _upload,
    _call_back,
    _handle,
    _refused,
    _cancelled,
    _out_of_time,
)


# --- what is looked at ------------------------------------------------------------------------------------------------


def look() -> dict[str, float]:
    """Tasks, open files and resident memory (bytes) of this process, now.

    Garbage and what the allocator keeps free are given back first: both come and go, and are no sign of a leak.
    """
    gc.collect()
    if _TRIM is not None:
        _TRIM(0)
    with open("/proc/self/statm", encoding="ascii") as statm:
        pages = int(statm.read().split()[1])
    return {
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "files": len(os.listdir("/proc/self/fd")),
        "memory": pages * os.sysconf("SC_PAGE_SIZE"),
    }


@dataclass
class Series:
    """The looks at one process; `seconds` since the start."""

    name: str
    seconds: list[float] = field(default_factory=list[float])
    looks: list[dict[str, float]] = field(default_factory=list[dict[str, float]])

    def add(self, second: float, seen: dict[str, float]) -> None:
        self.seconds.append(second)
        self.looks.append(seen)

    def values(self, figure: str, since: float) -> tuple[list[float], list[float]]:
        """Times and values of one figure after the warm-up."""
        kept = [
            (second, seen[figure])
            for second, seen in zip(self.seconds, self.looks, strict=True)
            if second >= since
        ]
        return [second for second, _ in kept], [value for _, value in kept]

    def lowest(self, figure: str, since: float) -> tuple[list[float], list[float]]:
        """Middles of the windows after the warm-up, and the lowest value in each."""
        windows: dict[int, list[float]] = {}
        for second, value in zip(*self.values(figure, since), strict=True):
            windows.setdefault(int((second - since) // WINDOW), []).append(value)
        return [(number + 0.5) * WINDOW for number in windows], [min(values) for values in windows.values()]

    def growth(self, figure: str, since: float) -> float:
        """Percent an hour of the line through the lowest values of the figure, of their mean."""
        seconds, values = self.lowest(figure, since)
        mean = statistics.fmean(values)
        return statistics.linear_regression(seconds, values).slope * 3_600 / mean * 100 if mean else 0.0


# --- the processes ----------------------------------------------------------------------------------------------------


async def _serve() -> None:
    """Host `Mixed` until stdin ends; each line on it is answered with a look."""
    services, anyone = {"Mixed": Mixed()}, graftwire.Anonymous()
    async with graftwire.serve(services, "tcp://127.0.0.1:0", auth=anyone) as gateway:
        print(gateway.urls[0], flush=True)
        stdin = trio.lowlevel.FdStream(os.dup(0))
        async with stdin:
            async for _ in stdin:
                print(json.dumps(look()), flush=True)


async def _session(
    url: str, counts: Counter[str], seed: int, warm_up: float, *, task_status: trio.TaskStatus[None]
) -> None:
    warm = trio.current_time() + warm_up
    chance = random.Random(seed)  # noqa: S311 - a load, and no secret
    async with graftwire.connect(url) as client:
        task_status.started()
        while True:
            kind = chance.choice(KINDS)
            await kind(client)
            counts[kind.__name__.removeprefix("_")] += 1
            await trio.sleep(chance.random() * (PAUSE if trio.current_time() > warm else WARM_UP_PAUSE))


async def _lines(stream: trio.abc.ReceiveStream) -> AsyncIterator[str]:
    rest = b""
    async for chunk in stream:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode()


async def _run(sessions: int, minutes: float, warm_up: float) -> int:
    command = [sys.executable, "-m", "graftwire.bench.soak", "--serve"]
    pipe = subprocess.PIPE
    counts = Counter[str]()
    server, callers = Series("server"), Series("callers")
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            partial(trio.run_process, command, stdin=pipe, stdout=pipe, check=False)
        )
        assert process.stdin is not None and process.stdout is not None
        answers = _lines(process.stdout)
        url = await anext(answers)
        async with (
            trio.open_nursery() as starting
        ):  # at once: those that are there already have their calls to make
            for seed in range(sessions):
                starting.start_soon(nursery.start, partial(_session, url, counts, seed, 60 * warm_up))
        started = trio.current_time()
        ends = started + 60 * (warm_up + minutes)
        while trio.current_time() < ends:
            await trio.sleep(EVERY)
            await process.stdin.send_all(b"look\n")
            second = trio.current_time() - started
            server.add(second, json.loads(await anext(answers)))
            callers.add(second, look())
            _progress(second, ends - started, counts, server)
        nursery.cancel_scope.cancel()
    return _report((server, callers), sessions, 60 * warm_up, counts)


def _progress(second: float, whole: float, counts: Counter[str], server: Series) -> None:
    now = server.looks[-1]
    print(
        f"\r{second:5.0f} of {whole:.0f} s  {counts.total()} calls  server: {now['tasks']:.0f} tasks, "
        f"{now['files']:.0f} files, {now['memory'] / MEGABYTE:.1f} MiB",
        end="",
        file=sys.stderr,
        flush=True,
    )


def _report(both: Iterable[Series], sessions: int, since: float, counts: Counter[str]) -> int:
    print(file=sys.stderr)
    print(
        f"{sessions} sessions, {counts.total()} calls: {', '.join(f'{n} {kind}' for kind, n in counts.items())}"
    )
    sound = True
    for series in both:
        for figure in ("tasks", "files"):
            _, values = series.values(figure, since)
            tenth = max(len(values) // 10, 1)
            first, last = statistics.median(values[:tenth]), statistics.median(values[-tenth:])
            # a session has as many tasks as it has calls under way, and that is chance
            fine = abs(last - first) <= (0 if figure == "files" else max(sessions / 10, 20))
            sound = sound and fine
            print(
                f"{series.name:8} {figure:7} {first:10.0f} → {last:.0f}{'' if fine else '   NOT WHERE IT WAS'}"
            )
        _, values = series.lowest("memory", since)
        growth = series.growth("memory", since)
        fine = growth <= MOST_GROWTH
        sound = sound and fine
        print(
            f"{series.name:8} memory  {values[0] / MEGABYTE:10.1f} → {values[-1] / MEGABYTE:.1f} MiB, "
            f"{growth:+.2f} % an hour{'' if fine else '   TOO MUCH'}"
        )
    return 0 if sound else 1


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m graftwire.bench.soak", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument("--sessions", type=int, default=1_000)
    parser.add_argument("--minutes", type=float, default=10.0, help="after the warm-up")
    parser.add_argument("--warm-up", type=float, default=3.0, help="minutes before anything counts")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        trio.run(_serve)
        return
    try:
        sys.exit(trio.run(_run, chosen.sessions, chosen.minutes, chosen.warm_up))
    except KeyboardInterrupt:
        sys.exit("stopped before its time")


if __name__ == "__main__":
    main()
