"""What a client calls through: one session or several, made again when they are gone where that was asked for."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Final, Literal, get_args

import trio

from graftwire.gateway.security.plugins import CredentialProvider
from graftwire.gateway.security.proving import Prover
from graftwire.protocol.errors import CallError, Unavailable
from graftwire.transport.raising import fresh
from graftwire.transport.session import Session
from graftwire.transport.url import Url, UrlError, parse

from .dialler import Dialler
from .places import Effort, Place, in_vain, told
from .retry import Retry

Balance = Literal["first", "random", "round-robin"]
"""How calls are spread over several addresses: `connect` says what each of them means."""

BALANCES: Final[tuple[str, ...]] = get_args(Balance)


def addresses(urls: str | Sequence[str], balance: str) -> list[Url]:
    """The addresses of a client, each of them once. Raises UrlError; ValueError for a policy that is not known."""
    if balance not in BALANCES:
        raise ValueError(f"balance is one of {', '.join(BALANCES)}")
    parsed = [parse(url) for url in ([urls] if isinstance(urls, str) else urls)]
    if not parsed:
        raise UrlError("a client needs at least one address to connect to, as in tcp://localhost:7400")
    if len({url.text for url in parsed}) < len(parsed):
        raise UrlError("an address stands twice among those of a client; take one of them out")
    return parsed


class Connection:
    """The sessions that the calls of one client go out by.

    With `balance` "round-robin" there is one for each of `urls`, and calls take turns; otherwise there is one in all.
    """

    def __init__(
        self, urls: Sequence[Url], dialler: Dialler, *, retry: Retry | None = None, balance: str = "first"
    ) -> None:
        urls = random.sample(urls, len(urls)) if balance == "random" else urls
        shares = [[url] for url in urls] if balance == "round-robin" else [urls]
        self.retry = retry
        self._dialler = dialler
        self._places = [Place(share, dialler, retry, self._wake) for share in shares]
        self._several = len(shares) > 1
        self._turn = 0
        self._waiting = trio.lowlevel.ParkingLot()

    @property
    def session(self) -> Session:
        """The session of now, usable or not: the last one that a call went out by, where there are several."""
        places = self._places[self._turn :] + self._places[: self._turn]
        return next(place.session for place in places if place.session is not None)

    def prover_for(self, credential: CredentialProvider, session: Session) -> Prover:
        """What proves to the other side of `session` who this side is, with another provider's proofs."""
        return self._dialler.prover_for(credential, session)

    async def start(self) -> None:
        """Let the credential provider get ready, and connect once: until the first address gives a session.

        Raises SecurityError, LinkError, CredentialError, or CallError if what answers refuses or is no Graftwire peer.
        """
        await self._dialler.get_ready()
        efforts = [place.fill(1) for place in self._places]
        await self._filled(efforts)
        if self.ready() is None:
            failed = [each for effort in efforts for each in effort.failed]
            if failed:
                raise in_vain(failed)

    def ready(self) -> Session | None:
        """The session for the next call, None where none can be had without waiting."""
        if not self._several:
            session = self._places[0].session
            return session if session is not None and session.usable else None
        for step in range(1, len(self._places) + 1):
            turn = (self._turn + step) % len(self._places)
            place = self._places[turn]
            if place.usable:
                self._turn = turn
                return place.session
            if self.retry is not None and not self._dialler.leaving:
                place.fill_again()
        return None

    async def usable(self) -> Session:
        """The session for the next call, made anew where that was asked for.

        Raises Unavailable (nothing ran) if there is none and no `retry`, or if all attempts failed; CallError or
        CredentialError if what answers refuses this side.
        """
        retry = self.retry
        while True:
            session = self.ready()
            if session is not None:
                return session
            if retry is None or self._dialler.leaving:
                raise self._gone()
            efforts = [place.fill(retry.attempts + 1) for place in self._places]
            await self._filled(efforts)
            if all(effort.failed for effort in efforts):
                self._raise(efforts)

    async def _filled(self, efforts: Sequence[Effort]) -> None:
        """Wait until one of the efforts gave a session, or none did."""
        while not all(effort.over for effort in efforts) and not any(place.usable for place in self._places):
            await self._waiting.park()

    def _wake(self) -> None:
        self._waiting.unpark_all()

    @staticmethod
    def _raise(efforts: Sequence[Effort]) -> None:
        failed = [each for effort in efforts for each in effort.failed]
        cause = failed[-1][1]
        if all(effort.hopeless for effort in efforts):
            if len(failed) > 1:
                raise in_vain(failed)
            # each call that waits raises one of its own
            raise fresh(cause) if isinstance(cause, CallError) else copy.copy(cause)
        attempts = max(effort.made for effort in efforts)
        if len(failed) == 1:
            text = f"no session with {failed[0][0]} came about in {attempts} attempts; the last one: {cause}"
        else:
            text = f"no session came about in {attempts} attempts with each address; {told(failed)}"
        raise Unavailable(text, ran=False) from cause

    async def leave(self) -> None:
        """End the sessions, and make no other."""
        for place in self._places:
            place.stop()
        await self._dialler.leave()

    def _gone(self) -> Unavailable:
        session = next((place.session for place in self._places if place.session is not None), None)
        if session is None or session.ending is None:
            return Unavailable("the other side is leaving and takes no new calls", ran=False)
        return Unavailable(f"the session has ended: {session.ending}", ran=False)


class PeerConnection:
    """The session that a call came in by, to call its other side through. It is never dialled again."""

    retry: Retry | None = None

    def __init__(self, session: Session) -> None:
        self.session = session

    def ready(self) -> Session | None:
        """The session, if it takes calls."""
        return self.session if self.session.usable else None

    async def usable(self) -> Session:
        """The session. Raises Unavailable (nothing ran) if it takes no more calls."""
        if not self.session.usable:
            raise Unavailable("the session that the call came in by takes no more calls", ran=False)
        return self.session

    def prover_for(self, credential: CredentialProvider, session: Session) -> Prover:
        """What proves to the other side who this side is."""
        facts = session.facts
        return Prover(credential, f"{facts.transport}:{facts.local}")
