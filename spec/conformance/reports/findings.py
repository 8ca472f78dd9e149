"""What did not pass, in one table; and what is not implemented, by its reason."""

from __future__ import annotations

from collections.abc import Iterator

from ..results import CaseResult
from .markup import Child, Html, join, table, tag
from .pieces import Alike, alike, case_link, clause_links, told_state
from .tally import WORST, State, Tally, plural, state

_SHOWN = (State.FAILED, State.STALE, State.ERRORED, State.KNOWN)


def has_findings(tally: Tally) -> bool:
    """Whether anything did not simply pass."""
    return any(tally.counts[each] for each in State if each is not State.PASSED)


def findings(tally: Tally) -> Html | None:
    """The section of them; None: there are none."""
    if not has_findings(tally):
        return None
    found = [
        (case, each)
        for case, results in tally.by_case.items()
        for each in alike(results)
        if each.state in _SHOWN
    ]
    found.sort(key=lambda each: WORST.index(each[1].state))
    return tag(
        "section",
        tag("h2", "What did not pass", id="findings"),
        table(
            "Results that failed or could not be judged, by case",
            ("Outcome", "Case", "Clauses", "What happened"),
            (_row(case, each) for case, each in found),
        )
        if found
        else tag("p", "Nothing failed."),
        _missing(tally),
    )


def _row(case: str, group: Alike) -> Html:
    first = group.first
    told: list[Child] = [first.detail or first.happened]
    if group.state is State.STALE:
        told = ["It passes."]
    if first.known is not None:
        told.append(tag("div", f"Listed as known: {first.known}", class_="soft"))
    return tag(
        "tr",
        tag("td", told_state(group.state)),
        tag("th", case_link(case), tag("div", group.where, class_="soft"), scope="row"),
        tag("td", first.level, " ", clause_links(first.clauses)),
        tag("td", *told),
    )


def _missing(tally: Tally) -> Html | None:
    reasons: dict[str, list[CaseResult]] = {}
    for each in tally.run.results:
        if state(each) is State.NOT_IMPLEMENTED:
            reasons.setdefault(each.detail or "no reason given", []).append(each)
    if not reasons:
        return None
    return join(
        tag("h3", "Not implemented"),
        table(
            "Results that were not played, by reason",
            ("Reason", "Results", "Cases"),
            (tag("tr", *_reason(reason, results)) for reason, results in reasons.items()),
        ),
    )


def _reason(reason: str, results: list[CaseResult]) -> Iterator[Html]:
    cases = list(dict.fromkeys(each.case for each in results))
    yield tag("th", reason, scope="row")
    yield tag("td", len(results))
    listed = tag("ul", (tag("li", case_link(each)) for each in cases), class_="cases")
    yield tag("td", tag("details", tag("summary", plural(len(cases), "case")), listed, class_="folded"))
