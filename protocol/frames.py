"""The frames of the wire, and how each is written and read: what other modules need, from one place.

A closed world: fixed arity for each kind, every element typed, nothing optional at the end. `decode` accepts
exactly what `encode` writes. Bodies stay undecoded byte strings here: whoever relays, logs or meters frames never
needs to look into one.
"""

from __future__ import annotations

from .framereading import decode, read_versions, split
from .frametypes import (
    BOTH_STREAMS,
    CLIENT_STREAM,
    SERVER_STREAM,
    UNARY,
    WITH_BODY,
    Accepted,
    Auth,
    Call,
    Cancel,
    Challenge,
    Context,
    Credit,
    End,
    Error,
    Frame,
    Goaway,
    Hello,
    Item,
    Ping,
    Pong,
    Release,
    Result,
    Target,
)
from .framewriting import encode, encode_call, encode_item, encode_result

__all__ = [
    "BOTH_STREAMS",
    "CLIENT_STREAM",
    "SERVER_STREAM",
    "UNARY",
    "WITH_BODY",
    "Accepted",
    "Auth",
    "Call",
    "Cancel",
    "Challenge",
    "Context",
    "Credit",
    "End",
    "Error",
    "Frame",
    "Goaway",
    "Hello",
    "Item",
    "Ping",
    "Pong",
    "Release",
    "Result",
    "Target",
    "decode",
    "encode",
    "encode_call",
    "encode_item",
    "encode_result",
    "read_versions",
    "split",
]
