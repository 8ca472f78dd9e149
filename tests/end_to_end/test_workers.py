"""A module in a worker process is called as one in the gateway's process is, and fails alone (promise P6)."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

import graftwire
from graftwire.security import RoleRules

FOLDER = Path(__file__).parent


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))


@asynccontextmanager
async def hosted(where: str, **options: Any) -> AsyncGenerator[graftwire.Client]:
    service: object = graftwire.Worker("worker_module:Stock", **options)
    if where == "here":
        spec = importlib.util.spec_from_file_location("worker_module_here", FOLDER / "worker_module.py")
        assert spec is not None and spec.loader is not None  # noqa: PT018
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        service = module.Stock()
    mine = {"Mine": Mine()}
    anybody = graftwire.Anonymous()
    async with graftwire.serve({"Stock": service}, "tcp://127.0.0.1:0", auth=anybody) as gateway:
        async with graftwire.connect(gateway.urls[0], services=mine, auth=anybody) as client:
            yield client


class Mine:
    async def square(self, value: int) -> int:
        return value * value


@pytest.mark.parametrize("where", ["here", "worker"])
async def test_every_kind_of_call_is_the_same_here_and_in_a_worker(where: str) -> None:
    with trio.fail_after(60):
        async with hosted(where) as client:
            assert (await client.call("Stock.pid") == os.getpid()) is (where == "here")
            assert await client.call("Stock.add", 2, b=3) == 5
            async with client.stream("Stock.count", 5) as items:
                assert [item async for item in items] == [0, 1, 2, 3, 4]
            async with client.upload("Stock.total") as upload:
                for each in range(5):
                    await upload.send(each)
                assert await upload.result() == 10
            async with client.exchange("Stock.doubled") as exchange:
                for each in range(3):
                    await exchange.send(each)
                await exchange.end()
                assert [item async for item in exchange] == [0, 2, 4]
            assert await client.call("Stock.who") == "anonymous"
            assert await client.call("Stock.ask", 7) == 49
            with pytest.raises(graftwire.ApplicationError) as declared:
                await client.call("Stock.declared")
            assert (declared.value.name, declared.value.fields) == ("Empty", {"missing": 3})
            with pytest.raises(graftwire.InternalError):
                await client.call("Stock.undeclared")
            with pytest.raises(graftwire.BadArguments) as bad:
                await client.call("Stock.add", "x")
            assert bad.value.path == "arguments[0]"
            with pytest.raises(graftwire.DeadlineExceeded):
                await client.using(deadline=0.2).call("Stock.sleep", 30.0)
            with trio.move_on_after(0.2) as scope:
                await client.call("Stock.sleep", 30.0)
            assert scope.cancelled_caught


@pytest.mark.parametrize("where", ["here", "worker"])
async def test_references_work_in_both_directions(where: str) -> None:
    async def triple(value: int) -> int:
        return 3 * value

    with trio.fail_after(60):
        async with hosted(where) as client:
            assert await client.call("Stock.apply", triple, 4) == 12
            with await client.call("Stock.counter") as counter:
                assert await counter.call("up", 2) == 2
                assert await counter.call("up", 3) == 5
                with pytest.raises(graftwire.UnknownTarget):
                    await counter.call("down", 1)
            assert await client.call("Stock.add", 1) == 2


async def test_a_worker_that_is_killed_costs_only_its_calls_and_comes_back() -> None:
    outcomes: list[object] = []

    async def sleeps(client: graftwire.Client) -> None:
        try:
            outcomes.append(await client.call("Stock.sleep", 30.0))
        except graftwire.CallError as error:
            outcomes.append(error.ran)

    with trio.fail_after(60):
        async with hosted("worker") as client:
            pid = await client.call("Stock.pid")
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(sleeps, client)
                await client.call("Stock.add", 1)
                os.kill(pid, signal.SIGKILL)
            assert outcomes == [True] * 5  # they may have run, and the error says so
            with trio.move_on_after(20):
                while True:
                    try:
                        again = await client.call("Stock.pid")
                        break
                    except graftwire.Unavailable as error:
                        assert error.ran is False
            assert again != pid


async def test_a_worker_that_hangs_is_killed_and_comes_back() -> None:
    with trio.fail_after(60):
        async with hosted("worker", hang=1.0, wait=10.0) as client:
            with pytest.raises(graftwire.CallError) as hung:
                await client.call("Stock.hang")
            assert hung.value.ran is True
            assert await client.call("Stock.add", 1) == 2


async def test_a_module_that_cannot_be_imported_is_an_error_at_start() -> None:
    with pytest.raises(graftwire.InterfaceError, match="no_such_module"):
        async with graftwire.serve(
            {"Stock": graftwire.Worker("no_such_module:Stock")},
            "tcp://127.0.0.1:0",
            auth=graftwire.Anonymous(),
        ):
            pass


async def test_rules_beside_code_that_is_not_here_are_an_error() -> None:
    """They are not left out in silence."""
    with pytest.raises(graftwire.SecurityError, match="worker process"):
        RoleRules.from_hosted({"Stock": graftwire.Worker("worker_module:Stock")})
