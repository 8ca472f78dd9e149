"""A first, honest comparison: Graftwire beside grpcio's synchronous server and a raw trio ping-pong.

Server and client are a process each, pinned to a core each where there are two; rounds of all systems are
interleaved, so that a machine that drifts drifts for all; medians of the rounds are compared as ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_RUNS = (
    ("grpcio_sync", "inflight"),
    ("graftwire_tcp", "inflight"),
    ("trio_pingpong", "sequential"),
    ("graftwire_tcp", "sequential"),
    ("grpcio_sync", "sequential"),
)


def _pin(core: int) -> None:
    """Keep this process on one core, where the system can and there are two."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(0, {cores[core]})


def _command(system: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"graftwire.bench.systems.{system}", *arguments]


@contextmanager
def _server(system: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A server process: its port and itself."""
    with subprocess.Popen(
        _command(system, "serve"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: _pin(0),
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"the server of {system} did not start")
        try:
            yield int(line), process
        finally:
            process.stdin.close()
            process.wait()


def _drive(system: str, workload: str, seconds: float) -> dict[str, float]:
    with _server(system) as (port, server):
        before = _cpu_of(server.pid)
        done = subprocess.run(
            _command(system, "drive", str(port), workload, str(seconds)),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            preexec_fn=lambda: _pin(1),
        )
        result: dict[str, float] = json.loads(done.stdout)
        # the warm-up's calls are counted in the CPU time but not in the calls: scaled to the whole run
        calls = result["calls_per_second"] * (seconds + 0.5)
        result["server_cpu_per_call"] = (_cpu_of(server.pid) - before) / calls
        return result


def _cpu_of(pid: int) -> float:
    """CPU seconds of another process so far; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    """Resident bytes of another process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _idle_memory() -> float:
    """Bytes at the server for each of 500 idle sessions, each of which has made one call."""
    with _server("graftwire_tcp") as (port, server):
        with subprocess.Popen(
            _command("graftwire_tcp", "drive", str(port), "idle", "0"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as client:
            assert client.stdout is not None and client.stdin is not None
            client.stdout.readline()
            before = _resident(server.pid)
            client.stdin.write("\n")
            client.stdin.flush()
            client.stdout.readline()
            after = _resident(server.pid)
            client.stdin.write("\n")
            client.stdin.flush()
            client.communicate()
        return (after - before) / 500


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m graftwire.bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a run after its warm-up (3)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all runs (3)")
    parser.add_argument("--json", action="store_true", help="print the medians as JSON")
    options = parser.parse_args()

    results: dict[tuple[str, str], list[dict[str, float]]] = {run: [] for run in _RUNS}
    for round_number in range(options.rounds):
        for run in _RUNS:
            print(f"round {round_number + 1}: {run[0]} {run[1]} …", file=sys.stderr, flush=True)
            results[run].append(_drive(*run, options.seconds))
    medians = {
        f"{system}.{workload}": {key: statistics.median(each[key] for each in found) for key in found[0]}
        for (system, workload), found in results.items()
    }
    idle = _idle_memory() if sys.platform == "linux" else None
    ratios = {
        "calls/s, 64 in flight, against grpcio sync": medians["graftwire_tcp.inflight"]["calls_per_second"]
        / medians["grpcio_sync.inflight"]["calls_per_second"],
        "server CPU a call, 64 in flight, against grpcio sync": medians["graftwire_tcp.inflight"][
            "server_cpu_per_call"
        ]
        / medians["grpcio_sync.inflight"]["server_cpu_per_call"],
        "sequential round trip, p50, against a raw trio ping-pong": medians["graftwire_tcp.sequential"]["p50"]
        / medians["trio_pingpong.sequential"]["p50"],
    }
    if options.json:
        print(json.dumps({"medians": medians, "ratios": ratios, "idle_session_bytes": idle}))
        return
    print(
        f"{'system':<16}{'workload':<12}{'calls/s':>10}{'p50 µs':>9}{'p99 µs':>9}{'client µs':>11}{'server µs':>11}"
    )
    for name, row in medians.items():
        system, _, workload = name.partition(".")
        print(
            f"{system:<16}{workload:<12}{row['calls_per_second']:>10,.0f}{row['p50'] * 1e6:>9.0f}"
            f"{row['p99'] * 1e6:>9.0f}{row['cpu_per_call'] * 1e6:>11.1f}{row['server_cpu_per_call'] * 1e6:>11.1f}"
        )
    for what, ratio in ratios.items():
        print(f"{what}: {ratio:.2f}")
    if idle is not None:
        print(f"an idle session at the server: {idle / 1024:.1f} KiB")


if __name__ == "__main__":
    main()
