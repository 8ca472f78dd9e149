"""What a worker hosts, and what answers the calls that its gateway passes on."""

from __future__ import annotations

from typing import Final

from graftwire.protocol.errors import Unauthenticated, ValueRefused
from graftwire.transport.incoming import IncomingCall

from ..answering import Answering
from ..host import Host
from ..interface import Method
from ..security.anonymous import Anonymous
from ..security.guard import Guard
from ..security.identity import Standing
from .standing import SCHEME, standing_from

THREADS: Final = 40  # plain `def` handlers that run at once in one worker


class _NobodyAsks(Guard):
    """The gateway has asked all who have to be asked, and has written down what they said."""

    @property
    def asks_nobody(self) -> bool:
        return True


class Hosting:
    """What is hosted; `receiver` makes what answers the calls of one session."""

    def __init__(self) -> None:
        self._host = Host(guard=_NobodyAsks(Anonymous()), threads=THREADS)

    def add(self, methods: dict[str, Method]) -> None:
        """Host these, by their targets."""
        self._host.methods |= methods

    def receiver(self) -> Answering:
        """What answers one session of the gateway's."""
        return _Trusting(self._host)


class _Trusting(Answering):
    """Takes the gateway's word for who calls: nobody else can write to its links."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._proof = b""
        self._known: Standing | None = None

    def arrived(self, call: IncomingCall) -> None:
        """Who calls is in the call's credential, and nowhere else."""
        if call.credential is None:
            return
        scheme, proof = call.credential
        if proof != self._proof or self._known is None:
            try:
                if scheme != SCHEME:
                    return
                self._known = standing_from(proof)
            except ValueRefused:
                self._known = None
                return
            self._proof = proof
        call.standing = self._known

    def _admit_unasked(self, call: IncomingCall) -> None:
        """What comes was admitted. Raises Unauthenticated for a name that nobody calls."""
        if call.standing is None and (call.credential is not None or type(call.target) is str):
            raise Unauthenticated
