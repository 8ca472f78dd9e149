"""Asking the plugins of a receiver, each in its turn and its time; whatever goes wrong with one is a refusal."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

import trio

from graftwire.protocol.errors import CallError, Denied, ErrorCode, Unauthenticated
from graftwire.protocol.limits import LARGEST_PROOF, LARGEST_SCHEME

from ..audit.trail import Trail
from .anonymous import Anonymous
from .asking import NOT_ITS_OWN, PluginFailed, ask, place_of
from .errors import SecurityChoiceMissing, SecurityError
from .identity import LONGEST_NAME, NOBODY, Identity, Standing, is_name
from .plugins import (
    Attempt,
    AuditSink,
    Authenticator,
    Authoriser,
    Challenge,
    Permission,
    Plugin,
    Refusal,
    Request,
)

_log: Final = logging.getLogger("graftwire.gateway")

SCHEME: Final = re.compile(rf"[a-z0-9.-]{{1,{LARGEST_SCHEME}}}")  # clause AUTH-8

SECONDS: Final = 5.0  # that a plugin gets for one answer, unless told otherwise

Auth = Anonymous | Authenticator
"""What `auth=` takes: a choice of who may call."""

_ANONYMOUS: Final = Standing(NOBODY, "anonymous")
_Answer = TypeVar("_Answer")
_One = TypeVar("_One")


class Refused(Exception):
    """A decision against: what the other side is told, and who decided it, and why."""

    def __init__(self, code: ErrorCode, plugin: str, reason: str) -> None:
        super().__init__(code.label)
        self.code = code
        self.plugin = plugin
        self.reason = reason

    @property
    def error(self) -> CallError:
        """What the other side is told."""
        return Denied() if self.code is ErrorCode.DENIED else Unauthenticated()


def listed(given: _One | Sequence[_One] | None) -> tuple[_One, ...]:
    """What was given as one thing, or as several in their order."""
    if given is None:
        return ()
    return tuple(cast("Sequence[_One]", given)) if isinstance(given, list | tuple) else (cast("_One", given),)


async def get_ready(plugins: Iterable[Plugin], seconds: float) -> None:
    """Let plugins get ready, each in its time. Raises SecurityError."""
    for plugin in plugins:
        try:
            await ask(_start, plugin, seconds, passing=(SecurityError,))
        except PluginFailed as failed:
            raise SecurityError(
                f"the plugin {plugin.label} was not ready within {seconds:g} s"
                if failed.place is None
                else f"the plugin {plugin.label} could not get ready: {failed.place}; look there"
            ) from None


class Guard:
    """The plugins of a receiver: who may call it, and what.

    `auth` are the choices of who is let in; `allow` the authorisers, all of which have to allow a call; `audit` where
    the records go. `seconds` is what each plugin gets for an answer. `plain_proofs`: proofs are also taken over links
    that do not protect them (clause AUTH-10).

    Raises SecurityChoiceMissing where authenticators are given and nobody says what those whom they know may call,
    SecurityError for what is no plugin, and for two authenticators of one scheme.
    """

    def __init__(
        self,
        auth: Auth | Sequence[Auth] | None = None,
        allow: Authoriser | Sequence[Authoriser] | None = None,
        audit: Trail | AuditSink | Sequence[AuditSink] | None = None,
        *,
        seconds: float = SECONDS,
        plain_proofs: bool = False,
    ) -> None:
        choices = listed(auth)
        self._authenticators = _by_scheme(choices)
        self._authorisers = _checked(listed(allow), Authoriser, "allow")
        self.seconds = seconds
        self._plain_proofs = plain_proofs
        self.trail = audit if isinstance(audit, Trail) else Trail(listed(audit), seconds=seconds)
        self.lets_anonymous_in = any(isinstance(choice, Anonymous) for choice in choices)
        self.needs_arguments = any(each.needs_arguments for each in self._authorisers)
        if self._authenticators and not self._authorisers:
            raise SecurityChoiceMissing(
                "nobody has said what those who are let in may call: add allow=graftwire.AnyIdentity() to let every "
                "authenticated caller call everything, or another authoriser"
            )

    @property
    def stranger(self) -> Standing | None:
        """What is known of a side that has proved nothing."""
        return _ANONYMOUS if self.lets_anonymous_in else None

    @property
    def asks_nobody(self) -> bool:
        """Whether a call is decided without any plugin, and nobody wants a record of what was allowed."""
        return not (self._authenticators or self._authorisers or self.trail.wanted)

    async def start(self) -> None:
        """Let all plugins get ready. Raises SecurityError."""
        # by what they are: two of them may be equal, and need not have a hash
        each = {id(authenticator): authenticator for authenticator in self._authenticators.values()}
        await get_ready(
            (*each.values(), *self._authorisers, *self.trail.sinks),
            self.seconds,
        )

    def may_withdraw(self, standing: Standing) -> bool:
        """Whether an identity can stop to count before it expires."""
        authenticator = self._authenticators.get(standing.identity.scheme)
        return authenticator is not None and type(authenticator).withdrawn is not Authenticator.withdrawn

    def check_current(self, standing: Standing) -> None:
        """Raises Refused for an identity that has expired, or that its authenticator counts no more."""
        if standing.until <= trio.current_time():
            raise Refused(ErrorCode.UNAUTHENTICATED, standing.voucher, "the identity has expired")
        authenticator = self._authenticators.get(standing.identity.scheme)
        if standing is _ANONYMOUS:
            if not self.lets_anonymous_in:
                raise Refused(ErrorCode.UNAUTHENTICATED, "none", "anonymous callers are let in no more")
            return
        if standing.judge is not None and standing.judge is not authenticator:
            reason = "the authenticator that this identity came from is there no more"
            raise Refused(ErrorCode.UNAUTHENTICATED, standing.voucher, reason)
        if authenticator is None:
            return
        try:
            reason: object = authenticator.withdrawn(standing.identity)
        except NOT_ITS_OWN:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a plugin raises, it is no pass
            _log.error("the plugin %s failed: %s", authenticator.label, place_of(error))
            reason = f"the plugin raised {type(error).__name__}"
        if isinstance(reason, str):
            raise Refused(ErrorCode.UNAUTHENTICATED, authenticator.label, reason)
        if reason is not None:
            raise _no_answer(authenticator, reason, ErrorCode.UNAUTHENTICATED)

    def voucher(self, scheme: str) -> str:
        """Who judges proofs of a scheme, as the audit log calls it."""
        authenticator = self._authenticators.get(scheme)
        return "none" if authenticator is None else authenticator.label

    async def identify(self, attempt: Attempt) -> Standing | Challenge:
        """Judge a proof. Raises Refused."""
        if not (attempt.facts.confidential or self._plain_proofs):
            raise Refused(
                ErrorCode.UNAUTHENTICATED,
                "link",
                "a proof came over a link that does not protect it, and plain_proofs is not set",
            )
        authenticator = self._authenticators.get(attempt.scheme)
        if authenticator is None:
            raise Refused(ErrorCode.UNAUTHENTICATED, "none", "there is no authenticator for this scheme")
        answer = await self._ask(
            authenticator, authenticator.authenticate, attempt, ErrorCode.UNAUTHENTICATED
        )
        try:
            match answer:
                case Identity():
                    return _standing(answer, attempt.scheme, authenticator.label, authenticator)
                case Challenge():
                    return _challenge(answer, attempt, authenticator)
                case _:
                    raise _no(authenticator, answer, ErrorCode.UNAUTHENTICATED)
        except Refused:
            raise
        except Exception:  # noqa: BLE001 - an answer of the right class, with something else in it
            raise _no_answer(authenticator, answer, ErrorCode.UNAUTHENTICATED) from None

    async def authorise(self, request: Request) -> tuple[str, Permission]:
        """Ask the authorisers whether a call may be made; with arguments only those that need them.

        Returns who allowed it and why. Raises Refused.
        """
        asked = [each for each in self._authorisers if request.arguments is None or each.needs_arguments]
        if not asked:
            return "anonymous", Permission("anonymous callers may call everything")
        reasons: list[str] = []
        seconds = math.inf
        for authoriser in asked:
            answer = await self._ask(authoriser, authoriser.authorise, request, ErrorCode.DENIED)
            permission = _permission(authoriser, answer)
            if permission.reason:
                said = permission.reason
                reasons.append(said if len(asked) == 1 else f"{authoriser.label}: {said}")
            seconds = min(seconds, permission.seconds)
        return ", ".join(each.label for each in asked), Permission("; ".join(reasons), seconds)

    async def _ask(
        self, plugin: Plugin, question: Callable[[Any], Awaitable[_Answer]], about: Any, code: ErrorCode
    ) -> _Answer:
        """A plugin's answer, in its time. Raises Refused for none."""
        try:
            return await ask(question, about, self.seconds)
        except PluginFailed as failed:
            _log.error("the plugin %s %s", plugin.label, failed.detail)
            raise Refused(code, plugin.label, f"the plugin {failed.reason}") from None


async def _start(plugin: Plugin) -> None:
    await plugin.start()


def _no(plugin: Plugin, answer: object, code: ErrorCode) -> Refused:
    if not isinstance(answer, Refusal):
        return _no_answer(plugin, answer, code)
    reason = cast("object", answer.reason)
    return Refused(code, plugin.label, reason if isinstance(reason, str) and reason else "it gave no reason")


def _no_answer(plugin: Plugin, answer: object, code: ErrorCode) -> Refused:
    what = type(answer).__name__
    _log.error("the plugin %s gave a %s, which is no answer", plugin.label, what)
    return Refused(code, plugin.label, f"the plugin gave a {what}, which is no answer")


def _permission(authoriser: Authoriser, answer: object) -> Permission:
    """What an authoriser allows, as it is meant to be. Raises Refused for everything else."""
    if not isinstance(answer, Permission):
        raise _no(authoriser, answer, ErrorCode.DENIED)
    try:
        reason, seconds = cast("tuple[object, object]", (answer.reason, answer.seconds))
        if isinstance(reason, str) and isinstance(seconds, int | float) and not math.isnan(seconds):
            return Permission(reason, seconds)
    except Exception:  # noqa: BLE001, S110 - a class of its own, made from Permission
        pass
    raise _no_answer(authoriser, answer, ErrorCode.DENIED)


def _challenge(answer: Challenge, attempt: Attempt, authenticator: Authenticator) -> Challenge:
    """A challenge that can be sent. Raises Refused."""
    if attempt.single_call:
        reason = "its scheme needs a challenge, which the credential of a call can't have"
    elif len(answer.data) > LARGEST_PROOF:
        reason = "its challenge is larger than a frame takes"
    else:
        return Challenge(bytes(memoryview(answer.data)), answer.memory)
    raise Refused(ErrorCode.UNAUTHENTICATED, authenticator.label, reason)


def _standing(identity: Identity, scheme: str, voucher: str, judge: Authenticator) -> Standing:
    """What an authenticator found, with its end on the clock that calls are timed by. Raises Refused."""
    if not is_name(identity.subject) or not isinstance(identity.issuer, str):  # pyright: ignore[reportUnnecessaryIsInstance] - a plugin's mistake
        reason = (
            f"its subject is no text of 1 to {LONGEST_NAME} printable characters, or its issuer is no text"
        )
        raise Refused(ErrorCode.UNAUTHENTICATED, voucher, reason)
    until = math.inf
    if identity.expires is not None:
        left = (identity.expires - datetime.now(UTC)).total_seconds()
        if left <= 0:
            raise Refused(ErrorCode.UNAUTHENTICATED, voucher, "the identity has expired")
        until = trio.current_time() + left
    if identity.scheme != scheme:
        identity = replace(identity, scheme=scheme)
    return Standing(identity, voucher, until, judge)


def _by_scheme(choices: Sequence[object]) -> dict[str, Authenticator]:
    found: dict[str, Authenticator] = {}
    for choice in choices:
        if isinstance(choice, Anonymous):
            continue
        [authenticator] = _checked((choice,), Authenticator, "auth")
        for scheme in _schemes(authenticator):
            if scheme in found:
                raise SecurityError(
                    f"two authenticators judge the scheme {scheme} ({found[scheme].label} and {authenticator.label}); "
                    "leave one of them out"
                )
            found[scheme] = authenticator
    return found


def _schemes(authenticator: Authenticator) -> Sequence[str]:
    found: object = getattr(authenticator, "schemes", None)
    schemes = cast("Sequence[object]", found) if isinstance(found, list | tuple) else ()
    if schemes and all(isinstance(scheme, str) and SCHEME.fullmatch(scheme) for scheme in schemes):
        return cast("Sequence[str]", schemes)
    raise SecurityError(
        f"the authenticator {authenticator.label} has no schemes that a proof could have; give it some, as in schemes "
        '= ("voucher.example.com",)'
    )


def _checked(given: Sequence[object], kind: type[_One], option: str) -> tuple[_One, ...]:
    for each in given:
        if not isinstance(each, kind):
            what = each.__name__ if isinstance(each, type) else type(each).__name__
            remedy = (
                "; make one, as in " + what + "(…)"
                if isinstance(each, type) and issubclass(each, kind)
                else ""
            )
            raise SecurityError(f"{option}= takes {kind.__name__}s, and {what} is none{remedy}")
    return cast("tuple[_One, ...]", tuple(given))
