"""The floor: 16 bytes there and back over a trio socket stream, with no frame, no codec and no task."""

from __future__ import annotations

import socket
import time

import trio

from graftwire.bench.systems.driving import PAYLOAD, Run, announce, main


def serve() -> None:
    async def answer(stream: trio.SocketStream) -> None:
        while data := await stream.receive_some(4096):
            await stream.send_all(data)

    async def run() -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        announce(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(answer, listeners)

    trio.run(run)


def drive(port: int, workload: str, seconds: float) -> dict[str, float]:
    if workload != "sequential":
        raise SystemExit("a ping-pong has one message under way at a time")

    async def run() -> dict[str, float]:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        counted = Run(seconds)
        async with stream:
            while True:
                began = time.perf_counter()
                await stream.send_all(PAYLOAD)
                await stream.receive_some(4096)
                if counted.done(began, time.perf_counter()):
                    return counted.result()

    return trio.run(run)


if __name__ == "__main__":
    main(serve, drive)
