"""What the core tells its user: the frames that concern one, and three things that are not frames.

`Call`, `Result`, `Error`, `Cancel`, `Item`, `End`, `Credit`, `Auth`, `Challenge`, `Accepted`, `Pong`, `Goaway`
and `Release` come as the frames themselves, checked against the state of the session. HELLO and PING are the
core's own business.
"""

from __future__ import annotations

import msgspec

from .errors import ProtocolViolation
from .frames import (
    Accepted,
    Auth,
    Call,
    Cancel,
    Challenge,
    Credit,
    End,
    Error,
    Goaway,
    Item,
    Pong,
    Release,
    Result,
)
from .limits import Limits


class Opened(msgspec.Struct, frozen=True, gc=False):
    """The other side's HELLO was read: `version` is spoken, `limits` are what it takes."""

    version: int
    limits: Limits


class Failed(msgspec.Struct, frozen=True):
    """The other side broke the protocol. GOAWAY is queued; nothing that comes later is looked at."""

    violation: ProtocolViolation


class EndOfInput(msgspec.Struct, frozen=True, gc=False):
    """The other side sends nothing more, in an orderly way: between two frames."""


Event = (
    Opened
    | Failed
    | EndOfInput
    | Auth
    | Challenge
    | Accepted
    | Call
    | Result
    | Error
    | Cancel
    | Item
    | End
    | Credit
    | Pong
    | Goaway
    | Release
)
