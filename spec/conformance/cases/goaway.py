"""Leaving while calls are open: what GOAWAY forbids, ends, and leaves as it is (section 13)."""

from __future__ import annotations

from ..case import Check, Drain, Expect, Send
from ..frames import (
    BIGGEST,
    CANCELLED,
    INTERNAL,
    NONE,
    PROTOCOL,
    UNAVAILABLE,
    call,
    cancel,
    error,
    given,
    goaway,
    ping,
    raw,
    result,
)
from ..parts import ANY, Key, Mine, Yours
from ..writing import CLOSED, INITIATOR, case, chapter, refused
from .usual import HOSTING, LET_GO, REFERENCES, WAITING, called_back, ran

THEIRS = Yours(1)
LEFT = (goaway(ANY, NONE),)

CASES = chapter(
    "leaving",
    # --- the target has read a GOAWAY
    case(
        "goaway.read.no-call",
        "LEAVE-2",
        "Who has read a GOAWAY makes no call, also where a handler wants to.",
        *WAITING,
        Send((goaway(BIGGEST, NONE), call("call_back", given(), "v", id=Mine(2)))),
        Expect((error(INTERNAL, id=Mine(2)),)),
        Send((cancel(),)),
        Expect((error(CANCELLED),)),
        Send((goaway(0, NONE),)),
        outcomes=CLOSED,
        allow=(*LEFT, *LET_GO),
        features=REFERENCES,
    ),
    case(
        "goaway.read.goes-on",
        "LEAVE-3 LEAVE-2",
        "After a first GOAWAY nothing is refused yet: its sender still makes calls, and they run.",
        *WAITING,
        Send((goaway(BIGGEST, NONE), call("echo", 1, id=Mine(2)))),
        Expect((result(1, id=Mine(2)),)),
        Send((cancel(),)),
        Expect((error(CANCELLED),)),
        outcomes=CLOSED,
        allow=LEFT,
        features=HOSTING,
    ),
    called_back(
        "goaway.read.callback-above",
        "LEAVE-5",
        "A call above the last id is over at once: who waits for it learns that it has not run.",
        Send((goaway(0, NONE),)),
        Expect((error(INTERNAL),)),
        outcomes=CLOSED,
        allow=(*LEFT, *LET_GO),
    ),
    called_back(
        "goaway.read.callback-below",
        "LEAVE-2 LEAVE-3",
        "A call that is not above the last id is still answered.",
        Send((goaway(THEIRS, NONE), result("w", id=THEIRS))),
        Expect((result("w"),)),
        outcomes=CLOSED,
        allow=(*LEFT, *LET_GO),
    ),
    *(
        refused(
            f"goaway.{name}",
            clauses,
            says,
            *frames,
            before=WAITING,
            outcomes=ran(1),
            allow=LEFT,
            features=HOSTING,
        )
        for name, clauses, says, frames in (
            ("rises", "LEAVE-1", "A last id that rises.", (goaway(0), goaway(BIGGEST))),
            (
                "third",
                "LEAVE-3",
                "A third GOAWAY in peace.",
                (goaway(BIGGEST), goaway(0), goaway(0)),
            ),
            ("final-twice", "LEAVE-3", "A second final GOAWAY in peace.", (goaway(0), goaway(0))),
            ("first-twice", "LEAVE-3", "The first GOAWAY twice.", (goaway(BIGGEST), goaway(BIGGEST))),
            (
                "biggest-error",
                "LEAVE-8",
                "An error with the last id 2^53-1.",
                (goaway(BIGGEST, UNAVAILABLE),),
            ),
            ("never-made", "LEAVE-8", "A last id of a call that was never made.", (goaway(Yours(3)),)),
        )
    ),
    case(
        "goaway.error.then-silence",
        "LEAVE-6",
        "Who reads a GOAWAY with an error sends nothing more, cancels what runs, and closes.",
        *WAITING,
        Send((goaway(0, UNAVAILABLE),)),
        outcomes=CLOSED,
        checks=(Check("cancelled", (Key(),), 1),),
        features=HOSTING,
    ),
    case(
        "goaway.error.discards",
        "LEAVE-6",
        "What comes behind a GOAWAY with an error is discarded, whatever it is.",
        *WAITING,
        Send((goaway(0, PROTOCOL), ping(77), raw("ffffffff")), apart=True),
        outcomes=CLOSED,
        checks=(Check("cancelled", (Key(),), 1),),
        features=HOSTING,
    ),
    case(
        "goaway.error.no-call-runs",
        "LEAVE-6",
        "A CALL behind a GOAWAY with an error does not run.",
        *WAITING,
        Send((goaway(0, UNAVAILABLE), call("count", Key("late"), id=Mine(2)))),
        outcomes=CLOSED,
        checks=(Check("counted", (Key("late"),), 0),),
        features=HOSTING,
    ),
    case(
        "goaway.after-error.no-call-runs",
        "LEAVE-4 LEAVE-5 KEEP-1",
        "A CALL behind a breach of the rules does not run: the GOAWAY does not name it.",
        *WAITING,
        Send((ping(77), call("count", Key("late"), id=Mine(2)))),
        outcomes=ran(1),
        checks=(Check("counted", (Key("late"),), 0), Check("running", (Key(),), 0)),
        features=HOSTING,
    ),
    # --- the target has sent a GOAWAY
    case(
        "call.above-the-last.initiator",
        "CALL-13 LEAVE-5",
        "A call above the last id of an initiator's GOAWAY gets no answer, and does not run.",
        *WAITING,
        Drain(),
        Expect((goaway(Mine(1), NONE),)),
        Send((call("count", Key("late"), id=Mine(2)), cancel())),
        outcomes=CLOSED,
        allow=(goaway(BIGGEST, NONE), error(CANCELLED)),
        checks=(Check("counted", (Key("late"),), 0),),
        features=HOSTING,
        roles=INITIATOR,
    ),
)
