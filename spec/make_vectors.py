"""Writes the vectors that stand beside the standard; `--check` only says whether they are current.

Run as `python spec/make_vectors.py`. It knows nothing of any implementation: bytes are put together by
`conformance.cbor` from what the standard says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vectormaking import badframes, badvalues, bodies, calling, frames, metadata, openings, values
from vectormaking.vector import Book

FOLDER = Path(__file__).parent / "vectors"


def books() -> dict[str, Book]:
    """Every file of vectors by its name."""
    whole = Book(
        "Frames of Graftwire version 1",
        "A frame as it crosses a link: its length prefix, and the CBOR array.",
    )
    frames.fill(whole)
    badframes.fill(whole)
    typed = Book(
        "Values of Graftwire version 1",
        "One value: the CBOR that a body's byte string holds, or a part of it.",
    )
    values.fill(typed)
    badvalues.fill(typed)
    inner = Book(
        "Bodies of Graftwire version 1",
        "What the byte string holds that is the body of a CALL, or of an ERROR whose code is `body`.",
    )
    bodies.fill(inner)
    sessions = Book(
        "Sessions of Graftwire version 1", "Frames of both sides in their order, and how it ends."
    )
    openings.fill(sessions)
    calling.fill(sessions)
    known = Book("Metadata of Graftwire interfaces, format 1", "The metadata of one interface.")
    metadata.fill(known)
    return {
        "frames.json": whole,
        "values.json": typed,
        "bodies.json": inner,
        "sessions.json": sessions,
        "metadata.json": known,
    }


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or compare them; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a file is not current")
    check: bool = parser.parse_args(arguments).check
    stale = 0
    for name, book in books().items():
        path, document = FOLDER / name, book.document()
        if path.exists() and path.read_text(encoding="utf-8") == document:
            continue
        stale += 1
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(document, encoding="utf-8")
        print(f"{'stale' if check else 'written'}: {name}, {len(book.vectors)} vectors")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
