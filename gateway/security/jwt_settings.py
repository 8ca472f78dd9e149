"""The TOML file that says how bearer tokens are judged: what `--auth jwt:FILE` names."""

from __future__ import annotations

import difflib
import os
import ssl
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graftwire.protocol.errors import TlsError
from graftwire.transport.contexts import client_context

from .errors import SecurityError
from .jwks import JwksFile, JwksUrl, KeySource
from .strict_json import as_array
from .watched import read_file

LARGEST: Final = 65_536  # bytes

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
    where = f"the token settings {path}"
    data, _ = read_file(path, "the token settings", LARGEST)
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise SecurityError(f"{where} are no TOML: they are not in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SecurityError(f"{where} are no TOML{_place(error)}; mend what stands there") from None
    _check_names(table, where)

    def take(name: str, default: Any, fits: Callable[[Any], bool], form: str) -> Any:
        value = table.get(name, default)
        if not fits(value):
            raise SecurityError(f"{name} in {where} has to be {form}")
        return value

    audience = take("audience", None, _is_text_or_texts, 'a text or an array of texts, as in "shop"')
    return Settings(
        where=where,
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


def _check_names(table: dict[str, Any], where: str) -> None:
    known = (*NEEDED, *OPTIONAL)
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            told = f"did you mean {near[0]}?" if near else f"the known ones are {', '.join(known)}"
            # What is nothing like a name of ours may be a secret that got in the wrong place: it is not repeated.
            raise SecurityError(f"{where} have an unknown name{f' {name}' if near else ''}; {told}")
    missing = [name for name in NEEDED if name not in table]
    if missing:
        raise SecurityError(
            f"{where} don't say {' and '.join(missing)}; add {'it' if len(missing) == 1 else 'them'}"
        )


def _place(error: tomllib.TOMLDecodeError) -> str:
    """Where a mistake is, without the text of the library, which may repeat a value."""
    told = str(error)
    at = told.rfind("(at line ")
    line = told[at + len("(at line ") :].partition(",")[0] if at >= 0 else ""
    if "at end of document" in told:
        return " (at its end)"
    return f" (line {line})" if line.isdecimal() else ""


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_texts(value: Any) -> bool:
    return bool(texts := as_array(value)) and all(map(_is_text, texts))


def _is_text_or_texts(value: Any) -> bool:
    return _is_text(value) or _is_texts(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
