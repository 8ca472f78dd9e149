"""Playing one case on one link in one role: from the link that comes about to the verdict."""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import cbor2
import msgspec
import trio

from graftwire.protocol.errors import ErrorCode

from . import frames
from .asking import asked_for, report_fits
from .capacity import Used, used_in
from .capacity import faults_of as capacity_faults
from .case import (
    Alive,
    Case,
    Check,
    Closed,
    Connect,
    Costs,
    Crowd,
    Cut,
    Deaf,
    Describe,
    Drain,
    Expect,
    ExpectPong,
    Goaway,
    HalfClose,
    Never,
    Open,
    Outcome,
    Pause,
    Plain,
    Refused,
    Send,
    Settle,
    Silence,
    Step,
    Text,
    WebSocketFrame,
)
from .conversation import LEAVING, Conversation, Failed, Seen
from .errors import Flooded, HarnessError, TargetEnded
from .launch import FEATURES, INTERFACE, Asked, Told
from .links.making import Linked, Listening, NoLink, dial, listen
from .links.pipes import Gone
from .links.wires import WebSocketWire
from .parts import ANY, Frame, Mine, OneOf, Scope, Yours, encode, wire
from .reading import name_of
from .recording import Chunk, Direction, Recorder
from .results import KEPT, CaseResult, SeenFrame, Transcript, Verdict
from .roles import Link, Role
from .secrecy import Secrecy
from .structure import faults_of
from .targets import Asking, Target, World
from .tasks import unwrapping
from .usage import Meter, Usage
from .usage import told as told_usage

ERROR: Final = 7  # the kind of its frame
PROBE: Final = Check("echo", ("probe",), "probe")
PROBE_WITHIN: Final = 5.0  # seconds for the liveness probe, and for each check
CROWDED: Final = 50  # links of a crowd that are opened at a time
CLOSING: Final = 5.0  # seconds that a target gets to close its files after a case
LOOKED_BEYOND: Final = (
    4_096  # bytes behind those that a result keeps: a secret that begins in them ends there
)
LEAKS_SHOWN: Final = 3  # in the sentence that says why a case failed
# Sessions beside the one of the case that are searched for secrets: a check may take many.
OTHERS_KEPT: Final = 8
AGAIN: Final = 0.02  # seconds between two looks at a counter
ENDING: Final = 0.25  # seconds in which a target that ended in the middle of a case is seen to have ended
SETTLED: Final = 0.01  # seconds for taking a connection that was made before an answer came
# Keys are unique, also at a peer that has seen other runs.
_KEYS: Final = f"k{secrets.token_hex(4)}-"
_numbers = itertools.count(1)
REFUSALS: Final = (frames.UNAUTHENTICATED, frames.DENIED, frames.UNKNOWN_TARGET)


@dataclass(frozen=True)
class Instance:
    """A case on one link in one role."""

    case: Case
    role: Role
    link: Link

    @property
    def name(self) -> str:
        """As results name it."""
        return f"{self.case.id} {self.role} {self.link}"

    @property
    def replay(self) -> str:
        """The options that play this and nothing else."""
        return f"--case {self.case.id} --role {self.role} --link {self.link}"


@dataclass
class Standing:
    """How things stood at the end: what is compared with the outcomes."""

    link: NoLink | None = None
    dialled: bool = True
    alive: bool = False
    conversation: Conversation | None = None

    def __str__(self) -> str:
        talk = self.conversation
        if not self.dialled:
            return "the initiator did not dial"
        if self.link is not None:
            return self.link.why
        if talk is None:
            return "nothing happened"
        if talk.goaway is not None:
            ended = "" if talk.end is not None else ", but did not close the link"
            return f"the target ended the session with {talk.goaway}{ended}"
        if self.alive:  # that the link has ended by now is the runner's doing
            return "the session lives"
        if talk.end is not None:
            return f"the link has ended ({talk.end.why}) without a GOAWAY that says why"
        return "the session neither lives nor has ended"


class Playing:
    """One playing of an instance."""

    def __init__(self, instance: Instance, target: Target, world: World) -> None:
        self.instance = instance
        self.case = instance.case
        self.target = target
        self.world = world
        runner = instance.role.other
        key = f"{_KEYS}{next(_numbers)}"
        self.scope = Scope(runner, key, world.secrets.proofs)
        self.recorder = Recorder()
        self.standing = Standing()
        self._asking: Asking | None = None
        self._others: list[tuple[str, Recorder]] = []
        self._others_open: list[Linked] = []
        self._bound = trio.CancelScope()
        self._meter: Meter | None = None
        self._last_step: float | None = None
        self._last_words = ""

    async def play(self) -> CaseResult:
        """Play it; never raises but Cancelled, never takes longer than its bounds."""
        start = trio.current_time()
        verdict, detail = Verdict.PASSED, ""
        try:
            self._measure()
            with trio.fail_after(self.case.within) as self._bound:
                await self._steps_and_outcome()
            await self._afterwards()
            await self._judge_costs()
        except Failed as failed:
            verdict, detail = Verdict.FAILED, str(failed)
        except TargetEnded as ended:
            verdict, detail, self._last_words = Verdict.FAILED, str(ended), ended.last_words
        except Flooded as flooded:
            verdict, detail = Verdict.FAILED, str(flooded)
        except trio.TooSlowError:
            verdict, detail = Verdict.FAILED, f"nothing that was due came within {self.case.within:g} s"
        except NotPlayed as not_played:
            verdict, detail = Verdict.NOT_IMPLEMENTED, str(not_played)
        except HarnessError as error:
            verdict, detail = Verdict.ERRORED, str(error)
        except Exception as error:  # noqa: BLE001 - a fault of the harness in one case is no end of the run
            verdict, detail = Verdict.ERRORED, f"the harness failed ({type(error).__name__})"
        leaks = self._leaks()
        if leaks:
            verdict, detail = Verdict.FAILED, "; ".join([*leaks, *([detail] if detail else [])])
        if verdict is Verdict.FAILED and "the target ended" not in detail and not self.target.attached:
            with trio.move_on_after(ENDING):  # links are seen to end before the process is
                await self.target.ended.wait()
                why = self.target.why_ended()
                detail, self._last_words = f"{detail}; {why}", why.last_words
        await self._disperse()
        return self._result(verdict, detail, trio.current_time() - start)

    def _leaks(self) -> list[str]:
        """The first secrets that the target has written where they may not stand, a sentence each: see secrecy.py."""
        found = (
            each
            for session, recorder in (("the session of the case", self.recorder), *self._others)
            for each in self.world.secrecy.leaks(recorder, session)
        )
        return [str(each) for each in itertools.islice(found, LEAKS_SHOWN)]

    async def _steps_and_outcome(self) -> None:
        async with self._linked(self._planted(self.case.connect)) as linked:
            if linked is not None:
                async with conversing(linked, self.scope, self.recorder) as talk:
                    self.standing.conversation = talk
                    for step in self.case.steps:
                        await self._step(talk, step)
                    self._last_step = trio.current_time()
                    await self._stand(talk)
                    if self.standing.alive:
                        self._bound.deadline += LEAVING  # what was due has come
                        await talk.farewell()
                    self._judge(talk)
            else:
                self._judge(None)
            await self._report()

    def _planted(self, how: Connect) -> Connect:
        """The canaries of a case in their places."""
        plant = self.world.secrets.plant
        headers = tuple((name, plant(value)) for name, value in how.headers)
        return msgspec.structs.replace(how, headers=headers, path=plant(how.path))

    # --- the link -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _linked(self, how: Connect) -> AsyncGenerator[Linked | None]:
        """The link of the case; None where none came about, and the standing says why."""
        if self.instance.role is Role.ACCEPTOR:
            try:
                linked = await dial(
                    self.instance.link,
                    self.target.urls[self.instance.link],
                    how,
                    self._context,
                    self.recorder,
                )
            except NoLink as no_link:
                self.standing.link = no_link
                yield None
                return
            yield linked
            return
        async with listen(
            self.instance.link, str(self.world.directory), how, self._context, self.recorder
        ) as listening:
            scheme, _, rest = listening.url.partition(":")
            address = rest.removeprefix("//").rstrip("/")
            url = self.world.secrets.plant(self.case.activity.url).format(
                url=listening.url, scheme=scheme, address=address
            )
            self._asking = await self.target.ask(asked_for(self.case.activity, url, self.scope))
            yield await self._accepted(listening, self._asking)

    async def _accepted(self, listening: Listening, asking: Asking) -> Linked | None:
        """The connection of the initiator, unless it says that it will not come."""
        linked: Linked | None = None
        async with unwrapping() as nursery:

            async def hear() -> None:
                await asking.wait()
                # what it did before it answered is here by now: it may have dialled, and left at once
                await trio.sleep(SETTLED)
                if not (listening.dialled or listening.waits):
                    nursery.cancel_scope.cancel()

            nursery.start_soon(hear)
            try:
                linked = await listening.accept()
            except NoLink as no_link:
                self.standing.link = no_link
            nursery.cancel_scope.cancel()
        self.standing.dialled = listening.dialled
        return linked

    def _context(self, server: bool, how: Connect) -> Any:
        return self.world.certificates.context(
            server=server,
            alpn=how.alpn
            if not self.instance.link.websocket or how.alpn != ("graftwire/1",)
            else ("http/1.1",),
            versions=how.tls,
            certificate=how.certificate,
        )

    # --- steps --------------------------------------------------------------------------------------------------------

    async def _step(self, talk: Conversation, step: Step) -> None:
        match step:
            case Open():
                await talk.open(step.limits, step.more)
            case Send():
                await talk.send(
                    step.pieces, cuts=step.cuts, every=step.every, pause=step.pause, apart=step.apart
                )
            case Expect():
                for _ in range(step.times):
                    await talk.expect(step.frames, behind=step.behind)
            case Settle():
                if not await talk.settle():
                    raise Failed(f"a PONG was due: {self.standing}")
            case Pause():
                await trio.sleep(step.seconds)
            case HalfClose():
                await talk.half_close(step.code)
            case Cut():
                await talk.cut(reset=step.reset)
            case Silence():
                talk.silent = True
            case Deaf():
                talk.hear(reading=step.reading)
            case Drain():
                await self._drain()
            case Check():
                await self._check(step)
            case ExpectPong():
                await talk.expect_pong(step.payload)
            case Crowd():
                await self._crowd(step)
            case Describe():
                await describe(talk, step.first)
            case Text() | WebSocketFrame() | Plain():
                await self._below(talk, step)

    async def _below(self, talk: Conversation, step: Text | WebSocketFrame | Plain) -> None:
        try:
            if isinstance(step, Plain):
                await talk.wire.plain(step.data * step.times)
            elif not isinstance(talk.wire, WebSocketWire):
                raise HarnessError("the case has a step of WebSocket on another link")
            elif isinstance(step, Text):
                await talk.wire.frame(1, step.text.encode())
            else:
                await talk.wire.frame(
                    step.opcode, step.payload, final=step.final, reserved=step.reserved, masked=step.masked
                )
        except Gone:
            return  # the reader sees the end, and that is what is judged

    async def _crowd(self, crowd: Crowd) -> None:
        """Open further links, some at a time; what could not be written, because the target closed, is not missed."""
        link, url = self.instance.link, self.target.urls[self.instance.link]
        how = Connect(bare=crowd.bare)
        data = [wire(each, self.scope) for each in crowd.pieces]
        if not link.websocket or crowd.bare:
            data = [b"".join(data)]

        async def one() -> None:
            try:
                linked = await dial(link, url, how, self._context, Recorder())
                self._others_open.append(linked)
                with suppress(Gone):
                    await linked.wire.send([[each] for each in data if each])
            except NoLink:
                return
            if crowd.leave:
                await linked.wire.cut(reset=False)

        for start in range(0, crowd.count, CROWDED):
            async with unwrapping() as nursery:
                for _ in range(start, min(start + CROWDED, crowd.count)):
                    nursery.start_soon(one)

    async def _disperse(self) -> None:
        """Close what a crowd has opened."""
        for each in self._others_open:
            await each.wire.cut(reset=False)
        self._others_open = []

    async def _drain(self) -> None:
        if self.instance.role is Role.ACCEPTOR:
            if self.target.attached:
                raise NotPlayed("a target that the runner did not start can't be told to drain")
            await self.target.say("drain")
        else:
            assert self._asking is not None
            await self._asking.leave()

    # --- the end ------------------------------------------------------------------------------------------------------

    async def _stand(self, talk: Conversation) -> None:
        """Wait until it can be told which of the outcomes it is."""
        may_live = any(isinstance(each, Alive) for each in self.case.outcomes)
        if may_live and not talk.over and not talk.closed_here:
            self.standing.alive = await talk.settle()
        if not self.standing.alive:
            await talk.wait_end()

    def _judge(self, talk: Conversation | None) -> None:
        """Raises Failed unless the standing is one of the outcomes, and nothing else is wrong."""
        if talk is not None:
            faultless(talk)
        found = [each for each in self.case.outcomes if self._is(each)]
        if not found:
            raise Failed(f"{told_outcomes(self.case.outcomes)} was due: {self.standing}")
        if talk is not None:
            self._judge_end(talk, found)
            self._judge_record()
            left = talk.left_over(self._allowed())
            if left:
                raise Failed(f"frame {left[0].number}, {left[0]}, was not due")

    def _judge_end(self, talk: Conversation, found: list[Outcome]) -> None:
        """Where there is an orderly end, an abrupt one fails, unless the runner or the case has cut the link."""
        link = self.instance.link
        if talk.end is None or talk.end.orderly or talk.torn or self.case.connect.bare:
            return
        if not (link.secure or link.websocket):
            return  # a plain socket has one way to say that nothing more comes, and a reset may cross it
        if not any(isinstance(each, Goaway | Closed) and not each.orderly for each in found):
            raise Failed(f"the link did not end in order (LINK-6): {talk.end.why}")

    def _judge_record(self) -> None:
        """Every byte of the target is accounted for; in a closed world, every one of the runner, too."""
        if self.case.connect.bare:
            return  # there is nothing that frames or HTTP could be told from
        link, role, closed = self.instance.link, self.instance.role, self.case.closed_world
        sides = [(Direction.TARGET, role)] + ([(Direction.RUNNER, role.other)] if closed else [])
        for direction, wrote in sides:
            for fault in faults_of(
                self.recorder, link, wrote, direction, gaps=closed, judged=direction is Direction.TARGET
            ):
                if direction is Direction.RUNNER:
                    raise HarnessError(f"the runner itself broke {fault.clause}: {fault.text}")
                raise Failed(f"{fault.text} ({fault.clause})")
        for fault in capacity_faults(self.recorder, Direction.TARGET):
            raise Failed(f"{fault.text} ({fault.clause})")

    def _used(self) -> list[Used]:
        return used_in(self.recorder, Direction.TARGET) if self.case.closed_world else []

    def _allowed(self) -> tuple[Frame, ...]:
        allowed = list(self.case.allow)
        for outcome in self.case.outcomes:
            if isinstance(outcome, Goaway):
                allowed.append(Frame(14, (ANY, OneOf(outcome.codes))))
                # HELLO-10, LEAVE-4: it may still be written, or dropped
                allowed.append(frames.any_hello(offered=self.instance.role is Role.INITIATOR))
            elif isinstance(outcome, Closed):
                allowed.append(Frame(14, (ANY, 0)))
        return tuple(allowed)

    def _is(self, outcome: Outcome) -> bool:
        standing, talk = self.standing, self.standing.conversation
        match outcome:
            case Never():
                return not standing.dialled
            case Refused():
                no_link = standing.link
                if no_link is None:
                    return False
                return (
                    not outcome.statuses
                    or not self.instance.link.websocket
                    or no_link.status in outcome.statuses
                )
            case Alive():
                return standing.alive and talk is not None and talk.goaway is None
            case Closed():
                if talk is None or talk.end is None or talk.goaway is not None:
                    return False
                code = talk.end.code
                return not outcome.codes or code is None or code in outcome.codes
            case Goaway():
                return (
                    talk is not None
                    and talk.goaway is not None
                    and self._is_goaway(talk, talk.goaway, outcome)
                )

    def _is_goaway(self, talk: Conversation, goaway: Seen, outcome: Goaway) -> bool:
        last, code = goaway.elements[1], goaway.elements[2]
        if code not in outcome.codes or talk.end is None:
            return False
        wanted = Frame(14, (OneOf(outcome.last), ANY)) if outcome.last else Frame(14, (ANY, ANY))
        return talk.fits(wanted, goaway) and last is not None

    async def _report(self) -> None:
        """What the initiator says of it has to be one of the reports."""
        asking = self._asking
        if asking is None:
            return
        told = await asking.wait()
        if told.outcome == "unable":
            raise NotPlayed(told.why or "the target can't do this")
        reports = self.case.reports
        if reports and not any(report_fits(each, told, self.scope) for each in reports):
            raise Failed(f"the initiator tells its user otherwise: {told_told(told)}")

    async def _afterwards(self) -> None:
        if self.case.alone and any(isinstance(each, Drain) for each in self.case.steps):
            return  # whoever has left answers no more
        for check in self.case.checks:
            await self._check(check)
        if self.case.probe:
            await self._probe()

    # --- other sessions -----------------------------------------------------------------------------------------------

    async def _probe(self) -> None:
        """A fresh session works."""
        try:
            with trio.fail_after(PROBE_WITHIN):
                if self.target.refuses is not None:
                    await self._asked(PROBE, frames.error(int(self.target.refuses)))
                    return
                if self.instance.role is Role.ACCEPTOR or "hosting" in self._implemented():
                    answer = await self._call(PROBE)
                else:
                    answer = await self._have_it_call()
        except (Failed, NoLink, trio.TooSlowError) as error:
            why = f": {error}" if str(error) else ""
            raise Failed(f"afterwards, a fresh session does not work{why}") from None
        if answer != encode(PROBE.result, self.scope):
            raise Failed("afterwards, a fresh session gives a wrong answer")

    def _implemented(self) -> frozenset[str]:
        return FEATURES if self.target.implements is None else self.target.implements

    async def _check(self, check: Check) -> None:
        """A counter of the hosted interface has the value that it has to have, soon."""
        wanted = encode(check.result, self.scope)
        deadline = trio.current_time() + 1.0
        while True:
            try:
                with trio.fail_after(PROBE_WITHIN):
                    answer = await self._call(check)
            except trio.TooSlowError:
                raise Failed(f"{check.method} has no answer within {PROBE_WITHIN:g} s") from None
            if answer == wanted:
                return
            if trio.current_time() > deadline:
                raise Failed(f"{check.method} gives {answer.hex()[:40]} where {wanted.hex()[:40]} was due")
            await trio.sleep(AGAIN)

    def _another_recorder(self) -> Recorder:
        recorder = Recorder()
        self._others = [*self._others[-OTHERS_KEPT:], ("another session", recorder)]
        return recorder

    async def _call(self, check: Check) -> bytes:
        """The bytes of a result, from a session of its own. Raises Failed, NoLink."""
        body: bytes = (await self._asked(check, frames.result())).elements[2]
        return body

    async def refused(self) -> ErrorCode | None:
        """The code with which a peer that was not started here refuses to be called as targets are.

        None: it does not, or nobody answers; its cases will say so.
        """
        try:
            with trio.fail_after(PROBE_WITHIN):
                seen = await self._asked(PROBE, frames.result(), frames.error(*REFUSALS))
        except (Failed, NoLink, HarnessError, trio.TooSlowError):
            return None
        return ErrorCode(seen.elements[2]) if seen.kind == ERROR else None

    async def _asked(self, check: Check, *answers: Frame) -> Seen:
        """A call in a session of its own, and the one of these answers that comes. Raises Failed, NoLink."""
        scope, how, recorder = self.scope, Connect(), self._another_recorder()
        more: list[Frame] = []
        if not self.target.setup.anonymous:
            more.append(frames.auth())
        more.append(frames.call(check.method, *check.arguments))
        async with self._another(how, recorder) as linked, conversing(linked, scope, recorder) as talk:
            await talk.open(None, more)
            if not self.target.setup.anonymous:
                await talk.expect((frames.accepted(),))
            seen = await talk.expect(answers)
            await talk.farewell()
            faultless(talk)
            return seen

    @asynccontextmanager
    async def _another(self, how: Connect, recorder: Recorder) -> AsyncGenerator[Linked]:
        """A link of its own, in the role of the case."""
        link, urls = self.instance.link, self.target.urls
        if self.instance.role is Role.ACCEPTOR:
            yield await dial(link, urls[link], how, self._context, recorder)
            return
        async with listen(link, str(self.world.directory), how, self._context, recorder) as listening:
            asking = await self.target.ask(Asked(id=0, dial=listening.url, do="hold"))
            linked = await listening.accept()
            yield linked
            await asking.wait()

    async def _have_it_call(self) -> bytes:
        """The probe for an initiator that hosts nothing: it calls, and the runner answers."""
        scope, recorder = self.scope, self._another_recorder()
        arguments = encode(PROBE.arguments, scope).hex()
        link = self.instance.link
        async with listen(link, str(self.world.directory), Connect(), self._context, recorder) as listening:
            target = f"{INTERFACE}.{PROBE.method}"
            asked = Asked(id=0, dial=listening.url, do="call", target=target, arguments=arguments)
            asking = await self.target.ask(asked)
            async with conversing(await listening.accept(), scope, recorder) as talk:
                await talk.open(None, ())
                await talk.expect((frames.any_call(),))
                await talk.send((frames.result(PROBE.result, id=Yours(1)),))
                told = await asking.wait()
                await talk.half_close()
                faultless(talk)
        return bytes.fromhex(told.value or "")

    # --- costs --------------------------------------------------------------------------------------------------------

    def _measure(self) -> None:
        """Begin to measure, where the target is there for this case alone. Raises NotPlayed."""
        process = self.target.process
        if self.case.alone and process is not None:
            self._meter = Meter(process.pid)
        if self.case.costs is not None and (self._meter is None or self._meter.before is None):
            raise NotPlayed("what a target costs is not to be known here")

    @property
    def _usage(self) -> Usage | None:
        if self._meter is None:
            return None
        talk = self.standing.conversation
        seconds = None
        if talk is not None and talk.ended_at is not None and self._last_step is not None:
            seconds = round(max(0.0, talk.ended_at - self._last_step), 3)
        return self._meter.usage(seconds)

    async def _judge_costs(self) -> None:
        """Raises Failed with the figures where a bound is broken. Files get some time to be closed."""
        costs, usage = self.case.costs, self._usage
        if costs is None or usage is None:
            return
        if not costs.unaided:
            await self._disperse()
        with trio.move_on_after(CLOSING):
            while costs.files is not None and usage is not None and (usage.open_files or 0) > costs.files:
                await trio.sleep(AGAIN)
                usage = self._usage
        assert usage is not None
        broken = broken_bounds(costs, usage)
        if broken:
            raise Failed(f"it cost more than it may: {broken} ({told_usage(usage)})")

    # --- the result ---------------------------------------------------------------------------------------------------

    def _result(self, verdict: Verdict, detail: str, seconds: float) -> CaseResult:
        case, talk, secrecy = self.case, self.standing.conversation, self.world.secrecy
        seen = [] if talk is None else talk.seen
        return CaseResult(
            case=case.id,
            chapter=case.chapter,
            clauses=case.clauses,
            level=case.level,
            role=self.instance.role,
            link=self.instance.link,
            setup=case.setup,
            verdict=verdict,
            detail=secrecy.text(detail),
            last_words=self._last_words,
            expected=told_outcomes(case.outcomes),
            happened=secrecy.text(str(self.standing)),
            seconds=round(seconds, 4),
            passes=int(verdict is Verdict.PASSED),
            replay=self.instance.replay,
            transcript=transcript(self.recorder, seen, secrecy),
            usage=self._usage,
            capacity=self._used(),
        )


class NotPlayed(Exception):
    """The target does not have what the case needs: one sentence."""


@asynccontextmanager
async def conversing(linked: Linked, scope: Scope, recorder: Recorder) -> AsyncGenerator[Conversation]:
    """A conversation over a link, read for as long as the block runs; the link is closed after it."""
    talk = Conversation(linked, scope, recorder)
    try:
        async with unwrapping() as nursery:
            nursery.start_soon(talk.run)
            yield talk
            nursery.cancel_scope.cancel()
    finally:
        with trio.move_on_after(0.5, shield=True):
            await linked.wire.aclose()


async def describe(talk: Conversation, first: int) -> None:
    """Ask for what is hosted, and for the metadata of each interface. Raises Failed."""
    wrong = "graftwire.describe gives something else than interface, version, digest (DESCRIBE-2)"
    hosted = await _described(talk, first)
    if not isinstance(hosted, list):
        raise Failed(wrong)
    for entry in hosted:  # pyright: ignore[reportUnknownVariableType]
        first += 1
        if not isinstance(entry, list) or len(entry) != 3 or not isinstance(entry[2], bytes):  # pyright: ignore[reportUnknownArgumentType]
            raise Failed(wrong)
        digest: bytes = entry[2]
        metadata = await _described(talk, first, digest)
        if not isinstance(metadata, bytes) or hashlib.sha256(metadata).digest() != digest:
            raise Failed("graftwire.describe gives bytes that do not have the digest (DESCRIBE-3)")


async def _described(talk: Conversation, number: int, *arguments: bytes) -> Any:
    id = Mine(number)
    await talk.send((frames.call("describe", *arguments, target="graftwire.describe", id=id),))
    seen = await talk.expect((frames.result(id=id),))
    faultless(talk)  # so the body is a byte string, of one item
    try:
        return cbor2.loads(seen.elements[2])
    except (ValueError, cbor2.CBORError):
        raise Failed("the result of graftwire.describe is no CBOR (VAL-1)") from None


def faultless(talk: Conversation) -> None:
    """Raises Failed if the target broke a rule that holds in every case."""
    if talk.faults:
        fault = talk.faults[0]
        raise Failed(f"{fault.text} ({fault.clause})")


def transcript(recorder: Recorder, seen: list[Seen], secrecy: Secrecy) -> Transcript:
    """What a result keeps of a record: no secret is in it, and no part of one that stands where keeping ends."""
    chunks, hidden = secrecy.hide(_beginning(recorder.chunks, KEPT + LOOKED_BEYOND))
    chunks = _beginning(chunks, KEPT)
    hidden = [msgspec.structs.replace(each, end=min(each.end, KEPT)) for each in hidden if each.start < KEPT]
    cut = sum(len(each.data) for each in chunks) < sum(len(each.data) for each in recorder.chunks)
    frames_seen = [
        SeenFrame(each.number, each.position, len(each.payload) + 4, name_of(each.payload), each.taken)
        for each in seen
        if each.position < KEPT
    ]
    notes = [msgspec.structs.replace(each, text=secrecy.text(each.text)) for each in recorder.notes]
    return Transcript(chunks, notes, frames_seen, cut, hidden)


def _beginning(chunks: Iterable[Chunk], size: int) -> list[Chunk]:
    """The first bytes of each direction and layer, at most so many."""
    left: dict[tuple[str, str], int] = {}
    kept: list[Chunk] = []
    for chunk in chunks:
        room = left.setdefault((chunk.direction, chunk.layer), size)
        if room > 0:
            kept.append(msgspec.structs.replace(chunk, data=chunk.data[:room]))
            left[chunk.direction, chunk.layer] = room - len(chunk.data)
    return kept


def broken_bounds(costs: Costs, usage: Usage) -> str:
    """The bounds that were broken, in words; empty: none was."""
    rows = (
        (usage.peak_memory, costs.memory, "memory", 2**20, "MiB"),
        (usage.cpu, costs.cpu, "processor time", 1, "s"),
        (usage.open_files, costs.files, "open files", 1, ""),
        (usage.seconds_to_close, costs.close, "time to close", 1, "s"),
    )
    return ", ".join(
        f"{name} above {bound / unit:g} {words}".rstrip()
        for found, bound, name, unit, words in rows
        if found is not None and bound is not None and found > bound
    )


def told_outcomes(outcomes: tuple[Outcome, ...]) -> str:
    """The outcomes in words."""
    return " or ".join(_told(each) for each in outcomes)


def _told(outcome: Outcome) -> str:
    match outcome:
        case Goaway():
            return f"the end of the session with GOAWAY code {' or '.join(map(str, outcome.codes))}"
        case Closed():
            return "the end of the link"
        case Alive():
            return "a session that lives"
        case Refused():
            codes = f" with status {' or '.join(map(str, outcome.statuses))}" if outcome.statuses else ""
            return f"a link that does not come about{codes}"
        case Never():
            return "no connection at all"


def told_told(told: Told) -> str:
    """What an initiator said, without a value."""
    code = f", code {told.code}" if told.code else ""
    return f"{told.outcome}{code}"
