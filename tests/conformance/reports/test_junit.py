"""The XML is what the usual readers of JUnit take, whatever a target has said."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from graftwire.conformance.reports import junit
from graftwire.conformance.reports.junit import fit
from graftwire.conformance.results import RunResult

from .conftest import assert_no_secret, everything  # type: ignore[import-not-found]

# What the usual readers know: of an element, the attributes that it has to have, those that it may have, its children.
SUITE = {"name", "tests", "failures", "errors", "skipped", "time"}
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"tests", "failures", "errors"}, {"name", "time", "skipped"}, {"testsuite"}),
    "testsuite": (SUITE, {"timestamp"}, {"properties", "testcase"}),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "testcase": ({"name", "classname", "time"}, set(), {"skipped", "failure", "error", "system-out", "system-err"}),
    "skipped": ({"message"}, set(), set()),
    "failure": ({"message", "type"}, set(), set()),
    "error": ({"message", "type"}, set(), set()),
    "system-out": (set(), set(), set()),
    "system-err": (set(), set(), set()),
}  # fmt: skip


@pytest.fixture(scope="module")
def document() -> ET.Element:
    return ET.fromstring(junit(everything()))  # noqa: S314 - our own


def cases(document: ET.Element) -> dict[str, ET.Element]:
    return {each.get("name", ""): each for each in document.iter("testcase")}


def test_elements_and_attributes(document: ET.Element) -> None:
    assert document.tag == "testsuites"
    for each in document.iter():
        needed, allowed, children = SCHEMA[each.tag]
        assert needed <= set(each.attrib) <= needed | allowed, each.tag
        assert {child.tag for child in each} <= children


def test_names(document: ET.Element) -> None:
    found = cases(document)
    assert "frame.length.zero initiator ws" in found
    assert {each.get("classname") for each in found.values()} == {"framing", "calls", "the run"}
    assert len(found) == 9 + 2


def test_the_counts_add_up(document: ET.Element) -> None:
    for suite in (document, *document):
        inside = list(suite.iter("testcase"))
        assert int(suite.get("tests", "")) == len(inside)
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(attribute, "")) == sum(each.find(tag) is not None for each in inside)


def outcome(document: ET.Element, name: str) -> tuple[str, str | None]:
    child = next(iter(cases(document)[name]))
    return child.tag, child.get("message")


def test_what_became_of_each(document: ET.Element) -> None:
    assert list(cases(document)["frame.length.zero acceptor tcp"]) == []
    assert outcome(document, "call.undeclared acceptor tcp") == (
        "failure",
        "it said [canary exception]",
    )
    assert outcome(document, "call.unary acceptor tcp") == ("skipped", "known failure: it is slow")
    assert outcome(document, "call.many acceptor tcp") == ("skipped", "the target does not implement hosting")
    assert outcome(document, "call.named acceptor tcp")[0] == "failure"
    assert outcome(document, "frame.length.all-ones acceptor tcp") == (
        "error",
        "the harness failed (OSError)",
    )
    assert outcome(document, "known failure call.never")[0] == "failure"
    assert outcome(document, "harness 1") == ("error", "the harness had no <certificate>")


def test_a_failure_tells_its_story(document: ET.Element) -> None:
    case = cases(document)["call.undeclared acceptor tcp"]
    story = case.findtext("failure") or ""
    assert "MUST, ERR-2, ERR-4" in story
    assert (
        "replay: graftwire conform --case call.undeclared --role acceptor --link tcp -- node main.mjs"
        in story
    )
    transcript = case.findtext("system-out") or ""
    assert "target 3: ERROR" in transcript
    assert "body: 34 bytes" in transcript


def test_last_words(document: ET.Element) -> None:
    assert cases(document)["frame.length.one acceptor tcp"].findtext("system-err") == "a line\nthe last one"


def test_control_characters_are_escaped(document: ET.Element) -> None:
    assert outcome(document, "frame.length.one acceptor tcp")[1] == "not <what> was\\x00\\x1b due"
    assert fit("a\tb\nc\r\x00\x85\ud800\ufffe😀ü") == "a\tb\nc\\r\\x00\\x85\\ud800\\ufffe😀ü"


def test_no_secret_is_in_it() -> None:
    assert_no_secret(junit(everything()))


def test_a_partial_run_is_an_error(run: RunResult) -> None:
    run.ended, run.planned = "the run was interrupted", 20
    found = ET.fromstring(junit(run))  # noqa: S314 - our own
    told = ("error", "the run was interrupted: 9 of 20 were played")
    assert outcome(found, "everything was played") == told


def test_an_empty_run() -> None:
    found = ET.fromstring(junit(RunResult(started="now")))  # noqa: S314 - our own
    assert found.get("tests") == "0"
