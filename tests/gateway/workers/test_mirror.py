"""What the caller and the log are told of a call that was passed on to a worker."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import cast

import pytest

from graftwire.gateway.workers.mirror import failure
from graftwire.protocol import values
from graftwire.protocol.errors import Denied, ErrorCode, Unavailable
from graftwire.transport.incoming import IncomingCall

CALL = cast("IncomingCall", SimpleNamespace(target="Stock.take"))


def test_a_call_that_is_lost_with_its_worker_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """It is not the fault of any code, so there is no traceback in it; ten of them would hide why."""
    caplog.set_level(logging.ERROR, "graftwire.gateway")
    code, body = failure(CALL, Unavailable("worker has closed the connection", ran=True))
    assert body is not None
    number = cast("bytes", values.decode(body)).hex()
    [record] = caplog.records
    assert code is ErrorCode.INTERNAL  # which says that it may have run
    assert record.exc_info is None
    assert record.getMessage() == (
        f"incident {number}: Stock.take was passed on, and its answer is lost: worker has closed the connection"
    )


def test_what_has_not_run_is_passed_on_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    assert failure(CALL, Unavailable(ran=False)) == (ErrorCode.UNAVAILABLE, None)
    assert failure(CALL, Denied()) == (ErrorCode.DENIED, None)
    assert not caplog.records


def test_a_defect_has_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    code, _ = failure(CALL, KeyError("secret"))
    [record] = caplog.records
    assert code is ErrorCode.INTERNAL
    assert record.exc_info is not None
