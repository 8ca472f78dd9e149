"""How the HTML report looks, and the little that it does: one style sheet and one script, both inside the page."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --paper: #fff; --panel: #f6f7f8; --ink: #1b1f24; --soft: #545c66; --line: #d9dde2; --link: #0a54a8;
  --passed: #14692f; --failed: #b0221b; --known: #7a4b00; --stale: #7a4b00; --missing: #545c66; --errored: #6d2f96;
  --passed-tint: #eaf5ed; --failed-tint: #fcecea; --known-tint: #fbf3e2; --errored-tint: #f5edfa;
  --mono: ui-monospace, "SFMono-Regular", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --panel: #1c2024; --ink: #e4e7ea; --soft: #a3acb6; --line: #353b42; --link: #8cbcf5;
    --passed: #79cf92; --failed: #ff9b93; --known: #e5b566; --stale: #e5b566; --missing: #a3acb6; --errored: #cda4ea;
    --passed-tint: #18291d; --failed-tint: #341b1a; --known-tint: #2e2615; --errored-tint: #291d33;
  }
}
* { box-sizing: border-box; }
html { font: 16px/1.55 system-ui, "Segoe UI", "Helvetica Neue", "Noto Sans", "DejaVu Sans", sans-serif;
  background: var(--paper); color: var(--ink); scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 2.5rem 1.5rem 5rem; max-width: 76rem; overflow-wrap: break-word; }
h1, h2, h3, h4 { line-height: 1.25; margin: 0; font-weight: 650; text-wrap: balance; }
h1 { font-size: 1.05rem; color: var(--soft); letter-spacing: .01em; }
h2 { font-size: 1.5rem; margin: 3.5rem 0 1rem; letter-spacing: -.01em; }
h3 { font-size: 1.15rem; margin: 2.25rem 0 .75rem; }
h4 { font-size: 1rem; display: inline; font-weight: 600; }
h5 { font-size: .95rem; margin: 1.5rem 0 .5rem; font-weight: 600; }
p { margin: .5rem 0; max-width: 46rem; }
a { color: var(--link); text-underline-offset: .15em; text-decoration-thickness: 1px; }
code, kbd, pre { font-family: var(--mono); font-size: .875em; }
pre { margin: .25rem 0; padding: .6rem .8rem; background: var(--panel); border: 1px solid var(--line);
  border-radius: 4px; white-space: pre-wrap; overflow-wrap: anywhere; }
a[href^="#clause-"] { white-space: nowrap; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 2px; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .5rem 1rem; z-index: 1; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.lead { font-size: 2.1rem; line-height: 1.2; font-weight: 680; letter-spacing: -.02em; margin: .35rem 0 .5rem;
  max-width: none; text-wrap: balance; }
.soft { color: var(--soft); }
.notice { border-left: 4px solid var(--known); background: var(--known-tint); padding: .75rem 1rem; margin: 1rem 0;
  max-width: 60rem; }
.notice p:first-child { margin-top: 0; } .notice p:last-child { margin-bottom: 0; }

nav.contents ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: .75rem 0;
  margin: 1rem 0 0;
  border-top: 1px solid var(--line); border-bottom: 1px solid var(--line); }

ul.figures { list-style: none; display: flex; flex-wrap: wrap; gap: 1rem 2.75rem; padding: 0; margin: 1.5rem 0; }
ul.figures b { display: block; font-size: 1.6rem; line-height: 1.2; font-weight: 600;
  font-variant-numeric: tabular-nums; }
ul.figures span { color: var(--soft); font-size: .9rem; }

dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .3rem 1.5rem; margin: .75rem 0; }
dt { color: var(--soft); } dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }

.scroll { position: relative; overflow-x: auto; margin: .75rem 0 1.25rem; }
table { border-collapse: collapse; width: 100%; font-size: .925rem; }
caption { text-align: left; font-weight: 600; padding: 0 0 .5rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 550; } th .soft { font-weight: 400; }
thead th { color: var(--soft); font-weight: 500; font-size: .85rem; white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
table.grid { width: auto; min-width: min(100%, 40rem); }
table.grid td, table.grid thead th:not(:first-child) { text-align: right; padding-left: 1rem;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
table.grid td .state { display: block; padding: .1rem .5rem; margin: 0 -.5rem; border-radius: 3px; }
table.grid .s-passed { background: var(--passed-tint); } table.grid .s-failed { background: var(--failed-tint); }
table.grid .s-known, table.grid .s-stale { background: var(--known-tint); }
table.grid .s-errored { background: var(--errored-tint); } table.grid .s-missing { background: var(--panel); }
table.grid tfoot > tr > * { border-top: 2px solid var(--line); border-bottom: 0; font-weight: 600; }

.state { white-space: nowrap; font-weight: 550; }
.state::first-letter { font-weight: 700; }
.s-passed { color: var(--passed); } .s-failed { color: var(--failed); } .s-known { color: var(--known); }
.s-stale { color: var(--stale); } .s-missing { color: var(--missing); } .s-errored { color: var(--errored); }

table.clauses td:nth-child(2) { white-space: nowrap; }
table.clauses details { max-width: 44rem; }
table.clauses details p { margin: .4rem 0 .2rem; }
table.clauses .cases { font-size: .85rem; line-height: 1.5; padding: 0; margin: .3rem 0 0; list-style: none; }
summary { cursor: pointer; }
summary::marker { color: var(--soft); }

details.case { border-top: 1px solid var(--line); padding: .55rem 0; }
details.case > summary { padding: .1rem 0; }
details.case > summary h4 { font-family: var(--mono); font-size: .9rem; }
details.case > summary .says { color: var(--soft); }
details.case > summary .outcome { display: inline-block; min-width: 1.4em; }
details.case > .inside { padding: .25rem 0 1.25rem 1.4rem; }
.result { border: 1px solid var(--line); border-left-width: 4px; border-radius: 4px; padding: .8rem 1rem;
  margin: 1rem 0; }
.result.r-failed, .result.r-stale { border-left-color: var(--failed); }
.result.r-known { border-left-color: var(--known); }
.result.r-errored { border-left-color: var(--errored); }
.result.r-missing { border-left-color: var(--missing); }
.result > h5:first-child { margin: 0 0 .25rem; }
ul.links { list-style: none; padding: 0; margin: .5rem 0; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; }

table.transcript { font-size: .8rem; line-height: 1.45; }
table.transcript caption { font-size: .875rem; font-weight: 500; color: var(--soft); }
table.transcript td, table.transcript th { padding: .12rem .9rem .12rem 0; border: 0; }
table.transcript tbody tr:first-child > * { padding-top: .55rem; }
table.transcript .offset { text-align: right; font-family: var(--mono); color: var(--soft); white-space: nowrap;
  width: 1%; }
table.transcript .bytes { font-family: var(--mono); width: 49ch; min-width: 25ch; }
table.transcript td:last-child { min-width: 14rem; }
table.transcript .what { font-weight: 600; }
table.transcript .what.runner { color: var(--link); }
table.transcript .what.target { color: var(--ink); }
table.transcript .what.remark { font-weight: 400; font-style: italic; color: var(--soft); }
table.transcript .time { font-weight: 400; color: var(--soft); padding-left: .6rem;
  font-variant-numeric: tabular-nums; }

form.filters { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center; padding: .75rem 1rem;
  margin: 1rem 0;
  background: var(--panel); border: 1px solid var(--line); border-radius: 4px; font-size: .925rem; }
form.filters fieldset { border: 0; padding: 0; margin: 0; display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
form.filters legend { float: left; padding: 0; margin-right: .75rem; color: var(--soft); }
form.filters input[type=search] { font: inherit; padding: .25rem .5rem; border: 1px solid var(--soft);
  border-radius: 4px;
  background: var(--paper); color: inherit; width: 15rem; max-width: 100%; }
form.filters label { white-space: nowrap; }
form.filters output { color: var(--soft); margin-left: auto; }
[hidden] { display: none !important; }
footer { margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .9rem;
  color: var(--soft); }

@media (max-width: 40rem) {
  body { padding: 1.25rem 1rem 3rem; }
  .lead { font-size: 1.6rem; }
  dl { grid-template-columns: 1fr; gap: 0 0; } dd { margin-bottom: .5rem; }
  details.case > .inside { padding-left: 0; }
  .result { padding: .6rem .7rem; }
  table.grid { min-width: 0; }
  table.clauses { min-width: 42rem; } table.transcript { min-width: 40rem; }
}

@media print {
  :root { color-scheme: light; --paper: #fff; --panel: #fff; --ink: #000; --soft: #333; --line: #999; --link: #000;
    --passed: #000; --failed: #000; --known: #000; --stale: #000; --missing: #000; --errored: #000;
    --passed-tint: #fff; --failed-tint: #fff; --known-tint: #fff; --errored-tint: #fff; }
  html { font-size: 9.5pt; } body { max-width: none; padding: 0; }
  a { text-decoration: none; }
  form.filters, nav.contents, .skip { display: none !important; }
  .scroll { overflow: visible; }
  details:not(.folded)::details-content { content-visibility: visible; display: block; block-size: auto; }
  details.case > summary { list-style: none; break-after: avoid; }
  h2, h3, h5, caption { break-after: avoid; } tr, .result > dl { break-inside: avoid; }
  thead { display: table-header-group; }
  table.transcript { font-size: 7.5pt; } table.clauses { min-width: 0; }
}
@page { margin: 16mm 14mm; }
""".strip()

# Filters for who has a script engine; without one everything is there, and nothing is asked for.
SCRIPT: Final = """
"use strict";
const form = document.querySelector("form.filters");
const cases = [...document.querySelectorAll("details.case")];
const shown = document.querySelector("form.filters output");
const apply = () => {
  const words = form.elements.words.value.trim().toLowerCase().split(/\\s+/).filter(Boolean);
  const states = new Set([...form.querySelectorAll("input[name=state]:checked")].map((each) => each.value));
  let count = 0;
  for (const each of cases) {
    const fits = each.dataset.states.split(" ").some((state) => states.has(state))
      && words.every((word) => each.dataset.words.includes(word));
    each.hidden = !fits;
    count += fits;
  }
  for (const chapter of document.querySelectorAll("section.chapter")) {
    chapter.hidden = !chapter.querySelector("details.case:not([hidden])");
  }
  shown.value = `${count} of ${cases.length} cases`;
};
const reveal = () => {
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!place) return;
  for (let each = place; each; each = each.parentElement) {
    each.hidden = false;
    if (each.tagName === "DETAILS") each.open = true;
  }
  place.scrollIntoView();
};
form.hidden = false;
form.addEventListener("input", apply);
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", reveal);
apply();
reveal();
const folded = [];
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details:not([open]):not(.folded)")) { each.open = true;
  folded.push(each); }
});
addEventListener("afterprint", () => { for (const each of folded.splice(0)) each.open = false; });
""".strip()
