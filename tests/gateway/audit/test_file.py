"""The audit log as a file: what is in it, and what becomes of it when it is full, moved, or can't be written."""

# ruff: noqa: ASYNC220, ASYNC240 - nothing else runs beside these tests

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from graftwire.gateway.audit.chain import FIRST, LONGEST, Position, digest
from graftwire.gateway.audit.file import AuditFile
from graftwire.gateway.audit.verify import Kind, verify
from graftwire.gateway.security.errors import SecurityError

from .conftest import entries, record, room, write


def files(path: Path) -> list[Path]:
    return sorted(path.parent.iterdir(), key=lambda file: (file == path, file.name))


def check(path: Path, lines: int, notes: tuple[Kind, ...] = ()) -> None:
    """All files of the log together are an unbroken chain of so many lines."""
    report = verify(files(path))
    assert report.problems == ()
    assert [note.kind for note in report.notes] == list(notes)
    assert (report.lines, report.first) == (lines, 1)


def entries_of(path: Path) -> list[dict[str, object]]:
    """As `entries`, with an empty one for what is torn."""
    found: list[dict[str, object]] = []
    for line in path.read_bytes().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            found.append({})
    return found


# --- one file -------------------------------------------------------------------------------------------------------


async def test_a_record_is_a_line(path: Path) -> None:
    log = AuditFile(path)
    assert log.label == "file"
    assert log.position == Position(0, FIRST)
    await log.write(record(1))
    await log.write(record(3))
    first, second = path.read_bytes().splitlines()
    one, two = entries(path)
    assert (one["n"], one["prev"], one["call"]) == (1, FIRST, 1)
    assert (two["n"], two["prev"], two["call"]) == (2, digest(first), 3)
    assert log.position == Position(2, digest(second))
    await log.aclose()


async def test_a_line_is_there_when_write_returns(path: Path) -> None:
    log = AuditFile(path)
    for count in range(1, 20):
        await log.write(record())
        assert len(entries(path)) == count
    await log.aclose()


async def test_only_its_user_can_read_it(path: Path) -> None:
    old = os.umask(0)
    try:
        await write(path, 1)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_the_mode_of_a_file_that_is_there_is_left_alone(path: Path) -> None:
    path.touch(0o640)
    await write(path, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_records_of_many_tasks_are_one_chain(path: Path) -> None:
    log = AuditFile(path)

    async def some() -> None:
        for call in range(20):
            await log.write(record(call))
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(some)
    await log.aclose()
    check(path, 200)


async def test_a_cancelled_task_loses_no_record(path: Path) -> None:
    log = AuditFile(path)
    with trio.CancelScope() as scope:
        scope.cancel()
        await log.write(record())
    assert not scope.cancelled_caught
    await log.aclose()
    check(path, 1)


async def test_after_the_end_nothing_is_written(path: Path) -> None:
    log = AuditFile(path)
    await log.aclose()
    await log.aclose()
    with pytest.raises(OSError, match="Bad file descriptor"):
        await log.write(record())
    assert path.read_bytes() == b""


async def test_a_record_that_is_too_long_is_no_line(path: Path) -> None:
    log = AuditFile(path)
    sentence = "a record makes a line of more than 1 MiB; let the plugin give a shorter reason"
    with pytest.raises(ValueError, match=sentence):
        await log.write(record(reason="x" * LONGEST))
    with pytest.raises(UnicodeEncodeError):
        await log.write(record(reason="\ud800"))
    await log.write(record(reason="x" * (LONGEST - 1000)))
    await log.write(record())
    await log.aclose()
    await write(path, 1)
    check(path, 3)


async def test_a_relative_path_stays_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    log = AuditFile("log", rotate_at=1)
    await log.write(record())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    await log.write(record())
    await log.aclose()
    assert sorted(name.name for name in tmp_path.iterdir()) == ["elsewhere", "log", "log.000001"]


# --- restarts -------------------------------------------------------------------------------------------------------


async def test_the_chain_goes_on_after_a_restart(path: Path) -> None:
    for count in (1, 2, 3, 0, 4):
        await write(path, count)
    check(path, 10)


async def test_a_large_log_is_continued(path: Path) -> None:
    log = AuditFile(path)
    for size in (10, 70_000, 900_000, 10, 300_000):
        await log.write(record(reason="x" * size))
        await log.aclose()
        log = AuditFile(path)
    await log.aclose()
    check(path, 5)


async def test_a_killed_gateway_leaves_a_log_that_goes_on(path: Path) -> None:
    program = (
        "import sys, trio\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from conftest import record\n"
        "from graftwire.gateway.audit.file import AuditFile\n"
        "async def main():\n"
        "    log = AuditFile(sys.argv[1], rotate_at=100_000)\n"
        "    print('begun', flush=True)\n"
        "    while True:\n"
        "        await log.write(record())\n"
        "trio.run(main)\n"
    )
    for _ in range(3):
        arguments = [sys.executable, "-c", program, str(path), str(Path(__file__).parent)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
            before = len(files(path))
            while len(files(path)) < before + 2:
                await trio.sleep(0.001)
            process.send_signal(signal.SIGKILL)
    log = AuditFile(path)
    last = log.position.n
    await log.write(record())
    await log.aclose()
    assert len(files(path)) >= 6
    report = verify(files(path))
    assert (report.problems, report.first, report.last) == ((), 1, last + 1)


async def test_a_torn_line_is_kept_and_said(path: Path) -> None:
    """Wherever the write was cut short: the chain goes on, and nothing that was whole is lost."""
    await write(path, 3)
    whole = path.read_bytes()
    begin = whole.rindex(b"\n", 0, -1) + 1
    for cut in [
        *range(begin, begin + 12),
        *range(begin + 12, len(whole), 29),
        *range(len(whole) - 4, len(whole)),
    ]:
        path.write_bytes(whole[:cut])
        await write(path, 2)
        assert path.read_bytes().startswith(whole[:cut])
        torn = cut - begin
        if torn == 0:
            check(path, 4)
        elif cut == len(whole) - 1:  # nothing but the newline was missing
            check(path, 5)
        else:
            check(path, 6, (Kind.TORN,))
            note = entries_of(path)[3]
            cut_short = digest(whole[begin:cut])
            assert note == {**note, "n": 3, "event": "resumed", "torn": torn, "torn_hash": cut_short}
            assert list(note) == ["n", "prev", "time", "event", "torn", "torn_hash"]


async def test_the_first_line_may_be_torn(path: Path) -> None:
    await write(path, 1)
    whole = path.read_bytes()
    for cut in (1, 3, 5, 100, len(whole) - 2):
        path.write_bytes(whole[:cut])
        await write(path, 1)
        check(path, 3, (Kind.TORN,))
    path.write_bytes(whole[:-1])
    await write(path, 1)
    check(path, 2)


async def test_the_note_of_a_torn_line_may_be_torn(path: Path) -> None:
    await write(path, 2)
    path.write_bytes(path.read_bytes()[:-9])
    torn = path.read_bytes()
    await write(path, 0)
    noted = path.read_bytes()
    for cut in range(len(torn) + 2, len(noted) - 1, 9):
        path.write_bytes(noted[:cut])
        await write(path, 2)
        assert path.read_bytes().startswith(noted[:cut])
        check(path, 6, (Kind.TORN,))
    path.write_bytes(noted[:-1])
    await write(path, 2)
    check(path, 5, (Kind.TORN,))


async def test_zeros_of_a_loss_of_power_are_torn(path: Path) -> None:
    await write(path, 2)
    with path.open("ab") as file:
        file.write(b"\0" * 3000)
    await write(path, 1)
    check(path, 5, (Kind.TORN,))


# --- rotation -------------------------------------------------------------------------------------------------------


async def test_a_full_file_is_moved_aside(path: Path) -> None:
    await write(path, 20, rotate_at=2000)
    names = [file.name for file in files(path)]
    assert names == [*(f"audit.jsonl.{number:06}" for number in range(1, len(names))), "audit.jsonl"]
    assert len(names) > 5
    assert all(file.stat().st_size <= 2000 for file in files(path))
    assert [entry["n"] for entry in entries(*files(path))] == list(range(1, 21))
    await write(path, 5, rotate_at=2000)
    check(path, 25)


async def test_a_line_that_is_too_long_for_a_file_has_one_of_its_own(path: Path) -> None:
    await write(path, 4, rotate_at=1)
    assert [len(entries(file)) for file in files(path)] == [1, 1, 1, 1]
    check(path, 4)


async def test_no_file_is_ever_overwritten(path: Path) -> None:
    (path.parent / "audit.jsonl.000007.gz").write_bytes(b"compressed")
    (path.parent / "audit.jsonl.000003").write_bytes(b"")
    (path.parent / "audit.jsonl.1").write_bytes(b"no number of ours")
    await write(path, 2, rotate_at=1)
    names = {file.name: file.read_bytes()[:5] for file in files(path)}
    assert names["audit.jsonl.000008"] == b'{"n":'
    assert names["audit.jsonl.000007.gz"] == b"compr"


@pytest.mark.parametrize("empty", [True, False])
async def test_a_restart_right_after_a_rotation(path: Path, empty: bool) -> None:
    """The new file is not there yet, or nothing is in it."""
    await write(path, 5, rotate_at=1)
    path.rename(f"{path}.000005")
    if empty:
        path.touch()
    await write(path, 2)
    check(path, 7)


async def test_a_restart_after_the_first_line_of_a_new_file_was_torn(path: Path) -> None:
    await write(path, 3, rotate_at=1)
    path.write_bytes(path.read_bytes()[:100])
    await write(path, 2)
    check(path, 6, (Kind.TORN,))


async def test_a_rotation_that_fails_is_made_up_for(path: Path) -> None:
    log = AuditFile(path, rotate_at=1)
    await log.write(record())
    await log.write(record())
    path.rename(path.parent / "kept")
    path.mkdir()
    with pytest.raises(SecurityError, match=f"the audit log {path} is a folder; name a file in it"):
        await log.write(record())
    path.rmdir()
    await log.write(record())
    await log.aclose()
    check(path, 3)


async def test_reopen_after_the_file_was_moved_away(path: Path) -> None:
    log = AuditFile(path)
    await log.write(record())
    log.reopen()
    await log.write(record())
    path.rename(path.parent / "audit.jsonl.1")
    log.reopen()
    assert path.read_bytes() == b""
    await log.write(record())
    await log.aclose()
    assert [len(entries(file)) for file in files(path)] == [2, 1]
    check(path, 3)


@pytest.mark.parametrize("how", ["moved", "moved, and made anew", "deleted"])
async def test_a_file_that_has_lost_its_name_is_not_written_to(
    path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has to tell: what rotates logs moves the file, and the next record begins another one at its path."""
    log = AuditFile(path)
    await log.write(record())
    path.rename(f"{path}.1")
    if how == "moved, and made anew":
        path.touch(mode=0o600)
    if how == "deleted":
        Path(f"{path}.1").unlink()
    await log.write(record())
    await log.write(record())
    await log.aclose()
    assert [entry["n"] for entry in entries(path)] == [2, 3]
    if how != "deleted":
        check(path, 3)
    [told] = caplog.records
    assert told.getMessage() == f"the audit log {path} was moved away; it goes on in a new file"


async def test_reopen_takes_back_what_is_torn(path: Path) -> None:
    log = AuditFile(path)
    await log.write(record())
    with append_only(path):
        size = path.stat().st_size
        with room(size + 100):
            with pytest.raises(OSError, match="File too large"):
                await log.write(record())
    path.rename(f"{path}.1")
    log.reopen()
    await log.write(record())
    await log.aclose()
    assert Path(f"{path}.1").stat().st_size == size
    check(path, 2)


async def test_reopen_takes_no_file_that_holds_anything(path: Path) -> None:
    log = AuditFile(path)
    await log.write(record())
    path.rename(path.parent / "old")
    path.write_text("something")
    sentence = f"the file {path} has taken the place of the audit log and is not empty; move it away"
    with pytest.raises(SecurityError, match=sentence):
        log.reopen()
    with pytest.raises(SecurityError, match=sentence):  # nor by itself: what can't be kept does not happen
        await log.write(record())
    path.unlink()
    log.reopen()
    await log.write(record())
    await log.aclose()
    check(path, 2)


# --- what can't be written ------------------------------------------------------------------------------------------


async def test_a_full_disk_breaks_no_chain(path: Path) -> None:
    log = AuditFile(path)
    await log.write(record())
    size = path.stat().st_size
    for left in (0, 1, 5, 300, size - 1):
        with room(path.stat().st_size + left):
            with pytest.raises(OSError, match="File too large") as raised:
                await log.write(record())
        assert raised.value.errno == errno.EFBIG
        assert path.read_bytes().endswith(b"}\n")  # nothing is left of it
        await log.write(record())
    await log.aclose()
    check(path, 6)


async def test_a_full_disk_while_a_torn_line_is_noted(path: Path) -> None:
    await write(path, 2)
    torn = path.read_bytes()[:-50]
    path.write_bytes(torn)
    with room(len(torn) + 40):
        sentence = f"the audit log {path} can't be continued: file too large; mend that, or name another file"
        with pytest.raises(SecurityError, match=sentence):
            AuditFile(path)
    assert path.read_bytes() == torn
    await write(path, 1)
    check(path, 4, (Kind.TORN,))


@contextmanager
def append_only(path: Path) -> Iterator[None]:
    """What `chattr +a` does: nothing that is in the file can be taken out again."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        flags = bytearray(8)
        try:
            fcntl.ioctl(descriptor, 0x80086601, flags)  # FS_IOC_GETFLAGS
            fcntl.ioctl(
                descriptor, 0x40086602, bytes([flags[0] | 0x20]) + bytes(flags[1:])
            )  # FS_IOC_SETFLAGS
        except OSError:
            pytest.skip("files can be made append-only by root alone, and not on every file system")
        try:
            yield
        finally:
            fcntl.ioctl(descriptor, 0x40086602, bytes(flags))
    finally:
        os.close(descriptor)


async def test_a_full_disk_where_nothing_can_be_taken_back(path: Path) -> None:
    """The torn line stays, and the next one says so."""
    log = AuditFile(path)
    await log.write(record())
    with append_only(path):
        for left in (100, 1, 250):
            with room(path.stat().st_size + left):
                with pytest.raises(OSError, match="File too large"):
                    await log.write(record())
                with pytest.raises(OSError, match="File too large"):  # its note does not fit either
                    await log.write(record())
            await log.write(record())
        await log.aclose()
        report = verify([path])
    assert report.problems == ()
    assert {note.kind for note in report.notes} == {Kind.TORN}
    assert [entry.get("event") for entry in entries_of(path) if entry] == ["call", *["resumed", "call"] * 3]


# --- what the disk has ----------------------------------------------------------------------------------------------


async def test_synced_records_are_one_chain_too(path: Path) -> None:
    log = AuditFile(path, sync=True, rotate_at=5000)

    async def some() -> None:
        for call in range(5):
            await log.write(record(call))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(some)
    await log.aclose()
    check(path, 50)


async def test_a_cancelled_wait_for_the_disk_leaves_the_record(path: Path) -> None:
    log = AuditFile(path, sync=True)
    with trio.CancelScope() as scope:
        scope.cancel()
        await log.write(record())
    assert scope.cancelled_caught
    await log.write(record())
    await log.aclose()
    check(path, 2)


async def test_no_descriptor_is_left(path: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    for sync in (False, True):
        await write(path, 5, sync=sync, rotate_at=1)
    path.write_text("no log")
    with pytest.raises(SecurityError):
        AuditFile(path)
    assert len(os.listdir("/dev/fd")) == before


def test_a_size_of_nothing_is_a_mistake(path: Path) -> None:
    with pytest.raises(ValueError, match="rotate_at counts bytes: 1 or more, or None for never"):
        AuditFile(path, rotate_at=0)
    assert not path.exists()
