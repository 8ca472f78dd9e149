"""What a configuration will expose, to whom, on which links: for people to read before anything is started."""

from __future__ import annotations

import ipaddress
import os
import ssl
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from graftwire.transport.certificates import names, subject, validity
from graftwire.transport.url import Url

from ..audit.trail import Trail
from ..host import Host
from ..security.guard import Guard
from ..security.identity import NOBODY
from ..security.plugins import Authoriser, Permission
from ..security.roles import AnyIdentity, Everyone, RoleRules
from ..workers.pools import here, one_process_each, open_pools, worker_of
from ..workers.worker import Worker
from . import making
from .checks import BARE, SECURE, check
from .configuration import ANONYMOUS, Configuration
from .processes import all_sink_texts, check_processes

SOON: Final = 30  # days before the end of a certificate from which on there is a warning
_OTHERS: Final = stat.S_IWGRP | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Target:
    """Something that can be called: by whom, in words; `anonymous`: by anonymous callers, None if asked at the call."""

    name: str
    who: str
    anonymous: bool | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where it listens: `tls` links are protected, and `far` ones reached by other machines."""

    url: str
    tls: bool
    far: bool


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate, as far as people want to know: whom it names, for what, and until when."""

    subject: str
    names: Sequence[str]
    until: datetime


@dataclass(frozen=True, slots=True)
class Exposure:
    """All of it. `elsewhere` is what runs in worker processes; `problems` are unsafe; `warnings` are worth a look."""

    modules: Mapping[str, Sequence[Target]]
    elsewhere: Mapping[str, Worker]
    auth: Sequence[str]
    allow: Sequence[str]
    places: Sequence[Place]
    certificate: Certificate | None
    client_ca: Sequence[str] | None
    audit: Sequence[str]
    on_failure: str
    problems: Sequence[str]
    warnings: Sequence[str]
    workers: int = 1
    """How many gateway processes share the addresses."""


async def expose(config: Configuration) -> Exposure:
    """Look at all that a configuration names; nothing is started, listened at or written to.

    What is hosted is imported and made, in a worker process where it would run in some, and the files of plugins are
    read, as `serve` would. Raises ConfigurationError, or InterfaceError, for what `serve` would not start with.
    """
    check(config)
    check_processes(config)
    tls = making.tls_context(config)
    hosted = making.hosted(config, {})
    services = making.services(config, hosted)
    auth = list(making.choices(config, {}).values())
    workers = {name: worker for name, each in services.items() if (worker := worker_of(each)) is not None}
    async with open_pools(Trail()) as pools:
        elsewhere = await making.elsewhere(pools, hosted, one_process_each(services))
    Guard(auth, allow := making.authorisers(config, services, elsewhere) or None)
    host = Host(here(services), guard=Guard(), elsewhere=elsewhere)
    modules = {
        name: [
            _target(target, config, allow or [])
            for target in host.targets
            if target.rpartition(".")[0] == name
        ]
        for name in services
    }
    places = [_place(url, tls is not None, config.switch("gateway.detect")) for url in config.urls]
    certificate = None if tls is None else _certificate(config)
    found = Exposure(
        modules,
        workers,
        config.texts("security.auth"),
        config.texts("security.allow"),
        places,
        certificate,
        _authorities(tls) if tls is not None and config.file_of("gateway.tls.client-ca") else None,
        all_sink_texts(config),
        str(config.value("audit.on-failure")),
        problems := [],
        warnings := [],
        config.count("gateway.workers"),
    )
    _judge(config, found, problems, warnings)
    return found


def _target(name: str, config: Configuration, allow: Sequence[Authoriser]) -> Target:
    let_in = ANONYMOUS in config.texts("security.auth")
    if not allow:
        return Target(name, "anyone", let_in)
    said: list[str] = []
    anonymous: bool | None = let_in
    for each in allow:
        match each:
            case RoleRules():
                rule = each.rule(name)
                if rule is None:
                    return Target(name, "nobody", anonymous=False)
                said.append(", ".join(sorted(rule.roles)))
                if not isinstance(rule.judge(NOBODY), Permission):
                    anonymous = False
            case AnyIdentity():
                said.append("authenticated")
                anonymous = False
            case Everyone():
                said.append("anyone")
            case _:
                said.append(f"whom {each.label} lets")
                anonymous = anonymous and None
    return Target(name, " and ".join(dict.fromkeys(said)), anonymous)


def _place(url: Url, has_tls: bool, detect: bool) -> Place:
    secure = url.scheme in SECURE
    return Place(url.text, secure or (detect and has_tls and url.scheme != "unix"), _is_far(url))


def _is_far(url: Url) -> bool:
    """Whether other machines may reach it; a name counts as one that they do."""
    if not url.host or url.host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        return True


def _certificate(config: Configuration) -> Certificate:
    path = config.file_of("gateway.tls.certificate")
    assert path is not None
    with open(path, encoding="ascii", errors="replace") as file:  # it was read before, just now
        text = file.read()
    end = "-----END CERTIFICATE-----"
    start = text.index("-----BEGIN CERTIFICATE-----")
    der = ssl.PEM_cert_to_DER_cert(text[start : text.index(end, start) + len(end)])
    return Certificate(subject(der), names(der), validity(der)[1])


def _authorities(tls: ssl.SSLContext) -> list[str]:
    return [subject(der) or "(no name)" for der in tls.get_ca_certs(binary_form=True)]


def _judge(config: Configuration, found: Exposure, problems: list[str], warnings: list[str]) -> None:
    listen = config.at("gateway.listen")
    plain = [url.text for url in config.urls if url.scheme in BARE and _is_far(url)]
    if ANONYMOUS in found.auth and plain and not config.switch("security.plain-anonymous"):
        problems.append(
            f"{listen}anonymous callers are let in at {plain[0]}, which other machines reach and nothing protects; "
            "listen at tls, wss or 127.0.0.1, or write plain-anonymous = true in [security]"
        )
    if config.proofs:
        bare = [url.text for url in config.urls if url.scheme in BARE]
        if config.switch("security.plain-proofs"):
            if plain:
                warnings.append(
                    f"proofs of identity cross {plain[0]} unprotected, as plain-proofs says; whoever reads that "
                    "network can use them"
                )
        elif bare and not config.switch("gateway.detect"):
            warnings.append(
                f"no proof is taken at {bare[0]}, which does not protect it; use tls, wss or unix there"
            )
    _judge_files(config, problems, warnings)
    if found.certificate is not None:
        days = (found.certificate.until - datetime.now(UTC)).days
        if days < SOON:
            warnings.append(
                f"the certificate {config.file_of('gateway.tls.certificate')} expires in {days} days, on "
                f"{found.certificate.until:%Y-%m-%d}; renew it"
            )


def _judge_files(config: Configuration, problems: list[str], warnings: list[str]) -> None:
    key = config.file_of("gateway.tls.key")
    if key is not None and os.stat(key).st_mode & _OTHERS:
        problems.append(
            f"{config.at('gateway.tls.key')}the key {key} can be read or changed by other users; run chmod 600 {key}, "
            "and replace it if somebody may have read it"
        )
    for text in all_sink_texts(config):
        name, _, path = text.partition(":")
        if name != "file":
            continue
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            problems.append(
                f"{config.at('audit.sinks')}there is no folder {folder} for the audit log {path}; make it, or name "
                "another file"
            )
        elif not os.access(path if os.path.exists(path) else folder, os.W_OK):
            warnings.append(
                f"this user may not write the audit log {path}; check that the gateway's user may"
            )
