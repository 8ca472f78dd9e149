"""Every clause with MUST has a case for each role that it binds, or a reason why no case can prove it."""

from __future__ import annotations

import re

import pytest

from graftwire.conformance import standard
from graftwire.conformance.case import Alive, Case
from graftwire.conformance.cases import CASES
from graftwire.conformance.coverage import (
    Exceptions,
    coverage,
    exceptions,
    faults,
    line_of,
)
from graftwire.conformance.roles import BOTH, Role

STANDARD = standard.parse("**[A-1]** MUST.\n\n**[A-2]** MUST.\n\n**[A-3]** MAY.\n")
NOTHING = Exceptions(binds={}, unseen={})


def proving(clause: str, *roles: Role) -> Case:
    return Case(
        id=f"it.{clause.lower()}",
        chapter="it",
        clauses=(clause,),
        says="It.",
        roles=roles or BOTH,
        outcomes=(Alive(),),
    )


def found(cases: list[Case], **known: object) -> list[str]:
    said = Exceptions(
        binds=known.get("binds", {}),  # type: ignore[arg-type]
        unseen=known.get("unseen", {}),  # type: ignore[arg-type]
    )
    rows = coverage(cases, standard=STANDARD, known=said)
    return [each.partition(":")[0] for each in faults(rows, standard=STANDARD, known=said)]


def test_every_clause_with_must_is_covered() -> None:
    assert list(faults(coverage(CASES))) == []


def test_reasons_are_sentences() -> None:
    for name, reason in exceptions().unseen.items():
        assert re.fullmatch(r"[A-Z].{30,}\.", reason), name


def test_a_hole() -> None:
    assert found([proving("A-1"), proving("A-2", Role.ACCEPTOR)]) == ["A-2 initiator has no case"]
    assert found([proving("A-1"), proving("A-2")]) == []


@pytest.mark.parametrize(
    ("known", "fault"),
    [
        ({"binds": {"A-2": Role.ACCEPTOR}}, None),
        ({"unseen": {"A-2": "Why."}}, "A-2 is unseen in clauses.toml, and it.a-2 proves it"),
        ({"unseen": {"A-2 initiator": "Why."}}, None),
    ],
)
def test_what_is_excepted(known: dict[str, object], fault: str | None) -> None:
    cases = [proving("A-1"), proving("A-2", Role.ACCEPTOR)]
    assert found(cases, **known) == ([] if fault is None else [fault])


@pytest.mark.parametrize(
    ("known", "fault"),
    [
        ({"binds": {"B-1": Role.ACCEPTOR}}, "clauses.toml names B-1, and the standard has no such clause"),
        ({"unseen": {"B-1": "Why."}}, "clauses.toml names B-1, and the standard has no such clause"),
        (
            {"binds": {"A-1": Role.ACCEPTOR}, "unseen": {"A-1 initiator": "Why."}},
            "clauses.toml names A-1 initiator, and the clause does not bind that role",
        ),
        (
            {"unseen": {"A-1 initiator": "Why."}},
            "A-1 initiator is unseen in clauses.toml, and it.a-1 proves it",
        ),
    ],
)
def test_what_is_stale(known: dict[str, object], fault: str) -> None:
    assert found([proving("A-1"), proving("A-2")], **known) == [fault]


def test_lines() -> None:
    cases = [proving("A-1")]
    rows = coverage(cases, standard=STANDARD, known=NOTHING)
    assert [line_of(each) for each in rows[1:4]] == [
        "A-1\tMUST\tinitiator\t1\tit.a-1",
        "A-2\tMUST\tacceptor\t0\tno case",
        "A-2\tMUST\tinitiator\t0\tno case",
    ]
