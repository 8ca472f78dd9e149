"""What carries the bytes: TLS, the ends of links, and the URLs that name them (section 17.1)."""

from __future__ import annotations

from ..case import (
    Activity,
    Check,
    Closed,
    Connect,
    Cut,
    Expect,
    Goaway,
    HalfClose,
    Never,
    Open,
    Plain,
    Refused,
    Report,
    Send,
    Settle,
)
from ..frames import PROTOCOL, any_call, call, goaway, hello, raw
from ..parts import Key
from ..roles import MESSAGE_LINKS, TLS_LINKS, Level, Link
from ..writing import ACCEPTOR, INITIATOR, call_by, case, chapter

FRAMED_TLS = (Link.TLS,)
NETWORK = (Link.TCP, Link.TLS, Link.WS, Link.WSS)
NO_LINK = (Report(outcome="no-link"),)
HANDSHAKES = (Link.TLS, Link.WS, Link.WSS)

CASES = chapter(
    "links",
    # --- ALPN
    *(
        case(
            f"tls.alpn.{name}",
            "LINK-3",
            says,
            Send((hello(),)),
            outcomes=(Refused(), Closed()),
            connect=Connect(alpn=names),
            links=FRAMED_TLS,
            roles=ACCEPTOR,
        )
        for name, names, says in (
            (
                "none",
                (),
                "A TLS handshake that offers no ALPN name is refused, or its link closed without a frame.",
            ),
            ("other", ("h2", "http/1.1"), "A TLS handshake that offers other ALPN names is refused."),
            ("next", ("graftwire/2",), "A TLS handshake that offers a framing that there is not is refused."),
        )
    ),
    case(
        "tls.alpn.selected",
        "LINK-3",
        "The name graftwire/1 is offered alone, and selected.",
        Open(),
        links=FRAMED_TLS,
    ),
    case(
        "tls.alpn.not-selected",
        "LINK-3",
        "An initiator writes nothing to an acceptor that did not select graftwire/1, and closes.",
        outcomes=(Closed(), Refused()),
        connect=Connect(alpn=()),
        activity=call_by("echo", 1),
        reports=NO_LINK,
        links=FRAMED_TLS,
        roles=INITIATOR,
    ),
    # --- versions, early data
    case(
        "tls.version.1.1",
        "LINK-4",
        "TLS 1.1 is refused.",
        outcomes=(Refused(), Closed()),
        connect=Connect(tls=("1.1", "1.1")),
        links=TLS_LINKS,
        reports=NO_LINK,
    ),
    case(
        "tls.version.1.2",
        "LINK-4",
        "TLS 1.2 is taken.",
        Open(),
        connect=Connect(tls=("1.2", "1.2")),
        links=TLS_LINKS,
    ),
    case(
        "tls.version.1.3",
        "LINK-4",
        "TLS 1.3 is spoken.",
        Open(),
        connect=Connect(tls=("1.3", "1.3")),
        level=Level.SHOULD,
        links=TLS_LINKS,
    ),
    case(
        "tls.early-data",
        "LINK-4",
        "Neither a session ticket nor a ClientHello offers early data.",
        Open(),
        Settle(),
        connect=Connect(tls=("1.3", "1.3")),
        links=TLS_LINKS,
    ),
    # --- certificates
    *(
        case(
            f"tls.certificate.{name}",
            "LINK-4",
            says,
            outcomes=(Refused(), Closed()),
            connect=Connect(certificate=name),
            activity=call_by("echo", 1),
            reports=NO_LINK,
            links=TLS_LINKS,
            roles=INITIATOR,
        )
        for name, says in (
            (
                "other-name",
                "An initiator writes nothing to an acceptor whose certificate is for another name.",
            ),
            ("expired", "An initiator writes nothing to an acceptor whose certificate has expired."),
            (
                "other-authority",
                "An initiator writes nothing to an acceptor whose authority it does not trust.",
            ),
        )
    ),
    case(
        "tls.certificate.other-name.1.2",
        "LINK-4",
        "The name is verified with TLS 1.2, too.",
        outcomes=(Refused(), Closed()),
        connect=Connect(certificate="other-name", tls=("1.2", "1.2")),
        reports=NO_LINK,
        links=TLS_LINKS,
        roles=INITIATOR,
    ),
    # --- what is no TLS
    *(
        case(
            f"tls.plain.{name}",
            "LINK-4",
            says,
            Plain(data),
            outcomes=Closed(),
            connect=Connect(bare=True),
            links=TLS_LINKS,
            roles=ACCEPTOR,
        )
        for name, data, says in (
            ("frame", b"\0\0\0\x25\x83\0\x81\1\xa6", "A frame without TLS, where TLS is due."),
            ("http", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP without TLS, where TLS is due."),
        )
    ),
    case(
        "tls.plain.acceptor",
        "LINK-4",
        "An initiator that dials TLS and hears something else sends no frame, and closes.",
        Plain(b"\0\0\0\x25\x83\0\x81\1\xa6"),
        outcomes=Closed(),
        connect=Connect(bare=True),
        reports=NO_LINK,
        links=TLS_LINKS,
        roles=INITIATOR,
    ),
    case(
        "link.handshake.silence",
        "HELLO-10",
        "Who connects and says nothing at all does not stay.",
        outcomes=Closed(),
        connect=Connect(bare=True),
        level=Level.SHOULD,
        setup="hasty",
        features=("bounds",),
        reports=NO_LINK,
        links=HANDSHAKES,
    ),
    # --- how links end
    case(
        "link.end.in-peace",
        "LINK-6 LEAVE-9",
        "A link whose session ends in peace ends in order: close_notify, or a Close frame.",
        Open(),
        Send((goaway(0),)),
        HalfClose(),
        outcomes=Closed(),
    ),
    case(
        "link.end.after-an-error",
        "LINK-6 LEAVE-4 FRAME-2",
        "A link whose session ends with an error ends in order, too, behind the GOAWAY.",
        Open(),
        Send((raw("00000000"),)),
        outcomes=Goaway((PROTOCOL,), last=(0,)),
    ),
    case(
        "link.cut.receiver",
        "LINK-6 LEAVE-9",
        "A link that is cut off without close_notify or Close ends the session, and what runs for it is cancelled.",
        Open(),
        Send((call("wait", Key()),)),
        Check("running", (Key(),), 1),
        Cut(),
        outcomes=Closed(),
        checks=(Check("running", (Key(),), 0), Check("cancelled", (Key(),), 1)),
        features=("hosting",),
    ),
    case(
        "link.cut.caller",
        "LINK-6 LEAVE-9",
        "A call whose link is cut off fails, of unknown fate: its caller is not told that nothing ran.",
        Open(),
        Expect((any_call("wait"),)),
        Cut(),
        outcomes=Closed(),
        activity=call_by("wait", "k"),
        reports=(Report(outcome="error", codes=("unavailable",), ran=True),),
        roles=INITIATOR,
    ),
    case(
        "link.cut.idle",
        "LINK-6",
        "A session that is cut off while nothing is open is over.",
        Open(),
        Cut(),
        outcomes=Closed(),
        reports=(Report(outcome="ended"),),
    ),
    # --- URLs
    *(
        case(
            f"url.{name}",
            "LINK-8",
            says,
            outcomes=Never(),
            activity=Activity(url=url),
            reports=(Report(outcome="refused"),),
            links=links,
            roles=INITIATOR,
        )
        for name, url, links, says in (
            (
                "user",
                "{scheme}://alice@{address}",
                NETWORK,
                "A URL with a user name is refused before anybody dials.",
            ),
            (
                "password",
                "{scheme}://alice:secret@{address}",
                NETWORK,
                "A URL with a password is refused before anybody dials.",
            ),
            (
                "password.alone",
                "{scheme}://:secret@{address}",
                NETWORK,
                "A URL with a password and no user name.",
            ),
            ("query", "{url}?token=secret", None, "A URL with a query is refused before anybody dials."),
            ("fragment", "{url}#secret", None, "A URL with a fragment is refused before anybody dials."),
        )
        for links in (links or (*NETWORK, Link.UNIX),)
    ),
    case(
        "url.path",
        "LINK-8 WS-6",
        "The path of the URL is that of the request.",
        Open(),
        activity=Activity(url="{url}gateway/one"),
        connect=Connect(path="/gateway/one"),
        links=MESSAGE_LINKS,
        roles=INITIATOR,
    ),
    case(
        "url.no-path",
        "LINK-8",
        "Without a path, that of the request is /.",
        Open(),
        activity=Activity(url="{scheme}://{address}"),
        links=MESSAGE_LINKS,
        roles=INITIATOR,
    ),
)
