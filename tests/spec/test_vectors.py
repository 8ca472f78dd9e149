"""The vectors: they are current, they cover the standard, and the implementation agrees with each of them."""

from __future__ import annotations

import importlib
import json
import re
import struct
import sys
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cddl_verifier import Validator

from graftwire.protocol import frames, values
from graftwire.protocol.connection import Connection, Role
from graftwire.protocol.errors import ErrorCode, InternalError, ProtocolViolation, ValueRefused
from graftwire.protocol.events import Event, Failed
from graftwire.protocol.failures import error_from_wire
from graftwire.protocol.references import Exports, Imports

SPEC = Path(__file__).parents[2] / "spec"
Vector = dict[str, Any]


def load(name: str) -> list[Vector]:
    """The vectors of one file."""
    return json.loads((SPEC / "vectors" / name).read_text(encoding="utf-8"))["vectors"]


def raw(vector: Vector, key: str = "hex") -> bytes:
    """The bytes of a vector or of a step, whole or in parts."""
    if key in vector:
        return bytes.fromhex(vector[key])
    return b"".join(bytes.fromhex(part) * times for part, times in vector[f"{key}_parts"])


def clauses(wrong: dict[str, Any]) -> list[str]:
    """The clauses that a refusal may name."""
    return [wrong["clause"], *wrong.get("or", [])]


def is_good(vector: Vector) -> bool:
    """Whether it must be taken."""
    return "error" not in vector and not vector.get("refused", False)


def cases(vectors: list[Vector]) -> Any:
    """A parameter for each vector, called by its name."""
    return pytest.mark.parametrize("vector", vectors, ids=[vector["name"] for vector in vectors])


FRAMES, VALUES, BODIES, SESSIONS = map(load, ("frames.json", "values.json", "bodies.json", "sessions.json"))
ALL = [*FRAMES, *VALUES, *BODIES, *SESSIONS]
LABELS = {code.label for code in ErrorCode}


# Clauses that no vector of bytes can show, and why.
NOT_SHOWN = {
    "HELLO-9": "an acceptor can't tell what an initiator had read when it wrote a frame",
    "VAL-20": "no vector alone shows it: every good frame and value is held against it",
    "VAL-21": "it is about the types that an interface names, which no body shows",
}


def families(*names: str) -> set[str]:
    """Every clause of these families, as the standard numbers them."""
    counts = {"FRAME": 8, "HEAD": 6, "HELLO": 10, "VAL": 22}
    return {f"{name}-{number}" for name in names for number in range(1, counts[name] + 1)}


# --- the files themselves -----------------------------------------------------------------------------------


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the script would write now."""
    monkeypatch.syspath_prepend(str(SPEC))
    yield importlib.import_module("make_vectors").books()
    for name in [name for name in sys.modules if name.partition(".")[0] in ("make_vectors", "vectormaking")]:
        del sys.modules[name]


def test_files_are_current(books: dict[str, Any]) -> None:
    stored = {path.name: path.read_text(encoding="utf-8") for path in (SPEC / "vectors").glob("*.json")}
    assert stored.keys() == books.keys()
    for name, book in books.items():
        assert stored[name] == book.document(), f"run spec/make_vectors.py: {name} is not current"


def test_names_and_contents_differ() -> None:
    for vectors in (FRAMES, VALUES, BODIES, SESSIONS):
        names = [vector["name"] for vector in vectors]
        assert len(set(names)) == len(names)
    for vectors in (FRAMES, VALUES):
        contents = [raw(vector) for vector in vectors]
        assert len(set(contents)) == len(contents)
    plays = [json.dumps([vector["role"], vector["steps"]]) for vector in SESSIONS]
    assert len(set(plays)) == len(plays)
    assert len(FRAMES) + len(VALUES) >= 220
    assert len(SESSIONS) >= 60


def test_every_kind_and_clause_is_covered() -> None:
    kinds = {raw(vector)[5] for vector in FRAMES if "error" not in vector}
    assert kinds == set(range(16)) - {4}
    shown = {vector["clause"] for vector in ALL}
    assert families("FRAME", "HEAD", "HELLO", "VAL") - shown == NOT_SHOWN.keys()


@pytest.mark.skipif(not (SPEC / "PROTOCOL.md").exists(), reason="the standard is not written yet")
def test_every_clause_is_in_the_standard() -> None:
    standard = set(re.findall(r"\b[A-Z]+-\d+\b", (SPEC / "PROTOCOL.md").read_text(encoding="utf-8")))
    named = {vector["clause"] for vector in ALL} | NOT_SHOWN.keys()
    for vector in ALL:
        named.update(vector.get("or", []))
        outcome = vector.get("outcome", "ok")
        if outcome != "ok":
            named.update(clauses(outcome))
    assert named <= standard


@cases(ALL)
def test_has_its_fields(vector: Vector) -> None:
    assert re.fullmatch(r"[A-Z]+-\d+", vector["clause"])
    assert vector["meaning"].endswith(".")
    if "steps" in vector:
        assert vector["role"] in ("initiator", "acceptor")
        assert vector["outcome"] == "ok" or vector["outcome"]["error"] in LABELS
    elif "error" in vector:
        assert vector["error"] in LABELS
    else:
        assert vector["diag"]


# --- frames -------------------------------------------------------------------------------------------------


def is_whole(data: bytes) -> bool:
    """Whether the length prefix is right, so that what is left to judge is the array behind it."""
    return len(data) > 4 and int.from_bytes(data[:4], "big") == len(data) - 4


@cases([vector for vector in FRAMES if "error" not in vector])
def test_good_frame_comes_back(vector: Vector) -> None:
    data = raw(vector)
    assert is_whole(data)
    assert frames.encode(frames.decode(data[4:])) == data
    assert frames.encode(frames.decode(memoryview(data)[4:])) == data


@cases([vector for vector in FRAMES if "error" in vector and is_whole(raw(vector))])
def test_bad_frame_is_refused(vector: Vector) -> None:
    for payload in (raw(vector)[4:], memoryview(raw(vector))[4:]):
        with pytest.raises(ProtocolViolation) as refused:
            frames.decode(payload)
        assert refused.value.clause in clauses(vector)
        assert refused.value.code.label == vector["error"]


@cases([vector for vector in FRAMES if not is_whole(raw(vector))])
def test_bad_length_is_refused(vector: Vector) -> None:
    core = Connection(Role.INITIATOR)
    found = [*core.receive(raw(vector)), *core.receive_eof()]
    assert isinstance(found[-1], Failed)
    assert found[-1].violation.clause in clauses(vector)


# --- values and bodies --------------------------------------------------------------------------------------


def described(value: object) -> Any:
    """A decoded value as vectors describe it; sets as lists in any order."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) < 2**53 else {"type": "int", "value": str(value)}
        case float():
            return {"type": "float", "value": struct.pack(">d", value).hex()}
        case bytes():
            return {"type": "bytes", "value": value.hex()}
        case list():
            return [described(item) for item in value]
        case dict():
            return {
                "type": "map",
                "value": [[described(key), described(item)] for key, item in value.items()],
            }
        case set():
            return {"type": "set", "value": sorted((described(item) for item in value), key=repr)}
        case values.Reference():
            return {"type": "reference", "value": value.id}
        case _:
            kind, text = told(value)
            return {"type": kind, "value": text}


def told(value: object) -> tuple[str, str]:
    """The name of a scalar's type, and its text."""
    match value:
        case datetime():
            text = value.isoformat()
            text, zone = (text[:-6], text[-6:])
            text = text.rstrip("0") if value.microsecond else text
            return "datetime", text + ("Z" if zone == "+00:00" else zone)
        case date():
            return "date", value.isoformat()
        case time():
            return "time", value.isoformat().rstrip("0") if value.microsecond else value.isoformat()
        case timedelta():
            return "duration", str(value // timedelta(microseconds=1))
        case Decimal() | UUID():
            return type(value).__name__.lower(), str(value)
        case _:
            pytest.fail(f"no description for a {type(value).__name__}")


def expected(description: Any) -> Any:
    """A vector's description in the form of `described`: floats by their bits, sets in a fixed order."""
    match description:
        case {"type": "float", "value": text}:
            return {"type": "float", "value": struct.pack(">d", float(text)).hex()}
        case {"type": "set", "value": items}:
            return {"type": "set", "value": sorted(map(expected, items), key=repr)}
        case {"type": "map", "value": entries}:
            return {"type": "map", "value": [[expected(key), expected(item)] for key, item in entries]}
        case {"type": "zeros", "value": count}:
            return {"type": "bytes", "value": "00" * count}
        case {"type": "nulls", "value": count}:
            return [None] * count
        case list():
            return [expected(item) for item in description]
        case _:
            return description


def own_reference(value: object) -> int:
    """Sends a reference back under its own number, as no session may, to see the same bytes again."""
    assert isinstance(value, values.Reference)
    return value.id


@cases([vector for vector in VALUES if "error" not in vector])
def test_good_value_comes_back(vector: Vector) -> None:
    data = raw(vector)
    for given in (data, memoryview(data)) if len(data) < 100_000 else (data,):
        value = values.decode(given, reference=values.Reference)
        if "value" in vector:
            assert described(value) == expected(vector["value"])
        assert values.encode(value, reference=own_reference) == data


@cases([vector for vector in VALUES if "error" in vector])
def test_bad_value_is_refused(vector: Vector) -> None:
    with pytest.raises(ValueRefused) as refused:
        values.decode(raw(vector), reference=values.Reference)
    assert refused.value.clause in clauses(vector)


# What is wrong with these is where the body ends, or they are too long to be repeated inside of another.
ENDS = ("broken.empty", "broken.trailing.byte", "broken.trailing.item")


@cases(
    [
        vector
        for vector in VALUES
        if not is_good(vector) and len(raw(vector)) < 4096 and vector["name"] not in ENDS
    ]
)
@pytest.mark.parametrize("padding", [100, 70_000])
def test_bad_value_is_refused_in_a_larger_body(vector: Vector, padding: int) -> None:
    body = b"\x82" + cbor_bytes(padding) + raw(vector)
    with pytest.raises(ValueRefused) as refused:
        values.decode(body, reference=values.Reference)
    assert refused.value.clause in clauses(vector)


def cbor_bytes(size: int) -> bytes:
    """A byte string of that many zeros."""
    head = b"\x58" + bytes([size]) if size < 256 else b"\x5a" + size.to_bytes(4, "big")
    return head + bytes(size)


def read_body(vector: Vector) -> None:
    """Read a body as what it is. Raises ValueRefused; an ERROR's gives a plain InternalError instead."""
    data = raw(vector)
    if vector["body"] == "call":
        values.decode_arguments(data, reference=values.Reference)
        return
    code = next(code for code in ErrorCode if code.label == vector["body"])
    error = error_from_wire(code, data, values.Reference)
    if error.code is not code or (isinstance(error, InternalError) and len(error.incident) != 16):
        raise ValueRefused("ERR-2", "this body does not fit its code")


@cases([vector for vector in BODIES if is_good(vector)])
def test_good_body_is_taken(vector: Vector) -> None:
    read_body(vector)


@cases([vector for vector in BODIES if not is_good(vector)])
def test_bad_body_is_refused(vector: Vector) -> None:
    with pytest.raises(ValueRefused) as refused:
        read_body(vector)
    assert refused.value.clause in clauses(vector)


# --- the grammar --------------------------------------------------------------------------------------------

# What CDDL can't tell from the right thing: names of vectors, as patterns.
BEYOND_GRAMMAR = (
    *("head.long.*", "head.indefinite.*", "long.*", "indefinite.*", "call.bad.long-head"),
    *("depth.65.*", "items.over*", "call.bad.depth"),
    *("hello.versions.descending", "hello.versions.equal", "hello.limits.unfinished-below-frame"),
    *("hello.limits.descending", "call.context.descending"),
    *("float.16.zero", "float.16.minus-zero", "float.16.one-and-a-half", "float.16.subnormal"),
    *("float.16.largest", "float.16.nan.*"),
    *("bignum.bad.leading-zero*", "bignum.bad.65-bytes.leading-zero", "decimal.bad.bignum-zero"),
    *("date.bad.leap-day", "date.bad.day-31", "decimal.bad.coefficient", "decimal.bad.coefficient.minus"),
    *("set.bad.descending", "set.bad.by-*", "set.bad.bool", "set.bad.duplicate*", "set.bad.equal.*"),
)
# cddl-verifier takes three times as long for each further map inside a map, and a minute for a million items.
TOO_SLOW = {"depth.64.maps", "depth.65.maps", "depth.100000"}


@pytest.fixture(scope="module")
def grammar() -> Validator:
    """The CDDL of the standard."""
    return Validator(SPEC / "frames.cddl")


def rule_and_item(vector: Vector) -> tuple[str, bytes]:
    """The rule that a vector is held against, and its bytes without a length prefix."""
    if vector in FRAMES:
        return "frame", raw(vector)[4:]
    return ("value" if vector in VALUES else f"body-{vector['body']}"), raw(vector)


WITH_GRAMMAR = [
    vector
    for vector in [*(frame for frame in FRAMES if is_whole(raw(frame))), *VALUES, *BODIES]
    if vector["name"] not in TOO_SLOW and len(raw(vector)) < 100_000
]


@cases(WITH_GRAMMAR)
def test_grammar_agrees(grammar: Validator, vector: Vector) -> None:
    rule, item = rule_and_item(vector)
    found = grammar.validate(item, root_type=rule)
    if is_good(vector):
        assert found.valid, found.diagnostics
    elif any(fnmatchcase(vector["name"], pattern) for pattern in BEYOND_GRAMMAR):
        assert found.valid, "the grammar tells this apart: it is not beyond it any more"
    else:
        assert not found.valid


@cases([vector for vector in FRAMES if "error" not in vector])
def test_grammar_knows_every_byte(grammar: Validator, vector: Vector) -> None:
    assert grammar.validate(raw(vector)[4:], root_type="whole-frame").valid


# --- sessions -----------------------------------------------------------------------------------------------


class Driver:
    """Drives a core through the steps of a session vector.

    Items are never consumed and nothing happens by itself, so that what the core writes without being asked
    (HELLO of an acceptor, PONG, the last GOAWAY) is the wire's own reaction.
    """

    def __init__(self, vector: Vector) -> None:
        role = Role[vector["role"].upper()]
        own = [frames.decode(raw(step, "frame")[4:]) for step in vector["steps"] if step["from"] == "self"]
        limits = next((frame.limits for frame in own if isinstance(frame, frames.Hello)), None)
        self.core = Connection(role, limits)
        self.written: list[bytes] = []
        self.events: list[Event] = []

    def run(self, vector: Vector, *, bytewise: bool = False) -> None:
        for step in vector["steps"]:
            if step["from"] == "self":
                self.write(raw(step, "frame"))
            elif step.get("end"):
                self.events += self.core.receive_eof()
            else:
                data = raw(step, "frame")
                for at in range(0, len(data), 1 if bytewise else len(data)):
                    self.events += self.core.receive(data[at : at + 1] if bytewise else data)
        self.collect()

    def collect(self) -> None:
        """Take what the core wants to write, frame by frame."""
        data = b"".join(self.core.take(2**31))
        while data:
            end = 4 + int.from_bytes(data[:4], "big")
            self.written.append(data[:end])
            data = data[end:]

    def write(self, data: bytes) -> None:
        """The core must have written this frame, by itself or because it is told to."""
        self.collect()
        if data not in self.written:
            self.tell(frames.decode(data[4:]))
            self.collect()
        self.written.remove(data)

    def tell(self, frame: frames.Frame) -> None:
        core = self.core
        match frame:
            case frames.Auth():
                core.authenticate(frame.scheme, frame.proof)
            case frames.Challenge():
                core.challenge(frame.data)
            case frames.Accepted():
                self.events += core.accept()
            case frames.Call():
                core.call(frame.shape, frame.target, frame.body, frame.context, frame.credential)
            case frames.Result():
                core.result(frame.id, frame.body)
            case frames.Error():
                core.error(frame.id, frame.code, frame.body)
            case frames.Cancel():
                core.cancel(frame.id)
            case frames.Item():
                core.item(frame.id, frame.body)
            case frames.End():
                core.end(frame.id)
            case frames.Ping():
                core.ping()
            case frames.Goaway(code=ErrorCode.NONE):
                core.goaway(frame.last)
            case frames.Goaway(code=ErrorCode.UNAUTHENTICATED):
                core.refuse()
            case frames.Release():
                core.release(frame.reference)
            case _:
                pytest.fail(f"the core did not write {frame!r} by itself")

    def violation(self) -> ProtocolViolation | None:
        """What the core found wrong; once found, it is the last event."""
        found = [event.violation for event in self.events if isinstance(event, Failed)]
        assert len(found) <= 1
        assert not found or isinstance(self.events[-1], Failed)
        return found[0] if found else None


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@cases([vector for vector in SESSIONS if not vector["name"].startswith("reference.")])
def test_core_plays_session(vector: Vector, bytewise: bool) -> None:
    driver = Driver(vector)
    driver.run(vector, bytewise=bytewise)
    violation, outcome = driver.violation(), vector["outcome"]
    if outcome == "ok":
        assert violation is None
        assert driver.written == []
        return
    assert violation is not None
    assert violation.clause in clauses(outcome)
    assert violation.code.label == outcome["error"]
    assert [frame.hex() for frame in driver.written[-1:]] == [outcome["goaway"]]


def lengths(vector: Vector) -> list[int]:
    """How long each frame of the other side is."""
    return [
        len(raw(step, "frame")) for step in vector["steps"] if step["from"] == "peer" and not step.get("end")
    ]


def play(vector: Vector, cut: int, size: int = 2**30) -> list[Any]:
    """All that the core tells and writes in a session that is read in pieces of at most `size` bytes.

    What comes without an answer in between is read in one go, but that each frame is cut in two after `cut` bytes.
    """
    driver, unread = Driver(vector), b""

    def read(data: bytes) -> None:
        for at in range(0, len(data), size):
            driver.events += driver.core.receive(data[at : at + size])

    for step in vector["steps"]:
        if step["from"] == "peer" and not step.get("end"):
            data = raw(step, "frame")
            read(unread + data[:cut])
            unread = data[cut:]
        else:
            read(unread)
            unread = b""
            driver.run({"steps": [step]})
    read(unread)
    driver.collect()
    told = [event.violation.clause if isinstance(event, Failed) else event for event in driver.events]
    return [*told, *driver.written]


@cases([vector for vector in SESSIONS if not vector["name"].startswith("reference.")])
def test_a_session_is_the_same_wherever_it_is_cut(vector: Vector) -> None:
    """Clause LINK-1: at every byte of every frame (of a long body, not at all of them), and between frames."""
    whole = play(vector, 0)
    assert play(vector, 0, size=1) == whole
    cuts = set[int]()
    for length in lengths(vector):
        cuts.update(
            range(1, min(length + 1, 300)), range(300, length, 997), range(max(length - 30, 1), length)
        )
    for cut in sorted(cuts):
        assert play(vector, cut) == whole, f"cut after {cut} bytes"


class ReferenceDriver(Driver):
    """The same with the tables of references on top of the core, which does not look into bodies itself."""

    def __init__(self, vector: Vector) -> None:
        super().__init__(vector)
        self.exports, self.imports = Exports(self.core.role), Imports(self.core.role)
        self.carried: dict[int, list[int]] = {}
        self.given: list[int] = []
        self.seen = 0
        self.offending: int | None = None  # the call that is looked at

    def run(self, vector: Vector, *, bytewise: bool = False) -> None:
        for step in vector["steps"]:
            super().run({"steps": [step]}, bytewise=bytewise)
            try:
                self.look()
            except ProtocolViolation as violation:
                self.core.fail(violation, before=self.offending)
                self.events.append(Failed(violation))
                self.collect()

    def look(self) -> None:
        """Do for the new events what a session does for references."""
        new, self.seen = self.events[self.seen :], len(self.events)
        for event in new:
            self.offending = event.id if isinstance(event, frames.Call) else None
            if isinstance(event, frames.Release):
                self.exports.release(event.reference)
            elif isinstance(event, frames.Error):
                self.exports.kill(self.carried.pop(event.id, []))
            elif isinstance(event, frames.Call):
                if isinstance(event.target, tuple):
                    self.exports.get(event.target[0])
                values.decode_arguments(event.body, reference=self.arrived)

    def arrived(self, id: int) -> values.Reference:
        self.imports.received(id)
        return values.Reference(id)

    def tell(self, frame: frames.Frame) -> None:
        if isinstance(frame, frames.Result):
            values.decode(frame.body, reference=self.give)
        elif isinstance(frame, frames.Call):
            self.given = self.carried[frame.id] = []
            values.decode_arguments(frame.body, reference=self.give)
        elif isinstance(frame, frames.Item):
            self.given = self.carried[frame.id]
            values.decode(frame.body, reference=self.give)
        super().tell(frame)

    def give(self, id: int) -> values.Reference:
        assert self.exports.allocate(object()) == id
        self.given.append(id)
        return values.Reference(id)


@cases([vector for vector in SESSIONS if vector["name"].startswith("reference.")])
def test_tables_of_references_play_session(vector: Vector) -> None:
    driver = ReferenceDriver(vector)
    driver.run(vector)
    violation, outcome = driver.violation(), vector["outcome"]
    if outcome == "ok":
        assert violation is None
        assert driver.written == []
        return
    assert violation is not None
    assert violation.clause in clauses(outcome)
    assert [frame.hex() for frame in driver.written[-1:]] == [outcome["goaway"]]
