"""Whether every value of one type is taken where another type is expected, and where not: by the rules of VAL-21.

For arguments, the values are of the old interface and the new one takes them; for results it is the other way round.
When in doubt the answer is no: an integer may be too large for a float.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

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

MISFITS: Final = 8  # reasons that are said of one place
STEPS: Final = 1 << 18  # types that are looked at in all: metadata may be an enemy's, made to take for ever
TOO_MUCH: Final = "there is too much to compare"

Path: TypeAlias = tuple[str, ...]  # joined only for what is said: names may be long


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

    `misfit` is what is said of a value that is none: "is refused". Beyond STEPS everything is a misfit: that it is none
    has not been shown.
    """

    def __init__(self, given: Names, taken: Names, misfit: str) -> None:
        self._misfit = misfit
        self._given = given
        self._taken = taken
        self._left = STEPS
        # Pairs of records that fit if the others do; the last ones are taken back where something does not.
        self._assumed: dict[tuple[str, str], None] = {}
        self._refused: dict[tuple[Type, Type], list[str]] = {}

    def reasons(self, given: Type, taken: Type) -> list[str]:
        """Why a value of `given` may be refused where `taken` is expected; empty if none is."""
        proven, found = len(self._assumed), list[str]()
        try:
            self._compare(given, taken, (), found)
        except RecursionError:
            found = [*found[: MISFITS - 1], TOO_MUCH]
        if found:
            self._forget(proven)
        return found

    def _compare(self, given: Type, taken: Type, path: Path, found: list[str]) -> None:
        """Add to `found` what may be refused."""
        self._left -= 1
        if self._left < 0:
            self._say(found, path, TOO_MUCH)
        elif taken is Scalar.ANY or len(found) >= MISFITS:
            return
        elif isinstance(given, EnumNamed):
            self._compare_enum(self._given.enums[given.name], taken, path, found)
        elif isinstance(given, Union):
            for member in given.types:
                self._compare(member, taken, path, found)
        elif isinstance(given, OneOf):
            refused = (value for value in values_of(given) if not self._takes(taken, value))
            self._say(found, path, *(f"{_shown(value)} {self._misfit}" for value in islice(refused, MISFITS)))
        elif isinstance(taken, Union):
            self._compare_choice(given, taken, path, found)
        else:
            self._compare_parts(given, taken, path, found)

    def _compare_parts(self, given: Type, taken: Type, path: Path, found: list[str]) -> None:
        match given, taken:
            case (ListOf(), ListOf()) | (SetOf(), SetOf()):
                self._compare(given.item, taken.item, (*path, "an item: "), found)
            case MapOf(), MapOf():
                self._compare(given.key, taken.key, (*path, "a key: "), found)
                self._compare(given.value, taken.value, (*path, "a value: "), found)
            case TupleOf(), ListOf():
                for each in given.items:
                    self._compare(each, taken.item, (*path, "an item: "), found)
            case TupleOf(), TupleOf() if len(given.items) == len(taken.items):
                for index, (one, other) in enumerate(zip(given.items, taken.items, strict=True)):
                    self._compare(one, other, (*path, f"item {index}: "), found)
            case RecordNamed(), RecordNamed():
                self._compare_records(given.name, taken.name, path, found)
            case _:
                if not isinstance(given, Scalar) or given is not taken:
                    self._say(found, path, self._unexpected(given, taken))

    def _compare_enum(self, enum: Enum, taken: Type, path: Path, found: list[str]) -> None:
        refused = (name for name in enum.members if not self._takes(taken, name))
        self._say(
            found, path, *(f"{name} of {enum.name} {self._misfit}" for name in islice(refused, MISFITS))
        )

    def _compare_choice(self, given: Type, taken: Union, path: Path, found: list[str]) -> None:
        """A value that is of one type, where several are taken: the one of its kind has to take it."""
        nearest: list[str] | None = None
        for member in taken.types:
            tried = self._tried(given, member)
            if not tried:
                return
            if type(member) is type(given) and not isinstance(given, Scalar):
                nearest = tried if nearest is None else [f"{type_text(given)} {self._misfit}"]
        self._say(found, path, *(nearest or [self._unexpected(given, taken)]))

    def _tried(self, given: Type, taken: Type) -> list[str]:
        """Why a value may be refused by one of several types. Where it may be, nothing that was assumed is left."""
        known = self._refused.get((given, taken))
        if known is not None:  # refused, even if everything that was assumed then should fit
            return known
        assumed, tried = len(self._assumed), list[str]()
        self._compare(given, taken, (), tried)
        if tried:
            self._forget(assumed)
            self._refused[given, taken] = tried
        return tried

    def _compare_records(self, given_name: str, taken_name: str, path: Path, found: list[str]) -> None:
        if (given_name, taken_name) in self._assumed:
            return
        self._assumed[given_name, taken_name] = None
        given, taken = self._given.records[given_name], self._taken.records[taken_name]
        known = {field.name: field for field in given.fields}
        for field in taken.fields:
            there = known.pop(field.name, None)
            if field.required and (there is None or not there.required):
                self._say(found, path, f"the field {field.name} of {taken_name} may be missing")
            if there is not None:
                place = f"the field {field.name} of {taken_name}: "
                self._compare(there.type, field.type, (*path, place), found)
            if len(found) >= MISFITS:
                return
        if taken.closed:
            unknown = islice(known, MISFITS)
            self._say(
                found,
                path,
                *(f"the field {name} is none of {taken_name}, which is closed" for name in unknown),
            )

    def _unexpected(self, given: Type, taken: Type) -> str:
        return f"{type_text(given)} {self._misfit}: expected {type_text(taken)}"

    @staticmethod
    def _say(found: list[str], path: Path, *reasons: str) -> None:
        for reason in reasons:
            said = "".join((*path, reason))
            if len(found) < MISFITS and said not in found:
                found.append(said)

    def _forget(self, assumed: int) -> None:
        """Take back all but so many of what was assumed."""
        while len(self._assumed) > assumed:
            self._assumed.popitem()

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
