"""Frames to bytes. Everything that a user of the core can choose is checked here, before a byte of it is queued.

The writers of CALL, RESULT and ITEM take their elements without a frame object in between: they are the hot path.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Final

from .errors import ErrorCode, LocalProtocolError
from .frametypes import (
    BOTH_STREAMS,
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
from .head import ARRAY, BYTES, MAP, TEXT, is_graphic, write_uint
from .limits import (
    LARGEST_MILLISECONDS,
    LARGEST_PROOF,
    LARGEST_SCHEME,
    LARGEST_TARGET,
    LARGEST_TRACESTATE,
    MOST_VERSIONS,
)

SCHEME_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789-."
CALL_HEAD: Final = 0x8705  # the heads of the array and of the kind, as one number
RESULT_HEAD: Final = 0x8306
ITEM_HEAD: Final = 0x8309

_SHORT_STRINGS: Final = tuple(write_uint(n, BYTES) for n in range(24))
_NOTHING: Final = b"\xf6\xf6"  # neither context nor credential

# The length prefix, the heads of array and kind, and an id of each size but the largest, in one go.
_TINY_ID: Final = Struct(">IHB").pack
_SHORT_ID: Final = Struct(">IHBB").pack
_MEDIUM_ID: Final = Struct(">IHBH").pack
_LONG_ID: Final = Struct(">IHBI").pack


def _begin(head: int, id: int, rest: int) -> bytes:
    """The start of a frame up to its id; `rest` bytes follow."""
    if 0x10000 <= id < 0x100000000:
        return _LONG_ID(rest + 7, head, 26, id)
    if id < 24:
        return _TINY_ID(rest + 3, head, id)
    if id < 0x100:
        return _SHORT_ID(rest + 4, head, 24, id)
    if id < 0x10000:
        return _MEDIUM_ID(rest + 5, head, 25, id)
    raw = write_uint(id)
    return b"%b%b%b" % ((rest + 2 + len(raw)).to_bytes(4, "big"), head.to_bytes(2, "big"), raw)


def _ascii(text: str, range_: range, clause: str, what: str) -> bytes:
    if len(text) not in range_ or not text.isascii() or not is_graphic(raw := text.encode("ascii")):
        raise LocalProtocolError(clause, f"{what} has {range_[0]} to {range_[-1]} printable ASCII characters")
    return write_uint(len(raw), TEXT) + raw


@lru_cache(maxsize=1024)
def _named(shape: int, target: str) -> bytes:
    """Shape and target of a CALL by name. Cached: the same few targets are called again and again."""
    return _shape(shape) + _ascii(target, range(1, LARGEST_TARGET + 1), "CALL-3", "a target")


def _shape(shape: int) -> bytes:
    if not 0 <= shape <= BOTH_STREAMS:
        raise LocalProtocolError("CALL-2", "a call's shape is from 0 to 3")
    return write_uint(shape)


def _referenced(shape: int, target: tuple[int, str]) -> bytes:
    reference, method = target
    if reference < 1:
        raise LocalProtocolError("CALL-3", "a reference is at least 1")
    name = _ascii(method, range(LARGEST_TARGET + 1), "CALL-3", "a method's name")
    return b"".join((_shape(shape), b"\x82", write_uint(reference), name))


def _context(context: Context) -> bytes:
    parts: list[bytes] = []
    if context.remaining is not None:
        if not 1 <= context.remaining <= LARGEST_MILLISECONDS:
            raise LocalProtocolError("CTX-2", "the remaining time is from 1 to 2^31-1 milliseconds")
        parts.append(b"\x01" + write_uint(context.remaining))
    if context.trace is not None:
        trace, parent, flags = context.trace
        if len(trace) != 16 or len(parent) != 8 or not any(trace) or not any(parent) or not 0 <= flags <= 3:
            raise LocalProtocolError(
                "CTX-3", "a traceparent is 16 bytes, 8 bytes, neither of them zero, and flags"
            )
        parts.append(b"\x02\x83\x50" + trace + b"\x48" + parent + write_uint(flags))
    if context.tracestate is not None:
        state = context.tracestate
        if context.trace is None:
            raise LocalProtocolError("CTX-4", "a tracestate goes with a traceparent")
        if not 1 <= len(state) <= LARGEST_TRACESTATE or not state.isascii() or not state.isprintable():
            raise LocalProtocolError("CTX-4", "a tracestate has 1 to 512 printable ASCII characters")
        parts.append(b"\x03" + write_uint(len(state), TEXT) + state.encode("ascii"))
    if not parts:
        return b"\xf6"
    return write_uint(len(parts), MAP) + b"".join(parts)


def _scheme_and_proof(scheme: str, proof: bytes) -> bytes:
    if not 1 <= len(scheme) <= LARGEST_SCHEME or scheme.strip(SCHEME_CHARACTERS):
        raise LocalProtocolError("AUTH-8", "a scheme has 1 to 32 characters: a to z, 0 to 9, - and .")
    return b"".join(
        (write_uint(len(scheme), TEXT), scheme.encode("ascii"), _proof(proof, "a proof has at most 8 KiB"))
    )


def _proof(proof: bytes, text: str) -> bytes:
    if len(proof) > LARGEST_PROOF:
        raise LocalProtocolError("AUTH-8", text)
    return write_uint(len(proof), BYTES) + proof


def encode_call(
    id: int,
    shape: int,
    target: Target,
    context: Context | None,
    credential: tuple[str, bytes] | None,
    body: bytes,
) -> bytes:
    """The bytes of a CALL, length prefix included. Raises LocalProtocolError for an element out of its range."""
    start = _named(shape, target) if isinstance(target, str) else _referenced(shape, target)
    if context is None and credential is None:
        rest = _NOTHING
    else:
        rest = b"\xf6" if context is None else _context(context)
        rest += b"\xf6" if credential is None else b"\x82" + _scheme_and_proof(*credential)
    size = len(body)
    string = _SHORT_STRINGS[size] if size < 24 else write_uint(size, BYTES)
    following = len(start) + len(rest) + len(string) + size
    return b"".join((_begin(CALL_HEAD, id, following), start, rest, string, body))


def encode_result(id: int, body: bytes) -> bytes:
    """The bytes of a RESULT, length prefix included."""
    size = len(body)
    if size < 24:
        return b"%b%b%b" % (_begin(RESULT_HEAD, id, size + 1), _SHORT_STRINGS[size], body)
    string = write_uint(size, BYTES)
    return b"".join((_begin(RESULT_HEAD, id, size + len(string)), string, body))


def encode_item(id: int, body: bytes) -> bytes:
    """The bytes of an ITEM, length prefix included."""
    size = len(body)
    string = _SHORT_STRINGS[size] if size < 24 else write_uint(size, BYTES)
    return b"".join((_begin(ITEM_HEAD, id, size + len(string)), string, body))


def _hello(frame: Hello) -> bytes:
    versions = frame.versions
    if not 1 <= len(versions) <= MOST_VERSIONS or list(versions) != sorted(set(versions)) or versions[0] < 1:
        raise LocalProtocolError("HELLO-2", "a HELLO has 1 to 8 versions, ascending from 1")
    parts = [b"\x83\x00", write_uint(len(versions), ARRAY), *map(write_uint, versions), b"\xa6"]
    for key, value in enumerate(frame.limits.as_tuple(), 1):
        parts += (write_uint(key), write_uint(value))
    return b"".join(parts)


def _error(frame: Error) -> bytes:
    if frame.code is ErrorCode.NONE:
        raise LocalProtocolError("ERR-1", "an ERROR has a code from 1 to 13")
    if (frame.body is not None) is not (frame.code in WITH_BODY):
        raise LocalProtocolError("ERR-2", "this code needs a body, or must not have one")
    body = b"\xf6" if frame.body is None else write_uint(len(frame.body), BYTES) + frame.body
    return b"".join((b"\x84\x07", write_uint(frame.id), write_uint(frame.code), body))


def encode(frame: Frame) -> bytes:
    """The bytes of `frame`, length prefix included.

    Raises LocalProtocolError, naming the clause, for a text, a proof, a version, a shape, a part of a context or a
    code out of its range; ids, counters and credits are numbers that the core itself gives.
    """
    match frame:
        case Call():
            return encode_call(
                frame.id, frame.shape, frame.target, frame.context, frame.credential, frame.body
            )
        case Result():
            return encode_result(frame.id, frame.body)
        case Item():
            return encode_item(frame.id, frame.body)
        case Error():
            payload = _error(frame)
        case Cancel() | End():
            payload = b"\x82" + write_uint(frame.kind) + write_uint(frame.id)
        case Credit():
            payload = b"\x83\x0b" + write_uint(frame.id) + write_uint(frame.more)
        case Ping() | Pong():
            payload = b"\x82" + write_uint(frame.kind) + write_uint(frame.counter)
        case Hello():
            payload = _hello(frame)
        case Auth():
            payload = b"\x83\x01" + _scheme_and_proof(frame.scheme, frame.proof)
        case Challenge():
            payload = b"\x82\x02" + _proof(frame.data, "a challenge has at most 8 KiB")
        case Accepted():
            payload = b"\x81\x03"
        case Goaway():
            payload = b"\x83\x0e" + write_uint(frame.last) + write_uint(frame.code)
        case Release():
            payload = b"\x82\x0f" + write_uint(frame.reference)
    return len(payload).to_bytes(4, "big") + payload
