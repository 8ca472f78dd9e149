"""What a command says when it can't do its work: one sentence, and an exit code that a script can tell apart."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from graftwire import (
    CallError,
    ConfigurationError,
    CredentialError,
    DeadlineExceeded,
    Error,
    InterfaceError,
    LinkError,
    Overloaded,
    SecurityChoiceMissing,
    SecurityError,
    SessionError,
    TlsError,
    Unavailable,
    UrlError,
    VersionMismatch,
)

DEBUG: Final = "GRAFTWIRE_DEBUG"  # set to anything: a defect of ours shows its traceback

_AS_THE_CA: Final = " as the CA"  # how the library ends a sentence about an option that it has, too
_OTHERS: Final = {  # and how it names others
    "say plain_proofs=True": "add --plain-proofs",
    "pass one, with its key": "add --cert FILE --key FILE",
}


class Exit(IntEnum):
    """The exit codes of every command. docs/reference/command-line.md explains them to users."""

    DONE = 0
    FAILED = 1  # the other side refused, or the work failed there; a frame that breaks the standard
    USAGE = 2  # the command line, or something that it names, has to be changed
    NO_SESSION = 3  # the other side can't be reached, is no Graftwire peer, was lost, or is overloaded
    DEADLINE = 4
    DEFECT = 70  # a defect of ours (EX_SOFTWARE of sysexits.h)
    INTERRUPTED = 130  # 128 and the number of the signal, as shells count; SIGTERM gives 143
    PIPE_CLOSED = 141  # whoever read our output has gone: what SIGPIPE would have given


class Failure(Exception):
    """Ends a command with one sentence on standard error, and `code`.

    `kind` is the word for it in the output of `--json`, `details` what else a script gets to know. An empty
    sentence prints nothing. `more` are further sentences, where several things are wrong at once.
    """

    def __init__(
        self,
        sentence: str,
        code: int = Exit.USAGE,
        *,
        kind: str = "usage",
        details: dict[str, object] | None = None,
        more: Sequence[str] = (),
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.kind = kind
        self.more = more
        self.details = details if details is not None else {}


class Interrupted(Failure):
    """A signal ended the command before it was done."""

    def __init__(self, number: int) -> None:
        super().__init__("", 128 + number, kind="interrupted")


class OutputClosed(Failure):
    """Whoever read standard output has gone."""

    def __init__(self) -> None:
        super().__init__("", Exit.PIPE_CLOSED, kind="output")


def of_library(error: Error) -> Failure:
    """The failure that an exception of the library stands for, in the library's words; options have ours."""
    if isinstance(error, InterfaceError):
        return of_problems(error)
    sentence = str(error)
    if isinstance(error, TlsError) and sentence.endswith(_AS_THE_CA):
        sentence = sentence.removesuffix(_AS_THE_CA) + " with --ca FILE"
    for theirs, ours in _OTHERS.items():
        sentence = sentence.replace(theirs, ours)
    return Failure(sentence, _code(error), kind=_kind(error))


def of_defect(error: Exception) -> Failure:
    """The failure of what nobody has foreseen: where it happened, and not what, since its text may hold anything.

    Shows the traceback where GRAFTWIRE_DEBUG wants it.
    """
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return Failure(
        f"this is a defect of graftwire ({type(error).__name__} in {os.path.basename(place.filename)}, line "
        f"{place.lineno}); please report it ({DEBUG}=1 shows the traceback)",
        Exit.DEFECT,
        kind="defect",
    )


def of_problems(error: InterfaceError) -> Failure:
    """The failure of what can't be hosted: a sentence for each thing that is wrong with it."""
    first, *more = error.problems
    details: dict[str, object] = {"problems": list(error.problems)}
    return Failure(first, kind="interface", details=details, more=more)


def _code(error: Error) -> Exit:
    match error:
        case DeadlineExceeded():
            return Exit.DEADLINE
        case Unavailable() | Overloaded() | SessionError() | VersionMismatch() | LinkError():
            return Exit.NO_SESSION
        case CallError():
            return Exit.FAILED
        case _:
            return Exit.USAGE


def _kind(error: Error) -> str:
    match error:
        case CallError():
            return error.code.label
        case LinkError():
            return "link"
        case UrlError():
            return "url"
        case InterfaceError():
            return "interface"
        case ConfigurationError():
            return "configuration"
        case SecurityError() | CredentialError() | SecurityChoiceMissing():
            return "security"
        case _:
            return "usage"
