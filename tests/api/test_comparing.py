"""A caller that was written for another version learns at connect what has changed."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any, Protocol

import pytest

import graftwire
from tests.gateway.plugins import Only

_urls = itertools.count()


@graftwire.interface(version="2.0")
class Shop:
    """What is hosted now."""

    async def price(self, item: str, currency: str) -> int:
        return 1

    async def stock(self, item: str) -> int:
        return 1

    async def order(self, item: str, count: int = 1) -> str:
        return item


class Same(Protocol):
    async def stock(self, item: str) -> int: ...

    async def order(self, item: str, count: int = 1) -> str: ...


class Earlier(Protocol):
    """What callers were written for."""

    async def price(self, item: str) -> int: ...

    async def stock(self, item: str) -> int: ...

    async def reserve(self, item: str) -> None: ...


def serving(**options: Any) -> Any:
    options.setdefault("auth", graftwire.Anonymous())
    return graftwire.serve({"Shop": Shop()}, f"memory:comparing-{next(_urls)}", **options)


async def test_the_same_interface() -> None:
    async with serving() as gateway, graftwire.connect(gateway.urls[0], expect=[Shop]) as client:
        assert await client.compare(Shop) == []
        assert await client.call("Shop.stock", "tea") == 1


async def test_changes_that_break_nothing_are_told_and_no_more() -> None:
    async with serving() as gateway:
        async with graftwire.connect(gateway.urls[0], expect={"Shop": Same}) as client:
            changes = await client.compare(Same, "Shop")
            assert changes
            assert not any(change.breaking for change in changes)
            assert await client.proxy(Same, "Shop").stock("tea") == 1


async def test_changes_that_break_calls_are_known_at_connect() -> None:
    async with serving() as gateway:
        with pytest.raises(graftwire.InterfaceChanged) as caught:
            async with graftwire.connect(gateway.urls[0], expect={"Shop": Earlier}):
                raise AssertionError
        affected = {change.where for change in caught.value.changes}
        assert affected == {"Shop.price", "Shop.reserve"}
        assert str(caught.value).startswith(
            "the other side has another version of what this side calls: Shop.price "
        )
        # who does not ask for it at connect can ask later, and go on with what still fits
        async with graftwire.connect(gateway.urls[0]) as client:
            changes = await client.compare(Earlier, "Shop")
            assert {change.where for change in changes if change.breaking} == affected
            assert await client.proxy(Earlier, "Shop").stock("tea") == 1


async def test_what_is_not_hosted_at_all() -> None:
    async with serving() as gateway:
        with pytest.raises(graftwire.InterfaceChanged) as caught:
            async with graftwire.connect(gateway.urls[0], expect={"Store": Earlier}):
                raise AssertionError
        assert str(caught.value) == (
            "the other side has another version of what this side calls: Store is not hosted, or may not be called"
        )


async def test_a_gateway_that_does_not_say_what_it_hosts() -> None:
    async with serving(allow=Only(lambda request: None)) as gateway:
        with pytest.raises(graftwire.Denied) as caught:
            async with graftwire.connect(gateway.urls[0], expect=[Shop]):
                raise AssertionError
    assert caught.value.__notes__ == [
        "Shop was to be compared with what the other side hosts, which has to allow this side graftwire.describe"
    ]
    async with graftwire.serve({}, f"memory:comparing-{next(_urls)}", auth=graftwire.Anonymous()) as gateway:
        with pytest.raises(graftwire.UnknownTarget) as missing:
            async with graftwire.connect(gateway.urls[0], expect=[Shop]):
                raise AssertionError
    assert missing.value.__notes__ == caught.value.__notes__


class Lying:
    """Answers what is not right."""

    def __init__(self, listed: object, data: object = None) -> None:
        self.listed = listed
        self.data = data

    async def call(self, target: str, *args: object) -> object:
        return self.data if args else self.listed


@pytest.mark.parametrize(
    ("listed", "data", "sentence"),
    [
        (7, None, "the list of interfaces that the other side gives can't be read"),
        ([1], None, "the list of interfaces that the other side gives can't be read"),
        ([["Shop", None, 7]], None, "the list of interfaces that the other side gives can't be read"),
        ([[[], None, bytes(32)]], None, "the list of interfaces that the other side gives can't be read"),
        (
            [["Shop", None, hashlib.sha256(b"\x87\x01").digest()]],
            b"\x87\x01",
            "what the other side gives for Shop is no metadata of an interface: its bytes break VAL-1 (META-1)",
        ),
        (
            [["Shop", None, bytes(32)]],
            b"something",
            "the metadata that the other side gives are not those of the digest (DESCRIBE-3)",
        ),
    ],
)
async def test_metadata_that_can_not_be_right(listed: object, data: object, sentence: str) -> None:
    from graftwire.comparing import compare

    lying: Any = Lying(listed, data)
    with pytest.raises(graftwire.SessionError) as caught:
        await compare(lying, Shop, "Shop")
    assert str(caught.value) == sentence
