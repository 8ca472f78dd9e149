"""The small closed lists that everything in the suite is told in: roles, links, levels."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """Which end of a session somebody is. In a case it is the target's; the runner plays the other one."""

    ACCEPTOR = "acceptor"
    INITIATOR = "initiator"

    @property
    def other(self) -> Role:
        """The other end."""
        return Role.INITIATOR if self is Role.ACCEPTOR else Role.ACCEPTOR


class Link(StrEnum):
    """What carries the bytes, by the scheme of its URLs."""

    TCP = "tcp"
    TLS = "tls"
    WS = "ws"
    WSS = "wss"
    UNIX = "unix"

    @property
    def secure(self) -> bool:
        """Whether it is inside TLS."""
        return self in (Link.TLS, Link.WSS)

    @property
    def websocket(self) -> bool:
        """Whether frames travel in WebSocket messages."""
        return self in (Link.WS, Link.WSS)


class Level(StrEnum):
    """How much a clause asks for, as BCP 14 has it."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


ALL_LINKS: Final = (Link.TCP, Link.TLS, Link.WS, Link.WSS, Link.UNIX)
STREAM_LINKS: Final = (Link.TCP, Link.TLS, Link.UNIX)
MESSAGE_LINKS: Final = (Link.WS, Link.WSS)
TLS_LINKS: Final = (Link.TLS, Link.WSS)
BOTH: Final = (Role.ACCEPTOR, Role.INITIATOR)
