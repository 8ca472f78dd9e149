"""What a session writes: together where that is possible, at once where one waits, in order in any case."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from graftwire.protocol.connection import Connection, Role
from graftwire.protocol.errors import LinkClosed, LinkError
from graftwire.transport.facts import LinkFacts
from graftwire.transport.link import Buffer, Link
from graftwire.transport.output import EARLY, Output


class Sluggish(Link):
    """A link that takes `room` bytes at once, and the rest when it is let go on; keeps what was sent."""

    def __init__(self, room: int = 10**9) -> None:
        self.facts = LinkFacts("memory", "here", "there")
        self.room = room
        self.writes: list[bytes] = []
        self.gate = trio.Event()
        self.gone = False

    def send_nowait(self, data: Buffer) -> int:
        if self.gone:
            raise LinkClosed("gone")
        taken = min(len(data), self.room)
        self.room -= taken
        if taken:
            self.writes.append(bytes(data[:taken]))
        return taken

    async def send(self, data: Buffer) -> None:
        await self.gate.wait()
        if self.gone:
            raise LinkClosed("gone")
        self.writes.append(bytes(data))

    async def receive(self) -> bytes:
        raise NotImplementedError

    async def send_eof(self) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


class Setup:
    def __init__(self, room: int = 10**9) -> None:
        self.link = Sluggish(room)
        self.conn = Connection(Role.INITIATOR)
        peer = Connection(Role.ACCEPTOR)
        peer.receive(b"".join(self.conn.take()))
        self.conn.receive(b"".join(peer.take()))
        self.losses: list[LinkError] = []
        self.output = Output(self.link, self.conn, self.losses.append)

    def queue(self, count: int = 1, size: int = 3) -> None:
        """Queue some calls, and say so as a session does."""
        for _ in range(count):
            self.conn.call(0, "Any", bytes(size))
            self.output.nudge()

    @staticmethod
    def frames(count: int) -> bytes:
        """What `queue` has to send for so many calls."""
        whole = Setup()
        whole.queue(count)
        return whole.sent + b"".join(whole.conn.take())

    @property
    def sent(self) -> bytes:
        return b"".join(self.link.writes)


async def test_what_is_queued_in_one_turn_leaves_together() -> None:
    setup = Setup()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(setup.output.run)
        await wait_all_tasks_blocked()
        setup.queue(5)
        assert not setup.link.writes
        await wait_all_tasks_blocked()
        assert len(setup.link.writes) == 1
        setup.queue(EARLY)  # so many do not wait for their turn
        assert len(setup.link.writes) == 2
        setup.output.nudge(alone=True)  # nothing is queued, and nothing sent
        await wait_all_tasks_blocked()
        assert len(setup.link.writes) == 2
        nursery.cancel_scope.cancel()


async def test_what_stands_alone_leaves_at_once() -> None:
    setup = Setup()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(setup.output.run)
        await wait_all_tasks_blocked()
        setup.conn.call(0, "Any", b"")
        setup.output.nudge(alone=True)
        assert len(setup.link.writes) == 1
        nursery.cancel_scope.cancel()


async def test_what_the_link_does_not_take_at_once_follows_in_order() -> None:
    setup = Setup(room=5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(setup.output.run)
        await wait_all_tasks_blocked()
        setup.queue(EARLY)
        setup.queue(3)  # behind it
        assert len(setup.sent) == 5
        setup.link.gate.set()
        await setup.output.flush()
        nursery.cancel_scope.cancel()
    assert setup.sent == Setup.frames(EARLY + 3)


@pytest.mark.parametrize("how", ["alone", "writer", "rest"])
async def test_a_link_that_is_gone_is_told_once(how: str) -> None:
    setup = Setup(room=0 if how == "rest" else 10**9)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(setup.output.run)
        await wait_all_tasks_blocked()
        setup.link.gone = how != "rest"
        setup.conn.call(0, "Any", b"")
        setup.output.nudge(alone=how == "alone")
        await wait_all_tasks_blocked()
        setup.link.gone = True
        setup.link.gate.set()
        await wait_all_tasks_blocked()
        setup.queue()
        await wait_all_tasks_blocked()
        assert [str(loss) for loss in setup.losses] == ["gone"]
        await setup.output.room()  # nobody waits for a link that is gone
        await setup.output.flush()
        nursery.cancel_scope.cancel()


async def test_what_is_queued_after_the_writer_was_cancelled_is_flushed() -> None:
    setup = Setup(room=0)
    setup.link.gate.set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(setup.output.run)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    setup.queue(3)
    assert not setup.sent
    await setup.output.flush()
    assert setup.sent == Setup.frames(3)


async def test_after_a_send_that_was_cut_nothing_follows() -> None:
    setup = Setup(room=5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(setup.output.run)
        await wait_all_tasks_blocked()
        setup.queue(2)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    setup.link.gate.set()
    setup.queue()
    await setup.output.flush()
    assert len(setup.sent) == 5


async def test_who_would_queue_too_much_waits() -> None:
    setup = Setup(room=0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(setup.output.run)
        await wait_all_tasks_blocked()
        setup.queue(30, size=60_000)
        await wait_all_tasks_blocked()
        setup.queue(30, size=60_000)  # behind the write that waits
        assert setup.output.full
        assert setup.output.blocked_since is not None
        nursery.start_soon(setup.output.room)
        await wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 2
        setup.link.gate.set()
        await wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 1
        assert not setup.output.full
        assert setup.output.blocked_since is None
        nursery.cancel_scope.cancel()
