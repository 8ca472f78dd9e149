from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

import pytest
import trio

from graftwire.protocol.errors import LinkError
from graftwire.transport import bind as bind_module
from graftwire.transport.bind import PORT_ATTEMPTS, bind
from graftwire.transport.url import parse


def close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


async def refusal(text: str) -> str:
    with pytest.raises(LinkError) as caught:
        close((await bind(parse(text), 8))[1])
    return str(caught.value)


async def test_a_free_port_is_named() -> None:
    url, sockets = await bind(parse("tcp://127.0.0.1:0"), 8)
    assert url.text == f"tcp://127.0.0.1:{sockets[0].getsockname()[1]}"
    assert sockets[0].gettimeout() == 0
    close(sockets)


@needs_ipv6
async def test_every_address_shares_one_port() -> None:
    url, sockets = await bind(parse("tcp://*:0"), 8)
    assert url.host == "*"
    assert [sock.family for sock in sockets] == [socket.AF_INET6, socket.AF_INET]
    assert {sock.getsockname()[1] for sock in sockets} == {url.port}
    for host in ("127.0.0.1", "::1"):
        socket.create_connection((host, url.port)).close()
    close(sockets)


@needs_ipv6
async def test_a_port_that_is_taken_at_one_address_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    real = bind_module._bind_one
    failures = 3

    def unlucky(family: socket.AddressFamily, address: str, port: int, share: bool) -> socket.socket:
        nonlocal failures
        if family == socket.AF_INET and failures:
            failures -= 1
            raise OSError(errno.EADDRINUSE, "taken")
        return real(family, address, port, share)

    monkeypatch.setattr(bind_module, "_bind_one", unlucky)
    url, sockets = await bind(parse("tcp://*:0"), 8)
    assert len(sockets) == 2
    close(sockets)
    failures = PORT_ATTEMPTS
    assert await refusal("tcp://*:0") == (
        "something listens at *:0 already; stop it, or choose another port (0: any free one)"
    )


async def test_a_family_that_this_machine_lacks_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = bind_module._bind_one

    def old(family: socket.AddressFamily, address: str, port: int, share: bool) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "no IPv6")
        return real(family, address, port, share)

    monkeypatch.setattr(bind_module, "_bind_one", old)
    _, sockets = await bind(parse("tcp://*:0"), 8)
    assert [sock.family for sock in sockets] == [socket.AF_INET]
    close(sockets)


async def test_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert await refusal(f"tcp://127.0.0.1:{port}") == (
            f"something listens at 127.0.0.1:{port} already; stop it, or choose another port (0: any free one)"
        )


async def test_an_address_of_another_machine() -> None:
    assert await refusal("tcp://192.0.2.1:0") == (
        "192.0.2.1 is not an address of this machine; use one that is, or * for all"
    )


async def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*args: object, **options: object) -> list[object]:
        await trio.lowlevel.checkpoint()
        if os.environ.get("GRAFTWIRE_NO_SUCH"):
            return []
        raise socket.gaierror(socket.EAI_NONAME, "hunter2")

    monkeypatch.setattr(trio.socket, "getaddrinfo", nothing)
    assert await refusal("tcp://graft.test:0") == (
        "the host name graft.test has no address to listen at; use one of this machine, or *"
    )
    monkeypatch.setenv("GRAFTWIRE_NO_SUCH", "1")
    assert await refusal("tcp://graft.test:0") == (
        "graft.test is not an address of this machine; use one that is, or * for all"
    )


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EACCES, "this user may not listen at 127.0.0.1:80; choose a port above 1023"),
        (errno.EIO, f"can't listen at 127.0.0.1:80: {os.strerror(errno.EIO)}"),
    ],
)
async def test_failures_are_told_apart(number: int, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError(number, "hunter2")

    monkeypatch.setattr(bind_module, "_bind_one", fail)
    assert await refusal("tcp://127.0.0.1:80") == sentence


async def test_no_reuse_of_addresses_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bind_module.os, "name", "nt")
    _, sockets = await bind(parse("tcp://127.0.0.1:0"), 8)
    assert not sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    close(sockets)


async def test_a_unix_socket_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    url, sockets = await bind(parse(f"unix:{path}"), 8)
    assert url.text == f"unix:{path}"
    mode = path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert await refusal(url.text) == f"something listens at {path} already; stop it, or choose another path"
    close(sockets)


async def test_a_socket_that_nobody_listens_at_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    _, sockets = await bind(parse(f"unix:{path}"), 8)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    close(sockets)


async def test_a_full_queue_is_no_stale_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as waiting:
        other.bind(str(path))
        other.listen(0)
        waiting.connect(str(path))
        assert await refusal(f"unix:{path}") == (
            f"something listens at {path} already; stop it, or choose another path"
        )


async def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    assert await refusal(f"unix:{path}") == (
        f"there is a file at {path} that is not a socket; remove it, or choose another path"
    )
    assert path.read_text() == "precious"


async def test_a_socket_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s"

    class Forbidden(socket.socket):
        def connect(self, address: object) -> None:
            raise PermissionError(errno.EACCES, "hunter2")

    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    monkeypatch.setattr(bind_module.socket, "socket", Forbidden)
    assert await refusal(f"unix:{path}") == f"the socket {path} belongs to another user; choose another path"


async def test_paths_that_can_not_be_bound(tmp_path: Path) -> None:
    assert await refusal(f"unix:{tmp_path}/no/s") == (
        f"there is no directory {tmp_path}/no for the socket; create it"
    )
    assert await refusal("unix:/" + "x" * 200) == (
        "the path of the socket is too long for this system (201 bytes); use a shorter one"
    )


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (
            errno.EACCES,
            "this user may not create the socket /s/t; choose another path, or change the directory's mode",
        ),
        (errno.EADDRINUSE, "something listens at /s/t already; stop it, or choose another path"),
        (errno.EIO, f"can't listen at /s/t: {os.strerror(errno.EIO)}"),
    ],
)
async def test_failures_of_unix_sockets_are_told_apart(
    number: int, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(socket.socket):
        def bind(self, address: object) -> None:
            raise OSError(number, "hunter2")

    monkeypatch.setattr(bind_module.socket, "socket", Failing)
    assert await refusal("unix:/s/t") == sentence
