"""From plain values to annotated types: what fits, what is refused, and what a refusal says."""

from __future__ import annotations

import dataclasses
import decimal
import enum
import typing
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal, NamedTuple, NewType, NotRequired, Protocol, TypedDict

import msgspec
import pytest

from graftwire.protocol.convert import converter
from graftwire.protocol.errors import ValueRefused
from graftwire.protocol.values import Reference

Age = NewType("Age", int)


class Colour(enum.Enum):
    RED = 1
    BLUE = "blau"


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Line:
    article: str
    amount: int = 1


@dataclasses.dataclass
class Painted:
    colour: Colour
    price: float = 1.0
    children: list[Painted] = dataclasses.field(default_factory=list)


class Pair(NamedTuple):
    left: Colour
    right: int = 2


class Options(TypedDict):
    colour: Colour
    size: NotRequired[int]


class Plain(TypedDict):
    size: int


class Shape(msgspec.Struct, tag="shape"):
    colour: Colour
    name: str = msgspec.field(default="x", name="called")


class Other(msgspec.Struct, tag="other"):
    colour: Colour


class Listener(Protocol):
    async def heard(self, what: str) -> None: ...


ID = uuid.UUID(int=7)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
REFERENCE = Reference(5)

GOOD: list[tuple[Any, object, object]] = [
    (Any, [1, "x"], [1, "x"]),
    (object, None, None),
    (None, None, None),
    (bool, True, True),
    (int, 2**70, 2**70),
    (str, "x", "x"),
    (bytes, b"x", b"x"),
    (float, 1.5, 1.5),
    (float, 3, 3.0),
    (date, date(2026, 1, 2), date(2026, 1, 2)),
    (time, time(1, 2), time(1, 2)),
    (datetime, NOW, NOW),
    (timedelta, timedelta(1), timedelta(1)),
    (decimal.Decimal, decimal.Decimal("1.50"), decimal.Decimal("1.50")),
    (uuid.UUID, ID, ID),
    (Age, 7, 7),
    (Annotated[float, "seconds"], 1, 1.0),
    (Annotated[int, msgspec.Meta(ge=1)], 1, 1),
    (Colour, "BLUE", Colour.BLUE),
    (Level, "LOW", Level.LOW),
    (int | None, None, None),
    (Colour | None, "RED", Colour.RED),
    (Colour | None, None, None),
    (int | Colour, "RED", Colour.RED),
    (Line | Painted, {"colour": "RED"}, Painted(Colour.RED)),
    (list[int], [1, 2], [1, 2]),
    (list[Colour], ["RED"], [Colour.RED]),
    (Sequence[float], [1], [1.0]),
    (set[int], {1}, {1}),
    (frozenset[str], {"x"}, frozenset({"x"})),
    (set, {1}, {1}),
    (tuple[int, str], [1, "x"], (1, "x")),
    (tuple[Colour, ...], ["RED", "BLUE"], (Colour.RED, Colour.BLUE)),
    (tuple[Colour, float], ["RED", 1], (Colour.RED, 1.0)),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (dict[str, Colour], {"a": "RED"}, {"a": Colour.RED}),
    (Mapping[Colour, float], {"RED": 1}, {Colour.RED: 1.0}),
    (Literal["a", 1], "a", "a"),
    (Literal["a", Colour.RED], "RED", Colour.RED),
    (Line, {"article": "A", "amount": 2}, Line("A", 2)),
    (Line, {"article": "A", "later": "added"}, Line("A")),
    (Painted, {"colour": "RED", "children": [{"colour": "BLUE", "price": 2}]},
     Painted(Colour.RED, 1.0, [Painted(Colour.BLUE, 2.0)])),
    (Pair, {"left": "RED"}, Pair(Colour.RED)),
    (Options, {"colour": "RED"}, {"colour": Colour.RED}),
    (Options, {"colour": "RED", "size": 1}, {"colour": Colour.RED, "size": 1}),
    (Plain, {"size": 1}, {"size": 1}),
    (Shape, {"type": "shape", "colour": "RED", "called": "y"}, Shape(Colour.RED, "y")),
    (Shape | Other, {"type": "other", "colour": "RED"}, Other(Colour.RED)),
    (Callable[[int], Awaitable[None]], REFERENCE, REFERENCE),
    (Listener, REFERENCE, REFERENCE),
    (Reference, REFERENCE, REFERENCE),
    (list[Listener], [REFERENCE], [REFERENCE]),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "value", "expected"), GOOD)
def test_what_fits(annotation: Any, value: object, expected: object) -> None:
    made = converter(annotation)(value)
    assert made == expected
    assert type(made) is type(expected)


BAD: list[tuple[Any, object, str, str]] = [
    (int, True, "", "an integer was due, not a boolean"),
    (bool, 1, "", "a boolean was due, not an integer"),
    (int, 1.0, "", "an integer was due, not a float"),
    (str, b"x", "", "a text was due, not bytes"),
    (bytes, "x", "", "bytes was due, not a text"),
    (float, "1", "", "a float was due, not a text"),
    (float, True, "", "a float was due, not a boolean"),
    (float, 2**53 + 1, "", "an integer that no float holds exactly"),
    (float, 10**400, "", "an integer that no float holds exactly"),
    (date, NOW, "", "a date was due, not a datetime"),
    (datetime, "2026-01-02T00:00:00Z", "", "a datetime was due, not a text"),
    (decimal.Decimal, "1.5", "", "a decimal was due, not a text"),
    (decimal.Decimal, 1, "", "a decimal was due, not an integer"),
    (uuid.UUID, str(ID), "", "a UUID was due, not a text"),
    (Colour, "GREEN", "", "a text that names no member of Colour"),
    (Colour, 1, "", "the name of a member of Colour was due, not an integer"),
    (Colour | None, 1, "", "the name of a member of Colour was due, not an integer"),
    (int | Colour, [], "", "an array is none of the types that are allowed"),
    (set[int], [1], "", "a set was due, not an array"),
    (list[float], {1}, "", "an array was due, not a set"),
    (list[float], [1.5, "x"], "[1]", "a float was due, not a text"),
    (tuple[Colour, int], ["RED"], "", "an array of 2 was due, not one of 1"),
    (tuple[Colour, int], {}, "", "an array was due, not a map"),
    (dict[str, Colour], [], "", "a map was due, not an array"),
    (dict[str, Colour], {"a": "no"}, "[...]", "a text that names no member of Colour"),
    (Literal["a", Colour.RED], "b", "", "a value that is none of those that are allowed"),
    (Literal["a", Colour.RED], [], "", "a value that is none of those that are allowed"),
    (Line, {"amount": 1}, "", "object missing required field article"),
    (Line, {"article": "A", "amount": "secret"}, "amount", "expected int, got str"),
    (list[Line], [{"article": "A"}, {"article": 1}], "[1].article", "expected str, got int"),
    (Annotated[int, msgspec.Meta(ge=1)], 0, "", "not what its type allows"),
    (Painted, [], "", "a map was due, not an array"),
    (Painted, {}, "", "the field colour is missing"),
    (Painted, {"colour": "RED", "children": [{"colour": "RED", "price": "x"}]}, "children[0].price",
     "a float was due, not a text"),
    (Shape, {"type": "other", "colour": "RED"}, "", "a record of another kind was due"),
    (Listener, "x", "", "a reference was due, not a text"),
    (Listener, REFERENCE.__class__, "", "a reference was due, not something else"),
    (str, REFERENCE, "", "a text was due, not a reference"),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "value", "path", "text"), BAD)
def test_what_does_not_fit(annotation: Any, value: object, path: str, text: str) -> None:
    with pytest.raises(ValueRefused) as caught:
        converter(annotation)(value)
    assert (caught.value.path, caught.value.text, caught.value.clause) == (path, text, "VAL-21")
    assert "secret" not in str(caught.value)


class Bits(enum.Flag):
    A = 1


@pytest.mark.parametrize("annotation", [complex, Bits, list[complex], typing.TypeVar("T"), type("X", (), {})])
def test_what_cannot_cross(annotation: Any) -> None:
    with pytest.raises(TypeError):
        converter(annotation)


def test_a_converter_is_made_once() -> None:
    assert converter(list[Colour]) is converter(list[Colour])


def test_an_annotation_that_cannot_be_a_key() -> None:
    assert converter(Annotated[Colour, []])("RED") is Colour.RED
