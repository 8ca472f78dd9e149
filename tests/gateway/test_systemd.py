"""Sockets that are handed over, and what the service manager is told."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from graftwire import ConfigurationError
from graftwire.gateway import systemd


def test_nothing_is_taken_that_is_for_another_process() -> None:
    assert systemd.inherited({}) == []
    assert systemd.inherited({"LISTEN_FDS": "1", "LISTEN_PID": "1"}) == []


def test_a_number_that_is_none() -> None:
    with pytest.raises(ConfigurationError, match="LISTEN_FDS is no number"):
        systemd.inherited({"LISTEN_FDS": "x", "LISTEN_PID": str(os.getpid())})


def test_what_does_not_listen_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        monkeypatch.setattr(systemd, "FIRST", os.dup(sock.fileno()))
        with pytest.raises(ConfigurationError) as caught:
            systemd.inherited({"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": "web"})
    assert str(caught.value) == (
        "the socket web that was handed over does not listen for connections; write ListenStream= in its socket unit, "
        "and Accept=no"
    )


def test_a_listening_socket_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        monkeypatch.setattr(systemd, "FIRST", os.dup(sock.fileno()))
        [found] = systemd.inherited({"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})
        with found:
            assert found.getsockname() == sock.getsockname()
            assert not found.get_inheritable()


@pytest.fixture
def manager(tmp_path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(tmp_path / "notify"))
    sock.settimeout(5)
    return sock


def test_what_the_manager_is_told(manager: socket.socket) -> None:
    with manager:
        notifier = systemd.Notifier({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "4000000"})
        assert notifier.watchdog == 2.0
        notifier.ready()
        assert manager.recv(100) == b"READY=1"
        before = time.monotonic_ns() // 1000
        notifier.reloading()
        word, usec = manager.recv(100).decode().split("\n")
        assert word == "RELOADING=1"
        assert before <= int(usec.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
        notifier.alive()
        assert manager.recv(100) == b"WATCHDOG=1"
        notifier.stopping()
        assert manager.recv(100) == b"STOPPING=1"


def test_an_abstract_socket() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0graftwire-test-" + str(os.getpid()))
        sock.settimeout(5)
        systemd.Notifier({"NOTIFY_SOCKET": f"@graftwire-test-{os.getpid()}"}).ready()
        assert sock.recv(100) == b"READY=1"


def test_nobody_is_told_where_nobody_listens(tmp_path: Path) -> None:
    systemd.Notifier({}).ready()
    systemd.Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()


@pytest.mark.parametrize(
    "environ",
    [
        {"WATCHDOG_USEC": "1000"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "often"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "0"},
    ],
)
def test_a_watchdog_that_is_not_for_this_process(environ: dict[str, str]) -> None:
    assert systemd.Notifier(environ).watchdog is None
