"""A whole module as what is to be hosted: its public classes.

A class is public in a module if `__all__` names it or `graftwire.interface` marks it, and it was defined there. What
`__all__` names and is a record, an enum or an exception belongs to the interfaces and is none. Protocols and abstract
classes only declare: what implements them is hosted.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from enum import Enum
from types import ModuleType
from typing import Any

from graftwire.protocol.records import layout_of

from .members import is_protocol, mark_of, members_of, name_of
from .problems import InterfaceError, place_of_class


def public_classes(module: ModuleType) -> dict[str, type]:
    """The public classes of a module, by the name to host each under. Raises InterfaceError."""
    found: dict[str, type] = {}
    problems: list[str] = []
    for cls in _classes(module):
        name = name_of(cls)
        if name in found and found[name] is not cls:
            problems.append(
                f"{place_of_class(cls)}two classes would be hosted as {name}; give one another name with "
                'graftwire.interface(name="…")'
            )
        found[name] = cls
    if not found:
        problems.append(
            f"the module {module.__name__} has no public class to host; name one in its __all__, or mark it with "
            "graftwire.interface()"
        )
    if problems:
        raise InterfaceError(*problems)
    return found


def _classes(module: ModuleType) -> Iterator[type]:
    listed: object = getattr(module, "__all__", ())
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise InterfaceError(f"the __all__ of the module {module.__name__} is no list of names; make it one")
    found: Any
    for name, found in vars(module).items():
        if not isinstance(found, type) or name.startswith("_") or found.__module__ != module.__name__:
            continue
        if is_protocol(found) or inspect.isabstract(found):
            continue
        if mark_of(found) is not None or (name in listed and _is_service(found)):
            yield found


def _is_service(cls: type[Any]) -> bool:
    if issubclass(cls, Enum | BaseException) or layout_of(cls) is not None:
        return False
    return bool(members_of(cls))


def needed_arguments(cls: type) -> str:
    """The arguments that making one can't do without, in words; empty if there are none."""
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (ValueError, TypeError):
        return ""  # a class written in C may not tell; making one will
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    names = [p.name for p in parameters if p.default is p.empty and p.kind not in variable]
    return f"the argument{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else ""
