"""The cases of a run, one after the other: what each asks for, what happened, what crossed, how to play it again."""

from __future__ import annotations

from typing import Final

from ..recording import Direction
from ..results import CaseResult, Usage
from .markup import Child, Html, anchor, join, prose, tag
from .pieces import KEYS, Alike, alike, clause_links, told_state
from .tally import State, Tally, counted, plural, state, worst
from .transcripts import Entry, told

FAILED_ROWS: Final = 160  # of a transcript of a result that did not pass
PASSED_ROWS: Final = 60
# Bytes of the page for transcripts, so that it stays one that a browser opens at once.
FAILED_BUDGET: Final = 8 * 2**20
PASSED_BUDGET: Final = 3 * 2**20
_ARROWS: Final = {Direction.RUNNER: "→", Direction.TARGET: "←"}
_FROM: Final = {Direction.RUNNER: "to the target", Direction.TARGET: "from the target"}


class _Budget:
    """How many bytes are left for transcripts."""

    def __init__(self, size: int) -> None:
        self.left = size

    def take(self, made: Html) -> bool:
        if len(made) > self.left:
            return False
        self.left -= len(made)
        return True


def filters(tally: Tally) -> Html:
    """The form that leaves out cases; it is hidden until the script shows it."""
    present = [each for each in State if tally.counts[each]]
    boxes = [
        tag("label", tag("input", type="checkbox", name="state", value=KEYS[each], checked=True), f" {each}")
        for each in present
    ]
    return tag(
        "form",
        tag("label", "Find ", tag("input", type="search", name="words", autocomplete="off")),
        tag("fieldset", tag("legend", "Show"), boxes),
        tag("output", ""),
        class_="filters",
        hidden=True,
        aria_label="Filter the cases",
    )


def pages(tally: Tally) -> Html:
    """All chapters with their cases."""
    writer = _Writer(tally)
    return join(
        tag(
            "section",
            tag("h3", chapter.capitalize(), id=anchor("chapter", chapter)),
            tag("p", f"{plural(len(cases), 'case')}; results: {_counts(tally, cases)}.", class_="soft"),
            (writer.case(each) for each in cases),
            class_="chapter",
        )
        for chapter, cases in tally.chapters.items()
    )


def _counts(tally: Tally, cases: list[str]) -> str:
    return str(counted(each for case in cases for each in tally.by_case[case]))


class _Writer:
    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._budgets = {True: _Budget(PASSED_BUDGET), False: _Budget(FAILED_BUDGET)}

    def case(self, id: str) -> Html:
        """One case with all of its results."""
        results = self._tally.by_case[id]
        first = results[0]
        described = self._tally.cases.get(id)
        says = described.says if described is not None else ""
        details = dict.fromkeys(each.detail for each in results)
        states = list(dict.fromkeys(KEYS[state(each)] for each in results))
        found = worst(results) or State.PASSED
        simply = found in (State.PASSED, State.NOT_IMPLEMENTED)
        return tag(
            "details",
            tag(
                "summary",
                tag("span", told_state(found) if not simply else _short(found), class_="outcome"),
                " ",
                tag("h4", id),
                " ",
                tag("span", prose(says), class_="says"),
            ),
            tag("div", self._facts(first), (self._group(each) for each in alike(results)), class_="inside"),
            class_="case",
            id=anchor("case", id),
            open=not simply,
            data_states=" ".join(states),
            data_words=" ".join([id, *first.clauses, says, *details]).lower(),
        )

    def _facts(self, result: CaseResult) -> Html:
        facts: list[tuple[str, Child]] = [
            ("Clause" if len(result.clauses) == 1 else "Clauses", clause_links(result.clauses)),
            ("Level", str(result.level)),
            ("Expected", result.expected),
        ]
        if result.setup != "open":
            facts.append(("Setup", result.setup))
        return tag("dl", (join(tag("dt", name), tag("dd", value)) for name, value in facts))

    def _group(self, group: Alike) -> Html:
        first = group.first
        facts: list[tuple[str, Child]] = []
        if group.state is not State.PASSED:
            facts.append(("Why", first.detail) if first.detail else ("Why", "it passes"))
            if first.happened:
                facts.append(("Happened", first.happened))
        elif first.happened:
            facts.append(("Happened", first.happened))
        if first.known is not None:
            facts.append(("Known failure", first.known))
        facts.append(("Took", _times(group)))
        facts += [
            (f"Cost over {each.link}" if len(group.results) > 1 else "Cost", cost)
            for each in group.results
            if (cost := _cost(each.usage))
        ]
        facts.append(("Play it again", self._replay(first)))
        # one of those that are alike shows what crossed; of those that did not pass, the others do, too
        shown = group.results if group.state is not State.PASSED else group.results[:1]
        return tag(
            "div",
            tag("h5", told_state(group.state), f" {group.where}"),
            tag("dl", (join(tag("dt", name), tag("dd", value)) for name, value in facts)),
            self._last_words(first),
            (self._transcript(each, first=index == 0) for index, each in enumerate(shown)),
            class_=f"result r-{KEYS[group.state]}",
        )

    def _last_words(self, result: CaseResult) -> Html | None:
        if not result.last_words:
            return None
        title = "Its last words on standard error"
        made = tag("details", tag("summary", title), tag("pre", result.last_words), open=True)
        return made if self._budgets[False].take(made) else None

    def _replay(self, result: CaseResult) -> Html:
        return tag("pre", self._tally.replay(result))

    def _transcript(self, result: CaseResult, *, first: bool) -> Html | None:
        passed = state(result) is State.PASSED
        if result.transcript is None or not (result.transcript.chunks or result.transcript.notes):
            return None
        title = f"What crossed over {result.link}"
        if self._budgets[passed].left <= 0:
            return tag("p", f"{title} is left out: the page would be too large.", class_="soft")
        shown = told(result.transcript, rows=PASSED_ROWS if passed else FAILED_ROWS)
        left: list[str] = []
        if shown.left_out:
            left.append(f"{shown.left_out:,} more {'is' if shown.left_out == 1 else 'are'} left out here")
        if shown.cut:
            left.append("more crossed than was recorded")
        caption = f"{result.case} over {result.link}, the target as {result.role}"
        made = tag(
            "details",
            tag("summary", title),
            None if first else self._replay(result),
            tag(
                "div",
                tag(
                    "table",
                    tag("caption", caption),
                    tag(
                        "thead",
                        tag(
                            "tr",
                            (tag("th", each, scope="col") for each in ("Offset", "Bytes", "What they are")),
                        ),
                    ),
                    (_entry(each) for each in shown.entries),
                    class_="transcript",
                ),
                class_="scroll",
                tabindex="0",
                role="group",
                aria_label=f"Transcript of {caption}",
            ),
            tag("p", f"{'; '.join(left)}.", class_="soft") if left else None,
            open=first and not passed,
            class_="folded" if passed or not first else None,
        )
        if self._budgets[passed].take(made):
            return made
        self._budgets[passed].left = 0
        return tag("p", f"{title} is left out: the page would be too large.", class_="soft")


def _short(found: State) -> Html:
    """A state of a case with nothing to say about it: the symbol, and the word for those who hear it."""
    whole = told_state(found)
    symbol = tag("span", whole[whole.index(">") + 1], aria_hidden="true", class_=f"s-{KEYS[found]}")
    return join(symbol, tag("span", str(found), class_="unseen"))


def _entry(entry: Entry) -> Html:
    rows = (
        tag(
            "tr",
            tag("td", row.offset, class_="offset"),
            tag("td", row.hex, class_="bytes"),
            tag("td", row.text),
        )
        for row in entry.rows
    )
    arrow = tag("span", _ARROWS[entry.direction], aria_hidden="true")
    if entry.layer is None:
        who = "the runner" if entry.direction is Direction.RUNNER else "the target"
        what = join(arrow, f" {who}: {entry.name}")
    else:
        number = f" {entry.number}" if entry.number is not None else ""
        parts = f", in {entry.parts} parts" if entry.parts > 1 else ""
        what = join(arrow, f" {_FROM[entry.direction]}{number}: {entry.name}{parts}")
    kind = "remark" if entry.layer is None else str(entry.direction)
    head = tag(
        "tr",
        tag(
            "th",
            what,
            tag("span", f"{1000 * entry.at:,.1f} ms", class_="time"),
            scope="rowgroup" if entry.rows else "row",
            colspan=3,
            class_=f"what {kind}",
        ),
    )
    return tag("tbody", head, rows)


def _times(group: Alike) -> str:
    times = [each.seconds for each in group.results]
    took = (
        f"{1000 * min(times):,.0f} ms"
        if len(times) == 1
        else f"{1000 * min(times):,.0f} to {1000 * max(times):,.0f} ms"
    )
    plays = sum(each.plays for each in group.results)
    if plays > len(group.results):
        took += f"; {sum(each.passes for each in group.results):,} of {plays:,} plays passed"
    return took


def _cost(usage: Usage | None) -> str:
    if usage is None:
        return ""
    told: list[str] = []
    if usage.peak_memory is not None:
        told.append(f"{usage.peak_memory / 2**20:,.1f} MiB of memory at most")
    if usage.cpu is not None:
        told.append(f"{usage.cpu:.2f} s of CPU")
    if usage.open_files is not None:
        told.append(f"{usage.open_files:,} open files afterwards")
    if usage.seconds_to_close is not None:
        told.append(f"{usage.seconds_to_close:.2f} s to close")
    return ", ".join(told)
