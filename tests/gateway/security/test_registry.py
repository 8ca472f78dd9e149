"""Plugins by name: built-in ones, and those of packages that were really built and installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from graftwire.gateway.security.errors import SecurityError
from graftwire.gateway.security.plugins import (
    AuditSink,
    Authenticator,
    Authoriser,
    CredentialProvider,
    Permission,
    Plugin,
    Refusal,
    Request,
)
from graftwire.gateway.security.registry import (
    BUILT_IN,
    Registry,
    audit_sink,
    authenticator,
    authoriser,
    credential,
)
from graftwire.gateway.security.roles import AnyIdentity, Everyone, RoleRules

KINDS: list[tuple[type[Plugin], str]] = [
    (CredentialProvider, "graftwire.credentials"),
    (Authenticator, "graftwire.authenticators"),
    (Authoriser, "graftwire.authorisers"),
    (AuditSink, "graftwire.audit_sinks"),
]


class Hours(Authoriser):
    """A plugin as another package would bring it."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    async def authorise(self, request: Request) -> Permission | Refusal:
        return Refusal("closed")


class FromText(Hours):
    @classmethod
    def from_text(cls, text: str) -> FromText:
        if text == "wrong":
            raise SecurityError("hours are written as 8-17")
        if text == "bad":
            raise ValueError("hunter2")
        return cls(f"from {text}")


class Broken(Hours):
    def __init__(self) -> None:
        raise RuntimeError("hunter2")


class Exits(Hours):
    def __init__(self) -> None:
        sys.exit("hunter2")


instance = Hours("made before")
nothing = object()


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "others", sys.modules[__name__])


def registry(**points: str) -> Registry:
    def find(group: str) -> list[EntryPoint]:
        return [EntryPoint(name.replace("_", "-"), value, group) for name, value in points.items()]

    return Registry(find)


# --- built in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, group in KINDS for name in BUILT_IN[group]],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_what_is_built_in_is_there(kind: type[Plugin], name: str) -> None:
    group = dict(KINDS)[kind]
    module, _, attribute = BUILT_IN[group][name].partition(":")
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not there yet")
    found = getattr(importlib.import_module(module), attribute)
    assert issubclass(found, kind)
    assert found.name == name or name in ("jwt", "bearer", "api-key", "api-keys", "file")


def test_built_in_ones_are_made_from_text(tmp_path: Path) -> None:
    path = tmp_path / "roles.toml"
    path.write_text('[allow]\n"*" = "authenticated"\n', encoding="utf-8")
    assert isinstance(authoriser(f"roles:{path}"), RoleRules)
    assert isinstance(authoriser("any-identity"), AnyIdentity)
    assert isinstance(authoriser("everyone"), Everyone)
    assert audit_sink(f"file:{tmp_path}/audit.jsonl").name == "file"
    assert credential("mtls").name == "mtls"
    assert authenticator("mtls:san-uri").name == "mtls"


def test_a_built_in_name_can_not_be_taken_over() -> None:
    mine = registry(everyone="others:Hours", hours="others:Hours")
    assert isinstance(mine.plugin(Authoriser, "everyone"), Everyone)
    assert mine.names(Authoriser) == (*BUILT_IN["graftwire.authorisers"], "hours")


@pytest.mark.parametrize(
    ("make", "text", "sentence"),
    [
        (
            authenticator,
            "hmax:keys.toml",
            "there is no authenticator hmax; did you mean hmac? there are: jwt, api-keys, hmac, mtls",
        ),
        (
            authoriser,
            "",
            "there is no authoriser of that name; there are: roles, any-identity, everyone, casbin",
        ),
        (
            credential,
            "eyJhbGciOiJIUzI1NiJ9.e30",
            "there is no credential provider of that name; there are: bearer, api-key, hmac, mtls",
        ),
        (audit_sink, "syslog", "there is no audit sink syslog; there are: file"),
        (
            authenticator,
            "bearer",
            "there is no authenticator bearer, which is a credential provider; there are: jwt, api-keys, hmac, mtls",
        ),
        (
            authenticator,
            "roles",
            "there is no authenticator roles, which is an authoriser; there are: jwt, api-keys, hmac, mtls",
        ),
        (
            authoriser,
            "everyone:x",
            "the authoriser everyone takes nothing after its name; leave out the colon and what follows it",
        ),
        (
            credential,
            "mtls:secret",
            "the credential provider mtls takes nothing after its name; leave out the colon and what follows it",
        ),
    ],
)
def test_a_name_that_there_is_not(make: Callable[[str], Plugin], text: str, sentence: str) -> None:
    with pytest.raises(SecurityError) as caught:
        make(text)
    assert str(caught.value) == sentence


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    program = (
        "import sys\n"
        "from graftwire.gateway.security.registry import Registry, credential\n"
        "from graftwire.gateway.security.plugins import Authoriser\n"
        "Registry().names(Authoriser)\n"
        "names = ('hmac', 'mtls', 'casbin', 'jwt', 'api_keys')\n"
        "loaded = lambda: [n for n in names if f'graftwire.gateway.security.{n}' in sys.modules]\n"
        "print(loaded(), 'cryptography' in sys.modules, 'casbin' in sys.modules)\n"
        "credential('mtls')\n"
        "print(loaded())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[] False False\n['mtls']\n"


# --- of other packages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text", "made"),
    [
        ("others:Hours", "hours", ""),
        ("others:instance", "hours", "made before"),
        ("others:FromText", "hours:8-17", "from 8-17"),
        ("others:FromText", "hours:file:x", "from file:x"),
        ("others:FromText", "hours", "from "),
    ],
)
def test_a_package_brings_a_class_or_an_object(value: str, text: str, made: str) -> None:
    found = registry(hours=value).plugin(Authoriser, text)
    assert isinstance(found, Hours)
    assert found.text == made


@pytest.mark.parametrize(
    ("value", "text", "sentence"),
    [
        (
            "nowhere:X",
            "hours",
            (
                "the authoriser hours can't be made by the package nowhere (ModuleNotFoundError); check its "
                "configuration, update that package or remove it"
            ),
        ),
        (
            "others:Missing",
            "hours",
            (
                "the authoriser hours can't be made by the package others (AttributeError); check its configuration, "
                "update that package or remove it"
            ),
        ),
        (
            "others:Broken",
            "hours",
            (
                "the authoriser hours can't be made by the package others (RuntimeError); check its configuration, "
                "update that package or remove it"
            ),
        ),
        (
            "others:Exits",
            "hours",
            (
                "the authoriser hours can't be made by the package others (SystemExit); check its configuration, "
                "update that package or remove it"
            ),
        ),
        (
            "others:FromText",
            "hours:bad",
            (
                "the authoriser hours can't be made by the package others (ValueError); check its configuration, "
                "update that package or remove it"
            ),
        ),
        ("others:FromText", "hours:wrong", "hours are written as 8-17"),
        (
            "others:nothing",
            "hours",
            (
                "what the package others brings as the authoriser hours is none; update that package or remove it"
            ),
        ),
        (
            "others:Hours",
            "hours:8-17",
            "the authoriser hours takes nothing after its name; leave out the colon and what follows it",
        ),
    ],
)
def test_what_a_package_brings_may_be_broken(value: str, text: str, sentence: str) -> None:
    with pytest.raises(SecurityError) as caught:
        registry(hours=value).plugin(Authoriser, text)
    assert str(caught.value) == sentence


def test_a_plugin_of_another_kind_is_none() -> None:
    with pytest.raises(SecurityError, match="brings as the authenticator hours is none"):
        registry(hours="others:Hours").plugin(Authenticator, "hours")


def test_two_packages_bring_one_name() -> None:
    points = [
        EntryPoint("hours", value, "graftwire.authorisers")
        for value in ("others:Hours", "more:Hours", "more:Hours")
    ]
    with pytest.raises(SecurityError) as caught:
        Registry(lambda group: points).plugin(Authoriser, "hours")
    assert str(caught.value) == (
        "more than one authoriser hours is installed (more, others); remove all but one"
    )


def test_packages_are_looked_at_once_for_each_group() -> None:
    asked: list[str] = []

    def find(group: str) -> list[EntryPoint]:
        asked.append(group)
        return []

    mine = Registry(find)
    for kind, _ in KINDS * 2:
        mine.names(kind)
    assert asked == [group for _, group in KINDS]
    assert {group for _, group in KINDS} == set(BUILT_IN)


# --- a distribution ------------------------------------------------------------------------------------------------

PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "opening-hours"
version = "1.0"

[project.entry-points."graftwire.authorisers"]
hours = "opening_hours:Hours"
everyone = "opening_hours:Hours"
broken = "opening_hours:missing"
"""
MODULE = """\
from graftwire.gateway.security.plugins import Authoriser, Permission


class Hours(Authoriser):
    name = "hours"

    def __init__(self, text):
        self.text = text

    @classmethod
    def from_text(cls, text):
        return cls(text)

    async def authorise(self, request):
        return Permission(f"open {self.text}")
"""
PROGRAM = """\
import trio
from graftwire.gateway.security.errors import SecurityError
from graftwire.gateway.security.identity import NOBODY
from graftwire.gateway.security.plugins import Request
from graftwire.gateway.security.registry import authoriser
from graftwire.transport.facts import LinkFacts

request = Request(NOBODY, "A.b", LinkFacts("memory", "here", "there"))
print(trio.run(authoriser("hours:8-17").authorise, request))
print(type(authoriser("everyone")).__module__)
for name in ("broken", "houers"):
    try:
        authoriser(name)
    except SecurityError as error:
        print(error)
"""


def test_an_installed_distribution_brings_a_plugin(tmp_path: Path) -> None:
    """Built by its own build back end, installed by pip, found by its entry point."""
    source, target = tmp_path / "source", tmp_path / "installed"
    source.mkdir()
    (source / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (source / "opening_hours.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index")
    done = subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "--target", target, source],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    start = f"import runpy, sys; sys.path.insert(0, {str(target)!r}); runpy.run_path(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", start, tmp_path / "program.py"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "Permission(reason='open 8-17', seconds=0.0)",
        "graftwire.gateway.security.roles",
        (
            "the authoriser broken can't be made by the package opening-hours (AttributeError); check its "
            "configuration, update that package or remove it"
        ),
        (
            "there is no authoriser houers; did you mean hours? there are: roles, any-identity, everyone, casbin, "
            "broken, hours"
        ),
    ]
