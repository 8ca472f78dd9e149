"""The dialling side of the WebSocket handshake, against all that may be there in place of a listener."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import h11
import pytest
import trio
import trio.testing

from graftwire.protocol.errors import ConnectError
from graftwire.transport.facts import LinkFacts
from graftwire.transport.link import ConnectOptions
from graftwire.transport.url import Url
from graftwire.transport.websocket import connect_websocket

URL = Url("ws", "example.test", 8080, "/rpc", "ws://example.test:8080/rpc")
WSS = Url("wss", "example.test", 443, "/", "wss://example.test:443/")
FACTS = LinkFacts("ws", "here", "there")
ACCEPTED = "HTTP/1.1 101 Switching Protocols"
HEADERS = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Protocol": "graftwire.1"}


def accept_token(request: bytes) -> str:
    """What RFC 6455 (4.2.2) says the answer to the key of `request` is."""
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(request)
    event = reader.next_event()
    assert isinstance(event, h11.Request)
    key = dict(event.headers)[b"sec-websocket-key"]
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


def answer(request: bytes, first: str = ACCEPTED, more: str = "", **changed: str | None) -> bytes:
    """The right answer to `request`, but for what is changed (None: left out)."""
    fields: dict[str, str | None] = {**HEADERS, "Sec-WebSocket-Accept": accept_token(request)}
    fields.update({name.replace("_", "-"): value for name, value in changed.items()})
    lines = [first, *(f"{name}: {value}" for name, value in fields.items() if value is not None)]
    return "\r\n".join([*lines, more, ""]).encode() if more else "\r\n".join([*lines, "", ""]).encode()


@asynccontextmanager
async def answering(
    reply: Callable[[bytes], bytes], *, step: int | None = None, stay: bool = False
) -> AsyncGenerator[tuple[trio.SocketStream, list[bytes]]]:
    """A connection to a server that reads one request, says `reply` (`step` bytes at a time) and closes."""
    requests: list[bytes] = []

    async def connection(stream: trio.SocketStream) -> None:
        async with stream:
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                if not (data := await stream.receive_some()):
                    return
                request += data
            requests.append(request)
            said = reply(request)
            for at in range(0, len(said), step or len(said) or 1):
                await stream.send_all(said[at : at + (step or len(said))])
                await trio.lowlevel.checkpoint()
            if stay:
                await stream.receive_some()

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, connection, listeners)
        with trio.fail_after(10):
            yield await trio.open_tcp_stream("127.0.0.1", listeners[0].socket.getsockname()[1]), requests
        nursery.cancel_scope.cancel()


async def refusal(reply: Callable[[bytes], bytes], url: Url = URL, *, stay: bool = False) -> str:
    """The sentence that connecting to such a server ends with."""
    async with answering(reply, stay=stay) as (stream, _):
        with pytest.raises(ConnectError) as caught:
            async with connect_websocket(stream, url, ConnectOptions(handshake_timeout=0.5), FACTS):
                raise AssertionError
        assert stream.socket.fileno() == -1
    return str(caught.value)


async def sent(url: Url, options: ConnectOptions) -> list[str]:
    """The lines of the request that is sent."""
    async with (
        answering(answer, stay=True) as (stream, requests),
        connect_websocket(stream, url, options, FACTS) as link,
    ):
        assert link.facts == LinkFacts("ws", "here", "there", path=url.path, origin=options.origin)
    return requests[0].decode().split("\r\n")


def without_key(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith("Sec-WebSocket-Key: ")]


async def test_the_handshake_is_a_closed_list() -> None:
    lines = await sent(URL, ConnectOptions())
    assert without_key(lines) == [
        "GET /rpc HTTP/1.1",
        "Host: example.test:8080",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: graftwire.1",
        "",
        "",
    ]
    key = next(line for line in lines if line.startswith("Sec-WebSocket-Key: ")).partition(": ")[2]
    assert len(base64.b64decode(key, validate=True)) == 16


async def test_an_origin_is_sent_where_it_is_set() -> None:
    lines = await sent(WSS, ConnectOptions(origin="https://app.example"))
    assert "Origin: https://app.example" in lines
    assert "Host: example.test" in lines  # the scheme's own port is not named


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (Url("ws", "::1", 7480, "/", "ws://[::1]:7480/"), "[::1]:7480"),
        (Url("ws", "::1", 80, "/", "ws://[::1]:80/"), "[::1]"),
        (Url("ws", "127.0.0.1", 443, "/", "ws://127.0.0.1:443/"), "127.0.0.1:443"),
        (Url("ws", "bücher.example", 81, "/", "ws://bücher.example:81/"), "xn--bcher-kva.example:81"),
    ],
)
async def test_the_host_is_written_as_http_wants_it(url: Url, host: str) -> None:
    assert f"Host: {host}" in await sent(url, ConnectOptions())


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        (URL, "https://app.example\r\nCookie: x"),
        (URL, "https://bücher.example"),
        (Url("ws", "a" * 63 + ".example" + "b" * 60, 80_0, "/", "ws://long:800/"), None),
    ],
)
async def test_what_can_not_be_written_is_refused(url: Url, origin: str | None) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    with pytest.raises(ConnectError) as caught:
        async with connect_websocket(ours, url, ConnectOptions(origin=origin), FACTS):
            raise AssertionError
    assert str(caught.value) == (
        f"the host of {url}, or the origin set for it, can't be written in an HTTP request; check both"
    )
    assert await theirs.receive_some() == b""


@pytest.mark.parametrize("step", [1, 7, None])
async def test_the_answer_may_come_in_pieces_and_with_frames_behind_it(step: int | None) -> None:
    def reply(request: bytes) -> bytes:
        early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
        return early + answer(request, Cookie="x") + b"\x82\x06\0\0\0\2hi" + b"\x88\x02\x03\xe8"

    async with (
        answering(reply, step=step) as (stream, _),
        connect_websocket(stream, URL, ConnectOptions(), FACTS) as link,
    ):
        received = b""
        while data := await link.receive():
            received += data
    assert received == b"\0\0\0\2hi"


STATUSES = {
    200: "is a web server that does not switch to WebSocket (200); check the port and the path",
    204: "is a web server that does not switch to WebSocket (204); check the port and the path",
    301: "sends its callers elsewhere (301), which is not followed; use the URL that is meant",
    308: "sends its callers elsewhere (308), which is not followed; use the URL that is meant",
    400: "refuses the WebSocket handshake (400); check that it is a Graftwire server of this version",
    401: "wants credentials in HTTP (401), which are never sent; let the proxy in front pass this path",
    403: "refuses the handshake's origin (403); let the server list it",
    404: "has nothing at this path (404); check the path of the URL",
    405: "is a web server that does not switch to WebSocket (405); check the port and the path",
    407: "wants credentials in HTTP (407), which are never sent; let the proxy in front pass this path",
    408: "did not get the whole WebSocket handshake in time (408); check the network in between",
    426: "does not take the WebSocket handshake (426); check that a proxy in between lets it pass",
    429: "takes no more connections just now (429); connect again later",
    500: "is a web server that can't serve this just now (500); check the server behind it",
    502: "is a web server that can't serve this just now (502); check the server behind it",
    503: "is a web server that can't serve this just now (503); check the server behind it",
}


@pytest.mark.parametrize("status", STATUSES)
async def test_each_status_of_a_web_server_has_its_sentence(status: int) -> None:
    def reply(_: bytes) -> bytes:
        head = f"HTTP/1.1 {status} Whatever s3cret\r\nLocation: http://s3cret/\r\nContent-Length: 999\r\n\r\n"
        return head.encode()

    assert await refusal(reply, stay=True) == f"ws://example.test:8080/rpc {STATUSES[status]}"


async def test_an_endless_body_is_not_read() -> None:
    def reply(_: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_000_000

    assert "(200)" in await refusal(reply)


@pytest.mark.parametrize(
    ("url", "advice"),
    [(URL, "whether the URL has to begin with wss"), (WSS, "whether the URL has to begin with tls")],
)
@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"\x15\x03\x03\0\2\2\x46",
        b"\0\0\0\2\x82\x00",
        b"HTTP/1.1 200 OK\r\na: " + b"x" * 40_000,
    ],
)
async def test_what_is_no_http_is_told_so(url: Url, advice: str, said: bytes) -> None:
    text = await refusal(lambda _: said, url, stay=True)
    assert text == f"what answers at {url} does not speak HTTP/1.1; check the port, and {advice}"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"Sec_WebSocket_Protocol": None},
            "speaks WebSocket, but not graftwire.1 on it; check that it is a Graftwire server",
        ),
        (
            {"Sec_WebSocket_Protocol": "s3cret"},
            "speaks another WebSocket subprotocol than graftwire.1; check that it is a Graftwire server",
        ),
        (
            {"sec_websocket_protocol": "graftwire.1"},
            "speaks another WebSocket subprotocol than graftwire.1; check that it is a Graftwire server",
        ),
        (
            {"Sec_WebSocket_Extensions": "permessage-deflate"},
            "switched on a WebSocket extension that nobody asked for; check the proxy in between",
        ),
    ],
)
async def test_an_answer_that_is_not_ours_is_refused(changed: dict[str, str | None], sentence: str) -> None:
    assert await refusal(lambda request: answer(request, **changed)) == f"{URL} {sentence}"


@pytest.mark.parametrize(
    "changed",
    [
        {"Sec_WebSocket_Accept": None},
        {"Sec_WebSocket_Accept": "ICX+Yqv66kxgM0FcWaLWlFLwTAI="},
        {"Upgrade": "h2c"},
        {"Connection": "close"},
    ],
)
async def test_an_answer_to_another_handshake_is_refused(changed: dict[str, str | None]) -> None:
    text = await refusal(lambda request: answer(request, **changed))
    assert text == (
        f"the answer of {URL} does not belong to this WebSocket handshake; check the proxy in between"
    )


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 101 Sw"])
async def test_an_end_in_place_of_an_answer_is_told_so(said: bytes) -> None:
    assert await refusal(lambda _: said) == (
        f"{URL} closed the connection in place of answering the WebSocket handshake; check the port, and "
        "whether the URL has to begin with wss"
    )


async def test_a_reset_in_place_of_an_answer_is_told_so() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    await theirs.aclose()
    with pytest.raises(ConnectError) as caught:
        async with connect_websocket(ours, WSS, ConnectOptions(), FACTS):
            raise AssertionError
    assert str(caught.value) == (
        f"{WSS} closed the connection in place of answering the WebSocket handshake; check the port, and "
        "whether the URL has to begin with tls"
    )
    assert isinstance(caught.value.__cause__, trio.BrokenResourceError)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 101 Sw", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
async def test_silence_is_told_so_in_time(said: bytes) -> None:
    started = trio.current_time()
    assert await refusal(lambda _: said, stay=True) == (
        f"{URL} took the connection, but did not answer the WebSocket handshake within 0.5 s; "
        "check that it is a WebSocket port"
    )
    assert trio.current_time() - started < 2


async def test_a_cancelled_handshake_closes_at_once() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    with trio.move_on_after(0.01) as scope:
        async with connect_websocket(ours, URL, ConnectOptions(), FACTS):
            raise AssertionError
    assert scope.cancelled_caught
    assert (await theirs.receive_some()).startswith(b"GET /rpc")
    assert await theirs.receive_some() == b""
