"""One failure that many tasks are to see: each raises an exception of its own, because a traceback belongs to one."""

from __future__ import annotations

from graftwire.protocol.errors import CallError


def fresh(error: CallError, ran: bool | None = None) -> CallError:
    """A copy of `error`, with another `ran` unless that is None."""
    copy = type(error).__new__(type(error))  # not its `__init__`, which takes something else in each class
    copy.args = error.args
    copy.__dict__.update(error.__dict__)
    copy.__cause__ = error.__cause__
    if ran is not None:
        copy.ran = ran
    return copy
