"""The order of the steps at the receiver, what runs where, and what a caller is told when something fails."""

from __future__ import annotations

import itertools
import logging
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

import graftwire
from graftwire.gateway.host import Host
from graftwire.gateway.security.guard import Guard
from graftwire.protocol import frames, values
from graftwire.protocol.errors import ErrorCode
from graftwire.transport.calls import CallOptions
from tests.transport.peer import session_and_peer

_names = itertools.count()


class Service:
    """What is hosted."""

    def __init__(self) -> None:
        self.ran = 0
        self.blocking = 0
        self.release = threading.Event()
        self.closed_in: list[threading.Thread] = []

    async def echo(self, value: int) -> int:
        self.ran += 1
        return value

    def in_main_thread(self) -> bool:
        return threading.current_thread() is threading.main_thread()

    def block(self) -> None:
        self.blocking += 1
        self.release.wait(5)

    @graftwire.nonblocking
    def inline(self, value: int) -> bool:
        return threading.current_thread() is threading.main_thread()

    @graftwire.nonblocking
    def inline_failing(self) -> int:
        raise KeyError("a secret")

    def numbers(self, count: int) -> Iterator[int]:
        yield from range(count)

    def failing_numbers(self) -> Iterator[int]:
        yield 1
        raise KeyError("a secret")

    async def given_stream(self, count: int) -> AsyncIterator[int]:
        return Counting(count)

    def given_from_a_plain_def(self, count: int) -> AsyncIterator[int]:
        async def numbers() -> AsyncIterator[int]:
            for number in range(count):
                yield number

        assert threading.current_thread() is not threading.main_thread()
        return numbers()

    async def given_to_wait_for(self, count: int) -> Iterator[int]:
        return iter(range(count))

    def closing(self, most: int) -> Iterator[int]:
        try:
            yield from range(most)
        finally:
            self.closed_in.append(threading.current_thread())

    async def unencodable(self) -> Any:
        return object()

    async def unencodable_items(self) -> AsyncIterator[Any]:
        yield 1
        yield object()

    async def total(self, items: AsyncIterator[int]) -> int:
        return sum([item async for item in items])

    async def first(self, items: AsyncIterator[int]) -> int:
        return await anext(items)


class Counting:
    """An async iterator that is no generator."""

    def __init__(self, count: int) -> None:
        self._numbers = iter(range(count))

    def __aiter__(self) -> Counting:
        return self

    async def __anext__(self) -> int:
        for number in self._numbers:
            return number
        raise StopAsyncIteration


@asynccontextmanager
async def connected(service: Service, **options: Any) -> AsyncGenerator[graftwire.Client]:
    url = f"memory:host-{next(_names)}"
    async with (
        graftwire.serve({"Service": service}, url, auth=graftwire.Anonymous(), **options) as gateway,
        graftwire.connect(gateway.urls[0]) as client,
    ):
        yield client


async def test_serve_without_a_choice_is_refused() -> None:
    with pytest.raises(graftwire.SecurityChoiceMissing, match=r"add auth=graftwire\.Anonymous\(\)"):
        async with graftwire.serve({"Service": Service()}, "memory:no-choice"):
            pytest.fail("it must not start")
    with pytest.raises(graftwire.ConnectError):
        async with graftwire.connect("memory:no-choice"):
            pass


async def test_serve_without_an_address_is_refused() -> None:
    with pytest.raises(graftwire.Error, match="at least one address"):
        async with graftwire.serve({"Service": Service()}, auth=graftwire.Anonymous()):
            pytest.fail("it must not start")


async def test_nothing_is_left_half_started() -> None:
    with pytest.raises(graftwire.Error):
        async with graftwire.serve(
            {"Service": Service()}, "memory:half-started", "nonsense:1", auth=graftwire.Anonymous()
        ):
            pytest.fail("it must not start")
    with pytest.raises(graftwire.ConnectError):
        async with graftwire.connect("memory:half-started"):
            pass


async def test_a_credential_never_falls_back_to_anonymous(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before a byte of the arguments is decoded, and before the target is looked up (CALL-11)."""
    service = Service()
    decoded: list[object] = []
    real = values.decode_arguments

    def counting(*args: Any, **kwargs: Any) -> Any:
        decoded.append(args)
        return real(*args, **kwargs)

    monkeypatch.setattr(values, "decode_arguments", counting)
    async with connected(service) as client:
        options = CallOptions(credential=("bearer", b"token"))
        for target in ("Service.echo", "Service.nothing"):
            with pytest.raises(graftwire.Unauthenticated) as caught:
                await client.call_with(options, target, (1,), {})
            assert not caught.value.ran
        assert (decoded, service.ran) == ([], 0)
        assert await client.call("Service.echo", 1) == 1
        assert (len(decoded), service.ran) == (1, 1)


async def test_where_a_handler_runs() -> None:
    async with connected(Service()) as client:
        assert await client.call("Service.in_main_thread") is False
        assert await client.call("Service.inline", 1) is True


async def test_threads_are_bounded() -> None:
    service = Service()
    async with connected(service, threads=2) as client:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(client.call, "Service.block")
            with trio.fail_after(5):
                while service.blocking < 2:
                    await trio.sleep(0.001)
            with trio.move_on_after(0.1) as scope:
                await client.call("Service.in_main_thread")
            assert scope.cancelled_caught  # both threads are taken
            assert await client.call("Service.echo", 1) == 1  # and nothing else is held up
            service.release.set()


async def test_a_thread_that_was_cancelled_keeps_its_slot_until_it_ends() -> None:
    service = Service()
    async with connected(service) as client:
        with trio.move_on_after(0.05):
            await client.call("Service.block")
        session = client._connection.session
        assert session.calls_in_flight == (1, 0)
        service.release.set()
        with trio.fail_after(5):
            while session.calls_in_flight != (0, 0):
                await trio.sleep(0.005)


async def test_streams_of_every_making() -> None:
    async with connected(Service()) as client:
        for target in (
            "Service.numbers",
            "Service.given_stream",
            "Service.given_from_a_plain_def",
            "Service.given_to_wait_for",
        ):
            async with client.stream(target, 4) as items:
                assert [item async for item in items] == [0, 1, 2, 3]


@pytest.mark.parametrize("most", [4, 1_000_000])
async def test_a_generator_is_closed_where_it_ran(most: int) -> None:
    """What stands behind its yields may block as well as what stands before them."""
    service = Service()
    async with connected(service, threads=1) as client:
        async with client.stream("Service.closing", most) as items:
            async for item in items:
                if item == 3 and most > 4:
                    break
        with trio.fail_after(5):
            while not service.closed_in:
                await trio.sleep(0.001)
            assert await client.call("Service.in_main_thread") is False  # its thread is free again
    [thread] = service.closed_in
    assert thread is not threading.main_thread()


async def test_a_stream_that_fails_after_an_item(caplog: pytest.LogCaptureFixture) -> None:
    async with connected(Service()) as client:
        for target in ("Service.failing_numbers", "Service.unencodable_items"):
            got: list[int] = []
            with caplog.at_level(logging.CRITICAL, "graftwire"), pytest.raises(graftwire.InternalError):
                async with client.stream(target) as items:
                    async for item in items:
                        got.append(item)
            assert got == [1]


@pytest.mark.parametrize("target", ["Service.inline_failing", "Service.unencodable"])
async def test_what_is_not_declared_stays_here(target: str, caplog: pytest.LogCaptureFixture) -> None:
    async with connected(Service()) as client:
        with pytest.raises(graftwire.InternalError) as caught:
            await client.call(target)
        assert "secret" not in str(caught.value)
        assert f"incident {caught.value.incident}: {target} failed" in caplog.text


async def test_a_wrong_shape() -> None:
    async with connected(Service()) as client:
        with pytest.raises(graftwire.BadArguments) as caught:
            await client.call("Service.numbers", 1)
        assert caught.value.path == "shape"


async def test_an_item_of_the_wrong_type() -> None:
    async with connected(Service()) as client, client.upload("Service.total") as upload:
        await upload.send(1)
        await upload.send("two")
        with pytest.raises(graftwire.BadArguments) as caught:
            await upload.result()
        assert caught.value.path == "items[1]"


async def test_a_handler_that_ends_early() -> None:
    async with connected(Service()) as client:
        for _ in range(3):
            async with client.upload("Service.first") as upload:
                with trio.fail_after(5):
                    for number in range(7, 2_000):
                        await upload.send(number)
                    assert await upload.result() == 7


async def test_arguments_that_do_not_fit() -> None:
    service = Service()
    async with connected(service) as client:
        with pytest.raises(graftwire.BadArguments) as caught:
            await client.call("Service.echo", "one")
        assert caught.value.path == "arguments[0]"
        assert str(caught.value) == "bad arguments at arguments[0]"
        assert service.ran == 0


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("82", ""),  # it ends too soon
        ("80", ""),
        ("82a080", ""),  # the two are the wrong way round
        ("8282d927100101a0", "arguments[0]"),  # a tag that is not in the list
        ("82820181d9271001a0", "arguments[1][0]"),
        ("8280a26161d9271001616201", "arguments"),
        ("8280a2616101616102", "arguments"),  # a name twice
        ("828161ffa0", "arguments[0]"),  # text that is not UTF-8
        ("82820061ffa0", "arguments[1]"),
        ("82816461a0", "arguments[0]"),  # text that goes beyond the end
        ("828201fb00a0", "arguments[1]"),  # a float that does
        ("8280a16161fb00", "arguments"),
        ("8380a061ff", ""),  # a third element, which may not be there
        ("61ff", ""),
    ],
)
async def test_a_body_that_cannot_be_decoded(body: str, path: str) -> None:
    service = Service()
    async with connected(service) as client:
        with pytest.raises(graftwire.BadArguments) as caught:
            await client._connection.session.request("Service.echo", bytes.fromhex(body))
        assert caught.value.path == path
        assert service.ran == 0


async def test_a_proof_is_refused_where_nobody_can_check_it() -> None:
    async with connected(Service()) as client:
        with pytest.raises(graftwire.Unauthenticated):
            await client._connection.session.authentication.prove("bearer", b"token")


class Panic(BaseException):
    """As extensions in other languages raise it: no Exception, and yet no reason to end the program."""


class Leaving:
    """Calls `sys.exit`, or worse."""

    async def panics(self) -> None:
        raise Panic("a secret")

    def panics_in_a_thread(self) -> None:
        raise Panic("a secret")

    @graftwire.nonblocking
    def panics_inline(self) -> None:
        raise Panic("a secret")

    async def panics_in_a_nursery(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(self.panics)

    async def waiting(self) -> None:
        sys.exit("a secret")

    def in_a_thread(self) -> None:
        sys.exit(3)

    @graftwire.nonblocking
    def inline(self) -> None:
        sys.exit(3)

    async def in_a_nursery(self) -> None:
        async with trio.open_nursery() as nursery, trio.open_nursery() as inner:
            nursery.start_soon(trio.sleep_forever)
            inner.start_soon(self.waiting)

    async def among_others(self) -> None:
        raise BaseExceptionGroup("mine", [ValueError(), SystemExit(3)])

    async def stream(self) -> AsyncIterator[int]:
        sys.exit(3)
        yield 1

    def stream_in_a_thread(self) -> Iterator[int]:
        yield 1
        sys.exit(3)

    async def interrupted(self) -> None:
        raise KeyboardInterrupt

    async def interrupted_in_a_nursery(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.interrupted)

    async def still_here(self) -> bool:
        return True


@asynccontextmanager
async def leaving() -> AsyncGenerator[graftwire.Client]:
    url = f"memory:host-{next(_names)}"
    async with (
        graftwire.serve({"Leaving": Leaving()}, url, auth=graftwire.Anonymous()) as gateway,
        graftwire.connect(gateway.urls[0]) as client,
    ):
        yield client


@pytest.mark.parametrize("name", ["waiting", "in_a_thread", "inline", "in_a_nursery", "among_others"])
async def test_who_calls_cannot_end_the_program(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async with leaving() as client:
        with pytest.raises(graftwire.InternalError) as caught:
            await client.call(f"Leaving.{name}")
        assert f"incident {caught.value.incident}: Leaving.{name} failed" in caplog.text
        assert "SystemExit" in caplog.text
        assert await client.call("Leaving.still_here")


@pytest.mark.parametrize("name", ["panics", "panics_in_a_thread", "panics_inline", "panics_in_a_nursery"])
async def test_nor_with_what_is_no_exception(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async with leaving() as client:
        with pytest.raises(graftwire.InternalError) as caught:
            await client.call(f"Leaving.{name}")
        assert f"incident {caught.value.incident}: Leaving.{name} failed" in caplog.text
        assert await client.call("Leaving.still_here")


@pytest.mark.parametrize("name", ["stream", "stream_in_a_thread"])
async def test_nor_with_a_stream(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async with leaving() as client:
        with pytest.raises(graftwire.InternalError) as caught:
            async with client.stream(f"Leaving.{name}") as items:
                async for _ in items:
                    pass
        assert f"incident {caught.value.incident}: Leaving.{name} failed" in caplog.text
        assert await client.call("Leaving.still_here")


@pytest.mark.parametrize("name", ["interrupted", "interrupted_in_a_nursery"])
async def test_an_interrupt_ends_the_program(name: str) -> None:
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - in groups, or not, as trio sees fit
        async with leaving() as client:
            await client.call(f"Leaving.{name}")
    found = raised.value
    while isinstance(found, BaseExceptionGroup):
        [found] = [error for error in found.exceptions if not isinstance(error, Exception)]
    assert isinstance(found, KeyboardInterrupt)


# --- references that the caller can't have given ---------------------------------------------------------------------


class Calls:
    """What counts its calls, one of them without a task of its own."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def task(self, value: Any) -> None:
        self.ran.append("task")

    @graftwire.nonblocking
    def inline(self, value: Any) -> None:
        self.ran.append("inline")


TWO = b"\xd9\xa4\x07\x02"  # a reference of the acceptor, which an initiator does not give


def arguments(*encoded: bytes) -> bytes:
    return b"\x82" + bytes([0x80 + len(encoded)]) + b"".join(encoded) + b"\xa0"


@pytest.mark.parametrize(
    ("targets", "last", "ran"),
    [
        (["task!"], 0, []),
        (["inline!"], 0, []),
        (["inline", "task!"], 1, ["inline"]),
        (["inline", "inline!", "inline", "task"], 1, ["inline"]),  # what is behind it never runs
        (["task!", "inline", "inline"], 5, ["inline", "inline"]),  # has run, and is not denied
    ],
)
async def test_goaway_names_the_last_call_that_may_have_run(
    targets: list[str], last: int, ran: list[str]
) -> None:
    """Clauses REF-1, LEAVE-4 and LEAVE-5; `!` marks the call with a reference that breaks REF-1."""
    calls = Calls()
    host = Host({"Calls": calls}, guard=Guard(graftwire.Anonymous())).receiver()
    async with session_and_peer(receiver=host) as (session, peer):
        for target in targets:
            body = arguments(TWO if target.endswith("!") else b"\x00")
            peer.conn.call(0, f"Calls.{target.rstrip('!')}", body)
        await peer.write()
        await peer.wait_for_end()
        (goaway,) = peer.of(frames.Goaway)
        assert (goaway.last, goaway.code) == (last, ErrorCode.PROTOCOL)
        assert "REF-1" in str(session.ending)
        assert calls.ran == ran
