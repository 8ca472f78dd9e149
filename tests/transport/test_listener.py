from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from graftwire.protocol.errors import LinkClosed
from graftwire.transport import listener as listener_module
from graftwire.transport.bind import bind
from graftwire.transport.link import Link, Listener, ListenOptions
from graftwire.transport.listener import SocketListener
from graftwire.transport.sockets import SocketLink, socket_facts
from graftwire.transport.url import parse

Handle = Callable[[Link], Awaitable[None]]


async def listening(text: str, options: ListenOptions | None = None) -> SocketListener:
    options = options or ListenOptions()
    url, sockets = await bind(parse(text), options.backlog)

    async def serve_one(sock: socket.socket, handle: Handle) -> None:
        await handle(SocketLink(sock, socket_facts(sock, url)))

    return SocketListener(url, sockets, options, serve_one)


@asynccontextmanager
async def dialled(listener: Listener) -> AsyncGenerator[SocketLink]:
    url = parse(listener.url.replace("*", "127.0.0.1"))
    if url.scheme == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(url.path)
    else:
        sock = socket.create_connection((url.host, url.port))
    link = SocketLink(sock, socket_facts(sock, url))
    try:
        yield link
    finally:
        link.close()


async def echo(link: Link) -> None:
    while data := await link.receive():
        await link.send(data)


async def test_a_hundred_connections_at_once() -> None:
    listener = await listening("tcp://*:0")
    answers: list[bytes] = []

    async def call(number: int) -> None:
        async with dialled(listener) as link:
            await link.send(b"%d" % number)
            answers.append(await link.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, echo)
        async with trio.open_nursery() as callers:
            for number in range(100):
                callers.start_soon(call, number)
        listener.stop()
    assert sorted(map(int, answers)) == list(range(100))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_dual_stack(host: str) -> None:
    listener = await listening("tcp://*:0")
    try:
        sock = socket.create_connection((host, parse(listener.url).port))
    except OSError:
        listener.stop()
        pytest.skip("this machine has no IPv6")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, echo)
        link = SocketLink(sock, socket_facts(sock, parse(listener.url)))
        await link.send(b"x")
        assert await link.receive() == b"x"
        link.close()
        listener.stop()


async def test_stopping_frees_the_port_and_lets_connections_go_on() -> None:
    listener = await listening("tcp://127.0.0.1:0")
    port = parse(listener.url).port
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, echo)
        async with dialled(listener) as link:
            await link.send(b"1")
            assert await link.receive() == b"1"
            listener.stop()
            listener.stop()
            await wait_all_tasks_blocked()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
            await link.send(b"2")
            assert await link.receive() == b"2"
            again = await listening(f"tcp://127.0.0.1:{port}")
            again.stop()


async def test_stopping_before_serving() -> None:
    listener = await listening("tcp://127.0.0.1:0")
    listener.stop()
    await listener.serve(echo)


def test_stopping_outside_of_trio() -> None:
    trio.run(listening, "tcp://127.0.0.1:0").stop()


async def test_a_cancelled_listener_frees_its_port() -> None:
    listener = await listening("tcp://127.0.0.1:0")
    with trio.move_on_after(0.01):
        await listener.serve(echo)
    with pytest.raises(ConnectionRefusedError):
        async with dialled(listener):
            raise AssertionError


async def test_connections_are_bounded_and_wait() -> None:
    listener = await listening("tcp://127.0.0.1:0", ListenOptions(max_connections=2))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, echo)
        async with dialled(listener) as one, dialled(listener) as two, dialled(listener) as three:
            for link in (one, two, three):
                await link.send(b"x")
            assert await one.receive() == b"x"
            assert await two.receive() == b"x"
            with trio.move_on_after(0.05) as scope:
                await three.receive()
            assert scope.cancelled_caught
            one.close()
            assert await three.receive() == b"x"
        listener.stop()


async def test_stopping_at_the_bound() -> None:
    listener = await listening("tcp://127.0.0.1:0", ListenOptions(max_connections=1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, echo)
        async with dialled(listener) as link:
            await link.send(b"x")
            await link.receive()
            await wait_all_tasks_blocked()
            listener.stop()


class Unlucky:
    """A listening socket whose first accepts fail."""

    def __init__(self, sock: socket.socket, *numbers: int) -> None:
        self._sock = sock
        self._numbers = list(numbers)

    def accept(self) -> tuple[socket.socket, object]:
        if self._numbers:
            raise OSError(self._numbers.pop(0), "hunter2")
        return self._sock.accept()

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


async def unlucky(*numbers: int) -> SocketListener:
    listener = await listening("tcp://127.0.0.1:0")
    listener._sockets = [Unlucky(sock, *numbers) for sock in listener._sockets]  # type: ignore[misc]
    return listener


async def test_lack_of_descriptors_is_waited_out(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr(listener_module.trio, "sleep", sleep)
    listener = await unlucky(*[errno.EMFILE] * 7, errno.EIO)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, echo)
        async with dialled(listener) as link:
            await link.send(b"x")
            assert await link.receive() == b"x"
        listener.stop()
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    assert [record.getMessage() for record in caplog.records] == [
        (
            f"no connection can be accepted at {listener.url} for lack of file descriptors or memory; "
            "raise the limit of this process, or lower max_connections"
        )
    ] * 7 + [f"no connection can be accepted at {listener.url}: {os.strerror(errno.EIO)}"]


async def test_a_connection_that_failed_before_it_was_accepted_costs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listener = await unlucky(*[errno.ECONNABORTED] * 50)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, echo)
        async with dialled(listener) as link:
            await link.send(b"x")
            with trio.fail_after(0.5):
                assert await link.receive() == b"x"
        listener.stop()
    assert not caplog.records


async def test_a_failure_in_one_connection_stays_there(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "graftwire.transport")
    listener = await listening("tcp://127.0.0.1:0")

    async def handle(link: Link) -> None:
        if await link.receive() == b"bug":
            raise RuntimeError("on purpose")
        raise LinkClosed("as links end")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, handle)
        for word in (b"bug", b"end"):
            async with dialled(listener) as link:
                await link.send(word)
                assert await link.receive() == b""
        listener.stop()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", f"the handler of a connection to {listener.url} failed"),
        ("INFO", f"a connection to {listener.url} was ended: as links end"),
    ]


async def test_the_file_of_a_unix_socket_goes_with_it(tmp_path: Path) -> None:
    listener = await listening(f"unix:{tmp_path}/s")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, echo)
        async with dialled(listener) as link:
            await link.send(b"x")
            assert await link.receive() == b"x"
        listener.stop()
    assert not (tmp_path / "s").exists()


async def test_the_file_of_another_listener_stays(tmp_path: Path) -> None:
    first = await listening(f"unix:{tmp_path}/s")
    (tmp_path / "s").unlink()
    second = await listening(f"unix:{tmp_path}/s")
    first.stop()
    assert (tmp_path / "s").exists()
    (tmp_path / "s").unlink()
    second.stop()  # what is gone already is no error
