"""The reference target as an initiator: it dials where the runner says, and does what it is asked to."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import trio

import graftwire
from graftwire.protocol import values

from ..launch import INTERFACE, Asked, Opening, Ready, Told
from ..tasks import unwrapping
from .acceptor import limits, timing
from .lines import Lines
from .service import Counters, make_service
from .trust import Given, security

_FAILED: Final = (graftwire.CallError, graftwire.LinkError, graftwire.ValueRefused, graftwire.CredentialError)


class Initiator:
    """Takes activities and answers them, several at a time."""

    def __init__(self, opening: Opening, lines: Lines) -> None:
        self._opening = opening
        self._lines = lines
        self._service = make_service(Counters(), opening.canaries)
        self._tls = graftwire.client_context(ca=opening.tls.authority)
        self._leaving: dict[int, trio.Event] = {}

    async def run(self) -> None:
        """Answer activities until the end of input, or `stop`."""
        await self._lines.say(Ready(ready=True, name="graftwire reference"))
        async with trio.open_nursery() as nursery:
            while (text := await self._lines.next()) is not None:
                if b'"command"' in text:
                    break  # `stop` is the only command that an initiator gets
                asked = msgspec.json.decode(text, type=Asked)
                if asked.leave:
                    if (leaving := self._leaving.get(asked.id)) is not None:
                        leaving.set()
                    continue
                self._leaving[asked.id] = trio.Event()
                nursery.start_soon(self._answer, asked)
            nursery.cancel_scope.cancel()

    async def _answer(self, asked: Asked) -> None:
        try:
            told = await self._do(asked)
        finally:
            leaving = self._leaving.pop(asked.id)
        del leaving
        await self._lines.say(msgspec.structs.replace(told, id=asked.id))

    async def _do(self, asked: Asked) -> Told:
        try:
            async with self._session(asked) as client:
                return await self._while_not_left(asked, client)
        except graftwire.UrlError:
            return Told(outcome="refused")
        except (graftwire.ConnectError, graftwire.TlsError):
            return Told(outcome="no-link")
        except _FAILED as error:
            return failed(error)

    @asynccontextmanager
    async def _session(self, asked: Asked) -> AsyncGenerator[graftwire.Client]:
        opening = self._opening
        options = graftwire.ConnectOptions(
            tls=self._tls,
            origin=asked.origin,
            connect_timeout=opening.bounds.handshake,
            handshake_timeout=opening.bounds.handshake,
        )
        async with graftwire.connect(
            asked.dial,
            credential=None if asked.auth is None else Given(asked.auth),
            services={INTERFACE: self._service},
            options=options,
            limits=limits(opening),
            timing=timing(opening),
            **security(opening),
        ) as client:
            yield client

    async def _while_not_left(self, asked: Asked, client: graftwire.Client) -> Told:
        """The activity itself, unless the runner asks to leave meanwhile."""
        told = Told(outcome="ended", code="none")
        async with unwrapping() as nursery:

            async def leave() -> None:
                await self._leaving[asked.id].wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(leave)
            told = await Doing(client, asked).do()
            if asked.stay:
                await client.wait_ended()
            nursery.cancel_scope.cancel()
        return told


class Doing:
    """One activity in its session."""

    def __init__(self, client: graftwire.Client, asked: Asked) -> None:
        self._client = self._using(client, asked)
        self._asked = asked
        self._arguments = decoded(asked.arguments)
        self._items: list[str] = []
        self._called = 0

    @staticmethod
    def _using(client: graftwire.Client, asked: Asked) -> graftwire.Client:
        if asked.deadline is not None:
            client = client.using(deadline=asked.deadline)
        if asked.credential is not None:
            client = client.using(credential=Given(asked.credential))
        if asked.trace is not None:
            trace = (
                bytes.fromhex(asked.trace.trace_id),
                bytes.fromhex(asked.trace.parent_id),
                asked.trace.flags,
            )
            client = client.using(trace=trace)
        return client

    async def do(self) -> Told:
        """Do it, and say what came of it."""
        asked = self._asked
        seconds = float("inf") if asked.cancel_after is None else asked.cancel_after
        with trio.move_on_after(seconds):
            try:
                return await self._do()
            except _FAILED as error:
                return msgspec.structs.replace(failed(error), items=self._items, called=self._called)
        return Told(outcome="cancelled", items=self._items)

    async def _do(self) -> Told:
        asked = self._asked
        match asked.do:
            case "hold":
                return await self._hold()
            case "leave":
                return Told(outcome="ended", code="none")
            case "call" if asked.times > 1:
                return await self._several()
            case "call":
                return self._result(await self._client.call(asked.target, *self._arguments))
            case "stream":
                return await self._stream()
            case "upload":
                async with self._client.upload(asked.target, *self._arguments) as upload:
                    for item in asked.items:
                        await upload.send(decoded(item))
                    return self._result(await upload.result())
            case "exchange":
                return await self._exchange()
            case "callback":
                return self._result(await self._client.call(asked.target, self._callback, *self._arguments))
            case "reference":
                return await self._reference()
            case _:
                return Told(outcome="unable", why="there is no such activity")

    async def _hold(self) -> Told:
        why = await self._client.wait_ended()
        return Told(outcome="ended", code=why.code.label)

    async def _several(self) -> Told:
        outcomes: list[Told] = []

        async def one() -> None:
            try:
                outcomes.append(self._result(await self._client.call(self._asked.target, *self._arguments)))
            except _FAILED as error:
                outcomes.append(failed(error))

        async with trio.open_nursery() as nursery:
            for _ in range(self._asked.times):
                nursery.start_soon(one)
        return Told(outcome="several", outcomes=outcomes)

    async def _stream(self) -> Told:
        asked = self._asked
        if asked.take == 0:
            async with self._client.stream(asked.target, *self._arguments):
                return Told(outcome="cancelled")
        async with self._client.stream(asked.target, *self._arguments) as items:
            async for item in items:
                self._items.append(encoded(item))
                if asked.take == len(self._items):
                    return Told(outcome="cancelled", items=self._items)
            return self._result(await items.result())

    async def _exchange(self) -> Told:
        asked = self._asked
        async with self._client.exchange(asked.target, *self._arguments) as exchange:

            async def send() -> None:
                for item in asked.items:
                    await exchange.send(decoded(item))
                await exchange.end()

            async with unwrapping() as nursery:
                nursery.start_soon(send)
                async for item in exchange:
                    self._items.append(encoded(item))
            return self._result(await exchange.result())

    async def _callback(self, value: Any) -> Any:
        self._called += 1
        return value

    async def _reference(self) -> Told:
        reference = await self._client.call(self._asked.target, *self._arguments)
        if not isinstance(reference, graftwire.Remote):
            return self._result(reference)
        value: object = None
        with reference:
            for arguments in self._asked.then:
                value = await reference(*decoded(arguments))
        return self._result(value)

    def _result(self, value: object) -> Told:
        return Told(outcome="result", value=encoded(value), items=self._items, called=self._called)


def failed(error: Exception) -> Told:
    """What to say of a call that failed."""
    if isinstance(error, graftwire.CallError):
        return Told(outcome="error", code=error.code.label, ran=error.ran)
    return Told(outcome="error", code="none", ran=False)


def decoded(text: str) -> Any:
    """A value from its CBOR in hexadecimal."""
    return values.decode(bytes.fromhex(text))


def encoded(value: object) -> str:
    """A value as CBOR in hexadecimal."""
    return values.encode(value).hex()
