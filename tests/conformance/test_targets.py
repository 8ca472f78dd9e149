"""What the runner writes to targets."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trio.testing

from graftwire.conformance.asking import asked_for
from graftwire.conformance.case import Activity
from graftwire.conformance.launch import Asked, line
from graftwire.conformance.parts import Scope
from graftwire.conformance.roles import Role
from graftwire.conformance.secrecy import Secrecy
from graftwire.conformance.setups import SETUPS
from graftwire.conformance.targets import Asking, Target


class Slow:
    """A standard input that lets others run before it has taken a line."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    async def send_all(self, data: bytes) -> None:
        await trio.testing.wait_all_tasks_blocked()
        self.lines.append(json.loads(data))


async def test_activities_that_are_asked_for_at_a_time_have_their_own_ids() -> None:
    target = Target(Role.INITIATOR, SETUPS["open"], Secrecy())
    stdin = Slow()
    target.process = cast("trio.Process", SimpleNamespace(stdin=stdin))
    asked: dict[str, Asking] = {}

    async def ask(url: str) -> None:
        asked[url] = await target.ask(Asked(id=0, dial=url, do="hold"))

    urls = ["tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "tcp://127.0.0.1:3"]
    async with trio.open_nursery() as nursery:
        for url in urls:
            nursery.start_soon(ask, url)
    assert {each["dial"]: each["id"] for each in stdin.lines} == {url: asked[url].id for url in urls}
    assert {asked[url].id for url in urls} == {1, 2, 3}
    await asked[urls[0]].leave()
    assert stdin.lines[-1] == {"id": asked[urls[0]].id, "leave": True}


@pytest.mark.parametrize(
    ("activity", "said"),
    [
        (Activity(), {"do": "hold"}),
        (Activity(do="leave"), {"do": "leave"}),
        (Activity(do="call"), {"do": "call", "target": "Conformance.echo"}),
        (
            Activity(do="stream", target="Conformance.produce", stay=True),
            {"do": "stream", "target": "Conformance.produce", "stay": True},
        ),
    ],
)
def test_what_is_to_be_done_is_always_said(activity: Activity, said: dict[str, object]) -> None:
    asked = asked_for(activity, "tcp://127.0.0.1:1", Scope("acceptor", "k", {}))
    told = json.loads(line(asked))
    assert told.pop("arguments", "80") == "80"  # the default may be said, or not
    assert told == {"id": 0, "dial": "tcp://127.0.0.1:1", **said}
