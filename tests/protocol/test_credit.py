"""Clauses CREDIT-1 to CREDIT-7: what an item costs, who may send one, and how credit comes back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graftwire.protocol import ErrorCode, Limits, LocalProtocolError, ProtocolViolation, frames
from graftwire.protocol.credit import Allowance


def encoded(*several: frames.Frame) -> bytes:
    return b"".join(map(frames.encode, several))


@given(st.integers(1, 5_000), st.lists(st.integers(64, 3_000), max_size=60), st.randoms())
def test_no_byte_of_credit_is_lost(window: int, costs: list[int], random: Any) -> None:
    allowance = Allowance(window, window)
    balance = window  # as the sender counts it
    unused: list[int] = []
    for cost in costs:
        while balance <= 0:
            assert unused, "the sender waits for ever"
            balance += allowance.give_back(unused.pop(random.randrange(len(unused))))
        allowance.charge(cost)
        balance -= cost
        unused.append(cost)
        assert balance == allowance.granted
        assert allowance.granted + allowance.unreturned + sum(unused) == window
    for cost in unused:
        balance += allowance.give_back(cost)
    assert allowance.granted + allowance.unreturned == window
    assert balance == allowance.granted > 0
    assert allowance.unreturned * 2 < window


def test_what_did_not_come_is_not_given_back() -> None:
    allowance = Allowance(1_000, 1_000)
    allowance.charge(100)
    with pytest.raises(LocalProtocolError, match="CREDIT-1"):
        allowance.give_back(101)
    assert allowance.give_back(100) == 0
    with pytest.raises(LocalProtocolError, match="CREDIT-1"):
        allowance.give_back(1)


def test_a_balance_goes_below_zero_once() -> None:
    allowance = Allowance(100, 100)
    allowance.charge(99)
    allowance.charge(5_000)
    assert allowance.granted == 100 - 5_099
    with pytest.raises(ProtocolViolation, match="CREDIT-2"):
        allowance.charge(64)
    allowance = Allowance(100, 100)
    allowance.charge(100)
    with pytest.raises(ProtocolViolation, match="CREDIT-2"):
        allowance.charge(64)


# --- in a session -----------------------------------------------------------------------------------------

SMALL = Limits(stream_credit=65_536, session_credit=262_144)


def test_the_example_of_the_standard(fresh: Any) -> None:
    pair = fresh(acceptor=SMALL)
    pair.pump()
    id = pair.call(2)
    sent = 0
    while pair.a.may_send_item(id):
        pair.a.item(id, bytes(1_000))
        sent += 1
    assert sent == 62
    with pytest.raises(LocalProtocolError, match="CREDIT-2"):
        pair.a.item(id, b"")
    pair.pump()
    assert len([event for event in pair.seen_by_b if type(event) is frames.Item]) == 62
    for _ in range(30):
        pair.b.consume(id, 1_000)
    pair.pump()
    assert not pair.a.may_send_item(id)
    pair.b.consume(id, 1_000)  # 31 times 1,064 is more than half of 65,536
    pair.pump()
    assert pair.seen_by_a[-1] == frames.Credit(id, 32_984)
    sent = 0
    while pair.a.may_send_item(id):
        pair.a.item(id, bytes(1_000))
        sent += 1
    assert sent == 31


def test_one_large_item_may_go_on_a_balance_of_one(fresh: Any, violation: Any) -> None:
    pair = fresh(acceptor=SMALL)
    pair.pump()
    id = pair.call(2)
    pair.a.item(id, bytes(65_536 - 64 - 1))  # leaves 1
    pair.a.item(id, bytes(2**20))
    pair.pump()
    assert not pair.a.may_send_item(id)
    # who sends all the same breaks the standard
    assert violation(pair.b.receive(encoded(frames.Item(id, b"")))) == "CREDIT-2"


def test_the_session_bounds_all_streams_together(fresh: Any, violation: Any) -> None:
    pair = fresh(acceptor=SMALL)
    pair.pump()
    first = [pair.call(2) for _ in range(5)]
    for id in first[:4]:
        pair.a.item(id, bytes(65_536 - 64))
    assert not pair.a.may_send_item(first[4])
    with pytest.raises(LocalProtocolError, match="CREDIT-2"):
        pair.a.item(first[4], b"")
    pair.pump()
    assert violation(pair.b.receive(encoded(frames.Item(first[4], b"")))) == "CREDIT-2"


def test_credit_is_returned_for_the_session_after_the_stream_is_over(fresh: Any) -> None:
    pair = fresh(acceptor=SMALL)
    pair.pump()
    ids = [pair.call(2) for _ in range(4)]
    for id in ids:
        pair.a.item(id, bytes(65_536 - 64))
        pair.a.end(id)
    pair.pump()
    for id in ids:
        pair.b.result(id, b"\xf6")
    pair.pump()
    for id in ids:
        assert not pair.b.is_open(id)
        pair.b.consume(id, 65_536 - 64)
    pair.pump()
    given = [event for event in pair.seen_by_a if type(event) is frames.Credit]
    assert given == [frames.Credit(0, 262_144)]


@pytest.mark.parametrize("end", ["result", "error"])
def test_items_after_an_early_terminal_cost_and_return_session_credit_alone(pair: Any, end: str) -> None:
    """STREAM-4. After ERROR the core drops them; after RESULT they may hold references that have to be released."""
    id = pair.call(2)
    if end == "result":
        pair.b.result(id, b"\xf6")
    else:
        pair.b.error(id, ErrorCode.OVERLOADED)
    for _ in range(20):  # the caller has not read it
        pair.a.item(id, bytes(60_000))
        for event in pair.to_b():
            if type(event) is frames.Item:
                assert end == "result"
                pair.b.consume(event.id, len(event.body))
        if not pair.a.may_send_item(id):
            break
    else:
        pytest.fail("the stream's credit came back")
    pair.pump()
    assert {event.id for event in pair.seen_by_a if type(event) is frames.Credit} <= {0}
    assert pair.a._balance + pair.b._granted.unreturned == pair.b.limits.session_credit
    pair.a.end(id)
    pair.pump()
    assert (pair.a.calls_out, pair.b.calls_in) == (0, 0)


def test_early_items_count_on_the_least_credit_and_get_the_difference_with_hello(fresh: Any) -> None:
    pair = fresh(acceptor=Limits(stream_credit=70_000))
    id = pair.a.call(2, "Any", b"\x82\x80\xa0")
    sent = 0
    while pair.a.may_send_item(id):
        pair.a.item(id, bytes(936))
        sent += 1
    assert sent == 66  # 65,536 / 1,000
    pair.pump()
    assert pair.a.may_send_item(id)
    pair.a.item(id, bytes(70_000 - 66_000 - 64 - 1))
    pair.a.item(id, b"")
    assert not pair.a.may_send_item(id)
    pair.pump()
    assert not [event for event in pair.seen_by_b if type(event).__name__ == "Failed"]


def test_credit_above_the_most_is_refused(pair: Any, violation: Any) -> None:
    id = pair.call(2)
    most = 2**31 - 1
    assert pair.a.receive(encoded(frames.Credit(id, most - 262_144), frames.Credit(0, most - 2**21)))
    assert violation(pair.a.receive(encoded(frames.Credit(id, 1)))) == "CREDIT-3"


def test_session_credit_above_the_most_is_refused(pair: Any, violation: Any) -> None:
    assert violation(pair.a.receive(encoded(frames.Credit(0, 2**31 - 2**21)))) == "CREDIT-3"


def test_credit_for_a_both_stream_call_stays_behind_its_items(pair: Any, written: Any) -> None:
    """Clause ORDER-1, as strictly as it can be kept: no control frame passes within a call."""
    id = pair.call(3)
    pair.b.item(id, b"first")
    pair.a.item(id, bytes(200_000))
    for event in pair.b.receive(b"".join(pair.a.take())):
        pair.b.consume(event.id, len(event.body))
    assert [frame.kind for frame in written(pair.b)] == [frames.Item.kind, frames.Credit.kind]


def test_credit_that_waits_is_announced_in_one_frame(pair: Any, written: Any) -> None:
    ids = [pair.call(2) for _ in range(2)]
    for id in ids:
        for _ in range(2):  # each takes half of what a stream has
            pair.a.item(id, bytes(131_072 - 64))
        for event in pair.to_b():
            pair.b.consume(event.id, len(event.body))
    assert written(pair.b) == [frames.Credit(id, 2 * 131_072) for id in ids]
    assert pair.b._granted.unreturned == 4 * 131_072
