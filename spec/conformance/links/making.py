"""How links come about: dialling an acceptor, listening for an initiator, with the faults that a case asks for."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import select
import ssl
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import h11
import trio

from ..case import Connect
from ..recording import Direction, Layer, Recorder
from ..roles import Link
from .pipes import LARGEST_READ, Gone, Pipe, SocketPipe, TlsPipe
from .wires import BareWire, Fault, FramedWire, WebSocketWire, Wire

SUBPROTOCOL: Final = "graftwire.1"
ALPN: Final = "graftwire/1"
# TLS messages and extensions, by their numbers
_CLIENT_HELLO: Final = 1
_NEW_SESSION_TICKET: Final = 4
_ALPN: Final = 16
_EARLY_DATA: Final = 42
_FRAMED_NAMES: Final = b"\x00\x0c\x0b" + ALPN.encode()
# WS-6: what the two halves of the handshake have, and nothing else.
REQUEST: Final = frozenset(
    {"host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol"}
)
ANSWER: Final = frozenset({"upgrade", "connection", "sec-websocket-accept", "sec-websocket-protocol"})
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3

MakeContext = Callable[[bool, Connect], ssl.SSLContext]


class NoLink(Exception):
    """No link came about: the target refused, or this side did. `status` is that of HTTP, where one came."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.status = status


# What is found in the TLS messages of a connection, and whether it has to offer graftwire/1.
_watched: Final[WeakKeyDictionary[ssl.SSLObject, tuple[list[Fault], bool]]] = WeakKeyDictionary()


def watched(
    under: SocketPipe, context: ssl.SSLContext, name: str | None, faults: list[Fault], *, framed: bool
) -> TlsPipe:
    """TLS on a socket, with what the target says in its handshake judged: early data, and an initiator's ALPN names.

    `name`: that of the server, for the client's end. `framed`: the target is an initiator that has to offer graftwire/1
    and no other name (LINK-3). Where Python does not show the messages of a handshake, nothing is judged.
    """
    if hasattr(context, "_msg_callback"):
        setattr(context, "_msg_callback", _on_message)  # noqa: B010 - the one way to it, and in no stub
    pipe = TlsPipe(under, context, name)
    _watched[pipe.ssl] = (faults, framed)
    return pipe


def _on_message(
    connection: ssl.SSLObject, direction: str, version: object, content: object, kind: object, data: bytes
) -> None:
    del version, content
    if direction != "read" or kind not in (_CLIENT_HELLO, _NEW_SESSION_TICKET) or connection not in _watched:
        return
    faults, framed = _watched[connection]
    hello = kind == _CLIENT_HELLO
    try:
        found = extensions_of_client_hello(data) if hello else extensions_of_ticket(data)
    except IndexError:
        return  # a ticket of TLS 1.2, or nothing that TLS takes
    if _EARLY_DATA in found:
        faults.append(Fault("LINK-4", "TLS early data is offered"))
    if framed and hello and found.get(_ALPN) != _FRAMED_NAMES:
        faults.append(Fault("LINK-3", "the ALPN names that are offered are not graftwire/1 alone"))


def extensions_of_client_hello(message: bytes) -> dict[int, bytes]:
    """The extensions of a ClientHello with its four bytes of type and length (RFC 8446, 4.1.2), by type."""
    at = 4 + 2 + 32
    at += 1 + message[at]
    at += 2 + int.from_bytes(message[at : at + 2], "big")
    at += 1 + message[at]
    return _extensions(message, at)


def extensions_of_ticket(message: bytes) -> dict[int, bytes]:
    """The extensions of a NewSessionTicket of TLS 1.3 (RFC 8446, 4.6.1), by type; that of TLS 1.2 has none."""
    at = 4 + 4 + 4
    if at >= len(message):
        return {}
    at += 1 + message[at]
    at += 2 + int.from_bytes(message[at : at + 2], "big")
    return _extensions(message, at)


def _extensions(message: bytes, at: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    end = at + 2 + int.from_bytes(message[at : at + 2], "big")
    if end != len(message):
        return found
    at += 2
    while at < end:
        kind, size = (
            int.from_bytes(message[at : at + 2], "big"),
            int.from_bytes(message[at + 2 : at + 4], "big"),
        )
        found[kind] = message[at + 4 : at + 4 + size]
        at += 4 + size
    return found


class Linked:
    """A link that came about, and what was wrong about the way in which it did."""

    def __init__(self, wire: Wire, faults: Iterable[Fault] = ()) -> None:
        self.wire = wire
        self.faults = list(faults)


# ---------------------------------------------------------------- dialling


async def dial(link: Link, url: str, how: Connect, make_context: MakeContext, recorder: Recorder) -> Linked:
    """Connect to an acceptor. Raises NoLink."""
    try:
        parts = urlsplit(url)
        if link is Link.UNIX:
            stream = await trio.open_unix_socket(parts.path)
        else:
            stream = await trio.open_tcp_stream(
                parts.hostname or "", parts.port or (443 if link.secure else 80)
            )
    except OSError as error:
        raise NoLink(f"nothing takes connections there: {_reason(error)}") from error
    except ValueError as error:  # no host, port or path that there can be
        raise NoLink("the address that the target gave is none") from error
    pipe: Pipe = SocketPipe(stream)
    try:
        if how.bare:
            return Linked(BareWire(pipe, recorder))
        faults: list[Fault] = []
        if link.secure:
            context = make_context(False, how)
            pipe = watched(pipe, context, parts.hostname or "localhost", faults, framed=False)
            await _handshake(pipe, recorder)
            selected = pipe.ssl.selected_alpn_protocol()
            if not link.websocket and ALPN in how.alpn and selected != ALPN:
                faults.append(Fault("LINK-3", "the ALPN name graftwire/1 was offered and not selected"))
        if link.websocket:
            linked = await _upgrade(pipe, parts.netloc, parts.path or "/", how, recorder)
            faults += linked.faults
            return Linked(linked.wire, faults)
        return Linked(FramedWire(pipe, recorder), faults)
    except BaseException:
        await pipe.aclose()
        raise


def _reason(error: OSError) -> str:
    """Why a connection did not come about; where trio has tried several addresses, why the first of them did not."""
    causes = getattr(error.__cause__, "exceptions", ())
    number = error.errno or next((each.errno for each in causes if isinstance(each, OSError)), None)
    return os.strerror(number).lower() if number else "unknown"


async def _handshake(pipe: TlsPipe, recorder: Recorder) -> None:
    try:
        await pipe.handshake()
    except Gone as gone:
        raise NoLink(f"no TLS came about: {gone.why}") from gone
    except ssl.SSLError as error:
        raise NoLink(f"no TLS came about: {error.reason or 'unknown'}") from error
    recorder.note(Direction.RUNNER, f"{pipe.ssl.version()}, ALPN {pipe.ssl.selected_alpn_protocol()}")


async def _upgrade(pipe: Pipe, host: str, path: str, how: Connect, recorder: Recorder) -> Linked:
    key = base64.b64encode(os.urandom(16))
    lines = [
        ("Host", host),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key.decode()),
        ("Sec-WebSocket-Version", "13"),
    ]
    if how.subprotocols:
        lines.append(("Sec-WebSocket-Protocol", ", ".join(how.subprotocols)))
    if how.extensions is not None:
        lines.append(("Sec-WebSocket-Extensions", how.extensions))
    if how.origin is not None:
        lines.append(("Origin", how.origin))
    lines += how.headers
    target = path if how.path == "/" else how.path
    text = f"GET {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n"
    if how.request:
        text = how.request.format(host=host, key=key.decode())
    recorder.bytes(Direction.RUNNER, Layer.LINK, text.encode("latin-1"))
    http = h11.Connection(h11.CLIENT)
    # What h11 has to know of the request to read its answer; these bytes are not sent.
    http.send(h11.Request(method="GET", target="/", headers=[("Host", "-"), ("Upgrade", "websocket")]))
    http.send(h11.EndOfMessage())
    try:
        await pipe.send(text.encode("latin-1"))
        answer = await _next(http, pipe, recorder)
    except Gone as gone:
        raise NoLink(f"no answer to the WebSocket handshake: {gone.why}") from gone
    except h11.RemoteProtocolError as error:
        raise NoLink("the answer to the WebSocket handshake is no HTTP") from error
    if not isinstance(answer, h11.InformationalResponse) or answer.status_code != 101:
        status = answer.status_code if isinstance(answer, h11.Response | h11.InformationalResponse) else None
        raise NoLink(f"the WebSocket handshake was answered with status {status}", status)
    rest = http.trailing_data[0]
    return Linked(WebSocketWire(pipe, recorder, client=True, rest=rest), _faults_of_answer(answer, key, how))


async def _next(http: h11.Connection, pipe: Pipe, recorder: Recorder) -> h11.Event | None:
    """The next event of HTTP. Raises Gone, h11.RemoteProtocolError."""
    while True:
        event = http.next_event()
        if event is not h11.NEED_DATA:
            return event if not isinstance(event, type) else None
        data = await pipe.receive()
        recorder.bytes(Direction.TARGET, Layer.LINK, data)
        http.receive_data(data)


def _faults_of_answer(answer: h11.InformationalResponse, key: bytes, how: Connect) -> list[Fault]:
    found = {name.decode(): value.decode("latin-1") for name, value in answer.headers}
    faults: list[Fault] = []
    accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()
    if found.get("sec-websocket-accept") != accept:
        faults.append(Fault("WS-8", "Sec-WebSocket-Accept does not belong to the key"))
    if SUBPROTOCOL in how.subprotocols and found.get("sec-websocket-protocol") != SUBPROTOCOL:
        faults.append(Fault("WS-3", "the subprotocol graftwire.1 was not selected"))
    if "sec-websocket-extensions" in found:
        faults.append(Fault("WS-4", "an extension was selected"))
    others = sorted(set(found) - ANSWER - {"sec-websocket-extensions"})
    if others:
        faults.append(Fault("WS-6", f"the answer has other headers: {', '.join(others)}"))
    return faults


# ---------------------------------------------------------------- listening


class Listening:
    """A place for one initiator to dial, for one case. `url` is what it is told."""

    def __init__(
        self,
        listener: trio.SocketListener,
        link: Link,
        url: str,
        how: Connect,
        make_context: MakeContext,
        recorder: Recorder,
    ) -> None:
        self._listener = listener
        self._link = link
        self._how = how
        self._make_context = make_context
        self._recorder = recorder
        self.url = url
        self.dialled = False  # a connection was made, and taken here

    @property
    def waits(self) -> bool:
        """Whether a connection was made that is not taken here yet."""
        poll = select.poll()  # select.select would refuse the numbers of many open files
        poll.register(self._listener.socket.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    async def accept(self) -> Linked:
        """Take the next connection and shake hands. Raises NoLink."""
        pipe: Pipe = SocketPipe(await self._listener.accept())
        self.dialled = True
        how = self._how
        try:
            if how.bare:
                return Linked(BareWire(pipe, self._recorder))
            faults: list[Fault] = []
            if self._link.secure:
                context = self._make_context(True, how)
                pipe = watched(pipe, context, None, faults, framed=not self._link.websocket)
                await _handshake(pipe, self._recorder)
            if self._link.websocket:
                wire = await self._answer(pipe, faults)
                return Linked(wire, faults)
            return Linked(FramedWire(pipe, self._recorder), faults)
        except BaseException:
            await pipe.aclose()
            raise

    async def _answer(self, pipe: Pipe, faults: list[Fault]) -> Wire:
        http = h11.Connection(h11.SERVER)
        recorder, how = self._recorder, self._how
        try:
            request = await _next(http, pipe, recorder)
        except (Gone, h11.RemoteProtocolError) as error:
            raise NoLink("what the initiator sent is no WebSocket handshake") from error
        if not isinstance(request, h11.Request):
            raise NoLink("the initiator closed before it had sent a WebSocket handshake")
        headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
        faults += _faults_of_request(request, headers, how)
        key = headers.get("sec-websocket-key", "").encode()
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()
        accept = how.accept or accept
        lines = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]
        if how.subprotocols:
            lines.append(("Sec-WebSocket-Protocol", how.subprotocols[0]))
        if how.extensions is not None:
            lines.append(("Sec-WebSocket-Extensions", how.extensions))
        lines += how.headers
        if how.status != 101:
            lines = [("Content-Length", "0"), *how.headers]
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        text = (how.answer or f"HTTP/1.1 {how.status} -\r\n{head}\r\n").encode("latin-1")
        recorder.bytes(Direction.RUNNER, Layer.LINK, text)
        with contextlib.suppress(Gone):
            await pipe.send(text)
        if how.answer:
            return BareWire(pipe, recorder)
        if how.status != 101:
            raise NoLink(f"the case answers the handshake with status {how.status}", how.status)
        if http.trailing_data[0]:
            faults.append(Fault("WS-8", "bytes came before the answer to the handshake"))
        return WebSocketWire(pipe, recorder, client=False, rest=http.trailing_data[0])


def _faults_of_request(request: h11.Request, headers: dict[str, str], how: Connect) -> list[Fault]:
    faults: list[Fault] = []
    if headers.get("sec-websocket-protocol") != SUBPROTOCOL:
        faults.append(Fault("WS-3", "the subprotocol graftwire.1 was not offered, or not alone"))
    missing = sorted(REQUEST - set(headers))
    others = sorted(set(headers) - REQUEST - {"origin", "sec-websocket-extensions"})
    if missing:
        faults.append(Fault("WS-6", f"the request lacks headers: {', '.join(missing)}"))
    if others:
        faults.append(Fault("WS-6", f"the request has other headers: {', '.join(others)}"))
    if b"?" in request.target:
        faults.append(Fault("WS-6", "the request has a query"))
    elif request.target != how.path.encode():
        faults.append(Fault("LINK-8", "the path of the request is not that of the URL"))
    if headers.get("origin") != how.origin:
        faults.append(Fault("WS-6", "the Origin is not what the user has said, which may be none"))
    return faults


@asynccontextmanager
async def listen(
    link: Link, directory: str, how: Connect, make_context: MakeContext, recorder: Recorder
) -> AsyncGenerator[Listening]:
    """A place to dial for as long as the block runs; `directory` is where sockets may be made."""
    if link is Link.UNIX:
        path = os.path.join(directory, f"{os.urandom(6).hex()}.s")
        sock = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
        await sock.bind(path)
        url = f"unix:{path}"
    else:
        path = None
        sock = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_STREAM)
        await sock.bind(("127.0.0.1", 0))
        host = "localhost" if link.secure else "127.0.0.1"
        url = f"{link}://{host}:{sock.getsockname()[1]}" + ("/" if link.websocket else "")
    sock.listen(8)
    listener = trio.SocketListener(sock)
    try:
        yield Listening(listener, link, url, how, make_context, recorder)
    finally:
        with trio.CancelScope(shield=True):
            await listener.aclose()
        if path is not None:
            with contextlib.suppress(OSError):
                os.unlink(path)


__all__ = ["ANSWER", "LARGEST_READ", "REQUEST", "Linked", "Listening", "NoLink", "dial", "listen"]
