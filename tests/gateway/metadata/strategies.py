"""Interfaces of all kinds, and interfaces that others could have become."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from graftwire.gateway.metadata.annotations import union
from graftwire.gateway.metadata.check import names_in, types_of_method
from graftwire.gateway.metadata.fits import Names
from graftwire.gateway.metadata.model import (
    Attribute,
    Enum,
    EnumNamed,
    Failure,
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

RECORDS = ("Line", "Order")
ENUMS = ("Kind", "Status")
labels = st.sampled_from(["a", "b", "c", "größe", "x y"])
members = st.frozensets(st.sampled_from(["RED", "BLUE", "PAID", "a"]), min_size=1)


def _sorted(names: Any) -> tuple[Any, ...]:
    return tuple(sorted(names))


choices = st.builds(
    OneOf,
    st.frozensets(st.integers(-2, 2)).map(_sorted),
    st.frozensets(st.sampled_from(["a", "RED", "PAID", ""])).map(_sorted),
    st.frozensets(st.binary(max_size=1)).map(_sorted),
    st.frozensets(st.booleans()).map(_sorted),
).filter(lambda choice: choice != OneOf())
enums_named = st.sampled_from(ENUMS).map(EnumNamed)
scalars = st.sampled_from(Scalar)
keys = st.one_of(st.sampled_from([Scalar.TEXT, Scalar.INTEGER]), enums_named)
elements = st.one_of(
    st.sampled_from([Scalar.INTEGER, Scalar.TEXT, Scalar.UUID, Scalar.DECIMAL, Scalar.ANY]), enums_named
)
leaves = st.one_of(
    scalars, choices, enums_named, st.sampled_from(RECORDS).map(RecordNamed), st.builds(SetOf, elements)
)


def _with_parts(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    return st.one_of(
        st.builds(ListOf, inner),
        st.builds(MapOf, keys, inner),
        st.lists(inner, max_size=3).map(lambda items: TupleOf(tuple(items))),
        st.lists(inner, min_size=2, max_size=3).map(union),
    )


types: st.SearchStrategy[Type] = st.recursive(leaves, _with_parts, max_leaves=5)
enums = members.map(_sorted)


def named(parts: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[Any]:
    """Parts with names, in the order of the names, none twice."""
    return st.lists(parts, max_size=most, unique_by=lambda each: each.name).map(
        lambda each: tuple(sorted(each, key=lambda part: part.name.encode()))
    )


fields = st.builds(Field, labels, types, st.booleans())


@st.composite
def names(draw: st.DrawFn) -> Names:
    """Every record and enum that a type may name."""
    return Names(
        {name: Record(name, draw(st.booleans()), draw(named(fields))) for name in RECORDS},
        {name: Enum(name, draw(enums)) for name in ENUMS},
    )


@st.composite
def parameters(draw: st.DrawFn, of: st.SearchStrategy[Type] = types) -> tuple[Parameter, ...]:
    """Parameters in an order that Python has, too."""
    found: list[Parameter] = []
    for kind in sorted(
        draw(st.lists(st.sampled_from(ParameterKind), max_size=4)), key=list(ParameterKind).index
    ):
        found += [part(draw, f"p{len(found)}", kind, of)]
    return tidy(found)


def part(draw: st.DrawFn, name: str, kind: ParameterKind, of: st.SearchStrategy[Type]) -> Parameter:
    """One parameter."""
    rest = kind in (ParameterKind.REST, ParameterKind.REST_NAMED)
    return Parameter(name, kind, draw(of), not rest and draw(st.booleans()))


def tidy(found: list[Parameter]) -> tuple[Parameter, ...]:
    """The same in an order that Python has: by kind, without a needed one behind one with a default."""
    order = list(ParameterKind)
    once: dict[object, Parameter] = {}
    for each in found:
        rest = each.kind in (ParameterKind.REST, ParameterKind.REST_NAMED)
        once.setdefault(each.kind if rest else each.name, each)
    kept = {each.name: each for each in once.values()}
    defaults = False
    tidied: list[Parameter] = []
    for each in sorted(kept.values(), key=lambda parameter: order.index(parameter.kind)):
        if each.kind in (ParameterKind.POSITIONAL, ParameterKind.EITHER):
            defaults = defaults or each.has_default
            each = Parameter(each.name, each.kind, each.type, defaults)  # noqa: PLW2901 - the same, corrected
        tidied.append(each)
    return tuple(tidied)


@st.composite
def interfaces(draw: st.DrawFn) -> Interface:
    """A whole interface with nothing in it that no method leads to."""
    known = draw(names())
    failures = draw(
        named(
            st.builds(
                Failure, st.sampled_from(["Unknown", "Over"]), named(st.builds(Attribute, labels, types))
            )
        )
    )
    methods: list[Method] = []
    for name in sorted(draw(st.frozensets(st.sampled_from(["total", "lines", "add"]), min_size=1))):
        shape = draw(st.sampled_from(Shape))
        takes = draw(types) if shape in (Shape.CLIENT_STREAM, Shape.BOTH_STREAMS) else None
        raises = tuple(failure.name for failure in failures if draw(st.booleans()))
        methods.append(Method(name, shape, draw(parameters()), takes, draw(types), raises))
    raised = {name for method in methods for name in method.raises}
    failures = tuple(failure for failure in failures if failure.name in raised)
    roots = [each for method in methods for each in types_of_method(method)]
    used = reached(names_in([*roots, *(f.type for failure in failures for f in failure.fields)]), known)
    return Interface(
        "Invoices",
        draw(st.none() | st.just("1.2")),
        tuple(known.enums[name] for name in ENUMS if name in used),
        failures,
        tuple(known.records[name] for name in RECORDS if name in used),
        tuple(methods),
    )


def reached(used: set[str], known: Names) -> set[str]:
    """These names, and those that their records lead to."""
    found: set[str] = set()
    while used - found:
        name = (used - found).pop()
        found.add(name)
        if name in known.records:
            used = used | names_in(field.type for field in known.records[name].fields)
    return found


# ---------------------------------------------------------------- what others could have become


@st.composite
def related(draw: st.DrawFn, was: Type, depth: int = 2) -> Type:
    """A type that somebody could have made of another: the same, a wider or a narrower one, or something else."""
    how = draw(st.integers(0, 7))
    if how <= 2 or depth == 0:
        return was
    if how == 3:
        return Scalar.ANY
    if how == 4:
        return union([was, draw(leaves)])
    if how == 5:
        return draw(types)
    match was:
        case ListOf():
            return ListOf(draw(related(was.item, depth - 1)))
        case MapOf():
            return MapOf(was.key, draw(related(was.value, depth - 1)))
        case TupleOf():
            items = tuple(draw(related(item, depth - 1)) for item in was.items)
            return TupleOf(items) if how == 6 or not items else ListOf(union(items))
        case Union():
            return union(draw(related(each, depth - 1)) for each in was.types)
        case OneOf() | EnumNamed():
            return draw(st.sampled_from([Scalar.TEXT, was, EnumNamed(ENUMS[0])]))
        case _:
            return was


@st.composite
def related_names(draw: st.DrawFn, was: Names) -> Names:
    """Records and enums that somebody could have made of others."""
    records: dict[str, Record] = {}
    for name, record in was.records.items():
        kept = [
            Field(each.name, draw(related(each.type)), each.required and draw(st.booleans()))
            for each in record.fields
            if draw(st.integers(0, 5))
        ]
        known = {each.name for each in kept}
        kept += [each for each in draw(named(fields, 1)) if each.name not in known]
        closed = record.closed and draw(st.booleans())
        records[name] = Record(name, closed, tuple(sorted(kept, key=lambda each: each.name.encode())))
    enums_now = {
        name: Enum(name, _sorted({*enum.members, *draw(st.frozensets(st.sampled_from(["NEW"])))}))
        for name, enum in was.enums.items()
    }
    return Names(records, enums_now)


@st.composite
def related_parameters(
    draw: st.DrawFn, was: tuple[Parameter, ...], of: st.SearchStrategy[Type]
) -> tuple[Parameter, ...]:
    """Parameters that somebody could have made of others."""
    found: list[Parameter] = []
    for each in was:
        how = draw(st.integers(0, 11))
        if how == 0:
            continue
        name = "other" if how == 1 else each.name
        kind = draw(st.sampled_from(ParameterKind)) if how == 2 else each.kind
        rest = kind in (ParameterKind.REST, ParameterKind.REST_NAMED)
        default = not rest and (each.has_default if how < 9 else draw(st.booleans()))
        wider = union([each.type, draw(of)]) if how in (3, 4) else each.type
        found.append(Parameter(name, kind, draw(of) if how == 5 else wider, default))
    if draw(st.booleans()):
        found.insert(
            draw(st.integers(0, len(found))), part(draw, "new", draw(st.sampled_from(ParameterKind)), of)
        )
    if draw(st.integers(0, 5)) == 0:
        found = draw(st.permutations(found))
    return tidy(found)
