"""`graftwire tap`: every byte passes, every frame is shown, and nothing that is secret."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

import graftwire
from graftwire.protocol import frames
from graftwire.protocol.limits import Limits

from .conftest import PATIENCE, Alongside, Here, Lines, Pem, running
from .others import server
from .test_call import free_port

TCP = "tcp://127.0.0.1:0"
SECRET = b"s3cret-of-mine"
HELLO = frames.encode(frames.Hello((1,), Limits()))


def call(url: str, pem: Pem, target: str, *args: object) -> object:
    """Make one call, in a thread of its own loop."""

    async def make() -> object:
        options = graftwire.ConnectOptions(tls=ssl.create_default_context(cafile=pem.ca))
        async with graftwire.connect(url, options=options) as client:
            return await client.call(target, *args)

    return trio.run(make)


def without_time(lines: list[str]) -> list[str]:
    """Lines of text without the time that each begins with."""
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d\d\d ", line) for line in lines), lines
    return [line[13:] for line in lines]


# --- what passes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("near", "far"), [("tcp", "ws"), ("tls", "unix"), ("ws", "wss"), ("wss", "tcp"), ("unix", "tls")]
)
def test_between_any_two_transports(
    alongside: Alongside, gateway: dict[str, str], pem: Pem, tmp_path: Path, near: str, far: str
) -> None:
    listen = f"unix:{tmp_path}/t" if near == "unix" else f"{near}://127.0.0.1:0"
    secure = ["--cert", pem.cert, "--key", pem.key] if near in ("tls", "wss") else []

    def meanwhile(lines: Lines) -> object:
        result = call(lines.address(), pem, "Shop.add", 1, 2)
        lines.until("Shop.add  body 1 byte")
        return result

    done, result = alongside(
        meanwhile, "tap", "--listen", listen, "--to", gateway[far], "--ca", pem.ca, *secure
    )
    assert (done.code, result, done.err) == (0, 3, "")


ANY_BYTES = (
    HELLO
    + frames.encode(frames.Ping(1))
    + bytes.fromhex("000000028004")  # no frame of the standard, but its length is good
    + frames.encode(frames.Pong(1))
    + b"\xff\xff\xff\xff and whatever comes after a length that none can have"
)


@pytest.mark.parametrize("cut", [1, 13, 1000])
def test_bytes_pass_unchanged_however_they_are_cut(alongside: Alongside, cut: int) -> None:
    came: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        received = b""
        while data := connection.recv(4096):
            received += data
        came.append(received)
        for at in range(0, len(ANY_BYTES), cut):
            connection.sendall(ANY_BYTES[at : at + cut])
        connection.shutdown(socket.SHUT_WR)

    def meanwhile(lines: Lines) -> object:
        back = _send(lines.address(), ANY_BYTES, cut)
        return back, without_time(lines.until("ended"))

    with server(handle) as port:
        _, result = alongside(meanwhile, "tap", "--listen", TCP, "--to", f"tcp://127.0.0.1:{port}")
    assert isinstance(result, tuple)
    back, told = result
    assert came == [ANY_BYTES]
    assert back == ANY_BYTES
    assert [line for line in told if " → " in line] == [
        "  1 → HELLO                   41 B  version 1",
        "  1 → PING                     7 B  number 1",
        "  1 → ?                        6 B  breaks FRAME-5: a frame has no kind",
        "  1 → PONG                     7 B  number 1",
        next(line for line in told if "→ ?" in line and "FRAME-2" in line),
    ]
    assert [line.replace(" ← ", " → ")[:30] for line in told if " ← " in line] == [
        line[:30] for line in told if " → " in line
    ]


def _send(url: str, data: bytes, cut: int = 1000) -> bytes:
    """Send bytes in pieces, say that these are all, and give what comes back."""
    host, _, port = url.removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), cut):
            connection.sendall(data[at : at + cut])
        connection.shutdown(socket.SHUT_WR)
        back = b""
        while more := connection.recv(4096):
            back += more
        return back


# --- what is shown -------------------------------------------------------------------------------------------------


def test_a_call_as_lines(alongside: Alongside, gateway: dict[str, str], pem: Pem) -> None:
    def meanwhile(lines: Lines) -> object:
        call(lines.address(), pem, "Shop.add", 1, 2)
        return lines.until("ended")

    done, told = alongside(meanwhile, "tap", "--listen", TCP, "--to", gateway["tcp"])
    assert done.code == 0
    assert isinstance(told, list)
    first, *rest = without_time(told)
    assert re.fullmatch(r"  1    127\.0\.0\.1:\d+ connected", first)
    assert [line for line in rest if "→" in line] == [
        "  1 → HELLO                   41 B  version 1",
        "  1 → CALL           1        25 B  Shop.add  unary, body 5 bytes",
        "  1 → GOAWAY                   8 B  last call 0, in peace",
    ]
    assert [line for line in rest if "→" not in line] == [
        "  1 ← HELLO                   41 B  version 1",
        "  1 ← RESULT         1         9 B  Shop.add  body 1 byte",
        "  1 ← GOAWAY                   8 B  last call 1, in peace",
        "  1    ended",
    ]


def test_a_call_as_json_with_its_bodies(alongside: Alongside, gateway: dict[str, str], pem: Pem) -> None:
    def meanwhile(lines: Lines) -> object:
        call(json.loads(lines.next())["listening"], pem, "Shop.echo", {"a": b"\x00"})
        return lines.until('"event": "ended"')

    arguments = ["tap", "--listen", TCP, "--to", gateway["unix"], "--json", "--bodies"]
    done, lines = alongside(meanwhile, *arguments)
    assert done.code == 0
    assert isinstance(lines, list)
    told: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert all(one.pop("session") == 1 and one.pop("time").count(":") >= 2 for one in told)
    assert told[0].keys() == {"event"}
    call_frame, result = (one for one in told if one.get("kind") in ("CALL", "RESULT"))
    value = {"a": {"$bytes": "AA=="}}
    assert call_frame == {
        "direction": "to-server",
        "frame": 2,
        "offset": 41,
        "size": call_frame["size"],
        "kind": "CALL",
        "id": 1,
        "shape": "unary",
        "target": "Shop.echo",
        "context": None,
        "credential": None,
        "body": {"size": 8, "value": [[value], {}]},
    }
    assert (result["direction"], result["body"]) == ("to-client", {"size": 5, "value": value})


def test_bodies_as_lines(alongside: Alongside, gateway: dict[str, str], pem: Pem) -> None:
    def meanwhile(lines: Lines) -> object:
        call(lines.address(), pem, "Shop.echo", "\x1b[2J")
        return "\n".join(lines.until("ended"))

    _, told = alongside(meanwhile, "tap", "--listen", TCP, "--to", gateway["tcp"], "--bodies")
    assert 'Shop.echo  unary, <<[["\\u001b[2J"], {}]>> /body: 8 bytes/' in str(told)
    assert "\x1b" not in str(told)


@pytest.mark.parametrize("options", [[], ["--bodies"], ["--json"], ["--json", "--bodies"]])
def test_credentials_are_never_shown(alongside: Alongside, options: list[str]) -> None:
    data = HELLO + b"".join(
        frames.encode(frame)
        for frame in (
            frames.Auth("token", SECRET),
            frames.Challenge(SECRET),
            frames.Call(1, 0, "a.b", None, ("token", SECRET), b"\x82\x80\xa0"),
        )
    )
    came: list[bytes] = []

    def meanwhile(lines: Lines) -> object:
        url = json.loads(lines.next())["listening"] if "--json" in options else lines.address()
        _send(url, data)
        return "\n".join(lines.until("ended"))

    with server(lambda connection: came.append(_everything(connection))) as port:
        done, told = alongside(meanwhile, "tap", "--listen", TCP, "--to", f"tcp://127.0.0.1:{port}", *options)
    assert came == [data]
    shown = str(told) + done.out + done.err
    assert SECRET.decode() not in shown
    assert SECRET.hex() not in shown
    assert "czNjcmV0" not in shown  # in base64
    if "--json" in options:
        assert shown.count('"size": 14}') == 3
    else:
        assert " B  token, credential present, 14 bytes" in shown
        assert "challenge present, 14 bytes" in shown
        assert "a.b  unary, credential present, 14 bytes, " in shown


def _everything(connection: socket.socket) -> bytes:
    received = b""
    while data := connection.recv(4096):
        received += data
    connection.close()
    return received


def test_bodies_are_only_sizes_unless_they_are_asked_for(
    alongside: Alongside, gateway: dict[str, str], pem: Pem
) -> None:
    for options in ([], ["--json"]):

        def meanwhile(lines: Lines) -> object:
            word = lines.next()
            url = json.loads(word)["listening"] if options else word.removeprefix("listening ")
            call(url, pem, "Shop.echo", SECRET.decode())
            return "\n".join(lines.until("ended"))

        _, told = alongside(meanwhile, "tap", "--listen", TCP, "--to", gateway["tcp"], *options)
        assert "Shop.echo" in str(told)
        assert SECRET.decode() not in str(told)


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_nobody_at_the_other_address(alongside: Alongside) -> None:
    port = free_port()

    def meanwhile(lines: Lines) -> object:
        address = lines.address().removeprefix("tcp://").split(":")
        for number in (1, 2):  # it goes on
            with socket.create_connection((address[0], int(address[1])), PATIENCE):
                told = without_time(lines.until("nobody"))
            assert told[-1] == (
                f"  {number}    nobody listens at 127.0.0.1:{port}; check the port, and whether the server is running"
            )
        return None

    done, _ = alongside(meanwhile, "tap", "--listen", TCP, "--to", f"tcp://127.0.0.1:{port}")
    assert (done.code, done.err) == (0, "")


def test_a_certificate_that_is_not_trusted(alongside: Alongside, gateway: dict[str, str]) -> None:
    def meanwhile(lines: Lines) -> object:
        host, _, port = lines.address().removeprefix("tcp://").rpartition(":")
        with socket.create_connection((host, int(port)), PATIENCE):
            return without_time(lines.until("certificate"))[-1]

    _, told = alongside(meanwhile, "tap", "--listen", TCP, "--to", gateway["tls"])
    where = gateway["tls"].removeprefix("tls://")
    assert told == (
        f"  1    the certificate of {where} comes from an authority that is not trusted here; pass the authority's "
        "root with --ca FILE"
    )


def test_its_reader_goes_away(alongside: Alongside, gateway: dict[str, str], pem: Pem) -> None:
    done, _ = alongside(_closing(pem), "tap", "--listen", TCP, "--to", gateway["tcp"])
    assert (done.code, done.err) == (141, "")


def _closing(pem: Pem) -> Callable[[Lines], object]:
    def meanwhile(lines: Lines) -> object:
        url = lines.address()
        lines.close()
        with suppress(graftwire.Error):  # it may go on for as long as the call takes, or not
            call(url, pem, "Shop.none")
        return None

    return meanwhile


def test_signals_end_it(shop: Path, gateway: dict[str, str]) -> None:
    with running("tap", "--listen", TCP, "--to", gateway["tcp"], cwd=shop) as tap:
        assert tap.address().startswith("tcp://127.0.0.1:")
        done = tap.stop()
    assert (done.code, done.out, done.err) == (0, "", "")


BOTH = "tap stands between two addresses; give both --listen URL and --to URL"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], BOTH),
        (["--listen", TCP], BOTH),
        (["--to", TCP], BOTH),
        (["--listen", TCP, "--to"], "option '--to' requires an argument; see graftwire tap --help"),
        (
            ["--listen", "127.0.0.1:1", "--to", "tcp://127.0.0.1:1"],
            "--listen: a URL begins with its transport, as in tcp://localhost:7400",
        ),
        (
            ["--listen", TCP, "--to", "nothing"],
            "--to: a URL begins with its transport, as in tcp://localhost:7400",
        ),
        (
            ["--listen", TCP, "--to", TCP],
            "--to: port 0 is only for listening; give the port that the server has, as its line `listening URL` says",
        ),
        (
            ["--listen", "memory:x", "--to", "tcp://127.0.0.1:1"],
            "--listen: a memory URL is for one process alone; use tcp, tls, unix, ws or wss",
        ),
        (
            ["--listen", "tls://127.0.0.1:0", "--to", "tcp://127.0.0.1:1"],
            "tls://127.0.0.1:0 needs a certificate and its key; add --cert FILE --key FILE",
        ),
        (
            ["--listen", TCP, "--to", "tls://127.0.0.1:1", "--ca", "/nowhere"],
            "the CA certificates in /nowhere can't be read: there is no such file; check the path",
        ),
        (
            ["--listen", "unix:/nowhere/s", "--to", "tcp://127.0.0.1:1"],
            "there is no directory /nowhere for the socket; create it",
        ),
    ],
)
def test_mistakes(here: Here, arguments: list[str], sentence: str) -> None:
    done = here("tap", *arguments)
    assert (done.code, done.out, done.sentence) == (2, "", sentence)


def test_a_port_that_is_taken(here: Here) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = here("tap", "--listen", f"tcp://127.0.0.1:{port}", "--to", "tcp://127.0.0.1:1")
    assert done.code == 2
    assert done.sentence == (
        f"something listens at 127.0.0.1:{port} already; stop it, or choose another port (0: any free one)"
    )
