"""The page of the documentation that lists all cases, made from the cases themselves; and the register of their ids."""

from __future__ import annotations

from collections.abc import Iterable

from .case import Case
from .cases import values
from .playing import told_outcomes
from .roles import ALL_LINKS, BOTH
from .setups import SETUPS

# These have a case for each vector of a file, which says what it shows.
OF_VECTORS = (values.ARGUMENT, values.RESULT)
_ROW_OF_VECTORS = (
    "| `{prefix}…` ({count} cases) | VAL-1 to VAL-22 | MUST | | one |"
    " Each vector of `spec/vectors/values.json`, by its name there. |"
    " a good one comes back byte for byte, a bad one fails the call, and the session lives |\n"
)

_HEAD = """# The conformance cases

Every case of the suite, by chapter. This page is made from the cases by `make cases`. A case is named by its id, which
is for ever. What stands in the column *links* is said only where it is not all five; *one* is any of them. How to run
them: [the command line](command-line.md#graftwire-conform).

"""


def page(cases: Iterable[Case]) -> str:
    """The whole page."""
    by_chapter: dict[str, list[Case]] = {}
    for case in cases:
        by_chapter.setdefault(case.chapter, []).append(case)
    parts = [_HEAD, "| setup | what it is |\n| --- | --- |\n"]
    parts += [f"| `{each.name}` | {each.says} |\n" for each in SETUPS.values()]
    for chapter, of in by_chapter.items():
        parts.append(f"\n## {chapter.capitalize()}\n\n")
        parts.append("| case | clauses | level | role | links | what it shows | what has to come of it |\n")
        parts.append("| --- | --- | --- | --- | --- | --- | --- |\n")
        parts += [_row(each) for each in of if not each.id.startswith(OF_VECTORS)]
        for prefix in OF_VECTORS:
            count = sum(each.id.startswith(prefix) for each in of)
            if count:
                parts.append(_ROW_OF_VECTORS.format(prefix=prefix, count=count))
    return "".join(parts)


def _row(case: Case) -> str:
    role = "both" if case.roles == BOTH else ", ".join(case.roles)
    links = "one" if case.once else "" if case.links == ALL_LINKS else ", ".join(case.links)
    setup = "" if case.setup == "open" else f" Setup `{case.setup}`."
    cells = (
        f"`{case.id}`",
        ", ".join(case.clauses),
        case.level,
        role,
        links,
        case.says.replace("|", "\\|") + setup,
        told_outcomes(case.outcomes),
    )
    return f"| {' | '.join(cells)} |\n"


def register(before: str, cases: Iterable[Case]) -> str:
    """The register of ids with those of `cases` put in; what was there and is no case any more is retired.

    Raises ValueError for a case with the id of a retired one.
    """
    retired = {line.removeprefix("retired ") for line in before.splitlines() if line.startswith("retired ")}
    known = {line for line in before.splitlines() if line and not line.startswith("retired ")}
    now = {each.id for each in cases}
    again = sorted(now & retired)
    if again:
        raise ValueError(f"ids are never used again: {', '.join(again)}")
    lines = [*now, *(f"retired {each}" for each in retired | (known - now))]
    return "".join(f"{line}\n" for line in sorted(lines, key=lambda each: each.removeprefix("retired ")))
