"""TLS over a socket: handshake, pins, ALPN, and the encrypted bytes.

The ssl module's `SSLObject` does the cryptography; this moves its bytes. trio.SSLStream does so too, but
takes several turns of the scheduler for each send, and can't send without waiting, which a session lives on.
An end without TLS's own closing message is an abnormal end: somebody in between could have cut it off.
"""

from __future__ import annotations

import contextlib
import math
import ssl
import sys
import threading
from dataclasses import replace
from typing import Final

import trio

from graftwire.protocol.errors import ConnectError, LinkClosed, LinkError, TlsError

from . import tls_errors
from .certificates import certificate_pin, public_key_pin
from .contexts import default_client_context, pinned
from .facts import LinkFacts, TlsFacts
from .link import Buffer, ConnectOptions, Link
from .reloading import ReloadingContext
from .sockets import LARGEST_READ, SocketLink
from .streams import leave
from .url import Url, host_and_port

ALPN_FRAMED: Final = "graftwire/1"  # clause LINK-3
ALPN_HTTP: Final = "http/1.1"
PIECE: Final = 65_536  # bytes that are encrypted before they are handed on, so that memory stays bounded
RECORD: Final = 16_384  # bytes that TLS decrypts at a time
CLOSING: Final = 1.0  # seconds that the closing message may wait for room

_VERSIONS: Final = ("TLSv1.2", "TLSv1.3")  # clause LINK-4
# A list of ALPN names belongs to a context, and one context may serve several threads.
_naming = threading.Lock()


class TlsLink(Link):
    """A framed link over TLS on a socket link, which it owns; WebSocket stands on one too.

    Made by `dial_tls` and `accept_tls`, which do the handshake and complete `facts`. TLS can't be half-closed
    in a way that every implementation goes along with, so `send_eof` does nothing; `finish` is for those who
    need nothing more from the other end.
    """

    def __init__(
        self,
        io: SocketLink,
        facts: LinkFacts,
        context: ssl.SSLContext,
        alpn: tuple[str, ...],
        host: str | None,
    ) -> None:
        self.io = io
        self.facts = facts
        self.first = b""  # the first bytes that came, which tell what is not TLS
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._alpn = list(alpn)
        with _naming:
            context.set_alpn_protocols(self._alpn)
            if not context.options & ssl.OP_NO_RENEGOTIATION:  # without it no write has to wait for a read
                context.options |= ssl.OP_NO_RENEGOTIATION
            self.ssl = context.wrap_bio(
                self._incoming, self._outgoing, server_side=host is None, server_hostname=host
            )
        self._rest = b""  # encrypted, not yet taken by the kernel; goes before what _outgoing holds
        self._flushing = False
        self._flushed = trio.lowlevel.ParkingLot()
        self._broken = False
        self._finished = False  # this end's closing message was sent
        self._early = b""  # decrypted before that, because it could not be afterwards
        self._arrived = 0
        self._last_arrival = -math.inf
        self._ended = False  # the other end's closing message was read
        self._failure: LinkError | None = None

    @property
    def closed(self) -> bool:
        """Whether this end has closed it."""
        return self.io.closed

    @property
    def last_arrival(self) -> float:
        """As in `Link`: when bytes came last of which nothing could be decrypted yet."""
        return self._last_arrival

    @property
    def arrived(self) -> int:
        """As in `Link`: how many encrypted bytes have come."""
        return self._arrived

    async def handshake(self) -> None:
        """The handshake, without its last bytes, which `flush` sends. Raises ssl.SSLError or LinkClosed."""
        while True:
            try:
                self._step()
            except ssl.SSLWantReadError:
                await self.flush()
                data = await self.io.receive()
                self.first = self.first or data[:8]
                self._fed(data)
            except ssl.SSLError:
                with contextlib.suppress(LinkError):
                    self._push()  # the alert that tells the other end
                raise
            else:
                return

    def _step(self) -> None:
        """As much of the handshake as can be done now. Raises ssl.SSLError."""
        if not self.ssl.server_side:
            self.ssl.do_handshake()
            return
        # A listener's OpenSSL looks for the names in the context, and only when those of the client have come: by
        # then, another handshake may have put others there.
        with _naming:
            self.ssl.context.set_alpn_protocols(self._alpn)
            self.ssl.do_handshake()

    def hold(self) -> None:
        """Keep what the handshake left to send until something else is sent.

        These are session tickets. A client that only sends would close with them unread, and so reset the
        connection before all that it sent was read.
        """
        self._rest += self._outgoing.read()

    async def send(self, data: Buffer) -> None:
        """Send all of `data`. Raises LinkError. Cancelled: some, all or none was sent; sending is over."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_sending()
        with memoryview(data) as view:
            for at in range(0, len(view), PIECE):
                self._encrypt(view[at : at + PIECE])
                if not self._push():
                    try:
                        await self.flush()
                    except trio.Cancelled:
                        self._broken = True
                        raise
        await self.io.turn()

    def send_nowait(self, data: Buffer) -> int:
        """Encrypt and hand the kernel the beginning of `data`, if it takes any; returns how many bytes.

        What the kernel leaves of them is sent as soon as there is room. Raises LinkError.
        """
        self._check_sending()
        if not self._push():
            return 0
        with memoryview(data)[:PIECE] as piece:
            self._encrypt(piece)
            taken = len(piece)
        if not self._push():
            self._flush_soon()
        return taken

    async def receive(self, most: int = LARGEST_READ) -> bytes:
        """The next bytes, at most `most`; `b""` at the orderly end. Raises LinkError."""
        await trio.lowlevel.checkpoint_if_cancelled()
        data = self._decrypted(most)
        if data is not None:
            await self.io.turn()
            return data
        while data is None:
            if self._outgoing.pending and not self._push():  # an answer to the other end's change of keys
                self._flush_soon()
            self._fed(await self.io.receive())
            data = self._decrypted(most)
            if data is None:
                self._last_arrival = trio.current_time()
        return data

    def establish(self, certificate: bytes | None, *, verified: bool, hostname_checked: bool) -> None:
        """Complete `facts` with what the handshake established."""
        cipher = self.ssl.cipher()
        tls = TlsFacts(
            version=self.ssl.version() or "",
            cipher=cipher[0] if cipher is not None else "",
            alpn=self.ssl.selected_alpn_protocol(),
            verified=verified,
            hostname_checked=hostname_checked,
            certificate=certificate,
            server_side=self.ssl.server_side,
        )
        self.facts = replace(self.facts, tls=tls)

    async def writable(self) -> None:
        """Wait until more can be sent. Raises LinkError."""
        await self.flush()
        await self.io.writable()

    async def flush(self) -> None:
        """Send what is encrypted. Raises LinkClosed. Cancelled: the rest stays, in order."""
        while self._flushing:
            await self._flushed.park()
        if self._push():
            return
        self._flushing = True
        try:
            while not self._push():
                await self.io.writable()
        finally:
            self._flushing = False
            self._flushed.unpark_all()

    async def finish(self) -> None:
        """Send the closing message, and go on receiving; more than once is no error. Raises LinkError.

        Not every implementation sends on after it, so this is for an end that needs nothing more.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if not self._finished:
            self._check_sending()
            with contextlib.suppress(LinkError):  # `receive` raises it
                self._early = self._decrypted(sys.maxsize) or b""  # OpenSSL would drop it with the next line
            self._say_last()
        await self.flush()
        await self.io.turn()

    async def aclose(self) -> None:
        """Say that this is the end, where there is room for that within a second, and close."""
        try:
            if not self.closed and not self._broken:
                with trio.move_on_after(CLOSING), contextlib.suppress(LinkError):
                    self._say_last()
                    await self.flush()
        finally:
            self.close()
        await trio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        """Nothing: the closing message of TLS is for `aclose`."""
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Close at once, without a closing message. More than once is no error."""
        self.io.close()

    def _say_last(self) -> None:
        self._finished = True
        with contextlib.suppress(ssl.SSLError):
            self.ssl.unwrap()  # writes the closing message; the other end's is not waited for

    def _push(self) -> bool:
        """Hand the kernel what is encrypted; whether it took all of it."""
        if self._outgoing.pending:
            self._rest = self._rest + self._outgoing.read() if self._rest else self._outgoing.read()
        if self._rest:
            self._rest = self._rest[self.io.send_nowait(self._rest) :]
        return not self._rest

    def _flush_soon(self) -> None:
        """Have what is left sent when there is room; rare, since the kernel's buffer is full then."""
        if not self._flushing:
            trio.lowlevel.spawn_system_task(self._flush_quietly)

    async def _flush_quietly(self) -> None:
        with contextlib.suppress(LinkError):  # whoever sends or receives next meets the same
            await self.flush()

    def _encrypt(self, data: memoryview) -> None:
        if data:
            try:
                self.ssl.write(data)
            except ssl.SSLError as error:
                raise tls_errors.running(error, self.facts.peer) from error

    def _fed(self, data: bytes) -> None:
        if data:
            self._arrived += len(data)
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _decrypted(self, most: int) -> bytes | None:
        """What can be decrypted now; None: more bytes are needed; `b""`: the orderly end."""
        if self._early:
            data, self._early = self._early[:most], self._early[most:]
            return data
        if self._failure is not None:
            raise self._failure
        if self._ended:
            return b""
        pieces: list[bytes] = []
        size = 0
        try:
            while size < most and (self._incoming.pending or self._incoming.eof or self.ssl.pending()):
                piece = self.ssl.read(min(RECORD, most - size))
                if not piece:
                    self._ended = True
                    return b"".join(pieces)
                pieces.append(piece)
                size += len(piece)
        except ssl.SSLWantReadError:
            pass
        except (
            ssl.SSLZeroReturnError
        ):  # how Python tells the orderly end where this end has said its last, too
            self._ended = True
            return b"".join(pieces)
        except ssl.SSLError as error:
            self._failure = tls_errors.running(error, self.facts.peer)
            self._failure.__cause__ = error
            if not pieces:
                raise self._failure from error
        return b"".join(pieces) if pieces else None

    def _check_sending(self) -> None:
        if self.closed:
            raise LinkClosed(f"this end has closed the connection to {self.facts.peer}")
        if self._finished:
            raise LinkClosed(f"this end has already said that it sends nothing more to {self.facts.peer}")
        if self._broken:
            raise LinkClosed(
                f"a send to {self.facts.peer} was cancelled half way, so nothing more can be sent"
            )


async def dial_tls(io: SocketLink, url: Url, options: ConnectOptions, alpn: str) -> TlsLink:
    """TLS over `io` to `url`, with everything checked before a byte of ours goes out.

    Raises TlsError, or ConnectError where the time for it runs out. `alpn` is offered; the other end must
    agree on it if it is the framed one (clause LINK-3), and may stay silent about `http/1.1`. A context that
    was handed in gets that ALPN list, whatever it had.
    """
    where = host_and_port(url.host, url.port)
    host = options.server_hostname or url.host.removesuffix(".")
    context, pins = _client_side(options)
    try:
        link = TlsLink(io, io.facts, context, (alpn,), host)
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(f"this TLS context can't dial {where}; make one as client_context does") from error
    with trio.move_on_after(options.handshake_timeout):
        await _dialled(link, where, host, pins, alpn)
        return link
    raise ConnectError(
        f"{where} did not finish the TLS handshake within {options.handshake_timeout:g} s; "
        "check that it serves TLS at this port"
    )


async def _dialled(link: TlsLink, where: str, host: str, pins: frozenset[bytes], alpn: str) -> None:
    try:
        await link.handshake()
    except ssl.SSLError as error:
        shown = tls_errors.shown_certificate(link.ssl)
        raise tls_errors.dialling(error, where, host, link.first, shown) from error
    except LinkClosed as error:
        raise tls_errors.left(where) from error
    _check_version(link, where)
    certificate = link.ssl.getpeercert(binary_form=True)
    if pins and (
        certificate is None or not pins & {certificate_pin(certificate), public_key_pin(certificate)}
    ):
        raise TlsError(
            f"the certificate of {where} is not a pinned one; if its key was changed, change the pin"
        )
    if alpn == ALPN_FRAMED and link.ssl.selected_alpn_protocol() != alpn:
        raise tls_errors.no_framing(where)
    verified = bool(pins) or (certificate is not None and link.ssl.context.verify_mode != ssl.CERT_NONE)
    link.establish(certificate, verified=verified, hostname_checked=link.ssl.context.check_hostname)
    try:
        await link.flush()  # the end of the handshake; with TLS 1.3 a client's certificate is in it
    except LinkClosed as error:
        raise tls_errors.left(where) from error


async def accept_tls(io: SocketLink, context: ssl.SSLContext, alpn: tuple[str, ...]) -> TlsLink:
    """TLS over `io` from a client. Raises LinkError; what went wrong was said to the client if TLS can.

    `alpn` are the names that may be agreed on. Whether one was is in the facts, and for the caller to judge.
    """
    link = TlsLink(io, io.facts, context, alpn, None)
    try:
        await link.handshake()
    except ssl.SSLError as error:
        await leave(io)
        raise tls_errors.listening(error, io.facts.peer) from error
    try:
        _check_version(link, io.facts.peer)
    except TlsError:
        await link.aclose()  # with the end of the handshake, so that the client sees the version, too
        raise
    certificate = link.ssl.getpeercert(binary_form=True)
    verified = certificate is not None and link.ssl.context.verify_mode != ssl.CERT_NONE
    link.establish(certificate, verified=verified, hostname_checked=False)
    if link.ssl.version() == "TLSv1.3":
        link.hold()
    else:
        await link.flush()
    return link


def _client_side(options: ConnectOptions) -> tuple[ssl.SSLContext, frozenset[bytes]]:
    """The context to dial with, and the pins that count: those of the options and those of the context."""
    if options.tls is not None:
        held = options.tls.pins if isinstance(options.tls, ReloadingContext) else frozenset[bytes]()
        return options.tls, options.pins | held
    if options.pins:
        return pinned(*options.pins), options.pins
    return default_client_context(), options.pins


def _check_version(link: TlsLink, where: str) -> None:
    if link.ssl.version() not in _VERSIONS:  # a context that was handed in may allow older ones
        raise TlsError(f"{where} speaks only a TLS version before 1.2, which is not safe; update it")
