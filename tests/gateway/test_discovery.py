"""`graftwire.describe`: what a caller may see of what is hosted, and no more (DESCRIBE-1 to DESCRIBE-3)."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import pytest

import graftwire
from graftwire.gateway.metadata.build import build
from graftwire.gateway.metadata.encode import decode
from tests.gateway.plugins import As, Keep, Names, Only, everything

_urls = itertools.count()


@graftwire.interface(version="1.4")
class Invoices:
    async def total(self, customer: str, net: int = 1200) -> int:
        return net

    async def void(self, number: int) -> None: ...


class Books:
    async def close(self) -> None: ...


HOSTED: dict[str, object] = {"Invoices": Invoices(), "Accounts": Books()}


def url() -> str:
    return f"memory:discovery-{next(_urls)}"


async def test_what_is_hosted_is_described() -> None:
    async with graftwire.serve(HOSTED, url(), auth=graftwire.Anonymous()) as gateway:
        assert gateway.targets == ["Accounts.close", "Invoices.total", "Invoices.void"]
        async with graftwire.connect(gateway.urls[0]) as client:
            listed = await client.call("graftwire.describe")
            assert [(name, version) for name, version, _ in listed] == [
                ("Accounts", None),
                ("Invoices", "1.4"),
            ]
            for name, _, digest in listed:
                data = await client.call("graftwire.describe", digest)
                assert hashlib.sha256(data).digest() == digest
                assert decode(data) == build(type(HOSTED[name]), name)
            assert await client.call("graftwire.describe", bytes(32)) is None
            with pytest.raises(graftwire.BadArguments):
                await client.call("graftwire.describe", "Invoices")
            with pytest.raises(graftwire.UnknownTarget):
                await client.call("graftwire.anything")


async def test_a_caller_sees_what_it_may_call() -> None:
    sink = Keep()

    def rules(request: graftwire.Request) -> str | None:
        if request.target == "graftwire.describe" or request.target.startswith("Accounts."):
            return "for everybody"
        return "for ada" if request.identity.subject == "ada" else None

    allow = Only(rules)
    async with graftwire.serve(HOSTED, url(), auth=Names("ada", "bob"), allow=allow, audit=sink) as gateway:
        async with graftwire.connect(gateway.urls[0], credential=As("ada")) as ada:
            every = await ada.call("graftwire.describe")
        async with graftwire.connect(gateway.urls[0], credential=As("bob")) as bob:
            some = await bob.call("graftwire.describe")
            for name, _, digest in every:
                shown = await bob.call("graftwire.describe", digest)
                assert (shown is None) == (name == "Invoices")
    assert [name for name, _, _ in every] == ["Accounts", "Invoices"]
    assert [name for name, _, _ in some] == ["Accounts"]
    # to be asked what it may see is no decision about a call: the records are those of the calls that were made
    called = [record.target for record in sink.records if record.event == "call"]
    assert called == ["graftwire.describe"] * 4
    assert {request.target for request in allow.requests if request.discovery} == {
        "Accounts.close",
        "Invoices.total",
        "Invoices.void",
    }


async def test_describing_is_authorised_like_any_call() -> None:
    sink = Keep()
    allow = Only(lambda request: None if request.target.startswith("graftwire.") else "else everything")
    async with graftwire.serve(HOSTED, url(), auth=graftwire.Anonymous(), allow=allow, audit=sink) as gateway:
        async with graftwire.connect(gateway.urls[0]) as client:
            with pytest.raises(graftwire.Denied):
                await client.call("graftwire.describe")
    assert sink.said == [
        ("call", "graftwire.describe", "anonymous", "refused", "only", "not on the list"),
    ]


async def test_the_record_of_a_call_names_the_digest_of_its_interface() -> None:
    sink = Keep()
    async with graftwire.serve(HOSTED, url(), auth=graftwire.Anonymous(), audit=sink) as gateway:
        async with graftwire.connect(gateway.urls[0]) as client:
            listed: list[Any] = await client.call("graftwire.describe")
            await client.call("Invoices.total", "ACME")
            with pytest.raises(graftwire.UnknownTarget):
                await client.call("Invoices.nothing")
    digests = {name: digest.hex() for name, _, digest in listed}
    assert [record.digest for record in sink.records] == [None, digests["Invoices"], None]


async def test_nothing_is_hosted_under_a_reserved_name() -> None:
    with pytest.raises(graftwire.InterfaceError, match=r"graftwire\.mine can't be described: its name"):
        async with graftwire.serve({"graftwire.mine": Books()}, url(), auth=graftwire.Anonymous()):
            raise AssertionError


async def test_a_client_without_services_has_nothing_to_describe() -> None:
    class Asking:
        async def ask(self) -> str:
            try:
                await graftwire.peer().call("graftwire.describe")
            except graftwire.CallError as error:
                return error.code.label
            return "an answer"

    async with graftwire.serve({"Asking": Asking()}, url(), auth=graftwire.Anonymous()) as gateway:
        async with graftwire.connect(gateway.urls[0]) as client:
            assert await client.call("Asking.ask") == "unauthenticated"
        options: dict[str, Any] = {
            "services": HOSTED,
            "auth": graftwire.Anonymous(),
            "allow": Only(everything),
        }
        async with graftwire.connect(gateway.urls[0], **options) as client:
            assert await client.call("Asking.ask") == "an answer"
