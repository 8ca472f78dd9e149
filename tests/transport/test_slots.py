"""Who may make a call, and who waits: nobody is forgotten, and a large call is not passed for ever."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from graftwire.protocol import errors, frames, values
from graftwire.protocol.connection import Role
from graftwire.protocol.limits import Limits
from graftwire.transport.context import current_call
from graftwire.transport.incoming import IncomingCall
from graftwire.transport.session import Session
from graftwire.transport.slots import LOOK_AHEAD

from .peer import Peer, session_and_peer

NOTHING = values.encode_arguments((), {})
NULL = values.encode(None)
TIGHT = Limits(calls_in_flight=16, unfinished_body_bytes=65_536, largest_frame=65_536)
LARGE = 40_000


class Row:
    """Callers of a session, started one after the other, and the order in which their calls came."""

    def __init__(self, session: Session, peer: Peer, nursery: trio.Nursery) -> None:
        self.session = session
        self.peer = peer
        self.nursery = nursery

    async def call(self, target: str, size: int = 100, scope: trio.CancelScope | None = None) -> None:
        async def make() -> None:
            with scope if scope is not None else trio.CancelScope():
                await self.session.request(target, bytes(size))

        self.nursery.start_soon(make)
        await self.settle()

    async def answer(self, *targets: str) -> None:
        await self.settle()
        for one in self.peer.of(frames.Call):
            if one.target in targets:
                self.peer.conn.result(one.id, NULL)
        await self.peer.write()
        await self.settle()

    async def settle(self) -> None:
        await trio.testing.wait_all_tasks_blocked()
        while self.peer.link._in.chunks:
            await self.peer.read()
            await trio.testing.wait_all_tasks_blocked()

    @property
    def made(self) -> list[str]:
        """The targets of the calls, in the order in which they were made."""
        return [one.target for one in self.peer.of(frames.Call)]


async def test_a_small_call_goes_past_a_large_one_that_waits_for_bytes() -> None:
    async with session_and_peer(Role.INITIATOR, peer_limits=TIGHT) as (session, peer):
        async with trio.open_nursery() as nursery:
            row = Row(session, peer, nursery)
            await row.call("hold", LARGE)
            for number in range(15):
                await row.call(f"fill-{number}")
            await row.call("large", LARGE)
            await row.call("small")
            assert len(row.made) == 16
            await row.answer("fill-0")  # wakes the large one first, which can't go
            assert row.made[16:] == ["small"]
            await row.answer("hold")
            assert row.made[16:] == ["small", "large"]
            nursery.cancel_scope.cancel()


async def test_who_comes_later_may_pass_at_once() -> None:
    async with session_and_peer(Role.INITIATOR, peer_limits=TIGHT) as (session, peer):
        async with trio.open_nursery() as nursery:
            row = Row(session, peer, nursery)
            await row.call("hold", LARGE)
            await row.call("large", LARGE)
            for number in range(3):
                await row.call(f"small-{number}")
            assert row.made == ["hold", "small-0", "small-1", "small-2"]
            nursery.cancel_scope.cancel()


async def test_a_large_call_waits_for_those_before_it_alone() -> None:
    """However many pass it: they leave it its bytes and its slot."""
    async with session_and_peer(Role.INITIATOR, peer_limits=TIGHT) as (session, peer):
        async with trio.open_nursery() as nursery:
            row = Row(session, peer, nursery)
            await row.call("hold", LARGE)
            await row.call("large", LARGE)
            for number in range(20):  # 20,000 bytes of these pass, and 5,536 are kept for the large one
                await row.call(f"small-{number}", 5_000)
            assert row.made == ["hold", *(f"small-{number}" for number in range(5))]
            await row.answer("small-0")  # what has passed and is over makes room for others to pass
            assert row.made[-1] == "small-5"
            await row.answer("hold")
            assert row.made[7] == "large"
            assert len(row.made) == 8
            await row.answer("large")
            assert set(row.made[8:]) == {f"small-{number}" for number in range(6, 14)}
            nursery.cancel_scope.cancel()


async def test_a_large_call_keeps_a_slot() -> None:
    async with session_and_peer(Role.INITIATOR, peer_limits=TIGHT) as (session, peer):
        async with trio.open_nursery() as nursery:
            row = Row(session, peer, nursery)
            await row.call("hold", LARGE)
            await row.call("large", LARGE)
            for number in range(20):
                await row.call(f"small-{number}")
            assert len(row.made) == 16  # the last of them takes the slot that `hold` leaves
            await row.answer("hold")
            assert row.made[16:] == ["large"]
            nursery.cancel_scope.cancel()


async def test_callers_go_in_order_of_arrival() -> None:
    async with session_and_peer(Role.INITIATOR, peer_limits=TIGHT) as (session, peer):
        async with trio.open_nursery() as nursery:
            row = Row(session, peer, nursery)
            for number in range(40):
                await row.call(f"{number}")
            await row.answer("3", "5", "7")
            assert set(row.made[16:]) == {
                "16",
                "17",
                "18",
            }  # trio shuffles those that get their slots together
            await row.answer("1")
            assert row.made[19:] == ["19"]
            nursery.cancel_scope.cancel()


async def test_a_turn_that_is_not_used_is_the_next_ones() -> None:
    """A caller gets its slot in the moment in which it is cancelled, or in which its time is up."""
    async with session_and_peer(Role.INITIATOR, peer_limits=TIGHT) as (session, peer):
        async with trio.open_nursery() as nursery:
            row = Row(session, peer, nursery)
            for number in range(16):
                await row.call(f"fill-{number}")
            scope, late = trio.CancelScope(), trio.CancelScope()
            await row.call("cancelled", scope=scope)
            await row.call("late", scope=late)
            await row.call("next")
            peer.conn.result(1, NULL)
            data = b"".join(peer.conn.take())
            session._calling.on_result(session._conn.receive(data)[0])  # type: ignore[arg-type]
            scope.cancel()
            late.deadline = trio.current_time()
            await row.settle()
            assert row.made[16:] == ["next"]
            assert not session._calling._slots.kept
            nursery.cancel_scope.cancel()


async def test_a_large_call_that_gives_up_lets_those_behind_it_go() -> None:
    async with session_and_peer(Role.INITIATOR, peer_limits=TIGHT) as (session, peer):
        async with trio.open_nursery() as nursery:
            row = Row(session, peer, nursery)
            await row.call("hold", LARGE)
            scope = trio.CancelScope()
            await row.call("large", 60_000, scope)
            await row.call("middle", 20_000)
            assert row.made == ["hold"]
            scope.cancel()
            await row.settle()
            assert row.made == ["hold", "middle"]
            nursery.cancel_scope.cancel()


async def test_how_far_back_one_may_pass_from_is_bounded() -> None:
    async with session_and_peer(Role.INITIATOR, peer_limits=TIGHT) as (session, peer):
        async with trio.open_nursery() as nursery:
            row = Row(session, peer, nursery)
            await row.call("hold", LARGE)
            for number in range(LOOK_AHEAD + 1):
                await row.call(f"large-{number}", LARGE)
            await row.call("small")
            assert row.made == ["hold"]
            await row.answer("hold")
            assert set(row.made) == {"hold", "large-0", "small"}  # it has come near enough
            nursery.cancel_scope.cancel()


async def test_a_handler_goes_ahead_where_there_is_room() -> None:
    """It must not wait, and the first in the row may wait for this very handler."""
    async with session_and_peer(Role.INITIATOR, peer_limits=TIGHT) as (session, peer):
        async with trio.open_nursery() as nursery:
            row = Row(session, peer, nursery)
            await row.call("hold", LARGE)
            await row.call("large", LARGE)
            serving = IncomingCall(session, frames.Call(2, 0, "Any", None, None, NOTHING))
            token = current_call.set(serving)
            await row.call("nested", 25_000)
            with pytest.raises(errors.Overloaded):
                await session.request("nested-too", bytes(25_000))
            current_call.reset(token)
            assert row.made == ["hold", "nested"]
            nursery.cancel_scope.cancel()


async def test_all_who_wait_learn_that_the_other_side_leaves() -> None:
    async with session_and_peer(Role.INITIATOR, peer_limits=TIGHT) as (session, peer):
        failed: list[errors.Unavailable] = []
        async with trio.open_nursery() as nursery:

            async def fails() -> None:
                with pytest.raises(errors.Unavailable) as caught:
                    await session.request("Any", bytes(LARGE))
                failed.append(caught.value)

            row = Row(session, peer, nursery)
            await row.call("hold", LARGE)
            for _ in range(5):
                nursery.start_soon(fails)
            await row.settle()
            peer.conn.goaway()
            await peer.write()
            await row.settle()
            assert [error.ran for error in failed] == [False] * 5
            nursery.cancel_scope.cancel()
