"""What a worker is told of a client's session: the facts of its link, so that code there sees the same as here."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any, NamedTuple, cast

from graftwire.protocol import values
from graftwire.transport.facts import LinkFacts, TlsFacts


class Introduction(NamedTuple):
    """A client's session: the facts of its link, and the bytes of stream and session credit that its gateway gives."""

    facts: LinkFacts
    stream_credit: int
    session_credit: int


def to_bytes(introduction: Introduction) -> bytes:
    """It as one value of the wire."""
    facts, stream_credit, session_credit = introduction
    return values.encode([list(astuple(facts)), stream_credit, session_credit])


def from_bytes(data: bytes) -> Introduction:
    """The opposite of `to_bytes`. Raises ValueRefused, TypeError or ValueError for bytes that it did not make."""
    facts, stream_credit, session_credit = cast("Any", values.decode(data))
    transport, local, peer, tls, *rest = facts
    return Introduction(
        LinkFacts(transport, local, peer, None if tls is None else TlsFacts(*tls), *rest),
        int(stream_credit),
        int(session_credit),
    )
