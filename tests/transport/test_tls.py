"""Links over TLS: bytes both ways, how they end, what a cancelled send leaves, over real sockets."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from graftwire.protocol.errors import LinkClosed, LinkError, TlsError
from graftwire.transport import tls
from graftwire.transport.facts import LinkFacts
from graftwire.transport.link import ConnectOptions, Link, ListenOptions
from graftwire.transport.sockets import SocketLink
from graftwire.transport.tls import TlsLink
from graftwire.transport.url import Url

from .test_streams import local_links, tls_links

Serving = Callable[..., AbstractAsyncContextManager[Url]]
Connected = Callable[..., AbstractAsyncContextManager[Link]]
Pair = tuple[TlsLink, TlsLink]
Tearing = Callable[[], Awaitable[None]]

TORN = "the connection to there ended without TLS's closing message; what was sent last may be missing"


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
async def pair(
    request: pytest.FixtureRequest, client_tls: ssl.SSLContext, server_tls: ssl.SSLContext
) -> AsyncGenerator[Pair]:
    """Who dialled and who accepted, over a pair of sockets."""
    server_tls.maximum_version = ssl.TLSVersion[request.param]
    one, other = await tls_links(client_tls, server_tls, local_links())
    yield one, other
    for link in (one, other):
        link.close()


async def received(link: Link, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = await link.receive()
        assert more
        data += more
    return data


@pytest.mark.parametrize("size", [0, 1, 16_384, 65_536, 65_537, 3_000_000])
async def test_what_is_sent_arrives(pair: Pair, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    for sender, receiver in (pair, pair[::-1]):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sender.send, data)
            assert await received(receiver, size) == data


async def test_a_receive_gives_at_most_what_is_asked_for(pair: Pair) -> None:
    one, other = pair
    await one.send(b"hello")
    assert await other.receive(2) == b"he"
    assert await other.receive(2) == b"ll"
    assert await other.receive() == b"o"


async def test_the_orderly_end(pair: Pair) -> None:
    one, other = pair
    await one.send(b"last")
    await one.aclose()
    await one.aclose()
    assert one.closed
    assert await other.receive() == b"last"
    assert await other.receive() == b""
    assert await other.receive() == b""
    for use in (lambda: one.send(b"x"), one.receive, one.writable):
        with pytest.raises(LinkClosed, match="this end has closed the connection to there"):
            await use()


async def test_an_end_without_the_closing_message_is_abnormal(pair: Pair) -> None:
    one, other = pair
    await one.send(b"last")
    one.close()
    assert await other.receive() == b"last"
    for _ in range(2):
        with pytest.raises(TlsError) as caught:
            await other.receive()
        assert str(caught.value) == TORN


async def test_an_end_in_the_middle_of_a_record_is_abnormal(pair: Pair) -> None:
    one, other = pair
    one._encrypt(memoryview(b"first"))
    one._encrypt(memoryview(b"second"))
    record = one._outgoing.read()
    await one.io.send(record[:-1])
    one.close()
    assert await other.receive() == b"first"  # what came whole is given before the error
    with pytest.raises(TlsError) as caught:
        await other.receive()
    assert str(caught.value) == TORN


async def test_bytes_that_were_changed_on_the_way(pair: Pair) -> None:
    one, other = pair
    one._encrypt(memoryview(b"12 EUR"))
    record = bytearray(one._outgoing.read())
    record[-1] ^= 1
    await one.io.send(record)
    with pytest.raises(TlsError) as caught:
        await other.receive()
    assert str(caught.value) == "what came over TLS from there is damaged; connect again"
    with pytest.raises(TlsError):
        await other.send(b"x")  # OpenSSL goes no further either


@pytest.mark.parametrize("dialled", [True, False])
async def test_after_the_closing_message_nothing_is_sent_and_what_comes_is_received(
    pair: Pair, dialled: bool
) -> None:
    one, other = pair if dialled else pair[::-1]
    await other.send(b"hello")
    assert await one.receive(2) == b"he"
    await other.send(b" world")
    await one.finish()
    await one.finish()
    with pytest.raises(LinkClosed):
        one.send_nowait(b"x")
    with pytest.raises(LinkClosed) as caught:
        await one.send(b"x")
    assert str(caught.value) == "this end has already said that it sends nothing more to there"
    assert await received(one, 9) == b"llo world"
    assert await other.receive() == b""
    await other.send(b"!")
    assert await one.receive() == b"!"
    await other.aclose()
    assert await one.receive() == b""


async def test_after_the_closing_message_a_torn_link_is_still_told(pair: Pair) -> None:
    one, other = pair
    other.io.shutdown()
    with pytest.raises(TlsError):
        await one.receive()
    await one.finish()
    with pytest.raises(TlsError) as caught:
        await one.receive()
    assert str(caught.value) == TORN


async def test_a_session_can_not_half_close_over_tls(pair: Pair) -> None:
    one, other = pair
    assert not one.half_closes
    await one.send_eof()
    await one.send(b"x")
    assert await other.receive() == b"x"


async def test_sending_without_waiting(pair: Pair) -> None:
    one, other = pair
    data = bytes(200_000)
    taken = one.send_nowait(data)
    assert taken == tls.PIECE
    assert one.send_nowait(b"") == 0
    total = taken
    while sent := one.send_nowait(data):
        total += sent
    # The kernel takes no more, and all that was taken arrives, though nobody sends again.
    assert await received(other, total) == bytes(total)
    await wait_all_tasks_blocked()
    assert one.send_nowait(b"more") == 4
    assert await other.receive() == b"more"


async def test_a_send_goes_on_behind_what_is_left(pair: Pair) -> None:
    one, other = pair
    total = 0
    while sent := one.send_nowait(bytes(tls.PIECE)):
        total += sent
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.send, b"behind")
        await wait_all_tasks_blocked()
        data = await received(other, total + 6)
    assert data == bytes(total) + b"behind"


async def test_waiting_for_room(pair: Pair) -> None:
    one, other = pair
    await one.writable()
    total = 0
    while sent := one.send_nowait(bytes(tls.PIECE)):
        total += sent
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.writable)
        await wait_all_tasks_blocked()
        await received(other, total)
    assert one.send_nowait(b"x") == 1


async def test_what_was_left_is_lost_quietly_with_the_link(pair: Pair) -> None:
    one, other = pair
    while one.send_nowait(bytes(tls.PIECE)):
        pass
    await wait_all_tasks_blocked()
    other.close()
    await wait_all_tasks_blocked()
    with pytest.raises(LinkError):
        await one.send(b"x")


async def test_a_send_that_was_cancelled_half_way_is_the_last(pair: Pair) -> None:
    one, other = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.send, bytes(16 * 2**20))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    for use in (lambda: one.send(b"x"), one.finish):
        with pytest.raises(LinkClosed) as caught:
            await use()
        assert str(caught.value) == "a send to there was cancelled half way, so nothing more can be sent"
    await one.aclose()  # at once: a closing message would come in the middle of a record
    assert one.closed


async def test_closing_does_not_wait_long_for_room(
    pair: Pair, autojump_clock: trio.testing.MockClock
) -> None:
    one, _ = pair
    while one.send_nowait(bytes(tls.PIECE)):
        pass
    start = trio.current_time()
    await one.aclose()
    assert one.closed
    assert trio.current_time() - start == tls.CLOSING


async def test_every_call_notices_a_cancellation(pair: Pair) -> None:
    one, other = pair
    await other.send(b"x")
    for call in (lambda: one.send(b"x"), one.receive, one.finish, one.send_eof, one.writable, one.aclose):
        with trio.CancelScope() as scope:
            scope.cancel()
            await call()
        assert scope.cancelled_caught
    assert one.closed


async def test_a_part_of_a_record_is_a_sign_of_life(
    pair: Pair, autojump_clock: trio.testing.MockClock
) -> None:
    one, other = pair
    one._encrypt(memoryview(b"slow"))
    record = one._outgoing.read()
    assert other.last_arrival < 0
    before = other.arrived
    async with trio.open_nursery() as nursery:

        async def receive() -> None:
            assert await other.receive() == b"slow"

        nursery.start_soon(receive)
        await one.io.send(record[:7])
        await trio.sleep(5)
        assert other.arrived - before == 7
        came = other.last_arrival
        assert trio.current_time() - came == pytest.approx(5, abs=0.1)
        await one.io.send(record[7:])
    assert other.last_arrival == came  # the rest was given at once
    assert other.arrived - before == len(record)


# --- the end of a session over TLS, as a user meets it ---------------------------------------------------------------


@asynccontextmanager
async def cutting(url: Url) -> AsyncGenerator[tuple[Url, trio.Event]]:
    """Somebody in between, who closes both TCP connections in order when told to, and knows nothing of TLS."""
    cut = trio.Event()

    async def carry(source: trio.SocketStream, sink: trio.SocketStream) -> None:
        async for data in source:
            await sink.send_all(data)

    async def between(near: trio.SocketStream) -> None:
        far = await trio.open_tcp_stream(url.host, url.port)
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(carry, near, far)
            nursery.start_soon(carry, far, near)
            await cut.wait()
            nursery.cancel_scope.cancel()

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, between, listeners)
        yield Url("tls", "127.0.0.1", port, "", f"tls://127.0.0.1:{port}"), cut
        nursery.cancel_scope.cancel()


async def test_who_cuts_a_session_off_is_noticed_at_both_ends(
    serving: Serving,
    connected: Connected,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "graftwire.transport")
    ended = trio.Event()
    failures: list[str] = []

    async def listen(link: Link) -> None:
        try:
            await link.send(await link.receive())
            await link.receive()
        except TlsError as error:
            failures.append(str(error))
        finally:
            ended.set()

    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls), listen) as real:
        async with cutting(real) as (url, cut), connected(url, ConnectOptions(tls=client_tls)) as link:
            await link.send(b"x")
            assert await link.receive() == b"x"
            cut.set()
            with pytest.raises(TlsError, match="without TLS's closing message"):
                await link.receive()
            await ended.wait()
    assert len(failures) == 1
    assert "without TLS's closing message" in failures[0]


async def test_a_listener_over_tls_sends_its_last_word_to_a_client_that_only_sends(
    serving: Serving, connected: Connected, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    """Session tickets that lie unread at the client must not break off what it sent."""
    got = trio.Event()

    async def listen(link: Link) -> None:
        data = b""
        while more := await link.receive():
            data += more
        assert data == bytes(500_000)
        got.set()

    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls), listen) as url:
        async with connected(url, ConnectOptions(tls=client_tls)) as link:
            await link.send(bytes(500_000))
        with trio.fail_after(5):
            await got.wait()


@pytest.mark.parametrize("scheme", ["tls", "wss"])
async def test_contexts_serve_both_transports(
    serving: Serving,
    connected: Connected,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
    scheme: str,
) -> None:
    frame = b"\0\0\0\x02hi"
    async with serving(f"{scheme}://localhost:0", ListenOptions(tls=server_tls)) as url:
        async with connected(url, ConnectOptions(tls=client_tls)) as link:
            await link.send(frame)
            assert await received(link, 6) == frame
            assert link.facts.transport == scheme
            assert link.facts.tls is not None
            assert link.facts.tls.alpn == ("graftwire/1" if scheme == "tls" else "http/1.1")
            assert (link.facts.tls.verified, link.facts.tls.hostname_checked) == (True, True)
            assert link.facts.confidential


def test_a_context_that_allows_renegotiation_does_not_afterwards(client_tls: ssl.SSLContext) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.options &= ~ssl.OP_NO_RENEGOTIATION

    async def made() -> None:
        one, other = local_links()
        TlsLink(one, LinkFacts("tls", "here", "there"), context, ("graftwire/1",), "localhost")
        assert isinstance(one, SocketLink)
        one.close()
        other.close()

    trio.run(made)
    assert context.options & ssl.OP_NO_RENEGOTIATION


async def test_listeners_that_share_a_context_keep_their_names_apart(
    client_tls: ssl.SSLContext, server_tls: ssl.SSLContext
) -> None:
    """What another listener asks for between a connection and its handshake changes nothing (LINK-3)."""
    here, there = local_links()
    accepted = TlsLink(there, LinkFacts("tls", "here", "there"), server_tls, (tls.ALPN_FRAMED,), None)
    server_tls.set_alpn_protocols([tls.ALPN_HTTP])  # a connection to the listener of wss
    dialled = TlsLink(here, LinkFacts("tls", "here", "there"), client_tls, (tls.ALPN_FRAMED,), "localhost")

    async def accept() -> None:
        await accepted.handshake()
        await accepted.flush()

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept)
            await dialled.handshake()
            await dialled.flush()
    for link in (dialled, accepted):
        assert link.ssl.selected_alpn_protocol() == tls.ALPN_FRAMED
        link.close()
