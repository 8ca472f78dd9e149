"""Who calls, may they, and the one record of it: the steps of clause CALL-11 with plugins in them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio

import graftwire
from graftwire.gateway import host as host_module
from graftwire.protocol import values
from tests.gateway.plugins import As, Broken, Keep, Names, Only, OnlyWith, everything

_urls = itertools.count()


class Shop:
    """What is hosted: it counts what runs, and notes under what identity."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def _note(self, name: str) -> str:
        identity = graftwire.current_identity()
        self.ran.append(name)
        return "nobody known" if identity is None else identity.subject

    async def who(self) -> str:
        return self._note("who")

    def who_in_a_thread(self) -> str:
        return self._note("who_in_a_thread")

    @graftwire.nonblocking
    def who_at_once(self) -> str:
        return self._note("who_at_once")

    async def pay(self, amount: int, to: str = "us") -> str:
        return self._note("pay")

    async def slow(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return self._note("slow")

    async def ticks(self) -> AsyncIterator[int]:
        self._note("ticks")
        for number in itertools.count():
            yield number
            await trio.sleep(1)

    async def handle(self) -> Callable[[], Awaitable[str]]:
        async def inner() -> str:
            return self._note("inner")

        return inner

    async def itself(self) -> Any:
        self.mark = graftwire.by_reference(self)
        return self.mark


class Place:
    def __init__(self, shop: Shop, gateway: graftwire.Gateway, sink: Keep) -> None:
        self.shop = shop
        self.gateway = gateway
        self.sink = sink

    def connect(self, **options: Any) -> Any:
        return graftwire.connect(self.gateway.urls[0], **options)


@asynccontextmanager
async def hosting(url: str | None = None, **options: Any) -> AsyncGenerator[Place]:
    shop, sink = Shop(), Keep()
    options.setdefault("audit", sink)
    url = url or f"memory:answering-{next(_urls)}"
    async with graftwire.serve({"Shop": shop}, url, **options) as gateway:
        yield Place(shop, gateway, sink)


WHO = ["who", "who_in_a_thread", "who_at_once"]


# --- who it is -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", WHO)
async def test_user_code_learns_who_calls(method: str) -> None:
    async with hosting(auth=Names("ada"), allow=Only(everything)) as place:
        async with place.connect(credential=As("ada")) as client:
            assert await client.call(f"Shop.{method}") == "ada"
        assert place.sink.said == [
            ("authentication", "name", "ada", "allowed", "names", ""),
            ("call", f"Shop.{method}", "ada", "allowed", "only", "everything is allowed"),
        ]


@pytest.mark.parametrize("method", WHO)
async def test_anonymous_callers_where_they_were_let_in(method: str) -> None:
    async with hosting(auth=graftwire.Anonymous()) as place, place.connect() as client:
        assert await client.call(f"Shop.{method}") == "anonymous"
        reason = "anonymous callers may call everything"
        assert place.sink.said == [("call", f"Shop.{method}", "anonymous", "allowed", "anonymous", reason)]


async def test_code_that_is_run_at_once_is_told_who_calls_it_too() -> None:
    """Nobody is asked and nobody wants a record, so it runs in the task that reads."""
    async with hosting(auth=graftwire.Anonymous(), audit=()) as place, place.connect() as client:
        assert await client.call("Shop.who_at_once") == "anonymous"


async def test_the_identity_of_a_call_does_not_leak_into_the_sessions_that_it_makes() -> None:
    """A handler connects to a third gateway, which calls back: that is another caller."""
    theirs = Shop()

    class Front:
        async def ask(self, method: str) -> str:
            async with graftwire.connect(
                back.urls[0], services={"Shop": theirs}, auth=graftwire.Anonymous()
            ) as client:
                return await client.call("Caller.back", f"Shop.{method}")

    url = f"memory:answering-{next(_urls)}"
    async with graftwire.serve({"Caller": Caller()}, url, auth=graftwire.Anonymous()) as back:
        url = f"memory:answering-{next(_urls)}"
        async with graftwire.serve(
            {"Front": Front()}, url, auth=Names("ada"), allow=Only(everything)
        ) as front:
            async with graftwire.connect(front.urls[0], credential=As("ada")) as client:
                for method in WHO:
                    assert await client.call("Front.ask", method) == "anonymous"


async def test_a_caller_without_an_identity_is_refused() -> None:
    async with hosting(auth=Names("ada"), allow=Only(everything)) as place, place.connect() as client:
        with pytest.raises(graftwire.Unauthenticated):
            await client.call("Shop.who")
        assert not place.shop.ran
        assert place.sink.said == [
            ("call", "Shop.who", "", "refused", "none", "the caller has proved no identity")
        ]
        assert place.sink.records[0].code == "unauthenticated"


async def test_a_refused_proof_ends_the_session() -> None:
    async with hosting(auth=Names("ada"), allow=Only(everything)) as place:
        with pytest.raises(graftwire.Unauthenticated):
            async with place.connect(credential=As("eve")):
                raise AssertionError
        assert place.sink.said == [("authentication", "name", "", "refused", "names", "not a known name")]


async def test_calls_that_were_sent_along_with_a_refused_proof_never_run() -> None:
    async with hosting(auth=[graftwire.Anonymous(), Names("ada")], allow=Only(everything)) as place:
        async with place.connect(credential=As("eve"), eager=True) as client:
            with pytest.raises(graftwire.Unauthenticated) as caught:
                await client.call("Shop.who")
        assert caught.value.ran is False
        assert not place.shop.ran
        assert [record.event for record in place.sink.records] == ["authentication"]


async def test_calls_that_were_sent_along_with_a_proof_run_under_it() -> None:
    async with hosting(auth=Names("ada"), allow=Only(everything)) as place:
        async with place.connect(credential=As("ada"), eager=True) as client:
            assert await client.call("Shop.who") == "ada"


async def test_a_scheme_that_nobody_judges_is_refused() -> None:
    async with hosting(auth=graftwire.Anonymous()) as place:
        with pytest.raises(graftwire.Unauthenticated):
            async with place.connect(credential=As("ada")):
                raise AssertionError
        reason = "there is no authenticator for this scheme"
        assert place.sink.said == [("authentication", "name", "", "refused", "none", reason)]


@pytest.mark.parametrize(
    ("frame", "clause"),
    [
        ("00004009 8301 646e616d65 59 4000" + "00" * 16_384, "HELLO-8"),  # AUTH with 16 KiB
        ("0000200b 8301 646e616d65 59 2001" + "00" * 8_193, "AUTH-8"),  # with one byte more than there may be
        ("00002012 8705 01 00 6141 f6 82 646e616d65 59 2001" + "00" * 8_193 + "40", "AUTH-8"),  # on a CALL
    ],
    ids=["16 KiB", "8 KiB and one", "on a call"],
)
async def test_a_proof_that_is_too_long_has_its_record(frame: str, clause: str) -> None:
    """It is refused before anybody judges it, whatever it holds."""
    names = Names("ada")
    hello = "00000025 8300 8101 a6 011a00400000 02190400 031a01000000 041a00040000 051a00200000 0619ea60"
    async with hosting("tcp://127.0.0.1:0", auth=names, allow=Only(everything), plain_proofs=True) as place:
        stream = await trio.open_tcp_stream("127.0.0.1", int(place.gateway.urls[0].rpartition(":")[2]))
        async with stream:
            await stream.send_all(bytes.fromhex(hello + frame))
            while await stream.receive_some():
                pass
    assert not names.attempts
    (record,) = place.sink.records
    assert (record.event, record.decision, record.plugin, record.code) == (
        "authentication",
        "refused",
        "protocol",
        "protocol",
    )
    assert record.reason.endswith(f"({clause})")


@pytest.mark.parametrize("frame", ["00000002 8103", "00000003 8202 40"], ids=["ACCEPTED", "CHALLENGE"])
async def test_an_answer_to_no_proof_is_no_proof(frame: str) -> None:
    """The other side breaks the protocol as who judges: nobody has tried to be anybody, so there is nothing to tell."""
    sink = Keep()
    hello = "00000025 8300 8101 a6 011a00400000 02190400 031a01000000 041a00040000 051a00200000 0619ea60"

    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.send_all(bytes.fromhex(hello + frame))
            while await stream.receive_some():
                pass

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        url = f"tcp://127.0.0.1:{listener.socket.getsockname()[1]}"
        options = {"auth": Names("ada"), "allow": Only(everything), "audit": sink}
        async with graftwire.connect(url, services={"Shop": Shop()}, eager=True, **options) as client:
            session = client._connection.session
            await session.wait_ended()
            assert "AUTH-4" in str(session.ending)
        nursery.cancel_scope.cancel()
    assert sink.records == []


# --- may they --------------------------------------------------------------------------------------------------------


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies of calls that were decoded; they still are."""
    bodies: list[bytes] = []
    decode = values.decode_arguments

    def counting(body: bytes, **options: Any) -> Any:
        bodies.append(body)
        return decode(body, **options)

    monkeypatch.setattr(host_module.values, "decode_arguments", counting)
    return bodies


async def test_a_refused_call_reaches_neither_decoder_nor_handler(decoded: list[bytes]) -> None:
    """Promise P8, for every way in which a call is refused; the allowed one shows that both counters count."""
    allow = Only(lambda request: "it is free" if request.target == "Shop.who" else None)
    async with hosting(auth=Names("ada"), allow=allow) as place:
        async with place.connect(credential=As("ada")) as ada, place.connect() as stranger:
            for client, target, expected in [
                (ada, "Shop.pay", graftwire.Denied),
                (ada, "Shop.slow", graftwire.Denied),
                (ada, "Shop.who_at_once", graftwire.Denied),
                (ada, "Nowhere.nothing", graftwire.Denied),
                (stranger, "Shop.who", graftwire.Unauthenticated),
                (stranger, "Nowhere.nothing", graftwire.Unauthenticated),
                (ada.using(credential=As("eve")), "Shop.who", graftwire.Unauthenticated),
            ]:
                with pytest.raises(expected):
                    await client.call(target, 1)
            with pytest.raises(graftwire.Denied):
                async with ada.stream("Shop.ticks") as ticks:
                    await anext(ticks)
            assert (decoded, place.shop.ran) == ([], [])
            assert await ada.call("Shop.who") == "ada"
            assert (len(decoded), place.shop.ran) == (1, ["who"])


async def test_a_refused_caller_cannot_tell_what_exists() -> None:
    async with hosting(auth=Names("ada"), allow=Only(lambda request: None)) as place:
        async with place.connect(credential=As("ada")) as client:
            errors: list[BaseException] = []
            for target in ("Shop.who", "Shop.nothing", "Nowhere.nothing"):
                with pytest.raises(graftwire.Denied) as caught:
                    await client.call(target, "arguments", of="no form")
                errors.append(caught.value)
            assert {str(error) for error in errors} == {"the caller may not call this"}


async def test_all_authorisers_have_to_allow_and_the_first_refusal_counts() -> None:
    first, second = Only(everything), Only(lambda request: None)
    third = Only(everything)
    async with hosting(auth=graftwire.Anonymous(), allow=[first, second, third]) as place:
        async with place.connect() as client:
            with pytest.raises(graftwire.Denied):
                await client.call("Shop.who")
        assert [len(each.requests) for each in (first, second, third)] == [1, 1, 0]
        assert place.sink.said == [("call", "Shop.who", "anonymous", "refused", "only", "not on the list")]


async def test_what_several_authorisers_said_is_in_the_record() -> None:
    async with hosting(auth=graftwire.Anonymous(), allow=[Only(everything), OnlyWith(everything)]) as place:
        async with place.connect() as client:
            await client.call("Shop.who")
        (record,) = place.sink.records
        assert record.plugin == "only, only-with"
        said = "everything is allowed"
        assert record.reason == f"only: {said}; only-with: {said}; with arguments: {said}"


async def test_arguments_are_for_those_who_ask_and_come_second() -> None:
    plain = Only(everything)
    asking = OnlyWith(
        lambda request: "small enough" if request.arguments is None or request.arguments[0][0] < 100 else None  # type: ignore[operator]
    )
    async with hosting(auth=graftwire.Anonymous(), allow=[plain, asking]) as place:
        async with place.connect() as client:
            assert await client.call("Shop.pay", 99, to="them") == "anonymous"
            with pytest.raises(graftwire.Denied):
                await client.call("Shop.pay", 100)
            with pytest.raises(graftwire.UnknownTarget):
                await client.call("Shop.nothing", 100)
        assert [request.arguments for request in plain.requests] == [None, None, None]
        assert [request.arguments for request in asking.requests] == [
            None,
            ([99], {"to": "them"}),
            None,
            ([100], {}),
            None,
        ]
        assert place.shop.ran == ["pay"]
        assert [record.decision for record in place.sink.records] == ["allowed", "refused", "allowed"]


async def test_an_allowed_call_that_fails_has_its_record_too() -> None:
    async with hosting(auth=graftwire.Anonymous()) as place, place.connect() as client:
        with pytest.raises(graftwire.UnknownTarget):
            await client.call("Shop.nothing")
        with pytest.raises(graftwire.BadArguments):
            await client.call("Shop.pay", "text")
        with pytest.raises(graftwire.BadArguments):
            async with client.stream("Shop.pay") as items:
                await anext(items)
        targets = [(record.target, record.decision) for record in place.sink.records]
        assert targets == [("Shop.nothing", "allowed"), ("Shop.pay", "allowed"), ("Shop.pay", "allowed")]


# --- permissions for a time ------------------------------------------------------------------------------------------


async def test_a_permission_for_a_time_is_one_record_and_a_count(
    autojump_clock: trio.testing.MockClock,
) -> None:
    allow = Only(everything, seconds=10)
    async with hosting(auth=Names("ada"), allow=allow) as place:
        async with place.connect(credential=As("ada")) as client:
            for _ in range(5):
                await client.call("Shop.who")
            await client.call("Shop.pay", 1)
            await trio.sleep(11)
            await client.call("Shop.who")
            await client.call("Shop.who")
        await trio.testing.wait_all_tasks_blocked()
        assert [request.target for request in allow.requests] == ["Shop.who", "Shop.pay", "Shop.who"]
        counted = [(each.event, each.target, each.count) for each in place.sink.records[1:]]
        assert counted == [
            ("call", "Shop.who", None),
            ("call", "Shop.pay", None),
            ("call", "Shop.who", None),
            ("repeated", "Shop.who", 4),
            ("repeated", "Shop.who", 1),
        ]
        assert len(place.shop.ran) == 8


async def test_a_permission_for_a_time_is_for_one_identity() -> None:
    allow = Only(lambda request: "it is ada" if request.identity.subject == "ada" else None, seconds=1_000)
    async with hosting(auth=Names("ada", "eve"), allow=allow) as place:
        async with place.connect(credential=As("ada")) as client:
            await client.call("Shop.who")
            with pytest.raises(graftwire.Denied):
                await client.using(credential=As("eve")).call("Shop.who")
            assert await client.call("Shop.who") == "ada"
            assert len(allow.requests) == 2


async def test_a_permission_for_a_time_never_takes_the_place_of_one_with_arguments() -> None:
    """Also where the first call fails before its arguments are looked at: the next one has arguments, too."""
    allow = OnlyWith(
        lambda request: "without arguments" if request.arguments is None else None, seconds=1_000
    )
    async with hosting(auth=graftwire.Anonymous(), allow=allow) as place, place.connect() as client:
        session = client._connection.session
        with pytest.raises(graftwire.BadArguments):
            async with client.stream("Shop.pay", 1) as items:  # the wrong shape
                await anext(items)
        with pytest.raises(graftwire.BadArguments):
            await session.request("Shop.pay", b"\xff")  # no arguments at all
        with pytest.raises(graftwire.Denied):
            await client.call("Shop.pay", 1_000_000)
        assert not place.shop.ran
        assert [record.decision for record in place.sink.records] == ["allowed", "allowed", "refused"]


# --- no decision without its record ----------------------------------------------------------------------------------


class Slow(Keep):
    """Takes a second for each record."""

    async def write(self, record: graftwire.Record) -> None:
        await trio.sleep(1)
        await super().write(record)


@pytest.mark.parametrize("decision", ["allowed", "refused"])
@pytest.mark.parametrize("how", ["cancelled", "deadline", "session"])
async def test_a_caller_who_goes_away_takes_no_record_along(
    decision: str, how: str, autojump_clock: trio.testing.MockClock
) -> None:
    """It was decided; and what was decided is written down, whether or not anybody waits for the outcome."""
    sink = Slow()
    allow = Only(lambda request: "it is allowed" if decision == "allowed" else None)
    async with hosting(auth=graftwire.Anonymous(), allow=allow, audit=sink) as place:
        async with place.connect() as client:
            if how == "deadline":
                with pytest.raises(graftwire.DeadlineExceeded):
                    await client.using(deadline=0.5).call("Shop.who")
            else:
                with trio.move_on_after(0.5):
                    await client.call("Shop.who")
            if how == "session":
                client._connection.session.close()
            await trio.sleep(3)
        assert [(record.event, record.decision) for record in sink.records] == [("call", decision)]
        assert not place.shop.ran


@pytest.mark.parametrize("who", ["ada", "eve"])
async def test_a_claimant_who_goes_away_takes_no_record_along(
    who: str, autojump_clock: trio.testing.MockClock
) -> None:
    sink = Slow()
    async with hosting(auth=Names("ada"), allow=Only(everything), audit=sink) as place:
        with trio.move_on_after(0.5):
            async with place.connect(credential=As(who)):
                raise AssertionError
        await trio.sleep(3)
    assert [record.decision for record in sink.records] == ["allowed" if who == "ada" else "refused"]


async def test_an_exchange_that_nobody_finishes_has_its_record(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The verifier thinks for longer than an exchange may take, and the session is ended (clause AUTH-5)."""
    options = {"auth": Broken("hangs"), "allow": Only(everything), "plugin_seconds": 60}
    async with hosting(**options) as place:
        with pytest.raises(graftwire.CallError):
            async with place.connect(credential=As("ada")):
                raise AssertionError
        await trio.sleep(3)
        reason = "the session ended before the exchange did"
        assert place.sink.said == [("authentication", "name", "", "refused", "broken", reason)]
        assert place.sink.records[0].code == "unauthenticated"


@pytest.mark.parametrize("asking", [False, True])
async def test_a_call_that_breaks_the_protocol_has_its_record(asking: bool) -> None:
    """Whether its body is decoded for an authoriser or for the method: a reference that its sender can't have given."""
    allow = OnlyWith(everything) if asking else Only(everything)
    async with hosting(auth=graftwire.Anonymous(), allow=allow) as place, place.connect() as client:
        with pytest.raises(graftwire.SessionError):
            await client._connection.session.request("Shop.pay", bytes.fromhex("82 81 d9a407 02 a0"))
        assert not place.shop.ran
        assert [each[1:4] for each in place.sink.said] == [("Shop.pay", "anonymous", "allowed")]


async def test_a_call_that_breaks_the_protocol_ends_the_session_without_a_record_too() -> None:
    async with hosting(
        auth=graftwire.Anonymous(), allow=OnlyWith(everything), audit=Broken("raises")
    ) as place:
        async with place.connect() as client:
            with pytest.raises(graftwire.SessionError):
                await client._connection.session.request("Shop.pay", bytes.fromhex("82 81 d9a407 02 a0"))
            assert not client._connection.session.usable
        assert not place.shop.ran


async def test_counts_that_can_not_be_written_any_more_are_lost_in_public(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What is still to be said at the end of a session has a bound, and what does not fit is counted."""

    class Stuck(Keep):
        async def write(self, record: graftwire.Record) -> None:
            if record.event == "repeated":
                await trio.sleep_forever()
            await super().write(record)

    trail = graftwire.Trail(Stuck())
    async with hosting(
        auth=graftwire.Anonymous(), allow=Only(everything, seconds=1_000), audit=trail
    ) as place:
        async with place.connect() as client:
            for target in ("Shop.who", "Shop.who_at_once", "Shop.handle"):
                for _ in range(2):
                    await client.call(target)
        start = trio.current_time()
        await trio.sleep(30)
        assert trail.lost == 3
        assert trio.current_time() - start < 31
    assert "an audit sink failed" in caplog.text


# --- plugins that fail -----------------------------------------------------------------------------------------------

FAILURES = {
    "raises": "the plugin raised KeyError",
    "groups": "the plugin raised ExceptionGroup",
    "hangs": "the plugin took longer than 5 s",
    "nothing": "the plugin gave a NoneType, which is no answer",
    "true": "the plugin gave a bool, which is no answer",
    "class": "the plugin gave a type, which is no answer",
}


@pytest.mark.parametrize("what", FAILURES)
async def test_an_authenticator_that_fails_is_a_refusal(
    what: str, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting(auth=[graftwire.Anonymous(), Broken(what)], allow=Only(everything)) as place:
        with pytest.raises(graftwire.Unauthenticated):
            async with place.connect(credential=As("ada")):
                raise AssertionError
        async with place.connect() as client:
            with pytest.raises(graftwire.Unauthenticated):
                await client.using(credential=As("ada")).call("Shop.who")
        assert not place.shop.ran
        assert [each[3:] for each in place.sink.said] == [("refused", "broken", FAILURES[what])] * 2
    assert "a secret" not in caplog.text
    assert "the plugin broken" in caplog.text


@pytest.mark.parametrize("what", FAILURES)
async def test_an_authoriser_that_fails_is_a_refusal(
    what: str, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting(auth=graftwire.Anonymous(), allow=Broken(what)) as place, place.connect() as client:
        with pytest.raises(graftwire.Denied):
            await client.call("Shop.who")
        assert not place.shop.ran
        assert [each[3:] for each in place.sink.said] == [("refused", "broken", FAILURES[what])]
    assert "a secret" not in caplog.text


async def test_the_time_of_plugins_can_be_set(autojump_clock: trio.testing.MockClock) -> None:
    async with hosting(auth=graftwire.Anonymous(), allow=Broken("hangs"), plugin_seconds=30) as place:
        async with place.connect() as client:
            start = trio.current_time()
            with pytest.raises(graftwire.Denied):
                await client.call("Shop.who")
            assert trio.current_time() - start == pytest.approx(30)


async def test_the_time_of_a_sink_can_be_set(autojump_clock: trio.testing.MockClock) -> None:
    """As that of every other plugin; a trail of one's own has its own."""
    for audit, seconds in ((Broken("hangs"), 30), (graftwire.Trail(Broken("hangs"), seconds=7), 7)):
        async with hosting(auth=graftwire.Anonymous(), audit=audit, plugin_seconds=30) as place:
            async with place.connect() as client:
                start = trio.current_time()
                with pytest.raises(graftwire.Unavailable):
                    await client.call("Shop.who")
                assert trio.current_time() - start == pytest.approx(seconds)


@pytest.mark.parametrize("what", ["raises", "groups", "hangs"])
async def test_a_call_does_not_run_without_its_record(
    what: str, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting(
        auth=[graftwire.Anonymous(), Names("ada")], allow=Only(everything), audit=Broken(what)
    ) as place:
        async with place.connect() as client:
            with pytest.raises(graftwire.Unavailable) as caught:
                await client.call("Shop.who")
            assert caught.value.ran is False
        with pytest.raises(graftwire.Unauthenticated):
            async with place.connect(credential=As("ada")):
                raise AssertionError
        assert not place.shop.ran
    assert "an audit sink failed (broken: " in caplog.text
    assert "a secret" not in caplog.text


async def test_records_that_can_not_be_kept_are_counted_where_that_was_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = Keep()
    trail = graftwire.Trail([Broken("raises"), sink], on_failure="count")
    async with hosting(auth=graftwire.Anonymous(), audit=trail) as place, place.connect() as client:
        for _ in range(3):
            await client.call("Shop.who")
        assert (trail.lost, len(sink.records)) == (3, 3)
    assert caplog.text.count("an audit sink failed (broken: KeyError); what it can't keep is counted") == 1


async def test_without_a_sink_decisions_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "graftwire.audit")
    allow = Only(lambda request: "it is who" if request.target == "Shop.who" else None)
    async with hosting(auth=graftwire.Anonymous(), allow=allow, audit=()) as place, place.connect() as client:
        await client.call("Shop.who")
        with pytest.raises(graftwire.Denied):
            await client.call("Shop.pay", 1)
    said = [
        (record.levelname, record.message) for record in caplog.records if record.name == "graftwire.audit"
    ]
    peer = said[0][1].partition(" from ")[2].partition(",")[0]
    assert said == [
        ("DEBUG", f"call Shop.who allowed for anonymous from {peer}, by only: it is who"),
        ("WARNING", f"call Shop.pay refused for anonymous from {peer}, by only: not on the list"),
    ]


async def test_refusals_without_any_plugin_are_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with hosting(auth=graftwire.Anonymous(), audit=()) as place, place.connect() as client:
        with pytest.raises(graftwire.Unauthenticated):
            await client.using(credential=As("ada")).call("Shop.who")
        assert not place.shop.ran
    assert "there is no authenticator for this scheme" in caplog.text


# --- a credential on a call ------------------------------------------------------------------------------------------


async def test_a_credential_counts_for_its_call_alone() -> None:
    names = Names("ada", "bob")
    async with hosting(auth=names, allow=Only(everything)) as place:
        async with place.connect(credential=As("ada")) as client:
            bob = client.using(credential=As("bob"))
            assert await bob.call("Shop.who") == "bob"
            assert await client.call("Shop.who") == "ada"
            shop = bob.proxy(Shop)
            assert await shop.who() == "bob"
            async with bob.stream("Shop.ticks") as ticks:
                assert await anext(ticks) == 0
        assert [attempt.single_call for attempt in names.attempts] == [False, True, True, True]
        assert [record.identity for record in place.sink.records] == ["ada", "bob", "ada", "bob", "bob"]


async def test_a_refused_credential_falls_back_to_nothing() -> None:
    async with hosting(auth=[graftwire.Anonymous(), Names("ada")], allow=Only(everything)) as place:
        async with place.connect(credential=As("ada")) as client, place.connect() as stranger:
            for each in (client, stranger):
                with pytest.raises(graftwire.Unauthenticated):
                    await each.using(credential=As("eve")).call("Shop.who")
        assert not place.shop.ran
        assert [record.identity for record in place.sink.records[1:]] == [None, None]


class Asks(graftwire.Authenticator):
    """Wants its challenge back, the other way round."""

    name = "asks"
    schemes = ("asks",)

    def __init__(self, rounds: int = 1, size: int = 3) -> None:
        self.rounds = rounds
        self.size = size

    async def authenticate(self, attempt: graftwire.Attempt) -> Any:
        if attempt.round > 1 and attempt.proof != attempt.memory[::-1]:
            return graftwire.Refusal("the wrong answer")
        if attempt.round > self.rounds:
            return graftwire.Identity("ada", attempt.scheme)
        question = bytes(number % 251 for number in range(self.size))
        return graftwire.Challenge(question, question)


class Answers(graftwire.CredentialProvider):
    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.answer = answer
        self.hellos: tuple[bytes, bytes] | None = None

    async def credential(self, occasion: graftwire.Occasion) -> graftwire.Credential:
        async def answer(question: bytes) -> bytes:
            self.hellos = occasion.hellos()
            return self.answer(question)

        return graftwire.Credential("asks", b"", answer)


@pytest.mark.parametrize("rounds", [1, 2, 7])
async def test_a_challenge_is_answered(rounds: int) -> None:
    provider = Answers(lambda question: question[::-1])
    async with hosting(auth=Asks(rounds), allow=Only(everything)) as place:
        async with place.connect(credential=provider) as client:
            assert await client.call("Shop.who") == "ada"
            with pytest.raises(
                graftwire.CredentialError, match="answer a challenge, which a single call can't have"
            ):
                await client.using(credential=provider).call("Shop.who")
        assert [record.event for record in place.sink.records] == ["authentication", "call"]
    assert provider.hellos is not None
    assert all(hello.startswith(b"\x83\x00\x81\x01\xa6") for hello in provider.hellos)


async def test_a_wrong_answer_to_a_challenge() -> None:
    async with hosting(auth=Asks(), allow=Only(everything)) as place:
        with pytest.raises(graftwire.Unauthenticated):
            async with place.connect(credential=Answers(lambda question: question)):
                raise AssertionError
        assert place.sink.said == [("authentication", "asks", "", "refused", "asks", "the wrong answer")]


@pytest.mark.parametrize(
    ("authenticator", "reason"),
    [
        (Asks(8), "it wants more than the 8 rounds that an exchange has"),
        (Asks(size=8_193), "its challenge is larger than a frame takes"),
    ],
)
async def test_a_challenge_that_can_not_be_sent(authenticator: Asks, reason: str) -> None:
    async with hosting(auth=authenticator, allow=Only(everything)) as place:
        with pytest.raises(graftwire.Unauthenticated):
            async with place.connect(credential=Answers(lambda question: question[::-1])):
                raise AssertionError
        assert place.sink.said == [("authentication", "asks", "", "refused", "asks", reason)]


async def test_a_challenge_can_not_answer_the_credential_of_a_call() -> None:
    class Bare(graftwire.CredentialProvider):
        async def credential(self, occasion: graftwire.Occasion) -> graftwire.Credential:
            return graftwire.Credential("asks", b"")

    async with hosting(auth=[graftwire.Anonymous(), Asks()], allow=Only(everything)) as place:
        async with place.connect() as client:
            with pytest.raises(graftwire.Unauthenticated):
                await client.using(credential=Bare()).call("Shop.who")
        reason = "its scheme needs a challenge, which the credential of a call can't have"
        assert place.sink.said == [("call", "Shop.who", "", "refused", "asks", reason)]


# --- again, and for how long -----------------------------------------------------------------------------------------


async def test_an_identity_is_proved_again_before_it_expires(autojump_clock: trio.testing.MockClock) -> None:
    names = Names("ada", seconds=100)
    async with hosting(auth=names, allow=Only(everything)) as place:
        async with place.connect(credential=As("ada", seconds=100)) as client:
            for _ in range(5):
                await trio.sleep(70)
                assert await client.call("Shop.who") == "ada"
        assert len(names.attempts) > 3


async def test_what_an_expired_identity_may_not_do(autojump_clock: trio.testing.MockClock) -> None:
    """Clause AUTH-12: new calls are refused, streams end, a unary call that runs goes on."""
    async with hosting(auth=Names("ada", seconds=10), allow=Only(everything)) as place:
        async with place.connect(credential=As("ada")) as client, trio.open_nursery() as nursery:

            async def slow() -> None:
                assert await client.call("Shop.slow", 15.0) == "ada"

            nursery.start_soon(slow)
            got: list[int] = []
            with pytest.raises(graftwire.CallCancelled):
                async with client.stream("Shop.ticks") as ticks:
                    async for tick in ticks:
                        got.append(tick)
            assert len(got) in (10, 11)
            with pytest.raises(graftwire.Unauthenticated):
                await client.call("Shop.who")
            assert place.sink.records[-1].reason == "the identity has expired"
            # and again: the same subject makes calls possible, in the same session
            await client._connection.session.authentication.prove("name", b"ada")
            assert await client.call("Shop.who") == "ada"


@pytest.mark.parametrize("authoriser", [Only, OnlyWith])
async def test_an_identity_that_counts_no_more_when_its_call_is_decided(
    authoriser: type[Only], autojump_clock: trio.testing.MockClock
) -> None:
    """An authoriser may take seconds: it must be the identity of now that the handler runs under."""
    revoked: set[str] = set()

    class Register(Names):
        def withdrawn(self, identity: graftwire.Identity) -> str | None:
            return "it was revoked" if identity.subject in revoked else None

    class Slow(authoriser):  # type: ignore[valid-type,misc]
        async def authorise(self, request: graftwire.Request) -> graftwire.Permission | graftwire.Refusal:
            await trio.sleep(4 if request.arguments is not None or not self.needs_arguments else 0)
            revoked.update(now)
            return await super().authorise(request)

    now: set[str] = set()
    auth = Register("ada", "bob", seconds=3)
    async with hosting(auth=auth, allow=Slow(everything)) as place:
        async with place.connect(credential=As("ada")) as client:
            with pytest.raises(graftwire.Unauthenticated):
                await client.call("Shop.who")
        now.add("bob")
        auth.seconds = None
        async with place.connect(credential=As("bob")) as client:
            with pytest.raises(graftwire.Unauthenticated):
                await client.call("Shop.who")
            with pytest.raises(graftwire.Unauthenticated):  # nor does it learn what there is
                await client.call("Shop.nothing")
        assert not place.shop.ran
        assert [each for each in place.sink.said if each[0] == "call"] == [
            ("call", "Shop.who", "ada", "refused", "names", "the identity has expired"),
            ("call", "Shop.who", "bob", "refused", "names", "it was revoked"),
            ("call", "Shop.nothing", "bob", "refused", "names", "it was revoked"),
        ]


async def test_an_identity_that_has_expired_is_none() -> None:
    async with hosting(auth=Names("ada", seconds=-1), allow=Only(everything)) as place:
        with pytest.raises(graftwire.Unauthenticated):
            async with place.connect(credential=As("ada")):
                raise AssertionError
        assert place.sink.records[0].reason == "the identity has expired"


async def test_another_subject_is_no_renewal() -> None:
    async with hosting(auth=Names("ada", "bob"), allow=Only(everything)) as place:
        async with place.connect(credential=As("ada")) as client:
            assert await client.call("Shop.who") == "ada"
            with pytest.raises(graftwire.Unauthenticated):
                await client._connection.session.authentication.prove("name", b"bob")
        assert place.sink.said[-1][3:] == (
            "refused",
            "names",
            "it proves another subject than the session has",
        )


async def test_calls_from_before_keep_what_they_had() -> None:
    """Clause AUTH-7: a call that came before a proof runs under what was known then."""
    gate = trio.Event()

    class Waits(graftwire.Authoriser):
        async def authorise(self, request: graftwire.Request) -> graftwire.Permission:
            if request.identity is graftwire.NOBODY:
                await gate.wait()
            return graftwire.Permission()

    async with hosting(auth=[graftwire.Anonymous(), Names("ada")], allow=Waits()) as place:
        async with place.connect() as client, trio.open_nursery() as nursery:
            answers: list[str] = []

            async def call() -> None:
                answers.append(await client.call("Shop.who"))

            nursery.start_soon(call)
            await trio.testing.wait_all_tasks_blocked()
            await client._connection.session.authentication.prove("name", b"ada")
            await call()
            gate.set()
        assert answers == ["ada", "anonymous"]


async def test_an_identity_that_its_authenticator_takes_back() -> None:
    """A revoked proof lives on neither in the sessions that it opened nor in permissions for a time."""
    revoked: set[str] = set()

    class Register(Names):
        def withdrawn(self, identity: graftwire.Identity) -> str | None:
            return "it was revoked" if identity.subject in revoked else None

    async with hosting(auth=Register("ada", "bob"), allow=Only(everything, seconds=1_000)) as place:
        async with place.connect(credential=As("ada")) as ada, place.connect(credential=As("bob")) as bob:
            for client in (ada, bob, ada):
                await client.call("Shop.who")
            revoked.add("ada")
            with pytest.raises(graftwire.Unauthenticated):
                await ada.call("Shop.who")
            assert await bob.call("Shop.who") == "bob"
        assert ("call", "Shop.who", "ada", "refused", "names", "it was revoked") in place.sink.said


async def test_a_stream_ends_when_its_identity_is_taken_back(autojump_clock: trio.testing.MockClock) -> None:
    """Clause AUTH-12: what runs does not go on under an identity that counts no more; others go on."""
    revoked: set[str] = set()

    class Register(Names):
        def withdrawn(self, identity: graftwire.Identity) -> str | None:
            return "it was revoked" if identity.subject in revoked else None

    async with hosting(auth=Register("ada", "bob"), allow=Only(everything)) as place:
        async with place.connect(credential=As("ada")) as ada, place.connect(credential=As("bob")) as bob:
            async with ada.stream("Shop.ticks") as hers, bob.stream("Shop.ticks") as his:
                for _ in range(5):
                    await anext(hers)
                    await anext(his)
                revoked.add("ada")
                with pytest.raises(graftwire.CallCancelled):
                    for _ in range(5):
                        await anext(hers)
                for _ in range(5):
                    await anext(his)
            with pytest.raises(graftwire.Unauthenticated):
                await ada.call("Shop.who")


async def test_an_authenticator_that_can_not_say_whether_an_identity_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Confused(Names):
        def withdrawn(self, identity: graftwire.Identity) -> str | None:
            raise KeyError("a secret")

    async with hosting(auth=Confused("ada"), allow=Only(everything)) as place:
        async with place.connect(credential=As("ada")) as client:
            with pytest.raises(graftwire.Unauthenticated):
                await client.call("Shop.who")
        assert place.sink.records[-1].reason == "the plugin raised KeyError"
    assert "a secret" not in caplog.text


# --- references ------------------------------------------------------------------------------------------------------


async def test_a_reference_works_for_whom_it_was_given_to() -> None:
    async with hosting(auth=Names("ada", "bob"), allow=Only(everything)) as place:
        async with place.connect(credential=As("ada")) as client:
            handle = await client.call("Shop.handle")
            assert await handle() == "ada"
            bob = client.using(credential=As("bob"))
            bobs = await bob.call("Shop.handle")
            with pytest.raises(graftwire.Denied):
                await bobs()
        said = place.sink.said[2:]
        assert said[0] == ("call", "reference", "ada", "allowed", "reference", "it was given to this caller")
        assert said[-1] == (
            "call",
            "reference",
            "ada",
            "refused",
            "reference",
            "it was given to another identity",
        )


async def test_a_call_on_what_was_withdrawn_is_judged_and_recorded_like_any_other() -> None:
    """Who may not call it does not learn that it is gone (CALL-11, REF-6)."""
    async with hosting(auth=Names("ada", "bob"), allow=Only(everything)) as place:
        async with place.connect(credential=As("ada")) as ada:
            shop = await ada.call("Shop.itself")
            assert await shop.call("who") == "ada"
            place.shop.mark.withdraw()
            place.sink.records.clear()
            with pytest.raises(graftwire.UnknownTarget):
                await shop.call("who")
        assert place.sink.said == [
            ("call", "reference", "ada", "allowed", "reference", "it was given to this caller")
        ]


async def test_a_reference_does_not_outlive_a_change_of_identity() -> None:
    async with hosting(auth=[graftwire.Anonymous(), Names("ada")], allow=Only(everything)) as place:
        async with place.connect() as client:
            handle = await client.call("Shop.handle")
            assert await handle() == "anonymous"
            await client._connection.session.authentication.prove("name", b"ada")
            with pytest.raises(graftwire.Denied):
                await handle()
            assert await (await client.call("Shop.handle"))() == "ada"


# --- the other direction ---------------------------------------------------------------------------------------------


class Caller:
    """Hosted by a gateway; calls back what its caller hosts."""

    async def back(self, target: str) -> str:
        return await graftwire.peer().call(target)


@asynccontextmanager
async def both(
    credential: graftwire.CredentialProvider | None, **client: Any
) -> AsyncGenerator[tuple[Shop, Any]]:
    shop = Shop()
    url = f"memory:answering-{next(_urls)}"
    async with graftwire.serve(
        {"Caller": Caller()}, url, auth=graftwire.Anonymous(), credential=credential
    ) as gateway:
        async with graftwire.connect(gateway.urls[0], services={"Shop": shop}, **client) as connected:
            await trio.testing.wait_all_tasks_blocked()
            yield shop, connected


async def test_a_gateway_proves_itself_to_who_dialled() -> None:
    sink = Keep()
    options = {"auth": Names("gateway"), "allow": Only(everything), "audit": sink}
    async with both(As("gateway"), **options) as (shop, client):
        assert await client.call("Caller.back", "Shop.who") == "gateway"
    assert sink.said == [
        ("authentication", "name", "gateway", "allowed", "names", ""),
        ("call", "Shop.who", "gateway", "allowed", "only", "everything is allowed"),
    ]


async def test_a_gateway_that_proves_nothing_may_call_no_name() -> None:
    sink = Keep()
    options = {"auth": Names("gateway"), "allow": Only(everything), "audit": sink}
    async with both(None, **options) as (shop, client):
        with pytest.raises(graftwire.InternalError):  # the handler's own failure: what it called was refused
            await client.call("Caller.back", "Shop.who")
        assert not shop.ran
    assert sink.said == [("call", "Shop.who", "", "refused", "none", "the caller has proved no identity")]


async def test_a_gateway_whose_proof_is_refused() -> None:
    sink = Keep()
    options = {"auth": Names("gateway"), "allow": Only(everything), "audit": sink}
    with pytest.raises(graftwire.Unavailable):
        async with both(As("eve"), **options) as (shop, client):
            await client.call("Caller.back", "Shop.who")
    assert sink.said == [("authentication", "name", "", "refused", "names", "not a known name")]


class CallsBack:
    """Hosted by a gateway; calls back in every way that proves something, and says what came of it."""

    async def once(self, who: str) -> str:
        try:
            return str(await graftwire.peer().using(credential=As(who)).call("Shop.who"))
        except graftwire.CallError as error:
            return error.code.label

    async def plainly(self) -> str:
        try:
            return str(await graftwire.peer().call("Shop.who"))
        except graftwire.CallError as error:
            return error.code.label

    async def ticks(self) -> str:
        try:
            async with graftwire.peer().stream("Shop.ticks") as ticks:
                async for _ in ticks:
                    pass
        except graftwire.CallError as error:
            return error.code.label
        return "ended"

    async def prove(self, who: str) -> str:
        try:
            await graftwire.peer()._connection.session.authentication.prove("name", who.encode())
        except graftwire.CallError as error:
            return error.code.label
        return "accepted"


async def test_the_other_direction_has_the_same_rules(autojump_clock: trio.testing.MockClock) -> None:
    """A credential on one call, expiry, expiry under a stream, and proving again: where the gateway is the claimant."""
    sink = Keep()
    names = Names("gateway", "ada", seconds=10)
    url = f"memory:answering-{next(_urls)}"
    async with graftwire.serve(
        {"Back": CallsBack()}, url, auth=graftwire.Anonymous(), credential=As("gateway")
    ):
        options = {"auth": names, "allow": Only(everything), "audit": sink}
        async with graftwire.connect(url, services={"Shop": Shop()}, **options) as client:
            await trio.testing.wait_all_tasks_blocked()
            assert await client.call("Back.once", "ada") == "ada"
            assert await client.call("Back.once", "eve") == "unauthenticated"
            assert await client.call("Back.plainly") == "gateway"
            assert await client.call("Back.ticks") == "cancelled"
            assert await client.call("Back.plainly") == "unauthenticated"
            assert await client.call("Back.prove", "gateway") == "accepted"
            assert await client.call("Back.plainly") == "gateway"
            with pytest.raises(graftwire.CallError):  # another subject: that ends the session
                await client.call("Back.prove", "ada")
    everything_is = ("only", "everything is allowed")
    assert sink.said == [
        ("authentication", "name", "gateway", "allowed", "names", ""),
        ("call", "Shop.who", "ada", "allowed", *everything_is),
        ("call", "Shop.who", "", "refused", "names", "not a known name"),
        ("call", "Shop.who", "gateway", "allowed", *everything_is),
        ("call", "Shop.ticks", "gateway", "allowed", *everything_is),
        ("call", "Shop.who", "gateway", "refused", "names", "the identity has expired"),
        ("authentication", "name", "gateway", "allowed", "names", ""),
        ("call", "Shop.who", "gateway", "allowed", *everything_is),
        ("authentication", "name", "", "refused", "names", "it proves another subject than the session has"),
    ]


async def test_the_plugins_of_a_client_get_ready_too() -> None:
    started: list[str] = []

    class Provider(As):
        async def start(self) -> None:
            started.append("provider")

    class Sink(Keep):
        async def start(self) -> None:
            started.append("sink")

    async with hosting(auth=Names("ada"), allow=Only(everything)) as place:
        async with place.connect(
            credential=Provider("ada"), services={"Mine": Shop()}, auth=graftwire.Anonymous(), audit=Sink()
        ):
            assert sorted(started) == ["provider", "sink"]


def test_there_is_no_peer_outside_of_a_call() -> None:
    with pytest.raises(RuntimeError, match="there is no peer outside of a call"):
        graftwire.peer()


# --- what is sent, and where -----------------------------------------------------------------------------------------


async def test_a_session_that_is_made_again_proves_whoever_has_connected() -> None:
    """Whose call has noticed that it was lost is not what the new session is for."""

    class WhoeverCalls(graftwire.CredentialProvider):
        """Delegates, because it was written to: outside of a call it is the front itself."""

        async def credential(self, occasion: graftwire.Occasion) -> graftwire.Credential:
            identity = graftwire.current_identity()
            return graftwire.Credential("name", b"front" if identity is None else identity.subject.encode())

    class Front:
        def __init__(self, back: graftwire.Client) -> None:
            self.back = back

        async def ask(self) -> str:
            return await self.back.call("Shop.who")

    async with hosting(auth=Names("front", "ada", "bob"), allow=Only(everything)) as place:
        async with place.connect(credential=WhoeverCalls(), retry=graftwire.Retry()) as back:
            url = f"memory:answering-{next(_urls)}"
            async with (
                graftwire.serve(
                    {"Front": Front(back)}, url, auth=Names("ada", "bob"), allow=Only(everything)
                ),
                graftwire.connect(url, credential=As("ada")) as ada,
                graftwire.connect(url, credential=As("bob")) as bob,
            ):
                assert await bob.call("Front.ask") == "front"
                back._connection.session.close()
                await back._connection.session.wait_ended()
                assert await ada.call("Front.ask") == "front"
                assert await bob.call("Front.ask") == "front"


async def test_nothing_is_delegated_silently() -> None:
    """The identity of a call goes to the next gateway only where a credential provider sends it there."""

    class Front:
        def __init__(self, back: graftwire.Client) -> None:
            self.back = back

        async def plain(self) -> str:
            return await self.back.call("Shop.who")

        async def delegating(self) -> str:
            return await self.back.using(credential=Delegating()).call("Shop.who")

    class Delegating(graftwire.CredentialProvider):
        async def credential(self, occasion: graftwire.Occasion) -> graftwire.Credential | None:
            identity = graftwire.current_identity()
            return None if identity is None else graftwire.Credential("name", identity.subject.encode())

    names = Names("ada")
    async with hosting(auth=[graftwire.Anonymous(), names], allow=Only(everything)) as back:
        async with back.connect() as middle:
            url = f"memory:answering-{next(_urls)}"
            async with graftwire.serve(
                {"Front": Front(middle)}, url, auth=Names("ada"), allow=Only(everything)
            ) as gateway:
                async with graftwire.connect(gateway.urls[0], credential=As("ada")) as client:
                    assert await client.call("Front.plain") == "anonymous"
                    assert not names.attempts
                    assert await client.call("Front.delegating") == "ada"


@pytest.mark.parametrize("scheme", ["tcp", "ws"])
async def test_no_proof_crosses_a_link_that_does_not_protect_it(scheme: str) -> None:
    """Clause AUTH-10, at the sender and at the receiver; loopback is no exception."""
    url = f"{scheme}://127.0.0.1:0"
    sentence = f"a proof is not sent over {scheme}, which does not protect it: use tls, wss or unix, or say "
    names = Names("ada")
    async with hosting(url, auth=[graftwire.Anonymous(), names], allow=Only(everything)) as place:
        with pytest.raises(graftwire.CredentialError) as caught:
            async with place.connect(credential=As("ada")):
                raise AssertionError
        assert str(caught.value) == sentence + "plain_proofs=True if the network may read it"
        async with place.connect() as client:
            with pytest.raises(graftwire.CredentialError):
                await client.using(credential=As("ada")).call("Shop.who")
        with pytest.raises(graftwire.Unauthenticated):
            async with place.connect(credential=As("ada"), plain_proofs=True):
                raise AssertionError
        async with place.connect(plain_proofs=True) as client:
            with pytest.raises(graftwire.Unauthenticated):
                await client.using(credential=As("ada")).call("Shop.who")
        assert not names.attempts
        reason = "a proof came over a link that does not protect it, and plain_proofs is not set"
        assert {record.reason for record in place.sink.records} == {reason}
    async with hosting(url, auth=names, allow=Only(everything), plain_proofs=True) as place:
        async with place.connect(credential=As("ada"), plain_proofs=True) as client:
            assert await client.call("Shop.who") == "ada"


async def test_a_provider_with_nothing_to_give() -> None:
    class Empty(graftwire.CredentialProvider):
        async def credential(self, occasion: graftwire.Occasion) -> None:
            return None

    async with hosting(auth=[graftwire.Anonymous(), Names("ada")], allow=Only(everything)) as place:
        async with place.connect(credential=Empty()) as client:
            assert await client.call("Shop.who") == "anonymous"
            assert await client.using(credential=Empty()).call("Shop.who") == "anonymous"


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("raises", "the credential provider broken failed (KeyError); the log says where"),
        ("hangs", "the credential provider broken took longer than 5 s"),
    ],
)
async def test_a_provider_that_fails(
    what: str, sentence: str, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting(auth=[graftwire.Anonymous(), Names("ada")], allow=Only(everything)) as place:
        with pytest.raises(graftwire.CredentialError) as caught:
            async with place.connect(credential=Broken(what)):
                raise AssertionError
        assert str(caught.value) == sentence
        async with place.connect() as client:
            with pytest.raises(graftwire.CredentialError):
                await client.using(credential=Broken(what)).call("Shop.who")
        assert not place.shop.ran
    assert "a secret" not in caplog.text


# --- getting ready ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        (graftwire.SecurityError("the keys can't be read; check them"), "the keys can't be read; check them"),
        (KeyError("a secret"), "the plugin late could not get ready: KeyError in "),
        (None, "the plugin late was not ready within 5 s"),
    ],
)
async def test_a_plugin_that_does_not_get_ready(
    what: Exception | None, sentence: str, autojump_clock: trio.testing.MockClock
) -> None:
    class Late(Names):
        name = "late"

        async def start(self) -> None:
            if what is None:
                await trio.sleep_forever()
            else:
                raise what

    with pytest.raises(graftwire.SecurityError) as caught:
        async with hosting(auth=Late("ada"), allow=Only(everything)):
            raise AssertionError
    assert str(caught.value).startswith(sentence)
    assert "a secret" not in str(caught.value)


# --- choices that have to be made ------------------------------------------------------------------------------------


async def refused(kind: type[Exception], sentence: str, **options: Any) -> None:
    with pytest.raises(kind) as caught:
        async with hosting(**options):
            raise AssertionError
    assert str(caught.value) == sentence


async def test_choices_that_are_missing_or_wrong() -> None:
    await refused(
        graftwire.SecurityChoiceMissing,
        "nobody has said what those who are let in may call: add allow=graftwire.AnyIdentity() to let every "
        "authenticated caller call everything, or another authoriser",
        auth=Names("ada"),
    )
    await refused(
        graftwire.SecurityError,
        "two authenticators judge the scheme name (names and names); leave one of them out",
        auth=[Names("ada"), Names("bob")],
        allow=Only(everything),
    )
    await refused(
        graftwire.SecurityError, "auth= takes Authenticators, and Only is none", auth=Only(everything)
    )
    await refused(
        graftwire.SecurityError,
        "allow= takes Authorisers, and Only is none; make one, as in Only(…)",
        auth=graftwire.Anonymous(),
        allow=Only,
    )
    await refused(
        graftwire.SecurityError,
        "an audit sink is an object of a class made from AuditSink; this is a str",
        auth=graftwire.Anonymous(),
        audit=["audit.jsonl"],
    )


@pytest.mark.parametrize("schemes", ["name", None, (), ("Name",), (b"name",), 7])
async def test_an_authenticator_that_names_no_schemes(schemes: Any) -> None:
    """One text would be taken for a scheme of each of its letters, and nobody could ever be let in."""

    class Without(Names):
        pass

    Without.schemes = schemes
    await refused(
        graftwire.SecurityError,
        "the authenticator names has no schemes that a proof could have; give it some, as in schemes = "
        '("voucher.example.com",)',
        auth=Without("ada"),
        allow=Only(everything),
    )


async def test_a_client_that_hosts_has_to_choose_too() -> None:
    with pytest.raises(graftwire.SecurityChoiceMissing, match="who may call the services of this client"):
        async with graftwire.connect("memory:nowhere", services={"Shop": Shop()}):
            raise AssertionError
