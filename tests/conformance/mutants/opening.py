"""Faults in opening a session and in proving who one is (sections 5 and 6)."""

from __future__ import annotations

from typing import Any

import graftwire
from graftwire import dialler
from graftwire.conformance.launch import ROUNDS_SCHEME
from graftwire.conformance.reference import trust
from graftwire.gateway import answering
from graftwire.gateway.security import guard
from graftwire.gateway.security.proving import Prover
from graftwire.protocol import exchange, framereading, outbox
from graftwire.protocol.connection import State
from graftwire.protocol.errors import ErrorCode
from graftwire.protocol.frames import Accepted, Auth, Challenge, Hello
from graftwire.protocol.limits import LARGEST_FRAME
from graftwire.transport.watch import Watch

from .mutant import ACCEPTOR, INITIATOR, Broken, around, elements, mutant, repairing, written


@mutant("hello.second-taken", "HELLO-1", "A second HELLO is passed over.", "hello.twice")
class SecondHello(Broken):
    def _on_hello(self, frame: Hello, events: list[Any]) -> None:
        if self.state is State.OPENING:
            super()._on_hello(frame, events)


@mutant(
    "hello.seventh-limit-taken",
    "HELLO-5",
    "Limits that nobody knows are passed over: HELLO has room for more fields.",
    "hello.limits.unknown-key",
)
def seventh_limit() -> None:
    def repair(payload: bytes) -> bytes | None:
        kind, versions, limits = elements(payload)
        known = {key: value for key, value in limits.items() if key < 7}
        return None if kind or len(known) == len(limits) else written([kind, versions, known])

    repairing("HEAD-3", repair)


@mutant(
    "hello.bodies-below-frame-taken",
    "HELLO-5",
    "Limit 3 may be below limit 1.",
    "hello.limits.bodies-below-frame",
)
def bodies_below_frame() -> None:
    def repair(payload: bytes) -> bytes:
        kind, versions, limits = elements(payload)
        limits[3] = max(limits[3], limits[1]) if limits[3] > 65_535 else limits[3]
        return written([kind, versions, limits])

    repairing("HELLO-5", repair)


@mutant(
    "hello.other-version-chosen",
    "HELLO-3",
    "Where several versions are offered, the acceptor chooses one that is not among them.",
    "hello.versions.eight hello.versions.several hello.versions.several.early",
    roles=ACCEPTOR,
)
class OtherVersion(Broken):
    def sent(self, frame: bytes) -> bytes:
        return frame.replace(b"\x81\x01", b"\x81\x02", 1) if self._offered > 1 and frame[5] == 0 else frame


@mutant(
    "hello.other-version-taken",
    "HELLO-3",
    "The acceptor may choose a version that was not offered.",
    "hello.chosen.not-offered",
    roles=INITIATOR,
)
class NotOffered(Broken):
    def _check_opening(self, payload: bytes, head: int) -> None:
        if head != 0x8300 or framereading.read_versions(payload)[1:]:
            super()._check_opening(payload, head)

    def _on_hello(self, frame: Hello, events: list[Any]) -> None:
        super()._on_hello(Hello((1,), frame.limits) if len(frame.versions) == 1 else frame, events)


@mutant(
    "hello.goaway-missing",
    "HELLO-4",
    "An acceptor that speaks none of the versions closes the link, and does not say why.",
    "hello.versions.unknown.next hello.versions.unknown.biggest hello.versions.unknown.rest-unread "
    "hello.versions.unknown.all-eight hello.versions.unknown.short hello.versions.unknown.long "
    "hello.versions.unknown.bytes-behind",
    roles=ACCEPTOR,
)
class NoVersion(Broken):
    def _close(self, code: ErrorCode, before: int | None = None) -> None:
        if code is ErrorCode.VERSION:
            self._stop()
        else:
            super()._close(code, before)


@mutant(
    "hello.early-limits-not-kept",
    "HELLO-8",
    "An initiator writes as much as it likes before it has read HELLO, or ACCEPTED.",
    "hello.early.initiator hello.early.initiator.total claimant.waits",
    roles=INITIATOR,
)
def early_limits_not_kept() -> None:
    outbox.EARLY_FRAME = LARGEST_FRAME
    outbox.EARLY_TOTAL = 2**40

    @around(graftwire, "connect")
    def _(strict: Any, *args: Any, **kwargs: Any) -> Any:
        return strict(*args, **kwargs, eager=True)


@mutant(
    "hello.early-limits-not-enforced",
    "HELLO-8",
    "An acceptor holds whatever comes before it has judged the opening AUTH.",
    "hello.early.frame-over hello.early.total-over hello.early.first-too-long",
    roles=ACCEPTOR,
)
class EarlyLimits(Broken):
    def _check_length(self, length: int) -> None:
        if not 16_384 < length <= self.limits.largest_frame:
            super()._check_length(length)

    def _check_early(self, length: int, head: int, whole: bool) -> None:
        if not self._proving and head != 0x8301:
            super()._check_early(length, head, whole)


@mutant(
    "hello.half-open-for-ever",
    "HELLO-10",
    "Who connects and says no HELLO may stay for ever.",
    "hello.silence silence.half-a-hello",
    roles=ACCEPTOR,
)
def half_open() -> None:
    @around(Watch, "tick")
    def _(strict: Any, self: Watch, now: float) -> float:
        return now + 1 if self._conn.state is State.OPENING else strict(self, now)


@mutant(
    "auth.stranger-may-call",
    "AUTH-1",
    "Who has proved nothing is anonymous, although nobody said that anonymous callers may come in.",
    "auth.none.* credential.that-call-alone",
)
def stranger_may_call() -> None:
    @around(guard.Guard, "__init__")
    def _(strict: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        strict(self, *args, **kwargs)
        self.lets_anonymous_in = True


@mutant(
    "auth.ninth-round",
    "AUTH-3",
    "An exchange may have nine rounds.",
    "auth.rounds.nine claimant.rounds.nine",
)
def ninth_round() -> None:
    exchange.AUTH_ROUNDS = answering.AUTH_ROUNDS = trust.ROUNDS = 9


@mutant(
    "auth.unasked-answers-taken",
    "AUTH-4",
    "CHALLENGE and ACCEPTED may come where no AUTH waits for them.",
    "auth.challenge.unasked auth.accepted.unasked claimant.challenge.after claimant.accepted.twice",
)
class Unasked(Broken):
    def _on_challenge(self, frame: Challenge, events: list[Any]) -> None:
        if self._ours.waiting:
            super()._on_challenge(frame, events)

    def _on_accepted(self, frame: Accepted, events: list[Any]) -> None:
        if self._ours.waiting:
            super()._on_accepted(frame, events)


@mutant(
    "auth.refused-as-denied",
    "AUTH-5",
    "A scheme that is not known ends the session with another code than that of a wrong proof.",
    "auth.refused.scheme auth.mtls.without-certificate auth.scheme.32",
)
class RefusedAsDenied(Broken):
    _scheme = ""

    def _on_auth(self, frame: Auth, events: list[Any]) -> None:
        self._scheme = frame.scheme
        super()._on_auth(frame, events)

    def refuse(self) -> None:
        self._theirs.require()
        known = "conformance" in self._scheme
        self._close(ErrorCode.UNAUTHENTICATED if known else ErrorCode.DENIED)


@mutant(
    "auth.calls-not-held",
    "AUTH-6",
    "Calls that come during an exchange of several rounds do not wait for its outcome.",
    "auth.held.call auth.held.cancelled auth.held.items auth.held.refused auth.rounds.two",
)
class NotHeld(Broken):
    def _on_auth(self, frame: Auth, events: list[Any]) -> None:
        super()._on_auth(frame, events)
        if frame.scheme == ROUNDS_SCHEME:
            self._theirs.hold_from = None
            self._reactions = self._REACTIONS


@mutant(
    "auth.subject-changes",
    "AUTH-7",
    "A second AUTH may prove somebody else.",
    "auth.again.other",
)
def subject_changes() -> None:
    answering.Answering._check_same = lambda self, found: None


@mutant(
    "auth.long-proofs-taken",
    "AUTH-8",
    "A proof, or the data of a CHALLENGE, of 8,193 bytes is taken.",
    "auth.proof.8193 credential.8193 claimant.challenge.8193",
)
def long_proofs() -> None:
    framereading.LARGEST_PROOF = 8_193


@mutant(
    "credential.falls-back",
    "AUTH-9",
    "A call whose credential does not hold runs under the identity of the session.",
    "credential.wrong.identity",
)
def falls_back() -> None:
    @around(answering.Answering, "_identify")
    async def _(strict: Any, self: Any, *about: Any) -> Any:
        try:
            return await strict(self, *about)
        except guard.Refused:
            if self._standing is None or self._standing is self._guard.stranger:
                raise
            return self._standing


@mutant(
    "credential.falls-back-to-anonymous",
    "AUTH-9",
    "A call whose credential does not hold runs as an anonymous one, where those are let in.",
    "credential.wrong.anonymous credential.scheme credential.mtls",
)
def falls_back_to_anonymous() -> None:
    @around(answering.Answering, "_identify")
    async def _(strict: Any, self: Any, *about: Any) -> Any:
        try:
            return await strict(self, *about)
        except guard.Refused:
            if self._guard.stranger is None:
                raise
            return self._guard.stranger


@mutant(
    "auth.plain-proofs-counted",
    "AUTH-10",
    "A proof that came over a link that does not protect it counts.",
    "auth.plain.refused credential.plain.refused",
)
def plain_proofs_counted() -> None:
    @around(guard.Guard, "__init__")
    def _(strict: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        strict(self, *args, **{**kwargs, "plain_proofs": True})


@mutant(
    "claimant.plain-proofs-sent",
    "AUTH-10",
    "An initiator sends its proof over a link that does not protect it.",
    "claimant.plain.auth claimant.plain.credential",
    roles=INITIATOR,
)
def plain_proofs_sent() -> None:
    dialler.Dialler._prover = lambda self, credential, url: Prover(credential, url, plain=True)
