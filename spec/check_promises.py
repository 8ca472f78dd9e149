"""Keep the ledger of promises (PROMISES.md) honest.

    python spec/check_promises.py                          the ledger itself, and that its tests exist
    python spec/check_promises.py --junit report.xml       and that they ran and passed (pytest --junitxml=report.xml)
    python spec/check_promises.py --junit a.xml --release  and that nothing is left open

Several reports may be given; a test has to have run in one of them. `--left-out FOLDER` names tests that this run
leaves out on purpose (those that need external programs): they must exist, and need not have run.

Prints a line for each fault, with the place and the remedy. Exit codes: 0 honest, 1 not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

PROMISES = 19

_HEADING = re.compile(r"## P(\d+): (\S.*)")
_PROOF = re.compile(r"- proof: `(tests/[\w/.-]+\.py)::([\w:]+)`")
_NOT_YET = re.compile(r"- not yet:(.*)")
# What a test must not be marked with. `skipif` may leave it alone: whether it did, the report says.
_FORBIDDEN_MARKS = frozenset({"skip", "xfail"})


class Fault(NamedTuple):
    """Something that is wrong with the ledger: the line of it, and one sentence with the remedy."""

    line: int
    text: str


class Proof(NamedTuple):
    """A test that the ledger names: the line, the file from the repository's root, `test_x` or `TestY::test_x`."""

    line: int
    path: str
    name: str

    @property
    def id(self) -> str:
        """The test as pytest names it."""
        return f"{self.path}::{self.name}"


@dataclass
class Promise:
    """An entry of the ledger: `open` are the "not yet" lines as (line, text)."""

    number: int
    line: int
    proofs: list[Proof] = field(default_factory=list[Proof])
    open: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


# --- the ledger ---------------------------------------------------------------------------------------------


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The headings of promises and the entries below them, wrapped lines joined, each with its number."""
    start, entry = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if entry and re.match(r" +\S", line):
            entry += " " + line.strip()
            continue
        if entry:
            yield start, entry
        start, entry = (number, line.rstrip()) if re.match(r"##|[-*+] ", line) else (0, "")
    if entry:
        yield start, entry


def read_ledger(text: str) -> tuple[list[Promise], list[Fault]]:
    """The promises of a ledger and what is wrong with its form."""
    promises: list[Promise] = []
    faults: list[Fault] = []
    for line, entry in _lines(text):
        heading = _HEADING.fullmatch(entry)
        if heading is not None:
            due, number = len(promises) + 1, int(heading[1])
            if number != due:
                faults.append(
                    Fault(
                        line, f"P{number} stands where P{due} was due; each promise is there once, in order"
                    )
                )
            promises.append(Promise(number, line))
        elif entry.startswith("#"):
            faults.append(
                Fault(line, "this is not the heading of a promise; write `## P<number>: <promise>`")
            )
        elif not promises:
            faults.append(
                Fault(line, "this line belongs to no promise; put it under a heading `## P<number>: …`")
            )
        else:
            _read_entry(promises[-1], line, entry, faults)
    if len(promises) != PROMISES:
        faults.append(
            Fault(1, f"there are {len(promises)} promises instead of {PROMISES}; none is ever taken out")
        )
    faults += [
        Fault(
            promise.line,
            f"P{promise.number} has neither a test nor a `not yet`; name the test that proves it, "
            "or say openly what will",
        )
        for promise in promises
        if not promise.proofs and not promise.open
    ]
    return promises, faults


def _read_entry(promise: Promise, line: int, entry: str, faults: list[Fault]) -> None:
    """Put one line into its promise."""
    proof, open_ = _PROOF.fullmatch(entry), _NOT_YET.fullmatch(entry)
    if proof is not None:
        promise.proofs.append(Proof(line, proof[1], proof[2]))
    elif open_ is not None and open_[1].strip():
        promise.open.append((line, open_[1].strip()))
    elif open_ is not None:
        faults.append(Fault(line, "a `not yet` without words; say what will prove the promise"))
    else:
        faults.append(
            Fault(
                line,
                "this line is neither ``- proof: `tests/path.py::test_name` `` nor `- not yet: words`; mend it",
            )
        )


# --- the tests ----------------------------------------------------------------------------------------------


def _definitions(body: Iterable[ast.stmt], prefix: str = "") -> Iterator[tuple[str, list[ast.expr]]]:
    """Each function of a module by its name within it, with its decorators and those of its classes."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name, node.decorator_list
        elif isinstance(node, ast.ClassDef):
            for name, decorators in _definitions(node.body, f"{prefix}{node.name}::"):
                yield name, [*node.decorator_list, *decorators]


def _marks(expressions: Iterable[ast.expr]) -> set[str]:
    """The forbidden marks among decorators, also those within `parametrize`."""
    return {
        node.attr
        for expression in expressions
        for node in ast.walk(expression)
        if isinstance(node, ast.Attribute) and node.attr in _FORBIDDEN_MARKS
    }


def _marks_of_module(module: ast.Module) -> set[str]:
    """The forbidden marks in a module's `pytestmark`."""
    found: set[str] = set()
    for node in module.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
        ):
            found |= _marks([node.value])
    return found


def check_tests(proofs: Iterable[Proof], root: Path) -> list[Fault]:
    """Whether each test stands in its file, as a test, and unmarked; nothing is run."""
    faults: list[Fault] = []
    for proof in proofs:
        path = root / proof.path
        if not path.is_file():
            faults.append(
                Fault(proof.line, f"there is no file {proof.path}; name the test's new place, or write it")
            )
            continue
        module = ast.parse(path.read_text(encoding="utf-8"), str(path))
        decorators = dict(_definitions(module.body)).get(proof.name)
        if decorators is None or not proof.name.rpartition(":")[2].startswith("test"):
            faults.append(
                Fault(
                    proof.line,
                    f"{proof.path} has no test {proof.name}; name the test that proves it now, or write it",
                )
            )
            continue
        marks = _marks_of_module(module) | _marks(decorators)
        if marks:
            faults.append(
                Fault(
                    proof.line,
                    f"{proof.id} is marked {' and '.join(sorted(marks))}, so it proves nothing; "
                    "mend it, or write a `not yet` in its place",
                )
            )
    return faults


# --- what ran -----------------------------------------------------------------------------------------------


def read_reports(paths: Iterable[Path]) -> dict[str, list[str]]:
    """From pytest's JUnit reports: for each test, without its parameters, how each of its cases ended.

    Raises OSError or ET.ParseError for what is not there or not such a report.
    """
    outcomes: dict[str, list[str]] = {}
    for path in paths:
        # pytest wrote the file a moment ago: it is no input from outside
        for case in ET.parse(path).iter("testcase"):  # noqa: S314 - our own file
            name = f"{case.get('classname', '')}.{case.get('name', '').partition('[')[0]}"
            outcomes.setdefault(name, []).append(_outcome(case))
    return outcomes


def _outcome(case: ET.Element) -> str:
    for tag, outcome in (("failure", "failed"), ("error", "failed"), ("skipped", "was skipped")):
        found = case.find(tag)
        if found is not None:
            return "was expected to fail" if "xfail" in found.get("type", "") else outcome
    return "passed"


def check_runs(
    proofs: Iterable[Proof], outcomes: dict[str, list[str]], left_out: Sequence[str] = ()
) -> list[Fault]:
    """Whether each test ran, and every case of it passed."""
    faults: list[Fault] = []
    for proof in proofs:
        if any(
            proof.path.startswith(folder.rstrip("/") + "/") or proof.path == folder for folder in left_out
        ):
            continue
        name = proof.path.removesuffix(".py").replace("/", ".") + "." + proof.name.replace("::", ".")
        ended = outcomes.get(name)
        if ended is None:
            faults.append(
                Fault(
                    proof.line,
                    f"{proof.id} did not run; run all tests, or give the report of the run that has it",
                )
            )
            continue
        faults += [
            Fault(proof.line, f"{proof.id} {outcome}, so it proves nothing; mend it, or write a `not yet`")
            for outcome in sorted(set(ended) - {"passed"})
        ]
    return faults


def check(
    ledger: Path,
    root: Path,
    *,
    reports: Sequence[Path] = (),
    left_out: Sequence[str] = (),
    release: bool = False,
) -> tuple[list[Promise], list[Fault]]:
    """Everything that this page can check; the promises, and the faults in the order of their lines."""
    promises, faults = read_ledger(ledger.read_text(encoding="utf-8"))
    proofs = [proof for promise in promises for proof in promise.proofs]
    missing = check_tests(proofs, root)
    faults += missing
    if reports:
        absent = {fault.line for fault in missing}
        faults += check_runs([p for p in proofs if p.line not in absent], read_reports(reports), left_out)
    if release:
        for promise in promises:
            for line, text in promise.open:
                faults.append(
                    Fault(
                        line, f"P{promise.number} still has a `not yet` at a release; write the test: {text}"
                    )
                )
    return promises, sorted(faults)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check from the command line; returns the exit code."""
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(
        description="Check spec/PROMISES.md: every promise has a test, or says what is open."
    )
    parser.add_argument("ledger", nargs="?", type=Path, default=root / "spec" / "PROMISES.md")
    parser.add_argument("--root", type=Path, default=root, help="the folder that tests/ is in")
    parser.add_argument(
        "--junit", type=Path, action="append", default=[], metavar="REPORT", help="from pytest --junitxml"
    )
    parser.add_argument(
        "--left-out", action="append", default=[], metavar="FOLDER", help="tests that this run leaves out"
    )
    parser.add_argument("--release", action="store_true", help="no `not yet` may be left")
    options = parser.parse_args(arguments)
    if options.release and (options.left_out or not options.junit):
        parser.error("a release needs the reports of all tests: give --junit, and no --left-out")
    try:
        promises, faults = check(
            options.ledger,
            options.root,
            reports=options.junit,
            left_out=options.left_out,
            release=options.release,
        )
    except (OSError, ET.ParseError) as error:
        parser.error(f"can't read what to check: {error}")
    for fault in faults:
        print(f"{options.ledger.name}:{fault.line}: {fault.text}")
    if not faults:
        still_open = sum(bool(promise.open) for promise in promises)
        closed = "proved" if options.junit else "with tests"
        print(f"{len(promises)} promises: {len(promises) - still_open} {closed}, {still_open} not yet")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
