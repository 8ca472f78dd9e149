"""The HTML report: one page that needs nothing from elsewhere, for an auditor, on a screen or on paper."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Final

from ..results import Exit, RunResult
from ..roles import Level
from .casepages import filters, pages
from .findings import findings, has_findings
from .markup import Child, Html, join, tag
from .overview import coverage, grids
from .pieces import told_state
from .styling import SCRIPT, STYLE
from .tally import SYMBOLS, State, Tally, plural

_MEANINGS: Final = {
    State.PASSED: "The target did what the standard asks for.",
    State.FAILED: "The target did something else.",
    State.KNOWN: "It failed, and the list of known failures says why; it does not fail the run.",
    State.STALE: "The list of known failures names it, and it passes: the list has to be mended.",
    State.NOT_IMPLEMENTED: "The target says that it does not have what the case needs. It is not counted as a failure.",
    State.ERRORED: "The harness could not play it. That says nothing of the target.",
}


def html(run: RunResult, tally: Tally | None = None) -> bytes:
    """The page, as UTF-8. `tally`: what is to be shown, where it was counted already."""
    tally = Tally(run) if tally is None else tally
    title = f"Graftwire conformance of {_names(tally)}"
    page = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            _policy(),
            tag("meta", name="color-scheme", content="light dark"),
            tag("title", title),
            tag("style", Html(STYLE)),
        ),
        tag(
            "body",
            tag("a", "Skip to the results", href="#summary", class_="skip"),
            _header(tally),
            tag("main", *_main(tally)),
            _footer(tally),
            tag("script", Html(SCRIPT)) if run.results else None,
        ),
        lang="en",
    )
    return join(Html("<!doctype html>\n"), page, Html("\n")).encode()


def _policy() -> Html:
    """Nothing is loaded, sent or run but what stands in the page: the browser sees to it, too."""
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in (STYLE, SCRIPT)]
    policy = f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; form-action 'none'"
    return tag("meta", http_equiv="Content-Security-Policy", content=f"{policy}; base-uri 'none'")


def _names(tally: Tally) -> str:
    return ", ".join(tally.run.targets) or "a target that gave no name"


def _main(tally: Tally) -> list[Child]:
    if not tally.run.results:
        return [_summary(tally), _what_ran(tally), _how_to_read()]
    return [
        _summary(tally),
        _what_ran(tally),
        grids(tally),
        findings(tally),
        coverage(tally),
        tag(
            "section",
            tag("h2", "Cases", id="cases"),
            tag(
                "p",
                "Every case that was played, by chapter; those that did not simply pass are open. A transcript shows "
                "what crossed the link, inside TLS: each byte with its place in the stream of its direction, and "
                "what it is.",
            ),
            filters(tally),
            pages(tally),
        ),
        _how_to_read(),
    ]


def _header(tally: Tally) -> Html:
    contents = [("#summary", "Summary"), ("#what-ran", "What ran")]
    if tally.run.results:
        contents.append(("#chapters", "Chapters and links"))
        if has_findings(tally):
            contents.append(("#findings", "What did not pass"))
        contents += [("#clauses", "Clauses"), ("#cases", "Cases")]
    contents.append(("#reading", "How to read this"))
    return tag(
        "header",
        tag("h1", "Graftwire conformance report"),
        tag("p", _names(tally), class_="lead"),
        tag("p", tag("time", _when(tally.run.started), datetime=tally.run.started), class_="soft"),
        tag(
            "nav",
            tag("ul", (tag("li", tag("a", name, href=href)) for href, name in contents)),
            class_="contents",
            aria_label="Contents",
        ),
    )


def _summary(tally: Tally) -> Html:
    run = tally.run
    mood = {Exit.DONE: "passed", Exit.FAILED: "failed", Exit.HARNESS: "errored", Exit.STALE: "stale"}[
        run.exit
    ]
    symbol = {Exit.DONE: "✓", Exit.FAILED: "✗", Exit.HARNESS: "!", Exit.STALE: "?"}[run.exit]
    if not run.results:
        mood, symbol = "errored", "!"
    figures = [
        tag("li", tag("b", f"{passed:,} of {of:,}"), tag("span", f"{level} cases passed"))
        for level in Level
        for passed, of in [tally.passed(level)]
        if of
    ]
    states = [tag("li", told_state(each), f" {tally.counts[each]:,}") for each in State if tally.counts[each]]
    counts = tag("ul", states, class_="links") if states else None
    notices: list[Html] = []
    if tally.partial:
        notices.append(
            tag(
                "div",
                tag("p", tag("strong", "This report is partial."), " ", tally.partial, "."),
                tag("p", "What was not played is not in it, and nothing can be said of it."),
                class_="notice",
            )
        )
    problems = [
        *run.problems,
        *(f"the list of known failures names {each}, which there is not" for each in run.unknown),
    ]
    if problems:
        notices.append(tag("div", (tag("p", each) for each in problems), class_="notice"))
    return tag(
        "section",
        tag("h2", "Summary", id="summary"),
        tag("p", tag("strong", f"{symbol} {tally.verdict}", class_=f"s-{mood}"), f" ({tally.reason})."),
        *notices,
        tag("ul", figures, class_="figures") if figures else None,
        join(tag("p", f"{plural(len(run.results), 'result')}, one for each link and role:"), counts)
        if counts
        else None,
    )


def _what_ran(tally: Tally) -> Html:
    run = tally.run
    facts: list[tuple[str, Child]] = [
        ("Target", _names(tally)),
        (
            "Tested with",
            tag("code", " ".join(["graftwire conform", *run.options, tally.command])),
        ),
        ("Suite", run.version or "unknown"),
        ("Protocol", f"version {run.protocol}"),
        ("Begun", tag("time", _when(run.started), datetime=run.started)),
        ("Took", _took(run.seconds)),
        ("Roles", ", ".join(run.roles)),
        ("Links", ", ".join(run.links)),
        ("Played", f"{plural(len(run.results), 'result')} of {plural(len(tally.by_case), 'case')}"),
    ]
    return tag(
        "section",
        tag("h2", "What ran", id="what-ran"),
        tag("dl", (join(tag("dt", name), tag("dd", value)) for name, value in facts)),
    )


def _how_to_read() -> Html:
    meanings = (
        join(tag("dt", f"{SYMBOLS[each]} {each}"), tag("dd", meaning)) for each, meaning in _MEANINGS.items()
    )
    return tag(
        "section",
        tag("h2", "How to read this", id="reading"),
        tag(
            "p",
            "A case is one thing that the standard asks for, and a result is one playing of it: on one link, with the "
            "target in one role. A case counts as passed if all of its results did. MUST, SHOULD and MAY mean what "
            "BCP 14 says. Clauses are those of the Graftwire protocol; their texts are in this page.",
        ),
        tag("dl", meanings),
        tag(
            "p",
            "Proofs of identity and planted secrets are in no part of this page. In a transcript, ",
            tag("code", "··"),
            " stands for a byte of one, or for a byte in a place where credentials are; the text beside it says which.",
        ),
        tag(
            "p",
            "The page is complete in itself: it loads nothing, and can be read, searched and printed without a network "
            "and without scripts.",
        ),
    )


def _footer(tally: Tally) -> Html:
    suite = f", suite {tally.run.version}" if tally.run.version else ""
    return tag("footer", f"Made by graftwire conform{suite}, {_when(tally.run.started)}.")


def _when(started: str) -> str:
    """A time of RFC 3339 as people write it; anything else as it is."""
    try:
        found = datetime.fromisoformat(started).astimezone(UTC)
    except ValueError:
        return started
    return f"{found.day} {found:%B %Y, %H:%M} UTC"


def _took(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{rest:.1f} s"
