"""One configuration for several gateway processes: what of it differs from one to the next."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from graftwire.transport.sharing import SCHEMES, can_share

from . import making
from .configuration import Configuration
from .errors import ConfigurationError

WORKERS: Final = "gateway.workers"
SINKS: Final = "audit.sinks"
LISTEN: Final = "gateway.listen"

_FILE: Final = "file:"


def check_processes(config: Configuration) -> None:
    """Raises ConfigurationError where there would be several processes, and can't be."""
    if config.count(WORKERS) == 1:
        return
    if not can_share():
        raise ConfigurationError(
            f"{config.told(WORKERS)}this system does not let several processes share a port (SO_REUSEPORT); leave it "
            "out, and put several gateways behind a proxy"
        )
    for url in config.urls:
        if url.scheme not in SCHEMES:
            raise ConfigurationError(
                f"{config.at(LISTEN)}several gateway processes can't share an address of the transport {url.scheme}; "
                f"listen there in a gateway of its own, with {config.remedy('--workers 1', 'workers = 1')}"
            )


def check_alone(config: Configuration) -> None:
    """Raises ConfigurationError where several processes are asked for, for who can't start them."""
    if config.count(WORKERS) > 1:
        raise ConfigurationError(
            f"{config.told(WORKERS)}several gateway processes are started by `graftwire serve` alone; leave it out "
            "here, or use that command"
        )


def of_process(config: Configuration, number: int, urls: Sequence[str]) -> Configuration:
    """The configuration of one process (counted from 1), which listens at `urls` and keeps audit logs of its own."""
    given = {path: each for path, each in config.given.items() if path != WORKERS}
    given[LISTEN] = replace(given[LISTEN], value=tuple(urls))
    if SINKS in given:
        texts = tuple(_numbered(text, number) for text in making.sink_texts(config))
        given[SINKS] = replace(given[SINKS], value=texts, folder=None)
    return replace(config, given=given)


def all_sink_texts(config: Configuration) -> list[str]:
    """The audit sinks of all processes, as `making.sink_texts` gives those of one."""
    texts, count = making.sink_texts(config), config.count(WORKERS)
    if count == 1:
        return texts
    each = [_numbered(text, number) for text in texts for number in range(1, count + 1)]
    return list(dict.fromkeys(each))


def _numbered(text: str, number: int) -> str:
    """A sink for one process: a file can only have one chain, so that each process has a file of its own."""
    if not text.startswith(_FILE):
        return text
    stem, extension = os.path.splitext(text.removeprefix(_FILE))
    return f"{_FILE}{stem}-{number}{extension}"
