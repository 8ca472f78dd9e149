"""JUnit XML, as GitLab, Jenkins and the actions of GitHub read it: a suite for each chapter, a case for each result."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

from ..results import CaseResult, RunResult
from .tally import State, Tally, state
from .transcripts import told

ROWS: Final = 80  # of one transcript
RUN: Final = "the run"  # the suite of what concerns no case
# What XML 1.0 can't hold, not even escaped; and the other control characters, which readers trip over.
_UNFIT: Final = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COUNTED: Final = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def junit(run: RunResult) -> bytes:
    """The document. A known failure is skipped, with its reason; a pass in spite of one is a failure."""
    tally = Tally(run)
    root = ET.Element("testsuites", name="graftwire conformance", time=f"{run.seconds:.3f}")
    for chapter, cases in tally.chapters.items():
        suite = ET.SubElement(root, "testsuite", name=chapter, timestamp=run.started)
        _properties(suite, tally)
        for case in cases:
            for result in tally.by_case[case]:
                _case(suite, tally, result)
    _of_the_run(root, tally)
    for each in (root, *root):
        _count(each)
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def fit(text: str) -> str:
    """The text with what XML can't hold written as escapes of Python's."""
    return _UNFIT.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def _properties(suite: ET.Element, tally: Tally) -> None:
    run = tally.run
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("suite", run.version),
        ("protocol", str(run.protocol)),
        ("targets", ", ".join(run.targets)),
        ("command", tally.command),
    ):
        ET.SubElement(properties, "property", name=name, value=fit(value))


def _case(suite: ET.Element, tally: Tally, result: CaseResult) -> None:
    case = ET.SubElement(
        suite, "testcase", name=fit(result.name), classname=fit(result.chapter), time=f"{result.seconds:.3f}"
    )
    found = state(result)
    match found:
        case State.PASSED:
            return
        case State.NOT_IMPLEMENTED:
            ET.SubElement(case, "skipped", message=fit(result.detail or "not implemented"))
            return
        case State.KNOWN:
            ET.SubElement(case, "skipped", message=fit(f"known failure: {result.known}"))
        case State.FAILED:
            _add(case, "failure", "failed", result.detail, _story(tally, result))
        case State.STALE:
            sentence = f"it passes, and is listed as a known failure: {result.known}"
            _add(case, "failure", "stale", sentence, _story(tally, result))
        case State.ERRORED:
            _add(case, "error", "harness", result.detail, _story(tally, result))
    if result.transcript is not None:
        ET.SubElement(case, "system-out").text = _transcript(result)
    if result.last_words:
        ET.SubElement(case, "system-err").text = fit(result.last_words)


def _add(case: ET.Element, tag: str, kind: str, message: str, text: str) -> None:
    element = ET.SubElement(case, tag, message=fit(message or kind), type=kind)
    element.text = fit(text)


def _story(tally: Tally, result: CaseResult) -> str:
    described = tally.cases.get(result.case)
    lines = [
        described.says if described is not None else "",
        f"{result.level}, {', '.join(result.clauses)}",
        f"expected: {result.expected}",
        f"happened: {result.happened}" if result.happened else "",
        f"{result.passes} of {result.plays} plays passed" if result.plays > 1 else "",
        f"replay: {tally.replay(result)}",
    ]
    return "\n".join(each for each in lines if each)


def _transcript(result: CaseResult) -> str:
    """The transcript as text, a line a row."""
    assert result.transcript is not None
    shown = told(result.transcript, rows=ROWS)
    lines: list[str] = []
    for entry in shown.entries:
        number = f" {entry.number}" if entry.number is not None else ""
        lines.append(f"{entry.at:9.4f} s  {entry.direction}{number}: {entry.name}")
        lines += [f"{row.offset:>8}  {row.hex}  {row.text}" for row in entry.rows]
    if shown.left_out:
        lines.append(f"{shown.left_out} more are left out here")
    return fit("\n".join(lines))


def _of_the_run(root: ET.Element, tally: Tally) -> None:
    """What concerns no case: an early end, problems of the harness, lines of known failures that name nothing."""
    run = tally.run
    if not (tally.partial or run.problems or run.unknown):
        return
    suite = ET.SubElement(root, "testsuite", name=RUN, timestamp=run.started)
    if tally.partial:
        case = ET.SubElement(suite, "testcase", name="everything was played", classname=RUN, time="0.000")
        _add(case, "error", "partial", tally.partial, tally.partial)
    for number, problem in enumerate(run.problems, 1):
        case = ET.SubElement(suite, "testcase", name=f"harness {number}", classname=RUN, time="0.000")
        _add(case, "error", "harness", problem, problem)
    for name in run.unknown:
        case = ET.SubElement(
            suite, "testcase", name=fit(f"known failure {name}"), classname=RUN, time="0.000"
        )
        sentence = "the list of known failures names it, and there is no such case, role or link"
        _add(case, "failure", "stale", sentence, sentence)


def _count(element: ET.Element) -> None:
    found = list(element.iter("testcase"))
    element.set("tests", str(len(found)))
    for attribute, tag in _COUNTED.items():
        element.set(attribute, str(sum(each.find(tag) is not None for each in found)))
    if element.tag == "testsuite":
        element.set("time", f"{sum(float(each.get('time', '0')) for each in found):.3f}")
