"""What an encoder does with values that are not plain: keys, subclasses, buffers, sets, and what can't be sent."""

from __future__ import annotations

from collections import Counter, OrderedDict, namedtuple
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum
from typing import Any

import msgspec
import pytest

from graftwire.protocol import LocalProtocolError, values
from graftwire.protocol.errors import ValueRefused


class Colour(Enum):
    RED = 1


class Level(IntEnum):
    LOW = 5


class Name(StrEnum):
    FIRST = "one"


class Mode(Flag):
    READ = 1


class Bits(IntFlag):
    ONE = 1


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


class Whole(int):
    def __int__(self) -> int:
        return 99


class Real(float):
    pass


class Raw(bytes):
    pass


class Day(date):
    pass


class Amount(Decimal):
    pass


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - without types, as there are many


def comes_back(value: Any) -> Any:
    return values.decode(values.encode(value))


def clause(value: Any, **options: Any) -> str:
    """The clause that refuses it."""
    with pytest.raises(ValueRefused) as refused:
        values.encode(value, **options)
    return refused.value.clause


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Text("a"), "a"),
        (Whole(3), 3),
        (Real(1.5), 1.5),
        (Raw(b"ab"), b"ab"),
        (Day(2024, 2, 29), date(2024, 2, 29)),
        (Amount("1.50"), Decimal("1.50")),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (Counter("aab"), {"a": 2, "b": 1}),
        (Pair(1, "x"), {"left": 1, "right": "x"}),
        (Colour.RED, "RED"),
        (Level.LOW, "LOW"),
        (Name.FIRST, "FIRST"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (memoryview(b"abcdef")[::2], b"ace"),
        (memoryview(b"abcd").cast("H"), b"abcd"),
        ({Colour.RED: 1}, {"RED": 1}),
        ({Text("a"): 1}, {"a": 1}),
        ({Whole(3): 1}, {3: 1}),
        ({Colour.RED: 1, "BLUE": 2}, {"RED": 1, "BLUE": 2}),
        ({Text("a"), "b"}, {"a", "b"}),
        ({Level.LOW, "b"}, {"LOW", "b"}),
        (frozenset({b"a", Raw(b"b")}), {b"a", b"b"}),
    ],
    ids=repr,
)
def test_what_is_not_plain_travels_as_what_it_stands_for(value: Any, expected: Any) -> None:
    found = comes_back(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("key", [1.5, b"a", None, True, (1,), 2**64, -(2**64) - 1, Mode.READ])
def test_keys_are_text_or_integers(key: Any) -> None:
    assert clause({key: 1}) == "VAL-7"
    assert clause({"a": 1, key: 2}) == "VAL-7"


@pytest.mark.parametrize(
    "value", [{1: 1, "1": 2}, {Colour.RED: 1, "RED": 2}, {Level.LOW: 1, "LOW": 2}, {Name.FIRST: 1, 1: 2}]
)
def test_keys_are_of_one_type_and_differ(value: Any) -> None:
    assert clause(value) == "VAL-7"


@pytest.mark.parametrize(
    "value",
    [{1, "1"}, {1, True + 1.5}, {None}, {(1, 2)}, {Colour.RED, "RED"}, {b"a", "a"}, {date(2024, 1, 1), 1}],
    ids=repr,
)
def test_elements_of_a_set_are_of_one_scalar_type_and_differ(value: Any) -> None:
    assert clause(value) == "VAL-15"


@pytest.mark.parametrize(
    "value", ["\ud800", ["\ud800"], {"a": "\udfff"}, {"\ud800": 1}, {"a": [Text("\ud800")]}]
)
def test_lone_surrogates_are_refused(value: Any) -> None:
    assert clause(value) == "VAL-6"
    with pytest.raises(ValueRefused, match="VAL-6"):
        values.encode([object(), value], reference=lambda _: 1)


def test_a_surrogate_is_looked_for_without_giving_a_reference_twice() -> None:
    given: list[object] = []

    def give(value: object) -> int:
        given.append(value)
        return len(given)

    thing = object()
    assert clause([thing, bytes(100_000), 2**70, Decimal(1), {"a"}, "\ud800"], reference=give) == "VAL-6"
    assert given == [thing]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2024, 1, 1), "VAL-9"),  # noqa: DTZ001 - that is what is wrong with it
        (datetime(2024, 1, 1, tzinfo=timezone(timedelta(seconds=30))), "VAL-9"),
        (time(1, 2, tzinfo=UTC), "VAL-11"),
        (timedelta(days=999_999_999), "VAL-12"),
        (timedelta(days=-999_999_999), "VAL-12"),
        (Decimal("NaN"), "VAL-13"),
        (Decimal("-Infinity"), "VAL-13"),
        (Decimal("-0"), "VAL-13"),
        (Decimal("-0E+5"), "VAL-13"),
        (Decimal("1E+6112"), "VAL-13"),
        (Decimal("1E-6177"), "VAL-13"),
        (Decimal("1" * 35), "VAL-13"),
        (2**512, "VAL-4"),
        (-(2**512) - 1, "VAL-4"),
    ],
    ids=repr,
)
def test_scalars_out_of_their_range_are_refused(value: Any, expected: str) -> None:
    for wrapped in (value, [value], {"a": value}):
        assert clause(wrapped) == expected


@pytest.mark.parametrize(
    "value",
    [object(), Mode.READ, Bits.ONE, len, type, 1j, range(3), iter([])],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_form_is_a_reference_or_refused(value: Any) -> None:
    with pytest.raises(ValueRefused, match="VAL-16") as refused:
        values.encode({"a": [value]})
    assert type(value).__qualname__ in str(refused.value)

    def none(value: object) -> int:
        raise TypeError("not this one")

    assert clause([value], reference=none) == "VAL-16"
    found = values.decode(values.encode([value], reference=lambda _: 5), reference=lambda id: ("object", id))
    assert found == [("object", 5)]


@pytest.mark.parametrize("number", [0, -1, 2**53])
def test_a_reference_has_a_number_that_every_peer_holds(number: int) -> None:
    with pytest.raises(LocalProtocolError, match="VAL-16"):
        values.encode(object(), reference=lambda _: number)


class Patch(msgspec.Struct, tag="patch"):
    """What only the walk writes: with a field that is absent, and an object that stays here."""

    thing: object
    size: int | msgspec.UnsetType = msgspec.UNSET


def test_a_record_travels_with_its_tag_and_without_what_is_unset() -> None:
    body = values.encode(Patch(len), reference=lambda _: 5)
    assert values.decode(body, reference=lambda id: id) == {"type": "patch", "thing": 5}
    body = values.encode(Patch(len, 3), reference=lambda _: 5)
    assert values.decode(body, reference=lambda id: id) == {"type": "patch", "thing": 5, "size": 3}


def test_a_tuple_with_a_name_but_no_fields_is_a_list() -> None:
    class Row(tuple[int, ...]):
        __slots__ = ()

    assert comes_back([Row((1, 2))]) == [[1, 2]]


def nested(value: object, levels: int) -> object:
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [datetime(2024, 1, 1, tzinfo=UTC), date(2024, 1, 1), timedelta(1), 2**70, object(), {1}, {}],
    ids=lambda value: type(value).__name__,
)
def test_tags_count_as_levels(value: Any) -> None:
    below = 62 if isinstance(value, set) else 63
    assert values.encode(nested(value, below), reference=lambda _: 1)
    assert clause(nested(value, below + 1), reference=lambda _: 1) == "VAL-17"


def test_large_strings_travel_inside_of_everything() -> None:
    large = bytes(100_000)
    for value in ([large], {"a": large, "b": [large]}, [1, [large, {"x": 2**70}], Decimal(3)]):
        assert comes_back(value) == value
    assert comes_back(bytearray(large)) == large


def test_a_set_may_hold_strings_of_all_lengths() -> None:
    value = {bytes(100_000), b"small", bytes(70_000), b""}
    assert comes_back(value) == value
    assert clause({bytes(100_000), "small"}) == "VAL-15"
