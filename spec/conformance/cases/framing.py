"""Framing: lengths, arrays, kinds, arities, and where writing is cut (section 4)."""

from __future__ import annotations

from ..case import Closed, Cut, Goaway, HalfClose, Open, Plain, Send
from ..frames import PROTOCOL, call, hello, ping, pong, raw, result
from ..parts import Bytes, Frame, Scope, Zeros, payload
from ..roles import STREAM_LINKS, Role
from ..writing import ACCEPTOR, PROTOCOL_ERROR, answered, case, chapter, refused, taken

ENDED = (Goaway((PROTOCOL,)), Closed())
TIGHT = 65_536  # bytes of the largest frame in the setup "tight"


# What a CALL of Conformance.size takes beside the bytes that it carries, where those need a head of three bytes.
LARGEST_CALL = len(payload(call("size", Zeros(32_768)), Scope(Role.INITIATOR, ""))) - 32_768


def _framed(payload: bytes) -> Bytes:
    return Bytes(len(payload).to_bytes(4, "big") + payload)


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
    # --- first and last
    refused(
        "frame.first.ping",
        "FRAME-7",
        "A PING where HELLO was due.",
        ping(),
        before=(),
        roles=ACCEPTOR,
    ),
    refused(
        "frame.first.call",
        "FRAME-7",
        "A CALL where HELLO was due.",
        call("echo", 1),
        before=(),
        roles=ACCEPTOR,
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
    answered(
        "frame.cuts.every-byte",
        "LINK-1 WS-1",
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
        allow=(hello(limits=None),),
        roles=ACCEPTOR,
    ),
)
