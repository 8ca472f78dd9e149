"""From plain values to the types that an interface names (spec/PROTOCOL.md, clause VAL-21).

Each annotation is compiled once. Records, maps and lists that hold nothing but what msgspec converts in the same
way are given to msgspec; what it does not do as the standard wants (enums by their names, integers as floats
only where exact, sets and lists told apart, named tuples as maps, references, classes with a constructor of
their own) is done in `shapes`. When msgspec refuses a value, `shapes` says why: msgspec's texts quote values.
"""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable, Hashable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeVar
from uuid import UUID

import msgspec

from . import shapes
from .errors import ValueRefused
from .records import field_hints, layout_of, substitute
from .scalars import Reference
from .shapes import Convert, Shape

# The types that stay what they are: no text becomes a date, no number a decimal.
_NATIVE: Final = (bytes, datetime, date, time, timedelta, Decimal, UUID)
_LISTS: Final = frozenset(
    {
        list,
        collections.abc.Sequence,
        collections.abc.MutableSequence,
        collections.abc.Collection,
        collections.abc.Iterable,
    }
)
_SETS: Final = frozenset({set, collections.abc.Set, collections.abc.MutableSet})
_MAPS: Final = frozenset({dict, collections.abc.Mapping, collections.abc.MutableMapping})
_WRAPPERS: Final[tuple[object, ...]] = (typing.Required, typing.NotRequired, typing.Final)
_CALLABLE: Final[object] = collections.abc.Callable
_ANY_TUPLE: Final[object] = typing.Tuple  # noqa: UP006 - also written so, and then not an empty one
_BOUNDS: Final = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "tz")
_BOUNDED: Final = frozenset({int, float, str, bytes, list, dict, set, datetime, time})


def converter(annotation: Any) -> Callable[[object], Any]:
    """What makes a value of the type `annotation` out of a plain value, as `values.decode` gives it.

    Types: Any and object (everything as it is), None, bool, int, float (also from an integer that it holds
    exactly), str, bytes, bytearray, date, time, datetime, timedelta, Decimal, UUID, enums (from a member's name),
    Literal; list, tuple, set, frozenset, dict and the abstract Iterable, Collection, Sequence, Set and Mapping
    (which become list, set and dict); dataclasses, named tuples, TypedDicts, msgspec.Struct and attrs classes,
    generic ones included; Optional and unions whose types can be told apart by the plain value; NewType,
    Annotated (bounds of msgspec.Meta are checked), TypeVar. A Callable, a Protocol, `values.Reference` or a
    subclass of it takes what stands for an object of the other side: any instance of `values.Reference`.

    Raises TypeError, in one sentence, for every other annotation. The function that it gives raises ValueRefused
    (VAL-21) with the path inside the value (`lines[3].amount`, `[...]` for what is found under a key that is
    data), never with the value. A TypeError or ValueError of a record's own constructor is such a refusal too;
    what else it raises passes through.
    """
    try:
        return _cached(annotation)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
    return _compile(annotation, {}).convert


@lru_cache(maxsize=1024)
def _cached(annotation: Any) -> Convert:
    return _compile(annotation, {}).convert


def _compile(annotation: Any, records: dict[Any, Shape]) -> Shape:
    """The shape of an annotation; `records` has those met so far, also unfinished ones: records can be recursive."""
    if annotation is Any or annotation is object:
        return shapes.ANYTHING
    origin: Any = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is None:
        return _compile_name(annotation, records)
    if origin is Annotated:
        return _bounded(_compile(arguments[0], records), arguments[1:])
    if origin is Literal:
        return _literal(arguments)
    if origin is typing.Union or origin is types.UnionType:
        return _union(annotation, arguments, records)
    if origin in _WRAPPERS:
        return _compile(arguments[0], records)
    if origin is _CALLABLE:
        return shapes.REFERENCE
    if origin is tuple and annotation is not _ANY_TUPLE:
        return _tuple(arguments, records)
    behind = getattr(origin, "__value__", None)
    if behind is not None:  # `type Pair[T] = …` of Python 3.12
        variables: tuple[Any, ...] = getattr(origin, "__type_params__", ())
        return _compile(substitute(behind, dict(zip(variables, arguments, strict=True))), records)
    if inspect.isclass(origin):
        return _compile_class(annotation, origin, arguments, records)
    raise _unsupported(annotation)


def _compile_name(annotation: Any, records: dict[Any, Shape]) -> Shape:
    """The shape of an annotation without brackets."""
    scalar = shapes.SCALARS.get(annotation) if isinstance(annotation, Hashable) else None
    if scalar is not None:
        return scalar
    if isinstance(annotation, TypeVar):
        if annotation.__constraints__:
            return _union(annotation, annotation.__constraints__, records)
        return _compile(annotation.__bound__ or Any, records)
    # A NewType, or `type Name = …` of Python 3.12.
    behind = getattr(annotation, "__supertype__", getattr(annotation, "__value__", None))
    if behind is not None and not isinstance(annotation, type | Enum):
        return _compile(behind, records)
    if annotation is typing.LiteralString:
        return shapes.SCALARS[str]
    if isinstance(annotation, type):
        cls: type[Any] = annotation
        return _compile_class(annotation, cls, (), records)
    raise _unsupported(annotation)


def _compile_class(annotation: Any, cls: Any, arguments: tuple[Any, ...], records: dict[Any, Shape]) -> Shape:
    """The shape of a class, or of a generic one with its arguments."""
    given = arguments or (Any, Any)
    if cls is tuple:
        return shapes.sequence(shapes.ANYTHING, as_tuple=True)
    if cls is _CALLABLE:
        return shapes.REFERENCE
    if cls in _LISTS:
        item = _compile(given[0], records)
        return _with_msgspec(shapes.sequence(item), annotation, faithful=item.faithful, only=list)
    try:
        if cls in _SETS or cls is frozenset:
            return shapes.set_of(_compile(given[0], records), frozen=cls is frozenset)
        if cls in _MAPS:
            shape = shapes.map_of(_compile(given[0], records), _compile(given[1], records))
            return _with_msgspec(shape, annotation, faithful=shape.faithful)
    except shapes.Unfit as error:
        raise _unsupported(annotation, str(error)) from None
    if issubclass(cls, Enum) and not issubclass(cls, Flag):
        return shapes.enum(cls)
    if issubclass(cls, Reference) or getattr(cls, "_is_protocol", False):
        return shapes.REFERENCE
    if layout_of(cls) is None:
        raise _unsupported(annotation)
    return _record(annotation, cls, arguments, records)


def _record(annotation: Any, cls: type[Any], arguments: tuple[Any, ...], records: dict[Any, Shape]) -> Shape:
    shape = records.get(annotation)
    if shape is not None:
        return shape
    layout = layout_of(cls)
    assert layout is not None
    shape = records[annotation] = Shape("map", frozenset({dict}), shapes.as_it_is, tag=layout.tag)

    def convert(value: Any) -> Any:  # for a record inside of itself: what converts it is not known yet
        return shape.convert(value)

    shape.convert = convert
    hints = field_hints(cls, arguments)
    fields = {field.name: _compile(hints.get(field.name, Any), records) for field in layout.fields}
    make = _constructor(cls)
    shape.convert = shapes.record(cls.__name__, make, layout, fields)
    shape.faithful = layout.direct and all(field.faithful for field in fields.values())
    return _with_msgspec(shape, annotation, faithful=shape.faithful)


def _constructor(cls: type[Any]) -> Callable[..., Any]:
    if typing.is_typeddict(cls):
        return dict
    # attrs takes `_name` as `name`.
    attributes: tuple[Any, ...] = getattr(cls, "__attrs_attrs__", ())
    aliases: dict[str, str] = {each.name: each.alias for each in attributes if each.alias != each.name}
    if not aliases:
        return cls

    def make(**fields: Any) -> Any:
        return cls(**{aliases.get(name, name): value for name, value in fields.items()})

    return make


def _tuple(arguments: tuple[Any, ...], records: dict[Any, Shape]) -> Shape:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return shapes.sequence(_compile(arguments[0], records), as_tuple=True)
    return shapes.fixed_tuple(tuple(_compile(each, records) for each in arguments))


def _union(annotation: Any, arguments: tuple[Any, ...], records: dict[Any, Shape]) -> Shape:
    # A field that may be UNSET is one that may be absent.
    members = [_compile(each, records) for each in arguments if each is not msgspec.UnsetType]
    if len(members) == 1:
        return members[0]
    try:
        return shapes.union(members)
    except shapes.Unfit as error:
        raise _unsupported(annotation, str(error)) from None


def _literal(values: tuple[Any, ...]) -> Shape:
    if any(
        not isinstance(value, str | bytes | int | Enum | None) or isinstance(value, Flag) for value in values
    ):
        raise _unsupported(Literal[values])
    return shapes.literal(values)


def _bounded(shape: Shape, metadata: tuple[object, ...]) -> Shape:
    """`shape` within the bounds that msgspec.Meta objects give; all other metadata is somebody else's."""
    bounds = [
        each
        for each in metadata
        if isinstance(each, msgspec.Meta) and any(getattr(each, name) is not None for name in _BOUNDS)
    ]
    if not bounds:
        return shape
    kinds = shape.kinds or ()
    kind: Any = float if float in kinds else next(iter(kinds), None)
    if len(kinds) != (2 if kind is float else 1) or kind not in _BOUNDED:
        raise _unsupported(Annotated[kind, bounds[0]], f"bounds can't be checked on {shape.name}")
    bounded = kind
    for each in bounds:
        bounded = Annotated[bounded, each]

    def convert(value: Any) -> Any:
        converted = shape.convert(value)
        try:
            msgspec.convert(converted if kind is float else value, bounded, builtin_types=_NATIVE)
        except msgspec.ValidationError:
            raise ValueRefused("VAL-21", "outside of the bounds that are declared") from None
        return converted

    return Shape(shape.name, shape.kinds, convert, literal=shape.literal)


def _with_msgspec(shape: Shape, annotation: Any, *, faithful: bool, only: type | None = None) -> Shape:
    """Let msgspec convert what it converts in the same way; `only`: plain values of that type alone."""
    if not faithful:
        return shape
    try:
        msgspec.inspect.type_info(annotation)
    except TypeError:  # msgspec does not know it, or not in this combination
        shape.faithful = False
        return shape
    slow = shape.convert

    def convert(value: Any) -> Any:
        if only is None or type(value) is only:
            try:
                return msgspec.convert(value, annotation, builtin_types=_NATIVE)
            except msgspec.ValidationError:
                pass
        return slow(value)

    shape.convert = convert
    return shape


def _unsupported(annotation: Any, reason: str = "") -> TypeError:
    name: str = annotation.__qualname__ if isinstance(annotation, type) else repr(annotation)
    return TypeError(f"{name} has no form on the wire" + (f": {reason}" if reason else ""))
