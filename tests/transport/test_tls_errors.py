"""Every way in which TLS fails, over real sockets: the sentence that a user reads, at either end."""

from __future__ import annotations

import logging
import ssl
import struct
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
import trustme

from graftwire.protocol.errors import ConnectError, LinkError, TlsError
from graftwire.transport import tls_errors
from graftwire.transport.contexts import client_context, pinned, server_context
from graftwire.transport.link import ConnectOptions, Link, ListenOptions
from graftwire.transport.url import Url

Serving = Callable[..., AbstractAsyncContextManager[Url]]
Connected = Callable[..., AbstractAsyncContextManager[Link]]

NOW = datetime.now(tz=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "graftwire.transport")
    return caplog


def ends_of(log: pytest.LogCaptureFixture, url: Url) -> list[str]:
    """Why the listener's connections ended, without the port of the client."""
    told = [record.getMessage().removeprefix(f"a connection to {url} was ended: ") for record in log.records]
    return [
        " ".join("PEER" if word.startswith("127.0.0.1:") else word for word in one.split()) for one in told
    ]


def plain_server(issued: trustme.LeafCert) -> ssl.SSLContext:
    """A context that, unlike `server_context`, takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


async def refused(connected: Connected, url: Url, options: ConnectOptions) -> str:
    """The sentence of a TlsError that dialling ends with."""
    with pytest.raises(TlsError) as caught:
        async with connected(url, options):
            raise AssertionError("connected")
    return str(caught.value)


# --- certificates that don't pass ------------------------------------------------------------------------------------


async def test_an_expired_certificate(
    serving: Serving, connected: Connected, ca: trustme.CA, client_tls: ssl.SSLContext
) -> None:
    tls = plain_server(ca.issue_cert("127.0.0.1", not_before=NOW - 9 * DAY, not_after=NOW - DAY))
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=tls)) as url:
        told = await refused(connected, url, ConnectOptions(tls=client_tls))
    assert told == f"the certificate of 127.0.0.1:{url.port} has expired; it has to be renewed"


async def test_a_certificate_that_is_not_valid_yet(
    serving: Serving, connected: Connected, ca: trustme.CA, client_tls: ssl.SSLContext
) -> None:
    tls = plain_server(ca.issue_cert("127.0.0.1", not_before=NOW + DAY, not_after=NOW + 9 * DAY))
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=tls)) as url:
        told = await refused(connected, url, ConnectOptions(tls=client_tls))
    assert told == (
        f"the certificate of 127.0.0.1:{url.port} is not valid yet; check the clocks of both machines"
    )


async def test_an_authority_that_is_not_trusted(
    serving: Serving,
    connected: Connected,
    other_ca: trustme.CA,
    client_tls: ssl.SSLContext,
    log: pytest.LogCaptureFixture,
) -> None:
    tls = plain_server(other_ca.issue_cert("127.0.0.1"))
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=tls)) as url:
        told = await refused(connected, url, ConnectOptions(tls=client_tls))
        await until_logged(log)
    assert told == (
        f"the certificate of 127.0.0.1:{url.port} comes from an authority that is not trusted here; "
        "pass the authority's root as the CA"
    )
    assert ends_of(log, url) == [
        (
            "the client PEER does not accept this server's certificate; "
            "it may not trust its authority, or know the server by another name"
        )
    ]


async def until_logged(log: pytest.LogCaptureFixture) -> None:
    """Wait until the listener has said something."""
    with trio.fail_after(5):
        while not log.records:
            await trio.sleep(0.001)


async def test_a_self_signed_certificate(
    serving: Serving, connected: Connected, other_ca: trustme.CA, client_tls: ssl.SSLContext, tmp_path: Path
) -> None:
    file = tmp_path / "root.pem"
    file.write_bytes(other_ca.private_key_pem.bytes() + other_ca.cert_pem.bytes())
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_context(file))) as url:
        told = await refused(connected, url, ConnectOptions(tls=client_tls))
    assert told == (
        f"the certificate of 127.0.0.1:{url.port} is self-signed; "
        "pass it as the CA, or pin it, if it is the right one"
    )


async def test_a_certificate_for_another_host(
    serving: Serving, connected: Connected, ca: trustme.CA, client_tls: ssl.SSLContext
) -> None:
    tls = plain_server(ca.issue_cert("one.example", "10.0.0.1"))
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=tls)) as url:
        where = f"127.0.0.1:{url.port}"
        told = await refused(connected, url, ConnectOptions(tls=client_tls))
        named = await refused(connected, url, ConnectOptions(tls=client_tls, server_hostname="two.example"))
    # Before Python 3.13 a certificate that was refused can't be looked at.
    names = "one.example, 10.0.0.1" if hasattr(ssl.SSLObject, "get_unverified_chain") else "another name"
    for sentence, host in ((told, "127.0.0.1"), (named, "two.example")):
        assert sentence in {
            f"the certificate of {where} is for {shown}, not for {host}; check the host name, or the certificate"
            for shown in (names, "one.example, 10.0.0.1")
        }


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ((), "another name"),
        (("a.example",), "a.example"),
        (("a.example", "*.b.example", "::1"), "a.example, *.b.example, ::1"),
        (
            ("a.example", "b.example", "c.example", "d.example", "e.example"),
            "a.example, b.example, c.example and 2 more",
        ),
    ],
)
def test_the_names_that_a_certificate_is_for(ca: trustme.CA, names: tuple[str, ...], shown: str) -> None:
    issued = ca.issue_cert(*names, common_name="somebody")
    der = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    error = ssl.SSLCertVerificationError(1, "hunter2")
    error.verify_code = 62
    told = tls_errors.dialling(error, "host:1", "x.example", b"\x16", der)
    assert str(told) == (
        f"the certificate of host:1 is for {shown}, not for x.example; check the host name, or the certificate"
    )


@pytest.mark.parametrize("certificate", [None, b"not a certificate"])
def test_a_certificate_that_tells_no_names(certificate: bytes | None) -> None:
    error = ssl.SSLCertVerificationError(1, "hunter2")
    error.verify_code = 62
    assert str(tls_errors.dialling(error, "host:1", "x.example", b"\x16", certificate)) == (
        "the certificate of host:1 is for another name, not for x.example; check the host name, or the certificate"
    )


def test_verification_failures_that_need_more_than_two_ends() -> None:
    error = ssl.SSLCertVerificationError(1, "hunter2")
    error.verify_code = 23
    assert str(tls_errors.dialling(error, "host:1", "host", b"\x16", None)) == (
        "the certificate of host:1 was revoked; it has to be replaced"
    )
    error.verify_code, error.verify_message = 66, "EE certificate key too weak"
    assert str(tls_errors.dialling(error, "host:1", "host", b"\x16", None)) == (
        "the certificate of host:1 can't be verified (EE certificate key too weak); it has to be replaced"
    )
    error.verify_message = ""
    assert str(tls_errors.dialling(error, "host:1", "host", b"\x16", None)) == (
        "the certificate of host:1 can't be verified (no reason given); it has to be replaced"
    )


# --- client certificates ---------------------------------------------------------------------------------------------


def mutual(certificate_file: Path, ca_file: Path, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = server_context(certificate_file, client_ca=ca_file)
    context.maximum_version = version
    return context


async def first_answer(connected: Connected, url: Url, options: ConnectOptions) -> str:
    """The sentence that a client gets at once, or when it first listens: with TLS 1.3 it is through by then."""
    with pytest.raises(LinkError) as caught:
        async with connected(url, options) as link:
            await link.receive()
    assert isinstance(caught.value, TlsError)
    return str(caught.value)


async def test_a_client_certificate_that_is_missing(
    serving: Serving,
    connected: Connected,
    certificate_file: Path,
    ca_file: Path,
    client_tls: ssl.SSLContext,
    log: pytest.LogCaptureFixture,
) -> None:
    tls = mutual(certificate_file, ca_file, ssl.TLSVersion.TLSv1_3)
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=tls)) as url:
        told = await first_answer(connected, url, ConnectOptions(tls=client_tls))
        await until_logged(log)
    assert told == f"127.0.0.1:{url.port} asks for a client certificate; pass one, with its key"
    assert ends_of(log, url) == ["the client PEER showed no certificate, and one is required here"]


async def test_a_client_certificate_that_is_missing_with_tls_1_2(
    serving: Serving, connected: Connected, certificate_file: Path, ca_file: Path, client_tls: ssl.SSLContext
) -> None:
    tls = mutual(certificate_file, ca_file, ssl.TLSVersion.TLSv1_2)
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=tls)) as url:
        told = await refused(connected, url, ConnectOptions(tls=client_tls))
    assert told == (
        f"127.0.0.1:{url.port} refused the TLS handshake; "
        "it may ask for a client certificate, or share no cipher with this side"
    )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_certificate_that_is_refused(
    serving: Serving,
    connected: Connected,
    certificate_file: Path,
    ca_file: Path,
    other_ca: trustme.CA,
    tmp_path: Path,
    version: ssl.TLSVersion,
    log: pytest.LogCaptureFixture,
) -> None:
    file = tmp_path / "client.pem"
    other_ca.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(file)
    tls = mutual(certificate_file, ca_file, version)
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=tls)) as url:
        options = ConnectOptions(tls=client_context(ca=ca_file, certificate=file))
        told = await first_answer(connected, url, options)
        await until_logged(log)
    assert told == (
        f"127.0.0.1:{url.port} does not accept this side's certificate; "
        "use one that is valid and of an authority it trusts"
    )
    assert ends_of(log, url) == [
        (
            "the certificate of the client PEER comes from an authority that is not trusted here; "
            "pass the authority's root as the CA"
        )
    ]


# --- what answers a client, if it is no TLS server of ours -----------------------------------------------------------


@asynccontextmanager
async def answering(
    reply: bytes, then: Callable[[trio.SocketStream], Awaitable[None]]
) -> AsyncGenerator[Url]:
    """A port that takes the beginning of a handshake, says `reply`, and does what follows."""

    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(reply)
            await then(stream)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        with trio.fail_after(10):
            yield Url("tls", "127.0.0.1", port, "", f"tls://127.0.0.1:{port}")
        nursery.cancel_scope.cancel()


async def wait(stream: trio.SocketStream) -> None:
    """Until the client closes."""
    try:
        while await stream.receive_some():
            pass
    except trio.BrokenResourceError:
        pass


async def go(stream: trio.SocketStream) -> None:
    """Nothing: the connection is closed."""


def alert(number: int) -> bytes:
    return bytes([0x15, 3, 3, 0, 2, 2, number])


NOT_ACCEPTED = (
    "{} does not accept this side's certificate; use one that is valid and of an authority it trusts"
)
NO_CIPHER = (
    "{} refused the TLS handshake; it may ask for a client certificate, or share no cipher with this side"
)
NOT_TLS = "what answers at {} does not speak TLS; check the port"


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (alert(40), NO_CIPHER),
        (alert(42), NOT_ACCEPTED),
        (alert(43), NOT_ACCEPTED),
        (alert(44), NOT_ACCEPTED),
        (alert(45), NOT_ACCEPTED),
        (alert(46), NOT_ACCEPTED),
        (alert(48), NOT_ACCEPTED),
        (alert(49), NOT_ACCEPTED),
        (alert(70), "{} and this side share no TLS version (1.2 or 1.3 here); update one of them"),
        (alert(71), NO_CIPHER),
        (alert(80), "the TLS handshake with {} failed for a reason that TLS does not tell; see its log"),
        (alert(112), "{} has no certificate for 127.0.0.1; check the host name"),
        (alert(116), "{} asks for a client certificate; pass one, with its key"),
        (
            alert(120),
            (
                "{} speaks TLS but not Graftwire; "
                "check the port, or set ALPN graftwire/1 where TLS ends before the server"
            ),
        ),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "there is an HTTP server without TLS at {}; use ws, or another port",
        ),
        (
            b"\0\0\0\x04\x83\x0e\0\x0c",
            "there is a Graftwire server without TLS at {}; use tcp, or another port",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", NOT_TLS),
        (b"\x16\x03\x03\xff\xff" + bytes(70_000), NOT_TLS),
    ],
)
async def test_what_a_server_says_instead(connected: Connected, reply: bytes, sentence: str) -> None:
    async with answering(reply, wait) as url:
        told = await refused(connected, url, ConnectOptions(pins=frozenset({bytes(32)})))
    assert told == sentence.format(f"127.0.0.1:{url.port}")


@pytest.mark.parametrize("reply", [b"", b"\x16\x03\x03"])
async def test_a_server_that_hangs_up_in_the_handshake(connected: Connected, reply: bytes) -> None:
    async with answering(reply, go) as url:
        told = await refused(connected, url, ConnectOptions(tls=pinned(bytes(32))))
    assert told == (
        f"127.0.0.1:{url.port} closed the connection during the TLS handshake; check that it serves TLS there"
    )


async def reset(stream: trio.SocketStream) -> None:
    """Have the connection broken off when it is closed."""
    stream.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, struct.pack("ii", 1, 0))


async def test_a_server_that_breaks_off_in_the_handshake(connected: Connected) -> None:
    async with answering(b"", reset) as url:
        told = await refused(connected, url, ConnectOptions(tls=pinned(bytes(32))))
    assert told == (
        f"127.0.0.1:{url.port} closed the connection during the TLS handshake; check that it serves TLS there"
    )


async def test_a_server_that_says_nothing(connected: Connected) -> None:
    async with answering(b"", wait) as url:
        with pytest.raises(ConnectError) as caught:
            async with connected(url, ConnectOptions(tls=pinned(bytes(32)), handshake_timeout=0.05)):
                raise AssertionError("connected")
    assert str(caught.value) == (
        f"127.0.0.1:{url.port} did not finish the TLS handshake within 0.05 s; check that it serves TLS at this port"
    )


async def test_a_server_that_shares_no_alpn_name(
    connected: Connected, ca: trustme.CA, client_tls: ssl.SSLContext
) -> None:
    """With a name of its own it says so in an alert; without any it goes on, and a client must not."""
    for names in (["h2"], None):
        context = plain_server(ca.issue_cert("127.0.0.1"))
        if names is not None:
            context.set_alpn_protocols(names)
        got = bytearray()

        async def handle(stream: trio.SSLStream[trio.SocketStream]) -> None:
            with pytest.raises(trio.BrokenResourceError):
                got.extend(await stream.receive_some())
            await trio.aclose_forcefully(stream)

        listeners = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1")
        port = listeners[0].transport_listener.socket.getsockname()[1]
        url = Url("tls", "127.0.0.1", port, "", f"tls://127.0.0.1:{port}")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, handle, listeners)
            told = await refused(connected, url, ConnectOptions(tls=client_tls))
            nursery.cancel_scope.cancel()
        assert told == (
            f"127.0.0.1:{port} speaks TLS but not Graftwire; "
            "check the port, or set ALPN graftwire/1 where TLS ends before the server"
        )
        assert not got


def old_tls(context: ssl.SSLContext) -> ssl.SSLContext:
    """`context`, for TLS 1.1 at most."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


async def test_a_server_of_an_old_version(
    serving: Serving, connected: Connected, ca: trustme.CA, client_tls: ssl.SSLContext
) -> None:
    tls = old_tls(plain_server(ca.issue_cert("127.0.0.1")))
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=tls)) as url:
        told = await refused(connected, url, ConnectOptions(tls=client_tls))
    assert told == (
        f"127.0.0.1:{url.port} and this side share no TLS version (1.2 or 1.3 here); update one of them"
    )


async def test_an_old_version_is_refused_though_a_context_allows_it(
    serving: Serving, connected: Connected, ca: trustme.CA, log: pytest.LogCaptureFixture
) -> None:
    server = old_tls(plain_server(ca.issue_cert("127.0.0.1")))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(client)
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server)) as url:
        told = await refused(connected, url, ConnectOptions(tls=old_tls(client)))
        await until_logged(log)
    assert told == f"127.0.0.1:{url.port} speaks only a TLS version before 1.2, which is not safe; update it"
    assert ends_of(log, url) == ["PEER speaks only a TLS version before 1.2, which is not safe; update it"]


async def test_a_context_that_is_none_for_dialling(connected: Connected, server_tls: ssl.SSLContext) -> None:
    async with answering(b"", wait) as url:
        told = await refused(connected, url, ConnectOptions(tls=server_tls))
    assert told == f"this TLS context can't dial 127.0.0.1:{url.port}; make one as client_context does"


# --- what comes to a TLS listener ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        (
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "the client PEER does not speak TLS; it may have taken the wrong port",
        ),
        (
            b"\0\0\0\x25\x83\0\x81\1" + bytes(40),
            "the client PEER does not speak TLS; it may have taken the wrong port",
        ),
        (b"", "the client PEER left during the TLS handshake"),
        (b"\x16\x03\x01", "the client PEER left during the TLS handshake"),
    ],
)
async def test_what_a_client_sends_instead(
    serving: Serving, server_tls: ssl.SSLContext, sent: bytes, sentence: str, log: pytest.LogCaptureFixture
) -> None:
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls)) as url:
        stream = await trio.open_tcp_stream(url.host, url.port)
        async with stream:
            await stream.send_all(sent)
            await stream.send_eof()
            await until_logged(log)
    assert ends_of(log, url) == [sentence]


async def test_a_client_that_fails(
    serving: Serving, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, log: pytest.LogCaptureFixture
) -> None:
    server_tls.maximum_version = ssl.TLSVersion.TLSv1_2
    said = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        client_tls.wrap_bio(ssl.MemoryBIO(), said, server_hostname="localhost").do_handshake()
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls)) as url:
        async with await trio.open_tcp_stream(url.host, url.port) as stream:
            await stream.send_all(said.read() + alert(80))
            await until_logged(log)
    assert ends_of(log, url) == [
        "the TLS handshake with the client PEER failed for a reason that TLS does not tell"
    ]


async def test_a_client_without_tls_gets_no_answer_of_ours(
    serving: Serving, server_tls: ssl.SSLContext
) -> None:
    """At most the alert that TLS has for this: nothing that a plain client could take for an answer."""
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls)) as url:
        async with await trio.open_tcp_stream(url.host, url.port) as stream:
            await stream.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await stream.send_eof()
            got = b""
            while data := await stream.receive_some():
                got += data
    assert got == b"" or got[0] == 0x15


async def test_a_client_of_an_old_version(
    serving: Serving, server_tls: ssl.SSLContext, log: pytest.LogCaptureFixture
) -> None:
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls)) as url:
        context = old_tls(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        stream = await trio.open_ssl_over_tcp_stream(url.host, url.port, ssl_context=context)
        with pytest.raises(trio.BrokenResourceError):
            await stream.do_handshake()
        await until_logged(log)
        await trio.aclose_forcefully(stream)
    assert ends_of(log, url) == ["the client PEER speaks no TLS version that is allowed here (1.2 and 1.3)"]


async def test_a_client_that_shares_no_cipher(
    serving: Serving, server_tls: ssl.SSLContext, log: pytest.LogCaptureFixture
) -> None:
    server_tls.maximum_version = ssl.TLSVersion.TLSv1_2
    server_tls.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls)) as url:
        stream = await trio.open_ssl_over_tcp_stream(url.host, url.port, ssl_context=context)
        with pytest.raises(trio.BrokenResourceError):
            await stream.do_handshake()
        await until_logged(log)
        await trio.aclose_forcefully(stream)
    assert ends_of(log, url) == ["the client PEER shares no cipher with this server"]


async def test_a_client_that_breaks_off(
    serving: Serving, server_tls: ssl.SSLContext, log: pytest.LogCaptureFixture
) -> None:
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls)) as url:
        stream = await trio.open_tcp_stream(url.host, url.port)
        await stream.send_all(b"\x16\x03\x01\x02\x00")
        await reset(stream)
        await stream.aclose()
        await until_logged(log)
    assert ends_of(log, url) == ["PEER broke the connection off; it may have been stopped, or restarted"]


# --- an established connection ---------------------------------------------------------------------------------------


def unknown() -> ssl.SSLError:
    error = ssl.SSLError(1, "hunter2")
    error.reason = "HUNTER2"
    return error


def test_what_ends_an_established_connection() -> None:
    assert str(tls_errors.running(ssl.SSLEOFError(8, "hunter2"), "peer")) == (
        "the connection to peer ended without TLS's closing message; what was sent last may be missing"
    )
    assert (
        str(tls_errors.running(unknown(), "peer")) == "what came over TLS from peer is damaged; connect again"
    )


def test_what_is_unknown_is_said_to_be_so_and_not_repeated() -> None:
    assert str(tls_errors.dialling(unknown(), "host:1", "host", b"\x16", None)) == (
        "the TLS handshake with host:1 failed for a reason that TLS does not tell; see its log"
    )
    assert str(tls_errors.dialling(unknown(), "host:1", "host", b"hunter2", None)) == (
        "what answers at host:1 does not speak TLS; check the port"
    )
    assert str(tls_errors.listening(unknown(), "peer")) == (
        "the TLS handshake with the client peer failed for a reason that TLS does not tell"
    )
