"""Finding the secrets of a run in what a report would show, so that it names them and never repeats them."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote_from_bytes

from ..setups import Secrets

CACHED: Final = 16_384  # answers that are remembered
SHORTEST: Final = 4  # bytes; what is shorter is no secret
WIDTH: Final = 8  # bytes of a secret, however it is written, that are enough to know it by
_LONGER: Final = 12  # and where a byte takes several characters
_LEAST_SHIFTED: Final = (
    12  # bytes from which on a secret is also looked for in the middle of a base64 or base32 text
)


class Hidden(NamedTuple):
    """A place that must not be shown, as a range of bytes; `name` says which secret stands there."""

    start: int
    end: int
    name: str


class Redactor:
    """Knows the secrets of a run, raw and in the usual encodings; parts of them, too, because texts are cut.

    Without secrets it finds nothing. No repr shows what it knows.
    """

    def __init__(self, secrets: Secrets | None = None) -> None:
        self._windows: dict[int, dict[bytes, str]] = {}
        self._cached = lru_cache(CACHED)(self._find)  # most rows of most transcripts are alike
        if secrets is None:
            return
        for subject, proof in secrets.proofs.items():
            self._add(proof, f"proof of {subject}")
        for place, canary in secrets.canaries.items():
            self._add(canary.encode(), f"canary {place}")

    def _add(self, secret: bytes, name: str) -> None:
        if len(secret) < SHORTEST:
            return
        for form, width in _forms(secret):
            size = min(width, len(form))
            known = self._windows.setdefault(size, {})
            for at in range(len(form) - size + 1):
                known.setdefault(form[at : at + size], name)

    def find(self, data: bytes) -> tuple[Hidden, ...]:
        """Every place with a secret, or a part of one, in ascending order; none overlaps another."""
        return self._cached(data)

    def _find(self, data: bytes) -> tuple[Hidden, ...]:
        hits: list[Hidden] = []
        for size, known in self._windows.items():
            for at in range(len(data) - size + 1):
                name = known.get(data[at : at + size])
                if name is not None:
                    hits.append(Hidden(at, at + size, name))
        return tuple(merged(hits))

    def text(self, text: str) -> str:
        """The text with a name in square brackets in the place of each secret."""
        data = text.encode("utf-8", "backslashreplace")
        places = self.find(data)
        if not places:
            return text
        parts: list[str] = []
        at = 0
        for place in places:
            parts += [data[at : place.start].decode("utf-8", "replace"), f"[{place.name}, hidden]"]
            at = place.end
        return "".join([*parts, data[at:].decode("utf-8", "replace")])


def merged(places: Sequence[Hidden]) -> list[Hidden]:
    """Places in ascending order, those that touch or overlap as one, under the name of the first."""
    found: list[Hidden] = []
    for place in sorted(places):
        if found and place.start <= found[-1].end:
            last = found.pop()
            found.append(Hidden(last.start, max(last.end, place.end), last.name))
        else:
            found.append(place)
    return found


def _forms(secret: bytes) -> Iterator[tuple[bytes, int]]:
    """The secret as it may be written, and how much of that is enough to know it by."""
    yield secret, WIDTH
    yield secret[::-1], WIDTH
    hexadecimal = secret.hex().encode()
    yield hexadecimal, _LONGER
    yield hexadecimal.upper(), _LONGER
    yield secret.decode("latin-1").encode("utf-8"), WIDTH
    text = secret.decode("latin-1")
    yield text.encode("utf-16-le"), 2 * WIDTH
    yield text.encode("utf-16-be"), 2 * WIDTH
    yield repr(secret)[2:-1].encode(), _LONGER
    percent = "".join(f"%{each:02x}" for each in secret)
    yield percent.encode(), 2 * _LONGER
    yield percent.upper().encode(), 2 * _LONGER
    yield quote_from_bytes(secret, safe="").encode(), _LONGER
    shifts = 5 if len(secret) >= _LEAST_SHIFTED else 1
    for shift in range(min(3, shifts)):
        whole = base64.b64encode(bytes(shift) + secret)
        inner = whole[4 if shift else 0 :].rstrip(b"=")
        yield inner[:-1], _LONGER
        yield inner[:-1].translate(bytes.maketrans(b"+/", b"-_")), _LONGER
    for shift in range(shifts):
        inner = base64.b32encode(bytes(shift) + secret)[8 if shift else 0 :].rstrip(b"=")[:-1]
        yield inner, _LONGER
        yield inner.lower(), _LONGER
