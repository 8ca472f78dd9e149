"""Whether every value of one type is taken where another type is expected, and where not: by the rules of VAL-21.

For arguments, the values are of the old interface and the new one takes them; for results it is the other way round.
When in doubt the answer is no: an integer may be too large for a float.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .model import (
    Enum,
    EnumNamed,
    Interface,
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
from .text import type_text

MISFITS = 8  # reasons that are said of one place


class Names(NamedTuple):
    """What the names in an interface's types stand for."""

    records: Mapping[str, Record]
    enums: Mapping[str, Enum]


def names_of(interface: Interface) -> Names:
    """The records and enums of an interface, by name."""
    return Names(
        {record.name: record for record in interface.records}, {enum.name: enum for enum in interface.enums}
    )


class Fit:
    """Values of types with the names `given`, where types with the names `taken` are expected.

    `misfit` is what is said of a value that is none: "is refused".
    """

    def __init__(self, given: Names, taken: Names, misfit: str) -> None:
        self._misfit = misfit
        self._given = given
        self._taken = taken
        self._assumed: set[tuple[str, str]] = set()  # records inside of themselves

    def reasons(self, given: Type, taken: Type) -> list[str]:
        """Why a value of `given` may be refused where `taken` is expected; empty if none is."""
        self._assumed = set()
        found: list[str] = []
        self._compare(given, taken, "", found)
        return list(dict.fromkeys(found))[:MISFITS]

    def _compare(self, given: Type, taken: Type, path: str, found: list[str]) -> None:
        """Add to `found` what may be refused."""
        if taken is Scalar.ANY:
            return
        if isinstance(given, EnumNamed):
            self._compare_enum(self._given.enums[given.name], taken, path, found)
            return
        if isinstance(given, Union):
            for member in given.types:
                self._compare(member, taken, path, found)
            return
        if isinstance(given, OneOf):
            refused = [value for value in values_of(given) if not self._takes(taken, value)]
            found += [f"{path}{_shown(value)} {self._misfit}" for value in refused]
            return
        if isinstance(taken, Union):
            self._compare_choice(given, taken, path, found)
            return
        match given, taken:
            case (ListOf(), ListOf()) | (SetOf(), SetOf()):
                self._compare(given.item, taken.item, f"{path}an item: ", found)
            case MapOf(), MapOf():
                self._compare(given.key, taken.key, f"{path}a key: ", found)
                self._compare(given.value, taken.value, f"{path}a value: ", found)
            case TupleOf(), ListOf():
                for each in given.items:
                    self._compare(each, taken.item, f"{path}an item: ", found)
            case TupleOf(), TupleOf() if len(given.items) == len(taken.items):
                for index, (one, other) in enumerate(zip(given.items, taken.items, strict=True)):
                    self._compare(one, other, f"{path}item {index}: ", found)
            case RecordNamed(), RecordNamed():
                self._compare_records(given.name, taken.name, path, found)
            case _:
                if not isinstance(given, Scalar) or given is not taken:
                    found.append(f"{path}{type_text(given)} {self._misfit}: expected {type_text(taken)}")

    def _compare_enum(self, enum: Enum, taken: Type, path: str, found: list[str]) -> None:
        refused = [name for name in enum.members if not self._takes(taken, name)]
        found += [f"{path}{name} of {enum.name} {self._misfit}" for name in refused]

    def _compare_choice(self, given: Type, taken: Union, path: str, found: list[str]) -> None:
        """A value that is of one type, where several are taken: the one of its kind has to take it."""
        nearest: list[str] | None = None
        for member in taken.types:
            assumed, tried = set(self._assumed), list[str]()
            self._compare(given, member, path, tried)
            if not tried:
                return
            self._assumed = assumed
            if type(member) is type(given) and not isinstance(given, Scalar):
                nearest = tried if nearest is None else [f"{path}{type_text(given)} {self._misfit}"]
        found += nearest or [f"{path}{type_text(given)} {self._misfit}: expected {type_text(taken)}"]

    def _compare_records(self, given_name: str, taken_name: str, path: str, found: list[str]) -> None:
        if (given_name, taken_name) in self._assumed:
            return
        self._assumed.add((given_name, taken_name))
        given, taken = self._given.records[given_name], self._taken.records[taken_name]
        known = {field.name: field for field in given.fields}
        for field in taken.fields:
            there = known.pop(field.name, None)
            if field.required and (there is None or not there.required):
                found.append(f"{path}the field {field.name} of {taken_name} may be missing")
            if there is not None:
                self._compare(
                    there.type, field.type, f"{path}the field {field.name} of {taken_name}: ", found
                )
        if taken.closed:
            found += [f"{path}the field {name} is none of {taken_name}, which is closed" for name in known]

    def _takes(self, taken: Type, value: object) -> bool:
        """Whether one value of a choice, or the name of an enum's member, is taken."""
        match taken:
            case Union():
                return any(self._takes(each, value) for each in taken.types)
            case EnumNamed():
                return isinstance(value, str) and value in self._taken.enums[taken.name].members
            case OneOf():
                return any(value == each and type(value) is type(each) for each in values_of(taken))
            case Scalar():
                return taken is Scalar.ANY or taken is _SCALARS.get(type(value))
            case _:
                return False


_SCALARS: dict[type, Scalar] = {
    bool: Scalar.BOOLEAN,
    int: Scalar.INTEGER,
    str: Scalar.TEXT,
    bytes: Scalar.BYTES,
}


def values_of(choice: OneOf) -> list[object]:
    """The values of a choice."""
    return [*choice.integers, *choice.texts, *choice.byte_strings, *choice.booleans]


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
