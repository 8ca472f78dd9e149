"""The user name and the password for a proxy that a client goes out through: never in a URL, never in a repr."""

from __future__ import annotations

from typing import Self

from .errors import CredentialError, SecurityError
from .secret_source import one_source, split_source
from .watched import File

WHAT = "the proxy login"


class ProxyLogin:
    """`user:password` for a proxy, from a `file` or from a variable of the `environment`; exactly one of the two.

    Read at each dialling, so a new password is taken over. Raises SecurityError.
    """

    def __init__(self, *, file: File | None = None, environment: str | None = None) -> None:
        source = one_source(file, environment)
        if source is None:
            raise SecurityError("a proxy login comes from a file or a variable of the environment; name one")
        self._source = source

    @classmethod
    def from_text(cls, argument: str) -> Self:
        """From `file:PATH` or `env:NAME`. Raises SecurityError."""
        file, environment = split_source(argument, "")
        return cls(file=file, environment=environment)

    def __call__(self) -> tuple[str, str]:
        """User name and password as they are now. Raises CredentialError."""
        user, colon, password = self._source.read(WHAT).partition(":")
        if not (user and colon and password):
            raise CredentialError(
                f"{WHAT} is not a user name, a colon and a password; write it as user:password"
            )
        return user, password
