"""What makes an interface of the model one that has exactly one form: order, names that lead somewhere, no more.

Whatever was read is checked so; what was built from Python holds by construction, and is checked all the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from graftwire.gateway.members import NAME, RESERVED, VERSION

from .model import (
    EnumNamed,
    Interface,
    ListOf,
    MapOf,
    MetadataError,
    Method,
    OneOf,
    ParameterKind,
    RecordNamed,
    Scalar,
    SetOf,
    Shape,
    TupleOf,
    Type,
    Union,
)
from .plain import type_bytes

MAX_DEPTH: Final = 16  # types inside of types; it leaves room for what stands around them (VAL-17)
MAX_TARGET: Final = 255
INTEGERS: Final = range(-(2**64), 2**64)
_METHOD: Final = re.compile(r"[!-~]+")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_KEYS: Final = frozenset({Scalar.ANY, Scalar.TEXT, Scalar.INTEGER})
_NO_ELEMENTS: Final = frozenset({Scalar.NULL, Scalar.REFERENCE})
_KINDS: Final = tuple(ParameterKind)
_REST: Final = frozenset({ParameterKind.REST, ParameterKind.REST_NAMED})
_WITH_ITEMS: Final = frozenset({Shape.CLIENT_STREAM, Shape.BOTH_STREAMS})


def check(interface: Interface) -> Interface:
    """Give `interface` back. Raises MetadataError, with the clause, if it is not as the standard wants it."""
    _check_names(interface)
    _demand(bool(interface.methods), "META-2", "it has no method")
    for ordered in (interface.enums, interface.exceptions, interface.records, interface.methods):
        _ascending([each.name for each in ordered])
    both = {each.name for each in interface.enums} & {each.name for each in interface.records}
    _demand(not both, "META-5", "an enum and a record share a name")
    for enum in interface.enums:
        _ascending(enum.members)
    for record in interface.records:
        _ascending([field.name for field in record.fields])
    for failure in interface.exceptions:
        _ascending([field.name for field in failure.fields])
    for method in interface.methods:
        _check_method(method)
    for each in types_of(interface):
        _check_type(each, 1)
    _check_use(interface)
    return interface


def types_of(interface: Interface) -> Iterator[Type]:
    """Every type that stands in an interface, outermost ones only."""
    for record in interface.records:
        yield from (field.type for field in record.fields)
    for failure in interface.exceptions:
        yield from (field.type for field in failure.fields)
    for method in interface.methods:
        yield from types_of_method(method)


def types_of_method(method: Method) -> Iterator[Type]:
    """Every type that stands in a method's signature, outermost ones only."""
    yield from (parameter.type for parameter in method.parameters)
    if method.takes is not None:
        yield method.takes
    yield method.gives


def parts_of(each: Type) -> Sequence[Type]:
    """The types that stand directly in a type."""
    match each:
        case ListOf() | SetOf():
            return (each.item,)
        case MapOf():
            return (each.key, each.value)
        case TupleOf():
            return each.items
        case Union():
            return each.types
        case _:
            return ()


def names_in(types: Iterable[Type]) -> set[str]:
    """The names of the records and enums that types name, at any depth."""
    found: set[str] = set()
    waiting = list(types)
    while waiting:
        each = waiting.pop()
        if isinstance(each, RecordNamed | EnumNamed):
            found.add(each.name)
        waiting += parts_of(each)
    return found


def _demand(holds: bool, clause: str, text: str) -> None:
    if not holds:
        raise MetadataError(clause, text)


def _check_names(interface: Interface) -> None:
    _demand(
        NAME.fullmatch(interface.name) is not None and not interface.name.startswith(RESERVED),
        "META-3",
        "its name is none that an interface can have",
    )
    _demand(
        interface.version is None or VERSION.fullmatch(interface.version) is not None,
        "META-3",
        "its version is not 1 to 64 printable ASCII characters",
    )
    for method in interface.methods:
        long = len(interface.name) + 1 + len(method.name) > MAX_TARGET
        _demand(
            _METHOD.fullmatch(method.name) is not None and not long,
            "META-3",
            "a method has a name that no target can have",
        )
    for name in _labels(interface):
        _demand(name != "", "META-3", "an empty name")
        _demand(not _CONTROL.search(name), "META-3", "a name with control characters")


def _labels(interface: Interface) -> Iterator[str]:
    """Every name in an interface but its own and those of its methods."""
    for enum in interface.enums:
        yield from (enum.name, *enum.members)
    for fields in (*interface.exceptions, *interface.records):
        yield from (fields.name, *(field.name for field in fields.fields))
    for method in interface.methods:
        yield from (parameter.name for parameter in method.parameters)


def _ascending(names: Sequence[str]) -> None:
    ordered = all(one.encode() < other.encode() for one, other in pairwise(names))
    _demand(ordered, "META-4", "names that are not in ascending order, or occur twice")


def _check_method(method: Method) -> None:
    names = [parameter.name for parameter in method.parameters]
    _demand(len(set(names)) == len(names), "META-6", "two parameters of a method share a name")
    kinds = [parameter.kind for parameter in method.parameters]
    places = [_KINDS.index(kind) for kind in kinds]
    _demand(places == sorted(places), "META-6", "the kinds of parameters are not in their order")
    once = all(kinds.count(kind) <= 1 for kind in _REST)
    _demand(once, "META-6", "more than one parameter takes any number of arguments")
    _demand(
        not any(each.has_default and each.kind in _REST for each in method.parameters),
        "META-6",
        "a parameter that takes any number of arguments has a default",
    )
    _demand(
        (method.takes is not None) == (method.shape in _WITH_ITEMS),
        "META-6",
        "the shape of a method and the items that it takes differ",
    )
    _ascending(method.raises)


def _check_type(each: Type, depth: int) -> None:
    _demand(depth <= MAX_DEPTH, "META-9", f"types are more than {MAX_DEPTH} deep inside one another")
    if isinstance(each, OneOf):
        _check_values(each)
    elif isinstance(each, Union):
        _check_union(each)
    elif isinstance(each, MapOf):
        _demand(_fits(each.key, _is_key), "META-7", "the keys of a map are neither text nor integers")
    elif isinstance(each, SetOf):
        _demand(_fits(each.item, _is_element), "META-7", "the elements of a set are no scalars")
    for part in parts_of(each):
        _check_type(part, depth + 1)


def _fits(each: Type, allowed: Callable[[Type], bool]) -> bool:
    members: tuple[Type, ...] = each.types if isinstance(each, Union) else (each,)
    return all(map(allowed, members))


def _is_key(each: Type) -> bool:
    if isinstance(each, OneOf):
        return not each.byte_strings and not each.booleans
    return isinstance(each, EnumNamed) or each in _KEYS


def _is_element(each: Type) -> bool:
    return isinstance(each, EnumNamed | OneOf) or (isinstance(each, Scalar) and each not in _NO_ELEMENTS)


def _check_values(each: OneOf) -> None:
    values = (each.integers, each.texts, each.byte_strings, each.booleans)
    _demand(any(values), "META-8", "a choice among no values")
    _demand(all(value in INTEGERS for value in each.integers), "META-8", "an integer of more than 64 bits")
    _ascending(each.texts)
    ordered = all(
        tuple(sorted(set(values))) == values for values in (each.integers, each.byte_strings, each.booleans)
    )
    _demand(ordered, "META-8", "values that are not in ascending order, or occur twice")


def _check_union(each: Union) -> None:
    _demand(len(each.types) > 1, "META-8", "a union of less than two types")
    inner = [each for each in each.types if isinstance(each, Union) or each is Scalar.ANY]
    _demand(not inner, "META-8", "a union has a union in it, or the type any")
    _demand(
        sum(isinstance(each, OneOf) for each in each.types) <= 1, "META-8", "a union has two choices in it"
    )
    forms = [type_bytes(each) for each in each.types]
    ordered = all(one < other for one, other in pairwise(forms))
    _demand(ordered, "META-8", "the types of a union are not in the order of their bytes, or occur twice")


def _check_use(interface: Interface) -> None:
    """Every name leads somewhere, and nothing is there that no name leads to."""
    records = {record.name: record for record in interface.records}
    enums = {enum.name for enum in interface.enums}
    for each in _all_types(interface):
        table = records.keys() if isinstance(each, RecordNamed) else enums
        if isinstance(each, RecordNamed | EnumNamed):
            _demand(each.name in table, "META-5", "a type names what the interface does not have")
    raised = {name for method in interface.methods for name in method.raises}
    _demand(
        raised == {failure.name for failure in interface.exceptions},
        "META-5",
        "exceptions are declared by methods and missing, or there and declared by none",
    )
    used: set[str] = set()
    waiting = names_in(
        [
            *(each for method in interface.methods for each in types_of_method(method)),
            *(field.type for failure in interface.exceptions for field in failure.fields),
        ]
    )
    while waiting:
        used |= waiting
        reached = [field.type for name in waiting if name in records for field in records[name].fields]
        waiting = names_in(reached) - used
    _demand(used == records.keys() | enums, "META-5", "an enum or a record that no method leads to")


def _all_types(interface: Interface) -> Iterator[Type]:
    waiting = list(types_of(interface))
    while waiting:
        each = waiting.pop()
        yield each
        waiting += parts_of(each)
