"""A call of the other side, as the code that answers it sees it."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Protocol

import trio

from graftwire.protocol import frames
from graftwire.protocol.errors import Error, ErrorCode

if TYPE_CHECKING:
    from .session import Session


class CallEnded(Error):
    """An item can't be sent or awaited any more: the call is over."""


class IncomingCall:
    """One call that is being served.

    `target` is a name or (reference, method); `body` holds the encoded arguments, not decoded yet; `deadline` is on
    trio's clock in seconds, infinity without one; `trace` as in frames.Context; `credential` counts for this call
    alone. `items()` and `send()` are the client's and the server's stream of it.
    """

    __slots__ = (
        "_ended",
        "_items",
        "_waiter",
        "body",
        "credential",
        "deadline",
        "given_to",
        "id",
        "kept",
        "received",
        "referent",
        "scope",
        "sending",
        "session",
        "shape",
        "standing",
        "stop",
        "streaming",
        "target",
        "trace",
    )

    def __init__(self, session: Session, frame: frames.Call) -> None:
        self.session = session
        self.id = frame.id
        self.shape = frame.shape
        self.target = frame.target
        self.credential = frame.credential
        self.body = frame.body
        self.standing: object = None  # what the receiver knows of who calls; not looked at here
        self.scope: trio.CancelScope | None = None
        self.sending = True  # whether items can still be sent: until the handler has ended
        self.stop: ErrorCode | None = None  # why the handler was told to stop, once it was
        self.referent: object = None  # what a reference stood for when the call came, unless it was withdrawn
        self.given_to: object = None  # and to whom it was given
        self.received: list[int] | None = None  # references that came in arguments and items
        self.kept: set[int] | None = None  # those of them that outlive the call
        self.trace: tuple[bytes, bytes, int] | None = None
        self.deadline = math.inf
        context = frame.context
        if context is not None:
            self.trace = context.trace
            if context.remaining is not None:
                self.deadline = trio.current_time() + context.remaining / 1000
        self.streaming = frame.shape >= frames.CLIENT_STREAM  # neither END nor CANCEL of the caller came yet
        if self.streaming:
            self._items: deque[bytes] | None = deque()
            self._ended = False
        else:
            self._items = None
            self._ended = True
        self._waiter: trio.lowlevel.Task | None = None

    @property
    def has_client_stream(self) -> bool:
        """Whether the caller sends a stream."""
        return self.shape >= frames.CLIENT_STREAM

    @property
    def has_server_stream(self) -> bool:
        """Whether the receiver sends a stream."""
        return self.shape in (frames.SERVER_STREAM, frames.BOTH_STREAMS)

    def cancel(self, why: ErrorCode) -> None:
        """Tell the handler to stop, with the code that the caller is to get."""
        if self.stop is None:
            self.stop = why
            if self.scope is not None:
                self.scope.cancel()

    async def next_item(self) -> bytes | None:
        """The body of the caller's next item; None at the end of its stream. One task at a time."""
        items = self._items
        if items is None:
            return None
        if not items and not self._ended:
            self._waiter = trio.lowlevel.current_task()

            def abort(_: object) -> trio.lowlevel.Abort:
                self._waiter = None
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(abort)
        else:
            await trio.lowlevel.checkpoint()
        if not items:
            return None
        body = items.popleft()
        self.session.consumed(self.id, len(body))
        return body

    async def send(self, body: bytes) -> None:
        """Send an item of the receiver's stream; waits for credit, and while too much is queued.

        Raises TooLarge for an item that does not fit into a frame, CallEnded if the call or the session is over.
        """
        sent = False
        try:
            sent = await self.session.items.send(self, body)
        finally:
            if not sent:
                self.session.references.unsent(body)
        if not sent:
            await (
                trio.lowlevel.checkpoint_if_cancelled()
            )  # with its session a call is cancelled, which says more
            raise CallEnded("the call is over")

    # --- the session's side ------------------------------------------------------------------------------------------

    def feed(self, body: bytes) -> None:
        """An item came."""
        assert self._items is not None
        self._items.append(body)
        self._wake()

    def feed_end(self) -> None:
        """The caller's stream has ended."""
        self._ended = True
        self.streaming = False
        self._wake()

    def discard(self) -> list[bytes]:
        """Give up the items that nobody took."""
        if not self._items:
            return []
        items = list(self._items)
        self._items.clear()
        return items

    def _wake(self) -> None:
        task, self._waiter = self._waiter, None
        if task is not None:
            trio.lowlevel.reschedule(task)


class Receiver(Protocol):
    """Who answers the other side's calls: a gateway, or what serves callbacks. Chosen by who makes the session."""

    def arrived(self, call: IncomingCall) -> None:
        """A call came: what is known of the other side at this moment holds for it, whatever comes later (AUTH-7)."""
        ...

    def answer(self, call: IncomingCall) -> bytes | None:
        """The encoded result, where the call can be answered without waiting; None: use `handle`, in a task."""
        ...

    async def handle(self, call: IncomingCall) -> bytes:
        """Run the call and return its encoded result. Any exception is passed to `failure`."""
        ...

    def failure(self, call: IncomingCall, error: Exception) -> tuple[ErrorCode, bytes | None]:
        """What the caller is told of an exception."""
        ...

    async def authenticate(self, session: Session, scheme: str, proof: bytes) -> bytes | None:
        """Judge an AUTH: None accepts it, bytes are a challenge. Raises Unauthenticated to refuse it."""
        ...
