"""A badge: one line of SVG that needs nothing from elsewhere, with its words for those who can't see it."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape, quoteattr

from ..results import Exit, RunResult
from ..roles import Level
from ..visible import printable
from .tally import State, Tally

LABEL: Final = "graftwire conformance"
# White on each of them has a contrast of 4.5 or more.
_COLOURS: Final = {"good": "#1a7f37", "bad": "#c0271f", "unknown": "#626a73"}
_WIDE: Final = 6.9  # pixels that a character takes at 11 pixels, about; the text is stretched to fit
_PADDING: Final = 7


def badge(run: RunResult) -> bytes:
    """The badge of a run: how many MUST cases passed wherever they were played, of how many."""
    tally = Tally(run)
    passed, of = tally.passed(Level.MUST)
    message = f"{passed:,} of {of:,} MUST" if of else "no MUST played"
    if tally.partial:
        message += ", incomplete"
    names = ", ".join(run.targets)
    told = (
        f"{names}: {tally.counts}. {tally.verdict}. {run.started}"
        if names
        else f"{tally.counts}. {tally.verdict}."
    )
    return _drawn(message, _COLOURS[_mood(tally)], printable(told)).encode()


def _mood(tally: Tally) -> str:
    if tally.counts[State.FAILED]:
        return "bad"
    if tally.partial or tally.run.exit is not Exit.DONE or not tally.run.results:
        return "unknown"
    return "good"


def _drawn(message: str, colour: str, description: str) -> str:
    left, right = (round(len(each) * _WIDE) + 2 * _PADDING for each in (LABEL, message))
    width = left + right
    title = f"{LABEL}: {message}"
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="22" viewBox="0 0 {width} 22" role="img" \
aria-label={quoteattr(title)} aria-describedby="about">
<title>{escape(title)}</title>
<desc id="about">{escape(description)}</desc>
<clipPath id="round"><rect width="{width}" height="22" rx="4"/></clipPath>
<g clip-path="url(#round)">
<rect width="{left}" height="22" fill="#31363c"/>
<rect x="{left}" width="{right}" height="22" fill="{colour}"/>
</g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" text-anchor="middle">
{_text(LABEL, left / 2, left - 2 * _PADDING)}
{_text(message, left + right / 2, right - 2 * _PADDING)}
</g>
</svg>
"""


def _text(text: str, centre: float, length: float) -> str:
    return f'<text x="{centre:g}" y="15" textLength="{length:g}" lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
