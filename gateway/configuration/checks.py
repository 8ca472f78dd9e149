"""What can be told of a configuration before anything is opened: what is missing, and what contradicts itself."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from graftwire.transport.url import Url

from ..security import registry
from ..security.errors import SecurityError
from ..security.plugins import Authenticator, Authoriser
from .configuration import ANONYMOUS, Configuration
from .errors import ConfigurationError
from .schema import KEYS

BARE: Final = frozenset({"tcp", "ws"})
"""What does not protect a proof."""

SECURE: Final = frozenset({"tls", "wss"})


def check(config: Configuration) -> None:
    """Raises ConfigurationError for the first thing that is missing, not known, or contradicts another."""
    _check_modules(config)
    _check_trust(config)
    if not config.texts("gateway.listen"):
        remedy = config.remedy(
            "--listen URL, as in --listen tcp://127.0.0.1:7400",
            'listen = ["tcp://127.0.0.1:7400"] to [gateway]',
        )
        raise _missing(config, f"there is no address to listen at; add {remedy}")
    urls = config.urls
    for url in urls:
        if url.scheme == "memory":
            raise ConfigurationError(
                f"{config.at('gateway.listen')}a memory URL is for one process alone; use tcp, tls, unix, ws or wss"
            )
    _check_tls(config, urls)
    _check_links(config, urls)
    _ = config.limits, config.proxies


@contextmanager
def told(config: Configuration, path: str) -> Generator[None]:
    """Around what reads the value of a key: its mistakes are told with the place of the key."""
    try:
        yield
    except SecurityError as error:
        raise ConfigurationError(f"{config.told(path)}{error}") from None


def _missing(config: Configuration, sentence: str) -> ConfigurationError:
    return ConfigurationError(sentence if config.file is None else f"{config.file}: {sentence}")


def _check_trust(config: Configuration) -> None:
    auth = config.texts("security.auth")
    if not auth:
        remedy = config.remedy(
            "--auth anonymous to let anyone who reaches it call all that it hosts, or --auth NAME:TEXT and --allow "
            "NAME:TEXT",
            'auth = ["anonymous"] to [security] to let anyone who reaches it call all that it hosts, or auth = '
            '["NAME:TEXT"] and allow = ["NAME:TEXT"]',
        )
        raise _missing(config, f"nobody has said who may call; add {remedy}")
    with told(config, "security.auth"):
        for text in auth:
            registry.check_name(Authenticator, text, ANONYMOUS)
            if text.startswith(f"{ANONYMOUS}:"):
                raise SecurityError(
                    f"{ANONYMOUS} takes nothing after its name; leave out the colon and what follows it"
                )
    with told(config, "security.allow"):
        for text in config.texts("security.allow"):
            registry.check_name(Authoriser, text)
    if config.proofs and not config.texts("security.allow"):
        remedy = config.remedy(
            "--allow any-identity to let every authenticated caller call everything, or --allow NAME:TEXT",
            'allow = ["any-identity"] to [security] to let every authenticated caller call everything, or allow = '
            '["NAME:TEXT"]',
        )
        raise _missing(config, f"nobody has said what those who are let in may call; add {remedy}")
    if "audit.on-failure" in config.given and not config.texts("audit.sinks"):
        given = config.given["audit.on-failure"]
        remedy = config.remedy("--audit FILE", 'sinks = ["audit.jsonl"] to [audit]')
        raise given.wrong(f"is about an audit log, and there is none; add {remedy}")


def _check_tls(config: Configuration, urls: list[Url]) -> None:
    cert, key, ca = (config.given.get(f"gateway.tls.{name}") for name in ("certificate", "key", "client-ca"))
    both = config.remedy("--cert FILE --key FILE", 'certificate = "FILE" and key = "FILE" to [gateway.tls]')
    if cert is not None and key is None:
        remedy = config.remedy("--key FILE", 'key = "FILE" to [gateway.tls]')
        raise cert.wrong(f"needs the certificate's key; add {remedy}")
    if key is not None and cert is None:
        remedy = config.remedy("--cert FILE", 'certificate = "FILE" to [gateway.tls]')
        raise key.wrong(f"needs the certificate that it belongs to; add {remedy}")
    if ca is not None and cert is None:
        raise ca.wrong(f"is for TLS; add {both}")
    secure = [url for url in urls if url.scheme in SECURE]
    if cert is None and secure:
        raise ConfigurationError(
            f"{config.at('gateway.listen')}{secure[0]} needs a certificate and its key; add {both}"
        )
    if cert is not None and not secure and not config.switch("gateway.detect"):
        raise ConfigurationError(
            f"{cert.place}no address that is listened at uses TLS, so {cert.name} has no effect; use tls or wss"
        )


def _check_links(config: Configuration, urls: list[Url]) -> None:
    secure = "gateway.tls.certificate" in config.given
    for text in config.proofs:
        if text.partition(":")[0] == "mtls" and "gateway.tls.client-ca" not in config.given:
            auth = config.given["security.auth"]
            remedy = config.remedy("--client-ca FILE", 'client-ca = "FILE" to [gateway.tls]')
            raise ConfigurationError(
                f"{auth.place}{auth.name} mtls is about the certificates of callers, and nobody asks them for one; add "
                f"{remedy}"
            )
    if (
        config.proofs
        and not config.switch("security.plain-proofs")
        and not secure
        and all(url.scheme in BARE for url in urls)
    ):
        remedy = config.remedy("--plain-proofs", "plain-proofs = true to [security]")
        raise ConfigurationError(
            f"{config.at('gateway.listen')}{urls[0].scheme} does not protect proofs, so none is taken over it and "
            f"nobody could be let in by one; listen at tls, wss or unix, or add {remedy} if the network may read them"
        )


def _check_modules(config: Configuration) -> None:
    if not config.modules:
        remedy = config.remedy(
            "MODULE:CLASS, or a file with --config FILE", '[modules.NAME] with load = "MODULE:CLASS"'
        )
        raise _missing(config, f"there is nothing to host; add {remedy}")


def check_restart(before: Configuration, after: Configuration) -> None:
    """Raises ConfigurationError for a change that only a restart takes over."""
    for path, key in KEYS.items():
        if not key.live and before.value(path) != after.value(path):
            raise ConfigurationError(
                f"{after.at(path)}{path} can't change while the gateway runs; restart it"
            )
