"""Values (section 16): every vector of the standard as an argument and as a result, bodies, and each bound.

The vectors are those of spec/vectors/, so what is there is played here, and keeps its name. What a value is has nothing
to do with the link: each of these cases is played on one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any, Final

import msgspec

from .. import cbor
from ..case import Case, Check, Expect, Report, Send
from ..frames import BAD_ARGUMENTS, any_call, call, error, result
from ..parts import Key, Part, Raw, Yours
from ..roles import BOTH
from ..writing import ACCEPTOR, answered, call_by, called, chapter

ARGUMENT: Final = "value.argument."
RESULT: Final = "value.result."
HOSTING = ("hosting",)
CODES: Final = {"bad-arguments": 6, "application": 7, "internal": 8}
MOST_ITEMS: Final = 1_048_576  # VAL-18
DEEPEST: Final = 64  # VAL-17
AROUND: Final = 2  # arrays around an argument
HEADS: Final = 3  # of a CALL's body beside the arguments: two arrays, one map
LARGE: Final = 30_000  # bytes
# As an argument, these are inside the two arrays of a CALL's body, and so beyond the bound that they show.
BEYOND: Final = ("depth.64.", "items.most")


def vectors(name: str) -> list[dict[str, Any]]:
    """The vectors of a file of spec/vectors/."""
    text = files("graftwire.spec").joinpath("vectors", f"{name}.json").read_bytes()
    found: list[dict[str, Any]] = msgspec.json.decode(text)["vectors"]
    return found


def octets(vector: Mapping[str, Any]) -> bytes:
    """The bytes of a vector."""
    if "hex" in vector:
        return bytes.fromhex(vector["hex"])
    return b"".join(bytes.fromhex(text) * times for text, times in vector["hex_parts"])


def _id(prefix: str, name: str) -> str:
    return prefix + re.sub(r"[^a-z0-9.-]+", "-", name.lower().replace("^", "-to-")).strip("-")


def _clauses(vector: Mapping[str, Any]) -> str:
    return " ".join(dict.fromkeys((vector["clause"], *vector.get("or", ()))))


def _cost(data: bytes) -> dict[str, Any]:
    """What is large has a target of its own, which may take its time over it: no other case waits meanwhile."""
    return {"alone": True, "within": 20.0} if len(data) >= LARGE else {}


def _is_reference(vector: Mapping[str, Any]) -> bool:
    """Whether it is a good reference: that one belongs to a session, so it is no value to be echoed."""
    return "error" not in vector and "reference" in vector["name"]


def _arguments() -> Iterator[Case]:
    for vector in vectors("values"):
        if _is_reference(vector):
            continue
        name, data = vector["name"], octets(vector)
        refused = "error" in vector or name.startswith(BEYOND)
        yield answered(
            _id(ARGUMENT, name),
            _clauses(vector),
            f"As an argument: {vector['meaning']}",
            call("echo", Raw(data)),
            error(BAD_ARGUMENTS) if refused else result(Raw(data)),
            features=HOSTING,
            roles=ACCEPTOR if len(data) >= LARGE else BOTH,
            once=True,
            probe=False,
            **_cost(data),
        )


def _results() -> Iterator[Case]:
    for vector in vectors("values"):
        if _is_reference(vector):
            continue
        name, data = vector["name"], octets(vector)
        # What is good is given to the initiator, too, so that it encodes it.
        sent: Part = Raw(data) if "error" not in vector and not name.startswith(BEYOND) else None
        report = Report(outcome="error") if "error" in vector else Report(outcome="result", value=Raw(data))
        yield called(
            _id(RESULT, name),
            _clauses(vector),
            f"As a result: {vector['meaning']}",
            call_by("echo", sent),
            Expect((call("echo", sent, id=Yours(1)),)),
            Send((result(Raw(data), id=Yours(1)),)),
            reports=report,
            once=True,
            probe=False,
            **_cost(data),
        )


def _bodies() -> Iterator[Case]:
    """What the bodies of CALL and ERROR have to hold."""
    for vector in vectors("bodies"):
        name, data, bad = vector["name"], octets(vector), "error" in vector or "refused" in vector
        if vector["body"] == "call" and bad:
            yield answered(
                _id("value.body.", name),
                _clauses(vector),
                f"The body of a CALL: {vector['meaning']} No user code runs.",
                call("count", body=Raw(cbor.octets(data))),
                error(BAD_ARGUMENTS),
                checks=(Check("counted", (Key(),), 0),),
                features=HOSTING,
                once=True,
            )
        elif vector["body"] in CODES:
            yield called(
                _id("value.body.", name),
                f"{_clauses(vector)} ERR-2",
                f"The body of an ERROR: {vector['meaning']}",
                call_by("echo", 1),
                Expect((any_call(),)),
                Send((error(CODES[vector["body"]], id=Yours(1), body=Raw(cbor.octets(data))),)),
                reports=Report(outcome="error", codes=("internal" if bad else vector["body"],)),
                once=True,
            )


def _nested(depth: int) -> Raw:
    return Raw(cbor.nested(depth, cbor.NULL))


def _nulls(heads: int) -> Raw:
    """An array of nulls that has so many heads."""
    return Raw(cbor.head(cbor.ARRAY, heads - 1) + cbor.NULL * (heads - 1))


def _bound(name: str, clause: str, says: str, at: Part, over: Part, **fields: Any) -> Iterator[Case]:
    """A value at a bound as an argument, and one that is one beyond it."""
    common: dict[str, Any] = {"features": HOSTING, "once": True, **fields}
    yield answered(
        f"value.bound.{name}.at",
        clause,
        f"{says}: as many as there may be.",
        call("echo", at),
        result(at),
        **common,
    )
    yield answered(
        f"value.bound.{name}.over",
        clause,
        f"{says}: one more than there may be.",
        call("echo", over),
        error(BAD_ARGUMENTS),
        **common,
    )


def _bounds() -> Iterator[Case]:
    deepest = DEEPEST - AROUND
    yield from _bound("depth", "VAL-17", "Arrays inside each other", _nested(deepest), _nested(deepest + 1))
    yield from _bound(
        "depth.tags",
        "VAL-17",
        "A set of decimals at the bottom of arrays, each of its tags and arrays counted",
        Raw(cbor.nested(deepest - 4, cbor.tag(258, cbor.array(cbor.tag(4, cbor.array(b"\x00", b"\x01")))))),
        Raw(cbor.nested(deepest - 3, cbor.tag(258, cbor.array(cbor.tag(4, cbor.array(b"\x00", b"\x01")))))),
    )
    most = MOST_ITEMS - HEADS
    yield from _bound(
        "items",
        "VAL-18",
        "Items of a body",
        _nulls(most),
        _nulls(most + 1),
        within=20.0,
        alone=True,
        roles=ACCEPTOR,
    )
    yield from _bound(
        "bignum",
        "VAL-4",
        "Bytes of a bignum",
        Raw(cbor.tag(2, cbor.octets(b"\x01" + bytes(63)))),
        Raw(cbor.tag(2, cbor.octets(b"\x01" + bytes(64)))),
    )
    yield from _bound(
        "decimal.exponent",
        "VAL-13",
        "The exponent of a decimal",
        Raw(cbor.tag(4, cbor.array(cbor.integer(6_111), b"\x01"))),
        Raw(cbor.tag(4, cbor.array(cbor.integer(6_112), b"\x01"))),
    )
    yield from _bound(
        "duration",
        "VAL-12",
        "Microseconds of a duration",
        Raw(cbor.tag(41_992, cbor.integer(2**63 - 1))),
        Raw(cbor.tag(41_992, cbor.integer(2**63))),
    )
    yield answered(
        "value.bound.items.declared",
        "VAL-1 VAL-18",
        "An array that declares more elements than there are bytes is refused before memory is taken for it.",
        call("echo", Raw(cbor.head(cbor.ARRAY, 2**32 - 1))),
        error(BAD_ARGUMENTS),
        features=HOSTING,
        once=True,
    )
    yield answered(
        "value.bound.text.declared",
        "VAL-1",
        "A text that declares more bytes than there are is refused before memory is taken for it.",
        call("echo", Raw(cbor.head(cbor.TEXT, 2**53))),
        error(BAD_ARGUMENTS),
        features=HOSTING,
        once=True,
    )


def _kinds() -> Iterator[Case]:
    """VAL-21: what the interface says of types, which no vector can show."""
    rows: tuple[tuple[str, str, str, Part, Part | None], ...] = (
        (
            "float-of-integer",
            "number",
            "An integer that is exact is taken for a float.",
            3,
            Raw(cbor.f64(3.0)),
        ),
        (
            "float-of-huge-integer",
            "number",
            "An integer that is not exact is refused for a float.",
            2**53 + 1,
            None,
        ),
        ("float-of-text", "number", "A text is refused for a float.", "1.5", None),
        ("float-of-boolean", "number", "A boolean is refused for a float.", True, None),
        ("integer-of-float", "integer", "A float is refused for an integer.", Raw(cbor.f64(3.0)), None),
        ("integer-of-boolean", "integer", "A boolean is refused for an integer.", True, None),
        ("integer-of-text", "integer", "A text is refused for an integer.", "3", None),
        ("integer-of-null", "integer", "Null is refused for an integer.", None, None),
        ("text-of-bytes", "text", "Bytes are refused for a text.", b"a", None),
        ("text-of-integer", "text", "An integer is refused for a text.", 1, None),
        ("bytes-of-text", "size", "A text is refused for bytes.", "a", None),
        ("record-of-array", "record", "An array is refused for a record.", (1, "a"), None),
    )
    for name, method, says, sent, back in rows:
        yield answered(
            f"value.type.{name}",
            "VAL-21",
            says,
            call(method, sent),
            error(BAD_ARGUMENTS) if back is None else result(back),
            features=HOSTING,
            once=True,
        )


CASES = chapter("values", _bounds(), _kinds(), _bodies(), _arguments(), _results())
