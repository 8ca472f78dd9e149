"""A leak is named by its place and never repeated; declared slots are none; nothing that is kept holds a secret."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from graftwire.conformance import certificates, frames
from graftwire.conformance.fields import fields_of
from graftwire.conformance.parts import Body, Frame, Scope, wire
from graftwire.conformance.playing import transcript
from graftwire.conformance.recording import Chunk, Direction, Layer, Recorder
from graftwire.conformance.results import KEPT, Verdict, to_json
from graftwire.conformance.roles import Link, Role
from graftwire.conformance.scanning import Scanner
from graftwire.conformance.secrecy import Secrecy

from .conftest import play  # type: ignore[import-not-found]
from .test_strictness import SERVING  # type: ignore[import-not-found]

CANARY, PROOF = os.urandom(16).hex().encode(), os.urandom(24)
SECRECY = Secrecy({"canary environment": CANARY, "proof of alice": PROOF})
SCOPE = Scope(Role.INITIATOR, "k", {"alice": PROOF})


def recorded(*pieces: Frame, direction: Direction = Direction.TARGET) -> Recorder:
    recorder = Recorder()
    for piece in pieces:
        recorder.bytes(direction, Layer.FRAMES, wire(piece, SCOPE))
    return recorder


@pytest.mark.parametrize(
    "frame", [frames.auth(), frames.call(credential=("conformance.test", PROOF))], ids=["AUTH", "CALL"]
)
def test_a_proof_in_a_declared_slot_is_no_leak(frame: Frame) -> None:
    assert list(SECRECY.leaks(recorded(frames.hello(), frame), "it")) == []


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        (frames.error(8, body=Body(PROOF)), "ERROR body"),
        (frames.result(PROOF), "RESULT body"),
        (Frame(2, (PROOF,)), "CHALLENGE data"),
        (Frame(1, (PROOF.hex()[:32], b"")), "AUTH scheme"),
        (frames.call(target=CANARY.decode()), "CALL target"),
        (frames.auth(CANARY), "AUTH proof"),
        (frames.call(credential=(CANARY.decode(), b"")), "CALL credential, scheme"),
        (Frame(12, (1,), behind=PROOF), "bytes out of the grammar"),
        (frames.result(base64.b64encode(b"x" + CANARY)), "RESULT body"),
    ],
)
def test_a_leak_names_frame_byte_and_field(frame: Frame, field: str) -> None:
    (leak,) = SECRECY.leaks(recorded(frames.hello(), frame), "a session")
    data = wire(frame, SCOPE)
    assert (leak.frame, leak.field, leak.session) == (2, field, "a session")
    assert 4 < leak.offset < len(data)
    for secret in (CANARY, PROOF):
        assert secret.hex() not in str(leak)
        assert secret.decode("latin-1") not in str(leak)


def test_a_leak_over_the_border_of_two_frames() -> None:
    recorder = Recorder()
    recorder.bytes(Direction.TARGET, Layer.FRAMES, wire(frames.ping(), SCOPE) + b"\0\0\0\x99" + CANARY)
    (leak,) = SECRECY.leaks(recorder, "it")
    assert (leak.frame, leak.field) == (2, "bytes out of the grammar")


def test_leaks_around_the_frames() -> None:
    recorder = Recorder()
    head = b"HTTP/1.1 101 -\r\nX-Note: " + base64.b32encode(CANARY) + b"\r\n\r\n"
    recorder.bytes(Direction.TARGET, Layer.LINK, head + b"\x89\x20" + CANARY + b"\x82\x20" + CANARY)
    assert [(each.field, each.encoding) for each in SECRECY.leaks(recorder, "it")] == [
        ("the HTTP handshake", "base32"),
        ("a WebSocket control frame or text", "raw"),
    ]


def test_what_is_kept_holds_none() -> None:
    """Neither in a frame that came in pieces, nor behind the mask of WebSocket."""
    recorder = recorded(frames.auth(), direction=Direction.RUNNER)
    data = wire(frames.auth(), SCOPE)
    for at in range(0, len(data), 5):
        recorder.bytes(Direction.TARGET, Layer.FRAMES, data[at : at + 5])
    key = b"\x11\x22\x33\x44"
    for piece in (data[:40], data[40:]):
        masked = bytes(each ^ key[at % 4] for at, each in enumerate(piece))
        recorder.bytes(Direction.RUNNER, Layer.LINK, bytes([0x82, 0x80 | len(piece)]) + key + masked)
    chunks, hidden = SECRECY.hide(recorder.chunks)
    assert [len(each.data) for each in chunks] == [len(each.data) for each in recorder.chunks]
    assert {(each.direction, each.layer) for each in hidden} == {
        (Direction.RUNNER, Layer.FRAMES),
        (Direction.TARGET, Layer.FRAMES),
        (Direction.RUNNER, Layer.LINK),
    }
    again = Recorder()
    again.chunks = chunks
    assert SECRECY.hide(chunks)[1] == []
    assert PROOF[:6] not in again.stream(Direction.TARGET)
    assert SECRECY.text(f"it was {CANARY.decode()}!") == "it was [canary environment]!"


@pytest.mark.parametrize(
    "encode", [bytes, bytes.hex, base64.b64encode, base64.b32encode, lambda each: each[::-1]]
)
@pytest.mark.parametrize("shown", [14, 15, 20, 24])
def test_what_is_left_of_a_secret_is_hidden(encode: Callable[[bytes], bytes | str], shown: int) -> None:
    """Whether its end is cut off or its beginning."""
    for part in (PROOF[:shown], PROOF[-shown:]):
        written = encode(part)
        data = b"it was " + (written if isinstance(written, bytes) else written.encode()) + b"!"
        (kept,), (hidden,) = SECRECY.hide([Chunk(0, Direction.TARGET, Layer.FRAMES, data)])
        assert len(kept.data) == len(data)
        # a digit that stands for a byte of its neighbour, too, may be left, and what fills up base64
        assert hidden.end - hidden.start >= len(written.rstrip("=" if isinstance(written, str) else b"=")) - 2


def test_a_secret_where_keeping_ends() -> None:
    """Not even the first bytes of it are left."""
    recorder = Recorder()
    recorder.bytes(Direction.TARGET, Layer.FRAMES, bytes(KEPT - 5) + CANARY + b"more")
    kept = transcript(recorder, [], SECRECY)
    assert kept.cut
    assert kept.chunks[0].data == bytes(KEPT - 5) + b"*****"
    assert [(each.start, each.end) for each in kept.hidden] == [(KEPT - 5, KEPT)]


def test_texts_with_one_secret_inside_another() -> None:
    """What stands beside them stays, and no end of the longer one does."""
    nested = Secrecy({"long": b"a" + CANARY + b"z", "short": CANARY})
    assert nested.text(f"<a{CANARY.decode()}z>") == "<[long]>"
    assert SECRECY.text(b"\xff " + PROOF + b" \xff") == "\ufffd [proof of alice] \ufffd"


@pytest.mark.parametrize(
    "frame", [frames.call(credential=("a", b"b")), frames.hello(), Frame(3), Frame(99, (1, (2,)))]
)
def test_fields_leave_no_gap(frame: Frame) -> None:
    data = wire(frame, SCOPE)
    for cut in range(5, len(data) + 1):
        fields = fields_of(data[:cut])
        assert fields[0].start == 0
        assert fields[-1].end == cut
        assert all(before.end == behind.start for before, behind in pairwise(fields))


LEAKS = {
    "in a result": "if kind == 12: connection.sendall(frame('83060158 22 78 20', CANARY))",
    "in base64, in an error": "if kind == 12: connection.sendall(frame('8407010858 2c', base64.b64encode(CANARY)))",
    "between frames": "if kind == 12: connection.sendall(zlib.compress(b'x' + CANARY))",
    "in a probe": "",
}


@pytest.mark.parametrize("extra", LEAKS.values(), ids=LEAKS.keys())
async def test_a_target_that_leaks(target: Callable[[str], list[str]], extra: str) -> None:
    text = SERVING.format(extra=extra or "pass", end="pass", link="tcp")
    text = "    import base64, os, zlib\n    CANARY = os.environ['CONFORMANCE_CANARY'].encode()\n" + text
    if not extra:
        text = text.replace('frame("830601466570726f6265")', "frame('83060158227820', CANARY)")
    found = (
        await play(target(text), links=(Link.TCP,), roles=(Role.ACCEPTOR,), cases=("keep.ping",))
    ).results[0]
    assert found.verdict is Verdict.FAILED
    assert found.detail.startswith("the canary environment leaks: "), found.detail
    hidden = json.loads(to_json(found))["transcript"]["hidden"]
    assert bool(hidden) is bool(extra)


def test_the_private_key_of_a_target_is_looked_for(tmp_path: Path) -> None:
    made = certificates.make(tmp_path, {"key-file": "a canary", "client-certificate": "a name"})
    number = made.secrets["private key"]
    assert len(number) == 32
    lines = made.key.read_bytes().splitlines()
    assert lines[0] == b"a canary"
    body = b"".join(each for each in lines[1:] if not each.startswith(b"--"))
    assert [each.encoding for each in Scanner({"it": number}).scan(body)] == ["base64"]
    for server in (True, False):  # such a file is loaded all the same
        made.context(server=server, alpn=(), versions=("1.2", "1.3"), certificate="client")


@pytest.mark.parametrize(("start", "end"), [(0, 20), (4, 24), (0, 13), (9, 24)])
def test_no_piece_of_a_secret_that_was_cut_is_left(start: int, end: int) -> None:
    secret = bytes(range(60, 84))
    piece = secret[start:end].hex()
    assert Secrecy({"token": secret}).text(f"gives {piece} here") == "gives [token] here"
