"""Small things that several parts of the page show in the same way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ..results import CaseResult
from ..roles import Role
from .markup import Html, anchor, join, tag
from .tally import SYMBOLS, State, state

# How each state is called in classes and in the filters.
KEYS: Final = {
    State.PASSED: "passed",
    State.FAILED: "failed",
    State.KNOWN: "known",
    State.STALE: "stale",
    State.NOT_IMPLEMENTED: "missing",
    State.ERRORED: "errored",
}


class Alike(NamedTuple):
    """Results of one case in one role, on several links, that came out the same way and for the same reason."""

    role: Role
    state: State
    results: tuple[CaseResult, ...]

    @property
    def first(self) -> CaseResult:
        """The first of them, which is shown."""
        return self.results[0]

    @property
    def where(self) -> str:
        """In which role, and over which links."""
        return f"as {self.role} over {', '.join(each.link for each in self.results)}"


def alike(results: Iterable[CaseResult]) -> Iterator[Alike]:
    """The results of a case, those that are alike put together, in the order of the first of each."""
    groups: dict[tuple[Role, State, str, str, str], list[CaseResult]] = {}
    for each in results:
        found = state(each)
        # how a passed one came out may differ in words that do not matter
        happened = "" if found is State.PASSED else each.happened
        groups.setdefault((each.role, found, each.detail, happened, each.known or ""), []).append(each)
    for (role, found, *_), of in groups.items():
        yield Alike(role, found, tuple(of))


def told_state(found: State, more: str = "") -> Html:
    """A state with its symbol, its colour and its words."""
    return tag("span", f"{SYMBOLS[found]} {found}{more}", class_=f"state s-{KEYS[found]}")


def case_link(case: str) -> Html:
    """A link to a case."""
    return tag("a", tag("code", case), href=f"#{anchor('case', case)}")


def clause_links(clauses: Iterable[str]) -> Html:
    """Links to clauses."""
    links = [tag("a", each, href=f"#{anchor('clause', each)}") for each in clauses]
    return join(*(join(", " if index else None, each) for index, each in enumerate(links)))


def unseen(text: str) -> Html:
    """A text for those who hear the page."""
    return tag("span", text, class_="unseen")
