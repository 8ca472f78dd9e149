"""Who may call a target: proofs of the test schemes, judged as TARGETS.md says ("Credentials")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import graftwire

from ..launch import ROUNDS_SCHEME, SCHEME, GivenProof, KnownProof, Opening

ROUNDS: Final = 8  # AUTH frames of an exchange (AUTH-3)


class Proofs(graftwire.Authenticator):
    """Judges the proofs that the runner has told."""

    name = "conformance"
    schemes = (SCHEME, ROUNDS_SCHEME)

    def __init__(self, known: Sequence[KnownProof], canary: str) -> None:
        self._known = {(each.scheme, bytes.fromhex(each.proof)): each.subject for each in known}
        self.configuration = canary  # planted: it must never be seen on a link

    async def authenticate(
        self, attempt: graftwire.Attempt
    ) -> graftwire.Identity | graftwire.Challenge | graftwire.Refusal:
        """As in `Authenticator`."""
        proof, left = attempt.proof, 0
        if attempt.scheme == ROUNDS_SCHEME:
            if attempt.single_call:
                return graftwire.Refusal("the scheme takes several rounds")
            if attempt.round == 1:
                proof, left = proof[:-1], int.from_bytes(proof[-1:], "big")
            else:
                left = attempt.memory
        subject = self._known.get((attempt.scheme, proof))
        if subject is None:
            return graftwire.Refusal("the proof is not known")
        if not left:
            return graftwire.Identity(subject, attempt.scheme)
        if attempt.round >= ROUNDS:
            return graftwire.Refusal("it takes more rounds than there may be")
        return graftwire.Challenge(bytes([left - 1]), left - 1)


class MayCall(graftwire.Authoriser):
    """Allows everything to those who may call, and nothing to the others."""

    name = "conformance"

    def __init__(self, known: Sequence[KnownProof]) -> None:
        self._denied = {each.subject for each in known if not each.may_call}

    async def authorise(self, request: graftwire.Request) -> graftwire.Permission | graftwire.Refusal:
        """As in `Authoriser`."""
        if request.identity.subject in self._denied:
            return graftwire.Refusal("this subject may call nothing")
        return graftwire.Permission()


class Given(graftwire.CredentialProvider):
    """Gives the proof that the runner asks for."""

    name = "conformance"

    def __init__(self, given: GivenProof) -> None:
        self._scheme = given.scheme
        self._proof = bytes.fromhex(given.proof)

    async def credential(self, occasion: graftwire.Occasion) -> graftwire.Credential | None:
        """As in `CredentialProvider`."""
        answer = self._answer if self._scheme == ROUNDS_SCHEME else None
        return graftwire.Credential(self._scheme, self._proof, answer)

    async def _answer(self, challenge: bytes) -> bytes:
        return self._proof[:-1]


def security(opening: Opening) -> dict[str, Any]:
    """The arguments of `serve`, and of `connect` with services, that say who may call."""
    proofs = Proofs(opening.proofs, opening.canaries.get("configuration", ""))
    auth: list[Any] = [graftwire.Anonymous()] if opening.anonymous else []
    return {
        "auth": [*auth, proofs],
        "allow": MayCall(opening.proofs),
        "plain_proofs": opening.plain_proofs,
    }
