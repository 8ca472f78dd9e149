"""The watch of a session: signs of life in both directions, and the bounds on peers that are slow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from graftwire.protocol.connection import Connection, State
from graftwire.protocol.errors import ErrorCode, ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Callable

    from .link import Link
    from .output import Output
    from .session import Session


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a session waits, in seconds, and how slow a peer may be, in bytes a second.

    `opening`: for the other side's HELLO and for the verdict on an AUTH. `farewell`: at the end, for what is queued
    to leave and for the other side to close. `stalled`: for a write of which nothing moves. `slow`: after this long,
    a frame under way has to grow by `rate` (clause KEEP-4).
    """

    opening: float = 10.0
    farewell: float = 1.0
    stalled: float = 60.0
    slow: float = 10.0
    rate: int = 1_024


class Watch:
    """Looks after the time of one session: `read` notes what comes, `tick` judges it."""

    def __init__(
        self,
        session: Session,
        link: Link,
        conn: Connection,
        output: Output,
        timing: Timing,
        auth_since: Callable[[], float],
    ) -> None:
        self._session = session
        self._link = link
        self._conn = conn
        self._output = output
        self._timing = timing
        self._auth_since = auth_since  # when the exchange under way began, if there is one
        self._started = self._last_read = trio.current_time()
        self._partial = 0  # bytes of the frame under way, after the last read
        self._frame_since: float | None = None
        self._frame_size = 0  # of it, when it was looked at last
        self._frame_arrived = 0  # of the link, at that time

    def read(self, size: int) -> float | None:
        """So many bytes were read just now. Returns when to look again, if a frame has begun to come."""
        now = self._last_read = trio.current_time()
        before, partial = self._partial, self._conn.partial
        self._partial = partial
        if not partial:
            self._frame_since = None
        # where not all of the bytes went to the frame of before, that one is complete and another has begun
        elif self._frame_since is None or partial != before + size:
            self._look_at_frame(now)
            return now + self._timing.slow
        return None

    def _look_at_frame(self, now: float) -> None:
        """A frame is under way: look again in `Timing.slow` seconds how much of it has come since."""
        self._frame_since, self._frame_size, self._frame_arrived = now, self._partial, self._link.arrived

    def tick(self, now: float) -> float:
        """Keepalive and the bounds on slow peers; returns when to look again."""
        session, conn, timing, output = self._session, self._conn, self._timing, self._output
        if session.ending is not None:
            return math.inf
        if conn.state is State.OPENING or conn.peer_authenticating:
            due = (self._started if conn.state is State.OPENING else self._auth_since()) + timing.opening
            if now >= due:
                if conn.state is State.OPENING:
                    what, code = "say HELLO", ErrorCode.UNAVAILABLE
                else:
                    what, code = "finish its authentication", ErrorCode.UNAUTHENTICATED  # clause AUTH-5
                why = f"the other side did not {what} within {timing.opening:g} s"
                session.give_up(why, ran=False, code=code)
                return math.inf
            if conn.state is State.OPENING:
                return due
        idle = conn.limits.idle_time / 1000
        heard = max(self._last_read, self._link.last_arrival)  # any byte is a sign of life (KEEP-3)
        if now - heard >= idle:
            session.give_up(f"nothing came from the other side for {idle:g} s")
            return math.inf
        if output.blocked_since is not None and now - output.blocked_since >= timing.stalled:
            session.give_up(f"the other side read nothing for {timing.stalled:g} s")
            return math.inf
        again = min(heard + idle, now + timing.stalled)
        if self._frame_since is not None:
            if now - self._frame_since >= timing.slow:
                came = max(self._partial - self._frame_size, self._link.arrived - self._frame_arrived)
                if came < timing.rate * timing.slow:
                    session.violated(ProtocolViolation("KEEP-4", "a frame comes more slowly than it must"))
                    return math.inf
                self._look_at_frame(now)
            again = min(again, self._frame_since + timing.slow)
        third = conn.peer_limits.idle_time / 3000
        if now - output.last_write >= third and not conn.ping_outstanding:
            conn.ping()
            output.nudge(alone=True)
            again = min(again, now + third)
        else:
            again = min(again, max(output.last_write, now - third) + third)
        return max(again, now + 0.01)
