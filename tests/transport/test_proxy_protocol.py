from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graftwire.protocol.errors import LinkError
from graftwire.transport.facts import LinkFacts
from graftwire.transport.proxy_protocol import (
    LARGEST_REST,
    SIGNATURE,
    ProxyHeader,
    ProxyHeaderError,
    missing,
    parse,
    read_header,
)
from graftwire.transport.sockets import SocketLink

MALFORMED = "a listed proxy sent a malformed PROXY header; check what the proxy is set to send"
NO_HEADER = "a listed proxy sent no PROXY header; switch it on there, or take the proxy off the list"


def binary(command: int, family: int, rest: bytes) -> bytes:
    return SIGNATURE + bytes([command, family]) + len(rest).to_bytes(2, "big") + rest


IPV4 = bytes([192, 0, 2, 1, 192, 0, 2, 2]) + (4000).to_bytes(2, "big") + (80).to_bytes(2, "big")
IPV6 = bytes.fromhex("20010db8" + "00" * 11 + "01") * 2 + (4000).to_bytes(2, "big") + (80).to_bytes(2, "big")
TLV = b"\x20\x00\x05hello"

GOOD: list[tuple[bytes, str | None]] = [
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n", "192.0.2.1:4000"),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535"),
    (b"PROXY TCP6 2001:db8::1 ::1 4000 0\r\n", "[2001:db8::1]:4000"),
    (
        b"PROXY TCP6 " + b" ".join([b"ffff:" * 7 + b"ffff"] * 2) + b" 65535 65535\r\n",
        f"[{'ffff:' * 7}ffff]:65535",
    ),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n", None),
    (binary(0x20, 0x00, b""), None),
    (binary(0x20, 0x11, IPV4), None),
    (binary(0x21, 0x00, TLV), None),
    (binary(0x21, 0x11, IPV4), "192.0.2.1:4000"),
    (binary(0x21, 0x11, IPV4 + TLV), "192.0.2.1:4000"),
    (binary(0x21, 0x21, IPV6), "[2001:db8::1]:4000"),
    (binary(0x21, 0x21, IPV6 + bytes(LARGEST_REST - 36)), "[2001:db8::1]:4000"),
    (binary(0x21, 0x31, b"/run/x".ljust(216, b"\0")), "/run/x"),
    (binary(0x21, 0x31, bytes(216)), "a process of the proxy's machine"),
    (binary(0x21, 0x31, b"\x1b[31m".ljust(216, b"\0")), "a process of the proxy's machine"),
    (binary(0x21, 0x31, b"\xff".ljust(216, b"\0")), "a process of the proxy's machine"),
]

BAD: list[tuple[bytes, str]] = [
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 4000\r\n", MALFORMED),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80 \r\n", MALFORMED),
    (b"PROXY TCP4  192.0.2.1 192.0.2.2 4000 80\r\n", MALFORMED),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 65536\r\n", MALFORMED),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 04000 80\r\n", MALFORMED),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 +1 80\r\n", MALFORMED),
    (b"PROXY TCP4 192.0.2.1 192.0.2 4000 80\r\n", MALFORMED),
    (b"PROXY TCP4 ::1 ::2 4000 80\r\n", MALFORMED),
    (b"PROXY TCP6 192.0.2.1 192.0.2.2 4000 80\r\n", MALFORMED),
    (b"PROXY UDP4 192.0.2.1 192.0.2.2 4000 80\r\n", MALFORMED),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 \xd9\xa3\r\n", MALFORMED),
    (b"PROXY TCP4 " + b"1" * 96, "a PROXY header of version 1 is longer than 107 bytes"),
    (b"PROXY TCP4 " + b"1" * 95 + b"\r", "a PROXY header of version 1 is longer than 107 bytes"),
    (binary(0x22, 0x11, IPV4), MALFORMED),
    (binary(0x11, 0x11, IPV4), MALFORMED),
    (binary(0x21, 0x11, IPV4[:-1]), MALFORMED),
    (binary(0x21, 0x12, IPV4), MALFORMED),
    (binary(0x21, 0x21, IPV4), MALFORMED),
    (binary(0x21, 0x31, bytes(215)), MALFORMED),
    (binary(0x21, 0x41, bytes(216)), MALFORMED),
    (binary(0x21, 0x11, bytes(LARGEST_REST + 1)), "a PROXY header is longer than 536 bytes"),
    (b"\0\0\0\x10" + bytes(16), NO_HEADER),
    (b"GET / HTTP/1.1\r\n\r\n", NO_HEADER),
    (b"\r\n\r\n\0\r\nQUIX\n1234", NO_HEADER),
]


@pytest.fixture
def links() -> tuple[SocketLink, SocketLink]:
    one, other = socket.socketpair()
    facts = LinkFacts("tcp", "here", "there")
    return SocketLink(one, facts), SocketLink(other, facts)


@pytest.mark.parametrize(("header", "source"), GOOD)
async def test_reads_the_header_and_not_a_byte_more(
    header: bytes, source: str | None, links: tuple[SocketLink, SocketLink]
) -> None:
    one, other = links
    await one.send(header + b"\0\0\0\1")
    assert await read_header(other) == ProxyHeader(source)
    assert await other.receive() == b"\0\0\0\1"
    one.close()
    other.close()


@pytest.mark.parametrize(("header", "source"), GOOD)
def test_asks_for_no_byte_that_is_not_the_headers(header: bytes, source: str | None) -> None:
    for end in range(len(header)):
        assert 0 < missing(header[:end]) <= len(header) - end
    assert missing(header) == 0
    assert parse(header) == ProxyHeader(source)


@pytest.mark.parametrize(("header", "sentence"), BAD)
async def test_refuses_what_is_no_header(
    header: bytes, sentence: str, links: tuple[SocketLink, SocketLink]
) -> None:
    one, other = links
    await one.send(header)
    with pytest.raises(LinkError) as caught:
        await read_header(other)
    assert str(caught.value) == sentence
    one.close()
    other.close()


@pytest.mark.parametrize("header", [b"", b"PROXY TC", SIGNATURE[:3], binary(0x21, 0x11, IPV4)[:-1]])
async def test_refuses_an_unfinished_header(header: bytes, links: tuple[SocketLink, SocketLink]) -> None:
    one, other = links
    if header:
        await one.send(header)
    await one.send_eof()
    with pytest.raises(LinkError) as caught:
        await read_header(other)
    assert str(caught.value) == ("a listed proxy closed the connection before its PROXY header was complete")
    one.close()
    other.close()


@given(
    st.binary(max_size=64)
    | st.binary(max_size=80).map(lambda tail: b"PROXY " + tail + b"\r\n")
    | st.builds(binary, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=250))
)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    taken = 0
    try:
        while more := missing(data[:taken]):
            if taken + more > len(data):
                return
            taken += more
        parse(data[:taken])
    except ProxyHeaderError:
        pass
