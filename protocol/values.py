"""Bodies: the bytes of arguments, results and items, to and from plain Python values (spec/PROTOCOL.md, "Values").

`encode` and `decode` are exact opposites on plain values: None, bool, int, float, str, bytes, list, dict, set,
date, time, aware datetime, timedelta, Decimal, UUID. `decode` gives nothing else (but references); `encode`
takes more than that, and `converter` (convert.py) makes it out of what `decode` gives.

Decoding takes one of three ways, which accept the same bodies and give the same values:

- the few forms that most calls have (a bare scalar, a list of scalars) are read on the spot;
- cbor2 decodes bodies without tags, and what it gives must encode to the same bytes again;
- everything else, and whatever one of the two did not vouch for, goes to `reader`, which knows each clause.
"""

# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownParameterType=false
# (what is encoded, decoded and converted here is a user's own, of any type)
from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
from cbor2 import CBORDecodeError, dumps, loads

from .errors import ValueRefused
from .reader import Body, argument, read
from .scalars import MAX_DEPTH, Reference
from .writer import ReferenceOf, head, scalar, write, write_arguments

__all__ = ["Reference", "decode", "decode_arguments", "encode", "encode_arguments"]

Buffer = bytes | bytearray | memoryview
Resolve = Callable[[int], object]

# Bytes from which on `reader` is quicker than cbor2 as soon as there are large strings, which encoding would copy.
_LARGE: Final = 65_536

# [positional, {}] up to the first argument, for 0 to 23 of them.
_OPEN: Final = tuple(bytes((0x82, 0x80 + count)) for count in range(24))
_BYTES_HEADS: Final = tuple(bytes((0x40 + size,)) for size in range(24))
_SIMPLE: Final[dict[int, bool | None]] = {0xF4: False, 0xF5: True, 0xF6: None}
_double = struct.Struct(">d").unpack_from


def encode(value: object, *, reference: ReferenceOf | None = None) -> bytes:
    """The one encoding of `value` (VAL-20).

    Besides plain values this takes tuples and frozensets, bytearray and memoryview, members of enums (by their
    name), dataclasses, named tuples, msgspec.Struct and attrs objects (as maps of their fields), and instances
    of subclasses of all these. Everything else (callables among it) is given to `reference`, which answers with
    the number of a reference, or raises TypeError if the object is not to be sent.

    Raises ValueRefused with the path to what can't be encoded: a lone surrogate, a datetime without a zone, more
    than 64 levels (a cycle therefore), more than 1,048,576 items. Numbers that `reference` gave before are then
    in no body. What else `reference` raises passes through.
    """
    data = scalar(value)
    return write(value, reference) if data is None else data


def encode_arguments(
    positional: tuple[object, ...], named: dict[str, object], *, reference: ReferenceOf | None = None
) -> bytes:
    """The body of a CALL: [positional, named] (CALL-10); as `encode` otherwise.

    A path begins with the position (`[0].lines[3].amount`) or the name (`order.lines[3].amount`).
    """
    if named or len(positional) > 23:
        return write_arguments(positional, named, reference)
    parts = [_OPEN[len(positional)]]
    for value in positional:
        if type(value) is bytes:
            size = len(value)
            parts.append(_BYTES_HEADS[size] if size < 24 else head(0x40, size))
            parts.append(value)
        else:
            data = scalar(value)
            if data is None:
                return write_arguments(positional, named, reference)
            parts.append(data)
    parts.append(b"\xa0")
    return b"".join(parts)


def decode(data: Buffer, *, reference: Resolve | None = None) -> object:
    """The plain value that `data` is the one encoding of.

    `reference` makes an object of each reference's number, in the order of the body and only once all of it has
    been found valid; without it references are refused. What it raises passes through.

    Raises ValueRefused with the clause that `data` breaks, and nothing else, whatever `data` is.
    """
    if type(data) is not bytes:
        data = bytes(data)
    size = len(data)
    first = data[0] if size else 0xFF
    if 0x40 <= first < 0x60:
        length, pos = argument(data, 1, first & 31)
        if size == pos + length:
            return data[pos:]
    elif size == 1:
        if first < 0x18:
            return first
        if first in _SIMPLE:
            return _SIMPLE[first]
    return _finish(_decode(data), reference)


def decode_arguments(
    data: Buffer, *, reference: Resolve | None = None
) -> tuple[list[object], dict[str, object]]:
    """The positional and the named arguments in the body of a CALL (CALL-10); as `decode` otherwise."""
    if type(data) is not bytes:
        data = bytes(data)
    scalars = _scalars(data)
    if scalars is not None:
        return scalars, {}
    body = _decode(data)
    if not _is_call(body.value):
        raise ValueRefused("CALL-10", "not a list of positional and a map of named arguments")
    positional, named = cast("tuple[list[object], dict[str, object]]", _finish(body, reference))
    return positional, named


def _is_call(value: Any) -> bool:
    if type(value) is not list or len(cast("list[object]", value)) != 2:
        return False
    positional, named = cast("list[Any]", value)
    # The keys of one map are of one kind: the first tells.
    return type(positional) is list and type(named) is dict and (not named or type(next(iter(named))) is str)


def _scalars(data: bytes) -> list[object] | None:
    """The positional arguments of a body that holds at most 23 of them, plain scalars all, and no named ones.

    None for every other body, valid or not. A string that is longer than the body leads to a position that is
    not the last one's.
    """
    last = len(data) - 1
    if last < 2 or data[0] != 0x82 or data[last] != 0xA0 or not 0x80 <= data[1] < 0x98:
        return None
    out: list[object] = []
    pos = 2
    try:
        for _ in range(data[1] - 0x80):
            first = data[pos]
            pos += 1
            if 0x40 <= first < 0x58:
                end = pos + first - 0x40
                out.append(data[pos:end])
                pos = end
            elif 0x60 <= first < 0x78:
                end = pos + first - 0x60
                out.append(data[pos:end].decode())
                pos = end
            elif first < 0x18:
                out.append(first)
            elif first < 0x80:
                number, pos = argument(data, pos, first & 31)
                if first < 0x40:
                    out.append(number if first < 0x20 else -1 - number)
                else:
                    end = pos + number
                    out.append(data[pos:end] if first < 0x60 else data[pos:end].decode())
                    pos = end
            elif first in _SIMPLE:
                out.append(_SIMPLE[first])
            elif first == 0xFB:
                [double] = _double(data, pos)
                if double - double != 0.0:
                    return None
                out.append(double)
                pos += 8
            else:
                return None
    except (ValueRefused, IndexError, UnicodeDecodeError, struct.error):
        return None
    return out if pos == last else None


def _decode(data: bytes) -> Body:
    # Outside arrays and maps there is next to nothing for cbor2 to do.
    if 2 <= len(data) < _LARGE and 0x80 <= data[0] < 0xC0:
        body = _by_cbor2(data)
        if body is not None:
            return body
    return read(data)


def _finish(body: Body, reference: Resolve | None) -> object:
    if not body.references:
        return body.value
    if reference is None:
        raise ValueRefused("VAL-16", "references are not taken here")
    return _resolve(body.value, reference)


def _resolve(value: Any, reference: Resolve) -> object:
    """`value` with an object in the place of each reference; lists and dicts are changed where they are."""
    kind: type = type(value)
    if kind is Reference:
        return reference(value.id)
    if kind is list:
        for index, item in enumerate(value):
            value[index] = _resolve(item, reference)
    elif kind is dict:
        for key, item in value.items():
            value[key] = _resolve(item, reference)
    return value


class _NoTags(dict[int, Callable[[Any, bool], object]]):
    """The tags that cbor2 may decode: none. Without an entry it would use decoders of its own."""

    def __missing__(self, tag: int) -> Callable[[Any, bool], object]:
        raise ValueError("left to the strict decoder")


_no_tags: Final = _NoTags()
# Only used as a quick way to meet an object that is not a plain value.
_sniff: Final = msgspec.msgpack.Encoder().encode


def _by_cbor2(data: bytes) -> Body | None:
    """What cbor2 makes of a body without tags; None where that may not be the one encoding of it.

    The depth stays one below the bound, because cbor2 does not count an empty container. Keys other than text
    and bytes are refused before they are hashed (`strict_hashable_types`). What is left to find afterwards:
    simple values, keys that are bytes, and every form that is not the one (VAL-20).
    """
    try:
        value = loads(
            data,
            max_depth=MAX_DEPTH - 1,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
            object_hook=_text_keys,
            semantic_decoders=_no_tags,
        )
        _sniff(value)
    except (CBORDecodeError, TypeError, OverflowError):
        return None
    return Body(value, references=False) if dumps(value) == data else None


def _text_keys(fields: Any, _immutable: bool) -> Any:
    """Gives back the map, or raises TypeError if a key is not text; `join` finds that out more quickly than a loop."""
    "".join(fields)
    return fields
