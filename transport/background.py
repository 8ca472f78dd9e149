"""A nursery for the tasks behind a context manager, which a user's own exceptions pass by unchanged."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def background_tasks() -> AsyncGenerator[trio.Nursery]:
    """A nursery that is cancelled when the block ends; what the block raises comes out as it is, in no group.

    A plain nursery wraps every exception of its block into a group, because its tasks might fail too. The tasks
    here do not: they report what happens to them in other ways, and a group that comes out is a defect of theirs.
    """
    raised: BaseException | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield nursery
        except trio.Cancelled:
            raise
        except BaseExceptionGroup as group:
            if group.subgroup(trio.Cancelled) is not None:
                raise
            raised = group
        except BaseException as error:  # noqa: BLE001 - raised again below, outside of the nursery
            raised = error
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised
