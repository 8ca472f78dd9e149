"""TOML files of gateways and their plugins, read strictly: what is not understood is refused, not passed over."""

from __future__ import annotations

import base64
import binascii
import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import pairwise
from typing import cast

from graftwire.protocol.errors import Error

from .security.errors import SecurityError
from .security.watched import File


class Table:
    """A table of a TOML file.

    Whatever is wrong with it raises SecurityError (or `error`) with the file, the line where that can be found, and
    the remedy; no value is ever shown. `lines` are its first line and the one after its last; `path` is its dotted
    name, empty for the top level.
    """

    def __init__(
        self,
        file: File,
        text: list[str],
        values: Mapping[str, object],
        what: str,
        lines: tuple[int, int],
        *,
        path: str = "",
        error: type[Error] = SecurityError,
    ) -> None:
        self.values = values
        self._path = path
        self._error = error
        self._file = file
        self._text = text
        self._what = what
        self._lines = lines

    @classmethod
    def parse(cls, file: File, data: bytes, *, error: type[Error] = SecurityError) -> Table:
        """The top level of a file."""
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise error(f"{file} is not text in UTF-8; write it as TOML") from None
        lines = text.splitlines()
        try:
            return cls(file, lines, tomllib.loads(text), "the file", (1, len(lines) + 1), error=error)
        except tomllib.TOMLDecodeError as wrong:
            # the parser's own sentence may quote a value
            at = re.search(r"at line (\d+)", str(wrong))
            line = at[1] if at else max(len(lines), 1)
            raise error(f"{file}, line {line}: this is not TOML; correct it there or just above") from None
        except (ValueError, RecursionError):  # numbers of 5,000 digits, arrays 1,000 deep
            raise error(f"{file} is not TOML that can be read; shorten its longest line") from None

    def known(self, *keys: str) -> None:
        """Refuse every key that is not one of these."""
        for key in self.values:
            if key not in keys:
                # what is nothing like a known one may be a secret that lost its key
                shown = f" {key}" if get_close_matches(key, keys, 1) else ""
                raise self.wrong(key, f"{self._what} has an unknown key{shown}; {nearest(key, keys)}")

    def text(self, key: str) -> str:
        """A text that is not empty and has no control characters."""
        value = self.value(key)
        if not isinstance(value, str) or not value or not value.isprintable():
            raise self.wrong(key, f"{key} of {self._what} has to be a text of printable characters")
        return value

    def texts(self, key: str) -> frozenset[str]:
        """A list of such texts; empty where the key is not there."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(
            isinstance(one, str) and one and one.isprintable() for one in cast("list[object]", value)
        ):
            raise self.wrong(key, f'{key} of {self._what} has to be a list of texts, as in {key} = ["clerk"]')
        return frozenset(cast("list[str]", value))

    def secret(self, key: str, least: int) -> bytes:
        """Bytes in base64, at least so many."""
        return secret(self.text(key), f"{self.place(key)}{key} of {self._what}", least)

    def table(self, key: str) -> Table:
        """The table under a key."""
        value = self.value(key)
        if not isinstance(value, dict):
            raise self.wrong(key, f"{key} has to be a table; begin it with [{self._dotted(key)}]")
        found = self._headers(rf"\[\s*{self._named(key)}\s*\]")
        return Table(
            self._file,
            self._text,
            cast("dict[str, object]", value),
            f"[{self._dotted(key)}]",
            found[0] if len(found) == 1 else (0, 0),
            path=self._dotted(key),
            error=self._error,
        )

    def tables(self, key: str) -> list[Table]:
        """The tables under a key that can be there several times; at least one."""
        value = self.value(key)
        entries = cast("list[object]", value) if isinstance(value, list) else []
        if not entries or not all(isinstance(one, dict) for one in entries):
            raise self.wrong(key, f"{key} has to be one table or more; begin each with [[{key}]]")
        found = self._headers(rf"\[\[\s*{re.escape(key)}\s*\]\]")
        if len(found) != len(entries):
            found = [(0, 0)] * len(entries)
        return [
            Table(
                self._file,
                self._text,
                cast("dict[str, object]", one),
                f"[[{key}]] number {number}",
                lines,
                error=self._error,
            )
            for number, (one, lines) in enumerate(zip(entries, found, strict=True), 1)
        ]

    def wrong(self, key: str | None, sentence: str) -> Error:
        """The error for what is wrong at a key, or with the whole table."""
        return self._error(f"{self.place(key)}{sentence}")

    def value(self, key: str) -> object:
        """What is under a key, of whatever kind; it has to be there."""
        if key not in self.values:
            raise self.wrong(None, f"{self._what} has no {key}; add it")
        return self.values[key]

    def place(self, key: str | None) -> str:
        """File and line: of the key if it can be told for sure, or else of the table."""
        first, end = self._lines
        line = first if first > 1 or self._path else 0
        if key is not None:
            at = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*[.=]""")
            header = re.compile(rf"\s*\[+\s*{self._named(key)}\s*[\].]")
            found = [number for number in range(first, end) if first and at.match(self._text[number - 1])]
            found = found or [number for number, text in enumerate(self._text, 1) if header.match(text)][:1]
            line = found[0] if len(found) == 1 else line
        return f"{self._file}, line {line}: " if line else f"{self._file}: "

    def _dotted(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _named(self, key: str) -> str:
        """The dotted name of a table under this one, as a pattern; its last part may stand in quotes."""
        before = re.escape(self._path) + r"\s*\.\s*" if self._path else ""
        return rf"""{before}["']?{re.escape(key)}["']?"""

    def _headers(self, header: str) -> list[tuple[int, int]]:
        """The lines of each table with such a header: from it to the next header."""
        every = [number for number, line in enumerate(self._text, 1) if line.lstrip().startswith("[")]
        return [
            (first, end)
            for first, end in pairwise([*every, len(self._text) + 1])
            if re.match(rf"\s*{header}", self._text[first - 1])
        ]


def secret(text: str, what: str, least: int) -> bytes:
    """A secret in base64 (the usual alphabet) as bytes; SecurityError where it is none, or shorter than `least`."""
    try:
        value = base64.b64decode(text.strip(), validate=True)
    except (ValueError, binascii.Error):
        value = b""
    if len(value) < least:
        raise SecurityError(
            f"{what} has to be base64 of at least {least} random bytes; make one with openssl rand -base64 {least}"
        )
    return value


def nearest(name: str, known: Iterable[str]) -> str:
    """The remedy for a name that is not known: the nearest one, and all there are."""
    known = tuple(known)
    close = get_close_matches(name, known, 1)
    return (f"did you mean {close[0]}? " if close else "") + f"there are: {', '.join(known)}"
