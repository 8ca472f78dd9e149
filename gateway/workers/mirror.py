"""One client session and one worker: the session in which the client's calls run there."""

from __future__ import annotations

import math
import socket
from typing import Final

from graftwire.protocol.connection import Role
from graftwire.protocol.errors import CallError, ErrorCode, Unauthenticated, Unavailable, UnknownTarget
from graftwire.protocol.failures import error_to_wire
from graftwire.protocol.limits import LARGEST_FRAME, LARGEST_MILLISECONDS, Limits
from graftwire.transport.facts import LinkFacts
from graftwire.transport.incoming import IncomingCall
from graftwire.transport.references import Passed
from graftwire.transport.session import Session, Timing
from graftwire.transport.sockets import SocketLink

from ..running import incident, lost
from .passing import Passage, Relayed

OWN: Final = LinkFacts("worker", "gateway", "worker")
MOST_CALLS: Final = 65_536
MOST_BYTES: Final = 2**31 - 1
INSIDE: Final = Limits(
    largest_frame=LARGEST_FRAME,
    calls_in_flight=MOST_CALLS,
    unfinished_body_bytes=MOST_BYTES,
    idle_time=LARGEST_MILLISECONDS,
)
"""What both ends of a link between a gateway and a worker take: whatever the session in front of it has taken."""

PATIENT: Final = Timing(opening=math.inf, stalled=math.inf, slow=math.inf)
"""How long both ends wait for each other: how long a worker may take is what its Worker says, and Process looks."""


class Mirror:
    """The session with a worker that goes with a client's; `run` it."""

    def __init__(self, client: Session, sock: socket.socket) -> None:
        limits = Limits(
            largest_frame=LARGEST_FRAME,
            # A handler that calls back at the limit fails there at once, as it would here (see Calling).
            calls_in_flight=client.peer_limits.calls_in_flight,
            unfinished_body_bytes=MOST_BYTES,
            idle_time=LARGEST_MILLISECONDS,
        )
        self.session = Session(
            SocketLink(sock, OWN), Role.INITIATOR, limits=limits, receiver=_Backward(self), timing=PATIENT
        )
        self.passage = Passage(client, self.session)

    async def run(self) -> None:
        """Live until one of the two sessions is over."""
        try:
            await self.session.run()
        finally:
            self.passage.close()


class _Backward:
    """Answers what a worker calls: objects of the client's, and what it hosts, in the client's session."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def arrived(self, call: IncomingCall) -> None:
        """Nothing has to be known of a worker."""

    def answer(self, call: IncomingCall) -> bytes | None:
        """Every call has to be waited for."""
        return None

    async def handle(self, call: IncomingCall) -> bytes:
        """Pass a call on to the client. Raises Relayed and CallError."""
        passage = self._mirror.passage
        target = call.target if isinstance(call.target, str) else None
        if target is None:
            if not isinstance(call.referent, Passed):
                raise UnknownTarget
            target = passage.referent(call)
            if target is None:
                raise UnknownTarget
        return await passage.pass_on(call, passage.client, target, credential=call.credential)

    def failure(self, call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes | None]:
        """What the worker is told."""
        return failure(call, error)

    async def authenticate(self, session: Session, scheme: str, proof: bytes) -> bytes | None:
        """A worker proves nothing."""
        raise Unauthenticated


def failure(call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes | None]:
    """What the caller of a call that was passed on is told."""
    if isinstance(error, Relayed):
        return error.code, error.body
    if isinstance(error, Unavailable) and error.ran:
        return lost(call, error)
    if isinstance(error, CallError):
        return error_to_wire(error)
    return incident(call, error)


__all__ = ["INSIDE", "OWN", "PATIENT", "Mirror", "failure"]
