"""Asking a plugin something, in its time. It is code of somebody else's: whatever goes wrong in it stays in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import trio

_About = TypeVar("_About")
_Answer = TypeVar("_Answer")


NOT_ITS_OWN: Final = (trio.Cancelled, KeyboardInterrupt, GeneratorExit)
"""What goes through somebody else's code and is none of its doing. All else that it raises stays in it: extensions in
other languages, and other event loops, have exceptions that are no Exception, and a stranger may be the reason."""


class PluginFailed(Exception):
    """A plugin gave no answer. `reason` says what it did instead, as in "raised KeyError".

    `kind` is the class of what it raised, and `place` says where that was, for the log; None: it took too long. None
    of them has the text of an exception in it, which may hold anything, a proof above all.
    """

    def __init__(self, reason: str, kind: str | None = None, place: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind
        self.place = place

    @property
    def detail(self) -> str:
        """What it did, and where, for the log."""
        return self.reason if self.place is None else f"failed: {self.place}"


async def ask(
    question: Callable[[_About], Awaitable[_Answer]],
    about: _About,
    seconds: float,
    *,
    passing: tuple[type[Exception], ...] = (),
) -> _Answer:
    """The answer of a plugin, within so many seconds.

    Raises PluginFailed for none: it raised something (not one of `passing`), tried to end the program, or took too
    long. If cancelled, what it raises on its way out is dropped.
    """
    scope = trio.move_on_after(seconds)
    try:
        with scope:
            answer = await question(about)
            if not scope.cancel_called:
                return answer
    except passing:
        raise
    except NOT_ITS_OWN:
        raise
    except BaseExceptionGroup as group:
        if group.subgroup(_is_serious) is not None:
            raise
        cancelled, rest = group.split(trio.Cancelled)
        if cancelled is not None:
            raise cancelled from None
        assert rest is not None
        if not scope.cancel_called:
            raise _failed(rest) from None
    except BaseException as error:  # noqa: BLE001 - that is what this function is for
        if not scope.cancel_called:
            raise _failed(error) from None
    raise PluginFailed(f"took longer than {seconds:g} s")


def place_of(error: BaseException) -> str:
    """What kind of exception it is and where it was raised, without its text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" in {trace.tb_frame.f_code.co_qualname}, line {trace.tb_lineno}"
    return type(error).__name__ + where


def _failed(error: BaseException) -> PluginFailed:
    kind = type(error).__name__
    return PluginFailed(f"raised {kind}", kind, place_of(error))


def _is_serious(error: BaseException) -> bool:
    return isinstance(error, KeyboardInterrupt | GeneratorExit)
