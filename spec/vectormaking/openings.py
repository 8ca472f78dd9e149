"""Sessions up to the point where calls may run: HELLO, versions, AUTH, and the bounds until then."""

from __future__ import annotations

from conformance.cbor import NULL, array, integer, octets, pairs, text

from .frames import (
    ACCEPTED,
    AUTH,
    CANCEL,
    CHALLENGE,
    CREDIT,
    GOAWAY,
    HELLO,
    PING,
    PONG,
    RELEASE,
    call,
    framed,
    hello,
    kind,
    limits,
    numbers,
)
from .play import (
    Play,
    acceptor,
    at_least,
    call_of_frame,
    failed,
    initiator,
    item,
    open_acceptor,
    open_initiator,
    result,
    short,
)
from .vector import Book

PROOF = kind(AUTH, text("token"), octets(b"s3cret"))
LARGE_PROOF = kind(AUTH, text("token"), octets(b"\xaa" * 8192))
QUESTION = kind(CHALLENGE, octets(bytes(range(16))))
YES = kind(ACCEPTED)
NOBODY = kind(GOAWAY, integer(0), integer(3))
EARLY_FRAME, EARLY_TOTAL = 16_384, 32_768


def fill(book: Book) -> None:
    """Put these sessions into the book."""
    _hellos(book)
    _first_frames(book)
    _versions(book)
    _refusals(book)
    _lengths(book)
    _authentication(book)
    _rounds(book)
    _early(book)


def _hellos(book: Book) -> None:
    open_acceptor(book, "hello.acceptor", "HELLO-1", "HELLO is answered with HELLO.").fine()
    open_initiator(book, "hello.initiator", "HELLO-1", "The initiator's HELLO comes first.").fine()
    acceptor(
        book, "hello.pipelined-call", "HELLO-8", "A first call comes without waiting for the other HELLO."
    ).peer(hello(), call(1)).own(hello(), result(1)).fine()
    initiator(book, "hello.pipelined-call.own", "HELLO-8", "And is sent so.").own(hello(), call(1)).peer(
        hello(), result(1)
    ).fine()
    open_acceptor(book, "hello.twice.acceptor", "HELLO-1", "A second HELLO.").peer(hello()).broken("HELLO-1")
    open_initiator(book, "hello.twice.initiator", "HELLO-1", "A second HELLO.").peer(hello()).broken(
        "HELLO-1"
    )
    acceptor(
        book, "hello.limits", "HELLO-5", "A limit out of its range ends the session before it began."
    ).peer(hello(limit=limits(calls=15))).broken("HELLO-5")
    initiator(book, "hello.limits.initiator", "HELLO-5", "So it does in the acceptor's HELLO.").own(
        hello()
    ).peer(hello(limit=limits(idle=999))).broken("HELLO-5")


def _first_frames(book: Book) -> None:
    for name, payload in (
        ("auth", PROOF),
        ("accepted", YES),
        ("call", call(1)),
        ("cancel", short(1, CANCEL)),
        ("ping", short(1, PING)),
        ("credit", kind(CREDIT, integer(0), integer(1))),
        ("goaway", kind(GOAWAY, integer(0), integer(0))),
        ("release", short(1, RELEASE)),
    ):
        acceptor(book, f"first.{name}.acceptor", "FRAME-7", f"{name.upper()} where HELLO was due.").peer(
            payload
        ).broken("FRAME-7")
    for name, payload in (
        ("accepted", YES),
        ("challenge", QUESTION),
        ("call", call(2)),
        ("result", result(1)),
        ("error", failed(1, 10)),
        ("item", item(1)),
        ("pong", short(1, PONG)),
    ):
        initiator(book, f"first.{name}.initiator", "FRAME-7", f"{name.upper()} where HELLO was due.").own(
            hello(), call(1, 1)
        ).peer(payload).broken("FRAME-7")
    acceptor(book, "first.unknown", "FRAME-4", "An unknown kind where HELLO was due.").peer(
        kind(16, NULL)
    ).broken("FRAME-4", either=["FRAME-7"])
    acceptor(
        book, "first.nothing", "LINK-1", "The link ends before a byte came: nothing was broken."
    ).end().fine()


def _versions(book: Book) -> None:
    other = "No version in common: GOAWAY(0, version), whatever the rest of HELLO is."
    for name, clause, payload in (
        ("one", "HELLO-4", hello(numbers(2))),
        ("several", "HELLO-4", hello(numbers(2, 3, 4))),
        ("largest", "HELLO-4", hello(numbers(2**53 - 1))),
        ("other-limits", "HELLO-6", kind(HELLO, numbers(2), pairs((integer(9), text("x"))))),
        ("other-arity", "HELLO-6", kind(HELLO, numbers(2), text("x"), array(), NULL)),
        ("other-encoding", "HELLO-6", kind(HELLO, numbers(2), b"\xc1\xfb" + bytes(8))),
    ):
        acceptor(book, f"versions.none.{name}", clause, other).peer(payload).broken(
            "HELLO-4", error="version"
        )
    acceptor(
        book, "versions.none.discard", "HELLO-4", "What comes after such a HELLO is not looked at."
    ).peer(hello(numbers(2)), kind(99, NULL), call(7)).raw(b"\xff\xff\xff\xff").broken(
        "HELLO-4", error="version"
    )
    acceptor(
        book, "versions.frozen-head", "HELLO-6", "The head is the same in all versions: it is checked."
    ).peer(hello(numbers(3, 2))).broken("HELLO-2")
    acceptor(book, "versions.chosen", "HELLO-3", "Version 1 is chosen among those offered.").peer(
        hello(numbers(1, 2, 3))
    ).own(hello()).fine()
    initiator(book, "versions.not-offered", "HELLO-3", "The acceptor chose what was not offered.").own(
        hello()
    ).peer(hello(numbers(2))).broken("HELLO-3")
    initiator(book, "versions.two-chosen", "HELLO-3", "The acceptor must choose exactly one.").own(
        hello()
    ).peer(hello(numbers(1, 2))).broken("HELLO-3", either=["HELLO-2"])


def _refusals(book: Book) -> None:
    def refused(name: str, meaning: str, last: int, code: int) -> Play:
        play = initiator(book, f"refused.{name}", "HELLO-10", meaning).own(hello(), call(1))
        return play.peer(kind(GOAWAY, integer(last), integer(code)))

    refused("version", "GOAWAY(0, version) in place of HELLO; it is not answered.", 0, 13).fine()
    refused("protocol", "GOAWAY(0, protocol) in place of HELLO.", 0, 12).fine()
    refused("overloaded", "GOAWAY(0, overloaded) in place of HELLO.", 0, 9).fine()
    refused("unavailable", "GOAWAY(0, unavailable) in place of HELLO.", 0, 10).fine()
    refused("in-peace", "Code 0 in place of HELLO.", 0, 0).broken("HELLO-10", either=["FRAME-7"])
    refused("last-id", "A call that ran before the session was open.", 1, 13).broken(
        "HELLO-10", either=["LEAVE-8"]
    )


def _lengths(book: Book) -> None:
    least = at_least()
    full = result(1, octets(bytes(65_536 - 9)))
    assert len(full) == 65_536
    open_acceptor(book, "length.zero", "FRAME-2", "A frame of no bytes.").raw(bytes(4)).broken("FRAME-2")
    open_acceptor(book, "length.2^24", "FRAME-2", "2^24 bytes are refused at once.").raw(
        b"\x01\0\0\0"
    ).broken("FRAME-2")
    open_initiator(book, "length.at-limit", "FRAME-2", "As large as the side under test takes.", least).own(
        call(1)
    ).peer(full).fine()
    open_initiator(
        book, "length.over-limit", "FRAME-2", "One byte more, known from the length alone.", least
    ).own(call(1)).raw((65_537).to_bytes(4, "big")).broken("FRAME-2")
    open_acceptor(book, "length.cut", "FRAME-8", "The link ends inside a length.").raw(b"\0\0").end().broken(
        "FRAME-8"
    )
    open_acceptor(book, "frame.cut", "FRAME-8", "The link ends inside a frame.").raw(
        framed(short(1, PING))[:-1]
    ).end().broken("FRAME-8")
    open_acceptor(book, "frame.end", "LINK-1", "The link ends between frames.").end().fine()
    open_acceptor(book, "frame.unknown", "FRAME-4", "The reserved kind 4 ends a session.").peer(
        kind(4, integer(1), text("a"))
    ).broken("FRAME-4")
    open_acceptor(book, "frame.last-id", "LEAVE-4", "GOAWAY names the last call that was taken.").peer(
        call(1), call(3), kind(16, NULL)
    ).broken("FRAME-4", last=3)
    open_initiator(book, "frame.last-id.initiator", "LEAVE-4", "So it does at the initiator.").peer(
        call(2), b"\x82\x0c\x18\x01"
    ).broken("HEAD-1", last=2)
    open_acceptor(
        book, "frame.after-error", "LEAVE-6", "After an error nothing is looked at, nothing is sent."
    ).peer(kind(16, NULL), short(1, PING), call(1), kind(17, NULL)).broken("FRAME-4")


def _authentication(book: Book) -> None:
    acceptor(book, "auth.accepted", "AUTH-1", "AUTH behind HELLO, both in one go.").peer(hello(), PROOF).own(
        hello(), YES
    ).fine()
    acceptor(book, "auth.refused", "AUTH-5", "A refusal says that not even the call behind it ran.").peer(
        hello(), PROOF, call(1)
    ).own(hello(), NOBODY).fine()
    initiator(book, "auth.refused.own", "AUTH-5", "GOAWAY(0, unauthenticated) is not answered.").own(
        hello(), PROOF, call(1)
    ).peer(hello(), NOBODY).fine()
    acceptor(book, "auth.call-waits", "AUTH-6", "The call behind AUTH runs when AUTH was accepted.").peer(
        hello(), PROOF, call(1)
    ).own(hello(), YES, result(1)).fine()
    acceptor(
        book, "auth.last-id", "AUTH-6", "A call that waited for AUTH never ran: GOAWAY names none."
    ).peer(hello(), PROOF, call(1), kind(16, NULL)).broken("FRAME-4", last=0)
    open_acceptor(book, "auth.later", "AUTH-7", "AUTH may come in a session that is open.").peer(
        call(1), PROOF
    ).own(YES, result(1)).fine()
    open_acceptor(book, "auth.later.refused", "AUTH-5", "The last id is that of the call before AUTH.").peer(
        call(1), PROOF, call(3)
    ).own(kind(GOAWAY, integer(1), integer(3))).fine()
    open_acceptor(book, "auth.again", "AUTH-7", "And once more.").peer(PROOF).own(YES).peer(PROOF).own(
        YES
    ).fine()
    open_acceptor(book, "auth.reverse", "AUTH-1", "The acceptor may AUTH as well.").own(PROOF).peer(
        YES
    ).fine()
    open_initiator(book, "auth.reverse.initiator", "AUTH-1", "Which the initiator accepts.").peer(PROOF).own(
        YES
    ).fine()
    open_acceptor(book, "auth.both", "AUTH-1", "Both at once: each direction has its own exchange.").own(
        PROOF
    ).peer(PROOF).own(YES).peer(YES).fine()
    open_acceptor(book, "auth.two", "AUTH-2", "A second AUTH before the first was answered.").peer(
        PROOF, PROOF
    ).broken("AUTH-2")


def _rounds(book: Book) -> None:
    open_acceptor(book, "auth.challenge", "AUTH-2", "A further round: CHALLENGE, AUTH.").peer(PROOF).own(
        QUESTION
    ).peer(PROOF).own(YES).fine()
    open_initiator(book, "auth.challenge.own", "AUTH-2", "The same from the other end.").own(PROOF).peer(
        QUESTION
    ).own(PROOF).peer(YES).fine()
    play = open_acceptor(book, "auth.rounds.8", "AUTH-3", "Eight rounds, the most.").peer(PROOF)
    for _ in range(7):
        play.own(QUESTION).peer(PROOF)
    play.own(YES).fine()
    play = open_initiator(
        book, "auth.rounds.9", "AUTH-3", "CHALLENGE after the eighth AUTH asks for a ninth."
    )
    for _ in range(8):
        play.own(PROOF).peer(QUESTION)
    play.broken("AUTH-3")
    play = open_acceptor(book, "auth.rounds.anew", "AUTH-3", "Each exchange counts its own rounds.")
    for _ in range(9):
        play.peer(PROOF).own(YES)
    play.fine()
    for role, start in (("acceptor", open_acceptor), ("initiator", open_initiator)):
        start(book, f"auth.accepted-unasked.{role}", "AUTH-4", "ACCEPTED without AUTH.").peer(YES).broken(
            "AUTH-4"
        )
        start(book, f"auth.challenge-unasked.{role}", "AUTH-4", "CHALLENGE without AUTH.").peer(
            QUESTION
        ).broken("AUTH-4")
    open_initiator(book, "auth.accepted-twice", "AUTH-4", "ACCEPTED twice.").own(PROOF).peer(YES, YES).broken(
        "AUTH-4"
    )
    open_initiator(book, "auth.challenge-twice", "AUTH-4", "CHALLENGE twice.").own(PROOF).peer(
        QUESTION, QUESTION
    ).broken("AUTH-4")
    open_initiator(
        book, "auth.accepted-after-challenge", "AUTH-4", "ACCEPTED while its own question is open."
    ).own(PROOF).peer(QUESTION, YES).broken("AUTH-4")


def _early(book: Book) -> None:
    acceptor(book, "early.frame.most", "HELLO-8", "A frame of 16,384 bytes while AUTH is pending.").peer(
        hello(), PROOF, call_of_frame(1, EARLY_FRAME)
    ).own(hello(), YES, result(1)).fine()
    acceptor(book, "early.frame.over", "HELLO-8", "A frame of 16,385 bytes, known from its length.").peer(
        hello(), PROOF
    ).raw((EARLY_FRAME + 1).to_bytes(4, "big")).broken("HELLO-8")
    acceptor(book, "early.frame.first", "HELLO-8", "So with the very first frame.").raw(
        (EARLY_FRAME + 1).to_bytes(4, "big")
    ).broken("HELLO-8")
    used = len(framed(hello())) + len(framed(PROOF)) + 4 + EARLY_FRAME
    second = EARLY_TOTAL - used - 4
    acceptor(book, "early.total.most", "HELLO-8", "32,768 bytes in all, length prefixes counted.").peer(
        hello(), PROOF, call_of_frame(1, EARLY_FRAME), call_of_frame(3, second)
    ).own(hello(), YES, result(3), result(1)).fine()
    acceptor(book, "early.total.over", "HELLO-8", "One byte more.").peer(
        hello(), PROOF, call_of_frame(1, EARLY_FRAME), call_of_frame(3, second + 1)
    ).broken("HELLO-8")
    acceptor(book, "early.total.many", "HELLO-8", "Many small frames count as well.").peer(
        hello(), PROOF, *(call_of_frame(1 + 2 * at, 2_100) for at in range(16))
    ).broken("HELLO-8")
    acceptor(book, "early.later-auth", "HELLO-8", "AUTHs after the first are not counted.").peer(
        hello(), PROOF, call_of_frame(1, EARLY_FRAME), call_of_frame(3, second)
    ).own(hello(), QUESTION).peer(LARGE_PROOF).own(YES).fine()
    open_acceptor(
        book, "early.over.hello", "HELLO-8", "Without AUTH, the bounds end with the acceptor's HELLO."
    ).peer(call_of_frame(1, 20_000), call_of_frame(3, 20_000)).own(result(1), result(3)).fine()
    acceptor(book, "early.over.accepted", "HELLO-8", "With AUTH, they end with ACCEPTED.").peer(
        hello(), PROOF
    ).own(hello(), YES).peer(call_of_frame(1, 20_000), call_of_frame(3, 20_000)).own(
        result(1), result(3)
    ).fine()
    open_acceptor(
        book,
        "early.second-frame",
        "HELLO-8",
        "AUTH as the second frame keeps the bounds up, whenever it comes.",
    ).peer(PROOF).raw((EARLY_FRAME + 1).to_bytes(4, "big")).broken("HELLO-8")
    open_acceptor(book, "early.third-frame", "HELLO-8", "AUTH as the third frame does not.").peer(
        call(1), PROOF, call_of_frame(3, 20_000), call_of_frame(5, 20_000)
    ).own(YES, result(3), result(5), result(1)).fine()
    open_acceptor(
        book, "early.over.again", "HELLO-8", "AUTH in an open session does not bring them back."
    ).peer(PROOF).own(YES).peer(PROOF, call_of_frame(1, 20_000)).own(YES, result(1)).fine()
