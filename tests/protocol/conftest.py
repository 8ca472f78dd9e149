"""Two cores that speak to each other, and bytes put together by hand."""

from __future__ import annotations

from typing import Any

import pytest

from graftwire.protocol import Connection, Failed, Limits, Role, frames

NOTHING = b"\x82\x80\xa0"  # a body without arguments


class Pair:
    """An initiator and an acceptor, with the events that each has seen."""

    def __init__(
        self, initiator: Limits | None = None, acceptor: Limits | None = None, **options: Any
    ) -> None:
        self.a = Connection(Role.INITIATOR, initiator, **options)
        self.b = Connection(Role.ACCEPTOR, acceptor, **options)
        self.seen_by_a: list[Any] = []
        self.seen_by_b: list[Any] = []

    def to_b(self) -> list[Any]:
        """Bring all that the initiator has to say to the acceptor; returns the acceptor's events."""
        events = self.b.receive(b"".join(self.a.take(2**40)))
        self.seen_by_b += events
        return events

    def to_a(self) -> list[Any]:
        """The other way round."""
        events = self.a.receive(b"".join(self.b.take(2**40)))
        self.seen_by_a += events
        return events

    def pump(self) -> None:
        """Both ways until neither has anything to say."""
        while self.a.has_output or self.b.has_output:
            self.to_b()
            self.to_a()

    def call(self, shape: int = 0, body: bytes = NOTHING) -> int:
        """A call of the initiator that the acceptor has read."""
        id = self.a.call(shape, "Any", body)
        self.pump()
        return id


@pytest.fixture
def pair() -> Pair:
    """Two cores that have opened a session."""
    both = Pair()
    both.pump()
    return both


@pytest.fixture
def fresh() -> type[Pair]:
    """Makes two cores that have not said anything yet; takes the limits of each and options."""
    return Pair


@pytest.fixture
def violation() -> Any:
    """The clause of the Failed event that ends a list of events."""

    def clause_of(events: list[Any]) -> str:
        assert events, "no event came"
        assert isinstance(events[-1], Failed), f"the last event is {events[-1]!r}"
        assert not any(isinstance(event, Failed) for event in events[:-1])
        return events[-1].violation.clause

    return clause_of


@pytest.fixture
def written() -> Any:
    """The frames that a core has to write."""

    def frames_of(core: Connection, most: int = 2**40) -> list[frames.Frame]:
        return [frames.decode(frame[4:]) for frame in core.take(most)]

    return frames_of
