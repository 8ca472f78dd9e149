"""What the cases send as a corpus for fuzzers: a file for each case, role and thing that is sent to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from . import frames
from .case import Case, Crowd, Open, Plain, Send, Settle
from .errors import HarnessError
from .parts import Scope, wire
from .printing import PLACEHOLDERS
from .roles import Link, Role

LARGEST: Final = 65_536  # bytes; fuzzers are slow with what is longer, and floods say nothing new


def stream_of(case: Case, role: Role) -> bytes:
    """All that a case writes to a target in `role` on a plain link, one after the other; proofs stand as zeros."""
    scope, pings, parts = Scope(role.other, "key", PLACEHOLDERS), 0, list[bytes]()
    for step in case.steps:
        match step:
            case Open():
                parts += [wire(each, scope) for each in (frames.hello(limits=step.limits), *step.more)]
            case Send():
                parts += [wire(each, scope) for each in step.pieces]
            case Crowd():
                parts += [wire(each, scope) for each in step.pieces]
            case Settle():
                pings += 1
                parts.append(wire(frames.ping(pings), scope))
            case Plain():
                parts.append(step.data * step.times)
            case _:
                pass
    return b"".join(parts)


def corpus(cases: Iterable[Case]) -> dict[str, bytes]:
    """Streams by name ("ID.ROLE", the role of who reads them), each of them once, and none above `LARGEST`."""
    found: dict[bytes, str] = {}
    for case in cases:
        if Link.TCP not in case.links:
            continue
        for role in case.roles:
            data = stream_of(case, role)
            if 0 < len(data) <= LARGEST:
                found.setdefault(bytes([role is Role.ACCEPTOR]) + data, f"{case.id}.{role}")
    return {name: data[1:] for data, name in found.items()}


def write(cases: Iterable[Case], directory: Path) -> int:
    """Write a file for each stream into a directory, which is made; returns how many. Raises HarnessError."""
    streams = corpus(cases)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in streams.items():
            (directory / name).write_bytes(data)
    except OSError as error:
        raise HarnessError(
            f"{directory}: {(error.strerror or 'it failed').lower()}: the corpus was not written"
        ) from None
    return len(streams)
