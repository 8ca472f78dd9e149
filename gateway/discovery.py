"""`graftwire.describe`: what a caller may see of what is hosted (spec/PROTOCOL.md, "Discovery").

It gives metadata, and nothing else ever leaves a gateway about what it hosts (promises P3, P4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from graftwire.transport.context import current_call

from .metadata.share import Shared
from .security.guard import Guard, Refused
from .security.identity import Standing
from .security.plugins import Request

DESCRIBE: Final = "graftwire.describe"


class Discovery:
    """Answers `graftwire.describe` for the hosted interfaces `shared`; `targets` are all that can be called by name."""

    def __init__(self, shared: Mapping[str, Shared], targets: Iterable[str], guard: Guard) -> None:
        self._shared = shared
        self._guard = guard
        self._targets: dict[str, list[str]] = {name: [] for name in shared}
        for target in targets:
            self._targets[target.rpartition(".")[0]].append(target)

    async def describe(
        self, digest: bytes | None = None
    ) -> list[tuple[str, str | None, bytes]] | bytes | None:
        """Name, version and digest of each interface that the caller may see; with a digest, that one's metadata.

        None for a digest that the caller may not see, or that there is not.
        """
        if digest is None:
            return [
                (shared.name, shared.version, shared.digest)
                for name, shared in sorted(self._shared.items())
                if await self._may_see(name)
            ]
        for name, shared in self._shared.items():
            if shared.digest == digest and await self._may_see(name):
                return shared.encoded
        return None

    async def _may_see(self, name: str) -> bool:
        """Whether the caller may call a method of an interface, as far as that can be said without arguments."""
        call = current_call.get()
        standing = None if call is None else call.standing
        if call is None or not isinstance(standing, Standing):
            return False
        for target in self._targets[name]:
            try:
                await self._guard.authorise(
                    Request(standing.identity, target, call.session.facts, discovery=True)
                )
            except Refused:
                continue
            return True
        return False
