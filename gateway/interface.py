"""The public methods of what is hosted, read once from its signatures; nothing else can ever be called.

A target is looked up in a table that was made when the object was hosted. No name that comes over the wire is ever
used to look up an attribute.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any, Final, TypeVar

from graftwire.protocol import frames
from graftwire.protocol.convert import converter
from graftwire.protocol.errors import BadArguments, ValueRefused
from graftwire.protocol.records import hints_of

from .members import RAISES, Untyped, members_of
from .metadata.build import GIVES, TAKES, outermost
from .problems import InterfaceError

__all__ = ["InterfaceError", "Method", "Untyped", "methods_of", "nonblocking", "public_names", "raises"]

Function = TypeVar("Function", bound=Callable[..., object])

_NONBLOCKING: Final = "__graftwire_nonblocking__"
_RAISES: Final = RAISES
# Of what is written in C and does not say what it takes: it finds out itself.
_ANYTHING: Final = inspect.Signature(
    [
        inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
        inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
    ]
)


def nonblocking(function: Function) -> Function:
    """Mark a plain `def` as one that never blocks: it is called at once, without a thread and without a task.

    Whatever it does holds up everything else in the process, so it should take microseconds. Returns the function.
    """
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError("only a plain def can be marked as nonblocking")
    setattr(function, _NONBLOCKING, True)
    return function


def raises(*exceptions: type[Exception]) -> Callable[[Function], Function]:
    """Declare which exceptions of a method are part of its interface: they reach the caller as their own type.

    Every other exception reaches the caller as InternalError, without its text. An exception's public annotated
    attributes travel with it.
    """

    def mark(function: Function) -> Function:
        setattr(function, _RAISES, {cls.__name__: cls for cls in exceptions})
        return function

    return mark


class Method:
    """One callable method: how to bind plain values to its parameters, and how to run it.

    `shape` is the shape of call that it takes. `how` is "task" (async def), "thread" (def) or "inline" (nonblocking);
    `item` converts the items of the caller's stream; `result` makes the caller's type of a result, or of an item
    where the method gives a stream.
    """

    __slots__ = (
        "_count",
        "_names",
        "_parameters",
        "_required",
        "_simple",
        "_var_named",
        "_var_positional",
        "function",
        "how",
        "item",
        "name",
        "raises",
        "result",
        "returns",
        "shape",
        "stream_parameter",
    )

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        self.function = function
        behind = _behind(function)
        self.raises: dict[str, type[Exception]] = getattr(behind, _RAISES, {})
        hints = _hints(name, behind)
        self._parameters: list[tuple[inspect.Parameter, Callable[[object], Any] | None]] = []
        self._var_positional: Callable[[object], Any] | None = None
        self._var_named: Callable[[object], Any] | None = None
        self.stream_parameter: str | None = None
        self.item: Callable[[object], Any] | None = None
        for parameter in _signature(function).parameters.values():
            hint = hints.get(parameter.name, Any)
            if outermost(hint) in TAKES:
                if self.stream_parameter is not None:
                    raise InterfaceError(
                        f"{name} takes two streams; a call carries one: make the other one a list"
                    )
                items = typing.get_args(hint)
                if not items:
                    raise InterfaceError(
                        f"{parameter.name} of {name} is a stream that does not say of what: write "
                        "AsyncIterator[int], or AsyncIterator[Any] for items of any type"
                    )
                self.stream_parameter = parameter.name
                self.item = _converter(name, parameter.name, items[0])
                continue
            self._parameters.append((parameter, _converter(name, parameter.name, hint)))
        self._simple = all(p.kind is p.POSITIONAL_OR_KEYWORD for p, _ in self._parameters) and (
            self.stream_parameter is None
        )
        self._count = len(self._parameters)
        self._required = sum(p.default is p.empty for p, _ in self._parameters)
        self._names = {p.name for p, _ in self._parameters}
        self.returns = hints.get("return", Any)
        gives_stream = outermost(self.returns) in GIVES or (
            inspect.isasyncgenfunction(behind) or inspect.isgeneratorfunction(behind)
        )
        result_type = self.returns
        if gives_stream:
            arguments = typing.get_args(self.returns)
            result_type = arguments[0] if arguments else Any
        self.result = _converter(name, "return", result_type)
        self.shape = (frames.SERVER_STREAM if gives_stream else 0) | (
            frames.CLIENT_STREAM if self.stream_parameter is not None else 0
        )
        if getattr(behind, _NONBLOCKING, False) and self.shape == frames.UNARY:
            self.how = "inline"
        elif inspect.iscoroutinefunction(behind) or inspect.isasyncgenfunction(behind):
            self.how = "task"
        else:
            self.how = "thread"

    def bind(self, positional: list[object], named: dict[str, object]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments for the function, converted to its types; raises BadArguments with the path."""
        if self._simple and not named and self._required <= len(positional) <= self._count:
            bound: list[Any] = []
            for index, value in enumerate(positional):
                convert = self._parameters[index][1]
                bound.append(
                    value if convert is None else self._convert(convert, value, f"arguments[{index}]")
                )
            return bound, {}
        return self._bind_any(positional, named)

    @staticmethod
    def _convert(convert: Callable[[object], Any], value: object, path: str) -> Any:
        try:
            return convert(value)
        except ValueRefused as refused:
            raise BadArguments(refused.at(path).path) from refused

    def _bind_any(
        self, positional: list[object], named: dict[str, object]
    ) -> tuple[list[Any], dict[str, Any]]:
        bound: list[Any] = []
        rest = dict(named)
        by_name: dict[str, Any] = {}
        taken = 0
        takes_any_number = False
        for parameter, convert in self._parameters:
            name, kind = parameter.name, parameter.kind
            if kind is parameter.VAR_POSITIONAL:
                takes_any_number = True
                bound += [
                    self._convert_at(convert, positional[index], f"arguments[{index}]")
                    for index in range(taken, len(positional))
                ]
                taken = len(positional)
            elif kind is parameter.VAR_KEYWORD:
                # these names are the caller's own, and stay out of the path
                by_name |= {key: self._convert_at(convert, value, "arguments") for key, value in rest.items()}
                rest = {}
            elif kind is not parameter.KEYWORD_ONLY and taken < len(positional):
                bound.append(self._convert_at(convert, positional[taken], f"arguments[{taken}]"))
                taken += 1
            elif kind is not parameter.POSITIONAL_ONLY and name in rest:
                by_name[name] = self._convert_at(convert, rest.pop(name), f"arguments.{name}")
            elif parameter.default is parameter.empty:
                raise BadArguments(f"arguments.{name}")
        if taken < len(positional) and not takes_any_number:
            raise BadArguments(f"arguments[{taken}]")
        if rest:  # given twice, or unknown and then of a name that is the caller's own
            twice = [parameter.name for parameter, _ in self._parameters if parameter.name in rest]
            raise BadArguments(f"arguments.{twice[0]}" if twice else "arguments")
        return bound, by_name

    def _convert_at(self, convert: Callable[[object], Any] | None, value: object, path: str) -> Any:
        return value if convert is None else self._convert(convert, value, path)


def _behind(function: Callable[..., Any]) -> Callable[..., Any]:
    """What runs when `function` is called, and has its annotations and marks.

    Another one only where `function` is none itself: a partial, or an object with `__call__`.
    """
    while isinstance(function, functools.partial):
        function = typing.cast("Callable[..., Any]", function.func)
    if isinstance(function, type):  # of a partial: nobody can hand out a class
        return function.__init__
    if inspect.isroutine(function) or hasattr(function, "__wrapped__"):
        return function
    return function.__call__


def _signature(function: Callable[..., object]) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except ValueError:
        return _ANYTHING


def _hints(name: str, function: Callable[..., object]) -> dict[str, Any]:
    written = inspect.unwrap(function)
    if not hasattr(written, "__annotations__"):
        return {}  # written in C
    try:
        return hints_of(written, name)
    except TypeError as error:
        raise InterfaceError(str(error)) from None


def _converter(name: str, parameter: str, hint: Any) -> Callable[[object], Any] | None:
    if hint is Any or hint is object:
        return None
    try:
        return converter(hint)
    except TypeError as error:
        raise InterfaceError(f"the type of {parameter} in {name} can't cross the wire: {error}") from error


def public_names(cls: type) -> list[str]:
    """The names of the public methods of a class's instances; members.py says which those are."""
    return [member.name for member in members_of(cls)]


def methods_of(hosted: object, prefix: str) -> dict[str, Method]:
    """The callable methods of an object, by target: `prefix.name`. Of a class, its class and static methods.

    What is hosted under a name was checked before, when its metadata was made (`metadata.share`). Where `prefix` is
    empty, the object was handed out by reference: it has no interface that was declared, so nothing but the types that
    it has is looked at, and that at each call. Raises InterfaceError for a type that can't cross the wire.
    """
    if isinstance(hosted, Untyped):
        hosted = hosted.hosted
    cls, instance = (hosted, False) if isinstance(hosted, type) else (type(hosted), True)
    return {
        f"{prefix}.{member.name}": Method(f"{prefix}.{member.name}", member.bound_to(hosted))
        for member in members_of(cls, instance=instance, told=bool(prefix))
    }
