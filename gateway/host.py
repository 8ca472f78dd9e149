"""What is hosted: the table of everything that can be called, and the arguments of a call made ready for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import isroutine
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from graftwire.protocol import values
from graftwire.protocol.errors import BadArguments, ErrorCode, UnknownTarget, ValueRefused
from graftwire.transport.incoming import IncomingCall
from graftwire.transport.references import ByReference, Passed

from .answering import Answering, Plain
from .discovery import DESCRIBE, Discovery
from .interface import Method, methods_of
from .metadata.share import Shared, share
from .running import Items, Runner
from .security.guard import Guard

if TYPE_CHECKING:
    from .workers.pool import Pool

THREADS: Final = 40  # plain `def` handlers that run at once


class Forwarded:
    """A method that runs elsewhere: in one of the processes of `pool`, or, if that is None, where an object is."""

    __slots__ = ("how", "pool", "shape")

    def __init__(self, pool: Pool | None, shape: int) -> None:
        self.pool = pool
        self.shape = shape
        self.how: Literal["elsewhere"] = "elsewhere"

    def hold(self) -> None:
        """A call is for it: where it runs goes on until `release`, whatever a reload says meanwhile."""
        if self.pool is not None:
            self.pool.hold()

    def release(self) -> None:
        """The call that was held is over."""
        if self.pool is not None:
            self.pool.release()


class Forwarder(Protocol):
    """Passes the calls of one session on to where they run."""

    async def call(self, call: IncomingCall, method: Forwarded, plain: Plain | None) -> bytes:
        """Run a call and return its encoded result; `plain` are its arguments, where they were decoded."""
        ...

    def failure(self, call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes | None]:
        """What the caller is told of what `call` has raised."""
        ...

    def close(self) -> None:
        """The session is over."""
        ...


class Elsewhere(NamedTuple):
    """What is hosted, and runs elsewhere.

    `shared` is the metadata by name; `methods` are by target, and so are `rules`, the roles that stand beside the code;
    `forwarder` makes who passes the calls of a session on.
    """

    shared: Mapping[str, Shared]
    methods: Mapping[str, Forwarded]
    rules: Mapping[str, frozenset[str]]
    forwarder: Callable[[], Forwarder]


class Host:
    """What a gateway hosts, or a client for the gateway that it calls; `receiver` makes what answers one session.

    `services` maps names to objects (or classes, for their static methods); `guard` decides who may call them.
    References that were given out can always be called, by who they were given to. `threads` bounds how many plain
    `def` handlers run at once. `changes`: `become` may be called, so that who may call can change while a call runs.
    `elsewhere` is what is hosted as well, and runs elsewhere.
    """

    def __init__(
        self,
        services: Mapping[str, object] | None = None,
        *,
        guard: Guard,
        threads: int = THREADS,
        changes: bool = False,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.guard = guard
        self.changes = changes
        self._count = threads
        self.runner = Runner(threads)
        self.shared = share(services or {})
        self.methods: dict[str, Method | Forwarded] = {}
        for name, hosted in (services or {}).items():
            self.methods |= methods_of(hosted, name)
        self._forwarder = None if elsewhere is None else elsewhere.forwarder
        if elsewhere is not None:
            self.shared |= elsewhere.shared
            self.methods |= elsewhere.methods
        self.targets = sorted(self.methods)
        """Everything of the user's that can be called by name."""
        if self.methods:
            self.methods[DESCRIBE] = Method(DESCRIBE, Discovery(self.shared, self.targets, guard).describe)

    def become(self, other: Host) -> None:
        """Host what another one would, under its guard, from the next call on; calls that run go on."""
        self.guard, self.shared = other.guard, other.shared
        self.methods, self.targets = other.methods, other.targets
        # where nothing runs elsewhere any more, calls may be on their way there all the same
        self._forwarder = other._forwarder or self._forwarder
        self._count = other._count
        self.runner.resize(self._count)

    def receiver(self) -> Answering:
        """What answers the calls of one session."""
        return Answering(self)

    def forwarder(self) -> Forwarder:
        """What passes the calls of one session on to where they run; only where something runs elsewhere."""
        assert self._forwarder is not None
        return self._forwarder()

    def look_up(self, call: IncomingCall) -> Method | Forwarded:
        """What a call is for. Raises UnknownTarget, or BadArguments for another shape than the method's."""
        target = call.target
        method = self.methods.get(target) if isinstance(target, str) else _of_reference(call, target[1])
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


def _of_reference(call: IncomingCall, name: str) -> Method | Forwarded | None:
    referent = call.referent
    if isinstance(referent, Passed):
        return Forwarded(None, call.shape)  # its owner says whether there is such a method
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
