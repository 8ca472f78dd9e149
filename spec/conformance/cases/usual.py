"""What cases of several chapters begin with, and the ends that they have in common."""

from __future__ import annotations

from typing import Any, Final

from ..case import Case, Check, Expect, Goaway, Open, Outcome, Send, Step
from ..frames import PROTOCOL, call, callback, given, release, result
from ..parts import Body, Frame, Key, Mine, OneOf, Part, Zeros
from ..writing import ALIVE, case

HOSTING: Final = ("hosting",)
REFERENCES: Final = ("hosting", "references")
CLIENT_STREAMS: Final = ("hosting", "client-streams")
SERVER_STREAMS: Final = ("hosting", "server-streams")
BOTH_STREAMS: Final = ("hosting", "client-streams", "server-streams")
LET_GO: Final = (release(),)  # SHOULD be sent for a reference that came with arguments (REF-2)

RAN: Final = (Open(), Send((call("echo", 1),)), Expect((result(1),)))
WAITING: Final = (Open(), Send((call("wait", Key()),)), Check("running", (Key(),), 1))
HOLDING: Final = (Open(), Send((call("hold", Key(), shape=2),)), Check("running", (Key(),), 1))
CALLED_BACK: Final = (Open(), Send((call("call_back", given(), "v"),)), Expect((callback("v"),)))


def ran(number: int) -> Goaway:
    """The end by *protocol* where user code has run for the runner's calls up to this one, and for no other."""
    return Goaway((PROTOCOL,), last=(Mine(number),))


def sent(number: int, *, least: int = 0) -> Goaway:
    """The end by *protocol* where so many calls were made, of which user code has run for the first `least`."""
    may: tuple[Part, ...] = () if least else (0,)
    return Goaway((PROTOCOL,), last=(*may, *(Mine(each) for each in range(max(least, 1), number + 1))))


def costing(cost: int) -> Part:
    """A byte string that costs so much as an item (CREDIT-1)."""
    size = cost - 64
    head = 1 if size <= 24 else 2 if size <= 257 else 3
    return Zeros(size - head)


def path(text: str) -> Part:
    """The body of *bad-arguments*: this path, or one that ends earlier, but not before `items[0]`."""
    ends = [0, *(at for at, each in enumerate(text) if at and each in ".["), len(text)]
    least = text.find("]") + 1 if text.startswith("items") else 0
    return OneOf(tuple(Body(text[:end]) for end in dict.fromkeys(ends) if end >= least))


def called_back(
    id: str,
    clauses: str,
    says: str,
    *steps: Step,
    outcomes: Outcome | tuple[Outcome, ...] = ALIVE,
    allow: tuple[Frame, ...] = LET_GO,
    features: tuple[str, ...] = REFERENCES,
    **fields: Any,
) -> Case:
    """The target has called a reference of the runner's, in the course of the runner's call 1, and waits."""
    return case(
        id,
        clauses,
        says,
        *CALLED_BACK,
        *steps,
        outcomes=outcomes,
        allow=allow,
        features=features,
        **fields,
    )
