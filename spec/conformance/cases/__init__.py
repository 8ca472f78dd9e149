"""All cases, by chapter. A chapter is a module with `CASES`; add it to `_CHAPTERS`, in the order of the standard."""

from __future__ import annotations

from typing import Final

from ..case import Case
from . import (
    abuse,
    authentication,
    calls,
    cancellation,
    errors,
    framing,
    goaway,
    handshake,
    headers,
    hidden,
    leaving,
    links,
    liveness,
    otherwise,
    references,
    resources,
    streams,
    values,
    websocket,
)

_CHAPTERS: Final = (
    framing,
    headers,
    otherwise,
    handshake,
    authentication,
    calls,
    streams,
    cancellation,
    references,
    errors,
    liveness,
    leaving,
    goaway,
    values,
    links,
    websocket,
    hidden,
    abuse,
    resources,
)

CASES: Final[tuple[Case, ...]] = tuple(each for chapter in _CHAPTERS for each in chapter.CASES)
BY_ID: Final[dict[str, Case]] = {each.id: each for each in CASES}
CHAPTERS: Final[tuple[str, ...]] = tuple(dict.fromkeys(each.chapter for each in CASES))
