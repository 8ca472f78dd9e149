"""What a run has found, as data that reporters consume: msgspec turns all of it into JSON.

Byte strings become base64 in JSON, as msgspec writes them. Nothing here holds a secret of the run, neither a proof nor
a canary: they are overwritten before a result is made (secrecy.py), and a transcript says where they were.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

import msgspec

from .capacity import Used
from .coverage import Covered
from .recording import Chunk, Note
from .roles import Level, Link, Role
from .secrecy import Hidden
from .usage import Usage

KEPT: Final = 262_144  # bytes of a transcript that a result keeps, of each direction and layer


class Verdict(StrEnum):
    """What became of a case, on one link, in one role."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_IMPLEMENTED = "not-implemented"
    ERRORED = "errored"  # the harness could not play it: it says nothing of the target


class Exit(IntEnum):
    """The exit codes of `graftwire conform`."""

    DONE = 0
    FAILED = 1  # a case failed that is not a known failure
    HARNESS = 2  # the command line, or the harness: what was asked for could not be played
    STALE = 3  # a known failure has passed: the list is not true any more


class SeenFrame(msgspec.Struct, frozen=True):
    """A frame of the target: its number from 1, its first byte in the stream of that direction, its kind in words."""

    number: int
    position: int
    size: int
    kind: str
    awaited: bool


class Transcript(msgspec.Struct, frozen=True):
    """What crossed one link; `cut`: there was more than is kept here.

    `hidden` are the places at which secrets were, in the streams that the chunks of a direction and layer make: the
    bytes there are not those that crossed.
    """

    chunks: list[Chunk]
    notes: list[Note]
    frames: list[SeenFrame]
    cut: bool = False
    hidden: list[Hidden] = []


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """One case on one link in one role.

    `detail` is one sentence: why it failed, is not implemented, or could not be played. `expected` and `happened` say
    in words what the outcomes were to be, and how it came out. With `--repeat`, `plays` counts how often it was played
    and `passes` how often it passed; the verdict is the worst, the transcript that of the first play that was not
    passed (or of the last). `known` is the reason from the list of known failures. `capacity` says, in a closed world,
    what the target has used of the fields that are free (section 19). `last_words` are the last lines of a target that
    ended, or did not start, on its standard error.
    """

    case: str
    chapter: str
    clauses: tuple[str, ...]
    level: Level
    role: Role
    link: Link
    setup: str
    verdict: Verdict
    detail: str = ""
    last_words: str = ""
    expected: str = ""
    happened: str = ""
    seconds: float = 0.0
    plays: int = 1
    passes: int = 0
    known: str | None = None
    replay: str = ""
    transcript: Transcript | None = None
    usage: Usage | None = None
    capacity: list[Used] = []

    @property
    def name(self) -> str:
        """The case with its role and link: how known failures and reports name it."""
        return f"{self.case} {self.role} {self.link}"

    @property
    def counts_as_failed(self) -> bool:
        """Whether it fails the run."""
        return self.verdict is Verdict.FAILED and self.known is None

    @property
    def stale(self) -> bool:
        """Whether it passed although it is listed as a known failure."""
        return self.verdict is Verdict.PASSED and self.known is not None


class RunResult(msgspec.Struct, kw_only=True):
    """A whole run. `targets` are the names that the targets gave.

    `planned` is how many results there were to be, `ended` why there are fewer, as one sentence; empty: there are not.
    `options` are those, beside the ones of a result, that a replay needs.
    """

    started: str  # RFC 3339, UTC
    seconds: float = 0.0
    version: str = ""  # of the suite
    protocol: int = 1
    command: list[str] = []
    options: list[str] = []
    planned: int = 0
    ended: str = ""
    targets: list[str] = []
    roles: list[Role] = []
    links: list[Link] = []
    results: list[CaseResult] = []
    problems: list[str] = []  # of the harness, a sentence each
    clauses: list[Covered] = []  # of the standard, with all cases that the suite has for them, played or not
    unknown: list[str] = []  # lines of the list of known failures that name no case

    def count(self, verdict: Verdict) -> int:
        """How many results have this verdict."""
        return sum(each.verdict is verdict for each in self.results)

    @property
    def exit(self) -> Exit:
        """The exit code: a failure counts more than an error of the harness, and that more than a stale list."""
        if any(each.counts_as_failed for each in self.results):
            return Exit.FAILED
        if self.problems or self.ended or any(each.verdict is Verdict.ERRORED for each in self.results):
            return Exit.HARNESS
        if self.unknown or any(each.stale for each in self.results):
            return Exit.STALE
        return Exit.DONE


def to_json(value: RunResult | CaseResult) -> bytes:
    """A result as JSON, in one line without its end."""
    return msgspec.json.encode(value)
