"""What becomes of a plain value, for each kind of annotation: checks and conversions, put together by `convert`.

A `Shape` refuses what is not of its type (VAL-21) with a path into the value and without the value itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from .errors import ValueRefused
from .records import Layout
from .scalars import SET_KINDS, Reference

Convert = Callable[[Any], Any]

_CLAUSE: Final = "VAL-21"
_MISSING: Final = object()
_WORDS: Final[dict[type, str]] = {dict: "map", list: "list", type(None): "null"}


class Unfit(TypeError):
    """Shapes that can't be put together; the text says why."""


class Shape:
    """One annotation, compiled.

    `convert` takes a plain value and gives one of the annotation's type, or raises ValueRefused. `name` is what a
    refusal says was expected. `kinds` are the types of plain values that it may take, None standing for all;
    objects behind references are `Reference`. `faithful`: msgspec.convert does exactly the same. `literal`: it
    takes some values of its kinds only. `tag`: the key and value by which a map is known to be of this shape.
    """

    __slots__ = ("convert", "faithful", "kinds", "literal", "name", "tag")

    def __init__(
        self,
        name: str,
        kinds: frozenset[type] | None,
        convert: Convert,
        *,
        faithful: bool = False,
        literal: bool = False,
        tag: tuple[str, str | int] | None = None,
    ) -> None:
        self.name = name
        self.kinds = kinds
        self.convert = convert
        self.faithful = faithful
        self.literal = literal
        self.tag = tag


def kind_of(value: object) -> type:
    """The type of a plain value; `Reference` for all that stands for an object of the other side."""
    return Reference if isinstance(value, Reference) else type(value)


def refused(expected: str, value: object) -> ValueRefused:
    """The refusal of a value of the wrong type."""
    kind = kind_of(value)
    return ValueRefused(_CLAUSE, f"expected {expected}, got {_WORDS.get(kind, kind.__name__)}")


def as_it_is(value: Any) -> Any:
    """The conversion to Any and object."""
    return value


ANYTHING: Final = Shape("anything", None, as_it_is, faithful=True)


def _exactly(kind: type) -> Shape:
    name = _WORDS.get(kind, kind.__name__)

    def convert(value: Any) -> Any:
        if type(value) is kind:
            return value
        raise refused(name, value)

    return Shape(name, frozenset({kind}), convert, faithful=True)


def _to_float(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            double = float(value)
        except OverflowError:
            double = 0.5  # no integer
        if double == value:
            return double
        raise ValueRefused(_CLAUSE, "expected float, got an int that no float holds exactly")
    raise refused("float", value)


def _to_reference(value: Any) -> Any:
    if isinstance(value, Reference):
        return value
    raise refused("Reference", value)


# Annotations that need no more than a look at the value's type.
SCALARS: Final[dict[object, Shape]] = {
    **{
        kind: _exactly(kind)
        for kind in (bool, int, str, bytes, datetime, date, time, timedelta, Decimal, UUID, type(None))
    },
    float: Shape("float", frozenset({float, int}), _to_float),
    bytearray: Shape("bytes", frozenset({bytes}), lambda value: bytearray(SCALARS[bytes].convert(value))),
}
SCALARS[None] = SCALARS[type(None)]
REFERENCE: Final = Shape("Reference", frozenset({Reference}), _to_reference)


def enum(cls: type[Enum]) -> Shape:
    """A member by its name, whatever its value is."""
    members = cls.__members__

    def convert(value: Any) -> Enum:
        if type(value) is not str:
            raise refused(f"a name of {cls.__name__}", value)
        member = members.get(value)
        if member is None:
            raise ValueRefused(_CLAUSE, f"not the name of a member of {cls.__name__}")
        return member

    return Shape(cls.__name__, frozenset({str}), convert)


def literal(values: tuple[Any, ...]) -> Shape:
    """One of some values, and of exactly their type; members of enums by their names."""
    known: dict[tuple[type, Any], Any] = {
        (str, value.name) if isinstance(value, Enum) else (type(value), value): value for value in values
    }

    def convert(value: Any) -> Any:
        # A type that is not a literal's may not be hashable.
        kind = kind_of(value)
        if kind in kinds and (kind, value) in known:
            return known[kind, value]
        raise ValueRefused(_CLAUSE, "not one of the literal values")

    kinds = frozenset(kind for kind, _ in known)
    return Shape("one of the literal values", kinds, convert, faithful=kinds <= {str}, literal=True)


def sequence(item: Shape, *, as_tuple: bool = False) -> Shape:
    """A list, or a tuple of any length."""

    def convert(value: Any) -> Any:
        kind = kind_of(value)
        if kind is not list:
            raise refused("list", value)
        one = item.convert
        out: list[Any] = []
        try:
            for each in value:
                out.append(one(each))  # noqa: PERF401 - its length is the path
        except ValueRefused as refusal:
            raise refusal.at(f"[{len(out)}]") from None
        return tuple(out) if as_tuple else out

    return Shape("list", frozenset({list}), convert)


def fixed_tuple(items: tuple[Shape, ...]) -> Shape:
    """A tuple with a type for each position."""

    def convert(value: Any) -> tuple[Any, ...]:
        kind = kind_of(value)
        if kind is not list:
            raise refused("list", value)
        if len(value) != len(items):
            raise ValueRefused(_CLAUSE, f"expected a list of {len(items)}, got one of another length")
        out: list[Any] = []
        try:
            for shape, each in zip(items, value, strict=True):
                out.append(shape.convert(each))
        except ValueRefused as refusal:
            raise refusal.at(f"[{len(out)}]") from None
        return tuple(out)

    return Shape("list", frozenset({list}), convert)


def set_of(item: Shape, *, frozen: bool = False) -> Shape:
    """A set; an array is none (VAL-15 has a tag for it). Raises Unfit if `item` can't be an element."""
    if item.kinds is not None and not item.kinds <= SET_KINDS:
        raise Unfit("the elements of a set must be scalars")

    def convert(value: Any) -> Any:
        kind = kind_of(value)
        if kind is not set:
            raise refused("set", value)
        try:
            out = frozenset(map(item.convert, value)) if frozen else set(map(item.convert, value))
        except ValueRefused as refusal:
            raise refusal.at("[...]") from None
        if len(out) != len(value):
            raise ValueRefused(_CLAUSE, "two elements of a set stand for the same")
        return out

    return Shape("set", frozenset({set}), convert)


def map_of(key: Shape, item: Shape) -> Shape:
    """A dict. Raises Unfit if `key` can't be a key."""
    if key.kinds is not None and not key.kinds <= {str, int}:
        raise Unfit("the keys of a map must be text, integers or names of an enum")

    def convert(value: Any) -> dict[Any, Any]:
        kind = kind_of(value)
        if kind is not dict:
            raise refused("map", value)
        convert_key, convert_item = key.convert, item.convert
        try:
            out = {convert_key(name): convert_item(each) for name, each in value.items()}
        except ValueRefused as refusal:
            raise refusal.at("[...]") from None
        if len(out) != len(value):
            raise ValueRefused(_CLAUSE, "two keys of a map stand for the same")
        return out

    return Shape("map", frozenset({dict}), convert, faithful=key.faithful and item.faithful)


def record(name: str, make: Callable[..., Any], layout: Layout, shapes: dict[str, Shape]) -> Convert:
    """The conversion of a map to what `make` makes of the fields, by name.

    Unknown keys are let be, or refused where the layout is closed. What `make` raises as TypeError or ValueError
    is the record's own refusal; its text may show values and is dropped.
    """
    fields = tuple((field, shapes[field.name]) for field in layout.fields)
    keys = {field.key for field in layout.fields}
    if layout.tag is not None:
        keys.add(layout.tag[0])

    def convert(value: Any) -> Any:
        kind = kind_of(value)
        if kind is not dict:
            raise refused("map", value)
        arguments: dict[str, Any] = {}
        for field, shape in fields:
            item = value.get(field.key, _MISSING)
            if item is not _MISSING:
                try:
                    arguments[field.name] = shape.convert(item)
                except ValueRefused as refusal:
                    raise refusal.at(field.key) from None
            elif field.required:
                raise ValueRefused(_CLAUSE, "the field is missing", field.key)
        if layout.tag is not None and value.get(layout.tag[0], layout.tag[1]) != layout.tag[1]:
            raise ValueRefused(_CLAUSE, f"not the tag of {name}", layout.tag[0])
        if value and type(next(iter(value))) is not str:
            raise ValueRefused(_CLAUSE, "the keys of a record must be text")
        if layout.closed and not value.keys() <= keys:
            raise ValueRefused(_CLAUSE, f"a field that {name} does not have")
        try:
            return make(**arguments)
        except (TypeError, ValueError):
            raise ValueRefused(_CLAUSE, f"{name} does not take these values") from None

    return convert


def union(shapes: list[Shape]) -> Shape:
    """The one of `shapes` that takes values of the kind at hand. Raises Unfit where that is not one."""
    if any(shape.kinds is None for shape in shapes):
        return ANYTHING
    choices: dict[type, Convert] = {}
    name = " or ".join(dict.fromkeys(shape.name for shape in shapes))
    kinds = frozenset[type]().union(*(shape.kinds or () for shape in shapes))
    for kind in kinds:
        choices[kind] = _choice(kind, [shape for shape in shapes if shape.kinds and kind in shape.kinds])

    def convert(value: Any) -> Any:
        choice = choices.get(kind_of(value))
        if choice is None:
            raise refused(name, value)
        return choice(value)

    # msgspec tells the same apart, but has no name for references.
    optional = len(shapes) == 2 and SCALARS[None] in shapes
    return Shape(name, kinds, convert, faithful=optional and all(shape.faithful for shape in shapes))


def _choice(kind: type, shapes: list[Shape]) -> Convert:
    """How a union converts values of one kind."""
    if kind is int and len(shapes) > 1:
        # An integer is one, where there is a choice, and no float.
        shapes = [shape for shape in shapes if shape is not SCALARS[float]]
    if len(shapes) == 1:
        return shapes[0].convert
    if kind is dict and all(shape.tag for shape in shapes):
        return _by_tag(shapes)
    whole = [shape for shape in shapes if not shape.literal]
    if len(whole) > 1 and kind is dict:
        raise Unfit(
            "a map could be any of several types of the union: records of one are msgspec.Structs with tags"
        )
    if len(whole) > 1:
        raise Unfit(f"a {_WORDS.get(kind, kind.__name__)} could be any of several types of the union")
    ordered = [shape for shape in shapes if shape.literal] + whole

    def convert(value: Any) -> Any:
        for shape in ordered[:-1]:
            try:
                return shape.convert(value)
            except ValueRefused:
                continue
        return ordered[-1].convert(value)

    return convert


def _by_tag(shapes: list[Shape]) -> Convert:
    """The choice among maps that tell their type under the same key (tagged msgspec.Structs)."""
    tags = {shape.tag: shape.convert for shape in shapes if shape.tag is not None}
    keys = {key for key, _ in tags}
    if len(keys) > 1 or len(tags) < len(shapes):
        raise Unfit("the records of a union have no tags that tell them apart")
    [key] = keys

    def convert(value: Any) -> Any:
        tag = value.get(key)
        choice = tags.get((key, tag)) if type(tag) in (str, int) else None
        if choice is None:
            raise ValueRefused(_CLAUSE, "not a tag of the union", key)
        return choice(value)

    return convert
