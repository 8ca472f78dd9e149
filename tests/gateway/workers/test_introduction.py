"""What a worker is told of a client's session comes out as it went in."""

from __future__ import annotations

import pytest

from graftwire.gateway.workers.introduction import Introduction, from_bytes, to_bytes
from graftwire.transport.facts import LinkFacts, TlsFacts

TLS = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", "graftwire/1", True, False, b"\x30\x00" * 1_000, True)


@pytest.mark.parametrize(
    "facts", [LinkFacts("tcp", "127.0.0.1:1", "127.0.0.1:2"), LinkFacts("tls", "[::1]:1", "peer", TLS)]
)
def test_there_and_back(facts: LinkFacts) -> None:
    introduction = Introduction(facts, 65_536, 2**31 - 1)
    assert from_bytes(to_bytes(introduction)) == introduction
