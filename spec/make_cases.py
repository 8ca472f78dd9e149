"""Writes the page that lists the conformance cases, and the register of their ids.

`--check` only compares.

Run as `make cases`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graftwire.conformance.cases import CASES
from graftwire.conformance.documenting import page, register

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "conformance-cases.md"
REGISTER = ROOT / "spec" / "conformance" / "cases" / "ids.txt"


def main() -> int:
    """Write, or compare; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if something is not current"
    )
    options = parser.parse_args()
    before = REGISTER.read_text(encoding="ascii") if REGISTER.exists() else ""
    stale = 0
    for path, text in ((PAGE, page(CASES)), (REGISTER, register(before, CASES))):
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if options.check:
            print(f"{path.relative_to(ROOT)} is not current: run make cases", file=sys.stderr)
            stale = 1
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return stale


if __name__ == "__main__":
    sys.exit(main())
