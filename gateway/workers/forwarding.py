"""The calls of one session, passed on to the processes that run them."""

from __future__ import annotations

from functools import partial

import trio

from graftwire.protocol.errors import ErrorCode, Unavailable, ValueRefused
from graftwire.protocol.limits import LARGEST_PROOF
from graftwire.transport.incoming import IncomingCall
from graftwire.transport.references import Passed

from ..host import Forwarded, Plain
from ..security.identity import Standing
from .mirror import Mirror, failure
from .pool import Pool
from .process import Process
from .standing import SCHEME, proof_of


class Forwarding:
    """Passes the calls of one session on to workers: host.Forwarder."""

    def __init__(self) -> None:
        self._mirrors: dict[Process, Mirror] = {}
        self._standing: Standing | None = None
        self._proof: tuple[str, bytes] | None = None

    async def call(self, call: IncomingCall, method: Forwarded, plain: Plain | None) -> bytes:
        """Run a call in a worker, and return the body of its result. What it raises is for `mirror.failure`."""
        credential = None
        if isinstance(call.standing, Standing):
            credential = self._proof if call.standing is self._standing else self._prove(call.standing)
        pool = method.pool
        if pool is None:  # an object of a worker's
            return await self._call_object(call, credential)
        assert isinstance(pool, Pool)
        assert isinstance(call.target, str)
        until = trio.current_time() + pool.worker.wait
        while True:
            process = pool.choose(self._mirrors)
            if process is None:
                await pool.wait(until)
                continue
            mirror = self._mirrors.get(process)
            if mirror is None or mirror.session.ending is not None:
                self._mirrors = {each: it for each, it in self._mirrors.items() if it.session.ending is None}
                mirror = self._mirrors[process] = process.mirror(call.session)
            try:
                return await self._run(process, mirror, call, call.target, credential, plain)
            except Unavailable as error:
                if mirror.session.ending is None:
                    raise
                pool.dismiss(process)  # it is ending, and that is not known elsewhere yet
                again = not (error.ran or call.shape or mirror.passage.concerns(call.body))
                if not again or trio.current_time() >= until:
                    raise

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
            if not process.busy:
                process.idle.unpark_all()
            if process.leaving:
                process.leaving.pop(call, None)

    def _prove(self, standing: Standing) -> tuple[str, bytes]:
        try:
            proof = (SCHEME, proof_of(standing))
        except ValueRefused as refused:
            raise Unavailable(
                f"who calls can't be told to a worker: {refused.at('claims')}", ran=False
            ) from None
        if len(proof[1]) > LARGEST_PROOF:
            raise Unavailable(
                f"who calls can't be told to a worker: the identity takes more than {LARGEST_PROOF} bytes",
                ran=False,
            )
        self._standing, self._proof = standing, proof
        return proof

    @staticmethod
    def failure(call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes | None]:
        """What the caller is told."""
        return failure(call, error)

    def close(self) -> None:
        """The client's session is over."""
        mirrors, self._mirrors = self._mirrors, {}
        for mirror in mirrors.values():
            mirror.session.close()
