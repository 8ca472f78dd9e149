"""Two cores that use each other in every legal way, over a link that cuts bytes anywhere, in any order of turns.

Whatever the two users do within the rules, neither core finds a violation in what the other one wrote; each call gets
one terminal, each stream arrives complete and in order, and when all is said nothing is left: no slot, no credit.
Each side proves who it is as often as it likes, in as many rounds as the other one wants; until it is accepted, none of
its calls is told, and afterwards all of them are but those that it has cancelled. A session may end in every way: in
peace, at once, by a refusal, or with a link that drops at any byte.
"""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from graftwire.protocol import (
    Connection,
    EndOfInput,
    ErrorCode,
    Exports,
    Failed,
    Imports,
    Limits,
    Opened,
    Role,
    State,
    frames,
)
from graftwire.protocol.limits import AUTH_ROUNDS, ITEM_OVERHEAD, LARGEST_INTEGER, LEAST

SIZES = [0, 10, 5_000, 30_000, 60_000]
sides = st.booleans()
choices = st.integers(0, 1_000)
sizes = st.sampled_from(SIZES)


class Story:
    """What has become of one call, as both users know it."""

    def __init__(self, id: int, shape: int, references: list[int]) -> None:
        self.id = id
        self.shape = shape
        self.references = references  # that its arguments carry
        self.returned: list[int] = []  # references that its result carries
        self.taken = self.ended = self.cancelled = self.caller_was_heard = self.gone = False
        self.dropped = False  # it was cancelled while its caller was not accepted yet, and never told
        self.answer: type[Any] | None = None
        self.terminals = 0
        # serial numbers of the items: of the caller's stream and of the receiver's
        self.up_sent = self.up_got = self.down_sent = self.down_got = 0


class Side:
    """A core, its user's tables, and the bytes that it has written and the other side has not read."""

    def __init__(self, role: Role, limits: Limits) -> None:
        self.core = Connection(role, limits)
        self.exports, self.imports = Exports(role), Imports(role)
        self.pipe = bytearray()
        self.made: list[Story] = []
        self.taken: list[Story] = []
        self.unused: list[tuple[int, int]] = []  # items that were read and not consumed: call, size
        self.pings = self.pongs = self.goaways = 0
        # as a claimant: the last proof, and what the user waits for; as a verifier: the same of the other side
        self.proof: bytes | None = None
        self.challenge: bytes | None = None
        self.rounds = 0
        self.judges = self.holds = False
        self.exchanges = 0


def pick(among: list[Any], choice: int) -> Any:
    """One of them, or None."""
    return among[choice % len(among)] if among else None


class TwoCores(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.over = self.failed = False
        self.stories: dict[int, Story] = {}

    @initialize(
        default_limits=st.booleans(),
        calls=st.lists(st.tuples(sides, st.integers(0, 3), sizes, st.integers(0, 2), choices), max_size=8),
        proves=st.sampled_from([None, False, True]),
        pumps=st.booleans(),
    )
    def dial(self, default_limits: bool, calls: list[Any], proves: bool | None, pumps: bool) -> None:
        """A start with some calls under way: a run may leave out any of the rules below, `call` too."""
        limits = Limits() if default_limits else LEAST
        self.a, self.b = Side(Role.INITIATOR, limits), Side(Role.ACCEPTOR, LEAST)
        self.both = (self.a, self.b)
        if proves is not None:
            self.authenticate(proves, 100)
        for each in calls:
            self.call(*each)
        if pumps:
            self.pump(first=False)

    def other(self, side: Side) -> Side:
        return self.b if side is self.a else self.a

    # --- the link -----------------------------------------------------------------------------------------

    @precondition(lambda self: not self.over)
    @rule(of=sides, most=st.sampled_from([1, 100, 40_000, 2**40]))
    def take(self, of: bool, most: int) -> None:
        side = self.both[of]
        for frame in side.core.take(most):
            side.pipe += frame

    @precondition(lambda self: not self.over)
    @rule(of=sides, count=st.sampled_from([1, 3, 5, 30, 1_000, 70_000, 2**40]))
    def deliver(self, of: bool, count: int) -> None:
        side = self.both[of]
        data, side.pipe = bytes(side.pipe[:count]), side.pipe[count:]
        self.read(self.other(side), data)

    @precondition(lambda self: not self.over)
    @rule(of=sides, most=st.sampled_from([1, 100, 2**40]), count=st.sampled_from([3, 9, 1_000, 70_000]))
    def move(self, of: bool, most: int, count: int) -> None:
        self.take(of, most)
        self.deliver(of, count)

    @precondition(lambda self: not self.over)
    @rule(first=sides)
    def pump(self, first: bool) -> None:
        for side in (self.both[first], self.both[not first]):
            self.take(side is self.b, 2**40)
            self.deliver(side is self.b, 2**40)

    def read(self, side: Side, data: bytes) -> None:
        self.tell(side, side.core.receive(data))

    def tell(self, side: Side, events: list[Any]) -> None:
        self.failed = True
        for event in events:
            assert not isinstance(event, Failed), event
            getattr(self, f"on_{type(event).__name__.lower()}")(side, event)
        self.failed = False

    # --- who they are -------------------------------------------------------------------------------------

    @precondition(lambda self: not self.over)
    @rule(of=sides, size=st.sampled_from([0, 100, 8_000]))
    def authenticate(self, of: bool, size: int) -> None:
        """A first AUTH, or the answer to a CHALLENGE."""
        side = self.both[of]
        if side.proof is None or side.challenge is not None:
            side.proof = len(self.stories).to_bytes(4, "big") + bytes(size)
            side.challenge = None
            side.core.authenticate("token", side.proof)

    @precondition(lambda self: not self.over and any(side.judges for side in self.both))
    @rule(of=sides, size=st.sampled_from([0, 8_000]))
    def challenge(self, of: bool, size: int) -> None:
        side = self.both[of]
        if side.judges and side.rounds < AUTH_ROUNDS:
            side.core.challenge(bytes(size))
            side.judges = False

    @precondition(lambda self: not self.over and any(side.judges for side in self.both))
    @rule(of=sides)
    def accept(self, of: bool) -> None:
        side = self.both[of]
        if not side.judges:
            return
        side.judges = side.holds = False
        side.rounds = 0
        side.exchanges += 1
        self.tell(side, side.core.accept())
        side.exports.settle()
        last = LARGEST_INTEGER if side.core._sent_goaway is None else side.core._sent_goaway
        for story in self.other(side).made:
            if story.id < side.core._next_in and story.id <= last and not story.taken and not story.dropped:
                assert story.cancelled
                story.dropped = True
                story.answer = frames.Error

    @precondition(lambda self: not self.over and any(side.judges for side in self.both))
    @rule(of=sides, rarely=st.integers(0, 3))
    def refuse(self, of: bool, rarely: int) -> None:
        """The claimant reads why, and that none of its calls since the exchange began has run (AUTH-5)."""
        side, other = self.both[of], self.other(self.both[of])
        if rarely or not side.judges:
            return
        last = side.core.last_in
        assert all(one.taken == (one.id <= last) or one.dropped or one.gone for one in other.made)
        side.core.refuse()
        self.over = True
        assert not side.core.peer_authenticating
        side.pipe += b"".join(side.core.take(2**40))
        data, side.pipe = bytes(side.pipe), bytearray()
        [*before, goaway] = other.core.receive(data)
        self.tell(other, before)
        assert goaway == frames.Goaway(last, ErrorCode.UNAUTHENTICATED)
        assert other.core.state is side.core.state is State.CLOSED
        assert not any(other.core.is_open(one.id) for one in other.made if one.id > last)

    # --- what the users do --------------------------------------------------------------------------------

    @precondition(lambda self: not self.over)
    @rule(of=sides, shape=st.integers(0, 3), size=sizes, gives=st.integers(0, 2), on=choices)
    def call(self, of: bool, shape: int, size: int, gives: int, on: int) -> None:
        side = self.both[of]
        if not side.core.may_call(size):
            return
        held = sorted(side.imports._held)
        name: frames.Target = (pick(held, on), "") if held and on % 3 == 0 else "Any"
        id = side.core.call(shape, name, bytes(size))
        assert id not in self.stories
        assert id == (side.made[-1].id + 2 if side.made else 1 + of)
        story = Story(id, shape, [side.exports.allocate(object()) for _ in range(gives)])
        self.stories[id] = story
        side.made.append(story)

    @precondition(lambda self: not self.over)
    @rule(of=sides, choice=choices, size=sizes, count=st.integers(1, 4))
    def item_up(self, of: bool, choice: int, size: int, count: int) -> None:
        side = self.both[of]
        story = pick([one for one in self.open(side) if one.shape > 1 and not self.is_done(one)], choice)
        for _ in range(count):
            if story is not None and self.send_item(side, story.id, story.up_sent, size):
                story.up_sent += 1

    @precondition(lambda self: not self.over)
    @rule(of=sides, choice=choices, size=sizes, count=st.integers(1, 4))
    def item_down(self, of: bool, choice: int, size: int, count: int) -> None:
        side = self.both[of]
        story = pick([one for one in side.taken if one.shape & 1 and one.answer is None], choice)
        for _ in range(count):
            if story is not None and self.send_item(side, story.id, story.down_sent, size):
                story.down_sent += 1

    def send_item(self, side: Side, id: int, serial: int, size: int) -> bool:
        if not side.core.may_send_item(id):
            return False
        side.core.item(id, serial.to_bytes(4, "big") + bytes(size))
        return True

    @precondition(lambda self: not self.over)
    @rule(of=sides, choice=choices, size=sizes, count=st.integers(1, 12), up=st.booleans())
    def flow(self, of: bool, choice: int, size: int, count: int, up: bool) -> None:
        """A stream as it usually goes: items are read, used, and credit comes back."""
        (self.item_up if up else self.item_down)(of, choice, size, count)
        self.pump(first=not of)
        self.consume(not of, choice, count)
        self.pump(first=not of)

    @precondition(lambda self: not self.over)
    @rule(of=sides, choice=choices)
    def end(self, of: bool, choice: int) -> None:
        side = self.both[of]
        story = pick([one for one in self.open(side) if one.shape > 1 and not self.is_done(one)], choice)
        if story is not None:
            side.core.end(story.id)
            story.ended = True

    @precondition(lambda self: not self.over)
    @rule(of=sides, choice=choices)
    def cancel(self, of: bool, choice: int) -> None:
        side = self.both[of]
        story = pick([one for one in self.open(side) if not one.cancelled], choice)
        if story is not None:
            side.core.cancel(story.id)
            story.cancelled = True

    @precondition(lambda self: not self.over)
    @rule(of=sides, choice=choices, size=sizes, gives=st.integers(0, 1))
    def result(self, of: bool, choice: int, size: int, gives: int) -> None:
        side = self.both[of]
        story = pick([one for one in side.taken if one.answer is None], choice)
        if story is not None:
            story.returned = [side.exports.allocate(object()) for _ in range(gives)]
            side.core.result(story.id, bytes(size))
            story.answer = frames.Result

    @precondition(lambda self: not self.over)
    @rule(of=sides, choice=choices, code=st.sampled_from([ErrorCode.CANCELLED, ErrorCode.INTERNAL]))
    def error(self, of: bool, choice: int, code: ErrorCode) -> None:
        side = self.both[of]
        story = pick([one for one in side.taken if one.answer is None], choice)
        if story is not None:
            side.core.error(story.id, code, bytes(8) if code is ErrorCode.INTERNAL else None)
            story.answer = frames.Error
            for reference in story.references:
                side.imports.forget(reference)

    @precondition(lambda self: not self.over)
    @rule(of=sides, choice=choices, count=st.integers(1, 5))
    def consume(self, of: bool, choice: int, count: int) -> None:
        side = self.both[of]
        for _ in range(min(count, len(side.unused))):
            side.core.consume(*side.unused.pop(choice % len(side.unused)))

    @precondition(lambda self: not self.over)
    @rule(of=sides, choice=choices)
    def release(self, of: bool, choice: int) -> None:
        side = self.both[of]
        reference = pick(sorted(side.imports._held), choice)
        if reference is not None:
            assert side.imports.forget(reference)
            side.core.release(reference)

    @precondition(lambda self: not self.over)
    @rule(of=sides)
    def ping(self, of: bool) -> None:
        side = self.both[of]
        if not side.core.ping_outstanding:
            side.core.ping()
            side.pings += 1

    @precondition(lambda self: not self.over)
    @rule(of=sides, final=st.booleans(), rarely=st.integers(0, 3))
    def leave(self, of: bool, final: bool, rarely: int) -> None:
        core = self.both[of].core
        if rarely or core.said_last or (not final and core._sent_goaway is not None):
            return
        core.goaway(core.last_in if final else LARGEST_INTEGER)

    @precondition(lambda self: not self.over and len(self.stories) > 3)
    @rule(of=sides, rarely=st.integers(0, 3), at=choices)
    def cut(self, of: bool, rarely: int, at: int) -> None:
        """The link ends, after any byte of what is under way."""
        if rarely:
            return
        self.over = True
        for side in self.both:
            if side.pipe:
                count = at % len(side.pipe)
                self.read(self.other(side), bytes(side.pipe[:count]))
        for side in self.both:
            partial = side.core.partial
            [event] = side.core.receive_eof()
            if partial:
                assert isinstance(event, Failed)
                assert event.violation.clause == "FRAME-8"
            else:
                assert isinstance(event, EndOfInput)
            side.core.shut()
            assert not side.core.has_output

    @precondition(lambda self: not self.over and len(self.stories) > 3)
    @rule(of=sides, rarely=st.integers(0, 3))
    def abort(self, of: bool, rarely: int) -> None:
        """One side leaves at once: the other one reads why, and nothing behind it."""
        if rarely:
            return
        self.over = True
        side, other = self.both[of], self.other(self.both[of])
        was_open = other.core.state is State.OPEN or side.core.state is State.OPEN
        last = side.core.last_in
        side.core.abort(ErrorCode.UNAVAILABLE)
        self.take(of, 2**40)
        self.deliver(of, 2**40)
        assert side.core.state is State.CLOSED
        if was_open:
            assert other.core.state is State.CLOSED
            assert not any(other.core.is_open(one.id) for one in other.made if one.id > last)

    @precondition(lambda self: self.over)
    @rule(of=sides, data=st.binary(max_size=40))
    def nothing_more(self, of: bool, data: bytes) -> None:
        """A session that is over reads nothing, says nothing, and takes no call (LEAVE-6)."""
        core = self.both[of].core
        if core.state is State.CLOSED:
            assert core.receive(data) == []
            assert not core.may_call(0)
            core.goaway()
            core.release(1)
            assert core.take(2**40) == []

    # --- what the users are told --------------------------------------------------------------------------

    def open(self, side: Side) -> list[Story]:
        return [one for one in side.made if side.core.is_open(one.id)]

    @staticmethod
    def is_done(story: Story) -> bool:
        return story.ended or story.cancelled

    def on_opened(self, side: Side, event: Opened) -> None:
        assert event.limits == self.other(side).core.limits

    def on_auth(self, side: Side, event: frames.Auth) -> None:
        assert not side.judges
        assert event == frames.Auth("token", self.other(side).proof or b"")
        side.judges = side.holds = True
        side.rounds += 1

    def on_challenge(self, side: Side, event: frames.Challenge) -> None:
        assert side.proof is not None
        assert side.challenge is None
        side.challenge = event.data

    def on_accepted(self, side: Side, event: frames.Accepted) -> None:
        assert side.proof is not None
        assert side.challenge is None
        side.proof = None

    def on_call(self, side: Side, event: frames.Call) -> None:
        story = self.stories[event.id]
        assert not side.holds
        assert not story.taken
        assert not story.dropped
        assert not story.gone
        assert event.shape == story.shape
        story.taken = True
        if isinstance(event.target, tuple):
            side.exports.get(event.target[0])
        for reference in story.references:
            side.imports.received(reference)
        side.taken.append(story)

    def on_item(self, side: Side, event: frames.Item) -> None:
        story, serial = self.stories[event.id], int.from_bytes(event.body[:4], "big")
        side.unused.append((event.id, len(event.body)))
        if story in side.made:
            assert not story.terminals
            assert serial == story.down_got
            story.down_got += 1
        else:
            assert story.taken
            assert story.answer is not frames.Error
            assert not story.caller_was_heard
            assert serial == story.up_got
            story.up_got += 1

    def on_end(self, side: Side, event: frames.End | frames.Cancel) -> None:
        story = self.stories[event.id]
        assert story.taken
        if story.answer is not frames.Error and not story.caller_was_heard:
            assert story.up_got == story.up_sent
        story.caller_was_heard = True

    on_cancel = on_end

    def on_result(self, side: Side, event: frames.Result | frames.Error) -> None:
        story = self.stories[event.id]
        story.terminals += 1
        assert (story.terminals, story.answer) == (1, type(event))
        assert story.down_got == story.down_sent
        if isinstance(event, frames.Error):
            side.exports.kill(story.references, held=side.holds)
        for reference in story.returned:
            side.imports.received(reference)

    on_error = on_result

    def on_credit(self, side: Side, event: frames.Credit) -> None:
        assert event.more > 0

    def on_pong(self, side: Side, event: frames.Pong) -> None:
        side.pongs += 1
        assert event.counter == side.pongs == side.pings

    def on_release(self, side: Side, event: frames.Release) -> None:
        side.exports.release(event.reference)

    def on_goaway(self, side: Side, event: frames.Goaway) -> None:
        side.goaways += 1
        for story in side.made:
            if story.id > event.last and not story.gone:
                assert not story.taken
                assert not story.terminals
                story.gone = True
                side.exports.kill(story.references, held=side.holds)

    # --- what holds at any time, and at the end -----------------------------------------------------------

    @invariant()
    def balances_hold(self) -> None:
        if self.over or not hasattr(self, "both"):
            return
        largest = max(SIZES) + 4 + ITEM_OVERHEAD
        for side in self.both:
            core, limits = side.core, self.other(side).core.limits
            assert core.authenticating is (side.proof is not None)
            assert core.peer_authenticating is side.holds
            assert -largest < core._balance <= limits.session_credit
            assert -largest < core._granted.granted
            for call in (*core._out.values(), *core._in.values()):
                assert -largest < call.balance <= limits.stream_credit
                assert call.incoming is None or -largest < call.incoming.granted
            assert core.calls_out <= core.peer_limits.calls_in_flight
            assert core.calls_in <= core.limits.calls_in_flight
            assert core.state is not State.CLOSED

    def teardown(self) -> None:
        """Whoever is left finishes what is under way; then nothing may be left."""
        if self.over or self.failed or not hasattr(self, "both"):
            return
        for _ in range(40):
            self.pump(first=False)
            for of, side in enumerate(self.both):
                if side.judges:
                    self.accept(bool(of))
                if side.challenge is not None:
                    self.authenticate(bool(of), 0)
                self.consume(bool(of), 0, 10_000)
                while any(one.answer is None for one in side.taken):
                    self.result(bool(of), 0, 0, 0)
                while any(one.shape > 1 and not self.is_done(one) for one in self.open(side)):
                    self.end(bool(of), 0)
            busy = (side.core.has_output or side.pipe or side.unused or side.proof for side in self.both)
            if not any(busy):
                break
        else:
            raise AssertionError("it does not end")
        for side in self.both:
            core, other = side.core, self.other(side).core
            assert (core.calls_out, core.calls_in, core._out_bytes, core._in_bytes) == (0, 0, 0, 0)
            assert (core.queued, core.partial, core._outbox.terminals) == (0, 0, 0)
            assert core._balance == other._granted.granted > 0
            assert core._balance + other._granted.unreturned == other.limits.session_credit
            assert side.pongs == side.pings
            assert all(one.gone or (one.terminals == 1 and one.taken is not one.dropped) for one in side.made)
            assert all(
                one.up_got == one.up_sent for one in side.made if not one.gone and one.answer is frames.Result
            )
            # what one gave and did not get back is what the other one holds
            assert self.other(side).imports._held == set(side.exports._given)


TestTwoCores = TwoCores.TestCase
# What fails is shown as it was found: to make it shorter takes longer than a test may.
TestTwoCores.settings = settings(
    max_examples=100,
    stateful_step_count=60,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
