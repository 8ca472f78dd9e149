"""Reports as files: looked at before a run begins, and put in their place in one go when it has ended."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from ..errors import HarnessError
from ..results import RunResult
from .badge import badge
from .html import html
from .jsonlines import json_lines
from .junit import junit


class Kind(StrEnum):
    """What a report is, by the option that asks for it."""

    HTML = "html"
    JUNIT = "junit"
    JSONL = "jsonl"
    BADGE = "badge"


NAMES: Final = {
    Kind.HTML: "report.html",
    Kind.JUNIT: "junit.xml",
    Kind.JSONL: "results.jsonl",
    Kind.BADGE: "badge.svg",
}
_MAKE: Final[dict[Kind, Callable[[RunResult], bytes]]] = {
    Kind.HTML: html,
    Kind.JUNIT: junit,
    Kind.JSONL: lambda run: b"".join(json_lines(run)),
    Kind.BADGE: badge,
}


@dataclass(frozen=True)
class Outputs:
    """Which reports are asked for, and where: single files, and `directory`, which gets all of them."""

    files: tuple[tuple[Kind, Path], ...] = ()
    directory: Path | None = None

    @property
    def all(self) -> tuple[tuple[Kind, Path], ...]:
        """Every file that there will be."""
        inside = (
            () if self.directory is None else tuple((kind, self.directory / NAMES[kind]) for kind in Kind)
        )
        return (*self.files, *inside)


def check(outputs: Outputs) -> None:
    """Look whether all of them can be written, and make the directory. Raises HarnessError, with a sentence.

    Files that are there already stay as they are: they are replaced at the end of the run.
    """
    seen: set[Path] = set()
    if outputs.directory is not None:
        try:
            outputs.directory.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise HarnessError(f"{outputs.directory} can't be a directory of reports: it is a file") from None
        except OSError as error:
            raise HarnessError(f"{outputs.directory} can't be made: {_reason(error)}") from None
    for kind, path in outputs.all:
        place = path.absolute()
        if place in seen:
            raise HarnessError(f"{path} is asked for twice; give each report a file of its own")
        seen.add(place)
        if path.is_dir():
            raise HarnessError(f"--{kind} needs a file, and {path} is a directory")
        if not path.parent.is_dir():
            raise HarnessError(f"{path} can't be written: there is no directory {path.parent}")
        if path.exists() and not path.is_file():
            continue  # a pipe or a device, such as /dev/stdout, is written to as it is
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".graftwire-"):
                pass
        except OSError as error:
            raise HarnessError(f"{path} can't be written: {_reason(error)}") from None


def write(run: RunResult, outputs: Outputs) -> list[Path]:
    """Make all reports and put each in its place, whole or not at all; gives the paths. Raises HarnessError.

    A report that can't be written does not keep the others from it; the error names those that failed.
    """
    made: dict[Kind, bytes] = {}
    failed: list[str] = []
    written: list[Path] = []
    for kind, path in outputs.all:
        if kind not in made:
            made[kind] = _MAKE[kind](run)
        try:
            replace(path, made[kind])
        except OSError as error:
            failed.append(f"{path} can't be written: {_reason(error)}")
        else:
            written.append(path)
    if failed:
        raise HarnessError("; ".join(failed))
    return written


def replace(path: Path, data: bytes) -> None:
    """Put a file in its place in one go: who reads it sees the old one or the new one. Raises OSError."""
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    path = Path(os.path.realpath(path))  # a link goes on to lead to it
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".graftwire-")
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _mode(path))
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _mode(path: Path) -> int:
    """The permissions of the file that is replaced, or those that a new file would get."""
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()
