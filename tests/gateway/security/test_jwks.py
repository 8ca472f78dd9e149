"""Where the keys of an issuer come from: files that change, and addresses that may answer anything."""

from __future__ import annotations

import json
import logging
import os
import ssl
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from graftwire.gateway.security.errors import SecurityError
from graftwire.gateway.security.identity import Identity
from graftwire.gateway.security.jose import LARGEST_TOKEN, read_token
from graftwire.gateway.security.jwks import LARGEST_SET, JwksFile, JwksUrl, KeySource
from graftwire.gateway.security.jwt import JwtAuthenticator
from graftwire.protocol.limits import LARGEST_PROOF
from graftwire.transport.contexts import client_context

from .conftest import Clock, Publisher, attempt
from .signing import CLAIMS, NOW, Signer

ONE = Signer("ES256", "one")
TWO = Signer("ES256", "two")
UNUSABLE = (
    "has no key that can be used: RSA of 2048 to 8192 bits, EC on P-256, P-384 or P-521, or Ed25519, and none that is "
    "for another use than signatures; ask the issuer"
)
NO_SET = 'is no JWK Set, a JSON object with an array "keys"; check that it is what the issuer publishes'
PRIVATE = "has the private half of a key; take the public half alone, and make a new key"


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "graftwire.gateway")
    return caplog


def key_set(*jwks: Any) -> bytes:
    return json.dumps({"keys": list(jwks)}).encode()


def replace(path: Path, content: bytes) -> None:
    path.with_suffix(".new").write_bytes(content)
    os.replace(path.with_suffix(".new"), path)


def judging(keys: KeySource) -> JwtAuthenticator:
    return JwtAuthenticator(
        keys, issuer=CLAIMS["iss"], audience="shop", algorithms=["ES256"], clock=lambda: NOW
    )


async def known(judge: JwtAuthenticator, signer: Signer) -> bool:
    return isinstance(await judge.authenticate(attempt("bearer", signer.token())), Identity)


def test_a_token_may_be_as_long_as_a_proof() -> None:
    assert LARGEST_TOKEN == LARGEST_PROOF
    longest = ONE.token(more="x" * 5_800)
    assert 8_000 < len(longest) <= LARGEST_TOKEN
    assert read_token(longest).algorithm == "ES256"


# --- key sets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", NO_SET),
        (b"\xff", NO_SET),
        (b"[]", NO_SET),
        (b"{}", NO_SET),
        (b'{"keys": {}}', NO_SET),
        (b'{"keys": [], "keys": []}', NO_SET),
        (b"[" * 100_000, NO_SET),
        (ONE.public_pem(), NO_SET),
        (key_set(), UNUSABLE),
        (key_set(1, "x", None, [], {}), UNUSABLE),
        (key_set({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}), UNUSABLE),
        (key_set({"kty": ["EC"], "crv": {}}), UNUSABLE),
        (key_set(ONE.jwk(use="enc")), UNUSABLE),
        (key_set(ONE.jwk(key_ops=["encrypt"])), UNUSABLE),
        (key_set(ONE.jwk(key_ops="verify")), UNUSABLE),
        (key_set(ONE.jwk(alg="ES384")), UNUSABLE),
        (key_set(ONE.jwk(alg="HS256")), UNUSABLE),
        (key_set(ONE.jwk(alg="none")), UNUSABLE),
        (key_set(ONE.jwk(kid=7)), UNUSABLE),
        (key_set(ONE.jwk(crv="secp256k1")), UNUSABLE),
        (key_set(ONE.jwk(x="AAAA")), UNUSABLE),
        (key_set(ONE.jwk(x=None)), UNUSABLE),
        (key_set(ONE.jwk(x=5)), UNUSABLE),
        (key_set(Signer("RS256", bits=1024).jwk()), UNUSABLE),
        (key_set(ONE.private_jwk()), PRIVATE),
        (key_set(*[ONE.jwk()] * 101), "has more than 100 keys; check that it is the right one"),
    ],
)
def test_a_key_set_that_is_of_no_use(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    with pytest.raises(SecurityError) as raised:
        JwksFile(path)
    assert str(raised.value) == f"the key set {path} {sentence}"


async def test_what_is_of_no_use_in_a_key_set_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set({"kty": "new"}, ONE.jwk(use="enc", kid="two"), ONE.jwk(), TWO.jwk(alg="x")))
    assert [key.kid for key in await JwksFile(path).keys()] == ["one"]


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "long", "odd", "open"])
def test_a_file_that_can_not_be_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "keys.json"
    sentence = f"the key set {path} "
    match kind:
        case "missing":
            sentence += "can't be read: there is no such file; check the path"
        case "folder":
            path.mkdir()
            sentence += "can't be read: it is a folder; name the file in it"
        case "pipe":
            os.mkfifo(path)
            sentence += "is no regular file; name one"
        case "long":
            path.write_bytes(b" " * (LARGEST_SET + 1))
            sentence += "is longer than 262144 bytes; check that it is the right file"
        case "open":  # whoever can write to it can put in keys of his own, and be anybody
            path.write_bytes(key_set(ONE.jwk()))
            path.chmod(0o664)
            sentence += (
                f"can be written by others than its owner; run chmod go-w {path}, and check what it holds"
            )
        case _:
            path = Path("a\0b")
            sentence = "the path of the key set has a character that no path has; check it"
    with pytest.raises(SecurityError) as raised:
        JwksFile(path)
    assert str(raised.value) == sentence


# --- a file ---------------------------------------------------------------------------------------------------------


async def test_a_file_is_read_again_when_it_changes(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(ONE.jwk()))
    clock = Clock()
    judge = judging(JwksFile(path, clock=clock))
    assert await known(judge, ONE)
    replace(path, key_set(TWO.jwk()))
    assert await known(judge, ONE)  # it is not looked at so soon
    clock.now += 1
    assert (await known(judge, ONE), await known(judge, TWO)) == (False, True)
    assert [record.getMessage() for record in log.records] == [f"the key set {path} was read again"]


async def test_a_file_that_broke_leaves_the_old_keys_and_is_told_once(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(ONE.jwk()))
    judge = judging(JwksFile(path, pause=0))
    replace(path, b"hunter2")
    for _ in range(3):
        assert await known(judge, ONE)
    path.unlink()
    for _ in range(3):
        assert await known(judge, ONE)
    replace(path, key_set(TWO.jwk()))
    assert await known(judge, TWO)
    stays = "a changed file was not taken over, what was read before stays in force: the key set"
    assert [record.getMessage() for record in log.records] == [
        f"{stays} {path} {NO_SET}",
        f"{stays} {path} can't be read: there is no such file; check the path",
        f"the key set {path} was read again",
    ]


# --- an address -----------------------------------------------------------------------------------------------------


async def test_keys_are_fetched_when_they_are_needed_and_kept(
    publisher: Publisher, trusting: ssl.SSLContext
) -> None:
    publisher.body = key_set(ONE.jwk())
    judge = judging(JwksUrl(publisher.url, tls=trusting, clock=Clock()))
    assert publisher.requests == []
    for _ in range(3):
        assert await known(judge, ONE)
    [(path, headers)] = publisher.requests
    assert path == "/keys"
    assert set(headers) == {"Host", "Accept", "Accept-Encoding", "Connection"}


async def test_many_at_once_fetch_once(publisher: Publisher, trusting: ssl.SSLContext) -> None:
    publisher.body = key_set(ONE.jwk())
    judge = judging(JwksUrl(publisher.url, tls=trusting))
    found: list[bool] = []

    async def one() -> None:
        found.append(await known(judge, ONE))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(one)
    assert found == [True] * 20
    assert len(publisher.requests) == 1


async def test_rotation_and_no_hammering(publisher: Publisher, trusting: ssl.SSLContext) -> None:
    """A token that names an unknown key has the keys fetched anew, and a flood of them does not."""
    clock = Clock()
    publisher.body = key_set(ONE.jwk())
    judge = judging(JwksUrl(publisher.url, tls=trusting, clock=clock, pause=30))
    assert await known(judge, ONE)
    publisher.body = key_set(ONE.jwk(), TWO.jwk())
    for _ in range(50):
        assert not await known(judge, TWO)
    assert len(publisher.requests) == 1
    clock.now += 30
    assert await known(judge, TWO)
    for number in range(50):
        assert not await known(judge, Signer("ES256", f"{number}"))
    assert len(publisher.requests) == 2
    clock.now += 30
    for number in range(50):
        assert not await known(judge, Signer("ES256", f"{number}"))
    assert len(publisher.requests) == 3


async def test_keys_that_were_withdrawn_go_with_the_cache(
    publisher: Publisher, trusting: ssl.SSLContext
) -> None:
    clock = Clock()
    publisher.body = key_set(ONE.jwk(), TWO.jwk())
    judge = judging(JwksUrl(publisher.url, tls=trusting, clock=clock, lifetime=300))
    assert await known(judge, ONE)
    publisher.body = key_set(TWO.jwk())
    clock.now += 299
    assert await known(judge, ONE)
    clock.now += 1
    assert (await known(judge, ONE), await known(judge, TWO)) == (False, True)


async def test_an_issuer_that_is_down_does_not_stop_what_works(
    publisher: Publisher, trusting: ssl.SSLContext, log: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    publisher.body = key_set(ONE.jwk())
    judge = judging(JwksUrl(publisher.url, tls=trusting, clock=clock, lifetime=300, longest=1_000))
    assert await known(judge, ONE)
    publisher.status = 503
    for _ in range(3):
        clock.now += 300
        assert await known(judge, ONE)
    assert len(publisher.requests) == 4
    clock.now += 100  # older than the longest
    assert not await known(judge, ONE)
    assert [record.getMessage() for record in log.records] == [
        f"the key set at {publisher.url} can't be fetched: it answers with HTTP status 503; check the address"
    ]
    publisher.status = 200
    clock.now += 30
    assert await known(judge, ONE)
    publisher.status = 500
    clock.now += 300
    assert await known(judge, ONE)
    assert len(log.records) == 2


async def test_others_do_not_wait_while_stale_keys_are_fetched(
    publisher: Publisher, trusting: ssl.SSLContext
) -> None:
    clock = Clock()
    publisher.body = key_set(ONE.jwk())
    judge = judging(JwksUrl(publisher.url, tls=trusting, clock=clock, seconds=60))
    assert await known(judge, ONE)
    publisher.gate.clear()
    clock.now += 300
    async with trio.open_nursery() as nursery:
        nursery.start_soon(known, judge, ONE)
        while len(publisher.requests) < 2:
            await trio.sleep(0.001)
        assert await known(judge, ONE)
        publisher.gate.set()


async def test_who_goes_away_does_not_take_the_fetch_along(
    publisher: Publisher, trusting: ssl.SSLContext
) -> None:
    """Or else a stranger could keep keys from being changed: ask for one that there is not, and go, again and again."""
    clock = Clock()
    publisher.body = key_set(ONE.jwk())
    judge = judging(JwksUrl(publisher.url, tls=trusting, clock=clock))
    assert await known(judge, ONE)
    publisher.body = key_set(TWO.jwk())
    clock.now += 30
    publisher.gate.clear()
    with trio.CancelScope() as stranger:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(known, judge, Signer("ES256", "of nobody"))
            while len(publisher.requests) < 2:
                await trio.sleep(0.001)
            stranger.cancel()
            publisher.gate.set()
    assert (await known(judge, TWO), await known(judge, ONE)) == (True, False)
    assert len(publisher.requests) == 2


async def test_a_fetch_that_nobody_waits_for_has_its_time(
    publisher: Publisher, trusting: ssl.SSLContext
) -> None:
    """It counts, too: the next one does not begin again at once."""
    publisher.gate.clear()
    clock = Clock()
    keys = JwksUrl(publisher.url, tls=trusting, clock=clock, seconds=0.2)
    with trio.fail_after(5), trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keys.keys)
            while not publisher.requests:
                await trio.sleep(0.001)
            scope.cancel()
    assert await keys.keys() == ()
    assert len(publisher.requests) == 1
    publisher.gate.set()
    publisher.body = key_set(ONE.jwk())
    clock.now += 30
    assert len(await keys.keys()) == 1


async def trouble(keys: JwksUrl) -> str:
    with pytest.raises(SecurityError) as raised:
        await keys.check()
    return str(raised.value)


async def test_what_may_come_as_an_answer(publisher: Publisher, trusting: ssl.SSLContext) -> None:
    keys = JwksUrl(publisher.url, tls=trusting)
    where = f"the key set at {publisher.url}"
    for content, sentence in (
        (b"<html>", NO_SET),
        (key_set(), UNUSABLE),
        (key_set(ONE.private_jwk()), PRIVATE),
    ):
        publisher.body = content
        assert await trouble(keys) == f"{where} {sentence}"
    publisher.body = b" " * (LARGEST_SET + 1)
    assert await trouble(keys) == (
        f"{where} can't be fetched: the answer is longer than 262144 bytes; check the address"
    )
    publisher.headers = {"X-Long": "x" * 40_000}
    assert (
        await trouble(keys) == f"{where} can't be fetched: what answers there is no HTTP; check the address"
    )
    publisher.headers = {}
    publisher.body = key_set(ONE.jwk())
    await keys.check()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(
    publisher: Publisher, plain_publisher: Publisher, trusting: ssl.SSLContext, status: int
) -> None:
    plain_publisher.body = key_set(ONE.jwk())
    publisher.status = status
    publisher.headers = {"Location": plain_publisher.url}
    assert await trouble(JwksUrl(publisher.url, tls=trusting)) == (
        f"the key set at {publisher.url} can't be fetched: it answers with a redirect, which is not followed; write "
        "where that leads"
    )
    assert plain_publisher.requests == []


async def test_an_answer_that_does_not_come(publisher: Publisher, trusting: ssl.SSLContext) -> None:
    publisher.gate.clear()
    assert await trouble(JwksUrl(publisher.url, tls=trusting, seconds=0.1)) == (
        f"the key set at {publisher.url} can't be fetched: there was no whole answer within 0.1 seconds"
    )


async def test_nobody_answers(trusting: ssl.SSLContext) -> None:
    with trio.socket.socket() as held:
        await held.bind(("127.0.0.1", 0))  # and does not listen
        url = f"https://127.0.0.1:{held.getsockname()[1]}/keys"
        assert await trouble(JwksUrl(url, tls=trusting)) == (
            f"the key set at {url} can't be fetched: nobody answers there; check the address, and the network"
        )


async def test_who_answers_is_checked(publisher: Publisher, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(stranger)
    for tls in (None, client_context(ca=stranger)):
        told = await trouble(JwksUrl(publisher.url, tls=tls))
        assert told.startswith(f"the key set at {publisher.url} can't be fetched: the certificate of ")
    assert publisher.requests == []
    careless = ssl.create_default_context()
    careless.check_hostname = False
    with pytest.raises(SecurityError) as raised:
        JwksUrl(publisher.url, tls=careless)
    assert str(raised.value) == (
        "the TLS context for the key set does not check who answers; pass one of graftwire.client_context(ca=…)"
    )


async def test_no_proxy_of_the_environment_is_asked(
    publisher: Publisher,
    plain_publisher: Publisher,
    trusting: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, plain_publisher.url)
    publisher.body = key_set(ONE.jwk())
    await JwksUrl(publisher.url, tls=trusting).check()
    assert plain_publisher.requests == []


async def test_without_tls_only_on_this_machine_and_where_that_was_said(plain_publisher: Publisher) -> None:
    plain_publisher.body = key_set(ONE.jwk())
    assert await known(judging(JwksUrl(plain_publisher.url, plain_loopback=True)), ONE)
    for url, allowed in (
        (plain_publisher.url, False),
        ("http://issuer.example/", True),
        ("http://192.0.2.1/", True),
        ("http://127.0.0.1.issuer.example/", True),
        ("ftp://127.0.0.1/", True),
    ):
        with pytest.raises(SecurityError) as raised:
            JwksUrl(url, plain_loopback=allowed)
        assert str(raised.value) == (
            "the URL of the key set has to begin with https://; without TLS, whoever is in between could put in keys "
            "of his own"
        )


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https:///keys",
        "https://[::1/keys",
        "https://a:b/keys",
        "https://a/k\r\nX: y",
        "https://a/ b",
        "https://a b/",
        "https://a/#hunter2",
        "https://é.example/",
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(SecurityError) as raised:
        JwksUrl(url)
    assert str(raised.value) == "the URL of the key set is none; write it as in https://issuer.example/jwks"


def test_times_in_disorder() -> None:
    for more in ({"pause": 0.0}, {"pause": 400.0}, {"longest": 1.0}, {"seconds": 0.0}):
        with pytest.raises(SecurityError) as raised:
            JwksUrl("https://issuer.example/", **more)
        assert str(raised.value) == (
            "the times of a key set by URL are in order when 0 < pause <= lifetime <= longest and 0 < seconds"
        )


async def test_settings_with_an_address(publisher: Publisher, authority: trustme.CA, tmp_path: Path) -> None:
    publisher.body = key_set(ONE.jwk())
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    lines = {"issuer": "i", "audience": "a", "jwks": publisher.url, "jwks-ca": "ca.pem"}
    text = "".join(f'{name} = "{value}"\n' for name, value in lines.items()) + 'algorithms = ["ES256"]\n'
    (tmp_path / "tokens.toml").write_text(text)
    await JwtAuthenticator.from_text(str(tmp_path / "tokens.toml")).start()
    (tmp_path / "ca.pem").unlink()
    with pytest.raises(SecurityError, match=r"^the token settings .*tokens.toml: .*ca.pem.*no such file"):
        JwtAuthenticator.from_text(str(tmp_path / "tokens.toml"))
