"""The sans-I/O core: bytes to events, and method calls to bytes. No I/O, no clock, no task, no thread.

`Connection` is a session's state machine; `frames` has the frames that it speaks in and their encoding, `events`
what it tells, `errors` what can go wrong. `Exports` and `Imports` count the references of a session. How values
become the bodies of frames is in `graftwire.protocol.values`.
"""

from __future__ import annotations

from . import errors, events, frames
from .connection import VERSION, Connection, Role, State
from .errors import ErrorCode, LocalProtocolError, ProtocolViolation
from .events import EndOfInput, Event, Failed, Opened
from .limits import LEAST, Limits
from .references import Exports, Imports

__all__ = [
    "LEAST",
    "VERSION",
    "Connection",
    "EndOfInput",
    "ErrorCode",
    "Event",
    "Exports",
    "Failed",
    "Imports",
    "Limits",
    "LocalProtocolError",
    "Opened",
    "ProtocolViolation",
    "Role",
    "State",
    "errors",
    "events",
    "frames",
]
