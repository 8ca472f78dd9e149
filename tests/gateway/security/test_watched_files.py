"""Files that are read again when they change, and never at the price of what was in force."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
import trio.testing

from graftwire.gateway.security.errors import SecurityError
from graftwire.gateway.security.watched_files import LOOK, Watched


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def texts(contents: Sequence[bytes]) -> str:
    text = b"+".join(contents).decode()
    if "bad" in text:
        raise SecurityError("it is bad")
    return text


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


async def test_either_file_is_noticed_within_a_second(tmp_path: Path, clock: Clock) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    write(first, "one")
    write(second, "two")
    watched = Watched((first, second), texts, clock=clock)
    assert watched.latest == "one+two"
    write(second, "three")
    clock.now += LOOK / 2
    assert await watched.current() == "one+two"
    clock.now += LOOK / 2
    assert await watched.current() == "one+three"
    write(first, "fours")
    clock.now += LOOK
    assert await watched.current() == watched.latest == "fours+three"


async def test_what_can_not_be_used_is_said_once(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a"
    write(path, "good")
    watched = Watched((path,), texts, clock=clock)
    for change in (lambda: write(path, "bad"), lambda: os.unlink(path)):
        change()
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                clock.now += LOOK
                assert await watched.current() == "good"
        assert len(caplog.records) == 1
    write(path, "better")
    clock.now += LOOK
    assert await watched.current() == "better"


async def test_a_file_that_others_can_read_now_is_not_taken_over(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a"
    write(path, "good")
    path.chmod(0o600)
    watched = Watched((path,), texts, private=True, clock=clock)
    write(path, "newer")
    path.chmod(0o644)
    clock.now += LOOK
    assert await watched.current() == "good"
    assert f"run chmod 600 {path}" in caplog.text
    path.chmod(0o600)  # the mode counts as a change
    clock.now += LOOK
    assert await watched.current() == "newer"


async def test_a_slow_reading_does_not_replace_a_newer_one(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "a"
    go_on, begun = threading.Event(), threading.Event()

    def make(contents: Sequence[bytes]) -> bytes:
        if contents[0] == b"slow":
            begun.set()
            assert go_on.wait(60)
        return contents[0]

    write(path, "first")
    watched = Watched((path,), make, clock=clock)
    write(path, "slow")
    clock.now += LOOK
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.current)
        await trio.to_thread.run_sync(begun.wait, 60)
        assert await watched.current() == b"first"  # nobody waits for the slow one
        write(path, "newest")
        clock.now += LOOK
        assert await watched.current() == b"newest"
        go_on.set()
    assert watched.latest == b"newest"
