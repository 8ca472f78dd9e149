"""Sessions as vectors: who sends which frame, and how it ends for the side under test."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.cbor import NULL, array, filler, integer, octets, pairs

from .frames import CALL, DEFAULTS, ERROR, GOAWAY, ITEM, MINIMA, RESULT, call, framed, hello, kind, limits
from .vector import Book, Json, shown

CODES = {"protocol": 12, "version": 13, "unauthenticated": 3}
LEAST = limits(MINIMA)


class Play:
    """One session, put together step by step. `role` is the side under test; its frames are `own`."""

    def __init__(self, book: Book, role: str, name: str, clause: str, meaning: str) -> None:
        self._book = book
        self._vector: dict[str, Json] = {"name": name, "clause": clause, "role": role}
        self._meaning = meaning
        self._steps: list[Json] = []

    def peer(self, *payloads: bytes) -> Play:
        """Frames that the other side sends."""
        for payload in payloads:
            self.raw(framed(payload))
        return self

    def own(self, *payloads: bytes) -> Play:
        """Frames that the side under test sends."""
        for payload in payloads:
            self._steps.append({"from": "self", **shown(framed(payload), "frame")})
        return self

    def raw(self, data: bytes) -> Play:
        """Bytes of the other side that are not a whole frame."""
        self._steps.append({"from": "peer", **shown(data, "frame")})
        return self

    def end(self) -> Play:
        """The other side's bytes end."""
        self._steps.append({"from": "peer", "end": True})
        return self

    def fine(self) -> None:
        """Nothing in it is against the standard."""
        self._finish("ok")

    def broken(self, clause: str, last: int = 0, error: str = "protocol", either: Sequence[str] = ()) -> None:
        """The other side broke a clause; `last` is the call that GOAWAY names."""
        goaway = framed(kind(GOAWAY, integer(last), integer(CODES[error])))
        outcome: dict[str, Json] = {"error": error, "clause": clause, "goaway": goaway.hex()}
        if either:
            outcome["or"] = list(either)
        self._finish(outcome)

    def _finish(self, outcome: Json) -> None:
        self._vector |= {"steps": self._steps, "outcome": outcome, "meaning": self._meaning}
        self._book.add(self._vector)


def acceptor(book: Book, name: str, clause: str, meaning: str) -> Play:
    """A session in which the acceptor is under test; nothing was sent yet."""
    return Play(book, "acceptor", name, clause, meaning)


def initiator(book: Book, name: str, clause: str, meaning: str) -> Play:
    """A session in which the initiator is under test; nothing was sent yet."""
    return Play(book, "initiator", name, clause, meaning)


def open_acceptor(book: Book, name: str, clause: str, meaning: str, own: bytes | None = None) -> Play:
    """The same after both HELLOs; `own` are the limits of the side under test."""
    return acceptor(book, name, clause, meaning).peer(hello()).own(hello(limit=own or limits()))


def open_initiator(book: Book, name: str, clause: str, meaning: str, own: bytes | None = None) -> Play:
    """The same after both HELLOs; `own` are the limits of the side under test."""
    return initiator(book, name, clause, meaning).own(hello(limit=own or limits())).peer(hello())


def at_least(**changed: int) -> bytes:
    """The least limits, but for those that are named."""
    return limits(MINIMA, **changed)


def default_but(**changed: int) -> bytes:
    """The default limits, but for those that are named."""
    return limits(DEFAULTS, **changed)


def result(number: int, value: bytes = NULL) -> bytes:
    """RESULT of a call."""
    return kind(RESULT, integer(number), octets(value))


def failed(number: int, code: int) -> bytes:
    """ERROR of a call, with a code that has no body."""
    return kind(ERROR, integer(number), integer(code), NULL)


def item(number: int, size: int = 1) -> bytes:
    """ITEM whose body has `size` bytes."""
    return kind(ITEM, integer(number), octets(filler(size)))


def short(number: int, frame: int) -> bytes:
    """A frame that has a number and nothing else: CANCEL, END, PING, PONG, RELEASE."""
    return kind(frame, integer(number))


def call_of_body(number: int, size: int, shape: int = 0) -> bytes:
    """CALL whose body has `size` bytes: one positional argument of zeros."""
    return call(number, shape, body=octets(array(array(filler(size - 3)), pairs())))


def call_of_frame(number: int, size: int) -> bytes:
    """CALL whose frame has `size` bytes, the length prefix not counted."""
    body = size
    while len(call_of_body(number, body)) > size:
        body -= 1
    made = call_of_body(number, body)
    assert len(made) == size and made[1] == CALL
    return made
