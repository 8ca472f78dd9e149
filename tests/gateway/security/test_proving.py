"""Credential providers that give wrong things, or nothing in time; and when a proof is given again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio

import graftwire
from tests.gateway.plugins import Names, Only, everything
from tests.gateway.test_answering import Answers, Asks, both, hosting


class Gives(graftwire.CredentialProvider):
    name = "gives"

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    async def credential(self, occasion: graftwire.Occasion) -> Any:
        await trio.lowlevel.checkpoint()
        return self.make()


def raising(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


def made(*arguments: Any, **more: Any) -> Callable[[], Any]:
    return lambda: graftwire.Credential(*arguments, **more)


NAIVE = datetime(2100, 1, 1)  # noqa: DTZ001
NONE = "the credential provider gives gave what is no credential ({}); mend that provider"

WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "text": (lambda: "hunter2", NONE.format("a str")),
    "class": (lambda: graftwire.Credential, NONE.format("a type")),
    "proof as text": (made("name", "hunter2"), NONE.format("its proof is not bytes")),
    "long proof": (made("name", b"a" * 8_193), NONE.format("its proof is longer than 8192 bytes")),
    "scheme": (made("Name", b"hunter2"), NONE.format("its scheme is none")),
    "no scheme": (made(None, b"hunter2"), NONE.format("its scheme is none")),
    "long scheme": (made("a" * 33, b"hunter2"), NONE.format("its scheme is none")),
    "naive": (
        made("name", b"ada", expires=NAIVE),
        NONE.format("its expires is no moment with a time zone"),
    ),
    "seconds": (made("name", b"ada", expires=60), NONE.format("its expires is no moment with a time zone")),
    "exit": (
        raising(SystemExit("hunter2")),
        "the credential provider gives failed (SystemExit); the log says where",
    ),
}


@pytest.mark.parametrize("what", WRONG)
async def test_what_is_no_credential(what: str, caplog: pytest.LogCaptureFixture) -> None:
    make, sentence = WRONG[what]
    async with hosting(auth=[graftwire.Anonymous(), Names("ada")], allow=Only(everything)) as place:
        with pytest.raises(graftwire.CredentialError) as caught:
            async with place.connect(credential=Gives(make)):
                raise AssertionError
        assert str(caught.value) == sentence
        async with place.connect() as client:
            with pytest.raises(graftwire.CredentialError):
                await client.using(credential=Gives(make)).call("Shop.who")
        assert not place.shop.ran
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("what", WRONG)
async def test_a_gateway_with_nothing_to_prove_by_goes_on(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    make, sentence = WRONG[what]
    async with both(Gives(make), auth=graftwire.Anonymous()) as (_, client):
        assert await client.call("Caller.back", "Shop.who") == "anonymous"
    assert f"this side could not prove who it is: {sentence}" in caplog.text


def asking(answer: Callable[[], Any]) -> graftwire.CredentialProvider:
    async def reply(_: bytes) -> Any:
        await trio.lowlevel.checkpoint()
        made = answer()
        return await made if hasattr(made, "__await__") else made

    return Gives(made("asks", b"", reply))


ANSWERS: dict[str, tuple[Callable[[], Any], str]] = {
    "raises": (
        raising(KeyError("hunter2")),
        "the credential provider gives failed (KeyError); the log says where",
    ),
    "hangs": (trio.sleep_forever, "the credential provider gives took longer than 5 s"),
    "text": (lambda: "hunter2", NONE.format("its answer is not bytes")),
    "long": (lambda: b"a" * 8_193, NONE.format("its answer is longer than 8192 bytes")),
}


@pytest.mark.parametrize("what", ANSWERS)
async def test_a_challenge_that_is_not_answered(
    what: str, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    answer, sentence = ANSWERS[what]
    async with hosting(auth=Asks(), allow=Only(everything)) as place:
        with pytest.raises(graftwire.CredentialError) as caught:
            async with place.connect(credential=asking(answer)):
                raise AssertionError
        assert str(caught.value) == sentence
        await trio.sleep(1)
        # the exchange began, and is over without an identity: that has its record
        assert place.sink.said == [
            ("authentication", "asks", "", "refused", "asks", "the session ended before the exchange did")
        ]
    assert "hunter2" not in caplog.text


async def test_a_gateway_that_does_not_answer_a_challenge_goes_on(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"auth": Asks(), "allow": Only(everything)}
    with pytest.raises(graftwire.Unavailable):
        async with both(asking(raising(KeyError("hunter2"))), **options) as (_, client):
            await client.call("Caller.back", "Shop.who")
    assert (
        "this side could not prove who it is: the credential provider gives failed (KeyError)" in caplog.text
    )
    assert "hunter2" not in caplog.text
    assert "the handler of a connection" not in caplog.text


# --- again ----------------------------------------------------------------------------------------------------------


async def test_nothing_waits_for_a_session_that_is_over(autojump_clock: trio.testing.MockClock) -> None:
    """A session that is gone needs no new proof, and nobody to wait for the moment of one."""
    asked: list[float] = []

    def make() -> graftwire.Credential:
        asked.append(trio.current_time())
        return graftwire.Credential("name", b"ada", expires=datetime.now(UTC) + timedelta(seconds=100))

    async with hosting(auth=Names("ada"), allow=Only(everything)) as place:
        async with place.connect(credential=Gives(make), retry=graftwire.Retry()) as client:
            for _ in range(3):
                assert await client.call("Shop.who") == "ada"
                client._connection.session.close()
                await client._connection.session.wait_ended()
            await trio.testing.wait_all_tasks_blocked()
            tasks = client._connection._dialler.nursery.child_tasks
            kept = [task for task in tasks if "_keep_proved" in task.name]
            assert len(kept) == len(place.gateway.sessions) <= 1  # of the session that has taken its place
            assert len(asked) <= 4


@pytest.mark.parametrize("seconds", [-5.0, 0.001, 3.0])
async def test_a_proof_that_hardly_lasts_is_not_asked_for_all_the_time(
    seconds: float, autojump_clock: trio.testing.MockClock
) -> None:
    asked: list[float] = []

    def make() -> graftwire.Credential:
        asked.append(trio.current_time())
        return graftwire.Credential("name", b"ada", expires=datetime.now(UTC) + timedelta(seconds=seconds))

    async with hosting(auth=Names("ada"), allow=Only(everything)) as place:
        async with place.connect(credential=Gives(make)):
            await trio.sleep(100)
    assert 15 <= len(asked) <= 21


async def test_a_challenge_is_answered_again_when_a_proof_is_renewed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    class Short(Answers):
        async def credential(self, occasion: graftwire.Occasion) -> graftwire.Credential:
            found = await super().credential(occasion)
            soon = datetime.now(UTC) + timedelta(seconds=100)
            return graftwire.Credential(found.scheme, found.proof, found.answer, soon)

    async with hosting(auth=Asks(), allow=Only(everything)) as place:
        async with place.connect(credential=Short(lambda question: question[::-1])) as client:
            await trio.sleep(90)
            assert await client.call("Shop.who") == "ada"
        assert [each[0] for each in place.sink.said] == ["authentication"] * 2 + ["call"]
