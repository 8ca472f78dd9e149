"""What a reload does to modules that run in worker processes: nothing to those that stay, and no call is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import trio

import graftwire
from graftwire import ConfigurationError, ConfiguredGateway

from .conftest import LEAST, Load

SHOP = """
import os

import graftwire
import trio


class Shop:
    async def pid(self) -> int:
        return os.getpid()

    async def wait(self, seconds: float) -> int:
        await trio.sleep(seconds)
        return os.getpid()

    async def wait_for(self, file: str) -> int:
        while not os.path.exists(file):
            await trio.sleep(0.02)
        return os.getpid()

    @graftwire.allow("clerk")
    async def sell(self) -> int:
        return 1

    @graftwire.allow("anyone")
    async def look(self) -> str:
        return graftwire.current_identity().subject
"""
WORKER = LEAST + '[modules.Shop]\nload = "shop:Shop"\nrun = "worker"\nwait = 20.0\n'
SINK = '[audit]\nsinks = ["audit.jsonl"]\n'


@pytest.fixture(autouse=True)
def shop(folder: Path) -> Path:
    path = folder / "shop.py"
    path.write_text(SHOP)
    return path


async def call(running: ConfiguredGateway, target: str, *arguments: object) -> object:
    async with graftwire.connect(running.gateway.urls[0]) as client:
        return await client.call(target, *arguments)


def pids() -> set[int]:
    """The numbers of all worker processes, also of those that are on their way out."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent, state = (entry / "stat").read_text().rpartition(")")[2].split()[1::-1]
            except OSError:
                continue
            if int(parent) == os.getpid() and state not in "ZX" and _is_worker(entry):
                found.add(int(entry.name))
    return found


def _is_worker(entry: Path) -> bool:
    try:
        return b"graftwire.gateway.workers.main" in (entry / "cmdline").read_bytes()
    except OSError:
        return False


async def only(count: int) -> set[int]:
    """Wait until there are so many worker processes."""
    with trio.fail_after(30):
        while len(found := pids()) != count:
            await trio.sleep(0.02)
    return found


async def test_what_is_unchanged_keeps_its_processes(load: Load) -> None:
    async with load(WORKER).serve() as running:
        before = pids()
        await running.reload(load("\n" + WORKER + '[modules.Other]\nload = "stock:Other"\n'))
        assert await call(running, "Shop.pid") in before
        assert pids() == before


@pytest.mark.parametrize("more", ["count = 2\n", "memory = 1000000000\n", "hang = 3.0\n"])
async def test_what_is_changed_gets_new_ones_while_calls_of_the_old_ones_end(
    load: Load, folder: Path, more: str
) -> None:
    async with load(WORKER).serve() as running, graftwire.connect(running.gateway.urls[0]) as client:
        [before] = pids()
        results: list[int] = []

        async def waits() -> None:
            results.append(await client.call("Shop.wait_for", str(folder / "now")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(waits)
            assert await client.call("Shop.pid") == before
            await running.reload(load(WORKER + more))
            assert results == []
            assert await client.call("Shop.pid") != before
            await trio.Path(folder / "now").touch()
        assert results == [before]
        assert before not in await only(2 if "count" in more else 1)


async def test_they_come_and_go(load: Load, folder: Path) -> None:
    async with load(LEAST).serve() as running, graftwire.connect(running.gateway.urls[0]) as client:
        assert pids() == set()
        await running.reload(load(WORKER))
        [pid] = pids()
        assert await client.call("Shop.pid") == pid
        async with trio.open_nursery() as nursery:
            results: list[int] = []

            async def waits() -> None:
                results.append(await client.call("Shop.wait_for", str(folder / "now")))

            nursery.start_soon(waits)
            await client.call("Shop.pid")
            await running.reload(load(LEAST))
            with pytest.raises(graftwire.UnknownTarget):
                await client.call("Shop.pid")
            await trio.Path(folder / "now").touch()
        assert results == [pid]
        await only(0)
        assert await client.call("Stock.pieces", "abc") == 3


async def test_from_the_gateway_to_a_worker_and_back(load: Load) -> None:
    here = WORKER.partition('run = "worker"')[0]
    async with load(here).serve() as running:
        assert await call(running, "Shop.pid") == os.getpid()
        await running.reload(load(WORKER))
        assert {await call(running, "Shop.pid")} == pids()
        await running.reload(load(here))
        assert await call(running, "Shop.pid") == os.getpid()
        await only(0)


@pytest.mark.parametrize(
    "more",
    [
        '[modules.Two]\nload = "shop:Nothing"\nrun = "worker"\n',
        '[modules.Two]\nload = "no_such:Shop"\nrun = "worker"\n',
        '[modules.Two]\nload = "shop:Shop"\nrun = "worker"\n[audit]\nsinks = ["nowhere/a.jsonl"]\n',
    ],
)
async def test_a_reload_that_fails_leaves_everything_as_before(load: Load, more: str) -> None:
    async with load(WORKER).serve() as running:
        before = pids()
        for _ in range(2):
            with pytest.raises(ConfigurationError):
                await running.reload(load(WORKER.replace("wait = 20.0", "count = 2") + more))
            assert pids() == before
            assert {await call(running, "Shop.pid")} == before
        await running.reload(load(WORKER))
        assert pids() == before


async def test_a_reload_that_is_cancelled_leaves_no_process(load: Load, folder: Path) -> None:
    (folder / "slow.py").write_text("import time\ntime.sleep(2)\n" + SHOP)
    async with load(WORKER).serve() as running:
        before = pids()
        with trio.move_on_after(0.5) as scope:
            await running.reload(load(WORKER + '[modules.Slow]\nload = "slow:Shop"\nrun = "worker"\n'))
        assert scope.cancelled_caught
        assert pids() == before


async def test_no_call_is_lost_while_it_is_reloaded_again_and_again(load: Load, folder: Path) -> None:
    """Also calls that are admitted when the processes that they are for are to go."""
    ran: list[object] = []
    async with load(WORKER + SINK).serve() as running, graftwire.connect(running.gateway.urls[0]) as client:

        async def calls() -> None:
            while True:
                ran.append(await client.call("Shop.wait", 0.001))

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(calls)
            for number in range(3):
                await running.reload(load(WORKER + f"count = {number % 2 + 1}\n" + SINK))
            await running.reload(load(WORKER + "count = 1\n" + SINK))
            nursery.cancel_scope.cancel()
        assert len(set(ran)) > 2
        await only(1)


async def test_a_call_that_is_being_admitted_when_its_module_goes_still_runs(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graftwire.gateway.audit.trail import Trail

    async with load(WORKER + SINK).serve() as running, graftwire.connect(running.gateway.urls[0]) as client:
        [pid] = pids()
        written, go_on = trio.Event(), trio.Event()
        real = Trail.write

        async def slow(self: Trail, record: graftwire.Record) -> None:
            written.set()
            await go_on.wait()
            await real(self, record)

        monkeypatch.setattr(Trail, "write", slow)
        results: list[int] = []

        async def calls() -> None:
            results.append(await client.call("Shop.pid"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(calls)
            await written.wait()
            await running.reload(load(LEAST + SINK))
            await trio.sleep(0.5)
            go_on.set()
        assert results == [pid]
        await only(0)


@pytest.mark.parametrize("count", [1, 2])
async def test_code_that_has_changed_is_hosted_after_a_reload(
    count: int, load: Load, shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A restart alone does not change what is hosted; the log says so, and a reload starts it anew."""
    text = WORKER + f"count = {count}\n"
    async with load(text).serve() as running:
        before = pids()
        await trio.Path(shop).write_text(SHOP + "\n    async def more(self) -> int:\n        return 7\n")
        os.kill(min(before), signal.SIGKILL)
        sentence = "its code is not what it was when the gateway started; reload the gateway"
        with trio.fail_after(30):
            while caplog.text.count(sentence) < 2:  # it is tried again
                await trio.sleep(0.02)
        with pytest.raises(graftwire.UnknownTarget):
            await call(running, "Shop.more")
        await running.reload(load(text))
        assert await call(running, "Shop.more") == 7
        assert not await only(count) & before


async def test_rules_beside_the_code_of_a_worker(load: Load) -> None:
    text = WORKER.replace('["anonymous"]', '["anonymous"]\nallow = ["roles"]')
    async with load(text).serve() as running:
        assert await call(running, "Shop.look") == "anonymous"
        for refused in ("Shop.sell", "Shop.pid", "Stock.who"):
            with pytest.raises(graftwire.Denied):
                await call(running, refused)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("raise ValueError('hunter2')", "the module bad can't be imported: ValueError in bad.py, line 1"),
        (
            "class Shop:\n    def __init__(self):\n        raise KeyError('hunter2')",
            "bad:Shop can't be made: KeyError in",
        ),
        (
            "class Shop:\n    def __init__(self, hunter):\n        pass",
            "bad:Shop needs the argument hunter to be made",
        ),
        ("import os\nos._exit(5)", "ended before it could say what it hosts"),
        ("import sys\nsys.exit('hunter2')", "the module bad can't be imported: SystemExit in bad.py, line 2"),
        ("Shop = 5", "Bad has no public method"),
    ],
)
async def test_a_start_that_fails(code: str, sentence: str, load: Load, folder: Path) -> None:
    """One sentence with the place in the file, nothing of an exception's text, and no process behind."""
    (folder / "bad.py").write_text(code + "\n")
    text = WORKER + '[modules.Bad]\nload = "bad:Shop"\nrun = "worker"\n'
    with pytest.raises(ConfigurationError) as told:
        async with load(text).serve():
            pass
    assert "graftwire.toml, line 15: " in str(told.value)
    assert sentence in str(told.value)
    assert "hunter2" not in str(told.value)
    assert pids() == set()
