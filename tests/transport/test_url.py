from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graftwire.protocol.errors import Error
from graftwire.transport.url import Url, UrlError, host_and_port, parse


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("tcp://localhost:7400", ("tcp", "localhost", 7400, "")),
        ("TCP://LocalHost:7400", ("tcp", "localhost", 7400, "")),
        ("tcp://localhost:7400/", ("tcp", "localhost", 7400, "")),
        ("tcp://127.0.0.1:0", ("tcp", "127.0.0.1", 0, "")),
        ("tcp://[::1]:65535", ("tcp", "::1", 65535, "")),
        ("tcp://[0:0::1]:1", ("tcp", "::1", 1, "")),
        ("tls://*:7443", ("tls", "*", 7443, "")),
        ("tls://example.com.:7443", ("tls", "example.com.", 7443, "")),
        ("tls://bücher.example:7443", ("tls", "bücher.example", 7443, "")),
        ("tcp://my_service:1", ("tcp", "my_service", 1, "")),
        ("ws://localhost", ("ws", "localhost", 80, "/")),
        ("wss://localhost", ("wss", "localhost", 443, "/")),
        ("wss://[::1]", ("wss", "::1", 443, "/")),
        ("ws://localhost:81/a/b@c", ("ws", "localhost", 81, "/a/b@c")),
        ("unix:/run/a b.sock".replace(" ", "_"), ("unix", "", 0, "/run/a_b.sock")),
        ("unix:///run/a@b.sock", ("unix", "", 0, "/run/a@b.sock")),
        ("memory:main.2_x-y", ("memory", "", 0, "main.2_x-y")),
    ],
)
def test_parses(text: str, parts: tuple[str, str, int, str]) -> None:
    url = parse(text)
    assert (url.scheme, url.host, url.port, url.path) == parts
    assert parse(url.text) == url
    assert str(url) == url.text


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("TLS://[0::1]:1/", "tls://[::1]:1"),
        ("ws://A", "ws://a:80/"),
        ("unix:///x", "unix:/x"),
        ("memory:x", "memory:x"),
        ("tcp://*:0", "tcp://*:0"),
    ],
)
def test_there_is_one_normal_form(text: str, normal: str) -> None:
    assert parse(text).text == normal


def test_a_listener_names_its_real_port() -> None:
    assert parse("ws://[::1]:0/x").with_port(17) == parse("ws://[::1]:17/x")
    assert host_and_port("::1", 2) == "[::1]:2"


USERINFO = "a user name or password has no place in a URL; take it out, and authenticate with a plugin"
QUERY = "a query (what follows `?`) has no place in a URL; take it out"
FRAGMENT = "a fragment (what follows `#`) has no place in a URL; take it out"
BEGINS = "a URL begins with its transport, as in tcp://localhost:7400"
PORT = "the port of a URL is a number from 0 to 65535, as in tcp://localhost:7400"
HOST = "the host of this URL is neither a name nor an address, as in tcp://localhost:7400"
BRACKETS = "what stands in brackets is not an IPv6 address, as in tcp://[::1]:7400"
MEMORY = "the name of a memory URL has 1 to 64 letters, digits, `.`, `_` or `-`, as in memory:main"
UNIX = "a unix URL holds the absolute path of a socket, as in unix:/run/graftwire.sock"
KNOWN = "there is no transport for the scheme of this URL; the known ones are tcp, tls, ws, wss, unix, memory"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tcp://hunter2:x@localhost:1", USERINFO),
        ("tcp://hunter2@localhost:1", USERINFO),
        ("hunter2:x@localhost:1", USERINFO),
        ("memory:hunter2@x", USERINFO),
        ("unix://hunter2@host/x", USERINFO),
        ("ws://localhost/?token=hunter2", QUERY),
        ("ws://localhost?hunter2", QUERY),
        ("memory:x?hunter2", QUERY),
        ("ws://localhost/#hunter2", FRAGMENT),
        ("", BEGINS),
        ("hunter2", BEGINS),
        ("//localhost:1", BEGINS),
        ("1tcp://localhost:1", BEGINS),
        ("tpc://localhost:1", "there is no transport for the scheme tpc; did you mean tcp?"),
        ("wsss://localhost:1", "there is no transport for the scheme wsss; did you mean wss?"),
        ("hunter2:1", KNOWN),
        ("tcp://localhost", "a tcp URL needs a port, as in tcp://localhost:7400"),
        ("tls://[::1]", "a tls URL needs a port, as in tls://localhost:7443"),
        ("tcp:localhost:1", "a tcp URL needs a host, as in tcp://localhost:7400"),
        ("tcp://", "a tcp URL needs a host, as in tcp://localhost:7400"),
        ("wss:///x", "a wss URL needs a host, as in wss://localhost:7483/"),
        ("tcp://localhost:", PORT),
        ("tcp://localhost:x", PORT),
        ("tcp://localhost:-1", PORT),
        ("tcp://localhost:65536", PORT),
        ("tcp://localhost:٣", PORT),
        ("tcp://localhost:1/hunter2", "a tcp URL ends after its port, as in tcp://localhost:7400"),
        ("tcp://::1:1", "an IPv6 address stands in brackets, as in tcp://[::1]:7400"),
        ("tcp://[::1:1", BRACKETS),
        ("tcp://[hunter2]:1", BRACKETS),
        ("tcp://[::1]x:1", BRACKETS),
        ("tcp://:1", HOST),
        ("tcp://a..b:1", HOST),
        ("tcp://-a:1", HOST),
        ("tcp://a%20b:1", HOST),
        ("tcp://" + "a." * 130 + "b:1", HOST),
        ("ws://localhost/é", "the path of a URL holds only printable ASCII; percent-encode the rest"),
        ("memory:", MEMORY),
        ("memory://x", MEMORY),
        ("memory:.x", MEMORY),
        ("memory:" + "x" * 65, MEMORY),
        ("unix:", UNIX),
        ("unix:x", UNIX),
        ("unix:/x/", UNIX),
        (
            "unix://host/x",
            "a unix URL names a file of this machine and no host, as in unix:/run/graftwire.sock",
        ),
        ("tcp://local host:1", "a URL holds no spaces or control characters; take them out"),
        ("tcp://localhost:1\n", "a URL holds no spaces or control characters; take them out"),
        ("tcp://" + "a" * 2048, "this URL is longer than 2,048 characters"),
    ],
)
def test_refuses_in_one_sentence_that_repeats_nothing(text: str, sentence: str) -> None:
    with pytest.raises(UrlError) as caught:
        parse(text)
    assert str(caught.value) == sentence
    assert "hunter2" not in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, Error)


@given(st.text(max_size=40) | st.from_regex(r"(tcp|tls|wss?|unix|memory):(//)?[\w.:/@\[\]*-]{0,30}"))
def test_parses_or_refuses(text: str) -> None:
    try:
        url = parse(text)
    except UrlError:
        return
    assert isinstance(url, Url)
    assert parse(url.text) == url
