"""The dialling side's half of the WebSocket handshake.

Everything that can be found at the other end in place of a Graftwire listener gets a sentence of its own.
Nothing of what the other end sent is repeated in it but the status code.
"""

from __future__ import annotations

from typing import Final

import h11
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection
from wsproto.events import Request
from wsproto.utilities import RemoteProtocolError

from graftwire.protocol.errors import ConnectError

from .http import LARGEST_HEAD, LARGEST_READ, SUBPROTOCOL
from .link import ConnectOptions
from .url import DEFAULT_PORTS, Url, host_and_port

REFUSED: Final[dict[int, str]] = {
    400: "refuses the WebSocket handshake (400); check that it is a Graftwire server of this version",
    401: "wants credentials in HTTP (401), which are never sent; let the proxy in front pass this path",
    403: "refuses the handshake's origin (403); let the server list it",
    404: "has nothing at this path (404); check the path of the URL",
    407: "wants credentials in HTTP (407), which are never sent; let the proxy in front pass this path",
    408: "did not get the whole WebSocket handshake in time (408); check the network in between",
    426: "does not take the WebSocket handshake (426); check that a proxy in between lets it pass",
    429: "takes no more connections just now (429); connect again later",
}

_HTTP: Final = b"HTTP/1."
_NEEDED: Final = (b"upgrade", b"connection", b"sec-websocket-accept", b"sec-websocket-protocol")


async def upgrade(stream: trio.abc.Stream, url: Url, options: ConnectOptions) -> Connection:
    """Shake hands over `stream`; gives the WebSocket, with what has already come behind the handshake.

    Raises ConnectError, within `options.handshake_timeout`. `stream` stays open.
    """
    with trio.move_on_after(options.handshake_timeout):
        try:
            return await _exchange(stream, url, options)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise _closed(url) from error
        except h11.RemoteProtocolError as error:
            raise _not_http(url) from error
        except RemoteProtocolError as error:
            raise ConnectError(
                f"the answer of {url} does not belong to this WebSocket handshake; check the proxy in between"
            ) from error
    raise ConnectError(
        f"{url} took the connection, but did not answer the WebSocket handshake within "
        f"{options.handshake_timeout:g} s; check that it is a WebSocket port"
    )


async def _exchange(stream: trio.abc.Stream, url: Url, options: ConnectOptions) -> Connection:
    protocol = WSConnection(ConnectionType.CLIENT)
    await stream.send_all(_request(protocol, url, options))
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
    # What h11 has to know of the request to read its answer; these bytes are not sent.
    http.send(h11.Request(method="GET", target="/", headers=[("Host", "-"), ("Upgrade", "websocket")]))
    http.send(h11.EndOfMessage())
    begun = b""
    while True:
        data = await stream.receive_some(LARGEST_READ)
        if not data:
            raise _closed(url)
        begun += data[: len(_HTTP) - len(begun)]
        if not _HTTP.startswith(begun):  # h11 would wait for the end of a head, which SSH never sends
            raise _not_http(url)
        http.receive_data(bytes(data))
        event = http.next_event()
        while isinstance(event, h11.InformationalResponse) and event.status_code != 101:
            event = http.next_event()
        if isinstance(event, h11.Response):
            raise _refused(url, event.status_code)
        if isinstance(event, h11.InformationalResponse):
            _check(event, url)
            lines = [name + b": " + value for name, value in event.headers if name in _NEEDED]
            head = b"\r\n".join([b"HTTP/1.1 101 ", *lines, b"", b""])
            protocol.receive_data(head + http.trailing_data[0])
            assert protocol.connection is not None  # or it would have been refused
            return protocol.connection


def _request(protocol: WSConnection, url: Url, options: ConnectOptions) -> bytes:
    """The bytes of the handshake: host, path, key, version, subprotocol, an origin if one is set, no more."""
    host = host_and_port(url.host, url.port)
    if url.port == DEFAULT_PORTS.get(url.scheme):
        host = host.rpartition(":")[0]
    try:
        origin = [] if options.origin is None else [(b"Origin", options.origin.encode("ascii"))]
        return protocol.send(Request(host, url.path, subprotocols=[SUBPROTOCOL], extra_headers=origin))
    except (UnicodeError, h11.LocalProtocolError) as error:
        raise ConnectError(
            f"the host of {url}, or the origin set for it, can't be written in an HTTP request; check both"
        ) from error


def _check(answer: h11.InformationalResponse, url: Url) -> None:
    """Refuse an answer that is not ours, before wsproto checks that it fits the request."""
    chosen = [value for name, value in answer.headers if name == b"sec-websocket-protocol"]
    if not chosen:
        raise ConnectError(
            f"{url} speaks WebSocket, but not {SUBPROTOCOL} on it; check that it is a Graftwire server"
        )
    if chosen != [SUBPROTOCOL.encode()]:
        raise ConnectError(
            f"{url} speaks another WebSocket subprotocol than {SUBPROTOCOL}; check that it is a Graftwire "
            "server"
        )
    if any(name == b"sec-websocket-extensions" for name, _ in answer.headers):
        raise ConnectError(
            f"{url} switched on a WebSocket extension that nobody asked for; check the proxy in between"
        )


def _refused(url: Url, status: int) -> ConnectError:
    if 300 <= status < 400:
        text = f"sends its callers elsewhere ({status}), which is not followed; use the URL that is meant"
    elif status >= 500:
        text = f"is a web server that can't serve this just now ({status}); check the server behind it"
    else:
        text = f"is a web server that does not switch to WebSocket ({status}); check the port and the path"
    return ConnectError(f"{url} {REFUSED.get(status, text)}")


def _not_http(url: Url) -> ConnectError:
    return ConnectError(
        f"what answers at {url} does not speak HTTP/1.1; check the port, and {_scheme_advice(url)}"
    )


def _closed(url: Url) -> ConnectError:
    return ConnectError(
        f"{url} closed the connection in place of answering the WebSocket handshake; check the port, and "
        + _scheme_advice(url)
    )


def _scheme_advice(url: Url) -> str:
    # of wss, TLS has been agreed on by now: it is not that
    return f"whether the URL has to begin with {'tls' if url.scheme == 'wss' else 'wss'}"
