"""The places that initiators dial."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from graftwire.conformance.case import Connect
from graftwire.conformance.links.making import listen
from graftwire.conformance.recording import Recorder
from graftwire.conformance.roles import Link


def no_context(server: bool, how: Connect) -> Any:
    raise AssertionError("there is no TLS here")


@pytest.mark.parametrize("link", [Link.TCP, Link.UNIX])
async def test_a_connection_that_nobody_has_taken_yet_is_known(link: Link, tmp_path: Path) -> None:
    async with listen(link, str(tmp_path), Connect(), no_context, Recorder()) as listening:
        assert not listening.waits
        rest = listening.url.partition(":")[2]
        if link is Link.UNIX:
            stream = await trio.open_unix_socket(rest)
        else:
            stream = await trio.open_tcp_stream("127.0.0.1", int(rest.rpartition(":")[2]))
        async with stream:
            assert listening.waits
            assert not listening.dialled
            linked = await listening.accept()
            assert listening.dialled
            assert not listening.waits
            await linked.wire.aclose()
