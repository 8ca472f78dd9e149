"""Real nginx and real HAProxy in front of two gateways, with the very configurations that the pages show."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import trio

import graftwire
from tests.gateway.plugins import As, Names, Only, everything

from .conftest import PATIENCE, run
from .proxies import BEHIND, WAYS, command, configuration, free_ports, until_it_listens

PROXIES: Final = [
    pytest.param("nginx", marks=pytest.mark.external("nginx")),
    pytest.param("haproxy", marks=pytest.mark.external("haproxy")),
]

LOOPBACK: Final = (ipaddress.ip_network("127.0.0.1"),)


class Stock:
    """What is hosted; it says at which gateway."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls = 0

    async def where(self) -> str:
        self.calls += 1
        return self.name

    async def echo(self, data: bytes) -> bytes:
        return data

    async def count(self, to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number

    async def slow(self) -> str:
        self.calls += 1
        await trio.sleep(0.02)
        return self.name


class Place:
    """A proxy with two gateways behind it, `a` and `b`."""

    def __init__(self, ports: dict[int, int], ca: ssl.SSLContext) -> None:
        self.ports = ports
        self.options = graftwire.ConnectOptions(tls=ca)
        self.gateways: dict[str, list[graftwire.Gateway]] = {"a": [], "b": []}
        self.stocks = {"a": Stock("a"), "b": Stock("b")}

    def url(self, way: str) -> str:
        scheme, port, _ = WAYS[way]
        return f"{scheme}://localhost:{self.ports[port]}"

    def connect(self, way: str, **options: Any) -> Any:
        return graftwire.connect(self.url(way), options=self.options, **options)


@asynccontextmanager
async def running(
    proxy: str,
    folder: Path,
    certificate: tuple[Path, Path],
    ca_file: Path,
    **security: Any,
) -> AsyncGenerator[Place]:
    security = security or {"auth": graftwire.Anonymous()}
    chain, key = certificate
    for name, parts in (("chain.pem", [chain]), ("key.pem", [key]), ("proxy.pem", [chain, key])):
        (folder / name).write_bytes(b"".join(part.read_bytes() for part in parts))
    ports = free_ports([port for _, port, _ in WAYS.values()])
    place = Place(ports, graftwire.client_context(ca=str(ca_file)))
    web = () if proxy == "nginx" else LOOPBACK
    kinds = {
        "tcp": (BEHIND["tcp"], graftwire.ListenOptions(proxy_sources=LOOPBACK)),
        "tls": (
            BEHIND["tls"],
            graftwire.ListenOptions(
                proxy_sources=LOOPBACK, tls=graftwire.server_context(str(chain), str(key))
            ),
        ),
        "ws": (BEHIND["ws"], graftwire.ListenOptions(proxy_sources=web)),
    }
    async with AsyncExitStack() as stack:
        for number, name in enumerate(("a", "b")):
            for scheme, (port, options) in kinds.items():
                gateway = await stack.enter_async_context(
                    graftwire.serve(
                        {"Stock": place.stocks[name]}, f"{scheme}://127.0.0.1:0", options=options, **security
                    )
                )
                place.gateways[name].append(gateway)
                ports[port + number] = int(re.findall(r":(\d+)", gateway.urls[0])[0])
        path = configuration(proxy, ports, folder)
        async with trio.open_nursery() as nursery:
            start = partial(trio.run_process, command(proxy, path), check=False)
            process: trio.Process = await nursery.start(start)
            try:
                for _, port, _ in WAYS.values():
                    await until_it_listens(process, ports[port])
                yield place
            finally:
                process.terminate()


@pytest.mark.parametrize("proxy", PROXIES)
async def test_the_page_is_what_the_proxy_takes(
    proxy: str, tmp_path: Path, certificate: tuple[Path, Path], ca_file: Path
) -> None:
    """Its own check finds nothing, no warning either."""
    async with running(proxy, tmp_path, certificate, ca_file):
        path = str(tmp_path / f"{proxy}.conf")
        if proxy == "haproxy":
            code, said = await run("haproxy", "-c", "-f", path)
        else:
            code, said = await run(
                "nginx", "-t", "-e", "stderr", "-c", path, "-g", f"pid {tmp_path}/other.pid;"
            )
    assert code == 0, said
    assert "warn" not in said.lower()


@pytest.mark.parametrize("proxy", PROXIES)
async def test_calls_and_streams_pass(
    proxy: str, tmp_path: Path, certificate: tuple[Path, Path], ca_file: Path
) -> None:
    async with running(proxy, tmp_path, certificate, ca_file) as place:
        for way in WAYS:
            async with place.connect(way) as client:
                assert await client.call("Stock.where") in ("a", "b"), way
                data = bytes(range(256)) * 4_096
                assert await client.call("Stock.echo", data) == data
                async with client.stream("Stock.count", 1_000) as numbers:
                    assert [number async for number in numbers] == list(range(1_000))


@pytest.mark.parametrize("proxy", PROXIES)
async def test_who_is_calling(
    proxy: str, tmp_path: Path, certificate: tuple[Path, Path], ca_file: Path
) -> None:
    """The PROXY protocol brings the caller's own address; nginx can't send it to WebSocket upstreams."""
    async with running(proxy, tmp_path, certificate, ca_file) as place:
        for way, (_, _, kind) in WAYS.items():
            async with place.connect(way) as client:
                name = await client.call("Stock.where")
                [session] = [
                    session
                    for gateway in place.gateways[name]
                    for session in gateway.sessions
                    if session.usable
                ]
                told = session.facts.peer == client.facts.local
                assert told is not (proxy == "nginx" and kind == "web"), way
                assert (session.facts.tls is not None) is (kind == "encrypted"), way


@pytest.mark.parametrize("proxy", PROXIES)
async def test_where_tls_ends_trust_ends(
    proxy: str, tmp_path: Path, certificate: tuple[Path, Path], ca_file: Path
) -> None:
    """A proof that crossed a plain link between proxy and gateway is refused, unless that was allowed."""
    security = {"auth": Names("ada"), "allow": Only(everything)}
    async with running(proxy, tmp_path, certificate, ca_file, **security) as place:
        async with place.connect("tls passed through", credential=As("ada")) as client:
            assert await client.call("Stock.where") in ("a", "b")
        for way in ("tls that ends at the proxy", "wss that ends at the proxy"):
            with pytest.raises(graftwire.Unauthenticated):
                async with place.connect(way, credential=As("ada")):
                    pass
    (tmp_path / "again").mkdir()
    async with running(
        proxy, tmp_path / "again", certificate, ca_file, plain_proofs=True, **security
    ) as place:
        for way in ("tls that ends at the proxy", "wss that ends at the proxy"):
            async with place.connect(way, credential=As("ada")) as client:
                assert await client.call("Stock.where") in ("a", "b")


@pytest.mark.parametrize("proxy", PROXIES)
async def test_one_of_two_is_drained_under_load_and_no_call_fails(
    proxy: str, tmp_path: Path, certificate: tuple[Path, Path], ca_file: Path
) -> None:
    async with running(proxy, tmp_path, certificate, ca_file) as place:
        done = 0
        stop = trio.Event()

        async def calls(way: str) -> None:
            nonlocal done
            retry = graftwire.Retry(attempts=20, first=0.01, most=0.2)
            async with place.connect(way, retry=retry) as client:
                while not stop.is_set():
                    assert await client.call("Stock.slow") in ("a", "b")
                    done += 1
                # and whoever was with the one that has left is with the other one now
                assert await client.call("Stock.where") == "b"

        async def until(count: int) -> None:
            with trio.fail_after(PATIENCE):
                while done < count:
                    await trio.sleep(0.01)

        async with trio.open_nursery() as nursery:
            for way in WAYS:
                for _ in range(4):
                    nursery.start_soon(calls, way)
            await until(200)
            assert place.stocks["a"].calls > 0
            async with trio.open_nursery() as draining:
                for gateway in place.gateways["a"]:
                    draining.start_soon(gateway.drain)
            before = place.stocks["a"].calls
            await until(done + 200)
            assert place.stocks["a"].calls == before
            stop.set()
        assert done == place.stocks["a"].calls + place.stocks["b"].calls - 4 * len(WAYS)


@pytest.mark.external("curl")
@pytest.mark.parametrize("proxy", PROXIES)
async def test_health_through_the_proxy(
    proxy: str, tmp_path: Path, certificate: tuple[Path, Path], ca_file: Path
) -> None:
    async with running(proxy, tmp_path, certificate, ca_file) as place:
        url = f"http://127.0.0.1:{place.ports[7480]}/healthz"
        assert await run("curl", "-sS", "-w", " %{http_code}", url) == (0, "ok\n 200")
