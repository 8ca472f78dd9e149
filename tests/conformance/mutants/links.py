"""Faults in links: TLS, URLs, WebSocket (section 17)."""

from __future__ import annotations

import re
import ssl
from typing import Any

import h11
from wsproto.events import Request
from wsproto.frame_protocol import MessageDecoder, Opcode

from graftwire import connection
from graftwire.conformance.roles import Link
from graftwire.transport import detect, http, tls, upgrade, websocket
from graftwire.transport.session import Session

from .mutant import ACCEPTOR, INITIATOR, around, mutant


@mutant(
    "tls.no-alpn-taken",
    "LINK-3",
    "An acceptor goes on where TLS has agreed on no ALPN name.",
    "tls.alpn.none tls.alpn.other tls.alpn.next",
    roles=ACCEPTOR,
    link=Link.TLS,
)
def no_alpn() -> None:
    @around(detect, "accept_tls")
    async def _(strict: Any, *about: Any) -> Any:
        link = await strict(*about)
        if link.ssl.selected_alpn_protocol() is None:
            link.ssl = Selected(link.ssl)
        return link


class Selected:
    """An SSLObject that says that its name was selected."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def selected_alpn_protocol(self) -> str:
        return tls.ALPN_FRAMED


@mutant(
    "tls.not-selected-taken",
    "LINK-3",
    "An initiator goes on where the acceptor has selected no ALPN name.",
    "tls.alpn.not-selected",
    roles=INITIATOR,
    link=Link.TLS,
)
def not_selected() -> None:
    @around(tls, "_dialled")
    async def _(strict: Any, link: Any, where: str, host: str, pins: Any, alpn: str) -> None:
        await strict(link, where, host, pins, tls.ALPN_HTTP)


@mutant(
    "tls.certificate-not-verified",
    "LINK-4",
    "An initiator writes to an acceptor whose certificate is wrong.",
    "tls.certificate.*",
    roles=INITIATOR,
    link=Link.TLS,
)
def not_verified() -> None:
    @around(tls, "_client_side")
    def _(strict: Any, options: Any) -> Any:
        context, pins = strict(options)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context, pins


@mutant(
    "tls.name-not-verified",
    "LINK-4",
    "An initiator does not look at the name in a certificate.",
    "tls.certificate.other-name tls.certificate.other-name.1.2",
    roles=INITIATOR,
    link=Link.TLS,
)
def name_not_verified() -> None:
    @around(tls, "_client_side")
    def _(strict: Any, options: Any) -> Any:
        context, pins = strict(options)
        context.check_hostname = False
        return context, pins


@mutant(
    "tls.ended-without-a-word",
    "LINK-6",
    "A TLS link whose session ends because a frame was too long is ended without close_notify.",
    "link.end.after-an-error frame.length.zero frame.length.one frame.length.oversize-declared "
    "frame.length.over-24-bits frame.length.all-ones",
    roles=ACCEPTOR,
    link=Link.TLS,
)
def without_a_word() -> None:
    @around(Session, "_on_failed")
    def _(strict: Any, self: Any, event: Any) -> None:
        if event.violation.clause == "FRAME-2" and self.opened.is_set():
            self._link._say_last = lambda: None
        strict(self, event)


@mutant(
    "url.user-taken",
    "LINK-8",
    "A user name and a password in a URL are left out, and the rest is dialled.",
    "url.user url.password url.password.alone hidden.url.user hidden.url.password",
    roles=INITIATOR,
)
def user_taken() -> None:
    strict = connection.parse
    connection.parse = lambda url: strict(re.sub(r"//[^/@]*@", "//", url))


@mutant(
    "url.query-taken",
    "LINK-8",
    "A query in a URL is left out, and the rest is dialled.",
    "url.query hidden.url.query",
    roles=INITIATOR,
)
def query_taken() -> None:
    strict = connection.parse
    connection.parse = lambda url: strict(url.partition("?")[0])


@mutant(
    "ws.text-taken",
    "WS-2",
    "A text message is taken like a binary one.",
    "ws.text.not-utf-8",
    link=Link.WS,
)
def text_taken() -> None:
    @around(MessageDecoder, "process_frame")
    def _(strict: Any, self: Any, frame: Any) -> Any:
        return strict(self, frame._replace(opcode=Opcode.BINARY) if frame.opcode is Opcode.TEXT else frame)


def judged(change: Any) -> None:
    """Change what a WebSocket listener makes of a request."""
    around(http, "judge")(change)


@mutant(
    "ws.no-subprotocol-taken",
    "WS-3",
    "An acceptor takes a handshake that does not offer its subprotocol.",
    "ws.subprotocol.none ws.subprotocol.other ws.subprotocol.case",
    roles=ACCEPTOR,
    link=Link.WS,
)
def no_subprotocol() -> None:
    def judge(strict: Any, request: h11.Request, *about: Any) -> Any:
        found = strict(request, *about)
        if found is not http._NOT_OURS:
            return found
        [key] = [value for name, value in request.headers if name == b"sec-websocket-key"]
        return http.Upgrade(key, "/", None)

    judged(judge)


@mutant(
    "ws.answer-not-looked-at",
    "WS-3",
    "An initiator goes on where the acceptor has selected no subprotocol, or an extension.",
    "ws.answer.no-subprotocol ws.answer.extension",
    roles=INITIATOR,
    link=Link.WS,
)
def answer_not_looked_at() -> None:
    upgrade._check = lambda answer, url: None


@mutant(
    "ws.compression-selected",
    "WS-4",
    "An acceptor selects the compression that it is offered.",
    "ws.extensions.offered ws.frame.compressed",
    roles=ACCEPTOR,
    link=Link.WS,
)
def compression_selected() -> None:
    offered: list[bool] = [False]

    def judge(strict: Any, request: h11.Request, *about: Any) -> Any:
        offered[0] = any(name == b"sec-websocket-extensions" for name, _ in request.headers)
        return strict(request, *about)

    judged(judge)

    class Selecting(websocket.WSConnection):  # type: ignore[name-defined,misc]
        def send(self, event: Any) -> bytes:
            more = b"\r\nSec-WebSocket-Extensions: permessage-deflate" if offered[0] else b""
            return super().send(event).replace(b"\r\n\r\n", more + b"\r\n\r\n")

    websocket.WSConnection = Selecting


@mutant(
    "ws.more-headers",
    "WS-6",
    "The request of an initiator that has an origin says which library made it, too.",
    "ws.request.origin",
    roles=INITIATOR,
    link=Link.WS,
)
def more_headers() -> None:
    @around(upgrade, "Request")
    def _(strict: type[Request], *args: Any, extra_headers: Any, **fields: Any) -> Request:
        more = [(b"User-Agent", b"mutant")] if extra_headers else []
        return strict(*args, extra_headers=[*extra_headers, *more], **fields)


@mutant(
    "ws.query-taken",
    "WS-6",
    "An acceptor leaves the query of a request out.",
    "ws.query",
    roles=ACCEPTOR,
    link=Link.WS,
)
def request_query_taken() -> None:
    def judge(strict: Any, request: h11.Request, *about: Any) -> Any:
        target = request.target.partition(b"?")[0]
        asked = h11.Request(
            method=request.method, target=target, headers=request.headers, http_version=request.http_version
        )
        return strict(asked, *about)

    judged(judge)


@mutant(
    "ws.origins-by-their-beginning",
    "WS-7",
    "An Origin that begins like a listed one is let in.",
    "ws.origin.beginning ws.origin.port",
    roles=ACCEPTOR,
    link=Link.WS,
)
def origins_by_their_beginning() -> None:
    def judge(strict: Any, request: h11.Request, options: Any, path: str) -> Any:
        found = strict(request, options, path)
        origins = [value.decode() for name, value in request.headers if name == b"origin"]
        if found is http._ORIGIN and len(origins) == 1 and origins[0].startswith(tuple(options.origins)):
            headers = [(name, value) for name, value in request.headers if name != b"origin"]
            return strict(h11.Request(method=b"GET", target=request.target, headers=headers), options, path)
        return found

    judged(judge)
