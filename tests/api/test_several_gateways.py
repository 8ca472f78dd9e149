"""Several addresses: how calls are spread, and what happens when some of the gateways leave, die or refuse."""

from __future__ import annotations

import random
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
import trustme

import graftwire
from graftwire.connection import BALANCES

RETRY = graftwire.Retry(attempts=20, first=0.01, most=0.05)
POLICIES = pytest.mark.parametrize("balance", BALANCES)


class Shop:
    """What both gateways host; it knows which one it is at."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls = 0
        self.release = trio.Event()

    async def where(self) -> str:
        self.calls += 1
        await trio.sleep(0.001)
        return self.name

    async def slow(self) -> str:
        self.calls += 1
        await self.release.wait()
        return self.name

    async def counted(self, count: int) -> AsyncIterator[str]:
        self.calls += 1
        for _ in range(count):
            yield self.name
            await trio.sleep(0.001)


class Running:
    """A gateway that a test can stop, in order or not."""

    def __init__(self, shop: Shop, gateway: graftwire.Gateway, scope: trio.CancelScope) -> None:
        self.shop = shop
        self.gateway = gateway
        self.scope = scope
        self.url = gateway.urls[0]

    async def kill(self) -> None:
        """No word to anybody: the links are gone, and nobody listens."""
        self.gateway.stop()
        for session in list(self.gateway.sessions):
            await session._link.aclose()


async def start(nursery: trio.Nursery, name: str, url: str = "tcp://127.0.0.1:0", **options: Any) -> Running:
    async def run(task_status: trio.TaskStatus[Running]) -> None:
        shop = Shop(name)
        with trio.CancelScope() as scope:
            settings = {"auth": graftwire.Anonymous(), "drain": 0.2, **options}
            async with graftwire.serve({"Shop": shop}, url, **settings) as gateway:
                task_status.started(Running(shop, gateway, scope))
                await trio.sleep_forever()

    started: Running = await nursery.start(run)
    return started


@asynccontextmanager
async def gateways(*names: str) -> AsyncGenerator[list[Running]]:
    async with trio.open_nursery() as nursery:
        yield [await start(nursery, name) for name in names]
        nursery.cancel_scope.cancel()


def connect(running: list[Running], **options: Any) -> Any:
    return graftwire.connect([each.url for each in running], **{"retry": RETRY, **options})


async def places(client: graftwire.Client, count: int) -> list[str]:
    return [await client.call("Shop.where") for _ in range(count)]


async def until_all_are_connected(running: list[Running]) -> None:
    with trio.fail_after(5):
        while not all(each.gateway.sessions for each in running):
            await trio.sleep(0.002)


# --- policies -------------------------------------------------------------------------------------------------------


async def test_first_uses_the_first_that_answers() -> None:
    async with gateways("a", "b") as running:
        async with connect(running) as client:
            assert set(await places(client, 10)) == {"a"}
            assert not running[1].gateway.sessions
        await running[0].gateway.drain(0)
        async with connect(running) as client:
            assert set(await places(client, 10)) == {"b"}


async def test_random_draws_an_order_for_each_client(monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateways("a", "b") as running:
        random.seed(7)
        met: set[str] = set()
        for _ in range(30):
            async with connect(running, balance="random") as client:
                met |= (here := set(await places(client, 3)))
                assert len(here) == 1
        assert met == {"a", "b"}


async def test_round_robin_takes_turns() -> None:
    async with (
        gateways("a", "b", "c") as running,
        connect(running, balance="round-robin", retry=None) as client,
    ):
        await until_all_are_connected(running)
        met = await places(client, 12)
        assert {name: met.count(name) for name in "abc"} == {"a": 4, "b": 4, "c": 4}
        assert met[:3] == met[3:6]


async def test_addresses_have_to_make_sense() -> None:
    with pytest.raises(graftwire.UrlError, match="at least one address"):
        async with graftwire.connect([]):
            pass
    with pytest.raises(graftwire.UrlError, match="stands twice"):
        async with graftwire.connect(["tcp://LOCALHOST:7400", "tcp://localhost:7400"]):
            pass
    with pytest.raises(ValueError, match="first, random, round-robin"):
        async with graftwire.connect("tcp://localhost:7400", balance="least"):  # type: ignore[arg-type]
            pass


@POLICIES
async def test_none_answers_at_the_start(balance: Any) -> None:
    urls = ["memory:nobody-a", "memory:nobody-b"]
    with pytest.raises(graftwire.ConnectError, match=r"none of the 2 addresses") as caught:
        async with graftwire.connect(urls, balance=balance, retry=RETRY):
            pass
    assert all(f"{url}: nobody listens" in str(caught.value) for url in urls)


# --- one leaves, or dies --------------------------------------------------------------------------------------------


@POLICIES
async def test_one_of_two_is_drained_under_load_without_a_failed_call(balance: Any) -> None:
    async with gateways("a", "b") as running, connect(running, balance=balance) as client:
        if balance == "round-robin":
            await until_all_are_connected(running)
        answers: list[str] = []
        streamed: list[int] = []
        done = trio.Event()

        async def load() -> None:
            while not done.is_set():
                answers.append(await client.call("Shop.where"))

        async def streams() -> None:
            while not done.is_set():
                async with client.stream("Shop.counted", 20) as items:
                    streamed.append(len([item async for item in items]))

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(load)
                nursery.start_soon(streams)
            await trio.sleep(0.1)
            leaving = running[0] if running[0].shop.calls else running[1]
            other = running[1] if leaving is running[0] else running[0]
            before = other.shop.calls
            await leaving.gateway.drain(5)
            at_the_end = leaving.shop.calls
            await trio.sleep(0.1)
            done.set()
        assert leaving.shop.calls == at_the_end
        assert other.shop.calls > before + 20
        assert set(streamed) == {20}
        # every call ran once: none was sent twice, none was lost
        assert len(answers) + len(streamed) == sum(each.shop.calls for each in running)


@POLICIES
async def test_running_calls_end_where_they_are_while_new_ones_go_elsewhere(balance: Any) -> None:
    async with gateways("a", "b") as running, connect(running, balance=balance) as client:
        ended: list[str] = []

        async def slow() -> None:
            ended.append(await client.call("Shop.slow"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(slow)
            with trio.fail_after(5):
                while not any(each.shop.calls for each in running):
                    await trio.sleep(0.002)
            leaving = next(each for each in running if each.shop.calls)
            other = next(each for each in running if each is not leaving)
            nursery.start_soon(leaving.gateway.drain, 5)
            with trio.fail_after(5):
                while other.shop.name not in await places(client, 1) or leaving.gateway.ready:
                    await trio.sleep(0.002)  # until GOAWAY is read
            await trio.sleep(0.01)
            assert set(await places(client, 5)) == {other.shop.name}
            leaving.shop.release.set()
        assert ended == [leaving.shop.name]


async def test_the_next_session_is_there_before_a_call_needs_it() -> None:
    async with gateways("a", "b") as running, connect(running) as client:
        await running[0].gateway.drain(0)
        await until_all_are_connected(running[1:])
        await trio.testing.wait_all_tasks_blocked()
        assert client._connection.ready() is not None
        assert client.facts.peer == running[1].url.removeprefix("tcp://")


@POLICIES
async def test_one_is_killed(balance: Any) -> None:
    """What was under way may have run, and is sent again only if it may be; nothing else fails."""
    async with gateways("a", "b") as running, connect(running, balance=balance) as client:
        outcomes: list[object] = []

        async def slow(options: graftwire.Client) -> None:
            try:
                outcomes.append(await options.call("Shop.slow"))
            except graftwire.Unavailable as error:
                outcomes.append(error.ran)

        async def stream() -> None:
            try:
                async with client.stream("Shop.counted", 1_000_000) as items:
                    async for _ in items:
                        pass
            except graftwire.Unavailable as error:
                outcomes.append(f"the stream ended, ran={error.ran}")

        first = running[0] if balance != "random" else None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(slow, client)
            with trio.fail_after(5):
                while not any(each.shop.calls for each in running):
                    await trio.sleep(0.002)
            dying = first or next(each for each in running if each.shop.calls)
            if balance == "round-robin":
                dying = next(each for each in running if each.shop.calls)
            other = next(each for each in running if each is not dying)
            other.shop.release.set()
            if balance != "round-robin":
                nursery.start_soon(slow, client.using(idempotent=True))
                nursery.start_soon(stream)
                with trio.fail_after(5):
                    while dying.shop.calls < 3:
                        await trio.sleep(0.002)
            await dying.kill()
            await places(client.using(idempotent=True), 1)  # it may go out before the end is noticed
            assert set(await places(client, 10)) == {other.shop.name}
        assert True in outcomes
        if balance != "round-robin":
            assert sorted(map(str, outcomes)) == sorted(
                ["True", other.shop.name, "the stream ended, ran=True"]
            )


@POLICIES
async def test_all_are_down_and_one_comes_back(balance: Any) -> None:
    async with trio.open_nursery() as nursery:
        running = [await start(nursery, "a", "memory:down-a"), await start(nursery, "b", "memory:down-b")]
        async with connect(running, balance=balance) as client:
            assert await client.call("Shop.where") in {"a", "b"}
            for each in running:
                each.scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            hurried = graftwire.Retry(attempts=2, first=0.001, most=0.002)
            client._connection.retry = hurried
            for place in client._connection._places:
                place._retry = hurried
            with trio.fail_after(5), pytest.raises(graftwire.Unavailable, match="no session came") as caught:
                while True:
                    await client.call("Shop.where")
            assert not caught.value.ran
            assert "memory:down-a: nobody listens" in str(caught.value)
            assert "memory:down-b: nobody listens" in str(caught.value)
            await start(nursery, "b again", "memory:down-b")
            assert await client.call("Shop.where") == "b again"
        nursery.cancel_scope.cancel()


async def test_an_address_that_failed_is_tried_again_later() -> None:
    async with trio.open_nursery() as nursery:
        there = await start(nursery, "a", "memory:later-a")
        urls = [there.url, "memory:later-b"]
        async with graftwire.connect(urls, balance="round-robin", retry=RETRY) as client:
            assert set(await places(client, 5)) == {"a"}
            await start(nursery, "b", "memory:later-b")
            with trio.fail_after(5):
                while "b" not in await places(client, 2):
                    await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


async def test_who_makes_no_calls_dials_a_bounded_number_of_times(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="graftwire.client")
    async with trio.open_nursery() as nursery:
        running = [await start(nursery, "a", "memory:idle-a"), await start(nursery, "b", "memory:idle-b")]
        async with connect(running, retry=graftwire.Retry(attempts=3)):
            for each in running:
                each.scope.cancel()
            await trio.sleep(10_000)
            assert len(caplog.messages) == 2 * 4
            assert "memory:idle-b gives no session, so another address is tried" in "".join(caplog.messages)
        nursery.cancel_scope.cancel()


async def test_gateways_that_leave_at_once_are_not_dialled_all_the_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A session that hardly lasts counts as one that did not come about."""
    sessions = 0
    async with trio.open_nursery() as nursery:
        running = await start(nursery, "a", "memory:flapping")
        retry = graftwire.Retry(attempts=3, first=1.0, most=60.0)
        async with connect([running], retry=retry):
            last = None
            end = trio.current_time() + 600
            while trio.current_time() < end:
                for session in list(running.gateway.sessions):
                    if session is not last:
                        last, sessions = session, sessions + 1
                        session.close()
                await trio.sleep(0.1)
        assert 5 < sessions < 40
        nursery.cancel_scope.cancel()


# --- refusals, mixtures ---------------------------------------------------------------------------------------------


class Key(graftwire.CredentialProvider):
    async def credential(self, occasion: graftwire.Occasion) -> graftwire.Credential:
        return graftwire.Credential("key", b"mine")


class Keys(graftwire.Authenticator):
    schemes = ("key",)

    def __init__(self, proof: bytes) -> None:
        self.proof = proof

    async def authenticate(self, attempt: graftwire.Attempt) -> graftwire.Identity | graftwire.Refusal:
        if attempt.proof == self.proof:
            return graftwire.Identity("me", "key")
        return graftwire.Refusal("another key")


@POLICIES
async def test_one_refuses_the_credential(balance: Any) -> None:
    async with trio.open_nursery() as nursery:
        allow = graftwire.AnyIdentity()
        settings = {"allow": allow, "plain_proofs": True}
        refusing = await start(nursery, "a", auth=Keys(b"another"), **settings)
        taking = await start(nursery, "b", auth=Keys(b"mine"), **settings)
        options: dict[str, Any] = {"credential": Key(), "plain_proofs": True, "balance": balance}
        async with connect([refusing, taking], **options) as client:
            assert set(await places(client, 5)) == {"b"}
        with pytest.raises(graftwire.Unauthenticated, match="does not know who is calling"):
            async with connect([refusing], **options):
                pass
        also = await start(nursery, "c", auth=Keys(b"a third"), **settings)
        with pytest.raises(graftwire.Unauthenticated, match="none of the 2 addresses"):
            async with connect([refusing, also], **options):
                pass
        # who is refused by all in the middle of its life is told so, too
        async with connect([refusing, taking], **options) as client:
            await taking.gateway.drain(0)
            with pytest.raises((graftwire.Unauthenticated, graftwire.Unavailable)):
                await client.using(deadline=5).call("Shop.where")
        nursery.cancel_scope.cancel()


async def test_a_gateway_that_has_changed_its_mind_about_the_credential() -> None:
    async with trio.open_nursery() as nursery:
        settings = {"allow": graftwire.AnyIdentity(), "plain_proofs": True}
        first = await start(nursery, "a", "memory:mind", auth=Keys(b"mine"), **settings)
        async with connect([first], credential=Key()) as client:
            assert await client.call("Shop.where") == "a"
            first.scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            await start(nursery, "b", "memory:mind", auth=Keys(b"another"), **settings)
            with trio.fail_after(5), pytest.raises(graftwire.Unauthenticated):
                await client.call("Shop.where")
        nursery.cancel_scope.cancel()


@POLICIES
async def test_addresses_of_several_transports(balance: Any, tmp_path: Path) -> None:
    authority = trustme.CA()
    server = graftwire.server_context
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "a.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = server(str(tmp_path / "a.pem"))
    assert isinstance(tls, ssl.SSLContext)
    urls = [f"{scheme}://127.0.0.1:0" for scheme in ("tls", "wss", "tcp", "ws")]
    urls += [f"unix:{tmp_path}/socket", f"memory:mixed-{balance}"]
    async with trio.open_nursery() as nursery:
        running = [
            await start(nursery, url.partition(":")[0], url, options=graftwire.ListenOptions(tls=tls))
            for url in urls
        ]
        options = graftwire.ConnectOptions(tls=graftwire.client_context(ca=str(tmp_path / "ca.pem")))
        async with connect(running, balance=balance, options=options) as client:
            left = {each.shop.name: each for each in running}
            while left:
                name = await client.call("Shop.where")
                await left.pop(name).gateway.drain(0)
        nursery.cancel_scope.cancel()


async def test_a_block_that_ends_while_it_dials_leaves_nothing(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        running = [await start(nursery, "a"), await start(nursery, "b")]
        async with connect(running, balance="round-robin") as client:
            await client.call("Shop.where")
            for each in running:
                await each.gateway.drain(0)
        with pytest.raises(graftwire.Unavailable, match=r"ended|leaving"):
            await client.call("Shop.where")
        nursery.cancel_scope.cancel()


@POLICIES
async def test_who_waits_outside_of_a_block_that_is_cancelled_is_told(balance: Any) -> None:
    outcomes: list[str] = []
    async with gateways("a", "b") as running, trio.open_nursery() as outside:

        async def call(client: graftwire.Client) -> None:
            try:
                await client.call("Shop.where")
            except graftwire.Unavailable as error:
                outcomes.append(f"ran={error.ran}")

        with trio.move_on_after(0.2):
            slow = graftwire.Retry(attempts=100, first=60, most=60)
            async with connect(running, balance=balance, retry=slow) as client:
                for each in running:
                    await each.gateway.drain(0)
                outside.start_soon(call, client)
                await trio.sleep_forever()
        with trio.fail_after(5):
            while not outcomes:
                await trio.sleep(0.01)
    assert outcomes == ["ran=False"]
