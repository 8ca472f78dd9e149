"""`graftwire demo`: everything that it promises to show, at every width, and that it notices what is wrong."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import graftwire
from graftwire.cli import demo_calls, demo_trust, main
from graftwire.cli.demo_calls import KINDS, NotAsExpected
from graftwire.cli.demo_track import Track

from .conftest import PATIENCE, Here, running

TRANSPORTS = ["tcp", "tls", "ws", "wss"]
LEAST = 6 + 2 + 1 + 20  # calls: one of each kind, two callbacks, one before the measure, a batch in it


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure no longer than it takes to have something to show."""
    monkeypatch.setattr(demo_calls, "BUDGET", 0.0)
    monkeypatch.setattr(demo_calls, "WARM_UP", 1)
    monkeypatch.setattr(demo_calls, "BATCH", 20)


def test_it_shows_the_calls_the_times_and_the_frames(here: Here) -> None:
    done = here("demo")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "One gateway, four transports  a call of each kind, then one call after the other"
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert cells[0] == ["transport", *KINDS, "calls", "median", "p99"]
    assert [row[0] for row in cells[1:]] == TRANSPORTS
    for row in cells[1:]:
        assert row[1:7] == ["✓"] * 6
        assert int(row[7]) >= LEAST
        for time in row[8:]:
            assert re.fullmatch(r"\d+ µs|\d+\.\d\d ms", time)


def _steps(lines: list[str]) -> dict[str, list[str]]:
    """The transcript: the lines of each step, as words."""
    start = next(i for i, line in enumerate(lines) if line.startswith("step "))
    steps: dict[str, list[str]] = {}
    step = ""
    for line in lines[start + 1 :]:
        if not line.strip():
            break
        step = line[:9].strip() or step
        steps.setdefault(step, []).append(" ".join(line[9:].split()))
    return steps


def test_it_shows_a_transcript_of_the_frames(here: Here) -> None:
    lines = here("demo").out.splitlines()
    heading = next(line for line in lines if line.startswith("What crossed "))
    assert re.fullmatch(
        r"What crossed tcp://127\.0\.0\.1:\d+  → from the caller  ← from the gateway", heading
    )
    steps = _steps(lines)
    deadline = steps.pop("deadline")
    assert steps == {
        "opening": ["→ HELLO 41 version 1", "← HELLO 41 version 1"],
        "unary": [
            "→ CALL 1 34 Invoices.total unary, body 8 bytes",
            "← RESULT 1 16 Invoices.total body 8 bytes",
        ],
        "stream": [
            "→ CALL 3 31 Invoices.of server stream, body 8 bytes",
            "← ITEM 3 71 Invoices.of body 62 bytes",
            "← ITEM 3 69 Invoices.of body 60 bytes",
            "← RESULT 3 9 Invoices.of body 1 byte",
        ],
        "callback": [
            "→ CALL 5 39 Invoices.remind unary, body 12 bytes",
            "← CALL 2 18 reference 1 unary, body 4 bytes",
            "→ RESULT 2 9 reference 1 body 1 byte",
            "← CALL 4 18 reference 1 unary, body 4 bytes",
            "→ RESULT 4 9 reference 1 body 1 byte",
            "← RELEASE 7 reference 1",
            "← RESULT 5 9 Invoices.remind body 1 byte",
        ],
        "cancel": [
            "→ CALL 7 29 Invoices.audit unary, body 3 bytes",
            "→ CANCEL 7 7 Invoices.audit",
            "← ERROR 7 9 Invoices.audit cancelled",
        ],
        "exception": [
            "→ CALL 11 28 Invoices.pay unary, body 4 bytes",
            "← ERROR 11 50 Invoices.pay application, body 40 bytes",
        ],
    }
    # both sides watch over the deadline: which of them is first is not said
    assert re.fullmatch(
        r"→ CALL 9 \d+ Invoices\.audit unary, (100|\d\d?) ms left, body 3 bytes", deadline.pop(0)
    )
    cancelled = "→ CANCEL 9 7 Invoices.audit" in deadline
    [answer] = set(deadline) - {"→ CANCEL 9 7 Invoices.audit"}
    assert answer == "← ERROR 9 9 Invoices.audit deadline-exceeded" or (
        cancelled and answer == "← ERROR 9 9 Invoices.audit cancelled"
    )

    # the line below counts them
    [found] = re.findall(
        r"^([\d,]+) frames, [\d,]+ bytes, each one decoded\. Credentials found in them: 0$",
        "\n".join(lines),
        re.MULTILINE,
    )
    assert int(found.replace(",", "")) > 4 * 2 * LEAST


def test_it_shows_who_may_call_what(here: Here) -> None:
    """A call that is allowed, one that is refused, and what the audit log says of both."""
    out = here("demo").out
    lines = [line.rstrip() for line in out[out.index("Who may call what") :].splitlines()]
    assert lines[:5] == [
        "Who may call what  over tls, with an API key, role rules and an audit log",
        '→ Invoices.total("ACME") 1280.50',
        "→ Invoices.pay(1)        Denied: the caller may not call this",
        "",
        "What the audit log says  who wanted what, how it was decided, and why",
    ]
    rows = [re.sub(r"^\d\d:\d\d:\d\d\.\d+", "TIME", " ".join(line.split())) for line in lines[5:9]]
    assert rows == [
        "time target identity decision plugin reason",
        "TIME authentication billing allowed api-keys",
        "TIME Invoices.total billing allowed roles rule Invoices.total: role clerk",
        "TIME Invoices.pay billing refused roles rule Invoices.pay wants a role out of: manager",
    ]
    assert lines[9:11] == ["", "3 lines in 1 file, numbers 1 to 3: intact"]
    assert re.fullmatch("last hash [0-9a-f]{64}", lines[11])
    assert re.fullmatch(
        r"\d+ frames, \d+ bytes\. Credentials found in them: 1, in AUTH and nowhere else", lines[12]
    )
    assert len(lines) == 13


def test_the_same_as_json(here: Here) -> None:
    done = here("demo", "--json")
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert told.keys() == {"transports", "frames", "bytes", "credentials", "trust"}
    assert [one["transport"] for one in told["transports"]] == TRANSPORTS
    for one in told["transports"]:
        assert one["kinds"] == list(KINDS)
        assert one["calls"] >= LEAST
        assert 0 < one["median_us"] <= one["p99_us"]
    assert told["frames"] == sum(one["frames"] for one in told["transports"])
    assert told["bytes"] == sum(one["bytes"] for one in told["transports"])
    assert told["credentials"] == 0
    trust = told["trust"]
    assert (trust["transport"], trust["credentials"]) == ("tls", 1)
    assert trust["outcomes"] == {
        'Invoices.total("ACME")': "1280.50",
        "Invoices.pay(1)": "Denied: the caller may not call this",
    }
    assert [record["n"] for record in trust["records"]] == [1, 2, 3]
    assert [record["decision"] for record in trust["records"]] == ["allowed", "allowed", "refused"]
    assert (trust["verify"]["intact"], trust["verify"]["lines"]) == (True, 3)
    assert re.fullmatch("[0-9a-f]{64}", trust["verify"]["hash"])
    assert all(
        list(record) == ["n", "prev", *graftwire.Record.__struct_fields__] for record in trust["records"]
    )


# --- on terminals --------------------------------------------------------------------------------------------------


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> Iterator[list[bytes]]:
    """Standard output is a terminal so wide; gives what was written to it, once it is closed."""
    ours, theirs = pty.openpty()
    written: list[bytes] = []

    def drain() -> None:
        with suppress(OSError):  # how the end of a terminal looks on Linux
            while data := os.read(ours, 65_536):
                written.append(data)

    reader = threading.Thread(target=drain)
    reader.start()
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    with open(theirs, "w", encoding="utf-8") as out, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        yield written
    reader.join(PATIENCE)
    os.close(ours)


@pytest.mark.parametrize("columns", [104, 80, 45])
def test_it_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    with terminal(monkeypatch, columns) as written:
        assert main(["demo"]) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(written).decode()).replace("\r", "")
    lines = [line.rstrip() for line in text[text.rindex("╭") :].splitlines()]
    trust = next(number for number, line in enumerate(lines) if line.startswith("Who may call what"))
    assert [line[:8] for line in lines[trust:] if "last hash" in line] == ["last has"]
    assert max(map(len, lines)) <= columns
    rows = [line for line in lines if line.startswith("│")]
    assert [row.split("│")[1].strip() for row in rows] == ["transport", *TRANSPORTS]
    assert "…" not in "".join(rows)
    assert re.search(r"median │ +p99 │$", rows[0])
    assert all(re.search(r"(µs|ms) │ +[\d.]+ (µs|ms) │$", row) for row in rows[1:])
    assert ("deadline" in rows[0]) == (columns == 104)


def test_output_that_has_only_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
        assert main(["demo"]) == 0
        told = raw.getvalue().decode("ascii")
    assert len(re.findall(r"\| +\+ +(?=\|)", told)) == 4 * 6
    assert "-> CALL" in told
    assert re.search(r"\d us|\d ms", told)


# --- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_call_that_does_not_do_what_it_should(
    here: Here, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    async def wrong(*_: object) -> None:
        raise NotAsExpected

    monkeypatch.setitem(KINDS, kind, wrong)
    done = here("demo", "--json")
    assert (done.code, done.out) == (1, "")
    told = json.loads(done.err)["error"]
    assert told == {
        "kind": "demo",
        "sentence": f"over tcp, the call of kind {kind} did not do what it should",
    }


def test_a_byte_that_does_not_belong_there(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Track.record

    def one_more(track: Track, came: bool, data: bytes) -> None:
        record(track, came, b"\xff" + data if track.transport == "tls" else data)

    monkeypatch.setattr(Track, "record", one_more)
    done = here("demo")
    assert (done.code, done.sentence) == (1, "over tls, frame 1 breaks FRAME-2")


@pytest.mark.parametrize("what", ["a call", "the log", "the slot"])
def test_decisions_that_are_not_what_they_should_be(
    here: Here, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    if what == "a call":
        monkeypatch.setattr(demo_trust, "RULES", {"*": "clerk"})
    elif what == "the log":
        monkeypatch.setattr(demo_trust, "_contents", lambda name: b"")
    else:
        record = Track.record

        def twice(track: Track, came: bool, data: bytes) -> None:
            record(track, came, data)
            if b"gw_" in data:
                record(track, came, data)

        monkeypatch.setattr(Track, "record", twice)
    done = here("demo", "--json")
    assert (done.code, done.out) == (1, "")
    assert json.loads(done.err)["error"] == {
        "kind": "demo",
        "sentence": "with an API key, the decisions and what was written of them were not what they should be",
    }


def test_it_leaves_nothing_behind(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert here("demo", "--json").code == 0
    assert list(tmp_path.iterdir()) == []


def test_without_what_makes_the_certificates(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    done = here("demo")
    assert (done.code, done.out) == (2, "")
    assert done.sentence == 'the demo makes certificates with trustme; run: pip install "graftwire[cli]"'


def test_an_interruption_is_quiet(shop: Path) -> None:
    with running("demo", cwd=shop) as demo:
        assert demo.line().startswith("One gateway, four transports")
        done = demo.stop(signal.SIGINT)
    assert (done.code, done.out, done.err) == (130, "", "")
