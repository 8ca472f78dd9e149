"""Going out through a proxy: what goes through, and what is said when nothing does."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

import graftwire
from graftwire.transport.tunnel import REPLIES, STATUS
from graftwire.transport.url import UrlError, parse_proxy

from .proxies import Proxy, running  # type: ignore[import-not-found]

SCHEMES = ("http", "socks5", "socks5h")
LOGIN = ("ada", "pass:hunter2")
every_proxy = pytest.mark.parametrize("scheme", SCHEMES)


class Shop:
    async def echo(self, text: str) -> str:
        return text


class Around:
    """A gateway on each transport, with a certificate for `localhost` alone."""

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "pem"))
        authority.cert_pem.write_to_path(str(folder / "ca"))
        self.listen = graftwire.ListenOptions(tls=graftwire.server_context(str(folder / "pem")))
        self.trust = graftwire.client_context(ca=str(folder / "ca"))

    @asynccontextmanager
    async def gateway(self, transport: str) -> AsyncGenerator[str]:
        url = f"{transport}://localhost:0"
        async with graftwire.serve(
            {"Shop": Shop()}, url, auth=graftwire.Anonymous(), options=self.listen, drain=0
        ) as gateway:
            yield gateway.urls[0]

    async def echo(self, url: str, proxy: str, **more: Any) -> graftwire.LinkFacts:
        options = graftwire.ConnectOptions(tls=self.trust, proxy=proxy, **{"connect_timeout": 5.0, **more})
        async with graftwire.connect(url, options=options) as client:
            assert await client.call("Shop.echo", "canary" * 1_000) == "canary" * 1_000
            return client.facts


@pytest.fixture
def around(tmp_path: Path) -> Around:
    return Around(tmp_path, trustme.CA())


def given(monkeypatch: pytest.MonkeyPatch, text: str = ":".join(LOGIN)) -> graftwire.ProxyLogin:
    monkeypatch.setenv("PROXY_LOGIN", text)
    return graftwire.ProxyLogin(environment="PROXY_LOGIN")


async def refusal(around: Around, proxy: str, url: str = "tcp://localhost:1", **more: Any) -> str:
    with pytest.raises(graftwire.ConnectError) as caught:
        await around.echo(url, proxy, **more)
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


# --- what goes through ----------------------------------------------------------------------------------------------


@every_proxy
@pytest.mark.parametrize("pieces", [1, 1_000_000])
@pytest.mark.parametrize("transport", ["tcp", "tls", "ws", "wss"])
async def test_each_transport_goes_through(around: Around, scheme: str, transport: str, pieces: int) -> None:
    async with around.gateway(transport) as url, running(scheme, Proxy(pieces=pieces)) as proxy:
        facts = await around.echo(url, proxy.url)
        port = url.rpartition(":")[2].strip("/")
        host = "localhost" if scheme != "socks5" else proxy.asked[0].rpartition(":")[0]
        assert proxy.asked == [f"{host}:{port}"]
        assert host in {"localhost", "127.0.0.1", "::1"}
        assert facts.peer == f"localhost:{port}"
        assert facts.proxied == proxy.url.partition("//")[2]
        # TLS goes from end to end: the certificate is the gateway's, and the proxy reads nothing
        if transport in ("tls", "wss"):
            assert facts.tls is not None
            assert facts.tls.verified
            assert facts.tls.hostname_checked
            assert b"canary" not in proxy.passed
        elif transport == "tcp":
            assert b"canary" in proxy.passed


@every_proxy
async def test_the_certificate_has_to_be_that_of_the_target(around: Around, scheme: str) -> None:
    async with around.gateway("tls") as url, running(scheme, Proxy()) as proxy:
        with pytest.raises(graftwire.TlsError, match=r"127\.0\.0\.1"):
            await around.echo(url.replace("localhost", "127.0.0.1"), proxy.url)


async def test_a_name_that_only_the_proxy_knows(around: Around) -> None:
    async with around.gateway("tcp") as url:
        inside = url.replace("localhost", "gateway.invalid")
        for scheme in ("http", "socks5h"):
            async with running(scheme, Proxy(names={"gateway.invalid": "localhost"})) as proxy:
                await around.echo(inside, proxy.url)
        async with running("socks5", Proxy()) as proxy:
            told = await refusal(around, proxy.url, inside)
            assert "the host name gateway.invalid has no address here" in told
            assert "socks5h" in told
            assert proxy.asked == []


async def test_an_ipv6_address(around: Around) -> None:
    for scheme in SCHEMES:
        async with running(scheme, Proxy()) as proxy:
            await refusal(around, proxy.url, "tcp://[::1]:1")
            assert proxy.asked == ["::1:1"]


@every_proxy
async def test_a_login(around: Around, scheme: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with around.gateway("tcp") as url, running(scheme, Proxy(login=LOGIN)) as proxy:
        await around.echo(url, proxy.url, proxy_login=given(monkeypatch))
        (tmp_path / "login").write_text("ada:pass:hunter2\n")
        (tmp_path / "login").chmod(0o600)
        await around.echo(url, proxy.url, proxy_login=graftwire.ProxyLogin(file=tmp_path / "login"))
        assert set(proxy.logins) == {b"ada:pass:hunter2"}


@every_proxy
async def test_the_environment_has_no_say(
    around: Around, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with around.gateway("tcp") as url, running(scheme, Proxy()) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.upper(), proxy.url)
        async with graftwire.connect(url) as client:
            await client.call("Shop.echo", "here")
        assert proxy.asked == []


async def test_what_has_no_network_needs_no_proxy(around: Around, tmp_path: Path) -> None:
    for url in ("memory:no-network", f"unix:{tmp_path}/socket"):
        async with graftwire.serve({"Shop": Shop()}, url, auth=graftwire.Anonymous()):
            await around.echo(url, "http://localhost:1")


# --- what is said when nothing does ---------------------------------------------------------------------------------


@every_proxy
async def test_wrong_logins(around: Around, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(scheme, Proxy(login=LOGIN)) as proxy:
        told = await refusal(around, proxy.url)
        assert f"the proxy {proxy.url} wants a user name and a password" in told
        told = await refusal(around, proxy.url, proxy_login=given(monkeypatch, "ada:hunter2!"))
        assert f"the proxy {proxy.url} does not take this user name and password" in told
        assert "ada" not in told


async def test_logins_that_are_none(around: Around, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for text in ("hunter2", ":hunter2", "hunter2:", ""):
        with pytest.raises(graftwire.CredentialError) as caught:
            await around.echo("tcp://localhost:1", "http://localhost:1", proxy_login=given(monkeypatch, text))
        assert "hunter2" not in str(caught.value)
    with pytest.raises(graftwire.CredentialError, match="there is no such file"):
        graftwire.ProxyLogin(file=tmp_path / "none")()
    with pytest.raises(graftwire.SecurityError, match="name one"):
        graftwire.ProxyLogin()
    with pytest.raises(graftwire.SecurityError) as refused:
        graftwire.ProxyLogin.from_text("ada:hunter2")
    assert "hunter2" not in str(refused.value)
    options = graftwire.ConnectOptions(proxy="http://localhost:1", proxy_login=given(monkeypatch))
    assert "hunter2" not in repr(options)
    async with running("socks5", Proxy(login=LOGIN)) as proxy:
        login = given(monkeypatch, "ada:" + 256 * "x")
        assert "1 to 255 bytes" in await refusal(around, proxy.url, proxy_login=login)


@every_proxy
async def test_the_target_is_not_there(around: Around, scheme: str) -> None:
    async with running(scheme, Proxy()) as proxy:
        told = await refusal(around, proxy.url)
        assert f"the proxy {proxy.url}" in told
        assert "check" in told
        assert ":1" in told


@pytest.mark.parametrize("status", [*STATUS, 418])
async def test_each_status_has_a_sentence(around: Around, status: int) -> None:
    answer = f"HTTP/1.1 {status} hunter2\r\nContent-Length: 7\r\n\r\nhunter2".encode()
    async with running("http", Proxy(answer=answer, pieces=9)) as proxy:
        told = await refusal(around, proxy.url)
        assert f"({status})" in told
        assert "{" not in told


@pytest.mark.parametrize("reply", [*REPLIES, 99])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_each_reply_has_a_sentence(around: Around, scheme: str, reply: int) -> None:
    answer = b"\x05\x00" + bytes([5, reply, 0, 1]) + bytes(6)
    async with running(scheme, Proxy(answer=answer)) as proxy:
        told = await refusal(around, proxy.url)
        assert f"(SOCKS reply {reply})" in told
        assert "{" not in told


async def test_an_answer_in_between(around: Around) -> None:
    answer = b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 403 No\r\n\r\n"
    async with running("http", Proxy(answer=answer)) as proxy:
        assert "(403)" in await refusal(around, proxy.url)


@pytest.mark.parametrize(
    ("scheme", "answer", "told"),
    [
        ("http", b"SSH-2.0-hunter2\r\n", "does not speak HTTP/1.1"),
        ("http", b"HTTP/1.1 hunter2\r\n\r\n", "does not speak HTTP/1.1"),
        ("http", b"HTTP/1.1 200 OK\r\n" + b"x: hunter2\r\n" * 10_000, "does not speak HTTP/1.1"),
        ("http", b"HTTP/1.1 200 O", "closed the connection"),
        ("http", b"", "closed the connection"),
        ("socks5", b"HTTP/1.1 400 hunter2\r\n\r\n", "does not speak SOCKS5"),
        ("socks5", b"\x04\x00", "does not speak SOCKS5"),
        ("socks5", b"\x05\x01", "takes neither"),
        ("socks5", b"\x05\x02", "takes neither"),
        ("socks5", b"\x05", "closed the connection"),
        ("socks5", b"", "closed the connection"),
        ("socks5", b"\x05\x00\x04\x00\x00\x01", "does not speak SOCKS5"),
        ("socks5", b"\x05\x00\x05\x00\x00\x09", "does not speak SOCKS5"),
        ("socks5", b"\x05\x00\x05\x00\x00\x01\x00", "closed the connection"),
    ],
)
async def test_what_is_no_proxy(around: Around, scheme: str, answer: bytes, told: str) -> None:
    async with running(scheme, Proxy(answer=answer)) as proxy:
        sentence = await refusal(around, proxy.url)
        assert told in sentence
        assert proxy.url in sentence


async def test_an_answer_to_a_login_that_is_none(around: Around, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running("socks5", Proxy(answer=b"\x05\x02\x07\x00")) as proxy:
        told = await refusal(around, proxy.url, proxy_login=given(monkeypatch))
        assert "does not speak SOCKS5" in told


@every_proxy
async def test_a_proxy_that_hangs_is_bounded(around: Around, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
        start = trio.current_time()
        told = await refusal(around, url, connect_timeout=0.1)
        assert trio.current_time() - start < 2
        assert f"the proxy {url} did not connect to localhost:1 within 0.1 s" in told


@every_proxy
async def test_the_proxy_is_not_there(around: Around, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    url = f"{scheme}://127.0.0.1:{port}"
    told = await refusal(around, url)
    assert told.startswith(f"the proxy {url} can't be reached: nobody listens at 127.0.0.1:{port}")
    told = await refusal(around, f"{scheme}://proxy.invalid:1")
    assert "can't be reached: the host name proxy.invalid has no address" in told


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
async def test_a_host_that_no_proxy_takes(around: Around, scheme: str) -> None:
    async with running(scheme, Proxy()) as proxy:
        assert "has characters that" in await refusal(around, proxy.url, f"tcp://{60 * chr(0xFC)}:1")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://localhost:3128", "a proxy is named as"),
        ("tcp://localhost:3128", "a proxy is named as"),
        ("localhost:3128", "a proxy is named as"),
        ("http://localhost", "needs a port"),
        ("http://localhost:0", "a host and a port of its own"),
        ("socks5://*:1080", "a host and a port of its own"),
        ("http://localhost:3128/path", "ends after its port"),
        ("http://ada:hunter2@localhost:3128", "no place in a URL"),
        ("ada:hunter2@localhost:3128", "no place in a URL"),
        ("http://localhost:3128?hunter2", "no place in a URL"),
        ("", "begins with its transport, as in http://localhost:3128"),
    ],
)
def test_what_is_no_url_of_a_proxy(text: str, told: str) -> None:
    with pytest.raises(UrlError, match=told) as caught:
        graftwire.ConnectOptions(proxy=text)
    assert "hunter2" not in str(caught.value)


def test_the_url_of_a_proxy_has_one_form() -> None:
    assert parse_proxy("HTTP://Proxy.Example:3128/").text == "http://proxy.example:3128"
    assert parse_proxy("socks5://[::1]:1080").text == "socks5://[::1]:1080"


# --- the command line -----------------------------------------------------------------------------------------------


async def command(*arguments: str, **env: str) -> tuple[int, str, str]:
    done = await trio.run_process(
        [sys.executable, "-m", "graftwire.cli", "call", *arguments],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env={**os.environ, **env},
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def test_graftwire_call_goes_through_a_proxy(around: Around, tmp_path: Path) -> None:
    ca = str(tmp_path / "ca")
    async with around.gateway("tls") as url, running("http", Proxy(login=LOGIN)) as proxy:
        made = (url, "Shop.echo", '"hello"', "--ca", ca, "--proxy", proxy.url)
        named = ("--proxy-login", "env:PROXY_LOGIN")
        assert await command(*made, *named, PROXY_LOGIN=":".join(LOGIN)) == (0, '"hello"\n', "")
        code, out, err = await command(*made)
        assert code != 0
        assert out == ""
        assert "wants a user name and a password" in err
        code, _, err = await command(*made, "--proxy-login", "ada:hunter2")
        assert code == 2
        assert "hunter2" not in err
        code, _, err = await command(*made[:-1], "http://ada:hunter2@localhost:1")
        assert code == 2
        assert err.startswith("graftwire: --proxy: ")
        assert "hunter2" not in err
        code, _, err = await command(*made[:-2], *named)
        assert code == 2
        assert "add --proxy" in err
