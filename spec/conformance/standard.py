"""The clauses of the standard, read from the page that is installed with the package."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import Final

import msgspec

from .roles import Level

_CLAUSE: Final = re.compile(r"\*\*\[([A-Z]+-\d+)\]\*\* ((?:.+\n)+)")
_HEADING: Final = re.compile(r"(#{2,3}) (\d+(?:\.\d+)*) (.+)\n")
_LEVELS: Final = re.compile(r"\b(MUST|SHOULD|MAY)\b")


class Clause(msgspec.Struct, frozen=True):
    """A clause of spec/PROTOCOL.md: its id, its section ("4.1 Length and array"), and its text, in Markdown.

    `levels` are all words of BCP 14 in it, the strongest first.
    """

    id: str
    section: str
    levels: tuple[Level, ...]
    text: str

    @property
    def level(self) -> Level:
        """The most that it asks for."""
        return self.levels[0]


def parse(page: str) -> dict[str, Clause]:
    """The clauses of a page by their ids, in the order of the page."""
    found: dict[str, Clause] = {}
    section = ""
    for line in re.finditer(rf"^(?:{_HEADING.pattern}|{_CLAUSE.pattern})", page, re.MULTILINE):
        _, number, title, id, text = line.groups()
        if id is None:
            section = f"{number} {title}"
        else:
            words = set(_LEVELS.findall(text))
            levels = tuple(each for each in Level if each in words)
            found[id] = Clause(id, section, levels or (Level.MAY,), " ".join(text.split()))
    return found


@lru_cache(maxsize=1)
def clauses() -> dict[str, Clause]:
    """The clauses of the standard that this package was installed with."""
    return parse(files("graftwire.spec").joinpath("PROTOCOL.md").read_text(encoding="utf-8"))
