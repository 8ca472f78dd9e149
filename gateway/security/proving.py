"""Proving to the other side of a session who this side is, with what a credential provider gives."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeVar, cast

import trio

from graftwire.protocol.errors import CallError
from graftwire.protocol.limits import LARGEST_PROOF
from graftwire.transport.session import Session

from .asking import PluginFailed, ask
from .errors import CredentialError
from .guard import SCHEME, SECONDS, get_ready
from .plugins import Credential, CredentialProvider, Occasion

_log: Final = logging.getLogger("graftwire.gateway")

_EARLY: Final = (
    60.0  # seconds before a proof expires at which a new one is sent, or a fifth of its time if less
)
_AGAIN: Final = 5.0  # seconds between two attempts to get a proof that lasts longer
_About = TypeVar("_About")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Prover:
    """Asks a credential provider, and sends what it gives, where a proof may be sent (clause AUTH-10).

    `url` is where the other side is, as an Occasion has it; `plain`: also over links that do not protect a proof;
    `seconds` is what the provider gets for an answer.
    """

    provider: CredentialProvider
    url: str
    plain: bool = False
    seconds: float = SECONDS

    async def start(self) -> None:
        """Let the provider get ready. Raises SecurityError."""
        await get_ready((self.provider,), self.seconds)

    async def credential(self, session: Session, target: str | None = None) -> Credential | None:
        """A proof for a session, or for a call in it. Raises CredentialError."""
        if not (session.facts.confidential or self.plain):
            raise CredentialError(
                f"a proof is not sent over {session.facts.transport}, which does not protect it: use tls, wss or unix, "
                "or say plain_proofs=True if the network may read it"
            )
        occasion = Occasion(self.url, session.facts, session.role, session.authentication.hellos, target)
        found = self._checked(await self._ask(self.provider.credential, occasion))
        if found is None or found.answer is None:
            return found
        if target is not None:
            raise CredentialError(
                f"the credential provider {self.provider.label} gives proofs that answer a challenge, which a single "
                "call can't have: use it for the session"
            )
        answer = found.answer

        async def answered(challenge: bytes) -> bytes:
            proof = await self._ask(answer, challenge)
            self._check_proof(proof, "its answer")
            return proof

        return replace(found, answer=answered)

    async def _ask(self, question: Callable[[_About], Awaitable[_Answer]], about: _About) -> _Answer:
        """The provider's answer, in its time. Raises CredentialError for none."""
        label = self.provider.label
        try:
            return await ask(question, about, self.seconds, passing=(CredentialError,))
        except PluginFailed as failed:
            if failed.kind is None:
                raise CredentialError(f"the credential provider {label} {failed.reason}") from None
            _log.error("the credential provider %s %s", label, failed.detail)
            raise CredentialError(
                f"the credential provider {label} failed ({failed.kind}); the log says where"
            ) from None

    def _checked(self, found: object) -> Credential | None:
        """What a provider gave, if it can be sent. Raises CredentialError."""
        if found is None:
            return None
        if not isinstance(found, Credential):
            raise self._wrong(f"a {type(found).__name__}")
        scheme, expires = cast("tuple[object, object]", (found.scheme, found.expires))
        if not isinstance(scheme, str) or not SCHEME.fullmatch(scheme):
            raise self._wrong("its scheme is none")
        self._check_proof(found.proof, "its proof")
        if expires is not None and not (isinstance(expires, datetime) and expires.tzinfo is not None):
            raise self._wrong("its expires is no moment with a time zone")
        return found

    def _check_proof(self, proof: object, what: str) -> None:
        if not isinstance(proof, bytes):
            raise self._wrong(f"{what} is not bytes")
        if len(proof) > LARGEST_PROOF:
            raise self._wrong(f"{what} is longer than {LARGEST_PROOF} bytes")

    def _wrong(self, what: str) -> CredentialError:
        return CredentialError(
            f"the credential provider {self.provider.label} gave what is no credential ({what}); mend that provider"
        )

    async def keep(self, session: Session) -> None:
        """Prove once the session is open, and again before each proof expires, until it ends. Raises nothing."""
        try:
            await session.wait_opened()
            credential = await self.credential(session)
            if credential is not None:
                await session.authentication.prove(credential.scheme, credential.proof, credential.answer)
                await self.renew(session, credential)
        except CallError:
            pass  # the session has ended, and says why to whoever uses it
        except CredentialError as error:
            _log.error("this side could not prove who it is: %s", error)

    async def renew(self, session: Session, credential: Credential) -> None:
        """Send a new proof before each one expires, until the session ends. Raises CallError if it does meanwhile.

        Where no new one can be had, it is tried again; once the old one has expired, the other side refuses calls.
        """
        while True:
            with trio.move_on_after(_pause(credential)):
                await session.wait_ended()
                return
            try:
                fresh = await self.credential(session)
            except CredentialError as error:
                _log.warning("a proof is about to expire, and there is no new one: %s", error)
                fresh = None
            if fresh is not None and fresh.expires != credential.expires:
                credential = fresh
                await session.authentication.prove(fresh.scheme, fresh.proof, fresh.answer)


def _pause(credential: Credential) -> float:
    """Seconds until a new proof is wanted."""
    if credential.expires is None:
        return math.inf
    left = (credential.expires - datetime.now(UTC)).total_seconds()
    return max(left - min(_EARLY, left / 5), _AGAIN)
