"""Call/response between programs over TCP and WebSocket, with nothing hidden.

Everything that is public is here: `serve` hosts objects, `connect` calls them.
"""

from __future__ import annotations

from graftwire.gateway.gateway import Gateway, serve
from graftwire.gateway.interface import InterfaceError, nonblocking, raises
from graftwire.gateway.members import exposed, interface
from graftwire.gateway.security.anonymous import Anonymous
from graftwire.gateway.security.errors import SecurityChoiceMissing
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

from .client import Client, connect
from .retry import Retry

__all__ = [
    "Anonymous",
    "ApplicationError",
    "BadArguments",
    "CallCancelled",
    "CallError",
    "Client",
    "ConnectError",
    "ConnectOptions",
    "DeadlineExceeded",
    "Denied",
    "Error",
    "ErrorCode",
    "Gateway",
    "InterfaceError",
    "InternalError",
    "Limits",
    "LinkClosed",
    "LinkError",
    "LinkFacts",
    "ListenOptions",
    "Overloaded",
    "Remote",
    "Retry",
    "SecurityChoiceMissing",
    "SessionError",
    "Stream",
    "Timing",
    "TlsError",
    "TlsFacts",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "UnknownTarget",
    "UrlError",
    "ValueRefused",
    "VersionMismatch",
    "by_reference",
    "client_context",
    "connect",
    "exposed",
    "interface",
    "nonblocking",
    "pin",
    "pinned",
    "raises",
    "serve",
    "server_context",
]
