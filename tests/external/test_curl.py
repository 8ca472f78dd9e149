"""curl at a WebSocket port: what a load balancer's health check, or somebody who is curious, sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Open, run

pytestmark = pytest.mark.external("curl")

CURL = ("curl", "--silent", "--show-error", "--http1.1", "--noproxy", "*", "--max-time", "30")
WRITE = ("--write-out", "|%{http_code}")


def of_http(url: str) -> str:
    return url.replace("ws", "http", 1).removesuffix("/calls")


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_health(gateway: Open, ca_file: Path, scheme: str) -> None:
    async with gateway(f"{scheme}://127.0.0.1:0/calls") as opened:
        url = of_http(opened.urls[0])
        assert await run(*CURL, *WRITE, "--cacert", str(ca_file), f"{url}/healthz") == (0, "ok\n|200")
        code, head = await run(*CURL, "--cacert", str(ca_file), "--head", f"{url}/healthz")
        assert code == 0
        assert head.startswith("HTTP/1.1 200 OK\r\n")
        assert head.endswith("\r\n\r\n")


async def test_health_while_a_gateway_drains_is_not_asked_for(gateway: Open) -> None:
    async with gateway("ws://127.0.0.1:0") as opened:
        url = of_http(opened.urls[0])
        await opened.drain(0)
        code, said = await run(*CURL, f"{url}healthz")
        assert code == 7  # who is leaving takes no connections
        assert "Couldn't connect to server" in said


@pytest.mark.parametrize(
    ("arguments", "path", "answer"),
    [
        ((), "/calls", "Only WebSocket is spoken here.\n|426"),
        ((), "/else", "There is nothing at this path.\n|404"),
        (("--request", "POST", "--data", "x=1"), "/healthz", "Health is read.\n|405"),
        ((), "/calls?token=canary", "A query has no place here; credentials travel in frames only.\n|400"),
        (
            (
                "--header",
                "Upgrade: websocket",
                "--header",
                "Connection: Upgrade",
                "--header",
                "Sec-WebSocket-Version: 8",
            ),
            "/calls",
            "Only version 13 of WebSocket is spoken here.\n|426",
        ),
    ],
)
async def test_what_is_no_handshake_gets_a_short_answer(
    gateway: Open, arguments: tuple[str, ...], path: str, answer: str
) -> None:
    async with gateway("ws://127.0.0.1:0/calls") as opened:
        assert await run(*CURL, *WRITE, *arguments, of_http(opened.urls[0]) + path) == (0, answer)


async def test_one_port_for_frames_tls_and_http(gateway: Open) -> None:
    async with gateway("tcp://127.0.0.1:0", detect=True) as opened:
        url = opened.urls[0].replace("tcp", "http", 1)
        assert await run(*CURL, *WRITE, f"{url}/healthz") == (0, "ok\n|200")
