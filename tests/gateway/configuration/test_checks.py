"""What contradicts itself, what is missing, and what can't be used: one sentence for each, and nothing is started."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

import graftwire

from .conftest import LEAST, Load

TLS = '[gateway.tls]\ncertificate = "cert.pem"\nkey = "key.pem"\n'


async def mistake(load: Load, folder: Path, text: str) -> str:
    try:
        async with load(text).serve():
            raise AssertionError("it was started")
    except graftwire.ConfigurationError as error:
        return str(error).replace(f"{folder}/", "")


def changed(*pairs: tuple[str, str]) -> str:
    text = LEAST
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    return text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            changed(('auth = ["anonymous"]', "")),
            (
                'graftwire.toml: nobody has said who may call; add auth = ["anonymous"] to [security] to let '
                "anyone who "
                'reaches it call all that it hosts, or auth = ["NAME:TEXT"] and allow = ["NAME:TEXT"]'
            ),
        ),
        (
            changed(('"anonymous"', '"api-keys:keys.json"')),
            (
                'graftwire.toml: nobody has said what those who are let in may call; add allow = ["any-identity"] to '
                '[security] to let every authenticated caller call everything, or allow = ["NAME:TEXT"]'
            ),
        ),
        (
            changed(('"anonymous"', '"anonymus"')),
            (
                "graftwire.toml, line 6: auth of [security]: there is no authenticator anonymus; did you mean "
                "anonymous? there are: anonymous, jwt, api-keys, hmac, mtls"
            ),
        ),
        (
            changed(('"anonymous"]', '"anonymous"]\nallow = ["rolls"]')),
            (
                "graftwire.toml, line 7: allow of [security]: there is no authoriser rolls; did you mean roles? there "
                "are: roles, any-identity, everyone, casbin"
            ),
        ),
        (
            changed(('["anonymous"]', '["api-keys:no.json"]\nallow = ["any-identity"]\nplain-proofs = true')),
            (
                "graftwire.toml, line 6: auth of [security]: the key file no.json can't be read: there is no such "
                "file; check the path"
            ),
        ),
        (
            changed(('["anonymous"]', '["api-keys:no.json"]\nallow = ["any-identity"]')),
            (
                "graftwire.toml, line 3: listen of [gateway]: tcp does not protect proofs, so none is taken over it "
                "and nobody could be let in by one; listen at tls, wss or unix, or add plain-proofs = true to "
                "[security] if the network may read them"
            ),
        ),
        (
            changed(('["anonymous"]', '["mtls:m.toml"]\nallow = ["any-identity"]')),
            (
                "graftwire.toml, line 6: auth of [security] mtls is about the certificates of callers, and nobody asks "
                'them for one; add client-ca = "FILE" to [gateway.tls]'
            ),
        ),
        (
            changed(('listen = ["tcp://127.0.0.1:0"]', "")),
            (
                'graftwire.toml: there is no address to listen at; add listen = ["tcp://127.0.0.1:7400"] to [gateway]'
            ),
        ),
        (
            changed(("tcp://127.0.0.1:0", "tcp://127.0.0.1")),
            (
                "graftwire.toml, line 3: listen of [gateway]: a tcp URL needs a port, as in tcp://localhost:7400"
            ),
        ),
        (
            changed(("tcp://127.0.0.1:0", "memory:x")),
            (
                "graftwire.toml, line 3: listen of [gateway]: a memory URL is for one process alone; use tcp, tls, "
                "unix, ws or wss"
            ),
        ),
        (
            changed(("tcp:", "tls:")),
            (
                "graftwire.toml, line 3: listen of [gateway]: tls://127.0.0.1:0 needs a certificate and its key; add "
                'certificate = "FILE" and key = "FILE" to [gateway.tls]'
            ),
        ),
        (
            LEAST + TLS,
            (
                "graftwire.toml, line 11: no address that is listened at uses TLS, so certificate of [gateway.tls] has "
                "no effect; use tls or wss"
            ),
        ),
        (
            changed(("tcp:", "tls:")) + '[gateway.tls]\ncertificate = "cert.pem"\n',
            (
                'graftwire.toml, line 11: certificate of [gateway.tls] needs the certificate\'s key; add key = "FILE" '
                "to [gateway.tls]"
            ),
        ),
        (
            changed(("tcp:", "tls:")) + '[gateway.tls]\nkey = "key.pem"\n',
            (
                "graftwire.toml, line 11: key of [gateway.tls] needs the certificate that it belongs to; add "
                'certificate = "FILE" to [gateway.tls]'
            ),
        ),
        (
            LEAST + '[gateway.tls]\nclient-ca = "ca.pem"\n',
            (
                'graftwire.toml, line 11: client-ca of [gateway.tls] is for TLS; add certificate = "FILE" and key = '
                '"FILE" to [gateway.tls]'
            ),
        ),
        (
            changed(("tcp:", "tls:")) + TLS.replace("cert.pem", "no.pem"),
            (
                "graftwire.toml, line 11: certificate of [gateway.tls]: the certificate no.pem can't be read: there is "
                "no such file; check the path"
            ),
        ),
        (
            changed(("tcp:", "tls:")) + TLS.replace("key.pem", "no.pem"),
            (
                "graftwire.toml, line 12: key of [gateway.tls]: the key no.pem can't be read: there is no such file; "
                "check the path"
            ),
        ),
        (
            changed(("tcp:", "tls:")) + TLS.replace("key.pem", "other-key.pem"),
            (
                "graftwire.toml, line 12: key of [gateway.tls]: the key other-key.pem does not belong to the "
                "certificate cert.pem; use the pair made together"
            ),
        ),
        (
            changed(("tcp:", "tls:")) + TLS + 'client-ca = "no.pem"\n',
            (
                "graftwire.toml, line 13: client-ca of [gateway.tls]: the CA certificates in no.pem can't be read: "
                "there is no such file; check the path"
            ),
        ),
        (
            changed(("[modules.Stock]\n", ""), ('load = "stock:Stock"\n', "")),
            'graftwire.toml: there is nothing to host; add [modules.NAME] with load = "MODULE:CLASS"',
        ),
        (
            LEAST + "count = 2\n",
            (
                "graftwire.toml, line 10: count is for modules that run in worker processes; add run = "
                '"worker", or take it out'
            ),
        ),
        (
            changed(("stock:Stock", "stock")) + 'run = "worker"\n',
            (
                'graftwire.toml, line 9: a worker runs a class or an object of a module, as in "package.module:Class"'
            ),
        ),
        (
            LEAST + 'run = "worker"\nmemory = 0\n',
            "graftwire.toml, line 11: memory of [modules.Stock] has to be a whole number from 1 to 9007199254740992",
        ),
        (
            changed(("stock:Stock", "stock:Stok")) + 'run = "worker"\n',
            "graftwire.toml, line 9: the module stock has nothing called Stok; check the name",
        ),
        (
            changed(("stock:Stock", "stock:Stok")),
            "graftwire.toml, line 9: the module stock has nothing called Stok; check the name",
        ),
        (
            changed(("stock:Stock", "nowhere:Stock")),
            (
                "graftwire.toml, line 9: there is no module nowhere in this directory or among the installed packages"
            ),
        ),
        (
            LEAST + '[audit]\non-failure = "count"\n',
            (
                "graftwire.toml, line 11: on-failure of [audit] is about an audit log, and there is none; add sinks = "
                '["audit.jsonl"] to [audit]'
            ),
        ),
        (
            LEAST + '[audit]\nsinks = ["no/audit.jsonl"]\n',
            (
                "graftwire.toml, line 11: sinks of [audit]: the audit log no/audit.jsonl can't be opened: there is no "
                "folder no; make it, or name another file"
            ),
        ),
        (
            LEAST + '[gateway.proxy-protocol]\nsources = ["10.0.0.1/8"]\n',
            (
                'graftwire.toml, line 11: sources of [gateway.proxy-protocol] has to be networks, as in ["10.0.0.0/8", '
                '"::1"]; no bit beyond the prefix may be set'
            ),
        ),
        (
            LEAST + "[gateway.limits]\nlargest-frame = 16000000\nunfinished-body-bytes = 65536\n",
            (
                "graftwire.toml, line 11: largest-frame of [gateway.limits]: unfinished-body-bytes must not be below "
                "largest-frame"
            ),
        ),
        (
            changed(("tcp://127.0.0.1:0", "tcp://192.0.2.1:0")),
            (
                "graftwire.toml, line 3: listen of [gateway]: 192.0.2.1 is not an address of this machine; use one "
                "that is, or * for all"
            ),
        ),
    ],
)
async def test_mistakes(load: Load, pem: Path, text: str, sentence: str) -> None:
    assert await mistake(load, pem, text) == sentence


async def test_a_port_that_is_taken(load: Load, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = await mistake(load, folder, changed(("tcp://127.0.0.1:0", f"tcp://127.0.0.1:{port}")))
    assert told == (
        f"graftwire.toml, line 3: listen of [gateway]: something listens at 127.0.0.1:{port} already; stop it, or "
        "choose another port (0: any free one)"
    )


async def test_a_port_for_the_privileged(load: Load, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(self: socket.socket, where: object) -> None:
        raise PermissionError(13, "")

    monkeypatch.setattr(socket.socket, "bind", bind)
    assert await mistake(load, folder, changed(("127.0.0.1:0", "127.0.0.1:80"))) == (
        "graftwire.toml, line 3: listen of [gateway]: this user may not listen at 127.0.0.1:80; choose a port "
        "above 1023"
    )


async def test_a_certificate_that_has_expired(load: Load, pem: Path) -> None:
    old = trustme.CA().issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    old.cert_chain_pems[0].write_to_path(pem / "cert.pem")
    assert await mistake(load, pem, changed(("tcp:", "tls:")) + TLS) == (
        "graftwire.toml, line 11: certificate of [gateway.tls]: the certificate cert.pem expired on "
        "2020-01-01; renew it"
    )


async def test_nothing_is_half_started(load: Load, folder: Path) -> None:
    """Of two addresses the first was free; the audit log was opened, and is not kept from anybody."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
        port, first = taken.getsockname()[1], free.getsockname()[1]
        free.close()
        listen = f'"tcp://127.0.0.1:{first}", "tcp://127.0.0.1:{port}"'
        text = changed(('"tcp://127.0.0.1:0"', listen)) + '[audit]\nsinks = ["a.jsonl"]\n'
        await mistake(load, folder, text)
    async with load(text).serve() as running:
        assert len(running.gateway.urls) == 2


async def test_untyped_modules(load: Load, folder: Path) -> None:
    text = LEAST + '[modules.It]\nload = "stock:Untyped"\n'
    with pytest.raises(graftwire.InterfaceError):
        async with load(text).serve():
            pass
    for more in ("allow-untyped = true\n", "[gateway]\nallow-untyped = true\n"):
        made = text + more if more[0] == "a" else text.replace("[gateway]\n", more)
        async with (
            load(made).serve() as running,
            graftwire.connect(running.gateway.urls[0]) as client,
        ):
            assert await client.call("It.it", "x") == "x"
