"""The commands of the how-tos about testing an acceptor and an initiator give what the pages say, in a shell."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from graftwire.conformance.reports import NAMES, Kind
from graftwire.conformance.results import Exit

from .conftest import Here, running, with_the_command

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
WORKFLOW = (HOW_TO.parents[1] / "examples" / "conformance" / "github.yml").read_text(encoding="utf-8")
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WHERE = "tcp://127.0.0.1:7400"
PAGES = ("test-an-acceptor.md", "test-an-initiator.md")
PATIENCE = 60  # seconds for one command


def read(page: str) -> str:
    return (HOW_TO / page).read_text(encoding="utf-8")


def examples(page: str) -> list[tuple[str, str]]:
    """Every command of a page, and what it writes."""
    blocks = [text for language, text in FENCED.findall(read(page)) if language == "console"]
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def fits(written: str, expected: str) -> bool:
    """Whether it is what a page shows; there, an ellipsis stands for anything, and the width of columns for none."""
    parts = (r"\s+".join(map(re.escape, part.split())) for part in expected.split("…"))
    return re.fullmatch(r"\s*.*?\s*".join(parts), written.strip(), re.DOTALL) is not None


def files(page: str, folder: Path) -> None:
    """What the page has its reader write: the last word in code before a block is the name of the file."""
    text = read(page)
    for match in FENCED.finditer(text):
        names = re.findall(r"`([\w.-]+)`", text[: match.start()].rpartition("\n\n")[0].rpartition("\n\n")[2])
        named = [each for each in names if each in ("hosted.py", "implements.json", "known-failures")]
        if match[1] in ("python", "json", "text") and named:
            (folder / named[-1]).write_text(match[2], encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.timeout(240)
def test_the_commands_of_the_page(page: str, tmp_path: Path) -> None:
    files(page, tmp_path)
    env = with_the_command(tmp_path)

    def shell(command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            text=True,
            check=False,
        )
        told = re.search(r"\(exit code (\d)", done.stdout)
        if told is not None:
            assert done.returncode == int(told[1]), done.stdout
        return done.stdout

    found = examples(page)
    assert len(found) >= 4
    if " serve " not in found[0][0]:
        for command, expected in found:
            assert fits(written := shell(command), expected), (command, written)
        return
    (serve, expected), *rest = found
    assert expected == f"listening {WHERE}\n"
    with running(*shlex.split(serve.replace(":7400", ":0"))[1:], cwd=tmp_path) as served:
        url = served.address()
        for command, expected in rest:
            written = shell(command.replace(WHERE, url)).replace(url, WHERE)
            assert fits(written, expected), (command, written)


def test_lines_between_runner_and_target_are_json() -> None:
    for page in PAGES:
        for language, text in FENCED.findall(read(page)):
            if language == "json":
                assert all(isinstance(json.loads(each), dict) for each in text.splitlines())


def test_the_workflow(here: Here) -> None:
    """Its command has only what there is, and its exit codes are those that there are."""
    (command,) = re.findall(r"^ +(graftwire conform .+) -- \./my-target \|\|$", WORKFLOW, re.MULTILINE)
    assert here(*shlex.split(command)[1:], "--list").code == 0
    failures = [int(each) for each in re.findall(r"^ +(\d)\) echo", WORKFLOW, re.MULTILINE)]
    assert failures == [each for each in Exit if each is not Exit.DONE]
    assert f"report_paths: report/{NAMES[Kind.JUNIT]}" in WORKFLOW


def test_exit_codes() -> None:
    rows = re.findall(r"^\| (\d+) \|", read("test-an-acceptor.md"), re.MULTILINE)
    assert list(map(int, rows)) == list(Exit)
