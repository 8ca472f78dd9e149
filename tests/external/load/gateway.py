"""One of the gateways of the test under load: a `graftwire serve` of its own, started, watched and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Final

import trio

from ..conftest import PATIENCE

CONFIGURATION: Final = Template("""
[gateway]
listen = ["tcp://127.0.0.1:$tcp", "tls://127.0.0.1:$tls", "ws://127.0.0.1:$ws"]
drain = 30

[gateway.tls]
certificate = "$certificate.pem"
key = "$certificate-key.pem"

[gateway.proxy-protocol]
sources = ["127.0.0.1/32"]

[security]
auth = ["api-keys:keys.json"]
allow = ["roles:roles.toml"]
plain-proofs = true

[audit]
sinks = ["$name.jsonl"]

[modules.Here]
load = "hosted:Here"

[modules.There]
load = "hosted:There"
run = "worker"
count = $count
wait = $wait
$more
""")

COUNT: Final = 2  # worker processes of each gateway


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something; after PATIENCE it counts as hanging."""
    with trio.move_on_after(PATIENCE) as scope:
        while not condition():
            await trio.sleep(0.02)
    assert not scope.cancelled_caught, f"it did not come to this: {what}"


class Served:
    """A gateway as `name`, at ports by scheme, in a folder with all that its configuration names."""

    def __init__(self, name: str, ports: dict[str, int], folder: Path) -> None:
        self.name = name
        self.process: trio.Process | None = None
        self.killed: list[int] = []
        self._ports = ports
        self._folder = folder
        self._log = folder / f"{name}.log"
        self._file = folder / f"{name}.toml"
        self._log.touch()

    def configure(self, *, certificate: str = "first", wait: float = 1.0, more: str = "") -> None:
        """Write its configuration."""
        values = {
            "name": self.name,
            "certificate": certificate,
            "wait": wait,
            "more": more,
            "count": COUNT,
            **self._ports,
        }
        self._write(CONFIGURATION.substitute(values))

    def misconfigure(self, before: str, after: str) -> str:
        """Write a mistake into its configuration; gives what was there."""
        text = self._file.read_text()
        assert before in text
        self._write(text.replace(before, after))
        return text

    def restore(self, text: str) -> None:
        """Write what was there."""
        self._write(text)

    def _write(self, text: str) -> None:
        self._file.write_text(text)
        self._file.chmod(0o644)

    def said(self, text: str) -> int:
        """How often it has said something."""
        return self._log.read_text(errors="replace").count(text)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    # --- its life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start it, and wait until it can be called."""
        assert self.process is None
        before = self.said("hosting ")
        with self._log.open("ab") as log:
            self.process = await trio.lowlevel.open_process(
                [sys.executable, "-m", "graftwire.cli", "serve", "--config", self._file.name],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        process = self.process
        await until(
            lambda: self.said("hosting ") > before or process.returncode is not None, f"{self.name} serves"
        )
        assert process.returncode is None, self.log

    async def leave(self) -> None:
        """SIGTERM: it has to end by itself, with exit code 0."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        with trio.fail_after(PATIENCE):
            assert await self.process.wait() == 0, self.log
        self.process = None

    async def reload(self, outcome: str = "reloaded; listening at") -> None:
        """SIGHUP, and wait until the log has the outcome once more."""
        assert self.process is not None
        before = self.said(outcome)
        self.process.send_signal(signal.SIGHUP)
        await until(lambda: self.said(outcome) > before, f"{self.name}: {outcome}")

    # --- its workers -------------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def workers(self) -> list[int]:
        """The worker processes that can be called: those that have something to host."""
        children: list[int] = []
        for path in Path(f"/proc/{self.pid}/task").glob("*/children"):  # of the thread that has started them
            with suppress(OSError):  # it has ended meanwhile
                children += map(int, path.read_text().split())
        return [pid for pid in children if self._runs(pid).exists()]

    async def kill_worker(self, *, all_of_them: bool = False) -> None:
        """SIGKILL for a worker in the middle of a call, or for all; wait until there are as many again."""
        workers: list[int] = []

        def complete() -> bool:
            workers[:] = [pid for pid in self.workers if pid not in self.killed]
            return len(workers) == COUNT

        await until(lambda: complete() and any(map(self._under_way, workers)), f"{self.name} has work")
        busy = [pid for pid in workers if self._under_way(pid)]
        for pid in workers if all_of_them else busy[:1]:
            os.kill(pid, signal.SIGKILL)
            self.killed.append(pid)
        await until(complete, f"{self.name} has all its workers again")

    def _under_way(self, pid: int) -> bool:
        text = self._runs(pid).read_text()
        return text.count("begun") > text.count("done") + text.count("stopped")

    def _runs(self, pid: int) -> Path:
        return self._folder / "runs" / f"There.{pid}"
