"""A closed world: every byte that a peer wrote is one that the standard asks for, or is in a field that it leaves free.

This looks at a record, after it has happened, and finds what no single frame shows: the link's own bytes, and numbers
that count; and, where the player of the session has not done so already, what is wrong with a frame.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Final

import cbor2

from . import websockets
from .links.wires import Fault
from .reading import elements_of, fault_of
from .recording import LARGEST_FRAME, LENGTH, Direction, Layer, Recorder
from .roles import Link, Role

CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1009})  # WS-5
SEVERAL: Final = 65_536  # bytes of a message of several frames (WS-1)
REFERENCE: Final = 41_991
_REFERENCE_HEAD: Final = b"\xd9\xa4\x07"
_REQUEST: Final = {
    "host": None,
    "upgrade": "websocket",
    "connection": "upgrade",
    "sec-websocket-key": None,
    "sec-websocket-version": "13",
    "sec-websocket-protocol": "graftwire.1",
}
_ANSWER: Final = {
    "upgrade": "websocket",
    "connection": "upgrade",
    "sec-websocket-accept": None,
    "sec-websocket-protocol": "graftwire.1",
}


def faults_of(
    recorder: Recorder,
    link: Link,
    role: Role,
    direction: Direction,
    *,
    gaps: bool = False,
    judged: bool = False,
) -> Iterator[Fault]:
    """What one side, in that role, wrote that there is no room for.

    `judged`: each frame has been judged by the grammar when it came. `gaps`: every body is at hand and was written in
    its order, so the ids of references leave none out (REF-1).
    """
    if link.websocket:
        other = next(each for each in Direction if each is not direction)
        yield from _of_link(
            recorder.stream(direction, Layer.LINK),
            websockets.parse(recorder.stream(other, Layer.LINK)),
            role,
        )
    yield from _of_frames(recorder.stream(direction), role, gaps=gaps, judged=judged)


# ---------------------------------------------------------------- the link's own bytes


def _of_link(data: bytes, other: websockets.Stream, role: Role) -> Iterator[Fault]:
    parts = websockets.parse(data)
    if parts.head and not (role is Role.ACCEPTOR and not parts.head.startswith(b"HTTP/1.1 101 ")):
        yield from _of_head(parts.head, role)
    elif parts.head:
        return  # a refusal: it is no link
    pings = {each.payload for each in other.frames if each.opcode == websockets.PING} | {b""}
    closed = False
    message = b""
    for frame in parts.frames:
        where = f"the WebSocket frame at byte {frame.start}"
        if closed:
            yield Fault("WS-5", f"{where} is behind the Close frame")
        if not frame.whole:
            yield Fault("WS-8", f"{where} is cut off")
        closed = closed or frame.opcode == websockets.CLOSE
        yield from _of_frame(frame, where, role, pings)
        if frame.opcode in websockets.DATA:
            message += frame.payload
            if frame.final:
                yield from _of_message(message, where)
                message = b""
    if parts.rest < len(data):
        yield Fault(
            "WS-8", f"{len(data) - parts.rest} bytes of the link, from byte {parts.rest} on, are no frame"
        )


def _of_frame(frame: websockets.Frame, where: str, role: Role, pings: set[bytes]) -> Iterator[Fault]:
    if frame.reserved:
        yield Fault("WS-4", f"{where} has a reserved bit")
    if frame.masked != (role is Role.INITIATOR):
        yield Fault("WS-8", f"{where} is {'masked' if frame.masked else 'not masked'}")
    if not frame.shortest:
        yield Fault("WS-8", f"{where} does not have its length in the shortest form")
    match frame.opcode:
        case websockets.CONTINUATION | websockets.BINARY:
            pass
        case websockets.TEXT:
            yield Fault("WS-2", f"{where} is a text")
        case websockets.PING if frame.payload:
            yield Fault("WS-5", f"{where} is a ping with a payload")
        case websockets.PONG if frame.payload not in pings:
            yield Fault("WS-5", f"{where} is a pong with a payload that no ping had")
        case websockets.CLOSE if len(frame.payload) > 2:
            yield Fault("WS-5", f"{where} is a Close with a reason")
        case websockets.CLOSE if frame.payload and int.from_bytes(frame.payload, "big") not in CLOSE_CODES:
            yield Fault("WS-5", f"{where} is a Close with a code that there is not")
        case websockets.PING | websockets.PONG | websockets.CLOSE:
            pass
        case _:
            yield Fault("WS-8", f"{where} has an opcode that there is not")


def _of_message(message: bytes, where: str) -> Iterator[Fault]:
    if not message:
        yield Fault("WS-1", f"the message that ends with {where} is empty")
    elif len(message) > SEVERAL and len(message) > LENGTH + int.from_bytes(message[:LENGTH], "big"):
        yield Fault(
            "WS-1", f"the message that ends with {where} has several frames, and is too long for that"
        )


def _of_head(head: bytes, role: Role) -> Iterator[Fault]:
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    wanted = _REQUEST if role is Role.INITIATOR else _ANSWER
    if role is Role.INITIATOR:
        words = first.split(" ")
        if len(words) != 3 or words[0] != "GET" or words[2] != "HTTP/1.1" or not words[1].startswith("/"):
            yield Fault("WS-6", "the request is not GET, a path, and HTTP/1.1")
        elif "?" in words[1] or "#" in words[1]:
            yield Fault("WS-6", "the target of the request has a query or a fragment")
    seen: set[str] = set()
    for line in lines:
        name, colon, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        if not colon or name in seen:
            yield Fault("WS-6", "a line of the handshake is no header, or one that was there before")
        seen.add(name)
        fixed = wanted.get(name)
        if fixed is not None and value.lower() != fixed:
            yield Fault("WS-6", f"the header {name} says something else than {fixed}")
        if name == "sec-websocket-key" and not _is_key(value):
            yield Fault("WS-6", "Sec-WebSocket-Key is not 16 bytes in their one encoding")
    # An Origin is there where the user says so, and extensions may be offered (WS-4): what there is in them is judged
    # by the cases that ask for it.
    optional = {"origin", "sec-websocket-extensions"} if role is Role.INITIATOR else set[str]()
    for name in sorted(seen - set(wanted) - optional):
        yield Fault("WS-6", f"the handshake has a header {name[:32]!r}")
    for name in sorted(set(wanted) - seen):
        yield Fault("WS-6", f"the handshake lacks the header {name}")


def _is_key(text: str) -> bool:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(data) == 16 and base64.b64encode(data).decode() == text


# ---------------------------------------------------------------- frames


def _of_frames(data: bytes, role: Role, *, gaps: bool, judged: bool) -> Iterator[Fault]:
    at = number = pings = 0
    call = 1 if role is Role.INITIATOR else 2
    references: list[int] = []
    while at < len(data):
        size = int.from_bytes(data[at : at + LENGTH], "big")
        number += 1
        payload = data[at + LENGTH : at + LENGTH + size]
        if len(data) - at < LENGTH or not 2 <= size <= LARGEST_FRAME or len(payload) < size:
            yield Fault("FRAME-8", f"{len(data) - at} bytes, from byte {at} on, are no whole frame")
            return
        where = f"frame {number}, at byte {at}"
        at += LENGTH + size
        fault = None if judged else fault_of(payload)
        elements = elements_of(payload) or [None]
        if fault is not None:
            yield Fault("FRAME-6", f"{where}: {fault}")
            continue
        if elements[0] == 5:
            if elements[1] != call:
                yield Fault("CALL-1", f"{where}: a CALL with id {elements[1]}, {call} was due")
            call += 2
        elif elements[0] == 12:
            pings += 1
            if elements[1] != pings:
                yield Fault("KEEP-1", f"{where}: a PING with counter {elements[1]}, {pings} was due")
        if _REFERENCE_HEAD in payload:
            references += _references(elements)
    yield from _of_references(references, role, gaps=gaps)


def _references(elements: list[Any]) -> list[int]:
    """The ids of the references in a body."""
    found: list[int] = []

    def look(item: Any) -> None:
        if isinstance(item, cbor2.CBORTag):
            if item.tag == REFERENCE and isinstance(item.value, int):
                found.append(item.value)
            look(item.value)
        elif isinstance(item, dict):
            for each in item.values():  # pyright: ignore[reportUnknownVariableType]
                look(each)
        elif isinstance(item, list | tuple):
            for each in item:  # pyright: ignore[reportUnknownVariableType]
                look(each)

    body = elements[-1]
    if isinstance(body, bytes):
        try:
            look(cbor2.loads(body))
        except (ValueError, RecursionError, cbor2.CBORError):
            return found
    return found


def _of_references(ids: list[int], role: Role, *, gaps: bool) -> Iterator[Fault]:
    odd = 1 if role is Role.INITIATOR else 0
    if any(each % 2 != odd for each in ids):
        yield Fault("REF-1", "a reference has an id of the other side")
    if len(set(ids)) < len(ids):
        yield Fault("REF-1", "the id of a reference is given again")
    due = list(range(2 - odd, 2 - odd + 2 * len(ids), 2))
    if gaps and sorted(ids) != due:
        yield Fault("REF-1", "the ids of references leave some out")
