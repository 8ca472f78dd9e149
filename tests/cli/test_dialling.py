"""A link that is looked at is in all else the link that it is."""

from __future__ import annotations

from graftwire.cli.dialling import WatchedLink
from graftwire.transport.memory import memory_pair


async def test_a_watched_link_passes_on_what_a_session_asks_of_it() -> None:
    link, _ = memory_pair()

    class Slow(type(link)):  # type: ignore[misc] - as a link that holds part of a record
        last_arrival = 12.5
        arrived = 700

    link.__class__ = Slow
    watched = WatchedLink(link, lambda came, data: None)
    assert (watched.last_arrival, watched.arrived) == (12.5, 700)
    assert watched.facts is link.facts
