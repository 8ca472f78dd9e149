"""`graftwire tap`: between a caller and a gateway, bytes pass unchanged and the frames in them are shown.

It takes part in nothing: no frame is made, held back, or changed. TLS and WebSocket end here and begin again on the
other side; what a message of WebSocket held may leave in other messages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

import trio
from rich.text import Text

from graftwire import ConnectOptions, Error, LinkError, ListenOptions
from graftwire.protocol.errors import ProtocolViolation
from graftwire.transport.link import Link, Listener
from graftwire.transport.registry import transport_for
from graftwire.transport.url import Url

from .failure import Failure, Interrupted, OutputClosed, of_library
from .frame_json import seen_json
from .options import dialling_context, listening_context, url
from .output import console, fits, json_line, line, log_to_stderr
from .reading import Reader, Seen
from .rows import STYLES, Conversation
from .running import run

LINGER: Final = 1.0  # seconds for the other direction, where one has ended and the links can't end one alone
STREAMS: Final = frozenset({"tcp", "tls", "unix", "memory"})  # links that take bytes, not only whole frames


def tap(
    listen: str | None,
    to: str | None,
    ca: str | None,
    cert: str | None,
    key: str | None,
    origins: list[str],
    *,
    bodies: bool,
    as_json: bool,
) -> None:
    """Pass bytes between those who connect to `listen` and `to`, until a signal comes. Raises Failure."""
    if listen is None or to is None:
        raise Failure("tap stands between two addresses; give both --listen URL and --to URL")
    here, there = url(listen, "--listen"), url(to, "--to", dial=True)
    listening = ListenOptions(
        tls=listening_context([here], cert, key, detect=False), origins=frozenset(origins)
    )
    dialling = ConnectOptions(tls=dialling_context(ca, None, None))
    log_to_stderr()
    try:
        run(_Tap(here, there, listening, dialling, _Show(bodies, as_json)).run)
    except Interrupted:
        return  # the way in which a tap ends


class _Tap:
    """The listener, and the sessions that go through it."""

    def __init__(
        self, here: Url, there: Url, listening: ListenOptions, dialling: ConnectOptions, show: _Show
    ) -> None:
        self._here = here
        self._there = there
        self._listening = listening
        self._dialling = dialling
        self._show = show
        self._sessions = 0

    async def run(self) -> None:
        """Listen until cancelled, or until nobody takes our output any more."""
        try:
            listener: Listener = await transport_for(self._here.scheme).listen(self._here, self._listening)
        except LinkError as error:
            raise Failure(str(error), kind="link") from None
        self._show.listening(listener.url)
        with trio.CancelScope() as scope:
            self._show.ends = scope.cancel
            try:
                await listener.serve(self._session)
            finally:
                listener.stop()
        if self._show.broken is not None:
            raise self._show.broken

    async def _session(self, near: Link) -> None:
        self._sessions += 1
        session = _Session(self._sessions, self._show)
        session.say(f"{near.facts.peer} connected")
        try:
            # what a browser said of its origin is the only thing of a handshake that counts at the other end
            options = replace(self._dialling, origin=near.facts.origin)
            async with transport_for(self._there.scheme).connect(self._there, options) as far:
                await session.run(near, far, whole=(self._here.scheme, self._there.scheme))
            session.say("ended")
        except Error as error:
            session.say(of_library(error).sentence)


class _Session:
    """One connection that passes through."""

    def __init__(self, number: int, show: _Show) -> None:
        self._number = number
        self._show = show
        self._conversation = Conversation(bodies=show.bodies)

    def say(self, text: str) -> None:
        """Tell what happened to this session, beside its frames."""
        self._show.event(self._number, text)

    async def run(self, near: Link, far: Link, whole: tuple[str, str]) -> None:
        """Pass bytes in both directions until both have ended, or one of the links is gone."""
        half_closes = near.half_closes and far.half_closes
        async with trio.open_nursery() as nursery:

            async def one(source: Link, target: Link, to_server: bool, scheme: str) -> None:
                try:
                    await self._pass(source, target, to_server, whole=scheme not in STREAMS)
                except Error as error:
                    self.say(str(error))
                    nursery.cancel_scope.cancel()
                if not half_closes:
                    nursery.cancel_scope.deadline = trio.current_time() + LINGER

            nursery.start_soon(one, near, far, True, whole[1])
            nursery.start_soon(one, far, near, False, whole[0])

    async def _pass(self, source: Link, target: Link, to_server: bool, *, whole: bool) -> None:
        """One direction, up to its end. `whole`: the target takes whole frames only."""
        reader = Reader()
        held = b""
        while True:
            try:
                data = await source.receive()
            except ProtocolViolation as violation:  # only a message transport can see it
                self._frame(Seen(reader.count + 1, reader.bytes, 0, None, violation), to_server)
                continue
            if not data:
                break
            seen = list(reader.feed(data))
            data = held + data
            passed = len(data) - (reader.unfinished if whole else 0)
            held = data[passed:]
            if passed:
                await target.send(data[:passed])
            for one in seen:
                self._frame(one, to_server)
        if held:
            await target.send(held)
        for one in reader.finish():
            self._frame(one, to_server)
        await target.send_eof()

    def _frame(self, seen: Seen, to_server: bool) -> None:
        self._show.frame(self._number, to_server, seen, self._conversation)


class _Show:
    """Writes lines, or JSON. If nobody takes them any more, `broken` is set and `ends` is called."""

    def __init__(self, bodies: bool, as_json: bool) -> None:
        self.bodies = bodies
        self.broken: OutputClosed | None = None
        self.ends: Callable[[], object] = lambda: None
        self._as_json = as_json
        self._console = console()
        self._arrows = ("→", "←") if fits("→←", self._console) else ("->", "<-")

    def listening(self, address: str) -> None:
        """The tap is up."""
        self._write({"listening": address}, Text(f"listening {address}"))

    def event(self, session: int, text: str) -> None:
        """Something happened to a session."""
        now = _now()
        told = Text.assemble((f"{now:%H:%M:%S.%f}"[:-3], "dim"), f" {session:>3}    ", (text, "dim"))
        self._write({"time": now.isoformat(), "session": session, "event": text}, told)

    def frame(self, session: int, to_server: bool, seen: Seen, conversation: Conversation) -> None:
        """A frame has passed."""
        now = _now()
        row = conversation.row(seen)
        text = Text.assemble(
            (f"{now:%H:%M:%S.%f}"[:-3], "dim"),
            f" {session:>3} ",
            (self._arrows[0 if to_server else 1], "cyan" if to_server else "green"),
            " ",
            (f"{row.kind:<9}", STYLES.get(row.kind, "")),
            f" {row.id:>6} {row.size:>9,} B  ",
            row.about,
        )
        if self._as_json:
            direction = "to-server" if to_server else "to-client"
            found: dict[str, object] = {"time": now.isoformat(), "session": session, "direction": direction}
            self._write(found | seen_json(seen, bodies=self.bodies), text)
        else:
            self._write({}, text)

    def _write(self, found: dict[str, object], text: Text) -> None:
        try:
            json_line(found) if self._as_json else line(text, to=self._console)
        except OutputClosed as error:
            self.broken = error
            self.ends()


def _now() -> datetime:
    return datetime.now().astimezone()
