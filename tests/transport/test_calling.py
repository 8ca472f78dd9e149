"""Calls of this side: what becomes of a sender and of what a call took along, however the call ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from graftwire.protocol import errors, frames, values
from graftwire.protocol.connection import Role
from graftwire.protocol.errors import ErrorCode
from graftwire.protocol.limits import LARGEST_INTEGER, Limits
from graftwire.transport.calls import Stream, call, open_stream
from graftwire.transport.outgoing import OutgoingCall
from graftwire.transport.session import Session

from .peer import Peer, session_and_peer

NOTHING = values.encode_arguments((), {})
NULL = values.encode(None)


def given(session: Session) -> int:
    """How many references the session has given that are still alive."""
    return len(session.references._exports)


async def flood(stream: OutgoingCall, times: int = 50) -> None:
    """Send far more than there is credit for."""
    for _ in range(times):
        await stream.send(bytes(50_000))


async def until_stuck(session: Session, peer: Peer) -> None:
    """Read what a sender sends, until it has no more credit."""
    await peer.wait_for(frames.Item)
    while session._conn.has_output or session._output._busy:
        await peer.read()
    await trio.testing.wait_all_tasks_blocked()


# --- deadlines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [0, frames.SERVER_STREAM])
async def test_a_scope_whose_deadline_has_passed_ends_as_scopes_do(
    shape: int, mock_clock: trio.testing.MockClock
) -> None:
    """The other side's word on it may be read before trio has looked at the clock; the scope's own end comes first."""
    async with session_and_peer(Role.INITIATOR) as (session, peer):

        async def caller() -> None:
            with trio.move_on_after(1) as scope:
                if shape:
                    async with open_stream(session, shape, "Any", (), {}) as stream:
                        await anext(stream)
                else:
                    await call(session, "Any", (), {})
            assert scope.cancelled_caught

        async with trio.open_nursery() as nursery:
            nursery.start_soon(caller)
            await peer.wait_for(frames.Call)
            await trio.testing.wait_all_tasks_blocked()
            mock_clock.jump(2)
            session._calling.on_error(frames.Error(1, ErrorCode.DEADLINE_EXCEEDED, None))


async def test_a_deadline_of_the_other_side_alone_is_an_error() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):

        async def answer() -> None:
            await peer.wait_for(frames.Call)
            peer.conn.error(1, ErrorCode.DEADLINE_EXCEEDED)
            await peer.write()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            with trio.fail_after(60), pytest.raises(errors.DeadlineExceeded):
                await call(session, "Any", (), {})


# --- streams that end early ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [frames.CLIENT_STREAM, frames.BOTH_STREAMS])
@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("many", [1, 3])
async def test_an_early_end_frees_senders_that_have_no_credit(shape: int, failed: bool, many: int) -> None:
    """Nobody gives stream credit after the terminal (STREAM-4): senders must not wait for it."""
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with session.open(shape, "Any", NOTHING) as stream:
            with trio.fail_after(5):
                async with trio.open_nursery() as nursery:
                    for _ in range(many):
                        nursery.start_soon(flood, stream)
                    await until_stuck(session, peer)
                    sent = len(peer.of(frames.Item))
                    if failed:
                        peer.conn.error(1, ErrorCode.CANCELLED)
                    else:
                        peer.conn.result(1, NULL)
                    await peer.write()
                    await peer.wait_for(frames.End)  # at once (STREAM-6), though the block was not left
            assert session.calls_in_flight == (0, 0)
            await flood(stream, 3)
            if failed:
                with pytest.raises(errors.CallCancelled):
                    await stream.result()
            else:
                assert await stream.result() == NULL
        assert len(peer.of(frames.Item)) == sent  # nothing more left
        assert len(peer.of(frames.End)) == 1
        assert not peer.of(frames.Cancel)


async def test_nothing_is_sent_after_an_early_end_while_there_is_credit() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with session.open(2, "Any", NOTHING) as stream:
            await peer.wait_for(frames.Call)
            peer.conn.result(1, NULL)
            await peer.write()
            await peer.wait_for(frames.End)
            await stream.send(NULL)
            await trio.testing.wait_all_tasks_blocked()
            assert not session._conn.has_output
            assert not peer.of(frames.Item)
            assert await stream.result() == NULL


async def test_a_sender_outside_the_block_is_freed_when_the_block_is_left() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with trio.open_nursery() as nursery:
            async with session.open(2, "Any", NOTHING) as stream:
                nursery.start_soon(flood, stream)
                await until_stuck(session, peer)
            with trio.fail_after(5):
                while nursery.child_tasks:
                    await trio.lowlevel.checkpoint()


async def test_a_sender_without_credit_learns_that_its_call_never_ran() -> None:
    """GOAWAY in peace ends the calls above its last id, and the session goes on for the others."""
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.request, "Stays", NOTHING)
            await peer.wait_for(frames.Call)
            async with session.open(2, "Any", NOTHING) as stream:
                failures: list[errors.CallError] = []

                async def send() -> None:
                    for _ in range(2):
                        with pytest.raises(errors.Unavailable) as caught:
                            await flood(stream)
                        failures.append(caught.value)

                async with trio.open_nursery() as senders:
                    senders.start_soon(send)
                    while session._conn.may_send_item(stream.id):
                        await trio.lowlevel.checkpoint()
                    with trio.fail_after(5):
                        await peer.link.send(
                            frames.encode(frames.Goaway(LARGEST_INTEGER, ErrorCode.NONE))
                            + frames.encode(frames.Goaway(1, ErrorCode.NONE))
                        )
                        while senders.child_tasks:
                            await trio.lowlevel.checkpoint()
                with pytest.raises(errors.Unavailable) as late:
                    await stream.result()
            assert [failure.ran for failure in (*failures, late.value)] == [False] * 3
            assert len({id(failure) for failure in (*failures, late.value)}) == 3  # each its own
            assert session.ending is None
            nursery.cancel_scope.cancel()


async def test_the_end_of_the_session_reaches_a_sender_as_such() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with session.open(2, "Any", NOTHING) as stream:
            async with trio.open_nursery() as nursery:

                async def send() -> None:
                    with pytest.raises(
                        errors.Unavailable, match="the other side closed the session"
                    ) as caught:
                        await flood(stream)
                    assert caught.value.ran

                nursery.start_soon(send)
                await until_stuck(session, peer)
                await peer.link.send_eof()


async def test_an_error_that_many_ask_for_is_raised_anew_each_time() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        body = values.encode(["Broke", "badly", {"limit": 7}])
        async with session.open(1, "Any", NOTHING) as stream:
            await peer.wait_for(frames.Call)
            peer.conn.error(1, ErrorCode.APPLICATION, body)
            await peer.write()
            seen: list[errors.ApplicationError] = []
            for ask in (stream.next_item, stream.result, stream.result):
                with pytest.raises(errors.ApplicationError) as caught:
                    await ask()
                seen.append(caught.value)
        assert len({id(error) for error in seen}) == 3
        assert {(error.name, error.message, str(error), error.ran) for error in seen} == {
            ("Broke", "badly", "Broke: badly", True)
        }
        assert all(error.fields == {"limit": 7} for error in seen)


async def test_what_is_too_large_is_named() -> None:
    async with session_and_peer(Role.INITIATOR, peer_limits=Limits(largest_frame=65_536)) as (session, peer):
        with pytest.raises(errors.TooLarge, match=r"^the call is larger .* send it as a stream$") as caught:
            await session.request("Any", bytes(70_000))
        assert not caught.value.ran  # it was never sent
        async with session.open(2, "Any", NOTHING) as stream:
            with pytest.raises(errors.TooLarge, match=r"^the item is larger .* send it in parts$"):
                await stream.send(bytes(70_000))


# --- what a call took along ------------------------------------------------------------------------------------------


async def open_and_leave(session: Session) -> None:
    async with open_stream(session, 1, "Any", (len,), {}):
        pass


async def call_once(session: Session) -> None:
    await call(session, "Any", (len,), {})


@pytest.mark.parametrize("make", [call_once, open_and_leave])
async def test_a_call_that_is_never_made_leaves_no_reference(make: Callable[[Session], Any]) -> None:
    async with session_and_peer(Role.INITIATOR, peer_limits=Limits(calls_in_flight=16)) as (session, peer):
        with trio.CancelScope() as scope:
            scope.cancel()
            await make(session)
        assert scope.cancelled_caught
        assert given(session) == 0
        async with trio.open_nursery() as nursery:
            for _ in range(16):
                nursery.start_soon(session.request, "Any", NOTHING)
            await peer.wait_for(frames.Call, 16)
            with trio.move_on_after(0.01):
                await make(session)
            assert given(session) == 0
            nursery.cancel_scope.cancel()
        session.close()
        with pytest.raises(errors.Unavailable):
            await make(session)
        assert given(session) == 0


async def send_and_be_cancelled(stream: Stream) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await stream.send(len)
    with trio.move_on_after(0.01):
        while True:
            await stream.send([bytes(50_000), len])


async def test_an_item_that_is_never_sent_leaves_no_reference() -> None:
    async with session_and_peer(Role.INITIATOR, peer_limits=Limits(largest_frame=65_536)) as (session, peer):
        async with open_stream(session, 2, "Any", (), {}) as stream:
            await send_and_be_cancelled(stream)
            await until_stuck(session, peer)
            assert given(session) == len(peer.of(frames.Item)) > 0
            with pytest.raises(errors.TooLarge):
                await stream.send([len, bytes(70_000)])
            assert given(session) == len(peer.of(frames.Item))
            peer.conn.error(1, ErrorCode.CANCELLED)
            await peer.write()
            await peer.wait_for(frames.End)
            assert given(session) == 0  # the ERROR has ended those that left
            await stream.send(len)
            assert given(session) == 0


async def test_calls_that_never_ran_end_what_they_carried() -> None:
    """Clause REF-4: GOAWAY is to them what ERROR is to others, those that were cancelled before included."""
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call_once, session)
            await peer.wait_for(frames.Call)
            peer.conn.goaway(1)  # it is on its way, and the next calls too
            with trio.move_on_after(0.01):
                await call_once(session)

            async def fails() -> None:
                with pytest.raises(errors.Unavailable):
                    await call_once(session)

            nursery.start_soon(fails)
            await trio.testing.wait_all_tasks_blocked()
            assert given(session) == 3
            await peer.write()
            await trio.testing.wait_all_tasks_blocked()
            assert given(session) == 1
            nursery.cancel_scope.cancel()


async def test_the_end_of_a_session_lets_go_of_everything() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        session.references.give(len)
        session.references.arrived(2)
        session.close()
        await peer.wait_for_end()
        await peer.link.aclose()
        await session.wait_ended()
        assert given(session) == 0
        assert len(session.references._imports) == 0


# --- errors that carry references ------------------------------------------------------------------------------------

HANDLE = bytes.fromhex("d9a40702")  # reference 2
ERROR_WITH_HANDLE = b"\x83\x61E\x61e\xa1\x61h" + HANDLE


async def test_the_error_of_a_cancelled_call_gives_its_references_back() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        with trio.move_on_after(0.01):
            await session.request("Any", NOTHING)
        await peer.wait_for(frames.Cancel)
        peer.conn.error(1, ErrorCode.APPLICATION, ERROR_WITH_HANDLE)
        await peer.write()
        assert await peer.wait_for(frames.Release) == [frames.Release(2)]
        assert len(session.references._imports) == 0


async def test_an_error_whose_body_is_not_what_its_code_wants_gives_its_references_back() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(errors.InternalError):
                    await session.request("Any", NOTHING)

            nursery.start_soon(ask)
            await peer.wait_for(frames.Call)
            peer.conn.error(1, ErrorCode.INTERNAL, HANDLE)
            await peer.write()
            assert await peer.wait_for(frames.Release) == [frames.Release(2)]


async def test_an_error_with_a_reference_that_its_sender_cannot_give() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(errors.SessionError, match="REF-1"):
                    await session.request("Any", NOTHING)

            nursery.start_soon(ask)
            await peer.wait_for(frames.Call)
            peer.conn.error(1, ErrorCode.APPLICATION, ERROR_WITH_HANDLE[:-1] + b"\x01")
            await peer.write()
