"""Files that are read within bounds, and again when they change, and never at the price of what was in force."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import trio

from graftwire.gateway.security import watched as watched_module
from graftwire.gateway.security.errors import SecurityError
from graftwire.gateway.security.identity import Identity
from graftwire.gateway.security.plugins import Permission, Refusal, Request
from graftwire.gateway.security.roles import RoleRules
from graftwire.gateway.security.watched import PAUSE, Watched, read
from tests.gateway.security.conftest import FACTS, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a"


def texts(contents: Sequence[bytes]) -> str:
    text = b"+".join(contents).decode()
    if "bad" in text:
        raise SecurityError(f"it is {text}")
    return text


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


# --- reading --------------------------------------------------------------------------------------------------------


def sentence(path: Path | str, **options: bool | int) -> str:
    with pytest.raises(SecurityError) as caught:
        read(path, "the file of tests", **options)  # type: ignore[arg-type]
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value)


def test_a_file_as_large_as_it_may_be(path: Path) -> None:
    write(path, "12345")
    assert read(path, largest=5) == b"12345"
    longer = f"the file of tests {path} is longer than 4 bytes; check that it is the right file"
    assert sentence(path, largest=4) == longer


def test_what_is_no_file(path: Path) -> None:
    """Neither holds anything up."""
    cant = f"the file of tests {path} can't be read: "
    assert sentence(path) == cant + "there is no such file; check the path"
    os.mkfifo(path)
    assert sentence(path) == f"the file of tests {path} is no regular file; name one"
    path.unlink()
    path.mkdir()
    assert sentence(path) == cant + "it is a folder; name the file in it"
    below = path / "b" / "c"
    assert (
        sentence(below) == f"the file of tests {below} can't be read: there is no such file; check the path"
    )
    path.rmdir()
    path.symlink_to(path)
    assert sentence(path) == cant + "too many levels of symbolic links; check the path"
    odd = "the path of the file of tests has a character that no path has; check it"
    assert sentence(f"{path}\0") == odd


def failing(patch: pytest.MonkeyPatch, error: OSError) -> None:
    def refuse(*_: object) -> int:
        raise error

    patch.setattr(watched_module.os, "open", refuse)


def test_a_file_that_this_user_may_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, PermissionError(errno.EACCES, "denied"))
    denied = f"the file of tests {path} can't be read: this user may not read it; change its owner or mode"
    assert sentence(path) == denied


def test_who_else_may_do_what(path: Path) -> None:
    write(path, "text")
    secret = (
        f"the file of tests {path} holds secrets and other users have access to it; run chmod 600 {path}, and replace "
        "the secrets if somebody may have read them"
    )
    tampered = (
        f"the file of tests {path} can be written by others than its owner; run chmod go-w {path}, and check what it "
        "holds"
    )
    for mode, private, guarded in (
        (0o600, None, None),
        (0o400, None, None),
        (0o644, secret, None),
        (0o640, secret, None),
        (0o604, secret, None),
        (0o610, secret, None),
        (0o620, secret, tampered),
        (0o602, secret, tampered),
        (0o666, secret, tampered),
    ):
        path.chmod(mode)
        assert read(path) == b"text"
        for option, expected in (("private", private), ("guarded", guarded)):
            if expected is None:
                assert read(path, **{option: True}) == b"text"  # type: ignore[arg-type]
            else:
                assert sentence(path, **{option: True}) == expected


# --- reading again --------------------------------------------------------------------------------------------------


def test_either_file_is_noticed_within_a_second(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    write(first, "one")
    write(second, "two")
    watched = Watched((first, second), texts, clock=clock)
    assert watched.value() == "one+two"
    write(second, "three")
    clock.now += PAUSE / 2
    assert watched.value() == "one+two"
    clock.now += PAUSE / 2
    with caplog.at_level(logging.INFO, "graftwire.gateway"):
        assert watched.value() == "one+three"
    assert [record.getMessage() for record in caplog.records] == [f"the file {second} was read again"]
    write(first, "fours")
    clock.now += PAUSE
    assert watched.value() == "fours+three"


def test_a_file_that_did_not_change_is_not_read(path: Path, clock: Clock) -> None:
    read: list[Sequence[bytes]] = []
    write(path, "good")
    watched = Watched((path,), read.append, clock=clock)
    for _ in range(3):
        clock.now += PAUSE
        watched.value()
    assert len(read) == 1


def test_what_can_not_be_used_is_said_once(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    write(path, "good")
    watched = Watched((path,), texts, clock=clock)
    changes: list[tuple[Callable[[], None], str]] = [
        (lambda: write(path, "bad"), "it is bad"),
        (lambda: write(path, "very bad"), "it is very bad"),
        (path.unlink, f"the file {path} can't be read: there is no such file; check the path"),
    ]
    for change, why in changes:
        change()
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                clock.now += PAUSE
                assert watched.value() == "good"
        assert [record.getMessage() for record in caplog.records] == [
            f"a changed file was not taken over, what was read before stays in force: {why}"
        ]
    write(path, "better")
    clock.now += PAUSE
    assert watched.value() == "better"


def test_at_the_start_it_is_an_error(path: Path) -> None:
    with pytest.raises(SecurityError, match="there is no such file"):
        Watched((path,), texts)
    write(path, "bad")
    with pytest.raises(SecurityError, match="it is bad"):
        Watched((path,), texts)


def test_a_file_that_others_can_read_now_is_not_taken_over(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    write(path, "good")
    path.chmod(0o600)
    watched = Watched((path,), texts, private=True, clock=clock)
    write(path, "newer")
    path.chmod(0o644)
    clock.now += PAUSE
    assert watched.value() == "good"
    assert f"run chmod 600 {path}" in caplog.text
    path.chmod(0o600)  # the mode counts as a change
    clock.now += PAUSE
    assert watched.value() == "newer"


def test_a_reading_that_failed_is_tried_again(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is out of descriptors must not miss what was revoked meanwhile, although the file then rests."""
    write(path, "good")
    watched = Watched((path,), texts, clock=clock)
    write(path, "newer")

    with monkeypatch.context() as patch:
        failing(patch, OSError(errno.EMFILE, "too many"))
        clock.now += PAUSE
        assert watched.value() == "good"
    clock.now += PAUSE
    assert watched.value() == "newer"


async def test_a_call_that_is_cancelled_hides_no_change(tmp_path: Path, clock: Clock) -> None:
    """The first call after a change may have come together with its CANCEL."""
    path = tmp_path / "roles.toml"
    write(path, '[allow]\n"Shop.pay" = ["clerk"]\n')
    rules = RoleRules.from_file(path, clock=clock)
    request = Request(Identity("eva", "name", roles=frozenset({"clerk"})), "Shop.pay", FACTS)
    assert isinstance(await rules.authorise(request), Permission)
    write(path, '[allow]\n"Shop.pay" = ["nobody-now"]\n')
    clock.now += PAUSE
    with trio.CancelScope() as scope:
        scope.cancel()
        await rules.authorise(request)
    assert isinstance(await rules.authorise(request), Refusal)
