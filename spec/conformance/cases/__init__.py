"""All cases, by chapter. A chapter is a module with `CASES`; add it to `_CHAPTERS`, in the order of the standard."""

from __future__ import annotations

from typing import Final

from ..case import Case
from . import calls, framing, handshake, hidden, leaving, resources, values

_CHAPTERS: Final = (framing, handshake, calls, leaving, values, hidden, resources)

CASES: Final[tuple[Case, ...]] = tuple(each for chapter in _CHAPTERS for each in chapter.CASES)
BY_ID: Final[dict[str, Case]] = {each.id: each for each in CASES}
CHAPTERS: Final[tuple[str, ...]] = tuple(dict.fromkeys(each.chapter for each in CASES))
