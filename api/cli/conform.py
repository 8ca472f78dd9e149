"""`graftwire conform`: the conformance suite against a peer that runs, or against a target that it starts."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from graftwire.conformance.cases import CASES
from graftwire.conformance.corpus import write as write_corpus
from graftwire.conformance.coverage import coverage, line_of
from graftwire.conformance.errors import HarnessError
from graftwire.conformance.printing import lines_of, list_line
from graftwire.conformance.reports import Kind, Outputs, check, write
from graftwire.conformance.results import Exit, RunResult, Verdict
from graftwire.conformance.roles import ALL_LINKS, BOTH, Link, Role
from graftwire.conformance.running import Options
from graftwire.conformance.running import run as run_suite
from graftwire.conformance.selecting import (
    KnownFailures,
    Selection,
    read_implements,
    read_known_failures,
)

from .conform_view import View
from .failure import Failure, Interrupted
from .output import complain, json_line, line
from .running import run


def conform(
    words: Sequence[str],
    *,
    roles: Sequence[str],
    links: Sequence[str],
    cases: Sequence[str],
    chapters: Sequence[str],
    must_only: bool,
    repeat: int,
    jobs: int,
    ca: str | None,
    implements: str | None,
    known_failures: str | None,
    outputs: Outputs,
    list_only: bool,
    clauses_only: bool,
    corpus: str | None,
    print_only: str | None,
    as_json: bool,
) -> int:
    """Run what is asked for; returns the exit code (`graftwire.conformance.results.Exit`).

    Raises Failure for what can't be begun.
    """
    try:
        selection = Selection(
            roles=[_role(each) for each in roles] or BOTH,
            links=[_link(each) for each in links] or ALL_LINKS,
            cases=[print_only] if print_only is not None else cases,
            chapters=chapters,
            must_only=must_only,
        )
        if list_only:
            for case in selection.of(CASES):
                line(list_line(case))
            return Exit.DONE
        if clauses_only:
            for row in coverage(selection.of(CASES)):
                if row.role in selection.roles:
                    line(line_of(row))
            return Exit.DONE
        if corpus is not None:
            count = write_corpus(selection.of(CASES), Path(corpus))
            line(f"wrote {count:,} streams to {corpus}")
            return Exit.DONE
        url = words[0] if len(words) == 1 and _is_url(words[0]) else None
        told = None if implements is None else read_implements(Path(implements))
        options = Options(
            selection=selection,
            command=() if url is not None else words,
            url=url,
            authority=None if ca is None else Path(ca),
            jobs=jobs,
            repeat=repeat,
            known=KnownFailures() if known_failures is None else read_known_failures(Path(known_failures)),
            implements=None if told is None else frozenset(told.implements),
            name="" if told is None else told.name,
        )
        if print_only is not None:
            return _print(options)
        given = [
            word
            for name, value in (("--ca", ca), ("--implements", implements))
            if value is not None
            for word in (name, value)
        ]
        return _run(options, outputs, given, as_json=as_json)
    except HarnessError as error:
        raise Failure(str(error), Exit.HARNESS, kind="harness") from None


def _role(text: str) -> Role:
    if text not in tuple(Role):
        raise Failure("--role is acceptor or initiator: the role of what is tested")
    return Role(text)


def _link(text: str) -> Link:
    if text not in tuple(Link):
        raise Failure(f"--link is one of {', '.join(Link)}")
    return Link(text)


def _is_url(text: str) -> bool:
    return re.match(r"[a-z][a-z0-9+.-]+:", text) is not None


def _print(options: Options) -> int:
    """Show the bytes of a case; where there is a target, wait for Enter and play it."""
    instances = options.selection.instances(CASES)
    if not instances:
        raise Failure("the case is not for that role or link")
    first = instances[0]
    for each in lines_of(first):
        line(each)
    if not options.command and options.url is None:
        return Exit.DONE
    line("press Enter to play it")
    sys.stdin.readline()
    one = Selection((first.role,), (first.link,), (first.case.id,))
    return _run(
        Options(one, options.command, options.url, options.authority, jobs=1), Outputs(), [], as_json=False
    )


def outputs_of(
    html: str | None, junit: str | None, jsonl: str | None, badge: str | None, directory: str | None
) -> Outputs:
    """The reports that options ask for."""
    files = ((Kind.HTML, html), (Kind.JUNIT, junit), (Kind.JSONL, jsonl), (Kind.BADGE, badge))
    return Outputs(
        tuple((kind, Path(path)) for kind, path in files if path is not None),
        None if directory is None else Path(directory),
    )


def _run(options: Options, outputs: Outputs, given: Sequence[str], *, as_json: bool) -> int:
    """Play, show, and write the reports, also of a run that does not come to its end."""
    if not options.command and options.url is None:
        raise Failure(
            "conform needs a URL, or -- and the command of a target: graftwire conform -- graftwire reference"
        )
    check(outputs)
    found = RunResult(started="", options=list(given))
    view = View(found, quiet=as_json)
    try:
        with view:
            run(partial(run_suite, options, view.result, on_begin=view.begin, into=found))
    except BaseException as error:
        if found.started:
            found.ended = "the run was interrupted" if isinstance(error, Interrupted) else "the run failed"
            _report(found, view, outputs, as_json=as_json, ended=True)
        raise
    _report(found, view, outputs, as_json=as_json)
    return found.exit


def _report(found: RunResult, view: View, outputs: Outputs, *, as_json: bool, ended: bool = False) -> None:
    """The files first: nobody may be there any more to read the rest."""
    try:
        written = write(found, outputs)
    except HarnessError as error:
        if not ended:
            raise
        complain(Failure(str(error), kind="harness"), as_json=as_json)  # how the run ended counts more
        return
    if as_json:
        json_line(_summary(found))
        return
    view.conclude()
    for path in written:
        line(f"wrote {path}")


def _summary(found: RunResult) -> dict[str, object]:
    return {
        "seconds": found.seconds,
        **{str(each): found.count(each) for each in Verdict},
        "problems": found.problems,
        "unknown": found.unknown,
        "ended": found.ended,
        "exit": int(found.exit),
    }
