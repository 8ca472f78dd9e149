"""Who the other side is, as an authenticator found it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeGuard

from graftwire.transport.context import current_call

LONGEST_NAME: Final = 255  # characters of a subject, and of a role

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


def is_name(value: Any) -> TypeGuard[str]:
    """Whether it can be the name of a subject or a role: a text that can be printed, in one line of a log, too."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls.

    `subject` is the name of whom it is, unique for its `issuer` (the one who says so: a token's issuer, a certificate
    authority, the name of a key file; empty where there is only one); `scheme` is how it was proved; `roles` are
    what role rules go by; `expires` is a moment with a time zone, None: never; `claims` are plain values that the
    authenticator passes on to authorisers and user code, and to nobody else: no log, audit record or repr shows
    them.
    """

    subject: str
    scheme: str
    issuer: str = ""
    roles: frozenset[str] = frozenset()
    expires: datetime | None = None
    claims: Mapping[str, object] = field(default_factory=lambda: _NOTHING, repr=False, hash=False)

    def __post_init__(self) -> None:
        if self.expires is not None and self.expires.tzinfo is None:
            raise ValueError("an identity expires at a moment with a time zone")

    @property
    def who(self) -> tuple[str, str]:
        """What makes it the same as another one (clause AUTH-7): issuer and subject."""
        return self.issuer, self.subject

    @property
    def holder(self) -> tuple[str, str] | None:
        """To whom a reference is given that goes to it (clause REF-6): nobody in particular, where it is anonymous."""
        return None if self is NOBODY else self.who


NOBODY: Final = Identity("anonymous", "anonymous")
"""Under what a call without any proof runs, where anonymous callers were let in."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a receiver knows of who calls: the identity, who vouched for it, and how long it holds.

    `until` is in seconds on trio's clock, infinity where it does not expire; `judge` is the authenticator itself.
    """

    identity: Identity
    voucher: str
    until: float = math.inf
    judge: object = field(default=None, compare=False, repr=False)


def current_identity() -> Identity | None:
    """Under what identity the call runs that the current task (or thread) serves.

    `NOBODY` for an anonymous caller; None outside of a call, and in a callback from a side that has no identity. It
    says who called this code. It goes nowhere by itself: calls that the code makes carry it on only where a
    credential provider does so.
    """
    call = current_call.get()
    standing = None if call is None else call.standing
    return standing.identity if isinstance(standing, Standing) else None
