"""The reference target hides nothing, from the three sides of it, over every link and in both roles."""

from __future__ import annotations

from graftwire.conformance.cases import CASES
from graftwire.conformance.results import Exit, RunResult, Verdict
from graftwire.conformance.roles import Role

from .conftest import play  # type: ignore[import-not-found]

STRUCTURE = ("hidden.structure.*", "hidden.capacity.*")
CANARIES = ("hidden.canary.*", "hidden.proof.*", "hidden.dialled.*")
BEHAVIOUR = ("hidden.ambient.*", "hidden.url.*", "hidden.query.*")


async def passed(*cases: str) -> RunResult:
    found: RunResult = await play(cases=cases)
    assert [(each.name, each.detail) for each in found.results if each.verdict is not Verdict.PASSED] == []
    assert found.exit is Exit.DONE
    assert {each.role for each in found.results} == set(Role)
    return found


async def test_every_byte_has_its_place() -> None:
    found = await passed(*STRUCTURE)
    used = {row.field: row for each in found.results for row in each.capacity}
    assert {"HELLO limits", "RESULT body", "CALL target"} <= set(used)
    assert all(row.bits <= row.at_most for row in used.values())


async def test_canaries_are_found_nowhere() -> None:
    await passed(*CANARIES)


async def test_ambient_credentials_change_no_answer() -> None:
    await passed(*BEHAVIOUR)


def test_the_three_sides_are_the_whole_chapter() -> None:
    prefixes = tuple(each.removesuffix("*") for each in (*STRUCTURE, *CANARIES, *BEHAVIOUR))
    chapter = [each.id for each in CASES if each.chapter == "nothing hidden"]
    assert [each for each in chapter if not each.startswith(prefixes)] == []
