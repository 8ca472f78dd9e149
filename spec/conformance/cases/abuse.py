"""What is no Graftwire at all: garbage, other protocols, floods, silence (section 18)."""

from __future__ import annotations

import hashlib

from ..case import Closed, Cut, Expect, Goaway, Open, Plain, Send, Silence
from ..frames import (
    PROTOCOL,
    UNAVAILABLE,
    any_hello,
    call,
    credit,
    error,
    ping,
    pong,
    raw,
    release,
)
from ..parts import ANY, Bytes, Key, Mine
from ..roles import STREAM_LINKS, Level
from ..writing import ACCEPTOR, ALIVE, CLOSED, INITIATOR, PROTOCOL_ERROR, case, chapter, refused
from .usual import HOSTING, sent

ENDED = (Goaway((PROTOCOL,), last=(0,)), Closed())
CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303")
SSH = b"SSH-2.0-OpenSSH_9.6\r\n"
# The clauses that bytes without a meaning may break first.
ANY_FRAME = "FRAME-3 FRAME-2 FRAME-4 FRAME-5 FRAME-6 HEAD-1 HEAD-2 HEAD-3 HEAD-4 HEAD-5 HEAD-6"


def _noise(seed: str, size: int) -> bytes:
    """Bytes that look random and are always the same."""
    blocks = (hashlib.sha256(f"{seed} {number}".encode()).digest() for number in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def _framed(data: bytes) -> Bytes:
    return Bytes(len(data).to_bytes(4, "big") + data)


CASES = chapter(
    "abuse",
    # --- noise in an open session
    *(
        refused(
            f"garbage.framed.{number}",
            ANY_FRAME,
            f"Noise of {size} bytes in the place of an array.",
            _framed(_noise(f"framed {number}", size)),
        )
        for number, size in ((1, 2), (2, 17), (3, 200), (4, 5_000), (5, 60_000))
    ),
    *(
        refused(
            f"garbage.kind.{kind}",
            f"FRAME-5 {ANY_FRAME}",
            f"Noise behind the head of a frame of kind {kind}.",
            _framed(bytes((0x80 | arity, kind)) + _noise(f"kind {kind}", 40)),
        )
        for kind, arity in ((0, 3), (1, 3), (5, 7), (6, 3), (7, 4), (9, 3), (11, 3), (14, 3))
    ),
    *(
        refused(f"garbage.{name}", clauses, says, _framed(data))
        for name, clauses, says, data in (
            ("nested", "FRAME-4 FRAME-6", "A thousand arrays, each in the other.", b"\x81" * 1_000 + b"\x00"),
            (
                "count.most",
                "FRAME-5 HEAD-2",
                "An array of 2^64-1 elements, which are not there.",
                b"\x9b" + b"\xff" * 8 + b"\x05\x01",
            ),
            (
                "length.most",
                "HEAD-2 FRAME-6 FRAME-3",
                "A byte string of 2^63 bytes, which are not there.",
                b"\x83\x06\x01\x5b\x80" + bytes(7),
            ),
            (
                "length.beyond",
                "FRAME-3 FRAME-6",
                "A byte string that would go on behind the frame.",
                b"\x83\x06\x01\x59\xff\xff\x00",
            ),
            (
                "indefinite",
                "HEAD-5 FRAME-3 FRAME-5",
                "An array without a length that never ends.",
                b"\x9f\x0c" + b"\x01" * 100,
            ),
            ("break", "FRAME-3 HEAD-5", "A break that ends nothing.", b"\xff\xff"),
            ("tagged", "FRAME-3 HEAD-6", "An array inside a tag.", b"\xd9\xd9\xf7\x82\x0c\x01"),
            ("json", "FRAME-3", "JSON.", b'[12, 1, {"kind": "ping"}]'),
        )
    ),
    refused(
        "garbage.unframed",
        "FRAME-2",
        "Noise where a length would be.",
        Bytes(b"\xa7" + _noise("unframed", 4_000)),
    ),
    refused(
        "garbage.behind-a-frame",
        "FRAME-1 FRAME-2",
        "Noise behind a PING.",
        ping(1),
        raw("0d0a0d0a"),
        allow=(pong(1),),
    ),
    # --- noise where HELLO was due
    *(
        case(
            f"garbage.first.{name}",
            "FRAME-2 LINK-2 HELLO-6",
            f"{says} where HELLO was due.",
            Plain(data),
            outcomes=ENDED,
            links=STREAM_LINKS,
            roles=ACCEPTOR,
        )
        for name, says, data in (
            ("tls", "A ClientHello of TLS", CLIENT_HELLO + _noise("tls", 194)),
            ("ssh", "The banner of SSH", SSH),
            ("smtp", "A line of SMTP", b"EHLO localhost\r\n"),
            ("http2", "The preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            ("noise", "Noise", b"\x9c" + _noise("first", 300)),
            ("ones", "Nothing but ff", b"\xff" * 300),
        )
    ),
    refused(
        "garbage.first.zeros",
        "FRAME-2",
        "A flood of zeros where HELLO was due.",
        raw("00", 100_000),
        before=(),
        outcomes=ENDED,
        roles=ACCEPTOR,
    ),
    *(
        case(
            f"garbage.answer.{name}",
            "FRAME-2 LINK-2 HELLO-6",
            f"{says} in answer to the initiator's HELLO.",
            Expect((any_hello(offered=True),)),
            Plain(data),
            outcomes=ENDED,
            links=STREAM_LINKS,
            roles=INITIATOR,
        )
        for name, says, data in (
            ("http", "A status of HTTP", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
            ("tls", "An alert of TLS", bytes.fromhex("15030100020246")),
            ("ssh", "The banner of SSH", SSH),
            ("noise", "Noise", b"\x9c" + _noise("answer", 300)),
        )
    ),
    refused(
        "garbage.answer.framed",
        f"FRAME-7 {ANY_FRAME}",
        "Noise in a frame in answer to the initiator's HELLO.",
        _framed(_noise("framed answer", 100)),
        before=(Expect((any_hello(offered=True),)),),
        roles=INITIATOR,
    ),
    # --- floods
    case(
        "flood.calls",
        "CALL-4",
        "A thousand calls in one go where sixteen are taken.",
        Open(),
        Send(tuple(call("wait", "k", id=Mine(number)) for number in range(1, 1_001))),
        outcomes=sent(16),
        setup="tight",
        features=(*HOSTING, "limits"),
    ),
    case(
        "flood.unknown",
        "CALL-11",
        "Calls of what is not hosted, many in one go, have an answer each.",
        Open(),
        Send(tuple(call("nothing", id=Mine(number)) for number in range(1, 41))),
        *(Expect((error(5, id=Mine(number), body=None),)) for number in range(1, 41)),
        features=HOSTING,
    ),
    case(
        "flood.credit",
        "CREDIT-5",
        "A thousand CREDITs of one byte are taken.",
        Open(),
        Send((credit(1),) * 1_000),
    ),
    case(
        "flood.pings",
        "KEEP-1 KEEP-2",
        "Fifty PINGs in one go: a reader may end the session, and may have answered each.",
        Open(),
        Send(tuple(ping(number) for number in range(1, 51))),
        outcomes=(PROTOCOL_ERROR, ALIVE),
        allow=(pong(ANY),),
    ),
    refused(
        "flood.after-the-error",
        "LEAVE-4 KEEP-1",
        "Who goes on writing after a breach of the rules still reads why the session has ended.",
        ping(7),
        *(call("echo", 1),) * 1_000,
    ),
    refused(
        "flood.releases",
        "REF-2",
        "RELEASEs of everything that there might be.",
        *(release(number) for number in range(1, 101)),
    ),
    # --- silence
    case(
        "silence.half-a-hello",
        "HELLO-10",
        "Who says half a HELLO and no more is not waited for without an end.",
        Send((raw("00000025 8300 8101"),)),
        outcomes=(Goaway((UNAVAILABLE, PROTOCOL), last=(0,)), Closed()),
        links=STREAM_LINKS,
        roles=ACCEPTOR,
        level=Level.SHOULD,
        setup="hasty",
        features=("bounds",),
    ),
    case(
        "silence.acceptor",
        "HELLO-10",
        "An initiator does not wait for the acceptor's HELLO without an end.",
        Expect((any_hello(offered=True),)),
        Silence(),
        outcomes=(Goaway((UNAVAILABLE,), last=(0,)), Closed()),
        roles=INITIATOR,
        level=Level.SHOULD,
        setup="hasty",
        features=("bounds",),
    ),
    case(
        "silence.cut-in-a-call",
        "LEAVE-9 CANCEL-3",
        "What runs for a connection that is cut is cancelled.",
        Open(),
        Send((call("wait", Key()),)),
        Cut(reset=True),
        outcomes=CLOSED,
        features=HOSTING,
    ),
)
