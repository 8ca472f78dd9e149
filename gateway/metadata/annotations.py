"""From annotations to the types of the model: what `protocol.convert` makes of one, said in terms of no language.

Left out, because it is a check that the receiver makes and no type: the bounds of `Annotated` (`msgspec.Meta`). The
values of a `Literal` are kept, because they are the type. A TypeVar is its bound or its constraints, a NewType and an
alias are what is behind them.
"""

# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# (annotations are a user's own, of any type)
from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Hashable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum as PythonEnum
from enum import Flag
from typing import Annotated, Any, Final, ForwardRef, Literal, TypeVar, cast
from uuid import UUID

import msgspec

from graftwire.protocol.convert import converter
from graftwire.protocol.records import field_hints, layout_of, substitute
from graftwire.protocol.scalars import Reference

from .model import (
    Enum,
    EnumNamed,
    Field,
    ListOf,
    MapOf,
    OneOf,
    Record,
    RecordNamed,
    Scalar,
    SetOf,
    TupleOf,
    Type,
    Union,
)
from .plain import type_bytes
from .text import type_text

_SCALARS: Final[dict[object, Scalar]] = {
    Any: Scalar.ANY,
    object: Scalar.ANY,
    None: Scalar.NULL,
    type(None): Scalar.NULL,
    bool: Scalar.BOOLEAN,
    int: Scalar.INTEGER,
    float: Scalar.FLOAT,
    str: Scalar.TEXT,
    typing.LiteralString: Scalar.TEXT,
    bytes: Scalar.BYTES,
    bytearray: Scalar.BYTES,
    date: Scalar.DATE,
    time: Scalar.TIME,
    datetime: Scalar.DATETIME,
    timedelta: Scalar.DURATION,
    Decimal: Scalar.DECIMAL,
    UUID: Scalar.UUID,
    collections.abc.Callable: Scalar.REFERENCE,
}
_LISTS: Final = (
    list,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Collection,
    collections.abc.Iterable,
)
_SETS: Final = (set, frozenset, collections.abc.Set, collections.abc.MutableSet)
_MAPS: Final = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_WRAPPERS: Final[tuple[object, ...]] = (typing.Required, typing.NotRequired, typing.Final)


class Annotations:
    """Collects the records and enums that the annotations of one interface lead to.

    `untyped`: fields of a record without an annotation are of the type any; otherwise they are refused.
    """

    def __init__(self, *, untyped: bool) -> None:
        self._untyped = untyped
        self._records: dict[str, Record | None] = {}
        self._enums: dict[str, Enum] = {}
        self._classes: dict[str, tuple[type, tuple[Type, ...]]] = {}
        self._open: list[object] = []

    @property
    def records(self) -> tuple[Record, ...]:
        """The records, by name."""
        return tuple(record for _, record in sorted(self._records.items()) if record is not None)

    @property
    def enums(self) -> tuple[Enum, ...]:
        """The enums, by name."""
        return tuple(enum for _, enum in sorted(self._enums.items()))

    def type(self, annotation: Any) -> Type:
        """The type that an annotation stands for. Raises TypeError, whose text is the reason, for what is none."""
        self._open = []
        try:
            found = self._type(annotation)
            converter(annotation)
        except RecursionError:
            raise TypeError("it leads to ever new types") from None
        return found

    def _type(self, annotation: Any) -> Type:
        if isinstance(annotation, str | ForwardRef):
            name = annotation if isinstance(annotation, str) else annotation.__forward_arg__
            raise TypeError(_cyclic(name))
        origin: Any = typing.get_origin(annotation)
        arguments = typing.get_args(annotation)
        if origin is None:
            return self._plain(annotation)
        if origin is Annotated or origin in _WRAPPERS:
            return self._type(arguments[0])
        if origin is Literal:
            return _literal(arguments)
        if origin is typing.Union or origin is types.UnionType:
            # A field that may be UNSET is one that may be absent.
            return union(self._type(each) for each in arguments if each is not msgspec.UnsetType)
        if hasattr(origin, "__value__"):
            variables: tuple[Any, ...] = getattr(origin, "__type_params__", ())
            bound = substitute(origin.__value__, dict(zip(variables, arguments, strict=False)))
            return self._behind(origin, bound)
        return self._class(annotation, origin, arguments)

    def _plain(self, annotation: Any) -> Type:
        """The type of an annotation without brackets."""
        scalar = _SCALARS.get(annotation) if isinstance(annotation, Hashable) else None
        if scalar is not None:
            return scalar
        if isinstance(annotation, TypeVar):
            if annotation.__constraints__:
                return union(self._type(each) for each in annotation.__constraints__)
            return self._type(annotation.__bound__ or Any)
        if isinstance(annotation, type):
            cls: type[Any] = annotation
            return self._class(annotation, cls, ())
        behind = getattr(annotation, "__supertype__", getattr(annotation, "__value__", None))
        if behind is not None and not isinstance(annotation, PythonEnum):
            return self._behind(annotation, behind)
        converter(annotation)  # which says why not
        raise TypeError("it has no form on the wire")

    def _behind(self, alias: object, behind: Any) -> Type:
        if any(alias is each for each in self._open):
            raise TypeError(_cyclic(getattr(alias, "__name__", "")))
        self._open.append(alias)
        found = self._type(behind)
        self._open.pop()
        return found

    def _class(self, annotation: Any, cls: Any, arguments: tuple[Any, ...]) -> Type:
        scalar = _SCALARS.get(cls)
        if scalar is not None:
            return scalar
        given = arguments or (Any, Any)
        if cls in _LISTS:
            return ListOf(self._type(given[0]))
        if cls in _SETS:
            return SetOf(self._type(given[0]))
        if cls in _MAPS:
            return MapOf(self._type(given[0]), self._type(given[1]))
        if cls is tuple:
            return self._tuple(annotation, arguments)
        if inspect.isclass(cls):
            if issubclass(cls, PythonEnum) and not issubclass(cls, Flag):
                return self._enum(cls)
            if issubclass(cls, Reference) or getattr(cls, "_is_protocol", False):
                return Scalar.REFERENCE
            if layout_of(cls) is not None:
                return self._record(cls, arguments)
        converter(annotation)  # which says why not
        raise TypeError("it has no form on the wire")

    def _tuple(self, annotation: Any, arguments: tuple[Any, ...]) -> Type:
        if annotation in (tuple, typing.Tuple):  # noqa: UP006 - also written so, and then not an empty one
            return ListOf(Scalar.ANY)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return ListOf(self._type(arguments[0]))
        return TupleOf(tuple(self._type(each) for each in arguments))

    def _enum(self, cls: type[PythonEnum]) -> EnumNamed:
        self._claim(cls.__name__, cls, ())
        self._enums[cls.__name__] = Enum(cls.__name__, tuple(sorted(cls.__members__)))
        return EnumNamed(cls.__name__)

    def _record(self, cls: type[Any], arguments: tuple[Any, ...]) -> RecordNamed:
        name = cls.__name__
        types = tuple(self._type(each) for each in arguments)
        if types:
            name += f"[{', '.join(map(type_text, types))}]"
        self._claim(name, cls, types)
        if name not in self._records:
            self._records[name] = None  # for a record inside of itself
            aliases, self._open = self._open, []
            self._records[name] = self._fields(name, cls, arguments)
            self._open = aliases
        return RecordNamed(name)

    def _fields(self, name: str, cls: type[Any], arguments: tuple[Any, ...]) -> Record:
        layout = layout_of(cls)
        assert layout is not None
        hints = field_hints(cls, arguments)
        fields: list[Field] = []
        if layout.tag is not None:
            key, value = layout.tag
            fields.append(Field(key, _literal((value,)), True))
        for field in layout.fields:
            if field.name not in hints and not self._untyped:
                raise TypeError(f"the field {field.key} of {name} has no type")
            try:
                fields.append(Field(field.key, self._type(hints.get(field.name, Any)), field.required))
            except TypeError as error:
                raise TypeError(f"the field {field.key} of {name}: {error}") from None
        return Record(name, layout.closed, tuple(sorted(fields, key=lambda field: field.name)))

    def _claim(self, name: str, cls: type, arguments: tuple[Type, ...]) -> None:
        """Two types can't share a name: there would be one record or enum of it in the metadata."""
        known, known_arguments = self._classes.setdefault(name, (cls, arguments))
        if known is not cls:
            both = " and ".join(f"{each.__module__}.{each.__qualname__}" for each in (cls, known))
            raise TypeError(f"{both} are both called {name}; rename one of the two")
        if (
            known_arguments != arguments
        ):  # a class that is called like a type, as in Page[int] and Page[integer]
            raise TypeError(f"two records would be called {name}; rename a class in the brackets")


def union(types: Iterable[Type]) -> Type:
    """The union of some types, in its one form: flat, in the order of the bytes, literal values in one choice."""
    members: dict[Type, None] = {}
    choice = OneOf()
    for each in types:
        for member in each.types if isinstance(each, Union) else (each,):
            if member is Scalar.ANY:
                return Scalar.ANY
            if isinstance(member, OneOf):
                choice = _joined(choice, member)
            else:
                members[member] = None
    if choice != OneOf():
        members[choice] = None
    ordered = sorted(members, key=type_bytes)
    return ordered[0] if len(ordered) == 1 else Union(tuple(ordered))


def _joined(one: OneOf, other: OneOf) -> OneOf:
    return OneOf(
        tuple(sorted({*one.integers, *other.integers})),
        tuple(sorted({*one.texts, *other.texts})),
        tuple(sorted({*one.byte_strings, *other.byte_strings})),
        tuple(sorted({*one.booleans, *other.booleans})),
    )


def _literal(values: tuple[object, ...]) -> Type:
    """The type of some values; members of enums are their names."""
    if any(isinstance(value, Flag) for value in values):
        raise TypeError("a flag has no form on the wire")
    plain = [value.name if isinstance(value, PythonEnum) else value for value in values]
    if any(value is not None and not isinstance(value, str | bytes | int) for value in plain):
        raise TypeError("a literal value has no form on the wire")
    choice = OneOf(
        tuple(sorted({value for value in plain if type(value) is int})),
        tuple(sorted({value for value in plain if isinstance(value, str)})),
        tuple(sorted({value for value in plain if isinstance(value, bytes)})),
        tuple(sorted({value for value in plain if isinstance(value, bool)})),
    )
    null = [Scalar.NULL] if None in plain else cast("list[Type]", [])
    return union([*null, choice] if choice != OneOf() else null)


def _cyclic(name: str) -> str:
    return f"the alias {name} leads to itself, which only a record may; make it a dataclass"
