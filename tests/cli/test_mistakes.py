"""Every kind of mistake in a configuration: one sentence with file, line and remedy, code 2, and nothing half started.

At a reload the gateway says the same, and goes on as before. The sentences themselves are held, key by key, where they
are made (tests/gateway/configuration); here is what becomes of them.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from .conftest import Here, apart, as_nobody, running

FILE = """
[gateway]
listen = ["tls://127.0.0.1:0"]

[gateway.tls]
certificate = "cert.pem"
key = "key.pem"

[security]
auth = ["anonymous"]

[audit]
sinks = ["audit.jsonl"]

[modules.Shop]
load = "shop:Shop"
"""

Change = tuple[str, str]

MISTAKES: list[tuple[str, Change, str]] = [
    (
        "unknown key",
        ("listen =", "listn ="),
        "line 3: [gateway] has an unknown key listn; did you mean listen? there are: ",
    ),
    (
        "wrong type",
        ('"tls://127.0.0.1:0"]', '"tls://127.0.0.1:0"]\ndrain = "5"'),
        "line 4: drain of [gateway] has to be seconds, 0 or more, as in 2.5",
    ),
    (
        "contradiction",
        ("tls:", "tcp:"),
        (
            "line 6: no address that is listened at uses TLS, so certificate of [gateway.tls] has no effect; use tls "
            "or wss"
        ),
    ),
    (
        "missing file",
        ('"cert.pem"', '"no.pem"'),
        (
            "line 6: certificate of [gateway.tls]: the certificate no.pem can't be read: there is no such file; check "
            "the path"
        ),
    ),
    (
        "no file",
        ('"key.pem"', '"folder"'),
        "line 7: key of [gateway.tls]: the key folder can't be read: Is a directory; check the file and its mode",
    ),
    (
        "expired",
        ('"cert.pem"', '"old.pem"'),
        "line 6: certificate of [gateway.tls]: the certificate old.pem expired on 2020-01-01; renew it",
    ),
    (
        "does not match",
        ('"key.pem"', '"other-key.pem"'),
        (
            "line 7: key of [gateway.tls]: the key other-key.pem does not belong to the certificate cert.pem; use the "
            "pair made together"
        ),
    ),
]
"""What kind it is, what is changed in the file, and how the sentence begins."""

PORT = (
    "line 3: listen of [gateway]: something listens at 127.0.0.1:PORT already; stop it, or choose another port (0: any "
    "free one)"
)


@pytest.fixture
def folder(shop: Path, tmp_path: Path) -> Iterator[Path]:
    """A configuration file that is right, with all that it names, and much that it should not name."""
    tmp_path.chmod(0o755)
    (tmp_path / "shop.py").write_bytes((shop / "shop.py").read_bytes())
    authority = trustme.CA()
    for prefix in ("", "other-"):
        issued = authority.issue_cert("127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(tmp_path / f"{prefix}cert.pem")
        issued.private_key_pem.write_to_path(tmp_path / f"{prefix}key.pem")
        (tmp_path / f"{prefix}key.pem").chmod(0o600)
    old = authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    old.cert_chain_pems[0].write_to_path(tmp_path / "old.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "folder").mkdir()
    write(tmp_path)
    return tmp_path


def write(folder: Path, *changes: Change) -> None:
    text = FILE
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (folder / "graftwire.toml").write_text(text)
    (folder / "graftwire.toml").chmod(0o644)


@pytest.fixture
def there(here: Here, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command in the folder, which has to end with code 2 and one sentence."""

    def run(command: str) -> str:
        monkeypatch.chdir(folder)
        done = here(command)
        assert (done.code, done.out) == (2, "")
        return done.sentence

    return run


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize(
    ("change", "sentence"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_a_mistake_in_the_file(
    there: Callable[..., str], folder: Path, command: str, change: Change, sentence: str
) -> None:
    write(folder, change)
    assert there(command).startswith(f"graftwire.toml, {sentence}")
    assert not (folder / "audit.jsonl").exists()


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_key_that_can_not_be_read(anybodys: Path, folder: Path, command: str) -> None:
    """By a user who may not do everything."""
    for each in folder.iterdir():
        if each.is_file():
            (anybodys / each.name).write_bytes(each.read_bytes())
            (anybodys / each.name).chmod(0o644)
    (anybodys / "key.pem").chmod(0)
    done = apart(command, cwd=anybodys, before=as_nobody("check"))
    assert (done.code, done.out) == (2, "")
    assert done.sentence == (
        "graftwire.toml, line 7: key of [gateway.tls]: the key key.pem can't be read: Permission denied; check the "
        "file and its mode"
    )


def test_a_port_in_use(there: Callable[..., str], folder: Path) -> None:
    """The address before it, which was free, is free again."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
        port, first = taken.getsockname()[1], free.getsockname()[1]
        free.close()
        write(folder, ('"tls://127.0.0.1:0"', f'"tls://127.0.0.1:{first}", "tls://127.0.0.1:{port}"'))
        assert there("serve") == f"graftwire.toml, {PORT.replace('PORT', str(port))}"
        socket.create_server(("127.0.0.1", first)).close()


def test_a_port_for_the_privileged(folder: Path) -> None:
    # whether this user may use it depends on the machine, so the system's answer is made here
    before = (
        "import errno, socket\n"
        "def bind(self, address): raise PermissionError(errno.EACCES, 'Permission denied')\n"
        "socket.socket.bind = bind"
    )
    write(folder, ("127.0.0.1:0", "127.0.0.1:443"))
    done = apart("serve", cwd=folder, before=before)
    assert (done.code, done.out) == (2, "")
    assert done.sentence == (
        "graftwire.toml, line 3: listen of [gateway]: this user may not listen at 127.0.0.1:443; choose a port above "
        "1023"
    )


def test_at_a_reload_all_goes_on_as_before(here: Here, folder: Path) -> None:
    """After each of them: the log says why, the session that was there is served, and new ones are."""
    refused = "nothing was reloaded, and all goes on as before: graftwire.toml, "
    with socket.create_server(("127.0.0.1", 0)) as taken, running("serve", cwd=folder) as served:
        url = served.address()
        port = str(taken.getsockname()[1])
        in_use = ("in use", ("127.0.0.1:0", f"127.0.0.1:{port}"), PORT.replace("PORT", port))
        call = ["call", url, "--ca", str(folder / "ca.pem"), "Shop.double", "--stream", "--items", "-"]
        with running(*call, cwd=folder, stdin=-1) as run:
            for number, (_, change, sentence) in enumerate([*MISTAKES, in_use]):
                write(folder, change)
                os.kill(served.process.pid, signal.SIGHUP)
                served.errors_until(refused + sentence)
                run.type(str(number))
                assert run.line() == str(2 * number)
            assert run.end().code == 0
        assert here("call", url, "--ca", str(folder / "ca.pem"), "Shop.none").out == "null\n"
        write(folder)
        served.process.send_signal(signal.SIGHUP)
        served.errors_until("reloaded; listening at")
        assert served.stop().code == 0
