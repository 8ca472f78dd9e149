"""A run: instances played side by side against targets that are started when they are needed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import msgspec
import trio

from . import certificates
from .cases import CASES
from .coverage import coverage
from .errors import HarnessError, TargetEnded
from .launch import FEATURES
from .playing import Instance, Playing, told_outcomes
from .reading import prepare
from .results import CaseResult, RunResult, Verdict
from .roles import Link, Role
from .secrecy import Secrecy
from .selecting import KnownFailures, Selection
from .setups import Secrets
from .targets import Attached, Target, Targets, World
from .tasks import unwrapping

JOBS: Final = 12  # instances at a time: most of them wait for the target, or for a bound of time

_WORST: Final = (Verdict.ERRORED, Verdict.FAILED, Verdict.NOT_IMPLEMENTED, Verdict.PASSED)

OnResult = Callable[[CaseResult], None]
OnBegin = Callable[[Instance], None]


@dataclass(frozen=True)
class Options:
    """What a run is to be: `command` starts targets, or `url` names one that runs, `authority` being its CA file."""

    selection: Selection = field(default_factory=Selection)
    command: Sequence[str] = ()
    url: str | None = None
    authority: Path | None = None
    jobs: int = JOBS
    repeat: int = 1
    known: KnownFailures = field(default_factory=KnownFailures)
    implements: frozenset[str] | None = None
    secrets: Secrets = field(default_factory=Secrets)


async def run(
    options: Options,
    on_result: OnResult = lambda _: None,
    *,
    on_begin: OnBegin = lambda _: None,
    into: RunResult | None = None,
) -> RunResult:
    """Play what is selected; `on_begin` is told what is played now, `on_result` each result as it comes.

    Raises HarnessError for what can't be begun. Everything after that is in the result. If cancelled, the targets are
    ended; what was found up to then is in `into`, which is filled as it goes and, if given, returned at the end.
    """
    selection = options.selection if options.url is None else _that_reaches(options.selection, options.url)
    instances = selection.instances(CASES)
    if not instances:
        raise HarnessError("nothing is left to play: no case is for all that was chosen")
    prepare()
    result = RunResult(started="") if into is None else into
    result.started = datetime.now(UTC).isoformat(timespec="seconds")
    result.version = _version()
    result.command = list(options.command) or [options.url or ""]
    result.roles = list(dict.fromkeys(each.role for each in instances))
    result.links = list(dict.fromkeys(each.link for each in instances))
    result.planned = len(instances)
    result.clauses = coverage(CASES)
    result.unknown = options.known.unknown(CASES)
    start = trio.current_time()
    try:
        await _play(options, instances, result, on_result, on_begin)
    finally:
        result.seconds = round(trio.current_time() - start, 3)
        order = {name: index for index, name in enumerate(_names(instances))}
        result.results.sort(key=lambda each: order[each.name])
    return result


def _names(instances: list[Instance]) -> list[str]:
    """What results may be called, in order: a case that is played once is, on whichever of its links there is."""
    return [
        f"{each.case.id} {each.role} {link}"
        for each in instances
        for link in (each.case.links if each.case.once else (each.link,))
    ]


async def _play(
    options: Options, instances: list[Instance], result: RunResult, on_result: OnResult, on_begin: OnBegin
) -> None:
    with tempfile.TemporaryDirectory(prefix="gwc-") as folder:
        directory = Path(folder)
        made = certificates.make(directory / "tls", options.secrets.canaries)
        if options.authority is not None:
            made = replace(made, authority=options.authority)
        links = tuple(each for each in Link if each in result.links)
        secrecy = Secrecy({**options.secrets.named(), **made.secrets})
        world = World(options.command, links, made, options.secrets, directory, secrecy)
        async with unwrapping() as nursery:
            if options.url is None:
                targets = Targets(world, nursery, options.implements)
            else:
                targets = Attached(world, nursery, options.url, options.implements)
            try:
                await _Run(options, world, targets, result, on_result, on_begin).play(instances)
            finally:
                result.targets = sorted({secrecy.text(each.name) for each in targets.all if each.name})
                await targets.aclose()
            nursery.cancel_scope.cancel()


def _version() -> str:
    try:
        return version("graftwire")
    except PackageNotFoundError:
        return ""


def _that_reaches(selection: Selection, url: str) -> Selection:
    """What can be played against a peer at a URL: it is an acceptor, on one link."""
    scheme = url.partition(":")[0]
    if scheme not in tuple(Link):
        raise HarnessError("a peer to attach to has a URL that begins with tcp, tls, ws, wss or unix")
    if "@" in url or "?" in url or "#" in url:  # LINK-8: it may hold a secret, so it is not repeated
        raise HarnessError("a peer to attach to has a URL without a user name, password, query or fragment")
    roles = [each for each in selection.roles if each is Role.ACCEPTOR]
    return replace(selection, roles=roles, links=[each for each in selection.links if each == scheme])


class _Run:
    def __init__(
        self,
        options: Options,
        world: World,
        targets: Targets,
        result: RunResult,
        on_result: OnResult,
        on_begin: OnBegin,
    ) -> None:
        self._options = options
        self._world = world
        self._targets = targets
        self._result = result
        self._on_result = on_result
        self._on_begin = on_begin

    async def play(self, instances: Sequence[Instance]) -> None:
        """Play all of them, so many at a time. Those that wait for bounds of time go first: others fill the gaps.

        Targets are started before: a machine that starts processes has no time left for bounds of time.
        """
        async with unwrapping() as nursery:
            for role, setup in dict.fromkeys(
                (each.role, each.case.setup) for each in instances if not each.case.alone
            ):
                nursery.start_soon(self._warm_up, role, setup)
        waiting = sorted(instances, key=lambda each: (each.case.setup != "hasty", not each.case.alone))
        queue = iter(waiting)

        async def work() -> None:
            for instance in queue:
                self._on_begin(instance)
                found = await self._play_often(instance)
                self._result.results.append(found)
                self._on_result(found)

        async with unwrapping() as nursery:
            for _ in range(max(1, min(self._options.jobs, len(waiting)))):
                nursery.start_soon(work)

    async def _warm_up(self, role: Role, setup: str) -> None:
        """Start a target; if it does not start, its cases will say so."""
        with suppress(TargetEnded, HarnessError):
            await self._targets.get(role, setup)

    async def _play_often(self, instance: Instance) -> CaseResult:
        plays = [await self._play(instance) for _ in range(self._options.repeat)]
        worst = min(plays, key=lambda each: _WORST.index(each.verdict))
        return msgspec.structs.replace(
            worst,
            plays=len(plays),
            passes=sum(each.verdict is Verdict.PASSED for each in plays),
            known=self._options.known.reason(instance),
            seconds=round(sum(each.seconds for each in plays), 4),
        )

    def _reachable(self, instance: Instance, target: Target) -> Instance:
        """The same on a link that an acceptor has, where any will do."""
        if not instance.case.once or instance.role is Role.INITIATOR or instance.link in target.urls:
            return instance
        others = (
            each
            for each in instance.case.links
            if each in target.urls and each in self._options.selection.links
        )
        link = next(others, instance.link)
        return replace(instance, link=link)

    async def _play(self, instance: Instance) -> CaseResult:
        case = instance.case
        try:
            if case.alone:
                if self._options.url is not None:
                    return _unplayed(instance, Verdict.NOT_IMPLEMENTED, "it needs a target of its own")
                target = await self._targets.fresh(instance.role, case.setup)
            else:
                target = await self._targets.get(instance.role, case.setup)
        except TargetEnded as ended:
            return _unplayed(instance, Verdict.FAILED, str(ended))
        except HarnessError as error:
            if str(error) not in self._result.problems:
                self._result.problems.append(str(error))
            return _unplayed(instance, Verdict.ERRORED, str(error))
        instance = self._reachable(instance, target)
        try:
            lacks = _lacks(instance, target)
            if lacks:
                return _unplayed(instance, Verdict.NOT_IMPLEMENTED, self._world.secrecy.text(lacks))
            return await Playing(instance, target, self._world).play()
        finally:
            if case.alone:
                await target.aclose()


def _lacks(instance: Instance, target: Target) -> str:
    """What the target does not have that the case needs, in a sentence; empty: nothing."""
    case = instance.case
    if target.unable is not None:
        return target.unable
    if target.attached and case.setup != "open":
        return f"it needs a target that the runner starts, in the setup {case.setup}"
    if instance.role is Role.ACCEPTOR and instance.link not in target.urls:
        return f"the target does not listen on {instance.link}"
    has = FEATURES if target.implements is None else target.implements
    # an acceptor hosts the interface always: that is what it is for
    lacking = [
        each
        for each in case.features
        if each not in has and not (each == "hosting" and instance.role is Role.ACCEPTOR)
    ]
    return f"the target does not implement {', '.join(lacking)}" if lacking else ""


def _unplayed(instance: Instance, verdict: Verdict, detail: str) -> CaseResult:
    case = instance.case
    return CaseResult(
        case=case.id,
        chapter=case.chapter,
        clauses=case.clauses,
        level=case.level,
        role=instance.role,
        link=instance.link,
        setup=case.setup,
        verdict=verdict,
        detail=detail,
        expected=told_outcomes(case.outcomes),
        replay=instance.replay,
    )
