"""A folder with something to host, and certificates; what is imported from there is forgotten at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import trustme

import graftwire

MODULE = """
import graftwire
import trio


class Stock:
    async def pieces(self, part: str) -> int:
        return len(part)

    async def wait(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return "waited"

    async def who(self) -> str:
        return graftwire.current_identity().subject


class Other:
    async def number(self) -> int:
        return 7


class Marked:
    @graftwire.allow("clerk")
    async def a(self) -> int:
        return 1

    async def b(self) -> int:
        return 2


class Untyped:
    async def it(self, what):
        return what
"""
LEAST = """
[gateway]
listen = ["tcp://127.0.0.1:0"]

[security]
auth = ["anonymous"]

[modules.Stock]
load = "stock:Stock"
"""

Write = Callable[..., Path]
Load = Callable[..., graftwire.Configuration]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "stock.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def write(folder: Path) -> Write:
    """Write the configuration file, and give its path."""

    def write(text: str) -> Path:
        path = folder / "graftwire.toml"
        path.write_text(text)
        path.chmod(0o644)
        return path

    return write


@pytest.fixture
def load(write: Write) -> Load:
    """The configuration that a text says, in an environment of its own."""

    def load(text: str, environ: Mapping[str, str] | None = None, **more: object) -> graftwire.Configuration:
        return graftwire.Configuration.load(write(text), environ=environ or {}, **more)  # type: ignore[arg-type]

    return load


@pytest.fixture
def pem(folder: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, and its authority: cert.pem, key.pem, ca.pem; also other.pem, -key."""
    ca = trustme.CA()
    for name, made in (("", ca.issue_cert("127.0.0.1", "localhost")), ("other-", ca.issue_cert("127.0.0.1"))):
        made.cert_chain_pems[0].write_to_path(folder / f"{name}cert.pem")
        made.private_key_pem.write_to_path(folder / f"{name}key.pem")
        (folder / f"{name}key.pem").chmod(0o600)
    ca.cert_pem.write_to_path(folder / "ca.pem")
    return folder
