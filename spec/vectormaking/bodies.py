"""What bodies hold: the arguments of a CALL, and what three codes of ERROR carry."""

from __future__ import annotations

from typing import Protocol

from conformance.cbor import FALSE, NULL, array, head, integer, nested, octets, pairs, record, tag, text

from .values import DATETIME, REFERENCE, SET, decimal, moment
from .vector import Book, entry

INCIDENT = bytes.fromhex("0123456789abcdef")


class Good(Protocol):
    """Takes a body that is right."""

    def __call__(self, body: str, name: str, data: bytes, meaning: str) -> None: ...


class Bad(Protocol):
    """Takes a body that is wrong."""

    def __call__(
        self, body: str, name: str, clause: str, data: bytes, meaning: str, *either: str
    ) -> None: ...


def fill(book: Book) -> None:
    """Put the bodies into the book."""

    def good(body: str, name: str, data: bytes, meaning: str) -> None:
        clause = "CALL-10" if body == "call" else "ERR-2"
        book.add(entry(f"{body}.{name}", clause, data, meaning, extra={"body": body}))

    def bad(body: str, name: str, clause: str, data: bytes, meaning: str, *either: str) -> None:
        vector = entry(
            f"{body}.bad.{name}",
            clause,
            data,
            meaning,
            error="bad-arguments",
            either=either,
            extra={"body": body},
        )
        if body != "call":
            del vector["error"]  # Nobody is told: the caller treats such an ERROR as one of code internal.
            vector["refused"] = True
        book.add(vector)

    _calls(good)
    _bad_calls(bad)
    _errors(good)
    _bad_errors(bad)


def _calls(good: Good) -> None:
    good("call", "empty", array(array(), pairs()), "No argument.")
    good(
        "call", "positional", array(array(text("ACME"), integer(1200)), pairs()), "Two positional arguments."
    )
    good("call", "named", array(array(), record(net=NULL, gross=integer(1))), "Two named arguments.")
    good(
        "call",
        "named-order",
        array(array(), record(gross=integer(1), net=NULL)),
        "The same in another order.",
    )
    good("call", "both", array(array(integer(1)), record(at=moment("2026-11-23T08:30:00Z"))), "One of each.")
    good(
        "call",
        "values",
        array(
            array(decimal(-2, 1250), tag(SET, array(text("a")))), record(on_done=tag(REFERENCE, integer(1)))
        ),
        "Arguments are values of any type.",
    )
    deepest = array(array(nested(62, NULL)), pairs())
    good("call", "depth", deepest, "62 arrays within the two of the arguments: 64 in all.")


def _bad_calls(bad: Bad) -> None:
    none, nobody = array(), pairs()
    for name, data, meaning in (
        ("null", NULL, "null."),
        ("map", nobody, "The named ones alone."),
        ("empty-array", none, "An array of nothing."),
        ("one", array(none), "The positional ones alone."),
        ("three", array(none, nobody, NULL), "A third element: there is no room beside the arguments."),
        ("positional-null", array(NULL, nobody), "null for the positional ones."),
        ("positional-map", array(nobody, nobody), "A map for the positional ones."),
        ("positional-set", array(tag(SET, none), nobody), "A set for the positional ones."),
        ("named-null", array(none, NULL), "null for the named ones."),
        ("named-array", array(none, none), "An array for the named ones."),
        ("named-integer", array(none, pairs((integer(0), NULL))), "A name that is an integer."),
        ("swapped", array(nobody, none), "The named ones first."),
    ):
        bad("call", name, "CALL-10", data, meaning)
    twice = array(none, pairs((text("a"), NULL), (text("a"), FALSE)))
    bad("call", "named-twice", "VAL-7", twice, "A name twice.", "CALL-10")
    bad("call", "bytes", "VAL-1", b"", "An empty body.", "CALL-10")
    bad("call", "trailing", "VAL-1", array(none, nobody) + NULL, "A byte after the arguments.")
    bad(
        "call",
        "long-head",
        "VAL-3",
        head(4, 2, 1) + none + nobody,
        "The body's array takes two bytes for 2.",
        "CALL-10",
    )
    too_deep = array(array(nested(63, NULL)), pairs())
    bad("call", "depth", "VAL-17", too_deep, "63 arrays within the two of the arguments: 65 in all.")
    bad("call", "tagged", "VAL-8", tag(55799, array(none, nobody)), "The mark of CBOR before it.", "CALL-10")
    bad(
        "call",
        "naive",
        "VAL-9",
        array(array(tag(DATETIME, text("2026-11-23T08:30:00"))), nobody),
        "A naive datetime.",
    )


def _errors(good: Good) -> None:
    good(
        "bad-arguments",
        "path",
        text("arguments[0].lines[3].amount"),
        "The path to the argument that does not fit.",
    )
    good("bad-arguments", "empty", text(""), "The argument list itself does not fit.")
    good(
        "application",
        "plain",
        array(text("Closed"), text("the account is closed"), pairs()),
        "Name and message.",
    )
    good("application", "no-message", array(text("Closed"), text(""), pairs()), "A name alone.")
    good(
        "application",
        "fields",
        array(text("Overdrawn"), text("by 12.50"), record(by=decimal(-2, 1250), account=text("ACME"))),
        "The fields of the exception are values.",
    )
    good(
        "internal",
        "incident",
        octets(INCIDENT),
        "Eight random bytes that find the entry in the receiver's log.",
    )


def _bad_errors(bad: Bad) -> None:
    name, message, fields = text("Closed"), text("the account is closed"), pairs()
    for body, case, data, meaning in (
        ("bad-arguments", "null", NULL, "null."),
        ("bad-arguments", "array", array(integer(0)), "A path as an array."),
        ("bad-arguments", "bytes", octets(b"arguments"), "A path as a byte string."),
        ("application", "null", NULL, "null."),
        ("application", "name-alone", name, "A name that is no array."),
        ("application", "two", array(name, message), "No fields."),
        ("application", "four", array(name, message, fields, text("Traceback")), "A fourth element."),
        ("application", "name-null", array(NULL, message, fields), "A name that is null."),
        ("application", "message-null", array(name, NULL, fields), "A message that is null."),
        ("application", "fields-null", array(name, message, NULL), "Fields that are null."),
        ("application", "fields-array", array(name, message, array()), "Fields as an array."),
        (
            "application",
            "fields-integer",
            array(name, message, pairs((integer(1), NULL))),
            "A field with a number.",
        ),
        (
            "internal",
            "text",
            text("KeyError: 'password'"),
            "Words: no text of an undeclared error crosses the wire.",
        ),
        ("internal", "seven", octets(INCIDENT[:7]), "Seven bytes."),
        ("internal", "nine", octets(INCIDENT + b"\x00"), "Nine bytes."),
        ("internal", "integer", integer(2**63), "An integer."),
        ("internal", "null", NULL, "null."),
    ):
        bad(body, case, "ERR-2", data, meaning)
