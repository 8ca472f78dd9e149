"""The parts that frames in cases are made of: plain data, with names for what only a running session knows.

A part is None, a boolean, an integer, a float, a text, bytes, a tuple (an array), or one of the classes here. What a
part becomes depends on the `Scope` that it is encoded in: the role that the runner plays, and the key of this one
playing of the case. Nothing is checked: a case has to be able to send what is illegal. Clause numbers are those of
spec/PROTOCOL.md.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import cbor2
import msgspec

from . import cbor
from .roles import Role


class Mine(msgspec.Struct, frozen=True, tag=True):
    """The id of the runner's n-th call or reference, from 1: odd if the runner dialled, even if not (CALL-1, REF-1)."""

    number: int


class Yours(msgspec.Struct, frozen=True, tag=True):
    """The id of the target's n-th call or reference, from 1."""

    number: int


class Key(msgspec.Struct, frozen=True, tag=True):
    """A text that is unique for each playing of a case: what the counters of the hosted interface go by."""

    name: str = ""


class Secret(msgspec.Struct, frozen=True, tag=True):
    """A proof of the setup, by its subject, with `more` bytes behind it."""

    subject: str
    more: bytes = b""


class Map(msgspec.Struct, frozen=True, tag=True):
    """A map: its keys and values in the order in which they are written."""

    entries: tuple[tuple[Part, Part], ...] = ()


class Tag(msgspec.Struct, frozen=True, tag=True):
    """A tagged item."""

    number: int
    item: Part


class Body(msgspec.Struct, frozen=True, tag=True):
    """A byte string that holds one item."""

    item: Part


class Zeros(msgspec.Struct, frozen=True, tag=True):
    """A byte string of so many zeros, without its bytes standing in the case."""

    count: int


class Raw(msgspec.Struct, frozen=True, tag=True):
    """CBOR that is ready, right or wrong."""

    data: bytes


class Anything(msgspec.Struct, frozen=True, tag=True):
    """In what is expected: whatever stands there."""


class OneOf(msgspec.Struct, frozen=True, tag=True):
    """In what is expected: any of these parts."""

    parts: tuple[Part, ...]


class Between(msgspec.Struct, frozen=True, tag=True):
    """In what is expected: an integer from `least` to `most`."""

    least: int
    most: int


class Sized(msgspec.Struct, frozen=True, tag=True):
    """In what is expected: a byte string of so many bytes."""

    count: int


class Noted(msgspec.Struct, frozen=True, tag=True):
    """In what is expected: a byte string, kept under a name for this playing; in what is sent: that byte string."""

    name: str


class HashedTo(msgspec.Struct, frozen=True, tag=True):
    """In what is expected: a byte string whose SHA-256 is the one that was noted under this name."""

    name: str


Expected = Anything | OneOf | Between | Sized | HashedTo
Symbol = Mine | Yours | Key | Secret | Map | Tag | Body | Zeros | Raw | Noted | Expected
Part: TypeAlias = bool | int | float | str | bytes | tuple["Part", ...] | Symbol | None

ANY: Final = Anything()


class Frame(msgspec.Struct, frozen=True, tag=True):
    """A frame: its kind and the elements behind it. `arity` and `behind` are for those that lie about themselves."""

    kind: Part
    elements: tuple[Part, ...] = ()
    arity: int | None = None
    behind: bytes = b""


class Bytes(msgspec.Struct, frozen=True, tag=True):
    """Bytes where a frame would be, its length included: for what is no frame."""

    data: bytes
    times: int = 1


Piece = Frame | Bytes


class Scope(msgspec.Struct, frozen=True):
    """What parts are encoded in: the runner's role, the key of this playing, the proofs of the setup by subject.

    `notes` is what `Noted` has kept.
    """

    role: Role
    key: str
    proofs: Mapping[str, bytes] = {}
    notes: dict[str, bytes] = msgspec.field(default_factory=dict[str, bytes])

    def __repr__(self) -> str:
        return f"Scope(role={self.role!r}, key={self.key!r})"  # the proofs are secret

    def id(self, part: Mine | Yours) -> int:
        """The number that an id stands for in this session."""
        odd = (self.role is Role.INITIATOR) == isinstance(part, Mine)
        return 2 * part.number - (1 if odd else 0)

    def text(self, key: Key) -> str:
        """The text that a key stands for in this playing."""
        return f"{self.key}.{key.name}" if key.name else self.key


def encode(part: Part, scope: Scope) -> bytes:
    """The CBOR of a part. Raises ValueError for what stands only in what is expected."""
    match part:
        case None:
            return cbor.NULL
        case bool():
            return cbor.TRUE if part else cbor.FALSE
        case int():
            return cbor.integer(part) if -(2**64) <= part < 2**64 else cbor.bignum(part)
        case float():
            return _float(part)
        case str():
            return cbor.text(part)
        case bytes():
            return cbor.octets(part)
        case tuple():
            return cbor.array(*(encode(each, scope) for each in part))
        case Mine() | Yours():
            return cbor.integer(scope.id(part))
        case Key():
            return cbor.text(scope.text(part))
        case Secret():
            return cbor.octets(scope.proofs[part.subject] + part.more)
        case Map():
            return cbor.pairs(*((encode(key, scope), encode(value, scope)) for key, value in part.entries))
        case Tag():
            return cbor.tag(part.number, encode(part.item, scope))
        case Body():
            return cbor.octets(encode(part.item, scope))
        case Zeros():
            return cbor.octets(bytes(part.count))
        case Raw():
            return part.data
        case Noted():
            return cbor.octets(scope.notes.get(part.name, b""))
        case Anything() | OneOf() | Between() | Sized() | HashedTo():
            raise ValueError("what is expected can't be sent")


def octets(part: Part, scope: Scope) -> bytes:
    """The bytes that a part of bytes stands for. Raises TypeError for one that stands for something else."""
    match part:
        case bytes():
            return part
        case Secret():
            return scope.proofs[part.subject] + part.more
        case Zeros():
            return bytes(part.count)
        case _:
            raise TypeError("the part is no byte string")


def _float(value: float) -> bytes:
    if math.isnan(value):
        return cbor.NAN
    if math.isinf(value):
        return cbor.INFINITY if value > 0 else cbor.MINUS_INFINITY
    return cbor.f64(value)


def payload(frame: Frame, scope: Scope) -> bytes:
    """The bytes of a frame behind its length."""
    elements = (frame.kind, *frame.elements)
    arity = len(elements) if frame.arity is None else frame.arity
    return cbor.head(cbor.ARRAY, arity) + b"".join(encode(each, scope) for each in elements) + frame.behind


def wire(piece: Piece, scope: Scope) -> bytes:
    """A frame with its length before it, or the bytes in its place."""
    if isinstance(piece, Bytes):
        return piece.data * piece.times
    data = payload(piece, scope)
    return len(data).to_bytes(4, "big") + data


def matches(part: Part, seen: Any, scope: Scope) -> bool:
    """Whether an element that was read (as plain Python values) is what a part expects."""
    match part:
        case Anything():
            return True
        case OneOf():
            return any(matches(each, seen, scope) for each in part.parts)
        case Between():
            return isinstance(seen, int) and not isinstance(seen, bool) and part.least <= seen <= part.most
        case Sized():
            return isinstance(seen, bytes) and len(seen) == part.count
        case Noted():
            if isinstance(seen, bytes):
                scope.notes[part.name] = seen
            return isinstance(seen, bytes)
        case HashedTo():
            return isinstance(seen, bytes) and hashlib.sha256(seen).digest() == scope.notes.get(part.name)
        case tuple():
            return isinstance(seen, list | tuple) and _all_match(part, list(seen), scope)  # pyright: ignore[reportUnknownArgumentType]
        case Mine() | Yours():
            return seen == scope.id(part) and not isinstance(seen, bool)
        case Map():
            return isinstance(seen, Mapping) and _all_match(part.entries, list(seen.items()), scope)  # pyright: ignore[reportUnknownArgumentType]
        case Body():
            return isinstance(seen, bytes) and _matches_item(part.item, seen, scope)
        case Zeros():
            return isinstance(seen, bytes) and len(seen) == part.count and not seen.strip(b"\0")
        case Key():
            return seen == scope.text(part)
        case Secret():
            return seen == scope.proofs[part.subject] + part.more
        case None | bool() | int() | str() | bytes():
            return seen == part and type(seen) is type(part)
        case _:
            raise ValueError("an element can't be expected to be this")


def _all_match(parts: tuple[Part, ...], seen: list[Any], scope: Scope) -> bool:
    return len(parts) == len(seen) and all(
        matches(part, value, scope) for part, value in zip(parts, seen, strict=True)
    )


def _matches_item(item: Part, seen: bytes, scope: Scope) -> bool:
    """Whether the bytes of a body are those of the one item; parts inside that leave a choice are tried."""
    match item:
        case Anything():
            return True
        case OneOf():
            return any(_matches_item(each, seen, scope) for each in item.parts)
        case Tag():
            start = cbor.head(cbor.TAG, item.number)
            return seen.startswith(start) and _matches_item(item.item, seen[len(start) :], scope)
        case _:
            if _leaves_open(item):
                return matches(item, _decoded(seen), scope)
            return seen == encode(item, scope)


def _leaves_open(part: Part) -> bool:
    """Whether a part has a choice in it, so that there is no one encoding of it."""
    match part:
        case Anything() | OneOf() | Between() | Sized() | HashedTo() | Noted():
            return True
        case tuple():
            return any(_leaves_open(each) for each in part)
        case Map():
            return any(_leaves_open(each) for entry in part.entries for each in entry)
        case _:
            return False


def _decoded(data: bytes) -> Any:
    try:
        return cbor2.loads(data)
    except (ValueError, cbor2.CBORError):
        return Undecodable


class Undecodable:
    """What stands for a body that is no CBOR: nothing that is expected matches it."""
