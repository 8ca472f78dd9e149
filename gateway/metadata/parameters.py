"""What a change of a method's parameters means for arguments that were right, by position and by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from .model import Parameter, ParameterKind, Type

CompareTypes = Callable[[Type, Type], tuple[list[str], str]]
"""Gives why arguments of the one type may be refused by the other, and what the change is called."""
Found = tuple[str, bool]
"""What has changed, and whether that breaks callers."""

_BY_POSITION: Final = frozenset({ParameterKind.POSITIONAL, ParameterKind.EITHER})
_BY_NAME: Final = frozenset({ParameterKind.EITHER, ParameterKind.NAMED})


def compare_parameters(
    old: Sequence[Parameter], new: Sequence[Parameter], compare: CompareTypes
) -> list[Found]:
    """The changes of parameters, each with whether it breaks callers who use the old ones."""
    return _Parameters(old, new, compare).found


class _Parameters:
    def __init__(self, old: Sequence[Parameter], new: Sequence[Parameter], compare: CompareTypes) -> None:
        self.found: list[Found] = []
        self._compare_types = compare
        self._placed = [each for each in new if each.kind in _BY_POSITION]
        self._named = {each.name: each for each in new if each.kind in _BY_NAME}
        self._rest = _only(new, ParameterKind.REST)
        self._rest_named = _only(new, ParameterKind.REST_NAMED)
        self._old_rest = _only(old, ParameterKind.REST)
        self._old_rest_named = _only(old, ParameterKind.REST_NAMED)
        self._met: set[str] = set()
        position = 0
        for each in old:
            match each.kind:
                case ParameterKind.POSITIONAL:
                    self._positional(each, position)
                case ParameterKind.EITHER:
                    self._either(each, position)
                case ParameterKind.NAMED:
                    self._by_name(each)
                case _:
                    self._any_number(each)
            position += each.kind in _BY_POSITION
        self._additions(new, position)

    def _say(self, what: str, *, breaking: bool) -> None:
        self.found.append((what, breaking))

    def _meet(self, now: Parameter) -> None:
        if now.name in self._met:
            what = f"the parameter {now.name} takes what two of them took: by position, and by name"
            self._say(what, breaking=True)
        self._met.add(now.name)

    def _positional(self, was: Parameter, position: int) -> None:
        """One that is given by its position alone: its name means nothing."""
        if position >= len(self._placed):
            self._gone_or_absorbed(was, self._rest)
            return
        now = self._placed[position]
        self._meet(now)
        if now.name != was.name:
            self._say(f"the parameter {was.name} is now called {now.name}", breaking=False)
        if now.kind is ParameterKind.EITHER and self._old_rest_named is not None:
            self._say(f"the parameter {now.name} takes a name that any-named arguments had", breaking=True)
        elif now.kind is not was.kind:
            self._say(f"the parameter {now.name} may be given by name, too", breaking=False)
        self._compare(was, now)

    def _either(self, was: Parameter, position: int) -> None:
        now = self._named.get(was.name)
        if now is None:
            here = self._placed[position] if position < len(self._placed) else None
            if here is not None and here.name == was.name:
                self._met.add(here.name)
                self._say(f"the parameter {was.name} can't be given by name any more", breaking=True)
                self._compare(was, here)
            else:
                self._say(f"the parameter {was.name} is gone, or has another name", breaking=True)
            return
        self._meet(now)
        if now.kind is ParameterKind.NAMED:
            self._say(f"the parameter {was.name} can't be given by position any more", breaking=True)
        elif self._placed.index(now) != position:
            self._say(f"the parameter {was.name} has another position", breaking=True)
        self._compare(was, now)

    def _by_name(self, was: Parameter) -> None:
        now = self._named.get(was.name)
        if now is None:
            self._gone_or_absorbed(was, self._rest_named)
            return
        self._meet(now)
        if now.kind is not was.kind and self._old_rest is not None:
            self._say(f"the parameter {was.name} takes what was one of {self._old_rest.name}", breaking=True)
        elif now.kind is not was.kind:
            self._say(f"the parameter {was.name} may be given by position, too", breaking=False)
        self._compare(was, now)

    def _gone_or_absorbed(self, was: Parameter, rest: Parameter | None) -> None:
        """A parameter that is no more; one that takes any number of arguments may take those for it."""
        if rest is None:
            self._say(f"the parameter {was.name} is gone, or has another name", breaking=True)
            return
        reasons, told = self._compare_types(was.type, rest.type)
        for reason in reasons:
            self._say(f"the parameter {was.name} is now one of {rest.name}: {reason}", breaking=True)
        if not reasons:
            more = "" if was.type == rest.type else f": {told}"
            self._say(f"the parameter {was.name} is now one of {rest.name}{more}", breaking=False)

    def _any_number(self, was: Parameter) -> None:
        now = self._rest if was.kind is ParameterKind.REST else self._rest_named
        if now is None:
            self._say(f"the parameter {was.name} is gone: it takes no further arguments", breaking=True)
            return
        self._met.add(now.name)
        if now.name != was.name:
            self._say(f"the parameter {was.name} is now called {now.name}", breaking=False)
        self._compare(was, now)

    def _compare(self, was: Parameter, now: Parameter) -> None:
        reasons, told = self._compare_types(was.type, now.type)
        for reason in reasons:
            self._say(f"the parameter {now.name}: {reason}", breaking=True)
        if not reasons and was.type != now.type:
            self._say(f"the parameter {now.name}: {told}", breaking=False)
        if was.has_default and not now.has_default:
            self._say(f"the parameter {now.name} has no default any more", breaking=True)
        elif now.has_default and not was.has_default:
            self._say(f"the parameter {now.name} has a default", breaking=False)

    def _additions(self, new: Sequence[Parameter], positions: int) -> None:
        for at, now in enumerate(new):
            if now.name in self._met:
                continue
            if now.kind in (ParameterKind.REST, ParameterKind.REST_NAMED):
                self._say(f"the parameter {now.name} is new: it takes further arguments", breaking=False)
            elif not now.has_default:
                self._say(f"the parameter {now.name} is new, and needed", breaking=True)
            else:
                taken = self._takes_what_others_had(now, at, positions)
                self._say(f"the parameter {now.name} is new{taken}", breaking=bool(taken))

    def _takes_what_others_had(self, now: Parameter, at: int, positions: int) -> str:
        """Where a new parameter gets arguments that were among any number of them before."""
        if now.kind in _BY_POSITION and self._old_rest is not None and at >= positions:
            return f", and takes what was one of {self._old_rest.name}"
        if now.kind in _BY_NAME and self._old_rest_named is not None:
            return f", and takes what was one of {self._old_rest_named.name}"
        return ""


def _only(parameters: Sequence[Parameter], kind: ParameterKind) -> Parameter | None:
    return next((each for each in parameters if each.kind is kind), None)
