"""`graftwire serve`: host classes until a signal says that it is enough."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Final, cast

import trio

from graftwire import Configuration, ConfigurationError, ConfiguredGateway, InterfaceError
from graftwire.gateway.configuration.checks import check
from graftwire.gateway.configuration.serving import serve as serve_configured
from graftwire.gateway.systemd import Notifier, inherited
from graftwire.transport.background import background_tasks

from .failure import Exit, Failure, of_problems
from .output import json_line, line, log_to_stderr
from .running import SIGNALS
from .secrecy import refuse_secret

_log: Final = logging.getLogger("graftwire.cli")

FILE: Final = "graftwire.toml"
VARIABLE: Final = "GRAFTWIRE_CONFIG"
GRACE: Final = 5.0  # seconds beyond the drain after which handlers that do not end are left behind
RELOAD: Final = getattr(signal, "SIGHUP", None)

Load = Callable[[], Configuration]


def loader(config: str | None, services: list[str], flags: Mapping[str, object]) -> Load:
    """What reads the configuration, and reads it again at a reload. Raises Failure for a secret in a flag.

    The file is that of `--config`, or of GRAFTWIRE_CONFIG, or ./graftwire.toml where nothing to host is named.
    """
    for path, option in (
        ("security.auth", "--auth"),
        ("security.allow", "--allow"),
        ("audit.sinks", "--audit"),
    ):
        for text in cast("list[str]", flags.get(path) or []):
            refuse_secret(option, text)
    file = config or os.environ.get(VARIABLE) or None
    if file is None and not services and os.path.exists(FILE):
        file = FILE

    def load() -> Configuration:
        return Configuration.load(file, overrides=flags, services=tuple(services))

    return load


def serve(load: Load, *, as_json: bool) -> None:
    """Host what a configuration says; returns when a signal came and running calls had their time.

    Raises Failure for every mistake in what is asked for, before anything is hosted.
    """
    try:
        configuration = load()
        check(configuration)
        log_to_stderr()
        if configuration.count("gateway.workers") > 1:
            from .processes import serve as serve_in_processes  # here, because it needs this module

            trio.run(partial(serve_in_processes, load, configuration, as_json=as_json))
        else:
            trio.run(_run, load, configuration, as_json)
    except InterfaceError as error:
        raise of_problems(error) from None
    except ConfigurationError as error:
        raise Failure(str(error), kind="configuration") from None


async def _run(load: Load, configuration: Configuration, as_json: bool) -> None:
    notifier = Notifier(os.environ)
    sockets = inherited(os.environ)
    with trio.open_signal_receiver(*SIGNALS, *((RELOAD,) if RELOAD is not None else ())) as signals:
        async with background_tasks() as tasks:
            last_resort: threading.Timer | None = None
            try:
                with trio.CancelScope() as scope:
                    async with serve_configured(configuration, sockets) as running:
                        for url in running.gateway.urls:
                            json_line({"listening": url}) if as_json else line(f"listening {url}")
                        _log.info("hosting %s", ", ".join(running.gateway.targets))
                        if notifier.watchdog is not None:
                            tasks.start_soon(watchdog, notifier, notifier.watchdog)
                        notifier.ready()
                        await _until_signalled(signals, running, load, notifier)
                        drain = running.configuration.number("gateway.drain")
                        _log.info("leaving: running calls get %g s", drain)
                        notifier.stopping()
                        tasks.start_soon(_hurry, signals, scope)
                        last_resort = threading.Timer(drain + GRACE, leave_behind)
                        last_resort.daemon = True
                        last_resort.start()
            finally:
                if last_resort is not None:
                    last_resort.cancel()


async def _until_signalled(
    signals: AsyncIterator[int], running: ConfiguredGateway, load: Load, notifier: Notifier
) -> None:
    """Reload at each SIGHUP; returns at another signal."""
    async for number in signals:
        if number != RELOAD:
            return
        notifier.reloading()
        try:
            await running.reload(load())
        except (ConfigurationError, InterfaceError) as error:
            _log.error("nothing was reloaded, and all goes on as before: %s", error)
        else:
            _log.info("reloaded; listening at %s", ", ".join(running.gateway.urls))
            _log.info("hosting %s", ", ".join(running.gateway.targets))
        notifier.ready()


async def watchdog(notifier: Notifier, seconds: float) -> None:
    """Say that the event loop still turns, as often as the service manager asks for."""
    while True:
        notifier.alive()
        await trio.sleep(seconds)


async def _hurry(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    """A second signal cuts the drain short; a third one ends the process as if nobody caught it."""
    async for number in signals:
        if number != RELOAD:
            break
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    scope.cancel()


def leave_behind() -> None:
    """Handlers in threads can't be cancelled: this is the end for those that do not end by themselves."""
    print("graftwire: a handler did not end in time and was left behind", file=sys.stderr, flush=True)
    os._exit(Exit.FAILED)
