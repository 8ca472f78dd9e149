"""Records, and logs of them."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from graftwire.gateway.audit.file import AuditFile
from graftwire.gateway.audit.record import Decision, Event, LinkRecord, Record

LINK = LinkRecord(transport="tls", peer="203.0.113.7:50123", local="198.51.100.1:7400", tls="TLSv1.3")


def record(call: int = 1, reason: str = "the role billing") -> Record:
    return Record(
        time=datetime(2026, 11, 23, 10, 0, 0, 250_000, tzinfo=UTC),
        event=Event.CALL,
        decision=Decision.ALLOWED,
        session="0123456789abcdef",
        call=call,
        target="Invoices.total",
        link=LINK,
        scheme="bearer",
        issuer="https://id.example",
        identity="alice",
        code=None,
        plugin="roles",
        reason=reason,
        duration=0.000125,
        digest="cd" * 32,
    )


async def write(path: Path, count: int, **options: Any) -> None:
    """Append so many records, as one run of a gateway."""
    log = AuditFile(path, **options)
    for call in range(count):
        await log.write(record(call))
    await log.aclose()


def entries(*paths: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file of this process can grow beyond so many bytes: what a full disk does, from the system itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"
