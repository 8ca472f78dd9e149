"""The summary as text: short, in one piece."""

from __future__ import annotations

from graftwire.conformance.reports import summary
from graftwire.conformance.results import RunResult


def test_it(run: RunResult) -> None:
    lines = summary(run)
    assert lines[0].startswith("Graftwire conformance of graft.js <script>")
    assert "framing ✗ 1/3" in [" ".join(each.split()) for each in lines]
    assert "  harness: the harness had no <certificate>" in lines
    assert "  the list of known failures names call.never, which there is not" in lines
    assert "cases that passed wherever they were played: 2 of 7 MUST" in lines
    assert lines[-1].startswith("Does not conform: 3 failed (exit code 1: ")


def test_nothing_in_it_does_anything_to_a_terminal(run: RunResult) -> None:
    run.problems = ["it printed \n\x1b[2J"]
    lines = summary(run)
    assert all(each.isprintable() for each in lines)


def test_in_ascii(run: RunResult) -> None:
    lines = summary(run, ascii_only=True)
    assert "\n".join(lines).isascii()
    assert "x 1/3" in "\n".join(lines)


def test_a_partial_run(run: RunResult) -> None:
    run.ended, run.planned, run.results = "the run was interrupted", 9, run.results[:2]
    lines = summary(run)
    assert "not complete: the run was interrupted: 2 of 9 were played" in lines
    assert lines[-1] == "Not judged: the run is not complete (the run was interrupted)"
