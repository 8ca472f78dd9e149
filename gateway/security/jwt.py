"""Bearer tokens: JSON Web Tokens that an issuer signed (RFC 7519). Needs the extra `graftwire[jwt]`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Self

from .bearer import BearerCredential
from .errors import SecurityError
from .identity import Identity, is_name
from .jose import (
    ASYMMETRIC,
    SYMMETRIC,
    Key,
    Refused,
    read_token,
    require_library,
    shared_key,
    verified_claims,
)
from .jwks import JwksFile, JwksUrl, KeySource
from .jwt_settings import read_settings
from .plugins import Attempt, Authenticator, Refusal
from .strict_json import as_array, as_object

__all__ = ["BearerCredential", "JwksFile", "JwksUrl", "JwtAuthenticator", "KeySource"]

ALWAYS: Final = ("exp", "iss", "aud", "sub")  # claims that every token has to have
MOST_LEEWAY: Final = 300.0  # seconds
_LAST: Final = 253_402_300_000 - MOST_LEEWAY  # the latest second that a datetime can say


class JwtAuthenticator(Authenticator):
    """Judges bearer tokens: the proof is a JWT, signed, in compact form.

    `keys`: a `JwksFile` or `JwksUrl` with the issuer's public keys, or the bytes of a secret that it shares with this
    side. `issuer` is what the token's `iss` has to be; of `audience` (one or several) its `aud` has to name one.
    `algorithms` are those that are accepted: of RS, PS and ES 256, 384 and 512 and EdDSA with public keys; of HS256,
    HS384 and HS512 with a secret. `leeway`: seconds, at most 300, by which the issuer's clock may differ from `clock`.

    Roles come from the claim `roles_claim` (a sequence of names: nested in one another; None: there are no roles), an
    array of texts, or, with `spaced_roles`, one text with roles between spaces, as `scope` is. A token without the
    claim gives no roles. `required`: claims that a token has to have beside exp, iss, aud and sub.

    The identity's subject is `sub`, its issuer `iss`; it expires with the token, `leeway` seconds after `exp`; all
    claims are in `claims`. Raises SecurityError for what can't be used.
    """

    name = "jwt"
    schemes = ("bearer",)

    def __init__(
        self,
        keys: KeySource | bytes,
        *,
        issuer: str,
        audience: str | Collection[str],
        algorithms: Collection[str],
        leeway: float = 30.0,
        roles_claim: str | Sequence[str] | None = "roles",
        spaced_roles: bool = False,
        required: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        require_library()
        self._algorithms = _checked_algorithms(algorithms, secret=isinstance(keys, bytes))
        if isinstance(keys, bytes):
            keys = _Shared(shared_key(keys, self._algorithms))
        self._source = keys
        self._issuer = issuer
        self._audience = frozenset([audience] if isinstance(audience, str) else audience)
        if not issuer or not self._audience or not all(self._audience):
            raise SecurityError(
                "tokens need an issuer and an audience that they have to name; say which ones those are"
            )
        if not 0 <= leeway <= MOST_LEEWAY:
            raise SecurityError(
                f"the leeway for tokens is 0 to {MOST_LEEWAY:g} seconds; set the clocks right rather than more"
            )
        self._leeway = leeway
        self._roles = (roles_claim,) if isinstance(roles_claim, str) else tuple(roles_claim or ())
        self._spaced = spaced_roles
        self._required = (*ALWAYS, *required)
        self._clock = clock

    @classmethod
    def from_text(cls, argument: str) -> Self:
        """As `argument`, the path of a TOML file, says (docs/how-to/authenticate-with-tokens.md).

        Raises SecurityError.
        """
        settings = read_settings(argument)
        try:
            return cls(
                settings.keys(),
                issuer=settings.issuer,
                audience=settings.audience,
                algorithms=settings.algorithms,
                leeway=settings.leeway,
                roles_claim=settings.roles_claim,
                spaced_roles=settings.spaced_roles,
            )
        except SecurityError as error:
            raise SecurityError(f"{settings.where}: {error}") from None

    async def start(self) -> None:
        """As in `Plugin`: there have to be keys to begin with; fetches them where they are at a URL."""
        await self._source.check()

    async def authenticate(self, attempt: Attempt) -> Identity | Refusal:
        """As in `Authenticator`."""
        try:
            return await self._judge(attempt.proof)
        except Refused as refused:
            return Refusal(refused.reason)

    async def _judge(self, proof: bytes) -> Identity:
        token = read_token(proof)
        if token.algorithm not in self._algorithms:
            raise Refused("the token is signed with an algorithm that is not accepted")
        keys = await self._source.keys()
        if not any(key.fits(token) for key in keys):
            keys = await self._source.newer()
        if not keys:
            raise Refused("the keys of the issuer can't be had")
        return self._identity(verified_claims(token, keys))

    def _identity(self, claims: dict[str, Any]) -> Identity:
        """Whom claims name that are known to be the issuer's own. Raises Refused."""
        for name in self._required:
            if claims.get(name) is None:
                raise Refused(f"the token has no {name}" if name in ALWAYS else "the token lacks a claim")
        if claims["iss"] != self._issuer:
            raise Refused("the token is of another issuer")
        if not self._audience.intersection(_texts(claims["aud"], "aud")):
            raise Refused("the token is for another audience")
        subject = claims["sub"]
        if not is_name(subject):
            raise Refused("the subject of the token is no text of 1 to 255 printable characters")
        return Identity(
            subject,
            "bearer",
            issuer=self._issuer,
            roles=self._roles_of(claims),
            expires=datetime.fromtimestamp(self._check_times(claims), UTC),
            claims=MappingProxyType(dict(claims)),
        )

    def _check_times(self, claims: dict[str, Any]) -> float:
        """The moment from which on the token counts no more."""
        now = self._clock()
        end = _moment(claims, "exp") + self._leeway
        if now >= end:
            raise Refused("the token has expired")
        if "nbf" in claims and _moment(claims, "nbf") > now + self._leeway:
            raise Refused("the token does not count yet")
        if "iat" in claims and _moment(claims, "iat") > now + self._leeway:
            raise Refused("the token was made in the future")
        return end

    def _roles_of(self, claims: dict[str, Any]) -> frozenset[str]:
        if not self._roles:
            return frozenset()
        value: Any = claims
        for name in self._roles:
            within = as_object(value)
            if within is None:
                raise Refused("the roles of the token are not where they should be")
            value = within.get(name)
            if value is None:
                return frozenset()
        if self._spaced:
            if not isinstance(value, str):
                raise Refused("the roles of the token are not one text")
            value = value.split()
        elif not isinstance(value, list):
            raise Refused("the roles of the token are no array of texts")
        roles = _texts(value, "roles")
        if not all(map(is_name, roles)):
            raise Refused("a role of the token is no text of 1 to 255 printable characters")
        return frozenset(roles)


class _Shared(KeySource):
    """The one key of an issuer that shares a secret with this side."""

    def __init__(self, key: Key) -> None:
        self._keys = (key,)

    async def keys(self) -> Sequence[Key]:
        return self._keys

    async def newer(self) -> Sequence[Key]:
        return self._keys

    async def check(self) -> None:
        pass


def _checked_algorithms(algorithms: Collection[str], *, secret: bool) -> frozenset[str]:
    if isinstance(algorithms, str) or not algorithms:
        raise SecurityError('the algorithms for tokens are a list of at least one, as in ["ES256"]')
    kind, allowed = ("a shared secret", SYMMETRIC) if secret else ("public keys", ASYMMETRIC)
    for algorithm in algorithms:
        if algorithm.lower() == "none":
            raise SecurityError(
                "the algorithm none leaves tokens unsigned, so that anyone could make them; take it out"
            )
        if algorithm not in allowed:
            raise SecurityError(f"an algorithm for tokens with {kind} is one of {', '.join(allowed)}")
    return frozenset(algorithms)


def _moment(claims: dict[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refused(f"the {name} of the token is no number")
    if not 0 <= value <= _LAST:
        raise Refused(f"the {name} of the token is no moment that can be")
    return value


def _texts(value: Any, name: str) -> list[str]:
    """A claim that is a text or an array of texts."""
    listed = as_array(value)
    if listed is None:
        listed = [value]
    if not all(isinstance(each, str) for each in listed):
        raise Refused(f"the {name} of the token is neither a text nor an array of texts")
    return listed
