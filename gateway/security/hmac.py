"""The scheme `hmac-sha256`: both ends have a secret, and it never crosses the wire.

    claimant                                  verifier
       │ AUTH: key id, 16 bytes of chance        │
       │ ──────────────────────────────────────► │
       │             CHALLENGE: 32 bytes of chance
       │ ◄────────────────────────────────────── │
       │ AUTH: HMAC-SHA-256(secret, transcript)  │
       │ ──────────────────────────────────────► │

The transcript holds everything that the proof is for: whose it is (the role: it can't be sent back to who made it), for
whom (the audience: it can't be passed on to another gateway), in answer to what (both lots of chance: it can't be
replayed), and in which session (both HELLOs: nobody on the way has changed them).
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from graftwire.protocol.connection import Role

from ..tables import Table, secret
from .errors import CredentialError, SecurityError
from .identity import Identity
from .plugins import Attempt, Authenticator, Challenge, Credential, CredentialProvider, Occasion, Refusal
from .watched import File, Watched, read

SCHEME: Final = "hmac-sha256"
CONTEXT: Final = b"graftwire hmac-sha256 v1"
NONCE: Final = 16
CHALLENGE: Final = 32
LEAST_SECRET: Final = 32
KEYS: Final = "the file of keys"
MINE: Final = "the file of the secret of hmac"

_KEY_ID: Final = re.compile(r"[\x21-\x7e]{1,64}")
_ROLES: Final = {Role.INITIATOR: b"initiator", Role.ACCEPTOR: b"acceptor"}


@dataclass(frozen=True, slots=True)
class _Opening:
    """The first proof: which key, and the claimant's chance. One byte of length, the key id, the nonce."""

    key_id: bytes
    nonce: bytes

    def write(self) -> bytes:
        return bytes([len(self.key_id)]) + self.key_id + self.nonce

    @classmethod
    def read(cls, proof: bytes) -> _Opening | None:
        length = proof[0] if proof else 0
        if len(proof) != 1 + length + NONCE or not _KEY_ID.fullmatch(proof[1 : 1 + length].decode("latin-1")):
            return None
        return cls(proof[1 : 1 + length], proof[1 + length :])


def proof_for(  # the arguments are what the transcript holds, in its order
    key: bytes,
    role: Role,
    audience: str,
    key_id: bytes,
    nonce: bytes,
    challenge: bytes,
    hellos: tuple[bytes, bytes],
) -> bytes:
    """The second proof: HMAC-SHA-256 over the transcript, each part of it after its length in four bytes."""
    transcript = hmac.new(key, digestmod=hashlib.sha256)
    for part in (CONTEXT, _ROLES[role], audience.encode(), key_id, nonce, challenge, *hellos):
        transcript.update(len(part).to_bytes(4, "big"))
        transcript.update(part)
    return transcript.digest()


# ---------------------------------------------------------------- the verifier


@dataclass(frozen=True, slots=True)
class _Key:
    secret: bytes = field(repr=False)
    subject: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Keys:
    audience: str
    by_id: Mapping[bytes, _Key]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is kept between the two proofs. It lives and dies with the exchange, so a challenge counts once."""

    opening: _Opening
    challenge: bytes


class HmacAuthenticator(Authenticator):
    """Judges proofs of the scheme `hmac-sha256` by the keys in a file.

    `keys` is a TOML file that only its owner may read (mode 0600), read again when it changes:

        audience = "stock.example"

        [[key]]
        id = "press-3"
        secret = "…"                 # base64 of 32 random bytes or more
        subject = "press-3"
        roles = ["machine"]          # may be left out

    `audience` is a text that both ends were told, and names this gateway; an argument, or in the file. Identities have
    `issuer`, or else the name of the file, as theirs; their claim `key` is the id of the key. A key that is taken out
    of the file, or gets another secret, proves nothing from then on, and calls of sessions that had proved it are
    refused. `clock` is what the file is looked at by. Raises SecurityError.
    """

    name = "hmac"
    schemes = (SCHEME,)

    def __init__(
        self,
        keys: File,
        *,
        audience: str | None = None,
        issuer: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = Path(keys).name if issuer is None else issuer
        make = functools.partial(_keys, keys, audience)
        self._keys = Watched((keys,), make, KEYS, private=True, clock=clock)
        # What an unknown key id is judged by: the work is the same, and nobody has this secret.
        self._nobody = _Key(secrets.token_bytes(LEAST_SECRET), "", frozenset())

    @classmethod
    def from_text(cls, text: str) -> HmacAuthenticator:
        """The authenticator for a configured `hmac:FILE`; the audience is in the file."""
        if not text:
            raise SecurityError("hmac needs the path of a file of keys, as in hmac:keys.toml")
        return cls(text)

    async def authenticate(self, attempt: Attempt) -> Identity | Challenge | Refusal:
        """A challenge for the first proof, the identity for the second."""
        if attempt.single_call:
            return Refusal("it needs a challenge, and a credential on one call has none")
        if attempt.memory is None:
            opening = _Opening.read(attempt.proof)
            if opening is None:
                return Refusal("the first proof is not a key id and a nonce")
            # Known or not, a key id gets its challenge: who guesses learns nothing.
            challenge = secrets.token_bytes(CHALLENGE)
            return Challenge(challenge, _Asked(opening, challenge))
        asked = attempt.memory
        assert isinstance(asked, _Asked)
        keys = self._keys.value()
        key = keys.by_id.get(asked.opening.key_id)
        judged = self._nobody if key is None else key
        wanted = proof_for(
            judged.secret,
            attempt.claimant,
            keys.audience,
            asked.opening.key_id,
            asked.opening.nonce,
            asked.challenge,
            attempt.hellos(),
        )
        holds = hmac.compare_digest(wanted, attempt.proof)
        if key is None:
            return Refusal("there is no key of that id")
        if not holds:
            return Refusal(
                f"the proof does not hold for the key of {key.subject} and the audience of this side"
            )
        claims = MappingProxyType({"key": asked.opening.key_id.decode("ascii"), "mark": _mark(key.secret)})
        return Identity(key.subject, SCHEME, self._issuer, key.roles, claims=claims)

    def withdrawn(self, identity: Identity) -> str | None:
        """As in `Authenticator`: the key has left the file, has another secret, or stands for something else."""
        key = self._keys.value().by_id.get(str(identity.claims.get("key")).encode())
        if key is None:
            return "the key is gone"
        if identity.claims.get("mark") != _mark(key.secret):
            return "the key has another secret now"
        same = (key.subject, key.roles) == (identity.subject, identity.roles)
        return None if same else "the key stands for something else now"


def _mark(secret: bytes) -> str:
    """What tells a secret from the one before. It says nothing of it: secrets are 32 random bytes or more."""
    return hashlib.sha256(secret).hexdigest()[:16]


def _keys(file: File, audience: str | None, contents: Sequence[bytes]) -> _Keys:
    top = Table.parse(file, contents[0])
    top.known("audience", "key")
    written = top.text("audience") if "audience" in top.values or audience is None else audience
    if audience is not None and written != audience:
        raise top.wrong("audience", "the audience is not the one that was passed; leave one of the two out")
    found: dict[bytes, _Key] = {}
    for entry in top.tables("key"):
        entry.known("id", "secret", "subject", "roles")
        key_id = _key_id(entry.text("id"), entry.wrong("id", "id is").args[0])
        if key_id in found:
            raise entry.wrong("id", "two keys have this id; give each its own")
        key = entry.secret("secret", LEAST_SECRET)
        found[key_id] = _Key(key, entry.text("subject"), entry.texts("roles"))
    return _Keys(written, found)


def _key_id(text: str, what: str) -> bytes:
    if not _KEY_ID.fullmatch(text):
        raise SecurityError(f"{what} no key id; take 1 to 64 characters out of ASCII, without spaces")
    return text.encode("ascii")


# ---------------------------------------------------------------- the claimant


class HmacCredential(CredentialProvider):
    """Proves a session by a secret that both ends have, without sending it.

    `key_id` is the id that the other side knows the secret by; `source` says where the secret is, in base64:
    `file:PATH` (a file that only its owner may read) or `env:NAME`; it is read for each session, and kept no longer
    than that. `audience` is the text that the other side was given as its own. Raises SecurityError.
    """

    name = "hmac"

    def __init__(self, key_id: str, source: str, *, audience: str) -> None:
        self._load = functools.partial(_from_source, _key_id(key_id, "key_id is"), source, audience)
        self._load()

    @classmethod
    def from_text(cls, text: str) -> HmacCredential:
        """The provider for a configured `hmac:FILE`: a TOML file, mode 0600, with `id`, `secret`, `audience`."""
        if not text:
            raise SecurityError("hmac needs the path of the file with its secret, as in hmac:me.toml")
        credential = cls.__new__(cls)
        credential._load = functools.partial(_from_file, text)  # noqa: SLF001 - its own
        credential._load()  # noqa: SLF001 - its own
        return credential

    async def credential(self, occasion: Occasion) -> Credential:
        """The first proof, and the answer to the challenge. Raises CredentialError."""
        if occasion.target is not None:
            raise CredentialError(
                "hmac answers a challenge, which a single call does not have; use it for the session"
            )
        try:
            mine = self._load()
        except SecurityError as error:
            raise CredentialError(str(error)) from None
        opening = _Opening(mine.key_id, secrets.token_bytes(NONCE))

        async def answer(challenge: bytes) -> bytes:
            if len(challenge) != CHALLENGE:
                raise CredentialError("the other side's challenge is not one of hmac-sha256")
            return proof_for(
                mine.secret,
                occasion.role,
                mine.audience,
                opening.key_id,
                opening.nonce,
                challenge,
                occasion.hellos(),
            )

        return Credential(SCHEME, opening.write(), answer)


@dataclass(frozen=True, slots=True)
class _Mine:
    key_id: bytes
    secret: bytes = field(repr=False)
    audience: str


def _from_source(key_id: bytes, source: str, audience: str) -> _Mine:
    kind, _, place = source.partition(":")
    if kind == "file" and place:
        text = read(place, MINE, private=True).decode("ascii", "replace")
    elif kind == "env" and place:
        if place not in os.environ:
            raise SecurityError(
                f"the environment has no variable {place}; set it to the secret of hmac, in base64"
            )
        text = os.environ[place]
    else:
        raise SecurityError("the secret of hmac has to be named as file:PATH or env:NAME")
    return _Mine(key_id, secret(text, f"the secret of hmac in {source}", LEAST_SECRET), audience)


def _from_file(file: str) -> _Mine:
    top = Table.parse(file, read(file, MINE, private=True))
    top.known("id", "secret", "audience")
    key_id = _key_id(top.text("id"), top.wrong("id", "id is").args[0])
    return _Mine(key_id, top.secret("secret", LEAST_SECRET), top.text("audience"))
