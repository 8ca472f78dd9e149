"""Connecting with an eye on the bytes: what a command records, or looks at to say what it was that answered."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from graftwire import Client, ConnectOptions, Retry
from graftwire.connection import Connection
from graftwire.dialler import Dialler
from graftwire.gateway.security.plugins import CredentialProvider
from graftwire.transport.background import background_tasks
from graftwire.transport.link import Buffer, Link
from graftwire.transport.url import Url

Watcher = Callable[[bool, bytes], None]
"""Called with whether the bytes came (or were sent), and the bytes, at the moment when they did."""


class WatchedLink(Link):
    """A link that is used as it is, while `watcher` sees its bytes, which are out of TLS and WebSocket here."""

    def __init__(self, link: Link, watcher: Watcher) -> None:
        self.facts = link.facts
        self._link = link
        self._watcher = watcher

    @property
    def last_arrival(self) -> float:
        """As `Link.last_arrival`."""
        return self._link.last_arrival

    @property
    def arrived(self) -> int:
        """As `Link.arrived`."""
        return self._link.arrived

    async def send(self, data: Buffer) -> None:
        """As `Link.send`; the watcher sees what was sent whole."""
        await self._link.send(data)
        self._watcher(False, bytes(data))

    def send_nowait(self, data: Buffer) -> int:
        """As `Link.send_nowait`; the watcher sees what was taken."""
        taken = self._link.send_nowait(data)
        if taken:
            self._watcher(False, bytes(data[:taken]))
        return taken

    async def receive(self) -> bytes:
        """As `Link.receive`; the watcher sees `b""` at the end."""
        data = await self._link.receive()
        self._watcher(True, data)
        return data

    async def send_eof(self) -> None:
        """As `Link.send_eof`."""
        await self._link.send_eof()

    async def aclose(self) -> None:
        """As `Link.aclose`."""
        await self._link.aclose()


class _HalfClosingLink(WatchedLink):
    half_closes = True


@asynccontextmanager
async def connect(
    url: Url,
    options: ConnectOptions,
    watcher: Watcher,
    *,
    retry: Retry | None = None,
    credential: CredentialProvider | None = None,
    plain_proofs: bool = False,
) -> AsyncGenerator[Client]:
    """`graftwire.connect` with a watcher; where `retry` is given, the first attempt is repeated too.

    Raises as `graftwire.connect` does.
    """

    def around(link: Link) -> Link:
        return (_HalfClosingLink if link.half_closes else WatchedLink)(link, watcher)

    async with background_tasks() as nursery:
        dialler = Dialler(
            nursery, options=options, credential=credential, plain_proofs=plain_proofs, around=around
        )
        connection = Connection([url], dialler, retry=retry)
        await (connection.start() if retry is None else connection.usable())
        try:
            yield Client(connection)
        finally:
            await connection.leave()
