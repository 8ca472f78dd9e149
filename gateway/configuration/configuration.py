"""The configuration of a gateway: read, checked, and not yet acted upon."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from graftwire.protocol.limits import Limits
from graftwire.transport.link import Network
from graftwire.transport.url import Url, UrlError, parse
from graftwire.transport.watch import Timing

from ..security.registry import BUILT_IN
from .errors import ConfigurationError
from .layers import Given, Layers, Module, gather
from .schema import KEYS

if TYPE_CHECKING:
    from .serving import ConfiguredGateway

ANONYMOUS: Final = "anonymous"
ROLES: Final = "roles"
"""Alone, it stands for the rules that are written beside the methods."""

_OF_FILES: Final = {name for group in BUILT_IN.values() for name in group}


@dataclass(frozen=True)
class Configuration:
    """What a gateway hosts, for whom, where and how; made by `load`, and served by `serve`.

    `file` is the file that it came from, if there is one; `modules` are what is hosted.
    """

    file: str | None
    modules: tuple[Module, ...]
    given: Mapping[str, Given]

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, object] | None = None,
        services: tuple[str, ...] = (),
    ) -> Configuration:
        """Read the file at `path` (none if None), and what overrides it.

        `environ` is the environment, that of this process if None, whose variables override the file; `overrides`
        (values by the whole names of their keys, as `gateway.drain`) override both, and `services` what is hosted, in
        texts as `graftwire serve` takes them. Nothing that it names is opened or imported yet. Raises
        ConfigurationError.
        """
        environ = os.environ if environ is None else environ
        file = None if path is None else os.fspath(path)
        layers: Layers = gather(file, environ, overrides or {}, services)
        return cls(file, layers.modules, layers.given)

    def serve(self) -> AbstractAsyncContextManager[ConfiguredGateway]:
        """Host all of it for as long as the block runs; as `graftwire.serve` does, which says how that ends.

        In this process alone: `workers` above 1 is for the command `graftwire serve`. Raises
        ConfigurationError, or InterfaceError for what can't be hosted, and leaves nothing half started.
        """
        from .serving import serve

        return serve(self)

    def value(self, path: str) -> object:
        """The value of a key, by its whole name, or its default."""
        given = self.given.get(path)
        return KEYS[path].default if given is None else given.value

    def texts(self, path: str) -> tuple[str, ...]:
        """The value of a key that takes a list."""
        return cast("tuple[str, ...]", self.value(path))

    def number(self, path: str) -> float:
        """The value of a key that takes seconds."""
        return cast("float", self.value(path))

    def count(self, path: str) -> int:
        """The value of a key that takes a whole number."""
        return cast("int", self.value(path))

    def switch(self, path: str) -> bool:
        """The value of a key that takes true or false."""
        return bool(self.value(path))

    def file_of(self, path: str) -> str | None:
        """The value of a key that takes a path, which begins where it was said."""
        given = self.given.get(path)
        return None if given is None else joined(given.folder, cast("str", given.value))

    def plugins(self, path: str) -> tuple[str, ...]:
        """The texts of plugins; the files of built-in ones begin where they were said."""
        folder = self.folder(path)
        return tuple(_plugin(text, folder) for text in self.texts(path))

    def folder(self, path: str) -> str | None:
        """Where relative paths of a key begin."""
        given = self.given.get(path)
        return None if given is None else given.folder

    def at(self, path: str) -> str:
        """What stands before a sentence about a key: the file and the line; nothing for a flag."""
        given = self.given.get(path)
        flagged = given is None or (not given.place and given.name.startswith("--"))
        return "" if given is None or flagged else given.before

    def told(self, path: str) -> str:
        """The same, with the name of the flag."""
        given = self.given.get(path)
        return "" if given is None else given.before

    def remedy(self, flags: str, file: str) -> str:
        """How to say something: by flags where there is no file."""
        return flags if self.file is None else file

    @property
    def urls(self) -> list[Url]:
        """Where to listen. Raises ConfigurationError."""
        found: list[Url] = []
        for text in self.texts("gateway.listen"):
            try:
                found.append(parse(text))
            except UrlError as error:
                raise ConfigurationError(f"{self.at('gateway.listen')}{error}") from None
        return found

    @property
    def proofs(self) -> list[str]:
        """The authenticators among the choices of who may call."""
        return [text for text in self.texts("security.auth") if text != ANONYMOUS]

    @property
    def limits(self) -> Limits:
        """What each session takes. Raises ConfigurationError."""
        names = Limits.__struct_fields__
        try:
            return Limits(**{name: self.count(_key("gateway.limits", name)) for name in names})
        except ValueError as error:
            path = "gateway.limits.largest-frame"
            if path not in self.given:
                path = "gateway.limits.unfinished-body-bytes"
            sentence = str(error).replace("_", "-")
            raise ConfigurationError(f"{self.at(path)}{sentence}") from None

    @property
    def timing(self) -> Timing:
        """How long sessions wait."""
        return Timing(
            opening=self.number("gateway.timing.opening"),
            farewell=self.number("gateway.timing.farewell"),
            stalled=self.number("gateway.timing.stalled"),
            slow=self.number("gateway.timing.slow"),
            rate=self.count("gateway.timing.rate"),
        )

    @property
    def proxies(self) -> tuple[Network, ...]:
        """The networks that have to speak the PROXY protocol. Raises ConfigurationError."""
        path = "gateway.proxy-protocol.sources"
        try:
            return tuple(ipaddress.ip_network(text) for text in self.texts(path))
        except ValueError:
            raise self.given[path].wrong(
                'has to be networks, as in ["10.0.0.0/8", "::1"]; no bit beyond the prefix may be set'
            ) from None


def joined(folder: str | None, path: str) -> str:
    """A path that begins at a folder, where it is relative."""
    return os.path.join(folder, path) if folder and path else path


def _plugin(text: str, folder: str | None) -> str:
    name, colon, rest = text.partition(":")
    if not folder or not rest or name not in _OF_FILES:
        return text
    return name + colon + ",".join(joined(folder, part) for part in rest.split(","))


def _key(section: str, name: str) -> str:
    return f"{section}.{name.replace('_', '-')}"
