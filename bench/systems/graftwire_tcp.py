"""Graftwire over TCP: an `async def` handler behind one session."""

from __future__ import annotations

import time

import trio

import graftwire
from graftwire.bench.systems.driving import IN_FLIGHT, PAYLOAD, Run, announce, main


class Bench:
    """What is called."""

    async def echo(self, data: bytes) -> bytes:
        return data


def serve() -> None:
    async def run() -> None:
        async with graftwire.serve(
            {"Bench": Bench()}, "tcp://127.0.0.1:0", auth=graftwire.Anonymous()
        ) as gateway:
            announce(int(gateway.urls[0].rpartition(":")[2]))
            await trio.sleep_forever()

    trio.run(run)


def drive(port: int, workload: str, seconds: float) -> dict[str, float]:
    async def run() -> dict[str, float]:
        async with graftwire.connect(f"tcp://127.0.0.1:{port}") as client:
            if workload == "idle":
                return await hold_idle(port, client)
            counted = Run(seconds)
            async with trio.open_nursery() as nursery:
                for _ in range(IN_FLIGHT if workload == "inflight" else 1):
                    nursery.start_soon(call, client, counted)
            return counted.result()

    async def call(client: graftwire.Client, counted: Run) -> None:
        while True:
            began = time.perf_counter()
            await client.call("Bench.echo", PAYLOAD)
            if counted.done(began, time.perf_counter()):
                return

    async def hold_idle(port: int, client: graftwire.Client) -> dict[str, float]:
        """Open 500 sessions, make a call on each, and hold them until the parent has looked at the server."""
        async with trio.open_nursery() as nursery:

            async def hold(task_status: trio.TaskStatus[None]) -> None:
                async with graftwire.connect(f"tcp://127.0.0.1:{port}") as idle:
                    await idle.call("Bench.echo", PAYLOAD)
                    task_status.started()
                    await trio.sleep_forever()

            await client.call("Bench.echo", PAYLOAD)
            print("ready", flush=True)
            await trio.to_thread.run_sync(input)
            for _ in range(500):
                await nursery.start(hold)
            print("holding", flush=True)
            await trio.to_thread.run_sync(input)
            nursery.cancel_scope.cancel()
        return {"sessions": 500.0}

    return trio.run(run)


if __name__ == "__main__":
    main(serve, drive)
