"""Sessions in which calls, streams, credit, signs of life, leaving and references go right and wrong."""

from __future__ import annotations

from conformance.cbor import NULL, array, integer, octets, pairs, tag, text

from .frames import (
    BIGGEST,
    CANCEL,
    CREDIT,
    END,
    GOAWAY,
    ITEM,
    PING,
    PONG,
    RELEASE,
    TRACE,
    call,
    context,
    hello,
    kind,
)
from .play import (
    acceptor,
    at_least,
    call_of_body,
    default_but,
    failed,
    item,
    open_acceptor,
    open_initiator,
    result,
    short,
)
from .vector import Book

FULL = 2**31 - 1
UNARY, SERVER, CLIENT, BOTH = 0, 1, 2, 3
CANCELLED = 1


def fill(book: Book) -> None:
    """Put these sessions into the book."""
    _ids(book)
    _slots(book)
    _terminals(book)
    _cancelling(book)
    _items(book)
    _ends(book)
    _credit(book)
    _credit_frames(book)
    _pings(book)
    _leaving(book)
    _references(book)


def credit(number: int, more: int) -> bytes:
    """CREDIT."""
    return kind(CREDIT, integer(number), integer(more))


def goaway(last: int, code: int = 0) -> bytes:
    """GOAWAY."""
    return kind(GOAWAY, integer(last), integer(code))


def _ids(book: Book) -> None:
    open_acceptor(
        book, "id.order", "CALL-1", "1, 3, 5: the initiator's calls; answers come in any order."
    ).peer(call(1), call(3), call(5)).own(result(5), result(1), result(3)).fine()
    open_initiator(book, "id.order.acceptor", "CALL-1", "2, 4: the acceptor's calls.").peer(
        call(2), call(4)
    ).own(result(2), result(4)).fine()
    open_acceptor(book, "id.both-ways", "CALL-1", "Calls in both directions at once.").peer(call(1)).own(
        call(2)
    ).peer(result(2)).own(result(1)).fine()
    open_acceptor(book, "id.first-is-3", "CALL-1", "The first id is 1.").peer(call(3)).broken("CALL-1")
    open_acceptor(book, "id.gap", "CALL-1", "5 after 1.").peer(call(1), call(5)).broken("CALL-1", last=1)
    open_acceptor(book, "id.again", "CALL-1", "The id of an open call.").peer(call(1), call(1)).broken(
        "CALL-1", last=1
    )
    open_acceptor(book, "id.used", "CALL-1", "The id of a call that is over.").peer(call(1)).own(
        result(1)
    ).peer(call(1)).broken("CALL-1", last=1)
    open_acceptor(book, "id.back", "CALL-1", "1 after 3.").peer(call(1), call(3), call(1)).broken(
        "CALL-1", last=3
    )
    open_acceptor(book, "id.parity", "CALL-1", "An even id from the initiator.").peer(call(2)).broken(
        "CALL-1"
    )
    open_initiator(book, "id.parity.acceptor", "CALL-1", "An odd id from the acceptor.").peer(call(1)).broken(
        "CALL-1"
    )
    state = context(trace=TRACE, state=text("vendor=1"))
    open_acceptor(book, "id.tracestate", "CTX-4", "A tracestate, which was not switched on.").peer(
        call(1, context=state)
    ).broken("CTX-4")


def _slots(book: Book) -> None:
    few = at_least()
    sixteen = [call(1 + 2 * at) for at in range(16)]
    streams = [call(1 + 2 * at, CLIENT) for at in range(16)]
    open_acceptor(book, "slots.all", "CALL-4", "As many calls as the side under test takes.", few).peer(
        *sixteen
    ).fine()
    open_acceptor(book, "slots.over", "CALL-4", "One more.", few).peer(*sixteen, call(33)).broken(
        "CALL-4", last=31
    )
    open_acceptor(book, "slots.freed", "CALL-4", "A RESULT frees a slot.", few).peer(*sixteen).own(
        result(7)
    ).peer(call(33)).fine()
    open_acceptor(book, "slots.cancelled", "CANCEL-4", "A CANCEL alone frees none.", few).peer(
        *sixteen, short(1, CANCEL), call(33)
    ).broken("CALL-4", last=31, either=["CANCEL-4"])
    open_acceptor(book, "slots.cancelled.freed", "CANCEL-4", "The terminal after it does.", few).peer(
        *sixteen, short(1, CANCEL)
    ).own(failed(1, CANCELLED)).peer(call(33)).fine()
    open_acceptor(book, "slots.early-terminal", "CALL-9", "A terminal before END frees none.", few).peer(
        *streams
    ).own(result(1)).peer(call(33)).broken("CALL-4", last=31, either=["CALL-9"])
    open_acceptor(book, "slots.early-terminal.freed", "CALL-9", "END after it does.", few).peer(*streams).own(
        result(1)
    ).peer(short(1, END), call(33)).fine()
    open_initiator(
        book, "slots.initiator", "CALL-4", "The bound holds for the acceptor's calls as well.", few
    ).peer(*(call(2 + 2 * at) for at in range(17))).broken("CALL-4", last=32)
    open_acceptor(book, "bodies.most", "CALL-5", "Bodies of 65,536 bytes in all.", few).peer(
        call_of_body(1, 40_000), call_of_body(3, 25_536)
    ).fine()
    open_acceptor(book, "bodies.over", "CALL-5", "One byte more.", few).peer(
        call_of_body(1, 40_000), call_of_body(3, 25_537)
    ).broken("CALL-5", last=1)
    open_acceptor(book, "bodies.freed", "CALL-5", "A closed call frees the bytes of its body.", few).peer(
        call_of_body(1, 40_000)
    ).own(result(1)).peer(call_of_body(3, 40_000)).fine()


def _terminals(book: Book) -> None:
    open_initiator(book, "terminal.result", "CALL-6", "A call and its RESULT.").own(call(1)).peer(
        result(1)
    ).fine()
    open_initiator(book, "terminal.error", "CALL-6", "A call and its ERROR.").own(call(1)).peer(
        failed(1, 4)
    ).fine()
    for name, second in (("result", result(1)), ("error", failed(1, 4))):
        open_initiator(book, f"terminal.twice.{name}", "CALL-7", "A terminal of a closed call.").own(
            call(1)
        ).peer(result(1), second).broken("CALL-7", either=["CALL-6"])
    open_initiator(book, "terminal.twice.open", "CALL-6", "A second terminal while the caller streams.").own(
        call(1, CLIENT)
    ).peer(result(1), result(1)).broken("CALL-6")
    open_initiator(book, "terminal.never-called", "CALL-7", "RESULT of a call that was never made.").peer(
        result(1)
    ).broken("CALL-7")
    open_initiator(book, "terminal.future", "CALL-7", "RESULT of the next call.").own(call(1)).peer(
        result(3)
    ).broken("CALL-7")
    open_initiator(book, "terminal.own-call", "CALL-7", "The acceptor answers its own call.").peer(
        call(2), result(2)
    ).broken("CALL-7", last=2)
    open_acceptor(book, "terminal.caller", "CALL-7", "The caller answers its own call.").peer(
        call(1), failed(1, CANCELLED)
    ).broken("CALL-7", last=1)


def _cancelling(book: Book) -> None:
    cancel = short(1, CANCEL)
    open_acceptor(book, "cancel.answered", "CANCEL-3", "CANCEL, and the one terminal.").peer(
        call(1), cancel
    ).own(failed(1, CANCELLED)).fine()
    open_initiator(book, "cancel.own", "CANCEL-3", "The same at the caller.").own(call(1), cancel).peer(
        failed(1, CANCELLED)
    ).fine()
    open_initiator(book, "cancel.own.result", "CANCEL-3", "The result was faster.").own(call(1), cancel).peer(
        result(1)
    ).fine()
    open_initiator(book, "cancel.own.items", "CANCEL-3", "Items may still come before the terminal.").own(
        call(1, SERVER), cancel
    ).peer(item(1), failed(1, CANCELLED)).fine()
    open_acceptor(book, "cancel.late", "CALL-8", "CANCEL crosses RESULT: it is ignored.").peer(call(1)).own(
        result(1)
    ).peer(cancel, call(3)).fine()
    open_acceptor(book, "cancel.twice", "CANCEL-2", "CANCEL twice.").peer(call(1), cancel, cancel).broken(
        "CANCEL-2", last=1
    )
    open_acceptor(book, "cancel.never-called", "CALL-7", "CANCEL of a call that was never made.").peer(
        cancel
    ).broken("CALL-7")
    open_initiator(book, "cancel.receiver", "CANCEL-1", "The receiver cancels.").own(call(1)).peer(
        cancel
    ).broken("CANCEL-1", either=["CALL-7"])


def _items(book: Book) -> None:
    open_initiator(book, "stream.server", "STREAM-1", "A server stream: items, then RESULT.").own(
        call(1, SERVER)
    ).peer(item(1), item(1), result(1)).fine()
    open_acceptor(book, "stream.client", "STREAM-1", "A client stream: items, END, then RESULT.").peer(
        call(1, CLIENT), item(1), item(1), short(1, END)
    ).own(result(1)).fine()
    open_acceptor(book, "stream.both", "STREAM-1", "Both streams at once.").peer(call(1, BOTH), item(1)).own(
        item(1)
    ).peer(item(1), short(1, END)).own(item(1), result(1)).fine()
    for name, shape in (("unary", UNARY), ("server", SERVER)):
        open_acceptor(
            book, f"item.by-caller.{name}", "STREAM-1", f"The caller has no stream in shape {shape}."
        ).peer(call(1, shape), item(1)).broken("STREAM-1", last=1)
    for name, shape in (("unary", UNARY), ("client", CLIENT)):
        open_initiator(
            book, f"item.by-receiver.{name}", "STREAM-1", f"The receiver has none in shape {shape}."
        ).own(call(1, shape)).peer(item(1)).broken("STREAM-1")
    open_acceptor(book, "item.never-called", "CALL-7", "ITEM of a call that was never made.").peer(
        item(1)
    ).broken("CALL-7")
    open_acceptor(book, "item.after-end", "STREAM-3", "ITEM after END.").peer(
        call(1, CLIENT), short(1, END), item(1)
    ).broken("STREAM-3", last=1)
    open_acceptor(book, "item.after-cancel", "STREAM-3", "ITEM of the caller after its CANCEL.").peer(
        call(1, CLIENT), short(1, CANCEL), item(1)
    ).broken("STREAM-3", last=1)
    open_initiator(book, "item.after-result", "CALL-7", "ITEM after RESULT, when the call is closed.").own(
        call(1, SERVER)
    ).peer(result(1), item(1)).broken("CALL-7", either=["STREAM-3"])
    open_initiator(
        book, "item.after-result.open", "STREAM-3", "ITEM after RESULT, while the caller streams."
    ).own(call(1, BOTH)).peer(result(1), item(1)).broken("STREAM-3")
    open_acceptor(
        book, "item.after-early-terminal", "STREAM-4", "Items after an early RESULT are dropped unread."
    ).peer(call(1, CLIENT)).own(result(1)).peer(item(1), item(1), short(1, END), call(3)).fine()
    open_acceptor(book, "item.after-closed", "CALL-7", "ITEM when both sides are done.").peer(
        call(1, CLIENT), short(1, END)
    ).own(result(1)).peer(item(1)).broken("CALL-7", last=1, either=["STREAM-3"])


def _ends(book: Book) -> None:
    end = short(1, END)
    open_acceptor(book, "end.empty", "STREAM-2", "A stream without an item.").peer(call(1, CLIENT), end).own(
        result(1)
    ).fine()
    open_acceptor(book, "end.then-cancel", "CANCEL-1", "CANCEL after END.").peer(
        call(1, CLIENT), end, short(1, CANCEL)
    ).own(failed(1, CANCELLED)).fine()
    open_acceptor(
        book, "end.early-terminal.cancel", "CALL-9", "After an early terminal CANCEL closes as well."
    ).peer(call(1, CLIENT)).own(result(1)).peer(short(1, CANCEL), call(3)).fine()
    open_acceptor(book, "end.twice", "STREAM-2", "END twice.").peer(call(1, CLIENT), end, end).broken(
        "STREAM-2", last=1
    )
    open_acceptor(book, "end.after-cancel", "STREAM-2", "END after CANCEL.").peer(
        call(1, CLIENT), short(1, CANCEL), end
    ).broken("STREAM-2", last=1, either=["STREAM-3"])
    for name, shape in (("unary", UNARY), ("server", SERVER)):
        open_acceptor(book, f"end.{name}", "STREAM-2", f"Shape {shape} has no client stream.").peer(
            call(1, shape), end
        ).broken("STREAM-2", last=1)
    open_initiator(
        book, "end.receiver", "STREAM-2", "The receiver's stream ends with its terminal, not with END."
    ).own(call(1, BOTH)).peer(end).broken("STREAM-2", either=["CALL-7"])
    open_acceptor(book, "end.never-called", "CALL-7", "END of a call that was never made.").peer(end).broken(
        "CALL-7"
    )
    open_acceptor(book, "end.closed", "CALL-7", "END of a call that is over.").peer(call(1, CLIENT), end).own(
        result(1)
    ).peer(end).broken("CALL-7", last=1, either=["STREAM-2"])


def _credit(book: Book) -> None:
    few = at_least()
    wide = default_but(stream_credit=FULL, session_credit=262_144)
    acceptor(book, "credit.early", "HELLO-7", "Before the other HELLO, the guaranteed least holds.").peer(
        hello(), call(1, CLIENT), item(1, 10_000), short(1, END)
    ).own(hello(limit=few), result(1)).fine()
    open_acceptor(
        book, "credit.below-zero", "CREDIT-2", "One byte of balance is enough for a whole item.", few
    ).peer(call(1, CLIENT), item(1, 65_536 - 64 - 1), item(1, 10_000)).fine()
    open_acceptor(book, "credit.exhausted", "CREDIT-2", "A balance of exactly 0 is not enough.", few).peer(
        call(1, CLIENT), item(1, 40_000), item(1, 65_536 - 40_000 - 128), item(1)
    ).broken("CREDIT-2", last=1)
    open_acceptor(book, "credit.negative", "CREDIT-2", "A balance below 0 is not either.", few).peer(
        call(1, CLIENT), item(1, 40_000), item(1, 40_000), item(1)
    ).broken("CREDIT-2", last=1)
    open_acceptor(book, "credit.per-stream", "CREDIT-2", "Each stream has its own balance.", few).peer(
        call(1, CLIENT), call(3, CLIENT), item(1, 60_000), item(1, 60_000), item(3, 60_000)
    ).fine()
    exact = [item(1, 60_000)] * 4 + [item(1, 262_144 - 4 * 60_064 - 64)]
    open_acceptor(book, "credit.session", "CREDIT-2", "The session's balance covers all streams.", wide).peer(
        call(1, CLIENT), call(3, CLIENT), *exact, item(3)
    ).broken("CREDIT-2", last=3)
    open_acceptor(
        book, "credit.session.last", "CREDIT-2", "While it is above 0, an item may be sent.", wide
    ).peer(call(1, CLIENT), call(3, CLIENT), *exact[:-1], item(3, 20_000), item(3, 20_000)).fine()
    open_initiator(
        book, "credit.receiver", "CREDIT-2", "The receiver's stream is bound in the same way.", few
    ).own(call(1, SERVER)).peer(item(1, 60_000), item(1, 60_000), item(1)).broken("CREDIT-2")


def _credit_frames(book: Book) -> None:
    def with_peer(name: str, clause: str, meaning: str, limit: bytes, *payloads: bytes) -> None:
        play = (
            acceptor(book, name, clause, meaning).peer(hello(limit=limit)).own(hello()).peer(call(1, SERVER))
        )
        play.peer(*payloads)
        play.fine() if clause == "CREDIT-5" else play.broken("CREDIT-3", last=1)

    full = default_but(stream_credit=FULL, session_credit=FULL)
    nearly = default_but(stream_credit=FULL - 1, session_credit=FULL - 1)
    with_peer("credit.stream.most", "CREDIT-5", "A balance of 2^31-1.", nearly, credit(1, 1))
    with_peer("credit.stream.over", "CREDIT-3", "A balance of 2^31.", full, credit(1, 1))
    with_peer(
        "credit.stream.sum", "CREDIT-3", "Two that are too much together.", nearly, credit(1, 1), credit(1, 1)
    )
    with_peer("credit.session.most", "CREDIT-5", "The session's balance at 2^31-1.", nearly, credit(0, 1))
    with_peer("credit.session.over", "CREDIT-3", "The session's balance at 2^31.", full, credit(0, 1))
    with_peer(
        "credit.both.least", "CREDIT-5", "More for a stream and for the session.", default_but(), credit(1, 1)
    )
    open_acceptor(book, "credit.unary", "CREDIT-4", "A unary call has no stream.").peer(
        call(1), credit(1, 1)
    ).broken("CREDIT-4", last=1)
    open_acceptor(book, "credit.own-stream", "CREDIT-4", "The caller gives credit for its own stream.").peer(
        call(1, CLIENT), credit(1, 1)
    ).broken("CREDIT-4", last=1)
    open_initiator(book, "credit.own-stream.receiver", "CREDIT-4", "So does the receiver.").own(
        call(1, SERVER)
    ).peer(credit(1, 1)).broken("CREDIT-4")
    open_initiator(
        book, "credit.client-stream", "CREDIT-4", "Credit for the stream that the caller sends."
    ).own(call(1, CLIENT), item(1)).peer(credit(1, 65), credit(0, 65)).own(short(1, END)).peer(
        result(1)
    ).fine()
    open_initiator(
        book, "credit.ended", "CREDIT-4", "Credit for a stream that has ended crosses its END."
    ).own(call(1, CLIENT), item(1), short(1, END)).peer(credit(1, 65), result(1)).fine()
    open_initiator(book, "credit.answered", "CREDIT-4", "The receiver gives credit after its terminal.").own(
        call(1, CLIENT), item(1)
    ).peer(result(1), credit(1, 65)).broken("CREDIT-4")
    open_initiator(book, "credit.closed", "CREDIT-4", "Credit for a call that is closed.").own(
        call(1, CLIENT), item(1), short(1, END)
    ).peer(result(1), credit(1, 65)).broken("CREDIT-4", either=["CALL-7"])
    open_acceptor(
        book, "credit.answered.caller", "CALL-8", "The caller's CREDIT crosses RESULT of an open call."
    ).peer(call(1, BOTH)).own(item(1), result(1)).peer(credit(1, 65), short(1, END)).fine()
    open_acceptor(book, "credit.never-called", "CREDIT-4", "CREDIT for a call that was never made.").peer(
        credit(1, 1)
    ).broken("CREDIT-4", either=["CALL-7"])
    open_acceptor(book, "credit.late", "CALL-8", "The caller's CREDIT crosses RESULT: it is ignored.").peer(
        call(1, SERVER)
    ).own(item(1), result(1)).peer(credit(1, 65), call(3)).fine()


def _pings(book: Book) -> None:
    def ping(number: int) -> bytes:
        return short(number, PING)

    def pong(number: int) -> bytes:
        return short(number, PONG)

    open_acceptor(book, "ping", "KEEP-2", "Each PING gets its PONG.").peer(ping(1)).own(pong(1)).peer(
        ping(2)
    ).own(pong(2)).fine()
    open_initiator(book, "ping.initiator", "KEEP-2", "At the initiator as well.").peer(ping(1)).own(
        pong(1)
    ).fine()
    open_acceptor(book, "ping.own", "KEEP-2", "And the other way round.").own(ping(1)).peer(pong(1)).own(
        ping(2)
    ).peer(pong(2)).fine()
    open_acceptor(book, "ping.crossing", "KEEP-1", "Both directions count for themselves.").own(ping(1)).peer(
        ping(1)
    ).own(pong(1)).peer(pong(1)).fine()
    open_acceptor(book, "ping.first-is-2", "KEEP-1", "The first counter is 1.").peer(ping(2)).broken("KEEP-1")
    open_acceptor(book, "ping.again", "KEEP-1", "The same counter twice.").peer(ping(1)).own(pong(1)).peer(
        ping(1)
    ).broken("KEEP-1")
    open_acceptor(book, "ping.gap", "KEEP-1", "3 after 1.").peer(ping(1)).own(pong(1)).peer(ping(3)).broken(
        "KEEP-1"
    )
    open_acceptor(book, "pong.unasked", "KEEP-2", "PONG without PING.").peer(pong(1)).broken("KEEP-2")
    open_acceptor(book, "pong.other", "KEEP-2", "PONG with another counter.").own(ping(1)).peer(
        pong(2)
    ).broken("KEEP-2")
    open_acceptor(book, "pong.twice", "KEEP-2", "PONG twice.").own(ping(1)).peer(pong(1), pong(1)).broken(
        "KEEP-2"
    )


def _leaving(book: Book) -> None:
    open_acceptor(book, "goaway.drain", "LEAVE-3", "Draining: 2^53-1 first, then the last id.").peer(
        call(1)
    ).own(goaway(BIGGEST), result(1), goaway(1)).fine()
    open_initiator(book, "goaway.drain.peer", "LEAVE-3", "The other side drains.").own(call(1)).peer(
        goaway(BIGGEST), result(1), goaway(1)
    ).fine()
    for name, last in (("final", 0), ("drain", BIGGEST)):
        open_initiator(book, f"goaway.twice.{name}", "LEAVE-3", "The same GOAWAY twice.").peer(
            goaway(last), goaway(last)
        ).broken("LEAVE-3")
    open_initiator(book, "goaway.rising", "LEAVE-1", "The id rises.").own(call(1), call(3)).peer(
        goaway(1), goaway(3)
    ).broken("LEAVE-1", either=["LEAVE-3"])
    open_initiator(book, "goaway.rising-to-drain", "LEAVE-1", "Draining begins after the final id.").peer(
        goaway(0), goaway(BIGGEST)
    ).broken("LEAVE-1", either=["LEAVE-3"])
    open_initiator(book, "goaway.falling", "LEAVE-3", "A second final id, though it falls.").own(
        call(1), call(3)
    ).peer(goaway(3), goaway(1)).broken("LEAVE-3")
    open_initiator(
        book, "goaway.below-answered", "LEAVE-3", "A final id below a call that was answered."
    ).own(call(1), call(3)).peer(result(3), goaway(1)).broken("LEAVE-3")
    for name, last, meaning in (
        ("never-called", 3, "The next id, of a call that was never made."),
        ("own-call", 2, "The id of a call of its own."),
    ):
        open_initiator(book, f"goaway.last.{name}", "LEAVE-8", meaning).own(call(1)).peer(
            call(2), goaway(last)
        ).broken("LEAVE-8", last=2)
    open_initiator(book, "goaway.last.drain-error", "LEAVE-8", "2^53-1 with a code that is not 0.").peer(
        goaway(BIGGEST, 12)
    ).broken("LEAVE-8")
    open_acceptor(book, "goaway.final-then-error", "LEAVE-6", "An error after the final GOAWAY.").own(
        call(2)
    ).peer(goaway(2), goaway(2, 12)).fine()
    open_initiator(
        book, "goaway.never-ran", "LEAVE-5", "Calls above the id never ran and get no answer."
    ).own(call(1), call(3)).peer(goaway(1), result(1)).fine()
    open_initiator(book, "goaway.never-ran.answered", "LEAVE-5", "A RESULT of a call that never ran.").own(
        call(1), call(3)
    ).peer(goaway(1), result(3)).broken("CALL-7", either=["LEAVE-5"])
    open_acceptor(
        book, "goaway.ignored-call", "CALL-13", "A call above our final id is ignored, with all of it."
    ).peer(call(1)).own(goaway(1)).peer(
        call(3, CLIENT), item(3), short(3, END), call(5), short(5, CANCEL)
    ).own(result(1)).fine()
    open_acceptor(book, "goaway.ignored-order", "CALL-1", "Ids are counted all the same.").peer(call(1)).own(
        goaway(1)
    ).peer(call(3), call(7)).broken("CALL-1", last=1)
    for name, clause, meaning, frame in (
        ("item", "CALL-7", "An ITEM of a call above our final id that never came.", item(3)),
        ("credit", "CREDIT-4", "And a CREDIT of one.", credit(3, 1)),
    ):
        open_acceptor(book, f"goaway.ignored-unknown.{name}", clause, meaning).peer(call(1)).own(
            goaway(1)
        ).peer(frame).broken(clause, last=1)
    open_acceptor(
        book, "goaway.callback", "LEAVE-3", "Who leaves may still call, for the calls that are running."
    ).own(call(2)).peer(goaway(2), call(1), result(2)).own(result(1)).fine()
    open_acceptor(book, "goaway.ping", "LEAVE-3", "Signs of life go on while draining.").peer(
        goaway(BIGGEST), short(1, PING)
    ).own(short(1, PONG)).fine()
    open_acceptor(
        book, "goaway.error", "LEAVE-6", "GOAWAY with an error ends the session: nothing later counts."
    ).peer(call(1), goaway(0, 12), kind(99, NULL), short(7, PING)).fine()


def _references(book: Book) -> None:
    def reference(number: int) -> bytes:
        return tag(41991, integer(number))

    def giving(number: int, *references: int) -> bytes:
        return call(number, body=octets(array(array(*map(reference, references)), pairs())))

    method = text("step")
    given = result(1, reference(2))
    open_acceptor(book, "reference.called", "REF-3", "A reference that came back is called.").peer(
        call(1)
    ).own(given).peer(call(3, target=array(integer(2), method))).own(result(3)).fine()
    open_acceptor(
        book, "reference.callback", "REF-1", "A reference among the arguments is called back."
    ).peer(giving(1, 1)).own(call(2, target=array(integer(1), method))).peer(result(2)).own(result(1)).fine()
    open_acceptor(book, "reference.released", "REF-2", "And released.").peer(call(1)).own(given).peer(
        short(2, RELEASE)
    ).fine()
    open_acceptor(book, "reference.released-twice", "REF-2", "Released twice.").peer(call(1)).own(given).peer(
        short(2, RELEASE), short(2, RELEASE)
    ).broken("REF-2", last=1)
    open_acceptor(book, "reference.released-unknown", "REF-2", "Released without having been given.").peer(
        short(2, RELEASE)
    ).broken("REF-2")
    open_acceptor(book, "reference.released-own", "REF-2", "The giver releases what it gave.").peer(
        giving(1, 1), short(1, RELEASE)
    ).broken("REF-2", last=1)
    open_acceptor(book, "reference.call-released", "REF-3", "Called after RELEASE.").peer(call(1)).own(
        given
    ).peer(short(2, RELEASE), call(3, target=array(integer(2), method))).broken("REF-3", last=1)
    open_acceptor(book, "reference.call-unknown", "REF-3", "Called without having been given.").peer(
        call(1, target=array(integer(2), method))
    ).broken("REF-3")
    open_acceptor(book, "reference.call-own", "REF-3", "The giver calls what it gave.").peer(
        giving(1, 1), call(3, target=array(integer(1), method))
    ).broken("REF-3", last=1)
    open_acceptor(book, "reference.running-call", "REF-2", "A running call survives the RELEASE.").peer(
        call(1)
    ).own(given).peer(call(3, target=array(integer(2), method)), short(2, RELEASE)).own(result(3)).fine()
    with_reference = giving(2, 2)
    open_acceptor(
        book, "reference.given-in-call", "REF-3", "The receiver calls a reference of the arguments."
    ).own(with_reference).peer(call(1, target=array(integer(2), method))).own(result(1)).peer(
        result(2)
    ).fine()
    for name, clause, meaning, use in (
        (
            "released",
            "REF-2",
            "ERROR has ended what its call carried: it can't be released.",
            short(2, RELEASE),
        ),
        ("called", "REF-3", "Nor called.", call(1, target=array(integer(2), method))),
    ):
        open_acceptor(book, f"reference.killed.{name}", "REF-4", meaning).own(with_reference).peer(
            failed(2, 10), use
        ).broken(clause)
    carrying = [kind(ITEM, integer(number), octets(reference(number))) for number in (1, 2)]
    open_acceptor(
        book, "reference.killed.item", "REF-4", "ERROR has ended what the items of its call carried as well."
    ).own(call(2, CLIENT), carrying[1]).peer(failed(2, 10), short(2, RELEASE)).broken("REF-2")
    open_acceptor(
        book, "reference.killed.late-item", "STREAM-4", "In an item behind ERROR too: nothing is released."
    ).peer(call(1, CLIENT)).own(failed(1, 10)).peer(carrying[0], short(1, END)).fine()
    open_acceptor(book, "reference.order", "REF-1", "References of one side ascend by two.").peer(
        giving(1, 1, 3), giving(3, 5)
    ).own(result(1), result(3)).fine()
    open_acceptor(book, "reference.parity", "REF-1", "An even reference from the initiator.").peer(
        giving(1, 2)
    ).broken("REF-1")
    open_acceptor(book, "reference.again", "REF-1", "The same reference in another body.").peer(
        giving(1, 1), giving(3, 1)
    ).broken("REF-1", last=1)
    open_acceptor(book, "reference.twice", "REF-1", "The same reference twice in one body.").peer(
        giving(1, 1, 1)
    ).broken("REF-1")
