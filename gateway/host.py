"""What is hosted: the table of everything that can be called, and the arguments of a call made ready for it."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isroutine
from typing import Any, Final

from graftwire.protocol import values
from graftwire.protocol.errors import BadArguments, UnknownTarget, ValueRefused
from graftwire.transport.incoming import IncomingCall
from graftwire.transport.references import ByReference

from .answering import Answering, Plain
from .discovery import DESCRIBE, Discovery
from .interface import Method, methods_of
from .metadata.share import share
from .running import Items, Runner
from .security.guard import Guard

THREADS: Final = 40  # plain `def` handlers that run at once


class Host:
    """What a gateway hosts, or a client for the gateway that it calls; `receiver` makes what answers one session.

    `services` maps names to objects (or classes, for their static methods); `guard` decides who may call them.
    References that were given out can always be called, by who they were given to. `threads` bounds how many plain
    `def` handlers run at once.
    """

    def __init__(
        self, services: Mapping[str, object] | None = None, *, guard: Guard, threads: int = THREADS
    ) -> None:
        self.guard = guard
        self.runner = Runner(threads)
        self.shared = share(services or {})
        self.methods: dict[str, Method] = {}
        for name, hosted in (services or {}).items():
            self.methods |= methods_of(hosted, name)
        self.targets = sorted(self.methods)
        """Everything of the user's that can be called by name."""
        if self.methods:
            self.methods[DESCRIBE] = Method(DESCRIBE, Discovery(self.shared, self.targets, guard).describe)

    def receiver(self) -> Answering:
        """What answers the calls of one session."""
        return Answering(self)

    def look_up(self, call: IncomingCall) -> Method:
        """What a call is for. Raises UnknownTarget, or BadArguments for another shape than the method's."""
        target = call.target
        method = (
            self.methods.get(target) if isinstance(target, str) else _of_reference(call.referent, target[1])
        )
        if method is None:
            raise UnknownTarget
        if call.shape != method.shape:
            raise BadArguments("shape")
        return method

    def digest_of(self, target: object) -> str | None:
        """The digest of the metadata of the interface that a target belongs to, in hex; None if it is of none."""
        shared = self.shared.get(target.rpartition(".")[0]) if isinstance(target, str) else None
        return None if shared is None else shared.digest.hex()

    @staticmethod
    def decode(call: IncomingCall) -> Plain:
        """The arguments as plain values. Raises BadArguments."""
        try:
            return values.decode_arguments(call.body, reference=call.session.references.arrived_with(call))
        except ValueRefused as refused:
            raise BadArguments(_path_of(refused)) from refused

    @staticmethod
    def bind(call: IncomingCall, method: Method, plain: Plain) -> tuple[list[Any], dict[str, Any]]:
        """The arguments as the method takes them. Raises BadArguments."""
        args, kwargs = method.bind(*plain)
        if method.stream_parameter is not None:
            kwargs[method.stream_parameter] = Items(call, method)
        return args, kwargs


def _of_reference(referent: object, name: str) -> Method | None:
    if isinstance(referent, ByReference):
        if not isroutine(referent.target):
            return methods_of(referent.target, "").get("." + name)
        referent = referent.target  # a function that can be withdrawn
    return Method("", referent) if name == "" and callable(referent) else None


def _path_of(refused: ValueRefused) -> str:
    """The path of *bad-arguments* for a body that breaks section 16: from the positional argument, if it is in one.

    The names of named arguments are data of the caller, and so is everything behind them.
    """
    if refused.path.startswith("[0]["):
        return "arguments" + refused.path.removeprefix("[0]")
    return "arguments" if refused.path.startswith(("[0]", "[1]")) else ""
