"""The floor under the branch coverage holds, and can fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("check_branches.py")


def check(report: Path, *floors: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, report, *floors],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """As coverage writes it: protocol/ has 19 of 20 branches, all of its lines, and a folder inside."""
    counts = {
        "protocol/a.py": (9, 10),
        "protocol/in/b.py": (10, 10),
        "transport/a.py": (94, 100),
        "api/x.py": (0, 9),
    }
    files = {
        name: {"summary": {"percent_covered": 99.9, "covered_branches": taken, "num_branches": there}}
        for name, (taken, there) in counts.items()
    }
    path = tmp_path / "coverage.json"
    path.write_text(json.dumps({"files": files}), encoding="utf-8")
    return path


def test_at_the_floor(report: Path) -> None:
    done = check(report, "protocol:95", "transport:94")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout
        == "branches of protocol/: 19 of 20, 95.00 %\nbranches of transport/: 94 of 100, 94.00 %\n"
    )


def test_under_the_floor(report: Path) -> None:
    done = check(report, "protocol:95", "transport:95")
    assert (done.returncode, done.stderr) == (1, "the branch coverage of transport/ is under 95 %\n")


def test_a_folder_that_was_not_measured(report: Path) -> None:
    done = check(report, "gateway:95")
    assert done.returncode == 1
    assert done.stderr.startswith("gateway/ has no branches in the report")


def test_wrong_usage(report: Path) -> None:
    assert check(report).returncode == 2
