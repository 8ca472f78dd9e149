"""The suite's own test: each mutant is caught by the cases that it names, and by no other; the reference by none."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from graftwire.conformance.cases import CASES, CHAPTERS

from .mutants.documenting import PAGE, page  # type: ignore[import-not-found]
from .mutants.judging import Found, named  # type: ignore[import-not-found]
from .mutants.mutant import Mutant  # type: ignore[import-not-found]
from .mutants.table import BY_NAME, MUTANTS, UNBROKEN  # type: ignore[import-not-found]

ROOT = Path(__file__).parents[2]
STANDARD = (ROOT / "spec" / "PROTOCOL.md").read_text("utf-8")
CLAUSES = re.findall(r"^\*\*\[([A-Z]+-\d+)\]\*\*", STANDARD, re.MULTILINE)
NAMES = [each.name for each in MUTANTS]
# Floods and noise are not about one clause.
WITHOUT_MUTANTS = {"abuse"}


def sections() -> Iterator[tuple[str, set[str]]]:
    """The chapters of the standard in which something is a must, each with its clauses."""
    for part in re.split(r"^## ", STANDARD, flags=re.MULTILINE)[1:]:
        clauses = re.split(r"^\*\*\[([A-Z]+-\d+)\]\*\*", part, flags=re.MULTILINE)
        found = {id for id, text in zip(clauses[1::2], clauses[2::2], strict=True) if "MUST" in text}
        if found:
            yield part.partition("\n")[0], found


def test_there_are_enough() -> None:
    assert len(MUTANTS) >= 40
    assert len(set(NAMES)) == len(MUTANTS)


@pytest.mark.parametrize(("section", "clauses"), list(sections()))
def test_each_chapter_of_the_standard_has_one(section: str, clauses: set[str]) -> None:
    assert clauses & {each.clause for each in MUTANTS}


@pytest.mark.parametrize("chapter", [each for each in CHAPTERS if each not in WITHOUT_MUTANTS])
def test_each_chapter_of_the_cases_has_one(chapter: str) -> None:
    assert any(chapter in {case.chapter for case in named(each)} for each in MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=NAMES)
def test_a_mutant_is_whole(mutant: Mutant) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z-]+", mutant.name)
    assert mutant.clause in CLAUSES
    assert mutant.says.endswith(".")
    catching = named(mutant)
    for pattern in mutant.cases:
        assert named(naming(mutant, pattern)), f"{pattern} names no case that is played"
    # what proves that the clause is kept has to be among them
    assert mutant.clause in {clause for case in catching for clause in case.clauses}


def naming(mutant: Mutant, pattern: str) -> Mutant:
    return Mutant(**{**vars(mutant), "cases": (pattern,)})


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(MUTANTS)


@pytest.fixture(scope="module")
def judged() -> dict[str, Found]:
    """All of them played, by as many programs as there are cores."""
    workers = max(2, os.cpu_count() or 2)
    names = [each.name for each in UNBROKEN.values()] + NAMES
    program = [sys.executable, str(ROOT / "tests" / "conformance" / "mutants"), "--play", "--json"]
    running = [
        subprocess.Popen([*program, *names[at::workers]], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for at in range(workers)
    ]
    found: dict[str, Found] = {}
    for each in running:
        said, wrong = each.communicate()
        assert each.returncode in (0, 1), wrong.decode()[-2_000:]
        for line in said.splitlines():
            one = msgspec.json.decode(line, type=Found)
            found[one.mutant] = one
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", BY_NAME)
def test_it_is_caught_by_what_it_names_alone(judged: dict[str, Found], name: str) -> None:
    found = judged[name]
    assert found.played
    assert found.problems == []
    assert found.escaped == []
    assert found.beside == []


def test_no_case_is_named_that_there_is_not() -> None:
    assert {case.id for each in MUTANTS for case in named(each)} <= {each.id for each in CASES}
