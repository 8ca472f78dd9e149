"""Casbin, by its own library: models and policies of real files, and what pycasbin itself would pass over."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from graftwire.gateway.security import casbin as casbin_module
from graftwire.gateway.security.casbin import INLINE, CasbinAuthoriser
from graftwire.gateway.security.errors import SecurityError
from graftwire.gateway.security.identity import NOBODY, Identity
from graftwire.gateway.security.plugins import Permission, Refusal, Request
from graftwire.transport.facts import LinkFacts

FACTS = LinkFacts("memory", "here", "there")

MODEL = """\
[request_definition]
r = sub, roles, obj, act

[policy_definition]
p = sub, obj, act, eft

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = (g(r.sub, p.sub) || p.sub in r.roles) && keyMatch(r.obj, p.obj) && r.act == p.act
"""
POLICY = """\
# who may do what
p, role:clerk, Invoices.*, call, allow
p, role:intern, Invoices.void, call, deny
p, anonymous, Press.status, call, allow

g, eva, role:clerk
"""


class Files:
    """A model and a policy in a folder."""

    def __init__(self, folder: Path) -> None:
        self.model = folder / "model.conf"
        self.policy = folder / "policy.csv"
        self.write()

    def write(self, model: str = MODEL, policy: str = POLICY) -> None:
        self.model.write_text(model, encoding="utf-8")
        self.policy.write_text(policy, encoding="utf-8")

    def authoriser(self, clock: Callable[[], float] = lambda: 0.0) -> CasbinAuthoriser:
        return CasbinAuthoriser(self.model, self.policy, clock=clock)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.mark.parametrize("name", ["model", "policy"])
def test_files_that_others_may_write_to(files: Files, name: str) -> None:
    path: Path = getattr(files, name)
    path.chmod(0o664)
    with pytest.raises(SecurityError, match=f"the file {path} can be written by others than its owner"):
        files.authoriser()


async def ask(authoriser: CasbinAuthoriser, identity: Identity, target: str) -> Permission | Refusal:
    return await authoriser.authorise(Request(identity, target, FACTS))


def who(subject: str, *roles: str) -> Identity:
    return Identity(subject, "token", "issuer", frozenset(roles))


CLERKS = Permission("policy role:clerk, Invoices.*, call, allow")
NOTHING = Refusal("no line of the policy")


@pytest.mark.parametrize(
    ("identity", "target", "answer"),
    [
        (who("eva"), "Invoices.total", CLERKS),  # by the policy's own grouping
        (who("max", "clerk"), "Invoices.total", CLERKS),  # by a role of the identity
        (who("max"), "Invoices.total", NOTHING),
        (who("max", "boss"), "Invoices.total", NOTHING),
        (who("clerk"), "Invoices.total", NOTHING),
        (who("eva"), "Press.status", NOTHING),
        (
            who("eva", "intern"),
            "Invoices.void",
            Refusal("policy role:intern, Invoices.void, call, deny"),  # a deny wins
        ),
        (NOBODY, "Press.status", Permission("policy anonymous, Press.status, call, allow")),
        (NOBODY, "Invoices.total", NOTHING),
        (
            who("role:clerk"),
            "Invoices.total",
            Refusal("a subject that begins with role: could be taken for a role"),
        ),
        (who("max", "clerk"), "graftwire.describe", NOTHING),
    ],
)
async def test_the_policy_decides(
    files: Files, identity: Identity, target: str, answer: Permission | Refusal
) -> None:
    assert await ask(files.authoriser(), identity, target) == answer


async def test_a_model_names_what_it_needs(files: Files) -> None:
    files.write(
        "[request_definition]\nr = obj, issuer, scheme, sub\n[policy_definition]\np = issuer, obj\n"
        "[policy_effect]\ne = some(where (p.eft == allow))\n"
        '[matchers]\nm = r.issuer == p.issuer && r.scheme == "token" && r.obj == p.obj\n',
        "p, issuer, A.b",
    )
    authoriser = CasbinAuthoriser.from_text(f"{files.model},{files.policy}")
    assert await ask(authoriser, who("x"), "A.b") == Permission("policy issuer, A.b")
    assert await ask(authoriser, NOBODY, "A.b") == NOTHING


async def test_a_large_policy_is_judged_in_a_thread(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[bool] = []
    decide = casbin_module._Policy.decide

    def noted(self: casbin_module._Policy, known: dict[str, object]) -> tuple[bool, list[str]]:
        used.append(threading.current_thread() is threading.main_thread())
        return decide(self, known)

    monkeypatch.setattr(casbin_module._Policy, "decide", noted)
    small = files.authoriser()
    more = "".join(f"p, role:r{number}, I.m{number}, call, allow\n" for number in range(INLINE))
    files.write(policy=POLICY + more)
    large = files.authoriser()
    used.clear()
    for authoriser in (small, large):
        assert await ask(authoriser, who("eva"), "Invoices.total") == CLERKS
        assert await ask(authoriser, who("eva"), "Press.status") == NOTHING
    assert used == [True, True, False, False]


async def test_memory_stays_bounded(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(casbin_module, "_SUBJECTS", 5)
    authoriser = files.authoriser()
    policy = authoriser._policy.value()
    manager = policy._enforcer.rm_map["g"]
    for number in range(50):
        assert await ask(authoriser, who(f"s{number}"), "Invoices.total") == NOTHING
    assert await ask(authoriser, who("eva"), "Invoices.total") == CLERKS
    assert len(manager.all_roles) < 20  # type: ignore[attr-defined]
    assert len(policy._subjects) <= 6


async def test_it_is_read_again(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    authoriser = files.authoriser(lambda: now)
    files.write(policy=POLICY.replace("g, eva", "g, max"))
    assert await ask(authoriser, who("eva"), "Invoices.total") == CLERKS
    now = 1.0
    assert await ask(authoriser, who("eva"), "Invoices.total") == NOTHING
    assert await ask(authoriser, who("max"), "Invoices.total") == CLERKS
    files.write(policy="")
    with caplog.at_level(logging.WARNING):
        for moment in (2.0, 3.0):
            now = moment
            assert await ask(authoriser, who("max"), "Invoices.total") == CLERKS
    [record] = caplog.records
    assert record.getMessage() == (
        "a changed file was not taken over, what was read before stays in force: "
        f"{files.policy} has no line that begins with p, so it would refuse everything; add one"
    )


async def test_nothing_of_a_request_is_logged(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    authoriser = files.authoriser()
    with caplog.at_level(logging.DEBUG):
        await ask(authoriser, who("eva"), "Invoices.total")
        await ask(authoriser, who("max"), "Invoices.total")
    assert caplog.records == []


async def test_a_matcher_that_fails_is_a_refusal(files: Files) -> None:
    """What the trial at the start could not see: the name stands behind a condition that was false then."""
    files.write(MODEL.replace("r.act == p.act", "unheard(r.act)"))
    assert await ask(files.authoriser(), who("eva"), "Invoices.total") == Refusal(
        "the model can't judge it (FunctionNotDefined)"
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("q, a, b, call, allow", "it begins with what the model does not define; there are: p, g"),
        (
            "p2, a, b, call, allow",
            "it begins with what the model does not define; did you mean p? there are: p, g",
        ),
        ("p, a, b, call", "the model defines 4 elements after p, none of them empty"),
        ("p, a, , call, allow", "the model defines 4 elements after p, none of them empty"),
        ("p, a, b, call, allow, x", "the model defines 4 elements after p, none of them empty"),
        ("p", "the model defines 4 elements after p, none of them empty"),
        ("p, a, b, call, alow", "the effect is allow or deny"),
        ("g, a", "the model defines 2 elements after g, none of them empty"),
        ("p, a), b, call, allow", "its brackets do not match; close them"),
    ],
)
def test_a_line_that_is_not_understood(files: Files, line: str, sentence: str) -> None:
    files.write(policy=f"# first\np, a, b, call, allow\n{line}\n")
    with pytest.raises(SecurityError) as caught:
        files.authoriser()
    assert str(caught.value) == f"{files.policy}, line 3: {sentence}"


WHOLE = (
    "{model} is not a whole model of Casbin; it has to define r, p, e and m, each of them once, in the sections "
    "request_definition, policy_definition, policy_effect and matchers"
)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("", WHOLE),
        (MODEL.replace("[matchers]", "[matcher]"), WHOLE),
        (MODEL.replace("p = sub", "p = sub, obj\np2 = sub"), WHOLE),
        (
            "nonsense",
            (
                "{model} is not a model of Casbin (RuntimeError); it is sections as [matchers], and in each of them "
                "lines as m = …"
            ),
        ),
        (
            MODEL.replace("r = sub, roles", "r = subject, roles"),
            (
                "{model}: the request definition has the unknown element subject; did you mean sub? there are: sub, "
                "roles, obj, act, issuer, scheme"
            ),
        ),
        *(
            (
                MODEL.replace(old, new),
                (
                    "{model} and {policy} can't be used together ("
                    + error
                    + "); check the effect and the matcher of "
                    "the model, and that each request and policy element in the matcher is defined"
                ),
            )
            for old, new, error in (
                ("e = some", "e = any", "RuntimeError"),
                ("m = (g", "m = ((g", "SyntaxError"),
                ("m = (g(r.sub", "m = (g(r.subject", "NameNotDefined"),
                ("m = (g(", "m = (gg(", "FunctionNotDefined"),
            )
        ),
    ],
)
def test_a_model_that_can_not_be_used(files: Files, model: str, sentence: str) -> None:
    files.write(model)
    with pytest.raises(SecurityError) as caught:
        files.authoriser()
    assert str(caught.value) == sentence.format(model=files.model, policy=files.policy)


def test_files_that_can_not_be_read(files: Files) -> None:
    files.policy.write_bytes(b"\xff")
    with pytest.raises(SecurityError) as caught:
        files.authoriser()
    assert str(caught.value) == f"{files.policy} is not text in UTF-8; write it in the format of Casbin"
    files.model.unlink()
    with pytest.raises(SecurityError) as caught:
        files.authoriser()
    assert str(caught.value) == f"the file {files.model} can't be read: there is no such file; check the path"


@pytest.mark.parametrize("text", ["", "model.conf", "model.conf,", ",policy.csv"])
def test_it_needs_two_files(text: str) -> None:
    with pytest.raises(SecurityError) as caught:
        CasbinAuthoriser.from_text(text)
    assert str(caught.value) == "casbin needs its two files, as in casbin:model.conf,policy.csv"


def test_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['casbin'] = None\n"
        "from graftwire.gateway.security.registry import authoriser\n"
        "try: authoriser('casbin:model.conf,policy.csv')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "SecurityError the authoriser casbin needs the package pycasbin; install graftwire[casbin]\n"
    )
