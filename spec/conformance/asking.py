"""The activities of cases as lines for an initiator, and what it may say of them."""

from __future__ import annotations

from typing import Final

from .case import Activity, Proof, Report
from .launch import Asked, GivenProof, Told, Trace
from .parts import Part, Scope, encode, octets

_WITHOUT_CALL: Final = ("hold", "leave")


def asked_for(activity: Activity, url: str, scope: Scope) -> Asked:
    """An activity as a line; its id is given when it is sent."""
    trace = None if activity.trace is None else Trace(*activity.trace)
    return Asked(
        id=0,
        dial=url,
        do=activity.do,
        auth=_given(activity.auth, scope),
        credential=_given(activity.credential, scope),
        origin=activity.origin,
        target="" if activity.do in _WITHOUT_CALL else activity.target,
        arguments=_hex(activity.arguments, scope),
        deadline=activity.deadline,
        trace=trace,
        items=[_hex(each, scope) for each in activity.items],
        take=activity.take,
        cancel_after=activity.cancel_after,
        stay=activity.stay,
        times=activity.times,
        then=[_hex(each, scope) for each in activity.then],
    )


def _given(proof: Proof | None, scope: Scope) -> GivenProof | None:
    if proof is None:
        return None
    return GivenProof(proof.scheme, octets(proof.proof, scope).hex())


def _hex(part: Part, scope: Scope) -> str:
    return encode(part, scope).hex()


def report_fits(report: Report, told: Told, scope: Scope) -> bool:
    """Whether what an initiator said is what it may say."""
    if told.outcome != report.outcome:
        return False
    return (
        (report.value is None or told.value == _hex(report.value, scope))
        and (not report.codes or told.code in report.codes)
        and (report.ran is None or (told.ran is False) is not report.ran)
        and (report.items is None or told.items == [_hex(each, scope) for each in report.items])
        and (report.called is None or told.called == report.called)
    )
