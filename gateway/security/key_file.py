"""The file of API keys: JSON, and of each key only the hash of its secret."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from . import strict_json
from .errors import SecurityError
from .identity import is_name
from .watched import LARGEST, File, read, reason

MOST_ROLES: Final = 100  # of one key
WAIT: Final = 10.0  # seconds for another command that changes the same file
WHAT: Final = "the key file"
FORMAT: Final = "graftwire-api-keys"
VERSION: Final = 1

# The id names the key, and is no secret. The secret is 32 random bytes in base64url.
KEY: Final = re.compile(rb"gw_([a-z2-7]{12})_([A-Za-z0-9_-]{43})")
ID: Final = re.compile(r"[a-z2-7]{12}")

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_NEEDED: Final = frozenset({"id", "sha256", "subject", "roles", "created"})
_OPTIONAL: Final = frozenset({"expires", "revoked"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A key, as it is kept. `expires` and `revoked` are moments, None: never."""

    id: str
    digest: bytes = field(repr=False)
    subject: str
    roles: tuple[str, ...]
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None

    def state(self, now: datetime) -> str:
        """`revoked`, `expired` or `valid`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "valid"


Entries = Mapping[str, Entry]


def digest(secret: bytes) -> bytes:
    """What is kept of a secret.

    Plain SHA-256: a secret of 256 random bits can't be guessed, however quickly guesses are tried. What slows guesses
    down (scrypt, argon2) is for secrets that people think up; here it would only cost work at each proof.
    """
    return hashlib.sha256(secret).digest()


def new_key(
    subject: str, roles: tuple[str, ...], created: datetime, expires: datetime | None = None
) -> tuple[str, Entry]:
    """A key, which is nowhere else, and what is kept of it. Raises SecurityError."""
    if not is_name(subject):
        raise SecurityError("the subject of a key is a text of 1 to 255 printable characters")
    if len(roles) > MOST_ROLES or not all(map(is_name, roles)):
        raise SecurityError(
            f"a key has at most {MOST_ROLES} roles, each a text of 1 to 255 printable characters"
        )
    name = base64.b32encode(secrets.token_bytes(10)).decode("ascii").lower()[:12]
    secret = secrets.token_urlsafe(32)
    entry = Entry(name, digest(secret.encode("ascii")), subject, roles, created, expires)
    return f"gw_{name}_{secret}", entry


# ---------------------------------------------------------------- reading


def read_entries(path: File) -> dict[str, Entry]:
    """The keys of a file, by id, in their order. Raises SecurityError, also if others may write to the file."""
    return parse(read(path, WHAT, guarded=True), os.fspath(path))


def parse(data: bytes, name: str) -> dict[str, Entry]:
    """The keys in what a file of that name holds. Raises SecurityError."""
    try:
        value = strict_json.as_object(strict_json.loads(data)) or {}
    except ValueError:
        value = {}
    entries = strict_json.as_array(value.get("keys"))
    if entries is None or value.keys() != {FORMAT, "keys"}:
        raise SecurityError(
            f"{WHAT} {name} is no file of API keys; name another (graftwire key new makes it)"
        )
    if value[FORMAT] != VERSION or isinstance(value[FORMAT], bool):
        raise SecurityError(f"{WHAT} {name} is of another version than {VERSION}; update this side")
    found: dict[str, Entry] = {}
    for number, each in enumerate(entries, 1):
        try:
            entry = _entry(each)
            if entry.id in found:
                raise _Wrong("has an id that another one has, too")
        except _Wrong as wrong:
            raise SecurityError(f"key {number} of {WHAT} {name} {wrong}; mend it, or take it out") from None
        found[entry.id] = entry
    return found


class _Wrong(Exception):
    pass


def _entry(value: Any) -> Entry:
    table = strict_json.as_object(value)
    if table is None:
        raise _Wrong("is no object")
    if table.keys() - _NEEDED - _OPTIONAL:
        raise _Wrong(f"has something else than {', '.join(sorted(_NEEDED | _OPTIONAL))}")
    missing = sorted(_NEEDED - table.keys())
    if missing:
        raise _Wrong(f"has no {missing[0]}")
    if not isinstance(table["id"], str) or not ID.fullmatch(table["id"]):
        raise _Wrong("has an id that is not 12 characters out of a to z and 2 to 7")
    if not isinstance(table["sha256"], str) or not _HASH.fullmatch(table["sha256"]):
        raise _Wrong("has a sha256 that is not 64 hex digits")
    if not is_name(table["subject"]):
        raise _Wrong("has a subject that is no text of 1 to 255 printable characters")
    roles = strict_json.as_array(table["roles"])
    if roles is None or len(roles) > MOST_ROLES or not all(map(is_name, roles)):
        raise _Wrong(f"has roles that are no array of at most {MOST_ROLES} texts")
    created = _moment(table, "created")
    if created is None:
        raise _Wrong("has no created")
    return Entry(
        table["id"],
        bytes.fromhex(table["sha256"]),
        table["subject"],
        tuple(roles),
        created,
        _moment(table, "expires"),
        _moment(table, "revoked"),
    )


def _moment(table: Mapping[str, Any], name: str) -> datetime | None:
    value = table.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _Wrong(f"has a moment ({name}) that is not written as in 2026-11-23T10:00:00Z")
    return moment.astimezone(UTC)


# ---------------------------------------------------------------- writing


def add(path: File, entry: Entry) -> None:
    """Put a key into a file, which is made if it is not there. Raises SecurityError; the file is then as it was."""
    with _locked(path) as real:
        entries = read_entries(real) if os.path.lexists(real) else {}
        if entry.id in entries:
            raise SecurityError("the new key has an id that another one has; try again")
        _write(real, {**entries, entry.id: entry})


def revoke(path: File, name: str, now: datetime) -> Entry:
    """Mark a key as revoked; one that is already stays as it is. Returns what it was before. Raises SecurityError."""
    with _locked(path) as real:
        entries = read_entries(real)
        if name not in entries:
            raise SecurityError(
                f"{WHAT} {os.fspath(path)} has no key of that id; graftwire key list shows those that it has"
            )
        entry = entries[name]
        if entry.revoked is None:
            _write(real, {**entries, name: replace(entry, revoked=now)})
        return entry


def written(moment: datetime) -> str:
    """A moment as the file has it, in whole seconds of UTC."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


@contextmanager
def _locked(path: File) -> Generator[str]:
    """Keeps others who would change a file in the same folder waiting. Gives the file that links lead to.

    The folder is locked, not the file: that is replaced by another one each time.
    """
    real: str = os.path.realpath(os.fspath(path))
    folder = os.path.dirname(real)
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SecurityError(f"the folder {folder} can't be used: {_folder_reason(error)}") from None
    except ValueError:
        raise SecurityError(f"the path of {WHAT} has a character that no path has; check it") from None
    try:
        _lock(descriptor, folder)
        yield real
    finally:
        os.close(descriptor)


def _lock(
    descriptor: int, folder: str, wait: float = WAIT, clock: Callable[[], float] = time.monotonic
) -> None:
    end = clock() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock() >= end:
                raise SecurityError(
                    f"another command has been changing keys in {folder} for {wait:g} seconds; try again when it "
                    "is done"
                ) from None
            time.sleep(0.02)
        except OSError as error:
            raise SecurityError(f"the folder {folder} can't be locked: {reason(error)}") from None
        else:
            return


def _write(path: str, entries: Entries) -> None:
    """Put another file in the place of this one: whoever reads it sees all of the old one, or all of the new one."""
    listed = [
        {
            "id": entry.id,
            "sha256": entry.digest.hex(),
            "subject": entry.subject,
            "roles": list(entry.roles),
            "created": written(entry.created),
            "expires": None if entry.expires is None else written(entry.expires),
            "revoked": None if entry.revoked is None else written(entry.revoked),
        }
        for entry in entries.values()
    ]
    data = json.dumps({FORMAT: VERSION, "keys": listed}, indent=2, ensure_ascii=False).encode() + b"\n"
    if len(data) > LARGEST:
        raise SecurityError(f"{WHAT} {path} would be longer than {LARGEST} bytes; begin another one")
    folder = os.path.dirname(path)
    try:
        descriptor, beside = tempfile.mkstemp(prefix=".graftwire-keys-", dir=folder)  # with mode 0600
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                _keep_owner(path, descriptor)
                file.flush()
                os.fsync(descriptor)
            os.replace(beside, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(beside)
            raise
        _sync_folder(folder)
    except OSError as error:
        raise SecurityError(f"{WHAT} {path} can't be written: {_folder_reason(error)}") from None


def _keep_owner(path: str, descriptor: int) -> None:
    """Who could read the file that is replaced can still read it: a gateway often runs as another user.

    Raises SecurityError where that can't be. The gateway would go on with the old file, and with the keys in it.
    """
    try:
        before = os.stat(path)
    except FileNotFoundError:
        return
    now = os.fstat(descriptor)
    group_reads = before.st_mode & stat.S_IRWXG
    if before.st_uid != now.st_uid or (before.st_gid != now.st_gid and group_reads):
        try:
            os.fchown(descriptor, before.st_uid, before.st_gid)
        except PermissionError:
            raise SecurityError(
                f"{WHAT} {path} is somebody else's, and this user can't leave it so; run this as its owner"
            ) from None
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode) & 0o644)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _folder_reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such folder; make it first"
    if isinstance(error, PermissionError):
        return "this user may not write there; change its owner or mode"
    return reason(error)
