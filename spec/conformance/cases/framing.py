"""Framing: lengths, arrays, kinds, arities, and where writing is cut (section 4)."""

from __future__ import annotations

from ..case import Case, Closed, Cut, Expect, Goaway, HalfClose, Open, Plain, Report, Send
from ..frames import (
    DEFAULTS,
    INTERNAL,
    LEAST,
    PROTOCOL,
    TOO_LARGE,
    any_hello,
    call,
    error,
    goaway,
    hello,
    limits_map,
    ping,
    pong,
    raw,
    result,
)
from ..launch import SCHEME
from ..parts import Body, Bytes, Frame, Map, Mine, Part, Scope, Zeros, payload
from ..roles import STREAM_LINKS, Role
from ..writing import (
    ACCEPTOR,
    INITIATOR,
    PROTOCOL_ERROR,
    answered,
    call_by,
    case,
    chapter,
    refused,
    taken,
)

ENDED = (Goaway((PROTOCOL,)), Closed())
TIGHT = 65_536  # bytes of the largest frame in the setup "tight"


# What a CALL of Conformance.size takes beside the bytes that it carries, where those need a head of three bytes.
LARGEST_CALL = len(payload(call("size", Zeros(32_768)), Scope(Role.INITIATOR, ""))) - 32_768


def _framed(payload: bytes) -> Bytes:
    return Bytes(len(payload).to_bytes(4, "big") + payload)


# The elements of a frame of each kind, as they have to be.
WHOLE: dict[str, tuple[int, tuple[Part, ...]]] = {
    "auth": (1, (SCHEME, b"x")),
    "challenge": (2, (b"x",)),
    "accepted": (3, ()),
    "call": (5, call("echo", 1).elements),
    "result": (6, (Mine(1), Body(None))),
    "error": (7, (Mine(1), INTERNAL, Body(bytes(8)))),
    "cancel": (8, (Mine(1),)),
    "item": (9, (Mine(1), Body(None))),
    "end": (10, (Mine(1),)),
    "credit": (11, (0, 1)),
    "ping": (12, (1,)),
    "pong": (13, (1,)),
    "goaway": (14, (0, 0)),
    "release": (15, (Mine(1),)),
}


def _arities() -> list[Case]:
    """Each kind with one element too many, and with one too few where it has any."""
    found: list[Case] = []
    for name, (kind, elements) in WHOLE.items():
        word = name.upper()
        if name != "ping":  # above
            found.append(
                refused(
                    f"frame.arity.{name}.more",
                    "FRAME-5",
                    f"{word} with one element too many.",
                    Frame(kind, (*elements, None)),
                )
            )
        if elements and name not in ("ping", "call"):
            found.append(
                refused(
                    f"frame.arity.{name}.fewer",
                    "FRAME-5",
                    f"{word} without its last element.",
                    Frame(kind, elements[:-1]),
                )
            )
    return found


# id, what it is, the kind, which element, what stands there
WRONG: tuple[tuple[str, str, str, int, Part], ...] = (
    ("auth.scheme", "A scheme in a byte string.", "auth", 0, b"conformance.test"),
    ("auth.proof", "A proof in a text.", "auth", 1, "x"),
    ("challenge.data", "The data of a CHALLENGE in an array.", "challenge", 0, (120,)),
    ("call.id", "A call id in a text.", "call", 0, "1"),
    ("call.shape", "A shape in an array.", "call", 1, (0,)),
    ("call.target.bytes", "A target in a byte string.", "call", 2, b"Conformance.echo"),
    ("call.target.number", "A number as target: there are no bound targets.", "call", 2, 1),
    ("call.target.one", "A target that is an array of a reference alone.", "call", 2, (Mine(1),)),
    ("call.target.three", "A target that is an array of three.", "call", 2, (Mine(1), "", "")),
    ("call.target.reference", "A text in the place of a target's reference.", "call", 2, ("1", "")),
    ("call.target.reference-zero", "Reference 0 as target.", "call", 2, (0, "")),
    ("call.target.method", "A number in the place of a target's method.", "call", 2, (Mine(1), 0)),
    ("call.context.array", "An array in the place of a context.", "call", 3, (1, 1500)),
    ("call.context.time", "A remaining time in a text.", "call", 3, Map(((1, "1500"),))),
    ("call.context.trace", "A traceparent in a text.", "call", 3, Map(((2, "00-0102-0304-01"),))),
    ("call.credential.text", "A text in the place of a credential.", "call", 4, "conformance.test"),
    ("call.credential.one", "A credential without a proof.", "call", 4, (SCHEME,)),
    ("call.credential.three", "A credential of three elements.", "call", 4, (SCHEME, b"x", None)),
    ("call.credential.scheme", "null as the scheme of a credential.", "call", 4, (None, b"x")),
    ("call.credential.proof", "A text as the proof of a credential.", "call", 4, (SCHEME, "x")),
    ("call.body.text", "A body in a text.", "call", 5, "body"),
    ("call.body.array", "A body that was not put into a byte string.", "call", 5, ((1,), Map())),
    ("result.id.zero", "A RESULT of call 0.", "result", 0, 0),
    ("result.body", "A RESULT whose body is null.", "result", 1, None),
    ("error.id.zero", "An ERROR of call 0.", "error", 0, 0),
    ("error.code", "The code of an ERROR in a text.", "error", 1, "internal"),
    ("error.body", "The body of an ERROR in a text.", "error", 2, "no"),
    ("cancel.id.zero", "A CANCEL of call 0.", "cancel", 0, 0),
    ("item.id.zero", "An ITEM of call 0.", "item", 0, 0),
    ("item.body", "The body of an ITEM in a text.", "item", 1, "item"),
    ("end.id.zero", "An END of call 0.", "end", 0, 0),
    ("credit.id", "The id of a CREDIT in a byte string.", "credit", 0, b"\0"),
    ("ping.zero", "A PING with counter 0.", "ping", 0, 0),
    ("ping.text", "The counter of a PING in a text.", "ping", 0, "1"),
    ("pong.zero", "A PONG with counter 0.", "pong", 0, 0),
    ("goaway.last", "The last id of a GOAWAY in a text.", "goaway", 0, "0"),
    ("goaway.code", "The code of a GOAWAY in an array.", "goaway", 1, (0,)),
    ("release.zero", "A RELEASE of reference 0.", "release", 0, 0),
    ("release.array", "A RELEASE of several references.", "release", 0, (Mine(1), Mine(2))),
)
# What a wrong element may break first, beside FRAME-6.
BESIDE = {"ping.zero": "KEEP-1", "pong.zero": "KEEP-1"}


def _types() -> list[Case]:
    """Each element of each kind with a wrong type, or out of its range."""
    found: list[Case] = []
    for id, says, name, position, wrong in WRONG:
        kind, elements = WHOLE[name]
        sent = Frame(kind, (*elements[:position], wrong, *elements[position + 1 :]))
        found.append(refused(f"frame.element.{id}", f"FRAME-6 {BESIDE.get(id, '')}", says, sent))
    return found


CASES = chapter(
    "framing",
    # --- the length
    refused("frame.length.zero", "FRAME-2", "A length of 0.", raw("00000000")),
    refused("frame.length.one", "FRAME-2", "A length of 1: no frame is so short.", raw("00000001 80")),
    refused(
        "frame.length.oversize-declared",
        "FRAME-2",
        "A length above limit 1 is refused before a byte of the frame has come.",
        raw("00400001"),
    ),
    refused("frame.length.over-24-bits", "FRAME-2", "A length of 2^24.", raw("01000000")),
    refused("frame.length.all-ones", "FRAME-2", "A length of 2^32-1.", raw("ffffffff")),
    answered(
        "frame.length.largest",
        "FRAME-2",
        "A frame of exactly limit 1 is taken.",
        call("size", Zeros(TIGHT - LARGEST_CALL)),
        result(TIGHT - LARGEST_CALL),
        setup="tight",
        features=("limits", "hosting"),
    ),
    # --- one array
    refused("frame.array.empty", "FRAME-5 FRAME-3", "An empty array.", _framed(b"\x80\x00")),
    refused("frame.array.map", "FRAME-3", "A map in the place of the array.", _framed(b"\xa1\x0c\x01")),
    refused("frame.array.integer", "FRAME-3", "An integer in the place of the array.", _framed(b"\x18\x20")),
    refused(
        "frame.array.trailing-byte", "FRAME-3", "A byte behind the array.", Frame(12, (1,), behind=b"\x00")
    ),
    refused(
        "frame.array.two", "FRAME-3", "Two arrays in one frame.", Frame(12, (1,), behind=b"\x82\x0c\x02")
    ),
    refused(
        "frame.array.cut-off",
        "FRAME-3",
        "The array goes on behind the end of the frame.",
        _framed(b"\x82\x0c"),
    ),
    # --- the kind
    refused("frame.kind.reserved", "FRAME-4", "The reserved kind 4.", Frame(4, (1, "Conformance.echo"))),
    *(
        refused(f"frame.kind.{kind}", "FRAME-4", f"Kind {kind}, which there is not.", Frame(kind, (1,)))
        for kind in (16, 23, 24, 255, 2**32)
    ),
    refused("frame.kind.negative", "FRAME-4 HEAD-6 FRAME-6", "A negative kind.", Frame(-1, (1,))),
    refused("frame.kind.text", "FRAME-4 FRAME-6", "A text as kind.", Frame("ping", (1,))),
    # --- arity
    refused("frame.arity.ping.more", "FRAME-5", "A PING with one element too many.", Frame(12, (1, 1))),
    refused("frame.arity.ping.fewer", "FRAME-5", "A PING without its counter.", Frame(12)),
    refused("frame.arity.call.fewer", "FRAME-5", "A CALL without its body.", Frame(5, call().elements[:5])),
    _arities(),
    *(
        refused(f"frame.arity.hello.{name}", "FRAME-5", says, sent, before=())
        for name, says, sent in (
            (
                "more",
                "A HELLO of a version that is spoken, with a fourth element.",
                hello(arity=4, behind=b"\xf6"),
            ),
            ("fewer", "A HELLO of a version that is spoken, without limits.", Frame(0, ((1,),))),
            ("kind-alone", "A HELLO without versions.", Frame(0)),
        )
    ),
    # --- types and ranges
    _types(),
    *(
        refused(f"frame.element.hello.{name}", "FRAME-6", says, sent, before=())
        for name, says, sent in (
            ("versions", "One version in the place of an array of versions.", hello(1)),
            ("versions.text", "A version in a text.", hello(("1",))),
            ("limits", "null in the place of the limits.", Frame(0, ((1,), None))),
            ("limits.array", "The limits in an array.", Frame(0, ((1,), DEFAULTS))),
            (
                "limits.value",
                "A limit in a text.",
                hello(limits=Map(((1, "4194304"), *limits_map(DEFAULTS).entries[1:]))),
            ),
        )
    ),
    # --- what is too large for a frame is not sent
    case(
        "frame.length.caller",
        "FRAME-2",
        "A call that does not fit into a frame of the other side is not sent, and its caller is told.",
        Open(limits=LEAST),
        outcomes=Closed(),
        activity=call_by("size", Zeros(TIGHT)),
        reports=(Report(outcome="error", ran=False),),
        roles=INITIATOR,
    ),
    answered(
        "frame.length.receiver",
        "FRAME-2",
        "A result that does not fit into a frame of the caller is ERROR *too-large*, and the session goes on.",
        call("zeros", TIGHT),
        error(TOO_LARGE, body=None),
        before=(Open(limits=LEAST),),
        features=("hosting",),
    ),
    # --- first and last
    *(
        refused(f"frame.first.{name}", "FRAME-7", f"{says} where HELLO was due.", sent, before=())
        for name, says, sent in (
            ("ping", "A PING", ping()),
            ("call", "A CALL", call("echo", 1)),
            ("accepted", "ACCEPTED", Frame(3)),
            ("result", "A RESULT", result(None)),
        )
    ),
    refused(
        "frame.first.goaway",
        "FRAME-7",
        "An initiator can't refuse a session: a GOAWAY where its HELLO was due.",
        goaway(0, PROTOCOL),
        before=(),
        roles=ACCEPTOR,
    ),
    case(
        "frame.first.no-acceptor",
        "FRAME-2 LINK-2",
        "What answers speaks HTTP: for an initiator that is no frame.",
        Expect((any_hello(offered=True),)),
        Plain(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
        outcomes=(PROTOCOL_ERROR, Closed()),
        links=STREAM_LINKS,
        roles=INITIATOR,
    ),
    case(
        "frame.end.in-a-frame",
        "FRAME-8",
        "The link ends inside a frame.",
        Open(),
        Send((raw("00000010 8205"),)),
        HalfClose(),
        outcomes=ENDED,
        links=STREAM_LINKS,
    ),
    case(
        "frame.end.in-a-length",
        "FRAME-8",
        "The link ends inside a length.",
        Open(),
        Send((raw("0000"),)),
        HalfClose(),
        outcomes=ENDED,
        links=STREAM_LINKS,
    ),
    # --- where it is cut has no meaning
    refused(
        "frame.between",
        "FRAME-1 LINK-1 FRAME-2",
        "A line end between two frames.",
        ping(),
        raw("0a"),
        ping(2),
        allow=(pong(1),),
    ),
    answered(
        "frame.cuts.every-byte",
        "LINK-1 WS-1 FRAME-1",
        "A CALL that comes byte by byte is a CALL.",
        (),
        result("cut"),
        before=(Open(), Send((call("echo", "cut"),), every=1)),
        features=("hosting",),
    ),
    answered(
        "frame.cuts.none",
        "LINK-1 WS-1",
        "HELLO, PING and a CALL that come in one go are three frames.",
        (),
        pong(1),
        result(7),
        before=(Open(more=(ping(1), call("echo", 7))),),
        roles=ACCEPTOR,
    ),
    case(
        "frame.first.garbage",
        "FRAME-2 LINK-2",
        "An HTTP request on a link that carries frames is no frame.",
        Plain(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        outcomes=(PROTOCOL_ERROR, Closed()),
        links=STREAM_LINKS,
        roles=ACCEPTOR,
    ),
    case(
        "frame.end.reset",
        "LEAVE-9",
        "A connection that is reset in an open session hurts no other.",
        Open(),
        Cut(reset=True),
        outcomes=Closed(),
    ),
    taken(
        "frame.hello.cut",
        "FRAME-1",
        "A HELLO that comes in two parts is a HELLO.",
        before=(Send((hello(),), cuts=(3, -5)),),
        allow=(any_hello(),),
        roles=ACCEPTOR,
    ),
)
