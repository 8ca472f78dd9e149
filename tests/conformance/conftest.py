"""Runs of the suite for tests, against targets that are small programs."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from graftwire.conformance.results import RunResult
from graftwire.conformance.running import Options, run
from graftwire.conformance.selecting import Selection

REFERENCE = [sys.executable, "-m", "graftwire.conformance.reference"]


async def play(command: Sequence[str] = REFERENCE, *, known: Any = None, **selection: Any) -> RunResult:
    """Run what is selected against the command."""
    options = Options(selection=Selection(**selection), command=command)
    if known is not None:
        options = Options(selection=Selection(**selection), command=command, known=known)
    return await run(options)


@pytest.fixture
def target(tmp_path: Path) -> Callable[[str], list[str]]:
    """Makes a program of a text, and gives the command that starts it."""

    def make(text: str) -> list[str]:
        path = tmp_path / "target.py"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return [sys.executable, str(path)]

    return make
