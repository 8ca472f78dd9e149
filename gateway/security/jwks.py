"""Where the keys of an issuer come from: a file, or the address at which it publishes them."""

from __future__ import annotations

import logging
import math
import os
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final

import trio

from . import fetching
from .errors import SecurityError
from .jose import Key, read_key_set, require_library
from .watched import PAUSE, File, Watched

LARGEST_SET: Final = 262_144  # bytes of a key set

_logger = logging.getLogger("graftwire.gateway")


class KeySource(ABC):
    """Where keys that verify tokens come from."""

    @abstractmethod
    async def keys(self) -> Sequence[Key]:
        """The keys in force. Empty where there are none; never raises."""

    @abstractmethod
    async def newer(self) -> Sequence[Key]:
        """The same, after none of `keys` fitted a token: its key may be new. The work has to be bounded."""

    @abstractmethod
    async def check(self) -> None:
        """Raises SecurityError if there are no keys to begin with."""


class JwksFile(KeySource):
    """The keys of a JWK Set in a file, which is read again when it changes.

    Nobody but its owner may be able to write to it. Raises SecurityError if it can't be used. Later that is a warning
    in the log, and the keys that were read before stay in force. The file is looked at no more than once in `pause`
    seconds of `clock`.
    """

    def __init__(
        self, path: File, *, pause: float = PAUSE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        require_library()
        name = os.fspath(path)

        def make(contents: Sequence[bytes]) -> tuple[Key, ...]:
            return read_key_set(contents[0], f"the key set {name}")

        self._file = Watched(
            (path,), make, "the key set", largest=LARGEST_SET, guarded=True, pause=pause, clock=clock
        )

    async def keys(self) -> Sequence[Key]:
        """As in `KeySource`."""
        return self._file.value()

    async def newer(self) -> Sequence[Key]:
        """As in `KeySource`: `keys` has looked already."""
        return self._file.value()

    async def check(self) -> None:
        """As in `KeySource`: done when it was made."""


class JwksUrl(KeySource):
    """The keys of a JWK Set that an issuer publishes, fetched when they are first needed.

    `url` begins with `https://`; `tls` is the context that checks who answers, None: against the public roots. With
    `plain_loopback` it may begin with `http://` where the host is this machine itself.

    Keys are fetched anew when they are older than `lifetime` seconds, or when a token names a key that is not among
    them, but at most once in `pause` seconds, however many tokens come. One fetch gets `seconds`, and 256 KiB; it goes
    on where who asked for it is cancelled. While it fails (a warning in the log, once until it works again) the keys
    from before stay in force, until they are `longest` seconds old. Times are those of `clock`. Raises SecurityError
    for a URL or a context that won't do.
    """

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        lifetime: float = 300.0,
        longest: float = 86_400.0,
        pause: float = 30.0,
        seconds: float = 4.0,
        plain_loopback: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        require_library()
        if not 0 < pause <= lifetime <= longest or not 0 < seconds < math.inf:
            raise SecurityError(
                "the times of a key set by URL are in order when 0 < pause <= lifetime <= longest and 0 < seconds"
            )
        self._where = fetching.source(url, plain_loopback=plain_loopback)
        self._tls = fetching.checked_context(tls)
        self._lifetime = lifetime
        self._longest = longest
        self._pause = pause
        self._seconds = seconds
        self._clock = clock
        self._keys: tuple[Key, ...] = ()
        self._fetched = -math.inf
        self._tried = -math.inf
        self._warned = False
        self._fetching = trio.Lock()

    async def keys(self) -> Sequence[Key]:
        """As in `KeySource`."""
        # one task fetches; the others go on meanwhile with what there is
        if self._age() >= self._lifetime and not (self._in_force() and self._fetching.locked()):
            await self._refresh()
        return self._in_force()

    async def newer(self) -> Sequence[Key]:
        """As in `KeySource`."""
        await self._refresh()
        return self._in_force()

    async def check(self) -> None:
        """Fetch the keys now, whenever that was done last. Raises SecurityError if they can't be had."""
        async with self._fetching:
            self._tried = self._clock()
            await self._fetch()

    def _age(self) -> float:
        return self._clock() - self._fetched

    def _in_force(self) -> tuple[Key, ...]:
        return self._keys if self._age() < self._longest else ()

    async def _refresh(self) -> None:
        """Fetch, unless that was tried a moment ago. Who comes meanwhile waits for the outcome of that one."""
        async with self._fetching:
            if self._clock() - self._tried < self._pause:
                return
            self._tried = self._clock()  # before: a fetch that fails counts as well
            try:
                # Shielded, and bounded by its own seconds: it is done for everybody, so a stranger who asks for a key
                # that there is not, and goes away, must not take along the one fetch of this while.
                with trio.CancelScope(shield=True):
                    await self._fetch()
            except SecurityError as error:
                if not self._warned:
                    _logger.warning("%s", error)
                self._warned = True

    async def _fetch(self) -> None:
        where = f"the key set at {self._where.text}"
        try:
            data = await fetching.fetch(self._where, self._tls, seconds=self._seconds, largest=LARGEST_SET)
        except fetching.FetchError as error:
            raise SecurityError(f"{where} can't be fetched: {error}") from None
        self._keys = read_key_set(data, where)
        self._fetched = self._clock()
        self._warned = False
