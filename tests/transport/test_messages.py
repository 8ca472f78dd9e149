"""Cutting frames into messages, and walking over the frames in them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graftwire.protocol.errors import LocalProtocolError
from graftwire.transport.messages import FrameWalk, split


def frames(sizes: list[int]) -> bytes:
    return b"".join(size.to_bytes(4, "big") + bytes(size) for size in sizes)


SIZES = st.lists(st.integers(0, 60), max_size=20)


@given(SIZES, st.integers(1, 100))
def test_every_cut_is_at_a_frame_and_no_message_could_be_longer(sizes: list[int], most: int) -> None:
    data = frames(sizes)
    cuts = list(split(data, most))
    assert b"".join(data[start:end] for start, end in cuts) == data
    for start, end in cuts:
        walk = FrameWalk()
        walk.feed(data[start:end])
        assert walk.whole
        assert end > start
        assert end - start <= most or end - start == 4 + int.from_bytes(data[start : start + 4], "big")
    for (start, _), (following, end) in pairwise(cuts):
        first = following + 4 + int.from_bytes(data[following : following + 4], "big")
        assert first - start > most
        assert end > following


@pytest.mark.parametrize(
    "data", [b"\0", b"\0\0\0", b"\0\0\0\1", b"\0\0\0\1ab", b"\0\0\0\1a\0\0\0\2b", b"\xff\xff\xff\xff"]
)
def test_what_is_not_whole_frames_is_not_sent(data: bytes) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        list(split(data, 3))
    assert str(caught.value) == "what a link sends has to be whole frames (WS-1)"


@given(SIZES, st.lists(st.integers(0, 200), max_size=10), st.binary(max_size=3))
def test_a_walk_knows_where_frames_end_however_they_are_split(
    sizes: list[int], cuts: list[int], rest: bytes
) -> None:
    data = frames(sizes)
    walk = FrameWalk()
    ends = {0}
    for size in sizes:
        ends.add(max(ends) + 4 + size)
    last = 0
    for at in [*sorted(cut for cut in cuts if cut < len(data)), len(data)]:
        walk.feed(bytearray(data[last:at]))
        assert walk.whole == (at in ends)
        last = at
    walk.feed(rest)
    assert walk.whole == (not rest)
