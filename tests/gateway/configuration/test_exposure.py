"""What `check` finds: who may call what, and what is unsafe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
import trustme

import graftwire
from graftwire.gateway.configuration.exposure import Exposure, expose

from .conftest import LEAST, Load

TLS = '[gateway.tls]\ncertificate = "cert.pem"\nkey = "key.pem"\n'
OPEN = LEAST.replace("127.0.0.1", "0.0.0.0")


def who(found: Exposure) -> dict[str, tuple[str, bool | None]]:
    return {each.name: (each.who, each.anonymous) for targets in found.modules.values() for each in targets}


def test_anonymous_alone_may_call_everything(load: Load) -> None:
    assert who(trio.run(expose, load(LEAST)))["Stock.who"] == ("anyone", True)


@pytest.mark.parametrize(
    ("allow", "expected"),
    [
        ('"any-identity"', ("authenticated", False)),
        ('"everyone"', ("anyone", True)),
        ('"everyone", "any-identity"', ("anyone and authenticated", False)),
        ('"roles"', ("clerk", False)),
    ],
)
def test_who_may_call(load: Load, allow: str, expected: tuple[str, bool]) -> None:
    text = LEAST.replace("stock:Stock", "stock:Marked").replace(
        '["anonymous"]', f'["anonymous"]\nallow = [{allow}]'
    )
    found = who(trio.run(expose, load(text)))
    assert found["Stock.a"] == expected
    if allow == '"roles"':
        assert found["Stock.b"] == ("nobody", False)


def test_whoever_is_asked_at_the_call(load: Load, folder: Path) -> None:
    (folder / "m.conf").write_text(
        "[request_definition]\nr = sub, obj, act\n[policy_definition]\np = sub, obj, act\n[role_definition]\ng = _, _\n"
        "[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\nm = r.sub == p.sub && r.obj == p.obj\n"
    )
    (folder / "p.csv").write_text("p, role:clerk, Stock.who, call\n")
    text = LEAST.replace('["anonymous"]', '["anonymous"]\nallow = ["casbin:m.conf,p.csv"]')
    assert who(trio.run(expose, load(text)))["Stock.who"] == ("whom casbin lets", None)


def problems(load: Load, folder: Path, text: str) -> tuple[list[str], list[str]]:
    found = trio.run(expose, load(text))
    return tuple(
        [each.replace(f"{folder}/", "") for each in list(part)] for part in (found.problems, found.warnings)
    )  # type: ignore[return-value]


def test_anonymous_callers_on_a_plain_link_of_other_machines(load: Load, folder: Path) -> None:
    sentence = (
        "graftwire.toml, line 3: listen of [gateway]: anonymous callers are let in at tcp://0.0.0.0:0, which other "
        "machines reach and nothing protects; listen at tls, wss or 127.0.0.1, or write plain-anonymous = true in "
        "[security]"
    )
    assert problems(load, folder, OPEN) == ([sentence], [])
    assert problems(load, folder, OPEN.replace("[security]", "[security]\nplain-anonymous = true")) == (
        [],
        [],
    )
    for url in ("tcp://localhost:0", "tcp://[::1]:0", "unix:/x/y"):
        assert problems(load, folder, LEAST.replace("tcp://127.0.0.1:0", url)) == ([], [])
    assert problems(load, folder, LEAST.replace("127.0.0.1", "*"))[0] != []


def keys(folder: Path, text: str, more: str = "") -> str:
    from graftwire.cli import main

    if not (folder / "keys.json").exists():
        assert main(["key", "new", "--file", str(folder / "keys.json"), "--subject", "billing"]) == 0
    auth = f'["api-keys:keys.json"]\nallow = ["any-identity"]\n{more}'
    return text.replace('["anonymous"]', auth)


def test_proofs_over_plain_links(load: Load, pem: Path) -> None:
    text = keys(pem, OPEN, "plain-proofs = true")
    assert problems(load, pem, text) == (
        [],
        [
            (
                "proofs of identity cross tcp://0.0.0.0:0 unprotected, as plain-proofs says; whoever reads "
                "that network can "
                "use them"
            )
        ],
    )
    text = keys(pem, LEAST.replace('"tcp://127.0.0.1:0"', '"tcp://127.0.0.1:0", "tls://0.0.0.0:0"')) + TLS
    assert problems(load, pem, text) == (
        [],
        ["no proof is taken at tcp://127.0.0.1:0, which does not protect it; use tls, wss or unix there"],
    )
    with pytest.raises(graftwire.ConfigurationError, match="does not protect proofs"):
        trio.run(expose, load(keys(pem, OPEN)))


def test_a_key_that_others_can_read(load: Load, pem: Path) -> None:
    text = LEAST.replace("tcp:", "tls:") + TLS
    (pem / "key.pem").chmod(0o640)
    assert problems(load, pem, text) == ([], [])
    (pem / "key.pem").chmod(0o644)
    assert problems(load, pem, text) == (
        [
            (
                "graftwire.toml, line 12: key of [gateway.tls]: the key key.pem can be read or changed by other "
                "users; run chmod 600 key.pem, and replace it if somebody may have read it"
            )
        ],
        [],
    )


def test_a_certificate_that_is_about_to_expire(load: Load, pem: Path) -> None:
    until = datetime.now(UTC) + timedelta(days=9, hours=1)
    made = trustme.CA().issue_cert("127.0.0.1", not_after=until, common_name="shop.example")
    made.cert_chain_pems[0].write_to_path(pem / "cert.pem")
    made.private_key_pem.write_to_path(pem / "key.pem")
    found = trio.run(expose, load(LEAST.replace("tcp:", "tls:") + TLS + 'client-ca = "ca.pem"\n'))
    assert [each.replace(f"{pem}/", "") for each in found.warnings] == [
        f"the certificate cert.pem expires in 9 days, on {until:%Y-%m-%d}; renew it"
    ]
    assert found.certificate is not None
    assert "CN=shop.example" in found.certificate.subject
    assert found.certificate.names == ["127.0.0.1"]
    assert found.client_ca is not None
    assert len(found.client_ca) == 1


def test_a_certificate_that_does_not_match(load: Load, pem: Path) -> None:
    text = LEAST.replace("tcp:", "tls:") + TLS.replace("key.pem", "other-key.pem")
    with pytest.raises(graftwire.ConfigurationError, match="does not belong to the certificate"):
        trio.run(expose, load(text))


def test_rules_for_nothing_that_is_hosted(load: Load, folder: Path) -> None:
    (folder / "rules.toml").write_text('[allow]\n"Stock.hwo" = ["clerk"]\n')
    (folder / "rules.toml").chmod(0o644)
    text = LEAST.replace('["anonymous"]', '["anonymous"]\nallow = ["roles:rules.toml"]')
    with pytest.raises(graftwire.ConfigurationError) as caught:
        trio.run(expose, load(text))
    assert "the rule Stock.hwo is for nothing that is hosted; did you mean Stock.who?" in str(caught.value)


def test_an_audit_log_without_a_folder(load: Load, folder: Path) -> None:
    assert problems(load, folder, LEAST + '[audit]\nsinks = ["no/a.jsonl"]\n') == (
        [
            (
                "graftwire.toml, line 11: sinks of [audit]: there is no folder no for the audit log no/a.jsonl; make "
                "it, or name another file"
            )
        ],
        [],
    )


def test_nothing_is_written(load: Load, folder: Path) -> None:
    trio.run(expose, load(LEAST + '[audit]\nsinks = ["a.jsonl"]\n'))
    assert not (folder / "a.jsonl").exists()
