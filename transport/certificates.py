"""The few things that are read from a certificate (X.509, DER): its key, its names, and when it is valid.

Python's ssl module checks certificates but shows little of them. Nothing here decides whether one is trusted.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

_SEQUENCE: Final = 0x30
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_OBJECT_ID: Final = 0x06
_OCTETS: Final = 0x04
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_DNS_NAME: Final = 0x82
_IP_ADDRESS: Final = 0x87
_SUBJECT_ALT_NAME: Final = bytes.fromhex("551d11")

# 2.5.4.…: what the subject of a certificate is made of
_ATTRIBUTES: Final = {
    bytes.fromhex("550403"): "CN",
    bytes.fromhex("550406"): "C",
    bytes.fromhex("55040a"): "O",
    bytes.fromhex("55040b"): "OU",
}

_PRINTABLE_NAME: Final = re.compile(r"[A-Za-z0-9*._-]{1,253}")


def certificate_pin(der: bytes) -> bytes:
    """SHA-256 of a whole certificate: pins this very certificate."""
    return hashlib.sha256(der).digest()


def public_key_pin(der: bytes) -> bytes:
    """SHA-256 of a certificate's public key (SubjectPublicKeyInfo): outlives a renewal with the same key.

    Raises ValueError if `der` is not a certificate.
    """
    return hashlib.sha256(_body(der)[5]).digest()


def names(der: bytes) -> list[str]:
    """The host names and addresses that a certificate is for, as text; raises ValueError.

    Names that are not made of the characters of host names are left out: they would be shown to people.
    """
    found: list[str] = []
    for tag, value in _alternative_names(der):
        if tag == _DNS_NAME:
            text = value.decode("ascii", "replace")
            if _PRINTABLE_NAME.fullmatch(text):
                found.append(text)
        elif tag == _IP_ADDRESS and len(value) in (4, 16):
            found.append(str(ipaddress.ip_address(value)))
    return found


def subject(der: bytes) -> str:
    """Whom a certificate names, as in `CN=shop.example, O=Shop`; raises ValueError.

    Only the usual attributes, as printable text; empty where there are none.
    """
    found: list[str] = []
    for _, attributes, _ in _elements(_value(_body(der)[4])):
        for _, pair, _ in _elements(attributes):
            (_, kind, _), (_, value, _) = _elements(pair)
            if kind in _ATTRIBUTES:
                text = value.decode("utf-8", "replace")
                found.append(f"{_ATTRIBUTES[kind]}={text if text.isprintable() else '?'}")
    return ", ".join(found)


def validity(der: bytes) -> tuple[datetime, datetime]:
    """From when and until when a certificate is valid; raises ValueError."""
    times = [_time(tag, value) for tag, value, _ in _elements(_value(_body(der)[3]))]
    if len(times) != 2:
        raise ValueError("a certificate has two dates")
    return times[0], times[1]


def _elements(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Tag, value and whole encoding of each DER element in `data`; raises ValueError where it ends early."""
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("not DER")
        tag, length, start = data[at], data[at + 1], at + 2
        if length >= 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[start : start + size], "big")
            start += size
        end = start + length
        if end > len(data):
            raise ValueError("not DER")
        yield tag, data[start:end], data[at:end]
        at = end


def _value(element: bytes) -> bytes:
    """What is inside one element."""
    for _, value, _ in _elements(element):
        return value
    raise ValueError("not DER")


def _body(der: bytes) -> list[bytes]:
    """The elements of a certificate's signed part.

    Without its version: serial number, signature algorithm, issuer, validity, subject, public key, and
    others.
    """
    signed = _value(_value(der))
    parts = [whole for tag, _, whole in _elements(signed) if tag != _VERSION]
    if len(parts) < 6 or parts[5][0] != _SEQUENCE:
        raise ValueError("not a certificate")
    return parts


def _time(tag: int, value: bytes) -> datetime:
    text = value.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year: RFC 5280, 4.1.2.5.1
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("not a time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _alternative_names(der: bytes) -> Iterator[tuple[int, bytes]]:
    for part in _body(der)[6:]:
        if part[0] != _EXTENSIONS:
            continue
        for _, extension, _ in _elements(_value(_value(part))):
            fields = [(tag, value) for tag, value, _ in _elements(extension)]
            if fields[:1] == [(_OBJECT_ID, _SUBJECT_ALT_NAME)] and fields[-1][0] == _OCTETS:
                for tag, value, _ in _elements(_value(fields[-1][1])):
                    yield tag, value
