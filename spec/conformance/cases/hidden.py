"""Nothing hidden: a closed world of bytes, canaries that are never seen, ambient credentials without effect.

Every case of every chapter is searched for secrets and has each byte of the target accounted for. These are the cases
that provoke a leak, that look at both sides of a session, and that tempt with what must not count.
"""

from __future__ import annotations

from typing import Any

from ..case import (
    Activity,
    Case,
    Closed,
    Connect,
    Describe,
    Expect,
    Goaway,
    Never,
    Open,
    Plain,
    Proof,
    Refused,
    Report,
    Send,
)
from ..frames import (
    ALICE,
    APPLICATION,
    BAD_ARGUMENTS,
    DEFAULTS,
    DENIED,
    INTERNAL,
    PROTOCOL,
    UNAUTHENTICATED,
    UNKNOWN_TARGET,
    accepted,
    auth,
    call,
    cancel,
    challenge,
    end,
    error,
    hello,
    item,
    limits_map,
    ping,
    pong,
    release,
    result,
)
from ..launch import ROUNDS_SCHEME, SCHEME
from ..parts import ANY, Body, Frame, Key, Map, Mine, Part, Secret, Tag, Yours
from ..roles import ALL_LINKS, MESSAGE_LINKS, STREAM_LINKS, TLS_LINKS
from ..writing import ACCEPTOR, INITIATOR, answered, call_by, called, case, chapter

HOSTING = ("hosting",)
STREAMS = ("hosting", "server-streams", "client-streams")
AUTHENTICATED = ("hosting", "authentication", "credentials")
REFERENCE = 41_991
MANY = 64  # calls, where a field is watched over many frames

# ---------------------------------------------------------------- canaries that an answer could leak


def _provoked() -> list[Case]:
    rows: tuple[tuple[str, str, str, Frame, Frame], ...] = (
        (
            "crash",
            "ERR-4 ERR-2",
            "The message of an exception that is not declared, which is a canary, stays where it was raised.",
            call("crash"),
            error(INTERNAL),
        ),
        (
            "cause",
            "ERR-4 ERR-2",
            "A declared exception crosses without its cause.",
            call("fail", "no more", 7),
            error(APPLICATION, body=Body(("Refused", "no more", Map((("number", 7),))))),
        ),
        (
            "default",
            "CALL-10",
            "A default argument is used, and is not told.",
            call("default"),
            result(32),
        ),
        (
            "argument.positional",
            "ERR-4",
            "An argument of the wrong type, which is a proof, is not repeated.",
            call("integer", Secret("bob")),
            error(BAD_ARGUMENTS),
        ),
        (
            "argument.named",
            "ERR-4",
            "A named argument of the wrong type, which is a proof, is not repeated.",
            call("add", 1, named=(("b", Secret("bob")),)),
            error(BAD_ARGUMENTS),
        ),
        (
            "argument.inside",
            "ERR-4",
            "A field of the wrong type, which is a proof, is not repeated.",
            call("record", Map((("id", Secret("bob")),))),
            error(BAD_ARGUMENTS),
        ),
        (
            "argument.too-many",
            "ERR-4",
            "An argument that is one too many, and is a proof, is not repeated.",
            call("echo", 1, Secret("bob")),
            error(BAD_ARGUMENTS),
        ),
        (
            "argument.broken",
            "ERR-4 VAL-1",
            "A body that is a proof and no CBOR is not repeated.",
            call("echo", body=Secret("bob")),
            error(BAD_ARGUMENTS),
        ),
        (
            "target",
            "CALL-11 ERR-2",
            "A target that is not hosted is not repeated.",
            call("nothing.that.is.hosted"),
            error(UNKNOWN_TARGET, body=None),
        ),
    )
    return [
        answered(
            f"hidden.canary.{name}",
            clauses,
            says,
            sent,
            expected,
            features=HOSTING,
            planted=name in ("crash", "cause", "default"),
        )
        for name, clauses, says, sent, expected in rows
    ]


def _proofs() -> list[Case]:
    """What a proof could leak into: all answers to it, and to what follows."""
    rows: tuple[tuple[str, str, str, tuple[Frame, ...], tuple[Frame, ...]], ...] = (
        (
            "auth",
            "AUTH-2 ERR-4",
            "A proof that is accepted is not seen again, in no answer and in no error.",
            (auth(), call("crash"), call("echo", 1, id=Mine(2))),
            (accepted(), error(INTERNAL), result(1, id=Mine(2))),
        ),
        (
            "credential",
            "AUTH-9 ERR-4",
            "The credential of a call is not seen again.",
            (
                call("echo", 1, credential=(SCHEME, ALICE)),
                call("crash", id=Mine(2), credential=(SCHEME, ALICE)),
            ),
            (result(1), error(INTERNAL, id=Mine(2))),
        ),
        (
            "credential.wrong",
            "AUTH-9 ERR-4",
            "A credential that is refused is not repeated, nor a scheme that is not known.",
            (
                call("echo", 1, credential=(SCHEME, Secret("wrong"))),
                call("echo", 1, id=Mine(2), credential=("other.example", Secret("alice"))),
            ),
            (error(UNAUTHENTICATED, body=None), error(UNAUTHENTICATED, id=Mine(2), body=None)),
        ),
        (
            "denied",
            "CALL-11 ERR-4",
            "Who is denied learns the code and nothing else.",
            (auth(Secret("nobody")), call("echo", 1)),
            (accepted(), error(DENIED, body=None)),
        ),
        (
            "rounds",
            "AUTH-2 AUTH-3",
            "A CHALLENGE holds what its scheme says, and nothing of the proof.",
            (auth(Secret("alice", b"\x01"), ROUNDS_SCHEME),),
            (challenge(b"\x00"),),
        ),
    )
    made = [
        answered(
            f"hidden.proof.{name}",
            clauses,
            says,
            sent,
            *expected,
            setup="guarded",
            features=AUTHENTICATED,
        )
        for name, clauses, says, sent, expected in rows
    ]
    return [
        *made,
        case(
            "hidden.proof.wrong",
            "AUTH-5 ERR-4",
            "A proof that is refused is not repeated: the GOAWAY has a code and nothing else.",
            Open(),
            Send((auth(Secret("wrong")),)),
            outcomes=Goaway((UNAUTHENTICATED,), last=(0,)),
            setup="guarded",
            features=("authentication",),
        ),
    ]


# ---------------------------------------------------------------- what is there, and must not count

# What an HTTP request can bring along that others take for an identity, or for an address that may do more.
AMBIENT: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("cookie", "A cookie", (("Cookie", "session={canary:cookie}; token={canary:cookie}"),)),
    (
        "authorization.bearer",
        "An authorization header",
        (("Authorization", "Bearer {canary:authorization}"),),
    ),
    ("authorization.basic", "Basic authorization", (("Authorization", "Basic {canary:authorization}"),)),
    (
        "proxy-authorization",
        "An authorization for proxies",
        (("Proxy-Authorization", "Basic {canary:authorization}"),),
    ),
    ("api-key", "A header with a key", (("X-Api-Key", "{canary:authorization}"),)),
    (
        "forwarded",
        "A header that names another address",
        (("Forwarded", "for=127.0.0.1;proto=https"), ("X-Forwarded-For", "127.0.0.1")),
    ),
    (
        "client-certificate",
        "A header that claims a client certificate",
        (("X-Client-Cert", "{canary:client-certificate}"), ("X-SSL-Client-Verify", "SUCCESS")),
    ),
)


# The header of version 2: a connection over TCP and IPv4 from 127.0.0.1 to 127.0.0.1.
PROXY_2 = bytes.fromhex("0d0a0d0a000d0a515549540a 21 11 000c 7f000001 7f000001 0001 0002")


def _ambient() -> list[Case]:
    """The same call gets the same answer with it and without it, whoever may call."""
    found: list[Case] = []
    for name, what, headers in AMBIENT:
        how = Connect(headers=headers)
        fields: dict[str, Any] = {"roles": ACCEPTOR, "links": MESSAGE_LINKS, "connect": how}
        found += [
            answered(
                f"hidden.ambient.{name}.guarded",
                "WS-6 AUTH-11",
                f"{what} gives nobody an identity: a call without AUTH is refused as ever.",
                call("echo", 1),
                error(UNAUTHENTICATED, body=None),
                setup="guarded",
                features=("authentication",),
                **fields,
            ),
            answered(
                f"hidden.ambient.{name}.open",
                "WS-6 AUTH-11",
                f"{what} changes no answer.",
                (call("echo", 1), call("nothing", id=Mine(2))),
                result(1),
                error(UNKNOWN_TARGET, id=Mine(2), body=None),
                **fields,
            ),
            answered(
                f"hidden.ambient.{name}.with-proof",
                "WS-6 AUTH-11 AUTH-7",
                f"{what} does not count beside a proof: who is denied stays denied.",
                (auth(Secret("nobody")), call("echo", 1)),
                accepted(),
                error(DENIED, body=None),
                setup="guarded",
                features=("authentication",),
                **fields,
            ),
        ]
    certificate = Connect(certificate="client")
    for setup, answer in (("guarded", error(UNAUTHENTICATED, body=None)), ("open", result(1))):
        found.append(
            answered(
                f"hidden.ambient.tls-certificate.{setup}",
                "AUTH-11 AUTH-1",
                "A TLS client certificate without AUTH changes no answer.",
                call("echo", 1),
                answer,
                setup=setup,
                connect=certificate,
                roles=ACCEPTOR,
                links=TLS_LINKS,
                features=("authentication",) if setup == "guarded" else (),
            )
        )
    return [
        *found,
        answered(
            "hidden.ambient.address",
            "AUTH-11 AUTH-1",
            "Neither a loopback address nor the user at the other end of a Unix socket is an identity.",
            call("echo", 1),
            error(UNAUTHENTICATED, body=None),
            setup="guarded",
            features=("hosting", "authentication"),
        ),
        case(
            "hidden.ambient.origin",
            "WS-7 WS-6",
            "An origin that is not listed stays out, whatever cookies and authorization it brings along.",
            outcomes=Refused((403,)),
            connect=Connect(
                origin="https://elsewhere.example",
                headers=(("Cookie", "a={canary:cookie}"), ("Authorization", "Bearer {canary:authorization}")),
            ),
            roles=ACCEPTOR,
            links=MESSAGE_LINKS,
            features=("origins",),
        ),
        *(
            case(
                f"hidden.ambient.proxy.{name}",
                "LINK-7 LINK-1",
                f"A PROXY header of version {version}, of which the listener was not told, is refused.",
                Plain(header),
                outcomes=(Goaway((PROTOCOL,), last=(0,)), Closed()),
                roles=ACCEPTOR,
                links=STREAM_LINKS,
            )
            for name, version, header in (
                ("text", 1, b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n"),
                ("binary", 2, PROXY_2),
            )
        ),
        case(
            "hidden.query.refused",
            "WS-6",
            "A query in the target of the request is refused, and not repeated.",
            outcomes=Refused((400,)),
            connect=Connect(path="/?token={canary:url-query}"),
            roles=ACCEPTOR,
            links=MESSAGE_LINKS,
        ),
    ]


def _urls() -> list[Case]:
    """An initiator refuses what could hold a secret in a URL, and repeats none of it."""
    rows = (
        ("user", "A user name", "{scheme}://{canary:url-user}@{address}"),
        ("password", "A user name and a password", "{scheme}://user:{canary:url-user}@{address}"),
        ("query", "A query", "{url}?token={canary:url-query}"),
        ("fragment", "A fragment", "{url}#{canary:url-query}"),
    )
    return [
        case(
            f"hidden.url.{name}",
            "LINK-8",
            f"{what} in a URL is refused before a connection is made.",
            outcomes=Never(),
            activity=Activity(url=url, do="call", arguments=(1,)),
            reports=(Report(outcome="refused"),),
            roles=INITIATOR,
            links=tuple(each for each in ALL_LINKS if each != "unix"),
            probe=False,
        )
        for name, what, url in rows
    ]


def _dialled() -> list[Case]:
    """What an initiator is offered in the WebSocket handshake, and must not keep, use or send back."""
    return [
        called(
            "hidden.dialled.cookie",
            "WS-6",
            "A cookie that is set by the answer is not kept: the next handshake has none.",
            call_by("echo", 1),
            Expect((call("echo", 1, id=Yours(1)),)),
            Send((result(1, id=Yours(1)),)),
            reports=Report(outcome="result", value=1),
            connect=Connect(headers=(("Set-Cookie", "session={canary:cookie}; Path=/; Max-Age=3600"),)),
            links=MESSAGE_LINKS,
        ),
        case(
            "hidden.dialled.asked",
            "WS-6 WS-3",
            "An answer that asks for credentials gets none.",
            outcomes=Refused((401,)),
            connect=Connect(status=401, headers=(("WWW-Authenticate", 'Basic realm="a"'),)),
            activity=Activity(do="call", arguments=(1,), auth=Proof(SCHEME, ALICE)),
            reports=(Report(outcome="no-link"),),
            roles=INITIATOR,
            links=MESSAGE_LINKS,
            features=("authentication",),
        ),
        called(
            "hidden.dialled.proof",
            "AUTH-2 AUTH-8",
            "A proof is sent in AUTH, once, and nowhere else.",
            call_by("echo", 1, auth=Proof(SCHEME, ALICE)),
            Expect((auth(),)),
            Send((accepted(),)),
            Expect((call("echo", 1, id=Yours(1)),)),
            Send((result(1, id=Yours(1)),)),
            reports=Report(outcome="result", value=1),
            setup="guarded",
            features=("authentication",),
            closed_world=True,
        ),
        called(
            "hidden.dialled.credential",
            "AUTH-9",
            "The credential of a call is sent with that call, and nowhere else.",
            call_by("echo", 1, credential=Proof(SCHEME, ALICE)),
            Expect((call("echo", 1, id=Yours(1), credential=(SCHEME, ALICE)),)),
            Send((result(1, id=Yours(1)),)),
            reports=Report(outcome="result", value=1),
            setup="guarded",
            features=("credentials",),
            closed_world=True,
        ),
    ]


# ---------------------------------------------------------------- every byte of both sides


def _calls(count: int, method: str, *arguments: Part, start: int = 1) -> tuple[Frame, ...]:
    return tuple(call(method, *arguments, id=Mine(start + number)) for number in range(count))


RECORD = Map((("id", 3), ("note", "n")))
BACKWARDS = Map((("z", 1), ("m", Map((("b", 1), ("a", 2)))), ("a", 3)))

STRUCTURE = (
    case(
        "hidden.structure.calls",
        "HEAD-1 FRAME-6 VAL-20 CALL-1 ERR-2",
        "A session of calls with every kind of answer: every byte of both sides is accounted for.",
        Open(),
        Send(
            (
                call("echo", BACKWARDS),
                call("fail", "no more", 7, id=Mine(2)),
                call("crash", id=Mine(3)),
                call("nothing", id=Mine(4)),
                call("text", 1, id=Mine(5)),
                call("record", RECORD, id=Mine(6)),
            )
        ),
        Expect((result(BACKWARDS),)),
        Expect((error(APPLICATION, id=Mine(2), body=Body(("Refused", "no more", Map((("number", 7),))))),)),
        Expect((error(INTERNAL, id=Mine(3)),)),
        Expect((error(UNKNOWN_TARGET, id=Mine(4), body=None),)),
        Expect((error(BAD_ARGUMENTS, id=Mine(5)),)),
        Expect((result(RECORD, id=Mine(6)),)),
        features=HOSTING,
        closed_world=True,
    ),
    case(
        "hidden.structure.streams",
        "FRAME-6 STREAM-3 CREDIT-5 VAL-20",
        "A session of streams both ways: every byte of both sides is accounted for.",
        Open(),
        Send((call("produce", 8, 300, shape=1),)),
        *(Expect((item(bytes(300)),)) for _ in range(8)),
        Expect((result(None),)),
        Send(
            (
                call("sum", id=Mine(2), shape=2),
                *(item(number, id=Mine(2)) for number in range(8)),
                end(Mine(2)),
                call("each", id=Mine(3), shape=3),
                *(item(number, id=Mine(3)) for number in range(8)),
                end(Mine(3)),
            )
        ),
        Expect((result(28, id=Mine(2)),)),
        *(Expect((item(number, id=Mine(3)),)) for number in range(8)),
        Expect((result(None, id=Mine(3)),)),
        features=STREAMS,
        closed_world=True,
    ),
    case(
        "hidden.structure.references",
        "REF-1 VAL-16",
        "References that are given one after the other have ids that count: none is left out.",
        Open(),
        *(
            step
            for number in range(1, 9)
            for step in (
                Send((call("give", Key(), id=Mine(number)),)),
                Expect((result(Tag(REFERENCE, Yours(number)), id=Mine(number)),)),
            )
        ),
        Send(tuple(release(Yours(number)) for number in range(1, 9))),
        features=("hosting", "references"),
        closed_world=True,
    ),
    case(
        "hidden.structure.hello",
        "HELLO-5 FRAME-7",
        "The limits of HELLO are those that were asked for, each time, with no bit to spare.",
        Send((hello(),)),
        Expect((hello(),)),
        features=("limits",),
        roles=ACCEPTOR,
        closed_world=True,
    ),
    case(
        "hidden.structure.hello.initiator",
        "HELLO-5 FRAME-7",
        "The limits of HELLO are those that were asked for, each time, with no bit to spare.",
        Expect((Frame(0, (ANY, limits_map(DEFAULTS))),)),
        Send((hello(),)),
        features=("limits",),
        roles=INITIATOR,
        closed_world=True,
    ),
    called(
        "hidden.structure.caller",
        "CALL-1 CALL-10 HEAD-1",
        "Many calls of an initiator: the ids count, and every byte is that of the call.",
        call_by("echo", "x", times=16),
        *(Expect((call("echo", "x", id=Yours(number)),)) for number in range(1, 17)),
        Send(tuple(result("x", id=Yours(number)) for number in range(1, 17))),
        reports=Report(outcome="several"),
        closed_world=True,
    ),
    called(
        "hidden.structure.context",
        "CTX-1 CTX-3",
        "The context of a call holds what the user has set, and nothing else.",
        call_by("echo", 1, trace=(bytes(range(1, 17)).hex(), bytes(range(1, 9)).hex(), 1)),
        Expect(
            (
                Frame(
                    5,
                    (
                        Yours(1),
                        0,
                        "Conformance.echo",
                        Map(((2, (bytes(range(1, 17)), ANY, 1)),)),
                        None,
                        Body(((1,), Map(()))),
                    ),
                ),
            )
        ),
        Send((result(1, id=Yours(1)),)),
        reports=Report(outcome="result"),
        closed_world=True,
    ),
    answered(
        "hidden.structure.map-order",
        "VAL-7 VAL-20",
        "The keys of a map come back in the order in which they came, each time.",
        _calls(16, "echo", BACKWARDS),
        *(result(BACKWARDS, id=Mine(number)) for number in range(1, 17)),
        features=HOSTING,
        closed_world=True,
    ),
    answered(
        "hidden.structure.record-order",
        "VAL-20 VAL-21",
        "The fields of a record have one order, each time.",
        _calls(16, "record", RECORD),
        *(result(RECORD, id=Mine(number)) for number in range(1, 17)),
        features=HOSTING,
        closed_world=True,
    ),
)

CAPACITY = (
    answered(
        "hidden.capacity.answers",
        "VAL-20 CALL-6 HEAD-1",
        "The answers to many calls that are alike are alike: there is no field that varies.",
        _calls(MANY, "add", 1, 2),
        *(result(3, id=Mine(number)) for number in range(1, MANY + 1)),
        features=HOSTING,
        closed_world=True,
    ),
    answered(
        "hidden.capacity.errors",
        "ERR-2 HEAD-1",
        "The errors of many calls that are alike are alike.",
        _calls(MANY, "fail", "no", 1),
        *(
            error(APPLICATION, id=Mine(number), body=Body(("Refused", "no", Map((("number", 1),)))))
            for number in range(1, MANY + 1)
        ),
        features=HOSTING,
        closed_world=True,
    ),
    case(
        "hidden.capacity.pings",
        "KEEP-1 KEEP-2 HEAD-1",
        "Many PINGs get their PONGs, with the counter and nothing else.",
        Open(),
        *(step for number in range(1, MANY + 1) for step in (Send((ping(number),)), Expect((pong(number),)))),
        closed_world=True,
    ),
    called(
        "hidden.capacity.caller",
        "CALL-1 CALL-10 CTX-1",
        "The calls of an initiator that are alike are alike but for their ids.",
        call_by("add", 1, 2, times=MANY),
        *(Expect((call("add", 1, 2, id=Yours(number)),)) for number in range(1, MANY + 1)),
        Send(tuple(result(3, id=Yours(number)) for number in range(1, MANY + 1))),
        reports=Report(outcome="several"),
        closed_world=True,
    ),
)

CASES = chapter(
    "nothing hidden",
    STRUCTURE,
    CAPACITY,
    _provoked(),
    case(
        "hidden.canary.stream",
        "ERR-4 ERR-2",
        "A stream that breaks off with an exception that is not declared tells nothing of it.",
        Open(),
        Send((call("breaks", 2, shape=1),)),
        Expect((item(1),)),
        Expect((item(2),)),
        Expect((error(INTERNAL),)),
        features=("hosting", "server-streams"),
        closed_world=True,
        planted=True,
    ),
    case(
        "hidden.canary.describe",
        "DESCRIBE-2 DESCRIBE-3",
        "What is told of an interface holds no default argument, and nothing of what runs it.",
        Open(),
        Describe(),
        features=("hosting", "describe"),
        closed_world=True,
        planted=True,
    ),
    case(
        "hidden.canary.cancelled",
        "ERR-2 CANCEL-3",
        "A call that is cancelled tells its code and nothing else.",
        Open(),
        Send((call("linger", Key(), 0.0), cancel())),
        Expect((error(1, body=None),)),
        features=HOSTING,
        closed_world=True,
    ),
    _proofs(),
    _ambient(),
    _urls(),
    _dialled(),
)
