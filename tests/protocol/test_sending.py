"""What a user of the core may not ask for: each refusal names its clause, and nothing of it is queued or remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graftwire.protocol import Connection, ErrorCode, Failed, Limits, LocalProtocolError, Role, State, frames
from graftwire.protocol.limits import LARGEST_INTEGER

NOTHING = b"\x82\x80\xa0"
TOO_LARGE = bytes(65_536)  # with its header, more than the least `largest_frame`
SMALL = Limits(largest_frame=65_536, calls_in_flight=16, unfinished_body_bytes=131_072)


def refused(core: Connection, clause: str, ask: Callable[[], Any]) -> None:
    """`ask` is refused for that clause, and leaves all as it was."""

    def all_of_it() -> tuple[Any, ...]:
        return (
            *(core.queued, core.has_output, core._outbox.terminals),
            *(core.calls_in, core.calls_out, core._out_bytes, core._in_bytes, core._balance, core._next_out),
            *(core.ping_outstanding, core.authenticating, core.peer_authenticating, core.state),
        )

    before = all_of_it()
    with pytest.raises(LocalProtocolError) as found:
        ask()
    assert found.value.clause == clause
    assert all_of_it() == before


@pytest.fixture
def small(fresh: Any) -> Any:
    """Two cores that have opened a session, and take little."""
    pair = fresh(SMALL, SMALL)
    pair.pump()
    return pair


# --- calls ------------------------------------------------------------------------------------------------


def test_no_more_calls_than_the_other_side_takes(small: Any) -> None:
    for _ in range(16):
        small.a.call(0, "Any", NOTHING)
    assert not small.a.may_call(0)
    refused(small.a, "CALL-4", lambda: small.a.call(0, "Any", NOTHING))


def test_no_more_bodies_than_the_other_side_takes(small: Any) -> None:
    for _ in range(2):
        small.a.call(0, "Any", bytes(60_000))
    assert not small.a.may_call(60_000)
    assert small.a.may_call(131_072 - 120_000)
    refused(small.a, "CALL-5", lambda: small.a.call(0, "Any", bytes(60_000)))


def test_an_item_fits_to_the_last_byte(small: Any) -> None:
    """*too-large* is for what does not fit into a frame, and for nothing that does."""
    id = small.call(2)
    largest = 65_536 - 6  # the array, the kind, the id, and a head of three bytes
    assert small.a.fits(id, largest)
    assert not small.a.fits(id, largest + 1)
    small.a.item(id, bytes(largest))
    small.pump()
    assert len(small.seen_by_b[-1].body) == largest


def test_an_error_fits_to_the_last_byte(small: Any) -> None:
    id = small.call()
    largest = 65_536 - 7  # as above, and the code
    assert small.b.fits(id, largest, code=True)
    assert not small.b.fits(id, largest + 1, code=True)
    refused(small.b, "FRAME-2", lambda: small.b.error(id, ErrorCode.APPLICATION, bytes(largest + 1)))
    small.b.error(id, ErrorCode.APPLICATION, bytes(largest))


@pytest.mark.parametrize("size", [65_500, 65_536, 65_537, 200_000])
def test_no_call_that_fits_no_frame(small: Any, size: int) -> None:
    refused(small.a, "FRAME-2", lambda: small.a.call(0, "Any" * 40, bytes(size)))
    assert small.a.call(0, "Any", NOTHING) == 1  # the id was not used up


def test_no_tracestate_unless_it_is_switched_on(pair: Any, fresh: Any) -> None:
    context = frames.Context(None, (b"\1" * 16, b"\1" * 8, 0), "a=1")
    refused(pair.a, "CTX-4", lambda: pair.a.call(0, "Any", NOTHING, context))
    both = fresh(tracestate=True)
    both.a.call(0, "Any", NOTHING, context)
    both.pump()
    assert both.seen_by_b[-1].context == context


@pytest.mark.parametrize(
    ("clause", "arguments"),
    [
        ("CALL-2", (4, "Any", NOTHING)),
        ("CALL-3", (0, "", NOTHING)),
        ("CALL-3", (0, (0, ""), NOTHING)),
        ("CTX-2", (0, "Any", NOTHING, frames.Context(0))),
        ("AUTH-8", (0, "Any", NOTHING, None, ("", b""))),
    ],
)
def test_no_call_that_breaks_the_grammar(pair: Any, clause: str, arguments: tuple[Any, ...]) -> None:
    refused(pair.a, clause, lambda: pair.a.call(*arguments))


def test_no_call_of_who_takes_none(pair: Any) -> None:
    pair.b.goaway()
    pair.pump()
    assert pair.a.peer_is_leaving
    assert not pair.a.may_call(0)
    refused(pair.a, "LEAVE-2", lambda: pair.a.call(0, "Any", NOTHING))


def test_no_call_after_the_end(pair: Any) -> None:
    pair.a.shut()
    refused(pair.a, "LEAVE-6", lambda: pair.a.call(0, "Any", NOTHING))


def test_no_call_beyond_the_last_id(pair: Any) -> None:
    pair.a._next_out = pair.b._next_in = LARGEST_INTEGER
    assert pair.a.call(0, "Any", NOTHING) == LARGEST_INTEGER
    assert not pair.a.may_call(0)
    refused(pair.a, "CALL-1", lambda: pair.a.call(0, "Any", NOTHING))
    pair.pump()
    pair.b.result(LARGEST_INTEGER, b"\xf6")
    pair.pump()
    assert pair.seen_by_a[-1] == frames.Result(LARGEST_INTEGER, b"\xf6")
    refused(pair.a, "CALL-1", lambda: pair.a.call(0, "Any", NOTHING))


# --- terminals, cancellation ------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [0, 2])
def test_one_terminal_for_each_call(pair: Any, shape: int) -> None:
    """Clause CALL-6; with a client stream the call is still open after the first."""
    id = pair.call(shape)
    pair.b.result(id, b"\xf6")
    refused(pair.b, "CALL-6", lambda: pair.b.result(id, b"\xf6"))
    refused(pair.b, "CALL-6", lambda: pair.b.error(id, ErrorCode.DENIED))


@pytest.mark.parametrize("id", [0, 1, 2, 3, 99])
def test_no_terminal_for_what_was_not_called(pair: Any, id: int) -> None:
    pair.b.call(0, "Any", NOTHING)  # its id is 2, but it is this side's own
    refused(pair.b, "CALL-6", lambda: pair.b.result(id, b"\xf6"))
    refused(pair.b, "CALL-6", lambda: pair.b.error(id, ErrorCode.DENIED))


def test_no_answer_that_fits_no_frame(small: Any) -> None:
    id = small.call(1)
    refused(small.b, "FRAME-2", lambda: small.b.result(id, TOO_LARGE))
    refused(small.b, "FRAME-2", lambda: small.b.error(id, ErrorCode.INTERNAL, TOO_LARGE))
    refused(small.b, "FRAME-2", lambda: small.b.item(id, TOO_LARGE))
    small.b.error(id, ErrorCode.TOO_LARGE)
    small.pump()
    assert small.seen_by_a[-1] == frames.Error(id, ErrorCode.TOO_LARGE, None)
    assert not small.a.is_open(id)


@pytest.mark.parametrize(
    ("clause", "code", "body"),
    [
        ("ERR-1", ErrorCode.NONE, None),
        ("ERR-2", ErrorCode.DENIED, b""),
        ("ERR-2", ErrorCode.APPLICATION, None),
    ],
)
def test_no_error_that_breaks_the_grammar(
    pair: Any, clause: str, code: ErrorCode, body: bytes | None
) -> None:
    id = pair.call()
    refused(pair.b, clause, lambda: pair.b.error(id, code, body))


def test_one_cancellation_for_each_call_of_ones_own(pair: Any) -> None:
    id = pair.call()
    refused(pair.b, "CANCEL-2", lambda: pair.b.cancel(id))
    refused(pair.a, "CANCEL-2", lambda: pair.a.cancel(id + 2))
    pair.a.cancel(id)
    refused(pair.a, "CANCEL-2", lambda: pair.a.cancel(id))
    pair.pump()
    pair.b.error(id, ErrorCode.CANCELLED)
    pair.pump()
    refused(pair.a, "CANCEL-2", lambda: pair.a.cancel(id))


@pytest.mark.parametrize("end", ["end", "cancel"])
def test_an_end_after_the_terminal_closes_the_call(pair: Any, end: str) -> None:
    id = pair.call(2)
    pair.b.result(id, b"\xf6")
    pair.pump()
    assert pair.a.is_open(id)
    assert pair.b.is_open(id)
    getattr(pair.a, end)(id)
    assert not pair.a.is_open(id)
    pair.pump()
    assert not pair.b.is_open(id)
    assert (pair.a._out_bytes, pair.b._in_bytes) == (0, 0)


# --- streams ----------------------------------------------------------------------------------------------


def test_no_item_without_a_stream_in_that_direction(pair: Any) -> None:
    up, down, unary = pair.call(2), pair.call(1), pair.call(0)
    refused(pair.b, "STREAM-1", lambda: pair.b.item(up, b""))
    refused(pair.a, "STREAM-1", lambda: pair.a.item(down, b""))
    for core in (pair.a, pair.b):
        refused(core, "STREAM-1", lambda core=core: core.item(unary, b""))
        refused(core, "CALL-7", lambda core=core: core.item(99, b""))
        assert not core.may_send_item(99)


@pytest.mark.parametrize("end", ["end", "cancel"])
def test_no_item_after_the_callers_end(pair: Any, end: str) -> None:
    id = pair.call(3)
    getattr(pair.a, end)(id)
    refused(pair.a, "STREAM-3", lambda: pair.a.item(id, b""))
    pair.b.item(id, b"")
    pair.b.result(id, b"\xf6")
    pair.to_b()


def test_no_item_after_the_terminal(pair: Any) -> None:
    id = pair.call(3)
    pair.b.result(id, b"\xf6")
    refused(pair.b, "STREAM-3", lambda: pair.b.item(id, b""))
    pair.a.item(id, b"")


def test_no_item_that_fits_no_frame(small: Any) -> None:
    id = small.call(2)
    refused(small.a, "FRAME-2", lambda: small.a.item(id, TOO_LARGE))
    assert small.a.may_send_item(id)


def test_one_end_of_the_callers_stream(pair: Any) -> None:
    stream, unary, cancelled = pair.call(2), pair.call(1), pair.call(2)
    refused(pair.a, "STREAM-2", lambda: pair.a.end(unary))
    refused(pair.a, "STREAM-2", lambda: pair.a.end(99))
    refused(pair.b, "STREAM-2", lambda: pair.b.end(stream))
    pair.a.end(stream)
    refused(pair.a, "STREAM-2", lambda: pair.a.end(stream))
    pair.a.cancel(cancelled)
    refused(pair.a, "STREAM-2", lambda: pair.a.end(cancelled))


def test_no_credit_for_what_did_not_come(pair: Any) -> None:
    id = pair.call(2)
    refused(pair.b, "CREDIT-1", lambda: pair.b.consume(id, 10))


# --- authentication ---------------------------------------------------------------------------------------


def test_one_auth_at_a_time(pair: Any) -> None:
    pair.a.authenticate("token", b"x")
    refused(pair.a, "AUTH-2", lambda: pair.a.authenticate("token", b"x"))
    pair.to_b()
    pair.b.challenge(b"?")
    pair.to_a()
    pair.a.authenticate("token", b"x")
    refused(pair.a, "AUTH-2", lambda: pair.a.authenticate("token", b"x"))


@pytest.mark.parametrize(
    ("scheme", "proof"), [("", b""), ("a" * 33, b""), ("Token", b""), ("token", bytes(8_193))]
)
def test_no_auth_that_breaks_the_grammar(pair: Any, scheme: str, proof: bytes) -> None:
    refused(pair.a, "AUTH-8", lambda: pair.a.authenticate(scheme, proof))
    pair.a.authenticate("token", b"x")


def test_nothing_is_answered_but_an_auth_that_waits(pair: Any) -> None:
    def nothing() -> None:
        refused(pair.b, "AUTH-4", lambda: pair.b.challenge(b""))
        refused(pair.b, "AUTH-4", pair.b.accept)
        refused(pair.b, "AUTH-4", pair.b.refuse)

    nothing()
    pair.a.authenticate("token", b"x")
    pair.to_b()
    refused(pair.b, "AUTH-8", lambda: pair.b.challenge(bytes(8_193)))
    pair.b.challenge(b"?")
    nothing()  # it is the other side's turn
    pair.to_a()
    pair.a.authenticate("token", b"x")
    pair.to_b()
    pair.b.accept()
    nothing()


def test_eight_rounds_and_no_more(pair: Any, violation: Any) -> None:
    """Clause AUTH-3: the verifier does not ask a ninth time, and the claimant does not let itself be asked."""
    for _ in range(7):
        pair.a.authenticate("token", b"x")
        pair.to_b()
        pair.b.challenge(b"?")
        pair.to_a()
    pair.a.authenticate("token", b"x")
    pair.to_b()
    refused(pair.b, "AUTH-3", lambda: pair.b.challenge(b"?"))
    pair.b.accept()
    assert violation(pair.a.receive(frames.encode(frames.Challenge(b"?")))) == "AUTH-3"


@pytest.mark.parametrize("frame", [frames.Challenge(b"?"), frames.Accepted()])
def test_an_answer_to_no_auth_is_refused(pair: Any, violation: Any, frame: frames.Frame) -> None:
    assert violation(pair.a.receive(frames.encode(frame))) == "AUTH-4"


def test_a_second_auth_that_does_not_wait_is_refused(pair: Any, violation: Any) -> None:
    auth = frames.encode(frames.Auth("token", b"x"))
    pair.b.receive(auth)
    assert violation(pair.b.receive(auth)) == "AUTH-2"


def test_more_releases_than_can_wait_end_the_session(pair: Any, violation: Any) -> None:
    """Clause AUTH-6: the one thing that neither slots nor credit bound."""
    pair.call()  # so that the AUTH is not the second frame, and there are no early limits
    pair.a.authenticate("token", b"x")
    pair.call()
    release = frames.encode(frames.Release(2))
    assert pair.b.receive(release * 65_536) == []
    events = pair.b.receive(release)
    assert violation(events) == "AUTH-6"
    assert events[-1].violation.code is ErrorCode.OVERLOADED


# --- the session ------------------------------------------------------------------------------------------


def test_one_ping_of_ones_own_at_a_time(pair: Any) -> None:
    pair.a.ping()
    refused(pair.a, "KEEP-1", pair.a.ping)
    pair.pump()
    pair.a.ping()


def test_goaway_falls_and_names_what_was_handed_out(pair: Any) -> None:
    pair.call()
    refused(pair.b, "LEAVE-5", lambda: pair.b.goaway(0))
    refused(pair.b, "LEAVE-5", lambda: pair.b.goaway(3))
    pair.b.goaway()
    refused(pair.b, "LEAVE-3", pair.b.goaway)
    refused(pair.b, "LEAVE-5", lambda: pair.b.goaway(99))
    assert not pair.b.said_last
    pair.b.goaway(1)
    assert pair.b.said_last
    refused(pair.b, "LEAVE-3", lambda: pair.b.goaway(1))
    refused(pair.b, "LEAVE-3", pair.b.goaway)


def test_a_session_that_ends_at_once_says_why(pair: Any) -> None:
    refused(pair.a, "LEAVE-6", lambda: pair.a.abort(ErrorCode.NONE))
    pair.a.abort(ErrorCode.UNAVAILABLE)
    pair.to_b()
    assert pair.b.state is State.CLOSED


@pytest.mark.parametrize("reference", [0, -1])
def test_no_release_of_what_is_no_reference(pair: Any, reference: int) -> None:
    refused(pair.a, "REF-2", lambda: pair.a.release(reference))


def test_what_is_read_may_be_any_bytes() -> None:
    hello = frames.encode(frames.Hello((1,), Limits()))
    for given in (bytearray(hello), memoryview(hello), memoryview(bytearray(hello))):
        core = Connection(Role.ACCEPTOR)
        core.receive(given)
        assert core.state is State.OPEN
        assert core.receive(b"") == []


def test_calls_that_wait_are_counted(fresh: Any) -> None:
    """Clause AUTH-6: held calls count as open, whether or not they were looked at."""
    pair = fresh()
    pair.a.authenticate("token", b"x")
    for _ in range(3):
        pair.a.call(0, "Any", NOTHING)
    pair.to_b()
    assert (pair.b.calls_in, pair.b.last_in) == (3, 0)
    pair.b.accept()
    assert (pair.b.calls_in, pair.b.last_in) == (3, 5)


def test_what_breaks_the_rules_while_it_waits_is_found_when_it_is_accepted(
    fresh: Any, violation: Any
) -> None:
    pair = fresh()
    pair.a.authenticate("token", b"x")
    pair.to_b()
    assert pair.b.receive(frames.encode(frames.Call(5, 0, "Any", None, None, NOTHING))) == []
    assert violation(pair.b.accept()) == "CALL-1"
    assert pair.b.state is State.CLOSED


def test_what_waits_for_nothing_is_not_held(fresh: Any) -> None:
    """Clause AUTH-6: answers to calls of the verifier go on during the claimant's opening exchange."""
    pair = fresh()
    pair.a.authenticate("token", b"x")
    pair.pump()
    id = pair.b.call(3, "Any", NOTHING)
    pair.to_a()
    pair.a.item(id, b"1")
    pair.a.ping()
    assert pair.to_b() == [frames.Item(id, b"1")]
    pair.a.result(id, b"\xf6")
    assert pair.to_b() == [frames.Result(id, b"\xf6")]
    assert pair.b.peer_authenticating


@pytest.mark.parametrize("opening", [True, False])
def test_a_final_goaway_drops_the_calls_that_wait(fresh: Any, opening: bool) -> None:
    """Clauses LEAVE-3, CALL-13: they never run, also where the other side is accepted later."""
    pair = fresh(acceptor=SMALL)
    before = [] if opening else [pair.call()]
    pair.a.authenticate("token", b"x")
    id = pair.a.call(2, "Any", NOTHING)
    pair.a.item(id, bytes(1_000))
    pair.pump()
    assert pair.b.last_in == (before or [0])[0]
    pair.b.goaway()
    pair.b.goaway(pair.b.last_in)
    pair.pump()
    assert not pair.a.is_open(id)
    assert pair.b.accept() == []
    assert pair.b.calls_in == len(before)
    pair.pump()
    assert not any(isinstance(event, Failed) for event in pair.seen_by_a + pair.seen_by_b)
    # the item has cost credit, and gives it back
    assert pair.b._granted.granted + pair.b._granted.unreturned == SMALL.session_credit


def test_credit_for_a_call_that_waits_is_no_news_but_counts(fresh: Any) -> None:
    pair = fresh()
    pair.call()
    pair.a.authenticate("token", b"x")
    id = pair.a.call(1, "Any", NOTHING)
    pair.to_b()
    balance = pair.b._in[id].balance
    assert pair.b.receive(frames.encode(frames.Credit(id, 100))) == []
    assert pair.b._in[id].balance == balance + 100
    assert [type(event) for event in pair.b.accept()] == [frames.Call]


def test_an_answer_to_a_challenge_after_the_end_is_not_written(pair: Any) -> None:
    pair.a.authenticate("token", b"x")
    pair.to_b()
    pair.b.challenge(b"?")
    pair.to_a()
    pair.a.shut()
    pair.a.authenticate("token", b"y")
    assert not pair.a.has_output
