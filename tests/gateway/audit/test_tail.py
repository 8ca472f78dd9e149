"""Files that are no audit log, or one that does not hang together at its end: nothing is written to them."""

# ruff: noqa: ASYNC240 - nothing else runs beside these tests

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graftwire.gateway.audit.file import AuditFile
from graftwire.gateway.security.errors import SecurityError

from .conftest import write


def refused(path: Path) -> str:
    before = path.read_bytes()
    with pytest.raises(SecurityError) as raised:
        AuditFile(path)
    assert path.read_bytes() == before
    return str(raised.value)


@pytest.mark.parametrize(
    "content", [b"\n", b"hello", b"hello\n", b'{"time": 1}\n', b"\0" * 700, b"{}\n", b"\x7fELF" * 99]
)
def test_what_is_no_audit_log_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert refused(path) == (
        f"the file {path} holds something else than an audit log; name another file, or move that one away"
    )


async def test_a_log_that_is_broken_at_its_end_is_left_alone(path: Path) -> None:
    await write(path, 4)
    *lines, _ = path.read_bytes().split(b"\n")
    one, two, three, four = lines
    broken = [
        [one, two, four],
        [one, two, three, three],
        [one, two, four, three],
        [one, two, three.replace(b"alice", b"mallory"), four],
        [one, two, three, re.sub(rb'"prev":"....', b'"prev":"beef', four)],
        [one, two, three, re.sub(rb'"n":4', b'"n":5', four)],
        [one, two, three, b"a line of somebody else's"],
        [one, b"somebody", b"else"],
        [b'{"n": "hello"}'],
        [b'{"n":' + b"x" * 5_000_000, two],
    ]
    for case in broken:
        path.write_bytes(b"\n".join(case) + b"\n")
        assert refused(path) == (
            f"the audit log {path} is broken at its end: the last line does not follow from the one before it; keep "
            f"the file (graftwire audit verify {path} says more), and name another one"
        )


async def test_an_end_without_a_newline_that_does_not_follow_is_none_of_ours(path: Path) -> None:
    await write(path, 3)
    one, two, three, _ = path.read_bytes().split(b"\n")
    for case in (
        [one, three],
        [one, two, two],
        [one, b"else", three],
        [two, b"so", b"this"],
        [b'{"n":', b"else", b"{"],
    ):
        path.write_bytes(b"\n".join(case))
        assert "is broken at its end" in refused(path)


async def test_only_the_end_is_looked_at(path: Path) -> None:
    """What is wrong further up is for `graftwire audit verify`: a start takes the same time for any size."""
    await write(path, 5)
    path.write_bytes(path.read_bytes().replace(b"alice", b"mallo", 1))
    await write(path, 1)


async def test_what_was_moved_aside_has_to_be_whole(path: Path) -> None:
    await write(path, 3, rotate_at=1)
    path.unlink()
    older = path.parent / "audit.jsonl.000002"
    older.write_bytes(b"else\n")
    with pytest.raises(SecurityError, match=f"the file {older} holds something else than an audit log"):
        AuditFile(path)
