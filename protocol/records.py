"""Records and enums as the classes of a program: which fields they have, and under which names they travel.

Dataclasses, named tuples, TypedDicts, msgspec.Struct and attrs classes are records: maps with text keys
(spec/PROTOCOL.md, "Values"). attrs is never imported; its classes say themselves what they are.
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Iterator
from enum import Enum, Flag
from functools import lru_cache
from typing import Any, NamedTuple, NotRequired, Required, TypeVar, cast

import msgspec


class Field(NamedTuple):
    """A field of a record class: the attribute or argument, its key on the wire, and whether it must be there."""

    name: str
    key: str
    required: bool


class Layout(NamedTuple):
    """How a record class travels.

    `fields`: those that the constructor takes; `tag`: key and value that tell a msgspec.Struct from others of its
    union, or None; `closed`: unknown keys are refused; `direct`: the constructor does nothing but set the fields.
    """

    fields: tuple[Field, ...]
    tag: tuple[str, str | int] | None = None
    closed: bool = False
    direct: bool = False


def enum_name(value: object) -> str | None:
    """The name of an enum's member; None for what is not one. Flags are combinations and have no single name."""
    return value.name if isinstance(value, Enum) and not isinstance(value, Flag) else None


def pairs_of(value: object) -> Iterator[tuple[str, object]] | None:
    """Key and value of each field of a record, the tag first; None for what is not a record.

    Fields of a Struct that are UNSET are left out: absent differs from null.
    """
    layout = layout_of(type(value))
    return None if layout is None else _pairs(value, layout)


def _pairs(value: object, layout: Layout) -> Iterator[tuple[str, object]]:
    if layout.tag is not None:
        yield layout.tag
    for name, key, _ in layout.fields:
        field = getattr(value, name)
        if field is not msgspec.UNSET:
            yield key, field


@lru_cache(maxsize=512)
def layout_of(cls: type[Any]) -> Layout | None:
    """The layout of a record class; None for a class that is none.

    A Struct that travels as an array is none, nor is a dataclass whose constructor takes what is not a field.
    """
    if issubclass(cls, msgspec.Struct):
        return _struct_layout(cls)
    if issubclass(cls, tuple):
        names = cast("tuple[str, ...] | None", getattr(cast("type", cls), "_fields", None))
        if names is None:
            return None
        defaults: dict[str, object] = getattr(cast("type", cls), "_field_defaults", {})
        return Layout(tuple(Field(name, name, name not in defaults) for name in names))
    if typing.is_typeddict(cls):
        hints = field_hints(cls, ())
        return Layout(
            tuple(Field(name, name, _is_required(cls, name, hint)) for name, hint in hints.items()),
            direct=True,
        )
    if dataclasses.is_dataclass(cls):
        return _dataclass_layout(cls)
    attributes = cast("tuple[Any, ...] | None", getattr(cls, "__attrs_attrs__", None))
    if attributes is None:
        return None
    nothing = sys.modules["attr"].NOTHING
    return Layout(
        tuple(Field(each.name, each.name, each.default is nothing) for each in attributes if each.init)
    )


def _struct_layout(cls: type[msgspec.Struct]) -> Layout | None:
    config = cls.__struct_config__
    if config.array_like:
        return None
    # Read off the class, because `msgspec.structs.fields` fails where an annotation can't be resolved.
    names, defaults = cls.__struct_fields__, cls.__struct_defaults__
    optional = names[len(names) - len(defaults) :]
    required = {*names} - {
        name for name, default in zip(optional, defaults, strict=True) if default is not msgspec.NODEFAULT
    }
    return Layout(
        tuple(
            Field(name, key, name in required)
            for name, key in zip(names, cls.__struct_encode_fields__, strict=True)
        ),
        None if config.tag is None or config.tag_field is None else (config.tag_field, config.tag),
        config.forbid_unknown_fields,
        direct=not hasattr(cls, "__post_init__"),
    )


def _dataclass_layout(cls: type[Any]) -> Layout | None:
    fields = dataclasses.fields(cls)
    known = {each.name for each in fields}
    if any(name not in known and "InitVar" in str(each.type) for name, each in _all_fields(cls).items()):
        return None
    missing = dataclasses.MISSING
    return Layout(
        tuple(
            Field(each.name, each.name, each.default is missing and each.default_factory is missing)
            for each in fields
            if each.init
        ),
        # The constructor that the decorator wrote comes from no file.
        direct=all(each.init for each in fields)
        and not hasattr(cls, "__post_init__")
        and cls.__new__ is object.__new__
        and getattr(getattr(cls.__init__, "__code__", None), "co_filename", None) == "<string>",
    )


def _all_fields(cls: type[Any]) -> dict[str, dataclasses.Field[object]]:
    return cls.__dataclass_fields__


def _is_required(cls: Any, name: str, hint: object) -> bool:
    # The class itself only knows where its annotations are not text.
    origin = typing.get_origin(hint)
    return origin is Required or (origin is not NotRequired and name in cls.__required_keys__)


def field_hints(cls: type[Any], arguments: tuple[Any, ...]) -> dict[str, Any]:
    """The annotations of a record class, with `arguments` in the place of its type variables.

    Raises TypeError if one can't be resolved (a name that is only known inside of a function).
    """
    hints = hints_of(cls, cls.__qualname__)
    variables: dict[Any, Any] = {}
    _bind(cls, arguments, variables)
    return {name: substitute(hint, variables) for name, hint in hints.items()} if variables else hints


def hints_of(annotated: Any, name: str, *, extras: bool = True) -> dict[str, Any]:
    """The annotations of a class or of a function, which is called `name`; without `extras`, those in `Annotated` go.

    Annotations are code, also where they are texts. Raises TypeError, in one sentence with the remedy, for whatever
    they raise; RecursionError passes, because it says as much of where this was called.
    """
    try:
        return typing.get_type_hints(annotated, include_extras=extras)
    except RecursionError:
        raise
    except NameError as error:
        reason = f"{error}; define or import it in the module, outside of functions and of `if TYPE_CHECKING`"
    except Exception as error:  # noqa: BLE001 - whatever an annotation does
        reason = f"it raises {type(error).__name__}; correct it"
    raise TypeError(f"an annotation of {name} can't be resolved: {reason}")


def _bind(cls: Any, arguments: tuple[Any, ...], variables: dict[Any, Any]) -> None:
    """Collect what stands for each type variable of a class and of its generic bases."""
    variables.update(zip(getattr(cls, "__parameters__", ()), arguments, strict=False))
    for base in getattr(cls, "__orig_bases__", ()):
        origin = typing.get_origin(base)
        if isinstance(origin, type) and getattr(origin, "__parameters__", ()):
            _bind(origin, tuple(substitute(each, variables) for each in typing.get_args(base)), variables)


def substitute(hint: Any, variables: dict[Any, Any]) -> Any:
    """`hint` with types in the place of its type variables, as far as they are known."""
    if isinstance(hint, TypeVar):
        return variables.get(hint, hint)
    free = getattr(hint, "__parameters__", ())
    if not free or isinstance(hint, type):
        return hint
    return hint[tuple(variables.get(each, each) for each in free)]
