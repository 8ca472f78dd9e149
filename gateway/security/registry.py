"""Finds security plugins by name: the built-in ones, and those that other packages bring.

A plugin is configured as one text, `name` or `name:text`. A package brings one with an entry point of the groups below:
its name is the plugin's, its value a class or an object. A class with a class method `from_text` is made by it, from
what follows the colon (empty where nothing does); any other class without arguments; and an object is taken as it is.
Nothing is imported before its name is asked for.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, TypeVar

from ..tables import nearest
from .errors import SecurityError
from .plugins import AuditSink, Authenticator, Authoriser, CredentialProvider, Plugin

Kind = TypeVar("Kind", bound=Plugin)

_HERE: Final = "graftwire.gateway.security"

BUILT_IN: Final[Mapping[str, Mapping[str, str]]] = {
    "graftwire.credentials": {
        "bearer": f"{_HERE}.jwt:BearerCredential",
        "api-key": f"{_HERE}.api_keys:ApiKeyCredential",
        "hmac": f"{_HERE}.hmac:HmacCredential",
        "mtls": f"{_HERE}.mtls:MtlsCredential",
    },
    "graftwire.authenticators": {
        "jwt": f"{_HERE}.jwt:JwtAuthenticator",
        "api-keys": f"{_HERE}.api_keys:ApiKeys",
        "hmac": f"{_HERE}.hmac:HmacAuthenticator",
        "mtls": f"{_HERE}.mtls:MutualTls",
    },
    "graftwire.authorisers": {
        "roles": f"{_HERE}.roles:RoleRules",
        "any-identity": f"{_HERE}.roles:AnyIdentity",
        "everyone": f"{_HERE}.roles:Everyone",
        "casbin": f"{_HERE}.casbin:CasbinAuthoriser",
    },
    "graftwire.audit_sinks": {
        "file": "graftwire.gateway.audit.file:AuditFile",
    },
}
"""The groups, and in each the plugins that are built in. None of these names can be taken over by a package."""

_KINDS: Final[Mapping[type[Plugin], tuple[str, str]]] = {
    CredentialProvider: ("graftwire.credentials", "credential provider"),
    Authenticator: ("graftwire.authenticators", "authenticator"),
    Authoriser: ("graftwire.authorisers", "authoriser"),
    AuditSink: ("graftwire.audit_sinks", "audit sink"),
}
_SHOWN: Final = re.compile(r"[a-z][a-z0-9.-]{0,23}")  # anything else may be a secret in the wrong place


def _installed(group: str) -> Iterable[EntryPoint]:
    return entry_points(group=group)


class Registry:
    """The security plugins of this installation; looks at the installed packages when a group is first asked for.

    `find` gives the entry points of a group (another source of them is for tests).
    """

    def __init__(self, find: Callable[[str], Iterable[EntryPoint]] = _installed) -> None:
        self._find = find
        self._points: dict[str, dict[str, list[EntryPoint]]] = {}

    def names(self, kind: type[Plugin]) -> tuple[str, ...]:
        """Every name of a kind of plugin: the built-in ones first, then the others in order."""
        group, _ = _KINDS[kind]
        return (*BUILT_IN[group], *sorted(self._entry_points(group)))

    def plugin(self, kind: type[Kind], text: str) -> Kind:
        """The plugin that `text` configures.

        Raises SecurityError: for a name that there is not, or that two packages bring; for what a package brings and
        can't be loaded or made, with the package and the class of the exception; and what the plugin itself raises
        about its own text.
        """
        group, what = _KINDS[kind]
        name, colon, rest = text.partition(":")
        built_in = BUILT_IN[group].get(name)
        if built_in is not None:
            module, _, attribute = built_in.partition(":")
            found: object = getattr(importlib.import_module(module), attribute)
            plugin: object = _made(found, f"the {what} {name}", rest, bool(colon))
            assert isinstance(plugin, kind)
            return plugin
        points = self._entry_points(group).get(name, [])
        if not points:
            raise self.unknown(kind, name)
        packages = sorted({_package(point) for point in points})
        if len(points) > 1:
            raise SecurityError(
                f"more than one {what} {name} is installed ({', '.join(packages)}); remove all but one"
            )
        return self._from_package(kind, points[0], packages[0], f"the {what} {name}", rest, bool(colon))

    def unknown(self, kind: type[Plugin], name: str, *more: str) -> SecurityError:
        """The error about a name that there is not; `more` are names that are known to who asks."""
        shown = f" {name}" if _SHOWN.fullmatch(name) else " of that name"
        # such as the scheme in the place of what judges it
        others = [what for group, what in _KINDS.values() if name in BUILT_IN[group]]
        if others:
            shown += f", which is {'an' if others[0][0] == 'a' else 'a'} {others[0]}"
        return SecurityError(
            f"there is no {_KINDS[kind][1]}{shown}; {nearest(name, (*more, *self.names(kind)))}"
        )

    def _from_package(
        self, kind: type[Kind], point: EntryPoint, package: str, what: str, rest: str, has_text: bool
    ) -> Kind:
        try:
            plugin = _made(point.load(), what, rest, has_text)
        except SecurityError:
            raise  # a sentence for who configures it
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # another's code runs here: whatever it raises, the package is named
            raise SecurityError(
                f"{what} can't be made by the package {package} ({type(error).__name__}); check its configuration, "
                "update that package or remove it"
            ) from error
        if not isinstance(plugin, kind):
            raise SecurityError(
                f"what the package {package} brings as {what} is none; update that package or remove it"
            )
        return plugin

    def _entry_points(self, group: str) -> dict[str, list[EntryPoint]]:
        if group not in self._points:
            found = self._points[group] = {}
            for point in self._find(group):
                if point.name not in BUILT_IN[group] and point not in found.get(point.name, ()):
                    found.setdefault(point.name, []).append(point)
        return self._points[group]


def _made(found: Any, what: str, rest: str, has_text: bool) -> object:
    if isinstance(found, type) and hasattr(found, "from_text"):
        return getattr(found, "from_text")(rest)  # noqa: B009 - there is no type that says so
    if has_text:
        raise SecurityError(f"{what} takes nothing after its name; leave out the colon and what follows it")
    return found() if isinstance(found, type) else found


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module


_registry: Final = Registry()


def check_name(kind: type[Plugin], text: str, *more: str) -> None:
    """Raises SecurityError if `text` begins with the name of no plugin of that kind, nor with one of `more`."""
    name = text.partition(":")[0]
    if name not in more and name not in _registry.names(kind):
        raise _registry.unknown(kind, name, *more)


def names(kind: type[Plugin]) -> tuple[str, ...]:
    """The names of all plugins of a kind that this installation has."""
    return _registry.names(kind)


def credential(text: str) -> CredentialProvider:
    """The credential provider that a text as `bearer:file:PATH` configures. Raises SecurityError."""
    return _registry.plugin(CredentialProvider, text)


def authenticator(text: str) -> Authenticator:
    """The authenticator that a text as `hmac:FILE` configures. Raises SecurityError."""
    return _registry.plugin(Authenticator, text)


def authoriser(text: str) -> Authoriser:
    """The authoriser that a text as `roles:FILE` configures. Raises SecurityError."""
    return _registry.plugin(Authoriser, text)


def audit_sink(text: str) -> AuditSink:
    """The audit sink that a text as `file:PATH` configures. Raises SecurityError."""
    return _registry.plugin(AuditSink, text)
