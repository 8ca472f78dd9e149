"""A frame in one line, as `tap` and `demo` show it: where it goes, what it is, which call it belongs to, its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rich.text import Text

from graftwire.protocol import frames
from graftwire.protocol.frames import Context, Frame

from .notation import SHAPES, body_notation, counted, kind_of
from .output import printable
from .reading import Seen

MOST_CALLS: Final = (
    131_072  # targets of open calls that are remembered: two sides with as many as they may have
)

STYLES: Final = {
    "CALL": "bold cyan",
    "RESULT": "green",
    "ITEM": "blue",
    "END": "blue",
    "ERROR": "yellow",
    "CANCEL": "magenta",
    "GOAWAY": "bold",
    "HELLO": "bold",
    "AUTH": "bold red",
    "CHALLENGE": "bold red",
    "ACCEPTED": "bold red",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One frame: `id` of its call ("" if it has none), `about` its target and what else is worth knowing."""

    kind: str
    id: str
    about: Text
    size: int


class Conversation:
    """Both directions of one session, followed so that each frame can be shown with the target of its call."""

    def __init__(self, *, bodies: bool = False) -> None:
        self._bodies = bodies
        self._targets: dict[int, str] = {}

    def row(self, seen: Seen) -> Row:
        """The line for a frame. Frames have to come in the order in which they crossed."""
        frame, violation = seen.frame, seen.violation
        if frame is None:
            assert violation is not None
            text = Text(f"breaks {violation.clause}: {violation.text}", style="bold red")
            return Row("?", "", text, seen.size)
        return Row(kind_of(frame), _id(frame), self._about(frame), seen.size)

    def _about(self, frame: Frame) -> Text:
        parts: list[str] = []
        target = ""
        match frame:
            case frames.Call():
                target = _target(frame)
                if len(self._targets) < MOST_CALLS:
                    self._targets[frame.id] = target
                parts += [SHAPES[frame.shape], *_context(frame.context)]
                if frame.credential is not None:
                    parts.append(f"credential present, {counted(len(frame.credential[1]), 'byte')}")
            case frames.Result():
                target = self._targets.pop(frame.id, "")
            case frames.Error():
                target = self._targets.pop(frame.id, "")
                parts.append(frame.code.label)
            case frames.Item() | frames.Cancel() | frames.End():
                target = self._targets.get(frame.id, "")
            case frames.Credit():
                target = self._targets.get(frame.id, "") if frame.id else "the session"
                parts.append(f"{frame.more:,} bytes more")
            case _:
                parts += _alone(frame)
        body: bytes | None = getattr(frame, "body", None)
        if body is not None:
            parts.append(
                body_notation(body, shown=True) if self._bodies else f"body {counted(len(body), 'byte')}"
            )
        text = Text(printable(target), style="bold" if isinstance(frame, frames.Call) else "")
        if parts:
            text.append(f"{'  ' if target else ''}{', '.join(parts)}", style="dim" if target else "")
        return text


def _id(frame: Frame) -> str:
    id: int | None = getattr(frame, "id", None)
    return str(id) if id else ""


def _target(call: frames.Call) -> str:
    if isinstance(call.target, str):
        return call.target
    reference, method = call.target
    return f"reference {reference}{'.' if method else ''}{method}"


def _context(context: Context | None) -> list[str]:
    if context is None:
        return []
    parts: list[str] = []
    if context.remaining is not None:
        parts.append(f"{context.remaining:,} ms left")
    if context.trace is not None:
        parts.append("traced")
    return parts


def _alone(frame: Frame) -> list[str]:
    """What is worth knowing of a frame that belongs to no call."""
    match frame:
        case frames.Hello():
            return [f"version {', '.join(map(str, frame.versions))}"]
        case frames.Auth():
            return [f"{frame.scheme}, credential present, {counted(len(frame.proof), 'byte')}"]
        case frames.Challenge():
            return [f"challenge present, {counted(len(frame.data), 'byte')}"]
        case frames.Ping() | frames.Pong():
            return [f"number {frame.counter}"]
        case frames.Goaway():
            return [f"last call {frame.last}, {'in peace' if frame.code == 0 else frame.code.label}"]
        case frames.Release():
            return [f"reference {frame.reference}"]
        case _:
            return []
