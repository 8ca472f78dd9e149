"""Finding secrets in bytes, in whatever encoding they are: raw, in letters and digits, backwards, compressed.

What is looked for is a secret as a whole, and its two halves, so that one that was cut off is found all the same; a hit
is as long as what is left of it. It says which secret, in which encoding and where; never what it is. That a stranger's
bytes are taken for a secret has no chance worth the name: what is looked for has 8 random bytes at least.
"""

from __future__ import annotations

import base64
import re
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

SHORTEST: Final = 8  # bytes; a text as short as that could stand somewhere by chance
INFLATED: Final = 2**20  # bytes of one compressed run that are looked at
STEP: Final = (
    256  # compressed bytes that are read at a time, so that a broken run is read up to where it breaks
)
DEFLATE_TRIES: Final = 2**16  # places of one scan at which deflate without a header is tried
DEFLATED: Final = 2**14  # bytes of each run that begins there
DEFLATE_BYTES: Final = 2**19  # and of all of them together
REMEMBERED: Final = 64  # scans whose outcome is kept: what was looked at for leaks is then hidden
REMEMBERED_BYTES: Final = 65_536
NESTED: Final = 3  # encodings that may be inside each other
# Bytes that one scan decodes at the most, all encodings together: what is made to be more is looked at as it is.
DECODED_BYTES: Final = 2**23
# No secret is in so many equal bytes, and bodies of zeros are long.
_SAME: Final = re.compile(rb"(.)\1{511,}", re.DOTALL)
_MARGIN: Final = 255  # of those bytes that stay, on either side
_ESCAPED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{24,}")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{32,}")
_ZLIB: Final = re.compile(rb"\x78[\x01\x5e\x9c\xda]")  # one with a small window is found as deflate
_GZIP: Final = re.compile(rb"\x1f\x8b\x08")


class Hit(NamedTuple):
    """A secret, or a half of one, from `start` to `end` of the bytes; in a compressed run: where the run is."""

    secret: str
    encoding: str
    start: int
    end: int


class _Form(NamedTuple):
    """A secret or a half of it, as it is looked for: its bytes, and where they are in the form of the whole secret."""

    bytes: bytes
    secret: str
    encoding: str
    whole: bytes
    offset: int

    def around(self, data: bytes, at: int) -> tuple[int, int]:
        """From where to where the data have more of the whole than the bytes that were found at a place."""
        start, end, offset = at, at + len(self.bytes), self.offset
        while start > 0 and offset > 0 and data[start - 1] == self.whole[offset - 1]:
            start, offset = start - 1, offset - 1
        behind = self.offset + len(self.bytes)
        while end < len(data) and behind < len(self.whole) and data[end] == self.whole[behind]:
            end, behind = end + 1, behind + 1
        return start, end


class Scanner:
    """Knows secrets by their names, and finds them. No repr shows what it knows."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        # by their first bytes: one look at each place of the data finds whether any of them begins there
        self._forms: dict[bytes, list[_Form]] = {}
        self._remembered = lru_cache(REMEMBERED)(self._whole)
        for name, secret in secrets.items():
            half = max(SHORTEST, (len(secret) + 1) // 2)
            wholes = list(forms_of(secret))
            for part in (secret, secret[:half], secret[-half:]):
                for encoding, form in forms_of(part):
                    if len(form) >= SHORTEST:
                        whole = next((each for of, each in wholes if of == encoding and form in each), form)
                        known = _Form(form, name, encoding, whole, whole.index(form))
                        self._forms.setdefault(form[:SHORTEST], []).append(known)

    def scan(self, data: bytes) -> list[Hit]:
        """Every hit, by place; of those that overlap and tell of the same secret, one."""
        return list(self._remembered(data) if len(data) <= REMEMBERED_BYTES else self._whole(data))

    def _whole(self, data: bytes) -> tuple[Hit, ...]:
        hits: list[Hit] = []
        left = _Left(DECODED_BYTES)
        for start, end in _segments(data):
            hits += (
                hit._replace(start=hit.start + start, end=hit.end + start)
                for hit in self._scan(data[start:end], NESTED, left)
            )
        return tuple(_merged(hits).hits())

    def _scan(self, data: bytes, depth: int, left: _Left) -> list[Hit]:
        """Those that need no decoder, and then those that do, where the others have not told of the same secret."""
        kept = _merged(self._plain(data))
        if depth:
            for encoding, decoded, place in _decoded(data, depth == NESTED):
                left.bytes -= len(decoded)
                if left.bytes < 0:
                    break
                for hit in self._scan(decoded, depth - 1, left):
                    start, end = place(hit.start, hit.end)
                    inner = encoding if hit.encoding == "raw" else f"{hit.encoding} in {encoding}"
                    kept.add(Hit(hit.secret, inner, start, end))
        return kept.hits()

    def _plain(self, data: bytes) -> Iterator[Hit]:
        known, size = self._forms, SHORTEST
        for at in [at for at in range(len(data) - size + 1) if data[at : at + size] in known]:
            for form in known[data[at : at + size]]:
                if data.startswith(form.bytes, at):
                    yield Hit(form.secret, form.encoding, *form.around(data, at))


class _Left:
    """What a scan may still decode, at all depths together."""

    def __init__(self, most: int) -> None:
        self.bytes = most


class _Kept:
    """Hits of which no two tell of the same secret at the same place."""

    def __init__(self) -> None:
        self._by: dict[str, list[tuple[int, int, Hit]]] = {}  # each list by place

    def add(self, hit: Hit) -> None:
        """Keep it, unless one that overlaps it tells of the same secret."""
        own = self._by.setdefault(hit.secret, [])
        at = bisect_left(own, (hit.end,))  # those before it begin before this one ends
        if not at or own[at - 1][1] <= hit.start:
            own.insert(at, (hit.start, hit.end, hit))

    def hits(self) -> list[Hit]:
        """All of them, by place."""
        found = [hit for own in self._by.values() for _, _, hit in own]
        return sorted(found, key=lambda each: (each.start, each.end))


def forms_of(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """A secret in each of the encodings that need no decoder to be found, with their names."""
    yield "raw", secret
    yield "other letters", secret.swapcase()
    yield "reversed", secret[::-1]
    for name, text in (("hex", secret.hex()), ("reversed hex", secret[::-1].hex())):
        yield name, text.encode()
        yield name, text.upper().encode()
        yield name, text[::-1].encode()
        yield name, text[::-1].upper().encode()
    yield from _base64(secret)
    yield from _base32(secret)
    text = secret.decode("latin-1")
    yield "UTF-16, little end first", text.encode("utf-16-le")
    yield "UTF-16, big end first", text.encode("utf-16-be")
    yield "UTF-8 of single bytes", text.encode()
    yield "escapes", repr(secret)[2:-1].encode()


def _base64(secret: bytes) -> Iterator[tuple[str, bytes]]:
    for before in range(3):
        first, last = -(-8 * before // 6), 8 * (before + len(secret)) // 6
        text = base64.b64encode(bytes(before) + secret)[first:last]
        yield "base64", text
        yield "base64url", text.translate(bytes.maketrans(b"+/", b"-_"))


def _base32(secret: bytes) -> Iterator[tuple[str, bytes]]:
    for before in range(5):
        first, last = -(-8 * before // 5), 8 * (before + len(secret)) // 5
        text = base64.b32encode(bytes(before) + secret)[first:last]
        yield "base32", text
        yield "base32", text.lower()


# ---------------------------------------------------------------- what has to be decoded first

Place = Callable[[int, int], tuple[int, int]]


def _decoded(data: bytes, outermost: bool) -> Iterator[tuple[str, bytes, Place]]:
    """What the bytes hold in an encoding: its name, the bytes, and how to find places in them again."""
    if _ESCAPED.search(data):
        yield _unescaped(data)
    for found in _GZIP.finditer(data):
        yield from _inflated("gzip", data, found.start(), 31)
    for found in _ZLIB.finditer(data):
        yield from _inflated("zlib", data, found.start(), 15)
    if outermost:
        yield from _deflated(data)
    yield from _runs(data)


def _deflated(data: bytes) -> Iterator[tuple[str, bytes, Place]]:
    """Runs without a header, which could begin anywhere: what looks like one at every place is not gone after."""
    left = DEFLATE_BYTES
    for at in range(min(len(data) - SHORTEST, DEFLATE_TRIES)):
        if data[at] >> 1 & 3 in (1, 2):  # the two kinds of block that are compressed
            for name, out, place in _inflated("deflate", data, at, -15, most=DEFLATED):
                yield name, out, place
                left -= len(out)
            if left < 0:
                return


def _unescaped(data: bytes) -> tuple[str, bytes, Place]:
    parts: list[bytes] = []
    starts: list[int] = []  # in what is decoded
    sources: list[int] = []
    size = at = 0
    for found in _ESCAPED.finditer(data):
        for part, came_from in ((data[at : found.start()], at), (bytes([int(found[1], 16)]), found.start())):
            parts.append(part)
            starts.append(size)
            sources.append(came_from)
            size += len(part)
        at = found.end()
    parts.append(data[at:])
    starts.append(size)
    sources.append(at)

    def source(offset: int) -> int:
        index = bisect_right(starts, offset) - 1
        return sources[index] + offset - starts[index]

    return "percent-encoding", b"".join(parts), lambda start, end: (source(start), source(end - 1) + 1)


def _inflated(
    name: str, data: bytes, at: int, bits: int, *, most: int = INFLATED
) -> Iterator[tuple[str, bytes, Place]]:
    inflate = zlib.decompressobj(bits)
    out = b""
    end = at
    try:
        while not inflate.eof and end < len(data) and len(out) < most:
            out += inflate.decompress(data[end : end + STEP], most)
            end = min(len(data), end + STEP)
    except zlib.error:
        if bits < 0:  # most places are the beginning of no run at all
            return
        end = min(len(data), end + STEP)  # where in that the fault is does not matter
        out += _to_the_fault(data[at:end], bits, len(out))
    if len(out) >= SHORTEST:
        last = end - len(inflate.unused_data)
        yield name, out, lambda _start, _end: (at, last)


def _to_the_fault(data: bytes, bits: int, known: int) -> bytes:
    """What a broken run still gives behind what is known of it, byte by byte."""
    inflate = zlib.decompressobj(bits)
    out = b""
    try:
        for at in range(len(data)):
            out += inflate.decompress(data[at : at + 1])
    except zlib.error:
        pass
    return out[known:]


def _runs(data: bytes) -> Iterator[tuple[str, bytes, Place]]:
    """Runs of base64 and hex, decoded: for what is compressed, or encoded once more, inside them."""
    for found in _BASE64.finditer(data):
        text = found[0].translate(bytes.maketrans(b"-_", b"+/"))
        for shift in range(4):
            whole = text[shift : shift + (len(text) - shift) // 4 * 4]
            yield "base64", base64.b64decode(whole), _at(found.start(), found.end())
    for found in _HEX.finditer(data):
        for shift in range(2):
            whole = found[0][shift : shift + (len(found[0]) - shift) // 2 * 2]
            yield "hex", bytes.fromhex(whole.decode()), _at(found.start(), found.end())


def _at(start: int, end: int) -> Place:
    return lambda _start, _end: (start, end)


# ---------------------------------------------------------------- places


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """The bytes without what stands in the middle of long runs of equal ones."""
    start = 0
    for found in _SAME.finditer(data):
        yield start, found.start() + _MARGIN
        start = found.end() - _MARGIN
    yield start, len(data)


def _merged(hits: Iterable[Hit]) -> _Kept:
    """One hit for each place and secret, the longest."""
    kept = _Kept()
    for hit in sorted(hits, key=lambda each: each.start - each.end):
        kept.add(hit)
    return kept
