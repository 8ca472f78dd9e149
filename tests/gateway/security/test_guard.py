"""Plugins that give wrong things, in every place where one is asked: a refusal each, with its record, and no more."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
import trio

import graftwire
from graftwire.gateway.security.asking import ask
from tests.gateway.plugins import As, Keep, Names, Only, everything
from tests.gateway.test_answering import hosting


class Gives(graftwire.Authenticator, graftwire.Authoriser):
    """Gives what `make` makes."""

    name = "gives"
    schemes = ("name",)

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    async def _give(self, _: object) -> Any:
        await trio.lowlevel.checkpoint()
        return self.make()

    authenticate = authorise = _give


def raising(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


class Panic(BaseException):
    """What extensions written in Rust raise for a defect of theirs: no Exception, and no way to end a program."""


class Timeless(graftwire.Identity):
    """One that leaves out what the real one checks."""

    def __post_init__(self) -> None:
        pass


@dataclass(frozen=True)
class Nasty(graftwire.Permission):
    @property
    def label(self) -> str:
        raise KeyError("hunter2")

    def __getattribute__(self, name: str) -> Any:
        if name == "seconds":
            raise KeyError("hunter2")
        return super().__getattribute__(name)


NO_IDENTITY: dict[str, Callable[[], Any]] = {
    "no subject": lambda: graftwire.Identity(None, "name"),  # type: ignore[arg-type]
    "bytes": lambda: graftwire.Identity(b"ada", "name"),  # type: ignore[arg-type]
    "two lines": lambda: graftwire.Identity("ada\nallowed for root", "name"),
    "half a character": lambda: graftwire.Identity("\ud800", "name"),
    "issuer": lambda: graftwire.Identity("ada", "name", issuer=None),  # type: ignore[arg-type]
    "time as text": lambda: Timeless("ada", "name", expires="soon"),  # type: ignore[arg-type]
    "time without a zone": lambda: Timeless("ada", "name", expires=datetime(2100, 1, 1)),  # noqa: DTZ001
    "text for a challenge": lambda: graftwire.Challenge("question"),  # type: ignore[arg-type]
    "no reason": lambda: graftwire.Refusal(None),  # type: ignore[arg-type]
    "exit": raising(SystemExit("hunter2")),
    "group with an exit": raising(
        BaseExceptionGroup("hunter2", [SystemExit("hunter2"), KeyError("hunter2")])
    ),
    "panic": raising(Panic("hunter2")),
    "group with a panic": raising(BaseExceptionGroup("hunter2", [Panic("hunter2"), KeyError("hunter2")])),
}


@pytest.mark.parametrize("what", NO_IDENTITY)
async def test_an_answer_that_is_no_identity(what: str, caplog: pytest.LogCaptureFixture) -> None:
    auth = [graftwire.Anonymous(), Gives(NO_IDENTITY[what])]
    async with hosting(auth=auth, allow=Only(everything)) as place:
        with pytest.raises(graftwire.Unauthenticated):
            async with place.connect(credential=As("ada")):
                raise AssertionError
        async with place.connect() as client:
            with pytest.raises(graftwire.Unauthenticated):
                await client.using(credential=As("ada")).call("Shop.who")
        assert not place.shop.ran
        said = [(each.event, each.identity, each.decision, each.plugin) for each in place.sink.records]
        assert said == [
            ("authentication", None, "refused", "gives"),
            ("call", None, "refused", "gives"),
        ]
        assert all(type(each.reason) is str and each.reason for each in place.sink.records)
    assert "hunter2" not in caplog.text


NO_PERMISSION: dict[str, Callable[[], Any]] = {
    "seconds of none": lambda: graftwire.Permission(seconds=None),  # type: ignore[arg-type]
    "seconds as text": lambda: graftwire.Permission(seconds="5"),  # type: ignore[arg-type]
    "seconds that are no number": lambda: graftwire.Permission(seconds=math.nan),
    "reason": lambda: graftwire.Permission(reason=7),  # type: ignore[arg-type]
    "no reason": lambda: graftwire.Refusal(None),  # type: ignore[arg-type]
    "subclass": Nasty,
    "exit": raising(SystemExit("hunter2")),
    "group with an exit": raising(
        BaseExceptionGroup("hunter2", [SystemExit("hunter2"), KeyError("hunter2")])
    ),
    "panic": raising(Panic("hunter2")),
    "group with a panic": raising(BaseExceptionGroup("hunter2", [Panic("hunter2"), KeyError("hunter2")])),
}


@pytest.mark.parametrize("what", NO_PERMISSION)
async def test_an_answer_that_is_no_permission(what: str, caplog: pytest.LogCaptureFixture) -> None:
    async with hosting(auth=graftwire.Anonymous(), allow=Gives(NO_PERMISSION[what])) as place:
        async with place.connect() as client:
            with pytest.raises(graftwire.Denied):
                await client.call("Shop.who")
        assert not place.shop.ran
        (record,) = place.sink.records
        assert (record.decision, record.plugin) == ("refused", "gives")
        assert type(record.reason) is str
        assert record.reason
    assert "hunter2" not in caplog.text


class CleansUpBadly(graftwire.Authenticator, graftwire.Authoriser, graftwire.AuditSink):
    """Its time is up while it has two tasks, and one of them fails on its way out: a group of both comes out."""

    name = "untidy"
    schemes = ("name",)

    async def _fail(self, _: object) -> Any:
        async def untidy() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("hunter2")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(untidy)
            nursery.start_soon(trio.sleep_forever)

    authenticate = authorise = write = _fail


async def test_a_plugin_that_fails_when_its_time_is_up(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    reason = "the plugin took longer than 5 s"
    async with hosting(auth=graftwire.Anonymous(), allow=CleansUpBadly()) as place:
        async with place.connect() as client:
            with pytest.raises(graftwire.Denied):
                await client.call("Shop.who")
        assert [each[3:] for each in place.sink.said] == [("refused", "untidy", reason)]
    async with hosting(auth=CleansUpBadly(), allow=Only(everything)) as place:
        with pytest.raises(graftwire.Unauthenticated):
            async with place.connect(credential=As("ada")):
                raise AssertionError
        assert [each[3:] for each in place.sink.said] == [("refused", "untidy", reason)]
    async with hosting(auth=graftwire.Anonymous(), audit=CleansUpBadly()) as place:
        async with place.connect() as client:
            with pytest.raises(graftwire.Unavailable):
                await client.call("Shop.who")
        assert not place.shop.ran
    assert "hunter2" not in caplog.text


async def test_a_plugin_that_fails_when_its_call_is_cancelled(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The session ends while it thinks: nobody is told anything, and its text is in no log either."""
    async with hosting(auth=graftwire.Anonymous(), allow=CleansUpBadly()) as place:
        async with place.connect() as client, trio.open_nursery() as nursery:

            async def call() -> None:
                with pytest.raises(graftwire.Unavailable):
                    await client.call("Shop.who")

            nursery.start_soon(call)
            await trio.sleep(1)
            client._connection.session.close()
        await trio.sleep(1)
    assert "hunter2" not in caplog.text


class Exits(graftwire.AuditSink):
    name = "exits"

    def __init__(self, how: Callable[[], Any]) -> None:
        self.how = how

    async def write(self, record: graftwire.Record) -> None:
        self.how()


@pytest.mark.parametrize("how", [sys.exit, raising(Panic("hunter2"))])
async def test_a_sink_that_exits_does_not_end_the_program(how: Callable[[], Any]) -> None:
    sink = Keep()
    async with hosting(auth=graftwire.Anonymous(), audit=[Exits(how), sink]) as place:
        async with place.connect() as client:
            with pytest.raises(graftwire.Unavailable):
                await client.call("Shop.who")
    assert len(sink.records) == 1


class Withdraws(Names):
    """Says of an identity that it gave what `answer` gives, once there is one."""

    answer: Callable[[], Any] | None = None

    def withdrawn(self, identity: graftwire.Identity) -> Any:
        return None if self.answer is None else self.answer()


async def _later() -> None:
    pass


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: "it was revoked", "it was revoked"),
        (lambda: True, "the plugin gave a bool, which is no answer"),
        (_later, "the plugin gave a coroutine, which is no answer"),
        (raising(KeyError("hunter2")), "the plugin raised KeyError"),
        (raising(SystemExit("hunter2")), "the plugin raised SystemExit"),
        (raising(Panic("hunter2")), "the plugin raised Panic"),
    ],
)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("seconds", [0.0, 1_000.0])
async def test_an_identity_that_was_withdrawn(
    answer: Callable[[], Any], reason: str, seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where its calls are allowed for a time: that is no reason to let a revoked proof live on."""
    names = Withdraws("ada")
    async with hosting(auth=names, allow=Only(everything, seconds=seconds)) as place:
        async with place.connect(credential=As("ada")) as client:
            assert await client.call("Shop.who") == "ada"
            names.answer = answer
            with pytest.raises(graftwire.Unauthenticated):
                await client.call("Shop.who")
        assert place.shop.ran == ["who"]
        assert place.sink.said[2] == ("call", "Shop.who", "ada", "refused", "names", reason)
        assert len(place.sink.records) == 3
    assert "hunter2" not in caplog.text


class Starts(
    graftwire.Authenticator, graftwire.Authoriser, graftwire.AuditSink, graftwire.CredentialProvider
):
    """Every kind of plugin, which does what `begin` does to get ready."""

    name = "starts"
    schemes = ("name",)

    def __init__(self, begin: Callable[[], Any]) -> None:
        self.begin = begin
        self.started = 0

    async def start(self) -> None:
        await trio.lowlevel.checkpoint()
        self.started += 1
        found = self.begin()
        if found is not None:
            await found

    async def _nothing(self, _: object) -> None:
        return None

    authenticate = authorise = write = credential = _nothing  # type: ignore[assignment]


@pytest.mark.parametrize("role", ["auth", "allow", "audit", "credential"])
@pytest.mark.parametrize(
    ("begin", "sentence"),
    [
        (raising(graftwire.SecurityError("its file is missing; make it")), "its file is missing; make it"),
        (
            raising(KeyError("hunter2")),
            "the plugin starts could not get ready: KeyError in raising.<locals>.fail",
        ),
        (
            raising(SystemExit("hunter2")),
            "the plugin starts could not get ready: SystemExit in raising.<locals>.fail",
        ),
        (
            raising(Panic("hunter2")),
            "the plugin starts could not get ready: Panic in raising.<locals>.fail",
        ),
        (trio.sleep_forever, "the plugin starts was not ready within 5 s"),
    ],
)
async def test_a_plugin_that_does_not_get_ready(
    role: str, begin: Callable[[], Any], sentence: str, autojump_clock: trio.testing.MockClock
) -> None:
    options: dict[str, Any] = {"auth": graftwire.Anonymous(), "allow": Only(everything)}
    with pytest.raises(graftwire.SecurityError) as caught:
        async with hosting(**(options | {role: Starts(begin)})):
            raise AssertionError
    assert str(caught.value).partition(", line")[0] == sentence


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), BaseExceptionGroup("both", [KeyboardInterrupt(), KeyError()])]
)
async def test_what_a_user_does_is_not_taken_for_a_failure_of_the_plugin(error: BaseException) -> None:
    """Ctrl-C while a plugin runs ends the program, and no plugin can keep it."""
    with pytest.raises(type(error)) as caught:
        await ask(Gives(raising(error)).authenticate, None, 5)  # type: ignore[arg-type]
    assert caught.value is error


@dataclass
class Recorded(graftwire.Authenticator):
    """Written as a dataclass, as plugins may be: it has no hash."""

    schemes: tuple[str, ...]
    started: int = field(default=0, compare=False)

    async def start(self) -> None:
        self.started += 1

    async def authenticate(self, attempt: graftwire.Attempt) -> graftwire.Refusal:
        return graftwire.Refusal("never")


class Equal(Recorded):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


@pytest.mark.parametrize("kind", [Recorded, Equal])
async def test_plugins_are_told_apart_by_what_they_are(kind: type[Recorded]) -> None:
    one, two = kind(("a", "b")), kind(("c",))
    async with hosting(auth=[one, two], allow=Only(everything)):
        assert (one.started, two.started) == (1, 1)


async def test_each_plugin_gets_ready_once() -> None:
    plugin = Starts(lambda: None)
    async with hosting(auth=plugin, allow=Only(everything)):
        assert plugin.started == 1
    async with hosting(auth=graftwire.Anonymous(), credential=plugin):
        assert plugin.started == 2
