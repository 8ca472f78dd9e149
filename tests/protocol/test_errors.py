from __future__ import annotations

import pytest

from graftwire.protocol import errors
from graftwire.protocol.errors import ErrorCode

CLASSES = [
    cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.CallError)
]


def test_codes_are_those_of_the_standard() -> None:
    labels = (
        "none cancelled deadline-exceeded unauthenticated denied unknown-target bad-arguments application "
        "internal overloaded unavailable too-large protocol version"
    )
    assert [code.label for code in ErrorCode] == labels.split()
    assert [int(code) for code in ErrorCode] == list(range(14))
    assert errors.MEANINGS.keys() == set(ErrorCode)


def test_every_code_has_one_exception() -> None:
    own = [cls for cls in CLASSES if cls is not errors.CallError]
    assert sorted(cls.code for cls in own) == list(range(1, 14))


@pytest.mark.parametrize(
    "code",
    [
        ErrorCode.UNAUTHENTICATED,
        ErrorCode.DENIED,
        ErrorCode.UNKNOWN_TARGET,
        ErrorCode.OVERLOADED,
        ErrorCode.UNAVAILABLE,
        ErrorCode.VERSION,
    ],
)
def test_these_mean_that_nothing_ran(code: ErrorCode) -> None:
    cls = next(cls for cls in CLASSES if cls.code is code)
    assert cls().ran is False
    assert cls(ran=True).ran is True
    assert str(cls()) == errors.MEANINGS[code]


@pytest.mark.parametrize(
    "code", [ErrorCode.CANCELLED, ErrorCode.DEADLINE_EXCEEDED, ErrorCode.TOO_LARGE, ErrorCode.PROTOCOL]
)
def test_these_do_not(code: ErrorCode) -> None:
    cls = next(cls for cls in CLASSES if cls.code is code and cls is not errors.CallError)
    assert cls().ran is True
    assert str(cls("so")) == "so"


def test_bad_arguments_name_the_path_and_ran_only_for_items() -> None:
    assert (errors.BadArguments("arguments[0].x").ran, errors.BadArguments("items[2]").ran) == (False, True)
    assert str(errors.BadArguments("arguments[0].x")) == "bad arguments at arguments[0].x"
    assert str(errors.BadArguments()) == "bad arguments at the argument list"
    assert str(errors.BadArguments("a", "so")) == "so"


def test_what_a_method_raised_is_told_with_its_name() -> None:
    error = errors.ApplicationError("Overdrawn", "no money", {"by": 5})
    assert (str(error), error.fields, error.ran) == ("Overdrawn: no money", {"by": 5}, True)
    assert str(errors.ApplicationError("Closed", "")) == "Closed"
    assert errors.ApplicationError("Closed", "").fields == {}


def test_an_internal_error_leads_to_the_log() -> None:
    assert str(errors.InternalError("00ff")).endswith("; the receiver's log has it as incident 00ff")
    assert str(errors.InternalError()) == errors.MEANINGS[ErrorCode.INTERNAL]


def test_protocol_errors_name_their_clause() -> None:
    violation = errors.ProtocolViolation("FRAME-4", "it is unknown")
    assert (str(violation), violation.clause, violation.code) == (
        "it is unknown (FRAME-4)",
        "FRAME-4",
        ErrorCode.PROTOCOL,
    )
    assert errors.ProtocolViolation("HELLO-4", "so", ErrorCode.VERSION).code is ErrorCode.VERSION
    local = errors.LocalProtocolError("CALL-4", "not now")
    assert (str(local), local.clause, local.text) == ("not now (CALL-4)", "CALL-4", "not now")


def test_a_refused_value_collects_its_path() -> None:
    refused = errors.ValueRefused("VAL-4", "too large")
    assert str(refused) == "too large (VAL-4)"
    assert str(refused.at("amount").at("lines[3]").at("arguments[0]")) == (
        "arguments[0].lines[3].amount: too large (VAL-4)"
    )
    assert refused.at("[1]").at("items").path == "items[1]"


def test_one_base_for_all() -> None:
    raised = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, Exception)]
    assert all(issubclass(cls, errors.Error) for cls in raised)
