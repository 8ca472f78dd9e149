"""The tables of the report: chapters by links for each role, and every clause with its cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..results import CaseResult
from ..roles import BOTH, Level, Role
from .markup import Child, Html, anchor, join, prose, table, tag
from .pieces import KEYS, case_link, clause_links, told_state, unseen
from .standard import Clause
from .tally import SYMBOLS, Counts, State, Tally, counted, plural, worst

_EXCERPT: Final = 110  # characters of a clause that its row shows before it is opened


def grids(tally: Tally) -> Html:
    """A table of chapters by links for each role."""
    return tag(
        "section",
        tag("h2", "Chapters and links", id="chapters"),
        tag("p", "How many results passed; and of how many, where that is not all of them."),
        (_grid(tally, role) for role in tally.run.roles),
    )


def _grid(tally: Tally, role: Role) -> Html:
    rows: list[Html] = []
    for chapter in tally.chapters:
        cells = [tally.grid.get((role, chapter, link)) for link in tally.run.links]
        if any(cells):
            name = tag("a", chapter.capitalize(), href=f"#{anchor('chapter', chapter)}")
            rows.append(tag("tr", tag("th", name, scope="row"), (_cell(each) for each in cells)))
    totals = [
        counted(each for each in tally.run.results if (each.role, each.link) == (role, link))
        for link in tally.run.links
    ]
    foot = tag("tr", tag("th", "All chapters", scope="row"), (_cell(each) for each in totals))
    heads: list[Child] = ["Chapter", *(str(each) for each in tally.run.links)]
    found = table(f"The target as {role}", heads, rows, class_="grid")
    return Html(found.replace("</tbody>", f"</tbody>{tag('tfoot', foot)}"))


def _cell(counts: Counts | None) -> Html:
    found = None if counts is None else counts.worst
    if counts is None or found is None:
        return tag("td", unseen("no case"))
    passed = counts[State.PASSED]
    short = f"{passed:,}" if passed == counts.all else f"{passed:,} of {counts.all:,}"
    shown = tag("span", f"{SYMBOLS[found]} {short}", class_=f"state s-{KEYS[found]}", aria_hidden="true")
    return tag("td", shown, unseen(str(counts)), title=str(counts))


# --- clauses --------------------------------------------------------------------------------------------------------


def coverage(tally: Tally) -> Html:
    """Every clause of the standard with what was played of it."""
    covered = [id for id, by in tally.clauses.items() if by]
    musts = [each for each in tally.standard.values() if each.level is Level.MUST]
    holes = [each.id for each in musts if not tally.clauses[each.id] and not any(_elsewhere(tally, each.id))]
    count = f"The standard has {plural(len(tally.standard), 'clause')}, {len(musts):,} of them with a MUST."
    missing = (
        tag(
            "details",
            tag("summary", f"The suite has no case for {plural(len(holes), 'clause')} with a MUST"),
            tag("p", clause_links(holes)),
        )
        if holes
        else tag("p", "The suite has a case for every clause with a MUST.")
    )
    rows = _rows(tally)
    heads = ("Clause", "Level", "What it says, and its cases", *(f"As {each}" for each in BOTH))
    return tag(
        "section",
        tag("h2", "Clauses", id="clauses"),
        tag("p", f"{count} Cases of {plural(len(covered), 'clause')} were played in this run."),
        missing,
        table(
            "Every clause of the standard, its cases, and how they came out", heads, rows, class_="clauses"
        ),
    )


def _rows(tally: Tally) -> Iterator[Html]:
    section = ""
    for id, by in tally.clauses.items():
        clause = tally.standard.get(id)
        title = clause.section if clause is not None else "Not in this standard"
        if title != section:
            section = title
            yield tag("tr", tag("th", title, scope="colgroup", colspan=3 + len(BOTH)))
        yield tag(
            "tr",
            tag("th", id, scope="row", id=anchor("clause", id)),
            tag("td", ", ".join(clause.levels) if clause is not None else ""),
            tag("td", _clause(tally, clause, by)),
            (tag("td", _verdict(tally, id, role, by.get(role, []))) for role in BOTH),
        )


def _clause(tally: Tally, clause: Clause | None, by: dict[Role, list[CaseResult]]) -> Html:
    cases = list(dict.fromkeys(each.case for role in BOTH for each in by.get(role, [])))
    whole = "A case names it, and the standard has no such clause." if clause is None else clause.text
    played = [
        tag("li", case_link(case), " ", told_state(found))
        for case in cases
        if (found := worst(tally.by_case[case])) is not None
    ]
    return tag(
        "details",
        tag("summary", _excerpt(whole), *([f" ({plural(len(cases), 'case')})"] if cases else [])),
        tag("p", prose(whole)),
        tag("ul", played, class_="cases") if played else None,
    )


def _excerpt(text: str) -> str:
    """The beginning of a clause, without its markup, up to a space."""
    plain = text.replace("*", "").replace("`", "").partition(" Violation")[0]
    if len(plain) <= _EXCERPT:
        return plain
    return plain[: _EXCERPT - 1].rpartition(" ")[0].rstrip(".,;: ") + "…"


def _verdict(tally: Tally, id: str, role: Role, results: list[CaseResult]) -> Html:
    found = worst(results)
    if found is not None:
        return told_state(found)
    elsewhere = tally.elsewhere(id, role)
    if elsewhere:
        return tag("span", f"{plural(len(elsewhere), 'case')}, not played", class_="soft")
    if any(_elsewhere(tally, id)) or tally.clauses[id]:
        return join(tag("span", "·", class_="soft", aria_hidden="true"), unseen("no case in this role"))
    return tag("span", "○ no case", class_="state s-known")


def _elsewhere(tally: Tally, id: str) -> Iterator[str]:
    for role in BOTH:
        yield from tally.elsewhere(id, role)
