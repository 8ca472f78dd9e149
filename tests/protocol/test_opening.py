"""The first bytes of a session: what may come and go before, with and right behind HELLO."""

from __future__ import annotations

import pytest

from graftwire.protocol import events, frames
from graftwire.protocol.connection import Connection, Role, State
from graftwire.protocol.limits import Limits

HELLO = frames.encode(frames.Hello((1,), Limits()))


@pytest.mark.parametrize("cut", [0, len(HELLO), len(HELLO) + 5])
def test_nothing_is_written_ahead_of_hello(cut: int) -> None:
    acceptor = Connection(Role.ACCEPTOR)
    data = (
        HELLO
        + frames.encode(frames.Ping(1))
        + frames.encode(frames.Call(1, 0, "Any", None, None, b"\x82\x80\xa0"))
    )
    acceptor.receive(data[:cut])
    acceptor.receive(data[cut:])
    acceptor.result(1, b"\xf6")
    expected = [HELLO, frames.encode(frames.Pong(1)), frames.encode(frames.Result(1, b"\xf6"))]
    assert b"".join(acceptor.take()) == b"".join(expected)


@pytest.mark.parametrize("payload", [b"\x80", b"\xf6", b"\x00"])
@pytest.mark.parametrize("opened", [False, True])
def test_a_frame_of_one_byte_is_refused_at_once(payload: bytes, opened: bool) -> None:
    acceptor = Connection(Role.ACCEPTOR)
    if opened:
        acceptor.receive(HELLO)
    [failed] = acceptor.receive(b"\x00\x00\x00\x01" + payload)
    assert isinstance(failed, events.Failed)
    assert failed.violation.clause == "FRAME-2"
    assert acceptor.state is State.CLOSED
