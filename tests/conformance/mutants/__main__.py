"""`python tests/conformance/mutants NAME` is a target; without a name, or with an option, it is about all of them."""

from __future__ import annotations

import sys
from pathlib import Path

# run by its path: in the place of this folder, what holds the package of the tests
sys.path[0] = str(Path(__file__).parents[3])


def main() -> int:
    """Be a mutant, or do what the command line says; returns the exit code. Targets import no more than they need."""
    from tests.conformance.mutants.table import BY_NAME

    if len(sys.argv) == 2 and sys.argv[1] in BY_NAME:
        from graftwire.conformance.reference.program import main as reference

        BY_NAME[sys.argv[1]].apply()
        return reference()
    from tests.conformance.mutants.program import main as program

    return program()


sys.exit(main())
