"""The interfaces of security plugins: one for each of the moments at which something is decided about trust.

| moment | where | interface |
| --- | --- | --- |
| a proof is needed | at the caller | `CredentialProvider` |
| a proof came | at the receiver | `Authenticator` |
| a call came, and who makes it is known | at the receiver | `Authoriser` |
| something was decided | at the receiver | `AuditSink` |

All of them are async, and all have a time limit. An exception that a plugin raises, an answer that is none and a
plugin that takes too long are refusals (and are logged), never a pass. Plugins are passed as objects, or found by
name as entry points (registry.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from graftwire.protocol.connection import Role
from graftwire.transport.facts import LinkFacts

if TYPE_CHECKING:
    from ..audit.record import Record
    from .identity import Identity


class Plugin(ABC):  # noqa: B024 - its subclasses have the abstract methods
    """What all plugins have: a name, under which the audit log knows them."""

    name: ClassVar[str] = ""

    @property
    def label(self) -> str:
        """`name`, or the name of the class where that is empty."""
        return self.name or type(self).__name__

    async def start(self) -> None:  # noqa: B027 - most have nothing to get ready
        """Get ready: called once, before anybody can connect.

        Raises SecurityError, in one sentence, for what is missing or wrong; the gateway then does not start.
        """


# ---------------------------------------------------------------- at the caller


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a proof is wanted for.

    `url` is where the other side is, as it was given (a gateway that proves itself to who dialled: the address that it
    listens on); `facts` are those of the link; `target` is what is called, where the proof is for one call, and None
    where it is for the session; `role` is that of this side. `hellos` gives the HELLO frames of the session, the
    initiator's first, without their length prefixes, once both were exchanged: for proofs that answer a challenge.
    """

    url: str
    facts: LinkFacts
    role: Role
    hellos: Callable[[], tuple[bytes, bytes]] = field(repr=False)
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """A proof of who this side is, in one of the slots that the standard has for it (clauses AUTH-1, AUTH-9).

    `scheme` and `proof` (at most 8 KiB) are what crosses the wire; `answer` makes the proof for a challenge of the
    other side, None: this credential has none; `expires` is when a new one will be needed, None: never.
    """

    scheme: str
    proof: bytes = field(repr=False)
    answer: Callable[[bytes], Awaitable[bytes]] | None = field(default=None, repr=False)
    expires: datetime | None = None


class CredentialProvider(Plugin):
    """Proves to the other side who this side is. The only way in which an identity is ever sent anywhere."""

    @abstractmethod
    async def credential(self, occasion: Occasion) -> Credential | None:
        """The proof for this occasion; None: go without.

        Raises CredentialError, in one sentence without a secret, where there should be one and there is none: the
        session or the call then fails with it, and nothing is sent.
        """


# ---------------------------------------------------------------- at the receiver


@dataclass(frozen=True, slots=True)
class Attempt:
    """A proof that came in, to be judged.

    `scheme` and `proof` are as they crossed the wire; `facts` are those of the link (a client certificate among
    them); `claimant` is the role of the side that proves; `hellos` as in Occasion; `single_call`: it is the credential
    of one call, so there is no challenge; `round` counts the AUTH frames of the exchange from 1; `memory` is what the
    last Challenge of this exchange asked to be kept.
    """

    scheme: str
    proof: bytes = field(repr=False)
    facts: LinkFacts
    claimant: Role
    hellos: Callable[[], tuple[bytes, bytes]] = field(repr=False)
    single_call: bool = False
    round: int = 1
    memory: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """An authenticator's answer that asks for one more round.

    `data` (at most 8 KiB) is sent to the claimant; `memory` comes back with its next proof and goes nowhere else.
    """

    data: bytes = field(repr=False)
    memory: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An authenticator's or authoriser's answer: no.

    `reason` is for the audit log of this side alone; the other side learns *unauthenticated* or *denied*. It must hold
    no secret and nothing of a proof.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Permission:
    """An authoriser's answer: yes, as far as this plugin is concerned.

    `reason` is for the audit log. `seconds`: the answer holds for this identity and target for so long, and is not
    asked for again meanwhile; the audit log then has one record and a count.
    """

    reason: str = ""
    seconds: float = 0.0


class Authenticator(Plugin):
    """Judges proofs of the schemes that it names, and so says who the other side is.

    A receiver has one authenticator for each scheme. The work must be bounded by the size of the proof.
    """

    schemes: Sequence[str]
    """The schemes whose proofs it judges."""

    @abstractmethod
    async def authenticate(self, attempt: Attempt) -> Identity | Challenge | Refusal:
        """Judge a proof: who it is that gives it, a further question, or no.

        An identity that has expired is refused by who asked; it need not be checked here.
        """

    def withdrawn(self, identity: Identity) -> str | None:
        """Why an identity that this authenticator gave counts no more, for the audit log; None: it does.

        Asked at each call under the identity, and every second while one with a stream runs, so that a revoked proof
        does not live on in a session. It has to be quick, and can't wait.
        """
        return None


@dataclass(frozen=True, slots=True)
class Request:
    """A call that came in, to be allowed or refused.

    `identity` is who calls, `target` the name of what is called, as it crossed the wire: it may name nothing. `facts`
    are those of the link. `arguments` (a list of the positional ones, a map of the named ones, as plain values) are
    None the first time, and there only for an authoriser that says `needs_arguments`. `discovery`: nothing is called,
    the caller wants to know what it may see.
    """

    identity: Identity
    target: str
    facts: LinkFacts
    arguments: tuple[Sequence[object], Mapping[str, object]] | None = field(default=None, repr=False)
    discovery: bool = False


class Authoriser(Plugin):
    """Says whether a call may be made. A receiver may have several; all of them have to allow it."""

    needs_arguments: ClassVar[bool] = False
    """Whether to ask again with the decoded arguments, once the call was allowed without them."""

    @abstractmethod
    async def authorise(self, request: Request) -> Permission | Refusal:
        """Whether this identity may call this target (and, the second time, with these arguments)."""


class AuditSink(Plugin):
    """Where audit records go: one for each decision (promise P13)."""

    @abstractmethod
    async def write(self, record: Record) -> None:
        """Take one record; when this returns it is kept. Raises OSError or anything else if it can't be."""

    async def aclose(self) -> None:
        """Let go of what the sink holds. Whoever made the sink calls it, after the last record."""
