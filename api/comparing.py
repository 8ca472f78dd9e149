"""Comparing the interface that a caller was written for with the one that is hosted (DESCRIBE-1 to DESCRIBE-3)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from graftwire.gateway.discovery import DESCRIBE
from graftwire.gateway.metadata.build import build
from graftwire.gateway.metadata.diff import Change, diff
from graftwire.gateway.metadata.encode import decode
from graftwire.gateway.metadata.model import MetadataError
from graftwire.gateway.metadata.share import shared
from graftwire.protocol.convert import converter
from graftwire.protocol.errors import CallError, Error, SessionError, ValueRefused

if TYPE_CHECKING:
    from .client import Client

_SHOWN: Final = 3  # changes that the text of an exception names
_AS_LISTED: Final = converter(list[tuple[str, str | None, bytes]])  # DESCRIBE-2


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
    try:
        listed: Any = await client.call(DESCRIBE)
    except CallError as error:
        error.add_note(
            f"{name} was to be compared with what the other side hosts, which has to allow this side {DESCRIBE}"
        )
        raise
    try:
        digests = {each: digest for each, _, digest in _AS_LISTED(listed)}
    except ValueRefused:
        raise SessionError("the list of interfaces that the other side gives can't be read") from None
    digest = digests.get(name)
    if digest is None:
        return [Change(name, "is not hosted, or may not be called", breaking=True)]
    if digest == ours.digest:
        return []
    data: Any = await client.call(DESCRIBE, digest)
    if not isinstance(data, bytes) or hashlib.sha256(data).digest() != digest:
        raise SessionError("the metadata that the other side gives are not those of the digest (DESCRIBE-3)")
    try:
        theirs = decode(data)
    except MetadataError as error:
        raise SessionError(
            f"what the other side gives for {name} is no metadata of an interface: {error.text} ({error.clause})"
        ) from None
    return diff(ours.interface, theirs)
