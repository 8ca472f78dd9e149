"""Frames in which one thing is wrong, at a place where they would be legal without it (sections 4.1 to 4.3).

Where a frame is not due in any case, a target that repairs it refuses it all the same, and nobody sees that it does.
"""

from __future__ import annotations

from ..case import Activity, Case, Expect, Open, Proof, Send, Silence, Step
from ..frames import ALICE, BOTH_WAYS, FIRST, LEAST, auth, call, given, hello, item, ping, result
from ..launch import SCHEME
from ..parts import Body, Frame, Key, Mine, Raw, Yours
from ..roles import Role
from ..writing import ACCEPTOR, INITIATOR, PROTOCOL_ERROR, case, chapter, refused
from .usual import BOTH_STREAMS, CALLED_BACK, HOLDING, HOSTING, LET_GO, REFERENCES, WAITING, ran

THEIRS = Yours(1)
GIVEN = (Open(), Send((call("give", Key()),)), Expect((result(given(THEIRS)),)))
ECHOING = (Open(), Send((call("each", shape=BOTH_WAYS), item("x"))), Expect((item("x"),)))
PROVING = {"activity": Activity(auth=Proof(SCHEME, ALICE)), "roles": INITIATOR}


def _more(name: str, word: str, sent: Frame, *before: Step, **fields: object) -> Case:
    """A frame with one element too many, where it is due."""
    says = f"{word} with one element too many, where it is due."
    frame = Frame(sent.kind, (*sent.elements, None))
    return case(
        f"frame.arity.due.{name}",
        "FRAME-5",
        says,
        *before,
        Send((frame,)),
        **{"outcomes": PROTOCOL_ERROR, **fields},  # type: ignore[arg-type]
    )


def _role(role: Role) -> tuple[Role, ...]:
    return ACCEPTOR if role is Role.ACCEPTOR else INITIATOR


def _on_reference(name: str, says: str, clause: str, before: str, behind: str = "") -> list[Case]:
    """A CALL on a reference that was given, whose target is written as it is here around the reference's id."""
    return [
        refused(
            f"{name}.{role}",
            clause,
            says,
            call(target=Raw(bytes.fromhex(f"{before} {id:02x} 60 {behind}")), id=Mine(2)),
            before=GIVEN,
            outcomes=ran(1),
            features=REFERENCES,
            roles=_role(role),
        )
        for role, id in ((Role.ACCEPTOR, 2), (Role.INITIATOR, 1))
    ]


CASES = chapter(
    "framing",
    _more("cancel", "A CANCEL", Frame(8, (FIRST,)), *WAITING, outcomes=ran(1), features=HOSTING),
    _more("item", "An ITEM", item("x"), *HOLDING, outcomes=ran(1), features=BOTH_STREAMS),
    _more("end", "An END", Frame(10, (FIRST,)), *ECHOING, outcomes=ran(1), features=BOTH_STREAMS),
    _more("release", "A RELEASE", Frame(15, (THEIRS,)), *GIVEN, outcomes=ran(1), features=REFERENCES),
    _more("pong", "A PONG", Frame(13, (1,)), Open(limits=LEAST), Silence(), Expect((ping(1),))),
    *(
        _more(
            name,
            word,
            sent,
            *CALLED_BACK,
            outcomes=ran(1),
            allow=LET_GO,
            features=REFERENCES,
        )
        for name, word, sent in (
            ("result", "A RESULT", Frame(6, (THEIRS, Body("v")))),
            ("error", "An ERROR", Frame(7, (THEIRS, 10, None))),
        )
    ),
    _more("challenge", "A CHALLENGE", Frame(2, (b"x",)), Open(), Expect((auth(),)), **PROVING),
    _more("accepted", "ACCEPTED", Frame(3), Open(), Expect((auth(),)), **PROVING),
) + chapter(
    "headers",
    *(
        refused(
            f"head.long.due.{name}",
            "HEAD-1",
            f"A CREDIT of {value:,} bytes, written in more bytes than it needs.",
            Frame(11, (0, Raw(bytes.fromhex(written)))),
        )
        for name, value, written in (
            ("one-byte", 23, "1817"),
            ("two-bytes", 255, "1900ff"),
            ("three-bytes", 65_535, "1a0000ffff"),
            ("five-bytes", 100_000, "1b00000000000186a0"),
        )
    ),
    refused(
        "head.long.due.version",
        "HEAD-1 HELLO-6",
        "A version of 2^32-1 in nine bytes, beside one that is spoken.",
        hello((1, Raw(bytes.fromhex("1b00000000ffffffff")))),
        before=(),
        roles=ACCEPTOR,
    ),
    _on_reference(
        "head.long.due.reference",
        "The count of a target of two elements is written in two bytes; the reference was given.",
        "HEAD-1",
        "9802",
    ),
    _on_reference(
        "head.indefinite.due.reference",
        "A target of two elements is of indefinite length; the reference was given.",
        "HEAD-5",
        "9f",
        "ff",
    ),
    refused(
        "head.text.due.method",
        "HEAD-4 CALL-3",
        "A method with a space, of a reference that was given.",
        call(target=(THEIRS, "a b"), id=Mine(2)),
        before=GIVEN,
        outcomes=ran(1),
        features=REFERENCES,
    ),
)
