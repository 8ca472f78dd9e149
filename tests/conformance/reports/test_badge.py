"""The badge is one line of SVG that needs nothing from elsewhere."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from graftwire.conformance.reports import badge
from graftwire.conformance.results import RunResult, Verdict

from .conftest import assert_no_secret, everything, result  # type: ignore[import-not-found]

SVG = "{http://www.w3.org/2000/svg}"
GREEN, RED, GREY = "#1a7f37", "#c0271f", "#626a73"


def drawn(run: RunResult) -> tuple[str, str]:
    """The words, and the colour behind them."""
    root = ET.fromstring(badge(run))  # noqa: S314 - our own
    words = " | ".join(each.text or "" for each in root.iter(f"{SVG}text"))
    return words, [each.get("fill") or "" for each in root.iter(f"{SVG}rect")][-1]


@pytest.mark.parametrize(
    ("run", "words", "colour"),
    [
        (RunResult(started="now", results=[result("call.unary")]), "1 of 1 MUST", GREEN),
        (RunResult(started="now", results=[result("call.unary", Verdict.FAILED)]), "0 of 1 MUST", RED),
        (
            RunResult(started="now", results=[result("call.unary", Verdict.FAILED, known="x")]),
            "0 of 1 MUST",
            GREEN,
        ),
        (RunResult(started="now", results=[result("call.unary", Verdict.ERRORED)]), "0 of 1 MUST", GREY),
        (
            RunResult(started="now", results=[result("call.unary")], planned=2, ended="x"),
            "1 of 1 MUST, incomplete",
            GREY,
        ),
        (RunResult(started="now"), "no MUST played", GREY),
    ],
)
def test_its_words_and_colour(run: RunResult, words: str, colour: str) -> None:
    assert drawn(run) == (f"graftwire conformance | {words}", colour)


def test_it_has_words_for_those_who_do_not_see_it() -> None:
    root = ET.fromstring(badge(everything()))  # noqa: S314 - our own
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == root.get("aria-label") == "graftwire conformance: 2 of 7 MUST"
    assert "3 failed" in (root.findtext(f"{SVG}desc") or "")


def test_it_is_self_contained() -> None:
    made = badge(everything())
    assert made.replace(b"http://www.w3.org/2000/svg", b"").count(b"http") == 0
    assert b"<script" not in made
    assert_no_secret(made)
