"""Over which links proofs may cross without a word from both ends (clause AUTH-10)."""

from __future__ import annotations

import pytest

from graftwire.transport.facts import LinkFacts, TlsFacts


def tls(*, verified: bool, server_side: bool = False) -> TlsFacts:
    return TlsFacts("TLSv1.3", "any", "graftwire/1", verified, False, b"hunter2", server_side)


@pytest.mark.parametrize(
    ("facts", "confidential"),
    [
        (LinkFacts("memory", "", ""), True),
        (LinkFacts("unix", "", ""), True),
        (LinkFacts("tcp", "127.0.0.1:1", "127.0.0.1:2"), False),
        (LinkFacts("ws", "127.0.0.1:1", "127.0.0.1:2"), False),
        (LinkFacts("tls", "", "", tls(verified=True)), True),
        (LinkFacts("tls", "", "", tls(verified=False)), False),
        (LinkFacts("wss", "", "", tls(verified=False, server_side=True)), True),
    ],
)
def test_confidential(facts: LinkFacts, confidential: bool) -> None:
    assert facts.confidential is confidential


def test_a_certificate_is_not_shown_by_chance() -> None:
    assert "hunter2" not in repr(LinkFacts("tls", "", "", tls(verified=True)))
