"""Values as JSON and back, without loss.

What JSON has is written as itself: null, true and false, numbers, text, arrays, and objects whose keys are text. The
rest of the values that can cross the wire is an object with one key that begins with `$`:

    {"$bytes": "AAEC"}                       base64
    {"$datetime": "2026-11-23T10:00:00Z"}    RFC 3339, with its zone
    {"$date": "2026-11-23"}  {"$time": "10:00:00.5"}
    {"$duration": "-1.5"}                    seconds, to the microsecond
    {"$decimal": "12.50"}                    its exponent is kept
    {"$uuid": "6f1c…"}
    {"$set": [1, 2]}
    {"$float": "nan"}                        nan, inf, -inf: the numbers that JSON lacks
    {"$map": [[1, "one"]]}                   keys that are integers, or texts that begin with $
    {"$reference": 3}                        only in results: an object or a callable that stays at the other side

An integer is written without a point or exponent, a float with one. Integers have any size here; programs that read
every JSON number as a double lose digits beyond 2^53.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast
from uuid import UUID

from graftwire import Remote

_ZEROS: Final = re.compile(r"(\.[0-9]*?)0+(?![0-9])")

MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference as it was seen in a body, by who takes no part in its session."""

    id: int


class NotJson(ValueError):
    """A text is not one JSON value, or a mark in it is misused. The sentence repeats nothing of the text."""


def read(text: str | bytes) -> object:
    """The value that `text` stands for. Raises NotJson."""
    try:
        return json.loads(
            text if isinstance(text, str) else text.decode("utf-8-sig"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_integer,
        )
    except NotJson:
        raise
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    except ValueError:  # JSONDecodeError and UnicodeDecodeError, whose texts may repeat the input
        raise NotJson("it is not JSON") from None


def plain(value: object) -> Any:
    """`value`, which came over the wire, as something that `json` can write."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"$float": str(value)}
        case list():
            return [plain(item) for item in cast("list[object]", value)]
        case dict():
            return _plain_map(cast("dict[object, object]", value))
        case _:
            return _marked(value)


def _plain_map(value: dict[object, object]) -> Any:
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: plain(item) for key, item in value.items()}
    return {"$map": [[key, plain(item)] for key, item in value.items()]}


def _marked(value: object) -> dict[str, Any]:
    match value:
        case bytes():
            return {"$bytes": base64.b64encode(value).decode("ascii")}
        case datetime():
            text = _brief(value.isoformat())
            return {"$datetime": text.removesuffix("+00:00") + "Z" if value.tzinfo is UTC else text}
        case date():
            return {"$date": value.isoformat()}
        case time():
            return {"$time": _brief(value.isoformat())}
        case timedelta():
            return {"$duration": _seconds(value)}
        case Decimal():
            return {"$decimal": str(value)}
        case UUID():
            return {"$uuid": str(value)}
        case set() | frozenset():
            return {"$set": sorted(map(plain, cast("set[object]", value)), key=json.dumps)}
        case Remote() | Reference():
            return {"$reference": value.id}
        case _:
            raise TypeError(f"a {type(value).__name__} is no value of the wire")


def _brief(text: str) -> str:
    """A time without the zeros at the end of its fraction."""
    return _ZEROS.sub(lambda found: found[1].rstrip("."), text)


def _seconds(value: timedelta) -> str:
    whole, rest = divmod(abs(value) // MICROSECOND, 1_000_000)
    sign = "-" if value < timedelta() else ""
    return f"{sign}{whole}" + (f".{rest:06}".rstrip("0") if rest else "")


# --- reading -----------------------------------------------------------------------------------------------------


def _constant(name: str) -> object:
    raise NotJson(f'JSON has no {name}; write {{"$float": "nan"}}, "inf" or "-inf"')


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise NotJson('a number is too large for a float; write {"$decimal": "…"}')
    return value


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # Python's bound on digits, far above what can cross the wire
        raise NotJson("an integer has too many digits") from None


def _object(pairs: list[tuple[str, object]]) -> object:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise NotJson("an object has the same key twice")
    marks = [key for key in value if key.startswith("$")]
    if not marks:
        return value
    reader = _MARKS.get(marks[0])
    if reader is None or len(value) > 1:
        raise NotJson(
            'an object with a key that begins with $ is written as {"$map": [["$key", value]]}; '
            f"alone and with a meaning there are {', '.join(_MARKS)}"
        )
    try:
        return reader(value[marks[0]])
    except NotJson:
        raise
    except (ValueError, TypeError, InvalidOperation, OverflowError):
        raise NotJson(f"what {marks[0]} holds is not of its form") from None


def _text(read: Callable[[str], object]) -> Callable[[object], object]:
    """A reader of a mark whose value is a text."""

    def of(value: object) -> object:
        if not isinstance(value, str):
            raise TypeError
        return read(value)

    return of


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError from None


def _datetime(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise NotJson("a $datetime needs its zone, as in 2026-11-23T10:00:00Z")
    return value


def _duration(text: str) -> timedelta:
    microseconds = Decimal(text).scaleb(6)
    if microseconds != microseconds.to_integral_value():
        raise NotJson("a $duration has at most six digits after the point")
    return int(microseconds) * MICROSECOND


def _special_float(text: str) -> float:
    if text not in ("nan", "inf", "-inf"):
        raise ValueError
    return float(text)


def _set(value: object) -> set[object]:
    items = _list(value)
    if len(set(items)) < len(items):
        raise ValueError
    return set(items)


def _map(value: object) -> dict[object, object]:
    made: dict[object, object] = {}
    for pair in _list(value):
        key, item = _list(pair)  # ValueError, where it is no pair
        if isinstance(key, bool) or not isinstance(key, str | int) or key in made:
            raise ValueError
        made[key] = item
    return made


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError
    return cast("list[object]", value)


def _no_reference(value: object) -> object:
    raise NotJson("a $reference can't be passed from a command line: it ended with its session")


_MARKS: Final[dict[str, Callable[[object], object]]] = {
    "$bytes": _text(_bytes),
    "$datetime": _text(_datetime),
    "$date": _text(date.fromisoformat),
    "$time": _text(time.fromisoformat),
    "$duration": _text(_duration),
    "$decimal": _text(Decimal),
    "$uuid": _text(UUID),
    "$float": _text(_special_float),
    "$set": _set,
    "$map": _map,
    "$reference": _no_reference,
}
