"""Faults in signs of life and in leaving (sections 12 and 13)."""

from __future__ import annotations

from typing import Any

from graftwire import client, connection
from graftwire.protocol.errors import ErrorCode
from graftwire.protocol.frames import Goaway, Ping, Pong
from graftwire.protocol.framewriting import encode
from graftwire.protocol.limits import LARGEST_INTEGER
from graftwire.retry import Retry
from graftwire.transport.session import Session

from .mutant import INITIATOR, Broken, around, mutant


@mutant(
    "keep.counter-does-not-count",
    "KEEP-1",
    "Every PING of a peer has the counter 1.",
    "keep.ping.counts keep.ping.one-at-a-time keep.idle.shown",
)
class DoesNotCount(Broken):
    def ping(self) -> None:
        self._ping = 0
        super().ping()


@mutant(
    "keep.second-ping-early",
    "KEEP-1",
    "A peer sends its next PING before the PONG to the one before.",
    "keep.ping.one-at-a-time",
)
class SecondPing(Broken):
    @property
    def ping_outstanding(self) -> bool:
        return False

    def ping(self) -> None:
        self._ping_out = False
        super().ping()


@mutant(
    "keep.any-counter-taken",
    "KEEP-1",
    "The counter of a PING may be any number.",
    "keep.ping.skipped keep.ping.again keep.ping.first-is-two keep.ping.biggest goaway.after-error.no-call-runs",
)
class AnyCounter(Broken):
    def _on_ping(self, frame: Ping, events: list[Any]) -> None:
        self._peer_ping = frame.counter - 1
        super()._on_ping(frame, events)


@mutant(
    "keep.pong-missing",
    "KEEP-2",
    "The third PING of a session gets no PONG.",
    "keep.ping.several",
)
class PongMissing(Broken):
    def _on_ping(self, frame: Ping, events: list[Any]) -> None:
        if frame.counter == 3:
            self._peer_ping = 3
        else:
            super()._on_ping(frame, events)


@mutant(
    "keep.pong-with-another-counter",
    "KEEP-2",
    "The PONG to a third PING has the counter of the second.",
    "keep.ping.several",
)
class OtherCounter(Broken):
    def sent(self, frame: bytes) -> bytes:
        return encode(Pong(2)) if frame == encode(Pong(3)) else frame


@mutant(
    "keep.pong-unasked-taken",
    "KEEP-2",
    "A PONG that answers nothing is passed over.",
    "keep.pong.unasked keep.pong.twice keep.pong.other",
)
class PongUnasked(Broken):
    def _on_pong(self, frame: Pong, events: list[Any]) -> None:
        if self._ping_out and frame.counter == self._ping:
            super()._on_pong(frame, events)


@mutant(
    "keep.idle-for-ever",
    "KEEP-3",
    "A session from which nothing comes any more is kept.",
    "keep.idle keep.idle.during-a-call",
)
def idle_for_ever() -> None:
    @around(Session, "give_up")
    def _(strict: Any, self: Any, why: str, **fields: Any) -> None:
        if not why.startswith("nothing came"):
            strict(self, why, **fields)


@mutant(
    "keep.no-sign-of-life",
    "KEEP-3",
    "A peer that has nothing to say sends nothing at all.",
    "keep.idle.shown keep.ping.counts keep.ping.one-at-a-time keep.pong.twice keep.pong.other frame.arity.due.pong",
)
class NoSignOfLife(Broken):
    def ping(self) -> None:
        if self._sent_goaway is not None:
            super().ping()


@mutant("leave.rising-taken", "LEAVE-1", "The last id of a GOAWAY may rise.", "goaway.rises")
class Rising(Broken):
    def _on_goaway(self, frame: Goaway, events: list[Any]) -> None:
        if self._peer_goaway is None or frame.last <= self._peer_goaway:
            super()._on_goaway(frame, events)


@mutant(
    "leave.goaway-ignored",
    "LEAVE-2",
    "Who has read a GOAWAY in peace goes on making calls, and does not leave.",
    "leave.in-peace goaway.read.*",
    roles=INITIATOR,
)
class Ignored(Broken):
    @property
    def peer_is_leaving(self) -> bool:
        return False

    def _on_goaway(self, frame: Goaway, events: list[Any]) -> None:
        most = self._most_calls
        super()._on_goaway(frame, events)
        self._most_calls = most


@mutant(
    "leave.goaway-missing",
    "LEAVE-9",
    "A peer leaves without a word.",
    "leave.in-peace leave.initiator call.above-the-last.initiator",
    roles=INITIATOR,
)
class GoawayMissing(Broken):
    def goaway(self, last: int = LARGEST_INTEGER) -> None:
        self._sent_goaway = last


@mutant(
    "leave.wrong-last-id",
    "LEAVE-4",
    "The GOAWAY of a session that ends with an error leaves out the last call that has run.",
    "call.id.again call.limit.answered-counts call.terminal.own cancel.twice caller.callback.second-terminal",
)
class WrongLastId(Broken):
    def _close(self, code: ErrorCode, before: int | None = None) -> None:
        super()._close(code, self._next_in - 2 if before is None else before)


@mutant(
    "leave.runs-are-denied",
    "LEAVE-6",
    "A caller is told of every call of a session that has ended that it has not run.",
    "leave.error-to-the-caller",
    roles=INITIATOR,
)
def runs_are_denied() -> None:
    @around(Session, "_end")
    def _(strict: Any, self: Any, why: Any, cause: Any = None, last: int | None = None) -> None:
        strict(self, why, cause, 0)


@mutant(
    "leave.sent-again",
    "LEAVE-6",
    "A call of unknown fate is sent again over another session.",
    "leave.error-to-the-caller",
    roles=INITIATOR,
)
def sent_again() -> None:
    client.Client._may_repeat = lambda self, error: error.code is ErrorCode.UNAVAILABLE and error.ran

    @around(connection.Connection, "__init__")
    def _(strict: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        strict(self, *args, **{**kwargs, "retry": Retry()})


@mutant(
    "leave.any-last-id-taken",
    "LEAVE-8",
    "The last id of a GOAWAY may be that of a call that was never made.",
    "leave.never-made leave.of-the-wrong-side goaway.never-made",
)
class AnyLastId(Broken):
    def _on_goaway(self, frame: Goaway, events: list[Any]) -> None:
        wrong = frame.last & 1 != self._next_out & 1 or frame.last >= self._next_out
        super()._on_goaway(Goaway(0, frame.code) if wrong and frame.last < LARGEST_INTEGER else frame, events)
