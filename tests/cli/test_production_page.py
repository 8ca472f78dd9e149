"""docs/how-to/from-development-to-production.md, followed: the configuration changes, and the hosted code does not."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
import trustme

from . import office
from .conftest import Here, running

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "from-development-to-production.md").read_text(
    encoding="utf-8"
)
(MODULE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
DEVELOPMENT, RULES, PRODUCTION = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
CHECKED, UNSAFE = re.findall(r"```console\n\$ graftwire check\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the page, with what its steps bring."""
    os.umask(0o022)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.py").write_text(MODULE)
    office._tokens(tmp_path)  # jwks.json, tokens.toml, token: of a clerk
    (tmp_path / "tokens.toml").rename(tmp_path / "jwt.toml")
    (tmp_path / "roles.toml").write_text(RULES)
    (tmp_path / "tls").mkdir()
    ca, clients = trustme.CA(), trustme.CA()
    for name, made in (("", ca.issue_cert("127.0.0.1")), ("client-", clients.issue_cert("caller.example"))):
        made.private_key_pem.write_to_path(tmp_path / "tls" / f"{name}key.pem")
        (tmp_path / "tls" / f"{name}key.pem").chmod(0o600)
        path = tmp_path / "tls" / (f"{name}cert.pem" if not name else "client.pem")
        made.cert_chain_pems[0].write_to_path(path)
    ca.cert_pem.write_to_path(tmp_path / "tls" / "ca.pem")
    clients.cert_pem.write_to_path(tmp_path / "tls" / "clients.pem")
    return tmp_path


def said(folder: Path, text: str) -> None:
    (folder / "graftwire.toml").write_text(text)


def test_check_says_what_the_page_says(here: Here, folder: Path) -> None:
    said(folder, DEVELOPMENT)
    done = here("check")
    assert (done.code, done.out, done.err) == (0, CHECKED, "")
    said(folder, DEVELOPMENT.replace("127.0.0.1", "0.0.0.0"))
    done = here("check")
    assert (done.code, done.err) == (2, UNSAFE)
    said(folder, PRODUCTION)
    done = here("check")
    assert (done.code, done.err) == (0, "")
    assert "fit to serve" in done.out


def test_the_whole_way(here: Here, folder: Path) -> None:
    """One gateway that runs, reloaded from the first configuration to the last."""
    said(folder, DEVELOPMENT.replace(":7400", ":0"))
    code = (folder / "shop.py").read_bytes()
    with running("serve", cwd=folder) as served:
        url = served.address()
        assert here("call", url, "Invoices.total", '"ACME"', "1200").out == "1476\n"
        said(folder, PRODUCTION.replace(":7443", ":0"))
        served.process.send_signal(signal.SIGHUP)
        served.errors_until("reloaded; listening at ")
    with running("serve", cwd=folder) as served:
        url = served.address()
        trusted = ("--ca", "tls/ca.pem")
        certificate = ("--cert", "tls/client.pem", "--key", "tls/client-key.pem")
        token = ("--credential", "bearer:file:token")
        total, void = ("Invoices.total", '"ACME"', "1200"), ("Invoices.void", '"17"')
        done = here("call", url, *total, *trusted, *token)
        assert (done.code, "asks for a client certificate" in done.sentence) == (3, True)
        done = here("call", "--json", url, *total, *trusted, *certificate)
        assert '"kind": "unauthenticated"' in done.err
        assert here("call", url, *total, *trusted, *certificate, *token).out == "1476\n"
        done = here("call", "--json", url, *void, *trusted, *certificate, *token)
        assert '"kind": "denied"' in done.err
        assert served.stop().code == 0
    assert here("audit", "verify", "audit.jsonl").code == 0
    assert len((folder / "audit.jsonl").read_text().splitlines()) >= 4
    assert (folder / "shop.py").read_bytes() == code
