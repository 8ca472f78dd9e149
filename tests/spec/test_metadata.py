"""The page on metadata: its clauses, its example and its vectors, held against grammar and implementation."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from cddl_verifier import Validator

from graftwire.gateway.metadata.as_json import from_json, to_json
from graftwire.gateway.metadata.encode import decode, decode_all, encode
from graftwire.gateway.metadata.model import MetadataError
from graftwire.gateway.metadata.text import text

SPEC = Path(__file__).parents[2] / "spec"
PAGE = (SPEC / "METADATA.md").read_text(encoding="utf-8")
CLAUSES = re.findall(r"^\*\*\[(META-\d+)\]\*\* ((?:.+\n)+)", PAGE, re.MULTILINE)
VECTORS: list[dict[str, Any]] = json.loads((SPEC / "vectors" / "metadata.json").read_text(encoding="utf-8"))[
    "vectors"
]
GOOD = [vector for vector in VECTORS if not vector.get("refused")]
BAD = [vector for vector in VECTORS if vector.get("refused")]

# What CDDL can't tell from the right thing: names of vectors, as patterns.
BEYOND_GRAMMAR = (
    *("bad.long-head", "bad.name.reserved", "bad.name.target", "bad.order.*", "bad.twice.*", "bad.missing.*"),
    *("bad.unused.*", "bad.shared-name", "bad.parameter.twice", "bad.parameter.order", "bad.depth.*"),
    *("bad.parameter.rest-twice", "bad.choice.*", "bad.union.order", "bad.union.twice", "bad.union.choices"),
)
BUT = ("bad.choice.large",)


def cases(vectors: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("vector", vectors, ids=[vector["name"] for vector in vectors])


def raw(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["hex"])


@pytest.fixture(scope="module")
def grammar() -> Validator:
    return Validator(SPEC / "metadata.cddl")


def test_the_clauses_are_numbered_without_gaps() -> None:
    numbers = sorted(int(id.partition("-")[2]) for id, _ in CLAUSES)
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) == len(re.findall(r"\*\*\[META-\d+\]\*\*", PAGE))


@pytest.mark.parametrize(("id", "words"), CLAUSES, ids=[id for id, _ in CLAUSES])
def test_a_clause_says_what_must_be_and_what_happens_otherwise(id: str, words: str) -> None:
    assert re.search(r"\b(?:MUST|SHOULD|MAY)\b", words)
    assert re.search(r"\bViolation\b", words)


def test_what_refers_to_a_clause_refers_to_one_that_is_there() -> None:
    known = {id for id, _ in CLAUSES}
    sources = [SPEC / "metadata.cddl", SPEC / "METADATA.md", *(SPEC.parent / "gateway").rglob("*.py")]
    for source in sources:
        assert set(re.findall(r"\bMETA-\d+\b", source.read_text(encoding="utf-8"))) <= known, source


def test_every_clause_is_shown() -> None:
    shown = {clause for vector in VECTORS for clause in (vector["clause"], *vector.get("or", ()))}
    # META-10 is about digests, META-11 about what there is no element for.
    assert shown == {id for id, _ in CLAUSES} - {"META-10", "META-11"}


@cases(GOOD)
def test_good_metadata_comes_back(vector: dict[str, Any], grammar: Validator) -> None:
    data = raw(vector)
    interface = decode(data)
    assert encode(interface) == data
    assert decode_all(data + data) == [interface, interface]
    assert from_json(json.dumps(to_json(interface)).encode()) == [interface]
    assert text(interface).startswith(interface.name)
    found = grammar.validate(data, root_type="interface")
    assert found.valid, found.diagnostics


@cases(BAD)
def test_bad_metadata_is_refused(vector: dict[str, Any], grammar: Validator) -> None:
    with pytest.raises(MetadataError) as refused:
        decode(raw(vector))
    assert refused.value.clause in (vector["clause"], *vector.get("or", ()))
    with pytest.raises(MetadataError):
        decode_all(raw(vector))
    if vector["name"] == "bad.depth.100":
        return  # deeper than the validator goes
    beyond = (
        any(fnmatchcase(vector["name"], pattern) for pattern in BEYOND_GRAMMAR) and vector["name"] not in BUT
    )
    assert grammar.validate(raw(vector), root_type="interface").valid == beyond


def test_the_example_is_the_vector() -> None:
    (block,) = re.findall(r"```hex\n(.*?)```", PAGE, re.DOTALL)
    data = bytes.fromhex("".join(line.partition("#")[0] for line in block.splitlines()))
    (vector,) = [vector for vector in GOOD if vector["name"] == "invoices"]
    assert data == raw(vector)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert text(decode(data)) == shown
