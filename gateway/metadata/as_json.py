"""An interface as JSON, with words in the place of numbers; for people and scripts, never for a digest."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from .check import check
from .model import Interface, MetadataError


def to_json(interface: Interface) -> dict[str, Any]:
    """An interface as what JSON has: the model as it is (see spec/METADATA.md)."""
    return cast("dict[str, Any]", msgspec.to_builtins(interface, builtin_types=()))


def from_json(data: bytes) -> list[Interface]:
    """The interfaces of JSON objects, one a line. Raises MetadataError."""
    found: list[Interface] = []
    for line in data.splitlines():
        if line.strip():
            try:
                found.append(check(msgspec.json.decode(line, type=Interface)))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                raise MetadataError("META-2", "it is JSON of another form") from None
    if not found:
        raise MetadataError("META-2", "it is empty")
    return found
