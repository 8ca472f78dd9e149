"""Where an audit log can't be: each with its sentence, and none of them blocks."""

# ruff: noqa: ASYNC221, ASYNC240 - nothing else runs beside these tests

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from graftwire.gateway.audit.file import AuditFile
from graftwire.gateway.audit.opening import moved_aside, next_name
from graftwire.gateway.security.errors import SecurityError

from .conftest import write


def sentence(path: Path | str) -> str:
    with pytest.raises(SecurityError) as raised:
        AuditFile(path)
    return str(raised.value)


def test_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    why = "the audit log none/audit.jsonl can't be opened: there is no folder none; make it, or name another file"
    assert sentence("none/audit.jsonl") == why


def test_a_folder_that_is_a_file(path: Path) -> None:
    path.touch()
    why = f"the audit log {path}/x can't be opened: not a directory; name another file"
    assert sentence(path / "x") == why


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    assert sentence(tmp_path) == f"the audit log {tmp_path} is a folder; name a file in it"


def test_what_is_no_regular_file(path: Path) -> None:
    def why(path: Path | str) -> str:
        cause = "is no regular file, so that a write to it could block"
        return f"the audit log {path} {cause}; name a file on a local disk"

    os.mkfifo(path)
    assert sentence(path) == why(path)
    assert sentence("/dev/null") == why("/dev/null")
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert sentence(path) == why(path)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_no_permission(path: Path, what: str) -> None:
    path.parent.chmod(0o755)
    if what == "file":
        path.touch(0o400)
    else:
        path.parent.chmod(0o555)
    program = (
        "import os, sys\n"
        "from graftwire.gateway.audit.file import AuditFile\n"
        "from graftwire.gateway.security.errors import SecurityError\n"
        "os.chdir(os.path.dirname(sys.argv[1]))\n"
        "if not os.geteuid(): os.setuid(65534)\n"  # root may do anything
        "try: AuditFile('audit.jsonl')\n"
        "except SecurityError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == (
        "the audit log audit.jsonl can't be opened: permission denied; let this user read and write it, or name "
        "another file\n"
    )


IN_USE = "is in use by another gateway; give each gateway a file of its own"


async def test_two_can_not_write_one_chain(path: Path) -> None:
    log = AuditFile(path)
    assert sentence(path) == f"the audit log {path} {IN_USE}"
    program = "import sys\nfrom graftwire.gateway.audit.file import AuditFile\nAuditFile(sys.argv[1])\n"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert IN_USE in done.stderr
    await log.aclose()
    await write(path, 1)


async def test_two_can_not_write_one_chain_while_it_is_rotated(path: Path) -> None:
    """Between the two steps of a rotation the path is free, and the chain is not."""
    log = AuditFile(path)
    path.rename(f"{path}.000001")
    assert sentence(path) == f"the audit log {path}.000001 {IN_USE}"
    log.reopen()
    assert sentence(path) == f"the audit log {path} {IN_USE}"
    await log.aclose()


def test_the_names_of_files_that_were_moved_aside(path: Path) -> None:
    assert moved_aside(str(path)) == []
    assert next_name(str(path)) == f"{path}.000001"
    for end in (".000002", ".000010", ".000011.gz", ".1", ".00000a", ".000012x", "x.000013", ".0000001"):
        Path(f"{path}{end}").touch()
    assert moved_aside(str(path)) == [f"{path}.000010", f"{path}.000002", f"{path}.0000001"]
    assert next_name(str(path)) == f"{path}.000012"
    Path(f"{path}.999999").touch()
    assert next_name(str(path)) == f"{path}.1000000"
