"""The calls of one session, passed on to the processes that run them."""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

import trio

from graftwire.protocol.errors import ErrorCode, Unavailable, ValueRefused
from graftwire.protocol.limits import LARGEST_PROOF
from graftwire.transport.incoming import IncomingCall
from graftwire.transport.references import Passed
from graftwire.transport.session import Session

from ..host import Forwarded, Plain
from ..security.identity import Standing
from .mirror import Mirror, failure
from .pool import Pool
from .process import Process
from .standing import SCHEME, proof_of

_log: Final = logging.getLogger("graftwire.gateway")

PAUSE: Final = 0.02  # seconds before a call that has not run is given to a worker again


class Forwarding:
    """Passes the calls of one session on to workers: host.Forwarder."""

    def __init__(self) -> None:
        self._mirrors: dict[Process, Mirror] = {}
        self._standing: Standing | None = None
        self._proof: tuple[str, bytes] | None = None
        self._untold: object = None  # the standing that the log has said last that it can't be passed on

    async def call(self, call: IncomingCall, method: Forwarded, plain: Plain | None) -> bytes:
        """Run a call in a worker, and return the body of its result. What it raises is for `mirror.failure`."""
        credential = None
        if isinstance(call.standing, Standing):
            credential = self._proof if call.standing is self._standing else self._prove(call)
        pool = method.pool
        if pool is None:  # an object of a worker's
            return await self._call_object(call, credential)
        pool.hold()
        try:
            return await self._call_name(pool, call, credential, plain)
        finally:
            pool.release()

    async def _call_name(
        self, pool: Pool, call: IncomingCall, credential: tuple[str, bytes] | None, plain: Plain | None
    ) -> bytes:
        assert isinstance(call.target, str)
        until = trio.current_time() + pool.worker.wait
        while True:
            process = pool.choose(self._mirrors)
            if process is None:
                await pool.wait(until)
                continue
            mirror = self._mirror(process, call.session)
            try:
                return await self._run(process, mirror, call, call.target, credential, plain)
            except Unavailable as error:
                if mirror.session.ending is None:
                    raise
                if mirror.passed and error.ran:
                    raise
                again = not (call.shape or mirror.passage.concerns(call.body))
                if not again or trio.current_time() >= until:
                    raise Unavailable("the worker has ended", ran=False) from error
                await trio.sleep(PAUSE)

    def _mirror(self, process: Process, client: Session) -> Mirror:
        mirror = self._mirrors.get(process)
        if mirror is None or mirror.session.ending is not None:
            self._mirrors = {each: it for each, it in self._mirrors.items() if it.session.ending is None}
            mirror = self._mirrors[process] = process.mirror(client)
        return mirror

    async def _call_object(self, call: IncomingCall, credential: tuple[str, bytes] | None) -> bytes:
        passed = call.referent
        assert isinstance(passed, Passed)
        for process, mirror in self._mirrors.items():
            if mirror.session is passed.remote.session:
                target = mirror.passage.referent(call)
                if target is not None:
                    return await self._run(process, mirror, call, target, credential, None)
        raise Unavailable("the worker that held the object has ended", ran=False)

    @staticmethod
    async def _run(
        process: Process,
        mirror: Mirror,
        call: IncomingCall,
        target: str | tuple[int, str],
        credential: tuple[str, bytes] | None,
        plain: Plain | None,
    ) -> bytes:
        process.busy += 1
        try:
            return await mirror.passage.pass_on(
                call,
                mirror.session,
                target,
                credential=credential,
                plain=plain,
                patient=partial(process.leaves, call),
                patience=process.patience,
            )
        finally:
            process.busy -= 1
            if process.leaving:
                process.leaving.pop(call, None)

    def _prove(self, call: IncomingCall) -> tuple[str, bytes]:
        standing = call.standing
        assert isinstance(standing, Standing)
        try:
            proof = (SCHEME, proof_of(standing))
        except ValueRefused:
            raise self._not_told(
                call, "its claims hold what can't cross to a worker; use plain values"
            ) from None
        if len(proof[1]) > LARGEST_PROOF:
            raise self._not_told(
                call, f"with its claims it takes more than {LARGEST_PROOF} bytes; leave claims out of it"
            )
        self._standing, self._proof = standing, proof
        return proof

    def _not_told(self, call: IncomingCall, why: str) -> Unavailable:
        """The error for a call whose caller can't be told to a worker. Once for an identity it is in the log, too."""
        if call.standing is not self._untold:
            self._untold = call.standing
            target = call.target if isinstance(call.target, str) else "a reference"
            _log.error("%s was not called: the identity of the caller does not fit, %s", target, why)
        return Unavailable(f"the identity of the caller does not fit, {why}", ran=False)

    @staticmethod
    def failure(call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes | None]:
        """What the caller is told."""
        return failure(call, error)

    def close(self) -> None:
        """The client's session is over."""
        mirrors, self._mirrors = self._mirrors, {}
        for mirror in mirrors.values():
            mirror.session.close()
