"""Who may call, what, and where that is written down: the security options of the commands."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

from graftwire import Anonymous, AuditSink, Authoriser, CredentialProvider, SecurityError, Trail
from graftwire.gateway.security import registry
from graftwire.gateway.security.guard import Auth
from graftwire.gateway.security.roles import RoleRules

from .failure import Failure


@dataclass(frozen=True, slots=True)
class Trust:
    """The security options of `serve`, as the command line has them."""

    auth: list[str]
    allow: list[str]
    audit: list[str]
    audit_failure: str
    plain_proofs: bool

    def check(self) -> None:
        """Raises Failure where a choice is missing that nobody else can make."""
        if not self.auth:
            raise Failure(
                "nobody has said who may call; add --auth anonymous to let anyone who reaches it call all that it "
                "hosts, or --auth NAME:TEXT and --allow NAME:TEXT"
            )
        if self.auth != ["anonymous"] and not self.allow:
            raise Failure(
                "nobody has said what those who are let in may call; add --allow any-identity to let every "
                "authenticated caller call everything, or --allow NAME:TEXT"
            )
        if self.audit_failure not in ("refuse", "count"):
            raise Failure("--audit-failure is either refuse or count")

    @asynccontextmanager
    async def options(self, services: Mapping[str, object]) -> AsyncGenerator[dict[str, Any]]:
        """The arguments for `graftwire.serve`; the audit logs are closed when the block ends. Raises Failure."""
        sinks: list[AuditSink] = []
        try:
            try:
                auth = [_choice(text) for text in self.auth]
                allow = [_authoriser(text, services) for text in self.allow]
                # one after the other, so that those that were opened are closed if a later one can't be
                for path in self.audit:
                    sinks.append(registry.audit_sink(f"file:{path}"))  # noqa: PERF401
            except SecurityError as error:
                raise Failure(str(error), kind="security") from None
            on_failure = cast('Literal["refuse", "count"]', self.audit_failure)
            yield {
                "auth": auth,
                "allow": allow or None,
                "audit": Trail(sinks, on_failure=on_failure),
                "plain_proofs": self.plain_proofs,
            }
        finally:
            for sink in sinks:
                await sink.aclose()


def credential(text: str | None) -> CredentialProvider | None:
    """The credential provider that `--credential` names. Raises Failure."""
    if text is None:
        return None
    try:
        return registry.credential(text)
    except SecurityError as error:
        raise Failure(f"--credential: {error}", kind="security") from None


def _choice(text: str) -> Auth:
    return Anonymous() if text == "anonymous" else registry.authenticator(text)


def _authoriser(text: str, services: Mapping[str, object]) -> Authoriser:
    """`roles` alone stands for the rules that are written beside the methods."""
    return RoleRules.from_hosted(services) if text == "roles" else registry.authoriser(text)
