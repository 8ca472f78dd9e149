"""API keys: made, kept as hashes, judged, revoked while everything runs."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import hmac
import json
import os
import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st

from graftwire.gateway.security import key_file
from graftwire.gateway.security.api_keys import ApiKeyCredential, ApiKeys
from graftwire.gateway.security.errors import CredentialError, SecurityError
from graftwire.gateway.security.identity import Identity
from graftwire.gateway.security.key_file import KEY, add, new_key, read_entries, revoke
from graftwire.gateway.security.plugins import Refusal

from .conftest import OCCASION, Clock, attempt

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "id": "abcdefgh2345",
    "sha256": "0" * 64,
    "subject": "billing",
    "roles": ["reader"],
    "created": "2026-11-23T10:00:00Z",
    "expires": None,
    "revoked": None,
}


def made(path: Path, subject: str = "billing", *roles: str, expires: datetime | None = None) -> bytes:
    """A new key, in the file."""
    key, entry = new_key(subject, roles, NOW, expires)
    add(path, entry)
    return key.encode()


def content(path: Path) -> bytes:
    return path.read_bytes()


def broken(path: Path) -> None:
    path.write_text("{")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


async def judged(keys: ApiKeys, proof: bytes) -> Identity | str:
    answer = await keys.authenticate(attempt("api-key", proof))
    return answer.reason if isinstance(answer, Refusal) else answer


async def test_a_key(path: Path) -> None:
    end = NOW + timedelta(days=1)
    key = made(path, "billing", "reader", "writer", expires=end)
    other = made(path, "billing")
    keys = ApiKeys(path, issuer="here", clock=NOW.timestamp)
    name = key[3:15].decode()
    assert await judged(keys, key) == Identity(
        "billing", "api-key", "here", frozenset({"reader", "writer"}), end, {"key": name}
    )
    found = await judged(keys, other)
    assert isinstance(found, Identity)
    assert (found.roles, found.expires) == (frozenset(), None)


async def test_refused(path: Path) -> None:
    key = made(path)
    other = made(path)
    made(path, expires=NOW)
    expired = made(path, expires=NOW)
    revoked = made(path)
    revoke(path, revoked[3:15].decode(), NOW)
    keys = ApiKeys(path, clock=NOW.timestamp)
    for proof, reason in (
        (key[:15] + other[15:], "the secret of the API key is another one"),
        (key[:-1] + (b"A" if key[-1:] != b"A" else b"B"), "the secret of the API key is another one"),
        (b"gw_" + b"a" * 12 + key[15:], "there is no API key of that id"),
        # what an all-zero hash would be compared with can't be found, and would not help
        (b"gw_" + b"a" * 12 + b"_" + b"A" * 43, "there is no API key of that id"),
        (expired, "the API key is expired"),
        (revoked, "the API key is revoked"),
        *(
            (proof, "it does not have the form of an API key")
            for proof in (
                b"",
                key + b"\n",
                key[:-1],
                key.upper(),
                b" " + key,
                key.replace(b"gw_", b"gx_"),
                b"\xff" * 8_192,
                hashlib.sha256(key[16:]).hexdigest().encode(),
            )
        ),
    ):
        assert await judged(keys, proof) == reason


async def test_the_hash_is_no_key(path: Path) -> None:
    """Who reads the file can't call with what is in it."""
    key = made(path)
    assert key[16:] not in content(path)
    digest = read_entries(path)[key[3:15].decode()].digest
    for secret in (digest.hex()[:43], digest.hex()[-43:]):
        assert await judged(ApiKeys(path), key[:16] + secret.encode()) == (
            "the secret of the API key is another one"
        )


async def test_the_comparison_takes_as_long_for_any_key(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every key in the right form one hash is compared, in constant time, with one of the same length."""
    key = made(path)
    keys = ApiKeys(path)
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr("graftwire.gateway.security.api_keys.hmac", _Hmac(compare))
    for proof in (key, key[:15] + b"_" + b"x" * 43, b"gw_" + b"a" * 12 + key[15:]):
        compared.clear()
        await keys.authenticate(attempt("api-key", proof))
        assert compared == [(32, 32)]


class _Hmac:
    """The module, with one function that is watched."""

    def __init__(self, compare: Any) -> None:
        self.compare_digest = compare


async def test_revoked_while_it_runs(path: Path) -> None:
    clock = Clock()
    key = made(path)
    keys = ApiKeys(path, pause_clock=clock)
    identity = await judged(keys, key)
    assert isinstance(identity, Identity)
    revoke(path, key[3:15].decode(), NOW)
    clock.now += 1
    assert await judged(keys, key) == "the API key is revoked"
    fresh = made(path)
    clock.now += 1
    assert isinstance(await judged(keys, fresh), Identity)


async def test_a_session_whose_key_is_revoked(path: Path) -> None:
    key, gone, end = made(path), made(path), made(path, expires=NOW + timedelta(seconds=5))
    clock = Clock(NOW.timestamp())
    keys = ApiKeys(path, pause=0, clock=clock)
    found = [await judged(keys, each) for each in (key, gone, end)]
    for identity in found:
        assert isinstance(identity, Identity)
        assert keys.withdrawn(identity) is None
    revoke(path, key[3:15].decode(), NOW)
    left = {name: entry for name, entry in read_entries(path).items() if name != gone[3:15].decode()}
    key_file._write(str(path), left)
    clock.now += 5
    reasons = ["the API key is revoked", "the API key is gone", "the API key is expired"]
    for identity, reason in zip(found, reasons, strict=True):
        assert isinstance(identity, Identity)
        assert keys.withdrawn(identity) == reason


async def test_a_session_whose_key_stands_for_something_else(path: Path) -> None:
    """Roles that were taken away in the file are taken away from sessions that are there, too."""
    key = made(path, "billing", "clerk", "boss")
    keys = ApiKeys(path, pause=0)
    found = await judged(keys, key)
    assert isinstance(found, Identity)
    [entry] = read_entries(path).values()
    for changed, reason in (
        (replace(entry, roles=("clerk",)), "the API key stands for something else now"),
        (replace(entry, subject="bob"), "the API key stands for something else now"),
        (replace(entry, roles=("boss", "clerk")), None),
    ):
        key_file._write(str(path), {entry.id: changed})
        assert keys.withdrawn(found) == reason


@given(st.binary(max_size=8_192) | st.from_regex(KEY, fullmatch=True))
@example(b"gw_" * 2_730)
def test_any_bytes_are_refused(proof: bytes) -> None:
    answer = trio.run(KEYS[0].authenticate, attempt("api-key", proof))
    assert isinstance(answer, Refusal)


KEYS: list[ApiKeys] = []


@pytest.fixture(scope="module", autouse=True)
def some_keys(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    made(path)
    KEYS[:] = [ApiKeys(path)]


# --- the file -------------------------------------------------------------------------------------------------------


def test_keys_are_all_different_and_have_the_same_form() -> None:
    keys = {new_key("a", (), NOW)[0] for _ in range(500)}
    assert len(keys) == 500
    assert all(KEY.fullmatch(key.encode()) for key in keys)


def test_what_the_file_holds(path: Path) -> None:
    key = made(path, "billing", "reader")
    assert json.loads(path.read_text()) == {
        "graftwire-api-keys": 1,
        "keys": [
            GOOD | {"id": key[3:15].decode(), "sha256": hashlib.sha256(key[16:]).hexdigest()},
        ],
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["keys.json"]


def test_the_mode_that_somebody_chose_stays(path: Path) -> None:
    made(path)
    path.chmod(0o640)
    made(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def somebody_elses(monkeypatch: pytest.MonkeyPatch, *, user: int = 0, group: int = 0) -> None:
    """From now on every file that is made is of another user, or group, by so much."""
    real = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        found = list(real(descriptor))
        found[stat.ST_UID] += user
        found[stat.ST_GID] += group
        return os.stat_result(found)

    monkeypatch.setattr(os, "fstat", fstat)


@pytest.mark.parametrize("other", [{"user": 1}, {"group": 1}])
def test_the_gateway_can_still_read_what_was_revoked(
    path: Path, other: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else a key that somebody who may write to the folder has revoked would be let in on and on."""
    key = made(path)
    path.chmod(0o640)
    owner = path.stat().st_uid, path.stat().st_gid
    before = path.read_bytes()
    somebody_elses(monkeypatch, **other)
    asked: list[tuple[int, int]] = []

    def refused(_: int, user: int, group: int) -> None:
        asked.append((user, group))
        raise PermissionError(errno.EPERM, "")

    monkeypatch.setattr(os, "fchown", refused)
    with pytest.raises(SecurityError) as raised:
        revoke(path, key[3:15].decode(), NOW)
    assert str(raised.value) == (
        f"the key file {path} is somebody else's, and this user can't leave it so; run this as its owner"
    )
    assert asked == [owner]
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["keys.json"]


def test_a_group_that_may_not_read_the_file_does_not_matter(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(path)
    somebody_elses(monkeypatch, group=1)
    monkeypatch.delattr(os, "fchown")
    made(path)
    assert len(read_entries(path)) == 2


def test_links_are_followed(path: Path, tmp_path: Path) -> None:
    made(path)
    link = tmp_path / "link"
    link.symlink_to(path)
    made(link)
    assert link.is_symlink()
    assert len(read_entries(path)) == 2


def test_two_at_once_lose_no_key(path: Path) -> None:
    threads = [threading.Thread(target=made, args=(path,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_entries(path)) == 20


def test_a_change_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SecurityError) as raised:
        made(path)
    assert (
        str(raised.value) == f"the key file {path} can't be written: no space left on device; check the path"
    )
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["keys.json"]


def test_who_waits_too_long_is_told(path: Path) -> None:
    held = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    clock = iter([0.0, 5.0, 10.0])
    descriptor = os.open(path.parent, os.O_RDONLY)
    with pytest.raises(SecurityError) as raised:
        key_file._lock(descriptor, "/keys", clock=lambda: next(clock))
    assert str(raised.value) == (
        "another command has been changing keys in /keys for 10 seconds; try again when it is done"
    )
    os.close(held)
    os.close(descriptor)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_to(path: Path, mode: int) -> None:
    made(path)
    path.chmod(mode)
    with pytest.raises(SecurityError) as raised:
        ApiKeys.from_text(str(path))
    assert str(raised.value) == (
        f"the key file {path} can be written by others than its owner; run chmod go-w {path}, and check what it holds"
    )


async def test_a_file_that_broke_leaves_the_old_keys(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    key = made(path)
    keys = ApiKeys(path, pause=0)
    os.chmod(path, 0o666)  # noqa: S103 - that is what is refused
    for _ in range(2):
        assert isinstance(await judged(keys, key), Identity)
    os.chmod(path, 0o600)
    broken(path)
    assert isinstance(await judged(keys, key), Identity)
    stays = "a changed file was not taken over, what was read before stays in force: the key file"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"{stays} {path} can be written by others than its owner; run chmod go-w {path}, and check what it holds",
        f"{stays} {path} is no file of API keys; name another (graftwire key new makes it)",
    ]


NO_FILE = "the key file FILE is no file of API keys; name another (graftwire key new makes it)"
WRONG = "key 2 of the key file FILE has {}; mend it, or take it out"
MOMENT = "a moment ({}) that is not written as in 2026-11-23T10:00:00Z"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", NO_FILE),
        ("[]", NO_FILE),
        ("{}", NO_FILE),
        ('{"keys": []}', NO_FILE),
        ('{"graftwire-api-keys": 1, "keys": {}}', NO_FILE),
        ('{"graftwire-api-keys": 1, "keys": [], "more": 1}', NO_FILE),
        ('{"graftwire-api-keys": 1, "keys": [], "keys": []}', NO_FILE),
        (
            '{"graftwire-api-keys": 2, "keys": []}',
            "the key file FILE is of another version than 1; update this side",
        ),
        (7, "key 2 of the key file FILE is no object; mend it, or take it out"),
        (
            {"hunter2": 1},
            WRONG.format("something else than created, expires, id, revoked, roles, sha256, subject"),
        ),
        ({"id": None}, WRONG.format("an id that is not 12 characters out of a to z and 2 to 7")),
        ({"id": "ABCDEFGH2345"}, WRONG.format("an id that is not 12 characters out of a to z and 2 to 7")),
        ({"id": "abcdefgh2345"}, WRONG.format("an id that another one has, too")),
        ({"sha256": "0" * 63}, WRONG.format("a sha256 that is not 64 hex digits")),
        ({"sha256": 0}, WRONG.format("a sha256 that is not 64 hex digits")),
        ({"subject": ""}, WRONG.format("a subject that is no text of 1 to 255 printable characters")),
        ({"roles": "reader"}, WRONG.format("roles that are no array of at most 100 texts")),
        ({"roles": [1]}, WRONG.format("roles that are no array of at most 100 texts")),
        ({"created": None}, WRONG.format("no created")),
        ({"created": "2026"}, WRONG.format(MOMENT.format("created"))),
        ({"expires": "2026-11-23T10:00:00"}, WRONG.format(MOMENT.format("expires"))),
        ({"revoked": True}, WRONG.format(MOMENT.format("revoked"))),
    ],
)
def test_mistakes_in_the_file(path: Path, content: Any, sentence: str) -> None:
    if not isinstance(content, str):
        second = content if content == 7 else GOOD | {"id": "b" * 12} | content
        content = json.dumps({"graftwire-api-keys": 1, "keys": [GOOD, second]})
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(SecurityError) as raised:
        ApiKeys(path)
    told = str(raised.value)
    assert told == sentence.replace("the key file FILE", f"the key file {path}")
    assert "hunter2" not in told


def test_an_entry_without_something(path: Path) -> None:
    for name in ("id", "sha256", "subject", "roles", "created"):
        entry = {key: value for key, value in GOOD.items() if key != name}
        path.write_text(json.dumps({"graftwire-api-keys": 1, "keys": [entry]}))
        path.chmod(0o600)
        with pytest.raises(SecurityError) as raised:
            ApiKeys(path)
        assert str(raised.value) == f"key 1 of the key file {path} has no {name}; mend it, or take it out"


def test_no_file(tmp_path: Path) -> None:
    for argument, sentence in {
        "": "api-keys needs the path of a key file, as in api-keys:keys.json",
        f"{tmp_path}/none": f"the key file {tmp_path}/none can't be read: there is no such file; check the path",
    }.items():
        with pytest.raises(SecurityError) as raised:
            ApiKeys.from_text(argument)
        assert str(raised.value) == sentence


# --- the caller's side ----------------------------------------------------------------------------------------------


async def test_sent_from_a_file_or_the_environment(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = made(path)
    keys = ApiKeys(path)
    held = tmp_path / "key"
    held.touch(0o600)
    held.write_bytes(key + b"\n")
    monkeypatch.setenv("KEY", key.decode())
    for provider in (
        ApiKeyCredential(file=held),
        ApiKeyCredential(environment="KEY"),
        ApiKeyCredential.from_text(f"file:{held}"),
        ApiKeyCredential.from_text("env:KEY"),
    ):
        credential = await provider.credential(OCCASION)
        assert (credential.scheme, credential.expires) == ("api-key", None)
        assert isinstance(await judged(keys, credential.proof), Identity)
    held.write_bytes(b"hunter2")
    with pytest.raises(CredentialError) as raised:
        await ApiKeyCredential(file=held).credential(OCCASION)
    assert str(raised.value) == (
        "what should be an API key does not have the form of one (gw_, an id, _, a secret); check what is there"
    )


def test_the_command_line_is_no_place_for_a_key() -> None:
    with pytest.raises(SecurityError) as raised:
        ApiKeyCredential.from_text("gw_hunter2")
    assert str(raised.value) == (
        "a credential is named by where it is: api-key:file:PATH or api-key:env:NAME; the secret itself has no "
        "place here"
    )
    with pytest.raises(SecurityError) as raised:
        ApiKeyCredential()
    assert str(raised.value) == "an API key comes from one place; give one of file and environment"
