"""What a run amounts to, counted once for all reports."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final

from ..case import Case
from ..cases import BY_ID
from ..coverage import Covered
from ..results import CaseResult, Exit, RunResult, Verdict
from ..roles import Level, Link, Role
from ..standard import Clause, clauses


class State(StrEnum):
    """What became of one result, the list of known failures considered; the value is what reports call it."""

    PASSED = "passed"
    FAILED = "failed"
    KNOWN = "known to fail"
    STALE = "unexpectedly passed"
    NOT_IMPLEMENTED = "not implemented"
    ERRORED = "not judged"


# For several results together: the first of these that one of them has.
WORST: Final = (
    State.FAILED,
    State.STALE,
    State.ERRORED,
    State.KNOWN,
    State.NOT_IMPLEMENTED,
    State.PASSED,
)
# Colour is never the only sign.
SYMBOLS: Final = {
    State.PASSED: "✓",
    State.FAILED: "✗",
    State.KNOWN: "≈",
    State.STALE: "?",
    State.NOT_IMPLEMENTED: "\N{EN DASH}",
    State.ERRORED: "!",
}
EXITS: Final = {
    Exit.DONE: "everything that was played passed, or is a known failure",
    Exit.FAILED: "a case failed that is not a known failure",
    Exit.HARNESS: "something could not be played, which says nothing of the target",
    Exit.STALE: "the list of known failures is not true any more",
}


def state(result: CaseResult) -> State:
    """What became of a result."""
    if result.stale:
        return State.STALE
    match result.verdict:
        case Verdict.PASSED:
            return State.PASSED
        case Verdict.FAILED:
            return State.KNOWN if result.known is not None else State.FAILED
        case Verdict.NOT_IMPLEMENTED:
            return State.NOT_IMPLEMENTED
        case Verdict.ERRORED:
            return State.ERRORED


def worst(results: Iterable[CaseResult]) -> State | None:
    """What became of several results together; None: there are none."""
    found = {state(each) for each in results}
    return next((each for each in WORST if each in found), None)


@dataclass
class Counts:
    """How many results came out how."""

    by: dict[State, int] = field(default_factory=dict[State, int])

    def add(self, found: State) -> None:
        """Count one more."""
        self.by[found] = self.by.get(found, 0) + 1

    def __getitem__(self, found: State) -> int:
        return self.by.get(found, 0)

    @property
    def all(self) -> int:
        """All of them."""
        return sum(self.by.values())

    @property
    def worst(self) -> State | None:
        """The worst of them; None: there are none."""
        return next((each for each in WORST if self[each]), None)

    def __str__(self) -> str:
        return ", ".join(f"{self[each]:,} {each}" for each in State if self[each]) or "none"


class Tally:
    """A run with all that reports say of it. `cases` describe the ids in it; `standard` has the texts of clauses."""

    def __init__(
        self, run: RunResult, cases: dict[str, Case] | None = None, standard: dict[str, Clause] | None = None
    ) -> None:
        self.run = run
        self.cases = BY_ID if cases is None else cases
        self.standard = clauses() if standard is None else standard

    @cached_property
    def counts(self) -> Counts:
        """All results."""
        return counted(self.run.results)

    @cached_property
    def by_case(self) -> dict[str, list[CaseResult]]:
        """The results of each case, in the order of the run."""
        found: dict[str, list[CaseResult]] = {}
        for each in self.run.results:
            found.setdefault(each.case, []).append(each)
        return found

    @cached_property
    def chapters(self) -> dict[str, list[str]]:
        """The cases of each chapter, in the order of the run."""
        found: dict[str, list[str]] = {}
        for case, results in self.by_case.items():
            found.setdefault(results[0].chapter, []).append(case)
        return found

    @cached_property
    def grid(self) -> dict[tuple[Role, str, Link], Counts]:
        """The results of each role, chapter and link."""
        found: dict[tuple[Role, str, Link], Counts] = {}
        for each in self.run.results:
            found.setdefault((each.role, each.chapter, each.link), Counts()).add(state(each))
        return found

    @cached_property
    def played(self) -> dict[str, dict[Role, list[CaseResult]]]:
        """The results of each clause and role."""
        found: dict[str, dict[Role, list[CaseResult]]] = {}
        for result in self.run.results:
            for clause in result.clauses:
                found.setdefault(clause, {}).setdefault(result.role, []).append(result)
        return found

    @cached_property
    def covered(self) -> dict[str, dict[Role, Covered]]:
        """What the suite has for each clause, in the roles that it binds; nothing for one that is no clause."""
        found: dict[str, dict[Role, Covered]] = {}
        for each in self.run.clauses:
            found.setdefault(each.clause, {})[each.role] = each
        for clause in self.played:
            found.setdefault(clause, {})
        return found

    @cached_property
    def unproved(self) -> list[Covered]:
        """The clauses, each in a role that it binds, for which the suite has no case, played or not."""
        return [each for each in self.run.clauses if not each.cases]

    def passed(self, level: Level) -> tuple[int, int]:
        """How many cases of a level passed wherever they were played, and of how many."""
        of = [counted(results) for results in self.by_case.values() if results[0].level is level]
        return sum(_passed(each) for each in of), len(of)

    @property
    def partial(self) -> str:
        """Why this is not the whole of what was to be played, as one sentence; empty: it is."""
        missing = self.run.planned - len(self.run.results)
        if not self.run.ended and missing <= 0:
            return ""
        why = self.run.ended or "the run ended early"
        return f"{why}: {len(self.run.results):,} of {self.run.planned:,} were played" if missing > 0 else why

    @property
    def verdict(self) -> str:
        """The whole run in a few words."""
        if self.run.exit is Exit.FAILED:
            failed = self.counts[State.FAILED]
            return f"Does not conform: {failed:,} failed"
        if self.partial:
            return "Not judged: the run is not complete"
        if self.run.exit is Exit.HARNESS:
            return "Not judged: something could not be played"
        if self.run.exit is Exit.STALE:
            return "The list of known failures is stale"
        if self.counts[State.KNOWN]:
            return f"Conforms but for {plural(self.counts[State.KNOWN], 'known failure')}"
        return "Conforms in everything that was played" if self.run.results else "Nothing was played"

    @property
    def reason(self) -> str:
        """The exit code, and what it means; of a run that ended early, why it did: it has another code."""
        if self.run.ended:
            return self.run.ended
        return f"exit code {int(self.run.exit)}: {EXITS[self.run.exit]}"

    @property
    def command(self) -> str:
        """What was tested, as it is written on a command line: a URL, or `--` and a command."""
        return " ".join(_tested(self.run.command))

    def replay(self, result: CaseResult) -> str:
        """The command that plays this result and nothing else, quoted for a shell."""
        return f"graftwire conform {result.replay} {' '.join([*map(shlex.quote, self.run.options), self.command])}"


def counted(results: Iterable[CaseResult]) -> Counts:
    """How many of these came out how."""
    counts = Counts()
    for each in results:
        counts.add(state(each))
    return counts


def _passed(counts: Counts) -> bool:
    """Whether a case passed: somewhere, and everywhere that it was played; what is not implemented was not played."""
    passed = counts[State.PASSED] + counts[State.STALE]
    return passed > 0 and passed + counts[State.NOT_IMPLEMENTED] == counts.all


def plural(number: int, what: str) -> str:
    """A number with its noun."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _tested(command: Sequence[str]) -> list[str]:
    if len(command) == 1 and ("://" in command[0] or command[0].startswith("unix:")):
        return [shlex.quote(command[0])]
    return ["--", *map(shlex.quote, command)]
