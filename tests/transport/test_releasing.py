"""RELEASEs of many references: slowly enough that nothing else waits, and that no memory is held."""

from __future__ import annotations

import tracemalloc

import pytest
import trio
import trio.testing

from graftwire.protocol import errors, frames, values
from graftwire.protocol.connection import Role
from graftwire.transport import releasing
from graftwire.transport.releasing import QUEUED, SLICE
from graftwire.transport.session import Session

from .peer import Peer, session_and_peer

NOTHING = values.encode_arguments((), {})
NULL = values.encode(None)


def many(count: int, first: int = 200_000, last: int | None = None) -> bytes:
    """A body that holds so many references of an acceptor, and then perhaps one more."""
    ids = iter([*range(first, first + 2 * count, 2), *([] if last is None else [last])])
    return values.encode([print] * (count + (last is not None)), reference=lambda _: next(ids))


async def cancelled_call(session: Session, peer: Peer, body: bytes) -> None:
    """A call whose result comes when nobody waits for it any more."""
    count = len(peer.of(frames.Cancel))
    with trio.move_on_after(0.01):
        await session.request("Any", NOTHING)
    await peer.wait_for(frames.Cancel, count + 1)
    peer.conn.result(peer.of(frames.Call)[-1].id, body)
    await peer.write()


async def test_all_of_many_go_back() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        await cancelled_call(session, peer, many(10 * SLICE + 1))
        await cancelled_call(session, peer, many(1, 2))  # behind the others
        released = await peer.wait_for(frames.Release, 10 * SLICE + 2)
        assert [one.reference for one in released] == [*range(200_000, 200_000 + 20 * SLICE + 2, 2), 2]
        assert session._releases._held == 0


async def test_many_cost_little_and_hold_nobody_up() -> None:
    body = many(50_000)
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        tracemalloc.start()
        try:
            session.references.release_all_in(body)
            await trio.testing.wait_all_tasks_blocked()
            assert session._conn.queued < QUEUED + 20 * SLICE
            assert tracemalloc.get_traced_memory()[1] < 2_000_000
        finally:
            tracemalloc.stop()
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                assert await session.request("Any", NOTHING) == NULL

            nursery.start_soon(ask)
            await peer.wait_for(frames.Call)
            assert len(peer.of(frames.Release)) < 40_000  # it was not last in the row
            peer.conn.result(1, NULL)
            await peer.write()
        await peer.wait_for(frames.Release, 50_000)


async def test_what_holds_no_reference_but_much_else_is_looked_at_in_slices() -> None:
    body = b"\x82\x9a\x00\x08\x00\x00" + bytes(2**19) + b"\xd9\xa4\x07\x02"
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        session.references.release_all_in(body)
        assert session._releases._held == len(body)
        assert await peer.wait_for(frames.Release) == [frames.Release(2)]


async def test_a_peer_that_gives_more_than_it_takes_back_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releasing, "MOST_HELD", 50_000)
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        for number in range(10):
            session.references.release_all_in(many(3_000, 200_000 * (number + 1)))
        assert isinstance(session.ending, errors.Unavailable)
        assert str(session.ending) == "the other side gives references faster than it takes them back"
        (goaway,) = await peer.wait_for(frames.Goaway)
        assert goaway.code is errors.ErrorCode.UNAVAILABLE


@pytest.mark.parametrize("wrong", [201_001, 4])
async def test_a_reference_that_cannot_have_been_given_ends_the_session(wrong: int) -> None:
    """Clause REF-1, also in what is thrown away: of this side's own numbers, or held at this moment."""
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        session.references.arrived(4)
        session.references.release_all_in(many(2 * SLICE, last=wrong))
        await peer.wait_for_end()
        assert "REF-1" in str(session.ending)


async def test_nothing_is_looked_at_once_the_session_is_over() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        session.close()
        session.references.release_all_in(many(10 * SLICE))
        await peer.wait_for_end()
        assert not peer.of(frames.Release)
