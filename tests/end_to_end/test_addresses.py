"""Which addresses a program with a gateway and callers touches: those that it was given, and no others."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from tests.end_to_end.conftest import others_listeners

# A program of its own, because an audit hook can't be taken off again.
PROGRAM = """
import json, sys

touched = []

def record(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"):
        where = arguments[:2] if event == "socket.getaddrinfo" else arguments[1:]
        touched.append([event, str(where)])

sys.addaudithook(record)

from collections.abc import AsyncIterator
import graftwire, trio

ca, chain, key = sys.argv[1:]

class Invoices:
    async def total(self, net: int) -> int:
        return net + 1

    def blocking(self, net: int) -> int:
        return net + 2

    async def overdue(self) -> AsyncIterator[int]:
        for number in range(3):
            yield number

    async def failing(self) -> None:
        raise RuntimeError

async def main():
    schemes = ("tcp", "tls", "ws", "wss")
    urls = [f"{scheme}://127.0.0.1:0" for scheme in schemes]
    listen = graftwire.ListenOptions(tls=graftwire.server_context(chain, key))
    dial = graftwire.ConnectOptions(tls=graftwire.client_context(ca=ca))
    answers = []
    async with graftwire.serve({"Invoices": Invoices()}, *urls, auth=graftwire.Anonymous(), options=listen) as gateway:
        for url in gateway.urls:
            async with graftwire.connect(url, options=dial) as session:
                answers.append(await session.call("Invoices.total", 1))
                answers.append(await session.call("Invoices.blocking", 1))
                async with session.stream("Invoices.overdue") as numbers:
                    answers.append([number async for number in numbers])
                try:
                    await session.call("Invoices.failing")
                except graftwire.InternalError:
                    answers.append("failed")
                await session.ping()
        ports = [int(url.rstrip("/").rpartition(":")[2]) for url in gateway.urls]
    print(json.dumps({"answers": answers, "ports": ports, "touched": touched}))

trio.run(main)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system's table of sockets is read")
def test_the_watch_over_these_tests_knows_what_is_listened_at() -> None:
    """The one of conftest.py, which fails the run when anything else is connected to."""
    program = """
import socket
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    input()
"""
    command = [sys.executable, "-c", program]
    with (
        socket.create_server(("127.0.0.1", 0)) as own,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        other = ("127.0.0.1", int(process.stdout.readline()))
        found = others_listeners()
        process.communicate("")
        assert other in found
        assert own.getsockname() not in found
    assert other not in others_listeners()


def test_only_what_was_configured_is_touched(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    ca, chain, key = (tmp_path / name for name in ("ca.pem", "chain.pem", "key.pem"))
    authority.cert_pem.write_to_path(str(ca))
    issued.cert_chain_pems[0].write_to_path(str(chain))
    issued.private_key_pem.write_to_path(str(key))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, ca, chain, key],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["answers"] == [2, 3, [0, 1, 2], "failed"] * 4
    # What it connected to, in the order of the callers, and nothing was looked up but that address.
    connected = [where for event, where in said["touched"] if event == "socket.connect"]
    assert connected == [f"(('127.0.0.1', {port}),)" for port in said["ports"]]
    others = {(event, where) for event, where in said["touched"] if event != "socket.connect"}
    assert {event for event, _ in others} <= {"socket.getaddrinfo"}
    assert all(where.startswith(("('127.0.0.1', ", "(b'127.0.0.1', ")) for _, where in others)
