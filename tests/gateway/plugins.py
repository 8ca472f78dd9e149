"""Plugins for the tests: simple ones that do what they say, and a sink that keeps what it is given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import trio

import graftwire


class Keep(graftwire.AuditSink):
    """Keeps the records."""

    name = "keep"

    def __init__(self) -> None:
        self.records: list[graftwire.Record] = []

    async def write(self, record: graftwire.Record) -> None:
        await trio.lowlevel.checkpoint()
        self.records.append(record)

    @property
    def said(self) -> list[tuple[str, ...]]:
        """Of each record: what, for whom, how it was decided, by whom and why."""
        return [
            (
                each.event,
                each.target or each.scheme or "",
                each.identity or "",
                each.decision,
                each.plugin,
                each.reason,
            )
            for each in self.records
        ]


class Names(graftwire.Authenticator):
    """Takes a name as its own proof: for tests only. `seconds` is how long an identity holds."""

    name = "names"
    schemes = ("name",)

    def __init__(
        self, *known: str, seconds: float | None = None, roles: dict[str, set[str]] | None = None
    ) -> None:
        self.known = known
        self.seconds = seconds
        self.roles = roles or {}
        self.attempts: list[graftwire.Attempt] = []

    async def authenticate(self, attempt: graftwire.Attempt) -> graftwire.Identity | graftwire.Refusal:
        await trio.lowlevel.checkpoint()
        self.attempts.append(attempt)
        who = attempt.proof.decode()
        if who not in self.known:
            return graftwire.Refusal("not a known name")
        expires = None if self.seconds is None else datetime.now(UTC) + timedelta(seconds=self.seconds)
        return graftwire.Identity(
            who, attempt.scheme, issuer="tests", roles=frozenset(self.roles.get(who, ())), expires=expires
        )


class As(graftwire.CredentialProvider):
    """Proves to be `who`, in the scheme of `Names`."""

    name = "as"

    def __init__(self, who: str, seconds: float | None = None) -> None:
        self.who = who
        self.seconds = seconds
        self.occasions: list[graftwire.Occasion] = []

    async def credential(self, occasion: graftwire.Occasion) -> graftwire.Credential:
        await trio.lowlevel.checkpoint()
        self.occasions.append(occasion)
        expires = None if self.seconds is None else datetime.now(UTC) + timedelta(seconds=self.seconds)
        return graftwire.Credential("name", self.who.encode(), expires=expires)


class Only(graftwire.Authoriser):
    """Allows what `decide` gives a reason for; `seconds` is how long that holds."""

    name = "only"

    def __init__(self, decide: Callable[[graftwire.Request], str | None], seconds: float = 0.0) -> None:
        self.decide = decide
        self.seconds = seconds
        self.requests: list[graftwire.Request] = []

    async def authorise(self, request: graftwire.Request) -> graftwire.Permission | graftwire.Refusal:
        await trio.lowlevel.checkpoint()
        self.requests.append(request)
        reason = self.decide(request)
        if reason is None:
            return graftwire.Refusal("not on the list")
        return graftwire.Permission(reason, self.seconds)


class OnlyWith(Only):
    """The same, asked with the arguments too."""

    name = "only-with"
    needs_arguments = True


def everything(request: graftwire.Request) -> str | None:
    return "everything is allowed"


class Broken(
    graftwire.Authenticator, graftwire.Authoriser, graftwire.AuditSink, graftwire.CredentialProvider
):
    """Every kind of plugin at once, which does what `what` says in place of its work."""

    name = "broken"
    schemes = ("name",)

    def __init__(self, what: str) -> None:
        self.what = what

    async def _fail(self, _: object) -> Any:
        await trio.lowlevel.checkpoint()
        match self.what:
            case "raises":
                raise KeyError("a secret")
            case "hangs":
                await trio.sleep_forever()
            case "groups":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(trio.sleep_forever)
                    raise ValueError("a secret")
        return {"nothing": None, "true": True, "class": graftwire.Permission}[self.what]

    authenticate = authorise = write = credential = _fail
