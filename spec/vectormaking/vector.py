"""The shape of a vector, and the books that vectors are collected in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .diagnose import diagnose

# Above this many bytes a vector is written as parts, so that the files can be read by people.
PARTS_ABOVE = 1100

Json = None | bool | int | str | Sequence["Json"] | Mapping[str, "Json"]
Parts = Sequence[tuple[bytes, int]]


def shown(data: bytes, key: str = "hex", parts: Parts | None = None) -> dict[str, Json]:
    """`data` as hex, or as `[hex, times]` parts where it is long; `parts` says which, if not its runs."""
    if len(data) <= PARTS_ABOVE:
        return {key: data.hex()}
    runs: list[Json] = [[part.hex(), times] for part, times in parts or _runs(data)]
    return {f"{key}_parts": runs}


def _runs(data: bytes) -> list[tuple[bytes, int]]:
    """`data` cut at its long runs of one byte."""
    parts: list[tuple[bytes, int]] = []
    plain = start = 0
    while start < len(data):
        end = start + 1
        while end < len(data) and data[end] == data[start]:
            end += 1
        if end - start > 64:
            if plain < start:
                parts.append((data[plain:start], 1))
            parts.append((data[start : start + 1], end - start))
            plain = end
        start = end
    if plain < len(data):
        parts.append((data[plain:], 1))
    return parts


@dataclass
class Book:
    """A file of vectors: `title` says what they are, `layer` what the bytes of each stand for."""

    title: str
    layer: str
    vectors: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])

    def add(self, vector: dict[str, Json]) -> None:
        """Take one vector; a name may be given once."""
        if any(known["name"] == vector["name"] for known in self.vectors):
            raise ValueError(f"two vectors are called {vector['name']}")
        self.vectors.append(vector)

    def document(self) -> str:
        """The file's text: a line for each field, and for each step of a session."""
        top = f'  "title": {_dump(self.title)},\n  "layer": {_dump(self.layer)},\n  "format": 1,\n'
        vectors = ",\n".join("    " + _block(vector, "    ") for vector in self.vectors)
        return f'{{\n{top}  "vectors": [\n{vectors}\n  ]\n}}\n'


def _dump(value: Json) -> str:
    return json.dumps(value, ensure_ascii=True)


def _block(vector: dict[str, Json], indent: str) -> str:
    lines = [f"{indent}  {_dump(key)}: {_field(value, indent + '  ')}" for key, value in vector.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _field(value: Json, indent: str) -> str:
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(f"{indent}  {_dump(item)}" for item in value) + f"\n{indent}]"
    return _dump(value)


def entry(
    name: str,
    clause: str,
    data: bytes,
    meaning: str,
    *,
    noted: bytes | None = None,
    diag: str | None = None,
    error: str | None = None,
    either: Sequence[str] = (),
    extra: dict[str, Json] | None = None,
    parts: Parts | None = None,
) -> dict[str, Json]:
    """One vector of bytes. `noted` is what the diagnostic notation shows (the frame without its length)."""
    vector: dict[str, Json] = {"name": name, "clause": clause}
    vector.update(shown(data, parts=parts))
    content = data if noted is None else noted
    vector["diag"] = diag if diag is not None else _short(content)
    vector["meaning"] = meaning
    if error is not None:
        vector["error"] = error
        if either:
            vector["or"] = list[Json](either)
    if extra:
        vector.update(extra)
    return vector


def _short(content: bytes) -> str | None:
    """The notation, with long runs of a byte string told instead of shown."""
    notation = diagnose(content) if len(content) <= 1 << 16 else None
    if notation is None or len(content) <= PARTS_ABOVE:
        return notation
    return _elide(notation)


def _elide(notation: str) -> str:
    pieces = notation.split("'")
    for index, piece in enumerate(pieces):
        if len(piece) > 256:
            pieces[index] = f"{piece[:8]} ... {len(piece) // 2} bytes"
    return "'".join(pieces)
