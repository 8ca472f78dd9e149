"""The same caller's code over everything that can be between it and what it calls."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest
import trio
import trustme

import graftwire
from graftwire.gateway.security.plugins import Occasion
from graftwire.protocol.connection import Role
from graftwire.transport.facts import LinkFacts
from graftwire.wiring import read_file, variable

KINDS = ("memory", "memory class", "worker", "worker class", "memory url", "tcp", "tls", "ws", "wss", "unix")
HERE = "tests_of_wires_shop"


class Refused(Exception):
    limit: int

    def __init__(self, limit: int) -> None:
        super().__init__("above the limit")
        self.limit = limit


@dataclass
class Line:
    article: str
    price: Decimal


class Shop:
    """What is called. It remembers, so that a test can see what really happened."""

    ended: list[str]
    basket: list[str]

    def __init__(self) -> None:
        self.ended = []
        self.basket = []

    async def line(self, article: str, price: Decimal = Decimal("1.50")) -> Line:
        return Line(article, price)

    async def put(self, articles: list[str]) -> list[str]:
        articles.append("a gift")
        self.basket = articles
        return articles

    async def look(self) -> list[str]:
        return self.basket

    async def who(self) -> str:
        identity = graftwire.current_identity()
        return "nobody" if identity is None else f"{identity.subject} by {identity.scheme}"

    @graftwire.raises(Refused)
    async def refuse(self, limit: int) -> None:
        raise Refused(limit)

    async def fail(self) -> None:
        raise KeyError("hunter2")

    async def hang(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.ended.append("hang")

    async def what_ended(self) -> list[str]:
        return self.ended

    async def lines(self, count: int) -> AsyncIterator[Line]:
        for number in range(count):
            yield Line(str(number), Decimal(number))

    async def total(self, lines: AsyncIterator[Line]) -> Decimal:
        return sum([line.price async for line in lines], Decimal(0))

    async def doubled(self, numbers: AsyncIterator[int]) -> AsyncIterator[int]:
        async for number in numbers:
            yield 2 * number

    def plain(self, number: int) -> int:
        return number + 1


class Key(graftwire.CredentialProvider):
    name = "key"

    async def credential(self, occasion: graftwire.Occasion) -> graftwire.Credential:
        return graftwire.Credential("key", b"ada")


class Keys(graftwire.Authenticator):
    schemes = ("key",)

    async def authenticate(self, attempt: graftwire.Attempt) -> graftwire.Identity | graftwire.Refusal:
        return graftwire.Identity(attempt.proof.decode(), "key")


class Notes(graftwire.AuditSink):
    def __init__(self) -> None:
        self.records: list[graftwire.Record] = []

    async def write(self, record: graftwire.Record) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that a connection string can name."""
    made = ModuleType(HERE)
    made.Shop = Shop  # type: ignore[attr-defined]
    made.it = Shop()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, HERE, made)
    return made


@asynccontextmanager
async def reached(
    kind: str, folder: Path, *, allow: Any = None, audit: Any = None, **more: Any
) -> AsyncGenerator[graftwire.Wires]:
    """Wires to a shop; how it is reached is all that differs."""
    security = {"auth": [Keys()], "allow": allow or graftwire.AnyIdentity(), "audit": audit}
    to = {
        "memory": "memory:",
        "memory class": f"memory:{HERE}:Shop",
        "worker": "worker:",
        "worker class": f"worker:{Shop.__module__}:Shop",
    }.get(kind)
    if to is not None:
        async with graftwire.wires(
            {"Shop": graftwire.Wire(to, credential=Key(), **more)}, **security
        ) as wires:
            yield wires
        return
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "pem"))
    authority.cert_pem.write_to_path(str(folder / "ca"))
    url = {"memory url": "memory:wires-here", "unix": f"unix:{folder}/socket"}.get(
        kind, f"{kind}://127.0.0.1:0"
    )
    listen = graftwire.ListenOptions(tls=graftwire.server_context(str(folder / "pem")))
    async with graftwire.serve(
        {"Shop": Shop()}, url, options=listen, plain_proofs=True, **security
    ) as gateway:
        wire = graftwire.Wire(
            gateway.urls[0],
            options=graftwire.ConnectOptions(tls=graftwire.client_context(ca=str(folder / "ca"))),
            credential=Key(),
            plain_proofs=True,
            **more,
        )
        async with graftwire.wires({"Shop": wire}) as wires:
            yield wires


async def everything(wires: graftwire.Wires) -> list[object]:
    """One caller's code, and all that came back."""
    shop: Any = await wires.open(Shop)
    seen: list[object] = [
        await shop.line("bolt"),
        await shop.line("nut", price=Decimal("-0.10")),
        await shop.who(),
        await shop.plain(41),
    ]
    # what is given is copied, in both directions
    mine = ["a bolt"]
    given = await shop.put(mine)
    given.append("more")
    seen += [mine, given, await shop.look()]
    for failing in (shop.refuse(7), shop.fail(), shop.line(5), shop.line("a", price="dear"), shop.line()):
        try:
            await failing
        except (Refused, graftwire.Error) as error:
            named = [getattr(error, "limit", None), getattr(error, "path", None), getattr(error, "ran", None)]
            seen.append((type(error).__name__, str(error).partition(";")[0], *named))
    async with shop.lines(3) as lines:
        seen.append([line async for line in lines])
    async with shop.total() as upload:
        for number in range(3):
            await upload.send(Line("a", Decimal(number)))
        seen.append(await upload.result())
    async with shop.doubled() as exchange:
        for number in range(3):
            await exchange.send(number)
            seen.append(await anext(exchange))
    # a deadline, and a cancelled scope, end the call on both sides
    client = await wires.client(Shop)
    try:
        await client.using(deadline=0.02).call("Shop.hang")
    except graftwire.DeadlineExceeded as error:
        seen.append(str(error))
    with trio.move_on_after(0.02) as scope:
        await shop.hang()
    seen.append(scope.cancelled_caught)
    with trio.fail_after(5):
        while await shop.what_ended() != ["hang", "hang"]:
            await trio.sleep(0.002)
    return seen


@pytest.mark.parametrize("kind", KINDS)
async def test_the_same_code_sees_the_same(kind: str, tmp_path: Path) -> None:
    async with reached(kind, tmp_path) as wires:
        seen = await everything(wires)
    assert seen == [
        Line("bolt", Decimal("1.50")),
        Line("nut", Decimal("-0.10")),
        "ada by key",
        42,
        ["a bolt"],
        ["a bolt", "a gift", "more"],
        ["a bolt", "a gift"],
        ("Refused", "above the limit", 7, None, None),
        ("InternalError", "the method failed in a way that it does not declare", None, None, True),
        ("BadArguments", "bad arguments at arguments[0]", None, "arguments[0]", False),
        ("BadArguments", "bad arguments at arguments.price", None, "arguments.price", False),
        ("BadArguments", "bad arguments at arguments.article", None, "arguments.article", False),
        [Line("0", Decimal(0)), Line("1", Decimal(1)), Line("2", Decimal(2))],
        Decimal(3),
        0,
        2,
        4,
        "the call's deadline passed before it was done",
        True,
    ]


class Nobody(graftwire.Authoriser):
    async def authorise(self, request: graftwire.Request) -> graftwire.Permission | graftwire.Refusal:
        return graftwire.Refusal("not today")


@pytest.mark.parametrize("kind", KINDS)
async def test_authorisation_and_audit_hold(kind: str, tmp_path: Path) -> None:
    notes = Notes()
    async with reached(kind, tmp_path, allow=Nobody(), audit=notes) as wires:
        shop = await wires.open(Shop)
        with pytest.raises(graftwire.Denied):
            await shop.who()
    refused = [record for record in notes.records if "not today" in repr(record)]
    assert len(refused) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_expected_is_compared(kind: str, tmp_path: Path) -> None:
    class Other(Protocol):
        async def line(self, article: int) -> str: ...

    async with reached(kind, tmp_path, expect=True) as wires:
        assert await (await wires.open(Shop)).who() == "ada by key"
        if kind not in ("memory", "worker"):  # there, what is opened is what runs
            with pytest.raises(graftwire.InterfaceChanged):
                await wires.open(Other, "Shop")


# --- where an interface is ------------------------------------------------------------------------------------------


class Where:
    def __init__(self, where: str) -> None:
        self.where = where

    async def place(self) -> str:
        return self.where


class Stock(Where):
    pass


PLACES = ("code", "environment", "file", "code default", "environment default", "file default")


@asynccontextmanager
async def places() -> AsyncGenerator[None]:
    async with trio.open_nursery() as nursery:

        async def run(name: str, task_status: trio.TaskStatus[None]) -> None:
            where = Where(name)
            async with graftwire.serve(
                {"Where": where, "Stock": where},
                f"memory:{name.replace(' ', '-')}",
                auth=graftwire.Anonymous(),
            ):
                task_status.started()
                await trio.sleep_forever()

        for name in PLACES:
            await nursery.start(run, name)
        yield
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("left_out", range(len(PLACES)))
async def test_the_order_of_what_is_said(
    left_out: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The more special first; of each, code before environment before file."""
    said = PLACES[left_out:]
    code: dict[str, str] = {}
    lines = ["[connections]"]
    for name in said:
        source, _, default = name.partition(" ")
        to = f"memory:{name.replace(' ', '-')}"
        match source:
            case "code":
                code["default" if default else "Where"] = to
            case "environment":
                monkeypatch.setenv("GRAFTWIRE_CONNECT" if default else "GRAFTWIRE_CONNECT_WHERE", to)
            case _:
                lines.append(f'{"default" if default else "Where"} = "{to}"')
    file = tmp_path / "graftwire.toml"
    file.write_text("\n".join(lines) + "\n[serve]\nother = 1\n")
    async with places(), graftwire.wires(code, file=file) as wires:
        assert await (await wires.open(Where)).place() == said[0]
        # another one has only the defaults
        defaults = [name for name in said if name.endswith("default")]
        assert await (await wires.open(Where, "Stock")).place() == defaults[0]


async def test_one_string_for_all_and_one_session_for_one_place() -> None:
    async with (
        graftwire.serve(
            {"Where": Where("a"), "Stock": Where("b")}, "memory:one", auth=graftwire.Anonymous()
        ) as gateway,
        graftwire.wires("memory:one", environment={}) as wires,
    ):
        opened: list[str] = []

        async def one(name: str) -> None:
            opened.append(await (await wires.open(Where, name)).place())

        async with trio.open_nursery() as nursery:
            for name in ("Where", "Stock", "Where", "Stock"):
                nursery.start_soon(one, name)
        assert sorted(opened) == ["a", "a", "b", "b"]
        assert len(gateway.sessions) == 1


async def test_several_addresses_in_a_variable() -> None:
    env = {"GRAFTWIRE_CONNECT": "memory:nobody-1  memory:several"}
    async with (
        graftwire.serve({"Where": Where("a")}, "memory:several", auth=graftwire.Anonymous()),
        graftwire.wires(environment=env) as wires,
    ):
        assert await (await wires.open(Where)).place() == "a"


def test_the_name_of_a_variable() -> None:
    assert variable("Invoices") == "GRAFTWIRE_CONNECT_INVOICES"
    assert variable("shop.Price-List") == "GRAFTWIRE_CONNECT_SHOP_PRICE_LIST"


async def test_an_object_of_a_module(module: Any) -> None:
    async with graftwire.wires(f"memory:{HERE}:it", environment={}, auth=graftwire.Anonymous()) as wires:
        await (await wires.open(Shop)).put(["bolt"])
        assert module.it.basket == ["bolt", "a gift"]


async def test_what_goes_wrong_when_it_is_opened(tmp_path: Path) -> None:
    class Declared(Protocol):
        async def place(self) -> str: ...

    anyone = graftwire.Anonymous()
    told: list[tuple[Any, Any, Any, str]] = [
        (None, Shop, graftwire.ConnectError, "set the environment variable GRAFTWIRE_CONNECT_SHOP"),
        ("memory:nobody-at-all", Shop, graftwire.ConnectError, "nobody listens"),
        ("worker:shop:Shop", Shop, graftwire.Error, "there is no module shop "),
        ("memory:", Declared, graftwire.InterfaceError, "only declares an interface"),
        ("memory:", Where, graftwire.ConfigurationError, "needs the argument where"),
        ("worker:", Declared, graftwire.InterfaceError, "as in worker:module:Class"),
        (
            "worker:",
            type("Inner", (), {"__qualname__": "Outer.Inner"}),
            graftwire.InterfaceError,
            "write it in a module",
        ),
        (f"memory:{HERE}:Other", Shop, graftwire.ConfigurationError, "has nothing called Other"),
        (
            "memory:nowhere_at_all:Shop",
            Shop,
            graftwire.ConfigurationError,
            "there is no module nowhere_at_all",
        ),
    ]
    for to, interface, error, sentence in told:
        async with graftwire.wires(to, environment={}, auth=anyone) as wires:
            with pytest.raises(error, match=sentence):
                await wires.open(interface)
    async with graftwire.wires("memory:", environment={}) as wires:
        with pytest.raises(graftwire.SecurityChoiceMissing, match="Shop is hosted by this process"):
            await wires.open(Shop)
    async with graftwire.wires(environment={"GRAFTWIRE_CONNECT": "tcp:/nonsense"}) as wires:
        with pytest.raises(graftwire.UrlError, match="the environment variable GRAFTWIRE_CONNECT: a tcp URL"):
            await wires.open(Shop)
    with pytest.raises(graftwire.UrlError):
        async with graftwire.wires("tcp:/nonsense"):
            pass


async def test_opening_can_be_tried_again_and_what_is_open_ends_in_order() -> None:
    async with graftwire.wires("memory:comes-later", environment={}) as wires:
        with pytest.raises(graftwire.ConnectError):
            await wires.open(Where)
        async with graftwire.serve({"Where": Where("a")}, "memory:comes-later", auth=graftwire.Anonymous()):
            assert await (await wires.open(Where)).place() == "a"
            await wires.leave()
    with pytest.raises(KeyError):
        async with graftwire.wires("memory:", environment={}, auth=graftwire.Anonymous()) as wires:
            await wires.open(Shop)
            raise KeyError


# --- the file -------------------------------------------------------------------------------------------------------


async def test_a_table_with_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.issue_cert("gateway.example").private_key_and_cert_chain_pem.write_to_path(
        str(tmp_path / "pem")
    )
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("KEY", "ada")
    listen = graftwire.ListenOptions(tls=graftwire.server_context(str(tmp_path / "pem")))
    async with graftwire.serve(
        {"Shop": Shop()}, "tls://127.0.0.1:0", auth=graftwire.Anonymous(), options=listen
    ) as gateway:
        (tmp_path / "graftwire.toml").write_text(
            "[connections]\n"
            'default = "memory:"\n'
            "[connections.Shop]\n"
            f'to = ["tls://127.0.0.1:1", "{gateway.urls[0]}"]\n'
            'balance = "first"\n'
            'ca = "ca.pem"\n'
            'certificate = "pem"\n'
            'server-hostname = "gateway.example"\n'
            "plain-proofs = false\n"
            "expect = true\n"
        )
        async with graftwire.wires(file=tmp_path / "graftwire.toml", environment={}) as wires:
            assert await (await wires.open(Shop)).plain(1) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Shop = 5", "line 2: Shop of"),
        (
            'Shop = "tpc://localhost:1"',
            r"line 2: Shop: there is no transport for the scheme tpc; did you mean tcp",
        ),
        (
            '[connections.Shop]\nto = "tcp://a:1"\nbalanse = "first"',
            r"line 4: .*unknown key balanse; did you mean balance",
        ),
        ('[connections.Shop]\nbalance = "first"', r"line 2: \[connections.Shop\] has no to"),
        ("[connections.Shop]\nto = []", "line 3: to: a client needs at least one"),
        ("[connections.Shop]\nto = [5]", "line 3: to of"),
        ('[connections.Shop]\nto = "tcp://a:1"\nbalance = "least"', "line 4: balance is one of first"),
        ('[connections.Shop]\nto = "tcp://a:1"\nca = "none"', "line 4: ca: "),
        ('[connections.Shop]\nto = "tcp://a:1"\nkey = "none"', "line 4: key belongs to a certificate"),
        ('[connections.Shop]\nto = "tcp://a:1"\npins = ["hunter2"]', "line 4: pins: "),
        ('[connections.Shop]\nto = "tcp://a:1"\nexpect = 1', "line 4: expect is true or false"),
        ('[connections.Shop]\nto = "tcp://a:1"\nproxy = "ftp://a:1"', "line 4: proxy: a proxy is named as"),
        ('[connections.Shop]\nto = "tcp://a:1"\nproxy-login = "env:A"', "line 4: .*add proxy"),
        (
            '[connections.Shop]\nto = "tcp://a:1"\nproxy = "http://a:1"\nproxy-login = "ada:hunter2"',
            "line 5: proxy-login: a credential is named by where it is",
        ),
        ('[connections.Shop]\nto = "tcp://a:1"\ncredential = "bearer:hunter2"', "line 4: credential: "),
        ('[connections.Shop]\nto = "tcp://a:1"\ncredential = "nonsense"', "line 4: credential: "),
    ],
)
async def test_mistakes_in_a_file(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "graftwire.toml"
    file.write_text(f"[connections]\n{text}\n")
    with pytest.raises(graftwire.SecurityError, match=told) as caught:
        async with graftwire.wires(file=file):
            pass
    assert "hunter2" not in str(caught.value)
    assert str(file) in str(caught.value)


async def test_all_paths_of_a_file_begin_at_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the folder is that the program was started in."""
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "etc"
    elsewhere.mkdir()
    folder.mkdir()
    for name, text in (
        ("token", "a.b.c"),
        ("key", "gw_aaaaaaaaaaaa_" + "b" * 43),
        ("login", "ada:secret"),
        ("me.toml", f'id = "me"\nsecret = "{"A" * 44}"\naudience = "stock"\n'),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    (folder / "graftwire.toml").write_text(
        "[connections]\n"
        '[connections.A]\nto = "tls://a:1"\ncredential = "bearer:file:token"\n'
        'proxy = "http://proxy:1"\nproxy-login = "file:login"\n'
        '[connections.B]\nto = "tls://a:1"\ncredential = "api-key:file:key"\n'
        '[connections.C]\nto = "tls://a:1"\ncredential = "hmac:me.toml"\n'
        f'[connections.D]\nto = "tls://a:1"\ncredential = "bearer:file:{folder}/token"\n'
        '[connections.E]\nto = "tls://a:1"\ncredential = "bearer:env:TOKEN"\n'
    )
    monkeypatch.setenv("TOKEN", "a.b.c")
    monkeypatch.chdir(elsewhere)
    wires = read_file(folder / "graftwire.toml")
    options = wires["A"].options
    assert options is not None
    assert options.proxy_login is not None
    assert options.proxy_login() == ("ada", "secret")
    session = Occasion(
        "tls://a:1", LinkFacts("tls", "a:1", "b:2"), Role.INITIATOR, lambda: (b"hello", b"hello")
    )
    for name in "ABCDE":
        credential = wires[name].credential
        assert credential is not None
        await credential.credential(session)  # which reads the file


async def test_a_file_without_connections_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "graftwire.toml"
    file.write_text("[serve]\n")
    async with graftwire.wires(file=file, environment={}) as wires:
        with pytest.raises(graftwire.ConnectError, match="nobody has said"):
            await wires.open(Shop)
    with pytest.raises(graftwire.SecurityError, match="there is no such file"):
        async with graftwire.wires(file=tmp_path / "none"):
            pass


# --- what it costs --------------------------------------------------------------------------------------------------


async def test_a_call_in_memory_is_cheap() -> None:
    """Not a measurement: a bound that only a mistake comes near. The page has the measured numbers."""
    async with graftwire.wires("memory:", environment={}, auth=graftwire.Anonymous()) as wires:
        shop = await wires.open(Shop)
        took: list[float] = []
        for _ in range(300):
            start = time.perf_counter()
            await shop.line("bolt")
            took.append(time.perf_counter() - start)
    assert statistics.median(took) < 0.01
