"""The sending half of a session's state machine: method calls in, bytes out.

A method that is asked for something illegal raises LocalProtocolError and queues nothing.
"""

from __future__ import annotations

from typing import NoReturn

from .calls import OpenCall, made_here
from .core import Core, State
from .errors import ErrorCode, LocalProtocolError
from .frametypes import (
    Auth,
    Cancel,
    Challenge,
    Context,
    End,
    Error,
    Goaway,
    Ping,
    Release,
    Target,
)
from .framewriting import encode, encode_call, encode_item, encode_result
from .limits import ITEM_OVERHEAD, LARGEST_INTEGER


class Sending(Core):
    """What a user may ask a session to send. Not for use on its own."""

    __slots__ = ()

    def take(self, most: int = 262_144) -> list[bytes]:
        """Whole frames to write now, control frames first, up to about `most` bytes (at least one frame)."""
        return self._outbox.take(most)

    # --- authentication -----------------------------------------------------------------------------------

    def authenticate(self, scheme: str, proof: bytes) -> None:
        """Send AUTH: the start of an exchange, or the answer to a Challenge event."""
        frame = encode(Auth(scheme, proof))
        first = not self._ours.rounds
        self._ours.send()
        if first:
            self._outbox.write_auth(frame)
        else:
            self._outbox.write_answer(frame)

    def challenge(self, data: bytes) -> None:
        """Answer the other side's AUTH with a further round."""
        frame = encode(Challenge(data))
        if self.state is State.CLOSED:
            return
        self._theirs.challenge()
        self._outbox.write(frame)

    def refuse(self) -> None:
        """Refuse the other side's AUTH: GOAWAY(unauthenticated), and the session is over (AUTH-5)."""
        if self.state is State.CLOSED:
            return
        self._theirs.require()
        self._close(ErrorCode.UNAUTHENTICATED)

    # --- calls --------------------------------------------------------------------------------------------

    def call(
        self,
        shape: int,
        target: Target,
        body: bytes,
        context: Context | None = None,
        credential: tuple[str, bytes] | None = None,
    ) -> int:
        """Open a call and return its id. `may_call` must hold."""
        size = len(body)
        if len(self._out) >= self._most_calls or self._out_bytes + size > self._most_body_bytes:
            self._refuse_call(size)
        if context is not None and context.tracestate is not None and not self._tracestate:
            raise LocalProtocolError("CTX-4", "tracestate is not switched on")
        id = self._next_out
        frame = encode_call(id, shape, target, context, credential, body)
        limits = self.peer_limits
        if len(frame) - 4 > limits.largest_frame:
            raise LocalProtocolError("FRAME-2", "the call is larger than a frame that the other side takes")
        self._next_out = id + 2
        if id + 2 > LARGEST_INTEGER:
            self._most_calls = 0
        self._out[id] = made_here(shape, size, limits.stream_credit, self.limits.stream_credit)
        self._out_bytes += size
        self._outbox.write(frame)
        return id

    def _refuse_call(self, body_size: int) -> NoReturn:
        if self.state is State.CLOSED:
            raise LocalProtocolError("LEAVE-6", "the session is over")
        if self._peer_goaway is not None:
            raise LocalProtocolError("LEAVE-2", "the other side takes no new calls")
        if self._next_out > LARGEST_INTEGER:
            raise LocalProtocolError("CALL-1", "this session has no call ids left")
        if body_size > self.peer_limits.largest_frame:
            raise LocalProtocolError("FRAME-2", "the call is larger than a frame that the other side takes")
        if len(self._out) >= self._most_calls:
            raise LocalProtocolError("CALL-4", "the other side takes no more calls just now")
        raise LocalProtocolError("CALL-5", "the other side takes no more bodies just now")

    def result(self, id: int, body: bytes) -> None:
        """Send RESULT, the terminal of a call of the other side."""
        call = self._in.get(id)
        if call is None or call.terminal:
            self._refuse_terminal()
        frame = encode_result(id, body)
        if len(frame) - 4 > self.peer_limits.largest_frame:
            raise LocalProtocolError("FRAME-2", "the result is larger than a frame that the other side takes")
        outbox = self._outbox
        outbox.write(frame)
        outbox.terminals += 1
        if call.caller_done:
            del self._in[id]
            self._in_bytes -= call.body_size
        else:
            call.terminal = True

    def error(self, id: int, code: ErrorCode, body: bytes | None = None) -> None:
        """Send ERROR, the terminal of a call of the other side."""
        call = self._in.get(id)
        if call is None or call.terminal:
            self._refuse_terminal()
        frame = encode(Error(id, code, body))
        if len(frame) - 4 > self.peer_limits.largest_frame:
            raise LocalProtocolError("FRAME-2", "the error is larger than a frame that the other side takes")
        self._outbox.write(frame)
        self._outbox.terminals += 1
        call.terminal = call.failed = True
        if call.caller_done:
            self._close_in(id, call)

    def _refuse_terminal(self) -> NoReturn:
        raise LocalProtocolError("CALL-6", "this call has no terminal to come")

    def cancel(self, id: int) -> None:
        """Send CANCEL for a call of this side; it stays open until its terminal comes."""
        call = self._out.get(id)
        if call is None or call.cancelled:
            raise LocalProtocolError("CANCEL-2", "this call is not open, or was cancelled before")
        call.cancelled = call.caller_done = True
        self._outbox.write(encode(Cancel(id)))
        if call.terminal:
            self._close_out(id, call)

    # --- streams ------------------------------------------------------------------------------------------

    def item(self, id: int, body: bytes) -> None:
        """Send an element of this side's stream of a call. `may_send_item` must hold."""
        call = self._mine_or_theirs(id)
        if not call.sends:
            raise LocalProtocolError("STREAM-1", "this call has no stream in this direction")
        if call.caller_done if id in self._out else call.terminal:
            raise LocalProtocolError("STREAM-3", "this stream has ended")
        if call.balance <= 0 or self._balance <= 0:
            raise LocalProtocolError("CREDIT-2", "there is no credit for an item just now")
        frame = encode_item(id, body)
        if len(frame) - 4 > self.peer_limits.largest_frame:
            raise LocalProtocolError("FRAME-2", "the item is larger than a frame that the other side takes")
        cost = len(body) + ITEM_OVERHEAD
        call.balance -= cost
        self._balance -= cost
        self._outbox.write(frame)

    def _mine_or_theirs(self, id: int) -> OpenCall:
        call = self._in.get(id) or self._out.get(id)
        if call is None:
            raise LocalProtocolError("CALL-7", "this call is not open")
        return call

    def end(self, id: int) -> None:
        """Send END: this caller's stream has no more items. After an early terminal this closes the call."""
        call = self._out.get(id)
        if call is None or call.caller_done:
            raise LocalProtocolError("STREAM-2", "this call has no stream of this caller to end")
        call.caller_done = True
        self._outbox.write(encode(End(id)))
        if call.terminal:
            self._close_out(id, call)

    def consume(self, id: int, body_size: int) -> None:
        """Say that an item of that many bytes was used or thrown away, so that its credit goes back in time.

        Once for each Item event, also where the call is closed by then.
        """
        if self.state is State.CLOSED:
            return
        call = self._in.get(id) or self._out.get(id)
        if call is not None and (call.terminal or call.cancelled):
            call = None  # no more items come, or none that anybody waits for
        self._consume(call, id, body_size + ITEM_OVERHEAD)

    # --- the session --------------------------------------------------------------------------------------

    def ping(self) -> None:
        """Ask for a sign of life; one at a time (clause KEEP-1)."""
        if self._ping_out:
            raise LocalProtocolError("KEEP-1", "a PING is still outstanding")
        self._outbox.write_control(encode(Ping(self._ping + 1)))
        self._ping += 1
        self._ping_out = True

    def goaway(self, last: int = LARGEST_INTEGER) -> None:
        """Begin to leave (the default), or say with `last_in` that no later call of the other side runs (LEAVE-3)."""
        if self.state is State.CLOSED:
            return
        if self._sent_goaway is not None and last >= self._sent_goaway:
            raise LocalProtocolError("LEAVE-3", "this side has said so before, or named its last call")
        if last not in (LARGEST_INTEGER, self.last_in):
            raise LocalProtocolError("LEAVE-5", "all calls up to `last_in` were handed out and may have run")
        self._sent_goaway = last
        for id in [id for id in self._in if id > last]:
            self._close_in(id, self._in[id])  # it waits for an AUTH's outcome, and won't run
        self._outbox.write_control(encode(Goaway(last, ErrorCode.NONE)))

    def abort(self, code: ErrorCode) -> None:
        """End the session at once for a reason of this side's own: GOAWAY(`last_in`, `code`) and nothing more.

        An acceptor that has not read HELLO yet refuses the session with it (HELLO-10).
        """
        if code is ErrorCode.NONE:
            raise LocalProtocolError("LEAVE-6", "a session that ends at once ends with an error code")
        self._close(code)

    def release(self, reference: int) -> None:
        """Send RELEASE for a reference that this side was given. Stays behind the CALLs that use it."""
        if reference < 1:
            raise LocalProtocolError("REF-2", "a reference is at least 1")
        self._outbox.write(encode(Release(reference)))
