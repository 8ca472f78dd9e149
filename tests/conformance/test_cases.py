"""The cases are whole: ids that last, clauses that there are, a page and a register that are current."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from graftwire.conformance.case import Case, Check, Expect, Open, Plain, Send
from graftwire.conformance.cases import CASES, CHAPTERS
from graftwire.conformance.documenting import register
from graftwire.conformance.launch import FEATURES
from graftwire.conformance.playing import Instance
from graftwire.conformance.printing import lines_of
from graftwire.conformance.roles import ALL_LINKS, BOTH, Role
from graftwire.conformance.setups import SETUPS

ROOT = Path(__file__).parents[2]
CLAUSES = set(
    re.findall(r"^\*\*\[([A-Z]+-\d+)\]\*\*", (ROOT / "spec" / "PROTOCOL.md").read_text("utf-8"), re.MULTILINE)
)


def test_no_id_is_given_twice() -> None:
    assert [id for id, times in Counter(each.id for each in CASES).items() if times > 1] == []


def test_the_page_and_the_register_are_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "spec" / "make_cases.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_an_id_is_never_used_again() -> None:
    before = "frame.arity.old\nretired frame.length.zero\n"
    with pytest.raises(ValueError, match=r"never used again: frame\.length\.zero$"):
        register(before, CASES)
    assert "retired frame.arity.old\n" in register("frame.arity.old\n", CASES)


@pytest.mark.parametrize("case", CASES, ids=[each.id for each in CASES])
def test_a_case_is_whole(case: Case) -> None:
    assert re.fullmatch(r"[a-z0-9]+(?:[.-][a-z0-9]+)+", case.id)
    assert case.clauses
    assert set(case.clauses) <= CLAUSES
    assert case.chapter in CHAPTERS
    assert case.says.endswith(".")
    assert case.roles
    assert set(case.roles) <= set(BOTH)
    assert case.links
    assert set(case.links) <= set(ALL_LINKS)
    assert case.setup in SETUPS
    assert set(case.features) <= FEATURES
    assert case.outcomes
    assert 0 < case.within <= 30
    msgspec.json.encode(case)
    for role in case.roles:
        for link in case.links:
            assert all(lines_of(Instance(case, role, link)))


@pytest.mark.parametrize(
    "case", [each for each in CASES if Role.INITIATOR in each.roles], ids=lambda each: each.id
)
def test_what_calls_an_initiator_needs_that_it_hosts(case: Case) -> None:
    """A CALL of the runner that is to run, and every check, are for a target that hosts the interface."""
    checks = [*case.checks, *(each for each in case.steps if isinstance(each, Check))]
    if checks:
        assert "hosting" in case.features
    assert any(isinstance(each, Open | Send | Expect | Plain) for each in case.steps) or not case.steps
