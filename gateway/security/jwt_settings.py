"""The TOML file that says how bearer tokens are judged: what `--auth jwt:FILE` names."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graftwire.protocol.errors import TlsError
from graftwire.transport.contexts import client_context

from ..tables import Table
from .errors import SecurityError
from .jwks import JwksFile, JwksUrl, KeySource
from .strict_json import as_array
from .watched import read

WHAT: Final = "the token settings"

NEEDED: Final = ("issuer", "audience", "algorithms", "jwks")
OPTIONAL: Final = ("jwks-ca", "leeway", "roles-claim", "spaced-roles")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the file says, by the names of `JwtAuthenticator`; `where` names the file in sentences."""

    where: str
    folder: str
    issuer: str
    audience: Sequence[str]
    algorithms: Sequence[str]
    jwks: str
    jwks_ca: str | None
    leeway: float
    roles_claim: str | Sequence[str]
    spaced_roles: bool

    def keys(self) -> KeySource:
        """Where the keys come from; a relative path begins at the folder of the file. Raises SecurityError."""
        if "://" not in self.jwks:
            if self.jwks_ca is not None:
                raise SecurityError(
                    "jwks-ca is for a jwks that is an address, and this one is a file; take it out"
                )
            return JwksFile(os.path.join(self.folder, self.jwks))
        return JwksUrl(self.jwks, tls=self._context())

    def _context(self) -> ssl.SSLContext | None:
        if self.jwks_ca is None:
            return None
        try:
            return client_context(ca=os.path.join(self.folder, self.jwks_ca))
        except TlsError as error:
            raise SecurityError(str(error)) from None


def read_settings(path: str) -> Settings:
    """Read the file. Raises SecurityError, with the place and the remedy."""
    if not path:
        raise SecurityError("jwt needs the path of its settings, as in jwt:tokens.toml")
    top = Table.parse(path, read(path, WHAT, guarded=True))
    top.known(*NEEDED, *OPTIONAL)

    def take(name: str, default: Any, fits: Callable[[Any], bool], form: str) -> Any:
        value = top.values.get(name, default) if name in OPTIONAL else top.value(name)
        if not fits(value):
            raise top.wrong(name, f"{name} has to be {form}")
        return value

    audience = take("audience", None, _is_text_or_texts, 'a text or an array of texts, as in "shop"')
    return Settings(
        where=f"{WHAT} {path}",
        folder=os.path.dirname(os.path.abspath(path)),
        issuer=take("issuer", None, _is_text, 'a text, as in "https://issuer.example"'),
        audience=[audience] if isinstance(audience, str) else audience,
        algorithms=take("algorithms", None, _is_texts, 'an array of texts, as in ["ES256"]'),
        jwks=take("jwks", None, _is_text, "the path of a file, or an address that begins with https://"),
        jwks_ca=take(
            "jwks-ca", None, lambda value: value is None or _is_text(value), "the path of a PEM file"
        ),
        leeway=take("leeway", 30.0, _is_number, "a number of seconds"),
        roles_claim=take(
            "roles-claim", "roles", _is_text_or_texts, 'a text or an array of texts, as in "roles"'
        ),
        spaced_roles=take("spaced-roles", False, lambda value: isinstance(value, bool), "true or false"),
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_texts(value: Any) -> bool:
    return bool(texts := as_array(value)) and all(map(_is_text, texts))


def _is_text_or_texts(value: Any) -> bool:
    return _is_text(value) or _is_texts(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
