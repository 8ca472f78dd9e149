"""JSON lines: one of the run, one for each result, one of the summary.

Their schema is in docs/reference/conformance-reports.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from ..coverage import Covered
from ..results import CaseResult, RunResult
from ..roles import Level
from .tally import State, Tally, state
from .transcripts import told

SCHEMA: Final = "graftwire-conformance-report/1"
ROWS: Final = 400  # of one transcript


def json_lines(run: RunResult) -> Iterator[bytes]:
    """The lines, each with its end. Texts are ASCII, so that no reader can trip over an encoding."""
    tally = Tally(run)
    yield _line(_run(tally))
    for each in run.results:
        yield _line(_result(tally, each))
    yield _line(_summary(tally))


def _run(tally: Tally) -> dict[str, Any]:
    run = tally.run
    return {
        "type": "run",
        "schema": SCHEMA,
        "suite": run.version,
        "protocol": run.protocol,
        "started": run.started,
        "targets": run.targets,
        "command": run.command,
        "options": run.options,
        "roles": run.roles,
        "links": run.links,
        "planned": run.planned,
    }


def _result(tally: Tally, result: CaseResult) -> dict[str, Any]:
    described = tally.cases.get(result.case)
    found: dict[str, Any] = {
        "type": "result",
        "name": result.name,
        "case": result.case,
        "chapter": result.chapter,
        "clauses": list(result.clauses),
        "level": result.level,
        "role": result.role,
        "link": result.link,
        "setup": result.setup,
        "says": described.says if described is not None else "",
        "verdict": result.verdict,
        "known": result.known,
        "stale": result.stale,
        "detail": result.detail,
        "last_words": result.last_words,
        "expected": result.expected,
        "happened": result.happened,
        "seconds": result.seconds,
        "plays": result.plays,
        "passes": result.passes,
        "replay": tally.replay(result),
        "usage": None if result.usage is None else msgspec.to_builtins(result.usage),
        "transcript": None,
    }
    if result.transcript is not None and state(result) is not State.PASSED:
        found["transcript"] = msgspec.to_builtins(told(result.transcript, rows=ROWS))
    return found


def _summary(tally: Tally) -> dict[str, Any]:
    run, counts = tally.run, tally.counts
    return {
        "type": "summary",
        "seconds": run.seconds,
        "results": len(run.results),
        "passed": counts[State.PASSED] + counts[State.STALE],
        "failed": counts[State.FAILED],
        "known": counts[State.KNOWN],
        "stale": counts[State.STALE],
        "not-implemented": counts[State.NOT_IMPLEMENTED],
        "errored": counts[State.ERRORED],
        "cases": {level: dict(zip(("passed", "of"), tally.passed(level), strict=True)) for level in Level},
        "clauses-without-case": [_unproved(each) for each in tally.unproved],
        "problems": run.problems,
        "unknown": run.unknown,
        "partial": tally.partial or None,
        "exit": None if run.ended else int(run.exit),
        "reason": tally.reason,
    }


def _unproved(row: Covered) -> dict[str, Any]:
    return {
        "clause": row.clause,
        "role": row.role,
        "level": row.level,
        "reason": row.unseen or None,
        "hole": row.open,
    }


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
