"""Exceptions to the ERRORs of the wire and back (clauses ERR-1 to ERR-4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from graftwire.protocol import errors, values
from graftwire.protocol.errors import ErrorCode, ValueRefused
from graftwire.protocol.failures import (
    describe_exception,
    error_from_wire,
    error_to_wire,
    field_types,
    rebuild_exception,
)
from graftwire.protocol.frames import WITH_BODY


@pytest.mark.parametrize("code", [code for code in ErrorCode if code is not ErrorCode.NONE])
def test_every_code_comes_back_as_its_exception(code: ErrorCode) -> None:
    bodies = {
        ErrorCode.BAD_ARGUMENTS: values.encode("[0].name"),
        ErrorCode.APPLICATION: values.encode(["Broke", "all gone", {"left": 3}]),
        ErrorCode.INTERNAL: values.encode(bytes(range(8))),
    }
    assert bodies.keys() == WITH_BODY
    error = error_from_wire(code, bodies.get(code))
    assert error.code is code
    if isinstance(error, errors.BadArguments):
        assert error.path == "[0].name"
    elif isinstance(error, errors.ApplicationError):
        assert (error.name, error.message, error.fields) == ("Broke", "all gone", {"left": 3})
    elif isinstance(error, errors.InternalError):
        assert error.incident == "0001020304050607"
    else:
        assert error_to_wire(error) == (code, None)


def test_a_path_goes_back_as_it_came() -> None:
    code, body = error_to_wire(errors.BadArguments("[0].name"))
    assert code is ErrorCode.BAD_ARGUMENTS
    assert values.decode(body or b"") == "[0].name"


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (ErrorCode.BAD_ARGUMENTS, 1),
        (ErrorCode.BAD_ARGUMENTS, None),
        (ErrorCode.APPLICATION, "Broke"),
        (ErrorCode.APPLICATION, ["Broke", "all gone"]),
        (ErrorCode.APPLICATION, ["Broke", 1, {}]),
        (ErrorCode.APPLICATION, ["Broke", "all gone", {1: 2}]),
        (ErrorCode.APPLICATION, ["Broke", "all gone", {}, 4]),
        (ErrorCode.INTERNAL, b"1234567"),
        (ErrorCode.INTERNAL, b"123456789"),
        (ErrorCode.INTERNAL, "12345678"),
    ],
)
def test_a_body_that_does_not_fit_its_code_is_an_internal_error(code: ErrorCode, value: Any) -> None:
    error = error_from_wire(code, values.encode(value))
    assert type(error) is errors.InternalError
    assert not error.incident


@pytest.mark.parametrize("body", [None, b"", b"\xff", b"\x61"])
@pytest.mark.parametrize("code", sorted(WITH_BODY))
def test_a_body_that_can_not_be_decoded_is_an_internal_error(code: ErrorCode, body: bytes | None) -> None:
    assert type(error_from_wire(code, body)) is errors.InternalError


def test_a_reference_in_a_field_becomes_an_object() -> None:
    class Thing:
        pass

    body = values.encode(["Broke", "", {"thing": Thing()}], reference=lambda value: 7)
    error = error_from_wire(ErrorCode.APPLICATION, body, lambda id: ("thing", id))
    assert isinstance(error, errors.ApplicationError)
    assert error.fields == {"thing": ("thing", 7)}
    assert type(error_from_wire(ErrorCode.APPLICATION, body)) is errors.InternalError


# --- declared exceptions ----------------------------------------------------------------------------------


class Base(Exception):
    account: str
    _secret: str


class Overdrawn(Base):
    number: ClassVar[int] = 7
    plain: ClassVar = "canary"
    short_by: int
    never_set: int

    def __init__(self, account: str, short_by: int) -> None:
        super().__init__(f"{account} lacks {short_by}")
        self.account, self.short_by = account, short_by
        self._secret = "canary"
        self.not_declared = "canary"


class Guarded(Exception):
    @property
    def level(self) -> int:
        return 1

    __annotations__ = {"level": int}


DECLARED: dict[str, type[Exception]] = {"Overdrawn": Overdrawn, "Guarded": Guarded}


def came(error: Exception) -> errors.ApplicationError:
    """What the other side reads of a declared exception."""
    found = error_from_wire(ErrorCode.APPLICATION, describe_exception(error))
    assert isinstance(found, errors.ApplicationError)
    return found


def test_fields_are_what_the_class_and_its_bases_declare() -> None:
    assert field_types(Overdrawn) == {"account": str, "short_by": int, "never_set": int}
    assert field_types(ValueError) == {}


def test_a_declared_exception_comes_back_without_its_constructor() -> None:
    error = came(Overdrawn("ACME", 12))
    assert error.fields == {"account": "ACME", "short_by": 12}
    rebuilt = rebuild_exception(error, DECLARED)
    assert type(rebuilt) is Overdrawn
    assert str(rebuilt) == "ACME lacks 12"
    assert (rebuilt.account, rebuilt.short_by) == ("ACME", 12)
    assert not hasattr(rebuilt, "not_declared")
    assert not hasattr(rebuilt, "_secret")


@pytest.mark.parametrize(
    "error",
    [
        errors.ApplicationError("Unknown", "", {}),
        errors.ApplicationError("Overdrawn", "", {"other": 1}),  # no such field here
        errors.ApplicationError("Overdrawn", "", {"short_by": "much"}),  # of another type here
        errors.ApplicationError("Guarded", "", {"level": 1}),  # can't be set
    ],
    ids=lambda error: f"{error.name}-{'-'.join(error.fields)}",
)
def test_what_is_not_declared_so_stays_as_it_came(error: errors.ApplicationError) -> None:
    assert rebuild_exception(error, DECLARED) is error


def test_a_field_that_can_not_cross_is_refused() -> None:
    with pytest.raises(ValueRefused):
        describe_exception(Overdrawn("ACME", object()))  # type: ignore[arg-type] - what a user may get wrong


def test_fields_may_be_records() -> None:
    @dataclass
    class Place:
        line: int

    class Misplaced(Exception):
        place: Place

    Misplaced.__annotations__["place"] = Place  # it is local, so that its name leads nowhere
    error = Misplaced("there")
    error.place = Place(3)
    rebuilt = rebuild_exception(came(error), {"Misplaced": Misplaced})
    assert isinstance(rebuilt, Misplaced)
    assert rebuilt.place == Place(3)
