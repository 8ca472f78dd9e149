"""The model as arrays, numbers and texts, which the wire has bytes for, and back.

Arrays have a fixed length and every number is from a closed list, so there is no room for anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from graftwire.protocol import values

from .model import (
    FORMAT,
    KINDS,
    SCALARS,
    SHAPES,
    Attribute,
    Enum,
    EnumNamed,
    Failure,
    Field,
    Interface,
    ListOf,
    MapOf,
    MetadataError,
    Method,
    OneOf,
    Parameter,
    Record,
    RecordNamed,
    Scalar,
    SetOf,
    TupleOf,
    Type,
    Union,
)

Item = TypeVar("Item")

LIST, SET, MAP, TUPLE, RECORD, ENUM, ONE_OF, UNION = range(len(SCALARS), len(SCALARS) + 8)
# The number of a type with parts, and how many it has.
_PARTS: Final = {
    (LIST, 1),
    (SET, 1),
    (MAP, 2),
    (TUPLE, 1),
    (RECORD, 1),
    (ENUM, 1),
    (ONE_OF, 4),
    (UNION, 1),
}


def type_bytes(kind: Type) -> bytes:
    """The bytes of one type, by which the types of a union are ordered."""
    return values.encode(_of_type(kind))


# ---------------------------------------------------------------- to plain values


def of_interface(each: Interface) -> list[Any]:
    """An interface as arrays, numbers and texts."""
    return [
        FORMAT,
        each.name,
        each.version,
        [[enum.name, list(enum.members)] for enum in each.enums],
        [
            [failure.name, [[field.name, _of_type(field.type)] for field in failure.fields]]
            for failure in each.exceptions
        ],
        [
            [
                record.name,
                record.closed,
                [[field.name, _of_type(field.type), field.required] for field in record.fields],
            ]
            for record in each.records
        ],
        [_of_method(method) for method in each.methods],
    ]


def _of_method(method: Method) -> list[Any]:
    return [
        method.name,
        SHAPES.index(method.shape),
        [
            [parameter.name, KINDS.index(parameter.kind), _of_type(parameter.type), parameter.has_default]
            for parameter in method.parameters
        ],
        None if method.takes is None else _of_type(method.takes),
        _of_type(method.gives),
        list(method.raises),
    ]


def _of_type(kind: Type) -> Any:
    match kind:
        case Scalar():
            return SCALARS.index(kind)
        case ListOf():
            return [LIST, _of_type(kind.item)]
        case SetOf():
            return [SET, _of_type(kind.item)]
        case MapOf():
            return [MAP, _of_type(kind.key), _of_type(kind.value)]
        case TupleOf():
            return [TUPLE, [_of_type(each) for each in kind.items]]
        case RecordNamed():
            return [RECORD, kind.name]
        case EnumNamed():
            return [ENUM, kind.name]
        case OneOf():
            choices = (kind.integers, kind.texts, kind.byte_strings, kind.booleans)
            return [ONE_OF, *map(list, choices)]
        case Union():
            return [UNION, [_of_type(each) for each in kind.types]]


# ---------------------------------------------------------------- from plain values


def to_interface(plain: object) -> Interface:
    """The interface that arrays, numbers and texts stand for. Raises MetadataError where they are of another form."""
    form, name, version, enums, exceptions, records, methods = _array(plain, 7, "an interface")
    if type(form) is not int or form != FORMAT:
        raise MetadataError("META-2", "it is of another format than 1")
    return Interface(
        _text(name),
        None if version is None else _text(version),
        _each(enums, _to_enum),
        _each(exceptions, _to_failure),
        _each(records, _to_record),
        _each(methods, _to_method),
    )


def _to_enum(plain: object) -> Enum:
    name, members = _array(plain, 2, "an enum")
    return Enum(_text(name), _each(members, _text))


def _to_failure(plain: object) -> Failure:
    name, fields = _array(plain, 2, "an exception")
    return Failure(_text(name), _each(fields, _to_attribute))


def _to_attribute(plain: object) -> Attribute:
    name, kind = _array(plain, 2, "a field of an exception")
    return Attribute(_text(name), _to_type(kind))


def _to_record(plain: object) -> Record:
    name, closed, fields = _array(plain, 3, "a record")
    return Record(_text(name), _boolean(closed), _each(fields, _to_field))


def _to_field(plain: object) -> Field:
    name, kind, required = _array(plain, 3, "a field of a record")
    return Field(_text(name), _to_type(kind), _boolean(required))


def _to_method(plain: object) -> Method:
    name, shape, parameters, takes, gives, raises = _array(plain, 6, "a method")
    return Method(
        _text(name),
        _one_of(shape, SHAPES, "shapes"),
        _each(parameters, _to_parameter),
        None if takes is None else _to_type(takes),
        _to_type(gives),
        _each(raises, _text),
    )


def _to_parameter(plain: object) -> Parameter:
    name, kind, takes, has_default = _array(plain, 4, "a parameter")
    return Parameter(
        _text(name), _one_of(kind, KINDS, "kinds of parameters"), _to_type(takes), _boolean(has_default)
    )


def _to_type(plain: object) -> Type:
    if not isinstance(plain, list):
        return _one_of(plain, SCALARS, "types")
    number, *parts = cast("list[object]", plain) or [None]
    if type(number) is not int or (number, len(parts)) not in _PARTS:
        raise MetadataError("META-2", "a type of another form")
    match number:
        case 14:
            return ListOf(_to_type(parts[0]))
        case 15:
            return SetOf(_to_type(parts[0]))
        case 16:
            return MapOf(_to_type(parts[0]), _to_type(parts[1]))
        case 17:
            return TupleOf(_each(parts[0], _to_type))
        case 18:
            return RecordNamed(_text(parts[0]))
        case 19:
            return EnumNamed(_text(parts[0]))
        case 20:
            integers, texts, byte_strings, booleans = parts
            return OneOf(
                _each(integers, _integer),
                _each(texts, _text),
                _each(byte_strings, _bytes),
                _each(booleans, _boolean),
            )
        case _:
            return Union(_each(parts[0], _to_type))


def _array(plain: object, length: int, what: str) -> list[Any]:
    if type(plain) is not list or len(cast("list[object]", plain)) != length:
        raise MetadataError("META-2", f"{what} is not an array of {length}")
    return cast("list[Any]", plain)


def _each(plain: object, read: Callable[[object], Item]) -> tuple[Item, ...]:
    if type(plain) is not list:
        raise MetadataError("META-2", "something else where an array has to be")
    return tuple(read(each) for each in cast("list[object]", plain))


def _one_of(plain: object, known: tuple[Item, ...], what: str) -> Item:
    if type(plain) is not int or not 0 <= plain < len(known):
        raise MetadataError("META-2", f"a number that is none of the {what}")
    return known[plain]


def _text(plain: object) -> str:
    if type(plain) is not str:
        raise MetadataError("META-2", "something else where a text has to be")
    return plain


def _bytes(plain: object) -> bytes:
    if type(plain) is not bytes:
        raise MetadataError("META-2", "something else where a byte string has to be")
    return plain


def _boolean(plain: object) -> bool:
    if type(plain) is not bool:
        raise MetadataError("META-2", "something else where true or false has to be")
    return plain


def _integer(plain: object) -> int:
    if type(plain) is not int:
        raise MetadataError("META-2", "something else where an integer has to be")
    return plain
