"""`graftwire conform`: its options, what it prints, how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from graftwire.conformance.reports import NAMES
from graftwire.conformance.reports.tally import SYMBOLS, State
from graftwire.conformance.scanning import Scanner

from .conftest import Here, command, running

TARGET = ("--", sys.executable, "-m", "graftwire.conformance.reference")
ONE = ("conform", "--case", "call.unary", "--link", "tcp", "--role", "acceptor")


def test_it_passes(here: Here) -> None:
    done = here(*ONE, *TARGET)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("Graftwire conformance of graftwire reference (")
    assert "cases that passed wherever they were played: 1 of 1 MUST" in lines
    assert lines[-1].startswith("Conforms in everything that was played (exit code 0: ")


def test_a_peer_that_runs_is_attached_to(here: Here) -> None:
    done = here("conform", "--case", "call.unary", "tcp://127.0.0.1:1")
    assert done.code == 1
    assert "nothing takes connections there: connection refused\n" in done.out


HOSTED = """
from graftwire.conformance.reference.service import Counters, make_service

conformance = make_service(Counters(), {})
"""
# a case or two of each reason why something is played or not
ATTACHED = (
    "call.unary",
    "frame.length.zero",
    "hidden.canary.default",
    "keep.idle*",
    "resource.*",
    "stream.server.*",
)


def attached(here: Here, url: str, path: Path, *more: str) -> dict[str, dict[str, object]]:
    """What became of each case at a peer that runs, by id; the exit code has to be 0."""
    cases = [word for each in ATTACHED for word in ("--case", each)]
    done = here("conform", *cases, "--jsonl", str(path), *more, url)
    assert (done.code, done.err) == (0, ""), done.out
    lines = [json.loads(each) for each in path.read_text().splitlines()]
    assert lines[0]["targets"] == (["it"] if "--implements" in more else [url])
    return {each["case"]: each for each in lines[1:-1]}


@pytest.mark.parametrize("scheme", ["tcp", "ws"])
def test_a_gateway_that_runs(here: Here, tmp_path: Path, scheme: str) -> None:
    """What it is not asked to be is not implemented, and what is played passes; also when it has seen a run before."""
    (tmp_path / "hosted.py").write_text(HOSTED)
    (tmp_path / "implements").write_text('{"name": "it", "implements": ["client-streams"]}')
    arguments = ("serve", "Conformance=hosted:conformance", "--auth", "anonymous")
    with running(*arguments, "--listen", f"{scheme}://127.0.0.1:0", cwd=tmp_path) as served:
        url = served.address()
        for _ in range(2):
            found = attached(here, url, tmp_path / "jsonl")
            assert {each["verdict"] for each in found.values()} == {"passed", "not-implemented"}
            for name in ("call.unary", "frame.length.zero", "stream.server.empty"):
                assert found[name]["verdict"] == "passed", found[name]
        told = {each["detail"] for each in found.values() if each["verdict"] != "passed"}
        assert told == {
            "it looks for what a target that the runner starts has planted",
            "it needs a target of its own",
            "it needs a target that the runner starts, in the setup hasty",
        }
        less = attached(here, url, tmp_path / "jsonl", "--implements", str(tmp_path / "implements"))
        assert less["stream.server.empty"]["detail"] == "the target does not implement server-streams"
        assert less["call.unary"]["verdict"] == "passed"


@pytest.mark.parametrize(
    ("security", "label"),
    [(("--auth", "anonymous"), "unknown-target"), (("--auth", "api-keys:keys"), "unauthenticated")],
)
def test_a_gateway_that_hosts_something_else(
    here: Here, shop: Path, tmp_path: Path, security: tuple[str, ...], label: str
) -> None:
    """What calls nothing is played all the same."""
    here("key", "new", "--file", str(shop / "keys"), "--subject", "somebody")
    more = ("--allow", "everyone", "--plain-proofs") if label == "unauthenticated" else ()
    with running("serve", "shop:Shop", "--listen", "tcp://127.0.0.1:0", *security, *more, cwd=shop) as served:
        found = attached(here, served.address(), tmp_path / "jsonl")
    assert found["frame.length.zero"]["verdict"] == "passed"
    assert found["call.unary"]["verdict"] == "not-implemented"
    told = f"it calls the interface Conformance, and the peer answers that with {label}"
    assert found["call.unary"]["detail"] == told
    assert {each["verdict"] for each in found.values()} == {"passed", "not-implemented"}


def test_as_json(here: Here) -> None:
    done = here(*ONE, "--json", *TARGET)
    told = json.loads(done.out)
    assert (told["passed"], told["failed"], told["exit"]) == (1, 0, 0)


def test_each_result_as_a_line(here: Here, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    assert here(*ONE, "--repeat", "2", "--jsonl", str(path), *TARGET).code == 0
    run, told, summary = map(json.loads, path.read_text().splitlines())
    assert (run["type"], run["planned"], summary["passed"]) == ("run", 1, 1)
    assert (told["case"], told["verdict"], told["plays"], told["passes"]) == ("call.unary", "passed", 2, 2)


def test_all_reports(here: Here, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = here(*ONE, "--report", str(tmp_path / "reports"), "--html", str(page), *TARGET)
    assert (done.code, done.err) == (0, "")
    assert {each.name for each in (tmp_path / "reports").iterdir()} == set(NAMES.values())
    assert page.read_bytes() == (tmp_path / "reports" / "report.html").read_bytes()
    assert done.out.splitlines()[-5:] == [
        f"wrote {page}",
        *(f"wrote {tmp_path / 'reports' / name}" for name in NAMES.values()),
    ]


def test_a_failure_is_said_and_how_to_play_it_again(here: Here, tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    done = here("conform", "--case", "call.unary", "--ca", "no ca", "--junit", str(path), "tcp://127.0.0.1:1")
    assert done.code == 1
    first, second, *_ = done.out.splitlines()
    assert first.startswith(f"{SYMBOLS[State.FAILED]} failed  call.unary acceptor tcp: ")
    assert second == "    MUST CALL-6; --case call.unary --role acceptor --link tcp"
    assert "--link tcp --ca 'no ca' tcp://127.0.0.1:1" in path.read_text(encoding="utf-8")


def test_reports_of_a_run_that_is_interrupted(tmp_path: Path) -> None:
    """What was played up to then is in them, and they say that it is not all."""
    with running("conform", "--report", str(tmp_path / "r"), "--jobs", "2", *TARGET, cwd=tmp_path) as run:
        while not list(Path(tmp_path).glob("r")):
            time.sleep(0.05)
        time.sleep(3)
        done = run.stop(signal.SIGINT)
    assert done.code == 130
    assert "Traceback" not in done.err
    assert "Not judged: the run is not complete (the run was interrupted)" in done.out
    summary = json.loads((tmp_path / "r" / "results.jsonl").read_text().splitlines()[-1])
    assert summary["partial"].startswith("the run was interrupted: ")
    assert "This report is partial." in (tmp_path / "r" / "report.html").read_text(encoding="utf-8")


def test_a_terminal_sees_how_far_it_is(tmp_path: Path) -> None:
    out = on_a_terminal(command([*ONE, *TARGET]), tmp_path, {"TERM": "xterm-256color"})
    assert "0 of 1" in out
    assert "call.unary acceptor tcp" in out
    assert "\x1b[32m" in out
    assert "Conforms in everything that was played" in out


def test_a_terminal_without_colours(tmp_path: Path) -> None:
    out = on_a_terminal(command([*ONE, *TARGET]), tmp_path, {"TERM": "xterm-256color", "NO_COLOR": "1"})
    assert "0 of 1" in out
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", out)


def test_a_dumb_terminal_gets_lines(tmp_path: Path) -> None:
    out = on_a_terminal(command([*ONE, *TARGET]), tmp_path, {"TERM": "dumb"})
    assert "\x1b" not in out
    assert out.splitlines()[0].startswith("Graftwire conformance of graftwire reference")


def on_a_terminal(words: list[str], folder: Path, environment: dict[str, str], code: int = 0) -> str:
    """Run a command, which has to end with this code, on a terminal of its own; all that it wrote there."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (30, 100))
    cleaned = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    process = subprocess.Popen(
        words, cwd=folder, stdin=its, stdout=its, stderr=its, env={**cleaned, **environment}
    )
    os.close(its)
    written = b""
    try:
        while data := os.read(ours, 65_536):
            written += data
    except OSError:  # nobody has the other end any more
        pass
    finally:
        os.close(ours)
    assert process.wait(60) == code
    return written.decode()


# An acceptor that answers PING with the canary that it was given, as it is and in base64, says it on standard error and
# dies of it. It leaves it in the file `canary`, too, for who wants to look for it.
LEAKING = """
import base64, json, os, socket, sys
json.loads(sys.stdin.readline())
canary = os.environ["CONFORMANCE_CANARY"].encode()
with open("canary", "wb") as file:
    file.write(canary)
server = socket.create_server(("127.0.0.1", 0))
url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
print(json.dumps({"ready": True, "name": "leaking", "listening": {"tcp": url}}), flush=True)
connection, _ = server.accept()
connection.recv(4096)
hello = "0000002583008101a6011a0040000002190400031a01000000041a00040000051a002000000619ea60"
connection.sendall(bytes.fromhex(hello))
while data := connection.recv(4096):
    if data[5:6] == b"\\x0c":  # PING
        for body in (b"\\x78\\x20" + canary, b"\\x78\\x2c" + base64.b64encode(canary)):
            frame = b"\\x83\\x06\\x01\\x58" + bytes([len(body)]) + body
            connection.sendall(len(frame).to_bytes(4, "big") + frame)
        break
sys.stderr.buffer.write(b"Traceback\\nLeaked: " + canary + b" \\x1b[31m" + base64.b64encode(canary) + b"\\n")
sys.stderr.flush()
os._exit(9)
"""


def test_a_leak_in_every_output(tmp_path: Path) -> None:
    """Session, frame, byte, field and encoding are named in each of them; the secret is in none."""
    (tmp_path / "leaking.py").write_text(LEAKING)
    arguments = ("conform", "--case", "keep.ping", "--link", "tcp", "--role", "acceptor", "--report", "r")
    words = command([*arguments, "--", sys.executable, "leaking.py"])
    shown = on_a_terminal(words, tmp_path, {"TERM": "xterm-256color", "COLUMNS": "100"}, code=1)
    canary = (tmp_path / "canary").read_bytes()
    outputs = {each.name: each.read_bytes() for each in (tmp_path / "r").iterdir()}
    assert set(outputs) == set(NAMES.values())
    outputs["terminal"] = shown.encode()
    scanner = Scanner({"it": canary, "spaced": canary.hex(" ").encode()})
    leak = "the canary environment leaks: the session of the case, frame 2, byte 11, in RESULT body, encoding: raw"
    last = "Leaked: [canary environment] \\x1b[31m[canary environment]"
    for name, data in outputs.items():
        assert scanner.scan(data) == [], name
        text = data.decode()
        if name == "results.jsonl":
            found = json.loads(text.splitlines()[1])
            assert found["last_words"].startswith(f"Traceback\n{last}")
            text = "\n".join((found["detail"], found["last_words"]))
        if name != "badge.svg":
            flat = " ".join(text.split())
            assert leak in flat, name
            assert "frame 3, byte 11, in RESULT body, encoding: base64" in flat, name
            assert last in flat, name
    for name in ("report.html", "junit.xml", "results.jsonl"):
        assert "(canary environment: hidden)" in outputs[name].decode(), name


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
        (
            ("ws://a:secret@localhost",),
            "a user name, a password, a query or a fragment has no place in a URL",
        ),
        (("memory:x",), "a peer to attach to has a URL that begins with"),
        (("http://localhost",), "a peer to attach to has a URL that begins with tcp, tls, ws, wss or unix"),
        (("--known-failures", "/no/where", *TARGET), "/no/where can't be read: no such file or directory"),
        (("--implements", "/no/where", *TARGET), "/no/where can't be read: no such file or directory"),
        (
            ("--jsonl", "/no/where/at", *TARGET),
            "/no/where/at can't be written: there is no directory /no/where",
        ),
        (("--html", "/", *TARGET), "--html needs a file, and / is a directory"),
        (("--report", "/dev/null", *TARGET), "/dev/null can't be a directory of reports: it is a file"),
        (
            ("--html", "x", "--junit", "x", *TARGET),
            "x is asked for twice; give each report a file of its own",
        ),
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
    assert " s: 1 not implemented\n" in done.out


def test_a_reference_that_nobody_speaks_to() -> None:
    command = [sys.executable, "-m", "graftwire.cli", "reference"]
    done = subprocess.run(
        command, input="nonsense\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "graftwire: the first line is no opening of the launch protocol\n"
