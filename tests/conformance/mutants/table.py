"""All mutants, by chapter of the standard."""

from __future__ import annotations

from . import framing, opening  # noqa: F401 - each of these enters its mutants
from .mutant import REGISTER, Mutant

MUTANTS: tuple[Mutant, ...] = tuple(REGISTER)
BY_NAME: dict[str, Mutant] = {each.name: each for each in MUTANTS}
