"""Bearer tokens: what holds, and everything that has to be refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st

from graftwire.gateway.security.errors import SecurityError
from graftwire.gateway.security.identity import Identity
from graftwire.gateway.security.jwt import JwksFile, JwtAuthenticator
from graftwire.gateway.security.plugins import Challenge, Refusal

from .conftest import Clock, attempt
from .signing import CLAIMS, NOW, Signer, compact, hs256

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
SECRET = b"a secret of thirty-two bytes or so"
ES = Signer("ES256")
RSA = Signer("RS256", "rsa")


def key_set(folder: Path, *jwks: Any) -> Path:
    path = folder / "keys.json"
    path.write_text(json.dumps({"keys": list(jwks)}))
    return path


def authenticator(folder: Path, *jwks: Any, **more: Any) -> JwtAuthenticator:
    """One that trusts these keys (ES, if none is named)."""
    settings: dict[str, Any] = {
        "issuer": "https://issuer.example",
        "audience": "shop",
        "algorithms": ["ES256"],
        "clock": lambda: NOW,
    }
    return JwtAuthenticator(JwksFile(key_set(folder, *(jwks or (ES.jwk(),)))), **settings | more)


async def judged(judge: JwtAuthenticator, proof: bytes) -> Identity | str:
    """Who it is, or the reason why not."""
    answer: Identity | Challenge | Refusal = await judge.authenticate(attempt("bearer", proof))
    if isinstance(answer, Refusal):
        assert answer.reason
        return answer.reason
    assert isinstance(answer, Identity)
    return answer


# --- what holds -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_token_of_each_algorithm(tmp_path: Path, algorithm: str) -> None:
    signer = Signer(algorithm)
    judge = authenticator(tmp_path, signer.jwk(), algorithms=[algorithm])
    assert await judged(judge, signer.token()) == Identity(
        "anna",
        "bearer",
        issuer="https://issuer.example",
        roles=frozenset({"clerk", "reader"}),
        expires=datetime.fromtimestamp(NOW + 630, UTC),
        claims=CLAIMS,
    )
    # the same signature over something else
    head, _, signature = signer.token().split(b".")
    _, other, _ = signer.token(sub="root").split(b".")
    assert (
        await judged(judge, b".".join([head, other, signature])) == "the signature of the token does not hold"
    )


async def test_a_shared_secret(tmp_path: Path) -> None:
    judge = JwtAuthenticator(
        SECRET, issuer=CLAIMS["iss"], audience=["other", "shop"], algorithms=["HS256"], clock=lambda: NOW
    )
    for header in ({"alg": "HS256"}, {"alg": "HS256", "kid": "any"}):
        found = await judged(judge, hs256(SECRET, header, CLAIMS))
        assert isinstance(found, Identity)
    assert await judged(judge, hs256(SECRET + b"!", {"alg": "HS256"}, CLAIMS)) == (
        "the signature of the token does not hold"
    )
    assert await judged(judge, ES.token()) == "the token is signed with an algorithm that is not accepted"


@pytest.mark.parametrize(
    ("how", "claims", "roles"),
    [
        ({}, {"roles": None}, set[str]()),
        ({}, {"roles": []}, set[str]()),
        ({"roles_claim": None}, {}, set[str]()),
        ({"roles_claim": "scope", "spaced_roles": True}, {"scope": "read  write"}, {"read", "write"}),
        ({"roles_claim": ("realm", "roles")}, {"realm": {"roles": ["a"]}}, {"a"}),
        ({"roles_claim": ("realm", "roles")}, {"realm": {}}, set[str]()),
        (
            {"roles_claim": ("realm", "roles")},
            {"realm": 1},
            "the roles of the token are not where they should be",
        ),
        ({}, {"roles": "clerk"}, "the roles of the token are no array of texts"),
        ({"spaced_roles": True}, {}, "the roles of the token are not one text"),
        ({}, {"roles": [1]}, "the roles of the token is neither a text nor an array of texts"),
        ({}, {"roles": ["a\n"]}, "a role of the token is no text of 1 to 255 printable characters"),
    ],
)
async def test_roles(
    tmp_path: Path, how: Mapping[str, Any], claims: Mapping[str, Any], roles: set[str] | str
) -> None:
    found = await judged(authenticator(tmp_path, **how), ES.token(**claims))
    assert (found.roles if isinstance(found, Identity) else found) == roles


async def test_the_bounds_of_time(tmp_path: Path) -> None:
    judge = authenticator(tmp_path, leeway=10)
    for claims in ({"exp": NOW - 9}, {"nbf": NOW + 10}, {"iat": NOW + 10}, {"exp": NOW + 0.5}, {"iat": None}):
        found = await judged(judge, ES.token(**claims))
        assert isinstance(found, Identity)
        # whoever asked goes by this, so the leeway is in it
        assert found.expires is not None
        assert found.expires > datetime.fromtimestamp(NOW, UTC)
    assert await judged(judge, ES.token(exp=NOW - 10)) == "the token has expired"


async def test_several_audiences_and_a_key_without_a_name(tmp_path: Path) -> None:
    judge = authenticator(tmp_path, ES.jwk(kid=None), RSA.jwk(), audience={"shop", "bank"})
    assert isinstance(await judged(judge, ES.token({"kid": None}, aud=["x", "bank"])), Identity)
    assert await judged(judge, ES.token()) == "no key is known that the token could be signed with"


async def test_keys_are_picked_by_name_and_by_algorithm(tmp_path: Path) -> None:
    two = Signer("ES256", "two")
    judge = authenticator(tmp_path, ES.jwk(), two.jwk(alg=None, use=None, key_ops=["verify"]), RSA.jwk())
    for signer in (ES, two):
        assert isinstance(await judged(judge, signer.token()), Identity)
    assert await judged(judge, two.token({"kid": "one"})) == "the signature of the token does not hold"
    assert await judged(judge, ES.token({"kid": None})) == (
        "more than one key fits the token, and it does not say which one it is signed with"
    )
    assert (
        await judged(judge, ES.token({"kid": "rsa"})) == "no key is known that the token could be signed with"
    )


# --- hostile tokens -------------------------------------------------------------------------------------------------

DEEP = "[" * 3000

REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "it is not a signed token in compact form"),
    "too long": (b"a" * 8_193, "the token is too long"),
    "two parts": (b"e30.e30", "it is not a signed token in compact form"),
    "unsigned": (compact({"alg": "none"}, CLAIMS, b""), "it is not a signed token in compact form"),
    "encrypted": (b"e30.e30.e30.e30.e30", "it is not a signed token in compact form"),
    "not ASCII": ("é.é.é".encode(), "it is not a signed token in compact form"),
    "padded": (ES.token() + b"=", "it is not a signed token in compact form"),
    "a line end": (ES.token() + b"\n", "it is not a signed token in compact form"),
    "standard base64": (b"+/+/.e30.e30", "it is not a signed token in compact form"),
    "header is cut": (b"e30x1." + ES.token().split(b".", 1)[1], "the header of the token can't be read"),
    "header is no JSON": (compact("{", CLAIMS), "the header of the token can't be read"),
    "header is an array": (compact([], CLAIMS), "the header of the token can't be read"),
    "header is deep": (compact(DEEP, CLAIMS), "the header of the token can't be read"),
    "header is no UTF-8": (compact(b"\xff", CLAIMS), "the header of the token can't be read"),
    "a member twice": (
        compact('{"alg":"ES256","alg":"none"}', CLAIMS),
        "the header of the token can't be read",
    ),
    "no algorithm": (compact({}, CLAIMS), "the token names no algorithm"),
    "an algorithm that is no text": (compact({"alg": ["ES256"]}, CLAIMS), "the token names no algorithm"),
    **{
        f"algorithm {name!r}": (
            compact({"alg": name}, CLAIMS),
            "the token is signed with an algorithm that is not accepted",
        )
        for name in ("none", "None", "NONE", "", "es256", "HS256", "RS256", "ES384")
    },
    "confusion": (
        hs256(ES.public_pem(), {"alg": "HS256", "kid": "one"}, CLAIMS),
        "the token is signed with an algorithm that is not accepted",
    ),
    "a name of a key that is no text": (ES.token({"kid": 1}), "the name of the token's key is no text"),
    "an unknown key": (ES.token({"kid": "two"}), "no key is known that the token could be signed with"),
    "another key": (Signer("ES256").token(), "the signature of the token does not hold"),
    "a short signature": (ES.token()[:-10], "the signature of the token does not hold"),
    "an extension": (
        ES.token({"crit": ["exp"], "exp": 1}),
        "the token asks for an extension that is not known",
    ),
    "an empty extension": (ES.token({"crit": []}), "the token asks for an extension that is not known"),
    "not encoded": (
        ES.token({"b64": False}),
        "the payload of the token is not encoded as that of a token is",
    ),
    "not encoded, critically": (
        ES.token({"b64": False, "crit": ["b64"]}),
        "the token asks for an extension that is not known",
    ),
    "nested": (ES.token({"cty": "JWT"}, payload=ES.token()), "the token holds another token"),
    "nested, in secret": (ES.token(payload=ES.token()), "the claims of the token can't be read"),
    "JWE headers": (ES.token({"enc": "A256GCM"}), "the token holds another token"),
    "claims are an array": (ES.token(payload=[]), "the claims of the token can't be read"),
    "claims are deep": (ES.token(payload=DEEP), "the claims of the token can't be read"),
    "a claim twice": (
        ES.token(payload=json.dumps(CLAIMS)[:-1] + ', "sub": "root"}'),
        "the claims of the token can't be read",
    ),
    "not a number": (
        ES.token(payload=json.dumps(CLAIMS | {"exp": float("nan")})),
        "the claims of the token can't be read",
    ),
    "an endless number": (
        ES.token(payload=json.dumps(CLAIMS).replace("1800000600.0", "9" * 5000)),
        "the claims of the token can't be read",
    ),
    "half a character": (ES.token(payload='{"sub": "\\ud800"}'), "the claims of the token can't be read"),
    **{
        f"no {name}": (ES.token(**{name: None}), f"the token has no {name}")
        for name in ("exp", "iss", "aud", "sub")
    },
    "expired": (ES.token(exp=NOW - 31), "the token has expired"),
    "never expires": (ES.token(payload=CLAIMS | {"exp": None}), "the token has no exp"),
    **{
        f"exp {value!r}": (ES.token(exp=value), "the exp of the token is no number")
        for value in ("1800000600", True, [NOW], {})
    },
    "exp beyond all floats": (
        ES.token(payload=json.dumps(CLAIMS).replace("1800000600.0", "1e999")),
        "the exp of the token is no number",
    ),
    "exp beyond all dates": (ES.token(exp=10**30), "the exp of the token is no moment that can be"),
    "exp below all dates": (ES.token(exp=-1), "the exp of the token is no moment that can be"),
    "not yet": (ES.token(nbf=NOW + 31), "the token does not count yet"),
    "nbf is no number": (ES.token(nbf="0"), "the nbf of the token is no number"),
    "from the future": (ES.token(iat=NOW + 31), "the token was made in the future"),
    "iat is no number": (ES.token(iat="0"), "the iat of the token is no number"),
    "another audience": (ES.token(aud="bank"), "the token is for another audience"),
    "part of an audience": (ES.token(aud="sho"), "the token is for another audience"),
    "no audience in it": (ES.token(aud=[]), "the token is for another audience"),
    "an odd audience": (
        ES.token(aud=["shop", 1]),
        "the aud of the token is neither a text nor an array of texts",
    ),
    "another issuer": (ES.token(iss="https://issuer.exampl"), "the token is of another issuer"),
    "several issuers": (ES.token(iss=["https://issuer.example"]), "the token is of another issuer"),
    **{
        f"sub {name}": (
            ES.token(sub=value),
            "the subject of the token is no text of 1 to 255 printable characters",
        )
        for name, value in {"empty": "", "long": "x" * 256, "number": 7, "with a line end": "anna\n"}.items()
    },
}


@pytest.mark.parametrize("case", REFUSED)
async def test_refused(tmp_path: Path, case: str) -> None:
    proof, reason = REFUSED[case]
    assert len(proof) <= 8_193
    assert await judged(authenticator(tmp_path), proof) == reason


async def test_keys_that_a_token_brings_along_have_no_effect(tmp_path: Path) -> None:
    """Neither those in it are taken, nor are addresses in it asked."""
    mine = Signer("ES256")
    header = {"jwk": mine.jwk(), "jku": "https://192.0.2.1/", "x5u": "https://192.0.2.1/", "x5c": ["MII="]}
    judge = authenticator(tmp_path)
    assert await judged(judge, mine.token(header)) == "the signature of the token does not hold"
    assert isinstance(await judged(judge, ES.token(header)), Identity)


async def test_the_public_key_is_no_secret(tmp_path: Path) -> None:
    """Algorithm confusion with RSA, in every form in which the public key is known to everyone."""
    judge = authenticator(tmp_path, RSA.jwk(alg=None), algorithms=["RS256", "PS256"])
    jwk = json.dumps(RSA.jwk()).encode()
    for secret in (RSA.public_pem(), RSA.public_pem().strip(), jwk, b""):
        for kid in ({"kid": "rsa"}, {}):
            assert await judged(judge, hs256(secret, {"alg": "HS256", **kid}, CLAIMS)) == (
                "the token is signed with an algorithm that is not accepted"
            )
    assert isinstance(await judged(judge, RSA.token()), Identity)
    # a signature of one algorithm, called one of another that is accepted too
    assert await judged(judge, RSA.token({"alg": "PS256"})) == "the signature of the token does not hold"


async def test_a_key_is_used_for_its_own_algorithm_alone(tmp_path: Path) -> None:
    judge = authenticator(tmp_path, RSA.jwk(alg="PS256"), algorithms=["RS256", "PS256"])
    assert await judged(judge, RSA.token()) == "no key is known that the token could be signed with"


async def test_more_claims_can_be_asked_for(tmp_path: Path) -> None:
    judge = authenticator(tmp_path, required=["tenant"])
    assert await judged(judge, ES.token()) == "the token lacks a claim"
    assert isinstance(await judged(judge, ES.token(tenant=1)), Identity)


async def test_a_reason_holds_nothing_of_the_token(tmp_path: Path) -> None:
    judge = authenticator(tmp_path)
    for header, claims in (({"kid": "hunter2"}, {}), ({"alg": "hunter2"}, {}), ({}, {"sub": "hunter2" * 99})):
        answer = await judge.authenticate(attempt("bearer", ES.token(header, **claims)))
        assert "hunter2" not in repr(answer)
    found = await judge.authenticate(attempt("bearer", ES.token(private="hunter2")))
    assert "hunter2" not in repr(found)


FIXED: list[JwtAuthenticator] = []


@pytest.fixture(scope="module", autouse=True)
def fixed(tmp_path_factory: pytest.TempPathFactory) -> None:
    FIXED[:] = [authenticator(tmp_path_factory.mktemp("fixed"))]


def refuses(proof: bytes) -> None:
    answer = trio.run(FIXED[0].authenticate, attempt("bearer", proof))
    assert isinstance(answer, Refusal)


@given(st.binary(max_size=8_192))
@example(b".." + b"\x00" * 8_190)
@example(b"." * 8_192)
@example(b"\xff" * 8_192)
def test_any_bytes_are_refused(proof: bytes) -> None:
    refuses(proof)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={name: JSON | st.just("ES256") for name in ("alg", "kid", "crit", "b64", "cty", "typ", "jwk")},
)


@given(HEADERS | JSON, JSON, st.binary(min_size=1, max_size=100))
def test_any_token_that_nobody_signed_is_refused(header: Any, payload: Any, signature: bytes) -> None:
    refuses(compact(header, payload, signature))


@given(
    st.fixed_dictionaries(
        dict[str, Any](),
        optional=dict.fromkeys(("exp", "nbf", "iat", "aud", "iss", "sub", "roles"), JSON),
    )
)
def test_any_claims_that_the_issuer_signed_are_judged(claims: dict[str, Any]) -> None:
    """The issuer is trusted, and may be wrong: there is an answer, never an exception."""
    token = ES.token(payload=json.dumps(CLAIMS | claims))
    assert isinstance(trio.run(FIXED[0].authenticate, attempt("bearer", token)), Identity | Refusal)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_one_byte_that_differs(at: int, change: int) -> None:
    token = bytearray(ES.token())
    token[at % len(token)] ^= change
    refuses(bytes(token))


# --- mistakes in the configuration ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"algorithms": []}, 'the algorithms for tokens are a list of at least one, as in ["ES256"]'),
        ({"algorithms": "ES256"}, 'the algorithms for tokens are a list of at least one, as in ["ES256"]'),
        *(
            (
                {"algorithms": ["ES256", none]},
                "the algorithm none leaves tokens unsigned, so that anyone could make them; take it out",
            )
            for none in ("none", "NONE")
        ),
        (
            {"algorithms": ["ES256", "HS256"]},
            (
                "an algorithm for tokens with public keys is one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, "
                "ES384, ES512, EdDSA"
            ),
        ),
        (
            {"issuer": ""},
            "tokens need an issuer and an audience that they have to name; say which ones those are",
        ),
        (
            {"audience": []},
            "tokens need an issuer and an audience that they have to name; say which ones those are",
        ),
        (
            {"leeway": 301},
            "the leeway for tokens is 0 to 300 seconds; set the clocks right rather than more",
        ),
        ({"leeway": -1}, "the leeway for tokens is 0 to 300 seconds; set the clocks right rather than more"),
    ],
)
def test_mistakes(tmp_path: Path, more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SecurityError) as raised:
        authenticator(tmp_path, **more)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("secret", "algorithm", "sentence"),
    [
        (SECRET, "ES256", "an algorithm for tokens with a shared secret is one of HS256, HS384, HS512"),
        (
            SECRET,
            "HS512",
            f"the shared secret for tokens has {len(SECRET)} bytes; use one of at least 64 random bytes",
        ),
        (
            b"short",
            "HS256",
            "the shared secret for tokens has 5 bytes; use one of at least 32 random bytes",
        ),
    ],
)
def test_mistakes_with_a_secret(secret: bytes, algorithm: str, sentence: str) -> None:
    with pytest.raises(SecurityError) as raised:
        JwtAuthenticator(secret, issuer="i", audience="a", algorithms=[algorithm])
    assert str(raised.value) == sentence


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = key_set(tmp_path, ES.jwk())
    for missing in ("jwt", "cryptography"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)
            with pytest.raises(SecurityError) as raised:
                JwksFile(path)
            assert str(raised.value) == (
                'tokens need PyJWT with cryptography, which is not installed; run: pip install "graftwire[jwt]"'
            )


# --- the settings of the command line -------------------------------------------------------------------------------

SETTINGS = """
issuer = "https://issuer.example"
audience = ["shop"]
algorithms = ["ES256"]
jwks = "keys.json"
"""


def settings(folder: Path, text: str) -> str:
    (folder / "tokens.toml").write_text(text)
    return str(folder / "tokens.toml")


async def test_settings_in_a_file(tmp_path: Path) -> None:
    """Paths begin at the file, wherever the program runs."""
    key_set(tmp_path, ES.jwk())
    judge = JwtAuthenticator.from_text(
        settings(tmp_path, SETTINGS + 'leeway = 0\nroles-claim = "scope"\nspaced-roles = true\n')
    )
    await judge.start()
    now = datetime.now(UTC) + timedelta(hours=1)
    found = await judged(judge, ES.token(exp=int(now.timestamp()), iat=None, scope="read"))
    assert isinstance(found, Identity)
    assert (found.roles, found.expires) == ({"read"}, now.replace(microsecond=0))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("issuer = ", "FILE, line 1: this is not TOML; correct it there or just above"),
        (
            'issuer = "a"\naudience: "b"\n',
            "FILE, line 2: this is not TOML; correct it there or just above",
        ),
        ("", "FILE: the file has no audience; add it"),
        (
            SETTINGS.replace("jwks =", "jwk ="),
            (
                "FILE, line 5: the file has an unknown key jwk; did you mean jwks? there are: issuer, audience, "
                "algorithms, jwks, jwks-ca, leeway, roles-claim, spaced-roles"
            ),
        ),
        (
            SETTINGS + 'hunter2 = "hunter2"\n',
            (
                "FILE, line 6: the file has an unknown key; there are: issuer, audience, algorithms, jwks, jwks-ca, "
                "leeway, roles-claim, spaced-roles"
            ),
        ),
        (
            SETTINGS.replace('["ES256"]', '"ES256"'),
            'FILE, line 4: algorithms has to be an array of texts, as in ["ES256"]',
        ),
        (
            SETTINGS.replace('["ES256"]', '["none"]'),
            (
                "the token settings FILE: the algorithm none leaves tokens unsigned, so that anyone could make them; "
                "take it out"
            ),
        ),
        (
            SETTINGS.replace("keys.json", "http://issuer.example/keys"),
            (
                "the token settings FILE: the URL of the key set has to begin with https://; without TLS, whoever is "
                "in between could put in keys of his own"
            ),
        ),
        (
            SETTINGS.replace("keys.json", "https://user:hunter2@issuer.example/keys"),
            "the token settings FILE: the URL of the key set holds a user name or password; take it out",
        ),
        (
            SETTINGS.replace("keys.json", "none.json"),
            (
                "the token settings FILE: the key set FOLDER/none.json can't be read: there is no such file; check the "
                "path"
            ),
        ),
        (
            SETTINGS + 'jwks-ca = "ca.pem"\n',
            "the token settings FILE: jwks-ca is for a jwks that is an address, and this one is a file; take it out",
        ),
        (SETTINGS + "leeway = true\n", "FILE, line 6: leeway has to be a number of seconds"),
        (SETTINGS + "spaced-roles = 1\n", "FILE, line 6: spaced-roles has to be true or false"),
    ],
)
def test_mistakes_in_settings(tmp_path: Path, text: str, sentence: str) -> None:
    key_set(tmp_path, ES.jwk())
    path = settings(tmp_path, text)
    with pytest.raises(SecurityError) as raised:
        JwtAuthenticator.from_text(path)
    assert str(raised.value) == sentence.replace("FILE", path).replace("FOLDER", str(tmp_path))
    assert "hunter2" not in str(raised.value)


def test_no_settings(tmp_path: Path) -> None:
    for path, sentence in {
        "": "jwt needs the path of its settings, as in jwt:tokens.toml",
        f"{tmp_path}/none": f"the token settings {tmp_path}/none can't be read: there is no such file; check the path",
    }.items():
        with pytest.raises(SecurityError) as raised:
            JwtAuthenticator.from_text(path)
        assert str(raised.value) == sentence
    (tmp_path / "odd").write_bytes(b"\xff")
    with pytest.raises(SecurityError, match=r"odd is not text in UTF-8; write it as TOML$"):
        JwtAuthenticator.from_text(str(tmp_path / "odd"))
    (tmp_path / "odd").chmod(0o622)
    with pytest.raises(SecurityError, match=r"odd can be written by others than its owner; run chmod go-w"):
        JwtAuthenticator.from_text(str(tmp_path / "odd"))


async def test_a_clock_that_goes_on(tmp_path: Path) -> None:
    clock = Clock(NOW)
    judge = authenticator(tmp_path, clock=clock)
    token = ES.token()
    assert isinstance(await judged(judge, token), Identity)
    clock.now += 630
    assert await judged(judge, token) == "the token has expired"
