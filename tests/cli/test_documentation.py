"""docs/reference/command-line.md says what the commands have, and its examples give what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

import graftwire.cli
from graftwire.cli.app import app
from graftwire.cli.failure import Exit
from graftwire.protocol.errors import ErrorCode

from .conftest import Here, running
from .test_inspect import every_frame

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "command-line.md").read_text()
COMMANDS = [
    "demo",
    "serve",
    "call",
    "key",
    "inspect",
    "tap",
    "audit verify",
    "metadata",
    "conform",
    "reference",
]
KEY = ["new", "list", "revoke"]
TCP = "tcp://127.0.0.1:7400"


def section(name: str) -> str:
    """What stands below a heading of the page."""
    return PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]


def section_within(name: str) -> str:
    """What stands below a heading of the page that is below another."""
    return PAGE.split(f"\n### {name}\n")[1].split("\n##")[0]


def first_cells(text: str) -> list[str]:
    """The first column of the tables in `text`."""
    return [found[1] for line in text.splitlines() if (found := re.match(r"\| ([^|]+) \|", line))]


def options(name: str) -> set[str]:
    """The options of a command, with what they take, as the page writes them."""
    command = typer.main.get_command(app)
    for word in name.split():
        command = getattr(command, "commands")[word]  # noqa: B009 - not all types of it say so
    found: set[str] = set()
    # a group has the options of its commands
    parts = getattr(command, "commands", {}).values() if name else ()
    for parameter in [*command.params, *(each for part in parts for each in part.params)]:
        names = sorted(parameter.opts, key=len)
        if names[-1].startswith("--"):
            takes = "" if getattr(parameter, "is_flag", False) else f" {parameter.metavar}"
            found.add(names[-1] + takes)
    return found


def test_the_commands_are_those_that_there_are() -> None:
    assert re.findall(r"^\| \[`graftwire ([\w ]+)`\]", PAGE, re.MULTILINE) == COMMANDS
    there: set[str] = set()
    for name, command in getattr(typer.main.get_command(app), "commands").items():  # noqa: B009 - as above
        inner = getattr(command, "commands", None)
        whole = inner is None or name in ("key", "metadata")  # it has one section, for all that it can do
        there |= {name} if whole else {f"{name} {word}" for word in inner}
    assert there == set(COMMANDS)


def test_the_commands_about_keys_are_those_that_there_are() -> None:
    assert re.findall(r"^### graftwire key (\w+)$", section("graftwire key"), re.MULTILINE) == KEY
    group = getattr(typer.main.get_command(app), "commands")["key"]  # noqa: B009 - as above
    assert set(getattr(group, "commands")) == set(KEY)  # noqa: B009 - as above


@pytest.mark.parametrize(
    "name", [*(f"key {name}" for name in KEY), *(name for name in COMMANDS if name != "key")]
)
def test_the_options_of_a_command(name: str) -> None:
    text = section_within(f"graftwire {name}") if name.startswith("key ") else section(f"graftwire {name}")
    told = [cell.strip("`") for cell in first_cells(text) if cell.startswith("`--")]
    assert len(told) == len(set(told))
    assert set(told) == options(name)


def test_the_options_without_a_command() -> None:
    told = {cell.split(",")[0].strip("`") for cell in first_cells(section("graftwire")) if "`--" in cell}
    assert told - {"--help"} == options("")


def test_the_exit_codes() -> None:
    told = [int(cell) for cell in first_cells(section("Exit codes")) if cell.isdigit()]
    assert told == list(Exit)


def test_the_kinds_of_failures() -> None:
    told = re.findall(r"`([a-z-]+)`", " ".join(first_cells(section("Failures as JSON"))))
    sources = [source.read_text() for source in Path(graftwire.cli.__path__[0]).glob("*.py")]
    assert len(sources) > 20
    ours = {kind for text in sources for kind in re.findall(r'kind: str = "(\w+)"|kind="(\w+)"', text)}
    kinds = {kind for pair in ours for kind in pair if kind} - {"interrupted"}  # which says nothing
    assert len(told) == len(set(told))
    assert set(told) == kinds | {code.label for code in ErrorCode if code is not ErrorCode.NONE}


def test_the_elements_of_frames_as_json() -> None:
    rows = re.findall(r"^\| ((?:`[A-Z]+`(?:, )?)+) \| (.*)\|$", section("graftwire inspect"), re.MULTILINE)
    told = {
        kind: re.findall(r"`(\w+)`", row) for kinds, row in rows for kind in re.findall(r"`(\w+)`", kinds)
    }
    found = {kind: list[str]() for kind in told}
    for frame, _, elements in every_frame():
        found[type(frame).__name__.upper()] = list(elements)
    found["RESULT"] = found["ITEM"]  # a RESULT has no example of its own there
    assert told == found


def test_the_examples(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.py").write_text(PAGE.split("```python\n")[1].split("```")[0])
    (tmp_path / "amounts").write_text("10\n20\n")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    examples = [
        example.split("\n", 1)
        for block in blocks
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    ]
    (serve,) = [command for command, _ in examples if command.startswith("graftwire serve")]
    with running(*shlex.split(serve.replace(":7400", ":0"))[1:], cwd=tmp_path) as served:
        url = served.address()
        run = 0
        code = 0
        for command, expected in examples:
            if command == "echo $?":
                assert expected == f"{code}\n"
            elif command.startswith(("graftwire call", "graftwire inspect", "graftwire metadata")):
                done = here(*shlex.split(command.replace(TCP, url))[1:])
                assert done.out + done.err == expected, command
                code = done.code
                run += 1
    assert run >= 10
