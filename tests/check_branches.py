"""Hold the branch coverage of folders at a floor.

    coverage json -o report.json; python tests/check_branches.py report.json protocol:95 transport:95

coverage's own percentage mixes lines and branches, so that many lines make up for a branch that no test takes. Here
branches alone count. Prints a line for each folder. Exit codes: 0 all at their floor or above, 1 not, 2 wrong usage.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath


def branches(report: Path, folder: str) -> tuple[int, int]:
    """How many branches of the modules in `folder` were taken, and how many there are."""
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    found = [
        each["summary"]
        for name, each in files.items()
        if PurePosixPath(name.replace("\\", "/")).parts[0] == folder
    ]
    return sum(each["covered_branches"] for each in found), sum(each["num_branches"] for each in found)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) < 2:
        print("usage: check_branches.py REPORT FOLDER:PERCENT...", file=sys.stderr)
        return 2
    failed = False
    for floor in arguments[1:]:
        folder, _, least = floor.partition(":")
        taken, there = branches(Path(arguments[0]), folder)
        if not there:
            print(
                f"{folder}/ has no branches in the report: run the tests with --cov-branch over it",
                file=sys.stderr,
            )
            failed = True
            continue
        print(f"branches of {folder}/: {taken} of {there}, {100 * taken / there:.2f} %")
        if 100 * taken < float(least) * there:
            print(f"the branch coverage of {folder}/ is under {least} %", file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
