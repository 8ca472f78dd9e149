"""Errors: the bodies of each code, paths, and what a caller makes of them (section 11)."""

from __future__ import annotations

from ..case import Expect, Open, Report, Send
from ..frames import (
    APPLICATION,
    BAD_ARGUMENTS,
    CANCELLED,
    CLIENT,
    INTERNAL,
    LEAST,
    SERVER,
    TOO_LARGE,
    any_call,
    call,
    cancel,
    error,
    item,
    result,
)
from ..parts import Body, Frame, Map, Part, Raw, Sized, Yours, Zeros
from ..writing import ALIVE, answered, call_by, called, case, chapter
from .usual import CLIENT_STREAMS, HOSTING, SERVER_STREAMS, called_back, path, ran

THEIRS = Yours(1)
EIGHT = Body(bytes(range(8)))
CODES: tuple[tuple[str, int, Part, bool | None], ...] = (
    ("cancelled", 1, None, None),
    ("deadline-exceeded", 2, None, None),
    ("unauthenticated", 3, None, False),
    ("unknown-target", 5, None, False),
    ("bad-arguments", 6, Body("arguments[0]"), False),
    ("application", 7, Body(("Other", "a message", Map((("field", 1),)))), None),
    ("internal", 8, EIGHT, None),
    ("overloaded", 9, None, False),
    ("unavailable", 10, None, False),
    ("too-large", 11, None, None),
    ("protocol", 12, None, None),
    ("version", 13, None, None),
)
BROKEN = Raw(b"\x41\xff")
LARGEST_RESULT = (
    65_536 - 9
)  # bytes in a RESULT of the least frame: array, kind, id, and two heads of three bytes
LARGEST_ITEM = LARGEST_RESULT


CASES = chapter(
    "errors",
    # --- paths of bad-arguments
    *(
        answered(
            f"error.path.{name}",
            "ERR-4 ERR-2",
            f"{says}: the path leads there, or ends earlier.",
            call(method, *arguments, named=named, shape=shape),
            error(BAD_ARGUMENTS, body=path(where)),
            features=HOSTING,
        )
        for name, says, method, arguments, named, shape, where in (
            ("positional", "A positional argument of another type", "integer", ("x",), (), 0, "arguments[0]"),
            ("second", "A second argument of another type", "add", (1, "x"), (), 0, "arguments[1]"),
            ("too-many", "One positional argument too many", "add", (1, 2, 3), (), 0, "arguments[2]"),
            ("missing", "An argument that is missing", "add", (), (), 0, "arguments.a"),
            ("named", "A named argument of another type", "add", (1,), (("b", "x"),), 0, "arguments.b"),
            ("both", "An argument by position and by name", "add", (1,), (("a", 2),), 0, "arguments.a"),
            (
                "unknown-name",
                "A named argument that the method does not have, whose name is nobody's business",
                "add",
                (1,),
                (("surprise", 2),),
                0,
                "arguments",
            ),
            (
                "field",
                "A field of another type",
                "record",
                (Map((("id", "x"),)),),
                (),
                0,
                "arguments[0].id",
            ),
            ("field-missing", "A field that is missing", "record", (Map(),), (), 0, "arguments[0].id"),
        )
    ),
    *(
        answered(
            f"error.path.{name}",
            "ERR-3 ERR-2",
            says,
            (call("sum", shape=CLIENT), *items),
            error(BAD_ARGUMENTS, body=path(where)),
            features=CLIENT_STREAMS,
        )
        for name, says, items, where in (
            ("item", "A first item of another type: the path names it.", (item("x"),), "items[0]"),
            (
                "item-later",
                "A third item of another type: the path names it.",
                (item(1), item(2), item("x")),
                "items[2]",
            ),
            (
                "item-broken",
                "An item that can't be decoded: the path names it.",
                (item(1), item(body=BROKEN)),
                "items[1]",
            ),
        )
    ),
    answered(
        "error.path.no-value",
        "ERR-4",
        "A value, or a key that is data, is not in the path.",
        call("integer", Map((("secret", "secret"),))),
        error(BAD_ARGUMENTS, body=path("arguments[0]")),
        features=HOSTING,
    ),
    # --- what else a receiver says
    answered(
        "error.internal.eight-bytes",
        "ERR-2 ERR-4",
        "*internal* is eight bytes.",
        call("crash"),
        error(INTERNAL, body=Body(Sized(8))),
        features=HOSTING,
    ),
    answered(
        "error.application.empty",
        "ERR-2",
        "A declared exception without a message.",
        call("fail", "", 0),
        error(APPLICATION, body=Body(("Refused", "", Map((("number", 0),))))),
        features=HOSTING,
    ),
    answered(
        "error.application.unicode",
        "ERR-2",
        "The message of a declared exception is the user's text.",
        call("fail", "größer \U0001f600 \x00", -1),
        error(APPLICATION, body=Body(("Refused", "größer \U0001f600 \x00", Map((("number", -1),))))),
        features=HOSTING,
    ),
    case(
        "error.too-large.exact",
        "FRAME-2",
        "A RESULT that is just as large as a frame may be.",
        Open(limits=LEAST),
        Send((call("zeros", LARGEST_RESULT),)),
        Expect((result(Zeros(LARGEST_RESULT)),)),
        features=HOSTING,
    ),
    case(
        "error.too-large.over",
        "FRAME-2 ERR-2",
        "A result that is one byte larger than a frame may be is *too-large*.",
        Open(limits=LEAST),
        Send((call("zeros", LARGEST_RESULT + 1),)),
        Expect((error(TOO_LARGE, body=None),)),
        features=HOSTING,
    ),
    case(
        "error.too-large.item-exact",
        "FRAME-2",
        "An ITEM that is just as large as a frame may be.",
        Open(limits=LEAST),
        Send((call("produce", 1, LARGEST_ITEM, shape=SERVER),)),
        Expect((item(Zeros(LARGEST_ITEM)),)),
        Expect((result(None),)),
        features=SERVER_STREAMS,
    ),
    case(
        "error.too-large.item-over",
        "FRAME-2 ERR-2",
        "An item that is one byte larger than a frame may be is *too-large*.",
        Open(limits=LEAST),
        Send((call("produce", 1, LARGEST_ITEM + 1, shape=SERVER),)),
        Expect((error(TOO_LARGE, body=None),)),
        features=SERVER_STREAMS,
    ),
    # --- what a caller may not be sent
    *(
        called_back(
            f"error.code.{name}",
            clauses,
            says,
            Send((Frame(7, (THEIRS, code, body)),)),
            outcomes=ran(1),
        )
        for name, clauses, says, code, body in (
            ("zero", "ERR-1 FRAME-6", "The code 0, which is for GOAWAY.", 0, None),
            ("fourteen", "ERR-1 FRAME-6", "The code 14, which there is not.", 14, None),
            ("text", "ERR-1 FRAME-6", "A text as code.", "denied", None),
            ("body", "ERR-2 FRAME-6", "A body with a code that has none.", CANCELLED, Body("why")),
            ("no-body.bad-arguments", "ERR-2 FRAME-6", "No body with *bad-arguments*.", BAD_ARGUMENTS, None),
            ("no-body.application", "ERR-2 FRAME-6", "No body with *application*.", APPLICATION, None),
            ("no-body.internal", "ERR-2 FRAME-6", "No body with *internal*.", INTERNAL, None),
            ("text-body", "ERR-2 FRAME-6", "A text in the place of a body.", APPLICATION, "Refused"),
        )
    ),
    *(
        called_back(
            f"error.body.{name}",
            "ERR-2",
            f"{says} fails the call at its caller, and not the session.",
            Send((error(code, id=THEIRS, body=body),)),
            Expect((error(INTERNAL),)),
            allow=(),
        )
        for name, says, code, body in (
            ("internal.seven", "An *internal* of seven bytes", INTERNAL, Body(bytes(7))),
            ("path.number", "A *bad-arguments* whose path is a number", BAD_ARGUMENTS, Body(7)),
            ("application.text", "An *application* that is a text", APPLICATION, Body("Refused")),
            ("application.two", "An *application* of two elements", APPLICATION, Body(("Refused", "no"))),
            ("application.broken", "An *application* that can't be decoded", APPLICATION, BROKEN),
        )
    ),
    # --- what a caller tells its user
    *(
        called(
            f"caller.error.{name}",
            "ERR-3 ERR-2",
            f"The user is told that it was *{name}*{', and that nothing ran' if nothing_ran is False else ''}.",
            call_by("echo", 1),
            Expect((any_call(),)),
            Send((error(code, id=THEIRS, body=body),)),
            reports=Report(outcome="error", codes=(name,), ran=nothing_ran),
        )
        for name, code, body, nothing_ran in CODES
    ),
    called(
        "caller.error.items-ran",
        "ERR-3",
        "*bad-arguments* for an item does not say that nothing ran.",
        call_by("sum", do="upload", items=("x",)),
        Expect((any_call("sum", shape=CLIENT),)),
        Send((error(BAD_ARGUMENTS, id=THEIRS, body=Body("items[0]")),)),
        allow=(item(id=THEIRS), Frame(10, (THEIRS,)), cancel(THEIRS)),
        reports=Report(outcome="error", codes=("bad-arguments",), ran=True),
        features=("client-streams",),
    ),
    *(
        called(
            f"caller.error.body.{name}",
            "ERR-2",
            f"{says} is told as *internal*.",
            call_by("echo", 1, stay=True),
            Expect((any_call(),)),
            Send((error(code, id=THEIRS, body=body),)),
            outcomes=ALIVE,
            reports=Report(outcome="error", codes=("internal",)),
        )
        for name, says, code, body in (
            ("internal", "An *internal* of nine bytes", INTERNAL, Body(bytes(9))),
            ("path", "A path that is no text", BAD_ARGUMENTS, Body(None)),
            ("fields", "Fields that are no map", APPLICATION, Body(("Refused", "no", ()))),
            ("name", "A name that is no text", APPLICATION, Body((1, "no", Map()))),
            ("trailing", "A body with a byte behind it", BAD_ARGUMENTS, b"\x60\x00"),
            ("empty", "A body of no bytes", APPLICATION, b""),
        )
    ),
    called(
        "caller.result.broken",
        "VAL-1 CALL-6",
        "A RESULT that can't be decoded fails the call at the caller, never the session.",
        call_by("echo", 1, stay=True),
        Expect((any_call(),)),
        Send((result(id=THEIRS, body=BROKEN),)),
        outcomes=ALIVE,
        reports=Report(outcome="error"),
    ),
    called(
        "caller.item.broken",
        "VAL-1 CANCEL-5",
        "An ITEM that can't be decoded fails the call at the caller, which sends CANCEL.",
        call_by("produce", 1, 1, do="stream", stay=True),
        Expect((any_call("produce", shape=SERVER),)),
        Send((item(id=THEIRS, body=BROKEN),)),
        Expect((cancel(THEIRS),)),
        Send((error(CANCELLED, id=THEIRS, body=None),)),
        outcomes=ALIVE,
        reports=Report(outcome="error"),
        features=("server-streams",),
    ),
)
