"""`graftwire audit verify`: what it says of a log, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from graftwire.gateway.audit.chain import digest
from graftwire.gateway.audit.file import AuditFile
from graftwire.gateway.audit.record import Decision, Event, LinkRecord, Record
from graftwire.gateway.audit.verify import Kind

from .conftest import Here, command
from .test_documentation import section


def write(path: Path, count: int, *, size: int = 10, rotate_at: int | None = None) -> list[bytes]:
    """A log of so many records; gives its lines."""
    link = LinkRecord(transport="tcp", peer="127.0.0.1:50123", local="127.0.0.1:7400")

    async def fill() -> None:
        log = AuditFile(path, rotate_at=rotate_at)
        for call in range(count):
            record = Record(
                time=datetime(2026, 11, 23, 10, tzinfo=UTC),
                event=Event.CALL,
                decision=Decision.REFUSED,
                session="0123456789abcdef",
                call=call,
                target="Invoices.total",
                link=link,
                scheme=None,
                issuer=None,
                identity=None,
                code="denied",
                plugin="roles",
                reason="x" * size,
                duration=0.001,
            )
            await log.write(record)
        await log.aclose()

    trio.run(fill)
    return path.read_bytes().splitlines()


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: Here) -> list[bytes]:
    """A log of three lines, audit.jsonl in the working directory."""
    monkeypatch.chdir(tmp_path)
    return write(Path("audit.jsonl"), 3)


def test_an_intact_log(here: Here, log: list[bytes]) -> None:
    done = here("audit", "verify", "audit.jsonl")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"3 lines in 1 file, numbers 1 to 3: intact\nlast hash {digest(log[2])}\n"


def test_a_broken_log(here: Here, log: list[bytes]) -> None:
    Path("audit.jsonl").write_bytes(
        b"\n".join([log[0].replace(b"denied", b"secret"), b"secret", *log[1:], b""])
    )
    done = here("audit", "verify", "audit.jsonl")
    assert done.code == 1
    assert done.out.splitlines() == [
        "audit.jsonl line 2: no-line: it is no line of an audit log: changed, or inserted",
        "4 lines in 1 file, numbers 1 to 3: broken",
        f"last hash {digest(log[2])}",
    ]
    assert (
        done.sentence
        == "the audit log is broken: audit.jsonl line 2: it is no line of an audit log: changed, or inserted"
    )


def test_a_log_that_is_missing_its_end(here: Here, log: list[bytes]) -> None:
    Path("audit.jsonl").write_bytes(b"\n".join([*log[:2], b""]))
    assert here("audit", "verify", "audit.jsonl").code == 0
    done = here("audit", "verify", "audit.jsonl", "--expect", digest(log[2]))
    why = (
        "the line with the expected hash is not there: it was changed, or removed from the end, or it is in a file "
        "that was not given"
    )
    assert (done.code, done.out.splitlines()[0], done.sentence) == (
        1,
        f"removed: {why}",
        f"the audit log is broken: {why}",
    )
    assert here("audit", "verify", "audit.jsonl", "--expect", digest(log[1])).code == 0


def test_json(here: Here, log: list[bytes]) -> None:
    done = here("audit", "verify", "--json", "audit.jsonl", "--expect", digest(log[0]))
    told = json.loads(done.out)
    assert done.code == 0
    assert told == {
        "files": ["audit.jsonl"],
        "lines": 3,
        "first": 1,
        "last": 3,
        "hash": digest(log[2]),
        "expected": 1,
        "intact": True,
        "problems": [],
        "notes": [],
        "more": 0,
    }


def test_a_broken_log_as_json(here: Here, log: list[bytes]) -> None:
    Path("audit.jsonl").write_bytes(b"\n".join([log[1], log[2], log[2][:20]]))
    done = here("audit", "verify", "--json", "audit.jsonl")
    assert done.code == 0
    told = json.loads(done.out)
    assert [(note["kind"], note["line"]) for note in told["notes"]] == [("begins-later", 1), ("torn", 3)]
    Path("audit.jsonl").write_bytes(b"\n".join([log[0], log[2], b""]))
    done = here("audit", "verify", "--json", "audit.jsonl")
    assert done.code == 1
    (problem,) = json.loads(done.out)["problems"]
    text = "number 2 is missing before it: removed, or in a file that was not given"
    assert problem == {"kind": "removed", "text": text, "file": "audit.jsonl", "line": 2}
    assert json.loads(done.err) == {
        "error": {"kind": "audit", "sentence": f"the audit log is broken: audit.jsonl line 2: {text}"}
    }


def test_many_problems_are_counted(here: Here, log: list[bytes]) -> None:
    Path("audit.jsonl").write_bytes(b"\n".join([*(log[:1] * 150), b""]))
    done = here("audit", "verify", "audit.jsonl")
    assert done.out.splitlines()[100:] == [
        "and 49 problems more",
        "150 lines in 1 file, numbers 1 to 1: broken",
        f"last hash {digest(log[0])}",
    ]
    assert done.sentence.endswith(" (and 148 more)")


def test_an_empty_log(here: Here, log: list[bytes]) -> None:
    Path("empty").touch()
    done = here("audit", "verify", "empty")
    assert (done.code, done.out) == (0, "0 lines in 1 file: empty, so nothing is checked\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "missing argument 'FILE'; see graftwire audit verify --help"),
        (["--expect"], "option '--expect' requires an argument; see graftwire audit verify --help"),
        (["--bananas", "audit.jsonl"], "no such option: --bananas; see graftwire audit verify --help"),
        (["none"], "the file none can't be read: no such file or directory; give the files of an audit log"),
        (["audit.jsonl", "/dev/null"], "/dev/null is no regular file; give the files of an audit log"),
        (["."], ". is no regular file; give the files of an audit log"),
        (
            ["audit.jsonl", "--expect", "secret"],
            "the expected hash is none: give the 64 hex digits of the last line, as an earlier check showed them",
        ),
    ],
)
def test_mistakes(here: Here, log: list[bytes], arguments: list[str], sentence: str) -> None:
    done = here("audit", "verify", *arguments)
    assert (done.code, done.out, done.sentence) == (2, "", sentence)


def test_the_group_shows_its_commands(here: Here) -> None:
    for arguments in ((), ("--help",), ("-h",)):
        done = here("audit", *arguments)
        assert (done.code, done.err) == (0, "")
        assert " verify " in done.out
    done = here("audit", "bananas")
    assert (done.code, done.sentence) == (2, "no such command 'bananas'; see graftwire audit --help")


def test_a_large_log_shows_how_far_it_is_on_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 80, size=900_000)
    terminal, theirs = pty.openpty()
    with subprocess.Popen(
        command(["audit", "verify", str(path)]), stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(terminal, 65_536):
                shown += data
        except OSError:  # how a terminal of Linux ends
            pass
        os.close(terminal)
        assert process.stdout is not None
        out = process.stdout.read()
        assert process.wait(60) == 0
    assert b"checking" in shown
    assert out.startswith(b"80 lines in 1 file, numbers 1 to 80: intact\n")


def test_a_small_log_shows_no_progress(here: Here, log: list[bytes]) -> None:
    assert here("audit", "verify", "audit.jsonl").err == ""


def test_the_example_of_the_page(here: Here, log: list[bytes]) -> None:
    (block,) = re.findall(r"```console\n(.*?)```", section("graftwire audit verify"), re.DOTALL)
    run = 0
    for example in re.split(r"^\$ ", block.replace("LAST", digest(log[2])), flags=re.MULTILINE)[1:]:
        line, expected = example.split("\n", 1)
        if line.startswith("sed "):
            Path("audit.jsonl").write_bytes(b"\n".join([log[0], log[2], b""]))
            continue
        done = here(*shlex.split(line)[1:])
        assert done.out + done.err == expected
        run += 1
    assert run == 3


def test_the_kinds_of_the_page() -> None:
    told = re.findall(r"^\| `([a-z][a-z-]+)` \|", section("graftwire audit verify"), re.MULTILINE)
    assert told == list(Kind)
