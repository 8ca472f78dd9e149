"""Who may import whom: the contracts of pyproject.toml hold, and each of them would notice."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "pyproject.toml"
TOOLS: dict[str, Any] = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["tool"]
CONTRACTS: list[dict[str, Any]] = TOOLS["importlinter"]["contracts"]
BY_ID = {contract["id"]: contract for contract in CONTRACTS}

IMPURE = ("trio", "socket", "ssl", "time", "threading", "asyncio", "os.path", "random", "secrets")

# Contract, module, what it imports: each has to be found.
VIOLATIONS = [
    ("layers", "protocol/bad.py", "import graftwire.transport.good"),
    ("layers", "protocol/bad.py", "from graftwire.gateway import good"),
    ("layers", "transport/bad.py", "from graftwire.gateway import good"),
    ("layers", "transport/bad.py", "def late() -> None:\n    import graftwire.gateway.good"),
    ("layers", "gateway/bad.py", "from graftwire import client"),
    ("layers", "gateway/bad.py", "from ..client import something"),
    ("layers", "client.py", "from graftwire.cli import good"),
    ("layers", "client.py", "from graftwire.bench import good"),
    ("layers", "bench/bad.py", "from graftwire.conformance import good"),
    ("layers", "unheard.py", ""),
    *(("sans-io", "protocol/bad.py", f"import {name}") for name in IMPURE),
    ("layers-leave-the-face-alone", "gateway/bad.py", "import graftwire"),
    ("layers-leave-the-face-alone", "transport/bad.py", "from graftwire import connect"),
    ("layers-leave-the-face-alone", "protocol/deep/bad.py", "from graftwire import connect"),
    ("bench-is-an-outsider", "bench/bad.py", "from graftwire.protocol import good"),
    ("bench-is-an-outsider", "bench/bad.py", "from graftwire.transport.good import something"),
    ("bench-is-an-outsider", "bench/bad.py", "from graftwire.client import something"),
    ("conformance-is-an-outsider", "conformance/bad.py", "from graftwire.transport import good"),
    ("conformance-is-an-outsider", "conformance/bad.py", "from graftwire.gateway import good"),
    ("command-line", "__init__.py", "from graftwire.cli import good"),
    ("command-line", "gateway/bad.py", "from graftwire.cli import good"),
    ("command-line", "bench/bad.py", "import graftwire.cli"),
    ("extras", "transport/bad.py", "import typer"),
    ("extras", "client.py", "from rich import print"),
    ("extras", "gateway/bad.py", "from jwt import PyJWS"),
    ("extras", "gateway/bad.py", "import casbin"),
    ("extras", "gateway/bad.py", "def late() -> None:\n    from cryptography import x509"),
]


def check(contract: str | None, folder: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter in `folder`: in the root, the folders there would be taken for packages."""
    program = "import sys; from importlinter.cli import lint_imports_command as run; sys.exit(run())"
    arguments = ["--config", str(CONFIG), "--no-cache", "--no-logo"]
    if contract is not None:
        arguments += ["--contract", contract]
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package `graftwire` of all that the contracts name, with nothing wrong in it."""
    package = tmp_path / "tree" / "graftwire"
    package.mkdir(parents=True)
    layers = " ".join(BY_ID["layers"]["layers"]).replace("|", " ").replace(":", " ").split()
    for layer in [*layers, "protocol/deep", "spec"]:
        if (ROOT / "api" / f"{layer}.py").exists():
            (package / f"{layer}.py").touch()
            continue
        (package / layer).mkdir()
        for name in ("__init__.py", "good.py"):
            (package / layer / name).touch()
    (package / "__init__.py").write_text("from graftwire.client import connect\n", encoding="utf-8")
    return package


def test_import_contracts(tmp_path: Path) -> None:
    """Promise P12 among others: neither transport nor protocol imports who may call."""
    done = check(None, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for contract in CONTRACTS:
        assert f"{contract['name']} KEPT" in done.stdout


def test_contracts_are_kept_by_a_tree_without_fault(tmp_path: Path, tree: Path) -> None:
    done = check(None, tmp_path, tree.parent)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("contract", "module", "line"), VIOLATIONS)
def test_contract_notices(tmp_path: Path, tree: Path, contract: str, module: str, line: str) -> None:
    (tree / module).write_text(f"{line}\n", encoding="utf-8")
    done = check(contract, tmp_path, tree.parent)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{BY_ID[contract]['name']} BROKEN" in done.stdout
    importer = f"graftwire/{module}".removesuffix("/__init__.py").removesuffix(".py")
    assert importer.replace("/", ".") in done.stdout


def test_every_contract_has_been_seen_to_fail() -> None:
    assert {contract for contract, _, _ in VIOLATIONS} == set(BY_ID)
