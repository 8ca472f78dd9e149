"""Whatever a target does, each of its cases has a verdict, and the run ends in its time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from graftwire.conformance import targets
from graftwire.conformance.errors import HarnessError
from graftwire.conformance.results import CaseResult, Exit, RunResult, Verdict
from graftwire.conformance.roles import Link, Role

from .conftest import play  # type: ignore[import-not-found]

Make = Callable[[str], list[str]]

# A target whose acceptor does on each connection what `serve` does.
LISTENING = """
    import json, socket, sys, time, threading
    json.loads(sys.stdin.readline())
    server = socket.create_server(("127.0.0.1", 0))
    url = f"tcp://127.0.0.1:{{server.getsockname()[1]}}"
    print(json.dumps({{"ready": True, "listening": {{"tcp": url}}}}), flush=True)
    HELLO = bytes.fromhex("0000002583008101a6011a0040000002190400031a01000000041a00040000051a002000000619ea60")
    def serve(connection):
        {serve}
    def accept():
        while True:
            connection, _ = server.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
"""


async def over_tcp(
    command: list[str], *cases: str, role: Role = Role.ACCEPTOR, within: float = 30
) -> RunResult:
    with trio.fail_after(within):
        found: RunResult = await play(
            command, links=(Link.TCP,), roles=(role,), cases=cases or ("call.unary",)
        )
    return found


async def one(command: list[str], *cases: str, role: Role = Role.ACCEPTOR) -> CaseResult:
    (found,) = (await over_tcp(command, *cases, role=role)).results
    return found


async def test_it_does_not_exist() -> None:
    found = await over_tcp(["/nowhere/at/all"])
    assert found.exit is Exit.HARNESS
    assert found.problems == ["the target's command can't be started: no such file or directory"]
    assert [each.verdict for each in found.results] == [Verdict.ERRORED]


@pytest.mark.parametrize("role", list(Role))
async def test_it_ends_at_once(target: Make, role: Role) -> None:
    found = await one(target("raise SystemExit(3)"), "call.unary", role=role)
    assert (found.verdict, found.detail) == (Verdict.FAILED, "the target ended (exit code 3)")


async def test_it_says_nonsense(target: Make) -> None:
    found = await one(target("import sys; print('hello'); sys.stdin.read()"))
    assert found.verdict is Verdict.FAILED
    assert found.detail == "the target's answer to the opening is not what TARGETS.md says"


async def test_it_is_unable(target: Make) -> None:
    found = await over_tcp(
        target('import sys; print(\'{"unable": "not today"}\', flush=True); sys.stdin.read()')
    )
    assert [(each.verdict, each.detail) for each in found.results] == [(Verdict.NOT_IMPLEMENTED, "not today")]
    assert found.exit is Exit.DONE


async def test_it_dies_in_the_middle(target: Make) -> None:
    found = await one(target(LISTENING.format(serve="import os; connection.recv(9); os._exit(7)")))
    assert found.verdict is Verdict.FAILED
    assert found.detail.endswith("the target ended (exit code 7)")


async def test_it_dies_and_leaves_another(target: Make) -> None:
    """What it has started holds its standard output open: that it has ended is seen all the same."""
    leave = "import os, subprocess; connection.recv(9); subprocess.Popen(['sleep', '60']); os._exit(7)"
    with trio.fail_after(15):
        found = await over_tcp(target(LISTENING.format(serve=leave)), "call.unary", "call.named")
    assert {each.detail.rpartition("; ")[2] for each in found.results} == {"the target ended (exit code 7)"}


@pytest.mark.parametrize(
    "url", ["tcp://127.0.0.1:x", "tcp://[", "tcp://127.0.0.1:99999", "tcp://127.0.0.1:1"]
)
async def test_nothing_listens_where_it_says(target: Make, url: str) -> None:
    line = f'{{"ready": true, "listening": {{"tcp": "{url}"}}}}'
    found = await one(
        target(f"import sys; sys.stdin.readline(); print({line!r}, flush=True); sys.stdin.read()")
    )
    assert found.verdict is Verdict.FAILED
    assert found.detail.endswith(("the address that the target gave is none", "connection refused"))


@pytest.mark.parametrize(
    ("serve", "detail"),
    [
        ("time.sleep(99)", "nothing that was due came within 5 s"),
        ("connection.close()", "HELLO was due, and the session ended"),
        ("connection.sendall(b'HTTP/1.1 400 Bad Request\\\\r\\\\n\\\\r\\\\n'); time.sleep(99)", ""),
        ("connection.sendall(HELLO); time.sleep(99)", "nothing that was due came within 5 s"),
        ("[connection.sendall(HELLO) for _ in range(10**6)]", ""),
        ("[connection.sendall(HELLO + bytes(2**24)) for _ in range(10**6)]", ""),
        # a frame that is no frame, of which a reader makes a million numbers
        (
            "connection.sendall(b'\\0\\x10\\0\\6\\x82\\x0e\\x9a\\0\\x10\\0\\0' + bytes(2**20)); time.sleep(99)",
            "",
        ),
        ("connection.sendall(HELLO + bytes.fromhex('0000000583060141f6') * 2); time.sleep(99)", ""),
    ],
    ids=[
        "hangs",
        "closes",
        "speaks HTTP",
        "hangs later",
        "floods",
        "floods with nothing",
        "many numbers",
        "answers twice",
    ],
)
async def test_what_it_does_on_the_link(target: Make, serve: str, detail: str) -> None:
    found = await one(target(LISTENING.format(serve=serve)))
    assert found.verdict is Verdict.FAILED
    assert detail in found.detail


async def test_an_initiator_that_never_dials(target: Make) -> None:
    found = await one(
        target("import sys; sys.stdin.readline(); print('{\"ready\": true}', flush=True); sys.stdin.read()"),
        "call.unary",
        role=Role.INITIATOR,
    )
    assert (found.verdict, found.detail) == (Verdict.FAILED, "nothing that was due came within 5 s")


async def test_it_never_ends(target: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended, and the run goes on; its last word is kept."""
    command = target("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(999)")
    monkeypatch.setattr(targets, "READY_WITHIN", 1.0)
    found = await over_tcp(command)
    assert [each.detail for each in found.results] == ["the target did not answer the opening within 1 s"]


async def test_one_that_does_not_answer_is_not_waited_for_again(
    target: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "READY_WITHIN", 1.0)
    found = await over_tcp(target("import time; time.sleep(999)"), "resource.*", "call.*", within=10)
    assert {each.detail for each in found.results} == {"the target did not answer the opening within 1 s"}


async def test_nothing_to_play() -> None:
    with pytest.raises(HarnessError, match=r"there is no case call\.nothing-like-it"):
        await play(cases=("call.nothing-like-it",))


DYING = """
    import os, sys
    canary = os.environ["CONFORMANCE_CANARY"]
    os.write(2, b"".join(b"line %d\\n" % number for number in range(30)))
    os.write(2, f"it was {canary}, \\x1b[2J\\xff\\n".encode("latin-1"))
    raise SystemExit(3)
"""


async def test_its_last_words_are_kept(target: Make) -> None:
    """The last 20 lines, with no secret and nothing in them that acts on a terminal."""
    found = await one(target(DYING))
    lines = found.last_words.split("\n")
    assert lines[0] == "line 11"
    assert lines[-1] == "it was [canary environment], \\x1b[2J\ufffd"
    assert len(lines) == 20


async def test_last_words_of_one_that_dies_in_the_middle(target: Make) -> None:
    serve = "import os; connection.recv(9); os.write(2, b'why'); os._exit(7)"
    found = await one(target(LISTENING.format(serve=serve)))
    assert found.last_words == "why"


async def test_last_words_of_one_that_does_not_answer(target: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "READY_WITHIN", 1.0)
    found = await one(target("import os, time; os.write(2, b'wait'); time.sleep(99)"))
    assert found.last_words == "wait"


@pytest.mark.parametrize(
    ("written", "kept"), [("b'x' * 10_000", 4_096), ("b'x' * 200_000", 4_096), ("b''", 0)]
)
async def test_last_words_are_bounded(target: Make, written: str, kept: int) -> None:
    found = await one(target(f"import os; os.write(2, {written}); os._exit(3)"))
    assert found.last_words.lstrip("…") == "x" * kept


async def test_a_secret_where_keeping_begins(target: Make) -> None:
    """No end of a secret is left whose beginning was too long ago."""
    canary = "os.environ['CONFORMANCE_CANARY'].encode()"
    left = f"{canary} + b'z' * {targets.STDERR_KEPT - 10}"
    text = f"import os, sys; sys.stderr.buffer.write({left}); sys.stderr.flush(); os._exit(3)"
    found = await one(target(text))
    assert set(found.last_words) == {"…", "z"}
