"""What a configuration names, made: plugins, what is hosted, TLS. Nothing here listens or runs."""

from __future__ import annotations

import os
import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Final

from graftwire.protocol.errors import TlsError
from graftwire.transport.contexts import server_context
from graftwire.transport.link import ListenOptions

from ..host import Elsewhere, Host
from ..loading import Found, check_it_can_be_made, described, find, look_in, made
from ..members import Untyped
from ..metadata.share import share
from ..problems import InterfaceError
from ..security import registry
from ..security.anonymous import Anonymous
from ..security.errors import SecurityError
from ..security.guard import Auth, Guard
from ..security.plugins import AuditSink, Authoriser
from ..security.roles import RoleRules
from ..workers.pools import NotStarted, Pools, here
from .checks import told
from .configuration import ANONYMOUS, ROLES, Configuration, joined
from .errors import ConfigurationError
from .layers import Module

_FILE: Final = "file"


def hosted(
    config: Configuration, kept: Mapping[Module, Mapping[str, object]]
) -> dict[Module, dict[str, object]]:
    """What each module of the configuration hosts, by name; what is in `kept` is not made again.

    What runs in worker processes is a Worker, and nothing of it is imported here.
    Nothing is made before all of it is known to be right. Raises ConfigurationError, or InterfaceError with all that
    can't be hosted.
    """
    found = {module: _found(module) for module in config.modules if module not in kept}
    _check_names(config, found, kept)
    for module, each in found.items():
        with _at(module):
            for one in each.values():
                check_it_can_be_made(one)
    _check_interfaces(config, found)
    made_of: dict[Module, dict[str, object]] = {}
    for module in config.modules:
        with _at(module):
            made_of[module] = (
                dict(kept[module])
                if module in kept
                else {name: made(each) for name, each in found[module].items()}
            )
    return made_of


def _found(module: Module) -> dict[str, Found]:
    folder = module.folder or os.getcwd()
    if module.worker is not None:
        look_in(folder)  # the processes look where this one does
        return {module.text.partition("=")[0]: Found(module.worker, module.worker.what)}
    with _at(module):
        return find(module.text, folder=folder)


@contextmanager
def _at(module: Module) -> Generator[None]:
    """Around what reads a module: its mistakes are told with the place that names it, where that is a file."""
    try:
        yield
    except (ConfigurationError, InterfaceError) as error:
        if not module.place:
            raise
        raise ConfigurationError(f"{module.place}{error}") from None


def _check_names(
    config: Configuration,
    found: Mapping[Module, Mapping[str, Found]],
    kept: Mapping[Module, Mapping[str, object]],
) -> None:
    names: set[str] = set()
    for module in config.modules:
        for name in found.get(module) or kept[module]:
            if name in names:
                place = found[module][name].place if module in found else module.text
                raise ConfigurationError(
                    f"{module.place}two of them would be called {name}; rename one, as in Other={place}"
                )
            names.add(name)


def _check_interfaces(config: Configuration, found: Mapping[Module, Mapping[str, Found]]) -> None:
    problems: list[str] = []
    for module, each in found.items():
        if module.worker is not None:
            continue
        try:
            described(each, allow_untyped=_untyped(config, module))
        except InterfaceError as error:
            problems += error.problems
    if problems:
        raise InterfaceError(*dict.fromkeys(problems))


def _untyped(config: Configuration, module: Module) -> bool:
    return module.allow_untyped or config.switch("gateway.allow-untyped")


def services(config: Configuration, hosted: Mapping[Module, Mapping[str, object]]) -> dict[str, object]:
    """All that is hosted, by name, as `serve` takes it. Raises InterfaceError with all that can't be.

    What workers host is not known before they run.
    """
    found: dict[str, object] = {}
    for module, each in hosted.items():
        untyped = _untyped(config, module)
        found |= {name: Untyped(service) if untyped else service for name, service in each.items()}
    share(here(found))
    return found


async def elsewhere(
    workers: Pools, hosted: Mapping[Module, Mapping[str, object]], services: Mapping[str, object]
) -> Elsewhere | None:
    """What the workers among `services` host, once they run. Raises ConfigurationError."""
    try:
        return await workers.prepare(services)
    except NotStarted as error:
        place = next(module.place for module, names in hosted.items() if error.name in names)
        raise ConfigurationError(f"{place}{error}") from None


def choices(config: Configuration, kept: Mapping[str, Auth]) -> dict[str, Auth]:
    """Who may call, by the texts that say so; what is in `kept` is not made again. Raises ConfigurationError."""
    found: dict[str, Auth] = {}
    with told(config, "security.auth"):
        for index, text in enumerate(config.plugins("security.auth")):
            # the same text twice is a mistake, which the guard knows to name
            key = text if text not in found else f"{text}#{index}"
            kept_one = kept.get(key)
            if kept_one is not None:
                found[key] = kept_one
            else:
                found[key] = Anonymous() if text == ANONYMOUS else registry.authenticator(text)
    return found


def authorisers(
    config: Configuration, services: Mapping[str, object], elsewhere: Elsewhere | None
) -> list[Authoriser]:
    """What they may call; `elsewhere` is what the workers among `services` host. Raises ConfigurationError."""
    with told(config, "security.allow"):
        return [_authoriser(config, text, services, elsewhere) for text in config.plugins("security.allow")]


def _authoriser(
    config: Configuration, text: str, services: Mapping[str, object], elsewhere: Elsewhere | None
) -> Authoriser:
    if text == ROLES:
        rules = RoleRules.from_hosted(here(services), None if elsewhere is None else elsewhere.rules)
        if not rules.patterns:
            raise SecurityError(
                "nothing that is hosted says who may call it; write @graftwire.allow(…) beside its methods, or name "
                f"a file of rules, as in {config.remedy('--allow roles:roles.toml', 'roles:roles.toml')}"
            )
        return rules
    authoriser = registry.authoriser(text)
    if isinstance(authoriser, RoleRules):
        try:
            # the same table as that of the gateway, which is not there yet
            authoriser.check(Host(here(services), guard=Guard(), elsewhere=elsewhere).targets)
        except SecurityError as error:
            raise SecurityError(f"{text.partition(':')[2]}: {error}") from None
    return authoriser


def sink_texts(config: Configuration) -> list[str]:
    """The audit sinks, each as `name:text`: one that names no other plugin is a file."""
    folder = config.folder("audit.sinks")
    found: list[str] = []
    for text in config.texts("audit.sinks"):
        name, colon, rest = text.partition(":")
        if name == _FILE and colon:
            found.append(f"{_FILE}:{joined(folder, rest)}")
        elif name in registry.names(AuditSink) and name != _FILE:
            found.append(text)
        else:
            found.append(f"{_FILE}:{joined(folder, text)}")
    return found


def sink(config: Configuration, text: str) -> AuditSink:
    """One audit sink, opened. Raises ConfigurationError."""
    with told(config, "audit.sinks"):
        return registry.audit_sink(text)


def tls_context(config: Configuration) -> ssl.SSLContext | None:
    """The context for listening; None without a certificate. Raises ConfigurationError."""
    certificate = config.file_of("gateway.tls.certificate")
    if certificate is None:
        return None
    key, ca = config.file_of("gateway.tls.key"), config.file_of("gateway.tls.client-ca")
    try:
        return server_context(certificate, key, client_ca=ca)
    except TlsError as error:
        sentence = str(error)
        name = (
            "client-ca"
            if "CA certificates" in sentence
            else "key"
            if "the key" in sentence[:8]
            else "certificate"
        )
        raise ConfigurationError(f"{config.at(f'gateway.tls.{name}')}{sentence}") from None


def listen_options(config: Configuration, tls: ssl.SSLContext | None) -> ListenOptions:
    """What every listener is told. Raises ConfigurationError."""
    return ListenOptions(
        tls=tls,
        origins=frozenset(config.texts("gateway.websocket.origins")),
        detect=config.switch("gateway.detect"),
        proxy_sources=config.proxies,
        handshake_timeout=config.number("gateway.handshake-timeout"),
        max_connections=config.count("gateway.max-connections"),
    )
