"""What a user installs: the wheel and the sdist hold what they should, and nothing beside it."""

from __future__ import annotations

import ast
import configparser
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = (
    "api",
    "bench",
    "docs",
    "examples",
    "gateway",
    "newsfragments",
    "protocol",
    "spec",
    "tests",
    "transport",
)
STANDARD = {"PROTOCOL.md", "METADATA.md", "PROMISES.md", "frames.cddl", "metadata.cddl"}
# Where a package's folder is not named after it.
MOVED = {"api": "graftwire", "spec/conformance": "graftwire/conformance"}
# Brought by an extra, or not ours to bring: names of imports.
OPTIONAL = {"casbin", "cddl_verifier", "cryptography", "jwt", "rich", "truststore", "typer", "trustme"}
PIP = (
    sys.executable,
    "-m",
    "pip",
    "--disable-pip-version-check",
    "install",
    "--quiet",
    "--no-index",
    "--no-deps",
)
DISTRIBUTIONS = {"trio_websocket": "trio-websocket"}


def run(*command: object, cwd: Path) -> str:
    """Run a program; what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def python(cwd: Path, where: Path, program: str, *, processed: bool = False) -> str:
    """Run a program that finds `graftwire` in `where` alone, and what it needs where this Python has it.

    `processed` also reads the `.pth` files in `where`, which is what an editable install consists of.
    """
    libraries = sysconfig.get_paths()["purelib"]
    add = f"site.addsitedir({str(where)!r})" if processed else f"sys.path.append({str(where)!r})"
    start = f"import site, sys; {add}; sys.path.append({libraries!r})\n"
    return run(sys.executable, "-I", "-S", "-W", "error", "-c", start + program, cwd=cwd)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository: building leaves things behind."""
    copy = tmp_path_factory.mktemp("source")
    for folder in (*FOLDERS, ".ci"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*_cache")
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith(".coverage"):
            shutil.copy(path, copy)
    return copy


@pytest.fixture(scope="session")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist and the wheel, which is made from the sdist."""
    folder = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source, cwd=folder)
    return folder


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def in_wheel(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="session")
def in_sdist(built: Path) -> set[str]:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel was installed, without what it needs."""
    target = tmp_path_factory.mktemp("installed")
    run(*PIP, "--no-compile", "--target", target, wheel, cwd=target)
    return target


@pytest.fixture(scope="session")
def metadata(wheel: Path, in_wheel: set[str]) -> dict[str, list[str]]:
    """The wheel's metadata: each field and its values."""
    (name,) = (each for each in in_wheel if each.endswith(".dist-info/METADATA"))
    with zipfile.ZipFile(wheel) as archive:
        message = HeaderParser().parsestr(archive.read(name).decode())
    return {field: [str(value) for value in message.get_all(field, [])] for field in message}


def modules() -> dict[str, Path]:
    """Every module that is ours to install: its path in the package, and in the repository."""
    found: dict[str, Path] = {}
    for folder in ("api", "bench", "gateway", "protocol", "spec/conformance", "transport"):
        inside = MOVED.get(folder, f"graftwire/{folder}")
        for path in (ROOT / folder).rglob("*.py"):
            found[f"{inside}/{path.relative_to(ROOT / folder).as_posix()}"] = path
    found["graftwire/spec/__init__.py"] = ROOT / "spec" / "__init__.py"
    return found


def vectors() -> set[str]:
    return {path.name for path in (ROOT / "spec" / "vectors").iterdir()}


def standard() -> set[str]:
    """The pages and the grammar of the standard, as paths in their folder; the vectors, too."""
    pages = {path.name for path in (ROOT / "spec").iterdir() if path.suffix in (".md", ".cddl")}
    return pages | {f"vectors/{name}" for name in vectors()}


# ---------------------------------------------------------------- the wheel


def test_nothing_but_graftwire_lands_in_site_packages(in_wheel: set[str], installed: Path) -> None:
    version = next(name for name in in_wheel if name.endswith(".dist-info/METADATA")).partition("/")[0]
    assert {name.partition("/")[0] for name in in_wheel} == {"graftwire", version}
    # pip puts the script beside them where it installs into a folder.
    assert {path.name for path in installed.iterdir()} == {"graftwire", version, "bin"}


def test_wheel_has_every_module_and_no_other(in_wheel: set[str]) -> None:
    assert {name for name in in_wheel if name.endswith(".py")} == set(modules())


def test_wheel_has_the_standard(in_wheel: set[str]) -> None:
    other = {name for name in in_wheel if name.startswith("graftwire/") and not name.endswith(".py")}
    assert vectors() > {"README.md"}  # what is in them, without which nobody could read them
    assert standard() >= STANDARD
    assert other == {
        "graftwire/py.typed",
        "graftwire/conformance/TARGETS.md",  # for those who write a target
        "graftwire/conformance/clauses.toml",  # what --clauses says of clauses that have no case
        *(f"graftwire/spec/{name}" for name in standard()),
    }


def test_wheel_imports(installed: Path, tmp_path: Path) -> None:
    """Every module imports, with warnings as errors, but those that run or that need an extra's libraries."""
    names = sorted(name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in modules())
    wanted = [name for name in names if not name.endswith(("__main__", ".grpcio_sync"))]
    program = f"""
import importlib, graftwire
for name in {wanted!r}: importlib.import_module(name)
print(graftwire.__file__)
"""
    assert Path(python(tmp_path, installed, program).strip()) == installed / "graftwire" / "__init__.py"


def test_standard_is_readable_where_it_is_installed(installed: Path, tmp_path: Path) -> None:
    program = """
from importlib.resources import files
standard = files("graftwire.spec")
print(len((standard / "PROTOCOL.md").read_bytes()))
print(*sorted(each.name for each in (standard / "vectors").iterdir()))
"""
    size, names = python(tmp_path, installed, program).splitlines()
    assert int(size) == (ROOT / "spec" / "PROTOCOL.md").stat().st_size
    assert set(names.split()) == vectors()


def test_command_is_declared(wheel: Path, in_wheel: set[str]) -> None:
    (name,) = (each for each in in_wheel if each.endswith(".dist-info/entry_points.txt"))
    found = configparser.ConfigParser()
    with zipfile.ZipFile(wheel) as archive:
        found.read_string(archive.read(name).decode())
    assert {section: dict(found[section]) for section in found.sections()} == {
        "console_scripts": {"graftwire": "graftwire.cli:main"}
    }


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_command_without_its_extra_says_what_to_install(
    installed: Path, tmp_path: Path, missing: str
) -> None:
    program = f"""
import contextlib, io
sys.modules[{missing!r}] = None
from graftwire.cli import main
with contextlib.redirect_stderr(io.StringIO()) as said:
    code = main([])
print(code, said.getvalue())
"""
    code, _, said = python(tmp_path, installed, program).strip().partition(" ")
    assert int(code) != 0
    assert said.count("\n") == 0
    assert 'pip install "graftwire[cli]"' in said


# ---------------------------------------------------------------- what it needs


def test_metadata(metadata: dict[str, list[str]]) -> None:
    assert metadata["Name"] == ["graftwire"]
    assert metadata["Requires-Python"] == [">=3.11"]
    assert metadata["License-Expression"] == ["Apache-2.0"]
    assert {"cli", "system-trust", "test", "lint", "dev"} <= set(metadata["Provides-Extra"])


def core_needs(metadata: dict[str, list[str]]) -> set[str]:
    """The distributions that are installed without any extra."""
    needs = {need for need in metadata["Requires-Dist"] if "extra ==" not in need}
    return {re.split(r"[^A-Za-z0-9_-]", need, maxsplit=1)[0] for need in needs}


def test_core_needs_no_more_than_was_agreed(metadata: dict[str, list[str]]) -> None:
    """Promise P19: one more needs its reason in the changelog, and its name here."""
    assert core_needs(metadata) == {"trio", "trio-websocket", "wsproto", "h11", "cbor2", "certifi", "msgspec"}


def imported(path: Path) -> set[str]:
    """The top-level names that a module imports, anywhere in it, from outside its package."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"graftwire"}


def test_what_the_library_imports_is_what_it_declares(metadata: dict[str, list[str]]) -> None:
    library = [path for name, path in modules().items() if not name.startswith("graftwire/bench")]
    used = {DISTRIBUTIONS.get(name, name) for path in library for name in imported(path)}
    assert used - OPTIONAL == core_needs(metadata)


# ---------------------------------------------------------------- the sdist


def test_sdist_has_what_builds_tests_and_explains(in_sdist: set[str]) -> None:
    assert {
        "LICENSE", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "Makefile",
        "pyproject.toml", "setup.cfg", "setup.py", "api/py.typed", ".ci/run", "tests/test_packaging.py",
        "spec/make_vectors.py", *(f"spec/{name}" for name in standard()),
    } <= in_sdist  # fmt: skip
    assert {path.relative_to(ROOT).as_posix() for path in modules().values()} <= in_sdist


def test_what_the_manifest_names_is_there() -> None:
    lines = (line.split() for line in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines())
    named = [name for command, *names in lines if command in ("include", "graft") for name in names]
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.external("git")
def test_sdist_has_every_file_of_the_repository(in_sdist: set[str]) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout of the repository")
    tracked = run("git", "ls-files", "-z", cwd=ROOT).split("\0")
    assert {name for name in tracked if name and (ROOT / name).exists()} <= in_sdist


# ---------------------------------------------------------------- editable


@pytest.mark.parametrize("mode", ["lenient", "strict"])
def test_editable_install_imports(source: Path, tmp_path: Path, mode: str) -> None:
    copy = (tmp_path / "copy").resolve()
    shutil.copytree(source, copy)
    # --ignore-installed: a prefix alone does not keep pip from removing what this Python has.
    options = ("--no-build-isolation", "--ignore-installed", "--prefix", tmp_path / "prefix")
    run(*PIP, *options, "--config-settings", f"editable_mode={mode}", "--editable", copy, cwd=tmp_path)
    (where,) = (tmp_path / "prefix").rglob("site-packages")
    program = """
import graftwire, graftwire.cli, graftwire.transport.session, graftwire.bench.systems, graftwire.conformance
from importlib.resources import files
from importlib.util import find_spec
print((files("graftwire.spec") / "PROTOCOL.md").is_file(), (files("graftwire") / "py.typed").is_file())
for name in ("graftwire", "graftwire.protocol", "graftwire.spec"):
    print(find_spec(name).origin)
print([find_spec(name) for name in ("api", "transport", "protocol", "gateway", "bench", "spec")])
"""
    data, *origins, top_level = python(tmp_path, where, program, processed=True).splitlines()
    assert data == "True True"
    expected = [copy / folder / "__init__.py" for folder in ("api", "protocol", "spec")]
    assert [Path(origin).resolve() for origin in origins] == expected
    assert top_level == str([None] * 6)
