"""`graftwire serve`: host classes until a signal says that it is enough."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from typing import Final

import trio

import graftwire
from graftwire import LinkError, ListenOptions, SecurityError
from graftwire.transport.background import background_tasks

from .failure import Exit, Failure
from .options import listening_context, url
from .output import json_line, line, log_to_stderr
from .running import SIGNALS
from .services import find
from .trust import Trust

_log: Final = logging.getLogger("graftwire.cli")

GRACE: Final = 5.0  # seconds beyond the drain after which handlers that do not end are left behind


def serve(
    services: list[str],
    listen: list[str],
    trust: Trust,
    cert: str | None,
    key: str | None,
    client_ca: str | None,
    origins: list[str],
    *,
    detect: bool,
    drain: float,
    as_json: bool,
    allow_untyped: bool = False,
) -> None:
    """Host `services` at all of `listen`; returns when a signal came and running calls had their time.

    Raises Failure for every mistake in what is asked for, before anything is hosted.
    """
    trust.check()
    if not listen:
        raise Failure(
            "there is no address to listen at; add --listen URL, as in --listen tcp://127.0.0.1:7400"
        )
    urls = [url(text) for text in listen]
    options = ListenOptions(
        tls=listening_context(urls, cert, key, client_ca, detect=detect),
        origins=frozenset(origins),
        detect=detect,
    )
    trust.check_links(urls, secure=cert is not None, client_ca=client_ca is not None)
    hosted = find(services, allow_untyped=allow_untyped)
    log_to_stderr()
    trio.run(_run, hosted, [url.text for url in urls], trust, options, drain, as_json)


async def _run(
    services: dict[str, object],
    urls: list[str],
    trust: Trust,
    options: ListenOptions,
    drain: float,
    as_json: bool,
) -> None:
    with trio.open_signal_receiver(*SIGNALS) as signals:
        async with background_tasks() as tasks:
            last_resort = threading.Timer(drain + GRACE, _leave_behind)
            last_resort.daemon = True
            try:
                with trio.CancelScope() as scope:
                    async with (
                        trust.options(services) as security,
                        graftwire.serve(services, *urls, options=options, drain=drain, **security) as running,
                    ):
                        for address in running.urls:
                            json_line({"listening": address}) if as_json else line(f"listening {address}")
                        _log.info("hosting %s", ", ".join(running.targets))
                        await anext(signals)
                        _log.info("leaving: running calls get %g s", drain)
                        tasks.start_soon(_hurry, signals, scope)
                        last_resort.start()
            except LinkError as error:
                raise Failure(str(error), kind="link") from None
            except SecurityError as error:
                raise Failure(str(error), kind="security") from None
            finally:
                last_resort.cancel()


async def _hurry(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    """A second signal cuts the drain short; a third one ends the process as if nobody caught it."""
    await anext(signals)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    scope.cancel()


def _leave_behind() -> None:
    """Handlers in threads can't be cancelled: this is the end for those that do not end by themselves."""
    print("graftwire: a handler did not end in time and was left behind", file=sys.stderr, flush=True)
    os._exit(Exit.FAILED)
