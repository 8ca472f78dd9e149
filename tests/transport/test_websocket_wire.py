"""A WebSocket link against a peer that is written by hand, in both roles, over real sockets."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal

import pytest
import trio
import trio.testing

from graftwire.protocol.errors import LinkClosed, ProtocolViolation
from graftwire.transport.facts import LinkFacts
from graftwire.transport.link import ConnectOptions, Link, ListenOptions
from graftwire.transport.url import Url
from graftwire.transport.websocket import WebSocketLink, accept_websocket, connect_websocket

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FRAME = b"\0\0\0\2hi"  # a whole frame of the protocol
MASK = b"\x11\x22\x33\x44"
URL = Url("ws", "localhost", 80, "/", "ws://localhost:80/")
FACTS = LinkFacts("ws", "here", "there")

Role = Literal["accepted", "dialled"]
ROLES: list[Role] = ["accepted", "dialled"]
both_roles = pytest.mark.parametrize("role", ROLES)


def masked(data: bytes, key: bytes) -> bytes:
    size = len(data)
    keys = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(keys, "big")).to_bytes(size, "big")


def accepting(request: bytes) -> bytes:
    """The answer that accepts the handshake in `request`."""
    key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
    token = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (
        b"HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: graftwire.1\r\nSec-WebSocket-Accept: " + token + b"\r\n\r\n"
    )


class Peer:
    """The other end of the link, which does exactly what it is told."""

    def __init__(self, stream: trio.SocketStream, *, is_client: bool) -> None:
        self.stream = stream
        self.is_client = is_client
        self.unread = b""

    def frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
        """A WebSocket frame as this end has to send it."""
        size = len(payload)
        short = size if size < 126 else 126 if size < 65_536 else 127
        head = bytes((fin << 7 | rsv << 4 | opcode, self.is_client << 7 | short))
        head += struct.pack(">H", size) if short == 126 else struct.pack(">Q", size) if short == 127 else b""
        return head + MASK + masked(payload, MASK) if self.is_client else head + payload

    async def send(self, opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> None:
        await self.stream.send_all(self.frame(opcode, payload, fin=fin, rsv=rsv))

    async def read(self, size: int) -> bytes:
        while len(self.unread) < size:
            data = await self.stream.receive_some()
            if not data:
                raise EOFError
            self.unread += data
        data, self.unread = self.unread[:size], self.unread[size:]
        return data

    async def receive(self) -> tuple[bool, int, bytes]:
        """The next frame: whether it ends a message, its opcode and its content."""
        first, second = await self.read(2)
        assert not first & 0x70
        assert bool(second & 0x80) != self.is_client
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(await self.read(2 if size == 126 else 8), "big")
        key = bytes(4) if self.is_client else await self.read(4)
        return bool(first & 0x80), first & 0x0F, masked(await self.read(size), key)

    async def at_end(self) -> bool:
        """Whether the other end closes now and sends nothing more."""
        return not self.unread and not await self.stream.receive_some()

    async def handshake(self) -> None:
        if self.is_client:
            await self.stream.send_all(
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
                b"Sec-WebSocket-Protocol: graftwire.1\r\n\r\n"
            )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await self.read(1)
        if not self.is_client:
            await self.stream.send_all(accepting(head))

    def reset(self) -> None:
        """Vanish in the hardest way that there is."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.socket.close()


async def hold(
    stream: trio.abc.Stream, role: Role, most: int, use: Callable[[Link], Awaitable[None]]
) -> None:
    if role == "accepted":
        await accept_websocket(stream, ListenOptions(max_message=most), FACTS, use)
    else:
        async with connect_websocket(stream, URL, ConnectOptions(max_message=most), FACTS) as link:
            await use(link)


@asynccontextmanager
async def linked(
    role: Role,
    most: int = 2**24,
    wrap: Callable[[trio.SocketStream], trio.abc.Stream] = lambda stream: stream,
) -> AsyncGenerator[tuple[Link, Peer]]:
    """A link in `role`, and its peer."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    theirs = await trio.open_tcp_stream("127.0.0.1", listeners[0].socket.getsockname()[1])
    ours = await listeners[0].accept()
    await listeners[0].aclose()
    peer = Peer(theirs, is_client=role == "accepted")
    done = trio.Event()
    links: list[Link] = []

    async def use(link: Link) -> None:
        links.append(link)
        await done.wait()

    with trio.fail_after(20):
        async with theirs, trio.open_nursery() as nursery:
            nursery.start_soon(hold, wrap(ours), role, most, use)
            await peer.handshake()
            while not links:
                await trio.lowlevel.checkpoint()
            yield links[0], peer
            done.set()
            await theirs.aclose()  # so that nobody waits for the answer to a close


async def pour(link: Link) -> None:
    while True:
        await link.send(FRAME * 1_000)


async def until_the_end(link: Link) -> bytes:
    data = b""
    while more := await link.receive():
        data += more
    return data


async def received(link: Link, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = await link.receive()
        assert more
        assert len(more) <= 262_144
        data += more
    return data


@both_roles
async def test_many_frames_in_a_message_and_many_fragments_of_one(role: Role) -> None:
    async with linked(role) as (link, peer):
        await peer.send(BINARY, FRAME * 3)
        assert await received(link, 18) == FRAME * 3
        await peer.send(BINARY, FRAME[:1], fin=False)
        await peer.send(CONTINUATION, b"", fin=False)
        await peer.send(PING, b"between")
        await peer.send(CONTINUATION, FRAME[1:5], fin=False)
        await peer.send(CONTINUATION, FRAME[5:])
        assert await received(link, 6) == FRAME
        assert await peer.receive() == (True, PONG, b"between")


@both_roles
async def test_the_bytes_of_a_large_message_are_seen_before_its_end(role: Role) -> None:
    size = 1_000_000
    async with linked(role) as (link, peer), trio.open_nursery() as nursery:
        await peer.send(BINARY, size.to_bytes(4, "big") + bytes(1_000), fin=False)
        assert await received(link, 1_004)
        nursery.start_soon(peer.send, CONTINUATION, bytes(size - 1_000))
        assert await received(link, size - 1_000) == bytes(size - 1_000)


@both_roles
@pytest.mark.parametrize("payload", [b"", b"ping", bytes(125)])
async def test_a_ping_gets_its_pong(role: Role, payload: bytes) -> None:
    async with linked(role) as (_, peer):
        await peer.send(PING, payload)
        await peer.send(PONG, b"unasked for")
        await peer.send(PING, b"2")
        assert await peer.receive() == (True, PONG, payload)
        assert await peer.receive() == (True, PONG, b"2")


VIOLATIONS = {
    "text": ([(TEXT, b"hi", True)], "WS-2", 1003),
    "empty text": ([(TEXT, b"", True)], "WS-2", 1003),
    "text in fragments": ([(TEXT, b"h", False), (CONTINUATION, b"i", True)], "WS-2", 1003),
    "text after a frame": ([(BINARY, FRAME, True), (TEXT, b"hi", True)], "WS-2", 1003),
    "empty": ([(BINARY, b"", True)], "WS-1", 1002),
    "half a prefix": ([(BINARY, FRAME[:3], True)], "WS-1", 1002),
    "a prefix alone": ([(BINARY, FRAME[:4], True)], "WS-1", 1002),
    "half a frame": ([(BINARY, FRAME + FRAME[:5], True)], "WS-1", 1002),
    "a frame over two messages": ([(BINARY, FRAME[:5], True), (BINARY, FRAME[5:], True)], "WS-1", 1002),
    "half of it in fragments": ([(BINARY, FRAME, False), (CONTINUATION, b"\0", True)], "WS-1", 1002),
}
TEXTS = {
    "WS-1": "a WebSocket message that does not hold whole frames (WS-1)",
    "WS-2": "a WebSocket text message, where only binary ones hold frames (WS-2)",
}


@both_roles
@pytest.mark.parametrize("name", VIOLATIONS)
async def test_what_breaks_the_protocol_names_the_clause_once(role: Role, name: str) -> None:
    messages, clause, code = VIOLATIONS[name]
    async with linked(role) as (link, peer):
        for opcode, payload, fin in messages:
            await peer.send(opcode, payload, fin=fin)
        with pytest.raises(ProtocolViolation) as caught:
            await until_the_end(link)
        assert (caught.value.clause, str(caught.value)) == (clause, TEXTS[clause])
        # What follows is dropped, what this end has to say still gets out, and the close says what it was.
        await peer.send(BINARY, FRAME)
        await link.send(FRAME)
        assert await peer.receive() == (True, BINARY, FRAME)
        with trio.move_on_after(0.05) as waiting:
            await link.receive()
        assert waiting.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.aclose)
            assert await peer.receive() == (True, CLOSE, struct.pack(">H", code))
            await peer.send(CLOSE, struct.pack(">H", code))
            assert await peer.at_end()


@both_roles
@pytest.mark.parametrize("fragments", [1, 3])
async def test_a_message_over_the_bound_ends_the_link(role: Role, fragments: int) -> None:
    async with linked(role, most=1_000) as (link, peer):
        await peer.send(BINARY, b"\0\0\3\xe4" + bytes(996))
        assert len(await received(link, 1_000)) == 1_000
        for index in range(fragments):
            last = index == fragments - 1
            part = (b"\0\0\3\xe5" if index == 0 else b"") + bytes(332 if fragments == 3 else 997)
            await peer.send(CONTINUATION if index else BINARY, part + (b"\0" if last else b""), fin=last)
        with pytest.raises(LinkClosed) as caught:
            await until_the_end(link)
        assert str(caught.value) == "there sent a message of more than 1000 bytes; raise `max_message`"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.aclose)
            assert await peer.receive() == (True, CLOSE, struct.pack(">H", 1009))
            await peer.send(CLOSE, struct.pack(">H", 1009))
        with pytest.raises(LinkClosed):
            await link.receive()


@both_roles
@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe9", b"\x03\xe8 with a text"])
async def test_an_orderly_close_is_an_end_and_is_answered_without_a_text(role: Role, payload: bytes) -> None:
    async with linked(role) as (link, peer):
        await peer.send(BINARY, FRAME)
        await peer.send(CLOSE, payload)
        assert await received(link, 6) == FRAME
        assert await link.receive() == b""
        assert await link.receive() == b""
        assert await peer.receive() == (True, CLOSE, payload[:2])
        with pytest.raises(LinkClosed) as caught:
            await link.send(FRAME)
        assert str(caught.value) == "there has closed the connection"
        await link.aclose()
        assert await peer.at_end()


CODES = {
    1002: "it found a fault in what this end sent; check any proxy in between",
    1003: "it does not take such messages; check that both ends speak the same protocol",
    1007: "it does not take such content; check that both ends speak the same protocol",
    1008: "its rules forbid this connection; ask who runs it",
    1009: "a message was too large for it; send large values as a stream",
    1011: "it failed; its log may say why",
    1012: "it restarts; connect again in a moment",
    1013: "it is overloaded; connect again later",
    3000: "its log may say why",
    4999: "its log may say why",
}


@both_roles
@pytest.mark.parametrize("code", CODES)
async def test_another_close_has_its_sentence_and_not_its_text(role: Role, code: int) -> None:
    async with linked(role) as (link, peer):
        await peer.send(CLOSE, struct.pack(">H", code) + b"s3cret")
        sentence = f"there closed the WebSocket with code {code}: {CODES[code]}"
        for _ in range(2):
            with pytest.raises(LinkClosed) as caught:
                await link.receive()
            assert str(caught.value) == sentence
        assert await peer.receive() == (True, CLOSE, struct.pack(">H", code))
        with pytest.raises(LinkClosed) as caught:
            await link.send(FRAME)
        assert str(caught.value) == sentence


BROKEN = {
    "a reserved bit, as compression sets it": lambda peer: peer.frame(BINARY, FRAME, rsv=4),
    "a reserved opcode": lambda peer: peer.frame(3, FRAME),
    "a long ping": lambda peer: peer.frame(PING, bytes(126)),
    "a ping in fragments": lambda peer: peer.frame(PING, b"", fin=False),
    "a continuation of nothing": lambda peer: peer.frame(CONTINUATION, FRAME),
    "a message within another": lambda peer: peer.frame(BINARY, FRAME, fin=False) + peer.frame(BINARY, FRAME),
    "half a close code": lambda peer: peer.frame(CLOSE, b"\x03"),
    "a code that can't be sent": lambda peer: peer.frame(CLOSE, b"\x03\xee"),
    "a code that does not exist": lambda peer: peer.frame(CLOSE, b"\0\1"),
    "the wrong masking": lambda peer: Peer(peer.stream, is_client=not peer.is_client).frame(BINARY, FRAME),
    "text that is not UTF-8": lambda peer: peer.frame(TEXT, b"\xff"),
}


@both_roles
@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_not_websocket_ends_the_link_and_is_told(role: Role, name: str) -> None:
    async with linked(role) as (link, peer):
        await peer.stream.send_all(BROKEN[name](peer))
        with pytest.raises(LinkClosed) as caught:
            await until_the_end(link)
        assert str(caught.value) == NO_WEBSOCKET
        code = 1003 if name == "text that is not UTF-8" else 1002  # WS-5: there is no 1007
        assert await peer.receive() == (True, CLOSE, struct.pack(">H", code))
        await peer.stream.send_eof()
        await link.aclose()
        assert await peer.at_end()


NO_WEBSOCKET = "there broke the rules of WebSocket; something in between may change the bytes"
VANISHED = "there vanished without a WebSocket close; check it, and any proxy in between"


@both_roles
@pytest.mark.parametrize("sent", [b"", FRAME, FRAME[:5]])
async def test_an_end_without_a_close_is_abnormal(role: Role, sent: bytes) -> None:
    async with linked(role) as (link, peer):
        if sent:
            await peer.send(BINARY, sent, fin=sent == FRAME)
        await peer.stream.send_eof()
        assert await received(link, len(sent)) == sent
        with pytest.raises(LinkClosed) as caught:
            await link.receive()
        assert str(caught.value) == VANISHED
        with pytest.raises(LinkClosed) as caught:
            await link.send(FRAME)
        assert str(caught.value) == VANISHED


@both_roles
async def test_a_reset_is_abnormal_and_has_its_cause(role: Role) -> None:
    async with linked(role) as (link, peer):
        peer.reset()
        with pytest.raises(LinkClosed) as caught:
            await link.receive()
        assert str(caught.value) == VANISHED
        assert isinstance(caught.value.__cause__, trio.BrokenResourceError)
        with pytest.raises(LinkClosed) as caught:
            await link.send(FRAME)
        assert str(caught.value) == VANISHED


@both_roles
async def test_sending_to_who_is_gone_fails(role: Role) -> None:
    async with linked(role) as (link, peer):
        peer.reset()
        with pytest.raises(LinkClosed) as caught:
            await pour(link)
        assert str(caught.value) == VANISHED


class Failing(trio.abc.Stream):
    """A stream over `stream` whose next read, once `error` is set, raises it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.error: BaseException | None = None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self.stream.receive_some(max_bytes)
        if self.error is not None:
            raise self.error
        return data

    async def aclose(self) -> None:
        await self.stream.aclose()


@both_roles
async def test_what_breaks_the_reader_ends_the_link_and_cancels_nobody(role: Role) -> None:
    streams: list[Failing] = []

    def wrap(stream: trio.SocketStream) -> Failing:
        streams.append(Failing(stream))
        return streams[0]

    async with linked(role, wrap=wrap) as (link, peer):
        streams[0].error = ZeroDivisionError()
        await peer.send(BINARY, FRAME)
        with pytest.raises(LinkClosed) as caught:
            await link.receive()
        assert str(caught.value) == "the WebSocket to there failed; connect again"
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        await link.aclose()


async def test_an_interrupt_that_hits_the_reader_comes_out_as_it_is() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    stream = Failing(ours)
    stream.error = None

    async def use(link: Link) -> None:
        stream.error = KeyboardInterrupt()
        await theirs.send_all(b"\x82\x00")
        await link.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_handshake, theirs)
        with pytest.raises(KeyboardInterrupt):
            await hold(stream, "dialled", 1_000, use)


async def answer_handshake(stream: trio.abc.Stream) -> None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await stream.receive_some()
    await stream.send_all(accepting(head))


async def test_the_sentence_of_the_link_below_is_kept() -> None:
    streams: list[Failing] = []

    def wrap(stream: trio.SocketStream) -> Failing:
        streams.append(Failing(stream))
        return streams[0]

    async with linked("dialled", wrap=wrap) as (link, peer):
        streams[0].error = trio.BrokenResourceError()
        streams[0].error.__cause__ = LinkClosed("what happened below")
        await peer.send(BINARY, FRAME)
        with pytest.raises(LinkClosed) as caught:
            await link.receive()
        assert str(caught.value) == "what happened below"


@both_roles
async def test_a_slow_application_bounds_what_is_read_and_can_still_close(role: Role) -> None:
    async with linked(role) as (link, peer):
        sent = 0
        part = peer.frame(BINARY, FRAME * 5_000)
        with trio.move_on_after(0.5):
            while True:
                await peer.stream.send_all(part)
                sent += len(part)
        # The kernel's buffers take some MiB; what is beyond them would have to be in memory here.
        assert sent < 50_000_000
        assert isinstance(link, WebSocketLink)
        assert len(link._wire.inbox._data) < 262_144
        started = trio.current_time()
        await link.aclose()
        assert trio.current_time() - started < 1.5
        with pytest.raises(LinkClosed):
            await link.receive()


@both_roles
async def test_a_slow_application_does_not_keep_pings_and_the_close_waiting(role: Role) -> None:
    async with linked(role) as (link, peer):
        for _ in range(100):
            await peer.send(BINARY, FRAME * 200)
            await peer.send(PING, b"?")
        for _ in range(100):
            assert await peer.receive() == (True, PONG, b"?")
        await peer.send(CLOSE, b"\x03\xe8")
        assert await peer.receive() == (True, CLOSE, b"\x03\xe8")
        assert len(await received(link, 120_000)) == 120_000
        assert await link.receive() == b""


@both_roles
async def test_reading_goes_on_when_there_is_room_again(role: Role) -> None:
    count = 200_000
    async with linked(role) as (link, peer), trio.open_nursery() as nursery:

        async def pour() -> None:
            for _ in range(count // 5_000):
                await peer.send(BINARY, FRAME * 5_000)

        nursery.start_soon(pour)
        await trio.sleep(0.1)
        assert await received(link, count * 6) == FRAME * count


@both_roles
async def test_a_cancelled_send_leaves_nothing_behind_it(role: Role) -> None:
    async with linked(role) as (link, peer):
        size = 30_000_000
        with trio.move_on_after(0.2) as scope:
            await link.send(size.to_bytes(4, "big") + bytes(size))
        assert scope.cancelled_caught
        with pytest.raises(LinkClosed) as caught:
            await link.send(FRAME)
        assert str(caught.value) == "a send to there was cancelled half way, so nothing more can be sent"
        await peer.send(PING, b"?")  # its pong would be within the frame that was cut
        await trio.sleep(0.2)  # unread at the close, it would reset the connection, and lose what was sent
        started = trio.current_time()
        await link.aclose()
        assert trio.current_time() - started < 1.5
        assert await peer.receive() == (False, BINARY, size.to_bytes(4, "big") + bytes(65_532))
        with pytest.raises(EOFError):
            await only_continuations(peer)


async def only_continuations(peer: Peer) -> None:
    while True:
        assert await peer.receive() == (False, CONTINUATION, bytes(65_536))


@both_roles
async def test_a_large_message_is_sent_in_fragments_with_pongs_between_them(role: Role) -> None:
    size = 10_000_000
    async with linked(role) as (link, peer), trio.open_nursery() as nursery:
        nursery.start_soon(link.send, size.to_bytes(4, "big") + bytes(size))
        await trio.sleep(0.05)
        await peer.send(PING, b"?")
        opcodes: list[int] = []
        data = b""
        fin = False
        while not (fin and opcodes[-1] != PONG):
            fin, opcode, payload = await peer.receive()
            opcodes.append(opcode)
            if opcode != PONG:
                data += payload
            assert len(payload) <= 65_536
        assert data == size.to_bytes(4, "big") + bytes(size)
        assert opcodes[0] == BINARY
        assert PONG in opcodes
        assert {*opcodes[1:]} == {CONTINUATION, PONG}


@both_roles
async def test_a_close_that_is_not_answered_is_bounded(role: Role) -> None:
    async with linked(role) as (link, peer):
        started = trio.current_time()
        await link.aclose()
        assert 0.9 < trio.current_time() - started < 1.5
        assert await peer.receive() == (True, CLOSE, b"\x03\xe8")
        assert await peer.at_end()
        await link.aclose()
        for again in (link.receive, lambda: link.send(FRAME)):
            with pytest.raises(LinkClosed) as caught:
                await again()
            assert str(caught.value) == "this end has closed the connection to there"


class Late(Failing):
    """A stream that lets others run before it writes."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        for _ in range(3):
            await trio.lowlevel.checkpoint()
        await super().send_all(data)


@both_roles
async def test_both_ends_close_at_once(role: Role) -> None:
    """The other end hears a Close, also where its own came while this one was being written."""
    async with linked(role, wrap=Late) as (link, peer), trio.open_nursery() as nursery:
        nursery.start_soon(link.aclose)
        await trio.lowlevel.checkpoint()
        await peer.send(CLOSE, b"\x03\xe8")
        assert await peer.receive() == (True, CLOSE, b"\x03\xe8")
        assert await peer.at_end()


@both_roles
async def test_a_cancelled_close_is_at_once(role: Role) -> None:
    async with linked(role) as (link, peer):
        started = trio.current_time()
        with trio.CancelScope() as scope:
            scope.cancel()
            await link.aclose()
        assert scope.cancelled_caught
        assert trio.current_time() - started < 0.5
        assert await peer.at_end()


@both_roles
async def test_pings_after_a_close_do_no_harm(role: Role) -> None:
    async with linked(role) as (link, peer), trio.open_nursery() as nursery:
        nursery.start_soon(link.aclose)
        assert await peer.receive() == (True, CLOSE, b"\x03\xe8")
        started = trio.current_time()
        await peer.send(PING, b"?")
        await peer.send(BINARY, FRAME)
        await peer.send(CLOSE, b"\x03\xe8")
        assert await peer.at_end()
        assert trio.current_time() - started < 0.5


@both_roles
async def test_a_close_while_a_send_waits_is_seen_at_once(role: Role) -> None:
    async with linked(role) as (link, peer), trio.open_nursery() as nursery:

        async def send() -> None:
            with pytest.raises(LinkClosed) as caught:
                await link.send((30_000_000).to_bytes(4, "big") + bytes(30_000_000))
            assert str(caught.value) in (
                "there has closed the connection",
                "this end has closed the connection to there",
            )

        nursery.start_soon(send)
        await trio.sleep(0.1)
        await peer.send(CLOSE, b"\x03\xe8")
        with trio.fail_after(0.5):
            assert await link.receive() == b""
        await link.aclose()


@both_roles
async def test_who_pings_and_does_not_read_is_not_collected_for(role: Role) -> None:
    async with linked(role) as (link, peer):
        ping = peer.frame(PING, bytes(125)) * 100
        sent = 0
        with trio.move_on_after(1):
            while True:
                await peer.stream.send_all(ping)
                sent += len(ping)
        assert sent < 50_000_000
        started = trio.current_time()
        await link.aclose()
        assert trio.current_time() - started < 1.5


@both_roles
async def test_a_goodbye_under_cancellation_still_hears_the_other_end(role: Role) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    theirs = await trio.open_tcp_stream("127.0.0.1", listeners[0].socket.getsockname()[1])
    ours = await listeners[0].accept()
    await listeners[0].aclose()
    peer = Peer(theirs, is_client=role == "accepted")
    heard = b""

    async def use(link: Link) -> None:
        nonlocal heard
        try:
            await trio.sleep_forever()
        finally:
            with trio.move_on_after(5, shield=True):
                await link.send(FRAME)
                heard = await link.receive()

    async with theirs, trio.open_nursery() as nursery:
        nursery.start_soon(hold, ours, role, 1_000, use)
        await peer.handshake()
        await trio.sleep(0.05)
        nursery.start_soon(answer_one, peer)
        nursery.cancel_scope.cancel()
    assert heard == FRAME * 2


async def answer_one(peer: Peer) -> None:
    with trio.CancelScope(shield=True):
        assert await peer.receive() == (True, BINARY, FRAME)
        await peer.send(BINARY, FRAME * 2)
