"""Who calls, on its way to a worker: the credential of a forwarded call, in a scheme that no other link knows.

A worker believes it because nobody but its gateway can write to its links; the gateway has judged the proof before.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, Final, cast

import trio

from graftwire.protocol import values
from graftwire.protocol.errors import ValueRefused

from ..security.identity import NOBODY, Identity, Standing

SCHEME: Final = "graftwire-worker"


def proof_of(standing: Standing) -> bytes:
    """The identity, as one value of the wire. Raises ValueRefused for claims that have no form on it."""
    identity = standing.identity
    if identity is NOBODY:
        return values.encode(None)
    return values.encode(
        [
            identity.subject,
            identity.scheme,
            identity.issuer,
            set(identity.roles),
            identity.expires,
            dict(identity.claims),
            standing.voucher,
        ]
    )


def standing_from(proof: bytes) -> Standing:
    """The opposite of `proof_of`. Raises ValueRefused for bytes that it did not make."""
    plain = values.decode(proof)
    if plain is None:
        return Standing(NOBODY, "anonymous")
    try:
        subject, scheme, issuer, roles, expires, claims, voucher = cast("Any", plain)
        identity = Identity(subject, scheme, issuer, frozenset(roles), expires, claims)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueRefused("AUTH-9", "no identity of a gateway's") from error
    until = math.inf
    if expires is not None:
        until = trio.current_time() + (expires - datetime.now(UTC)).total_seconds()
    return Standing(identity, voucher, until)
