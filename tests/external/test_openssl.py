"""openssl at a TLS port: what an auditor with a stock tool finds out about a gateway."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import Open, run

pytestmark = pytest.mark.external("openssl")


async def look(opened_url: str, ca_file: Path, *arguments: str) -> tuple[int, str]:
    """What `openssl s_client` says after it has shaken hands; it leaves when its input ends."""
    address = opened_url.split("://")[1].split("/", maxsplit=1)[0]
    command = (
        "openssl",
        "s_client",
        "-connect",
        address,
        "-CAfile",
        str(ca_file),
        "-servername",
        "localhost",
    )
    return await run(*command, "-verify_hostname", "localhost", "-verify_return_error", *arguments)


async def test_the_newest_version_with_our_alpn(gateway: Open, ca_file: Path) -> None:
    async with gateway("tls://127.0.0.1:0") as opened:
        code, said = await look(opened.urls[0], ca_file, "-alpn", "graftwire/1")
    assert code == 0
    assert "ALPN protocol: graftwire/1" in said
    assert "Verify return code: 0 (ok)" in said
    assert re.search(r"New, TLSv1\.3, Cipher is TLS_", said)
    assert "Compression: NONE" in said


async def test_the_oldest_version(gateway: Open, ca_file: Path) -> None:
    async with gateway("tls://127.0.0.1:0") as opened:
        code, said = await look(opened.urls[0], ca_file, "-alpn", "graftwire/1", "-tls1_2")
    assert code == 0
    assert re.search(r"New, TLSv1\.2, Cipher is ECDHE-", said)
    assert "Secure Renegotiation IS supported" in said


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
async def test_what_is_older_is_refused(gateway: Open, ca_file: Path, version: str) -> None:
    async with gateway("tls://127.0.0.1:0") as opened:
        # Level 0, or openssl itself would refuse to begin.
        code, said = await look(
            opened.urls[0], ca_file, "-alpn", "graftwire/1", version, "-cipher", "ALL:@SECLEVEL=0"
        )
    assert code == 1
    assert "alert protocol version" in said


@pytest.mark.parametrize("name", ["h2", "http/1.1", "graftwire/2"])
async def test_another_alpn_is_not_agreed_on(gateway: Open, ca_file: Path, name: str) -> None:
    async with gateway("tls://127.0.0.1:0") as opened:
        _, said = await look(opened.urls[0], ca_file, "-alpn", name)
    assert "No ALPN negotiated" in said


async def test_early_data_is_refused(gateway: Open, ca_file: Path, tmp_path: Path) -> None:
    ticket, early = tmp_path / "ticket", tmp_path / "early"
    early.write_bytes(b"early")
    async with gateway("tls://127.0.0.1:0") as opened:
        await look(opened.urls[0], ca_file, "-alpn", "graftwire/1", "-sess_out", str(ticket))
        _, said = await look(
            opened.urls[0], ca_file, "-alpn", "graftwire/1", "-early_data", str(early),
            *(("-sess_in", str(ticket)) if ticket.exists() else ()),
        )  # fmt: skip
    assert "Early data was accepted" not in said
    assert "Early data was not sent" in said or "Early data was rejected" in said


async def test_a_web_socket_port(gateway: Open, ca_file: Path) -> None:
    async with gateway("wss://127.0.0.1:0") as opened:
        code, said = await look(opened.urls[0], ca_file, "-alpn", "http/1.1")
    assert code == 0
    assert "ALPN protocol: http/1.1" in said


async def test_one_port_for_all(gateway: Open, ca_file: Path) -> None:
    async with gateway("tls://127.0.0.1:0", detect=True) as opened:
        for name in ("graftwire/1", "http/1.1"):
            _, said = await look(opened.urls[0], ca_file, "-alpn", name)
            assert f"ALPN protocol: {name}" in said
