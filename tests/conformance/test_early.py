"""What an initiator writes too early is found in every case, on whatever link."""

from __future__ import annotations

import pytest

from graftwire.conformance import frames
from graftwire.conformance.conversation import Early, Seen
from graftwire.conformance.parts import Frame, Mine, Scope, Zeros, payload
from graftwire.conformance.roles import Role

SCOPE = Scope(Role.INITIATOR, "key", {"alice": b"alice"})
HELLO = frames.hello()
SMALL = frames.call("size", Zeros(5_000))
LARGE = frames.call("size", Zeros(20_000))


def found(*steps: Frame | str) -> list[str]:
    """The clauses that are broken by frames that come; a text is a frame that the runner writes."""
    early, clauses, number = Early(), list[str](), 0
    for step in steps:
        if isinstance(step, str):
            early.wrote({"HELLO": 0, "ACCEPTED": 3}[step])
            continue
        number += 1
        fault = early.fault_of(Seen(number, 0, payload(step, SCOPE)))
        clauses += [] if fault is None else [fault.clause]
    return clauses


@pytest.mark.parametrize(
    ("steps", "clauses"),
    [
        ((HELLO, "HELLO", LARGE, LARGE), []),
        ((HELLO, SMALL, SMALL, SMALL, SMALL, SMALL, SMALL), []),
        ((HELLO, LARGE), ["HELLO-8"]),
        ((HELLO, *([SMALL] * 7)), ["HELLO-8"]),
        ((HELLO, *([SMALL] * 6), "HELLO", SMALL), []),
        ((HELLO, frames.auth(), "HELLO", LARGE), ["HELLO-8"]),
        ((HELLO, "HELLO", frames.auth(), LARGE), ["HELLO-8"]),
        ((HELLO, frames.auth(), "HELLO", "ACCEPTED", LARGE), []),
        ((HELLO, frames.auth(), *([SMALL] * 6), "HELLO", *([frames.auth(Zeros(8_000))] * 4)), []),
        ((frames.hello((1, 2)), SMALL), ["HELLO-9"]),
        ((frames.hello((1, 2)), "HELLO", SMALL), []),
        ((HELLO, *(frames.call(id=Mine(number)) for number in range(1, 17))), []),
        ((HELLO, *(frames.call(id=Mine(number)) for number in range(1, 18))), ["HELLO-7"]),
    ],
)
def test_what_is_too_early(steps: tuple[Frame | str, ...], clauses: list[str]) -> None:
    assert found(*steps) == clauses
