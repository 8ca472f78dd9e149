"""Headers have one encoding only: heads, lengths, maps, texts, and nothing but what the grammar has (section 4.3)."""

from __future__ import annotations

from typing import Final

from ..case import Case
from ..frames import BIGGEST, DEFAULTS, TRACE, call, hello, limits_map, result
from ..launch import SCHEME
from ..parts import Bytes, Frame, Map, Part, Raw
from ..writing import answered, chapter, refused

TRACE_ID: Final = TRACE[0].hex()
PARENT_ID: Final = TRACE[1].hex()
LIMITS: Final = tuple(limits_map(DEFAULTS).entries)


def _raw(text: str) -> Raw:
    """CBOR in hexadecimal, with or without spaces."""
    return Raw(bytes.fromhex(text))


def _whole(text: str) -> Bytes:
    """A frame whose bytes behind the length are these, in hexadecimal."""
    data = bytes.fromhex(text)
    return Bytes(len(data).to_bytes(4, "big") + data)


def _call(position: int, element: str) -> Frame:
    """A CALL with one of its elements in these bytes: 0 id, 1 shape, 2 target, 3 context, 4 credential, 5 body."""
    elements: list[Part] = list(call("echo", 1).elements)
    elements[position] = _raw(element)
    return Frame(5, tuple(elements))


def _limits(index: int, key: str, value: Part = None) -> Map:
    """The default limits, with the key of one of them in these bytes, and perhaps another value."""
    entries = list(LIMITS)
    entries[index] = (_raw(key), entries[index][1] if value is None else value)
    return Map(tuple(entries))


def _opening(id: str, clauses: str, says: str, sent: Frame) -> Case:
    """What is sent stands in the place of HELLO, in both roles."""
    return refused(id, clauses, says, sent, before=())


def _each(prefix: str, clauses: str, table: tuple[tuple[str, str, Frame | Bytes], ...]) -> list[Case]:
    """A case for each line: the end of its id, what it says, what is sent in an open session."""
    return [refused(f"{prefix}.{name}", clauses, says, sent) for name, says, sent in table]


CASES = chapter(
    "headers",
    # --- heads in their shortest form: every place in which a head can stand
    _each(
        "head.long",
        "HEAD-1",
        (
            ("array", "The head of a frame's array takes a byte too many.", _whole("9802 0c01")),
            ("kind", "A kind below 24 in two bytes.", Frame(_raw("180c"), (1,))),
            ("integer", "A 1 in two bytes.", Frame(12, (_raw("1801"),))),
            ("integer.23", "A 23, the last that needs one byte, in two.", Frame(12, (_raw("1817"),))),
            ("integer.255", "A 255 in three bytes.", Frame(12, (_raw("1900ff"),))),
            ("integer.65535", "A 65,535 in five bytes.", Frame(12, (_raw("1a0000ffff"),))),
            ("integer.32-bits", "A 2^32-1 in nine bytes.", Frame(12, (_raw("1b00000000ffffffff"),))),
            ("call.id", "The id of a CALL in three bytes.", _call(0, "190001")),
            ("call.shape", "A shape in two bytes.", _call(1, "1800")),
            ("call.target", "The length of a target below 24 in two bytes.", _call(2, "7801 61")),
            ("call.reference", "The count of [reference, method] in two bytes.", _call(2, "9802 01 60")),
            ("call.context", "The count of a context in two bytes.", _call(3, "b801 01 1905dc")),
            ("call.context.key", "The key of a context in two bytes.", _call(3, "a1 1801 1905dc")),
            ("call.context.value", "A remaining time in five bytes.", _call(3, "a1 01 1a000005dc")),
            (
                "call.trace",
                "The count of a traceparent in two bytes.",
                _call(3, f"a1 02 9803 50{TRACE_ID} 48{PARENT_ID} 01"),
            ),
            (
                "call.trace.id",
                "The length of a trace id in two bytes.",
                _call(3, f"a1 02 83 5810{TRACE_ID} 48{PARENT_ID} 01"),
            ),
            ("call.credential", "The count of a credential in two bytes.", _call(4, "9802 6161 4178")),
            ("call.body", "The length of a body below 24 in two bytes.", _call(5, "5804 828101a0")),
            ("call.body.256", "The length of a body of 200 bytes in three.", _call(5, "5900c8" + "00" * 200)),
            ("auth.scheme", "The length of a scheme in two bytes.", Frame(1, (_raw("780161"), b"x"))),
            ("auth.proof", "The length of a proof in two bytes.", Frame(1, (SCHEME, _raw("580178")))),
            ("credit.bytes", "The bytes of a CREDIT in three.", Frame(11, (0, _raw("190001")))),
            ("goaway.last", "The last id of a GOAWAY in two bytes.", Frame(14, (_raw("1800"), 0))),
            ("goaway.code", "The code of a GOAWAY in two bytes.", Frame(14, (0, _raw("1800")))),
        ),
    ),
    _opening(
        "head.long.versions",
        "HEAD-1 HELLO-6",
        "The count of the versions in two bytes.",
        hello(_raw("9801 01")),
    ),
    _opening(
        "head.long.version",
        "HEAD-1 HELLO-6",
        "A version in two bytes is no version, known or not.",
        hello(_raw("81 1802")),
    ),
    _opening(
        "head.long.limit.key", "HEAD-1", "The key of a limit in two bytes.", hello(limits=_limits(0, "1801"))
    ),
    _opening(
        "head.long.limit",
        "HEAD-1",
        "A limit in nine bytes that fits five.",
        hello(limits=_limits(0, "01", _raw("1b0000000000400000"))),
    ),
    _each(
        "head.reserved",
        "HEAD-1",
        (
            ("28", "A head with the reserved value 28.", Frame(12, (_raw("1c"),))),
            ("30", "A head with the reserved value 30.", Frame(12, (_raw("1e"),))),
            ("bytes", "A byte string whose head has the reserved value 29.", _call(5, "5d")),
        ),
    ),
    # --- nothing above 2^53-1
    _each(
        "head.above",
        "HEAD-2 FRAME-6",
        (
            ("counter", "A counter of 2^53.", Frame(12, (BIGGEST + 1,))),
            ("counter.64-bits", "A counter of 2^64-1.", Frame(12, (2**64 - 1,))),
            ("call.id", "A call id of 2^53.", Frame(5, (BIGGEST + 1, *call("echo", 1).elements[1:]))),
            ("kind", "A kind of 2^53.", Frame(BIGGEST + 1, (1,))),
            ("credit", "A CREDIT of 2^53 bytes.", Frame(11, (0, BIGGEST + 1))),
            ("goaway", "A GOAWAY whose last id is 2^53.", Frame(14, (BIGGEST + 1, 0))),
            ("release", "A RELEASE of reference 2^53.", Frame(15, (BIGGEST + 1,))),
            (
                "length",
                "A body that says that it is 2^63 bytes long is no reason to take memory.",
                _call(5, "5b8000000000000000"),
            ),
            ("count", "A context that says that it has 2^62 entries.", _call(3, "bb4000000000000000")),
            ("array", "A frame that says that it has 2^61 elements.", _whole("9b2000000000000000 0c01")),
        ),
    ),
    _opening("head.above.version", "HEAD-2 HELLO-2", "A version of 2^53.", hello((1, BIGGEST + 1))),
    refused(
        "head.length.beyond-the-frame",
        "FRAME-3",
        "A body whose length is within every limit, and goes on behind the end of its frame.",
        _call(5, "5a00010000"),
    ),
    # --- the keys of maps
    _each(
        "head.map",
        "HEAD-3",
        (
            (
                "order",
                "The keys of a context in descending order.",
                _call(3, f"a2 02 83 50{TRACE_ID} 48{PARENT_ID} 01 01 1905dc"),
            ),
            ("twice", "A key of a context twice.", _call(3, "a2 01 1905dc 01 1905dc")),
            ("unknown", "A context with a fourth key.", _call(3, "a1 04 01")),
            ("unknown.zero", "A context with a key 0.", _call(3, "a1 00 01")),
        ),
    ),
    _each(
        "head.map.key",
        "HEAD-3 HEAD-6 FRAME-6",
        (
            ("text", "A context with a text as key.", _call(3, "a1 61 31 1905dc")),
            ("negative", "A context with a negative key.", _call(3, "a1 20 1905dc")),
            ("null", "A context with null as key.", _call(3, "a1 f6 1905dc")),
        ),
    ),
    _opening(
        "head.map.limits.order",
        "HEAD-3 HELLO-5",
        "The keys of the limits in descending order.",
        hello(limits=Map(LIMITS[::-1])),
    ),
    _opening(
        "head.map.limits.twice",
        "HEAD-3 HELLO-5",
        "A limit twice, and all the others.",
        hello(limits=Map((LIMITS[0], *LIMITS))),
    ),
    _opening(
        "head.map.limits.text",
        "HEAD-3 HEAD-6 FRAME-6",
        "A text as the key of a limit.",
        hello(limits=Map((*LIMITS[:5], ("6", LIMITS[5][1])))),
    ),
    # --- texts
    _each(
        "head.text",
        "HEAD-4 FRAME-6",
        (
            ("space", "A target with a space in it.", _call(2, "63 61 20 62")),
            ("control", "A target with a NUL in it.", _call(2, "63 61 00 62")),
            ("delete", "A target with a DEL at its end.", _call(2, "62 61 7f")),
            ("unicode", "A target with an umlaut, in valid UTF-8.", _call(2, "62 c3 bc")),
            ("not-utf-8", "A target that is no UTF-8.", _call(2, "61 ff")),
            ("method", "A method with a line end in it.", _call(2, "82 01 62 61 0a")),
        ),
    ),
    _each(
        "head.text.scheme",
        "AUTH-8 HEAD-4 FRAME-6",
        (
            ("capital", "A scheme with a capital letter.", Frame(1, ("Bearer", b"x"))),
            ("underscore", "A scheme with an underscore.", Frame(1, ("api_key", b"x"))),
            (
                "credential",
                "The scheme of a credential with a slash in it.",
                _call(4, "82 63 61 2f 62 41 78"),
            ),
        ),
    ),
    # --- definite lengths
    _each(
        "head.indefinite",
        "HEAD-5",
        (
            ("array", "A frame's array of indefinite length.", _whole("9f 0c 01 ff")),
            ("body", "A body in pieces.", _call(5, "5f 44828101a0 ff")),
            ("target", "A target in pieces.", _call(2, "7f 6161 ff")),
            ("context", "A context of indefinite length.", _call(3, "bf 01 1905dc ff")),
            (
                "trace",
                "A traceparent of indefinite length.",
                _call(3, f"a1 02 9f 50{TRACE_ID} 48{PARENT_ID} 01 ff"),
            ),
            ("reference", "[reference, method] of indefinite length.", _call(2, "9f 01 60 ff")),
            ("credential", "A credential of indefinite length.", _call(4, "9f 6161 4178 ff")),
            ("proof", "A proof in pieces.", Frame(1, (SCHEME, _raw("5f 4178 ff")))),
        ),
    ),
    _opening(
        "head.indefinite.versions",
        "HEAD-5 HELLO-6",
        "Versions of indefinite length.",
        hello(_raw("9f 01 ff")),
    ),
    _opening(
        "head.indefinite.limits",
        "HEAD-5",
        "Limits of indefinite length.",
        hello(
            limits=_raw("bf 01 1a00400000 02 190400 03 1a01000000 04 1a00040000 05 1a00200000 06 19ea60 ff")
        ),
    ),
    _each(
        "head.break",
        "HEAD-5 HEAD-6 FRAME-6 HEAD-1",
        (("alone", "A break where a counter is due.", Frame(12, (_raw("ff"),))),),
    ),
    # --- nothing else
    _each(
        "head.tag",
        "HEAD-6 FRAME-6 FRAME-3",
        (
            ("frame", "A tag around a frame.", _whole("d9d9f7 82 0c 01")),
            ("kind", "A tag before the kind.", _whole("82 c1 0c 01")),
            ("counter", "A bignum as a counter.", Frame(12, (_raw("c2 41 01"),))),
            ("target", "A target with a tag for URIs.", _call(2, "d820 61 61")),
            ("body", "A body with the tag for embedded CBOR.", _call(5, "d818 44 828101a0")),
            ("null", "A tag before a null.", _call(3, "c1 f6")),
        ),
    ),
    _each(
        "head.simple",
        "HEAD-6 FRAME-6",
        (
            ("false", "false in the place of a shape.", _call(1, "f4")),
            ("true", "true in the place of a counter.", Frame(12, (True,))),
            ("undefined", "undefined in the place of a context.", _call(3, "f7")),
            ("unassigned", "An unassigned simple value in the place of a context.", _call(3, "e0")),
            ("two-bytes", "A null in two bytes in the place of a context.", _call(3, "f8 16")),
            ("null.counter", "null in the place of a counter.", Frame(12, (None,))),
            ("null.id", "null in the place of a call's id.", _call(0, "f6")),
            ("null.target", "null in the place of a target.", _call(2, "f6")),
            ("null.body", "null in the place of a body.", _call(5, "f6")),
            ("null.proof", "null in the place of a proof.", Frame(1, (SCHEME, None))),
        ),
    ),
    _each(
        "head.float",
        "HEAD-6 FRAME-6",
        (
            ("half", "A counter of 1.0 in 16 bits.", Frame(12, (_raw("f93c00"),))),
            ("double", "A counter of 1.0 in 64 bits.", Frame(12, (_raw("fb3ff0000000000000"),))),
            ("time", "A remaining time of 1500.0.", _call(3, "a1 01 fa44bb8000")),
            ("credit", "A CREDIT of 1024.0 bytes.", Frame(11, (0, _raw("fa44800000")))),
        ),
    ),
    _each(
        "head.negative",
        "HEAD-6 FRAME-6",
        (
            ("counter", "A negative counter.", Frame(12, (-1,))),
            ("call.id", "A negative call id.", _call(0, "20")),
            ("credit", "A negative CREDIT would take balance away.", Frame(11, (0, -1))),
            ("goaway", "A negative last id.", Frame(14, (-1, 0))),
        ),
    ),
    # --- and what a lenient reader could be too strict about
    answered(
        "head.widths",
        "HEAD-1",
        "Heads of one, two and three bytes in their shortest form are taken.",
        call("size", bytes(300), context=Map(((1, 60_000),))),
        result(300),
        features=("hosting",),
    ),
)
