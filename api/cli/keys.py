"""`graftwire key`: makes, lists and revokes API keys, in a file that holds only their hashes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from graftwire.gateway.security.errors import SecurityError
from graftwire.gateway.security.key_file import ID, Entry, add, new_key, read_entries, revoke, written

from .failure import Failure
from .output import json_line, line, printable

_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COLUMNS: Final = ("id", "state", "subject", "roles", "created", "expires")


def new(
    file: str | None, subject: str | None, roles: list[str], expires: str | None, *, as_json: bool
) -> None:
    """Put a new key into `file`, and print it: it can't be shown again. Raises Failure."""
    name = _file(file)
    if subject is None:
        raise Failure("nobody is named whom the key is for; add --subject NAME")
    now = datetime.now(UTC).replace(microsecond=0)
    end = None if expires is None else _end(now, expires)
    try:
        key, entry = new_key(subject, tuple(dict.fromkeys(roles)), now, end)
        add(name, entry)
    except SecurityError as error:
        raise Failure(str(error)) from None
    if as_json:
        json_line({"key": key, **_told(entry, now)})
    else:
        line(key)


def show(file: str | None, *, as_json: bool) -> None:
    """Print what is known of each key in `file`. Raises Failure."""
    try:
        entries = read_entries(_file(file)).values()
    except SecurityError as error:
        raise Failure(str(error)) from None
    now = datetime.now(UTC)
    if as_json:
        for entry in entries:
            json_line(_told(entry, now))
        return
    table = [_COLUMNS, *(_row(entry, now) for entry in entries)]
    widths = [max(len(row[column]) for row in table) for column in range(len(_COLUMNS))]
    for row in table:
        line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def withdraw(file: str | None, name: str, *, as_json: bool) -> None:
    """Revoke the key of that id in `file`. Raises Failure."""
    path = _file(file)
    if not ID.fullmatch(name):
        raise Failure(
            "a key is revoked by its id, the 12 characters after gw_; leave out the secret, here and wherever a shell "
            "remembers it"
        )
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        before = revoke(path, name, now)
    except SecurityError as error:
        raise Failure(str(error)) from None
    since = before.revoked if before.revoked is not None else now
    if as_json:
        json_line({"id": name, "revoked": written(since), "was": before.state(now)})
    elif before.revoked is not None:
        line(f"{name} has been revoked since {written(since)}")
    else:
        line(f"{name} is revoked")


def _file(file: str | None) -> str:
    if not file:
        raise Failure("no key file is named; add --file FILE")
    return file


def _end(now: datetime, text: str) -> datetime:
    parts = _DURATION.fullmatch(text)
    if parts is None:
        raise Failure("--expires takes a time from now, in m, h, d or w, as in --expires 90d")
    return now + timedelta(**{_UNITS[parts[2]]: int(parts[1])})


def _told(entry: Entry, now: datetime) -> dict[str, object]:
    return {
        "id": entry.id,
        "state": entry.state(now),
        "subject": entry.subject,
        "roles": list(entry.roles),
        "created": written(entry.created),
        "expires": None if entry.expires is None else written(entry.expires),
        "revoked": None if entry.revoked is None else written(entry.revoked),
    }


def _row(entry: Entry, now: datetime) -> tuple[str, ...]:
    return (
        entry.id,
        entry.state(now),
        printable(entry.subject),
        printable(", ".join(entry.roles)) or "-",
        written(entry.created),
        "never" if entry.expires is None else written(entry.expires),
    )
