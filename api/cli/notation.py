"""Frames and bodies in CBOR's diagnostic notation (RFC 8949, section 8; RFC 8610, appendix G), names as comments.

A credential is never shown, only that it is there and how long it is. A body is `h'...'` and its length, unless it is
asked for; then it is `<<value>>`, the notation's form of CBOR inside a byte string.
"""

from __future__ import annotations

import struct
from typing import Final

from graftwire.protocol import values
from graftwire.protocol.errors import ValueRefused
from graftwire.protocol.frames import (
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

SHAPES: Final = ("unary", "server stream", "client stream", "both streams")
LIMITS: Final = (
    "largest frame",
    "calls in flight",
    "unfinished body bytes",
    "stream credit",
    "session credit",
    "idle ms",
)


def kind_of(frame: Frame) -> str:
    """The frame's name in the standard."""
    return type(frame).__name__.upper()


def frame_notation(frame: Frame, *, bodies: bool = False) -> str:
    """`frame` in diagnostic notation."""
    head = f"{frame.kind} /{kind_of(frame)}/"
    elements = _elements(frame, bodies)
    return f"[{', '.join([head, *elements])}]"


def _elements(frame: Frame, bodies: bool) -> list[str]:
    match frame:
        case Hello():
            versions = ", ".join(map(str, frame.versions))
            limits = ", ".join(
                f"{key}: {value} /{name}/"
                for key, (name, value) in enumerate(zip(LIMITS, frame.limits.as_tuple(), strict=True), 1)
            )
            return [f"[{versions}] /versions/", f"{{{limits}}}"]
        case Auth():
            return [f"{_quoted(frame.scheme)} /scheme/", _hidden("proof", frame.proof)]
        case Challenge():
            return [_hidden("challenge", frame.data)]
        case Accepted():
            return []
        case Call():
            return [
                f"{frame.id} /id/",
                f"{frame.shape} /{SHAPES[frame.shape]}/",
                f"{_target(frame.target)} /target/",
                f"{_context(frame.context)} /context/",
                _credential(frame.credential),
                body_notation(frame.body, bodies),
            ]
        case Result() | Item():
            return [f"{frame.id} /id/", body_notation(frame.body, bodies)]
        case Error():
            body = "null /body/" if frame.body is None else body_notation(frame.body, bodies)
            return [f"{frame.id} /id/", f"{frame.code.value} /{frame.code.label}/", body]
        case Cancel() | End():
            return [f"{frame.id} /id/"]
        case Credit():
            return [f"{frame.id} /{'id' if frame.id else 'session'}/", f"{frame.more} /more bytes/"]
        case Ping() | Pong():
            return [f"{frame.counter} /counter/"]
        case Goaway():
            return [f"{frame.last} /last call/", f"{frame.code.value} /{frame.code.label}/"]
        case Release():
            return [f"{frame.reference} /reference/"]


def _target(target: Target) -> str:
    return _quoted(target) if isinstance(target, str) else f"[{target[0]}, {_quoted(target[1])}]"


def _context(context: Context | None) -> str:
    if context is None:
        return "null"
    parts: list[str] = []
    if context.remaining is not None:
        parts.append(f"1: {context.remaining} /remaining ms/")
    if context.trace is not None:
        trace, parent, flags = context.trace
        parts.append(f"2: [h'{trace.hex()}', h'{parent.hex()}', {flags}] /traceparent/")
    if context.tracestate is not None:
        parts.append(f"3: {_quoted(context.tracestate)} /tracestate/")
    return f"{{{', '.join(parts)}}}"


def _credential(credential: tuple[str, bytes] | None) -> str:
    if credential is None:
        return "null /credential/"
    scheme, proof = credential
    return f"[{_quoted(scheme)} /scheme/, {_hidden('credential', proof)}]"


def _hidden(what: str, secret: bytes) -> str:
    return f"h'...' /{what}: present, {counted(len(secret), 'byte')}/"


# --- bodies --------------------------------------------------------------------------------------------------------


def body_violation(frame: Frame) -> ValueRefused | None:
    """How the body of `frame` breaks the standard (clauses VAL-1 to VAL-20, CALL-10), if it does."""
    body: bytes | None = getattr(frame, "body", None)
    if body is None:
        return None
    try:
        if isinstance(frame, Call):
            values.decode_arguments(body, reference=_ignored)
        else:
            values.decode(body, reference=_ignored)
    except ValueRefused as refused:
        return refused
    return None


def _ignored(id: int) -> object:
    return None


def body_notation(body: bytes, shown: bool) -> str:
    """A body: its length, or what is in it; as plain bytes where that is no value of the standard."""
    if not shown:
        return f"h'...' /body: {counted(len(body), 'byte')}/"
    try:
        values.decode(body, reference=_ignored)
    except ValueRefused:
        return f"h'{body.hex()}' /body: {counted(len(body), 'byte')}/"
    return f"<<{_item(body, 0)[0]}>> /body: {counted(len(body), 'byte')}/"


def _item(data: bytes, position: int) -> tuple[str, int]:
    """The notation of the item at `position` of a body that was found to be well-formed, and where the next is."""
    first = data[position]
    major, low = first >> 5, first & 0x1F
    if major == 7:
        return _simple(data, position, low)
    size = 0 if low < 24 else 1 << (low - 24)
    argument = low if low < 24 else int.from_bytes(data[position + 1 : position + 1 + size], "big")
    position += 1 + size
    match major:
        case 0:
            return str(argument), position
        case 1:
            return str(-1 - argument), position
        case 2:
            end = position + argument
            return f"h'{data[position:end].hex()}'", end
        case 3:
            end = position + argument
            return _quoted(data[position:end].decode()), end
        case 4:
            return _many(data, position, argument, "[]", pairs=False)
        case 5:
            return _many(data, position, argument, "{}", pairs=True)
        case _:
            inner, position = _item(data, position)
            return f"{argument}({inner})", position


def _many(data: bytes, position: int, count: int, brackets: str, *, pairs: bool) -> tuple[str, int]:
    parts: list[str] = []
    for _ in range(count):
        text, position = _item(data, position)
        if pairs:
            value, position = _item(data, position)
            text = f"{text}: {value}"
        parts.append(text)
    return f"{brackets[0]}{', '.join(parts)}{brackets[1]}", position


_SIMPLE: Final = {20: "false", 21: "true", 22: "null"}
_FLOATS: Final = {25: ">e", 26: ">f", 27: ">d"}


def _simple(data: bytes, position: int, low: int) -> tuple[str, int]:
    if low in _SIMPLE:
        return _SIMPLE[low], position + 1
    form = _FLOATS[low]
    (value,) = struct.unpack_from(form, data, position + 1)
    text = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(repr(value), repr(value))
    return text, position + 1 + struct.calcsize(form)


def counted(number: int, what: str) -> str:
    """A number with its noun, as in `1 byte` and `2 bytes`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _quoted(text: str) -> str:
    """A text in the notation's quotes, in which nothing can do anything to a terminal."""
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else _escaped(c)) for c in text) + '"'


_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escaped(character: str) -> str:
    """A character as JSON escapes it: in UTF-16."""
    raw = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{raw[i : i + 2].hex()}" for i in range(0, len(raw), 2))
