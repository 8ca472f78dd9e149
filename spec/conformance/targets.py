"""Targets as the runner sees them: started, asked, watched, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import trio

from graftwire.protocol.errors import ErrorCode

from .certificates import Certificates
from .errors import HarnessError, TargetEnded, TargetSilent
from .launch import CANARY_VARIABLE, Asked, Opening, Ready, TlsFiles, Told, line
from .roles import Link, Role
from .secrecy import Secrecy
from .setups import SETUPS, Secrets, Setup
from .visible import printable

READY_WITHIN: Final = 20.0  # seconds for the answer to the opening
GRACE: Final = 5.0  # seconds beyond its drain that a target gets to end by itself
STARTS: Final = 4  # of one target in one run: the first, and three for those that end in the middle
STARTING: Final = 2  # targets that get ready at a time
LARGEST_LINE: Final = 2**24  # bytes; a target that writes a longer one floods
STDERR_KEPT: Final = 65_536  # bytes of standard error
# Characters of it that are left out if there was more: a secret may have been cut in two there.
STDERR_CUT: Final = 256
LAST_LINES: Final = 20  # of standard error, and so many bytes, that are kept with a result
LAST_BYTES: Final = 4_096
LAST_ANSWERS: Final = 0.1  # seconds in which the last lines of a process that has ended are read
ORIGIN: Final = "https://listed.example"


@dataclass(frozen=True)
class World:
    """What all targets of a run share."""

    command: Sequence[str]
    links: tuple[Link, ...]
    certificates: Certificates
    secrets: Secrets
    directory: Path
    secrecy: Secrecy


class Target:
    """A target that is ready; made by `start` and `attached`.

    `urls` are an acceptor's addresses by link. `implements` None: everything. `attached`: it was not started here, so
    there is no process to look at and nobody to give commands to, and `refuses` is the code with which it refuses to be
    called as targets are (None: it does not).
    """

    def __init__(self, role: Role, setup: Setup, secrecy: Secrecy) -> None:
        self.role = role
        self.setup = setup
        self._secrecy = secrecy
        self.urls: dict[Link, str] = {}
        self.implements: frozenset[str] | None = None
        self.name = ""
        self.unable: str | None = None
        self.attached = False
        self.refuses: ErrorCode | None = None
        self.process: trio.Process | None = None
        self.ended = trio.Event()
        self._stderr = b""
        self._stderr_cut = False
        self._silent = trio.Event()
        self._answers: dict[int, trio.MemorySendChannel[Told]] = {}
        self._next = 0
        self._lines = b""
        self._writing = trio.Lock()
        self._half_said = False  # a line was begun, and the target did not read it to its end in time
        self._flooded = False

    @property
    def last_words(self) -> str:
        """The last lines that it wrote to standard error: no secret, and nothing that acts on a terminal."""
        text = self._secrecy.text(self._stderr)[STDERR_CUT if self._stderr_cut else 0 :]
        lines = text.rstrip().splitlines()[-LAST_LINES:]
        data = "\n".join(printable(each.rstrip()) for each in lines).encode()
        cut = len(data) > LAST_BYTES
        return ("…" if cut else "") + data[-LAST_BYTES:].decode("utf-8", "ignore")

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return not self.ended.is_set()

    def why_ended(self) -> TargetEnded:
        """The sentence about its end."""
        code = None if self.process is None else self.process.returncode
        if self._flooded:
            return TargetEnded(f"the target wrote a line of more than {LARGEST_LINE >> 20} MiB")
        if code is None:
            return self._ended("the target has closed its standard output")
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        return self._ended(f"the target ended ({how})")

    def _ended(self, sentence: str) -> TargetEnded:
        return TargetEnded(sentence, self.last_words)

    async def ask(self, asked: Asked) -> Asking:
        """Ask an initiator for an activity. Raises TargetEnded."""
        self._next += 1
        id = self._next  # others ask while this is being written
        send, receive = trio.open_memory_channel[Told](1)
        self._answers[id] = send
        await self._write(line(msgspec.structs.replace(asked, id=id)))
        return Asking(self, id, receive)

    async def leave(self, id: int) -> None:
        """Ask it to leave the session of an activity. Raises TargetEnded."""
        await self._write(line({"id": id, "leave": True}))

    async def say(self, name: str) -> None:
        """Give an acceptor a command, and do not wait for an answer. Raises TargetEnded."""
        await self._write(line({"command": name}))

    async def _write(self, data: bytes) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        async with self._writing:
            if self._half_said:
                raise TargetEnded("the target does not read its standard input")
            self._half_said = True
            try:
                await self.process.stdin.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                await self._gone()
                raise self.why_ended() from None
            self._half_said = False

    async def _gone(self) -> None:
        """Give the system a moment to say how the process ended, and the last that it wrote a moment to come."""
        with trio.move_on_after(1):
            assert self.process is not None
            await self.process.wait()
            await self._silent.wait()

    async def _next_line(self) -> bytes | None:
        assert self.process is not None
        assert self.process.stdout is not None
        while b"\n" not in self._lines:
            try:
                data = await self.process.stdout.receive_some(65_536)
            except trio.ClosedResourceError:  # it was ended here
                return None
            self._flooded = len(self._lines) > LARGEST_LINE
            if not data or self._flooded:
                return None
            self._lines += data
        text, _, self._lines = self._lines.partition(b"\n")
        return text

    async def begin(self, opening: Opening) -> None:
        """Say the opening and take the answer. Raises TargetEnded, HarnessError."""
        text: bytes | None = None
        with trio.move_on_after(READY_WITHIN) as scope:
            await self._write(line(opening))
            text = await self._next_line()
        if scope.cancelled_caught:
            sentence = f"the target did not answer the opening within {READY_WITHIN:g} s"
            raise TargetSilent(sentence, self.last_words)
        if text is None:
            await self._gone()
            raise self.why_ended()
        try:
            ready = msgspec.json.decode(text, type=Ready)
        except msgspec.MsgspecError:
            raise self._ended("the target's answer to the opening is not what TARGETS.md says") from None
        self.name, self.unable = ready.name, ready.unable
        if ready.implements is not None:
            self.implements = frozenset(ready.implements)
        self.urls = {Link(name): url for name, url in ready.listening.items() if name in tuple(Link)}

    async def read_answers(self) -> None:
        """Hand on what the target says, until it says nothing more."""
        while (text := await self._next_line()) is not None:
            try:
                told = msgspec.json.decode(text, type=dict[str, object])
                if "outcome" in told:
                    answer = msgspec.convert(told, type=Told)
                    if (channel := self._answers.pop(answer.id, None)) is not None:
                        channel.send_nowait(answer)
            except (msgspec.MsgspecError, trio.WouldBlock, trio.BrokenResourceError):
                continue  # nobody waits for it, or it is no line of the protocol: whoever waits runs into its bound
        await self._gone()
        self._is_over()

    async def watch(self) -> None:
        """See that the process ends, also where something that it has started keeps its standard output open."""
        assert self.process is not None
        await self.process.wait()
        with trio.move_on_after(LAST_ANSWERS):
            await self.ended.wait()
        self._is_over()

    def _is_over(self) -> None:
        self.ended.set()
        for each in self._answers.values():
            each.close()

    async def keep_stderr(self) -> None:
        """Keep the last of what it writes to standard error."""
        assert self.process is not None
        assert self.process.stderr is not None
        try:
            async for data in self.process.stderr:
                whole = self._stderr + data
                self._stderr_cut = self._stderr_cut or len(whole) > STDERR_KEPT
                self._stderr = whole[-STDERR_KEPT:]
        except (trio.BrokenResourceError, trio.ClosedResourceError):  # it was ended here
            pass
        finally:
            self._silent.set()

    async def aclose(self, *, patient: bool = True) -> None:
        """End it: no more input, some time (unless not `patient`, or cancelled), then force."""
        process = self.process
        if process is None:
            return
        try:
            if process.stdin is not None:
                await process.stdin.aclose()
            with trio.move_on_after(self.setup.bounds.drain + GRACE if patient else 0):
                await process.wait()
        finally:
            with trio.CancelScope(shield=True):  # a process that was killed is not waited for long
                if process.returncode is None:
                    process.kill()
                    await process.wait()
                with suppress(OSError):  # what it has started, where there is anything left of it
                    os.killpg(process.pid, signal.SIGKILL)
                for pipe in (process.stdout, process.stderr):
                    if pipe is not None:
                        await pipe.aclose()


class Asking:
    """An activity that is under way."""

    def __init__(self, target: Target, id: int, answer: trio.MemoryReceiveChannel[Told]) -> None:
        self._target = target
        self._answer = answer
        self.id = id
        self.told: Told | None = None

    async def wait(self) -> Told:
        """What the target says of it. Raises TargetEnded."""
        if self.told is None:
            try:
                self.told = await self._answer.receive()
            except trio.EndOfChannel:
                raise self._target.why_ended() from None
        return self.told

    async def leave(self) -> None:
        """Ask to leave its session."""
        await self._target.leave(self.id)


async def start(world: World, role: Role, setup: Setup, nursery: trio.Nursery) -> Target:
    """Start a target and get it ready; its tasks run in `nursery`. Raises TargetEnded, HarnessError."""
    target = Target(role, setup, world.secrecy)
    directory = tempfile.mkdtemp(prefix="t", dir=world.directory)
    canaries = world.secrets.for_targets()
    environment = {**os.environ, CANARY_VARIABLE: canaries["environment"]}
    try:
        target.process = await trio.lowlevel.open_process(
            list(world.command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise HarnessError(f"the target's command can't be started: {reason}") from None
    nursery.start_soon(target.keep_stderr)
    files = world.certificates
    opening = Opening(
        role=role,
        links=[str(each) for each in world.links],
        tls=TlsFiles(str(files.certificate), str(files.key), str(files.authority)),
        directory=directory,
        origins=[ORIGIN],
        anonymous=setup.anonymous,
        plain_proofs=setup.plain_proofs,
        proofs=world.secrets.known(),
        canaries=canaries,
        bounds=setup.bounds,
        limits=setup.limits,
    )
    try:
        await target.begin(opening)
    except BaseException:
        await target.aclose(patient=False)
        raise
    nursery.start_soon(target.read_answers)
    nursery.start_soon(target.watch)
    return target


class Targets:
    """The targets of a run by role and setup, started when they are needed, and again when they ended."""

    def __init__(self, world: World, nursery: trio.Nursery, implements: frozenset[str] | None = None) -> None:
        self.world = world
        self._nursery = nursery
        self._implements = implements
        self._ready: dict[tuple[Role, str], Target] = {}
        self._starts: dict[tuple[Role, str], int] = {}
        self._failed: dict[tuple[Role, str], TargetEnded | HarnessError] = {}
        self._locks: dict[tuple[Role, str], trio.Lock] = {}
        self._starting = trio.CapacityLimiter(STARTING)
        self._answered: set[Role] = set()
        self._silent: dict[Role, TargetSilent] = {}
        self.all: list[Target] = []

    async def get(self, role: Role, setup: str) -> Target:
        """A target that is ready. Raises TargetEnded where it does not start, or has ended too often; HarnessError."""
        key = (role, setup)
        async with self._locks.setdefault(key, trio.Lock()):
            target = self._ready.get(key)
            if target is not None and target.alive:
                return target
            if key in self._failed:
                raise self._failed[key]
            starts = self._starts[key] = self._starts.get(key, 0) + 1
            if starts > STARTS:
                self._failed[key] = TargetEnded(
                    "the target has ended too often and is not started again",
                    "" if target is None else target.last_words,
                )
                raise self._failed[key]
            try:
                target = await self.fresh(role, setup)
            except (TargetEnded, HarnessError) as failed:
                self._failed[key] = failed
                raise
            self._ready[key] = target
            return target

    async def fresh(self, role: Role, setup: str) -> Target:
        """A target of its own for one case; whoever asks ends it. Raises TargetEnded, HarnessError.

        One that did not answer is not waited for again, unless it has answered in another setup.
        """
        async with self._starting:
            if role in self._silent and role not in self._answered:
                raise self._silent[role]
            try:
                target = await start(self.world, role, SETUPS[setup], self._nursery)
            except TargetSilent as silent:
                self._silent[role] = silent
                raise
            self._answered.add(role)
        if self._implements is not None:
            target.implements = self._implements
        self.all.append(target)
        return target

    async def aclose(self) -> None:
        """End all of them."""
        async with trio.open_nursery() as nursery:
            for target in self.all:
                nursery.start_soon(target.aclose)


class Attached(Targets):
    """A peer that runs already, at one URL; there is nothing to start."""

    def __init__(
        self, world: World, nursery: trio.Nursery, url: str, implements: frozenset[str] | None
    ) -> None:
        super().__init__(world, nursery, implements)
        self.peer = Target(Role.ACCEPTOR, SETUPS["open"], world.secrecy)
        self.peer.attached = True
        self.peer.name = url
        self.peer.implements = implements
        self.peer.urls = {Link(url.partition(":")[0]): url}
        self.all.append(self.peer)

    async def get(self, role: Role, setup: str) -> Target:
        """The peer, whatever is asked for."""
        return self.peer
