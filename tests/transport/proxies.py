"""Small proxies for tests: HTTP CONNECT, with h11, and SOCKS5, by RFC 1928 and 1929, on loopback."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h11
import trio

Handler = Callable[[trio.SocketStream], Awaitable[None]]


@dataclass
class Proxy:
    """What a proxy does, and what it saw. `login`: what it wants; `answer`: what it says in place of connecting."""

    login: tuple[str, str] | None = None
    answer: bytes | None = None
    pieces: int = 1_000_000  # bytes of its own words that it sends at a time
    names: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    passed: bytearray = field(default_factory=bytearray)
    url: str = ""

    async def say(self, stream: trio.SocketStream, data: bytes) -> None:
        for at in range(0, len(data), self.pieces):
            await stream.send_all(data[at : at + self.pieces])
            if self.pieces < len(data):
                await trio.sleep(0.001)

    async def join(
        self, near: trio.SocketStream, host: str, port: int, connected: bytes, failed: bytes
    ) -> None:
        self.asked.append(f"{host}:{port}")
        try:
            far = await trio.open_tcp_stream(self.names.get(host, host), port)
        except OSError:
            await self.say(near, failed)
            return
        async with far, trio.open_nursery() as nursery:
            await self.say(near, connected)

            async def copy(source: trio.SocketStream, target: trio.SocketStream, note: bool) -> None:
                try:
                    async for data in source:
                        if note:
                            self.passed += data
                        await target.send_all(data)
                    await target.send_eof()
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    nursery.cancel_scope.cancel()

            nursery.start_soon(copy, near, far, True)
            nursery.start_soon(copy, far, near, False)

    async def http(self, stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER)
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some())
        if not isinstance(event, h11.Request):
            return
        headers = dict(event.headers)
        given = headers.get(b"proxy-authorization")
        if given is not None:
            self.logins.append(base64.b64decode(given.removeprefix(b"Basic ")))
        if self.answer is not None:
            await self.say(stream, self.answer)
            return
        if self.login is not None and (given is None or self.logins[-1] != ":".join(self.login).encode()):
            await self.say(
                stream, b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno"
            )
            return
        assert event.method == b"CONNECT"
        assert headers[b"host"] == event.target
        host, _, port = event.target.decode().rpartition(":")
        connected = b"HTTP/1.1 200 Connection established\r\nVia: a test\r\n\r\n"
        await self.join(stream, host.strip("[]"), int(port), connected, b"HTTP/1.1 502 Bad\r\n\r\n")

    async def socks(self, stream: trio.SocketStream) -> None:
        async def exactly(size: int) -> bytes:
            data = b""
            while len(data) < size:
                more = await stream.receive_some(size - len(data))
                if not more:
                    raise trio.BrokenResourceError
                data += more
            return data

        _, count = await exactly(2)
        methods = await exactly(count)
        if self.answer is not None and not self.answer.startswith(b"\x05\x00"):
            await self.say(stream, self.answer)
            return
        if self.login is not None:
            if 2 not in methods:
                await self.say(stream, b"\x05\xff")
                return
            await self.say(stream, b"\x05\x02")
            _, size = await exactly(2)
            name = await exactly(size)
            password = await exactly((await exactly(1))[0])
            self.logins.append(name + b":" + password)
            good = self.logins[-1] == ":".join(self.login).encode()
            await self.say(stream, b"\x01\x00" if good else b"\x01\x01")
            if not good:
                return
        else:
            await self.say(stream, b"\x05\x00")
        _, command, _, kind = await exactly(4)
        assert command == 1
        if kind == 3:
            host = (await exactly((await exactly(1))[0])).decode()
        else:
            host = str(ipaddress.ip_address(await exactly(4 if kind == 1 else 16)))
        port = int.from_bytes(await exactly(2), "big")
        if self.answer is not None:
            await self.say(stream, self.answer[2:])
            return
        # with a name as the bound address, which is rare, and allowed
        await self.join(
            stream,
            host,
            port,
            b"\x05\x00\x00\x03\x04here\x00\x00",
            b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00",
        )


@asynccontextmanager
async def running(scheme: str, proxy: Proxy) -> AsyncGenerator[Proxy]:
    handler = proxy.http if scheme == "http" else proxy.socks

    async def handle(stream: trio.SocketStream) -> None:
        try:
            await handler(stream)
            await stream.send_eof()
            async for _ in stream:  # an unread byte would reset the connection, and lose the answer
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async with trio.open_nursery() as nursery:
        [listener, *_] = await nursery.start(
            trio.serve_tcp,
            handle,
            0,
        )
        port = listener.socket.getsockname()[1]
        proxy.url = f"{scheme}://127.0.0.1:{port}"
        yield proxy
        nursery.cancel_scope.cancel()
