"""Keeping up a session: with the next address where one is lost, and later again where none answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import trio

from graftwire.gateway.security.errors import CredentialError
from graftwire.protocol.errors import (
    ConnectError,
    Error,
    LinkError,
    SessionError,
    TlsError,
    Unauthenticated,
    Unavailable,
    VersionMismatch,
)
from graftwire.transport.session import Session
from graftwire.transport.url import Url

from .dialler import Dialler
from .retry import Retry

_log: Final = logging.getLogger("graftwire.client")

Failed = tuple[Url, Exception]


class _Address:
    """An address, and whether the last thing that is known of it is that it did not serve."""

    def __init__(self, url: Url) -> None:
        self.url = url
        self.failed = False


class Effort:
    """The rounds through all addresses of a place until one gives a session. `failed`: what went wrong in the last."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.made = 0
        self.over = False
        self.hopeless = False
        self.failed: list[Failed] = []
        self.scope = trio.CancelScope()


class Place:
    """Where one session at a time is kept up, with one of `urls`.

    What did not serve the last time is tried after the others, which come in the order given. Without `retry` a
    session that is gone stays gone. `changed` is called when there is a session again, or none came about.
    """

    def __init__(
        self, urls: Sequence[Url], dialler: Dialler, retry: Retry | None, changed: Callable[[], None]
    ) -> None:
        self.session: Session | None = None
        self._addresses = [_Address(url) for url in urls]
        self._dialler = dialler
        self._retry = retry
        self._changed = changed
        self._effort: Effort | None = None
        self._again = 0.0  # when a place that did not come about is tried again, on trio's clock
        self._short = 0  # sessions in a row that were gone soon

    @property
    def usable(self) -> bool:
        """Whether there is a session that takes calls."""
        return self.session is not None and self.session.usable

    def fill(self, rounds: int) -> Effort:
        """See to it that there is a session, in so many rounds at least; an effort under way is joined."""
        effort = self._effort
        if effort is None:
            effort = self._effort = Effort(rounds)
            self._dialler.start(self._fill, effort)
        effort.rounds = max(effort.rounds, rounds)
        return effort

    def fill_again(self) -> None:
        """`fill` with one round, where the last effort was in vain long enough ago."""
        if self._effort is None and trio.current_time() >= self._again:
            self.fill(1)

    def stop(self) -> None:
        """Make no more effort."""
        if self._effort is not None:
            self._effort.scope.cancel()

    async def _fill(self, effort: Effort) -> None:
        try:
            with effort.scope:
                await self._rounds(effort)
        finally:  # cancelled as well: a call of a task outside may wait for it
            self._effort = None
            effort.over = True
            self._changed()

    async def _rounds(self, effort: Effort) -> None:
        if self._retry is not None and self._short > 1:
            await trio.sleep(self._retry.pause(self._short - 1))
        while not await self._round(effort):
            effort.made += 1
            effort.hopeless = not any(isinstance(e, LinkError | Unavailable) for _, e in effort.failed)
            if self._retry is None or effort.hopeless or effort.made >= effort.rounds:
                self._again = trio.current_time() + (self._retry.most if self._retry is not None else 0)
                break
            await trio.sleep(self._retry.pause(effort.made))

    async def _round(self, effort: Effort) -> bool:
        """Try each address once until one gives a session; whether one did."""
        effort.failed = []
        for address in sorted(self._addresses, key=lambda each: each.failed):
            try:
                session = await self._dialler.dial(address.url)
            except Exception as error:  # noqa: BLE001 - whoever waits for the session raises it, whatever it is
                address.failed = True
                effort.failed.append((address.url, error))
                if not isinstance(error, Error):
                    _log.error("dialling %s failed in a way that is a defect", address.url, exc_info=error)
                elif len(self._addresses) > 1:
                    _log.info("%s gives no session, so another address is tried: %s", address.url, error)
            else:
                address.failed = False
                self.session = session
                if self._retry is not None:
                    self._dialler.start(self._follow, session, address, self._retry)
                effort.failed = []
                return True
        return False

    async def _follow(self, session: Session, address: _Address, retry: Retry) -> None:
        """Replace a session that takes no more calls; those that it has run to their end on it."""
        start = trio.current_time()
        await session.unusable.wait()
        address.failed = True
        self._short = self._short + 1 if trio.current_time() - start < retry.most else 0
        if not self._dialler.leaving:
            self.fill(retry.attempts + 1)


def told(failed: Iterable[Failed]) -> str:
    """What went wrong at each address, as one text."""
    return "; ".join(f"{url}: {error}" for url, error in failed)


def in_vain(failed: Sequence[Failed]) -> Exception:
    """The error for a first connection that none of the addresses gave."""
    if len(failed) == 1:
        return failed[0][1]
    text = f"none of the {len(failed)} addresses gives a session: {told(failed)}"
    for kind in (TlsError, LinkError, Unauthenticated, CredentialError, SessionError, VersionMismatch):
        if all(isinstance(error, kind) for _, error in failed):
            return ConnectError(text) if kind is LinkError else kind(text)
    return Unavailable(text, ran=False)
