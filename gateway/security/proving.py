"""Proving to the other side of a session who this side is, with what a credential provider gives."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import trio

from graftwire.protocol.errors import CallError
from graftwire.transport.session import Session

from .errors import CredentialError
from .guard import SECONDS, place_of
from .plugins import Credential, CredentialProvider, Occasion

_log: Final = logging.getLogger("graftwire.gateway")

_EARLY: Final = (
    60.0  # seconds before a proof expires at which a new one is sent, or a fifth of its time if less
)
_AGAIN: Final = 5.0  # seconds between two attempts to get a proof that lasts longer


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

    async def credential(self, session: Session, target: str | None = None) -> Credential | None:
        """A proof for a session, or for a call in it. Raises CredentialError."""
        if not (session.facts.confidential or self.plain):
            raise CredentialError(
                f"a proof is not sent over {session.facts.transport}, which does not protect it: use tls, wss or unix, "
                "or say plain_proofs=True if the network may read it"
            )
        occasion = Occasion(self.url, session.facts, session.role, session.authentication.hellos, target)
        provider = self.provider
        with trio.move_on_after(self.seconds) as scope:
            try:
                found = await provider.credential(occasion)
            except CredentialError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it raises, there is no proof
                _log.error("the credential provider %s failed: %s", provider.label, place_of(error))
                raise CredentialError(
                    f"the credential provider {provider.label} failed ({type(error).__name__}); the log says where"
                ) from None
            if not scope.cancel_called:
                if found is not None and target is not None and found.answer is not None:
                    raise CredentialError(
                        f"the credential provider {provider.label} gives proofs that answer a challenge, which a "
                        "single call can't have: use it for the session"
                    )
                return found
        raise CredentialError(f"the credential provider {provider.label} took longer than {self.seconds:g} s")

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
        """Send a new proof before each one expires, until the session ends. Raises CallError then.

        Where no new one can be had, it is tried again; once the old one has expired, the other side refuses calls.
        """
        while True:
            await trio.sleep(_pause(credential))
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
