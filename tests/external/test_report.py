"""The conformance report in a real browser: it loads nothing, complains of nothing, fits, prints, and can be used."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest
import trio

from graftwire.conformance.cases import CASES as ALL
from graftwire.conformance.reports import html
from graftwire.conformance.results import RunResult, Verdict
from graftwire.conformance.roles import Link
from graftwire.conformance.running import Options, run
from graftwire.conformance.selecting import Selection

from .browser import Page, browser  # type: ignore[import-not-found]

pytestmark = pytest.mark.external("chromium")

FAILED = "frame.length.zero"  # what is made to look failed, so that everything is there to be looked at
WIDTHS = (1280, 390)
SELECTION = Selection(chapters=("framing",), links=(Link.TCP, Link.WS))
CASES = len(SELECTION.of(ALL))


async def played() -> RunResult:
    """A real run of a chapter, with a failure in it."""
    command = [sys.executable, "-m", "graftwire.conformance.reference"]
    found = await run(Options(selection=SELECTION, command=command))
    for index, each in enumerate(found.results):
        if each.case == FAILED:
            detail = "a session that lives was due: it has ended " + "x" * 300
            found.results[index] = msgspec.structs.replace(each, verdict=Verdict.FAILED, detail=detail)
    return found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(html(trio.run(played)))
    return path


@pytest.fixture
async def page(report: Path, tmp_path: Path) -> AsyncGenerator[Page]:
    async with browser(tmp_path / "profile") as opened:
        await opened.load(report.as_uri())
        yield opened


async def test_it_is_complete_and_without_a_complaint(page: Page) -> None:
    assert len(page.requests) == 1  # the page itself
    assert page.complaints == []
    assert (
        await page.value("document.querySelector('form.filters output').value") == f"{CASES} of {CASES} cases"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits(page: Page, scheme: str) -> None:
    """Nothing but boxes that scroll by themselves is wider than the window, with everything open."""
    await page.like(prefers_color_scheme=scheme)
    await page.value("for (const each of document.querySelectorAll('details')) each.open = true")
    for width in WIDTHS:
        await page.resize(width)
        assert await page.value(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        ), width
    seen = await page.value("getComputedStyle(document.documentElement).backgroundColor")
    assert (seen == "rgb(255, 255, 255)") == (scheme == "light")


async def test_the_keyboard_reaches_what_can_be_used(page: Page) -> None:
    """First the way past the contents; and every box that scrolls, every case, every filter can be got to."""
    key = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
    for kind in ("keyDown", "keyUp"):
        await page.ask("Input.dispatchKeyEvent", type=kind, **key)
    assert await page.value("document.activeElement.className") == "skip"
    reachable = (
        "[...document.querySelectorAll('.scroll, summary, input, a')].every((each) => each.tabIndex === 0)"
    )
    assert await page.value(reachable)
    assert await page.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"


async def test_a_link_opens_what_it_leads_to(page: Page) -> None:
    passed = "case-frame.length.one"
    assert not await page.value(f"document.getElementById('{passed}').open")
    await page.value(f"location.hash = '{passed}'")
    assert await page.value(
        f"new Promise((done) => setTimeout(() => done(document.getElementById('{passed}').open), 50))"
    )


async def test_filters(page: Page) -> None:
    async def shown() -> str:
        told: str = await page.value("document.querySelector('form.filters output').value")
        return told

    change = "document.querySelector('form.filters').dispatchEvent(new Event('input'))"
    await page.value(f"document.querySelector('input[value=passed]').checked = false; {change}")
    assert await shown() == f"1 of {CASES} cases"
    await page.value(f"document.querySelector('input[value=passed]').checked = true; {change}")
    await page.value(f"document.querySelector('input[type=search]').value = 'FRAME-8 length'; {change}")
    assert await shown() == f"1 of {CASES} cases"
    assert page.complaints == []


async def test_it_prints(page: Page) -> None:
    """Black on white, without the filters, with what is folded open, but for transcripts of what passed."""
    await page.like(medium="print", prefers_color_scheme="dark")
    assert (
        await page.value("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    )
    assert await page.value("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert await page.value("getComputedStyle(document.querySelector('form.filters')).display") == "none"
    for folded, seen in (("details:not([open]):not(.folded)", True), ("details.folded", False)):
        visible = f"document.querySelector('{folded} > :not(summary)').checkVisibility()"
        assert await page.value(visible) is seen, folded
    await page.like()
    made = await page.pdf()
    assert made.startswith(b"%PDF-")
    assert 5 < len(re.findall(rb"/Type\s*/Page\b", made)) < 200
