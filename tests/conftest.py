"""What every test can use."""

from __future__ import annotations

import os
import shutil

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Say what to install if a program that a test needs is not there; where CI runs, that is a failure."""
    for marker in item.iter_markers("external"):
        missing = [program for program in marker.args if shutil.which(program) is None]
        if missing:
            names = " ".join(missing)
            advice = f"not installed: {names} (Debian, Ubuntu: apt-get install {names}; macOS: brew install {names})"
            if os.environ.get("CI"):
                pytest.fail(advice, pytrace=False)
            pytest.skip(advice)
