"""Who may call. Nothing is allowed unless it was spelled out (promise P7)."""

from __future__ import annotations

from dataclasses import dataclass

from graftwire.protocol.errors import Error


class SecurityChoiceMissing(Error):
    """A gateway was to start without a choice of who may call it."""

    def __init__(self) -> None:
        super().__init__(
            "nobody has said who may call this gateway: add auth=graftwire.Anonymous() to let anyone who reaches it "
            "call everything that it hosts"
        )


@dataclass(frozen=True, slots=True)
class Anonymous:
    """The choice that anyone who reaches the gateway may call everything that it hosts, without an identity.

    Meant for development, and for links that only trusted programs reach. It accepts no credential: a caller that
    sends one is refused, because nobody here could check it.
    """
