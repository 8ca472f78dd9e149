"""What there is to do with the mutants."""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatchcase
from functools import partial

import msgspec
import trio

from .documenting import PAGE, page
from .judging import Found, judge_all
from .mutant import Mutant
from .table import BY_NAME, MUTANTS


def main() -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="mutants", description="The reference target with one fault.")
    parser.add_argument("names", nargs="*", help="mutants, or patterns with *; NAME alone is a target")
    parser.add_argument("--play", action="store_true", help="see that each is caught by what has to catch it")
    parser.add_argument(
        "--all", action="store_true", help="with every case in every role, and not with a chapter"
    )
    parser.add_argument(
        "--without", action="append", default=[], help="with --all: a chapter that is left out"
    )
    parser.add_argument("--json", action="store_true", help="what came of each in a line of JSON")
    parser.add_argument("--page", choices=["write", "check"], help="write the page about them, or compare it")
    options = parser.parse_args()
    if options.page is not None:
        return _page(write=options.page == "write")
    chosen = [
        each
        for each in (BY_NAME.values() if options.names else MUTANTS)
        if not options.names or any(fnmatchcase(each.name, name) for name in options.names)
    ]
    if options.play:
        return _play(chosen, everything=options.all, without=options.without, json=options.json)
    for each in chosen:
        print(f"{each.name}\t{each.clause}\t{each.says}")
    return 0 if chosen else 2


def _page(*, write: bool) -> int:
    text = page(MUTANTS)
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    if write:
        PAGE.write_text(text, encoding="utf-8")
        print(f"wrote {PAGE.name}")
        return 0
    print(f"{PAGE.name} is not current: run make cases", file=sys.stderr)
    return 1


def _play(mutants: list[Mutant], *, everything: bool, without: list[str], json: bool) -> int:
    failed = 0

    def tell(found: Found) -> None:
        nonlocal failed
        failed += not found.caught
        if json:
            print(msgspec.json.encode(found).decode(), flush=True)
            return
        verdict = "caught" if found.caught else "FAILED"
        print(f"{verdict}  {found.mutant}  ({found.played} played)", flush=True)
        for what in ("escaped", "beside", "problems"):
            for line in getattr(found, what):
                print(f"        {what}: {line}", flush=True)

    trio.run(partial(judge_all, mutants, tell, everything=everything, without=without))
    return 1 if failed else 0
