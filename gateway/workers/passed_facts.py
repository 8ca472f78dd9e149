"""The facts of a client's link, on their way to a worker: code there sees the same as in the gateway's process."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any, cast

from graftwire.protocol import values
from graftwire.transport.facts import LinkFacts, TlsFacts


def facts_to_bytes(facts: LinkFacts) -> bytes:
    """Facts as one value of the wire."""
    return values.encode(list(astuple(facts)))


def facts_from_bytes(data: bytes) -> LinkFacts:
    """The opposite of `facts_to_bytes`."""
    transport, local, peer, tls, *rest = cast("Any", values.decode(data))
    return LinkFacts(transport, local, peer, None if tls is None else TlsFacts(*tls), *rest)
