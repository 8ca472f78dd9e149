"""The choice that callers without any proof are let in. It has to be spelled out (promise P7)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Anonymous:
    """The choice that who reaches the gateway may call it without an identity.

    As the only choice (`auth=Anonymous()` and no `allow`), anyone may call everything that is hosted: for development,
    and for links that only trusted programs reach. With `allow`, authorisers decide what callers may call, who are then
    known as `NOBODY`. It accepts no credential: a caller that sends one that no authenticator judges is refused, and
    never falls back to this.
    """
