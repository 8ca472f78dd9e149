"""Faults in calls, references and errors (sections 7, 10 and 11)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec

from graftwire.gateway import running
from graftwire.gateway.answering import Answering
from graftwire.gateway.host import Host
from graftwire.gateway.security.guard import Refused
from graftwire.protocol import values
from graftwire.protocol.errors import BadArguments, ErrorCode
from graftwire.protocol.frames import Call, Cancel, Error, Hello, Result
from graftwire.protocol.framewriting import encode
from graftwire.protocol.references import Exports, Imports
from graftwire.transport.references import References
from graftwire.transport.serving import Serving

from .mutant import ACCEPTOR, INITIATOR, Broken, around, mutant, repairing


@mutant(
    "call.ids-may-skip",
    "CALL-1",
    "A call may leave ids out.",
    "call.id.skipped call.id.biggest",
)
class SkippedIds(Broken):
    def _on_call(self, frame: Call, events: list[Any]) -> None:
        if frame.id & 1 == self._next_in & 1:
            self._next_in = max(frame.id, self._next_in)
        super()._on_call(frame, events)


@mutant("call.ids-again", "CALL-1", "The id of a call that is over may be used again.", "call.id.again")
class IdsAgain(Broken):
    def _on_call(self, frame: Call, events: list[Any]) -> None:
        if self._seen(frame.id) and frame.id not in self._in:
            self._next_in = frame.id
        super()._on_call(frame, events)


@mutant(
    "caller.ids-skip",
    "CALL-1",
    "A caller counts its calls by four.",
    "caller.ids caller.callback.ids caller.callback.overloaded caller.limit.calls caller.limit.bodies",
    roles=INITIATOR,
)
class CallerSkips(Broken):
    def call(self, *args: Any) -> int:
        id = super().call(*args)
        self._next_out += 2
        return id


@mutant(
    "call.other-shapes-taken",
    "CALL-2",
    "A unary method may be called with another shape.",
    "call.shape.other call.shape.unary-as-client describe.shape",
)
def other_shapes() -> None:
    @around(Host, "look_up")
    def _(strict: Any, self: Host, call: Any) -> Any:
        method = self.methods.get(call.target)
        return method if method is not None and method.shape == 0 else strict(self, call)


@mutant(
    "call.targets-in-any-case",
    "CALL-3",
    "Targets are compared without regard to capitals.",
    "call.target.bytewise",
)
def any_case() -> None:
    @around(Host, "look_up")
    def _(strict: Any, self: Host, call: Any) -> Any:
        target = call.target
        if isinstance(target, str):
            call.target = next((each for each in self.methods if each.lower() == target.lower()), target)
        return strict(self, call)


@mutant(
    "call.too-many-taken",
    "CALL-4",
    "There may be more open calls than limit 2 says.",
    "call.limit.over call.limit.answered-counts cancel.slot.taken flood.calls call.limit.unread-answers",
)
class TooManyCalls(Broken):
    def _on_hello(self, frame: Hello, events: list[Any]) -> None:
        super()._on_hello(frame, events)
        self.limits = msgspec.structs.replace(self.limits, calls_in_flight=65_536)


@mutant(
    "call.too-large-bodies-taken",
    "CALL-5",
    "The bodies of open calls may be larger than limit 3 says.",
    "call.bodies.over",
)
class TooLargeBodies(Broken):
    def _on_hello(self, frame: Hello, events: list[Any]) -> None:
        super()._on_hello(frame, events)
        self.limits = msgspec.structs.replace(self.limits, unfinished_body_bytes=2**31 - 1)


@mutant(
    "caller.too-many-calls",
    "CALL-4",
    "A caller makes more calls than the other side takes.",
    "caller.limit.calls caller.callback.overloaded",
    roles=INITIATOR,
)
class CallerExceeds(Broken):
    def _on_hello(self, frame: Hello, events: list[Any]) -> None:
        super()._on_hello(frame, events)
        self._most_calls = 65_536


@mutant(
    "call.answered-twice",
    "CALL-6",
    "A CANCEL that follows an early terminal is answered with a second one.",
    "stream.early.cancelled",
)
class AnsweredTwice(Broken):
    def _on_cancel(self, frame: Cancel, events: list[Any]) -> None:
        call = self._in.get(frame.id)
        answered = call is not None and call.terminal
        super()._on_cancel(frame, events)
        if answered:
            self._outbox.write(encode(Error(frame.id, ErrorCode.CANCELLED, None)))


@mutant(
    "call.never-answered",
    "CALL-12",
    "A call of a reserved target is never answered.",
    "call.reserved",
    roles=ACCEPTOR,
)
def never_answered() -> None:
    @around(Serving, "_finish_error")
    def _(strict: Any, self: Any, call: Any, code: ErrorCode, body: bytes | None) -> None:
        if str(call.target).startswith("graftwire.") and code is ErrorCode.UNKNOWN_TARGET:
            self._forget(call, failed=True)
        else:
            strict(self, call, code, body)


@mutant(
    "caller.any-terminal-taken",
    "CALL-7",
    "A terminal of a call that is not open is passed over.",
    "caller.second-terminal caller.unknown-terminal call.terminal.never-made.result call.terminal.never-made.error "
    "call.terminal.own caller.callback.second-terminal caller.cancel.second-terminal",
)
class AnyTerminal(Broken):
    def _on_terminal(self, frame: Result | Error, events: list[Any]) -> None:
        if frame.id in self._out:
            super()._on_terminal(frame, events)


@mutant(
    "call.run-before-authorisation",
    "CALL-11",
    "User code runs before it is asked whether the caller may call it.",
    "auth.denied.call credential.denied credential.instead",
)
def run_before_authorisation() -> None:
    @around(Answering, "_decide")
    async def _(strict: Any, self: Any, call: Any, asked: Any) -> None:
        try:
            await strict(self, call, asked)
        except Refused as refused:
            if refused.code is ErrorCode.DENIED and call.target == "Conformance.count":
                with suppress(BadArguments):
                    [key], _ = self._host.decode(call)
                    await self._host.methods[call.target].function(key)
            raise


@mutant(
    "call.unknown-target-told",
    "CALL-11",
    "Who may not call is told whether there is such a target.",
    "auth.denied.unknown auth.denied.shape auth.denied.reserved",
)
def unknown_target_told() -> None:
    @around(Answering, "_decide")
    async def _(strict: Any, self: Any, call: Any, asked: Any) -> None:
        try:
            await strict(self, call, asked)
        except Refused as refused:
            if refused.code is ErrorCode.DENIED:
                self._host.look_up(call)
            raise


@mutant(
    "call.body-decoded-first",
    "CALL-11",
    "The body is decoded before the target is looked up.",
    "call.order.unknown-body",
)
def body_first() -> None:
    @around(Host, "look_up")
    def _(strict: Any, self: Host, call: Any) -> Any:
        method = self.methods.get(call.target)
        if isinstance(call.target, str) and (method is None or method.shape != call.shape):
            self.decode(call)
        return strict(self, call)


@mutant(
    "call.above-the-last-answered",
    "CALL-13",
    "A call above the last id of a GOAWAY is answered.",
    "call.above-the-last.acceptor",
    roles=ACCEPTOR,
)
class AboveTheLast(Broken):
    def _on_call(self, frame: Call, events: list[Any]) -> None:
        said, self._sent_goaway = self._sent_goaway, None
        super()._on_call(frame, events)
        self._sent_goaway = said


# ---------------------------------------------------------------- references


@mutant(
    "reference.ids-again",
    "REF-1",
    "An owner gives an id again once it was released.",
    "reference.fresh",
)
def reference_ids_again() -> None:
    @around(Exports, "allocate")
    def _(strict: Any, self: Any, *about: Any) -> int:
        least = 2 - self._next % 2
        while least in self._given:
            least += 2
        self._next = least
        return strict(self, *about)


@mutant(
    "reference.any-parity-taken",
    "REF-1",
    "A reference may have an id of the reader's own.",
    "reference.wrong-parity reference.item.wrong-parity reference.result.wrong-parity caller.reference.wrong-parity",
)
def any_parity() -> None:
    @around(Imports, "received")
    def _(strict: Any, self: Any, id: int) -> None:
        if id & 1 == self._parity:
            strict(self, id)


@mutant(
    "reference.released-twice-taken",
    "REF-2",
    "A RELEASE of what is not held is passed over.",
    "reference.release.twice reference.release.never-given reference.release.own reference.release.next "
    "reference.withdrawn.released-twice caller.reference.released-after-error flood.releases",
)
def released_twice() -> None:
    Exports.release = lambda self, id: self._given.pop(id, None) and None


@mutant(
    "reference.callable-after-release",
    "REF-3",
    "A reference can be called after it was released.",
    "reference.call.released",
)
def callable_after_release() -> None:
    released: dict[int, Any] = {}

    @around(Exports, "release")
    def _(strict: Any, self: Any, id: int) -> None:
        released[id] = self._given.get(id)
        strict(self, id)

    @around(Exports, "get")
    def _(strict: Any, self: Any, id: int) -> Any:
        if id not in self._given and released.get(id) is not None:
            return released[id].value, released[id].owner
        return strict(self, id)


@mutant(
    "reference.released-after-error",
    "REF-4",
    "A holder releases the references of a call that it has answered with ERROR.",
    "reference.error.holder reference.error.bad-arguments reference.error.cancelled reference.callback.withdrawn "
    "reference.not-handed-back reference.dropped.result reference.dropped.error",
)
def released_after_error() -> None:
    @around(References, "call_over")
    def _(strict: Any, self: Any, call: Any, failed: bool) -> None:
        strict(self, call, False)


@mutant(
    "reference.dropped-unreleased",
    "REF-5",
    "References in a result or an item that nobody reads are not released.",
    "reference.dropped.* caller.reference.result-dropped caller.reference.item-dropped",
)
def dropped_unreleased() -> None:
    References.release_all_in = lambda self, body: None


@mutant(
    "reference.for-everybody",
    "REF-6",
    "A reference works for whoever calls it.",
    "reference.other-identity.*",
)
def for_everybody() -> None:
    @around(Answering, "_given")
    def _(strict: Any, call: Any, standing: Any) -> Any:
        call.given_to = None if standing is None else standing.identity.holder
        return strict(call, standing)

    Answering._given = staticmethod(Answering._given)


# ---------------------------------------------------------------- errors


@mutant(
    "error.unknown-codes-taken",
    "ERR-1",
    "A code that there is not is taken for *unavailable*.",
    "error.code.fourteen",
)
def unknown_codes() -> None:
    repairing("ERR-1", lambda payload: payload.replace(b"\x0e", b"\x0a") if b"\x0e" in payload else None)


@mutant(
    "error.with-a-text",
    "ERR-2",
    "An ERROR with a code that has no body has a text in its place.",
    "error.too-large.over error.too-large.item-over frame.length.receiver",
)
class WithAText(Broken):
    def sent(self, frame: bytes) -> bytes:
        if frame[5] != Error.kind or not frame.endswith(b"\x0b\xf6"):
            return frame
        payload = frame[4:-1] + b"\x48\x67too big"
        return len(payload).to_bytes(4, "big") + payload


@mutant(
    "error.internal-with-a-message",
    "ERR-4",
    "*internal* has the name of the exception in the place of its number.",
    "call.undeclared error.internal.eight-bytes error.body.* stream.server.breaks hidden.canary.crash "
    "hidden.structure.calls hidden.proof.credential",
    roles=ACCEPTOR,
)
def internal_with_a_message() -> None:
    @around(running, "incident")
    def _(strict: Any, call: Any, error: Exception) -> Any:
        strict(call, error)
        return ErrorCode.INTERNAL, values.encode(type(error).__name__)


@mutant(
    "error.names-told",
    "ERR-4",
    "The path of *bad-arguments* repeats the name of an argument that the method does not have.",
    "error.path.unknown-name",
)
def names_told() -> None:
    @around(Host, "bind")
    def _(strict: Any, call: Any, method: Any, plain: Any) -> Any:
        try:
            return strict(call, method, plain)
        except BadArguments as error:
            if error.path != "arguments":
                raise
            raise BadArguments(f"arguments.{next(iter(plain[1]))}") from None

    Host.bind = staticmethod(Host.bind)
