"""TLS files that change while listeners and clients use them."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trustme

from graftwire.protocol.errors import TlsError
from graftwire.transport.contexts import client_context, server_context
from graftwire.transport.link import ConnectOptions, Link, ListenOptions
from graftwire.transport.reloading import ReloadingContext
from graftwire.transport.url import Url

Serving = Callable[..., AbstractAsyncContextManager[Url]]
Connected = Callable[..., AbstractAsyncContextManager[Link]]

STAYS = "changed TLS files were not taken over, those read before stay in force: "


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "graftwire.transport")
    return caplog


@pytest.fixture
def file(tmp_path: Path, certificate_file: Path) -> Path:
    """The listener's certificate and key, for the test to change."""
    path = tmp_path / "server.pem"
    shutil.copy(certificate_file, path)
    return path


def replace(path: Path, content: bytes) -> None:
    """Put another file in its place, as tools that renew certificates do."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    os.replace(fresh, path)


def renewed(ca: trustme.CA) -> bytes:
    return ca.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.bytes()


def shown(link: Link) -> bytes | None:
    assert link.facts.tls is not None
    return link.facts.tls.certificate


async def test_a_renewed_certificate_is_shown_from_then_on_and_sessions_go_on(
    serving: Serving,
    connected: Connected,
    ca: trustme.CA,
    client_tls: ssl.SSLContext,
    file: Path,
    log: pytest.LogCaptureFixture,
) -> None:
    options = ConnectOptions(tls=client_tls)
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_context(file))) as url:
        async with connected(url, options) as before:
            replace(file, renewed(ca))
            async with connected(url, options) as after:
                assert shown(before) != shown(after)
                for link in (before, after):
                    assert link.facts.tls is not None
                    assert link.facts.tls.alpn == "graftwire/1"
                    await link.send(b"x")
                    assert await link.receive() == b"x"
    assert [record.getMessage() for record in log.records] == [f"TLS files were read again: {file}"]


async def test_broken_files_are_not_taken_over_and_told_once(
    serving: Serving,
    connected: Connected,
    ca: trustme.CA,
    client_tls: ssl.SSLContext,
    file: Path,
    log: pytest.LogCaptureFixture,
) -> None:
    options = ConnectOptions(tls=client_tls)
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_context(file))) as url:
        async with connected(url, options) as link:
            first = shown(link)
        replace(file, b"hunter2")
        for _ in range(2):
            async with connected(url, options) as link:
                assert shown(link) == first
        os.remove(file)
        async with connected(url, options) as link:
            assert shown(link) == first
        replace(file, renewed(ca))
        async with connected(url, options) as link:
            assert shown(link) != first
    assert [(record.levelname, record.getMessage()) for record in log.records] == [
        ("WARNING", f"{STAYS}there is no certificate in PEM in {file}; check the file"),
        (
            "WARNING",
            f"{STAYS}the certificate {file} can't be read: there is no such file; check the path",
        ),
        ("INFO", f"TLS files were read again: {file}"),
    ]


async def test_a_client_takes_over_roots_that_appear_in_a_folder(
    serving: Serving,
    connected: Connected,
    server_tls: ssl.SSLContext,
    ca_file: Path,
    other_ca: trustme.CA,
    tmp_path: Path,
) -> None:
    roots = tmp_path / "roots"
    roots.mkdir()
    other_ca.cert_pem.write_to_path(roots / "other.pem")
    options = ConnectOptions(tls=client_context(ca=roots))
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=server_tls)) as url:
        with pytest.raises(TlsError, match="not trusted"):
            async with connected(url, options):
                raise AssertionError
        shutil.copy(ca_file, roots / "ca.pem")
        async with connected(url, options) as link:
            assert link.facts.tls is not None
            assert link.facts.tls.verified
        (roots / "ca.pem").unlink()
        with pytest.raises(TlsError, match="not trusted"):
            async with connected(url, options):
                raise AssertionError


async def test_what_was_set_on_the_context_outlives_a_change(
    serving: Serving, connected: Connected, ca: trustme.CA, client_tls: ssl.SSLContext, file: Path
) -> None:
    context = server_context(file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    async with serving("tls://127.0.0.1:0", ListenOptions(tls=context)) as url:
        replace(file, renewed(ca))
        async with connected(url, ConnectOptions(tls=client_tls)) as link:
            assert link.facts.tls is not None
            assert (link.facts.tls.version, link.facts.tls.cipher) == (
                "TLSv1.2",
                "ECDHE-ECDSA-AES256-GCM-SHA384",
            )
    assert context.maximum_version is ssl.TLSVersion.TLSv1_2


def test_what_is_refused_is_not_kept(ca: trustme.CA, file: Path, log: pytest.LogCaptureFixture) -> None:
    context = server_context(file)
    with pytest.raises(ssl.SSLError):
        context.set_ciphers("no such cipher")
    replace(file, renewed(ca))
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    assert [record.levelname for record in log.records] == ["INFO"]


def test_alpn_is_set_at_each_handshake_and_kept_once(file: Path) -> None:
    context = server_context(file)
    assert isinstance(context, ReloadingContext)
    for _ in range(3):
        context.set_alpn_protocols(["graftwire/1"])
    assert len(context._changes) == 1


def test_files_are_not_read_unless_they_have_changed(file: Path) -> None:
    built: list[ssl.SSLContext] = []

    def build() -> ssl.SSLContext:
        built.append(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        return built[-1]

    context = ReloadingContext(build, (file,), server=True)
    for _ in range(3):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    assert len(built) == 1
    os.utime(file, ns=(1, 1))
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    assert len(built) == 2


def test_what_can_not_be_used_at_the_start_reaches_the_caller(tmp_path: Path) -> None:
    with pytest.raises(TlsError):
        server_context(tmp_path / "none.pem")


def test_it_serves_blocking_sockets_too(ca: trustme.CA, file: Path, log: pytest.LogCaptureFixture) -> None:
    """Any code that takes an `ssl.SSLContext` can use one."""
    context = server_context(file)
    replace(file, renewed(ca))
    one, other = socket.socketpair()
    with one, other, context.wrap_socket(one, server_side=True, do_handshake_on_connect=False) as wrapped:
        assert wrapped.server_side
    assert [record.getMessage() for record in log.records] == [f"TLS files were read again: {file}"]
