"""One worker process: started, spoken to, watched, and ended for certain."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
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
from .inside import CONTROL, OWN, PATIENT
from .introduction import Introduction, to_bytes
from .memory import resident
from .mirror import Mirror
from .worker import Worker

_log: Final = logging.getLogger("graftwire.gateway")

GONE: Final = 5.0  # seconds that the system gets to end a process that was killed
LOOK: Final = 0.5  # seconds between two looks at what a process does
PARTS: Final = 10  # in which the time for a sign of life is waited for


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
        self._handing = trio.Lock()
        self._control: Session | None = None
        self._nursery: trio.Nursery | None = None
        self._why: str | None = None
        self.pid = 0
        self.busy = 0
        self.leaving: dict[IncomingCall, float] = {}

    async def run(self, ready: Callable[[Process, Description], None]) -> str:
        """Start it, say `ready` when it can be called, and return why it has ended, once it has.

        Raises InterfaceError if it does not get that far. If cancelled, it gets the time that `stop` gives to end.
        """
        with ExitStack() as stack:
            try:
                process, control = await self._start(stack)
            except OSError as error:  # no more processes or descriptors, no memory: nothing of the worker's
                why = os.strerror(error.errno or 0).lower()
                raise InterfaceError(f"no process could be started for {self._name}: {why}") from None
            self.pid = process.pid
            try:
                return await self._attend(process, control, ready)
            finally:
                await self._end(process)

    async def _start(self, stack: ExitStack) -> tuple[trio.Process, socket.socket]:
        """The process, and this end of its control session; what is opened is closed with the stack."""
        control, control_there = socket.socketpair()
        stack.callback(control.close)
        with ExitStack() as theirs:
            theirs.callback(control_there.close)
            self._channel, channel_there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            stack.callback(self._channel.close)
            theirs.callback(channel_there.close)
            self._channel.setblocking(False)
            life_there, life_here = os.pipe()
            stack.callback(os.close, life_here)
            theirs.callback(os.close, life_there)
            there = (control_there.fileno(), channel_there.fileno(), life_there)
            process = await trio.lowlevel.open_process(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "graftwire.gateway.workers.main",
                    *map(str, there),
                    str(os.getpid()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=2,
                stderr=2,
                pass_fds=there,
                process_group=0,  # what is typed at the gateway's terminal is for the gateway
            )
        return process, control

    async def _attend(
        self, process: trio.Process, sock: socket.socket, ready: Callable[[Process, Description], None]
    ) -> str:
        control = Session(SocketLink(sock, OWN), Role.INITIATOR, limits=CONTROL, timing=PATIENT)
        try:
            async with background_tasks() as nursery:
                nursery.start_soon(control.run)
                description = await self._describe(control)
                self._nursery, self._control = nursery, control
                ready(self, description)
                nursery.start_soon(self._watch_answers, control, process)
                nursery.start_soon(self._watch_looks, process)
                await process.wait()
        finally:
            self._nursery = None
        return self._why or _exit(process.returncode)

    async def _describe(self, control: Session) -> Description:
        # bytes, because the name of a folder need not be text
        path = [os.fsencode(each) for each in sys.path]
        body = values.encode_arguments((self._name, self._worker.what, path, self._allow_untyped), {})
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
    def up(self) -> bool:
        """Whether it can be called, as far as is known."""
        control = self._control
        return (
            self._nursery is not None and self._why is None and control is not None and control.ending is None
        )

    @property
    def patience(self) -> float:
        """Seconds after which a call that was cancelled has ended, one way or another: with the process at the latest.

        The call has `hang` to end in by itself; then two looks find out, and the process is killed.
        """
        return self._worker.hang + 2 * LOOK + GONE

    def leaves(self, call: IncomingCall) -> None:
        """A call was cancelled: it has to end in time, or the process hangs."""
        self.leaving[call] = trio.current_time() + self._worker.hang

    # --- sessions ----------------------------------------------------------------------------------------------------

    def mirror(self, client: Session) -> Mirror:
        """A session with it that goes with `client`. Raises Unavailable if it has ended, or nothing can be opened."""
        nursery, channel = self._nursery, self._channel
        if nursery is None or channel is None:
            raise Unavailable("the worker has ended", ran=False)
        try:
            here, there = socket.socketpair()
        except OSError as error:
            raise Unavailable("the gateway can open no more sockets", ran=False) from error
        mirror = Mirror(client, here)
        message = to_bytes(
            Introduction(client.facts, client.limits.stream_credit, client.limits.session_credit)
        )
        nursery.start_soon(mirror.run, partial(self._hand_over, channel, message, there))
        return mirror

    async def _hand_over(self, channel: socket.socket, message: bytes, there: socket.socket) -> bool:
        """Give it its end of a session, as soon as it takes one; False if it has ended."""
        try:
            async with self._handing:
                while True:
                    try:
                        socket.send_fds(channel, [message], [there.fileno()], socket.MSG_DONTWAIT)
                    except BlockingIOError:  # it has not read those before yet; if it never does, it hangs
                        await trio.lowlevel.wait_writable(channel)
                    else:
                        return True
        except OSError:
            return False
        finally:
            there.close()

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
            if not await self._answers(control):
                self.kill(process, f"did not answer for {hang:g} s")
            elif control.ending is not None:
                await trio.sleep(self._worker.stop)  # it is ending, and has said so
                self.kill(process, "ended its link and did not end")

    async def _answers(self, control: Session) -> bool:
        """Whether it gives a sign of life in time.

        It is waited for in parts: where this process itself stood still (stopped, or blocked by what it hosts), that
        uses up one of them, and the answer that has come meanwhile is read in the next.
        """
        for _ in range(PARTS):
            with trio.move_on_after(self._worker.hang / PARTS), suppress(CallError):
                await control.ping()
                return True
            if control.ending is not None:
                return True
        return False

    async def _watch_looks(self, process: trio.Process) -> None:
        worker = self._worker
        late: set[IncomingCall] = set()
        while True:
            await trio.sleep(LOOK)
            before, late = late, self._late()
            if not before.isdisjoint(
                late
            ):  # twice: what came while this process stood still was read meanwhile
                self.kill(process, f"did not end a call within {worker.hang:g} s after it was cancelled")
            if worker.memory is not None:
                taken = await resident(process.pid)
                if taken > worker.memory:
                    self.kill(process, f"took {taken} bytes of memory, of {worker.memory} that it may")

    def _late(self) -> set[IncomingCall]:
        now = trio.current_time()
        return {call for call, until in self.leaving.items() if until < now}

    async def _end(self, process: trio.Process) -> None:
        """See to it that it is no more. Shielded, because a process must not outlive who has started it."""
        with trio.CancelScope(shield=True):
            if process.returncode is None and self._why is None:
                with trio.move_on_after(self._worker.stop):
                    await process.wait()
            _kill(process)
            # what was killed ends as soon as the system finds the time
            with trio.move_on_after(GONE) as waiting:
                await process.wait()
            if waiting.cancelled_caught:
                _log.error("the worker %d for %s was killed, and is still there", process.pid, self._name)


def _kill(process: trio.Process) -> None:
    """Kill a process with all that it has started, which is in its group; of one that has ended, what it left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _exit(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"exited with code {code}"
