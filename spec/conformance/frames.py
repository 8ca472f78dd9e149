"""The frames of the standard for cases: to send, and to expect. `Mine(1)` is the runner's first call.

Arguments of calls, results and items are values of section 16, as parts (parts.py); `body` puts something else there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .launch import INTERFACE, SCHEME, AnnouncedLimits
from .parts import ANY, Body, Bytes, Frame, Map, Mine, OneOf, Part, Secret, Tag
from .reading import KINDS

UNARY, SERVER, CLIENT, BOTH_WAYS = 0, 1, 2, 3
NONE: Final = 0
(
    CANCELLED,
    DEADLINE_EXCEEDED,
    UNAUTHENTICATED,
    DENIED,
    UNKNOWN_TARGET,
    BAD_ARGUMENTS,
    APPLICATION,
    INTERNAL,
    OVERLOADED,
    UNAVAILABLE,
    TOO_LARGE,
    PROTOCOL,
    VERSION,
) = range(1, 14)
REFERENCE: Final = 41_991  # the tag of a reference (VAL-16)
BIGGEST: Final = 2**53 - 1
DEFAULTS: Final = AnnouncedLimits().as_tuple()
LEAST: Final = (65_536, 16, 65_536, 65_536, 262_144, 1_000)
MOST: Final = (2**24 - 1, 65_536, 2**31 - 1, 2**31 - 1, 2**31 - 1, 2**31 - 1)
TRACE: Final = (bytes(range(1, 17)), bytes(range(1, 9)), 1)

FIRST: Final = Mine(1)
ALICE: Final = Secret("alice")


def raw(text: str, times: int = 1) -> Bytes:
    """Bytes in hexadecimal, with or without spaces, in the place of a frame."""
    return Bytes(bytes.fromhex(text), times)


def limits_map(values: Sequence[int]) -> Map:
    """The limits of HELLO."""
    return Map(tuple((key, value) for key, value in enumerate(values, 1)))


def hello(
    versions: Part = (1,),
    limits: Sequence[int] | Part | None = None,
    *,
    arity: int | None = None,
    behind: bytes = b"",
) -> Frame:
    """HELLO; `limits` are six values (the defaults), or any part."""
    if limits is None:
        shown: Part = limits_map(DEFAULTS)
    elif isinstance(limits, tuple) and len(limits) == 6:
        shown = limits_map([each for each in limits if isinstance(each, int)])
    else:
        shown = limits  # type: ignore[assignment]
    return Frame(0, (versions, shown), arity, behind)


def any_hello(*, offered: bool = False) -> Frame:
    """To expect: the target's HELLO. `offered`: that of an initiator, which may offer other versions, too."""
    return Frame(0, (ANY if offered else (1,), ANY))


def auth(proof: Part = ALICE, scheme: Part = SCHEME) -> Frame:
    """AUTH, with the proof of alice in the scheme of the tests."""
    return Frame(1, (scheme, proof))


def challenge(data: Part = ANY) -> Frame:
    """CHALLENGE."""
    return Frame(2, (data,))


def accepted() -> Frame:
    """ACCEPTED."""
    return Frame(3)


def call(
    method: str = "echo",
    *arguments: Part,
    id: Part = FIRST,
    shape: Part = UNARY,
    named: tuple[tuple[Part, Part], ...] = (),
    context: Part = None,
    credential: Part = None,
    target: Part = None,
    body: Part = None,
) -> Frame:
    """CALL of a method of the hosted interface; `target` and `body` put something else in their places."""
    where = f"{INTERFACE}.{method}" if target is None else target
    return Frame(
        5, (id, shape, where, context, credential, Body((arguments, Map(named))) if body is None else body)
    )


def any_call(method: str = "echo", *, id: Part = None, shape: Part = UNARY) -> Frame:
    """To expect: a CALL of the target's."""
    return Frame(5, (ANY if id is None else id, shape, f"{INTERFACE}.{method}", ANY, ANY, ANY))


def callback(value: Part = ANY, *, reference: Part = FIRST, id: Part = None) -> Frame:
    """To expect: a CALL of the target's on a reference of the runner's, with one argument."""
    body = ANY if value is ANY else Body(((value,), Map()))
    return Frame(5, (ANY if id is None else id, UNARY, (reference, ""), ANY, ANY, body))


def given(reference: Part = FIRST) -> Tag:
    """A reference as a value; the runner's first one unless another is named."""
    return Tag(REFERENCE, reference)


def call_on(reference: Part, *arguments: Part, id: Part = FIRST, credential: Part = None) -> Frame:
    """CALL of the object itself that a reference of the target's stands for."""
    return call("", *arguments, id=id, target=(reference, ""), credential=credential)


def result(value: Part = ANY, *, id: Part = FIRST, body: Part = None) -> Frame:
    """RESULT; as something to expect, with any body unless told otherwise."""
    return Frame(6, (id, Body(value) if body is None else body))


def error(*codes: int, id: Part = FIRST, body: Part = ANY) -> Frame:
    """ERROR with one of these codes; to send it, give one code and a body."""
    return Frame(7, (id, codes[0] if len(codes) == 1 else OneOf(codes), body))


def cancel(id: Part = FIRST) -> Frame:
    """CANCEL."""
    return Frame(8, (id,))


def item(value: Part = ANY, *, id: Part = FIRST, body: Part = None) -> Frame:
    """ITEM."""
    return Frame(9, (id, Body(value) if body is None else body))


def end(id: Part = FIRST) -> Frame:
    """END."""
    return Frame(10, (id,))


def credit(more: Part, id: Part = 0) -> Frame:
    """CREDIT, for the session unless a call is named."""
    return Frame(11, (id, more))


def ping(counter: Part = 1) -> Frame:
    """PING."""
    return Frame(12, (counter,))


def pong(counter: Part = 1) -> Frame:
    """PONG."""
    return Frame(13, (counter,))


def goaway(last: Part = 0, code: Part = NONE) -> Frame:
    """GOAWAY."""
    return Frame(14, (last, code))


def release(reference: Part = FIRST) -> Frame:
    """RELEASE."""
    return Frame(15, (reference,))


def told(frame: Frame) -> str:
    """A frame that is expected, in words."""
    name = KINDS.get(frame.kind, "a frame") if isinstance(frame.kind, int) else "a frame"
    if frame.kind == 7 and frame.elements[1] is not ANY:
        code = frame.elements[1]
        codes = code.parts if isinstance(code, OneOf) else (code,)
        return f"{name} with code {' or '.join(map(str, codes))}"
    if frame.kind == 14:
        return f"{name} with code {frame.elements[1]}"
    return name
