"""What a change means for callers; and that it does mean it, with the converter and the binder of the receiver."""

from __future__ import annotations

import collections.abc
import enum
import time as time_
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal, Protocol
from uuid import UUID

import msgspec
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

import graftwire
from graftwire.gateway.interface import Method as Bound
from graftwire.gateway.metadata.annotations import union
from graftwire.gateway.metadata.build import build
from graftwire.gateway.metadata.diff import Change, affected, diff
from graftwire.gateway.metadata.encode import decode, encode
from graftwire.gateway.metadata.fits import MISFITS, TOO_MUCH, Fit, Names
from graftwire.gateway.metadata.model import (
    Enum,
    EnumNamed,
    Field,
    Interface,
    ListOf,
    MapOf,
    Method,
    OneOf,
    Parameter,
    ParameterKind,
    Record,
    RecordNamed,
    Scalar,
    SetOf,
    Shape,
    TupleOf,
    Type,
    Union,
)
from graftwire.gateway.metadata.parameters import compare_parameters
from graftwire.protocol.convert import converter
from graftwire.protocol.errors import BadArguments, ValueRefused
from graftwire.protocol.values import Reference

from . import strategies

# ---------------------------------------------------------------- from the model back to Python

PYTHON: dict[Scalar, Any] = {
    Scalar.ANY: Any,
    Scalar.NULL: None,
    Scalar.BOOLEAN: bool,
    Scalar.INTEGER: int,
    Scalar.FLOAT: float,
    Scalar.TEXT: str,
    Scalar.BYTES: bytes,
    Scalar.DATE: date,
    Scalar.TIME: time,
    Scalar.DATETIME: datetime,
    Scalar.DURATION: timedelta,
    Scalar.DECIMAL: Decimal,
    Scalar.UUID: UUID,
    Scalar.REFERENCE: Reference,
}
VALUES: dict[Scalar, st.SearchStrategy[Any]] = {
    Scalar.ANY: st.none() | st.integers() | st.text(max_size=3),
    Scalar.NULL: st.none(),
    Scalar.BOOLEAN: st.booleans(),
    Scalar.INTEGER: st.integers(),
    Scalar.FLOAT: st.floats(),
    Scalar.TEXT: st.text(max_size=3),
    Scalar.BYTES: st.binary(max_size=3),
    Scalar.DATE: st.dates(),
    Scalar.TIME: st.times(),
    Scalar.DATETIME: st.datetimes(timezones=st.just(UTC)),
    Scalar.DURATION: st.timedeltas(),
    Scalar.DECIMAL: st.decimals(allow_nan=False, allow_infinity=False, places=2),
    Scalar.UUID: st.uuids(),
    Scalar.REFERENCE: st.just(Reference(1)),
}


class Python:
    """Annotations for types with these names."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.known: dict[str, Any] = {
            name: enum.Enum(name, [(member, number) for number, member in enumerate(each.members)])
            for name, each in names.enums.items()
        }

    def annotation(self, kind: Type, depth: int = 0) -> Any:
        assume(depth < 8)  # records that lead to each other
        match kind:
            case Scalar():
                return PYTHON[kind]
            case ListOf():
                return list[self.annotation(kind.item, depth + 1)]  # type: ignore[misc]
            case SetOf():
                return set[self.annotation(kind.item, depth + 1)]  # type: ignore[misc]
            case MapOf():
                return dict[self.annotation(kind.key), self.annotation(kind.value, depth + 1)]  # type: ignore[misc]
            case TupleOf():
                return tuple[tuple(self.annotation(each, depth + 1) for each in kind.items)]  # type: ignore[misc]
            case OneOf():
                return Literal[(*kind.integers, *kind.texts, *kind.byte_strings, *kind.booleans)]  # type: ignore[valid-type]
            case Union():
                found: Any = self.annotation(kind.types[0], depth + 1)
                for each in kind.types[1:]:
                    found = found | self.annotation(each, depth + 1)
                return found
            case EnumNamed():
                return self.known[kind.name]
            case RecordNamed():
                return self.record(kind.name, depth + 1)

    def record(self, name: str, depth: int) -> Any:
        if name not in self.known:
            record = self.names.records[name]
            fields: list[Any] = []
            for number, field in enumerate(record.fields):
                kind = self.annotation(field.type, depth)
                optional = (msgspec.UnsetType | kind, msgspec.UNSET) if not field.required else (kind,)
                fields.append((f"f{number}", *optional))
            rename = {f"f{number}": field.name for number, field in enumerate(record.fields)}
            self.known[name] = msgspec.defstruct(
                name, fields, kw_only=True, rename=rename, forbid_unknown_fields=record.closed
            )
        return self.known[name]


def plain(kind: Type, names: Names, depth: int = 0) -> st.SearchStrategy[Any]:
    """Plain values of a type, as they come out of a body."""
    assume(depth < 8)
    match kind:
        case Scalar():
            return VALUES[kind]
        case ListOf():
            return st.lists(plain(kind.item, names, depth + 1), max_size=2)
        case SetOf():
            return st.lists(plain(kind.item, names, depth + 1), max_size=1).map(set)
        case MapOf():
            key, value = plain(kind.key, names), plain(kind.value, names, depth + 1)
            return st.dictionaries(key, value, max_size=2)
        case TupleOf():
            return st.tuples(*(plain(each, names, depth + 1) for each in kind.items)).map(list)
        case OneOf():
            return st.sampled_from([*kind.integers, *kind.texts, *kind.byte_strings, *kind.booleans])
        case Union():
            return st.one_of(plain(each, names, depth + 1) for each in kind.types)
        case EnumNamed():
            return st.sampled_from(names.enums[kind.name].members)
        case RecordNamed():
            fields = names.records[kind.name].fields
            return st.fixed_dictionaries(
                {field.name: plain(field.type, names, depth + 1) for field in fields if field.required},
                optional={
                    field.name: plain(field.type, names, depth + 1) for field in fields if not field.required
                },
            )


def converts(kind: Type, names: Names) -> Any:
    """The receiver's converter for a type; skips what no receiver could have."""
    try:
        return converter(Python(names).annotation(kind))
    except TypeError:
        assume(False)


# ---------------------------------------------------------------- properties


@given(strategies.interfaces())
def test_nothing_has_changed_between_an_interface_and_itself(interface: Interface) -> None:
    assert diff(interface, interface) == []


@given(strategies.interfaces(), strategies.interfaces())
def test_whatever_differs_is_said(old: Interface, new: Interface) -> None:
    changes = diff(old, new)
    assert (changes == []) == (old == new)
    assert set(affected(old, new)) <= {f"Invoices.{method.name}" for method in old.methods}
    assert bool(affected(old, new)) == any(change.breaking for change in changes)


@settings(max_examples=250)
@given(st.data())
def test_values_that_fit_are_taken(data: st.DataObject) -> None:
    """What the comparison of types says is true of the converter."""
    was = data.draw(strategies.names())
    now = data.draw(strategies.related_names(was))
    old = data.draw(strategies.types)
    new = data.draw(strategies.related(old))
    if Fit(was, now, "is refused").reasons(old, new):
        return
    converts(old, was)
    convert = converts(new, now)
    value = data.draw(plain(old, was))
    event("converted")
    try:
        convert(value)
    except ValueRefused as refused:
        pytest.fail(f"{old} → {new}: {value!r} is refused: {refused}")


simple = st.sampled_from(
    [Scalar.INTEGER, Scalar.TEXT, Scalar.NULL, Union((Scalar.NULL, Scalar.TEXT)), Scalar.ANY]
)
NOTHING = Names({}, {})


def function(parameters: tuple[Parameter, ...]) -> Any:
    """A function with these parameters, which says what each of them got."""
    parts: list[str] = []
    for number, each in enumerate(parameters):
        stars = {ParameterKind.REST: "*", ParameterKind.REST_NAMED: "**"}.get(each.kind, "")
        parts.append(f"{stars}{each.name}" + ("='default'" if each.has_default else ""))
        after = parameters[number + 1].kind if number + 1 < len(parameters) else None
        if each.kind is ParameterKind.POSITIONAL and after is not ParameterKind.POSITIONAL:
            parts.append("/")
    kinds = [each.kind for each in parameters]
    if ParameterKind.NAMED in kinds and ParameterKind.REST not in kinds:
        names = [part.partition("=")[0] for part in parts]
        parts.insert(names.index(parameters[kinds.index(ParameterKind.NAMED)].name), "*")
    space: dict[str, Any] = {}
    exec(f"def run({', '.join(parts)}): return locals()", space)  # noqa: S102 - a test's own
    python = Python(NOTHING)
    space["run"].__annotations__ = {each.name: python.annotation(each.type) for each in parameters}
    return space["run"]


@st.composite
def calls(draw: st.DrawFn, parameters: tuple[Parameter, ...]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call that is right."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    by_position = True
    for each in parameters:
        value = draw(plain(each.type, NOTHING))
        skip = each.has_default and draw(st.booleans())
        match each.kind:
            case ParameterKind.POSITIONAL:
                by_position = by_position and not skip
                if by_position:
                    positional.append(value)
            case ParameterKind.EITHER:
                by_position = by_position and not skip and draw(st.booleans())
                if by_position:
                    positional.append(value)
                elif not skip:
                    named[each.name] = value
            case ParameterKind.REST:
                if by_position:
                    positional += draw(st.lists(plain(each.type, NOTHING), max_size=2))
            case ParameterKind.NAMED:
                if not skip:
                    named[each.name] = value
            case ParameterKind.REST_NAMED:
                extra = st.sampled_from(["other", "new", "p0", "p1", "z"])
                taken = {known.name for known in parameters}
                more = draw(st.dictionaries(extra, plain(each.type, NOTHING), max_size=2))
                named |= {key: value for key, value in more.items() if key not in taken}
    return positional, named


def bound(parameters: tuple[Parameter, ...], positional: list[Any], named: dict[str, Any]) -> dict[str, Any]:
    method = Bound("m", function(parameters))
    args, kwargs = method.bind(positional, named)
    return method.function(*args, **kwargs)


@settings(max_examples=500)
@given(st.data())
def test_calls_that_are_not_affected_succeed(data: st.DataObject) -> None:
    """And each argument reaches the parameter that it was meant for."""
    old = data.draw(strategies.parameters(simple))
    new = data.draw(strategies.related_parameters(old, simple))
    fit = Fit(NOTHING, NOTHING, "is refused")
    found = compare_parameters(old, new, lambda was, now: (fit.reasons(was, now), ""))
    if any(breaking for _, breaking in found):
        return
    positional, named = data.draw(calls(old))
    before = bound(old, positional, named)
    event("called")
    try:
        after = bound(new, positional, named)
    except (BadArguments, TypeError) as error:
        pytest.fail(f"{old} → {new}: {positional} {named} is refused: {error!r}")
    by_name = (ParameterKind.EITHER, ParameterKind.NAMED)
    kept = {each.name for each in new if each.kind in by_name}
    for each in old:
        if each.kind in by_name and each.name in kept:
            assert after.get(each.name) == before.get(each.name)


# ---------------------------------------------------------------- what is said


class Status(enum.Enum):
    OPEN = 1
    PAID = 2


@dataclass
class Line:
    net: int
    text: str = ""


class Unknown(Exception):
    customer: str


def method(**parts: Any) -> Interface:
    """An interface of one method."""
    given: dict[str, Any] = {
        "shape": Shape.UNARY,
        "parameters": (),
        "takes": None,
        "gives": Scalar.NULL,
        "raises": (),
        **parts,
    }
    return Interface("A", None, (), (), (), (Method("m", **given),))


def made(source: object) -> Interface:
    return build(source if isinstance(source, type) else type(source), "A")


def signature(text: str) -> Interface:
    """The interface whose method `m` has this signature."""
    space: dict[str, Any] = {**globals(), "AsyncIterator": collections.abc.AsyncIterator}
    exec(f"class A:\n    @graftwire.exposed\n    def m(self, {text}: ...", space)  # noqa: S102 - a test's own
    return made(space["A"])


@pytest.mark.parametrize(
    ("old", "new", "what", "breaking"),
    [
        ("a: int) -> int", "a: int | None) -> int", "the parameter a: integer is now integer | null", False),
        (
            "a: int | None) -> int",
            "a: int) -> int",
            "the parameter a: null is refused: expected integer",
            True,
        ),
        ("a: int) -> int", "a: str) -> int", "the parameter a: integer is refused: expected text", True),
        ("a: int) -> int", "a: float) -> int", "the parameter a: integer is refused: expected float", True),
        ("a: int) -> int", "a: int = 1) -> int", "the parameter a has a default", False),
        ("a: int = 1) -> int", "a: int) -> int", "the parameter a has no default any more", True),
        ("a: int) -> int", "a: int, b: int) -> int", "the parameter b is new, and needed", True),
        ("a: int) -> int", "a: int, b: int = 1) -> int", "the parameter b is new", False),
        ("a: int) -> int", "a: int, *, b: int = 1) -> int", "the parameter b is new", False),
        ("a: int) -> int", "b: int = 1, a: int = 1) -> int", "the parameter a has another position", True),
        ("a: int, b: int) -> int", "a: int) -> int", "the parameter b is gone, or has another name", True),
        ("a: int) -> int", "*, a: int) -> int", "the parameter a can't be given by position any more", True),
        ("a: int) -> int", "a: int, /) -> int", "the parameter a can't be given by name any more", True),
        ("*, a: int) -> int", "a: int) -> int", "the parameter a may be given by position, too", False),
        ("a: int, /) -> int", "a: int) -> int", "the parameter a may be given by name, too", False),
        ("a: int, /) -> int", "b: int, /) -> int", "the parameter a is now called b", False),
        (
            "a: int, *r: int) -> int",
            "a: int) -> int",
            "the parameter r is gone: it takes no further arguments",
            True,
        ),
        (
            "a: int) -> int",
            "a: int, *r: int) -> int",
            "the parameter r is new: it takes further arguments",
            False,
        ),
        (
            "a: int, *r: int) -> int",
            "a: int, b: int = 1, *r: int) -> int",
            "the parameter b is new, and takes what was one of r",
            True,
        ),
        (
            "a: int) -> int",
            "a: int) -> int | None",
            "the result: null is new to callers: expected integer",
            True,
        ),
        ("a: int) -> int | None", "a: int) -> int", "the result: integer | null is now integer", False),
        (
            "a: Status) -> int",
            "a: Literal['OPEN']) -> int",
            "the parameter a: PAID of Status is refused",
            True,
        ),
        ("a: Literal['OPEN']) -> int", "a: Status) -> int", "the parameter a: 'OPEN' is now Status", False),
        (
            "a: int) -> Literal['OPEN']",
            "a: int) -> Status",
            "the result: PAID of Status is new to callers",
            True,
        ),
        (
            "a: int, /, *, b: int) -> int",
            "b: int) -> int",
            "the parameter b takes what two of them took: by position, and by name",
            True,
        ),
        (
            "*, a: int, b: int = 1) -> int",
            "*, a: int, **more: int) -> int",
            "the parameter b is now one of more",
            False,
        ),
        (
            "a: int) -> AsyncIterator[int]",
            "a: int) -> int",
            "was a call that gives a stream and is a plain call",
            True,
        ),
    ],
)
def test_what_is_said(old: str, new: str, what: str, breaking: bool) -> None:
    assert Change("A.m", what, breaking) in diff(signature(old), signature(new))
    assert any(change.breaking for change in diff(signature(old), signature(new))) == breaking


def records(net: str, **options: Any) -> tuple[Any, Any]:
    """An interface that takes a record with such fields, and one that gives it."""
    space: dict[str, Any] = {**globals(), **options}
    line = f"class Line(msgspec.Struct, kw_only=True, **options):\n  {net}\n"
    exec(line, {**space, "options": options}, space)  # noqa: S102 - a test's own
    exec(  # noqa: S102 - a test's own
        "class A:\n  @graftwire.exposed\n  def m(self, a: Line) -> None: ...\n"
        "class B:\n  @graftwire.exposed\n  def m(self) -> Line: ...\n",
        space,
    )
    return made(space["A"]), made(space["B"])


UNTOUCHED = "a record or an enum that it uses has changed"


@pytest.mark.parametrize(
    ("old", "new", "as_argument", "as_result"),
    [
        (
            "a: int",
            "a: int; b: int",
            ("the parameter a: the field b of Line may be missing", True),
            (UNTOUCHED, False),
        ),
        ("a: int", "a: int; b: int = 1", (UNTOUCHED, False), (UNTOUCHED, False)),
        (
            "a: int; b: int",
            "a: int",
            (UNTOUCHED, False),
            ("the result: the field b of Line may be missing", True),
        ),
        (
            "a: int",
            "a: int = 1",
            (UNTOUCHED, False),
            ("the result: the field a of Line may be missing", True),
        ),
        (
            "a: int",
            "a: int | None",
            (UNTOUCHED, False),
            ("the result: the field a of Line: null is new to callers: expected integer", True),
        ),
        (
            "a: int | None",
            "a: int",
            ("the parameter a: the field a of Line: null is refused: expected integer", True),
            (UNTOUCHED, False),
        ),
    ],
)
def test_records_in_both_directions(
    old: str, new: str, as_argument: tuple[str, bool], as_result: tuple[str, bool]
) -> None:
    (taken, given), (takes_now, gives_now) = records(old), records(new)
    assert diff(taken, takes_now) == [Change("A.m", *as_argument)]
    assert diff(given, gives_now) == [Change("A.m", *as_result)]


def test_a_closed_record_refuses_a_field_that_is_gone() -> None:
    old, _ = records("a: int; b: int = 1")
    new, _ = records("a: int", forbid_unknown_fields=True)
    assert diff(old, new) == [
        Change("A.m", "the parameter a: the field b is none of Line, which is closed", True)
    ]


def test_exceptions() -> None:
    class Old:
        @graftwire.raises(Unknown)
        def m(self) -> None: ...

    class New:
        @graftwire.raises(KeyError)
        def m(self) -> None: ...

    Other = type("Unknown", (Exception,), {"__annotations__": {"number": int}})  # noqa: N806

    class Fields:
        @graftwire.raises(Other)
        def m(self) -> None: ...

    assert diff(made(Old), made(New)) == [
        Change("A.m", "raises KeyError, too", True),
        Change("A.m", "does not raise Unknown any more", False),
    ]
    assert diff(made(Old), made(Fields)) == [
        Change("A.m", "Unknown has no field customer any more", True),
        Change("A.m", "Unknown has a new field number", True),
    ]


def test_methods_and_names() -> None:
    class Old:
        def gone(self) -> None: ...

        def kept(self) -> None: ...

    @graftwire.interface(version="2")
    class New:
        def kept(self) -> None: ...

        def new(self) -> None: ...

    assert diff(made(Old), made(New)) == [
        Change("A", "version none is now 2", False),
        Change("A.gone", "is gone", True),
        Change("A.new", "is new", False),
    ]
    assert affected(made(Old), made(New)) == {"A.gone": ["is gone"]}
    assert affected(build(Old, "A"), build(Old, "B")) == {
        f"A.{name}": ["is called B, so its targets are others"] for name in ("gone", "kept")
    }


def test_a_record_inside_of_itself() -> None:
    class Old(Protocol):
        def m(self, a: Tree) -> Tree: ...

    class New(Protocol):
        def m(self, a: Bush) -> Bush: ...

    assert diff(made(Old), made(New)) == [
        Change("A.m", "the parameter a: Tree is now Bush", False),
        Change("A.m", "the result: Tree is now Bush", False),
    ]


@dataclass
class Twig:
    inner: list[Twig | None]


class Twigs(Protocol):
    """What a caller of hostile metadata was written for."""

    def m(self, a: Twig) -> Twig | None: ...


def hostile(inner: dict[str, Type]) -> Interface:
    """An interface that takes and gives the first of some records, each with a field `inner` of a type of its own."""
    first = RecordNamed(next(iter(inner)))
    method = Method("m", Shape.UNARY, (Parameter("a", ParameterKind.EITHER, first, False),), None, first, ())
    records = tuple(Record(name, False, (Field("inner", inner[name], True),)) for name in sorted(inner))
    return decode(encode(Interface("A", None, (), (), records, (method,))))


def list_of(*names: str) -> Type:
    return ListOf(union([Scalar.NULL, *map(RecordNamed, names)]))


def chain(length: int) -> Interface:
    """Records that fit `Twig`, each inside of the one before."""
    names = [f"R{at:05}" for at in range(length)]
    return hostile({name: list_of(after) for name, after in zip(names, [*names[1:], names[0]], strict=True)})


def branches(last: Type) -> Interface:
    """Two records a level, either of which leads to both of the next level: there are 2^40 ways to `last`."""
    inner = {
        f"R{at:02}{which}": list_of(f"R{at + 1:02}a", f"R{at + 1:02}b") for at in range(40) for which in "ab"
    }
    return hostile({"First": list_of("R00a", "R00b"), **inner, "R40a": last, "R40b": last})


@pytest.mark.parametrize(
    ("made", "fits"),
    [
        (lambda: chain(30), True),
        (lambda: chain(15_000), False),
        (lambda: branches(list_of("First")), True),
        (lambda: branches(Scalar.TEXT), False),
    ],
    ids=["chain", "long-chain", "branches", "branches-that-do-not-fit"],
)
def test_hostile_metadata_is_compared_in_bounded_time(made: Callable[[], Interface], fits: bool) -> None:
    new = made()
    began = time_.monotonic()
    changes = diff(build(Twigs, "A"), new)
    assert time_.monotonic() - began < 10
    assert any(change.breaking for change in changes) is not fits


def test_what_takes_too_many_steps_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graftwire.gateway.metadata.fits.STEPS", 5)
    fit = Fit(NOTHING, NOTHING, "is refused")
    assert fit.reasons(TupleOf((Scalar.TEXT,) * 4), ListOf(Scalar.TEXT)) == []
    assert fit.reasons(Scalar.TEXT, Scalar.TEXT) == [TOO_MUCH]


def test_a_long_name_is_not_said_once_for_each_field() -> None:
    name = "R" * 100_000
    record = Record(name, False, tuple(Field(f"f{at:05}", Scalar.TEXT, True) for at in range(20_000)))
    members = Enum(name, tuple(f"M{at:05}" for at in range(20_000)))
    names = Names({name: record, "Twig": Record("Twig", False, ())}, {name: members})
    fit = Fit(names, names, "is refused")
    assert len(fit.reasons(RecordNamed("Twig"), RecordNamed(name))) == MISFITS
    assert len(fit.reasons(EnumNamed(name), Scalar.INTEGER)) == MISFITS


@dataclass
class Tree:
    inner: list[Tree]


@dataclass
class Bush:
    inner: list[Bush]
