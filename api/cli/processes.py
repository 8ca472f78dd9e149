"""`graftwire serve --workers N`: the master of N gateway processes that listen at the same addresses.

The master hosts nothing and imports nothing of the user's. It holds the listening sockets, and the configuration that
all processes were given last: one that is started again gets the same, whatever stands in the file by then.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Final

import trio

from graftwire import Configuration, ConfigurationError, InterfaceError, LinkError
from graftwire.gateway.configuration import making
from graftwire.gateway.configuration.checks import check, check_restart
from graftwire.gateway.configuration.processes import LISTEN, WORKERS, check_processes, of_process
from graftwire.gateway.configuration.serving import check_sockets
from graftwire.gateway.systemd import Notifier, inherited
from graftwire.transport.background import background_tasks
from graftwire.transport.sharing import SharedAddress, share

from .channel import Leave
from .failure import Exit, Failure
from .life import Life
from .output import json_line, line
from .running import SIGNALS
from .serve import GRACE, RELOAD, Load, watchdog

_log: Final = logging.getLogger("graftwire.cli")

FIRST_PAUSE: Final = 0.1  # seconds before a process that ended is started again; doubles each time
LONGEST_PAUSE: Final = 30.0
HEALTHY: Final = 60.0  # seconds of service after which the pause is the first one again
MARGIN: Final = 2.0  # seconds that the processes get for their last resort, before the master has its own


async def serve(load: Load, configuration: Configuration, *, as_json: bool) -> None:
    """Serve in as many processes as the configuration says; returns when a signal came and all of them have ended.

    Raises ConfigurationError, or Failure for what the processes say, when nothing was begun or all has ended again;
    and Failure without a sentence where one of them did not end as it should.
    """
    check_processes(configuration)
    making.tls_context(configuration)
    notifier = Notifier(os.environ)
    handed = inherited(os.environ)
    check_sockets(configuration, handed)
    async with AsyncExitStack() as stack:
        # before anything is bound, so that no signal ends this process with the file of a Unix socket left behind
        numbers = (*SIGNALS, *((RELOAD,) if RELOAD is not None else ()))
        signals = stack.enter_context(trio.open_signal_receiver(*numbers))
        addresses: list[SharedAddress] = []
        stack.callback(_close, addresses)
        for url in configuration.urls:
            try:
                addresses.append(await share(url, configuration.count(WORKERS), handed))
            except LinkError as error:
                raise ConfigurationError(f"{configuration.at(LISTEN)}{error}") from None
        tasks = await stack.enter_async_context(background_tasks())
        master = Master(load, configuration, addresses, notifier, tasks, as_json=as_json)
        await master.run(signals)


def _close(addresses: Sequence[SharedAddress]) -> None:
    for address in addresses:
        address.close()


class Master:
    """Starts the processes, again where one ends, and tells them what a signal says. `tasks` are for what it does."""

    def __init__(
        self,
        load: Load,
        configuration: Configuration,
        addresses: Sequence[SharedAddress],
        notifier: Notifier,
        tasks: trio.Nursery,
        *,
        as_json: bool,
    ) -> None:
        self._load = load
        self._configuration = configuration
        self._addresses = addresses
        self._notifier = notifier
        self._tasks = tasks
        self._as_json = as_json
        self._count = configuration.count(WORKERS)
        self._lives: dict[int, Life] = {}
        self._kept = self._count
        self._all_serve = trio.Event()
        self._all_ended = trio.Event()
        self._news = trio.Event()  # ends the pauses between two lives
        self._one = trio.Lock()
        self._leaving = False
        self._failure: Failure | None = None
        self._lost = False
        self._failed = trio.CancelScope()

    async def run(self, signals: AsyncIterator[int]) -> None:
        """Until a signal ends it. Raises Failure."""
        with self._failed:
            for number in range(1, self._count + 1):
                self._tasks.start_soon(self._keep, number)
            self._tasks.start_soon(self._announce)
            async for number in signals:
                if number != RELOAD:
                    break
                self._tasks.start_soon(self._reload)
            await self._leave(signals)
        if self._failure is not None:
            raise self._failure
        if self._lost:
            raise Failure("", Exit.FAILED)

    def _fail(self, failure: Failure) -> None:
        """End it all."""
        self._failure = self._failure or failure
        self._failed.cancel()

    # ---------------------------------------------------------------- one process after the other

    async def _keep(self, number: int) -> None:
        """Have a process with this number, until it is time to leave."""
        pause = FIRST_PAUSE
        while not self._leaving:
            life = await self._live(number)
            if self._leaving:
                if life.badly_ended:
                    self._lost = True
                    _log.error("gateway process %d %s", number, life.how)
                break
            served = life.seconds_served()
            if served is None and not self._all_serve.is_set():
                self._fail(life.failure or Failure(f"gateway process {number} {life.how} before it served"))
                break
            if served is None:
                # it would keep callers waiting; the others take them
                for address in self._addresses:
                    address.drop(number)
            pause = FIRST_PAUSE if served is not None and served >= HEALTHY else pause
            why = f": {life.failure.sentence}" if life.failure is not None else ""
            _log.error("gateway process %d %s, and is started again in %g s%s", number, life.how, pause, why)
            with trio.move_on_after(pause):
                await self._news.wait()
            pause = min(2 * pause, LONGEST_PAUSE)
        self._kept -= 1
        if not self._kept:
            self._all_ended.set()

    async def _live(self, number: int) -> Life:
        """One process, from its start to its end."""
        life = Life(number, self._configuration)
        self._lives[number] = life
        try:
            for address in self._addresses:
                await address.renew(number)
            sockets = [sock for address in self._addresses for sock in address.sockets(number)]
            urls = [url for address in self._addresses for url in address.urls]
            await life.run(of_process(life.configuration, number, urls), sockets, lambda: self._serves(life))
        except LinkError as error:
            life.failure = Failure(str(error), kind="link")
        finally:
            del self._lives[number]
        return life

    async def _serves(self, life: Life) -> None:
        """A process has begun to serve."""
        async with self._one:
            if life.configuration is not self._configuration:  # there was a reload since it was started
                await self._reload_one(life, self._configuration)
        if self._all_serve.is_set():
            _log.info("gateway process %d serves again", life.number)
        elif len([each for each in self._lives.values() if each.serving]) == self._count:
            self._all_serve.set()

    async def _announce(self) -> None:
        """Say where it listens, when all of them serve."""
        await self._all_serve.wait()
        try:
            for address in self._addresses:
                json_line({"listening": address.url.text}) if self._as_json else line(
                    f"listening {address.url}"
                )
        except Failure as failure:
            self._fail(failure)
            return
        _log.info("%d gateway processes serve: %s", self._count, self._pids())
        self._log_hosted()
        if self._notifier.watchdog is not None:
            self._tasks.start_soon(watchdog, self._notifier, self._notifier.watchdog)
        self._notifier.ready()

    def _pids(self) -> str:
        return ", ".join(f"{life.number} is pid {life.pid}" for _, life in sorted(self._lives.items()))

    def _log_hosted(self) -> None:
        for life in self._lives.values():
            if life.serving:
                _log.info("hosting %s", ", ".join(life.targets))
                return

    # ---------------------------------------------------------------- what signals ask for

    async def _reload(self) -> None:
        """Read the configuration again, and give it to the processes: to one first, to the others if that takes it."""
        await self._all_serve.wait()
        async with self._one:
            if self._leaving:
                return
            self._notifier.reloading()
            try:
                configuration = self._load()
                self._check(configuration)
                await self._spread(configuration)
            except (ConfigurationError, InterfaceError) as error:
                _log.error("nothing was reloaded, and all goes on as before: %s", error)
            if not self._leaving:
                self._notifier.ready()

    def _check(self, configuration: Configuration) -> None:
        """All that can be told without the user's code. Raises ConfigurationError."""
        check(configuration)
        check_restart(self._configuration, configuration)
        if configuration.texts(LISTEN) != self._configuration.texts(LISTEN):
            raise ConfigurationError(
                f"{configuration.at(LISTEN)}listen can't change while several gateway processes run; restart them"
            )
        making.tls_context(configuration)

    async def _spread(self, configuration: Configuration) -> None:
        """Raises ConfigurationError where the first process does not take it, and then no other is asked."""
        first, *others = [life for _, life in sorted(self._lives.items()) if life.serving] or [None]
        if first is not None:
            refusal = await first.reload(self._of(first, configuration))
            if refusal is not None:
                raise ConfigurationError(refusal)
            first.configuration = configuration
            _log.info("gateway process %d reloaded", first.number)
        self._configuration = configuration
        self._news.set()  # one that could not be started may be able to, now
        self._news = trio.Event()
        async with trio.open_nursery() as nursery:
            for life in others:
                if life is not None:
                    nursery.start_soon(self._reload_one, life, configuration)
        _log.info("reloaded; listening at %s", ", ".join(address.url.text for address in self._addresses))
        self._log_hosted()

    async def _reload_one(self, life: Life, configuration: Configuration) -> None:
        refusal = await life.reload(self._of(life, configuration))
        if refusal is None:
            life.configuration = configuration
            _log.info("gateway process %d reloaded", life.number)
        else:
            _log.error(
                "gateway process %d goes on with the configuration from before, unlike others; mend that and reload, "
                "or restart: %s",
                life.number,
                refusal,
            )

    def _of(self, life: Life, configuration: Configuration) -> Configuration:
        urls = [url for address in self._addresses for url in address.urls]
        return of_process(configuration, life.number, urls)

    async def _leave(self, signals: AsyncIterator[int]) -> None:
        """Let the processes end within the bound, and end those that do not."""
        self._leaving = True
        self._news.set()
        drain = self._configuration.number("gateway.drain")
        _log.info("leaving: running calls get %g s", drain)
        self._notifier.stopping()
        _close(self._addresses)  # before the processes do: what they close is closed then
        for life in list(self._lives.values()):
            await life.leave(Leave.IN_TIME)
        self._tasks.start_soon(self._hurry, signals)
        with trio.move_on_after(drain + GRACE + MARGIN):
            await self._all_ended.wait()
            return
        for number in sorted(self._lives):
            _log.error("gateway process %d did not end in time, and is killed", number)
        self._lost = True

    async def _hurry(self, signals: AsyncIterator[int]) -> None:
        """A second signal cuts the drain short; a third one ends this process as if nobody caught it, and all."""
        async for number in signals:
            if number != RELOAD:
                break
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        for life in list(self._lives.values()):
            await life.leave(Leave.NOW)
