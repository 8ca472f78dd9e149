"""What the demo shows: a table that fills up while it works, the frames of one session, and what was counted."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from rich import box
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .audit import told
from .demo_calls import KINDS
from .demo_track import LEAVING, MEASURE, Track
from .demo_trust import Decided
from .notation import counted
from .output import NARROW, console, fits
from .rows import STYLES, Conversation

TINY: Final = 60  # columns below which the table has room for the times alone

_MARKS: Final = "✓·…→←µ"


class Screen:
    """The demo's part of the terminal. Elsewhere than on a terminal, everything is written once, at the end."""

    def __init__(self, tracks: list[Track]) -> None:
        self._tracks = tracks
        self._console = console()
        self._fancy = fits(_MARKS, self._console)
        self._arrows = ("→", "←") if self._fancy else ("->", "<-")
        self._narrow = self._console.width < NARROW
        self._tiny = self._console.width < TINY
        # by hand, so that no thread of it disturbs what is measured
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None

    def __enter__(self) -> Self:
        self._heading("One gateway, four transports", "a call of each kind, then one call after the other")
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, traceback)

    def update(self) -> None:
        """Show how far everything is."""
        if self._live is not None:
            self._live.update(self._table(), refresh=True)

    def finish(self) -> None:
        """Show the rest, now that the frames are decoded."""
        self.update()
        if self._live is not None:
            self._live.stop()
        else:
            self._console.print(self._table())
        self._console.print()
        shown = self._tracks[0]
        sent, came = self._arrows
        self._heading(f"What crossed {shown.url}", f"{sent} from the caller  {came} from the gateway")
        self._console.print(self._transcript(shown))
        self._console.print()
        self._console.print(self._count())

    def decided(self, decided: Decided) -> None:
        """Show the second part: what was decided, and where that is written down."""
        self._console.print()
        self._heading("Who may call what", "over tls, with an API key, role rules and an audit log")
        self._console.print(self._outcomes(decided))
        self._console.print()
        self._heading("What the audit log says", "who wanted what, how it was decided, and why")
        self._console.print(self._records(decided))
        self._console.print()
        for text in told(decided.report):
            self._console.print(Text(text), overflow="fold")
        self._console.print(self._slot(decided))

    def _heading(self, text: str, note: str) -> None:
        self._console.print(Text.assemble((text, "bold"), "  ", (note, "dim")))

    # --- the table -----------------------------------------------------------------------------------------------

    def _table(self) -> Table:
        table = Table(
            box=box.ROUNDED if self._fancy else box.ASCII2,
            header_style="bold",
        )
        table.add_column("transport", style="bold cyan", no_wrap=True)
        for name in self._kind_columns():
            table.add_column(name, justify="center", no_wrap=True)
        for name in ("calls", "median", "p99"):
            table.add_column(name, justify="right", no_wrap=True)
        for track in self._tracks:
            cells = self._kinds(track)
            table.add_row(
                track.transport,
                *([Text().join(cells)] if self._narrow else cells)[: len(self._kind_columns())],
                f"{track.calls or len(track.times):,}" if track.times else "",
                self._time(track.quantile(0.5)),
                self._time(track.quantile(0.99)),
            )
        return table

    def _kind_columns(self) -> list[str]:
        """One column for each kind of call, or for all of them, or none, where there is no room."""
        if self._tiny:
            return []
        return ["kinds of call"] if self._narrow else list(KINDS)

    def _kinds(self, track: Track) -> list[Text]:
        yes, no, now = ("✓", "·", "…") if self._fancy else ("+", ".", "*")
        return [
            Text(yes, style="green")
            if kind in track.done
            else Text(now if track.doing == kind else no, style="yellow")
            for kind in KINDS
        ]

    def _time(self, seconds: float | None) -> str:
        if seconds is None:
            return ""
        if seconds < 0.001:
            return f"{seconds * 1e6:.0f} {'µs' if self._fancy else 'us'}"
        return f"{seconds * 1e3:.2f} ms"

    # --- the frames ----------------------------------------------------------------------------------------------

    def _transcript(self, track: Track) -> Table:
        table = Table(
            box=None,
            header_style="dim",
            padding=(0, 1, 0, 0),
        )
        table.add_column("step", style="dim", no_wrap=True)
        table.add_column("", no_wrap=True)
        table.add_column("frame", no_wrap=True)
        table.add_column("id", justify="right", no_wrap=True)
        table.add_column("bytes", justify="right", no_wrap=True)
        table.add_column("about", overflow="fold")
        conversation = Conversation()
        last = ""
        for crossed in track.frames:
            row = conversation.row(crossed.seen)
            if crossed.step in (MEASURE, LEAVING):
                continue
            step = "" if crossed.step == last else crossed.step
            last = crossed.step
            table.add_row(
                step,
                Text(self._arrows[crossed.came], style="green" if crossed.came else "cyan"),
                Text(row.kind, style=STYLES.get(row.kind, "")),
                row.id,
                str(row.size),
                row.about,
            )
        return table

    # --- trust ---------------------------------------------------------------------------------------------------

    def _outcomes(self, decided: Decided) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
        table.add_column("", no_wrap=True)
        table.add_column("call", style="bold", no_wrap=True)
        table.add_column("outcome", overflow="fold")
        for call, outcome in decided.outcomes.items():
            refused = outcome.startswith("Denied")
            table.add_row(
                Text(self._arrows[0], style="cyan"),
                Text(call),
                Text(outcome, "yellow" if refused else "green"),
            )
        return table

    def _records(self, decided: Decided) -> Table:
        table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0))
        table.add_column("time", style="dim", no_wrap=True)
        for name in ("target", "identity", "decision", "plugin"):
            table.add_column(name, no_wrap=True)
        table.add_column("reason", style="dim", overflow="fold")
        for record in decided.records:
            allowed = record["decision"] == "allowed"
            table.add_row(
                record["time"][11 : 19 if self._narrow else 23],
                Text(record["target"] or record["event"], "bold" if record["target"] else "dim"),
                record["identity"],
                Text(record["decision"], "green" if allowed else "yellow"),
                record["plugin"],
                Text(record["reason"]),
            )
        return table

    def _slot(self, decided: Decided) -> Text:
        track = decided.track
        return Text.assemble(
            (counted(len(track.frames), "frame"), "bold"),
            f", {counted(track.size, 'byte')}. Credentials found in them: ",
            (str(track.credentials), "bold green"),
            ", in AUTH and nowhere else",
        )

    def _count(self) -> Text:
        frames = sum(len(track.frames) for track in self._tracks)
        size = sum(track.size for track in self._tracks)
        credentials = sum(track.credentials for track in self._tracks)
        return Text.assemble(
            (counted(frames, "frame"), "bold"),
            f", {counted(size, 'byte')}, each one decoded. Credentials found in them: ",
            (str(credentials), "bold green" if credentials == 0 else "bold red"),
        )
