"""What a mutant is: the reference target with one fault, which has a name and is no longer than it must be.

A fault is put in at one of a few seams: a subclass of the protocol core that every session of the target then has
(`Broken`), the decoder of frames, which may be made to repair what it has to refuse (`repairing`), or whatever function
of the library the fault is about.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cbor2

from graftwire.conformance.roles import BOTH, Link, Role
from graftwire.protocol import reading
from graftwire.protocol.connection import Connection
from graftwire.protocol.errors import ProtocolViolation
from graftwire.transport import session


@dataclass(frozen=True)
class Mutant:
    """One fault: `says` is what is wrong, `clause` what it breaks, `cases` the ids (or patterns) of what catches it.

    On `link` and in `roles`, those cases fail and every other one passes. What is said of the failure holds `told`.
    `apply` puts the fault into this process.
    """

    name: str
    clause: str
    says: str
    cases: tuple[str, ...]
    roles: tuple[Role, ...]
    link: Link
    told: str
    apply: Callable[[], None]


REGISTER: list[Mutant] = []

ACCEPTOR = (Role.ACCEPTOR,)
INITIATOR = (Role.INITIATOR,)


def mutant(
    name: str,
    clause: str,
    says: str,
    cases: str,
    *,
    roles: tuple[Role, ...] = BOTH,
    link: Link = Link.TCP,
    told: str = "",
) -> Callable[[Any], Any]:
    """Enter a fault: a subclass of `Broken`, or a function that changes the library."""

    def enter(fault: Any) -> Any:
        apply = partial(setattr, session, "Connection", fault) if isinstance(fault, type) else fault
        REGISTER.append(Mutant(name, clause, says, tuple(cases.split()), roles, link, told, apply))
        return fault

    return enter


class Nothing:
    """A frame that was passed over."""

    kind = 16


class Broken(Connection):
    """The protocol core, for a subclass that reacts in another way to a frame, or changes what is sent (`sent`)."""

    def __init_subclass__(cls) -> None:
        cls._REACTIONS = (*_of(cls, Connection._REACTIONS), cls._pass_over)
        cls._PROVING = (*_of(cls, Connection._PROVING), cls._pass_over)

    def _pass_over(self, frame: Nothing, events: list[Any]) -> None:
        """Nothing comes of it."""

    def sent(self, frame: bytes) -> bytes:
        """What is written in the place of a frame; its fifth byte is the head of the array, its sixth the kind."""
        return frame

    def take(self, most: int = 262_144) -> list[bytes]:
        return [self.sent(each) for each in super().take(most)]


def _of(cls: type, functions: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(getattr(cls, each.__name__) for each in functions)


def repairing(clause: str, repair: Callable[[bytes], bytes | Nothing | None]) -> None:
    """Let the decoder take frames that break `clause`: `repair` gives other bytes for one, or None."""
    strict: Callable[[Any], Any] = reading.decode

    def decode(payload: Any) -> Any:
        try:
            return strict(payload)
        except ProtocolViolation as violation:
            if violation.clause != clause:
                raise
            try:
                repaired = repair(bytes(payload))
            except (cbor2.CBORDecodeError, ValueError, TypeError, LookupError):
                raise violation from None
            if repaired is None:
                raise
            return strict(repaired) if isinstance(repaired, bytes) else repaired

    reading.decode = decode


def elements(payload: bytes) -> Any:
    """The first item in `payload`, as a decoder that takes everything has it."""
    return cbor2.CBORDecoder(io.BytesIO(payload)).decode()


def written(item: Any) -> bytes:
    """An item as it has to be written."""
    return cbor2.dumps(item, canonical=True)


def reread(payload: bytes) -> bytes:
    """A frame as a tolerant decoder understands it."""
    return written(elements(payload))


def around(owner: Any, name: str) -> Callable[[Callable[..., Any]], None]:
    """Put a function in the place of another one, which it gets as its first argument."""

    def put(function: Callable[..., Any]) -> None:
        strict = getattr(owner, name)

        def instead(*args: Any, **kwargs: Any) -> Any:
            return function(strict, *args, **kwargs)

        setattr(owner, name, instead)

    return put
