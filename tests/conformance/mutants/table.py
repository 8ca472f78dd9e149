"""All mutants, by chapter of the standard."""

from __future__ import annotations

from graftwire.conformance.roles import BOTH, Link

from . import framing, opening, calling, streaming, leaving, links, hiding  # noqa: F401, I001 - they enter in this order
from .mutant import REGISTER, Mutant

MUTANTS: tuple[Mutant, ...] = tuple(REGISTER)
UNBROKEN: dict[Link, Mutant] = {
    link: Mutant(f"unbroken.{link}", "", "Nothing is wrong.", (), BOTH, link, "", lambda: None)
    for link in (Link.TCP, Link.TLS, Link.WS)
}
"""The reference target as it is, on the links that there are mutants for."""
BY_NAME: dict[str, Mutant] = {each.name: each for each in (*MUTANTS, *UNBROKEN.values())}
