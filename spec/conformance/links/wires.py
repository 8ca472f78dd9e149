"""The bytes of frames over a pipe: as they are, or in WebSocket messages. What came is told as events."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, NamedTuple

import trio
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from ..recording import Direction, Layer, Recorder
from .pipes import Gone, Pipe

_TEXT: Final = 1
_BINARY: Final = 2
_CONTINUATION: Final = 0
_CLOSE: Final = 8
_PONG: Final = 10
_NO_CODE: Final = 1005  # how wsproto tells a Close frame without a code
_LARGEST_MESSAGE: Final = 65_536  # bytes of a message of several frames (WS-1)


class Data(NamedTuple):
    """Bytes of frames; `whole`: on WebSocket, a message ends here."""

    data: bytes
    whole: bool = False


class Pong(NamedTuple):
    """A pong of WebSocket came."""

    payload: bytes


class Fault(NamedTuple):
    """The target broke a rule of the link itself."""

    clause: str
    text: str


class End(NamedTuple):
    """Nothing more comes. `orderly`: FIN, close_notify, or a Close frame; `code` is that of the Close frame."""

    orderly: bool
    why: str
    code: int | None = None


Event = Data | Pong | Fault | End


class Wire(ABC):
    """What the player of a case writes to and reads from. One task reads; writing is serialised here."""

    def __init__(self, pipe: Pipe, recorder: Recorder) -> None:
        self.pipe = pipe
        self.recorder = recorder
        self._writing = trio.Lock()

    @abstractmethod
    async def send(self, messages: Sequence[Sequence[bytes]], pause: float = 0.0) -> None:
        """Write messages, each of parts that are written apart, `pause` seconds between. Raises Gone."""

    @abstractmethod
    async def receive(self) -> list[Event]:
        """What came next, at least one event; an End is the last one. Never raises Gone."""

    @abstractmethod
    async def half_close(self, code: int) -> None:
        """Say that nothing more is written."""

    async def plain(self, data: bytes) -> None:
        """Write bytes below the framing of the link. Raises Gone."""
        async with self._writing:
            self.recorder.bytes(Direction.RUNNER, Layer.LINK, data)
            await self.pipe.send(data)

    async def cut(self, *, reset: bool) -> None:
        """End the connection without a word."""
        self.recorder.note(Direction.RUNNER, "reset" if reset else "cut off")
        await self.pipe.cut(reset=reset)

    async def aclose(self) -> None:
        """Close; more than once is no error."""
        await self.pipe.aclose()


class FramedWire(Wire):
    """tcp, tls, unix: frames follow each other."""

    async def send(self, messages: Sequence[Sequence[bytes]], pause: float = 0.0) -> None:
        """As in `Wire`: where a message ends means nothing here."""
        async with self._writing:
            first = True
            for part in (part for message in messages for part in message):
                if pause and not first:
                    await trio.sleep(pause)
                first = False
                self.recorder.bytes(Direction.RUNNER, Layer.FRAMES, part)
                await self.pipe.send(part)

    async def receive(self) -> list[Event]:
        """As in `Wire`."""
        try:
            data = await self.pipe.receive()
        except Gone as gone:
            return [End(gone.orderly, gone.why)]
        if not data:
            return [End(True, "closed")]
        self.recorder.bytes(Direction.TARGET, Layer.FRAMES, data)
        return [Data(data)]

    async def half_close(self, code: int) -> None:
        """As in `Wire`."""
        async with self._writing:
            self.recorder.note(Direction.RUNNER, "half-close")
            await self.pipe.half_close()


class BareWire(FramedWire):
    """The connection below the framing of its link: what comes is kept in the record, and is no frame."""

    async def receive(self) -> list[Event]:
        """As in `Wire`, without Data."""
        while True:
            try:
                data = await self.pipe.receive()
            except Gone as gone:
                return [End(gone.orderly, gone.why)]
            if not data:
                return [End(True, "closed")]
            self.recorder.bytes(Direction.TARGET, Layer.LINK, data)


class WebSocketWire(Wire):
    """ws, wss, after the handshake: frames in binary messages. `rest` is what came behind the handshake."""

    def __init__(self, pipe: Pipe, recorder: Recorder, *, client: bool, rest: bytes = b"") -> None:
        super().__init__(pipe, recorder)
        self.client = client
        self._frames = FrameProtocol(client, [])
        self._frames.receive_bytes(rest)
        self._unread = bool(rest)
        self._said_close = False
        self._ended = False

    async def send(self, messages: Sequence[Sequence[bytes]], pause: float = 0.0) -> None:
        """As in `Wire`: each message is one of WebSocket, its parts are the fragments."""
        async with self._writing:
            first = True
            for message in messages:
                for index, part in enumerate(message):
                    if pause and not first:
                        await trio.sleep(pause)
                    first = False
                    opcode = _CONTINUATION if index else _BINARY
                    self.recorder.bytes(Direction.RUNNER, Layer.FRAMES, part)
                    await self._write(opcode, part, final=index == len(message) - 1)

    async def frame(
        self,
        opcode: int,
        payload: bytes,
        *,
        final: bool = True,
        reserved: int = 0,
        masked: bool | None = None,
    ) -> None:
        """Write one WebSocket frame as it is told. Raises Gone."""
        async with self._writing:
            await self._write(opcode, payload, final=final, reserved=reserved, masked=masked)

    async def half_close(self, code: int) -> None:
        """A Close frame; nothing is written behind it."""
        if self._said_close:
            return
        self._said_close = True
        try:
            await self.frame(_CLOSE, code.to_bytes(2, "big"))
        except Gone:
            return

    async def receive(self) -> list[Event]:
        """As in `Wire`. Answers pings and Close frames as RFC 6455 says."""
        if self._ended:
            return [End(True, "closed")]
        events: list[Event] = []
        while not events:
            if not self._unread:
                try:
                    data = await self.pipe.receive()
                except Gone as gone:
                    return [End(gone.orderly, gone.why)]
                if not data:
                    return [End(False, "the WebSocket ended without a Close frame")]
                self.recorder.bytes(Direction.TARGET, Layer.LINK, data)
                self._frames.receive_bytes(data)
            self._unread = False
            try:
                await self._parse(events)
            except ParseFailed as failed:
                self._ended = True
                events += [
                    Fault("WS-8", f"the WebSocket framing is broken: {failed}"),
                    End(False, "unreadable"),
                ]
        return events

    async def _parse(self, events: list[Event]) -> None:
        for frame in self._frames.received_frames():
            payload = frame.payload
            if frame.opcode is Opcode.BINARY or (
                frame.opcode is Opcode.CONTINUATION and isinstance(payload, bytes | bytearray)
            ):
                data = bytes(payload)  # type: ignore[arg-type]
                self.recorder.bytes(Direction.TARGET, Layer.FRAMES, data)
                events.append(Data(data, whole=frame.message_finished))
            elif frame.opcode is Opcode.PING:
                if payload:
                    events.append(Fault("WS-5", "the payload of a WebSocket ping is not empty"))
                if not self._said_close:
                    with contextlib.suppress(Gone):  # what is read next says so
                        await self.frame(_PONG, bytes(payload))  # type: ignore[arg-type]
            elif frame.opcode is Opcode.PONG:
                events.append(Pong(bytes(payload)))  # type: ignore[arg-type]
            elif frame.opcode is Opcode.CLOSE:
                assert isinstance(payload, tuple)
                code, reason = int(payload[0]), payload[1]
                self.recorder.note(Direction.TARGET, f"Close {code}")
                if reason:
                    events.append(Fault("WS-5", "the reason of a Close frame is not empty"))
                await self.half_close(1000 if code == _NO_CODE else code)
                self._ended = True
                events.append(End(True, f"Close {code}", None if code == _NO_CODE else code))
                return
            elif frame.opcode is Opcode.TEXT or isinstance(payload, str):
                events.append(Fault("WS-2", "a text message"))

    async def _write(
        self, opcode: int, payload: bytes, *, final: bool, reserved: int = 0, masked: bool | None = None
    ) -> None:
        masked = self.client if masked is None else masked
        first = (0x80 if final else 0) | reserved << 4 | opcode
        mask = 0x80 if masked else 0
        size = len(payload)
        if size < 126:
            head = bytes([first, mask | size])
        elif size < 2**16:
            head = bytes([first, mask | 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([first, mask | 127]) + size.to_bytes(8, "big")
        if masked:
            key = os.urandom(4)
            head += key
            payload = _masked(payload, key)
        data = head + payload
        self.recorder.bytes(Direction.RUNNER, Layer.LINK, data)
        await self.pipe.send(data)


def _masked(payload: bytes, key: bytes) -> bytes:
    """The payload, masked as RFC 6455 says, as one number, because it can be long."""
    size = len(payload)
    pattern = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(size, "big")


def messages_of(pieces: Sequence[bytes]) -> list[bytes]:
    """Pieces as messages of WebSocket, several in one as far as WS-1 lets them."""
    found: list[bytes] = []
    for piece in pieces:
        if found and len(found[-1]) + len(piece) <= _LARGEST_MESSAGE:
            found[-1] += piece
        else:
            found.append(piece)
    return found
