"""What a long run is judged by: a leak is seen, and what is under way by chance is not taken for one."""

from __future__ import annotations

import random

import pytest

from graftwire.bench.soak import EVERY, MEGABYTE, MOST_GROWTH, Series

SINCE, ENDS = 180.0, 780.0  # seconds


def looks(growth: float) -> Series:
    """Ten minutes of 100 MiB that grow by so many percent an hour, with calls under way that take up to 2 MiB more."""
    series, chance = Series("it"), random.Random(7)
    for number in range(int(ENDS / EVERY)):
        second = number * EVERY
        grown = 100 * MEGABYTE * (1 + growth / 100 * second / 3_600)
        series.add(second, {"memory": grown + chance.choice((0, 0, 1)) * chance.random() * 2 * MEGABYTE})
    return series


@pytest.mark.parametrize("growth", [-5, 0, 5])
def test_the_growth_is_that_of_what_is_kept(growth: float) -> None:
    assert looks(growth).growth("memory", SINCE) == pytest.approx(growth, abs=MOST_GROWTH)
