from __future__ import annotations

import socket
import ssl

import pytest
import trio
from trio.testing import check_half_closeable_stream, wait_all_tasks_blocked

from graftwire.protocol.errors import LinkClosed
from graftwire.transport import sockets, streams
from graftwire.transport.facts import LinkFacts
from graftwire.transport.sockets import SocketLink
from graftwire.transport.streams import LinkStream, leave
from graftwire.transport.tls import ALPN_FRAMED, TlsLink

FACTS = LinkFacts("tcp", "here", "there")


def socket_links() -> tuple[SocketLink, SocketLink]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        dialled = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
    return SocketLink(dialled, FACTS), SocketLink(accepted, FACTS)


def local_links() -> tuple[SocketLink, SocketLink]:
    """Over a pair of Unix sockets: full is full there, while TCP moves on what it has taken whenever it likes."""
    one, other = socket.socketpair()
    return SocketLink(one, FACTS), SocketLink(other, FACTS)


async def tls_links(
    client: ssl.SSLContext, server: ssl.SSLContext, below: tuple[SocketLink, SocketLink] | None = None
) -> tuple[TlsLink, TlsLink]:
    one, other = below or socket_links()
    dialled = TlsLink(one, FACTS, client, (ALPN_FRAMED,), "localhost")
    accepted = TlsLink(other, FACTS, server, (ALPN_FRAMED,), None)

    async def accept() -> None:
        await accepted.handshake()
        if accepted.ssl.version() == "TLSv1.3":
            accepted.hold()  # as `accept_tls`, or an end that only sends would close with session tickets unread
        else:
            await accepted.flush()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        await dialled.handshake()
        await dialled.flush()
    return dialled, accepted


def streams_of(
    links: tuple[SocketLink, SocketLink] | tuple[TlsLink, TlsLink],
) -> tuple[LinkStream, LinkStream]:
    return LinkStream(links[0]), LinkStream(links[1])


def clogged(links: tuple[SocketLink, SocketLink] | tuple[TlsLink, TlsLink]) -> tuple[LinkStream, LinkStream]:
    """Both directions full."""
    for link in links:
        while link.send_nowait(bytes(65_536)):
            pass
    return streams_of(links)


@pytest.fixture
def yielding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Links that yield at each call, as trio's checks have it, and not every few of them."""
    monkeypatch.setattr(sockets, "TURNS", 1)


# `LinkStream` has a half-close, so it is trio's check for streams with one, which includes the one for those without.
async def test_a_socket_link_is_a_stream(yielding: None) -> None:
    async def made() -> tuple[LinkStream, LinkStream]:
        return streams_of(socket_links())

    async def full() -> tuple[LinkStream, LinkStream]:
        return clogged(local_links())

    await check_half_closeable_stream(made, full)


async def test_a_tls_link_is_a_stream(
    yielding: None, client_tls: ssl.SSLContext, server_tls: ssl.SSLContext
) -> None:
    async def made() -> tuple[LinkStream, LinkStream]:
        return streams_of(await tls_links(client_tls, server_tls))

    async def full() -> tuple[LinkStream, LinkStream]:
        return clogged(await tls_links(client_tls, server_tls, local_links()))

    await check_half_closeable_stream(made, full)


async def test_failures_keep_their_sentence() -> None:
    one, other = socket_links()
    stream = LinkStream(one)
    one.shutdown()
    with pytest.raises(trio.BrokenResourceError) as broken:
        await stream.send_all(b"x")
    assert isinstance(broken.value.__cause__, LinkClosed)
    assert str(broken.value) == "this end has already said that it sends nothing more to there"
    await stream.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await stream.receive_some()
    with pytest.raises(trio.ClosedResourceError):
        await stream.wait_send_all_might_not_block()
    other.close()


async def test_the_last_word_arrives_although_bytes_wait_unread() -> None:
    one, other = socket_links()
    await other.send(bytes(50_000))
    await one.send(b"the reason")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave, one)
        assert await other.receive() == b"the reason"
        assert await other.receive() == b""
        other.close()
    one.close()


async def test_leaving_is_bounded_in_bytes() -> None:
    one, other = socket_links()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other.send, bytes(4 * streams.LEAVE_BYTES))
        await leave(one)
        one.close()
        nursery.cancel_scope.cancel()
    other.close()


async def test_leaving_is_bounded_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LEAVE_TIME", 0.05)
    one, other = socket_links()
    await leave(one)
    one.close()
    await leave(one)  # a closed link is left already
    other.close()


async def test_leaving_can_be_cancelled() -> None:
    one, other = socket_links()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave, one)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    one.close()
    other.close()
