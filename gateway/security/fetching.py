"""A small document over HTTPS, within bounds: of time as a whole, of size, and of where it comes from.

There are no redirects, no proxies of the environment, no cookies and no credentials: the answer comes from the very
address that was configured, or not at all.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import h11
import trio

from graftwire.protocol.errors import TlsError
from graftwire.transport import tls_errors
from graftwire.transport.contexts import default_client_context
from graftwire.transport.url import host_and_port

from .errors import SecurityError

LARGEST_HEAD: Final = 16_384  # bytes of the answer's status line and headers

_HOST: Final = re.compile(r"[A-Za-z0-9._:-]+")
_TARGET: Final = re.compile(r"[\x21-\x7e]*")


class FetchError(Exception):
    """It could not be fetched; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a document is.

    `target` stands in the request line, `authority` in its header Host; `text` is for people, without the query.
    """

    secure: bool
    host: str
    port: int
    target: str
    authority: str
    text: str


def source(url: str, *, plain_loopback: bool = False) -> Source:
    """An `https` URL, taken apart; with `plain_loopback` also an `http` one of this machine itself.

    Raises SecurityError, which repeats nothing of the URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise SecurityError(
            "the URL of the key set is none; write it as in https://issuer.example/jwks"
        ) from None
    if "@" in parts.netloc:
        raise SecurityError("the URL of the key set holds a user name or password; take it out")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _HOST.fullmatch(host) or not _TARGET.fullmatch(target) or parts.fragment:
        raise SecurityError("the URL of the key set is none; write it as in https://issuer.example/jwks")
    secure = parts.scheme == "https"
    if not secure and not (plain_loopback and parts.scheme == "http" and _is_loopback(host)):
        raise SecurityError(
            "the URL of the key set has to begin with https://; without TLS, whoever is in between could put in "
            "keys of his own"
        )
    usual = 443 if secure else 80
    number = port if port is not None else usual
    authority = host_and_port(host, number).removesuffix(f":{usual}")
    return Source(secure, host, number, target, authority, f"{parts.scheme}://{authority}{parts.path or '/'}")


def checked_context(tls: ssl.SSLContext | None) -> ssl.SSLContext:
    """`tls`, if it checks certificates and host names; None: that with the public roots. Raises SecurityError."""
    context = tls if tls is not None else default_client_context()
    if context.verify_mode != ssl.CERT_REQUIRED or not context.check_hostname:
        raise SecurityError(
            "the TLS context for the key set does not check who answers; pass one of graftwire.client_context(ca=…)"
        )
    return context


async def fetch(where: Source, tls: ssl.SSLContext, *, seconds: float, largest: int) -> bytes:
    """The body of a 200 answer, at most `largest` bytes, within `seconds` for all of it. Raises FetchError.

    Cancelled: the connection is closed, and nothing goes on behind.
    """
    with trio.move_on_after(seconds):
        try:
            return await _fetch(where, tls, largest)
        except trio.BrokenResourceError as error:
            raise FetchError(_broken(error, where)) from None
        except (OSError, UnicodeError):  # the second for names that no host has
            raise FetchError("nobody answers there; check the address, and the network") from None
        except h11.RemoteProtocolError:
            raise FetchError("what answers there is no HTTP; check the address") from None
    raise FetchError(f"there was no whole answer within {seconds:g} seconds")


async def _fetch(where: Source, tls: ssl.SSLContext, largest: int) -> bytes:
    stream: trio.abc.Stream = await trio.open_tcp_stream(where.host, where.port)
    if where.secure:
        stream = trio.SSLStream(stream, tls, server_hostname=where.host, https_compatible=True)
    try:
        return await _exchange(stream, where, largest)
    finally:
        await trio.aclose_forcefully(stream)


async def _exchange(stream: trio.abc.Stream, where: Source, largest: int) -> bytes:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
    request = h11.Request(
        method="GET",
        target=where.target,
        headers=[
            ("Host", where.authority),
            ("Accept", "application/jwk-set+json, application/json"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ],
    )
    await stream.send_all(connection.send(request) + connection.send(h11.EndOfMessage()))
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some(LARGEST_HEAD)))
        elif isinstance(event, h11.Response):
            _check_status(event.status_code)
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > largest:
                raise FetchError(f"the answer is longer than {largest} bytes; check the address")
        elif isinstance(event, h11.EndOfMessage):
            return body


def _check_status(status: int) -> None:
    if 300 <= status < 400:
        raise FetchError("it answers with a redirect, which is not followed; write where that leads")
    if status != 200:
        raise FetchError(f"it answers with HTTP status {status}; check the address")


def _broken(error: trio.BrokenResourceError, where: Source) -> str:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLError):
        told: TlsError = tls_errors.dialling(
            cause, host_and_port(where.host, where.port), where.host, b"", None
        )
        return str(told)
    return "the connection was lost"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
