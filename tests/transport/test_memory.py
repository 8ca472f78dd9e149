from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from graftwire.protocol.errors import ConnectError, LinkClosed, LinkError
from graftwire.transport.link import ConnectOptions, Link, ListenOptions
from graftwire.transport.memory import CAPACITY, MemoryTransport, memory_pair
from graftwire.transport.url import Url, parse

URL = parse("memory:test")
transport = MemoryTransport()


def dial(url: Url = URL) -> AbstractAsyncContextManager[Link]:
    return transport.connect(url, ConnectOptions())


async def test_bytes_arrive_in_order_both_ways() -> None:
    one, other = memory_pair()
    await one.send(b"a")
    await one.send(bytearray(b"b"))
    assert one.send_nowait(memoryview(b"c")) == 1
    assert await other.receive() == b"abc"
    await other.send(b"d")
    assert await one.receive() == b"d"


async def test_facts_name_both_ends() -> None:
    one, other = memory_pair("memory:x")
    assert one.facts.peer == other.facts.local == "memory:x"
    assert one.facts.local == other.facts.peer
    assert one.facts.confidential
    assert one.half_closes
    assert memory_pair("memory:x")[0].facts.local != one.facts.local


async def test_a_receiver_waits_for_bytes() -> None:
    one, other = memory_pair()
    async with trio.open_nursery() as nursery:

        async def receive() -> None:
            assert await other.receive() == b"x"

        nursery.start_soon(receive)
        await wait_all_tasks_blocked()
        await one.send(b"x")


async def test_a_full_link_makes_the_sender_wait() -> None:
    one, other = memory_pair()
    data = bytes(range(256)) * (CAPACITY // 100)
    assert one.send_nowait(data) == CAPACITY
    assert one.send_nowait(b"x") == 0
    assert len(await other.receive()) == CAPACITY
    received = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.send, data)
        await wait_all_tasks_blocked()
        while len(received) < len(data):
            piece = await other.receive()
            assert len(piece) <= CAPACITY
            received += piece
    assert received == data


async def test_half_close_ends_one_direction() -> None:
    one, other = memory_pair()
    await one.send(b"last")
    await one.send_eof()
    assert await other.receive() == b"last"
    assert await other.receive() == b""
    assert await other.receive() == b""
    await other.send(b"still")
    assert await one.receive() == b"still"
    with pytest.raises(LinkClosed) as caught:
        await one.send(b"x")
    assert str(caught.value) == "this end has already said that it sends nothing more to memory:pair"


async def test_after_closing_both_ends_say_who_closed() -> None:
    one, other = memory_pair("memory:x")
    await one.send(b"last")
    await one.aclose()
    await one.aclose()
    for use in (one.receive, one.send_eof, lambda: one.send(b"x")):
        with pytest.raises(LinkClosed) as caught:
            await use()
        assert str(caught.value) == "this end has closed the connection to memory:x"
    with pytest.raises(LinkClosed) as caught:
        other.send_nowait(b"x")
    assert str(caught.value) == f"{one.facts.local} has closed the connection"
    assert await other.receive() == b"last"  # what was sent before is still there
    assert await other.receive() == b""


async def test_closing_wakes_who_waits() -> None:
    one, other = memory_pair()
    one.send_nowait(bytes(CAPACITY))
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            with pytest.raises(LinkClosed):
                await one.send(b"x")

        async def receive() -> None:
            with pytest.raises(LinkClosed):
                await one.receive()

        nursery.start_soon(send)
        nursery.start_soon(receive)
        await wait_all_tasks_blocked()
        await one.aclose()
    one, other = memory_pair()
    one.send_nowait(bytes(CAPACITY))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        await other.aclose()


async def test_a_send_cancelled_half_way_ends_sending() -> None:
    one, other = memory_pair()
    with trio.move_on_after(0) as scope:
        await one.send(b"never")
    assert scope.cancelled_caught
    await one.send(b"x")  # that one was cancelled before anything was sent
    assert await other.receive() == b"x"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.send, bytes(CAPACITY + 1))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    with pytest.raises(LinkClosed) as caught:
        await one.send(b"x")
    assert str(caught.value) == "a send to memory:pair was cancelled half way, so nothing more can be sent"


async def test_every_call_notices_a_cancellation() -> None:
    one, other = memory_pair()
    await other.send(b"x")
    calls: list[Callable[[], Awaitable[bytes | None]]] = [
        lambda: one.send(b"x"),
        one.receive,
        one.send_eof,
        one.aclose,
    ]
    for call in calls:
        with trio.CancelScope() as scope:
            scope.cancel()
            await call()
        assert scope.cancelled_caught
    with assert_checkpoints():
        await one.aclose()


async def test_busy_links_let_others_run() -> None:
    one, other = memory_pair()
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
        nursery.cancel_scope.cancel()
    assert turns >= 20


async def test_listens_and_connects(caplog: pytest.LogCaptureFixture) -> None:
    listener = await transport.listen(URL, ListenOptions())
    assert listener.url == "memory:test"

    async def handle(link: Link) -> None:
        data = await link.receive()
        if data == b"fail":
            raise RuntimeError("on purpose")
        await link.send(data)

    with pytest.raises(LinkError) as caught:
        await transport.listen(URL, ListenOptions())
    assert str(caught.value) == (
        "something in this process listens at memory:test already; choose another name"
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, handle)
        for _ in range(3):
            async with dial() as link:
                await link.send(b"hello")
                assert await link.receive() == b"hello"
                assert await link.receive() == b""
        with caplog.at_level(logging.ERROR, "graftwire.transport"):
            async with dial() as link:
                await link.send(b"fail")
                assert await link.receive() == b""
        assert "the handler of a connection to memory:test failed" in caplog.text
        async with dial() as link:
            listener.stop()
            listener.stop()
            with pytest.raises(ConnectError) as refused:
                async with dial():
                    raise AssertionError
            assert str(refused.value) == (
                "nobody listens at memory:test in this process; start the listener first"
            )
    again = await transport.listen(URL, ListenOptions())
    again.stop()


async def test_connections_are_bounded_and_wait() -> None:
    listener = await transport.listen(URL, ListenOptions(max_connections=1, backlog=2))
    served: list[bytes] = []

    async def handle(link: Link) -> None:
        while data := await link.receive():
            served.append(data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, handle)
        async with dial() as first:
            await first.send(b"first")
            await wait_all_tasks_blocked()
            async with dial() as second, dial():
                await second.send(b"second")
                await wait_all_tasks_blocked()
                assert served == [b"first"]
                with pytest.raises(ConnectError) as caught:
                    async with dial():
                        raise AssertionError
                assert (
                    str(caught.value) == "too many connections wait at memory:test already; try again later"
                )
                await first.aclose()
                await wait_all_tasks_blocked()
                assert served == [b"first", b"second"]
                listener.stop()


async def test_stopping_closes_what_was_not_accepted() -> None:
    listener = await transport.listen(URL, ListenOptions())
    async with dial() as link:
        listener.stop()
        assert await link.receive() == b""
        await listener.serve(lambda link: link.aclose())  # returns at once


async def test_a_cancelled_listener_frees_its_name() -> None:
    listener = await transport.listen(URL, ListenOptions())
    with trio.move_on_after(0):
        await listener.serve(lambda link: link.aclose())
    (await transport.listen(URL, ListenOptions())).stop()


async def test_an_end_of_the_dialler_ends_the_other(autojump_clock: MockClock) -> None:
    listener = await transport.listen(URL, ListenOptions())
    ended = trio.Event()

    async def handle(link: Link) -> None:
        assert await link.receive() == b""
        ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, handle)
        async with dial():
            await trio.sleep(3600)
        await ended.wait()
        listener.stop()


def test_names_belong_to_one_run() -> None:
    async def run() -> None:
        await transport.listen(URL, ListenOptions())

    trio.run(run)
    trio.run(run)
