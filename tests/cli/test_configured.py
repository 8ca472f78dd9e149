"""`graftwire serve` from a configuration file: precedence, SIGHUP, `/readyz`, systemd; in processes of their own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import PATIENCE, Here, Pem, apart, handed_over, running

LEAST = """
[gateway]
listen = ["tcp://127.0.0.1:0"]

[security]
auth = ["anonymous"]

[modules.Shop]
load = "shop:Shop"
"""


@pytest.fixture
def config(shop: Path) -> Iterator[Path]:
    """The configuration file beside shop.py, where it is found without a word."""
    path = shop / "graftwire.toml"
    path.write_text(LEAST)
    path.chmod(0o644)
    yield path
    path.unlink()


def test_the_file_in_this_folder(here: Here, config: Path, shop: Path) -> None:
    with running("serve", cwd=shop) as served:
        assert here("call", served.address(), "Shop.add", "1", "2").out == "3\n"
        assert served.stop().code == 0


def test_a_file_elsewhere(here: Here, config: Path, tmp_path: Path) -> None:
    """Modules and relative paths begin at the folder of the file."""
    with running("serve", "--config", str(config), cwd=tmp_path) as served:
        assert here("call", served.address(), "Shop.none").out == "null\n"


def test_the_file_is_not_read_where_something_else_is_said(here: Here, config: Path, shop: Path) -> None:
    config.write_text("[broken\n")
    done = here("serve", "shop:Shop", "--auth", "anonymous")
    assert done.sentence == (
        "there is no address to listen at; add --listen URL, as in --listen tcp://127.0.0.1:7400"
    )
    done = here("serve")
    assert (done.code, done.sentence) == (
        2,
        "graftwire.toml, line 1: this is not TOML; correct it there or just above",
    )


def test_nothing_is_said_at_all(here: Here, shop: Path) -> None:
    assert here("serve", "--listen", "tcp://127.0.0.1:0", "--auth", "anonymous").sentence == (
        "there is nothing to host; add MODULE:CLASS, or a file with --config FILE"
    )


def test_flags_over_variables_over_the_file(
    here: Here, config: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the three listens somewhere else."""
    monkeypatch.setenv("GRAFTWIRE_GATEWAY_LISTEN", "ws://127.0.0.1:0")
    with running("serve", cwd=shop) as served:
        assert served.address().startswith("ws://")
    with running("serve", "--listen", f"unix:{shop}/of-flags", cwd=shop) as served:
        assert served.address() == f"unix:{shop}/of-flags"
    monkeypatch.delenv("GRAFTWIRE_GATEWAY_LISTEN")
    with running("serve", cwd=shop) as served:
        assert served.address().startswith("tcp://")


def test_the_file_that_a_variable_names(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFTWIRE_CONFIG", str(config))
    with running("serve", cwd=tmp_path) as served:
        assert served.address().startswith("tcp://")


def test_a_mistake_ends_it_with_code_2(config: Path, shop: Path) -> None:
    config.write_text(LEAST.replace("anonymous", "anonymos"))
    done = apart("serve", "--json", cwd=shop)
    assert (done.code, done.out) == (2, "")
    told = json.loads(done.err)["error"]
    assert told["kind"] == "configuration"
    assert told["sentence"].startswith(
        "graftwire.toml, line 6: auth of [security]: there is no authenticator anonymos;"
    )


# --- SIGHUP ---------------------------------------------------------------------------------------------------------


def test_a_reload(here: Here, config: Path, shop: Path) -> None:
    with running("serve", cwd=shop) as served:
        url = served.address()
        with running(
            "call", url, "Shop.double", "--stream", "--items", "-", cwd=shop, stdin=subprocess.PIPE
        ) as run:
            run.type("1")
            assert run.line() == "2"
            config.write_text(LEAST.replace("[modules.Shop]", "[modules.Other]"))
            served.process.send_signal(signal.SIGHUP)
            served.errors_until("hosting Other.add")
            run.type("2")
            assert run.line() == "4"
            assert run.end().code == 0
        assert here("call", url, "Other.none").out == "null\n"
        assert here("call", url, "Shop.none").code == 1
        config.write_text("[gatewy]\n")
        served.process.send_signal(signal.SIGHUP)
        served.errors_until(
            "nothing was reloaded, and all goes on as before: graftwire.toml, line 1: the file has an unknown "
            "key gatewy"
        )
        assert here("call", url, "Other.none").out == "null\n"
        assert served.stop().code == 0


def test_another_drain(config: Path, shop: Path) -> None:
    with running("serve", cwd=shop) as served:
        url = served.address()
        config.write_text(LEAST.replace("[security]", "drain = 0\n[security]"))
        served.process.send_signal(signal.SIGHUP)
        served.errors_until("reloaded")
        with running("call", url, "Shop.begin", "--stream", cwd=shop) as run:
            assert run.line() == '"begun"'
            assert served.stop().code == 0


# --- probes ---------------------------------------------------------------------------------------------------------


def test_probes(config: Path, shop: Path) -> None:
    config.write_text(LEAST.replace("tcp:", "ws:"))
    with running("serve", cwd=shop) as served:
        port = int(served.address().rstrip("/").rpartition(":")[2])
        for path, text in (("/healthz", b"ok\n"), ("/readyz", b"ready\n")):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", path)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, text)
            connection.close()


def test_probes_while_it_drains(config: Path, shop: Path) -> None:
    """Who was connected before is told; then there is nobody to connect to, which every load balancer understands."""
    slow = "drain = 1000\nhandshake-timeout = 60\n[security]"
    config.write_text(LEAST.replace("tcp:", "ws:").replace("[security]", slow))
    with running("serve", cwd=shop) as served:
        url = served.address()
        at = ("127.0.0.1", int(url.rstrip("/").rpartition(":")[2]))
        before = [socket.create_connection(at) for _ in range(2)]
        with running("call", url, "Shop.begin", "--stream", cwd=shop) as run:
            assert run.line() == '"begun"'  # which came in after those two: they were accepted
            served.process.send_signal(signal.SIGTERM)
            served.errors_until("leaving: running calls get 1000 s")
            until_refused(at)
            for sock, path, answer in zip(
                before, ("/readyz", "/healthz"), ((503, b"not ready\n"), (200, b"ok\n")), strict=True
            ):
                connection = http.client.HTTPConnection(*at, timeout=10)
                connection.sock = sock
                connection.request("GET", path)
                told = connection.getresponse()
                assert (told.status, told.read()) == answer
                connection.close()
            assert served.stop().code == 0  # the second signal: the call that runs is not waited for
            assert run.end().code == 3


def until_refused(at: tuple[str, int]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            socket.create_connection(at).close()
        except ConnectionResetError:  # it was in the queue of what is being closed
            continue
        except ConnectionRefusedError:
            return
    raise AssertionError("it still listens")


# --- systemd --------------------------------------------------------------------------------------------------------


def test_under_systemd(here: Here, config: Path, shop: Path, tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
    ):
        port = listening.getsockname()[1]
        config.write_text(LEAST.replace(":0", f":{port}"))
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(20)
        said: list[str] = []

        def until(word: str) -> str:
            while True:
                said.append(notify.recv(1000).decode())
                if said[-1].startswith(word):
                    return said[-1]

        with handed_over(listening, notify, shop, "'LISTEN_FDNAMES': 'graftwire'") as served:
            until("READY=1")
            url = served.address()
            assert url == f"tcp://127.0.0.1:{port}"
            assert here("call", url, "Shop.none").out == "null\n"
            until("WATCHDOG=1")
            until("WATCHDOG=1")
            served.process.send_signal(signal.SIGHUP)
            assert "\nMONOTONIC_USEC=" in until("RELOADING=1")
            until("READY=1")
            assert here("call", url, "Shop.none").out == "null\n"
            served.process.send_signal(signal.SIGTERM)
            until("STOPPING=1")
            assert served.end().code == 0


def test_a_socket_that_nobody_asked_for(config: Path, shop: Path, tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
    ):
        notify.bind(str(tmp_path / "notify"))
        with handed_over(listening, notify, shop, "'LISTEN_FDNAMES': 'graftwire'") as served:
            done = served.end()
    assert done.code == 2
    assert done.sentence == (
        "graftwire.toml, line 3: listen of [gateway]: a socket was handed over that listens at "
        f"127.0.0.1:{listening_port(done.err)}, which is no address of gateway.listen; add it there, or take it out of "
        "the socket unit"
    )


def listening_port(text: str) -> str:
    return text.partition("127.0.0.1:")[2].partition(",")[0]


# --- check ----------------------------------------------------------------------------------------------------------


def test_check_says_what_will_be_exposed(here: Here, config: Path, pem: Pem) -> None:
    config.write_text(
        LEAST.replace("tcp://127.0.0.1:0", "tls://0.0.0.0:7443").replace(
            '["anonymous"]', '["anonymous"]\nallow = ["roles:rules.toml"]'
        )
        + f'[gateway.tls]\ncertificate = "{pem.cert}"\nkey = "{pem.key}"\nclient-ca = "{pem.ca}"\n'
        + '[audit]\nsinks = ["audit.jsonl"]\n'
    )
    rules = config.parent / "rules.toml"
    rules.write_text('[allow]\n"Shop.add" = ["anyone"]\n"Shop.pay" = ["clerk", "auditor"]\n')
    rules.chmod(0o644)
    os.chmod(pem.key, 0o600)
    done = here("check")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "exposes    Shop"
    assert any(line.split() == ["Shop.add", "anyone"] for line in lines)
    assert any(line.split() == ["Shop.pay", "auditor,", "clerk"] for line in lines)
    assert any(line.split() == ["Shop.fail", "nobody"] for line in lines)
    for line in (
        "auth       anonymous",
        "listens    tls://0.0.0.0:7443  TLS, other machines reach it",
        "audit      file:audit.jsonl; what can't be written down is refused",
        "fit to serve",
    ):
        assert line in lines
    assert any(line.startswith("tls        ") and "127.0.0.1" in line for line in lines)
    assert any(line.startswith("client CA  ") for line in lines)
    assert not (config.parent / "audit.jsonl").exists()


def test_check_in_json(here: Here, config: Path) -> None:
    done = here("check", "--json")
    assert done.code == 0
    told = json.loads(done.out)
    assert {each["target"] for each in told["modules"]["Shop"]} >= {"Shop.add", "Shop.none"}
    assert told["auth"] == ["anonymous"]
    assert told["listen"] == [{"url": "tcp://127.0.0.1:0", "tls": False, "other_machines": False}]
    assert (told["tls"], told["problems"], told["warnings"], told["connections"]) == (None, [], [], {})


def test_check_binds_nothing(here: Here, config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config.write_text(LEAST.replace(":0", f":{taken.getsockname()[1]}"))
        assert here("check").code == 0


CONNECTIONS = """
[connections]
default = "memory:"

[connections.Stock]
to = ["tcp://a.example:7400", "tcp://b.example:7400"]
"""


def test_check_says_where_what_is_called_is(here: Here, config: Path) -> None:
    config.write_text(LEAST + CONNECTIONS)
    done = here("check")
    assert done.code == 0
    at = done.out.index("calls")
    assert done.out[at:].splitlines() == [
        "calls      default  memory:",
        "           Stock    tcp://a.example:7400, tcp://b.example:7400",
        "fit to serve",
    ]
    assert json.loads(here("check", "--json").out)["connections"] == {
        "default": ["memory:"],
        "Stock": ["tcp://a.example:7400", "tcp://b.example:7400"],
    }


def test_check_of_a_file_of_a_caller(here: Here, config: Path) -> None:
    """It exposes nothing, so nothing is missing in it."""
    config.write_text(CONNECTIONS)
    done = here("check")
    assert (done.code, done.out.splitlines()[0]) == (0, "calls      default  memory:")
    assert here("serve").sentence.startswith("graftwire.toml: there is nothing to host; ")


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (
            "default =",
            "Other = 5\ndefault =",
            "line 12: Other of [connections] has to be a text of printable characters",
        ),
        (
            "[connections.Stock]",
            '[connections.Stock]\ncredential = "bearer:hunter2"',
            (
                "line 15: credential: a credential is named by where it is: bearer:file:PATH or bearer:env:NAME; the "
                "secret itself has no place here"
            ),
        ),
        (
            "[connections.Stock]",
            '[connections.Stock]\nca = "no.pem"',
            "line 15: ca: the CA certificates in FOLDER/no.pem can't be read: there is no such file; check the path",
        ),
        ("to =", "too =", "line 15: [connections.Stock] has an unknown key too; did you mean to?"),
    ],
)
def test_check_of_connections_that_are_wrong(
    here: Here, config: Path, before: str, after: str, sentence: str
) -> None:
    config.write_text(LEAST + CONNECTIONS.replace(before, after))
    done = here("check")
    assert (done.code, done.out) == (2, "")
    assert done.sentence.startswith(f"graftwire.toml, {sentence}".replace("FOLDER", str(config.parent)))
    assert "hunter2" not in done.err


def test_check_without_a_file(here: Here, shop: Path) -> None:
    done = here("check")
    assert done.code == 2
    assert done.sentence == "there is nothing to host; add MODULE:CLASS, or a file with --config FILE"
