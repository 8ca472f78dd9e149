"""Calls: ids, targets, answers, errors, cancellation (sections 7, 9 and 11)."""

from __future__ import annotations

from typing import Any

from ..case import Check, Deaf, Drain, Expect, Goaway, Open, Report, Send, Settle
from ..frames import (
    APPLICATION,
    BAD_ARGUMENTS,
    BIGGEST,
    CANCELLED,
    CLIENT,
    DENIED,
    INTERNAL,
    LEAST,
    NONE,
    PROTOCOL,
    SERVER,
    UNAUTHENTICATED,
    UNKNOWN_TARGET,
    accepted,
    any_call,
    auth,
    call,
    callback,
    cancel,
    end,
    error,
    given,
    goaway,
    item,
    result,
)
from ..parts import (
    ANY,
    Body,
    Frame,
    HashedTo,
    Key,
    Map,
    Mine,
    Noted,
    Raw,
    Secret,
    Sized,
    Yours,
    Zeros,
)
from ..roles import Level
from ..writing import (
    ACCEPTOR,
    CLOSED,
    PROTOCOL_ERROR,
    answered,
    call_by,
    called,
    case,
    chapter,
    refused,
    taken,
)
from .usual import CLIENT_STREAMS, HOSTING, RAN, REFERENCES, WAITING, called_back, path, ran, sent

SECOND = Mine(2)
AFTER_ONE = Goaway((PROTOCOL,), last=(Mine(1),))
LIMITED = (*HOSTING, "limits")
NOTHING = Body(((), Map()))


def _waiting(count: int, *, start: int = 1) -> tuple[Frame, ...]:
    """So many calls that do not end."""
    return tuple(call("wait", "k", id=Mine(number)) for number in range(start, start + count))


def _with_body(id: int, size: int) -> Frame:
    """A call that does not end, with a body of so many bytes."""
    return call("wait", "k" * (size - 6), id=Mine(id))  # two arrays, a head of three bytes, a map


GUARDED: dict[str, Any] = {"setup": "guarded", "features": (*HOSTING, "authentication")}


def _as(subject: str | None) -> tuple[Open | Expect, ...]:
    """A session of somebody who has proved it; None: of nobody."""
    return (Open(),) if subject is None else (Open(more=(auth(Secret(subject)),)), Expect((accepted(),)))


CASES = chapter(
    "calls",
    # --- making one
    answered(
        "call.unary",
        "CALL-6",
        "A unary call gets its RESULT.",
        call("echo", "x"),
        result("x"),
        features=HOSTING,
    ),
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
    refused(
        "call.id.again",
        "CALL-1 LEAVE-4",
        "An id is used again.",
        call(),
        before=RAN,
        outcomes=AFTER_ONE,
        features=HOSTING,
    ),
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
    # --- ids, shapes, targets, once more
    refused(
        "call.id.biggest", "CALL-1", "A call with the id 2^53-1, or the one before it.", call(id=BIGGEST)
    ),
    answered(
        "call.target.longest",
        "CALL-3",
        "A target of 255 characters may be one.",
        call(target="!" + "~" * 254),
        error(UNKNOWN_TARGET, body=None),
        features=HOSTING,
    ),
    answered(
        "call.target.bytewise",
        "CALL-3 CALL-11",
        "Targets are compared byte by byte: another case is another target.",
        call(target="conformance.echo"),
        error(UNKNOWN_TARGET, body=None),
        features=HOSTING,
    ),
    *(
        refused(f"call.target.{name}", clauses, says, call(target=target))
        for name, clauses, says, target in (
            ("space", "CALL-3 HEAD-4", "A target with a space.", "Conformance. echo"),
            ("control", "CALL-3 HEAD-4", "A target with the character 0x7f.", "Conformance.echo\x7f"),
            ("integer", "CALL-3 FRAME-6", "A number as target.", 7),
            ("reference-zero", "CALL-3 FRAME-6", "A target with reference 0.", (0, "")),
            ("reference-alone", "CALL-3 FRAME-6", "A target of a reference without a method.", (Yours(1),)),
            ("three", "CALL-3 FRAME-6", "A target of three elements.", (Yours(1), "", "")),
            ("method-too-long", "CALL-3", "A method of 256 characters.", (Yours(1), "a" * 256)),
            ("method-space", "CALL-3 HEAD-4", "A method with a space.", (Yours(1), " ")),
        )
    ),
    refused("call.target.null", "CALL-3 FRAME-6 HEAD-6", "No target.", call(target=Raw(b"\xf6"))),
    *(
        answered(
            f"call.shape.{name}",
            "CALL-2",
            f"A {what}, called with a shape that is not its own.",
            call(method, *arguments, shape=shape),
            error(BAD_ARGUMENTS, body=path("shape")),
            features=features,
        )
        for name, what, method, arguments, shape, features in (
            (
                "server-as-unary",
                "method with a server stream",
                "produce",
                (1, 1),
                0,
                (*HOSTING, "server-streams"),
            ),
            (
                "server-as-both",
                "method with a server stream",
                "produce",
                (1, 1),
                3,
                (*HOSTING, "server-streams"),
            ),
            ("client-as-both", "method with a client stream", "sum", (), 3, CLIENT_STREAMS),
            ("unary-as-client", "unary method", "echo", (1,), 2, HOSTING),
        )
    ),
    # --- how many at a time
    taken(
        "call.limit.exact",
        "CALL-4",
        "As many open calls as the receiver takes.",
        *_waiting(16),
        setup="tight",
        features=LIMITED,
    ),
    refused(
        "call.limit.over",
        "CALL-4",
        "One call more than the receiver takes.",
        *_waiting(17),
        outcomes=sent(16),
        setup="tight",
        features=LIMITED,
    ),
    case(
        "call.limit.freed",
        "CALL-4 CALL-9",
        "A call that is closed makes room for another one.",
        Open(),
        Send((*_waiting(16), cancel(Mine(3)))),
        Expect((error(CANCELLED, id=Mine(3)),)),
        Send(_waiting(1, start=17)),
        setup="tight",
        features=LIMITED,
    ),
    refused(
        "call.limit.answered-counts",
        "CALL-9 STREAM-6 CALL-4",
        "A call that was answered, and whose client stream is open, is open.",
        call("echo", 1, id=Mine(17)),
        before=(
            Open(),
            Send(
                tuple(
                    each
                    for number in range(1, 17)
                    for each in (call("first", id=Mine(number), shape=CLIENT), item(1, id=Mine(number)))
                )
            ),
            *(Expect((result(1, id=Mine(number)),)) for number in range(1, 17)),
        ),
        outcomes=ran(16),
        setup="tight",
        features=(*CLIENT_STREAMS, "limits"),
    ),
    answered(
        "call.limit.answered-and-ended",
        "CALL-9",
        "A call that was answered is closed by its END, and makes room for another one.",
        (end(Mine(2)), call("echo", 1, id=Mine(17))),
        result(1, id=Mine(17)),
        before=(
            Open(),
            Send(
                tuple(
                    each
                    for number in range(1, 17)
                    for each in (call("first", id=Mine(number), shape=CLIENT), item(1, id=Mine(number)))
                )
            ),
            *(Expect((result(1, id=Mine(number)),)) for number in range(1, 17)),
        ),
        setup="tight",
        features=(*CLIENT_STREAMS, "limits"),
    ),
    taken(
        "call.bodies.exact",
        "CALL-5",
        "Open calls whose bodies are as many bytes as the receiver takes.",
        _with_body(1, 32_768),
        _with_body(2, 32_768),
        setup="tight",
        features=LIMITED,
    ),
    refused(
        "call.bodies.over",
        "CALL-5",
        "Open calls whose bodies are one byte more than the receiver takes.",
        _with_body(1, 32_768),
        _with_body(2, 32_769),
        outcomes=sent(1),
        setup="tight",
        features=LIMITED,
    ),
    case(
        "call.bodies.freed",
        "CALL-5 CALL-9",
        "The body of a call that is closed counts no more.",
        Open(),
        Send((_with_body(1, 40_000), cancel())),
        Expect((error(CANCELLED),)),
        Send((_with_body(2, 40_000),)),
        setup="tight",
        features=LIMITED,
    ),
    case(
        "call.limit.unread-answers",
        "CALL-4",
        "More calls than may be open, of a caller that does not read: it is told so when it does.",
        Open(),
        Deaf(),
        Send(tuple(call("zeros", 3_000_000, id=Mine(number)) for number in range(1, 31))),
        Deaf(reading=True),
        outcomes=Goaway((PROTOCOL,)),
        allow=(result(id=ANY),),
        setup="tight",
        features=LIMITED,
        within=10.0,
    ),
    # --- bodies of calls
    *(
        answered(
            f"call.body.{name}",
            "CALL-10",
            f"A body that is {says} is answered, and no user code runs.",
            call("count", body=Body(body)),
            error(BAD_ARGUMENTS, body=path(where)),
            checks=(Check("counted", (Key(),), 0),),
            features=HOSTING,
        )
        for name, says, body, where in (
            ("no-array", "a map", Map(), ""),
            ("empty", "an empty array", (), ""),
            ("one", "an array of one element", ((Key(),),), ""),
            ("three", "an array of three elements", ((Key(),), Map(), None), ""),
            ("arguments-no-array", "without an array of arguments", (Map(), Map()), "arguments"),
            ("named-no-map", "without a map of named arguments", ((Key(),), ()), "arguments"),
            ("named-by-number", "with a number as a name", ((), Map(((1, Key()),))), "arguments"),
        )
    ),
    answered(
        "call.body.empty-string",
        "CALL-10",
        "A body of no bytes.",
        call("count", body=b""),
        error(BAD_ARGUMENTS, body=path("")),
        features=HOSTING,
    ),
    # --- the order in which a call is judged
    *(
        answered(
            f"call.order.{name}",
            "CALL-11",
            says,
            call(method, id=Mine(1), body=body),
            error(code, body=None),
            before=_as(subject),
            checks=(Check("counted", (Key(),), 0),),
            **GUARDED,
        )
        for name, says, subject, method, body, code in (
            (
                "unknown-caller",
                "Who has no identity is told so, and not that there is no such target.",
                None,
                "nothing",
                NOTHING,
                UNAUTHENTICATED,
            ),
            (
                "unknown-caller-body",
                "Who has no identity is told so, whatever is in the body.",
                None,
                "count",
                b"\xff",
                UNAUTHENTICATED,
            ),
            (
                "denied-caller",
                "Who may not call is told so, and not that there is no such target.",
                "nobody",
                "nothing",
                NOTHING,
                DENIED,
            ),
            (
                "denied-body",
                "Who may not call is told so, whatever is in the body.",
                "nobody",
                "count",
                b"\xff",
                DENIED,
            ),
            (
                "unknown-body",
                "The target is looked up before the body is decoded.",
                "alice",
                "nothing",
                b"\xff",
                UNKNOWN_TARGET,
            ),
        )
    ),
    answered(
        "call.order.denied-shape",
        "CALL-11",
        "Who may not call is told so, and not that the shape is another one.",
        call("echo", 1, shape=SERVER),
        error(DENIED, body=None),
        before=_as("nobody"),
        **GUARDED,
    ),
    answered(
        "call.order.shape-body",
        "CALL-11",
        "The shape is compared before the body is decoded.",
        call("count", shape=SERVER, body=b"\xff"),
        error(BAD_ARGUMENTS, body=path("shape")),
        checks=(Check("counted", (Key(),), 0),),
        features=HOSTING,
    ),
    # --- frames for calls that are not open
    taken(
        "cancel.again-when-closed",
        "CALL-8 CANCEL-2",
        "Two CANCELs for a call that is closed are ignored like one.",
        cancel(),
        cancel(),
        before=RAN,
        features=HOSTING,
    ),
    *(
        refused(
            f"call.terminal.{name}",
            "CALL-7 CALL-6",
            f"{what} for a call {says}.",
            frame,
            before=before,
            outcomes=outcome,
            features=features,
        )
        for name, what, says, frame, before, outcome, features in (
            (
                "never-made.result",
                "A RESULT",
                "that was never made",
                result(1, id=Yours(1)),
                (Open(),),
                PROTOCOL_ERROR,
                (),
            ),
            (
                "never-made.error",
                "An ERROR",
                "that was never made",
                error(CANCELLED, id=Yours(1), body=None),
                (Open(),),
                PROTOCOL_ERROR,
                (),
            ),
            (
                "never-made.item",
                "An ITEM",
                "of the other side that was never made",
                item(1, id=Yours(1)),
                (Open(),),
                PROTOCOL_ERROR,
                (),
            ),
            ("own", "A RESULT", "of its own sender", result(1), WAITING, ran(1), HOSTING),
        )
    ),
    called_back(
        "caller.callback.second-terminal",
        "CALL-6 CALL-7",
        "A second terminal for a call of the target's, from either side.",
        Send((result(1, id=Yours(1)), result(1, id=Yours(1)))),
        outcomes=ran(1),
        allow=(result(1), Frame(15, (Mine(1),))),
    ),
    called_back(
        "caller.callback.shape",
        "CALL-1 CALL-6",
        "A callback is a call like every other: its RESULT is understood.",
        Send((result("w", id=Yours(1)),)),
        Expect((result("w"),)),
    ),
    case(
        "caller.callback.ids",
        "CALL-1",
        "Callbacks have ascending ids, none left out.",
        Open(),
        Send(
            tuple(call("call_back", given(Mine(number)), number, id=Mine(number)) for number in range(1, 5))
        ),
        *(Expect((callback(reference=ANY, id=Yours(number)),), behind=number > 1) for number in range(1, 5)),
        Send(tuple(result(None, id=Yours(number)) for number in range(1, 5))),
        *(Expect((result(None, id=Mine(number)),)) for number in range(1, 5)),
        allow=(Frame(15, (ANY,)),),
        features=REFERENCES,
    ),
    case(
        "caller.callback.overloaded",
        "CALL-15 CALL-4",
        "Where the caller takes no more calls, a handler that calls back fails at once, and does not wait.",
        Open(limits=LEAST),
        Send(tuple(call("call_back", given(Mine(number)), "v", id=Mine(number)) for number in range(1, 18))),
        Expect((callback("v", reference=ANY),), times=16),
        Expect((error(INTERNAL, id=ANY),)),
        Settle(),
        allow=(Frame(15, (ANY,)),),
        features=REFERENCES,
    ),
    # --- the target as a caller, at the limits of the runner
    called(
        "caller.limit.calls",
        "CALL-4 CALL-9",
        "An initiator makes no more calls than the acceptor takes, and waits until one is closed.",
        call_by("echo", 1, times=18),
        *(Expect((any_call(id=Yours(number)),)) for number in range(1, 17)),
        Settle(),
        Send((result(1, id=Yours(5)),)),
        Expect((any_call(id=Yours(17)),), behind=True),
        Settle(),
        Send((error(INTERNAL, id=Yours(1), body=Body(bytes(8))),)),
        Expect((any_call(id=Yours(18)),), behind=True),
        Send(tuple(result(1, id=Yours(number)) for number in range(2, 19) if number != 5)),
        before=(Open(limits=LEAST),),
        reports=Report(outcome="several"),
    ),
    called(
        "caller.limit.bodies",
        "CALL-5 CALL-9",
        "An initiator sends no more bytes of bodies than the acceptor takes, and waits until a call is closed.",
        call_by("size", Zeros(30_000), times=3),
        Expect((any_call("size", id=Yours(1)),)),
        Expect((any_call("size", id=Yours(2)),)),
        Settle(),
        Send((result(30_000, id=Yours(2)),)),
        Expect((any_call("size", id=Yours(3)),), behind=True),
        Send((result(30_000, id=Yours(1)), result(30_000, id=Yours(3)))),
        before=(Open(limits=LEAST),),
        reports=Report(outcome="several"),
    ),
    called(
        "caller.limit.frame",
        "FRAME-2",
        "An initiator does not send a call that is larger than a frame may be, and tells its user.",
        call_by("size", Zeros(70_000)),
        before=(Open(limits=(65_536, 16, 200_000, *LEAST[3:])),),
        reports=Report(outcome="error", ran=False),
    ),
    # --- after a GOAWAY of the target
    case(
        "call.above-the-last.acceptor",
        "CALL-13",
        "A call above the last id of a GOAWAY, and every frame for it, is ignored without an answer.",
        *WAITING,
        Drain(),
        Expect((goaway(Mine(1), NONE),)),
        Send((call("sum", id=SECOND, shape=CLIENT), item(1, id=SECOND), cancel(SECOND))),
        Settle(),
        Send((cancel(),)),
        Expect((error(CANCELLED),)),
        outcomes=CLOSED,
        allow=(goaway(BIGGEST, NONE),),
        features=(*CLIENT_STREAMS, "drain"),
        roles=ACCEPTOR,
        alone=True,
    ),
    # --- discovery
    answered(
        "describe.all",
        "DESCRIBE-2",
        "What is hosted is told, by name, with a version or null and a digest.",
        call(target="graftwire.describe"),
        result(body=Body((("Conformance", ANY, Sized(32)),))),
        features=(*HOSTING, "describe"),
    ),
    case(
        "describe.one",
        "DESCRIBE-3 DESCRIBE-2",
        "The metadata of a digest are bytes that have this digest.",
        Open(),
        Send((call(target="graftwire.describe"),)),
        Expect((result(body=Body((("Conformance", ANY, Noted("digest")),))),)),
        Send((call("", Noted("digest"), id=SECOND, target="graftwire.describe"),)),
        Expect((result(body=Body(HashedTo("digest")), id=SECOND),)),
        features=(*HOSTING, "describe"),
    ),
    answered(
        "describe.unknown-digest",
        "DESCRIBE-3",
        "There is nothing of a digest that nothing has.",
        call("", Zeros(32), target="graftwire.describe"),
        result(None),
        features=(*HOSTING, "describe"),
    ),
    answered(
        "describe.no-digest",
        "DESCRIBE-3 CALL-10",
        "A text is no digest.",
        call("", "Conformance", target="graftwire.describe"),
        error(BAD_ARGUMENTS, body=path("arguments[0]")),
        level=Level.SHOULD,
        features=(*HOSTING, "describe"),
    ),
    answered(
        "describe.shape",
        "DESCRIBE-1 CALL-2",
        "It is a unary call.",
        call(target="graftwire.describe", shape=SERVER),
        error(BAD_ARGUMENTS, body=path("shape")),
        features=(*HOSTING, "describe"),
    ),
    *(
        answered(
            f"describe.{name}",
            "DESCRIBE-1 CALL-11",
            says,
            call(target="graftwire.describe"),
            expected,
            before=_as(subject),
            setup="guarded",
            features=(*HOSTING, "authentication", "describe"),
        )
        for name, says, subject, expected in (
            (
                "unauthenticated",
                "Who has no identity learns nothing about what is hosted.",
                None,
                error(UNAUTHENTICATED, body=None),
            ),
            (
                "allowed",
                "Who may call learns what is hosted.",
                "alice",
                result(body=Body((("Conformance", ANY, Sized(32)),))),
            ),
        )
    ),
    answered(
        "describe.denied",
        "DESCRIBE-2 DESCRIBE-1",
        "Who may call nothing sees nothing.",
        call(target="graftwire.describe"),
        (error(DENIED, body=None), result(body=Body(()))),
        before=_as("nobody"),
        setup="guarded",
        features=(*HOSTING, "authentication", "describe"),
    ),
)
