"""Reports are looked at before a run, and put in their place whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from graftwire.conformance.errors import HarnessError
from graftwire.conformance.reports import NAMES, Kind, Outputs, check, write
from graftwire.conformance.reports.files import replace
from graftwire.conformance.results import RunResult

from .conftest import assert_no_secret  # type: ignore[import-not-found]


def test_all_of_them_in_a_directory(run: RunResult, tmp_path: Path) -> None:
    outputs = Outputs(((Kind.BADGE, tmp_path / "mine.svg"),), tmp_path / "deep" / "reports")
    check(outputs)
    written = write(run, outputs)
    assert [each.name for each in written] == ["mine.svg", *NAMES.values()]
    for each in written:
        assert each.stat().st_size > 500
        assert_no_secret(each.read_bytes())
    assert {each.name for each in (tmp_path / "deep" / "reports").iterdir()} == set(NAMES.values())


def test_what_is_there_is_replaced_and_keeps_its_mode(run: RunResult, tmp_path: Path) -> None:
    path, link = tmp_path / "report.html", tmp_path / "link.html"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    outputs = Outputs(((Kind.HTML, link),))
    check(outputs)
    assert path.read_text() == "old"
    write(run, outputs)
    assert link.is_symlink()
    assert path.read_text().startswith("<!doctype html>")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_fresh_file_is_as_any_other(run: RunResult, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    write(run, Outputs(((Kind.JUNIT, tmp_path / "junit.xml"),)))
    assert (tmp_path / "junit.xml").stat().st_mode == plain.stat().st_mode


def test_a_pipe_is_written_to_as_it_is(run: RunResult, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        outputs = Outputs(((Kind.BADGE, pipe),))
        check(outputs)
        write(run, outputs)
        assert os.read(reading, 65_536).startswith(b"<svg")
    finally:
        os.close(reading)


def refused(outputs: Outputs) -> str:
    with pytest.raises(HarnessError) as caught:
        check(outputs)
    return str(caught.value)


def test_what_can_not_be_written_is_said_before(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = tmp_path / "no" / "report.html"
    assert (
        refused(Outputs(((Kind.HTML, nowhere),)))
        == f"{nowhere} can't be written: there is no directory {nowhere.parent}"
    )
    assert refused(Outputs(((Kind.HTML, tmp_path),))) == f"--html needs a file, and {tmp_path} is a directory"
    directory = tmp_path / "file"
    assert (
        refused(Outputs(directory=directory)) == f"{directory} can't be a directory of reports: it is a file"
    )
    assert (
        refused(Outputs(directory=directory / "in")) == f"{directory / 'in'} can't be made: not a directory"
    )
    twice = tmp_path / "x"
    told = f"{twice} is asked for twice; give each report a file of its own"
    assert refused(Outputs(((Kind.HTML, twice), (Kind.JUNIT, twice)))) == told


@pytest.mark.skipif(os.geteuid() == 0, reason="this user may write everywhere")
def test_a_directory_that_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    path = tmp_path / "report.html"
    assert refused(Outputs(((Kind.HTML, path),))) == f"{path} can't be written: permission denied"


def test_one_that_fails_does_not_keep_the_others(run: RunResult, tmp_path: Path) -> None:
    outputs = Outputs(((Kind.HTML, tmp_path / "gone" / "x.html"), (Kind.BADGE, tmp_path / "badge.svg")))
    with pytest.raises(HarnessError, match=r"x\.html can't be written: no such file or directory"):
        write(run, outputs)
    assert (tmp_path / "badge.svg").exists()


def test_what_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    target = tmp_path / "full" / "x"
    target.write_text("old")
    with pytest.raises(TypeError):
        replace(target, "text")  # type: ignore[arg-type]
    assert [each.name for each in target.parent.iterdir()] == ["x"]
    assert target.read_text() == "old"
