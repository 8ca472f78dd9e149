"""Which members of a class are public. Nothing is by accident.

- What the class itself defines: methods, class methods, static methods, and properties whose getter is annotated.
- What it inherits from a *declared* base: one that is marked with `interface`, or a Protocol, because to write a
  Protocol is to declare an interface. Such a base says which names are public; what runs is what Python would run.
- What carries the mark `exposed`, wherever it comes from.

Never a name with an underscore in front, never a nested class, and never a function that was written elsewhere and only
put into the class body (unless it is `exposed`).
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from types import MethodType
from typing import Any, Final, NamedTuple, TypeVar, cast, overload

Class = TypeVar("Class", bound=type)
Exposed = TypeVar("Exposed")

_log: Final = logging.getLogger("graftwire.gateway")

_INTERFACE: Final = "__graftwire_interface__"
_EXPOSED: Final = "__graftwire_exposed__"
RAISES: Final = "__graftwire_raises__"  # the exceptions that `graftwire.raises` declared, by name
NAME: Final = re.compile(r"[!-~]{1,127}")
VERSION: Final = re.compile(r"[!-~]{1,64}")
RESERVED: Final = "graftwire."


class Kind(StrEnum):
    """How a member gets at what it works on."""

    INSTANCE = "instance"
    CLASS = "class"
    STATIC = "static"
    PROPERTY = "property"


class Member(NamedTuple):
    """A public member: its name, the function that the user wrote, and how that is bound."""

    name: str
    function: Callable[..., Any]
    kind: Kind

    def bound_to(self, hosted: object) -> Callable[..., Any]:
        """What to call for this member of `hosted`. Runs no code of the user's, and makes no new function."""
        if self.kind is Kind.STATIC:
            return self.function
        if self.kind is Kind.CLASS:
            return MethodType(self.function, hosted if isinstance(hosted, type) else type(hosted))
        return MethodType(self.function, hosted)


class Untyped:
    """Something to host whose parameters and results without an annotation are of the type any: a choice."""

    __slots__ = ("hosted",)

    def __init__(self, hosted: object) -> None:
        self.hosted = hosted


class Mark(NamedTuple):
    """What `interface` was given."""

    name: str | None
    version: str | None


@overload
def interface(cls: Class, /) -> Class: ...


@overload
def interface(*, name: str | None = None, version: str | None = None) -> Callable[[Class], Class]: ...


def interface(
    cls: Class | None = None, /, *, name: str | None = None, version: str | None = None
) -> Class | Callable[[Class], Class]:
    """Mark a class as an interface: what it defines is public in the classes that inherit from it, too.

    `name` is what it is hosted as where a whole module is hosted (the class's own name unless given); `version`
    identifies the version of the interface in its metadata: 1 to 64 printable ASCII characters without spaces.
    A subclass has the version of its nearest base that has one. Raises ValueError for a name or version that can't be.
    """
    if name is not None and (not NAME.fullmatch(name) or name.startswith(RESERVED)):
        raise ValueError("the name of an interface is printable ASCII without spaces, and not graftwire.…")
    if version is not None and not VERSION.fullmatch(version):
        raise ValueError(
            "the version of an interface is 1 to 64 printable ASCII characters without spaces, as in 1.2"
        )

    def mark(cls: Class) -> Class:
        setattr(cls, _INTERFACE, Mark(name, version))
        return cls

    return mark if cls is None else mark(cls)


def exposed(member: Exposed) -> Exposed:
    """Mark a method (also a static, a class method or a property) as public where it would not be.

    That is: where it is inherited from a base that is no interface, or was written outside of the class and is put
    into its body. Returns what it was given. Raises TypeError for what can't carry the mark or can never be public.
    """
    function = _function(member) or member
    if not callable(function) or isinstance(function, type):
        raise TypeError("only a method or a property can be exposed; write one that calls it")
    if getattr(function, "__name__", "").startswith("_"):
        raise TypeError("a name with an underscore in front is never public")
    try:
        setattr(function, _EXPOSED, True)
    except (AttributeError, TypeError):
        raise TypeError(
            "only what is written in Python can be exposed; write a method that calls it"
        ) from None
    return member


def _function(member: object) -> object:
    """The function inside a static method, a class method or a property; None for what is none of them."""
    if isinstance(member, staticmethod | classmethod):
        return cast("staticmethod[..., object]", member).__func__
    return member.fget if isinstance(member, property) else None


def mark_of(cls: type) -> Mark | None:
    """What `interface` was given for this very class; None if it is not marked."""
    return vars(cls).get(_INTERFACE)


def is_protocol(cls: type) -> bool:
    """Whether a class is a Protocol itself, not one that implements it."""
    return bool(vars(cls).get("_is_protocol", False))


def name_of(cls: type) -> str:
    """What a class is hosted as unless somebody says otherwise."""
    mark = mark_of(cls)
    return mark.name if mark is not None and mark.name is not None else cls.__name__


def version_of(cls: type) -> str | None:
    """The version of a class's interface: that of the nearest class in its order of inheritance that has one."""
    marks = (mark_of(each) for each in cls.__mro__)
    return next((mark.version for mark in marks if mark is not None and mark.version is not None), None)


def members_of(cls: type, *, instance: bool = True, told: bool = False) -> list[Member]:
    """The public members of a class, by name; `instance`: of an instance of it, not of the class object itself.

    With `told`, says in the log which functions were left out although they look public, and what to do about it.
    """
    found = [member for _, _, member in _candidates(cls, told=told) if member is not None]
    if not instance:
        found = [member for member in found if member.kind in (Kind.CLASS, Kind.STATIC)]
    return sorted(found)


def _candidates(cls: type, *, told: bool) -> Iterator[tuple[str, object, Member | None]]:
    """What Python finds under each name of the class and its bases, and the member that it is, if it is public."""
    declared = {
        name
        for owner in cls.__mro__
        if owner is cls or is_protocol(owner) or mark_of(owner) is not None
        for name in vars(owner)
    }
    seen: set[str] = set()
    for owner in cls.__mro__:
        for name, found in vars(owner).items():
            if name in seen or name.startswith("_"):
                continue
            seen.add(name)
            yield name, found, _member(name, found, owner, cls, declared=name in declared, told=told)


def _member(name: str, found: object, owner: type, cls: type, *, declared: bool, told: bool) -> Member | None:
    function = _function(found) or found
    if not callable(function) or isinstance(found, type):
        # partialmethod, cached_property and the like; what has a __set__ (a slot) was never taken for a method.
        if told and declared and hasattr(type(found), "__get__") and not inspect.isdatadescriptor(found):
            _tell(
                cls,
                name,
                "is neither a method nor a property, so it is not public; write a method that calls it",
            )
        return None
    marked = getattr(function, _EXPOSED, False) is True
    if not (declared or marked):
        return None
    if not marked and not _written_in(function, owner):
        if told:
            _tell(
                cls,
                name,
                "was not written in that class, so it is not public; write a method that calls it, or mark it with "
                "graftwire.exposed",
            )
        return None
    if isinstance(found, property):
        annotated = "return" in getattr(inspect.unwrap(function), "__annotations__", {})
        return Member(name, function, Kind.PROPERTY) if annotated or marked else None
    if isinstance(found, classmethod):
        return Member(name, function, Kind.CLASS)
    # What does not bind itself to the object is called as it is: a partial, an object with `__call__`.
    static = isinstance(found, staticmethod) or not hasattr(type(function), "__get__")
    return Member(name, function, Kind.STATIC if static else Kind.INSTANCE)


def _tell(cls: type, name: str, what: str) -> None:
    module = "" if cls.__module__ == "__main__" else f"{cls.__module__}."
    _log.warning("%s%s.%s %s", module, cls.__qualname__, name, what)


def _written_in(function: object, owner: type) -> bool:
    """Whether a function was written in the body of a class. What functools.wraps made counts as what it wraps."""
    name: object = getattr(function, "__qualname__", None)
    return (
        inspect.isfunction(function)
        and function.__module__ == owner.__module__
        and isinstance(name, str)
        and name.rpartition(".")[0] == owner.__qualname__
    )
