"""The security options of `serve` and `call`, between real processes: who may call, what, and who learns what."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from . import office as furniture
from .conftest import Done, Running, apart, as_nobody, running

TCP = ("--listen", "tcp://127.0.0.1:0")
TLS = ("--listen", "tls://127.0.0.1:0", "--cert", "gateway.pem", "--key", "gateway.key")
CA = ("--ca", "ca.pem")
KEYS = ("--auth", "api-keys:keys.json")
CLERK = ("--credential", "api-key:file:clerk.key")
GUEST = ("--credential", "api-key:file:guest.key")
PRESS = ("--cert", "press.pem", "--key", "press.key")

# Whatever is bound says so on standard error: a mistake has to be told before that.
WATCH = (
    "import sys\n"
    "sys.addaudithook(lambda event, _: event == 'socket.bind' and print('bound', file=sys.stderr, flush=True))"
)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("office")
    furniture.furnish(folder)
    return folder


@contextmanager
def serving(office: Path, *options: str, before: str = "") -> Iterator[tuple[Running, str]]:
    """`graftwire serve` with the invoices, and its address."""
    with running("serve", "office:Invoices", *options, cwd=office, before=before) as served:
        yield served, served.address()


def call(office: Path, url: str, target: str, *options: str, env: dict[str, str] | None = None) -> Done:
    arguments = () if target.endswith("who") else ('"ACME"',)
    return apart("call", url, target, *arguments, *options, cwd=office, env=env)


# --- each plugin that comes along ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("serve", "caller", "who"),
    [
        ((*TLS, *KEYS, "--allow", "roles"), (*CA, *CLERK), "api-key clerk clerk"),
        ((*TLS, *KEYS, "--allow", "roles:roles.toml"), (*CA, *CLERK), "api-key clerk clerk"),
        (("--listen", "unix:SOCKET", *KEYS, "--allow", "any-identity"), CLERK, "api-key clerk clerk"),
        (
            (*TLS, "--auth", "jwt:tokens.toml", "--allow", "casbin:model.conf,policy.csv"),
            (*CA, "--credential", "bearer:file:token"),
            "bearer anna clerk",
        ),
        (
            (*TLS, "--auth", "hmac:hmac.toml", "--allow", "everyone"),
            (*CA, "--credential", "hmac:press.toml"),
            "hmac-sha256 press clerk",
        ),
        (
            (*TCP, "--auth", "hmac:hmac.toml", "--allow", "roles", "--plain-proofs"),
            ("--credential", "hmac:press.toml", "--plain-proofs"),
            "hmac-sha256 press clerk",
        ),
        (
            (*TLS, "--client-ca", "ca.pem", "--auth", "mtls:clients.toml", "--allow", "roles"),
            (*CA, *PRESS, "--credential", "mtls"),
            "mtls press clerk",
        ),
        (
            (*TLS, "--client-ca", "ca.pem", "--auth", "mtls:san-dns", "--allow", "any-identity"),
            (*CA, *PRESS, "--credential", "mtls"),
            "mtls press.example",
        ),
    ],
)
def test_a_caller_is_who_it_proves_to_be(
    office: Path, tmp_path: Path, serve: tuple[str, ...], caller: tuple[str, ...], who: str
) -> None:
    serve = tuple(word.replace("SOCKET", f"{tmp_path}/s") for word in serve)
    with serving(office, *serve) as (served, url):
        done = call(office, url, "Invoices.who", *caller)
        assert (done.code, done.out, done.err) == (0, f'"{who}"\n', "")
        ended = served.stop()
    assert (ended.code, ended.out) == (0, "")
    assert "Traceback" not in ended.err


def test_several_of_each(office: Path, tmp_path: Path) -> None:
    """Each proof goes to its own authenticator, and each authoriser has to allow the call."""
    options = (
        *KEYS,
        "--auth",
        "hmac:hmac.toml",
        "--auth",
        "anonymous",
        "--allow",
        "everyone",
        "--allow",
        "roles",
    )
    with serving(office, "--listen", f"unix:{tmp_path}/s", *options) as (_, url):
        for credential, who in (
            (CLERK, "api-key clerk clerk"),
            (("--credential", "hmac:press.toml"), "hmac-sha256 press clerk"),
            ((), "anonymous anonymous"),
        ):
            assert call(office, url, "Invoices.who", *credential).out == f'"{who}"\n'
        assert call(office, url, "Invoices.total", *CLERK).out == "1476\n"
        assert call(office, url, "Invoices.total").code == 1


def test_rules_beside_code_without_types(office: Path, tmp_path: Path) -> None:
    options = ("--allow-untyped", "--listen", f"unix:{tmp_path}/s", *KEYS, "--allow", "roles")
    with running("serve", "office:Loose", *options, cwd=office) as served:
        url = served.address()
        assert call(office, url, "Loose.total", *CLERK).out == "1476\n"
        assert call(office, url, "Loose.total", *GUEST).code == 1


def test_secrets_from_the_environment(office: Path, tmp_path: Path) -> None:
    options = (*KEYS, "--auth", "jwt:tokens.toml", "--allow", "any-identity")
    with serving(office, "--listen", f"unix:{tmp_path}/s", *options) as (_, url):
        for name, file, who in (
            ("api-key", "clerk.key", "api-key clerk"),
            ("bearer", "token", "bearer anna"),
        ):
            env = {"PROOF": (office / file).read_text()}
            done = call(office, url, "Invoices.who", "--credential", f"{name}:env:PROOF", env=env)
            assert (done.code, done.out) == (0, f'"{who} clerk"\n')


# --- who is refused ------------------------------------------------------------------------------------------------

UNKNOWN = (
    "the other side does not know who is calling; add --credential NAME:TEXT, as in --credential "
    "api-key:file:PATH"
)
NOT_TAKEN = (
    "no session with URL: the other side does not take this credential; check that it is meant for it and still valid, "
    "or ask who runs it: its log says why"
)
DENIED = (
    "the caller may not call Invoices.void; check the name, which may not be hosted at all, or ask who runs the "
    "gateway to allow it: its log says why it does not"
)


@pytest.fixture(scope="module")
def guarded(office: Path) -> Iterator[tuple[Running, str]]:
    with serving(office, *TLS, *KEYS, "--auth", "jwt:tokens.toml", "--allow", "roles") as found:
        yield found


@pytest.mark.parametrize(
    ("target", "credential", "code", "kind", "sentence"),
    [
        ("Invoices.total", None, 1, "unauthenticated", UNKNOWN),
        ("Invoices.who", None, 1, "unauthenticated", UNKNOWN),
        ("Invoices.total", "api-key:file:stranger.key", 1, "unauthenticated", NOT_TAKEN),
        ("Invoices.total", "bearer:file:wrong.token", 1, "unauthenticated", NOT_TAKEN),
        ("Invoices.total", "hmac:press.toml", 1, "unauthenticated", NOT_TAKEN),
        ("Invoices.void", "api-key:file:clerk.key", 1, "denied", DENIED),
        ("Nowhere.void", "api-key:file:clerk.key", 1, "denied", DENIED.replace("Invoices", "Nowhere")),
    ],
)
def test_who_is_refused_learns_what_to_do(
    office: Path,
    guarded: tuple[Running, str],
    target: str,
    credential: str | None,
    code: int,
    kind: str,
    sentence: str,
) -> None:
    _, url = guarded
    proof = () if credential is None else ("--credential", credential)
    done = call(office, url, target, *CA, *proof, "--json")
    assert (done.code, done.out) == (code, "")
    told = json.loads(done.err)["error"]
    assert (told["kind"], told["sentence"]) == (kind, sentence.replace("URL", url))


def test_an_anonymous_caller_is_denied(office: Path) -> None:
    with serving(office, *TCP, "--auth", "anonymous", "--allow", "roles") as (_, url):
        done = call(office, url, "Invoices.total")
        assert (done.code, done.out, done.sentence) == (
            1,
            "",
            (
                "an anonymous caller may not call Invoices.total; add --credential NAME:TEXT, check the name, which "
                "may not be hosted at all, or ask who runs the gateway to allow it: its log says why it does not"
            ),
        )


def test_both_ends_have_to_say_that_proofs_may_cross_a_plain_link(office: Path, tmp_path: Path) -> None:
    options = (*TCP, "--listen", f"unix:{tmp_path}/s", *KEYS, "--allow", "any-identity")
    with serving(office, *options) as (served, url):
        done = call(office, url, "Invoices.who", *CLERK)
        assert (done.code, done.out, done.sentence) == (
            2,
            "",
            (
                "a proof is not sent over tcp, which does not protect it: use tls, wss or unix, or add --plain-proofs "
                "if the network may read it"
            ),
        )
        done = call(office, url, "Invoices.who", *CLERK, "--plain-proofs")
        assert (done.code, done.out) == (1, "")
        assert done.sentence == (
            f"{NOT_TAKEN.replace('URL', url)} (over tcp it takes none at all unless it was told so, too)"
        )
        served.errors_until("a proof came over a link that does not protect it, and plain_proofs is not set")


def test_a_certificate_that_is_asked_for(office: Path) -> None:
    options = (*TLS, "--client-ca", "ca.pem", "--auth", "mtls:clients.toml", "--allow", "roles")
    with serving(office, *options) as (_, url):
        done = call(office, url, "Invoices.who", *CA)
        assert (done.code, done.out) == (3, "")
        where = url.partition("//")[2]
        assert done.sentence == f"{where} asks for a client certificate; add --cert FILE --key FILE"
        done = call(office, url, "Invoices.who", *CA, *PRESS)  # a certificate alone is no identity
        assert (done.code, done.out, done.sentence) == (1, "", UNKNOWN)


FILE = "the file of the API key"


@pytest.mark.parametrize(
    ("credential", "sentence"),
    [
        (
            "api-key:file:nowhere",
            f"{FILE} FOLDER/nowhere can't be read: there is no such file; check the path",
        ),
        ("api-key:file:empty", "the API key is missing: the file FOLDER/empty is empty; put it there"),
        (
            "api-key:file:open.key",
            (
                f"{FILE} FOLDER/open.key can be written by others than its owner; run chmod go-w FOLDER/open.key, and "
                "check what it holds"
            ),
        ),
        (
            "api-key:file:token",
            (
                "what should be an API key does not have the form of one (gw_, an id, _, a secret); check what is "
                "there"
            ),
        ),
        (
            "api-key:env:NOT_SET",
            "the API key should be in the environment variable NOT_SET, which is not set; set it",
        ),
        (
            "api-key:env:EMPTY",
            "the API key is missing: the environment variable EMPTY is empty; put it there",
        ),
        ("bearer:file:old.token", "the bearer token has expired; put a new one in its place"),
    ],
)
def test_there_is_no_credential(
    office: Path, guarded: tuple[Running, str], credential: str, sentence: str
) -> None:
    (office / "empty").write_text("\n")
    (office / "open.key").write_text((office / "clerk.key").read_text())
    (office / "open.key").chmod(0o666)
    _, url = guarded
    done = call(office, url, "Invoices.who", *CA, "--credential", credential, env={"EMPTY": ""})
    assert (done.code, done.out) == (2, "")
    assert done.sentence == sentence.replace("FOLDER", str(office))


# --- audit ---------------------------------------------------------------------------------------------------------


def test_an_audit_log(office: Path, tmp_path: Path) -> None:
    log, copy = str(tmp_path / "audit.jsonl"), str(tmp_path / "copy.jsonl")
    options = (*TLS, *KEYS, "--allow", "roles", "--audit", log, "--audit", copy)
    for part in (0, 1):  # the second one goes on where the first one ended
        with serving(office, *options) as (served, url):
            for target, proof, code in (
                ("Invoices.total", CLERK, 0),
                ("Invoices.void", GUEST, 1),
                ("Invoices.total", ("--credential", "api-key:file:stranger.key"), 1),
            ):
                assert call(office, url, target, *CA, *proof).code == code
            assert "graftwire.audit" not in served.stop().err  # what the log has need not be told twice
        fields = ("target", "identity", "decision", "plugin", "reason")
        records = [json.loads(line) for line in Path(log).read_text().splitlines()][5 * part :]
        assert [tuple(one[field] for field in fields) for one in records] == [
            (None, "clerk", "allowed", "api-keys", ""),
            ("Invoices.total", "clerk", "allowed", "roles", "rule Invoices.total: role clerk"),
            (None, "guest", "allowed", "api-keys", ""),
            ("Invoices.void", "guest", "refused", "roles", "rule Invoices.void wants a role out of: boss"),
            (None, None, "refused", "api-keys", "there is no API key of that id"),
        ]
    for file in (log, copy):
        done = apart("audit", "verify", file, cwd=office)
        assert done.code == 0
        assert done.out.startswith("10 lines in 1 file, numbers 1 to 10: intact\nlast hash ")
        text = Path(file).read_text()
        assert not any(
            (office / f"{name}.key").read_text() in text for name in ("clerk", "guest", "stranger")
        )


@pytest.mark.parametrize(
    ("options", "code"), [((), 3), (("--audit-failure", "refuse"), 3), (("--audit-failure", "count"), 0)]
)
def test_an_audit_log_that_can_not_be_written(
    office: Path, tmp_path: Path, options: tuple[str, ...], code: int
) -> None:
    # files may have so many bytes in this process, which is less than a record has
    before = (
        "import resource, sys\nsys.dont_write_bytecode = True\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"
    )
    log = ("--audit", str(tmp_path / "audit.jsonl"))
    with serving(office, *TCP, "--auth", "anonymous", *log, *options, before=before) as (served, url):
        done = call(office, url, "Invoices.total")
        assert done.code == code
        if code:
            assert done.sentence == "the other side could not run the call; the call did not run"
        what = "refused" if code else "counted"
        served.errors_until(f"an audit sink failed (file: OSError); what it can't keep is {what}")
    assert (tmp_path / "audit.jsonl").read_bytes() == b""


# --- mistakes ------------------------------------------------------------------------------------------------------

ALLOW = ("--allow", "any-identity")
ANONYMOUS = ("--auth", "anonymous")
NO_ALLOW = (
    "nobody has said what those who are let in may call; add --allow any-identity to let every authenticated caller "
    "call everything, or --allow NAME:TEXT"
)
SECRET = (
    "this looks like a secret itself, not like where it is; put it in a file or in a variable of the environment, name "
    "that, and replace it: whoever lists processes could read it"
)
AUTHENTICATORS = "anonymous, jwt, api-keys, hmac, mtls, made, ready, telling"


def mistaken(office: Path, *options: str, listen: tuple[str, ...] = TLS, before: str = "") -> str:
    """The sentence about a mistake, after which nothing was bound."""
    path = f"sys.path.append({str(office / 'moody')!r})"
    done = apart(
        "serve", "office:Invoices", *listen, *options, cwd=office, before=f"{WATCH}\n{path}\n{before}"
    )
    assert (done.code, done.out) == (2, "")
    return done.sentence.replace(str(office), "FOLDER")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            (),
            (
                "nobody has said who may call; add --auth anonymous to let anyone who reaches it call all that it "
                "hosts, or --auth NAME:TEXT and --allow NAME:TEXT"
            ),
        ),
        (KEYS, NO_ALLOW),
        ((*KEYS, *ANONYMOUS), NO_ALLOW),
        (
            ("--auth", "api-key:keys.json", *ALLOW),
            (
                "--auth: there is no authenticator api-key, which is a credential provider; did you mean api-keys? "
                f"there are: {AUTHENTICATORS}"
            ),
        ),
        (
            ("--auth", "Secret", *ALLOW),
            f"--auth: there is no authenticator of that name; there are: {AUTHENTICATORS}",
        ),
        (
            (*ANONYMOUS, "--allow", "everyon"),
            (
                "--allow: there is no authoriser everyon; did you mean everyone? there are: roles, any-identity, "
                "everyone, casbin"
            ),
        ),
        (
            ("--auth", "anonymous:secret"),
            "--auth: anonymous takes nothing after its name; leave out the colon and what follows it",
        ),
        (
            (*KEYS, "--allow", "any-identity:secret"),
            (
                "--allow: the authoriser any-identity takes nothing after its name; leave out the colon and what "
                "follows it"
            ),
        ),
        (
            ("--auth", "made", *ALLOW),
            (
                "--auth: the authenticator made can't be made by the package graftwire-moody (KeyError); check its "
                "configuration, update that package or remove it"
            ),
        ),
        (
            ("--auth", "ready", *ALLOW),
            "the plugin unready could not get ready: KeyError in Ready.start, line 19; look there",
        ),
        (("--auth", "telling", *ALLOW), "the directory does not answer; start it first"),
        (
            ("--auth", "api-keys", *ALLOW),
            "--auth: api-keys needs the path of a key file, as in api-keys:keys.json",
        ),
        (("--auth", "hmac", *ALLOW), "--auth: hmac needs the path of a file of keys, as in hmac:keys.toml"),
        (("--auth", "jwt", *ALLOW), "--auth: jwt needs the path of its settings, as in jwt:tokens.toml"),
        (
            ("--auth", "api-keys:nowhere", *ALLOW),
            "--auth: the key file FOLDER/nowhere can't be read: there is no such file; check the path",
        ),
        (
            ("--auth", "api-keys:roles.toml", *ALLOW),
            (
                "--auth: the key file roles.toml is no file of API keys; name another (graftwire key new makes it)"
            ),
        ),
        (
            ("--auth", "api-keys:open.json", *ALLOW),
            (
                "--auth: the key file FOLDER/open.json can be written by others than its owner; run chmod go-w "
                "FOLDER/open.json, and check what it holds"
            ),
        ),
        (
            ("--auth", "hmac:open.toml", *ALLOW),
            (
                "--auth: the file of keys FOLDER/open.toml holds secrets and other users have access to it; run chmod "
                "600 FOLDER/open.toml, and replace the secrets if somebody may have read them"
            ),
        ),
        (
            ("--auth", "jwt:broken.toml", *ALLOW),
            (
                "--auth: the token settings broken.toml: the key set FOLDER/broken.json is no JWK Set, a JSON object "
                'with an array "keys"; check that it is what the issuer publishes'
            ),
        ),
        (
            (*KEYS, *KEYS, *ALLOW),
            "two authenticators judge the scheme api-key (api-keys and api-keys); leave one of them out",
        ),
        (
            ("--auth", "mtls:clients.toml", *ALLOW),
            "--auth mtls is about the certificates of callers, and nobody asks them for one; add --client-ca FILE",
        ),
        (
            (*ANONYMOUS, "--allow", "roles:wrong.toml"),
            (
                "--allow: wrong.toml: the rule Invoices.totl is for nothing that is hosted; did you mean "
                "Invoices.total? there are: Invoices.total, Invoices.void, Invoices.who, graftwire.describe, "
                "Invoices.*, graftwire.*"
            ),
        ),
        (
            (*ANONYMOUS, "--allow", "roles:"),
            "--allow: roles needs the path of a file of rules, as in roles:roles.toml",
        ),
        (
            (*ANONYMOUS, "--allow", "casbin:model.conf"),
            "--allow: casbin needs its two files, as in casbin:model.conf,policy.csv",
        ),
        (
            (*ANONYMOUS, "--audit", "nowhere/audit.jsonl"),
            (
                "--audit: the audit log nowhere/audit.jsonl can't be opened: there is no folder nowhere; make it, or "
                "name another file"
            ),
        ),
        (
            (*ANONYMOUS, "--audit", "office.py"),
            (
                "--audit: the file office.py holds something else than an audit log; name another file, or move that "
                "one away"
            ),
        ),
        ((*ANONYMOUS, "--audit", ""), "--audit: an audit log needs the path of its file, as in audit.jsonl"),
        (
            (*ANONYMOUS, "--audit", "a.jsonl", "--audit-failure", "ignore"),
            "--audit-failure is either refuse or count",
        ),
        (
            (*ANONYMOUS, "--audit-failure", "count"),
            "--audit-failure is about an audit log, and there is none; add --audit FILE",
        ),
    ],
)
def test_mistakes_of_serve(office: Path, options: tuple[str, ...], sentence: str) -> None:
    (office / "open.json").write_text((office / "keys.json").read_text())
    (office / "open.json").chmod(0o666)
    (office / "open.toml").write_text((office / "hmac.toml").read_text())
    (office / "open.toml").chmod(0o644)
    (office / "broken.json").write_text('{"keys": [secret')
    (office / "broken.toml").write_text(furniture.SETTINGS.replace("JWKS", "broken.json"))
    (office / "wrong.toml").write_text('[allow]\n"Invoices.totl" = ["secret"]\n')
    told = mistaken(office, *options)
    assert told == sentence
    assert "secret" not in told.replace("holds secrets", "").replace("replace the secrets", "").lower()


def test_files_that_this_user_may_not_read(office: Path, anybodys: Path) -> None:
    (anybodys / "office.py").write_text(furniture.MODULE)
    (anybodys / "keys.json").write_text((office / "keys.json").read_text())
    (anybodys / "keys.json").chmod(0)
    arguments = ("serve", "office:Invoices", "--listen", f"unix:{anybodys}/s", *ALLOW, "--auth")
    before = as_nobody(*arguments, f"api-keys:{os.devnull}")
    done = apart(*arguments, "api-keys:keys.json", cwd=anybodys, before=f"{before}\n{WATCH}")
    assert (done.code, done.out, done.sentence) == (
        2,
        "",
        (
            f"--auth: the key file {anybodys}/keys.json can't be read: this user may not read it; change its owner or "
            "mode"
        ),
    )


def test_what_no_proof_could_cross(office: Path) -> None:
    assert mistaken(office, *KEYS, *ALLOW, listen=TCP) == (
        "tcp does not protect proofs, so none is taken over it and nobody could be let in by one; listen at tls, wss "
        "or unix, or add --plain-proofs if the network may read them"
    )


def test_rules_that_nobody_has_written(office: Path) -> None:
    done = apart("serve", "office:Bare", *TCP, *ANONYMOUS, "--allow", "roles", cwd=office, before=WATCH)
    assert (done.code, done.out) == (2, "")
    assert done.sentence == (
        "--allow: nothing that is hosted says who may call it; write @graftwire.allow(…) beside its methods, or name a "
        "file of rules, as in --allow roles:roles.toml"
    )


def test_nobody_answers_where_the_keys_of_tokens_are(office: Path) -> None:
    with socket.socket() as taken:  # and nobody listens
        taken.bind(("127.0.0.1", 0))
        where = f"https://127.0.0.1:{taken.getsockname()[1]}/jwks.json"
        (office / "away.toml").write_text(furniture.SETTINGS.replace("JWKS", where))
        assert mistaken(office, "--auth", "jwt:away.toml", *ALLOW) == (
            f"the key set at {where} can't be fetched: nobody answers there; check the address, and the network"
        )


def test_a_log_that_another_gateway_writes(office: Path, tmp_path: Path) -> None:
    log = ("--audit", str(tmp_path / "audit.jsonl"))
    with serving(office, *TCP, *ANONYMOUS, *log):
        assert mistaken(office, *ANONYMOUS, *log) == (
            f"--audit: the audit log {log[1]} is in use by another gateway; give each gateway a file of its own"
        )


def test_a_mistake_leaves_no_log_open(office: Path, tmp_path: Path) -> None:
    """The first of two is there, and free, though the second can't be opened."""
    log = ("--audit", str(tmp_path / "audit.jsonl"))
    assert "there is no folder" in mistaken(
        office, *ANONYMOUS, *log, "--audit", f"{tmp_path}/nowhere/audit.jsonl"
    )
    with serving(office, *TCP, *ANONYMOUS, *log) as (served, _):
        assert served.stop().code == 0


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--credential", "bearer:TOKEN"),
        ("--credential", "bearer:file:TOKEN"),
        ("--credential", "bearer:env:KEY"),
        ("--credential", "KEY"),
        ("--credential", "hmac:RANDOM"),
        ("--auth", "jwt:TOKEN"),
        ("--auth", "api-keys:KEY"),
        ("--auth", "RANDOM"),
    ],
)
def test_a_secret_on_the_command_line_is_not_taken(office: Path, option: str, text: str) -> None:
    secrets = {
        "TOKEN": (office / "token").read_text(),
        "KEY": (office / "clerk.key").read_text(),
        "RANDOM": (office / "press.toml").read_text().split('"')[3],
    }
    for name, secret in secrets.items():
        text = text.replace(name, secret)
    command = ("call", "tcp://127.0.0.1:1", "Invoices.who")
    if option == "--auth":
        command = ("serve", "office:Invoices", *TCP)
    done = apart(*command, option, text, cwd=office, before=WATCH)
    assert (done.code, done.out, done.sentence) == (2, "", f"{option}: {SECRET}")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "bearer:secret",
            (
                "a credential is named by where it is: bearer:file:PATH or bearer:env:NAME; the secret itself has no "
                "place here"
            ),
        ),
        (
            "api-key",
            (
                "a credential is named by where it is: api-key:file:PATH or api-key:env:NAME; the secret itself has no "
                "place here"
            ),
        ),
        (
            "api-keys:file:clerk.key",
            (
                "there is no credential provider api-keys, which is an authenticator; did you mean api-key? there are: "
                "bearer, api-key, hmac, mtls"
            ),
        ),
        ("Secret", "there is no credential provider of that name; there are: bearer, api-key, hmac, mtls"),
        ("hmac", "hmac needs the path of the file with its secret, as in hmac:me.toml"),
        (
            "hmac:nowhere",
            "the file of the secret of hmac nowhere can't be read: there is no such file; check the path",
        ),
        (
            "hmac:roles.toml",
            (
                "the file of the secret of hmac roles.toml holds secrets and other users have access to it; run chmod "
                "600 roles.toml, and replace the secrets if somebody may have read them"
            ),
        ),
        (
            "mtls:secret",
            "the credential provider mtls takes nothing after its name; leave out the colon and what follows it",
        ),
    ],
)
def test_mistakes_of_call(office: Path, text: str, sentence: str) -> None:
    (office / "roles.toml").chmod(0o644)
    # nobody listens there, which would be another sentence
    done = apart("call", "tcp://127.0.0.1:1", "Invoices.who", "--credential", text, cwd=office)
    assert (done.code, done.out, done.sentence) == (2, "", f"--credential: {sentence}")


def test_a_certificate_proves_nothing_where_there_is_none(office: Path) -> None:
    done = apart("call", "tls://127.0.0.1:1", "Invoices.who", "--credential", "mtls", "--json", cwd=office)
    assert (done.code, done.out) == (2, "")
    assert json.loads(done.err)["error"] == {
        "kind": "security",
        "sentence": (
            "--credential mtls is about this side's certificate, and there is none; add --cert FILE --key FILE"
        ),
    }
