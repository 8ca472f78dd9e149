"""What a configuration file can do wrong, sentence by sentence; and what overrides what."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import graftwire
from graftwire.gateway.configuration.schema import KEYS, Kind

from .conftest import LEAST, Load, Write

TLS = '[gateway.tls]\ncertificate = "cert.pem"\nkey = "key.pem"\n'


def mistake(load: Load, folder: Path, text: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(graftwire.ConfigurationError) as caught:
        load(text, environ)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[gatewy]\n",
            "graftwire.toml, line 1: the file has an unknown key gatewy; did you mean gateway? there are: ",
        ),
        (
            "[gateway.tsl]\n",
            "graftwire.toml, line 1: [gateway] has an unknown key tsl; did you mean tls? there are: ",
        ),
        (
            "[gateway]\n\nlisten = []\ndrian = 3\n",
            "graftwire.toml, line 4: [gateway] has an unknown key drian; did you mean drain? there are: listen, ",
        ),
        (
            '[security]\nauth = ["anonymous"]\nplain-proof = true\n',
            (
                "graftwire.toml, line 3: [security] has an unknown key plain-proof; did you mean plain-proofs? there "
                "are: auth, allow, plain-proofs, plain-anonymous"
            ),
        ),
        (
            '[modules.Stock]\nload = "a:B"\nrn = "process"\n',
            "graftwire.toml, line 3: [modules.Stock] has an unknown key rn; did you mean run? there are: ",
        ),
        ("[modules.Stock]\n", "graftwire.toml, line 1: [modules.Stock] has no load; add it"),
        (
            '[modules."a b"]\nload = "a:B"\n',
            "graftwire.toml: the name of what is hosted is printable ASCII without spaces, and not graftwire.…",
        ),
        (
            '[modules.Stock]\nload = "a:B"\nrun = "thread"\n',
            "graftwire.toml, line 3: run of [modules.Stock] is either process or worker",
        ),
        ("modules = 3\n", "graftwire.toml, line 1: modules has to be a table; begin it with [modules]"),
        (
            "[gateway]\ntls = 3\n",
            "graftwire.toml, line 2: tls has to be a table; begin it with [gateway.tls]",
        ),
        (
            '[gateway]\ndrain = "5"\n',
            "graftwire.toml, line 2: drain of [gateway] has to be seconds, 0 or more, as in 2.5",
        ),
        (
            "[gateway]\ndrain = -1\n",
            "graftwire.toml, line 2: drain of [gateway] has to be seconds, 0 or more, as in 2.5",
        ),
        (
            "[gateway]\ndrain = nan\n",
            "graftwire.toml, line 2: drain of [gateway] has to be seconds, 0 or more, as in 2.5",
        ),
        (
            "[gateway]\nthreads = 0\n",
            "graftwire.toml, line 2: threads of [gateway] has to be a whole number from 1 to 100000",
        ),
        (
            "[gateway]\nthreads = true\n",
            "graftwire.toml, line 2: threads of [gateway] has to be a whole number from 1 to 100000",
        ),
        (
            '[gateway]\nlisten = "tcp://127.0.0.1:1"\n',
            'graftwire.toml, line 2: listen of [gateway] has to be a list of texts, as in ["one", "two"]',
        ),
        ("[gateway]\ndetect = 1\n", "graftwire.toml, line 2: detect of [gateway] has to be true or false"),
        (
            "[gateway.tls]\ncertificate = 1\n",
            "graftwire.toml, line 2: certificate of [gateway.tls] has to be a path",
        ),
        (
            '[audit]\non-failure = "ignore"\n',
            "graftwire.toml, line 2: on-failure of [audit] is either refuse or count",
        ),
        (
            "[gateway.limits]\ncalls-in-flight = 3\n",
            "graftwire.toml, line 2: calls-in-flight of [gateway.limits] has to be a whole number from 16 to 65536",
        ),
        ("[gateway\n", "graftwire.toml, line 1: this is not TOML; correct it there or just above"),
        ("a = 1\na = 2\n", "graftwire.toml, line 2: this is not TOML; correct it there or just above"),
    ],
)
def test_mistakes_in_the_file(load: Load, folder: Path, text: str, sentence: str) -> None:
    told = mistake(load, folder, text)
    assert told.startswith(sentence)
    if not sentence.endswith((" ", ", ")):
        assert told == sentence


def test_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(graftwire.ConfigurationError) as caught:
        graftwire.Configuration.load(folder / "nowhere.toml", environ={})
    assert str(caught.value) == (
        f"the configuration {folder}/nowhere.toml can't be read: there is no such file; check the path"
    )


def test_a_file_that_others_may_write(write: Write) -> None:
    path = write(LEAST)
    path.chmod(0o666)
    with pytest.raises(graftwire.ConfigurationError) as caught:
        graftwire.Configuration.load(path, environ={})
    assert str(caught.value) == (
        f"the configuration {path} can be written by others than its owner; run chmod go-w {path}, and check what it "
        "holds"
    )


def test_a_value_is_never_shown(load: Load, folder: Path) -> None:
    for key in KEYS.values():
        value = '"s3cret\\u0007"' if key.kind is not Kind.TEXTS else '["s3cret\\u0007"]'
        told = mistake(load, folder, f"[{key.section}]\n{key.name} = {value}\n")
        assert told.startswith(f"graftwire.toml, line 2: {key.name} of [{key.section}] "), told
        assert "s3cret" not in told


# --- the environment ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "path", "value"),
    [
        ("GRAFTWIRE_GATEWAY_LISTEN", "tcp://a:1  tls://b:2", "gateway.listen", ("tcp://a:1", "tls://b:2")),
        ("GRAFTWIRE_SECURITY_AUTH", '["jwt:a b.toml"]', "security.auth", ("jwt:a b.toml",)),
        ("GRAFTWIRE_GATEWAY_DRAIN", "2.5", "gateway.drain", 2.5),
        ("GRAFTWIRE_GATEWAY_THREADS", "7", "gateway.threads", 7),
        ("GRAFTWIRE_GATEWAY_DETECT", "true", "gateway.detect", True),
        ("GRAFTWIRE_GATEWAY_TLS_CLIENT_CA", "ca.pem", "gateway.tls.client-ca", "ca.pem"),
        ("GRAFTWIRE_GATEWAY_LIMITS_IDLE_TIME", "5000", "gateway.limits.idle-time", 5000),
        ("GRAFTWIRE_AUDIT_ON_FAILURE", "count", "audit.on-failure", "count"),
    ],
)
def test_a_variable_overrides_the_file(load: Load, name: str, text: str, path: str, value: object) -> None:
    assert load(LEAST, {name: text}).value(path) == value


def test_each_key_has_a_variable_of_its_own() -> None:
    variables = {key.variable for key in KEYS.values()}
    assert len(variables) == len(KEYS)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "GRAFTWIRE_GATEWAY_DRAIN",
            "soon",
            "GRAFTWIRE_GATEWAY_DRAIN has to be seconds, 0 or more, as in 2.5",
        ),
        (
            "GRAFTWIRE_GATEWAY_THREADS",
            "1.5",
            "GRAFTWIRE_GATEWAY_THREADS has to be a whole number from 1 to 100000",
        ),
        ("GRAFTWIRE_GATEWAY_DETECT", "yes", "GRAFTWIRE_GATEWAY_DETECT has to be true or false"),
        (
            "GRAFTWIRE_SECURITY_AUTH",
            "[jwt",
            'GRAFTWIRE_SECURITY_AUTH has to be a list of texts, as in ["one", "two"]',
        ),
        (
            "GRAFTWIRE_GATEWAY_LISTN",
            "tcp://a:1",
            (
                "the environment variable GRAFTWIRE_GATEWAY_LISTN sets nothing; did you mean "
                "GRAFTWIRE_GATEWAY_LISTEN?"
            ),
        ),
        (
            "GRAFTWIRE_MODULES_STOCK",
            "a:B",
            "the environment variable GRAFTWIRE_MODULES_STOCK sets nothing; unset it",
        ),
        ("GRAFTWIRE_MODULES", "[1", "GRAFTWIRE_MODULES has to be words, as in Shop=shop:Shop"),
    ],
)
def test_mistakes_in_the_environment(load: Load, folder: Path, name: str, text: str, sentence: str) -> None:
    assert mistake(load, folder, LEAST, {name: text}) == sentence


def test_other_variables_are_left_alone(load: Load) -> None:
    assert load(LEAST, {"GRAFTWIRE_DEBUG": "1", "GRAFTWIRE_CONFIG": "x", "PATH": "/bin"}).file is not None


# --- precedence -----------------------------------------------------------------------------------------------------


def test_flags_over_variables_over_the_file(load: Load) -> None:
    text = LEAST.replace("[security]", "drain = 1\n[security]")
    environ = {"GRAFTWIRE_GATEWAY_DRAIN": "2"}
    assert load(LEAST).number("gateway.drain") == 5.0
    assert load(text).number("gateway.drain") == 1.0
    assert load(text, environ).number("gateway.drain") == 2.0
    assert load(text, environ, overrides={"gateway.drain": 3.0}).number("gateway.drain") == 3.0
    assert load(text, environ, overrides={"gateway.drain": None}).number("gateway.drain") == 2.0


def test_what_is_hosted_is_overridden_as_a_whole(load: Load) -> None:
    environ = {"GRAFTWIRE_MODULES": "Two=stock:Other stock:Stock"}
    assert [module.text for module in load(LEAST).modules] == ["Stock=stock:Stock"]
    assert [module.text for module in load(LEAST, environ).modules] == ["Two=stock:Other", "stock:Stock"]
    assert [each.text for each in load(LEAST, environ, services=("a:B",)).modules] == ["a:B"]


def test_paths_begin_where_they_are_said(load: Load, folder: Path) -> None:
    made = load(
        LEAST.replace('["anonymous"]', '["jwt:jwt.toml", "x:y"]\nallow = ["casbin:m.conf,p.csv"]') + TLS,
        {"GRAFTWIRE_GATEWAY_TLS_KEY": "key.pem"},
    )
    assert made.file_of("gateway.tls.certificate") == f"{folder}/cert.pem"
    assert made.file_of("gateway.tls.key") == "key.pem"
    assert made.plugins("security.auth") == (f"jwt:{folder}/jwt.toml", "x:y")
    assert made.plugins("security.allow") == (f"casbin:{folder}/m.conf,{folder}/p.csv",)


def test_the_environment_is_that_of_the_process(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "GRAFTWIRE_GATEWAY_DRAIN", "9")
    assert graftwire.Configuration.load(write(LEAST)).number("gateway.drain") == 9.0
