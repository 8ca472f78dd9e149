"""The same caller's code, wherever what it calls runs: in this process, in a worker, behind an address."""

from __future__ import annotations

import inspect
import itertools
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any, Final, TypeVar

import trio

from graftwire.gateway.audit.trail import Trail
from graftwire.gateway.gateway import serve
from graftwire.gateway.interface import InterfaceError
from graftwire.gateway.loading import Found, check_it_can_be_made, find, made
from graftwire.gateway.members import is_protocol, name_of
from graftwire.gateway.security.errors import SecurityChoiceMissing
from graftwire.gateway.security.guard import Auth
from graftwire.gateway.security.plugins import AuditSink, Authoriser
from graftwire.gateway.security.watched import File
from graftwire.gateway.workers.worker import Worker
from graftwire.protocol.errors import ConnectError
from graftwire.transport.background import background_tasks
from graftwire.transport.context import current_call

from .client import Client, connect
from .wiring import DEFAULT, VARIABLE, Wire, Wiring, read_file, variable

Interface = TypeVar("Interface")

_numbers: Final = itertools.count(1)


class _Open:
    """A wire that is in use: its client, once there is one."""

    def __init__(self) -> None:
        self.lock = trio.Lock()
        self.client: Client | None = None


class Wires:
    """What is open; made by `wires`. May be used by many tasks at once."""

    def __init__(
        self,
        wiring: Wiring,
        nursery: trio.Nursery,
        *,
        auth: Auth | Sequence[Auth] | None,
        allow: Authoriser | Sequence[Authoriser] | None,
        audit: Trail | AuditSink | Sequence[AuditSink] | None,
    ) -> None:
        self._wiring = wiring
        self._nursery = nursery
        self._auth = auth
        self._allow = allow
        self._audit = audit
        self._open: dict[object, _Open] = {}
        self._leave = trio.Event()
        self._running = 0
        self._waiting = trio.lowlevel.ParkingLot()
        self._context = copy_context()

    async def open(self, interface: type[Interface], name: str | None = None) -> Interface:
        """A typed client of `interface`, as `Client.proxy` gives it, wherever it is.

        `name` is what it is hosted as. Interfaces at one and the same place share its sessions. Raises ConnectError if
        nobody has said where it is, and what `connect` raises; for code in this process or a worker what `serve`
        raises, and ConfigurationError for a `module:Class` that is not there.
        """
        return (await self.client(interface, name)).proxy(interface, name)

    async def client(self, interface: type[Any], name: str | None = None) -> Client:
        """The `Client` behind `open`."""
        hosted_as = name if name is not None else name_of(interface)
        wire = self._wiring.of(hosted_as)
        if wire is None:
            raise ConnectError(
                f"nobody has said where {hosted_as} is; set the environment variable {variable(hosted_as)} (or "
                f"{VARIABLE} for all), or name it in the program or in its file"
            )
        key = (id(wire), hosted_as if wire.place is not None else None, wire.expect and interface)
        opened = self._open.setdefault(key, _Open())
        async with opened.lock:
            client = opened.client
            if client is None:
                started: Client = await self._nursery.start(self._hold, wire, interface, hosted_as)
                client = opened.client = started
        return client

    async def leave(self) -> None:
        """Close what is open, in order: callers first, then what they call."""
        self._leave.set()
        while self._running:
            await self._waiting.park()

    async def _hold(
        self, wire: Wire, interface: type[Any], name: str, task_status: trio.TaskStatus[Client]
    ) -> None:
        # What is proved is who has these wires, not who was the first to open one.
        trio.lowlevel.current_task().context = self._context.copy()
        await trio.lowlevel.cancel_shielded_checkpoint()  # the context counts from the next step on
        current_call.set(None)
        self._running += 1
        try:
            async with self._reached(wire, interface, name) as client:
                task_status.started(client)
                await self._leave.wait()
        finally:
            self._running -= 1
            self._waiting.unpark_all()

    @asynccontextmanager
    async def _reached(self, wire: Wire, interface: type[Any], name: str) -> AsyncGenerator[Client]:
        if wire.place is None:
            async with self._connected(wire, wire.to, interface, name) as client:
                yield client
            return
        kind, code = wire.place
        if self._auth is None:
            raise SecurityChoiceMissing(
                f"{name} is hosted by this process, and nobody has said who may call it: add "
                "auth=graftwire.Anonymous() to the wires, or an authenticator and allow=…, as for any gateway"
            )
        hosted = _worker(code, interface) if kind == "worker" else _made(code, interface)
        async with (
            serve(
                {name: hosted},
                f"memory:graftwire-wires-{next(_numbers)}",
                auth=self._auth,
                allow=self._allow,
                audit=self._audit,
            ) as gateway,
            self._connected(wire, gateway.urls[0], interface, name) as client,
        ):
            yield client

    @asynccontextmanager
    async def _connected(
        self, wire: Wire, to: str | Sequence[str], interface: type[Any], name: str
    ) -> AsyncGenerator[Client]:
        async with connect(
            to,
            balance=wire.balance,
            expect={name: interface} if wire.expect else (),
            credential=wire.credential,
            plain_proofs=wire.plain_proofs,
            options=wire.options,
            retry=wire.retry,
        ) as client:
            yield client


def _worker(code: str, interface: type[Any]) -> Worker:
    """What runs in a process of its own: what a text names, or what is opened. Raises InterfaceError."""
    if code:
        return Worker(code)
    if is_protocol(interface) or inspect.isabstract(interface):
        raise _only_declared(interface, "worker")
    place = f"{interface.__module__}:{interface.__qualname__}"
    if interface.__module__ == "__main__" or "." in interface.__qualname__:
        raise InterfaceError(
            f"{interface.__qualname__} can't be imported by a worker process: write it in a module, at its top level"
        )
    return Worker(place)


def _made(code: str, interface: type[Any]) -> object:
    """The object to host: of what a text names, or of what is opened. Raises InterfaceError, ConfigurationError."""
    found = next(iter(find(code).values())) if code else Found(interface, interface.__name__)
    if isinstance(found.hosted, type) and (is_protocol(found.hosted) or inspect.isabstract(found.hosted)):
        raise _only_declared(found.hosted, "memory")
    check_it_can_be_made(found)
    return made(found)


def _only_declared(cls: type[Any], place: str) -> InterfaceError:
    return InterfaceError(
        f"{cls.__name__} only declares an interface; say what implements it, as in {place}:module:Class"
    )


@asynccontextmanager
async def wires(
    connections: Mapping[str, str | Sequence[str] | Wire] | str | None = None,
    *,
    file: File | None = None,
    environment: Mapping[str, str] | None = None,
    auth: Auth | Sequence[Auth] | None = None,
    allow: Authoriser | Sequence[Authoriser] | None = None,
    audit: Trail | AuditSink | Sequence[AuditSink] | None = None,
) -> AsyncGenerator[Wires]:
    """Reach interfaces where the configuration says that they are, for as long as the block runs.

    `connections` says it in the program: a Wire or a connection string for each name, "default" for all others; or one
    connection string for all. `file` is a TOML file with a table `connections`; None: no file is read. `environment`
    holds GRAFTWIRE_CONNECT and GRAFTWIRE_CONNECT_NAME (None: that of the process). What is said of one interface counts
    before what is said of all; of each, the program before the environment before the file.

    `auth`, `allow` and `audit` are for what runs in this process, and mean what they mean for `serve`.

    Raises UrlError, ValueError and SecurityError for what can't be used; nothing is connected before it is opened.
    """
    said = {DEFAULT: connections} if isinstance(connections, str) else connections or {}
    code = {name: each if isinstance(each, Wire) else Wire(each) for name, each in said.items()}
    wiring = Wiring(
        code,
        os.environ if environment is None else environment,
        read_file(file) if file is not None else {},
    )
    async with background_tasks() as nursery:
        opened = Wires(wiring, nursery, auth=auth, allow=allow, audit=audit)
        try:
            yield opened
        finally:
            await opened.leave()
