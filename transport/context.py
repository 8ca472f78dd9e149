"""What a call carries beside its arguments, for the code that runs in it and for the calls that this code makes."""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import trio

from graftwire.protocol.frames import Context
from graftwire.protocol.limits import LARGEST_MILLISECONDS

if TYPE_CHECKING:
    from .incoming import IncomingCall

current_call: Final[ContextVar[IncomingCall | None]] = ContextVar("graftwire_current_call", default=None)


class DeadlinePassed(Exception):
    """A call was to be made when its time was already up, or its scope already cancelled."""


def outgoing_context(trace: tuple[bytes, bytes, int] | None = None) -> Context | None:
    """The context of a call that is written now: the time that remains and the trace that it belongs to.

    `trace` replaces the trace of the call that is being served. Clauses CTX-2 and CTX-3. Raises DeadlinePassed if no
    time remains.
    """
    call = current_call.get()
    deadline = trio.current_effective_deadline()
    if call is not None:
        deadline = min(deadline, call.deadline)
        if trace is None:
            trace = call.trace
    if deadline == math.inf:
        return None if trace is None else Context(None, trace)
    seconds = deadline - trio.current_time()
    if seconds <= 0:
        raise DeadlinePassed
    return Context(min(math.ceil(seconds * 1000), LARGEST_MILLISECONDS), trace)
