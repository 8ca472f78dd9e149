"""Every byte of a frame is told, right or wrong, and none of a credential."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graftwire.conformance import frames
from graftwire.conformance.parts import Body, Frame, Map, Raw, Tag, Zeros, wire
from graftwire.conformance.reports.annotating import annotate, name_of
from graftwire.conformance.reports.items import LONGEST, notation, quoted

from .conftest import SCOPE  # type: ignore[import-not-found]

VECTORS = Path(__file__).parents[3] / "spec" / "vectors"


def told(piece: Frame | bytes) -> list[str]:
    return [each.text for each in annotate(piece if isinstance(piece, bytes) else wire(piece, SCOPE))]


def test_hello() -> None:
    assert told(frames.hello()) == [
        "length: 37 bytes",
        "HELLO, an array of 3",
        "versions: [1]",
        "limits, a map of 6",
        "key 1, largest frame: 4,194,304",
        "key 2, calls in flight: 1,024",
        "key 3, unfinished body bytes: 16,777,216",
        "key 4, stream credit: 262,144",
        "key 5, session credit: 2,097,152",
        "key 6, idle time, ms: 60,000",
    ]


def test_call() -> None:
    found = told(frames.call("add", 1, context=Map(((1, 1500),)), shape=1, named=(("b", -2),)))
    assert found[1:] == [
        "CALL, an array of 7",
        "call: 1",
        "shape 1, server stream",
        'target: "Conformance.add"',
        "context, a map of 1",
        "key 1, remaining time, ms: 1,500",
        "credential: null",
        'body: 7 bytes, [[1], {"b": -2}]',
    ]


@pytest.mark.parametrize(
    ("frame", "last"),
    [
        (frames.ping(7), "counter: 7"),
        (frames.goaway(2, 12), "code: 12, protocol"),
        (frames.goaway(), "code: 0, none"),
        (frames.error(8, body=Body(b"12345678")), "body: 9 bytes, h'3132333435363738'"),
        (frames.credit(100), "bytes: 100"),
        (frames.item(Zeros(5000)), "body: 5,003 bytes, 5,000 zero bytes"),
        (frames.item(body=Raw(b"\x43\xff\xff\xff")), "body: 3 bytes, which are no one item"),
        (Frame(12, (1,), behind=b"\x00"), "bytes behind the array"),
        (Frame(12, (1, 2)), "element 2: 2"),
        (Frame(300, (1,)), "element 1: 1"),
        (Frame("ping", ("x",)), 'element 1: "x"'),
        (Frame(12), "PING, an array of 1"),
        (Frame(12, (Tag(1, 2),)), "counter: 1(2)"),
        (bytes.fromhex("00000000"), "length 0, which no frame can have"),
        (bytes.fromhex("ffffffff 01"), "what follows it"),
        (bytes.fromhex("0000"), "a length that is cut off"),
        (bytes.fromhex("00000010 82"), "no array that can be read"),
        (bytes.fromhex("00000002 a100"), "no array that can be read"),
        (bytes.fromhex("00000002 1820"), "in the place of the array: 32"),
        (bytes.fromhex("00000004 9f0c01ff"), "the end of the array"),
        (bytes.fromhex("00000003 820c19"), "counter, cut off or no CBOR"),
    ],
)
def test_the_last_of_it(frame: Frame | bytes, last: str) -> None:
    assert told(frame)[-1] == last


def test_credentials_are_hidden_by_their_place_whatever_they_are() -> None:
    found = annotate(wire(frames.auth(b"anything at all"), SCOPE))
    assert [(each.text, each.hidden) for each in found][2:] == [
        ('scheme: "conformance.test"', False),
        ("proof: 15 bytes, hidden", True),
    ]
    assert found[-1].shown == found[-1].start + 1  # the head
    found = annotate(wire(frames.call(credential=("conformance.test", b"proof")), SCOPE))
    assert [each.text for each in found if each.hidden] == ["its proof: 5 bytes, hidden"]
    assert [each.hidden for each in annotate(wire(frames.challenge(b"data"), SCOPE))] == [False, False, True]
    # in a wrong place, of a wrong type, cut off
    assert annotate(wire(Frame(1, (b"proof", "scheme", b"proof")), SCOPE))[2].hidden
    assert annotate(wire(Frame(5, (1, 0, "t", None, b"proof", None)), SCOPE))[6].hidden
    assert annotate(bytes.fromhex("00000010 8301 6141 4a 0102"))[-1].hidden


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.json")), ids=lambda path: path.stem)
def test_no_byte_of_the_vectors_is_left_untold(path: Path) -> None:
    """Good and bad frames alike; and every beginning of each, as it would be read from a link that ends."""
    texts = set(_hex_in(json.loads(path.read_text(encoding="utf-8"))))
    for text in list(texts)[:150]:
        data = bytes.fromhex(text)[:2000]
        for end in {len(data), len(data) // 2, min(len(data), 5)} - {0}:
            pieces = annotate(data[:end])
            assert [each.start for each in pieces] == [0, *(each.end for each in pieces[:-1])]
            assert pieces[-1].end == end
            assert name_of(data[:end])


def _hex_in(value: object) -> list[str]:
    match value:
        case dict():
            return [found for each in value.values() for found in _hex_in(each)]
        case list():
            return [found for each in value for found in _hex_in(each)]
        case str() if len(value) > 8 and len(value) % 2 == 0 and not value.strip("0123456789abcdef"):
            return [value]
        case _:
            return []


def test_a_notation_is_short_and_does_nothing_to_a_terminal() -> None:
    assert len(notation(bytes.fromhex("9a0000ffff") + b"\x01" * 0xFFFF)) <= LONGEST
    assert notation(b"\x81" * 300 + b"\x01") == "no CBOR that can be read"
    assert notation(b"\xbf\x01\x02\xff") == "{_ 1: 2}"
    assert notation(b"\xfb\x7f\xf0" + bytes(6)) == "Infinity"
    assert quoted('a"\x1b\n') == '"a\\"\\x1b\\n"'
