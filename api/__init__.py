"""Calls between programs over TCP and WebSocket, with nothing hidden.

Everything that is public is here: `serve` hosts objects, `connect` calls them.
"""

from __future__ import annotations

from graftwire.gateway.audit.record import Record
from graftwire.gateway.audit.trail import Trail
from graftwire.gateway.configuration.configuration import Configuration
from graftwire.gateway.configuration.errors import ConfigurationError
from graftwire.gateway.configuration.serving import ConfiguredGateway
from graftwire.gateway.gateway import Gateway, serve
from graftwire.gateway.interface import InterfaceError, nonblocking, raises
from graftwire.gateway.members import exposed, interface
from graftwire.gateway.metadata.diff import Change
from graftwire.gateway.security.anonymous import Anonymous
from graftwire.gateway.security.errors import CredentialError, SecurityChoiceMissing, SecurityError
from graftwire.gateway.security.identity import NOBODY, Identity, current_identity
from graftwire.gateway.security.plugins import (
    Attempt,
    AuditSink,
    Authenticator,
    Authoriser,
    Challenge,
    Credential,
    CredentialProvider,
    Occasion,
    Permission,
    Refusal,
    Request,
)
from graftwire.gateway.security.proxy_login import ProxyLogin
from graftwire.gateway.security.roles import AnyIdentity, allow
from graftwire.gateway.workers.worker import Worker
from graftwire.protocol.errors import (
    ApplicationError,
    BadArguments,
    CallCancelled,
    CallError,
    ConnectError,
    DeadlineExceeded,
    Denied,
    Error,
    ErrorCode,
    InternalError,
    LinkClosed,
    LinkError,
    Overloaded,
    SessionError,
    TlsError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnknownTarget,
    ValueRefused,
    VersionMismatch,
)
from graftwire.protocol.limits import Limits
from graftwire.transport.calls import Stream
from graftwire.transport.contexts import client_context, pin, pinned, server_context
from graftwire.transport.facts import LinkFacts, TlsFacts
from graftwire.transport.link import ConnectOptions, ListenOptions
from graftwire.transport.references import ByReference as by_reference
from graftwire.transport.references import Remote
from graftwire.transport.session import Timing
from graftwire.transport.url import UrlError

from .client import Client, connect, peer
from .comparing import InterfaceChanged
from .reaching import Wires, wires
from .retry import Retry
from .wiring import Wire

__all__ = [
    "NOBODY",
    "Anonymous",
    "AnyIdentity",
    "ApplicationError",
    "Attempt",
    "AuditSink",
    "Authenticator",
    "Authoriser",
    "BadArguments",
    "CallCancelled",
    "CallError",
    "Challenge",
    "Change",
    "Client",
    "Configuration",
    "ConfigurationError",
    "ConfiguredGateway",
    "ConnectError",
    "ConnectOptions",
    "Credential",
    "CredentialError",
    "CredentialProvider",
    "DeadlineExceeded",
    "Denied",
    "Error",
    "ErrorCode",
    "Gateway",
    "Identity",
    "InterfaceChanged",
    "InterfaceError",
    "InternalError",
    "Limits",
    "LinkClosed",
    "LinkError",
    "LinkFacts",
    "ListenOptions",
    "Occasion",
    "Overloaded",
    "Permission",
    "ProxyLogin",
    "Record",
    "Refusal",
    "Remote",
    "Request",
    "Retry",
    "SecurityChoiceMissing",
    "SecurityError",
    "SessionError",
    "Stream",
    "Timing",
    "TlsError",
    "TlsFacts",
    "TooLarge",
    "Trail",
    "Unauthenticated",
    "Unavailable",
    "UnknownTarget",
    "UrlError",
    "ValueRefused",
    "VersionMismatch",
    "Wire",
    "Wires",
    "Worker",
    "allow",
    "by_reference",
    "client_context",
    "connect",
    "current_identity",
    "exposed",
    "interface",
    "nonblocking",
    "peer",
    "pin",
    "pinned",
    "raises",
    "serve",
    "server_context",
    "wires",
]
