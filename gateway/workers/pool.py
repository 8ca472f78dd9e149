"""The worker processes of one module: kept alive, and chosen from for each call."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final

import trio

from graftwire.protocol.errors import ErrorCode, Unavailable, ValueRefused
from graftwire.transport.background import background_tasks
from graftwire.transport.incoming import IncomingCall
from graftwire.transport.references import Passed

from ..audit.record import Decision, Event, LinkRecord, Record
from ..audit.trail import AuditFailed, Trail
from ..host import Elsewhere, Forwarded, Plain
from ..members import Untyped
from ..problems import InterfaceError
from ..security.identity import Standing
from .description import Description
from .mirror import Mirror, failure
from .process import Process
from .standing import SCHEME, proof_of
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

    @property
    def description(self) -> Description:
        """What the processes host; known once the first of them runs."""
        assert self._description is not None
        return self._description

    @property
    def pids(self) -> list[int]:
        """The numbers of the processes that can be called now."""
        return [process.pid for process in self._ready]

    async def start(self, nursery: trio.Nursery) -> None:
        """Start all processes; they are kept alive in the nursery. Raises InterfaceError."""
        for _ in range(self.worker.count):
            await nursery.start(self._keep)

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
            finally:
                self.dismiss(process)
            lived = trio.current_time() - begun
            _log.error("the worker %d for %s %s", process.pid, self.name, why)
            await self._write(process, f"it {why}", lived)
            await trio.sleep(pauses.after(lived))

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
                "its code is not what it was when the gateway started; start that again, too"
            )
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
            return ready[0]
        held = [process for process in ready if process in own and own[process].passage.held]
        return min(held or ready, key=lambda process: process.busy, default=None)

    def dismiss(self, process: Process) -> None:
        """Choose a process no more: its links are gone."""
        if process in self._ready:
            self._ready.remove(process)

    async def wait(self, until: float) -> None:
        """Wait until there is a process. Raises Unavailable if none comes by then, in seconds on trio's clock."""
        with trio.move_on_at(until):
            while not self._ready:
                await self._changed.park()
            return
        raise Unavailable(f"there is no worker for {self.name} just now", ran=False)


class Forwarding:
    """Passes the calls of one session on to workers: host.Forwarder."""

    def __init__(self) -> None:
        self._mirrors: dict[Process, Mirror] = {}
        self._standing: Standing | None = None
        self._proof: tuple[str, bytes] | None = None

    async def call(self, call: IncomingCall, method: Forwarded, plain: Plain | None) -> bytes:
        """Run a call in a worker, and return the body of its result. What it raises is for `mirror.failure`."""
        credential = None
        if isinstance(call.standing, Standing):
            credential = self._proof if call.standing is self._standing else self._prove(call.standing)
        pool = method.pool
        if pool is None:  # an object of a worker's
            return await self._call_object(call, credential)
        assert isinstance(pool, Pool)
        assert isinstance(call.target, str)
        until = trio.current_time() + pool.worker.wait
        while True:
            process = pool.choose(self._mirrors)
            if process is None:
                await pool.wait(until)
                continue
            mirror = self._mirrors.get(process)
            if mirror is None:
                mirror = self._mirrors[process] = process.mirror(call.session)
            try:
                return await self._run(process, mirror, call, call.target, credential, plain)
            except Unavailable as error:
                if mirror.session.ending is None:
                    raise
                pool.dismiss(process)  # it is ending, and that is not known elsewhere yet
                again = not (error.ran or call.shape or mirror.passage.concerns(call.body))
                if not again or trio.current_time() >= until:
                    raise

    async def _call_object(self, call: IncomingCall, credential: tuple[str, bytes] | None) -> bytes:
        passed = call.referent
        assert isinstance(passed, Passed)
        for process, mirror in self._mirrors.items():
            if mirror.session is passed.remote.session:
                target = mirror.passage.referent(call)
                if target is not None:
                    return await self._run(process, mirror, call, target, credential, None)
        raise Unavailable("the worker that held the object has ended", ran=False)

    @staticmethod
    async def _run(
        process: Process,
        mirror: Mirror,
        call: IncomingCall,
        target: str | tuple[int, str],
        credential: tuple[str, bytes] | None,
        plain: Plain | None,
    ) -> bytes:
        process.busy += 1
        try:
            return await mirror.passage.pass_on(
                call,
                mirror.session,
                target,
                credential=credential,
                plain=plain,
                patient=partial(process.leaves, call),
                patience=process.patience,
            )
        finally:
            process.busy -= 1
            if process.leaving:
                process.leaving.pop(call, None)

    def _prove(self, standing: Standing) -> tuple[str, bytes]:
        try:
            proof = (SCHEME, proof_of(standing))
        except ValueRefused as refused:
            raise Unavailable(
                f"who calls can't be told to a worker: {refused.at('claims')}", ran=False
            ) from None
        self._standing, self._proof = standing, proof
        return proof

    @staticmethod
    def failure(call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes | None]:
        """What the caller is told."""
        return failure(call, error)

    def close(self) -> None:
        """The client's session is over."""
        mirrors, self._mirrors = self._mirrors, {}
        for mirror in mirrors.values():
            mirror.session.close()


@asynccontextmanager
async def pools(services: Mapping[str, object], trail: Trail) -> AsyncGenerator[dict[str, Pool]]:
    """The running pools of those of `services` that are Workers, by their names, for as long as the block runs.

    Raises InterfaceError; nothing is left half started.
    """
    found: dict[str, Pool] = {}
    for name, given in services.items():
        hosted = given.hosted if isinstance(given, Untyped) else given
        if isinstance(hosted, Worker):
            found[name] = Pool(name, hosted, trail, allow_untyped=isinstance(given, Untyped))
    if not found:
        yield found
        return
    async with background_tasks() as nursery:
        for pool in found.values():
            await pool.start(nursery)
        yield found


def elsewhere(running: Mapping[str, Pool]) -> Elsewhere | None:
    """What running pools host, for a Host; None without any."""
    if not running:
        return None
    methods = {
        target: Forwarded(pool, shape)
        for pool in running.values()
        for target, shape in pool.description.shapes.items()
    }
    return Elsewhere({name: pool.description.shared for name, pool in running.items()}, methods, Forwarding)
