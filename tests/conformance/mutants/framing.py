"""Faults in framing and headers (sections 4.1 to 4.3 of the standard)."""

from __future__ import annotations

from typing import Any

from graftwire.protocol import framereading, head, reading
from graftwire.protocol.errors import ProtocolViolation
from graftwire.protocol.limits import LARGEST_FRAME

from .mutant import ACCEPTOR, Broken, Nothing, around, elements, mutant, repairing, reread, written


@mutant(
    "frame.too-long-taken",
    "FRAME-2",
    "A frame that is longer than limit 1 is taken.",
    "frame.length.oversize-declared",
)
class TooLong(Broken):
    def _check_length(self, length: int) -> None:
        if not self.limits.largest_frame < length <= LARGEST_FRAME:
            super()._check_length(length)


@mutant(
    "frame.room-taken-ahead",
    "FRAME-2",
    "Room is taken for what a length declares, before any of it has come (an eighth of it: that says enough).",
    "resource.frame.declared",
    roles=ACCEPTOR,
)
class RoomAhead(Broken):
    def _check_length(self, length: int) -> None:
        super()._check_length(length)
        self.room = b"\x01" * (length // 8)


@mutant(
    "frame.largest-refused",
    "FRAME-2",
    "Limit 1 is taken for the first length that is too large.",
    "frame.length.largest",
)
class LargestRefused(Broken):
    def _lift(self) -> None:
        super()._lift()
        self._unchecked -= 1

    def _check_length(self, length: int) -> None:
        if length == self.limits.largest_frame:
            raise ProtocolViolation("FRAME-2", "a frame is larger than this side takes")
        super()._check_length(length)


@mutant(
    "frame.trailing-bytes-taken",
    "FRAME-3",
    "What stands behind the array of a frame is passed over.",
    "frame.array.trailing-byte frame.array.two",
)
def trailing_bytes() -> None:
    repairing("FRAME-3", reread)


@mutant(
    "frame.reserved-kind-taken",
    "FRAME-4",
    "A frame of the reserved kind 4 is passed over.",
    "frame.kind.reserved",
)
def reserved_kind() -> None:
    repairing("FRAME-4", lambda payload: Nothing() if payload[1] == 4 else None)


@mutant(
    "frame.unknown-kinds-taken",
    "FRAME-4",
    "A frame of a kind that there is not is passed over.",
    "frame.kind.16 frame.kind.23 frame.kind.24 frame.kind.255 frame.kind.4294967296",
)
def unknown_kinds() -> None:
    repairing("FRAME-4", lambda payload: Nothing() if payload[1] != 4 else None)


@mutant(
    "frame.arity-not-counted",
    "FRAME-5",
    "Elements behind those that a frame has are passed over.",
    "frame.arity.due.* frame.arity.ping.more frame.arity.auth.more frame.arity.call.more frame.arity.credit.more "
    "frame.arity.goaway.more frame.arity.hello.more",
)
def arity() -> None:
    arities = [0 if each is None else each[0] for each in framereading._KINDS]
    repairing("FRAME-5", lambda payload: written(elements(payload)[: arities[payload[1]]]))


@mutant(
    "frame.ping-before-hello-taken",
    "FRAME-7",
    "A PING may come before HELLO.",
    "frame.first.ping",
)
class PingFirst(Broken):
    def _check_opening(self, payload: bytes, head: int) -> None:
        if head != 0x820C:
            super()._check_opening(payload, head)


@mutant(
    "head.long-heads-taken",
    "HEAD-1",
    "Integers, lengths and counts may be written in more bytes than they need.",
    "head.long.array head.long.kind head.long.integer head.long.call.shape head.long.call.target head.long.call.c* "
    "head.long.call.trace* head.long.call.body* head.long.auth.* head.long.credit.bytes head.long.goaway.* "
    "head.long.limit* head.long.call.id head.long.version* head.long.due.*",
    roles=ACCEPTOR,
)
def long_heads() -> None:
    repairing("HEAD-1", reread)
    strict = reading.read_versions
    reading.read_versions = lambda payload: strict(reread(payload))


@mutant(
    "head.large-versions-taken",
    "HEAD-2",
    "An integer in a header may have 64 bits.",
    "head.above.version",
    roles=ACCEPTOR,
)
def large_integers() -> None:
    head.LARGEST_INTEGER = 2**64


@mutant(
    "head.unsorted-keys-taken",
    "HEAD-3",
    "The keys of a map may come in any order, and of a key that is there twice one counts.",
    "head.map.order head.map.twice head.map.limits.twice context.descending context.twice",
)
def unsorted_keys() -> None:
    repairing("HEAD-3", reread)


@mutant(
    "head.unknown-keys-taken",
    "HEAD-3",
    "A key of the context that nobody knows is passed over: there is room for a fourth field.",
    "head.map.unknown head.map.unknown.zero context.unknown-key context.key-zero",
)
def unknown_keys() -> None:
    def repair(payload: bytes) -> bytes | None:
        call = elements(payload)
        known = {key: value for key, value in call[4].items() if 0 < key < 4}
        return None if len(known) == len(call[4]) else written([*call[:4], known or None, *call[5:]])

    repairing("HEAD-3", repair)


@mutant(
    "head.any-ascii-taken",
    "HEAD-4",
    "A text in a header may hold spaces and control characters.",
    "head.text.space head.text.control head.text.delete head.text.due.method call.target.space call.target.control",
)
def any_ascii() -> None:
    framereading.is_graphic = bytes.isascii


@mutant(
    "head.indefinite-lengths-taken",
    "HEAD-5",
    "What has an indefinite length is read up to its break.",
    "head.indefinite.array head.indefinite.body head.indefinite.target head.indefinite.context head.indefinite.trace "
    "head.indefinite.credential head.indefinite.proof head.indefinite.limits head.indefinite.due.*",
)
def indefinite_lengths() -> None:
    repairing("HEAD-5", reread)


@mutant(
    "head.undefined-taken",
    "HEAD-6",
    "`undefined` does where null has to be.",
    "head.simple.undefined",
)
def undefined() -> None:
    @around(framereading, "_is_null")
    def _(strict: Any, data: Any, position: int) -> bool:
        return strict(data, position) or data[position] == 0xF7
