"""Faults in values, and what is hidden in answers (section 16, and section 19 with what it leaves free)."""

from __future__ import annotations

import base64
import os
from typing import Any

import msgspec

from graftwire.conformance.launch import CANARY_VARIABLE
from graftwire.conformance.reference import initiator, service
from graftwire.conformance.roles import Link
from graftwire.gateway import running
from graftwire.gateway.answering import Answering
from graftwire.gateway.host import Host
from graftwire.gateway.running import Runner
from graftwire.gateway.security import guard
from graftwire.protocol import reader, scalars, values
from graftwire.protocol.errors import ErrorCode
from graftwire.protocol.frames import Context
from graftwire.transport import calling, http

from .mutant import ACCEPTOR, INITIATOR, around, mutant


@mutant(
    "value.long-heads-taken",
    "VAL-3",
    "Numbers and lengths in bodies may be written in more bytes than they need.",
    "value.argument.long.*",
    roles=ACCEPTOR,
)
def long_heads() -> None:
    reader._LEAST = (0, 0, 0, 0)


@mutant(
    "value.keys-twice-taken",
    "VAL-7",
    "Of a key that a map has twice, the last one counts.",
    "value.argument.map.key.duplicate.* value.argument.map.key.inside",
    roles=ACCEPTOR,
)
def keys_twice() -> None:
    @around(reader, "_make_map")
    def _(strict: Any, items: list[Any], count: int, run: Any) -> Any:
        if not all(isinstance(key, str | int) for key in items[::2]):
            return strict(items, count, run)
        last = dict(zip(items[::2], items[1::2], strict=True))
        return strict([each for pair in last.items() for each in pair], len(last), run)


@mutant(
    "value.other-tags-taken",
    "VAL-8",
    "A tag outside the closed list is passed over: there is room for a label on every value.",
    "value.argument.tag.[0-9]*",
    roles=ACCEPTOR,
)
def other_tags() -> None:
    class Readers(dict[int, Any]):
        def get(self, number: int, default: Any = None) -> Any:
            return super().get(number, lambda content: content)

    reader.READERS = Readers(scalars.READERS)


@mutant(
    "value.floats-for-integers",
    "VAL-21",
    "A float is taken for an integer.",
    "value.type.integer-of-float",
    roles=ACCEPTOR,
)
def floats_for_integers() -> None:
    @around(Host, "bind")
    def _(strict: Any, call: Any, method: Any, plain: Any) -> Any:
        positional, named = plain
        if call.target == "Conformance.integer":
            positional = [int(each) if isinstance(each, float) else each for each in positional]
        return strict(call, method, (positional, named))

    Host.bind = staticmethod(Host.bind)


# ---------------------------------------------------------------- what must not be seen


@mutant(
    "hidden.token-in-an-error",
    "ERR-4",
    "The credential of a call is in the message of what went wrong in it.",
    "hidden.proof.credential",
    roles=ACCEPTOR,
    told="leaks",
)
def token_in_an_error() -> None:
    @around(running, "incident")
    def _(strict: Any, call: Any, error: Exception) -> Any:
        if call.credential is None:
            return strict(call, error)
        scheme, proof = call.credential
        message = f"failed for the {scheme} {proof.hex()}"
        return ErrorCode.APPLICATION, values.encode(["Failed", message, {}])


@mutant(
    "hidden.exception-told",
    "ERR-4",
    "An exception that is not declared crosses with its text.",
    "call.undeclared error.internal.eight-bytes stream.server.breaks hidden.canary.crash hidden.proof.auth "
    "hidden.proof.credential",
    roles=ACCEPTOR,
    told="leaks",
)
def exception_told() -> None:
    @around(Runner, "failure")
    def _(strict: Any, self: Any, call: Any, error: Exception) -> Any:
        raised = error.error if isinstance(error, running._Raised) else None
        return self._declared(call, raised) if isinstance(raised, KeyError) else strict(self, call, error)


@mutant(
    "hidden.proof-in-a-challenge",
    "AUTH-2",
    "A CHALLENGE has the proof behind its data, in base64.",
    "hidden.proof.rounds auth.rounds.* auth.held.*",
    roles=ACCEPTOR,
    told="leaks",
)
def proof_in_a_challenge() -> None:
    @around(Answering, "authenticate")
    async def _(strict: Any, self: Any, session: Any, scheme: str, proof: bytes) -> bytes | None:
        data = await strict(self, session, scheme, proof)
        return None if data is None else data + base64.b64encode(proof)


@mutant(
    "hidden.environment-in-a-result",
    "CALL-10",
    "A result has a secret of the environment beside it, in base64.",
    "hidden.canary.default",
    roles=ACCEPTOR,
    told="leaks",
)
def environment_in_a_result() -> None:
    @around(Runner, "_encode")
    def _(strict: Any, self: Any, call: Any, value: Any) -> bytes:
        if call.target == "Conformance.default":
            value = {"size": value, "node": base64.b64encode(os.environ[CANARY_VARIABLE].encode()).decode()}
        return strict(self, call, value)


@mutant(
    "hidden.log-context-in-a-trace",
    "CTX-2",
    "The trace id of a call whose deadline is far away is a piece of what the log has as its context.",
    "caller.deadline.latest",
    roles=INITIATOR,
    told="leaks",
)
def log_context_in_a_trace() -> None:
    kept: list[bytes] = []

    @around(initiator, "make_service")
    def _(strict: Any, counters: service.Counters, canaries: dict[str, str]) -> object:
        kept.append(canaries["log"].encode())
        return strict(counters, canaries)

    @around(calling, "outgoing_context")
    def _(strict: Any, *about: Any) -> Any:
        context = strict(*about)
        if not isinstance(context, Context) or (context.remaining or 0) < 2**30:
            return context
        return msgspec.structs.replace(context, trace=(kept[0][:16], kept[0][16:24], 0))


@mutant(
    "hidden.authorization-counts",
    "AUTH-11",
    "An Authorization header of the handshake lets its sender in.",
    "hidden.ambient.authorization.bearer.guarded hidden.ambient.authorization.basic.guarded auth.none.headers",
    roles=ACCEPTOR,
    link=Link.WS,
)
def authorization_counts() -> None:
    @around(http, "judge")
    def _(strict: Any, request: Any, *about: Any) -> Any:
        found = strict(request, *about)
        if isinstance(found, http.Upgrade) and any(name == b"authorization" for name, _ in request.headers):
            return http.Upgrade(found.key, found.path, "somebody")
        return found

    @around(Answering, "arrived")
    def _(strict: Any, self: Any, call: Any) -> None:
        strict(self, call)
        if call.session.facts.origin == "somebody" and call.standing is None:
            call.standing = guard.Standing(guard.NOBODY, "a header")


@mutant(
    "hidden.keys-in-another-order",
    "VAL-20",
    "The keys of a map in a result are put in another order, which says something.",
    "hidden.structure.calls hidden.structure.map-order value.argument.map.text.descending",
    roles=ACCEPTOR,
)
def keys_in_another_order() -> None:
    @around(Runner, "_encode")
    def _(strict: Any, self: Any, call: Any, value: Any) -> bytes:
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            value = dict(sorted(value.items()))
        return strict(self, call, value)
