"""What the pages show is what happens: programs run, links lead somewhere, reference pages agree with the code."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import importlib.util
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import graftwire
import graftwire.security

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    path.relative_to(ROOT)
    for path in (
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *(ROOT / "newsfragments").glob("*.md"),
        *(ROOT / "spec").glob("*.md"),
    )
)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(page: Path | str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


# --- programs -------------------------------------------------------------------------------------------------------


class Block(NamedTuple):
    """A block of Python of a page: its name for the report, its text, and the text block right after it."""

    name: str
    text: str
    output: str | None


def blocks() -> list[Block]:
    """Every block of Python in the README and the documentation."""
    found: list[Block] = []
    for page in PAGES:
        if page != Path("README.md") and page.parts[0] != "docs":
            continue
        if page == Path("docs/reference/python.md"):
            continue  # its blocks are signatures, which have tests of their own
        text = read(page)
        fenced = list(FENCED.finditer(text))
        for index, match in enumerate(fenced):
            if match[1] != "python":
                continue
            after = fenced[index + 1] if index + 1 < len(fenced) else None
            # A sentence may stand in between, a heading may not.
            own = after is not None and after[1] == "text" and "\n#" not in text[match.end() : after.start()]
            found.append(
                Block(
                    f"{page}:{text.count(chr(10), 0, match.start()) + 1}",
                    match[2],
                    after[2] if own and after is not None else None,
                )
            )
    return found


BLOCKS = blocks()
TRANSPORT = "docs/how-to/write-a-transport.md"  # its program needs an installed package, see below
CARRIER, CARRIED = (block for block in BLOCKS if block.name.startswith(TRANSPORT))
PROGRAMS = [block for block in BLOCKS if "trio.run(" in block.text and not block.name.startswith(TRANSPORT)]


@pytest.mark.parametrize("block", PROGRAMS, ids=[block.name for block in PROGRAMS])
def test_a_program_does_what_its_page_says(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "example.py"
    path.write_text(block.text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("example_of_the_documentation", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # annotations are looked up there
    spec.loader.exec_module(module)
    out, err = capsys.readouterr()
    assert err == ""
    assert out == (block.output or "")


@pytest.mark.parametrize("block", BLOCKS, ids=[block.name for block in BLOCKS])
def test_python_uses_only_what_there_is(block: Block) -> None:
    """Also what is no whole program can be read by Python, and names nothing that is not public."""
    tree = ast.parse(block.text)
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "graftwire"
    }
    assert used - set(graftwire.__all__) == set()


@pytest.fixture(scope="session")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip installed a distribution made of the module and the entry point that the page shows."""
    source, target = tmp_path_factory.mktemp("carrier"), tmp_path_factory.mktemp("installed")
    (table,) = (text for language, text in FENCED.findall(read(TRANSPORT)) if language == "toml")
    (source / "carrier.py").write_text(CARRIER.text, encoding="utf-8")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n\n'
        f'[project]\nname = "graftwire-carrier"\nversion = "1.0"\n\n{table}',
        encoding="utf-8",
    )
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index")
    done = subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "--target", target, source],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in target.glob("*.dist-info")} == {"graftwire_carrier-1.0.dist-info"}
    return target


def over_carrier(carrier: Path, *arguments: object) -> list[str]:
    """The command that runs Python with the installed distribution, and warnings as errors."""
    start = f"import runpy, sys; sys.path.insert(0, {str(carrier)!r}); sys.argv = sys.argv[1:]; "
    run = "runpy.run_path(sys.argv[0], run_name='__main__')"
    if arguments[0] == "-m":
        run, arguments = "from graftwire.cli import main; sys.exit(main(sys.argv[1:]))", arguments[1:]
    return [sys.executable, "-W", "error", "-c", start + run, *map(str, arguments)]


def test_the_transport_of_its_page_works(carrier: Path, tmp_path: Path) -> None:
    """Listener, links and sessions over the scheme, in one program."""
    (tmp_path / "program.py").write_text(CARRIED.text, encoding="utf-8")
    done = subprocess.run(
        over_carrier(carrier, tmp_path / "program.py"),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == CARRIED.output


def test_the_transport_of_its_page_works_between_programs(carrier: Path, tmp_path: Path) -> None:
    """The command line, too, hosts and calls over the scheme, without a word about it."""
    (tmp_path / "stock.py").write_text(
        "class Stock:\n    async def pieces(self, part: str) -> int:\n        return len(part)\n",
        encoding="utf-8",
    )
    serve = over_carrier(
        carrier,
        "-m",
        "graftwire",
        "serve",
        "stock:Stock",
        "--auth",
        "anonymous",
        "--listen",
        "carrier://127.0.0.1:0",
    )
    with subprocess.Popen(
        serve, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as serving:
        try:
            assert serving.stdout is not None
            word, url = serving.stdout.readline().split()
            assert word == "listening"
            done = subprocess.run(
                over_carrier(carrier, "-m", "graftwire", "call", url, "Stock.pieces", '"bolt"'),
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=60,
                check=False,
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, "4\n", "")
            serving.terminate()
            assert serving.wait(30) == 0
        finally:
            serving.kill()


def test_there_are_programs() -> None:
    """Guards the search for them: every section that shows how to do things has some."""
    folders = {Path(block.name).parts[1] for block in PROGRAMS if block.name.startswith("docs")}
    assert folders >= {"start", "how-to", "topics"}


PLUGINS = [each for each in PROGRAMS if re.match(r"docs/how-to/write-an?-(?!transport)", each.name)]


@pytest.mark.parametrize("block", PLUGINS, ids=[block.name for block in PLUGINS])
def test_the_example_of_a_plugin_is_short(block: Block) -> None:
    """What a plugin takes fits on a screen."""
    assert len([line for line in block.text.splitlines() if line]) <= 30


def test_each_kind_of_plugin_has_its_page() -> None:
    pages = {block.name.partition(".md")[0].rpartition("/")[2] for block in PLUGINS}
    kinds = ("credential-provider", "authenticator", "authoriser", "audit-sink")
    assert pages == {f"write-a{'n' if kind[0] == 'a' else ''}-{kind}" for kind in kinds}


# --- links ----------------------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.*?) *$", FENCED.sub("", text), re.MULTILINE):
        plain = re.sub(r"\]\([^)]*\)", "", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (numbered := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(numbered)
    return found


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    missing: list[str] = []
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", read(page))):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent.joinpath(path) if path else ROOT / page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            missing.append(target)
    assert missing == []


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in DOCS.rglob("README.md")), ids=lambda path: path.name
)
def test_a_section_lists_its_pages(folder: Path) -> None:
    listed = set(
        re.findall(
            r"\]\(([\w-]+\.md|[\w-]+/README\.md)\)", (folder / "README.md").read_text(encoding="utf-8")
        )
    )
    there = {path.name for path in folder.glob("*.md")} | {
        f"{path.parent.name}/README.md" for path in folder.glob("*/README.md")
    }
    assert listed == there - {"README.md"}


def test_named_files_exist() -> None:
    """The files that the pages on the design and on contributing name."""
    pages = [read(name) for name in ("ARCHITECTURE.md", "CONTRIBUTING.md")]
    named = {path for page in pages for path in re.findall(r"`([\w./-]+/[\w.-]*\.(?:py|md|cddl))`", page)}
    assert named
    assert {path for path in named if not (ROOT / path).exists()} == set()


# --- the reference --------------------------------------------------------------------------------------------------


def sections(page: str, level: int) -> dict[str, str]:
    """The sections of a page under headings of a level, by heading, without backticks."""
    return parts_of(page, read(page), level)


def parts_of(page: str, whole: str, level: int) -> dict[str, str]:
    """The same of a part of a page."""
    parts = re.split(rf"^{'#' * level} +(.*?)\n", whole, flags=re.MULTILINE)
    found: dict[str, str] = {}
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        name = heading.replace("`", "")
        assert name not in found, f"{page} has the section {name} twice"
        found[name] = re.split(rf"^#{{1,{level}}} ", text, maxsplit=1, flags=re.MULTILINE)[0]
    return found


def rows(text: str) -> Iterator[list[str]]:
    """The rows of the tables in a text, without their heads, backticks taken off."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if (
            line.startswith("|")
            and any(re.match(r"\| *-+", above) for above in lines[:index])
            and "---" not in line
        ):
            yield [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]


NAMES_PAGE = "docs/reference/python.md"
MAIN, PLUGIN = read(NAMES_PAGE).split("\n## The module `graftwire.security`\n")
NAMES = parts_of(NAMES_PAGE, MAIN, 3)
PLUGIN_NAMES = parts_of(NAMES_PAGE, PLUGIN, 3)


def test_the_page_of_names_is_the_public_surface() -> None:
    """Nothing is public that is not written down, and nothing is written down that is not there."""
    assert sorted(NAMES) == sorted(graftwire.__all__)
    public = {
        name
        for name, value in vars(graftwire).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }
    assert public == set(graftwire.__all__)


def test_the_names_of_the_module_of_plugins_are_written_down() -> None:
    assert sorted(PLUGIN_NAMES) == sorted(graftwire.security.__all__)


def parameters(function: Callable[..., object]) -> list[tuple[str, Any, object]]:
    """The name, kind and default of each parameter. A default that is a function, or made by one, is written `...`."""
    return [
        (p.name, p.kind, ... if re.search("lambda|function|factory", repr(p.default)) else p.default)
        for p in inspect.signature(function).parameters.values()
        if p.name != "self"
    ]


def written(line: str) -> tuple[str, list[tuple[str, Any, object]] | None]:
    """The name of a signature as a page writes it, and its parameters; None for an attribute."""
    name, bracket, _ = line.partition("(")
    if not bracket:
        return name.partition(":")[0], None
    space: dict[str, Any] = {"ErrorCode": graftwire.ErrorCode}
    exec(f"from __future__ import annotations\ndef {line}: ...", space)  # noqa: S102 - a page of our own
    return name, parameters(space[name])


WITH_SIGNATURE = [
    (module, names, name)
    for module, names in ((graftwire, NAMES), (graftwire.security, PLUGIN_NAMES))
    for name, text in names.items()
    if text.lstrip().startswith("```python")
]


@pytest.mark.parametrize(
    ("module", "names", "name"),
    WITH_SIGNATURE,
    ids=[f"{module.__name__}.{name}" for module, _, name in WITH_SIGNATURE],
)
def test_signatures_are_those_of_the_code(module: ModuleType, names: dict[str, str], name: str) -> None:
    [(_, text), *_] = FENCED.findall(names[name])
    named, given = written(" ".join(text.split()))
    assert named == name
    assert given == parameters(getattr(module, name))


def test_what_can_be_called_has_a_signature() -> None:
    called = {
        name
        for name in graftwire.__all__
        if (inspect.isfunction(value := getattr(graftwire, name)) or dataclasses.is_dataclass(value))
        and not isinstance(value, graftwire.Identity)  # NOBODY
    }
    called |= {
        name
        for name in graftwire.security.__all__
        if inspect.isclass(value := getattr(graftwire.security, name)) and "__init__" in vars(value)
    }
    texts = NAMES | PLUGIN_NAMES
    assert {name for name in called if "```python" not in texts[name]} == set()


OF_PLUGINS = ["CredentialProvider", "Authenticator", "Authoriser", "AuditSink"]


@pytest.mark.parametrize("name", ["Client", "Gateway", "Remote", "Stream", "Wires", *OF_PLUGINS])
def test_members_are_those_of_the_code(name: str) -> None:
    cls = getattr(graftwire, name)
    there = {member for member in dir(cls) if not member.startswith("_")}
    if name == "Gateway":
        there.add("sessions")  # an attribute that `__init__` sets
    heads = re.findall(r"^- ((?:`[^`]+`(?:, )?)+)", NAMES[name], re.MULTILINE)
    listed = dict(written(line) for head in heads for line in re.findall(r"`(?:await )?([^`]+)`", head))
    assert set(listed) == there
    for member, given in listed.items():
        value = inspect.getattr_static(cls, member, None)
        assert (given is not None) == inspect.isfunction(value), member
        if given is not None:
            assert given == parameters(getattr(cls, member)), member


LIMITS = sections("docs/reference/limits.md", 2)


@pytest.mark.parametrize("name", ["Limits", "Timing", "Retry", "ConnectOptions", "ListenOptions"])
def test_limits_are_those_of_the_code(name: str) -> None:
    """Every number that can be set is on the page, with its default."""
    made = getattr(graftwire, name)()
    fields = (
        made.__struct_fields__ if name == "Limits" else [field.name for field in dataclasses.fields(made)]
    )
    numbers = {
        field: value
        for field in fields
        if isinstance(value := getattr(made, field), int | float) and value is not False
    }
    listed = {row[0]: row[2] for row in rows(LIMITS[name])}
    assert set(listed) == set(numbers)
    assert {field: float(text.replace(",", "")) for field, text in listed.items()} == numbers


def test_arguments_with_numbers_are_those_of_the_code() -> None:
    listed = {tuple(row[0].removesuffix(")").split("(")): row[2] for row in rows(LIMITS["Arguments"])}
    there = {
        (name, parameter): default
        for name in ("serve", "connect")
        for parameter, _, default in parameters(getattr(graftwire, name))
        if isinstance(default, int | float) and not isinstance(default, bool)
    }
    assert {key: float(text.replace(",", "")) for key, text in listed.items()} == there


def test_fixed_bounds_are_those_of_the_code() -> None:
    checked = 0
    for row in rows(LIMITS["Fixed bounds"]):
        module, _, name = row[3].strip("`").rpartition(".")
        value = getattr(importlib.import_module(f"graftwire.{module}"), name)
        assert float(row[2].replace(",", "")) == value, row
        checked += 1
    assert checked


def test_errors_are_those_of_the_code() -> None:
    """Class, number and name on the wire, and whether user code may have run."""
    listed = {
        row[0]: (row[1], row[2], row[3])
        for row in rows(sections("docs/topics/errors.md", 2)["Errors of calls"])
    }
    there = {
        name: (str(int(cls.code)), cls.code.label)
        for name in graftwire.__all__
        if inspect.isclass(cls := getattr(graftwire, name))
        and issubclass(cls, graftwire.CallError)
        and cls is not graftwire.CallError
    }
    assert {name: (number, label) for name, (number, label, _) in listed.items()} == there
    ran = {False: "no", True: "yes"}
    made = {
        name: getattr(graftwire, name)("x", "y") if name == "ApplicationError" else getattr(graftwire, name)()
        for name in there
    }
    assert {name: text.split()[0].strip(",;") for name, (_, _, text) in listed.items()} == {
        name: ran[error.ran] for name, error in made.items()
    }


def test_the_tree_of_errors_is_that_of_the_code() -> None:
    """Each exception of the public face stands below its base."""
    tree = sections("docs/topics/errors.md", 2)["The tree"]
    [(_, text)] = FENCED.findall(tree)
    path: list[str] = []
    listed: dict[str, str] = {}
    for line in text.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0]
        path[depth:] = [name]
        listed[name] = path[depth - 1] if depth else "Exception"
    there = {
        name: next(base.__name__ for base in cls.__mro__[1:])
        for name in graftwire.__all__
        if inspect.isclass(cls := getattr(graftwire, name)) and issubclass(cls, Exception)
    }
    assert listed == there
