"""API keys: secrets that a gateway gave out itself, and of which it keeps only hashes."""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Self

from .errors import CredentialError, SecurityError
from .identity import Identity
from .key_file import KEY, WHAT, Entry, digest, parse
from .plugins import Attempt, Authenticator, Credential, CredentialProvider, Occasion, Refusal
from .secret_source import one_source, split_source
from .watched import PAUSE, File, Watched

SCHEME: Final = "api-key"

_NO_KEY: Final = bytes(32)  # compared with where there is no key, so that it takes as long


class ApiKeys(Authenticator):
    """Judges API keys by a file of hashes, which `graftwire key new`, `list` and `revoke` look after.

    The proof is the key itself. The file is read again when it changes (it is looked at no more than once in `pause`
    seconds of `pause_clock`), so a key that is revoked is refused from then on, and so are calls of sessions that had
    proved it. A changed file that can't be used is a warning in the log, and what was read before stays in force.
    `issuer` is that of the identities, for where several gateways name subjects of their own; `clock` tells whether a
    key has expired.

    The identity expires with the key; its claim `key` is the id of the key. Raises SecurityError for a file that can't
    be used, or that others than its owner may write to.
    """

    name = "api-keys"
    schemes = (SCHEME,)

    def __init__(
        self,
        path: File,
        *,
        issuer: str = "",
        pause: float = PAUSE,
        pause_clock: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        name = os.fspath(path)

        def make(contents: Sequence[bytes]) -> dict[str, Entry]:
            return parse(contents[0], name)

        self.issuer = issuer
        self._clock = clock
        self._file = Watched((path,), make, WHAT, guarded=True, pause=pause, clock=pause_clock)

    @classmethod
    def from_text(cls, argument: str) -> Self:
        """By the file of that path. Raises SecurityError."""
        if not argument:
            raise SecurityError("api-keys needs the path of a key file, as in api-keys:keys.json")
        return cls(argument)

    async def authenticate(self, attempt: Attempt) -> Identity | Refusal:
        """As in `Authenticator`."""
        parts = KEY.fullmatch(attempt.proof)
        if parts is None:
            return Refusal("it does not have the form of an API key")
        entry = self._file.value().get(parts[1].decode("ascii"))
        # A hash of what came is compared, so that the time says nothing about the hash that is kept.
        held = hmac.compare_digest(digest(parts[2]), _NO_KEY if entry is None else entry.digest)
        if entry is None:
            return Refusal("there is no API key of that id")
        if not held:
            return Refusal("the secret of the API key is another one")
        trouble = self._trouble(entry)
        if trouble is not None:
            return Refusal(trouble)
        return Identity(
            entry.subject,
            SCHEME,
            issuer=self.issuer,
            roles=frozenset(entry.roles),
            expires=entry.expires,
            claims=MappingProxyType({"key": entry.id}),
        )

    def withdrawn(self, identity: Identity) -> str | None:
        """As in `Authenticator`: the key was revoked, has left the file, or has another subject or other roles."""
        entry = self._file.value().get(str(identity.claims.get("key")))
        if entry is None:
            return "the API key is gone"
        same = (entry.subject, frozenset(entry.roles)) == (identity.subject, identity.roles)
        return self._trouble(entry) if same else "the API key stands for something else now"

    def _trouble(self, entry: Entry) -> str | None:
        state = entry.state(datetime.fromtimestamp(self._clock(), UTC))
        return None if state == "valid" else f"the API key is {state}"


class ApiKeyCredential(CredentialProvider):
    """Sends an API key from a `file` or from a variable of the `environment`; exactly one of the two.

    It is read whenever it is needed, so another key can be put in its place. Raises SecurityError.
    """

    name = "api-key"

    def __init__(self, *, file: File | None = None, environment: str | None = None) -> None:
        source = one_source(file, environment)
        if source is None:
            raise SecurityError("an API key comes from one place; give one of file and environment")
        self._source = source

    @classmethod
    def from_text(cls, argument: str) -> Self:
        """From `file:PATH` or `env:NAME`. Raises SecurityError."""
        file, environment = split_source(argument, SCHEME)
        return cls(file=file, environment=environment)

    async def credential(self, occasion: Occasion) -> Credential:
        """As in `CredentialProvider`."""
        proof = self._source.read("the API key").encode("ascii")
        if not KEY.fullmatch(proof):
            raise CredentialError(
                "what should be an API key does not have the form of one (gw_, an id, _, a secret); check what is there"
            )
        return Credential(SCHEME, proof)
