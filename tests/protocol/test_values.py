"""Bodies as a whole: what comes back, that there is one encoding, and what hostile bytes cost."""

from __future__ import annotations

import itertools
import math
import random
import struct
import tracemalloc
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graftwire.protocol import reader, values
from graftwire.protocol.errors import ValueRefused
from graftwire.protocol.scalars import MAX_DEPTH, MAX_ITEMS, Reference

# --- values -------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
zones = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
decimals = st.builds(
    lambda coefficient, exponent: Decimal(f"{coefficient}E{exponent}"),
    st.integers(-(10**34) + 1, 10**34 - 1),
    st.integers(-6176, 6111),
)
durations = st.integers(-(2**63) + 1, 2**63 - 1).map(lambda number: timedelta(microseconds=number))
integers = st.one_of(st.integers(-300, 300), st.integers(-(2**65), 2**65), st.integers(-(2**512), 2**512 - 1))
set_elements = [
    integers,
    texts,
    st.binary(max_size=40),
    st.booleans(),
    st.floats(),
    st.dates(),
    st.times(),
    st.datetimes(timezones=zones),
    durations,
    decimals,
    st.uuids(),
]
scalars = st.one_of(st.none(), *set_elements)


def lossless(elements: list[Any]) -> bool:
    """Whether a set keeps all of these: hypothesis finds 0.0 and -0.0, two NaNs, and 1.5 and 1.50."""
    return sum(isinstance(element, float) and math.isnan(element) for element in elements) < 2 and len(
        set(elements)
    ) == len(elements)


sets = st.one_of(*(st.lists(elements, max_size=8).filter(lossless).map(set) for elements in set_elements))
plain = st.recursive(
    st.one_of(scalars, sets),
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.dictionaries(texts, inner, max_size=6),
        st.dictionaries(st.integers(-(2**64), 2**64 - 1), inner, max_size=6),
    ),
    max_leaves=15,
)


def same(one: Any, other: Any) -> bool:
    """Equal, of equal types all the way down, in the same order, and bit by bit where it comes to floats."""
    if type(one) is not type(other):
        return False
    match one:
        case list():
            return len(one) == len(other) and all(map(same, one, other))
        case dict():
            return same(list(one), list(other)) and same([*one.values()], [*other.values()])
        case float():
            return (math.isnan(one) and math.isnan(other)) or struct.pack(">d", one) == struct.pack(
                ">d", other
            )
        case set() if any(type(element) is float for element in one):
            return sorted(map(repr, one)) == sorted(map(repr, other))
        case Decimal():
            return one.as_tuple() == other.as_tuple()
        case datetime():
            return one == other and one.utcoffset() == other.utcoffset()
        case _:
            return bool(one == other)


@given(plain)
def test_what_was_encoded_comes_back(value: Any) -> None:
    data = values.encode(value)
    back = values.decode(data)
    assert same(back, value)
    assert values.encode(back) == data
    assert same(reader.read(data).value, value)


@given(st.lists(plain, max_size=4), st.dictionaries(texts, plain, max_size=3))
def test_arguments_come_back(positional: list[Any], named: dict[str, Any]) -> None:
    data = values.encode_arguments(tuple(positional), named)
    assert data == values.encode([positional, named])
    back = values.decode_arguments(data)
    assert same(back[0], positional)
    assert same(back[1], named)


@given(st.lists(scalars, max_size=25))
def test_scalars_as_arguments_come_back(positional: list[Any]) -> None:
    data = values.encode_arguments(tuple(positional), {})
    assert data == values.encode([positional, {}])
    assert same([*values.decode_arguments(data)], [positional, {}])


@given(plain)
def test_any_cbor_decoder_reads_it(value: Any) -> None:
    """Well-formed, that is; cbor2 makes something else of some tags."""
    data = values.encode(value)
    tags = (0, 1004, 41991, 41992, 41993)
    decoders: dict[int, Callable[[Any, bool], Any]] = {tag: lambda content, immutable: 0 for tag in tags}
    cbor2.loads(data, semantic_decoders=decoders)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("value", [None, 5, b"x" * 30, "text", [1, {"a": 2}], b"x" * 100_000])
def test_every_kind_of_buffer(kind: Any, value: Any) -> None:
    assert values.decode(kind(values.encode(value))) == value
    assert values.decode_arguments(kind(values.encode_arguments((value,), {}))) == ([value], {})


@pytest.mark.parametrize("size", [0, 1, 23, 24, 255, 256, 65_535, 65_536, 1_048_576])
@pytest.mark.parametrize("make", [lambda size: b"x" * size, lambda size: "x" * size])
def test_strings_at_the_edges_of_heads(make: Callable[[int], Any], size: int) -> None:
    value = make(size)
    assert values.decode(values.encode(value)) == value
    for arguments in ((value,), (value, value), ({"data": value},), ([value], 1)):
        assert values.decode_arguments(values.encode_arguments(arguments, {})) == ([*arguments], {})


@pytest.mark.parametrize("edge", [0, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**64 - 1, 2**64])
def test_integers_at_the_edges_of_heads(edge: int) -> None:
    for number in (edge, -1 - edge):
        assert values.decode(values.encode(number)) == number
        assert values.decode(values.encode([number] * 40)) == [number] * 40
        assert values.decode_arguments(values.encode_arguments((number,), {})) == ([number], {})


# --- the ways of decoding agree -----------------------------------------------------------------------------


def outcome(decode: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return decode(data)
    except ValueRefused as refused:
        assert refused.clause.startswith(("VAL-", "CALL-"))
        return ValueRefused


def agree(data: bytes) -> None:
    """Every way to decode gives the same, and gives it only if encoding leads back (VAL-20)."""
    strict: Any = outcome(reader.read, data)
    loose = outcome(lambda data: values.decode(data, reference=Reference), data)
    arguments = outcome(lambda data: values.decode_arguments(data, reference=Reference), data)
    if strict is ValueRefused:
        assert loose is ValueRefused
        assert arguments is ValueRefused
        return
    assert values.encode(strict.value, reference=lambda obj: obj.id) == data
    if strict.references:
        assert outcome(values.decode, data) is ValueRefused
        return
    assert same(loose, strict.value)
    if arguments is not ValueRefused:
        assert same([*arguments], strict.value)


@settings(max_examples=1000)
@given(st.binary(max_size=200))
@example(b"")
@example(b"\x82\x80\xa0")
@example(b"\x82\x81\x61\xff\xa0")
def test_bytes_of_any_kind(data: bytes) -> None:
    agree(data)


heads = st.sampled_from(
    bytes.fromhex("00171819202040415861780102038081829899a0a1a2b8b9c0c2c4d8d9f4f5f6f7f8f9fafb1f5f9fff")
)


@settings(max_examples=1000)
@given(
    st.lists(st.one_of(heads.map(lambda head: bytes((head,))), st.binary(max_size=3)), max_size=40).map(
        b"".join
    )
)
def test_bytes_that_look_like_heads(data: bytes) -> None:
    agree(data)
    agree(b"\x82\x81" + data + b"\xa0")


@settings(max_examples=250)
@given(plain, st.data())
def test_a_body_that_was_changed(value: Any, data: st.DataObject) -> None:
    body = bytearray(values.encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        match data.draw(st.sampled_from(["change", "insert", "remove", "flip"])):
            case "insert":
                body.insert(at, data.draw(st.integers(0, 255)))
            case "remove":
                del body[at : at + 1]
            case "change" if at < len(body):
                body[at] = data.draw(st.integers(0, 255))
            case _ if at < len(body):
                body[at] ^= 1 << data.draw(st.integers(0, 7))
    agree(bytes(body))


@settings(max_examples=100)
@given(plain, st.data())
def test_a_body_that_was_cut(value: Any, data: st.DataObject) -> None:
    body = values.encode(value)
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    with pytest.raises(ValueRefused):
        values.decode(cut)
    with pytest.raises(ValueRefused):
        values.decode(body + b"\x00")


def test_bodies_of_each_size_go_all_ways() -> None:
    chance = random.Random(20261123)
    for size in [*range(1, 40), 1_000, 7_000]:
        value = [{"n": chance.randrange(2**20), "t": "x" * (i % 9), "f": i / 3} for i in range(size)]
        data = values.encode(value)
        assert same(values.decode(data), value)
        agree(data)
        agree(data[:-1])
        agree(data.replace(b"\x61n", b"\x41n", 1))  # a key of bytes
        agree(data.replace(b"\x61n", b"\xf7", 1))
        agree(data.replace(b"\x60", b"\xf7", 1))  # undefined for an empty text


# --- arguments ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        "80",
        "8180",
        "828080",
        "82a0a0",
        "8380a0a0",
        "8280a10102",
        "a0",
        "01",
        "83808080",
        "82f6a0",
        "82d9a40701a0",
    ],
)
def test_a_body_that_is_no_call(data: str) -> None:
    with pytest.raises(ValueRefused, match="CALL-10"):
        values.decode_arguments(bytes.fromhex(data), reference=Reference)


@pytest.mark.parametrize(
    ("data", "clause"),
    [
        ("8281", "VAL-1"),
        ("828141a0", "VAL-1"),  # a string that takes the last byte
        ("82815818" + "00" * 22 + "a0", "VAL-1"),
        ("82811817a0", "VAL-3"),
        ("8281580100a0", "VAL-3"),
        ("8281fb7ff8000000000000a0", "VAL-5"),
        ("8281fb7ff0a0", "VAL-1"),
        ("8281f97e01a0", "VAL-5"),
        ("828161ffa0", "VAL-6"),
        ("82817819" + "ff" * 25 + "a0", "VAL-6"),
        ("8281f7a0", "VAL-19"),
        ("8281c100a0", "VAL-8"),
        ("8280a000", "VAL-1"),
    ],
)
def test_a_call_that_is_refused(data: str, clause: str) -> None:
    with pytest.raises(ValueRefused) as refused:
        values.decode_arguments(bytes.fromhex(data))
    assert refused.value.clause == clause


def test_named_arguments() -> None:
    assert values.decode_arguments(values.encode_arguments((), {"a": 1})) == ([], {"a": 1})
    assert values.decode_arguments(values.encode_arguments((1,), {"a": [2]})) == ([1], {"a": [2]})
    assert values.encode_arguments((), {}) == bytes.fromhex("8280a0")


@pytest.mark.parametrize(
    ("positional", "named", "path"),
    [
        (([1, {"a": object()}],), {}, "[0][1][...]"),
        ((1, "\ud800"), {}, "[1]"),
        ((1,), {"when": datetime(2026, 1, 1)}, "when"),  # noqa: DTZ001 - that is what is wrong
        ((), {"order": {"lines": [1, 2, {3: 1.5, "x": 1}]}}, "order[...][2]"),
    ],
)
def test_a_path_leads_to_the_argument(positional: tuple[Any, ...], named: dict[str, Any], path: str) -> None:
    with pytest.raises(ValueRefused) as refused:
        values.encode_arguments(positional, named)
    assert refused.value.path == path
    assert refused.value.at("arguments").path == "arguments" + ("" if path.startswith("[") else ".") + path


# --- references ---------------------------------------------------------------------------------------------


def test_references_become_objects_in_their_order() -> None:
    numbers = itertools.count(1)
    body = values.encode([len, {"f": print, "g": [repr]}, 5], reference=lambda obj: next(numbers))
    seen: list[int] = []
    assert values.decode(body, reference=lambda id: seen.append(id) or f"object {id}") == [
        "object 1",
        {"f": "object 2", "g": ["object 3"]},
        5,
    ]
    assert seen == [1, 2, 3]


def test_a_reference_alone() -> None:
    assert values.decode(bytes.fromhex("d9a40703"), reference=str) == "3"


def test_references_are_refused_where_there_is_no_place_for_them() -> None:
    with pytest.raises(ValueRefused, match="VAL-16"):
        values.decode(bytes.fromhex("81d9a40703"))


@pytest.mark.parametrize("data", ["82d9a407031817", "82d9a40703ff", "82d9a40703", "8182d9a407031801"])
def test_no_object_is_made_for_a_body_that_is_refused(data: str) -> None:
    made: list[int] = []
    with pytest.raises(ValueRefused):
        values.decode(bytes.fromhex(data), reference=made.append)
    with pytest.raises(ValueRefused):
        values.decode_arguments(bytes.fromhex(data), reference=made.append)
    assert not made


def test_what_the_callback_raises_passes_through() -> None:
    def fail(id: int) -> object:
        raise KeyError(id)

    with pytest.raises(KeyError):
        values.decode(bytes.fromhex("81d9a40703"), reference=fail)


# --- hostile bodies (each a row of what cbor2 does by itself) -----------------------------------------------


def refuse(data: bytes, clause: str, *, memory: int = 2_000_000) -> None:
    """`data` is refused for the right reason, and without taking memory for what it claims to be."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueRefused) as refused:
            values.decode(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused.value.clause == clause
    assert peak < memory


@pytest.mark.parametrize("levels", [65, 400, 100_000, 1_000_000])
@pytest.mark.parametrize("opening", [b"\x81", b"\xa1\x61a", b"\xc4", b"\xd9\x01\x02\x81"])
def test_hostile_nesting(opening: bytes, levels: int) -> None:
    clause = {b"\xc4": "VAL-17", b"\xd9\x01\x02\x81": "VAL-15"}.get(opening, "VAL-17")
    if opening == b"\xd9\x01\x02\x81":
        clause = "VAL-17"
    refuse(opening * levels + b"\x80", clause)


def test_depth_at_its_bound() -> None:
    for inside, levels in ((b"\x80", 63), (b"\xa0", 63), (b"\x00", 64), (b"\xd9\xa4\x08\x00", 63)):
        data = b"\x81" * levels + inside
        assert values.encode(values.decode(data)) == data
        refuse(b"\x81" + data, "VAL-17")


@pytest.mark.parametrize("value", [10, 8_000, 100_000])
def test_a_deep_list_does_not_end_the_encoder(value: int) -> None:
    deep: list[Any] = []
    for _ in range(MAX_DEPTH + value):
        deep = [deep]
    with pytest.raises(ValueRefused, match="VAL-17") as refused:
        values.encode(deep)
    assert refused.value.path == "[0]" * MAX_DEPTH
    with pytest.raises(ValueRefused, match="VAL-17"):
        values.encode({"a": deep})


def test_a_cycle_is_refused() -> None:
    cycle: list[Any] = [1]
    cycle.append(cycle)
    record: dict[str, Any] = {}
    record["self"] = record
    for value in (cycle, record, (cycle,), [cycle, cycle]):
        with pytest.raises(ValueRefused, match="VAL-17"):
            values.encode(value)


def test_a_shared_value_does_not_grow_without_bound() -> None:
    shared: list[Any] = []
    for _ in range(50):
        shared = [shared, shared]
    with pytest.raises(ValueRefused, match="VAL-18"):
        values.encode(shared)


@pytest.mark.parametrize("major", [0x5B, 0x7B, 0x9B, 0xBB])
@pytest.mark.parametrize("size", [2**31, 2**40, 2**63, 2**64 - 1])
def test_hostile_lengths(major: int, size: int) -> None:
    data = bytes((major,)) + size.to_bytes(8, "big")
    for body in (data, data + bytes(200), b"\x81" + data + bytes(200), b"\x81" + data + bytes(70_000)):
        refuse(body, "VAL-1" if size > 2**32 else {0x5B: "VAL-3", 0x7B: "VAL-3"}.get(major, "VAL-3"))


@pytest.mark.parametrize(
    "tag", [28, 29, 35, 36, 1, 5, 24, 25, 30, 52, 54, 100, 256, 260, 261, 43000, 55799, 2**40]
)
def test_hostile_tags(tag: int) -> None:
    head = cbor2.dumps(cbor2.CBORTag(tag, None))[:-1]
    for content in (b"\x80", b"\x00", b"\x63(a+", b"\x82\x00\x01", b"\xd8\x1d\x00"):
        refuse(head + content, "VAL-8")
        refuse(b"\x82\x58\x64" + bytes(100) + head + content, "VAL-8")


@pytest.mark.parametrize(
    "content",
    [
        [10**9, 1],
        [-(10**9), 1],
        [6112, 1],
        [-6177, 1],
        [0, 10**34],
        [0, -(10**34)],
        [2**63, 1],
        [0],
        [0, 1, 2],
        [0.0, 1],
        [0, True],
    ],
)
def test_hostile_decimals(content: list[Any]) -> None:
    refuse(b"\xc4" + cbor2.dumps(content), "VAL-13")


def test_a_decimal_with_a_giant_coefficient_is_refused_before_any_arithmetic() -> None:
    giant = b"\xc4\x82\x00\xc2\x5a" + (2**18).to_bytes(4, "big") + b"\xff" * 2**18
    refuse(giant, "VAL-4")


@pytest.mark.parametrize("size", [65, 2**18, 2**20])
def test_hostile_bignums(size: int) -> None:
    refuse(b"\xc2" + cbor2.dumps(b"\xff" * size), "VAL-4", memory=3 * size + 100_000)


def test_keys_that_share_a_hash() -> None:
    """Bignums are no keys, however many; of integers of 64 bits at most 16 share a hash."""
    prime = 2**61 - 1
    bignums = cbor2.dumps({number * prime: 0 for number in range(16, 4_016)})
    refuse(bignums, "VAL-7")
    tuples = b"\xb9\x0f\xa0" + b"".join(cbor2.dumps([i, i * prime]) + b"\x00" for i in range(4_000))
    refuse(tuples, "VAL-7")
    same_hash = {number * prime: 0 for number in range(1, 9)}
    assert values.decode(values.encode(same_hash)) == same_hash


def test_so_many_integer_keys_that_they_could_be_chosen_to_collide() -> None:
    """The keys of a dict of n can be chosen so that it takes n² steps; 16,384² is what a body gets."""
    most = dict.fromkeys(range(16_384), 0)
    assert values.decode(values.encode(most)) == most
    refuse(cbor2.dumps(dict.fromkeys(range(16_385), 0)), "VAL-22", memory=20_000_000)
    many = [dict.fromkeys(range(1_024), 0)] * 256
    data = values.encode(many)
    assert values.decode(data) == many
    with pytest.raises(ValueRefused, match="VAL-22"):
        values.decode(b"\x82" + data + b"\xa1\0\0")
    with pytest.raises(ValueRefused, match="VAL-22"):
        values.encode([*many, {1: 2}])
    text = {str(number): 0 for number in range(100_000)}
    assert values.decode(values.encode(text)) == text


def test_so_many_elements_of_sets_that_they_could_be_chosen_to_collide() -> None:
    for make in (int, float, UUIDs, Decimal):
        elements = {make(number) for number in range(16_384)}
        assert values.decode(values.encode(elements)) == elements
        elements.add(make(99_999))
        with pytest.raises(ValueRefused, match="VAL-22"):
            values.encode(elements)
        encoded = sorted(values.encode(element) for element in elements)
        with pytest.raises(ValueRefused, match="VAL-22"):
            values.decode(b"\xd9\x01\x02\x99\x40\x01" + b"".join(encoded))
    texts = {str(number) for number in range(100_000)}
    assert values.decode(values.encode(texts)) == texts


def UUIDs(number: int) -> UUID:  # noqa: N802 - stands for a type
    return UUID(int=number)


def test_elements_that_share_a_hash() -> None:
    """Equality of UUIDs is a function in Python: 16,000 with one hash would take minutes."""
    elements = sorted(UUID(int=1 + number * (2**61 - 1)).bytes for number in range(16_000))
    body = b"\xd9\x01\x02\x99\x3e\x80" + b"".join(b"\xd8\x25\x50" + element for element in elements)
    refuse(body, "VAL-22", memory=40_000_000)


@pytest.mark.parametrize(
    "data",
    [
        "9fff",
        "5fff",
        "7fff",
        "bfff",
        "5f4100ff",
        "7f6161ff",
        "9f01ff",
        "bf616101ff",
        "ff",
        "8281ff00",
        "df00",
        "1f",
        "3f",
    ],
)
def test_indefinite_lengths(data: str) -> None:
    for body in (bytes.fromhex(data), b"\x82\x58\x64" + bytes(100) + bytes.fromhex(data)):
        refuse(body, "VAL-2")


@pytest.mark.parametrize(
    "data",
    [
        "a2616101616102",
        "a201020103",
        "a2f97e0001f97e0002",
        "a3010101fb3ff000000000000002f503",
        "a2206120200a",
        "a1f500",
        "a1f600",
        "a1fb3ff000000000000001",
        "a1410000",
        "a1800000",
        "a1a000",
        "a1c2490100000000000000000000",
        "a20100616100",
        "a1d9a40a6568656c6c6f00",
    ],
)
def test_keys_that_are_doubled_merge_or_are_none(data: str) -> None:
    body = bytes.fromhex(data)
    clause = "VAL-8" if "d9a40a" in data else "VAL-7"
    refuse(body, clause)
    refuse(b"\x82\x58\x64" + bytes(100) + body, clause)
    refuse(b"\x82\x5a\x00\x01\x11\x70" + bytes(70_000) + body, clause)


@pytest.mark.parametrize(
    "data",
    [
        "1800", "1817", "190018", "1900ff", "1a0000ffff", "1b00000000ffffffff", "3800", "3817", "390001",
        "5800", "5817" + "00" * 23, "590001" + "00", "7800", "780161", "790001" + "61",
        "9800", "980101", "990001" + "01", "9a0000000101", "b800", "b801616101", "d800" + "6161", "d9000461",
    ],
)  # fmt: skip
def test_heads_that_are_not_the_shortest(data: str) -> None:
    refuse(bytes.fromhex(data), "VAL-3")
    refuse(b"\x82\x58\x64" + bytes(100) + bytes.fromhex(data), "VAL-3")


@pytest.mark.parametrize(
    "data",
    [
        "f93c00",
        "f90000",
        "f97e01",
        "f9fe00",
        "fa3fc00000",
        "fb7ff8000000000000",
        "fb7ff0000000000000",
        "fbfff0000000000000",
        "fb7ff0000000000001",
        "fa7fc00000",
    ],
)
def test_floats_in_other_forms(data: str) -> None:
    refuse(bytes.fromhex(data), "VAL-5")
    refuse(b"\x82\x58\x64" + bytes(100) + bytes.fromhex(data), "VAL-5")


@pytest.mark.parametrize("data", ["f7", "e0", "f3", "f820", "f8ff", "f800", "f81f"])
def test_simple_values(data: str) -> None:
    refuse(bytes.fromhex(data), "VAL-19")
    refuse(b"\x82\x58\x64" + bytes(100) + bytes.fromhex(data), "VAL-19")


@pytest.mark.parametrize("data", ["0000", "8000", "f6f6", "4161ff", "62616100"])
def test_trailing_bytes(data: str) -> None:
    refuse(bytes.fromhex(data), "VAL-1")


@pytest.mark.parametrize(
    "data",
    [
        "",
        "18",
        "19",
        "1900",
        "1a",
        "1b00",
        "41",
        "5818",
        "61",
        "81",
        "a1",
        "a16161",
        "c0",
        "d8",
        "fb",
        "fb00",
        "f9",
        "f97e",
        "1c",
        "3d",
        "5e",
        "9c",
        "bc",
        "dc",
        "fc",
        "fe",
        "c24100"[:4],
        "d90102",
        "d9010281",
        "d8254100"[:6],
    ],
)
def test_bodies_that_end_too_early_or_are_malformed(data: str) -> None:
    refuse(bytes.fromhex(data), "VAL-1")
    refuse(b"\x82\x58\x64" + bytes(100) + bytes.fromhex(data), "VAL-1")


@pytest.mark.parametrize(
    "text", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"a\x80"]
)
def test_text_that_is_not_utf_8(text: bytes) -> None:
    for body in (cbor2.dumps(text), b"\x82\x58\x64" + bytes(100) + cbor2.dumps(text)):
        at = len(body) - len(text) - 1
        refuse(body[:at] + bytes((body[at] + 0x20,)) + text, "VAL-6")


@pytest.mark.parametrize("item", [b"\x00", b"\x80", b"\xa0", b"\xf6", b"\x60", b"\xf9\x7e\x00"])
def test_a_body_of_nothing_but_small_items(item: bytes) -> None:
    """A million is the most; one more is refused before anything is made of it."""
    count = 2**16  # what each costs does not depend on how many there are; tracing a million takes long
    body = b"\x9a\0\x01\0\0" + item * count
    tracemalloc.start()
    try:
        assert len(values.decode(body)) == count  # type: ignore[arg-type]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 110 * count
    refuse(b"\x9a" + MAX_ITEMS.to_bytes(4, "big") + item * MAX_ITEMS, "VAL-18", memory=100_000)
    maps = b"\xba" + (MAX_ITEMS // 2).to_bytes(4, "big")
    refuse(maps + b"\x00" * MAX_ITEMS, "VAL-18", memory=100_000)


def test_items_are_counted_over_all_levels() -> None:
    row = b"\x99\x03\xff" + b"\x00" * 1023
    body = b"\x99\x04\x01" + row * 1024 + b"\x00"  # 1 + 1025 + 1024 · 1023
    assert MAX_ITEMS == 1024 * 1024
    assert (
        values.encode(values.decode(body[:1] + b"\x03\xff" + row * 1023))
        == body[:1] + b"\x03\xff" + row * 1023
    )
    with pytest.raises(ValueRefused, match="VAL-18"):
        values.decode(body)
    rows = [[0] * 1023] * 1023
    values.encode(rows)
    with pytest.raises(ValueRefused, match="VAL-18"):
        values.encode([*rows, [0] * 1023, 0])


def test_a_large_string_is_copied_once() -> None:
    body = values.encode_arguments((bytes(4_000_000),), {})
    tracemalloc.start()
    try:
        values.decode_arguments(body)
        _, decoding = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        values.encode({"data": body, "more": [body]})
        _, encoding = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert decoding < 4_100_000
    assert encoding < 8_200_000


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (datetime(2026, 11, 23, 8, 30, tzinfo=UTC), "c074323032362d31312d32335430383a33303a30305a"),
        (date(2026, 11, 23), "d903ec6a323032362d31312d3233"),
        (time(12, 30, 0, 500_000), "d9a4096a31323a33303a30302e35"),
        (timedelta(seconds=90), "d9a4081a055d4a80"),
        (timedelta(microseconds=-1), "d9a40820"),
        (Decimal("12.50"), "c482211904e2"),
        (UUID("00112233-4455-6677-8899-aabbccddeeff"), "d8255000112233445566778899aabbccddeeff"),
        ({1, 2, 3}, "d9010283010203"),
        ({"b", "aa"}, "d90102826162626161"),
        (set(), "d9010280"),
        (2**64, "c249010000000000000000"),
        (-(2**64) - 1, "c349010000000000000000"),
        (-(2**64), "3bffffffffffffffff"),
        (1.5, "fb3ff8000000000000"),
        (-0.0, "fb8000000000000000"),
        (math.nan, "f97e00"),
        (-math.nan, "f97e00"),
        (math.inf, "f97c00"),
        (-math.inf, "f9fc00"),
        ({"a": 1, "b": 2}, "a2616101616202"),
        ({1: "x", -1: "y"}, "a2016178206179"),
        ([1, "a", None], "83016161f6"),
        ("ü", "62c3bc"),
    ],
)
def test_the_table_of_the_standard(value: Any, data: str) -> None:
    assert values.encode(value).hex() == data
    assert values.encode([value]).hex() == "81" + data
    assert same(values.decode(bytes.fromhex(data)), value)
    assert same(values.decode(b"\x98\x64" + bytes.fromhex(data) * 100), [value] * 100)
