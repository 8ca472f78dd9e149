"""The standard is whole in itself, its examples are right, and the code names no clause that it does not have."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cddl_verifier import Validator

from graftwire.protocol import frames
from graftwire.protocol.errors import MEANINGS, ErrorCode
from graftwire.protocol.limits import RANGES, Limits

ROOT = Path(__file__).resolve().parents[2]
STANDARD = (ROOT / "spec" / "PROTOCOL.md").read_text(encoding="utf-8")
GRAMMAR = ROOT / "spec" / "frames.cddl"

FAMILIES = (
    "FRAME", "HEAD", "HELLO", "AUTH", "CALL", "STREAM", "CREDIT", "CANCEL", "CTX", "REF", "KEEP", "LEAVE", "ERR",
    "VAL", "ORDER", "LINK", "WS", "DESCRIBE",
)  # fmt: skip
# What looks like a clause in the code and is something else.
OTHER_WORDS = {"UTF-8", "SHA-256", "ISO-8601", "P-256", "P-384", "P-521"}

# Printed so in the standard.
MINUS, NONE = "\N{MINUS SIGN}", "\N{EN DASH}"

_NUMBERED = re.compile(rf"\b(?:{'|'.join(FAMILIES)})-\d+\b")
_CLAUSE = re.compile(r"^\*\*\[([A-Z]+-\d+)\]\*\* ((?:.+\n)+)", re.MULTILINE)
_WORDS = re.compile(r"\b(?:MUST|SHOULD|MAY)\b")

CLAUSES = _CLAUSE.findall(STANDARD)
IDS = [id for id, _ in CLAUSES]
# The clauses of the page on metadata, which test_metadata.py looks at.
OTHERS = [id for id, _ in _CLAUSE.findall((ROOT / "spec" / "METADATA.md").read_text(encoding="utf-8"))]


def sources() -> Iterator[Path]:
    """The modules that may name clauses."""
    for folder in ("api", "protocol", "transport", "gateway"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def named_in(path: Path) -> Iterator[tuple[int, str]]:
    """Each clause that a module's literals and comments name, with its line; and literals that look like one."""
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        for id in _NUMBERED.findall(line):
            yield number, id
    for node in ast.walk(ast.parse(text, str(path))):
        literal = node.value if isinstance(node, ast.Constant) else None
        if isinstance(literal, str) and re.fullmatch(r"[A-Z]+-\d+", literal) and literal not in OTHER_WORDS:
            yield node.lineno, literal


# --- clauses ------------------------------------------------------------------------------------------------


def test_there_are_clauses_of_every_family() -> None:
    assert {id.partition("-")[0] for id in IDS} == set(FAMILIES)


def test_every_clause_stands_once() -> None:
    assert sorted(IDS) == sorted(set(IDS))
    assert len(IDS) == len(re.findall(r"\*\*\[[A-Z]+-\d+\]\*\*", STANDARD)), "a clause begins a paragraph"


@pytest.mark.parametrize("family", FAMILIES)
def test_numbers_have_no_gaps(family: str) -> None:
    numbers = sorted(int(id.partition("-")[2]) for id in IDS if id.startswith(f"{family}-"))
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(("id", "text"), CLAUSES, ids=IDS)
def test_a_clause_says_what_must_be_and_what_happens_otherwise(id: str, text: str) -> None:
    assert _WORDS.search(text), f"{id} has neither MUST nor SHOULD nor MAY"
    assert re.search(r"\bViolation\b", text), f"{id} does not say what happens when it is broken"


def test_what_the_standard_refers_to_is_there() -> None:
    assert set(_NUMBERED.findall(STANDARD)) <= set(IDS)


@pytest.mark.parametrize("name", ["frames.cddl", "VERSIONS.md", "DECISIONS.md"])
def test_what_its_companions_refer_to_is_there(name: str) -> None:
    assert set(_NUMBERED.findall((ROOT / "spec" / name).read_text(encoding="utf-8"))) <= set(IDS)


def test_the_code_names_no_other_clause() -> None:
    unknown = [
        f"{path.relative_to(ROOT)}:{line}: {id}"
        for path in sources()
        for line, id in named_in(path)
        if id not in IDS and id not in OTHERS
    ]
    assert not unknown, "the standard has no such clause: " + ", ".join(unknown)


def test_the_search_finds_clauses(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        'raise Broken("NOPE-1", "text (FRAME-99)")  # as CALL-7 says, in UTF-8\n', encoding="utf-8"
    )
    assert sorted(named_in(module)) == [(1, "CALL-7"), (1, "FRAME-99"), (1, "NOPE-1")]


# --- tables -------------------------------------------------------------------------------------------------


def rows(heading: str) -> list[list[str]]:
    """The cells of the tables between `heading` and the next heading of its level."""
    level = heading.partition(" ")[0]
    section = STANDARD.partition(f"\n{heading}")[2]
    section = re.split(rf"\n#{{2,{len(level)}}} ", section)[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|") and not line.startswith("| ---")
    ]


def number(cell: str) -> int:
    """`65,536` or `2^31-1` (with the minus sign of print) as an integer."""
    power = re.fullmatch(rf"2\^(\d+){MINUS}1", cell)
    return 2 ** int(power[1]) - 1 if power else int(cell.replace(",", ""))


def test_the_table_of_limits_is_the_one_of_the_code() -> None:
    table = [row for row in rows("## 15 Limits") if row[0] in "123456"]
    assert [(number(row[3]), number(row[4])) for row in table] == list(RANGES)
    assert tuple(number(row[5]) for row in table) == Limits().as_tuple()


def test_the_table_of_errors_is_the_one_of_the_code() -> None:
    table = [row for row in rows("## 11 Errors") if row[0].isdigit()]
    assert [(int(row[0]), row[1]) for row in table] == [(code.value, code.label) for code in ErrorCode]
    assert {ErrorCode(int(row[0])) for row in table} == set(MEANINGS)
    with_body = {ErrorCode(int(row[0])) for row in table if row[3] not in ("null", NONE)}
    assert with_body == frames.WITH_BODY


def test_the_table_of_kinds_is_the_one_of_the_code() -> None:
    table = [row for row in rows("### 4.2 The kinds") if row[0].isdigit()]
    kinds = {frame.kind: frame.__name__.upper() for frame in frames.Frame.__args__}
    assert {int(row[0]): row[1] for row in table if row[1] != NONE} == kinds


# --- examples -----------------------------------------------------------------------------------------------

EXAMPLES = [
    bytes.fromhex(line.replace("…", ""))
    for block in re.findall(r"```hex\n(.*?)```", STANDARD, re.DOTALL)
    for line in block.strip().splitlines()
]


@pytest.fixture(scope="module")
def grammar() -> Validator:
    return Validator(GRAMMAR)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 15


@pytest.mark.parametrize("example", EXAMPLES, ids=[example[4:12].hex() for example in EXAMPLES])
def test_an_example_is_a_frame(example: bytes, grammar: Validator) -> None:
    assert int.from_bytes(example[:4], "big") == len(example) - 4
    assert frames.encode(frames.decode(example[4:])) == example
    for rule in ("frame", "whole-frame"):
        found = grammar.validate(example[4:], root_type=rule)
        assert found.valid, [str(fault) for fault in found.diagnostics]


def test_the_bytes_of_values_are_values(grammar: Validator) -> None:
    table = [row for row in rows("## 16 Values") if len(row) == 4 and "`" in row[3]]
    assert len(table) == 18
    for row in table:
        for code in re.findall(r"`([0-9a-f]+)`", row[3]):
            found = grammar.validate(bytes.fromhex(code), root_type="value")
            assert found.valid, (row[0], [str(fault) for fault in found.diagnostics])


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ("frame", "820405"),  # the reserved kind
        ("frame", "81"),
        ("frame", "83070100"),
        ("frame", "84070100f6"),  # an ERROR of code 0
        ("frame", "840701 06 f6"),  # without the body that it needs
        ("frame", "8305 01 00"),
        ("context", "a0"),
        ("context", "a1036161"),  # a tracestate without a traceparent
        ("context", "a2010504 01"),
        ("whole-frame", "83090141ff"),  # a body that is no item
        ("body-call", "80"),
        ("value", "f7"),
        ("value", "c11a00000000"),
        ("value", "fa3fc00000"),
        ("value", "a201f66161f6"),  # two kinds of keys
    ],
)
def test_the_grammar_refuses(rule: str, wrong: str, grammar: Validator) -> None:
    assert not grammar.validate(bytes.fromhex(wrong), root_type=rule).valid
