"""`graftwire demo`: real calls over four transports at once, measured, and the frames that they sent, decoded.

Then calls that are allowed and refused, with what the audit log says of them (demo_trust.py).
"""

from __future__ import annotations

import ssl
from typing import Any, Final

import graftwire
from graftwire import Client, ConnectOptions, Error, ListenOptions
from graftwire.transport.url import parse

from .audit import told_as_json
from .demo_calls import KINDS, NotAsExpected, measure
from .demo_module import Invoices
from .demo_track import LEAVING, MEASURE, OPENING, Track
from .demo_trust import Decided, decide
from .demo_view import Screen
from .dialling import connect
from .failure import Exit, Failure, of_library
from .output import json_line
from .running import run

HOST: Final = "127.0.0.1"
TRANSPORTS: Final = ("tcp", "tls", "ws", "wss")


def demo(*, as_json: bool) -> None:
    """Run the demo and show it. Raises Failure if anything is not as it should be."""
    server, client = _contexts()
    run(_Demo(server, client, as_json).run)


def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS for both ends, with a certificate that was made a moment ago and is gone with the process."""
    try:
        import trustme
    except ModuleNotFoundError:
        raise Failure('the demo makes certificates with trustme; run: pip install "graftwire[cli]"') from None
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # trustme's annotations name pyOpenSSL too, which is not there
    authority.issue_cert(HOST).configure_cert(server)  # pyright: ignore[reportUnknownMemberType]
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)  # pyright: ignore[reportUnknownMemberType]
    for context in (server, client):
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    return server, client


class _Demo:
    def __init__(self, server: ssl.SSLContext, client: ssl.SSLContext, as_json: bool) -> None:
        self._listening = ListenOptions(tls=server)
        self._dialling = ConnectOptions(tls=client)
        self._as_json = as_json
        self._invoices = Invoices()

    async def run(self) -> None:
        """Host, call, show."""
        urls = [f"{transport}://{HOST}:0" for transport in TRANSPORTS]
        services = {"Invoices": self._invoices}
        try:
            async with graftwire.serve(
                services, *urls, auth=graftwire.Anonymous(), options=self._listening
            ) as gateway:
                tracks = [
                    Track(transport, url) for transport, url in zip(TRANSPORTS, gateway.urls, strict=True)
                ]
                await self._show(tracks)
        except Error as error:
            raise of_library(error) from None

    async def _show(self, tracks: list[Track]) -> None:
        if self._as_json:
            for track in tracks:
                await self._follow(track, None)
                _decoded(track)
            json_line(_summary(tracks, await self._decide()))
            return
        with Screen(tracks) as screen:
            for track in tracks:
                await self._follow(track, screen)
                _decoded(track)
            screen.finish()
            screen.decided(await self._decide())

    async def _decide(self) -> Decided:
        try:
            return await decide(f"tls://{HOST}:0", self._listening, self._dialling)
        except NotAsExpected:
            raise Failure(
                "with an API key, the decisions and what was written of them were not what they should be",
                Exit.FAILED,
                kind="demo",
            ) from None

    async def _follow(self, track: Track, screen: Screen | None) -> None:
        """Make all the calls over one transport."""

        def update() -> None:
            if screen is not None:
                screen.update()

        track.doing = OPENING
        update()
        async with connect(parse(track.url), self._dialling, track.record) as client:
            for kind in KINDS:
                track.doing = kind
                update()
                await self._one(client, track, kind)
                track.done.append(kind)
            track.doing = MEASURE
            async for times in measure(client):
                track.times += times
                update()
            track.doing = LEAVING
        track.doing = ""

    async def _one(self, client: Client, track: Track, kind: str) -> None:
        try:
            await KINDS[kind](client, self._invoices)
        except NotAsExpected:
            raise Failure(
                f"over {track.transport}, the call of kind {kind} did not do what it should",
                Exit.FAILED,
                kind="demo",
            ) from None


def _decoded(track: Track) -> None:
    track.decode()
    broken = track.broken
    if broken is not None and broken.violation is not None:
        raise Failure(
            f"over {track.transport}, frame {broken.number} breaks {broken.violation.clause}",
            Exit.FAILED,
            kind="demo",
        )


def _summary(tracks: list[Track], decided: Decided) -> dict[str, Any]:
    def microseconds(track: Track, part: float) -> float:
        return round((track.quantile(part) or 0.0) * 1e6, 1)

    return {
        "transports": [
            {
                "transport": track.transport,
                "kinds": track.done,
                "calls": track.calls,
                "median_us": microseconds(track, 0.5),
                "p99_us": microseconds(track, 0.99),
                "frames": len(track.frames),
                "bytes": track.size,
            }
            for track in tracks
        ],
        "frames": sum(len(track.frames) for track in tracks),
        "bytes": sum(track.size for track in tracks),
        "credentials": sum(track.credentials for track in tracks),
        "trust": {
            "transport": decided.track.transport,
            "outcomes": decided.outcomes,
            "records": decided.records,
            "verify": told_as_json(decided.report),
            "frames": len(decided.track.frames),
            "bytes": decided.track.size,
            "credentials": decided.track.credentials,
        },
    }
