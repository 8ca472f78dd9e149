"""An issuer of tokens for tests, which signs with cryptography alone and not with the library that checks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NOW = 1_800_000_000.0
CLAIMS: dict[str, Any] = {
    "iss": "https://issuer.example",
    "aud": "shop",
    "sub": "anna",
    "exp": NOW + 600,
    "iat": NOW - 5,
    "roles": ["clerk", "reader"],
}

_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
_NAMES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(value: int, length: int | None = None) -> str:
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def compact(header: object, payload: object, signature: bytes = b"x") -> bytes:
    """A token as its parts say; texts and bytes go in as they are."""

    def part(value: object) -> str:
        if isinstance(value, str):
            value = value.encode()
        return b64(value if isinstance(value, bytes) else json.dumps(value).encode())

    return f"{part(header)}.{part(payload)}.{b64(signature)}".encode()


def hs256(secret: bytes, header: object, payload: object) -> bytes:
    """A token signed with a shared secret."""
    signed = compact(header, payload).rpartition(b".")[0]
    return signed + b"." + b64(hmac.digest(secret, signed, hashlib.sha256)).encode()


class Signer:
    """A private key for one algorithm."""

    def __init__(self, algorithm: str, kid: str | None = "one", *, bits: int = 2048) -> None:
        self.algorithm = algorithm
        self.kid = kid
        self._key: Any
        if algorithm[:2] in ("RS", "PS"):
            self._key = rsa.generate_private_key(65_537, bits)
        elif algorithm == "EdDSA":
            self._key = ed25519.Ed25519PrivateKey.generate()
        else:
            self._key = ec.generate_private_key(_CURVES[algorithm])

    def jwk(self, **more: Any) -> dict[str, Any]:
        """The public half, as an issuer publishes it; a value of None in `more` takes a member out."""
        numbers: Any = None if self.algorithm == "EdDSA" else self._key.public_key().public_numbers()
        if self.algorithm[:2] in ("RS", "PS"):
            jwk = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        elif self.algorithm == "EdDSA":
            raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
        else:
            size = (_CURVES[self.algorithm].key_size + 7) // 8
            jwk = {"kty": "EC", "crv": _NAMES[self.algorithm]}
            jwk |= {"x": number(numbers.x, size), "y": number(numbers.y, size)}
        whole = jwk | {"kid": self.kid, "use": "sig", "alg": self.algorithm} | more
        return {name: value for name, value in whole.items() if value is not None}

    def private_jwk(self) -> dict[str, Any]:
        """Both halves, which nobody should publish."""
        return self.jwk(d=number(self._key.private_numbers().private_value, 32))

    def public_pem(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, data: bytes) -> bytes:
        digest = _HASHES.get(self.algorithm[2:])
        if self.algorithm.startswith("RS"):
            return self._key.sign(data, padding.PKCS1v15(), digest)
        if self.algorithm.startswith("PS"):
            assert digest is not None
            return self._key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        if self.algorithm == "EdDSA":
            return self._key.sign(data)
        size = (_CURVES[self.algorithm].key_size + 7) // 8
        r, s = decode_dss_signature(self._key.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def token(self, header: dict[str, Any] | None = None, payload: object = None, **claims: Any) -> bytes:
        """A token, signed. A value of None takes a header or a claim out."""
        named = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"} | (header or {})
        told: object = payload
        if payload is None:
            told = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
        signed = compact({n: v for n, v in named.items() if v is not None}, told).rpartition(b".")[0]
        return signed + b"." + b64(self.sign(signed)).encode()
