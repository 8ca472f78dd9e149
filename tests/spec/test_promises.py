"""The ledger of promises is honest, and the check of it notices when a ledger is not."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "spec" / "check_promises.py"
LEDGER = ROOT / "spec" / "PROMISES.md"


def load() -> ModuleType:
    """The check, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("check_promises", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


checking: Any = load()

Run = Callable[..., tuple[int, str]]

TESTS = """
import pytest

def test_good(): pass
async def test_async(): pass
@pytest.mark.parametrize("n", [1, 2])
def test_many(n): pass
@pytest.mark.skip
def test_skipped(): pass
@pytest.mark.xfail(reason="not done")
def test_expected(): pass
@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.xfail)])
def test_partly(n): pass
@pytest.mark.skipif(False, reason="runs here")
def test_conditional(): pass
def helper(): pass
class TestGroup:
    def test_inside(self): pass
@pytest.mark.skip
class TestIdle:
    def test_inside(self): pass
"""
IDLE = "import pytest\n\npytestmark = [pytest.mark.skip]\n\ndef test_good(): pass\n"


def ledger(**entries: str) -> str:
    """A ledger of 19 promises without fault, but for the entries of those that are named (`P3="- …"`)."""
    lines = ["# The ledger", "", "Some words about it.", ""]
    for number in range(1, checking.PROMISES + 1):
        lines += [f"## P{number}: a promise", "", entries.get(f"P{number}", "- not yet: words"), ""]
    return "\n".join(lines)


def proof(name: str, path: str = "tests/test_a.py") -> str:
    """An entry that names a test."""
    return f"- proof: `{path}::{name}`"


def report(**cases: str) -> str:
    """A JUnit report as pytest writes it, of cases of tests/test_a.py; the value is what stands inside."""
    named = {name.replace("__1", "[1]").replace("__2", "[2]"): what for name, what in cases.items()}
    inside = "".join(
        f'<testcase classname="tests.test_a" name="{name}">{what}</testcase>' for name, what in named.items()
    )
    return f'<?xml version="1.0"?><testsuites><testsuite name="pytest">{inside}</testsuite></testsuites>'


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the check over a ledger, with the tests above; gives the exit code and what was printed."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "tests" / "test_idle.py").write_text(IDLE, encoding="utf-8")

    def check(text: str, *arguments: str, junit: str | None = None) -> tuple[int, str]:
        path = tmp_path / "PROMISES.md"
        path.write_text(text, encoding="utf-8")
        more = list(arguments)
        if junit is not None:
            (tmp_path / "report.xml").write_text(junit, encoding="utf-8")
            more += ["--junit", str(tmp_path / "report.xml")]
        try:
            code = checking.main([str(path), "--root", str(tmp_path), *more])
        except SystemExit as error:
            code = int(error.code or 0)
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return check


# --- the real one -------------------------------------------------------------------------------------------


def test_the_ledger_is_honest() -> None:
    _, faults = checking.check(LEDGER, ROOT)
    assert faults == []


def test_it_runs_as_a_script() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("19 promises: ")


# --- broken ones --------------------------------------------------------------------------------------------


def test_a_ledger_without_fault(run: Run) -> None:
    assert run(ledger()) == (0, "19 promises: 0 with tests, 19 not yet\n")
    code, text = run(
        ledger(P1=proof("test_good"), P2=proof("test_async"), P3=proof("TestGroup::test_inside"))
    )
    assert (code, text) == (0, "19 promises: 3 with tests, 16 not yet\n")


def test_wrapped_lines_belong_together(run: Run) -> None:
    code, text = run(ledger(P1="- not yet: words that are\n  wrapped"))
    assert code == 0, text
    promises, _ = checking.read_ledger(ledger(P1="- not yet: words that are\n  wrapped"))
    assert promises[0].open[0][1] == "words that are wrapped"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("", "P3 has neither a test nor a `not yet`; name the test that proves it"),
        ("- not yet:", "a `not yet` without words; say what will prove the promise"),
        ("- not yet", "neither"),
        ("- proof: tests/test_a.py::test_good", "neither"),
        ("- proof: `tests/test_a.py`", "neither"),
        ("- proof: `spec/test_a.py::test_good`", "neither"),
        ("- proved", "neither"),
        ("* not yet: words", "neither"),
        (proof("test_gone"), "tests/test_a.py has no test test_gone; name the test that proves it now"),
        (proof("helper"), "has no test helper"),
        (proof("test_inside"), "has no test test_inside"),
        (proof("TestGroup"), "has no test TestGroup"),
        (proof("test_good", "tests/test_b.py"), "there is no file tests/test_b.py"),
        (proof("test_skipped"), "tests/test_a.py::test_skipped is marked skip, so it proves nothing"),
        (proof("test_expected"), "is marked xfail"),
        (proof("test_partly"), "is marked xfail"),
        (proof("TestIdle::test_inside"), "is marked skip"),
        (proof("test_good", "tests/test_idle.py"), "is marked skip"),
    ],
)
def test_a_broken_line_is_named(run: Run, entry: str, says: str) -> None:
    code, text = run(ledger(P3=entry))
    assert code == 1
    place = 13 if not entry else 15
    assert any(line.startswith(f"PROMISES.md:{place}: ") and says in line for line in text.splitlines()), text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("## P5: a promise", "## P6: a promise", "P6 stands where P5 was due"),
        ("## P5: a promise", "## Section", "this is not the heading of a promise"),
        ("## P19: a promise\n\n- not yet: words\n", "", "there are 18 promises instead of 19"),
        ("Some words", "- not yet: words", "this line belongs to no promise"),
    ],
)
def test_a_broken_list_is_named(run: Run, old: str, new: str, says: str) -> None:
    code, text = run(ledger().replace(old, new))
    assert code == 1
    assert says in text


# --- what ran -----------------------------------------------------------------------------------------------

SKIPPED = '<skipped type="pytest.skip" message="no reason"/>'
EXPECTED = '<skipped type="pytest.xfail" message=""/>'
FAILED = '<failure message="assert False"/>'


def test_tests_that_ran(run: Run) -> None:
    text = ledger(P1=proof("test_good"), P2=proof("test_many"), P3=proof("test_conditional"))
    junit = report(test_good="", test_many__1="", test_many__2="", test_conditional="")
    assert run(text, junit=junit) == (0, "19 promises: 3 proved, 16 not yet\n")


@pytest.mark.parametrize(
    ("name", "cases", "says"),
    [
        ("test_good", {}, "tests/test_a.py::test_good did not run"),
        ("test_good", {"test_good": SKIPPED}, "test_good was skipped, so it proves nothing"),
        ("test_good", {"test_good": EXPECTED}, "was expected to fail"),
        ("test_good", {"test_good": FAILED}, "failed"),
        ("test_good", {"test_good": "<error/>"}, "failed"),
        ("test_many", {"test_many__1": "", "test_many__2": SKIPPED}, "was skipped"),
        ("test_conditional", {"test_conditional": SKIPPED}, "was skipped"),
        ("test_good", {"test_goodness": ""}, "did not run"),
    ],
)
def test_tests_that_did_not(run: Run, name: str, cases: dict[str, str], says: str) -> None:
    code, text = run(ledger(P4=proof(name)), junit=report(**cases))
    assert code == 1
    assert says in text
    assert text.startswith("PROMISES.md:19: ")


def test_tests_left_out_on_purpose(run: Run) -> None:
    text = ledger(P1=proof("test_good"))
    assert run(text, "--left-out", "tests/external", junit=report())[0] == 1
    assert run(text, "--left-out", "tests", junit=report())[0] == 0
    assert run(text, "--left-out", "tests/test_a.py", junit=report())[0] == 0


def test_a_report_of_pytest_itself(run: Run, tmp_path: Path) -> None:
    """The names in a real report are those that the check looks for."""
    junit = tmp_path / "real.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    options = ["-k", "test_many or test_inside or test_skipped", f"--junitxml={junit}", "tests"]
    subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, check=False)
    text = ledger(P1=proof("test_many"), P2=proof("TestGroup::test_inside"))
    assert run(text, "--junit", str(junit)) == (0, "19 promises: 2 proved, 17 not yet\n")
    outcomes = checking.read_reports([junit])
    assert outcomes["tests.test_a.test_many"] == ["passed", "passed"]
    assert outcomes["tests.test_a.test_skipped"] == ["was skipped"]


def test_a_report_that_is_none(run: Run) -> None:
    code, text = run(ledger(), junit="nothing")
    assert code == 2
    assert "can't read what to check" in text


# --- releases -----------------------------------------------------------------------------------------------


def test_a_release_leaves_nothing_open(run: Run) -> None:
    numbers = range(1, checking.PROMISES + 1)
    done = {f"P{number}": proof("test_good") for number in numbers}
    assert run(ledger(**done), "--release", junit=report(test_good=""))[0] == 0
    code, text = run(
        ledger(**done | {"P9": "- not yet: an audit record"}), "--release", junit=report(test_good="")
    )
    assert code == 1
    assert text == "PROMISES.md:39: P9 still has a `not yet` at a release; write the test: an audit record\n"


def test_a_release_needs_every_report(run: Run) -> None:
    assert run(ledger(), "--release")[0] == 2
    assert run(ledger(), "--release", "--left-out", "tests/external", junit=report())[0] == 2
