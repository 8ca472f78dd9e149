"""`graftwire inspect`: frames taken apart, the vectors of the standard first of all."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from graftwire.cli.notation import body_notation
from graftwire.cli.reading import Reader, Seen
from graftwire.protocol import frames
from graftwire.protocol.errors import ErrorCode
from graftwire.protocol.limits import Limits

from .conftest import Here, apart, command

VECTORS = Path(__file__).parents[2] / "spec" / "vectors"
HELLO = frames.encode(frames.Hello((1,), Limits()))
CALL = bytes.fromhex("00000019870501006e496e766f696365732e746f74616cf6f6438280a0")
RESULT = bytes.fromhex("0000000583060141f6")
BAD = bytes.fromhex("000000028004")  # an array of no elements

TOLD = [
    (
        "1  @0  41 bytes  [0 /HELLO/, [1] /versions/, {1: 4194304 /largest frame/, 2: 1024 /calls in flight/, "
        "3: 16777216 /unfinished body bytes/, 4: 262144 /stream credit/, 5: 2097152 /session credit/, "
        "6: 60000 /idle ms/}]"
    ),
    (
        '2  @41  29 bytes  [5 /CALL/, 1 /id/, 0 /unary/, "Invoices.total" /target/, null /context/, null /credential/, '
        "h'...' /body: 3 bytes/]"
    ),
    "3  @70  9 bytes  [6 /RESULT/, 1 /id/, h'...' /body: 1 byte/]",
    "3 frames, 79 bytes, credentials in them: 0",
]


def vectors(name: str) -> list[dict[str, Any]]:
    """The vectors of a file that hold any bytes."""
    found = json.loads((VECTORS / f"{name}.json").read_text())["vectors"]
    return [vector for vector in found if vector.get("hex")]


# --- where frames come from ----------------------------------------------------------------------------------------


def test_hex_on_the_command_line(here: Here) -> None:
    spaced = " ".join(f"{byte:02X}" for byte in HELLO + CALL + RESULT)
    done = here("inspect", "--hex", spaced)
    assert (done.code, done.out.splitlines(), done.err) == (0, TOLD, "")


@pytest.mark.parametrize("as_hex", [False, True])
def test_a_file_of_bytes_or_of_hex(here: Here, tmp_path: Path, as_hex: bool) -> None:
    file = tmp_path / "frames"
    data = HELLO + CALL + RESULT
    file.write_bytes(data.hex("\n", 16).encode() + b"\n" if as_hex else data)
    done = here("inspect", str(file))
    assert (done.code, done.out.splitlines()) == (0, TOLD)


@pytest.mark.parametrize(("arguments", "as_hex"), [([], False), (["-"], True)])
def test_standard_input(shop: Path, as_hex: bool, arguments: list[str]) -> None:
    data = HELLO + CALL + RESULT
    done = apart("inspect", *arguments, cwd=shop, stdin=data.hex().encode() if as_hex else data)
    assert (done.code, done.out.splitlines(), done.err) == (0, TOLD, "")


def test_frames_are_shown_as_they_come(shop: Path) -> None:
    with subprocess.Popen(
        command(["inspect"]), cwd=shop, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for part, lines in ((HELLO + CALL[:3], 1), (CALL[3:] + RESULT, 2)):
            process.stdin.write(part)
            process.stdin.flush()
            for _ in range(lines):
                assert process.stdout.readline()
        process.stdin.close()
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--hex", "00", "frames"], "--hex and a file exclude each other; give one of them"),
        (["--hex", "000"], "the input is not hex: it has an odd number of digits"),
        (["--hex", "secret"], "the input is not hex: there is something else among its digits"),
        (["--hex", ""], "there are no frames: the input is empty"),
        (
            ["00000003820c01"],
            "there is no file of that name; if these are the frames themselves, put --hex before them",
        ),
        (["/nowhere"], "the file /nowhere can't be read: no such file or directory"),
        (["/"], "the file / can't be read: is a directory"),
    ],
)
def test_what_can_not_be_read(here: Here, arguments: list[str], sentence: str) -> None:
    done = here("inspect", *arguments)
    assert (done.code, done.out, done.sentence) == (2, "", sentence)


def test_it_does_not_wait_for_a_person_to_type_frames(shop: Path) -> None:
    terminal, theirs = pty.openpty()
    try:
        ran = subprocess.run(
            command(["inspect"]), cwd=shop, stdin=theirs, capture_output=True, timeout=20, check=False
        )
    finally:
        os.close(terminal)
        os.close(theirs)
    assert ran.returncode == 2
    assert (
        ran.stderr
        == b"graftwire: there is nothing to inspect; give a file, --hex TEXT, or - for standard input\n"
    )


# --- what breaks the standard --------------------------------------------------------------------------------------


def test_a_bad_frame_is_named_and_the_rest_is_shown(here: Here) -> None:
    done = here("inspect", "--hex", (HELLO + BAD + RESULT + BAD).hex())
    assert done.code == 1
    assert done.out.splitlines()[1:] == [
        "2  @41  6 bytes  breaks FRAME-5: a frame has no kind",
        "3  @47  9 bytes  [6 /RESULT/, 1 /id/, h'...' /body: 1 byte/]",
        "4  @56  6 bytes  breaks FRAME-5: a frame has no kind",
        "4 frames, 62 bytes, credentials in them: 0",
    ]
    assert done.sentence == "frame 2 at byte 41 breaks FRAME-5: a frame has no kind (and 1 more)"


def test_input_that_is_something_else(here: Here) -> None:
    done = here("inspect", "--hex", b"GET / HTTP/1.1\r\n\r\n".hex())
    assert done.code == 1
    assert done.sentence == "frame 1 at byte 0 breaks FRAME-2: a frame's length is out of its range"


def test_a_frame_that_is_cut(here: Here) -> None:
    done = here("inspect", "--hex", (HELLO + CALL[:-1]).hex())
    assert done.code == 1
    assert done.sentence == "frame 2 at byte 41 breaks FRAME-8: the input ends inside a frame"


def test_a_body_is_judged_where_it_is_shown(here: Here) -> None:
    bad = frames.encode(frames.Result(1, b"\x1c"))
    assert here("inspect", "--hex", bad.hex()).code == 0
    done = here("inspect", "--hex", bad.hex(), "--bodies")
    assert done.code == 1
    assert "[6 /RESULT/, 1 /id/, h'1c' /body: 1 byte/]  breaks VAL-1: its body: " in done.out
    assert done.sentence.startswith("frame 1 at byte 0 breaks VAL-1: its body: ")
    arguments = frames.encode(frames.Call(1, 0, "a.b", None, None, b"\xf6"))
    assert "breaks CALL-10: its body: " in here("inspect", "--hex", arguments.hex(), "--bodies").out


def test_the_good_frames_of_the_standard(here: Here, tmp_path: Path) -> None:
    good = [vector for vector in vectors("frames") if "error" not in vector]
    file = tmp_path / "good"
    file.write_text("\n".join(vector["hex"] for vector in good))
    done = here("inspect", str(file))
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()[:-1]
    for vector, line in zip(good, lines, strict=True):
        expected: str = vector["diag"]
        frame = frames.decode(bytes.fromhex(vector["hex"])[4:])
        for name in ("proof", "data", "body"):  # what is not shown unless it is asked for, or ever
            if (hidden := getattr(frame, name, None)) is not None:
                expected = expected.replace(f"h'{hidden.hex()}'", "h'...'")
        if isinstance(frame, frames.Call) and frame.credential is not None:
            expected = expected.replace(f"h'{frame.credential[1].hex()}'", "h'...'")
        notation = re.sub(r" /[^/]*/", "", line.split("  ", 3)[3])
        assert notation == expected, vector["name"]


def test_the_bad_frames_of_the_standard(here: Here, tmp_path: Path) -> None:
    bad = [vector for vector in vectors("frames") if "error" in vector]
    whole = [vector for vector in bad if vector["clause"] not in ("FRAME-2", "FRAME-8")]
    alone = [[vector] for vector in bad if vector not in whole]  # after these, no other frame can be found
    file = tmp_path / "bad"
    for some in (whole, *alone):
        file.write_text("\n".join(vector["hex"] for vector in some))
        done = here("inspect", str(file), "--json")
        assert done.code == 1
        for vector, line in zip(some, done.out.splitlines(), strict=True):
            told = json.loads(line)
            assert told["clause"] in (vector["clause"], *vector.get("or", ())), vector["name"]
            assert "kind" not in told


@pytest.mark.parametrize("cut", [1, 3, 1000])
def test_however_the_bytes_are_cut(cut: int) -> None:
    data = HELLO + CALL + BAD + RESULT
    reader = Reader()
    seen = [one for at in range(0, len(data), cut) for one in reader.feed(data[at : at + cut])]
    assert [(one.number, one.offset, one.size) for one in seen] == [
        (1, 0, 41),
        (2, 41, 29),
        (3, 70, 6),
        (4, 76, 9),
    ]
    assert not list(reader.finish())
    assert reader.bytes == len(data)


def test_after_a_length_that_none_can_have_nothing_is_guessed() -> None:
    reader = Reader()
    seen = list(reader.feed(HELLO + b"\xff\xff\xff\xff" + HELLO))
    assert [one.violation is None for one in seen] == [True, False]
    assert (reader.lost, list(reader.feed(HELLO)), list(reader.finish())) == (True, [], [])
    assert reader.bytes == 3 * len(HELLO) + 4


# --- what is shown -------------------------------------------------------------------------------------------------

SECRET = b"s3cret-of-mine"


def every_frame() -> list[tuple[frames.Frame, str, dict[str, Any]]]:
    """Each kind of frame, with its notation and its JSON."""
    context = frames.Context(1500, (b"\x01" * 16, b"\x02" * 8, 1), "a=b")
    limits = Limits()
    return [
        (
            frames.Auth("token", SECRET),
            "[1 /AUTH/, \"token\" /scheme/, h'...' /proof: present, 14 bytes/]",
            {"credential": {"scheme": "token", "size": 14}},
        ),
        (
            frames.Challenge(SECRET),
            "[2 /CHALLENGE/, h'...' /challenge: present, 14 bytes/]",
            {"challenge": {"size": 14}},
        ),
        (frames.Accepted(), "[3 /ACCEPTED/]", {}),
        (
            frames.Call(3, 2, "a.b", context, ("token", SECRET), b"\x82\x80\xa0"),
            '[5 /CALL/, 3 /id/, 2 /client stream/, "a.b" /target/, {1: 1500 /remaining ms/, 2: [h\''
            + "01" * 16
            + "', h'"
            + "02" * 8
            + '\', 1] /traceparent/, 3: "a=b" /tracestate/} /context/, ["token" /scheme/, h\'...\' /credential: '
            "present, 14 bytes/], h'...' /body: 3 bytes/]",
            {
                "id": 3,
                "shape": "client stream",
                "target": "a.b",
                "context": {
                    "remaining_ms": 1500,
                    "traceparent": f"00-{'01' * 16}-{'02' * 8}-01",
                    "tracestate": "a=b",
                },
                "credential": {"scheme": "token", "size": 14},
                "body": {"size": 3},
            },
        ),
        (
            frames.Call(1, 3, (7, "m"), None, None, b"\x82\x80\xa0"),
            (
                '[5 /CALL/, 1 /id/, 3 /both streams/, [7, "m"] /target/, null /context/, null /credential/, '
                "h'...' /body: 3 bytes/]"
            ),
            {
                "id": 1,
                "shape": "both streams",
                "target": {"reference": 7, "method": "m"},
                "context": None,
                "credential": None,
                "body": {"size": 3},
            },
        ),
        (
            frames.Error(1, ErrorCode.DENIED, None),
            "[7 /ERROR/, 1 /id/, 4 /denied/, null /body/]",
            {"id": 1, "code": "denied", "body": None},
        ),
        (
            frames.Error(1, ErrorCode.BAD_ARGUMENTS, b"\x61a"),
            "[7 /ERROR/, 1 /id/, 6 /bad-arguments/, h'...' /body: 2 bytes/]",
            {"id": 1, "code": "bad-arguments", "body": {"size": 2}},
        ),
        (frames.Cancel(1), "[8 /CANCEL/, 1 /id/]", {"id": 1}),
        (
            frames.Item(2, b"\x01"),
            "[9 /ITEM/, 2 /id/, h'...' /body: 1 byte/]",
            {"id": 2, "body": {"size": 1}},
        ),
        (frames.End(1), "[10 /END/, 1 /id/]", {"id": 1}),
        (frames.Credit(0, 5), "[11 /CREDIT/, 0 /session/, 5 /more bytes/]", {"id": 0, "more": 5}),
        (frames.Credit(1, 5), "[11 /CREDIT/, 1 /id/, 5 /more bytes/]", {"id": 1, "more": 5}),
        (frames.Ping(1), "[12 /PING/, 1 /counter/]", {"counter": 1}),
        (frames.Pong(1), "[13 /PONG/, 1 /counter/]", {"counter": 1}),
        (
            frames.Goaway(5, ErrorCode.NONE),
            "[14 /GOAWAY/, 5 /last call/, 0 /none/]",
            {"last": 5, "code": "none"},
        ),
        (frames.Release(7), "[15 /RELEASE/, 7 /reference/]", {"reference": 7}),
        (
            frames.Hello((1, 2), limits),
            (
                "[0 /HELLO/, [1, 2] /versions/, {1: 4194304 /largest frame/, 2: 1024 /calls in flight/, "
                "3: 16777216 /unfinished body bytes/, 4: 262144 /stream credit/, 5: 2097152 /session credit/, "
                "6: 60000 /idle ms/}]"
            ),
            {
                "versions": [1, 2],
                "limits": {
                    "largest_frame": 4194304,
                    "calls_in_flight": 1024,
                    "unfinished_body_bytes": 16777216,
                    "stream_credit": 262144,
                    "session_credit": 2097152,
                    "idle_time": 60000,
                },
            },
        ),
    ]


@pytest.mark.parametrize(
    ("frame", "notation", "found"),
    every_frame(),
    ids=[type(frame).__name__.upper() for frame, _, _ in every_frame()],
)
def test_every_kind_of_frame(here: Here, frame: frames.Frame, notation: str, found: dict[str, Any]) -> None:
    data = frames.encode(frame)
    line, count = here("inspect", "--hex", data.hex()).out.splitlines()
    assert line == f"1  @0  {len(data)} bytes  {notation}"
    told = json.loads(here("inspect", "--hex", data.hex(), "--json").out)
    kind = type(frame).__name__.upper()
    assert told == {"frame": 1, "offset": 0, "size": len(data), "kind": kind, **found}
    secrets = SECRET in data
    assert count.endswith(f"credentials in them: {int(secrets)}")


@pytest.mark.parametrize("options", [[], ["--bodies"], ["--json"], ["--json", "--bodies"]])
def test_credentials_are_never_shown(here: Here, options: list[str]) -> None:
    data = b"".join(frames.encode(frame) for frame, _, _ in every_frame())
    assert data.count(SECRET) == 3
    done = here("inspect", "--hex", data.hex(), *options)
    assert len(done.out.splitlines()) >= len(every_frame())
    for shown in (SECRET.decode(), SECRET.hex(), base64.b64encode(SECRET).decode()[:16]):
        assert shown not in done.out + done.err


def test_bodies_where_they_are_asked_for(here: Here) -> None:
    item = frames.encode(frames.Item(2, bytes.fromhex("a2616102616282f5d9a40703")))
    done = here("inspect", "--hex", item.hex(), "--bodies")
    assert done.out.splitlines()[0].endswith('<<{"a": 2, "b": [true, 41991(3)]}>> /body: 12 bytes/]')
    told = json.loads(here("inspect", "--hex", item.hex(), "--bodies", "--json").out)
    assert told["body"] == {"size": 12, "value": {"a": 2, "b": [True, {"$reference": 3}]}}
    bad = frames.encode(frames.Item(2, b"\x1c"))
    assert json.loads(here("inspect", "--hex", bad.hex(), "--bodies", "--json").out)["body"] == {
        "size": 1,
        "hex": "1c",
    }


def test_a_body_can_do_nothing_to_a_terminal() -> None:
    text = '\x1b[2J\u202e"\\\n\r\t\U000e0001'.encode()
    assert body_notation(bytes([0x60 + len(text)]) + text, shown=True).startswith(
        '<<"\\u001b[2J\\u202e\\"\\\\\\n\\r\\t\\udb40\\udc01">>'
    )


@pytest.mark.parametrize("name", ["values", "bodies"])
def test_the_notation_of_bodies_is_that_of_the_vectors(name: str) -> None:
    good = [vector for vector in vectors(name) if "error" not in vector and "refused" not in vector]
    whole = [vector for vector in good if "..." not in vector["diag"] and vector["diag"].isascii()]
    assert len(whole) > len(good) * 0.8  # the rest is cut in the vectors, or escaped in another way
    for vector in whole:
        told = body_notation(bytes.fromhex(vector["hex"]), shown=True)
        assert told.startswith("<<"), vector["name"]
        assert told.rpartition(">>")[0].removeprefix("<<") == vector["diag"], vector["name"]


def test_what_was_seen_says_nothing_of_what_it_holds() -> None:
    frame = frames.Call(1, 0, "a.b", None, ("token", SECRET), SECRET)
    assert SECRET.decode() not in repr(Seen(1, 0, 10, frame))
