"""An audit log that was touched is found out; one that was not is left in peace."""

# ruff: noqa: ASYNC240 - nothing else runs beside these tests

from __future__ import annotations

import json
import os
import tempfile
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from graftwire.gateway.audit.chain import FIRST, LONGEST, Position, Resumed, digest, encode
from graftwire.gateway.audit.verify import LISTED, Finding, Kind, Report, verify
from graftwire.gateway.security.errors import SecurityError

from .conftest import record, write


def made() -> tuple[bytes, ...]:
    """The lines of a log in which one is torn, and the next one says so."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        trio.run(write, path, 4)
        path.write_bytes(path.read_bytes()[:-100])
        trio.run(write, path, 5)
        return tuple(path.read_bytes().split(b"\n")[:-1])


LINES = made()
TORN = 3  # which of them is torn
HASHES = [FIRST, *(digest(line) for line in LINES)]


def told(lines: Sequence[bytes], expect: str | None = None, end: bytes = b"\n") -> Report:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(b"\n".join(lines) + end)
        return verify([path], expect=expect)


def kinds(report: Report) -> list[tuple[Kind, int | None]]:
    return [(problem.kind, problem.line) for problem in report.problems]


def test_what_was_not_touched_is_intact() -> None:
    report = told(LINES, expect=digest(LINES[-1]))
    assert report.intact
    assert (report.lines, report.first, report.last, report.expected) == (10, 1, 9, 9)
    assert report.hash == digest(LINES[-1])
    (note,) = report.notes
    assert (note.kind, note.line) == (Kind.TORN, TORN + 1)
    size = len(LINES[TORN])
    assert note.text == f"{size} bytes of a line whose write was cut short, as the line after it says"
    assert told(LINES, expect=digest(LINES[0]).upper()).expected == 1


# --- whatever is done to it ------------------------------------------------------------------------------------------

middle = st.integers(0, len(LINES) - 2)


@given(middle, st.data())
def test_any_change_of_a_line_is_found(which: int, data: st.DataObject) -> None:
    line = LINES[which]
    at = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(at, min(len(line), at + 5)))
    other = line[:at] + data.draw(st.binary(max_size=5)) + line[end:]
    lines = [*LINES[:which], other, *LINES[which + 1 :]]
    assert told(lines).intact == (other == line)


@given(middle, st.sampled_from(sorted(json.loads(LINES[0]))), st.data())
def test_any_change_of_a_field_is_found(which: int, field: str, data: st.DataObject) -> None:
    if which == TORN:
        which += 1
    before = json.loads(LINES[which])
    value = data.draw(st.none() | st.integers() | st.text() | st.sampled_from([FIRST, "refused", "resumed"]))
    after = json.dumps({**before, field: value}, separators=(",", ":"), ensure_ascii=False).encode(
        errors="surrogatepass"
    )
    assert told([*LINES[:which], after, *LINES[which + 1 :]]).intact == (after == LINES[which])


@given(st.integers(1, len(LINES) - 2), st.integers(1, 8))
def test_any_removal_in_the_middle_is_found(which: int, count: int) -> None:
    after = LINES[which + count :]
    if after:
        assert not told([*LINES[:which], *after]).intact


@given(
    st.integers(0, len(LINES) - 1),
    st.sampled_from(LINES)
    | st.binary(max_size=50)
    | st.builds(
        lambda n, prev, torn, torn_hash: encode(
            Position(n, prev),
            Resumed(time=record().time, torn=torn, torn_hash=torn_hash) if torn else record(),
        )[:-1],
        st.integers(0, 12),
        st.sampled_from(HASHES),
        st.sampled_from([0, *map(len, LINES)]),
        st.sampled_from(HASHES),
    ),
)
def test_any_insertion_before_a_line_is_found(which: int, line: bytes) -> None:
    assert not told([*LINES[:which], line, *LINES[which:]]).intact


@given(middle, middle)
def test_any_swap_is_found(one: int, two: int) -> None:
    lines = list(LINES)
    lines[one], lines[two] = lines[two], lines[one]
    assert told(lines).intact == (one == two)


@given(st.permutations(LINES))
def test_any_other_order_is_found(lines: list[bytes]) -> None:
    assert told(lines).intact == (tuple(lines) == LINES)


WHOLE = b"\n".join(LINES) + b"\n"


@given(st.integers(0, len(WHOLE) - 2))
def test_whatever_is_missing_at_the_end_is_found_by_the_expected_hash(size: int) -> None:
    expect = digest(LINES[-1])
    report = told([WHOLE[:size]], expect, end=b"")
    assert report.expected is None
    assert report.problems[-1] == Finding(
        Kind.REMOVED,
        "the line with the expected hash is not there: it was changed, or removed from the end, or it is in a file "
        "that was not given",
    )


@given(st.integers(0, len(LINES[-1]) - 1), st.binary(min_size=1, max_size=3))
def test_a_change_of_the_last_line_is_found_by_the_expected_hash(at: int, new: bytes) -> None:
    last = LINES[-1]
    other = last[:at] + new + last[at + len(new) :]
    assert told([*LINES[:-1], other], digest(last)).intact == (other == last)


# --- what is said of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([LINES[0].replace(b"alice", b"mallo"), *LINES[1:]], [(Kind.CHANGED, 1)]),
        ([*LINES[:6], LINES[6].replace(b"alice", b"mallo"), *LINES[7:]], [(Kind.CHANGED, 7)]),
        ([*LINES[:6], LINES[6].replace(b'"allowed"', b'"granted"'), *LINES[7:]], [(Kind.NO_RECORD, 7)]),
        ([*LINES[:6], LINES[6].replace(b'"n":6', b'"n":7'), *LINES[7:]], [(Kind.CHANGED, 7)]),
        ([*LINES[:6], LINES[6][:-1], *LINES[7:]], [(Kind.NO_LINE, 7)]),
        ([*LINES[:6], b"x", b"y", *LINES[6:]], [(Kind.NO_LINE, 7)]),
        ([*LINES[:6], *LINES[8:]], [(Kind.REMOVED, 7)]),
        ([*LINES[:6], LINES[7], LINES[6], *LINES[8:]], [(Kind.REMOVED, 7), (Kind.REORDERED, 8)]),
        ([*LINES[:6], LINES[5], *LINES[6:]], [(Kind.INSERTED, 7)]),
        ([*LINES[:6], LINES[0], *LINES[6:]], [(Kind.RESTARTED, 7), (Kind.REMOVED, 8)]),
        ([*LINES, LINES[0], LINES[1]], [(Kind.RESTARTED, 11)]),
        ([LINES[0].replace(FIRST.encode(), b"1" * 64)], [(Kind.CHANGED, 1)]),
        ([*LINES[:3], LINES[3] + b"x", *LINES[4:]], [(Kind.NO_LINE, 4)]),
        ([*LINES, b"rubbish"], [(Kind.NO_LINE, 11)]),
        ([b"some other file"], [(Kind.NO_LINE, 1)]),
    ],
)
def test_each_change_is_told_where_it_is(lines: list[bytes], expected: list[tuple[Kind, int]]) -> None:
    assert kinds(told(lines)) == expected


def test_two_changes_are_two_problems() -> None:
    lines = list(LINES)
    for which in (1, 6):
        lines[which] = lines[which].replace(b"alice", b"mallo")
    assert kinds(told(lines)) == [(Kind.CHANGED, 2), (Kind.CHANGED, 7)]


def test_no_part_of_a_record_is_repeated() -> None:
    for lines in (
        [*LINES[:5], LINES[6], LINES[5].replace(b'"allowed"', b'"secret"'), b"secret"],
        [b"secret"],
    ):
        report = told(lines)
        assert report.problems
        assert not any(word in str(report.problems) for word in ("secret", "alice", "Invoices"))


def test_a_log_without_its_beginning_says_so() -> None:
    report = told(LINES[5:])
    assert report.intact
    assert report.notes == (
        Finding(
            Kind.BEGINS_LATER,
            "the log begins with number 5 here: what was before it is not checked",
            report.files[0],
            1,
        ),
    )
    assert (report.first, report.last) == (5, 9)


@pytest.mark.parametrize("cut", [1, 300, len(LINES[-1]) - 1])
def test_an_end_that_is_torn_is_a_note(cut: int) -> None:
    report = told([*LINES[:-1], LINES[-1][:cut]], end=b"")
    assert report.intact
    assert (report.notes[-1].kind, report.notes[-1].line, report.last) == (Kind.TORN, 10, 8)
    many = f"{cut} byte{'' if cut == 1 else 's'}"
    assert report.notes[-1].text == f"the file ends within a line, {many} into it: its write was cut short"


def test_a_file_of_something_else_is_no_log_that_is_torn() -> None:
    assert kinds(told([b"hello"], end=b"")) == [(Kind.NO_LINE, 1)]
    assert kinds(told([*LINES, b"x" * (LONGEST + 1)], end=b"")) == [(Kind.NO_LINE, 11)]
    assert told([*LINES, b"\0" * 500], end=b"").intact


def test_a_last_line_without_its_newline_is_a_line() -> None:
    assert told(LINES, expect=digest(LINES[-1]), end=b"").intact


def test_nothing_at_all() -> None:
    report = told([], end=b"")
    assert report.intact
    assert (report.lines, report.first, report.last, report.hash) == (0, None, None, None)
    assert not told([], digest(LINES[0]), end=b"").intact


# --- files ----------------------------------------------------------------------------------------------------------


async def test_files_are_put_in_order(path: Path) -> None:
    await write(path, 12, rotate_at=1)
    folder = sorted(path.parent.iterdir())
    report = verify([*folder[::-1], path, folder[3]])
    assert report.intact
    assert report.files == (*map(str, folder[1:]), str(path))
    assert (report.lines, report.first, report.last) == (12, 1, 12)


async def test_a_file_that_is_missing_is_found(path: Path) -> None:
    await write(path, 5, rotate_at=1)
    Path(f"{path}.000003").unlink()
    report = verify(path.parent.iterdir())
    assert report.problems == (
        Finding(
            Kind.REMOVED,
            "number 3 is missing before it: removed, or in a file that was not given",
            f"{path}.000004",
            1,
        ),
    )


async def test_a_change_across_files_is_told_in_the_right_one(path: Path) -> None:
    await write(path, 3, rotate_at=1)
    older = Path(f"{path}.000002")
    older.write_bytes(older.read_bytes().replace(b"alice", b"mallo"))
    (problem,) = verify(path.parent.iterdir()).problems
    assert (problem.kind, problem.file, problem.line) == (Kind.CHANGED, str(older), 1)
    assert (
        problem.text
        == "its hash is not the one that the next line tells of: it was changed, or that line was"
    )


async def test_two_logs_are_not_one(path: Path) -> None:
    other = path.parent / "other"
    await write(path, 3)
    await write(other, 3)
    report = verify([path, other])
    assert kinds(report) == [(Kind.RESTARTED, 1)]


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name, why in (
        ("none", "the file {} can't be read: no such file or directory; give the files of an audit log"),
        ("fifo", "{} is no regular file; give the files of an audit log"),
        ("", "{} is no regular file; give the files of an audit log"),
    ):
        with pytest.raises(SecurityError) as raised:
            verify([tmp_path / name])
        assert str(raised.value) == why.format(tmp_path / name)


@pytest.mark.parametrize("expect", ["", "abc", "0" * 63, "0" * 65, "g" * 64, "secret"])
def test_an_expected_hash_that_is_none(path: Path, expect: str) -> None:
    path.touch()
    with pytest.raises(SecurityError) as raised:
        verify([path], expect=expect)
    assert str(raised.value) == (
        "the expected hash is none: give the 64 hex digits of the last line, as an earlier check showed them"
    )


# --- size -----------------------------------------------------------------------------------------------------------


def test_problems_are_counted_when_they_are_too_many() -> None:
    report = told([line for _ in range(60) for line in (*LINES[:3], b"x")])
    assert len(report.problems) == LISTED
    assert report.more > 0


@pytest.mark.parametrize("what", ["lines", "rubbish", "one line", "restarts", "gaps"])
def test_memory_does_not_grow_with_the_log(path: Path, what: str) -> None:
    size = 40_000_000
    at = Position(0, FIRST)
    with path.open("wb") as file:
        while file.tell() < size:
            if what == "lines":
                line = encode(at, record(reason="x" * 10_000))
                at = Position(at.n + 1, digest(line[:-1]))
            elif what == "restarts":
                line = encode(at, record(reason="x" * 1_000))
            elif what == "gaps":
                line = encode(Position(file.tell(), FIRST), record(reason="x" * 1_000))
            else:
                line = b"x" * 100_000 + (b"\n" if what == "rubbish" else b"")
            file.write(line)
    read: list[int] = []
    tracemalloc.start()
    try:
        report = verify([path], progress=read.append)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.intact == (what == "lines")
    assert peak < 8 * LONGEST
    assert sum(read) == path.stat().st_size
    assert len(read) > 10
