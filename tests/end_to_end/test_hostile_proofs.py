"""Proofs that are no good, against every scheme, through a whole gateway: refused, and written down once.

No body is decoded, and nothing of the user's runs, whichever way the proof comes: in AUTH or on a single call.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import graftwire
from graftwire.gateway import host as host_module
from graftwire.gateway.security.hmac import proof_for
from graftwire.gateway.security.key_file import add, new_key, revoke
from graftwire.protocol import values
from graftwire.protocol.connection import Role
from graftwire.security import ApiKeys, HmacAuthenticator, JwksFile, JwtAuthenticator, MutualTls
from tests.gateway.plugins import Keep
from tests.gateway.security.signing import Signer, compact, hs256

CONTENT: dict[str, Any] = {"iss": "https://issuer.example", "aud": "shop", "sub": "anna"}
KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


class Vault:
    """What is hosted: it counts what runs."""

    def __init__(self) -> None:
        self.ran = 0

    async def open(self, name: str) -> str:
        self.ran += 1
        return name


@dataclass
class Claimant(graftwire.CredentialProvider):
    """Sends what it is told to, and answers a challenge as it is told to."""

    scheme: str
    proof: bytes
    reply: Callable[[bytes, tuple[bytes, bytes]], bytes] | None = None

    async def credential(self, occasion: graftwire.Occasion) -> graftwire.Credential:
        answer: Callable[[bytes], Awaitable[bytes]] | None = None
        if self.reply is not None:
            reply = self.reply

            async def answer(challenge: bytes) -> bytes:
                return reply(challenge, occasion.hellos())

        return graftwire.Credential(self.scheme, self.proof, answer)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies of calls that were decoded; they still are."""
    bodies: list[bytes] = []
    decode = values.decode_arguments

    def counting(body: bytes, **options: Any) -> Any:
        bodies.append(body)
        return decode(body, **options)

    monkeypatch.setattr(host_module.values, "decode_arguments", counting)
    return bodies


class Place:
    """A gateway with every authenticator that needs no certificate, and good and bad proofs for it."""

    def __init__(self, folder: Path) -> None:
        self.signer, self.stranger = Signer("ES256"), Signer("ES256")
        jwks = folder / "jwks.json"
        jwks.write_text(json.dumps({"keys": [self.signer.jwk()]}))
        self.public = json.dumps(self.signer.jwk()).encode()
        keys = folder / "keys.json"
        self.api_key, self.gone, self.old = (self._key(keys, days) for days in (1, 1, -1))
        revoke(keys, self.gone[3:15].decode(), datetime.now(UTC))
        secrets = folder / "hmac.toml"
        secrets.touch(mode=0o600)
        secret = base64.b64encode(KEY).decode()
        secrets.write_text(f'[[key]]\nid = "one"\nsecret = "{secret}"\nsubject = "anna"\n')
        self.authenticators: list[graftwire.Authenticator] = [
            JwtAuthenticator(
                JwksFile(jwks), issuer="https://issuer.example", audience="shop", algorithms=["ES256"]
            ),
            ApiKeys(keys),
            HmacAuthenticator(secrets, audience="vault"),
            MutualTls("san-uri"),
        ]
        self.vault, self.sink = Vault(), Keep()

    @staticmethod
    def _key(path: Path, days: int) -> bytes:
        now = datetime.now(UTC)
        key, entry = new_key("anna", (), now - timedelta(days=2), now + timedelta(days=days))
        add(path, entry)
        return key.encode()

    def token(self, signer: Signer | None = None, **changes: Any) -> bytes:
        content = {"exp": time.time() + 600, **CONTENT, **changes}
        return (signer or self.signer).token(payload=content)

    @asynccontextmanager
    async def gateway(self) -> AsyncGenerator[graftwire.Gateway]:
        auth: list[Any] = [graftwire.Anonymous(), *self.authenticators]
        async with graftwire.serve(
            {"Vault": self.vault},
            "tcp://127.0.0.1:0",
            auth=auth,
            allow=graftwire.AnyIdentity(),
            audit=self.sink,
            plain_proofs=True,
        ) as running:
            yield running


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def nonce_and_id(name: bytes = b"one") -> bytes:
    return bytes([len(name)]) + name + bytes(range(16))


def signed(
    key: bytes,
    *,
    audience: str = "vault",
    role: Role = Role.INITIATOR,
    hellos: tuple[bytes, bytes] | None = None,
) -> Callable[[bytes, tuple[bytes, bytes]], bytes]:
    def reply(challenge: bytes, real: tuple[bytes, bytes]) -> bytes:
        return proof_for(
            key,
            role=role,
            audience=audience,
            key_id=b"one",
            nonce=bytes(range(16)),
            challenge=challenge,
            hellos=hellos or real,
        )

    return reply


NONE = compact({"alg": "none"}, {**CONTENT, "exp": 4_000_000_000}, b"")

HOSTILE: dict[str, Callable[[Place], tuple[str, bytes]]] = {
    "a scheme that nobody judges": lambda place: ("kerberos", b"ticket"),
    "8 KiB of garbage as a token": lambda place: ("bearer", b"\xff" * 8_192),
    "8 KiB of dots as a token": lambda place: ("bearer", b"." * 8_192),
    "nothing as a token": lambda place: ("bearer", b""),
    "a token that has expired": lambda place: ("bearer", place.token(exp=time.time() - 3_600)),
    "a token for another audience": lambda place: ("bearer", place.token(aud="another shop")),
    "a token of another issuer": lambda place: ("bearer", place.token(iss="https://elsewhere.example")),
    "a token that another key has signed": lambda place: ("bearer", place.token(place.stranger)),
    "a token without a signature": lambda place: ("bearer", NONE),
    "a token signed with the public key as a secret": lambda place: (
        "bearer",
        hs256(place.public, {"alg": "HS256", "kid": "one"}, {**CONTENT, "exp": 4_000_000_000}),
    ),
    "a token in the scheme of API keys": lambda place: ("api-key", place.token()),
    "8 KiB of garbage as an API key": lambda place: ("api-key", b"gw_" + b"a" * 8_189),
    "an API key with another secret": lambda place: ("api-key", place.api_key[:-4] + b"AAAA"),
    "an API key that was revoked": lambda place: ("api-key", place.gone),
    "an API key that has expired": lambda place: ("api-key", place.old),
    "an API key as a token": lambda place: ("bearer", place.api_key),
    "a certificate that is not there": lambda place: ("mtls", b""),
    "a certificate with something beside it": lambda place: ("mtls", b"anna"),
    "8 KiB of garbage for HMAC": lambda place: ("hmac-sha256", b"\xff" * 8_192),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_proof_is_refused_and_written_down_once(
    what: str, place: Place, decoded: list[bytes]
) -> None:
    scheme, proof = HOSTILE[what](place)
    async with place.gateway() as gateway:
        url = gateway.urls[0]
        with pytest.raises(graftwire.Unauthenticated):
            async with graftwire.connect(url, credential=Claimant(scheme, proof), plain_proofs=True):
                raise AssertionError
        async with graftwire.connect(url, plain_proofs=True) as client:
            with pytest.raises(graftwire.Unauthenticated):
                await client.using(credential=Claimant(scheme, proof)).call("Vault.open", "it")
        assert [(record.event, record.decision) for record in place.sink.records] == [
            ("authentication", "refused"),
            ("call", "refused"),
        ]
        assert (decoded, place.vault.ran) == ([], 0)
        for record in place.sink.records:
            assert record.identity is None
            assert len(record.reason) < 200


REPLIES: dict[str, Callable[[bytes, tuple[bytes, bytes]], bytes]] = {
    "another key": signed(OTHER),
    "another audience": signed(KEY, audience="elsewhere"),
    "a proof of the other role, sent back": signed(KEY, role=Role.ACCEPTOR),
    "a proof from another session": signed(KEY, hellos=(b"another", b"session")),
    "nothing": lambda challenge, hellos: b"",
    "the challenge itself": lambda challenge, hellos: challenge,
    "8 KiB of garbage": lambda challenge, hellos: b"\xff" * 8_192,
}


@pytest.mark.parametrize("what", REPLIES)
async def test_a_hostile_answer_to_a_challenge(what: str, place: Place, decoded: list[bytes]) -> None:
    claimant = Claimant("hmac-sha256", nonce_and_id(), REPLIES[what])
    async with place.gateway() as gateway:
        with pytest.raises(graftwire.Unauthenticated):
            async with graftwire.connect(gateway.urls[0], credential=claimant, plain_proofs=True):
                raise AssertionError
        assert [(record.event, record.decision) for record in place.sink.records] == [
            ("authentication", "refused")
        ]
        assert (decoded, place.vault.ran) == ([], 0)


async def test_a_proof_that_was_heard_before_is_no_proof(place: Place, decoded: list[bytes]) -> None:
    """Whoever has listened to a session in full sends its frames again: the challenge is another one."""
    heard: list[bytes] = []
    good = signed(KEY)

    def remember(challenge: bytes, hellos: tuple[bytes, bytes]) -> bytes:
        heard.append(good(challenge, hellos))
        return heard[0]

    async with place.gateway() as gateway:
        url = gateway.urls[0]
        claimant = Claimant("hmac-sha256", nonce_and_id(), remember)
        async with graftwire.connect(url, credential=claimant, plain_proofs=True) as client:
            assert await client.call("Vault.open", "it") == "it"
        decoded.clear()
        with pytest.raises(graftwire.Unauthenticated):
            async with graftwire.connect(url, credential=claimant, plain_proofs=True):
                raise AssertionError
        assert place.sink.records[-1].decision == "refused"
        assert (decoded, place.vault.ran) == ([], 1)


async def test_the_good_ones_are_let_in(place: Place) -> None:
    """What the tests above refuse is refused for what is wrong with it."""
    good = [
        Claimant("bearer", place.token()),
        Claimant("api-key", place.api_key),
        Claimant("hmac-sha256", nonce_and_id(), signed(KEY)),
    ]
    async with place.gateway() as gateway:
        for claimant in good:
            async with graftwire.connect(gateway.urls[0], credential=claimant, plain_proofs=True) as client:
                assert await client.call("Vault.open", "it") == "it"
    assert place.vault.ran == 3
