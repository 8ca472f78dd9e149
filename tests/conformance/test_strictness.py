"""What the engine sees beside what a case waits for: each of these targets does one thing too much."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from graftwire.conformance.farewells import Farewells
from graftwire.conformance.results import CaseResult, Verdict
from graftwire.conformance.roles import Link, Role

from .conftest import play  # type: ignore[import-not-found]

Make = Callable[[str], list[str]]

# An acceptor that is well-behaved (`usual`) but for what `extra` does at each frame and `END` at the end.
SERVING = """
    import json, socket, ssl, sys, threading
    opening = json.loads(sys.stdin.readline())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(opening["tls"]["certificate"], opening["tls"]["key"])
    context.set_alpn_protocols(["graftwire/1"])
    HELLO = bytes.fromhex("0000002583008101a6011a0040000002190400031a01000000041a00040000051a002000000619ea60")
    def frame(text, more=b""):
        data = bytes.fromhex(text) + more
        return len(data).to_bytes(4, "big") + data
    def frames(connection):
        kept = b""
        while True:
            while len(kept) < 4 or len(kept) < 4 + int.from_bytes(kept[:4], "big"):
                data = connection.recv(65536)
                if not data:
                    return
                kept += data
            if kept[:4] == bytes(4):
                yield b"\\0\\0"
                return
            end = 4 + int.from_bytes(kept[:4], "big")
            yield kept[4:end]
            kept = kept[end:]
    def usual(connection, kind, payload):
        if kind == 0 and payload[0]:
            connection.sendall(HELLO)
        elif kind == 0:
            connection.sendall(frame("830e000c"))
        elif kind == 12:
            connection.sendall(frame("820d", payload[2:]))
        elif kind == 5:
            connection.sendall(frame("830601466570726f6265"))
    def extra(connection, kind, payload):
        {extra}
    def serve(connection):
        if "{link}" == "tls":
            connection = context.wrap_socket(connection, server_side=True)
        with connection:
            calls = False
            for payload in frames(connection):
                calls = calls or payload[1] == 5
                if calls or not extra(connection, payload[1], payload):
                    usual(connection, payload[1], payload)
            {end}
    server = socket.create_server(("127.0.0.1", 0))
    url = f"{link}://localhost:{{server.getsockname()[1]}}"
    print(json.dumps({{"ready": True, "listening": {{"{link}": url}}}}), flush=True)
    def accept():
        while True:
            connection, _ = server.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
"""
ALIVE, ENDED = "keep.ping", "frame.length.zero"


async def one(command: list[str], case: str, link: Link) -> CaseResult:
    (found,) = (await play(command, links=(link,), roles=(Role.ACCEPTOR,), cases=(case,))).results
    return found


@pytest.mark.parametrize(
    ("case", "extra", "detail"),
    [
        (ALIVE, "pass", ""),
        (ALIVE, "if kind == 12: connection.sendall(frame('820d09'))", "PONG, was not due"),
        (ALIVE, "if kind == 14: connection.sendall(frame('83060141f6'))", "RESULT of call 1, was not due"),
        (ALIVE, "if kind == 14: connection.sendall(frame('820d1801'))", "(FRAME-6)"),
        (ALIVE, "if kind == 14: connection.sendall(bytes(2))", "inside a frame (FRAME-8)"),
        (
            ALIVE,
            "if kind == 14: connection.sendall(frame('830e0700'))",
            "call 7, which was never made (LEAVE-8)",
        ),
        (ENDED, "pass", ""),
        (ENDED, "if not payload[0]: connection.sendall(HELLO)", "another HELLO (HELLO-1)"),
        (ENDED, "if not payload[0]: connection.sendall(frame('830e030c')); return 1", "never made (LEAVE-8)"),
    ],
)
async def test_one_thing_too_much(target: Make, case: str, extra: str, detail: str) -> None:
    found = await one(target(SERVING.format(extra=extra, end="pass", link="tcp")), case, Link.TCP)
    assert detail in found.detail
    assert (found.verdict is Verdict.PASSED) is (not detail), found.detail


@pytest.mark.parametrize("case", [ALIVE, ENDED])
@pytest.mark.parametrize(("end", "passes"), [("connection.unwrap()", True), ("pass", False)])
async def test_tls_that_ends_without_a_word(target: Make, case: str, end: str, passes: bool) -> None:
    found = await one(target(SERVING.format(extra="pass", end=end, link="tls")), case, Link.TLS)
    assert (found.verdict is Verdict.PASSED) is passes, found.detail
    assert passes or "the link did not end in order (LINK-6)" in found.detail


def test_goaways_in_peace() -> None:
    def judged(*said: tuple[int, int]) -> list[str | None]:
        farewells = Farewells()
        faults = [farewells.fault_of([14, *each], {1, 3}) for each in said]
        return [None if each is None else each.clause for each in faults]

    most = 2**53 - 1
    assert judged((most, 0), (3, 0), (1, 12)) == [None, None, None]
    assert judged((1, 0), (3, 12)) == [None, "LEAVE-1"]
    assert judged((most, 0), (most, 0)) == [None, "LEAVE-3"]
    assert judged((3, 0), (1, 0)) == [None, "LEAVE-3"]
    assert judged((5, 0)) == ["LEAVE-8"]
    assert judged((most, 12)) == ["LEAVE-8"]


async def test_what_has_nothing_to_do_with_the_link_is_played_on_one_that_there_is(target: Make) -> None:
    command = target(SERVING.format(extra="pass", end="pass", link="tcp"))
    links = (Link.WS, Link.UNIX, Link.TCP)
    (found,) = (
        await play(command, links=links, roles=(Role.ACCEPTOR,), cases=("value.bound.depth.at",))
    ).results
    assert found.link is Link.TCP
    assert found.verdict is Verdict.FAILED  # this target answers every call with the same text
