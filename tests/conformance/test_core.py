"""One source: what the cases send to an acceptor or initiator is fed to the core, which must judge as they say."""

from __future__ import annotations

import pytest

from graftwire.conformance.case import (
    Alive,
    Case,
    Connect,
    Expect,
    Goaway,
    HalfClose,
    Open,
    Plain,
    Send,
    Text,
    WebSocketFrame,
)
from graftwire.conformance.cases import CASES
from graftwire.conformance.frames import hello
from graftwire.conformance.parts import Frame, Scope, Yours, wire
from graftwire.conformance.roles import Link, Role
from graftwire.conformance.setups import SETUPS
from graftwire.protocol import connection as core
from graftwire.protocol import events, frames
from graftwire.protocol.connection import Connection
from graftwire.protocol.errors import ErrorCode
from graftwire.protocol.limits import Limits

NULL = b"\xf6"
WITH_BODY = {6: b"\x60", 7: b"\x83\x60\x60\xa0", 8: b"\x48" + bytes(8)}
# What only a layer above the core can know: time, security, what is hosted, what a link is.
BEYOND = (Plain, Text, WebSocketFrame)


def for_the_core(case: Case) -> bool:
    """Whether the core alone can judge the case."""
    return (
        case.chapter != "values"  # what is in bodies is not the core's matter
        and case.costs is None  # nor what abuse costs a whole peer
        and Link.TCP in case.links
        and case.connect == Connect()
        and case.setup in ("open", "tight")
        and case.activity.do == "hold"
        and not any(isinstance(each, BEYOND) for each in case.steps)
        and all(
            isinstance(each, Alive) or (isinstance(each, Goaway) and {12, 13} >= set(each.codes))
            for each in case.outcomes
        )
    )


JUDGED = [(case, role) for case in CASES if for_the_core(case) for role in case.roles]


class Host:
    """The core, and the least that a layer above does for it: it gives the answers that the case waits for."""

    def __init__(self, case: Case, role: Role) -> None:
        limits = SETUPS[case.setup].limits
        self.conn = Connection(
            core.Role[role.name], Limits(**{each: getattr(limits, each) for each in limits.__struct_fields__})
        )
        self.scope = Scope(
            role.other, "key", {"alice": b"alice", "bob": b"bob", "nobody": b"nobody", "wrong": b"?"}
        )
        self.events: list[events.Event] = []

    @property
    def failed(self) -> events.Failed | None:
        return next((each for each in self.events if isinstance(each, events.Failed)), None)

    def feed(self, data: bytes, size: int) -> None:
        for at in range(0, len(data), size):
            self.events += self.conn.receive(data[at : at + size])
        self.conn.take()

    def answer(self, frame: Frame) -> None:
        """Do what the target is expected to, where that is an answer to a call."""
        if frame.kind not in (frames.Result.kind, frames.Error.kind) or isinstance(frame.elements[0], Yours):
            return
        id = self.scope.id(frame.elements[0])  # type: ignore[arg-type]
        if frame.kind == frames.Result.kind:
            self.conn.result(id, NULL)
        else:
            code = frame.elements[1]
            assert isinstance(code, int)
            self.conn.error(id, ErrorCode(code), WITH_BODY.get(code))
        self.conn.take()


@pytest.mark.parametrize("size", [1, 2**24], ids=["byte by byte", "at once"])
@pytest.mark.parametrize(("case", "role"), JUDGED, ids=[f"{case.id}-{role}" for case, role in JUDGED])
def test_the_core_judges_as_the_case_says(case: Case, role: Role, size: int) -> None:
    host = Host(case, role)
    for step in case.steps:
        if host.failed:
            break
        match step:
            case Open():
                pieces = (hello(limits=step.limits), *step.more)
                host.feed(b"".join(wire(each, host.scope) for each in pieces), size)
            case Send():
                host.feed(b"".join(wire(each, host.scope) for each in step.pieces), size)
            case Expect():
                host.answer(step.frames[0])
            case HalfClose():
                host.events += host.conn.receive_eof()
            case _:
                pass
    codes = {code for each in case.outcomes if isinstance(each, Goaway) for code in each.codes}
    if host.failed is None:
        assert any(isinstance(each, Alive) for each in case.outcomes), (
            f"the core takes what {case.clauses} forbid"
        )
    else:
        violation = host.failed.violation
        assert violation.code in codes
        assert violation.clause in case.clauses, f"found {violation.clause}"


def test_most_cases_have_a_part_for_the_core() -> None:
    assert len(JUDGED) > sum(each.chapter != "values" for each in CASES) / 2
