"""Signed tokens, their keys, and the library that checks signatures: everything that touches PyJWT is here.

PyJWT parses keys and verifies signatures. What a token may look like at all is checked before it gets there, and
what it says only after its signature held.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final

from . import strict_json
from .errors import SecurityError

SYMMETRIC: Final = ("HS256", "HS384", "HS512")
ASYMMETRIC: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LARGEST_TOKEN: Final = 8_192  # bytes, as a proof (clause AUTH-8)
MOST_KEYS: Final = 100  # in one key set
RSA_BITS: Final = (2_048, 8_192)  # the smallest that is safe, and the largest that is quick

# What a key can verify, by its type and curve.
_FAMILIES: Final[Mapping[tuple[str, str | None], tuple[str, ...]]] = {
    ("RSA", None): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
_COMPACT: Final = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


class Refused(Exception):
    """A token is not good; `reason` is for the audit log, and holds nothing of the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Key:
    """A key that verifies signatures.

    `kid` is its name in the key set, `algorithms` are those that it may be used with. A `shared` secret has no name,
    and fits tokens that name any.
    """

    kid: str | None
    algorithms: frozenset[str]
    material: Any = field(repr=False)
    shared: bool = False

    def fits(self, token: Token) -> bool:
        """Whether the token may be signed with it. One that names no key fits every key of its algorithm."""
        named = token.kid is None or self.shared or token.kid == self.kid
        return named and token.algorithm in self.algorithms


@dataclass(frozen=True, slots=True)
class Token:
    """A token whose form is right, and of which nothing else is known yet."""

    compact: bytes = field(repr=False)
    algorithm: str
    kid: str | None = field(repr=False)


def require_library() -> None:
    """Raises SecurityError if PyJWT, or the cryptography that it needs, is not installed."""
    if find_spec("jwt") is None or find_spec("cryptography") is None:
        raise SecurityError(
            'tokens need PyJWT with cryptography, which is not installed; run: pip install "graftwire[jwt]"'
        )


# ---------------------------------------------------------------- keys


def shared_key(secret: bytes, algorithms: Collection[str]) -> Key:
    """The key of an issuer that shares a secret with this side.

    Raises SecurityError if it is shorter than what the algorithms give (RFC 7518, section 3.2).
    """
    least = max(int(algorithm.removeprefix("HS")) // 8 for algorithm in algorithms)
    if len(secret) < least:
        raise SecurityError(
            f"the shared secret for tokens has {len(secret)} bytes; use one of at least {least} random bytes"
        )
    return Key(None, frozenset(algorithms), secret, shared=True)


def read_key_set(data: bytes, where: str) -> tuple[Key, ...]:
    """The keys of a JWK Set (RFC 7517) that can verify signatures of tokens; the others are left out.

    `where` names it in the sentence of the SecurityError for what is no key set, has no such key, or tells the
    private half of one.
    """
    try:
        entries = strict_json.as_array((strict_json.as_object(strict_json.loads(data)) or {}).get("keys"))
    except ValueError:
        entries = None
    if entries is None:
        raise SecurityError(
            f'{where} is no JWK Set, a JSON object with an array "keys"; check that it is what the issuer publishes'
        )
    if len(entries) > MOST_KEYS:
        raise SecurityError(f"{where} has more than {MOST_KEYS} keys; check that it is the right one")
    found = [key for entry in entries if (key := _read_key(entry, where)) is not None]
    if not found:
        raise SecurityError(
            f"{where} has no key that can be used: RSA of {RSA_BITS[0]} to {RSA_BITS[1]} bits, EC on P-256, P-384 or "
            "P-521, or Ed25519, and none that is for another use than signatures; ask the issuer"
        )
    return tuple(found)


def _read_key(entry: Any, where: str) -> Key | None:
    """A key of a set; None for one that is of no use here, which RFC 7517 says to pass over."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from jwt import PyJWK, PyJWTError

    jwk = strict_json.as_object(entry)
    if jwk is None:
        return None
    kty, crv, kid = jwk.get("kty"), jwk.get("crv"), jwk.get("kid")
    algorithms = _FAMILIES.get((str(kty), None if kty == "RSA" else str(crv)), ())
    if not algorithms:
        return None
    if jwk.keys() & _PRIVATE:
        raise SecurityError(
            f"{where} has the private half of a key; take the public half alone, and make a new key"
        )
    if not (kid is None or isinstance(kid, str)) or not _for_signatures(jwk):
        return None
    if "alg" in jwk:
        algorithms = tuple(each for each in algorithms if each == jwk["alg"])
    if not algorithms:
        return None
    try:
        material = PyJWK(jwk, algorithm=algorithms[0]).key
    except (PyJWTError, ValueError, TypeError, LookupError, AttributeError):
        return None
    if isinstance(material, RSAPublicKey) and not RSA_BITS[0] <= material.key_size <= RSA_BITS[1]:
        return None
    return Key(kid, frozenset(algorithms), material)


def _for_signatures(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


# ---------------------------------------------------------------- tokens


def read_token(proof: bytes) -> Token:
    """A compact JWS (RFC 7515), its form checked. Raises Refused.

    Keys, and addresses of keys, that a token brings along in its header have no effect: they are not even looked at.
    """
    if len(proof) > LARGEST_TOKEN:
        raise Refused("the token is too long")
    parts = _COMPACT.fullmatch(proof)
    if parts is None:
        raise Refused("it is not a signed token in compact form")
    try:
        header = strict_json.as_object(strict_json.loads(_decoded(parts[1])))
    except ValueError:
        header = None
    if header is None:
        raise Refused("the header of the token can't be read")
    return _of_header(proof, header)


def _of_header(proof: bytes, header: Mapping[str, Any]) -> Token:
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise Refused("the token names no algorithm")
    if "crit" in header:  # no extension is understood here, so that none may be asked for
        raise Refused("the token asks for an extension that is not known")
    if "b64" in header:
        raise Refused("the payload of the token is not encoded as that of a token is")
    if "enc" in header or str(header.get("cty", "")).lower().removeprefix("application/") == "jwt":
        raise Refused("the token holds another token")
    if not (kid is None or isinstance(kid, str)):
        raise Refused("the name of the token's key is no text")
    return Token(proof, algorithm, kid)


def verified_claims(token: Token, keys: Sequence[Key]) -> dict[str, Any]:
    """What a token says, once the one key that fits has verified its signature. Raises Refused."""
    from jwt import PyJWS, PyJWTError

    fitting = [key for key in keys if key.fits(token)]
    if not fitting:
        raise Refused("no key is known that the token could be signed with")
    if len(fitting) > 1:
        raise Refused("more than one key fits the token, and it does not say which one it is signed with")
    try:
        # The algorithm was checked against those that are allowed, and against those of the key: it is pinned.
        verified = PyJWS().decode_complete(token.compact, fitting[0].material, algorithms=[token.algorithm])
    except (PyJWTError, ValueError, TypeError, RecursionError):
        raise Refused("the signature of the token does not hold") from None
    return _claims(verified["payload"])


def unverified_claims(proof: bytes) -> dict[str, Any]:
    """What a token says, whoever made it: for its bearer, who has no key. Raises Refused."""
    read_token(proof)
    try:
        payload = _decoded(proof.split(b".")[1])
    except ValueError:
        raise Refused("the claims of the token can't be read") from None
    return _claims(payload)


def _claims(payload: bytes) -> dict[str, Any]:
    try:
        claims = strict_json.as_object(strict_json.loads(payload))
    except ValueError:
        claims = None
    if claims is None:
        raise Refused("the claims of the token can't be read")
    return claims


def _decoded(part: bytes) -> bytes:
    """Base64url without padding. Raises ValueError."""
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
