"""Which transport serves which scheme: the built-in ones, and those that other packages bring.

A package brings a transport with an entry point of the group `graftwire.transports`: its name is the scheme,
its value a `Transport` class that needs no arguments, or an instance. Nothing is imported before its scheme
is used.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from graftwire.protocol.errors import LinkError

from .link import Transport

GROUP: Final = "graftwire.transports"

BUILT_IN: Final = {
    "tcp": "graftwire.transport.network:SocketTransport",
    "tls": "graftwire.transport.network:TlsTransport",
    "ws": "graftwire.transport.network:WebSocketTransport",
    "wss": "graftwire.transport.network:WebSocketTransport",
    "unix": "graftwire.transport.network:SocketTransport",
    "memory": "graftwire.transport.memory:MemoryTransport",
}


def _installed() -> Iterable[EntryPoint]:
    return entry_points(group=GROUP)


class Registry:
    """The transports of this installation; looks at the installed packages once, when it is first asked.

    `find` gives the entry points (another source of them is for tests). A scheme that is built in can't be
    taken over by a package.
    """

    def __init__(self, find: Callable[[], Iterable[EntryPoint]] = _installed) -> None:
        self._find = find
        self._plugins: dict[str, list[EntryPoint]] | None = None
        self._transports: dict[str, Transport] = {}

    def schemes(self) -> tuple[str, ...]:
        """Every scheme that there is a transport for: the built-in ones first, then the others by name."""
        return (*BUILT_IN, *sorted(self._entry_points()))

    def transport(self, scheme: str) -> Transport:
        """The transport for `scheme`.

        Raises LinkError if there is none, if two packages bring it, or if what a package brings can't be
        loaded; the sentence names the package.
        """
        if scheme not in self._transports:
            self._transports[scheme] = self._load(scheme)
        return self._transports[scheme]

    def _entry_points(self) -> dict[str, list[EntryPoint]]:
        if self._plugins is None:
            self._plugins = {}
            for point in self._find():
                if point.name not in BUILT_IN and point not in self._plugins.get(point.name, ()):
                    self._plugins.setdefault(point.name, []).append(point)
        return self._plugins

    def _load(self, scheme: str) -> Transport:
        if scheme in BUILT_IN:
            module, _, name = BUILT_IN[scheme].partition(":")
            return getattr(importlib.import_module(module), name)()
        points = self._entry_points().get(scheme, [])
        if not points:
            raise LinkError(
                f"there is no transport for the scheme {scheme}; install the package that brings it"
            )
        packages = sorted({_package(point) for point in points})
        if len(points) > 1:
            raise LinkError(
                f"more than one transport for the scheme {scheme} is installed ({', '.join(packages)}); "
                "remove all but one"
            )
        return _from_package(scheme, packages[0], points[0])


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module


def _from_package(scheme: str, package: str, point: EntryPoint) -> Transport:
    try:
        found: object = point.load()
        transport: object = found() if isinstance(found, type) else found
    except (
        Exception
    ) as error:  # it is another's code that runs here: whatever it raises, the package is named
        raise LinkError(
            f"the transport for the scheme {scheme} can't be loaded from the package {package} "
            f"({type(error).__name__}); update that package or remove it"
        ) from error
    if not isinstance(transport, Transport) or scheme not in transport.schemes:
        raise LinkError(
            f"what the package {package} brings for the scheme {scheme} is not a transport for it; "
            "update that package or remove it"
        )
    return transport


_registry: Final = Registry()


def schemes() -> tuple[str, ...]:
    """Every scheme that this installation has a transport for."""
    return _registry.schemes()


def transport_for(scheme: str) -> Transport:
    """The transport of this installation for `scheme`; raises LinkError as `Registry.transport` does."""
    return _registry.transport(scheme)
