"""Frames as JSON objects, for scripts. Credentials only as their size; bodies too, unless they are asked for."""

from __future__ import annotations

from typing import Any

from graftwire.protocol import frames, values
from graftwire.protocol.errors import ValueRefused
from graftwire.protocol.frames import Context, Frame, Target

from .jsonvalues import Reference, plain
from .notation import SHAPES, kind_of
from .reading import Seen


def seen_json(seen: Seen, *, bodies: bool) -> dict[str, Any]:
    """A frame, or what is wrong with it, and where it was."""
    found: dict[str, Any] = {"frame": seen.number, "offset": seen.offset, "size": seen.size}
    if seen.frame is not None:
        found |= {"kind": kind_of(seen.frame)} | _elements(seen.frame, bodies)
    if seen.violation is not None:
        found |= {"clause": seen.violation.clause, "text": seen.violation.text}
    return found


def _elements(frame: Frame, bodies: bool) -> dict[str, Any]:
    match frame:
        case frames.Hello():
            limits = {name: getattr(frame.limits, name) for name in frame.limits.__struct_fields__}
            return {"versions": list(frame.versions), "limits": limits}
        case frames.Auth():
            return {"credential": _credential(frame.scheme, frame.proof)}
        case frames.Challenge():
            return {"challenge": {"size": len(frame.data)}}
        case frames.Call():
            credential = None if frame.credential is None else _credential(*frame.credential)
            return {
                "id": frame.id,
                "shape": SHAPES[frame.shape],
                "target": _target(frame.target),
                "context": _context(frame.context),
                "credential": credential,
                "body": _body(frame.body, bodies),
            }
        case frames.Error():
            body = None if frame.body is None else _body(frame.body, bodies)
            return {"id": frame.id, "code": frame.code.label, "body": body}
        case frames.Result() | frames.Item():
            return {"id": frame.id, "body": _body(frame.body, bodies)}
        case frames.Goaway():
            return {"last": frame.last, "code": frame.code.label}
        case _:
            return {name: getattr(frame, name) for name in frame.__struct_fields__}


def _credential(scheme: str, proof: bytes) -> dict[str, Any]:
    return {"scheme": scheme, "size": len(proof)}


def _target(target: Target) -> Any:
    return target if isinstance(target, str) else {"reference": target[0], "method": target[1]}


def _context(context: Context | None) -> dict[str, Any] | None:
    if context is None:
        return None
    found: dict[str, Any] = {}
    if context.remaining is not None:
        found["remaining_ms"] = context.remaining
    if context.trace is not None:
        trace, parent, flags = context.trace
        found["traceparent"] = f"00-{trace.hex()}-{parent.hex()}-{flags:02x}"
    if context.tracestate is not None:
        found["tracestate"] = context.tracestate
    return found


def _body(body: bytes, shown: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"size": len(body)}
    if shown:
        try:
            found["value"] = plain(values.decode(body, reference=Reference))
        except ValueRefused:
            found["hex"] = body.hex()
    return found
