"""The target in Node.js, which shares nothing with this library, passes the part of the suite that it declares."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from graftwire.conformance.launch import FEATURES
from graftwire.conformance.results import Exit, Verdict
from graftwire.conformance.roles import ALL_LINKS, BOTH, Link, Role
from graftwire.conformance.selecting import read_implements

from .conftest import play  # type: ignore[import-not-found]

pytestmark = pytest.mark.external("node")

FOLDER = Path(__file__).parents[2] / "spec" / "conformance" / "targets" / "node"
LEFT_OUT = {"references", "describe"}  # as its README says


@pytest.mark.parametrize("role", BOTH)
@pytest.mark.parametrize("link", ALL_LINKS)
async def test_it_passes_what_it_declares(link: Link, role: Role) -> None:
    found = await play(["node", str(FOLDER / "target.js")], links=(link,), roles=(role,), must_only=True)
    failed = [
        (each.name, each.detail)
        for each in found.results
        if each.verdict not in {Verdict.PASSED, Verdict.NOT_IMPLEMENTED}
    ]
    assert failed == []
    assert found.exit is Exit.DONE
    assert {each.chapter for each in found.results} >= {"framing", "handshake", "calls"}
    not_played = {each.detail for each in found.results if each.verdict is Verdict.NOT_IMPLEMENTED}
    assert not_played <= {f"the target does not implement {each}" for each in LEFT_OUT}


def test_what_it_declares() -> None:
    """The file is the one that `--implements` reads, and what is not in it is known."""
    found = read_implements(FOLDER / "implements.json")
    assert FEATURES - set(found.implements) == LEFT_OUT


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
