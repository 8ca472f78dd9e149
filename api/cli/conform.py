"""`graftwire conform`: the conformance suite against a peer that runs, or against a target that it starts."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from rich.text import Text

from graftwire.conformance.cases import CASES
from graftwire.conformance.coverage import coverage, line_of
from graftwire.conformance.errors import HarnessError
from graftwire.conformance.printing import lines_of, list_line
from graftwire.conformance.results import CaseResult, Exit, RunResult, Verdict, to_json
from graftwire.conformance.roles import ALL_LINKS, BOTH, Link, Role
from graftwire.conformance.running import Options
from graftwire.conformance.running import run as run_suite
from graftwire.conformance.selecting import (
    KnownFailures,
    Selection,
    read_implements,
    read_known_failures,
)

from .failure import Failure
from .output import console, json_line, line
from .running import run

_STYLES: Final = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "red",
    Verdict.NOT_IMPLEMENTED: "yellow",
    Verdict.ERRORED: "magenta",
}


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
    jsonl: str | None,
    list_only: bool,
    clauses_only: bool,
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
        url = words[0] if len(words) == 1 and _is_url(words[0]) else None
        options = Options(
            selection=selection,
            command=() if url is not None else words,
            url=url,
            authority=None if ca is None else Path(ca),
            jobs=jobs,
            repeat=repeat,
            known=KnownFailures() if known_failures is None else read_known_failures(Path(known_failures)),
            implements=None
            if implements is None
            else frozenset(read_implements(Path(implements)).implements),
        )
        if print_only is not None:
            return _print(options)
        return _run(options, jsonl, as_json=as_json)
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
    return _run(Options(one, options.command, options.url, options.authority, jobs=1), None, as_json=False)


def _run(options: Options, jsonl: str | None, *, as_json: bool) -> int:
    if not options.command and options.url is None:
        raise Failure(
            "conform needs a URL, or -- and the command of a target: graftwire conform -- graftwire reference"
        )
    with ExitStack() as stack:
        try:
            file = None if jsonl is None else stack.enter_context(open(jsonl, "wb"))
        except OSError as error:
            raise Failure(f"{jsonl} can't be written: {(error.strerror or 'unknown').lower()}") from None

        def told(result: CaseResult) -> None:
            if file is not None:
                file.write(to_json(result) + b"\n")
            if not as_json and (result.counts_as_failed or result.stale or result.verdict is Verdict.ERRORED):
                _say(result)

        found = run(partial(run_suite, options, told))
    if as_json:
        json_line(_summary(found))
    else:
        _conclude(found)
    return found.exit


def _say(result: CaseResult) -> None:
    text = Text.assemble((f"{result.verdict:<8}", _STYLES[result.verdict]), " ", result.name)
    if result.stale:
        text = Text.assemble(
            ("stale   ", "yellow"), " ", result.name, " passes, and is listed as a known failure"
        )
    elif result.detail:
        text.append(f": {result.detail}")
    line(text)
    if not result.stale:
        line(Text(f"         {', '.join(result.clauses)}; graftwire conform {result.replay} …", style="dim"))


def _conclude(found: RunResult) -> None:
    for problem in found.problems:
        line(f"harness: {problem}", to=console(error=True))
    for name in found.unknown:
        line(f"the list of known failures names {name}, which there is not")
    counts = ", ".join(f"{found.count(each)} {each}" for each in Verdict if found.count(each))
    line(f"{counts} in {found.seconds:.1f} s")


def _summary(found: RunResult) -> dict[str, object]:
    return {
        "seconds": found.seconds,
        **{str(each): found.count(each) for each in Verdict},
        "problems": found.problems,
        "unknown": found.unknown,
        "exit": int(found.exit),
    }
