"""The target in Node.js shares nothing with this library, and passes what a small implementation has to pass."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from graftwire.conformance.launch import FEATURES
from graftwire.conformance.results import Exit
from graftwire.conformance.roles import BOTH, Link, Role
from graftwire.conformance.selecting import read_implements

from .conftest import play  # type: ignore[import-not-found]

pytestmark = pytest.mark.external("node")

FOLDER = Path(__file__).parents[2] / "spec" / "conformance" / "targets" / "node"
TARGET = ["node", str(FOLDER / "target.js")]
CHAPTERS = (
    "framing",
    "headers",
    "handshake",
    "calls",
    "streams",
    "cancellation",
    "errors",
    "values",
    "nothing hidden",
)
# What differs from link to link, so that each is played in both roles, and all of it ends within a minute.
SLICE = ("calls", "nothing hidden")
OTHER_LINKS = (Link.TLS, Link.WS, Link.WSS, Link.UNIX)


async def passes(link: Link, role: Role, chapters: tuple[str, ...]) -> None:
    """Each MUST case of these chapters passes: none is left out as not implemented."""
    found = await play(TARGET, links=(link,), roles=(role,), chapters=chapters, must_only=True)
    assert [(each.name, str(each.verdict), each.detail) for each in found.results if not each.passes] == []
    assert found.exit is Exit.DONE
    assert {each.chapter for each in found.results} == set(chapters)


@pytest.mark.parametrize("role", BOTH)
async def test_it_passes_what_a_small_implementation_has_to(role: Role) -> None:
    await passes(Link.TCP, role, CHAPTERS)


@pytest.mark.parametrize("role", BOTH)
@pytest.mark.parametrize("link", OTHER_LINKS)
async def test_it_passes_on_every_other_link(link: Link, role: Role) -> None:
    await passes(link, role, SLICE)


def test_what_it_declares() -> None:
    """The file is the one that `--implements` reads, and nothing is left out of it."""
    assert set(read_implements(FOLDER / "implements.json").implements) == FEATURES


def test_its_codec_and_core_agree_with_the_vectors() -> None:
    done = subprocess.run(
        ["node", str(FOLDER / "check_vectors.js")], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "values: " in done.stdout


def test_no_packages() -> None:
    """The standard library is enough."""
    described = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    assert not {"dependencies", "devDependencies", "optionalDependencies"} & set(described)
