"""What was said, and where: flags over environment variables over the file, key by key."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final, cast

from graftwire.protocol.errors import Error

from ..members import NAME, RESERVED
from ..security.errors import SecurityError
from ..security.watched import read
from ..tables import Table
from ..workers.worker import Worker
from .errors import ConfigurationError
from .schema import (
    KEYS,
    MODULE_KEYS,
    MODULES,
    OF_WORKERS,
    PREFIX,
    SECTIONS,
    WORKER,
    Key,
    checked,
    from_variable,
    from_words,
)

WHAT: Final = "the configuration"

_ROOTS: Final = tuple(dict.fromkeys(section.partition(".")[0] for section in SECTIONS))
_OF_CALLERS: Final = "connections"
"""The table of the same file that is no gateway's: it says where callers find what they call."""

_OURS: Final = tuple(f"{PREFIX}{root.upper()}_" for root in (*_ROOTS, "modules"))


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody said.

    `place` is the file and the line, empty for flags and variables; `name` is how it is called there; relative paths
    begin at `folder`, or at the current one if None.
    """

    value: object
    place: str
    name: str
    folder: str | None = None

    def wrong(self, sentence: str) -> ConfigurationError:
        """The error for this value, as a sentence about it: `sentence` begins with its verb."""
        return ConfigurationError(f"{self.place}{self.name} {sentence}")

    @property
    def before(self) -> str:
        """What stands before a sentence of somebody else's about this value."""
        return f"{self.place}{self.name}: "


@dataclass(frozen=True, slots=True)
class Module:
    """Something to host: `text` as the command line has it, `NAME=MODULE:CLASS` or without a name.

    `worker` is what runs it, None for the gateway's own process. `place` stands before every sentence about it; modules
    are looked for in `folder` first, the current one if None.
    """

    text: str
    allow_untyped: bool = False
    worker: Worker | None = None
    place: str = field(default="", compare=False)
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Layers:
    """What all places together say: for each key the value that counts, and what to host."""

    given: Mapping[str, Given]
    modules: tuple[Module, ...]


def gather(
    path: str | None, environ: Mapping[str, str], flags: Mapping[str, object], services: tuple[str, ...]
) -> Layers:
    """Read every place. `flags` are by the whole names of their keys. Raises ConfigurationError."""
    given: dict[str, Given] = {}
    modules: tuple[Module, ...] = ()
    if path is not None:
        top = _parsed(path)
        given |= _of_file(top, os.path.dirname(path))
        modules = tuple(_modules(top, os.path.dirname(path)))
    given |= _of_environment(environ)
    words = environ.get(MODULES)
    if words is not None:
        try:
            modules = tuple(Module(text, place=f"{MODULES}: ") for text in from_words(words))
        except ValueError:
            raise ConfigurationError(f"{MODULES} has to be words, as in Shop=shop:Shop") from None
    given |= {
        path: Given(checked_value, "", KEYS[path].flag or path)
        for path, value in flags.items()
        if (checked_value := _flag(KEYS[path], value)) is not None
    }
    if services:
        modules = tuple(Module(text) for text in services)
    return Layers(given, modules)


def _flag(key: Key, value: object) -> object:
    if value is None:
        return None
    return _value(key, Given(value, "", key.flag or key.path))


def _value(key: Key, given: Given) -> object:
    try:
        return checked(key, given.value)
    except ValueError as error:
        raise given.wrong(str(error)) from None


def _parsed(path: str) -> Table:
    try:
        # others may read it, and nobody else may write: it says whose code runs, and who may call it
        data = read(path, WHAT, guarded=True)
    except SecurityError as error:
        raise ConfigurationError(str(error)) from None
    return Table.parse(path, data, error=ConfigurationError)


def _of_file(top: Table, folder: str) -> Iterator[tuple[str, Given]]:
    top.known(*_ROOTS, "modules", _OF_CALLERS)
    for section in SECTIONS:
        table = _table(top, section)
        if table is None:
            continue
        inner = [other.rpartition(".")[2] for other in SECTIONS if other.rpartition(".")[0] == section]
        keys = {key.name: key for key in KEYS.values() if key.section == section}
        table.known(*keys, *inner)
        for name, key in keys.items():
            if name in table.values:
                given = Given(table.values[name], table.place(name), f"{name} of [{section}]", folder)
                yield key.path, Given(_value(key, given), given.place, given.name, folder)


def _table(top: Table, section: str) -> Table | None:
    found = top
    for part in section.split("."):
        if part not in found.values:
            return None
        found = found.table(part)
    return found


def _modules(top: Table, folder: str) -> Iterator[Module]:
    if "modules" not in top.values:
        return
    tables = top.table("modules")
    for name in tables.values:
        if not NAME.fullmatch(name) or name.startswith(RESERVED):
            raise tables.wrong(
                None, "the name of what is hosted is printable ASCII without spaces, and not graftwire.…"
            )
        table = tables.table(name)
        table.known(*MODULE_KEYS)
        table.value("load")
        values = {
            key.name: _value(
                key, Given(table.values[key.name], table.place(key.name), f"{key.name} of [modules.{name}]")
            )
            for key in MODULE_KEYS.values()
            if key.name in table.values
        }
        yield Module(
            f"{name}={values['load']}",
            cast("bool", values.get("allow-untyped", False)),
            _worker(table, values),
            table.place("load"),
            folder,
        )


def _worker(table: Table, values: Mapping[str, object]) -> Worker | None:
    """What runs a module in processes of its own; None where that is not asked for."""
    options = {name: value for name, value in values.items() if MODULE_KEYS[name].section == OF_WORKERS}
    if values.get("run") != WORKER:
        for name in options:
            raise table.wrong(
                name,
                f'{name} is for modules that run in worker processes; add run = "{WORKER}", or take it out',
            )
        return None
    try:
        return Worker(cast("str", values["load"]), **cast("dict[str, Any]", options))
    except Error as error:
        raise table.wrong("load", str(error)) from None


def _of_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, Given]]:
    known = {key.variable: key for key in KEYS.values()}
    for name, text in environ.items():
        key = known.get(name)
        if key is not None:
            given = Given(from_variable(key, text), "", name)
            yield key.path, Given(_value(key, given), "", name)
        elif name.startswith(_OURS):
            close = get_close_matches(
                name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in known], 1
            )
            remedy = f"did you mean {PREFIX}{close[0]}?" if close else "unset it"
            raise ConfigurationError(f"the environment variable {name} sets nothing; {remedy}")
