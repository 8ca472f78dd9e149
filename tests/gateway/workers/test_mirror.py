"""What the caller of a call is told that was passed on, and could not be answered."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from graftwire.gateway.workers.mirror import _Backward, failure
from graftwire.gateway.workers.passing import Relayed
from graftwire.protocol import values
from graftwire.protocol.errors import (
    CallError,
    DeadlineExceeded,
    ErrorCode,
    Overloaded,
    SessionError,
    TooLarge,
    Unavailable,
)

CALL: Any = SimpleNamespace(target="Shop.sell", session=None)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unavailable("it is gone", ran=False), ErrorCode.UNAVAILABLE),
        (SessionError("nonsense came", ran=False), ErrorCode.UNAVAILABLE),
        (TooLarge(), ErrorCode.TOO_LARGE),
        (DeadlineExceeded(), ErrorCode.DEADLINE_EXCEEDED),
        (Relayed(ErrorCode.DENIED, None), ErrorCode.DENIED),
    ],
)
def test_what_is_known(error: Exception, code: ErrorCode, caplog: pytest.LogCaptureFixture) -> None:
    assert failure(CALL, error) == (code, None)
    assert caplog.records == []


@pytest.mark.parametrize("error", [Unavailable("hunter2", ran=True), SessionError("hunter2")])
def test_nobody_knows_whether_it_ran(error: CallError, caplog: pytest.LogCaptureFixture) -> None:
    """Then it is not *unavailable*, which would say that it did not."""
    code, body = failure(CALL, error)
    assert code is ErrorCode.INTERNAL
    assert body is not None
    number = values.decode(body)
    assert isinstance(number, bytes)
    [record] = caplog.records
    assert record.getMessage() == (
        f"incident {number.hex()}: Shop.sell may have run, or begun to, in a worker that has ended"
    )
    assert (record.levelno, record.exc_info) == (logging.ERROR, None)


async def test_a_handler_does_not_wait_for_a_place_at_its_caller() -> None:
    """Several workers call the same client, and who holds the places may wait for them."""
    client = SimpleNamespace(calls_in_flight=(16, 0), peer_limits=SimpleNamespace(calls_in_flight=16))
    backward = _Backward(SimpleNamespace(passage=SimpleNamespace(client=client)))  # type: ignore[arg-type]
    with pytest.raises(Overloaded):
        await backward.handle(CALL)
