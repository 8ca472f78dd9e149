"""Where the records of a receiver go: to its sinks, and what happens where one of them fails."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final, Literal

import trio

from graftwire.protocol.errors import Error

from ..security.asking import PluginFailed, ask
from ..security.errors import SecurityError
from ..security.plugins import AuditSink
from .record import Decision, Record

_log: Final = logging.getLogger("graftwire.audit")

SECONDS: Final = 5.0  # that a sink gets for one record, unless told otherwise


class AuditFailed(Error):
    """A record could not be kept, and so what it is about does not happen."""


class _Use:
    """Sinks, and how many records are being written to them."""

    def __init__(self, sinks: tuple[AuditSink, ...]) -> None:
        self.sinks = sinks
        self.writing = 0
        self.ended = trio.lowlevel.ParkingLot()

    def __enter__(self) -> tuple[AuditSink, ...]:
        self.writing += 1
        return self.sinks

    def __exit__(self, *exc_info: object) -> None:
        self.writing -= 1
        if not self.writing:
            self.ended.unpark_all()


class Trail:
    """Writes each record to every sink, in their order.

    `on_failure` says what happens where a sink raises, or takes longer than `seconds`: "refuse" refuses the call or
    the identity that the record is about (the other side learns *unavailable*, or *unauthenticated*); "count" goes on
    without it, counts it in `lost`, and says so in the log. Without sinks, records go to the logger `graftwire.audit`:
    refusals as warnings, what was allowed at the level debug.

    Raises SecurityError for a sink that is none.
    """

    def __init__(
        self,
        sinks: AuditSink | Sequence[AuditSink] = (),
        *,
        on_failure: Literal["refuse", "count"] = "refuse",
        seconds: float = SECONDS,
    ) -> None:
        self._use = _Use((sinks,) if isinstance(sinks, AuditSink) else tuple(sinks))
        for sink in self.sinks:
            if not isinstance(sink, AuditSink):  # pyright: ignore[reportUnnecessaryIsInstance] - a user's mistake
                raise SecurityError(
                    f"an audit sink is an object of a class made from AuditSink; this is a {type(sink).__name__}"
                )
        if on_failure not in ("refuse", "count"):
            raise SecurityError('what happens when an audit sink fails is either "refuse" or "count"')
        self._refuses = on_failure == "refuse"
        self._seconds = seconds
        self._failing = False
        self.lost = 0

    @property
    def sinks(self) -> tuple[AuditSink, ...]:
        """Where records go now."""
        return self._use.sinks

    async def change(self, sinks: Sequence[AuditSink], on_failure: Literal["refuse", "count"]) -> None:
        """Write what comes from now on to other sinks; returns when nothing is being written to those before.

        Cancelled: the new sinks are in use.
        """
        before, self._use = self._use, _Use(tuple(sinks))
        self._refuses = on_failure == "refuse"
        while before.writing:
            await before.ended.park()

    @property
    def wanted(self) -> bool:
        """Whether anybody wants to know what was allowed; refusals are always written down."""
        return bool(self.sinks) or _log.isEnabledFor(logging.DEBUG)

    async def write(self, record: Record) -> None:
        """Keep a record. Raises AuditFailed if a sink could not, where that is a reason to refuse."""
        if not self.sinks:
            self.log(record)
            return
        failed: list[str] = []
        with self._use as sinks:
            for sink in sinks:
                try:
                    await ask(sink.write, record, self._seconds)
                except PluginFailed as failure:
                    failed.append(f"{sink.label}: {failure.kind or failure.reason}")
        if failed:
            self.lose("; ".join(failed))
            if self._refuses:
                raise AuditFailed("a record of this decision could not be kept")
        elif self._failing:
            self._failing = False
            _log.warning("the audit sinks work again; records lost so far: %d", self.lost)

    @staticmethod
    def log(record: Record) -> None:
        """Write a record to the logger alone: where there are no sinks, and where nobody may wait."""
        level = logging.WARNING if record.decision is Decision.REFUSED else logging.DEBUG
        if _log.isEnabledFor(level):
            who = record.identity if record.identity is not None else "nobody"
            _log.log(
                level,
                "%s %s %s for %s from %s, by %s%s",
                record.event,
                record.target or record.scheme or "",
                record.decision,
                who,
                record.link.peer,
                record.plugin,
                f": {record.reason}" if record.reason else "",
            )

    def lose(self, why: str) -> None:
        """Count a record that was not kept, and say so in the log."""
        self.lost += 1
        if not self._failing:  # once for each time that it begins: a full disk must not fill the log as well
            self._failing = True
            _log.error(
                "an audit sink failed (%s); what it can't keep is %s",
                why,
                "refused" if self._refuses else "counted",
            )
