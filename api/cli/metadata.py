"""`graftwire metadata`: what of an interface is known outside, and what a change of it means."""

from __future__ import annotations

import os
import sys
from typing import Final

from graftwire.gateway.loading import described, find
from graftwire.gateway.metadata.as_json import from_json, to_json
from graftwire.gateway.metadata.diff import Change
from graftwire.gateway.metadata.diff import diff as compare
from graftwire.gateway.metadata.encode import MAX_SIZE, decode_all, encode
from graftwire.gateway.metadata.model import Interface, MetadataError
from graftwire.gateway.metadata.text import text

from .failure import Exit, Failure
from .output import encodable, json_line, json_text, line, writing

_ARRAY: Final = 0x87  # how the bytes of an interface begin
_OBJECT: Final = ord("{")
_MOST: Final = 64 * MAX_SIZE  # bytes of a file with many interfaces


def show(what: str, output: str | None, *, cbor: bool, as_json: bool, allow_untyped: bool) -> None:
    """Write the metadata of `what` to standard output or to a file. Raises Failure."""
    if cbor and as_json:
        raise Failure("--cbor and --json are two forms of the same; choose one")
    if cbor and output is None and sys.stdout.isatty():
        raise Failure("bytes are of no use on a terminal; add --output FILE")
    found = _find(what, allow_untyped=allow_untyped)
    if cbor:
        data = b"".join(map(encode, found))
    elif as_json:
        data = "".join(json_text(to_json(each)) + "\n" for each in found).encode()
    else:
        data = (
            encodable("".join(map(text, found))).encode()
            if output is None
            else "".join(map(text, found)).encode()
        )
    _write(data, output)


def diff(old: str, new: str, *, as_json: bool, allow_untyped: bool) -> None:
    """Write the changes from `old` to `new`. Raises Failure, with exit code 1 if one of them breaks callers."""
    changes = _changes(_find(old, allow_untyped=allow_untyped), _find(new, allow_untyped=allow_untyped))
    for change in changes:
        if as_json:
            json_line(change._asdict())
        else:
            line(f"{'breaks callers' if change.breaking else 'no harm':<15} {change.where}: {change.what}")
    if not changes and not as_json:
        line("no change")
    breaking = sum(change.breaking for change in changes)
    if breaking:
        raise Failure(
            f"{breaking} of {len(changes)} changes break{'s' if breaking == 1 else ''} callers that were made from the "
            "old interface",
            Exit.FAILED,
            kind="breaking",
        )


def _changes(old: list[Interface], new: list[Interface]) -> list[Change]:
    if len(old) == len(new) == 1:
        return compare(old[0], new[0])
    known = {interface.name: interface for interface in new}
    changes: list[Change] = []
    for interface in old:
        now = known.pop(interface.name, None)
        changes += [Change(interface.name, "is gone", True)] if now is None else compare(interface, now)
    return changes + [Change(name, "is new", False) for name in known]


def _find(what: str, *, allow_untyped: bool) -> list[Interface]:
    """The interfaces of a class, of a module, or of a file."""
    if not os.path.isfile(what):
        if os.sep in what or what.endswith((".cbor", ".json")):
            form = "--json" if what.endswith(".json") else "--cbor"
            raise Failure(f"there is no file {what}; write it with graftwire metadata {form} --output")
        return described(find(what, folder=os.getcwd()), allow_untyped=allow_untyped)
    try:
        with open(what, "rb") as file:
            data = file.read(_MOST)
    except OSError as error:
        raise Failure(f"{what} can't be read: {os.strerror(error.errno or 0).lower()}") from None
    try:
        if data[:1] and data[0] in (_ARRAY, _OBJECT):
            return decode_all(data) if data[0] == _ARRAY else from_json(data)
    except MetadataError as error:
        raise Failure(
            f"{what} can't be used: {error}; write it anew with graftwire metadata --cbor"
        ) from None
    raise Failure(
        f"{what} is no metadata; write it with graftwire metadata --cbor or --json, or name a class as in shop:Invoices"
    )


def _write(data: bytes, output: str | None) -> None:
    if output is None:
        with writing():
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        return
    try:
        with open(output, "wb") as file:
            file.write(data)
    except OSError as error:
        raise Failure(
            f"{output} can't be written: {os.strerror(error.errno or 0).lower()}", Exit.FAILED, kind="output"
        ) from None
