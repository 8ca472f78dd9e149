"""What a case is: frozen data, that the runner plays, the documentation lists, and tests feed to the core.

A case opens a link to a target (or has it dial), takes its steps in their order, and then looks at how things stand:
that has to be one of its `outcomes`. Every frame of the target has to be awaited by an `Expect`, be allowed by `allow`,
or be one that a peer may send at any time (CREDIT, PING in order, the PONG to a PING, the GOAWAY of the outcome); and
every frame has to be in the grammar. What is not awaited fails the case.
"""

from __future__ import annotations

from typing import Final

import msgspec

from .launch import INTERFACE
from .parts import Frame, Part, Piece
from .roles import ALL_LINKS, BOTH, Level, Link, Role

# ---------------------------------------------------------------- how the link comes about


class Connect(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """How the runner makes or takes the link, where that is not as the standard wants it.

    `bare`: the plain TCP (or Unix) connection, without TLS and without a WebSocket handshake; steps then write to it
    what they like, and what comes is not read as frames. TLS: `alpn` offers (or, as acceptor, selects) these names;
    `tls` bounds the versions, as in ("1.2", "1.2"); `certificate` names what the runner shows: "server", "other-
    name", "expired", "other-authority", "client", or None. WebSocket, as initiator: `path`, `subprotocols`, `origin`,
    `extensions`, `headers` of the request, or `request`: all of it as it is here, with {host} and {key} in it; as
    acceptor, `path` and `origin` that the request has to have, and of its answer: `status`, `subprotocols` (the first
    one is selected), `extensions`, `headers`, `accept` (in the place of the right Sec-WebSocket-Accept), or `answer`:
    all of it as it is here.
    """

    bare: bool = False
    alpn: tuple[str, ...] = ("graftwire/1",)
    tls: tuple[str, str] = ("1.2", "1.3")
    certificate: str | None = None
    path: str = "/"
    subprotocols: tuple[str, ...] = ("graftwire.1",)
    origin: str | None = None
    extensions: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    request: str = ""
    status: int = 101
    accept: str = ""
    answer: str = ""


# ---------------------------------------------------------------- steps


class Open(msgspec.Struct, frozen=True, tag=True):
    """Exchange HELLOs as the standard says, in either role. `more` is written together with the runner's HELLO.

    `limits` are the six values that the runner announces, None: the defaults.
    """

    limits: tuple[int, int, int, int, int, int] | None = None
    more: tuple[Piece, ...] = ()


class Send(msgspec.Struct, frozen=True, tag=True):
    """Write these pieces, one behind the other, in one go; on WebSocket as one message, where they fit in one.

    `cuts`: positions at which writing is cut, negative ones from the end, each cut a write (on WebSocket: a fragment)
    of its own; `every`: cut after every so many bytes; `pause`: seconds between the writes; `apart`: each piece a
    write, and a message, of its own. A target may end the session meanwhile: then the rest is not written.
    """

    pieces: tuple[Piece, ...]
    cuts: tuple[int, ...] = ()
    every: int = 0
    pause: float = 0.0
    apart: bool = False


class Expect(msgspec.Struct, frozen=True, tag=True):
    """Wait for a frame that is one of these; frames that come before it and are not, are kept for later steps.

    `times`: so many of them. `behind`: only one that came behind the frame that was awaited before it
    will do, and behind the PONG where that was a `Settle`.
    """

    frames: tuple[Frame, ...]
    times: int = 1
    behind: bool = False


class Settle(msgspec.Struct, frozen=True, tag=True):
    """PING, and wait for the PONG: whatever was written before has been read by then, and the session lives."""


class Pause(msgspec.Struct, frozen=True, tag=True):
    """Do nothing for so many seconds: for bounds of time alone, never in the hope that something will have happened."""

    seconds: float


class HalfClose(msgspec.Struct, frozen=True, tag=True):
    """Say that nothing more will be written: FIN, close_notify and FIN, or a WebSocket Close with this code."""

    code: int = 1000


class Cut(msgspec.Struct, frozen=True, tag=True):
    """End the connection without a word: no close_notify, no Close. `reset`: with a TCP RST."""

    reset: bool = False


class Text(msgspec.Struct, frozen=True, tag=True):
    """WebSocket only: a text message."""

    text: str


class WebSocketFrame(msgspec.Struct, frozen=True, tag=True):
    """WebSocket only: one frame as it is here. `masked` None: as the runner's role has to."""

    opcode: int
    payload: bytes = b""
    final: bool = True
    reserved: int = 0
    masked: bool | None = None


class ExpectPong(msgspec.Struct, frozen=True, tag=True):
    """WebSocket only: wait for a pong of WebSocket with this payload."""

    payload: bytes = b""


class Plain(msgspec.Struct, frozen=True, tag=True):
    """Bytes below the framing of the link: onto a `bare` connection, or between WebSocket frames."""

    data: bytes
    times: int = 1


class Silence(msgspec.Struct, frozen=True, tag=True):
    """From now on, the runner answers no PING by itself."""


class Deaf(msgspec.Struct, frozen=True, tag=True):
    """From now on, the runner reads nothing; `reading` True: it reads again."""

    reading: bool = False


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Have the target leave in peace: the command `drain` for an acceptor, `leave` for an initiator."""


class Check(msgspec.Struct, frozen=True, tag=True):
    """A unary call in a session of its own, whose RESULT has to be this; asked again for a second until it is.

    As a step, or after the end (`Case.checks`). `method` is one of the hosted interface.
    """

    method: str
    arguments: tuple[Part, ...]
    result: Part


class Describe(msgspec.Struct, frozen=True, tag=True):
    """Call graftwire.describe, and once more for each digest that it gives; the runner's first call here is `first`."""

    first: int = 1


class Crowd(msgspec.Struct, frozen=True, tag=True):
    """So many further links to an acceptor, each with these pieces written to it; they stay open to the end of it all.

    `bare` as in `Connect`; `leave`: each is closed at once, without a word.
    """

    count: int
    pieces: tuple[Piece, ...] = ()
    bare: bool = False
    leave: bool = False


Step = (
    Open
    | Send
    | Expect
    | Settle
    | Pause
    | HalfClose
    | Cut
    | Text
    | WebSocketFrame
    | ExpectPong
    | Plain
    | Silence
    | Deaf
    | Drain
    | Check
    | Describe
    | Crowd
)

# ---------------------------------------------------------------- how it may end


class Goaway(msgspec.Struct, frozen=True, tag=True):
    """The target ends the session with GOAWAY, and then the link. `last`: the last ids that it may name.

    `orderly` False: the link need not end as LINK-6 says, with close_notify or a Close frame.
    """

    codes: tuple[int, ...]
    last: tuple[Part, ...] = ()
    orderly: bool = True


class Closed(msgspec.Struct, frozen=True, tag=True):
    """The target ends the link and says no GOAWAY with an error. `codes`: those of a WebSocket Close that may come.

    `orderly` as in `Goaway`.
    """

    codes: tuple[int, ...] = ()
    orderly: bool = True


class Alive(msgspec.Struct, frozen=True, tag=True):
    """The session lives: a PING gets its PONG."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """No link comes about. `statuses`: those of HTTP that say so, where there is a WebSocket handshake."""

    statuses: tuple[int, ...] = ()


class Never(msgspec.Struct, frozen=True, tag=True):
    """The initiator does not even dial."""


Outcome = Goaway | Closed | Alive | Refused | Never

# ---------------------------------------------------------------- what an initiator is asked to do, and says of it


class Proof(msgspec.Struct, frozen=True, tag=True):
    """A proof to give: its scheme, and what it is."""

    scheme: str
    proof: Part


class Activity(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What an initiator under test is asked to do: see TARGETS.md.

    `url` changes the URL: `{url}` is the right one, `{scheme}` what stands before its colon, and `{address}` what
    stands behind the slashes (behind the colon where there are none), without a slash at its end.
    """

    do: str = "hold"
    target: str = "Conformance.echo"
    arguments: tuple[Part, ...] = ()
    auth: Proof | None = None
    credential: Proof | None = None
    deadline: float | None = None
    cancel_after: float | None = None
    take: int | None = None
    stay: bool = False
    times: int = 1
    items: tuple[Part, ...] = ()
    then: tuple[tuple[Part, ...], ...] = ()
    trace: tuple[str, str, int] | None = None
    origin: str | None = None
    url: str = "{url}"


class Report(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What an initiator may say of its activity; what is None or empty here is not looked at.

    `ran` True: it must not say that no user code ran.
    """

    outcome: str
    value: Part | None = None
    codes: tuple[str, ...] = ()
    ran: bool | None = None
    items: tuple[Part, ...] | None = None
    called: int | None = None


HOLD: Final = Activity()

# ---------------------------------------------------------------- what it may cost


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What a case may cost the target at most, by the accounts of the operating system (usage.py): None is no bound.

    `memory`: bytes at the peak beyond those before. `cpu`: seconds of processor time, generous, because it is there to
    tell a flood that costs the flooder from one that costs the target, and not a fast machine from a slow one. `files`:
    that are open afterwards beyond those before. `unaided`: they are looked at while the links of a crowd are still
    open at the runner's end, so the target has to close them by itself. `close`: seconds from the last step to the end
    of the link.
    """

    memory: int | None = None
    cpu: float | None = None
    files: int | None = None
    unaided: bool = False
    close: float | None = None


# ---------------------------------------------------------------- the case


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the standard asks of a peer, and how to see whether it does it.

    `id` is for ever: never changed, never given to another case (`cases/ids.txt` remembers). `clauses` are those of
    spec/PROTOCOL.md that it proves, the main one first; `says` is one sentence. `roles` are those of the target that it
    is for: with both, the very same steps are taken from the other end, and the ids in them follow. `since` is the
    protocol version. `features` and `setup` say what the target has to have and to be (TARGETS.md, setups.py). `within`
    bounds it all, in seconds, connecting included; `probe`: a fresh session must work afterwards. `alone`: the target
    is started for this case, and ended after it. `closed_world`: the runner, too, keeps to the standard, and every byte
    of both sides is accounted for (structure.py). `once`: it has nothing to do with the link, and is played on one of
    them. `planted`: it looks for a canary that a target plants. `costs` are bounds of what an `alone` case may cost.
    """

    id: str
    chapter: str
    clauses: tuple[str, ...]
    says: str
    level: Level = Level.MUST
    roles: tuple[Role, ...] = BOTH
    links: tuple[Link, ...] = ALL_LINKS
    since: int = 1
    features: tuple[str, ...] = ()
    setup: str = "open"
    connect: Connect = Connect()
    activity: Activity = HOLD
    steps: tuple[Step, ...] = ()
    outcomes: tuple[Outcome, ...]
    reports: tuple[Report, ...] = ()
    allow: tuple[Frame, ...] = ()
    checks: tuple[Check, ...] = ()
    within: float = 5.0
    probe: bool = True
    alone: bool = False
    closed_world: bool = False
    once: bool = False
    planted: bool = False
    costs: Costs | None = None

    @property
    def calls(self) -> bool:
        """Whether it calls the interface that targets host, beside the probe at its end."""
        checks = self.checks or any(isinstance(each, Check) for each in self.steps)
        return bool(checks) or f"{INTERFACE}." in repr(self.steps)
