"""The open calls of a session: what is known of each (clauses CALL-4 to CALL-9).

    flag            set by
    caller_done     END, CANCEL, or there is no client stream
    terminal        RESULT or ERROR
    failed          ERROR
    cancelled       CANCEL

A call is closed, and its slot and the bytes of its body are free, once `caller_done` and `terminal` are set.

    shape           the caller's stream     the receiver's stream
    0 unary         -                       -
    1 server        -                       until the terminal
    2 client        until caller_done       -
    3 both          until caller_done       until the terminal
"""

from __future__ import annotations

import msgspec

from .credit import Allowance
from .frametypes import CLIENT_STREAM


class OpenCall(msgspec.Struct, gc=False):
    """One open call, of either side.

    `balance` is what this side may still send on its stream of the call, if it has one (`sends`); `incoming` what
    the other side may still send on its own, if that has one.
    """

    body_size: int
    caller_done: bool
    sends: bool
    balance: int
    incoming: Allowance | None
    terminal: bool = False
    failed: bool = False
    cancelled: bool = False


def made_here(shape: int, body_size: int, balance: int, window: int) -> OpenCall:
    """A call that this side has made: it sends the client stream."""
    if shape == 0:
        return OpenCall(body_size, True, False, 0, None)
    client_stream = shape >= CLIENT_STREAM
    incoming = Allowance(window, window) if shape & 1 else None
    return OpenCall(body_size, not client_stream, client_stream, balance, incoming)


def made_there(shape: int, body_size: int, balance: int, window: int) -> OpenCall:
    """A call that the other side has made: this side sends the server stream."""
    if shape == 0:
        return OpenCall(body_size, True, False, 0, None)
    client_stream = shape >= CLIENT_STREAM
    incoming = Allowance(window, window) if client_stream else None
    return OpenCall(body_size, not client_stream, bool(shape & 1), balance, incoming)
