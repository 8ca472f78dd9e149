"""What becomes of an error of a call where it is raised."""

from __future__ import annotations

import trio

from graftwire.protocol.errors import CallError, ErrorCode


def fresh(error: CallError, ran: bool | None = None) -> CallError:
    """A copy of `error`, with another `ran` unless that is None.

    For a failure that many tasks are to see: each raises an exception of its own, because a traceback belongs to one.
    """
    copy = type(error).__new__(type(error))  # not its `__init__`, which takes something else in each class
    copy.args = error.args
    copy.__dict__.update(error.__dict__)
    copy.__cause__ = error.__cause__
    if ran is not None:
        copy.ran = ran
    return copy


async def after_scopes(error: CallError) -> CallError:
    """The same error, unless it is about a deadline that is a scope's: then that scope ends here, as scopes do.

    Both sides keep the time of a call, and the other side's word may be read before trio has looked at the clock.
    """
    if error.code is ErrorCode.DEADLINE_EXCEEDED:
        await trio.lowlevel.checkpoint()
    return error
