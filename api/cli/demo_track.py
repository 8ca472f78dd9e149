"""What the demo knows of one transport: how far it is, what crossed the link, how long the calls took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from graftwire.protocol.frames import Call, Error, Result

from .reading import Reader, Seen, credentials_in

OPENING: Final = "opening"
MEASURE: Final = "measure"
LEAVING: Final = "leaving"


@dataclass(frozen=True, slots=True)
class Crossed:
    """A frame that crossed: in which step of the demo, and whether it came or was sent, seen from the caller."""

    step: str
    came: bool
    seen: Seen


@dataclass
class Track:
    """One transport. `doing` is the step under way, "" where none is; `done` are the kinds of call that worked.

    `tape` holds the bytes of the link as they were sent and received, with the step in which that was; `frames` what
    `decode` makes of them.
    """

    transport: str
    url: str
    doing: str = ""
    done: list[str] = field(default_factory=list[str])
    times: list[float] = field(default_factory=list[float])
    tape: list[tuple[str, bool, bytes]] = field(default_factory=list[tuple[str, bool, bytes]])
    frames: list[Crossed] = field(default_factory=list[Crossed])

    def record(self, came: bool, data: bytes) -> None:
        """What a watcher of the link calls."""
        self.tape.append((self.doing, came, data))

    def decode(self) -> None:
        """Make frames of the tape: every byte of it, or there is one more frame that says what it breaks.

        A frame of a call belongs to the step that made the call: the end of one that was cancelled may come later.
        """
        readers = {came: Reader() for came in (False, True)}
        steps: dict[int, str] = {}
        step = OPENING
        for step, came, data in self.tape:
            for seen in readers[came].feed(data):
                frame = seen.frame
                if isinstance(frame, Call):
                    steps[frame.id] = step
                ends = isinstance(frame, Result | Error)
                self.frames.append(Crossed(steps.get(frame.id, step) if ends else step, came, seen))
        for came, reader in readers.items():
            self.frames += [Crossed(step, came, seen) for seen in reader.finish()]

    @property
    def calls(self) -> int:
        """How many calls crossed, in either direction."""
        return sum(isinstance(crossed.seen.frame, Call) for crossed in self.frames)

    @property
    def size(self) -> int:
        """How many bytes crossed."""
        return sum(len(data) for _, _, data in self.tape)

    @property
    def credentials(self) -> int:
        """How many credentials were in the frames."""
        return sum(credentials_in(crossed.seen.frame) for crossed in self.frames)

    @property
    def broken(self) -> Seen | None:
        """The first frame that breaks the standard, if any does."""
        return next((crossed.seen for crossed in self.frames if crossed.seen.violation is not None), None)

    def quantile(self, part: float) -> float | None:
        """The seconds within which that part of the measured calls was done."""
        if not self.times:
            return None
        ordered = sorted(self.times)
        return ordered[min(int(len(ordered) * part), len(ordered) - 1)]
