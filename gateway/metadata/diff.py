"""What a change of an interface means for callers that were made from the old one and talk to the new one.

A change is breaking if a call that was right may now be refused or mean something else, or if what comes back may be
none of what the caller knows. Arguments may be widened and results narrowed; never the other way round.
"""

from __future__ import annotations

from typing import NamedTuple

from .check import names_in, types_of_method
from .fits import Fit, Names, names_of
from .model import Failure, Interface, Method, Shape, Type
from .parameters import compare_parameters
from .text import type_text


class Change(NamedTuple):
    """One difference: in what (`Invoices`, `Invoices.total`), what it is, and whether it breaks callers."""

    where: str
    what: str
    breaking: bool


def diff(old: Interface, new: Interface) -> list[Change]:
    """The changes from `old` to `new`, in the order of their places; empty if and only if the two are equal."""
    if old == new:
        return []
    changes: list[Change] = []
    if old.name != new.name:
        changes.append(Change(old.name, f"is called {new.name}, so its targets are others", True))
    if old.version != new.version:
        changes.append(
            Change(old.name, f"version {old.version or 'none'} is now {new.version or 'none'}", False)
        )
    methods = {method.name: method for method in new.methods}
    known = {method.name for method in old.methods}
    comparison = _Comparison(old, new)
    for method in old.methods:
        changes += comparison.changes(method, methods.get(method.name))
    added = [Change(f"{old.name}.{name}", "is new", False) for name in methods if name not in known]
    changes = sorted([*changes, *added], key=lambda change: change.where)
    if not changes:  # only the names of records or enums, which do not cross the wire
        changes.append(Change(old.name, "records or enums have other names", False))
    return changes


def affected(old: Interface, new: Interface) -> dict[str, list[str]]:
    """The methods of `old` that callers made from it can't rely on any more, with what has changed in each.

    If the name of the interface has changed, that is all of them.
    """
    changes = [change for change in diff(old, new) if change.breaking]
    everything = [change.what for change in changes if change.where == old.name]
    found: dict[str, list[str]] = {}
    for method in old.methods:
        target = f"{old.name}.{method.name}"
        texts = everything + [change.what for change in changes if change.where == target]
        if texts:
            found[target] = texts
    return found


class _Comparison:
    """What has become of the methods of an interface, one after the other."""

    def __init__(self, old: Interface, new: Interface) -> None:
        self._interfaces = old, new
        self._names = names_of(old), names_of(new)
        self._arguments = Fit(*self._names, "is refused")
        self._results = Fit(self._names[1], self._names[0], "is new to callers")
        self._where = ""
        self._found: list[Change] = []

    def changes(self, was: Method, now: Method | None) -> list[Change]:
        """The changes of one method; None if it is gone."""
        self._where, self._found = f"{self._interfaces[0].name}.{was.name}", []
        if now is None:
            self._say("is gone", breaking=True)
            return self._found
        if was.shape is not now.shape:
            self._say(f"was {_SHAPES[was.shape]} and is {_SHAPES[now.shape]}", breaking=True)
        for what, breaking in compare_parameters(was.parameters, now.parameters, self._compare_argument):
            self._say(what, breaking=breaking)
        if was.takes is not None and now.takes is not None:
            self._compare(self._arguments, was.takes, now.takes, "the items that it takes")
        self._compare(self._results, now.gives, was.gives, "the result")
        self._compare_raises(was, now)
        if not self._found and self._differs(was, now):
            self._say("a record or an enum that it uses has changed", breaking=False)
        return self._found

    def _say(self, what: str, *, breaking: bool) -> None:
        self._found.append(Change(self._where, what, breaking))

    def _compare_argument(self, was: Type, now: Type) -> tuple[list[str], str]:
        """Why old arguments may be refused, and what the change is called."""
        return self._arguments.reasons(was, now), _told(was, now)

    def _compare(self, fit: Fit, given: Type, taken: Type, what: str) -> None:
        was, now = (given, taken) if fit is self._arguments else (taken, given)
        reasons = fit.reasons(given, taken)
        for reason in reasons:
            self._say(f"{what}: {reason}", breaking=True)
        if not reasons and was != now:
            self._say(f"{what}: {_told(was, now)}", breaking=False)

    def _compare_raises(self, was: Method, now: Method) -> None:
        for name in sorted({*was.raises, *now.raises}):
            if name not in was.raises:
                self._say(f"raises {name}, too", breaking=True)
            elif name not in now.raises:
                self._say(f"does not raise {name} any more", breaking=False)
            else:
                self._compare_exception(*(_failure(each, name) for each in self._interfaces))

    def _compare_exception(self, was: Failure, now: Failure) -> None:
        fields = {field.name: field.type for field in now.fields}
        for field in was.fields:
            if field.name not in fields:
                self._say(f"{was.name} has no field {field.name} any more", breaking=True)
            else:
                what = f"the field {field.name} of {was.name}"
                self._compare(self._results, fields[field.name], field.type, what)
        known = {field.name for field in was.fields}
        for name in fields:
            if name not in known:
                # Who has no such field in the class of its own can't make an exception of it.
                self._say(f"{was.name} has a new field {name}", breaking=True)

    def _differs(self, was: Method, now: Method) -> bool:
        (old, new), (old_names, new_names) = self._interfaces, self._names
        return was != now or _closure(was, old, old_names) != _closure(now, new, new_names)


def _told(was: Type, now: Type) -> str:
    return f"{type_text(was)} is now {type_text(now)}"


def _failure(interface: Interface, name: str) -> Failure:
    return next(each for each in interface.exceptions if each.name == name)


def _closure(method: Method, interface: Interface, names: Names) -> set[object]:
    """Everything that a method's signature leads to."""
    failures = [each for each in interface.exceptions if each.name in method.raises]
    waiting = names_in([*types_of_method(method), *(f.type for each in failures for f in each.fields)])
    found: set[object] = set(failures)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in names.enums:
            found.add(names.enums[name])
        else:
            record = names.records[name]
            found.add(record)
            waiting |= names_in(field.type for field in record.fields)
    return found


_SHAPES = {
    Shape.UNARY: "a plain call",
    Shape.SERVER_STREAM: "a call that gives a stream",
    Shape.CLIENT_STREAM: "a call that takes a stream",
    Shape.BOTH_STREAMS: "a call that takes a stream and gives one",
}
