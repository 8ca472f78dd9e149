"""Who this side is, and how that is proved: the security options of commands that call."""

from __future__ import annotations

from graftwire import CredentialProvider, SecurityError
from graftwire.gateway.security import registry

from .failure import Failure
from .secrecy import refuse_secret


def credential(text: str | None) -> CredentialProvider | None:
    """The credential provider that `--credential` names. Raises Failure."""
    if text is None:
        return None
    refuse_secret("--credential", text)
    try:
        return registry.credential(text)
    except SecurityError as error:
        raise Failure(f"--credential: {error}", kind="security") from None
