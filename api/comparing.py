"""Comparing the interface that a caller was written for with the one that is hosted (DESCRIBE-1 to DESCRIBE-3)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from graftwire.gateway.discovery import DESCRIBE
from graftwire.gateway.metadata.build import build
from graftwire.gateway.metadata.diff import Change, diff
from graftwire.gateway.metadata.encode import decode
from graftwire.gateway.metadata.share import shared
from graftwire.protocol.errors import Error, SessionError

if TYPE_CHECKING:
    from .client import Client

_SHOWN: Final = 3  # changes that the text of an exception names


class InterfaceChanged(Error):
    """The other side hosts interfaces that calls of this side do not fit any more.

    `changes` are all of them that break calls, each with where (as in `Invoices.total`) and what; the text names the
    first few.
    """

    def __init__(self, changes: Sequence[Change]) -> None:
        told = "; ".join(f"{change.where} {change.what}" for change in changes[:_SHOWN])
        more = f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
        super().__init__(f"the other side has another version of what this side calls: {told}{more}")
        self.changes = list(changes)


async def compare(client: Client, interface: type[Any], name: str) -> list[Change]:
    """What has changed between `interface` and what the other side hosts as `name`; empty where nothing has.

    Raises InterfaceError for an interface that can't be described, CallError (Denied above all) where the other side
    does not say what it hosts, SessionError where it says what can't be right.
    """
    ours = shared(build(interface, name))
    listed: Any = await client.call(DESCRIBE)
    try:
        digests = {each: digest for each, _, digest in listed}
    except (TypeError, ValueError):
        raise SessionError("the list of interfaces that the other side gives can't be read") from None
    digest = digests.get(name)
    if digest is None:
        return [Change(name, "is not hosted, or may not be called", breaking=True)]
    if digest == ours.digest:
        return []
    data: Any = await client.call(DESCRIBE, digest)
    if not isinstance(data, bytes) or hashlib.sha256(data).digest() != digest:
        raise SessionError("the metadata that the other side gives are not those of the digest (DESCRIBE-3)")
    return diff(ours.interface, decode(data))
