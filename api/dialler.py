"""Making sessions: dial an address, and prove there who this side is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVarTuple

import trio

from graftwire.gateway.host import Host
from graftwire.gateway.security.errors import CredentialError
from graftwire.gateway.security.guard import SECONDS, Guard
from graftwire.gateway.security.plugins import Credential, CredentialProvider
from graftwire.gateway.security.proving import Prover
from graftwire.protocol.connection import Role
from graftwire.protocol.errors import CallError
from graftwire.protocol.limits import Limits
from graftwire.transport.context import current_call
from graftwire.transport.link import ConnectOptions, Link
from graftwire.transport.registry import transport_for
from graftwire.transport.session import Session, Timing
from graftwire.transport.url import Url

_Args = TypeVarTuple("_Args")
_Started = trio.TaskStatus[tuple[Session, Credential | None]]


class Dialler:
    """What dials for one client. Its sessions run in `nursery`, and so does everything that `start` is given.

    `around` is put around each link before a session runs on it.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        *,
        options: ConnectOptions | None = None,
        limits: Limits | None = None,
        timing: Timing | None = None,
        eager: bool = False,
        host: Host | None = None,
        credential: CredentialProvider | None = None,
        plain_proofs: bool = False,
        plugin_seconds: float = SECONDS,
        around: Callable[[Link], Link] | None = None,
    ) -> None:
        self.nursery = nursery
        self._options = options if options is not None else ConnectOptions()
        self._limits = limits
        self._timing = timing
        self._eager = eager
        self._host = host if host is not None else Host(guard=Guard())
        self._credential = credential
        self._plain_proofs = plain_proofs
        self._plugin_seconds = plugin_seconds
        self._around = around
        # What a session proves is who has connected, not whose call has noticed that it has to be dialled again.
        self._context = copy_context()
        self._sessions: dict[Session, Url] = {}
        self.leaving = False

    def start(self, function: Callable[[*_Args], Awaitable[object]], *args: *_Args) -> None:
        """Run something beside the sessions, as a task of whoever has connected."""
        self._context.run(self.nursery.start_soon, function, *args)

    async def get_ready(self) -> None:
        """Let the credential provider get ready. Raises SecurityError."""
        if self._credential is not None:
            await self._prover(self._credential, "").start()

    def prover_for(self, credential: CredentialProvider, session: Session) -> Prover:
        """What proves to the other side of `session` who this side is, with another provider's proofs."""
        url = self._sessions.get(session)
        return self._prover(credential, "" if url is None else url.text)

    def _prover(self, credential: CredentialProvider, url: str) -> Prover:
        return Prover(credential, url, plain=self._plain_proofs, seconds=self._plugin_seconds)

    async def dial(self, url: Url) -> Session:
        """Connect once, and prove who this side is.

        Raises LinkError, CredentialError, or CallError if what answers refuses or is no Graftwire peer.
        """
        started: tuple[Session, Credential | None] = await self.nursery.start(self._run, url)
        session, credential = started
        if self._eager:
            if credential is not None:
                self.start(self._keep_proved, session, credential, False)
            return session
        try:
            await session.wait_opened()
            if credential is not None:
                await session.authentication.finish(credential.scheme, credential.answer)
        except BaseException:
            session.close()
            # Or the GOAWAY that says why would be cancelled on its way (LEAVE-4). Bounded by `Timing.farewell`.
            with trio.CancelScope(shield=True):
                await session.wait_ended()
            raise
        if credential is not None and credential.expires is not None:
            self.start(self._keep_proved, session, credential, True)
        return session

    async def _keep_proved(self, session: Session, credential: Credential, proved: bool) -> None:
        """See the exchange through, and prove again before each proof expires; the session says what goes wrong."""
        assert self._credential is not None
        with suppress(CallError, CredentialError):
            if not proved:
                await session.authentication.finish(credential.scheme, credential.answer)
            await self.prover_for(self._credential, session).renew(session, credential)

    async def _run(self, url: Url, task_status: _Started) -> None:
        trio.lowlevel.current_task().context = self._context.copy()
        await trio.lowlevel.cancel_shielded_checkpoint()  # the context counts from the next step on
        async with transport_for(url.scheme).connect(url, self._options) as link:
            await self._run_session(url, link if self._around is None else self._around(link), task_status)

    async def _run_session(self, url: Url, link: Link, task_status: _Started) -> None:
        receiver = self._host.receiver()
        session = Session(link, Role.INITIATOR, limits=self._limits, receiver=receiver, timing=self._timing)
        self._sessions[session] = url
        try:
            credential = None
            if self._credential is not None:
                credential = await self.prover_for(self._credential, session).credential(session)
                if credential is not None:  # before the session runs: it leaves together with HELLO
                    session.authentication.begin(credential.scheme, credential.proof)
            task_status.started((session, credential))
            current_call.set(None)  # what the session does is part of no call, and keeps none alive
            try:
                await session.run()
            finally:
                await receiver.ended(session)
        finally:
            del self._sessions[session]

    async def leave(self) -> None:
        """End every session, those among them that are on their way out already, and wait for that."""
        self.leaving = True
        sessions = list(self._sessions)
        for session in sessions:
            session.close()
        for session in sessions:
            await session.wait_ended()
