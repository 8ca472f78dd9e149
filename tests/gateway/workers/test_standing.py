"""Who calls, told to a worker: the same identity comes out, or it is said that it does not fit."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
import trio

from graftwire.gateway.security.identity import NOBODY, Identity, Standing
from graftwire.gateway.workers.standing import proof_of, standing_from
from graftwire.protocol import values
from graftwire.protocol.errors import ValueRefused


async def test_all_of_it_arrives() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=100)
    claims = {"groups": ["a"], "level": 3, "deep": {"none": None}}
    identity = Identity("ada", "jwt", "issuer", frozenset({"clerk", "boss"}), soon, claims)
    found = standing_from(proof_of(Standing(identity, "jwt:file", 1.0)))
    assert (found.identity, found.voucher) == (identity, "jwt:file")
    assert found.identity.claims == claims
    assert 0 < found.until - trio.current_time() <= 100  # on the clock of there


async def test_nobody_is_the_very_same() -> None:
    assert standing_from(proof_of(Standing(NOBODY, "anonymous"))).identity is NOBODY


async def test_without_an_end() -> None:
    assert standing_from(proof_of(Standing(Identity("ada", "key"), "keys"))).until == math.inf


def test_claims_without_a_form() -> None:
    with pytest.raises(ValueRefused):
        proof_of(Standing(Identity("ada", "key", claims={"it": object()}), "keys"))


@pytest.mark.parametrize("value", [[], ["ada"], 5, ["ada", "key", "", ["x"], "no moment", {}, ""]])
async def test_what_no_gateway_says(value: object) -> None:
    with pytest.raises(ValueRefused):
        standing_from(values.encode(value))
