"""The life of one gateway process, as its master sees it: from its start to its end."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, cast

import trio

from graftwire import Configuration
from graftwire.transport.background import background_tasks

from .channel import Answer, Channel, Leave, Reload, Start
from .failure import Exit, Failure

_log: Final = logging.getLogger("graftwire.cli")

SILENT: Final = 30  # seconds without a sign of life after which a process that serves is killed
PATIENCE: Final = (
    5.0  # seconds for what should happen at once: a killed process, the last words of one that ended
)

# Not `-m`, which would put the current folder before everything: the process imports what its master would.
_CODE: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from graftwire.cli.process import main; "
    "sys.exit(main(sys.argv[2:]))"
)
_OURS_ALONE: Final = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}
)
"""Variables with which a service manager speaks to the master."""


class Life:
    """A process with a number.

    `configuration` is the one that it serves by; `targets` what it hosts; `failure` what it said of its end, if it said
    anything.
    """

    def __init__(self, number: int, configuration: Configuration) -> None:
        self.number = number
        self.configuration = configuration
        self.targets: list[str] = []
        self.failure: Failure | None = None
        self._process: trio.Process | None = None
        self._channel: Channel | None = None
        self._since: float | None = None
        self._heard = False
        self._leaving = False
        self._silent = False
        self._killed = False
        self._answers, self._answered = trio.open_memory_channel[Answer](1)
        self._one = trio.Lock()

    @property
    def serving(self) -> bool:
        """Whether it has said that it serves, and is there."""
        return self._since is not None and self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The number that the system gave it, 0 before its start."""
        return 0 if self._process is None else self._process.pid

    @property
    def how(self) -> str:
        """How it ended, as the words after its name."""
        code = None if self._process is None else self._process.returncode
        if code is None:
            return "could not be started"
        if self._silent:
            return f"gave no sign of life for {SILENT} s and was killed"
        return f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"

    @property
    def badly_ended(self) -> bool:
        """Whether it ended otherwise than it was told to."""
        code = None if self._process is None else self._process.returncode
        return code is not None and code != Exit.DONE and not self._killed

    def seconds_served(self) -> float | None:
        """For how long it has served until now; None if it never did."""
        return None if self._since is None else trio.current_time() - self._since

    async def run(
        self,
        configuration: Configuration,
        sockets: Sequence[socket.socket],
        serves: Callable[[], Awaitable[None]],
    ) -> None:
        """Start it with its own form of the configuration, and wait for its end; calls `serves` when it serves.

        The process is gone when this returns, is cancelled, or raises what `serves` does.
        """
        ours, theirs = socket.socketpair()
        watched, lifeline = os.pipe()
        passed = [theirs.fileno(), watched, *(sock.fileno() for sock in sockets)]
        self._channel = Channel(ours)
        try:
            try:
                self._process = await _started(passed)
            except OSError as error:
                reason = os.strerror(error.errno or 0).lower()
                self.failure = Failure(
                    f"a gateway process can't be started: {reason}", Exit.FAILED, kind="output"
                )
                return
            finally:
                theirs.close()
                os.close(watched)
            if self._leaving:
                self._kill()
            start = Start(self.number, configuration, tuple(sock.fileno() for sock in sockets))
            async with background_tasks() as tasks:
                ended = trio.Event()
                tasks.start_soon(self._hear, start, serves, tasks, ended)
                tasks.start_soon(self._watch)
                await self._process.wait()
                with trio.move_on_after(
                    PATIENCE
                ):  # what was forked off by the user's code may hold the channel open
                    await ended.wait()
        finally:
            self._answers.close()
            os.close(lifeline)
            with trio.CancelScope(shield=True, deadline=trio.current_time() + PATIENCE):
                await self._end()

    async def _end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._channel is not None:
            await self._channel.aclose()

    async def reload(self, configuration: Configuration) -> str | None:
        """Have it go on by its own form of a configuration; returns why it does not, None if it does."""
        async with self._one:
            if self._channel is not None:
                await self._channel.tell(Reload(configuration))
            try:
                answer = await self._answered.receive()
            except trio.EndOfChannel:
                return f"gateway process {self.number} ended while it reloaded"
        if "refused" in answer:
            return str(answer["refused"])
        self.targets = cast("list[str]", answer["reloaded"])
        return None

    async def leave(self, how: Leave) -> None:
        """Tell it to end; one that does not serve yet is ended."""
        self._leaving = True
        if self._process is None or self._channel is None:
            return
        if self._since is None:
            self._kill()
            return
        with trio.move_on_after(PATIENCE):  # one that hangs does not read
            await self._channel.tell(how)

    def _kill(self) -> None:
        assert self._process is not None
        self._killed = True
        self._process.kill()

    async def _hear(
        self, start: Start, serves: Callable[[], Awaitable[None]], tasks: trio.Nursery, ended: trio.Event
    ) -> None:
        assert self._channel is not None
        await self._channel.tell(start)
        while (answer := await self._channel.answer()) is not None:
            self._heard = True
            match answer:
                case {"serving": targets}:
                    self.targets = cast("list[str]", targets)
                    self._since = trio.current_time()
                    tasks.start_soon(serves)
                case {"failure": failure}:
                    self.failure = _failure(cast("Answer", failure))
                case {"reloaded": _} | {"refused": _}:
                    self._answers.send_nowait(answer)
                case _:
                    pass
        self._answers.close()
        ended.set()

    async def _watch(self) -> None:
        """Kill it when it has been silent for too long.

        Counted in turns of this loop, so that a time in which both were stopped, as by Ctrl-Z, is one turn.
        """
        silent = 0
        while silent < SILENT:
            await trio.sleep(1)
            silent = 0 if self._heard or self._since is None else silent + 1
            self._heard = False
        assert self._process is not None
        self._silent = True
        self._process.kill()


async def _started(passed: Sequence[int]) -> trio.Process:
    control, lifeline, *_ = passed
    return await trio.lowlevel.open_process(
        [sys.executable, "-P", "-c", _CODE, json.dumps(sys.path), str(control), str(lifeline)],
        stdin=subprocess.DEVNULL,
        pass_fds=passed,
        env={name: value for name, value in os.environ.items() if name not in _OURS_ALONE},
        process_group=0,  # Ctrl-C is for the master alone, which tells the others
    )


def _failure(told: Answer) -> Failure:
    return Failure(
        str(told["sentence"]),
        int(cast("int", told["code"])),
        kind=str(told["kind"]),
        details=cast("dict[str, object]", told["details"]),
        more=cast("list[str]", told["more"]),
    )
