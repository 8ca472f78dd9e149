"""What a call takes along: the time that is left, and its trace."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from graftwire.protocol import frames
from graftwire.protocol.limits import LARGEST_MILLISECONDS
from graftwire.transport.context import DeadlinePassed, current_call, outgoing_context
from graftwire.transport.incoming import IncomingCall

from .peer import session_and_peer

TRACE = (bytes(range(1, 17)), bytes(range(1, 9)), 1)
OTHER = (bytes(range(2, 18)), bytes(range(2, 10)), 0)


async def within(seconds: float) -> frames.Context | None:
    """The context of a call in a scope that ends in so many seconds."""
    with trio.CancelScope(deadline=trio.current_time() + seconds):
        await trio.lowlevel.cancel_shielded_checkpoint()
        return outgoing_context()
    raise AssertionError


async def test_without_deadline_and_trace_there_is_none() -> None:
    assert outgoing_context() is None
    assert outgoing_context(TRACE) == frames.Context(None, TRACE)


async def test_the_time_that_is_left_is_rounded_up_and_bounded(
    autojump_clock: trio.testing.MockClock,
) -> None:
    assert await within(1.0001) == frames.Context(1_001, None)
    assert await within(0.0001) == frames.Context(1, None)
    assert await within(1e9) == frames.Context(LARGEST_MILLISECONDS, None)


async def test_no_time_is_left() -> None:
    with pytest.raises(DeadlinePassed):
        await within(0)
    with trio.CancelScope() as scope:
        scope.cancel()
        with pytest.raises(DeadlinePassed):
            await within(10)


async def test_the_call_that_is_served_passes_on_its_time_and_its_trace(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with session_and_peer() as (session, _):
        served = IncomingCall(session, frames.Call(1, 0, "Any", frames.Context(5_000, TRACE), None, b""))
        token = current_call.set(served)
        try:
            assert outgoing_context() == frames.Context(5_000, TRACE)
            assert outgoing_context(OTHER) == frames.Context(5_000, OTHER)
            assert await within(2) == frames.Context(2_000, TRACE)  # the nearer one counts
            assert await within(20) == frames.Context(5_000, TRACE)
            current_call.set(
                IncomingCall(session, frames.Call(1, 0, "Any", frames.Context(None, TRACE), None, b""))
            )
            assert outgoing_context() == frames.Context(None, TRACE)
        finally:
            current_call.reset(token)
