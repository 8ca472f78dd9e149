"""Role rules: which roles may call what, said beside the code or in a file; and the two rules that need no roles."""

from __future__ import annotations

import functools
import inspect
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from ..members import Untyped
from ..tables import Table, nearest
from ..workers.worker import Worker
from .errors import SecurityError
from .identity import NOBODY, Identity
from .plugins import Authoriser, Permission, Refusal, Request
from .watched import File, Watched

Decorated = TypeVar("Decorated")

AUTHENTICATED: Final = "authenticated"
"""In the place of a role: every identity but the anonymous one."""

ANYONE: Final = "anyone"
"""In the place of a role: every caller, the anonymous one too."""

_ALLOW: Final = "__graftwire_allow__"
_TARGET: Final = re.compile(r"[\x21-\x29\x2b-\x7e]{1,255}")  # as on the wire, without the asterisk
_PATTERNS: Final = "write Interface.method, Interface.* or *"


def allow(*roles: str) -> Callable[[Decorated], Decorated]:
    """Say which roles may call a method, or every method of a class; any one of them is enough.

    `authenticated` in the place of a role is every identity but the anonymous one, `anyone` every caller. A method's
    own rule replaces that of its class. A class's rule holds for the methods that it defines or inherits; a class that
    inherits from it has to say so itself about the methods that it defines. Nothing happens by the decorator alone:
    `RoleRules.from_hosted` reads it. Raises TypeError without a role.
    """
    if not roles or not all(type(role) is str and role for role in roles):
        raise TypeError(
            'allow needs the roles that may call, as in @allow("clerk"); for every identity write '
            f'@allow("{AUTHENTICATED}"), for every caller @allow("{ANYONE}")'
        )
    if "*" in roles:
        raise TypeError(f'"*" is no role; write @allow("{AUTHENTICATED}") or @allow("{ANYONE}")')

    def mark(decorated: Decorated) -> Decorated:
        setattr(_bare(decorated), _ALLOW, frozenset(roles))
        return decorated

    return mark


def _bare(decorated: Any) -> Any:
    """The function itself, where it is wrapped as a static method, a class method or a property."""
    if isinstance(decorated, staticmethod | classmethod):
        return cast("Any", decorated).__func__
    if isinstance(decorated, property):
        return decorated.fget
    return decorated


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `pattern` as it was written, and the roles, one of which a caller needs."""

    pattern: str
    roles: frozenset[str]

    def judge(self, identity: Identity) -> Permission | Refusal:
        """Whether the rule lets this identity call; the reason names the rule and the role."""
        if ANYONE in self.roles:
            return Permission(f"rule {self.pattern}: {ANYONE}")
        if identity.scheme == NOBODY.scheme:
            return Refusal(f"rule {self.pattern} does not let anonymous callers in")
        if AUTHENTICATED in self.roles:
            return Permission(f"rule {self.pattern}: {AUTHENTICATED}")
        held = sorted(self.roles & identity.roles)
        if held:
            return Permission(f"rule {self.pattern}: role {held[0]}")
        return Refusal(f"rule {self.pattern} wants a role out of: {', '.join(sorted(self.roles))}")


Rules = Mapping[str, Rule]


class RoleRules(Authoriser):
    """Allows by rules, each of which says which roles may call what.

    `rules` maps patterns to a role or several: an exact target (`Invoices.total`), all of an interface (`Invoices.*`),
    or everything (`*`). The most specific rule decides alone; what no rule is for is refused, `graftwire.describe` like
    every other target. `authenticated` and `anyone` stand in the place of roles as in `allow`, and are never taken as
    the name of a role that an identity has. Raises SecurityError.
    """

    name = "roles"

    def __init__(self, rules: Mapping[str, str | Iterable[str]]) -> None:
        self._rules: Rules = _checked(rules)
        self._watched: Watched[Rules] | None = None

    @classmethod
    def from_hosted(
        cls, services: Mapping[str, object], rules: Mapping[str, str | Iterable[str]] | None = None
    ) -> RoleRules:
        """The rules that `allow` wrote beside the code of what is hosted, and `rules` for what it can't stand beside.

        `services` is what `serve` takes. Raises SecurityError where a target has a rule in both places.
        """
        found = dict(written_rules(services))
        for pattern, roles in (rules or {}).items():
            if pattern in found:
                raise SecurityError(
                    f"{pattern} has a rule beside its code and in the table; leave one of the two out"
                )
            found[pattern] = frozenset([roles]) if isinstance(roles, str) else frozenset(roles)
        return cls(found)

    @classmethod
    def from_file(cls, file: File, *, clock: Callable[[], float] = time.monotonic) -> RoleRules:
        """The rules of a TOML file, read again when it changes (looked at by `clock`). Raises SecurityError.

            [allow]
            "Invoices.total" = ["clerk", "auditor"]
            "Invoices.*" = ["clerk"]
            "graftwire.describe" = ["authenticated"]

        Nobody but its owner may be able to write to it. A changed file that can't be used is a warning in the log, and
        the rules from before stay in force.
        """
        made = cls({})
        made._watched = Watched(
            (file,), functools.partial(_from_toml, file), "the file of rules", guarded=True, clock=clock
        )
        made._rules = made._watched.value()
        return made

    @classmethod
    def from_text(cls, text: str) -> RoleRules:
        """The authoriser for a configured `roles:FILE`."""
        if not text:
            raise SecurityError("roles needs the path of a file of rules, as in roles:roles.toml")
        return cls.from_file(text)

    @property
    def patterns(self) -> tuple[str, ...]:
        """What there are rules for."""
        return tuple(self._rules)

    def rule(self, target: str) -> Rule | None:
        """The rule that decides about a target; None where it is refused for lack of one."""
        return next((self._rules[each] for each in _patterns(target) if each in self._rules), None)

    def check(self, targets: Iterable[str]) -> None:
        """Raise SecurityError for a rule that is for none of these targets: it is a slip of the pen, or out of date."""
        targets = sorted({*targets, "graftwire.describe"})
        known = [*targets, *sorted({f"{target.rpartition('.')[0]}.*" for target in targets})]
        for pattern in self._rules:
            if pattern != "*" and not any(pattern in _patterns(target) for target in targets):
                raise SecurityError(
                    f"the rule {pattern} is for nothing that is hosted; {nearest(pattern, known)}"
                )

    async def authorise(self, request: Request) -> Permission | Refusal:
        """By the most specific rule that there is for the target."""
        if self._watched is not None:
            self._rules = self._watched.value()
        rule = self.rule(request.target)
        return Refusal("no rule for it") if rule is None else rule.judge(request.identity)


class AnyIdentity(Authoriser):
    """Allows everything to every identity; nothing to anonymous callers."""

    name = "any-identity"

    async def authorise(self, request: Request) -> Permission | Refusal:
        """Yes, unless the caller is anonymous."""
        if request.identity.scheme == NOBODY.scheme:
            return Refusal("it does not let anonymous callers in")
        return Permission("every identity may")


class Everyone(Authoriser):
    """Allows everything to every caller, anonymous ones too."""

    name = "everyone"

    async def authorise(self, request: Request) -> Permission | Refusal:
        """Yes."""
        return Permission("everyone may")


def _patterns(target: str) -> Iterable[str]:
    """The patterns that a target falls under, the most specific first."""
    yield target
    interface = target
    while (interface := interface.rpartition(".")[0]) != "":
        yield f"{interface}.*"
    yield "*"


def _checked(rules: Mapping[str, str | Iterable[str]]) -> Rules:
    checked: dict[str, Rule] = {}
    for pattern, roles in rules.items():
        wanted = frozenset([roles]) if isinstance(roles, str) else frozenset(roles)
        sentence = _wrong_pattern(pattern) or _wrong_roles(pattern, wanted)
        if sentence is not None:
            raise SecurityError(sentence)
        checked[pattern] = Rule(pattern, wanted)
    return checked


def _wrong_pattern(pattern: str) -> str | None:
    if pattern == "*" or _TARGET.fullmatch(pattern.removesuffix(".*")):
        return None
    return f"{pattern!r} is not the name of a target; {_PATTERNS}"


def _wrong_roles(pattern: str, roles: frozenset[str]) -> str | None:
    if not roles or not all(role and role.isprintable() for role in roles):
        return (
            f"the rule {pattern} has to name the roles that may call; for every identity write {AUTHENTICATED}, for "
            f"every caller {ANYONE}, and leave the rule out to refuse all"
        )
    if "*" in roles:
        return f"the rule {pattern} has the role *; write {AUTHENTICATED} for every identity, {ANYONE} for every caller"
    return None


def _from_toml(file: File, contents: Sequence[bytes]) -> Rules:
    top = Table.parse(file, contents[0])
    top.known("allow")
    table = top.table("allow")
    rules: dict[str, Rule] = {}
    for pattern, value in table.values.items():
        sentence = _wrong_pattern(pattern)
        if sentence is None and isinstance(value, dict):
            sentence = (
                f'the name {pattern} has to stand in quotes with what follows, as in "{pattern}.method"'
            )
        if sentence is not None:
            raise table.wrong(pattern, sentence)
        wanted = frozenset([table.text(pattern)]) if isinstance(value, str) else table.texts(pattern)
        sentence = _wrong_roles(pattern, wanted)
        if sentence is not None:
            raise table.wrong(pattern, sentence)
        rules[pattern] = Rule(pattern, wanted)
    return rules


def written_rules(services: Mapping[str, object]) -> Iterable[tuple[str, frozenset[str]]]:
    """The rules that `allow` wrote beside the code of what is hosted, by target."""
    for prefix, given in services.items():
        hosted = given.hosted if isinstance(given, Untyped) else given
        if isinstance(
            hosted, Worker
        ):  # its code is not here to be read, and to go without rules would be silent
            raise SecurityError(
                f"the rules beside the code of {prefix} can't be read, because it runs in a worker process; write them "
                "in a table or a file of rules"
            )
        cls = hosted if isinstance(hosted, type) else type(hosted)
        for name in dir(cls):
            roles = None if name.startswith("_") else _rule_of(cls, name)
            if roles is not None:
                yield f"{prefix}.{name}", roles


def _rule_of(cls: type, name: str) -> frozenset[str] | None:
    """The rule for a method: its own, or else that of the nearest class from `cls` to the one that defines it."""
    own: frozenset[str] | None = getattr(_bare(inspect.getattr_static(cls, name)), _ALLOW, None)
    if own is not None:
        return own
    for base in cls.__mro__:
        if _ALLOW in vars(base):
            return vars(base)[_ALLOW]
        if name in vars(base):
            return None
    return None
