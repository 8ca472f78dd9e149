"""One of several gateway processes: serves what its master tells it to, and ends when the master does.

`processes.py` is the master. Signals are for the master alone; here they do nothing, so that those which a terminal or
a service manager sends to everybody do not count twice.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from typing import Final

import trio

from graftwire import Configuration, ConfigurationError, ConfiguredGateway, Error, InterfaceError
from graftwire.gateway.configuration.serving import serve as serve_configured
from graftwire.transport.background import background_tasks

from .channel import Channel, Leave, Reload, Start
from .failure import Exit, Failure, of_defect, of_library, of_problems
from .output import log_to_stderr
from .running import SIGNALS
from .serve import GRACE, RELOAD, leave_behind

_log: Final = logging.getLogger("graftwire.cli")

SIGN_OF_LIFE: Final = 1.0  # seconds between two of them


def main(arguments: Sequence[str]) -> int:
    """Be the process that `processes.py` has started; `arguments` are two descriptors: the channel, and the lifeline.

    Returns the exit code.
    """
    control, lifeline = map(int, arguments)
    for descriptor in (control, lifeline):
        os.set_inheritable(descriptor, False)  # what the user's code starts has no business with them
    for number in (*SIGNALS, *((RELOAD,) if RELOAD is not None else ())):
        signal.signal(number, _nothing)  # no SIG_IGN, which programs that are started here would inherit
    bound = _Bound()
    threading.Thread(target=bound.watch, args=(lifeline,), daemon=True).start()
    return trio.run(_run, socket.socket(fileno=control), bound)


def _nothing(*_: object) -> None:
    pass


class _Bound:
    """The last resort when the master is gone and the event loop hangs: seconds after which the process ends anyway."""

    def __init__(self) -> None:
        self.seconds = GRACE

    def watch(self, lifeline: int) -> None:
        """Wait for the end of the master, whose end of the pipe nobody else has and nobody writes to."""
        os.read(lifeline, 1)
        time.sleep(self.seconds)
        os._exit(Exit.FAILED)


async def _run(control: socket.socket, bound: _Bound) -> int:
    channel = Channel(control)
    try:
        start = await channel.order()
        if not isinstance(start, Start):
            return Exit.DONE
        log_to_stderr(f"process {start.number}")
        await _Process(channel, start.configuration, bound).serve(_sockets(start.sockets))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Failure as failure:
        return await _failed(channel, failure)
    except Exception as error:  # noqa: BLE001 - a user never gets a traceback
        return await _failed(channel, _failure(error))
    finally:
        await channel.aclose()
    return Exit.DONE


def _sockets(descriptors: Sequence[int]) -> list[socket.socket]:
    for each in descriptors:
        os.set_inheritable(each, False)
    return [socket.socket(fileno=each) for each in descriptors]


def _failure(error: Exception) -> Failure:
    match error:
        case InterfaceError():
            return of_problems(error)
        case ConfigurationError():
            return Failure(str(error), kind="configuration")
        case Error():
            return of_library(error)
        case _:
            return of_defect(error)


async def _failed(channel: Channel, failure: Failure) -> int:
    """Let the master say it, once for all processes."""
    await channel.say(
        failure={
            "sentence": failure.sentence,
            "more": list(failure.more),
            "code": int(failure.code),
            "kind": failure.kind,
            "details": failure.details,
        }
    )
    return failure.code


class _Process:
    """What is told to this process, and what becomes of it."""

    def __init__(self, channel: Channel, configuration: Configuration, bound: _Bound) -> None:
        self._channel = channel
        self._configuration = configuration
        self._bound = bound
        self._leave = trio.Event()
        self._hurry = trio.CancelScope()

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """Serve until it is time to leave. Raises ConfigurationError, InterfaceError."""
        self._drain_changed(self._configuration)
        last_resort: threading.Timer | None = None
        async with background_tasks() as tasks:
            try:
                with self._hurry:
                    async with serve_configured(self._configuration, sockets) as running:
                        await self._channel.say(serving=running.gateway.targets)
                        tasks.start_soon(self._live)
                        tasks.start_soon(self._follow, running, tasks)
                        await self._leave.wait()
                        last_resort = threading.Timer(self._bound.seconds, leave_behind)
                        last_resort.daemon = True
                        last_resort.start()
            finally:
                if last_resort is not None:
                    last_resort.cancel()

    async def _live(self) -> None:
        while True:
            await self._channel.say(alive=True)
            await trio.sleep(SIGN_OF_LIFE)

    async def _follow(self, running: ConfiguredGateway, tasks: trio.Nursery) -> None:
        while True:
            match await self._channel.order():
                case Reload(configuration):
                    tasks.start_soon(self._reload, running, configuration)
                case Leave.IN_TIME:
                    self._leave.set()
                case Leave.NOW:
                    self._leave.set()
                    self._hurry.cancel()
                case _:
                    break
        if self._hurry.cancel_called:
            os._exit(Exit.FAILED)  # the master was ended by force, after it was told to hurry
        if not self._leave.is_set():
            _log.warning("the master process is gone; leaving: running calls get their time")
            self._leave.set()

    async def _reload(self, running: ConfiguredGateway, configuration: Configuration) -> None:
        try:
            await running.reload(configuration)
        except (ConfigurationError, InterfaceError) as error:
            await self._channel.say(refused=str(error))
        else:
            self._drain_changed(configuration)
            await self._channel.say(reloaded=running.gateway.targets)

    def _drain_changed(self, configuration: Configuration) -> None:
        self._bound.seconds = configuration.number("gateway.drain") + GRACE
