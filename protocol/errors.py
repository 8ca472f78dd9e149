"""Error codes of the wire and the exceptions that stand for them.

One hierarchy for the whole product: everything that Graftwire raises on purpose is an `Error`. The branch
`CallError` mirrors the error codes of the standard (spec/PROTOCOL.md, "Errors") one to one; `LinkError` is what
happens below a session; `ProtocolViolation` is what the other side did wrong, `LocalProtocolError` what this side
was asked to do wrong. No text of any of them ever holds a value or a credential.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, Final


class ErrorCode(IntEnum):
    """The stable error numbers (clause ERR-1). NONE exists for GOAWAY alone: leaving in peace."""

    NONE = 0
    CANCELLED = 1
    DEADLINE_EXCEEDED = 2
    UNAUTHENTICATED = 3
    DENIED = 4
    UNKNOWN_TARGET = 5
    BAD_ARGUMENTS = 6
    APPLICATION = 7
    INTERNAL = 8
    OVERLOADED = 9
    UNAVAILABLE = 10
    TOO_LARGE = 11
    PROTOCOL = 12
    VERSION = 13

    @property
    def label(self) -> str:
        """The code's name in the standard, as in `deadline-exceeded`."""
        return self.name.lower().replace("_", "-")


# What each code means, in the words that a user reads (clause ERR-4: texts come from here, not from the peer).
MEANINGS: Final[dict[ErrorCode, str]] = {
    ErrorCode.NONE: "the session ended in peace",
    ErrorCode.CANCELLED: "the call was cancelled",
    ErrorCode.DEADLINE_EXCEEDED: "the call's deadline passed before it was done",
    ErrorCode.UNAUTHENTICATED: "the other side does not know who is calling",
    ErrorCode.DENIED: "the caller may not call this",
    ErrorCode.UNKNOWN_TARGET: "the other side hosts nothing of that name",
    ErrorCode.BAD_ARGUMENTS: "the arguments do not fit the method",
    ErrorCode.APPLICATION: "the method raised an exception that it declares",
    ErrorCode.INTERNAL: "the method failed in a way that it does not declare",
    ErrorCode.OVERLOADED: "the other side takes no more calls just now",
    ErrorCode.UNAVAILABLE: "the other side could not run the call",
    ErrorCode.TOO_LARGE: "a value is too large for one frame",
    ErrorCode.PROTOCOL: "the other side broke the protocol",
    ErrorCode.VERSION: "the two sides share no protocol version",
}


class Error(Exception):
    """The base of everything that Graftwire raises on purpose."""


class ProtocolViolation(Error):
    """The other side sent what the standard forbids; the session ends.

    `clause` names the rule (as in `FRAME-4`), `code` is what GOAWAY says (PROTOCOL unless the clause fixes
    another), `text` is one sentence without any byte of what was sent.
    """

    def __init__(self, clause: str, text: str, code: ErrorCode = ErrorCode.PROTOCOL) -> None:
        super().__init__(f"{text} ({clause})")
        self.clause = clause
        self.text = text
        self.code = code


class LocalProtocolError(Error):
    """This side was asked to send what the standard forbids; nothing was sent and the session goes on."""

    def __init__(self, clause: str, text: str) -> None:
        super().__init__(f"{text} ({clause})")
        self.clause = clause
        self.text = text


class ValueRefused(Error):
    """A value can't be encoded, decoded or converted.

    `path` leads to it (`arguments[0].lines[3].amount`; empty: the value itself), `clause` names the rule,
    `text` says what is wrong and never shows the value.
    """

    def __init__(self, clause: str, text: str, path: str = "") -> None:
        super().__init__(f"{path}: {text} ({clause})" if path else f"{text} ({clause})")
        self.clause = clause
        self.text = text
        self.path = path

    def at(self, prefix: str) -> ValueRefused:
        """The same refusal with `prefix` put before its path."""
        joined = prefix if not self.path else prefix + (self.path if self.path[0] == "[" else "." + self.path)
        return ValueRefused(self.clause, self.text, joined)


class CallError(Error):
    """A call ended with an error; the subclasses are the codes of the standard.

    `code` is the number; `ran` says whether user code may have run at the receiver: False is a promise that it
    did not (clause ERR-3), so that such a call is safe to send again.
    """

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL

    def __init__(self, text: str | None = None, *, ran: bool | None = None) -> None:
        super().__init__(text if text is not None else MEANINGS[self.code])
        self.ran = self.code not in NOTHING_RAN if ran is None else ran


class CallCancelled(CallError):
    """The receiver cancelled the call; a handler raises this to do so.

    A cancelled scope at the caller raises trio.Cancelled instead.
    """

    code = ErrorCode.CANCELLED


class DeadlineExceeded(CallError):
    """The call's deadline passed, here or at the receiver."""

    code = ErrorCode.DEADLINE_EXCEEDED


class Unauthenticated(CallError):
    """No identity, or one that has expired. No user code ran."""

    code = ErrorCode.UNAUTHENTICATED


class Denied(CallError):
    """The identity may not call this target. No user code ran."""

    code = ErrorCode.DENIED


class UnknownTarget(CallError):
    """Nothing of that name is hosted, or the reference was withdrawn. No user code ran."""

    code = ErrorCode.UNKNOWN_TARGET


class BadArguments(CallError):
    """The arguments do not fit the method; `path` leads to the offending one. The method did not run."""

    code = ErrorCode.BAD_ARGUMENTS

    def __init__(self, path: str = "", text: str | None = None) -> None:
        super().__init__(text if text is not None else f"bad arguments at {path or 'the argument list'}")
        self.path = path
        self.ran = path.startswith("items")  # an item that does not fit comes when the method is running


class ApplicationError(CallError):
    """The method raised an exception that it declares and that the caller has no type for.

    `name` is the exception's name, `message` its text, `fields` its public fields as plain values.
    """

    code = ErrorCode.APPLICATION

    def __init__(self, name: str, message: str, fields: dict[str, object] | None = None) -> None:
        super().__init__(f"{name}: {message}" if message else name)
        self.name = name
        self.message = message
        self.fields: dict[str, object] = fields if fields is not None else {}


class InternalError(CallError):
    """The method failed with an exception that it does not declare.

    `incident` (8 bytes as hex) finds the entry in the receiver's own log; nothing else crosses the wire.
    """

    code = ErrorCode.INTERNAL

    def __init__(self, incident: str = "") -> None:
        told = f"; the receiver's log has it as incident {incident}" if incident else ""
        super().__init__(MEANINGS[ErrorCode.INTERNAL] + told)
        self.incident = incident


class Overloaded(CallError):
    """The receiver takes no more calls just now. No user code ran."""

    code = ErrorCode.OVERLOADED


class Unavailable(CallError):
    """The receiver could not run the call, or the session ended while the call was under way.

    `ran` is False where it is certain that no user code ran (the receiver said so, the call was above the last
    id of a GOAWAY, or it never left this process); True means that nobody knows.
    """

    code = ErrorCode.UNAVAILABLE


class TooLarge(CallError):
    """A value does not fit into one frame of this session; send it as a stream."""

    code = ErrorCode.TOO_LARGE


class SessionError(CallError):
    """The session ended because one side broke the protocol."""

    code = ErrorCode.PROTOCOL


class VersionMismatch(CallError):
    """The two sides share no protocol version."""

    code = ErrorCode.VERSION


# Clause ERR-3: with these from the receiver, no user code ran.
NOTHING_RAN: Final[frozenset[ErrorCode]] = frozenset(
    {
        ErrorCode.UNAUTHENTICATED,
        ErrorCode.DENIED,
        ErrorCode.UNKNOWN_TARGET,
        ErrorCode.OVERLOADED,
        ErrorCode.UNAVAILABLE,
        ErrorCode.BAD_ARGUMENTS,
        ErrorCode.VERSION,
    }
)


class LinkError(Error):
    """Something happened to the link below a session; one sentence with the reason and the remedy."""


class ConnectError(LinkError):
    """No link came about: wrong host, wrong port, nobody listening, or the wait for it ran out."""


class TlsError(LinkError):
    """TLS refused: certificate, name, version, ALPN, or an end without close_notify."""


class LinkClosed(LinkError):
    """The link is gone: the other end closed it, reset it, or this end has closed it."""
