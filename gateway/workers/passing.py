"""Passing calls on from one session to another, with their streams, errors and references (clauses REF-3 to REF-6).

A body without references passes as it is, undecoded. In one that holds some, each is replaced by one that this side
gives: a `Passed`, which stands for the object and holds it until it is given back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import trio

from graftwire.protocol import frames, values
from graftwire.protocol.errors import (
    ApplicationError,
    CallError,
    ErrorCode,
    InternalError,
    ProtocolViolation,
    SessionError,
    TooLarge,
    Unavailable,
    ValueRefused,
)
from graftwire.protocol.failures import error_to_wire
from graftwire.transport.background import background_tasks
from graftwire.transport.incoming import IncomingCall
from graftwire.transport.outgoing import OutgoingCall
from graftwire.transport.references import Passed, Remote
from graftwire.transport.session import Session

from ..host import Plain
from ..running import giver

_TAG: Final = b"\xd9\xa4\x07"  # the head of the tag that marks a reference in a body


class Relayed(Exception):
    """What the other session has answered with, as it is to be passed on."""

    def __init__(self, code: ErrorCode, body: bytes | None) -> None:
        super().__init__(code.label)
        self.code = code
        self.body = body


class Violated(Exception):
    """The caller of a call that was to be passed on broke the protocol; `before`: in the CALL of that id itself."""

    def __init__(self, violation: ProtocolViolation, before: int | None = None) -> None:
        super().__init__(violation.clause)
        self.violation = violation
        self.before = before


class Passage:
    """Passes calls on between two sessions, in both directions, for as long as both live.

    `held` is how many objects of the worker the client holds.
    """

    def __init__(self, client: Session, worker: Session) -> None:
        self.client = client
        self.worker = worker
        self.held = 0
        self._passed: set[Passed] = set()

    def close(self) -> None:
        """One of the two sessions is over: what was passed on goes back to its owner."""
        for passed in list(self._passed):
            self._gone(passed)

    @staticmethod
    def concerns(body: bytes) -> bool:
        """Whether a body may hold references, which have arrived by being looked at."""
        return _TAG in body

    async def pass_on(
        self,
        call: IncomingCall,
        into: Session,
        target: frames.Target,
        *,
        credential: tuple[str, bytes] | None = None,
        plain: Plain | None = None,
        patient: Callable[[], None] | None = None,
        patience: float = 0.0,
    ) -> bytes:
        """Make `call` in the other session, and return the body of its result.

        `plain` are its arguments, where they were decoded. With `patient`, which is called when the call is cancelled,
        its answer is waited for all the same: `patient` sees to it that one comes, or that the session ends, within
        `patience` seconds. Raises Relayed for what the other side answers, Unavailable or SessionError where it may not
        have run at all or nobody knows, and Violated for what the caller did.
        """
        try:
            body, sent = self._arguments(call, into, plain)
        except ProtocolViolation as violation:
            raise Violated(violation, call.id) from None
        try:
            if call.shape == frames.UNARY:
                reply = await into.request(
                    target, body, credential=credential, sent_references=sent, patient=patient
                )
            else:
                reply = await self._stream(call, into, target, body, sent, credential, patient, patience)
        except CallError as error:
            if isinstance(error, SessionError | Unavailable):
                raise
            if error.code in (ErrorCode.CANCELLED, ErrorCode.DEADLINE_EXCEEDED):
                await (
                    trio.lowlevel.checkpoint_if_cancelled()
                )  # then why it was cancelled is known better here
            raise self._relayed(call, error) from None
        return self._back(call, into, reply)

    def referent(self, call: IncomingCall) -> frames.Target | None:
        """The target of a call on an object that was passed on; None for one that its owner holds no more."""
        passed = call.referent
        assert isinstance(passed, Passed)
        remote = passed.remote
        if not remote.session.references.holds(remote.id):
            return None
        assert isinstance(call.target, tuple)
        return remote.id, call.target[1]

    # --- streams -----------------------------------------------------------------------------------------------------

    async def _stream(
        self,
        call: IncomingCall,
        into: Session,
        target: frames.Target,
        body: bytes,
        sent: list[int] | None,
        credential: tuple[str, bytes] | None,
        patient: Callable[[], None] | None,
        patience: float,
    ) -> bytes:
        broken: list[Exception] = []  # why the caller's stream can't be passed on any more
        async with into.open(
            call.shape, target, body, credential=credential, sent_references=sent
        ) as outgoing:
            try:
                async with background_tasks() as nursery:
                    if call.has_client_stream:
                        nursery.start_soon(self._upload, call, into, outgoing, broken)
                    if call.has_server_stream:
                        while (item := await outgoing.next_item()) is not None:
                            await call.send(self._back(call, into, item))
                    return await outgoing.result()
            except CallError:
                if broken:
                    raise broken[0] from None
                raise
            finally:
                if patient is not None and not outgoing.over:
                    into.cancel(outgoing.id)
                    patient()
                    # Shielded, because the call is over when its handler is; bounded by the patience with it.
                    with (
                        trio.CancelScope(shield=True, deadline=trio.current_time() + patience),
                        suppress(CallError),
                    ):
                        await outgoing.result()

    async def _upload(
        self, call: IncomingCall, into: Session, outgoing: OutgoingCall, broken: list[Exception]
    ) -> None:
        arrived = call.session.references.arrived_with(call)
        try:
            while (item := await call.next_item()) is not None:
                await outgoing.send(*self._there(item, arrived, into))
            outgoing.end()
        except ProtocolViolation as violation:
            broken.append(Violated(violation))
            into.cancel(outgoing.id)
        except TooLarge as error:
            broken.append(error)
            into.cancel(outgoing.id)
        except CallError:
            return  # `result` says it

    # --- bodies ------------------------------------------------------------------------------------------------------

    def _arguments(
        self, call: IncomingCall, into: Session, plain: Plain | None
    ) -> tuple[bytes, list[int] | None]:
        body = call.body
        if _TAG not in body:
            return body, None
        if plain is not None:  # its references have arrived already
            return self._given(list(plain), into)
        return self._there(body, call.session.references.arrived_with(call), into)

    def _there(
        self, body: bytes, arrived: Callable[[int], Remote], into: Session
    ) -> tuple[bytes, list[int] | None]:
        """A body of the caller's for the other session, and the references that it has there."""
        if _TAG not in body:
            return body, None
        try:
            value = values.decode(body, reference=arrived)
        except ValueRefused:
            return body, None  # it holds none, and who runs the call says what is wrong with it
        return self._given(value, into)

    def _given(self, value: object, into: Session) -> tuple[bytes, list[int] | None]:
        def give(found: object) -> int:
            assert isinstance(found, Remote)
            return into.references.give(self._passing(found.keep()))

        return values.encode(value, reference=give), into.references.taken()

    def _back(self, call: IncomingCall, into: Session, body: bytes) -> bytes:
        """The body of a result or item for the caller. Raises SessionError for one that its sender may not send."""
        if _TAG not in body:
            return body
        try:
            value = values.decode(body, reference=into.references.arrived)
        except ValueRefused:
            return body
        except ProtocolViolation as violation:
            into.violated(violation)
            raise SessionError(f"the other side broke the protocol: {violation}") from None
        return self._encode_back(call, value)

    def _encode_back(self, call: IncomingCall, value: object) -> bytes:
        give = giver(call)

        def pass_back(found: object) -> int:
            assert isinstance(found, Remote)
            return give(self._passing(found))

        body = values.encode(value, reference=pass_back)
        call.session.references.taken()  # they live until they are released, whatever becomes of this call
        return body

    def _relayed(self, call: IncomingCall, error: CallError) -> Relayed:
        """The same error, for the caller."""
        if isinstance(error, ApplicationError):
            return Relayed(error.code, self._encode_back(call, [error.name, error.message, error.fields]))
        if isinstance(error, InternalError):
            return Relayed(error.code, values.encode(bytes.fromhex(error.incident or "00" * 8)))
        return Relayed(*error_to_wire(error))

    def _passing(self, remote: Remote) -> Passed:
        passed = Passed(remote, self._gone)
        self._passed.add(passed)
        self.held += remote.session is self.worker
        return passed

    def _gone(self, passed: Passed) -> None:
        if passed in self._passed:
            self._passed.remove(passed)
            self.held -= passed.remote.session is self.worker
            passed.remote.release()
