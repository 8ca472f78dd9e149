"""WebSocket: messages, its own frames, and the two halves of the handshake (section 17.2)."""

from __future__ import annotations

from ..case import (
    Activity,
    Case,
    Closed,
    Connect,
    ExpectPong,
    Goaway,
    HalfClose,
    Open,
    Plain,
    Refused,
    Report,
    Send,
    Text,
    WebSocketFrame,
)
from ..frames import PROTOCOL, call, credit, ping, pong, result
from ..parts import Scope, Zeros, payload
from ..roles import MESSAGE_LINKS, Level, Role
from ..targets import ORIGIN
from ..writing import ACCEPTOR, ALIVE, INITIATOR, PROTOCOL_ERROR, answered, call_by, case, chapter

HOSTING = ("hosting",)
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
CREDIT = bytes.fromhex(
    "00000004830b0001"
)  # a frame that asks for no answer: CREDIT of one byte for the session
BROKEN = Closed(codes=(1002,))
NO_LINK = (Report(outcome="no-link"),)
REQUEST = (
    "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graftwire.1\r\n"
)
# bytes of a CALL of Conformance.size beside those that it carries, with its length
CALL = 4 + len(payload(call("size", Zeros(50_000)), Scope(Role.INITIATOR, ""))) - 50_000


def _message(data: bytes) -> WebSocketFrame:
    return WebSocketFrame(BINARY, data)


def _sent(id: str, clauses: str, says: str, *steps: WebSocketFrame | Plain, **fields: object) -> Case:
    """In an open session, WebSocket frames as they are here; unless said otherwise, they break the link."""
    fields = {"outcomes": BROKEN, "links": MESSAGE_LINKS, **fields}
    return case(id, clauses, says, Open(), *steps, **fields)  # type: ignore[arg-type]


def _asked(id: str, clauses: str, says: str, connect: Connect, *statuses: int, **fields: object) -> Case:
    """A handshake that an acceptor does not accept, with one of these statuses (none: any, or no answer)."""
    fields = {"outcomes": Refused(statuses), "links": MESSAGE_LINKS, "roles": ACCEPTOR, **fields}
    return case(id, clauses, says, connect=connect, **fields)  # type: ignore[arg-type]


def _taken(id: str, clauses: str, says: str, connect: Connect, **fields: object) -> Case:
    """A handshake that comes about, and a call behind it."""
    fields = {"links": MESSAGE_LINKS, "roles": ACCEPTOR, **fields}
    return answered(id, clauses, says, call("echo", 1), result(1), connect=connect, **fields)  # type: ignore[arg-type]


def _not_taken(id: str, clauses: str, says: str, connect: Connect, **fields: object) -> Case:
    """An answer to the handshake that an initiator does not take: it sends nothing, and closes."""
    fields = {"outcomes": (Closed(orderly=False), Refused()), "reports": NO_LINK, **fields}
    return case(
        id,
        clauses,
        says,
        connect=connect,
        activity=call_by("echo", 1),
        links=MESSAGE_LINKS,
        roles=INITIATOR,
        **fields,  # type: ignore[arg-type]
    )


CASES = chapter(
    "websocket",
    # --- messages
    case(
        "ws.text",
        "WS-2",
        "A text message.",
        Open(),
        Text("hello"),
        outcomes=PROTOCOL_ERROR,
        links=MESSAGE_LINKS,
    ),
    _sent(
        "ws.text.fragments",
        "WS-2",
        "A text message in fragments.",
        WebSocketFrame(TEXT, b"hel", final=False),
        WebSocketFrame(CONTINUATION, b"lo"),
        outcomes=PROTOCOL_ERROR,
    ),
    _sent(
        "ws.text.not-utf-8",
        "WS-2 WS-5",
        "A text message that is no UTF-8, and would be a frame in a binary one.",
        WebSocketFrame(TEXT, CREDIT),
        outcomes=(PROTOCOL_ERROR, Closed()),
    ),
    _sent("ws.message.empty", "WS-1", "An empty message.", _message(b""), outcomes=PROTOCOL_ERROR),
    _sent(
        "ws.message.half",
        "WS-1",
        "A frame across two messages.",
        _message(CREDIT[:6]),
        _message(CREDIT[6:]),
        outcomes=PROTOCOL_ERROR,
    ),
    _sent(
        "ws.message.half-behind",
        "WS-1",
        "A whole frame, and the start of another behind it in the same message.",
        _message(CREDIT + CREDIT[:2]),
        outcomes=PROTOCOL_ERROR,
    ),
    answered(
        "ws.message.several",
        "WS-1",
        "Several frames in one message are each taken.",
        (ping(), credit(1), call("echo", 1), credit(1)),
        pong(),
        result(1),
        features=HOSTING,
        links=MESSAGE_LINKS,
    ),
    answered(
        "ws.message.apart",
        "WS-1",
        "Each frame in a message of its own.",
        (),
        pong(),
        result(1),
        before=(Open(), Send((ping(), credit(1), call("echo", 1)), apart=True)),
        features=HOSTING,
        links=MESSAGE_LINKS,
    ),
    answered(
        "ws.message.65536",
        "WS-1",
        "A message of several frames with 65,536 bytes in all.",
        (call("size", Zeros(65_536 - CALL - 7)), ping()),
        pong(),
        result(65_536 - CALL - 7),
        features=HOSTING,
        links=MESSAGE_LINKS,
    ),
    _sent(
        "ws.fragments",
        "WS-1",
        "A frame in three fragments, the first of them empty, with a ping of WebSocket between them.",
        WebSocketFrame(BINARY, b"", final=False),
        WebSocketFrame(CONTINUATION, CREDIT[:3], final=False),
        WebSocketFrame(PING, b""),
        WebSocketFrame(CONTINUATION, CREDIT[3:]),
        outcomes=ALIVE,
    ),
    _sent(
        "ws.fragments.half",
        "WS-1",
        "A message in fragments that ends inside a frame.",
        WebSocketFrame(BINARY, CREDIT, final=False),
        WebSocketFrame(CONTINUATION, CREDIT[:5]),
        outcomes=PROTOCOL_ERROR,
    ),
    # --- ping, pong
    *(
        case(
            f"ws.ping.{name}",
            "WS-5",
            says,
            Open(),
            WebSocketFrame(PING, data),
            ExpectPong(data),
            links=MESSAGE_LINKS,
        )
        for name, data, says in (
            ("empty", b"", "A ping of WebSocket gets its pong."),
            (
                "payload",
                b"p" * 125,
                "A ping of WebSocket with a payload is answered as RFC 6455 says, with that payload.",
            ),
        )
    ),
    _sent(
        "ws.pong.unasked",
        "WS-8",
        "A pong of WebSocket that nobody asked for is ignored.",
        WebSocketFrame(PONG),
        outcomes=ALIVE,
    ),
    # --- WebSocket frames that are wrong
    *(
        _sent(f"ws.frame.{name}", "WS-8", says, *steps)
        for name, says, steps in (
            ("opcode.3", "A data frame of a reserved opcode.", (WebSocketFrame(3, CREDIT),)),
            ("opcode.11", "A control frame of a reserved opcode.", (WebSocketFrame(11),)),
            (
                "reserved.2",
                "A second reserved bit that is set.",
                (WebSocketFrame(BINARY, CREDIT, reserved=2),),
            ),
            (
                "reserved.1",
                "A third reserved bit that is set.",
                (WebSocketFrame(BINARY, CREDIT, reserved=1),),
            ),
            ("ping.126", "A ping with a payload of 126 bytes.", (WebSocketFrame(PING, bytes(126)),)),
            ("ping.fragment", "A ping that is not final.", (WebSocketFrame(PING, b"", final=False),)),
            ("close.1", "A Close frame whose payload is one byte.", (WebSocketFrame(CLOSE, b"\x03"),)),
            (
                "close.1005",
                "A Close frame with a code that is never sent.",
                (WebSocketFrame(CLOSE, b"\x03\xed"),),
            ),
            ("continuation", "A continuation of nothing.", (WebSocketFrame(CONTINUATION, CREDIT),)),
            (
                "interrupted",
                "A message that begins inside another.",
                (WebSocketFrame(BINARY, CREDIT[:3], final=False), WebSocketFrame(BINARY, CREDIT)),
            ),
        )
    ),
    _sent(
        "ws.frame.compressed",
        "WS-4 WS-8",
        "A message with the bit of permessage-deflate, which was offered and not selected.",
        WebSocketFrame(BINARY, CREDIT, reserved=4),
        connect=Connect(extensions="permessage-deflate"),
        roles=ACCEPTOR,
    ),
    _sent(
        "ws.frame.compressed.acceptor",
        "WS-4 WS-8",
        "A message with the bit of permessage-deflate, which the initiator did not offer.",
        WebSocketFrame(BINARY, CREDIT, reserved=4),
        roles=INITIATOR,
    ),
    _sent(
        "ws.frame.unmasked",
        "WS-8",
        "A frame of the initiator without a mask.",
        WebSocketFrame(BINARY, CREDIT, masked=False),
        roles=ACCEPTOR,
    ),
    _sent(
        "ws.frame.masked",
        "WS-8",
        "A frame of the acceptor with a mask.",
        WebSocketFrame(BINARY, CREDIT, masked=True),
        roles=INITIATOR,
    ),
    _sent(
        "ws.frame.length.long",
        "WS-8",
        "A length of 8 in 16 bits.",
        Plain(b"\x82\xfe\0\x08" + bytes(4) + CREDIT),
        roles=ACCEPTOR,
    ),
    _sent(
        "ws.frame.length.top-bit",
        "WS-8",
        "A length of 2^63 or more.",
        Plain(b"\x82\x7f" + b"\xff" * 8),
        roles=INITIATOR,
    ),
    # --- Close
    case(
        "ws.close.1000",
        "WS-5 LEAVE-9",
        "A Close with 1000 between two frames ends the session, and is answered.",
        Open(),
        HalfClose(1000),
        outcomes=Closed(),
        links=MESSAGE_LINKS,
    ),
    case(
        "ws.close.1001",
        "WS-5",
        "A Close with 1001 ends the session.",
        Open(),
        HalfClose(1001),
        outcomes=Closed(),
        links=MESSAGE_LINKS,
    ),
    _sent(
        "ws.close.reason",
        "WS-5",
        "A Close with a reason ends the session, and the answer does not repeat it.",
        WebSocketFrame(CLOSE, b"\x03\xe8bye"),
        outcomes=Closed(),
    ),
    _sent(
        "ws.close.no-code",
        "WS-5",
        "A Close without a code ends the session.",
        WebSocketFrame(CLOSE),
        outcomes=Closed(),
    ),
    case(
        "ws.close.after-goaway",
        "LINK-6 WS-5",
        "Behind a message that is wrong come GOAWAY and Close, and the connection ends.",
        Open(),
        WebSocketFrame(BINARY, b""),
        outcomes=Goaway((PROTOCOL,), last=(0,)),
        links=MESSAGE_LINKS,
    ),
    # --- the request: subprotocol, extensions, origin
    *(
        _asked(f"ws.subprotocol.{name}", "WS-3", says, Connect(subprotocols=names), 400)
        for name, names, says in (
            ("none", (), "A handshake without a subprotocol."),
            ("other", ("graftwire.2",), "A handshake that offers another subprotocol alone."),
            ("case", ("Graftwire.1",), "The name of the subprotocol in other letters."),
        )
    ),
    _taken(
        "ws.subprotocol.among",
        "WS-3",
        "The subprotocol is selected among others that are offered.",
        Connect(subprotocols=("chat", "graftwire.1")),
    ),
    _taken(
        "ws.extensions.offered",
        "WS-4",
        "Extensions that are offered are ignored: none is selected.",
        Connect(extensions="permessage-deflate; client_max_window_bits, x-webkit-deflate-frame"),
    ),
    _taken(
        "ws.origin.listed",
        "WS-7",
        "An Origin that is listed is let in.",
        Connect(origin=ORIGIN),
        features=("origins",),
    ),
    *(
        _asked(f"ws.origin.{name}", "WS-7", says, Connect(origin=origin), 403)
        for name, origin, says in (
            ("other", "https://other.example", "An Origin that is not listed."),
            ("case", ORIGIN.replace("listed", "LISTED"), "A listed Origin in other letters is another text."),
            ("port", f"{ORIGIN}:443", "A listed Origin with its port is another text."),
            ("scheme", ORIGIN.replace("https", "http"), "A listed Origin with another scheme."),
            ("beginning", f"{ORIGIN}.evil.example", "An Origin that begins like a listed one."),
            ("null", "null", "The Origin null, which a browser sends from a sandbox."),
        )
    ),
    _asked(
        "ws.origin.two",
        "WS-7",
        "A listed Origin, and another one in a second header.",
        Connect(origin=ORIGIN, headers=(("Origin", "https://other.example"),)),
    ),
    # --- the request: target, headers
    _asked("ws.query", "WS-6", "A target with a query.", Connect(path="/?token=secret"), 400),
    _asked("ws.path.other", "WS-6", "A path that is not served.", Connect(path="/elsewhere"), 404),
    _taken(
        "ws.headers.ignored",
        "WS-6",
        "Cookies, credentials and anything else in the handshake change nothing.",
        Connect(
            headers=(
                ("Cookie", "session=0123456789"),
                ("Authorization", "Bearer abc.def.ghi"),
                ("X-Forwarded-For", "203.0.113.7"),
                ("User-Agent", "test"),
            )
        ),
    ),
    *(
        _asked(f"ws.http.{name}", "WS-6", says, Connect(request=request), *statuses)
        for name, request, statuses, says in (
            ("get", "GET / HTTP/1.1\r\nHost: {host}\r\n\r\n", (426,), "A GET that is no upgrade."),
            (
                "health",
                "GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n",
                (200, 503),
                "The question for health.",
            ),
            (
                "other",
                "GET /favicon.ico HTTP/1.1\r\nHost: {host}\r\n\r\n",
                (404,),
                "A path that is not served.",
            ),
            ("malformed", "this is\r\nno HTTP\r\n\r\n", (400,), "What is no HTTP."),
            ("post", REQUEST.replace("GET", "POST") + "\r\n", (), "A handshake with POST."),
            (
                "version",
                REQUEST.replace("Version: 13", "Version: 8") + "\r\n",
                (400, 426),
                "A version of WebSocket that is not 13.",
            ),
            (
                "no-key",
                REQUEST.replace("Sec-WebSocket-Key: {key}\r\n", "") + "\r\n",
                (400,),
                "A handshake without a key.",
            ),
            ("old", REQUEST.replace("HTTP/1.1", "HTTP/1.0") + "\r\n", (), "A handshake in HTTP/1.0."),
            ("flood", REQUEST + "X-Flood: 0123456789abcdef\r\n" * 4_000 + "\r\n", (), "A head of 100 KiB."),
            (
                "line",
                "GET /" + "a" * 100_000 + " HTTP/1.1\r\n",
                (),
                "A request line of 100 KiB that does not end.",
            ),
        )
    ),
    _asked(
        "ws.http.slow",
        "HELLO-10 WS-6",
        "A head that never ends is not waited for.",
        Connect(request=REQUEST),
        level=Level.SHOULD,
        setup="hasty",
        features=("bounds",),
    ),
    # --- the request of an initiator
    case(
        "ws.request.headers",
        "WS-6 WS-3",
        "The request of an initiator has the headers that it has to have, and no others.",
        Open(),
        links=MESSAGE_LINKS,
        roles=INITIATOR,
    ),
    case(
        "ws.request.origin",
        "WS-6",
        "The Origin is the one that the user has said.",
        Open(),
        activity=Activity(origin="https://app.example"),
        connect=Connect(origin="https://app.example"),
        links=MESSAGE_LINKS,
        roles=INITIATOR,
    ),
    # --- the answer
    _not_taken(
        "ws.answer.no-subprotocol",
        "WS-3",
        "An acceptor that selects no subprotocol.",
        Connect(subprotocols=()),
    ),
    _not_taken(
        "ws.answer.other-subprotocol",
        "WS-3",
        "An acceptor that selects another subprotocol.",
        Connect(subprotocols=("graftwire.2",)),
    ),
    _not_taken(
        "ws.answer.extension",
        "WS-4",
        "An acceptor that selects an extension.",
        Connect(extensions="permessage-deflate"),
    ),
    _not_taken(
        "ws.answer.accept",
        "WS-8",
        "An answer that does not belong to the key of the request.",
        Connect(accept="s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ),
    *(
        _not_taken(
            f"ws.answer.{status}",
            "WS-3",
            f"An answer with status {status}.",
            Connect(status=status, headers=headers),
        )
        for status, headers in (
            (200, ()),
            (401, (("WWW-Authenticate", 'Basic realm="gateway"'),)),
            (403, ()),
            (503, (("Retry-After", "1"),)),
        )
    ),
    *(
        _not_taken(f"ws.answer.{name}", "WS-3", says, Connect(answer=answer), outcomes=Closed(orderly=False))
        for name, answer, says in (
            ("no-http", "SSH-2.0-OpenSSH_9.6\r\n", "What answers speaks no HTTP."),
            ("frame", "\0\0\0\x04\x83\x0e\0\x0c", "What answers speaks frames without WebSocket."),
            (
                "flood",
                "HTTP/1.1 101 -\r\n" + "X-Flood: 0123456789abcdef\r\n" * 4_000,
                "An answer whose head does not end.",
            ),
        )
    ),
    case(
        "ws.answer.headers",
        "WS-6",
        "Other headers in the answer are ignored.",
        Open(),
        connect=Connect(headers=(("Server", "test"), ("Set-Cookie", "session=1; HttpOnly"))),
        links=MESSAGE_LINKS,
        roles=INITIATOR,
    ),
)
