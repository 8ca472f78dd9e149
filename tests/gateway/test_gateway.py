"""A gateway as a whole: how it is left."""

from __future__ import annotations

import pytest
import trio

import graftwire


class Stock:
    async def pieces(self) -> int:
        return 40


@pytest.mark.parametrize("url", ["memory:left-in-peace", "tcp://127.0.0.1:0", "ws://127.0.0.1:0"])
async def test_leaving_with_idle_clients_raises_nothing(url: str) -> None:
    """A client without open calls leaves as soon as it reads the GOAWAY, before it answers the PING behind it."""
    with trio.fail_after(10):
        async with graftwire.serve({"Stock": Stock()}, url, auth=graftwire.Anonymous()) as gateway:
            async with graftwire.connect(gateway.urls[0]) as one, graftwire.connect(gateway.urls[0]) as two:
                assert await one.call("Stock.pieces") == await two.call("Stock.pieces") == 40
                await gateway.drain(1)
                assert not gateway.sessions
                with pytest.raises(graftwire.Unavailable) as raised:
                    await one.call("Stock.pieces")
                assert raised.value.ran is False
