"""The readers of usual forms take what `decode` takes, or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graftwire.protocol import frames, usualframes
from graftwire.protocol.errors import ProtocolViolation

READERS: dict[int, Any] = {
    frames.Call.kind: usualframes.read_call,
    frames.Result.kind: usualframes.read_result,
    frames.Item.kind: usualframes.read_item,
}
ids = st.sampled_from([1, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1])
bodies = st.integers(0, 300).map(bytes)
names = st.integers(1, 255).map("x".__mul__)
usual = st.one_of(
    st.builds(frames.Call, ids, st.integers(0, 3), names, st.none(), st.none(), bodies),
    st.builds(frames.Result, ids, bodies),
    st.builds(frames.Item, ids, bodies),
)


def read(payload: bytes, before: bytes = b"", after: bytes = b"") -> Any:
    """What the reader of that kind makes of a payload that lies between other bytes."""
    start = len(before)
    return READERS[payload[1]](before + payload + after, start + 2, start + len(payload))


@given(usual, st.binary(max_size=5), st.binary(max_size=20))
def test_usual_frames_are_read_where_they_lie(frame: frames.Frame, before: bytes, after: bytes) -> None:
    assert read(frames.encode(frame)[4:], before, after) == frame


@pytest.mark.parametrize(
    "frame",
    [
        frames.Call(2**32, 0, "Any", None, None, b""),
        frames.Call(1, 0, (1, "m"), None, None, b""),
        frames.Call(1, 0, "Any", frames.Context(5), None, b""),
        frames.Call(1, 0, "Any", None, ("token", b"x"), b""),
        frames.Call(1, 0, "Any", None, None, bytes(65_536)),
        frames.Result(2**32, b""),
        frames.Item(1, bytes(65_536)),
    ],
)
def test_unusual_frames_are_left_to_decode(frame: frames.Frame) -> None:
    payload = frames.encode(frame)[4:]
    assert read(payload) is None
    assert frames.decode(payload) == frame


def agrees(payload: bytes, after: bytes) -> None:
    """The reader gives what `decode` gives, or None; never more, whatever follows the frame."""
    try:
        expected = frames.decode(payload)
    except ProtocolViolation:
        expected = None
    assert read(payload, b"\x01", after) in (None, expected)


CALL = frames.encode(frames.Call(300, 1, "Any", None, None, b"body"))[4:]
RESULT = frames.encode(frames.Result(70_000, b"body"))[4:]


@given(usual.map(lambda frame: frames.encode(frame)[4:]), st.data(), st.binary(max_size=8))
def test_changed_frames_are_not_taken_for_others(payload: bytes, data: st.DataObject, after: bytes) -> None:
    raw = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(2, min(len(raw) - 1, 20)))
        raw[at] = data.draw(st.integers(0, 255))
    agrees(bytes(raw), after)


@given(usual.map(lambda frame: frames.encode(frame)[4:]), st.data(), st.binary(max_size=300))
@example(payload=CALL, data=None, after=b"")
@example(payload=RESULT, data=None, after=b"")
def test_frames_that_are_cut_are_not_read_into_the_next(payload: bytes, data: Any, after: bytes) -> None:
    cuts = range(2, len(payload)) if data is None else [data.draw(st.integers(2, len(payload) - 1))]
    for cut in cuts:
        assert read(payload[:cut], b"\x01", after) is None
        assert read(payload[:cut], b"\x01", payload[cut:] + after) is None


@pytest.mark.parametrize("frame", [CALL, RESULT], ids=["call", "result"])
def test_every_single_byte_changed(frame: bytes) -> None:
    for at in range(2, len(frame)):
        for value in range(256):
            agrees(frame[:at] + bytes([value]) + frame[at + 1 :], b"\x00\xff\x41\x00")


@pytest.mark.parametrize(
    "payload",
    [
        "8306 1a0000ffff 40",  # ids that are not in their shortest form
        "8306 1900ff 40",
        "8306 1817 40",
        "8306 00 40",  # no id
        "8306 01 5801ff",  # a length that is not
        "8306 01 590018" + "00" * 24,
        "8306 01 60",  # a text
        "8306 01 5c40",
        "8705 1a0000ffff 00 6141 f6 f6 40",
        "8705 00 00 6141 f6 f6 40",
        "8705 01 04 6141 f6 f6 40",
        "8705 01 00 60 f6 f6 40",
        "8705 01 00 6120 f6 f6 40",
        "8705 01 00 780141 f6 f6 40",
        "8705 01 00 7941 f6 f6 40",
        "8705 01 00 4141 f6 f6 40",
        "8705 01 00 6141 f6 f7 40",
        "8705 01 00 6141 f6 f6 60",
    ],
)
def test_what_is_not_deterministic_is_left_to_decode(payload: str) -> None:
    raw = bytes.fromhex(payload)
    assert read(raw) is None
    with pytest.raises(ProtocolViolation):
        frames.decode(raw)
