"""WebSocket links, both ends of them, over real sockets, TLS, and memory."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
import trustme

from graftwire.protocol.errors import LinkClosed, LocalProtocolError
from graftwire.transport import websocket_wire
from graftwire.transport.facts import LinkFacts
from graftwire.transport.link import ConnectOptions, Link, ListenOptions
from graftwire.transport.url import Url
from graftwire.transport.websocket import accept_websocket, connect_websocket
from graftwire.transport.websocket_wire import Tap

FRAME = b"\0\0\0\2hi"
Handle = Callable[[Link], Awaitable[None]]


def frame(size: int) -> bytes:
    return size.to_bytes(4, "big") + bytes(size)


async def echo(link: Link) -> None:
    """Send back every whole frame, until the end."""
    data = b""
    while more := await link.receive():
        data += more
        end = 0
        while (after := end + 4 + int.from_bytes(data[end : end + 4], "big")) <= len(data):
            end = after
        await link.send(data[:end])
        data = data[end:]


async def received(link: Link, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = await link.receive()
        assert more
        data += more
    return data


@asynccontextmanager
async def listening(
    handle: Handle, options: ListenOptions | None = None, context: ssl.SSLContext | None = None
) -> AsyncGenerator[Url]:
    """A listener on loopback."""
    scheme = "ws" if context is None else "wss"

    async def connection(stream: trio.abc.Stream) -> None:
        facts = LinkFacts(scheme, "here", "client")
        await accept_websocket(stream, options or ListenOptions(), facts, handle)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        if context is None:
            nursery.start_soon(trio.serve_listeners, connection, listeners)
        else:
            secure = [trio.SSLListener(listener, context) for listener in listeners]
            nursery.start_soon(trio.serve_listeners, connection, secure)
        with trio.fail_after(20):
            yield Url(scheme, "127.0.0.1", port, "/", f"{scheme}://127.0.0.1:{port}/")
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def connected(url: Url, options: ConnectOptions | None = None) -> AsyncGenerator[Link]:
    stream = await trio.open_tcp_stream(url.host, url.port)
    facts = LinkFacts(url.scheme, "here", "server")
    async with connect_websocket(stream, url, options or ConnectOptions(), facts) as link:
        yield link


async def test_frames_go_both_ways_and_the_facts_are_told() -> None:
    accepted: list[Link] = []
    ended = trio.Event()

    async def handle(link: Link) -> None:
        accepted.append(link)
        await echo(link)
        ended.set()

    options = ListenOptions(origins=frozenset({"https://app.example"}))
    async with listening(handle, options) as url:
        async with connected(url, ConnectOptions(origin="https://app.example")) as link:
            for data in (FRAME, bytearray(FRAME), memoryview(FRAME), FRAME * 1_000):
                await link.send(data)
                assert await received(link, len(data)) == data
            assert link.send_nowait(FRAME) == 0
            await link.send(b"")
            await link.send_eof()
            await link.send(FRAME)
            assert await received(link, 6) == FRAME
            assert link.facts == LinkFacts("ws", "here", "server", origin="https://app.example", path="/")
        await ended.wait()
    assert accepted[0].facts == LinkFacts("ws", "here", "client", origin="https://app.example", path="/")


@pytest.mark.parametrize("sizes", [[300_000], [65_532], [65_533], [1, 70_000, 1, 2], [16] * 20_000])
async def test_what_is_sent_arrives_however_large_or_small_its_frames(sizes: list[int]) -> None:
    data = b"".join(frame(size) for size in sizes)
    async with listening(echo) as url, connected(url) as link, trio.open_nursery() as nursery:
        nursery.start_soon(link.send, data)
        assert await received(link, len(data)) == data


class Recorder(trio.abc.Stream):
    """A stream over memory that records each write."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.writes: list[bytes] = []

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self.stream.aclose()


URL = Url("ws", "localhost", 80, "/", "ws://localhost:80/")
FACTS = LinkFacts("ws", "", "server")


@asynccontextmanager
async def over_memory(handle: Handle) -> AsyncGenerator[tuple[Link, Recorder]]:
    ours, theirs = trio.testing.memory_stream_pair()
    recorder = Recorder(theirs)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept_websocket, recorder, ListenOptions(), LinkFacts("ws", "", "client"), handle)
        async with connect_websocket(ours, URL, ConnectOptions(), FACTS) as link:
            yield link, recorder


async def sent_as(data: bytes) -> list[tuple[int, int]]:
    """First byte and size of the WebSocket frames that `data` is sent in."""

    async def handle(link: Link) -> None:
        await link.send(data)

    async with over_memory(handle) as (link, recorder):
        assert await received(link, len(data)) == data
        assert await link.receive() == b""
    _, *writes, close = recorder.writes
    assert close == b"\x88\x02\x03\xe8"
    heads = [2 if len(write) < 128 else 4 if len(write) < 65_540 else 10 for write in writes]
    return [(write[0], len(write) - head) for write, head in zip(writes, heads, strict=True)]


async def test_small_frames_share_messages_and_large_ones_have_their_own() -> None:
    assert await sent_as(FRAME * 10) == [(0x82, 60)]
    assert await sent_as(frame(65_532)) == [(0x82, 65_536)]
    assert await sent_as(FRAME * 20_000) == [(0x82, 65_532), (0x82, 54_468)]
    large = [(0x02, 65_536), (0x80, 34_468)]  # one message in two fragments
    assert await sent_as(FRAME + frame(100_000) + FRAME) == [(0x82, 6), *large, (0x82, 6)]


async def test_what_is_not_whole_frames_is_not_sent() -> None:
    async def handle(link: Link) -> None:
        with pytest.raises(LocalProtocolError):
            await link.send(frame(65_536)[:-1])

    async with over_memory(handle) as (link, recorder):
        assert await link.receive() == b""
    assert len(recorder.writes) == 2


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


async def test_frames_go_over_tls(authority: trustme.CA) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    data = frame(200_000) + FRAME * 1_000
    async with listening(echo, context=context) as url:
        plain = await trio.open_tcp_stream(url.host, url.port)
        stream = trio.SSLStream(plain, client, server_hostname="127.0.0.1")
        async with (
            connect_websocket(stream, url, ConnectOptions(), LinkFacts("wss", "", "server")) as link,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(link.send, data)
            assert await received(link, len(data)) == data
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()


async def test_closing_tls_to_who_does_not_read_is_bounded(authority: trustme.CA) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    ended = trio.Event()
    ours, theirs = trio.testing.lockstep_stream_pair()

    async def handle(link: Link) -> None:
        await link.send(FRAME)
        started = trio.current_time()
        await link.aclose()
        assert trio.current_time() - started < 1.5
        ended.set()

    async def accept() -> None:
        stream = trio.SSLStream(theirs, context, server_side=True)
        await accept_websocket(stream, ListenOptions(), LinkFacts("wss", "", "client"), handle)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        stream = trio.SSLStream(ours, client, server_hostname="127.0.0.1")
        await stream.send_all(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Sec-WebSocket-Protocol: graftwire.1\r\n\r\n"
        )
        head = b""
        while not head.endswith(b"\r\n\r\n" + b"\x82\x06" + FRAME):
            head += await stream.receive_some(1)
        with trio.fail_after(3):
            await ended.wait()


class BoomError(Exception):
    pass


@pytest.mark.parametrize("error", [BoomError, LinkClosed, KeyboardInterrupt, EOFError])
async def test_what_a_handler_raises_comes_out_as_it_is(error: type[BaseException]) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    raised = error("…")

    async def handle(link: Link) -> None:
        raise raised

    async def dial() -> None:
        async with connect_websocket(ours, URL, ConnectOptions(), FACTS) as link:
            assert await link.receive() == b""

    async with trio.open_nursery() as nursery:
        nursery.start_soon(dial)
        with pytest.raises(error) as caught:
            await accept_websocket(theirs, ListenOptions(), LinkFacts("ws", "", "client"), handle)
        assert caught.value is raised


@pytest.mark.parametrize("error", [BoomError, LinkClosed, KeyboardInterrupt, EOFError])
async def test_what_a_body_raises_comes_out_as_it_is(error: type[BaseException]) -> None:
    raised = error("…")
    async with listening(echo) as url:
        with pytest.raises(error) as caught:
            async with connected(url):
                raise raised
        assert caught.value is raised
        group = BaseExceptionGroup("the body's own", [raised, BoomError()])
        with pytest.raises(BaseExceptionGroup) as grouped:
            async with connected(url):
                raise group
        assert grouped.value is group


async def test_a_cancelled_body_sees_one_cancelled_and_no_group() -> None:
    async with listening(echo) as url:
        with trio.CancelScope() as scope:
            try:
                async with connected(url) as link:
                    scope.cancel()
                    await link.receive()
            except trio.Cancelled:
                raise
            except BaseException as error:
                raise AssertionError from error
        assert scope.cancelled_caught


async def test_an_end_at_one_side_is_an_orderly_one_at_the_other() -> None:
    async def once(link: Link) -> None:
        await link.send(FRAME * 3)

    async with listening(once) as url, connected(url) as link:
        assert await received(link, 18) == FRAME * 3
        assert await link.receive() == b""
        assert await link.receive() == b""


async def test_a_cancelled_receive_loses_nothing() -> None:
    async with listening(echo) as url, connected(url) as link:
        for _ in range(20):
            with trio.move_on_after(0.001):
                await link.receive()
        await link.send(FRAME)
        with trio.CancelScope() as scope:
            scope.cancel()
            await link.receive()
        assert await received(link, 6) == FRAME


async def test_the_stream_below_is_waited_for_where_that_is_asked() -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Tap(ours).wait_send_all_might_not_block)
        await trio.testing.wait_all_tasks_blocked()
        assert nursery.child_tasks
        with trio.move_on_after(0.01):
            await theirs.receive_some(1)
    await ours.aclose()


async def test_both_ends_may_close_at_the_same_time() -> None:
    async def handle(link: Link) -> None:
        await link.aclose()

    for _ in range(20):
        async with listening(handle) as url, connected(url) as link:
            with trio.fail_after(0.5):
                await link.aclose()


async def test_both_ends_may_be_full_at_the_same_time() -> None:
    data = frame(100_000) * 50

    async def exchange(link: Link) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.send, data)
            assert await received(link, len(data)) == data

    async with listening(exchange) as url, connected(url) as link:
        await exchange(link)


async def scenario(cancel_at: int, who: str) -> bool:
    """A whole life over memory, one end of which is cancelled after so many turns; whether it was."""
    ours, theirs = trio.testing.memory_stream_pair()
    scopes = {"dialled": trio.CancelScope(), "accepted": trio.CancelScope()}

    async def talk(link: Link) -> None:
        await link.send(FRAME)
        await link.send(frame(150_000) + FRAME)
        try:
            await received(link, 150_016)
            await link.send_eof()
            await link.aclose()
        except LinkClosed:
            assert who != "nobody"

    async def accept() -> None:
        with scopes["accepted"]:
            await accept_websocket(theirs, ListenOptions(), LinkFacts("ws", "", "client"), talk_or_not)

    async def talk_or_not(link: Link) -> None:
        try:
            await talk(link)
        except (LinkClosed, AssertionError):
            assert who != "nobody"

    async def dial() -> None:
        with scopes["dialled"]:
            try:
                async with connect_websocket(ours, URL, ConnectOptions(), FACTS) as link:
                    await talk_or_not(link)
            except websocket_wire.LinkError:
                assert who != "nobody"

    async def cancel() -> None:
        for _ in range(cancel_at):
            await trio.lowlevel.cancel_shielded_checkpoint()
        scopes[who].cancel()

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept)
            nursery.start_soon(dial)
            if who in scopes:
                nursery.start_soon(cancel)
    for stream in (ours, theirs):
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_all(b"x")
    return who in scopes and scopes[who].cancelled_caught


@pytest.mark.parametrize("who", ["dialled", "accepted"])
async def test_either_end_may_be_cancelled_at_every_turn(who: str) -> None:
    assert not await scenario(0, "nobody")
    caught = 0
    for turn in range(200):
        caught += await scenario(turn, who)
        if turn > caught + 20:
            break
    assert caught >= 20
