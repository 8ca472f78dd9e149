from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from graftwire.protocol.errors import LinkError
from graftwire.transport import registry as registry_module
from graftwire.transport.facts import LinkFacts
from graftwire.transport.link import ConnectOptions, Link, Listener, ListenOptions, Transport
from graftwire.transport.memory import MemoryTransport, memory_pair
from graftwire.transport.network import SocketTransport, TlsTransport, WebSocketTransport
from graftwire.transport.registry import BUILT_IN, GROUP, Registry, schemes, transport_for
from graftwire.transport.url import Url, parse


class Carrier(Transport):
    """A transport as another package would bring it."""

    schemes = ("pigeon",)

    @asynccontextmanager
    async def _connect(self) -> AsyncGenerator[Link]:
        yield memory_pair("pigeon")[0]

    def connect(self, url: Url, options: ConnectOptions) -> AbstractAsyncContextManager[Link]:
        return self._connect()

    async def listen(self, url: Url, options: ListenOptions) -> Listener:
        raise NotImplementedError


instance = Carrier()
not_a_transport = LinkFacts("x", "y", "z")


def broken() -> Transport:
    raise RuntimeError("hunter2")


class Broken(Carrier):
    def __init__(self) -> None:
        raise RuntimeError("hunter2")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "carriers", sys.modules[__name__])


def registry(**points: str) -> Registry:
    return Registry(lambda: [EntryPoint(name, value, GROUP) for name, value in points.items()])


@pytest.mark.parametrize(
    ("scheme", "kind"),
    [
        ("tcp", SocketTransport),
        ("unix", SocketTransport),
        ("tls", TlsTransport),
        ("ws", WebSocketTransport),
        ("wss", WebSocketTransport),
        ("memory", MemoryTransport),
    ],
)
def test_the_built_in_ones_are_there(scheme: str, kind: type[Transport]) -> None:
    found = transport_for(scheme)
    assert type(found) is kind
    assert scheme in found.schemes
    assert transport_for(scheme) is found
    assert scheme in schemes()


@pytest.mark.parametrize("name", ["Carrier", "instance"])
def test_a_package_brings_a_class_or_an_instance(name: str) -> None:
    found = registry(pigeon=f"carriers:{name}").transport("pigeon")
    assert isinstance(found, Carrier)


def test_schemes_are_listed_without_loading_anything() -> None:
    assert registry(zeta="nowhere:X", pigeon="nowhere:X").schemes() == (*BUILT_IN, "pigeon", "zeta")


def test_a_built_in_scheme_can_not_be_taken_over() -> None:
    mine = registry(tls="carriers:Carrier")
    assert type(mine.transport("tls")) is TlsTransport
    assert mine.schemes() == tuple(BUILT_IN)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            "nowhere:X",
            (
                "the transport for the scheme pigeon can't be loaded from the package nowhere (ModuleNotFoundError); "
                "update that package or remove it"
            ),
        ),
        (
            "carriers:Missing",
            (
                "the transport for the scheme pigeon can't be loaded from the package carriers (AttributeError); "
                "update that package or remove it"
            ),
        ),
        (
            "carriers:Broken",
            (
                "the transport for the scheme pigeon can't be loaded from the package carriers (RuntimeError); "
                "update that package or remove it"
            ),
        ),
        (
            "carriers:not_a_transport",
            (
                "what the package carriers brings for the scheme pigeon is not a transport for it; "
                "update that package or remove it"
            ),
        ),
    ],
)
def test_what_can_not_be_loaded_names_its_package(value: str, sentence: str) -> None:
    with pytest.raises(LinkError) as caught:
        registry(pigeon=value).transport("pigeon")
    assert str(caught.value) == sentence


def test_a_transport_for_another_scheme_is_refused() -> None:
    with pytest.raises(LinkError, match=r"is not a transport for it"):
        registry(dove="carriers:Carrier").transport("dove")


def test_two_packages_for_one_scheme_are_named() -> None:
    points = [EntryPoint("pigeon", f"{package}:X", GROUP) for package in ("beta", "alpha")]
    with pytest.raises(LinkError) as caught:
        Registry(lambda: points).transport("pigeon")
    assert str(caught.value) == (
        "more than one transport for the scheme pigeon is installed (alpha, beta); remove all but one"
    )
    twice = Registry(lambda: [EntryPoint("pigeon", "carriers:Carrier", GROUP)] * 2)
    assert isinstance(twice.transport("pigeon"), Carrier)  # one package, found twice on sys.path


def test_an_unknown_scheme_says_so() -> None:
    with pytest.raises(LinkError) as caught:
        registry().transport("pigeon")
    assert str(caught.value) == (
        "there is no transport for the scheme pigeon; install the package that brings it"
    )


PACKAGE = """
from contextlib import asynccontextmanager
from graftwire.transport.link import Transport
from graftwire.transport.memory import memory_pair

class Dove(Transport):
    schemes = ("dove",)

    def connect(self, url, options):
        return self._connect(url)

    @asynccontextmanager
    async def _connect(self, url):
        near, far = memory_pair(url.text)
        await far.send(url.host.encode())
        await far.aclose()
        yield near

    async def listen(self, url, options):
        raise NotImplementedError
"""


async def test_an_installed_package_brings_a_transport(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A distribution as pip leaves it behind: a module, and a dist-info folder with an entry point."""
    (tmp_path / "graftwire_dove.py").write_text(PACKAGE)
    info = tmp_path / "graftwire_dove-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: graftwire-dove\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[graftwire.transports]\ndove = graftwire_dove:Dove\nhawk = nothing:X\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    monkeypatch.setattr(registry_module, "_registry", Registry())
    assert "graftwire_dove" not in sys.modules
    url = parse("dove://loft:7")
    assert "graftwire_dove" not in sys.modules  # a URL alone loads nothing
    async with transport_for("dove").connect(url, ConnectOptions()) as link:
        assert await link.receive() == b"loft"
    with pytest.raises(LinkError) as caught:
        transport_for("hawk")
    assert str(caught.value) == (
        "the transport for the scheme hawk can't be loaded from the package graftwire-dove (ModuleNotFoundError); "
        "update that package or remove it"
    )
    sys.modules.pop("graftwire_dove", None)
