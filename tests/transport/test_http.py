"""What a WebSocket listener answers to HTTP, byte by byte over real sockets."""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import h11
import pytest
import trio
import trio.testing

from graftwire.transport import http
from graftwire.transport.facts import LinkFacts
from graftwire.transport.link import Link, ListenOptions
from graftwire.transport.websocket import accept_websocket

KEY = base64.b64encode(bytes(16)).decode()
HANDSHAKE = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Protocol": "graftwire.1",
}
FAST = ListenOptions(handshake_timeout=0.2)
CLOSE = b"\x88\x80\0\0\0\0"  # an empty close, masked with zeros
# Of these a listener tells nothing back.
SECRETS = ("s3cret", "echo-me")


def request(
    first: str = "GET / HTTP/1.1", headers: dict[str, str] | None = None, **changed: str | None
) -> bytes:
    """A request with the headers of a good handshake, or `headers`, but for `changed` (None: left out)."""
    fields: dict[str, str | None] = {**(HANDSHAKE if headers is None else headers)}
    fields.update({name.replace("_", "-"): value for name, value in changed.items()})
    lines = [first, *(f"{name}: {value}" for name, value in fields.items() if value is not None)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@asynccontextmanager
async def listening(options: ListenOptions = FAST, path: str = "/") -> AsyncGenerator[tuple[int, list[Link]]]:
    """A listener on loopback: its port, and the links that came about."""
    links: list[Link] = []

    async def handle(link: Link) -> None:
        links.append(link)
        assert await link.receive() == b""

    async def connection(stream: trio.SocketStream) -> None:
        await accept_websocket(stream, options, LinkFacts("ws", "here", "there", path=path), handle)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, connection, listeners)
        with trio.fail_after(10):
            yield listeners[0].socket.getsockname()[1], links
        nursery.cancel_scope.cancel()


async def exchange(port: int, *parts: bytes, goodbye: bytes = b"", finish: bool = False) -> bytes:
    """All that is answered to `parts`, and then to `goodbye`, until the listener closes."""
    answer = b""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        for part in parts:
            await stream.send_all(part)
        if goodbye:
            while b"\r\n\r\n" not in answer:
                answer += await stream.receive_some()
            await stream.send_all(goodbye)
        if finish:
            await stream.send_eof()
        while data := await stream.receive_some():
            answer += data
    return answer


def checked(answer: bytes, method: str = "GET") -> tuple[int, dict[str, str], str]:
    """Status, headers and text of an answer that is correct by h11, complete, and all that was sent."""
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(answer)
    head = reader.next_event()
    assert isinstance(head, h11.Response)
    headers = {name.decode(): value.decode() for name, value in head.headers}
    text = ""
    while isinstance(event := reader.next_event(), h11.Data):
        text += bytes(event.data).decode()
    assert isinstance(event, h11.EndOfMessage)
    assert not reader.trailing_data[0]
    assert "close" in headers["connection"]
    assert int(headers["content-length"]) == (
        len(text) if method != "HEAD" else int(headers["content-length"])
    )
    assert "server" not in headers
    assert headers["date"].endswith(" GMT")
    assert not any(secret in answer.decode().lower() for secret in SECRETS)
    return head.status_code, headers, text


async def answered(
    sent: bytes, options: ListenOptions = FAST, path: str = "/", method: str = "GET"
) -> tuple[int, dict[str, str], str]:
    """What a listener answers to `sent`; it must not become a link."""
    async with listening(options, path) as (port, links):
        answer = await exchange(port, sent)
        assert links == []
    return checked(answer, method)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize(("healthy", "status", "text"), [(True, 200, "ok\n"), (False, 503, "not healthy\n")])
async def test_health_is_told_to_any_version_of_http_1(
    version: str, healthy: bool, status: int, text: str
) -> None:
    options = ListenOptions(healthy=lambda: healthy)
    got = await answered(request(f"GET /healthz HTTP/{version}", {"Host": "x"}), options)
    assert (got[0], got[2]) == (status, text)
    got = await answered(
        request(f"GET /readyz HTTP/{version}", {"Host": "x"}), ListenOptions(ready=lambda: healthy)
    )
    assert (got[0], got[2]) == (status, "ready\n" if healthy else "not ready\n")


async def test_health_is_told_without_a_body_to_head_and_not_at_all_to_post() -> None:
    status, headers, text = await answered(request("HEAD /healthz HTTP/1.1", {"Host": "x"}), method="HEAD")
    assert (status, headers["content-length"], text) == (200, "3", "")
    status, headers, _ = await answered(request("POST /healthz HTTP/1.1", {"Host": "x"}))
    assert (status, headers["allow"]) == (405, "GET, HEAD")


async def test_a_health_check_that_fails_is_not_healthy(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> bool:
        raise RuntimeError

    with caplog.at_level(logging.ERROR, "graftwire.transport"):
        status, _, _ = await answered(
            request("GET /healthz HTTP/1.1", {"Host": "x"}), ListenOptions(healthy=broken)
        )
    assert status == 503
    assert [record.message for record in caplog.records] == ["the health check of a listener failed"]


@pytest.mark.parametrize(
    "sent",
    [
        request("GET / HTTP/1.1", {"Host": "x", "Cookie": "s3cret", "Authorization": "s3cret"}),
        request("GET / HTTP/1.0", {}),
        request("GET / HTTP/1.0"),  # an Upgrade of HTTP/1.0 counts for nothing
        request("POST / HTTP/1.1", {"Host": "x", "Content-Length": "5"}) + b"hello",
        request(Upgrade="h2c"),
        request(Connection="keep-alive"),
        request(Upgrade=None),
    ],
)
async def test_what_is_not_websocket_is_told_to_upgrade(sent: bytes) -> None:
    status, headers, text = await answered(sent)
    assert (status, text) == (426, "Only WebSocket is spoken here.\n")
    assert headers["upgrade"] == "websocket"
    assert headers["connection"] == "close, Upgrade"


async def test_head_gets_no_body() -> None:
    status, headers, text = await answered(request("HEAD / HTTP/1.1", {"Host": "x"}), method="HEAD")
    assert (status, int(headers["content-length"]) > 0, text) == (426, True, "")
    status, headers, text = await answered(request("HEAD /echo-me HTTP/1.1", {"Host": "x"}), method="HEAD")
    assert (status, int(headers["content-length"]) > 0, text) == (404, True, "")


@pytest.mark.parametrize(
    "sent", [request("GET /echo-me HTTP/1.1"), request("GET /echo-me HTTP/1.1", {"Host": "x"})]
)
async def test_an_unknown_path_is_not_found(sent: bytes) -> None:
    assert (await answered(sent))[::2] == (404, "There is nothing at this path.\n")


async def test_only_the_path_of_the_listener_is_served() -> None:
    assert (await answered(request("GET / HTTP/1.1"), path="/rpc"))[0] == 404
    assert (await answered(request("GET /healthz HTTP/1.1"), path="/rpc"))[0] == 404
    async with listening(path="/rpc") as (port, links):
        await exchange(port, request("GET /rpc HTTP/1.1"), goodbye=CLOSE)
        assert [link.facts.path for link in links] == ["/rpc"]


@pytest.mark.parametrize(
    ("first", "text"),
    [
        ("GET /?token=s3cret HTTP/1.1", "A query has no place here; credentials travel in frames only.\n"),
        ("GET /healthz?s3cret HTTP/1.1", "A query has no place here; credentials travel in frames only.\n"),
        ("GET http://echo-me/ HTTP/1.1", "The target of a request is a path here.\n"),
        ("OPTIONS * HTTP/1.1", "The target of a request is a path here.\n"),
    ],
)
async def test_a_query_or_no_path_is_refused(first: str, text: str) -> None:
    assert (await answered(request(first)))[::2] == (400, text)


@pytest.mark.parametrize(
    ("sent", "status", "text"),
    [
        (request("POST / HTTP/1.1"), 405, "A WebSocket handshake is a GET.\n"),
        (request(Sec_WebSocket_Version="8"), 426, "Only version 13 of WebSocket is spoken here.\n"),
        (request(Sec_WebSocket_Version=None), 426, "Only version 13 of WebSocket is spoken here.\n"),
        (
            request(Sec_WebSocket_Key=None),
            400,
            "A WebSocket handshake has one Sec-WebSocket-Key of 16 bytes.\n",
        ),
        (
            request(Sec_WebSocket_Key="AAAA"),
            400,
            "A WebSocket handshake has one Sec-WebSocket-Key of 16 bytes.\n",
        ),
        (
            request(Sec_WebSocket_Key="!!!"),
            400,
            "A WebSocket handshake has one Sec-WebSocket-Key of 16 bytes.\n",
        ),
        (
            request(sec_websocket_key=KEY),
            400,
            "A WebSocket handshake has one Sec-WebSocket-Key of 16 bytes.\n",
        ),
        (
            request(Sec_WebSocket_Protocol=None),
            400,
            "The WebSocket handshake has to offer the subprotocol graftwire.1.\n",
        ),
        (
            request(Sec_WebSocket_Protocol="echo-me, Graftwire.1, graftwire.2"),
            400,
            "The WebSocket handshake has to offer the subprotocol graftwire.1.\n",
        ),
        (request(Content_Length="1"), 400, "A WebSocket handshake has no body.\n"),
        (request(Transfer_Encoding="chunked"), 400, "A WebSocket handshake has no body.\n"),
        (request() + b"\x82\x80", 400, "Nothing may follow a WebSocket handshake before it was answered.\n"),
        (request() + request(), 400, "Nothing may follow a WebSocket handshake before it was answered.\n"),
        (request(Origin="https://echo-me.example"), 403, "This origin is not listed here.\n"),
        (request(Origin="null"), 403, "This origin is not listed here.\n"),
        (request(Origin="https://app.example.evil"), 403, "This origin is not listed here.\n"),
        (request(Origin="https://APP.example"), 403, "This origin is not listed here.\n"),
        (
            request(Origin="https://app.example", origin="https://app.example"),
            403,
            "This origin is not listed here.\n",
        ),
        (request(Host=None), 400, "This is not a well-formed HTTP/1.1 request.\n"),
        (request(host="twice"), 400, "This is not a well-formed HTTP/1.1 request.\n"),
        (b"echo-me\r\n\r\n", 400, "This is not a well-formed HTTP/1.1 request.\n"),
        (b"\0\0\0\1\x83", 400, "This is not a well-formed HTTP/1.1 request.\n"),
        (b"\x16\x03\x01\x02\0\x01\0\x01", 400, "This is not a well-formed HTTP/1.1 request.\n"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "This is not a well-formed HTTP/1.1 request.\n"),
        (request(Content_Length="x"), 400, "This is not a well-formed HTTP/1.1 request.\n"),
        (request().replace(b"Host:", b"Host :"), 400, "This is not a well-formed HTTP/1.1 request.\n"),
        (
            request(Cookie="s3cret" * 4_000),
            431,
            "A request has a head of at most 16384 bytes here.\n",
        ),
        (b"GET /" + b"a" * 30_000, 431, "A request has a head of at most 16384 bytes here.\n"),
    ],
)
async def test_a_bad_handshake_gets_one_sentence(sent: bytes, status: int, text: str) -> None:
    options = ListenOptions(handshake_timeout=1, origins=frozenset({"https://app.example"}))
    got = await answered(sent, options)
    assert (got[0], got[2]) == (status, text)
    if status == 426:
        assert got[1]["sec-websocket-version"] == "13"
    if status == 405:
        assert got[1]["allow"] == "GET"


@pytest.mark.parametrize(
    "sent",
    [
        request(),
        request(Upgrade="h2c, WebSocket", Connection="keep-alive, UPGRADE"),
        request(Sec_WebSocket_Protocol="other, graftwire.1"),
        request(Sec_WebSocket_Protocol="other", sec_websocket_protocol="graftwire.1"),
        request(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"),
        request(Cookie="s3cret", Authorization="Bearer s3cret", User_Agent="x", X_Custom="s3cret"),
        request(Host="xn--\xe9..", User_Agent="s3cret"),  # what no codec for names could read
        request(Origin="https://app.example"),
        request(Content_Length="0"),
    ],
)
async def test_a_good_handshake_is_accepted_with_a_closed_list_of_headers(sent: bytes) -> None:
    options = ListenOptions(origins=frozenset({"https://app.example"}))
    async with listening(options) as (port, links):
        answer = await exchange(port, *(sent[at : at + 50] for at in range(0, len(sent), 50)), goodbye=CLOSE)
    head, _, frames = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 101 Switching Protocols"
    assert sorted(line.lower() for line in lines[1:]) == [
        "connection: upgrade",
        "sec-websocket-accept: " + "ICX+Yqv66kxgM0FcWaLWlFLwTAI=".lower(),
        "sec-websocket-protocol: graftwire.1",
        "upgrade: websocket",
    ]
    assert frames == b"\x88\x00"
    assert [link.facts for link in links] == [
        LinkFacts(
            "ws", "here", "there", path="/", origin="https://app.example" if b"Origin" in sent else None
        )
    ]


async def test_a_slow_request_is_ended() -> None:
    async with listening() as (port, links):
        assert checked(await exchange(port, b"GET / HTTP/1.1\r\nHost: "))[::2] == (
            408,
            "The request did not come in time.\n",
        )
        assert await exchange(port) == b""  # who says nothing is told nothing
        assert links == []


async def test_an_end_within_a_request_is_malformed_and_one_before_it_is_nothing() -> None:
    async with listening() as (port, _):
        assert checked(await exchange(port, b"GET / HTTP/1.1\r\n", finish=True))[0] == 400
        assert await exchange(port, finish=True) == b""


async def test_an_answer_survives_what_was_sent_and_never_read() -> None:
    body = bytes(40_000)
    sent = request("POST / HTTP/1.1", {"Host": "x", "Content-Length": str(len(body))})
    async with listening() as (port, _):
        assert checked(await exchange(port, sent, body))[0] == 426


async def test_who_sends_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_TIME", 5.0)

    async def pour(stream: trio.SocketStream) -> None:
        while True:
            await stream.send_all(b"garbage\r\n\r\n" * 1_000)

    async with listening() as (port, _), await trio.open_tcp_stream("127.0.0.1", port) as stream:
        with pytest.raises(trio.BrokenResourceError):
            await pour(stream)


async def test_who_does_not_close_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_TIME", 0.05)
    async with listening() as (port, _), await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"?\r\n\r\n")
        while await stream.receive_some():
            pass


class Scripted(trio.abc.Stream):
    """A stream that gives `incoming`, and whose other end then is as `then` says."""

    def __init__(self, incoming: bytes, then: Callable[[], BaseException | None] = lambda: None) -> None:
        self.incoming = incoming
        self.then = then
        self.sent = b""
        self.closed = False
        self.send_error: BaseException | None = None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        if self.send_error is not None:
            raise self.send_error
        self.sent += data

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self.incoming and (error := self.then()) is not None:
            raise error
        data, self.incoming = self.incoming[:max_bytes], self.incoming[max_bytes or len(self.incoming) :]
        return data

    async def aclose(self) -> None:
        self.closed = True
        await trio.lowlevel.checkpoint()


async def unreachable(link: Link) -> None:
    raise AssertionError


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n"])
async def test_a_connection_that_breaks_ends_quietly(sent: bytes) -> None:
    stream = Scripted(sent, trio.BrokenResourceError)
    await accept_websocket(stream, FAST, LinkFacts("ws", "", ""), unreachable)
    assert stream.closed
    assert stream.sent == b""


@pytest.mark.parametrize("sent", [b"?\r\n\r\n", request()])
async def test_an_answer_that_nobody_takes_is_given_up(sent: bytes) -> None:
    stream = Scripted(sent)
    stream.send_error = trio.BrokenResourceError()
    await accept_websocket(stream, FAST, LinkFacts("ws", "", ""), unreachable)
    assert stream.closed


async def test_without_half_close_an_answer_is_waited_for_too() -> None:
    stream = Scripted(b"?\r\n\r\n")
    await accept_websocket(stream, FAST, LinkFacts("ws", "", ""), unreachable)
    assert checked(stream.sent)[0] == 400
    assert stream.closed


async def test_a_cancelled_reception_closes_at_once() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    with trio.move_on_after(0.01) as scope:
        await accept_websocket(ours, ListenOptions(), LinkFacts("ws", "", ""), unreachable)
    assert scope.cancelled_caught
    assert await theirs.receive_some() == b""
