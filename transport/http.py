"""What a WebSocket listener says to HTTP.

The request is read here with h11, within bounds, before anything of WebSocket sees a byte of it. It is either
an upgrade that holds all that RFC 6455 and spec/PROTOCOL.md ("Links") ask for, or it gets one short answer:

    GET or HEAD /healthz     200 "ok", or 503 where the listener says so; any other method there: 405
    GET or HEAD /readyz      200 "ready", or 503 while the listener says so; any other method there: 405
    a path not served        404, whatever else the request asks for
    a query, or no path      400 (a query carries credentials into logs, WS-6)
    no WebSocket upgrade     426, which names the upgrade; an upgrade with another method than GET: 405
    another version than 13  426, with the version
    an origin not listed     403 (WS-7); without an Origin header it is no browser, and that is fine
    no `graftwire.1`         400 (WS-3)
    a head over 16 KiB       431
    a head that never ends   408
    anything malformed       400

Each answer has a Content-Length and `Connection: close`, names no server, and repeats nothing of the request.
Cookies, authorization headers and the like are neither kept nor looked at.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

import h11
import trio

from .link import ListenOptions

SUBPROTOCOL: Final = "graftwire.1"
HEALTH_PATH: Final = "/healthz"  # is it alive
READY_PATH: Final = "/readyz"  # are new callers welcome
LARGEST_HEAD: Final = 16_384  # bytes of request line and headers; one with more is answered with 431
LARGEST_READ: Final = 4_096  # bytes read at a time: what a head may overshoot the bound by
ANSWER_TIME: Final = 1.0  # seconds in which an answer has to be taken and the connection ended
MOST_DISCARDED: Final = 65_536  # bytes read and dropped after an answer

_logger = logging.getLogger("graftwire.transport")

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A request that is a complete WebSocket handshake for this listener: its key, path and origin."""

    key: bytes
    path: str
    origin: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A plain answer: the status, one sentence, and the headers that only this answer has."""

    status: HTTPStatus
    sentence: str
    headers: Headers = ()
    connection: str = "close"

    def encode(self, *, head_only: bool = False) -> bytes:
        """The bytes of the whole answer, without the sentence for a HEAD request."""
        body = (self.sentence + "\n").encode("ascii")
        headers: Headers = (
            ("Date", formatdate(usegmt=True)),
            ("Connection", self.connection),
            *self.headers,
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        )
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}"]
        lines += [f"{name}: {value}" for name, value in headers]
        head = "\r\n".join([*lines, "", ""]).encode("ascii")
        return head if head_only else head + body


def _refusal(sentence: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, *headers: tuple[str, str]) -> Answer:
    return Answer(status, sentence, headers)


_OK: Final = _refusal("ok", HTTPStatus.OK)
_READY: Final = _refusal("ready", HTTPStatus.OK)
_NOT_READY: Final = _refusal("not ready", HTTPStatus.SERVICE_UNAVAILABLE)
_NOT_HEALTHY: Final = _refusal("not healthy", HTTPStatus.SERVICE_UNAVAILABLE)
_MALFORMED: Final = _refusal("This is not a well-formed HTTP/1.1 request.")
_NO_PATH: Final = _refusal("The target of a request is a path here.")
_QUERY: Final = _refusal("A query has no place here; credentials travel in frames only.")
_BODY: Final = _refusal("A WebSocket handshake has no body.")
_EARLY: Final = _refusal("Nothing may follow a WebSocket handshake before it was answered.")
_KEY: Final = _refusal("A WebSocket handshake has one Sec-WebSocket-Key of 16 bytes.")
_NOT_OURS: Final = _refusal(f"The WebSocket handshake has to offer the subprotocol {SUBPROTOCOL}.")
_ORIGIN: Final = _refusal("This origin is not listed here.", HTTPStatus.FORBIDDEN)
_NOT_FOUND: Final = _refusal("There is nothing at this path.", HTTPStatus.NOT_FOUND)
_TOO_SLOW: Final = _refusal("The request did not come in time.", HTTPStatus.REQUEST_TIMEOUT)
_TOO_LARGE: Final = _refusal(
    f"A request has a head of at most {LARGEST_HEAD} bytes here.", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
)
_GET: Final = _refusal("A WebSocket handshake is a GET.", HTTPStatus.METHOD_NOT_ALLOWED, ("Allow", "GET"))
_GET_OR_HEAD: Final = _refusal("Health is read.", HTTPStatus.METHOD_NOT_ALLOWED, ("Allow", "GET, HEAD"))
_UPGRADE: Final = Answer(
    HTTPStatus.UPGRADE_REQUIRED,
    "Only WebSocket is spoken here.",
    headers=(("Upgrade", "websocket"),),
    connection="close, Upgrade",
)
_VERSION: Final = replace(
    _UPGRADE,
    sentence="Only version 13 of WebSocket is spoken here.",
    headers=(*_UPGRADE.headers, ("Sec-WebSocket-Version", "13")),
)


async def receive_upgrade(stream: trio.abc.Stream, options: ListenOptions, path: str) -> Upgrade | None:
    """Read one request from `stream`; gives a handshake for `path`, and answers anything else (then None).

    There is no answer where nobody waits for one: the other end closed before it sent anything, broke the
    connection off, or was silent for all of `options.handshake_timeout`. `stream` stays open.
    """
    reader = _Reader(options, path)
    found: Upgrade | Answer | None = None
    with trio.move_on_after(options.handshake_timeout) as scope, suppress(trio.BrokenResourceError):
        while found is None:
            data = await stream.receive_some(LARGEST_READ)
            if data:
                found = reader.feed(data)
            elif reader.begun:
                found = _MALFORMED
            else:
                return None
    if scope.cancelled_caught and reader.begun:
        found = _TOO_SLOW
    if isinstance(found, Answer):
        await _send(stream, found.encode(head_only=reader.head_only))
        return None
    return found


class _Reader:
    """Collects a request until it can be judged."""

    def __init__(self, options: ListenOptions, path: str) -> None:
        self._options = options
        self._path = path
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)
        self.begun = False
        self.head_only = False

    def feed(self, data: bytes | bytearray) -> Upgrade | Answer | None:
        """Take the next bytes; None while the head is not complete."""
        self.begun = True
        try:
            self._http.receive_data(bytes(data))
            event = self._http.next_event()
            if not isinstance(event, h11.Request):
                return None
            self.head_only = event.method == b"HEAD"
            found = judge(event, self._options, self._path)
            if isinstance(found, Upgrade) and not isinstance(self._http.next_event(), h11.EndOfMessage):
                return _BODY
        except h11.RemoteProtocolError as error:
            large = error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            return _TOO_LARGE if large else _MALFORMED
        return _EARLY if isinstance(found, Upgrade) and self._http.trailing_data[0] else found


def judge(request: h11.Request, options: ListenOptions, path: str) -> Upgrade | Answer:
    """What `request` gets where WebSocket is served at `path`; the rules are this module's table."""
    if request.http_version not in (b"1.0", b"1.1"):
        return _MALFORMED
    if not request.target.startswith(b"/"):
        return _NO_PATH
    if b"?" in request.target:
        return _QUERY
    upgrade = _wants_websocket(request)
    if request.target == HEALTH_PATH.encode() and not upgrade:
        return _health(request.method, options.healthy, _OK, _NOT_HEALTHY)
    if request.target == READY_PATH.encode() and not upgrade:
        return _health(request.method, options.ready, _READY, _NOT_READY)
    if request.target != path.encode("ascii"):
        return _NOT_FOUND
    if not upgrade:
        return _UPGRADE
    return _GET if request.method != b"GET" else _handshake(request, options, path)


def _handshake(request: h11.Request, options: ListenOptions, path: str) -> Upgrade | Answer:
    if _values(request, b"sec-websocket-version") != [b"13"]:
        return _VERSION
    keys = _values(request, b"sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        return _KEY
    origins = [value.decode("latin-1") for value in _values(request, b"origin")]
    if len(origins) > 1 or any(origin not in options.origins for origin in origins):
        return _ORIGIN
    if SUBPROTOCOL.encode() not in _tokens(_values(request, b"sec-websocket-protocol")):
        return _NOT_OURS
    return Upgrade(keys[0], path, origins[0] if origins else None)


def _health(method: bytes, asked: Callable[[], bool], yes: Answer, no: Answer) -> Answer:
    if method not in (b"GET", b"HEAD"):
        return _GET_OR_HEAD
    try:
        return yes if asked() else no
    except Exception:  # a check that fails is not healthy; a probe must never end the listener
        _logger.exception("the health check of a listener failed")
        return no


def _wants_websocket(request: h11.Request) -> bool:
    """Whether it asks for WebSocket. An Upgrade header in HTTP/1.0 counts for nothing (RFC 9110, 7.8)."""
    return (
        request.http_version == b"1.1"
        and b"websocket" in _tokens(_values(request, b"upgrade"), lower=True)
        and b"upgrade" in _tokens(_values(request, b"connection"), lower=True)
    )


def _values(request: h11.Request, name: bytes) -> list[bytes]:
    return [value for key, value in request.headers if key == name]


def _tokens(values: Iterable[bytes], *, lower: bool = False) -> list[bytes]:
    """The members of a list that commas separate, which may be spread over several headers."""
    tokens = [token.strip() for value in values for token in value.split(b",")]
    return [token.lower() for token in tokens] if lower else tokens


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except binascii.Error:
        return False


async def _send(stream: trio.abc.Stream, data: bytes) -> None:
    """Send an answer and wait until the other end has it: within ANSWER_TIME, and raising nothing."""
    with trio.move_on_after(ANSWER_TIME), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await stream.send_all(data)
        if isinstance(stream, trio.abc.HalfCloseableStream):
            await stream.send_eof()
        # Closing with bytes unread would reset the connection, and the answer could be lost with it.
        left = MOST_DISCARDED
        while left > 0 and (unread := await stream.receive_some(LARGEST_READ)):
            left -= len(unread)
