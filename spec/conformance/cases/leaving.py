"""Keeping alive and leaving: PING and PONG, idle time, GOAWAY, draining (sections 12 and 13)."""

from __future__ import annotations

from ..case import Activity, Closed, Drain, Expect, Goaway, HalfClose, Open, Report, Send, Silence
from ..frames import BIGGEST, NONE, PROTOCOL, UNAVAILABLE, any_call, call, goaway, ping, pong, result
from ..parts import ANY, Mine, Yours
from ..roles import Level
from ..writing import ACCEPTOR, CLOSED, PROTOCOL_ERROR, answered, call_by, called, case, chapter, refused

LEFT = (Expect((goaway(ANY, NONE),)),)

CASES = chapter(
    "leaving",
    # --- signs of life
    answered("keep.ping", "KEEP-2", "A PING is answered with PONG and the same counter.", ping(1), pong(1)),
    answered(
        "keep.ping.several",
        "KEEP-1 KEEP-2",
        "PINGs that follow each other.",
        (),
        pong(3),
        before=(
            Open(),
            Send((ping(1),)),
            Expect((pong(1),)),
            Send((ping(2),)),
            Expect((pong(2),)),
            Send((ping(3),)),
        ),
    ),
    refused("keep.ping.first-is-two", "KEEP-1", "The first PING has the counter 2.", ping(2)),
    refused("keep.ping.zero", "KEEP-1 FRAME-6", "A PING with the counter 0.", ping(0)),
    refused("keep.pong.unasked", "KEEP-2", "A PONG that answers nothing.", pong(1)),
    case(
        "keep.idle",
        "KEEP-3",
        "A session in which nothing comes for the idle time ends.",
        Open(),
        Silence(),
        outcomes=(Goaway((UNAVAILABLE,), last=(0,)), Goaway((PROTOCOL,), last=(0,))),
        setup="hasty",
        features=("bounds", "limits"),
    ),
    # --- leaving
    case(
        "leave.in-peace",
        "LEAVE-9",
        "Who has nothing open leaves in peace when the other side does.",
        Open(),
        Send((goaway(0, NONE),)),
        *LEFT,
        outcomes=CLOSED,
        level=Level.SHOULD,
    ),
    case(
        "leave.half-close",
        "LEAVE-9",
        "An end between two frames ends the session.",
        Open(),
        HalfClose(),
        outcomes=Closed((1000, 1001)),
    ),
    case(
        "leave.drain",
        "LEAVE-3 LEAVE-9",
        "Draining lets a call that runs come to its end.",
        Open(),
        Send((call("echo", 1),)),
        Expect((result(1),)),
        Drain(),
        *LEFT,
        outcomes=CLOSED,
        allow=(goaway(ANY, NONE),),
        features=("drain",),
        roles=ACCEPTOR,
        alone=True,
    ),
    called(
        "leave.initiator",
        "LEAVE-9",
        "An initiator that leaves says GOAWAY in peace, and ends the link.",
        Activity(do="leave"),
        *LEFT,
        reports=Report(outcome="ended"),
    ),
    called(
        "leave.above-the-last",
        "LEAVE-5",
        "A call above the last id of a GOAWAY has not run, and its caller is told so.",
        call_by("echo", 1),
        Expect((any_call(),)),
        Send((goaway(0, NONE),)),
        reports=Report(outcome="error", codes=("unavailable",), ran=False),
    ),
    called(
        "leave.error-to-the-caller",
        "LEAVE-6",
        "A session that ends with an error fails the calls that are open.",
        call_by("echo", 1),
        Expect((any_call(),)),
        Send((goaway(Yours(1), UNAVAILABLE),)),
        reports=Report(outcome="error", codes=("unavailable",), ran=True),
    ),
    refused(
        "leave.rises",
        "LEAVE-1",
        "The last id of GOAWAY rises.",
        goaway(0, NONE),
        goaway(BIGGEST, NONE),
        outcomes=(PROTOCOL_ERROR, CLOSED),
        allow=(goaway(ANY, NONE),),
    ),
    refused(
        "leave.never-made", "LEAVE-8", "GOAWAY names a call that was never made.", goaway(Yours(1), NONE)
    ),
    refused(
        "leave.of-the-wrong-side", "LEAVE-8", "GOAWAY names a call of its own sender.", goaway(Mine(1), NONE)
    ),
    refused("leave.code", "LEAVE-7 FRAME-6", "GOAWAY with code 14.", goaway(0, 14)),
)
