"""Cancellation, deadlines, context (section 9)."""

from __future__ import annotations

from ..case import Check, Expect, Open, Pause, Report, Send, Settle
from ..frames import (
    CANCELLED,
    CLIENT,
    DEADLINE_EXCEEDED,
    SERVER,
    TRACE,
    UNARY,
    any_call,
    call,
    callback,
    cancel,
    credit,
    end,
    error,
    given,
    item,
    ping,
    pong,
    result,
)
from ..parts import ANY, Between, Frame, Key, Map, Mine, OneOf, Part, Sized, Yours
from ..roles import Level
from ..writing import ALIVE, PROTOCOL_ERROR, answered, call_by, called, case, chapter, refused, taken
from .usual import (
    CLIENT_STREAMS,
    HOLDING,
    HOSTING,
    LET_GO,
    REFERENCES,
    SERVER_STREAMS,
    called_back,
    ran,
    sent,
)

THEIRS = Yours(1)
TRACE_ID, PARENT_ID, _ = TRACE
MOST_TIME = 2**31 - 1
DEADLINES = (*HOSTING, "deadlines")


def _context(*entries: tuple[Part, Part]) -> Map:
    return Map(entries)


def _remaining(least: int, most: int) -> OneOf:
    """To expect: a context with remaining time, and whatever trace."""
    time = (1, Between(least, most))
    return OneOf((Map((time,)), Map((time, (2, ANY)))))


def _lingering(count: int, seconds: float) -> tuple[Frame, ...]:
    """Calls that are cancelled at once, and take their time to end."""
    return tuple(
        each
        for number in range(1, count + 1)
        for each in (call("linger", Key(), seconds, id=Mine(number)), cancel(Mine(number)))
    )


CASES = chapter(
    "cancellation",
    # --- CANCEL, as a receiver
    case(
        "cancel.at-once",
        "CANCEL-3 CALL-6",
        "A CANCEL right behind its CALL brings the one terminal.",
        Open(),
        Send((call("wait", Key()), cancel())),
        Expect((error(CANCELLED, body=None),)),
        checks=(Check("running", (Key(),), 0),),
        features=HOSTING,
    ),
    case(
        "cancel.crossing",
        "CANCEL-3 CALL-6",
        "A call that was cancelled at once ends with what it came to, or with *cancelled*, and with nothing more.",
        Open(),
        Send((call("echo", 1), cancel())),
        Expect((error(CANCELLED, body=None), result(1))),
        features=HOSTING,
    ),
    case(
        "cancel.flood",
        "CANCEL-3 CANCEL-4",
        "Calls that are cancelled at once, a lot of them, have a terminal each, and nothing goes on running.",
        Open(),
        Send(
            tuple(
                each
                for number in range(1, 31)
                for each in (call("wait", Key(), id=Mine(number)), cancel(Mine(number)))
            )
        ),
        *(Expect((error(CANCELLED, id=Mine(number), body=None),)) for number in range(1, 31)),
        checks=(Check("running", (Key(),), 0),),
        features=HOSTING,
    ),
    refused(
        "cancel.slot.taken",
        "CANCEL-4 CALL-4",
        "The slot of a cancelled call is taken until its handler has ended: a flood costs the flooder.",
        *_lingering(16, 0.5),
        call("echo", 1, id=Mine(17)),
        outcomes=sent(16),
        allow=(error(CANCELLED, id=ANY),),
        setup="tight",
        features=(*HOSTING, "limits"),
    ),
    case(
        "cancel.slot.free-at-the-end",
        "CANCEL-4",
        "The terminal comes when the handler has ended, and not before.",
        Open(),
        Send((call("linger", Key(), 0.3),)),
        Check("running", (Key(),), 1),
        Send((cancel(),)),
        Expect((error(CANCELLED, body=None),)),
        Send((call("running", Key(), id=Mine(2)),)),
        Expect((result(0, id=Mine(2)),)),
        features=HOSTING,
    ),
    case(
        "cancel.server-stream",
        "CANCEL-3",
        "A server stream that is cancelled ends with its terminal.",
        Open(),
        Send((call("endless", Key(), 10, shape=SERVER),)),
        Expect((item(),)),
        Send((cancel(),)),
        Expect((error(CANCELLED, body=None),)),
        allow=(item(),),
        checks=(Check("cancelled", (Key(),), 1),),
        features=SERVER_STREAMS,
    ),
    case(
        "cancel.client-stream",
        "CANCEL-3",
        "A CANCEL ends the client stream, and what runs with it.",
        *HOLDING,
        Send((item(1), cancel())),
        Expect((error(CANCELLED, body=None),)),
        checks=(Check("cancelled", (Key(),), 1),),
        features=CLIENT_STREAMS,
    ),
    case(
        "cancel.after-end",
        "CANCEL-2 CANCEL-3",
        "A CANCEL may follow END.",
        *HOLDING,
        Send((end(), cancel())),
        Expect((error(CANCELLED, body=None),)),
        checks=(Check("cancelled", (Key(),), 1),),
        features=CLIENT_STREAMS,
    ),
    case(
        "cancel.one-of-many",
        "CANCEL-3",
        "A CANCEL ends its own call and no other.",
        Open(),
        Send((call("wait", Key("one")), call("wait", Key("two"), id=Mine(2)))),
        Check("running", (Key("two"),), 1),
        Send((cancel(),)),
        Expect((error(CANCELLED, body=None),)),
        Check("running", (Key("two"),), 1),
        features=HOSTING,
    ),
    taken(
        "cancel.credit-after",
        "CALL-8 CREDIT-4",
        "A CREDIT for a server stream that was cancelled comes late.",
        cancel(),
        credit(1, Mine(1)),
        before=(Open(), Send((call("endless", Key(), 10, shape=SERVER),)), Expect((item(),))),
        allow=(item(), error(CANCELLED)),
        features=SERVER_STREAMS,
    ),
    called_back(
        "cancel.passed-on",
        "CANCEL-3 CANCEL-5",
        "Who is cancelled gives up what it has called itself, and takes the terminal of that.",
        Send((cancel(),)),
        Expect((cancel(THEIRS),)),
        Expect((error(CANCELLED, body=None),)),
        Send((error(CANCELLED, id=THEIRS, body=None),)),
        allow=(),
    ),
    called_back(
        "cancel.late-result",
        "CANCEL-5",
        "A RESULT that crosses the CANCEL is taken.",
        Send((cancel(),)),
        Expect((cancel(THEIRS),)),
        Send((result("late", id=THEIRS),)),
        Expect((error(CANCELLED, body=None),)),
        allow=(),
    ),
    called_back(
        "cancel.of-a-receiver",
        "CANCEL-1",
        "A CANCEL of the receiver.",
        Send((cancel(THEIRS),)),
        outcomes=ran(1),
    ),
    refused("cancel.of-nobody", "CANCEL-1 CALL-7", "A CANCEL for a call of the other side.", cancel(THEIRS)),
    # --- the context's form
    *(
        refused(f"context.{name}", clauses, says, call("echo", 1, context=context))
        for name, clauses, says, context in (
            ("empty", "CTX-1", "A context without an entry.", _context()),
            ("array", "CTX-1 FRAME-6", "An array as context.", (1, 2)),
            ("text", "CTX-1 FRAME-6", "A text as context.", "baggage"),
            (
                "unknown-key",
                "HEAD-3 CTX-1",
                "A fourth key: there is no baggage.",
                _context((1, 1_000), (4, "a=b")),
            ),
            ("key-zero", "HEAD-3 CTX-1", "The key 0.", _context((0, 1))),
            ("text-key", "HEAD-3 CTX-1 FRAME-6", "A text as key.", _context(("baggage", "a=b"))),
            (
                "descending",
                "HEAD-3",
                "Keys that descend.",
                _context((2, TRACE), (1, 1_000)),
            ),
            ("twice", "HEAD-3", "A key that is there twice.", _context((1, 1_000), (1, 1_000))),
            ("time.zero", "CTX-2 FRAME-6", "A remaining time of 0.", _context((1, 0))),
            ("time.over", "CTX-2 FRAME-6", "A remaining time of 2^31.", _context((1, 2**31))),
            ("time.text", "CTX-2 FRAME-6", "A text as remaining time.", _context((1, "1000"))),
            (
                "trace.zero-trace",
                "CTX-3",
                "A trace id of zeros.",
                _context((2, (bytes(16), PARENT_ID, 1))),
            ),
            (
                "trace.zero-parent",
                "CTX-3",
                "A parent id of zeros.",
                _context((2, (TRACE_ID, bytes(8), 1))),
            ),
            ("trace.flags", "CTX-3 FRAME-6", "The flags 4.", _context((2, (TRACE_ID, PARENT_ID, 4)))),
            (
                "trace.short",
                "CTX-3 FRAME-6",
                "A trace id of 15 bytes.",
                _context((2, (TRACE_ID[:15], PARENT_ID, 1))),
            ),
            (
                "trace.long-parent",
                "CTX-3 FRAME-6",
                "A parent id of 9 bytes.",
                _context((2, (TRACE_ID, bytes(range(1, 10)), 1))),
            ),
            (
                "trace.two",
                "CTX-3 FRAME-6",
                "A traceparent without flags.",
                _context((2, (TRACE_ID, PARENT_ID))),
            ),
            (
                "state.alone",
                "CTX-4",
                "A tracestate without a traceparent.",
                _context((3, "a=1")),
            ),
            (
                "state.not-switched-on",
                "CTX-4",
                "A tracestate, which nobody was told to use.",
                _context((2, TRACE), (3, "a=1")),
            ),
            ("state.empty", "CTX-4 FRAME-6", "A tracestate of no characters.", _context((2, TRACE), (3, ""))),
            (
                "state.too-long",
                "CTX-4 FRAME-6",
                "A tracestate of 513 characters.",
                _context((2, TRACE), (3, "a" * 513)),
            ),
        )
    ),
    *(
        answered(
            f"context.trace.flags-{flags}",
            "CTX-3",
            f"A traceparent with the flags {flags}.",
            call("echo", 1, context=_context((2, (TRACE_ID, PARENT_ID, flags)))),
            result(1),
            features=HOSTING,
        )
        for flags in (0, 3)
    ),
    # --- deadlines, as a receiver
    answered(
        "deadline.longest",
        "CTX-2",
        "A remaining time of 2^31-1.",
        call("echo", 1, context=_context((1, MOST_TIME))),
        result(1),
        features=HOSTING,
    ),
    answered(
        "deadline.shortest",
        "CTX-2 CTX-5",
        "A remaining time of 1 ms is over soon, if not at once.",
        call("wait", Key(), context=_context((1, 1))),
        error(DEADLINE_EXCEEDED, body=None),
        checks=(Check("running", (Key(),), 0),),
        features=DEADLINES,
    ),
    case(
        "deadline.running",
        "CTX-5",
        "A receiver cancels what runs when the deadline passes, and says so.",
        Open(),
        Send((call("wait", Key(), context=_context((1, 500))),)),
        Expect((error(DEADLINE_EXCEEDED, body=None),)),
        checks=(Check("cancelled", (Key(),), 1),),
        features=DEADLINES,
    ),
    case(
        "deadline.server-stream",
        "CTX-5",
        "The deadline ends a server stream, also one that stands still for want of credit.",
        Open(),
        Send((call("endless", Key(), 100_000, shape=SERVER, context=_context((1, 100))),)),
        Expect((error(DEADLINE_EXCEEDED, body=None),)),
        allow=(item(),),
        checks=(Check("running", (Key(),), 0),),
        features=(*SERVER_STREAMS, "deadlines"),
    ),
    case(
        "deadline.client-stream",
        "CTX-5 CALL-9",
        "The deadline ends a call whose client stream is open; it stays open until the caller ends its side.",
        Open(),
        Send((call("hold", Key(), shape=CLIENT, context=_context((1, 100))),)),
        Expect((error(DEADLINE_EXCEEDED, body=None),)),
        Send((item(1), end())),
        features=(*CLIENT_STREAMS, "deadlines"),
    ),
    case(
        "deadline.cancel-crosses",
        "CTX-5 CALL-8",
        "The CANCEL of a caller whose deadline has passed, too, is ignored behind the ERROR.",
        Open(),
        Send((call("wait", Key(), context=_context((1, 50))),)),
        Expect((error(DEADLINE_EXCEEDED, body=None),)),
        Send((cancel(),)),
        features=DEADLINES,
    ),
    case(
        "deadline.handed-on",
        "CTX-5 CTX-2",
        "A handler gives a call of its own no more time than its own call has.",
        Open(),
        Send((call("call_back", given(), "v", context=_context((1, 60_000))),)),
        Expect((Frame(5, (THEIRS, UNARY, (Mine(1), ""), _remaining(1, 60_000), None, ANY)),)),
        Send((result("w", id=THEIRS),)),
        Expect((result("w"),)),
        allow=LET_GO,
        features=(*REFERENCES, "deadlines"),
    ),
    case(
        "deadline.handed-on.passes",
        "CTX-5",
        "A deadline that passes while the handler waits for a call of its own gives up that one, too.",
        Open(),
        Send((call("call_back", given(), "v", context=_context((1, 100))),)),
        Expect((callback("v"),)),
        Expect((cancel(THEIRS),)),
        Expect((error(DEADLINE_EXCEEDED, body=None),)),
        Send((error(CANCELLED, id=THEIRS, body=None),)),
        features=(*REFERENCES, "deadlines"),
    ),
    case(
        "context.trace.handed-on",
        "CTX-3",
        "A receiver that calls for this call passes the trace id and the flags on.",
        Open(),
        Send((call("call_back", given(), "v", context=_context((2, TRACE))),)),
        Expect((Frame(5, (THEIRS, UNARY, (Mine(1), ""), Map(((2, (TRACE_ID, Sized(8), 1)),)), None, ANY)),)),
        Send((result("w", id=THEIRS),)),
        Expect((result("w"),)),
        allow=LET_GO,
        level=Level.SHOULD,
        features=REFERENCES,
    ),
    # --- as a caller
    called(
        "caller.deadline.sent",
        "CTX-2",
        "An initiator says how much time remains as the CALL is written.",
        call_by("echo", 1, deadline=5.0),
        Expect((Frame(5, (THEIRS, UNARY, "Conformance.echo", _remaining(1, 5_000), None, ANY)),)),
        Send((result(1, id=THEIRS),)),
        reports=Report(outcome="result", value=1),
        features=("deadlines",),
    ),
    called(
        "caller.deadline.latest",
        "CTX-2",
        "A deadline beyond 2^31-1 ms is sent as that, or not at all.",
        call_by("echo", 1, deadline=3_000_000.0),
        Expect(
            (
                Frame(
                    5,
                    (THEIRS, UNARY, "Conformance.echo", _remaining(MOST_TIME - 10_000, MOST_TIME), None, ANY),
                ),
                Frame(5, (THEIRS, UNARY, "Conformance.echo", None, None, ANY)),
                Frame(5, (THEIRS, UNARY, "Conformance.echo", Map(((2, ANY),)), None, ANY)),
            )
        ),
        Send((result(1, id=THEIRS),)),
        reports=Report(outcome="result", value=1),
        features=("deadlines",),
    ),
    called(
        "caller.deadline.passed",
        "CTX-2",
        "A call whose deadline has passed is not sent.",
        call_by("echo", 1, deadline=0.0),
        reports=Report(outcome="error", codes=("deadline-exceeded",)),
        features=("deadlines",),
    ),
    called(
        "caller.deadline.passes",
        "CTX-5 CANCEL-5",
        "When the deadline passes, the caller fails the call, sends CANCEL, and takes the terminal that still comes.",
        call_by("wait", "k", deadline=0.1, stay=True),
        Expect((any_call("wait"),)),
        Expect((cancel(THEIRS),)),
        Send((error(DEADLINE_EXCEEDED, id=THEIRS, body=None),)),
        outcomes=ALIVE,
        reports=Report(outcome="error", codes=("deadline-exceeded",)),
        features=("deadlines",),
    ),
    called(
        "caller.deadline.does-not-wait",
        "CTX-5",
        "A caller does not wait for the receiver to say that the deadline has passed.",
        call_by("wait", "k", deadline=0.1),
        Expect((any_call("wait"),)),
        Expect((cancel(THEIRS),)),
        # the call is never answered, and stays open for as long as leaving may take (LEAVE-9), which is short in this
        # setup; so is the idle time, in which the runner has to say something
        Pause(0.5),
        Send((ping(),)),
        allow=(pong(),),
        reports=Report(outcome="error", codes=("deadline-exceeded",)),
        setup="hasty",
        features=("deadlines", "bounds"),
    ),
    called(
        "caller.trace",
        "CTX-3",
        "An initiator sends the traceparent that its user gives.",
        call_by("echo", 1, trace=(TRACE_ID.hex(), PARENT_ID.hex(), 1)),
        Expect(
            (
                Frame(
                    5,
                    (THEIRS, UNARY, "Conformance.echo", Map(((2, (TRACE_ID, Sized(8), 1)),)), None, ANY),
                ),
            )
        ),
        Send((result(1, id=THEIRS),)),
        reports=Report(outcome="result", value=1),
    ),
    called(
        "caller.cancel.late-result",
        "CANCEL-5",
        "A RESULT that crosses the CANCEL of an initiator is taken, and the user is told that it gave up.",
        call_by("wait", "k", cancel_after=0.05, stay=True),
        Expect((any_call("wait"),)),
        Expect((cancel(THEIRS),)),
        Send((result(None, id=THEIRS),)),
        outcomes=ALIVE,
        reports=Report(outcome="cancelled"),
    ),
    called(
        "caller.cancel.upload",
        "CANCEL-5 STREAM-2",
        "An initiator that gives an upload up sends CANCEL, no END, and no item behind it.",
        call_by("hold", "k", do="upload", items=(bytes(10),), cancel_after=0.1, stay=True),
        Expect((any_call("hold", shape=CLIENT),)),
        Expect((cancel(THEIRS),)),
        Settle(),
        Send((error(CANCELLED, id=THEIRS, body=None),)),
        outcomes=ALIVE,
        allow=(item(id=THEIRS), end(THEIRS)),
        reports=Report(outcome="cancelled"),
        features=("client-streams",),
    ),
    called(
        "caller.cancel.second-terminal",
        "CALL-7 CALL-6",
        "A second terminal for a call that was cancelled.",
        call_by("wait", "k", cancel_after=0.05, stay=True),
        Expect((any_call("wait"),)),
        Expect((cancel(THEIRS),)),
        Send((error(CANCELLED, id=THEIRS, body=None), result(None, id=THEIRS))),
        outcomes=PROTOCOL_ERROR,
    ),
)
