"""Frames to bytes and back. What must be refused is held against the vectors (tests/spec); here are the edges."""

from __future__ import annotations

import string
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graftwire.protocol import frames
from graftwire.protocol.errors import ErrorCode, LocalProtocolError, ProtocolViolation
from graftwire.protocol.limits import RANGES, Limits

GRAPHIC = "".join(map(chr, range(0x21, 0x7F)))
SCHEMES = string.ascii_lowercase + string.digits + "-."

uints = st.integers(0, 2**53 - 1) | st.sampled_from([0, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32])
ids = uints.filter(bool)
bodies = st.binary(max_size=80) | st.sampled_from([bytes(255), bytes(256), bytes(65_535), bytes(70_000)])
proofs = st.binary(max_size=40) | st.just(bytes(8_192))
schemes = st.text(SCHEMES, min_size=1, max_size=32)
credentials = st.none() | st.tuples(schemes, proofs)
targets = st.text(GRAPHIC, min_size=1, max_size=255) | st.tuples(ids, st.text(GRAPHIC, max_size=255))
traces = st.tuples(
    st.binary(min_size=16, max_size=16).filter(any),
    st.binary(min_size=8, max_size=8).filter(any),
    st.integers(0, 3),
)
contexts = st.one_of(
    st.none(),
    st.builds(frames.Context, st.integers(1, 2**31 - 1), st.none() | traces),
    st.builds(
        frames.Context,
        st.none() | st.integers(1, 2**31 - 1),
        traces,
        st.none() | st.text(" " + GRAPHIC, min_size=1, max_size=512),
    ),
)
limits = st.builds(
    lambda values, more: Limits(
        **dict(zip(Limits.__struct_fields__, values, strict=True))
        | {"unfinished_body_bytes": max(values[0], more)}
    ),
    st.tuples(*(st.integers(least, most) for least, most in RANGES)),
    st.integers(*RANGES[2]),
)
errors = st.sampled_from(list(ErrorCode)[1:]).flatmap(
    lambda code: st.builds(
        frames.Error, ids, st.just(code), bodies if code in frames.WITH_BODY else st.none()
    )
)
any_frame: st.SearchStrategy[frames.Frame] = st.one_of(
    st.builds(
        frames.Hello, st.sets(ids, min_size=1, max_size=8).map(lambda found: tuple(sorted(found))), limits
    ),
    st.builds(frames.Auth, schemes, proofs),
    st.builds(frames.Challenge, proofs),
    st.builds(frames.Accepted),
    st.builds(frames.Call, ids, st.integers(0, 3), targets, contexts, credentials, bodies),
    st.builds(frames.Result, ids, bodies),
    errors,
    st.builds(frames.Cancel, ids),
    st.builds(frames.Item, ids, bodies),
    st.builds(frames.End, ids),
    st.builds(frames.Credit, uints, st.integers(1, 2**31 - 1)),
    st.builds(frames.Ping, ids),
    st.builds(frames.Pong, ids),
    st.builds(frames.Goaway, uints, st.sampled_from(list(ErrorCode))),
    st.builds(frames.Release, ids),
)


@given(any_frame)
def test_every_frame_comes_back(frame: frames.Frame) -> None:
    data = frames.encode(frame)
    assert frames.split(data) == (len(data) - 4, 4)
    assert frames.decode(data[4:]) == frame
    assert frames.decode(memoryview(bytearray(data))[4:]) == frame


@given(any_frame)
def test_a_frame_is_deterministic_cbor(frame: frames.Frame) -> None:
    data = frames.encode(frame)[4:]
    content: Any = cbor2.loads(data)
    assert content[0] == frame.kind
    assert cbor2.dumps(content, canonical=True) == data


@given(any_frame, st.data())
def test_what_is_decoded_has_one_encoding(frame: frames.Frame, data: st.DataObject) -> None:
    """Whatever byte is changed, the frame is refused, or the change is in what the new frame says."""
    raw = bytearray(frames.encode(frame)[4:])
    at = data.draw(st.integers(0, min(len(raw) - 1, 300)))
    raw[at] = data.draw(st.integers(0, 255))
    try:
        other = frames.decode(bytes(raw))
    except ProtocolViolation as violation:
        assert violation.clause
    else:
        assert frames.encode(other)[4:] == raw


@given(any_frame, st.data())
def test_a_frame_that_is_cut_or_goes_on_is_refused(frame: frames.Frame, data: st.DataObject) -> None:
    raw = frames.encode(frame)[4:]
    cut = data.draw(st.integers(0, len(raw) - 1))
    for wrong in (raw[:cut], raw + b"\x00", raw + raw):
        with pytest.raises(ProtocolViolation) as refused:
            frames.decode(wrong)
        assert refused.value.clause == "FRAME-3"


@given(st.binary(max_size=60))
def test_noise_is_refused_or_comes_back(raw: bytes) -> None:
    try:
        frame = frames.decode(raw)
    except ProtocolViolation:
        return
    assert frames.encode(frame)[4:] == raw


@pytest.mark.parametrize(
    ("raw", "clause"),
    [
        ("80", "FRAME-5"),
        ("a0", "FRAME-3"),
        ("9802", "HEAD-1"),
        ("9f", "HEAD-5"),
        ("8204", "FRAME-4"),
        ("8210", "FRAME-4"),
        ("821818", "FRAME-4"),
        ("82180c01", "HEAD-1"),
        ("830c01", "FRAME-5"),
        ("87050100a1", "FRAME-6"),  # a map as a target
        ("8705010083", "FRAME-6"),  # an array of three as a target
    ],
)
def test_the_first_fault_is_named(raw: str, clause: str) -> None:
    with pytest.raises(ProtocolViolation) as refused:
        frames.decode(bytes.fromhex(raw))
    assert refused.value.clause == clause


def test_limits_are_read_with_a_clause_for_each_fault() -> None:
    entries = [(key, value) for key, value in enumerate(Limits().as_tuple(), 1)]

    def clause(pairs: list[tuple[Any, Any]]) -> str:
        head = bytes([0xA0 + len(pairs)])
        limits = head + b"".join(cbor2.dumps(key) + cbor2.dumps(value) for key, value in pairs)
        with pytest.raises(ProtocolViolation) as refused:
            frames.decode(b"\x83\x00\x81\x01" + limits)
        return refused.value.clause

    assert clause(entries[:5]) == "HELLO-5"
    assert clause(entries[1:]) == "HELLO-5"
    assert clause([*entries[:2], *entries[3:]]) == "HELLO-5"
    assert clause([*entries, (7, 1)]) == "HEAD-3"
    assert clause([*entries[:3], entries[2], *entries[4:]]) == "HEAD-3"
    assert clause([(1, 1), *entries[1:]]) == "HELLO-5"


@pytest.mark.parametrize("length", [1, 2**24 - 1])
def test_a_prefix_within_bounds_is_read(length: int) -> None:
    assert frames.split(length.to_bytes(4, "big") + b"more") == (length, 4)


@pytest.mark.parametrize(
    ("prefix", "clause"),
    [
        (b"\0\0\0", "FRAME-8"),
        (b"", "FRAME-8"),
        (bytes(4), "FRAME-2"),
        (b"\1\0\0\0", "FRAME-2"),
        (b"GET ", "FRAME-2"),
    ],
)
def test_a_prefix_out_of_bounds_is_refused(prefix: bytes, clause: str) -> None:
    with pytest.raises(ProtocolViolation) as refused:
        frames.split(prefix)
    assert refused.value.clause == clause


def test_the_head_of_any_versions_hello_is_read() -> None:
    """Clause HELLO-6: two elements or more, of which the first two stay as they are."""
    assert frames.read_versions(bytes.fromhex("8200820205")) == (2, 5)
    assert frames.read_versions(bytes.fromhex("8700811901f4f4f5f6")) == (500,)


@pytest.mark.parametrize(
    ("raw", "clause"),
    [
        ("80", "FRAME-5"),
        ("8100", "FRAME-5"),
        ("820c01", "FRAME-7"),
        ("8204", "FRAME-7"),
        ("05", "FRAME-3"),
        ("", "FRAME-3"),
        ("820080", "HELLO-2"),
        ("82008100", "HELLO-2"),
        ("8200820201", "HELLO-2"),
        ("8200890102030405060708", "HELLO-2"),
        ("82008261", "FRAME-6"),
        ("8200f6", "FRAME-6"),
    ],
)
def test_a_wrong_first_frame_is_refused(raw: str, clause: str) -> None:
    with pytest.raises(ProtocolViolation) as refused:
        frames.read_versions(bytes.fromhex(raw))
    assert refused.value.clause == clause


def test_no_repr_shows_what_is_secret_or_the_users() -> None:
    secret = b"canary-canary"
    for frame in (
        frames.Auth("token", secret),
        frames.Challenge(secret),
        frames.Call(1, 0, "Any", None, ("token", secret), secret),
        frames.Call(1, 0, "Any", None, None, secret),
        frames.Result(1, secret),
        frames.Item(1, secret),
        frames.Error(1, ErrorCode.APPLICATION, secret),
    ):
        assert "canary" not in repr(frame)
        assert "13 bytes" in repr(frame)
    assert repr(frames.Error(1, ErrorCode.DENIED, None)) == "Error(id=1, code=denied, body=None)"


# --- what is not written ----------------------------------------------------------------------------------


def call(**changed: Any) -> frames.Call:
    """A CALL that is right but for what is changed."""
    fields: dict[str, Any] = {
        "id": 1,
        "shape": 0,
        "target": "Any",
        "context": None,
        "credential": None,
        "body": b"",
    }
    return frames.Call(**fields | changed)


TRACE = (b"\1" * 16, b"\1" * 8, 0)


@pytest.mark.parametrize(
    ("frame", "clause"),
    [
        (call(shape=4), "CALL-2"),
        (call(shape=-1), "CALL-2"),
        (call(target=""), "CALL-3"),
        (call(target="x" * 256), "CALL-3"),
        (call(target="a b"), "CALL-3"),
        (call(target="zähle"), "CALL-3"),
        (call(target="a\x7f"), "CALL-3"),
        (call(target=(0, "m")), "CALL-3"),
        (call(target=(2**53, "m")), "HEAD-2"),
        (call(target=(1, "m" * 256)), "CALL-3"),
        (call(target=(1, "a b")), "CALL-3"),
        (call(target=(1, "m"), shape=4), "CALL-2"),
        (call(context=frames.Context(0)), "CTX-2"),
        (call(context=frames.Context(2**31)), "CTX-2"),
        (call(context=frames.Context(trace=(bytes(16), b"\1" * 8, 0))), "CTX-3"),
        (call(context=frames.Context(trace=(b"\1" * 16, bytes(8), 0))), "CTX-3"),
        (call(context=frames.Context(trace=(b"\1" * 15, b"\1" * 8, 0))), "CTX-3"),
        (call(context=frames.Context(trace=(b"\1" * 16, b"\1" * 9, 0))), "CTX-3"),
        (call(context=frames.Context(trace=(b"\1" * 16, b"\1" * 8, 4))), "CTX-3"),
        (call(context=frames.Context(tracestate="a=1")), "CTX-4"),
        (call(context=frames.Context(trace=TRACE, tracestate="")), "CTX-4"),
        (call(context=frames.Context(trace=TRACE, tracestate="a" * 513)), "CTX-4"),
        (call(context=frames.Context(trace=TRACE, tracestate="a=ü")), "CTX-4"),
        (call(context=frames.Context(trace=TRACE, tracestate="a\n")), "CTX-4"),
        (call(credential=("", b"")), "AUTH-8"),
        (call(credential=("a" * 33, b"")), "AUTH-8"),
        (call(credential=("Token", b"")), "AUTH-8"),
        (call(credential=("to_ken", b"")), "AUTH-8"),
        (call(credential=("token", bytes(8_193))), "AUTH-8"),
        (frames.Auth("token", bytes(8_193)), "AUTH-8"),
        (frames.Auth("tokén", b""), "AUTH-8"),
        (frames.Challenge(bytes(8_193)), "AUTH-8"),
        (frames.Hello((), Limits()), "HELLO-2"),
        (frames.Hello((0,), Limits()), "HELLO-2"),
        (frames.Hello((2, 1), Limits()), "HELLO-2"),
        (frames.Hello((1, 1), Limits()), "HELLO-2"),
        (frames.Hello(tuple(range(1, 10)), Limits()), "HELLO-2"),
        (frames.Error(1, ErrorCode.NONE, None), "ERR-1"),
        (frames.Error(1, ErrorCode.DENIED, b""), "ERR-2"),
        (frames.Error(1, ErrorCode.INTERNAL, None), "ERR-2"),
        (frames.Ping(2**53), "HEAD-2"),
        (frames.Release(-1), "HEAD-6"),
    ],
)
def test_what_decode_would_refuse_is_not_written(frame: frames.Frame, clause: str) -> None:
    for _ in range(2):  # also not where the target is known by now
        with pytest.raises(LocalProtocolError) as refused:
            frames.encode(frame)
        assert refused.value.clause == clause


def test_a_context_without_anything_is_null() -> None:
    assert frames.encode(call(context=frames.Context())) == frames.encode(call())
