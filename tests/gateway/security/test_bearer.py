"""The caller's side of bearer tokens: where they come from, and when a new one is needed."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from graftwire.gateway.security.bearer import BearerCredential
from graftwire.gateway.security.errors import CredentialError, SecurityError
from graftwire.gateway.security.plugins import Credential

from .conftest import OCCASION, Clock
from .signing import NOW, Signer

SIGNER = Signer("EdDSA")
ONE_PLACE = "a bearer token comes from one place; give one of file, environment and get"


def file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "token"
    path.write_bytes(content)
    path.chmod(mode)
    return path


async def test_a_file_is_read_whenever_a_token_is_needed(tmp_path: Path) -> None:
    provider = BearerCredential(file=file(tmp_path, SIGNER.token() + b"\r\n"), clock=lambda: NOW)
    assert await provider.credential(OCCASION) == Credential(
        "bearer", (tmp_path / "token").read_bytes().strip(), expires=datetime.fromtimestamp(NOW + 600, UTC)
    )
    file(tmp_path, SIGNER.token(exp=NOW + 900))
    assert (await provider.credential(OCCASION)).expires == datetime.fromtimestamp(NOW + 900, UTC)


async def test_the_environment_and_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "opaque")

    async def get() -> str:
        return "made"

    for provider, proof in (
        (BearerCredential(environment="TOKEN"), b"opaque"),
        (BearerCredential.from_text("env:TOKEN"), b"opaque"),
        (BearerCredential(get=get), b"made"),
    ):
        credential = await provider.credential(OCCASION)
        assert (credential.scheme, credential.proof, credential.expires) == ("bearer", proof, None)
        assert proof.decode() not in repr(credential)


@pytest.mark.parametrize("exp", [None, "soon", True, -1, 1e300, [1]])
async def test_an_end_that_can_not_be_read_is_left_to_the_other_side(tmp_path: Path, exp: object) -> None:
    provider = BearerCredential.from_text(f"file:{file(tmp_path, SIGNER.token(exp=exp))}")
    assert (await provider.credential(OCCASION)).expires is None


async def test_an_expired_token_is_not_sent(tmp_path: Path) -> None:
    clock = Clock(NOW + 599)
    provider = BearerCredential(file=file(tmp_path, SIGNER.token()), clock=clock)
    assert (await provider.credential(OCCASION)).proof
    clock.now += 1
    with pytest.raises(CredentialError) as raised:
        await provider.credential(OCCASION)
    assert str(raised.value) == "the bearer token has expired; put a new one in its place"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the bearer token is missing: the file PATH is empty; put it there"),
        (b" \n", "the bearer token is missing: the file PATH is empty; put it there"),
        (
            b"hunter2\nhunter3",
            "the bearer token in the file PATH has characters that it can't have; check what is there",
        ),
        (
            "hünter2".encode(),
            "the bearer token in the file PATH has characters that it can't have; check what is there",
        ),
        (
            b"\xff\xfe",
            "the bearer token in the file PATH has characters that it can't have; check what is there",
        ),
        (
            b"a" * 8_193,
            "the bearer token in the file PATH is longer than 8192 characters; check what is there",
        ),
        (
            b"a" * 9_000,
            "the file of the bearer token PATH is longer than 8194 bytes; check that it is the right file",
        ),
    ],
)
async def test_mistakes_in_a_file(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = file(tmp_path, content)
    with pytest.raises(CredentialError) as raised:
        await BearerCredential(file=path).credential(OCCASION)
    assert str(raised.value) == sentence.replace("PATH", str(path))


async def test_a_missing_file_and_a_missing_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    for provider, sentence in (
        (
            BearerCredential(file=tmp_path / "none"),
            f"the file of the bearer token {tmp_path}/none can't be read: there is no such file; check the path",
        ),
        (
            BearerCredential(environment="TOKEN"),
            "the bearer token should be in the environment variable TOKEN, which is not set; set it",
        ),
    ):
        with pytest.raises(CredentialError) as raised:
            await provider.credential(OCCASION)
        assert str(raised.value) == sentence
    monkeypatch.setenv("TOKEN", "")
    with pytest.raises(CredentialError) as raised:
        await BearerCredential(environment="TOKEN").credential(OCCASION)
    assert str(raised.value) == (
        "the bearer token is missing: the environment variable TOKEN is empty; put it there"
    )


async def test_what_a_function_gives_is_checked_and_what_it_raises_goes_through() -> None:
    async def empty() -> str:
        return ""

    async def broken() -> str:
        raise OSError("no")

    with pytest.raises(CredentialError) as raised:
        await BearerCredential(get=empty).credential(OCCASION)
    assert str(raised.value) == (
        "the bearer token is missing: what the function for it gives is empty; put it there"
    )
    with pytest.raises(OSError, match="no"):
        await BearerCredential(get=broken).credential(OCCASION)


async def test_who_may_read_and_write_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = file(tmp_path, b"token", 0o644)
    provider = BearerCredential(file=path)
    for _ in range(2):
        await provider.credential(OCCASION)
    assert [record.getMessage() for record in caplog.records] == [
        f"the file of the bearer token {path} can be read by everyone; chmod 600 keeps it private"
    ]
    os.chmod(path, 0o602)  # noqa: S103 - that is what is refused
    with pytest.raises(CredentialError) as raised:
        await provider.credential(OCCASION)
    assert str(raised.value) == (
        f"the file of the bearer token {path} can be written by others than its owner; run chmod go-w {path}, and "
        "check what it holds"
    )
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("text", ["", "hunter2", "file:", "env:", "env:a=hunter2", "env:1", "text:hunter2"])
def test_the_command_line_is_no_place_for_a_secret(text: str) -> None:
    with pytest.raises(SecurityError) as raised:
        BearerCredential.from_text(text)
    assert str(raised.value) == (
        "a credential is named by where it is: bearer:file:PATH or bearer:env:NAME; the secret itself has no "
        "place here"
    )


def test_one_place() -> None:
    async def get() -> str:
        return ""

    for more in ({}, {"file": "a", "get": get}, {"environment": "a", "get": get}):
        with pytest.raises(SecurityError) as raised:
            BearerCredential(**more)
        assert str(raised.value) == ONE_PLACE
    with pytest.raises(SecurityError) as raised:
        BearerCredential(file="a", environment="b")
    assert str(raised.value) == (
        "a credential comes from one place; give a file or a variable of the environment"
    )
