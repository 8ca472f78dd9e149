"""The bytes of an interface: what was encoded comes back, and nothing else is taken."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cddl_verifier import Validator
from hypothesis import given, settings
from hypothesis import strategies as st

from graftwire.gateway.metadata.as_json import from_json, to_json
from graftwire.gateway.metadata.encode import MAX_SIZE, decode, decode_all, digest, encode
from graftwire.gateway.metadata.model import (
    Attribute,
    Enum,
    EnumNamed,
    Failure,
    Field,
    Interface,
    MetadataError,
    Method,
    Record,
    RecordNamed,
    Scalar,
    Shape,
)
from graftwire.gateway.metadata.plain import of_interface
from graftwire.gateway.metadata.text import text
from graftwire.protocol import values

from .strategies import interfaces

GRAMMAR = Validator(Path(__file__).parents[3] / "spec" / "metadata.cddl")
LEAST = Interface("A", None, (), (), (), (Method("a", Shape.UNARY, (), None, Scalar.NULL, ()),))


@given(interfaces())
def test_what_was_encoded_comes_back(interface: Interface) -> None:
    data = encode(interface)
    assert decode(data) == interface
    assert decode_all(data * 2) == [interface] * 2
    assert from_json(json.dumps(to_json(interface)).encode()) == [interface]
    assert digest(data) == hashlib.sha256(data).digest()
    assert text(interface).count("\n") >= 1 + len(interface.methods)


@settings(max_examples=25)  # the validator takes its time
@given(interfaces())
def test_the_grammar_agrees(interface: Interface) -> None:
    found = GRAMMAR.validate(encode(interface), root_type="interface")
    assert found.valid, found.diagnostics


@given(interfaces(), st.data())
def test_one_bit_more_or_less_is_another_interface_or_none(interface: Interface, data: st.DataObject) -> None:
    whole = bytearray(encode(interface))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = decode(bytes(whole))
    except MetadataError:
        return
    assert found != interface
    assert encode(found) == whole  # there is one form for each


@given(st.binary(max_size=64) | st.binary(max_size=64).map(lambda data: b"\x87\x01" + data))
def test_garbage_is_refused(data: bytes) -> None:
    for read in (decode, decode_all, from_json):
        with pytest.raises(MetadataError):
            read(data)


@given(interfaces(), st.data())
def test_there_is_no_place_for_anything_more(interface: Interface, data: st.DataObject) -> None:
    """An element more, anywhere, is refused; so is a map with any key."""
    plain = of_interface(interface)
    places: list[list[Any]] = []
    waiting = [plain]
    while waiting:
        each = waiting.pop()
        places.append(each)
        waiting += [part for part in each if isinstance(part, list)]
    place = data.draw(st.sampled_from(places))
    extra = data.draw(st.sampled_from([{"doc": "text"}, {}, 1.5, b"\0", {"x"}]))
    place.insert(data.draw(st.integers(0, len(place))), extra)
    try:
        found = decode(values.encode(plain))
    except MetadataError:
        return
    assert extra == b"\0"  # a further value of a choice, which has a place
    assert found != interface


def test_json_with_a_key_more_is_refused() -> None:
    for change in ({"doc": "x"}, {"methods": [{**to_json(LEAST)["methods"][0], "doc": "x"}]}):
        with pytest.raises(MetadataError, match="JSON of another form"):
            from_json(json.dumps({**to_json(LEAST), **change}).encode())


@pytest.mark.parametrize("read", [decode, decode_all])
def test_size_is_checked_before_anything_else(read: Callable[[bytes], object]) -> None:
    with pytest.raises(MetadataError) as refused:
        read(b"\x5a" + (MAX_SIZE + 1).to_bytes(4, "big") + bytes(MAX_SIZE + 1))
    assert refused.value.clause == "META-9"


@pytest.mark.parametrize("name", ["", "a\x1b[31m", "a\n"])
def test_every_name_has_a_character_and_no_control_characters(name: str) -> None:
    text, record, enum = Scalar.TEXT, RecordNamed("R"), EnumNamed("E")
    for enums, exceptions, records, gives, raises in (
        ((), (), (Record(name, False, ()),), RecordNamed(name), ()),
        ((), (), (Record("R", False, (Field(name, text, True),)),), record, ()),
        ((Enum(name, ("A",)),), (), (), EnumNamed(name), ()),
        ((Enum("E", (name,)),), (), (), enum, ()),
        ((), (Failure(name, ()),), (), text, (name,)),
        ((), (Failure("F", (Attribute(name, text),)),), (), text, ("F",)),
    ):
        method = Method("m", Shape.UNARY, (), None, gives, raises)
        with pytest.raises(MetadataError) as refused:
            encode(Interface("A", None, enums, exceptions, records, (method,)))
        assert refused.value.clause == "META-3"


def test_what_is_no_interface_is_not_encoded() -> None:
    for clause, wrong in (
        ("META-2", Interface("A", None, (), (), (), ())),
        ("META-3", Interface("A B", None, (), (), (), LEAST.methods)),
        ("META-4", Interface("A", None, (), (), (), LEAST.methods * 2)),
    ):
        with pytest.raises(MetadataError) as refused:
            encode(wrong)
        assert refused.value.clause == clause
