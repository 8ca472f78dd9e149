"""Where a credential's secret comes from: a file, or a variable of the environment; never the command line."""

from __future__ import annotations

import logging
import os
import re
import stat
from abc import ABC, abstractmethod
from typing import Final

from .errors import CredentialError, SecurityError
from .watched import File, read

LONGEST: Final = 8_192  # characters, as a proof (clause AUTH-8)

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_logger = logging.getLogger("graftwire.gateway")


class SecretSource(ABC):
    """Where a secret comes from. `what` names it in sentences, as in "the token"."""

    @abstractmethod
    def read(self, what: str) -> str:
        """The secret as it is now. Raises CredentialError."""


class SecretFile(SecretSource):
    """A secret in a file, read at each use: one line, or nothing but it.

    A file that others may write to is refused: what it holds could be anybody's. One that others may read gets a
    warning in the log, once, and not more: tokens that an orchestrator puts into a container are like that.
    """

    def __init__(self, path: File) -> None:
        self.path: str = os.path.abspath(os.fspath(path))
        self._warned = False

    def read(self, what: str) -> str:
        """As in `SecretSource`."""
        try:
            # one byte more for the end of the line, two where it was written on Windows
            data = read(self.path, f"the file of {what}", largest=LONGEST + 2, guarded=True)
        except SecurityError as error:
            raise CredentialError(str(error)) from None
        if not self._warned and self._everyone_reads():
            self._warned = True
            _logger.warning(
                "the file of %s %s can be read by everyone; chmod 600 keeps it private", what, self.path
            )
        return checked(data.decode("latin-1"), what, f"the file {self.path}")

    def _everyone_reads(self) -> bool:
        try:
            return bool(os.stat(self.path).st_mode & stat.S_IROTH)
        except OSError:
            return False


class SecretVariable(SecretSource):
    """A secret in a variable of the environment, read at each use."""

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self, what: str) -> str:
        """As in `SecretSource`."""
        value = os.environ.get(self.name)
        if value is None:
            raise CredentialError(
                f"{what} should be in the environment variable {self.name}, which is not set; set it"
            )
        return checked(value, what, f"the environment variable {self.name}")


def checked(text: str, what: str, where: str) -> str:
    """A secret without the space around it. Raises CredentialError where it is none; `where` says where it was."""
    text = text.strip()
    if not text:
        raise CredentialError(f"{what} is missing: {where} is empty; put it there")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise CredentialError(f"{what} in {where} has characters that it can't have; check what is there")
    if len(text) > LONGEST:
        raise CredentialError(f"{what} in {where} is longer than {LONGEST} characters; check what is there")
    return text


def split_source(argument: str, scheme: str) -> tuple[str | None, str | None]:
    """The file and the variable of the environment, one of which `file:PATH` or `env:NAME` names.

    `scheme` is what stood before it, if anything. Raises SecurityError for anything else, and does not repeat it: it
    may be the secret itself.
    """
    kind, _, rest = argument.partition(":")
    if kind == "file" and rest:
        return rest, None
    if kind == "env" and _VARIABLE.fullmatch(rest):
        return None, rest
    before = f"{scheme}:" if scheme else ""
    raise SecurityError(
        f"a credential is named by where it is: {before}file:PATH or {before}env:NAME; the secret itself has "
        "no place here"
    )


def one_source(file: File | None, environment: str | None) -> SecretSource | None:
    """The source that one of the two arguments names, None if neither. Raises SecurityError for both."""
    if file is not None and environment is not None:
        raise SecurityError("a credential comes from one place; give a file or a variable of the environment")
    if file is not None:
        return SecretFile(file)
    return None if environment is None else SecretVariable(environment)
