"""Faults in streams, credit, cancellation and deadlines (sections 8 and 9)."""

from __future__ import annotations

from typing import Any

import msgspec

from graftwire.protocol import connection, framereading
from graftwire.protocol.credit import Allowance
from graftwire.protocol.errors import ErrorCode
from graftwire.protocol.frames import Cancel, End, Item
from graftwire.protocol.framewriting import encode
from graftwire.protocol.limits import ITEM_OVERHEAD
from graftwire.transport import calling, session
from graftwire.transport.calling import Calling
from graftwire.transport.serving import Serving
from graftwire.transport.session import Session

from .mutant import ACCEPTOR, INITIATOR, Broken, around, mutant


@mutant(
    "stream.end-of-the-receiver",
    "STREAM-2",
    "A receiver ends a stream in which nothing was sent with END, and then with its terminal.",
    "stream.server.empty",
)
class EndOfTheReceiver(Broken):
    def result(self, id: int, body: bytes) -> None:
        call = self._in.get(id)
        if call is not None and call.sends and call.balance == self.peer_limits.stream_credit:
            self._outbox.write(encode(End(id)))
        super().result(id, body)


@mutant(
    "stream.end-of-the-receiver-taken",
    "STREAM-2",
    "An END that comes from the receiver is passed over.",
    "receiver.end caller.wrong.end.server-stream",
)
class ReceiversEnd(Broken):
    def _on_end(self, frame: End, events: list[Any]) -> None:
        if frame.id & 1 != self._next_out & 1:
            super()._on_end(frame, events)


@mutant(
    "stream.items-after-the-end-taken",
    "STREAM-3",
    "An ITEM behind the END of its stream is dropped.",
    "stream.item.after-end",
)
class ItemsAfterTheEnd(Broken):
    def _on_item(self, frame: Item, events: list[Any]) -> None:
        call = self._in.get(frame.id)
        if call is None or call.incoming is None or not call.caller_done or call.cancelled:
            super()._on_item(frame, events)


@mutant(
    "stream.not-ended-after-the-terminal",
    "STREAM-6",
    "A caller whose call was answered early does not end its own stream.",
    "caller.early-terminal",
    roles=INITIATOR,
)
class NotEnded(Broken):
    def end(self, id: int) -> None:
        if not self._out[id].terminal:
            super().end(id)

    def cancel(self, id: int) -> None:
        if not self._out[id].terminal:
            super().cancel(id)


@mutant(
    "credit.head-is-free",
    "CREDIT-1",
    "A sender counts the bodies of its items, and not the 64 bytes beside each.",
    "credit.kept.stream caller.credit.stream",
)
class HeadIsFree(Broken):
    def item(self, id: int, body: bytes) -> None:
        super().item(id, body)
        call = self._in.get(id) or self._out[id]
        call.balance += ITEM_OVERHEAD
        self._balance += ITEM_OVERHEAD


@mutant(
    "credit.exceeded",
    "CREDIT-2",
    "A sender of items takes no notice of credit.",
    "credit.kept.* credit.slow-taker.cancel caller.credit.stream caller.credit.session",
)
class Exceeded(Broken):
    def may_send_item(self, id: int) -> bool:
        call = self._out.get(id) or self._in.get(id)
        if call is not None:
            call.balance, self._balance = max(call.balance, 1), max(self._balance, 1)
        return super().may_send_item(id)


@mutant(
    "credit.not-enforced",
    "CREDIT-2",
    "Items without credit are taken.",
    "credit.stream.none-left credit.stream.below-zero credit.session.none-left stream.early.no-stream-credit "
    "caller.credit.none-left",
)
def not_enforced() -> None:
    def charge(self: Allowance, cost: int) -> None:
        self.granted -= cost

    Allowance.charge = charge


@mutant(
    "credit.above-the-most-taken",
    "CREDIT-3",
    "A balance may be above 2^31-1.",
    "credit.balance.session.over credit.balance.stream.over",
)
def above_the_most() -> None:
    connection.LARGEST_CREDIT = 2**53


@mutant(
    "credit.never-given-back",
    "CREDIT-6",
    "A reader of items gives no credit back.",
    "credit.stream.comes-back credit.session.comes-back credit.session.after-cancel stream.early.session-credit "
    "caller.credit.comes-back caller.cancelled.session-credit",
)
class NeverGivenBack(Broken):
    def _consume(self, call: Any, id: int, cost: int) -> None:
        """Nothing goes back."""


# ---------------------------------------------------------------- cancellation, deadlines, context


@mutant(
    "cancel.of-the-receiver-taken",
    "CANCEL-1",
    "A CANCEL that comes from the receiver is passed over.",
    "cancel.of-a-receiver caller.wrong.cancel.stream",
)
class ReceiversCancel(Broken):
    def _on_cancel(self, frame: Cancel, events: list[Any]) -> None:
        if frame.id & 1 != self._next_out & 1:
            super()._on_cancel(frame, events)


@mutant(
    "cancel.twice-taken",
    "CANCEL-2",
    "A second CANCEL of an open call is passed over.",
    "cancel.twice",
)
class CancelTwice(Broken):
    def _on_cancel(self, frame: Cancel, events: list[Any]) -> None:
        call = self._in.get(frame.id)
        if call is None or not call.cancelled:
            super()._on_cancel(frame, events)


@mutant(
    "cancel.ignored",
    "CANCEL-3",
    "Nothing comes of a CANCEL.",
    "cancel.running cancel.slot.free-at-the-end cancel.server-stream cancel.client-stream cancel.after-end "
    "cancel.one-of-many cancel.flood cancel.passed-on cancel.late-result cancel.at-once call.bodies.freed",
)
def cancel_ignored() -> None:
    @around(Serving, "cancel")
    def _(strict: Any, self: Any, id: int, why: ErrorCode) -> None:
        if why is not ErrorCode.CANCELLED:
            strict(self, id, why)


@mutant(
    "cancel.answered-at-once",
    "CANCEL-4",
    "A call that is cancelled is answered before its handler has ended.",
    "cancel.slot.free-at-the-end",
)
class AnsweredAtOnce(Broken):
    def _on_cancel(self, frame: Cancel, events: list[Any]) -> None:
        super()._on_cancel(frame, events)
        if frame.id in self._in:
            super().error(frame.id, ErrorCode.CANCELLED)

    def error(self, id: int, code: ErrorCode, body: bytes | None = None) -> None:
        if id in self._in:
            super().error(id, code, body)

    def result(self, id: int, body: bytes) -> None:
        if id in self._in:
            super().result(id, body)


@mutant(
    "caller.cancel-missing",
    "CANCEL-5",
    "A caller that gives a call up says nothing.",
    "caller.gives-up caller.deadline.passes caller.deadline.does-not-wait caller.cancel.* caller.item.broken "
    "caller.reference.*-dropped caller.cancelled.* reference.error.cancelled",
    roles=INITIATOR,
)
def cancel_missing() -> None:
    Calling.cancel = lambda self, id: None


@mutant(
    "context.zero-ids-taken",
    "CTX-3",
    "The ids of a traceparent may be all zeros.",
    "context.trace.zero-trace context.trace.zero-parent",
)
def zero_ids() -> None:
    framereading.any = lambda _: True


@mutant(
    "context.tracestate-taken",
    "CTX-4",
    "A tracestate is taken although nobody has switched it on.",
    "context.state.not-switched-on",
)
class TracestateTaken(Broken):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "tracestate": True})


@mutant(
    "context.tracestate-smuggled",
    "CTX-4",
    "A call of a trace has a tracestate, in which there is room for anything.",
    "caller.trace context.trace.handed-on context.state.not-switched-on",
    roles=INITIATOR,
)
def tracestate_smuggled() -> None:
    session.Connection = TracestateTaken

    @around(calling, "outgoing_context")
    def _(strict: Any, *about: Any) -> Any:
        context = strict(*about)
        if context is None or context.trace is None:
            return context
        return msgspec.structs.replace(context, tracestate="gw=4f7a")


@mutant(
    "deadline.ignored",
    "CTX-5",
    "A receiver does nothing when the deadline of a call passes.",
    "deadline.running deadline.server-stream deadline.client-stream deadline.shortest deadline.cancel-crosses "
    "deadline.handed-on.passes",
    roles=ACCEPTOR,
)
def deadline_ignored() -> None:
    Session._expire = lambda self, id: None


@mutant(
    "caller.deadline-not-sent",
    "CTX-2",
    "A caller keeps the deadline of a call to itself.",
    "caller.deadline.sent deadline.handed-on",
    roles=INITIATOR,
)
def deadline_not_sent() -> None:
    @around(calling, "outgoing_context")
    def _(strict: Any, *about: Any) -> Any:
        context = strict(*about)
        return (
            None
            if context is None or context.trace is None
            else msgspec.structs.replace(context, remaining=None)
        )
