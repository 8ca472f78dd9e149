"""Two gateways behind a real HAProxy under load, while everything happens to them that happens in years.

Workers are killed, configurations and certificates are replaced and reloaded, some of them wrong, and each gateway is
drained and started again. Every call either succeeded, and ran exactly once, or failed with an error that says whether
it ran; and what was hosted has written down what really ran, so the count has to add up.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import trio
import trustme

import graftwire
from graftwire.security import ApiKeyCredential

from .conftest import PATIENCE
from .load.gateway import Served, until
from .proxies import BEHIND, WAYS, command, configuration, steady_ports, until_it_listens

CALLS: Final = 10_000  # that succeed; more are made for as long as it takes
CALLERS: Final = {  # programs that call, and how often each sends a call again that has not run
    "patient": 60,
    "insistent": 60,
    "impatient": 0,
}
EACH: Final = 10_000_000  # numbers of calls for each of them
SPARE: Final = '[modules.Spare]\nload = "hosted:Spare"'
LOAD: Final = Path(__file__).parent / "load"


class Place:
    """The folder of it all, the two gateways, and how to get at them through HAProxy."""

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        self.folder = folder
        self.authority = authority
        self.ports = steady_ports(
            [port for _, port, _ in WAYS.values()] + [port + n for port in BEHIND.values() for n in (0, 1)]
        )
        self.gateways = [
            Served(name, {scheme: self.ports[port + n] for scheme, port in BEHIND.items()}, folder)
            for n, name in enumerate(("a", "b"))
        ]
        self.callers: dict[str, trio.Process] = {}
        self.key = ""

    def url(self, way: str) -> str:
        scheme, port, _ = WAYS[way]
        return f"{scheme}://localhost:{self.ports[port]}"

    async def prepare(self) -> None:
        """Write all that configurations name."""
        shutil.copy(LOAD / "hosted.py", self.folder)
        (self.folder / "runs").mkdir()
        self.authority.cert_pem.write_to_path(str(self.folder / "ca.pem"))
        self.certify("first")
        proxy = self.authority.issue_cert("localhost", "127.0.0.1")
        proxy.private_key_and_cert_chain_pem.write_to_path(str(self.folder / "proxy.pem"))
        self.write("roles.toml", '[allow]\n"Here.*" = ["caller"]\n"There.*" = ["caller"]\n')
        made = await self.graftwire(
            "key", "new", "--file", "keys.json", "--subject", "load", "--role", "caller"
        )
        self.key = made.split()[-1]
        os.environ["LOAD_KEY"] = self.key

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o644)

    def certify(self, name: str) -> bytes:
        """A new certificate for the gateways, put into its place as a whole, as any tool for that does."""
        issued = self.authority.issue_cert("localhost", "127.0.0.1")
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        for file, data in ((f"{name}.pem", chain), (f"{name}-key.pem", issued.private_key_pem.bytes())):
            new = self.folder / f".{file}"
            new.write_bytes(data)
            new.chmod(0o600)
            new.rename(self.folder / file)
        return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())

    async def graftwire(self, *arguments: str) -> str:
        """What a command says, which has to succeed."""
        done = await trio.run_process(
            [sys.executable, "-m", "graftwire.cli", *arguments],
            cwd=self.folder,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    # --- from outside ------------------------------------------------------------------------------------------------

    def connect(self, way: str) -> Any:
        options = graftwire.ConnectOptions(tls=graftwire.client_context(ca=str(self.folder / "ca.pem")))
        return graftwire.connect(
            self.url(way),
            options=options,
            credential=ApiKeyCredential(environment="LOAD_KEY"),
            plain_proofs=True,
        )

    async def shown(self) -> bytes:
        """The certificate that whichever gateway HAProxy takes shows to who connects now."""
        async with self.connect("tls passed through") as client:
            return client.facts.tls.certificate

    async def until_back(self, gateway: Served) -> None:
        """Wait until HAProxy gives a gateway new connections again, on each of its backends."""
        with trio.fail_after(PATIENCE):
            for way in ("tcp", "tls passed through", "ws"):
                while True:
                    async with self.connect(way) as client:
                        if await client.call("Here.where") == gateway.pid:
                            break
                    await trio.sleep(0.05)

    # --- the callers -------------------------------------------------------------------------------------------------

    async def call_from(self, name: str, number: int, attempts: int) -> None:
        """Start a program that calls."""
        urls = [self.url(way) for way in WAYS]
        self.callers[name] = await trio.lowlevel.open_process(
            [
                sys.executable,
                str(LOAD / "caller.py"),
                f"{name}.calls",
                str(number * EACH),
                str(CALLS // len(CALLERS) + 1),
                str(attempts),
                "ca.pem",
                *urls,
            ],
            cwd=self.folder,
            stdin=subprocess.PIPE,
        )

    def outcomes(self, name: str) -> list[tuple[int, str, str, str]]:
        """What has become of the calls of one of them: number, target, outcome, error."""
        path = self.folder / f"{name}.calls"
        lines = path.read_text().splitlines() if path.exists() else []
        found = [line.split(" ") for line in lines]
        return [(int(number), target, outcome, error) for number, target, outcome, error in found]

    def made(self) -> int:
        """How many calls are over."""
        paths = (self.folder / f"{name}.calls" for name in CALLERS)
        return sum(path.read_bytes().count(b"\n") for path in paths if path.exists())

    async def some_more(self, count: int = 200) -> None:
        """Let the load go on for a while: nothing stands still."""
        before = self.made()
        await until(lambda: self.made() >= before + count, f"{count} more calls are over")

    async def enough(self) -> None:
        """Tell the callers to end, and wait for it."""
        for process in self.callers.values():
            assert process.stdin is not None
            await process.stdin.aclose()
        with trio.fail_after(2 * PATIENCE):
            for process in self.callers.values():
                assert await process.wait() == 0


@asynccontextmanager
async def running(folder: Path, authority: trustme.CA) -> AsyncGenerator[Place]:
    place = Place(folder, authority)
    await place.prepare()
    proxy: trio.Process | None = None
    try:
        for gateway in place.gateways:
            gateway.configure()
            await gateway.start()
        proxy = await trio.lowlevel.open_process(
            command("haproxy", configuration("haproxy", place.ports, folder)), stderr=subprocess.DEVNULL
        )
        for _, port, _ in WAYS.values():
            await until_it_listens(proxy, place.ports[port])
        for number, (name, attempts) in enumerate(CALLERS.items()):
            await place.call_from(name, number, attempts)
        yield place
    finally:
        started = [*place.callers.values(), proxy, *(gateway.process for gateway in place.gateways)]
        with trio.CancelScope(shield=True):  # what was killed is gone soon
            for process in started:
                if process is not None:
                    process.kill()
                    await process.wait()
                    if process.stdin is not None:
                        await process.stdin.aclose()


# --- what happens ---------------------------------------------------------------------------------------------------


async def workers_are_killed(place: Place) -> None:
    """One, and then all that a gateway has: then there is none for a while."""
    for all_of_them in (False, True):
        for gateway in place.gateways:
            await gateway.kill_worker(all_of_them=all_of_them)
            await place.some_more(100)


async def all_is_reloaded(place: Place) -> None:
    """Another certificate at another path, another module, other workers; the audit log is moved away before."""
    second = place.certify("second")
    place.write(
        "roles.toml",
        '[allow]\n"Here.*" = ["caller"]\n"There.*" = ["caller"]\n"Spare.ping" = ["caller"]\n',
    )
    for gateway in place.gateways:
        log = place.folder / f"{gateway.name}.jsonl"
        log.rename(f"{log}.1")
        gateway.configure(certificate="second", wait=2.0, more=SPARE)
        await gateway.reload()
        await place.some_more()
    assert await place.shown() == second
    async with place.connect("ws") as client:
        assert await client.call("Spare.ping") == "pong"


async def the_certificate_is_renewed(place: Place) -> None:
    """At the same path, as most renewals are."""
    renewed = place.certify("second")
    for gateway in place.gateways:
        await gateway.reload()
    assert await place.shown() == renewed
    await place.some_more()


async def what_is_wrong_is_refused(place: Place) -> None:
    """In what can be read, in what is found in files, and in what only a worker process finds out."""
    refused = "nothing was reloaded, and all goes on as before: "
    for gateway, before, after, told in (
        (
            place.gateways[0],
            "drain = 30",
            "drian = 30",
            "[gateway] has an unknown key drian; did you mean drain?",
        ),
        (place.gateways[0], "hosted:There", "hosted:Their", "the module hosted has nothing called Their"),
        (place.gateways[1], "second-key.pem", "first-key.pem", "does not belong to the certificate"),
    ):
        text = gateway.misconfigure(before, after)
        await gateway.reload(refused)
        gateway.restore(text)
        assert told in gateway.log.rpartition(refused)[2].partition("\n")[0]
        await gateway.reload()
    await place.some_more()


async def one_leaves_and_comes_back(place: Place, gateway: Served, other: Served) -> None:
    """While it drains, a worker of the other one is killed, and the other one is reloaded."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gateway.leave)
        nursery.start_soon(other.kill_worker)
        nursery.start_soon(other.reload)
    await place.some_more()
    await gateway.start()
    await place.until_back(gateway)


# --- the count ------------------------------------------------------------------------------------------------------


def runs(folder: Path) -> dict[str, Counter[int]]:
    """How often each call has begun and was done, as the hosted code says."""
    found = {word: Counter[int]() for word in ("begun", "done", "stopped")}
    for path in (folder / "runs").iterdir():
        for line in path.read_text().splitlines():
            word, number = line.split()
            found[word][int(number)] += 1
    return found


def check_the_count(place: Place) -> Counter[str]:
    """Raises AssertionError for a call that does not add up; gives how many calls had which outcome."""
    ran = runs(place.folder)
    counts: Counter[str] = Counter()
    known: set[int] = set()
    wrong: list[str] = []
    fits: dict[str, Callable[[int, int], bool]] = {  # how often it has begun, and was done
        "ok": lambda begun, done: begun == done == 1,
        "not": lambda begun, done: begun == done == 0,
        "maybe": lambda begun, done: begun <= 1,
        "left": lambda begun, done: begun <= 1,
        "wrong": lambda begun, done: False,
        "hung": lambda begun, done: False,
    }
    for index, name in enumerate(CALLERS):
        outcomes = place.outcomes(name)
        numbers = {number for number, *_ in outcomes}
        # each has one outcome, and there are no gaps: no call is unaccounted for
        assert len(numbers) == len(outcomes)
        assert numbers == set(range(index * EACH, index * EACH + len(outcomes))), name
        known |= numbers
        for number, target, outcome, error in outcomes:
            counts[outcome] += 1
            begun, done = ran["begun"][number], ran["done"][number]
            if not fits[outcome](begun, done):
                wrong.append(f"{name} {number} {target} {outcome} {error}: begun {begun}, done {done}")
    assert not wrong, wrong[:20]
    assert not ran["begun"].keys() - known
    return counts


def check_that_draining_costs_nothing(place: Place) -> None:
    """No gateway's own process was ever lost, so what ran there ended there; and who sends again notices nothing."""
    lost = 0
    for name, attempts in CALLERS.items():
        for number, target, outcome, error in place.outcomes(name):
            if outcome == "maybe" and error != "DeadlineExceeded":
                assert target == "There", (name, number, outcome, error)
                lost += 1
            if outcome == "not" and attempts:
                assert target == "There", (name, number, outcome, error)
    assert lost > 0  # workers were killed in the middle of calls


async def check_the_audit_logs(place: Place) -> None:
    """They are whole, and no call ran without its record; each end of a worker has one, too."""
    calls: Counter[str] = Counter()
    for gateway in place.gateways:
        files = [f"{gateway.name}.jsonl.1", f"{gateway.name}.jsonl"]
        assert (await place.graftwire("audit", "verify", *files)).splitlines()
        ends = 0
        for file in files:
            for line in (place.folder / file).read_text().splitlines():
                record = json.loads(line)
                if record["event"] == "call" and record["decision"] == "allowed":
                    calls[record["target"]] += 1
                ends += record["event"] == "worker" and "SIGKILL" in record["reason"]
        assert ends == len(gateway.killed)
    begun = runs(place.folder)["begun"]
    for parity, target in enumerate(("Here", "There")):
        numbers = sum(1 for number in begun if number % 2 == parity)
        records = sum(
            count for name, count in calls.items() if re.fullmatch(rf"{target}\.(?!where)\w+", name)
        )
        assert records >= numbers, target


@pytest.mark.external("haproxy")
@pytest.mark.timeout(300)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it finds workers in /proc")
async def test_every_call_is_accounted_for(
    tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD_KEY", "")  # which puts things back at the end
    async with running(tmp_path, authority) as place:
        a, b = place.gateways
        await place.some_more()
        await workers_are_killed(place)
        await all_is_reloaded(place)
        await one_leaves_and_comes_back(place, a, b)
        await the_certificate_is_renewed(place)
        await what_is_wrong_is_refused(place)
        await one_leaves_and_comes_back(place, b, a)
        await workers_are_killed(place)
        await one_leaves_and_comes_back(place, a, b)
        await place.enough()
        for gateway in place.gateways:
            await gateway.leave()
        counts = check_the_count(place)
        assert counts["ok"] >= CALLS
        check_that_draining_costs_nothing(place)
        await check_the_audit_logs(place)
