"""A peer made of the bare core, for what a session would never send, and for looking at what it does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import trio

from graftwire.protocol import events
from graftwire.protocol.connection import Connection, Role
from graftwire.protocol.limits import Limits
from graftwire.transport.link import Link
from graftwire.transport.memory import memory_pair
from graftwire.transport.session import Session


class Peer:
    """The other end of a session under test: `conn` speaks, `events` keeps what came."""

    def __init__(self, link: Link, role: Role, limits: Limits | None) -> None:
        self.link = link
        self.conn = Connection(role, limits)
        self.events: list[events.Event] = []

    async def write(self) -> None:
        """Send what the core has queued."""
        while self.conn.has_output:
            await self.link.send(b"".join(self.conn.take()))

    async def read(self) -> bool:
        """Receive once; returns whether anything came before the end."""
        data = await self.link.receive()
        self.events += self.conn.receive(data) if data else self.conn.receive_eof()
        await self.write()
        return bool(data)

    async def wait_for(self, kind: type[Any], count: int = 1) -> list[Any]:
        """Receive until that many events of a kind have come in all; returns all of them."""
        with trio.fail_after(5):
            while len(found := self.of(kind)) < count:
                if not await self.read():
                    raise AssertionError(f"the session ended before {kind.__name__} came: {self.events}")
        return found

    async def wait_for_end(self) -> None:
        """Receive until the session says nothing more."""
        with trio.fail_after(5):
            while await self.read():
                pass

    def of(self, kind: type[Any]) -> list[Any]:
        """The events of a kind that have come so far."""
        return [event for event in self.events if type(event) is kind]


@asynccontextmanager
async def session_and_peer(
    role: Role = Role.ACCEPTOR, *, peer_limits: Limits | None = None, opened: bool = True, **options: Any
) -> AsyncGenerator[tuple[Session, Peer]]:
    """A session in `role` over a memory link, running, and the peer at the other end of it."""
    ours, theirs = memory_pair()
    session = Session(ours, role, **options)
    peer = Peer(theirs, Role.INITIATOR if role is Role.ACCEPTOR else Role.ACCEPTOR, peer_limits)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        if opened:
            await peer.write()
            await peer.wait_for(events.Opened)
            await session.wait_opened()
        yield session, peer
        await peer.link.aclose()
        nursery.cancel_scope.cancel()
