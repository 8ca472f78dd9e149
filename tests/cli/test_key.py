"""`graftwire key`: new, list, revoke, and the sentence for each mistake."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from graftwire.gateway.security.api_keys import ApiKeys
from graftwire.gateway.security.key_file import read_entries

from .conftest import Done, Here, apart, as_nobody, command

NEW = re.compile(r"gw_([a-z2-7]{12})_[A-Za-z0-9_-]{43}\n")


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "keys.json")


def new(here: Here, file: str, *more: str) -> str:
    """The id of a new key."""
    done = here("key", "new", "--file", file, "--subject", "billing", *more)
    assert (done.code, done.err) == (0, "")
    found = NEW.fullmatch(done.out)
    assert found
    return found[1]


def test_a_key_is_printed_once_and_alone(here: Here, file: str) -> None:
    name = new(here, file, "--role", "reader", "--role", "writer", "--role", "reader")
    [entry] = read_entries(file).values()
    assert (entry.id, entry.subject, entry.roles) == (name, "billing", ("reader", "writer"))
    assert (entry.expires, entry.revoked) == (None, None)
    ApiKeys(file)


def test_it_can_be_piped_into_a_file(file: str, tmp_path: Path) -> None:
    held = tmp_path / "key"
    with held.open("wb") as out:
        subprocess.run(
            command(["key", "new", "--file", file, "--subject", "billing"]),
            stdout=out,
            check=True,
            timeout=60,
        )
    assert NEW.fullmatch(held.read_text())


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("90d", timedelta(90)),
        ("2w", timedelta(14)),
    ],
)
def test_when_it_ends(here: Here, file: str, text: str, ends: timedelta) -> None:
    name = new(here, file, "--expires", text)
    entry = read_entries(file)[name]
    assert entry.expires == entry.created + ends


def test_as_json(here: Here, file: str) -> None:
    done = here("key", "new", "--json", "--file", file, "--subject", "billing", "--expires", "1d")
    told = json.loads(done.out)
    assert list(told) == ["key", "id", "state", "subject", "roles", "created", "expires", "revoked"]
    assert told["key"].startswith(f"gw_{told['id']}_")
    done = here("key", "list", "--json", "--file", file)
    del told["key"]
    assert json.loads(done.out) == told
    done = here("key", "revoke", "--json", "--file", file, told["id"])
    revoked = json.loads(done.out)
    assert (revoked["id"], revoked["was"]) == (told["id"], "valid")
    assert json.loads(here("key", "list", "--json", "--file", file).out)["revoked"] == revoked["revoked"]
    assert json.loads(here("key", "revoke", "--json", "--file", file, told["id"]).out)["was"] == "revoked"


def test_the_list(here: Here, file: str) -> None:
    assert new(here, file)
    first = new(here, file, "--role", "reader", "--expires", "1d")
    here("key", "revoke", "--file", file, first)
    done = here("key", "list", "--file", file)
    head, _, line = done.out.splitlines()
    assert head.split() == ["id", "state", "subject", "roles", "created", "expires"]
    entry = read_entries(file)[first]
    assert line.split() == [
        first,
        "revoked",
        "billing",
        "reader",
        f"{entry.created:%Y-%m-%dT%H:%M:%SZ}",
        f"{entry.created + timedelta(1):%Y-%m-%dT%H:%M:%SZ}",
    ]


def test_an_expired_key_is_called_so(here: Here, file: str) -> None:
    new(here, file)
    table = json.loads(Path(file).read_text())
    table["keys"][0]["expires"] = "2020-01-01T00:00:00Z"
    Path(file).write_text(json.dumps(table))
    assert here("key", "list", "--file", file).out.splitlines()[1].split()[1] == "expired"


def test_revoked_twice(here: Here, file: str) -> None:
    name = new(here, file)
    done = here("key", "revoke", "--file", file, name)
    assert (done.code, done.out, done.err) == (0, f"{name} is revoked\n", "")
    since = read_entries(file)[name].revoked
    assert since is not None
    assert datetime.now(UTC) - since < timedelta(minutes=5)
    done = here("key", "revoke", "--file", file, name)
    assert (done.code, done.out) == (0, f"{name} has been revoked since {since:%Y-%m-%dT%H:%M:%SZ}\n")


NO_FILE = "no key file is named; add --file FILE"
NOT_KEYS = "the key file FILE is no file of API keys; name another (graftwire key new makes it)"
EXPIRES = "--expires takes a time from now, in m, h, d or w, as in --expires 90d"
SUBJECT = "the subject of a key is a text of 1 to 255 printable characters"
SECRET = (
    "a key is revoked by its id, the 12 characters after gw_; leave out the secret, here and wherever a shell "
    "remembers it"
)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["new"], NO_FILE),
        (["new", "--file", ""], NO_FILE),
        (["list"], NO_FILE),
        (["revoke", "abcdefgh2345"], NO_FILE),
        (["new", "--file", "none"], "nobody is named whom the key is for; add --subject NAME"),
        (["new", "--file", "none", "--subject", ""], SUBJECT),
        (["new", "--file", "none", "--subject", "a\nb"], SUBJECT),
        (["new", "--file", "none", "--subject", "a" * 256], SUBJECT),
        (
            ["new", "--file", "none", "--subject", "a", "--role", ""],
            "a key has at most 100 roles, each a text of 1 to 255 printable characters",
        ),
        *(
            (["new", "--file", "none", "--subject", "a", "--expires", text], EXPIRES)
            for text in ("", "90", "d", "0d", "-1d", "1.5d", "1y", "123456m", "secret")
        ),
        (
            ["new", "--file", "FOLDER/none/keys.json", "--subject", "a"],
            "the folder FOLDER/none can't be used: there is no such folder; make it first",
        ),
        (
            ["new", "--file", "FOLDER", "--subject", "a"],
            "the key file FOLDER can't be read: it is a folder; name the file in it",
        ),
        (["new", "--file", "FILE", "--subject", "a"], NOT_KEYS),
        (["list", "--file", "FILE"], NOT_KEYS),
        (["revoke", "--file", "FILE", "abcdefgh2345"], NOT_KEYS),
        (
            ["list", "--file", "FOLDER/none"],
            "the key file FOLDER/none can't be read: there is no such file; check the path",
        ),
        (
            ["revoke", "--file", "FOLDER/none", "abcdefgh2345"],
            "the key file FOLDER/none can't be read: there is no such file; check the path",
        ),
        (
            ["revoke", "--file", "KEYS", "abcdefgh2345"],
            "the key file KEYS has no key of that id; graftwire key list shows those that it has",
        ),
        (["revoke", "--file", "KEYS", "secret"], SECRET),
        (["revoke", "--file", "KEYS", "gw_abcdefgh2345_secret"], SECRET),
        (["revoke", "--file", "KEYS"], "missing argument 'ID'; see graftwire key revoke --help"),
        (["revoke", "--file"], "option '--file' requires an argument; see graftwire key revoke --help"),
        (["new", "--bananas", "a"], "no such option: --bananas; see graftwire key new --help"),
        (["bananas"], "no such command 'bananas'; see graftwire key --help"),
        (["list", "secret"], "there are too many arguments; see graftwire key list --help"),
    ],
)
def test_mistakes(here: Here, tmp_path: Path, arguments: list[str], sentence: str) -> None:
    names = {"FOLDER": str(tmp_path), "FILE": str(tmp_path / "other"), "KEYS": str(tmp_path / "keys.json")}
    (tmp_path / "other").write_text("{}")
    new(here, names["KEYS"])

    def named(text: str) -> str:
        for name, path in names.items():
            text = re.sub(rf"(?<!--file )\b{name}\b", path, text)
        return text

    done = here("key", *(named(each) for each in arguments))
    assert (done.code, done.out, done.sentence) == (2, "", named(sentence))
    assert "secret" not in done.err.replace("leave out the secret", "")
    assert not os.path.exists("none")


def test_what_this_user_may_not_do(anybodys: Path) -> None:
    file = str(anybodys / "keys.json")

    def key(*arguments: str) -> Done:
        nobody = as_nobody("key", "list", "--file", os.devnull)
        return apart("key", *arguments, "--file", file, cwd=anybodys, before=nobody)

    assert key("new", "--subject", "billing").code == 0
    os.chmod(file, 0)
    done = key("list")
    assert (done.code, done.out, done.sentence) == (
        2,
        "",
        f"the key file {file} can't be read: this user may not read it; change its owner or mode",
    )
    os.chmod(file, 0o600)
    anybodys.chmod(0o500)
    done = key("new", "--subject", "a")
    anybodys.chmod(0o700)
    assert (done.code, done.out, done.sentence) == (
        2,
        "",
        f"the key file {file} can't be written: this user may not write there; change its owner or mode",
    )


def test_a_file_that_others_may_write_to(here: Here, file: str) -> None:
    new(here, file)
    os.chmod(file, 0o666)  # noqa: S103 - that is what is refused
    for arguments in (["new", "--subject", "a"], ["list"], ["revoke", "abcdefgh2345"]):
        done = here("key", *arguments, "--file", file)
        assert (done.code, done.out, done.sentence) == (
            2,
            "",
            (
                f"the key file {file} can be written by others than its owner; run chmod go-w {file}, and check what "
                "it holds"
            ),
        )


def test_without_a_command_it_says_what_there_is(here: Here) -> None:
    done = here("key", "--help")
    assert done.code == 0
    for name in ("new", "list", "revoke"):
        assert f" {name} " in done.out
        assert "--json" in here("key", name, "--help").out
    assert (here("key").code, here("key").out) == (0, done.out)
