from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from graftwire.protocol.errors import LinkError
from graftwire.transport import bind as bind_module
from graftwire.transport.bind import start_listening
from graftwire.transport.sharing import SharedAddress, can_share, share
from graftwire.transport.url import parse

TCP = "tcp://127.0.0.1:0"


@pytest.fixture
def connections() -> Iterator[list[socket.socket]]:
    """What a test has connected, closed at its end."""
    found: list[socket.socket] = []
    yield found
    for each in found:
        each.close()


def accepted(address: SharedAddress, number: int) -> int:
    """How many connections wait at the sockets of a process."""
    count = 0
    for sock in address.sockets(number):
        while True:
            try:
                connection, _ = sock.accept()
            except BlockingIOError:
                break
            connection.close()
            count += 1
    return count


async def test_the_system_spreads_connections(connections: list[socket.socket]) -> None:
    assert can_share()
    address = await share(parse(TCP), 2)
    assert address.urls == [address.url.text]
    connections += [socket.create_connection(("127.0.0.1", address.url.port)) for _ in range(64)]
    counts = [accepted(address, number) for number in (1, 2)]
    assert sum(counts) == 64
    assert 0 not in counts
    address.close()


async def test_all_of_a_host_share_one_port() -> None:
    address = await share(parse("tcp://localhost:0"), 3)
    ports = {sock.getsockname()[1] for number in (1, 2, 3) for sock in address.sockets(number)}
    assert ports == {address.url.port}
    assert address.urls == [f"tcp://localhost:{address.url.port}"]
    address.close()


async def test_a_name_becomes_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    real = bind_module.trio.socket.getaddrinfo

    async def look(host: str, *arguments: object, **options: object) -> object:
        return await real("127.0.0.1", *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(bind_module.trio.socket, "getaddrinfo", look)
    address = await share(parse("ws://gateway.example:0/calls"), 2)
    assert address.url.host == "gateway.example"
    assert address.urls == [f"ws://127.0.0.1:{address.url.port}/calls"]
    address.close()


async def test_somebody_who_would_share_is_somebody() -> None:
    address = await share(parse(TCP), 2)
    with pytest.raises(LinkError, match="something listens at"):
        await share(address.url, 2)
    address.close()
    again = await share(address.url, 2)
    again.close()


async def test_what_is_dropped_goes_to_the_others(connections: list[socket.socket]) -> None:
    address = await share(parse(TCP), 2)
    kept = address.sockets(2)
    await address.renew(2)
    assert address.sockets(2) == kept
    address.drop(2)
    assert address.sockets(2) == []
    connections += [socket.create_connection(("127.0.0.1", address.url.port)) for _ in range(32)]
    assert accepted(address, 1) == 32
    await address.renew(2)
    # bound, so that the port is kept; it listens when the process begins to serve
    connections += [socket.create_connection(("127.0.0.1", address.url.port)) for _ in range(32)]
    assert accepted(address, 1) == 32
    start_listening(address.url, address.sockets(2), 128)
    connections += [socket.create_connection(("127.0.0.1", address.url.port)) for _ in range(64)]
    assert 0 < accepted(address, 2) < 64
    address.close()


async def test_one_unix_socket_for_all(tmp_path: Path) -> None:
    address = await share(parse(f"unix:{tmp_path}/s"), 2)
    assert address.sockets(1) == address.sockets(2)
    address.drop(1)
    assert address.sockets(1)[0].fileno() >= 0
    address.close()
    assert not (tmp_path / "s").exists()
    address.close()


async def test_the_file_of_another_is_left_alone(tmp_path: Path) -> None:
    address = await share(parse(f"unix:{tmp_path}/s"), 2)
    os.unlink(tmp_path / "s")
    (tmp_path / "s").write_text("kept")
    address.close()
    assert (tmp_path / "s").read_text() == "kept"


async def test_sockets_that_are_handed_over_are_for_all() -> None:
    with socket.create_server(("127.0.0.1", 0)) as handed:
        url = parse(f"tcp://127.0.0.1:{handed.getsockname()[1]}")
        address = await share(url, 2, [handed])
        assert address.sockets(1) == address.sockets(2) == [handed]
        assert address.urls == [url.text]
        address.close()


async def test_a_socket_that_can_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(socket.socket):
        def listen(self, *_: object) -> None:
            raise OSError(errno.EADDRINUSE, "taken")

    with Full() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(LinkError, match="something listens at"):
            start_listening(parse("tcp://127.0.0.1:7400"), [sock], 8)


async def test_a_port_that_is_lost_to_another_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    real = bind_module._bind_one
    failures = 2

    def unlucky(family: socket.AddressFamily, address: str, port: int, share: bool) -> socket.socket:
        nonlocal failures
        if share and failures:
            failures -= 1
            raise OSError(errno.EADDRINUSE, "taken")
        return real(family, address, port, share)

    monkeypatch.setattr(bind_module, "_bind_one", unlucky)
    address = await share(parse(TCP), 2)
    assert failures == 0
    address.close()
