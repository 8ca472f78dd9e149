"""Where bytes are cut has no meaning (clause LINK-1): not for what comes out of them, and not for what is refused."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graftwire.protocol import Connection, ErrorCode, Failed, Limits, Role, frames
from graftwire.protocol.limits import EARLY_FRAME
from graftwire.protocol.reading import _LARGE_FRAME

HELLO = frames.encode(frames.Hello((1,), Limits()))
HELLO_OF_SEVERAL = frames.encode(frames.Hello((1, 2), Limits()))
AUTH = frames.encode(frames.Auth("token", b"proof"))


def call(id: int, size: int, shape: int = 0) -> bytes:
    return frames.encode(frames.Call(id, shape, "Any.method", None, None, bytes(size)))


def auth_that_claims(length: int) -> bytes:
    """The start of an AUTH of `length` bytes that goes on with zeros."""
    return length.to_bytes(4, "big") + b"\x83\x01" + bytes(length - 2)


# An initiator's session of every kind of frame, and of frames beyond each size at which the core does something else.
LONG = b"".join(
    [
        HELLO,
        call(1, _LARGE_FRAME + 5_000),
        AUTH,
        call(3, EARLY_FRAME + 4_000),
        frames.encode(frames.Ping(1)),
        call(5, 10, shape=2),
        *(frames.encode(frames.Item(5, bytes(size))) for size in (0, 300, _LARGE_FRAME, _LARGE_FRAME - 8, 3)),
        frames.encode(frames.Cancel(5)),
        call(7, 3 * _LARGE_FRAME),
        frames.encode(frames.Release(2)),
        frames.encode(frames.Credit(0, 1_000)),
        frames.encode(frames.Goaway(2**53 - 1, ErrorCode.NONE)),
    ]
)
PROVING = b"".join(
    [
        HELLO,
        AUTH,
        call(1, 10, shape=2),
        frames.encode(frames.Item(1, bytes(EARLY_FRAME - 8))),
        frames.encode(frames.Release(2)),
        frames.encode(frames.Cancel(1)),
        call(3, 9_000),
        call(5, 30),
    ]
)
# name, bytes of an initiator, the clause that an acceptor finds broken in them
SESSIONS: list[tuple[str, bytes, str | None]] = [
    ("long", LONG, None),
    ("proving", PROVING, None),
    ("large second frame, then AUTH", HELLO + call(1, 70_000) + AUTH + call(3, 20_000), None),
    ("proving, frame too large", HELLO + AUTH + call(1, EARLY_FRAME), "HELLO-8"),
    ("proving, too much", PROVING + call(7, 16_000), "HELLO-8"),
    ("proving, too much in a large frame", HELLO + AUTH + call(1, 70_000), "HELLO-8"),
    ("several versions", HELLO_OF_SEVERAL + call(1, 100), "HELLO-9"),
    ("several versions, a large frame", HELLO_OF_SEVERAL + call(1, 70_000), "HELLO-9"),
    ("several versions, a frame that is too large", HELLO_OF_SEVERAL + b"\xff" * 20, "FRAME-2"),
    ("AUTH that can be none", HELLO + auth_that_claims(EARLY_FRAME + 1), "HELLO-8"),
    ("AUTH of 30 kB", HELLO + auth_that_claims(30_000), "HELLO-8"),
    ("AUTH of 100 kB", HELLO + auth_that_claims(100_000), "HELLO-8"),
    ("large first frame", call(1, 70_000), "HELLO-8"),
    ("no HELLO", call(1, 3), "FRAME-7"),
    ("large frame that is none", HELLO + b"\0\1\x11\x70\x87\x05\0" + bytes(70_000), "FRAME-6"),
]
cases = pytest.mark.parametrize(
    ("data", "clause"), [case[1:] for case in SESSIONS], ids=[case[0] for case in SESSIONS]
)


def read(pieces: Iterable[bytes]) -> list[Any]:
    """What an acceptor says to an initiator's bytes; a violation as its clause."""
    core = Connection(Role.ACCEPTOR)
    events = [event for piece in pieces for event in core.receive(piece)]
    if core.peer_authenticating:
        events += core.accept()
    return [event.violation.clause if isinstance(event, Failed) else event for event in events]


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    return [data[start:stop] for start, stop in pairwise([0, *sorted(cuts), len(data)])]


def starts(data: bytes) -> list[int]:
    """Where each frame begins, as far as their lengths can be read."""
    found = [0]
    while found[-1] + 4 <= len(data):
        found.append(found[-1] + 4 + int.from_bytes(data[found[-1] :][:4], "big"))
    return [start for start in found if start < len(data)]


@cases
def test_whole_it_is_as_expected(data: bytes, clause: str | None) -> None:
    events = read([data])
    assert [event for event in events if isinstance(event, str)] == ([] if clause is None else [clause])


@cases
def test_a_cut_in_the_head_of_a_frame_changes_nothing(data: bytes, clause: str | None) -> None:
    whole = read([data])
    for start in starts(data):
        for cut in range(start, min(start + 16, len(data))):
            assert read([data[:cut], data[cut:]]) == whole, (
                f"cut {cut - start} bytes into the frame at {start}"
            )


@cases
def test_single_bytes_change_nothing(data: bytes, clause: str | None) -> None:
    assert read(data[at : at + 1] for at in range(len(data))) == read([data])


@pytest.mark.parametrize("size", [3, 5, 7, 4_096, 65_536])
@cases
def test_reads_of_one_size_change_nothing(data: bytes, clause: str | None, size: int) -> None:
    assert read(data[at : at + size] for at in range(0, len(data), size)) == read([data])


@settings(max_examples=150)
@given(st.sampled_from(SESSIONS), st.data())
def test_no_cuts_change_anything(case: tuple[str, bytes, str | None], draw: st.DataObject) -> None:
    _, data, _ = case
    near = st.sampled_from(starts(data)).flatmap(lambda start: st.integers(start, start + 12))
    anywhere = st.integers(0, len(data))
    cuts = draw.draw(st.lists(near | anywhere, max_size=30))
    assert read(pieces(data, (cut for cut in cuts if cut <= len(data)))) == read([data])
