from __future__ import annotations

from typing import Any

import pytest

from graftwire.protocol.limits import LEAST, RANGES, Limits

NAMES = list(Limits.__struct_fields__)


def with_value(name: str, value: Any) -> Limits:
    """Limits of which only the one in question can be wrong."""
    fields: dict[str, Any] = {"largest_frame": RANGES[0][0]} if name == "unfinished_body_bytes" else {}
    if name == "largest_frame":
        fields["unfinished_body_bytes"] = RANGES[2][1]
    return Limits(**{**fields, name: value})


@pytest.mark.parametrize("name", NAMES)
def test_takes_both_ends_of_each_range_and_nothing_beyond(name: str) -> None:
    least, most = RANGES[NAMES.index(name)]
    assert getattr(with_value(name, least), name) == least
    assert getattr(with_value(name, most), name) == most
    for wrong in (least - 1, most + 1, -1, 0):
        with pytest.raises(ValueError, match=f"{name} must be from {least} to {most}"):
            with_value(name, wrong)


@pytest.mark.parametrize("wrong", [float(2**20), True, "1048576", None])
def test_takes_integers_only(wrong: Any) -> None:
    with pytest.raises(ValueError, match="largest_frame must be"):
        Limits(largest_frame=wrong)


def test_bodies_may_not_be_bounded_below_a_frame() -> None:
    assert Limits(largest_frame=100_000, unfinished_body_bytes=100_000).largest_frame == 100_000
    with pytest.raises(ValueError, match="unfinished_body_bytes must not be below largest_frame"):
        Limits(largest_frame=100_001, unfinished_body_bytes=100_000)


def test_the_order_is_that_of_the_keys() -> None:
    assert Limits().as_tuple() == (4 * 2**20, 1_024, 16 * 2**20, 256 * 2**10, 2 * 2**20, 60_000)
    assert LEAST.as_tuple() == (65_536, 16, 65_536, 65_536, 262_144, 1_000)
    assert LEAST.as_tuple() == tuple(least for least, _ in RANGES)
