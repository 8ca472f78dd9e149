from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graftwire.protocol import head
from graftwire.protocol.errors import LocalProtocolError, ProtocolViolation

EDGES = [0, 1, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53 - 1]
uints = st.integers(0, 2**53 - 1) | st.sampled_from(EDGES)


@given(uints)
def test_writes_integers_as_any_encoder_of_deterministic_cbor(value: int) -> None:
    assert head.write_uint(value) == cbor2.dumps(value)
    assert head.read_uint(b"\xff" + head.write_uint(value), 1) == (value, len(head.write_uint(value)) + 1)


@given(uints, st.sampled_from([head.BYTES, head.TEXT, head.ARRAY, head.MAP]))
def test_lengths_come_back(value: int, major: int) -> None:
    raw = head.write_uint(value, major)
    assert raw[0] >> 5 == major
    assert head.read_length(raw, 0, major, "it") == (value, len(raw))
    assert head.read_length(memoryview(raw), 0, major, "it") == (value, len(raw))


@pytest.mark.parametrize(("value", "clause"), [(-1, "HEAD-6"), (2**53, "HEAD-2"), (2**64, "HEAD-2")])
def test_does_not_write_what_no_header_may_hold(value: int, clause: str) -> None:
    with pytest.raises(LocalProtocolError) as refused:
        head.write_uint(value)
    assert refused.value.clause == clause


@pytest.mark.parametrize("value", EDGES)
@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_refuses_every_longer_form(value: int, size: int) -> None:
    if value >= 1 << (8 * size):
        return
    raw = bytes([23 + size.bit_length()]) + value.to_bytes(size, "big")
    if raw == head.write_uint(value):
        assert head.read_uint(raw, 0) == (value, len(raw))
        return
    with pytest.raises(ProtocolViolation) as refused:
        head.read_uint(raw, 0)
    assert refused.value.clause == "HEAD-1"


@pytest.mark.parametrize("value", [2**53, 2**64 - 1])
def test_refuses_integers_that_javascript_does_not_hold(value: int) -> None:
    for read in (
        lambda: head.read_uint(b"\x1b" + value.to_bytes(8, "big"), 0),
        lambda: head.read_length(b"\x5b" + value.to_bytes(8, "big"), 0, head.BYTES, "it"),
    ):
        with pytest.raises(ProtocolViolation) as refused:
            read()
        assert refused.value.clause == "HEAD-2"


@pytest.mark.parametrize("cut", [b"", b"\x18", b"\x19\x01", b"\x1a\x00\x01\x00", b"\x1b" + bytes(7)])
def test_refuses_a_head_that_is_cut(cut: bytes) -> None:
    with pytest.raises(ProtocolViolation) as refused:
        head.read_uint(cut, 0)
    assert refused.value.clause == "FRAME-3"


def expected_clause(first: int, major: int) -> str | None:
    """What a first byte means where an element of `major` is due, in the standard's words."""
    kind, low = first >> 5, first & 31
    if kind == major and low < 28:
        return None
    if low == 31 and 2 <= kind <= 5:
        return "HEAD-5"
    if kind in (1, 6) or (kind == 7 and first != 0xF6):
        return "HEAD-6"
    return "HEAD-1" if low >= 28 else "FRAME-6"


@pytest.mark.parametrize("major", [0, head.BYTES, head.TEXT, head.ARRAY, head.MAP])
def test_names_the_clause_for_every_first_byte(major: int) -> None:
    for first in range(256):
        data = bytes([first]) + b"\x7f" * 9  # whatever the head's size, its argument is as long as it must be
        expected = expected_clause(first, major)
        try:
            if major == 0:
                head.read_uint(data, 0)
            else:
                head.read_length(data, 0, major, "it")
        except ProtocolViolation as violation:
            assert violation.clause == (expected or "HEAD-2"), hex(first)
            assert expected is not None or first & 31 == 27
        else:
            assert expected is None, hex(first)


def test_nothing_is_read_past_the_end() -> None:
    for read in (
        lambda: head.read_length(b"", 0, head.BYTES, "it"),
        lambda: head.read_bytes(b"\x42a", 0, "it"),
        lambda: head.read_bytes(b"\x5b\x00\x1f\xff\xff\xff\xff\xff\xff", 0, "it"),
        lambda: head.read_text(b"\x62a", 0, "it", range(9), "CALL-3"),
        lambda: head.refuse(b"", 0, "it"),
    ):
        with pytest.raises(ProtocolViolation) as refused:
            read()
        assert refused.value.clause == "FRAME-3"


def test_bytes_are_bytes_whatever_they_are_read_from() -> None:
    for data in (b"\x43abc", memoryview(b"\x43abc"), memoryview(bytearray(b"\x43abc"))):
        raw, position = head.read_bytes(data, 0, "it")
        assert (type(raw), raw, position) == (bytes, b"abc", 4)


def test_a_text_of_another_length_breaks_the_clause_that_is_given() -> None:
    for data in (b"\x60", b"\x64abcd"):
        with pytest.raises(ProtocolViolation) as refused:
            head.read_text(data, 0, "a name", range(1, 4), "CALL-3")
        assert refused.value.clause == "CALL-3"
    assert head.read_text(b"\x63abc", 0, "a name", range(1, 4), "CALL-3") == (b"abc", 4)


def test_graphic_is_printable_without_the_space() -> None:
    assert [first for first in range(256) if head.is_graphic(bytes([first]))] == list(range(0x21, 0x7F))
    assert head.is_graphic(b"")
