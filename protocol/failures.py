"""From exceptions to the ERROR frames of the wire and back (clauses ERR-1 to ERR-4)."""

# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownParameterType=false
# (what is encoded, decoded and converted here is a user's own, of any type)
from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import Final

from . import errors, values
from .convert import converter
from .errors import CallError, ErrorCode, ValueRefused
from .records import hints_of

_CLASSES: Final[dict[ErrorCode, type[CallError]]] = {
    ErrorCode.CANCELLED: errors.CallCancelled,
    ErrorCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    ErrorCode.UNAUTHENTICATED: errors.Unauthenticated,
    ErrorCode.DENIED: errors.Denied,
    ErrorCode.UNKNOWN_TARGET: errors.UnknownTarget,
    ErrorCode.OVERLOADED: errors.Overloaded,
    ErrorCode.UNAVAILABLE: errors.Unavailable,
    ErrorCode.TOO_LARGE: errors.TooLarge,
    ErrorCode.PROTOCOL: errors.SessionError,
    ErrorCode.VERSION: errors.VersionMismatch,
}


def error_from_wire(
    code: ErrorCode, body: bytes | None, reference: Callable[[int], object] | None = None
) -> CallError:
    """The exception that an ERROR stands for. A body that is not what its code needs gives a plain InternalError.

    `reference` makes an object of a reference that a field holds.
    """
    known = _CLASSES.get(code)
    if known is not None:
        return known()
    try:
        value = values.decode(body or b"", reference=reference)
    except ValueRefused:
        return errors.InternalError()
    match code, value:
        case ErrorCode.BAD_ARGUMENTS, str(path):
            return errors.BadArguments(path)
        case ErrorCode.APPLICATION, [str(name), str(message), dict(fields)] if all(
            isinstance(key, str) for key in fields
        ):
            return errors.ApplicationError(name, message, typing.cast("dict[str, object]", fields))
        case ErrorCode.INTERNAL, bytes(incident) if len(incident) == 8:
            return errors.InternalError(incident.hex())
        case _:
            return errors.InternalError()


def error_to_wire(error: CallError) -> tuple[ErrorCode, bytes | None]:
    """The code and body of an ERROR for a CallError, except for what is to become *internal*.

    An InternalError needs an incident number and a log entry, which only the receiver's own code can make.
    """
    if isinstance(error, errors.BadArguments):
        return ErrorCode.BAD_ARGUMENTS, values.encode(error.path)
    return error.code, None


def describe_exception(error: Exception, reference: Callable[[object], int] | None = None) -> bytes:
    """The body of an *application* ERROR: [name, message, fields] of a declared exception.

    Fields are the attributes that the exception's class annotates and whose names have no underscore in front.
    Raises ValueRefused for a field whose value can't cross the wire.
    """
    fields: dict[str, object] = {}
    for name in field_types(type(error)):
        if hasattr(error, name):
            fields[name] = getattr(error, name)
    return values.encode([type(error).__name__, str(error), fields], reference=reference)


def field_types(declared: type[Exception]) -> dict[str, object]:
    """The public annotated attributes of an exception's class and of its bases, with their types.

    A ClassVar is an attribute of the class, and none of these. Raises TypeError if an annotation can't be resolved.
    """
    hints = hints_of(declared, f"the exception {declared.__name__}", extras=False)
    return {
        name: hint
        for name, hint in hints.items()
        if not name.startswith("_") and typing.ClassVar not in (hint, typing.get_origin(hint))
    }


def rebuild_exception(error: errors.ApplicationError, declared: Mapping[str, type[Exception]]) -> Exception:
    """The declared exception that an ApplicationError stands for; itself where its name is not declared here.

    The exception's own `__init__` is not run: its arguments did not cross the wire, its message and fields did.
    """
    cls = declared.get(error.name)
    if cls is None:
        return error
    types = field_types(cls)
    rebuilt = cls.__new__(cls)
    rebuilt.args = (error.message,)
    for name, value in error.fields.items():
        if name not in types:
            return error
        try:
            setattr(rebuilt, name, converter(types[name])(value))
        except (ValueRefused, AttributeError, TypeError):
            return error
    return rebuilt
