"""`graftwire conform`: its options, what it prints, how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Here

TARGET = ("--", sys.executable, "-m", "graftwire.conformance.reference")
ONE = ("conform", "--case", "call.unary", "--link", "tcp", "--role", "acceptor")


def test_it_passes(here: Here) -> None:
    done = here(*ONE, *TARGET)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("1 passed in ")


def test_a_peer_that_runs_is_attached_to(here: Here) -> None:
    done = here("conform", "--case", "call.unary", "tcp://127.0.0.1:1")
    assert done.code == 1
    assert "nothing takes connections there" in done.out or "a session that lives was due" in done.out


def test_as_json(here: Here) -> None:
    done = here(*ONE, "--json", *TARGET)
    told = json.loads(done.out)
    assert (told["passed"], told["failed"], told["exit"]) == (1, 0, 0)


def test_each_result_as_a_line(here: Here, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    assert here(*ONE, "--repeat", "2", "--jsonl", str(path), *TARGET).code == 0
    (line,) = path.read_text().splitlines()
    told = json.loads(line)
    assert (told["case"], told["verdict"], told["plays"], told["passes"]) == ("call.unary", "passed", 2, 2)
    assert told["transcript"]["frames"][0]["kind"] == "HELLO"


def test_a_known_failure_that_passes_fails_the_run(here: Here, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text("# why\ncall.unary acceptor tcp # it did not work in May\n")
    done = here(*ONE, "--known-failures", str(known), *TARGET)
    assert done.code == 3
    assert "passes, and is listed as a known failure" in done.out


def test_a_known_failure_that_fails_does_not(here: Here, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text("call.unary # nothing is there\n")
    done = here("conform", "--case", "call.unary", "--known-failures", str(known), "tcp://127.0.0.1:1")
    assert (done.code, done.err) == (0, "")


def test_a_known_failure_that_names_nothing(here: Here, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text("call.never # gone\n")
    done = here(*ONE, "--known-failures", str(known), *TARGET)
    assert done.code == 3
    assert "names call.never, which there is not" in done.out


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("call.unary\n", "line 1: write CASE [ROLE [LINK]] # reason"),
        ("call.unary # a\ncall.unary # b\n", "line 2: call.unary stands there twice"),
    ],
)
def test_a_list_that_can_not_be_understood(here: Here, tmp_path: Path, text: str, sentence: str) -> None:
    known = tmp_path / "known"
    known.write_text(text)
    done = here(*ONE, "--known-failures", str(known), *TARGET)
    assert done.code == 2
    assert sentence in done.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--case", "no.such", *TARGET), "there is no case no.such; graftwire conform --list shows them"),
        (("--chapter", "no", *TARGET), "there is no chapter no; there are framing,"),
        (("--link", "udp", *TARGET), "--link is one of tcp, tls, ws, wss, unix"),
        (("--role", "server", *TARGET), "--role is acceptor or initiator"),
        ((), "conform needs a URL, or -- and the command of a target"),
        (("memory:x",), "a peer to attach to has a URL that begins with"),
        (("http://localhost",), "a peer to attach to has a URL that begins with tcp, tls, ws, wss or unix"),
        (("--known-failures", "/no/where", *TARGET), "/no/where can't be read: no such file or directory"),
        (("--implements", "/no/where", *TARGET), "/no/where can't be read: no such file or directory"),
        (("--jsonl", "/no/where/at", *TARGET), "/no/where/at can't be written: no such file or directory"),
        (("--repeat", "x", *TARGET), "--repeat takes a whole number"),
    ],
)
def test_mistakes(here: Here, arguments: tuple[str, ...], sentence: str) -> None:
    done = here("conform", *arguments)
    assert done.code == 2, done.out + done.err
    assert sentence in done.err


def test_the_list(here: Here) -> None:
    done = here("conform", "--list", "--chapter", "calls", "--must-only")
    assert done.code == 0
    cells = [line.split("\t") for line in done.out.splitlines()]
    assert {each[1] for each in cells} == {"calls"}
    assert {len(each) for each in cells} == {7}


def test_the_bytes_of_a_case(here: Here) -> None:
    done = here("conform", "--print-only", "frame.length.one")
    assert done.code == 0
    assert "     bytes: 0000000180\n" in done.out
    assert done.out.endswith("then: the end of the session with GOAWAY code 12, within 5 s\n")


def test_what_is_not_implemented_is_not_failed(here: Here, tmp_path: Path) -> None:
    path = tmp_path / "implements.json"
    path.write_text('{"name": "small", "implements": ["server-streams"]}')
    arguments = ("conform", "--case", "call.unary", "--link", "tcp", "--role", "initiator")
    done = here(*arguments, "--implements", str(path), *TARGET)
    assert done.code == 0
    assert done.out.startswith("1 not-implemented in ")


def test_a_reference_that_nobody_speaks_to() -> None:
    command = [sys.executable, "-m", "graftwire.cli", "reference"]
    done = subprocess.run(
        command, input="nonsense\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "graftwire: the first line is no opening of the launch protocol\n"
