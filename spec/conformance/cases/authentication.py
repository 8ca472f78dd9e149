"""Who calls: exchanges, credentials of calls, and the order of the checks (sections 6 and 7.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..case import (
    Activity,
    Case,
    Check,
    Closed,
    Connect,
    Expect,
    Goaway,
    Never,
    Open,
    Pause,
    Proof,
    Refused,
    Report,
    Send,
    Settle,
    Step,
)
from ..frames import (
    CANCELLED,
    DENIED,
    PROTOCOL,
    UNAUTHENTICATED,
    UNAVAILABLE,
    accepted,
    any_call,
    any_hello,
    auth,
    call,
    cancel,
    challenge,
    end,
    error,
    goaway,
    hello,
    item,
    result,
)
from ..launch import ROUNDS_SCHEME, SCHEME
from ..parts import Frame, Key, Mine, Part, Raw, Secret, Yours, Zeros
from ..roles import MESSAGE_LINKS, TLS_LINKS, Level, Link
from ..writing import (
    ACCEPTOR,
    ALIVE,
    CLOSED,
    INITIATOR,
    PROTOCOL_ERROR,
    answered,
    call_by,
    called,
    case,
    chapter,
    refused,
)

AUTH = ("authentication", "hosting")
CREDENTIALS = ("credentials", "hosting")
BOTH_WAYS = (*AUTH, "credentials")
PLAIN = (Link.TCP, Link.WS)
PROTECTED = (Link.TLS, Link.WSS, Link.UNIX)
REFUSED = Goaway((UNAUTHENTICATED,), last=(0,))
WRONG, NOBODY, BOB = Secret("wrong"), Secret("nobody"), Secret("bob")
IS_ALICE = (Open(), Send((auth(),)), Expect((accepted(),)))
NOT_RUN = (Check("counted", (Key(),), 0),)
COUNT = call("count", Key())


def _rounds(number: int, subject: str = "alice") -> Frame:
    """The AUTH that begins an exchange with so many further rounds."""
    return auth(Secret(subject, bytes([number])), ROUNDS_SCHEME)


CHALLENGED = (Open(), Send((_rounds(1),)), Expect((challenge(),)))
ANSWER = auth(scheme=ROUNDS_SCHEME)
# In the setup "hasty": the idle time is over before the time for an exchange is, unless the runner says something.
LIVELY = (Pause(0.7), Settle())


def _credential(proof: Part, scheme: Part = SCHEME) -> Part:
    return (scheme, proof)


def _refused(id: str, clauses: str, says: str, *sent: Frame, **fields: object) -> Case:
    """An exchange that is refused, and its session with it."""
    fields = {"setup": "guarded", "features": AUTH, "outcomes": REFUSED, **fields}
    return refused(id, clauses, says, *sent, **fields)  # type: ignore[arg-type]


def _answered(
    id: str, clauses: str, says: str, sent: Frame | tuple[Frame, ...], *due: Frame, **fields: object
) -> Case:
    fields = {"setup": "guarded", "features": AUTH, **fields}
    return answered(id, clauses, says, sent, *due, **fields)  # type: ignore[arg-type]


def _unauthenticated(
    name: str, says: str, sent: Frame, clauses: str = "AUTH-1 CALL-11", **fields: object
) -> Case:
    """A call of somebody without an identity is refused before anything else of it is looked at."""
    due = error(UNAUTHENTICATED, body=None)
    fields = {"features": ("hosting",), **fields}
    return _answered(f"auth.none.{name}", clauses, says, sent, due, **fields)


def _denied(name: str, says: str, sent: Frame) -> Case:
    """A caller that may call nothing is told so before anything else of the call is looked at."""
    return _answered(
        f"auth.denied.{name}",
        "CALL-11",
        says,
        sent,
        error(DENIED, body=None),
        before=(Open(), Send((auth(NOBODY),)), Expect((accepted(),))),
        checks=NOT_RUN,
    )


def _claimant(
    name: str,
    clauses: str,
    says: str,
    activity: Activity,
    steps: tuple[Step, ...],
    setup: str,
    fields: Mapping[str, Any],
) -> Case:
    """An initiator proves who it is, and the runner judges that."""
    features = ("authentication",)
    return called(
        f"claimant.{name}", clauses, says, activity, *steps, setup=setup, features=features, **fields
    )


CASES = chapter(
    "authentication",
    # --- without an identity
    _unauthenticated(
        "call",
        "Without AUTH, a call of a name is refused, loopback or not, and no user code runs.",
        COUNT,
        clauses="AUTH-1 AUTH-11 CALL-11",
        checks=NOT_RUN,
    ),
    _unauthenticated(
        "unknown", "Who has no identity does not learn that there is no such target.", call("nothing")
    ),
    _unauthenticated(
        "shape", "Who has no identity does not learn that the shape is wrong.", call("echo", 1, shape=1)
    ),
    _unauthenticated(
        "body",
        "Who has no identity does not learn that the body can't be decoded.",
        call(body=Raw(b"\x41\xff")),
    ),
    _unauthenticated(
        "reserved", "Who has no identity does not learn what is reserved.", call(target="graftwire.nothing")
    ),
    _unauthenticated(
        "describe", "Discovery is authenticated like every other call.", call(target="graftwire.describe")
    ),
    # --- what gives none
    _unauthenticated(
        "certificate",
        "A client certificate alone gives no identity.",
        COUNT,
        clauses="AUTH-11 AUTH-1",
        connect=Connect(certificate="client"),
        links=TLS_LINKS,
        roles=ACCEPTOR,
        checks=NOT_RUN,
    ),
    _unauthenticated(
        "headers",
        "A cookie and an Authorization header of the handshake give no identity.",
        COUNT,
        clauses="AUTH-11 WS-6 AUTH-1",
        connect=Connect(headers=(("Cookie", "session=alice"), ("Authorization", "Basic YWxpY2U6YWxpY2U="))),
        links=MESSAGE_LINKS,
        roles=ACCEPTOR,
        checks=NOT_RUN,
    ),
    _refused(
        "auth.mtls.without-certificate",
        "AUTH-15 AUTH-11 AUTH-5",
        "AUTH(mtls) without a client certificate that was verified.",
        auth(b"", "mtls"),
    ),
    # --- an exchange of one round
    _answered(
        "auth.accepted",
        "AUTH-1 AUTH-2",
        "A proof that holds is accepted, with a frame that says no more, and calls run.",
        (auth(), call("echo", 1)),
        accepted(),
        result(1),
    ),
    case(
        "auth.together",
        "AUTH-6 HELLO-8",
        "HELLO, AUTH and a CALL are written together, and no round trip is needed.",
        Open(more=(auth(), call("echo", 1))),
        Expect((accepted(),)),
        Expect((result(1),)),
        setup="guarded",
        features=AUTH,
        roles=ACCEPTOR,
    ),
    _refused("auth.refused.wrong", "AUTH-5", "A proof that is not known.", auth(WRONG)),
    _refused("auth.refused.empty", "AUTH-5", "An empty proof.", auth(b"")),
    _refused(
        "auth.refused.longer", "AUTH-5", "A right proof and one byte more.", auth(Secret("alice", b"\0"))
    ),
    _refused("auth.refused.scheme", "AUTH-5", "A scheme that is not known.", auth(scheme="unknown.example")),
    _refused(
        "auth.refused.anonymous",
        "AUTH-5",
        "Where anonymous callers are let in, a wrong proof is no way to be one.",
        auth(WRONG),
        setup="open",
    ),
    _refused(
        "auth.refused.call-behind",
        "AUTH-5 AUTH-6 LEAVE-5",
        "A CALL behind an AUTH that is refused never runs.",
        auth(WRONG),
        COUNT,
        checks=NOT_RUN,
    ),
    _refused(
        "auth.refused.later",
        "AUTH-5",
        "The GOAWAY of a refusal names the last call that came before the exchange.",
        auth(WRONG),
        before=(Open(), Send((call("echo", 1),)), Expect((result(1),))),
        outcomes=Goaway((UNAUTHENTICATED,), last=(Mine(1),)),
        setup="open",
    ),
    # --- lengths
    _refused(
        "auth.proof.8192",
        "AUTH-8 AUTH-5",
        "A proof of 8,192 bytes is judged like any other.",
        auth(Zeros(8_192)),
    ),
    refused("auth.proof.8193", "AUTH-8", "A proof of 8,193 bytes.", auth(Zeros(8_193))),
    _refused(
        "auth.scheme.32",
        "AUTH-8 AUTH-5",
        "A scheme of 32 characters is judged like any other.",
        auth(scheme="a" * 32),
    ),
    refused("auth.scheme.33", "AUTH-8", "A scheme of 33 characters.", auth(scheme="a" * 33)),
    refused("auth.scheme.empty", "AUTH-8", "A scheme without a character.", auth(scheme="")),
    # --- out of turn
    refused("auth.challenge.unasked", "AUTH-4", "A CHALLENGE that answers no AUTH.", challenge(b"x")),
    refused("auth.accepted.unasked", "AUTH-4", "ACCEPTED that answers no AUTH.", accepted()),
    _refused(
        "auth.at-once",
        "AUTH-2 AUTH-7",
        "A second AUTH of somebody else that does not wait for the outcome of the first.",
        auth(),
        auth(BOB),
        outcomes=Goaway((PROTOCOL, UNAUTHENTICATED), last=(0,)),
        allow=(accepted(),),
    ),
    # --- further rounds
    _answered(
        "auth.rounds.two",
        "AUTH-2",
        "AUTH, CHALLENGE, AUTH, ACCEPTED.",
        (ANSWER, call("echo", 1)),
        accepted(),
        result(1),
        before=CHALLENGED,
    ),
    case(
        "auth.rounds.eight",
        "AUTH-3",
        "An exchange of eight rounds is accepted.",
        Open(),
        Send((_rounds(7),)),
        *(
            step
            for left in range(6, -1, -1)
            for step in (Expect((challenge(bytes([left])),)), Send((ANSWER,)))
        ),
        Expect((accepted(),)),
        setup="guarded",
        features=AUTH,
    ),
    case(
        "auth.rounds.nine",
        "AUTH-3 AUTH-5",
        "After the eighth AUTH there is no CHALLENGE: what would take a ninth is refused.",
        Open(),
        Send((_rounds(8),)),
        *(
            step
            for left in range(7, 0, -1)
            for step in (Expect((challenge(bytes([left])),)), Send((ANSWER,)))
        ),
        outcomes=REFUSED,
        setup="guarded",
        features=AUTH,
    ),
    _refused(
        "auth.rounds.wrong",
        "AUTH-5",
        "A wrong proof in the second round.",
        auth(WRONG, ROUNDS_SCHEME),
        before=CHALLENGED,
    ),
    _refused(
        "auth.rounds.other-scheme",
        "AUTH-2 AUTH-5",
        "Another scheme in the second round, with a proof that would hold by itself.",
        auth(),
        before=CHALLENGED,
    ),
    case(
        "auth.rounds.silence",
        "AUTH-5",
        "An exchange that is not done in time is refused.",
        *CHALLENGED,
        *LIVELY,
        outcomes=REFUSED,
        level=Level.SHOULD,
        setup="hasty",
        features=(*AUTH, "bounds"),
    ),
    # --- what waits for the outcome
    case(
        "auth.held.call",
        "AUTH-6",
        "A call that comes during an exchange is not run before it is accepted, and the session is read meanwhile.",
        *CHALLENGED,
        Send((COUNT,)),
        Settle(),
        *NOT_RUN,
        Send((ANSWER,)),
        Expect((accepted(),)),
        Expect((result(1),)),
        setup="guarded",
        features=AUTH,
    ),
    case(
        "auth.held.cancelled",
        "AUTH-6 CANCEL-3",
        "A call that was cancelled while it waited is answered, and never run.",
        *CHALLENGED,
        Send((COUNT, cancel())),
        Settle(),
        Send((ANSWER,)),
        Expect((accepted(),)),
        Expect((error(CANCELLED, body=None),), behind=True),
        setup="guarded",
        features=AUTH,
        checks=NOT_RUN,
    ),
    case(
        "auth.held.items",
        "AUTH-6",
        "The items of a call that waits, and its END, wait with it.",
        *CHALLENGED,
        Send((call("sum", shape=2), item(20), item(22), end())),
        Settle(),
        Send((ANSWER,)),
        Expect((accepted(),)),
        Expect((result(42),)),
        setup="guarded",
        features=(*AUTH, "client-streams"),
    ),
    case(
        "auth.held.refused",
        "AUTH-5 AUTH-6 LEAVE-5",
        "Calls that waited for an exchange that is refused never run.",
        *CHALLENGED,
        Send((COUNT,)),
        Settle(),
        Send((auth(WRONG, ROUNDS_SCHEME),)),
        outcomes=REFUSED,
        setup="guarded",
        features=AUTH,
        checks=NOT_RUN,
    ),
    case(
        "auth.held.nothing-else",
        "AUTH-6",
        "A call from before an exchange is answered while the exchange goes on.",
        *IS_ALICE,
        Send((call("linger", Key(), 0.0),)),
        Check("running", (Key(),), 1),
        Send((_rounds(1),)),
        Expect((challenge(),)),
        Send((cancel(),)),
        Expect((error(CANCELLED, body=None),)),
        Send((ANSWER,)),
        Expect((accepted(),)),
        setup="guarded",
        features=AUTH,
    ),
    # --- again
    _answered(
        "auth.again.same",
        "AUTH-7",
        "AUTH again with the same subject is accepted, and calls go on.",
        (auth(), call("echo", 1)),
        accepted(),
        result(1),
        before=IS_ALICE,
    ),
    _refused(
        "auth.again.other",
        "AUTH-7",
        "AUTH again with another subject, which would be accepted in a session of its own.",
        auth(BOB),
        before=IS_ALICE,
    ),
    _refused(
        "auth.again.wrong",
        "AUTH-7 AUTH-5",
        "A wrong proof in a session that has an identity ends it.",
        auth(WRONG),
        before=(*IS_ALICE, Send((call("echo", 1),)), Expect((result(1),))),
        outcomes=Goaway((UNAUTHENTICATED,), last=(Mine(1),)),
    ),
    case(
        "auth.again.running",
        "AUTH-7 AUTH-6",
        "A call that runs while its caller proves itself again goes on as it is.",
        *IS_ALICE,
        Send((call("wait", Key()),)),
        Check("running", (Key(),), 1),
        Send((auth(),)),
        Expect((accepted(),)),
        Check("running", (Key(),), 1),
        Send((cancel(),)),
        Expect((error(CANCELLED, body=None),)),
        setup="guarded",
        features=AUTH,
    ),
    # --- may not call
    _denied("call", "An identity that may call nothing is refused, and no user code runs.", COUNT),
    _denied(
        "unknown",
        "A denied caller does not learn what there is: the same answer for a target that is not.",
        call("nothing"),
    ),
    _denied("shape", "A denied caller does not learn that the shape is wrong.", call("echo", 1, shape=2)),
    _denied(
        "body", "The body of a denied call is not decoded.", call("count", body=Raw(b"\x43\x82\x81\xff"))
    ),
    _denied("reserved", "A denied caller does not learn what is reserved.", call(target="graftwire.nothing")),
    # --- the credential of a call
    *(
        _answered(f"credential.{name}", clauses, says, sent, *due, features=features, before=before, **fields)
        for name, clauses, says, before, sent, due, features, fields in (
            (
                "valid",
                "AUTH-9",
                "A call with a credential that holds runs, in a session without an identity.",
                (Open(),),
                call("echo", 1, credential=_credential(Secret("alice"))),
                (result(1),),
                CREDENTIALS,
                {},
            ),
            (
                "that-call-alone",
                "AUTH-9 AUTH-1",
                "The next call without a credential has no identity.",
                (
                    Open(),
                    Send((call("echo", 1, credential=_credential(Secret("alice"))),)),
                    Expect((result(1),)),
                ),
                call("count", Key(), id=Mine(2)),
                (error(UNAUTHENTICATED, id=Mine(2), body=None),),
                CREDENTIALS,
                {"checks": NOT_RUN},
            ),
            (
                "wrong",
                "AUTH-9",
                "A credential that does not hold.",
                (Open(),),
                call("count", Key(), credential=_credential(WRONG)),
                (error(UNAUTHENTICATED, body=None),),
                CREDENTIALS,
                {"checks": NOT_RUN},
            ),
            (
                "wrong.identity",
                "AUTH-9",
                "A credential that does not hold never falls back to the identity of the session.",
                IS_ALICE,
                call("count", Key(), credential=_credential(WRONG)),
                (error(UNAUTHENTICATED, body=None),),
                BOTH_WAYS,
                {"checks": NOT_RUN},
            ),
            (
                "wrong.anonymous",
                "AUTH-9",
                "A credential that does not hold never falls back to anonymous, where that may call.",
                (Open(),),
                call("count", Key(), credential=_credential(WRONG)),
                (error(UNAUTHENTICATED, body=None),),
                CREDENTIALS,
                {"checks": NOT_RUN, "setup": "open"},
            ),
            (
                "scheme",
                "AUTH-9",
                "A credential of a scheme that is not known, where anonymous may call.",
                (Open(),),
                call("count", Key(), credential=_credential(Secret("alice"), "unknown.example")),
                (error(UNAUTHENTICATED, body=None),),
                CREDENTIALS,
                {"checks": NOT_RUN, "setup": "open"},
            ),
            (
                "rounds",
                "AUTH-9",
                "A scheme that needs a CHALLENGE can't be the credential of a call, and there is no CHALLENGE.",
                (Open(),),
                call("count", Key(), credential=_credential(Secret("alice", b"\x01"), ROUNDS_SCHEME)),
                (error(UNAUTHENTICATED, body=None),),
                CREDENTIALS,
                {"checks": NOT_RUN},
            ),
            (
                "mtls",
                "AUTH-15 AUTH-9",
                "The scheme mtls can't be the credential of a call.",
                (Open(),),
                call("count", Key(), credential=_credential(b"", "mtls")),
                (error(UNAUTHENTICATED, body=None),),
                CREDENTIALS,
                {"checks": NOT_RUN, "setup": "open"},
            ),
            (
                "denied",
                "AUTH-9",
                "A credential takes the place of the session's identity, also where that could do more.",
                IS_ALICE,
                call("count", Key(), credential=_credential(NOBODY)),
                (error(DENIED, body=None),),
                BOTH_WAYS,
                {"checks": NOT_RUN},
            ),
            (
                "8192",
                "AUTH-8 AUTH-9",
                "A credential whose proof has 8,192 bytes is judged like any other.",
                (Open(),),
                call("count", Key(), credential=_credential(Zeros(8_192))),
                (error(UNAUTHENTICATED, body=None),),
                CREDENTIALS,
                {},
            ),
        )
    ),
    _answered(
        "credential.instead",
        "AUTH-9",
        "A credential does more than the session's identity may, and that identity is back behind it.",
        (
            call("echo", 1, credential=_credential(Secret("alice"))),
            call("count", Key(), id=Mine(2)),
        ),
        result(1),
        error(DENIED, id=Mine(2), body=None),
        before=(Open(), Send((auth(NOBODY),)), Expect((accepted(),))),
        features=BOTH_WAYS,
        checks=NOT_RUN,
    ),
    refused(
        "credential.8193",
        "AUTH-8",
        "A credential whose proof has 8,193 bytes.",
        call(credential=_credential(Zeros(8_193))),
    ),
    refused(
        "credential.scheme.33",
        "AUTH-8",
        "A credential whose scheme has 33 characters.",
        call(credential=_credential(b"x", "a" * 33)),
    ),
    # --- over which links
    _refused(
        "auth.plain.refused",
        "AUTH-10",
        "A proof that came over a link that does not protect it, loopback included, is refused.",
        auth(),
        setup="strict",
        links=PLAIN,
        probe=False,
    ),
    _answered(
        "auth.protected",
        "AUTH-10",
        "Over TLS and Unix sockets, proofs count without anything being switched on.",
        (auth(), call("echo", 1)),
        accepted(),
        result(1),
        setup="strict",
        links=PROTECTED,
        roles=ACCEPTOR,
    ),
    _answered(
        "credential.plain.refused",
        "AUTH-10",
        "A credential that came over a link that does not protect it is refused, and the session goes on.",
        call("echo", 1, credential=_credential(Secret("alice"))),
        error(UNAUTHENTICATED, body=None),
        setup="strict",
        features=CREDENTIALS,
        links=PLAIN,
        probe=False,
    ),
    _answered(
        "credential.protected",
        "AUTH-10 AUTH-9",
        "Over TLS and Unix sockets, a credential counts without anything being switched on.",
        call("echo", 1, credential=_credential(Secret("alice"))),
        result(1),
        setup="strict",
        features=CREDENTIALS,
        links=PROTECTED,
        roles=ACCEPTOR,
    ),
    *(
        case(
            f"claimant.plain.{name}",
            "AUTH-10",
            says,
            Send((hello(),)),
            outcomes=(Never(), Closed(orderly=False), Refused()),  # it may have dialled, and go at once
            activity=activity,
            reports=(Report(outcome="error"), Report(outcome="no-link"), Report(outcome="refused")),
            setup="strict",
            features=(feature,),
            allow=(any_hello(offered=True),),
            links=PLAIN,
            roles=INITIATOR,
            probe=False,
        )
        for name, says, feature, activity in (
            (
                "auth",
                "An initiator sends no proof over a link that does not protect it, and makes no call without it.",
                "authentication",
                call_by("echo", 1, auth=Proof(SCHEME, Secret("alice"))),
            ),
            (
                "credential",
                "An initiator sends no credential over a link that does not protect it.",
                "credentials",
                call_by("echo", 1, credential=Proof(SCHEME, Secret("alice"))),
            ),
        )
    ),
    # --- the claimant
    *(
        _claimant(name, clauses, says, activity, steps, setup, fields)
        for name, clauses, says, activity, steps, setup, fields in (
            (
                "accepted",
                "AUTH-1",
                "An initiator sends AUTH with the proof that it was given, and calls.",
                call_by("echo", 1, auth=Proof(SCHEME, Secret("alice"))),
                (
                    Expect((auth(),)),
                    Send((accepted(),)),
                    Expect((any_call(),)),
                    Send((result(2, id=Yours(1)),)),
                ),
                "guarded",
                {"reports": Report(outcome="result", value=2)},
            ),
            (
                "protected",
                "AUTH-10",
                "Over TLS that verified the acceptor, and over Unix sockets, the proof is sent.",
                call_by("echo", 1, auth=Proof(SCHEME, Secret("alice"))),
                (
                    Expect((auth(),)),
                    Send((accepted(),)),
                    Expect((any_call(),)),
                    Send((result(2, id=Yours(1)),)),
                ),
                "strict",
                {"reports": Report(outcome="result", value=2), "links": PROTECTED, "probe": True},
            ),
            (
                "refused",
                "AUTH-5",
                "An initiator whose proof is refused tells its user so, and that nothing ran.",
                call_by("echo", 1, auth=Proof(SCHEME, Secret("alice"))),
                (Expect((auth(),)), Send((goaway(0, UNAUTHENTICATED),))),
                "guarded",
                {
                    "reports": Report(outcome="error", codes=("unauthenticated", "unavailable"), ran=False),
                    "allow": (any_call(),),
                },
            ),
            (
                "waits",
                "HELLO-8",
                "Until ACCEPTED, an initiator that began with AUTH sends no frame of more than 16,384 bytes.",
                call_by("size", Zeros(20_000), auth=Proof(SCHEME, Secret("alice"))),
                (
                    Expect((auth(),)),
                    Pause(0.1),
                    Send((accepted(),)),
                    Expect((any_call("size"),)),
                    Send((result(20_000, id=Yours(1)),)),
                ),
                "guarded",
                {"reports": Report(outcome="result", value=20_000)},
            ),
            (
                "rounds",
                "AUTH-2 AUTH-8",
                "An initiator answers a CHALLENGE, here of 8,192 bytes, with a further AUTH.",
                Activity(auth=Proof(ROUNDS_SCHEME, Secret("alice", b"\x01"))),
                (
                    Expect((_rounds(1),)),
                    Send((challenge(Zeros(8_192)),)),
                    Expect((ANSWER,)),
                    Send((accepted(),)),
                ),
                "guarded",
                {"outcomes": ALIVE},
            ),
            (
                "rounds.eight",
                "AUTH-3",
                "An initiator takes ACCEPTED after its eighth AUTH.",
                Activity(auth=Proof(ROUNDS_SCHEME, Secret("alice", b"\x07"))),
                (
                    Expect((_rounds(7),)),
                    *(step for _ in range(7) for step in (Send((challenge(b"x"),)), Expect((ANSWER,)))),
                    Send((accepted(),)),
                ),
                "guarded",
                {"outcomes": ALIVE},
            ),
            (
                "rounds.nine",
                "AUTH-3",
                "A CHALLENGE after the eighth AUTH.",
                Activity(auth=Proof(ROUNDS_SCHEME, Secret("alice", b"\x08"))),
                (
                    Expect((_rounds(8),)),
                    *(step for _ in range(7) for step in (Send((challenge(b"x"),)), Expect((ANSWER,)))),
                    Send((challenge(b"x"),)),
                ),
                "guarded",
                {"outcomes": PROTOCOL_ERROR},
            ),
            (
                "challenge.8193",
                "AUTH-8",
                "A CHALLENGE of 8,193 bytes.",
                Activity(auth=Proof(ROUNDS_SCHEME, Secret("alice", b"\x01"))),
                (Expect((_rounds(1),)), Send((challenge(Zeros(8_193)),))),
                "guarded",
                {"outcomes": PROTOCOL_ERROR},
            ),
            (
                "accepted.twice",
                "AUTH-4",
                "ACCEPTED, and ACCEPTED again.",
                Activity(auth=Proof(SCHEME, Secret("alice"))),
                (Expect((auth(),)), Send((accepted(), accepted()))),
                "guarded",
                {"outcomes": PROTOCOL_ERROR},
            ),
            (
                "challenge.after",
                "AUTH-4",
                "A CHALLENGE behind ACCEPTED.",
                Activity(auth=Proof(SCHEME, Secret("alice"))),
                (Expect((auth(),)), Send((accepted(), challenge(b"x")))),
                "guarded",
                {"outcomes": PROTOCOL_ERROR},
            ),
        )
    ),
    called(
        "claimant.credential",
        "AUTH-9",
        "The credential of a call is in its CALL, as it was given.",
        call_by("echo", 1, credential=Proof(SCHEME, Secret("alice"))),
        Expect((call("echo", 1, id=Yours(1), credential=_credential(Secret("alice"))),)),
        Send((result(2, id=Yours(1)),)),
        reports=Report(outcome="result", value=2),
        setup="guarded",
        features=("credentials",),
    ),
    called(
        "claimant.both",
        "AUTH-1 AUTH-2",
        "Both sides prove themselves at the same time: there is an exchange in each direction.",
        Activity(auth=Proof(SCHEME, Secret("alice"))),
        Expect((auth(),)),
        Send((auth(BOB), accepted(), call("echo", 1))),
        Expect((accepted(),)),
        Expect((result(1),)),
        setup="guarded",
        features=AUTH,
        outcomes=ALIVE,
    ),
    called(
        "claimant.silence",
        "AUTH-5",
        "A verifier that does nothing is not waited for for ever.",
        Activity(auth=Proof(SCHEME, Secret("alice"))),
        Expect((auth(),)),
        *LIVELY,
        setup="hasty",
        features=("authentication", "bounds"),
        outcomes=(Goaway((UNAVAILABLE,)), CLOSED),
        level=Level.MAY,
    ),
)
