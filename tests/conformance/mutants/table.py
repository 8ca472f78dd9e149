"""All mutants, by chapter of the standard."""

from __future__ import annotations

from . import framing, opening, calling, streaming, leaving, links, hiding  # noqa: F401, I001 - in this order they enter their mutants
from .mutant import REGISTER, Mutant

MUTANTS: tuple[Mutant, ...] = tuple(REGISTER)
BY_NAME: dict[str, Mutant] = {each.name: each for each in MUTANTS}
