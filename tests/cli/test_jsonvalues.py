"""Every value that can cross the wire, as JSON and back."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graftwire.cli.jsonvalues import NotJson, Reference, plain, read

PAIRS: list[tuple[object, str]] = [
    (None, "null"),
    (True, "true"),
    (-5, "-5"),
    (2**80, "1208925819614629174706176"),
    (1.0, "1.0"),
    (-0.0, "-0.0"),
    (1e300, "1e+300"),
    ("ü\n", '"\\u00fc\\n"'),
    ([1, ["two"]], '[1, ["two"]]'),
    ({"a": 1, "": None}, '{"a": 1, "": null}'),
    ({}, "{}"),
    (b"\x00\x01\x02", '{"$bytes": "AAEC"}'),
    (datetime(2026, 11, 23, 10, tzinfo=UTC), '{"$datetime": "2026-11-23T10:00:00Z"}'),
    (datetime(2026, 11, 23, 10, 0, 0, 500_000, tzinfo=UTC), '{"$datetime": "2026-11-23T10:00:00.5Z"}'),
    (
        datetime(2026, 11, 23, 10, tzinfo=timezone(timedelta(hours=-2))),
        '{"$datetime": "2026-11-23T10:00:00-02:00"}',
    ),
    (date(2026, 11, 23), '{"$date": "2026-11-23"}'),
    (time(10, 0, 0, 500_000), '{"$time": "10:00:00.5"}'),
    (time(10), '{"$time": "10:00:00"}'),
    (timedelta(seconds=-1.5), '{"$duration": "-1.5"}'),
    (timedelta(days=1, microseconds=1), '{"$duration": "86400.000001"}'),
    (timedelta(), '{"$duration": "0"}'),
    (Decimal("12.50"), '{"$decimal": "12.50"}'),
    (Decimal("1E+3"), '{"$decimal": "1E+3"}'),
    (UUID(int=1), '{"$uuid": "00000000-0000-0000-0000-000000000001"}'),
    ({3, 1, 2}, '{"$set": [1, 2, 3]}'),
    (set(), '{"$set": []}'),
    (math.inf, '{"$float": "inf"}'),
    (-math.inf, '{"$float": "-inf"}'),
    ({1: "one", -2: None}, '{"$map": [[1, "one"], [-2, null]]}'),
    ({"$bytes": "x"}, '{"$map": [["$bytes", "x"]]}'),
    ([{"deep": {b"\x00"}}], '[{"deep": {"$set": [{"$bytes": "AA=="}]}}]'),
]


@pytest.mark.parametrize(("value", "text"), PAIRS, ids=[text for _, text in PAIRS])
def test_there_and_back(value: object, text: str) -> None:
    assert json.dumps(plain(value)) == text
    again = read(text)
    assert again == value
    assert type(again) is type(value)
    assert repr(again) == repr(value)


def test_not_a_number_is_kept() -> None:
    assert plain(math.nan) == {"$float": "nan"}
    again = read('{"$float": "nan"}')
    assert isinstance(again, float)
    assert math.isnan(again)


def test_a_reference_is_only_ever_shown() -> None:
    assert plain([Reference(3)]) == [{"$reference": 3}]


def test_what_no_body_holds_is_a_defect() -> None:
    with pytest.raises(TypeError, match="a object is no value of the wire"):
        plain(object())


_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**100), 2**100)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.uuids()
    | st.datetimes(timezones=st.just(UTC))
    | st.sets(st.integers())
    | st.sets(st.binary())
)
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text("$ab"), inner) | st.dictionaries(st.integers(), inner)
    ),
    max_leaves=20,
)


@given(_values)
def test_nothing_is_lost(value: object) -> None:
    assert repr(read(json.dumps(plain(value)))) == repr(value) or read(json.dumps(plain(value))) == value


NO = "it is not JSON"
MARKS = (
    'an object with a key that begins with $ is written as {"$map": [["$key", value]]}; alone and with a meaning '
    "there are $bytes, $datetime, $date, $time, $duration, $decimal, $uuid, $float, $set, $map, $reference"
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", NO),
        ("secret", NO),
        ("'secret'", NO),
        ("1 2", NO),
        ("[1,]", NO),
        ('"\udcff"'.encode("utf-8", "surrogatepass"), NO),
        ("NaN", 'JSON has no NaN; write {"$float": "nan"}, "inf" or "-inf"'),
        ("-Infinity", 'JSON has no -Infinity; write {"$float": "nan"}, "inf" or "-inf"'),
        ("1e400", 'a number is too large for a float; write {"$decimal": "…"}'),
        ("9" * 5000, "an integer has too many digits"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"secret": 1, "secret": 2}', "an object has the same key twice"),
        ('{"$secret": 1}', MARKS),
        ('{"$bytes": "AA==", "a": 1}', MARKS),
        ('{"$bytes": "secret"}', "what $bytes holds is not of its form"),
        ('{"$bytes": 1}', "what $bytes holds is not of its form"),
        ('{"$datetime": "2026-11-23T10:00:00"}', "a $datetime needs its zone, as in 2026-11-23T10:00:00Z"),
        ('{"$datetime": "secret"}', "what $datetime holds is not of its form"),
        ('{"$date": "2026-13-01"}', "what $date holds is not of its form"),
        ('{"$time": "25:00"}', "what $time holds is not of its form"),
        ('{"$duration": "0.0000001"}', "a $duration has at most six digits after the point"),
        ('{"$duration": "1e30"}', "what $duration holds is not of its form"),
        ('{"$duration": "secret"}', "what $duration holds is not of its form"),
        ('{"$decimal": "secret"}', "what $decimal holds is not of its form"),
        ('{"$uuid": "secret"}', "what $uuid holds is not of its form"),
        ('{"$float": "1.5"}', "what $float holds is not of its form"),
        ('{"$set": {"a": 1}}', "what $set holds is not of its form"),
        ('{"$set": [1, 1]}', "what $set holds is not of its form"),
        ('{"$set": [[1]]}', "what $set holds is not of its form"),
        ('{"$map": [[1.5, 1]]}', "what $map holds is not of its form"),
        ('{"$map": [[true, 1]]}', "what $map holds is not of its form"),
        ('{"$map": [[1, 1], [1, 2]]}', "what $map holds is not of its form"),
        ('{"$map": [[1]]}', "what $map holds is not of its form"),
        ('{"$map": [1]}', "what $map holds is not of its form"),
        ('{"$map": 1}', "what $map holds is not of its form"),
        ('{"$reference": 3}', "a $reference can't be passed from a command line: it ended with its session"),
    ],
)
def test_what_can_not_be_read(text: str | bytes, sentence: str) -> None:
    with pytest.raises(NotJson) as caught:
        read(text)
    assert str(caught.value) == sentence
