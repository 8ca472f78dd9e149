"""What a target says in its TLS handshake is read, and the runner can speak the versions that it has to see refused."""

from __future__ import annotations

import pytest
import trio

from graftwire.conformance import certificates
from graftwire.conformance.links import making
from graftwire.conformance.links.pipes import SocketPipe
from graftwire.conformance.links.wires import Fault


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    return certificates.make(tmp_path_factory.mktemp("tls"))


async def shake(
    made: certificates.Certificates, version: str, names: tuple[str, ...]
) -> tuple[list[Fault], str]:
    """A handshake between two ends of the runner; what the server's end found, and the version."""
    faults: list[Fault] = []
    one, other = trio.socket.socketpair()
    versions = (version, version)
    server = making.watched(
        SocketPipe(trio.SocketStream(one)),
        made.context(server=True, alpn=("graftwire/1",), versions=versions, certificate=None),
        None,
        faults,
        framed=True,
    )
    client = making.watched(
        SocketPipe(trio.SocketStream(other)),
        made.context(server=False, alpn=names, versions=versions, certificate=None),
        "localhost",
        [],
        framed=False,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.handshake)
        nursery.start_soon(client.handshake)
    for end in (client, server):
        await end.cut(reset=False)
    return faults, client.ssl.version() or ""


@pytest.mark.parametrize(("version", "name"), [("1.1", "TLSv1.1"), ("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")])
async def test_the_runner_speaks_every_version(
    made: certificates.Certificates, version: str, name: str
) -> None:
    """A target that refuses TLS 1.1 refuses it, and not ciphers that the runner could not agree on."""
    assert await shake(made, version, ("graftwire/1",)) == ([], name)


@pytest.mark.parametrize("names", [(), ("graftwire/1", "h2"), ("h2", "graftwire/1")])
async def test_names_that_an_initiator_may_not_offer(
    made: certificates.Certificates, names: tuple[str, ...]
) -> None:
    faults, _ = await shake(made, "1.3", names)
    assert [each.clause for each in faults] == ["LINK-3"]


def test_early_data_in_a_ticket() -> None:
    head = b"\x04\0\0\x17" + bytes(8) + b"\x01\x00" + b"\0\x01t"
    assert making.extensions_of_ticket(head + b"\0\x08" + b"\0\x2a\0\x04\0\0\x40\0") == {42: b"\0\0\x40\0"}
    assert making.extensions_of_ticket(head + b"\0\0") == {}


def test_early_data_in_a_client_hello() -> None:
    hello = b"\x01\0\0\x2e" + bytes(34) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0" + b"\0\x04" + b"\0\x2a\0\0"
    assert making.extensions_of_client_hello(hello) == {42: b""}
