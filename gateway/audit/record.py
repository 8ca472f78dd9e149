"""What an audit record says: who, what, allowed or refused, by which plugin, and why (promise P13).

The fields are documented for readers of the log in docs/reference/audit.md. Nothing here is ever a payload, an
argument, a proof or a claim.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum

import msgspec

from graftwire.transport.facts import LinkFacts


class Event(StrEnum):
    """What was decided.

    AUTHENTICATION: whether an exchange of AUTH gave an identity; CALL: whether a call may be made; REPEATED: how often
    a permission that was given for a time was used again, said when it ends; WORKER: a worker process has ended, or was
    started again.
    """

    AUTHENTICATION = "authentication"
    CALL = "call"
    REPEATED = "repeated"
    WORKER = "worker"


class Decision(StrEnum):
    """How it was decided."""

    ALLOWED = "allowed"
    REFUSED = "refused"


class LinkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of the link that a record keeps; see LinkFacts.

    `certificate`: SHA-256 of the other end's certificate, in hex.
    """

    transport: str
    peer: str
    local: str
    proxied: str | None = None
    tls: str | None = None
    verified: bool = False
    certificate: str | None = None
    origin: str | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One decision.

    `time`: when it was made, in UTC; `session`: 16 hex digits, the same for all of a session; `call`: the call's id,
    None for an exchange; `target`: what was to be called, as it crossed the wire, `reference` for an object that was
    given out; `scheme`, `issuer`, `identity`: who, None where nobody was found out; `code`: what the other side was
    told, None where it was allowed; `plugin`, `reason`: who decided, and why, for this log alone; `duration`: seconds
    that it took; `digest`: of the metadata of the interface, in hex, None where the target was not looked up; `count`:
    of REPEATED alone.
    """

    time: datetime
    event: Event
    decision: Decision
    session: str
    call: int | None
    target: str | None
    link: LinkRecord
    scheme: str | None
    issuer: str | None
    identity: str | None
    code: str | None
    plugin: str
    reason: str
    duration: float
    digest: str | None = None
    count: int | None = None


def link_record(facts: LinkFacts) -> LinkRecord:
    """What a record keeps of the facts of a link."""
    tls = facts.tls
    certificate = tls.certificate if tls is not None else None
    return LinkRecord(
        transport=facts.transport,
        peer=facts.peer,
        local=facts.local,
        proxied=facts.proxied,
        tls=tls.version if tls is not None else None,
        verified=tls is not None and tls.verified,
        certificate=hashlib.sha256(certificate).hexdigest() if certificate is not None else None,
        origin=facts.origin,
    )
