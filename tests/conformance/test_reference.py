"""The reference target passes, over every link and in both roles."""

from __future__ import annotations

import pytest

from graftwire.conformance.results import Exit, Verdict
from graftwire.conformance.roles import ALL_LINKS, Link, Role

from .conftest import play  # type: ignore[import-not-found]

SLICE = (
    "frame.length.*",
    "frame.cuts.*",
    "hello.twice",
    "hello.versions.unknown.*",
    "call.unary",
    "call.id.*",
    "call.limit.*",
    "caller.unary",
    "caller.upload",
    "caller.stream",
    "cancel.running",
    "cancel.twice",
    "stream.both",
    "stream.early.*",
    "credit.stream.*",
    "deadline.running",
    "reference.callback*",
    "error.path.*",
)


@pytest.mark.parametrize("link", ALL_LINKS)
async def test_it_passes(link: Link) -> None:
    found = await play(links=(link,), cases=SLICE)
    assert [(each.name, each.detail) for each in found.results if each.verdict is not Verdict.PASSED] == []
    assert found.exit is Exit.DONE
    assert {each.role for each in found.results} == set(Role)
    assert found.targets == ["graftwire reference"]


async def test_both_secure_links_side_by_side() -> None:
    """Handshakes of tls and wss overlap, and each agrees on its own name of ALPN."""
    found = await play(
        links=(Link.TLS, Link.WSS), cases=("call.id.*", "frame.length.*"), roles=(Role.ACCEPTOR,)
    )
    assert found.exit is Exit.DONE


async def test_bounds_of_time() -> None:
    found = await play(links=(Link.TCP, Link.WS), cases=("hello.silence",))
    assert found.exit is Exit.DONE
    assert found.seconds < 10
