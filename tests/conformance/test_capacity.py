"""The table of section 19 and what measures it are the same; every field of every frame is free or fixed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graftwire.conformance import frames
from graftwire.conformance.capacity import FIXED, FREE, Free, faults_of, used_in
from graftwire.conformance.fields import ELEMENTS
from graftwire.conformance.parts import Body, Frame, Scope, wire
from graftwire.conformance.reading import KINDS
from graftwire.conformance.recording import Direction, Layer, Recorder
from graftwire.conformance.roles import Role

ROOT = Path(__file__).parents[2]
SCOPE = Scope(Role.INITIATOR, "k")
# The rows that are no element of a frame, or a part of one: structure.py, or the cases, look at these.
ELSEWHERE = {
    "ERROR: body of *bad-arguments*",
    "ERROR: body of *application*",
    "ERROR: body of *internal*",
    "in bodies: ids of references",
    "in bodies: order of a map's keys",
    "WebSocket: Sec-WebSocket-Key",
    "WebSocket: path, Host, Origin",
    "WebSocket: close code",
    "PROXY protocol: the header",
}


def rows() -> dict[str, int | None]:
    """The table: the field, and its bits where that is a number."""
    text = (ROOT / "spec" / "PROTOCOL.md").read_text("utf-8")
    table = text.split("## 19 What a sender may choose freely")[1].split("**Outside the claim**")[0]
    found: dict[str, int | None] = {}
    for line in table.splitlines():
        cells = [each.strip() for each in line.strip("|").split("|")]
        if len(cells) != 4 or cells[0] in ("frame", "---"):
            continue
        bits = re.sub(r", once.*", "", cells[2]).replace(",", "").split("=")[-1].strip()
        numbers = [int(each) for each in re.findall(r"\d+", bits)] if re.fullmatch(r"[\d +]+", bits) else []
        found[f"{cells[0]}: {cells[1]}"] = sum(numbers) if numbers else None
    return found


def test_the_table_is_the_one_of_the_standard() -> None:
    standard = rows()
    joined = {
        "CALL: target": ("CALL: target, a reference and a method",),
        "CALL: context": ("CALL: remaining time", "CALL: traceparent", "CALL: tracestate"),
    }
    covered = set(ELSEWHERE) | {"CALL: target, a name"}  # the other kind of target has room for more
    for free in FREE.values():
        frame = free.frame.split(" (")[0]
        names = joined.get(f"{frame}: {free.field}", (f"{frame}: {free.field}",))
        if frame == "HELLO" and free.field == "versions":
            names = ("HELLO (initiator): versions",)
            covered.add("HELLO (acceptor): version")
        if f"{frame}: {free.field}" == "ERROR: body":
            continue
        covered |= set(names)
        bits = [standard[each] for each in names]
        if None not in bits:
            assert sum(each or 0 for each in bits) == free.bits, names
    assert covered == set(standard)


def test_every_field_is_free_or_fixed() -> None:
    fields = {f"{KINDS[kind]} {name}" for kind, names in ELEMENTS.items() for name in names}
    assert fields == set(FREE) | set(FIXED)
    assert not set(FREE) & set(FIXED)
    clauses = set(re.findall(r"\*\*\[([A-Z]+-\d+)\]\*\*", (ROOT / "spec" / "PROTOCOL.md").read_text("utf-8")))
    assert set(FIXED.values()) <= clauses


def recorded(*pieces: Frame) -> Recorder:
    recorder = Recorder()
    for piece in pieces:
        recorder.bytes(Direction.TARGET, Layer.FRAMES, wire(piece, SCOPE))
    return recorder


def test_what_a_session_has_used() -> None:
    recorder = recorded(
        frames.hello(), frames.result(1), frames.result(1, id=2), frames.credit(7), frames.credit(900)
    )
    assert list(faults_of(recorder, Direction.TARGET)) == []
    used = {each.field: (each.times, each.values, each.bits) for each in used_in(recorder, Direction.TARGET)}
    assert used == {
        "HELLO versions": (1, 1, 0),
        "HELLO limits": (1, 1, 22 + 10 + 24 + 18 + 21 + 16),
        "RESULT body": (2, 1, 8),
        "CREDIT bytes": (2, 2, 10),
    }


@pytest.mark.parametrize(
    ("pieces", "clause"),
    [
        ((frames.hello(), frames.hello()), "HELLO-1"),
        ((frames.auth(b"x", "a" * 40),), "VAL-20"),
        ((frames.credit(2**40),), "VAL-20"),
        ((frames.error(8, body=Body(bytes(20))),), "ERR-2"),
    ],
)
def test_more_than_there_is_room_for(pieces: tuple[Frame, ...], clause: str) -> None:
    assert clause in {each.clause for each in faults_of(recorded(*pieces), Direction.TARGET)}


def test_a_row_says_what_it_is() -> None:
    assert FREE["CALL shape"] == Free("CALL", "shape", 2)
