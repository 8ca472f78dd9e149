"""What a peer that has not been accepted can make an acceptor keep: less than 64 KiB (section 20 of the standard).

All that the core allocates and holds on to is counted; what it hands out (events, frames to write) and the bytes that
it is handed are not.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from itertools import count

import pytest

from graftwire.protocol import Connection, ErrorCode, Failed, Limits, Role, State, frames
from graftwire.protocol.limits import EARLY_FRAME, EARLY_TOTAL

BOUND = 64 * 2**10
HELLO = frames.encode(frames.Hello((1,), Limits()))
AUTH = frames.encode(frames.Auth("token", bytes(8_192)))
SHORT_AUTH = frames.encode(frames.Auth("t", b""))
CLAIMED = (4 * 2**20 - 1).to_bytes(4, "big")


def call(id: int, size: int = 0, shape: int = 0, target: frames.Target = "A") -> bytes:
    return frames.encode(frames.Call(id, shape, target, None, None, bytes(size)))


def calls_of(size: int) -> Iterator[bytes]:
    return (call(id, size) for id in count(1, 2))


def names() -> Iterator[bytes]:
    return (call(id, target=f"{id}.method") for id in count(1, 2))


def credentials() -> Iterator[bytes]:
    return (frames.encode(frames.Call(id, 0, "A", None, ("t", b""), b"")) for id in count(1, 2))


def contexts() -> Iterator[bytes]:
    return (frames.encode(frames.Call(id, 0, (1, ""), frames.Context(1), None, b"")) for id in count(1, 2))


def releases() -> Iterator[bytes]:
    return (frames.encode(frames.Release(id)) for id in count(2, 2))


def releases_that_lie() -> Iterator[bytes]:
    return (frames.encode(frames.Release(1)) for _ in count())


def items() -> Iterator[bytes]:
    yield call(1, shape=3)
    for _ in count():
        yield frames.encode(frames.Item(1, b""))


def cancels() -> Iterator[bytes]:
    for id in count(1, 2):
        yield call(id, shape=2)
        yield frames.encode(frames.Cancel(id))


def credits_() -> Iterator[bytes]:
    yield call(1, shape=1)
    for _ in count():
        yield frames.encode(frames.Credit(1, 1))


def session_credits() -> Iterator[bytes]:
    return (frames.encode(frames.Credit(0, 1)) for _ in count())


def pings() -> Iterator[bytes]:
    return (frames.encode(frames.Ping(n)) for n in count(1))


def auths() -> Iterator[bytes]:
    return (SHORT_AUTH for _ in count())


def goaways() -> Iterator[bytes]:
    return (frames.encode(frames.Goaway(2**53 - 1, ErrorCode.NONE)) for _ in count())


FLOODS: list[Callable[[], Iterator[bytes]]] = [
    lambda: calls_of(0),
    lambda: calls_of(100),
    lambda: calls_of(8_000),
    lambda: calls_of(EARLY_FRAME - 12),
    names,
    credentials,
    contexts,
    releases,
    releases_that_lie,
    items,
    cancels,
    credits_,
    session_credits,
    pings,
    auths,
    goaways,
]
FLOOD_NAMES = (
    "calls,calls-100,calls-8000,calls-16K,names,credentials,contexts,releases,lies,items,cancels,credits"
)
FLOOD_NAMES += ",session-credits,pings,auths,goaways"


def up_to(frames_: Iterator[bytes], size: int) -> bytes:
    """As many of them as fit into so many bytes."""
    data = bytearray()
    for frame in frames_:
        if len(data) + len(frame) > size:
            return bytes(data)
        data += frame
    raise AssertionError("a flood does not end")


def fill_caches() -> None:
    """The caches of names are the process's, and bounded: fill them with the largest that they take."""
    core = Connection(Role.ACCEPTOR, Limits(calls_in_flight=65_536, unfinished_body_bytes=2**31 - 1))
    core.receive(HELLO)
    for id in range(1, 4_200, 2):
        core.receive(call(id, target=f"{id:0255}"))


@pytest.fixture(scope="module", autouse=True)
def _measuring() -> Iterator[None]:
    gc.collect()
    gc.disable()  # nothing that these tests make is a cycle, and nobody else's may go while they count
    tracemalloc.start()
    fill_caches()
    yield
    gc.enable()
    tracemalloc.stop()


def kept_most(pieces: Iterable[bytes | memoryview]) -> tuple[int, Connection]:
    """The most that an acceptor has kept after any of the pieces, itself included."""
    before = tracemalloc.get_traced_memory()[0]
    core = Connection(Role.ACCEPTOR)
    most = 0
    for piece in pieces:
        core.receive(piece)  # its events are dropped at once
        core.take(2**30)
        most = max(most, tracemalloc.get_traced_memory()[0] - before)
        if core.state is State.CLOSED:
            break
    return most, core


def cut(data: bytes, size: int) -> Iterator[memoryview]:
    return (memoryview(data)[at : at + size] for at in range(0, len(data), size))


reads = pytest.mark.parametrize("size", [1, 1_000, 65_536])
# what is as bad byte by byte as otherwise takes long
larger_reads = pytest.mark.parametrize("size", [61, 65_536])
floods = pytest.mark.parametrize("flood", FLOODS, ids=FLOOD_NAMES.split(","))


@reads
@pytest.mark.parametrize(
    "data",
    [
        EARLY_FRAME.to_bytes(4, "big") + b"\x83\x00" + bytes(EARLY_FRAME - 3),
        (EARLY_FRAME + 1).to_bytes(4, "big") + b"\x83\x00" + bytes(100_000),
        CLAIMED + b"\x83\x00" + bytes(100_000),
        b"\xff" * 100_000,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10_000,
        call(1, 60_000),
    ],
    ids=["most", "over", "claimed", "ones", "http", "call"],
)
def test_before_hello(data: bytes, size: int) -> None:
    most, _ = kept_most(cut(data, size))
    assert most < BOUND


@reads
@pytest.mark.parametrize("at", range(1, 13))
@pytest.mark.parametrize(
    ("before", "head"),
    [
        (b"", b"\x83\x00"),
        (b"", b"\x83\x01"),
        (HELLO, b"\x83\x01"),  # another second frame ends the early limits
        (HELLO + SHORT_AUTH, b"\x83\x01"),
        (HELLO + AUTH + call(1, 16_000), b"\x83\x01"),
        (HELLO + AUTH + call(1, 16_000), b"\x87\x05"),
    ],
    ids=["hello", "auth-first", "auth", "auth-again", "further-auth", "call"],
)
def test_a_frame_of_4_mib_that_is_claimed_and_cut(before: bytes, head: bytes, at: int, size: int) -> None:
    claimed = CLAIMED + head + b"\x61\x61\x5a\x00\x3f\xff\xf0" + bytes(100_000)
    most, core = kept_most([before + claimed[:at], *cut(claimed[at:], size)])
    assert most < BOUND
    assert core.state is State.CLOSED
    assert core.partial == 0


@reads
@pytest.mark.parametrize("length", [EARLY_FRAME - 1, EARLY_FRAME, EARLY_FRAME + 1, 30_000, EARLY_TOTAL])
def test_after_hello_while_an_auth_comes(length: int, size: int) -> None:
    claimed = length.to_bytes(4, "big") + b"\x83\x01\x61a\x59" + bytes(length - 6)
    most, core = kept_most([HELLO, *cut(claimed, size)])
    assert most < BOUND
    assert (core.state is State.CLOSED) is (length > EARLY_FRAME)


def mixed() -> Iterator[bytes]:
    """Calls, streams, cancellations, releases and pings in turn."""
    release = releases()
    for number, id in enumerate(count(1, 2), 1):
        yield call(id, shape=2)
        yield frames.encode(frames.Item(id, b""))
        yield next(release)
        yield frames.encode(frames.Cancel(id))
        yield frames.encode(frames.Ping(number))


def test_while_it_proves_byte_by_byte() -> None:
    early = HELLO + SHORT_AUTH
    early += up_to(mixed(), EARLY_TOTAL - len(early))
    further = EARLY_FRAME.to_bytes(4, "big") + b"\x83\x01" + bytes(EARLY_FRAME - 3)
    most, core = kept_most(cut(early + further, 1))
    assert most < BOUND
    assert (core.partial, core.state) == (EARLY_FRAME + 3, State.OPEN)


@larger_reads
@floods
def test_while_it_proves(flood: Callable[[], Iterator[bytes]], size: int) -> None:
    """All that may come early, and one further AUTH, nearly whole and as long as a frame may be."""
    early = HELLO + SHORT_AUTH
    early += up_to(flood(), EARLY_TOTAL - len(early))
    further = EARLY_FRAME.to_bytes(4, "big") + b"\x83\x01" + bytes(EARLY_FRAME - 3)
    most, _ = kept_most(cut(early + further, size))
    assert most < BOUND


@larger_reads
@floods
def test_while_it_proves_and_sends_on(flood: Callable[[], Iterator[bytes]], size: int) -> None:
    """Beyond the early limits: the session fails, and nothing is left."""
    data = HELLO + SHORT_AUTH + up_to(flood(), 4 * EARLY_TOTAL)
    most, core = kept_most(cut(data, size))
    assert most < BOUND
    assert core.state is State.CLOSED


@floods
def test_a_refusal_leaves_nothing(flood: Callable[[], Iterator[bytes]]) -> None:
    early = HELLO + SHORT_AUTH
    early += up_to(flood(), EARLY_TOTAL - len(early) - 100)
    before = tracemalloc.get_traced_memory()[0]
    core = Connection(Role.ACCEPTOR)
    core.receive(early)
    core.abort(ErrorCode.UNAUTHENTICATED)
    core.take()
    assert tracemalloc.get_traced_memory()[0] - before < 8_000


def test_rounds_add_nothing() -> None:
    early = HELLO + AUTH + up_to(calls_of(100), EARLY_TOTAL - len(HELLO) - len(AUTH))
    before = tracemalloc.get_traced_memory()[0]
    core = Connection(Role.ACCEPTOR)
    core.receive(early)
    for _ in range(7):
        core.challenge(bytes(8_192))
        core.take()
        assert not any(isinstance(event, Failed) for event in core.receive(AUTH))
        assert tracemalloc.get_traced_memory()[0] - before < BOUND
