"""Which clause of the standard is proved by which cases, for each role that it binds; and what no case can prove.

The clauses come from the standard (standard.py), the cases say which they prove, and clauses.toml holds the rest.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files

import msgspec

from .case import Case
from .roles import BOTH, Level, Role
from .standard import Clause, clauses


class Covered(msgspec.Struct, frozen=True, kw_only=True):
    """A clause in one of the roles that it binds. `unseen` is why no case can prove it.

    `level` is the most that the clause asks for.
    """

    clause: str
    level: Level
    role: Role
    cases: list[str]
    unseen: str = ""

    @property
    def open(self) -> bool:
        """Whether it is a hole: it has to be proved, and nothing proves it."""
        return self.level is Level.MUST and not self.cases and not self.unseen


class Exceptions(msgspec.Struct, frozen=True):
    """What clauses.toml says."""

    binds: dict[str, Role]
    unseen: dict[str, str]


def parse(text: str) -> Exceptions:
    """Read clauses.toml. Raises ValueError for what can't be understood."""
    return msgspec.convert(tomllib.loads(text), type=Exceptions)


@lru_cache(maxsize=1)
def exceptions() -> Exceptions:
    """The exceptions that are installed with the suite."""
    return parse(files("graftwire.conformance").joinpath("clauses.toml").read_text(encoding="utf-8"))


def coverage(
    cases: Iterable[Case],
    *,
    standard: Mapping[str, Clause] | None = None,
    known: Exceptions | None = None,
) -> list[Covered]:
    """Every clause in every role that it binds, in the order of the standard."""
    standard = clauses() if standard is None else standard
    known = exceptions() if known is None else known
    by: dict[tuple[str, Role], list[str]] = {}
    for case in cases:
        for clause in case.clauses:
            for role in case.roles:
                by.setdefault((clause, role), []).append(case.id)
    return [
        Covered(
            clause=clause,
            level=found.level,
            role=role,
            cases=by.get((clause, role), []),
            unseen=known.unseen.get(f"{clause} {role}", known.unseen.get(clause, "")),
        )
        for clause, found in standard.items()
        for role in BOTH
        if known.binds.get(clause, role) is role
    ]


def faults(
    rows: Iterable[Covered], *, standard: Mapping[str, Clause] | None = None, known: Exceptions | None = None
) -> Iterator[str]:
    """What is wrong: holes, and exceptions that are not true. One sentence each, with the remedy."""
    standard = clauses() if standard is None else standard
    known = exceptions() if known is None else known
    rows = list(rows)
    names = {f"{each.clause} {each.role}" for each in rows}
    for each in (*known.binds, *known.unseen):
        if each.partition(" ")[0] not in standard:
            yield f"clauses.toml names {each}, and the standard has no such clause: take it out"
        elif " " in each and each not in names:
            yield f"clauses.toml names {each}, and the clause does not bind that role: take it out"
    for row in rows:
        if row.open:
            yield f"{row.clause} {row.role} has no case: write one, or say in clauses.toml why it can't be seen"
    for each in known.unseen:
        proved = [row for row in rows if each in (row.clause, f"{row.clause} {row.role}") and row.cases]
        if proved:
            yield f"{each} is unseen in clauses.toml, and {proved[0].cases[0]} proves it: take it out"


def line_of(row: Covered) -> str:
    """A row as a line, cells divided by tabs: clause, level, role, number of cases, the first of them or the reason."""
    named = ", ".join(row.cases[:3]) + (", …" if len(row.cases) > 3 else "")
    last = named or row.unseen or ("no case" if row.open else "")
    return "\t".join((row.clause, row.level, row.role, str(len(row.cases)), last))
