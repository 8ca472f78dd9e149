"""The lines between runner and target, as data: see TARGETS.md, which is their contract."""

from __future__ import annotations

from typing import Any, Final

import msgspec

PROTOCOL: Final = "graftwire-conformance/1"
INTERFACE: Final = "Conformance"
CANARY_VARIABLE: Final = "CONFORMANCE_CANARY"
SCHEME: Final = "conformance.test"
ROUNDS_SCHEME: Final = "rounds.conformance.test"
FEATURES: Final = frozenset(
    {
        "authentication",
        "bounds",
        "client-streams",
        "credentials",
        "deadlines",
        "describe",
        "drain",
        "hosting",
        "limits",
        "origins",
        "references",
        "server-streams",
    }
)


class TlsFiles(msgspec.Struct, frozen=True):
    """Paths of PEM files."""

    certificate: str
    key: str
    authority: str


class KnownProof(msgspec.Struct, frozen=True):
    """A proof that is right; `proof` in hexadecimal, or as text where the target has to give it."""

    scheme: str
    proof: str
    subject: str
    may_call: bool = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"  # it holds what is secret


class Bounds(msgspec.Struct, frozen=True):
    """Bounds of time, in seconds."""

    opening: float = 10.0
    handshake: float = 10.0
    slow: float = 10.0
    farewell: float = 1.0
    drain: float = 5.0


class AnnouncedLimits(msgspec.Struct, frozen=True):
    """The six limits of HELLO, by their names in section 15 of the standard."""

    largest_frame: int = 4 * 2**20
    calls_in_flight: int = 1_024
    unfinished_body_bytes: int = 16 * 2**20
    stream_credit: int = 256 * 2**10
    session_credit: int = 2 * 2**20
    idle_time: int = 60_000

    def as_tuple(self) -> tuple[int, int, int, int, int, int]:
        """The values in the order of their keys."""
        return (
            self.largest_frame,
            self.calls_in_flight,
            self.unfinished_body_bytes,
            self.stream_credit,
            self.session_credit,
            self.idle_time,
        )


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """The runner's first line."""

    protocol: str = PROTOCOL
    role: str
    links: list[str]
    tls: TlsFiles
    directory: str
    origins: list[str] = []
    anonymous: bool = True
    plain_proofs: bool = True
    proofs: list[KnownProof] = []
    canaries: dict[str, str] = {}
    bounds: Bounds = Bounds()
    limits: AnnouncedLimits = AnnouncedLimits()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"  # it holds what is secret


class Ready(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The target's answer to it; `unable` in place of all else."""

    ready: bool = False
    listening: dict[str, str] = {}
    implements: list[str] | None = None
    name: str = ""
    unable: str | None = None


class GivenProof(msgspec.Struct, frozen=True):
    """A proof to give, in hexadecimal."""

    scheme: str
    proof: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"  # it holds what is secret


class Trace(msgspec.Struct, frozen=True):
    """A traceparent to send; the ids in hexadecimal."""

    trace_id: str
    parent_id: str
    flags: int = 1


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An activity that an initiator is asked for, or `leave` for one that is under way.

    What has its default may be left out of the line. So none of `dial`, `do` and, where there is a call, `target` has a
    default that says anything: they are in each line.
    """

    id: int
    dial: str = ""
    do: str = ""
    leave: bool = False
    auth: GivenProof | None = None
    credential: GivenProof | None = None
    origin: str | None = None
    target: str = ""
    arguments: str = "80"
    deadline: float | None = None
    trace: Trace | None = None
    items: list[str] = []
    take: int | None = None
    cancel_after: float | None = None
    stay: bool = False
    times: int = 1
    then: list[str] = []


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an initiator says of an activity that is over."""

    id: int = 0
    outcome: str
    value: str | None = None
    items: list[str] = []
    called: int = 0
    code: str | None = None
    ran: bool | None = None
    why: str | None = None
    outcomes: list[Told] = []


class Implements(msgspec.Struct, frozen=True):
    """The file that says what a target implements."""

    implements: list[str]
    name: str = ""


def line(value: msgspec.Struct | dict[str, Any]) -> bytes:
    """A value as a line."""
    return msgspec.json.encode(value) + b"\n"
