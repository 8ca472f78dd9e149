"""A gateway that runs as its configuration says, and goes on as a later one says."""

from __future__ import annotations

import logging
import os
import socket
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Literal, cast

import trio

from graftwire.protocol.errors import LinkError
from graftwire.transport.bind import inherited
from graftwire.transport.sockets import address_text

from ..audit.file import AuditFile
from ..audit.trail import Trail
from ..gateway import Gateway, running
from ..host import Elsewhere, Host
from ..security.errors import SecurityChoiceMissing, SecurityError
from ..security.guard import Auth, Guard, get_ready
from ..security.plugins import AuditSink, Authoriser, Plugin
from ..workers.pools import Pools, here, open_pools
from . import making
from .checks import check, check_restart
from .configuration import Configuration
from .errors import ConfigurationError
from .layers import Module
from .processes import check_alone

_log: Final = logging.getLogger("graftwire.gateway")

Sinks = dict[str, AuditSink]


@dataclass(frozen=True, slots=True)
class _Made:
    """What was made of a configuration, by the texts that named it."""

    hosted: Mapping[Module, Mapping[str, object]]
    services: Mapping[str, object]
    elsewhere: Elsewhere | None
    auth: Mapping[str, Auth]
    allow: Sequence[Authoriser]
    tls: ssl.SSLContext | None


class ConfiguredGateway:
    """A gateway that a configuration made; `Configuration.serve` gives it.

    `gateway` is the running gateway, `configuration` what it runs by.
    """

    def __init__(
        self,
        gateway: Gateway,
        configuration: Configuration,
        made: _Made,
        workers: Pools,
        trail: Trail,
        sinks: Sinks,
    ) -> None:
        self.gateway = gateway
        self.configuration = configuration
        self._made = made
        self._workers = workers
        self._trail = trail
        self._sinks = sinks
        self._one = trio.Lock()

    async def reload(self, configuration: Configuration) -> None:
        """Go on as another configuration says: all of it, or nothing.

        Sessions and running calls go on. What is named as before is kept, and reads its files again by itself; audit
        logs that were moved away are opened anew. An identity that came from an authenticator which is there no more
        counts no more. Raises ConfigurationError, or InterfaceError for what can't be hosted; then everything is as it
        was. Cancelled: either all of it has happened or nothing.
        """
        async with self._one:
            check(configuration)
            check_restart(self.configuration, configuration)
            sinks: Sinks = {}
            try:
                made = await _make(configuration, self.configuration, self._made, self._workers)
                texts = making.sink_texts(configuration)
                _open(configuration, sinks, [text for text in texts if text not in self._sinks])
                await self._take_over(configuration, made, sinks)
            except BaseException:
                await self._workers.discard()
                await _close(sinks)
                raise
            self._workers.settle(configuration.number("gateway.drain"))
            kept = {text: self._sinks[text] for text in texts if text in self._sinks}
            gone = {text: sink for text, sink in self._sinks.items() if text not in kept}
            for sink in kept.values():
                _reopen(sink)
            with trio.CancelScope(shield=True):  # bounded by the time that a sink gets for a record
                used = {**kept, **sinks}
                await self._trail.change([used[text] for text in texts], _on_failure(configuration))
                self._sinks.clear()
                self._sinks.update(used)
                await _close(gone)

    async def _take_over(self, configuration: Configuration, made: _Made, sinks: Sinks) -> None:
        try:
            guard = _guard(configuration, made, self._trail)
            await get_ready(_new(made, self._made, sinks), guard.seconds)
        except (SecurityError, SecurityChoiceMissing) as error:
            raise ConfigurationError(str(error)) from None
        try:
            await self.gateway.change(
                _host(configuration, made, guard),
                configuration.texts("gateway.listen"),
                making.listen_options(configuration, made.tls),
                limits=configuration.limits,
                timing=configuration.timing,
                drain=configuration.number("gateway.drain"),
            )
        except LinkError as error:
            raise ConfigurationError(f"{configuration.at('gateway.listen')}{error}") from None
        self._made, self.configuration = made, configuration


@asynccontextmanager
async def serve(
    configuration: Configuration, sockets: Sequence[socket.socket] = ()
) -> AsyncGenerator[ConfiguredGateway]:
    """Host what a configuration says; `sockets` are bound already, and take the place of binding their addresses.

    Raises ConfigurationError, or InterfaceError for what can't be hosted, and leaves nothing half started.
    """
    check(configuration)
    check_alone(configuration)
    check_sockets(configuration, sockets)
    sinks: Sinks = {}
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_close, sinks)
        trail = Trail(on_failure=_on_failure(configuration))
        workers = await stack.enter_async_context(open_pools(trail))
        made = await _make(configuration, None, None, workers)
        workers.settle(0.0)
        _open(configuration, sinks, making.sink_texts(configuration))
        await trail.change(list(sinks.values()), _on_failure(configuration))
        try:
            guard = _guard(configuration, made, trail)
            await guard.start()
        except (SecurityError, SecurityChoiceMissing) as error:
            raise ConfigurationError(str(error)) from None
        gateway = Gateway(
            _host(configuration, made, guard),
            configuration.limits,
            configuration.timing,
            drain=configuration.number("gateway.drain"),
            workers=workers,
        )
        options = replace(making.listen_options(configuration, made.tls), sockets=tuple(sockets))
        try:
            await stack.enter_async_context(running(gateway, configuration.texts("gateway.listen"), options))
        except LinkError as error:
            raise ConfigurationError(f"{configuration.at('gateway.listen')}{error}") from None
        yield ConfiguredGateway(gateway, configuration, made, workers, trail, sinks)


def _guard(config: Configuration, made: _Made, trail: Trail) -> Guard:
    """Who decides. Raises SecurityError, SecurityChoiceMissing."""
    return Guard(
        list(made.auth.values()),
        list(made.allow) or None,
        trail,
        seconds=config.number("gateway.plugin-seconds"),
        plain_proofs=config.switch("security.plain-proofs"),
    )


def _host(config: Configuration, made: _Made, guard: Guard) -> Host:
    return Host(
        here(made.services),
        guard=guard,
        threads=config.count("gateway.threads"),
        changes=True,
        elsewhere=made.elsewhere,
    )


def check_sockets(config: Configuration, sockets: Sequence[socket.socket]) -> None:
    """Raises ConfigurationError for a socket that was handed over and is asked for nowhere."""
    for sock in sockets:
        if not any(inherited(url, [sock]) for url in config.urls):
            raise ConfigurationError(
                f"{config.at('gateway.listen')}a socket was handed over that listens at "
                f"{address_text(sock, peer=False)}, which is no address of gateway.listen; add it there, or take it "
                "out of the socket unit"
            )


async def _make(
    config: Configuration, old: Configuration | None, before: _Made | None, workers: Pools
) -> _Made:
    """All that has no file of its own open; worker processes run. Raises ConfigurationError, InterfaceError."""
    same = old is not None and _tls(old) == _tls(config)
    tls = before.tls if before is not None and same else making.tls_context(config)
    hosted = making.hosted(config, {} if before is None else before.hosted)
    services = making.services(config, hosted)
    auth = making.choices(config, {} if before is None else before.auth)
    elsewhere = await making.elsewhere(workers, hosted, services)
    allow = making.authorisers(config, services, elsewhere)
    return _Made(hosted, services, elsewhere, auth, allow, tls)


def _tls(config: Configuration) -> list[str | None]:
    return [config.file_of(f"gateway.tls.{name}") for name in ("certificate", "key", "client-ca")]


def _new(made: _Made, before: _Made, sinks: Sinks) -> list[Plugin]:
    """The plugins that have not been started yet."""
    old = list(before.auth.values())
    auth = [each for each in made.auth.values() if isinstance(each, Plugin) and each not in old]
    return [*auth, *made.allow, *sinks.values()]


def _on_failure(config: Configuration) -> Literal["refuse", "count"]:
    return cast('Literal["refuse", "count"]', config.value("audit.on-failure"))


def _open(config: Configuration, sinks: Sinks, texts: Sequence[str]) -> None:
    """Open the sinks into `sinks`: those that were opened are there, too, if a later one can't be."""
    for text in texts:
        sinks[text] = making.sink(config, text)


def _reopen(sink: AuditSink) -> None:
    """Go on in a new file where the old one was moved away. What goes wrong is a warning: the old one stays in use."""
    if isinstance(sink, AuditFile):
        try:
            sink.reopen()
        except SecurityError as error:
            _log.warning("an audit log was not opened anew: %s", error)
        except OSError as error:
            _log.warning("an audit log was not opened anew: %s", os.strerror(error.errno or 0).lower())


async def _close(sinks: Sinks) -> None:
    with trio.CancelScope(shield=True):
        for sink in sinks.values():
            await sink.aclose()
