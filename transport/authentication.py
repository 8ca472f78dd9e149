"""Proving who this side is, and having the other side's proofs judged: frames and waiting (clauses AUTH-1 to AUTH-7).

What a proof is worth is decided elsewhere: by the receiver that the session was made with.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import trio

from graftwire.protocol import frames
from graftwire.protocol.connection import Connection
from graftwire.protocol.errors import CallError, Unauthenticated

from .raising import fresh

if TYPE_CHECKING:
    from .incoming import Receiver
    from .output import Output
    from .session import Session

_log: Final = logging.getLogger("graftwire.session")


class Authentication:
    """Both directions of authentication in one session.

    `since` is when the other side's last AUTH came, in seconds on trio's clock.
    """

    def __init__(
        self,
        session: Session,
        conn: Connection,
        output: Output,
        receiver: Receiver | None,
        verdict_within: float,
    ) -> None:
        self._session = session
        self._verdict_within = verdict_within  # seconds for each round
        self._conn = conn
        self._output = output
        self._receiver = receiver
        self._proving = trio.Lock()
        self._verdict: trio.Event | None = None
        self._challenge: bytes | None = None
        self.nursery: trio.Nursery | None = None
        self.since = 0.0

    # --- this side proves who it is ----------------------------------------------------------------------------------

    def hellos(self) -> tuple[bytes, bytes]:
        """Both HELLO frames, the initiator's first, as `Connection.hellos`."""
        return self._conn.hellos

    def begin(self, scheme: str, proof: bytes) -> None:
        """Queue the AUTH that begins an exchange; `finish` waits for its outcome.

        Queued before the session runs, it leaves together with HELLO, and what is called meanwhile waits behind it.
        """
        self._conn.authenticate(scheme, proof)
        self._verdict = trio.Event()
        self._output.nudge(alone=True)

    async def finish(self, scheme: str, answer: Callable[[bytes], Awaitable[bytes]] | None = None) -> None:
        """Wait for the outcome of the exchange that `begin` began; `answer` makes the proof for a challenge.

        Raises Unauthenticated if it is refused (which ends the session), the reason if the session ends for another
        one (Unavailable, where no verdict comes in time), and what `answer` raises, after which the session is closed.
        """
        session = self._session
        await session.opened.wait()  # which has its own time
        while True:
            assert self._verdict is not None
            with trio.move_on_after(self._verdict_within) as scope:
                await self._verdict.wait()
            if scope.cancelled_caught and session.ending is None:
                session.give_up(f"the other side did not judge a proof within {self._verdict_within:g} s")
            if session.ending is not None:
                raise fresh(session.ending)
            if self._challenge is None:
                return
            data, self._challenge = self._challenge, None
            try:
                if answer is None:
                    raise Unauthenticated(
                        "the other side asks for a further proof, and this credential has none"
                    )
                proof = await answer(data)
            except BaseException:
                session.close()  # the other side waits for an answer that will not come
                raise
            if session.ending is not None:
                raise fresh(session.ending)
            self.begin(scheme, proof)

    async def prove(
        self, scheme: str, proof: bytes, answer: Callable[[bytes], Awaitable[bytes]] | None = None
    ) -> None:
        """`begin` and `finish`; waits for an exchange that is under way. Raises as `finish` does."""
        async with self._proving:
            if self._session.ending is not None:
                raise fresh(self._session.ending)
            self.begin(scheme, proof)
            await self.finish(scheme, answer)

    def on_challenge(self, frame: frames.Challenge) -> None:
        """The other side asks for a further proof."""
        self._challenge = frame.data
        self._settle()

    def on_accepted(self) -> None:
        """The other side has accepted the proof."""
        self._settle()

    def stop(self) -> None:
        """The session is over, and so is the waiting."""
        self._settle()

    def _settle(self) -> None:
        if self._verdict is not None:
            self._verdict.set()

    # --- the other side proves who it is -----------------------------------------------------------------------------

    def on_auth(self, frame: frames.Auth) -> None:
        """An AUTH came: have it judged, in a task, because the reader never waits."""
        self.since = trio.current_time()
        assert self.nursery is not None
        self.nursery.start_soon(self._judge, frame)

    async def _judge(self, frame: frames.Auth) -> None:
        """Have the receiver judge an AUTH, and go on with the calls that waited for the outcome."""
        session, conn = self._session, self._conn
        try:
            if self._receiver is None:
                raise Unauthenticated
            challenge = await self._receiver.authenticate(session, frame.scheme, frame.proof)
            if challenge is not None:
                conn.challenge(challenge)
        except Exception as error:  # noqa: BLE001 - whatever went wrong in judging, it is no pass
            if not isinstance(error, CallError):
                _log.error("judging a proof failed (%s), so it is refused", type(error).__name__)
            if session.ending is None:
                conn.refuse()
                session.refused()
            return
        if session.ending is not None:
            return
        if challenge is None:
            session.react(conn.accept())
            session.references.settle()
        self._output.nudge(alone=True)
