"""What a client calls through: the session of now, dialled again when it is gone where that was asked for."""

from __future__ import annotations

from contextlib import suppress
from contextvars import copy_context

import trio

from graftwire.gateway.host import Host
from graftwire.gateway.security.errors import CredentialError
from graftwire.gateway.security.guard import SECONDS, Guard
from graftwire.gateway.security.plugins import Credential, CredentialProvider
from graftwire.gateway.security.proving import Prover
from graftwire.protocol.connection import Role
from graftwire.protocol.errors import CallError, LinkError, Unavailable
from graftwire.protocol.limits import Limits
from graftwire.transport.context import current_call
from graftwire.transport.link import ConnectOptions, Link
from graftwire.transport.registry import transport_for
from graftwire.transport.session import Session, Timing
from graftwire.transport.url import Url

from .retry import Retry


class Connection:
    """What dials: it holds the session of now and, where `retry` is given, makes the next one when that is gone."""

    def __init__(
        self,
        url: Url,
        nursery: trio.Nursery,
        *,
        options: ConnectOptions | None = None,
        retry: Retry | None = None,
        limits: Limits | None = None,
        timing: Timing | None = None,
        eager: bool = False,
        host: Host | None = None,
        credential: CredentialProvider | None = None,
        plain_proofs: bool = False,
        plugin_seconds: float = SECONDS,
    ) -> None:
        self.url = url
        self._nursery = nursery
        self._options = options if options is not None else ConnectOptions()
        self.retry = retry
        self._limits = limits
        self._timing = timing
        self._eager = eager
        self._host = host if host is not None else Host(guard=Guard())
        self._plain_proofs = plain_proofs
        self._plugin_seconds = plugin_seconds
        self._prover = None if credential is None else self.prover_with(credential)
        # What a session proves is who has connected, not whose call has noticed that it has to be dialled again.
        self._context = copy_context()
        self._dialling = trio.Lock()
        self._session: Session | None = None
        self.leaving = False

    @property
    def session(self) -> Session:
        """The session of now, usable or not."""
        assert self._session is not None
        return self._session

    def prover_with(self, credential: CredentialProvider) -> Prover:
        """What proves to the other side who this side is, with another provider's proofs."""
        return Prover(credential, self.url.text, plain=self._plain_proofs, seconds=self._plugin_seconds)

    async def dial(self) -> Session:
        """Connect once, and prove who this side is.

        Raises LinkError, CredentialError, or CallError if what answers refuses or is no Graftwire peer.
        """
        started: tuple[Session, Credential | None] = await self._nursery.start(self._run)
        session, credential = started
        self._session = session
        if self._eager:
            if credential is not None:
                self._start_keeping_proved(session, credential, False)
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
            self._start_keeping_proved(session, credential, True)
        return session

    def _start_keeping_proved(self, session: Session, credential: Credential, proved: bool) -> None:
        self._context.run(self._nursery.start_soon, self._keep_proved, session, credential, proved)

    async def _keep_proved(self, session: Session, credential: Credential, proved: bool) -> None:
        """See the exchange through, and prove again before each proof expires; the session says what goes wrong."""
        assert self._prover is not None
        with suppress(CallError, CredentialError):
            if not proved:
                await session.authentication.finish(credential.scheme, credential.answer)
            await self._prover.renew(session, credential)

    async def _run(self, task_status: trio.TaskStatus[tuple[Session, Credential | None]]) -> None:
        trio.lowlevel.current_task().context = self._context.copy()
        await trio.lowlevel.cancel_shielded_checkpoint()  # the context counts from the next step on
        async with transport_for(self.url.scheme).connect(self.url, self._options) as link:
            await self._run_session(link, task_status)

    async def _run_session(
        self, link: Link, task_status: trio.TaskStatus[tuple[Session, Credential | None]]
    ) -> None:
        receiver = self._host.receiver()
        session = Session(link, Role.INITIATOR, limits=self._limits, receiver=receiver, timing=self._timing)
        credential = None
        if self._prover is not None:
            credential = await self._prover.credential(session)
            if credential is not None:  # before the session runs: it leaves together with HELLO
                session.authentication.begin(credential.scheme, credential.proof)
        task_status.started((session, credential))
        current_call.set(None)  # what the session does is part of no call, and keeps none alive
        try:
            await session.run()
        finally:
            await receiver.ended(session)

    async def start(self) -> None:
        """Let the credential provider get ready. Raises SecurityError."""
        if self._prover is not None:
            await self._prover.start()

    async def usable(self) -> Session:
        """A session that takes calls, dialled anew where that was asked for.

        Raises Unavailable (nothing ran) if there is none and no `retry`, or if all attempts failed.
        """
        session = self._session
        if session is not None and session.usable:
            return session
        if self.retry is None or self.leaving:
            raise self._gone()
        async with self._dialling:
            if self._session is not None and self._session.usable:
                return self._session
            attempt = 0
            while True:
                try:
                    return await self.dial()
                except (LinkError, Unavailable) as error:
                    attempt += 1
                    if attempt > self.retry.attempts:
                        raise Unavailable(
                            f"no session with {self.url} came about in {attempt} attempts; the last one: {error}",
                            ran=False,
                        ) from error
                    await trio.sleep(self.retry.pause(attempt))

    async def leave(self) -> None:
        """End the session of now, and make no other."""
        self.leaving = True
        if self._session is not None:
            self._session.close()
            await self._session.wait_ended()

    def _gone(self) -> Unavailable:
        ending = self._session.ending if self._session is not None else None
        if ending is None:
            return Unavailable("the other side is leaving and takes no new calls", ran=False)
        return Unavailable(f"the session has ended: {ending}", ran=False)


class PeerConnection:
    """The session that a call came in by, to call its other side through. It is never dialled again."""

    retry: Retry | None = None

    def __init__(self, session: Session) -> None:
        self.session = session

    async def usable(self) -> Session:
        """The session. Raises Unavailable (nothing ran) if it takes no more calls."""
        if not self.session.usable:
            raise Unavailable("the session that the call came in by takes no more calls", ran=False)
        return self.session

    def prover_with(self, credential: CredentialProvider) -> Prover:
        """What proves to the other side who this side is."""
        facts = self.session.facts
        return Prover(credential, f"{facts.transport}:{facts.local}")
