"""The page of the documentation that lists the mutants, made from them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from graftwire.conformance.roles import BOTH, Link

from .judging import named
from .mutant import Mutant

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "conformance-mutants.md"

_HEAD = """# The mutants

How good is the suite? Each of these is the reference target with one fault. The tests of the suite see to it that every
one is caught by the cases that are named here, and that all other cases pass: without those, the fault would get
through. The reference itself is caught by none. This page is made from the mutants by `make cases`; `make mutants`
plays all of them against all cases, which takes its time, and

```sh
python -m graftwire conform --link tcp --case cancel.twice -- python tests/conformance/mutants cancel.twice-taken
```

shows what one of them looks like. They are in `tests/conformance/mutants/`, and are not installed.

"""


def page(mutants: Iterable[Mutant]) -> str:
    """The whole page."""
    rows = [_row(each) for each in mutants]
    head = "| mutant | what is wrong | clause | role | caught by |\n| --- | --- | --- | --- | --- |\n"
    return "".join([_HEAD, f"There are {len(rows)}.\n\n", head, *rows])


def _row(mutant: Mutant) -> str:
    role = "both" if mutant.roles == BOTH else mutant.roles[0]
    if mutant.link is not Link.TCP:
        role += f", over {mutant.link}"
    caught = ", ".join(f"`{each.id}`" for each in named(mutant))
    return f"| `{mutant.name}` | {mutant.says} | {mutant.clause} | {role} | {caught} |\n"
