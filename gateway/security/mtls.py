"""The scheme `mtls`: a client certificate that the TLS of this end has verified becomes an identity.

Only after an AUTH frame that asks for it, with an empty proof, and only where this authenticator was configured: the
certificate alone means nothing (clause AUTH-11). The certificate belongs to the link, so it can't be the credential of
one call: that form is refused.

Where something in front of the gateway ends TLS, its client's certificate stays there and is no fact of the link here;
so this refuses then, whatever the PROXY protocol says. Let TLS pass through to the gateway.
"""

from __future__ import annotations

import functools
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from graftwire.protocol.connection import Role
from graftwire.transport.facts import LinkFacts

from ..tables import Table, nearest
from .errors import CredentialError, SecurityError
from .identity import Identity
from .plugins import Attempt, Authenticator, Credential, CredentialProvider, Occasion, Refusal
from .watched import File, Watched

if TYPE_CHECKING:
    from cryptography import x509

SCHEME: Final = "mtls"

BY: Final = ("san-uri", "san-dns", "common-name", "fingerprint")
"""What of a certificate can be the subject. `fingerprint`: SHA-256 of the certificate, in lower-case hex."""

_LISTED: Final = ("fingerprint", "san-uri", "san-dns")


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Entry:
    """Whom a name stands for; `kind` is one of BY."""

    kind: str
    name: str
    subject: str
    roles: frozenset[str]


class MutualTls(Authenticator):
    """Makes an identity of a verified client certificate, as it is configured to.

    One of two:

    - `by`: which of its names is the subject. `san-uri`, `san-dns`, `common-name`: it has to have exactly one of that
      kind; `fingerprint`: the SHA-256 digest of the certificate. These identities have no roles.
    - `clients`: a TOML file that lists whom to let in, read again when it changes:

          [[client]]
          san-uri = "spiffe://works.example/press-3"     # or san-dns, or fingerprint
          subject = "press-3"
          roles = ["machine"]                            # may be left out

      A certificate has to match exactly one entry; one that matches none is refused. Once an entry is taken out of
      the file, calls of sessions that had proved it are refused.

    The identity expires with the certificate. Its issuer is the distinguished name of the authority that signed the
    certificate, as RFC 4514 writes it, or `issuer` if that is given. `now` is what dates are compared with, `clock`
    what the file is looked at by. Needs the package cryptography. Raises SecurityError.
    """

    name = "mtls"
    schemes = (SCHEME,)

    def __init__(
        self,
        by: str | None = None,
        *,
        clients: File | None = None,
        issuer: str | None = None,
        now: Callable[[], datetime] = _now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if (by is None) == (clients is None):
            raise SecurityError(
                f"mtls has to be told how a certificate becomes an identity: by one of {', '.join(BY)}, "
                "or by a file of clients"
            )
        if by is not None and by not in BY:
            raise SecurityError(f"mtls can't go by what it was told; {nearest(by, BY)}")
        try:
            from cryptography import x509
        except ImportError:
            raise SecurityError(
                "the authenticator mtls needs the package cryptography; install graftwire[mtls]"
            ) from None
        self._read = x509.load_der_x509_certificate
        self._by = by
        self._clients = (
            None
            if clients is None
            else Watched(
                (clients,),
                functools.partial(_entries, clients),
                "the file of clients",
                guarded=True,
                clock=clock,
            )
        )
        self._issuer = issuer
        self._now = now

    @classmethod
    def from_text(cls, text: str) -> MutualTls:
        """The authenticator for a configured `mtls:san-uri` (or another of `BY`), or `mtls:FILE` of clients."""
        # a word that is nearly one of BY and no file is one of BY with a typo
        word = text in BY or not text or (bool(get_close_matches(text, BY, 1)) and not os.path.exists(text))
        return cls(text or None) if word else cls(clients=text)

    async def authenticate(self, attempt: Attempt) -> Identity | Refusal:
        """The identity of the client certificate of the link."""
        if attempt.single_call:
            return Refusal("a certificate belongs to the link, and can't be the credential of one call")
        if attempt.proof:
            return Refusal("the proof of mtls is empty, and this one is not")
        found = _verified(attempt.facts, attempt.claimant)
        if isinstance(found, Refusal):
            return found
        try:
            certificate = self._read(found)
            return self._identify(certificate, found)
        except Exception as error:  # noqa: BLE001 - the parser has many exceptions; none may show what is in it
            return Refusal(f"the certificate can't be read ({type(error).__name__})")

    def _identify(self, certificate: x509.Certificate, der: bytes) -> Identity | Refusal:
        if not certificate.not_valid_before_utc <= self._now() < certificate.not_valid_after_utc:
            return Refusal("the certificate is out of its dates")
        entry = _named(certificate, der, self._by) if self._by is not None else self._listed(certificate, der)
        if isinstance(entry, Refusal):
            return entry
        issuer = certificate.issuer.rfc4514_string() if self._issuer is None else self._issuer
        claims = MappingProxyType({entry.kind: entry.name})
        return Identity(entry.subject, SCHEME, issuer, entry.roles, certificate.not_valid_after_utc, claims)

    def withdrawn(self, identity: Identity) -> str | None:
        """As in `Authenticator`: the client has left the file, or stands for another subject or other roles."""
        if self._clients is None:
            return None
        [(kind, name)] = identity.claims.items()
        entry = self._clients.value().get((kind, str(name)))
        if entry is None:
            return "the client is gone from the file"
        same = (entry.subject, entry.roles) == (identity.subject, identity.roles)
        return None if same else "the client stands for something else now"

    def _listed(self, certificate: x509.Certificate, der: bytes) -> _Entry | Refusal:
        assert self._clients is not None
        clients = self._clients.value()
        keys = [(kind, name) for kind in _LISTED for name in _names(certificate, der, kind)]
        found = {clients[key] for key in keys if key in clients}
        if not found:
            return Refusal("the certificate is none of the clients in the file")
        if len(found) > 1:
            return Refusal("the certificate is more than one of the clients in the file")
        return found.pop()


def _verified(facts: LinkFacts, claimant: Role) -> bytes | Refusal:
    """The certificate of who dialled, if this end has verified it."""
    if facts.tls is None:
        return Refusal("the link has no TLS that this end is part of")
    if claimant is not Role.INITIATOR or not facts.tls.server_side:
        return Refusal("a client certificate is shown by who dialled, to who listens")
    if facts.tls.certificate is None:
        return Refusal("the other end showed no certificate")
    if not facts.tls.verified:
        return Refusal("the other end's certificate was not verified")
    return facts.tls.certificate


def _names(certificate: x509.Certificate, der: bytes, kind: str) -> Iterator[str]:
    """The names of one kind in a certificate: those of BY."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    if kind == "fingerprint":
        yield hashlib.sha256(der).hexdigest()
    elif kind == "common-name":
        for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
            yield str(attribute.value)
    else:
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return
        if kind == "san-uri":
            yield from names.get_values_for_type(x509.UniformResourceIdentifier)
        else:
            for name in names.get_values_for_type(x509.DNSName):
                yield name.lower()


def _named(certificate: x509.Certificate, der: bytes, kind: str) -> _Entry | Refusal:
    names = list(_names(certificate, der, kind))
    if not names:
        return Refusal(f"the certificate has no {kind}")
    if len(names) > 1:
        return Refusal(f"the certificate has more than one {kind}, so it is not clear whose it is")
    # A pattern of names is nobody's name, and what can't be printed can't be told apart in a log.
    if not names[0] or not names[0].isprintable() or (kind == "san-dns" and "*" in names[0]):
        return Refusal(f"the {kind} of the certificate can't be a subject")
    return _Entry(kind, names[0], names[0], frozenset())


def _entries(file: File, contents: Sequence[bytes]) -> Mapping[tuple[str, str], _Entry]:
    top = Table.parse(file, contents[0])
    top.known("client")
    found: dict[tuple[str, str], _Entry] = {}
    for entry in top.tables("client"):
        entry.known(*_LISTED, "subject", "roles")
        kinds = [kind for kind in _LISTED if kind in entry.values]
        if len(kinds) != 1:
            raise entry.wrong(None, f"a client is known by exactly one of {', '.join(_LISTED)}")
        kind = kinds[0]
        name = entry.text(kind)
        if kind == "fingerprint":
            name = _fingerprint(name)
            if not name:
                raise entry.wrong(
                    kind, "a fingerprint is the SHA-256 of a certificate: 64 hex digits, colons allowed"
                )
        elif kind == "san-dns":
            name = name.lower()
        if (kind, name) in found:
            raise entry.wrong(kind, f"two clients have this {kind}; leave one of them out")
        found[kind, name] = _Entry(kind, name, entry.text("subject"), entry.texts("roles"))
    return found


def _fingerprint(text: str) -> str:
    try:
        digest = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        return ""
    return digest.hex() if len(digest) == hashlib.sha256().digest_size else ""


class MtlsCredential(CredentialProvider):
    """Asks the other side to take the client certificate of the link as this side's identity, for the session.

    The certificate is shown by the TLS context (`client_context(certificate=…)`); this only says that it is meant as an
    identity.
    """

    name = "mtls"

    async def credential(self, occasion: Occasion) -> Credential:
        """An empty proof. Raises CredentialError where there can't be a client certificate."""
        if occasion.target is not None:
            raise CredentialError("mtls proves a session, not a single call; use it for the session")
        if occasion.facts.tls is None:
            raise CredentialError("mtls needs a TLS link that ends at the other side; use tls:// or wss://")
        if occasion.role is not Role.INITIATOR:
            raise CredentialError("mtls is for who dials; a listener shows its certificate as a server")
        return Credential(SCHEME, b"")
