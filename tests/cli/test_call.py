"""`graftwire call`: what it prints, and what it says when there is nothing to print."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from graftwire.transport.session import Timing

from .conftest import Alongside, Here, Lines, Pem, apart, running
from .others import closing, greeting, http, relay, server, silent, tls

TRANSPORTS = ["tcp", "tls", "unix", "ws", "wss"]
GRACE = 5.0  # seconds: what no test here should come near


# --- what it prints ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_call_over_each_transport(here: Here, gateway: dict[str, str], pem: Pem, transport: str) -> None:
    done = here("call", gateway[transport], "Shop.add", "1", "2", "--ca", pem.ca)
    assert (done.code, done.out, done.err) == (0, "3\n", "")


def test_it_runs_as_a_module(shop: Path, gateway: dict[str, str]) -> None:
    done = apart("call", gateway["tcp"], "Shop.add", "1", "2", cwd=shop)
    assert (done.code, done.out, done.err) == (0, "3\n", "")


def test_arguments_by_name_and_numbers_below_zero(here: Here, gateway: dict[str, str]) -> None:
    assert here("call", gateway["tcp"], "Shop.add", "-5", "--named", "b=-2").out == "-7\n"
    assert here("call", gateway["tcp"], "Shop.add", "--named", "b=1", "--named", "a=2").out == "3\n"


@pytest.mark.parametrize(
    "value",
    [
        '{"text": "ü", "list": [1, 2.5, null, true]}',
        '{"$bytes": "AAEC"}',
        '{"$decimal": "12.50"}',
        '{"$set": [1, 2]}',
        '{"$map": [[1, "one"]]}',
        '{"$duration": "-1.5"}',
        '{"$float": "nan"}',
        "1208925819614629174706176",
    ],
)
def test_values_come_back_as_they_were_given(here: Here, gateway: dict[str, str], value: str) -> None:
    assert here("call", gateway["tcp"], "Shop.echo", value).out == value + "\n"


def test_a_method_that_returns_nothing(here: Here, gateway: dict[str, str]) -> None:
    assert here("call", gateway["tcp"], "Shop.none").out == "null\n"


def test_output_that_has_only_ascii(shop: Path, gateway: dict[str, str]) -> None:
    env = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = apart("call", gateway["tcp"], "Shop.echo", '"\\u00fc"', cwd=shop, env=env)
    assert done.out == '"\\u00fc"\n'


def test_a_stream_is_one_value_a_line(here: Here, gateway: dict[str, str]) -> None:
    done = here("call", gateway["tcp"], "Shop.lines", "3", "--stream")
    assert (done.code, done.out) == (0, "0\n1\n2\n")


def test_the_callers_stream(here: Here, gateway: dict[str, str], tmp_path: Path) -> None:
    items = tmp_path / "items"
    items.write_text("1\n2\n\n3")
    assert here("call", gateway["tcp"], "Shop.sum", "--items", str(items)).out == "6\n"
    done = here("call", gateway["tcp"], "Shop.double", "--stream", "--items", str(items))
    assert (done.code, done.out) == (0, "2\n4\n6\n")


def test_items_from_standard_input_go_as_they_come(shop: Path, gateway: dict[str, str]) -> None:
    arguments = ["call", gateway["ws"], "Shop.double", "--stream", "--items", "-"]
    with running(*arguments, cwd=shop, stdin=subprocess.PIPE) as run:
        for number in range(3):
            run.type(str(number))
            assert run.line() == str(2 * number)
        done = run.end()
        assert (done.code, done.out, done.err) == (0, "", "")


def test_more_items_than_there_is_credit_for(here: Here, gateway: dict[str, str], tmp_path: Path) -> None:
    texts = [f"{number} " + "x" * 1000 for number in range(600)]  # more than two times 262,144 bytes
    items = tmp_path / "items"
    items.write_text("".join(f'"{text}"\n' for text in texts))
    done = here("call", gateway["tcp"], "Shop.shout", "--stream", "--items", str(items))
    assert done.out == "".join(f'"{text.upper()}"\n' for text in texts)


# --- what can't be called ------------------------------------------------------------------------------------------

NOT_JSON = "argument 2 is not JSON; a text needs quotes that the shell leaves alone: '\"like this\"'"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["1", "secret"], NOT_JSON),
        (["1", "{'secret': 1}"], NOT_JSON),
        (
            ["1", "NaN"],
            'argument 2 can\'t be used: JSON has no NaN; write {"$float": "nan"}, "inf" or "-inf"',
        ),
        (["--named", "a=secret"], NOT_JSON.replace("argument 2", "the argument a")),
        (["--named", "secret"], "--named takes a name and a value, as in --named amount=12"),
        (["--named", "a=1", "--named", "a=2"], "the argument a is given twice"),
        (["1", "--deadlin", "3"], "there is no option --deadlin; see graftwire call --help"),
        (["--deadlin=secret"], "there is no option --deadlin; see graftwire call --help"),
        (["-secret"], "there is no option; see graftwire call --help"),
        (["--items", "/nowhere"], "the file /nowhere can't be read: no such file or directory"),
        (["--items", "/"], "the file / can't be read: is a directory"),
        (
            ['{"$decimal": "NaN"}', "2"],
            "argument 1 can't cross the wire: a decimal that is not a finite number",
        ),
        (
            ['[{"a": "\\ud800"}]', "2"],
            "argument 1 at [0][...] can't cross the wire: text with a lone surrogate",
        ),
    ],
)
def test_arguments_that_are_none(
    here: Here, gateway: dict[str, str], arguments: list[str], sentence: str
) -> None:
    done = here("call", gateway["tcp"], "Shop.add", *arguments)
    assert (done.code, done.out, done.sentence) == (2, "", sentence)


@pytest.mark.parametrize("target", ["", "Shop add", "Büro.add", "x" * 256])
def test_targets_that_are_none(here: Here, gateway: dict[str, str], target: str) -> None:
    done = here("call", gateway["tcp"], target)
    assert done.code == 2
    assert (
        done.sentence
        == "what is called is named by its class and method in printable ASCII, as in Invoices.total"
    )


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("localhost:7400", "a URL begins with its transport, as in tcp://localhost:7400"),
        ("localhost", "a URL begins with its transport, as in tcp://localhost:7400"),
        (
            "tcp://localhost:0",
            "port 0 is only for listening; give the port that the server has, as its line `listening URL` says",
        ),
        ("tpc://localhost:1", "there is no transport for the scheme tpc; did you mean tcp?"),
        ("tcp://localhost", "a tcp URL needs a port, as in tcp://localhost:7400"),
        (
            "tcp://user:secret@localhost:1",
            "a user name or password has no place in a URL; take it out, and authenticate with a plugin",
        ),
        ("tcp://localhost:1?secret", "a query (what follows `?`) has no place in a URL; take it out"),
        ("memory:x", "a memory URL is for one process alone; use tcp, tls, unix, ws or wss"),
    ],
)
def test_urls_that_are_none(here: Here, url: str, sentence: str) -> None:
    done = here("call", url, "a.b")
    assert (done.code, done.out) == (2, "")
    assert done.sentence == sentence


def test_items_that_are_none_end_the_call(here: Here, gateway: dict[str, str], tmp_path: Path) -> None:
    items = tmp_path / "items"
    items.write_text("1\nsecret\n")
    for options in ([], ["--stream"]):
        target = "Shop.double" if options else "Shop.sum"
        done = here("call", gateway["tcp"], target, "--items", str(items), *options)
        assert done.code == 2
        assert done.sentence == "line 2 of the items can't be used: it is not JSON"
    items.write_text('1\n"\\ud800"\n')
    done = here("call", gateway["tcp"], "Shop.sum", "--items", str(items))
    assert (done.code, done.sentence) == (2, "item can't cross the wire: text with a lone surrogate")


# --- what goes wrong at the other side -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["Shop.nothing"], "the other side hosts nothing that is called Shop.nothing; check the name"),
        (["Shop.__init__"], "the other side hosts nothing that is called Shop.__init__; check the name"),
        (["Nothing.add", "1"], "the other side hosts nothing that is called Nothing.add; check the name"),
        (["Shop.add", "1"], "Shop.add needs the argument b, which was not given"),
        (
            ["Shop.add", "1", "2", "3"],
            "argument 3 does not fit Shop.add; it is of another type, or there is one too many",
        ),
        (
            ["Shop.add", "1", '"secret"'],
            "argument 2 does not fit Shop.add; it is of another type, or there is one too many",
        ),
        (
            ["Shop.add", "1", "--named", 'b="secret"'],
            "the argument b does not fit Shop.add; it is of another type, or was given twice",
        ),
        (
            ["Shop.add", "1", "2", "--named", "c=3"],
            "Shop.add has no argument that is called c; check the names",
        ),
        (
            ["Shop.lines", "3"],
            (
                "Shop.lines is not called in this way: --stream is for a method that gives a stream, --items for one "
                "that takes one"
            ),
        ),
        (
            ["Shop.add", "1", "2", "--stream"],
            (
                "Shop.add is not called in this way: --stream is for a method that gives a stream, --items for one "
                "that takes one"
            ),
        ),
        (["Shop.pay", "5"], "Shop.pay raised Broke: not enough money"),
    ],
)
def test_what_the_other_side_refuses(
    here: Here, gateway: dict[str, str], arguments: list[str], sentence: str
) -> None:
    done = here("call", gateway["tcp"], *arguments)
    assert (done.code, done.out, done.sentence) == (1, "", sentence)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_mistakes_over_each_transport(here: Here, gateway: dict[str, str], pem: Pem, transport: str) -> None:
    mistakes = [
        (["Shop.nothing"], 1, "the other side hosts nothing that is called Shop.nothing; check the name"),
        (["Shop.add", "1"], 1, "Shop.add needs the argument b, which was not given"),
        (["Shop.pay", "5"], 1, "Shop.pay raised Broke: not enough money"),
        (["Shop.hang", "--deadline", "1"], 4, "the deadline of 1 s passed before Shop.hang was done"),
    ]
    for arguments, code, sentence in mistakes:
        done = here("call", gateway[transport], *arguments, "--ca", pem.ca)
        assert (done.code, done.out, done.sentence) == (code, "", sentence)


def test_an_exception_that_is_not_declared(here: Here, gateway: dict[str, str]) -> None:
    done = here("call", gateway["tcp"], "Shop.fail")
    assert done.code == 1
    said, _, incident = done.sentence.rpartition(" ")
    assert (
        said
        == "Shop.fail failed at the other side in a way that it does not declare; the log there has it as incident"
    )
    assert len(bytes.fromhex(incident)) == 8


def test_failures_as_json(here: Here, gateway: dict[str, str]) -> None:
    told = json.loads(here("call", gateway["tcp"], "Shop.pay", "5", "--json").err)
    assert told == {
        "error": {
            "kind": "application",
            "sentence": "Shop.pay raised Broke: not enough money",
            "name": "Broke",
            "message": "not enough money",
            "fields": {"missing": 5},
            "ran": True,
        }
    }
    told = json.loads(here("call", gateway["tcp"], "Shop.nothing", "--json").err)
    assert (told["error"]["kind"], told["error"]["ran"]) == ("unknown-target", False)


def test_a_call_that_ends_before_its_items_do(here: Here, gateway: dict[str, str], tmp_path: Path) -> None:
    items = tmp_path / "items"
    items.write_text("1\n" * 20_000)
    done = here("call", gateway["tcp"], "Shop.picky", "--items", str(items))
    assert done.code == 1
    assert done.sentence.startswith("Shop.picky failed at the other side")


def test_a_stream_that_fails_half_way(here: Here, gateway: dict[str, str], tmp_path: Path) -> None:
    items = tmp_path / "items"
    items.write_text('1\n"x"\n')
    done = here("call", gateway["tcp"], "Shop.double", "--stream", "--items", str(items))
    assert (done.code, done.out) == (1, "2\n")
    assert done.sentence == "item 2 does not fit Shop.double; it is of another type"


@pytest.mark.parametrize("options", [[], ["--stream"]])
def test_a_deadline_that_passes(here: Here, gateway: dict[str, str], options: list[str]) -> None:
    start = time.monotonic()
    target = "Shop.endless" if options else "Shop.hang"
    done = here("call", gateway["tcp"], target, "--deadline", "0.3", *options)
    assert time.monotonic() - start < GRACE
    assert (done.code, done.sentence) == (4, f"the deadline of 0.3 s passed before {target} was done")


# --- what may be found in place of a gateway -----------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def test_a_wrong_port(here: Here) -> None:
    for transport in ("tcp", "tls", "ws", "wss"):
        port = free_port()
        done = here("call", f"{transport}://127.0.0.1:{port}", "a.b")
        assert done.code == 3
        assert (
            done.sentence
            == f"nobody listens at 127.0.0.1:{port}; check the port, and whether the server is running"
        )


def test_a_wrong_host(here: Here) -> None:
    for transport in ("tcp", "tls", "ws", "wss"):
        done = here("call", f"{transport}://nowhere.invalid:7400", "a.b")
        assert done.code == 3
        assert done.sentence == (
            "the host name nowhere.invalid has no address; check its spelling, and this machine's name server"
        )


def test_a_wrong_path(here: Here, gateway: dict[str, str], pem: Pem) -> None:
    done = here("call", "unix:/nowhere/s", "a.b")
    assert done.code == 3
    assert done.sentence == "there is no socket /nowhere/s; check the path, and whether the server is running"
    for transport in ("ws", "wss"):
        url = gateway[transport] + "nowhere"
        done = here("call", url, "a.b", "--ca", pem.ca)
        assert done.code == 3
        assert done.sentence == f"{url} has nothing at this path (404); check the path of the URL"


def test_a_certificate_of_an_unknown_authority(here: Here, gateway: dict[str, str]) -> None:
    for transport in ("tls", "wss"):
        where = gateway[transport].removeprefix(transport + "://").rstrip("/")
        done = here("call", gateway[transport], "Shop.none")
        assert done.code == 3
        assert done.sentence == (
            f"the certificate of {where} comes from an authority that is not trusted here; pass the authority's "
            "root with --ca FILE"
        )


def test_a_certificate_for_another_name(here: Here, gateway: dict[str, str], pem: Pem) -> None:
    for transport in ("tls", "wss"):
        url = gateway[transport].replace("127.0.0.1", "localhost")
        done = here("call", url, "Shop.none", "--ca", pem.ca)
        where = url.removeprefix(transport + "://").rstrip("/")
        assert done.code == 3
        assert done.sentence == (
            f"the certificate of {where} is for 127.0.0.1, not for localhost; check the host name, or the certificate"
        )


def test_authorities_that_can_not_be_used(here: Here, tmp_path: Path, pem: Pem) -> None:
    missing = tmp_path / "missing.pem"
    done = here("call", "tls://127.0.0.1:1", "a.b", "--ca", str(missing))
    assert done.code == 2
    assert (
        done.sentence
        == f"the CA certificates in {missing} can't be read: there is no such file; check the path"
    )
    done = here("call", "tls://127.0.0.1:1", "a.b", "--cert", pem.cert)
    assert (done.code, done.sentence) == (2, "--cert needs the certificate's key; add --key FILE")


def test_an_http_server_at_the_other_end(here: Here) -> None:
    with server(http) as port:
        tcp = here("call", f"tcp://127.0.0.1:{port}", "a.b")
        ws = here("call", f"ws://127.0.0.1:{port}", "a.b")
        secure = here("call", f"tls://127.0.0.1:{port}", "a.b")
        wss = here("call", f"wss://127.0.0.1:{port}", "a.b")
    assert [tcp.code, ws.code, secure.code, wss.code] == [3, 3, 3, 3]
    assert tcp.sentence == (
        f"an HTTP server answers at tcp://127.0.0.1:{port}; Graftwire over HTTP is ws:// or wss://, where a server "
        "offers it"
    )
    assert ws.sentence.startswith(f"ws://127.0.0.1:{port}/ refuses the WebSocket handshake (400); check ")
    assert (
        secure.sentence == f"there is an HTTP server without TLS at 127.0.0.1:{port}; use ws, or another port"
    )

    assert wss.sentence == f"there is an HTTP server without TLS at 127.0.0.1:{port}; use ws, or another port"


def test_tls_where_none_was_expected(here: Here, pem: Pem) -> None:
    with server(tls(pem.cert, pem.key)) as port:
        done = here("call", f"tcp://127.0.0.1:{port}", "a.b")
    assert done.code == 3
    assert (
        done.sentence
        == f"a TLS server answers at tcp://127.0.0.1:{port}; use tls:// or wss://, or another port"
    )


def test_no_tls_where_some_was_expected(here: Here, gateway: dict[str, str]) -> None:
    where = gateway["tcp"].removeprefix("tcp://")
    done = here("call", f"tls://{where}", "Shop.none")
    assert done.code == 3
    assert done.sentence == f"there is a Graftwire server without TLS at {where}; use tcp, or another port"


def test_the_wrong_transport_over_tls(here: Here, gateway: dict[str, str], pem: Pem) -> None:
    where = gateway["tls"].removeprefix("tls://")
    done = here("call", f"wss://{where}", "Shop.none", "--ca", pem.ca)
    assert done.code == 3
    assert done.sentence == (
        f"wss://{where}/ closed the connection in place of answering the WebSocket handshake; check the port, and "
        "whether the URL has to begin with tls"
    )


def test_a_file_in_place_of_a_socket(here: Here, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = here("call", f"unix:{tmp_path}/file", "a.b")
    assert (done.code, done.sentence) == (3, f"{tmp_path}/file is not a socket; check the path")


def test_another_protocol_over_tls(here: Here, pem: Pem) -> None:
    with server(tls(pem.cert, pem.key)) as port:
        done = here("call", f"tls://127.0.0.1:{port}", "a.b", "--ca", pem.ca)
    assert done.code == 3
    assert done.sentence.startswith(f"127.0.0.1:{port} speaks TLS but not Graftwire; check the port")


def test_another_protocol(here: Here) -> None:
    with server(greeting) as port:
        done = here("call", f"tcp://127.0.0.1:{port}", "a.b")
    assert done.code == 3
    assert done.sentence == f"what answers at tcp://127.0.0.1:{port} does not speak Graftwire; check the port"


def test_a_server_that_hangs_up(here: Here) -> None:
    with server(closing) as port:
        done = here("call", f"tcp://127.0.0.1:{port}", "a.b")
    assert done.code == 3
    assert done.sentence == (
        f"no session with tcp://127.0.0.1:{port}: the other side closed the connection before it said HELLO; check "
        "the port, and the transport that the URL begins with"
    )


def test_a_silent_server(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Timing.__init__, "__defaults__", (0.3, 0.3, 60.0, 10.0, 1024))
    with server(silent) as port:
        done = here("call", f"tcp://127.0.0.1:{port}", "a.b")
        late = here("call", f"tcp://127.0.0.1:{port}", "a.b", "--deadline", "0.1")
    assert done.code == 3
    assert done.sentence == (
        f"no session with tcp://127.0.0.1:{port}: the other side did not say HELLO within 0.3 s; check the port, and "
        "the transport that the URL begins with: an HTTP server is silent like this, and so may be one that speaks TLS"
    )
    assert late.code == 4
    assert late.sentence == f"tcp://127.0.0.1:{port} was not reached within the deadline of 0.1 s"


def test_a_server_that_goes_away(shop: Path) -> None:
    with running(
        "serve", "shop:Shop", "--listen", "tcp://127.0.0.1:0", "--auth", "anonymous", cwd=shop
    ) as served:
        url = served.address()
        with running(
            "call", url, "Shop.double", "--stream", "--items", "-", cwd=shop, stdin=subprocess.PIPE
        ) as run:
            run.type("1")
            assert run.line() == "2"
            served.process.kill()
            done = run.end()
    assert done.code == 3
    assert done.sentence in (
        "the other side closed the session; the call may have run",
        (
            f"{url.removeprefix('tcp://')} broke the connection off; it may have been stopped, or restarted; the call "
            "may have run"
        ),
    )


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
@pytest.mark.parametrize("broken", [False, True])
def test_a_connection_that_is_lost(
    alongside: Alongside, gateway: dict[str, str], pem: Pem, transport: str, broken: bool
) -> None:
    going = threading.Event()
    port = int(gateway[transport].rstrip("/").rpartition(":")[2])

    def meanwhile(lines: Lines) -> object:
        assert lines.next() == '"begun"'
        going.set()
        lines.close()
        return None

    with server(relay(port, going, broken=broken)) as between:
        url = gateway[transport].replace(str(port), str(between))
        done, _ = alongside(meanwhile, "call", url, "Shop.begin", "--stream", "--ca", pem.ca)
    where = f"127.0.0.1:{between}"
    if broken:
        ended = f"{where} broke the connection off; it may have been stopped, or restarted"
    elif transport == "tcp":
        ended = "the other side closed the session"
    elif transport == "tls":
        ended = f"the connection to {where} ended without TLS's closing message; what was sent last may be missing"
    else:
        ended = f"{where} vanished without a WebSocket close; check it, and any proxy in between"
    assert (done.code, done.sentence) == (3, f"{ended}; the call may have run")


def test_a_server_that_is_stopped_while_it_works(shop: Path) -> None:
    options = ["--listen", "tcp://127.0.0.1:0", "--auth", "anonymous", "--drain", "0"]
    with running("serve", "shop:Shop", *options, cwd=shop) as served:
        url = served.address()
        with running(
            "call", url, "Shop.double", "--stream", "--items", "-", cwd=shop, stdin=subprocess.PIPE
        ) as run:
            run.type("1")
            assert run.line() == "2"
            served.stop()
            done = run.end()
    assert (done.code, done.sentence) == (3, "the other side closed the session; the call may have run")


# --- trying again, and giving up -----------------------------------------------------------------------------------


def test_trying_again_until_the_server_is_there(shop: Path) -> None:
    url = f"tcp://127.0.0.1:{free_port()}"
    with running("call", url, "Shop.add", "1", "2", "--retry", "9", cwd=shop) as run:
        time.sleep(0.5)
        with running("serve", "shop:Shop", "--listen", url, "--auth", "anonymous", cwd=shop):
            done = run.end()
    assert (done.code, done.out) == (0, "3\n")


def test_trying_again_in_vain(here: Here) -> None:
    url = f"tcp://127.0.0.1:{free_port()}"
    done = here("call", url, "a.b", "--retry", "2")
    assert done.code == 3
    where = url.removeprefix("tcp://")
    assert done.sentence == (
        f"no session with {url} came about in 3 attempts; the last one: nobody listens at {where}; check the port, "
        "and whether the server is running"
    )


def test_an_interruption_cancels_the_call(shop: Path, gateway: dict[str, str]) -> None:
    with running("tap", "--listen", "tcp://127.0.0.1:0", "--to", gateway["tcp"], cwd=shop) as tap:
        url = tap.address()
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with running("call", url, "Shop.hang", cwd=shop) as run:
                tap.lines_until("Shop.hang")
                done = run.stop(number)
                seen = tap.lines_until("ended")
            assert (done.code, done.out, done.err) == (code, "", "")
            assert any("CANCEL" in line for line in seen)
            assert any("GOAWAY" in line for line in seen)
