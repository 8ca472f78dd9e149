"""Bytes both ways: a socket, or TLS on it. No end is polite unless it is asked to be."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from typing import Final

import trio

LARGEST_READ: Final = 65_536
# SO_LINGER switched on with no time: closing sends a reset in place of what waits.
_RESET: Final = struct.pack("ii", 1, 0)


class Gone(Exception):
    """The connection can't be written or read any more; `orderly` False: it was torn (a reset, TLS cut off)."""

    def __init__(self, why: str, *, orderly: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.orderly = orderly


class SocketPipe:
    """A connected socket. One task reads, one writes."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream

    async def send(self, data: bytes) -> None:
        """Write all of it. Raises Gone."""
        try:
            await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Gone("the connection was reset or closed while it was written to") from error

    async def receive(self) -> bytes:
        """What came; nothing at an orderly end. Raises Gone for a reset."""
        try:
            return bytes(await self.stream.receive_some(LARGEST_READ))
        except trio.BrokenResourceError as error:
            raise Gone("the connection was reset") from error
        except trio.ClosedResourceError as error:
            raise Gone("closed at this end", orderly=True) from error

    async def half_close(self) -> None:
        """Say that nothing more is written."""
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self.stream.send_eof()

    async def cut(self, *, reset: bool) -> None:
        """Close at once, without a word; `reset`: with a RST."""
        if reset:
            with contextlib.suppress(OSError):  # Unix sockets know no reset
                self.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        await self.aclose()

    async def aclose(self) -> None:
        """Close."""
        with trio.CancelScope(shield=True):
            await self.stream.aclose()


class TlsPipe:
    """TLS on a socket; `handshake` comes first. An end without close_notify raises Gone."""

    def __init__(self, under: SocketPipe, context: ssl.SSLContext, server_name: str | None) -> None:
        self.under = under
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_name is None, server_hostname=server_name
        )
        self._writing = trio.Lock()
        self._said_last = False
        self._early = b""

    async def handshake(self) -> None:
        """Raises Gone, or ssl.SSLError for what this side does not take."""
        while True:
            try:
                self.ssl.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                self._feed(await self.under.receive())
            except ssl.SSLError:
                with contextlib.suppress(Gone):
                    await self._flush()  # the alert, which says why
                raise
            else:
                await self._flush()
                return

    async def send(self, data: bytes) -> None:
        """Write all of it. Raises Gone."""
        try:
            if data:
                self.ssl.write(data)
        except ssl.SSLError as error:
            raise Gone("TLS takes no more bytes") from error
        await self._flush()

    async def receive(self) -> bytes:
        """What came; nothing behind close_notify. Raises Gone where the connection ends without it."""
        while True:
            if self._early:
                data, self._early = self._early, b""
                return data
            try:
                return self.ssl.read(LARGEST_READ)
            except ssl.SSLWantReadError:
                await self._flush()
                self._feed(await self.under.receive())
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLEOFError as error:
                raise Gone("TLS ended without close_notify") from error
            except ssl.SSLError as error:
                raise Gone(f"TLS failed: {error.reason or 'unknown'}") from error

    async def half_close(self) -> None:
        """close_notify, and FIN behind it; what comes can still be read."""
        if not self._said_last:
            self._said_last = True
            with contextlib.suppress(ssl.SSLError):
                self._early += self.ssl.read(2**24)  # OpenSSL would drop it with the next line
            with contextlib.suppress(ssl.SSLError):
                self.ssl.unwrap()
        with contextlib.suppress(Gone):
            await self._flush()

    async def cut(self, *, reset: bool) -> None:
        """Close the socket without close_notify."""
        await self.under.cut(reset=reset)

    async def aclose(self) -> None:
        """close_notify if it can leave at once, and close."""
        try:
            with trio.move_on_after(0.2):
                await self.half_close()
        finally:
            await self.under.aclose()

    def _feed(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        async with self._writing:
            if self._outgoing.pending:
                await self.under.send(self._outgoing.read())


Pipe = SocketPipe | TlsPipe
