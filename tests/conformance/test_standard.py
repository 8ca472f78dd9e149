"""The clauses are those of the page, each with its section and its levels."""

from __future__ import annotations

import re
from pathlib import Path

from graftwire.conformance.cases import CASES
from graftwire.conformance.roles import Level
from graftwire.conformance.standard import clauses, parse

PAGE = (Path(__file__).parents[2] / "spec" / "PROTOCOL.md").read_text(encoding="utf-8")


def test_all_of_them() -> None:
    found = clauses()
    assert list(found) == re.findall(r"\*\*\[([A-Z]+-\d+)\]\*\*", PAGE)
    assert found == parse(PAGE)
    for id, each in found.items():
        assert each.id == id
        assert each.section[0].isdigit()
        assert "Violation" in each.text
        assert "\n" not in each.text


def test_one_of_them() -> None:
    found = clauses()["FRAME-8"]
    assert found.section == "4.1 Length and array"
    assert found.levels == (Level.MUST, Level.MAY)
    assert found.level is Level.MUST
    assert found.text.startswith("A link MUST end between two frames.")


def test_the_most_that_a_clause_asks_for() -> None:
    found = parse("## 1 Of it\n**[A-1]** It SHOULD, and\nMAY.\n\nIt MUST.\n**[A-2]** Nothing.\n")
    assert {id: each.level for id, each in found.items()} == {"A-1": Level.SHOULD, "A-2": Level.MAY}
    assert found["A-1"].text == "It SHOULD, and MAY."
    assert {each.section for each in found.values()} == {"1 Of it"}


def test_the_cases_name_no_other() -> None:
    assert {clause for each in CASES for clause in each.clauses} <= set(clauses())
