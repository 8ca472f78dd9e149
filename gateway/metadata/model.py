"""The model of an interface: names, signatures, types and versions, in terms of no language (promises P3, P4).

This is all that can ever be known of an interface outside. There is no place in it for a docstring, a default, the
value of an enum's member, a module or a file. spec/METADATA.md is the standard for it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from graftwire.protocol.errors import Error

FORMAT: Final = 1


class MetadataError(Error):
    """Bytes or JSON that are no metadata; `clause` is the one of spec/METADATA.md that they break."""

    def __init__(self, clause: str, text: str) -> None:
        super().__init__(f"this is no metadata of an interface: {text} ({clause})")
        self.clause = clause
        self.text = text


class Scalar(StrEnum):
    """A type without parts. Its number on the wire is its place here."""

    ANY = "any"
    NULL = "null"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    TEXT = "text"
    BYTES = "bytes"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    DURATION = "duration"
    DECIMAL = "decimal"
    UUID = "uuid"
    REFERENCE = "reference"


class _Compound(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """What types with parts have in common."""


class ListOf(_Compound, frozen=True, tag="list"):
    """A list of any length."""

    item: Type


class SetOf(_Compound, frozen=True, tag="set"):
    """A set."""

    item: Type


class MapOf(_Compound, frozen=True, tag="map"):
    """A map."""

    key: Type
    value: Type


class TupleOf(_Compound, frozen=True, tag="tuple"):
    """A list with a type for each place."""

    items: tuple[Type, ...]


class RecordNamed(_Compound, frozen=True, tag="record"):
    """A record of the interface, by its name; so a record may be inside of itself."""

    name: str


class EnumNamed(_Compound, frozen=True, tag="enum"):
    """An enum of the interface, by its name."""

    name: str


class OneOf(_Compound, frozen=True, tag="one-of"):
    """One of some values that stand in the signature itself; these values are the type."""

    integers: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()
    byte_strings: tuple[bytes, ...] = ()
    booleans: tuple[bool, ...] = ()


class Union(_Compound, frozen=True, tag="union"):
    """One of several types; in the order of their bytes."""

    types: tuple[Type, ...]


Type: TypeAlias = Scalar | ListOf | SetOf | MapOf | TupleOf | RecordNamed | EnumNamed | OneOf | Union


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the parts of an interface have in common."""


class Enum(_Part, frozen=True):
    """An enum: the names of its members, sorted; never their values."""

    name: str
    members: tuple[str, ...]


class Field(_Part, frozen=True):
    """A field of a record: its key, and whether it has to be there."""

    name: str
    type: Type
    required: bool


class Record(_Part, frozen=True):
    """A record: its fields by name; `closed`: unknown ones are refused."""

    name: str
    closed: bool
    fields: tuple[Field, ...]


class Attribute(_Part, frozen=True):
    """A field of an exception."""

    name: str
    type: Type


class Failure(_Part, frozen=True):
    """An exception that methods declare: its fields by name."""

    name: str
    fields: tuple[Attribute, ...]


class ParameterKind(StrEnum):
    """How an argument for a parameter is passed. Its number on the wire is its place here."""

    POSITIONAL = "positional"
    EITHER = "positional-or-named"
    REST = "any-positional"
    NAMED = "named"
    REST_NAMED = "any-named"


class Parameter(_Part, frozen=True):
    """A parameter; `has_default` is all that is known of a default."""

    name: str
    kind: ParameterKind
    type: Type
    has_default: bool


class Shape(StrEnum):
    """The shape of a call. Its number on the wire is its place here."""

    UNARY = "unary"
    SERVER_STREAM = "server-stream"
    CLIENT_STREAM = "client-stream"
    BOTH_STREAMS = "both-streams"


class Method(_Part, frozen=True):
    """A method: `takes` is the type of the items of the caller's stream, None where there is none.

    `gives` is the type of the result, or of each item where the method gives a stream.
    """

    name: str
    shape: Shape
    parameters: tuple[Parameter, ...]
    takes: Type | None
    gives: Type
    raises: tuple[str, ...]


class Interface(_Part, frozen=True):
    """An interface: what is hosted under `name`. All but the parameters is sorted by name."""

    name: str
    version: str | None
    enums: tuple[Enum, ...]
    exceptions: tuple[Failure, ...]
    records: tuple[Record, ...]
    methods: tuple[Method, ...]


SCALARS: Final = tuple(Scalar)
KINDS: Final = tuple(ParameterKind)
SHAPES: Final = tuple(Shape)
