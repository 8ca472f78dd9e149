"""A session against a peer that is made of the bare core: what it writes, what it waits for, how it ends."""

from __future__ import annotations

import gc
import ssl
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar

import pytest
import trio
import trio.testing

import graftwire
from graftwire.protocol import errors, events, frames, values
from graftwire.protocol.connection import Role
from graftwire.protocol.errors import ErrorCode
from graftwire.protocol.limits import LARGEST_INTEGER, Limits
from graftwire.transport.context import current_call, outgoing_context
from graftwire.transport.facts import LinkFacts
from graftwire.transport.incoming import CallEnded, IncomingCall
from graftwire.transport.link import ConnectOptions, Link, ListenOptions
from graftwire.transport.memory import memory_pair
from graftwire.transport.references import ByReference
from graftwire.transport.serving import MOST_PARKED
from graftwire.transport.session import Session, Timing
from graftwire.transport.url import parse
from graftwire.transport.websocket import accept_websocket, connect_websocket

from .peer import Peer, session_and_peer
from .test_streams import local_links, tls_links

NOTHING = values.encode_arguments((), {})
NULL = values.encode(None)


class Answers:
    """A receiver that runs `handler` for each call."""

    def __init__(self, handler: Callable[[IncomingCall], Awaitable[bytes]]) -> None:
        self._handler = handler
        self.verdicts: list[bytes | Exception | None] = []

    def arrived(self, call: IncomingCall) -> None:
        pass

    def answer(self, call: IncomingCall) -> bytes | None:
        return NULL if call.target == "Inline" else None

    async def handle(self, call: IncomingCall) -> bytes:
        return await self._handler(call)

    def failure(self, call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes | None]:
        if isinstance(error, errors.CallError):
            return error.code, None
        return ErrorCode.INTERNAL, values.encode(bytes(8))

    async def authenticate(self, session: Session, scheme: str, proof: bytes) -> bytes | None:
        verdict = self.verdicts.pop(0)
        if isinstance(verdict, Exception):
            raise verdict
        return verdict


async def hang(call: IncomingCall) -> bytes:
    await trio.sleep_forever()
    raise AssertionError


async def say_null(call: IncomingCall) -> bytes:
    return NULL


# --- opening and ending ----------------------------------------------------------------------------------------------


async def test_a_silent_peer_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    async with session_and_peer(opened=False, timing=Timing(opening=3)) as (session, peer):
        start = trio.current_time()
        await session.wait_ended()
        assert 3 <= trio.current_time() - start < 5
        assert isinstance(session.ending, errors.Unavailable)
        assert str(session.ending) == "the other side did not say HELLO within 3 s"
        await peer.wait_for_end()
        assert peer.of(frames.Goaway) == [frames.Goaway(0, ErrorCode.UNAVAILABLE)]


async def test_what_breaks_the_protocol_gets_the_reason_and_the_end() -> None:
    async with session_and_peer() as (session, peer):
        await peer.link.send(b"\x00\x00\x00\x02\x81\x3f")
        await peer.wait_for_end()
        assert peer.of(frames.Goaway) == [frames.Goaway(0, ErrorCode.PROTOCOL)]
        await peer.link.aclose()
        await session.wait_ended()
        assert isinstance(session.ending, errors.SessionError)


@pytest.mark.parametrize(
    "code", [ErrorCode.PROTOCOL, ErrorCode.VERSION, ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED]
)
async def test_what_an_acceptor_refuses_has_run_nothing(code: ErrorCode) -> None:
    """Clause HELLO-10: whatever its reason was."""
    async with session_and_peer(Role.INITIATOR, opened=False) as (session, peer):
        peer.conn.abort(code)
        await peer.write()
        await session.wait_ended()
        assert session.ending is not None
        assert not session.ending.ran


async def test_what_answers_no_graftwire_has_run_nothing() -> None:
    async with session_and_peer(Role.INITIATOR, opened=False) as (session, peer):
        await peer.link.send(b"HTTP/1.1 400 Bad Request")
        await session.wait_ended()
        assert isinstance(session.ending, errors.SessionError)
        assert not session.ending.ran


async def test_what_is_no_graftwire_peer_is_named_so() -> None:
    async with session_and_peer(Role.INITIATOR, opened=False) as (session, peer):
        await peer.link.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(errors.SessionError, match="what answered does not speak Graftwire"):
            await session.wait_opened()


async def test_a_peer_of_another_version() -> None:
    async with session_and_peer(opened=False) as (session, peer):
        await peer.link.send(
            bytes.fromhex("00000006830081182ba0")
        )  # version 43, and limits that nobody reads
        await peer.wait_for_end()
        assert peer.of(frames.Goaway) == [frames.Goaway(0, ErrorCode.VERSION)]
        await peer.link.aclose()
        await session.wait_ended()
        assert isinstance(session.ending, errors.VersionMismatch)


async def test_an_end_inside_a_frame_is_an_error() -> None:
    async with session_and_peer() as (session, peer):
        await peer.link.send(b"\x00\x00")
        await peer.link.send_eof()
        await session.wait_ended()
        assert "FRAME-8" in str(session.ending)


async def test_after_a_half_close_one_goaway_goes_out_and_nothing_else() -> None:
    """Clause LEAVE-9: the call that is open gets no terminal, but its caller learns how far this side came."""
    async with session_and_peer(receiver=Answers(hang)) as (session, peer):
        peer.conn.call(0, "Any", NOTHING)
        await peer.write()
        await peer.link.send_eof()
        await peer.wait_for_end()
        assert peer.events[1:-1] == [frames.Goaway(1, ErrorCode.NONE)]
        await session.wait_ended()


@pytest.mark.parametrize("fails", [False, True])
async def test_leaves_when_the_last_call_of_who_leaves_is_answered(fails: bool) -> None:
    go_on = trio.Event()

    async def wait(call: IncomingCall) -> bytes:
        await go_on.wait()
        if fails:
            raise errors.CallCancelled
        return NULL

    async with session_and_peer(receiver=Answers(wait)) as (session, peer):
        peer.conn.call(0, "Any", NOTHING)
        peer.conn.goaway(0)
        await peer.write()
        await trio.testing.wait_all_tasks_blocked()
        assert session.ending is None
        go_on.set()
        await peer.wait_for(frames.Error if fails else frames.Result)
        await peer.wait_for_end()
        assert peer.of(frames.Goaway) == [frames.Goaway(1, ErrorCode.NONE)]
        await session.wait_ended()


async def test_close_says_goaway_and_ends() -> None:
    async with session_and_peer() as (session, peer):
        session.close()
        await peer.wait_for_end()
        assert peer.of(frames.Goaway) == [frames.Goaway(0, ErrorCode.NONE)]
        await peer.link.aclose()
        await session.wait_ended()
        with pytest.raises(errors.Unavailable) as caught:
            await session.request("Late", NOTHING)
        assert not caught.value.ran


async def test_the_farewell_is_bounded(autojump_clock: trio.testing.MockClock) -> None:
    async with session_and_peer(timing=Timing(farewell=1)) as (session, peer):
        start = trio.current_time()
        session.close()
        await session.wait_ended()  # though the peer never closes its end
        assert trio.current_time() - start < 3


async def test_a_session_that_is_cancelled_tells_the_peer() -> None:
    async with session_and_peer(receiver=Answers(hang)) as (session, peer):
        peer.conn.call(0, "Hang", NOTHING)
        await peer.write()
        await trio.testing.wait_all_tasks_blocked()
        assert session._nursery is not None
        session._nursery.cancel_scope.cancel()
        await peer.wait_for_end()
        assert peer.of(frames.Goaway) == [frames.Goaway(1, ErrorCode.NONE)]
        assert peer.of(frames.Error) == []  # the end of the session says it, not an error of the call


async def test_a_peer_that_leaves_with_an_error() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with trio.open_nursery() as nursery:
            failures: list[errors.CallError] = []

            async def call() -> None:
                try:
                    await session.request("Any", NOTHING)
                except errors.CallError as error:
                    failures.append(error)

            nursery.start_soon(call)
            await peer.wait_for(frames.Call)
            nursery.start_soon(call)
            await peer.wait_for(frames.Call, 2)
            await peer.link.send(frames.encode(frames.Goaway(1, ErrorCode.OVERLOADED)))
        assert [type(failure) for failure in failures] == [errors.Unavailable] * 2
        assert sorted(failure.ran for failure in failures) == [False, True]  # above the last id nothing ran


# --- signs of life ---------------------------------------------------------------------------------------------------


async def test_pings_at_a_third_of_the_peers_idle_time(autojump_clock: trio.testing.MockClock) -> None:
    async with session_and_peer(peer_limits=Limits(idle_time=9_000)) as (session, peer):
        start = trio.current_time()
        while trio.current_time() - start < 30:
            with trio.move_on_after(1):
                await peer.read()
        assert peer.conn._peer_ping in (9, 10, 11)


async def test_ends_after_its_own_idle_time(autojump_clock: trio.testing.MockClock) -> None:
    async with session_and_peer(limits=Limits(idle_time=5_000)) as (session, peer):
        start = trio.current_time()
        await session.wait_ended()
        assert 5 <= trio.current_time() - start < 8
        assert str(session.ending) == "nothing came from the other side for 5 s"
        await peer.wait_for_end()
        assert peer.of(frames.Goaway) == [frames.Goaway(0, ErrorCode.UNAVAILABLE)]


async def test_a_frame_that_trickles_in_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    async with session_and_peer(timing=Timing(slow=2, rate=100)) as (session, peer):
        await peer.link.send(b"\x00\x00\x80\x00")
        with pytest.raises(errors.LinkError):
            for _ in range(100):
                await peer.link.send(b"\x83")
                await trio.sleep(0.1)
        await session.wait_ended()
        assert "KEEP-4" in str(session.ending)


async def test_a_frame_that_comes_fast_enough_may_take_long(autojump_clock: trio.testing.MockClock) -> None:
    body = bytes(30_000)
    async with session_and_peer(receiver=Answers(say_null), timing=Timing(slow=2, rate=100)) as (
        session,
        peer,
    ):
        frame = frames.encode_call(1, 0, "Any", None, None, body)
        peer.conn.call(0, "Any", body)
        peer.conn.take()
        for start in range(0, len(frame), 500):
            await peer.link.send(frame[start : start + 500])
            await trio.sleep(0.2)
        await peer.wait_for(frames.Result)


async def test_a_peer_that_reads_nothing_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    async def much(call: IncomingCall) -> bytes:
        return values.encode(bytes(1_000_000))

    timing = Timing(stalled=20)
    async with session_and_peer(receiver=Answers(much), timing=timing) as (session, peer):
        for _ in range(10):
            peer.conn.call(0, "Much", NOTHING)
        await peer.write()
        with trio.fail_after(100):
            await session.wait_ended()
        assert str(session.ending) == "the other side read nothing for 20 s"


async def test_ping_gives_the_round_trip() -> None:
    async with session_and_peer() as (session, peer):
        async with trio.open_nursery() as nursery:

            async def both() -> None:
                first, second = [0.0], [0.0]
                async with trio.open_nursery() as inner:

                    async def one(into: list[float]) -> None:
                        into[0] = await session.ping()

                    inner.start_soon(one, first)
                    inner.start_soon(one, second)
                assert 0 <= first[0] < 5
                assert 0 <= second[0] < 5
                nursery.cancel_scope.cancel()

            nursery.start_soon(both)
            while True:
                await peer.read()


# --- calls of this side ----------------------------------------------------------------------------------------------


async def call_many(session: Session, count: int, body: bytes = NOTHING) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(session.request, "Any", body)


async def answer_everything(peer: Peer) -> None:
    """Answer each call, in order, for ever."""
    answered = 0
    while True:
        calls = peer.of(frames.Call)
        for call in calls[answered:]:
            peer.conn.result(call.id, NULL)
        answered = len(calls)
        await peer.write()
        await peer.read()


async def test_callers_wait_while_the_peer_takes_no_more_calls() -> None:
    limits = Limits(calls_in_flight=16)
    async with session_and_peer(Role.INITIATOR, peer_limits=limits) as (session, peer):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call_many, session, 20)
            await peer.wait_for(frames.Call, 16)
            await trio.testing.wait_all_tasks_blocked()
            assert len(peer.of(frames.Call)) == 16
            peer.conn.result(1, NULL)
            await peer.write()
            await peer.wait_for(frames.Call, 17)
            await trio.testing.wait_all_tasks_blocked()
            assert len(peer.of(frames.Call)) == 17
            nursery.cancel_scope.cancel()


async def test_callers_wait_while_bodies_are_unfinished() -> None:
    limits = Limits(largest_frame=65_536, unfinished_body_bytes=100_000)
    async with session_and_peer(Role.INITIATOR, peer_limits=limits) as (session, peer):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call_many, session, 3, bytes(40_000))
            await peer.wait_for(frames.Call, 2)
            await trio.testing.wait_all_tasks_blocked()
            assert len(peer.of(frames.Call)) == 2
            peer.conn.result(1, NULL)
            await peer.write()
            await peer.wait_for(frames.Call, 3)
            nursery.cancel_scope.cancel()


async def test_a_waiting_caller_that_is_cancelled_passes_its_turn_on() -> None:
    limits = Limits(calls_in_flight=16)
    async with session_and_peer(Role.INITIATOR, peer_limits=limits) as (session, peer):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call_many, session, 16)
            await peer.wait_for(frames.Call, 16)
            cancelled = trio.CancelScope()

            async def impatient() -> None:
                with cancelled:
                    await session.request("Impatient", NOTHING)

            nursery.start_soon(impatient)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(session.request, "Patient", NOTHING)
            await trio.testing.wait_all_tasks_blocked()
            peer.conn.result(1, NULL)
            await peer.write()
            cancelled.cancel()
            calls = await peer.wait_for(frames.Call, 17)
            assert calls[16].target == "Patient"
            nursery.cancel_scope.cancel()


async def test_a_call_above_what_the_peer_takes_is_refused_here() -> None:
    async with session_and_peer(Role.INITIATOR, peer_limits=Limits(largest_frame=65_536)) as (session, peer):
        with pytest.raises(errors.TooLarge, match="send it as a stream"):
            await session.request("Any", bytes(70_000))
        async with trio.open_nursery() as nursery:  # the session goes on
            nursery.start_soon(answer_everything, peer)
            assert await session.request("Any", NOTHING) == NULL
            nursery.cancel_scope.cancel()


async def test_a_cancelled_call_is_cancelled_there_and_its_late_result_dropped() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()

            async def call() -> None:
                with scope:
                    await session.request("Any", NOTHING)

            nursery.start_soon(call)
            await peer.wait_for(frames.Call)
            scope.cancel()
            await peer.wait_for(frames.Cancel)
            assert session.calls_in_flight == (1, 0)  # its slot is taken until the peer has ended it
            peer.conn.result(1, NULL)
            await peer.write()
            await trio.testing.wait_all_tasks_blocked()
            assert session.calls_in_flight == (0, 0)


async def test_a_hundred_small_calls_cost_a_few_sends() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        sends = 0
        link = session._link
        real = link.send_nowait

        def counting(data: bytes | bytearray | memoryview) -> int:
            nonlocal sends
            sends += 1
            return real(data)

        link.send_nowait = counting  # type: ignore[method-assign]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call_many, session, 100)
            await peer.wait_for(frames.Call, 100)
            nursery.cancel_scope.cancel()
        assert sends < 12


async def test_the_deadline_travels() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with trio.open_nursery() as nursery:

            async def call() -> None:
                with trio.move_on_after(2):
                    await session.request("Any", NOTHING)

            nursery.start_soon(call)
            (call_frame,) = await peer.wait_for(frames.Call)
            assert 1_000 < call_frame.context.remaining <= 2_000
            nursery.cancel_scope.cancel()


async def test_no_call_is_made_when_the_time_is_up() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        with trio.move_on_after(0) as scope:
            await session.request("Any", NOTHING)
        assert scope.cancelled_caught
        with trio.CancelScope() as cancelled:
            cancelled.cancel()
            await session.request("Any", NOTHING)
        assert session.calls_in_flight == (0, 0)


# --- calls of the other side -----------------------------------------------------------------------------------------


async def test_without_a_receiver_nothing_is_known() -> None:
    async with session_and_peer() as (session, peer):
        peer.conn.call(0, "Any", NOTHING)
        await peer.write()
        (error,) = await peer.wait_for(frames.Error)
        assert error.code is ErrorCode.UNKNOWN_TARGET


async def test_a_deadline_ends_the_handler(autojump_clock: trio.testing.MockClock) -> None:
    async with session_and_peer(receiver=Answers(hang)) as (session, peer):
        start = trio.current_time()
        peer.conn.call(0, "Later", NOTHING, frames.Context(3_000))
        peer.conn.call(0, "Sooner", NOTHING, frames.Context(1_000))
        await peer.write()
        first, second = await peer.wait_for(frames.Error, 2)
        assert (first.id, second.id) == (3, 1)
        assert first.code is second.code is ErrorCode.DEADLINE_EXCEEDED
        assert 3 <= trio.current_time() - start < 4


async def test_thousands_of_deadlines_that_were_met_leave_nothing() -> None:
    async with session_and_peer(receiver=Answers(say_null)) as (session, peer):
        for _ in range(30):
            for _ in range(100):
                peer.conn.call(0, "Any", NOTHING, frames.Context(60_000))
            await peer.write()
            while peer.conn.calls_out:
                await peer.read()
        assert not session._timers._live
        assert len(session._timers._heap) < 1_000


async def test_context_reaches_nested_calls(autojump_clock: trio.testing.MockClock) -> None:
    seen: list[frames.Context | None] = []
    trace = (bytes(range(1, 17)), bytes(range(1, 9)), 1)

    async def look(call: IncomingCall) -> bytes:
        seen.append(outgoing_context())
        assert current_call.get() is call
        return NULL

    async with session_and_peer(receiver=Answers(look)) as (session, peer):
        peer.conn.call(0, "Any", NOTHING, frames.Context(5_000, trace))
        peer.conn.call(0, "Any", NOTHING)
        await peer.write()
        await peer.wait_for(frames.Result, 2)
        assert frames.Context(5_000, trace) in seen
        assert None in seen
    assert current_call.get() is None


async def test_each_call_has_context_variables_of_its_own() -> None:
    variable: ContextVar[int] = ContextVar("variable", default=0)
    seen: list[int] = []

    async def count(call: IncomingCall) -> bytes:
        seen.append(variable.get())
        variable.set(variable.get() + 1)
        await trio.lowlevel.checkpoint()
        assert variable.get() == 1
        return NULL

    async with session_and_peer(receiver=Answers(count)) as (session, peer):
        for _ in range(5):  # one after the other, so that the same parked worker serves them
            peer.conn.call(0, "Any", NOTHING)
            await peer.write()
            await peer.wait_for(frames.Result, len(seen) + 1)
    assert seen == [0] * 5


async def test_a_worker_serves_the_next_call_after_a_cancelled_one() -> None:
    async def wait(call: IncomingCall) -> bytes:
        return await hang(call) if call.target == "Hang" else NULL

    async with session_and_peer(receiver=Answers(wait)) as (session, peer):
        for round_number in range(3):
            id = peer.conn.call(0, "Hang", NOTHING)
            await peer.write()
            await trio.testing.wait_all_tasks_blocked()
            peer.conn.cancel(id)
            peer.conn.call(0, "Quick", NOTHING)
            await peer.write()
            await peer.wait_for(frames.Error, round_number + 1)
            await peer.wait_for(frames.Result, round_number + 1)
        assert {error.code for error in peer.of(frames.Error)} == {ErrorCode.CANCELLED}


async def test_a_call_cancelled_in_the_same_read_as_it_came() -> None:
    async with session_and_peer(receiver=Answers(hang)) as (session, peer):
        peer.conn.cancel(peer.conn.call(0, "Any", NOTHING))
        await peer.write()
        (error,) = await peer.wait_for(frames.Error)
        assert error.code is ErrorCode.CANCELLED


async def test_a_group_of_a_handler_is_one_failure() -> None:
    async def fail(call: IncomingCall) -> bytes:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise ValueError

    async with session_and_peer(receiver=Answers(fail)) as (session, peer):
        peer.conn.call(0, "Any", NOTHING)
        await peer.write()
        (error,) = await peer.wait_for(frames.Error)
        assert error.code is ErrorCode.INTERNAL


async def test_results_that_nobody_reads_stay_bounded() -> None:
    """A peer that calls and calls but never reads: what waits for it here is bounded by the calls in flight."""
    done = 0

    async def big(call: IncomingCall) -> bytes:
        nonlocal done
        done += 1
        return values.encode(bytes(100_000))

    async with session_and_peer(receiver=Answers(big), limits=Limits(calls_in_flight=100)) as (session, peer):
        for _ in range(100):
            peer.conn.call(0, "Big", NOTHING)
        await peer.write()
        await trio.testing.wait_all_tasks_blocked()
        assert session._conn.queued < 2_000_000  # of the ten million that were asked for
        while len(peer.of(frames.Result)) < 100:
            await peer.read()
        assert done == 100


async def test_a_result_above_what_the_peer_takes() -> None:
    async def big(call: IncomingCall) -> bytes:
        return values.encode(bytes(100_000))

    async with session_and_peer(receiver=Answers(big), peer_limits=Limits(largest_frame=65_536)) as (
        session,
        peer,
    ):
        peer.conn.call(0, "Big", NOTHING)
        await peer.write()
        (error,) = await peer.wait_for(frames.Error)
        assert error.code is ErrorCode.TOO_LARGE


async def test_a_parked_worker_keeps_nothing_of_the_call_that_it_has_run() -> None:
    """Neither the body nor the proof, which may be large, and may be a secret."""
    seen: list[weakref.ref[object]] = []

    class Noted:
        pass

    variable: ContextVar[Noted] = ContextVar("variable")

    async def note(call: IncomingCall) -> bytes:
        call.standing = noted = Noted()
        variable.set(noted)
        seen.append(weakref.ref(noted))
        await trio.lowlevel.checkpoint()
        return NOTHING

    async with session_and_peer(receiver=Answers(note)) as (session, peer):
        peer.conn.call(0, "Any", NOTHING)
        await peer.write()
        await peer.wait_for(frames.Result)
        assert len(session._serving._parked) == 1
        gc.collect()
        assert [each() for each in seen] == [None]


async def test_many_parked_workers_are_not_kept() -> None:
    release = trio.Event()

    async def wait(call: IncomingCall) -> bytes:
        await release.wait()
        return NULL

    async with session_and_peer(receiver=Answers(wait)) as (session, peer):
        for _ in range(MOST_PARKED + 50):
            peer.conn.call(0, "Any", NOTHING)
        await peer.write()
        await trio.testing.wait_all_tasks_blocked()
        release.set()
        await peer.wait_for(frames.Result, MOST_PARKED + 50)
        assert len(session._serving._parked) == MOST_PARKED


# --- streams ---------------------------------------------------------------------------------------------------------


async def test_a_server_stream_waits_for_credit() -> None:
    sent = 0

    async def stream(call: IncomingCall) -> bytes:
        nonlocal sent
        for _ in range(100):
            await call.send(bytes(20_000))
            sent += 1
        return NULL

    limits = Limits(stream_credit=65_536)
    async with session_and_peer(receiver=Answers(stream), peer_limits=limits) as (session, peer):
        id = peer.conn.call(1, "Stream", NOTHING)
        await peer.write()
        await peer.wait_for(frames.Item, 4)
        await trio.testing.wait_all_tasks_blocked()
        assert sent == 4  # three fit, and one more while the balance was above zero
        taken = 0
        while not peer.of(frames.Result):
            items = peer.of(frames.Item)
            for item in items[taken:]:
                peer.conn.consume(id, len(item.body))
            taken = len(items)
            await peer.write()
            await peer.read()
        assert len(peer.of(frames.Item)) == 100


async def test_a_client_stream_that_nobody_takes_stops_the_sender() -> None:
    async with session_and_peer(receiver=Answers(hang), limits=Limits(stream_credit=65_536)) as (
        session,
        peer,
    ):
        id = peer.conn.call(2, "Any", NOTHING)
        await peer.write()
        count = 0
        while peer.conn.may_send_item(id):
            peer.conn.item(id, bytes(10_000))
            count += 1
        assert count == 7
        await peer.write()
        with trio.move_on_after(0.05):
            await peer.read()
        assert not peer.conn.may_send_item(id)
        peer.conn.cancel(id)
        await peer.write()
        await peer.wait_for(frames.Error)


async def test_an_early_end_stops_the_sender_of_a_client_stream() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):

        async def serve() -> None:
            await peer.wait_for(frames.Call)
            peer.conn.result(1, NULL)
            await peer.write()
            await peer.wait_for(frames.End)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            async with session.open(2, "Any", NOTHING) as call:
                with trio.fail_after(5):
                    while not call.over:
                        await call.send(bytes(1_000))
                        await trio.lowlevel.checkpoint()
                assert await call.result() == NULL
        with trio.fail_after(5):
            while session.calls_in_flight != (0, 0):
                await trio.lowlevel.checkpoint()


async def test_items_that_were_not_taken_give_their_credit_back() -> None:
    async with session_and_peer(Role.INITIATOR, limits=Limits(session_credit=262_144)) as (session, peer):
        for _ in range(10):  # together far more than the session's credit
            async with session.open(1, "Any", NOTHING) as call:
                with trio.fail_after(5):
                    while peer.conn.calls_in == 0:
                        await peer.read()
                    count = 0
                    while count < 3:
                        while not peer.conn.may_send_item(call.id):
                            await peer.read()
                        peer.conn.item(call.id, bytes(50_000))
                        await peer.write()
                        count += 1
                await trio.testing.wait_all_tasks_blocked()
            await peer.wait_for(frames.Cancel, len(peer.of(frames.Cancel)) + 1)
            peer.conn.error(call.id, ErrorCode.CANCELLED)
            await peer.write()


# --- leaving ---------------------------------------------------------------------------------------------------------


async def test_drain_says_so_twice_and_lets_calls_end() -> None:
    release = trio.Event()

    async def wait(call: IncomingCall) -> bytes:
        await release.wait()
        return NULL

    async with session_and_peer(receiver=Answers(wait)) as (session, peer):
        peer.conn.call(0, "Any", NOTHING)
        await peer.write()
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.drain, 10)
            await peer.wait_for(frames.Goaway, 2)
            assert [goaway.last for goaway in peer.of(frames.Goaway)] == [LARGEST_INTEGER, 1]
            release.set()
            await peer.wait_for(frames.Result)
            await peer.wait_for_end()
            await peer.link.aclose()


async def test_drain_keeps_to_its_bound(autojump_clock: trio.testing.MockClock) -> None:
    async with session_and_peer(receiver=Answers(hang)) as (session, peer):
        peer.conn.call(0, "Any", NOTHING)
        await peer.write()
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.drain, 3)
            await peer.wait_for_end()
            await peer.link.aclose()
        assert 3 <= trio.current_time() - start < 6
        assert peer.of(frames.Error) == []


async def test_a_peer_that_drains_gets_no_new_calls() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.request, "Any", NOTHING)
            await peer.wait_for(frames.Call)
            peer.conn.goaway()
            await peer.write()
            await trio.testing.wait_all_tasks_blocked()
            assert not session.usable
            with pytest.raises(errors.Unavailable) as caught:
                await session.request("Late", NOTHING)
            assert not caught.value.ran
            peer.conn.result(1, NULL)  # the running one ends well
            await peer.write()
        await peer.wait_for_end()  # and with it the session
        await peer.link.aclose()
        await session.wait_ended()


# --- who the other side is -------------------------------------------------------------------------------------------


async def test_authentication_with_a_challenge() -> None:
    receiver = Answers(say_null)
    receiver.verdicts = [b"prove it", None]
    async with session_and_peer(receiver=receiver) as (session, peer):
        peer.conn.authenticate("test", b"first")
        peer.conn.call(0, "Any", NOTHING)
        await peer.write()
        (challenge,) = await peer.wait_for(frames.Challenge)
        assert challenge.data == b"prove it"
        assert not peer.of(frames.Result)  # the call waits for the outcome
        peer.conn.authenticate("test", b"second")
        await peer.write()
        await peer.wait_for(frames.Accepted)
        await peer.wait_for(frames.Result)


async def test_a_refused_authentication_ends_the_session() -> None:
    receiver = Answers(say_null)
    receiver.verdicts = [errors.Unauthenticated()]
    async with session_and_peer(receiver=receiver) as (session, peer):
        peer.conn.authenticate("test", b"wrong")
        peer.conn.call(0, "Any", NOTHING)
        await peer.write()
        (goaway,) = await peer.wait_for(frames.Goaway)
        assert goaway == frames.Goaway(0, ErrorCode.UNAUTHENTICATED)
        await peer.wait_for_end()
        assert not peer.of(frames.Result)


async def test_nobody_judges_a_proof_without_a_receiver() -> None:
    async with session_and_peer() as (session, peer):
        peer.conn.authenticate("test", b"any")
        await peer.write()
        (goaway,) = await peer.wait_for(frames.Goaway)
        assert goaway.code is ErrorCode.UNAUTHENTICATED


async def backwards(data: bytes) -> bytes:
    return data[::-1]


async def test_proving_who_this_side_is() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.authentication.prove, "test", b"first", backwards)
            await peer.wait_for(frames.Auth)
            peer.conn.challenge(b"abc")
            await peer.write()
            _, second = await peer.wait_for(frames.Auth, 2)
            assert second.proof == b"cba"
            peer.conn.accept()
            await peer.write()
        with pytest.raises(errors.Unauthenticated):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(answer_refusing, peer)
                try:
                    await session.authentication.prove("test", b"again")
                except errors.Unauthenticated as error:
                    failed = error
                nursery.cancel_scope.cancel()
            raise failed


async def answer_refusing(peer: Peer) -> None:
    await peer.wait_for(frames.Auth, 3)
    peer.conn.refuse()
    await peer.write()


async def test_inline_answers_need_no_task() -> None:
    async with session_and_peer(receiver=Answers(hang)) as (session, peer):
        peer.conn.call(0, "Inline", NOTHING)
        await peer.write()
        await peer.wait_for(frames.Result)
        assert session._serving._parked == []


async def test_a_group_in_which_a_cancellation_hides_a_failure() -> None:
    async def fail_when_cancelled(call: IncomingCall) -> bytes:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError
        raise AssertionError

    async with session_and_peer(receiver=Answers(fail_when_cancelled)) as (session, peer):
        id = peer.conn.call(0, "Any", NOTHING)
        await peer.write()
        await trio.testing.wait_all_tasks_blocked()
        peer.conn.cancel(id)
        await peer.write()
        (error,) = await peer.wait_for(frames.Error)
        assert error.code in (ErrorCode.CANCELLED, ErrorCode.INTERNAL)
        await trio.testing.wait_all_tasks_blocked()
        assert session.usable


# --- any byte is a sign of life --------------------------------------------------------------------------------------


async def test_a_websocket_ping_is_a_sign_of_life(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    sessions: list[Session] = []

    async def serve(link: Link) -> None:
        sessions.append(Session(link, Role.ACCEPTOR, limits=Limits(idle_time=5_000)))
        await sessions[0].run()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept_websocket, ours, ListenOptions(), LinkFacts("ws", "here", "there"), serve)
        url = parse("ws://there:1")
        async with connect_websocket(theirs, url, ConnectOptions(), LinkFacts("ws", "there", "here")) as link:
            peer = Peer(link, Role.INITIATOR, None)
            await peer.write()
            await peer.wait_for(events.Opened)
            (session,) = sessions
            for _ in range(20):
                await theirs.send_all(b"\x89\x80\0\0\0\0")  # an empty ping, masked with zeros
                await trio.sleep(1)
            assert session.usable
            silent = trio.current_time()
            await session.wait_ended()
            assert 3 <= trio.current_time() - silent < 8
            assert str(session.ending) == "nothing came from the other side for 5 s"


@pytest.mark.parametrize("enough", [True, False])
async def test_every_byte_of_a_tls_record_is_a_sign_of_life(
    client_tls: ssl.SSLContext,
    server_tls: ssl.SSLContext,
    autojump_clock: trio.testing.MockClock,
    enough: bool,
) -> None:
    """A record is 16 KiB and comes whole or not at all, but whoever sends it slowly does send."""
    dialled, accepted = await tls_links(client_tls, server_tls, local_links())
    timing = Timing(slow=4, rate=100)
    session = Session(
        accepted, Role.ACCEPTOR, limits=Limits(idle_time=3_000), receiver=Answers(say_null), timing=timing
    )
    peer = Peer(dialled, Role.INITIATOR, None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        await peer.write()
        await peer.wait_for(events.Opened)
        peer.conn.call(0, "Any", bytes(12_000))
        frame = b"".join(peer.conn.take())
        await dialled.send(frame[:100])
        dialled._encrypt(memoryview(frame)[100:])
        record = dialled._outgoing.read()
        step = 200 if enough else 50
        for start in range(0, len(record), step):
            if not session.usable:
                break
            with suppress(errors.LinkError):
                await dialled.io.send(record[start : start + step])
            await trio.sleep(1)
        if enough:
            await peer.wait_for(frames.Result)
        else:
            await session.wait_ended()
            assert "KEEP-4" in str(session.ending)
        session.close()
        await dialled.aclose()
        await session.wait_ended()


# --- endings that meet something else --------------------------------------------------------------------------------


async def test_what_only_the_link_can_see_to_be_wrong_ends_the_session() -> None:
    """A text message is no frame, but nothing that the core could find."""
    ours, theirs = memory_pair()

    class Strict(type(ours)):  # type: ignore[misc] - what a message transport does
        async def receive(self) -> bytes:
            data = await super().receive()
            if data == b"text":
                raise errors.ProtocolViolation("WS-2", "a text message")
            return data

    ours.__class__ = Strict
    session = Session(ours, Role.ACCEPTOR)
    peer = Peer(theirs, Role.INITIATOR, None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        await peer.write()
        await peer.wait_for(events.Opened)
        await theirs.send(b"text")
        (goaway,) = await peer.wait_for(frames.Goaway)
        assert goaway.code is ErrorCode.PROTOCOL
        await theirs.aclose()
        await session.wait_ended()
    assert "WS-2" in str(session.ending)


async def test_a_ping_that_is_not_answered_ends_with_the_session() -> None:
    async with session_and_peer() as (session, peer):
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(errors.Unavailable):
                    await session.ping()

            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            session.close()
        await peer.link.aclose()
        await session.wait_ended()
        with pytest.raises(errors.Unavailable):
            await session.ping()


async def test_a_drain_ends_quietly_where_the_peer_goes_meanwhile() -> None:
    async with session_and_peer() as (session, peer):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.drain, 10)
            await peer.link.receive()  # the GOAWAY, and the PING that is never answered
            await peer.link.aclose()
        assert session.ending is not None


async def test_a_drain_before_the_session_has_opened_closes_it() -> None:
    async with session_and_peer(opened=False) as (session, peer):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.drain, 10)
            await peer.wait_for_end()
            await peer.link.aclose()
        await session.drain(10)  # a second time: nothing is left to do


async def test_a_session_that_was_closed_before_it_ran() -> None:
    ours, theirs = memory_pair()
    session = Session(ours, Role.INITIATOR)
    session.close()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        await theirs.aclose()
        await session.wait_ended()
    with pytest.raises(errors.Unavailable):
        await session.wait_opened()


async def test_a_challenge_without_an_answer_to_it() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with trio.open_nursery() as nursery:

            async def prove() -> None:
                with pytest.raises(errors.Unauthenticated) as caught:
                    await session.authentication.prove("test", b"all I have")
                assert str(caught.value) == (
                    "the other side asks for a further proof, and this credential has none"
                )

            nursery.start_soon(prove)
            await peer.wait_for(frames.Auth)
            peer.conn.challenge(b"more")
            await peer.write()
        assert not session.usable


async def test_a_verdict_that_comes_too_late() -> None:
    """The session has ended while a proof was judged: there is nobody to tell, whatever the verdict."""
    for verdict in (None, errors.Unauthenticated()):
        judged = trio.Event()

        class Slow(Answers):
            async def authenticate(self, session: Session, scheme: str, proof: bytes) -> bytes | None:
                with trio.CancelScope(shield=True):
                    await judged.wait()
                if verdict is not None:
                    raise verdict
                return None

        async with session_and_peer(receiver=Slow(say_null)) as (session, peer):
            peer.conn.authenticate("test", b"proof")
            await peer.write()
            await trio.testing.wait_all_tasks_blocked()
            session.close()
            judged.set()
            await peer.wait_for_end()
            assert not peer.of(frames.Accepted)
            assert [goaway.code for goaway in peer.of(frames.Goaway)] == [ErrorCode.NONE]


async def test_an_authentication_takes_its_time_and_no_more(autojump_clock: trio.testing.MockClock) -> None:
    receiver = Answers(say_null)
    receiver.verdicts = [b"prove it"]
    async with session_and_peer(receiver=receiver, timing=Timing(opening=3)) as (session, peer):
        await trio.sleep(20)
        peer.conn.authenticate("test", b"first")
        await peer.write()
        await peer.wait_for(frames.Challenge)
        await session.wait_ended()
        assert str(session.ending) == "the other side did not finish its authentication within 3 s"
        await peer.wait_for_end()
        # Clause AUTH-5: who does not finish it in time is refused, like who proves nothing
        assert peer.of(frames.Goaway) == [frames.Goaway(0, ErrorCode.UNAUTHENTICATED)]


@pytest.mark.parametrize("rounds", [1, 2])
async def test_a_verdict_is_not_waited_for_for_ever(
    rounds: int, autojump_clock: trio.testing.MockClock
) -> None:
    """Clause AUTH-5: who judges and does nothing is left, also if it goes on answering PINGs."""
    async with session_and_peer(Role.INITIATOR, timing=Timing(opening=3)) as (session, peer):
        await trio.sleep(20)
        begun = trio.current_time()

        async def answer(challenge: bytes) -> bytes:
            return challenge

        async def challenge() -> None:
            await peer.wait_for(frames.Auth)
            await trio.sleep(2)
            peer.conn.challenge(b"prove it")
            await peer.write()

        async with trio.open_nursery() as nursery:
            if rounds == 2:
                nursery.start_soon(challenge)
            with pytest.raises(errors.Unavailable, match="did not judge a proof within 3 s"):
                await session.authentication.prove("test", b"proof", answer)
        assert trio.current_time() - begun == pytest.approx(3 if rounds == 1 else 5)
        await peer.wait_for_end()
        assert [goaway.code for goaway in peer.of(frames.Goaway)] == [ErrorCode.UNAVAILABLE]


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (ErrorCode.UNAUTHENTICATED, errors.Unauthenticated, "the other side does not know who is calling"),
        (ErrorCode.VERSION, errors.VersionMismatch, "the two sides share no protocol version"),
        (ErrorCode.PROTOCOL, errors.SessionError, "the other side says that this side broke the protocol"),
        (
            ErrorCode.OVERLOADED,
            errors.Unavailable,
            "the other side ended the session: the other side takes no more calls just now",
        ),
    ],
)
async def test_why_the_other_side_ended_it(code: ErrorCode, kind: type[errors.CallError], text: str) -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        await peer.link.send(frames.encode(frames.Goaway(0, code)))
        await peer.wait_for_end()
        assert type(session.ending) is kind
        assert str(session.ending) == text


async def test_a_released_reference_that_was_never_given_ends_the_session() -> None:
    async with session_and_peer() as (session, peer):
        await peer.link.send(frames.encode(frames.Release(2)))
        (goaway,) = await peer.wait_for(frames.Goaway)
        assert goaway.code is ErrorCode.PROTOCOL
        assert "REF-2" in str(session.ending)


# --- calls with streams at their limits ------------------------------------------------------------------------------


async def test_a_stream_is_not_opened_when_the_time_is_up() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        with trio.move_on_after(0) as scope:
            async with session.open(1, "Any", NOTHING):
                raise AssertionError
        assert scope.cancelled_caught
        call = IncomingCall(session, frames.Call(2, 0, "Any", frames.Context(1), None, NOTHING))
        call.deadline = trio.current_time() - 1
        token = current_call.set(call)
        for make in (session.open(1, "Any", NOTHING).__aenter__, lambda: session.request("Any", NOTHING)):
            with pytest.raises(errors.DeadlineExceeded) as caught:
                await make()
            assert not caught.value.ran
        current_call.reset(token)
        assert session.calls_in_flight == (0, 0)


async def test_a_stream_waits_for_a_slot_and_is_refused_where_the_peer_leaves() -> None:
    async with session_and_peer(Role.INITIATOR, peer_limits=Limits(calls_in_flight=16)) as (session, peer):
        async with trio.open_nursery() as nursery:
            for _ in range(16):
                nursery.start_soon(session.request, "Any", NOTHING)
            opened = trio.Event()

            async def stream() -> None:
                async with session.open(1, "Stream", NOTHING):
                    opened.set()

            await peer.wait_for(frames.Call, 16)
            nursery.start_soon(stream)
            await trio.testing.wait_all_tasks_blocked()
            assert not opened.is_set()
            peer.conn.result(1, NULL)
            await peer.write()
            await opened.wait()
            (last,) = [call for call in await peer.wait_for(frames.Call, 17) if call.target == "Stream"]
            peer.conn.result(last.id, NULL)
            for call in peer.of(frames.Call)[1:16]:
                peer.conn.result(call.id, NULL)
            await peer.write()
        peer.conn.call(0, "Stay", NOTHING)
        peer.conn.goaway(last.id)
        await peer.write()
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(errors.Unavailable) as caught:
            async with session.open(1, "Late", NOTHING):
                raise AssertionError
        assert not caught.value.ran


async def test_what_fits_into_no_frame_is_refused_here() -> None:
    limits = Limits(largest_frame=65_536)
    async with session_and_peer(Role.INITIATOR, peer_limits=limits) as (session, peer):
        large = bytes(70_000)
        with pytest.raises(errors.TooLarge) as caught:
            async with session.open(3, "Any", large):
                raise AssertionError
        assert "send it as a stream" in str(caught.value)
        assert not caught.value.ran
        async with session.open(2, "Any", NOTHING) as call:
            with pytest.raises(errors.TooLarge):
                await call.send(large)


async def test_what_is_large_waits_until_the_other_side_has_said_what_it_takes() -> None:
    async with session_and_peer(Role.INITIATOR, opened=False) as (session, peer):
        async with trio.open_nursery() as nursery:

            async def stream() -> None:
                async with session.open(2, "Stream", NOTHING) as call:
                    await call.send(bytes(100_000))
                    assert await call.result() == NULL

            nursery.start_soon(stream)
            nursery.start_soon(session.request, "Large", bytes(1_000_000))
            await trio.testing.wait_all_tasks_blocked()
            (item,) = await peer.wait_for(frames.Item)
            assert item.body == bytes(100_000)
            for call in await peer.wait_for(frames.Call, 2):
                peer.conn.result(call.id, NULL)
            await peer.write()


async def test_an_item_for_a_call_that_is_over() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with session.open(3, "Any", NOTHING) as call:
            call.end()
            call.end()
            await call.send(b"x")  # nothing more is sent, and `result` will say how it went
            await peer.wait_for(frames.Call)
            call.close()
            call.close()
            await call.send(b"x")
        await peer.wait_for(frames.Cancel)
        assert len(peer.of(frames.End)) == len(peer.of(frames.Cancel)) == 1
        assert not peer.of(frames.Item)
        session.close()
        call.close()
        session._releases.one(2)


async def test_an_item_of_a_handler_when_its_session_is_over() -> None:
    started = trio.Event()
    outcomes: list[type[BaseException]] = []

    async def late(call: IncomingCall) -> bytes:
        started.set()
        with trio.CancelScope(shield=True):  # it is cancelled with the session, but takes its time
            while call.session.ending is None:
                await trio.sleep(0.001)
            with pytest.raises(CallEnded) as caught:
                await call.send(NULL)
            outcomes.append(caught.type)
        return NULL

    async with session_and_peer(receiver=Answers(late)) as (session, peer):
        peer.conn.call(1, "Any", NOTHING)
        await peer.write()
        await started.wait()
        session.close()
        await peer.wait_for_end()
        await peer.link.aclose()
        await session.wait_ended()
    assert outcomes == [CallEnded]


async def test_the_receivers_items_end_and_so_does_its_error() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with session.open(1, "Any", NOTHING) as call:
            await peer.wait_for(frames.Call)
            peer.conn.item(1, NULL)
            peer.conn.error(1, ErrorCode.DENIED)
            await peer.write()
            assert await call.next_item() == NULL
            for ask in (call.next_item, call.result):
                with pytest.raises(errors.Denied):
                    await ask()
            assert call.over


async def test_a_caller_that_takes_items_sends_none() -> None:
    """Asking for items that no stream brings gives the end at once."""
    got: list[bytes | None] = []

    async def ask(call: IncomingCall) -> bytes:
        assert (call.has_client_stream, call.has_server_stream) == (False, True)
        got.append(await call.next_item())
        return NULL

    async with session_and_peer(receiver=Answers(ask)) as (session, peer):
        peer.conn.call(1, "Any", NOTHING)
        await peer.write()
        await peer.wait_for(frames.Result)
    assert got == [None]


async def test_a_handler_that_waits_for_an_item_can_be_cancelled() -> None:
    async def ask(call: IncomingCall) -> bytes:
        with trio.move_on_after(0.01):
            await call.next_item()
        return await call.next_item() or NULL

    async with session_and_peer(receiver=Answers(ask)) as (session, peer):
        id = peer.conn.call(2, "Any", NOTHING)
        await peer.write()
        await trio.sleep(0.02)
        peer.conn.item(id, b"\x18\x2a")
        peer.conn.end(id)
        await peer.write()
        (result,) = await peer.wait_for(frames.Result)
        assert result.body == b"\x18\x2a"


# --- what handlers do ------------------------------------------------------------------------------------------------


class Failing(Answers):
    """A receiver that fails before it has a task, and says much about it."""

    def answer(self, call: IncomingCall) -> bytes | None:
        raise RuntimeError

    def failure(self, call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes | None]:
        return ErrorCode.APPLICATION, values.encode(["Error", "x" * 70_000, {}])


async def test_a_failure_without_a_task_and_larger_than_a_frame() -> None:
    async with session_and_peer(receiver=Failing(hang), peer_limits=Limits(largest_frame=65_536)) as (
        session,
        peer,
    ):
        peer.conn.call(0, "Any", NOTHING)
        await peer.write()
        (error,) = await peer.wait_for(frames.Error)
        assert (error.code, error.body) == (ErrorCode.TOO_LARGE, None)


async def test_a_call_on_a_reference_that_was_withdrawn() -> None:
    """Whether it may be called at all is for the receiver to say first, so it is told that there is nothing."""
    found: list[object] = []

    async def look(call: IncomingCall) -> bytes:
        found.append(call.referent)
        raise graftwire.UnknownTarget

    async with session_and_peer(receiver=Answers(look)) as (session, peer):
        mark = ByReference(object())
        id = session.references.give(mark)
        mark.withdraw()
        peer.conn.call(0, (id, ""), NOTHING)
        await peer.write()
        (error,) = await peer.wait_for(frames.Error)
        assert found == [None]
        peer.conn.call(0, (id + 2, ""), NOTHING)
        await peer.write()
        (goaway,) = await peer.wait_for(frames.Goaway)
        assert goaway.code is ErrorCode.PROTOCOL


async def test_a_keyboard_interrupt_is_not_for_the_caller() -> None:
    async def interrupted(call: IncomingCall) -> bytes:
        raise BaseExceptionGroup("", [KeyboardInterrupt()])

    with pytest.raises(BaseExceptionGroup) as caught:
        async with session_and_peer(receiver=Answers(interrupted)) as (session, peer):
            peer.conn.call(0, "Any", NOTHING)
            await peer.write()
            await session.wait_ended()
    assert caught.value.subgroup(KeyboardInterrupt) is not None


# --- what an answer takes along --------------------------------------------------------------------------------------


def given(session: Session) -> int:
    return len(session.references._exports)


async def test_a_result_that_is_not_sent_leaves_no_reference() -> None:
    """Too large for a frame, or cancelled while it waits for room."""
    sizes = {"Large": 70_000, "Much": 60_000}

    async def answer(call: IncomingCall) -> bytes:
        assert isinstance(call.target, str)
        return values.encode([print, bytes(sizes[call.target])], reference=call.session.references.give)

    async with session_and_peer(receiver=Answers(answer), peer_limits=Limits(largest_frame=65_536)) as (
        session,
        peer,
    ):
        peer.conn.call(0, "Large", NOTHING)
        await peer.write()
        (error,) = await peer.wait_for(frames.Error)
        assert error.code is ErrorCode.TOO_LARGE
        assert given(session) == 0
        ids = [peer.conn.call(0, "Much", NOTHING) for _ in range(60)]
        await peer.write()
        await trio.testing.wait_all_tasks_blocked()
        assert given(session) == 60
        for id in ids:
            peer.conn.cancel(id)
        await peer.write()
        while len(peer.of(frames.Error)) + len(peer.of(frames.Result)) < 61:
            await peer.read()
        assert given(session) == len(peer.of(frames.Result)) < 60


async def test_an_item_of_a_handler_that_is_not_sent_leaves_no_reference() -> None:
    async def stream(call: IncomingCall) -> bytes:
        with pytest.raises(errors.TooLarge):
            await call.send(values.encode([print, bytes(70_000)], reference=call.session.references.give))
        while True:
            await call.send(values.encode([print, bytes(10_000)], reference=call.session.references.give))

    async with session_and_peer(receiver=Answers(stream), peer_limits=Limits(largest_frame=65_536)) as (
        session,
        peer,
    ):
        id = peer.conn.call(1, "Any", NOTHING)
        await peer.write()
        await peer.wait_for(frames.Item)
        await trio.testing.wait_all_tasks_blocked()
        peer.conn.cancel(id)
        await peer.write()
        await peer.wait_for(frames.Error)
        assert given(session) == len(peer.of(frames.Item))


class Explains(Answers):
    """A receiver whose failures carry a reference."""

    def __init__(self, code: ErrorCode, size: int = 0) -> None:
        super().__init__(fail)
        self.code = code
        self.size = size

    def failure(self, call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes | None]:
        fields = {"handle": print, "more": bytes(self.size)}
        body = values.encode(["Broke", "", fields], reference=call.session.references.give)
        return self.code, body if self.code is ErrorCode.APPLICATION else None


async def fail(call: IncomingCall) -> bytes:
    raise ValueError


@pytest.mark.parametrize(
    ("receiver", "left"),
    [
        (Explains(ErrorCode.APPLICATION), 1),
        (Explains(ErrorCode.APPLICATION, 70_000), 0),
        (Explains(ErrorCode.DENIED), 0),
    ],
)
async def test_references_in_an_error_are_of_that_error_alone(receiver: Explains, left: int) -> None:
    async with session_and_peer(receiver=receiver, peer_limits=Limits(largest_frame=65_536)) as (
        session,
        peer,
    ):
        peer.conn.call(0, "Any", NOTHING)
        await peer.write()
        await peer.wait_for(frames.Error)
        assert given(session) == left
        assert session.references.taken() is None  # the next call of this side does not take them along


# --- a drain that is begun twice -------------------------------------------------------------------------------------


async def test_a_drain_that_was_cancelled_can_be_begun_again() -> None:
    async with session_and_peer(receiver=Answers(hang)) as (session, peer):
        peer.conn.call(0, "Any", NOTHING)
        await peer.write()
        await trio.testing.wait_all_tasks_blocked()
        for count in (1, 1, 2, 2):  # before its PING is answered, and after
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.drain, 10)
                await trio.testing.wait_all_tasks_blocked()
                if count == 2:
                    await peer.wait_for(frames.Goaway, count)
                nursery.cancel_scope.cancel()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.drain, 0.01)
            nursery.start_soon(session.drain, 10)
            await peer.wait_for_end()
            await peer.link.aclose()
        assert [goaway.last for goaway in peer.of(frames.Goaway)] == [LARGEST_INTEGER, 1]


async def test_a_peer_that_is_turned_away_is_told() -> None:
    ours, theirs = memory_pair()
    session = Session(ours, Role.ACCEPTOR, receiver=Answers(say_null))
    session.refuse()
    peer = Peer(theirs, Role.INITIATOR, None)
    peer.conn.call(0, "Any", NOTHING)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        await peer.write()
        await peer.wait_for_end()
        await theirs.aclose()
    assert peer.events == [frames.Goaway(0, ErrorCode.UNAVAILABLE)]


# --- frames that come one behind the other ---------------------------------------------------------------------------


async def test_frames_that_are_cut_anywhere_are_not_slow(autojump_clock: trio.testing.MockClock) -> None:
    """PINGs, of which the application sees nothing: each is whole soon, but there is always one under way."""
    async with session_and_peer(timing=Timing(slow=2, rate=100)) as (session, peer):
        pings = [frames.encode(frames.Ping(number + 1)) for number in range(40)]
        rest = b""
        for ping in pings:
            await peer.link.send(rest + ping[:3])
            rest = ping[3:]
            await trio.sleep(0.5)
        assert session.usable
        await peer.link.send(rest[:1])
        await trio.sleep(5)  # one that stands still is
        assert "KEEP-4" in str(session.ending)
