"""Abuse, and what it may cost: each of these has a target of its own, whose accounts are read (section 20).

The bounds are generous: they tell what grows with the abuse from what does not, also where memory is collected late.
Where a case opens many links, the bound of memory is what section 20 gives to each stranger, 64 KiB.
"""

from __future__ import annotations

from typing import Any, Final

from .. import cbor
from ..case import Case, Check, Costs, Crowd, Deaf, Expect, Goaway, Open, Send, Silence, Step
from ..frames import (
    BAD_ARGUMENTS,
    CANCELLED,
    PROTOCOL,
    UNAVAILABLE,
    call,
    cancel,
    credit,
    error,
    hello,
    ping,
    pong,
    raw,
)
from ..parts import ANY, Key, Mine, Piece, Raw, Zeros
from ..roles import BOTH, Link
from ..writing import ACCEPTOR, ALIVE, case, chapter

MIB: Final = 2**20
STRANGER: Final = 65_536  # bytes for each peer that has not proved who it is (section 20)
MANY: Final = 400  # links of a crowd
FLOOD: Final = 1_500  # frames
ROUND: Final = 100  # calls that are made and cancelled in one go
HOSTING = ("hosting",)
PROCESSOR: Final = 10.0  # seconds


def _abuse(id: str, clauses: str, says: str, *steps: Step, **fields: Any) -> Case:
    usual: dict[str, Any] = {
        "alone": True,
        "within": 25.0,
        "features": HOSTING,
        "roles": ACCEPTOR,
        "once": True,
    }
    return case(f"resource.{id}", clauses, says, *steps, **(usual | fields))


def _refused_cheaply(id: str, clauses: str, says: str, body: bytes, *, memory: int = 48 * MIB) -> Case:
    """An argument that is refused, eight times over."""
    return _abuse(
        id,
        clauses,
        says,
        Open(),
        *(
            step
            for number in range(1, 9)
            for step in (
                Send((call("echo", Raw(body), id=Mine(number)),)),
                Expect((error(BAD_ARGUMENTS, id=Mine(number)),)),
            )
        ),
        costs=Costs(memory=memory, cpu=PROCESSOR, files=2),
    )


# Numbers that tables of CPython, and of much else, put into one place, all of them.
_COLLIDING = cbor.head(cbor.MAP, 16_385) + b"".join(
    cbor.integer(number * (2**61 - 1) % 2**64) + cbor.NULL for number in range(16_385)
)
_CALLS: tuple[Piece, ...] = (hello(), call("size", Zeros(15_000)), call("size", Zeros(15_000), id=Mine(2)))

CASES = chapter(
    "resources",
    _abuse(
        "frame.declared",
        "FRAME-2",
        f"{MANY} sessions in which a frame of 4 MiB has begun, and does not come: memory is taken for what has come.",
        Open(),
        Crowd(MANY, (hello(), raw("003ffff0 87"))),
        costs=Costs(memory=MANY * STRANGER + 16 * MIB, cpu=PROCESSOR, files=4),
    ),
    *(
        _abuse(
            f"handshake.crowd.{link}",
            "HELLO-10",
            f"{MANY} connections on {link} that say nothing: others are served, and they are closed in their time.",
            Open(),
            Crowd(MANY, bare=True),
            Check("echo", ("still",), "still"),
            # its own session may be idle for too long meanwhile
            outcomes=(ALIVE, Goaway((UNAVAILABLE,), last=(0,))),
            setup="hasty",
            features=("hosting", "bounds"),
            links=(link,),
            costs=Costs(memory=MANY * STRANGER, cpu=PROCESSOR, files=4, unaided=True),
        )
        for link in (Link.TCP, Link.TLS, Link.WS)
    ),
    _abuse(
        "handshake.churn",
        "HELLO-10 LEAVE-9",
        f"{MANY} links that come and go: no file stays open.",
        Open(),
        Crowd(MANY, (hello(),), leave=True),
        costs=Costs(memory=MANY * STRANGER, cpu=PROCESSOR, files=4),
    ),
    _abuse(
        "early.held",
        "HELLO-8 AUTH-6",
        "100 strangers, each with as many bytes as may come early: they cost what they have sent, and no more.",
        Open(),
        Crowd(100, _CALLS),
        setup="guarded",
        features=("hosting", "authentication"),
        costs=Costs(memory=100 * STRANGER + 16 * MIB, cpu=PROCESSOR, files=4),
    ),
    _abuse(
        "ping.flood",
        "KEEP-1 KEEP-2",
        f"{FLOOD} PINGs at once, and nobody who reads: one PONG is kept, or the session ends.",
        Open(),
        Deaf(),
        Send(tuple(ping(number) for number in range(1, FLOOD + 1))),
        Deaf(reading=True),
        outcomes=(ALIVE, Goaway((PROTOCOL,), last=(0,), orderly=False)),
        allow=(pong(ANY),),
        costs=Costs(memory=16 * MIB, cpu=PROCESSOR, files=2),
    ),
    _abuse(
        "cancel.flood",
        "CANCEL-3 CALL-9",
        f"{4 * ROUND} calls that are made and cancelled at once: each has its one terminal, and none of them stays.",
        Open(),
        *(
            step
            for start in range(1, 4 * ROUND, ROUND)
            for step in (
                Send(
                    tuple(
                        piece
                        for number in range(start, start + ROUND)
                        for piece in (call("wait", Key(), id=Mine(number)), cancel(Mine(number)))
                    )
                ),
                Expect((error(CANCELLED, id=ANY, body=None),), times=ROUND),
            )
        ),
        checks=(Check("running", (Key(),), 0),),
        costs=Costs(memory=32 * MIB, cpu=PROCESSOR, files=2),
    ),
    _abuse(
        "credit.flood",
        "CREDIT-5 CREDIT-3",
        f"{FLOOD} CREDITs of one byte cost next to nothing.",
        Open(),
        Send(tuple(credit(1) for _ in range(FLOOD))),
        costs=Costs(memory=16 * MIB, cpu=PROCESSOR, files=2),
    ),
    _refused_cheaply(
        "nesting.arrays", "VAL-17", "A million arrays inside each other.", cbor.nested(1_000_000, cbor.NULL)
    ),
    _refused_cheaply(
        "nesting.tags", "VAL-17 VAL-8", "A million tags inside each other.", b"\xc4" * 1_000_000 + cbor.NULL
    ),
    _refused_cheaply(
        "nesting.maps",
        "VAL-17",
        "A hundred thousand maps inside each other.",
        b"\xa1\x61a" * 100_000 + cbor.NULL,
    ),
    _refused_cheaply(
        "declared.array",
        "VAL-1",
        "An array of 2^32-1 elements that are not there.",
        cbor.head(cbor.ARRAY, 2**32 - 1),
    ),
    _refused_cheaply(
        "declared.map", "VAL-1", "A map of 2^31 pairs that are not there.", cbor.head(cbor.MAP, 2**31)
    ),
    _refused_cheaply(
        "declared.bytes",
        "VAL-1",
        "A byte string of 2^40 bytes that are not there.",
        cbor.head(cbor.BYTES, 2**40),
    ),
    _refused_cheaply(
        "squares", "VAL-22", "A map of more numbers as keys than any table has to take.", _COLLIDING
    ),
    _abuse(
        "farewell",
        "LEAVE-4",
        "50 peers that broke a rule, and do not close their links, are not waited for beyond the time for that.",
        Open(),
        Crowd(50, (hello(), raw("00000000"))),
        costs=Costs(memory=16 * MIB, files=4, unaided=True),
    ),
    _abuse(
        "farewell.said",
        "LEAVE-4 LINK-6",
        "Who broke a rule, and does not close the link, sees its end soon all the same.",
        Open(),
        Silence(),
        Send((raw("00000000"),)),
        outcomes=Goaway((PROTOCOL,), last=(0,)),
        roles=BOTH,
        costs=Costs(close=4.0, files=2),
    ),
)
