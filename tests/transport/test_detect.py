"""What a connection becomes: every kind of client at every kind of listener."""

from __future__ import annotations

import logging
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from ipaddress import ip_network
from pathlib import Path

import pytest
import trio

from graftwire.protocol.errors import ConnectError, LinkError, TlsError
from graftwire.transport import http
from graftwire.transport.link import ConnectOptions, Link, ListenOptions
from graftwire.transport.url import Url, parse

Serving = Callable[..., AbstractAsyncContextManager[Url]]
Connected = Callable[..., AbstractAsyncContextManager[Link]]

FRAME = b"\0\0\0\x02hi"


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "graftwire.transport")
    return caplog


def told(log: pytest.LogCaptureFixture) -> list[str]:
    """Why connections ended, without the ports."""
    ends = [record.getMessage().partition(" was ended: ")[2] for record in log.records]
    return [
        " ".join("PEER" if word.startswith("127.0.0.1:") else word for word in end.split()) for end in ends
    ]


async def until_told(log: pytest.LogCaptureFixture, count: int = 1) -> list[str]:
    with trio.fail_after(5):
        while len(log.records) < count:
            await trio.sleep(0.001)
    return told(log)


class Seen:
    """A handler that echoes, and keeps the links."""

    def __init__(self) -> None:
        self.links: list[Link] = []

    async def __call__(self, link: Link) -> None:
        self.links.append(link)
        while data := await link.receive():
            await link.send(data)


def at(url: Url, scheme: str) -> Url:
    """The same port, spoken to in another way."""
    return parse(f"{scheme}://{url.host}:{url.port}")


@asynccontextmanager
async def opened(url: Url) -> AsyncGenerator[trio.SocketStream]:
    """A bare connection to a listener."""
    if url.scheme == "unix":
        stream = await trio.open_unix_socket(url.path)
    else:
        stream = await trio.open_tcp_stream(url.host, url.port)
    async with stream:
        yield stream


async def everything(stream: trio.SocketStream) -> bytes:
    got = b""
    with trio.fail_after(5):
        while data := await stream.receive_some():
            got += data
    return got


# --- one port for everything -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("listen", ["tcp", "ws", "tls", "wss"])
@pytest.mark.parametrize("dial", ["tcp", "ws", "tls", "wss"])
async def test_one_port_tells_framed_tls_and_http_apart(
    serving: Serving,
    connected: Connected,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
    listen: str,
    dial: str,
) -> None:
    """A listener whose URL promises TLS never speaks without it; the others speak everything."""
    seen = Seen()
    served = listen in ("tcp", "ws") or dial in ("tls", "wss")
    options = ListenOptions(tls=server_tls, detect=True)
    async with serving(f"{listen}://127.0.0.1:0", options, seen) as url:
        try:
            async with connected(at(url, dial), ConnectOptions(tls=client_tls)) as link:
                await link.send(FRAME)
                assert (await link.receive() == FRAME) is served
        except LinkError:
            assert not served
    assert [(link.facts.transport, link.facts.path) for link in seen.links] == (
        [(dial, "/" if dial in ("ws", "wss") else None)] if served else []
    )


@pytest.mark.parametrize("dial", ["tcp", "ws", "tls", "wss"])
async def test_without_detection_a_port_speaks_what_its_url_says(
    serving: Serving,
    connected: Connected,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
    dial: str,
) -> None:
    for listen in ("tcp", "ws", "tls", "wss"):
        seen = Seen()
        options = ListenOptions(tls=server_tls)
        async with serving(f"{listen}://127.0.0.1:0", options, seen) as url:
            try:
                async with connected(
                    at(url, dial), ConnectOptions(tls=client_tls, handshake_timeout=5)
                ) as link:
                    await link.send(FRAME)
                    assert (await link.receive() == FRAME) is (dial == listen)
            except LinkError:
                assert dial != listen
        if listen != "tcp":  # a framed listener looks at no byte: what is wrong is for the session to find
            assert [link.facts.transport for link in seen.links] == ([listen] if dial == listen else [])


async def test_tls_is_not_served_where_there_is_no_certificate(
    serving: Serving, connected: Connected, client_tls: ssl.SSLContext, log: pytest.LogCaptureFixture
) -> None:
    async with serving("tcp://127.0.0.1:0", ListenOptions(detect=True), Seen()) as url:
        with pytest.raises(LinkError):
            async with connected(at(url, "tls"), ConnectOptions(tls=client_tls)):
                raise AssertionError
        assert await until_told(log) == ["what the client PEER speaks is not served at this port"]


@pytest.mark.parametrize("first", [b"\x01", b"\x05", b"\x80", b"\xe9", b"\xff", b"1", b" ", b"g", b"@", b"["])
async def test_anything_else_is_closed_without_an_answer(
    serving: Serving, first: bytes, log: pytest.LogCaptureFixture
) -> None:
    seen = Seen()
    async with serving("tcp://127.0.0.1:0", ListenOptions(detect=True), seen) as url:
        async with opened(url) as stream:
            await stream.send_all(first)
            with suppress(trio.BrokenResourceError):  # the byte was never read, so the end may be a reset
                assert await everything(stream) == b""
        assert await until_told(log) == ["what the client PEER speaks is not served at this port"]
    assert not seen.links


async def test_a_client_that_leaves_before_its_first_byte(
    serving: Serving, log: pytest.LogCaptureFixture
) -> None:
    async with serving("tcp://127.0.0.1:0", ListenOptions(detect=True), Seen()) as url:
        async with opened(url):
            pass
        assert await until_told(log) == ["PEER has closed the connection"]


# --- Unix sockets ----------------------------------------------------------------------------------------------------


async def test_a_unix_socket_serves_websocket_at_the_root(serving: Serving, tmp_path: Path) -> None:
    """The path of its URL is that of a file, and none of HTTP's."""
    seen = Seen()
    async with serving(f"unix:{tmp_path}/s", ListenOptions(detect=True), seen) as url:
        handshake = (
            "GET {} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graftwire.1\r\n\r\n"
        )
        async with opened(url) as stream:
            await stream.send_all(handshake.format(url.path).encode())
            assert (await everything(stream)).startswith(b"HTTP/1.1 404 ")
        async with opened(url) as stream:
            await stream.send_all(handshake.format("/").encode())
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 101 ")
    assert [(link.facts.transport, link.facts.path) for link in seen.links] == [("unix", "/")]


async def test_a_unix_socket_speaks_frames_and_tls_too(
    serving: Serving,
    connected: Connected,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
    tmp_path: Path,
) -> None:
    seen = Seen()
    client_tls.set_alpn_protocols(["graftwire/1"])
    async with serving(f"unix:{tmp_path}/s", ListenOptions(detect=True, tls=server_tls), seen) as url:
        async with connected(url) as link:
            await link.send(FRAME)
            assert await link.receive() == FRAME
        async with opened(url) as plain:
            stream = trio.SSLStream(plain, client_tls, server_hostname="localhost")
            await stream.send_all(FRAME)
            assert await stream.receive_some() == FRAME
    plainly, secured = (link.facts for link in seen.links)
    assert (plainly.transport, plainly.tls) == ("unix", None)
    assert (secured.transport, secured.path) == ("unix", None)
    assert secured.tls is not None
    assert secured.tls.alpn == "graftwire/1"


async def test_frames_over_tls_at_a_websocket_port_are_told_so(
    serving: Serving, connected: Connected, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with serving("wss://127.0.0.1:0", ListenOptions(tls=server_tls), Seen()) as url:
        with pytest.raises(TlsError) as caught:
            async with connected(at(url, "tls"), ConnectOptions(tls=client_tls)):
                raise AssertionError
    assert str(caught.value) == (
        f"127.0.0.1:{url.port} speaks TLS but not Graftwire; "
        "check the port, or set ALPN graftwire/1 where TLS ends before the server"
    )


# --- what HTTP gets --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["tcp", "ws", "wss", "unix"])
async def test_an_http_answer_ends_with_the_connection_at_once(
    serving: Serving,
    client_tls: ssl.SSLContext,
    server_tls: ssl.SSLContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
) -> None:
    """The client waits for the end, and the listener for the client, so one of them has to say so first."""
    monkeypatch.setattr(http, "ANSWER_TIME", 600)
    text = f"unix:{tmp_path}/s" if scheme == "unix" else f"{scheme}://127.0.0.1:0"
    async with serving(text, ListenOptions(detect=True, tls=server_tls), Seen()) as url:
        async with opened(url) as plain:
            stream: trio.abc.Stream = plain
            if scheme == "wss":
                stream = trio.SSLStream(plain, client_tls, server_hostname="localhost")
            await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            got = b""
            with trio.fail_after(10):
                while data := await stream.receive_some():
                    got += data
            assert got.startswith(b"HTTP/1.1 200 OK\r\n")
            assert got.endswith(b"\r\n\r\nok\n")


async def test_alpn_names_that_are_not_served(
    serving: Serving, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, log: pytest.LogCaptureFixture
) -> None:
    """A framed listener needs its own name; without any it might be anything."""
    for offered in (["http/1.1"], ["h2"], []):
        log.clear()
        client_tls.set_alpn_protocols(offered)
        async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls), Seen()) as url:
            async with opened(url) as plain:
                stream = trio.SSLStream(plain, client_tls, server_hostname="localhost")
                await stream.do_handshake()
                assert await stream.receive_some() == b""
            assert await until_told(log) == ["the client PEER did not agree on what to speak over TLS (ALPN)"]


# --- time, and proxies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["tcp", "tls", "ws", "wss"])
async def test_a_client_that_says_nothing_is_given_up(
    serving: Serving, server_tls: ssl.SSLContext, log: pytest.LogCaptureFixture, scheme: str
) -> None:
    options = ListenOptions(tls=server_tls, detect=True, handshake_timeout=0.05)
    async with serving(f"{scheme}://127.0.0.1:0", options, Seen()) as url:
        async with opened(url) as stream:
            assert await everything(stream) == b""
        assert await until_told(log) == ["the client PEER did not finish its handshake within 0.05 s"]


async def test_a_handshake_and_the_request_behind_it_share_one_time(
    serving: Serving, connected: Connected, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    options = ListenOptions(tls=server_tls, handshake_timeout=0.2)
    async with serving("wss://127.0.0.1:0", options, Seen()) as url:
        async with opened(url) as plain:
            stream = trio.SSLStream(plain, client_tls, server_hostname="localhost")
            with trio.fail_after(5):
                assert await stream.receive_some() == b""


async def test_a_listed_proxy_says_who_is_calling(serving: Serving) -> None:
    seen = Seen()
    options = ListenOptions(proxy_sources=(ip_network("127.0.0.0/8"),))
    async with serving("tcp://127.0.0.1:0", options, seen) as url:
        async with opened(url) as stream:
            mine = stream.socket.getsockname()
            await stream.send_all(b"PROXY TCP4 203.0.113.9 203.0.113.1 5000 443\r\n" + FRAME)
            assert await stream.receive_some() == FRAME
        async with opened(url) as stream:
            await stream.send_all(
                b"PROXY UNKNOWN\r\n" + FRAME
            )  # the proxy itself, to see whether we are there
            assert await stream.receive_some() == FRAME
            second = stream.socket.getsockname()
    first, other = seen.links
    assert first.facts.peer == "203.0.113.9:5000"
    assert first.facts.proxied == f"127.0.0.1:{mine[1]}"
    assert other.facts.peer == f"127.0.0.1:{second[1]}"
    assert other.facts.proxied is None


async def test_who_is_no_listed_proxy_is_not_believed(serving: Serving) -> None:
    seen = Seen()
    options = ListenOptions(proxy_sources=(ip_network("203.0.113.0/24"),))
    header = b"PROXY TCP4 203.0.113.9 203.0.113.1 5000 443\r\n"
    async with serving("tcp://127.0.0.1:0", options, seen) as url:
        async with opened(url) as stream:
            await stream.send_all(header)
            assert await stream.receive_some() == header  # it is data like any other
    assert seen.links[0].facts.proxied is None


async def test_a_listed_proxy_must_say_it(serving: Serving, log: pytest.LogCaptureFixture) -> None:
    seen = Seen()
    options = ListenOptions(proxy_sources=(ip_network("127.0.0.1"),))
    async with serving("tcp://127.0.0.1:0", options, seen) as url:
        async with opened(url) as stream:
            await stream.send_all(FRAME)
            with pytest.raises(trio.BrokenResourceError):
                while await stream.receive_some():
                    pass
                raise trio.BrokenResourceError
        await until_told(log)
    assert not seen.links


async def test_a_health_check_is_no_news(serving: Serving, log: pytest.LogCaptureFixture) -> None:
    """Those of HAProxy, once a second: a connection that is broken off as soon as it is there."""
    log.set_level(logging.DEBUG, "graftwire.transport")
    options = ListenOptions(proxy_sources=(ip_network("127.0.0.1"),))
    async with serving("tcp://127.0.0.1:0", options, Seen()) as url:
        # nothing else runs in between, so it is gone when it is accepted
        with socket.create_connection((url.host, url.port)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(b"PROXY UNKNOWN\r\n")
        assert await until_told(log) == ["a client closed the connection as soon as it was accepted"]
    assert [record.levelname for record in log.records] == ["DEBUG"]


async def test_a_unix_socket_has_no_proxies(serving: Serving, tmp_path: Path) -> None:
    options = ListenOptions(proxy_sources=(ip_network("127.0.0.1"),))
    async with serving(f"unix:{tmp_path}/s", options, Seen()) as url:
        async with opened(url) as stream:
            await stream.send_all(FRAME)
            assert await stream.receive_some() == FRAME


async def test_a_web_server_of_another_kind_is_told_from_ours(serving: Serving, connected: Connected) -> None:
    async with serving("tcp://127.0.0.1:0", ListenOptions(detect=True), Seen()) as url:
        with pytest.raises(ConnectError, match="has nothing at this path"):
            async with connected(parse(f"ws://127.0.0.1:{url.port}/elsewhere")):
                raise AssertionError
