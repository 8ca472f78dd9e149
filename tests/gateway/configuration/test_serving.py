"""A gateway that a configuration made, and what a reload does to it: all of it or nothing; no session is dropped."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trio

import graftwire
from graftwire import ConfigurationError, ConfiguredGateway

from .conftest import LEAST, Load

TLS = '[gateway.tls]\ncertificate = "cert.pem"\nkey = "key.pem"\n'
OTHER = '[modules.Other]\nload = "stock:Other"\n'


async def call(running: ConfiguredGateway, target: str, *arguments: object) -> object:
    async with graftwire.connect(running.gateway.urls[0]) as client:
        return await client.call(target, *arguments)


async def test_several_modules_each_under_its_name(load: Load) -> None:
    text = LEAST + OTHER + '[modules.Second]\nload = "stock:Stock"\n'
    async with load(text).serve() as running:
        assert running.gateway.targets == [
            "Other.number",
            *(f"{name}.{each}" for name in ("Second", "Stock") for each in ("pieces", "wait", "who")),
        ]
        assert await call(running, "Second.pieces", "bolt") == 4
        assert await call(running, "Other.number") == 7


async def test_modules_come_and_go_while_calls_run(load: Load) -> None:
    async with load(LEAST).serve() as running, graftwire.connect(running.gateway.urls[0]) as client:
        results: list[object] = []
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                results.append(await client.call("Stock.wait", 0.3))

            nursery.start_soon(wait)
            await trio.sleep(0.1)
            await running.reload(load(LEAST.replace("Stock", "Other")))
            with pytest.raises(graftwire.UnknownTarget):
                await client.call("Stock.pieces", "bolt")
            assert await client.call("Other.number") == 7
        assert results == ["waited"]
        assert running.gateway.targets == ["Other.number"]


async def test_what_stays_is_the_same_object(load: Load) -> None:
    async with load(LEAST).serve() as running:
        before = running._made.services["Stock"]
        await running.reload(load("\n\n" + LEAST + OTHER))
        assert running._made.services["Stock"] is before


async def test_listeners_come_and_go(load: Load) -> None:
    two = LEAST.replace('"tcp://127.0.0.1:0"', '"tcp://127.0.0.1:0", "ws://127.0.0.1:0"')
    async with load(LEAST).serve() as running, graftwire.connect(running.gateway.urls[0]) as client:
        [first] = running.gateway.urls
        await running.reload(load(two))
        assert running.gateway.urls[0] == first
        async with graftwire.connect(running.gateway.urls[1]) as other:
            assert await other.call("Stock.pieces", "ab") == 2
        await running.reload(load(LEAST.replace("tcp:", "ws:")))
        assert [url.partition(":")[0] for url in running.gateway.urls] == ["ws"]
        with pytest.raises(graftwire.ConnectError):
            async with graftwire.connect(first):
                pass
        assert await client.call("Stock.pieces", "abc") == 3


async def test_certificates_at_other_paths(load: Load, pem: Path) -> None:
    text = LEAST.replace("tcp:", "tls:") + TLS

    async def shown() -> bytes | None:
        options = graftwire.ConnectOptions(tls=graftwire.client_context(ca=pem / "ca.pem"))
        async with graftwire.connect(running.gateway.urls[0], options=options) as client:
            await client.call("Stock.pieces", "a")
            assert client.facts is not None
            assert client.facts.tls is not None
            return client.facts.tls.certificate

    async with load(text).serve() as running:
        first = await shown()
        await running.reload(
            load(text.replace("cert.pem", "other-cert.pem").replace("key.pem", "other-key.pem"))
        )
        second = await shown()
    of_files = [ssl.PEM_cert_to_DER_cert((pem / name).read_text()) for name in ("cert.pem", "other-cert.pem")]
    assert [first, second] == of_files


async def test_who_may_call_changes_for_sessions_that_are_there(load: Load) -> None:
    rules = LEAST.replace('["anonymous"]', '["anonymous"]\nallow = ["everyone"]')
    async with load(LEAST).serve() as running, graftwire.connect(running.gateway.urls[0]) as client:
        assert await client.call("Stock.who") == "anonymous"
        await running.reload(load(LEAST.replace('["anonymous"]', '["anonymous"]\nallow = ["any-identity"]')))
        with pytest.raises(graftwire.Denied):
            await client.call("Stock.who")
        await running.reload(load(rules))
        assert await client.call("Stock.who") == "anonymous"


def keyed(folder: Path, name: str, text: str = LEAST) -> str:
    """The configuration with a file of API keys, which is made, in place of anonymous callers."""
    auth = f'["api-keys:{name}.json"]\nallow = ["any-identity"]\nplain-proofs = true'
    return text.replace('["anonymous"]', auth)


@pytest.fixture
def key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An API key in the files one.json and two.json."""
    import io
    from contextlib import redirect_stdout

    from graftwire.cli import main

    with redirect_stdout(io.StringIO()) as out:
        assert main(["key", "new", "--file", str(folder / "one.json"), "--subject", "billing"]) == 0
    (folder / "two.json").write_bytes((folder / "one.json").read_bytes())
    (folder / "two.json").chmod(0o600)
    monkeypatch.setenv("A_KEY", out.getvalue().split()[-1])
    return out.getvalue().split()[-1]


async def test_identities_of_an_authenticator_that_is_gone_count_no_more(
    load: Load, folder: Path, key: str
) -> None:
    from graftwire.security import ApiKeyCredential

    async with load(keyed(folder, "one")).serve() as running:
        credential = ApiKeyCredential(environment="A_KEY")
        async with graftwire.connect(
            running.gateway.urls[0], credential=credential, plain_proofs=True
        ) as client:
            assert await client.call("Stock.who") == "billing"
            await running.reload(load(keyed(folder, "one", LEAST + OTHER)))  # the same one
            assert await client.call("Stock.who") == "billing"
            await running.reload(load(keyed(folder, "two")))
            with pytest.raises(graftwire.Unauthenticated):
                await client.call("Stock.who")


async def test_anonymous_callers_are_let_in_no_more(load: Load, folder: Path, key: str) -> None:
    async with load(LEAST).serve() as running, graftwire.connect(running.gateway.urls[0]) as client:
        assert await client.call("Stock.who") == "anonymous"
        await running.reload(load(keyed(folder, "one")))
        with pytest.raises(graftwire.Unauthenticated):
            await client.call("Stock.who")
        await running.reload(load(LEAST))
        assert await client.call("Stock.who") == "anonymous"


async def test_audit_logs_are_opened_anew_and_changed(load: Load, folder: Path) -> None:
    audit = '[audit]\nsinks = ["a.jsonl"]\n'
    async with load(LEAST + audit).serve() as running:
        await call(running, "Stock.pieces", "a")
        (folder / "a.jsonl").rename(folder / "a.jsonl.1")
        await running.reload(load(LEAST + audit))
        await call(running, "Stock.pieces", "a")
        assert len((folder / "a.jsonl.1").read_text().splitlines()) == 1
        assert len((folder / "a.jsonl").read_text().splitlines()) == 1
        await running.reload(load(LEAST + audit.replace("a.jsonl", "b.jsonl")))
        await call(running, "Stock.pieces", "a")
        assert len((folder / "a.jsonl").read_text().splitlines()) == 1
        assert len((folder / "b.jsonl").read_text().splitlines()) == 1
        await running.reload(load(LEAST + audit))  # nobody holds it any more
        await call(running, "Stock.pieces", "a")
        assert len((folder / "a.jsonl").read_text().splitlines()) == 2


async def test_limits_hold_for_new_sessions(load: Load) -> None:
    async with load(LEAST).serve() as running:
        await running.reload(
            load(LEAST + "[gateway.limits]\nlargest-frame = 65536\nunfinished-body-bytes = 65536\n")
        )
        with pytest.raises(graftwire.TooLarge):
            await call(running, "Stock.pieces", "x" * 70_000)


@pytest.mark.parametrize(
    "more",
    [
        LEAST.replace("stock:Stock", "stock:Nothing"),
        LEAST.replace("anonymous", "nobody"),
        LEAST.replace('"tcp://127.0.0.1:0"', '"tcp://127.0.0.1:0", "tcp://192.0.2.1:0"') + OTHER,
        LEAST + OTHER + '[audit]\nsinks = ["b.jsonl", "nowhere/a.jsonl"]\n',
        LEAST.replace('["anonymous"]', '["anonymous"]\nallow = ["roles:no.toml"]') + OTHER,
    ],
)
async def test_all_or_nothing(load: Load, folder: Path, more: str) -> None:
    async with load(LEAST).serve() as running:
        urls, configuration = running.gateway.urls, running.configuration
        with pytest.raises(ConfigurationError):
            await running.reload(load(more))
        assert running.gateway.urls == urls
        assert running.configuration is configuration
        assert running.gateway.targets == ["Stock.pieces", "Stock.wait", "Stock.who"]
        assert await call(running, "Stock.pieces", "abc") == 3
        await running.reload(load(LEAST + '[audit]\nsinks = ["b.jsonl"]\n'))


async def test_no_reload_while_it_ends(load: Load) -> None:
    async with load(LEAST).serve() as running:
        await running.gateway.drain(0)
        with pytest.raises(ConfigurationError, match="the gateway is ending"):
            await running.reload(load(LEAST + OTHER))


async def test_streams_end_with_the_permission(load: Load, folder: Path, key: str) -> None:
    (folder / "flow.py").write_text(
        "from collections.abc import AsyncIterator\nimport trio\n\n\nclass Flow:\n"
        "    async def ticks(self) -> AsyncIterator[int]:\n        while True:\n            yield 1\n"
        "            await trio.sleep(0.05)\n"
    )
    text = LEAST + '[modules.Flow]\nload = "flow:Flow"\n'
    async with load(text).serve() as running, graftwire.connect(running.gateway.urls[0]) as client:
        with trio.fail_after(5), pytest.raises(graftwire.CallError):
            async with client.stream("Flow.ticks") as ticks:
                await anext(aiter(ticks))
                await running.reload(load(keyed(folder, "one", text)))
                async for _ in ticks:
                    pass
