"""The reading half's way from bytes to frames: where a frame ends, and whether it may come now.

Lengths are judged before a byte of the frame is kept, and a frame that is not whole yet is not looked at again
before it is. What a frame then means is in connection.py.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from .core import Core, Role, State
from .errors import ErrorCode, ProtocolViolation
from .events import EndOfInput, Event, Failed
from .framereading import decode, read_versions
from .frametypes import Call, Item, Result
from .framewriting import CALL_HEAD, ITEM_HEAD, RESULT_HEAD
from .head import Data
from .limits import EARLY_FRAME, LARGEST_FRAME
from .usualframes import read_call, read_item, read_result

_PREFIX: Final = Struct(">IH").unpack_from  # the length, and the heads of array and kind: no frame is shorter
_HEAD: Final = 6  # bytes of that; with fewer of a frame, only its length can be judged
_LARGE_FRAME: Final = 65_536  # bytes; from here on a frame is not sliced out, so that its body is copied once
_USUAL: Final[dict[int, Callable[[bytes, int, int], Call | Result | Item | None]]] = {
    CALL_HEAD: read_call,
    RESULT_HEAD: read_result,
    ITEM_HEAD: read_item,
}
_AUTH_HEAD: Final = 0x8301
_GOAWAY_HEAD: Final = 0x830E


class Reading(Core):
    """What takes bytes. Not for use on its own."""

    __slots__ = ()

    def receive(self, data: Data) -> list[Event]:
        """The events in `data` and what was kept of earlier bytes. Failed, if it comes, is the last one."""
        events: list[Event] = []
        if self.state is State.CLOSED:
            return events
        if type(data) is not bytes:
            data = bytes(data)
        try:
            if self._kept:
                data = self._join(data, events)
            if data:
                self._scan(data, events)
        except ProtocolViolation as violation:
            self._fail_with(violation, events)
        return events

    def _fail_with(self, violation: ProtocolViolation, events: list[Event]) -> None:
        violation.__traceback__ = violation.__context__ = None  # they would keep the bytes alive
        self.fail(violation)
        events.append(Failed(violation))

    def receive_eof(self) -> list[Event]:
        """The events of an orderly end of input: EndOfInput, or Failed where it cuts a frame (FRAME-8)."""
        if self.state is State.CLOSED:
            return []
        if self._kept:
            violation = ProtocolViolation("FRAME-8", "the other side ended inside a frame")
            self.fail(violation)
            return [Failed(violation)]
        return [EndOfInput()]

    # --- bytes to frames ----------------------------------------------------------------------------------

    def _join(self, data: bytes, events: list[Event]) -> bytes:
        """`data` behind what was kept; empty while the frame under way is not whole. A large one is read here."""
        kept, needed = self._kept, self._needed
        if len(kept) < _HEAD:
            # `_check` has not seen this frame: `_scan` looks at it again, with more of it
            self._kept = bytearray()
            return b"".join((kept, data))
        if len(kept) + len(data) < needed:
            kept += data
            return b""
        self._kept = bytearray()
        if needed <= _LARGE_FRAME:
            return b"".join((kept, data))
        kept += data
        frame = decode(memoryview(kept)[4:needed])
        self._reactions[frame.kind](self, frame, events)
        return b"" if self.state is State.CLOSED else bytes(memoryview(kept)[needed:])

    def _scan(self, data: bytes, events: list[Event]) -> None:
        """Read all whole frames in `data`, and keep the rest."""
        usual = _USUAL
        position, end = 0, len(data)
        while end - position >= _HEAD:
            length, head = _PREFIX(data, position)
            start = position + 4
            stop = start + length
            if (stop > end or not 2 <= length <= self._unchecked) and not self._check(
                data, start, length, head
            ):
                break
            reader = usual.get(head)
            frame = None if reader is None else reader(data, start + 2, stop)
            if frame is None:
                frame = decode(data[start:stop] if length < _LARGE_FRAME else memoryview(data)[start:stop])
            position = stop
            self._reactions[frame.kind](self, frame, events)
            if self.state is State.CLOSED:
                return
        if position < end:
            self._keep(data, position)

    def _keep(self, data: bytes, position: int) -> None:
        """Keep the start of a frame that is not whole: one that `_check` has let pass, or less than it needs."""
        self._needed = 4
        if len(data) - position >= 4:
            length = int.from_bytes(data[position : position + 4], "big")
            self._check_length(length)
            self._needed += length
        self._kept = bytearray(memoryview(data)[position:])

    def _check(self, data: bytes, start: int, length: int, head: int) -> bool:
        """Whether the frame at `start` is whole; raises if it may not come now, before a byte of it is kept."""
        stop = start + length
        whole = stop <= len(data)
        # first, as in `_keep`: what is refused doesn't depend on where bytes are cut
        self._check_length(length)
        if self._early_left is not None and self.state is State.OPEN:
            self._check_early(length, head, whole)
        if self.state is State.OPENING and whole:
            self._check_opening(data[start:stop], head)
        return whole

    def _check_length(self, length: int) -> None:
        """Clauses FRAME-2 and HELLO-8, as far as the length tells: no AUTH is longer than an early frame."""
        if not 2 <= length <= LARGEST_FRAME:
            raise ProtocolViolation("FRAME-2", "a frame's length is out of its range")
        if length > EARLY_FRAME and (self.state is State.OPENING or self._proving):
            raise ProtocolViolation("HELLO-8", "a frame before the session is open is larger than 16 KiB")
        if length > self.limits.largest_frame:
            raise ProtocolViolation("FRAME-2", "a frame is larger than this side said that it takes")

    def _check_early(self, length: int, head: int, whole: bool) -> None:
        """Clause HELLO-8: what an initiator writes early is bounded; AUTHs after the first are not counted."""
        assert self._early_left is not None
        if self._offered > 1 and self._outbox.hello is not None:
            raise ProtocolViolation("HELLO-9", "several versions were offered, and more was sent than HELLO")
        if not self._proving and head != _AUTH_HEAD:
            self._lift()  # the second frame is no AUTH, so the session was open with this side's HELLO
        elif not self._proving and length > EARLY_FRAME:
            raise ProtocolViolation("HELLO-8", "a frame before the session is open is larger than 16 KiB")
        elif not self._proving or head != _AUTH_HEAD:
            left = self._early_left - 4 - length
            if left < 0:
                raise ProtocolViolation("HELLO-8", "more than 32 KiB came before the session was open")
            if whole:
                self._early_left = left

    def _lift(self) -> None:
        """From now on the other side may send in full."""
        self._early_left = None
        self._unchecked = self.limits.largest_frame
        self._proving = False
        self._reactions = self._REACTIONS

    def _check_opening(self, payload: bytes, head: int) -> None:
        """The first frame of the other side: HELLO, or GOAWAY where it refuses. Both heads are frozen (HELLO-6)."""
        if head == _GOAWAY_HEAD and self.role is Role.INITIATOR:
            return
        offered = read_versions(payload)
        if self.role is Role.ACCEPTOR:
            if not set(offered) & set(self._versions):
                raise ProtocolViolation(
                    "HELLO-4", "the two sides share no protocol version", ErrorCode.VERSION
                )
        elif len(offered) != 1 or offered[0] not in self._versions:
            raise ProtocolViolation("HELLO-3", "the acceptor chose a version that was not offered")
