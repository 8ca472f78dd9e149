"""Who may call, what, and where that is written down: the security options of the commands."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from graftwire import (
    Anonymous,
    AuditSink,
    Authenticator,
    Authoriser,
    CredentialProvider,
    SecurityError,
    Trail,
)
from graftwire.gateway.host import Host
from graftwire.gateway.security import registry
from graftwire.gateway.security.guard import Auth, Guard
from graftwire.gateway.security.roles import RoleRules
from graftwire.transport.url import Url

from .failure import Failure
from .secrecy import refuse_secret

ANONYMOUS: Final = "anonymous"
MTLS: Final = "mtls"
ROLES: Final = "roles"
"""Alone, it stands for the rules that are written beside the methods."""

BARE: Final = frozenset({"tcp", "ws"})
"""What does not protect a proof."""


@dataclass(frozen=True, slots=True)
class Trust:
    """The security options of `serve`, as the command line has them."""

    auth: list[str]
    allow: list[str]
    audit: list[str]
    audit_failure: str | None
    plain_proofs: bool

    def check(self) -> None:
        """Raises Failure where a choice is missing that nobody else can make, or names nothing that there is."""
        for option, texts in (("--auth", self.auth), ("--allow", self.allow), ("--audit", self.audit)):
            for text in texts:
                refuse_secret(option, text)
        if not self.auth:
            raise Failure(
                "nobody has said who may call; add --auth anonymous to let anyone who reaches it call all that it "
                "hosts, or --auth NAME:TEXT and --allow NAME:TEXT"
            )
        with _told("--auth"):
            for text in self.auth:
                registry.check_name(Authenticator, text, ANONYMOUS)
                if text.startswith(f"{ANONYMOUS}:"):
                    raise SecurityError(
                        f"{ANONYMOUS} takes nothing after its name; leave out the colon and what follows it"
                    )
        with _told("--allow"):
            for text in self.allow:
                registry.check_name(Authoriser, text)
        if self._proofs and not self.allow:
            raise Failure(
                "nobody has said what those who are let in may call; add --allow any-identity to let every "
                "authenticated caller call everything, or --allow NAME:TEXT"
            )
        if self.audit_failure not in (None, "refuse", "count"):
            raise Failure("--audit-failure is either refuse or count")
        if self.audit_failure is not None and not self.audit:
            raise Failure("--audit-failure is about an audit log, and there is none; add --audit FILE")

    def check_links(self, urls: Sequence[Url], *, secure: bool, client_ca: bool) -> None:
        """Raises Failure where no proof could ever be taken over the links that there will be.

        `secure`: there is a certificate to show; `client_ca`: callers are asked for one.
        """
        for text in self._proofs:
            if text.partition(":")[0] == MTLS and not client_ca:
                raise Failure(
                    "--auth mtls is about the certificates of callers, and nobody asks them for one; add --client-ca "
                    "FILE"
                )
        if self._proofs and not self.plain_proofs and not secure and all(url.scheme in BARE for url in urls):
            raise Failure(
                f"{urls[0].scheme} does not protect proofs, so none is taken over it and nobody could be let in by "
                "one; listen at tls, wss or unix, or add --plain-proofs if the network may read them"
            )

    @asynccontextmanager
    async def options(self, services: Mapping[str, object]) -> AsyncGenerator[dict[str, Any]]:
        """The arguments for `graftwire.serve`; the audit logs are closed when the block ends. Raises Failure."""
        sinks: list[AuditSink] = []
        try:
            with _told("--auth"):
                auth = [_choice(text) for text in self.auth]
            with _told("--allow"):
                allow = [_authoriser(text, services) for text in self.allow]
            with _told("--audit"):
                # one after the other, so that those that were opened are closed if a later one can't be
                for path in self.audit:
                    sinks.append(registry.audit_sink(f"file:{path}"))  # noqa: PERF401
            on_failure = cast('Literal["refuse", "count"]', self.audit_failure or "refuse")
            yield {
                "auth": auth,
                "allow": allow or None,
                "audit": Trail(sinks, on_failure=on_failure),
                "plain_proofs": self.plain_proofs,
            }
        finally:
            for sink in sinks:
                await sink.aclose()

    @property
    def _proofs(self) -> list[str]:
        """The authenticators among the choices of who may call."""
        return [text for text in self.auth if text != ANONYMOUS]


def credential(text: str | None, *, certificate: bool) -> CredentialProvider | None:
    """The credential provider that `--credential` names; `certificate`: there is one to show. Raises Failure."""
    if text is None:
        return None
    refuse_secret("--credential", text)
    with _told("--credential"):
        found = registry.credential(text)
    if text == MTLS and not certificate:
        raise Failure(
            "--credential mtls is about this side's certificate, and there is none; add --cert FILE --key FILE",
            kind="security",
        )
    return found


@contextmanager
def _told(option: str) -> Generator[None]:
    """Around what reads the text of an option: its mistakes are told with the name of the option."""
    try:
        yield
    except SecurityError as error:
        raise Failure(f"{option}: {error}", kind="security") from None


def _choice(text: str) -> Auth:
    return Anonymous() if text == ANONYMOUS else registry.authenticator(text)


def _authoriser(text: str, services: Mapping[str, object]) -> Authoriser:
    if text == ROLES:
        rules = RoleRules.from_hosted(services)
        if not rules.patterns:
            raise SecurityError(
                "nothing that is hosted says who may call it; write @graftwire.allow(…) beside its methods, or name "
                "a file of rules, as in --allow roles:roles.toml"
            )
        return rules
    authoriser = registry.authoriser(text)
    if isinstance(authoriser, RoleRules):
        try:
            # the same table as that of the gateway, which is not there yet
            authoriser.check(Host(services, guard=Guard()).targets)
        except SecurityError as error:
            raise SecurityError(f"{text.partition(':')[2]}: {error}") from None
    return authoriser
