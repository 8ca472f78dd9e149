"""Answers the other side of one session: who calls, may they, what is it, what are the arguments, run. In this order.

(Clause CALL-11, promise P8: a call that is refused reaches neither a decoder nor a handler.)
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import trio

from graftwire.protocol.errors import (
    CallCancelled,
    CallError,
    ErrorCode,
    ProtocolViolation,
    Unauthenticated,
    Unavailable,
)
from graftwire.protocol.limits import AUTH_ROUNDS
from graftwire.transport.background import background_tasks
from graftwire.transport.context import current_call
from graftwire.transport.incoming import IncomingCall
from graftwire.transport.session import Session

from .audit.record import Decision, Event, LinkRecord, Record, link_record
from .audit.trail import AuditFailed
from .interface import Method
from .security.guard import Guard, Refused
from .security.identity import Identity, Standing
from .security.plugins import Attempt, Challenge, Permission, Request

if TYPE_CHECKING:
    from .host import Forwarded, Forwarder, Host

Plain = tuple[list[object], dict[str, object]]
"""Arguments as plain values: the positional ones, and the named ones."""

_NONE_YET: Final = Permission()
MOST_REMEMBERED: Final = 1_024  # permissions for a time that are kept for one session
WITHDRAWN: Final = 1.0  # seconds between two looks whether the identity of a call with a stream still counts

_OF_PROOFS: Final = frozenset({"AUTH-2", "AUTH-6", "AUTH-8", "HELLO-8"})
"""What a side breaks that proves who it is; the other clauses of AUTH are about the side that judges."""


@dataclass(slots=True)
class _Exchange:
    """An authentication exchange under way."""

    started: float
    scheme: str
    round: int = 0
    memory: Any = field(default=None, repr=False)


@dataclass(slots=True)
class _Remembered:
    """A permission that was given for a time; `count`: how often it was used again."""

    standing: Standing
    target: str
    plugin: str
    until: float
    guard: Guard
    count: int = 0


@dataclass(slots=True)
class _Asked:
    """What has come out so far of deciding a call: who allowed or refused it and why, and what it is for."""

    started: float
    guard: Guard
    plugin: str = ""
    permission: Permission = _NONE_YET
    refused: Refused | None = None
    remembered: _Remembered | None = None
    request: Request | None = None
    method: Method | Forwarded | None = None
    plain: Plain | None = field(default=None, repr=False)


class _Elsewhere(Exception):
    """Wraps what came of passing a call on, which is for who has passed it on."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Answering:
    """The receiver of one session: transport.Receiver.

    It knows who the other side has proved to be, and what it may call for a time without being asked again.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._proved: Standing | None = None
        self._exchange: _Exchange | None = None
        self._remembered: dict[str, _Remembered] = {}
        self._session_id: str | None = None
        self._link: LinkRecord | None = None
        self._forwarder: Forwarder | None = None

    @property
    def _guard(self) -> Guard:
        """Who decides now: a gateway may change that while sessions go on."""
        return self._host.guard

    @property
    def _standing(self) -> Standing | None:
        return self._guard.stranger if self._proved is None else self._proved

    @property
    def identity(self) -> Identity | None:
        """Who the other side is, as far as it has proved it."""
        return None if self._standing is None else self._standing.identity

    # --- transport.Receiver ------------------------------------------------------------------------------------------

    def arrived(self, call: IncomingCall) -> None:
        """A call came: it runs under what is known now of who makes it."""
        call.standing = self._standing

    def answer(self, call: IncomingCall) -> bytes | None:
        """The result of a call of a nonblocking method that needs nobody to be asked; None for every other call."""
        host = self._host
        target = call.target
        if type(target) is not str or not self._guard.asks_nobody:
            return None
        method = host.methods.get(target)
        if method is None or method.how != "inline":
            return None
        self._admit_unasked(call)
        method = host.look_up(call)
        assert isinstance(method, Method)
        token = current_call.set(call)  # this is the task that reads, and it may have begun in another call
        try:
            return host.runner.run_inline(call, method, *host.bind(call, method, host.decode(call)))
        finally:
            current_call.reset(token)

    async def handle(self, call: IncomingCall) -> bytes:
        """Run a call and return its encoded result."""
        if self._guard.asks_nobody:
            self._admit_unasked(call)
            return await self._run(call, self._host.look_up(call), None)
        asked = _Asked(trio.current_time(), self._guard)
        try:
            await self._admit(call, asked)
            assert asked.method is not None
            return await self._run(call, asked.method, asked.plain)
        finally:
            if asked.method is not None and not isinstance(asked.method, Method):
                asked.method.release()

    async def _run(self, call: IncomingCall, method: Method | Forwarded, plain: Plain | None) -> bytes:
        """Run a call that was admitted."""
        host = self._host
        if isinstance(method, Method):
            args, kwargs = host.bind(call, method, host.decode(call) if plain is None else plain)
            running = host.runner.run(call, method, args, kwargs)
        else:
            running = self._forward(call, method, plain)
        standing = call.standing
        if method.shape == 0 or not isinstance(standing, Standing):
            return await running
        # clause AUTH-12: what streams ends with the identity that it was allowed to
        with trio.CancelScope(deadline=standing.until) as scope:
            if not (host.changes or self._guard.may_withdraw(standing)):
                return await running
            async with background_tasks() as nursery:
                nursery.start_soon(self._end_withdrawn, standing, scope)
                return await running
        raise CallCancelled

    async def _forward(self, call: IncomingCall, method: Forwarded, plain: Plain | None) -> bytes:
        """Have a call run elsewhere. What it raises is for `failure`."""
        if self._forwarder is None:
            self._forwarder = self._host.forwarder()
        try:
            return await self._forwarder.call(call, method, plain)
        except Exception as error:  # noqa: BLE001 - `failure` decides what the caller is told of it
            raise _Elsewhere(error) from None

    async def _end_withdrawn(self, standing: Standing, scope: trio.CancelScope) -> None:
        """End what runs in a scope once the identity that it runs under was withdrawn."""
        with suppress(Refused):
            while True:
                await trio.sleep(WITHDRAWN)
                self._guard.check_current(standing)
        scope.cancel()

    def failure(self, call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes | None]:
        """What the caller is told of an exception."""
        if isinstance(error, _Elsewhere):
            assert self._forwarder is not None
            return self._forwarder.failure(call, error.error)
        return self._host.runner.failure(call, error)

    async def authenticate(self, session: Session, scheme: str, proof: bytes) -> bytes | None:
        """Judge an AUTH; one record for each exchange, when its outcome is known."""
        exchange = self._exchange
        if exchange is None:
            exchange = self._exchange = _Exchange(trio.current_time(), scheme)
        exchange.round += 1
        try:
            found = await self._judge(session, exchange, scheme, proof)
        except Refused as refused:
            self._exchange = None
            await self._write_refused(session, exchange.started, refused, scheme)
            raise refused.error from None
        if isinstance(found, Challenge):
            exchange.memory = found.memory
            return found.data
        self._exchange = None
        with trio.CancelScope(shield=True):  # it is decided; who goes away now does not take the record along
            try:
                await self._guard.trail.write(
                    self._record(session, Event.AUTHENTICATION, exchange.started, found, plugin=found.voucher)
                )
            except AuditFailed:
                raise Unauthenticated from None
            await self._forget_remembered(session, trio.current_time() + self._guard.seconds)
        self._proved = found
        session.references.peer = found.identity.holder
        return None

    async def ended(self, session: Session) -> None:
        """The session is over: write down what is still to be said of it."""
        if self._forwarder is not None:
            self._forwarder.close()
        # Shielded, because these records belong to what has happened; each bounded by the time that a sink gets.
        with trio.CancelScope(shield=True):
            await self._forget_remembered(session, trio.current_time() + self._guard.seconds)
        cause = None if session.ending is None else session.ending.__cause__
        exchange, self._exchange = self._exchange, None
        started = trio.current_time() if exchange is None else exchange.started
        if isinstance(cause, ProtocolViolation) and cause.clause in _OF_PROOFS:
            # a proof that no authenticator was shown, because it is too long or out of turn
            refused = Refused(ErrorCode.PROTOCOL, "protocol", f"{cause.text} ({cause.clause})")
            await self._write_refused(session, started, refused, None)
        elif exchange is not None:
            reason = "the session ended before the exchange did"
            refused = Refused(ErrorCode.UNAUTHENTICATED, self._guard.voucher(exchange.scheme), reason)
            await self._write_refused(session, started, refused, exchange.scheme)

    # --- authentication ----------------------------------------------------------------------------------------------

    async def _judge(
        self, session: Session, exchange: _Exchange, scheme: str, proof: bytes
    ) -> Standing | Challenge:
        """Have one AUTH judged. Raises Refused."""
        if scheme != exchange.scheme:
            raise Refused(ErrorCode.UNAUTHENTICATED, "none", "the scheme changed within an exchange")
        found = await self._guard.identify(
            Attempt(
                scheme,
                proof,
                session.facts,
                session.peer_role,
                session.authentication.hellos,
                round=exchange.round,
                memory=exchange.memory,
            )
        )
        if isinstance(found, Standing):
            self._check_same(found)
        elif exchange.round == AUTH_ROUNDS:
            reason = f"it wants more than the {AUTH_ROUNDS} rounds that an exchange has"
            raise Refused(ErrorCode.UNAUTHENTICATED, self._guard.voucher(scheme), reason)
        return found

    async def _write_refused(
        self, session: Session, started: float, refused: Refused, scheme: str | None
    ) -> None:
        """The record of an exchange that gave no identity; where it can't be kept, there is none all the same."""
        with trio.CancelScope(shield=True), suppress(AuditFailed):
            await self._guard.trail.write(
                self._record(session, Event.AUTHENTICATION, started, None, refused=refused, scheme=scheme)
            )

    def _check_same(self, found: Standing) -> None:
        """Clause AUTH-7: tokens expire, people do not change. Raises Refused."""
        before = self._proved
        if before is None or before.identity.who == found.identity.who:
            return
        raise Refused(
            ErrorCode.UNAUTHENTICATED, found.voucher, "it proves another subject than the session has"
        )

    # --- a call ------------------------------------------------------------------------------------------------------

    def _admit_unasked(self, call: IncomingCall) -> None:
        """Who calls, and may they, where no plugin is asked. Raises CallError."""
        if call.credential is not None:
            reason = "there is no authenticator for this scheme"  # never fall back to anything (AUTH-9)
        elif type(call.target) is str:
            if call.standing is not None:
                return
            reason = "nobody may call a name here"
        else:
            return  # by the gift of who handed it out
        refused = Refused(ErrorCode.UNAUTHENTICATED, "none", reason)
        call.standing = None
        self._guard.trail.log(
            self._record_of_call(call, _Asked(trio.current_time(), self._guard, refused=refused))
        )
        raise refused.error

    async def _admit(self, call: IncomingCall, asked: _Asked) -> None:
        """Everything before the arguments (unless somebody has asked for those), and the one record of it.

        Raises CallError.
        """
        failed: Exception | None = None
        try:
            await self._decide(call, asked)
        except Refused as refused:
            asked.refused = refused
            failed = refused.error
        except (CallError, ProtocolViolation) as error:
            failed = error  # allowed, and fails all the same: nothing of that name, arguments of no form
        except Exception as error:  # noqa: BLE001 - a defect of this side, which is no pass either
            asked.refused = Refused(
                ErrorCode.INTERNAL, "none", f"deciding it failed ({type(error).__name__})"
            )
            failed = error
        if asked.remembered is not None:
            asked.remembered.count += 1
        else:
            with trio.CancelScope(shield=True):  # it is decided, whether or not anybody waits for the outcome
                await self._write_down(call, asked, failed)
            await trio.lowlevel.checkpoint_if_cancelled()
        if failed is not None:
            raise failed from None

    async def _decide(self, call: IncomingCall, asked: _Asked) -> None:
        """The steps of clause CALL-11 up to the arguments. Raises Refused, and CallError for what is not a decision."""
        if call.credential is not None:
            call.standing = None  # it takes the place of the session's identity: no falling back (AUTH-9)
            call.standing = await self._identify(call, *call.credential)
        standing = self._current(call)
        asked.remembered = self._recall(call)
        if asked.remembered is None:
            if isinstance(call.target, str):
                assert standing is not None
                asked.request = Request(standing.identity, call.target, call.session.facts)
                asked.plugin, asked.permission = await self._authorise(asked.guard, asked.request, standing)
                if asked.guard.needs_arguments:  # whatever becomes of it, the next call has other arguments
                    asked.permission = Permission(asked.permission.reason)
            else:
                asked.plugin, asked.permission = self._given(call, standing)
        asked.method = self._host.look_up(call)
        if not isinstance(asked.method, Method):
            asked.method.hold()
        if asked.request is not None and asked.guard.needs_arguments:
            asked.plain = self._host.decode(call)
            asked.request = replace(asked.request, arguments=asked.plain)
            assert standing is not None
            _, permission = await self._authorise(asked.guard, asked.request, standing)
            reasons = [reason for reason in (asked.permission.reason, permission.reason) if reason]
            asked.permission = Permission("; with arguments: ".join(reasons))

    async def _authorise(self, guard: Guard, request: Request, standing: Standing) -> tuple[str, Permission]:
        """Ask whether a call may be made by who still is, then, whom it is made by. Raises Refused."""
        answer = await guard.authorise(request)
        # to ask takes time: it may have expired meanwhile, or been revoked
        self._guard.check_current(standing)
        return answer

    async def _identify(self, call: IncomingCall, scheme: str, proof: bytes) -> Standing:
        session = call.session
        hellos = session.authentication.hellos
        attempt = Attempt(scheme, proof, session.facts, session.peer_role, hellos, single_call=True)
        found = await self._guard.identify(attempt)
        assert isinstance(found, Standing)
        return found

    def _current(self, call: IncomingCall) -> Standing | None:
        """Who makes a call, now. Raises Refused where it has to be known and is not, or has expired."""
        standing = call.standing
        if standing is None:
            if isinstance(call.target, str):
                raise Refused(ErrorCode.UNAUTHENTICATED, "none", "the caller has proved no identity")
            return None
        assert isinstance(standing, Standing)
        self._guard.check_current(standing)
        return standing

    @staticmethod
    def _given(call: IncomingCall, standing: Standing | None) -> tuple[str, Permission]:
        """Clause REF-6: a reference is called by the gift of who handed it out, and by nobody else. Raises Refused."""
        if call.given_to != (None if standing is None else standing.identity.holder):
            raise Refused(ErrorCode.DENIED, "reference", "it was given to another identity")
        return "reference", Permission("it was given to this caller")

    # --- permissions for a time --------------------------------------------------------------------------------------

    def _recall(self, call: IncomingCall) -> _Remembered | None:
        """The permission that holds for a call without asking again."""
        if not self._remembered or call.credential is not None or not isinstance(call.target, str):
            return None
        remembered = self._remembered.get(call.target)
        if (
            remembered is None
            or remembered.standing is not call.standing
            or remembered.guard is not self._guard
        ):
            return None
        return remembered if remembered.until > trio.current_time() else None

    async def _remember(self, call: IncomingCall, asked: _Asked) -> None:
        standing = call.standing
        if not (asked.permission.seconds > 0 and asked.refused is None and isinstance(standing, Standing)):
            return
        if call.credential is not None or standing is not self._standing or not isinstance(call.target, str):
            return
        before = self._remembered.pop(call.target, None)
        if before is not None:
            await self._write_count(call.session, before)
        if len(self._remembered) < MOST_REMEMBERED:
            until = min(trio.current_time() + asked.permission.seconds, standing.until)
            self._remembered[call.target] = _Remembered(
                standing, call.target, asked.plugin, until, asked.guard
            )

    async def _forget_remembered(self, session: Session, until: float) -> None:
        """Say how often each was used; what there is no time for is counted as lost."""
        remembered, self._remembered = self._remembered, {}
        for each in remembered.values():
            if trio.current_time() < until:
                await self._write_count(session, each)
            elif each.count:
                self._guard.trail.lose("no time for what was left to write at the end of a session")

    async def _write_count(self, session: Session, remembered: _Remembered) -> None:
        if remembered.count:
            reason = "used again while the permission held"
            # the calls have run; that it could not be kept is in the log, and counted
            with suppress(AuditFailed):
                await self._guard.trail.write(
                    self._record(
                        session,
                        Event.REPEATED,
                        trio.current_time(),
                        remembered.standing,
                        plugin=remembered.plugin,
                        reason=reason,
                        target=remembered.target,
                        count=remembered.count,
                    )
                )

    # --- records -----------------------------------------------------------------------------------------------------

    async def _write_down(self, call: IncomingCall, asked: _Asked, failed: Exception | None) -> None:
        """The record of a call. Raises Unavailable where it can't be kept, and nothing may run without it.

        Not where what has `failed` is the protocol: that ends the session in any case.
        """
        try:
            await self._guard.trail.write(self._record_of_call(call, asked))
        except AuditFailed:
            if asked.refused is None and not isinstance(failed, ProtocolViolation):
                raise Unavailable(ran=False) from None
        else:
            await self._remember(call, asked)

    def _record_of_call(self, call: IncomingCall, asked: _Asked) -> Record:
        standing = call.standing
        return self._record(
            call.session,
            Event.CALL,
            asked.started,
            standing if isinstance(standing, Standing) else None,
            refused=asked.refused,
            plugin=asked.plugin,
            reason=asked.permission.reason,
            scheme=call.credential[0] if call.credential is not None else None,
            call=call.id,
            target=call.target if isinstance(call.target, str) else "reference",
            digest=None if asked.method is None else self._host.digest_of(call.target),
        )

    def _record(
        self,
        session: Session,
        event: Event,
        started: float,
        standing: Standing | None,
        *,
        refused: Refused | None = None,
        plugin: str = "",
        reason: str = "",
        scheme: str | None = None,
        call: int | None = None,
        target: str | None = None,
        digest: str | None = None,
        count: int | None = None,
    ) -> Record:
        if self._session_id is None or self._link is None:
            self._session_id, self._link = secrets.token_hex(8), link_record(session.facts)
        identity = None if standing is None else standing.identity
        return Record(
            time=datetime.now(UTC),
            event=event,
            decision=Decision.ALLOWED if refused is None else Decision.REFUSED,
            session=self._session_id,
            call=call,
            target=target,
            link=self._link,
            scheme=scheme if identity is None else identity.scheme,
            issuer=None if identity is None else identity.issuer,
            identity=None if identity is None else identity.subject,
            code=None if refused is None else refused.code.label,
            plugin=plugin if refused is None else refused.plugin,
            reason=reason if refused is None else refused.reason,
            duration=trio.current_time() - started,
            digest=digest,
            count=count,
        )
