"""A worker process crashes, leaks or hangs: that costs the calls that it held, and nothing else (promise P6)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trio

import graftwire

FOLDER = Path(__file__).parent
MEGABYTE = 2**20
_names = count()


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))


class Notes(graftwire.AuditSink):
    def __init__(self) -> None:
        self.records: list[graftwire.Record] = []

    async def write(self, record: graftwire.Record) -> None:
        self.records.append(record)

    @property
    def of_workers(self) -> list[str]:
        return [record.reason for record in self.records if record.event == "worker"]

    async def have(self, reason: str) -> None:
        """Wait until the log says so of a worker."""
        while not any(reason in each for each in self.of_workers):
            await trio.sleep(0.01)


class Neighbour:
    """Hosted in the gateway's own process, next to what fails."""

    async def double(self, value: int) -> int:
        return 2 * value


class Hosted:
    """A gateway with a worker that can fail, a neighbour here and one in a worker of its own."""

    def __init__(self, gateway: graftwire.Gateway, client: graftwire.Client, notes: Notes) -> None:
        self.gateway = gateway
        self.client = client
        self.notes = notes

    @asynccontextmanager
    async def another(self, **options: Any) -> AsyncGenerator[graftwire.Client]:
        async with graftwire.connect(self.gateway.urls[0], **options) as client:
            yield client

    async def pid(self) -> int:
        found: int = await self.client.call("Faulty.pid")
        return found

    async def back(self) -> int:
        """The number of the process that answers, as soon as one does; each error says whether the call ran."""
        while True:
            try:
                return await self.pid()
            except graftwire.Unavailable as error:
                assert error.ran is False
            except graftwire.InternalError as error:  # given to a process in its last moment
                assert error.ran is True

    @asynccontextmanager
    async def others_go_on(self) -> AsyncGenerator[None]:
        """Calls to both neighbours succeed all the while, and some of each do."""
        calls = dict.fromkeys(("Neighbour.double", "Apart.add"), 0)

        async def again_and_again(target: str) -> None:
            while True:
                assert await self.client.call(target, 2) in (3, 4)
                calls[target] += 1
                await trio.sleep(0.001)

        async with trio.open_nursery() as nursery:
            for target in calls:
                nursery.start_soon(again_and_again, target)
            yield
            before = dict(calls)
            while any(calls[target] == before[target] for target in calls):
                await trio.sleep(0.001)
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def faulty(*, listen: Any = None, drain: float = 5.0, **options: Any) -> AsyncGenerator[Hosted]:
    notes = Notes()
    services: dict[str, object] = {
        "Faulty": graftwire.Worker("worker_module:Faulty", **{"wait": 20.0, **options}),
        "Apart": graftwire.Worker("worker_module:Stock"),
        "Neighbour": Neighbour(),
    }
    with trio.fail_after(60):
        async with graftwire.serve(
            services, f"memory:faulty-{next(_names)}", auth=graftwire.Anonymous(), audit=notes, drain=drain
        ) as gateway:
            async with graftwire.connect(gateway.urls[0]) as client:
                yield Hosted(gateway, client, notes)


def is_there(pid: int) -> bool:
    """Whether a process runs: not one that has ended, and that nobody has asked about."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def gone(*pids: int) -> None:
    while any(map(is_there, pids)):
        await trio.sleep(0.01)


# --- crashes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("exit", "it exited with code 3"),
        ("segv", "it was ended by SIGSEGV"),
        ("kill", "it was ended by SIGKILL"),
    ],
)
async def test_a_crash_costs_only_the_calls_that_it_held(
    how: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    held: list[graftwire.CallError] = []

    async def fails(function: Callable[..., Any], *args: object) -> None:
        with pytest.raises(graftwire.InternalError) as caught:
            await function(*args)
        held.append(caught.value)

    async with faulty() as at:

        async def reads() -> None:
            async with at.client.stream("Faulty.stubborn_stream") as items:
                async for _ in items:
                    pass

        pid = await at.pid()
        async with at.others_go_on():
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(fails, at.client.call, "Faulty.sleep", 1_000.0)
                nursery.start_soon(fails, reads)
                await at.pid()
                nursery.start_soon(fails, at.client.call, "Faulty.crash", how)
            assert await at.back() != pid
        assert len(held) == 7
        assert all(error.ran for error in held)  # they may have run, and each has an entry in the log
        numbers = {getattr(error, "incident", None) for error in held}
        assert len(numbers) == 7
        assert all(f"incident {number}: Faulty." in caplog.text for number in numbers)
        await at.notes.have("it was started again")
        assert at.notes.of_workers == [reason, "it was started again"]
        assert "Traceback" not in caplog.text
        assert not is_there(pid)


async def test_what_a_worker_has_started_ends_with_it() -> None:
    async with faulty() as at:
        started = await at.client.call("Faulty.start_something")
        assert is_there(started)
        with pytest.raises(graftwire.InternalError):
            await at.client.call("Faulty.crash", "exit")
        await gone(started)


async def test_a_process_that_takes_too_much_memory_is_ended() -> None:
    async with faulty(memory=200 * MEGABYTE) as at, at.others_go_on():
        pid = await at.pid()
        with pytest.raises(graftwire.InternalError):
            await at.client.call("Faulty.leak", 300 * MEGABYTE)
        assert await at.back() != pid
        await at.notes.have(f"bytes of memory, of {200 * MEGABYTE} that it may")


# --- hanging --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [("Faulty.block", 1_000.0), ("Faulty.block_with_the_lock",)])
async def test_a_process_that_gives_no_sign_of_life_is_ended(call: tuple[Any, ...]) -> None:
    async with faulty(hang=1.0) as at, at.others_go_on():
        pid = await at.pid()
        with pytest.raises(graftwire.InternalError):
            await at.client.call(*call)
        assert await at.back() != pid
        await at.notes.have("it did not answer for 1 s")


@pytest.mark.parametrize("how", ["deadline", "cancelled", "stream", "session"])
async def test_a_call_that_does_not_end_when_it_is_over(how: str) -> None:
    async with faulty(hang=0.5) as at, at.others_go_on():
        pid = await at.pid()
        match how:
            case "deadline":
                with pytest.raises(graftwire.DeadlineExceeded):
                    await at.client.using(deadline=0.2).call("Faulty.stubborn")
            case "cancelled":
                with trio.move_on_after(0.2):
                    await at.client.call("Faulty.stubborn")
            case "stream":
                async with at.client.stream("Faulty.stubborn_stream") as items:
                    assert await anext(aiter(items)) == 1
            case _:
                async with at.another() as client:
                    with trio.move_on_after(0.2):
                        await client.call("Faulty.stubborn")
        await gone(pid)
        assert await at.back() != pid
        await at.notes.have("it did not end a call within 0.5 s after it was cancelled")


async def test_a_gateway_that_stood_still_does_not_blame_its_workers() -> None:
    """What has come meanwhile is read before anybody is judged."""
    async with faulty(hang=0.5) as at:
        pid = await at.pid()

        async def cancelled() -> None:
            with trio.move_on_after(0.05):
                await at.client.call("Faulty.sleep", 1_000.0)

        for _ in range(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancelled)
                await trio.sleep(0.3)
                time.sleep(1.5)  # noqa: ASYNC251 - this is what is tried
            await trio.sleep(0.1)
        assert await at.pid() == pid
        assert at.notes.of_workers == []


async def test_a_process_that_is_stopped_hangs() -> None:
    async with faulty(hang=1.0) as at:
        pid = await at.pid()
        os.kill(pid, signal.SIGSTOP)
        await gone(pid)
        assert await at.back() != pid


# --- what may look like a fault, and is none ------------------------------------------------------------------------


async def test_the_signals_of_a_service_are_for_its_gateway() -> None:
    """Service managers and shells send them to every process of a service: held calls still have their time."""
    async with faulty() as at:
        pid = await at.pid()
        results: list[int] = []

        async def sleeps() -> None:
            results.append(await at.client.call("Faulty.sleep", 0.5))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(sleeps)
            await at.pid()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(pid, number)
        assert results == [pid]
        assert at.notes.of_workers == []


async def test_many_sessions_at_once_wait_for_a_process_that_is_busy() -> None:
    async with faulty() as at:
        results: list[int] = []

        async def calls() -> None:
            async with at.another() as client:
                results.append(await client.call("Faulty.pid"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(at.client.call, "Faulty.block", 0.5)
            await trio.sleep(0.1)
            for _ in range(60):
                nursery.start_soon(calls)
        assert len(results) == 60
        assert set(results) == {await at.pid()}


async def test_a_process_that_can_open_no_more_takes_sessions_again_when_it_can() -> None:
    async with faulty(wait=0.2) as at:
        pid = await at.pid()
        await at.client.call("Faulty.open_no_more")
        async with at.another() as client:
            with pytest.raises(graftwire.CallError):
                await client.call("Faulty.pid")
            assert await at.pid() == pid  # a session that is there goes on
            await at.client.call("Faulty.open_again")
            assert await client.call("Faulty.pid") == pid


async def test_what_takes_long_to_import_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as `start` says, however long other sessions wait for a HELLO."""
    timing = graftwire.Timing(opening=0.2)
    monkeypatch.setattr("graftwire.transport.session.Timing", lambda: timing)
    (tmp_path / "slow_module.py").write_text(
        "import time\ntime.sleep(1)\nclass Slow:\n    async def it(self) -> int:\n        return 1\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    async with graftwire.serve(
        {"Slow": graftwire.Worker("slow_module:Slow")}, "memory:slow-import", auth=graftwire.Anonymous()
    ) as gateway:
        async with graftwire.connect(gateway.urls[0]) as client:
            assert await client.call("Slow.it") == 1


async def test_nothing_more_can_be_started_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more processes, or descriptors: that is tried again, and the gateway goes on."""
    async with faulty() as at, at.others_go_on():
        pid = await at.pid()
        real = trio.lowlevel.open_process
        tries: list[int] = []

        async def none_left(*args: Any, **options: Any) -> Any:
            tries.append(1)
            if len(tries) < 3:
                raise OSError(11, "Resource temporarily unavailable")
            return await real(*args, **options)

        monkeypatch.setattr(trio.lowlevel, "open_process", none_left)
        os.kill(pid, signal.SIGKILL)
        assert await at.back() != pid
        assert len(tries) == 3
        await at.notes.have("could not be started: no process could be started for Faulty: resource temp")


async def test_the_bound_of_a_drain_holds_for_workers() -> None:
    async with faulty(hang=1_000.0, stop=0.2, drain=0.2) as at:
        pid = await at.pid()
        async with trio.open_nursery() as nursery:

            async def held() -> None:
                with pytest.raises(graftwire.CallError):
                    await at.client.call("Faulty.stubborn")

            nursery.start_soon(held)
            await at.pid()
            await at.gateway.drain()
        await gone(pid)


# --- several processes ----------------------------------------------------------------------------------------------


async def test_several_processes_share_the_load() -> None:
    async with faulty(count=3) as at:
        pids: list[int] = []

        async def sleeps() -> None:
            pids.append(await at.client.call("Faulty.sleep", 0.3))

        async with trio.open_nursery() as nursery:
            for _ in range(9):
                nursery.start_soon(sleeps)
        assert sorted(pids.count(pid) for pid in set(pids)) == [3, 3, 3]


async def test_a_session_stays_where_its_objects_are() -> None:
    async with faulty(count=2) as at, at.another() as client:
        counter = await client.call("Faulty.counter")
        assert await counter.call("up", 2) == 2
        pids: list[int] = []

        async def sleeps(of: graftwire.Client) -> None:
            pids.append(await of.call("Faulty.sleep", 0.2))

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(sleeps, client)
        assert len(set(pids)) == 1
        [pid] = set(pids)

        async with at.others_go_on():
            os.kill(pid, signal.SIGKILL)
            await at.notes.have("it was ended by SIGKILL")
            with pytest.raises(graftwire.Unavailable) as lost:
                await counter.call("up", 3)
            assert lost.value.ran is False
            assert await client.call("Faulty.pid") != pid
            # and those who held nothing there never noticed
            assert await at.pid() != pid
        counter.release()
        again = await client.call("Faulty.counter")
        assert await again.call("up", 1) == 1


async def test_a_reference_that_is_called_when_its_process_ends() -> None:
    async with faulty() as at:
        counter = await at.client.call("Faulty.counter")
        async with trio.open_nursery() as nursery:

            async def held() -> None:
                with pytest.raises(graftwire.InternalError) as caught:
                    await at.client.call("Faulty.sleep", 1_000.0)
                assert caught.value.ran

            nursery.start_soon(held)
            pid = await at.pid()
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(graftwire.Unavailable):
            await counter.call("up", 1)
        await at.back()
        with pytest.raises(graftwire.Unavailable):  # another process does not hold it
            await counter.call("up", 1)


# --- the end of the gateway -----------------------------------------------------------------------------------------

PROGRAM = """
import os, sys
import trio
import graftwire

sys.path.insert(0, {folder!r})


async def main():
    services = {{"Faulty": graftwire.Worker("worker_module:Faulty", count={count}, hang=1_000.0)}}
    async with graftwire.serve(services, "memory:killed", auth=graftwire.Anonymous()) as gateway:
        async with graftwire.connect("memory:killed") as client, trio.open_nursery() as nursery:
            pids = set()
            while len(pids) < {count}:
                async with trio.open_nursery() as several:
                    async def sleep():
                        pids.add(await client.call("Faulty.sleep", 0.1))
                    for _ in range({count}):
                        several.start_soon(sleep)
            pids.add(await client.call("Faulty.start_something"))
            nursery.start_soon(client.call, "Faulty.{call}")
            await trio.sleep(0.3)
            if {fork}:
                child = os.fork()
                if not child:
                    while True:
                        import time
                        time.sleep(0.1)
                print("forked", child)
            print(*pids, flush=True)
            await trio.sleep_forever()


trio.run(main)
"""


@contextmanager
def program(tmp_path: Path, call: str = "stubborn", count: int = 2, fork: bool = False) -> Iterator[Any]:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.format(folder=str(FOLDER), call=call, count=count, fork=fork))
    with subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


@pytest.mark.parametrize("call", ["stubborn", "block_with_the_lock"])
async def test_a_gateway_that_is_killed_leaves_no_worker(call: str, tmp_path: Path) -> None:
    with program(tmp_path, call) as running:
        pids = list(map(int, running.stdout.readline().split()))
        assert len(pids) == 3
        assert all(map(is_there, pids))
        running.kill()
        with trio.fail_after(30):
            await gone(*pids)


async def test_a_gateway_that_is_killed_leaves_no_worker_that_is_stopped(tmp_path: Path) -> None:
    with program(tmp_path, count=1) as running:
        pids = list(map(int, running.stdout.readline().split()))
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        running.kill()
        with trio.fail_after(30):
            await gone(*pids)


async def test_what_a_gateway_has_forked_keeps_no_worker_alive(tmp_path: Path) -> None:
    with program(tmp_path, count=1, fork=True) as running:
        forked = int(running.stdout.readline().split()[1])
        try:
            pids = list(map(int, running.stdout.readline().split()))
            running.kill()
            with trio.fail_after(30):
                await gone(*pids)
        finally:
            os.kill(forked, signal.SIGKILL)


# --- back pressure --------------------------------------------------------------------------------------------------


async def test_a_reader_that_does_not_read_bounds_what_is_made() -> None:
    limits = graftwire.Limits(stream_credit=65_536, session_credit=262_144)
    async with faulty() as at, at.another(limits=limits) as client:
        async with client.stream("Faulty.bytes", 10_000, 1_000) as items:
            assert await anext(aiter(items)) == bytes(1_000)
            made, before = 0, -1
            while made != before:
                await trio.sleep(0.2)
                made, before = await client.call("Faulty.made"), made
            # what the client takes unread, what the gateway takes of the worker, and what is in hand
            assert made <= 2 * (65_536 // 1_000) + 4


async def test_streams_that_stand_still_do_not_stop_others() -> None:
    """A worker's link has as much credit as the client's session has: the ones that are read go on."""
    limits = graftwire.Limits(stream_credit=262_144, session_credit=64 * MEGABYTE)
    async with faulty() as at, at.another(limits=limits) as client:
        async with trio.open_nursery() as nursery:

            async def stands_still(task_status: trio.TaskStatus[None]) -> None:
                async with client.stream("Faulty.bytes", 1_000, 10_000) as items:
                    await anext(aiter(items))
                    task_status.started()
                    await trio.sleep_forever()

            for _ in range(12):
                await nursery.start(stands_still)
            await trio.sleep(0.5)
            with trio.fail_after(20):
                async with client.stream("Faulty.bytes", 100, 10_000) as items:
                    assert len([item async for item in items]) == 100
            nursery.cancel_scope.cancel()


# --- who calls ------------------------------------------------------------------------------------------------------


class Claiming(graftwire.Authenticator):
    """Lets everybody in, with the claims that are asked for."""

    schemes = ("claims",)

    def __init__(self) -> None:
        self.claims: dict[str, object] = {}

    async def authenticate(self, attempt: graftwire.Attempt) -> graftwire.Identity:
        return graftwire.Identity("ada", "claims", claims=self.claims)


class Proof(graftwire.CredentialProvider):
    async def credential(self, occasion: graftwire.Occasion) -> graftwire.Credential:
        return graftwire.Credential("claims", b"")


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"groups": "hunter2" * 2_000}, "it takes more than 8192 bytes; leave claims out of it"),
        ({"hunter2": object()}, "its claims hold what can't cross to a worker; use plain values"),
    ],
)
async def test_an_identity_that_does_not_fit(
    claims: dict[str, object], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    auth = Claiming()
    auth.claims = claims
    services: dict[str, object] = {
        "Faulty": graftwire.Worker("worker_module:Faulty"),
        "Neighbour": Neighbour(),
    }
    async with graftwire.serve(
        services, f"memory:claims-{next(_names)}", auth=auth, allow=graftwire.AnyIdentity()
    ) as gateway:
        async with graftwire.connect(gateway.urls[0], credential=Proof()) as client:
            for _ in range(2):
                with pytest.raises(graftwire.Unavailable) as refused:
                    await client.call("Faulty.pid")
                assert refused.value.ran is False
            assert await client.call("Neighbour.double", 2) == 4
    told = [each.getMessage() for each in caplog.records if sentence in each.getMessage()]
    assert len(told) == 1
    assert told[0].startswith("Faulty.pid was not called: ")
    assert "hunter2" not in caplog.text


# --- a caller that breaks the protocol ------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["arguments", "item"])
async def test_a_caller_that_breaks_the_protocol_is_told_so(where: str) -> None:
    """In a body that a worker gets, as in one that stays here: its session ends."""
    async with faulty() as at, at.another() as client:
        session = client._connection.session
        with pytest.raises(graftwire.CallError) as told:
            if where == "arguments":  # a reference that only the other side can give
                await session.request("Faulty.crash", bytes.fromhex("82 81 d9a407 02 a0"))
            else:
                async with session.open(2, "Faulty.first_of", bytes.fromhex("82 80 a0")) as call:
                    await call.send(bytes.fromhex("d9a407 02"))
                    await call.result()
        assert type(told.value).__name__ == "SessionError"
        assert session.ending is not None
        assert await at.pid()
        assert at.notes.of_workers == []
