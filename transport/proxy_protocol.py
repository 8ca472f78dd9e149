"""The PROXY protocol, versions 1 and 2: a proxy's word on who is really calling, before the first byte.

    https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt

Read only from sources that the listener was told; what comes from others is no header but a broken frame. The
parser takes bytes and does no I/O. It never asks for a byte that is not the header's, so that nothing has to
be put back.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from graftwire.protocol.errors import LinkError

from .sockets import SocketLink
from .url import host_and_port

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"  # version 2
PREFIX: Final = b"PROXY "  # version 1
LARGEST_TEXT: Final = 107  # bytes of a version 1 header, its end included
LARGEST_REST: Final = (
    520  # bytes of a version 2 header after its first 16: addresses, and extensions that are skipped
)

_SHORTEST_TEXT: Final = len(b"PROXY UNKNOWN\r\n")
_FIXED: Final = 16
_TCP4: Final = 0x11
_TCP6: Final = 0x21
_UNIX: Final = 0x31
_ADDRESSES: Final = {_TCP4: 12, _TCP6: 36, _UNIX: 216}  # bytes
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,4}")


class ProxyHeaderError(LinkError):
    """What a listed source sent first is not a PROXY protocol header; one sentence, without any of it."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """What a header says.

    `source` is the caller's address as text; None: the proxy speaks for itself (a health check), or can't
    tell.
    """

    source: str | None


def missing(header: bytes) -> int:
    """How many more bytes the header that begins with `header` has at least; 0: it is complete.

    Raises ProxyHeaderError as soon as no header can begin so, or one would be too long.
    """
    if not header:
        return len(SIGNATURE)  # no header of either version is shorter
    if SIGNATURE.startswith(header[:12]):
        if len(header) < _FIXED:
            return _FIXED - len(header)
        rest = int.from_bytes(header[14:16], "big")
        if rest > LARGEST_REST:
            raise ProxyHeaderError(f"a PROXY header is longer than {_FIXED + LARGEST_REST} bytes")
        return _FIXED + rest - len(header)
    if not PREFIX.startswith(header[:6]):
        raise ProxyHeaderError(
            "a listed proxy sent no PROXY header; switch it on there, or take the proxy off the list"
        )
    if header.endswith(b"\r\n"):
        return 0
    if len(header) >= LARGEST_TEXT:
        raise ProxyHeaderError(f"a PROXY header of version 1 is longer than {LARGEST_TEXT} bytes")
    # The end is one byte away at least, two if its first byte is not there yet.
    return max(
        _SHORTEST_TEXT - len(header), 1 if header.endswith(b"\r") or len(header) == LARGEST_TEXT - 1 else 2
    )


def parse(header: bytes) -> ProxyHeader:
    """Read a complete header (see `missing`); raises ProxyHeaderError if it is malformed."""
    return _text(header) if header.startswith(PREFIX) else _binary(header)


async def read_header(link: SocketLink) -> ProxyHeader:
    """Read the header from `link`, and not a byte more; raises LinkError."""
    header = b""
    while more := missing(header):
        data = await link.receive(more)
        if not data:
            raise ProxyHeaderError(
                "a listed proxy closed the connection before its PROXY header was complete"
            )
        header += data
    return parse(header)


def _text(header: bytes) -> ProxyHeader:
    try:
        words = header[len(PREFIX) : -2].decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise _malformed() from None
    if words[0] == "UNKNOWN":
        return ProxyHeader(None)
    if len(words) != 5 or words[0] not in ("TCP4", "TCP6"):
        raise _malformed()
    kind = ipaddress.IPv4Address if words[0] == "TCP4" else ipaddress.IPv6Address
    try:
        source, _ = kind(words[1]), kind(words[2])
    except ValueError:
        raise _malformed() from None
    if not all(_NUMBER.fullmatch(port) and int(port) <= 65_535 for port in words[3:]):
        raise _malformed()
    return ProxyHeader(host_and_port(str(source), int(words[3])))


def _binary(header: bytes) -> ProxyHeader:
    command, family, rest = header[12], header[13], header[_FIXED:]
    if command == 0x20:  # LOCAL: the proxy itself
        return ProxyHeader(None)
    if command != 0x21:
        raise _malformed()
    if family == 0:  # UNSPEC
        return ProxyHeader(None)
    if len(rest) < _ADDRESSES.get(family, len(rest) + 1):
        raise _malformed()
    if family == _TCP4:
        return ProxyHeader(
            host_and_port(str(ipaddress.IPv4Address(rest[:4])), int.from_bytes(rest[8:10], "big"))
        )
    if family == _TCP6:
        return ProxyHeader(
            host_and_port(str(ipaddress.IPv6Address(rest[:16])), int.from_bytes(rest[32:34], "big"))
        )
    path = rest[:108].rstrip(b"\0").decode("ascii", "replace")
    return ProxyHeader(
        path if path and path.isascii() and path.isprintable() else "a process of the proxy's machine"
    )


def _malformed() -> ProxyHeaderError:
    return ProxyHeaderError(
        "a listed proxy sent a malformed PROXY header; check what the proxy is set to send"
    )
