"""Frames that every receiver must refuse: one fault in each, and the clause that forbids it.

Where the bytes can't help breaking two clauses, the second one stands under `or`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from conformance.cbor import (
    BREAK,
    FALSE,
    NULL,
    TRUE,
    UNDEFINED,
    array,
    f16,
    f64,
    head,
    indefinite,
    integer,
    octets,
    pairs,
    simple,
    tag,
    text,
)

from .frames import (
    ACCEPTED,
    AUTH,
    BIGGEST,
    CALL,
    CANCEL,
    CHALLENGE,
    CREDIT,
    DEFAULTS,
    END,
    ERROR,
    GOAWAY,
    ITEM,
    LIMIT_NAMES,
    MAXIMA,
    MINIMA,
    NO_ARGUMENTS,
    PING,
    PONG,
    RELEASE,
    RESULT,
    TRACE,
    call,
    context,
    framed,
    hello,
    kind,
    limits,
    numbers,
)
from .vector import Book, entry

ONE = integer(1)
BODY = octets(NULL)

# Clauses that state a range or an alphabet which the table of kinds states as well.
RANGED = frozenset(
    {
        *("AUTH-8", "CALL-2", "CALL-3", "CREDIT-5", "CTX-1", "CTX-2", "CTX-3", "CTX-4"),
        *("ERR-1", "ERR-2", "HEAD-3", "HEAD-4", "HELLO-2", "HELLO-5", "KEEP-1", "LEAVE-7"),
    }
)
# The same from the other side: which clause of its own an element has, by how a vector's name begins. The first counts.
OWN_CLAUSES = (
    ("hello.versions.", "HELLO-2"),
    ("hello.limits.", "HELLO-5"),
    ("auth.", "AUTH-8"),
    ("challenge.", "AUTH-8"),
    ("call.shape.", "CALL-2"),
    ("call.target.", "CALL-3"),
    ("call.reference.", "CALL-3"),
    ("call.context.remaining.", "CTX-2"),
    ("call.context.trace.", "CTX-3"),
    ("call.context.tracestate.", "CTX-4"),
    ("call.context.", "CTX-1"),
    ("call.credential.scheme", "AUTH-8"),
    ("call.credential.proof", "AUTH-8"),
    ("error.code.", "ERR-1"),
    ("error.body.", "ERR-2"),
    ("credit.text", "CREDIT-5"),
    ("credit.null", "CREDIT-5"),
    ("ping.", "KEEP-1"),
    ("goaway.code.", "LEAVE-7"),
)


class Bad(Protocol):
    """Takes a frame that is wrong."""

    def __call__(self, name: str, clause: str, payload: bytes, meaning: str, *either: str) -> None: ...


def fill(book: Book) -> None:
    """Put the bad frames into the book."""

    def bad(name: str, clause: str, payload: bytes, meaning: str, *either: str) -> None:
        also = [*either, *(other for other in _besides(name, clause, payload) if other not in either)]
        book.add(entry(name, clause, framed(payload), meaning, noted=payload, error="protocol", either=also))

    _prefixes(book)
    _shapes(bad)
    _kinds(bad)
    _arities(bad)
    _hello(bad)
    _limits(bad)
    _proofs(bad)
    _ids(bad)
    _calls(bad)
    _targets(bad)
    _contexts(bad)
    _credentials(bad)
    _answers(bad)
    _controls(bad)
    _long_heads(bad)
    _open_ends(bad)
    _foreign(bad)
    _integers(bad)
    _texts(bad)


def _besides(name: str, clause: str, payload: bytes) -> Sequence[str]:
    """What such a fault breaks besides.

    The table of kinds states every type and range, and other clauses some of them again; HEAD-6 says where null may
    be, FRAME-2 how short a frame is.
    """
    if len(payload) < 2:
        return ("FRAME-2",)
    if clause in RANGED:
        return ("FRAME-6",)
    if clause != "FRAME-6":
        return ()
    own = [special for prefix, special in OWN_CLAUSES if name.startswith(prefix)][:1]
    return [*own, "HEAD-6"] if name.endswith("null") else own


def _prefixes(book: Book) -> None:
    """Faults of the length prefix itself: here the bytes are not `length` and a payload of that length."""

    def raw(name: str, clause: str, data: bytes, meaning: str, *either: str) -> None:
        book.add(entry(name, clause, data, meaning, noted=b"", error="protocol", either=either))

    raw("prefix.zero", "FRAME-2", bytes(4), "A frame of no bytes: 2 is the least.")
    raw("prefix.2^24", "FRAME-2", b"\x01\x00\x00\x00", "2^24 bytes: one more than any frame may have.")
    raw(
        "prefix.largest",
        "FRAME-2",
        b"\xff\xff\xff\xff",
        "2^32-1 bytes: refused before a byte of them is kept.",
    )
    raw("prefix.http", "FRAME-2", b"GET ", "The start of an HTTP request, read as a length.", "LINK-2")
    raw(
        "prefix.tls",
        "FRAME-2",
        b"\x16\x03\x01\x02",
        "The start of a TLS handshake, read as a length.",
        "LINK-2",
    )
    raw("prefix.cut", "FRAME-8", b"\x00\x00\x00", "The link ends inside a length.")
    raw("prefix.nothing-follows", "FRAME-8", b"\x00\x00\x00\x03", "The link ends where a frame was due.")
    raw(
        "frame.cut",
        "FRAME-8",
        framed(kind(PING, ONE))[:-1],
        "The link ends one byte before the end of a frame.",
    )


def _shapes(bad: Bad) -> None:
    for name, payload, what in (
        ("unsigned", b"\x05", "an integer"),
        ("negative", b"\x20", "a negative integer"),
        ("bytes", octets(b"\x81\x03"), "a byte string that holds a frame"),
        ("text", text("hello"), "a text"),
        ("map", pairs((integer(0), integer(1))), "a map"),
        ("null", NULL, "null"),
    ):
        bad(
            f"frame.not-array.{name}",
            "FRAME-3",
            payload,
            f"A frame that is {what} instead of an array.",
            "HEAD-6",
        )
    bad(
        "frame.tagged",
        "FRAME-3",
        tag(55799, kind(ACCEPTED)),
        "The tag that says `this is CBOR` stands before the array.",
        "HEAD-6",
    )
    bad("frame.trailing.byte", "FRAME-3", kind(PING, ONE) + b"\x00", "One byte after the array.")
    bad("frame.trailing.frame", "FRAME-3", kind(PING, ONE) * 2, "Two arrays in one frame.")
    bad("frame.trailing.accepted", "FRAME-3", kind(ACCEPTED) + NULL, "null after the shortest frame.")
    bad("frame.ends.after-head", "FRAME-3", b"\x82", "The array promises two elements and ends.")
    bad("frame.ends.after-kind", "FRAME-3", b"\x82\x0c", "PING ends before its counter.")
    bad("frame.ends.in-integer", "FRAME-3", b"\x82\x0c\x19\x01", "PING ends inside its counter's head.")
    bad("frame.ends.in-text", "FRAME-3", b"\x83\x01\x65toke", "AUTH ends inside its scheme.")
    bad("frame.ends.in-bytes", "FRAME-3", b"\x83\x06\x01\x42\xf6", "RESULT ends inside its body.")
    bad("frame.ends.before-body", "FRAME-3", call()[: -len(NO_ARGUMENTS)], "CALL ends before its body.")
    bad(
        "frame.ends.before-context",
        "FRAME-3",
        call()[: -len(NO_ARGUMENTS) - 2],
        "CALL ends after its target.",
    )
    bad(
        "frame.ends.body-claims-2^40",
        "FRAME-3",
        b"\x83\x06\x01" + head(2, 2**40),
        "A body claims 2^40 bytes of which none is there: refused without allocating them.",
    )
    bad(
        "frame.ends.array-claims-2^40",
        "FRAME-5",
        head(4, 2**40) + b"\x0c\x01",
        "The array claims 2^40 elements.",
        "FRAME-3",
    )
    for info in (28, 29, 30):
        bad(
            f"head.reserved.{info}",
            "HEAD-1",
            bytes([0x82, PING, info]),
            f"A head whose additional information is {info}, which CBOR reserves.",
            "FRAME-3",
        )


def _kinds(bad: Bad) -> None:
    bad("kind.reserved-4", "FRAME-4", kind(4, ONE, text("Invoices.total")), "Kind 4 is kept free.")
    bad("kind.16", "FRAME-4", kind(16, ONE), "The first number after the known kinds.")
    bad("kind.24", "FRAME-4", kind(24, ONE), "An unknown kind with a head of two bytes.")
    bad("kind.2^53-1", "FRAME-4", kind(BIGGEST, ONE), "The largest integer is no kind.")
    bad("kind.text", "FRAME-6", array(text("PING"), ONE), "The kind is a text.", "FRAME-4")
    bad("kind.bytes", "FRAME-6", array(octets(b"\x0c"), ONE), "The kind is a byte string.", "FRAME-4")
    bad("kind.array", "FRAME-6", array(kind(PING, ONE)), "A frame inside an array.", "FRAME-4", "FRAME-5")
    bad("kind.null", "FRAME-6", array(NULL, ONE), "The kind is null.", "FRAME-4")
    bad("kind.negative", "HEAD-6", array(integer(-1), ONE), "The kind is negative.", "FRAME-4")
    bad("kind.missing", "FRAME-5", array(), "An empty array has no kind.", "FRAME-3")


def _arities(bad: Bad) -> None:
    """Every kind with one element too few and one too many."""
    for name, payload in {
        "hello": hello(),
        "auth": kind(AUTH, text("token"), octets(b"x")),
        "challenge": kind(CHALLENGE, octets(b"x")),
        "accepted": kind(ACCEPTED),
        "call": call(),
        "result": kind(RESULT, ONE, BODY),
        "error": kind(ERROR, ONE, ONE, NULL),
        "cancel": kind(CANCEL, ONE),
        "item": kind(ITEM, ONE, BODY),
        "end": kind(END, ONE),
        "credit": kind(CREDIT, ONE, ONE),
        "ping": kind(PING, ONE),
        "pong": kind(PONG, ONE),
        "goaway": kind(GOAWAY, ONE, integer(0)),
        "release": kind(RELEASE, ONE),
    }.items():
        count = payload[0] & 31
        longer = bytes([payload[0] + 1]) + payload[1:] + integer(0)
        bad(f"{name}.arity.over", "FRAME-5", longer, f"{name.upper()} with {count} elements after its kind.")
        if name != "accepted":
            shorter = bytes([payload[0] - 1]) + payload[1 : -_last_length(name)]
            bad(f"{name}.arity.under", "FRAME-5", shorter, f"{name.upper()} without its last element.")


def _last_length(name: str) -> int:
    """How many bytes the last element of the frames in `_arities` takes."""
    return {"hello": len(limits()), "auth": 2, "challenge": 2, "call": len(NO_ARGUMENTS)}.get(
        name, 2 if name in ("result", "item") else 1
    )


def _hello(bad: Bad) -> None:
    bad("hello.versions.none", "HELLO-2", hello(numbers()), "HELLO without any version.")
    bad("hello.versions.nine", "HELLO-2", hello(numbers(*range(1, 10))), "Nine versions: eight are the most.")
    bad("hello.versions.descending", "HELLO-2", hello(numbers(2, 1)), "The versions descend.")
    bad("hello.versions.equal", "HELLO-2", hello(numbers(1, 1)), "The same version twice.")
    bad("hello.versions.zero", "HELLO-2", hello(numbers(0, 1)), "Version 0, which is never one.")
    bad("hello.versions.not-array", "FRAME-6", hello(ONE), "A version instead of an array of them.")
    bad("hello.versions.map", "FRAME-6", hello(pairs((ONE, ONE))), "A map instead of an array.")
    bad("hello.versions.text", "FRAME-6", hello(array(text("1"))), "A version as a text.")
    bad("hello.versions.null", "FRAME-6", hello(array(NULL)), "A version that is null.")
    bad("hello.limits.null", "FRAME-6", hello(limit=NULL), "null instead of the limits.")
    bad("hello.limits.array", "FRAME-6", hello(limit=numbers(*DEFAULTS)), "The limits as an array.")


def _limits(bad: Bad) -> None:
    entries = [(integer(key), integer(value)) for key, value in enumerate(DEFAULTS, 1)]
    for index, name in enumerate(LIMIT_NAMES):
        key = index + 1
        told = name.replace("-", " ")
        under, over = list(DEFAULTS), list(DEFAULTS)
        under[index], over[index] = MINIMA[index] - 1, MAXIMA[index] + 1
        if name == "unfinished-bytes":
            under[0] = MINIMA[0]
        bad(
            f"hello.limits.{name}.under",
            "HELLO-5",
            hello(limit=limits(under)),
            f"Limit {key} ({told}) too small.",
        )
        bad(
            f"hello.limits.{name}.over",
            "HELLO-5",
            hello(limit=limits(over)),
            f"Limit {key} ({told}) too large.",
        )
        rest = pairs(*(pair for at, pair in enumerate(entries) if at != index))
        bad(f"hello.limits.{name}.missing", "HELLO-5", hello(limit=rest), f"Limit {key} ({told}) is missing.")
        wrong = pairs(*((k, text("many") if at == index else v) for at, (k, v) in enumerate(entries)))
        bad(f"hello.limits.{name}.text", "FRAME-6", hello(limit=wrong), f"Limit {key} ({told}) is a text.")
    bad(
        "hello.limits.unfinished-below-frame",
        "HELLO-5",
        hello(limit=limits(unfinished_bytes=DEFAULTS[0] - 1)),
        "Fewer unfinished body bytes than the largest frame has.",
    )
    bad("hello.limits.empty", "HELLO-5", hello(limit=pairs()), "All six limits are missing.")
    bad(
        "hello.limits.unknown-key",
        "HEAD-3",
        hello(limit=pairs(*entries, (integer(7), ONE))),
        "A seventh limit: the map is closed.",
    )
    bad(
        "hello.limits.key-zero",
        "HEAD-3",
        hello(limit=pairs((integer(0), ONE), *entries)),
        "A limit with the key 0, which does not exist.",
        "HELLO-5",
    )
    bad(
        "hello.limits.duplicate-key",
        "HEAD-3",
        hello(limit=pairs(*entries, entries[-1])),
        "The last limit is there twice.",
    )
    bad(
        "hello.limits.descending",
        "HEAD-3",
        hello(limit=pairs(*entries[:4], entries[5], entries[4])),
        "The last two limits stand in the wrong order.",
        "HELLO-5",
    )
    bad(
        "hello.limits.text-key",
        "FRAME-6",
        hello(limit=pairs(*entries[:5], (text("6"), integer(60_000)))),
        "A key is a text.",
        "HEAD-3",
        "HELLO-5",
    )


def _proofs(bad: Bad) -> None:
    proof = octets(b"x")
    for name, scheme, meaning in (
        ("empty", "", "A scheme without a character."),
        ("too-long", "a" * 33, "A scheme of 33 characters: 32 are the most."),
        ("upper-case", "Token", "A scheme with a capital."),
        ("underscore", "my_token", "A scheme with an underscore."),
    ):
        bad(f"auth.scheme.{name}", "AUTH-8", kind(AUTH, text(scheme), proof), meaning)
    bad(
        "auth.scheme.space",
        "AUTH-8",
        kind(AUTH, text("to ken"), proof),
        "A scheme with a space.",
        "HEAD-4",
    )
    bad("auth.scheme.bytes", "FRAME-6", kind(AUTH, octets(b"token"), proof), "A scheme as a byte string.")
    bad("auth.scheme.null", "FRAME-6", kind(AUTH, NULL, proof), "A scheme that is null.")
    bad("auth.proof.text", "FRAME-6", kind(AUTH, text("token"), text("x")), "A proof as a text.")
    bad("auth.proof.null", "FRAME-6", kind(AUTH, text("token"), NULL), "A proof that is null.")
    bad(
        "auth.proof.too-long",
        "AUTH-8",
        kind(AUTH, text("token"), octets(b"\xaa" * 8193)),
        "A proof of 8,193 bytes: 8,192 are the most.",
    )
    bad("challenge.text", "FRAME-6", kind(CHALLENGE, text("x")), "A challenge as a text.")
    bad("challenge.null", "FRAME-6", kind(CHALLENGE, NULL), "A challenge that is null.")
    bad(
        "challenge.too-long",
        "AUTH-8",
        kind(CHALLENGE, octets(b"\xbb" * 8193)),
        "A challenge of 8,193 bytes: 8,192 are the most.",
    )


def _ids(bad: Bad) -> None:
    """The first element of each frame that has an id: 0 and a text."""
    for name, number, rest in (
        ("result", RESULT, (BODY,)),
        ("error", ERROR, (ONE, NULL)),
        ("cancel", CANCEL, ()),
        ("item", ITEM, (BODY,)),
        ("end", END, ()),
        ("release", RELEASE, ()),
    ):
        what = "reference" if name == "release" else "call id"
        bad(f"{name}.id.zero", "FRAME-6", kind(number, integer(0), *rest), f"0 is no {what}.")
        bad(f"{name}.id.text", "FRAME-6", kind(number, text("1"), *rest), f"A {what} as a text.")
    bad("call.id.zero", "FRAME-6", call(0), "0 is no call id.")
    bad("call.id.null", "FRAME-6", b"\x87\x05" + NULL + call()[3:], "A call id that is null.")
    bad("credit.id.text", "FRAME-6", kind(CREDIT, text("0"), ONE), "A call id as a text.")
    bad("credit.id.null", "FRAME-6", kind(CREDIT, NULL, ONE), "null does not name the session; 0 does.")


def _calls(bad: Bad) -> None:
    def shaped(shape: bytes) -> bytes:
        return kind(CALL, ONE, shape, text("Invoices.total"), NULL, NULL, NO_ARGUMENTS)

    bad("call.shape.4", "CALL-2", call(shape=4), "There are the shapes 0 to 3.")
    bad("call.shape.text", "FRAME-6", shaped(text("unary")), "A shape as a text.")
    bad("call.shape.null", "FRAME-6", shaped(NULL), "A shape that is null.")
    bad("call.body.null", "FRAME-6", call(body=NULL), "A call always has a body.")
    bad("call.body.text", "FRAME-6", call(body=text("\u0002")), "A body as a text.")
    bad(
        "call.body.array", "FRAME-6", call(body=array(array(), pairs())), "The arguments stand in the header."
    )


def _targets(bad: Bad) -> None:
    bad("call.target.empty", "CALL-3", call(target=text("")), "A target without a character.")
    bad("call.target.too-long", "CALL-3", call(target=text("x" * 256)), "256 characters: 255 are the most.")
    for name, character in (("space", " "), ("delete", "\x7f"), ("newline", "\n"), ("zero", "\x00")):
        bad(
            f"call.target.{name}",
            "CALL-3",
            call(target=text(f"Invoices{character}total")),
            f"A target with the character 0x{ord(character):02x}.",
            "HEAD-4",
        )
    bad(
        "call.target.number",
        "FRAME-6",
        call(target=ONE),
        "A bound number: kind 4, which would bind it, is kept free.",
    )
    bad("call.target.bytes", "FRAME-6", call(target=octets(b"Invoices.total")), "A target as a byte string.")
    bad("call.target.null", "FRAME-6", call(target=NULL), "A target that is null.")
    bad("call.target.map", "FRAME-6", call(target=pairs()), "A target as a map.")
    for name, items, meaning in (
        ("empty", (), "A reference without reference and method."),
        ("without-method", (ONE,), "A reference without a method."),
        ("three", (ONE, text("a"), text("b")), "A reference with a third element."),
    ):
        bad(f"call.reference.{name}", "FRAME-6", call(target=array(*items)), meaning, "FRAME-5")
    bad(
        "call.reference.zero",
        "FRAME-6",
        call(target=array(integer(0), text("m"))),
        "0 is no reference.",
        "CALL-3",
    )
    bad("call.reference.text", "FRAME-6", call(target=array(text("1"), text("m"))), "A reference as a text.")
    bad(
        "call.reference.method-bytes",
        "FRAME-6",
        call(target=array(ONE, octets(b"m"))),
        "A method as a byte string.",
    )
    bad("call.reference.method-null", "FRAME-6", call(target=array(ONE, NULL)), "A method that is null.")
    bad(
        "call.reference.method-too-long",
        "CALL-3",
        call(target=array(ONE, text("m" * 256))),
        "A method's name of 256 characters: 255 are the most.",
    )
    bad(
        "call.reference.method-space",
        "CALL-3",
        call(target=array(ONE, text("a b"))),
        "A method's name with a space.",
        "HEAD-4",
    )


def _contexts(bad: Bad) -> None:
    def within(name: str, clause: str, meaning: str, *either: str, **entries: bytes) -> None:
        bad(f"call.context.{name}", clause, call(context=context(**entries)), meaning, *either)

    good_trace, good_parent = octets(bytes(range(1, 17))), octets(bytes(range(1, 9)))
    bad("call.context.empty", "CTX-1", call(context=pairs()), "An empty context: null was due.")
    bad("call.context.array", "FRAME-6", call(context=array(ONE)), "A context as an array.")
    bad("call.context.zero", "FRAME-6", call(context=integer(0)), "A context that is 0.")
    first, second = (ONE, integer(5)), (integer(2), TRACE)
    for name, entries, meaning in (
        ("unknown-key", (first, (integer(4), ONE)), "The key 4 is unknown: there is no baggage."),
        ("key-zero", ((integer(0), ONE), first), "The key 0 is unknown."),
        ("descending", (second, first), "The keys descend."),
        ("duplicate", (first, first), "The same key twice."),
    ):
        bad(f"call.context.{name}", "HEAD-3", call(context=pairs(*entries)), meaning, "CTX-1")
    bad(
        "call.context.text-key",
        "FRAME-6",
        call(context=pairs((text("baggage"), text("user=1")))),
        "A key is a text: baggage has no place here.",
        "HEAD-3",
        "CTX-1",
    )
    within("remaining.zero", "CTX-2", "No time remains: such a call is not sent.", remaining=integer(0))
    within("remaining.over", "CTX-2", "2^31 ms: one more than the most.", remaining=integer(2**31))
    within("remaining.text", "FRAME-6", "The remaining time as a text.", remaining=text("5s"))
    within("remaining.null", "FRAME-6", "A remaining time that is null: leave the key out.", remaining=NULL)
    for name, trace, meaning in (
        ("trace-zero", array(octets(bytes(16)), good_parent, ONE), "A trace id of zeros."),
        ("parent-zero", array(good_trace, octets(bytes(8)), ONE), "A parent id of zeros."),
        ("trace-short", array(octets(b"\x01" * 15), good_parent, ONE), "A trace id of 15 bytes."),
        ("trace-long", array(octets(b"\x01" * 17), good_parent, ONE), "A trace id of 17 bytes."),
        ("parent-short", array(good_trace, octets(b"\x01" * 7), ONE), "A parent id of 7 bytes."),
        ("parent-long", array(good_trace, octets(b"\x01" * 9), ONE), "A parent id of 9 bytes."),
        ("flags-4", array(good_trace, good_parent, integer(4)), "Flags above 3 are not known."),
    ):
        within(f"trace.{name}", "CTX-3", meaning, trace=trace)
    within(
        "trace.two", "CTX-3", "A traceparent without flags.", "FRAME-6", trace=array(good_trace, good_parent)
    )
    within(
        "trace.four",
        "CTX-3",
        "A traceparent with a fourth element.",
        "FRAME-6",
        trace=array(good_trace, good_parent, ONE, ONE),
    )
    within("trace.text", "FRAME-6", "A traceparent as W3C writes it, a text.", trace=text("00-01-02-01"))
    within("trace.id-text", "FRAME-6", "A trace id as a text.", trace=array(text("x" * 16), good_parent, ONE))
    within(
        "trace.flags-true", "HEAD-6", "true as flags.", "FRAME-6", trace=array(good_trace, good_parent, TRUE)
    )
    within("tracestate.alone", "CTX-4", "A tracestate without a traceparent.", state=text("a=1"))
    within(
        "tracestate.empty", "CTX-4", "An empty tracestate: leave the key out.", trace=TRACE, state=text("")
    )
    within(
        "tracestate.too-long",
        "CTX-4",
        "513 characters: 512 are the most.",
        trace=TRACE,
        state=text("x" * 513),
    )
    within("tracestate.bytes", "FRAME-6", "A tracestate as bytes.", trace=TRACE, state=octets(b"a=1"))
    within(
        "tracestate.newline",
        "CTX-4",
        "A tracestate with a character that is not printable.",
        "HEAD-4",
        trace=TRACE,
        state=text("a=1\nb"),
    )


def _credentials(bad: Bad) -> None:
    scheme, proof = text("token"), octets(b"x")
    for name, clause, credential, meaning, either in (
        ("empty", "FRAME-6", array(), "An array without scheme and proof: null was due.", "FRAME-5"),
        ("one", "FRAME-6", array(scheme), "A scheme without a proof.", "FRAME-5"),
        ("three", "FRAME-6", array(scheme, proof, NULL), "A third element.", "FRAME-5"),
        ("text", "FRAME-6", scheme, "A credential as a text.", ""),
        ("map", "FRAME-6", pairs((scheme, proof)), "A credential as a map.", ""),
        ("scheme-empty", "AUTH-8", array(text(""), proof), "A scheme without a character.", ""),
        ("scheme-too-long", "AUTH-8", array(text("a" * 33), proof), "A scheme of 33 characters.", ""),
        ("scheme-upper-case", "AUTH-8", array(text("Token"), proof), "A scheme with a capital.", ""),
        ("scheme-bytes", "FRAME-6", array(octets(b"token"), proof), "A scheme as a byte string.", ""),
        ("proof-text", "FRAME-6", array(scheme, text("x")), "A proof as a text.", ""),
        ("proof-null", "FRAME-6", array(scheme, NULL), "A proof that is null.", ""),
        ("proof-too-long", "AUTH-8", array(scheme, octets(b"\xcc" * 8193)), "A proof of 8,193 bytes.", ""),
    ):
        alternatives: Sequence[str] = (either,) if either else ()
        bad(f"call.credential.{name}", clause, call(credential=credential), meaning, *alternatives)


def _answers(bad: Bad) -> None:
    bad("result.body.null", "FRAME-6", kind(RESULT, ONE, NULL), "A RESULT always has a body.")
    bad("result.body.text", "FRAME-6", kind(RESULT, ONE, text("x")), "A body as a text.")
    bad("item.body.null", "FRAME-6", kind(ITEM, ONE, NULL), "An ITEM always has a body.")
    bad("item.body.integer", "FRAME-6", kind(ITEM, ONE, ONE), "The value stands in the header.")
    bad("error.code.zero", "ERR-1", kind(ERROR, ONE, integer(0), NULL), "Code 0 exists for GOAWAY alone.")
    bad("error.code.14", "ERR-1", kind(ERROR, ONE, integer(14), NULL), "13 is the last code.")
    bad("error.code.text", "FRAME-6", kind(ERROR, ONE, text("denied"), NULL), "A code as a text.")
    bad("error.code.null", "FRAME-6", kind(ERROR, ONE, NULL, NULL), "A code that is null.")
    bad("error.body.text", "FRAME-6", kind(ERROR, ONE, integer(6), text("a")), "A body as a text.")
    for code in (6, 7, 8):
        meaning = f"Code {code} needs a body."
        bad(f"error.body.missing-{code}", "ERR-2", kind(ERROR, ONE, integer(code), NULL), meaning)
    for code in (1, 2, 3, 4, 5, 9, 10, 11, 12, 13):
        meaning = f"Code {code} has no body: there is no room for words beside the table."
        bad(f"error.body.beside-{code}", "ERR-2", kind(ERROR, ONE, integer(code), BODY), meaning)


def _controls(bad: Bad) -> None:
    bad("credit.zero", "CREDIT-5", kind(CREDIT, ONE, integer(0)), "A CREDIT of nothing.")
    bad("credit.over", "CREDIT-5", kind(CREDIT, ONE, integer(2**31)), "2^31 bytes: one more than the most.")
    bad("credit.text", "FRAME-6", kind(CREDIT, ONE, text("1")), "A CREDIT as a text.")
    bad("credit.null", "FRAME-6", kind(CREDIT, ONE, NULL), "A CREDIT that is null.")
    for name, number in (("ping", PING), ("pong", PONG)):
        bad(f"{name}.zero", "KEEP-1", kind(number, integer(0)), "Counters begin at 1.", "FRAME-6")
        bad(f"{name}.text", "FRAME-6", kind(number, text("1")), "A counter as a text.")
        bad(f"{name}.bytes", "FRAME-6", kind(number, octets(b"\x00" * 8)), "A payload instead of a counter.")
    bad("goaway.code.14", "LEAVE-7", kind(GOAWAY, integer(0), integer(14)), "13 is the last code.")
    bad("goaway.code.text", "FRAME-6", kind(GOAWAY, integer(0), text("bye")), "Words instead of a code.")
    bad("goaway.code.null", "FRAME-6", kind(GOAWAY, integer(0), NULL), "A code that is null.")
    bad("goaway.last.null", "FRAME-6", kind(GOAWAY, NULL, integer(0)), "The last id is null.")
    bad("goaway.last.text", "FRAME-6", kind(GOAWAY, text("0"), integer(0)), "The last id is a text.")


def _long_heads(bad: Bad) -> None:
    """HEAD-1: each sort of head in a form that is longer than it must be."""

    def long(name: str, payload: bytes, meaning: str) -> None:
        bad(f"head.long.{name}", "HEAD-1", payload, meaning)

    rest = kind(CHALLENGE, octets(b"x"))[1:]
    long("frame-array", head(4, 2, 1) + rest, "The frame's array head takes two bytes for 2.")
    long("frame-array-4", head(4, 2, 4) + rest, "The frame's array head takes five bytes for 2.")
    long("kind", array(integer(PING, 1), ONE), "The kind takes two bytes for 12.")
    for value, width in ((23, 1), (255, 2), (65_535, 4), (2**32 - 1, 8)):
        meaning = f"The counter {value} takes {width + 1} bytes."
        long(f"integer-{width}", kind(PING, integer(value, width)), meaning)
    long("integer-8-of-1", kind(PING, integer(1, 8)), "The counter 1 takes nine bytes.")
    long("text", kind(AUTH, text("token", 1), octets(b"x")), "A text's length takes two bytes for 5.")
    long("bytes", kind(RESULT, ONE, octets(NULL, 1)), "A body's length takes two bytes for 1.")
    long(
        "bytes-2", kind(RESULT, ONE, octets(b"\x58" + bytes([200]) + bytes(200), 4)), "202 takes five bytes."
    )
    long("versions-array", hello(array(ONE, width=1)), "The head of the versions takes two bytes for 1.")
    long("version", hello(array(integer(1, 2))), "The version 1 takes three bytes.")
    entries = [(integer(key), integer(value)) for key, value in enumerate(DEFAULTS, 1)]
    long("limits-map", hello(limit=pairs(*entries, width=1)), "The head of the limits takes two bytes for 6.")
    long(
        "limits-key",
        hello(limit=pairs((integer(1, 1), entries[0][1]), *entries[1:])),
        "The key of the first limit takes two bytes.",
    )
    long(
        "limits-value",
        hello(limit=pairs(*entries[:1], (integer(2), integer(1024, 4)), *entries[2:])),
        "The value of the second limit takes five bytes for 1024.",
    )
    long(
        "reference-array",
        call(target=array(ONE, text("m"), width=1)),
        "The head of a reference takes two bytes.",
    )
    long(
        "context-map",
        call(context=pairs((ONE, ONE), width=1)),
        "The head of a context takes two bytes for 1.",
    )
    long("context-key", call(context=pairs((integer(1, 1), ONE))), "The key of a context takes two bytes.")
    long(
        "credential-array",
        call(credential=array(text("token"), octets(b"x"), width=1)),
        "The head of a credential takes two bytes for 2.",
    )
    long(
        "trace-array",
        call(context=context(trace=b"\x98\x03" + TRACE[1:])),
        "The head of a traceparent takes two.",
    )
    long("code", kind(GOAWAY, integer(0), integer(12, 1)), "A code takes two bytes for 12.")


def _open_ends(bad: Bad) -> None:
    """HEAD-5: indefinite lengths."""

    def open_end(name: str, payload: bytes, meaning: str, *either: str) -> None:
        bad(f"head.indefinite.{name}", "HEAD-5", payload, meaning, *either)

    open_end("frame", indefinite(4, integer(PING), ONE), "The frame's array has no length.")
    open_end("versions", hello(indefinite(4, ONE)), "The versions have no length.")
    entries = [integer(key) + integer(value) for key, value in enumerate(DEFAULTS, 1)]
    open_end("limits", hello(limit=indefinite(5, *entries)), "The limits have no length.")
    open_end("scheme", kind(AUTH, indefinite(3, text("token")), octets(b"x")), "A scheme in chunks.")
    open_end("proof", kind(AUTH, text("token"), indefinite(2, octets(b"x"))), "A proof in chunks.")
    open_end("body", kind(RESULT, ONE, indefinite(2, BODY)), "A body in chunks.")
    open_end("body-empty", kind(ITEM, ONE, indefinite(2)), "A body in no chunks.")
    open_end("target", call(target=indefinite(3, text("Invoices."), text("total"))), "A target in chunks.")
    open_end("reference", call(target=indefinite(4, ONE, text("m"))), "A reference has no length.")
    open_end("context", call(context=indefinite(5, ONE, ONE)), "A context has no length.")
    open_end(
        "credential",
        call(credential=indefinite(4, text("token"), octets(b"x"))),
        "A credential has no length.",
    )
    open_end(
        "tracestate",
        call(context=context(trace=TRACE, state=indefinite(3, text("a")))),
        "tracestate in chunks.",
    )


def _foreign(bad: Bad) -> None:
    """HEAD-6: what CBOR has and a header does not."""

    def foreign(name: str, payload: bytes, meaning: str, *either: str) -> None:
        bad(f"head.foreign.{name}", "HEAD-6", payload, meaning, *either)

    foreign("tag.id", kind(CANCEL, tag(41991, ONE)), "A tag stands before a call id.")
    foreign("tag.bignum", kind(PING, tag(2, octets(b"\x01"))), "A counter as a bignum.")
    foreign("tag.body", kind(RESULT, ONE, tag(24, BODY)), "A body with the tag for embedded CBOR.")
    foreign("tag.target", call(target=tag(32, text("Invoices.total"))), "A target with a tag.")
    foreign("tag.versions", hello(tag(258, numbers(1))), "The versions with the tag of a set.")
    foreign("tag.limits", hello(limit=tag(259, limits())), "The limits with a tag.")
    foreign("tag.long", kind(CANCEL, tag(1, ONE, 8)), "A tag whose own head is too long as well.", "HEAD-1")
    foreign("float.64", kind(PING, f64(1.0)), "The counter 1.0 as a float of 64 bits.")
    foreign("float.16", kind(PING, f16(1.0)), "The counter 1.0 as a float of 16 bits.")
    foreign("float.limit", hello(limit=limits()[:-3] + f64(60_000.0)), "A limit as a float.")
    foreign("negative.counter", kind(PING, integer(-1)), "A counter below 0.")
    foreign("negative.limit", hello(limit=limits()[:-3] + integer(-60_000)), "A limit below 0.")
    foreign("negative.credit", kind(CREDIT, ONE, integer(-5)), "A CREDIT that takes back.")
    foreign("negative.last", kind(GOAWAY, integer(-1), integer(0)), "A last id below 0.")
    foreign("true.id", kind(CANCEL, TRUE), "true as a call id.")
    foreign("false.context", call(context=FALSE), "false as a context.")
    foreign("undefined.context", call(context=UNDEFINED), "undefined as a context.")
    foreign("undefined.credential", call(credential=UNDEFINED), "undefined as a credential.")
    foreign("undefined.body", kind(ERROR, ONE, ONE, UNDEFINED), "undefined as the body of an ERROR.")
    foreign("simple.16", call(context=simple(16)), "An unassigned simple value.")
    foreign("simple.255", call(context=simple(255)), "A simple value of two bytes.")
    foreign(
        "null-in-two-bytes", call(context=simple(22, 1)), "null in two bytes, which is not well-formed CBOR."
    )
    foreign("break", call(context=BREAK), "A break code without anything to break.")
    foreign("break.id", kind(CANCEL, BREAK), "A break code as a call id.")


def _integers(bad: Bad) -> None:
    """HEAD-2: no integer of a header is above 2^53-1."""

    def large(name: str, payload: bytes, meaning: str, *either: str) -> None:
        bad(f"head.integer.{name}", "HEAD-2", payload, meaning, *either)

    top = integer(2**53)
    large("kind", array(top, ONE), "Kind 2^53.", "FRAME-4")
    large("version", hello(array(ONE, top)), "Version 2^53.")
    large("call", call(2**53), "Call id 2^53.")
    large("result", kind(RESULT, top, BODY), "RESULT of call 2^53.")
    large("error", kind(ERROR, top, ONE, NULL), "ERROR of call 2^53.")
    large("cancel", kind(CANCEL, top), "CANCEL of call 2^53.")
    large("item", kind(ITEM, top, BODY), "ITEM of call 2^53.")
    large("end", kind(END, top), "END of call 2^53.")
    large("credit-id", kind(CREDIT, top, ONE), "CREDIT for call 2^53.")
    large("credit", kind(CREDIT, ONE, top), "A CREDIT of 2^53 bytes.", "CREDIT-5")
    large("ping", kind(PING, top), "Counter 2^53.")
    large("pong", kind(PONG, top), "Counter 2^53 comes back.")
    large("goaway", kind(GOAWAY, top, integer(0)), "The last id 2^53.")
    large("release", kind(RELEASE, top), "Reference 2^53.")
    large("reference", call(target=array(top, text("m"))), "A call on reference 2^53.")
    large("limit", hello(limit=limits()[:-3] + top), "A limit of 2^53.", "HELLO-5")
    large("largest", kind(PING, integer(2**64 - 1)), "Counter 2^64-1, the largest that CBOR's head holds.")
    large("length", b"\x83\x06\x01" + head(2, 2**53), "A body claims 2^53 bytes.", "FRAME-3")


def _texts(bad: Bad) -> None:
    """HEAD-4: text is UTF-8, and ASCII where the standard says so, which in headers is everywhere."""

    def wrong(name: str, payload: bytes, meaning: str, *either: str) -> None:
        bad(f"head.text.{name}", "HEAD-4", payload, meaning, *either)

    proof = octets(b"x")
    wrong("scheme.not-ascii", kind(AUTH, text("tok\u00e9n"), proof), "A scheme beyond ASCII.", "AUTH-8")
    wrong("scheme.not-utf8", kind(AUTH, text(b"tok\xffn"), proof), "A scheme that is not UTF-8.", "AUTH-8")
    wrong("target.not-ascii", call(target=text("Rechnung.z\u00e4hle")), "A target beyond ASCII.", "CALL-3")
    wrong(
        "target.not-utf8", call(target=text(b"Invoices\xc3(total")), "A target that is not UTF-8.", "CALL-3"
    )
    wrong("target.overlong", call(target=text(b"Invoices\xc0\xaetotal")), "An overlong full stop.", "CALL-3")
    wrong("target.surrogate", call(target=text(b"a\xed\xa0\x80b")), "An encoded surrogate.", "CALL-3")
    wrong(
        "method.not-ascii",
        call(target=array(ONE, text("z\u00e4hle"))),
        "A method's name beyond ASCII.",
        "CALL-3",
    )
    wrong("method.not-utf8", call(target=array(ONE, text(b"\x80"))), "A method that is not UTF-8.", "CALL-3")
    wrong(
        "tracestate.not-ascii",
        call(context=context(trace=TRACE, state=text("a=\u00fc"))),
        "A tracestate beyond ASCII.",
        "CTX-4",
    )
    wrong(
        "tracestate.not-utf8",
        call(context=context(trace=TRACE, state=text(b"a=\xfe"))),
        "A tracestate that is not UTF-8.",
        "CTX-4",
    )
