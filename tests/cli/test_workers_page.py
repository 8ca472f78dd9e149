"""docs/how-to/worker-processes.md, followed: what it configures is checked, served, and survives its crash."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from .conftest import Here, running

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "worker-processes.md").read_text(encoding="utf-8")
MODULE, _ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(CONFIGURATION,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
(CHECKED,) = re.findall(r"```console\n\$ graftwire check\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    os.umask(0o022)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stock.py").write_text(MODULE)
    (tmp_path / "graftwire.toml").write_text(CONFIGURATION)
    return tmp_path


def test_check_says_what_the_page_says(here: Here, folder: Path) -> None:
    done = here("check")
    assert (done.code, done.out, done.err) == (0, CHECKED, "")


def test_the_gateway_of_the_page(here: Here, folder: Path) -> None:
    (folder / "graftwire.toml").write_text(CONFIGURATION.replace(":7400", ":0"))
    with running("serve", cwd=folder) as served:
        url = served.address()
        assert here("call", url, "Stock.pieces", '"bolt"').out == "4\n"
        assert '"kind": "internal"' in here("call", "--json", url, "Stock.crash").err
        assert here("call", url, "Stock.pieces", '"bolt"').out == "4\n"
        done = served.stop()
    assert done.code == 0
    assert "for Stock exited with code 3; it is started again in 0.1 s" in done.err
    assert "Traceback" not in done.err


def test_a_start_that_fails_is_one_sentence(folder: Path) -> None:
    (folder / "stock.py").write_text("raise ValueError('hunter2')\n")
    (folder / "graftwire.toml").write_text(CONFIGURATION.replace(":7400", ":0"))
    with running("serve", cwd=folder) as served:
        done = served.end()
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith(
        "graftwire.toml, line 9: the module stock can't be imported: ValueError in stock.py, line 1\n"
    )
    assert "hunter2" not in done.err
    assert "Traceback" not in done.err
