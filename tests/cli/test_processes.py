"""`graftwire serve --workers N`: several gateway processes at the same addresses, real ones, on loopback."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import trio

import graftwire

from .conftest import PATIENCE, Done, Here, Running, apart, handed_over, running

MODULE = """
import os
import time

import graftwire


class Where:
    def __init__(self) -> None:
        self.ran = os.open("ran", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def pid(self) -> int:
        return os.getpid()

    async def run(self, number: int) -> int:
        os.write(self.ran, b"%d\\n" % number)
        return os.getpid()

    async def hang(self) -> None:
        time.sleep(1000)

    async def variables(self) -> list[str]:
        return sorted(os.environ)
"""
TCP = "tcp://127.0.0.1:0"
LEAST = """
[gateway]
listen = ["tcp://127.0.0.1:0"]
workers = 2

[security]
auth = ["anonymous"]

[modules.Where]
load = "where:Where"
"""
RETRY = graftwire.Retry(attempts=20, first=0.05, most=0.5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "where.py").write_text(MODULE)
    said(tmp_path, LEAST)
    return tmp_path


def said(folder: Path, text: str) -> None:
    path = folder / "graftwire.toml"
    path.write_text(text)
    path.chmod(0o644)


def pids(served: Running) -> dict[int, int]:
    """The processes, by their numbers, as the master names them once all serve."""
    found: list[str] = []
    while not found:
        found = re.findall(r"gateway processes serve: (.*)$", served.error_line())
    return {int(number): int(pid) for number, pid in re.findall(r"(\d+) is pid (\d+)", found[0])}


async def where(url: str, times: int) -> Counter[int]:
    """Which processes as many connections come to."""
    found: Counter[int] = Counter()
    for _ in range(times):
        async with graftwire.connect(url, retry=RETRY) as client:
            found[await client.call("Where.pid")] += 1
    return found


# --- where calls go -------------------------------------------------------------------------------------------------


async def test_connections_reach_all_processes(folder: Path) -> None:
    with running("serve", cwd=folder) as served:
        url = served.address()
        there = pids(served)
        assert list(there) == [1, 2]
        assert set(await where(url, 48)) == set(there.values())
        assert served.stop().code == 0


async def test_every_address_of_a_host(folder: Path) -> None:
    urls = ["ws://localhost:0/calls", "tcp://*:0", TCP, TCP]
    listen = [word for url in urls for word in ("--listen", url)]
    with running("serve", *listen, "--config", "graftwire.toml", cwd=folder) as served:
        found = [served.address() for _ in urls]
        there = pids(served)
        for url in found:
            assert set(await where(url.replace("*", "127.0.0.1"), 48)) == set(there.values())
    assert len(set(found)) == 4


async def test_a_unix_socket_is_shared(folder: Path) -> None:
    path = folder / "s"
    with running("serve", "--listen", f"unix:{path}", "--config", "graftwire.toml", cwd=folder) as served:
        url = served.address()
        there = pids(served)
        assert set(await where(url, 8)) <= set(there.values())
        assert served.stop().code == 0
    assert not path.exists()


async def test_a_host_that_is_a_name(folder: Path) -> None:
    """It is looked up once, by the master."""
    before = (
        "import trio.socket as t\nreal = t.getaddrinfo\n"
        "async def look(host, *a, **k): return await real('127.0.0.1' if host == 'gw.example' else host, *a, **k)\n"
        "t.getaddrinfo = look"
    )
    listen = ["--listen", "tcp://gw.example:0", "--config", "graftwire.toml"]
    with running("serve", *listen, cwd=folder, before=before) as served:
        url = served.address()
        assert url.startswith("tcp://gw.example:")
        assert len(await where(url.replace("gw.example", "127.0.0.1"), 48)) == 2


# --- processes that end ---------------------------------------------------------------------------------------------


async def test_a_killed_process_costs_only_its_calls(folder: Path) -> None:
    """1,000 calls: each succeeded and ran once, or failed with an error that says whether it may have run."""
    succeeded: list[int] = []
    failed: dict[int, bool] = {}
    numbers = iter(range(1000))

    async def caller(url: str) -> None:
        async with graftwire.connect(url, retry=RETRY) as client:
            for number in numbers:
                try:
                    await client.call("Where.run", number)
                except graftwire.Unavailable as error:
                    failed[number] = error.ran
                else:
                    succeeded.append(number)

    with running("serve", cwd=folder) as served:
        url = served.address()
        there = pids(served)
        async with trio.open_nursery() as nursery:
            for _ in range(16):
                nursery.start_soon(caller, url)
            while len(succeeded) < 300:
                await trio.sleep(0.001)
            os.kill(there[1], signal.SIGKILL)
        served.errors_until("gateway process 1 serves again")
        assert len(await where(url, 48)) == 2
        assert served.stop().code == 0
    assert len(succeeded) + len(failed) == 1000
    ran = Counter(map(int, (folder / "ran").read_text().split()))
    assert all(ran[number] == 1 for number in succeeded)
    assert all(ran[number] <= (1 if may_have_run else 0) for number, may_have_run in failed.items())
    assert len(failed) <= 16


async def test_what_waits_for_a_process_that_ended_is_served_by_the_next(folder: Path) -> None:
    with running("serve", cwd=folder) as served:
        url = served.address()
        there = pids(served)
        os.kill(there[1], signal.SIGKILL)
        found = await where(url, 48)
        assert there[1] not in found
        assert len(found) == 2


async def test_a_process_that_hangs(folder: Path) -> None:
    with running("serve", cwd=folder, before="import graftwire.cli.life as l\nl.SILENT = 3") as served:
        url = served.address()
        there = pids(served)
        async with graftwire.connect(url) as client:
            hung = await client.call("Where.pid")
            with pytest.raises(graftwire.Unavailable) as caught:
                await client.call("Where.hang")
        assert caught.value.ran
        (number,) = [each for each, pid in there.items() if pid == hung]
        served.errors_until(f"gateway process {number} gave no sign of life for 3 s and was killed")
        served.errors_until(f"gateway process {number} serves again")
        found = await where(url, 48)
        assert hung not in found
        assert len(found) == 2


async def test_one_that_can_not_be_started_again_leaves_its_callers_to_the_others(folder: Path) -> None:
    with running("serve", cwd=folder) as served:
        url = served.address()
        there = pids(served)
        (folder / "where.py").write_text("import nowhere\n")
        os.kill(there[1], signal.SIGKILL)
        served.errors_until("gateway process 1 was ended by SIGKILL, and is started again in 0.1 s")
        sentence = (
            "graftwire.toml, line 10: the module where needs the module nowhere, which is not installed"
        )
        served.errors_until(
            f"gateway process 1 ended with exit code 2, and is started again in 0.2 s: {sentence}"
        )
        assert set(await where(url, 48)) == {there[2]}
        (folder / "where.py").write_text(MODULE)
        served.errors_until("gateway process 1 serves again")
        assert len(await where(url, 48)) == 2
        assert served.stop().code == 0


def test_none_is_left_when_the_master_is_killed(folder: Path) -> None:
    """All of them have the master's standard output, so that it ends with the last of them."""
    with running("serve", cwd=folder) as served:
        served.address()
        served.process.kill()
        assert "process 2: the master process is gone; leaving" in served.end().err


def test_none_is_left_when_the_master_is_killed_and_one_hangs(folder: Path) -> None:
    said(folder, LEAST.replace("workers", "drain = 0\nworkers"))
    with running("serve", cwd=folder) as served:
        url = served.address()
        with running("call", url, "Where.hang", cwd=folder) as call:
            trio.run(_until_hung, url)
            served.process.kill()
            served.end()
            assert call.end().code == 3


async def _until_hung(url: str) -> None:
    """Until one of the processes takes no call."""
    while True:
        with trio.move_on_after(0.5) as scope:
            await where(url, 1)
        if scope.cancelled_caught:
            return


# --- how it ends ----------------------------------------------------------------------------------------------------


def test_calls_that_run_are_let_end(shop: Path) -> None:
    options = ["--listen", TCP, "--auth", "anonymous", "--workers", "2"]
    with running("serve", "shop:Shop", *options, cwd=shop) as served:
        url = served.address()
        arguments = ["call", url, "Shop.double", "--stream", "--items", "-"]
        with running(*arguments, cwd=shop, stdin=subprocess.PIPE) as run:
            run.type("1")
            assert run.line() == "2"
            served.process.send_signal(signal.SIGTERM)
            served.errors_until("leaving: running calls get 5 s")
            run.type("2")
            assert run.line() == "4"
            done = run.end()
            assert served.end().code == 0
    assert (done.code, done.out, done.err) == (0, "", "")
    with contextlib.closing(socket.socket()) as sock:
        assert sock.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) != 0


def test_a_second_signal_cuts_that_short(shop: Path) -> None:
    options = ["--listen", TCP, "--auth", "anonymous", "--workers", "2", "--drain", "1000"]
    with running("serve", "shop:Shop", *options, cwd=shop) as served:
        with running("call", served.address(), "Shop.begin", "--stream", cwd=shop) as run:
            assert run.line() == '"begun"'
            served.process.send_signal(signal.SIGTERM)
            served.errors_until("leaving: running calls get 1000 s")
            assert served.stop().code == 0
            assert run.end().code == 3


def test_a_handler_that_does_not_end_is_left_behind(shop: Path) -> None:
    options = ["--listen", TCP, "--auth", "anonymous", "--workers", "2", "--drain", "0"]
    with running("serve", "shop:Shop", *options, cwd=shop) as served:
        with running("call", served.address(), "Shop.block", "1000", cwd=shop):
            served.errors_until("Shop.block has begun")
            done = served.stop()
    assert done.code == 1
    assert "graftwire: a handler did not end in time and was left behind\n" in done.err
    assert re.search(r"gateway process \d ended with exit code 1\n", done.err)


def test_a_signal_before_all_serve(folder: Path) -> None:
    (folder / "where.py").write_text("import os, time\nos.write(2, b'begun\\n')\ntime.sleep(1000)\n")
    with running("serve", cwd=folder) as served:
        served.errors_until("begun")
        assert served.stop().code == 0


# --- reload ---------------------------------------------------------------------------------------------------------


async def test_a_reload(folder: Path) -> None:
    with running("serve", cwd=folder) as served:
        url = served.address()
        there = pids(served)
        async with graftwire.connect(url) as client:
            said(folder, LEAST.replace("[modules.Where]", "[modules.Other]"))
            served.process.send_signal(signal.SIGHUP)
            served.errors_until("gateway process 1 reloaded")
            served.errors_until("gateway process 2 reloaded")
            served.errors_until("hosting Other.hang")
            assert await client.call("Other.pid") in there.values()
        os.kill(there[2], signal.SIGKILL)
        said(folder, LEAST)  # nobody has asked for it: who is started again gets what the others have
        served.errors_until("gateway process 2 serves again")
        for _ in range(16):
            async with graftwire.connect(url, retry=RETRY) as client:
                await client.call("Other.pid")
        assert served.stop().code == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[gatewy]\n", "graftwire.toml, line 1: the file has an unknown key gatewy"),
        (
            LEAST.replace(":0", ":1"),
            (
                "graftwire.toml, line 3: listen of [gateway]: listen can't change while several gateway processes run; "
                "restart them"
            ),
        ),
        (
            LEAST.replace("= 2", "= 3"),
            (
                "graftwire.toml, line 4: workers of [gateway]: gateway.workers can't change while the gateway runs; "
                "restart it"
            ),
        ),
        (
            LEAST.replace("where:Where", "where:No"),
            "graftwire.toml, line 10: the module where has nothing called No",
        ),
    ],
)
async def test_a_reload_of_what_is_wrong(folder: Path, text: str, sentence: str) -> None:
    with running("serve", cwd=folder) as served:
        url = served.address()
        there = pids(served)
        said(folder, text)
        served.process.send_signal(signal.SIGHUP)
        served.errors_until(f"nothing was reloaded, and all goes on as before: {sentence}")
        assert set(await where(url, 48)) == set(there.values())
        done = served.stop()
        assert done.code == 0
        assert "process 2 reloaded" not in done.err


# --- audit ----------------------------------------------------------------------------------------------------------


async def test_each_process_keeps_a_chain_of_its_own(folder: Path, here: Here) -> None:
    said(folder, LEAST + '[audit]\nsinks = ["audit.jsonl"]\n')
    with running("serve", cwd=folder) as served:
        url = served.address()
        there = pids(served)
        await where(url, 32)
        os.kill(there[1], signal.SIGKILL)
        served.errors_until("gateway process 1 serves again")
        await where(url, 32)
        assert served.stop().code == 0
    lines = 0
    for number in (1, 2):
        done = here("audit", "verify", str(folder / f"audit-{number}.jsonl"))
        assert done.code == 0, done.err
        lines += int(done.out.split()[0])
    assert lines >= 64
    assert not (folder / "audit.jsonl").exists()


# --- mistakes -------------------------------------------------------------------------------------------------------


def begin(folder: Path, *arguments: str) -> Done:
    return apart("serve", *arguments, cwd=folder)


def test_a_number_that_is_none(here: Here) -> None:
    arguments = ["serve", "shop:Shop", "--listen", TCP, "--auth", "anonymous", "--workers"]
    assert here(*arguments, "0").sentence == "--workers has to be a whole number from 1 to 1024"
    assert here(*arguments, "many").sentence == "--workers takes a whole number, as in --workers 3"


def test_a_port_that_is_taken(folder: Path) -> None:
    """Also by others that would share it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said(folder, LEAST.replace(":0", f":{port}"))
        done = begin(folder)
        assert (done.code, done.out) == (2, "")
        assert done.sentence == (
            f"graftwire.toml, line 3: listen of [gateway]: something listens at 127.0.0.1:{port} already; stop it, or "
            "choose another port (0: any free one)"
        )
    with running("serve", cwd=folder) as served:
        served.address()
        assert begin(folder).sentence == done.sentence
        assert served.stop().code == 0


def test_the_first_start_fails(folder: Path) -> None:
    (folder / "where.py").write_text("import nowhere\n")
    done = begin(folder)
    assert (done.code, done.out) == (2, "")
    assert done.sentence == (
        "graftwire.toml, line 10: the module where needs the module nowhere, which is not installed"
    )


def test_the_first_start_fails_without_a_word(folder: Path) -> None:
    (folder / "where.py").write_text("import os\nos._exit(3)\n")
    done = begin(folder)
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(r"gateway process \d ended with exit code 3 before it served", done.sentence)


def test_an_audit_log_that_is_in_use(folder: Path) -> None:
    said(folder, LEAST + '[audit]\nsinks = ["audit.jsonl"]\n')
    with running("serve", cwd=folder) as served:
        served.address()
        done = begin(folder)
        assert done.code == 2
        assert re.search(r"the audit log audit-[12].jsonl is in use by another gateway", done.sentence)
        assert served.stop().code == 0


def test_where_ports_can_not_be_shared(folder: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT")
    monkeypatch.chdir(folder)
    for arguments in (["serve"], ["check"]):
        done = here(*arguments)
        assert (done.code, done.out) == (2, "")
        assert done.sentence == (
            "graftwire.toml, line 4: workers of [gateway]: this system does not let several processes share a port "
            "(SO_REUSEPORT); leave it out, and put several gateways behind a proxy"
        )


# --- check and systemd ----------------------------------------------------------------------------------------------


def test_check_says_how_many(folder: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    said(folder, LEAST + '[audit]\nsinks = ["audit.jsonl"]\n')
    monkeypatch.chdir(folder)
    lines = here("check").out.splitlines()
    assert "processes  2, which share what is listened at" in lines
    assert "audit      file:audit-1.jsonl, file:audit-2.jsonl; what can't be written down is refused" in lines


async def test_under_systemd(folder: Path) -> None:
    """Its sockets are for all processes, and the master alone speaks with it."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
    ):
        port = listening.getsockname()[1]
        said(folder, LEAST.replace(":0", f":{port}"))
        notify.bind(str(folder / "notify"))
        notify.settimeout(PATIENCE)
        heard: list[str] = []

        def until(word: str) -> None:
            while not heard or not heard[-1].startswith(word):
                heard.append(notify.recv(1000).decode())

        with handed_over(listening, notify, folder, "'WATCHDOG_PID': str(os.getpid())") as served:
            until("READY=1")
            assert served.address() == f"tcp://127.0.0.1:{port}"
            async with graftwire.connect(f"tcp://127.0.0.1:{port}") as client:
                names = await client.call("Where.variables")
                assert not {"NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC"} & set(names)
            until("WATCHDOG=1")
            served.process.send_signal(signal.SIGHUP)
            until("RELOADING=1")
            until("READY=1")
            served.process.send_signal(signal.SIGTERM)
            until("STOPPING=1")
            assert served.end().code == 0
    assert heard.count("READY=1") == 2
