"""Tasks behind a context manager: what its block raises comes out as it is."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from graftwire.transport.background import background_tasks


async def test_the_tasks_end_with_the_block() -> None:
    ended = trio.Event()

    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with background_tasks() as nursery:
        nursery.start_soon(work)
        await trio.testing.wait_all_tasks_blocked()
    assert ended.is_set()


@pytest.mark.parametrize(
    "error", [ValueError("mine"), KeyboardInterrupt(), ExceptionGroup("mine", [ValueError()])]
)
async def test_what_the_block_raises_comes_out_as_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        async with background_tasks() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise error
    assert caught.value is error


async def test_a_cancelled_block_is_cancelled() -> None:
    with trio.CancelScope() as scope:
        async with background_tasks() as nursery:
            nursery.start_soon(trio.sleep_forever)
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_group_that_holds_a_cancellation_is_left_to_trio() -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        with trio.CancelScope() as scope:
            async with background_tasks(), trio.open_nursery() as inner:
                inner.start_soon(trio.sleep_forever)
                scope.cancel()
                try:
                    await trio.sleep_forever()
                finally:
                    raise ValueError("mine")
    assert caught.value.subgroup(ValueError) is not None
    assert caught.value.subgroup(trio.Cancelled) is None
