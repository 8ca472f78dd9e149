"""What a target costs is read from the system's accounts; a bound that is broken fails the case with its figures."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from graftwire.conformance import playing, usage
from graftwire.conformance.case import Costs
from graftwire.conformance.cases import BY_ID, CASES
from graftwire.conformance.playing import broken_bounds
from graftwire.conformance.results import Verdict
from graftwire.conformance.roles import Link, Role
from graftwire.conformance.usage import Meter, Usage, told

from .conftest import play  # type: ignore[import-not-found]
from .test_strictness import SERVING  # type: ignore[import-not-found]

MIB = 2**20
GREEDY = """
import os, subprocess, sys
print("begun", flush=True)
sys.stdin.readline()
kept = bytearray(os.urandom(40 * 2**20))
files = [open(os.devnull) for _ in range(7)]
total = sum(number * number for number in range(2_000_000))
print("done", flush=True)
sys.stdin.readline()
"""

pytestmark = pytest.mark.skipif(not usage.PROC.is_dir(), reason="this system has no /proc")


@pytest.fixture
def greedy() -> Generator[Callable[[], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(*command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command or [sys.executable, "-c", GREEDY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"  # while it starts it has files open
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def test_memory_time_and_files(greedy: Callable[..., subprocess.Popen[str]]) -> None:
    process = greedy()
    meter = Meter(process.pid)
    go_on(process)
    used = meter.usage(0.5)
    assert 39 * MIB < (used.peak_memory or 0) < 120 * MIB
    assert (used.cpu or 0) > 0
    assert used.open_files is not None
    assert used.open_files >= 7
    assert used.seconds_to_close == 0.5


def test_what_a_process_has_started_counts(greedy: Callable[..., subprocess.Popen[str]]) -> None:
    wrapper = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    process = greedy(sys.executable, "-c", wrapper, GREEDY)
    meter = Meter(process.pid)
    go_on(process)
    assert (meter.usage(None).peak_memory or 0) > 39 * MIB


def test_nothing_is_known_of_what_is_gone() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert Meter(done.pid).usage(None) == Usage()
    assert told(Usage()) == "nothing is known"


def test_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(usage, "PROC", tmp_path)
    assert Meter(os.getpid()).before is None


def test_bounds() -> None:
    used = Usage(peak_memory=3 * MIB, cpu=1.5, open_files=3, seconds_to_close=2.0)
    assert broken_bounds(Costs(memory=3 * MIB, cpu=1.5, files=3, close=2.0), used) == ""
    assert broken_bounds(Costs(), used) == ""
    assert broken_bounds(Costs(memory=2 * MIB, cpu=1.0, files=2, close=1.0), used) == (
        "memory above 2 MiB, processor time above 1 s, open files above 2, time to close above 1 s"
    )
    assert told(used) == (
        "3.0 MiB of memory at the peak, 1.50 s of processor time, 3 files left open, 2.00 s to close"
    )


def test_bounds_are_for_targets_that_are_there_for_the_case_alone() -> None:
    assert [each.id for each in CASES if each.costs is not None and not each.alone] == []


async def one(command: list[str]) -> tuple[Verdict, str, Usage | None]:
    found = (
        await play(command, links=(Link.TCP,), roles=(Role.ACCEPTOR,), cases=("resource.farewell",))
    ).results
    return found[0].verdict, found[0].detail, found[0].usage


async def test_a_target_that_never_closes(
    target: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "resource.farewell" in BY_ID
    monkeypatch.setattr(playing, "CLOSING", 0.3)
    text = SERVING.format(extra="pass", end="threading.Event().wait()", link="tcp")
    verdict, detail, used = await one(target(text))
    assert verdict is Verdict.FAILED
    assert "it cost more than it may: open files above 4 (" in detail
    assert used is not None
    assert (used.open_files or 0) >= 50


async def test_where_nothing_is_known_the_case_is_not_implemented(
    target: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(usage, "PROC", tmp_path)
    verdict, detail, _ = await one(target(SERVING.format(extra="pass", end="pass", link="tcp")))
    assert (verdict, detail) == (Verdict.NOT_IMPLEMENTED, "what a target costs is not to be known here")
