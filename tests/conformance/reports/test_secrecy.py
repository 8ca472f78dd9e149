"""What is secret is found however it is written, also where only a part of it is left; and nothing else is."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from urllib.parse import quote_from_bytes

import pytest

from graftwire.conformance.reports.secrecy import Redactor, merged
from graftwire.conformance.setups import Secrets

from .conftest import CANARY, PROOF, SECRETS  # type: ignore[import-not-found]

REDACTOR = Redactor(SECRETS)
ENCODINGS: list[Callable[[bytes], bytes]] = [
    bytes,
    lambda secret: secret[::-1],
    lambda secret: secret.hex().encode(),
    lambda secret: secret.hex().upper().encode(),
    base64.b64encode,
    base64.urlsafe_b64encode,
    lambda secret: base64.b64encode(b"x" + secret + b"yz"),
    lambda secret: base64.b64encode(b"xy" + secret),
    base64.b32encode,
    lambda secret: base64.b32encode(b"xyz" + secret),
    lambda secret: "".join(f"%{each:02X}" for each in secret).encode(),
    lambda secret: quote_from_bytes(secret, safe="").encode(),
    lambda secret: repr(secret).encode(),
    lambda secret: secret.decode("latin-1").encode("utf-16-le"),
    lambda secret: secret.decode("latin-1").encode("utf-8"),
]


@pytest.mark.parametrize("encode", ENCODINGS)
@pytest.mark.parametrize(
    ("secret", "name"),
    [(PROOF, "proof of alice"), (CANARY.encode(), "canary exception")],
    ids=["proof", "canary"],
)
def test_it_is_found_however_it_is_written(
    encode: Callable[[bytes], bytes], secret: bytes, name: str
) -> None:
    written = encode(secret)
    found = REDACTOR.find(b"before " + written + b" behind")
    assert {each.name for each in found} == {name}
    covered = sum(each.end - each.start for each in found)
    assert covered >= len(written) - 20  # what shares a digit with its neighbours may be left
    assert all(each.start >= 7 and each.end <= 7 + len(written) for each in found)


def test_a_part_of_it_is_found() -> None:
    assert REDACTOR.text(f"it begins with {CANARY[:12]}") == "it begins with [canary exception, hidden]"
    assert REDACTOR.text(f"it ends with {CANARY[-12:]}!") == "it ends with [canary exception, hidden]!"


def test_nothing_else_is_found() -> None:
    for text in ("the session lives", "GOAWAY(0, 12)", "", "00" * 100):
        assert REDACTOR.text(text) == text
    assert REDACTOR.find(os.urandom(4096)) == ()


def test_without_secrets_there_is_nothing_to_find() -> None:
    assert Redactor().text(CANARY) == CANARY


def test_short_ones_are_found_whole_and_tiny_ones_are_none() -> None:
    redactor = Redactor(Secrets(proofs={"alice": b"alice", "bob": b"b"}, canaries={}))
    assert redactor.text("it is alice or b") == "it is [proof of alice, hidden] or b"


def test_no_repr_shows_it() -> None:
    assert CANARY not in repr(REDACTOR)


def test_places_are_put_together() -> None:
    places = REDACTOR.find(PROOF + PROOF)
    assert [(each.start, each.end) for each in places] == [(0, 2 * len(PROOF))]
    assert merged([]) == []
