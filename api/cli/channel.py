"""What the master of several gateway processes and each of them tell one another, over a socket pair.

The master's words are Python objects, for they hold a whole configuration. A process answers in JSON, which can't be
more than data: it runs the user's code, and its master does not.
"""

from __future__ import annotations

import json
import pickle
import socket
from dataclasses import dataclass
from enum import Enum
from typing import Final

import trio

from graftwire import Configuration

LARGEST: Final = 2**24  # bytes of one message

Answer = dict[str, object]


@dataclass(frozen=True)
class Start:
    """The first words to a process: which one it is, what to serve, and the descriptors of its listening sockets."""

    number: int
    configuration: Configuration
    sockets: tuple[int, ...]


@dataclass(frozen=True)
class Reload:
    """Go on as this configuration says; the answer is `reloaded` or `refused`."""

    configuration: Configuration


class Leave(Enum):
    """The end: `IN_TIME` lets running calls have their time, `NOW` does not."""

    IN_TIME = "in time"
    NOW = "now"


Order = Start | Reload | Leave


class Channel:
    """One end of the socket pair. Several tasks may send, one receives; that the other end is gone raises nothing."""

    def __init__(self, sock: socket.socket) -> None:
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        self._one = trio.Lock()

    async def tell(self, order: Order) -> None:
        """What a master says."""
        await self._send(pickle.dumps(order))

    async def say(self, **answer: object) -> None:
        """What a process says."""
        await self._send(json.dumps(answer).encode())

    async def order(self) -> Order | None:
        """What a process is told next; None when its master is gone."""
        data = await self._receive()
        if data is None:
            return None
        found: Order = pickle.loads(data)  # noqa: S301 - from who started this process, over a socket of the two alone
        return found

    async def answer(self) -> Answer | None:
        """What a master is told next; None when the process is gone."""
        data = await self._receive()
        if data is None:
            return None
        found: Answer = json.loads(data)
        return found

    async def aclose(self) -> None:
        """Close this end."""
        await self._stream.aclose()

    async def _send(self, data: bytes) -> None:
        try:
            async with self._one:
                await self._stream.send_all(len(data).to_bytes(4) + data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # who receives finds that out, too

    async def _receive(self) -> bytes | None:
        head = await self._exactly(4)
        size = LARGEST + 1 if head is None else int.from_bytes(head)
        return await self._exactly(size) if size <= LARGEST else None

    async def _exactly(self, size: int) -> bytes | None:
        data = bytearray()
        try:
            while len(data) < size:
                more = await self._stream.receive_some(size - len(data))
                if not more:
                    return None
                data += more
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return None
        return bytes(data)
