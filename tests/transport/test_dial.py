from __future__ import annotations

import errno
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from graftwire.protocol.errors import ConnectError
from graftwire.transport import dial as dial_module
from graftwire.transport.dial import dial
from graftwire.transport.url import parse

Resolve = Callable[..., Awaitable[list[object]]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@asynccontextmanager
async def resolving(*addresses: tuple[str, int]) -> AsyncGenerator[None]:
    """Every host name stands for these addresses."""

    class Resolver(trio.abc.HostnameResolver):
        async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):
            if not addresses:
                raise socket.gaierror(socket.EAI_NONAME, "unknown")
            found = []
            for address in addresses:
                family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
                found.append((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address))
            return found

        async def getnameinfo(self, sockaddr, flags):
            raise NotImplementedError

    trio.socket.set_custom_hostname_resolver(Resolver())
    yield
    trio.socket.set_custom_hostname_resolver(None)


async def refusal(text: str, within: float = 5.0) -> str:
    with pytest.raises(ConnectError) as caught:
        (await dial(parse(text), within)).close()
    return str(caught.value)


async def test_connects_without_delay_or_blocking() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sock = await dial(parse(f"tcp://127.0.0.1:{server.getsockname()[1]}"), 5)
        with sock, server.accept()[0]:
            assert sock.gettimeout() == 0
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 0


async def test_works_where_the_system_has_no_limit_on_unsent_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "TCP_NOTSENT_LOWAT", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        (await dial(parse(f"tcp://127.0.0.1:{server.getsockname()[1]}"), 5)).close()


async def test_an_address_that_does_not_answer_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        # 127.0.0.2 refuses at once; the test is that the next address is tried.
        async with resolving(("127.0.0.2", free_port()), ("127.0.0.1", port)):
            (await dial(parse(f"tcp://graft.test:{port}"), 5)).close()


async def test_nobody_listens() -> None:
    port = free_port()
    assert await refusal(f"tcp://127.0.0.1:{port}") == (
        f"nobody listens at 127.0.0.1:{port}; check the port, and whether the server is running"
    )


async def test_a_name_without_an_address() -> None:
    sentence = "the host name graft.test has no address; check its spelling, and this machine's name server"
    async with resolving():
        assert await refusal("tcp://graft.test:1") == sentence
    assert (await refusal("tcp://xn--\u0661a.test:1")).startswith(
        "the host name xn--\u0661a.test has no address"
    )


async def test_the_host_for_listening_can_not_be_dialled() -> None:
    assert await refusal("tcp://*:1") == "the host * is for listening; name the host to connect to"


async def test_a_host_that_does_not_answer() -> None:
    """A queue that is full: the kernel drops further attempts, as a firewall would."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = server.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            await trio.sleep(0.05)
            url = f"tcp://127.0.0.1:{address[1]}"
            assert await refusal(url, 0.1) == (
                f"no answer from {url} within 0.1 s; check the address, and whether a firewall is in between"
            )
        finally:
            for filler in fillers:
                filler.close()


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ([errno.ENETUNREACH], "there is no route to h:1; check this machine's network"),
        ([errno.EHOSTUNREACH, errno.ETIMEDOUT], "there is no route to h:1; check this machine's network"),
        (
            [errno.ENETUNREACH, errno.ECONNREFUSED],
            "nobody listens at h:1; check the port, and whether the server is running",
        ),
        (
            [errno.ETIMEDOUT],
            "h:1 does not answer; check the address, and whether a firewall is in between",
        ),
        ([errno.EACCES], f"can't connect to h:1: {os.strerror(errno.EACCES)}"),
        ([], "can't connect to h:1: unknown reason"),
    ],
)
async def test_failures_are_told_apart(
    numbers: list[int], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(host: str, port: int) -> None:
        await trio.lowlevel.checkpoint()
        failures = [OSError(number, "hunter2") for number in numbers]
        if len(failures) == 1:
            raise failures[0]
        raise OSError("hunter2") from (ExceptionGroup("hunter2", failures) if failures else None)

    monkeypatch.setattr(trio, "open_tcp_stream", fail)
    assert await refusal("tcp://h:1") == sentence


async def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    url = f"unix:{path}"
    assert (
        await refusal(url) == f"there is no socket {path}; check the path, and whether the server is running"
    )
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert await refusal(url) == f"nobody listens at {path}; start the server"
        server.listen()
        sock = await dial(parse(url), 5)
        assert sock.gettimeout() == 0
        sock.close()
    long = "/" + "x" * 200
    assert await refusal(f"unix:{long}") == (
        "the path of the socket is too long for this system (201 bytes); use a shorter one"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(tmp_path / "d"))
        assert (
            await refusal(f"unix:{tmp_path / 'd'}")
            == f"{tmp_path / 'd'} is not a stream socket; check the path"
        )
    (tmp_path / "file").touch()
    for other in (tmp_path / "file", tmp_path):
        assert await refusal(f"unix:{other}") == f"{other} is not a socket; check the path"


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EACCES, "this user may not use the socket /s; run as the user that owns it"),
        (errno.ENOTSOCK, "/s is not a socket; check the path"),
        (errno.ECONNREFUSED, "nobody listens at /s; start the server"),  # it was there a moment ago
        (errno.EIO, f"can't use the socket /s: {os.strerror(errno.EIO)}"),
    ],
)
async def test_failures_of_unix_sockets_are_told_apart(
    number: int, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(number, "hunter2")

    monkeypatch.setattr(dial_module.socket, "socket", Failing)
    assert await refusal("unix:/s") == sentence


async def test_a_full_queue_of_a_unix_socket_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(0)
        first = await dial(parse(f"unix:{path}"), 5)
        with trio.move_on_after(0.05):  # cancelled while it waits
            await dial(parse(f"unix:{path}"), 5)
        assert "no answer from unix:" in await refusal(f"unix:{path}", 0.05)
        async with trio.open_nursery() as nursery:

            async def second() -> None:
                (await dial(parse(f"unix:{path}"), 5)).close()

            nursery.start_soon(second)
            await trio.sleep(0.03)
            server.accept()[0].close()
            await trio.sleep(0.03)
        first.close()
