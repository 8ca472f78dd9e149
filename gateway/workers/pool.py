"""The worker processes of one module: kept alive, and chosen from for each call."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import trio

from graftwire.protocol.errors import Unavailable
from graftwire.transport.background import background_tasks

from ..audit.record import Decision, Event, LinkRecord, Record
from ..audit.trail import AuditFailed, Trail
from ..problems import InterfaceError
from .description import Description
from .mirror import Mirror
from .process import Process
from .worker import Worker

_log: Final = logging.getLogger("graftwire.gateway")

FIRST_PAUSE: Final = 0.1  # seconds before a process that has ended is started again
LONGEST_PAUSE: Final = 30.0
HEALTHY: Final = 60.0  # seconds after which a process counts as healthy, and the pauses begin anew


class Pauses:
    """How long to wait before the next start."""

    def __init__(self) -> None:
        self._next = FIRST_PAUSE

    def after(self, lived: float) -> float:
        """The pause, in seconds, after a process that has lived so long."""
        if lived >= HEALTHY:
            self._next = FIRST_PAUSE
        pause, self._next = self._next, min(self._next * 2, LONGEST_PAUSE)
        return pause


class Pool:
    """The processes that host one module as `name`; `description` is what they say of it."""

    def __init__(self, name: str, worker: Worker, trail: Trail, *, allow_untyped: bool) -> None:
        self.name = name
        self.worker = worker
        self._trail = trail
        self._allow_untyped = allow_untyped
        self._ready: list[Process] = []
        self._changed = trio.lowlevel.ParkingLot()
        self._description: Description | None = None
        self._failing = False  # the last start came to nothing
        self._held = 0  # calls that are for it, from the moment when that is known
        self._idle = trio.lowlevel.ParkingLot()

    @property
    def description(self) -> Description:
        """What the processes host; known once the first of them runs."""
        assert self._description is not None
        return self._description

    @property
    def pids(self) -> list[int]:
        """The numbers of the processes that can be called now."""
        return [process.pid for process in self._ready]

    @property
    def sound(self) -> bool:
        """Whether a process can be called now, and a start would give another one like it, as far as is known."""
        return not self._failing and any(process.up for process in self._ready)

    def hold(self) -> None:
        """A call is for this pool: until `release`, it is not idle."""
        self._held += 1

    def release(self) -> None:
        """The call that was held is over."""
        self._held -= 1
        if not self._held:
            self._idle.unpark_all()

    async def wait_idle(self) -> None:
        """Wait until no call is for this pool."""
        while self._held:
            await self._idle.park()

    async def start(self, nursery: trio.Nursery) -> None:
        """Start all processes; they are kept alive in the nursery. Raises InterfaceError."""
        problems: list[InterfaceError] = []

        async def start_one() -> None:
            try:
                await nursery.start(self._keep)
            except InterfaceError as error:
                problems.append(error)

        async with trio.open_nursery() as starting:
            for _ in range(self.worker.count):
                starting.start_soon(start_one)
        if problems:
            raise problems[0]

    # --- supervision -------------------------------------------------------------------------------------------------

    async def _keep(self, task_status: trio.TaskStatus[None]) -> None:
        """Keep one process alive until cancelled. Raises InterfaceError if the first one does not come about."""
        pauses = Pauses()
        started = trio.Event()

        def ready(process: Process, description: Description) -> None:
            self._arrived(process, description)
            if not started.is_set():
                started.set()
                task_status.started()

        while True:
            process = Process(self.name, self.worker, allow_untyped=self._allow_untyped)
            begun = trio.current_time()
            try:
                async with background_tasks() as nursery:
                    if started.is_set():
                        nursery.start_soon(self._note_restart, process)
                    why = await process.run(ready)
            except InterfaceError as error:
                if not started.is_set():
                    raise
                why = f"could not be started: {error}"
                self._failing = True
            finally:
                if process in self._ready:
                    self._ready.remove(process)
            lived = trio.current_time() - begun
            pause = pauses.after(lived)
            _log.error(
                "the worker %d for %s %s; it is started again in %g s", process.pid, self.name, why, pause
            )
            await self._write(process, f"it {why}", lived)
            await trio.sleep(pause)

    async def _note_restart(self, process: Process) -> None:
        begun = trio.current_time()
        while process not in self._ready:
            await self._changed.park()
        _log.warning("the worker for %s runs again, as process %d", self.name, process.pid)
        await self._write(process, "it was started again", trio.current_time() - begun)

    def _arrived(self, process: Process, description: Description) -> None:
        if self._description is None:
            self._description = description
        elif description != self._description:
            raise InterfaceError(
                "its code is not what it was when the gateway started; reload the gateway, or restart it, to "
                "host what is there now"
            )
        self._failing = False
        self._ready.append(process)
        self._changed.unpark_all()

    async def _write(self, process: Process, reason: str, duration: float) -> None:
        """The record of an end or of a new start; that it could not be kept is in the log, and counted."""
        with suppress(AuditFailed):
            await self._trail.write(
                Record(
                    time=datetime.now(UTC),
                    event=Event.WORKER,
                    decision=Decision.ALLOWED,
                    session=secrets.token_hex(8),
                    call=None,
                    target=self.name,
                    link=LinkRecord(transport="worker", peer=f"process {process.pid}", local="gateway"),
                    scheme=None,
                    issuer=None,
                    identity=None,
                    code=None,
                    plugin="workers",
                    reason=reason,
                    duration=duration,
                    digest=None if self._description is None else self._description.shared.digest.hex(),
                )
            )

    # --- calls -------------------------------------------------------------------------------------------------------

    def choose(self, own: Mapping[Process, Mirror]) -> Process | None:
        """The process for a call of a session that has mirrors in `own`; None while there is none."""
        ready = self._ready
        if len(ready) == 1:
            return ready[0] if ready[0].up else None
        up = [process for process in ready if process.up]
        held = [process for process in up if process in own and own[process].passage.held]
        return min(held or up, key=lambda process: process.busy, default=None)

    async def wait(self, until: float) -> None:
        """Wait until there is a process. Raises Unavailable if none comes by then, in seconds on trio's clock."""
        with trio.move_on_at(until):
            while not any(process.up for process in self._ready):
                await self._changed.park()
            return
        raise Unavailable(f"there is no worker for {self.name} just now", ran=False)
