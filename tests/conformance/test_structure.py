"""Every byte is accounted for: what no single frame shows, and what the link itself could carry."""

from __future__ import annotations

import pytest

from graftwire.conformance import frames
from graftwire.conformance.parts import Body, Frame, Raw, Scope, Tag, wire
from graftwire.conformance.recording import Direction, Layer, Recorder
from graftwire.conformance.roles import Link, Role
from graftwire.conformance.structure import faults_of

SCOPE = Scope(Role.INITIATOR, "k")
REQUEST = (
    "GET / HTTP/1.1\r\nHost: localhost:1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: graftwire.1\r\n\r\n"
)
ANSWER = (
    "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n"
    "Sec-WebSocket-Protocol: graftwire.1\r\n\r\n"
)
HELLO = wire(frames.hello(), SCOPE)
MESSAGE = b"\x82" + bytes([len(HELLO)]) + HELLO


def clauses(
    data: bytes,
    link: bytes | None = None,
    role: Role = Role.ACCEPTOR,
    *,
    gaps: bool = False,
    asked: bytes = b"",
) -> list[str]:
    recorder = Recorder()
    recorder.bytes(Direction.TARGET, Layer.FRAMES, data)
    recorder.bytes(Direction.RUNNER, Layer.LINK, asked)
    recorder.bytes(Direction.TARGET, Layer.LINK, link or b"")
    kind = Link.TCP if link is None else Link.WS
    return [each.clause for each in faults_of(recorder, kind, role, Direction.TARGET, gaps=gaps)]


def joined(*pieces: Frame) -> bytes:
    return b"".join(wire(each, SCOPE) for each in pieces)


@pytest.mark.parametrize(
    ("pieces", "found"),
    [
        ((frames.hello(), frames.call(id=2), frames.call(id=4), frames.ping(1), frames.ping(2)), []),
        ((frames.call(id=4),), ["CALL-1"]),
        ((frames.call(id=2), frames.call(id=6)), ["CALL-1"]),
        ((frames.call(id=1),), ["CALL-1"]),
        ((frames.ping(2),), ["KEEP-1"]),
        ((frames.ping(1), frames.ping(3)), ["KEEP-1"]),
        ((Frame(12, (1,), behind=b"\0"),), ["FRAME-6"]),
        ((frames.hello(limits=Raw(bytes.fromhex("a6021904000100")[:7])),), ["FRAME-6"]),
        ((frames.result((Tag(41991, 2), {}.get("no"), Tag(41991, 4))),), []),
        ((frames.result(Tag(41991, 2)), frames.result(Tag(41991, 2))), ["REF-1"]),
        ((frames.result(Tag(41991, 3)),), ["REF-1"]),
        ((frames.result(Tag(41991, 2)), frames.result(Tag(41991, 6))), ["gap"]),
        ((Frame(7, (1, 8, Body(bytes(9)))),), ["FRAME-6"]),
    ],
)
def test_frames(pieces: tuple[Frame, ...], found: list[str]) -> None:
    if found == ["gap"]:
        assert clauses(joined(*pieces)) == []
        found = ["REF-1"]
        assert clauses(joined(*pieces), gaps=True) == found
    else:
        assert clauses(joined(*pieces)) == found


def test_what_is_no_whole_frame() -> None:
    assert clauses(HELLO + b"\0\0") == ["FRAME-8"]
    assert clauses(HELLO + b"\0\0\0\5\x82") == ["FRAME-8"]


def test_a_link_as_it_has_to_be() -> None:
    assert clauses(HELLO, ANSWER.encode() + MESSAGE + b"\x89\0\x8a\0\x88\2\x03\xe8") == []
    masked = bytes([MESSAGE[0], MESSAGE[1] | 0x80]) + bytes(4) + HELLO
    assert clauses(HELLO, REQUEST.encode() + masked, Role.INITIATOR) == []
    origin = REQUEST.replace("Host", "Origin: https://a\r\nHost").replace(
        "Upgrade: websocket", "upgrade:  WebSocket"
    )
    assert clauses(b"", origin.encode(), Role.INITIATOR) == []
    assert clauses(b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") == []
    ping = b"\x89\x83" + bytes(4) + b"abc"
    assert clauses(b"", ANSWER.encode() + b"\x8a\3abc", asked=REQUEST.encode() + ping) == []


@pytest.mark.parametrize(
    ("behind", "found"),
    [
        (b"\xc2\x01\0", ["WS-4"]),
        (b"\x82\0", ["WS-1"]),
        (b"\x82\x81\0\0\0\0\0", ["WS-8"]),
        (b"\x82\x7e\0\1\0", ["WS-8"]),
        (b"\x81\1a", ["WS-2"]),
        (b"\x89\1a", ["WS-5"]),
        (b"\x8a\1a", ["WS-5"]),
        (b"\x88\3\x03\xe8a", ["WS-5"]),
        (b"\x88\0", []),  # a Close without a code is answered so
        (b"\x88\1a", ["WS-5"]),
        (b"\x88\2\x03\xea\x89\0", ["WS-5"]),
        (b"\x88\2\x0f\xa1", ["WS-5"]),
        (b"\x8b\0", ["WS-8"]),
        (b"\x82\5ab", ["WS-8"]),
        (b"\x82\x7f" + (65_537).to_bytes(8, "big") + HELLO + bytes(65_537 - len(HELLO)), ["WS-1"]),
    ],
)
def test_the_frames_of_the_link(behind: bytes, found: list[str]) -> None:
    assert clauses(b"", ANSWER.encode() + behind) == found


@pytest.mark.parametrize(
    ("role", "before", "behind"),
    [
        (Role.INITIATOR, "GET / ", "GET /?a "),
        (Role.INITIATOR, "GET / ", "GET /#a "),
        (Role.INITIATOR, "GET / ", "POST / "),
        (Role.INITIATOR, "Host", "Cookie: a=b\r\nHost"),
        (Role.INITIATOR, "Host", "Host: other\r\nHost"),
        (Role.INITIATOR, "AA==", "AB=="),
        (Role.INITIATOR, "AAAAAAAA", ""),
        (Role.INITIATOR, "Version: 13", "Version: 8"),
        (Role.INITIATOR, "graftwire.1", "graftwire.1, chat"),
        (Role.ACCEPTOR, "Connection", "Server: x\r\nConnection"),
        (Role.ACCEPTOR, "Upgrade: websocket\r\n", ""),
        (Role.ACCEPTOR, "graftwire.1", "chat"),
    ],
)
def test_the_handshake(role: Role, before: str, behind: str) -> None:
    text = REQUEST if role is Role.INITIATOR else ANSWER
    assert before in text
    assert set(clauses(b"", text.replace(before, behind).encode(), role)) == {"WS-6"}
