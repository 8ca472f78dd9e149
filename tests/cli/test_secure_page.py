"""The commands of docs/how-to/secure-a-gateway.md give what it says, in a shell."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from pathlib import Path

import trustme

from .conftest import PATIENCE, running, with_the_command

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "secure-a-gateway.md").read_text(encoding="utf-8")
WHERE = "tls://localhost:7443"
PLACEHOLDERS = {"HASH": "[0-9a-f]{64}", "ID": "[a-z2-7]{12}"}


def examples() -> list[tuple[str, str]]:
    """Every command of the page, and what it writes."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def fits(written: str, expected: str) -> bool:
    pattern = re.sub(r"\b(HASH|ID)\b", lambda found: PLACEHOLDERS[found[1]], re.escape(expected))
    return re.fullmatch(pattern, written) is not None


def test_the_commands_of_the_page(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "gateway.pem")
    issued.private_key_pem.write_to_path(tmp_path / "gateway.key")
    (tmp_path / "shop.py").write_text(PAGE.split("```python\n")[1].split("```")[0])
    env = with_the_command(tmp_path)

    def shell(command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", f"umask 077; {command}"],
            cwd=tmp_path,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
            text=True,
            check=False,
        )
        return done.stdout

    found = examples()
    start = next(index for index, (command, _) in enumerate(found) if " serve " in command)
    for command, expected in found[:start]:
        assert shell(command) == expected, command
    command, expected = found[start]
    assert expected == f"listening {WHERE}\n"
    with running(*shlex.split(command.replace(":7443", ":0"))[1:], cwd=tmp_path) as served:
        url = served.address()
        for command, expected in found[start + 1 :]:
            written = shell(command.replace(WHERE, url)).replace(url, WHERE)
            end = time.monotonic() + PATIENCE
            while not fits(written, expected):
                assert time.monotonic() < end, (command, written)
                assert "billing.key" in command, (command, written)  # it takes a second until a key is gone
                written = shell(command.replace(WHERE, url)).replace(url, WHERE)
    assert len(found) >= 10
