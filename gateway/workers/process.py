"""One worker process: started, spoken to, watched, and ended for certain."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast

import trio

from graftwire.protocol import values
from graftwire.protocol.connection import Role
from graftwire.protocol.errors import CallError, Unavailable
from graftwire.transport.background import background_tasks
from graftwire.transport.incoming import IncomingCall
from graftwire.transport.session import Session
from graftwire.transport.sockets import SocketLink

from ..metadata.model import MetadataError
from ..problems import InterfaceError
from .description import Description
from .memory import resident
from .mirror import INSIDE, OWN, PATIENT, Mirror
from .passed_facts import facts_to_bytes
from .worker import Worker

_log: Final = logging.getLogger("graftwire.gateway")

GONE: Final = 5.0  # seconds that the system gets to end a process that was killed
LOOK: Final = 0.5  # seconds between two looks at what a process does


class Process:
    """A worker process for what is hosted as `name`.

    `pid` is its number; `busy` how many calls it runs; `leaving` are those of them that were cancelled, and until when
    each has to have ended, in seconds on trio's clock.
    """

    def __init__(self, name: str, worker: Worker, *, allow_untyped: bool) -> None:
        self._name = name
        self._worker = worker
        self._allow_untyped = allow_untyped
        self._channel: socket.socket | None = None
        self._nursery: trio.Nursery | None = None
        self._why: str | None = None
        self.pid = 0
        self.busy = 0
        self.idle = trio.lowlevel.ParkingLot()  # for who waits until it is not
        self.leaving: dict[IncomingCall, float] = {}

    async def run(self, ready: Callable[[Process, Description], None]) -> str:
        """Start it, say `ready` when it can be called, and return why it has ended, once it has.

        Raises InterfaceError if it does not get that far. If cancelled, it gets the time that `stop` gives to end.
        """
        control_here, control_there = socket.socketpair()
        self._channel, channel_there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        life_there, life_here = os.pipe()
        there = (control_there.fileno(), channel_there.fileno(), life_there)
        try:
            try:
                process = await trio.lowlevel.open_process(
                    [sys.executable, "-P", "-m", "graftwire.gateway.workers.main", *map(str, there)],
                    stdin=subprocess.DEVNULL,
                    stdout=2,
                    stderr=2,
                    pass_fds=there,
                    process_group=0,  # what is typed at the gateway's terminal is for the gateway
                )
            finally:
                control_there.close()
                channel_there.close()
                os.close(life_there)
            self.pid = process.pid
            try:
                return await self._attend(process, control_here, ready)
            finally:
                await self._end(process)
        finally:
            self._channel.close()
            control_here.close()
            os.close(life_here)

    async def _attend(
        self, process: trio.Process, sock: socket.socket, ready: Callable[[Process, Description], None]
    ) -> str:
        control = Session(SocketLink(sock, OWN), Role.INITIATOR, limits=INSIDE, timing=PATIENT)
        try:
            async with background_tasks() as nursery:
                nursery.start_soon(control.run)
                description = await self._describe(control)
                self._nursery = nursery
                ready(self, description)
                nursery.start_soon(self._watch_answers, control, process)
                nursery.start_soon(self._watch_looks, process)
                await process.wait()
        finally:
            self._nursery = None
        return self._why or _exit(process.returncode)

    async def _describe(self, control: Session) -> Description:
        body = values.encode_arguments((self._name, self._worker.what, sys.path, self._allow_untyped), {})
        try:
            with trio.fail_after(self._worker.start):
                answer = cast("list[Any]", values.decode(await control.request("start", body)))
            match answer:
                case [True, plain]:
                    return Description.from_plain(plain)
                case [False, [*problems]]:
                    raise InterfaceError(*map(str, problems))
                case _:
                    raise TypeError
        except trio.TooSlowError:
            why = f"did not say what it hosts within {self._worker.start:g} s"
        except CallError as error:
            why = f"ended before it could say what it hosts ({error})"
        except (MetadataError, TypeError, ValueError):
            why = "said what no worker of this version says"
        raise InterfaceError(f"the worker for {self._name} ({self._worker.what}) {why}; its output says more")

    @property
    def patience(self) -> float:
        """Seconds that a call gets to end in, once it was cancelled."""
        return self._worker.hang

    def leaves(self, call: IncomingCall) -> None:
        """A call was cancelled: it has to end in time, or the process hangs."""
        self.leaving[call] = trio.current_time() + self._worker.hang

    # --- sessions ----------------------------------------------------------------------------------------------------

    def mirror(self, client: Session) -> Mirror:
        """A session with it that goes with `client`. Raises Unavailable if it has ended."""
        if self._nursery is None or self._channel is None:
            raise Unavailable("the worker has ended", ran=False)
        here, there = socket.socketpair()
        try:
            socket.send_fds(
                self._channel, [facts_to_bytes(client.facts)], [there.fileno()], socket.MSG_DONTWAIT
            )
        except OSError as error:
            here.close()
            raise Unavailable("the worker takes no session just now", ran=False) from error
        finally:
            there.close()
        mirror = Mirror(client, here)
        self._nursery.start_soon(mirror.run)
        return mirror

    # --- its end -----------------------------------------------------------------------------------------------------

    def kill(self, process: trio.Process, why: str) -> None:
        """End it at once, with what it has started."""
        if self._why is None:
            self._why = why
        _kill(process)

    async def _watch_answers(self, control: Session, process: trio.Process) -> None:
        hang = self._worker.hang
        while True:
            await trio.sleep(min(1.0, hang / 2))
            with trio.move_on_after(hang) as scope, suppress(CallError):
                await control.ping()
            if scope.cancelled_caught:
                self.kill(process, f"did not answer for {hang:g} s")
            elif control.ending is not None:
                await trio.sleep(self._worker.stop)  # it is ending, and has said so
                self.kill(process, "ended its link and did not end")

    async def _watch_looks(self, process: trio.Process) -> None:
        worker = self._worker
        while True:
            await trio.sleep(LOOK)
            if self.leaving and min(self.leaving.values()) < trio.current_time():
                self.kill(process, f"did not end a call within {worker.hang:g} s after it was cancelled")
            if worker.memory is not None:
                taken = await resident(process.pid)
                if taken > worker.memory:
                    self.kill(process, f"took {taken} bytes of memory, of {worker.memory} that it may")

    async def _end(self, process: trio.Process) -> None:
        """See to it that it is no more. Shielded, because a process must not outlive who has started it."""
        with trio.CancelScope(shield=True):
            if process.returncode is None and self._why is None:
                with trio.move_on_after(self._worker.stop):
                    await process.wait()
            _kill(process)
            with trio.move_on_after(
                GONE
            ) as waiting:  # what was killed so ends as soon as the system finds the time
                await process.wait()
            if waiting.cancelled_caught:
                _log.error("the worker %d for %s was killed, and is still there", process.pid, self._name)


def _kill(process: trio.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _exit(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"exited with code {code}"
