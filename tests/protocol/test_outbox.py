"""What is written when: clauses HELLO-8, HELLO-9, ORDER-1, CALL-14, KEEP-1, LEAVE-4."""

from __future__ import annotations

from typing import Any

import pytest

from graftwire.protocol import ErrorCode, Limits, ProtocolViolation, Role, State, frames
from graftwire.protocol.connection import Connection

NOTHING = b"\x82\x80\xa0"


def kinds(core: Connection, most: int = 2**40) -> list[int]:
    return [frame[5] for frame in core.take(most)]


# --- early limits -----------------------------------------------------------------------------------------


def test_an_initiator_writes_within_the_early_limits() -> None:
    core = Connection(Role.INITIATOR)
    for _ in range(16):
        core.call(0, "Any", bytes(2_500))
    assert not core.may_call(0)  # HELLO-7: more than the least is not possible before HELLO
    early = core.take()
    size = sum(map(len, early))
    assert 32_768 - len(early[1]) < size <= 32_768
    assert not core.has_output
    core.receive(frames.encode(frames.Hello((1,), Limits())))
    later = core.take()
    found = [frames.decode(frame[4:]) for frame in early[1:] + later]
    assert [frame.id for frame in found if isinstance(frame, frames.Call)] == list(range(1, 32, 2))
    assert len(found) == 16


def test_what_does_not_fit_holds_up_what_comes_behind_it_but_no_control_frame() -> None:
    core = Connection(Role.INITIATOR)
    core.call(0, "Any", bytes(16_400))
    core.call(0, "Any", NOTHING)
    core.ping()
    assert kinds(core) == [frames.Hello.kind, frames.Ping.kind]
    core.receive(frames.encode(frames.Hello((1,), Limits())))
    assert kinds(core) == [frames.Call.kind, frames.Call.kind]


def test_control_frames_wait_too_once_the_budget_is_spent() -> None:
    core = Connection(Role.INITIATOR)
    for size in (16_000, 16_000, 600):
        core.call(0, "Any", bytes(size))
    core.call(0, "Any", bytes(60))
    core.ping()
    core.ping_outstanding  # noqa: B018 - read for its own sake
    taken = b"".join(core.take())
    assert len(taken) <= 32_768
    core.receive(frames.encode(frames.Hello((1,), Limits())))
    assert frames.Ping.kind in kinds(core) or frames.encode(frames.Ping(1)) in taken


def test_an_auth_as_second_frame_keeps_the_limits_up() -> None:
    core = Connection(Role.INITIATOR)
    core.authenticate("token", b"secret")
    core.call(0, "Any", bytes(20_000))
    assert kinds(core) == [frames.Hello.kind, frames.Auth.kind]
    core.receive(frames.encode(frames.Hello((1,), Limits())))
    assert kinds(core) == []
    core.receive(frames.encode(frames.Challenge(b"who?")))
    core.authenticate("token", bytes(8_192))  # not counted, and ahead of what waits
    assert kinds(core) == [frames.Auth.kind]
    core.receive(frames.encode(frames.Accepted()))
    assert kinds(core) == [frames.Call.kind]


def test_an_auth_as_second_frame_counts_from_hello_on_also_when_it_comes_late() -> None:
    core = Connection(Role.INITIATOR)
    core.receive(frames.encode(frames.Hello((1,), Limits())))
    core.authenticate("token", b"secret")
    for _ in range(3):
        core.call(0, "Any", bytes(15_000))
    assert len(b"".join(core.take())) <= 32_768
    core.receive(frames.encode(frames.Accepted()))
    assert kinds(core) == [frames.Call.kind]


@pytest.mark.parametrize("second", ["call", "ping", "credit"])
def test_an_auth_as_third_frame_does_not(pair: Any, fresh: Any, second: str) -> None:
    pair = fresh()
    if second == "call":
        pair.a.call(0, "Any", NOTHING)
    pair.pump()
    if second == "ping":
        pair.a.ping()
    elif second == "credit":
        id = pair.b.call(2, "Any", NOTHING)
        pair.b.item(id, bytes(200_000))
        pair.to_a()
        pair.a.consume(id, 200_000)
    pair.a.authenticate("token", b"secret")
    pair.a.call(0, "Any", bytes(50_000))
    assert kinds(pair.a)[-2:] == [frames.Auth.kind, frames.Call.kind]


def test_an_auth_behind_a_call_that_waits_for_hello_is_sent_with_hello() -> None:
    core = Connection(Role.INITIATOR)
    core.call(0, "Any", bytes(20_000))
    core.authenticate("token", b"secret")
    core.call(0, "Any", bytes(20_000))
    assert kinds(core) == [frames.Hello.kind]
    core.receive(frames.encode(frames.Hello((1,), Limits())))
    assert kinds(core) == [frames.Call.kind, frames.Auth.kind, frames.Call.kind]


@pytest.mark.parametrize("budget", [1_000, 10], ids=["enough", "enough for the RESULT alone"])
def test_credit_goes_ahead_of_its_calls_terminal_while_the_limits_hold(fresh: Any, budget: int) -> None:
    """Clause CREDIT-4: behind the RESULT, the call is closed, and there is no stream to give credit for."""
    pair = fresh()
    pair.a.authenticate("token", b"secret")
    pair.pump()
    id = pair.b.call(2, "Any", NOTHING)
    pair.b.item(id, bytes(200_000))
    pair.b.end(id)
    pair.to_a()
    pair.a._outbox._budget = budget
    pair.a.consume(id, 200_000)
    pair.a.result(id, b"\xf6")
    written = kinds(pair.a)
    pair.a.receive(frames.encode(frames.Accepted()))
    assert written + kinds(pair.a) == [frames.Credit.kind, frames.Result.kind]
    assert bool(written) is (budget == 1_000)


def test_later_exchanges_have_no_limits(pair: Any) -> None:
    for _ in range(2):
        pair.a.authenticate("token", b"secret")
        pair.to_b()
        pair.b.accept()
        pair.to_a()
    pair.a.authenticate("token", b"secret")
    pair.a.call(0, "Any", bytes(50_000))
    assert kinds(pair.a) == [frames.Auth.kind, frames.Call.kind]


def test_who_offers_several_versions_sends_hello_alone() -> None:
    core = Connection(Role.INITIATOR, versions=(1, 2))
    core.authenticate("token", b"secret")
    core.call(0, "Any", NOTHING)
    core.call(0, "Any", bytes(20_000))
    core.ping()
    assert kinds(core) == [frames.Hello.kind]
    core.receive(frames.encode(frames.Hello((1,), Limits())))
    assert kinds(core) == [frames.Auth.kind, frames.Call.kind]
    core.receive(frames.encode(frames.Accepted()))
    assert kinds(core) == [frames.Call.kind, frames.Ping.kind]


def test_an_acceptor_says_nothing_before_hello() -> None:
    core = Connection(Role.ACCEPTOR)
    core.authenticate("token", b"secret")
    core.call(0, "Any", NOTHING)
    core.ping()
    core.goaway()
    assert not core.has_output
    assert core.take() == []
    core.receive(frames.encode(frames.Hello((1,), Limits())))
    expected = [frames.Hello, frames.Auth, frames.Call, frames.Ping, frames.Goaway]
    assert kinds(core) == [kind.kind for kind in expected]


# --- order, taking ----------------------------------------------------------------------------------------


def test_hello_goes_before_control_frames(fresh: Any, written: Any) -> None:
    """Clause FRAME-7: also where HELLO and a PING were read together."""
    core = Connection(Role.ACCEPTOR)
    core.receive(frames.encode(frames.Hello((1,), Limits())) + frames.encode(frames.Ping(1)))
    assert [type(frame) for frame in written(core)] == [frames.Hello, frames.Pong]


def test_a_hello_that_waits_goes_before_the_goaway_of_an_error(written: Any) -> None:
    """Clauses LEAVE-4 and HELLO-10: a GOAWAY in place of HELLO could not name the call that came before the fault."""
    core = Connection(Role.ACCEPTOR)
    call = frames.Call(1, 0, "Any", None, None, NOTHING)
    core.receive(frames.encode(frames.Hello((1,), Limits())) + frames.encode(call))
    core.receive(frames.encode(call))
    hello, goaway = written(core)
    assert type(hello) is frames.Hello
    assert goaway == frames.Goaway(1, ErrorCode.PROTOCOL)


def test_a_goaway_that_waits_for_hello_is_not_passed_by_the_next(written: Any) -> None:
    """Clause LEAVE-1: the last id of GOAWAY does not rise."""
    core = Connection(Role.ACCEPTOR)
    core.goaway()
    core.receive(frames.encode(frames.Hello((1,), Limits())))
    core.goaway(core.last_in)
    found = written(core)
    assert [frame.last for frame in found[1:]] == [2**53 - 1, 0]


def test_a_goaway_that_waits_for_accepted_is_not_passed_by_the_next(fresh: Any) -> None:
    pair = fresh()
    pair.a.authenticate("token", b"secret")
    pair.pump()
    pair.a._outbox._budget = 10  # enough for the second one alone
    pair.a.goaway()
    pair.a.goaway(pair.a.last_in)
    assert kinds(pair.a) == []
    pair.b.accept()
    pair.pump()
    assert [event.last for event in pair.seen_by_b[-2:]] == [2**53 - 1, 0]


def test_control_frames_go_first(pair: Any) -> None:
    id = pair.call(2)
    pair.a.item(id, bytes(200_000))
    pair.to_b()
    pair.b.call(0, "Any", NOTHING)
    pair.b.result(id, b"\xf6")
    pair.b.consume(id, 0)
    pair.b.ping()
    pair.b.goaway()
    assert pair.b.receive(frames.encode(frames.Ping(1))) == []
    found = kinds(pair.b)
    assert found == [
        frames.Ping.kind,
        frames.Goaway.kind,
        frames.Pong.kind,
        frames.Call.kind,
        frames.Result.kind,
    ]


def test_take_gives_whole_frames_in_order_and_at_least_one(pair: Any) -> None:
    for size in (50_000, 10, 10, 300_000, 10):
        pair.a.call(0, "Any", bytes(size))
    sizes: list[list[int]] = []
    while pair.a.has_output:
        before = pair.a.queued
        taken = pair.a.take(60_000)
        assert pair.a.queued == before - sum(map(len, taken))
        sizes.append([len(frame) // 1_000 for frame in taken])
    assert sizes == [[50, 0, 0], [300], [0]]
    assert pair.a.queued == 0
    assert pair.a.take() == []


def test_queued_counts_what_take_gives(fresh: Any) -> None:
    pair = fresh()
    assert pair.a.queued == sum(map(len, pair.a.take()))
    assert pair.a.queued == 0


# --- what a peer that does not read can make this side store ----------------------------------------------


def test_an_answer_that_was_not_taken_keeps_its_slot(fresh: Any, violation: Any) -> None:
    """Clause CALL-14."""
    pair = fresh(acceptor=Limits(calls_in_flight=16))
    pair.pump()
    calls = [frames.Call(2 * n + 1, 0, "Any", None, None, NOTHING) for n in range(40)]
    for call in calls[:16]:
        pair.b.receive(frames.encode(call))
        pair.b.result(call.id, b"\xf6")
    taken = pair.b.take(24)  # two of the answers
    assert len(taken) == 2
    for call in calls[16:18]:
        pair.b.receive(frames.encode(call))
        pair.b.error(call.id, ErrorCode.OVERLOADED)
    assert violation(pair.b.receive(frames.encode(calls[18]))) == "CALL-4"
    assert pair.b.last_in == calls[17].id


def test_answers_that_were_taken_free_their_slots(fresh: Any) -> None:
    pair = fresh(acceptor=Limits(calls_in_flight=16))
    pair.pump()
    answered = 0
    while answered < 200:
        while pair.a.may_call(3):
            pair.a.call(0, "Any", NOTHING)
        for event in pair.to_b():
            assert type(event) is frames.Call
            pair.b.result(event.id, b"\xf6")
        found = pair.a.receive(b"".join(pair.b.take(50)))  # some of the answers
        assert found
        assert {type(event) for event in found} == {frames.Result}
        answered += len(found)
    assert pair.b.state is State.OPEN


def test_answers_that_may_not_be_written_yet_keep_their_slots(fresh: Any, violation: Any) -> None:
    pair = fresh(initiator=Limits(calls_in_flight=16))
    pair.a.authenticate("token", b"secret")
    pair.to_b()
    pair.to_a()
    for n in range(1, 17):
        pair.a.receive(frames.encode(frames.Call(2 * n, 0, "Any", None, None, NOTHING)))
        pair.a.result(2 * n, bytes(16_384))
    assert kinds(pair.a) == []
    assert violation(pair.a.receive(frames.encode(frames.Call(34, 0, "Any", None, None, b"")))) == "CALL-4"


def test_one_ping_at_a_time(pair: Any, violation: Any) -> None:
    """Clause KEEP-1: while its PONG is here, a peer can't have read it."""
    assert pair.b.receive(frames.encode(frames.Ping(1))) == []
    assert kinds(pair.b) == [frames.Pong.kind]
    assert pair.b.receive(frames.encode(frames.Ping(2))) == []
    assert violation(pair.b.receive(frames.encode(frames.Ping(3)))) == "KEEP-1"


def test_a_pong_that_waits_for_accepted_is_still_here(fresh: Any, violation: Any) -> None:
    pair = fresh()
    pair.a.authenticate("token", b"secret")
    for size in (16_000, 16_000):
        pair.a.call(0, "Any", bytes(size))
    for size in range(600, 0, -50):
        pair.a.call(0, "Any", bytes(size)) if pair.a.may_call(size) else None
    pair.to_b()
    pair.to_a()
    while pair.a._outbox._budget >= 7:
        pair.a._outbox._budget -= 1
    assert pair.a.receive(frames.encode(frames.Ping(1))) == []
    assert kinds(pair.a) == []
    assert violation(pair.a.receive(frames.encode(frames.Ping(2)))) == "KEEP-1"


def test_pings_cost_one_pong(pair: Any) -> None:
    for _ in range(5):
        pair.b.ping()
        pair.pump()
    assert pair.seen_by_b.count(frames.Pong(3)) == 1
    assert [event.counter for event in pair.seen_by_b if type(event) is frames.Pong] == [1, 2, 3, 4, 5]


# --- the last frame ---------------------------------------------------------------------------------------


def test_the_last_goaway_takes_the_place_of_all_else_but_hello(fresh: Any, written: Any) -> None:
    pair = fresh()
    pair.a.call(0, "Any", NOTHING)
    assert pair.b.receive(b"".join(pair.a.take()) + b"\0\0\0\0")[-1]
    assert written(pair.b) == [
        frames.Hello((1,), Limits()),
        frames.Goaway(1, ErrorCode.PROTOCOL),
    ]
    pair.a.abort(ErrorCode.UNAVAILABLE)
    assert written(pair.a) == [frames.Goaway(0, ErrorCode.UNAVAILABLE)]


def test_an_initiators_hello_that_was_not_taken_goes_before_its_goaway(written: Any) -> None:
    core = Connection(Role.INITIATOR)
    core.call(0, "Any", NOTHING)
    core.abort(ErrorCode.UNAVAILABLE)
    assert [type(frame) for frame in written(core)] == [frames.Hello, frames.Goaway]
    core = Connection(Role.INITIATOR)
    core.take()
    core.call(0, "Any", NOTHING)
    core.abort(ErrorCode.UNAVAILABLE)
    assert [type(frame) for frame in written(core)] == [frames.Goaway]


def test_nothing_is_written_after_the_last_goaway(pair: Any, written: Any) -> None:
    mine, theirs = pair.call(3), pair.b.call(3, "Any", NOTHING)
    pair.pump()
    pair.a.receive(frames.encode(frames.Auth("token", b"x")))
    pair.a.fail(ProtocolViolation("KEEP-4", "slow"))
    assert written(pair.a) == [frames.Goaway(2, ErrorCode.PROTOCOL)]
    pair.a.item(mine, b"")
    pair.a.end(mine)
    pair.a.consume(mine, 10)
    pair.a.result(theirs, b"\xf6")
    pair.a.authenticate("token", b"x")
    pair.a.ping()
    pair.a.goaway()
    pair.a.release(1)
    pair.a.challenge(b"")
    assert pair.a.accept() == []
    pair.a.refuse()
    pair.a.fail(ProtocolViolation("KEEP-4", "slow"))
    assert pair.a.receive(frames.encode(frames.Ping(1))) == []
    assert pair.a.receive_eof() == []
    assert not pair.a.has_output
    assert pair.a.take() == []
    assert pair.a.queued == 0


def test_a_link_that_is_gone_takes_everything_with_it(pair: Any) -> None:
    pair.a.call(0, "Any", NOTHING)
    pair.a.shut()
    assert (pair.a.has_output, pair.a.queued, pair.a.state) == (False, 0, State.CLOSED)
    pair.a.ping()
    pair.a.authenticate("token", b"x")
    assert pair.a.take() == []
