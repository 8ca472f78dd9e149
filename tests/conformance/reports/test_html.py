"""The page is complete in itself, well-formed, accessible, bounded, and gives nothing away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise

import msgspec
import pytest

from graftwire.conformance.coverage import Covered, exceptions
from graftwire.conformance.reports import html
from graftwire.conformance.reports.casepages import FAILED_BUDGET, PASSED_BUDGET
from graftwire.conformance.reports.styling import STYLE
from graftwire.conformance.results import RunResult, Verdict
from graftwire.conformance.roles import ALL_LINKS, BOTH, Level, Role
from graftwire.conformance.standard import clauses

from .conftest import GUARDED, assert_no_secret, everything, result  # type: ignore[import-not-found]

VOID = {"meta", "input", "br", "col"}


class Node:
    def __init__(self, tag: str, attributes: dict[str, str | None], parent: Node | None) -> None:
        self.tag = tag
        self.attributes = attributes
        self.parent = parent
        self.parts: list[Node | str] = []

    def all(self, *tags: str) -> Iterator[Node]:
        for child in self.children:
            if not tags or child.tag in tags:
                yield child
            yield from child.all(*tags)

    @property
    def children(self) -> list[Node]:
        return [each for each in self.parts if isinstance(each, Node)]

    @property
    def text(self) -> str:
        return "".join(each.text if isinstance(each, Node) else each for each in self.parts)


class Tree(HTMLParser):
    """Builds a tree, and takes no markup that is not well-formed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.root = Node("", {}, None)
        self._here = self.root
        self.feed(page)
        self.close()
        assert self._here is self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        node = Node(tag, dict(attrs), self._here)
        self._here.parts.append(node)
        if tag not in VOID:
            self._here = node

    def handle_endtag(self, tag: str) -> None:
        assert tag == self._here.tag
        assert self._here.parent is not None
        self._here = self._here.parent

    def handle_data(self, data: str) -> None:
        self._here.parts.append(data)


@pytest.fixture(scope="module")
def page() -> Node:
    return Tree(html(everything()).decode()).root


def test_it_loads_nothing(page: Node) -> None:
    for each in page.all():
        assert not {"src", "srcset", "data", "action", "background", "style"} & set(each.attributes)
        assert not any(name.startswith("on") for name in each.attributes)
        href = each.attributes.get("href")
        assert href is None or href.startswith("#")
        assert each.tag not in {"link", "iframe", "object", "embed", "img", "base"}
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    policy = next(each for each in page.all("meta") if each.attributes.get("http-equiv"))
    assert (policy.attributes["content"] or "").startswith("default-src 'none'; style-src 'sha256-")


def test_nothing_that_a_target_says_becomes_markup(page: Node) -> None:
    assert len(list(page.all("script"))) == 1
    assert not list(page.all("b")) or all(each.parent and each.parent.tag == "li" for each in page.all("b"))
    (title,) = page.all("title")
    assert title.text == "Graftwire conformance of graft.js <script>alert(1)</script> \\x1b[31m\\u202e"
    assert "not <what> was\\x00\\x1b due" in page.text


def test_ids_are_unique_and_links_lead_somewhere(page: Node) -> None:
    ids = [each.attributes["id"] for each in page.all() if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    for each in page.all("a"):
        assert (each.attributes["href"] or "")[1:] in ids
    for id in ids:
        assert re.fullmatch(r"[A-Za-z][\w.-]*", id or "")


def test_headings_are_in_order(page: Node) -> None:
    levels = [int(each.tag[1]) for each in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables_say_what_they_are(page: Node) -> None:
    tables = list(page.all("table"))
    assert len(tables) > 6
    captions = [next(iter(each.children)) for each in tables]
    assert all(each.tag == "caption" and each.text for each in captions)
    assert all("scope" in each.attributes for table in tables for each in table.all("th"))
    boxes = [each for each in page.all("div") if each.attributes.get("class") == "scroll"]
    assert all(each.attributes.get("tabindex") == "0" and each.attributes.get("aria-label") for each in boxes)


def test_it_has_a_language_a_title_and_landmarks(page: Node) -> None:
    (root,) = page.all("html")
    assert root.attributes["lang"] == "en"
    for tag in ("title", "header", "nav", "main", "footer"):
        assert len(list(page.all(tag))) == 1, tag
    skip = next(page.all("a"))
    assert (skip.attributes["href"], skip.attributes["class"]) == ("#summary", "skip")
    for each in page.all("input"):
        assert each.parent is not None
        assert each.parent.tag == "label"


def test_colour_is_not_the_only_sign(page: Node) -> None:
    for each in page.all("span"):
        if "state" in (each.attributes.get("class") or "").split():
            assert each.text[0] in "✓✗≈?\N{EN DASH}!○"
            assert len(each.text) > 2


def test_every_clause_is_there(page: Node) -> None:
    (table,) = (each for each in page.all("table") if each.attributes.get("class") == "clauses")
    rows = {each.attributes["id"]: each for each in table.all("th") if "id" in each.attributes}
    assert list(rows) == [f"clause-{id}" for id in clauses()]
    whole = " ".join(table.text.split())
    assert "A link MUST end between two frames. An end inside a frame, or inside its length" in whole
    assert "○ no case" not in whole
    for name, reason in exceptions().unseen.items():
        id = name.partition(" ")[0]
        row = rows[f"clause-{id}"].parent
        assert row is not None
        assert f"No case can prove it: {reason}" in row.text


def test_a_hole_is_called_one() -> None:
    run = everything()
    run.clauses = [
        Covered(clause="CALL-1", level=Level.MUST, role=Role.ACCEPTOR, cases=[]),
        Covered(clause="CALL-2", level=Level.MUST, role=Role.ACCEPTOR, cases=[], unseen="It is dark."),
        Covered(clause="CALL-2", level=Level.MUST, role=Role.INITIATOR, cases=["call.other"]),
    ]
    told = " ".join(Tree(html(run).decode()).root.text.split())
    assert "The suite has no case for 1 clause with a MUST: CALL-1." in told
    assert "What no case can prove says why: CALL-2." in told
    assert "No case can prove it of an acceptor: It is dark." in told
    assert "1 case, not played" in told


def test_a_case_says_all_that_there_is_to_say(page: Node) -> None:
    (case,) = (each for each in page.all("details") if each.attributes.get("id") == "case-call.undeclared")
    assert "open" in case.attributes
    text = case.text
    for words in (
        "ERR-2",
        "MUST",
        "a session that lives",
        "it said [canary exception]",
        "as acceptor over tcp",
    ):
        assert words in text
    assert (
        "--case call.undeclared --role acceptor --link tcp -- node main.mjs --name 'it'\"'\"'s <b>js</b>'"
        in text
    )
    (transcript,) = (each for each in case.all("table"))
    cells = [each.text for each in transcript.all("td")]
    assert cells[:3] == ["0", "00 00 00 25", "length: 37 bytes"]
    assert "proof: 24 bytes, hidden (proof of alice: hidden)" in cells
    assert "16.0 MiB of memory at most, 0.25 s of CPU, 9 open files afterwards, 0.50 s to close" in page.text


def test_last_words(page: Node) -> None:
    assert "Its last words on standard errora line\nthe last one" in page.text


def test_what_passed_is_folded(page: Node) -> None:
    (case,) = (each for each in page.all("details") if each.attributes.get("id") == "case-frame.length.zero")
    assert "open" not in case.attributes
    inner = list(case.all("details"))
    assert len(inner) == 2  # one for each role
    assert all(each.attributes.get("class") == "folded" for each in inner)


def test_no_secret_is_in_it() -> None:
    made = html(everything())
    assert_no_secret(made)
    assert_no_secret(made.replace(b" ", b""))


def test_a_partial_run_says_so(run: RunResult) -> None:
    run.ended, run.planned = "the run was interrupted", 99
    text = Tree(html(run).decode()).root.text
    assert "This report is partial. the run was interrupted: 9 of 99 were played." in text


def test_an_empty_run() -> None:
    text = Tree(html(RunResult(started="not a time", ended="the run was interrupted")).decode()).root.text
    assert "the run was interrupted" in text
    assert "not a time" in text


@pytest.mark.parametrize("verdict", [Verdict.PASSED, Verdict.FAILED])
def test_it_is_bounded(verdict: Verdict) -> None:
    """Also where everything fails, each with a long transcript."""
    found = [
        result(f"call.number-{number}", verdict, role=role, link=link, detail="x" * 200, transcript=GUARDED)
        for number in range(150)
        for role in BOTH
        for link in ALL_LINKS
    ]
    run = RunResult(started="now", results=found, roles=list(BOTH), links=list(ALL_LINKS), planned=len(found))
    made = html(run)
    assert len(made) < 2 * 2**20 + (PASSED_BUDGET if verdict is Verdict.PASSED else FAILED_BUDGET)
    if verdict is Verdict.FAILED:
        assert b"is left out: the page would be too large" in made


def test_it_changes_nothing(run: RunResult) -> None:
    before = msgspec.json.encode(run)
    html(run)
    assert msgspec.json.encode(run) == before


# --- contrast -------------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * each for each in digits)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_contrast_is_that_of_aa(theme: int) -> None:
    block = STYLE.split("@media (prefers-color-scheme: dark)")[theme].partition("* { box-sizing")[0]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))
    inks = ("ink", "soft", "link", "passed", "failed", "known", "stale", "missing", "errored")
    pairs = [(ink, ground) for ink in inks for ground in ("paper", "panel")]
    pairs += [(each, f"{each}-tint") for each in ("passed", "failed", "known", "errored")]
    pairs.append(("stale", "known-tint"))
    for ink, ground in pairs:
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
