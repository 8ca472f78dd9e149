"""Standard output and standard error: lines, JSON lines, and consoles that know what they write to."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import trio
from rich.console import Console
from rich.text import Text

from .failure import Exit, Failure, OutputClosed

NARROW: Final = 104  # columns below which tables leave out what is least needed


@contextmanager
def writing() -> Generator[None]:
    """Around whatever writes to standard output. Raises OutputClosed, or Failure, if that takes no more."""
    try:
        yield
    except BrokenPipeError:
        abandon_output()
        raise OutputClosed from None
    except OSError as error:
        abandon_output()
        reason = os.strerror(error.errno or 0).lower()
        raise Failure(f"standard output can't be written: {reason}", Exit.FAILED, kind="output") from None


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Rich would end the process, from wherever it is."""
        abandon_output()
        raise OutputClosed

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich does it."""
        with writing():
            super().print(*objects, **options)


def console(*, error: bool = False) -> Console:
    """A console for standard output (or error). Where that is no terminal, lines are never broken or coloured."""
    stream = sys.stderr if error else sys.stdout
    wide = None if stream.isatty() else 120
    return _Console(
        file=stream, width=wide, highlight=False, markup=False, emoji=False, soft_wrap=wide is not None
    )


def fits(characters: str, stream: Console) -> bool:
    """Whether the encoding of `stream` has all of these characters."""
    try:
        characters.encode(stream.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def line(text: str | Text, *, to: Console | None = None) -> None:
    """Write one line and flush it. A `Text` keeps its colours on a terminal; nothing is broken into lines.

    Raises OutputClosed if nobody takes it any more, Failure if it can't be written.
    """
    with writing():
        if isinstance(text, Text):
            target = to if to is not None else console()
            target.print(text, soft_wrap=True)
            target.file.flush()
        else:
            print(encodable(text), flush=True)


def json_line(value: object) -> None:
    """Write `value`, which holds only what JSON has, as one line of JSON, and flush it."""
    line(json_text(value))


def json_text(value: object) -> str:
    """JSON in one line; characters beyond ASCII stay as they are where standard output can show them."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    return text if encodable(text) == text else json.dumps(value, separators=(", ", ": "))


def encodable(text: str) -> str:
    """`text` with what standard output can't encode written as escapes."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def printable(text: str) -> str:
    """`text` in one line that does nothing to a terminal: what is not printable is written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def complain(failure: Failure, *, as_json: bool) -> None:
    """Say on standard error why a command failed."""
    if not failure.sentence or sys.stderr is None:
        return
    sentence = printable(failure.sentence)
    if as_json:
        told = {"error": {"kind": failure.kind, "sentence": sentence, **failure.details}}
        print(json.dumps(told), file=sys.stderr, flush=True)
        return
    encoding = sys.stderr.encoding or "ascii"
    for each in (sentence, *map(printable, failure.more)):
        text = "graftwire: " + each.encode(encoding, "backslashreplace").decode(encoding)
        print(text, file=sys.stderr, flush=True)


def abandon_output() -> None:
    """Whoever read our output has gone: let nothing that is still buffered complain about it at the exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


async def room() -> None:
    """Wait until standard output takes more: a slow reader must not keep the session from its signs of life."""
    try:
        await trio.lowlevel.wait_writable(sys.stdout.fileno())
    except (OSError, ValueError):  # a file of a disk always takes more, and what has no descriptor too
        await trio.lowlevel.checkpoint()


def log_to_stderr(who: str = "") -> None:
    """Show what the library logs, on standard error. For commands that run until they are stopped.

    `who` stands before each message, where several processes write there.
    """
    before = f"{who}: " if who else ""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format=f"%(asctime)s %(levelname)s %(name)s: {before}%(message)s",
    )
    logging.getLogger("graftwire").setLevel(logging.INFO)
