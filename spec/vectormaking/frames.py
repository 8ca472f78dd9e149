"""Frames that every receiver must take: each kind, and each of its elements at both ends of its range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from conformance.cbor import NULL, array, filler, integer, octets, pairs, text

from .vector import Book, entry

HELLO, AUTH, CHALLENGE, ACCEPTED = 0, 1, 2, 3
CALL, RESULT, ERROR, CANCEL, ITEM, END, CREDIT = 5, 6, 7, 8, 9, 10, 11
PING, PONG, GOAWAY, RELEASE = 12, 13, 14, 15

BIGGEST = 2**53 - 1
LIMIT_NAMES = ("largest-frame", "calls", "unfinished-bytes", "stream-credit", "session-credit", "idle")
DEFAULTS: tuple[int, ...] = (4 << 20, 1024, 16 << 20, 256 << 10, 2 << 20, 60_000)
MINIMA: tuple[int, ...] = (65_536, 16, 65_536, 65_536, 262_144, 1_000)
MAXIMA: tuple[int, ...] = (2**24 - 1, 65_536, 2**31 - 1, 2**31 - 1, 2**31 - 1, 2**31 - 1)

NO_ARGUMENTS = octets(array(array(), pairs()))
TRACE = array(octets(bytes(range(1, 17))), octets(bytes(range(1, 9))), integer(1))


class Good(Protocol):
    """Takes a frame that is right."""

    def __call__(self, name: str, clause: str, payload: bytes, meaning: str) -> None: ...


def framed(payload: bytes) -> bytes:
    """The payload behind its length."""
    return len(payload).to_bytes(4, "big") + payload


def numbers(*values: int) -> bytes:
    """An array of integers."""
    return array(*map(integer, values))


def limits(values: Sequence[int] = DEFAULTS, **changed: int) -> bytes:
    """The limits map of HELLO; `changed` by the names of LIMIT_NAMES with underscores."""
    named = [
        changed.get(name.replace("-", "_"), value) for name, value in zip(LIMIT_NAMES, values, strict=True)
    ]
    return pairs(*((integer(key), integer(value)) for key, value in enumerate(named, 1)))


def kind(number: int, *elements: bytes) -> bytes:
    """The payload of a frame: its kind and its elements."""
    return array(integer(number), *elements)


def hello(versions: bytes | None = None, limit: bytes | None = None) -> bytes:
    """HELLO of version 1 with the default limits, unless told otherwise."""
    return kind(HELLO, versions or numbers(1), limit or limits())


def call(
    number: int = 1,
    shape: int = 0,
    target: bytes | None = None,
    context: bytes = NULL,
    credential: bytes = NULL,
    body: bytes = NO_ARGUMENTS,
) -> bytes:
    """CALL of `Invoices.total` without arguments, unless told otherwise."""
    aim = target if target is not None else text("Invoices.total")
    return kind(CALL, integer(number), integer(shape), aim, context, credential, body)


def context(**entries: bytes) -> bytes:
    """A context map from `remaining`, `trace` and `state`."""
    keys = {"remaining": 1, "trace": 2, "state": 3}
    return pairs(*((integer(keys[name]), value) for name, value in entries.items()))


def fill(book: Book) -> None:
    """Put the good frames into the book."""

    def good(name: str, clause: str, payload: bytes, meaning: str) -> None:
        book.add(entry(name, clause, framed(payload), meaning, noted=payload))

    _lengths(good)
    _hellos(good)
    _proofs(good)
    _calls(good)
    _contexts(good)
    _answers(good)
    _errors(good)
    _controls(good)


def _lengths(good: Good) -> None:
    for size, told in ((255, "000000ff"), (256, "00000100"), (65_535, "0000ffff"), (65_536, "00010000")):
        payload = next(
            made
            for taken in range(5, 12)
            if len(made := kind(RESULT, integer(1), octets(filler(size - taken)))) == size
        )
        good(f"length.{size}", "FRAME-1", payload, f"A frame of {size:,} bytes: its length is {told}.")


def _hellos(good: Good) -> None:
    good(
        "hello.default",
        "HELLO-1",
        hello(),
        "The HELLO of a peer that speaks version 1 and keeps every default.",
    )
    good(
        "hello.versions.eight",
        "HELLO-2",
        hello(numbers(1, 2, 3, 4, 5, 6, 7, 8)),
        "An initiator may offer at most eight versions, ascending.",
    )
    good(
        "hello.versions.largest",
        "HELLO-2",
        hello(numbers(1, BIGGEST)),
        "A version is an integer up to 2^53-1, also far beyond any that exists.",
    )
    good(
        "hello.limits.all-minimum",
        "HELLO-5",
        hello(limit=limits(MINIMA)),
        "Every limit at the least allowed.",
    )
    good(
        "hello.limits.all-maximum", "HELLO-5", hello(limit=limits(MAXIMA)), "Every limit at the most allowed."
    )
    for index, name in enumerate(LIMIT_NAMES):
        for edge, bounds in (("minimum", MINIMA), ("maximum", MAXIMA)):
            values = [bounds[at] if at == index else value for at, value in enumerate(DEFAULTS)]
            if name == "unfinished-bytes" and edge == "minimum":
                values[2] = values[0]  # It may not be below the largest frame, so its least is that.
            meaning = f"Limit {index + 1} ({name.replace('-', ' ')}) at its {edge}."
            good(f"hello.limits.{name}.{edge}", "HELLO-5", hello(limit=limits(values)), meaning)


def _proofs(good: Good) -> None:
    good("auth.token", "AUTH-8", kind(AUTH, text("token"), octets(b"s3cret")), "A proof under a scheme.")
    good(
        "auth.proof.empty",
        "AUTH-8",
        kind(AUTH, text("mtls"), octets(b"")),
        "An empty proof: the scheme says that the certificate of the link is to count.",
    )
    good(
        "auth.proof.largest",
        "AUTH-8",
        kind(AUTH, text("token"), octets(b"\xaa" * 8192)),
        "A proof of 8,192 bytes, the most.",
    )
    good("auth.scheme.shortest", "AUTH-8", kind(AUTH, text("a"), octets(b"x")), "A scheme of one character.")
    good(
        "auth.scheme.longest",
        "AUTH-8",
        kind(AUTH, text("abcdefghijklmnopqrstuvwxyz-.0189"), octets(b"x")),
        "A scheme of 32 characters, the most, with every class that may stand in one.",
    )
    good("challenge.empty", "AUTH-8", kind(CHALLENGE, octets(b"")), "An empty challenge.")
    good("challenge.data", "AUTH-8", kind(CHALLENGE, octets(bytes(range(16)))), "A challenge of 16 bytes.")
    good(
        "challenge.largest", "AUTH-8", kind(CHALLENGE, octets(b"\xbb" * 8192)), "A challenge of 8,192 bytes."
    )
    good("accepted", "FRAME-5", kind(ACCEPTED), "ACCEPTED has no element beside its kind.")


def _calls(good: Good) -> None:
    good("call.unary", "CALL-2", call(), "The smallest useful call: shape 0, no context, no credential.")
    good("call.server-stream", "CALL-2", call(shape=1), "Shape 1: the receiver streams.")
    good("call.client-stream", "CALL-2", call(shape=2), "Shape 2: the caller streams.")
    good("call.both-stream", "CALL-2", call(shape=3), "Shape 3: both stream.")
    good("call.id.acceptor", "CALL-1", call(2), "A call of the acceptor: its ids are even.")
    for number, length in ((23, 1), (24, 2), (255, 2), (256, 3), (65_535, 3), (65_536, 5), (2**32 - 1, 5)):
        meaning = f"Call id {number}: its head takes {length} byte{'s' if length > 1 else ''}."
        good(f"call.id.{number}", "HEAD-1", call(number), meaning)
    good("call.id.2^32", "HEAD-1", call(2**32), "Call id 2^32: its head takes 9 bytes.")
    good("call.id.largest", "HEAD-2", call(BIGGEST), "Call id 2^53-1, the largest integer of any header.")
    good("call.target.shortest", "CALL-3", call(target=text("a")), "A target of one character.")
    good(
        "call.target.edges",
        "CALL-3",
        call(target=text("!~")),
        "The first and the last character that a target may hold: 0x21 and 0x7e.",
    )
    good(
        "call.target.longest", "CALL-3", call(target=text("x" * 255)), "A target of 255 characters, the most."
    )
    good(
        "call.target.reserved",
        "CALL-12",
        call(target=text("graftwire.describe")),
        "A reserved target is a good frame; what it does is not the frame's matter.",
    )
    good("call.reference", "REF-3", call(target=array(integer(1), text("total"))), "A method of reference 1.")
    good(
        "call.reference.itself",
        "REF-3",
        call(target=array(integer(2), text(""))),
        "Reference 2 itself is called.",
    )
    good(
        "call.reference.largest",
        "REF-3",
        call(target=array(integer(BIGGEST), text("m" * 255))),
        "The largest reference and the longest method name.",
    )
    good(
        "call.credential",
        "AUTH-9",
        call(credential=array(text("token"), octets(b"s3cret"))),
        "A credential that counts for this call alone.",
    )
    good(
        "call.credential.empty-proof",
        "AUTH-9",
        call(credential=array(text("mtls"), octets(b""))),
        "A credential whose proof is empty.",
    )
    good(
        "call.credential.largest-proof",
        "AUTH-8",
        call(credential=array(text("token"), octets(b"\xcc" * 8192))),
        "A credential with a proof of 8,192 bytes, the most.",
    )
    good(
        "call.arguments",
        "CALL-10",
        call(body=octets(array(array(text("ACME"), integer(1200)), pairs((text("net"), b"\xf5"))))),
        "Two positional arguments and a named one ride as CBOR inside the body's byte string.",
    )


def _contexts(good: Good) -> None:
    good(
        "call.context.remaining",
        "CTX-2",
        call(context=context(remaining=integer(1500))),
        "1.5 seconds remain.",
    )
    good(
        "call.context.remaining.least", "CTX-2", call(context=context(remaining=integer(1))), "1 ms remains."
    )
    good(
        "call.context.remaining.most",
        "CTX-2",
        call(context=context(remaining=integer(2**31 - 1))),
        "2^31-1 ms remain, the most.",
    )
    for flags in range(4):
        trace = array(octets(b"\x00" * 15 + b"\x01"), octets(b"\x80" + b"\x00" * 7), integer(flags))
        meaning = f"A traceparent with flags {flags}; one bit set is enough for an id."
        good(f"call.context.trace.flags-{flags}", "CTX-3", call(context=context(trace=trace)), meaning)
    good(
        "call.context.tracestate.shortest",
        "CTX-4",
        call(context=context(trace=TRACE, state=text("a"))),
        "A tracestate of one character. Whether it may be sent at all is agreed outside of the session.",
    )
    good(
        "call.context.tracestate.longest",
        "CTX-4",
        call(context=context(trace=TRACE, state=text("a=" + "b" * 510))),
        "A tracestate of 512 characters, the most.",
    )
    good(
        "call.context.all",
        "CTX-1",
        call(context=context(remaining=integer(30_000), trace=TRACE, state=text("vendor=1"))),
        "All three keys that a context can have, ascending.",
    )


def _answers(good: Good) -> None:
    good("result.null", "CALL-6", kind(RESULT, integer(1), octets(NULL)), "Call 1 returned null.")
    good(
        "result.value",
        "CALL-6",
        kind(RESULT, integer(2), octets(integer(1200))),
        "A call of the acceptor returned 1200.",
    )
    good(
        "result.id.largest",
        "HEAD-2",
        kind(RESULT, integer(BIGGEST), octets(NULL)),
        "The last call there can be.",
    )
    good("cancel", "CANCEL-1", kind(CANCEL, integer(1)), "The caller wants call 1 no more.")
    good(
        "cancel.id.largest", "HEAD-2", kind(CANCEL, integer(BIGGEST)), "CANCEL of the last call there can be."
    )
    good(
        "item", "STREAM-1", kind(ITEM, integer(3), octets(text("line"))), "One element of a stream of call 3."
    )
    good("item.id.largest", "HEAD-2", kind(ITEM, integer(BIGGEST), octets(NULL)), "An item of the last call.")
    good(
        "item.body.two-byte-length",
        "HEAD-1",
        kind(ITEM, integer(3), octets(octets(b"\x00" * 254))),
        "A body of 256 bytes: its head takes three.",
    )
    good("end", "STREAM-2", kind(END, integer(3)), "The caller's stream of call 3 has no more items.")
    good("end.id.largest", "HEAD-2", kind(END, integer(BIGGEST)), "END of the last call there can be.")
    good("release", "REF-2", kind(RELEASE, integer(1)), "Reference 1 is not used any more.")
    good(
        "release.largest",
        "HEAD-2",
        kind(RELEASE, integer(BIGGEST)),
        "RELEASE of the last reference there can be.",
    )


def _errors(good: Good) -> None:
    bodies: Mapping[int, bytes] = {
        6: octets(text("arguments[0].lines[3].amount")),
        7: octets(
            array(text("Overdrawn"), text("the account is overdrawn"), pairs((text("by"), integer(5))))
        ),
        8: octets(octets(bytes.fromhex("0123456789abcdef"))),
    }
    names = [
        "cancelled",
        "deadline-exceeded",
        "unauthenticated",
        "denied",
        "unknown-target",
        "bad-arguments",
        "application",
        "internal",
        "overloaded",
        "unavailable",
        "too-large",
        "protocol",
        "version",
    ]
    for code, name in enumerate(names, 1):
        body = bodies.get(code, NULL)
        meaning = (
            f"Call 1 ended with code {code}, {name}, whose body is {'given' if code in bodies else 'null'}."
        )
        good(f"error.{name}", "ERR-2", kind(ERROR, integer(1), integer(code), body), meaning)
    good(
        "error.application.no-fields",
        "ERR-2",
        kind(ERROR, integer(1), integer(7), octets(array(text("Closed"), text(""), pairs()))),
        "A declared exception without message and fields.",
    )
    good(
        "error.bad-arguments.whole-list",
        "ERR-2",
        kind(ERROR, integer(1), integer(6), octets(text(""))),
        "An empty path: the argument list itself does not fit.",
    )
    good(
        "error.id.largest",
        "HEAD-2",
        kind(ERROR, integer(BIGGEST), integer(1), NULL),
        "The last call there can be was cancelled.",
    )


def _controls(good: Good) -> None:
    most = 2**31 - 1
    good("credit.session", "CREDIT-4", kind(CREDIT, integer(0), integer(65_536)), "Id 0 names the session.")
    good(
        "credit.least",
        "CREDIT-5",
        kind(CREDIT, integer(1), integer(1)),
        "One more byte for a stream of call 1.",
    )
    good(
        "credit.most",
        "CREDIT-5",
        kind(CREDIT, integer(BIGGEST), integer(most)),
        "The most that one CREDIT gives.",
    )
    for name, number, back in (("ping", PING, "the sender asks for"), ("pong", PONG, "the answer to")):
        good(
            f"{name}.first", "KEEP-1", kind(number, integer(1)), f"Counter 1: {back} the first sign of life."
        )
        good(
            f"{name}.last", "HEAD-2", kind(number, integer(BIGGEST)), "The last counter there can be, 2^53-1."
        )
    good("goaway.peace", "LEAVE-1", kind(GOAWAY, integer(7), integer(0)), "Calls up to 7 run; no error.")
    good(
        "goaway.draining",
        "LEAVE-3",
        kind(GOAWAY, integer(BIGGEST), integer(0)),
        "Draining has begun; the final id comes later.",
    )
    good(
        "goaway.nothing-ran",
        "AUTH-5",
        kind(GOAWAY, integer(0), integer(3)),
        "Authentication refused; nothing ran.",
    )
    good("goaway.version", "HELLO-4", kind(GOAWAY, integer(0), integer(13)), "No version in common.")
    good(
        "goaway.protocol",
        "LEAVE-4",
        kind(GOAWAY, integer(3), integer(12)),
        "The other side broke the protocol.",
    )
    for code in (1, 2, 4, 5, 6, 7, 8, 9, 10, 11):
        meaning = f"Code {code} is a known number, so GOAWAY may carry it."
        good(f"goaway.code-{code}", "LEAVE-7", kind(GOAWAY, integer(0), integer(code)), meaning)
