"""Role rules by decorator, by table and by file; the most specific one decides, and what has none is refused."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

import graftwire
from graftwire.gateway.security.errors import SecurityError
from graftwire.gateway.security.identity import NOBODY, Identity
from graftwire.gateway.security.plugins import Authoriser, Permission, Refusal, Request
from graftwire.gateway.security.roles import AnyIdentity, Everyone, RoleRules, allow
from graftwire.transport.facts import LinkFacts

FACTS = LinkFacts("memory", "here", "there")
CLERK = Identity("eva", "token", roles=frozenset({"clerk", "staff"}))
GUEST = Identity("max", "token")
CHEAT = Identity("x", "token", roles=frozenset({"authenticated", "anyone", "*", ""}))


async def ask(authoriser: Authoriser, identity: Identity, target: str) -> Permission | Refusal:
    return await authoriser.authorise(Request(identity, target, FACTS))


async def may(authoriser: Authoriser, identity: Identity, target: str) -> bool:
    return isinstance(await ask(authoriser, identity, target), Permission)


# --- rules ---------------------------------------------------------------------------------------------------------

RULES = RoleRules(
    {
        "Invoices.total": ["clerk", "auditor"],
        "Invoices.void": "boss",
        "Invoices.*": "authenticated",
        "Invoices.v2.*": "boss",
        "Press.status": ["anyone"],
        "*": "root",
    }
)


@pytest.mark.parametrize(
    ("identity", "target", "answer"),
    [
        (CLERK, "Invoices.total", Permission("rule Invoices.total: role clerk")),
        (GUEST, "Invoices.total", Refusal("rule Invoices.total wants a role out of: auditor, clerk")),
        (CLERK, "Invoices.void", Refusal("rule Invoices.void wants a role out of: boss")),
        (GUEST, "Invoices.list", Permission("rule Invoices.*: authenticated")),
        (NOBODY, "Invoices.list", Refusal("rule Invoices.* does not let anonymous callers in")),
        (GUEST, "Invoices.v2.list", Refusal("rule Invoices.v2.* wants a role out of: boss")),
        (NOBODY, "Press.status", Permission("rule Press.status: anyone")),
        (CLERK, "Press.other", Refusal("rule * wants a role out of: root")),
        (CLERK, "graftwire.describe", Refusal("rule * wants a role out of: root")),
        (CLERK, "invoices.total", Refusal("rule * wants a role out of: root")),
        (CLERK, "Invoices", Refusal("rule * wants a role out of: root")),
        (CLERK, "InvoicesX.total", Refusal("rule * wants a role out of: root")),
    ],
)
async def test_the_most_specific_rule_decides(
    identity: Identity, target: str, answer: Permission | Refusal
) -> None:
    assert await ask(RULES, identity, target) == answer


async def test_what_has_no_rule_is_refused() -> None:
    rules = RoleRules({"Invoices.*": "anyone"})
    for target in ("graftwire.describe", "Other.total", "*", "Invoices", "."):
        assert await ask(rules, CLERK, target) == Refusal("no rule for it")
    assert await ask(RoleRules({}), CLERK, "Invoices.total") == Refusal("no rule for it")


async def test_a_pattern_that_crosses_the_wire_is_only_a_name() -> None:
    rules = RoleRules({"Invoices.total": "clerk", "Invoices.*": "boss", "*": "root"})
    assert await ask(rules, CLERK, "Invoices.*") == Refusal("rule Invoices.* wants a role out of: boss")


async def test_the_words_for_everybody_are_no_roles() -> None:
    rules = RoleRules({"A.b": "clerk"})
    assert not await may(rules, CHEAT, "A.b")
    anonymous = Identity("anonymous", "anonymous", roles=frozenset({"clerk"}))
    assert not await may(rules, anonymous, "A.b")


async def test_the_two_that_need_no_roles() -> None:
    assert [await may(AnyIdentity(), who, "A.b") for who in (CLERK, GUEST, NOBODY)] == [True, True, False]
    assert [await may(Everyone(), who, "A.b") for who in (CLERK, GUEST, NOBODY)] == [True, True, True]


# --- decorators ----------------------------------------------------------------------------------------------------


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


@allow("clerk")
class Invoices:
    def total(self) -> int:
        return 1

    @allow("boss")
    def void(self) -> None:
        """Has a rule of its own."""

    @allow("boss")
    @staticmethod
    def static() -> None:
        """The decorator stands outside of the static method."""

    @classmethod
    @allow("boss")
    def of_class(cls) -> None:
        """Inside."""

    @traced
    @allow("anyone")
    def wrapped(self) -> None:
        """Below a decorator that keeps what a function carries."""

    @allow("boss")
    @property
    def size(self) -> int:
        return 1

    def _private(self) -> None:
        """Not public."""


class Derived(Invoices):
    def added(self) -> None:
        """Says nothing, and inherits no rule."""

    def void(self) -> None:
        """Written anew, so the rule has to be, too."""


@allow("auditor")
class Narrowed(Invoices):
    def added(self) -> None:
        """The rule of its class."""


class Bare:
    def total(self) -> int:
        return 1


def rules_of(**services: object) -> dict[str, set[str]]:
    return {pattern: set(rule.roles) for pattern, rule in RoleRules.from_hosted(services)._rules.items()}


def test_rules_beside_the_code() -> None:
    own = {
        "I.static": {"boss"},
        "I.of_class": {"boss"},
        "I.wrapped": {"anyone"},
        "I.size": {"boss"},
    }
    assert rules_of(I=Invoices()) == {**own, "I.total": {"clerk"}, "I.void": {"boss"}}
    assert rules_of(I=Invoices) == rules_of(I=Invoices())
    assert rules_of(I=Derived()) == {**own, "I.total": {"clerk"}}
    assert rules_of(I=Narrowed()) == {
        **own,
        "I.total": {"auditor"},
        "I.void": {"boss"},
        "I.added": {"auditor"},
    }
    assert rules_of(I=Bare()) == {}


async def test_a_decorator_changes_nothing_else() -> None:
    def total() -> int:
        return 1

    assert allow("clerk")(total) is total
    assert Invoices().total() == 1


async def test_rules_for_what_no_decorator_can_stand_beside() -> None:
    rules = RoleRules.from_hosted({"I": Invoices()}, {"graftwire.describe": "authenticated"})
    assert await may(rules, GUEST, "graftwire.describe")
    assert await may(rules, CLERK, "I.total")
    with pytest.raises(SecurityError) as caught:
        RoleRules.from_hosted({"I": Invoices()}, {"I.total": "anyone"})
    assert (
        str(caught.value) == "I.total has a rule beside its code and in the table; leave one of the two out"
    )


@pytest.mark.parametrize("roles", [(), ("",), (["clerk"],), (None,), (Invoices,)])
def test_a_decorator_needs_roles(roles: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError) as caught:
        allow(*roles)
    assert str(caught.value) == (
        'allow needs the roles that may call, as in @allow("clerk"); for every identity write '
        '@allow("authenticated"), for every caller @allow("anyone")'
    )


def test_a_decorator_takes_no_asterisk() -> None:
    with pytest.raises(
        TypeError, match=r'^"\*" is no role; write @allow\("authenticated"\) or @allow\("anyone"\)$'
    ):
        allow("*")


async def test_a_refused_call_runs_nothing() -> None:
    ran: list[str] = []

    class Stock:
        @allow("clerk")
        async def pieces(self) -> int:
            ran.append("pieces")
            return 40

        async def forgotten(self) -> int:
            ran.append("forgotten")
            return 40

        @allow("anyone")
        async def hours(self) -> str:
            return "8-17"

    services = {"Stock": Stock()}
    async with graftwire.serve(
        services,
        "memory:roles-refused",
        auth=graftwire.Anonymous(),
        allow=RoleRules.from_hosted(services),
    ) as gateway:
        async with graftwire.connect(gateway.urls[0]) as client:
            assert await client.call("Stock.hours") == "8-17"
            for target in ("Stock.pieces", "Stock.forgotten", "Stock.nothing"):
                with pytest.raises(graftwire.Denied):
                    await client.call(target)
    assert ran == []


# --- tables and files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        *(
            (
                {pattern: "clerk"},
                f"{pattern!r} is not the name of a target; write Interface.method, Interface.* or *",
            )
            for pattern in (
                "",
                "Invoices.tot*",
                "*.total",
                "Invoices.**",
                "In voices.x",
                "**",
                "ä.b",
                "x" * 256,
            )
        ),
        *(
            (
                {"A.b": roles},
                (
                    "the rule A.b has to name the roles that may call; for every identity write authenticated, for "
                    "every caller anyone, and leave the rule out to refuse all"
                ),
            )
            for roles in ([], "", ["clerk", ""], ["a\nb"])
        ),
        (
            {"A.b": "*"},
            "the rule A.b has the role *; write authenticated for every identity, anyone for every caller",
        ),
    ],
)
def test_a_table_that_can_not_be_used(rules: Mapping[str, str | Iterable[str]], sentence: str) -> None:
    with pytest.raises(SecurityError) as caught:
        RoleRules(rules)
    assert str(caught.value) == sentence


def test_a_rule_for_nothing_is_found() -> None:
    targets = ["Invoices.total", "Invoices.void", "Press.status"]
    RoleRules({"Invoices.*": "a", "*": "a", "Press.status": "a", "graftwire.describe": "a"}).check(targets)
    there = (
        "Invoices.total, Invoices.void, Press.status, graftwire.describe, Invoices.*, Press.*, graftwire.*"
    )
    for pattern, near in (("Invoices.totl", "Invoices.total"), ("Pres.*", "Press.*")):
        with pytest.raises(SecurityError) as caught:
            RoleRules({pattern: "a"}).check(targets)
        assert str(caught.value) == (
            f"the rule {pattern} is for nothing that is hosted; did you mean {near}? there are: {there}"
        )


FILE = """\
[allow]
"Invoices.total" = ["clerk"]
"Invoices.*" = "authenticated"
"""


async def test_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = 10.0
    path = tmp_path / "roles.toml"
    path.write_text(FILE, encoding="utf-8")
    rules = RoleRules.from_file(path, clock=lambda: now)
    assert await may(rules, CLERK, "Invoices.total")
    assert await may(rules, GUEST, "Invoices.list")
    assert not await may(rules, GUEST, "Invoices.total")
    path.write_text(FILE.replace("clerk", "boss"), encoding="utf-8")
    now = 10.9
    assert await may(rules, CLERK, "Invoices.total")
    now = 11.0
    assert not await may(rules, CLERK, "Invoices.total")
    path.write_text(FILE.replace('["clerk"]', "1"), encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        for moment in (12.0, 13.0):
            now = moment
            assert not await may(rules, CLERK, "Invoices.total")
            assert await may(rules, GUEST, "Invoices.list")
    [record] = caplog.records
    assert record.getMessage() == (
        f"a changed file was not taken over, what was read before stays in force: {path}, line 2: Invoices.total of "
        '[allow] has to be a list of texts, as in Invoices.total = ["clerk"]'
    )
    path.write_text(FILE, encoding="utf-8")
    now = 14.0
    assert await may(rules, CLERK, "Invoices.total")


def test_a_file_that_others_may_write_to(tmp_path: Path) -> None:
    path = tmp_path / "roles.toml"
    path.write_text(FILE, encoding="utf-8")
    path.chmod(0o664)
    with pytest.raises(SecurityError, match=r"the file of rules .* can be written by others than its owner"):
        RoleRules.from_file(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "{file}: the file has no allow; add it"),
        ("allow = 1", "{file}, line 1: allow has to be a table; begin it with [allow]"),
        (
            "#\n[alow]\n",
            "{file}, line 2: the file has an unknown key alow; did you mean allow? there are: allow",
        ),
        (
            '[allow]\n"Invoices.tot*" = ["clerk"]',
            "{file}, line 2: 'Invoices.tot*' is not the name of a target; write Interface.method, Interface.* or *",
        ),
        (
            '[allow]\nInvoices.total = ["clerk"]',
            '{file}, line 2: the name Invoices has to stand in quotes with what follows, as in "Invoices.method"',
        ),
        (
            '[allow]\n\n"A.b" = 3',
            '{file}, line 3: A.b of [allow] has to be a list of texts, as in A.b = ["clerk"]',
        ),
        (
            '[allow]\n"A.b" = ["clerk", 3]',
            '{file}, line 2: A.b of [allow] has to be a list of texts, as in A.b = ["clerk"]',
        ),
        ('[allow]\n"A.b" = ""', "{file}, line 2: A.b of [allow] has to be a text of printable characters"),
        (
            '[allow]\n"A.b" = []',
            (
                "{file}, line 2: the rule A.b has to name the roles that may call; for every identity write "
                "authenticated, for every caller anyone, and leave the rule out to refuse all"
            ),
        ),
        (
            '[allow]\n"A.b" = ["*"]',
            (
                "{file}, line 2: the rule A.b has the role *; write authenticated for every identity, anyone for every "
                "caller"
            ),
        ),
        (
            '[allow]\n"A.b" = ["x"]\n"A.b" = ["y"]',
            "{file}, line 3: this is not TOML; correct it there or just above",
        ),
        ("[allow\n", "{file}, line 1: this is not TOML; correct it there or just above"),
        ("[allow]\n'A.b' = [", "{file}, line 2: this is not TOML; correct it there or just above"),
    ],
)
def test_a_file_that_can_not_be_used(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "roles.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SecurityError) as caught:
        RoleRules.from_text(str(path))
    assert str(caught.value) == sentence.format(file=path)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "roles.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(SecurityError, match=r"is not text in UTF-8; write it as TOML$"):
        RoleRules.from_text(str(path))
