"""What hosted code sees of its callers, and they of it, is the same here and in a worker process (promises P5, P6)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trio

import graftwire

FOLDER = Path(__file__).parent
_names = count()
EXPIRES = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
CLAIMS = {"groups": ["a", "b"], "level": 3, "since": EXPIRES, "nested": {"deep": [None, True, 1.5]}}


@pytest.fixture(autouse=True, params=["here", "worker"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(str(FOLDER))
    return str(request.param)


class Names(graftwire.Authenticator):
    """Everybody is who they say; `soon` is over in half a second."""

    schemes = ("name",)

    async def authenticate(self, attempt: graftwire.Attempt) -> graftwire.Identity:
        name = attempt.proof.decode()
        expires = datetime.now(UTC) + timedelta(seconds=0.5) if name == "soon" else EXPIRES
        return graftwire.Identity(
            name, "name", "here", roles=frozenset({"clerk", "boss"}), expires=expires, claims=CLAIMS
        )


class Little(graftwire.Authoriser):
    """Lets small amounts be paid; for that, it looks at the arguments."""

    needs_arguments = True

    async def authorise(self, request: graftwire.Request) -> graftwire.Permission | graftwire.Refusal:
        if request.arguments is None:
            return graftwire.Permission()
        positional, named = request.arguments
        amounts = [*positional, *named.values()]
        return graftwire.Refusal() if 1_000 in amounts else graftwire.Permission()


class Name(graftwire.CredentialProvider):
    def __init__(self, name: str) -> None:
        self.name = name

    async def credential(self, occasion: graftwire.Occasion) -> graftwire.Credential:
        return graftwire.Credential("name", self.name.encode())


class Mine:
    """What the caller hosts for whom it calls."""

    async def again(self, depth: int) -> Any:
        return await graftwire.peer().call("Seen.nested", depth)


@asynccontextmanager
async def seen(where: str, *, allow: Any = None, **options: Any) -> AsyncGenerator[graftwire.Client]:
    service: object = graftwire.Worker("worker_module:Seen")
    if where == "here":
        import worker_module  # type: ignore[import-not-found]

        service = worker_module.Seen()
    with trio.fail_after(60):
        async with graftwire.serve(
            {"Seen": service},
            f"memory:callers-{next(_names)}",
            auth=Names(),
            allow=allow or graftwire.AnyIdentity(),
        ) as gateway:
            options = {"credential": Name("ada"), "services": {"Mine": Mine()}, **options}
            async with graftwire.connect(gateway.urls[0], auth=graftwire.Anonymous(), **options) as client:
                yield client


async def test_who_calls(where: str) -> None:
    async with seen(where) as client:
        assert await client.call("Seen.caller") == ["ada", "name", "here", ["boss", "clerk"], EXPIRES, CLAIMS]
        assert await client.call("Seen.caller_in_a_thread") == "ada"
        other = client.using(credential=Name("bob"))
        assert (await other.call("Seen.caller"))[0] == "bob"
        assert (await client.call("Seen.caller"))[0] == "ada"
        assert await client.call("Seen.link") == ["memory", True]


async def test_a_stream_ends_with_its_identity(where: str) -> None:
    async with seen(where, credential=Name("soon")) as client:
        with pytest.raises(graftwire.CallCancelled):
            async with client.stream("Seen.ticks") as ticks:
                async for _ in ticks:
                    pass
        with pytest.raises(graftwire.Unauthenticated):
            await client.call("Seen.caller")
        later = client.using(credential=Name("bob"))
        assert await later.call("Seen.how_it_ended") == ["ticks"]


async def test_who_looks_at_arguments(where: str) -> None:
    async with seen(where, allow=Little()) as client:
        assert await client.call("Seen.pay", 10, to="us") == "10 to us"
        with pytest.raises(graftwire.Denied):
            await client.call("Seen.pay", 1_000, to="us")
        with pytest.raises(graftwire.BadArguments) as bad:
            await client.call("Seen.pay", "much", to="us")
        assert bad.value.path == "arguments[0]"

        async def listener(what: str) -> str:
            return what.upper()

        # references are in arguments that were decoded on the way
        await client.call("Seen.keep", listener)
        assert await client.call("Seen.tell", "news") == "NEWS"


async def test_references_in_the_items_of_streams(where: str) -> None:
    async with seen(where) as client:
        async with client.stream("Seen.counters", 3) as items:
            counters = [item async for item in items]
        assert [await counter.call("up", number) for number, counter in enumerate(counters)] == [0, 1, 2]
        for counter in counters:
            counter.release()

        def adds(number: int) -> Any:
            async def function(to: int) -> int:
                return to + number

            return function

        async with client.upload("Seen.sum_of") as upload:
            for number in range(3):
                await upload.send(adds(number))
            assert await upload.result() == 33
        async with client.exchange("Seen.exchanged") as exchange:
            for number in range(3):
                await exchange.send(adds(number))
                again = await anext(exchange)
                assert await again(100) == 101 + number
            await exchange.end()


async def test_a_reference_that_is_kept(where: str) -> None:
    async with seen(where) as client:
        heard: list[str] = []

        async def listener(what: str) -> int:
            heard.append(what)
            return len(heard)

        await client.call("Seen.keep", listener)
        assert [await client.call("Seen.tell", word) for word in ("a", "b")] == [1, 2]
        await client.call("Seen.forget")
        with pytest.raises(graftwire.CallError):
            await client.call("Seen.tell", "c")
        assert heard == ["a", "b"]
        session = client._connection.session
        while session.references._exports._given:  # its owner is told that nobody holds it any more
            await trio.sleep(0.01)


async def test_calls_inside_of_calls(where: str) -> None:
    async with seen(where) as client:
        assert await client.call("Seen.nested", 10) == 10
