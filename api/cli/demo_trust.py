"""The demo's second part: a gateway that knows its callers by API keys, with role rules and an audit log.

Key, rules and log are made for the moment, in a folder that is gone afterwards.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import graftwire
from graftwire import ConnectOptions, Denied, ListenOptions
from graftwire.gateway.audit.verify import Report, verify
from graftwire.gateway.security.key_file import add, new_key
from graftwire.protocol.frames import Auth
from graftwire.security import ApiKeyCredential, ApiKeys, AuditFile, RoleRules
from graftwire.transport.url import parse

from .demo_calls import NotAsExpected
from .demo_module import Invoices
from .demo_track import Track
from .dialling import connect

RULES: Final = {"Invoices.total": "clerk", "Invoices.pay": "manager"}
SUBJECT, ROLE = "billing", "clerk"


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of it: what each call gave, the lines of the audit log, what was found in them and on the link."""

    track: Track
    outcomes: dict[str, str]
    records: list[dict[str, Any]]
    report: Report


async def decide(url: str, listening: ListenOptions, dialling: ConnectOptions) -> Decided:
    """Make a call that the rules allow and one that they refuse. Raises NotAsExpected."""
    with tempfile.TemporaryDirectory(prefix="graftwire-demo-") as folder:
        keys, held, log = (os.path.join(folder, name) for name in ("keys.json", "key", "audit.jsonl"))
        key = _give_out(keys, held)
        sink = AuditFile(log)
        try:
            async with graftwire.serve(
                {"Invoices": Invoices()},
                url,
                auth=ApiKeys(keys),
                allow=RoleRules(RULES),
                audit=sink,
                options=listening,
            ) as gateway:
                track = Track("tls", gateway.urls[0])
                where, mine = parse(track.url), ApiKeyCredential(file=held)
                async with connect(where, dialling, track.record, credential=mine) as client:
                    outcomes = await _calls(client)
        finally:
            await sink.aclose()
        report = verify([log])
        written = _contents(log)
    track.decode()
    records = [json.loads(line) for line in written.splitlines()]
    _check(track, key.encode(), records, report, written)
    return Decided(track, outcomes, records, report)


def _give_out(keys: str, held: str) -> str:
    """A key: its hash is in one file, which the gateway reads, and itself in another, which the caller reads."""
    key, entry = new_key(SUBJECT, (ROLE,), datetime.now(UTC).replace(microsecond=0), None)
    add(keys, entry)
    with open(os.open(held, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write(key)
    return key


def _contents(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read()


async def _calls(client: graftwire.Client) -> dict[str, str]:
    invoices = client.proxy(Invoices)
    total = await invoices.total("ACME")
    try:
        await invoices.pay(1)
    except Denied as denied:
        refused = str(denied)
    else:
        raise NotAsExpected
    if total != Decimal("1280.50"):
        raise NotAsExpected
    return {'Invoices.total("ACME")': str(total), "Invoices.pay(1)": f"{Denied.__name__}: {refused}"}


def _check(track: Track, key: bytes, records: list[dict[str, Any]], report: Report, written: bytes) -> None:
    """Raises NotAsExpected, if the key is anywhere but in its slot, or the log is not what happened."""
    proofs = [crossed.seen.frame for crossed in track.frames if isinstance(crossed.seen.frame, Auth)]
    tape = b"".join(data for _, _, data in track.tape)
    secret = key.rpartition(b"_")[2]
    decisions = [(record["target"], record["identity"], record["decision"]) for record in records]
    if not (
        [proof.proof for proof in proofs] == [key]
        and track.credentials == 1
        and tape.count(secret) == 1
        and secret not in written
        and report.intact
        and decisions
        == [
            (None, SUBJECT, "allowed"),
            ("Invoices.total", SUBJECT, "allowed"),
            ("Invoices.pay", SUBJECT, "refused"),
        ]
    ):
        raise NotAsExpected
