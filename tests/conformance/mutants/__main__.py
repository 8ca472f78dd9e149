"""`python tests/conformance/mutants`: NAME is a target; --list, --write, --check and --play are about all of them."""

from __future__ import annotations

import sys
from pathlib import Path

# run by its path: in the place of this folder, what holds the package of the tests
sys.path[0] = str(Path(__file__).parents[3])

from tests.conformance.mutants.program import main  # noqa: E402 - where it is has just been said

sys.exit(main())
