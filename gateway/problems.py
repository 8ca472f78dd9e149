"""What is wrong with what was to be hosted: all of it at once, each in one sentence with its place and its remedy."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any

from graftwire.protocol.errors import Error


class InterfaceError(Error):
    """An object can't be hosted, or a typed client be made, as it is.

    `problems` has a sentence for each thing that is wrong: file and line, where they are known, what it is, and the
    remedy. The text of the exception is the first of them, and how many more there are.
    """

    def __init__(self, *problems: str) -> None:
        more = len(problems) - 1
        super().__init__(problems[0] + (f"; and {more} more" if more > 0 else ""))
        self.problems = problems


def written(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that the user wrote, inside of what functools.wraps, functools.partial and the like made of it."""
    while True:
        function = inspect.unwrap(function)
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.isroutine(function) or isinstance(function, type):
            return function
        else:  # an object that can be called
            return type(function).__call__


def place(function: Callable[..., Any]) -> str:
    """Where a function was written, as the beginning of a sentence; empty where nothing is known of it."""
    code = getattr(written(function), "__code__", None)
    if code is None:
        return ""
    return f"{shown(code.co_filename)}, line {code.co_firstlineno}: "


def place_of_class(cls: type) -> str:
    """The same for a class; without a line, since reading the source for it may fail."""
    try:
        return f"{shown(inspect.getfile(cls))}: "
    except (TypeError, OSError):
        return ""


def shown(path: str) -> str:
    """A path as its reader knows it: from the current directory, if it is below that."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return path
    return path if relative.startswith(os.pardir) else relative
