"""Dialling through a proxy: HTTP CONNECT (RFC 9110, 9.3.6) and SOCKS5 (RFC 1928, RFC 1929).

Not a byte is read beyond the proxy's answer: what follows is the other end's, of TLS in most cases. Nothing of what
the proxy sent is repeated in a sentence but the number of its answer.
"""

from __future__ import annotations

import base64
import ipaddress
import socket
from dataclasses import replace
from typing import Final

import h11
import trio

from graftwire.protocol.errors import ConnectError, LinkClosed

from .dial import dial_tcp
from .http import LARGEST_HEAD
from .link import ConnectOptions
from .sockets import SocketLink, socket_facts, tune
from .url import Url, host_and_port

_HTTP: Final = b"HTTP/1."

STATUS: Final[dict[int, str]] = {
    400: "does not understand a request to connect (400); check that it is a proxy, and not a web server",
    403: "does not allow connections to {where} (403); ask who runs it",
    404: "is no proxy but a web server (404); check the port",
    405: "does not offer to connect (405); check that it is a proxy, and not a web server",
    407: "wants a user name and a password (407); give it a proxy_login",
    429: "takes no more connections just now (429); connect again later",
    501: "does not offer to connect (501); check that it is a proxy, and not a web server",
    502: "could not connect to {where} (502); check the address, and whether the server is running",
    503: "could not connect to {where} (503); check the address, and whether the server is running",
    504: "got no answer from {where} (504); check the address, and whether the server is running",
}
REPLIES: Final[dict[int, str]] = {
    1: "failed (SOCKS reply 1); ask who runs it: its log may say why",
    2: "does not allow connections to {where} (SOCKS reply 2); ask who runs it",
    3: "has no route to the network of {where} (SOCKS reply 3); check the address",
    4: "could not find or reach {where} (SOCKS reply 4); check the name and the address",
    5: "says that nobody listens at {where} (SOCKS reply 5); check the port, and whether the server is running",
    6: "got no answer from {where} (SOCKS reply 6); check the address",
    7: "does not offer to connect (SOCKS reply 7); use another proxy",
    8: "takes no address of this kind (SOCKS reply 8); try {other} in its URL, or another proxy",
}


async def dial_through(proxy: Url, url: Url, options: ConnectOptions) -> SocketLink:
    """A link of bytes to `url` through `proxy`, within `options.connect_timeout` seconds.

    Raises ConnectError; and what `options.proxy_login` raises.
    """
    login = None if options.proxy_login is None else options.proxy_login()
    with trio.move_on_after(options.connect_timeout):
        try:
            sock = await dial_tcp(proxy)
        except ConnectError as error:
            raise ConnectError(f"the proxy {proxy} can't be reached: {error}") from error
        tune(sock)
        link = SocketLink(sock, socket_facts(sock, url))
        try:
            await _Tunnel(link, proxy, url).open(login)
        except BaseException:
            link.close()
            raise
        where = host_and_port(url.host, url.port)
        link.facts = replace(link.facts, peer=where, proxied=link.facts.peer)
        link.peer = where
        return link
    raise ConnectError(
        f"the proxy {proxy} did not connect to {host_and_port(url.host, url.port)} within "
        f"{options.connect_timeout:g} s; check both addresses, and that it is a proxy of this kind"
    )


class _Tunnel:
    """The exchange with a proxy, over a link to it."""

    def __init__(self, link: SocketLink, proxy: Url, url: Url) -> None:
        self._link = link
        self._proxy = proxy
        self._where = host_and_port(url.host, url.port)
        self._host = url.host
        self._port = url.port

    async def open(self, login: tuple[str, str] | None) -> None:
        try:
            if self._proxy.scheme == "http":
                await self._connect(login)
            else:
                await self._socks(login)
        except LinkClosed as error:
            raise self._closed() from error
        except UnicodeError:
            raise ConnectError(
                "a host name, or the login of the proxy, has characters that a proxy does not take; check both"
            ) from None

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    async def _connect(self, login: tuple[str, str] | None) -> None:
        host = self._host if ":" in self._host else self._host.encode("idna").decode("ascii")
        authority = host_and_port(host, self._port)
        headers = [("Host", authority)]
        if login is not None:
            basic = base64.b64encode(":".join(login).encode("utf-8")).decode("ascii")
            headers.append(("Proxy-Authorization", f"Basic {basic}"))
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
        request = http.send(h11.Request(method="CONNECT", target=authority, headers=headers))
        await self._link.send((request or b"") + (http.send(h11.EndOfMessage()) or b""))
        try:
            event = h11.NEED_DATA
            while event is h11.NEED_DATA or isinstance(event, h11.InformationalResponse):
                http.receive_data(await self._head())
                event = http.next_event()
        except h11.RemoteProtocolError as error:
            raise self._another_protocol("HTTP/1.1") from error
        assert isinstance(event, h11.Response)
        status = event.status_code
        if status == 407 and login is not None:
            raise self._not_taken()
        if not 200 <= status < 300:
            text = STATUS.get(status, f"refuses to connect to {{where}} ({status}); ask who runs it")
            raise ConnectError(f"the proxy {self._proxy} {text.format(where=self._where)}")

    async def _head(self) -> bytes:
        """The head of an answer, byte by byte: one more would be the other end's."""
        head = b""
        while not head.endswith((b"\r\n\r\n", b"\n\n")):
            head += await self._exactly(1)
            if not head.startswith(_HTTP[: len(head)]) or len(head) > LARGEST_HEAD:
                raise self._another_protocol("HTTP/1.1")
        return head

    # --- SOCKS5 -------------------------------------------------------------------------------------------------------

    async def _socks(self, login: tuple[str, str] | None) -> None:
        await self._link.send(b"\x05\x01\x00" if login is None else b"\x05\x02\x00\x02")
        version, method = await self._exactly(2)
        if version != 5:
            raise self._another_protocol("SOCKS5")
        if method == 2 and login is not None:
            await self._log_in(login)
        elif method == 0xFF and login is None:
            raise ConnectError(
                f"the proxy {self._proxy} wants a user name and a password; give it a proxy_login"
            )
        elif method != 0:
            raise ConnectError(
                f"the proxy {self._proxy} takes neither a user name with a password nor none; use another proxy"
            )
        await self._link.send(b"\x05\x01\x00" + await self._address() + self._port.to_bytes(2, "big"))
        version, reply, _, kind = await self._exactly(4)
        if version != 5:
            raise self._another_protocol("SOCKS5")
        if reply:
            text = REPLIES.get(
                reply, f"refuses to connect to {{where}} (SOCKS reply {reply}); ask who runs it"
            )
            other = "socks5" if self._proxy.scheme == "socks5h" else "socks5h"
            raise ConnectError(f"the proxy {self._proxy} {text.format(where=self._where, other=other)}")
        sizes = {1: 4, 4: 16}
        if kind not in (1, 3, 4):
            raise self._another_protocol("SOCKS5")
        size = sizes[kind] if kind in sizes else (await self._exactly(1))[0]
        await self._exactly(size + 2)  # where the proxy's own end is: nobody needs it

    async def _log_in(self, login: tuple[str, str]) -> None:
        name, password = (part.encode("utf-8") for part in login)
        if not (0 < len(name) < 256 and 0 < len(password) < 256):
            raise ConnectError(
                "a user name and a password for SOCKS5 have 1 to 255 bytes each; change the login"
            )
        await self._link.send(bytes([1, len(name)]) + name + bytes([len(password)]) + password)
        version, status = await self._exactly(2)
        if version != 1:
            raise self._another_protocol("SOCKS5")
        if status:
            raise self._not_taken()

    async def _address(self) -> bytes:
        """The host as SOCKS5 writes it: a name only where the proxy is to resolve it."""
        host = self._host
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if self._proxy.scheme == "socks5h":
                name = host.encode("idna")
                return bytes([3, len(name)]) + name
            address = ipaddress.ip_address(await self._resolved())
        return bytes([1 if address.version == 4 else 4]) + address.packed

    async def _resolved(self) -> str:
        try:
            found = await trio.socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise ConnectError(
                f"the host name {self._host} has no address here; check its spelling, or let the proxy look for it: "
                "its URL begins with socks5h then"
            ) from error
        return str(found[0][4][0])

    # --- both ---------------------------------------------------------------------------------------------------------

    async def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = await self._link.receive(size - len(data))
            if not piece:
                raise self._closed()
            data += piece
        return data

    def _closed(self) -> ConnectError:
        return ConnectError(
            f"the proxy {self._proxy} closed the connection in place of connecting to {self._where}; check the port, "
            "and that it is a proxy of this kind"
        )

    def _not_taken(self) -> ConnectError:
        return ConnectError(
            f"the proxy {self._proxy} does not take this user name and password; check where they come from"
        )

    def _another_protocol(self, name: str) -> ConnectError:
        return ConnectError(
            f"what answers at {self._proxy} does not speak {name}; check the port, and how the URL of the proxy begins"
        )
