"""The caller's side of bearer tokens: sends one that somebody else has made."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Self

from .errors import CredentialError, SecurityError
from .jose import Refused, unverified_claims
from .plugins import Credential, CredentialProvider, Occasion
from .secret_source import checked, one_source, split_source
from .watched import File

WHAT = "the bearer token"


class BearerCredential(CredentialProvider):
    """Sends a bearer token from a `file`, from a variable of the `environment`, or from what `get` returns.

    Exactly one of the three. Files and variables are read whenever a token is needed, so a renewed one is taken
    over; `get` is awaited then. The credential expires when the token says so (its `exp`, which nobody has verified
    at this side), so that the session is renewed in time; a token that has expired by `clock` is not sent. Raises
    SecurityError.
    """

    name = "bearer"

    def __init__(
        self,
        *,
        file: File | None = None,
        environment: str | None = None,
        get: Callable[[], Awaitable[str]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = one_source(file, environment)
        if (self._source is None) == (get is None):
            raise SecurityError("a bearer token comes from one place; give one of file, environment and get")
        self._get = get
        self._clock = clock

    @classmethod
    def from_text(cls, argument: str) -> Self:
        """From `file:PATH` or `env:NAME`. Raises SecurityError."""
        file, environment = split_source(argument, "bearer")
        return cls(file=file, environment=environment)

    async def credential(self, occasion: Occasion) -> Credential:
        """As in `CredentialProvider`; what `get` raises goes through."""
        proof = (await self._token()).encode("ascii")
        expires = _expiry(proof)
        if expires is not None and expires <= self._clock():
            raise CredentialError(f"{WHAT} has expired; put a new one in its place")
        return Credential(
            "bearer", proof, expires=None if expires is None else datetime.fromtimestamp(expires, UTC)
        )

    async def _token(self) -> str:
        if self._source is not None:
            return self._source.read(WHAT)
        assert self._get is not None
        return checked(await self._get(), WHAT, "what the function for it gives")


def _expiry(proof: bytes) -> float | None:
    """When the token says that it expires; None if it says nothing that can be read: it is for others to judge."""
    try:
        value = unverified_claims(proof).get("exp")
    except Refused:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if 0 <= value <= 253_402_300_000 else None
