"""The configurations of proxies that the pages show, made to run here: at other ports, in other folders."""

from __future__ import annotations

import random
import re
import socket
from pathlib import Path
from typing import Final

import pytest
import trio

from .conftest import PATIENCE

DOCS: Final = Path(__file__).parents[2] / "docs/how-to"

# The ports of the pages: what callers use, with the kind of gateway behind it.
WAYS: Final = {
    "tcp": ("tcp", 7400, "framed"),
    "tls that ends at the proxy": ("tls", 7443, "framed"),
    "tls passed through": ("tls", 7444, "encrypted"),
    "ws": ("ws", 7480, "web"),
    "wss that ends at the proxy": ("wss", 7445, "web"),
}

# And those of the two gateways behind it, by scheme: the first one's, the second one's is the next.
BEHIND: Final = {"tcp": 7401, "tls": 7411, "ws": 7421}


def free_ports(wanted: list[int]) -> dict[int, int]:
    """A free port in the place of each."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in wanted]
    found = {each: sock.getsockname()[1] for each, sock in zip(wanted, sockets, strict=True)}
    for sock in sockets:
        sock.close()
    return found


def steady_ports(wanted: list[int]) -> dict[int, int]:
    """The same, of those that the system gives to nobody: who listens there can be stopped, and come back."""
    sockets: list[socket.socket] = []
    for port in random.sample(range(16_384, _first_ephemeral()), 1_000):
        if len(sockets) == len(wanted):
            break
        try:
            sockets.append(socket.create_server(("127.0.0.1", port)))
        except OSError:
            continue
    found = {each: sock.getsockname()[1] for each, sock in zip(wanted, sockets, strict=True)}
    for sock in sockets:
        sock.close()
    return found


def _first_ephemeral() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        first = 32_768
    return first if first >= 18_384 else 32_768


def configuration(proxy: str, ports: dict[int, int], folder: Path) -> Path:
    """The configuration of the page, at other ports and in other folders."""
    page = (DOCS / f"behind-{proxy}.md").read_text(encoding="utf-8")
    [text] = re.findall(rf"^```{proxy}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    named = {int(port) for port in re.findall(r"\b74\d\d\b", text)}
    assert named == set(ports)
    text = re.sub(r"\b74\d\d\b", lambda found: str(ports[int(found[0])]), text)
    text = text.replace("bind :", "bind 127.0.0.1:").replace("listen ", "listen 127.0.0.1:")
    text = text.replace("/etc/graftwire", str(folder))
    if proxy == "nginx":  # what it has places of its own for, which not everybody may write to
        kept = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        text = text.replace(
            "http {", "http {" + "".join(f" {each}_temp_path {folder}/{each};" for each in kept)
        )
        text = text.replace("http {", "http { access_log off;")
    path = folder / f"{proxy}.conf"
    path.write_text(text, encoding="utf-8")
    return path


def command(proxy: str, path: Path) -> list[str]:
    """How a proxy is started, in the foreground."""
    if proxy == "haproxy":
        return ["haproxy", "-db", "-f", str(path)]
    orders = f"daemon off; pid {path.parent}/nginx.pid; error_log stderr warn;"
    return ["nginx", "-e", "stderr", "-c", str(path), "-g", orders]


async def until_it_listens(process: trio.Process, port: int) -> None:
    """Wait for a proxy to take connections; the test fails if it ends."""
    with trio.fail_after(PATIENCE):
        while process.returncode is None:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
            except OSError:
                await trio.sleep(0.02)
            else:
                await stream.aclose()
                return
    pytest.fail("the proxy has ended; it said why above")
