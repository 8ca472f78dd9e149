"""A run of the conformance suite as it goes: a live view on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final, Self

from rich.console import Group
from rich.live import Live
from rich.text import Text

from graftwire.conformance.playing import Instance
from graftwire.conformance.reports import summary
from graftwire.conformance.reports.tally import SYMBOLS, Counts, State, state
from graftwire.conformance.results import CaseResult, RunResult

from .output import console, fits, line, printable

STYLES: Final = {
    State.PASSED: "green",
    State.FAILED: "bold red",
    State.KNOWN: "yellow",
    State.STALE: "bold yellow",
    State.NOT_IMPLEMENTED: "dim",
    State.ERRORED: "bold magenta",
}
TOLD: Final = (State.FAILED, State.STALE, State.ERRORED)  # what is said as soon as it comes
CURRENT: Final = 6  # cases under way that are shown by name
EVERY: Final = 0.08  # seconds between two pictures


class View:
    """What the user sees of a run. `quiet`: nothing at all, because standard output is for something else.

    On a terminal that can be written over, a bar, the counts and the cases under way stay at the end of the lines.
    """

    def __init__(self, run: RunResult, *, quiet: bool = False) -> None:
        self._run = run
        self._quiet = quiet
        self._console = console()
        self._plain_only = not fits("".join(SYMBOLS.values()) + "━…·", self._console)
        self._counts = Counts()
        self._current: dict[str, float] = {}
        self._drawn = 0.0
        self._last_words = ""
        live = self._console.is_terminal and not self._console.is_dumb_terminal and not quiet
        # by hand: what is played must not share its time with a thread that draws
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if live else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, traceback)

    def begin(self, instance: Instance) -> None:
        """A case is played now."""
        self._current[instance.name] = time.monotonic()
        self._draw()

    def result(self, result: CaseResult) -> None:
        """It has been played."""
        self._current.pop(result.name, None)
        found = state(result)
        self._counts.add(found)
        if found in TOLD and not self._quiet:
            self._say(result, found)
        self._draw()

    def _say(self, result: CaseResult, found: State) -> None:
        text = Text.assemble((f"{self._symbol(found)} {found}", STYLES[found]), "  ", (result.name, "bold"))
        detail = "it passes, and is listed as a known failure" if found is State.STALE else result.detail
        if detail:
            text.append(f": {printable(detail)}")
        line(text, to=self._console)
        if found is State.FAILED:
            clauses = ", ".join(result.clauses)
            line(Text(f"    {result.level} {clauses}; {result.replay}", style="dim"), to=self._console)
        if result.last_words not in (
            "",
            self._last_words,
        ):  # a target that does not start says the same for each case
            self._last_words = result.last_words
            told = f"    its last words on standard error: {result.last_words.splitlines()[-1]}"
            line(Text(printable(told), style="dim"), to=self._console)

    def _symbol(self, found: State) -> str:
        return found.name[0] if self._plain_only else SYMBOLS[found]

    def conclude(self) -> None:
        """The summary, when everything has ended."""
        if self._quiet:
            return
        for each in summary(self._run, ascii_only=self._plain_only):
            line(each)

    # --- what is drawn over -------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        now = time.monotonic()
        last = (
            self._counts.all >= self._run.planned
        )  # is always drawn: a short run would never be seen at its end
        if self._live is None or (now - self._drawn < EVERY and not last):
            return
        self._drawn = now
        self._live.update(Group(*self._lines(now)), refresh=True)

    def _lines(self, now: float) -> list[Text]:
        done, planned = self._counts.all, max(self._run.planned, 1)
        width = max(10, min(40, self._console.width - 60))
        full = width * done // planned
        bar = ("#", ".") if self._plain_only else ("━", "·")
        head = Text.assemble(
            (bar[0] * full, "green" if not self._counts[State.FAILED] else "red"),
            (bar[1] * (width - full), "dim"),
            f" {done:,} of {self._run.planned:,}  ",
        )
        for each in State:
            if self._counts[each]:
                head.append(f"{self._symbol(each)} {self._counts[each]:,} {each}  ", STYLES[each])
        lines = [head]
        waiting = sorted(self._current.items(), key=lambda each: each[1])
        for name, since in waiting[:CURRENT]:
            lines.append(Text(f"  {name}  {now - since:.1f} s", style="dim"))
        if len(waiting) > CURRENT:
            more = "..." if self._plain_only else "…"
            lines.append(Text(f"  {more} and {len(waiting) - CURRENT} more", style="dim"))
        for each in lines:
            each.no_wrap, each.overflow = True, "crop"
        return lines
