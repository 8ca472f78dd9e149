"""The reference of the configuration says what the code does, key by key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from graftwire.gateway.configuration.schema import KEYS, MODULE_KEYS, SECTIONS, Key, checked, from_words

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")


def rows(section: str) -> dict[str, list[str]]:
    """The rows of a table of the page, by their key, without backticks."""
    text = PAGE.split(f"### `[{section}]`\n")[1].split("\n#")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    cells = [[cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0]: row[1:] for row in cells}


def takes(key: Key) -> str:
    return " or ".join(key.choices) if key.choices else key.kind.value


def default(key: Key) -> str:
    match key.default:
        case None:
            return "none"
        case bool(value):
            return str(value).lower()
        case ():
            return "[]"
        case value:
            return str(value)


def test_the_tables_are_those_of_the_code() -> None:
    assert re.findall(r"^### `\[([\w.-]+)\]`$", PAGE, re.MULTILINE) == [*SECTIONS, "modules.NAME"]


@pytest.mark.parametrize("section", SECTIONS)
def test_the_keys_are_those_of_the_code(section: str) -> None:
    there = {
        key.name: [
            takes(key),
            default(key),
            key.variable,
            key.flag or "none",
            "live" if key.live else "restart",
        ]
        for key in KEYS.values()
        if key.section == section
    }
    assert {name: row[:5] for name, row in rows(section).items()} == there


def test_the_keys_of_a_module() -> None:
    there = {
        key.name: [takes(key), default(key), "live" if key.live else "restart"]
        for key in MODULE_KEYS.values()
    }
    assert {name: row[:3] for name, row in rows("modules.NAME").items()} == there


def test_the_example_of_the_page_has_only_keys_that_there_are() -> None:
    values = tomllib.loads(PAGE.split("```toml\n")[1].split("```")[0])
    for section in SECTIONS:
        table = values
        for part in section.split("."):
            table = table.get(part, {})
        inner = {other.rpartition(".")[2] for other in SECTIONS if other.startswith(f"{section}.")}
        assert {f"{section}.{name}" for name in table if name not in inner} <= set(KEYS)


def test_defaults_are_values_that_could_be_said() -> None:
    for key in KEYS.values():
        if key.default is not None:
            assert checked(key, key.default) == key.default


def test_lists_of_variables() -> None:
    assert from_words(" a  b ") == ["a", "b"]
    assert from_words('["a b", "c"]') == ["a b", "c"]
    with pytest.raises(ValueError, match="not a list"):
        from_words("[1]")
