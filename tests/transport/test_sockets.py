from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from graftwire.protocol.errors import LinkClosed
from graftwire.transport.facts import LinkFacts
from graftwire.transport.sockets import (
    LARGEST_READ,
    USUAL_READ,
    SocketLink,
    address_text,
    closed_because,
    socket_facts,
    tune,
)
from graftwire.transport.url import parse

Pair = tuple[SocketLink, SocketLink]


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        dialled = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
    return dialled, accepted


def link(sock: socket.socket, peer: str) -> SocketLink:
    return SocketLink(sock, LinkFacts("tcp", "here", peer))


@pytest.fixture(params=["tcp", "unix"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    one, other = tcp_pair() if request.param == "tcp" else socket.socketpair()
    yield link(one, "other"), link(other, "one")
    one.close()
    other.close()


@pytest.fixture
def tcp() -> Iterator[Pair]:
    one, other = tcp_pair()
    yield link(one, "other"), link(other, "one")
    one.close()
    other.close()


async def fill(one: SocketLink) -> int:
    """Send until the kernel takes no more; how many bytes it took."""
    total = 0
    while taken := one.send_nowait(bytes(65_536)):
        total += taken
    return total


def reset(sock: socket.socket) -> None:
    """Close so that the other end gets a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def test_bytes_arrive_in_order_both_ways(pair: Pair) -> None:
    one, other = pair
    await one.send(b"a")
    await one.send(bytearray(b"b"))
    assert one.send_nowait(memoryview(b"c")) == 1
    received = b""
    while len(received) < 3:
        received += await other.receive()
    assert received == b"abc"
    await other.send(b"d")
    assert await one.receive() == b"d"


async def test_large_sends_wait_for_room(pair: Pair) -> None:
    one, other = pair
    data = os.urandom(8 * 2**20)
    received: list[bytes] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.send, data)
        await wait_all_tasks_blocked()
        while sum(map(len, received)) < len(data):
            received.append(await other.receive())
    assert b"".join(received) == data
    assert max(map(len, received)) <= LARGEST_READ


async def test_reads_grow_with_what_comes(pair: Pair) -> None:
    one, other = pair
    await fill(one)
    assert len(await other.receive()) <= USUAL_READ
    assert len(await other.receive(7)) == 7


async def test_a_full_socket_takes_nothing_and_says_so(pair: Pair) -> None:
    one, other = pair
    assert await fill(one) > 0
    assert one.send_nowait(b"x") == 0
    async with trio.open_nursery() as nursery:

        async def drain() -> None:
            while True:
                await other.receive()

        nursery.start_soon(drain)
        await one.writable()
        assert one.send_nowait(b"x") == 1
        nursery.cancel_scope.cancel()


async def test_half_close(pair: Pair) -> None:
    one, other = pair
    await one.send(b"last")
    await one.send_eof()
    await one.send_eof()
    assert await other.receive() == b"last"
    assert await other.receive() == b""
    await other.send(b"still")
    assert await one.receive() == b"still"
    for send in (one.send, one.send_nowait):
        with pytest.raises(LinkClosed) as caught:
            await send(b"x")  # type: ignore[misc]
        assert str(caught.value) == "this end has already said that it sends nothing more to other"
    assert one.half_closes


async def test_what_was_sent_before_closing_arrives(pair: Pair) -> None:
    one, other = pair
    await one.send(b"last")
    await one.aclose()
    await one.aclose()
    assert await other.receive() == b"last"
    assert await other.receive() == b""
    calls: list[Callable[[], Awaitable[object]]] = [
        one.receive,
        one.peek,
        one.writable,
        one.send_eof,
        lambda: one.send(b"x"),
    ]
    for call in calls:
        with pytest.raises(LinkClosed) as caught:
            await call()
        assert str(caught.value) == "this end has closed the connection to other"


async def test_sending_to_a_closed_end(pair: Pair) -> None:
    one, other = pair
    await other.aclose()
    with pytest.raises(LinkClosed) as caught:
        for _ in range(100):
            await one.send(b"x")
            await trio.sleep(0.001)
    assert str(caught.value) in (
        "other has closed the connection",
        "other broke the connection off; it may have been stopped, or restarted",
    )
    with pytest.raises(LinkClosed):
        one.send_nowait(b"x")


async def test_a_reset_is_told_apart_from_an_end(tcp: Pair) -> None:
    one, other = tcp
    async with trio.open_nursery() as nursery:

        async def receive() -> None:
            with pytest.raises(LinkClosed) as caught:
                await one.receive()
            assert (
                str(caught.value) == "other broke the connection off; it may have been stopped, or restarted"
            )

        nursery.start_soon(receive)
        await wait_all_tasks_blocked()
        reset(other.sock)


async def test_peeking_at_a_reset_connection(tcp: Pair) -> None:
    one, other = tcp
    reset(other.sock)
    with pytest.raises(LinkClosed, match=r"^other broke the connection off"):
        await one.peek()


async def test_finishing_a_reset_connection(tcp: Pair) -> None:
    one, other = tcp
    reset(other.sock)
    with pytest.raises(LinkClosed):
        await one.receive()
    with pytest.raises(LinkClosed, match=r"^other has closed the connection$"):
        await one.send_eof()


async def test_closing_wakes_who_waits(pair: Pair) -> None:
    one, _ = pair
    await fill(one)
    async with trio.open_nursery() as nursery:

        async def closed(call: Callable[[], Awaitable[object]]) -> None:
            with pytest.raises(LinkClosed) as caught:
                await call()
            assert str(caught.value) == "this end has closed the connection to other"

        nursery.start_soon(closed, one.receive)
        nursery.start_soon(closed, lambda: one.send(b"x"))
        await wait_all_tasks_blocked()
        one.close()


async def test_a_send_cancelled_half_way_ends_sending(pair: Pair) -> None:
    one, other = pair
    with trio.move_on_after(0) as scope:
        await one.send(b"never")
    assert scope.cancelled_caught
    await one.send(b"x")  # that one was cancelled before anything was sent
    assert await other.receive() == b"x"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.send, bytes(16 * 2**20))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    calls: list[Callable[[], Awaitable[object]]] = [lambda: one.send(b"x"), one.send_eof]
    for call in calls:
        with pytest.raises(LinkClosed) as caught:
            await call()
        assert str(caught.value) == "a send to other was cancelled half way, so nothing more can be sent"
    assert await other.receive()  # receiving goes on


async def test_every_call_notices_a_cancellation(pair: Pair) -> None:
    one, other = pair
    await other.send(b"x")
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: one.send(b"x"),
        one.receive,
        one.peek,
        one.send_eof,
        one.writable,
        one.aclose,
    ]
    for call in calls:
        with trio.CancelScope() as scope:
            scope.cancel()
            await call()
        assert scope.cancelled_caught
    assert one.closed  # cancelled, it closed all the same


async def test_waiting_on_closed_links_fails_alike_each_time(pair: Pair) -> None:
    """To the kernel all closed sockets are one, and trio would find it busy from the second time on."""
    for link in pair:
        link.close()
    for _ in range(2):
        for link in pair:
            with pytest.raises(LinkClosed, match="this end has closed the connection"):
                await link.writable()


async def test_a_cancelled_receive_loses_nothing(pair: Pair) -> None:
    one, other = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.receive)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    await other.send(b"x")
    assert await one.receive() == b"x"


async def test_busy_links_let_others_run(pair: Pair) -> None:
    one, other = pair
    turns = 0
    async with trio.open_nursery() as nursery:

        async def count() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        nursery.start_soon(count)
        for _ in range(200):
            await one.send(b"x")
            await other.receive()
            await one.turn()
        nursery.cancel_scope.cancel()
    assert turns >= 20


async def test_peeking_takes_nothing(pair: Pair) -> None:
    one, other = pair
    async with trio.open_nursery() as nursery:

        async def peek() -> None:
            assert await one.peek() == 0x16
            assert await one.receive() == b"\x16\x03"

        nursery.start_soon(peek)
        await wait_all_tasks_blocked()
        await other.send(b"\x16\x03")
    other.close()
    with pytest.raises(LinkClosed) as caught:
        await one.peek()
    assert str(caught.value) == "other has closed the connection"


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ECONNRESET, "other broke the connection off; it may have been stopped, or restarted"),
        (errno.EPIPE, "other has closed the connection"),
        (
            errno.ETIMEDOUT,
            "the network between here and other does not answer any more; connect again later",
        ),
        (errno.ENOTSOCK, f"the connection to other failed: {os.strerror(errno.ENOTSOCK)}"),
        (None, f"the connection to other failed: {os.strerror(errno.EIO)}"),
    ],
)
def test_what_a_failure_means(number: int | None, sentence: str) -> None:
    error = OSError() if number is None else OSError(number, "hunter2")
    assert str(closed_because(error, "other")) == sentence


async def test_facts_of_a_tcp_socket(tcp: Pair) -> None:
    one, other = tcp
    tune(one.sock)
    assert one.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    facts = socket_facts(one.sock, parse("tcp://127.0.0.1:1"))
    assert facts.transport == "tcp"
    assert not facts.confidential
    assert facts.local == address_text(other.sock, peer=True)
    assert facts.peer == address_text(other.sock, peer=False)
    assert facts.local.startswith("127.0.0.1:")


async def test_facts_of_a_unix_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
        accepted, _ = server.accept()
        with accepted:
            tune(accepted)  # means nothing here, and is no error
            url = parse(f"unix:{path}")
            facts = socket_facts(client, url)
            assert (facts.peer, facts.local) == (path, "")
            assert facts.confidential
            if sys.platform == "linux":
                assert socket_facts(accepted, url).peer == f"uid {os.getuid()}, pid {os.getpid()}"
            monkeypatch.setattr(sys, "platform", "darwin")
            assert socket_facts(accepted, url).peer == "a process of this machine"
    assert address_text(client, peer=True) == ""
    assert socket_facts(client, url).peer == url.text  # whoever it was has gone
