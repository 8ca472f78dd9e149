"""References of a session: what is given, released, kept, and thrown away unread."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from graftwire.protocol import errors, frames, values
from graftwire.protocol.connection import Role
from graftwire.protocol.errors import ErrorCode
from graftwire.transport.calls import call
from graftwire.transport.incoming import IncomingCall
from graftwire.transport.references import ByReference, Remote
from graftwire.transport.session import Session

from .peer import Peer, session_and_peer

NOTHING = values.encode_arguments((), {})
NULL = values.encode(None)


def reference(id: int) -> bytes:
    """A body that holds one reference."""
    return b"\xd9\xa4\x07" + values.encode(id)


async def released(peer: Peer, *ids: int) -> None:
    """Wait until exactly these were released, in this order."""
    if ids:
        await peer.wait_for(frames.Release, len(ids))
    assert [frame.reference for frame in peer.of(frames.Release)] == list(ids)


async def test_a_handle_is_released_once_and_says_so() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        handle = session.references.arrived(2)
        assert repr(handle) == "<Remote 2>"
        with handle as same:
            assert same is handle
        handle.release()
        assert repr(handle) == "<Remote 2 released>"
        await released(peer, 2)
        assert handle.keep() is handle  # of no call, so it lives until it is released anyway


async def test_what_can_be_given() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, _):
        references = session.references
        assert references.taken() is None
        assert references.give(len) == 1
        assert references.give(ByReference(object())) == 3
        assert references.taken() == [1, 3]
        assert references.taken() is None
        assert references.resolve(1) == (len, None)
        for no in (object(), 5, int, Remote(session, 2)):
            with pytest.raises(TypeError):
                references.give(no)
        references.kill([1])
        with pytest.raises(errors.ProtocolViolation):
            references.resolve(1)


async def test_a_handle_calls_what_it_stands_for() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        handle = session.references.arrived(2)
        results: list[object] = []

        async def ask() -> None:
            results.append(await handle("a", b=1))
            results.append(await handle.call("method"))

        async def answer() -> None:
            for count in (1, 2):
                found = await peer.wait_for(frames.Call, count)
                peer.conn.result(found[-1].id, values.encode(count))
                await peer.write()
            assert [one.target for one in found] == [(2, ""), (2, "method")]

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(answer)
        assert results == [1, 2]


def incoming(session: Session) -> IncomingCall:
    return IncomingCall(session, frames.Call(2, 0, "Any", None, None, NOTHING))


@pytest.mark.parametrize("failed", [True, False])
async def test_handles_that_came_with_a_call_go_back_at_its_end_unless_they_are_kept(failed: bool) -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        served = incoming(session)
        references = session.references
        references.call_over(served, failed)  # nothing came with it
        arrived = references.arrived_with(served)
        for id in (2, 4, 6):
            arrived(id)
        arrived(8).keep()
        arrived(10).keep()
        references.call_over(served, failed)
        session.references.give_back(2)  # gone already
        if failed:  # the ERROR itself kills them all, kept or not (clause REF-4)
            session.references.give_back(8)
            await trio.testing.wait_all_tasks_blocked()
            await released(peer)
        else:
            await released(peer, 2, 4, 6)
            references.give_back(8)
            await peer.wait_for(frames.Release, 4)


async def test_what_nobody_reads_goes_back_with_all_that_is_in_it() -> None:
    """A result that comes after its call was cancelled, and items that nobody took (clause REF-5)."""
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with session.open(1, "Any", NOTHING) as stream:
            await peer.wait_for(frames.Call)
            peer.conn.item(stream.id, reference(2))
            peer.conn.item(stream.id, NULL)
            await peer.write()
            await trio.testing.wait_all_tasks_blocked()
        await released(peer, 2)
        peer.conn.item(stream.id, reference(4))
        peer.conn.result(stream.id, values.encode([1]).replace(b"\x01", reference(6)))
        await peer.write()
        await released(peer, 2, 4, 6)
        # what can't be read holds nothing that could be used
        session.references.release_all_in(b"\xd9\xa4\x07\xff")
        await trio.testing.wait_all_tasks_blocked()
        await released(peer, 2, 4, 6)


@pytest.mark.parametrize("id", [3, 4], ids=["parity", "held"])
async def test_what_nobody_reads_is_judged_all_the_same(id: int) -> None:
    """Clause REF-1: an item that is dropped must not hold what its sender can't have given."""
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        session.references.arrived(4)
        async with session.open(1, "Any", NOTHING) as stream:
            await peer.wait_for(frames.Call)
        peer.conn.item(stream.id, reference(id))
        await peer.write()
        await peer.wait_for_end()
        assert "REF-1" in str(session.ending)
        assert peer.of(frames.Goaway)[0].code is ErrorCode.PROTOCOL
        assert not peer.of(frames.Release)


@pytest.mark.parametrize("end", ["end", "cancel", None])
async def test_items_that_came_with_a_call_that_is_refused_are_dead(end: str | None) -> None:
    """Clause REF-4: read together with their CALL, they come behind its ERROR, and must not be released."""
    async with session_and_peer() as (session, peer):
        for _ in range(2):
            id = peer.conn.call(2, "Any", NOTHING)
            peer.conn.item(id, reference(id))
            if end is not None:
                getattr(peer.conn, end)(id)
        await peer.write()
        for refused in await peer.wait_for(frames.Error, 2):
            assert refused.code is ErrorCode.UNKNOWN_TARGET
        if end is None:
            for id in (1, 3):
                peer.conn.item(id, NULL)
                peer.conn.end(id)
            await peer.write()
        await trio.testing.wait_all_tasks_blocked()
        await released(peer)
        assert not session._serving._failed  # nothing is kept for a call that is closed
        assert session.usable


async def test_an_error_kills_what_its_call_carried() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):

        async def refuse() -> None:
            await peer.wait_for(frames.Call)
            peer.conn.error(1, ErrorCode.DENIED)
            await peer.write()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(refuse)
            with pytest.raises(errors.Denied):
                await call(session, "Any", (len,), {})
        assert len(session.references._exports) == 0


async def test_nothing_is_released_once_the_session_is_over() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        handle = session.references.arrived(2)
        session.close()
        handle.release()
        await peer.wait_for_end()
        assert not peer.of(frames.Release)
