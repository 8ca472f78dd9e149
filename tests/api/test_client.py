"""Connecting, calling with options, connecting again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Protocol

import msgspec
import pytest
import trio
import trio.testing

import graftwire
from graftwire.protocol.errors import LinkClosed
from graftwire.protocol.frames import Goaway, Hello, encode
from graftwire.transport.link import Link, Listener, ListenOptions
from graftwire.transport.registry import transport_for
from graftwire.transport.url import parse


class Line(msgspec.Struct):
    article: str
    amount: int


class Refused(Exception):
    pass


class Shop:
    """What is called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.hold: trio.Event | None = None

    async def line(self, article: str, amount: int = 1) -> Line:
        self.calls.append(article)
        return Line(article, amount)

    async def lines(self, count: int) -> AsyncIterator[Line]:
        for number in range(count):
            yield Line("A", number)

    async def total(self, lines: AsyncIterator[Line]) -> int:
        return sum([line.amount async for line in lines])

    async def priced(self, lines: AsyncIterator[Line]) -> AsyncIterator[int]:
        async for line in lines:
            yield line.amount * 10

    @graftwire.raises(Refused)
    async def refuse(self) -> None:
        raise Refused("not today")

    async def slow(self) -> str:
        self.calls.append("slow")
        assert self.hold is not None
        await self.hold.wait()
        return "at last"


class ShopClient(Protocol):
    """The part of the shop that the tests use, as a caller who does not have its code would write it."""

    async def line(self, article: str, amount: int = 1) -> Line: ...

    @graftwire.raises(Refused)
    async def refuse(self) -> None: ...


def serve(shop: Shop, url: str) -> Any:
    return graftwire.serve({"Shop": shop}, url, auth=graftwire.Anonymous(), drain=0.1)


async def test_results_are_plain_unless_a_type_is_asked_for() -> None:
    async with serve(Shop(), "memory:plain") as gateway, graftwire.connect(gateway.urls[0]) as client:
        assert await client.call("Shop.line", "A", amount=3) == {"article": "A", "amount": 3}
        assert await client.using(returns=Line).call("Shop.line", "A", 3) == Line("A", 3)
        with pytest.raises(graftwire.ValueRefused, match=r"^result"):
            await client.using(returns=int).call("Shop.line", "A")


async def test_a_typed_client_from_the_class_itself() -> None:
    async with serve(Shop(), "memory:class") as gateway, graftwire.connect(gateway.urls[0]) as client:
        shop = client.proxy(Shop)
        assert await shop.line("A", 2) == Line("A", 2)
        with pytest.raises(Refused, match="not today"):
            await shop.refuse()
        proxy: Any = shop
        async with proxy.lines(2) as lines:
            assert [line async for line in lines] == [Line("A", 0), Line("A", 1)]
        async with proxy.total() as upload:
            await upload.send(Line("A", 4))
            assert await upload.result() == 4
        async with proxy.priced() as exchange:
            await exchange.send(Line("A", 4))
            assert await anext(exchange) == 40
        assert repr(shop) == "<ShopProxy>"
        with pytest.raises(AttributeError):
            proxy.line = None


async def test_a_typed_client_from_a_protocol() -> None:
    async with serve(Shop(), "memory:protocol") as gateway, graftwire.connect(gateway.urls[0]) as client:
        shop = client.proxy(ShopClient, "Shop")
        assert await shop.line("A") == Line("A", 1)
        with pytest.raises(Refused):
            await shop.refuse()


async def test_an_interface_without_methods_makes_no_client() -> None:
    class Nothing:
        pass

    async with serve(Shop(), "memory:nothing") as gateway, graftwire.connect(gateway.urls[0]) as client:
        with pytest.raises(graftwire.InterfaceError, match="Nothing has no public method"):
            client.proxy(Nothing)


async def test_what_the_block_raises_comes_out_as_it_is() -> None:
    async with serve(Shop(), "memory:block") as gateway:
        with pytest.raises(KeyError):
            async with graftwire.connect(gateway.urls[0]):
                raise KeyError
        with pytest.raises(ExceptionGroup):
            async with graftwire.connect(gateway.urls[0]):
                raise ExceptionGroup("mine", [KeyError()])
    with pytest.raises(KeyError):
        async with serve(Shop(), "memory:block"):
            raise KeyError


async def test_nobody_listens() -> None:
    with pytest.raises(graftwire.ConnectError):
        async with graftwire.connect("memory:nobody"):
            pass


async def test_an_eager_client_needs_no_round_trip() -> None:
    async with serve(Shop(), "memory:eager") as gateway:
        async with graftwire.connect(gateway.urls[0], eager=True) as client:
            assert client._connection.session.peer_limits.calls_in_flight == 16  # nothing was read yet
            assert await client.using(returns=Line).call("Shop.line", "A") == Line("A", 1)


async def test_ping_and_facts() -> None:
    async with serve(Shop(), "memory:facts") as gateway, graftwire.connect(gateway.urls[0]) as client:
        assert 0 <= await client.ping() < 5
        assert client.facts.transport == "memory"


async def test_without_retry_a_lost_session_stays_lost() -> None:
    async with serve(Shop(), "memory:lost") as gateway, graftwire.connect(gateway.urls[0]) as client:
        await gateway.drain(0)
        with pytest.raises(graftwire.Unavailable) as caught:
            await client.call("Shop.line", "A")
        assert not caught.value.ran


RETRY = graftwire.Retry(attempts=20, first=0.01, most=0.05)


async def test_retry_connects_again() -> None:
    url = "memory:again"
    async with serve(Shop(), url):
        pass
    async with trio.open_nursery() as nursery:
        shop = Shop()

        async def gateway(task_status: trio.TaskStatus[None]) -> None:
            async with serve(shop, url):
                task_status.started()
                await trio.sleep_forever()

        first = trio.CancelScope()

        async def first_gateway(task_status: trio.TaskStatus[None]) -> None:
            with first:
                await gateway(task_status)

        await nursery.start(first_gateway)
        async with graftwire.connect(url, retry=RETRY) as client:
            await client.call("Shop.line", "before")
            first.cancel()
            await trio.testing.wait_all_tasks_blocked()

            async def later() -> None:
                nursery.start_soon(nursery.start, gateway)

            nursery.start_soon(later)
            await client.call("Shop.line", "after")
            assert shop.calls == ["before", "after"]
        nursery.cancel_scope.cancel()


async def test_a_call_that_may_have_run_is_sent_again_only_if_it_is_idempotent() -> None:
    shop = Shop()
    shop.hold = trio.Event()
    async with serve(shop, "memory:idempotent") as gateway:
        async with graftwire.connect(gateway.urls[0], retry=RETRY) as client:
            outcomes: list[object] = []

            async def call(with_options: graftwire.Client) -> None:
                try:
                    outcomes.append(await with_options.call("Shop.slow"))
                except graftwire.Unavailable as error:
                    outcomes.append(error.ran)

            for options in (client, client.using(idempotent=True)):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(call, options)
                    while len(gateway.sessions) != 1 or not shop.calls:
                        await trio.lowlevel.checkpoint()
                    (session,) = gateway.sessions
                    shop.calls.clear()
                    await session._link.aclose()
                    if options is not client:
                        while not shop.calls:
                            await trio.lowlevel.checkpoint()
                        shop.hold.set()
            assert outcomes == [True, "at last"]


async def test_retry_gives_up_in_the_end() -> None:
    async with serve(Shop(), "memory:gives-up") as gateway:
        retry = graftwire.Retry(attempts=2, first=0.001, most=0.002)
        async with graftwire.connect(gateway.urls[0], retry=retry) as client:
            await gateway.drain(0)
            with pytest.raises(
                graftwire.Unavailable, match=r"no session with .* came about in 3 attempts"
            ) as caught:
                await client.call("Shop.line", "A")
            assert not caught.value.ran


async def test_a_deadline_bounds_connecting_again(autojump_clock: trio.testing.MockClock) -> None:
    async with serve(Shop(), "memory:bounded") as gateway:
        retry = graftwire.Retry(attempts=5, first=100, most=100)
        async with graftwire.connect(gateway.urls[0], retry=retry) as client:
            await gateway.drain(0)
            hurried = client.using(deadline=2)
            start = trio.current_time()
            with pytest.raises(graftwire.DeadlineExceeded):
                await hurried.call("Shop.line", "A")
            assert trio.current_time() - start == pytest.approx(2)
            for opened in (hurried.stream("Shop.lines", 1), hurried.upload("Shop.total")):
                start = trio.current_time()
                with pytest.raises(graftwire.DeadlineExceeded):
                    async with opened:
                        pytest.fail("there is nobody to call")
                assert trio.current_time() - start == pytest.approx(2)


async def test_pauses_grow_and_are_bounded() -> None:
    retry = graftwire.Retry(first=0.1, most=1.0)
    for attempt, longest in ((1, 0.1), (2, 0.2), (4, 0.8), (5, 1.0), (50, 1.0)):
        pauses = [retry.pause(attempt) for _ in range(50)]
        assert longest / 2 <= min(pauses) <= max(pauses) <= longest


async def test_a_listener_that_is_no_gateway() -> None:
    parsed = parse("memory:not-a-gateway")
    listener: Listener = await transport_for("memory").listen(parsed, ListenOptions())

    async def garbage(link: Link) -> None:
        await link.send(b"220 mail.example ESMTP\r\n")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, garbage)
        with pytest.raises(graftwire.SessionError, match="what answered does not speak Graftwire"):
            async with graftwire.connect("memory:not-a-gateway"):
                pass
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("scheme", ["tcp", "ws"])
async def test_a_peer_that_breaks_the_protocol_at_once_is_told_so(scheme: str) -> None:
    """Its HELLO and what is wrong come together: the client fails, and its GOAWAY leaves all the same (LEAVE-4)."""
    hello = encode(Hello((1,), graftwire.Limits()))
    parsed = parse(f"{scheme}://127.0.0.1:0")
    listener: Listener = await transport_for(scheme).listen(parsed, ListenOptions())
    came = b""

    async def wrong(link: Link) -> None:
        nonlocal came
        await link.receive()
        await link.send(hello + hello)
        with suppress(LinkClosed):
            while data := await link.receive():
                came += data

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listener.serve, wrong)
        with pytest.raises(graftwire.SessionError):
            async with graftwire.connect(listener.url):
                pass
        with trio.fail_after(5):
            while not came:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert came == encode(Goaway(0, graftwire.ErrorCode.PROTOCOL))


async def test_waiting_for_the_end_of_a_session() -> None:
    async with graftwire.serve({"Shop": Shop()}, "memory:ending", auth=graftwire.Anonymous()) as gateway:
        async with graftwire.connect("memory:ending") as client:
            await gateway.drain(1)
            with trio.fail_after(5):
                assert isinstance(await client.wait_ended(), graftwire.Unavailable)
