"""The tables of the report: chapters by links for each role, and every clause with its cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..coverage import Covered
from ..roles import BOTH, Level, Role
from ..standard import Clause
from .markup import Child, Html, anchor, join, prose, table, tag
from .pieces import KEYS, case_link, clause_links, told_state, unseen
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
    """Every clause of the standard with what was played of it, or why nothing could be."""
    levels = {each.clause: each.level for each in tally.run.clauses}
    musts = sum(each is Level.MUST for each in levels.values())
    count = f"The standard has {plural(len(levels), 'clause')}, {musts:,} of them with a MUST."
    heads = ("Clause", "Level", "What it says, and its cases", *(f"As {each}" for each in BOTH))
    return tag(
        "section",
        tag("h2", "Clauses", id="clauses"),
        tag("p", f"{count} Cases of {plural(len(tally.played), 'clause')} were played in this run."),
        _unproved(tally),
        table(
            "Every clause of the standard, its cases, and how they came out",
            heads,
            _rows(tally),
            class_="clauses",
        ),
    )


def _unproved(tally: Tally) -> Html:
    """The holes, and what no case can prove."""
    holes = list(dict.fromkeys(each.clause for each in tally.unproved if each.open))
    unseen = list(dict.fromkeys(each.clause for each in tally.unproved if each.unseen))
    told = (
        tag(
            "p",
            f"The suite has no case for {plural(len(holes), 'clause')} with a MUST: ",
            clause_links(holes),
            ".",
        )
        if holes
        else tag("p", "The suite has a case for every clause with a MUST that can be seen from outside.")
    )
    if not unseen:
        return told
    return join(told, tag("p", "What no case can prove says why: ", clause_links(unseen), "."))


def _rows(tally: Tally) -> Iterator[Html]:
    section = ""
    for id, by in tally.covered.items():
        clause = tally.standard.get(id)
        title = clause.section if clause is not None else "Not in this standard"
        if title != section:
            section = title
            yield tag("tr", tag("th", title, scope="colgroup", colspan=3 + len(BOTH)))
        yield tag(
            "tr",
            tag("th", id, scope="row", id=anchor("clause", id)),
            tag("td", ", ".join(clause.levels) if clause is not None else ""),
            tag("td", _clause(tally, id, clause), _reasons(by)),
            (tag("td", _verdict(tally, id, role)) for role in BOTH),
        )


def _clause(tally: Tally, id: str, clause: Clause | None) -> Html:
    by = tally.played.get(id, {})
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


def _reasons(by: dict[Role, Covered]) -> Html | None:
    """Why no case can prove it: once, if the reason is the same in all roles that it binds."""
    reasons = {role: row.unseen for role, row in by.items() if row.unseen}
    if not reasons:
        return None
    if len(reasons) == len(by) and len(set(reasons.values())) == 1:
        return tag("p", f"No case can prove it: {next(iter(reasons.values()))}", class_="soft")
    return join(
        *(
            tag("p", f"No case can prove it of an {role}: {why}", class_="soft")
            for role, why in reasons.items()
        )
    )


def _excerpt(text: str) -> str:
    """The beginning of a clause, without its markup, up to a space."""
    plain = text.replace("*", "").replace("`", "").partition(" Violation")[0]
    if len(plain) <= _EXCERPT:
        return plain
    return plain[: _EXCERPT - 1].rpartition(" ")[0].rstrip(".,;: ") + "…"


def _verdict(tally: Tally, id: str, role: Role) -> Html:
    found = worst(tally.played.get(id, {}).get(role, []))
    if found is not None:
        return told_state(found)
    row = tally.covered[id].get(role)
    if row is None:
        return join(tag("span", "·", class_="soft", aria_hidden="true"), unseen("it does not bind this role"))
    if row.open:
        return tag("span", "○ no case", class_="state s-known")
    told = "can't be seen" if row.unseen else "no case"
    return tag("span", f"{plural(len(row.cases), 'case')}, not played" if row.cases else told, class_="soft")
