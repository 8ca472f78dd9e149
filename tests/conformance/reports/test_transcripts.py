"""What crossed is told in its order, with every byte's place, and without a secret."""

from __future__ import annotations

import msgspec
import pytest

from graftwire.conformance import frames
from graftwire.conformance.parts import Body, Zeros, wire
from graftwire.conformance.recording import Chunk, Layer, Note
from graftwire.conformance.reports.linkbytes import units
from graftwire.conformance.reports.transcripts import told

from .conftest import (  # type: ignore[import-not-found]
    AUTH_SIZE,
    CANARY,
    GUARDED,
    OVER_WEBSOCKET,
    RUNNER,
    SCOPE,
    TARGET,
    assert_no_secret,
    sent,
    transcript,
)


def test_frames_in_their_order_each_with_its_number() -> None:
    found = told(GUARDED)
    assert [(each.direction, each.number, each.name) for each in found.entries] == [
        (RUNNER, 1, "HELLO"),
        (RUNNER, 2, "AUTH"),
        (RUNNER, 3, "CALL"),
        (TARGET, 1, "HELLO"),
        (TARGET, 2, "ACCEPTED"),
        (TARGET, 3, "ERROR"),
        (TARGET, None, "closed"),
    ]
    for direction in (RUNNER, TARGET):
        rows = [row for each in found.entries if each.direction is direction for row in each.rows]
        ends = [row.offset + row.size for row in rows]
        assert [row.offset for row in rows] == [0, *ends[:-1]]


def test_no_secret_is_in_it() -> None:
    for each in (GUARDED, OVER_WEBSOCKET):
        found = msgspec.json.encode(told(each))
        assert_no_secret(found)
        assert_no_secret(found.replace(b" ", b""))


def test_a_secret_is_named_where_it_is_not_expected() -> None:
    error = told(GUARDED).entries[5]
    assert (
        error.rows[-1].text == 'body: 34 bytes, "********************************" (canary exception: hidden)'
    )
    assert error.rows[-1].hex == f"58 22 78 20 {' '.join(['··'] * 32)}"


def test_a_secret_in_two_rows_is_hidden_in_both() -> None:
    data = wire(frames.item(Body(CANARY)), SCOPE)
    cut = data[:-8]  # the frame is unfinished, and the secret begun
    found = told(transcript(Chunk(0, TARGET, Layer.FRAMES, cut)))
    (entry,) = found.entries
    assert entry.name == "ITEM, unfinished"
    assert entry.rows[-1].hex.endswith(" ".join(["··"] * 24))
    assert CANARY[16:24] not in msgspec.json.encode(found).decode()


def test_websocket() -> None:
    found = told(OVER_WEBSOCKET)
    assert [(each.direction, each.layer, each.name) for each in found.entries] == [
        (RUNNER, Layer.LINK, "HTTP"),
        (TARGET, Layer.LINK, "HTTP"),
        (RUNNER, Layer.LINK, "WebSocket binary"),
        (RUNNER, Layer.FRAMES, "AUTH"),
        (TARGET, Layer.LINK, "WebSocket Close"),
    ]
    request, answer, binary, _, close = (tuple(row.text for row in each.rows) for each in found.entries)
    assert request == (
        "GET /? and a query of 36 characters, hidden (canary exception: hidden)",
        "Host: localhost",
        "Cookie: 40 characters, hidden (canary exception: hidden)",
        "Upgrade: websocket",
        "the end of the head",
    )
    assert "X-Key: 32 characters, hidden (canary exception: hidden)" in answer
    assert binary[0] == f"binary, last fragment, masked, {AUTH_SIZE} bytes"
    assert close == (
        "Close, last fragment, not masked, 34 bytes",
        "code 1000, and a reason of 32 bytes (canary exception: hidden)",
    )


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"\x89\x80abcd", ["WebSocket ping"]),
        (b"\x81\x02hi\x82\x00", ["WebSocket text", "WebSocket binary"]),
        (b"\x82\x7e\x01\x00" + bytes(256), ["WebSocket binary"]),
        (b"\x82\x7f" + (70_000).to_bytes(8, "big") + bytes(9), ["WebSocket binary"]),
        (b"\xf3\x00", ["WebSocket opcode 3"]),
        (b"\x82", ["bytes"]),
        (b"HTTP/1.1 400 -\r\nContent-Length: 0", ["HTTP"]),
    ],
)
def test_what_a_websocket_may_bring(data: bytes, names: list[str]) -> None:
    found = list(units(data, websocket=True))
    assert [each.name for each in found] == names
    assert found[-1].end == len(data)


def test_bytes_below_the_framing() -> None:
    data = b"\x16\x03\x01garbage"
    found = told(transcript(Chunk(0, RUNNER, Layer.LINK, data)))
    assert [(each.name, each.rows[0].hex[:8]) for each in found.entries] == [("bytes", "16 03 01")]


def test_how_often_it_was_cut_is_said() -> None:
    data = wire(frames.ping(), SCOPE)
    pieces = [Chunk(index / 10, RUNNER, Layer.FRAMES, data[index : index + 1]) for index in range(len(data))]
    (entry,) = told(transcript(*pieces)).entries
    assert (entry.name, entry.parts) == ("PING", len(data))


def test_what_is_long_is_cut_and_said_to_be() -> None:
    many = transcript(sent(*(frames.ping(number) for number in range(1, 100))), cut=True)
    found = told(many, rows=40)
    assert (len(found.entries), found.left_out, found.cut) == (10, 89, True)
    (entry,) = told(transcript(sent(frames.item(Zeros(60_000))))).entries
    assert entry.rows[-1].hex.endswith(" …")
    assert len(entry.rows[-1].hex) < 200


def test_remarks_stand_at_their_time() -> None:
    found = told(
        transcript(
            sent(frames.ping(), at=0.2), notes=(Note(0.1, RUNNER, "TLSv1.3\x1b"), Note(0.3, TARGET, "closed"))
        ),
    )
    assert [each.name for each in found.entries] == ["TLSv1.3\\x1b", "PING", "closed"]


def test_nothing() -> None:
    assert told(transcript()).entries == ()


def test_what_the_runner_wrote_is_taken_apart_write_by_write() -> None:
    """Bytes that break the framing of a WebSocket on purpose do not shift what comes behind them."""
    chunks = [Chunk(0, RUNNER, Layer.LINK, b"GET / HTTP/1.1\r\n\r\n"), Chunk(1, RUNNER, Layer.LINK, b"\x82"),
              Chunk(2, RUNNER, Layer.LINK, b"\x89\x80abcd")]  # fmt: skip
    found = told(transcript(*chunks))
    assert [each.name for each in found.entries] == ["HTTP", "bytes", "WebSocket ping"]
    assert [each.rows[0].offset for each in found.entries] == [0, 18, 19]
