"""What the promises say of trust, over real links.

Nothing is trusted for where it comes from, credentials travel in their slots, and who called is in the record.
"""

from __future__ import annotations

import base64
import ipaddress
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

import graftwire
from graftwire.protocol import frames
from graftwire.protocol.framereading import decode
from tests.gateway.plugins import As, Keep, Names, Only, everything


class Ledger:
    """What is hosted."""

    def __init__(self) -> None:
        self.ran = 0

    async def balance(self, account: str) -> str:
        self.ran += 1
        identity = graftwire.current_identity()
        assert identity is not None
        return f"{account} for {identity.subject}"


class Neighbour:
    """Hosted beside the ledger, and calls it through the gateway."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def ask(self) -> str:
        async with graftwire.connect(self.url) as client:
            return await client.call("Ledger.balance", "ours")


@asynccontextmanager
async def gateway(
    *urls: str, services: dict[str, object] | None = None, **options: Any
) -> AsyncGenerator[tuple[graftwire.Gateway, Ledger, Keep]]:
    ledger, sink = Ledger(), Keep()
    options.setdefault("auth", Names("ada"))
    options.setdefault("allow", Only(everything))
    hosted = {"Ledger": ledger, **(services or {})}
    async with graftwire.serve(hosted, *urls, audit=sink, **options) as running:
        yield running, ledger, sink


async def refused(client: graftwire.Client, ledger: Ledger, sink: Keep) -> None:
    with pytest.raises(graftwire.Unauthenticated):
        await client.call("Ledger.balance", "ours")
    assert not ledger.ran
    reason = "the caller has proved no identity"
    assert sink.said[-1] == ("call", "Ledger.balance", "", "refused", "none", reason)


# --- P11: nothing is trusted implicitly ------------------------------------------------------------------------------


async def test_loopback_is_not_trusted() -> None:
    async with gateway("tcp://127.0.0.1:0", "ws://127.0.0.1:0") as (running, ledger, sink):
        for url in running.urls:
            async with graftwire.connect(url) as client:
                assert client.facts.peer.startswith("127.0.0.1:")
                await refused(client, ledger, sink)


async def test_the_same_host_is_not_trusted(tmp_path: Path) -> None:
    async with gateway(f"unix:{tmp_path}/socket") as (running, ledger, sink):
        async with graftwire.connect(running.urls[0]) as client:
            await refused(client, ledger, sink)


async def test_a_private_network_is_not_trusted() -> None:
    """A proxy that is listened to says that the caller is in one."""
    options = graftwire.ListenOptions(proxy_sources=(ipaddress.ip_network("127.0.0.0/8"),))
    async with gateway("tcp://127.0.0.1:0", options=options) as (running, ledger, sink):
        port = int(running.urls[0].rpartition(":")[2])
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with stream:
            hello = bytes.fromhex(
                "00000025830081 01a6011a0040000002190400031a01000000041a00040000051a002000000619ea60"
            )
            call = (
                bytes.fromhex("0000001d8705 0100")
                + b"\x6eLedger.balance\xf6\xf6"
                + bytes.fromhex("47828163 6f7572a0")
            )
            await stream.send_all(b"PROXY TCP4 10.1.2.3 10.0.0.1 4711 80\r\n" + hello + call)
            answer = b""
            while b"\x84\x07\x01\x03\xf6" not in answer:  # ERROR of call 1: unauthenticated
                more = await stream.receive_some()
                assert more
                answer += more
        assert not ledger.ran
        (record,) = sink.records
        assert record.link.peer == "10.1.2.3:4711"
        assert record.decision == "refused"


def mutual(authority: trustme.CA) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    server.set_alpn_protocols(["graftwire/1"])
    client = ssl.create_default_context()
    authority.configure_trust(client)
    authority.issue_cert("ada@example.com").configure_cert(client)
    client.set_alpn_protocols(["graftwire/1"])
    return server, client


async def test_a_client_certificate_is_not_trusted(authority: trustme.CA) -> None:
    """It was verified, and is in the facts; without a frame that says so it is nobody's identity."""
    server, dialling = mutual(authority)
    listen = graftwire.ListenOptions(tls=server)
    async with gateway("tls://127.0.0.1:0", options=listen) as (running, ledger, sink):
        dial = graftwire.ConnectOptions(tls=dialling)
        async with graftwire.connect(running.urls[0], options=dial) as client:
            await refused(client, ledger, sink)
            assert sink.records[-1].link.verified
            assert sink.records[-1].link.certificate is not None


async def test_a_neighbour_in_the_same_gateway_is_not_trusted() -> None:
    url = "memory:neighbours"
    allow = Only(lambda request: "a way in" if request.target == "Neighbour.ask" else "for known callers")
    services: dict[str, object] = {"Neighbour": Neighbour(url)}
    async with gateway(url, services=services, allow=allow) as (running, ledger, sink):
        async with graftwire.connect(url, credential=As("ada")) as client:
            with pytest.raises(graftwire.InternalError):  # the neighbour's own call was refused
                await client.call("Neighbour.ask")
            assert not ledger.ran
            assert (
                "call",
                "Ledger.balance",
                "",
                "refused",
                "none",
                "the caller has proved no identity",
            ) in sink.said
            assert await client.call("Ledger.balance", "ours") == "ours for ada"


# --- P9: credentials travel in their slots, and nowhere else ---------------------------------------------------------


class Relay:
    """Passes the bytes of one connection on, and keeps them, by direction."""

    def __init__(self, to: str) -> None:
        self.port = int(to.rpartition(":")[2])
        self.seen = {"there": bytearray(), "back": bytearray()}

    async def serve(self, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        task_status.started(f"tcp://127.0.0.1:{listeners[0].socket.getsockname()[1]}")
        await trio.serve_listeners(self.pass_on, listeners)

    async def pass_on(self, stream: trio.SocketStream) -> None:
        async with stream, await trio.open_tcp_stream("127.0.0.1", self.port) as onward:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.copy, stream, onward, "there")
                nursery.start_soon(self.copy, onward, stream, "back")

    async def copy(self, source: trio.SocketStream, sink: trio.SocketStream, direction: str) -> None:
        async for data in source:
            self.seen[direction] += data
            await sink.send_all(data)
        await sink.send_eof()

    def frames(self, direction: str) -> list[Any]:
        found, data = [], bytes(self.seen[direction])
        while data:
            size = 4 + int.from_bytes(data[:4], "big")
            found.append(decode(memoryview(data)[4:size]))
            data = data[size:]
        return found


def forms(secret: bytes) -> list[bytes]:
    """A secret as it might be found: as it is, reversed, and in the usual encodings, at each alignment."""
    aligned = [base64.b64encode(b"." * shift + secret)[4:-4] for shift in range(3)]
    return [secret, secret[::-1], secret.hex().encode(), *aligned, base64.b32encode(secret)[:-8]]


async def test_credentials_are_in_their_slots_and_nowhere_else() -> None:
    session, single = b"a-secret-of-the-session", b"a-secret-of-one-call"
    names = Names(session.decode(), single.decode())
    async with gateway("tcp://127.0.0.1:0", auth=names, plain_proofs=True) as (running, ledger, sink):
        relay = Relay(running.urls[0])
        async with trio.open_nursery() as nursery:
            url = await nursery.start(relay.serve)
            async with graftwire.connect(url, credential=As(session.decode()), plain_proofs=True) as client:
                with pytest.raises(graftwire.BadArguments):
                    await client.call("Ledger.balance", 1)
                with pytest.raises(graftwire.BadArguments):
                    await client.using(credential=As(single.decode())).call("Ledger.balance", 1)
                with pytest.raises(graftwire.Unauthenticated):
                    await client.using(credential=As("unknown")).call("Ledger.balance", "ours")
            nursery.cancel_scope.cancel()
    auth = [frame for frame in relay.frames("there") if isinstance(frame, frames.Auth)]
    calls = [frame for frame in relay.frames("there") if isinstance(frame, frames.Call)]
    assert [frame.proof for frame in auth] == [session]
    assert [frame.credential for frame in calls] == [None, ("name", single), ("name", b"unknown")]
    # each secret stands where it was declared, once, and in no other form anywhere
    for secret in (session, single):
        assert relay.seen["there"].count(secret) == 1
        assert secret not in relay.seen["back"]
        for form in forms(secret)[1:]:
            assert form not in relay.seen["there"] + relay.seen["back"]


async def test_the_record_names_who_called_and_who_vouched() -> None:
    class Vouching(Names):
        name = "the-register"

    async with gateway("memory:vouching", auth=Vouching("ada")) as (running, ledger, sink):
        async with graftwire.connect(running.urls[0], credential=As("ada")) as client:
            await client.call("Ledger.balance", "ours")
    authentication, call = sink.records
    assert (authentication.identity, authentication.issuer, authentication.plugin) == (
        "ada",
        "tests",
        "the-register",
    )
    assert (call.identity, call.issuer, call.scheme) == ("ada", "tests", "name")
    assert authentication.session == call.session
