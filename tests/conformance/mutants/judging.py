"""Playing mutants: what has to catch one does, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec
import trio

from graftwire.conformance.case import Case
from graftwire.conformance.cases import CASES
from graftwire.conformance.results import CaseResult, Verdict
from graftwire.conformance.roles import Role
from graftwire.conformance.running import Options, run
from graftwire.conformance.selecting import Selection

from .mutant import REGISTER, Mutant

ONCE = 3  # times that a case has to fail, where nothing says that it should
AT_A_TIME = 5  # mutants
JOBS = 8  # cases of each, at a time
SLICE = 12  # of a chapter's other cases, where not all are played
UNSURE = 12  # so many that fail beside are no accident
SLOW = ("hasty",)  # setups that wait for bounds of time


def command(mutant: Mutant) -> list[str]:
    """What starts a mutant as a target."""
    return [sys.executable, str(Path(__file__).parent), mutant.name]


class Found(msgspec.Struct, kw_only=True):
    """What came of playing a mutant.

    `escaped`: what has to catch it, and does not; `beside`: what has failed and is not among that, with what it
    says; `problems`: of the harness.
    """

    mutant: str
    played: int = 0
    escaped: list[str] = []
    beside: list[str] = []
    problems: list[str] = []

    @property
    def caught(self) -> bool:
        """Whether it is as it has to be."""
        return bool(self.played) and not (self.escaped or self.beside or self.problems)


def named(mutant: Mutant, cases: Iterable[Case] = CASES) -> list[Case]:
    """The cases that catch a mutant."""
    return [
        each
        for each in cases
        if any(fnmatchcase(each.id, pattern) for pattern in mutant.cases)
        and mutant.link in each.links
        and set(mutant.roles) & set(each.roles)
    ]


def around(mutant: Mutant) -> list[Case]:
    """The cases that catch it, and a slice of the other ones of their chapters; none that waits for bounds of time.

    For one without a fault: the cases that catch others.
    """
    if not mutant.cases:
        catching = {each.id for other in REGISTER if other.link is mutant.link for each in named(other)}
        return [each for each in CASES if each.id in catching]
    catching = named(mutant)
    chapters = {each.chapter for each in catching} - {"abuse"}
    setups = {each.setup for each in catching} - set(SLOW)  # each further one is a further process
    others = [
        each
        for each in CASES
        if each not in catching
        and each.chapter in chapters
        and mutant.link in each.links
        and mutant.roles[0] in each.roles
        and each.setup in setups
        and not each.alone
    ]
    return catching + others[:: max(1, len(others) // SLICE)]


async def judge(mutant: Mutant, cases: Sequence[Case], roles: tuple[Role, ...] = ()) -> Found:
    """Play a mutant against these cases, in all of its roles or in some."""
    roles = roles or mutant.roles
    found = Found(mutant=mutant.name)
    catching = {each.id for each in named(mutant)}
    first = await _play(mutant, roles, [each.id for each in cases], found)
    found.played = len(first)
    found.escaped = [
        each.name
        for each in first
        if each.case in catching and not (each.verdict is Verdict.FAILED and mutant.told in each.detail)
    ]
    beside = [each for each in first if each.case not in catching and each.verdict is Verdict.FAILED]
    for _ in range(ONCE - 1):  # a machine that is busy makes cases fail that are about time
        if not 0 < len(beside) < UNSURE:
            break
        again = await _play(mutant, roles, sorted({each.case for each in beside}), found)
        beside = [each for each in again if each.verdict is Verdict.FAILED]
    found.beside = [f"{each.name}: {each.detail}" for each in beside]
    return found


async def _play(
    mutant: Mutant, roles: tuple[Role, ...], cases: Sequence[str], found: Found
) -> list[CaseResult]:
    selection = Selection(roles=roles, links=(mutant.link,), cases=cases)
    result = await run(Options(selection=selection, command=command(mutant), jobs=JOBS))
    found.problems += result.problems
    return result.results


def _all(mutant: Mutant, without: Sequence[str]) -> list[Case]:
    catching = named(mutant)
    return [
        each
        for each in CASES
        if mutant.link in each.links
        and set(mutant.roles) & set(each.roles)
        and (each in catching or each.chapter not in without)
    ]


async def judge_all(
    mutants: Sequence[Mutant],
    on_found: Callable[[Found], None],
    *,
    everything: bool = False,
    without: Sequence[str] = (),
) -> None:
    """Play several, some at a time; `on_found` is told of each.

    Unless it is `everything` (`without` some chapters), a mutant is played in the first of its roles, with what is
    around it.
    """
    queue = iter(mutants)

    async def work() -> None:
        for mutant in queue:
            if everything:
                found = await judge(mutant, _all(mutant, without))
            else:
                found = await judge(mutant, around(mutant), mutant.roles[: 1 if mutant.cases else 2])
            on_found(found)

    async with trio.open_nursery() as nursery:
        for _ in range(min(AT_A_TIME, len(mutants))):
            nursery.start_soon(work)
