"""What a target wrote, read strictly, without a line of the core's own reader: CBOR by cbor2, the rest by the grammar.

The grammar is spec/frames.cddl, judged by cddl-verifier, deterministic encoding included. Each kind of check has its
own words, so that a report says which one found it.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, NoReturn

import cbor2

from .errors import HarnessError
from .heads import Cut, count

# Bodies above this are not opened: the grammar's checker would take seconds for them, and whoever else plays waits.
OPENED: Final = 65_536  # bytes
OPENED_HEADS: Final = 4_096
MOST_HEADS: Final = 64  # of a header, what is in its byte strings not counted: no frame has half as many
WITH_BODY: Final = (
    b"\x05",
    b"\x06",
    b"\x07",
    b"\x09",
)  # CALL, RESULT, ERROR, ITEM; others have nothing to open
REMEMBERED: Final = 16_384  # frames whose verdict is
_VERDICTS: dict[bytes, str | None] = {}
KINDS: Final = {
    0: "HELLO",
    1: "AUTH",
    2: "CHALLENGE",
    3: "ACCEPTED",
    5: "CALL",
    6: "RESULT",
    7: "ERROR",
    8: "CANCEL",
    9: "ITEM",
    10: "END",
    11: "CREDIT",
    12: "PING",
    13: "PONG",
    14: "GOAWAY",
    15: "RELEASE",
}


class _NoTags(dict[int, Any]):
    """Denies every tag: there is none in a header."""

    def __missing__(self, key: int) -> NoReturn:
        raise ValueError("a tag in a header (HEAD-6)")


@lru_cache(maxsize=1)
def _validator() -> Any:
    try:
        from cddl_verifier import Validator  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise HarnessError(
            'the grammar needs the package cddl-verifier; run: pip install "graftwire[conformance]"'
        ) from None
    text = files("graftwire.spec").joinpath("frames.cddl").read_text(encoding="utf-8")
    return Validator(text)


def prepare() -> None:
    """Read the grammar now, which takes a moment, and not in the first case. Raises HarnessError."""
    _validator()


def fault_of(payload: bytes) -> str | None:
    """What is wrong with a frame (without its length), in one sentence without a byte of it; None: nothing.

    The answer is remembered, and the frame is not: most sessions begin with the same ones, and streams are of frames
    that are alike.
    """
    digest = hashlib.blake2b(payload, digest_size=32).digest()
    if digest not in _VERDICTS:
        if len(_VERDICTS) >= REMEMBERED:
            _VERDICTS.clear()
        _VERDICTS[digest] = _fault_of(payload)
    return _VERDICTS[digest]


def _fault_of(payload: bytes) -> str | None:
    elements = elements_of(payload)
    if elements is None:
        return "the frame is not in the grammar (rule frame)"
    opened = False
    if payload[1:2] in WITH_BODY and isinstance(elements[-1], bytes):
        try:
            opened = len(payload) <= OPENED and count(elements[-1], OPENED_HEADS) <= OPENED_HEADS
        except Cut:
            return "the body is not one whole item of definite length (VAL-1, VAL-2)"
    validate = _validator().validate
    rule = "whole-frame" if opened else "frame"
    deterministic = validate(payload, root_type="frame", require_deterministic=True).valid
    if (opened or not deterministic) and not validate(payload, root_type=rule).valid:
        return f"the frame is not in the grammar (rule {rule})"
    if not deterministic:
        return "the header is not in its one encoding (HEAD-1 to HEAD-5)"
    try:
        elements = cbor2.loads(
            payload, semantic_decoders=_NoTags(), allow_indefinite=False, allow_duplicate_keys=False
        )
    except (ValueError, cbor2.CBORError):
        return "the bytes are not one CBOR item"
    if cbor2.dumps(elements, canonical=True) != payload:
        return "the header is not in its one encoding, or bytes follow it (FRAME-3, HEAD-1)"
    return None


def elements_of(payload: bytes) -> list[Any] | None:
    """The kind and the elements of a frame; None where it is no array, or has more in it than any header."""
    try:
        if count(payload, MOST_HEADS) > MOST_HEADS:
            return None
        found: object = cbor2.loads(payload)
    except (Cut, ValueError, cbor2.CBORError):
        return None
    return found if isinstance(found, list) and found else None  # pyright: ignore[reportUnknownVariableType]


def name_of(payload: bytes) -> str:
    """The kind of a frame in the words of the standard."""
    elements = elements_of(payload)
    kind = elements[0] if elements else None
    return KINDS.get(kind, "an unknown kind") if isinstance(kind, int) else "no frame"
