"""A run that has everything in it that a report has to show, and secrets in every place that they can get into."""

from __future__ import annotations

import base64

import pytest

from graftwire.conformance import frames
from graftwire.conformance.cases import CASES
from graftwire.conformance.coverage import coverage
from graftwire.conformance.parts import Body, Frame, Scope, wire
from graftwire.conformance.recording import Chunk, Direction, Layer, Note
from graftwire.conformance.results import CaseResult, RunResult, Transcript, Usage, Verdict
from graftwire.conformance.roles import Level, Link, Role
from graftwire.conformance.secrecy import Secrecy
from graftwire.conformance.setups import Secrets

SECRETS = Secrets()
SECRECY = Secrecy(SECRETS.named())
SCOPE = Scope(Role.INITIATOR, "k1", SECRETS.proofs)
RUNNER, TARGET = Direction.RUNNER, Direction.TARGET
CANARY = SECRETS.canaries["exception"]
PROOF = SECRETS.proofs["alice"]


def sent(*pieces: Frame, direction: Direction = RUNNER, at: float = 0.001) -> Chunk:
    return Chunk(at, direction, Layer.FRAMES, b"".join(wire(each, SCOPE) for each in pieces))


def transcript(*chunks: Chunk, notes: tuple[Note, ...] = (), cut: bool = False) -> Transcript:
    """A transcript as a result has it: nothing is kept as long as a secret is in it."""
    kept, hidden = SECRECY.hide(chunks)
    return Transcript(kept, list(notes), [], cut, hidden)


GUARDED = transcript(
    sent(frames.hello(), frames.auth(), frames.call("crash", credential=("conformance.test", PROOF))),
    sent(frames.hello(), frames.accepted(), direction=TARGET, at=0.002),
    sent(frames.error(8, body=Body(CANARY)), direction=TARGET, at=0.003),
    notes=(Note(0.004, TARGET, "closed"),),
)
UPGRADE = (
    f"GET /?key={CANARY} HTTP/1.1\r\nHost: localhost\r\nCookie: session={CANARY}\r\nUpgrade: websocket\r\n\r\n"
).encode()
AUTH_SIZE = len(wire(frames.auth(), SCOPE))
OVER_WEBSOCKET = transcript(
    Chunk(0.001, RUNNER, Layer.LINK, UPGRADE),
    Chunk(0.002, TARGET, Layer.LINK, b"HTTP/1.1 101 -\r\nX-Key: " + CANARY.encode() + b"\r\n\r\n"),
    sent(frames.auth(), at=0.003),
    Chunk(0.003, RUNNER, Layer.LINK, b"\x82" + bytes([0x80 | AUTH_SIZE]) + b"abcd" + bytes(AUTH_SIZE)),
    Chunk(0.004, TARGET, Layer.LINK, b"\x88\x22\x03\xe8" + CANARY.encode()),
)


def result(case: str, verdict: Verdict = Verdict.PASSED, **fields: object) -> CaseResult:
    told: dict[str, object] = {
        "case": case,
        "chapter": "calls" if case.startswith("call") else "framing",
        "clauses": ("ERR-2", "ERR-4") if case.startswith("call") else ("FRAME-2",),
        "level": Level.MUST,
        "role": Role.ACCEPTOR,
        "link": Link.TCP,
        "setup": "open",
        "verdict": verdict,
        "expected": "a session that lives",
        "happened": "the session lives",
        "seconds": 0.0123,
        "passes": int(verdict is Verdict.PASSED),
        **fields,
    }
    for name in ("detail", "happened"):  # as the runner does
        told[name] = SECRECY.text(str(told.get(name, "")))
    told.setdefault("replay", f"--case {case} --role {told['role']} --link {told['link']}")
    return CaseResult(**told)  # type: ignore[arg-type]


def everything() -> RunResult:
    """Each state once or more, and what a hostile target could say."""
    return RunResult(
        started="2026-11-25T14:15:02+00:00",
        seconds=83.25,
        version="0.1.0",
        command=["node", "main.mjs", "--name", "it's <b>js</b>"],
        targets=["graft.js <script>alert(1)</script> \x1b[31m\u202e"],
        roles=[Role.ACCEPTOR, Role.INITIATOR],
        links=[Link.TCP, Link.WS],
        planned=9,
        problems=["the harness had no <certificate>"],
        unknown=["call.never"],
        clauses=coverage(CASES),
        results=[
            result("frame.length.zero", transcript=GUARDED),
            result("frame.length.zero", link=Link.WS, role=Role.INITIATOR, transcript=OVER_WEBSOCKET),
            result("frame.length.one", Verdict.FAILED, detail="not <what> was\x00\x1b due",
                   last_words="a line\nthe last one", transcript=OVER_WEBSOCKET),
            result("call.undeclared", Verdict.FAILED, detail=f"it said {CANARY}", transcript=GUARDED),
            result("call.undeclared", Verdict.FAILED, link=Link.WS, detail=f"said {base64.b64encode(PROOF).decode()}",
                   happened=f"the session said {PROOF.hex()}"),
            result("call.unary", Verdict.FAILED, known="it is slow", detail="nothing came"),
            result("call.named", known="it was broken in May", plays=3, passes=3),
            result("call.many", Verdict.NOT_IMPLEMENTED, detail="the target does not implement hosting", happened=""),
            result("frame.length.all-ones", Verdict.ERRORED, detail="the harness failed (OSError)",
                   usage=Usage(peak_memory=2**24, cpu=0.25, open_files=9, seconds_to_close=0.5)),
        ],
    )  # fmt: skip


@pytest.fixture
def run() -> RunResult:
    return everything()


def forms(secret: bytes) -> list[bytes]:
    """A secret, and the ways in which a report could still give it away."""
    spaced = secret.hex(" ").encode()
    return [secret, secret.hex().encode(), spaced, secret.hex().upper().encode(), base64.b64encode(secret)[:-4],
            secret[::-1], base64.b32encode(secret)[:-8], secret[4:20], spaced[: 3 * 8]]  # fmt: skip


def assert_no_secret(output: bytes) -> None:
    for secret in (*SECRETS.proofs.values(), *(each.encode() for each in SECRETS.canaries.values())):
        for form in forms(secret):
            assert form not in output
