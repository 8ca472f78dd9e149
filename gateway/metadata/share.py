"""What of each hosted object may be known outside, made once when a gateway starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from graftwire.gateway.members import Untyped
from graftwire.gateway.problems import InterfaceError

from .build import build
from .encode import digest, encode
from .model import Interface


class Shared(NamedTuple):
    """The metadata of one hosted object: name and version, the bytes that are shared, and their digest."""

    name: str
    version: str | None
    digest: bytes
    encoded: bytes
    interface: Interface


def share(services: Mapping[str, object], *, allow_untyped: bool = False) -> dict[str, Shared]:
    """The metadata of hosted objects by the names that they are hosted under, as `serve` takes them.

    Raises InterfaceError with everything that is wrong, in all of them.
    """
    found: dict[str, Shared] = {}
    problems: list[str] = []
    for name, given in services.items():
        hosted = given.hosted if isinstance(given, Untyped) else given
        cls, instance = (hosted, False) if isinstance(hosted, type) else (type(hosted), True)
        try:
            interface = build(
                cls, name, allow_untyped=allow_untyped or isinstance(given, Untyped), instance=instance
            )
        except InterfaceError as error:
            problems += error.problems
            continue
        found[name] = shared(interface)
    if problems:
        raise InterfaceError(*dict.fromkeys(problems))
    return found


def shared(interface: Interface) -> Shared:
    """An interface with its bytes and its digest."""
    encoded = encode(interface)
    return Shared(interface.name, interface.version, digest(encoded), encoded, interface)
