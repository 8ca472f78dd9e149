"""Who this side is, and how that is proved: the security options of commands that call."""

from __future__ import annotations

from typing import Final

from graftwire import CredentialProvider, SecurityError
from graftwire.gateway.security import registry

from .failure import Failure
from .secrecy import refuse_secret

MTLS: Final = "mtls"


def credential(text: str | None, *, certificate: bool) -> CredentialProvider | None:
    """The credential provider that `--credential` names; `certificate`: there is one to show. Raises Failure."""
    if text is None:
        return None
    refuse_secret("--credential", text)
    try:
        found = registry.credential(text)
    except SecurityError as error:
        raise Failure(f"--credential: {error}", kind="security") from None
    if text == MTLS and not certificate:
        raise Failure(
            "--credential mtls is about this side's certificate, and there is none; add --cert FILE --key FILE",
            kind="security",
        )
    return found
