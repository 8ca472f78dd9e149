"""`graftwire inspect`: frames from a file, from standard input or from the command line, taken apart."""

from __future__ import annotations

import binascii
import os
import sys
from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.text import Text

from graftwire.protocol.errors import ProtocolViolation

from .arguments import open_for_reading
from .failure import Exit, Failure
from .frame_json import seen_json
from .notation import body_violation, counted, frame_notation
from .output import console, json_line, line
from .reading import Reader, Seen, credentials_in

READ: Final = 65_536
_SPACE: Final = b" \t\r\n:,_"  # what may stand between hex digits
_DIGITS: Final = b"0123456789abcdefABCDEF"


def inspect(file: str | None, text: str | None, *, bodies: bool, as_json: bool) -> None:
    """Print every frame of `file` (`-` or None: standard input) or of the hex digits `text`.

    Raises Failure, after the last frame, if one of them breaks the standard.
    """
    if text is not None and file is not None:
        raise Failure("--hex and a file exclude each other; give one of them")
    chunks = iter([_from_hex(text.encode(errors="replace"))]) if text is not None else _chunks(file)
    report = _Report(bodies, as_json)
    reader = Reader()
    for chunk in chunks:
        for seen in reader.feed(chunk):
            report.show(seen)
    for seen in reader.finish():
        report.show(seen)
    report.end(reader)


class _Report:
    """What is printed, and what is remembered of it for the end."""

    def __init__(self, bodies: bool, as_json: bool) -> None:
        self._bodies = bodies
        self._as_json = as_json
        self._console: Console = console()
        self._bad = 0
        self._first: Seen | None = None
        self._credentials = 0

    def show(self, seen: Seen) -> None:
        """Print one frame. With bodies asked for, they are judged too."""
        seen = self._judged(seen)
        self._credentials += credentials_in(seen.frame)
        if seen.violation is not None:
            self._bad += 1
            self._first = self._first or seen
        if self._as_json:
            json_line(seen_json(seen, bodies=self._bodies))
        else:
            line(self._text(seen), to=self._console)

    def end(self, reader: Reader) -> None:
        """The count, and the first mistake as the failure of the command."""
        if reader.bytes == 0:
            raise Failure("there are no frames: the input is empty")
        if not self._as_json:
            line(f"{counted(reader.count, 'frame')}, {counted(reader.bytes, 'byte')}, {self._found()}")
        if self._first is not None and self._first.violation is not None:
            more = f" (and {self._bad - 1} more)" if self._bad > 1 else ""
            raise Failure(f"{_named(self._first)}{more}", Exit.FAILED, kind="protocol")

    def _found(self) -> str:
        return f"credentials in them: {self._credentials}"

    def _judged(self, seen: Seen) -> Seen:
        if not self._bodies or seen.frame is None:
            return seen
        refused = body_violation(seen.frame)
        if refused is None:
            return seen
        text = f"its body: {refused.text}"
        return Seen(seen.number, seen.offset, seen.size, seen.frame, ProtocolViolation(refused.clause, text))

    def _text(self, seen: Seen) -> Text:
        text = Text(f"{seen.number}  @{seen.offset}  {counted(seen.size, 'byte')}  ", style="dim")
        if seen.frame is not None:
            text.append(frame_notation(seen.frame, bodies=self._bodies), style="none")
        if seen.violation is not None:
            text.append(f"{'  ' if seen.frame else ''}breaks {_broken(seen.violation)}", style="bold red")
        return text


def _broken(violation: ProtocolViolation) -> str:
    return f"{violation.clause}: {violation.text}"


def _named(seen: Seen) -> str:
    assert seen.violation is not None
    return f"frame {seen.number} at byte {seen.offset} breaks {_broken(seen.violation)}"


# --- where the bytes come from -------------------------------------------------------------------------------------


def _chunks(file: str | None) -> Iterator[bytes]:
    """The bytes of a file, or of standard input, as they come: hex digits are turned into what they stand for."""
    if file is None and sys.stdin is not None and sys.stdin.isatty():
        raise Failure("there is nothing to inspect; give a file, --hex TEXT, or - for standard input")
    if file is not None and not os.path.exists(file) and not file.encode().strip(_DIGITS + _SPACE):
        raise Failure(
            "there is no file of that name; if these are the frames themselves, put --hex before them"
        )
    descriptor = open_for_reading(file if file is not None else "-")
    try:
        decoder: _Hex | None = None
        first = True
        while data := os.read(descriptor, READ):
            if first:
                # a frame begins with a byte 0 (clause FRAME-2), which is no hex digit
                decoder = _Hex() if not data.strip(_DIGITS + _SPACE) else None
                first = False
            yield data if decoder is None else decoder.feed(data)
        if decoder is not None:
            decoder.finish()
    finally:
        os.close(descriptor)


def _from_hex(text: bytes) -> bytes:
    decoder = _Hex()
    found = decoder.feed(text)
    decoder.finish()
    return found


class _Hex:
    """Hex digits to bytes, however they are cut."""

    def __init__(self) -> None:
        self._half = b""

    def feed(self, text: bytes) -> bytes:
        digits = self._half + text.translate(None, _SPACE)
        self._half = digits[len(digits) & ~1 :]
        try:
            return binascii.unhexlify(digits[: len(digits) & ~1])
        except binascii.Error:
            raise Failure("the input is not hex: there is something else among its digits") from None

    def finish(self) -> None:
        if self._half:
            raise Failure("the input is not hex: it has an odd number of digits")
