"""What a security configuration can do wrong, in sentences for whoever wrote it."""

from __future__ import annotations

from graftwire.protocol.errors import Error


class SecurityError(Error):
    """A plugin, or a file that one needs, can't be used; the text names the place and the remedy, never a secret."""


class CredentialError(Error):
    """A credential provider has no proof to give; the text says why, and never holds a secret."""


class SecurityChoiceMissing(Error):
    """A gateway was to start without a choice of who may call it, or of what they may call."""

    def __init__(self, sentence: str | None = None) -> None:
        super().__init__(
            sentence
            or "nobody has said who may call this gateway: add auth=graftwire.Anonymous() to let anyone who reaches it "
            "call everything that it hosts, or an authenticator and allow=…"
        )
