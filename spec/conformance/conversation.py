"""One link that is being played: what comes is read at once and kept, what the steps want is waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any, Final

import trio

from . import frames
from .farewells import Farewells
from .links.making import Linked
from .links.pipes import Gone
from .links.wires import Data, End, Fault, Pong, WebSocketWire, messages_of
from .parts import Frame, Mine, Part, Piece, Scope, Yours, matches, wire
from .reading import elements_of, fault_of, name_of
from .recording import Direction, Layer, Recorder, Splitter

HELLO, AUTH, ACCEPTED, CALL, RESULT, ERROR, ITEM, CREDIT = 0, 1, 3, 5, 6, 7, 9, 11
PING, PONG, GOAWAY = 12, 13, 14
LEAVING: Final = 2.0  # seconds in which a target that was left ends the link; how long it takes is no verdict
# HELLO-7, HELLO-8: what an initiator may write before it has read HELLO, or ACCEPTED
LARGEST_EARLY_FRAME: Final = 16_384
LARGEST_EARLY_BYTES: Final = 32_768
LEAST_CALLS: Final = 16
AT_A_TIME: Final = 64  # frames of one read that are judged before others, and bounds of time, have their turn
# WS-5: the codes of a Close frame that a peer may send.
CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1009})


class Failed(Exception):
    """The target did what the case does not allow: one sentence, without a secret."""


class Seen:
    """A frame of the target. `taken`: a step has waited for it, or it is of those that may come at any time."""

    def __init__(self, number: int, position: int, payload: bytes) -> None:
        self.number = number
        self.position = position
        self.payload = payload
        self.elements: list[Any] = elements_of(payload) or [None]
        self.taken = False
        self.background = False

    @property
    def kind(self) -> object:
        """The number of its kind, or whatever stands there."""
        return self.elements[0]

    def __str__(self) -> str:
        shown = name_of(self.payload)
        if self.kind == GOAWAY and len(self.elements) == 3:
            return f"GOAWAY({self.elements[1]}, {self.elements[2]})"
        if self.kind in (6, 7, 9) and len(self.elements) > 1:
            code = f", code {self.elements[2]}" if self.kind == 7 and len(self.elements) > 2 else ""
            return f"{shown} of call {self.elements[1]}{code}"
        return shown


class Early:
    """What an initiator may write before it can have read the acceptor's HELLO, or ACCEPTED (HELLO-7 to HELLO-9)."""

    def __init__(self) -> None:
        self._left = LARGEST_EARLY_BYTES
        self._calls = 0
        self._several = False  # versions were offered
        self._second: object = None  # the kind of the second frame
        self._hello = self._accepted = False  # the runner has begun to write them

    def wrote(self, kind: object) -> None:
        """The runner is about to write a frame of this kind."""
        self._hello = self._hello or kind == HELLO
        self._accepted = self._accepted or kind == ACCEPTED

    def fault_of(self, seen: Seen) -> Fault | None:
        """What is wrong with a frame that came, as far as it is early."""
        size = len(seen.payload)
        if seen.number == 1:
            versions = seen.elements[1] if len(seen.elements) > 1 else None
            self._several = isinstance(versions, list) and len(versions) > 1  # pyright: ignore[reportUnknownArgumentType]
        if seen.number == 2:
            self._second = seen.kind
        if seen.number > 1 and not self._hello:
            self._calls += seen.kind == CALL
            if self._several:
                return Fault("HELLO-9", f"{seen} came early, and several versions are offered")
            if self._calls > LEAST_CALLS:
                return Fault(
                    "HELLO-7", f"{seen} came early, and is one more than the least that there may be"
                )
        over = self._accepted if self._second == AUTH else self._hello and seen.number > 1
        if over or (seen.kind == AUTH and seen.number > 2):
            return None
        self._left -= size + 4
        if size > LARGEST_EARLY_FRAME:
            return Fault("HELLO-8", f"{seen} came early, and is longer than {LARGEST_EARLY_FRAME} bytes")
        if self._left < 0:
            return Fault("HELLO-8", f"{seen} came early, and with it more than {LARGEST_EARLY_BYTES} bytes")
        return None


class Conversation:
    """What the runner and the target say to each other over one link.

    `run` reads; the other methods write and wait. `faults` are breaches of rules that hold in every case: they fail it
    whatever else happens.
    """

    def __init__(self, linked: Linked, scope: Scope, recorder: Recorder) -> None:
        self.wire = linked.wire
        self.scope = scope
        self.recorder = recorder
        self.seen: list[Seen] = []
        self.pongs: list[bytes] = []  # payloads of pongs of WebSocket
        self.faults: list[Fault] = linked.faults
        self.end: End | None = None
        self.ended_at: float | None = None
        self.closed_here = False  # the runner has said that it writes nothing more, or cut the link
        self.torn = False  # the runner has cut the link, so nobody owes it an orderly end
        self.silent = False
        self.goaway: Seen | None = None  # with an error code: the session is over
        self._splitter = Splitter()
        self._farewells = Farewells()
        self._parted = False  # the runner has said GOAWAY, in peace and for good
        self._calls: set[int] = set()  # the ids of the runner's calls
        self._first: int | None = None  # bytes of the first that the runner says
        self._early: Early | None = Early() if scope.role == "acceptor" else None
        self._pings = 0
        self._their_pings = 0
        self._changed = trio.Event()
        self._hearing = trio.Event()
        self._hearing.set()
        self._broken = False
        self._last = 0  # the number of the frame that a step has waited for last
        self._answered: set[object] = set()  # the runner's calls that have their terminal

    # --- reading ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Read until the end. Raises Flooded."""
        while self.end is None:
            await self._hearing.wait()
            for event in await self.wire.receive():
                if isinstance(event, Data):
                    await self._data(event)
                elif isinstance(event, Fault):
                    self.faults.append(event)
                elif isinstance(event, Pong):
                    self.pongs.append(event.payload)
                else:
                    await self._on_end(event)
            self._wake()

    async def _on_end(self, end: End) -> None:
        self.end = end
        self.ended_at = trio.current_time()
        self.recorder.note(Direction.TARGET, end.why)
        if self._splitter.kept and (end.orderly or not self.closed_here):
            self.faults.append(Fault("FRAME-8", "the link ends inside a frame"))
        if end.code is not None and end.code not in CLOSE_CODES and not self.closed_here:
            self.faults.append(Fault("WS-5", f"a Close frame with code {end.code}"))
        if end.orderly and not self.silent:
            await self.half_close()  # as a peer does, so that the target need not wait for its bound

    async def _data(self, event: Data) -> None:
        if self._broken:
            return
        try:
            found = self._splitter.feed(event.data)
        except ValueError as error:
            self._broken = True
            self.faults.append(Fault("FRAME-2", f"{error}"))
            return
        if event.whole and self._splitter.kept:
            self.faults.append(Fault("WS-1", "a message that does not hold whole frames"))
        for number, (position, payload) in enumerate(found, 1):
            await self._frame(Seen(len(self.seen) + 1, position, payload))
            if not number % AT_A_TIME:
                await trio.lowlevel.checkpoint()

    async def _frame(self, seen: Seen) -> None:
        self.seen.append(seen)
        fault = fault_of(seen.payload)
        if fault is not None:
            self.faults.append(
                Fault("FRAME-6", f"frame {seen.number}, {seen}, at byte {seen.position}: {fault}")
            )
            return
        if self.goaway is not None:
            self.faults.append(Fault("LEAVE-6", f"{seen} came after the GOAWAY that ended the session"))
        if seen.number == 1 and seen.kind not in (HELLO, GOAWAY):
            self.faults.append(Fault("FRAME-7", f"the first frame is {seen}"))
        if seen.kind in (RESULT, ERROR, ITEM) and seen.elements[1] in self._answered:
            self.faults.append(Fault("CALL-6", f"{seen} came after the terminal of that call"))
        if seen.kind in (RESULT, ERROR):
            self._answered.add(seen.elements[1])
        if seen.number > 1 and seen.kind == HELLO:
            self.faults.append(Fault("HELLO-1", f"frame {seen.number} is another HELLO"))
        if (
            seen.number == 1
            and self.scope.role == "initiator"
            and seen.kind != GOAWAY
            and not self._has_spoken()
        ):
            self.faults.append(Fault("HELLO-1", f"{seen} came before the initiator's HELLO"))
        if self._early is not None:
            fault = self._early.fault_of(seen)
            if fault is not None:
                self.faults.append(fault)
        if seen.kind == CREDIT:
            seen.background = True
        elif seen.kind == PING:
            await self._ping(seen)
        elif seen.kind == GOAWAY:
            await self._goaway(seen)

    def _has_spoken(self) -> bool:
        """Whether the runner has written the whole of what it says first, or begun with the last bytes of it."""
        written = self.recorder.stream(Direction.RUNNER)
        return self._first is not None and len(written) >= self._first

    async def _goaway(self, seen: Seen) -> None:
        fault = self._farewells.fault_of(seen.elements, self._calls)
        if fault is not None:
            self.faults.append(fault)
        if seen.elements[2] != 0:
            self.goaway = seen
            if not self.silent:
                await self.half_close()
        elif self._parted:
            seen.background = True  # it leaves because the runner does

    async def _ping(self, seen: Seen) -> None:
        seen.background = True
        self._their_pings += 1
        if seen.elements[1] != self._their_pings:
            self.faults.append(
                Fault("KEEP-1", f"a PING with counter {seen.elements[1]}, {self._their_pings} was due")
            )
        if not self.silent:
            with suppress(Gone):  # the reader will see the end
                await self.wire.send([[wire(frames.pong(seen.elements[1]), self.scope)]])

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def hear(self, *, reading: bool) -> None:
        """Go on reading, or stop to."""
        if reading:
            self._hearing.set()
        else:
            self._hearing = trio.Event()

    # --- writing ------------------------------------------------------------------------------------------------------

    async def send(
        self,
        pieces: Sequence[Piece],
        *,
        cuts: Sequence[int] = (),
        every: int = 0,
        pause: float = 0.0,
        apart: bool = False,
    ) -> None:
        """Write pieces as `Send` says. What can't be written because the target has ended the link is not written."""
        for piece in pieces:
            if isinstance(piece, Frame) and piece.kind == PING:
                self._pings += 1  # so that `settle` goes on counting where the case has stopped
            self._note(piece)
            if self._early is not None and isinstance(piece, Frame):
                self._early.wrote(piece.kind)
        encoded = [wire(piece, self.scope) for piece in pieces]
        if self._first is None and encoded:
            self._first = len(encoded[0])
        if isinstance(self.wire, WebSocketWire):
            joined = encoded if apart else messages_of(encoded)
        else:
            joined = encoded if apart else [b"".join(encoded)]
        messages = [_cut(each, cuts, every) for each in joined]
        try:
            await self.wire.send(messages, pause)
        except Gone:
            await self._stand_until(lambda: self.end is not None)

    def _note(self, piece: Piece) -> None:
        """Remember what the target's frames are judged by."""
        if not isinstance(piece, Frame) or not piece.elements:
            return
        first = piece.elements[0]
        if isinstance(first, Mine | Yours):
            first = self.scope.id(first)
        if piece.kind == CALL and isinstance(first, int):
            self._calls.add(first)
        elif piece.kind == GOAWAY and first != frames.BIGGEST:
            self._parted = True

    async def farewell(self) -> None:
        """Leave in peace, and read what the target still says, to the end of the link."""
        if not self._parted:
            made = [each.elements[1] for each in self.seen if each.kind == CALL and len(each.elements) > 1]
            await self.send(
                (frames.goaway(max((each for each in made if isinstance(each, int)), default=0)),)
            )
        await self.half_close()
        with trio.move_on_after(LEAVING):
            await self.wait_end()

    async def half_close(self, code: int = 1000) -> None:
        """Say that nothing more is written."""
        if not self.closed_here:
            self.closed_here = True
            await self.wire.half_close(code)

    async def cut(self, *, reset: bool) -> None:
        """End the link without a word."""
        self.closed_here = self.torn = True
        await self.wire.cut(reset=reset)

    async def open(self, limits: tuple[int, ...] | None, more: Sequence[Piece]) -> None:
        """Exchange HELLOs. Raises Failed."""
        hello = frames.hello(limits=limits)
        if self.scope.role == "initiator":
            await self.send((hello, *more))
            await self.expect((frames.any_hello(),))
        else:
            await self.expect((frames.any_hello(offered=True),))
            await self.send((hello, *more))

    async def settle(self) -> bool:
        """PING and wait for the PONG; False where the session or the link ends in place of that."""
        await self.send((frames.ping(self._pings + 1),))
        pong = frames.pong(self._pings)
        await self._stand_until(lambda: self._find((pong,)) is not None or self.over)
        found = self._find((pong,))
        if found is not None:
            found.taken = True
            self._last = found.number
        return found is not None

    # --- waiting ------------------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether nothing more will come that belongs to the session."""
        return self.end is not None or self.goaway is not None

    async def expect(self, wanted: Sequence[Frame], what: str = "", *, behind: bool = False) -> Seen:
        """Wait for a frame that is one of these, and take it. Raises Failed where the session ends before."""
        after = self._last if behind else 0
        await self._stand_until(lambda: self._find(wanted, after) is not None or self.over)
        found = self._find(wanted, after)
        if found is None:
            how = (
                str(self.goaway) if self.goaway is not None else self.end.why if self.end is not None else ""
            )
            raise Failed(f"{what or told(wanted)} was due, and the session ended ({how})")
        found.taken = True
        self._last = found.number
        return found

    async def expect_pong(self, payload: bytes) -> None:
        """Wait for a pong of WebSocket with this payload. Raises Failed where the session ends before."""
        await self._stand_until(lambda: payload in self.pongs or self.over)
        if payload not in self.pongs:
            raise Failed("a pong of WebSocket was due, and the session ended")
        self.pongs.remove(payload)

    async def wait_end(self) -> None:
        """Wait until the link has ended."""
        await self._stand_until(lambda: self.end is not None)

    async def _stand_until(self, done: Callable[[], bool]) -> None:
        while not done():
            await self._changed.wait()

    def _find(self, wanted: Sequence[Frame], after: int = 0) -> Seen | None:
        return next(
            (
                each
                for each in self.seen[after:]
                if not each.taken and any(self.fits(frame, each) for frame in wanted)
            ),
            None,
        )

    def fits(self, frame: Frame, seen: Seen) -> bool:
        """Whether a frame that came is one that is expected."""
        expected: tuple[Part, ...] = (frame.kind, *frame.elements)
        return matches(expected, seen.elements, self.scope)

    def left_over(self, allowed: Sequence[Frame]) -> list[Seen]:
        """The frames that nobody waited for and that nothing allows."""
        return [
            each
            for each in self.seen
            if not (each.taken or each.background or any(self.fits(frame, each) for frame in allowed))
        ]

    def received(self) -> bytes:
        """All bytes of the target's frames."""
        return self.recorder.stream(Direction.TARGET, Layer.FRAMES)


def told(wanted: Sequence[Frame]) -> str:
    """What is waited for, in words."""
    return " or ".join(dict.fromkeys(frames.told(each) for each in wanted))


def _cut(data: bytes, cuts: Sequence[int], every: int) -> list[bytes]:
    if every:
        return [data[at : at + every] for at in range(0, len(data), every)] or [b""]
    places = sorted({at if at >= 0 else len(data) + at for at in cuts})
    edges = [0, *(at for at in places if 0 < at < len(data)), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]
