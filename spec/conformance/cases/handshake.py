"""Opening: HELLO, versions, limits, early limits (section 5)."""

from __future__ import annotations

from typing import Any

from ..case import Activity, Case, Closed, Expect, Goaway, Open, Pause, Report, Send
from ..frames import (
    BIGGEST,
    DEFAULTS,
    LEAST,
    MOST,
    OVERLOADED,
    PROTOCOL,
    UNAVAILABLE,
    VERSION,
    accepted,
    any_call,
    any_hello,
    auth,
    call,
    challenge,
    goaway,
    hello,
    limits_map,
    raw,
    result,
)
from ..launch import ROUNDS_SCHEME
from ..parts import Frame, Map, Mine, Scope, Secret, Yours, Zeros, payload
from ..roles import Level, Role
from ..writing import (
    ACCEPTOR,
    ALIVE,
    INITIATOR,
    PROTOCOL_ERROR,
    answered,
    call_by,
    case,
    chapter,
    refused,
    taken,
)

LISTENING = 0.1  # seconds in which a peer that says too much too early has said it
NO_VERSION = Goaway((VERSION,), last=(0,))
LIMITS = (
    "largest-frame",
    "calls-in-flight",
    "unfinished-body-bytes",
    "stream-credit",
    "session-credit",
    "idle-time",
)
READ_HELLO = (Expect((any_hello(offered=True),)),)


def _early() -> list[Case]:
    """Frames at the early limits and over them, while the opening AUTH of the initiator waits for its second round."""
    scope = Scope(Role.INITIATOR, "", {"alice": bytes(24)})
    begin = auth(Secret("alice", b"\x01"), ROUNDS_SCHEME)
    before = (Open(more=(begin,)), Expect((challenge(),)))
    more = (
        len(payload(call("size", Zeros(8_000)), scope)) - 8_000
    )  # bytes of a CALL beside those that it carries
    spent = sum(4 + len(payload(each, scope)) for each in (hello(), begin))
    largest = 16_384 - more
    left = (
        32_768 - spent - (4 + 16_384) - (4 + more)
    )  # what a second call may carry behind one of 16,384 bytes

    def two(carried: int) -> tuple[Frame, Frame]:
        return call("size", Zeros(largest)), call("size", Zeros(carried), id=Mine(2))

    fields: dict[str, Any] = {"roles": ACCEPTOR, "features": ("authentication",), "setup": "guarded"}
    return [
        case(
            "hello.early.most",
            "HELLO-8 AUTH-6",
            "A frame of 16,384 bytes and 32,768 in all are held until ACCEPTED; the second AUTH does not count.",
            *before,
            Send(two(left)),
            Send((auth(scheme=ROUNDS_SCHEME),)),
            Expect((accepted(),)),
            Expect((result(largest),)),
            Expect((result(left, id=Mine(2)),)),
            **fields,
        ),
        refused(
            "hello.early.frame-over",
            "HELLO-8",
            "A frame of 16,385 bytes before the opening AUTH is accepted.",
            call("size", Zeros(largest + 1)),
            before=before,
            **fields,
        ),
        refused(
            "hello.early.total-over",
            "HELLO-8",
            "32,769 bytes before the opening AUTH is accepted.",
            *two(left + 1),
            before=before,
            **fields,
        ),
        case(
            "hello.early.lifted",
            "HELLO-8",
            "Once HELLO was read and no AUTH came, the early limits hold no more.",
            Open(),
            Send(tuple(call("size", Zeros(20_000), id=Mine(number)) for number in (1, 2, 3))),
            *(Expect((result(20_000, id=Mine(number)),)) for number in (1, 2, 3)),
            roles=ACCEPTOR,
        ),
        refused(
            "hello.early.first-too-long",
            "HELLO-8",
            "A frame of 16,385 bytes in the place of HELLO is refused on its length.",
            raw("00004001"),
            before=(),
            roles=ACCEPTOR,
        ),
    ]


def _limits(index: int, value: int) -> Map:
    """The default limits, with one of them changed."""
    return limits_map([*DEFAULTS[:index], value, *DEFAULTS[index + 1 :]])


CASES = chapter(
    "handshake",
    # --- once, and first
    refused("hello.twice", "HELLO-1", "A second HELLO.", hello()),
    case(
        "hello.acceptor-waits",
        "HELLO-1",
        "An acceptor says nothing before it has read HELLO; then it answers with one.",
        Pause(LISTENING),
        Send((hello(),), cuts=(20,), pause=LISTENING),
        Expect((any_hello(),)),
        roles=ACCEPTOR,
    ),
    # --- versions
    *(
        refused(f"hello.versions.{name}", "HELLO-2", says, hello(versions), before=())
        for name, versions, says in (
            ("none", (), "No version at all."),
            ("nine", tuple(range(1, 10)), "Nine versions."),
            ("zero", (0, 1), "A version 0."),
            ("descending", (2, 1), "Versions in descending order."),
            ("twice", (1, 1), "A version twice."),
        )
    ),
    case(
        "hello.versions.eight",
        "HELLO-2 HELLO-3",
        "Of eight versions that are offered, the acceptor chooses one that it speaks.",
        Send((hello((1, *range(100, 107))),)),
        Expect((any_hello(),)),
        roles=ACCEPTOR,
    ),
    *(
        refused(
            f"hello.versions.unknown.{name}",
            "HELLO-4",
            says,
            hello((version,)),
            before=(),
            outcomes=NO_VERSION,
            roles=ACCEPTOR,
        )
        for name, version, says in (
            ("next", 2, "Version 2 alone is offered."),
            ("biggest", BIGGEST, "Version 2^53-1 alone is offered."),
        )
    ),
    refused(
        "hello.versions.unknown.rest-unread",
        "HELLO-4 HELLO-6",
        "Where no version is shared, the rest of HELLO is not looked at.",
        hello((2,), Map((("x", None),)), arity=4, behind=b"\xf6"),
        before=(),
        outcomes=NO_VERSION,
        roles=ACCEPTOR,
    ),
    *(
        refused(f"hello.chosen.{name}", "HELLO-3", says, hello(versions), before=READ_HELLO, roles=INITIATOR)
        for name, versions, says in (
            ("two", (1, 2), "The acceptor answers with two versions."),
            ("not-offered", (BIGGEST,), "The acceptor chooses a version that was not offered."),
        )
    ),
    *(
        refused(
            f"hello.versions.unknown.{name}",
            "HELLO-4 HELLO-6",
            says,
            sent,
            before=(),
            outcomes=NO_VERSION,
            roles=ACCEPTOR,
        )
        for name, says, sent in (
            ("all-eight", "Eight versions, and none that is spoken.", hello(tuple(range(2, 10)))),
            ("short", "A HELLO of another version that ends behind its versions.", Frame(0, ((2,),))),
            ("long", "A HELLO of another version, of 10,000 bytes.", Frame(0, ((2,), Zeros(10_000)))),
        )
    ),
    case(
        "hello.versions.unknown.bytes-behind",
        "HELLO-4 LEAVE-4",
        "Behind a HELLO without a common version, what comes is discarded undecoded.",
        Send((hello((2,)), raw("ffffffff", 16)), apart=True),
        outcomes=NO_VERSION,
        roles=ACCEPTOR,
    ),
    refused(
        "hello.versions.unknown.head-broken",
        "HELLO-2 HELLO-6",
        "The head of HELLO is judged first, whatever versions are in it.",
        hello((3, 2)),
        before=(),
        roles=ACCEPTOR,
    ),
    case(
        "hello.versions.several",
        "HELLO-3 HELLO-9",
        "Two versions are offered and nothing is sent early: the one that is spoken is chosen.",
        Send((hello((1, 2)),)),
        Expect((any_hello(),)),
        roles=ACCEPTOR,
    ),
    case(
        "hello.versions.several.early",
        "HELLO-9",
        "Several versions and an early CALL: an acceptor may refuse that, or run the call.",
        Send((hello((1, 2)), call("echo", 1))),
        outcomes=(ALIVE, PROTOCOL_ERROR),
        allow=(any_hello(), result(1)),
        level=Level.MAY,
        roles=ACCEPTOR,
    ),
    # --- limits
    *(
        refused(
            f"hello.limits.{name}.{side}",
            "HELLO-5",
            f"Limit {index + 1} is {word}.",
            hello(limits=_limits(index, value)),
            before=(),
        )
        for index, name in enumerate(LIMITS)
        for side, word, value in (
            ("under", "one below its minimum", LEAST[index] - 1),
            ("over", "one above its maximum", MOST[index] + 1),
        )
    ),
    refused(
        "hello.limits.bodies-below-frame",
        "HELLO-5",
        "Limit 3 is one below limit 1.",
        hello(limits=(65_537, 16, 65_536, 65_536, 262_144, 1_000)),
        before=(),
    ),
    *(
        refused(f"hello.limits.{name}", "HELLO-5 HEAD-3", says, hello(limits=limits), before=())
        for name, says, limits in (
            ("none", "No limits at all.", Map()),
            ("missing-first", "Limit 1 is missing.", Map(limits_map(DEFAULTS).entries[1:])),
            ("key-zero", "A limit with key 0.", Map(((0, 1), *limits_map(DEFAULTS).entries))),
            (
                "key-in-place",
                "Key 7 in the place of key 6.",
                Map((*limits_map(DEFAULTS).entries[:5], (7, 60_000))),
            ),
        )
    ),
    case(
        "hello.limits.least",
        "HELLO-5",
        "All limits at their minimum.",
        Open(limits=LEAST),
    ),
    case("hello.limits.most", "HELLO-5", "All limits at their maximum.", Open(limits=MOST)),
    refused(
        "hello.limits.unknown-key",
        "HEAD-3 HELLO-5",
        "A seventh limit.",
        hello(limits=Map((*limits_map(DEFAULTS).entries, (7, 1)))),
        before=(),
    ),
    refused(
        "hello.limits.missing",
        "HELLO-5",
        "Limit 6 is missing.",
        hello(limits=Map(limits_map(DEFAULTS).entries[:5])),
        before=(),
    ),
    # --- early limits, no round trip
    answered(
        "hello.early.call",
        "HELLO-8",
        "A CALL that is written together with HELLO runs.",
        (),
        result("early"),
        before=(Open(more=(call("echo", "early"),)),),
        roles=ACCEPTOR,
    ),
    *_early(),
    case(
        "hello.early.initiator",
        "HELLO-8 HELLO-9",
        "A call of 20,000 bytes waits until the initiator has read HELLO.",
        *READ_HELLO,
        Pause(LISTENING),
        Send((hello(),)),
        Expect((any_call("size"),)),
        Send((result(20_000, id=Yours(1)),)),
        outcomes=Closed(),
        activity=call_by("size", Zeros(20_000)),
        reports=(Report(outcome="result", value=20_000),),
        roles=INITIATOR,
    ),
    case(
        "hello.early.initiator.total",
        "HELLO-8 HELLO-7",
        "Of twenty calls of 5,000 bytes, no more is written early than 32,768 bytes, and then all of them.",
        *READ_HELLO,
        Pause(LISTENING),
        Send((hello(),)),
        Expect((any_call("size"),), times=20),
        Send(tuple(result(5_000, id=Yours(number)) for number in range(1, 21))),
        outcomes=Closed(),
        activity=call_by("size", Zeros(5_000), times=20),
        reports=(Report(outcome="several"),),
        roles=INITIATOR,
    ),
    case(
        "hello.early.initiator.calls",
        "HELLO-7",
        "Of twenty small calls, no more are made early than the 16 that every acceptor takes.",
        *READ_HELLO,
        Pause(LISTENING),
        Send((hello(),)),
        Expect((any_call(),), times=20),
        Send(tuple(result(1, id=Yours(number)) for number in range(1, 21))),
        outcomes=Closed(),
        activity=call_by("echo", 1, times=20),
        reports=(Report(outcome="several"),),
        roles=INITIATOR,
    ),
    # --- refusal, silence
    case(
        "hello.silence",
        "HELLO-10",
        "Who says no HELLO is told so, and the session ends.",
        outcomes=Goaway((UNAVAILABLE,), last=(0,)),
        level=Level.SHOULD,
        setup="hasty",
        features=("bounds",),
        roles=ACCEPTOR,
    ),
    case(
        "hello.silence.acceptor",
        "HELLO-10",
        "An acceptor that says no HELLO is not waited for.",
        *READ_HELLO,
        outcomes=Goaway((UNAVAILABLE,), last=(0,)),
        level=Level.SHOULD,
        setup="hasty",
        features=("bounds",),
        roles=INITIATOR,
    ),
    case(
        "hello.slow",
        "HELLO-10 KEEP-4",
        "A HELLO that comes byte by byte has to be complete in the time for a HELLO all the same.",
        Send((hello(),), every=1, pause=0.05),
        outcomes=Goaway((UNAVAILABLE, PROTOCOL), last=(0,)),
        level=Level.SHOULD,
        setup="hasty",
        features=("bounds",),
        roles=ACCEPTOR,
    ),
    *(
        case(
            f"hello.refused.{name}",
            "HELLO-10",
            f"An acceptor that refuses the session with *{name}* is understood: nothing has run.",
            *READ_HELLO,
            Send((goaway(0, code),)),
            outcomes=Closed(),
            activity=Activity(do="call", arguments=(1,)),
            reports=(Report(outcome="error", codes=("unavailable", name), ran=False),),
            allow=(call("echo", 1, id=Yours(1)),),
            roles=INITIATOR,
        )
        for name, code in (
            ("unavailable", UNAVAILABLE),
            ("overloaded", OVERLOADED),
            ("protocol", PROTOCOL),
            ("version", VERSION),
        )
    ),
    refused(
        "hello.refused.in-peace",
        "HELLO-10",
        "GOAWAY with code 0 in the place of HELLO.",
        goaway(0, 0),
        before=READ_HELLO,
        roles=INITIATOR,
    ),
    refused(
        "hello.refused.last-id",
        "HELLO-10",
        "GOAWAY with a last id above 0 in the place of HELLO.",
        goaway(1, UNAVAILABLE),
        before=READ_HELLO,
        roles=INITIATOR,
    ),
    taken(
        "hello.initiator",
        "HELLO-1",
        "The initiator says HELLO first, and then nothing that was not asked for.",
        roles=INITIATOR,
    ),
)
