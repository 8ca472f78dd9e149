"""What of a configuration differs from one gateway process to the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from graftwire import Configuration, ConfigurationError
from graftwire.gateway.configuration import making
from graftwire.gateway.configuration.processes import all_sink_texts, check_processes, of_process

from .conftest import LEAST, Load

SEVERAL = LEAST.replace("[security]", "workers = 2\n[security]")


def test_each_has_addresses_and_audit_logs_of_its_own(load: Load, folder: Path) -> None:
    text = SEVERAL + '[audit]\nsinks = ["audit.jsonl", "file:logs.d/plain", "/var/a.b.jsonl"]\n'
    config = load(text)
    one = of_process(config, 2, ["tcp://127.0.0.1:1", "tcp://[::1]:1"])
    assert one.texts("gateway.listen") == ("tcp://127.0.0.1:1", "tcp://[::1]:1")
    assert one.count("gateway.workers") == 1
    assert making.sink_texts(one) == [
        f"file:{folder}/audit-2.jsonl",
        f"file:{folder}/logs.d/plain-2",
        "file:/var/a.b-2.jsonl",
    ]
    assert one.at("gateway.listen") == config.at("gateway.listen")
    assert one.modules == config.modules
    assert all_sink_texts(config)[:2] == [f"file:{folder}/audit-1.jsonl", f"file:{folder}/audit-2.jsonl"]


def test_one_process_keeps_the_name_of_its_audit_log(load: Load, folder: Path) -> None:
    config = load(LEAST + '[audit]\nsinks = ["audit.jsonl"]\n')
    check_processes(config)
    assert all_sink_texts(config) == [f"file:{folder}/audit.jsonl"]


def test_what_can_not_be_shared(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graftwire.gateway.configuration.processes.SCHEMES", frozenset({"tls"}))
    config = load(SEVERAL)
    with pytest.raises(
        ConfigurationError, match="can't share an address of the transport tcp; listen there in a"
    ):
        check_processes(config)


async def test_programs_have_one_process(load: Load) -> None:
    config: Configuration = load(SEVERAL)
    with pytest.raises(ConfigurationError) as caught:
        async with config.serve():
            pass
    assert str(caught.value).endswith(
        "line 5: workers of [gateway]: several gateway processes are started by `graftwire serve` alone; leave it out "
        "here, or use that command"
    )
