"""`graftwire check`: what a configuration will expose, to whom, on which links, in one screen."""

from __future__ import annotations

import trio

from graftwire import ConfigurationError, InterfaceError
from graftwire.gateway.configuration.exposure import Exposure, Place, Target, expose
from graftwire.gateway.workers.worker import Worker

from .failure import Failure, of_problems
from .output import json_line, line, printable
from .serve import Load

_ANONYMOUS = {True: "anonymous too", False: "", None: "anonymous if it lets them"}


def check(load: Load, *, as_json: bool) -> None:
    """Write what would be exposed. Raises Failure for what is wrong or unsafe."""
    try:
        found = trio.run(expose, load())
    except InterfaceError as error:
        raise of_problems(error) from None
    except ConfigurationError as error:
        raise Failure(str(error), kind="configuration") from None
    if as_json:
        json_line(_as_json(found))
    else:
        for text in _lines(found):
            line(printable(text))
    if found.problems:
        first, *more = found.problems
        details: dict[str, object] = {"problems": list(found.problems)}
        raise Failure(first, kind="configuration", details=details, more=more)


def _in_workers(worker: Worker | None) -> str:
    if worker is None:
        return ""
    memory = "" if worker.memory is None else f", at most {worker.memory} bytes of memory each"
    return f"  (in {worker.count} worker process{'' if worker.count == 1 else 'es'}{memory})"


def _lines(found: Exposure) -> list[str]:
    lines: list[str] = []
    for name, targets in found.modules.items():
        lines.append(f"exposes    {name}{_in_workers(found.elsewhere.get(name))}")
        wide = max((len(target.name) for target in targets), default=0)
        lines += [f"           {target.name:{wide}}  {_who(target)}" for target in targets]
    nobody = [
        target.name for targets in found.modules.values() for target in targets if target.who == "nobody"
    ]
    lines += [
        f"auth       {', '.join(found.auth)}",
        f"allow      {', '.join(found.allow) or 'everything, to whoever is let in'}",
        f"nobody may {', '.join(nobody) or '(there is no such target)'}",
    ]
    lines += [f"listens    {_where(place)}" for place in found.places]
    if found.workers > 1:
        lines.append(f"processes  {found.workers}, which share what is listened at")
    if found.certificate is not None:
        named = ", ".join(found.certificate.names) or "no name"
        lines.append(f"tls        {found.certificate.subject or '(no subject)'}; for {named}")
        lines.append(f"           until {found.certificate.until:%Y-%m-%d}")
        asked = "no certificate is asked for" if found.client_ca is None else ", ".join(found.client_ca)
        lines.append(f"client CA  {asked}")
    else:
        lines.append("tls        none")
    sinks = ", ".join(found.audit)
    lines.append(
        f"audit      {sinks}; what can't be written down is {_lost(found)}"
        if sinks
        else "audit      refusals only, to the log"
    )
    lines += [f"warning    {text}" for text in found.warnings]
    if not found.problems:
        lines.append("fit to serve")
    return lines


def _lost(found: Exposure) -> str:
    return "refused" if found.on_failure == "refuse" else "counted"


def _who(target: Target) -> str:
    more = _ANONYMOUS[target.anonymous]
    return f"{target.who} ({more})" if more and target.who != "anyone" else target.who


def _where(place: Place) -> str:
    protected = "TLS" if place.tls else "plain"
    return f"{place.url}  {protected}, {'other machines reach it' if place.far else 'this machine alone'}"


def _as_json(found: Exposure) -> dict[str, object]:
    certificate = found.certificate
    return {
        "modules": {
            name: [{"target": each.name, "who": each.who, "anonymous": each.anonymous} for each in targets]
            for name, targets in found.modules.items()
        },
        "worker_processes": {
            name: {"count": each.count, "memory": each.memory} for name, each in found.elsewhere.items()
        },
        "auth": list(found.auth),
        "allow": list(found.allow),
        "listen": [{"url": each.url, "tls": each.tls, "other_machines": each.far} for each in found.places],
        "workers": found.workers,
        "tls": None
        if certificate is None
        else {
            "subject": certificate.subject,
            "names": list(certificate.names),
            "until": certificate.until.isoformat(),
            "client_ca": None if found.client_ca is None else list(found.client_ca),
        },
        "audit": {"sinks": list(found.audit), "on_failure": found.on_failure},
        "warnings": list(found.warnings),
        "problems": list(found.problems),
    }
