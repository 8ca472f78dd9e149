"""One source: what the cases send to an acceptor or initiator is fed to the core, which must judge as they say."""

from __future__ import annotations

import pytest

from graftwire.conformance.case import (
    Alive,
    Case,
    Connect,
    Deaf,
    Expect,
    Goaway,
    HalfClose,
    Open,
    Plain,
    Send,
    Settle,
    Text,
    WebSocketFrame,
)
from graftwire.conformance.cases import CASES
from graftwire.conformance.frames import hello, ping
from graftwire.conformance.parts import Frame, Mine, OneOf, Scope, wire
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
BEYOND = (Plain, Text, WebSocketFrame, Deaf)
# What a target sends of its own accord, as its user code, its clock or its reader of items has it.
OF_ITS_OWN = {
    frames.Call.kind,
    frames.Credit.kind,
    frames.Ping.kind,
    frames.Release.kind,
    frames.Accepted.kind,
}


def for_the_core(case: Case) -> bool:
    """Whether the core alone can judge the case."""
    return (
        case.chapter != "values"  # what is in bodies is not the core's matter
        and case.costs is None  # nor what abuse costs a whole peer
        and Link.TCP in case.links
        and case.connect == Connect()
        and case.setup in ("open", "tight")
        and case.activity.do == "hold"
        and "references" not in case.features
        and not case.clauses[0].startswith("REF-")
        and not any(isinstance(each, BEYOND) for each in case.steps)
        and not any(isinstance(each, Expect) and each.frames[0].kind in OF_ITS_OWN for each in case.steps)
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
        named = frame.elements[0] if frame.elements else None
        if frame.kind not in (frames.Result.kind, frames.Error.kind) or not isinstance(named, Mine):
            return
        id = self.scope.id(named)
        if frame.kind == frames.Result.kind:
            self.conn.result(id, NULL)
        else:
            code = frame.elements[1]
            if isinstance(code, OneOf):
                code = code.parts[0]
            assert isinstance(code, int)
            self.conn.error(id, ErrorCode(code), WITH_BODY.get(code))
        self.conn.take()


@pytest.mark.parametrize("size", [1, 2**24], ids=["byte by byte", "at once"])
@pytest.mark.parametrize(("case", "role"), JUDGED, ids=[f"{case.id}-{role}" for case, role in JUDGED])
def test_the_core_judges_as_the_case_says(case: Case, role: Role, size: int) -> None:
    host = Host(case, role)
    pings = 0
    for step in case.steps:
        if host.failed:
            break
        match step:
            case Open():
                pieces = (hello(limits=step.limits), *step.more)
                host.feed(b"".join(wire(each, host.scope) for each in pieces), size)
            case Send():
                pings += sum(
                    isinstance(each, Frame) and each.kind == frames.Ping.kind for each in step.pieces
                )
                host.feed(b"".join(wire(each, host.scope) for each in step.pieces), size)
            case Settle():
                pings += 1
                host.feed(wire(ping(pings), host.scope), size)
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
