"""The arguments of a call, and the items of a caller's stream, from the command line's texts.

No sentence here repeats an argument: a shell's history is enough of a risk for what people type.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import trio

from .failure import Failure
from .jsonvalues import NotJson, read

READ: Final = 65_536  # bytes read at a time from a file of items

_OPTION: Final = re.compile(r"--[a-z][a-z-]{0,30}(?=$|=)")
_TARGET: Final = re.compile(r"[!-~]{1,255}")


def check_target(target: str) -> None:
    """Refuse what no target can be (clause CALL-3)."""
    if not _TARGET.fullmatch(target):
        raise Failure(
            "what is called is named by its class and method in printable ASCII, as in Invoices.total"
        )


def positional(texts: list[str]) -> list[object]:
    """The values of the positional arguments."""
    return [_argument(text, f"argument {number}") for number, text in enumerate(texts, 1)]


def by_name(texts: list[str]) -> dict[str, object]:
    """The values of the arguments that were given as `name=JSON`."""
    values: dict[str, object] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise Failure("--named takes a name and a value, as in --named amount=12")
        if name in values:
            raise Failure(f"the argument {name} is given twice")
        values[name] = _argument(value, f"the argument {name}")
    return values


def _argument(text: str, which: str) -> object:
    try:
        return read(text)
    except NotJson as error:
        if text.startswith("-"):
            option = _OPTION.match(text)
            named = f" {option.group()}" if option else ""
            raise Failure(f"there is no option{named}; see graftwire call --help") from None
        if str(error) != "it is not JSON":
            raise Failure(f"{which} can't be used: {error}") from None
        raise Failure(
            f"{which} is not JSON; a text needs quotes that the shell leaves alone: '\"like this\"'"
        ) from None


def open_for_reading(name: str) -> int:
    """A file descriptor for the file (`-`: standard input). Raises Failure."""
    if name == "-":
        if sys.stdin is None:
            raise Failure("standard input is closed; give it something to read")
        return os.dup(0)
    try:
        descriptor = os.open(name, os.O_RDONLY)
        os.read(descriptor, 0)  # a directory can be opened, but not read
    except OSError as error:
        raise Failure(f"the file {name} can't be read: {os.strerror(error.errno or 0).lower()}") from None
    return descriptor


async def items(descriptor: int) -> AsyncGenerator[object]:
    """The values in a file of one JSON value a line, as they come; empty lines don't count. Closes the file."""
    number = 0
    async with aclosing(_lines(descriptor)) as lines:
        async for text in lines:
            number += 1
            if text.strip():
                try:
                    yield read(text)
                except NotJson as error:
                    raise Failure(f"line {number} of the items can't be used: {error}") from None


async def _lines(descriptor: int) -> AsyncGenerator[bytes]:
    try:
        rest = b""
        while True:
            try:
                await trio.lowlevel.wait_readable(descriptor)
            except OSError:  # a file of a disk can always be read, and says that nobody can wait for it
                await trio.lowlevel.checkpoint()
            data = os.read(descriptor, READ)
            if not data:
                break
            *whole, rest = (rest + data).split(b"\n")
            for text in whole:
                yield text
        if rest:
            yield rest
    finally:
        trio.lowlevel.notify_closing(descriptor)
        os.close(descriptor)
