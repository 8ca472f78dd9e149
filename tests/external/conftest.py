"""A gateway for programs that are not ours, and how to run one."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import trio
import trustme

import graftwire

Open = Callable[..., AbstractAsyncContextManager[graftwire.Gateway]]

PATIENCE = 60  # seconds; only a run that hangs gets near it


class Adder:
    """What is hosted."""

    async def add(self, a: int, b: int) -> int:
        return a + b


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root that has to be trusted, as a PEM file."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The gateway's certificate (with its chain) and key, as PEM files."""
    issued = authority.issue_cert("localhost", "127.0.0.1")
    folder = tmp_path_factory.mktemp("certificate")
    chain, key = folder / "chain.pem", folder / "key.pem"
    for pem in issued.cert_chain_pems:
        pem.write_to_path(str(chain), append=True)
    issued.private_key_pem.write_to_path(str(key))
    return chain, key


@pytest.fixture
def gateway(certificate: tuple[Path, Path]) -> Open:
    """Opens a gateway that hosts `Adder` behind a URL."""

    @asynccontextmanager
    async def open_gateway(url: str, **options: object) -> AsyncGenerator[graftwire.Gateway]:
        tls: ssl.SSLContext | None = None
        if url.startswith(("tls:", "wss:")):
            tls = graftwire.server_context(*certificate)
        listen = graftwire.ListenOptions(tls=tls, **options)
        anyone = graftwire.Anonymous()
        async with graftwire.serve({"Adder": Adder()}, url, auth=anyone, options=listen) as opened:
            yield opened

    return open_gateway


async def run(*command: str, stdin: bytes = b"") -> tuple[int, str]:
    """Run a program to its end: its exit code, and all that it said."""
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(
            command, stdin=stdin, capture_stdout=True, capture_stderr=True, check=False
        )
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")
