"""The model of an interface from a Python class, with all that can't be expressed said at once."""

from __future__ import annotations

import collections.abc
import inspect
import typing
from collections.abc import Callable, Iterable
from typing import Any, Final

from graftwire.gateway.members import NAME, RAISES, Kind, Member, members_of, version_of
from graftwire.gateway.problems import InterfaceError, place, place_of_class, written
from graftwire.protocol.failures import field_types
from graftwire.protocol.records import hints_of

from .annotations import Annotations
from .encode import encode
from .model import (
    KINDS,
    Attribute,
    Failure,
    Interface,
    MetadataError,
    Method,
    Parameter,
    ParameterKind,
    Scalar,
    Shape,
    Type,
)

TAKES: Final = frozenset({collections.abc.AsyncIterator, collections.abc.AsyncIterable})
GIVES: Final = TAKES | {
    collections.abc.AsyncGenerator,
    collections.abc.Iterator,
    collections.abc.Generator,
}
_KINDS: Final[dict[Any, ParameterKind]] = dict(
    zip(
        (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.KEYWORD_ONLY,
            inspect.Parameter.VAR_KEYWORD,
        ),
        KINDS,
        strict=True,
    )
)
_SHAPES: Final = {
    (False, False): Shape.UNARY,
    (False, True): Shape.SERVER_STREAM,
    (True, False): Shape.CLIENT_STREAM,
    (True, True): Shape.BOTH_STREAMS,
}


def build(cls: type, name: str, *, allow_untyped: bool = False, instance: bool = True) -> Interface:
    """The interface that an instance of `cls` has when it is hosted as `name`.

    A class or a Protocol that a typed client is made of has the same interface as what it describes, if names and
    signatures are the same. With `instance` False it is that of the class object: class and static methods alone.
    `allow_untyped`: what has no annotation is of the type any. Raises InterfaceError with everything that can't be
    expressed.
    """
    reader = _Reader(cls, name, untyped=allow_untyped)
    members = members_of(cls, instance=instance)
    if not members:
        reader.problems.append(
            f"{place_of_class(cls)}{name} has no public method, so there is nothing to call; write one in the class "
            "itself, or mark one that it has with graftwire.exposed"
        )
    methods = [reader.method(member) for member in members]
    if reader.problems:
        raise InterfaceError(*dict.fromkeys(reader.problems))  # one in a record that two methods use is one
    interface = Interface(
        name,
        version_of(cls),
        reader.annotations.enums,
        tuple(sorted(reader.failures.values(), key=lambda failure: failure.name)),
        reader.annotations.records,
        tuple(methods),
    )
    try:
        encode(interface)
    except MetadataError as error:
        raise InterfaceError(
            f"{place_of_class(cls)}{name} can't be described: {error.text}; make it simpler"
        ) from None
    return interface


def outermost(hint: Any) -> Any:
    """The class of an annotation, without what stands in its brackets; None for one that is no class."""
    return typing.get_origin(hint) or (hint if isinstance(hint, type) else None)


class _Reader:
    """Reads the methods of one class, and collects what is wrong with them."""

    def __init__(self, cls: type, name: str, *, untyped: bool) -> None:
        self.problems: list[str] = []
        self.failures: dict[str, Failure] = {}
        self.annotations = Annotations(untyped=untyped)
        self._cls = cls
        self._name = name
        self._untyped = untyped
        self._declared: dict[str, type[Exception]] = {}

    def method(self, member: Member) -> Method:
        """One method. Where something is wrong, it is something of that name, and `problems` has grown."""
        function, target = member.function, f"{self._name}.{member.name}"
        at = place(function)

        def wrong(text: str) -> None:
            self.problems.append(at + text)

        if not NAME.fullmatch(member.name) or len(target) > 255:
            wrong(f"{target} can't be called so; give it a name of at most 127 ASCII letters")
        hints = self._hints(function, target, wrong)
        if hints is None:
            return Method(member.name, Shape.UNARY, (), None, Scalar.ANY, ())
        parameters: list[Parameter] = []
        takes: Type | None = None
        for parameter in self._parameters(member, target, wrong):
            what = f"the parameter {parameter.name} of {target}"
            hint = hints.get(parameter.name, inspect.Parameter.empty)
            if hint is parameter.empty and not self._untyped:
                wrong(f"{what} has no type; annotate it, as in {parameter.name}: str (Any takes everything)")
            if outermost(hint) in TAKES:
                if takes is not None:
                    wrong(f"{target} takes two streams; a call carries one: make the other one a list")
                takes = self._item(hint, what, wrong)
                continue
            parameters.append(
                Parameter(
                    parameter.name,
                    _KINDS[parameter.kind],
                    self._type(hint, what, wrong),
                    parameter.default is not parameter.empty,
                )
            )
        gives_stream, gives = self._result(
            function, target, hints.get("return", inspect.Parameter.empty), wrong
        )
        raises = self._raises(function, target, wrong)
        shape = _SHAPES[takes is not None, gives_stream]
        return Method(member.name, shape, tuple(parameters), takes, gives, raises)

    def _hints(
        self, function: Callable[..., Any], target: str, wrong: Callable[[str], None]
    ) -> dict[str, Any] | None:
        try:
            return hints_of(written(function), target)
        except TypeError as error:
            wrong(str(error))
        except RecursionError:
            wrong(f"an annotation of {target} can't be resolved: it is too deep; make it simpler")
        return None

    @staticmethod
    def _parameters(member: Member, target: str, wrong: Callable[[str], None]) -> Iterable[inspect.Parameter]:
        """The parameters that a caller gives: without the one that the method is bound to."""
        try:
            parameters = list(inspect.signature(member.function).parameters.values())
        except ValueError:  # written in C, inside of a partial
            wrong(f"{target} does not say what it takes; write a method that calls it")
            return []
        if member.kind is Kind.STATIC:
            return parameters
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        if parameters and parameters[0].kind in positional:
            del parameters[0]
        elif not parameters or parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
            wrong(
                f"{target} has no parameter for the object that it belongs to; add self, or make it a static method"
            )
        return parameters

    def _type(self, hint: Any, what: str, wrong: Callable[[str], None]) -> Type:
        if hint is inspect.Parameter.empty:
            return Scalar.ANY
        try:
            return self.annotations.type(hint)
        except TypeError as error:
            remedy = "" if ";" in str(error) else "; the documentation lists what can under Types"
            wrong(f"{what} can't cross the wire: {error}{remedy}")
            return Scalar.ANY

    def _item(self, hint: Any, what: str, wrong: Callable[[str], None]) -> Type:
        """The type of the items of a stream."""
        arguments = typing.get_args(hint)
        if not arguments:
            wrong(f"{what} is a stream of unknown items; say of what, as in AsyncIterator[int]")
            return Scalar.ANY
        return self._type(arguments[0], f"the items of {what}", wrong)

    def _result(
        self, function: Callable[..., Any], target: str, hint: Any, wrong: Callable[[str], None]
    ) -> tuple[bool, Type]:
        """Whether a method gives a stream, and the type of its result or of the stream's items."""
        generator = inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function)
        if hint is inspect.Parameter.empty:
            if not self._untyped:
                example = "AsyncIterator[int]" if generator else "None"
                wrong(f"{target} has no return type; annotate it, as in `-> {example}`")
            return generator, Scalar.ANY
        if generator or outermost(hint) in GIVES:
            return True, self._item(hint, f"the result of {target}", wrong)
        return False, self._type(hint, f"the result of {target}", wrong)

    def _raises(
        self, function: Callable[..., Any], target: str, wrong: Callable[[str], None]
    ) -> tuple[str, ...]:
        declared: dict[str, type[Exception]] = getattr(function, RAISES, {})
        for name, cls in declared.items():
            known = self._declared.setdefault(name, cls)
            if known is not cls:
                wrong(
                    f"{target} declares another exception {name} than a method before; rename one of the two"
                )
            if name not in self.failures:
                self.failures[name] = self._failure(name, cls, wrong)
        return tuple(sorted(declared))

    def _failure(self, name: str, cls: type[Exception], wrong: Callable[[str], None]) -> Failure:
        try:
            types = field_types(cls)
        except TypeError as error:
            wrong(str(error))
            types = {}
        return Failure(
            name,
            tuple(
                Attribute(field, self._type(hint, f"the field {field} of the exception {name}", wrong))
                for field, hint in sorted(types.items())
            ),
        )
