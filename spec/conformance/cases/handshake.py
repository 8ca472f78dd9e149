"""Opening: HELLO, versions, limits, early limits (section 5)."""

from __future__ import annotations

from ..case import Activity, Closed, Expect, Goaway, Open, Report, Send
from ..frames import (
    BIGGEST,
    DEFAULTS,
    LEAST,
    MOST,
    UNAVAILABLE,
    VERSION,
    any_hello,
    call,
    goaway,
    hello,
    limits_map,
    result,
)
from ..parts import Map
from ..roles import Level
from ..writing import ACCEPTOR, INITIATOR, answered, case, chapter, refused, taken

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
        Open(),
        roles=ACCEPTOR,
    ),
    # --- versions
    *(
        refused(f"hello.versions.{name}", "HELLO-2", says, hello(versions), before=(), roles=ACCEPTOR)
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
    # --- limits
    *(
        refused(
            f"hello.limits.{name}.{side}",
            "HELLO-5",
            f"Limit {index + 1} is {word}.",
            hello(limits=_limits(index, value)),
            before=() if role is ACCEPTOR else READ_HELLO,
            roles=role,
        )
        for index, name in enumerate(LIMITS)
        for side, word, value, role in (
            ("under", "one below its minimum", LEAST[index] - 1, ACCEPTOR),
            ("over", "one above its maximum", MOST[index] + 1, INITIATOR),
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
        roles=ACCEPTOR,
    ),
    refused(
        "hello.limits.missing",
        "HELLO-5",
        "Limit 6 is missing.",
        hello(limits=Map(limits_map(DEFAULTS).entries[:5])),
        before=(),
        roles=ACCEPTOR,
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
        "hello.refused.unavailable",
        "HELLO-10",
        "An acceptor that refuses the session is understood: nothing has run.",
        *READ_HELLO,
        Send((goaway(0, UNAVAILABLE),)),
        outcomes=Closed(),
        activity=Activity(do="call", arguments=(1,)),
        reports=(Report(outcome="error", codes=("unavailable",), ran=False),),
        allow=(call("echo", 1),),
        roles=INITIATOR,
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
