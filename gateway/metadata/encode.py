"""The bytes of an interface: one value in the deterministic CBOR of the wire (spec/METADATA.md), and its digest."""

from __future__ import annotations

import hashlib
from typing import Final

from graftwire.protocol import values
from graftwire.protocol.errors import ValueRefused

from .check import check
from .model import Interface, MetadataError
from .plain import of_interface, to_interface

MAX_SIZE: Final = 1 << 20  # bytes


def encode(interface: Interface) -> bytes:
    """The bytes of an interface. Raises MetadataError for one that is not as the standard wants it, or too large."""
    try:
        data = values.encode(of_interface(check(interface)))
    except (ValueRefused, UnicodeEncodeError):
        raise MetadataError("META-1", "a name or a value in it has no form on the wire") from None
    if len(data) > MAX_SIZE:
        raise MetadataError("META-9", "it is larger than 1 MiB")
    return data


def decode(data: bytes) -> Interface:
    """The interface that these bytes are, all of them. Raises MetadataError with the clause that they break."""
    if len(data) > MAX_SIZE:
        raise MetadataError("META-9", "it is larger than 1 MiB")
    try:
        plain = values.decode(data)
    except ValueRefused as refused:
        raise MetadataError("META-1", f"its bytes break {refused.clause}") from None
    return check(to_interface(plain))


def decode_all(data: bytes) -> list[Interface]:
    """The interfaces whose bytes follow each other. Raises MetadataError."""
    found: list[Interface] = []
    at = 0
    while at < len(data) or not found:
        end = _end(data, at)
        found.append(decode(data[at:end]))
        at = end
    return found


def digest(data: bytes) -> bytes:
    """The digest of an interface with these bytes: their SHA-256."""
    return hashlib.sha256(data).digest()


def _end(data: bytes, at: int) -> int:
    """Where the item that begins at `at` ends, as far as it is one of those that metadata has."""
    left = 1
    while left:
        left -= 1
        if at >= len(data):
            raise MetadataError("META-1", "its bytes end too soon")
        major, argument = data[at] >> 5, data[at] & 31
        at += 1
        if argument >= 24:
            size = {24: 1, 25: 2, 26: 4, 27: 8}.get(argument, 0)
            argument = int.from_bytes(data[at : at + size], "big")
            at += size
        if major in (2, 3):
            at += argument
        elif major == 4:
            left += argument
    return at
