"""What the pages on the audit log say is so, and their programs run."""

# ruff: noqa: ASYNC240 - nothing else runs beside these tests

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from graftwire.gateway.audit.chain import START, RecordLine, Resumed, digest, encode
from graftwire.gateway.audit.record import Decision, LinkRecord, Record
from graftwire.gateway.security.plugins import AuditSink

from .conftest import record, write

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "reference" / "audit.md").read_text()
SINK = (DOCS / "how-to" / "write-an-audit-sink.md").read_text()


def section(name: str) -> str:
    return PAGE.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]


def block(page: str, language: str) -> str:
    return page.split(f"```{language}\n", 2)[1].split("```", 1)[0]


def fields(name: str) -> list[str]:
    """The names in the first column of the table of a section."""
    rows = re.findall(r"^\| (`[^|]+) \|", section(name), re.MULTILINE)
    return [field for row in rows for field in re.findall(r"`(\w+)`", row)]


def test_every_field_is_on_the_page() -> None:
    assert fields("Fields of a record") == ["n", "prev", *Record.__struct_fields__]
    assert fields("Fields of `link`") == list(LinkRecord.__struct_fields__)
    assert fields("A write that was cut short") == ["n", "prev", *Resumed.__struct_fields__]


def test_the_types_on_the_page_are_those_of_the_fields() -> None:
    names = {"text": str, "integer": int, "number": float, "null": None, "true": bool, "false": bool}
    there = {
        "Fields of a record": json.loads(encode(START, record())),
        "Fields of `link`": msgspec.to_builtins(record().link),
    }
    for name, values in there.items():
        rows = re.findall(r"^\| `(\w+)` \| ([a-z, ]+) \|", section(name), re.MULTILINE)
        assert [field for field, _ in rows] == list(values)
        for field, types in rows:
            value = values[field]
            allowed = [names.get(word, dict) for word in types.split(", ")]
            assert (None if value is None else type(value)) in allowed, field


def test_the_record_on_the_page_is_one() -> None:
    line = block(PAGE, "json")
    msgspec.json.decode(line, type=RecordLine)
    told = json.loads(line)
    assert list(told) == ["n", "prev", *Record.__struct_fields__]
    assert list(told["link"]) == list(LinkRecord.__struct_fields__)


def by_hand(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", block(PAGE, "python"), *paths],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_the_check_by_hand(path: Path) -> None:
    await write(path, 8, rotate_at=2000)
    path.write_bytes(path.read_bytes()[:-70])  # torn
    await write(path, 5, rotate_at=5000)
    files = [*sorted(path.parent.glob("audit.jsonl.*")), path]
    assert len(files) > 2
    last = path.read_bytes().splitlines()[-1]
    assert by_hand(*files).stdout == f"{json.loads(last)['n']} {digest(last)}\n"
    for file in files:
        whole = file.read_bytes()
        file.write_bytes(whole.replace(b"alice", b"mallo", 1))
        assert "AssertionError" in by_hand(*files).stderr
        file.write_bytes(whole)
    assert by_hand(*files).returncode == 0


@pytest.mark.external("sha256sum")
async def test_a_link_with_the_tools_of_a_shell(path: Path) -> None:
    await write(path, 3)
    done = await trio.run_process(["sh", "-c", block(PAGE, "sh")], cwd=path.parent, capture_stdout=True)
    assert done.stdout.split()[0].decode() == json.loads(path.read_bytes().splitlines()[2])["prev"]


async def test_the_sink_of_its_page(tmp_path: Path) -> None:
    program = block(SINK, "python").replace("trio.run(main)\n", "")
    space: dict[str, Any] = {}
    exec(program, space)  # noqa: S102 - a page of our own
    path = str(tmp_path / "audit.sqlite")
    sink: AuditSink = space["Database"](path)
    assert sink.label == "database"
    async with trio.open_nursery() as nursery:
        for call in range(20):
            nursery.start_soon(sink.write, record(call))
    refused = msgspec.structs.replace(record(20), decision=Decision.REFUSED, identity=None)
    await sink.write(refused)
    await sink.aclose()
    with pytest.raises(sqlite3.ProgrammingError):
        await sink.write(refused)
    database = sqlite3.connect(path)
    rows = database.execute("SELECT decision, who, record FROM audit").fetchall()
    database.close()
    assert sorted(row[0] for row in rows) == ["allowed"] * 20 + ["refused"]
    assert {msgspec.json.decode(row[2], type=Record).call for row in rows} == set(range(21))
