"""All mutants, by the clauses of the standard."""

from __future__ import annotations

from graftwire.conformance.roles import BOTH, Link
from graftwire.conformance.standard import clauses

from . import calling, framing, hiding, leaving, links, opening, streaming  # noqa: F401 - they enter their mutants
from .mutant import REGISTER, Mutant

_ORDER = list(clauses())

MUTANTS: tuple[Mutant, ...] = tuple(sorted(REGISTER, key=lambda each: _ORDER.index(each.clause)))
UNBROKEN: dict[Link, Mutant] = {
    link: Mutant(f"unbroken.{link}", "", "Nothing is wrong.", (), BOTH, link, "", lambda: None)
    for link in (Link.TCP, Link.TLS, Link.WS)
}
"""The reference target as it is, on the links that there are mutants for."""
BY_NAME: dict[str, Mutant] = {each.name: each for each in (*MUTANTS, *UNBROKEN.values())}
