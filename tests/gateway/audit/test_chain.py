"""What one line is made of."""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest

from graftwire.gateway.audit.chain import (
    BEGINNING,
    FIRST,
    START,
    NotALine,
    Position,
    RecordLine,
    Resumed,
    ResumedLine,
    decode,
    digest,
    encode,
)
from graftwire.gateway.audit.record import LinkRecord, Record

from .conftest import record


def test_every_field_is_in_every_line() -> None:
    line = encode(START, record())
    told = json.loads(line)
    assert list(told) == ["n", "prev", *Record.__struct_fields__]
    assert list(told["link"]) == list(LinkRecord.__struct_fields__)
    assert (told["n"], told["prev"], told["code"], told["count"]) == (1, FIRST, None, None)
    assert told["time"] == "2026-11-23T10:00:00.250000Z"
    assert line.startswith(BEGINNING)


def test_a_line_is_one_line_whatever_it_says() -> None:
    line = encode(START, record(reason='two\nlines, "quotes", \x1b[31m and \u2028'))
    assert line.count(b"\n") == 1
    assert decode(line[:-1]).reason == 'two\nlines, "quotes", \x1b[31m and \u2028'  # type: ignore[union-attr]


def test_a_line_is_read_as_it_was_written() -> None:
    first = encode(START, record())[:-1]
    here = Position(1, digest(first))
    assert here.hash == hashlib.sha256(first).hexdigest()
    second = encode(here, Resumed(time=record().time, torn=7, torn_hash=FIRST))[:-1]
    found, note = decode(first), decode(second)
    assert isinstance(found, RecordLine)
    fields = {name: getattr(found, name) for name in Record.__struct_fields__}
    assert Record(**fields) == record()
    assert note == ResumedLine(n=2, prev=here.hash, time=record().time, torn=7, torn_hash=FIRST)


def test_what_a_later_version_adds_is_passed_over() -> None:
    line = encode(START, record())[:-2] + b',"more":{"of":[1]}}'
    assert decode(line).n == 1


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"\0" * 100,
        b'{"n":1}',
        b'{"n":0,"prev":""}',
        b'{"n":"1","prev":""}',
        b'{"n":1,"prev":"\xff"}',
        b'{"n":1,"prev":"","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_no_line(line: bytes) -> None:
    with pytest.raises(NotALine) as raised:
        decode(line)
    assert raised.value.link is None


@pytest.mark.parametrize(
    "change", [{"decision": "maybe"}, {"call": "one"}, {"link": {}}, {"time": "noon"}, {"event": None}]
)
def test_what_is_a_line_and_no_record(change: dict[str, object]) -> None:
    told = json.loads(encode(START, record()))
    with pytest.raises(NotALine) as raised:
        decode(msgspec.json.encode({**told, **change}))
    assert raised.value.link is not None
    assert raised.value.link.n == 1
