"""TLS contexts: what each helper trusts, shown by real handshakes, and what it says of files that are no good."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import ssl
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import pytest
import trio
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from graftwire.protocol.errors import TlsError
from graftwire.transport import contexts
from graftwire.transport.contexts import client_context, default_client_context, pin, pinned, server_context
from graftwire.transport.facts import TlsFacts
from graftwire.transport.link import ConnectOptions, Link, ListenOptions
from graftwire.transport.url import Url

Serving = Callable[..., AbstractAsyncContextManager[Url]]
Connected = Callable[..., AbstractAsyncContextManager[Link]]

NOW = datetime.now(tz=UTC)
DAY = timedelta(days=1)


async def talked(connected: Connected, url: Url, options: ConnectOptions) -> TlsFacts:
    """The facts of a link over which bytes went both ways."""
    async with connected(url, options) as link:
        await link.send(b"x")
        assert await link.receive() == b"x"
        assert link.facts.tls is not None
        return link.facts.tls


async def refused(connected: Connected, url: Url, options: ConnectOptions) -> str:
    with pytest.raises(TlsError) as caught:
        async with connected(url, options):
            raise AssertionError("connected")
    return str(caught.value)


@pytest.fixture
def der(certificate_file: Path) -> bytes:
    """The certificate of the listener."""
    return x509.load_pem_x509_certificate(certificate_file.read_bytes()).public_bytes(Encoding.DER)


def key_digest(certificate: bytes) -> bytes:
    key = x509.load_der_x509_certificate(certificate).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


# --- what every context has ------------------------------------------------------------------------------------------


def test_every_context_is_strict(certificate_file: Path, ca_file: Path) -> None:
    made = [
        client_context(),
        client_context(ca=ca_file),
        client_context(system=True),
        pinned(bytes(32)),
        server_context(certificate_file),
        server_context(certificate_file, client_ca=ca_file),
    ]
    for context in made:
        assert isinstance(context, ssl.SSLContext)
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.maximum_version is ssl.TLSVersion.MAXIMUM_SUPPORTED
        assert context.options & ssl.OP_NO_COMPRESSION
        assert context.options & ssl.OP_NO_RENEGOTIATION
    for context in made[:3]:
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
async def test_both_versions_of_tls_are_spoken_and_the_name_of_the_framing_is_agreed_on(
    serving: Serving,
    connected: Connected,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
    der: bytes,
    version: str,
) -> None:
    server_tls.maximum_version = ssl.TLSVersion.TLSv1_2 if version == "TLSv1.2" else ssl.TLSVersion.TLSv1_3
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls)) as url:
        facts = await talked(connected, url, ConnectOptions(tls=client_tls))
    assert (facts.version, facts.alpn) == (version, "graftwire/1")
    assert facts.verified
    assert facts.hostname_checked
    assert facts.certificate == der
    assert not facts.server_side
    assert facts.cipher


# --- whom a client trusts --------------------------------------------------------------------------------------------


def test_the_public_roots_are_those_of_certifi() -> None:
    roots = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    roots.load_verify_locations(certifi.where())
    assert client_context().get_ca_certs() == roots.get_ca_certs()
    assert default_client_context() is default_client_context()
    assert default_client_context().cert_store_stats() == client_context().cert_store_stats()


async def test_a_private_authority_is_not_trusted_unless_it_is_passed(
    serving: Serving, connected: Connected, server_tls: ssl.SSLContext
) -> None:
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls)) as url:
        for options in (ConnectOptions(), ConnectOptions(tls=client_context(system=True))):
            told = await refused(connected, url, options)
            assert "not trusted" in told


async def test_a_private_authority_in_every_form(
    serving: Serving,
    connected: Connected,
    server_tls: ssl.SSLContext,
    ca: trustme.CA,
    other_ca: trustme.CA,
    ca_file: Path,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "roots"
    (folder / "nested").mkdir(parents=True)
    ca.cert_pem.write_to_path(folder / "b.pem")
    other_ca.cert_pem.write_to_path(folder / "a.pem")
    pem = ca.cert_pem.bytes()
    forms = [ca_file, str(ca_file), folder, pem, ssl.PEM_cert_to_DER_cert(pem.decode())]
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls)) as url:
        for form in forms:
            facts = await talked(connected, url, ConnectOptions(tls=client_context(ca=form)))
            assert facts.verified


def test_the_system_decides_where_it_is_asked_to() -> None:
    import truststore

    assert isinstance(client_context(system=True)._current, truststore.SSLContext)  # type: ignore[attr-defined]


async def test_the_roots_of_the_system_are_those_of_the_environment(
    serving: Serving,
    connected: Connected,
    server_tls: ssl.SSLContext,
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if sys.platform in ("darwin", "win32"):  # there the roots are in a store that a test must not write to
        assert client_context(system=True).verify_mode is ssl.CERT_REQUIRED
        return
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))  # where OpenSSL, and so truststore on Linux, finds them
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls)) as url:
        facts = await talked(connected, url, ConnectOptions(tls=client_context(system=True)))
    assert facts.verified


def test_the_system_without_the_package_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "truststore", None)
    with pytest.raises(TlsError) as caught:
        client_context(system=True)
    assert str(caught.value) == (
        "the roots of the operating system need the package truststore; install graftwire[system-trust]"
    )


async def test_a_context_that_does_not_check_says_so_in_the_facts(
    serving: Serving, connected: Connected, server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    any_name = ssl.create_default_context(cafile=ca_file)
    any_name.check_hostname = False
    ours = client_context(ca=ca_file)
    ours.check_hostname = False
    options = ListenOptions(tls=server_tls)
    async with serving("tls://127.0.0.1:0", options) as url:
        unchecked = await talked(connected, url, ConnectOptions(tls=anybody))
        assert (unchecked.verified, unchecked.hostname_checked) == (False, False)
        for context in (any_name, ours):
            half = await talked(
                connected, url, ConnectOptions(tls=context, server_hostname="somewhere.example")
            )
            assert (half.verified, half.hostname_checked) == (True, False)
        checked = await talked(connected, url, ConnectOptions(tls=ssl.create_default_context(cafile=ca_file)))
        assert (checked.verified, checked.hostname_checked) == (True, True)


async def test_another_name_can_be_checked_than_the_one_dialled(
    serving: Serving, connected: Connected, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls)) as url:
        facts = await talked(connected, url, ConnectOptions(tls=client_tls, server_hostname="localhost"))
    assert facts.hostname_checked


# --- pins ------------------------------------------------------------------------------------------------------------


async def test_a_pinned_certificate_or_key_is_enough(
    serving: Serving, connected: Connected, server_tls: ssl.SSLContext, der: bytes
) -> None:
    certificate, key = hashlib.sha256(der).digest(), key_digest(der)
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls)) as url:
        for options in (
            ConnectOptions(tls=pinned(certificate)),
            ConnectOptions(tls=pinned(bytes(32), key)),
            ConnectOptions(pins=frozenset({certificate})),
            ConnectOptions(pins=frozenset({key}), server_hostname="somewhere.example"),
        ):
            facts = await talked(connected, url, options)
            assert (facts.verified, facts.hostname_checked) == (True, False)


async def test_a_pin_beside_roots_asks_for_both(
    serving: Serving, connected: Connected, server_tls: ssl.SSLContext, ca_file: Path, der: bytes
) -> None:
    key = key_digest(der)
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls)) as url:
        both = await talked(connected, url, ConnectOptions(tls=client_context(ca=ca_file, pins=[key])))
        assert (both.verified, both.hostname_checked) == (True, True)
        assert "not trusted" in await refused(connected, url, ConnectOptions(tls=client_context(pins=[key])))
        for options in (
            ConnectOptions(tls=client_context(ca=ca_file, pins=[bytes(32)])),
            ConnectOptions(tls=client_context(ca=ca_file), pins=frozenset({bytes(32)})),
        ):
            assert "not a pinned one" in await refused(connected, url, options)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_another_key_than_the_pinned_one_gets_no_byte_of_ours(
    serving: Serving, connected: Connected, server_tls: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    got: list[bytes] = []
    ended = trio.Event()

    async def listen(link: Link) -> None:
        try:
            got.append(await link.receive())
        finally:
            ended.set()

    server_tls.maximum_version = version
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls), listen) as url:
        told = await refused(connected, url, ConnectOptions(tls=pinned(bytes(32))))
        if (
            version is ssl.TLSVersion.TLSv1_2
        ):  # with 1.3 the listener does not even get the end of the handshake
            await ended.wait()
    assert told == (
        f"the certificate of 127.0.0.1:{url.port} is not a pinned one; if its key was changed, change the pin"
    )
    assert not got


def test_a_pin_can_be_written_in_several_ways() -> None:
    digest = bytes(range(32))
    ways = [
        digest,
        digest.hex(),
        digest.hex().upper(),
        digest.hex(":"),
        "sha256/" + base64.b64encode(digest).decode(),
    ]
    assert {pin(one) for one in ways} == {digest}


@pytest.mark.parametrize(
    "wrong", [b"", bytes(31), "", "00", "x" * 64, "sha256/", "sha256/!!!!", "sha256/AAAA", "sha1/AAAA"]
)
def test_what_is_no_pin(wrong: str | bytes) -> None:
    for use in (pin, pinned, lambda one: client_context(pins=[one])):
        with pytest.raises(TlsError) as caught:
            use(wrong)
        assert str(caught.value) == (
            "a pin is a SHA-256 digest: 32 bytes, 64 hex digits, or sha256/ followed by base64"
        )


# --- certificates of clients -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialling", ["client_context", "pinned"])
async def test_mutual_tls(
    serving: Serving,
    connected: Connected,
    certificate_file: Path,
    ca: trustme.CA,
    ca_file: Path,
    der: bytes,
    tmp_path: Path,
    dialling: str,
) -> None:
    issued = ca.issue_cert("client.example")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    shown: list[TlsFacts | None] = []

    async def answer(link: Link) -> None:
        shown.append(link.facts.tls)
        await link.send(await link.receive())

    if dialling == "pinned":
        client = pinned(key_digest(der), certificate=certificate, key=key)
    else:
        client = client_context(ca=ca_file, certificate=certificate, key=key)
    server = server_context(certificate_file, client_ca=ca_file)
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server), answer) as url:
        await talked(connected, url, ConnectOptions(tls=client))
    facts = shown[0]
    assert facts is not None
    assert facts.server_side
    assert facts.verified
    assert not facts.hostname_checked
    assert facts.certificate == ssl.PEM_cert_to_DER_cert(certificate.read_text())


async def test_a_client_may_go_without_a_certificate_where_none_is_required(
    serving: Serving, connected: Connected, certificate_file: Path, ca_file: Path
) -> None:
    shown: list[TlsFacts | None] = []

    async def answer(link: Link) -> None:
        shown.append(link.facts.tls)
        await link.send(await link.receive())

    server = server_context(certificate_file, client_ca=ca_file, require_client_certificate=False)
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server), answer) as url:
        await talked(connected, url, ConnectOptions(tls=client_context(ca=ca_file)))
    assert shown[0] is not None
    assert (shown[0].certificate, shown[0].verified) == (None, False)


# --- files that are no good ------------------------------------------------------------------------------------------


def told(make: Callable[[], object]) -> str:
    with pytest.raises(TlsError) as caught:
        make()
    return str(caught.value)


def test_what_contradicts_itself() -> None:
    assert told(lambda: client_context(ca=b"", system=True)) == (
        "ca and system exclude each other; choose the roots of one of them"
    )
    assert told(lambda: client_context(key="key.pem")) == (
        "a key without its certificate can't be used; pass certificate as well"
    )
    assert told(pinned) == "no pin was given; pass at least one"


def test_files_that_are_not_there(tmp_path: Path, certificate_file: Path) -> None:
    missing = tmp_path / "none.pem"
    end = "can't be read: there is no such file; check the path"
    assert told(lambda: client_context(ca=missing)) == f"the CA certificates in {missing} {end}"
    assert told(lambda: server_context(missing)) == f"the certificate {missing} {end}"
    assert told(lambda: server_context(certificate_file, missing)) == f"the key {missing} {end}"


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    assert told(lambda: server_context(tmp_path)) == (
        f"the certificate {tmp_path} can't be read: {os.strerror(errno.EISDIR)}; check the file and its mode"
    )


def test_authorities_that_are_none(tmp_path: Path, certificate_file: Path) -> None:
    end = "can't be used: there is no certificate in PEM or DER; check the file"
    empty = tmp_path / "empty"
    empty.mkdir()
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n")
    beyond = tmp_path / "beyond.pem"
    beyond.write_bytes(b"-----BEGIN \xff")
    for path in (empty, broken, beyond):
        assert told(lambda: client_context(ca=path)) == f"the CA certificates in {path} {end}"
        assert (
            told(lambda: server_context(certificate_file, client_ca=path))
            == f"the CA certificates in {path} {end}"
        )
    assert told(lambda: client_context(ca=b"hunter2")) == f"the CA certificates that were passed {end}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hunter2",
        b"-----BEGIN CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    ],
)
def test_certificates_that_are_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "server.pem"
    file.write_bytes(content)
    assert told(lambda: server_context(file)) == f"there is no certificate in PEM in {file}; check the file"


def test_a_certificate_that_has_expired(tmp_path: Path, ca: trustme.CA) -> None:
    file = tmp_path / "server.pem"
    until = NOW - DAY
    ca.issue_cert(
        "localhost", not_before=NOW - 9 * DAY, not_after=until
    ).private_key_and_cert_chain_pem.write_to_path(file)
    for make in (server_context, lambda one: client_context(certificate=one)):
        assert told(lambda: make(file)) == f"the certificate {file} expired on {until:%Y-%m-%d}; renew it"


def test_a_key_that_belongs_to_another_certificate(
    tmp_path: Path, ca: trustme.CA, certificate_file: Path
) -> None:
    key = tmp_path / "other.key"
    ca.issue_cert("localhost").private_key_pem.write_to_path(key)
    assert told(lambda: server_context(certificate_file, key)) == (
        f"the key {key} does not belong to the certificate {certificate_file}; use the pair made together"
    )


def test_a_key_that_is_none(tmp_path: Path, certificate_file: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(b"hunter2")
    assert told(lambda: server_context(certificate_file, key)) == (
        f"the certificate {certificate_file} and the key {key} can't be used; both must be whole, and PEM"
    )


@pytest.fixture
def encrypted_key(tmp_path: Path, certificate_file: Path) -> Path:
    """The key of `certificate_file`, behind a password."""
    file = tmp_path / "encrypted.key"
    key = load_pem_private_key(certificate_file.read_bytes(), None)
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    )
    return file


@pytest.mark.parametrize("password", ["open sesame", b"open sesame", lambda: "open sesame"])
def test_a_key_behind_a_password(
    certificate_file: Path, encrypted_key: Path, password: contexts.Password
) -> None:
    context = server_context(certificate_file, encrypted_key, password=password)
    assert isinstance(context, ssl.SSLContext)


def test_a_key_behind_another_password(certificate_file: Path, encrypted_key: Path) -> None:
    assert told(lambda: server_context(certificate_file, encrypted_key)) == (
        f"the key {encrypted_key} is encrypted; pass its password"
    )
    wrong = told(lambda: server_context(certificate_file, encrypted_key, password="hunter2"))
    assert wrong == f"the password does not open the key {encrypted_key}; check it"


def test_certificate_and_key_in_files_of_their_own(tmp_path: Path, ca: trustme.CA) -> None:
    issued = ca.issue_cert("localhost")
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    assert isinstance(server_context(os.fspath(certificate), os.fspath(key)), ssl.SSLContext)
