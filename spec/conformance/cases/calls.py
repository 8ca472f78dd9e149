"""Calls: ids, targets, answers, errors, cancellation (sections 7, 9 and 11)."""

from __future__ import annotations

from ..case import Check, Expect, Goaway, Open, Report, Send
from ..frames import (
    APPLICATION,
    BAD_ARGUMENTS,
    CANCELLED,
    INTERNAL,
    PROTOCOL,
    UNKNOWN_TARGET,
    any_call,
    call,
    cancel,
    error,
    result,
)
from ..parts import Body, Key, Map, Mine, Raw, Yours
from ..writing import PROTOCOL_ERROR, answered, call_by, called, case, chapter, refused

HOSTING = ("hosting",)
SECOND = Mine(2)
AFTER_ONE = Goaway((PROTOCOL,), last=(0, Mine(1)))
RAN = (Open(), Send((call("echo", 1),)), Expect((result(1),)))

CASES = chapter(
    "calls",
    # --- making one
    answered("call.unary", "CALL-6", "A unary call gets its RESULT.", call("echo", "x"), result("x"), features=HOSTING),
    answered(
        "call.named",
        "CALL-10",
        "An argument by name.",
        call("add", 1, named=(("b", 41),)),
        result(42),
        features=HOSTING,
    ),
    answered(
        "call.many",
        "CALL-1 CALL-6",
        "Calls that are open at the same time are each answered once.",
        tuple(call("echo", number, id=Mine(number)) for number in range(1, 9)),
        *(result(number, id=Mine(number)) for number in range(1, 9)),
        features=HOSTING,
    ),
    refused("call.id.skipped", "CALL-1", "The first call has the second id.", call(id=SECOND)),
    refused("call.id.of-the-other-side", "CALL-1", "A call has an id of the other side.", call(id=Yours(1))),
    refused("call.id.zero", "FRAME-6", "Call id 0.", call(id=0)),
    refused("call.id.again", "CALL-1", "An id is used again.", call(), before=RAN, outcomes=AFTER_ONE, features=HOSTING),
    refused("call.shape.four", "CALL-2", "A shape that there is not.", call(shape=4)),
    refused("call.target.empty", "CALL-3", "An empty target.", call(target="")),
    refused("call.target.too-long", "CALL-3", "A target of 256 characters.", call(target="a" * 256)),
    # --- answers
    answered(
        "call.unknown",
        "CALL-11",
        "A target that is not hosted.",
        call("nothing"),
        error(UNKNOWN_TARGET, body=None),
        features=HOSTING,
    ),
    answered(
        "call.reserved",
        "CALL-12",
        "A reserved target that the standard does not define.",
        call(target="graftwire.nothing"),
        error(UNKNOWN_TARGET, body=None),
        features=HOSTING,
    ),
    answered(
        "call.shape.other",
        "CALL-2",
        "A shape that is not the method's.",
        call("echo", 1, shape=1),
        error(BAD_ARGUMENTS, body=Body("shape")),
        features=HOSTING,
    ),
    answered(
        "call.body.not-decodable",
        "CALL-10 VAL-1",
        "A body that is no CBOR fails the call and not the session, and no user code runs.",
        call("count", body=Raw(b"\x43\x82\x81\xff")),
        error(BAD_ARGUMENTS),
        checks=(Check("counted", (Key(),), 0),),
        features=HOSTING,
    ),
    answered(
        "call.declared",
        "ERR-2",
        "A declared exception crosses with its name, message and fields.",
        call("fail", "no more", 7),
        error(APPLICATION, body=Body(("Refused", "no more", Map((("number", 7),))))),
        features=HOSTING,
    ),
    answered(
        "call.undeclared",
        "ERR-2 ERR-4",
        "Any other exception is *internal*, with 8 bytes and not a word.",
        call("crash"),
        error(INTERNAL),
        features=HOSTING,
    ),
    # --- cancellation
    case(
        "cancel.running",
        "CANCEL-3",
        "CANCEL cancels what runs, and the one terminal comes all the same.",
        Open(),
        Send((call("wait", Key()),)),
        Check("running", (Key(),), 1),
        Send((cancel(),)),
        Expect((error(CANCELLED, body=None),)),
        checks=(Check("cancelled", (Key(),), 1),),
        features=HOSTING,
    ),
    case(
        "cancel.after-terminal",
        "CALL-8",
        "A CANCEL that crosses the terminal is ignored.",
        *RAN,
        Send((cancel(),)),
        features=HOSTING,
    ),
    refused("cancel.never-made", "CALL-7", "A CANCEL for a call that was never made.", cancel()),
    refused(
        "cancel.twice",
        "CANCEL-2",
        "A second CANCEL while the call is open.",
        cancel(),
        cancel(),
        before=(Open(), Send((call("linger", Key(), 0.2),)), Check("running", (Key(),), 1)),
        outcomes=AFTER_ONE,
        allow=(error(CANCELLED),),
        features=HOSTING,
    ),
    # --- the caller
    called(
        "caller.unary",
        "CALL-1 CALL-10",
        "An initiator's first call has id 1 and the body of the standard; its RESULT is understood.",
        call_by("echo", "x"),
        Expect((call("echo", "x", id=Yours(1)),)),
        Send((result("y", id=Yours(1)),)),
        reports=Report(outcome="result", value="y"),
    ),
    called(
        "caller.ids",
        "CALL-1",
        "Calls have ascending ids, none left out.",
        call_by("echo", 1, times=3),
        *(Expect((any_call(id=Yours(number)),)) for number in (1, 2, 3)),
        Send(tuple(result(1, id=Yours(number)) for number in (3, 1, 2))),
        reports=Report(outcome="several"),
    ),
    called(
        "caller.second-terminal",
        "CALL-7 CALL-6",
        "A second terminal for a call.",
        call_by("wait", "k"),
        Expect((any_call("wait"),)),
        Send((result(None, id=Yours(1)), result(None, id=Yours(1)))),
        outcomes=PROTOCOL_ERROR,
    ),
    called(
        "caller.unknown-terminal",
        "CALL-7",
        "A RESULT for a call that was never made.",
        call_by("wait", "k"),
        Expect((any_call("wait"),)),
        Send((result(None, id=Yours(2)),)),
        outcomes=PROTOCOL_ERROR,
    ),
    called(
        "caller.error.denied",
        "ERR-3",
        "ERROR *denied* is told to the user, who learns that nothing ran.",
        call_by("echo", 1),
        Expect((any_call(),)),
        Send((error(4, id=Yours(1), body=None),)),
        reports=Report(outcome="error", codes=("denied",), ran=False),
    ),
    called(
        "caller.gives-up",
        "CANCEL-5 CTX-5",
        "A caller that gives a call up sends CANCEL and takes the terminal.",
        call_by("wait", "k", cancel_after=0.05),
        Expect((any_call("wait"),)),
        Expect((cancel(Yours(1)),)),
        Send((error(CANCELLED, id=Yours(1), body=None),)),
        reports=Report(outcome="cancelled"),
    ),
)
