"""`graftwire audit`: whether the lines of an audit log still hang together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from graftwire.gateway.audit import verify as checking
from graftwire.gateway.audit.verify import Finding, Report

from .failure import Exit, Failure
from .notation import counted
from .output import console, json_line, line, printable

_LONG: Final = 64 * 1_048_576  # bytes that take long enough to be told how far it is


def verify(files: Sequence[str], expect: str | None, *, as_json: bool) -> None:
    """Print what was found in the log that `files` are, and its last number and hash.

    Raises Failure if it is broken, SecurityError if it can't be read.
    """
    with _progress(files) as progress:
        report = checking.verify(files, expect=expect, progress=progress)
    if as_json:
        json_line(told_as_json(report))
    else:
        for text in told(report):
            line(text)
    if not report.intact:
        raise Failure(_broken(report), Exit.FAILED, kind="audit")


def told(report: Report) -> Iterator[str]:
    """What is said of a log: a line for each finding, then its numbers and its last hash."""
    for finding in (*report.notes, *report.problems):
        yield f"{_place(finding)}{finding.kind}: {finding.text}"
    if report.more:
        yield f"and {counted(report.more, 'problem')} more"
    lines = f"{counted(report.lines, 'line')} in {counted(len(report.files), 'file')}"
    numbers = (
        f", numbers {report.first} to {report.last}" if report.lines and report.first is not None else ""
    )
    state = "intact" if report.lines else "empty, so nothing is checked"
    yield f"{lines}{numbers}: {state if report.intact else 'broken'}"
    if report.hash is not None:
        yield f"last hash {report.hash}"


def _broken(report: Report) -> str:
    many = (
        f" (and {len(report.problems) - 1 + report.more} more)"
        if len(report.problems) + report.more > 1
        else ""
    )
    first = report.problems[0]
    return f"the audit log is broken: {_place(first)}{first.text}{many}"


def _place(finding: Finding) -> str:
    return "" if finding.file is None else f"{printable(finding.file)} line {finding.line}: "


def told_as_json(report: Report) -> dict[str, object]:
    """The same as an object for JSON."""
    return {
        "files": list(report.files),
        "lines": report.lines,
        "first": report.first,
        "last": report.last,
        "hash": report.hash,
        "expected": report.expected,
        "intact": report.intact,
        "problems": [_finding(finding) for finding in report.problems],
        "notes": [_finding(finding) for finding in report.notes],
        "more": report.more,
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {"kind": finding.kind, "text": finding.text, "file": finding.file, "line": finding.line}


@contextmanager
def _progress(files: Sequence[str]) -> Generator[Callable[[int], None] | None]:
    """What shows on a terminal how far it is; None where nobody looks, or it is done at once."""
    total = sum(os.path.getsize(file) for file in set(files) if os.path.isfile(file))
    if sys.stderr is None or not sys.stderr.isatty() or total < _LONG:
        yield None
        return
    columns = TextColumn("checking"), BarColumn(), DownloadColumn()
    with Progress(*columns, console=console(error=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda more: progress.advance(task, more)
