"""The commands, their options, and what becomes of their mistakes.

The commands themselves are imported when they run: `--version`, `--help` and shell completion stay quick.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from .failure import Exit, Failure, of_defect, of_library
from .options import count, seconds
from .output import complain, line, writing

HELP: Final = """Calls between programs over TCP and WebSocket, with nothing hidden.

Begin with: graftwire demo"""

# What typer raises for a mistake on the command line: its base has no public name that all versions share.
MISTAKE: Final[type[Exception]] = typer.BadParameter.__mro__[2]

app: Final = typer.Typer(
    name="graftwire",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help reads well at every width, and in a file
    context_settings={"help_option_names": ["-h", "--help"]},
)

audit: Final = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.add_typer(audit, name="audit", short_help="Check an audit log.")

Json = Annotated[bool, typer.Option("--json", help="Write JSON, one value a line, for scripts.")]
Bodies = Annotated[
    bool, typer.Option("--bodies", help="Show what is in bodies too; they may hold private data.")
]
Ca = Annotated[
    str | None,
    typer.Option(
        "--ca", metavar="FILE", help="Trust the authorities in this PEM file in place of the public ones."
    ),
]
Cert = Annotated[str | None, typer.Option("--cert", metavar="FILE", help="The certificate to show, in PEM.")]
Key = Annotated[str | None, typer.Option("--key", metavar="FILE", help="The key of the certificate, in PEM.")]
PlainProofs = Annotated[
    bool,
    typer.Option("--plain-proofs", help="Let proofs of identity cross links that do not protect them."),
]
Origins = Annotated[
    list[str] | None,
    typer.Option(
        "--origin", metavar="ORIGIN", help="Let browsers from this origin connect. May be given again."
    ),
]
KeyFile = Annotated[
    str | None, typer.Option("--file", metavar="FILE", help="The file of the keys' hashes (needed).")
]
AllowUntyped = Annotated[
    bool, typer.Option("--allow-untyped", help="Let what has no annotation take and give everything.")
]
Services = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODULE:CLASS",
        help="What to host; NAME=MODULE:CLASS hosts it under another name, MODULE all its public classes.",
    ),
]
Config = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Read this file; without it ./graftwire.toml, if nothing to host is named.",
    ),
]
Listen = Annotated[
    list[str] | None,
    typer.Option(
        "--listen", metavar="URL", help="Listen here (needed); port 0: a free one. May be given again."
    ),
]


def _example(text: str) -> str:
    return f"\b\nFor example:\n  {text}"


def _show_version(wanted: bool) -> None:
    if wanted:
        from graftwire.protocol.connection import VERSION

        try:
            number = version("graftwire")
        except PackageNotFoundError:
            number = "(not installed)"
        line(f"graftwire {number} (protocol {VERSION})")
        raise typer.Exit


@app.callback(help=HELP)
def graftwire(
    context: typer.Context,
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """What runs before every command, and shows the help where there is none."""
    if context.invoked_subcommand is None:
        line(context.get_help())


@app.command(short_help="See it: real calls, and the frames that they send.")
def demo(json: Json = False) -> None:
    """Show real calls over tcp, tls, ws and wss, how long they take, their frames, and who may call what."""
    from .demo import demo

    demo(as_json=json)


@app.command(
    short_help="Host classes of yours.",
    epilog=_example(
        "graftwire serve shop:Invoices --listen tcp://localhost:7400 --auth anonymous"
        "\n  graftwire serve shop:Invoices --listen tls://localhost:7443 --cert gateway.pem --key gateway.key \\"
        "\n      --auth api-keys:keys.json --allow roles --audit audit.jsonl"
    ),
)
def serve(
    services: Services = None,
    config: Config = None,
    listen: Listen = None,
    auth: Annotated[
        list[str] | None,
        typer.Option(
            "--auth",
            metavar="NAME[:TEXT]",
            help="Who may call (needed): anonymous, api-keys:FILE, jwt:FILE, hmac:FILE, mtls:FILE. May be given again.",
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow",
            metavar="NAME[:TEXT]",
            help="What they may call: roles[:FILE], any-identity, everyone, casbin:MODEL,POLICY. All have to allow it.",
        ),
    ] = None,
    audit: Annotated[
        list[str] | None,
        typer.Option(
            "--audit", metavar="FILE", help="Keep a record of each decision here. May be given again."
        ),
    ] = None,
    audit_failure: Annotated[
        str | None,
        typer.Option(
            "--audit-failure",
            metavar="WHAT",
            help="Where a record can't be kept: `refuse` the call (as without this), or `count`.",
        ),
    ] = None,
    plain_proofs: PlainProofs = False,
    cert: Cert = None,
    key: Key = None,
    client_ca: Annotated[
        str | None,
        typer.Option(
            "--client-ca", metavar="FILE", help="Let in only callers with a certificate of these authorities."
        ),
    ] = None,
    origin: Origins = None,
    detect: Annotated[
        bool, typer.Option("--detect", help="Tell framed, TLS and WebSocket callers apart on each port.")
    ] = False,
    drain: Annotated[
        float | None,
        typer.Option(
            "--drain",
            metavar="SECONDS",
            parser=seconds("--drain", 0),
            help="What running calls get at the end.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            parser=count("--workers"),
            help="Run N gateway processes on the same addresses, to use as many cores; 1 without it.",
        ),
    ] = None,
    allow_untyped: AllowUntyped = False,
    json: Json = False,
) -> None:
    """Host classes of yours until Ctrl-C or SIGTERM; prints `listening URL` for each address when all are up."""
    from .serve import loader, serve

    flags = {
        "gateway.listen": listen,
        "gateway.workers": workers,
        "gateway.drain": drain,
        "gateway.allow-untyped": allow_untyped or None,
        "gateway.detect": detect or None,
        "gateway.tls.certificate": cert,
        "gateway.tls.key": key,
        "gateway.tls.client-ca": client_ca,
        "gateway.websocket.origins": origin,
        "security.auth": auth,
        "security.allow": allow,
        "security.plain-proofs": plain_proofs or None,
        "audit.sinks": audit,
        "audit.on-failure": audit_failure,
    }
    serve(loader(config, services or [], flags), as_json=json)


@app.command(
    short_help="Say what a configuration will expose, to whom, and what of it is unsafe.",
    epilog=_example("graftwire check --config graftwire.toml"),
)
def check(config: Config = None, json: Json = False) -> None:
    """Say what a configuration will expose, to whom, where and with which TLS; starts nothing, listens nowhere.

    Ends with exit code 2 for what is unsafe or wrong.
    """
    from .check import check
    from .serve import loader

    check(loader(config, [], {}), as_json=json)


@app.command(
    short_help="Make one call.",
    epilog=_example("graftwire call tcp://localhost:7400 Invoices.total '\"ACME\"' 1200"),
    context_settings={"ignore_unknown_options": True},  # so that -5 is an argument; call.py refuses the rest
)
def call(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to call, as in tcp://localhost:7400.")],
    target: Annotated[str, typer.Argument(metavar="CLASS.METHOD", help="What to call.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARG", help="The arguments, each as JSON.")
    ] = None,
    named: Annotated[
        list[str] | None,
        typer.Option("--named", metavar="NAME=JSON", help="An argument by name. May be given again."),
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="The method gives a stream: one JSON value a line.")
    ] = False,
    items: Annotated[
        str | None,
        typer.Option(
            "--items", metavar="FILE", help="The method takes a stream: one JSON value a line (-: stdin)."
        ),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(
            "--deadline",
            metavar="SECONDS",
            parser=seconds("--deadline"),
            help="Give up after this, connecting included.",
        ),
    ] = None,
    retry: Annotated[
        int,
        typer.Option(
            "--retry",
            metavar="N",
            parser=count("--retry"),
            help="Try again up to N times what surely did not run.",
        ),
    ] = 0,
    credential: Annotated[
        str | None,
        typer.Option(
            "--credential",
            metavar="NAME[:TEXT]",
            help="Prove who calls: api-key:file:PATH, bearer:file:PATH (or env:NAME), hmac:FILE, mtls.",
        ),
    ] = None,
    plain_proofs: PlainProofs = False,
    proxy: Annotated[
        str | None,
        typer.Option("--proxy", metavar="URL", help="Go out through this proxy: http, socks5 or socks5h."),
    ] = None,
    proxy_login: Annotated[
        str | None,
        typer.Option(
            "--proxy-login", metavar="SOURCE", help="Where its user:password is: `file:PATH` or `env:NAME`."
        ),
    ] = None,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    json: Annotated[bool, typer.Option("--json", help="Say in JSON what went wrong, too.")] = False,
) -> None:
    """Make one call; prints its result as JSON."""
    from .call import Request, call

    call(
        Request(url, target, arguments or [], named or [], items, stream=stream),
        deadline=deadline,
        retry=retry,
        credential=credential,
        plain_proofs=plain_proofs,
        proxy=proxy,
        proxy_login=proxy_login,
        ca=ca,
        cert=cert,
        key=key,
    )


@app.command(
    short_help="Decode frames from hex, a file or a pipe.",
    epilog=_example("graftwire inspect --hex '0000 0003 820c 01'"),
)
def inspect(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="Frames as bytes or as hex digits (-: standard input)."),
    ] = None,
    hex: Annotated[str | None, typer.Option("--hex", metavar="TEXT", help="Frames as hex digits.")] = None,
    bodies: Bodies = False,
    json: Json = False,
) -> None:
    """Decode frames to diagnostic notation, and name the clause that a bad one breaks."""
    from .inspection import inspect

    inspect(file, hex, bodies=bodies, as_json=json)


@app.command(
    short_help="Show the frames that pass between two.",
    epilog=_example("graftwire tap --listen tcp://localhost:7401 --to tcp://localhost:7400"),
)
def tap(
    listen: Annotated[
        str | None,
        typer.Option("--listen", metavar="URL", help="Where callers connect (needed); port 0: a free one."),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="URL", help="Where their bytes go (needed).")
    ] = None,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    origin: Origins = None,
    bodies: Bodies = False,
    json: Json = False,
) -> None:
    """Pass bytes through unchanged, and show the frames in them as they go by."""
    from .tap import tap

    tap(listen, to, ca, cert, key, origin or [], bodies=bodies, as_json=json)


key_app: Final = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(
    key_app,
    name="key",
    short_help="Make, list and revoke API keys.",
)


@key_app.callback(
    help="Make, list and revoke API keys, for `serve --auth api-keys:FILE`. The file holds only hashes of them."
)
def key_group(context: typer.Context) -> None:
    """What runs before its commands, and shows the help where there is none."""
    if context.invoked_subcommand is None:
        line(context.get_help())


@key_app.command(
    "new",
    short_help="Make a key.",
    epilog=_example("graftwire key new --file keys.json --subject billing --role reader --expires 90d"),
)
def key_new(
    file: KeyFile = None,
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="NAME", help="Whom the key is for (needed).")
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option("--role", metavar="ROLE", help="A role of theirs. May be given again.")
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires", metavar="TIME", help="When it ends, from now, as in 90d, 12h; never without it."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make a key and print it, once: the file, which is made where there is none, keeps only a hash."""
    from .keys import new

    new(file, subject, role or [], expires, as_json=json)


@key_app.command("list", short_help="Show what is known of the keys.")
def key_list(file: KeyFile = None, json: Json = False) -> None:
    """Show the id, the subject, the roles and the state of each key; the keys themselves are nowhere."""
    from .keys import show

    show(file, as_json=json)


@key_app.command(
    "revoke",
    short_help="End a key.",
    epilog=_example("graftwire key revoke --file keys.json abcdefgh2345"),
)
def key_revoke(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="The id of the key: the 12 characters after gw_.")
    ],
    file: KeyFile = None,
    json: Json = False,
) -> None:
    """Revoke a key. Gateways that run take it over within a second."""
    from .keys import withdraw

    withdraw(file, name, as_json=json)


@audit.callback(help="Check an audit log.")
def audit_group(context: typer.Context) -> None:
    """What runs before its commands, and shows the help where there is none."""
    if context.invoked_subcommand is None:
        line(context.get_help())


@audit.command(
    "verify",
    short_help="Whether its lines still hang together.",
    epilog=_example("graftwire audit verify audit.jsonl audit.jsonl.*"),
)
def audit_verify(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="All files of the log, in any order.")],
    expect: Annotated[
        str | None,
        typer.Option(
            "--expect",
            metavar="HASH",
            help="The last hash of an earlier check; its line has to be there. Without it, a cut end does not show.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check that no line of a log was changed, removed, put in or moved; prints the number and hash of the last."""
    from .audit import verify

    verify(files, expect, as_json=json)


class _ShowsByDefault(TyperGroup):
    """A group whose command is `show` where none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer does it, after the name was put in."""
        named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else ["show", *args])


metadata: Final = typer.Typer(
    cls=_ShowsByDefault,
    rich_markup_mode=None,
    help="Show what of an interface is known outside, or what a change of it means for callers.",
    short_help="Show what of an interface is known outside; compare two.",
    epilog=_example(
        "graftwire metadata shop:Invoices\n  graftwire metadata shop:Invoices --cbor --output invoices.cbor"
        "\n  graftwire metadata diff invoices.cbor shop:Invoices"
    ),
)
app.add_typer(metadata, name="metadata")


@metadata.command(short_help="Show it (what happens without a command).")
def show(
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="MODULE:CLASS, MODULE, or a file that was written here before."),
    ],
    cbor: Annotated[bool, typer.Option("--cbor", help="Write the very bytes that are shared.")] = False,
    output: Annotated[
        str | None, typer.Option("--output", metavar="FILE", help="Write to this file.")
    ] = None,
    allow_untyped: AllowUntyped = False,
    json: Json = False,
) -> None:
    """Show exactly what of an interface is known outside: as text, as JSON, or as the bytes that are shared."""
    from .metadata import show

    show(what, output, cbor=cbor, as_json=json, allow_untyped=allow_untyped)


@metadata.command(short_help="Say which changes break callers.")
def diff(
    old: Annotated[
        str, typer.Argument(metavar="OLD", help="What callers were made from, as WHAT or a file of it.")
    ],
    new: Annotated[str, typer.Argument(metavar="NEW", help="What they would talk to.")],
    allow_untyped: AllowUntyped = False,
    json: Json = False,
) -> None:
    """Say what has changed, and what of it breaks callers; then the exit code is 1."""
    from .metadata import diff

    diff(old, new, as_json=json, allow_untyped=allow_untyped)


@app.command(
    short_help="Test an implementation against the standard.",
    epilog=_example(
        "graftwire conform -- graftwire reference"
        "\n  graftwire conform tcp://localhost:7400 --case 'frame.*'"
        "\n  graftwire conform --role initiator --link wss -- node target.js"
    ),
)
def conform(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="URL | -- COMMAND", help="A peer that runs, or the command that starts a target."
        ),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role", metavar="ROLE", help="Test it as acceptor or initiator (both). May be given again."
        ),
    ] = None,
    link: Annotated[
        list[str] | None,
        typer.Option(
            "--link", metavar="LINK", help="tcp, tls, ws, wss or unix (all five). May be given again."
        ),
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option(
            "--case", metavar="ID", help="These cases alone; * stands for anything. May be given again."
        ),
    ] = None,
    chapter: Annotated[
        list[str] | None,
        typer.Option(
            "--chapter", metavar="NAME", help="The cases of this chapter alone. May be given again."
        ),
    ] = None,
    must_only: Annotated[
        bool, typer.Option("--must-only", help="Leave out what the standard only recommends.")
    ] = False,
    repeat: Annotated[
        int,
        typer.Option(
            "--repeat",
            metavar="N",
            parser=count("--repeat"),
            help="Play each case N times; the worst counts.",
        ),
    ] = 1,
    jobs: Annotated[
        int, typer.Option("--jobs", metavar="N", parser=count("--jobs"), help="Play so many cases at a time.")
    ] = 12,
    ca: Ca = None,
    implements: Annotated[
        str | None, typer.Option("--implements", metavar="FILE", help="What the target implements.")
    ] = None,
    known_failures: Annotated[
        str | None,
        typer.Option(
            "--known-failures", metavar="FILE", help="What is known to fail; what passes of it fails the run."
        ),
    ] = None,
    html: Annotated[
        str | None,
        typer.Option("--html", metavar="FILE", help="Write a report for people: one page, complete."),
    ] = None,
    junit: Annotated[
        str | None, typer.Option("--junit", metavar="FILE", help="Write a report in JUnit XML, for CI.")
    ] = None,
    jsonl: Annotated[
        str | None, typer.Option("--jsonl", metavar="FILE", help="Write each result as a line of JSON.")
    ] = None,
    badge: Annotated[
        str | None, typer.Option("--badge", metavar="FILE", help="Write a badge, as an SVG picture.")
    ] = None,
    report: Annotated[
        str | None,
        typer.Option("--report", metavar="DIR", help="Write all four reports into this directory."),
    ] = None,
    list_only: Annotated[
        bool, typer.Option("--list", help="List the cases that are chosen, one a line.")
    ] = False,
    clauses_only: Annotated[
        bool,
        typer.Option(
            "--clauses", help="List the clauses of the standard with the cases that prove each, one a line."
        ),
    ] = False,
    corpus: Annotated[
        str | None,
        typer.Option(
            "--corpus",
            metavar="DIR",
            help="Write what the chosen cases send into this directory, for a fuzzer.",
        ),
    ] = None,
    print_only: Annotated[
        str | None,
        typer.Option(
            "--print-only",
            metavar="ID",
            help="Show the exact bytes of a case; play it when Enter is pressed.",
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Play the cases of the conformance suite against an implementation, and say what breaks the standard."""
    from .conform import conform, outputs_of

    return conform(
        words or [],
        roles=role or [],
        links=link or [],
        cases=case or [],
        chapters=chapter or [],
        must_only=must_only,
        repeat=max(repeat, 1),
        jobs=max(jobs, 1),
        ca=ca,
        implements=implements,
        known_failures=known_failures,
        outputs=outputs_of(html, junit, jsonl, badge, report),
        list_only=list_only,
        clauses_only=clauses_only,
        corpus=corpus,
        print_only=print_only,
        as_json=json,
    )


@app.command(
    short_help="Be a target of the conformance suite.",
    epilog=_example("graftwire conform -- graftwire reference"),
)
def reference() -> int:
    """Be a target of the conformance suite that is Graftwire itself; started by `graftwire conform`."""
    from graftwire.conformance.reference.program import main

    return main()


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code; what `graftwire.cli.main` does once typer is there."""
    as_json = "--json" in arguments
    logging.getLogger("graftwire").addHandler(
        logging.NullHandler()
    )  # `serve` alone shows what the library logs
    try:
        if sys.stdout is None:  # what follows would be opened in its place
            raise Failure("standard output is closed; send it to /dev/null if nobody is to see it")
        code = app(list(arguments), prog_name="graftwire", standalone_mode=False)
        with writing():
            sys.stdout.flush()
        return code if isinstance(code, int) else Exit.DONE
    except Failure as failure:
        complain(failure, as_json=as_json)
        return failure.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except MISTAKE as mistake:
        complain(Failure(_usage(mistake, arguments)), as_json=as_json)
        return Exit.USAGE
    except SystemExit as wanted:  # how typer ends after shell completion, and where nobody reads its help
        return wanted.code if isinstance(wanted.code, int) else Exit.DONE
    except Exception as error:  # noqa: BLE001 - a user never gets a traceback
        return _unexpected(error, as_json=as_json)


def _unexpected(error: Exception, *, as_json: bool) -> int:
    """What no command has turned into a sentence: an error of the library, a closed pipe, or a defect."""
    from graftwire import Error

    failure = of_library(error) if isinstance(error, Error) else of_defect(error)
    complain(failure, as_json=as_json)
    return failure.code


def _commands_of(arguments: Sequence[str]) -> list[str]:
    """The command that the first words name, and the one within it where there is one."""
    found: list[str] = []
    group: object = typer.main.get_command(app)
    for word in arguments:
        commands: dict[str, object] = getattr(group, "commands", {})
        if word not in commands:
            break
        found.append(word)
        group = commands[word]
    return found


def _usage(mistake: Exception, arguments: Sequence[str]) -> str:
    """A message of typer's in the form of all our sentences, without the value that it may repeat."""
    formatted: Callable[[], str] = getattr(mistake, "format_message", mistake.__str__)
    message = " ".join(formatted().rstrip(". ").split())
    if message.startswith("Got unexpected extra"):
        message = "There are too many arguments"
    message = (message[:1].lower() + message[1:]).replace(". Did you mean", ", did you mean")
    context: typer.Context | None = getattr(mistake, "ctx", None)
    # there is none where an option lacks its value
    command = " ".join(["graftwire", *_commands_of(arguments)]) if context is None else context.command_path
    return message if message.endswith("?") else f"{message}; see {command} --help"
