"""Keeping alive: PING and PONG, idle time, the slowest frame (section 12)."""

from __future__ import annotations

from typing import Any

from ..case import Check, Deaf, Expect, Goaway, Open, Pause, Send, Settle, Silence
from ..frames import (
    CANCELLED,
    DEFAULTS,
    MOST,
    PROTOCOL,
    SERVER,
    UNAVAILABLE,
    call,
    cancel,
    error,
    item,
    ping,
    pong,
    raw,
    result,
)
from ..parts import Key, Mine, Zeros
from ..roles import Level
from ..writing import ACCEPTOR, ALIVE, PROTOCOL_ERROR, case, chapter, refused
from .usual import HOSTING, SERVER_STREAMS

QUICK = (*DEFAULTS[:5], 1_000)  # the runner wants a sign of life each second
IDLE = Goaway((UNAVAILABLE, PROTOCOL), last=(0,))
HASTY: dict[str, Any] = {"setup": "hasty", "features": ("bounds", "limits")}
HASTY_HOSTING: dict[str, Any] = {"setup": "hasty", "features": (*HOSTING, "bounds", "limits")}
PINGED = (Open(limits=QUICK), Silence(), Expect((ping(1),)))

CASES = chapter(
    "liveness",
    # --- counters
    refused(
        "keep.ping.again", "KEEP-1", "A counter that was there before.", ping(1), before=(Open(), Settle())
    ),
    refused(
        "keep.ping.skipped", "KEEP-1", "A counter that leaves one out.", ping(3), before=(Open(), Settle())
    ),
    refused("keep.ping.biggest", "KEEP-1", "The counter 2^53-1 as the first.", ping(2**53 - 1)),
    case(
        "keep.ping.two-outstanding",
        "KEEP-1",
        "A second PING behind the first: a reader may know that no PONG was read, or have been quicker.",
        Open(),
        Send((ping(1), ping(2))),
        outcomes=(PROTOCOL_ERROR, ALIVE),
        allow=(pong(1), pong(2)),
    ),
    case(
        "keep.ping.first-thing",
        "KEEP-1 ORDER-1",
        "A PING right behind HELLO.",
        Open(more=(ping(1),)),
        Expect((pong(1),)),
        roles=ACCEPTOR,
    ),
    refused(
        "keep.pong.twice",
        "KEEP-2",
        "A second PONG to one PING.",
        pong(1),
        pong(1),
        before=PINGED,
    ),
    refused(
        "keep.pong.other", "KEEP-2", "A PONG with another counter than the PING.", pong(2), before=PINGED
    ),
    refused("keep.pong.zero", "KEEP-2 FRAME-6 KEEP-1", "A PONG with the counter 0.", pong(0)),
    case(
        "keep.ping.counts",
        "KEEP-1",
        "The counters of a peer's PINGs are 1, 2, 3.",
        Open(limits=QUICK),
        *(Expect((ping(number),), behind=number > 1) for number in (1, 2, 3)),
    ),
    case(
        "keep.ping.one-at-a-time",
        "KEEP-1",
        "There is no second PING before the PONG to the first.",
        *PINGED,
        Pause(0.7),
        Send((pong(1),)),
        Expect((ping(2),)),
    ),
    # --- while something else goes on
    case(
        "keep.ping.beside-a-call",
        "KEEP-2",
        "A PING is answered while a call runs.",
        Open(),
        Send((call("wait", Key()), ping(1))),
        Expect((pong(1),)),
        features=HOSTING,
    ),
    case(
        "keep.ping.beside-a-stream",
        "KEEP-2 ORDER-1",
        "A PING is answered while items come, without an end.",
        Open(),  # with so much credit as the runner can read of in its time
        Send((call("endless", Key(), 1_000, shape=SERVER), ping(1))),
        Expect((pong(1),)),
        Send((cancel(),)),
        Expect((error(CANCELLED),)),
        allow=(item(),),
        features=SERVER_STREAMS,
    ),
    # --- the idle time
    case(
        "keep.idle.shown",
        "KEEP-3",
        "A peer sees to it that some byte arrives in the idle time of the other side.",
        Open(limits=QUICK),
        Expect((ping(1),)),
        Expect((ping(2),)),
        within=3.5,
    ),
    case(
        "keep.idle.any-byte",
        "KEEP-3 KEEP-4",
        "Any byte counts as life: a frame that takes longer than the idle time, but goes on, is taken.",
        Open(),
        Silence(),
        Send((call("size", Zeros(3_600)),), every=450, pause=0.2),
        Expect((result(3_600),)),
        within=8.0,
        **HASTY_HOSTING,
    ),
    case(
        "keep.idle.pinged",
        "KEEP-3",
        "Who sends PING within the idle time keeps the session.",
        Open(),
        *(each for _ in range(3) for each in (Pause(0.5), Settle())),
        **HASTY,
    ),
    case(
        "keep.idle.during-a-call",
        "KEEP-3",
        "An open call is no sign of life: the idle session ends.",
        Open(),
        Silence(),
        Send((call("wait", Key()),)),
        outcomes=Goaway((UNAVAILABLE, PROTOCOL), last=(Mine(1), 0)),
        **HASTY_HOSTING,
    ),
    # --- the slowest frame
    case(
        "keep.slow.stands-still",
        "KEEP-4 KEEP-3",
        "A frame that is begun and does not go on ends the session.",
        Open(),
        Silence(),
        Send((raw("00000100 8705"),)),
        outcomes=IDLE,
        **HASTY,
    ),
    case(
        "keep.slow.drips",
        "KEEP-4",
        "A frame of which a byte comes now and then: the reader may end the session, and need not.",
        Open(),
        Send((call("size", Zeros(40)),), every=4, pause=0.15),
        outcomes=(Goaway((PROTOCOL, UNAVAILABLE)), ALIVE),
        allow=(result(40), error(5)),
        level=Level.MAY,
        within=8.0,
        **HASTY,
    ),
    case(
        "keep.deaf",
        "CANCEL-3 ORDER-1",
        "A peer that can't write, because nobody reads, goes on reading: a CANCEL reaches it.",
        Open(limits=(*DEFAULTS[:3], MOST[3], MOST[4], DEFAULTS[5])),
        Send((call("endless", Key(), 60_000, shape=SERVER),)),
        Expect((item(),)),
        Deaf(),
        Check("running", (Key(),), 1),
        Send((cancel(),)),
        Check("cancelled", (Key(),), 1),
        Deaf(reading=True),
        Expect((error(CANCELLED),)),
        allow=(item(),),
        features=SERVER_STREAMS,
    ),
)
