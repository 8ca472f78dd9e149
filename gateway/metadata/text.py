"""An interface as readable text."""

from __future__ import annotations

from collections.abc import Iterator

from .model import (
    Enum,
    EnumNamed,
    Failure,
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
)


def text(interface: Interface) -> str:
    """All that there is of an interface, in lines: its name and version, then methods, exceptions, records, enums."""
    lines = [f"{interface.name} {interface.version}" if interface.version is not None else interface.name]
    lines += [f"  {method_text(method)}" for method in interface.methods]
    for exception in interface.exceptions:
        lines += _block("exception", exception.name, _attributes(exception))
    for record in interface.records:
        lines += _block("closed record" if record.closed else "record", record.name, _fields(record))
    lines += [f"  {_enum(enum)}" for enum in interface.enums]
    return "\n".join(lines) + "\n"


def method_text(method: Method) -> str:
    """The signature of a method in one line."""
    parts = [_parameter(each) for each in method.parameters]
    first_named = next(
        (at for at, each in enumerate(method.parameters) if each.kind is ParameterKind.NAMED), None
    )
    if first_named is not None and not any(
        each.kind is ParameterKind.REST for each in method.parameters[:first_named]
    ):
        parts.insert(first_named, "*")
    only = sum(each.kind is ParameterKind.POSITIONAL for each in method.parameters)
    if only:
        parts.insert(only, "/")
    if method.takes is not None:
        parts.append(f"stream of {type_text(method.takes)}")
    gives = type_text(method.gives)
    if method.shape in (Shape.SERVER_STREAM, Shape.BOTH_STREAMS):
        gives = f"stream of {gives}"
    raises = f" raises {', '.join(method.raises)}" if method.raises else ""
    return f"{method.name}({', '.join(parts)}) -> {gives}{raises}"


def type_text(kind: Type) -> str:
    """A type in words, as in `list[integer]`, `text | null`."""
    match kind:
        case Scalar():
            return kind.value
        case ListOf():
            return f"list[{type_text(kind.item)}]"
        case SetOf():
            return f"set[{type_text(kind.item)}]"
        case MapOf():
            return f"map[{type_text(kind.key)}, {type_text(kind.value)}]"
        case TupleOf():
            return f"tuple[{', '.join(map(type_text, kind.items))}]"
        case RecordNamed() | EnumNamed():
            return kind.name
        case OneOf():
            values: list[object] = [*kind.integers, *kind.texts, *kind.byte_strings]
            return " | ".join([*map(repr, values), *(str(each).lower() for each in kind.booleans)])
        case _:
            last = [each for each in kind.types if each is Scalar.NULL]
            return " | ".join(map(type_text, [each for each in kind.types if each not in last] + last))


def _parameter(parameter: Parameter) -> str:
    stars = {ParameterKind.REST: "*", ParameterKind.REST_NAMED: "**"}.get(parameter.kind, "")
    default = " = …" if parameter.has_default else ""
    return f"{stars}{parameter.name}: {type_text(parameter.type)}{default}"


def _block(what: str, name: str, lines: Iterator[str]) -> Iterator[str]:
    yield f"  {what} {name}"
    yield from (f"    {line}" for line in lines)


def _attributes(exception: Failure) -> Iterator[str]:
    return (f"{field.name}: {type_text(field.type)}" for field in exception.fields)


def _fields(record: Record) -> Iterator[str]:
    return (
        f"{field.name}: {type_text(field.type)}{'' if field.required else ' = …'}" for field in record.fields
    )


def _enum(enum: Enum) -> str:
    return f"enum {enum.name}: {', '.join(enum.members)}"
