"""The worker processes of one gateway: one pool for each module, started, kept and ended as its services change."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import trio

from graftwire.transport.background import background_tasks

from ..audit.trail import Trail
from ..host import Elsewhere, Forwarded
from ..members import Untyped
from ..problems import InterfaceError
from .forwarding import Forwarding
from .pool import Pool
from .worker import Worker


@dataclass(eq=False)
class _Running:
    """A pool, and what it was made for."""

    pool: Pool
    worker: Worker
    untyped: bool
    scope: trio.CancelScope
    ended: trio.Event


class NotStarted(InterfaceError):
    """No process for what was to be hosted as `name` has come about."""

    def __init__(self, name: str, *problems: str) -> None:
        super().__init__(*problems)
        self.name = name


class Pools:
    """The pools of one gateway. `open_pools` makes it."""

    def __init__(self, nursery: trio.Nursery, trail: Trail) -> None:
        self._nursery = nursery
        self._trail = trail
        self._current: dict[str, _Running] = {}
        self._prepared: dict[str, _Running] = {}

    async def prepare(self, services: Mapping[str, object]) -> Elsewhere | None:
        """What the Workers among `services` host, once their processes run; None where there is no Worker.

        A pool that runs already for the very same Worker is used again, if all is well with it. Those that are needed
        no more go on until `settle`. Raises NotStarted; then, and if cancelled, nothing new is left.
        """
        wanted = {name: worker_of(given) for name, given in services.items()}
        failed: list[NotStarted] = []

        async def start(name: str, worker: Worker, *, untyped: bool) -> None:
            try:
                self._prepared[name] = await self._nursery.start(self._run, name, worker, untyped)
            except InterfaceError as error:
                failed.append(NotStarted(name, *error.problems))

        self._prepared = {}
        try:
            async with trio.open_nursery() as starting:
                for name, worker in wanted.items():
                    if worker is None:
                        continue
                    untyped = isinstance(services[name], Untyped)
                    kept = self._current.get(name)
                    if kept and (kept.worker, kept.untyped) == (worker, untyped) and kept.pool.sound:
                        self._prepared[name] = kept
                    else:
                        starting.start_soon(partial(start, name, worker, untyped=untyped))
        except BaseException:
            await self.discard()
            raise
        if failed:
            await self.discard()
            raise failed[0]
        return _elsewhere({name: self._prepared[name].pool for name in wanted if name in self._prepared})

    def settle(self, patience: float) -> None:
        """Go on with what was prepared; other pools end with the calls that they run, or after `patience` seconds."""
        for name, running in self._current.items():
            if self._prepared.get(name) is not running:
                self._nursery.start_soon(_retire, running, patience)
        self._current = self._prepared

    def end(self) -> None:
        """End all processes, each in the time that it gets for that; what they still run was to have ended by now."""
        for running in {**self._current, **self._prepared}.values():
            running.scope.cancel()

    async def discard(self) -> None:
        """End what was prepared and is not in use, as if it had never begun."""
        new = [each for name, each in self._prepared.items() if self._current.get(name) is not each]
        self._prepared = self._current
        for running in new:
            running.scope.cancel()
        # Shielded, because nothing is to be left half started; bounded by the time that processes get to end in.
        with trio.CancelScope(shield=True):
            for running in new:
                await running.ended.wait()

    async def _run(
        self, name: str, worker: Worker, untyped: bool, task_status: trio.TaskStatus[_Running]
    ) -> None:
        pool = Pool(name, worker, self._trail, allow_untyped=untyped)
        ended = trio.Event()
        try:
            with trio.CancelScope() as scope:
                async with background_tasks() as nursery:
                    await pool.start(nursery)
                    task_status.started(_Running(pool, worker, untyped, scope, ended))
                    await trio.sleep_forever()
        finally:
            ended.set()


async def _retire(running: _Running, patience: float) -> None:
    with trio.move_on_after(patience):
        await running.pool.wait_idle()
    running.scope.cancel()


@asynccontextmanager
async def open_pools(trail: Trail) -> AsyncGenerator[Pools]:
    """A place for pools, whose processes live no longer than the block. What becomes of them is written to `trail`."""
    async with background_tasks() as nursery:
        yield Pools(nursery, trail)


def worker_of(given: object) -> Worker | None:
    """The Worker that a service is, as `serve` takes services; None for what runs in this process."""
    hosted = given.hosted if isinstance(given, Untyped) else given
    return hosted if isinstance(hosted, Worker) else None


def here(services: Mapping[str, object]) -> dict[str, object]:
    """Those of `services` that run in this process."""
    return {name: given for name, given in services.items() if worker_of(given) is None}


def one_process_each(services: Mapping[str, object]) -> dict[str, object]:
    """The same services, with workers of one process: enough to see what they host."""
    found = dict(services)
    for name, given in services.items():
        worker = worker_of(given)
        if worker is not None:
            one = replace(worker, count=1)
            found[name] = Untyped(one) if isinstance(given, Untyped) else one
    return found


def _elsewhere(pools: Mapping[str, Pool]) -> Elsewhere | None:
    if not pools:
        return None
    methods = {
        target: Forwarded(pool, shape)
        for pool in pools.values()
        for target, shape in pool.description.shapes.items()
    }
    rules = {target: roles for pool in pools.values() for target, roles in pool.description.rules.items()}
    return Elsewhere(
        {name: pool.description.shared for name, pool in pools.items()}, methods, rules, Forwarding
    )
