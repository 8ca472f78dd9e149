"""What a run amounts to: counts, coverage, the verdict and its reason."""

from __future__ import annotations

import shlex

import pytest

from graftwire.conformance.coverage import Covered
from graftwire.conformance.reports.tally import Counts, State, Tally, state, worst
from graftwire.conformance.results import Exit, RunResult, Verdict
from graftwire.conformance.roles import Level, Link, Role

from .conftest import result  # type: ignore[import-not-found]


def of(*results: object, **fields: object) -> Tally:
    return Tally(RunResult(started="now", results=list(results), **fields))  # type: ignore[arg-type]


def test_the_counts(run: RunResult) -> None:
    tally = Tally(run)
    assert {each: tally.counts[each] for each in State} == {
        State.PASSED: 2, State.FAILED: 3, State.KNOWN: 1, State.STALE: 1, State.NOT_IMPLEMENTED: 1, State.ERRORED: 1,
    }  # fmt: skip
    assert tally.counts.all == len(run.results)
    assert str(Counts()) == "none"


def test_a_case_passes_if_it_does_wherever_it_is_played(run: RunResult) -> None:
    assert Tally(run).passed(Level.MUST) == (2, 7)  # frame.length.zero, and call.named
    assert Tally(run).passed(Level.SHOULD) == (0, 0)
    absent = result("call.many", Verdict.NOT_IMPLEMENTED)
    assert of(absent).passed(Level.MUST) == (0, 1)
    assert of(absent, result("call.many", link=Link.WS)).passed(Level.MUST) == (1, 1)


def test_the_worst_counts(run: RunResult) -> None:
    assert worst(run.results) is State.FAILED
    assert worst([]) is None
    assert [state(each) for each in run.results][:2] == [State.PASSED, State.PASSED]


def test_clauses_have_their_results_by_role(run: RunResult) -> None:
    tally = Tally(run)
    assert list(tally.covered) == list(tally.standard)
    assert [each.case for each in tally.played["FRAME-2"][Role.INITIATOR]] == ["frame.length.zero"]
    assert set(tally.played) == {"FRAME-2", "ERR-2", "ERR-4"}
    assert "frame.length.over-24-bits" in tally.covered["FRAME-2"][Role.ACCEPTOR].cases


def test_a_clause_that_is_not_in_the_standard(run: RunResult) -> None:
    run.results.append(result("call.unary", clauses=("NEW-1",)))
    tally = Tally(run)
    assert list(tally.covered)[-1] == "NEW-1"
    assert tally.covered["NEW-1"] == {}


def test_clauses_without_a_case_are_those_of_the_run(run: RunResult) -> None:
    hole = Covered(clause="CALL-1", level=Level.MUST, role=Role.ACCEPTOR, cases=[])
    unseen = Covered(clause="CALL-1", level=Level.MUST, role=Role.INITIATOR, cases=[], unseen="Why.")
    run.clauses = [hole, unseen, Covered(clause="CALL-2", level=Level.MUST, role=Role.ACCEPTOR, cases=["x"])]
    assert Tally(run).unproved == [hole, unseen]


@pytest.mark.parametrize(
    ("tally", "exit", "verdict"),
    [
        (of(result("call.unary"), planned=1), Exit.DONE, "Conforms in everything that was played"),
        (of(result("call.unary", Verdict.FAILED)), Exit.FAILED, "Does not conform: 1 failed"),
        (of(result("call.unary", Verdict.FAILED, known="x")), Exit.DONE, "Conforms but for 1 known failure"),
        (of(result("call.unary", known="x")), Exit.STALE, "The list of known failures is stale"),
        (of(result("call.unary", Verdict.ERRORED)), Exit.HARNESS, "Not judged: something could not be played"),
        (of(result("call.unary"), ended="x", planned=2), Exit.HARNESS, "Not judged: the run is not complete"),
        (of(), Exit.DONE, "Nothing was played"),
    ],
)  # fmt: skip
def test_the_verdict(tally: Tally, exit: Exit, verdict: str) -> None:
    assert (tally.run.exit, tally.verdict) == (exit, verdict)


def test_a_partial_run_says_so() -> None:
    assert of(result("call.unary"), planned=1).partial == ""
    partial = of(result("call.unary"), ended="the run was interrupted", planned=1_200)
    assert partial.partial == "the run was interrupted: 1 of 1,200 were played"
    assert partial.reason == "the run was interrupted"


def test_what_plays_a_result_again_is_quoted(run: RunResult) -> None:
    run.options = ["--implements", "my file.json"]
    told = Tally(run).replay(run.results[0])
    assert shlex.split(told) == [
        "graftwire", "conform", "--case", "frame.length.zero", "--role", "acceptor", "--link", "tcp",
        "--implements", "my file.json", "--", *run.command,
    ]  # fmt: skip
    run.command = ["unix:/tmp/a b"]
    assert Tally(run).replay(run.results[0]).endswith("'my file.json' 'unix:/tmp/a b'")
