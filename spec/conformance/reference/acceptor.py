"""The reference target as an acceptor: a gateway on every link that was asked for."""

from __future__ import annotations

import os

import msgspec
import trio

import graftwire

from ..launch import INTERFACE, Opening, Ready
from .lines import Lines
from .service import Counters, make_service
from .trust import security


def timing(opening: Opening) -> graftwire.Timing:
    """The bounds that the runner asks for."""
    bounds = opening.bounds
    return graftwire.Timing(opening=bounds.opening, farewell=bounds.farewell, slow=bounds.slow)


def limits(opening: Opening) -> graftwire.Limits:
    """The limits that the runner asks for."""
    return graftwire.Limits(**msgspec.structs.asdict(opening.limits))


async def accept(opening: Opening, lines: Lines) -> None:
    """Serve until the runner says that it is enough."""
    urls: dict[str, str] = {}
    for link in opening.links:
        if link == "unix":
            urls[link] = f"unix:{os.path.join(opening.directory, 'socket')}"
        else:
            urls[link] = f"{link}://127.0.0.1:0"
    options = graftwire.ListenOptions(
        tls=graftwire.server_context(opening.tls.certificate, opening.tls.key),
        origins=frozenset(opening.origins),
        handshake_timeout=opening.bounds.handshake,
    )
    service = make_service(Counters(), opening.canaries)
    async with graftwire.serve(
        {INTERFACE: service},
        *urls.values(),
        options=options,
        limits=limits(opening),
        timing=timing(opening),
        drain=opening.bounds.drain,
        **security(opening),
    ) as gateway:
        listening = dict(zip(urls, gateway.urls, strict=True))
        await lines.say(Ready(ready=True, listening=listening, name="graftwire reference"))
        await _obey(gateway, opening, lines)


async def _obey(gateway: graftwire.Gateway, opening: Opening, lines: Lines) -> None:
    """Do what the lines say; returns at the end of them, and at `stop`."""
    async with trio.open_nursery() as nursery:
        while (text := await lines.next()) is not None:
            command = msgspec.json.decode(text, type=dict[str, object]).get("command")
            if command == "report":
                sessions = list(gateway.sessions)
                calls = sum(sum(each.calls_in_flight) for each in sessions)
                await lines.say({"report": {"sessions": len(sessions), "calls": calls}})
            elif command == "drain":
                nursery.start_soon(_drain, gateway, opening.bounds.drain, lines)
            elif command == "stop":
                break
        nursery.cancel_scope.cancel()


async def _drain(gateway: graftwire.Gateway, seconds: float, lines: Lines) -> None:
    await gateway.drain(seconds)
    await lines.say({"drained": True})
