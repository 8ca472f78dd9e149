"""What all commands have in common: help, versions, mistakes on the command line, and how everything ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graftwire.cli import call as call_module
from graftwire.cli import main

from .conftest import Here, apart, command


def test_the_version_names_the_protocol(here: Here) -> None:
    done = here("--version")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("graftwire ")
    assert done.out.endswith("(protocol 1)\n")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_without_a_command_there_is_help(here: Here, arguments: tuple[str, ...]) -> None:
    done = here(*arguments)
    assert (done.code, done.err) == (0, "")
    for name in ("demo", "serve", "call", "inspect", "tap", "audit"):
        assert f" {name} " in done.out


@pytest.mark.parametrize("name", ["demo", "serve", "call", "inspect", "tap", "audit verify"])
def test_every_command_has_help(here: Here, name: str) -> None:
    done = here(*name.split(), "--help")
    assert done.code == 0
    assert "--json" in done.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["serf"], "no such command 'serf', did you mean 'serve'?"),
        (["bananas"], "no such command 'bananas'; see graftwire --help"),
        (["call"], "missing argument 'URL'; see graftwire call --help"),
        (["call", "tcp://x:1"], "missing argument 'CLASS.METHOD'; see graftwire call --help"),
        (["serve"], "there is nothing to host; add MODULE:CLASS, or a file with --config FILE"),
        (["tap", "--listen"], "option '--listen' requires an argument; see graftwire tap --help"),
        (["demo", "--json=secret"], "option '--json' does not take a value; see graftwire demo --help"),
        (["tap", "--bananas"], "no such option: --bananas; see graftwire tap --help"),
        (["inspect", "secret-file", "secret"], "there are too many arguments; see graftwire inspect --help"),
        (
            ["call", "u", "t", "--deadline", "secret"],
            "--deadline takes seconds, above 0, as in --deadline 2.5",
        ),
        (["call", "u", "t", "--deadline", "0"], "--deadline takes seconds, above 0, as in --deadline 2.5"),
        (["call", "u", "t", "--deadline", "inf"], "--deadline takes seconds, above 0, as in --deadline 2.5"),
        (["call", "u", "t", "--retry", "-1"], "--retry takes a whole number, as in --retry 3"),
        (["call", "u", "t", "--retry", "secret"], "--retry takes a whole number, as in --retry 3"),
        (["serve", "a:b", "--drain", "-1"], "--drain takes seconds, 0 or more, as in --drain 2.5"),
    ],
)
def test_mistakes_on_the_command_line(here: Here, arguments: list[str], sentence: str) -> None:
    done = here(*arguments)
    assert (done.code, done.out, done.sentence) == (2, "", sentence)


def test_a_mistake_as_json(here: Here) -> None:
    done = here("call", "--json")
    assert done.code == 2
    told = json.loads(done.err)
    assert told == {
        "error": {"kind": "usage", "sentence": "missing argument 'URL'; see graftwire call --help"}
    }


def test_shell_completion(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_GRAFTWIRE_COMPLETE", "complete_bash")
    for words, number, expected in (("graftwire se", 1, "serve"), ("graftwire call --de", 2, "--deadline")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(number))
        done = here()
        assert (done.code, done.err) == (0, "")
        assert expected in done.out


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_in_other_shells(here: Here, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    monkeypatch.setenv("_GRAFTWIRE_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    for words, expected in (("graftwire in", "inspect"), ("graftwire serve --ori", "--origin")):
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", words)
        done = here()
        assert (done.code, done.err) == (0, "")
        assert expected in done.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_set_up_for_each_shell(here: Here, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    monkeypatch.setenv("_GRAFTWIRE_COMPLETE", f"source_{shell}")
    done = here()
    assert (done.code, done.err) == (0, "")
    assert f"_GRAFTWIRE_COMPLETE=complete_{shell}" in done.out


def test_shell_completion_can_be_shown(here: Here) -> None:
    # which shell it is for is found by looking at who started this process, so the outcome depends on that
    assert here("--show-completion").code in (0, 1)


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_it_says_what_to_install(shop: Path, missing: str) -> None:
    done = apart("demo", cwd=shop, before=f"sys.modules[{missing!r}] = None")
    assert (done.code, done.out) == (2, "")
    assert done.sentence == 'the command line is not installed; run: pip install "graftwire[cli]"'


def test_another_missing_module_is_not_blamed_on_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "graftwire.cli.app", None)
    with pytest.raises(ModuleNotFoundError):
        main([])


def _raise(error: BaseException) -> Any:
    def instead(*_: object, **__: object) -> None:
        raise error

    return instead


def test_a_defect_of_ours_shows_neither_a_traceback_nor_what_it_says(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRAFTWIRE_DEBUG", raising=False)
    monkeypatch.setattr(call_module, "call", _raise(RuntimeError("secret")))
    done = here("call", "tcp://127.0.0.1:1", "a.b")
    assert (done.code, done.out) == (70, "")
    assert done.sentence.startswith("this is a defect of graftwire (RuntimeError in test_main.py, line ")
    assert done.sentence.endswith("); please report it (GRAFTWIRE_DEBUG=1 shows the traceback)")
    assert "secret" not in done.err


def test_a_defect_can_be_looked_into(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRAFTWIRE_DEBUG", "1")
    monkeypatch.setattr(call_module, "call", _raise(RuntimeError("secret")))
    assert main(["call", "tcp://127.0.0.1:1", "a.b"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_is_quiet(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "call", _raise(KeyboardInterrupt()))
    done = here("call", "tcp://127.0.0.1:1", "a.b")
    assert (done.code, done.out, done.err) == (130, "", "")


def test_a_reader_that_goes_away_ends_it_quietly(shop: Path, gateway: dict[str, str]) -> None:
    arguments = command(["call", gateway["tcp"], "Shop.endless", "--stream"])
    with subprocess.Popen(arguments, cwd=shop, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b'"' + b"x" * 1000 + b'"\n'
        process.stdout.close()
        assert process.wait(20) == 141
        assert process.stderr is not None
        assert process.stderr.read() == b""


# --- streams that are closed, or full ------------------------------------------------------------------------------


def test_standard_output_that_is_closed(monkeypatch: pytest.MonkeyPatch, here: Here) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    done = here("--version")
    assert (done.code, done.out) == (2, "")
    assert done.sentence == "standard output is closed; send it to /dev/null if nobody is to see it"


def test_standard_error_that_is_closed(monkeypatch: pytest.MonkeyPatch, here: Here) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    done = here("bananas")
    assert (done.code, done.out, done.err) == (2, "", "")


@pytest.mark.parametrize("arguments", [["inspect"], ["call", "tcp://127.0.0.1:1", "a.b", "--items", "-"]])
def test_standard_input_that_is_closed(
    monkeypatch: pytest.MonkeyPatch, here: Here, arguments: list[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    done = here(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.sentence == "standard input is closed; give it something to read"


def test_standard_output_that_takes_no_more(shop: Path, tmp_path: Path) -> None:
    # the limit on a file's size stands for a full disk
    before = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    )
    with open(tmp_path / "out", "wb") as out:
        ran = subprocess.run(
            command(["inspect", "--hex", "00000003820c01"], before),
            cwd=shop,
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ran.returncode == 1
    sentence = "standard output can't be written: file too large"
    assert ran.stderr.decode() == f"graftwire: {sentence}\n"
