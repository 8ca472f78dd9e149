"""How long a worker process may take."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

import graftwire
from graftwire.transport import session
from graftwire.transport.watch import Timing


@pytest.fixture(autouse=True)
def stock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that workers find."""
    (tmp_path / "worker_stock.py").write_text(
        "class Stock:\n    async def pieces(self) -> int:\n        return 4\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@asynccontextmanager
async def hosted(**options: Any) -> AsyncGenerator[graftwire.Client]:
    worker, url = graftwire.Worker("worker_stock:Stock", **options), "memory:process-of-a-worker"
    with trio.fail_after(60):
        async with graftwire.serve({"Stock": worker}, url, auth=graftwire.Anonymous(), timing=Timing()):
            async with graftwire.connect(url, timing=Timing()) as client:
                yield client


async def test_a_slow_start_is_bounded_by_what_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not by how long a session waits for a stranger's HELLO: a loaded machine takes a while to start Python."""
    monkeypatch.setattr(session, "Timing", partial(Timing, opening=0.01))
    async with hosted(start=60.0) as client:
        assert await client.call("Stock.pieces") == 4


async def test_a_start_that_takes_longer_is_given_up() -> None:
    with pytest.raises(graftwire.InterfaceError) as caught:
        async with hosted(start=0.01):
            pass
    assert str(caught.value) == (
        "the worker for Stock (worker_stock:Stock) did not say what it hosts within 0.01 s; its output says more"
    )
