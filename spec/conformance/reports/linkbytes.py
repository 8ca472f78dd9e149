"""What crosses a link beside frames: the HTTP of a WebSocket handshake, and the WebSocket's own framing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from ..visible import printable

# The headers of the handshake that may be shown (WS-6); of every other one only its name and length.
SHOWN: Final = frozenset(
    {
        "host", "upgrade", "connection", "origin", "content-length", "content-type", "sec-websocket-key",
        "sec-websocket-version", "sec-websocket-protocol", "sec-websocket-accept", "sec-websocket-extensions",
    }
)  # fmt: skip
OPCODES: Final = {0: "continuation", 1: "text", 2: "binary", 8: "Close", 9: "ping", 10: "pong"}
_LONGEST_HEAD: Final = 65_536
_BEGINS: Final = re.compile(rb"(?:[A-Z]{3,10} \S|HTTP/1\.[01] )")


class Part(NamedTuple):
    """Some bytes of a link: their range, and what they are. From `hidden_from` on they are not shown.

    `elsewhere`: they stand in another place of the transcript.
    """

    start: int
    end: int
    text: str
    hidden_from: int | None = None
    elsewhere: bool = False


class Unit(NamedTuple):
    """What belongs together: one head of HTTP, one WebSocket frame, or bytes that are neither."""

    start: int
    end: int
    name: str
    parts: tuple[Part, ...]


def units(data: bytes, *, websocket: bool) -> Iterator[Unit]:
    """Takes the bytes of one direction apart; `websocket`: whether it is such a link."""
    at = 0
    while at < len(data):
        unit = None
        if at == 0 or not websocket:
            unit = _http(data, at)
        if unit is None and websocket:
            unit = _frame(data, at)
        if unit is None:
            text = f"{len(data) - at:,} bytes below the framing of the link"
            unit = Unit(at, len(data), "bytes", (Part(at, len(data), text),))
        yield unit
        at = unit.end


def _http(data: bytes, start: int) -> Unit | None:
    """A head of HTTP, line by line; None: there is none here."""
    if not _BEGINS.match(data, start):
        return None
    end = data.find(b"\r\n\r\n", start, start + _LONGEST_HEAD)
    end = len(data) if end < 0 else end + 4
    parts: list[Part] = []
    at = start
    while at < end:
        line_end = data.find(b"\r\n", at, end)
        line_end = end if line_end < 0 else line_end + 2
        parts.append(_line(data, at, line_end, first=at == start))
        at = line_end
    return Unit(start, end, "HTTP", tuple(parts))


def _line(data: bytes, start: int, end: int, *, first: bool) -> Part:
    text = data[start:end].decode("latin-1").rstrip("\r\n")
    name, colon, value = text.partition(":")
    if first:
        target, query, rest = text.partition("?")
        if not query:
            return Part(start, end, printable(text))
        told = f"{printable(target)}? and a query of {len(rest.split(' ')[0])} characters, hidden"
        return Part(start, end, told, start + len(target) + 1)
    if not text:
        return Part(start, end, "the end of the head")
    if colon and name.lower() not in SHOWN:
        hidden_from = start + len(name) + 1
        return Part(start, end, f"{printable(name)}: {len(value.strip())} characters, hidden", hidden_from)
    return Part(start, end, printable(text))


def _frame(data: bytes, start: int) -> Unit | None:
    """A WebSocket frame; None: what stands here is none, or its head is cut off."""
    if len(data) - start < 2:
        return None
    first, second = data[start], data[start + 1]
    masked, size, at = second & 0x80, second & 0x7F, start + 2
    longer = {126: 2, 127: 8}.get(size, 0)
    if longer:
        size, at = int.from_bytes(data[at : at + longer], "big"), at + longer
    key = b""
    if masked:
        key, at = data[at : at + 4], at + 4
    if at > len(data):
        return None
    opcode = first & 0x0F
    name = OPCODES.get(opcode, f"opcode {opcode}")
    end = min(at + size, len(data))
    told = [name, "last fragment" if first & 0x80 else "more fragments follow"]
    if first & 0x70:
        told.append(f"reserved bits {first >> 4 & 7}")
    told += ["masked" if masked else "not masked", f"{size:,} bytes"]
    parts = [Part(start, at, ", ".join(told))]
    if end > at:
        parts.append(_payload(data, at, end, opcode, key))
    if end - at < size:
        parts.append(Part(end, end, f"{size - (end - at):,} bytes of it are missing here"))
    return Unit(start, end, f"WebSocket {name}", tuple(parts))


def _payload(data: bytes, start: int, end: int, opcode: int, key: bytes) -> Part:
    """What is in a WebSocket frame: data stand among the frames, so they are not shown a second time."""
    if opcode in (0, 2):
        return Part(
            start, end, f"{end - start:,} bytes of frames, shown by themselves", start, elsewhere=True
        )
    plain = (
        bytes(each ^ key[index % 4] for index, each in enumerate(data[start:end])) if key else data[start:end]
    )
    if opcode == 8 and len(plain) >= 2:
        reason = f", and a reason of {len(plain) - 2} bytes" if len(plain) > 2 else ""
        code = int.from_bytes(plain[:2], "big")
        return Part(start, end, f"code {code}{reason}", None if len(plain) == 2 else start + 2)
    return Part(start, end, f"a payload of {len(plain):,} bytes, not shown", start)
