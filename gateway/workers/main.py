"""The program that a worker process runs: it imports the user's code, and answers its gateway and nobody else.

    python -m graftwire.gateway.workers.main CONTROL CHANNEL LIFE GATEWAY

Three descriptors come from the gateway: a socket for the session in which the worker is told what to host; a socket
over which the gateway passes one of its own for each client; and a pipe that ends when the gateway is no more. The
fourth argument is the number of its process.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from typing import Any, Final

import trio

from graftwire.protocol import values
from graftwire.protocol.connection import Role
from graftwire.protocol.errors import ErrorCode, Unauthenticated, UnknownTarget
from graftwire.transport.incoming import IncomingCall
from graftwire.transport.session import Session
from graftwire.transport.sockets import SocketLink

from ..configuration.errors import ConfigurationError
from ..problems import InterfaceError
from .description import describe, load
from .hosting import Hosting
from .inside import CONTROL, MOST_CALLS, OWN, PATIENT, for_mirrors
from .introduction import Introduction, from_bytes
from .life import end_with
from .mirror import failure

LARGEST_INTRODUCTION: Final = 131_072  # bytes


class Control:
    """Answers the gateway in the control session: transport.Receiver."""

    def __init__(self) -> None:
        self.hosting = Hosting()

    def arrived(self, call: IncomingCall) -> None:
        """It is the gateway; who else."""

    def answer(self, call: IncomingCall) -> bytes | None:
        """Host what the gateway names; the answer is what is hosted, or what is wrong with it.

        It is imported here, before anything else can run: code that is imported may expect to have the process alone.
        """
        if call.target != "start":
            raise UnknownTarget
        (name, what, path, allow_untyped), _ = values.decode_arguments(call.body)
        arguments: tuple[Any, ...] = (name, what, path, allow_untyped)
        return values.encode(self._start(*arguments))

    def _start(self, name: str, what: str, path: list[bytes], allow_untyped: bool) -> list[object]:
        sys.path[:] = map(os.fsdecode, path)
        try:
            description, methods = describe(name, load(what), allow_untyped=allow_untyped)
        except InterfaceError as error:
            return [False, list(error.problems)]
        except ConfigurationError as error:
            return [False, [str(error)]]
        self.hosting.add(methods)
        # as the command line does for a gateway; code that has said something else when it was imported keeps that
        logging.basicConfig(
            stream=sys.stderr,
            level=logging.WARNING,
            format=f"%(asctime)s %(levelname)s %(name)s: worker {os.getpid()}: %(message)s",
        )
        return [True, description.plain()]

    async def handle(self, call: IncomingCall) -> bytes:
        """Nothing takes time here."""
        raise UnknownTarget

    def failure(self, call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes | None]:
        """What the gateway is told."""
        return failure(call, error)

    async def authenticate(self, session: Session, scheme: str, proof: bytes) -> bytes | None:
        """There is nothing to prove."""
        raise Unauthenticated


async def run(control: int, channel: int) -> None:
    """Work until the gateway ends the control session."""
    receiver = Control()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_take_sessions, socket.socket(fileno=channel), receiver.hosting)
        link = SocketLink(socket.socket(fileno=control), OWN)
        await Session(link, Role.ACCEPTOR, limits=CONTROL, receiver=receiver, timing=PATIENT).run()
        nursery.cancel_scope.cancel()


async def _take_sessions(channel: socket.socket, hosting: Hosting) -> None:
    channel.setblocking(False)
    async with trio.open_nursery() as nursery:
        while True:
            await trio.lowlevel.wait_readable(channel)
            try:
                data, descriptors, _, _ = socket.recv_fds(channel, LARGEST_INTRODUCTION, 1)
            except BlockingIOError:
                continue
            # without a descriptor there was no room for one here; the gateway sees that the session has ended
            for descriptor in descriptors:
                nursery.start_soon(_serve, socket.socket(fileno=descriptor), from_bytes(data), hosting)


async def _serve(sock: socket.socket, client: Introduction, hosting: Hosting) -> None:
    receiver = hosting.receiver()
    limits = for_mirrors(MOST_CALLS, client.stream_credit, client.session_credit)
    link = SocketLink(sock, client.facts)
    await Session(link, Role.ACCEPTOR, limits=limits, receiver=receiver, timing=PATIENT).run()


def _leave_signals_to_the_gateway() -> None:
    """What is sent to all processes of a service is for the gateway to answer: running calls have their time there.

    A handler that does nothing, in place of SIG_IGN, which what the user's code starts would inherit.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, frame: None)


def main() -> None:
    """Run the program."""
    control, channel, life, gateway = map(int, sys.argv[1:])
    for descriptor in (control, channel, life):
        os.set_inheritable(descriptor, False)  # what the user's code starts has no part in this
    end_with(life, gateway)
    _leave_signals_to_the_gateway()
    sys.argv[:] = [""]
    trio.run(run, control, channel)


if __name__ == "__main__":
    main()
