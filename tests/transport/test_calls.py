"""Calls with Python values: what does not fit is refused at this end, what comes wrong is told apart."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio

from graftwire.protocol import errors, frames, values
from graftwire.protocol.connection import Role
from graftwire.protocol.errors import ErrorCode, ValueRefused
from graftwire.transport.calls import CallOptions, Stream, call, open_stream
from graftwire.transport.session import Session

from .peer import Peer, session_and_peer


class Broke(Exception):
    """Declared."""


def number(value: object) -> int:
    if type(value) is not int:
        raise ValueRefused("", "an integer was expected")
    return value


@asynccontextmanager
async def answered(*bodies: bytes, error: bytes | None = None, shape: int = 0) -> AsyncGenerator[Session]:
    """A session whose first call gets these bodies: items, if it has a server stream, and then the result."""
    async with session_and_peer(Role.INITIATOR) as (session, peer):

        async def answer() -> None:
            await peer.wait_for(frames.Call)
            *items, result = bodies or (b"",)
            for item in items:
                peer.conn.item(1, item)
            if error is not None:
                peer.conn.error(1, ErrorCode.APPLICATION, error)
            else:
                peer.conn.result(1, result)
            await peer.write()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            yield session
            nursery.cancel_scope.cancel()


async def given(session: Session) -> int:
    return len(session.references._exports)


async def test_a_result_is_converted_or_left_as_it_is() -> None:
    for options, expected in ((CallOptions(), 42), (CallOptions(result=number), 42)):
        async with answered(values.encode(42)) as session:
            assert await call(session, "Any", (), {}, options) == expected


async def test_a_result_of_another_type_is_refused_and_the_session_goes_on() -> None:
    async with answered(values.encode("42")) as session:
        with pytest.raises(ValueRefused) as caught:
            await call(session, "Any", (), {}, CallOptions(result=number))
        assert str(caught.value) == str(ValueRefused("", "an integer was expected").at("result"))
        assert session.usable


async def test_references_in_a_result_of_another_type_go_back() -> None:
    """Clause REF-5: nobody gets them, so nobody else would release them."""
    async with session_and_peer(Role.INITIATOR) as (session, peer):

        async def answer() -> None:
            await peer.wait_for(frames.Call)
            peer.conn.result(1, values.encode([len, 7], reference=lambda _: 2))
            await peer.write()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            with pytest.raises(ValueRefused):
                await call(session, "Any", (), {}, CallOptions(result=number))
            (release,) = await peer.wait_for(frames.Release)
        assert release.reference == 2
        assert session.usable


async def test_a_result_that_is_no_value_ends_the_call() -> None:
    async with answered(b"\xff") as session:
        with pytest.raises(errors.SessionError, match="the result can't be read"):
            await call(session, "Any", (), {})


async def test_a_reference_of_the_wrong_side_ends_the_session() -> None:
    """It would be one of this side's own (clause REF-1)."""
    async with answered(b"\xd9\xa4\x07\x01") as session:
        with pytest.raises(errors.SessionError, match="the other side broke the protocol"):
            await call(session, "Any", (), {})
        await session.wait_ended()
        assert "REF-1" in str(session.ending)


async def test_an_argument_that_can_not_cross_takes_its_references_back() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        with pytest.raises(ValueRefused, match="arguments"):
            await call(session, "Any", (len, object()), {})
        with pytest.raises(ValueRefused, match="arguments"):
            async with open_stream(session, 1, "Any", (object(),), {}):
                raise AssertionError
        assert await given(session) == 0
        assert session.calls_in_flight == (0, 0)


async def test_a_declared_exception_is_raised_as_its_own_type() -> None:
    body = values.encode(["Broke", "down", {}])
    async with answered(error=body) as session:
        with pytest.raises(Broke):
            await call(session, "Any", (), {}, CallOptions(raises={"Broke": Broke}))
    async with answered(error=body) as session:
        with pytest.raises(errors.ApplicationError):
            await call(session, "Any", (), {})


@pytest.mark.parametrize("raises", [None, {"Broke": Broke}])
async def test_a_declared_exception_ends_a_stream(raises: dict[str, type[Exception]] | None) -> None:
    kind = errors.ApplicationError if raises is None else Broke
    async with answered(values.encode(1), b"", error=values.encode(["Broke", "down", {}])) as session:
        async with open_stream(session, 1, "Any", (), {}, CallOptions(raises=raises)) as stream:
            items: list[object] = []
            with pytest.raises(kind):
                async for item in stream:
                    items.append(item)
            assert items == [1]
            with pytest.raises(kind):
                await stream.result()


async def test_items_and_result_of_a_stream() -> None:
    """With a server stream it is the items that have the type that was asked for."""
    async with answered(values.encode(1), values.encode(2), values.encode(None)) as session:
        async with open_stream(session, 1, "Any", (), {}, CallOptions(result=number)) as stream:
            assert [item async for item in stream] == [1, 2]
            assert await stream.result() is None
    async with answered(values.encode("x")) as session:
        async with open_stream(session, 2, "Any", (), {}, CallOptions(result=number)) as stream:
            with pytest.raises(ValueRefused, match="result"):
                await stream.result()


async def collected(peer: Peer, stream: Stream) -> list[bytes]:
    await stream.end()
    await peer.wait_for(frames.End)
    return [item.body for item in peer.of(frames.Item)]


async def test_items_that_can_not_cross_are_refused_and_the_stream_goes_on() -> None:
    async with session_and_peer(Role.INITIATOR) as (session, peer):
        async with open_stream(session, 2, "Any", (), {}) as stream:
            await stream.send(1)
            with pytest.raises(ValueRefused, match="item"):
                await stream.send([len, object()])
            assert await given(session) == 0
            await stream.send(2)
            assert await collected(peer, stream) == [values.encode(1), values.encode(2)]


async def test_references_in_items_share_the_fate_of_the_call() -> None:
    for code in (None, ErrorCode.DENIED):
        async with session_and_peer(Role.INITIATOR) as (session, peer):
            async with open_stream(session, 2, "Any", (), {}) as stream:
                await stream.send(len)
                await stream.send(len)
                await collected(peer, stream)
                assert await given(session) == 2
                if code is None:
                    peer.conn.result(1, values.encode(None))
                else:
                    peer.conn.error(1, code)
                await peer.write()
                try:
                    await stream.result()
                except errors.Denied:
                    assert code is ErrorCode.DENIED
            assert await given(session) == (2 if code is None else 0)


def test_options_show_no_proof() -> None:
    """They are what a debugger, or a log of somebody's, shows of a call."""
    shown = repr(CallOptions(credential=("bearer", b"hunter2")))
    assert "hunter2" not in shown
