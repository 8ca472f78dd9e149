"""A folder with all that a gateway with security plugins needs: keys, tokens, secrets, certificates, rules."""

from __future__ import annotations

import base64
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)

from graftwire.gateway.security.key_file import add, new_key

MODULE = """
import graftwire


@graftwire.allow("clerk")
class Invoices:
    async def total(self, customer: str) -> int:
        return 1476

    @graftwire.allow("boss")
    async def void(self, customer: str) -> None: ...

    @graftwire.allow("anyone")
    async def who(self) -> str:
        identity = graftwire.current_identity()
        return f"{identity.scheme} {identity.subject} {' '.join(sorted(identity.roles))}".rstrip()


@graftwire.allow("clerk")
class Loose:
    async def total(self, customer):
        return 1476


class Bare:
    async def who(self) -> str:
        return "nobody asked"
"""

ROLES = """
[allow]
"Invoices.total" = ["clerk"]
"Invoices.who" = "anyone"
"graftwire.describe" = "authenticated"
"""

MODEL = """
[request_definition]
r = sub, roles, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = (g(r.sub, p.sub) || p.sub in r.roles) && keyMatch(r.obj, p.obj) && r.act == p.act
"""

SETTINGS = 'issuer = "https://issuer.example"\naudience = "shop"\nalgorithms = ["ES256"]\njwks = "JWKS"\n'

# A distribution whose plugins raise: when they are made, when they get ready, and a sentence of their own.
MOODY = """
from graftwire import Authenticator, SecurityError


class Made(Authenticator):
    schemes = ("made.example",)

    def __init__(self):
        raise KeyError("secret")

    async def authenticate(self, attempt): ...


class Ready(Authenticator):
    name = "unready"
    schemes = ("ready.example",)

    async def start(self):
        raise KeyError("secret")

    async def authenticate(self, attempt): ...


class Telling(Ready):
    async def start(self):
        raise SecurityError("the directory does not answer; start it first")
"""


def write(path: Path, text: str) -> None:
    """A file that nobody else may read."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def furnish(folder: Path) -> None:
    """Make all the files."""
    (folder / "office.py").write_text(MODULE, encoding="utf-8")
    (folder / "roles.toml").write_text(ROLES, encoding="utf-8")
    (folder / "model.conf").write_text(MODEL, encoding="utf-8")
    (folder / "policy.csv").write_text("p, role:clerk, Invoices.*, call\n", encoding="utf-8")
    (folder / "clients.toml").write_text(
        '[[client]]\nsan-dns = "press.example"\nsubject = "press"\nroles = ["clerk"]\n', encoding="utf-8"
    )
    _certificates(folder)
    _api_keys(folder)
    _tokens(folder)
    _shared_secret(folder)
    _distribution(folder / "moody")


def _certificates(folder: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, file in (("127.0.0.1", "gateway"), ("press.example", "press")):
        issued = authority.issue_cert(name)
        issued.cert_chain_pems[0].write_to_path(folder / f"{file}.pem")
        issued.private_key_pem.write_to_path(folder / f"{file}.key")


def _api_keys(folder: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    for name in ("clerk", "guest"):
        key, entry = new_key(name, (name,), now, None)
        add(str(folder / "keys.json"), entry)
        write(folder / f"{name}.key", key)
    write(folder / "stranger.key", new_key("stranger", (), now, None)[0])


def token(signer: EllipticCurvePrivateKey, **claims: object) -> str:
    whole = {
        "iss": "https://issuer.example",
        "aud": "shop",
        "sub": "anna",
        "exp": time.time() + 3600,
        "roles": ["clerk"],
    }
    return jwt.encode({**whole, **claims}, signer, algorithm="ES256", headers={"kid": "1"})


def _tokens(folder: Path) -> None:
    signer = generate_private_key(SECP256R1())
    public = jwt.algorithms.ECAlgorithm.to_jwk(signer.public_key(), as_dict=True)
    keys = {"keys": [public | {"kid": "1", "use": "sig", "alg": "ES256"}]}
    (folder / "jwks.json").write_text(json.dumps(keys), encoding="utf-8")
    (folder / "tokens.toml").write_text(SETTINGS.replace("JWKS", "jwks.json"), encoding="utf-8")
    write(folder / "token", token(signer))
    write(folder / "wrong.token", token(signer, aud="another"))
    write(folder / "old.token", token(signer, exp=1_000_000_000))


def _shared_secret(folder: Path) -> None:
    secret = base64.b64encode(os.urandom(32)).decode()
    write(
        folder / "hmac.toml",
        f'audience = "office"\n[[key]]\nid = "press"\nsecret = "{secret}"\nsubject = "press"\nroles = ["clerk"]\n',
    )
    write(folder / "press.toml", f'id = "press"\nsecret = "{secret}"\naudience = "office"\n')


def _distribution(folder: Path) -> None:
    """What pip would leave of a distribution with plugins."""
    facts = folder / "graftwire_moody-1.0.dist-info"
    facts.mkdir(parents=True)
    (folder / "moody.py").write_text(MOODY, encoding="utf-8")
    (facts / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: graftwire-moody\nVersion: 1.0\n", encoding="utf-8"
    )
    (facts / "entry_points.txt").write_text(
        "[graftwire.authenticators]\nmade = moody:Made\nready = moody:Ready\ntelling = moody:Telling\n",
        encoding="utf-8",
    )
