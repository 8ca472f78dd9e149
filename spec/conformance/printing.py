"""A case in words and bytes, for people: what `--print-only` shows, and the list of cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from . import frames
from .case import (
    Case,
    Check,
    Crowd,
    Cut,
    Deaf,
    Describe,
    Drain,
    Expect,
    ExpectPong,
    HalfClose,
    Open,
    Pause,
    Plain,
    Send,
    Settle,
    Silence,
    Step,
    Text,
    WebSocketFrame,
)
from .conversation import told
from .parts import Bytes, Piece, Scope, wire
from .playing import Instance, told_outcomes
from .reading import name_of
from .roles import Role

SHOWN: Final = 256  # bytes of one piece that are shown
# In the place of proofs, which are never printed; they are made anew for each run.
PLACEHOLDERS: Final = {each: bytes(24) for each in ("alice", "bob", "nobody", "wrong")}


def list_line(case: Case) -> str:
    """A case in one line, cells divided by tabs: id, chapter, level, roles, links, clauses, sentence."""
    roles, links = " ".join(case.roles), " ".join(case.links)
    return "\t".join((case.id, case.chapter, case.level, roles, links, " ".join(case.clauses), case.says))


def lines_of(instance: Instance) -> Iterator[str]:
    """All that is sent and awaited, line by line; proofs stand as zeros."""
    case = instance.case
    scope = Scope(instance.role.other, "key", PLACEHOLDERS)
    yield f"{case.id}: {case.says}"
    where = f"the target is the {instance.role}, over {instance.link}, in the setup {case.setup}"
    yield f"{case.level}, {', '.join(case.clauses)}; {where}"
    if instance.role is Role.INITIATOR:
        yield f"the target is asked to {case.activity.do}"
    for number, step in enumerate(case.steps, 1):
        first, *rest = _step(step, scope)
        yield f"{number:>3}. {first}"
        yield from (f"     {each}" for each in rest)
    yield f"then: {told_outcomes(case.outcomes)}, within {case.within:g} s"


def _step(step: Step, scope: Scope) -> list[str]:
    match step:
        case Open():
            hello = frames.hello(limits=step.limits)
            first, second = (
                ("send HELLO", "await HELLO") if scope.role == "initiator" else ("await HELLO", "send HELLO")
            )
            sent = [line for piece in (hello, *step.more) for line in _piece(piece, scope)]
            return [f"{first}, {second}", *sent]
        case Send():
            cut = f", cut at {', '.join(map(str, step.cuts))}" if step.cuts else ""
            cut += f", cut after every {step.every} bytes" if step.every else ""
            cut += f", {step.pause:g} s between the parts" if step.pause else ""
            return [f"send{cut}", *(line for piece in step.pieces for line in _piece(piece, scope))]
        case Expect():
            return [f"await {told(step.frames)}" + (f", {step.times} times" if step.times > 1 else "")]
        case Settle():
            return ["send PING, await PONG"]
        case Pause():
            return [f"wait {step.seconds:g} s"]
        case HalfClose():
            return ["say that nothing more is sent"]
        case Cut():
            return ["reset the connection" if step.reset else "cut the connection off"]
        case Text():
            return [f"send a WebSocket text message of {len(step.text)} characters"]
        case WebSocketFrame():
            return [f"send a WebSocket frame with opcode {step.opcode}", *_hex(step.payload)]
        case ExpectPong():
            return ["await a pong of WebSocket", *_hex(step.payload)]
        case Plain():
            return ["send, below the framing of the link", *_hex(step.data * step.times)]
        case Silence():
            return ["answer no PING from now on"]
        case Deaf():
            return ["read again" if step.reading else "read nothing from now on"]
        case Drain():
            return ["have the target leave"]
        case Crowd():
            sent = [line for piece in step.pieces for line in _piece(piece, scope)]
            return [f"open {step.count} further links, and write to each of them:", *sent]
        case Describe():
            return ["call graftwire.describe, and once more for each digest in its result"]
        case Check():
            return [f"in a session of its own: {step.method} gives the value that it has to"]


def _piece(piece: Piece, scope: Scope) -> list[str]:
    data = wire(piece, scope)
    name = "bytes" if isinstance(piece, Bytes) else name_of(data[4:])
    first, *rest = _hex(data)
    return [f"{name}: {first}", *rest]


def _hex(data: bytes) -> list[str]:
    shown = data[:SHOWN].hex()
    lines = [shown[at : at + 96] for at in range(0, len(shown), 96)] or ["(none)"]
    if len(data) > SHOWN:
        lines.append(f"… {len(data)} bytes in all")
    return lines
