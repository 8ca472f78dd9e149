"""What every test can use."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Before any test module is imported, since `@settings` takes what is set then: how quick a machine is proves nothing.
settings.register_profile("graftwire", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("graftwire")


# Packages of Debian and Ubuntu that are not named as their program.
PACKAGES = {"node": "nodejs", "systemd-analyze": "systemd"}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Say what to install if a program that a test needs is not there; where CI runs, that is a failure."""
    for marker in item.iter_markers("external"):
        missing = [program for program in marker.args if shutil.which(program) is None]
        if missing:
            names = " ".join(missing)
            packages = " ".join(PACKAGES.get(program, program) for program in missing)
            advice = f"not installed: {names} (Debian, Ubuntu: apt-get install {packages}; macOS: brew install {names})"
            if os.environ.get("CI"):
                pytest.fail(advice, pytrace=False)
            pytest.skip(advice)


@pytest.fixture(autouse=True)
def _levels_of_logging() -> Iterator[None]:
    """Commands that run in this process say more than the library does; the next test begins as the first one did."""
    root, graftwire = logging.getLogger(), logging.getLogger("graftwire")
    levels = root.level, graftwire.level
    yield
    root.setLevel(levels[0])
    graftwire.setLevel(levels[1])
