"""Helpers that make a table of cases out of a chapter: see docs/how-to/write-a-conformance-case.md.

Each takes the id, the clauses (the main one first, in one text), one sentence, and what is particular about the case;
every other field of `Case` can be given by its name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from . import frames
from .case import Activity, Alive, Case, Closed, Expect, Goaway, Open, Outcome, Report, Send, Step
from .parts import Frame, Part, Piece
from .roles import Role

ACCEPTOR: Final = (Role.ACCEPTOR,)
INITIATOR: Final = (Role.INITIATOR,)

PROTOCOL_ERROR: Final = Goaway((frames.PROTOCOL,), last=(0,))
ALIVE: Final = Alive()
CLOSED: Final = Closed()


def chapter(name: str, *cases: Case | Iterable[Case]) -> tuple[Case, ...]:
    """The cases of a chapter, which groups that helpers gave may be among."""
    flat: list[Case] = []
    for each in cases:
        flat += [each] if isinstance(each, Case) else each
    return tuple(msgspec.structs.replace(each, chapter=name) for each in flat)


def case(
    id: str,
    clauses: str,
    says: str,
    *steps: Step,
    outcomes: Outcome | tuple[Outcome, ...] = ALIVE,
    **fields: Any,
) -> Case:
    """A case with its steps spelled out."""
    allowed = outcomes if isinstance(outcomes, tuple) else (outcomes,)
    return Case(
        id=id, chapter="", clauses=tuple(clauses.split()), says=says, steps=steps, outcomes=allowed, **fields
    )


def refused(
    id: str,
    clauses: str,
    says: str,
    *sent: Piece,
    before: tuple[Step, ...] = (Open(),),
    outcomes: Outcome | tuple[Outcome, ...] = PROTOCOL_ERROR,
    **fields: Any,
) -> Case:
    """In an open session, what is sent ends it with GOAWAY *protocol*, or as `outcomes` say."""
    return case(id, clauses, says, *before, Send(sent), outcomes=outcomes, **fields)


def taken(
    id: str, clauses: str, says: str, *sent: Piece, before: tuple[Step, ...] = (Open(),), **fields: Any
) -> Case:
    """In an open session, what is sent is taken, and the session lives."""
    return case(id, clauses, says, *before, Send(sent), **fields)


def answered(
    id: str,
    clauses: str,
    says: str,
    sent: Piece | tuple[Piece, ...],
    *expected: Frame | tuple[Frame, ...],
    before: tuple[Step, ...] = (Open(),),
    **fields: Any,
) -> Case:
    """In an open session, what is sent is answered with these frames (a tuple: one of them), in any order."""
    pieces = sent if isinstance(sent, tuple) else (sent,)
    expects = tuple(Expect(each if isinstance(each, tuple) else (each,)) for each in expected)
    return case(id, clauses, says, *before, Send(pieces), *expects, **fields)


def called(
    id: str,
    clauses: str,
    says: str,
    activity: Activity,
    *steps: Step,
    before: tuple[Step, ...] = (Open(),),
    reports: Report | tuple[Report, ...] = (),
    outcomes: Outcome | tuple[Outcome, ...] = (),
    **fields: Any,
) -> Case:
    """An initiator does something, and the runner answers with these steps, after the exchange of HELLOs."""
    told = reports if isinstance(reports, tuple) else (reports,)
    return case(
        id,
        clauses,
        says,
        *before,
        *steps,
        outcomes=outcomes or CLOSED,
        activity=activity,
        reports=told,
        roles=INITIATOR,
        **fields,
    )


def call_by(method: str = "echo", *arguments: Part, **fields: Any) -> Activity:
    """The activity of a unary call of a method of the hosted interface."""
    return Activity(
        do=fields.pop("do", "call"), target=f"Conformance.{method}", arguments=arguments, **fields
    )
