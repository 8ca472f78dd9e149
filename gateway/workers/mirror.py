"""One client session and one worker: the session in which the client's calls run there."""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from graftwire.protocol import values
from graftwire.protocol.connection import Role
from graftwire.protocol.errors import (
    CallError,
    ErrorCode,
    Overloaded,
    SessionError,
    Unauthenticated,
    Unavailable,
    UnknownTarget,
)
from graftwire.protocol.failures import error_to_wire
from graftwire.transport.incoming import IncomingCall
from graftwire.transport.references import Passed
from graftwire.transport.session import Session
from graftwire.transport.sockets import SocketLink

from ..running import incident
from .inside import OWN, PATIENT, for_mirrors
from .passing import Passage, Relayed, Violated

_log: Final = logging.getLogger("graftwire.gateway")


class Mirror:
    """The session with a worker that goes with a client's; `run` it.

    `passed`: its other end has been handed to the worker; before, nothing of it can have run.
    """

    def __init__(self, client: Session, sock: socket.socket) -> None:
        limits = for_mirrors(
            # A handler that calls back at the limit fails there at once, as it would here (see Calling).
            calls_in_flight=client.peer_limits.calls_in_flight,
            # What the client does not read stays with who sends it, as it would here.
            stream_credit=client.peer_limits.stream_credit,
            session_credit=client.peer_limits.session_credit,
        )
        self._sock = sock
        self.session = Session(
            SocketLink(sock, OWN), Role.INITIATOR, limits=limits, receiver=_Backward(self), timing=PATIENT
        )
        self.passage = Passage(client, self.session)
        self.passed = False

    async def run(self, hand_over: Callable[[], Awaitable[bool]]) -> None:
        """Hand the other end over, and live until one of the two sessions is over.

        `hand_over` returns whether the worker has it, or will.
        """
        try:
            self.passed = await hand_over()
            if self.passed:
                await self.session.run()
        finally:
            self.session.close()  # where it never ran, for those who wait for an answer
            self._sock.close()
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
        open_calls, _ = passage.client.calls_in_flight
        if open_calls >= passage.client.peer_limits.calls_in_flight:
            # other workers call the same client; in a handler waiting would be a deadlock (see Calling)
            raise Overloaded
        return await passage.pass_on(call, passage.client, target, credential=call.credential)

    def failure(self, call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes | None]:
        """What the worker is told."""
        return failure(call, error, "a client that has gone", logging.DEBUG)

    async def authenticate(self, session: Session, scheme: str, proof: bytes) -> bytes | None:
        """A worker proves nothing."""
        raise Unauthenticated


def failure(
    call: IncomingCall,
    error: Exception,
    where: str = "a worker that has ended",
    level: int = logging.ERROR,
) -> tuple[ErrorCode, bytes | None]:
    """What the caller of a call that was passed on is told.

    Where nobody knows whether it ran, that is *internal*: *unavailable* would say that it did not. The log says then
    `where` it may have run, at this level.
    """
    if isinstance(error, Relayed):
        return error.code, error.body
    if isinstance(error, Violated):
        call.session.violated(error.violation, before=error.before)
        return ErrorCode.PROTOCOL, None  # the session ends, so nobody will read this
    if isinstance(error, SessionError | Unavailable):
        if not error.ran:
            return ErrorCode.UNAVAILABLE, None
        number = secrets.token_bytes(8)
        target = call.target if isinstance(call.target, str) else "a reference"
        _log.log(level, "incident %s: %s may have run, or begun to, in %s", number.hex(), target, where)
        return ErrorCode.INTERNAL, values.encode(number)
    if isinstance(error, CallError):
        return error_to_wire(error)
    return incident(call, error)
