"""The systems that are measured: each serves in one process and is driven from another.

A module here is run as `python -m graftwire.bench.systems.NAME serve` (prints the port, serves until its standard
input closes) or `… drive PORT WORKLOAD SECONDS` (prints what it measured as one line of JSON). Workloads are
`sequential`, one call at a time, and `inflight`, 64 at once; a call carries 16 bytes and brings them back.
"""
