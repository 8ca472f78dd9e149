"""References found without decoding: the same as those that decoding finds."""

from __future__ import annotations

import random
from typing import Any

import pytest

from graftwire.protocol import values
from graftwire.protocol.errors import ValueRefused
from graftwire.transport.scanning import PAUSE, references_in


def found(body: bytes) -> list[int]:
    return [id for id in references_in(body) if id]


def value(chance: random.Random, depth: int) -> Any:
    match chance.randrange(12 if depth else 9):
        case 0:
            return chance.choice([0, 23, 24, 255, 65_536, 2**63, -1, -(2**40), 2**70])
        case 1:
            return chance.choice(["", "d9a407", "\u00e9" * 30, "x" * 300])
        case 2:
            return chance.choice([b"", b"\xd9\xa4\x07\x01", bytes(70_000)])
        case 3:
            return chance.choice([1.5, float("inf"), 1e300])
        case 4:
            return chance.choice([True, False, None])
        case 5 | 6 | 7 | 8:
            return print
        case 9:
            return {f"{number}": value(chance, depth - 1) for number in range(chance.randrange(30))}
        case 10:
            return {1, 2, 3}
        case _:
            return [value(chance, depth - 1) for _ in range(chance.randrange(30))]


@pytest.mark.parametrize("seed", range(30))
def test_finds_what_decoding_finds(seed: int) -> None:
    chance = random.Random(seed)
    given: list[int] = []

    def give(_: object) -> int:
        given.append(chance.choice([1, 23, 24, 255, 256, 2**32, 2**53 - 1]))
        return given[-1]

    body = values.encode([value(chance, 4) for _ in range(10)], reference=give)
    decoded: list[int] = []
    values.decode(body, reference=decoded.append)
    assert sorted(found(body)) == sorted(decoded) == sorted(given)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "d9a407",  # the number is missing
        "d9a40700",  # it is 0
        "d9a40720",  # negative
        "d9a4074102",  # bytes
        "d9a407f6",  # null
        "d9a407f93c00",
        "d9a407ff",
        "d9a4071802",  # not in its shortest form
        "9fd9a40702ff",  # an indefinite length
        "5f",
        "1c",
        "7affffffff",
    ],
)
def test_what_cannot_be_read_holds_none(body: str) -> None:
    assert found(bytes.fromhex(body)) == []
    with pytest.raises(ValueRefused):
        values.decode(bytes.fromhex(body), reference=lambda id: id)


def test_pauses_in_the_midst_of_what_holds_none() -> None:
    assert list(references_in(values.encode([0] * (3 * PAUSE)))) == [0, 0, 0]


def test_does_not_go_on_for_ever() -> None:
    body = b"\x9a\x00\x20\x00\x00" + bytes(2**21)  # twice as many items as a body may hold
    assert len(list(references_in(body))) == 2**20 // PAUSE
