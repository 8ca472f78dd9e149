"""The setups that targets are started in: a small closed list, so that few processes serve many cases.

The proofs and canaries are made anew for each run; none of them is worth anything outside of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from .launch import ROUNDS_SCHEME, SCHEME, AnnouncedLimits, Bounds, KnownProof
from .secrecy import PROOF

# The canaries that a target plants (TARGETS.md), and those that the runner itself puts where a target could find them.
PLANTED_BY_TARGETS: Final = ("environment", "configuration", "exception", "cause", "default", "log")
PLANTED_HERE: Final = ("cookie", "authorization", "url-user", "url-query", "key-file", "client-certificate")
CANARY_PLACES: Final = (*PLANTED_BY_TARGETS, *PLANTED_HERE)


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """How a target is started; `says` is one sentence for the documentation."""

    name: str
    says: str
    anonymous: bool = True
    plain_proofs: bool = True
    bounds: Bounds = Bounds()
    limits: AnnouncedLimits = AnnouncedLimits()


_LEAST: Final = AnnouncedLimits(65_536, 16, 65_536, 65_536, 262_144, 1_000)

SETUPS: Final[Mapping[str, Setup]] = {
    each.name: each
    for each in (
        Setup(
            name="open", says="Anonymous callers may call everything; all limits and bounds are the defaults."
        ),
        Setup(
            name="guarded",
            says="Only who has proved an identity may call; proofs count on every link.",
            anonymous=False,
        ),
        Setup(
            name="strict",
            says="Only who has proved an identity may call, and proofs count only on links that protect them.",
            anonymous=False,
            plain_proofs=False,
        ),
        Setup(
            name="tight",
            says="Anonymous callers; each limit is at the least that the standard allows, but for the idle time.",
            limits=msgspec.structs.replace(_LEAST, idle_time=60_000),
        ),
        Setup(
            name="hasty",
            says="Anonymous callers; bounds of time are short, and the idle time is one second.",
            bounds=Bounds(opening=1.5, handshake=1.5, slow=1.0, farewell=0.5, drain=1.0),
            limits=AnnouncedLimits(idle_time=1_000),
        ),
    )
}


def _secret() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Secrets:
    """What is secret in a run: the proofs by subject, and the canaries by place. No repr shows them."""

    proofs: Mapping[str, bytes] = field(
        repr=False,
        default_factory=lambda: {
            each: secrets.token_bytes(24) for each in ("alice", "bob", "nobody", "wrong")
        },
    )
    canaries: Mapping[str, str] = field(
        repr=False, default_factory=lambda: {place: _secret() for place in CANARY_PLACES}
    )

    def named(self) -> dict[str, bytes]:
        """All of them, by the names that a report gives them."""
        return {
            **{f"{PROOF}{subject}": proof for subject, proof in self.proofs.items()},
            **{f"canary {place}": canary.encode() for place, canary in self.canaries.items()},
        }

    def for_targets(self) -> dict[str, str]:
        """The canaries that a target is told to plant."""
        return {place: self.canaries[place] for place in PLANTED_BY_TARGETS if place in self.canaries}

    def plant(self, text: str) -> str:
        """A text of a case with the canaries in their places: `{canary:cookie}` and so on."""
        for place, canary in self.canaries.items():
            text = text.replace(f"{{canary:{place}}}", canary)
        return text

    def known(self) -> list[KnownProof]:
        """The proofs that a target takes: alice and bob may call, nobody may not; wrong is none of them."""
        return [
            KnownProof(scheme, self.proofs[subject].hex(), subject, may_call=subject != "nobody")
            for scheme in (SCHEME, ROUNDS_SCHEME)
            for subject in ("alice", "bob", "nobody")
        ]
