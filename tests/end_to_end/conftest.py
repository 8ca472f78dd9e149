"""A gateway on each transport, and a client that is connected to it."""

from __future__ import annotations

import itertools
import os
import ssl
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

import graftwire
from graftwire.transport.link import ConnectOptions, ListenOptions

TRANSPORTS = ("memory", "tcp", "tls", "unix", "ws", "wss")
_names = itertools.count()


class Place:
    """Where a test's gateway listens, and how to reach it."""

    def __init__(self, transport: str, folder: Path, authority: trustme.CA) -> None:
        self.transport = transport
        self.listen_options = ListenOptions()
        self.connect_options = ConnectOptions()
        match transport:
            case "memory":
                self.url = f"memory:end-to-end-{next(_names)}"
            case "unix":
                self.url = f"unix:{folder}/gateway"
            case "ws" | "wss":
                self.url = f"{transport}://127.0.0.1:0/calls"
            case _:
                self.url = f"{transport}://127.0.0.1:0"
        if transport in ("tls", "wss"):
            server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            authority.issue_cert("127.0.0.1").configure_cert(server)
            client = ssl.create_default_context()
            authority.configure_trust(client)
            for context in (server, client):
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                context.set_alpn_protocols(["graftwire/1"] if transport == "tls" else ["http/1.1"])
            self.listen_options = ListenOptions(tls=server)
            self.connect_options = ConnectOptions(tls=client)

    @asynccontextmanager
    async def gateway(self, services: dict[str, object], **options: Any) -> AsyncGenerator[graftwire.Gateway]:
        async with graftwire.serve(
            services, self.url, auth=graftwire.Anonymous(), options=self.listen_options, **options
        ) as gateway:
            yield gateway

    @asynccontextmanager
    async def client(self, gateway: graftwire.Gateway, **options: Any) -> AsyncGenerator[graftwire.Client]:
        async with graftwire.connect(gateway.urls[0], options=self.connect_options, **options) as client:
            yield client


def others_listeners() -> set[tuple[str, int]]:
    """Addresses that other processes of this machine listen at (IPv4), from the system's own table."""
    inodes: set[str] = set()
    for entry in os.scandir("/proc/self/fd"):
        try:
            inodes.add(os.readlink(entry.path))
        except OSError:
            continue
    found: set[tuple[str, int]] = set()
    with open("/proc/self/net/tcp", encoding="ascii") as table:
        for row in itertools.islice(table, 1, None):
            fields = row.split()
            host, _, port = fields[1].partition(":")
            if fields[3] == "0A" and f"socket:[{fields[9]}]" not in inodes:
                address = ".".join(str(byte) for byte in reversed(bytes.fromhex(host)))
                found.add((address, int(port, 16)))
    return found


class Watch:
    """Notes connections to others, while it is `on`. A hook can't be taken off again, so one serves all modules."""

    def __init__(self) -> None:
        self.on = False
        self.strange: list[str] = []
        sys.addaudithook(self._look)

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            address = arguments[1]
            if not isinstance(address, tuple):
                return  # a Unix socket: on this machine
            # on this machine nobody but this process: where nobody listens any more, nobody is reached
            ours = str(address[0]).startswith("127.")
            if ours and sys.platform == "linux":
                others = others_listeners()
                ours = address[:2] not in others and ("0.0.0.0", address[1]) not in others
            if not ours:
                self.strange.append(f"{event} {address}")


@pytest.fixture(scope="session")
def watch() -> Watch:
    return Watch()


@pytest.fixture(scope="module", autouse=True)
def outbound(watch: Watch) -> Iterator[None]:
    """While the tests of this folder run, nothing is connected to but what they listen at themselves.

    For each module anew: those of other folders, which run later in the same process, dial into the void on purpose.
    """
    watch.on = True
    yield
    watch.on = False
    strange, watch.strange = watch.strange, []
    assert not strange


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=TRANSPORTS)
def place(request: pytest.FixtureRequest, tmp_path: Path, authority: trustme.CA) -> Place:
    return Place(request.param, tmp_path, authority)
