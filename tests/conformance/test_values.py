"""Every vector of the standard is a case, in the role of whoever reads a value."""

from __future__ import annotations

from graftwire.conformance.case import Expect, Report
from graftwire.conformance.cases import BY_ID, values
from graftwire.conformance.frames import BAD_ARGUMENTS, error
from graftwire.conformance.roles import BOTH, Role


def test_every_vector_has_its_cases() -> None:
    found = values.vectors("values")
    references = [each["name"] for each in found if "error" not in each and "reference" in each["name"]]
    assert references == ["reference.1", "reference.2", "reference.2^53-1", "reference.inside"]
    arguments = [id for id in BY_ID if id.startswith(values.ARGUMENT)]
    results = [id for id in BY_ID if id.startswith(values.RESULT)]
    assert len(arguments) == len(results) == len(found) - len(references)


def test_what_is_refused_is_refused() -> None:
    for vector in values.vectors("values"):
        case = BY_ID.get(values.RESULT + vector["name"])
        if case is None:
            continue  # its name has other letters here
        report: Report = case.reports[0]
        assert report.outcome == ("error" if "error" in vector else "result")
        argument = BY_ID[values.ARGUMENT + vector["name"]]
        if "error" in vector:
            assert argument.steps[-1] == Expect((error(BAD_ARGUMENTS),))
        assert case.roles == (Role.INITIATOR,)
        assert argument.alone or argument.roles == BOTH


def test_the_bytes_of_a_vector() -> None:
    assert values.octets({"hex": "0102"}) == b"\1\2"
    assert values.octets({"hex_parts": [["01", 2], ["ff", 1]]}) == b"\1\1\xff"
