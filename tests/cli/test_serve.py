"""`graftwire serve`: what it hosts, how it ends, and the sentence for each mistake."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from .conftest import Here, Pem, apart, running

TCP = "tcp://127.0.0.1:0"
ANONYMOUS = ("--auth", "anonymous")


def test_it_says_where_it_listens(shop: Path, pem: Pem) -> None:
    options = ["--listen", TCP, "--listen", "wss://127.0.0.1:0/calls", "--cert", pem.cert, "--key", pem.key]
    with running("serve", "shop:Shop", *options, *ANONYMOUS, cwd=shop) as served:
        tcp, wss = served.address(), served.address()
        done = served.stop()
    assert tcp.startswith("tcp://127.0.0.1:")
    assert not tcp.endswith(":0")
    assert wss.startswith("wss://127.0.0.1:")
    assert wss.endswith("/calls")
    assert (done.code, done.out) == (0, "")
    assert "hosting Shop.add, Shop.begin, Shop.block, " in done.err
    assert "Traceback" not in done.err


def test_it_says_so_in_json(shop: Path) -> None:
    with running("serve", "shop:Shop", "--listen", TCP, *ANONYMOUS, "--json", cwd=shop) as served:
        assert json.loads(served.line())["listening"].startswith("tcp://127.0.0.1:")
        assert served.stop(signal.SIGINT).code == 0


def test_several_things_under_names_of_their_own(here: Here, shop: Path) -> None:
    things = ["shop:Shop", "Other=shop:Shop", "shop:needy"]
    with running("serve", *things, "--listen", TCP, *ANONYMOUS, cwd=shop) as served:
        url = served.address()
        for target in ("Shop.none", "Other.none", "Needy.it"):
            assert here("call", url, target).out == "null\n"


def test_one_port_for_all(here: Here, shop: Path, pem: Pem) -> None:
    options = ["--listen", TCP, "--detect", "--cert", pem.cert, "--key", pem.key]
    with running("serve", "shop:Shop", *options, *ANONYMOUS, cwd=shop) as served:
        where = served.address().partition(":")[2]
        for scheme in ("tcp", "tls", "ws", "wss"):
            done = here("call", f"{scheme}:{where}", "Shop.add", "1", "2", "--ca", pem.ca)
            assert (done.code, done.out) == (0, "3\n")


def _upgrade(port: int, origin: str) -> bytes:
    """The first bytes of what a WebSocket handshake from a browser gets."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Sec-WebSocket-Protocol: graftwire.1\r\nOrigin: " + origin.encode() + b"\r\n\r\n"
        )
        return connection.recv(12)


def test_origins_are_let_in_by_name(shop: Path) -> None:
    options = [
        "--listen",
        "ws://127.0.0.1:0",
        "--origin",
        "https://a.example",
        "--origin",
        "https://b.example",
    ]
    with running("serve", "shop:Shop", *options, *ANONYMOUS, cwd=shop) as served:
        port = int(served.address().rstrip("/").rpartition(":")[2])
        assert _upgrade(port, "https://b.example") == b"HTTP/1.1 101"
        assert _upgrade(port, "https://c.example") == b"HTTP/1.1 403"


# --- how it ends ---------------------------------------------------------------------------------------------------


def test_calls_that_run_are_let_end(shop: Path) -> None:
    with running("serve", "shop:Shop", "--listen", TCP, *ANONYMOUS, cwd=shop) as served:
        arguments = ["call", served.address(), "Shop.double", "--stream", "--items", "-"]
        with running(*arguments, cwd=shop, stdin=subprocess.PIPE) as run:
            run.type("1")
            assert run.line() == "2"
            served.process.send_signal(signal.SIGTERM)
            run.type("2")
            assert run.line() == "4"
            done = run.end()
            assert served.end().code == 0
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize(("options", "signals"), [(["--drain", "0"], 1), (["--drain", "1000"], 2)])
def test_calls_that_do_not_end_are_cancelled(shop: Path, options: list[str], signals: int) -> None:
    with running("serve", "shop:Shop", "--listen", TCP, *ANONYMOUS, *options, cwd=shop) as served:
        with running("call", served.address(), "Shop.begin", "--stream", cwd=shop) as run:
            assert run.line() == '"begun"'
            for _ in range(signals - 1):
                served.process.send_signal(signal.SIGTERM)
                served.errors_until("leaving: running calls get 1000 s")
            assert served.stop().code == 0
            done = run.end()
    assert done.code == 3
    assert done.sentence == "the other side closed the session; the call may have run"


def test_handlers_in_threads_that_do_not_end_are_left_behind(shop: Path) -> None:
    before = "import graftwire.cli.serve as s\ns.GRACE = 0.3"
    options = ["--listen", TCP, *ANONYMOUS, "--drain", "0"]
    with running("serve", "shop:Shop", *options, cwd=shop, before=before) as served:
        with running("call", served.address(), "Shop.block", "20", cwd=shop):
            served.errors_until("Shop.block has begun")
            done = served.stop()
    assert done.code == 1
    assert done.err.endswith("graftwire: a handler did not end in time and was left behind\n")


# --- mistakes ------------------------------------------------------------------------------------------------------

CHOICE = (
    "nobody has said who may call; add --auth anonymous to let anyone who reaches it call all that it hosts, or "
    "--auth NAME:TEXT and --allow NAME:TEXT"
)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["shop:Shop", "--listen", TCP], CHOICE),
        (
            ["shop:Shop", "--listen", TCP, "--auth", "secret"],
            "--auth: there is no authenticator secret; there are: anonymous, jwt, api-keys, hmac, mtls",
        ),
        (
            ["shop:Shop", *ANONYMOUS],
            "there is no address to listen at; add --listen URL, as in --listen tcp://127.0.0.1:7400",
        ),
    ],
)
def test_what_has_to_be_said(here: Here, arguments: list[str], sentence: str) -> None:
    done = here("serve", *arguments)
    assert (done.code, done.out, done.sentence) == (2, "", sentence)


@pytest.mark.parametrize(
    ("thing", "sentence"),
    [
        (
            "shop",
            (
                "the module shop has no public class to host; name one in its __all__, or mark it with "
                "graftwire.interface()"
            ),
        ),
        ("shop:", "what is hosted is named by its module and its class, as in shop:Invoices"),
        (":Shop", "what is hosted is named by its module and its class, as in shop:Invoices"),
        ("shop.py:Shop.add", "what is hosted is named by its module and its class, as in shop:Invoices"),
        ("nowhere:Shop", "there is no module nowhere in this directory or among the installed packages"),
        (
            "shop.py:Shop",
            "there is no module shop.py in this directory or among the installed packages; leave out .py",
        ),
        (
            "shop.Shop",
            "there is no module shop.Shop in this directory or among the installed packages; did you mean shop:Shop?",
        ),
        ("no.shop", "there is no module no.shop in this directory or among the installed packages"),
        ("..shop:Shop", "..shop is no name of a module"),
        ("shop:Nothing", "the module shop has nothing called Nothing; check the name"),
        (
            "shop:Empty",
            (
                "shop.py: Empty has no public method, so there is nothing to call; write one in the class itself, or "
                "mark one that it has with graftwire.exposed"
            ),
        ),
        ("leaving:Shop", "the module leaving can't be imported: SystemExit in leaving.py, line 2"),
        ("skipping:Shop", "the module skipping can't be imported: BaseException in skipping.py, line 2"),
        ("wrong:Shop", "the module wrong can't be imported: ValueError in wrong.py, line 1"),
        ("parsing:Shop", "the module parsing can't be imported: JSONDecodeError in parsing.py, line 2"),
        (
            "unversioned:Shop",
            (
                "the module unversioned can't be imported: ValueError in unversioned.py, line 2: the version of an "
                "interface is 1 to 64 printable ASCII characters without spaces, as in 1.2"
            ),
        ),
        ("lazy:Shop", "the module lazy has nothing called Shop; its __getattr__ raises KeyError"),
        ("wrong_all", "the __all__ of the module wrong_all is no list of names; make it one"),
        ("leaving_later:Shop", "leaving_later:Shop can't be made: SystemExit in leaving_later.py, line 4"),
        (
            "shop:Needy",
            (
                "shop:Needy needs the arguments address, port to be made; make one in the module, as in "
                "`it = Needy(…)`, and serve shop:it"
            ),
        ),
        (
            "collections.abc:Sized",
            "collections.abc:Sized is abstract, so it can't be made; serve a class that implements all of it",
        ),
        ("shop:Moody", "shop:Moody can't be made: OSError in shop.py, line 89"),
        ("broken:Shop", "the module broken can't be imported: SyntaxError in broken.py, line 2"),
        ("failing:Shop", "the module failing can't be imported: KeyError in failing.py, line 2"),
        ("needing:Shop", "the module needing needs the module not_there, which is not installed"),
        (
            "a b=shop:Shop",
            "the name of what is hosted is printable ASCII without spaces, and not graftwire.…",
        ),
        (
            "graftwire.x=shop:Shop",
            "the name of what is hosted is printable ASCII without spaces, and not graftwire.…",
        ),
    ],
)
def test_what_can_not_be_hosted(here: Here, shop: Path, thing: str, sentence: str) -> None:
    (shop / "broken.py").write_text("\nsecret = = 1\n")
    (shop / "failing.py").write_text("\n{}['secret']\n")
    (shop / "needing.py").write_text("import not_there\n")
    (shop / "leaving.py").write_text("import sys\nsys.exit(0)\n")
    (shop / "skipping.py").write_text("\nraise BaseException\n")
    (shop / "wrong.py").write_text("int('secret')\n")
    (shop / "parsing.py").write_text("import json\njson.loads('secret')\n")
    (shop / "unversioned.py").write_text(
        "import graftwire\n@graftwire.interface(version='1 2')\nclass Shop: ...\n"
    )
    (shop / "lazy.py").write_text("def __getattr__(name): return {}[name]\n")
    (shop / "wrong_all.py").write_text("__all__ = 7\n")
    (shop / "leaving_later.py").write_text(
        "class Shop:\n    def total(self) -> int: ...\n    def __init__(self) -> None:\n        raise SystemExit\n"
    )
    done = here("serve", thing, "--listen", TCP, *ANONYMOUS)
    assert (done.code, done.out) == (2, "")
    assert done.sentence == sentence


@pytest.mark.parametrize("other", ["def total(self, net): ...", "def __init__(self, a): ...", "total = 1"])
def test_nothing_is_made_where_something_can_not_be_hosted(here: Here, shop: Path, other: str) -> None:
    (shop / "eager.py").write_text(
        "import pathlib\n"
        "class First:\n"
        "    def __init__(self) -> None: pathlib.Path('made').touch()\n"
        "    def total(self) -> int: ...\n"
        f"class Second:\n    {other}\n"
    )
    done = here("serve", "eager:First", "eager:Second", "--listen", TCP, *ANONYMOUS)
    assert (done.code, done.out) == (2, "")
    assert not (shop / "made").exists()


@pytest.mark.parametrize("where", ["module", "constructor"])
def test_an_interrupt_while_something_is_made_is_one(here: Here, shop: Path, where: str) -> None:
    made = "raise KeyboardInterrupt" if where == "constructor" else "..."
    (shop / "stopped.py").write_text(
        f"class Shop:\n    def total(self) -> int: ...\n    def __init__(self) -> None: {made}\n"
        + ("raise KeyboardInterrupt\n" if where == "module" else "")
    )
    done = here("serve", "stopped:Shop", "--listen", TCP, *ANONYMOUS)
    assert (done.code, done.out, done.err) == (130, "", "")


def test_a_module_that_is_no_text(here: Here, shop: Path) -> None:
    (shop / "zero.py").write_bytes(b"a = 1\0\n")
    done = here("serve", "zero:Shop", "--listen", TCP, *ANONYMOUS)
    assert done.code == 2
    assert done.sentence.startswith("the module zero can't be imported: SyntaxError")
    assert "None" not in done.sentence


def test_a_type_that_can_not_be_resolved(here: Here) -> None:
    done = here("serve", "shop:Odd", "--listen", TCP, *ANONYMOUS)
    assert done.code == 2
    assert done.sentence == (
        "shop.py, line 95: an annotation of Odd.it can't be resolved: name 'Nowhere' is not defined; define or import "
        "it in the module, outside of functions and of `if TYPE_CHECKING`"
    )


def test_two_of_one_name(here: Here) -> None:
    done = here("serve", "shop:Shop", "shop:Shop", "--listen", TCP, *ANONYMOUS)
    assert done.code == 2
    assert done.sentence == "two of them would be called Shop; rename one, as in Other=shop:Shop"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--listen", TCP, "--cert", "CERT"], "--cert needs the certificate's key; add --key FILE"),
        (
            ["--listen", TCP, "--key", "KEY"],
            "--key needs the certificate that it belongs to; add --cert FILE",
        ),
        (
            ["--listen", "tls://127.0.0.1:0"],
            "tls://127.0.0.1:0 needs a certificate and its key; add --cert FILE --key FILE",
        ),
        (
            ["--listen", TCP, "--listen", "wss://127.0.0.1:0"],
            "wss://127.0.0.1:0/ needs a certificate and its key; add --cert FILE --key FILE",
        ),
        (
            ["--listen", TCP, "--cert", "CERT", "--key", "KEY"],
            "no address that is listened at uses TLS, so --cert has no effect; use tls or wss",
        ),
        (
            ["--listen", "tls://127.0.0.1:0", "--cert", "/nowhere", "--key", "KEY"],
            "the certificate /nowhere can't be read: there is no such file; check the path",
        ),
        (
            ["--listen", "tls://127.0.0.1:0", "--cert", "FOLDER", "--key", "KEY"],
            "the certificate FOLDER can't be read: Is a directory; check the file and its mode",
        ),
        (
            ["--listen", "tls://127.0.0.1:0", "--cert", "CERT", "--key", "/nowhere"],
            "the key /nowhere can't be read: there is no such file; check the path",
        ),
        (
            ["--listen", "tls://127.0.0.1:0", "--cert", "KEY", "--key", "KEY"],
            "there is no certificate in PEM in KEY; check the file",
        ),
        (
            ["--listen", "tls://127.0.0.1:0", "--cert", "CA", "--key", "KEY"],
            "the key KEY does not belong to the certificate CA; use the pair made together",
        ),
    ],
)
def test_certificates_that_do_not_fit(
    here: Here, pem: Pem, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    files = {"CERT": pem.cert, "KEY": pem.key, "CA": pem.ca, "FOLDER": str(tmp_path)}
    done = here("serve", "shop:Shop", *ANONYMOUS, *(files.get(word, word) for word in arguments))
    assert done.code == 2
    for name in ("KEY", "CA", "FOLDER"):
        sentence = sentence.replace(name, files[name])
    assert done.sentence == sentence


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("tcp://127.0.0.1", "a tcp URL needs a port, as in tcp://localhost:7400"),
        (
            "tcp://127.0.0.1:99999",
            "the port of a URL is a number from 0 to 65535, as in tcp://localhost:7400",
        ),
        ("memory:shop", "a memory URL is for one process alone; use tcp, tls, unix, ws or wss"),
        ("127.0.0.1:7400", "a URL begins with its transport, as in tcp://localhost:7400"),
        ("7400", "a URL begins with its transport, as in tcp://localhost:7400"),
        (
            "http://127.0.0.1:7400",
            "there is no transport for the scheme http; did you mean tcp?",
        ),
        (
            "tcp://secret@127.0.0.1:0",
            "a user name or password has no place in a URL; take it out, and authenticate with a plugin",
        ),
        ("unix:s", "a unix URL holds the absolute path of a socket, as in unix:/run/graftwire.sock"),
    ],
)
def test_addresses_that_are_none(here: Here, url: str, sentence: str) -> None:
    done = here("serve", "shop:Shop", "--listen", url, *ANONYMOUS)
    assert (done.code, done.sentence) == (2, sentence)


def test_addresses_that_can_not_be_listened_at(here: Here) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = here("serve", "shop:Shop", "--listen", TCP, "--listen", f"tcp://127.0.0.1:{port}", *ANONYMOUS)
    assert (done.code, done.out) == (2, "")
    assert done.sentence == (
        f"something listens at 127.0.0.1:{port} already; stop it, or choose another port (0: any free one)"
    )
    done = here("serve", "shop:Shop", "--listen", "tcp://192.0.2.1:0", *ANONYMOUS)
    assert done.code == 2
    assert done.sentence == "192.0.2.1 is not an address of this machine; use one that is, or * for all"


def test_paths_that_can_not_be_listened_at(here: Here, gateway: dict[str, str], tmp_path: Path) -> None:
    taken = gateway["unix"].removeprefix("unix:")
    (tmp_path / "file").write_text("kept")
    for path, sentence in (
        (taken, f"something listens at {taken} already; stop it, or choose another path"),
        (
            f"{tmp_path}/file",
            f"there is a file at {tmp_path}/file that is not a socket; remove it, or choose another path",
        ),
        ("/nowhere/s", "there is no directory /nowhere for the socket; create it"),
    ):
        done = here("serve", "shop:Shop", "--listen", f"unix:{path}", *ANONYMOUS)
        assert (done.code, done.out, done.sentence) == (2, "", sentence)
    assert (tmp_path / "file").read_text() == "kept"


def test_a_port_for_the_privileged(shop: Path) -> None:
    # whether this user may use it depends on the machine, so the system's answer is made here
    before = (
        "import errno, socket\n"
        "def bind(self, address): raise PermissionError(errno.EACCES, 'Permission denied')\n"
        "socket.socket.bind = bind"
    )
    done = apart("serve", "shop:Shop", "--listen", "tcp://127.0.0.1:80", *ANONYMOUS, cwd=shop, before=before)
    assert (done.code, done.out) == (2, "")
    assert done.sentence == "this user may not listen at 127.0.0.1:80; choose a port above 1023"
