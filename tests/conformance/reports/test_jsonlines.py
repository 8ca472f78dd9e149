"""JSON lines: the run, its results, the summary, as the reference page has them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from graftwire.conformance.coverage import exceptions
from graftwire.conformance.reports import json_lines
from graftwire.conformance.results import RunResult

from .conftest import assert_no_secret, everything  # type: ignore[import-not-found]

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "conformance-reports.md").read_text(
    encoding="utf-8"
)


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return [json.loads(each) for each in json_lines(everything())]


def test_their_order(lines: list[dict[str, Any]]) -> None:
    assert [each["type"] for each in lines] == ["run", *["result"] * 9, "summary"]
    assert lines[0]["schema"] == "graftwire-conformance-report/1"


def test_each_is_one_line_of_ascii() -> None:
    for each in json_lines(everything()):
        assert each.endswith(b"\n")
        assert each.count(b"\n") == 1
        assert each.isascii()


@pytest.mark.parametrize("kind", ["run", "result", "summary", "transcript", "entry", "row", "clause"])
def test_the_page_has_every_member_and_no_other(lines: list[dict[str, Any]], kind: str) -> None:
    section = PAGE.partition(f"### `{kind}`")[2].partition("\n##")[0]
    documented = set(re.findall(r"^\| `([\w-]+)` \|", section, re.MULTILINE))
    of = {each["type"]: each for each in lines}
    transcripts = [each["transcript"] for each in lines if each.get("transcript")]
    entries = [entry for each in transcripts for entry in each["entries"]]
    found: dict[str, dict[str, Any]] = {
        **of,
        "transcript": transcripts[0],
        "entry": entries[0],
        "row": entries[0]["rows"][0],
        "clause": lines[-1]["clauses-without-case"][0],
    }
    assert documented == set(found[kind])


def test_results(lines: list[dict[str, Any]]) -> None:
    by_name = {each["name"]: each for each in lines if each["type"] == "result"}
    passed = by_name["frame.length.zero acceptor tcp"]
    assert (passed["verdict"], passed["transcript"]) == ("passed", None)
    assert passed["says"] == "A length of 0."
    failed = by_name["call.undeclared acceptor tcp"]
    assert failed["detail"] == "it said [canary exception]"
    assert [each["name"] for each in failed["transcript"]["entries"]][:2] == ["HELLO", "AUTH"]
    assert by_name["call.named acceptor tcp"]["stale"] is True
    assert by_name["frame.length.one acceptor tcp"]["last_words"] == "a line\nthe last one"
    assert by_name["frame.length.all-ones acceptor tcp"]["usage"]["peak_memory"] == 2**24


def test_the_summary_adds_up(lines: list[dict[str, Any]]) -> None:
    last = lines[-1]
    counts = [last[each] for each in ("passed", "failed", "known", "not-implemented", "errored")]
    assert sum(counts) == last["results"] == 9
    assert (last["exit"], last["partial"]) == (1, None)
    assert last["cases"]["MUST"] == {"passed": 2, "of": 7}
    unproved = {each["clause"]: each["reason"] for each in last["clauses-without-case"] if each["reason"]}
    assert unproved["AUTH-12"] == exceptions().unseen["AUTH-12"]
    assert not any(each["hole"] for each in last["clauses-without-case"])


def test_no_secret_is_in_it() -> None:
    assert_no_secret(b"".join(json_lines(everything())))


def test_a_partial_run_says_so(run: RunResult) -> None:
    run.ended, run.planned = "the run was interrupted", 12
    last = json.loads(list(json_lines(run))[-1])
    assert (last["partial"], last["exit"]) == ("the run was interrupted: 9 of 12 were played", None)
