"""JSON that can be read in one way only, for what decides about trust."""

from __future__ import annotations

import json
from typing import Any, NoReturn, cast


def loads(data: bytes) -> Any:
    """The value of `data`, JSON in UTF-8.

    Raises ValueError, whose text is of no use to anybody, for anything else, for a name that an object has twice (two
    readers could take different ones), for numbers that JSON does not have, for text that is no Unicode, and for what
    is nested too deeply.
    """
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # half of a surrogate pair ends here
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def as_object(value: object) -> dict[str, Any] | None:
    """A value that is an object of JSON; None: it is something else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_array(value: object) -> list[Any] | None:
    """A value that is an array of JSON; None: it is something else."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(_: str) -> NoReturn:
    raise ValueError("no number of JSON")
