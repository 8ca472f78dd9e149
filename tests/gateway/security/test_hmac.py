"""The scheme hmac-sha256, against a claimant that is written here from the standard's text alone."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graftwire
from graftwire.gateway.security.errors import CredentialError, SecurityError
from graftwire.gateway.security.hmac import HmacAuthenticator, HmacCredential, proof_for
from graftwire.gateway.security.identity import Identity
from graftwire.gateway.security.plugins import Attempt, Challenge, Credential, Occasion, Refusal
from graftwire.gateway.security.roles import AnyIdentity
from graftwire.protocol.connection import Role
from graftwire.transport.facts import LinkFacts


class Stock:
    async def who(self) -> str:
        found = graftwire.current_identity()
        assert found is not None
        return found.subject


KEY = bytes(range(32))
OTHER = bytes(range(32, 64))
HELLOS = (b"hello of the initiator", b"hello of the acceptor")
FACTS = LinkFacts("memory", "here", "there")
AUDIENCE = "stock.example"


def b64(key: bytes) -> str:
    return base64.b64encode(key).decode()


def entry(key: bytes = KEY, id: str = "press-3", subject: str = "press-3") -> str:
    return f'[[key]]\nid = "{id}"\nsecret = "{b64(key)}"\nsubject = "{subject}"\nroles = ["machine"]\n'


def private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    text = f'audience = "{AUDIENCE}"\n\n{entry()}\n{entry(OTHER, "press-4", "press-4")}'
    return private(tmp_path / "keys.toml", text)


@pytest.fixture
def verifier(keys: Path) -> HmacAuthenticator:
    return HmacAuthenticator(keys)


# --- an independent claimant: RFC 2104 over hashlib, and the layout as the standard has it -------------------------


def mac(key: bytes, message: bytes) -> bytes:
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).digest()


def first(nonce: bytes, id: bytes = b"press-3") -> bytes:
    return bytes([len(id)]) + id + nonce


def second(
    nonce: bytes,
    challenge: bytes,
    *,
    key: bytes = KEY,
    id: bytes = b"press-3",
    role: bytes = b"initiator",
    audience: bytes = b"stock.example",
    hellos: tuple[bytes, bytes] = HELLOS,
    context: bytes = b"graftwire hmac-sha256 v1",
) -> bytes:
    parts = (context, role, audience, id, nonce, challenge, *hellos)
    return mac(key, b"".join(len(part).to_bytes(4, "big") + part for part in parts))


def attempt(proof: bytes, **values: Any) -> Attempt:
    given = {"claimant": Role.INITIATOR, "hellos": lambda: HELLOS, **values}
    return Attempt("hmac-sha256", proof, FACTS, **given)


async def exchange(
    verifier: HmacAuthenticator,
    answer: Callable[[bytes, bytes], bytes],
    id: bytes = b"press-3",
    **values: Any,
) -> Identity | Challenge | Refusal:
    """Both rounds; `answer` makes the second proof of nonce and challenge."""
    nonce = secrets.token_bytes(16)
    asked = await verifier.authenticate(attempt(first(nonce, id), **values))
    assert isinstance(asked, Challenge)
    assert len(asked.data) == 32
    proof = answer(nonce, asked.data)
    return await verifier.authenticate(attempt(proof, round=2, memory=asked.memory, **values))


# --- who is let in -------------------------------------------------------------------------------------------------


async def test_an_independent_claimant_is_let_in(verifier: HmacAuthenticator) -> None:
    assert await exchange(verifier, second) == Identity(
        "press-3",
        "hmac-sha256",
        "keys.toml",
        frozenset({"machine"}),
        claims={"key": "press-3", "mark": hashlib.sha256(KEY).hexdigest()[:16]},
    )


async def test_an_acceptor_can_prove_itself_too(verifier: HmacAuthenticator) -> None:
    found = await exchange(
        verifier, lambda nonce, challenge: second(nonce, challenge, role=b"acceptor"), claimant=Role.ACCEPTOR
    )
    assert isinstance(found, Identity)


def test_the_vector_of_the_standard() -> None:
    nonce, challenge = bytes(range(0x40, 0x50)), bytes(range(0x60, 0x80))
    hellos = (
        bytes.fromhex("83008101a6011a0040000002190400031a01000000041a00040000051a002000000619ea60"),
        bytes.fromhex("83008101a6011a000100000210031a00010000041a00010000051a00040000061903e8"),
    )
    proof = bytes.fromhex("5f41606a51d29897825dd21e873f17cad695a8b865c9aa3bed075b85a0a2e775")
    assert first(nonce).hex() == "0770726573732d33404142434445464748494a4b4c4d4e4f"
    assert second(nonce, challenge, hellos=hellos) == proof
    assert proof_for(KEY, Role.INITIATOR, AUDIENCE, b"press-3", nonce, challenge, hellos) == proof


@pytest.mark.parametrize("role", Role)
async def test_the_provider_makes_the_same_proof(
    tmp_path: Path, verifier: HmacAuthenticator, role: Role
) -> None:
    source = private(tmp_path / "secret", b64(KEY) + "\n")
    provider = HmacCredential("press-3", f"file:{source}", audience=AUDIENCE)
    made = await provider.credential(Occasion("tcp://x", FACTS, role, lambda: HELLOS))
    challenge = bytes(32)
    assert made.scheme == "hmac-sha256"
    assert made.proof[:8] == b"\x07press-3"
    nonce = made.proof[8:]
    assert len(nonce) == 16
    assert made.answer is not None
    wanted = second(nonce, challenge, role=role.name.lower().encode())
    assert await made.answer(challenge) == wanted
    for part in (KEY, b64(KEY).encode(), KEY.hex().encode()):
        assert part not in made.proof + wanted


async def carry(made: Credential, verifier: HmacAuthenticator) -> object:
    asked = await verifier.authenticate(attempt(made.proof))
    assert isinstance(asked, Challenge)
    assert made.answer is not None
    return await verifier.authenticate(attempt(await made.answer(asked.data), round=2, memory=asked.memory))


async def test_provider_and_authenticator_understand_each_other(
    tmp_path: Path, verifier: HmacAuthenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f'id = "press-4"\nsecret = "{b64(OTHER)}"\naudience = "{AUDIENCE}"\n'
    monkeypatch.setenv("PRESS", b64(KEY))
    occasion = Occasion("tcp://x", FACTS, Role.INITIATOR, lambda: HELLOS)
    for provider, subject in (
        (HmacCredential.from_text(str(private(tmp_path / "mine.toml", text))), "press-4"),
        (HmacCredential("press-3", "env:PRESS", audience=AUDIENCE), "press-3"),
    ):
        made = [await provider.credential(occasion) for _ in range(2)]
        assert made[0].proof != made[1].proof
        for one in made:
            found = await carry(one, verifier)
            assert isinstance(found, Identity)
            assert found.subject == subject


async def test_it_works_in_a_session(tmp_path: Path, verifier: HmacAuthenticator) -> None:
    """Both HELLOs are those of the session at both ends; a wrong audience ends it."""
    source = private(tmp_path / "secret", b64(KEY))
    async with graftwire.serve(
        {"Stock": Stock()}, "memory:hmac-session", auth=verifier, allow=AnyIdentity()
    ) as gateway:
        mine = HmacCredential("press-3", f"file:{source}", audience=AUDIENCE)
        async with graftwire.connect(gateway.urls[0], credential=mine) as client:
            assert await client.call("Stock.who") == "press-3"
        with pytest.raises(graftwire.Unauthenticated):
            other = HmacCredential("press-3", f"file:{source}", audience="other.example")
            async with graftwire.connect(gateway.urls[0], credential=other) as client:
                await client.call("Stock.who")


# --- who is refused ------------------------------------------------------------------------------------------------

WRONG: dict[str, dict[str, Any]] = {
    "another key": {"key": OTHER},
    "another key's id": {"id": b"press-4"},
    "reflected: made for the other role": {"role": b"acceptor"},
    "relayed: other HELLOs": {"hellos": (HELLOS[0], b"hello of another acceptor")},
    "relayed: HELLOs in the other order": {"hellos": HELLOS[::-1]},
    "for another audience": {"audience": b"other.example"},
    "of another context": {"context": b"graftwire hmac-sha256 v2"},
    "boundaries moved": {"audience": b"stock.exampl", "id": b"epress-3"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_a_proof_of_something_else_is_refused(
    verifier: HmacAuthenticator, wrong: dict[str, Any]
) -> None:
    found = await exchange(verifier, lambda nonce, challenge: second(nonce, challenge, **wrong))
    assert found == Refusal("the proof does not hold for the key of press-3 and the audience of this side")


async def test_a_replayed_exchange_is_refused(verifier: HmacAuthenticator) -> None:
    kept: list[bytes] = []

    def honest(nonce: bytes, challenge: bytes) -> bytes:
        kept[:] = [nonce, second(nonce, challenge)]
        return kept[1]

    assert isinstance(await exchange(verifier, honest), Identity)
    asked = await verifier.authenticate(attempt(first(kept[0])))
    assert isinstance(asked, Challenge)
    found = await verifier.authenticate(attempt(kept[1], round=2, memory=asked.memory))
    assert isinstance(found, Refusal)


async def test_a_reflected_challenge_gains_nothing(verifier: HmacAuthenticator, tmp_path: Path) -> None:
    """Who has no key lets the other side answer its own challenge, over the same session."""
    source = private(tmp_path / "secret", b64(KEY))
    victim = HmacCredential("press-3", f"file:{source}", audience=AUDIENCE)
    made = await victim.credential(Occasion("tcp://x", FACTS, Role.ACCEPTOR, lambda: HELLOS))
    assert made.answer is not None
    asked = await verifier.authenticate(attempt(made.proof))  # the nonce of the victim, sent back
    assert isinstance(asked, Challenge)
    answer = await made.answer(asked.data)
    assert isinstance(await verifier.authenticate(attempt(answer, round=2, memory=asked.memory)), Refusal)


async def test_challenges_are_fresh(verifier: HmacAuthenticator) -> None:
    seen: set[bytes] = set()
    for _ in range(8):
        asked = await verifier.authenticate(attempt(first(bytes(16))))
        assert isinstance(asked, Challenge)
        seen.add(asked.data)
    assert len(seen) == 8


async def test_an_unknown_key_id_is_asked_like_any_other(verifier: HmacAuthenticator) -> None:
    found = await exchange(
        verifier, lambda nonce, challenge: second(nonce, challenge, id=b"nobody"), b"nobody"
    )
    assert found == Refusal("there is no key of that id")


@pytest.mark.parametrize("length", [0, 1, 16, 31, 33, 8192])
async def test_a_proof_of_another_length_is_refused(verifier: HmacAuthenticator, length: int) -> None:
    found = await exchange(verifier, lambda nonce, challenge: (second(nonce, challenge) * 256)[:length])
    assert isinstance(found, Refusal)


@pytest.mark.parametrize(
    "proof",
    [
        b"",
        b"\x00" + bytes(16),
        b"\x07press-3" + bytes(15),
        b"\x07press-3" + bytes(17),
        bytes([65]) + b"a" * 65 + bytes(16),
        b"\x07press 3" + bytes(16),
        b"\x07press-\xff" + bytes(16),
    ],
)
async def test_a_first_proof_of_another_form_is_refused(verifier: HmacAuthenticator, proof: bytes) -> None:
    assert await verifier.authenticate(attempt(proof)) == Refusal(
        "the first proof is not a key id and a nonce"
    )


@pytest.mark.parametrize("length", [1, 64])
async def test_key_ids_of_every_length_are_read(verifier: HmacAuthenticator, length: int) -> None:
    assert isinstance(await verifier.authenticate(attempt(first(bytes(16), b"~" * length))), Challenge)


async def test_one_call_has_no_challenge(verifier: HmacAuthenticator) -> None:
    found = await verifier.authenticate(attempt(first(bytes(16)), single_call=True))
    assert isinstance(found, Refusal)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(garbage=st.binary(max_size=8192), second_round=st.booleans())
async def test_garbage_is_refused(verifier: HmacAuthenticator, garbage: bytes, second_round: bool) -> None:
    if second_round:
        found = await exchange(verifier, lambda nonce, challenge: garbage)
    else:
        found = await verifier.authenticate(attempt(garbage))
        if isinstance(found, Challenge):  # it happened to be well formed
            found = await verifier.authenticate(attempt(garbage, round=2, memory=found.memory))
    assert isinstance(found, Refusal)


# --- the files -----------------------------------------------------------------------------------------------------


async def test_the_keys_are_read_again(keys: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    verifier = HmacAuthenticator(keys, clock=lambda: now)
    private(keys, f'audience = "{AUDIENCE}"\n{entry(OTHER, "press-4", "press-4")}')
    assert isinstance(await exchange(verifier, second), Identity)  # it was looked at this very second
    now += 1
    assert await exchange(verifier, second) == Refusal("there is no key of that id")
    private(keys, "audience = ")
    now += 1
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            found = await exchange(verifier, lambda n, c: second(n, c, key=OTHER, id=b"press-4"), b"press-4")
            assert isinstance(found, Identity)
            now += 1
    [record] = caplog.records
    assert "what was read before stays in force" in record.getMessage()
    assert "line 1" in record.getMessage()
    os.unlink(keys)
    assert isinstance(
        await exchange(verifier, lambda n, c: second(n, c, key=OTHER, id=b"press-4"), b"press-4"), Identity
    )


async def test_the_audience_may_be_passed(tmp_path: Path) -> None:
    path = private(tmp_path / "keys.toml", entry())
    verifier = HmacAuthenticator(path, audience=AUDIENCE, issuer="the works")
    found = await exchange(verifier, second)
    assert isinstance(found, Identity)
    assert found.issuer == "the works"


SECRET = b64(KEY)
BAD_KEYS = [
    ("key = 1\naudience = 'a'", "{file}, line 1: key has to be one table or more; begin each with [[key]]"),
    (
        f"{entry()}",
        "{file}: the file has no audience; add it",
    ),
    (
        f'audience = "a"\nkees = 1\n{entry()}',
        "{file}, line 2: the file has an unknown key; there are: audience, key",
    ),
    (
        f'audience = "a"\n{entry()}\n{entry()}',
        "{file}, line 9: two keys have this id; give each its own",
    ),
    (
        f'audience = "a"\n[[key]]\nid = "a b"\nsecret = "{SECRET}"\nsubject = "s"',
        "{file}, line 3: id is no key id; take 1 to 64 characters out of ASCII, without spaces",
    ),
    (
        f'audience = "a"\n[[key]]\nid = "a"\nsecret = "{SECRET[:40]}"\nsubject = "s"',
        (
            "{file}, line 4: secret of [[key]] number 1 has to be base64 of at least 32 random bytes; make one with "
            "openssl rand -base64 32"
        ),
    ),
    (
        f'audience = "a"\n[[key]]\nid = "a"\nsecret = "{SECRET}"',
        "{file}, line 2: [[key]] number 1 has no subject; add it",
    ),
    (
        f'audience = "a"\n[[key]]\nid = "a"\nsecret = "{SECRET}"\nsubject = 3',
        "{file}, line 5: subject of [[key]] number 1 has to be a text of printable characters",
    ),
    (
        f'audience = "a"\n[[key]]\nid = "a"\nsecret = "{SECRET}"\nsubject = "s"\nroles = "r"',
        '{file}, line 6: roles of [[key]] number 1 has to be a list of texts, as in roles = ["clerk"]',
    ),
    (
        f'audience = "a"\n[[key]]\nid = "a"\nsecret = {SECRET}',
        "{file}, line 4: this is not TOML; correct it there or just above",
    ),
    (
        f'audience = "a"\n[[key]]\n{b64(OTHER).strip("=").replace("/", "-").replace("+", "-")} = 1\nid = "a"',
        "{file}, line 3: [[key]] number 1 has an unknown key; there are: id, secret, subject, roles",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), BAD_KEYS)
def test_a_file_of_keys_that_can_not_be_used(tmp_path: Path, text: str, sentence: str) -> None:
    path = private(tmp_path / "keys.toml", text)
    with pytest.raises(SecurityError) as caught:
        HmacAuthenticator.from_text(str(path))
    assert str(caught.value) == sentence.format(file=path)
    assert SECRET[:20] not in str(caught.value)


@pytest.mark.parametrize("text", ["a = " + "[" * 10_000, "a = " + "9" * 5_000])
def test_a_file_that_the_parser_does_not_get_through(tmp_path: Path, text: str) -> None:
    with pytest.raises(SecurityError, match="is not TOML"):
        HmacAuthenticator(private(tmp_path / "keys.toml", text))


async def test_an_identity_counts_as_long_as_its_key_stands_for_it(keys: Path) -> None:
    now = 0.0
    verifier = HmacAuthenticator(keys, clock=lambda: now)
    found = await exchange(verifier, second)
    assert isinstance(found, Identity)
    for text, reason in (
        (entry(OTHER), "the key has another secret now"),
        (entry(id="press-4"), "the key is gone"),
        (entry(subject="press-5"), "the key stands for something else now"),
        (entry().replace("machine", "boss"), "the key stands for something else now"),
        (entry(), None),
    ):
        private(keys, f'audience = "{AUDIENCE}"\n\n{text}')
        now += 1.0
        assert verifier.withdrawn(found) == reason


def test_two_audiences_are_one_too_many(keys: Path) -> None:
    with pytest.raises(SecurityError, match="the audience is not the one that was passed"):
        HmacAuthenticator(keys, audience="other.example")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_read_is_refused(keys: Path, mode: int) -> None:
    keys.chmod(mode)
    with pytest.raises(SecurityError) as caught:
        HmacAuthenticator(keys)
    assert str(caught.value) == (
        f"the file of keys {keys} holds secrets and other users have access to it; run chmod 600 {keys}, and replace "
        "the secrets if somebody may have read them"
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SecurityError, match=r"keys can't be read: there is no such file; check the path$"):
        HmacAuthenticator(tmp_path / "keys")
    with pytest.raises(SecurityError, match=r"can't be read: it is a folder; name the file in it$"):
        HmacAuthenticator(tmp_path)


@pytest.mark.parametrize(
    ("key_id", "source", "sentence"),
    [
        ("a", SECRET, "the secret of hmac has to be named as file:PATH or env:NAME"),
        ("a", "env:", "the secret of hmac has to be named as file:PATH or env:NAME"),
        (
            "a",
            "env:NO_SUCH",
            "the environment has no variable NO_SUCH; set it to the secret of hmac, in base64",
        ),
        (
            "a",
            "env:SHORT",
            (
                "the secret of hmac in env:SHORT has to be base64 of at least 32 random bytes; make one with "
                "openssl rand -base64 32"
            ),
        ),
        ("", "env:GOOD", "key_id is no key id; take 1 to 64 characters out of ASCII, without spaces"),
    ],
)
def test_a_secret_that_can_not_be_used(
    monkeypatch: pytest.MonkeyPatch, key_id: str, source: str, sentence: str
) -> None:
    monkeypatch.setenv("SHORT", "c2VjcmV0")
    monkeypatch.setenv("GOOD", SECRET)
    with pytest.raises(SecurityError) as caught:
        HmacCredential(key_id, source, audience="a")
    assert str(caught.value) == sentence


async def test_the_provider_says_what_it_can_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESS", SECRET)
    provider = HmacCredential("press-3", "env:PRESS", audience=AUDIENCE)
    occasion = Occasion("tcp://x", FACTS, Role.INITIATOR, lambda: HELLOS)
    with pytest.raises(CredentialError, match=r"use it for the session$"):
        await provider.credential(replace(occasion, target="Stock.pieces"))
    made = await provider.credential(occasion)
    assert made.answer is not None
    with pytest.raises(CredentialError, match=r"is not one of hmac-sha256$"):
        await made.answer(bytes(31))
    del os.environ["PRESS"]
    with pytest.raises(CredentialError, match="has no variable PRESS"):
        await provider.credential(occasion)


def test_nothing_shows_a_secret(verifier: HmacAuthenticator, keys: Path) -> None:
    shown = repr(verifier) + repr(vars(verifier)) + repr(verifier._keys.value())
    assert repr(KEY) not in shown
    assert KEY.hex() not in shown
    assert SECRET not in shown
