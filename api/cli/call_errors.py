"""What went wrong with a call, in one sentence for the person who typed it."""

from __future__ import annotations

import re
from typing import Final

from graftwire import (
    ApplicationError,
    BadArguments,
    CallError,
    ConnectError,
    DeadlineExceeded,
    Denied,
    Error,
    InternalError,
    TlsError,
    Unauthenticated,
    Unavailable,
    UnknownTarget,
    ValueRefused,
)
from graftwire.gateway.configuration.checks import BARE
from graftwire.transport.url import Url

from .failure import Exit, Failure, of_library
from .jsonvalues import plain

_POSITION: Final = re.compile(r"arguments\[(\d+)\](.*)", re.DOTALL)
_NAMED: Final = re.compile(r"arguments\.(\w+)(.*)", re.DOTALL)
_ITEM: Final = re.compile(r"items\[(\d+)\].*", re.DOTALL)
_ASK: Final = "ask who runs the gateway to allow it: its log says why it does not"
_NAME: Final = "check the name, which may not be hosted at all"
_PATH: Final = re.compile(r"[\w.\[\]\"' -]{1,200}")

ALERT, HANDSHAKE = 0x15, 0x16  # the first byte of what a TLS server answers to what is not TLS


def what_answered(url: Url, first: bytes, error: Error) -> Failure:
    """No session came about, and `first` is how what answered began."""
    if first.startswith(b"HTTP/"):
        sentence = f"an HTTP server answers at {url}; Graftwire over HTTP is ws:// or wss://, where a server offers it"
    elif len(first) > 1 and first[0] in (ALERT, HANDSHAKE) and first[1] == 3:
        sentence = f"a TLS server answers at {url}; use tls:// or wss://, or another port"
    elif first[0] != 0:
        sentence = f"what answers at {url} does not speak Graftwire; check the port"
    else:
        return not_reached(url, error)
    return Failure(sentence, Exit.NO_SESSION, kind=of_library(error).kind)


def not_reached(url: Url, error: Error, *, silent: bool = False) -> Failure:
    """No session came about; says where, unless the library's sentence does.

    `silent`: the other side took the connection, said nothing, and left it open.
    """
    failure = of_library(error)
    if isinstance(error, Unauthenticated):
        return Failure(f"no session with {url}: {_not_taken(url)}", failure.code, kind=failure.kind)
    named = isinstance(error, ConnectError | TlsError) or isinstance(error.__cause__, ConnectError | TlsError)
    if named or url.text in failure.sentence:
        return failure
    hint = ""
    if isinstance(error, Unavailable):
        hint = "; check the port, and the transport that the URL begins with"
        if silent:
            hint += ": an HTTP server is silent like this, and so may be one that speaks TLS"
    return Failure(f"no session with {url}: {failure.sentence}{hint}", failure.code, kind=failure.kind)


def explain(
    error: Error,
    target: str,
    deadline: float | None,
    named: dict[str, object],
    *,
    url: Url,
    proved: bool = False,
) -> Failure:
    """A call of `target` in a session that was open failed; `named` are the arguments that were given by name.

    `proved`: this side has sent a credential.
    """
    failure = of_library(error)
    details: dict[str, object] = {}
    match error:
        case UnknownTarget():
            sentence = f"the other side hosts nothing that is called {target}; check the name"
        case Unauthenticated() if proved:
            sentence = _not_taken(url)
        case Unauthenticated():
            sentence = f"{failure.sentence}; add --credential NAME:TEXT, as in --credential api-key:file:PATH"
        case Denied():
            sentence = f"the caller may not call {target}; {_NAME}, or {_ASK}"
            if not proved:
                sentence = f"an anonymous caller may not call {target}; add --credential NAME:TEXT, {_NAME}, or {_ASK}"
        case BadArguments():
            sentence = _bad_arguments(error.path, target, named)
        case DeadlineExceeded():
            after = "" if deadline is None else f" of {deadline:g} s"
            sentence = f"the deadline{after} passed before {target} was done"
        case ApplicationError():
            sentence = f"{target} raised {error}"
            details = {"name": error.name, "message": error.message, "fields": plain(error.fields)}
        case InternalError():
            sentence = f"{target} failed at the other side in a way that it does not declare"
            if error.incident:
                sentence += f"; the log there has it as incident {error.incident}"
        case ValueRefused():
            sentence = _refused(error)
        case _:
            sentence = failure.sentence
    if isinstance(error, CallError):
        details["ran"] = error.ran
        if failure.code == Exit.NO_SESSION:
            sentence += "; the call may have run" if error.ran else "; the call did not run"
    return Failure(sentence, failure.code, kind=failure.kind, details=details)


def _not_taken(url: Url) -> str:
    sentence = (
        "the other side does not take this credential; check that it is meant for it and still valid, or ask who runs "
        "it: its log says why"
    )
    if url.scheme in BARE:
        sentence += f" (over {url.scheme} it takes none at all unless it was told so, too)"
    return sentence


def _bad_arguments(path: str, target: str, named: dict[str, object]) -> str:
    if path == "shape":
        return (
            f"{target} is not called in this way: --stream is for a method that gives a stream, --items for one that "
            "takes one"
        )
    position = _POSITION.fullmatch(path)
    if position is not None:
        return f"{_numbered(position)} does not fit {target}; it is of another type, or there is one too many"
    item = _ITEM.fullmatch(path)
    if item is not None:
        return f"item {int(item[1]) + 1} does not fit {target}; it is of another type"
    argument = _NAMED.fullmatch(path)
    if argument is None:
        if path == "arguments" and named:
            return f"{target} has no argument that is called {' or '.join(sorted(named))}; check the names"
        return f"the arguments do not fit {target}"
    name = argument[1]
    if name in named:
        inside = f" at {name}{argument[2]}" if argument[2] and _PATH.fullmatch(argument[2]) else ""
        return f"the argument {name}{inside} does not fit {target}; it is of another type, or was given twice"
    return f"{target} needs the argument {name}, which was not given"


def _refused(error: ValueRefused) -> str:
    position = _POSITION.fullmatch(error.path)
    if position is None:
        return f"{error.path or 'a value'} can't cross the wire: {error.text}"
    return f"{_numbered(position)} can't cross the wire: {error.text}"


def _numbered(position: re.Match[str]) -> str:
    """An argument as a person counts, and the path inside it."""
    inside = f" at {position[2].removeprefix('.')}" if _PATH.fullmatch(position[2]) else ""
    return f"argument {int(position[1]) + 1}{inside}"
