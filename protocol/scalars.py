"""The bounds of a body and the forms of its tagged scalars (spec/PROTOCOL.md, "Values", clauses VAL-4 to VAL-16).

Each tagged type has two functions here: one from the Python value to what stands inside the tag, one back. Both
raise `ValueRefused` with the clause, never with the value. Every form is the only one for its value, so that
encoding what was decoded gives the same bytes (VAL-20).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, cast
from uuid import UUID

from .errors import ValueRefused

# Containers and tags round one item (VAL-17). The two arrays round a call's arguments count.
MAX_DEPTH: Final = 64
# Data items of one body, each head counting one (VAL-18); what is more is refused before it is allocated.
MAX_ITEMS: Final = 1_048_576
# Bytes of one bignum (VAL-4); refused before the number is made.
MAX_BIGNUM_BYTES: Final = 64
# The sum of n² over the maps with n integer keys and the sets of n elements that are neither text nor bytes, of
# one body (VAL-22): one of 16,384, or 256 of 1,024. Python hashes numbers without a key, so that whoever
# chooses them can make a dict or set of n take n²/3 steps: 80,000 integer keys of 64 bits, 0.7 MB and found in
# 0.3 s, keep a processor busy for 10 s. With this bound it is a third of a second for a body at the worst.
MAX_SQUARES: Final = 16_384**2
# Elements of one set with one hash (VAL-22), before equality (a Python function for some types) is asked pair by pair.
# Honest numbers stay far below: 64-bit integers share a hash at most 16 times, floats 36 times.
MAX_SAME_HASH: Final = 64

# Integers in this range are CBOR integers, all others are bignums (VAL-3, VAL-4).
INT_LOW: Final = -(2**64)
INT_HIGH: Final = 2**64 - 1
BIGNUM_LIMIT: Final = 2 ** (8 * MAX_BIGNUM_BYTES)
# A reference is an identifier, and those have 53 bits everywhere (HEAD-2, VAL-16).
MAX_REFERENCE: Final = 2**53 - 1

TAG_DATETIME: Final = 0
TAG_BIGNUM: Final = 2
TAG_NEGATIVE_BIGNUM: Final = 3
TAG_DECIMAL: Final = 4
TAG_UUID: Final = 37
TAG_SET: Final = 258
TAG_DATE: Final = 1004
TAG_REFERENCE: Final = 41991
TAG_DURATION: Final = 41992
TAG_TIME: Final = 41993

_COEFFICIENT_LIMIT: Final = 10**34
_EXPONENT_LOW: Final = -6176
_EXPONENT_HIGH: Final = 6111
_DURATION_LIMIT: Final = 2**63 - 1
_MICROSECOND: Final = timedelta(microseconds=1)

_CLOCK: Final = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{0,5}[1-9])?"
_OFFSET: Final = r"(?:Z|(?![+-]00:00)[+-](?:[01]\d|2[0-3]):[0-5]\d)"
_is_datetime = re.compile(rf"\d{{4}}-\d\d-\d\dT{_CLOCK}{_OFFSET}", re.ASCII).fullmatch
_is_date = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
_is_time = re.compile(_CLOCK, re.ASCII).fullmatch


class Reference:
    """An object that stays at the other side, as a body carries it: a number (VAL-16).

    The base of whatever `decode(reference=…)` makes of a number; `converter` lets instances of it through where
    the annotation is a Callable or a Protocol. `id` is the number, 1 to 2^53-1.
    """

    __slots__ = ("id",)

    def __init__(self, number: int) -> None:
        self.id = number


def datetime_text(value: datetime) -> str:
    """RFC 3339 with at most six fraction digits; `Z` for UTC, otherwise the offset (VAL-9).

    Refuses naive ones and offsets that are not whole minutes.
    """
    text = datetime.isoformat(value)
    clock, zone = text[:19], text[19:]
    if zone[:1] == ".":
        clock, zone = text[:26].rstrip("0"), text[26:]
    if zone == "+00:00":
        return clock + "Z"
    if not zone:
        raise ValueRefused("VAL-9", "a datetime without a time zone")
    if len(zone) > 6:
        raise ValueRefused("VAL-9", "a datetime whose offset from UTC is not in whole minutes")
    return clock + zone


def read_datetime(content: object) -> datetime:
    """The aware datetime that a text stands for (VAL-9)."""
    if type(content) is str and len(content) <= 32 and _is_datetime(content):
        try:
            return datetime.fromisoformat(content)
        except ValueError:  # a day that the month does not have, or year 0
            pass
    raise ValueRefused("VAL-9", "not a datetime in the one form that is allowed")


def date_text(value: date) -> str:
    """`YYYY-MM-DD` (VAL-10)."""
    return date.isoformat(value)


def read_date(content: object) -> date:
    """The date that a text stands for (VAL-10)."""
    if type(content) is str and len(content) == 10 and _is_date(content):
        try:
            return date.fromisoformat(content)
        except ValueError:
            pass
    raise ValueRefused("VAL-10", "not a date of the form YYYY-MM-DD")


def time_text(value: time) -> str:
    """`HH:MM:SS` and at most six fraction digits (VAL-11). Refuses times with a zone."""
    if value.tzinfo is not None:
        raise ValueRefused("VAL-11", "a time of day with a time zone")
    text = time.isoformat(value)
    return text.rstrip("0") if value.microsecond else text


def read_time(content: object) -> time:
    """The naive time of day that a text stands for (VAL-11)."""
    if type(content) is str and len(content) <= 15 and _is_time(content):
        return time.fromisoformat(content)
    raise ValueRefused("VAL-11", "not a time of day of the form HH:MM:SS")


def duration_number(value: timedelta) -> int:
    """Whole microseconds (VAL-12)."""
    number = value // _MICROSECOND
    if not -_DURATION_LIMIT <= number <= _DURATION_LIMIT:
        raise ValueRefused("VAL-12", "a duration of more than 2^63-1 microseconds")
    return number


def read_duration(content: object) -> timedelta:
    """The timedelta of so many microseconds (VAL-12)."""
    if type(content) is int and -_DURATION_LIMIT <= content <= _DURATION_LIMIT:
        return timedelta(microseconds=content)
    raise ValueRefused("VAL-12", "not a duration in microseconds of at most 2^63-1")


def decimal_pair(value: Decimal) -> list[int]:
    """[exponent, coefficient] (VAL-13). Refuses NaN, infinity, -0 and what is beyond the bounds."""
    text = Decimal.__str__(value)
    whole, _, fraction = text.partition(".")
    try:
        coefficient, exponent = int(whole + fraction), -len(fraction)
    except ValueError:  # an exponent, or no number at all
        sign, digits, exponent = value.as_tuple()
        if not isinstance(exponent, int):
            raise ValueRefused("VAL-13", "a decimal that is not a finite number") from None
        coefficient = int("".join(map(str, digits[:40])))
        coefficient = -coefficient if sign else coefficient
    if not (
        -_COEFFICIENT_LIMIT < coefficient < _COEFFICIENT_LIMIT and _EXPONENT_LOW <= exponent <= _EXPONENT_HIGH
    ):
        raise ValueRefused("VAL-13", "a decimal of more than 34 digits, or an exponent out of -6176 to 6111")
    if not coefficient and text[0] == "-":
        raise ValueRefused("VAL-13", "a decimal that is -0")
    return [exponent, coefficient]


def read_decimal(content: object) -> Decimal:
    """The decimal of [exponent, coefficient] (VAL-13); the bounds come before any arithmetic."""
    pair = cast("list[object]", content) if type(content) is list else []
    if len(pair) == 2:
        exponent, coefficient = pair
        if (
            type(exponent) is int
            and type(coefficient) is int
            and _EXPONENT_LOW <= exponent <= _EXPONENT_HIGH
            and -_COEFFICIENT_LIMIT < coefficient < _COEFFICIENT_LIMIT
        ):
            # From text, because arithmetic would round to the precision of the thread's context.
            return Decimal(f"{coefficient}E{exponent}")
    raise ValueRefused("VAL-13", "not [exponent, coefficient] of a decimal within the bounds")


def read_uuid(content: object) -> UUID:
    """The UUID of 16 bytes (VAL-14)."""
    if type(content) is bytes and len(content) == 16:
        return UUID(bytes=content)
    raise ValueRefused("VAL-14", "not a UUID of 16 bytes")


def _read_magnitude(content: object) -> int:
    if type(content) is not bytes or len(content) > MAX_BIGNUM_BYTES:
        raise ValueRefused("VAL-4", "not a bignum of at most 64 bytes")
    if len(content) <= 8 or not content[0]:
        raise ValueRefused("VAL-4", "a bignum that has a shorter form")
    return int.from_bytes(content, "big")


def read_bignum(content: object) -> int:
    """The integer of at least 2^64 that the bytes are, most significant first (VAL-4)."""
    return _read_magnitude(content)


def read_negative_bignum(content: object) -> int:
    """The integer below -2^64: -1 minus what the bytes are (VAL-4)."""
    return -1 - _read_magnitude(content)


def read_reference(content: object) -> Reference:
    """The number of a reference, not yet an object (VAL-16)."""
    if type(content) is int and 1 <= content <= MAX_REFERENCE:
        return Reference(content)
    raise ValueRefused("VAL-16", "not the number of a reference, 1 to 2^53-1")


# What each tag's content becomes; sets are not here, for they need the bytes of their elements (VAL-8).
READERS: Final[dict[int, Callable[[object], object]]] = {
    TAG_DATETIME: read_datetime,
    TAG_BIGNUM: read_bignum,
    TAG_NEGATIVE_BIGNUM: read_negative_bignum,
    TAG_DECIMAL: read_decimal,
    TAG_UUID: read_uuid,
    TAG_DATE: read_date,
    TAG_REFERENCE: read_reference,
    TAG_DURATION: read_duration,
    TAG_TIME: read_time,
}

# The scalar types of which a set may hold one (VAL-15).
SET_KINDS: Final[frozenset[type]] = frozenset(
    {int, str, bytes, bool, float, date, time, datetime, timedelta, Decimal, UUID}
)
# Python hashes these with a key of the process: nobody outside can choose colliding ones.
KEYED: Final[frozenset[type]] = frozenset({str, bytes})


def make_set(elements: Collection[object], kinds: set[type]) -> set[object]:
    """The Python set of `elements`, whose types are `kinds`, if there is one that keeps them all (VAL-15).

    Refuses mixed and unsuitable types, elements that are equal in Python although their bytes differ (0.0 and
    -0.0, the decimals 1 and 1.0, one instant at two offsets: the set would lose one), and too many of one hash.
    """
    if len(kinds) > 1 or not kinds <= SET_KINDS:
        raise ValueRefused("VAL-15", "the elements of a set are not of one scalar type")
    if len(elements) > MAX_SAME_HASH and not kinds <= KEYED:
        [(_, most)] = Counter(map(hash, elements)).most_common(1)
        if most > MAX_SAME_HASH:
            raise ValueRefused("VAL-22", "too many elements of a set share a hash")
    result = set(elements)
    if len(result) != len(elements):
        raise ValueRefused("VAL-15", "a set has two elements that are equal")
    return result
