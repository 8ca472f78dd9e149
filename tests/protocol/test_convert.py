"""From plain values to annotated types: what fits, what is refused, and what a refusal says."""

from __future__ import annotations

import dataclasses
import enum
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableSequence, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    LiteralString,
    NamedTuple,
    NewType,
    NotRequired,
    Protocol,
    Required,
    TypedDict,
    TypeGuard,
    TypeVar,
)

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypeAliasType

from graftwire.protocol.convert import converter
from graftwire.protocol.errors import ValueRefused
from graftwire.protocol.values import Reference

Age = NewType("Age", int)
Item = TypeVar("Item")
Number = TypeVar("Number", int, Decimal)


class Colour(enum.Enum):
    RED = 1
    BLUE = "blau"


Coloured = TypeVar("Coloured", bound=Colour)


class Level(enum.IntEnum):
    LOW = 1


class Bits(enum.Flag):
    A = 1


class Twice(enum.Enum):
    A = 1
    B = 1  # noqa: PIE796 - an alias on purpose


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
    colour: Required[Colour]
    size: NotRequired[int]


class Plain(TypedDict):
    size: int


class Shape(msgspec.Struct, tag="shape"):
    colour: Colour
    name: str = msgspec.field(default="x", name="called")


class Shape2(msgspec.Struct, tag="shape"):
    colour: Colour


class Other(msgspec.Struct, tag="other"):
    colour: Colour


class Listener(Protocol):
    async def heard(self, what: str) -> None: ...


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    colour: Colour


class Patch(msgspec.Struct):
    colour: Colour | msgspec.UnsetType = msgspec.UNSET
    size: int | msgspec.UnsetType | None = msgspec.UNSET


class Untagged(msgspec.Struct):
    colour: Colour


class Positional(msgspec.Struct, array_like=True):
    colour: Colour


@dataclasses.dataclass
class Even:
    """A record whose constructor has a mind of its own."""

    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            message = f"secret {self.number}"
            raise ValueError(message)


@dataclasses.dataclass
class Computed:
    side: int
    area: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.area = self.side**2


@dataclasses.dataclass
class WithInitVar:
    size: int
    other: dataclasses.InitVar[int]

    def __post_init__(self, other: int) -> None: ...


@attrs.define
class Drawn:
    colour: Colour
    _hidden: int = 0
    later: list[int] = attrs.field(factory=list, init=False)


@dataclasses.dataclass
class Box(Generic[Item]):
    content: Item
    more: list[Item] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class ColourBox(Box[Colour]):
    name: str = ""


@dataclasses.dataclass
class Tree:
    value: int
    left: Tree | None = None
    right: Tree | None = None


def local() -> type[object]:
    class Unknown:
        pass

    @dataclasses.dataclass
    class Holder:
        content: Unknown

    return Holder


ID = uuid.UUID(int=7)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
REFERENCE = Reference(5)
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3)
    | st.sampled_from([NOW, ID, REFERENCE, Decimal(1), "RED", "colour"]) | st.sets(st.integers(), max_size=2),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["colour", "price", "children", "value", "left", 1]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip

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
    (Decimal, Decimal("1.50"), Decimal("1.50")),
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
    (Callable, REFERENCE, REFERENCE),
    (bytearray, b"x", bytearray(b"x")),
    (LiteralString, "x", "x"),
    (list, [1, "x"], [1, "x"]),
    (tuple, [1, "x"], (1, "x")),
    (tuple, [1], (1,)),
    (tuple[()], [], ()),
    (dict, {"a": 1, 2: []}, {"a": 1, 2: []}),
    (dict[int, str], {1: "x"}, {1: "x"}),
    (MutableSequence[Colour], ["RED"], [Colour.RED]),
    (Item, [1], [1]),
    (Number, Decimal(1), Decimal(1)),
    (Coloured, "RED", Colour.RED),
    (Literal["a"] | int, "a", "a"),
    (Literal["a"] | Colour, "a", "a"),
    (Literal["a"] | Colour, "RED", Colour.RED),
    (int | float, 1, 1),
    (int | float, 1.5, 1.5),
    (int | Any, "x", "x"),
    (Annotated[float, msgspec.Meta(gt=0)], 1, 1.0),
    (Annotated[str, msgspec.Meta(description="no bound")], "", ""),
    (Annotated[list[int], msgspec.Meta(max_length=2), msgspec.Meta(min_length=1)], [1], [1]),
    (Closed, {"colour": "RED"}, Closed(Colour.RED)),
    (Patch, {}, Patch()),
    (Patch, {"size": None}, Patch(size=None)),
    (Untagged | int, {"colour": "RED"}, Untagged(Colour.RED)),
    (Even, {"number": 2}, Even(2)),
    (Computed, {"side": 2}, Computed(2)),
    (Drawn, {"colour": "RED", "_hidden": 2}, Drawn(Colour.RED, 2)),
    (Box, {"content": "RED"}, Box("RED")),
    (Box[Colour], {"content": "RED", "more": ["BLUE"]}, Box(Colour.RED, [Colour.BLUE])),
    (Box[Box[float]], {"content": {"content": 1}}, Box(Box(1.0))),
    (ColourBox, {"content": "RED"}, ColourBox(Colour.RED)),
    (Tree, {"value": 1, "left": {"value": 2, "right": None}}, Tree(1, Tree(2))),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "value", "expected"), GOOD)
def test_what_fits(annotation: Any, value: object, expected: object) -> None:
    made = converter(annotation)(value)
    assert made == expected
    assert type(made) is type(expected)


BAD: list[tuple[Any, object, str, str]] = [
    (int, True, "", "expected int, got bool"),
    (bool, 1, "", "expected bool, got int"),
    (int, 1.0, "", "expected int, got float"),
    (str, b"x", "", "expected str, got bytes"),
    (bytes, "x", "", "expected bytes, got str"),
    (float, "1", "", "expected float, got str"),
    (float, True, "", "expected float, got bool"),
    (float, 2**53 + 1, "", "expected float, got an int that no float holds exactly"),
    (float, 10**400, "", "expected float, got an int that no float holds exactly"),
    (date, NOW, "", "expected date, got datetime"),
    (datetime, "2026-01-02T00:00:00Z", "", "expected datetime, got str"),
    (Decimal, "1.5", "", "expected Decimal, got str"),
    (Decimal, 1, "", "expected Decimal, got int"),
    (uuid.UUID, str(ID), "", "expected UUID, got str"),
    (Colour, "GREEN", "", "not the name of a member of Colour"),
    (Colour, 1, "", "expected a name of Colour, got int"),
    (Colour | None, 1, "", "expected Colour or null, got int"),
    (int | Colour, [], "", "expected int or Colour, got list"),
    (set[int], [1], "", "expected set, got list"),
    (list[float], {1}, "", "expected list, got set"),
    (list[float], [1.5, "x"], "[1]", "expected float, got str"),
    (tuple[Colour, int], ["RED", "secret"], "[1]", "expected int, got str"),
    (tuple[Colour, int], ["RED"], "", "expected a list of 2, got one of another length"),
    (tuple[Colour, int], {}, "", "expected list, got map"),
    (dict[str, Colour], [], "", "expected map, got list"),
    (dict[str, Colour], {"a": "no"}, "[...]", "not the name of a member of Colour"),
    (Literal["a", Colour.RED], "b", "", "not one of the literal values"),
    (Literal["a", Colour.RED], [], "", "not one of the literal values"),
    (Line, {"amount": 1}, "article", "the field is missing"),
    (Line, {"article": "A", "amount": "secret"}, "amount", "expected int, got str"),
    (list[Line], [{"article": "A"}, {"article": 1}], "[1].article", "expected str, got int"),
    (Annotated[int, msgspec.Meta(ge=1)], 0, "", "outside of the bounds that are declared"),
    (Painted, [], "", "expected map, got list"),
    (Painted, {}, "colour", "the field is missing"),
    (Painted, {"colour": "RED", "children": [{"colour": "RED", "price": "x"}]}, "children[0].price",
     "expected float, got str"),
    (Shape, {"type": "other", "colour": "RED"}, "type", "not the tag of Shape"),
    (Listener, "x", "", "expected Reference, got str"),
    (Listener, REFERENCE.__class__, "", "expected Reference, got type"),
    (str, REFERENCE, "", "expected str, got Reference"),
    (Tree, {"value": 1, "left": {"value": 2, "right": {}}}, "left.right.value", "the field is missing"),
    (Even, {"number": 1}, "", "Even does not take these values"),
    (Even, {"number": "secret"}, "number", "expected int, got str"),
    (Closed, {"colour": "RED", "secret": 1}, "", "a field that Closed does not have"),
    (Painted, {1: 2, "colour": "RED"}, "", "the keys of a record must be text"),
    (Shape | Other, {"type": "secret", "colour": "RED"}, "type", "not a tag of the union"),
    (Shape | Other, {"type": [], "colour": "RED"}, "type", "not a tag of the union"),
    (int | float, "secret", "", "expected int or float, got str"),
    (Literal["a"] | Colour, "secret", "", "not the name of a member of Colour"),
    (Level | None, "secret", "", "not the name of a member of Level"),
    (set[Colour], {"RED", "secret"}, "[...]", "not the name of a member of Colour"),
    (dict[Colour, int], {"secret": 1}, "[...]", "not the name of a member of Colour"),
    (set[Twice], {"A", "B"}, "", "two elements of a set stand for the same"),
    (dict[Twice, int], {"A": 1, "B": 2}, "", "two keys of a map stand for the same"),
    (dict[str, int], {"a": 1, 2: 3}, "[...]", "expected str, got int"),
    (frozenset[int], {1.5}, "[...]", "expected int, got float"),
    (Annotated[float, msgspec.Meta(gt=0)], -1, "", "outside of the bounds that are declared"),
    (Annotated[list[int], msgspec.Meta(max_length=1)], [1, 2], "", "outside of the bounds that are declared"),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "value", "path", "text"), BAD)
def test_what_does_not_fit(annotation: Any, value: object, path: str, text: str) -> None:
    with pytest.raises(ValueRefused) as caught:
        converter(annotation)(value)
    assert (caught.value.path, caught.value.text, caught.value.clause) == (path, text, "VAL-21")
    assert "secret" not in str(caught.value)


IMPORT = "define or import it in the module, outside of functions and of `if TYPE_CHECKING`"
CAN_NOT: list[tuple[Any, str]] = [
    (complex, "complex has no form on the wire"),
    (Bits, "Bits has no form on the wire"),
    (list[complex], "complex has no form on the wire"),
    (type("X", (), {}), "X has no form on the wire"),
    (7, "7 has no form on the wire"),
    (type[int], "type[int] has no form on the wire"),
    (Positional, "Positional has no form on the wire"),
    (WithInitVar, "WithInitVar has no form on the wire"),
    (Literal[Bits.A], "typing.Literal[<Bits.A: 1>] has no form on the wire"),
    (set[list[int]], "set[list[int]] has no form on the wire: the elements of a set must be scalars"),
    (dict[float, int],
     "dict[float, int] has no form on the wire: the keys of a map must be text, integers or names of an enum"),
    (str | Colour, f"{str | Colour!r} has no form on the wire: a str could be any of several types of the union"),
    (Line | Painted, "a map could be any of several types of the union: records of one are msgspec.Structs with tags"),
    (Shape | Shape2, "the records of a union have no tags that tell them apart"),
    (Annotated[int | str, msgspec.Meta(ge=1)], "bounds can't be checked on int or str"),
    (local(), f"Holder can't be resolved: name 'Unknown' is not defined; {IMPORT}"),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "text"), CAN_NOT)
def test_what_cannot_cross(annotation: Any, text: str) -> None:
    with pytest.raises(TypeError) as caught:
        converter(annotation)
    assert str(caught.value).endswith(text)


def test_what_a_constructor_raises_beyond_refusals_passes_through() -> None:
    @dataclasses.dataclass
    class Broken:
        number: int

        def __post_init__(self) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        converter(Broken)({"number": 1})


@given(value=plain_values)
def test_anything_goes_through_any_as_it_is(value: object) -> None:
    assert converter(Any)(value) is value


@given(annotation=st.sampled_from([each for each, _, _ in GOOD]), value=plain_values)
def test_a_value_fits_or_is_refused_by_the_clause(annotation: Any, value: object) -> None:
    try:
        converter(annotation)(value)
    except ValueRefused as refusal:
        assert refusal.clause == "VAL-21"


def test_a_type_statement() -> None:
    # As `type Pair[Item] = tuple[Item, Item]` makes it, which Python 3.11 can't parse.
    pair = TypeAliasType("pair", tuple[Item, Item], type_params=(Item,))
    assert converter(pair[float])([1, 2]) == (1.0, 2.0)
    assert converter(TypeAliasType("size", int))(3) == 3


@pytest.mark.parametrize("annotation", [list[TypeAliasType("size", int)], list[Required[int]]], ids=str)
def test_what_msgspec_does_not_know_is_converted_all_the_same(annotation: Any) -> None:
    convert = converter(annotation)
    assert convert([1, 2]) == [1, 2]
    with pytest.raises(ValueRefused) as refused:
        convert([1, "2"])
    assert (refused.value.clause, refused.value.path) == ("VAL-21", "[1]")


def test_a_form_that_stands_for_no_type_cannot_cross() -> None:
    with pytest.raises(TypeError, match="has no form on the wire"):
        converter(TypeGuard[int])


def test_a_converter_is_made_once() -> None:
    assert converter(list[Colour]) is converter(list[Colour])


def test_an_annotation_that_cannot_be_a_key() -> None:
    assert converter(Annotated[Colour, []])("RED") is Colour.RED
