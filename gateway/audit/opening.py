"""Opening the file of an audit log for one process alone; and the names of the files that it had before."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from contextlib import suppress
from typing import Final

from graftwire.gateway.security.errors import SecurityError

_NOT_ALLOWED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def open_log(path: str, *, older: bool = False) -> int:
    """A descriptor of the log at `path`, made if it is not there, which this process alone has until it closes it.

    `older`: for one that was moved aside, to be read only. Raises SecurityError.
    """
    try:
        return _opened(path, os.O_RDONLY if older else os.O_RDWR | os.O_APPEND | os.O_CREAT)
    except OSError as error:
        raise SecurityError(_why(path, error)) from None


def _opened(path: str, flags: int) -> int:
    with suppress(FileNotFoundError):
        # Before it is opened: to open a device may do something, and to open a FIFO may block.
        _check(path, os.stat(path))
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0o600)
    try:
        _check(path, os.fstat(descriptor))
        fcntl.flock(descriptor, (fcntl.LOCK_EX if flags & os.O_CREAT else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        if not same_file(descriptor, path):  # it was moved aside by who had it until now
            raise BlockingIOError
    except BlockingIOError:
        os.close(descriptor)
        raise SecurityError(
            f"the audit log {path} is in use by another gateway; give each gateway a file of its own"
        ) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check(path: str, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise SecurityError(f"the audit log {path} is a folder; name a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise SecurityError(
            f"the audit log {path} is no regular file, so that a write to it could block; name a file on a local disk"
        )


def _why(path: str, error: OSError) -> str:
    sentence = f"the audit log {path} can't be opened"
    if error.errno == errno.ENOENT:
        return f"{sentence}: there is no folder {os.path.dirname(path) or '.'}; make it, or name another file"
    reason = os.strerror(error.errno or 0).lower()
    if error.errno in _NOT_ALLOWED:
        return f"{sentence}: {reason}; let this user read and write it, or name another file"
    return f"{sentence}: {reason}; name another file"


def same_file(descriptor: int, path: str) -> bool:
    """Whether `path` leads to the file that is open."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def moved_aside(path: str) -> list[str]:
    """The names that the files of the log at `path` were given when they were full, the newest first."""
    return [f"{path}.{number}" for number, rest in _numbers(path) if not rest]


def next_name(path: str) -> str:
    """The name for the file of the log that is full now; one that was compressed since has kept its number."""
    numbers = _numbers(path)
    return f"{path}.{int(numbers[0][0]) + 1 if numbers else 1:06}"


def _numbers(path: str) -> list[tuple[str, str]]:
    folder, name = os.path.split(path)
    pattern = re.compile(re.escape(name) + r"\.([0-9]{6,18})(\..*)?", re.DOTALL)
    found = [match for entry in os.listdir(folder or ".") if (match := pattern.fullmatch(entry))]
    return sorted(((match[1], match[2] or "") for match in found), key=lambda one: int(one[0]), reverse=True)
