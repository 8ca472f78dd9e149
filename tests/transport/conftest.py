"""Certificates for tests, and listeners that run for the length of a `with` block."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import trio
import trustme

from graftwire.transport.contexts import client_context, server_context
from graftwire.transport.link import ConnectOptions, Link, ListenOptions
from graftwire.transport.registry import transport_for
from graftwire.transport.url import Url, parse

Handle = Callable[[Link], Awaitable[None]]


async def echo(link: Link) -> None:
    """Send back what comes, until its end."""
    while data := await link.receive():
        await link.send(data)
    await link.aclose()


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """An authority that the clients of the tests trust."""
    return trustme.CA(organization_name="trusted")


@pytest.fixture(scope="session")
def other_ca() -> trustme.CA:
    """An authority that nobody trusts."""
    return trustme.CA(organization_name="untrusted")


@pytest.fixture(scope="session")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of `ca` as a PEM file."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def certificate_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost and its addresses, with its key, in one PEM file."""
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    ca.issue_cert("localhost", "127.0.0.1", "::1").private_key_and_cert_chain_pem.write_to_path(path)
    return path


@pytest.fixture
def server_tls(certificate_file: Path) -> ssl.SSLContext:
    """A context to listen with."""
    return server_context(certificate_file)


@pytest.fixture
def client_tls(ca_file: Path) -> ssl.SSLContext:
    """A context to dial with that trusts `ca`."""
    return client_context(ca=ca_file)


@pytest.fixture
def serving() -> Callable[..., AbstractAsyncContextManager[Url]]:
    """Listens for the length of an `async with` block; takes URL, options, handler; gives the real URL."""

    @asynccontextmanager
    async def run(
        text: str, options: ListenOptions | None = None, handle: Handle = echo
    ) -> AsyncGenerator[Url]:
        url = parse(text)
        listener = await transport_for(url.scheme).listen(url, options or ListenOptions())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listener.serve, handle)
            yield parse(listener.url)
            listener.stop()
            nursery.cancel_scope.cancel()

    return run


@pytest.fixture
def connected() -> Callable[..., AbstractAsyncContextManager[Link]]:
    """Dials for the length of an `async with` block; takes URL and options; gives the link."""

    def run(url: Url | str, options: ConnectOptions | None = None) -> AbstractAsyncContextManager[Link]:
        url = parse(str(url).replace("*", "127.0.0.1"))
        return transport_for(url.scheme).connect(url, options or ConnectOptions())

    return run
