"""The fifteen frames of the wire as objects: what each one holds (spec/PROTOCOL.md, "Frames"; spec/frames.cddl).

No repr of any of them shows a body, a proof or a challenge.
"""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec

from .errors import ErrorCode
from .limits import Limits

UNARY: Final = 0
SERVER_STREAM: Final = 1
CLIENT_STREAM: Final = 2
BOTH_STREAMS: Final = 3

Target = str | tuple[int, str]


class Context(msgspec.Struct, frozen=True, gc=False):
    """What travels beside a call's arguments (clauses CTX-1 to CTX-4).

    `remaining`: milliseconds until the deadline, counted from arrival; `trace`: W3C trace context as (trace id,
    16 bytes; parent id, 8 bytes; flags, 0 to 3); `tracestate`: the W3C text, only beside `trace` and only where it was
    switched on.
    """

    remaining: int | None = None
    trace: tuple[bytes, bytes, int] | None = None
    tracestate: str | None = None


class Hello(msgspec.Struct, frozen=True, gc=False):
    """The first frame of each side: versions offered (or the one chosen) and what this side takes."""

    kind: ClassVar[int] = 0
    versions: tuple[int, ...]
    limits: Limits


class Auth(msgspec.Struct, frozen=True, gc=False):
    """Who this side claims to be: a scheme's name and its proof. The proof never shows in a repr."""

    kind: ClassVar[int] = 1
    scheme: str
    proof: bytes

    def __repr__(self) -> str:
        return f"Auth(scheme={self.scheme!r}, proof=<present, {len(self.proof)} bytes>)"


class Challenge(msgspec.Struct, frozen=True, gc=False):
    """A round of the other side's authentication: what its next AUTH has to answer."""

    kind: ClassVar[int] = 2
    data: bytes

    def __repr__(self) -> str:
        return f"Challenge(data=<{len(self.data)} bytes>)"


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The other side's AUTH was accepted. The identity is not echoed."""

    kind: ClassVar[int] = 3


class Call(msgspec.Struct, frozen=True, gc=False):
    """A call: `shape` 0 unary, 1 server stream, 2 client stream, 3 both; `body` holds [positional, named]."""

    kind: ClassVar[int] = 5
    id: int
    shape: int
    target: Target
    context: Context | None
    credential: tuple[str, bytes] | None
    body: bytes

    def __repr__(self) -> str:
        credential = "None"
        if self.credential is not None:
            credential = f"({self.credential[0]!r}, <present, {len(self.credential[1])} bytes>)"
        return (
            f"Call(id={self.id}, shape={self.shape}, target={self.target!r}, context={self.context!r}, "
            f"credential={credential}, body=<{len(self.body)} bytes>)"
        )


class Result(msgspec.Struct, frozen=True, gc=False):
    """The terminal of a call that went well."""

    kind: ClassVar[int] = 6
    id: int
    body: bytes

    def __repr__(self) -> str:
        return f"Result(id={self.id}, body=<{len(self.body)} bytes>)"


class Error(msgspec.Struct, frozen=True, gc=False):
    """The terminal of a call that did not; `body` only for bad-arguments, application and internal (ERR-2)."""

    kind: ClassVar[int] = 7
    id: int
    code: ErrorCode
    body: bytes | None

    def __repr__(self) -> str:
        body = "None" if self.body is None else f"<{len(self.body)} bytes>"
        return f"Error(id={self.id}, code={self.code.label}, body={body})"


class Cancel(msgspec.Struct, frozen=True, gc=False):
    """The caller no longer wants this call."""

    kind: ClassVar[int] = 8
    id: int


class Item(msgspec.Struct, frozen=True, gc=False):
    """One element of the sender's stream of that call."""

    kind: ClassVar[int] = 9
    id: int
    body: bytes

    def __repr__(self) -> str:
        return f"Item(id={self.id}, body=<{len(self.body)} bytes>)"


class End(msgspec.Struct, frozen=True, gc=False):
    """The caller's stream has no more items."""

    kind: ClassVar[int] = 10
    id: int


class Credit(msgspec.Struct, frozen=True, gc=False):
    """How many more bytes may be sent on a stream (id 0: on all streams of the session together)."""

    kind: ClassVar[int] = 11
    id: int
    more: int


class Ping(msgspec.Struct, frozen=True, gc=False):
    """A sign of life is asked for; the counter starts at 1."""

    kind: ClassVar[int] = 12
    counter: int


class Pong(msgspec.Struct, frozen=True, gc=False):
    """The sign of life, with the counter of its PING."""

    kind: ClassVar[int] = 13
    counter: int


class Goaway(msgspec.Struct, frozen=True, gc=False):
    """No call above `last` was or will be run; a `code` other than NONE ends the session at once."""

    kind: ClassVar[int] = 14
    last: int
    code: ErrorCode


class Release(msgspec.Struct, frozen=True, gc=False):
    """A reference that was given to this side is no longer needed."""

    kind: ClassVar[int] = 15
    reference: int


Frame = (
    Hello
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
    | Ping
    | Pong
    | Goaway
    | Release
)

# ERR-2: the codes whose ERROR carries a body; every other one has null.
WITH_BODY: Final = frozenset({ErrorCode.BAD_ARGUMENTS, ErrorCode.APPLICATION, ErrorCode.INTERNAL})
