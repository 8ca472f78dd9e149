"""Bytes to frames, strictly: what `encode` would not have written is refused, with the clause that forbids it.

Bodies are the only elements that may be long, and are copied once, out of whatever the frame lies in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .errors import ErrorCode, ProtocolViolation
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
from .framewriting import SCHEME_CHARACTERS
from .head import (
    ARRAY,
    BYTES,
    MAP,
    NULL,
    Data,
    ends_inside,
    is_graphic,
    read_bytes,
    read_length,
    read_text,
    read_uint,
)
from .limits import (
    LARGEST_CREDIT,
    LARGEST_FRAME,
    LARGEST_MILLISECONDS,
    LARGEST_PROOF,
    LARGEST_SCHEME,
    LARGEST_TARGET,
    LARGEST_TRACESTATE,
    MOST_VERSIONS,
    RANGES,
    Limits,
)

# --- elements ---------------------------------------------------------------------------------------------


def _out_of_range(what: str, clause: str = "FRAME-6") -> ProtocolViolation:
    return ProtocolViolation(clause, f"{what} is out of its range")


def _id(data: Data, position: int) -> tuple[int, int]:
    value, position = read_uint(data, position)
    if value == 0:
        raise _out_of_range("an id")
    return value, position


def _is_null(data: Data, position: int) -> bool:
    if position >= len(data):
        raise ends_inside()
    return data[position] == NULL


def _graphic(data: Data, position: int, wanted: str, range_: range, clause: str) -> tuple[str, int]:
    raw, position = read_text(data, position, wanted, range_, clause)
    if not is_graphic(raw):
        raise ProtocolViolation("HEAD-4", f"{wanted} is not printable ASCII without spaces")
    return raw.decode("ascii"), position


def _proof(data: Data, position: int, wanted: str) -> tuple[bytes, int]:
    length, _ = read_length(data, position, BYTES, wanted)
    if length > LARGEST_PROOF:
        raise _out_of_range(f"the length of {wanted}", "AUTH-8")
    return read_bytes(data, position, wanted)


def _scheme_and_proof(data: Data, position: int) -> tuple[str, bytes, int]:
    scheme, position = _graphic(data, position, "a scheme", range(1, LARGEST_SCHEME + 1), "AUTH-8")
    if scheme.strip(SCHEME_CHARACTERS):
        raise ProtocolViolation("AUTH-8", "a scheme's name has other characters than a to z, 0 to 9, - and .")
    proof, position = _proof(data, position, "a proof")
    return scheme, proof, position


def _trace(data: Data, position: int) -> tuple[tuple[bytes, bytes, int], int]:
    count, position = read_length(data, position, ARRAY, "an array of trace id, parent id and flags")
    if count != 3:
        raise ProtocolViolation("CTX-3", "a traceparent has not three elements")
    trace, position = read_bytes(data, position, "a trace id")
    parent, position = read_bytes(data, position, "a parent id")
    flags, position = read_uint(data, position)
    if len(trace) != 16 or len(parent) != 8 or not any(trace) or not any(parent) or flags > 3:
        raise _out_of_range("a part of traceparent", "CTX-3")
    return (trace, parent, flags), position


def _tracestate(data: Data, position: int) -> tuple[str, int]:
    raw, position = read_text(data, position, "a tracestate", range(1, LARGEST_TRACESTATE + 1), "CTX-4")
    # W3C Trace Context allows the space inside a list member's value
    if not is_graphic(raw.replace(b" ", b"")):
        raise ProtocolViolation("HEAD-4", "a tracestate is not printable ASCII")
    return raw.decode("ascii"), position


def _context(data: Data, position: int) -> tuple[Context, int]:
    count, position = read_length(data, position, MAP, "a context map or null")
    if count == 0:
        raise ProtocolViolation("CTX-1", "a context is empty: null was due")
    remaining: int | None = None
    trace: tuple[bytes, bytes, int] | None = None
    tracestate: str | None = None
    last = 0
    for _ in range(count):
        key, position = read_uint(data, position)
        if not last < key <= 3:
            raise ProtocolViolation("HEAD-3", "the keys of a context are unknown, doubled or not ascending")
        last = key
        if key == 1:
            remaining, position = read_uint(data, position)
            if not 1 <= remaining <= LARGEST_MILLISECONDS:
                raise _out_of_range("the remaining time", "CTX-2")
        elif key == 2:
            trace, position = _trace(data, position)
        elif trace is None:
            raise ProtocolViolation("CTX-4", "a tracestate came without a traceparent")
        else:
            tracestate, position = _tracestate(data, position)
    return Context(remaining, trace, tracestate), position


def read_target(data: Data, position: int) -> tuple[Target, int]:
    """The target of a CALL: a name, or a reference and the name of a method."""
    if position < len(data) and data[position] >> 5 == ARRAY:
        count, position = read_length(data, position, ARRAY, "a target")
        if count != 2:
            raise ProtocolViolation(
                "FRAME-6", "a target is an array of other than a reference and a method's name"
            )
        reference, position = _id(data, position)
        method, position = _graphic(data, position, "a method's name", range(LARGEST_TARGET + 1), "CALL-3")
        return (reference, method), position
    return _graphic(data, position, "a target", range(1, LARGEST_TARGET + 1), "CALL-3")


def _code(data: Data, position: int, least: int, clause: str) -> tuple[ErrorCode, int]:
    code, position = read_uint(data, position)
    if not least <= code <= ErrorCode.VERSION:
        raise _out_of_range("an error code", clause)
    return ErrorCode(code), position


def _counter(data: Data, position: int) -> tuple[int, int]:
    counter, position = read_uint(data, position)
    if counter == 0:
        raise _out_of_range("a counter", "KEEP-1")
    return counter, position


def _versions(data: Data, position: int) -> tuple[tuple[int, ...], int]:
    count, position = read_length(data, position, ARRAY, "an array of versions")
    if not 1 <= count <= MOST_VERSIONS:
        raise _out_of_range("the number of versions", "HELLO-2")
    versions: list[int] = []
    for _ in range(count):
        version, position = read_uint(data, position)
        if version <= (versions[-1] if versions else 0):
            raise ProtocolViolation("HELLO-2", "the versions are not in ascending order from 1")
        versions.append(version)
    return tuple(versions), position


def _limits(data: Data, position: int) -> tuple[Limits, int]:
    count, position = read_length(data, position, MAP, "a map of limits")
    values: list[int] = []
    for due in range(1, count + 1):
        key, position = read_uint(data, position)
        if key != due:
            known = due <= key <= len(RANGES)
            raise ProtocolViolation(
                "HELLO-5" if known else "HEAD-3", "the keys of the limits are not 1 to 6 in this order"
            )
        if key > len(RANGES):
            raise ProtocolViolation("HEAD-3", "the limits have an unknown key")
        value, position = read_uint(data, position)
        values.append(value)
    if count != len(RANGES):
        raise ProtocolViolation("HELLO-5", "a limit is missing")
    try:
        limits = Limits(
            largest_frame=values[0],
            calls_in_flight=values[1],
            unfinished_body_bytes=values[2],
            stream_credit=values[3],
            session_credit=values[4],
            idle_time=values[5],
        )
    except ValueError as error:
        raise ProtocolViolation("HELLO-5", str(error)) from None
    return limits, position


# --- frames: each takes the payload and the position after its kind ---------------------------------------


def _hello(data: Data, position: int) -> tuple[Hello, int]:
    versions, position = _versions(data, position)
    limits, position = _limits(data, position)
    return Hello(versions, limits), position


def _auth(data: Data, position: int) -> tuple[Auth, int]:
    scheme, proof, position = _scheme_and_proof(data, position)
    return Auth(scheme, proof), position


def _challenge(data: Data, position: int) -> tuple[Challenge, int]:
    raw, position = _proof(data, position, "a challenge")
    return Challenge(raw), position


def _accepted(_: Data, position: int) -> tuple[Accepted, int]:
    return Accepted(), position


def _call(data: Data, position: int) -> tuple[Call, int]:
    id, position = _id(data, position)
    shape, position = read_uint(data, position)
    if shape > BOTH_STREAMS:
        raise _out_of_range("a shape", "CALL-2")
    target, position = read_target(data, position)
    context: Context | None = None
    if _is_null(data, position):
        position += 1
    else:
        context, position = _context(data, position)
    credential: tuple[str, bytes] | None = None
    if _is_null(data, position):
        position += 1
    else:
        count, position = read_length(data, position, ARRAY, "a credential or null")
        if count != 2:
            raise ProtocolViolation("FRAME-6", "a credential has not two elements")
        scheme, proof, position = _scheme_and_proof(data, position)
        credential = (scheme, proof)
    body, position = read_bytes(data, position, "a body")
    return Call(id, shape, target, context, credential, body), position


def _result(data: Data, position: int) -> tuple[Result, int]:
    id, position = _id(data, position)
    body, position = read_bytes(data, position, "a body")
    return Result(id, body), position


def _item(data: Data, position: int) -> tuple[Item, int]:
    id, position = _id(data, position)
    body, position = read_bytes(data, position, "a body")
    return Item(id, body), position


def _error(data: Data, position: int) -> tuple[Error, int]:
    id, position = _id(data, position)
    code, position = _code(data, position, 1, "ERR-1")
    body: bytes | None = None
    if _is_null(data, position):
        position += 1
    else:
        body, position = read_bytes(data, position, "a body or null")
    if (body is not None) is not (code in WITH_BODY):
        raise ProtocolViolation(
            "ERR-2", "an ERROR has a body where its code has none, or none where it needs one"
        )
    return Error(id, code, body), position


def _cancel(data: Data, position: int) -> tuple[Cancel, int]:
    id, position = _id(data, position)
    return Cancel(id), position


def _end(data: Data, position: int) -> tuple[End, int]:
    id, position = _id(data, position)
    return End(id), position


def _credit(data: Data, position: int) -> tuple[Credit, int]:
    id, position = read_uint(data, position)
    more, position = read_uint(data, position)
    if not 1 <= more <= LARGEST_CREDIT:
        raise _out_of_range("a credit", "CREDIT-5")
    return Credit(id, more), position


def _ping(data: Data, position: int) -> tuple[Ping, int]:
    counter, position = _counter(data, position)
    return Ping(counter), position


def _pong(data: Data, position: int) -> tuple[Pong, int]:
    counter, position = _counter(data, position)
    return Pong(counter), position


def _goaway(data: Data, position: int) -> tuple[Goaway, int]:
    last, position = read_uint(data, position)
    code, position = _code(data, position, 0, "LEAVE-7")
    return Goaway(last, code), position


def _release(data: Data, position: int) -> tuple[Release, int]:
    reference, position = _id(data, position)
    return Release(reference), position


_Reader = Callable[[Data, int], tuple[Frame, int]]
# kind -> (arity, reader); None: unknown or reserved
_KINDS: Final[tuple[tuple[int, _Reader] | None, ...]] = (
    (3, _hello),
    (3, _auth),
    (2, _challenge),
    (1, _accepted),
    None,  # kept free, see spec/DECISIONS.md
    (7, _call),
    (3, _result),
    (4, _error),
    (2, _cancel),
    (3, _item),
    (2, _end),
    (3, _credit),
    (2, _ping),
    (2, _pong),
    (3, _goaway),
    (2, _release),
)


def _array(payload: Data) -> tuple[int, int]:
    """The number of a frame's elements, and the position of the first of them: its kind."""
    first = payload[0] if payload else 0
    if first >> 5 != ARRAY:
        raise ProtocolViolation("FRAME-3", "a frame is not one array")
    return read_length(payload, 0, ARRAY, "an array")


def decode(payload: Data) -> Frame:
    """The frame whose bytes after the length prefix are `payload`.

    Raises ProtocolViolation, naming the clause, for anything that `encode` would not have written.
    """
    count, position = _array(payload)
    if count == 0:
        raise ProtocolViolation("FRAME-5", "a frame has no kind")
    kind, position = read_uint(payload, position)
    known = _KINDS[kind] if kind < len(_KINDS) else None
    if known is None:
        raise ProtocolViolation("FRAME-4", "a frame is of an unknown kind")
    arity, reader = known
    if count != arity:
        raise ProtocolViolation("FRAME-5", "a frame has the wrong number of elements")
    frame, position = reader(payload, position)
    if position != len(payload):
        raise ProtocolViolation("FRAME-3", "a frame has bytes after its last element")
    return frame


def read_versions(payload: Data) -> tuple[int, ...]:
    """The versions in the frozen head of a HELLO of any version (clause HELLO-6); nothing after them is read."""
    count, position = _array(payload)
    if count == 0:
        raise ProtocolViolation("FRAME-5", "a frame has no kind")
    kind, position = read_uint(payload, position)
    if kind != Hello.kind:
        raise ProtocolViolation("FRAME-7", "a session starts with HELLO")
    if count < 2:
        raise ProtocolViolation("FRAME-5", "a frame has the wrong number of elements")
    return _versions(payload, position)[0]


def split(data: Data) -> tuple[int, int]:
    """The length that the prefix at the start of `data` declares, and 4. For tools that read frames from a file.

    Raises ProtocolViolation for a length outside 1 to 2^24-1, and where `data` is shorter than a prefix.
    """
    if len(data) < 4:
        raise ProtocolViolation("FRAME-8", "the data ends inside the length of a frame")
    length = int.from_bytes(data[:4], "big")
    if not 1 <= length <= LARGEST_FRAME:
        raise ProtocolViolation("FRAME-2", "a frame's length is out of its range")
    return length, 4
