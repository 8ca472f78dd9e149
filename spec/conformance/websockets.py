"""A recorded stream of the link's own bytes, taken apart: the head of HTTP, and the WebSocket frames behind it.

This reads what was recorded, after it has happened, and shares no code with what took part in the session.
"""

from __future__ import annotations

from typing import Final, NamedTuple

HEAD_END: Final = b"\r\n\r\n"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
DATA: Final = frozenset({CONTINUATION, BINARY})


class Frame(NamedTuple):
    """One WebSocket frame: `start` to `end` in the stream, `body` where its payload begins, which is unmasked here.

    `whole` False: the stream ends inside of it; the payload is as much as came.
    """

    start: int
    body: int
    end: int
    final: bool
    reserved: int
    opcode: int
    masked: bool
    shortest: bool  # its length is in its shortest form
    payload: bytes
    whole: bool = True


class Stream(NamedTuple):
    """`head` is that of HTTP, empty where there is none; `rest` is where what can't be read begins."""

    head: bytes
    frames: list[Frame]
    rest: int


def parse(data: bytes) -> Stream:
    """Take a stream apart."""
    head = b""
    if data[:1].isupper():  # no frame begins so: HTTP does
        end = data.find(HEAD_END)
        end = len(data) if end < 0 else end + len(HEAD_END)
        head = data[:end]
    frames: list[Frame] = []
    at = len(head)
    switched = not head.startswith(b"HTTP/") or head.split(b" ", 2)[1:2] == [b"101"]
    while switched and (frame := _frame(data, at)) is not None:
        frames.append(frame)
        at = frame.end
    return Stream(head, frames, at)


def _frame(data: bytes, start: int) -> Frame | None:
    if len(data) - start < 2:
        return None
    first, second = data[start], data[start + 1]
    size, at = second & 127, start + 2
    wide = {126: 2, 127: 8}.get(size, 0)
    if wide:
        size = int.from_bytes(data[at : at + wide], "big")
    at += wide
    key = data[at : at + 4] if second & 128 else b""
    at += len(key)
    end = min(at + size, len(data))
    if end < at or (second & 128 and len(key) < 4):
        return None
    payload = data[at:end]
    if key:
        pattern = (key * (len(payload) // 4 + 1))[: len(payload)]
        payload = (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(
            len(payload), "big"
        )
    return Frame(
        start,
        at,
        end,
        bool(first & 128),
        first >> 4 & 7,
        first & 15,
        bool(key),
        size > {2: 125, 8: 65_535}.get(wide, -1),
        payload,
        end == at + size,
    )
