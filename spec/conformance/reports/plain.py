"""The end of a run as plain text: what the command line prints, and what fits into a log."""

from __future__ import annotations

from ..results import RunResult
from ..roles import Level
from ..visible import printable
from .tally import SYMBOLS, State, Tally, plural


def summary(run: RunResult, *, ascii_only: bool = False) -> list[str]:
    """The lines of it: what ran, chapters by links for each role, counts, and the exit code with its reason.

    `ascii_only`: for terminals that have no other characters.
    """
    tally = Tally(run)
    lines = [printable(_head(tally)), *_grids(tally)]
    lines += [f"  harness: {printable(each)}" for each in run.problems]
    lines += [
        f"  the list of known failures names {printable(each)}, which there is not" for each in run.unknown
    ]
    levels = [
        f"{passed:,} of {of:,} {level}" for level in Level for passed, of in [tally.passed(level)] if of
    ]
    if levels:
        lines.append(f"cases that passed wherever they were played: {', '.join(levels)}")
    results = plural(len(run.results), "result")
    lines.append(f"{results} in {run.seconds:.1f} s: {tally.counts}")
    if tally.partial:
        lines.append(f"not complete: {tally.partial}")
    lines.append(f"{tally.verdict} ({tally.reason})")
    if ascii_only:
        lines = [_ascii(each) for each in lines]
    return lines


def _head(tally: Tally) -> str:
    run = tally.run
    names = ", ".join(run.targets) or "a target that gave no name"
    suite = f"suite {run.version}, " if run.version else ""
    return f"Graftwire conformance of {names} ({suite}protocol {run.protocol})"


def _grids(tally: Tally) -> list[str]:
    lines: list[str] = []
    width = max([len(each) for each in tally.chapters], default=0)
    for role in tally.run.roles:
        chapters = [
            each
            for each in tally.chapters
            if any((role, each, link) in tally.grid for link in tally.run.links)
        ]
        if not chapters:
            continue
        lines.append(f"  {f'as {role}':<{width + 2}}" + "".join(f"{link:>11}" for link in tally.run.links))
        for chapter in chapters:
            cells = [_cell(tally, role, chapter, link) for link in tally.run.links]
            lines.append(f"    {chapter:<{width}}" + "".join(f"{each:>11}" for each in cells))
    return lines


def _cell(tally: Tally, role: str, chapter: str, link: str) -> str:
    found = next((each for key, each in tally.grid.items() if key == (role, chapter, link)), None)
    if found is None or found.worst is None:
        return ""
    passed = found[State.PASSED]
    return f"{SYMBOLS[found.worst]} {passed}" + (f"/{found.all}" if passed != found.all else "")


_REPLACED = str.maketrans({"✓": "+", "✗": "x", "≈": "~", "\N{EN DASH}": "-"})


def _ascii(line: str) -> str:
    return line.translate(_REPLACED).encode("ascii", "backslashreplace").decode()
