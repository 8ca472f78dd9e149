"""The command line, run in this process or in one of its own, and a gateway of `graftwire serve` to call."""

from __future__ import annotations

import logging
import os
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
import trustme

from graftwire.cli import main

PATIENCE = 20.0  # seconds that anything here may take before it counts as hanging

SHOP = """
from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator

import trio

import graftwire


class Broke(Exception):
    missing: int

    def __init__(self, missing: int) -> None:
        super().__init__("not enough money")
        self.missing = missing


class Shop:
    async def add(self, a: int, b: int) -> int:
        return a + b

    async def echo(self, value: object) -> object:
        return value

    async def none(self) -> None:
        pass

    async def lines(self, count: int) -> AsyncIterator[int]:
        for i in range(count):
            yield i

    async def endless(self) -> AsyncIterator[str]:
        while True:
            yield "x" * 1000

    async def sum(self, items: AsyncIterator[int]) -> int:
        return sum([i async for i in items])

    async def double(self, items: AsyncIterator[int]) -> AsyncIterator[int]:
        async for i in items:
            yield 2 * i

    async def shout(self, items: AsyncIterator[str]) -> AsyncIterator[str]:
        async for i in items:
            yield i.upper()

    async def picky(self, items: AsyncIterator[int]) -> int:
        async for _ in items:
            raise KeyError("secret")
        return 0

    @graftwire.raises(Broke)
    async def pay(self, amount: int) -> None:
        raise Broke(amount)

    async def fail(self) -> None:
        raise KeyError("secret")

    async def hang(self) -> None:
        await trio.sleep_forever()

    async def wait(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return "done"

    async def begin(self) -> AsyncIterator[str]:
        yield "begun"
        await trio.sleep_forever()

    def block(self, seconds: float) -> None:
        print("Shop.block has begun", file=sys.stderr, flush=True)
        time.sleep(seconds)


class Empty:
    def _hidden(self) -> None: ...


class Needy:
    def __init__(self, address: str, port: int) -> None: ...
    def it(self) -> None: ...


class Moody:
    def __init__(self) -> None:
        raise OSError("secret")

    def it(self) -> None: ...


class Odd:
    def it(self, what: "Nowhere") -> None: ...


needy = Needy("here", 1)
"""


@dataclass(frozen=True)
class Done:
    """How a run of the command line ended."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """What it said on standard error: one line, of ours."""
        assert self.err.startswith("graftwire: "), self.err
        assert self.err.count("\n") == 1, self.err
        return self.err.removeprefix("graftwire: ").rstrip("\n")


Here = Callable[..., Done]


@pytest.fixture
def quiet() -> Iterator[None]:
    """Take away what a command that runs in this process logs to: the standard error of one test."""
    yield
    root = logging.getLogger()
    for handler in [each for each in root.handlers if type(each) is logging.StreamHandler]:
        root.removeHandler(handler)


@pytest.fixture
def here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, shop: Path, quiet: None
) -> Iterator[Here]:
    """Run the command line in this process, in the folder of shop.py. What it imports there is forgotten at the end."""
    monkeypatch.chdir(shop)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)

    def run(*arguments: str) -> Done:
        code = main(arguments)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Done(code, captured.out, captured.err)

    yield run
    folder = str(shop.parent.parent)
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(folder):
            del sys.modules[name]


def apart(
    *arguments: str, cwd: Path, stdin: bytes = b"", before: str = "", env: dict[str, str] | None = None
) -> Done:
    """Run the command line in a process of its own; `before` is Python that runs first."""
    ran = subprocess.run(
        command(arguments, before),
        cwd=cwd,
        input=stdin,
        capture_output=True,
        timeout=PATIENCE,
        env=_env(env),
        check=False,
    )
    return Done(ran.returncode, ran.stdout.decode(), ran.stderr.decode())


def command(arguments: Sequence[str], before: str = "") -> list[str]:
    if not before:
        return [sys.executable, "-m", "graftwire.cli", *arguments]
    code = f"import sys\n{before}\nfrom graftwire.cli import main\nsys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", code, *arguments]


def _env(more: dict[str, str] | None) -> dict[str, str]:
    return {**os.environ, "PYTHONUTF8": "1", "COLUMNS": "100", **(more or {})}


def as_nobody(*similar: str) -> str:
    """Python for `before`: go on as a user who may not do everything, where this one may.

    `similar` are arguments for a run before that, which imports what the real one will need: the other user may not
    be let into the folders that Python and its packages are in.
    """
    if os.geteuid() != 0:
        return ""
    return (
        "import contextlib, io, os\n"
        "from graftwire.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        f"    main({list(similar)!r})\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)"
    )


@pytest.fixture
def anybodys() -> Iterator[Path]:
    """A folder that the user of `as_nobody` owns and may enter, which is not true of pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
        yield Path(folder)


class Lines:
    """The lines of a pipe, as they come."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.rest = b""
        self._pipe = pipe

    def next(self) -> str:
        end = time.monotonic() + PATIENCE
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            while b"\n" not in self.rest:
                assert selector.select(max(0.0, end - time.monotonic())), f"no line, but {self.rest!r}"
                data = os.read(self._pipe.fileno(), 65_536)
                assert data, f"it ended: {self.rest!r}"
                self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def close(self) -> None:
        """Read no more."""
        self._pipe.close()

    def until(self, last: str) -> list[str]:
        """The next lines, up to the one that contains `last`."""
        found: list[str] = []
        while not found or last not in found[-1]:
            found.append(self.next())
        return found

    def address(self) -> str:
        """The URL of a line `listening URL`."""
        word, _, url = self.next().partition(" ")
        assert word == "listening"
        return url


Alongside = Callable[..., tuple[Done, object]]


@pytest.fixture
def alongside(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, shop: Path) -> Alongside:
    """Run a command in this process while `meanwhile`, in a thread, reads its lines and does something with it.

    SIGINT ends the command when `meanwhile` has returned; gives how it ended, and what `meanwhile` returned.
    """
    monkeypatch.chdir(shop)

    def run(meanwhile: Callable[[Lines], object], *arguments: str) -> tuple[Done, object]:
        ended = threading.Event()
        readable, writable = os.pipe()
        found: list[object] = []

        def work(lines: Lines) -> None:
            try:
                found.append(meanwhile(lines))
            except BaseException as error:  # noqa: BLE001 - raised in the test's own thread, below
                found.append(error)
            # where nobody reads its lines any more, it has to end by itself
            if not (pipe.closed and ended.wait(PATIENCE)) and not ended.is_set():
                os.kill(os.getpid(), signal.SIGINT)

        with open(readable, "rb") as pipe:
            lines = Lines(pipe)
            thread = threading.Thread(target=work, args=(lines,))
            with open(writable, "w", encoding="utf-8") as out, monkeypatch.context() as patch:
                patch.setattr(sys, "stdout", out)
                thread.start()
                code = main(arguments)
                ended.set()
            thread.join(PATIENCE)
            if not pipe.closed:
                lines.rest += pipe.read()
        (result,) = found
        if isinstance(result, BaseException):
            raise result
        error = capsys.readouterr().err
        assert "Traceback" not in error
        return Done(code, lines.rest.decode(), error), result

    return run


class Running:
    """A command that goes on until it is stopped."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self._out = Lines(process.stdout)
        self._err = Lines(process.stderr)

    def line(self) -> str:
        """The next line of its standard output."""
        return self._out.next()

    def type(self, text: str) -> None:
        """Give it a line on its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def error_line(self) -> str:
        """The next line of its standard error."""
        return self._err.next()

    def errors_until(self, last: str) -> None:
        """Wait for a line of its standard error that contains `last`; what comes up to there is gone."""
        self._err.until(last)

    def lines_until(self, last: str) -> list[str]:
        """The next lines, up to the one that contains `last`."""
        return self._out.until(last)

    def address(self) -> str:
        """The URL of a line `listening URL`."""
        return self._out.address()

    def stop(self, number: int = signal.SIGTERM) -> Done:
        """Send a signal, wait for the end."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> Done:
        """Wait for the end."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return Done(self.process.returncode, (self._out.rest + out).decode(), (self._err.rest + err).decode())


@contextmanager
def running(
    *arguments: str, cwd: Path, before: str = "", stdin: int = subprocess.DEVNULL
) -> Iterator[Running]:
    """A command in a process of its own, which is killed at the end if it is still there."""
    process = subprocess.Popen(
        command(arguments, before),
        cwd=cwd,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_env(None),
    )
    with process:
        try:
            yield Running(process)
        finally:
            process.kill()


@contextmanager
def handed_over(listening: socket.socket, notify: socket.socket, cwd: Path, also: str) -> Iterator[Running]:
    """`graftwire serve` as systemd starts it: the socket as descriptor 3, and somebody to tell.

    `also` is a further variable, as Python that the process itself runs.
    """
    code = (
        "import os, sys\n"
        f"os.dup2({listening.fileno()}, 3)\n"
        f"os.environ |= {{'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '1', {also}}}\n"
        f"os.execv(sys.executable, {command(['serve'])!r})"
    )
    environ = {**os.environ, "NOTIFY_SOCKET": notify.getsockname(), "WATCHDOG_USEC": "400000"}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[listening.fileno()],
    )
    try:
        yield Running(process)
    finally:
        process.kill()
        process.communicate()


def with_the_command(folder: Path) -> dict[str, str]:
    """An environment in which `graftwire` is a command, for what a page says to type; made in `folder`."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "graftwire").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m graftwire.cli "$@"\n')
    (tools / "graftwire").chmod(0o755)
    return {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONUTF8": "1"}


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module to host."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(SHOP)
    return folder


@dataclass(frozen=True)
class Pem:
    """Files of a certificate for 127.0.0.1."""

    ca: str
    cert: str
    key: str


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Pem:
    folder = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    return Pem(str(folder / "ca.pem"), str(folder / "cert.pem"), str(folder / "key.pem"))


@pytest.fixture(scope="session")
def gateway(shop: Path, pem: Pem) -> Iterator[dict[str, str]]:
    """The addresses of a gateway that hosts `Shop`, by transport."""
    urls = [f"{scheme}://127.0.0.1:0" for scheme in ("tcp", "tls", "ws", "wss")]
    listen = [word for url in [*urls, f"unix:{shop}/s"] for word in ("--listen", url)]
    arguments = ["serve", "shop:Shop", *listen, "--auth", "anonymous", "--cert", pem.cert, "--key", pem.key]
    with running(*arguments, cwd=shop) as served:
        found = [served.address() for _ in range(5)]
        yield {url.partition(":")[0]: url for url in found}
        assert served.stop().code == 0
