"""A mutant as a target, and what there is to do with all of them."""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatchcase
from functools import partial

import trio

from graftwire.conformance.reference.program import main as reference

from .judging import Found, judge_all
from .table import BY_NAME, MUTANTS


def main() -> int:
    """Do what the command line says; returns the exit code."""
    if len(sys.argv) == 2 and sys.argv[1] in BY_NAME:
        BY_NAME[sys.argv[1]].apply()
        return reference()
    parser = argparse.ArgumentParser(prog="mutants", description="The reference target with one fault.")
    parser.add_argument("names", nargs="*", help="mutants, or patterns with *; one alone is started as a target")
    parser.add_argument("--play", action="store_true", help="see that each is caught by what has to catch it")
    parser.add_argument("--all", action="store_true", help="with every case, and not only with a chapter")
    parser.add_argument("--without", action="append", default=[], help="with --all: a chapter that is left out")
    options = parser.parse_args()
    chosen = [
        each
        for each in MUTANTS
        if not options.names or any(fnmatchcase(each.name, name) for name in options.names)
    ]
    if not options.play:
        for each in chosen:
            print(f"{each.name}\t{each.clause}\t{each.says}")
        return 0 if chosen else 2
    failed = 0

    def tell(found: Found) -> None:
        nonlocal failed
        failed += not found.caught
        print(f"{'caught' if found.caught else 'FAILED'}  {found.mutant.name}  ({found.played} played)", flush=True)
        for what, lines in (("escaped", found.escaped), ("beside", found.beside), ("problem", found.problems)):
            for line in lines:
                print(f"        {what}: {line}", flush=True)

    trio.run(partial(judge_all, chosen, tell, everything=options.all, without=options.without))
    return 1 if failed else 0
